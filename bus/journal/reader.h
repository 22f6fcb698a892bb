/* SPDX-License-Identifier: Apache-2.0 */
/* reader.h - what a journal's reader holds: of the session (reader_open.c), and of the segment it
 * is in (reader.c). Private to bus/journal.
 *
 * It reads with pread(2) into a buffer of its own: what is checked is what is handed out, whatever
 * others do to the file.
 */
#ifndef TICKBUS_JOURNAL_READER_H
#define TICKBUS_JOURNAL_READER_H

#include "bus/journal/directory.h"
#include "bus/journal/segment_file.h"
#include "bus/journal/tail.h"

/* What the buffer has from the start: reading allocates only for a record that is longer. A
 * multiple of 64. */
#define TBUS_JOURNAL_BUFFER_BYTES (UINT64_C(256) << 10)

struct tbus_journal_reader {
    char *path;
    int directory_fd;
    int lock_fd; /* the first segment, to ask for its writer's lock */
    tbus_journal_info_t info;
    tbus_journal_header_t identity; /* what all segments must agree on; the rest is 0 */

    int fd; /* of the segment being read */
    uint32_t segment;
    uint32_t seed;
    uint64_t position; /* in it */
    uint64_t records;  /* handed out, all segments */

    /* Bytes [buffer_at, buffer_at + buffer_bytes) of the segment; buffer_at is a multiple of 8. */
    unsigned char *buffer;
    uint64_t buffer_capacity;
    uint64_t buffer_at;
    uint64_t buffer_bytes;

    enum tbus_journal_end end;
    bool waiting; /* at the end of a live journal: the next look is at one word */
    bool ended;   /* for good: nobody writes, and the end was judged */
    uint64_t torn_bytes;
    tbus_error_t failure; /* damage: said again at every later call */
};

enum tbus_journal_look {
    TBUS_JOURNAL_NOTHING = 0,
    TBUS_JOURNAL_FOUND = 1,
    TBUS_JOURNAL_BAD = 2,   /* something, and no record */
    TBUS_JOURNAL_MOVED = 3, /* gone to the next segment: look again there */
};

/* Open a segment and copy its header, checked. FOUND: *out_fd and *out_header are its. NOTHING: it
 * is not there, or was only made ready for later, or was cut within its header, and then
 * *out_cut_bytes says how much was left. Negative: refused. */
int tbus_journal_segment_look(const tbus_journal_reader_t *r, uint32_t number, int *out_fd,
                              tbus_journal_header_t *out_header, uint64_t *out_cut_bytes,
                              tbus_error_t *err);

/* Read this segment from now on. Takes `fd`. */
void tbus_journal_segment_enter(tbus_journal_reader_t *r, int fd,
                                const tbus_journal_header_t *header);

/* What all segments of a session have in common; the rest is 0. */
tbus_journal_header_t tbus_journal_identity(const tbus_journal_header_t *header);

bool tbus_journal_all_zeros(const void *bytes, uint64_t count);

#endif
