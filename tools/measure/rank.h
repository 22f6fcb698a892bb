/* SPDX-License-Identifier: Apache-2.0 */
/* rank.h - order statistics of values that are all at hand. (Of a histogram: percentile.h.) All
 * sort in place. */
#ifndef TICKBUS_TOOLS_MEASURE_RANK_H
#define TICKBUS_TOOLS_MEASURE_RANK_H

#include <stddef.h>
#include <stdint.h>

void rank_sort(double *values, size_t count);

/* The middle value, or the mean of the two in the middle; NaN when there is none. */
double rank_median(double *values, size_t count);

/* The value below which `per_mille` of them lie: 0 the least, 1000 the greatest. 0 when there is
 * none. */
uint32_t rank_u32(uint32_t *values, size_t count, unsigned per_mille);

#endif
