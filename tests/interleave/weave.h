/* SPDX-License-Identifier: Apache-2.0 */
/* weave.h - run real lock-free code in every order there is.
 *
 * Two or three actors are coroutines; built with TBUS_HOOKS, the code stops before every access to
 * shared memory (atomic.h) and the weaver decides who goes on. All schedules are enumerated by
 * depth-first search: a schedule is re-run from a fresh state with the same choices up to the point
 * where the next one differs. A crash is one more choice: the actor simply never goes on. Memory is
 * sequentially consistent here; what weaker orders may do is the business of tests/model.
 *
 * futex(2) and membarrier(2) are simulated: a sleeper is not eligible until somebody wakes it, and
 * a state in which everybody who lives is asleep is a lost wake-up.
 */
#ifndef TICKBUS_TESTS_INTERLEAVE_WEAVE_H
#define TICKBUS_TESTS_INTERLEAVE_WEAVE_H

#include <stdbool.h>
#include <stdint.h>

#define WEAVE_ACTORS_MAX 3

typedef struct weave_result {
    uint64_t schedules;
    uint64_t crashes;   /* schedules in which an actor was killed */
    uint32_t steps_max; /* accesses in the longest schedule */
    uint64_t sleeps;    /* times a simulated futex put somebody to sleep */
} weave_result_t;

typedef struct weave_case {
    const char *name;
    unsigned actors;
    void (*prepare)(void); /* fresh state; runs outside the weave */
    void (*actor[WEAVE_ACTORS_MAX])(void);
    /* Is this address shared between actors in this case? Accesses to others are no scheduling
     * points: they commute with everything. */
    bool (*interesting)(const void *address);
    /* All is over (`dead`: bit i: actor i was killed; `stuck`: the living all sleep). Returns NULL
     * or what is wrong. */
    const char *(*verdict)(unsigned dead, bool stuck);
    unsigned may_crash; /* bit i: actor i may be killed at any step; one of them per schedule */
    /* 0: no bound; else all schedules that take the processor from an actor at most so often */
    unsigned preemptions_max;
    uint64_t random_schedules; /* 0: exhaustive; else so many random ones */
    uint64_t seed;
} weave_case_t;

/* Run them all. NULL, or the fault with the schedule that shows it (static storage). */
const char *weave_run(const weave_case_t *c, weave_result_t *out_result);

#endif
