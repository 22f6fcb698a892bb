/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/span.h"

#include <inttypes.h>
#include <string.h>

#include <tickbus/msg/tick.h>

#include "bus/msg/message_type.h"
#include "feedsim/timeline.h"

#define SECOND_NS      UINT64_C(1000000000)
#define SAMPLES        256u  /* looks into an interval, to make it so many times smaller */
#define TICKS_READ_MAX 4096u /* so few ticks are read one by one */

/* --- what was written --- */

static bool parse_seq(const char *text, uint64_t *out_seq)
{
    uint64_t seq = 0;
    if (!*text)
        return false;
    for (; *text; text++)
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(seq, 10, &seq) ||
            __builtin_add_overflow(seq, (uint64_t)(*text - '0'), &seq))
            return false;
    *out_seq = seq;
    return true;
}

int span_parse(const char *text, span_point_t *out_point, tbus_error_t *err)
{
    span_point_t point = {0};
    if (strcmp(text, "oldest") == 0)
        point.kind = SPAN_OLDEST;
    else if (strcmp(text, "now") == 0)
        point.kind = SPAN_NOW;
    else if (strncmp(text, "seq:", 4) == 0 && parse_seq(text + 4, &point.value))
        point.kind = SPAN_SEQ;
    else if (text[0] == '-' && feed_duration_parse(text + 1, &point.value, NULL) == 0)
        point.kind = SPAN_BEFORE_END;
    else if (feed_time_parse(text, &point.value, NULL) == 0)
        point.kind = SPAN_TIME_OF_DAY;
    else
        return tbus_fail(err, -TBUS_ECONFIG,
                         "the place \"%.60s\" is not understood: write oldest, now, seq:N, -5m "
                         "(before the end), HH:MM, HH:MM:SS or HH:MM:SS.FRACTION",
                         text);
    *out_point = point;
    return 0;
}

/* --- where the market reaches a time --- */

int span_ticks(const tbus_journal_info_t *info)
{
    int found = -1;
    for (uint32_t i = 0; i < info->topics_count; i++)
        if (strcmp(info->topics[i].type, "tick") == 0 &&
            message_type_reads(message_type("tick"), info->topics[i].type_version) &&
            (found < 0 || strcmp(info->topics[i].name, "md") == 0))
            found = (int)i;
    return found;
}

typedef struct search {
    tbus_journal_reader_t *reader;
    uint16_t topic; /* of ticks */
    tbus_error_t *err;
} search_t;

typedef struct timed_tick {
    uint64_t seq;
    uint64_t time_ns; /* since midnight */
} timed_tick_t;

/* The next tick that has a time. 1, 0: there is none, or the negative error. */
static int next_timed(const search_t *s, timed_tick_t *out_tick)
{
    tbus_journal_record_t record;
    int code;
    while ((code = tbus_journal_reader_next(s->reader, &record, s->err)) > 0) {
        if (record.topic != s->topic || message_identify("tick", record.bytes) != MESSAGE_TICK)
            continue;
        tick_t tick = message_tick(record.payload, record.bytes);
        if (tick.type == TICK_RUNT || tick.type == TICK_END_MARK)
            continue;
        *out_tick = (timed_tick_t){.seq = record.seq, .time_ns = tick_event_ns(&tick)};
        return 1;
    }
    return code;
}

/* The first tick with a time, from this sequence on. As above. */
static int look(const search_t *s, uint64_t seq, timed_tick_t *out_tick)
{
    int code = tbus_journal_reader_seek_seq(s->reader, s->topic, seq, s->err);
    return code > 0 ? next_timed(s, out_tick) : code;
}

/* A sequence behind the last tick, not much further than that. */
static int find_end(const search_t *s, uint64_t first, uint64_t *out_end)
{
    timed_tick_t tick;
    uint64_t low = first, high = first + 1;
    int code;
    while ((code = look(s, high, &tick)) > 0) {
        low = high;
        high += high - first;
    }
    while (code == 0 && high - low > TICKS_READ_MAX) {
        uint64_t middle = low + (high - low) / 2;
        code = look(s, middle, &tick);
        if (code >= 0)
            *(code > 0 ? &low : &high) = middle;
        code = code > 0 ? 0 : code;
    }
    *out_end = high;
    return code;
}

/* Among the ticks from `low` to before `high`, what is before `low` having been seen by
 * `timeline`: the first that is within. 1, 0: none is, or the negative error. */
static int read_on(const search_t *s, feed_timeline_t *timeline, uint64_t low, uint64_t high,
                   uint64_t *out_seq)
{
    timed_tick_t tick;
    uint64_t line_ns;
    int code = look(s, low, &tick);
    for (; code > 0 && tick.seq < high; code = next_timed(s, &tick)) {
        if (feed_timeline_next(timeline, tick.time_ns, &line_ns) != FEED_BEFORE) {
            *out_seq = tick.seq;
            return 1;
        }
    }
    return code < 0 ? code : 0;
}

/* Look at every `step`th tick from `low` to before `high` until one is within, and narrow both to
 * what lies between it and the one before; `timeline` has then seen that one. */
static int narrow(const search_t *s, feed_timeline_t *timeline, uint64_t *low, uint64_t *high)
{
    uint64_t step = (*high - *low) / SAMPLES, line_ns;
    timed_tick_t tick;
    int code = 1;
    for (uint64_t seq = *low; seq < *high; seq = tick.seq + step) {
        feed_timeline_t seen = *timeline;
        code = look(s, seq, &tick);
        if (code <= 0) {
            *high = seq;
            break;
        }
        if (feed_timeline_next(&seen, tick.time_ns, &line_ns) != FEED_BEFORE) {
            *high = tick.seq + 1 < *high ? tick.seq + 1 : *high;
            break;
        }
        *timeline = seen;
        *low = tick.seq + 1;
    }
    return code < 0 ? code : 0;
}

/* The first tick at that time of day or later. 1, 0: the market does not come so far, or the
 * negative error. */
static int find_time(const search_t *s, uint64_t time_ns, uint64_t *out_seq)
{
    feed_timeline_t timeline;
    timed_tick_t first;
    uint64_t high;
    int code = look(s, 0, &first);
    if (code <= 0)
        return code;
    uint64_t low = first.seq;
    feed_timeline_init(&timeline, true, time_ns, FEED_TIME_NONE, FEED_TIME_NONE);
    code = find_end(s, low, &high);
    while (code == 0 && high - low > TICKS_READ_MAX)
        code = narrow(s, &timeline, &low, &high);
    return code < 0 ? code : read_on(s, &timeline, low, high, out_seq);
}

/* --- times of recording --- */

/* The first record at `time_ns` or later. 1, 0: there is none, or the negative error. */
static int look_at_time(const search_t *s, uint64_t time_ns, uint64_t *out_time_ns)
{
    tbus_journal_record_t record;
    int code = tbus_journal_reader_seek_time(s->reader, time_ns, s->err);
    if (code > 0)
        code = tbus_journal_reader_next(s->reader, &record, s->err);
    if (code > 0)
        *out_time_ns = record.time_ns;
    return code;
}

/* When the last record was recorded: twice as far with each step, and again from where that led,
 * until a step of a second leads nowhere; the rest is read. 0, or the negative error. */
static int find_last(const search_t *s, uint64_t *out_time_ns)
{
    uint64_t last_ns = 0, step_ns = SECOND_NS;
    int code = look_at_time(s, 0, &last_ns);
    while (code > 0) {
        code = look_at_time(s, last_ns + step_ns, &last_ns);
        if (code > 0) {
            step_ns *= 2;
        } else if (code == 0 && step_ns > SECOND_NS) { /* too far */
            step_ns = SECOND_NS;
            code = 1;
        }
    }
    if (code == 0)
        code = tbus_journal_reader_seek_time(s->reader, last_ns, s->err);
    tbus_journal_record_t record;
    while (code > 0 && (code = tbus_journal_reader_next(s->reader, &record, s->err)) > 0)
        last_ns = record.time_ns;
    *out_time_ns = last_ns;
    return code;
}

/* A time of day, UTC, as a time of recording: of the day on which the recording began, or of the
 * next, if it lies more than three hours before the beginning (timeline.h). */
static uint64_t recorded_at(const tbus_journal_info_t *info, uint64_t time_ns)
{
    uint64_t began_ns = info->started_realtime_ns % FEED_DAY_NS;
    if (time_ns + FEED_NEW_DAY_NS < began_ns)
        time_ns += FEED_DAY_NS;
    return time_ns > began_ns ? time_ns - began_ns : 0;
}

/* --- spans --- */

static int find_time_of_day(const search_t *s, bool has_ticks, uint64_t time_ns,
                            span_place_t *out_place)
{
    uint64_t seq;
    if (!has_ticks) {
        const tbus_journal_info_t *info = tbus_journal_reader_info(s->reader);
        *out_place = (span_place_t){.at = SPAN_AT_TIME, .value = recorded_at(info, time_ns)};
        return 0;
    }
    int code = find_time(s, time_ns, &seq);
    if (code > 0)
        *out_place = (span_place_t){.at = SPAN_AT_SEQ, .topic = s->topic, .value = seq};
    if (code == 0)
        *out_place = (span_place_t){.at = SPAN_AT_END};
    return code < 0 ? code : 0;
}

static int find_point(const search_t *s, bool has_ticks, uint16_t topic, const span_point_t *point,
                      enum span_at otherwise, span_place_t *out_place)
{
    uint64_t last_ns;
    int code = 0;
    *out_place = (span_place_t){.at = otherwise};
    switch (point->kind) {
    case SPAN_NONE:
        break;
    case SPAN_OLDEST:
        out_place->at = SPAN_AT_START;
        break;
    case SPAN_NOW:
        out_place->at = SPAN_AT_END;
        break;
    case SPAN_SEQ:
        *out_place = (span_place_t){.at = SPAN_AT_SEQ, .topic = topic, .value = point->value};
        break;
    case SPAN_BEFORE_END:
        code = find_last(s, &last_ns);
        if (code == 0)
            *out_place = (span_place_t){
                .at = SPAN_AT_TIME, .value = last_ns > point->value ? last_ns - point->value : 0};
        break;
    case SPAN_TIME_OF_DAY:
        code = find_time_of_day(s, has_ticks, point->value, out_place);
        break;
    }
    return code;
}

static int find_both(const search_t *s, uint16_t topic, const span_point_t *from,
                     const span_point_t *to, span_t *out_span)
{
    int ticks = span_ticks(tbus_journal_reader_info(s->reader));
    search_t search = {
        .reader = s->reader, .topic = (uint16_t)(ticks < 0 ? 0 : ticks), .err = s->err};
    int code = find_point(&search, ticks >= 0, topic, from, SPAN_AT_START, &out_span->from);
    if (code == 0)
        code = find_point(&search, ticks >= 0, topic, to, SPAN_AT_END, &out_span->to);
    return code;
}

int span_find(const char *directory, bool damaged, uint16_t topic, const span_point_t *from,
              const span_point_t *to, span_t *out_span, tbus_error_t *err)
{
    span_t span = {0};
    search_t s = {.err = err};
    int code = damaged ? tbus_journal_reader_open_damaged(directory, &s.reader, err)
                       : tbus_journal_reader_open(directory, &s.reader, err);
    if (code < 0)
        return code;
    code = find_both(&s, topic, from, to, &span);
    tbus_journal_reader_close(s.reader);
    if (code < 0)
        return code;
    bool same = span.from.at == span.to.at && span.from.topic == span.to.topic;
    if (same && span.from.at >= SPAN_AT_SEQ && span.to.value < span.from.value)
        return tbus_fail(err, -TBUS_ECONFIG, "--to lies before --from");
    *out_span = span;
    return 0;
}

int span_begin(const span_t *span, tbus_journal_reader_t *reader, tbus_error_t *err)
{
    switch (span->from.at) {
    case SPAN_AT_SEQ:
        return tbus_journal_reader_seek_seq(reader, span->from.topic, span->from.value, err);
    case SPAN_AT_TIME:
        return tbus_journal_reader_seek_time(reader, span->from.value, err);
    default:
        return span->from.at == SPAN_AT_START;
    }
}

int span_seq(const char *directory, uint16_t topic, const span_place_t *place, uint64_t *out_seq,
             tbus_error_t *err)
{
    tbus_journal_reader_t *reader;
    tbus_journal_record_t record;
    span_t span = {.from = *place};
    uint64_t seq = UINT64_MAX;
    int code = tbus_journal_reader_open(directory, &reader, err);
    if (code < 0)
        return code;
    code = span_begin(&span, reader, err);
    while (code > 0 && (code = tbus_journal_reader_next(reader, &record, err)) > 0)
        if (record.topic == topic) {
            seq = record.seq;
            break;
        }
    tbus_journal_reader_close(reader);
    if (code < 0)
        return code;
    *out_seq = seq;
    return 0;
}
