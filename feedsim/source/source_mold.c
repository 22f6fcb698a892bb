/* SPDX-License-Identifier: Apache-2.0 */
/* A feed of MoldUDP64, live:
 *
 *    line A, line B --mold_socket.h--> mold_receiver.h --messages, gaps--> ticks
 *    requests <----------------------------+   ^
 *    GLIMPSE, for a late start, or after a gap --mold_snapshot.h
 *
 * A turn goes on with the datagrams at hand; when there are none it does what is due by time, looks
 * at each socket once, and says LATER where nothing has come. */
#include "feedsim/source/source_mold_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/clock.h>

#include "feedsim/itch/itch.h"
#include "feedsim/timeline.h"

/* Looks at the sockets in one turn: packets that bring nothing new, of a line that floods, must not
 * keep the feed from what else is to be done. */
#define LOOKS_MAX 4u

static inline uint32_t line_of(const source_mold_t *s, uint32_t socket)
{
    return socket < s->spec.lines ? socket : MOLD_REPLIES;
}

/* ---- what is heard, and what is not ---- */

/* Each line that has been silent for too long, and all of them. */
static void judge_silence(source_mold_t *s)
{
    mold_shown_t *shown = &s->shown;
    for (uint32_t i = 0; i < s->spec.lines; i++)
        if (!shown->lines[i].silent && s->now_ns - shown->lines[i].heard_ns >= s->spec.silent_ns) {
            shown->lines[i].silent = 1;
            shown->lines[i].silences++;
        }
    if (s->heard_ns == 0 || s->spec.lost_ns == UINT64_MAX || s->lost ||
        s->now_ns - s->heard_ns < s->spec.lost_ns)
        return;
    s->lost = -ETIMEDOUT; /* what is kept goes out first */
    if (!s->snapshot_comes)
        mold_receiver_flush(s->receiver);
}

static void hear(source_mold_t *s, uint32_t socket)
{
    mold_socket_heard(s->sockets[socket], s->now_ns);
    if (socket >= s->spec.lines)
        return;
    s->heard_ns = s->shown.lines[socket].heard_ns = s->now_ns;
    s->shown.lines[socket].silent = 0;
}

/* ---- the sockets ---- */

/* Give the receiver the next datagram that is at hand. False: there is none. */
static bool take_datagram(source_mold_t *s)
{
    const uint8_t *datagram;
    size_t bytes;
    for (; s->in_hand < s->sockets_count; s->in_hand++) {
        uint32_t i = s->in_hand;
        if (!mold_socket_next(s->sockets[i], s->now_ns, &datagram, &bytes))
            continue;
        uint64_t foreign = s->counts->foreign;
        if (mold_receiver_take(s->receiver, line_of(s, i), datagram, bytes, s->now_ns) ==
                MOLD_GOOD &&
            s->counts->foreign == foreign)
            hear(s, i);
        return true;
    }
    return false;
}

static void send_requests(source_mold_t *s)
{
    uint8_t request[MOLD_HEADER_BYTES];
    while (mold_receiver_request(s->receiver, s->now_ns, request))
        if (!mold_socket_send(s->sockets[s->spec.lines], request, sizeof request))
            s->shown.requests_unsent++; /* it is made again like one that has no answer */
}

/* What is due by time. True: something may be there to be told. */
static bool serve_time(source_mold_t *s)
{
    bool due = mold_receiver_deadline(s->receiver) <= s->now_ns;
    if (due)
        mold_receiver_tick(s->receiver, s->now_ns);
    if (s->spec.requests[0] && mold_receiver_behind(s->receiver))
        send_requests(s);
    return due;
}

/* Look at all sockets; of the one for requests, while an answer can come. */
static bool receive(source_mold_t *s)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->sockets_count; i++)
        if (i < s->spec.lines || mold_receiver_behind(s->receiver))
            count += mold_socket_receive(s->sockets[i]);
    s->in_hand = 0;
    return count != 0;
}

bool source_mold_step(source_mold_t *s)
{
    if (take_datagram(s))
        return true;
    if (s->looks++ == LOOKS_MAX)
        return false;
    s->now_ns = tbus_clock_ns();
    bool due = serve_time(s);
    if (receive(s) || due)
        return true;
    int lost = s->lost;
    judge_silence(s);
    return s->lost != lost;
}

/* ---- ticks ---- */

int source_mold_put_gap(source_mold_t *s, tick_t *buffer, size_t *out_bytes, uint64_t from,
                        uint64_t to)
{
    feed_source_t *self = &s->base;
    int code = feed_source_put_gap(self, buffer, out_bytes, s->last_event_ns, from, to);
    self->time_ns = FEED_TIME_NONE;
    self->seq = from;
    return code;
}

/* What there is to know about a session that has ended in order. */
static void note_end(source_mold_t *s)
{
    for (uint32_t i = 0; i < s->sockets_count; i++)
        mold_socket_look_at_drops(s->sockets[i]);
    char *text = s->base.note.text;
    size_t room = sizeof s->base.note.text;
    mold_shown_note(&s->shown, text, room);
    size_t used = strlen(text) + (*text ? 2 : 0);
    if (s->base.malformed.count == 0 || used >= room)
        return;
    if (*text)
        strcpy(text + used - 2, "; ");
    feed_source_tell_malformed(&s->base, text + used, room - used);
}

static int end(source_mold_t *s)
{
    s->ended = true;
    note_end(s);
    return FEED_SOURCE_END;
}

static int fail_lost(source_mold_t *s)
{
    for (uint32_t i = 0; i < s->spec.lines; i++)
        mold_socket_look_at_drops(s->sockets[i]);
    return tbus_fail(&s->base.error, s->lost,
                     "nothing was heard of the feed %s%s%s for %" PRIu64
                     " s (lost=), not even a heartbeat: it ended without an end of session before "
                     "message %" PRIu64 "%s; what came before it was delivered",
                     s->spec.line[0], s->spec.lines > 1 ? " and " : "",
                     s->spec.lines > 1 ? s->spec.line[1] : "",
                     s->spec.lost_ns / (1000 * SOURCE_MOLD_MS), mold_receiver_expected(s->receiver),
                     s->counts->foreign ? ", and packets of another session came, which a sender "
                                          "that was started anew has: start again"
                                        : "");
}

bool source_mold_next_event(source_mold_t *s)
{
    if (s->event_held) {
        s->event_held = false;
        return true;
    }
    return mold_receiver_next(s->receiver, &s->event);
}

/* A message that is no ITCH is one that the books lack. */
static int put_message(source_mold_t *s, tick_t *buffer, size_t *out_bytes)
{
    const mold_event_t *event = &s->event;
    int code = feed_source_make_tick(&s->base, &s->last_event_ns, event->sequence, event->data,
                                     event->bytes, buffer, out_bytes);
    if (__builtin_expect(code >= 0, 1))
        return code;
    source_mold_want_snapshot(s);
    return feed_source_put_malformed(&s->base, s->spec.line[0], s->last_event_ns, event->sequence,
                                     event->data, event->bytes, buffer, out_bytes);
}

/* The message without bytes that is held; what has come behind it is told next. */
static int put_empty(source_mold_t *s, tick_t *buffer, size_t *out_bytes)
{
    bool ends = s->event_held && s->event.kind == MOLD_EVENT_END;
    return feed_source_put_empty(&s->base, &s->last_event_ns, ends, buffer, out_bytes);
}

/* The event at hand as a tick; FEED_SOURCE_LATER: it is none. */
static int tell(source_mold_t *s, tick_t *buffer, size_t *out_bytes)
{
    const mold_event_t *event = &s->event;
    if (__builtin_expect(s->base.empty_seq != 0, 0)) {
        s->event_held = true;
        return put_empty(s, buffer, out_bytes);
    }
    switch (event->kind) {
    case MOLD_EVENT_MESSAGE:
        if (__builtin_expect(event->bytes != 0, 1))
            return put_message(s, buffer, out_bytes);
        feed_source_hold_empty(&s->base, event->sequence);
        return FEED_SOURCE_LATER;
    case MOLD_EVENT_GAP:
        source_mold_want_snapshot(s);
        return source_mold_put_gap(s, buffer, out_bytes, event->sequence, event->last);
    case MOLD_EVENT_END:
        return end(s);
    case MOLD_EVENT_SESSION:
    default:
        return FEED_SOURCE_LATER;
    }
}

/* ---- the source ---- */

static int next(feed_source_t *self, tick_t *buffer, size_t *out_bytes)
{
    source_mold_t *s = (source_mold_t *)self;
    int code;
    if (__builtin_expect(self->error.code != 0, 0))
        return self->error.code;
    if (__builtin_expect(s->ended, 0))
        return FEED_SOURCE_END;
    s->looks = 0;
    if (__builtin_expect(source_mold_heals_now(s), 0)) {
        if (self->empty_seq)
            return put_empty(s, buffer, out_bytes);
        code = source_mold_heal(s, buffer, out_bytes);
        if (code != FEED_SOURCE_LATER)
            return code;
    }
    if (__builtin_expect(s->snapshot_comes, 0)) {
        code = source_mold_next_of_snapshot(s, buffer, out_bytes);
        if (code != FEED_SOURCE_LATER || s->snapshot_comes)
            return code;
    }
    do {
        while (source_mold_next_event(s))
            if ((code = tell(s, buffer, out_bytes)) != FEED_SOURCE_LATER)
                return code;
    } while (source_mold_step(s));
    if (__builtin_expect(s->lost == 0, 1))
        return FEED_SOURCE_LATER;
    return self->empty_seq ? put_empty(s, buffer, out_bytes) : fail_lost(s);
}

/* Up to `count` messages of the datagram at hand. 0: what comes next is none of a known type, or
 * does not lie there. */
static uint32_t take_run(source_mold_t *s, tick_t *ticks, uint32_t count, uint64_t *bytes)
{
    mold_run_t run;
    uint32_t made = 0;
    if (s->event_held || !mold_receiver_peek(s->receiver, &run))
        return 0;
    count = run.count < count ? (uint32_t)run.count : count;
    const uint8_t *at = run.blocks, *message;
    for (size_t message_bytes; made < count; made++) {
        const uint8_t *behind = mold_next(at, &message, &message_bytes);
        if (__builtin_expect(!itch_decode_known(message, message_bytes, &ticks[made]), 0))
            break;
        *bytes += message_bytes;
        at = behind;
    }
    if (made)
        mold_receiver_took(s->receiver, made, at);
    return made;
}

/* The next event, if it is a message of a known type; else it is held. */
static uint32_t take_event(source_mold_t *s, tick_t *tick, uint64_t *bytes)
{
    s->event_held = s->event.kind != MOLD_EVENT_MESSAGE ||
                    !itch_decode_known(s->event.data, s->event.bytes, tick);
    *bytes += s->event_held ? 0 : s->event.bytes;
    return !s->event_held;
}

static uint32_t next_batch(feed_source_t *self, tick_t *ticks, uint32_t count,
                           uint64_t *out_message_bytes)
{
    source_mold_t *s = (source_mold_t *)self;
    uint32_t made = 0;
    uint64_t bytes = 0;
    if (__builtin_expect(s->snapshot_comes || s->ended || self->error.code != 0 ||
                             source_mold_heals_now(s) || self->empty_seq != 0,
                         0))
        return 0;
    while (made < count && !s->event_held) {
        uint32_t more = take_run(s, &ticks[made], count - made, &bytes);
        if (more == 0 && source_mold_next_event(s))
            more = take_event(s, &ticks[made], &bytes);
        else if (more == 0 && !take_datagram(s))
            break;
        made += more;
    }
    if (made == 0)
        return 0;
    *out_message_bytes = bytes;
    feed_source_count_batch(self, &ticks[made - 1], made);
    self->seq = s->event_held ? s->event.sequence - 1 : mold_receiver_expected(s->receiver) - 1;
    s->last_event_ns = self->time_ns;
    return made;
}

static void wait_for_more(feed_source_t *self, uint64_t until_ns)
{
    source_mold_t *s = (source_mold_t *)self;
    uint64_t now_ns = tbus_clock_ns(), due_ns = mold_receiver_deadline(s->receiver);
    until_ns = due_ns < until_ns ? due_ns : until_ns;
    if (s->snapshot_comes) /* by a connection that is not looked at here */
        due_ns = now_ns + SOURCE_MOLD_MS;
    else if (s->heal == HEAL_WANTED)
        due_ns = s->heal_at_ns;
    until_ns = due_ns < until_ns ? due_ns : until_ns;
    /* Answers are looked at while something is missing; one that comes later must not wake us. */
    uint32_t count = mold_receiver_behind(s->receiver) ? s->sockets_count : s->spec.lines;
    if (until_ns > now_ns)
        mold_socket_wait(s->sockets, count, until_ns - now_ns);
}

static const feed_source_counter_t *counters(const feed_source_t *self, uint32_t *out_count)
{
    const source_mold_t *s = (const source_mold_t *)self;
    *out_count = s->shown.count;
    return s->shown.rows;
}

static void close_mold(feed_source_t *self)
{
    source_mold_t *s = (source_mold_t *)self;
    mold_snapshot_close(s->snapshot);
    for (uint32_t i = 0; i < SOURCE_MOLD_SOCKETS; i++)
        mold_socket_close(s->sockets[i]);
    free(s->receiver);
    free(s);
}

const feed_source_ops_t source_mold_ops = {.next = next,
                                           .next_batch = next_batch,
                                           .wait = wait_for_more,
                                           .counters = counters,
                                           .close = close_mold};
