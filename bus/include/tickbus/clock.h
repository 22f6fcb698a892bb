/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - time as the bus uses it: CLOCK_MONOTONIC in nanoseconds. */
#ifndef TICKBUS_CLOCK_H
#define TICKBUS_CLOCK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Now. Any thread. Costs 30-50 ns (a read of the CPU's time stamp counter, and no system call where
 * the kernel's vDSO knows the clock): at most one call per message and hop. Not inline, because
 * clock_gettime(2) needs a feature macro that a strict C17 program does not define; the call adds
 * about 1 ns. */
uint64_t tbus_clock_ns(void);

#ifdef __cplusplus
}
#endif
#endif
