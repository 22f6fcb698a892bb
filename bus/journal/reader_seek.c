/* SPDX-License-Identifier: Apache-2.0 */
/* Going to a place of the recording. */
#include "bus/journal/reader.h"

#include <errno.h>
#include <string.h>

/* What is looked for: the first record of `topic` from `least` on, or of any topic from that time
 * on. */
typedef struct target {
    bool by_time;
    uint16_t topic;
    uint64_t least;
} target_t;

static bool is_there(const target_t *target, const tbus_journal_record_t *record)
{
    if (target->by_time)
        return record->time_ns >= target->least;
    return record->topic == target->topic && record->seq >= target->least;
}

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
}

/* To the first record of segment `number`. 0, or the negative error. */
static int go_to_segment(tbus_journal_reader_t *r, uint32_t number, tbus_error_t *err)
{
    uint64_t cut_bytes;
    tbus_journal_segment_t segment;
    int look = tbus_journal_segment_open(&r->directory, number, &r->segment.header, &segment,
                                         &cut_bytes, err);
    if (look == TBUS_JOURNAL_NOTHING)
        return tbus_journal_segment_fail(&r->directory, number, -TBUS_ETRUNCATED,
                                         "has been emptied or removed since it was opened", err);
    if (look < 0)
        return look;
    if (!tbus_journal_segment_same_session(&segment.header, &r->segment.header)) {
        tbus_journal_segment_close(&segment);
        return tbus_journal_segment_fail(&r->directory, number, -TBUS_ECORRUPT,
                                         "is from another session than the first one", err);
    }
    tbus_journal_reader_enter(r, &segment);
    begin_again(r, number);
    return 0;
}

/* To the beginning of what there is now. */
static int go_to_first(tbus_journal_reader_t *r, tbus_error_t *err)
{
    tbus_journal_range_t range;
    int code;
    do {
        code = tbus_journal_directory_list(&r->directory, &range, err);
        if (code == 0)
            code = go_to_segment(r, range.first, err);
    } while (code == -TBUS_ETRUNCATED && !tbus_journal_directory_holds(&r->directory, range.first));
    return code;
}

/* Read on to the target, and stay before it. As tbus_journal_reader_seek_seq. */
static int scan(tbus_journal_reader_t *r, const target_t *target, tbus_error_t *err)
{
    int code;
    tbus_journal_record_t record;
    while ((code = tbus_journal_reader_next(r, &record, err)) == 1)
        if (is_there(target, &record)) {
            r->position = record.offset;
            r->records--;
            begin_again(r, record.segment);
            break;
        }
    return code;
}

static int seek(tbus_journal_reader_t *r, const target_t *target, tbus_error_t *err)
{
    bool checks_seals = r->checks_seals;
    int code = go_to_first(r, err);
    if (code < 0)
        return code;
    r->checks_seals = false; /* of what is passed over */
    code = scan(r, target, err);
    r->checks_seals = checks_seals;
    return code;
}

int tbus_journal_reader_seek_seq(tbus_journal_reader_t *r, uint16_t topic, uint64_t seq,
                                 tbus_error_t *err)
{
    if (!r || topic >= r->info.topics_count)
        return tbus_fail(err, -EINVAL, "journal: there is no reader, or no such topic");
    target_t target = {.topic = topic, .least = seq};
    return seek(r, &target, err);
}

int tbus_journal_reader_seek_time(tbus_journal_reader_t *r, uint64_t time_ns, tbus_error_t *err)
{
    if (!r)
        return tbus_fail(err, -EINVAL, "journal: there is no reader");
    target_t target = {.by_time = true, .least = time_ns};
    return seek(r, &target, err);
}
