/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/feed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tickbus/outlet.h>

#include <tickbus/market/clock.h>

#include "bus/market/places.h"
#include "bus/run/stamps.h"

#include "feedsim/arrivals.h"
#include "feedsim/itch/itch.h"
#include "feedsim/opening.h"
#include "feedsim/pace.h"
#include "feedsim/shown.h"
#include "feedsim/source/prepared.h"
#include "feedsim/source/source.h"
#include "feedsim/timeline.h"

#define CLOCK_BURST 16u /* messages for one look at the clock, */
#define WHOLE_BURST 64u /*    where they do not wait for it */
/* Ticks that are decoded, then published. */
#define BATCH_MAX 16u
/* Between two looks at a pipe or a connection that has nothing: a part of the time since something
 * came. So what comes at a steady rate waits for a small part of the time between two messages,
 * whatever that is, and one that is silent costs little. */
#define LATER_PART   32u
#define LATER_NS_MIN UINT64_C(1000)
#define LATER_NS_MAX UINT64_C(1000000)
#define TOLD_NS      UINT64_C(200000) /* between two words on how far market time is */
/* Market time is told so much before it has come, on the host's clock: else, whenever a tick comes
 * after a pause, those who may not take it before the others have come so far would wait for three
 * wake-ups, one after the other. It changes no result (bus/market/drive.h): what happens between
 * two ticks may be seen a millisecond early. */
#define LEAD_NS    UINT64_C(1000000)
#define PASSED_MAX 4096u /* ticks of other symbols that are passed over in one turn */
#define NEVER_NS   UINT64_MAX
/* After the end of its time a feed that is behind may send what was due before, for so long at
 * most: what a stall at the end held up is part of the run. One that cannot keep up ends then. */
#define CATCH_UP_NS_MIN UINT64_C(200000000)
#define CATCH_UP_PART   16u /* of the time that was given */

typedef struct feed_stage {
    tbus_stage_t base;
    tbus_outlet_t md; /* keeps one tick that was due */
    feed_source_t *source;
    places_t *places;       /* NULL: none are told */
    feed_opening_t opening; /* goes out before the source is asked */
    feed_selection_t selection;
    feed_timeline_t timeline;
    feed_pace_t pace;
    feed_arrivals_t arrivals; /* instead of the messages' own times, where there are any */
    bool at_once;   /* the tick in hand, or that the outlet keeps: it is due when there is room */
    bool windowed;  /* times matter at `max`, too */
    bool whole;     /* all of the source goes out, each tick as soon as there is room */
    bool batches;   /* the same, and nobody looks at each of them: several at a time */
    bool restoring; /* from a RESTORE that begins to the one that ends it */
    uint64_t from_seq, to_seq; /* as the timeline's from and to, by the numbers of ticks */
    enum feed_window window;   /* of the tick in hand */
    uint64_t for_ns;           /* 0: no limit */
    uint64_t end_ns;           /* what is due then or later is not sent; NEVER_NS: no limit */
    uint64_t given_up_ns;      /* nor, from then on, what was due before */
    uint64_t epoch_ns;
    bool started;
    market_clock_t clock;    /* as of the last tick that was sent, or is kept; not at `max` */
    tbus_horizon_t *horizon; /* our own */
    uint64_t later_ns;       /* the source has nothing before this; 0: it has */
    uint64_t since_ns;       /* the first look in vain since it had something; 0: there was none */
    uint64_t due_ns;         /* of the tick in hand */
    size_t bytes;            /* of the tick in hand; 0: there is none */
    tick_t *tick;            /* TICK_LEN_MAX bytes */
    tick_t batch[BATCH_MAX];
    uint64_t sent; /* messages, and their bytes, so far; shown after each turn */
    uint64_t sent_bytes;
    tbus_atomic_u64_t *messages;
    tbus_atomic_u64_t *message_bytes;
    tbus_atomic_u64_t *errors;
    tbus_atomic_u64_t *ended;
    tbus_atomic_u64_t *done;
    tbus_atomic_u64_t *total;
    tbus_atomic_u64_t *due;
    tbus_atomic_u64_t *due_time;
    tbus_atomic_u64_t *unprepared;
    tbus_atomic_u64_t *by_type[256]; /* NULL: not seen yet */
    uint8_t gap_policy;
    feed_shown_t shown;          /* what the source counts */
    feed_gap_board_t *gap_board; /* NULL: nobody looks */
    tbus_atomic_u64_t *gaps;     /* once there was one */
    tbus_atomic_u64_t *lost;
} feed_stage_t;

/* No more input. What is in hand does not go out; what the outlet keeps does. */
static void stop_reading(feed_stage_t *f)
{
    f->base.source_done = true;
    f->bytes = 0;
    feed_shown_copy(&f->shown, 0);
    tbus_store_relaxed_u64(f->due, 0);
}

/* The end of all that was asked for, and not of the time that was given. */
static void had_no_more(feed_stage_t *f)
{
    tbus_store_relaxed_u64(f->ended, 1);
    stop_reading(f);
}

static void fail_source(feed_stage_t *f)
{
    tbus_add_own_u64(f->errors, 1);
    stop_reading(f);
}

/* For who watches. A mark that says nonsense of where is only counted. Cold. */
static void show_gap(feed_stage_t *f, size_t bytes)
{
    tick_gap_t gap;
    if (!f->gaps) {
        f->gaps = tbus_counter(f->base.bus, f->base.owner, "feed.gaps", "gaps");
        f->lost = tbus_counter(f->base.bus, f->base.owner, "feed.lost", "messages");
    }
    tbus_add_own_u64(f->gaps, 1);
    if (!tick_gap_get(f->tick, bytes, &gap) || gap.from == 0 || gap.to < gap.from)
        return;
    tbus_add_own_u64(f->lost, gap.to - gap.from + 1);
    if (f->gap_board)
        feed_gap_board_add(f->gap_board, gap.from, gap.to);
}

/* A mark of messages that are lost: what orders come to is for this feed to say. One that was cut
 * stays as it is. And one of books that are made anew: what it tells of the tick in hand. */
static void take_mark(feed_stage_t *f)
{
    if (f->tick->type == TICK_RESTORE) {
        f->restoring = f->bytes >= TICK_RESTORE_BYTES;
        return;
    }
    if (f->bytes >= TICK_GAP_BYTES)
        f->tick->body[TICK_GAP_BODY - 1] = f->gap_policy;
    show_gap(f, f->bytes);
}

/* The mark that ends a snapshot is the last tick of it. */
static void leave_restore(feed_stage_t *f)
{
    if (f->tick->type == TICK_RESTORE)
        f->restoring = f->bytes >= TICK_RESTORE_BYTES && f->tick->body[0] == TICK_RESTORE_BEGINS;
}

/* Cold: once per type. */
static tbus_atomic_u64_t *add_type_counter(feed_stage_t *f, uint8_t type)
{
    char label[ITCH_LABEL_BYTES], name[sizeof "feed.by_type." + ITCH_LABEL_BYTES];
    itch_type_label(type, label);
    snprintf(name, sizeof name, "feed.by_type.%s", label);
    f->by_type[type] = tbus_counter(f->base.bus, f->base.owner, name, "messages");
    return f->by_type[type];
}

static inline void count_type(feed_stage_t *f, uint8_t type)
{
    tbus_atomic_u64_t *by_type = f->by_type[type];
    tbus_add_own_u64(TBUS_LIKELY(by_type != NULL) ? by_type : add_type_counter(f, type), 1);
}

static inline void count(feed_stage_t *f)
{
    const feed_source_t *source = f->source;
    if (source->tick_is_mark)
        return;
    count_type(f, source->tick_type);
    f->sent++;
    f->sent_bytes += source->tick_message_bytes;
}

static bool fits_md(feed_stage_t *f)
{
    if (TBUS_LIKELY(f->bytes <= f->md.publisher.ring.msg_bytes_max))
        return true;
    tbus_fail(&f->base.error, -TBUS_ETOOBIG,
              "message %" PRIu64
              " of the feed makes a tick of %zu bytes but the topic md carries at most %" PRIu32
              "; what came before it was delivered",
              f->source->messages - 1, f->bytes, f->md.publisher.ring.msg_bytes_max);
    fail_source(f);
    return false;
}

/* Put the tick in hand on the schedule. False: it is behind all that was asked for. */
static bool schedule(feed_stage_t *f, uint64_t now_ns)
{
    uint64_t time_ns = FEED_TIME_NONE;
    enum feed_window window = FEED_WITHIN;
    f->due_ns = now_ns;
    bool for_books = f->source->warm_up | f->restoring;
    if (TBUS_LIKELY(f->whole) && TBUS_LIKELY(!for_books)) {
        f->window = FEED_WITHIN;
        f->at_once = true;
        return true;
    }
    /* What was for warming up when it was recorded is so again; its times are in no order. */
    if ((f->windowed || f->pace.kind == FEED_PACE_TIMED) && !for_books)
        window = feed_timeline_next(&f->timeline, f->source->time_ns, &time_ns);
    if (window == FEED_WITHIN && (f->source->seq < f->from_seq || for_books))
        window = FEED_BEFORE;
    if (f->source->seq >= f->to_seq)
        window = FEED_BEHIND;
    f->window = window;
    if (TBUS_UNLIKELY(window == FEED_BEHIND)) {
        had_no_more(f);
        return false;
    }
    f->at_once = window == FEED_BEFORE || f->pace.kind == FEED_PACE_MAX;
    if (f->at_once)
        return true;
    if (f->arrivals.times_ns)
        time_ns = feed_arrivals_next(&f->arrivals);
    f->due_ns = feed_pace_next(&f->pace, time_ns, now_ns);
    if (f->due_ns > now_ns) {
        tbus_store_relaxed_u64(f->due, f->due_ns);
        tbus_store_relaxed_u64(f->due_time, f->source->time_ns);
    }
    return true;
}

/* Take the next tick of the opening in hand. */
static bool take_opening(feed_stage_t *f, uint64_t now_ns)
{
    memcpy(f->tick, feed_opening_next(&f->opening), sizeof *f->tick);
    f->bytes = sizeof *f->tick;
    f->window = FEED_BEFORE;
    f->at_once = true;
    f->due_ns = now_ns;
    f->source->tick_is_mark = tick_is_mark(f->tick);
    f->source->tick_type = itch_tick_type(f->tick, f->bytes);
    f->source->tick_message_bytes = (uint32_t)itch_tick_message_bytes(f->tick, f->bytes);
    return fits_md(f);
}

/* The source has ended. */
static void end_reading(feed_stage_t *f)
{
    f->base.error = f->source->note;
    if (f->window == FEED_BEFORE && f->tick->type != TICK_RESTORE && f->base.error.text[0] == 0)
        snprintf(f->base.error.text, sizeof(f->base.error.text),
                 "the feed ended before the place that --from names: nothing of it was paced");
    had_no_more(f);
}

/* The source has nothing now. */
static void look_later(feed_stage_t *f, uint64_t now_ns)
{
    f->since_ns = f->since_ns ? f->since_ns : now_ns;
    uint64_t step_ns = (now_ns - f->since_ns) / LATER_PART;
    step_ns = step_ns > LATER_NS_MIN ? step_ns : LATER_NS_MIN;
    f->later_ns = now_ns + (step_ns < LATER_NS_MAX ? step_ns : LATER_NS_MAX);
}

/* Take the next tick in hand and put it on the schedule. False: there is none now. */
static bool take(feed_stage_t *f, uint64_t now_ns)
{
    if (f->base.source_done || now_ns < f->later_ns)
        return false;
    if (TBUS_UNLIKELY(f->opening.next < f->opening.count))
        return take_opening(f, now_ns);
    int rc = feed_source_next(f->source, f->tick, &f->bytes);
    for (unsigned passed = 0; rc == FEED_SOURCE_TICK && TBUS_UNLIKELY(f->selection.count != 0) &&
                              !feed_selection_takes(&f->selection, f->tick, f->bytes);
         passed++) {
        f->bytes = 0;
        if (passed == PASSED_MAX)
            return false;
        rc = feed_source_next(f->source, f->tick, &f->bytes);
    }
    if (TBUS_LIKELY(rc == FEED_SOURCE_TICK)) {
        f->later_ns = f->since_ns = 0;
        bool mark = f->tick->type == TICK_GAP || f->tick->type == TICK_RESTORE;
        if (TBUS_UNLIKELY(mark))
            take_mark(f);
        bool scheduled = schedule(f, now_ns);
        if (TBUS_UNLIKELY(mark))
            leave_restore(f);
        return scheduled && fits_md(f);
    }
    if (rc == FEED_SOURCE_LATER) {
        look_later(f, now_ns);
    } else if (rc == FEED_SOURCE_END) {
        end_reading(f);
    } else {
        f->base.error = f->source->error;
        fail_source(f);
    }
    return false;
}

/* As `intended` holds it. */
static inline uint64_t intended_ns(const feed_stage_t *f, uint64_t due_ns)
{
    uint64_t ns = (due_ns - f->epoch_ns) & TICK_NS_MASK;
    return ns - TBUS_UNLIKELY(ns == TICK_WARM_UP); /* one nanosecond in 78 hours */
}

/* What comes before the place that was asked for is wanted at no time. */
static inline void intend(const feed_stage_t *f, tick_t *tick, uint64_t due_ns)
{
    uint64_t ns = TBUS_LIKELY(f->window != FEED_BEFORE) ? intended_ns(f, due_ns) : TICK_WARM_UP;
    tick->intended = tick_pack(ns, tick_locate(tick));
}

/* The tick that is about to be put on `md` was wanted at `due_ns`. */
static void note_publish(const feed_stage_t *f, uint64_t due_ns)
{
    const tbus_stamps_t *stamps = f->base.bus->stamps;
    uint64_t seq = f->md.publisher.seq;
    if (f->window == FEED_BEFORE)
        return;
    if (tbus_load_relaxed_u64(&stamps->shared->first_seq) == 0) /* ours */
        tbus_store_relaxed_u64(&stamps->shared->first_seq, seq);
    tbus_stamps_message(stamps, TBUS_STAMP_INTENDED, seq, due_ns);
    tbus_stamps_message(stamps, TBUS_STAMP_PUBLISHED, seq, tbus_stamps_now(stamps));
}

/* Nearly all ticks have this size. Where the compiler knows it, the copy is four stores and no
 * loop. */
static enum tbus_outlet_result send_tick(feed_stage_t *f)
{
    if (TBUS_LIKELY(f->bytes == sizeof *f->tick))
        return tbus_outlet_send(&f->md, f->tick, sizeof *f->tick);
    return tbus_outlet_send(&f->md, f->tick, f->bytes);
}

/* Publish the tick in hand as intended for `due_ns`. False: `md` is full; the outlet keeps it. */
static bool publish(feed_stage_t *f, uint64_t due_ns)
{
    intend(f, f->tick, due_ns);
    places_tell(f->places, f->tick, f->bytes);
    if (TBUS_UNLIKELY(f->base.bus->stamps != NULL))
        note_publish(f, due_ns);
    if (f->window != FEED_BEFORE && f->pace.kind != FEED_PACE_MAX)
        f->clock = market_clock_at(f->clock, f->tick, f->bytes);
    bool sent = send_tick(f) == TBUS_OUTLET_SENT;
    f->base.pending = !sent;
    f->bytes = 0;
    if (sent)
        count(f);
    return sent;
}

/* Take ticks that are due at once and publish them, as many of `want` as the source has at hand and
 * as there is room for on `md`, which is known beforehand: so none is left in hand. 0: neither may
 * be so, and `take` and `publish` find out. */
static uint32_t send_batch(feed_stage_t *f, uint64_t now_ns, uint32_t want)
{
    tbus_publisher_t *p = &f->md.publisher;
    uint64_t room = p->room_seq - p->seq, message_bytes;
    if (!f->batches || f->restoring || f->bytes != 0 || f->base.source_done ||
        f->base.bus->stamps || room == 0)
        return 0;
    want = want < BATCH_MAX ? want : BATCH_MAX;
    want = want < room ? want : (uint32_t)room;
    uint32_t count = feed_source_next_batch(f->source, f->batch, want, &message_bytes);
    if (TBUS_UNLIKELY(count == 0))
        return 0;
    uint64_t intended = intended_ns(f, now_ns);
    places_tell_all(f->places, f->batch, count);
    for (uint32_t i = 0; i < count; i++) {
        f->batch[i].intended |= intended;
        (void)tbus_publish_plain(p, &f->batch[i], sizeof f->batch[i], true);
        count_type(f, f->batch[i].type);
    }
    tbus_publisher_wake(p);
    f->sent += count;
    f->sent_bytes += message_bytes;
    return count;
}

/* Publish the tick that is kept. No other was read since (count). A tick that is due at once is
 * intended for when it finds room. False: there is still none. */
static bool flush(feed_stage_t *f, uint64_t now_ns)
{
    size_t bytes;
    tick_t *tick = tbus_outlet_front(&f->md, &bytes);
    if (f->at_once)
        intend(f, tick, now_ns);
    if (TBUS_UNLIKELY(f->base.bus->stamps != NULL))
        note_publish(f, f->at_once ? now_ns : f->due_ns);
    if (tbus_outlet_retry(&f->md) != TBUS_OUTLET_SENT)
        return false;
    f->base.pending = false;
    count(f);
    return true;
}

static void start(feed_stage_t *f, uint64_t now_ns)
{
    f->started = true;
    f->end_ns = f->for_ns ? now_ns + f->for_ns : NEVER_NS;
    uint64_t catch_up_ns = f->for_ns / CATCH_UP_PART;
    catch_up_ns = catch_up_ns > CATCH_UP_NS_MIN ? catch_up_ns : CATCH_UP_NS_MIN;
    f->given_up_ns = f->for_ns ? f->end_ns + catch_up_ns : NEVER_NS;
}

/* The time is over. Is there, or may there be, a message that was due before? What is due at once
 * is due now. */
static bool is_behind(const feed_stage_t *f, uint64_t now_ns)
{
    if (now_ns >= f->given_up_ns || f->pace.kind == FEED_PACE_MAX || f->window == FEED_BEFORE)
        return false;
    return f->bytes ? f->due_ns < f->end_ns : f->later_ns == 0;
}

/* For who watches. */
static void tell_progress(feed_stage_t *f)
{
    uint64_t done, total;
    const feed_timeline_t *t = &f->timeline;
    tbus_store_relaxed_u64(f->messages, f->sent);
    tbus_store_relaxed_u64(f->message_bytes, f->sent_bytes);
    feed_source_progress(f->source, &done, &total);
    if (t->to_ns != FEED_TIME_NONE && t->started) { /* it ends there, not with the input */
        done = t->latest_ns - t->first_ns;
        total = t->to_ns > t->first_ns ? t->to_ns - t->first_ns : 0;
    }
    if (f->to_seq != UINT64_MAX) {
        done = f->source->seq;
        total = f->to_seq;
    }
    tbus_store_relaxed_u64(f->unprepared, feed_source_unprepared(f->source));
    tbus_store_relaxed_u64(f->done, done);
    tbus_store_relaxed_u64(f->total, total);
}

/* Until the next tick, which is in hand, nothing comes: what waits for a market time need not wait
 * for that tick. (At `max` none stays in hand.) `done` ticks went out in this turn: they have woken
 * whoever waits for us, and told as much, but for the pause that follows. */
static void say_how_far(const feed_stage_t *f, uint64_t now_ns, uint32_t done)
{
    if (f->base.source_done) {
        if (!f->base.pending)
            tbus_horizon_end(f->horizon, f->md.publisher.fence);
        return;
    }
    if (f->base.pending || f->bytes == 0 || f->window == FEED_BEFORE)
        return;
    uint64_t next_ns = market_clock_at(f->clock, f->tick, f->bytes).now_ns;
    uint64_t ahead_ns = feed_pace_ahead_ns(&f->pace, now_ns + LEAD_NS);
    if (next_ns > f->clock.now_ns + ahead_ns)
        tbus_horizon_raise_quietly(f->horizon, next_ns - ahead_ns);
    if (done == 0)
        tbus_horizon_ring(f->horizon, f->md.publisher.fence);
}

/* Is the tick in hand due so soon that nothing else should be begun before it? */
static inline bool is_imminent(const feed_stage_t *f, uint64_t now_ns)
{
    return f->bytes != 0 && !f->base.pending && f->due_ns - now_ns <= TBUS_STAGE_SOON_NS;
}

static int feed_poll(tbus_stage_t *stage, uint32_t budget)
{
    feed_stage_t *f = (feed_stage_t *)stage;
    stage->imminent = false;
    if (stage->source_done && !stage->pending) {
        say_how_far(f, 0, 0);
        return 0;
    }
    uint64_t now_ns = 0, due_ns_max = 0;
    uint32_t done = 0, look_at = 0, sent;
    for (; done < budget; done += sent) {
        if (done >= look_at) {
            look_at = done + (f->batches ? WHOLE_BURST : CLOCK_BURST);
            now_ns = due_ns_max = tbus_clock_ns();
            if (!f->started)
                start(f, now_ns);
            if (TBUS_UNLIKELY(now_ns >= f->end_ns)) {
                due_ns_max = f->end_ns - 1;
                if (!is_behind(f, now_ns))
                    stop_reading(f);
            }
        }
        sent = 1;
        if (TBUS_UNLIKELY(stage->pending)) {
            if (!flush(f, now_ns))
                break;
            continue;
        }
        uint32_t at_once = send_batch(f, now_ns, (budget < look_at ? budget : look_at) - done);
        if (at_once != 0) {
            sent = at_once;
            continue;
        }
        if (f->bytes == 0 && !take(f, now_ns))
            break;
        uint64_t due_ns = f->at_once ? now_ns : f->due_ns;
        if (due_ns > due_ns_max || !publish(f, due_ns))
            break;
    }
    if (now_ns != 0)
        feed_shown_turn(&f->shown, now_ns);
    if (done > 0)
        tell_progress(f);
    else
        stage->imminent = is_imminent(f, now_ns);
    if (done < budget)
        say_how_far(f, now_ns, done);
    return (int)done;
}

static uint64_t feed_deadline_ns(const tbus_stage_t *stage)
{
    const feed_stage_t *f = (const feed_stage_t *)stage;
    if (stage->pending || stage->source_done) /* the waiter knows when there is room */
        return TBUS_STAGE_NO_DEADLINE;
    uint64_t at = f->bytes ? f->due_ns : f->later_ns;
    /* Somebody waits for market time to pass: it is told now and then. */
    if (f->bytes && f->pace.kind == FEED_PACE_TIMED &&
        tbus_load_relaxed_u32(&f->horizon->waiting) != 0) { /* hint */
        uint64_t soon = tbus_clock_ns() + TOLD_NS;
        at = at < soon ? at : soon;
    }
    return at < f->end_ns || !f->started ? at : f->end_ns;
}

/* Of a source that wakes us. A tick in hand is waited with until it is due. */
static void feed_sleep(tbus_stage_t *stage, uint64_t until_ns)
{
    feed_stage_t *f = (feed_stage_t *)stage;
    uint64_t now_ns = tbus_clock_ns();
    until_ns = until_ns < now_ns + LATER_NS_MAX ? until_ns : now_ns + LATER_NS_MAX;
    if (f->bytes == 0) {
        feed_source_wait(f->source, until_ns);
        f->later_ns = 0;
    } else if (until_ns > now_ns) {
        (void)nanosleep(&(struct timespec){.tv_nsec = (long)(until_ns - now_ns)}, NULL);
    }
}

static void feed_wind_down(tbus_stage_t *stage)
{
    stop_reading((feed_stage_t *)stage);
}

static void feed_destroy(tbus_stage_t *stage)
{
    feed_stage_t *f = (feed_stage_t *)stage;
    tbus_stage_leave(stage);
    feed_shown_close(&f->shown);
    feed_source_close(f->source);
    places_destroy(f->places);
    feed_opening_clear(&f->opening);
    feed_arrivals_clear(&f->arrivals);
    tbus_outlet_destroy(&f->md);
    free(f->tick);
    free(f);
}

static const tbus_stage_ops_t ops = {.poll = feed_poll,
                                     .deadline_ns = feed_deadline_ns,
                                     .wind_down = feed_wind_down,
                                     .finish = NULL,
                                     .destroy = feed_destroy};
static const tbus_stage_ops_t ops_that_sleep = {.poll = feed_poll,
                                                .deadline_ns = feed_deadline_ns,
                                                .sleep = feed_sleep,
                                                .wind_down = feed_wind_down,
                                                .finish = NULL,
                                                .destroy = feed_destroy};

static int parse_place(const char *text, uint64_t *out_ns, uint64_t *out_seq, tbus_error_t *err)
{
    *out_ns = FEED_TIME_NONE;
    *out_seq = 0;
    return text == NULL || *text == '\0' ? 0 : feed_place_parse(text, out_ns, out_seq, err);
}

static int parse_gap(const char *text, uint64_t *out_ns, tbus_error_t *err)
{
    *out_ns = FEED_TIME_NONE;
    return text == NULL || *text == '\0' ? 0 : feed_duration_parse(text, out_ns, err);
}

/* Instead of what comes before `from`. */
static int open_opening(feed_stage_t *f, const char *path, tbus_error_t *err)
{
    if (!path || !*path)
        return 0;
    if (f->from_seq == 0)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "feed.opening stands for what comes before feed.from, which must be the "
                         "number of a message, seq:N");
    int rc = feed_source_begin_at(f->source, f->from_seq, err);
    return rc < 0 ? rc : feed_opening_read(path, &f->opening, err);
}

/* How much of the times of a file the feed can use. */
static uint64_t span_ns(const feed_stage_t *f)
{
    return f->for_ns == 0 ? UINT64_MAX : feed_pace_span_ns(&f->pace, f->for_ns);
}

static int open_arrivals(feed_stage_t *f, const char *text, uint64_t gap_ns, tbus_error_t *err)
{
    char spec[TBUS_PARAM_TEXT_MAX + 8];
    bool named;
    if (!text || !*text)
        return 0;
    int rc = feed_arrivals_named(text, spec, sizeof spec, &named, err);
    if (rc != 0 || !named)
        return rc != 0 ? rc : feed_pace_set_arrivals(&f->pace, text, err);
    if (f->pace.kind != FEED_PACE_TIMED)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "the arrivals \"%.60s\" are times: the pace is to be realtime, or a "
                         "factor such as 4x",
                         text);
    return feed_arrivals_read(spec, span_ns(f), gap_ns, &f->arrivals, err);
}

static int prepare(feed_stage_t *f, uint64_t count, tbus_error_t *err)
{
    feed_source_t *source = f->source;
    if (count == 0)
        return 0;
    f->source = NULL; /* it is the prepared one's */
    return feed_source_prepare(source, count, &f->source, err);
}

static int open_source(feed_stage_t *f, const feed_params_t *params, tbus_error_t *err)
{
    uint64_t from_ns = 0, to_ns = 0, gap_ns = 0;
    int rc = feed_pace_parse(params->pace, &f->pace, err);
    if (rc == 0)
        rc = parse_place(params->from, &from_ns, &f->from_seq, err);
    if (rc == 0)
        rc = parse_place(params->to, &to_ns, &f->to_seq, err);
    if (rc == 0)
        rc = parse_gap(params->skip_gaps, &gap_ns, err);
    if (rc == 0)
        rc = feed_source_open(params->source, (enum feed_clock)params->clock, &f->source, err);
    if (rc == 0)
        rc = feed_source_choose(f->source, params->topic, err);
    if (rc == 0)
        rc = open_opening(f, params->opening, err);
    if (rc == 0)
        rc = open_arrivals(f, params->arrivals, gap_ns, err);
    if (rc == 0)
        rc = prepare(f, params->prepare, err);
    if (rc != 0)
        return rc;
    feed_selection_init(&f->selection, params->symbols, params->symbols_count);
    feed_timeline_init(&f->timeline, f->source->daily, from_ns, to_ns, gap_ns);
    f->to_seq = f->to_seq ? f->to_seq : UINT64_MAX;
    f->window = from_ns == FEED_TIME_NONE && f->from_seq == 0 ? FEED_WITHIN : FEED_BEFORE;
    f->windowed = from_ns != FEED_TIME_NONE || to_ns != FEED_TIME_NONE;
    f->whole = f->pace.kind == FEED_PACE_MAX && f->window == FEED_WITHIN && !f->windowed &&
               f->to_seq == UINT64_MAX;
    f->batches = f->whole && f->selection.count == 0 && f->source->ops->next_batch != NULL;
    return 0;
}

/* Whoever takes ticks that an earlier feed has sent has orders that we know nothing of. */
static int open_places(feed_stage_t *f, uint64_t places, tbus_error_t *err)
{
    uint64_t position, seq;
    const tbus_ring_t *md = &f->md.publisher.ring;
    bool whole = tbus_ring_end(md, &position, &seq) && seq == md->shared->first_seq;
    return places == 0 ? 0 : places_create((uint32_t)places, whole, &f->places, err);
}

static int build(feed_stage_t *f, const feed_params_t *params, tbus_error_t *err)
{
    tbus_bus_t *bus = f->base.bus;
    f->tick = aligned_alloc(64, (TICK_LEN_MAX + 63) / 64 * 64);
    if (!f->tick)
        return tbus_fail(err, -ENOMEM, "no memory for the feed");
    memset(f->tick, 0, TICK_LEN_MAX); /* take its page faults now */
    f->for_ns = params->for_ns;
    f->gap_board = params->gaps;
    f->gap_policy = params->gap_policy == FEED_GAPS_WARN ? TICK_GAP_WARN : TICK_GAP_BLOCK;
    int rc = open_source(f, params, err);
    if (rc == 0)
        rc = tbus_outlet_create(&f->md, 1, TICK_LEN_MAX, err);
    if (rc == 0)
        rc = tbus_stage_join_publisher(&f->base, "md", &f->md.publisher, err);
    if (rc != 0)
        return rc;
    rc = open_places(f, params->places, err);
    if (rc != 0)
        return rc;
    f->batches = f->batches && !tbus_publish_is_other(&f->md.publisher, sizeof(tick_t));
    rc = feed_shown_open(&f->shown, f->source, bus, f->base.owner, err);
    if (rc != 0)
        return rc;
    if (feed_source_wakes(f->source))
        f->base.ops = &ops_that_sleep;
    f->horizon = tbus_stage_keep_horizon(&f->base, "md", 0);
    f->epoch_ns = bus->directory->epoch_ns;
    f->messages = tbus_counter(bus, f->base.owner, "feed.messages", "messages");
    f->message_bytes = tbus_counter(bus, f->base.owner, "feed.bytes", "bytes");
    f->errors = tbus_counter(bus, f->base.owner, "feed.errors", "errors");
    f->ended = tbus_counter(bus, f->base.owner, "feed.ended", "times");
    f->done = tbus_counter(bus, f->base.owner, "feed.done", "units");
    f->total = tbus_counter(bus, f->base.owner, "feed.total", "units");
    f->due = tbus_counter(bus, f->base.owner, "feed.due_ns", "ns");
    f->unprepared = tbus_counter(bus, f->base.owner, "feed.unprepared", "messages");
    f->due_time = tbus_counter(bus, f->base.owner, "feed.due_time_ns", "ns");
    return 0;
}

int feed_stage_create(tbus_bus_t *bus, uint32_t owner, const feed_params_t *params,
                      tbus_stage_t **out_stage, tbus_error_t *err)
{
    feed_stage_t *f = calloc(1, sizeof *f);
    if (!f)
        return tbus_fail(err, -ENOMEM, "no memory for the feed");
    f->base.ops = &ops;
    f->base.bus = bus;
    f->base.owner = owner;
    snprintf(f->base.name, sizeof f->base.name, "feed");
    int rc = build(f, params, err);
    if (rc != 0) {
        feed_destroy(&f->base);
        return rc;
    }
    *out_stage = &f->base;
    return 0;
}
