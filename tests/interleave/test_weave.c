/* SPDX-License-Identifier: Apache-2.0 */
/* The ring's own code, in every order of two actors' accesses, with a kill at every step. Each test
 * is one meeting: what the actors do, in which state of the ring, and what must hold afterwards
 * whatever happened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/repair.h>

#include "bus/ring/area.h"
#include "tests/interleave/weave.h"
#include "tests/support/ring_world.h"

#define SUBS_USED 2u /* places on the ring that any meeting takes */

static bool in_ring(const void *address)
{
    const unsigned char *a = address;
    return a >= world->memory && a < world->memory + sizeof world->memory;
}
static size_t place(const void *address)
{
    return (size_t)((const unsigned char *)address - world->memory);
}

/* Places that nobody took are never written; sleepers' words stay zero in meetings where nobody
 * sleeps. */
static bool interesting(const void *address)
{
    size_t at = place(address);
    return in_ring(address) && (at < 384 || at >= TBUS_RING_SLOTS_AT ||
                                (at >= 4096 && at < 4096 + SUBS_USED * sizeof(tbus_ring_sub_t)));
}
static bool interesting_sleep(const void *address)
{
    size_t at = place(address);
    return in_ring(address) && (interesting(address) || (at >= 384 && at < 512));
}

/* ---- what actors do ---- */

static void publish_zero(void)
{
    world_publish_by(0, 0);
}
static void publish_one(void)
{
    world_publish_by(1, 0);
}
static void publish_two(void)
{
    world_publish_by(2, 0);
}
/* As many as push another's name out of the ring's ticket, and one more. */
static void publish_four_by_one(void)
{
    world_publish_some(1, 4);
}
static void publish_two_by_zero(void)
{
    world_publish_some(0, 2);
}
static void publish_two_by_one(void)
{
    world_publish_some(1, 2);
}
static void abort_by(unsigned who)
{
    if (tbus_claim_try(&world->publisher[who]))
        tbus_abort(&world->publisher[who]);
    world->refused[10 * who] = true;
}
static void abort_zero(void)
{
    abort_by(0);
}
static void abort_one(void)
{
    abort_by(1);
}
#define BATCH 3u
static void batch_zero(void)
{
    static const uint32_t bytes[BATCH] = {sizeof(note_t), sizeof(note_t), sizeof(note_t)};
    void *places[BATCH];
    uint32_t got = tbus_claim_batch(&world->publisher[0], BATCH, places);
    for (uint64_t i = 0; i < got; i++)
        tbus_words_store(places[i], &(note_t){100 + i, ~(100 + i)}, sizeof(note_t));
    tbus_commit_batch(&world->publisher[0], bytes);
    world_note_batch(got, BATCH);
}
static void read_zero(void)
{
    world_receive(&world->reader[0]);
}
static void read_one(void)
{
    world_receive(&world->reader[1]);
}
static void read_four_by_one(void)
{
    for (unsigned i = 0; i < 4; i++)
        world_receive(&world->reader[1]);
}
static void read_two_by_zero(void)
{
    for (unsigned i = 0; i < 2; i++)
        world_receive(&world->reader[0]);
}
static void read_one_and_flush(void)
{
    world_receive(&world->reader[1]);
    tbus_subscriber_flush(&world->reader[1]);
}
static void repair_dead(void)
{
    tbus_ring_repair(&world->ring, DEAD_OWNER);
}

static const char *account_competing(unsigned dead)
{
    /* in meetings with a repairer it may have died over him */
    tbus_ring_repair(&world->ring, DEAD_OWNER);
    tbus_subscriber_t fresh = world_subscribe("fresh", TBUS_CONSUMER, FRESH);
    const char *fault = world_settle(dead, &fresh);
    return fault ? fault : world_account();
}
static const char *account_broadcast(unsigned dead)
{
    const char *fault = world_settle(dead, &world->reader[1]);
    return fault ? fault : world_account();
}
/* Whoever died is buried at once, or after the living went on: all must come out right. */
static const char *all_ways(unsigned dead, const char *(*account)(unsigned dead))
{
    static const unsigned messages[] = {0, 1, SOME};
    static ring_world_t as_it_was;
    memcpy(&as_it_was, world, sizeof as_it_was);
    for (unsigned way = 0; way < (dead ? sizeof messages / sizeof *messages : 1); way++) {
        memcpy(world, &as_it_was, sizeof as_it_was);
        world_carry_on(dead, messages[way]);
        const char *fault = account(dead);
        if (fault)
            return fault;
    }
    return NULL;
}
static const char *competing_verdict(unsigned dead, bool stuck)
{
    return stuck ? "somebody sleeps for ever" : all_ways(dead, account_competing);
}

/* ---- the meetings on a competing ring ---- */

static void mpmc_empty(void)
{
    world_build(TBUS_MPMC, 1);
}
static void mpmc_one_free(void)
{
    world_build(TBUS_MPMC, 1);
    world_fill(SLOTS - 1);
}
static void mpmc_readers(uint64_t count)
{
    world_build(TBUS_MPMC, 1);
    world->reader[0] = world_subscribe("zero", TBUS_CONSUMER, ZERO);
    world->reader[1] = world_subscribe("one", TBUS_CONSUMER, ONE);
    world_fill(count);
}
static void mpmc_readers_empty(void)
{
    mpmc_readers(0);
}
static void mpmc_readers_one(void)
{
    mpmc_readers(1);
}
static void mpmc_readers_two(void)
{
    mpmc_readers(2);
}
static void mpmc_readers_six(void)
{
    mpmc_readers(6);
}
/* A message, two tombs, three messages. */
static void mpmc_tombs(void)
{
    mpmc_readers(1);
    abort_one();
    abort_zero();
    world_publish_some(2, 3);
}
static void mpmc_readers_full(void)
{
    mpmc_readers(SLOTS);
}
/* Somebody died between claim and commit, somebody else holding a message. */
static void mpmc_with_the_dead(void)
{
    world_build(TBUS_MPMC, 1);
    world->reader[1] = world_subscribe("one", TBUS_CONSUMER, ONE);
    world_fill(2);
    tbus_publisher_t doomed;
    must(tbus_publisher_join(&world->ring, DEAD_OWNER, &doomed, NULL) == 0);
    must(tbus_claim_try(&doomed) != NULL);
    tbus_subscriber_t victim = world_subscribe("victim", TBUS_CONSUMER, DEAD_OWNER);
    size_t bytes;
    must(tbus_peek(&victim, &bytes) != NULL);
}

static const char *buried_verdict(unsigned dead, bool stuck)
{
    const char *fault = competing_verdict(dead, stuck);
    if (fault)
        return fault;
    /* A repairer that was killed between the repair and counting it leaves the count one short. */
    if (tbus_load_relaxed_u64(&world->ring.shared->tombs) > 1u + (dead & 2 ? 1 : 0))
        return "one claim became two tombs";
    return NULL;
}

/* ---- broadcast ---- */

static void broadcast_mp_full(void)
{
    world_build(TBUS_BROADCAST_MP, 1);
    world->reader[1] = world_subscribe("one", TBUS_SUBSCRIBER, ONE);
    world_fill(SLOTS);
}
/* The subscriber is nobody who is killed. */
static void subscribed_empty(enum tbus_ring_kind kind)
{
    world_build(kind, 1);
    world->reader[1] = world_subscribe("one", TBUS_SUBSCRIBER, FRESH);
}
static void broadcast_mp_empty(void)
{
    subscribed_empty(TBUS_BROADCAST_MP);
}
static void mpsc_empty(void)
{
    subscribed_empty(TBUS_MPSC);
}
static void mpsc_full(void)
{
    world_build(TBUS_MPSC, 1);
    world->reader[1] = world_subscribe("one", TBUS_SUBSCRIBER, ONE);
    world_fill(SLOTS);
}
static const char *published_verdict(unsigned dead, bool stuck)
{
    return stuck ? "somebody sleeps for ever" : all_ways(dead, account_broadcast);
}

static void broadcast_full(void)
{
    world_build(TBUS_BROADCAST, 1);
    world->reader[1] = world_subscribe("one", TBUS_SUBSCRIBER, ONE);
    world_fill(SLOTS);
}
static void broadcast_last_slot(void)
{
    subscribed_empty(TBUS_BROADCAST);
    world_fill(SLOTS - 1);
}
static void publish_batch_of_three(void)
{
    world_publish_batch(BATCH);
}
static const char *broadcast_verdict(unsigned dead, bool stuck)
{
    (void)stuck;
    /* A killed subscriber's place is given up: what it had not seen, nobody else was to see. */
    if (dead & 2)
        return tbus_ring_repair(&world->ring, ONE) == 1 && tbus_ring_repair(&world->ring, ONE) == 0
                   ? world->fault
                   : "the place of a dead subscriber was not given up once";
    return all_ways(dead, account_broadcast);
}

/* ---- a topic that evicts: what is handed out is whole, and who gets nothing is told ---- */

static void evicting_full(enum tbus_ring_kind kind)
{
    free(world->reader[1].scratch);
    world_policy = TBUS_EVICT_SLOWEST;
    world_build(kind, 1);
    world_policy = TBUS_BLOCK;
    world->reader[1] = world_subscribe("one", TBUS_SUBSCRIBER, ONE);
    world_fill(SLOTS);
}
static void evicting_broadcast(void)
{
    evicting_full(TBUS_BROADCAST);
}
static void evicting_broadcast_mp(void)
{
    evicting_full(TBUS_BROADCAST_MP);
}
static void publish_by_policy(void)
{
    note_t n = {100, ~UINT64_C(100)};
    world->published[0] = tbus_publish(&world->publisher[0], &n, sizeof n) == TBUS_PUBLISHED;
}
static void read_or_be_told(void)
{
    tbus_subscriber_t *s = &world->reader[1];
    size_t bytes;
    const note_t *n = tbus_peek(s, &bytes);
    if (n && (bytes != sizeof *n || n->number != 0 || n->check != ~UINT64_C(0)))
        world->fault = "an evictable subscriber was handed what it was not sent";
    if (!n && s->error != -TBUS_EEVICTED)
        world->fault = "a subscriber got nothing, and was not told that it was evicted";
    if (n)
        tbus_advance(s);
}
static const char *evicting_verdict(unsigned dead, bool stuck)
{
    (void)stuck;
    uint64_t evicted = tbus_load_relaxed_u64(&world->ring.shared->evicted);
    if (!(dead & 1) && !world->published[0])
        return "a topic that evicts was full";
    if (!(dead & 1) && (evicted > 1 || (world->reader[1].error && !evicted)))
        return "an eviction was not counted once";
    return world->fault;
}

/* ---- observers: never a torn message, never a wrong count ---- */

static void observed_full(enum tbus_ring_kind kind)
{
    world_build(kind, 1);
    world->reader[1] =
        world_subscribe("one", kind == TBUS_MPMC ? TBUS_CONSUMER : TBUS_SUBSCRIBER, ONE);
    world_fill(SLOTS);
    while (world_receive(&world->reader[1]))
        ;
    tbus_subscriber_flush(&world->reader[1]);
    world->seen_count = 0;
    world->filled = 0;
    must(tbus_observer_join(&world->ring, TBUS_FROM_NOW, &world->observer, NULL) == 0);
    world->observer.position = world->observer.seq = 1; /* the slot that is overwritten next */
}
static void observed_broadcast(void)
{
    observed_full(TBUS_BROADCAST);
}
static void observed_broadcast_mp(void)
{
    observed_full(TBUS_BROADCAST_MP);
}
static void observed_mpmc(void)
{
    observed_full(TBUS_MPMC);
}
static void observed_mpsc(void)
{
    observed_full(TBUS_MPSC);
}
static void observe(void)
{
    uint64_t expected = 1;
    for (unsigned i = 0; i < 2; i++) {
        note_t n;
        size_t bytes;
        uint64_t seq, lost;
        int got = tbus_observe(&world->observer, &n, &bytes, &seq, &lost);
        if (got < 0)
            world->fault = "an observer found the ring corrupt";
        expected += lost;
        if (got <= 0)
            return;
        if (seq != expected)
            world->fault = "an observer miscounted what it lost";
        if (n.check != ~n.number || n.number != (seq <= SLOTS ? seq - 1 : 100))
            world->fault = "an observer took a torn message for a whole one";
        expected++;
    }
}
/* The same, two at once, of which the first is the one that is overwritten. */
static void observe_some(void)
{
    uint64_t into[2][TBUS_OBSERVE_STRIDE / 8];
    uint32_t bytes[2];
    uint64_t seq = 0, expected = world->observer.seq;
    uint32_t got = tbus_observe_some(&world->observer, into, 2, bytes, &seq);
    if (got && seq != expected)
        world->fault = "an observer took messages out of turn";
    if (world->observer.seq != expected + got)
        world->fault = "an observer is not behind what it took";
    for (uint32_t i = 0; i < got; i++) {
        note_t n;
        memcpy(&n, into[i], sizeof n);
        if (bytes[i] != sizeof n || n.check != ~n.number ||
            n.number != (seq + i <= SLOTS ? seq + i - 1 : 100))
            world->fault = "an observer took a torn message for a whole one";
    }
}
static const char *observed_verdict(unsigned dead, bool stuck)
{
    (void)dead, (void)stuck;
    return world->fault;
}

/* ---- long messages: the next one overwrites message 1 in the area; its slot still stands ---- */

typedef struct big {
    note_t note;
    uint64_t rest[6]; /* number + 1, number + 2, ... */
} big_t;

static bool is_whole(const big_t *message, uint64_t number)
{
    big_t copy;
    tbus_words_load(&copy, message, sizeof copy);
    bool whole = copy.note.number == number && copy.note.check == ~number;
    for (uint64_t i = 0; i < 6; i++)
        whole = whole && copy.rest[i] == number + 1 + i;
    return whole;
}
static void publish_big(uint64_t number)
{
    big_t m = {.note = {number, ~number}};
    for (uint64_t i = 0; i < 6; i++)
        m.rest[i] = number + 1 + i;
    enum tbus_publish told = tbus_publish(&world->publisher[0], &m, sizeof m);
    world->published[0] = told == TBUS_PUBLISHED;
    world->refused[0] = !world->published[0];
}
static void publish_big_zero(void)
{
    publish_big(100);
}
/* Of what lies in the area, the first and the last word of message 1. */
static bool interesting_big(const void *address)
{
    const unsigned char *at = address;
    const tbus_ring_t *ring = &world->ring;
    const unsigned char *message = tbus_area_at(ring, 1, 0);
    return interesting(address) &&
           (at < ring->area || at == message || at == message + sizeof(big_t) - 8);
}
/* Message 1 is a long one; its reader has passed it, or not. */
static void big_ones(enum tbus_ring_kind kind, enum tbus_policy policy, bool passed)
{
    free(world->reader[1].scratch);
    world_msg_bytes_max = sizeof(big_t);
    world_policy = policy;
    world_build(kind, 1);
    world_policy = TBUS_BLOCK;
    world_msg_bytes_max = 0;
    world->reader[1] = world_subscribe("one", test_taker(kind), ONE);
    publish_big(0);
    must(world->published[0]);
    size_t bytes;
    if (passed) {
        must(is_whole(tbus_peek(&world->reader[1], &bytes), 0));
        tbus_advance(&world->reader[1]);
        tbus_subscriber_flush(&world->reader[1]);
    }
    if (!world->ring.several_publishers) { /* the next one starts at the beginning again */
        tbus_area_t *area = &world->publisher[0].area;
        area->head = area->clear = world->ring.area_bytes;
        tbus_store_relaxed_u64(&world->ring.shared->area_announce, area->head);
    } else { /* and the slot is the same */
        for (uint64_t i = 1; i < SLOTS; i++) {
            must(world_publish(0, 0));
            must(!passed || tbus_peek(&world->reader[1], &bytes));
            if (passed)
                tbus_advance(&world->reader[1]);
        }
        tbus_subscriber_flush(&world->reader[1]);
    }
    world->published[0] = world->refused[0] = false;
    must(tbus_observer_join(&world->ring, TBUS_FROM_NOW, &world->observer, NULL) == 0);
    world->observer.position = world->observer.seq = 1;
}
static void big_observed(void)
{
    big_ones(TBUS_BROADCAST, TBUS_BLOCK, true);
}
static void big_observed_mp(void)
{
    big_ones(TBUS_BROADCAST_MP, TBUS_BLOCK, true);
}
static void big_observed_mpmc(void)
{
    big_ones(TBUS_MPMC, TBUS_BLOCK, true);
}
static void big_held(void)
{
    big_ones(TBUS_SPSC, TBUS_BLOCK, false);
}
static void big_held_mp(void)
{
    big_ones(TBUS_MPSC, TBUS_BLOCK, false);
}
static void big_held_mpmc(void)
{
    big_ones(TBUS_MPMC, TBUS_BLOCK, false);
}
static void big_evicting(void)
{
    big_ones(TBUS_BROADCAST, TBUS_EVICT_SLOWEST, false);
}
static void observe_big(void)
{
    big_t m;
    size_t bytes;
    uint64_t seq, lost;
    uint64_t later = world->ring.several_publishers ? SLOTS + 1 : 2; /* sequence of the next */
    int got = tbus_observe(&world->observer, &m, &bytes, &seq, &lost);
    if (got < 0)
        world->fault = "an observer found the ring corrupt";
    if (got <= 0 || bytes != sizeof m)
        return;
    if (seq != 1 + lost)
        world->fault = "an observer miscounted what it lost";
    if (!is_whole(&m, seq == later ? 100 : 0))
        world->fault = "an observer took a torn message for a whole one";
}
static void read_big(void)
{
    tbus_subscriber_t *s = &world->reader[1];
    size_t bytes;
    const big_t *m = tbus_peek(s, &bytes);
    if (!m && s->ring.policy == TBUS_EVICT_SLOWEST && s->error == -TBUS_EEVICTED)
        return;
    if (!m || bytes != sizeof *m || !is_whole(m, 0)) {
        world->fault = "a subscriber was handed what it was not sent, or nothing";
        return;
    }
    tbus_advance(s);
    tbus_subscriber_flush(s);
}
static const char *big_verdict(unsigned dead, bool stuck)
{
    (void)stuck;
    bool evicts = world->ring.policy == TBUS_EVICT_SLOWEST;
    if (!dead && evicts && !world->published[0])
        return "a topic that evicts was full";
    if (dead || evicts || world->fault || world->ring.competing)
        return world->fault;
    /* What was refused for lack of room has room now. */
    if (!world->published[0])
        publish_big(100);
    size_t bytes;
    const big_t *m;
    while ((m = tbus_peek(&world->reader[1], &bytes)) && bytes != sizeof *m)
        tbus_advance(&world->reader[1]);
    return world->published[0] && m && is_whole(m, 100) ? NULL : "the next message did not come";
}

/* ---- sleeping and waking ---- */

static void sleeper(enum tbus_ring_kind kind)
{
    world_build(kind, 1);
    world->reader[1] =
        world_subscribe("one", kind == TBUS_MPMC ? TBUS_CONSUMER : TBUS_SUBSCRIBER, ONE);
    tbus_waiter_init(&world->waiter[1], TBUS_WAIT_PARK);
    tbus_waiter_watch_subscriber(&world->waiter[1], &world->reader[1]);
}
static void sleeper_broadcast(void)
{
    sleeper(TBUS_BROADCAST);
}
static void sleeper_mpmc(void)
{
    sleeper(TBUS_MPMC);
}
static void sleep_until_three_are_read(void)
{
    for (unsigned taken = 0; taken < BATCH;)
        if (world_receive(&world->reader[1]))
            taken++;
        else
            tbus_waiter_park(&world->waiter[1], 0, UINT64_MAX);
}
static void sleep_until_read(void)
{
    while (!world_receive(&world->reader[1]))
        tbus_waiter_park(&world->waiter[1], 0, UINT64_MAX);
}
static const char *awake_verdict(unsigned dead, bool stuck)
{
    /* A waker that dies on its way leaves the rest to the sleeper's timeout. */
    if (stuck && !dead)
        return "a wake-up was lost";
    return world->fault;
}
static void sleeper_for_room(void)
{
    world_build(TBUS_BROADCAST, 1);
    world->reader[1] = world_subscribe("one", TBUS_SUBSCRIBER, ONE);
    world_fill(SLOTS);
    tbus_waiter_init(&world->waiter[0], TBUS_WAIT_PARK);
    tbus_waiter_watch_publisher(&world->waiter[0], &world->publisher[0]);
}
/* Room for one of three. The batch that found no more waits for whoever sleeps on its first. */
static void sleeper_and_little_room(void)
{
    sleeper(TBUS_BROADCAST);
    world_fill(SLOTS - 1);
    for (unsigned i = 0; i < SLOTS - 1; i++)
        must(tbus_peek(&world->reader[1], &(size_t){0}) != NULL), tbus_advance(&world->reader[1]);
    world->filled = 0;
    tbus_waiter_init(&world->waiter[0], TBUS_WAIT_PARK);
    tbus_waiter_watch_publisher(&world->waiter[0], &world->publisher[0]);
}
static void publish_batch_until_three_are_out(void)
{
    for (uint32_t done = 0; done < BATCH;) {
        note_t notes[BATCH];
        for (uint64_t i = 0; i < BATCH; i++)
            notes[i] = (note_t){100 + i, ~(100 + i)};
        done += tbus_publish_batch(&world->publisher[0], notes + done, sizeof *notes, BATCH - done);
        if (done < BATCH)
            tbus_waiter_park(&world->waiter[0], 0, UINT64_MAX);
    }
}
static void sleep_until_published(void)
{
    while (!world_publish(0, 100))
        tbus_waiter_park(&world->waiter[0], 0, UINT64_MAX);
    world->published[0] = true;
}

static void weave(weave_case_t c)
{
    weave_result_t result;
    while (c.actors < WEAVE_ACTORS_MAX && c.actor[c.actors])
        c.actors++;
    if (!c.interesting)
        c.interesting = interesting;
    /* Every day: all schedules with at most three preemptions, or as many as the meeting says, a
     * kill at every step of each. TICKBUS_WEAVE=full: really all of them; of meetings that say a
     * number, those with one more. */
    const char *wanted = getenv("TICKBUS_WEAVE");
    bool full = wanted && !strcmp(wanted, "full");
    if (c.preemptions_max)
        c.preemptions_max += full;
    else if (!c.random_schedules && !full)
        c.preemptions_max = 3;
    const char *fault = weave_run(&c, &result);
    printf("  %-52s %9" PRIu64 " schedules%s, %9" PRIu64 " with a kill, %3u steps, %" PRIu64
           " sleeps\n",
           c.name, result.schedules, c.random_schedules ? " at random" : "", result.crashes,
           result.steps_max, result.sleeps);
    if (fault)
        fail_msg("%s", fault);
}

#define BOTH 3u

/* Rings with one publisher: as on a CPU that stores pairs of words whole, and as on one that does
 * not. */
static void weave_both_ways(weave_case_t c)
{
    char name[96];
    for (world_pairs = WORLD_WHOLE; world_pairs != WORLD_AS_CPU; world_pairs--) {
        weave_case_t this = c;
        snprintf(name, sizeof name, "%s, %s", c.name,
                 world_pairs == WORLD_WHOLE ? "whole pairs" : "word by word");
        this.name = name;
        weave(this);
    }
}

static void two_publishers_never_lose_or_double_a_message(void **state)
{
    (void)state;
    weave((weave_case_t){.name = "two publishers, empty ring",
                         .prepare = mpmc_empty,
                         .actor = {publish_zero, publish_one},
                         .verdict = competing_verdict,
                         .may_crash = BOTH});
    weave((weave_case_t){.name = "two publishers, one free slot",
                         .prepare = mpmc_one_free,
                         .actor = {publish_zero, publish_one},
                         .verdict = competing_verdict,
                         .may_crash = BOTH});
    weave((weave_case_t){.name = "a publisher and one that gives up",
                         .prepare = mpmc_empty,
                         .actor = {publish_zero, abort_one},
                         .verdict = competing_verdict,
                         .may_crash = BOTH});
}

/* The settling of ticket.h: one is overtaken, or killed, and so many others come by that the ticket
 * has no room for its name. */
static void who_is_overtaken_or_killed_in_a_claim_is_not_forgotten(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        void (*prepare)(void);
        const char *(*verdict)(unsigned dead, bool stuck);
    } rings[] = {{"mpmc", mpmc_empty, competing_verdict},
                 {"broadcast-mp", broadcast_mp_empty, published_verdict},
                 {"mpsc", mpsc_empty, published_verdict}};
    for (unsigned i = 0; i < sizeof rings / sizeof *rings; i++) {
        char name[64];
        weave_case_t c = {.name = name,
                          .prepare = rings[i].prepare,
                          .verdict = rings[i].verdict,
                          .may_crash = BOTH,
                          .preemptions_max = 2};
        snprintf(name, sizeof name, "%s, four overtake a publisher", rings[i].kind);
        c.actor[0] = publish_zero;
        c.actor[1] = publish_four_by_one;
        weave(c);
        snprintf(name, sizeof name, "%s, four overtake one that gives up", rings[i].kind);
        c.actor[0] = abort_zero;
        weave(c);
        snprintf(name, sizeof name, "%s, two meet a batch of three", rings[i].kind);
        c.actor[0] = batch_zero;
        c.actor[1] = publish_two_by_one;
        weave(c);
    }
}

static void three_publishers_in_turn(void **state)
{
    (void)state;
    weave((weave_case_t){.name = "three publishers, mpmc",
                         .prepare = mpmc_empty,
                         .actor = {publish_zero, publish_one, publish_two},
                         .verdict = competing_verdict,
                         .may_crash = BOTH | 4,
                         .preemptions_max = 2});
    weave((weave_case_t){.name = "three publishers, five messages, mpmc",
                         .prepare = mpmc_empty,
                         .actor = {publish_two_by_zero, publish_two_by_one, publish_two},
                         .verdict = competing_verdict,
                         .may_crash = 1,
                         .preemptions_max = 2});
}

static void who_is_overtaken_or_killed_with_a_message_in_hand_is_not_forgotten(void **state)
{
    (void)state;
    weave((weave_case_t){.name = "four overtake a consumer",
                         .prepare = mpmc_readers_six,
                         .actor = {read_zero, read_four_by_one},
                         .verdict = competing_verdict,
                         .may_crash = BOTH});
    weave((weave_case_t){.name = "two consumers pass tombs",
                         .prepare = mpmc_tombs,
                         .actor = {read_two_by_zero, read_four_by_one},
                         .verdict = competing_verdict,
                         .may_crash = BOTH,
                         .preemptions_max = 2});
}

static void two_consumers_never_share_a_message(void **state)
{
    (void)state;
    weave((weave_case_t){.name = "two consumers, one message",
                         .prepare = mpmc_readers_one,
                         .actor = {read_zero, read_one},
                         .verdict = competing_verdict,
                         .may_crash = BOTH});
    weave((weave_case_t){.name = "two consumers, two messages",
                         .prepare = mpmc_readers_two,
                         .actor = {read_zero, read_one},
                         .verdict = competing_verdict,
                         .may_crash = BOTH});
    weave((weave_case_t){.name = "two consumers, full ring",
                         .prepare = mpmc_readers_full,
                         .actor = {read_zero, read_one},
                         .verdict = competing_verdict,
                         .may_crash = BOTH});
}

static void a_publisher_and_a_consumer_meet_on_every_filling(void **state)
{
    (void)state;
    weave((weave_case_t){.name = "publisher and consumer, empty ring",
                         .prepare = mpmc_readers_empty,
                         .actor = {publish_zero, read_one},
                         .verdict = competing_verdict,
                         .may_crash = BOTH});
    weave((weave_case_t){.name = "publisher and consumer, one message",
                         .prepare = mpmc_readers_one,
                         .actor = {publish_zero, read_one},
                         .verdict = competing_verdict,
                         .may_crash = BOTH});
    weave((weave_case_t){.name = "publisher and consumer, full ring",
                         .prepare = mpmc_readers_full,
                         .actor = {publish_zero, read_one},
                         .verdict = competing_verdict,
                         .may_crash = BOTH});
}

static void repair_beside_the_living_and_beside_another_repairer(void **state)
{
    (void)state;
    weave((weave_case_t){.name = "two repairers",
                         .prepare = mpmc_with_the_dead,
                         .actor = {repair_dead, repair_dead},
                         .verdict = buried_verdict,
                         .may_crash = 1,
                         .preemptions_max = 2});
    weave((weave_case_t){.name = "a repairer and a consumer",
                         .prepare = mpmc_with_the_dead,
                         .actor = {repair_dead, read_one},
                         .verdict = buried_verdict,
                         .may_crash = BOTH});
    weave((weave_case_t){.name = "a repairer and a publisher",
                         .prepare = mpmc_with_the_dead,
                         .actor = {repair_dead, publish_one},
                         .verdict = buried_verdict,
                         .may_crash = BOTH});
    weave((weave_case_t){.name = "a repairer, and a publisher that goes on",
                         .prepare = mpmc_with_the_dead,
                         .actor = {repair_dead, publish_four_by_one},
                         .verdict = buried_verdict,
                         .may_crash = BOTH,
                         .preemptions_max = 2});
    weave((weave_case_t){.name = "a repairer, and a consumer that goes on",
                         .prepare = mpmc_with_the_dead,
                         .actor = {repair_dead, read_four_by_one},
                         .verdict = buried_verdict,
                         .may_crash = BOTH,
                         .preemptions_max = 2});
}

static void broadcast_publishers_respect_the_gate(void **state)
{
    (void)state;
    weave((weave_case_t){.name = "broadcast, two publishers, empty ring",
                         .prepare = broadcast_mp_empty,
                         .actor = {publish_zero, publish_one},
                         .verdict = published_verdict,
                         .may_crash = 1});
    weave((weave_case_t){.name = "broadcast-mp, publisher and subscriber, full ring",
                         .prepare = broadcast_mp_full,
                         .actor = {publish_zero, read_one_and_flush},
                         .verdict = broadcast_verdict,
                         .may_crash = BOTH});
    weave((weave_case_t){.name = "mpsc, publisher and subscriber, full ring",
                         .prepare = mpsc_full,
                         .actor = {publish_zero, read_one_and_flush},
                         .verdict = broadcast_verdict,
                         .may_crash = BOTH});
    weave_both_ways((weave_case_t){.name = "broadcast, publisher and subscriber, full ring",
                                   .prepare = broadcast_full,
                                   .actor = {publish_zero, read_one_and_flush},
                                   .verdict = broadcast_verdict,
                                   .may_crash = BOTH});
    weave_both_ways((weave_case_t){.name = "broadcast, a batch of three and a subscriber",
                                   .prepare = broadcast_last_slot,
                                   .actor = {publish_batch_of_three, read_one_and_flush},
                                   .verdict = published_verdict,
                                   .may_crash = 1});
}

static void who_is_evicted_while_it_reads_is_told_or_has_a_whole_message(void **state)
{
    (void)state;
    weave_both_ways((weave_case_t){.name = "a publisher that evicts, broadcast",
                                   .prepare = evicting_broadcast,
                                   .actor = {publish_by_policy, read_or_be_told},
                                   .verdict = evicting_verdict,
                                   .may_crash = BOTH});
    weave((weave_case_t){.name = "a publisher that evicts, broadcast-mp",
                         .prepare = evicting_broadcast_mp,
                         .actor = {publish_by_policy, read_or_be_told},
                         .verdict = evicting_verdict,
                         .may_crash = BOTH});
    free(world->reader[1].scratch);
    world->reader[1].scratch = NULL;
}

static void an_observer_is_never_shown_a_torn_message(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*prepare)(void);
    } cases[] = {
        {"broadcast", observed_broadcast},
        {"broadcast-mp", observed_broadcast_mp},
        {"mpmc", observed_mpmc},
        {"mpsc", observed_mpsc},
    };
    static const struct {
        const char *name;
        void (*act)(void);
    } ways[] = {{"an observer", observe}, {"one that takes some at once", observe_some}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        for (unsigned way = 0; way < 2; way++) {
            char name[80];
            snprintf(name, sizeof name, "%s, publisher laps %s", cases[i].name, ways[way].name);
            weave_case_t at = {.name = name,
                               .prepare = cases[i].prepare,
                               .actor = {publish_zero, ways[way].act},
                               .verdict = observed_verdict,
                               .may_crash = 1};
            if (i == 0)
                weave_both_ways(at);
            else
                weave(at);
        }
}

static void a_long_message_is_read_whole_or_not_at_all(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*prepare)(void);
        void (*reader)(void);
    } cases[] = {
        {"broadcast, the area laps an observer", big_observed, observe_big},
        {"broadcast-mp, a long message laps an observer", big_observed_mp, observe_big},
        {"mpmc, a long message laps an observer", big_observed_mpmc, observe_big},
        {"spsc, a subscriber holds the area up", big_held, read_big},
        {"mpsc, a subscriber holds its cell up", big_held_mp, read_big},
        {"mpmc, a consumer holds its cell up", big_held_mpmc, read_big},
        {"broadcast, a subscriber in the way is evicted", big_evicting, read_big},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        weave((weave_case_t){.name = cases[i].name,
                             .prepare = cases[i].prepare,
                             .actor = {publish_big_zero, cases[i].reader},
                             .verdict = big_verdict,
                             .interesting = interesting_big,
                             .may_crash = BOTH,
                             .preemptions_max = cases[i].prepare == big_evicting ? 2 : 3});
    free(world->reader[1].scratch);
    world->reader[1].scratch = NULL;
}

static void no_wake_up_is_lost(void **state)
{
    (void)state;
    weave_both_ways((weave_case_t){.name = "broadcast, publisher and sleeper",
                                   .prepare = sleeper_broadcast,
                                   .actor = {publish_zero, sleep_until_read},
                                   .verdict = awake_verdict,
                                   .interesting = interesting_sleep,
                                   .may_crash = 1});
    weave((weave_case_t){.name = "broadcast, a batch of three and a sleeper",
                         .prepare = sleeper_broadcast,
                         .actor = {publish_batch_of_three, sleep_until_three_are_read},
                         .verdict = awake_verdict,
                         .interesting = interesting_sleep,
                         .may_crash = 1});
    weave((weave_case_t){.name = "broadcast, a batch meets a full ring and a sleeper",
                         .prepare = sleeper_and_little_room,
                         .actor = {publish_batch_until_three_are_out, sleep_until_three_are_read},
                         .verdict = awake_verdict,
                         .interesting = interesting_sleep});
    weave((weave_case_t){.name = "mpmc, publisher and sleeper",
                         .prepare = sleeper_mpmc,
                         .actor = {publish_zero, sleep_until_read},
                         .verdict = awake_verdict,
                         .interesting = interesting_sleep,
                         .may_crash = 1});
    weave((weave_case_t){.name = "broadcast, publisher asleep for room",
                         .prepare = sleeper_for_room,
                         .actor = {sleep_until_published, read_one_and_flush},
                         .verdict = awake_verdict,
                         .interesting = interesting_sleep});
}

static void three_actors_in_random_orders(void **state)
{
    (void)state;
    uint64_t seed = 20260101;
    const char *given = getenv("TICKBUS_SEED");
    if (given)
        seed = strtoull(given, NULL, 0);
    printf("  seed %" PRIu64 " (set TICKBUS_SEED to another)\n", seed);
    weave((weave_case_t){.name = "two publishers and a consumer, at random",
                         .prepare = mpmc_readers_one,
                         .actor = {publish_zero, publish_one, read_one},
                         .verdict = competing_verdict,
                         .may_crash = BOTH,
                         .random_schedules = 100000,
                         .seed = seed});
}

int main(void)
{
    world_create();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_publishers_never_lose_or_double_a_message),
        cmocka_unit_test(who_is_overtaken_or_killed_in_a_claim_is_not_forgotten),
        cmocka_unit_test(three_publishers_in_turn),
        cmocka_unit_test(who_is_overtaken_or_killed_with_a_message_in_hand_is_not_forgotten),
        cmocka_unit_test(two_consumers_never_share_a_message),
        cmocka_unit_test(a_publisher_and_a_consumer_meet_on_every_filling),
        cmocka_unit_test(repair_beside_the_living_and_beside_another_repairer),
        cmocka_unit_test(broadcast_publishers_respect_the_gate),
        cmocka_unit_test(who_is_evicted_while_it_reads_is_told_or_has_a_whole_message),
        cmocka_unit_test(an_observer_is_never_shown_a_torn_message),
        cmocka_unit_test(a_long_message_is_read_whole_or_not_at_all),
        cmocka_unit_test(no_wake_up_is_lost),
        cmocka_unit_test(three_actors_in_random_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
