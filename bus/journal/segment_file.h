/* SPDX-License-Identifier: Apache-2.0 */
/* segment_file.h - one segment of a journal as its writer has it: allocated, mapped, faulted in,
 * finished. (segment.h is one as its reader has it.)
 *
 *    create -> populate... -> (records are stored) -> finish [-> end_session] -> close
 *    create -> populate... -> destroy
 *
 * Private to bus/journal. All of it is cold, and but for the first segment it runs on the writer's
 * helper thread. Blocks are allocated for the whole file before it is mapped, so that a full disk
 * is an error here and never a SIGBUS at a store. Then zeros are written to them: a block that was
 * only allocated is marked as never written, and the sync that first writes to it must have the
 * file system's own log written as well. And pages are faulted in by `populate` before anybody
 * stores to them. Both in pieces, so that a short recording pays for little.
 *
 *    0 .......... populated .......... zeroed .......... bytes
 *      stores go here     zeros are there      allocated
 */
#ifndef TICKBUS_JOURNAL_SEGMENT_FILE_H
#define TICKBUS_JOURNAL_SEGMENT_FILE_H

#include "bus/journal/directory.h"
#include "bus/journal/guard.h"

typedef struct tbus_journal_file {
    unsigned char *base; /* the whole segment, PROT_READ | PROT_WRITE, MAP_SHARED; NULL: none */
    /* the segment is in it; must live longer */
    const tbus_journal_directory_t *directory;
    int fd;             /* owned */
    uint32_t number;    /* 1.. */
    uint64_t bytes;     /* of the file and the mapping */
    uint64_t zeroed;    /* bytes from the start that zeros were written to */
    uint64_t populated; /* bytes from the start whose pages are there; at most `zeroed` */
    bool is_memory;     /* nothing of it is ever written to a disk */
    bool sync_failed;   /* no other sync is tried, and it is never called finished */
    tbus_journal_guard_t *guard;
} tbus_journal_file_t;

/* Is the file system at `path`, or where it is to be made, memory (tmpfs)? */
bool tbus_journal_path_is_memory(const char *path);

/* Create segment `number`. `limit` becomes 0 when a store to the segment fails (guard.h). It must
 * not exist: -EEXIST. -ENOSPC, -EDQUOT, -EFBIG (the process may not write files that large),
 * -EROFS, -EACCES, -EIO; -ENOMEM: in a file system that is memory, more than the host or a control
 * group has left. What was made is removed when it fails. */
int tbus_journal_file_create(const tbus_journal_directory_t *directory, uint32_t number,
                             uint64_t bytes, tbus_atomic_u64_t *limit,
                             tbus_journal_file_t *out_file, tbus_error_t *err);

/* Is the file there, as long as it was made, and has every store arrived? 0; -TBUS_ECORRUPT:
 * somebody else has cut it; -ENOENT: somebody has removed it; -EIO: its pages cannot be had from
 * the disk. */
int tbus_journal_file_check(const tbus_journal_file_t *file, tbus_error_t *err);

#define TBUS_JOURNAL_ZERO_BYTES (UINT64_C(64) << 10)

/* Write zeros up to `to` bytes from the start, by TBUS_JOURNAL_ZERO_BYTES at a time: what one write
 * brings into the page cache is written to the disk as one whenever a byte of it changes. Touches
 * nothing before `zeroed`, and so may run beside the thread that stores. 0, or -errno. */
int tbus_journal_file_zero(tbus_journal_file_t *file, uint64_t to, tbus_error_t *err);

/* Have [from, to) written to the disk some time soon. Does not wait for it, and is no sync: an
 * error is found by the next one. */
void tbus_journal_file_write_back(const tbus_journal_file_t *file, uint64_t from, uint64_t to);

/* Write zeros and fault pages in up to `to` bytes from the start. Leaves what is stored in them as
 * it is, and may run beside the thread that stores. 0, or -errno: the pages cannot be had, and a
 * store would have been a SIGBUS. */
int tbus_journal_file_populate(tbus_journal_file_t *file, uint64_t to, tbus_error_t *err);

/* What populate does on kernels before 5.14, which lack MADV_POPULATE_WRITE: touch every page.
 * `from`: page aligned. Declared for tests. */
void tbus_journal_file_touch(tbus_journal_file_t *file, uint64_t from, uint64_t to);

/* Sync the pages of [from, to) and what the file system must know of them, and leave alone those
 * behind, which are there to be stored to. 0 or -errno; then the file must not be synced again:
 * whoever owns it sets `sync_failed`. */
int tbus_journal_file_sync(const tbus_journal_file_t *file, uint64_t from, uint64_t to,
                           tbus_error_t *err);

/* What the seals of a session's segments have come to. */
typedef struct tbus_journal_chain {
    bool ended;         /* a segment has no seal: neither have those after it */
    uint8_t digest[32]; /* of the last one; zeros before the first */
    /* called now and then while one is made, which takes long; NULL: nobody */
    void (*between)(void *context);
    void *context;
} tbus_journal_chain_t;

/* Sync what it holds, seal it, say so in its header, cut it to `used` bytes. Segments are finished
 * in their order. 0 or -errno, or what tbus_journal_file_check found, and then the file is left as
 * it is; also when an earlier sync of it has failed (-EIO). */
int tbus_journal_file_finish(tbus_journal_file_t *file, uint64_t used, tbus_journal_chain_t *chain,
                             tbus_error_t *err);

/* Say in the header of the session's last segment how the session ended. CLOSED (`code` 0) is
 * synced, and taken back when that fails; it requires that all segments are finished, and their
 * names synced. BROKEN is stored and left to the kernel: without it the journal is torn, which is
 * not wrong either. 0 or -errno. */
int tbus_journal_file_end_session(tbus_journal_file_t *file, enum tbus_journal_session_end end,
                                  int code, tbus_error_t *err);

/* Unmap and close, whatever it says. */
void tbus_journal_file_close(tbus_journal_file_t *file);

/* Close and remove a file that was created and never used. Accepts one that is all zeros. */
void tbus_journal_file_destroy(tbus_journal_file_t *file);

#endif
