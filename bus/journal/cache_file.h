/* SPDX-License-Identifier: Apache-2.0 */
/* cache_file.h - a file in a journal's directory that holds what can be made anew from the segments
 * at any time. Private to bus/journal and the tools.
 *
 * Such a file appears under its name when it is complete, or not at all: it is written as
 * "NAME.part", under a lock, and renamed. There is no sync: after a loss of power its bytes may be
 * anything, so whoever reads one must find out by CRCs, and by what it says that it is about,
 * whether it can be used. It is read with pread(2) and never mapped, so that nobody who cuts it can
 * raise a SIGBUS. It is never needed: where it cannot be written, one does without.
 *
 * Used by index.h: where in a segment to look for a place. Who stands above the journal may keep
 * something of its own with a segment, of which the journal knows the name alone.
 */
#ifndef TICKBUS_JOURNAL_CACHE_FILE_H
#define TICKBUS_JOURNAL_CACHE_FILE_H

#include <stdbool.h>
#include <stdint.h>

/* What may lie beside a segment, by the endings of their names, and goes with it. */
#define TBUS_JOURNAL_CACHE_INDEX "tbi"
#define TBUS_JOURNAL_CACHE_BOOKS "tbb" /* tools/journal/checkpoint.h */

#define TBUS_JOURNAL_CACHE_NAME_MAX 24u /* "00000001.tbi.part" */

typedef struct tbus_journal_cache_file {
    int directory_fd; /* not owned */
    int fd;           /* of NAME.part, locked. Owned */
    char name[TBUS_JOURNAL_CACHE_NAME_MAX];
    char part[TBUS_JOURNAL_CACHE_NAME_MAX];
} tbus_journal_cache_file_t;

/* For reading: a descriptor, or -errno. What is no regular file does not hold it up. */
int tbus_journal_cache_open(int directory_fd, const char *name);

/* All of these bytes are there, and in `into`. */
bool tbus_journal_cache_read(int fd, void *into, uint64_t bytes, uint64_t offset);

/* Begin to write one, empty. `name`: room for ".part" behind it. What somebody left who was killed
 * is taken over. 0; -EAGAIN: somebody else is at it; -errno. */
int tbus_journal_cache_begin(int directory_fd, const char *name, tbus_journal_cache_file_t *out);

/* 0 or -errno. In any order. */
int tbus_journal_cache_write(const tbus_journal_cache_file_t *file, const void *from,
                             uint64_t bytes, uint64_t offset);

/* `code` 0: it is complete and takes its name; negative: it is given up and removed. Returns
 * `code`, or -errno when it cannot take its name. The file is closed. */
int tbus_journal_cache_end(tbus_journal_cache_file_t *file, int code);

#endif
