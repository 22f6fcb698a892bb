/* SPDX-License-Identifier: Apache-2.0 */
/* Competing rings that promise at least once: what a consumer that died had in hand goes to the
 * next one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <tickbus/clock.h>
#include <tickbus/glance.h>
#include <tickbus/observer.h>
#include <tickbus/repair.h>
#include <tickbus/wait.h>

#include "tests/support/ring_fixture.h"

enum { SLOTS = 16, PUBLISHER = 1, ALIVE = 2, OTHER = 3, RECORDER = 4, DEAD = 10 /* and above */ };

typedef struct world {
    tbus_ring_t ring;
    tbus_publisher_t publisher;
    uint64_t first_seq;
} world_t;

static tbus_ring_spec_t spec_of(enum tbus_promise promise, uint64_t first_seq)
{
    return (tbus_ring_spec_t){.name = "again",
                              .kind = TBUS_MPMC,
                              .slot_bytes = 64,
                              .slot_count = SLOTS,
                              .first_seq = first_seq,
                              .promise = promise};
}

static world_t make(enum tbus_promise promise, uint64_t first_seq)
{
    world_t w = {.ring = test_ring_create(spec_of(promise, first_seq)), .first_seq = first_seq};
    w.publisher = test_publisher(&w.ring, PUBLISHER);
    return w;
}

static void destroy(world_t *w)
{
    test_ring_destroy(&w->ring);
}

static tbus_subscriber_t join(world_t *w, enum tbus_sub_role role, uint32_t owner)
{
    char name[] = {'s', (char)('a' + owner), 0};
    return test_late_comer(&w->ring, name, role, owner);
}

static enum tbus_publish publish(world_t *w, uint64_t number)
{
    return tbus_publish_try(&w->publisher, &number, sizeof number);
}

static void publish_many(world_t *w, uint64_t from, uint64_t to)
{
    for (uint64_t number = from; number < to; number++)
        assert_int_equal(publish(w, number), TBUS_PUBLISHED);
}

/* Message `number` is the next one, under its own sequence; and it is still the next one at the
 * second look. */
static void see(world_t *w, tbus_subscriber_t *s, uint64_t number)
{
    size_t bytes;
    assert_true(tbus_glance(s));
    for (unsigned look = 0; look < 2; look++) {
        const void *message = tbus_peek(s, &bytes);
        assert_non_null(message);
        assert_int_equal(bytes, sizeof number);
        assert_memory_equal(message, &number, sizeof number);
        assert_int_equal(s->seq, w->first_seq + number);
    }
}

static void receive(world_t *w, tbus_subscriber_t *s, uint64_t number)
{
    see(w, s, number);
    tbus_advance(s);
    assert_int_equal(s->error, 0);
}

static void see_nothing(tbus_subscriber_t *s)
{
    size_t bytes;
    assert_null(tbus_peek(s, &bytes));
    assert_int_equal(s->error, 0);
    assert_false(tbus_glance(s));
}

/* A consumer that takes message `number` and dies. */
static uint32_t die_with(world_t *w, uint32_t owner, uint64_t number)
{
    tbus_subscriber_t s = join(w, TBUS_CONSUMER, owner);
    see(w, &s, number);
    return owner;
}

static uint64_t count(const tbus_atomic_u64_t *counter)
{
    return tbus_load_relaxed_u64(counter);
}

static void expect_slot(world_t *w, uint64_t number, enum tbus_slot_state state, uint32_t owner)
{
    uint64_t seq = w->first_seq + number;
    uint64_t word = tbus_load_relaxed_u64(tbus_ring_slot(&w->ring, seq));
    assert_int_equal(tbus_slot_state(word), state);
    assert_int_equal(tbus_slot_owner(word), owner);
    assert_int_equal(tbus_slot_length(word), sizeof(uint64_t));
    assert_int_equal(tbus_slot_ahead(word, seq), state == TBUS_SLOT_FREE ? SLOTS : 0);
}

static const uint64_t starts[] = {1, (UINT64_C(1) << 32) - 5, (UINT64_C(1) << 45) - 5,
                                  UINT64_MAX - 5};
#define STARTS (sizeof starts / sizeof *starts)

static void what_a_dead_consumer_held_goes_to_the_next_before_newer_ones(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STARTS; i++)
        for (unsigned settled = 0; settled < 2;
             settled++) { /* known from the ticket only, or from the slot */
            world_t w = make(TBUS_AT_LEAST_ONCE, starts[i]);
            tbus_subscriber_t alive = join(&w, TBUS_CONSUMER, ALIVE);
            publish_many(&w, 0, 6);
            uint32_t dead = die_with(&w, DEAD, 0);
            for (uint64_t number = 1; number <= 3 * settled; number++)
                receive(&w, &alive, number);
            expect_slot(&w, 0, settled ? TBUS_SLOT_TAKEN : TBUS_SLOT_READY, settled ? DEAD : 0);
            assert_int_equal(tbus_ring_repair(&w.ring, dead), 2); /* the message and its place */
            assert_int_equal(tbus_ring_repair(&w.ring, dead), 0);
            expect_slot(&w, 0, TBUS_SLOT_AGAIN, 0);
            see(&w, &alive, 0);
            expect_slot(&w, 0, TBUS_SLOT_TAKEN, ALIVE);
            tbus_advance(&alive);
            expect_slot(&w, 0, TBUS_SLOT_FREE, 0);
            for (uint64_t number = 1 + 3 * settled; number < 6; number++)
                receive(&w, &alive, number);
            see_nothing(&alive);
            tbus_subscriber_flush(&alive);
            assert_int_equal(count(&w.ring.shared->subs[alive.index].consumed), 6);
            assert_int_equal(count(&w.ring.shared->redelivered), 1);
            assert_int_equal(count(&w.ring.shared->in_doubt), 0);
            tbus_subscriber_leave(&alive);
            destroy(&w);
        }
}

static void orders_are_never_delivered_again(void **state)
{
    (void)state;
    world_t w = make(TBUS_AT_MOST_ONCE, 1);
    tbus_subscriber_t alive = join(&w, TBUS_CONSUMER, ALIVE);
    publish_many(&w, 0, 2);
    assert_int_equal(tbus_ring_repair(&w.ring, die_with(&w, DEAD, 0)), 2);
    expect_slot(&w, 0, TBUS_SLOT_FREE, 0);
    receive(&w, &alive, 1);
    see_nothing(&alive);
    assert_int_equal(count(&w.ring.shared->redelivered), 0);
    assert_int_equal(count(&w.ring.shared->again), 0);
    assert_int_equal(count(&w.ring.shared->in_doubt), 1);
    tbus_subscriber_leave(&alive);
    destroy(&w);
}

static void whoever_dies_with_it_leaves_it_to_the_next_as_often_as_it_takes(void **state)
{
    (void)state;
    world_t w = make(TBUS_AT_LEAST_ONCE, 1);
    tbus_subscriber_t alive = join(&w, TBUS_CONSUMER, ALIVE);
    publish_many(&w, 0, 2);
    for (uint32_t dead = DEAD; dead < DEAD + 5; dead++) {
        die_with(&w, dead, 0);
        if (dead > DEAD)
            expect_slot(&w, 0, TBUS_SLOT_TAKEN, dead); /* by name, at once */
        assert_int_equal(tbus_ring_repair(&w.ring, dead), 2);
    }
    receive(&w, &alive, 0);
    receive(&w, &alive, 1);
    see_nothing(&alive);
    assert_int_equal(count(&w.ring.shared->redelivered), 5);
    tbus_subscriber_leave(&alive);
    destroy(&w);
}

static void of_several_the_oldest_comes_first_and_none_is_forgotten(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STARTS; i++) {
        world_t w = make(TBUS_AT_LEAST_ONCE, starts[i]);
        tbus_subscriber_t alive = join(&w, TBUS_CONSUMER, ALIVE),
                          other = join(&w, TBUS_CONSUMER, OTHER);
        publish_many(&w, 0, 8);
        for (uint32_t k = 0; k < 4; k++)
            die_with(&w, DEAD + k, k);
        receive(&w, &alive, 4);
        assert_int_equal(tbus_ring_repair(&w.ring, DEAD + 2), 2);
        assert_int_equal(tbus_ring_repair(&w.ring, DEAD + 0), 2);
        assert_int_equal(tbus_ring_repair(&w.ring, DEAD + 3), 2);
        see(&w, &alive, 0);
        receive(&w, &other, 2);
        receive(&w, &other, 3);
        assert_int_equal(tbus_ring_repair(&w.ring, DEAD + 1),
                         2); /* while one looked already and found no more */
        receive(&w, &other, 1);
        receive(&w, &other, 5);
        tbus_advance(&alive);
        receive(&w, &alive, 6);
        receive(&w, &other, 7);
        see_nothing(&alive);
        see_nothing(&other);
        tbus_subscriber_flush(&alive);
        tbus_subscriber_flush(&other);
        assert_int_equal(count(&w.ring.shared->subs[alive.index].consumed), 3);
        assert_int_equal(count(&w.ring.shared->subs[other.index].consumed), 5);
        tbus_subscriber_leave(&alive);
        tbus_subscriber_leave(&other);
        destroy(&w);
    }
}

static void publishers_wait_for_it_when_they_come_round(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STARTS; i++) {
        world_t w = make(TBUS_AT_LEAST_ONCE, starts[i]);
        tbus_subscriber_t busy = join(&w, TBUS_CONSUMER, OTHER);
        publish_many(&w, 0, SLOTS);
        die_with(&w, DEAD, 0);
        for (uint64_t number = 1; number < SLOTS; number++)
            receive(&w, &busy, number);
        assert_int_equal(publish(&w, SLOTS), TBUS_FULL);
        assert_int_equal(tbus_ring_repair(&w.ring, DEAD), 2);
        assert_int_equal(publish(&w, SLOTS), TBUS_FULL);
        assert_int_equal(tbus_ring_repair(&w.ring, PUBLISHER), 0);
        expect_slot(&w, 0, TBUS_SLOT_AGAIN, 0);
        tbus_subscriber_t alive = join(&w, TBUS_CONSUMER, ALIVE);
        receive(&w, &alive, 0); /* the last moment: the next to be taken is a whole lap ahead */
        publish_many(&w, SLOTS, 2 * SLOTS);
        for (uint64_t number = SLOTS; number < 2 * SLOTS; number++)
            receive(&w, number % 2 ? &alive : &busy, number);
        tbus_subscriber_leave(&busy);
        tbus_subscriber_leave(&alive);
        destroy(&w);
    }
}

/* Each lap somebody dies with a message, at another place of the ring; once round every wrap. */
static void laps_of_deaths_lose_and_double_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STARTS; i++) {
        world_t w = make(TBUS_AT_LEAST_ONCE, starts[i]);
        tbus_subscriber_t alive = join(&w, TBUS_CONSUMER, ALIVE),
                          recorder = join(&w, TBUS_FOLLOWER, RECORDER);
        unsigned times[300] = {0};
        uint64_t number = 0;
        for (uint32_t lap = 0; lap < 20; lap++) {
            publish_many(&w, number, number + 15);
            uint64_t doomed = number + lap % 15;
            for (uint64_t n = number; n < number + 15; n++) {
                if (n == doomed)
                    die_with(&w, DEAD + lap, n);
                else
                    receive(&w, &alive, n);
            }
            assert_int_equal(tbus_ring_repair(&w.ring, DEAD + lap), 2);
            receive(&w, &alive, doomed);
            see_nothing(&alive);
            for (uint64_t n = number; n < number + 15; n++) {
                receive(&w, &recorder, n);
                times[n]++;
            }
            tbus_subscriber_flush(&recorder);
            number += 15;
        }
        for (unsigned n = 0; n < 300; n++)
            assert_int_equal(times[n], 1);
        tbus_subscriber_flush(&alive);
        assert_int_equal(count(&w.ring.shared->subs[alive.index].consumed), 300);
        tbus_subscriber_leave(&alive);
        tbus_subscriber_leave(&recorder);
        destroy(&w);
    }
}

static void followers_and_observers_see_it_once_and_do_not_wait_for_it(void **state)
{
    (void)state;
    for (unsigned stage = 0; stage < 4; stage++) { /* in hand, settled, waiting, in hand again */
        world_t w = make(TBUS_AT_LEAST_ONCE, 1);
        tbus_subscriber_t recorder = join(&w, TBUS_FOLLOWER, RECORDER),
                          alive = join(&w, TBUS_CONSUMER, ALIVE);
        tbus_observer_t eye;
        assert_int_equal(tbus_observer_join(&w.ring, TBUS_FROM_OLDEST, &eye, NULL), 0);
        publish_many(&w, 0, 5);
        die_with(&w, DEAD, 0);
        if (stage > 0)
            for (uint64_t number = 1; number < 4; number++)
                receive(&w, &alive, number);
        if (stage > 1)
            tbus_ring_repair(&w.ring, DEAD);
        if (stage > 2)
            see(&w, &alive, 0);
        static const enum tbus_slot_state found[] = {TBUS_SLOT_READY, TBUS_SLOT_TAKEN,
                                                     TBUS_SLOT_AGAIN, TBUS_SLOT_TAKEN};
        expect_slot(&w, 0, found[stage], (uint32_t[]){0, DEAD, 0, ALIVE}[stage]);
        for (uint64_t number = 0; number < 5; number++) {
            uint64_t copy, seq, lost;
            size_t bytes;
            receive(&w, &recorder, number);
            assert_int_equal(tbus_observe(&eye, &copy, &bytes, &seq, &lost), 1);
            assert_true(copy == number && seq == 1 + number && lost == 0);
        }
        see_nothing(&recorder);
        tbus_subscriber_leave(&recorder);
        tbus_subscriber_leave(&alive);
        destroy(&w);
    }
}

static void an_observer_that_was_lapped_goes_on_from_one_that_waits(void **state)
{
    (void)state;
    world_t w = make(TBUS_AT_LEAST_ONCE, 1);
    tbus_subscriber_t alive = join(&w, TBUS_CONSUMER, ALIVE);
    tbus_observer_t eye;
    uint64_t copy, seq, lost;
    size_t bytes;
    assert_int_equal(tbus_observer_join(&w.ring, TBUS_FROM_OLDEST, &eye, NULL), 0);
    for (uint64_t number = 0; number < 2 * SLOTS; number++) {
        assert_int_equal(publish(&w, number), TBUS_PUBLISHED);
        receive(&w, &alive, number);
    }
    publish_many(&w, 2 * SLOTS, 3 * SLOTS);
    die_with(&w, DEAD, 2 * SLOTS);
    die_with(&w, DEAD + 1, 2 * SLOTS + 1); /* the first place that it may go on from */
    assert_int_equal(tbus_ring_repair(&w.ring, DEAD), 2);
    assert_int_equal(tbus_ring_repair(&w.ring, DEAD + 1), 2);
    expect_slot(&w, 2 * SLOTS + 1, TBUS_SLOT_AGAIN, 0);
    assert_int_equal(tbus_observe(&eye, &copy, &bytes, &seq, &lost), 1);
    assert_int_equal(copy, 2 * SLOTS + 1);
    assert_int_equal(lost, 2 * SLOTS + 1);
    tbus_subscriber_leave(&alive);
    destroy(&w);
}

static void who_was_declared_dead_by_mistake_is_told_whatever_became_of_its_message(void **state)
{
    (void)state;
    for (unsigned stage = 0; stage < 3;
         stage++) { /* it waits, another has it, another has given it back */
        world_t w = make(TBUS_AT_LEAST_ONCE, 1);
        tbus_subscriber_t alive = join(&w, TBUS_CONSUMER, ALIVE),
                          zombie = join(&w, TBUS_CONSUMER, OTHER);
        size_t bytes;
        publish_many(&w, 0, 2);
        see(&w, &zombie, 0);
        assert_int_equal(tbus_ring_repair(&w.ring, OTHER), 2);
        if (stage > 0)
            see(&w, &alive, 0);
        if (stage > 1)
            tbus_advance(&alive);
        tbus_advance(&zombie);
        assert_int_equal(zombie.error, -TBUS_ESTALE);
        assert_null(tbus_peek(&zombie, &bytes));
        if (stage < 2)
            receive(&w, &alive, 0);
        receive(&w, &alive, 1);
        see_nothing(&alive);
        assert_int_equal(count(&w.ring.shared->redelivered), 1);
        tbus_subscriber_leave(&zombie);
        tbus_subscriber_leave(&alive);
        destroy(&w);
    }
}

static void who_leaves_with_a_message_in_hand_leaves_it_to_the_next(void **state)
{
    (void)state;
    for (unsigned settled = 0; settled < 2; settled++) {
        world_t w = make(TBUS_AT_LEAST_ONCE, 1);
        tbus_subscriber_t leaves = join(&w, TBUS_CONSUMER, OTHER),
                          alive = join(&w, TBUS_CONSUMER, ALIVE);
        publish_many(&w, 0, 5);
        see(&w, &leaves, 0);
        for (uint64_t number = 1; number <= 3 * settled; number++)
            receive(&w, &alive, number);
        tbus_subscriber_leave(&leaves);
        expect_slot(&w, 0, TBUS_SLOT_AGAIN, 0);
        receive(&w, &alive, 0);
        receive(&w, &alive, 1 + 3 * settled);
        assert_int_equal(count(&w.ring.shared->redelivered), 1);
        assert_int_equal(count(&w.ring.shared->in_doubt), 0);
        tbus_subscriber_leave(&alive);
        destroy(&w);
    }
}

/* ---- finding it ---- */

static bool nobody_is_dead(void *context, uint32_t owner)
{
    (void)context, (void)owner;
    return false;
}
static bool the_dead_are(void *context, uint32_t owner)
{
    (void)context;
    return owner >= DEAD;
}

/* As a repairer that was killed between mending the slot and calling it out leaves it. */
static void mend_in_silence(world_t *w, uint64_t number)
{
    uint64_t seq = w->first_seq + number;
    tbus_store_relaxed_u64(tbus_ring_slot(&w->ring, seq),
                           tbus_slot_word(seq, 0, sizeof(uint64_t), TBUS_SLOT_AGAIN));
}

static void one_that_nobody_called_out_is_found_by_the_next_heal_or_by_a_newcomer(void **state)
{
    (void)state;
    world_t w = make(TBUS_AT_LEAST_ONCE, 1);
    tbus_subscriber_t alive = join(&w, TBUS_CONSUMER, ALIVE);
    see_nothing(&alive); /* its first look is over */
    publish_many(&w, 0, 2);
    die_with(&w, DEAD, 0);
    die_with(&w, DEAD + 1, 1);
    mend_in_silence(&w, 0);
    mend_in_silence(&w, 1);
    see_nothing(&alive);
    tbus_subscriber_t newcomer = join(&w, TBUS_CONSUMER, OTHER);
    receive(&w, &newcomer, 0);
    see_nothing(&alive);
    assert_int_equal(tbus_ring_heal(&w.ring, nobody_is_dead, NULL), 0);
    receive(&w, &alive, 1);
    uint64_t calls = count(&w.ring.shared->again);
    assert_int_equal(tbus_ring_heal(&w.ring, nobody_is_dead, NULL), 0);
    assert_int_equal(count(&w.ring.shared->again), calls); /* nothing waits any more */
    tbus_subscriber_leave(&alive);
    tbus_subscriber_leave(&newcomer);
    destroy(&w);
}

static void not_even_a_first_look_hides_it_from_a_glance(void **state)
{
    (void)state;
    world_t w = make(TBUS_AT_LEAST_ONCE, 1);
    publish_many(&w, 0, 1);
    die_with(&w, DEAD, 0);
    tbus_subscriber_t alive = join(&w, TBUS_CONSUMER, ALIVE);
    size_t bytes;
    assert_true(tbus_glance(&alive)); /* it may be worth a peek: nobody looked yet */
    assert_null(tbus_peek(&alive, &bytes));
    assert_false(tbus_glance(&alive));
    assert_int_equal(tbus_ring_repair(&w.ring, DEAD), 2);
    assert_true(tbus_glance(&alive));
    receive(&w, &alive, 0);
    tbus_subscriber_leave(&alive);
    destroy(&w);
}

static unsigned heals;
static void heal(void *context)
{
    heals++;
    tbus_ring_heal(context, the_dead_are, NULL);
}

/* Nothing else is in the way: the ring is empty but for what the dead one holds. */
static void an_idle_consumer_looks_for_the_dead_while_anything_is_out(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STARTS; i++)
        for (unsigned silent = 0; silent < 2; silent++) {
            world_t w = make(TBUS_AT_LEAST_ONCE, starts[i]);
            tbus_subscriber_t alive = join(&w, TBUS_CONSUMER, ALIVE),
                              slow = join(&w, TBUS_CONSUMER, OTHER);
            tbus_waiter_t waiter;
            tbus_waiter_init(&waiter, TBUS_WAIT_PARK);
            waiter.heal = heal;
            waiter.heal_context = &w.ring;
            tbus_waiter_watch_subscriber(&waiter, &alive);
            heals = 0;
            see_nothing(&alive);
            tbus_waiter_heal(&waiter);
            uint64_t number = 0;
            for (; number < 3 * SLOTS; number++) {
                publish_many(&w, number, number + 1);
                receive(&w, &alive, number);
            }
            tbus_waiter_heal(&waiter);
            assert_int_equal(heals, 0); /* nothing is out: no reason to ask */
            publish_many(&w, number, number + 3);
            die_with(&w, DEAD, number);
            see(&w, &slow, number + 1);
            receive(&w, &alive, number + 2);
            see_nothing(&alive);
            if (silent)
                mend_in_silence(&w, number);
            uint64_t now_ns = tbus_clock_ns();
            tbus_waiter_park(&waiter, now_ns, now_ns + 1000);
            assert_int_equal(heals, 1);
            receive(&w, &alive, number);
            tbus_waiter_heal(&waiter); /* the slow one may be dead as well */
            assert_int_equal(heals, 2);
            see_nothing(&alive);
            tbus_advance(&slow);
            tbus_waiter_heal(&waiter);
            assert_int_equal(heals, 2);
            tbus_subscriber_leave(&alive);
            tbus_subscriber_leave(&slow);
            destroy(&w);
        }
}

static void sleepers_are_woken_for_it(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 3;
         how++) { /* by a repair, by a heal that finds it, by one that leaves */
        world_t w = make(TBUS_AT_LEAST_ONCE, 1);
        tbus_subscriber_t sleeper = join(&w, TBUS_CONSUMER, ALIVE),
                          leaves = join(&w, TBUS_CONSUMER, OTHER);
        publish_many(&w, 0, 1);
        if (how == 2)
            see(&w, &leaves, 0);
        else
            die_with(&w, DEAD, 0);
        see_nothing(&sleeper);
        const tbus_atomic_u32_t *bell = &w.ring.shared->subs[sleeper.index].bell;
        uint32_t rung = tbus_load_relaxed_u32(bell);
        tbus_fetch_or_u32(&w.ring.shared->sleepers, UINT32_C(1) << sleeper.index);
        if (how == 0)
            tbus_ring_repair(&w.ring, DEAD);
        if (how == 1) {
            mend_in_silence(&w, 0);
            tbus_ring_heal(&w.ring, nobody_is_dead, NULL);
        }
        tbus_subscriber_leave(&leaves);
        assert_int_equal(tbus_load_relaxed_u32(bell), rung + 1);
        receive(&w, &sleeper, 0);
        tbus_subscriber_leave(&sleeper);
        destroy(&w);
    }
}

/* Awake at its last look, or not at all: either way it does not sleep over a message. */
static void nobody_goes_to_sleep_over_it(void **state)
{
    (void)state;
    world_t w = make(TBUS_AT_LEAST_ONCE, 1);
    tbus_subscriber_t alive = join(&w, TBUS_CONSUMER, ALIVE);
    see_nothing(&alive);
    publish_many(&w, 0, 1);
    tbus_ring_repair(&w.ring, die_with(&w, DEAD, 0));
    tbus_waiter_t waiter;
    tbus_waiter_init(&waiter, TBUS_WAIT_PARK);
    tbus_waiter_watch_subscriber(&waiter, &alive);
    uint64_t now_ns = tbus_clock_ns();
    tbus_waiter_park(&waiter, now_ns, now_ns + TBUS_PARK_NS_MAX);
    assert_int_equal(waiter.parks, 0);
    receive(&w, &alive, 0);
    tbus_subscriber_leave(&alive);
    destroy(&w);
}

/* ---- what cannot be ---- */

static void only_a_competing_ring_can_promise_it(void **state)
{
    (void)state;
    static _Alignas(4096) unsigned char memory[TBUS_RING_SLOTS_AT + 64 * SLOTS];
    for (enum tbus_ring_kind kind = TBUS_SPSC; kind <= TBUS_MPSC; kind++)
        for (uint32_t promise = 0; promise < 4; promise++) {
            tbus_ring_spec_t spec = spec_of((enum tbus_promise)promise, 1);
            tbus_error_t err = {0};
            tbus_ring_t ring;
            bool fine = promise == TBUS_AT_MOST_ONCE ||
                        (promise == TBUS_AT_LEAST_ONCE && kind == TBUS_MPMC);
            spec.kind = kind;
            int code = tbus_ring_format(memory, sizeof memory, &spec, &err);
            assert_int_equal(code, fine ? 0 : -TBUS_EGEOMETRY);
            assert_int_equal(tbus_ring_footprint(&spec) != 0, fine);
            assert_int_equal(err.text[0] != 0, !fine);
            spec.promise = TBUS_AT_MOST_ONCE;
            assert_int_equal(tbus_ring_format(memory, sizeof memory, &spec, &err), 0);
            ((tbus_ring_shared_t *)(void *)memory)->promise = promise; /* somebody lies */
            assert_int_equal(tbus_ring_join(memory, sizeof memory, true, &ring, &err),
                             fine ? 0 : -TBUS_EGEOMETRY);
            if (fine)
                assert_int_equal(ring.redelivers, promise == TBUS_AT_LEAST_ONCE);
        }
}

/* Words that no correct repairer leaves, called out: passed over, or corrupt where they would be
 * handed out. */
static void impossible_words_are_not_handed_out(void **state)
{
    (void)state;
    for (unsigned what = 0; what < 4; what++) {
        world_t w = make(TBUS_AT_LEAST_ONCE, 1);
        tbus_subscriber_t alive = join(&w, TBUS_CONSUMER, ALIVE);
        publish_many(&w, 0, 4);
        for (uint64_t number = 0; number < 4; number++)
            receive(&w, &alive, number);
        uint64_t seq = what < 2 ? 2 : what == 2 ? 2 + SLOTS : 2 - SLOTS;
        uint32_t length = what == 0 ? 57 : what == 1 ? TBUS_LENGTH_TOMB : 8;
        tbus_store_relaxed_u64(tbus_ring_slot(&w.ring, 2),
                               tbus_slot_word(seq, 0, length, TBUS_SLOT_AGAIN));
        assert_int_equal(tbus_ring_heal(&w.ring, nobody_is_dead, NULL), 0);
        size_t bytes;
        assert_null(tbus_peek(&alive, &bytes));
        assert_int_equal(alive.error, what < 2 ? -TBUS_ECORRUPT : 0);
        tbus_subscriber_leave(&alive);
        destroy(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_dead_consumer_held_goes_to_the_next_before_newer_ones),
        cmocka_unit_test(orders_are_never_delivered_again),
        cmocka_unit_test(whoever_dies_with_it_leaves_it_to_the_next_as_often_as_it_takes),
        cmocka_unit_test(of_several_the_oldest_comes_first_and_none_is_forgotten),
        cmocka_unit_test(publishers_wait_for_it_when_they_come_round),
        cmocka_unit_test(laps_of_deaths_lose_and_double_nothing),
        cmocka_unit_test(followers_and_observers_see_it_once_and_do_not_wait_for_it),
        cmocka_unit_test(an_observer_that_was_lapped_goes_on_from_one_that_waits),
        cmocka_unit_test(who_was_declared_dead_by_mistake_is_told_whatever_became_of_its_message),
        cmocka_unit_test(who_leaves_with_a_message_in_hand_leaves_it_to_the_next),
        cmocka_unit_test(one_that_nobody_called_out_is_found_by_the_next_heal_or_by_a_newcomer),
        cmocka_unit_test(not_even_a_first_look_hides_it_from_a_glance),
        cmocka_unit_test(an_idle_consumer_looks_for_the_dead_while_anything_is_out),
        cmocka_unit_test(sleepers_are_woken_for_it),
        cmocka_unit_test(nobody_goes_to_sleep_over_it),
        cmocka_unit_test(only_a_competing_ring_can_promise_it),
        cmocka_unit_test(impossible_words_are_not_handed_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
