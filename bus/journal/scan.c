/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/scan.h"

#include <string.h>

#include "bus/journal/seal.h"

/* The record is the next one of its segment. */
static void add(tbus_journal_scan_t *scan, const tbus_journal_record_header_t *header,
                uint32_t length)
{
    bool of_session = header->topic == TBUS_JOURNAL_SESSION_TOPIC;
    tbus_journal_scan_topic_t *topic =
        &scan->topics[of_session ? TBUS_JOURNAL_SCAN_SESSION : header->topic];
    uint64_t bytes = length - TBUS_JOURNAL_RECORD_HEADER;
    if (topic->records++ == 0) {
        topic->first_seq = header->seq;
        topic->first_offset = scan->end;
    } else if (header->seq == 0 || header->seq != topic->last_seq + 1) {
        scan->plain = false;
    }
    topic->last_seq = header->seq;
    if (bytes > topic->payload_bytes_max)
        topic->payload_bytes_max = bytes;
    scan->records++;
    scan->last_time_ns = header->time_ns;
    if (of_session) {
        tbus_journal_piece_t piece;
        tbus_journal_record_t record = {
            .topic = header->topic, .payload = header + 1, .bytes = bytes};
        if (tbus_journal_record_piece(&record, &piece) && piece.kind == TBUS_JOURNAL_HOLE)
            scan->plain = false;
    }
}

/* The records that begin at scan->end and lie whole in these bytes. How many bytes they take, or -1
 * if one is wrong. */
static int64_t add_all(const tbus_journal_segment_t *segment, const unsigned char *data,
                       uint64_t bytes, tbus_journal_scan_t *scan)
{
    uint64_t at = 0;
    while (at + TBUS_JOURNAL_RECORD_HEADER <= bytes) {
        const tbus_journal_record_header_t *header =
            (const tbus_journal_record_header_t *)(const void *)(data + at);
        uint64_t padded;
        uint32_t length = tbus_load_relaxed_u32(&header->length);
        if (!tbus_journal_segment_may_be_record(segment, header, scan->end))
            return -1;
        if (tbus_journal_padded(length) > bytes - at)
            break;
        if (!tbus_journal_segment_is_record(segment, header, bytes - at, scan->end, &padded))
            return -1;
        add(scan, header, length);
        scan->end += padded;
        at += padded;
    }
    return (int64_t)at;
}

/* Up to `closed`. Is it whole? */
static bool scan_records(const tbus_journal_segment_t *segment, uint64_t closed,
                         unsigned char *buffer, EVP_MD_CTX *digest, tbus_journal_scan_t *scan)
{
    uint64_t kept = 0; /* the beginning of a record, at the front of the buffer */
    scan->end = TBUS_JOURNAL_HEADER_BYTES;
    while (scan->end < closed) {
        uint64_t at = scan->end + kept;
        uint64_t room = TBUS_JOURNAL_SCAN_BYTES - kept;
        uint64_t wanted = closed - at < room ? closed - at : room;
        if (wanted == 0 ||
            tbus_journal_segment_read(segment, buffer + kept, wanted, at) != (int64_t)wanted)
            return false;
        if (digest && EVP_DigestUpdate(digest, buffer + kept, wanted) != 1)
            return false;
        int64_t taken = add_all(segment, buffer, kept + wanted, scan);
        if (taken < 0)
            return false;
        kept += wanted - (uint64_t)taken;
        memmove(buffer, buffer + taken, kept);
    }
    return kept == 0;
}

void tbus_journal_scan_segment(const tbus_journal_directory_t *directory, uint32_t number,
                               unsigned char *buffer, tbus_journal_scan_t *out_scan)
{
    tbus_journal_segment_t segment;
    uint64_t cut_bytes;
    *out_scan = (tbus_journal_scan_t){.segment = number, .plain = true};
    if (tbus_journal_segment_open(directory, number, NULL, &segment, &cut_bytes, NULL) !=
        TBUS_JOURNAL_FOUND)
        return;
    const tbus_journal_seal_t *seal = &segment.header.seal;
    int64_t closed = tbus_journal_segment_closed_bytes(&segment);
    EVP_MD_CTX *digest = NULL;
    if (closed > 0 && seal->kind == TBUS_JOURNAL_SEAL_SHA256) {
        memcpy(out_scan->previous, seal->previous, sizeof out_scan->previous);
        digest = tbus_journal_seal_begin(&segment.header, seal->previous);
    }
    if (closed > 0)
        out_scan->whole = scan_records(&segment, (uint64_t)closed, buffer, digest, out_scan);
    bool ended = digest && tbus_journal_seal_end(digest, out_scan->digest);
    out_scan->has_digest = ended && out_scan->whole;
    tbus_journal_segment_close(&segment);
}
