/* SPDX-License-Identifier: Apache-2.0 */
/* scan.h - all of a finished segment read and checked at once: every record's CRC and the SHA-256
 * of the segment, of the same bytes, which are read once; and the sum of what is in it.
 *
 *    segment 1   | scan |                        on one thread
 *    segment 2          | scan |                 on another
 *    reader      1 .... 2 .... 3 ....            takes the sums, in order
 *
 * A scan only says "whole", and for that needs nothing but its segment. Whatever else there is to
 * find, or to decide about the session, is left to the reader (reader.h), which reads the segments
 * that are not whole record by record. So what is found does not depend on scans, nor on how many
 * threads make them.
 *
 * Private to bus/journal, and to the tools that check all of a journal.
 */
#ifndef TICKBUS_JOURNAL_SCAN_H
#define TICKBUS_JOURNAL_SCAN_H

#include "bus/journal/segment.h"

#define TBUS_JOURNAL_SCAN_TOPICS  (TBUS_JOURNAL_TOPICS_MAX + 1) /* the last: session records */
#define TBUS_JOURNAL_SCAN_SESSION TBUS_JOURNAL_TOPICS_MAX

/* The records of one topic in the segment. */
typedef struct tbus_journal_scan_topic {
    uint64_t records;
    uint64_t first_seq;
    uint64_t last_seq;
    uint64_t first_offset;      /* of the first record */
    uint64_t payload_bytes_max; /* of one record */
} tbus_journal_scan_topic_t;

typedef struct tbus_journal_scan {
    uint32_t segment;
    /* From its header to its end there are records, one behind the other, and their CRCs fit. Else
     * nothing of what follows is meant. */
    bool whole;
    /* The sequences of each topic go up by one, and no session record names a hole: the sums tell
     * all that there is to know of the order of records. */
    bool plain;
    bool has_digest; /* and `previous` and `digest` are set */
    uint8_t previous[32];
    uint8_t digest[32]; /* as its seal should have it */
    uint64_t end;       /* offset of the end of its last record, where it says that it ends */
    uint64_t records;   /* those about the session included */
    uint64_t last_time_ns;
    tbus_journal_scan_topic_t topics[TBUS_JOURNAL_SCAN_TOPICS];
} tbus_journal_scan_t;

/* What a scan reads into, at a time: as much as stays in a CPU's own cache. */
#define TBUS_JOURNAL_SCAN_BYTES (UINT64_C(128) << 10)

/* Scan segment `number`. `buffer`: TBUS_JOURNAL_SCAN_BYTES, 8-byte aligned. Not whole: also one
 * that is not there, not finished, cannot be read, or has a record that is larger than the
 * buffer. Any thread. */
void tbus_journal_scan_segment(const tbus_journal_directory_t *directory, uint32_t number,
                               unsigned char *buffer, tbus_journal_scan_t *out_scan);

#endif
