/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/hdr.h"

#include <math.h>
#include <string.h>

_Static_assert(HDR_SUB_BUCKETS == 1u << HDR_SUB_BITS, "a power of two");
_Static_assert((uint64_t)HDR_SUB_BUCKETS << (HDR_BUCKETS - 1) > HDR_HIGHEST_NS, "all fit");

void hdr_clear(hdr_t *h)
{
    memset(h, 0, sizeof *h);
    h->min_ns = UINT64_MAX;
}

void hdr_add(hdr_t *h, const hdr_t *other)
{
    for (uint32_t i = 0; i < HDR_COUNTS; i++)
        h->counts[i] += other->counts[i];
    h->count += other->count;
    h->min_ns = other->min_ns < h->min_ns ? other->min_ns : h->min_ns;
    h->max_ns = other->max_ns > h->max_ns ? other->max_ns : h->max_ns;
}

static uint32_t bucket_of(uint32_t index)
{
    return index < HDR_SUB_BUCKETS ? 0 : index / (HDR_SUB_BUCKETS / 2) - 1;
}

uint64_t hdr_low_ns(uint32_t index)
{
    uint32_t bucket = bucket_of(index);
    return (uint64_t)(index - bucket * (HDR_SUB_BUCKETS / 2)) << bucket;
}

uint64_t hdr_high_ns(uint32_t index)
{
    return hdr_low_ns(index) + (UINT64_C(1) << bucket_of(index)) - 1;
}

uint64_t hdr_percentile_ns(const hdr_t *h, double share)
{
    if (h->count == 0)
        return 0;
    /* 0.999 of 1000 is 999, however a double has it. */
    uint64_t rank = (uint64_t)ceil(share * (double)h->count * (1 - 1e-15)), seen = 0;
    if (rank < 1)
        rank = 1;
    for (uint32_t i = 0; i < HDR_COUNTS; i++) {
        seen += h->counts[i];
        if (seen >= rank)
            return hdr_high_ns(i) < h->max_ns ? hdr_high_ns(i) : h->max_ns;
    }
    return h->max_ns;
}
