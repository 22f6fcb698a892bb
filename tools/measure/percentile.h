/* SPDX-License-Identifier: Apache-2.0 */
/* percentile.h - percentiles of a histogram, finer than its buckets. */
#ifndef TICKBUS_TOOLS_MEASURE_PERCENTILE_H
#define TICKBUS_TOOLS_MEASURE_PERCENTILE_H

#include <tickbus/histogram.h>

/* The value of the nearest rank, taking the values in a bucket for evenly spread over it: rounds
 * that differ by less than a bucket's 3 % are told apart. 500000: the median; 1000000: the maximum,
 * exactly. NaN: nothing was recorded. */
double percentile_ns(const tbus_histogram_t *h, uint32_t per_million);

#endif
