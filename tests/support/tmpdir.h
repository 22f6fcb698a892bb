/* SPDX-License-Identifier: Apache-2.0 */
/* tmpdir.h - a TMPDIR of the test's own, in which it finds what a run has left behind. */
#ifndef TICKBUS_TESTS_SUPPORT_TMPDIR_H
#define TICKBUS_TESTS_SUPPORT_TMPDIR_H

#include <dirent.h>
#include <stdlib.h>

#include "tests/support/program.h"

static char scratch[SCRATCH_PATH_MAX];

static inline int enter_scratch(void **state)
{
    (void)state;
    scratch_create(scratch);
    return setenv("TMPDIR", scratch, 1);
}

static inline int leave_scratch(void **state)
{
    (void)state;
    unsetenv("TMPDIR");
    scratch_remove(scratch);
    return 0;
}

/* How many entries a directory has, beside "." and ".."; -1: it cannot be read. */
static inline int entries_in(const char *path)
{
    int count = -2;
    DIR *stream = opendir(path);
    if (!stream)
        return -1;
    while (readdir(stream))
        count++;
    closedir(stream);
    return count;
}

#endif
