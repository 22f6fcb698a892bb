/* SPDX-License-Identifier: Apache-2.0 */
/* directory.h - the directory of a journal: made or refused for writing, listed for reading.
 * Private to bus/journal. */
#ifndef TICKBUS_JOURNAL_DIRECTORY_H
#define TICKBUS_JOURNAL_DIRECTORY_H

#include "bus/journal/format.h"

typedef struct tbus_journal_directory {
    int fd;       /* owned */
    bool created; /* by us, so it is ours to remove when the start fails */
} tbus_journal_directory_t;

/* Open a directory to record into, made if it is missing. -TBUS_ENOTEMPTY: it holds something, and
 * err says what; -ENOENT: nor is there a parent; -ENOTDIR, -EACCES, -EROFS. */
int tbus_journal_directory_claim(const char *path, tbus_journal_directory_t *out_directory,
                                 tbus_error_t *err);

/* Undo a claim: close, and remove the directory if the claim made it (and it is empty again). */
void tbus_journal_directory_release(tbus_journal_directory_t *directory, const char *path);

/* Open a directory to read from, and count its segments: 1.. without a gap, else -TBUS_ECORRUPT.
 * -TBUS_ENOTFOUND: none. Files with other names are no business of ours. */
int tbus_journal_directory_open(const char *path, int *out_fd, uint32_t *out_segments,
                                tbus_error_t *err);

/* Sync the directory that holds this one, so that its name survives a loss of power. */
int tbus_journal_directory_sync_parent(int directory_fd, const char *path, tbus_error_t *err);

#endif
