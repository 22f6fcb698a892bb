/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Have at least `bytes` bytes from the position on in the buffer, as many as fit if `bytes` is
 * less, fresh from the file. Returns how many there are; fewer than `bytes` only at the end of the
 * file; or -errno. */
static int64_t fill(tbus_journal_reader_t *r, uint64_t bytes)
{
    if (bytes > r->buffer_capacity) {
        uint64_t capacity = (bytes + TBUS_JOURNAL_BUFFER_BYTES - 1) / TBUS_JOURNAL_BUFFER_BYTES *
                            TBUS_JOURNAL_BUFFER_BYTES;
        unsigned char *buffer = aligned_alloc(64, capacity);
        if (!buffer)
            return -ENOMEM;
        free(r->buffer);
        r->buffer = buffer;
        r->buffer_capacity = capacity;
    }
    r->buffer_bytes = 0;
    int64_t got =
        tbus_journal_segment_read(&r->segment, r->buffer, r->buffer_capacity, r->position);
    if (got < 0)
        return got;
    r->buffer_at = r->position;
    r->buffer_bytes = (uint64_t)got;
    return got;
}

static uint64_t buffered(const tbus_journal_reader_t *r)
{
    uint64_t skipped = r->position - r->buffer_at;
    return r->buffer_bytes > skipped ? r->buffer_bytes - skipped : 0;
}

/* The whole record that stands at `at`, the position: take it. */
static inline int take(tbus_journal_reader_t *r, const unsigned char *at, uint64_t padded,
                       tbus_journal_record_t *out_record)
{
    const tbus_journal_record_header_t *header =
        (const tbus_journal_record_header_t *)(const void *)at;
    *out_record = (tbus_journal_record_t){
        .topic = header->topic,
        .seq = header->seq,
        .time_ns = header->time_ns,
        .payload = header + 1,
        .bytes = tbus_load_relaxed_u32(&header->length) - TBUS_JOURNAL_RECORD_HEADER,
        .segment = r->segment.header.segment,
        .offset = r->position,
    };
    r->position += padded;
    r->records++;
    return TBUS_JOURNAL_FOUND;
}

/* The same, for a record that is not in the buffer with all of its bytes. */
static __attribute__((noinline)) int look_and_fill(tbus_journal_reader_t *r,
                                                   tbus_journal_record_t *out_record)
{
    uint64_t have = buffered(r);
    if (have < TBUS_JOURNAL_RECORD_HEADER) {
        int64_t got = fill(r, TBUS_JOURNAL_RECORD_HEADER);
        if (got < 0)
            return (int)got;
        have = (uint64_t)got;
    }
    if (have < TBUS_JOURNAL_RECORD_HEADER)
        return have && !tbus_journal_all_zeros(r->buffer, have) ? TBUS_JOURNAL_BAD
                                                                : TBUS_JOURNAL_NOTHING;
    const unsigned char *at = r->buffer + (r->position - r->buffer_at);
    uint32_t length =
        tbus_load_relaxed_u32(&((const tbus_journal_record_header_t *)(const void *)at)->length);
    if (length == 0)
        return TBUS_JOURNAL_NOTHING;
    uint64_t padded = tbus_journal_padded(length);
    if (length < TBUS_JOURNAL_RECORD_HEADER || padded > r->info.segment_bytes - r->position)
        return TBUS_JOURNAL_BAD;
    if (padded > have) {
        int64_t got = fill(r, padded);
        if (got < 0)
            return (int)got;
        have = (uint64_t)got;
        at = r->buffer;
    }
    if (!tbus_journal_segment_is_record(&r->segment, at, have, r->position, &padded))
        return TBUS_JOURNAL_BAD;
    return take(r, at, padded, out_record);
}

int tbus_journal_reader_look(tbus_journal_reader_t *r, tbus_journal_record_t *out_record)
{
    uint64_t have = buffered(r);
    uint64_t padded;
    const unsigned char *at = r->buffer + (r->position - r->buffer_at);
    uint64_t left = r->info.segment_bytes - r->position;
    if (TBUS_LIKELY(have >= TBUS_JOURNAL_RECORD_HEADER &&
                    tbus_journal_segment_is_record(&r->segment, at, have < left ? have : left,
                                                   r->position, &padded)))
        return take(r, at, padded, out_record);
    return look_and_fill(r, out_record);
}

int tbus_journal_reader_look_again(tbus_journal_reader_t *r, tbus_journal_record_t *out_record)
{
    uint32_t length = 0;
    int64_t got = tbus_journal_segment_read(&r->segment, &length, sizeof length, r->position);
    if (got < 0)
        return (int)got;
    r->buffer_bytes = 0;
    if (got == sizeof length && length == 0)
        return TBUS_JOURNAL_NOTHING;
    /* J4 pairs J3 (tbus_journal_writer_append): a read copies bytes in any order; what was stored
     * before the length that this one saw is there for the next one. */
    tbus_fence_acquire();
    return tbus_journal_reader_look(r, out_record);
}

void tbus_journal_reader_leap(tbus_journal_reader_t *r, const tbus_journal_scan_t *scan)
{
    r->position = scan->end;
    r->buffer_bytes = 0;
    r->records += scan->records - 1;
    r->scanned.segment = scan->has_digest ? scan->segment : 0;
    r->scanned.end = scan->end;
    memcpy(r->scanned.previous, scan->previous, sizeof scan->previous);
    memcpy(r->scanned.digest, scan->digest, sizeof scan->digest);
}

int tbus_journal_reader_next(tbus_journal_reader_t *r, tbus_journal_record_t *out_record,
                             tbus_error_t *err)
{
    if (!r || !out_record)
        return tbus_fail(err, -EINVAL, "journal: there is no reader, or nowhere to put the record");
    if (r->failure.code && err)
        *err = r->failure;
    if (r->failure.code || r->ended)
        return r->failure.code;
    for (;;) {
        int look = r->waiting ? TBUS_JOURNAL_NOTHING : tbus_journal_reader_look(r, out_record);
        if (look < 0)
            return tbus_journal_reader_fail_reading(r, look, err);
        if (TBUS_UNLIKELY(look != TBUS_JOURNAL_FOUND)) {
            r->waiting = false;
            look = tbus_journal_reader_after_last(r, out_record, err);
            if (look < 0 && r->skips_damage && tbus_journal_code_is_damage(look))
                look = tbus_journal_reader_pass_damage(r, err);
            if (look == TBUS_JOURNAL_NOTHING && r->skips_damage && r->ended)
                look = tbus_journal_reader_pass_end(r, err);
        }
        bool hidden = look == TBUS_JOURNAL_FOUND &&
                      out_record->topic == TBUS_JOURNAL_SESSION_TOPIC && !r->shows_session;
        if (TBUS_LIKELY(look != TBUS_JOURNAL_MOVED && !hidden))
            return look;
    }
}

bool tbus_journal_record_piece(const tbus_journal_record_t *record, tbus_journal_piece_t *out_piece)
{
    tbus_journal_session_header_t header;
    if (!record || !out_piece || record->topic != TBUS_JOURNAL_SESSION_TOPIC ||
        record->bytes < sizeof header)
        return false;
    memcpy(&header, record->payload, sizeof header);
    *out_piece = (tbus_journal_piece_t){
        .kind = header.kind,
        .version = header.version,
        .more = header.more != 0,
        .data = (const unsigned char *)record->payload + sizeof header,
        .bytes = record->bytes - sizeof header,
    };
    return true;
}
