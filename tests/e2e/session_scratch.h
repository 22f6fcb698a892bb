/* SPDX-License-Identifier: Apache-2.0 */
/* session_scratch.h - a directory for a recorded session, and busctl run on it, for the tests that
 * need no running bus to look at (running_bus.h). */
#ifndef TICKBUS_TESTS_SESSION_SCRATCH_H
#define TICKBUS_TESTS_SESSION_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/program.h"

typedef struct fixture {
    char root[SCRATCH_PATH_MAX];
    char runtime[SCRATCH_PATH_MAX];
    char journal[128]; /* in root; not made */
    program_t run;     /* the last busctl, and what it printed */
    program_t server;  /* one in the background, of those tests that have one */
} fixture_t;

static inline int set_up(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);
    scratch_create(f->root);
    scratch_create_runtime(f->runtime);
    snprintf(f->journal, sizeof f->journal, "%s/journal", f->root);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    fixture_t *f = *state;
    program_clear(&f->run);
    program_clear(&f->server);
    scratch_remove_runtime(f->runtime);
    scratch_remove(f->root);
    free(f);
    return 0;
}

/* Run a program, busctl as a rule, with these arguments. Returns its exit code; what it printed is
 * in f->run. */
static inline int busctl(fixture_t *f, const char *const *argv)
{
    program_clear(&f->run);
    f->run = (program_t){.argv = argv};
    return program_run(&f->run);
}

#endif
