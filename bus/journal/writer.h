/* SPDX-License-Identifier: Apache-2.0 */
/* writer.h - what the recording thread (append.c) and its helper thread (helper.c) share; writer.c
 * begins and ends both. Private to bus/journal.
 *
 *    segments                   state                                    used by
 *    1 .. finished              synced, cut, closed                      nobody
 *    finished+1 .. current-1    full, to be finished                     helper
 *    current                    records are appended here                recording thread
 *    current+1 == prepared      allocated, its first pages faulted in    helper
 *
 * The helper does one job at a time, the first of these that there is: fault in pages ahead of the
 * recording thread, sync the header of a segment that was begun, create the next segment, remove
 * old ones, fault in the rest of the current one before a full one is finished, finish that, write
 * zeros to a piece of the next, fault in a piece of its front, have a piece of what was recorded
 * written to the disk. So one is made only when the names and headers of all before it are on the
 * disk: after a loss of power those that lack a header are the last ones. Before each job it syncs
 * what was appended, if records are to be made durable as they come and their time is up. With
 * nothing to do it sleeps on `work`; between two pieces of work that nobody waits for it pauses
 * (pace.c), since other threads may spin on its CPU.
 *
 * The recording thread takes `lock` only when it reaches `limit`, every few MiB: then it says how
 * far ahead it wants pages and takes what is ready. When that is not enough it waits on `ready`, or
 * comes back (tbus_journal_writer_append_try) and looks again when `done` has moved. At most
 * TBUS_JOURNAL_FILES segments are open at a time: when the disk is too slow to finish them, nothing
 * is recorded for a while, the rings fill, and then the feed waits.
 */
#ifndef TICKBUS_JOURNAL_WRITER_H
#define TICKBUS_JOURNAL_WRITER_H

#include <pthread.h>

#include "bus/journal/durable.h"
#include "bus/journal/hole.h"
#include "bus/journal/lock.h"
#include "bus/journal/segment_file.h"

#define TBUS_JOURNAL_FILES        4u
#define TBUS_JOURNAL_PIECES_AHEAD 4u /* of pages, at most */

typedef struct tbus_journal_pace {
    uint64_t cpu_ns;     /* of the helper, at its last pause; 0: it has hurried since */
    uint64_t waits;      /* of the recording thread, when last looked at */
    uint64_t hurried_ns; /* when that was last found to have grown; monotonic clock */
} tbus_journal_pace_t;

struct tbus_journal_writer {
    /* written by: the recording thread */
    unsigned char *base;  /* of the current segment */
    uint64_t position;    /* in it: where the next record goes */
    uint32_t seed;        /* of its CRCs */
    uint64_t payload_max; /* what a segment can hold */
    uint64_t records;
    uint64_t session_records; /* among them */
    uint64_t bytes;
    uint64_t waits; /* times that append waited for the helper, or came back */
    bool told;      /* it waits now, and the helper knows for what */
    uint32_t seen;  /* of `done`, when it was told */
    bool day_over;  /* the next record belongs into another segment: it is of another day */
    /* of the records' times: the next day; 0: not known yet; UINT64_MAX: days do not count */
    uint64_t day_ends_ns;
    tbus_journal_hole_t hole;
    tbus_error_t error; /* what append returned */

    /* Records that end at or before this fit, on pages that are faulted in. Written under `lock`;
     * the helper sets it to 0 when it has failed. Read without the lock: a reader of an old value
     * stores to pages that are still mapped, and learns of the failure a few records later. */
    tbus_atomic_u64_t limit;

    /* What the helper has done or failed to do for the recording thread so far. Stored under
     * `lock`, with `ready`; read without it by a recording thread that does not wait. */
    tbus_atomic_u32_t done;

    /* set by tbus_journal_writer_open */
    tbus_journal_directory_t directory;
    tbus_journal_lock_t session_lock; /* held from open to close */
    uint64_t segment_bytes;
    uint64_t usable_bytes; /* of them; the rest is for the record of a hole */
    bool goes_on;          /* when there is no room */
    /* pages are faulted in by this much, and the helper is asked as often */
    uint64_t piece_bytes;
    /* of all segments; number, first record and CRC are each one's own */
    tbus_journal_header_t header;
    pthread_t helper;
    /* of whoever syncs and finishes segments: the helper, and after its end whoever closes */
    tbus_journal_chain_t chain;
    tbus_journal_durable_t durable;
    enum tbus_journal_durability durability;
    uint64_t sync_every_ns;   /* PERIODIC */
    uint64_t next_sync_ns;    /* of the monotonic clock */
    tbus_journal_pace_t pace; /* the helper's */
    tbus_journal_limits_t limits;
    uint32_t first; /* segment that is there; those before it were removed. The helper's */

    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_cond_t ready;
    /* Under `lock`, except that whoever a segment belongs to at the time (see the table above) uses
     * its mapping without it. */
    uint32_t finished;
    uint32_t pruned_at;      /* what `finished` was when the limits were looked at */
    uint64_t rolled_ns;      /* when the current segment was begun, since 1970 */
    uint32_t headers_synced; /* of segments 1 .. this */
    uint32_t current;
    uint32_t prepared;
    uint64_t pages_wanted; /* of the current segment, bytes from its start */
    uint64_t reached;      /* likewise: where the recording thread was when it last looked */
    uint64_t written_back; /* likewise: up to here it is on its way to the disk */
    uint64_t front; /* of the next segment: faulted in again since zeros were written to it */
    bool next_wanted;
    bool roll_waits; /* the recording thread cannot go on without the next segment */
    int no_room;     /* why the next segment could not be made when it was needed; 0: it can */
    bool spent;      /* the current segment takes no more, since the disk is full */
    tbus_error_t unsynced; /* the first sync that failed on a full disk, if that ends nothing */
    bool stop;             /* finish what is full, then end */
    tbus_error_t failure;  /* the first one, of whichever thread */
    tbus_journal_file_t files[TBUS_JOURNAL_FILES]; /* segment n is files[n % FILES] */
    uint64_t used[TBUS_JOURNAL_FILES];             /* bytes that a full one holds */
};

static inline tbus_journal_file_t *tbus_journal_writer_file(tbus_journal_writer_t *w,
                                                            uint32_t number)
{
    return &w->files[number % TBUS_JOURNAL_FILES];
}

/* Store the current segment's header, magic last: from here on it is part of the journal. Requires
 * the lock, or that there is no helper yet. (append.c) */
void tbus_journal_writer_begin_segment(tbus_journal_writer_t *w);

/* A session that ends while there is no room says so in what its last segment keeps free.
 * (append.c) */
void tbus_journal_writer_name_last_hole(tbus_journal_writer_t *w);

/* What a writer has in memory at a time: of segments on a disk the pages that are faulted in ahead,
 * which the kernel can write and take back; of segments in a file system that is memory (tmpfs) the
 * one that is written and the next. */
size_t tbus_journal_memory_bytes(const char *directory, uint64_t segment_bytes);

/* Sync, seal and cut a full segment, and say that it is durable. Does not close it. Of whoever
 * finishes segments. */
int tbus_journal_writer_finish(tbus_journal_writer_t *w, tbus_journal_file_t *file, uint64_t used,
                               tbus_error_t *err);

/* Keep the first failure and have the recording thread notice. Requires the lock. */
void tbus_journal_writer_fail(tbus_journal_writer_t *w, const tbus_error_t *failure);

/* Is the recording thread waiting, or about to come to the end of what is ready? Then the helper
 * does not pause. Also when it is to end. Requires the lock. (pace.c) */
bool tbus_journal_writer_hurries(tbus_journal_writer_t *w);
/* Until then (tbus_clock_ns), or until the recording thread asks for something. Requires the lock,
 * which is given up meanwhile. Of the helper. (pace.c) */
void tbus_journal_writer_sleep(tbus_journal_writer_t *w, uint64_t until_ns);
/* Between two pieces of work: sleep for some times as long as the work since the last pause took,
 * if that was long enough; less when the recording thread asks for something. Requires the lock,
 * which is given up meanwhile. Of the helper. (pace.c) */
void tbus_journal_writer_breathe(tbus_journal_writer_t *w);

/* Start the helper, with all signals blocked but SIGBUS. 0 or -errno. */
int tbus_journal_helper_start(tbus_journal_writer_t *w);
/* Between two pieces of a long job: the more urgent one, pages, and a pause. `context`: the writer;
 * without the lock. */
void tbus_journal_helper_give_way(void *context);
/* Have it finish what is full, and wait for its end. */
void tbus_journal_helper_stop(tbus_journal_writer_t *w);

#endif
