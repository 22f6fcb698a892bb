/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/reader_index.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bus/journal/lock.h"

#define SUMMARIES_AHEAD 1024u /* of segments; of the usual size, 64 GiB of journal */

/* Forget how reading ended, and where the chain of seals is. */
static void begin_again(tbus_journal_reader_t *r, uint32_t number)
{
    r->end = TBUS_JOURNAL_LIVE;
    r->waiting = false;
    r->ended = false;
    r->torn_bytes = 0;
    r->unsynced = 0;
    r->passed_unfinished = false;
    r->broken = (tbus_error_t){0};
    r->failure = (tbus_error_t){0};
    r->sealed = number - 1;
    r->seals = 0;
    r->link_unknown = number > 1;
    memset(r->digest, 0, sizeof r->digest);
    r->has_jumped = true;
}

int tbus_journal_reader_go_to(tbus_journal_reader_t *r, uint32_t number, tbus_error_t *err)
{
    uint64_t cut_bytes;
    tbus_journal_segment_t segment;
    int look = tbus_journal_segment_open(&r->directory, number, &r->segment.header, &segment,
                                         &cut_bytes, err);
    if (look == TBUS_JOURNAL_NOTHING)
        tbus_journal_segment_fail(&r->directory, number, -TBUS_ETRUNCATED,
                                  "has been emptied or removed since the journal was opened", err);
    if (look != TBUS_JOURNAL_FOUND &&
        tbus_journal_reader_open_anyhow(r, number, look, &segment) == TBUS_JOURNAL_FOUND) {
        tbus_journal_reader_enter(r, &segment);
        begin_again(r, number);
        return TBUS_JOURNAL_FOUND;
    }
    if (look < 0 && tbus_journal_code_is_damage(look))
        return TBUS_JOURNAL_BAD;
    if (look != TBUS_JOURNAL_FOUND)
        return look;
    if (!tbus_journal_segment_same_session(&segment.header, &r->segment.header)) {
        tbus_journal_segment_close(&segment);
        tbus_journal_segment_fail(&r->directory, number, -TBUS_ECORRUPT,
                                  "is from another session than the first one", err);
        return TBUS_JOURNAL_BAD;
    }
    tbus_journal_reader_enter(r, &segment);
    begin_again(r, number);
    return TBUS_JOURNAL_FOUND;
}

int tbus_journal_reader_record_at(tbus_journal_reader_t *r, uint32_t segment, uint64_t offset,
                                  tbus_journal_record_t *out_record, tbus_error_t *err)
{
    int look = TBUS_JOURNAL_FOUND;
    if (r->segment.header.segment == segment)
        begin_again(r, segment);
    else
        look = tbus_journal_reader_go_to(r, segment, err);
    if (look != TBUS_JOURNAL_FOUND)
        return look;
    r->position = offset;
    r->uncounted = true;
    look = tbus_journal_reader_look(r, out_record);
    if (look == TBUS_JOURNAL_NOTHING || look == TBUS_JOURNAL_BAD)
        tbus_fail(err, -TBUS_ECORRUPT,
                  "segment %08u.tbj of the journal in %s has no whole record at offset %" PRIu64,
                  segment, r->directory.path, offset);
    return look < 0 ? tbus_journal_reader_fail_reading(r, look, err) : look;
}

/* Add what stands behind the end of the index in the segment that is read, up to the first that is
 * no whole record. 0, or -errno. */
static int grow(tbus_journal_reader_t *r)
{
    tbus_journal_record_t record;
    int look;
    r->position = r->index.end;
    r->buffer_bytes = 0; /* there may be more by now */
    while ((look = tbus_journal_reader_look(r, &record)) == TBUS_JOURNAL_FOUND) {
        int code = tbus_journal_index_add(&r->index, &record, r->position);
        if (code == -EOVERFLOW)
            return 0;
        if (code < 0)
            return code;
    }
    return look < 0 ? look : 0;
}

int tbus_journal_reader_index(tbus_journal_reader_t *r, tbus_error_t *err)
{
    int code = 0;
    uint64_t finished = (uint32_t)tbus_load_relaxed_u64(&r->segment.header.closed);
    bool ours = r->index.header.segment == r->segment.header.segment;
    if (ours && finished && r->index.end == finished)
        return 0;
    if (!ours)
        code = tbus_journal_index_load(&r->segment, false, &r->index);
    if (code == TBUS_JOURNAL_FOUND)
        return 0;
    if (code == 0 && !ours)
        tbus_journal_index_begin(&r->index, &r->segment);
    if (code == 0)
        code = grow(r);
    if (code < 0) {
        r->index.header.segment = 0;
        return tbus_fail(err, code, "cannot index segment %08u.tbj of the journal in %s: %s",
                         r->segment.header.segment, r->directory.path, tbus_strerror(code));
    }
    /* Where it cannot be written we do without the file. */
    if (finished && r->index.end == finished && !r->segment.made_up)
        (void)tbus_journal_index_store(&r->index, &r->segment);
    return 0;
}

static int reserve_summaries(tbus_journal_reader_t *r, uint32_t count)
{
    if (count <= r->summaries_count)
        return 0;
    tbus_journal_summary_t *more = reallocarray(r->summaries, count, sizeof *more);
    if (!more)
        return -ENOMEM;
    memset(more + r->summaries_count, 0, (count - r->summaries_count) * sizeof *more);
    r->summaries = more;
    r->summaries_count = count;
    return 0;
}

/* The place for the summary of a segment; NULL: no memory. */
static tbus_journal_summary_t *place_of(tbus_journal_reader_t *r, uint32_t number)
{
    uint32_t place = number - r->info.first_segment;
    if (place >= r->summaries_count && reserve_summaries(r, place + 16) < 0)
        return NULL;
    return &r->summaries[place];
}

int tbus_journal_reader_reserve(tbus_journal_reader_t *r)
{
    int code = tbus_journal_index_reserve(&r->index, r->info.topics_count, r->info.segment_bytes);
    return code < 0 ? code : reserve_summaries(r, SUMMARIES_AHEAD);
}

/* The segment that is read is finished, or will never be. */
static int summarise(tbus_journal_reader_t *r, tbus_journal_summary_t *out_summary,
                     tbus_error_t *err)
{
    tbus_journal_index_t only = {0};
    uint64_t finished = (uint32_t)tbus_load_relaxed_u64(&r->segment.header.closed);
    if (tbus_journal_index_load(&r->segment, true, &only) == TBUS_JOURNAL_FOUND) {
        *out_summary = (tbus_journal_summary_t){.state = TBUS_JOURNAL_WHOLE, .holds = only.header};
        return 0;
    }
    int code = tbus_journal_reader_index(r, err);
    if (code == 0)
        *out_summary = (tbus_journal_summary_t){.state = finished && r->index.end == finished &&
                                                                 !r->segment.made_up
                                                             ? TBUS_JOURNAL_WHOLE
                                                             : TBUS_JOURNAL_IN_PART,
                                                .holds = r->index.header};
    return code;
}

int tbus_journal_reader_summary(tbus_journal_reader_t *r, uint32_t number,
                                const tbus_journal_summary_t **out_summary, tbus_error_t *err)
{
    tbus_journal_summary_t *place = place_of(r, number);
    if (!place)
        return tbus_fail(err, -ENOMEM, "no memory to index the journal in %s", r->directory.path);
    if (place->state == TBUS_JOURNAL_UNKNOWN) {
        int look = tbus_journal_reader_go_to(r, number, err);
        if (look < 0)
            return look;
        if (look != TBUS_JOURNAL_FOUND)
            return TBUS_JOURNAL_NOTHING;
        bool finished = tbus_load_relaxed_u64(&r->segment.header.closed) != 0;
        if (!finished && (number == r->range.last || tbus_journal_lock_is_held(r->lock_fd)))
            return TBUS_JOURNAL_NOTHING;
        int code = summarise(r, place, err);
        if (code < 0)
            return code;
    }
    *out_summary = place;
    return TBUS_JOURNAL_FOUND;
}

/* Is there an index already? Else make it. As tbus_journal_index_segment. */
static int index_entered(tbus_journal_reader_t *r, tbus_error_t *err)
{
    uint32_t number = r->segment.header.segment;
    int64_t finished = tbus_journal_segment_closed_bytes(&r->segment);
    if (finished == 0)
        return tbus_journal_segment_fail(&r->directory, number, -EBUSY,
                                         "is not finished, and has no index yet", err);
    if (finished < 0)
        return tbus_journal_segment_fail_reading(&r->directory, number, (int)finished, err);
    if (tbus_journal_index_load(&r->segment, false, &r->index) == TBUS_JOURNAL_FOUND)
        return 0;
    tbus_journal_index_begin(&r->index, &r->segment);
    int code = grow(r);
    if (code < 0)
        return tbus_journal_segment_fail_reading(&r->directory, number, code, err);
    if (r->index.end != (uint64_t)finished)
        return tbus_fail(err, -TBUS_ECORRUPT,
                         "segment %08u.tbj of the journal in %s is damaged at offset %" PRIu64
                         ", and has no index; busctl journal verify tells more",
                         number, r->directory.path, r->index.end);
    code = tbus_journal_index_store(&r->index, &r->segment);
    return code < 0 ? tbus_fail(err, code,
                                "cannot write the index %08u.tbi of the journal in %s: "
                                "%s; %s",
                                number, r->directory.path, tbus_strerror(code),
                                tbus_journal_advice(code))
                    : 1;
}

int tbus_journal_index_segment(const char *directory, uint32_t number, tbus_error_t *err)
{
    uint64_t cut_bytes;
    tbus_journal_directory_t opened;
    tbus_journal_range_t range;
    tbus_journal_segment_t segment;
    if (!directory)
        return tbus_fail(err, -EINVAL, "no journal directory is named");
    int code = tbus_journal_directory_open(directory, &opened, &range, err);
    if (code < 0)
        return code;
    tbus_journal_reader_t *r = tbus_journal_reader_new(&opened);
    if (!r)
        return tbus_fail(err, -ENOMEM, "no memory to index the journal in %s", directory);
    code = tbus_journal_segment_open(&r->directory, number, NULL, &segment, &cut_bytes, err);
    if (code == TBUS_JOURNAL_NOTHING)
        code = tbus_journal_segment_fail(&r->directory, number, -TBUS_ENOTFOUND,
                                         "does not exist, or holds no header", err);
    if (code == TBUS_JOURNAL_FOUND) {
        r->info.first_segment = number;
        r->info.segment_bytes = segment.header.segment_bytes;
        tbus_journal_reader_enter(r, &segment);
        code = index_entered(r, err);
    }
    tbus_journal_reader_close(r);
    return code;
}
