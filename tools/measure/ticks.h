/* SPDX-License-Identifier: Apache-2.0 */
/* ticks.h - the cheap clock: the CPU's own counter, about 16 ns a look where CLOCK_MONOTONIC costs
 * 30 to 70. Compare only looks of one CPU. */
#ifndef TICKBUS_TOOLS_MEASURE_TICKS_H
#define TICKBUS_TOOLS_MEASURE_TICKS_H

#include <stdint.h>

#include <tickbus/clock.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline uint64_t ticks_now(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ __volatile__("isb; mrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    return ticks;
#else
    return tbus_clock_ns();
#endif
}

/* Measured against CLOCK_MONOTONIC for 50 ms at the first call of this process; one thread only.
 * Children inherit the result. */
double ticks_per_ns(void);

#ifdef __cplusplus
}
#endif
#endif
