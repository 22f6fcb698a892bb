/* SPDX-License-Identifier: Apache-2.0 */
/* What it means that a segment has no more records: it goes on in the next one, more may come, the
 * session ended, or this is damage. */
#include "bus/journal/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bus/journal/lock.h"
#include "bus/journal/seal.h"
#include "bus/journal/tail.h"

static int fail_damaged(tbus_journal_reader_t *r, const char *what, tbus_error_t *err)
{
    int code =
        tbus_fail(&r->failure, -TBUS_ECORRUPT,
                  "segment %08u.tbj of the journal in %s is damaged at offset %" PRIu64
                  ", after %" PRIu64 " records: %s",
                  r->segment.header.segment, r->directory.path, r->position, r->records, what);
    snprintf(r->what, sizeof r->what, "%s", what);
    if (err)
        *err = r->failure;
    return code;
}

int tbus_journal_reader_fail_reading(const tbus_journal_reader_t *r, int code, tbus_error_t *err)
{
    return tbus_fail(
        err, code, "cannot read segment %08u.tbj of the journal in %s at offset %" PRIu64 ": %s",
        r->segment.header.segment, r->directory.path, r->position, tbus_strerror(code));
}

/* What the segment, which ends at the position, is to be sealed with. 0, or as
 * tbus_journal_seal_file. */
static int compute_digest(const tbus_journal_reader_t *r, const uint8_t previous[32],
                          uint8_t out_digest[32])
{
    if (r->scanned.segment == r->segment.header.segment && r->scanned.end == r->position &&
        memcmp(r->scanned.previous, previous, sizeof r->scanned.previous) == 0) {
        memcpy(out_digest, r->scanned.digest, sizeof r->scanned.digest);
        return 0;
    }
    return tbus_journal_seal_file(&r->segment, r->position, previous, out_digest);
}

/* The segment is finished and whole. 0: its seal fits, or it has none; or the negative error. */
static int check_seal(tbus_journal_reader_t *r, tbus_error_t *err)
{
    uint32_t number = r->segment.header.segment;
    tbus_journal_seal_t seal;
    uint8_t digest[32];
    if (r->segment.made_up) { /* its header is among what is sealed */
        r->sealed = number;
        r->link_unknown = true;
        return 0;
    }
    int64_t got = tbus_journal_segment_read(&r->segment, &seal, sizeof seal,
                                            offsetof(tbus_journal_header_t, seal));
    if (got < 0)
        return tbus_journal_reader_fail_reading(r, (int)got, err);
    if (got < (int64_t)sizeof seal || seal.kind != TBUS_JOURNAL_SEAL_SHA256)
        return 0;
    bool follows = r->sealed + 1 == number;
    if (!follows && !r->passed_unfinished)
        return fail_damaged(r, "it is sealed, and a segment before it is not", err);
    if (follows && !r->link_unknown && memcmp(seal.previous, r->digest, sizeof r->digest) != 0)
        return fail_damaged(r, "it was sealed behind another segment than the one before it", err);
    int code = compute_digest(r, seal.previous, digest);
    if (code < 0)
        return tbus_journal_reader_fail_reading(r, code, err);
    if (memcmp(seal.digest, digest, sizeof digest) != 0)
        return fail_damaged(r, "its SHA-256 is not the one that it was sealed with", err);
    if (follows) {
        r->sealed = number;
        r->seals++;
        r->link_unknown = false;
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
    int64_t closed = r->segment.made_up
                         ? (int64_t)(uint32_t)tbus_load_relaxed_u64(&r->segment.header.closed)
                         : tbus_journal_segment_closed_bytes(&r->segment);
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
        return tbus_journal_reader_fail_reading(r, code, err);
    if (tail.record_at && tail.record_at < lost_end)
        lost = 0; /* no sector is missing: it is the length that is wrong */
    /* Where nothing more is known than that nothing more is there, this is the end. */
    bool nothing_else = r->segment.made_up && closed == 0 && tail.bytes == 0;
    uint64_t closed_bytes = nothing_else ? r->position : (uint64_t)closed;
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
    uint64_t expected = r->uncounted ? next->header.first_record : r->records;
    bool lost = r->torn_bytes || next->header.first_record != expected;
    if (code == 0 && lost && (r->end == TBUS_JOURNAL_CLOSED || alive))
        code =
            fail_damaged(r, "it ends too early: the next segment goes on with a later record", err);
    if (code == 0 && next->header.first_record < expected)
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

/* A segment that could not be synced, if we came past it by a jump. */
static void note_unsynced_behind(tbus_journal_reader_t *r)
{
    uint64_t cut_bytes;
    tbus_journal_segment_t segment;
    uint32_t number = r->unsynced_at_open;
    if (r->unsynced || number == 0 || number >= r->segment.header.segment ||
        tbus_journal_segment_open(&r->directory, number, &r->segment.header, &segment, &cut_bytes,
                                  NULL) != TBUS_JOURNAL_FOUND)
        return;
    if (tbus_journal_segment_closed_bytes(&segment) == 0)
        r->unsynced = number;
    tbus_journal_segment_close(&segment);
}

int tbus_journal_reader_judge_session_end(tbus_journal_reader_t *r, uint64_t cut_bytes,
                                          tbus_error_t *err)
{
    uint64_t word = 0;
    int code = tbus_journal_segment_session_end(&r->segment, &word);
    if (code == -TBUS_ECORRUPT && r->segment.made_up)
        code = word = 0;
    if (code == -TBUS_ECORRUPT)
        return fail_damaged(r, "what its header says of the session's end does not fit its CRC",
                            err);
    if (code < 0 && code != -TBUS_ETRUNCATED)
        return tbus_journal_reader_fail_reading(r, code, err);
    r->ended = true;
    note_unsynced_behind(r);
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

/* This segment is finished and read, and has no successor. Did retention remove that, and we are to
 * go on where the journal begins now? MOVED, NOTHING, or the negative error. */
static int catch_up(tbus_journal_reader_t *r, bool alive, tbus_error_t *err)
{
    uint64_t cut_bytes;
    tbus_journal_range_t range;
    tbus_journal_segment_t next;
    uint64_t word;
    /* The last segment of a session says that it is: then no directory is listed, which allocates.
     */
    if (tbus_journal_segment_closed_bytes(&r->segment) != (int64_t)r->position ||
        tbus_journal_segment_session_end(&r->segment, &word) < 0 || word != 0 ||
        tbus_journal_directory_list(&r->directory, &range, NULL) < 0 ||
        range.first <= r->segment.header.segment + 1)
        return TBUS_JOURNAL_NOTHING;
    int look = tbus_journal_segment_open(&r->directory, range.first, &r->segment.header, &next,
                                         &cut_bytes, err);
    if (look == TBUS_JOURNAL_NOTHING)
        return tbus_journal_directory_holds(&r->directory, range.first) ? TBUS_JOURNAL_NOTHING
                                                                        : TBUS_JOURNAL_MOVED;
    if (look < 0)
        return look;
    int code = judge_end(r, &next, alive, err);
    if (code == 0 && !tbus_journal_segment_same_session(&next.header, &r->segment.header))
        code = fail_damaged(r, "the next segment is from another session", err);
    if (code < 0) {
        tbus_journal_segment_close(&next);
        return code;
    }
    r->missed += next.header.first_record - r->records;
    tbus_journal_reader_enter(r, &next);
    r->sealed = range.first - 1;
    r->link_unknown = true;
    return TBUS_JOURNAL_MOVED;
}

/* The order matters: whoever was seen dead, or gone to the next segment, stores no more in this one
 * afterwards. */
int tbus_journal_reader_after_last(tbus_journal_reader_t *r, tbus_journal_record_t *out_record,
                                   tbus_error_t *err)
{
    uint64_t cut_bytes;
    tbus_journal_segment_t next;
    bool alive = tbus_journal_lock_is_held(r->lock_fd);
    int successor = tbus_journal_segment_open(&r->directory, r->segment.header.segment + 1,
                                              &r->segment.header, &next, &cut_bytes, err);
    if (successor < 0)
        return successor;
    int look = tbus_journal_reader_look_again(r, out_record);
    if (look < 0 || look == TBUS_JOURNAL_FOUND) {
        if (successor == TBUS_JOURNAL_FOUND)
            tbus_journal_segment_close(&next);
        return look < 0 ? tbus_journal_reader_fail_reading(r, look, err) : look;
    }
    if (successor == TBUS_JOURNAL_FOUND)
        return go_on(r, &next, alive, err);
    int caught_up = look == TBUS_JOURNAL_NOTHING ? catch_up(r, alive, err) : TBUS_JOURNAL_NOTHING;
    if (caught_up != TBUS_JOURNAL_NOTHING)
        return caught_up;
    if (alive && look == TBUS_JOURNAL_BAD)
        return fail_damaged(r, "what is there is no record, and its writer is alive", err);
    if (alive) {
        r->end = TBUS_JOURNAL_LIVE;
        r->waiting = true;
        return TBUS_JOURNAL_NOTHING;
    }
    int code = judge_end(r, NULL, false, err);
    return code < 0 ? code : tbus_journal_reader_judge_session_end(r, cut_bytes, err);
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

uint64_t tbus_journal_reader_missed(const tbus_journal_reader_t *r)
{
    return r->missed;
}
