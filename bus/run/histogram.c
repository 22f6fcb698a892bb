/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/histogram.h>

uint64_t tbus_histogram_value(uint32_t bucket)
{
    if (bucket < 32)
        return bucket;
    if (bucket >= TBUS_HISTOGRAM_BUCKETS)
        bucket = TBUS_HISTOGRAM_BUCKETS - 1;
    uint32_t power = bucket / 32 + 4;
    uint64_t width = UINT64_C(1) << (power - 5);
    return (UINT64_C(1) << power) + (bucket % 32 + 1) * width - 1;
}

uint64_t tbus_histogram_percentile(const tbus_histogram_t *h, uint32_t per_million)
{
    /* The buckets' own sum, not `count`: a recording may be between the two. */
    uint64_t total = 0;
    if (!h)
        return 0;
    for (uint32_t i = 0; i < TBUS_HISTOGRAM_BUCKETS; i++)
        total += tbus_load_relaxed_u64(&h->buckets[i]);
    if (!total)
        return 0;
    uint64_t rank = (uint64_t)(((unsigned __int128)total * per_million + 999999) / 1000000);
    if (rank == 0)
        rank = 1;
    uint64_t max = tbus_load_relaxed_u64(&h->max);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < TBUS_HISTOGRAM_BUCKETS; i++) {
        seen += tbus_load_relaxed_u64(&h->buckets[i]);
        if (seen >= rank) {
            uint64_t value = tbus_histogram_value(i);
            return value < max ? value : max;
        }
    }
    return max;
}
