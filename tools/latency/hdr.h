/* SPDX-License-Identifier: Apache-2.0 */
/* hdr.h - a histogram of nanoseconds from 1 ns to one hour, exact to three significant digits: in
 * the shape that Gil Tene's HdrHistogram gives it, so that its tools read what is written
 * (hdr_file.h).
 *
 *    bucket   values          units of    counts
 *    0        0..2047         1           2048
 *    1        2048..4095      2           1024
 *    2        4096..8191      4           1024     ... up to 2^42
 *
 * Recording allocates nothing and takes a few instructions; one thread a histogram. Those of
 * several threads, processes or runs are merged with hdr_add.
 */
#ifndef TICKBUS_TOOLS_LATENCY_HDR_H
#define TICKBUS_TOOLS_LATENCY_HDR_H

#include <stdint.h>

#define HDR_DIGITS      3u
#define HDR_SUB_BUCKETS 2048u /* the least power of two that is 2 * 10^HDR_DIGITS or more */
#define HDR_SUB_BITS    11u
#define HDR_LOWEST_NS   UINT64_C(1)
#define HDR_HIGHEST_NS  UINT64_C(3600000000000)
#define HDR_BUCKETS     32u /* 2048 << 31 is the first power beyond the highest */
#define HDR_COUNTS      ((HDR_BUCKETS + 1) * (HDR_SUB_BUCKETS / 2))

typedef struct hdr {
    uint64_t count;
    uint64_t min_ns; /* of what was recorded; UINT64_MAX: nothing was */
    uint64_t max_ns; /* exact */
    uint64_t counts[HDR_COUNTS];
} hdr_t;

/* All zeros is no empty one: min_ns. */
void hdr_clear(hdr_t *h);

static inline uint32_t hdr_index(uint64_t ns)
{
    uint32_t power = 63u - (uint32_t)__builtin_clzll(ns | (HDR_SUB_BUCKETS - 1));
    uint32_t bucket = power - (HDR_SUB_BITS - 1);
    return bucket * (HDR_SUB_BUCKETS / 2) + (uint32_t)(ns >> bucket);
}

/* What is longer than HDR_HIGHEST_NS counts as that, but for max_ns. Hot. */
static inline void hdr_record(hdr_t *h, uint64_t ns)
{
    h->counts[hdr_index(ns < HDR_HIGHEST_NS ? ns : HDR_HIGHEST_NS)]++;
    h->count++;
    h->min_ns = ns < h->min_ns ? ns : h->min_ns;
    h->max_ns = ns > h->max_ns ? ns : h->max_ns;
}

/* Add what was recorded in `other`. So far for tests alone. */
void hdr_add(hdr_t *h, const hdr_t *other);

/* The least and the greatest value that count as those of index `index`. */
uint64_t hdr_low_ns(uint32_t index);
uint64_t hdr_high_ns(uint32_t index);

/* `share` of 0 to 1: the greatest value that counts as the one of the nearest rank, and never more
 * than max_ns. 0: nothing was recorded. For tests. */
uint64_t hdr_percentile_ns(const hdr_t *h, double share);

#endif
