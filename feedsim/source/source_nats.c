/* SPDX-License-Identifier: Apache-2.0 */
/* The topic md of a bus on another host, from a stream of NATS JetStream:
 *
 *    feedsim/nats/jetstream/tail.h --nats_handover--> messages, losses, the end --> ticks
 *
 * All that waits, allocates or talks to the network is on the other side of the queue. */
#include "feedsim/source/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feedsim/itch/itch.h"
#include "feedsim/nats/handover.h"
#include "feedsim/nats/jetstream/tail.h"
#include "feedsim/source/nats_spec.h"
#include "feedsim/timeline.h"

#define COUNT_TURN 256u /* messages between two looks at the counts */
#define NATS_SHOWN 7u

typedef struct source_nats {
    feed_source_t base;
    nats_tail_t *tail;
    nats_handover_t *queue;
    bool ended;
    bool recorded;   /* paced by the times at which the other bus published */
    uint64_t day_ns; /* midnight of the first of them, UTC; 0: none yet */
    uint64_t last_event_ns;
    nats_tail_counts_t counts; /* as they were when the queue was last empty, or now and then */
    uint32_t turn;
    feed_source_counter_t rows[NATS_SHOWN];
    char stream[NATS_STREAM_MAX + 16]; /* for people */
} source_nats_t;

/* ---- ticks ---- */

static uint64_t recorded_time(source_nats_t *s, const nats_item_t *item)
{
    if (item->time_ns == 0)
        return FEED_TIME_NONE;
    if (s->day_ns == 0)
        s->day_ns = item->time_ns - item->time_ns % FEED_DAY_NS;
    return item->time_ns > s->day_ns ? item->time_ns - s->day_ns : 0;
}

static int put_message(source_nats_t *s, const nats_item_t *item, tick_t *buffer, size_t *out_bytes)
{
    int code = feed_source_put_message(&s->base, s->stream, &s->last_event_ns, item->seq,
                                       nats_item_payload(item), item->bytes, buffer, out_bytes);
    s->base.warm_up = item->warm_up;
    if (s->recorded)
        s->base.time_ns = recorded_time(s, item);
    return code;
}

static int put_lost(source_nats_t *s, const nats_item_t *item, tick_t *buffer, size_t *out_bytes)
{
    feed_source_t *self = &s->base;
    int code =
        feed_source_put_gap(self, buffer, out_bytes, s->last_event_ns, item->seq, item->last);
    self->warm_up = false;
    self->time_ns = FEED_TIME_NONE;
    self->seq = item->seq;
    return code;
}

static int fail(source_nats_t *s, const nats_item_t *item)
{
    return tbus_fail(&s->base.error, -(int)item->last, "%s", (const char *)nats_item_payload(item));
}

static void look_at_counts(source_nats_t *s)
{
    s->turn = 0;
    nats_tail_counts(s->tail, &s->counts);
}

static int put(source_nats_t *s, const nats_item_t *item, tick_t *buffer, size_t *out_bytes)
{
    switch (item->kind) {
    case NATS_ITEM_MESSAGE:
        return put_message(s, item, buffer, out_bytes);
    case NATS_ITEM_LOST:
        return put_lost(s, item, buffer, out_bytes);
    case NATS_ITEM_END:
        s->ended = true;
        look_at_counts(s);
        feed_source_tell_malformed(&s->base, s->base.note.text, sizeof s->base.note.text);
        return FEED_SOURCE_END;
    default:
        return fail(s, item);
    }
}

static int next(feed_source_t *self, tick_t *buffer, size_t *out_bytes)
{
    source_nats_t *s = (source_nats_t *)self;
    if (__builtin_expect(self->error.code != 0, 0))
        return self->error.code;
    if (__builtin_expect(s->ended, 0))
        return FEED_SOURCE_END;
    for (;;) {
        const nats_item_t *item = nats_handover_front(s->queue);
        if (!item || s->turn++ == COUNT_TURN)
            look_at_counts(s);
        if (!item)
            return FEED_SOURCE_LATER;
        if (__builtin_expect(self->empty_seq != 0, 0))
            return feed_source_put_empty(self, &s->last_event_ns, item->kind == NATS_ITEM_END,
                                         buffer, out_bytes);
        bool empty = item->kind == NATS_ITEM_MESSAGE && item->bytes == 0;
        if (__builtin_expect(empty, 0))
            feed_source_hold_empty(self, item->seq); /* what it is says the next one */
        int code = empty ? FEED_SOURCE_LATER : put(s, item, buffer, out_bytes);
        nats_handover_pop(s->queue, item);
        if (!empty)
            return code;
    }
}

static void wait_for_more(feed_source_t *self, uint64_t until_ns)
{
    nats_handover_wait(((source_nats_t *)self)->queue, until_ns);
}

static const feed_source_counter_t *counters(const feed_source_t *self, uint32_t *out_count)
{
    *out_count = NATS_SHOWN;
    return ((const source_nats_t *)self)->rows;
}

static void name_counters(source_nats_t *s)
{
    const nats_tail_counts_t *c = &s->counts;
    const feed_source_counter_t rows[NATS_SHOWN] = {
        {"nats.connected", "flag", &c->connected}, {"nats.reconnects", "times", &c->reconnects},
        {"nats.rereads", "times", &c->rereads},    {"nats.pending", "messages", &c->pending},
        {"nats.repeated", "messages", &c->passed}, {"nats.direct", "messages", &c->direct},
        feed_source_malformed_counter(&s->base)};
    memcpy(s->rows, rows, sizeof rows);
}

static void close_nats(feed_source_t *self)
{
    source_nats_t *s = (source_nats_t *)self;
    nats_tail_close(s->tail);
    free(s);
}

static const feed_source_ops_t ops = {
    .next = next, .wait = wait_for_more, .counters = counters, .close = close_nats};

/* ---- opening ---- */

int feed_source_check_nats(const char *text, tbus_error_t *err)
{
    nats_spec_t spec;
    int code = nats_spec_parse(text, &spec, err);
    return code == 0 && !nats_available() ? nats_missing("a feed of NATS JetStream", err) : code;
}

size_t feed_source_memory_bytes_nats(const char *text)
{
    nats_spec_t spec;
    return nats_spec_parse(text, &spec, NULL) == 0 ? spec.keep_bytes : 0;
}

int feed_source_open_nats(const char *text, enum feed_clock clock, feed_source_t **out_source,
                          tbus_error_t *err)
{
    nats_spec_t spec;
    nats_tail_options_t options;
    int code = nats_spec_parse(text, &spec, err);
    if (code < 0)
        return code;
    if (clock == FEED_CLOCK_CAPTURE)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "a stream has no times of capture; write --clock recorded");
    source_nats_t *s = calloc(1, sizeof *s);
    if (!s)
        return tbus_fail(err, -ENOMEM, "no memory to read the stream %s", spec.stream);
    s->base.ops = &ops;
    s->recorded = clock == FEED_CLOCK_RECORDED;
    s->base.daily = !s->recorded;
    name_counters(s);
    snprintf(s->stream, sizeof s->stream, "the stream %s", spec.stream);
    nats_spec_options(&spec, &options);
    code = nats_tail_open(&options, &s->tail, err);
    if (code < 0) {
        free(s);
        return code;
    }
    s->queue = nats_tail_queue(s->tail);
    *out_source = &s->base;
    return 0;
}

int feed_source_first_seq_nats(const char *text, uint64_t *out_seq, tbus_error_t *err)
{
    nats_spec_t spec;
    nats_tail_options_t options;
    int code = nats_spec_parse(text, &spec, err);
    if (code < 0)
        return code;
    nats_spec_options(&spec, &options);
    return nats_tail_first_seq(&options, out_seq, err);
}
