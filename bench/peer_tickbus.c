/* SPDX-License-Identifier: Apache-2.0 */
/* peer_tickbus.c - ours: a ring for each direction, in the memory of the trial.
 *
 * One to one: an SPSC ring; competing: MPMC; broadcast: one publisher, every taker a gating
 * subscriber. The messages are copied in, one by one or as bursts, and read in place.
 */
#include <tickbus/publisher.h>
#include <tickbus/subscriber.h>
#include <tickbus/wait.h>

#include "bench/contest.h"

#define PUBLISHES_TIMED 64u /* timed as one: one publish is too short for the clock */
/* Between two of them: the subscriber catches up, and does not fall asleep. */
#define REST_NS 2500u

#define BURST_BYTES 56u /* of a message that is sent in bursts */

typedef struct tick_side {
    tbus_publisher_t publisher;
    tbus_subscriber_t subscriber;
    tbus_waiter_t waiter;
    uint64_t burst[CONTEST_BURST * BURST_BYTES / 8];
    uint32_t filled, at;
} tick_side_t;

static bool can(const contest_trial_t *t)
{
    if (t->burst > 1 && t->bytes != BURST_BYTES)
        return false;
    return t->poll != CONTEST_SLEEPING;
}
static bool can_park(const contest_trial_t *t)
{
    return t->kind != CONTEST_COMPETING &&
           (t->poll == CONTEST_SLEEPING || t->task == CONTEST_PUBLISH);
}

static const char *taker_name(unsigned taker)
{
    static const char *const names[] = {"t0", "t1", "t2", "t3"};
    return names[taker];
}

static unsigned char *ring_at(contest_trial_t *t, unsigned direction)
{
    return (unsigned char *)t->memory + direction * (CONTEST_MEMORY_BYTES / 2);
}

static void *open_rings(contest_trial_t *t)
{
    static const enum tbus_ring_kind kinds[] = {TBUS_SPSC, TBUS_MPMC, TBUS_BROADCAST};
    tbus_error_t err;
    tbus_ring_spec_t spec = {.name = "bench",
                             .kind = kinds[t->kind],
                             .slot_bytes = 64,
                             .slot_count = t->slots,
                             .first_seq = 1};
    /* A slot has its word, and where the length does not fit that, the length. Large messages lie
     * in the area. */
    uint32_t slot_bytes = (t->bytes + (t->bytes > TBUS_SLOT_LENGTH_MAX ? 16 : 8) + 63) / 64 * 64;
    if (slot_bytes <= TBUS_SLOT_BYTES_MAX)
        spec.slot_bytes = slot_bytes;
    if (t->bytes > TBUS_SLOT_LENGTH_MAX)
        spec.msg_bytes_max = t->bytes;
    if (t->bytes >= CONTEST_LARGE_BYTES) {
        spec.slot_count = t->slots > TBUS_SLOT_COUNT_MIN ? t->slots : TBUS_SLOT_COUNT_MIN;
        spec.area_bytes = (uint64_t)t->bytes * (t->task == CONTEST_ROUND_TRIP ? 2 : t->slots);
    }
    bool both_ways = t->task == CONTEST_ROUND_TRIP;
    for (unsigned direction = 0; direction <= both_ways; direction++) {
        tbus_ring_t ring;
        void *at = ring_at(t, direction);
        size_t bytes = both_ways ? CONTEST_MEMORY_BYTES / 2 : CONTEST_MEMORY_BYTES;
        contest_must(tbus_ring_format(at, bytes, &spec, &err), "format", err.text);
        contest_must(tbus_ring_join(at, bytes, true, &ring, &err), "join", err.text);
        for (unsigned i = 0; i < t->takers; i++)
            contest_must(tbus_ring_reserve(&ring, taker_name(i),
                                           ring.competing ? TBUS_CONSUMER : TBUS_SUBSCRIBER, &err),
                         "reserve", err.text);
    }
    return t->memory;
}

static tbus_ring_t join(contest_trial_t *t, unsigned direction)
{
    tbus_error_t err;
    tbus_ring_t ring;
    size_t bytes = t->task == CONTEST_ROUND_TRIP ? CONTEST_MEMORY_BYTES / 2 : CONTEST_MEMORY_BYTES;
    contest_must(tbus_ring_join(ring_at(t, direction), bytes, true, &ring, &err), "join", err.text);
    return ring;
}
static void connect_publisher(contest_trial_t *t, tick_side_t *side, unsigned direction,
                              unsigned index)
{
    tbus_error_t err;
    tbus_ring_t ring = join(t, direction);
    contest_must(tbus_publisher_join(&ring, 1 + index, &side->publisher, &err), "publisher",
                 err.text);
}
static void connect_subscriber(contest_trial_t *t, tick_side_t *side, unsigned direction,
                               unsigned taker, unsigned index)
{
    tbus_error_t err;
    tbus_ring_t ring = join(t, direction);
    contest_must(tbus_subscriber_join(&ring, taker_name(taker), 1 + index, &side->subscriber, &err),
                 "subscriber", err.text);
}
static void connect_side(contest_trial_t *t, tick_side_t *side, unsigned index)
{
    if (t->task == CONTEST_ROUND_TRIP) {
        connect_publisher(t, side, index, index);
        connect_subscriber(t, side, 1 - index, 0, index);
    } else if (index < t->senders) {
        connect_publisher(t, side, 0, index);
    } else {
        connect_subscriber(t, side, 0, index - t->senders, index);
    }
}

CONTEST_INLINE bool put(void *side, const void *message, size_t bytes)
{
    return tbus_publish_try(&((tick_side_t *)side)->publisher, message, bytes) == TBUS_PUBLISHED;
}
CONTEST_INLINE const void *get(void *side, size_t bytes)
{
    return tbus_peek(&((tick_side_t *)side)->subscriber, &bytes);
}
CONTEST_INLINE void done(void *side)
{
    tbus_advance(&((tick_side_t *)side)->subscriber);
}
/* In a stream the taker waits as a stage of a run at pace `max` does, whose publisher never waits
 * for a time: it gets off the publisher's heels once it has taken everything. */
CONTEST_INLINE const void *get_unpaced(void *context, size_t bytes)
{
    tick_side_t *side = context;
    const void *message = tbus_peek(&side->subscriber, &bytes);
    if (TBUS_UNLIKELY(!message))
        tbus_waiter_idle(&side->waiter, UINT64_MAX);
    else if (TBUS_UNLIKELY(side->waiter.looks != 0))
        tbus_waiter_found(&side->waiter);
    return message;
}

/* Publish what is left of a burst. True: all of it. */
CONTEST_INLINE bool flush_burst(tick_side_t *side)
{
    side->at += tbus_publish_batch(&side->publisher, side->burst + side->at * BURST_BYTES / 8,
                                   BURST_BYTES, side->filled - side->at);
    if (side->at < side->filled)
        return false;
    side->at = side->filled = 0;
    return true;
}
CONTEST_INLINE bool put_burst(void *context, const void *message, size_t bytes)
{
    tick_side_t *side = context;
    if (side->filled == CONTEST_BURST && !flush_burst(side))
        return false;
    tbus_words_store(side->burst + side->filled++ * bytes / 8, message, bytes);
    if (side->filled == CONTEST_BURST)
        flush_burst(side);
    return true;
}
/* Of a stream with one taker. */
static void wait_unpaced(tick_side_t *side)
{
    tbus_waiter_init(&side->waiter, TBUS_WAIT_SPIN);
    side->waiter.drained_pauses = TBUS_DRAINED_PAUSES;
    if (side->subscriber.ring.shared)
        tbus_waiter_watch_subscriber(&side->waiter, &side->subscriber);
}
static void burst_loops(contest_trial_t *t, unsigned index, tick_side_t *side)
{
    wait_unpaced(side);
    contest_loops_sized(t, index, side, BURST_BYTES, put_burst, get_unpaced, done);
    while (index < t->senders && side->filled && !flush_burst(side))
        tbus_pause();
}
static void stream_loops(contest_trial_t *t, unsigned index, tick_side_t *side)
{
    wait_unpaced(side);
    contest_loops(t, index, side, put, get_unpaced, done);
}

static void spin_side(contest_trial_t *t, void *shared, unsigned index);
static void publish_cost(contest_trial_t *t, tick_side_t *side, unsigned index,
                         enum tbus_wait_mode mode);

static void spin_side(contest_trial_t *t, void *shared, unsigned index)
{
    (void)shared;
    tick_side_t side = {0};
    connect_side(t, &side, index);
    if (t->task == CONTEST_PUBLISH)
        publish_cost(t, &side, index, TBUS_WAIT_SPIN);
    else if (t->burst > 1)
        burst_loops(t, index, &side);
    else if (t->task == CONTEST_STREAM && t->kind != CONTEST_COMPETING && t->takers == 1)
        stream_loops(t, index, &side);
    else
        contest_loops(t, index, &side, put, get, done);
    tbus_subscriber_leave(&side.subscriber);
    tbus_publisher_leave(&side.publisher);
}

/* ---- sleeping, and able to sleep ---- */

CONTEST_INLINE const void *get_or_park(void *context, size_t bytes)
{
    tick_side_t *side = context;
    const void *message;
    while (!(message = tbus_peek(&side->subscriber, &bytes)))
        tbus_waiter_park(&side->waiter, tbus_clock_ns(), UINT64_MAX);
    return message;
}

static void park_side(contest_trial_t *t, void *shared, unsigned index)
{
    (void)shared;
    tick_side_t side = {0};
    connect_side(t, &side, index);
    tbus_waiter_init(&side.waiter, TBUS_WAIT_PARK);
    if (side.subscriber.ring.shared)
        tbus_waiter_watch_subscriber(&side.waiter, &side.subscriber);
    if (t->task == CONTEST_PUBLISH)
        publish_cost(t, &side, index, TBUS_WAIT_PARK);
    else
        contest_loops(t, index, &side, put, get_or_park, done);
    tbus_subscriber_leave(&side.subscriber);
    tbus_publisher_leave(&side.publisher);
}

/* What a publish costs the publisher, with a subscriber that is awake: PUBLISHES_TIMED at a
 * time. */
static void publish_cost(contest_trial_t *t, tick_side_t *side, unsigned index,
                         enum tbus_wait_mode mode)
{
    uint64_t total = (uint64_t)t->warm_up + t->count;
    contest_message_t message;
    contest_prefill(&message, sizeof message);
    contest_meet(t);
    if (index > 0) {
        tbus_waiter_init(&side->waiter, mode);
        tbus_waiter_watch_subscriber(&side->waiter, &side->subscriber);
        size_t bytes;
        for (uint64_t n = 0; n < total * PUBLISHES_TIMED; n++) {
            while (!tbus_peek(&side->subscriber, &bytes))
                tbus_waiter_idle(&side->waiter, UINT64_MAX);
            tbus_waiter_found(&side->waiter);
            tbus_advance(&side->subscriber);
        }
        return;
    }
    uint64_t rest = (uint64_t)(REST_NS * ticks_per_ns());
    for (uint64_t n = 0; n < total; n++) {
        uint64_t began = tbus_clock_ticks(), ended;
        for (unsigned i = 0; i < PUBLISHES_TIMED; i++)
            contest_send_one(t, side, &message, 56, n * PUBLISHES_TIMED + i, put);
        ended = tbus_clock_ticks();
        if (n >= t->warm_up)
            t->ticks[n - t->warm_up] = (uint32_t)(ended - began);
        while (tbus_clock_ticks() - ended < rest)
            tbus_pause();
    }
}

const contest_peer_t peer_tickbus = {.name = "tickbus",
                                     .large = true,
                                     .slowness = 1,
                                     .can = can,
                                     .open = open_rings,
                                     .side = spin_side};
const contest_peer_t peer_tickbus_park = {.name = "tickbus, parked",
                                          .kernel = true,
                                          .slowness = 10,
                                          .can = can_park,
                                          .open = open_rings,
                                          .side = park_side};
