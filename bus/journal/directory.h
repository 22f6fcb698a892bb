/* SPDX-License-Identifier: Apache-2.0 */
/* directory.h - the directory of a journal: made or refused for writing, listed for reading.
 * Private to bus/journal. */
#ifndef TICKBUS_JOURNAL_DIRECTORY_H
#define TICKBUS_JOURNAL_DIRECTORY_H

#include "bus/journal/format.h"

/* What everything that opens a segment, or tells of one, takes. */
typedef struct tbus_journal_directory {
    char *path; /* as it was given, for messages. Owned */
    int fd;     /* owned */
    /* by us, so it is ours to remove when the start of the recording fails */
    bool created;
} tbus_journal_directory_t;

/* Open a directory to record into; it is made if it is missing. -TBUS_ENOTEMPTY: it holds
 * something other than the lost+found of a volume of its own, and err says what; -ENOENT: its
 * parent does not exist; -ENOTDIR, -EACCES, -EROFS, -ENOMEM. */
int tbus_journal_directory_create(const char *path, tbus_journal_directory_t *out_directory,
                                  tbus_error_t *err);

/* Undo create: close the directory, and remove it if create made it and it is empty again. */
void tbus_journal_directory_destroy(tbus_journal_directory_t *directory);

/* The numbers of the segments that a journal has: the first is not 1 when those before it were
 * removed (retention). */
typedef struct tbus_journal_range {
    uint32_t first;
    uint32_t last;
} tbus_journal_range_t;

/* Open a directory to read from, and list its segments, as tbus_journal_directory_list. */
int tbus_journal_directory_open(const char *path, tbus_journal_directory_t *out_directory,
                                tbus_journal_range_t *out_range, tbus_error_t *err);

/* The same for a journal of which segments may be missing: from the first that is there to the
 * last. */
int tbus_journal_directory_open_any(const char *path, tbus_journal_directory_t *out_directory,
                                    tbus_journal_range_t *out_range, tbus_error_t *err);

/* Which segments are there? -TBUS_ENOTFOUND: none; -TBUS_ECORRUPT: one in the middle is missing,
 * and `err` names it. Files with other names are ignored. Retention, which removes the first one
 * and so on, may be at work at the same time. */
int tbus_journal_directory_list(const tbus_journal_directory_t *directory,
                                tbus_journal_range_t *out_range, tbus_error_t *err);

/* The highest number of a segment, whatever is missing; 0: there is none, or it cannot be told. */
uint32_t tbus_journal_directory_last(const tbus_journal_directory_t *directory);

/* Is there an entry of the name of segment `number`? */
bool tbus_journal_directory_holds(const tbus_journal_directory_t *directory, uint32_t number);

/* The directory stays as it is. */
void tbus_journal_directory_close(tbus_journal_directory_t *directory);

/* Sync the directory, so that the names in it survive a loss of power. A file system that cannot
 * sync a directory is taken to need no sync. */
int tbus_journal_directory_sync(const tbus_journal_directory_t *directory, tbus_error_t *err);

/* Sync the parent likewise, so that the name of the directory itself survives. */
int tbus_journal_directory_sync_parent(const tbus_journal_directory_t *directory,
                                       tbus_error_t *err);

/* "00000001.tbj": the name of segment `number`. */
void tbus_journal_segment_name(uint32_t number, char out_name[TBUS_JOURNAL_FILE_NAME_MAX]);

/* What the user can do about an error of the file system, to stand after the error itself. */
const char *tbus_journal_advice(int code);

#endif
