/* SPDX-License-Identifier: Apache-2.0 */
/* series.h - one figure, measured once a round: its median, and how far the rounds lie apart. */
#ifndef TICKBUS_TOOLS_MEASURE_SERIES_H
#define TICKBUS_TOOLS_MEASURE_SERIES_H

#include <stdint.h>

#define IPC_ROUNDS_MAX 99u

typedef struct ipc_series {
    uint32_t count;
    double values[IPC_ROUNDS_MAX]; /* in the order of the rounds */
} ipc_series_t;

/* A value beyond the last round is ignored. */
void ipc_series_add(ipc_series_t *s, double value);

/* The middle value, or the mean of the two in the middle; NaN when there is none. */
double ipc_series_median(const ipc_series_t *s);
double ipc_series_min(const ipc_series_t *s);
double ipc_series_max(const ipc_series_t *s);

/* Median absolute deviation from the median, as a share of it: half of the rounds lie closer. NaN
 * when there is no value. */
double ipc_series_noise(const ipc_series_t *s);

#endif
