/* SPDX-License-Identifier: Apache-2.0 */
/* lock.h - who writes a journal, and is it alive: locks of open file descriptions (OFD), which the
 * kernel drops when the last descriptor of its writer is gone, however it died.
 *
 *    DIR/writer.lock   byte 0   write lock of the writer, from before the first segment is made to
 *                               the end of the session. The file is empty, and stays: a lock file
 *                               that is removed can be held by two
 *    first segment     byte 0   the same, for readers of older versions, which ask there; as long
 *                               as the segment is there
 *    any segment       byte 1   read lock of a reader that reads it: it is not removed meanwhile
 *
 * Private to bus/journal, but for who asks whether a writer lives.
 */
#ifndef TICKBUS_JOURNAL_LOCK_H
#define TICKBUS_JOURNAL_LOCK_H

#include "bus/journal/directory.h"

#define TBUS_JOURNAL_LOCK_NAME "writer.lock"

typedef struct tbus_journal_lock {
    int fd;         /* of writer.lock; -1: not held */
    int segment_fd; /* a descriptor of the first segment's description; -1: not locked */
} tbus_journal_lock_t;

#define TBUS_JOURNAL_LOCK_NONE ((tbus_journal_lock_t){.fd = -1, .segment_fd = -1})

/* Make writer.lock, which must not exist, and lock it. 0; -TBUS_ENOTEMPTY: somebody else did so
 * since the directory was looked at; -errno. */
int tbus_journal_lock_take(const tbus_journal_directory_t *directory, tbus_journal_lock_t *out_lock,
                           tbus_error_t *err);

/* Lock the first segment as well. `fd` may be closed before the lock is. 0 or -errno. */
int tbus_journal_lock_segment(tbus_journal_lock_t *lock, const tbus_journal_directory_t *directory,
                              int fd, tbus_error_t *err);

/* The first segment is removed: let go of it, so that its blocks are free. */
void tbus_journal_lock_leave_segment(tbus_journal_lock_t *lock);

/* Let go; writer.lock stays. */
void tbus_journal_lock_release(tbus_journal_lock_t *lock);

/* Undo `take`, before anything was recorded: the file is removed. */
void tbus_journal_lock_destroy(tbus_journal_lock_t *lock,
                               const tbus_journal_directory_t *directory);

/* Where a reader asks whether the writer lives: writer.lock, or the first segment (`first`), which
 * writers of before held. A descriptor to be closed, or -errno. */
int tbus_journal_lock_open(const tbus_journal_directory_t *directory, uint32_t first);

/* Of that descriptor: is there a living writer? */
bool tbus_journal_lock_is_held(int fd);

/* Hold a segment as its reader, until `fd` is closed. Without this lock (a file system that has
 * none) retention may overtake a reader, which is then told what it missed. */
void tbus_journal_lock_read(int fd);
/* Let go of it earlier. */
void tbus_journal_lock_unread(int fd);

/* Does a reader read the segment of this name? False also when there is no such file. */
bool tbus_journal_lock_reader_holds(const tbus_journal_directory_t *directory, const char *name);

#endif
