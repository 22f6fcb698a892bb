/* SPDX-License-Identifier: Apache-2.0 */
/* segment_file.h - one segment file of a journal as its writer has it: allocated, mapped, faulted
 * in, finished.
 *
 *    make -> populate... -> (records are stored) -> finish | drop
 *
 * Private to bus/journal. All of it is cold, and but for the first segment it runs on the writer's
 * helper thread. Blocks are allocated for the whole file before it is mapped, so that a full disk
 * is an error here and never a SIGBUS at a store; pages are faulted in by `populate` before anybody
 * stores to them, in pieces, so that a short recording pays for little.
 */
#ifndef TICKBUS_JOURNAL_SEGMENT_FILE_H
#define TICKBUS_JOURNAL_SEGMENT_FILE_H

#include "bus/journal/format.h"
#include "bus/journal/guard.h"

typedef struct tbus_journal_file {
    unsigned char *base; /* the whole segment, PROT_READ | PROT_WRITE, MAP_SHARED; NULL: none */
    int fd;              /* owned */
    uint32_t number;     /* 1.. */
    uint64_t bytes;      /* of the file and the mapping */
    uint64_t populated;  /* bytes from the start whose pages are there */
    tbus_journal_guard_t *guard;
} tbus_journal_file_t;

/* "00000001.tbj" */
void tbus_journal_file_name(uint32_t number, char out_name[TBUS_JOURNAL_FILE_NAME_MAX]);

/* Make segment `number` in the directory. `directory` is its name, for messages. `limit` becomes 0
 * when a store to the segment fails (guard.h). It must not exist: -EEXIST. -ENOSPC, -EDQUOT, -EFBIG
 * (the process may not write files that large), -EROFS, -EACCES, -EIO... What was made is removed
 * when it fails. */
int tbus_journal_file_make(int directory_fd, const char *directory, uint32_t number, uint64_t bytes,
                           tbus_atomic_u64_t *limit, tbus_journal_file_t *out_file,
                           tbus_error_t *err);

/* Is the file as long as it was made, and has every store arrived? 0; -TBUS_ECORRUPT: somebody else
 * has cut it; -EIO: its pages cannot be had from the disk. */
int tbus_journal_file_check(const tbus_journal_file_t *file, const char *directory,
                            tbus_error_t *err);

/* Fault pages in up to `to` bytes from the start. Leaves what is stored in them as it is, and may
 * run beside the thread that stores. 0, or -errno: the pages cannot be had, and a store would have
 * been a SIGBUS. */
int tbus_journal_file_populate(tbus_journal_file_t *file, const char *directory, uint64_t to,
                               tbus_error_t *err);

/* What populate does on kernels before 5.14, which lack MADV_POPULATE_WRITE: touch every page.
 * `from`: page aligned. */
void tbus_journal_file_touch(tbus_journal_file_t *file, uint64_t from, uint64_t to);

/* Sync what it holds, say so in its header, cut it to `used` bytes, close. 0 or -errno, or what
 * tbus_journal_file_check found, and then it is left as it is; closes in any case. */
int tbus_journal_file_finish(tbus_journal_file_t *file, const char *directory, uint64_t used,
                             tbus_error_t *err);

/* Close and remove a file that was made and never used. Accepts one that is all zeros. */
void tbus_journal_file_drop(tbus_journal_file_t *file, int directory_fd);

/* Make names in a directory survive a loss of power. File systems that cannot are taken to need
 * not. */
int tbus_journal_sync_directory(int directory_fd, const char *directory, tbus_error_t *err);

#endif
