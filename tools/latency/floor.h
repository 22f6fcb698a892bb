/* SPDX-License-Identifier: Apache-2.0 */
/* floor.h - what the machine itself adds to a latency, with nothing of ours around it, on the CPUs
 * of a run and on its very schedule:
 *
 *    paced line   two processes and one cache line. The first waits until the message's time has
 *                 come and stores its number; the second watches the line and looks at the clock
 *                 when it has changed. No pipeline over these CPUs can be faster.
 *    hiccup       on each CPU of the run a process that only looks at the clock. The latency of a
 *                 message is how long after its time the next look was; of several CPUs the latest.
 *                 What is there in both tails is the host, not the pipeline.
 *    ping-pong    two lines and no schedule: half of a round trip, one after another as fast as
 *                 they go. What the lines can do when no tail is asked for.
 *
 * All of them count from the intended time, as the run does: whoever is kept off its CPU for 50 ms
 * is late with every message that was due meanwhile. The number on the line replaces the one
 * before; who sees it has seen all before it.
 *
 * A run that has one CPU for all has no line to hand over: then one process stores and looks, and
 * `processes` says 1. The processes spin, whatever those of the run do while they wait.
 */
#ifndef TICKBUS_TOOLS_LATENCY_FLOOR_H
#define TICKBUS_TOOLS_LATENCY_FLOOR_H

#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#include "tools/measure/sides.h"

#define FLOOR_CPUS_MAX    SIDES_MAX
#define FLOOR_ROUND_TRIPS 20000u

typedef struct floor_spec {
    uint32_t cpus_count; /* different CPUs of the run, 1..FLOOR_CPUS_MAX */
    /* the first is the CPU of who publishes, the second that of who answers; SIDES_ANYWHERE: not
     * pinned */
    int cpus[FLOOR_CPUS_MAX];
    /* ascending, on the clock of a schedule whose `origin_ns` is when this begins; not owned */
    const uint64_t *due_ns;
    size_t count;       /* at least 1 */
    uint64_t origin_ns; /* at most the first of them */
} floor_spec_t;

/* One latency in ns for each message of the schedule, in its order, except ping_pong_ns. */
typedef struct floor {
    size_t count;
    uint32_t processes; /* of the paced line: 2, or 1 */
    const uint64_t *paced_line_ns;
    const uint64_t *hiccup_ns;
    size_t round_trips;           /* 0 with one process */
    const uint32_t *ping_pong_ns; /* half of each round trip */
    void *memory;                 /* of all three */
    size_t bytes;
} floor_t;

/* Measure all three, one after another: takes twice as long as the schedule, and some ms. The
 * calling thread sleeps meanwhile. -EINVAL: no schedule, or one that goes back; -EINTR: a signal
 * came (sides_hold_signals); else what sides.h says. On failure nothing is left. */
int floor_measure(const floor_spec_t *spec, floor_t *out_floor, tbus_error_t *err);

/* Accepts one that is all zeros. */
void floor_free(floor_t *floor);

#endif
