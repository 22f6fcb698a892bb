/* SPDX-License-Identifier: Apache-2.0 */
/* A feed of MoldUDP64, live:
 *
 *    line A, line B --mold_socket.h--> mold_receiver.h --messages, gaps--> ticks
 *    requests <----------------------------+   ^
 *    GLIMPSE, for a late start, or after a gap --mold_snapshot.h
 *
 * A turn goes on with the datagrams at hand; when there are none it does what is due by time, looks
 * at each socket once, and says LATER where nothing has come. */
#include "feedsim/source/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/clock.h>

#include "bus/wire/mold_receiver.h"
#include "feedsim/itch/itch.h"
#include "feedsim/source/mold_counters.h"
#include "feedsim/source/mold_snapshot.h"
#include "feedsim/source/mold_socket.h"
#include "feedsim/source/mold_spec.h"
#include "feedsim/timeline.h"

#define MS         UINT64_C(1000000)
#define KEPT_BYTES 128u /* of the memory for what is kept, for one message: more than ITCH needs */
#define TRIES_MAX  1000000u
/* Before a snapshot is asked for, something is to have come over the lines, so that none is missing
 * between them. Senders send at least every second. */
#define FIRST_NS (3000 * MS)
/* Messages of a snapshot between two looks at the lines, which must not overflow meanwhile. */
#define SNAPSHOT_TURN 64u
/* Looks at the sockets in one turn: packets that bring nothing new, of a line that floods, must not
 * keep the feed from what else is to be done. */
#define LOOKS_MAX 4u
/* After a gap, while the feed stands still: how long to try to get a snapshot, and when again; from
 * then on twice as late each time. */
#define HEAL_CONNECT_NS   (1000 * MS)
#define HEAL_AGAIN_NS     (1000 * MS)
#define HEAL_AGAIN_NS_MAX (64000 * MS)
#define SOCKETS_MAX       (MOLD_LINES_MAX + 1)

/* What is to be done about books that lack messages, where there is a server of snapshots. */
enum heal {
    HEAL_NOTHING = 0,
    HEAL_WANTED, /* at heal_at_ns */
    HEAL_RUNS,   /* the snapshot comes; the lines are kept */
    HEAL_ENDS    /* all of it was told but its end */
};

typedef struct source_mold {
    feed_source_t base;
    mold_spec_t spec;
    uint32_t sockets_count;
    mold_socket_t *sockets[SOCKETS_MAX]; /* the lines; then that of requests, if there is one */
    uint32_t in_hand;                    /* whose datagrams are gone through */
    uint64_t now_ns;                     /* of the last look at the sockets */
    uint64_t heard_ns;                   /* when the last good packet came; 0: none has */
    mold_receiver_t *receiver;
    const mold_counts_t *counts;
    mold_snapshot_t *snapshot; /* NULL: none is wanted */
    bool snapshot_comes;       /* it is not complete */
    uint32_t snapshot_turn;
    uint64_t snapshot_until_ns; /* it has failed if it is not complete then */
    uint64_t snapshot_end;      /* complete, and of a session that the line has not shown yet; 0 */
    uint32_t looks;             /* at the sockets, in this turn */
    enum heal heal;
    uint64_t heal_at_ns;
    uint64_t heal_again_ns; /* from one that failed to the next */
    uint64_t heal_from;     /* the first message that was not told before it */
    uint64_t last_event_ns;
    bool event_held; /* a batch stopped before it */
    mold_event_t event;
    bool ended;
    int lost; /* the error that follows when what is there has been told; 0: none */
    mold_shown_t shown;
} source_mold_t;

int feed_source_check_mold(const char *text, tbus_error_t *err)
{
    mold_spec_t spec;
    return mold_spec_parse(text, &spec, err);
}

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

/* Go on. False: nothing now, or enough for this turn: then no datagram is at hand. */
static bool step(source_mold_t *s)
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

static int put_gap(source_mold_t *s, tick_t *buffer, size_t *out_bytes, uint64_t from, uint64_t to)
{
    feed_source_t *self = &s->base;
    int code = feed_source_put_gap(self, buffer, out_bytes, s->last_event_ns, from, to);
    self->time_ns = FEED_TIME_NONE;
    self->seq = from;
    return code;
}

static int put_restore(source_mold_t *s, tick_t *buffer, size_t *out_bytes, uint8_t what)
{
    int code = feed_source_put_restore(&s->base, buffer, out_bytes, s->last_event_ns, what);
    s->base.time_ns = FEED_TIME_NONE;
    return code;
}

/* The books lack something. */
static void want_snapshot(source_mold_t *s)
{
    if (!s->spec.glimpse[0] || s->heal != HEAL_NOTHING)
        return;
    s->heal = HEAL_WANTED;
    s->heal_at_ns = 0;
    s->heal_again_ns = HEAL_AGAIN_NS;
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
                     s->spec.lines > 1 ? s->spec.line[1] : "", s->spec.lost_ns / (1000 * MS),
                     mold_receiver_expected(s->receiver),
                     s->counts->foreign ? ", and packets of another session came, which a sender "
                                          "that was started anew has: start again"
                                        : "");
}

static bool next_event(source_mold_t *s)
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
    want_snapshot(s);
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
        want_snapshot(s);
        return put_gap(s, buffer, out_bytes, event->sequence, event->last);
    case MOLD_EVENT_END:
        return end(s);
    case MOLD_EVENT_SESSION:
    default:
        return FEED_SOURCE_LATER;
    }
}

/* ---- snapshots: a late start, and after a gap ---- */

static bool heals_now(const source_mold_t *s)
{
    return s->heal == HEAL_ENDS ||
           (s->heal == HEAL_WANTED && s->now_ns >= s->heal_at_ns && !s->event_held && !s->lost);
}

static uint64_t snapshot_until(const source_mold_t *s)
{
    uint64_t within_ns = s->spec.glimpse_within_ns;
    return within_ns < UINT64_MAX - s->now_ns ? s->now_ns + within_ns : UINT64_MAX;
}

/* Of the line's session? 0: that is not known yet; negative: no. */
static int judge_session(const source_mold_t *s)
{
    const uint8_t *session = mold_receiver_session(s->receiver);
    return !session ? 0 : mold_snapshot_is_of(s->snapshot, session) ? 1 : -1;
}

/* Ask for a snapshot, and keep the lines until it is there. FEED_SOURCE_LATER: there is none now;
 * messages go on, and it is asked for again. */
static int begin_heal(source_mold_t *s, tick_t *buffer, size_t *out_bytes)
{
    tbus_error_t why;
    mold_snapshot_close(s->snapshot);
    s->snapshot = NULL;
    int code = mold_snapshot_open(&s->spec, HEAL_CONNECT_NS, &s->snapshot, &why);
    s->now_ns = tbus_clock_ns();
    s->heal_at_ns = s->now_ns + s->heal_again_ns;
    s->heal_again_ns =
        2 * s->heal_again_ns < HEAL_AGAIN_NS_MAX ? 2 * s->heal_again_ns : HEAL_AGAIN_NS_MAX;
    if (code < 0 || judge_session(s) < 0) {
        s->shown.snapshots_failed++;
        return FEED_SOURCE_LATER;
    }
    s->heal = HEAL_RUNS;
    s->snapshot_until_ns = snapshot_until(s);
    s->heal_from = mold_receiver_expected(s->receiver);
    s->snapshot_comes = true;
    s->snapshot_turn = 0;
    mold_receiver_wait(s->receiver);
    while (next_event(s))
        continue; /* a session has begun: nothing else is told now */
    return put_restore(s, buffer, out_bytes, TICK_RESTORE_BEGINS);
}

/* It was cut off, or is of no use: messages go on where they were. */
static int fail_heal(source_mold_t *s, tick_t *buffer, size_t *out_bytes)
{
    s->snapshot_comes = s->base.warm_up = false;
    s->heal = HEAL_WANTED;
    s->shown.snapshots_failed++;
    mold_receiver_begin(s->receiver, s->heal_from, s->now_ns);
    if (s->lost)
        mold_receiver_flush(s->receiver);
    return put_restore(s, buffer, out_bytes, TICK_RESTORE_FAILED);
}

static int finish_heal(source_mold_t *s, tick_t *buffer, size_t *out_bytes)
{
    s->heal = HEAL_NOTHING;
    return put_restore(s, buffer, out_bytes, TICK_RESTORE_ENDS);
}

/* The snapshot is complete, and the lines go on with message `sequence`. */
static int end_heal(source_mold_t *s, uint64_t sequence, tick_t *buffer, size_t *out_bytes)
{
    s->shown.snapshots++;
    if (sequence <= s->heal_from)
        return finish_heal(s, buffer, out_bytes);
    s->heal = HEAL_ENDS;
    return put_gap(s, buffer, out_bytes, s->heal_from, sequence - 1);
}

/* As mold_snapshot_next, of one that is of this session and comes in time. */
static int ask_snapshot(source_mold_t *s, const uint8_t **out_message, size_t *out_bytes,
                        uint64_t *out_sequence, tbus_error_t *err)
{
    int same = judge_session(s), outcome = MOLD_SNAPSHOT_COMPLETE;
    char line[MOLD_SESSION_BYTES + 1];
    if (same < 0) {
        mold_session_text(mold_receiver_session(s->receiver), line);
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "the snapshot from %s (glimpse=) is of session '%s', and the line of "
                         "'%s': its sequence says nothing here; glimpse_session= names the one "
                         "that it is to be of, or any",
                         s->spec.glimpse, mold_snapshot_session(s->snapshot), line);
    }
    if (s->snapshot_end == 0 && s->now_ns >= s->snapshot_until_ns)
        return tbus_fail(err, -ETIMEDOUT,
                         "the snapshot from %s (glimpse=) was not complete after %" PRIu64
                         " s (glimpse_within=); start again",
                         s->spec.glimpse, s->spec.glimpse_within_ns / (1000 * MS));
    if (s->snapshot_end == 0)
        outcome = mold_snapshot_next(s->snapshot, out_message, out_bytes, out_sequence, err);
    else
        *out_sequence = s->snapshot_end;
    if (outcome != MOLD_SNAPSHOT_COMPLETE)
        return outcome;
    s->snapshot_end = same ? 0 : *out_sequence;
    return same ? outcome : MOLD_SNAPSHOT_NOTHING;
}

/* Go on with the lines, which are kept, and take the next message of the snapshot.
 * FEED_SOURCE_LATER: nothing now, or it is complete. */
static int next_of_snapshot(source_mold_t *s, tick_t *buffer, size_t *out_bytes)
{
    const uint8_t *message;
    size_t bytes;
    uint64_t sequence;
    if (s->snapshot_turn++ % SNAPSHOT_TURN == 0)
        while (step(s))
            while (next_event(s))
                continue; /* a session has begun: nothing else is told now */
    tbus_error_t why = {0};
    int outcome = ask_snapshot(s, &message, &bytes, &sequence, &why);
    bool heals = s->heal == HEAL_RUNS;
    if (heals && (outcome < 0 || (outcome == MOLD_SNAPSHOT_COMPLETE && sequence < s->heal_from)))
        return fail_heal(s, buffer, out_bytes);
    if (outcome < 0) {
        s->base.error = why;
        return outcome;
    }
    if (outcome == MOLD_SNAPSHOT_NOTHING)
        s->snapshot_turn = 0;
    if (outcome == MOLD_SNAPSHOT_COMPLETE) {
        s->snapshot_comes = s->base.warm_up = false;
        mold_receiver_begin(s->receiver, sequence, s->now_ns);
        if (s->lost)
            mold_receiver_flush(s->receiver);
        if (heals)
            return end_heal(s, sequence, buffer, out_bytes);
    }
    if (outcome != MOLD_SNAPSHOT_MESSAGE)
        return FEED_SOURCE_LATER;
    int code =
        feed_source_make_tick(&s->base, &s->last_event_ns, 0, message, bytes, buffer, out_bytes);
    if (code < 0)
        return heals ? fail_heal(s, buffer, out_bytes)
                     : tbus_fail(&s->base.error, code,
                                 "the snapshot from %s (glimpse=) has a message that is no ITCH "
                                 "5.0: type 0x%02x with %zu bytes; start again",
                                 s->spec.glimpse, message[0], bytes);
    s->base.warm_up = true;
    return code;
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
    if (__builtin_expect(heals_now(s), 0)) {
        if (self->empty_seq)
            return put_empty(s, buffer, out_bytes);
        code = s->heal == HEAL_ENDS ? finish_heal(s, buffer, out_bytes)
                                    : begin_heal(s, buffer, out_bytes);
        if (code != FEED_SOURCE_LATER)
            return code;
    }
    if (__builtin_expect(s->snapshot_comes, 0)) {
        code = next_of_snapshot(s, buffer, out_bytes);
        if (code != FEED_SOURCE_LATER || s->snapshot_comes)
            return code;
    }
    do {
        while (next_event(s))
            if ((code = tell(s, buffer, out_bytes)) != FEED_SOURCE_LATER)
                return code;
    } while (step(s));
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
    if (__builtin_expect(s->snapshot_comes || s->ended || self->error.code != 0 || heals_now(s) ||
                             self->empty_seq != 0,
                         0))
        return 0;
    while (made < count && !s->event_held) {
        uint32_t more = take_run(s, &ticks[made], count - made, &bytes);
        if (more == 0 && next_event(s))
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
        due_ns = now_ns + MS;
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
    for (uint32_t i = 0; i < SOCKETS_MAX; i++)
        mold_socket_close(s->sockets[i]);
    free(s->receiver);
    free(s);
}

static const feed_source_ops_t ops = {.next = next,
                                      .next_batch = next_batch,
                                      .wait = wait_for_more,
                                      .counters = counters,
                                      .close = close_mold};

/* ---- opening ---- */

/* How many requests `give_up_ns` has room for, one after the other. */
static uint32_t tries_within(const mold_receiver_config_t *config, uint64_t give_up_ns)
{
    uint64_t wait_ns = config->retry_ns, sum_ns = 0;
    uint32_t tries = 0;
    do {
        tries++;
        sum_ns += wait_ns;
        wait_ns = 2 * wait_ns < config->retry_ns_max ? 2 * wait_ns : config->retry_ns_max;
    } while (sum_ns < give_up_ns && tries < TRIES_MAX);
    return tries;
}

static mold_receiver_config_t configure(const mold_spec_t *spec)
{
    mold_receiver_config_t config = MOLD_RECEIVER_USUAL;
    config.lines = spec->lines;
    config.session_given = spec->session[0] != 0;
    if (config.session_given)
        mold_session_put(config.session, spec->session);
    config.first = spec->from;
    config.wait = spec->glimpse[0] != 0;
    config.store_bytes = spec->keep_bytes;
    while (config.window_messages > 2 && config.window_messages > spec->keep_bytes / KEPT_BYTES)
        config.window_messages /= 2;
    while (config.window_messages <= spec->keep_bytes / KEPT_BYTES / 2)
        config.window_messages *= 2;
    config.reorder_packets = (uint32_t)spec->reorder_packets;
    config.hold_ns = spec->hold_ns == UINT64_MAX ? MOLD_NEVER : spec->hold_ns;
    config.silent_ns = MOLD_NEVER; /* one session is one feed: another never takes its place */
    config.tries = spec->requests[0] ? tries_within(&config, spec->give_up_ns) : 0;
    return config;
}

size_t feed_source_memory_bytes_mold(const char *text)
{
    mold_spec_t spec;
    if (mold_spec_parse(text, &spec, NULL) < 0)
        return 0;
    const mold_receiver_config_t config = configure(&spec);
    return mold_receiver_footprint(&config) + (spec.lines + 1) * MOLD_SOCKET_BYTES;
}

static int make_receiver(source_mold_t *s, tbus_error_t *err)
{
    const mold_receiver_config_t config = configure(&s->spec);
    size_t bytes = mold_receiver_footprint(&config);
    void *memory = bytes ? aligned_alloc(64, bytes) : NULL;
    s->receiver = memory ? mold_receiver_format(memory, &config) : NULL;
    if (!s->receiver)
        return tbus_fail(err, -ENOMEM, "no memory for what comes out of order (%zu bytes)", bytes);
    s->counts = mold_receiver_counts(s->receiver);
    return 0;
}

static int open_sockets(source_mold_t *s, tbus_error_t *err)
{
    const mold_spec_t *spec = &s->spec;
    mold_socket_way_t way = {.senders = spec->source,
                             .silent_ns = spec->silent_ns,
                             .receive_bytes = spec->receive_bytes};
    int code = 0;
    for (uint32_t i = 0; code == 0 && i < spec->lines; i++) {
        way.address = spec->line[i];
        way.interface = spec->interfaces[i];
        code = mold_socket_open(&way, &s->sockets[i], err);
        s->sockets_count += code == 0;
    }
    if (code == 0 && spec->requests[0]) {
        way.address = spec->requests;
        way.senders = "";
        way.connected = true;
        code = mold_socket_open(&way, &s->sockets[spec->lines], err);
        s->sockets_count += code == 0;
    }
    return code;
}

static int open_snapshot(source_mold_t *s, tbus_error_t *err)
{
    if (!s->spec.glimpse[0])
        return 0;
    mold_socket_wait(s->sockets, s->spec.lines, FIRST_NS);
    s->snapshot_comes = true;
    int code = mold_snapshot_open(&s->spec, 0, &s->snapshot, err);
    s->now_ns = tbus_clock_ns();
    s->snapshot_until_ns = snapshot_until(s);
    return code;
}

int feed_source_open_mold(const char *text, feed_source_t **out_source, tbus_error_t *err)
{
    source_mold_t *s = calloc(1, sizeof *s);
    if (!s)
        return tbus_fail(err, -ENOMEM, "no memory for the feed mold:%s", text);
    s->base.ops = &ops;
    s->base.daily = true;
    int code = mold_spec_parse(text, &s->spec, err);
    if (code == 0)
        code = make_receiver(s, err);
    if (code == 0)
        code = open_sockets(s, err);
    if (code == 0)
        code = open_snapshot(s, err);
    if (code < 0) {
        close_mold(&s->base);
        return code;
    }
    s->now_ns = tbus_clock_ns();
    for (uint32_t i = 0; i < s->spec.lines; i++)
        s->shown.lines[i].heard_ns = s->now_ns;
    mold_shown_make(&s->shown, s->spec.lines, s->counts);
    mold_shown_sockets(&s->shown, s->sockets, s->sockets_count, s->spec.receive_bytes);
    mold_shown_add(&s->shown, feed_source_malformed_counter(&s->base));
    *out_source = &s->base;
    return 0;
}
