/* SPDX-License-Identifier: Apache-2.0 */
/* Going to a place of the recording. */
#include "bus/journal/reader_index.h"

#include <errno.h>

static bool is_there(const tbus_journal_target_t *target, const tbus_journal_record_t *record)
{
    if (target->by_time)
        return record->time_ns >= target->least;
    return record->topic == target->topic && record->seq >= target->least;
}

/* Which segments there are now. 0, or the negative error. */
static int refresh_range(tbus_journal_reader_t *r, tbus_error_t *err)
{
    while (tbus_journal_directory_holds(&r->directory, r->range.last + 1))
        r->range.last++;
    if (tbus_journal_directory_holds(&r->directory, r->range.first))
        return 0;
    return tbus_journal_directory_list(&r->directory, &r->range, err);
}

/* Does segment `number` hold a record of that kind, as far as can be told? FOUND, NOTHING, or the
 * negative error. */
static int summary_with(tbus_journal_reader_t *r, uint32_t number,
                        const tbus_journal_target_t *target,
                        const tbus_journal_summary_t **out_summary, tbus_error_t *err)
{
    int look = tbus_journal_reader_summary(r, number, out_summary, err);
    if (look != TBUS_JOURNAL_FOUND)
        return look;
    const tbus_journal_index_header_t *holds = &(*out_summary)->holds;
    bool has = target->by_time ? holds->records != 0 : holds->next[target->topic] != 0;
    return has ? TBUS_JOURNAL_FOUND : TBUS_JOURNAL_NOTHING;
}

/* The first segment that does not end before the target; the one behind the last summary if all
 * do. */
static int find_segment(tbus_journal_reader_t *r, const tbus_journal_target_t *target,
                        uint32_t *out_number, tbus_error_t *err)
{
    const tbus_journal_summary_t *summary;
    uint32_t low = r->range.first;
    uint32_t high = r->range.last + 1;
    int look = TBUS_JOURNAL_NOTHING;
    while (high > low && look == TBUS_JOURNAL_NOTHING) {
        look = tbus_journal_reader_summary(r, high - 1, &summary, err);
        high -= look == TBUS_JOURNAL_NOTHING;
    }
    while (low < high && look >= 0) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t at = middle;
        while ((look = summary_with(r, at, target, &summary, err)) == TBUS_JOURNAL_NOTHING &&
               at > low)
            at--;
        if (look == TBUS_JOURNAL_FOUND && !tbus_journal_index_is_before(&summary->holds, target))
            high = at;
        else
            low = middle + 1;
    }
    *out_number = high;
    return look < 0 ? look : 0;
}

/* Enter `number`, or the first behind it that does not end before the target, or the last that
 * there is; with its index. */
static int enter_from(tbus_journal_reader_t *r, uint32_t number,
                      const tbus_journal_target_t *target, tbus_error_t *err)
{
    bool entered = false;
    for (uint32_t at = number; at <= r->range.last; at++) {
        int look = tbus_journal_reader_go_to(r, at, err);
        if (look < 0)
            return look;
        if (look != TBUS_JOURNAL_FOUND)
            continue;
        entered = true;
        int code = tbus_journal_reader_index(r, err);
        if (code < 0)
            return code;
        if (!tbus_journal_index_is_before(&r->index.header, target))
            break;
    }
    if (entered)
        return 0;
    return number > r->range.first ? enter_from(r, number - 1, target, err) : -TBUS_ECORRUPT;
}

/* What is looked for could stand in a part that cannot be read, before the segment that is entered:
 * begin before that part, so that it is met. */
static int step_back(tbus_journal_reader_t *r, const tbus_journal_target_t *target,
                     tbus_error_t *err)
{
    uint32_t start = r->segment.header.segment;
    uint32_t at = start;
    bool begins = tbus_journal_index_begins_before(&r->index.header, target);
    bool passed = false; /* something that cannot be read */
    while (at > r->range.first && !begins) {
        const tbus_journal_summary_t *summary;
        int look = tbus_journal_reader_summary(r, --at, &summary, err);
        if (look < 0)
            return look;
        bool whole = look == TBUS_JOURNAL_FOUND && summary->state == TBUS_JOURNAL_WHOLE;
        if (look == TBUS_JOURNAL_FOUND && (passed || !whole))
            start = at;
        if (whole)
            break;
        passed = true;
        begins =
            look == TBUS_JOURNAL_FOUND && tbus_journal_index_begins_before(&summary->holds, target);
    }
    if (r->segment.header.segment == start && r->index.header.segment == start)
        return 0;
    int look = tbus_journal_reader_go_to(r, start, err);
    return look == TBUS_JOURNAL_FOUND ? tbus_journal_reader_index(r, err)
           : look < 0                 ? look
                                      : -TBUS_ECORRUPT;
}

/* Where the index of the segment that is entered says, if a whole record is there; else at its
 * beginning. 0, or -errno. */
static int jump(tbus_journal_reader_t *r, const tbus_journal_target_t *target, tbus_error_t *err)
{
    tbus_journal_record_t record;
    uint64_t offset;
    uint64_t before;
    uint64_t first_record = r->segment.header.first_record;
    tbus_journal_index_find(&r->index, target, &offset, &before);
    r->position = offset;
    int look = tbus_journal_reader_look(r, &record);
    bool fits = look == TBUS_JOURNAL_FOUND;
    r->position = fits ? offset : TBUS_JOURNAL_HEADER_BYTES;
    r->records = first_record + (fits ? before : 0);
    r->uncounted = r->position != TBUS_JOURNAL_HEADER_BYTES || r->segment.made_up;
    return look < 0 ? tbus_journal_reader_fail_reading(r, look, err) : 0;
}

/* Read on to the target, and stay before it. As tbus_journal_reader_seek_seq. */
static int scan(tbus_journal_reader_t *r, const tbus_journal_target_t *target, tbus_error_t *err)
{
    int code;
    tbus_journal_record_t record;
    uint32_t from = r->segment.header.segment;
    while ((code = tbus_journal_reader_next(r, &record, err)) == 1)
        if (is_there(target, &record)) {
            r->position = record.offset;
            r->records--;
            break;
        }
    if (r->segment.header.segment != from) { /* the chain of seals begins where we are */
        r->sealed = r->segment.header.segment - 1;
        r->link_unknown = true;
    }
    return code;
}

/* To the place from which to read on. 0, or the negative error. */
static int approach(tbus_journal_reader_t *r, const tbus_journal_target_t *target,
                    tbus_error_t *err)
{
    uint32_t number = 0;
    int code = refresh_range(r, err);
    if (code == 0)
        code = find_segment(r, target, &number, err);
    if (code == 0)
        code = enter_from(r, number, target, err);
    if (code == 0)
        code = step_back(r, target, err);
    return code == 0 ? jump(r, target, err) : code;
}

static int seek(tbus_journal_reader_t *r, const tbus_journal_target_t *target, tbus_error_t *err)
{
    bool checks_seals = r->checks_seals;
    tbus_error_t why = {0}; /* also of what is gone round */
    int code = approach(r, target, &why);
    if (code == 0) {
        r->checks_seals = false; /* of what is passed over */
        code = scan(r, target, &why);
        r->checks_seals = checks_seals;
    }
    if (code < 0 && err) {
        *err = why;
        err->code = code;
    }
    return code;
}

int tbus_journal_reader_seek_seq(tbus_journal_reader_t *r, uint16_t topic, uint64_t seq,
                                 tbus_error_t *err)
{
    if (!r || topic >= r->info.topics_count)
        return tbus_fail(err, -EINVAL, "journal: there is no reader, or no such topic");
    tbus_journal_target_t target = {.topic = topic, .least = seq};
    return seek(r, &target, err);
}

int tbus_journal_reader_seek_time(tbus_journal_reader_t *r, uint64_t time_ns, tbus_error_t *err)
{
    if (!r)
        return tbus_fail(err, -EINVAL, "journal: there is no reader");
    tbus_journal_target_t target = {.by_time = true, .least = time_ns};
    return seek(r, &target, err);
}
