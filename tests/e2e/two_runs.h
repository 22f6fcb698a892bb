/* SPDX-License-Identifier: Apache-2.0 */
/* two_runs.h - two buses side by side, of which the far one is fed by what the near one gives out,
 * each with a journal of its own. Taking them down checks that nothing of either is left behind.
 */
#ifndef TICKBUS_TESTS_TWO_RUNS_H
#define TICKBUS_TESTS_TWO_RUNS_H

#include "tests/e2e/running_bus.h"

typedef struct two_runs {
    fixture_t *near; /* sends */
    fixture_t far;   /* receives */
    char root[SCRATCH_PATH_MAX];
    char journal_near[96], journal_far[96], out[96];
} two_runs_t;

static inline int two_runs_begin(two_runs_t *w)
{
    static unsigned count;
    if (set_up((void **)&w->near) < 0)
        return -1;
    scratch_create(w->root);
    w->far = *w->near;
    snprintf(w->far.bus, sizeof w->far.bus, "far-%d-%u", (int)getpid(), count++);
    snprintf(w->journal_near, sizeof w->journal_near, "%s/near", w->root);
    snprintf(w->journal_far, sizeof w->journal_far, "%s/far", w->root);
    snprintf(w->out, sizeof w->out, "%s/out", w->root);
    return 0;
}

static inline int two_runs_end(two_runs_t *w)
{
    program_clear(&w->far.start);
    int code = processes_of(w->far.bus) ? -1 : 0;
    if (tear_down((void **)&w->near) < 0)
        code = -1;
    scratch_remove(w->root);
    return code;
}

#endif
