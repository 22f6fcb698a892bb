/* SPDX-License-Identifier: Apache-2.0 */
/* reader.h - what a journal's reader holds: of the session (reader_open.c), and of the segment that
 * it reads (reader.c). Private to bus/journal.
 */
#ifndef TICKBUS_JOURNAL_READER_H
#define TICKBUS_JOURNAL_READER_H

#include "bus/journal/segment.h"

/* What the buffer has from the start: reading allocates only for a record that is longer. A
 * multiple of 64. */
#define TBUS_JOURNAL_BUFFER_BYTES (UINT64_C(256) << 10)

struct tbus_journal_reader {
    tbus_journal_directory_t directory;
    int lock_fd; /* the first segment, to ask for its writer's lock */
    tbus_journal_info_t info;

    tbus_journal_segment_t segment; /* the one that is being read */
    uint64_t position;              /* in it */
    uint64_t records;               /* handed out, all segments */

    /* Bytes [buffer_at, buffer_at + buffer_bytes) of the segment; buffer_at is a multiple of 8. */
    unsigned char *buffer;
    uint64_t buffer_capacity;
    uint64_t buffer_at;
    uint64_t buffer_bytes;

    enum tbus_journal_end end;
    bool waiting; /* at the end of a live journal: the next look is at one word */
    bool shows_session;
    bool checks_seals;
    bool passed_unfinished; /* a segment was left behind that was not finished at the time */
    uint32_t sealed;        /* segments 1 .. this */
    uint8_t digest[32];
    bool ended; /* for good: nobody writes, and the end was judged */
    uint64_t torn_bytes;
    /* A segment that is not finished, with a finished one behind it: 0, none. The writer finishes
     * them in order, so the sync of this one failed. */
    uint32_t unsynced;
    tbus_error_t broken;  /* with the end BROKEN: why */
    tbus_error_t failure; /* damage: said again at every later call */
};

/* Read this segment from now on, instead of the one before. Takes what is open. */
void tbus_journal_reader_enter(tbus_journal_reader_t *r, const tbus_journal_segment_t *segment);

#endif
