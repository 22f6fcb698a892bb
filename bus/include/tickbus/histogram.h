/* SPDX-License-Identifier: Apache-2.0 */
/* histogram.h - latencies, counted in shared memory without allocating: log-linear buckets, 32 per
 * power of two (error below 3.2 %), of nanoseconds from 0 to 2^48.
 *
 * One thread writes, anybody reads at any time; a reader may miss the value that is being recorded
 * at that moment. A percentile is the one of the nearest rank, reported as the highest value of its
 * bucket. The maximum is exact.
 */
#ifndef TICKBUS_HISTOGRAM_H
#define TICKBUS_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include <tickbus/atomic.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TBUS_HISTOGRAM_BUCKETS 1440u /* 32 exact ones, then 32 for each of the powers 2^5 .. 2^48 */

typedef struct tbus_histogram {
    tbus_atomic_u64_t count;                           /*   0 */
    tbus_atomic_u64_t max;                             /*   8 */
    tbus_atomic_u64_t sum;                             /*  16 */
    tbus_atomic_u64_t buckets[TBUS_HISTOGRAM_BUCKETS]; /*  24 */
} tbus_histogram_t;

TBUS_STATIC_ASSERT(sizeof(tbus_histogram_t) == 11544);
TBUS_STATIC_ASSERT(offsetof(tbus_histogram_t, count) == 0);
TBUS_STATIC_ASSERT(offsetof(tbus_histogram_t, max) == 8);
TBUS_STATIC_ASSERT(offsetof(tbus_histogram_t, sum) == 16);
TBUS_STATIC_ASSERT(offsetof(tbus_histogram_t, buckets) == 24);

TBUS_INLINE uint32_t tbus_histogram_bucket(uint64_t ns)
{
    if (ns < 32)
        return (uint32_t)ns;
    uint32_t power = 63u - (uint32_t)__builtin_clzll(ns); /* 5.. */
    uint32_t bucket = (power - 4) * 32 + (uint32_t)((ns >> (power - 5)) & 31);
    return bucket < TBUS_HISTOGRAM_BUCKETS ? bucket : TBUS_HISTOGRAM_BUCKETS - 1;
}

TBUS_INLINE void tbus_histogram_record(tbus_histogram_t *h, uint64_t ns)
{
    tbus_add_own_u64(&h->buckets[tbus_histogram_bucket(ns)], 1);
    tbus_add_own_u64(&h->sum, ns);
    if (ns > tbus_load_relaxed_u64(&h->max))
        tbus_store_relaxed_u64(&h->max, ns);
    tbus_add_own_u64(&h->count, 1);
}

/* The highest value that bucket `bucket` stands for. */
uint64_t tbus_histogram_value(uint32_t bucket);

/* `per_million` = 500000 for p50, 999000 for p99.9. 0 when nothing was recorded. Never more than
 * the maximum. */
uint64_t tbus_histogram_percentile(const tbus_histogram_t *h, uint32_t per_million);

#ifdef __cplusplus
}
#endif
#endif
