/* SPDX-License-Identifier: Apache-2.0 */
/* ticks.h - the rate of the CPU's own counter (tbus_clock_ticks), which costs about 16 ns a look
 * where CLOCK_MONOTONIC costs 30 to 70. Compare only looks of one CPU. */
#ifndef TICKBUS_TOOLS_MEASURE_TICKS_H
#define TICKBUS_TOOLS_MEASURE_TICKS_H

#include <stdint.h>

#include <tickbus/clock.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Measured against CLOCK_MONOTONIC for 50 ms at the first call of this process; one thread only.
 * Children inherit the result. */
double ticks_per_ns(void);

#ifdef __cplusplus
}
#endif
#endif
