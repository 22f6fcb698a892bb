/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/source/source_mold_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <tickbus/clock.h>

#include "feedsim/timeline.h"

/* Messages of a snapshot between two looks at the lines, which must not overflow meanwhile. */
#define SNAPSHOT_TURN 64u
/* After a gap, while the feed stands still: how long to try to get a snapshot, and when again; from
 * then on twice as late each time. */
#define HEAL_CONNECT_NS   (1000 * SOURCE_MOLD_MS)
#define HEAL_AGAIN_NS     (1000 * SOURCE_MOLD_MS)
#define HEAL_AGAIN_NS_MAX (64000 * SOURCE_MOLD_MS)

static int put_restore(source_mold_t *s, tick_t *buffer, size_t *out_bytes, uint8_t what)
{
    int code = feed_source_put_restore(&s->base, buffer, out_bytes, s->last_event_ns, what);
    s->base.time_ns = FEED_TIME_NONE;
    return code;
}

void source_mold_want_snapshot(source_mold_t *s)
{
    if (!s->spec.glimpse[0] || s->heal != HEAL_NOTHING)
        return;
    s->heal = HEAL_WANTED;
    s->heal_at_ns = 0;
    s->heal_again_ns = HEAL_AGAIN_NS;
}

uint64_t source_mold_snapshot_until(const source_mold_t *s)
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
    s->snapshot_until_ns = source_mold_snapshot_until(s);
    s->heal_from = mold_receiver_expected(s->receiver);
    s->snapshot_comes = true;
    s->snapshot_turn = 0;
    mold_receiver_wait(s->receiver);
    while (source_mold_next_event(s))
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
    return source_mold_put_gap(s, buffer, out_bytes, s->heal_from, sequence - 1);
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
                         s->spec.glimpse, s->spec.glimpse_within_ns / (1000 * SOURCE_MOLD_MS));
    if (s->snapshot_end == 0)
        outcome = mold_snapshot_next(s->snapshot, out_message, out_bytes, out_sequence, err);
    else
        *out_sequence = s->snapshot_end;
    if (outcome != MOLD_SNAPSHOT_COMPLETE)
        return outcome;
    s->snapshot_end = same ? 0 : *out_sequence;
    return same ? outcome : MOLD_SNAPSHOT_NOTHING;
}

int source_mold_next_of_snapshot(source_mold_t *s, tick_t *buffer, size_t *out_bytes)
{
    const uint8_t *message;
    size_t bytes;
    uint64_t sequence;
    if (s->snapshot_turn++ % SNAPSHOT_TURN == 0)
        while (source_mold_step(s))
            while (source_mold_next_event(s))
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

int source_mold_heal(source_mold_t *s, tick_t *buffer, size_t *out_bytes)
{
    return s->heal == HEAL_ENDS ? finish_heal(s, buffer, out_bytes)
                                : begin_heal(s, buffer, out_bytes);
}
