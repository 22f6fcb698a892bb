/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/journal/seal.h"
#include "bus/journal/tail.h"

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

/* Look at the record at the position, in the buffer as far as it goes. */
static int look_at_record(tbus_journal_reader_t *r, tbus_journal_record_t *out_record)
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
    const tbus_journal_record_header_t *header =
        (const tbus_journal_record_header_t *)(const void *)at;
    *out_record = (tbus_journal_record_t){
        .topic = header->topic,
        .seq = header->seq,
        .time_ns = header->time_ns,
        .payload = header + 1,
        .bytes = length - TBUS_JOURNAL_RECORD_HEADER,
        .segment = r->segment.header.segment,
        .offset = r->position,
    };
    r->position += padded;
    r->records++;
    return TBUS_JOURNAL_FOUND;
}

/* The same, but from what the file holds now. A follower asks this again and again: a look at the
 * length comes first. */
static int look_again(tbus_journal_reader_t *r, tbus_journal_record_t *out_record)
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
    return look_at_record(r, out_record);
}

/* --- the end --- */

/* Its writer holds the lock; else it is gone. */
static bool writer_alive(const tbus_journal_reader_t *r)
{
    struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    return fcntl(r->lock_fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}

static int fail_damaged(tbus_journal_reader_t *r, const char *what, tbus_error_t *err)
{
    int code =
        tbus_fail(&r->failure, -TBUS_ECORRUPT,
                  "segment %08u.tbj of the journal in %s is damaged at offset %" PRIu64
                  ", after %" PRIu64 " records: %s",
                  r->segment.header.segment, r->directory.path, r->position, r->records, what);
    if (err)
        *err = r->failure;
    return code;
}

static int fail_reading(const tbus_journal_reader_t *r, int code, tbus_error_t *err)
{
    return tbus_fail(
        err, code, "cannot read segment %08u.tbj of the journal in %s at offset %" PRIu64 ": %s",
        r->segment.header.segment, r->directory.path, r->position, tbus_strerror(code));
}

/* The segment is finished and whole. 0: its seal fits, or it has none; or the negative error. */
static int check_seal(tbus_journal_reader_t *r, tbus_error_t *err)
{
    uint32_t number = r->segment.header.segment;
    tbus_journal_seal_t seal;
    uint8_t digest[32];
    int64_t got = tbus_journal_segment_read(&r->segment, &seal, sizeof seal,
                                            offsetof(tbus_journal_header_t, seal));
    if (got < 0)
        return fail_reading(r, (int)got, err);
    if (got < (int64_t)sizeof seal || seal.kind != TBUS_JOURNAL_SEAL_SHA256)
        return 0;
    if (r->sealed + 1 < number && !r->passed_unfinished)
        return fail_damaged(r, "it is sealed, and a segment before it is not", err);
    if (r->sealed + 1 == number && memcmp(seal.previous, r->digest, sizeof r->digest) != 0)
        return fail_damaged(r, "it was sealed behind another segment than the one before it", err);
    int code = tbus_journal_seal_file(&r->segment, r->position, seal.previous, digest);
    if (code < 0)
        return fail_reading(r, code, err);
    if (memcmp(seal.digest, digest, sizeof digest) != 0)
        return fail_damaged(r, "its SHA-256 is not the one that it was sealed with", err);
    if (r->sealed + 1 == number) {
        r->sealed = number;
        memcpy(r->digest, digest, sizeof digest);
    }
    return 0;
}

/* Reading has stopped at the position of this segment, which nobody writes any more. `next`: the
 * segment after it, NULL: there is none. `alive`: its writer writes another one. 0: this is how a
 * segment ends, and r->end is CLOSED if it is finished and whole, else TORN; or the negative
 * error. */
static int judge_end(tbus_journal_reader_t *r, const tbus_journal_segment_t *next, bool alive,
                     tbus_error_t *err)
{
    tbus_journal_tail_t tail;
    struct stat file;
    /* J6 pairs J5 (tbus_journal_file_finish): we have seen its successor, or that its writer's lock
     * is free. What we read now was stored before that. */
    tbus_fence_acquire();
    int64_t closed = tbus_journal_segment_closed_bytes(&r->segment);
    if (closed == -TBUS_ETRUNCATED)
        return fail_damaged(r, "its header is gone", err);
    if (closed == -TBUS_ECORRUPT)
        return fail_damaged(
            r, "its end cannot be told, since what its header says of it does not fit its CRC",
            err);
    int code = closed < 0 ? (int)closed : fstat(r->segment.fd, &file) < 0 ? -errno : 0;
    if (code == 0)
        code = tbus_journal_tail_judge(&r->segment, r->position, &tail);
    uint64_t lost_end = 0;
    int lost = 0;
    if (code == 0 && closed == 0 && !alive)
        lost = tbus_journal_segment_lost_sectors(&r->segment, r->position, &lost_end);
    code = lost < 0 ? lost : code;
    if (code < 0)
        return fail_reading(r, code, err);
    if (tail.record_at && tail.record_at < lost_end)
        lost = 0; /* no sector is missing: it is the length that is wrong */
    uint64_t closed_bytes = (uint64_t)closed;
    if (closed_bytes == r->position) {
        r->end = TBUS_JOURNAL_CLOSED;
        return r->checks_seals ? check_seal(r, err) : 0;
    }
    if (!lost && tail.record_at)
        return fail_damaged(r, "what is there is no record, and there are more behind it", err);
    if (closed_bytes && closed_bytes < r->position)
        return fail_damaged(r, "it holds more than its header says", err);
    if (closed_bytes && (next || (uint64_t)file.st_size >= closed_bytes))
        return fail_damaged(r, "what is there is no record, and the header says that it holds more",
                            err);
    if (!lost && next && tail.bytes)
        return fail_damaged(r, "what is there is no record, and another segment follows", err);
    r->end = TBUS_JOURNAL_TORN;
    r->torn_bytes = closed_bytes ? closed_bytes - r->position : tail.bytes;
    return 0;
}

static int break_off(tbus_journal_reader_t *r, int code, const char *what)
{
    r->end = TBUS_JOURNAL_BROKEN;
    tbus_fail(&r->broken, code, "the recording in %s broke off: %s", r->directory.path, what);
    return TBUS_JOURNAL_NOTHING;
}

static int break_off_unsynced(tbus_journal_reader_t *r)
{
    char what[96];
    snprintf(what, sizeof what, "segment %08u.tbj could not be synced, and later segments could",
             r->unsynced);
    return break_off(r, -EIO, what);
}

/* Segment r->segment is not finished, and the one behind it is: remember that, for the end. */
static void note_unsynced(tbus_journal_reader_t *r, const tbus_journal_segment_t *next)
{
    if (r->end != TBUS_JOURNAL_TORN)
        return;
    r->passed_unfinished = true;
    if (r->unsynced || tbus_journal_segment_closed_bytes(next) <= 0)
        return;
    /* J6 pairs J5 (tbus_journal_file_finish): of a living writer both may have been finished since
     * we looked, this one first. */
    tbus_fence_acquire();
    if (tbus_journal_segment_closed_bytes(&r->segment) == 0)
        r->unsynced = r->segment.header.segment;
}

/* This segment has a successor: go there if all is in order. Takes `next`. MOVED; NOTHING: the rest
 * of this one was lost with the power, which ends the journal; or the negative error. */
static int go_on(tbus_journal_reader_t *r, tbus_journal_segment_t *next, bool alive,
                 tbus_error_t *err)
{
    int code = judge_end(r, next, alive, err);
    if (code == 0 && !tbus_journal_segment_same_session(&next->header, &r->segment.header))
        code = fail_damaged(r, "the next segment is from another session", err);
    bool lost = r->torn_bytes || next->header.first_record != r->records;
    if (code == 0 && lost && (r->end == TBUS_JOURNAL_CLOSED || alive))
        code =
            fail_damaged(r, "it ends too early: the next segment goes on with a later record", err);
    if (code == 0 && next->header.first_record < r->records)
        code = fail_damaged(r, "it holds records that the next segment counts as its own", err);
    if (code == 0)
        note_unsynced(r, next);
    if (code < 0 || lost) {
        tbus_journal_segment_close(next);
        r->ended = code == 0;
        return code < 0 ? code : r->unsynced ? break_off_unsynced(r) : TBUS_JOURNAL_NOTHING;
    }
    tbus_journal_reader_enter(r, next);
    return TBUS_JOURNAL_MOVED;
}

/* The last segment has been read to its end, which r->end tells, and nobody writes. How did the
 * session end? `cut_bytes`: what is left of the header of a segment behind it. NOTHING, or the
 * negative error. */
static int judge_session_end(tbus_journal_reader_t *r, uint64_t cut_bytes, tbus_error_t *err)
{
    uint64_t word = 0;
    int code = tbus_journal_segment_session_end(&r->segment, &word);
    if (code == -TBUS_ECORRUPT)
        return fail_damaged(r, "what its header says of the session's end does not fit its CRC",
                            err);
    if (code < 0 && code != -TBUS_ETRUNCATED)
        return fail_reading(r, code, err);
    r->ended = true;
    if (r->unsynced)
        return break_off_unsynced(r);
    if ((word & 0xff) == TBUS_JOURNAL_SESSION_BROKEN)
        return break_off(r, -(int)(word >> 8 & 0xffffff),
                         tbus_strerror(-(int)(word >> 8 & 0xffffff)));
    bool last = r->segment.header.abi >= 2
                    ? (word & 0xff) == TBUS_JOURNAL_SESSION_CLOSED
                    : !tbus_journal_directory_holds(&r->directory, r->segment.header.segment + 1);
    if (!last || cut_bytes)
        r->end = TBUS_JOURNAL_TORN;
    r->torn_bytes += cut_bytes;
    return TBUS_JOURNAL_NOTHING;
}

/* Nothing (more) to read at the position, as far as the buffer knew. FOUND after all; MOVED;
 * NOTHING, and r->end says why; or the negative error. The order matters: whoever was seen dead, or
 * gone to the next segment, stores no more in this one afterwards. */
static int after_last(tbus_journal_reader_t *r, tbus_journal_record_t *out_record,
                      tbus_error_t *err)
{
    uint64_t cut_bytes;
    tbus_journal_segment_t next;
    bool alive = writer_alive(r);
    int successor = tbus_journal_segment_open(&r->directory, r->segment.header.segment + 1,
                                              &r->segment.header, &next, &cut_bytes, err);
    if (successor < 0)
        return successor;
    int look = look_again(r, out_record);
    if (look < 0 || look == TBUS_JOURNAL_FOUND) {
        if (successor == TBUS_JOURNAL_FOUND)
            tbus_journal_segment_close(&next);
        return look < 0 ? fail_reading(r, look, err) : look;
    }
    if (successor == TBUS_JOURNAL_FOUND)
        return go_on(r, &next, alive, err);
    if (alive && look == TBUS_JOURNAL_BAD)
        return fail_damaged(r, "what is there is no record, and its writer is alive", err);
    if (alive) {
        r->end = TBUS_JOURNAL_LIVE;
        r->waiting = true;
        return TBUS_JOURNAL_NOTHING;
    }
    int code = judge_end(r, NULL, false, err);
    return code < 0 ? code : judge_session_end(r, cut_bytes, err);
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
        int look = r->waiting ? TBUS_JOURNAL_NOTHING : look_at_record(r, out_record);
        if (look < 0)
            return fail_reading(r, look, err);
        if (TBUS_UNLIKELY(look != TBUS_JOURNAL_FOUND)) {
            r->waiting = false;
            look = after_last(r, out_record, err);
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

enum tbus_journal_end tbus_journal_reader_end(const tbus_journal_reader_t *r)
{
    return r->end;
}

uint64_t tbus_journal_reader_torn_bytes(const tbus_journal_reader_t *r)
{
    return r->torn_bytes;
}

const tbus_error_t *tbus_journal_reader_broken(const tbus_journal_reader_t *r)
{
    return &r->broken;
}
