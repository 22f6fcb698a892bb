/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - time as the bus uses it: CLOCK_MONOTONIC in nanoseconds; and the CPU's own counter, for
 * stamps that are turned into such times afterwards. */
#ifndef TICKBUS_CLOCK_H
#define TICKBUS_CLOCK_H

#include <stdint.h>

#include <tickbus/inline.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Now. Any thread. Costs 30-50 ns (a read of the CPU's time stamp counter, and no system call where
 * the kernel's vDSO knows the clock): at most one call per message and hop. Not inline, because
 * clock_gettime(2) needs a feature macro that a strict C17 program does not define; the call adds
 * about 1 ns. */
uint64_t tbus_clock_ns(void);

/* Nanoseconds since 1970 (CLOCK_REALTIME), for what people read: it may be set, and go back. Any
 * thread. */
uint64_t tbus_clock_realtime_ns(void);

/* The CPU's own counter, in ticks of its own: 8 to 20 ns, never a system call. Its rate is to be
 * measured, and only where the kernel trusts it do CPUs agree on it. On aarch64 the isb keeps
 * the read from being made before what stands in front of it. */
TBUS_INLINE uint64_t tbus_clock_ticks(void)
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

#ifdef __cplusplus
}
#endif
#endif
