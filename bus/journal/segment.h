/* SPDX-License-Identifier: Apache-2.0 */
/* segment.h - one segment of a journal as its reader has it: opened, its header checked. Whatever
 * looks into a segment takes this and nothing else.
 *
 * All reading is by pread(2) into memory of the caller: what is checked is what is used, whatever
 * others do to the file. (segment_file.h is a segment as its writer has it.)
 *
 * Private to bus/journal.
 */
#ifndef TICKBUS_JOURNAL_SEGMENT_H
#define TICKBUS_JOURNAL_SEGMENT_H

#include "bus/journal/directory.h"

typedef struct tbus_journal_segment {
    const tbus_journal_directory_t *directory; /* it is in it; must live longer */
    int fd;                                    /* owned; -1: none is open */
    uint32_t seed;                             /* what the CRCs of its records start from */
    tbus_journal_header_t header;              /* checked, as it was when the segment was opened */
    bool made_up; /* or else what can be told of it: tbus_journal_segment_open_headless */
} tbus_journal_segment_t;

/* What looking for something found. */
enum tbus_journal_look {
    TBUS_JOURNAL_NOTHING = 0,
    TBUS_JOURNAL_FOUND = 1,
    TBUS_JOURNAL_BAD = 2,   /* something, but not what was looked for */
    TBUS_JOURNAL_MOVED = 3, /* the reader went to the next segment: look again there */
};

/* Open segment `number`. FOUND: *out_segment is open. NOTHING: it does not exist, or was only made
 * ready for later, or its header was cut or lost with the power, and then *out_cut_bytes says how
 * many bytes of the header there are (else 0). `like`: the header of another segment of the
 * session, which tells a header that lacks sectors from one that is damaged; NULL: none is known.
 * Negative: refused, or -errno. */
int tbus_journal_segment_open(const tbus_journal_directory_t *directory, uint32_t number,
                              const tbus_journal_header_t *like,
                              tbus_journal_segment_t *out_segment, uint64_t *out_cut_bytes,
                              tbus_error_t *err);

/* The same for a segment whose header is damaged or lost. FOUND: it holds a whole record (of less
 * than 32 KiB) whose CRC is that of the session of `like` and of this number; its header is made up
 * from `like` and from what its own still tells of its end. NOTHING: it does not, or does not
 * exist; or -errno. Reads up to the first such record. */
int tbus_journal_segment_open_headless(const tbus_journal_directory_t *directory, uint32_t number,
                                       const tbus_journal_header_t *like,
                                       tbus_journal_segment_t *out_segment);

/* The same for a segment that is there under the name of another one, from `first` on. FOUND, or
 * NOTHING. Reads the headers of all segments that there are. */
int tbus_journal_segment_open_renamed(const tbus_journal_directory_t *directory, uint32_t first,
                                      uint32_t number, const tbus_journal_header_t *like,
                                      tbus_journal_segment_t *out_segment);

/* Accepts one that is not open. */
void tbus_journal_segment_close(tbus_journal_segment_t *segment);

/* As pread(2), but all that there is up to `bytes`: fewer only at the end of the file. Bytes read,
 * or -errno. */
int64_t tbus_journal_segment_read(const tbus_journal_segment_t *segment, void *into, uint64_t bytes,
                                  uint64_t offset);

/* Could a record that begins so stand at `offset`? Cheap: what is asked before its CRC. */
bool tbus_journal_segment_may_be_record(const tbus_journal_segment_t *segment,
                                        const tbus_journal_record_header_t *header,
                                        uint64_t offset);

/* Is what its header says of it possible, but for the length? */
static inline bool tbus_journal_segment_is_plausible(const tbus_journal_segment_t *segment,
                                                     const tbus_journal_record_header_t *header)
{
    bool known = header->topic < segment->header.topics_count ||
                 (header->topic == TBUS_JOURNAL_SESSION_TOPIC && segment->header.abi >= 2);
    return known && !header->flags && !header->pad;
}

/* Are these bytes a whole record? `record` is 8-byte aligned, `bytes` of it (at least
 * TBUS_JOURNAL_RECORD_HEADER) are there, `offset` is its place in the segment. If so
 * *out_padded_bytes is what it takes. */
static inline bool tbus_journal_segment_is_record(const tbus_journal_segment_t *segment,
                                                  const void *record, uint64_t bytes,
                                                  uint64_t offset, uint64_t *out_padded_bytes)
{
    const tbus_journal_record_header_t *header = record;
    uint32_t length = tbus_load_relaxed_u32(&header->length);
    uint64_t padded = tbus_journal_padded(length);
    if (length < TBUS_JOURNAL_RECORD_HEADER || padded > bytes)
        return false;
    if (!tbus_journal_segment_is_plausible(segment, header))
        return false;
    if (header->crc32c != tbus_journal_record_crc(segment->seed, offset, length, record))
        return false;
    *out_padded_bytes = padded;
    return true;
}

/* How many bytes the segment says that it holds, as its file has it now; 0: it is being written, or
 * its writer was killed. -TBUS_ETRUNCATED: its header is gone; -TBUS_ECORRUPT: the word does not
 * fit its CRC; -errno. */
int64_t tbus_journal_segment_closed_bytes(const tbus_journal_segment_t *segment);

/* What its header says of the end of the session: the word that is there, 0 for none.
 * -TBUS_ECORRUPT: it does not fit its CRC; -TBUS_ETRUNCATED, -errno as above. */
int tbus_journal_segment_session_end(const tbus_journal_segment_t *segment, uint64_t *out_word);

/* Nobody writes the segment any more and it is not finished: does what is at `offset`, which is no
 * whole record, look like what a loss of power leaves? Then sectors of 512 bytes are as they were
 * some time before, and what was to come later in them is zeros. 1: so it is, and *out_end is where
 * the record ended, or `offset` if its length is lost as well; 0: no; or -errno. */
int tbus_journal_segment_lost_sectors(const tbus_journal_segment_t *segment, uint64_t offset,
                                      uint64_t *out_end);

/* Do two segments belong to one session? */
bool tbus_journal_segment_same_session(const tbus_journal_header_t *a,
                                       const tbus_journal_header_t *b);

/* "segment 00000001.tbj of the journal in DIR " and `what`, as the error `code`. Returns it. */
int tbus_journal_segment_fail(const tbus_journal_directory_t *directory, uint32_t number, int code,
                              const char *what, tbus_error_t *err);

/* The same for an error of the system: "cannot read segment ...". `code`: -errno. */
int tbus_journal_segment_fail_reading(const tbus_journal_directory_t *directory, uint32_t number,
                                      int code, tbus_error_t *err);

bool tbus_journal_all_zeros(const void *bytes, uint64_t count);

#endif
