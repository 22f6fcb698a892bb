/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/measure/percentile.h"

#include <math.h>

double percentile_ns(const tbus_histogram_t *h, uint32_t per_million)
{
    uint64_t count = tbus_load_relaxed_u64(&h->count);
    double max = (double)tbus_load_relaxed_u64(&h->max);
    double rank = ceil((double)count * per_million / 1e6); /* 1.. */
    double seen = 0;
    if (!count)
        return NAN;
    for (uint32_t i = 0; i < TBUS_HISTOGRAM_BUCKETS && rank < (double)count; i++) {
        double here = (double)tbus_load_relaxed_u64(&h->buckets[i]);
        if (seen + here >= rank && here > 0) {
            double least = i ? (double)tbus_histogram_value(i - 1) + 1 : 0;
            double most = fmin((double)tbus_histogram_value(i), max);
            return least + (most - least) * (rank - seen - 0.5) / here;
        }
        seen += here;
    }
    return max;
}
