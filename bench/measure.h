/* SPDX-License-Identifier: Apache-2.0 */
/* measure.h - what the benches share: a CPU to stand on, a cheap clock, order statistics, and what
 * to say about the host.
 *
 * Benches are programs of their own, not part of the library: they print and exit where something
 * fails.
 */
#ifndef TICKBUS_BENCH_MEASURE_H
#define TICKBUS_BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <tickbus/clock.h>

/* Pin the calling thread to one CPU. Exits when there is no such CPU. */
void bench_pin(int cpu);

/* The first CPUs that this process may run on: out_cpus[0..count). With fewer, they repeat; returns
 * how many there are. */
unsigned bench_cpus(int *out_cpus, unsigned count);

/* The CPU's own counter, about 16 ns a look where CLOCK_MONOTONIC costs 30 to 70. Compare only
 * looks of one CPU. */
static inline uint64_t bench_ticks(void)
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

/* Ticks per nanosecond, measured against CLOCK_MONOTONIC for a moment at the first call. */
double bench_ticks_per_ns(void);

/* Nearest rank; sorts in place. `per_mille` = 500 is the median. */
uint32_t bench_rank_u32(uint32_t *values, size_t count, unsigned per_mille);
double bench_median(double *values, size_t count);

/* {cpu, cpus, kernel, machine}; a new reference. */
json_t *bench_host(void);

/* Exits with the reason unless `status` is 0 or positive; returns it. */
int bench_must(int status, const char *what, const char *why);

#endif
