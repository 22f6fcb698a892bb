/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/recorded.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/journal.h>
#include <tickbus/msg/event.h>

/* Room for one more item behind `count` of them; NULL: no memory, and *items is as it was. */
static void *grow(void **items, size_t count, size_t bytes)
{
    if (count == 0 || (count & (count - 1)) == 0) { /* at each power of two */
        void *more = realloc(*items, (count ? 2 * count : 1) * bytes);
        if (!more)
            return NULL;
        *items = more;
    }
    return memset((char *)*items + count * bytes, 0, bytes);
}

static bool add_act(recorded_acts_t *list, const event_t *event)
{
    recorded_act_t *act = grow((void **)&list->acts, list->count, sizeof *act);
    if (!act)
        return false;
    list->count++;
    *act = (recorded_act_t){.position = event->position,
                            .md_seq = event->md_seq,
                            .now_ns = event->market_ns,
                            .number = event->number,
                            .kind = event->kind};
    return true;
}

static bool add_late(recorded_t *r, const event_t *event)
{
    recorded_late_t *late = grow((void **)&r->lates, r->lates_count, sizeof *late);
    if (!late)
        return false;
    r->lates_count++;
    *late = (recorded_late_t){.first = event->position,
                              .count = event->number,
                              .at_ns = event->market_ns,
                              .strategy = event->pid};
    return true;
}

/* A text of several messages is put together. */
static bool add_limits(recorded_t *r, const event_t *event, const char *text, size_t bytes)
{
    recorded_limits_t *last = r->limits_count ? &r->limits[r->limits_count - 1] : NULL;
    if (!last || last->number != event->number) {
        last = grow((void **)&r->limits, r->limits_count, sizeof *last);
        if (!last || !(last->text = strdup("")))
            return false;
        last->number = event->number;
        r->limits_count++;
    }
    size_t had = strlen(last->text);
    char *longer = realloc(last->text, had + bytes + 1);
    if (!longer)
        return false;
    memcpy(longer + had, text, bytes);
    longer[had + bytes] = 0;
    last->text = longer;
    return true;
}

static recorded_inputs_t *stream_of(const recorded_t *r, uint8_t from, uint32_t number)
{
    for (uint32_t i = 0; i < r->streams_count; i++)
        if (r->streams[i].from == from && r->streams[i].number == number)
            return &r->streams[i];
    return NULL;
}

static bool add_input(recorded_t *r, const event_t *event)
{
    recorded_inputs_t *stream = stream_of(r, event->from, event->pid);
    if (!stream) {
        stream = grow((void **)&r->streams, r->streams_count, sizeof *stream);
        if (!stream)
            return false;
        r->streams_count++;
        stream->from = event->from;
        stream->number = event->pid;
    }
    recorded_input_t *input = grow((void **)&stream->inputs, stream->count, sizeof *input);
    if (!input)
        return false;
    stream->count++;
    *input = (recorded_input_t){
        .md_seq = event->md_seq, .which = event->position, .what = event->number};
    return true;
}

/* One that risk has found out by itself is found again by who repeats it. */
static bool is_of_before(const event_t *event)
{
    return event->kind == EVENT_STRATEGY_REDUCE && event->position == 0 && event->md_seq == 0;
}

static bool add(recorded_t *r, const event_t *event, const char *text, size_t bytes)
{
    bool acts = event->kind == EVENT_HALT || event->kind == EVENT_RESUME;
    switch (event->from) {
    case EVENT_FROM_SUPERVISOR:
        return event->kind != EVENT_LIMITS || add_limits(r, event, text, bytes);
    case EVENT_FROM_RISK:
        if (event->kind == EVENT_END)
            r->end_ns = event->market_ns;
        acts |= event->kind == EVENT_REDUCE || event->kind == EVENT_LIMITS || is_of_before(event);
        return !acts || add_act(&r->risk, event);
    case EVENT_FROM_EXECUTOR:
        return !acts || add_act(&r->executor, event);
    case EVENT_FROM_STRATEGY:
        return event->kind != EVENT_LATE || add_late(r, event);
    default:
        return true;
    }
}

static int fail_memory(tbus_error_t *err)
{
    return tbus_fail(err, -ENOMEM, "no memory for what was done to a recorded session");
}

static int read_events(recorded_t *r, tbus_journal_reader_t *reader, tbus_error_t *err)
{
    tbus_journal_record_t record;
    event_t event;
    bool goes_on[256] = {false}; /* by source: the next message continues a text */
    int topic = tbus_journal_reader_topic(reader, EVENT_TOPIC);
    int inputs = tbus_journal_reader_topic(reader, EVENT_INPUTS_TOPIC);
    int got;
    while ((got = tbus_journal_reader_next(reader, &record, NULL)) > 0) {
        if ((record.topic != topic && record.topic != inputs) || record.bytes < EVENT_BYTES)
            continue;
        memcpy(&event, record.payload, sizeof event);
        if (record.topic == inputs) {
            if (event.kind == EVENT_TAKEN && !add_input(r, &event))
                return fail_memory(err);
            continue;
        }
        r->ends_early |= event.kind == EVENT_FAILED || event.kind == EVENT_ORPHAN;
        bool first = !goes_on[event.from];
        goes_on[event.from] = event.more != 0;
        if (!first && event.kind != EVENT_LIMITS)
            continue;
        if (!add(r, &event, (const char *)record.payload + EVENT_BYTES, record.bytes - EVENT_BYTES))
            return fail_memory(err);
    }
    r->ends_early |= got < 0 || tbus_journal_reader_end(reader) != TBUS_JOURNAL_CLOSED;
    return 0;
}

int recorded_open(const char *directory, recorded_t **out_recorded, tbus_error_t *err)
{
    tbus_journal_reader_t *reader;
    int code = tbus_journal_reader_open(directory, &reader, err);
    if (code < 0)
        return code;
    recorded_t *r = calloc(1, sizeof *r);
    code = r ? read_events(r, reader, err) : fail_memory(err);
    tbus_journal_reader_close(reader);
    if (code < 0) {
        recorded_close(r);
        return code;
    }
    *out_recorded = r;
    return 0;
}

void recorded_close(recorded_t *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->limits_count; i++)
        free(r->limits[i].text);
    for (uint32_t i = 0; i < r->streams_count; i++)
        free(r->streams[i].inputs);
    free(r->streams);
    free(r->limits);
    free(r->lates);
    free(r->risk.acts);
    free(r->executor.acts);
    free(r);
}

const recorded_inputs_t *recorded_inputs(const recorded_t *recorded, uint8_t from, uint32_t number)
{
    return stream_of(recorded, from, number);
}

uint64_t recorded_late_ns(const recorded_t *recorded, uint32_t strategy, uint64_t seq)
{
    for (uint32_t i = 0; i < recorded->lates_count; i++) {
        const recorded_late_t *late = &recorded->lates[i];
        if (late->strategy == strategy && seq - late->first < late->count)
            return late->at_ns;
    }
    return 0;
}
