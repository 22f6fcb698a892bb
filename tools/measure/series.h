/* SPDX-License-Identifier: Apache-2.0 */
/* series.h - one figure, measured once a round: its median, and how far the rounds lie apart. */
#ifndef TICKBUS_TOOLS_MEASURE_SERIES_H
#define TICKBUS_TOOLS_MEASURE_SERIES_H

#include <stdint.h>

#define SERIES_ROUNDS_MAX 399u

typedef struct series {
    uint32_t count;
    double values[SERIES_ROUNDS_MAX]; /* in the order of the rounds */
} series_t;

/* A value beyond the last round is ignored. */
void series_add(series_t *s, double value);

/* The middle value, or the mean of the two in the middle; NaN when there is none. */
double series_median(const series_t *s);
double series_min(const series_t *s);
double series_max(const series_t *s);

/* Median absolute deviation from the median, as a share of it: half of the rounds lie closer. NaN
 * when there is no value. */
double series_noise(const series_t *s);

#endif
