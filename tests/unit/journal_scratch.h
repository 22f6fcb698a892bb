/* SPDX-License-Identifier: Apache-2.0 */
/* journal_scratch.h - a directory for the journals of one test, made and removed around it. */
#ifndef TICKBUS_TESTS_UNIT_JOURNAL_SCRATCH_H
#define TICKBUS_TESTS_UNIT_JOURNAL_SCRATCH_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/journal/directory.h"
#include "tests/support/program.h"

#define PATH_BYTES 256

typedef struct scratch {
    char root[SCRATCH_PATH_MAX]; /* made and removed by the fixture */
    char journal[PATH_BYTES];    /* root/journal, not made */
    char other[PATH_BYTES];      /* root/other, not made */
} scratch_t;

static inline int make_scratch(void **state)
{
    scratch_t *s = calloc(1, sizeof *s);
    *state = s;
    scratch_create(s->root);
    snprintf(s->journal, sizeof s->journal, "%s/journal", s->root);
    snprintf(s->other, sizeof s->other, "%s/other", s->root);
    return 0;
}

static inline int remove_scratch(void **state)
{
    scratch_t *s = *state;
    scratch_remove(s->root);
    free(s);
    return 0;
}

static inline void segment_path(const char *journal, uint32_t number,
                                char out_path[PATH_BYTES + 16])
{
    char name[TBUS_JOURNAL_FILE_NAME_MAX];
    tbus_journal_segment_name(number, name);
    snprintf(out_path, PATH_BYTES + 16, "%s/%s", journal, name);
}

/* Of a directory, "." and ".." among them. */
static inline unsigned count_entries(const char *path)
{
    unsigned count = 0;
    DIR *stream = opendir(path);
    while (readdir(stream))
        count++;
    closedir(stream);
    return count;
}

#endif
