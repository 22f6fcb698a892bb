/* SPDX-License-Identifier: Apache-2.0 */
/* sides.h - the processes of one trial: forked, pinned, and reaped whatever happens.
 *
 *    parent                               side 0                     side 1 ...
 *    sides_start    forks them all        is pinned to its CPU       is pinned to its CPU
 *                                         run(me, context)           run(me, context)
 *                                           sides_meet <--------------> sides_meet
 *    sides_await_stage  <- - - - - - - - -  sides_enter
 *    sides_await_end    <- - - - - - - -  ends, or fails             ends, or fails
 *    sides_finish   kills and reaps whoever is left
 *
 * Who failed first, and why: a side that fails leaves its reason in memory that it shares with the
 * parent, with the time. A side that crashed comes before one that left a reason: what a survivor
 * reports is most likely the consequence. No side outlives its parent, not even when the parent is
 * killed.
 *
 * Used by `busctl ipc` (tools/ipc/trial.c) and by the benches. What the sides measure goes into
 * shared memory of their own; this file knows nothing of it. The parent sleeps while it waits.
 */
#ifndef TICKBUS_TOOLS_MEASURE_SIDES_H
#define TICKBUS_TOOLS_MEASURE_SIDES_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <tickbus/atomic.h>
#include <tickbus/error.h>

#define SIDES_MAX        8u
#define SIDES_REASON_MAX 256u
#define SIDES_ANYWHERE   (-1) /* instead of a CPU */

/* What a side has of its trial; given to its run(). */
typedef struct side {
    struct sides_shared *shared;
    unsigned index;
    unsigned count;
} side_t;

/* The whole life of a side, in a process of its own. Below 0: it failed; then sides_fail() has
 * normally said why. */
typedef int (*side_run_t)(side_t *me, void *context);

typedef struct sides_spec {
    const char *what;             /* every error begins with it, "pipe"; NULL: with nothing */
    unsigned count;               /* 1..SIDES_MAX */
    const char *names[SIDES_MAX]; /* as errors call them, "client"; NULL: "side 1" */
    int cpus[SIDES_MAX];          /* or SIDES_ANYWHERE; several may have the same */
    side_run_t run;
    void *context; /* for run; not owned */
} sides_spec_t;

typedef struct sides {
    sides_spec_t spec;
    struct sides_shared *shared;
    pid_t pids[SIDES_MAX];  /* 0: not started, or reaped */
    int pidfds[SIDES_MAX];  /* with a pid */
    int status[SIDES_MAX];  /* as from waitpid(2), when reaped */
    bool killed[SIDES_MAX]; /* by us: how it ended is no failure */
} sides_t;

/* ---- in the parent; errors are negative, and the sentence is in `err` */

/* Start all sides. On failure none is left; sides_finish() may follow, and need not. The calling
 * thread must live as long as the sides: they are killed when it ends. Needs Linux 5.3
 * (pidfd_open). */
int sides_start(const sides_spec_t *spec, sides_t *out_sides, tbus_error_t *err);

/* Wait until all have ended, or one fails, or the clock (tbus_clock_ns) says `until_ns`. 0;
 * -ETIMEDOUT: who has not ended is named; -EINTR: a signal came (sides_hold_signals); -ECHILD: a
 * side crashed; or the code that a side failed with. After a failure the others may still live. */
int sides_await_end(sides_t *sides, uint64_t until_ns, tbus_error_t *err);

/* Wait until one side has come to a stage, looking every 200 us. 1: it has; 0: not until
 * `until_ns`; or as above. Failures of other sides are not looked at. */
int sides_await_stage(sides_t *sides, unsigned side, uint32_t stage, uint64_t until_ns,
                      tbus_error_t *err);

/* Wait until `until_ns`, or until a side ends. 0, or -EINTR. */
int sides_sleep(sides_t *sides, uint64_t until_ns, tbus_error_t *err);

/* Kill one side, and (reap) wait until its process is gone. Both accept one that is gone. */
void sides_kill(sides_t *sides, unsigned side);
void sides_reap(sides_t *sides, unsigned side);

/* Kill and reap whoever is left. Accepts a zeroed or finished one. */
void sides_finish(sides_t *sides);

/* Start, wait for the end for so long, finish. */
int sides_run(const sides_spec_t *spec, uint64_t limit_ns, tbus_error_t *err);

/* SIGINT and SIGTERM end a wait of the functions above, not the program, so that it can clean up.
 * Sides get the default actions back, and ignore SIGPIPE. */
typedef struct sides_signals {
    sigset_t mask;
    struct sigaction actions[2];
} sides_signals_t;
void sides_hold_signals(sides_signals_t *out_before);
void sides_restore_signals(const sides_signals_t *before);

/* ---- in a side */

/* Wait until all sides have come here; any number of times. If one of them never comes, the parent
 * ends this. */
void sides_meet(side_t *me);

/* Tell the parent how far this side is; what it wrote before is seen by then. */
void sides_enter(side_t *me, uint32_t stage);

/* Leave the reason of a failure; the first one counts. Returns `code`, which is below 0. */
int sides_fail(side_t *me, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* For sides that are threads of one process, and for sides_meet: `come` is shared, and zero at
 * first. */
void sides_meet_at(tbus_atomic_u32_t *come, uint32_t count);

#endif
