/* SPDX-License-Identifier: Apache-2.0 */
/* stamp_clock.h - stamps of the CPU's counter as ns of CLOCK_MONOTONIC.
 *
 * Stages stamp by the counter where the kernel itself takes the time from it, or the host of a
 * virtual machine does for it: then it runs at one rate and stands still in no sleep; and where a
 * look at each CPU finds them to agree. Else by CLOCK_MONOTONIC. While the
 * run goes on both clocks are read side by side again and again; a stamp is placed between the two
 * readings around it. So what NTP makes of CLOCK_MONOTONIC meanwhile is followed, and how far a
 * straight line from the first reading to the last would miss says how much that was.
 *
 *    ns |            x reading        a reading: the narrowest of READS_A_TIME tries of
 *       |       o stamp                          clock, counter, clock
 *       |   x
 *       +-------------------- ticks
 */
#ifndef TICKBUS_TOOLS_LATENCY_STAMP_CLOCK_H
#define TICKBUS_TOOLS_LATENCY_STAMP_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define STAMP_CLOCK_READINGS_MAX 16384u
#define STAMP_CLOCK_EVERY_NS     UINT64_C(20000000) /* between two readings, at least */

typedef struct stamp_reading {
    uint64_t ticks;
    uint64_t ns;
} stamp_reading_t;

typedef struct stamp_clock {
    bool ticks; /* stamps are of the counter; else they are ns already */
    uint32_t count;
    uint64_t every_ns; /* grows when there is no room for more */
    stamp_reading_t readings[STAMP_CLOCK_READINGS_MAX];
} stamp_clock_t;

/* Does the kernel take its time from the counter, and do those of all CPUs that we may use agree?
 * Found out once, in some 10 ms, by going from CPU to CPU; one thread only. Cold. */
bool stamp_clock_trusts_counter(void);

void stamp_clock_init(stamp_clock_t *c, bool ticks);
/* Read both clocks, if the last reading is old enough, or it is to be the last. */
void stamp_clock_read(stamp_clock_t *c, bool last);
/* Add a reading; the counter's rises. Here for tests. */
void stamp_clock_add(stamp_clock_t *c, uint64_t ticks, uint64_t ns);

/* A stamp as ns of CLOCK_MONOTONIC. Needs two readings where stamps are of the counter. */
uint64_t stamp_clock_ns(const stamp_clock_t *c, uint64_t stamp);

/* The most that a straight line through the first and the last reading misses another one, in ns;
 * 0: there is none. */
double stamp_clock_drift_ns(const stamp_clock_t *c);

/* What one look costs, in ns: the least of some rounds. Cold, a millisecond or two. */
double stamp_clock_cost_ns(bool ticks);

#endif
