/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets (bus/ring/ticket.h): who claimed or took the last two sequences stands in a word of the
 * ring, and in the slots of those before that are not done. One after the other here; every order
 * of steps and every kill is the business of interleave and proc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <tickbus/observer.h>
#include <tickbus/publisher.h>
#include <tickbus/repair.h>
#include <tickbus/subscriber.h>

#include "bus/ring/ticket.h"
#include "tests/support/ring_fixture.h"

enum { SLOTS = 16, PUBLISHERS = 3, READER = 9 };

static const enum tbus_ring_kind several[] = {TBUS_BROADCAST_MP, TBUS_MPMC, TBUS_MPSC};
#define SEVERAL (sizeof several / sizeof *several)

static const uint64_t starts[] = {1, (UINT64_C(1) << 45) - 2, UINT64_MAX - 1};
#define STARTS (sizeof starts / sizeof *starts)

typedef struct world {
    tbus_ring_t ring;
    tbus_publisher_t publisher[PUBLISHERS]; /* owners 1, 2, 3 */
    /* owners READER, READER + 1; the second on a competing ring only */
    tbus_subscriber_t reader[2];
    uint64_t first;
    uint64_t published;
} world_t;

static world_t make(enum tbus_ring_kind kind, uint64_t first)
{
    tbus_ring_spec_t spec = {.kind = kind, .slot_count = SLOTS, .first_seq = first};
    world_t w = {.ring = test_ring_create(spec), .first = first};
    for (uint32_t i = 0; i < PUBLISHERS; i++)
        w.publisher[i] = test_publisher(&w.ring, i + 1);
    for (uint32_t i = 0; i < (kind == TBUS_MPMC ? 2u : 1u); i++)
        w.reader[i] = test_late_comer(&w.ring, i ? "b" : "a", test_taker(kind), READER + i);
    return w;
}

static void finish(world_t *w)
{
    for (unsigned i = 0; i < 2; i++)
        tbus_subscriber_leave(&w->reader[i]);
    test_ring_destroy(&w->ring);
}

/* Message n is the n-th sequence, and says so. */
static void publish(world_t *w, unsigned who)
{
    assert_int_equal(tbus_publish_try(&w->publisher[who], &w->published, 8), TBUS_PUBLISHED);
    w->published++;
}
static void expect(world_t *w, unsigned reader, uint64_t number)
{
    size_t bytes;
    const void *message = tbus_peek(&w->reader[reader], &bytes);
    assert_non_null(message);
    assert_int_equal(bytes, 8);
    assert_memory_equal(message, &number, 8);
    assert_int_equal(w->reader[reader].seq, w->first + number);
    tbus_advance(&w->reader[reader]);
    tbus_subscriber_flush(&w->reader[reader]);
}
static void expect_none(world_t *w, unsigned reader)
{
    size_t bytes;
    assert_null(tbus_peek(&w->reader[reader], &bytes));
    assert_int_equal(w->reader[reader].error, 0);
}

static void expect_slot(const world_t *w, uint64_t number, enum tbus_slot_state state,
                        uint32_t owner)
{
    uint64_t word = tbus_load_relaxed_u64(tbus_ring_slot(&w->ring, w->first + number));
    assert_int_equal(tbus_slot_state(word), state);
    assert_int_equal(tbus_slot_owner(word), owner);
}
static void expect_ticket(uint64_t ticket, uint64_t next, uint32_t last, uint32_t before)
{
    assert_int_equal(ticket, tbus_ticket(next, last, before));
}

/* A lap of them, and then one that is in hand. */
static void *claim_after_a_lap(world_t *w, unsigned who)
{
    for (unsigned i = 0; i < SLOTS + 3; i++) {
        publish(w, i % PUBLISHERS);
        expect(w, 0, i);
    }
    void *place = tbus_claim_try(&w->publisher[who]);
    assert_non_null(place);
    memcpy(place, &w->published, 8);
    w->published++;
    return place;
}

static void the_ticket_names_the_last_two_and_the_slots_the_others(void **state)
{
    (void)state;
    for (unsigned k = 0; k < SEVERAL; k++)
        for (unsigned f = 0; f < STARTS; f++) {
            world_t w = make(several[k], starts[f]);
            expect_ticket(tbus_load_relaxed_u64(&w.ring.shared->claims), w.first, 0, 0);
            claim_after_a_lap(&w, 0);
            uint64_t mine = w.published - 1;
            expect_ticket(tbus_load_relaxed_u64(&w.ring.shared->claims), w.first + mine + 1, 1,
                          1 + (SLOTS + 2) % PUBLISHERS);
            publish(&w, 1);
            expect_ticket(tbus_load_relaxed_u64(&w.ring.shared->claims), w.first + mine + 2, 2, 1);
            uint64_t old = tbus_load_relaxed_u64(tbus_ring_slot(&w.ring, w.first + mine));
            assert_int_not_equal(tbus_slot_state(old), TBUS_SLOT_CLAIMED); /* the ticket knows */
            publish(&w, 2);
            expect_ticket(tbus_load_relaxed_u64(&w.ring.shared->claims), w.first + mine + 3, 3, 2);
            expect_slot(&w, mine, TBUS_SLOT_CLAIMED, 1);
            assert_int_equal(tbus_ring_published(&w.ring), w.published);
            tbus_commit(&w.publisher[0], 8);
            finish(&w);
        }
}

static void who_is_overtaken_in_a_claim_commits_all_the_same(void **state)
{
    (void)state;
    for (unsigned k = 0; k < SEVERAL; k++)
        for (unsigned f = 0; f < STARTS; f++)
            for (unsigned gives_up = 0; gives_up < 2; gives_up++) {
                world_t w = make(several[k], starts[f]);
                claim_after_a_lap(&w, 0);
                uint64_t mine = w.published - 1;
                for (unsigned i = 0; i < 4; i++)
                    publish(&w, 1 + i % 2);
                expect_slot(&w, mine, TBUS_SLOT_CLAIMED, 1);
                expect_none(&w, 0); /* it may still come */
                if (gives_up)
                    tbus_abort(&w.publisher[0]);
                else
                    tbus_commit(&w.publisher[0], 8);
                assert_int_equal(w.publisher[0].error, 0);
                for (uint64_t i = mine + gives_up; i < w.published; i++)
                    expect(&w, 0, i);
                publish(&w, 0);
                expect(&w, 0, w.published - 1);
                finish(&w);
            }
}

static void who_died_in_a_claim_is_buried_whoever_came_after_it(void **state)
{
    (void)state;
    for (unsigned k = 0; k < SEVERAL; k++)
        for (unsigned after = 0; after < 5; after++) {
            world_t w = make(several[k], starts[1]);
            claim_after_a_lap(&w, 0);
            uint64_t lost = w.published - 1;
            for (unsigned i = 0; i < after; i++)
                publish(&w, 1 + i % 2);
            assert_int_equal(tbus_ring_repair(&w.ring, 1), 1);
            assert_int_equal(tbus_ring_repair(&w.ring, 1), 0);
            expect_slot(&w, lost, TBUS_SLOT_TOMB, 0);
            for (uint64_t i = lost + 1; i < w.published; i++)
                expect(&w, 0, i);
            expect_none(&w, 0);
            /* Was it alive after all, it is told, and the slot stays a tomb. */
            tbus_commit(&w.publisher[0], 8);
            assert_int_equal(w.publisher[0].error, -TBUS_ESTALE);
            assert_int_equal(tbus_publish_try(&w.publisher[0], &lost, 8), TBUS_STALE);
            expect_none(&w, 0);
            publish(&w, 1);
            expect(&w, 0, w.published - 1);
            finish(&w);
        }
}

/* Of a batch all slots say whose they are at once: the ticket has room for two names. */
static void a_batch_of_the_dead_is_buried_to_its_last_slot(void **state)
{
    (void)state;
    for (unsigned k = 0; k < SEVERAL; k++) {
        world_t w = make(several[k], starts[0]);
        void *places[5];
        publish(&w, 1);
        assert_int_equal(tbus_claim_batch(&w.publisher[0], 5, places), 5);
        for (unsigned i = 1; i <= 5; i++)
            expect_slot(&w, i, TBUS_SLOT_CLAIMED, 1);
        assert_int_equal(tbus_ring_repair(&w.ring, 1), 5);
        w.published += 5;
        publish(&w, 1);
        expect(&w, 0, 0);
        expect(&w, 0, 6);
        finish(&w);
    }
}

static void take(world_t *w, unsigned reader, uint64_t number)
{
    size_t bytes;
    assert_non_null(tbus_peek(&w->reader[reader], &bytes));
    assert_int_equal(w->reader[reader].seq, w->first + number);
}

static void who_is_overtaken_with_a_message_in_hand_gives_it_back_all_the_same(void **state)
{
    (void)state;
    for (unsigned f = 0; f < STARTS; f++) {
        world_t w = make(TBUS_MPMC, starts[f]);
        for (unsigned i = 0; i < SLOTS; i++)
            publish(&w, i % PUBLISHERS);
        take(&w, 0, 0);
        expect_ticket(tbus_load_relaxed_u64(&w.ring.shared->takes), w.first + 1, READER, 0);
        expect(&w, 1, 1);
        expect_slot(&w, 0, TBUS_SLOT_READY, 0); /* the ticket knows */
        expect(&w, 1, 2);
        expect_ticket(tbus_load_relaxed_u64(&w.ring.shared->takes), w.first + 3, READER + 1,
                      READER + 1);
        expect_slot(&w, 0, TBUS_SLOT_TAKEN, READER);
        tbus_advance(&w.reader[0]);
        assert_int_equal(w.reader[0].error, 0);
        expect_slot(&w, 0, TBUS_SLOT_FREE, 0);
        for (unsigned i = 3; i < SLOTS; i++)
            expect(&w, i % 2, i);
        for (unsigned i = 0; i < SLOTS; i++)
            publish(&w, i % PUBLISHERS);
        for (unsigned i = 0; i < SLOTS; i++)
            expect(&w, i % 2, SLOTS + i);
        finish(&w);
    }
}

static void who_died_with_a_message_in_hand_is_buried_whoever_came_after_it(void **state)
{
    (void)state;
    for (unsigned after = 0; after < 5; after++) {
        world_t w = make(TBUS_MPMC, starts[1]);
        for (unsigned i = 0; i < SLOTS; i++)
            publish(&w, i % PUBLISHERS);
        take(&w, 0, 0);
        for (uint64_t i = 1; i <= after; i++)
            expect(&w, 1, i);
        assert_int_equal(tbus_ring_repair(&w.ring, READER), 2); /* what it held, and its place */
        assert_int_equal(tbus_ring_repair(&w.ring, READER), 0);
        assert_int_equal(tbus_load_relaxed_u64(&w.ring.shared->in_doubt), 1);
        publish(&w, 0); /* into the slot that it held */
        tbus_advance(&w.reader[0]);
        assert_int_equal(w.reader[0].error, -TBUS_ESTALE);
        for (uint64_t i = after + 1; i <= SLOTS; i++)
            expect(&w, 1, i);
        finish(&w);
    }
}

/* Killed between freeing a tomb and moving the ticket past it; even a lap later the next one passes
 * it. */
static void a_tomb_that_is_free_again_is_passed(void **state)
{
    (void)state;
    for (unsigned reused = 0; reused < 2; reused++) {
        world_t w = make(TBUS_MPMC, starts[1]);
        assert_non_null(tbus_claim_try(&w.publisher[0]));
        tbus_abort(&w.publisher[0]);
        w.published++;
        for (unsigned i = 1; i < SLOTS; i++)
            publish(&w, i % PUBLISHERS);
        tbus_store_relaxed_u64(
            tbus_ring_slot(&w.ring, w.first),
            tbus_slot_word(w.first + SLOTS, 0, TBUS_LENGTH_TOMB, TBUS_SLOT_FREE));
        if (reused)
            publish(&w, 2);
        take(&w, 1, 1);
        expect_ticket(tbus_load_relaxed_u64(&w.ring.shared->takes), w.first + 2, READER + 1, 0);
        for (uint64_t i = 1; i < w.published; i++)
            expect(&w, 1, i);
        expect_none(&w, 1);
        finish(&w);
    }
}

static void an_observer_takes_nothing_from_a_slot_that_is_being_overwritten(void **state)
{
    (void)state;
    for (unsigned k = 0; k < SEVERAL; k++) {
        world_t w = make(several[k], starts[1]);
        tbus_observer_t o;
        assert_int_equal(tbus_observer_join(&w.ring, TBUS_FROM_OLDEST, &o, NULL), 0);
        for (unsigned i = 0; i < SLOTS; i++) {
            publish(&w, i % PUBLISHERS);
            expect(&w, 0, i);
        }
        assert_non_null(tbus_claim_try(&w.publisher[0])); /* the slot says nothing of it yet */
        uint64_t copy[8], seq, lost;
        size_t bytes;
        assert_int_equal(tbus_observe(&o, copy, &bytes, &seq, &lost), 1);
        assert_true(lost > 0);
        assert_int_equal(seq, w.first + lost);
        assert_int_equal(copy[0], lost);
        tbus_commit(&w.publisher[0], 8);
        finish(&w);
    }
}

/* Others claimed and took so much meanwhile that 45 bits tell it wrong to whoever goes by what it
 * saw last. */
static void whoever_idled_for_half_the_wrap_finds_its_place_again(void **state)
{
    (void)state;
    world_t w = make(TBUS_MPMC, 1);
    tbus_ring_shared_t *s = w.ring.shared;
    uint64_t far = (UINT64_C(1) << 44) + 33;
    for (uint64_t i = far; i < far + SLOTS; i++)
        tbus_store_relaxed_u64(tbus_ring_slot(&w.ring, i), tbus_slot_word(i, 0, 0, TBUS_SLOT_FREE));
    tbus_store_relaxed_u64(&s->claims, tbus_ticket(far, 0, 0));
    tbus_store_relaxed_u64(&s->takes, tbus_ticket(far, 0, 0));
    tbus_store_relaxed_u64(&s->tail, far);
    tbus_store_relaxed_u64(&s->head, far);
    uint64_t message = 7;
    size_t bytes;
    assert_int_equal(tbus_publish_try(&w.publisher[0], &message, 8), TBUS_PUBLISHED);
    assert_int_equal(w.publisher[0].claimed_at, far);
    assert_int_equal(tbus_ring_claimed(&w.ring), far + 1);
    assert_non_null(tbus_peek(&w.reader[0], &bytes));
    assert_int_equal(w.reader[0].seq, far);
    tbus_advance(&w.reader[0]);
    assert_int_equal(tbus_ring_taken(&w.ring), far + 1);
    finish(&w);
}

static void a_batch_that_got_some_room_does_not_wait_for_more(void **state)
{
    (void)state;
    world_t w = make(TBUS_BROADCAST_MP, 1);
    void *places[2 * SLOTS];
    uint32_t bytes[2 * SLOTS] = {0};
    assert_int_equal(tbus_claim_batch(&w.publisher[0], 2 * SLOTS, places), SLOTS);
    assert_false(w.publisher[0].blocked);
    tbus_commit_batch(&w.publisher[0], bytes);
    assert_int_equal(tbus_claim_batch(&w.publisher[0], 1, places), 0);
    assert_true(w.publisher[0].blocked);
    finish(&w);
}

static void only_who_lost_the_ticket_a_short_time_ago_too_backs_off(void **state)
{
    (void)state;
    uint64_t lost_at = 0, now = 2 * TBUS_LOST_AGAIN_TICKS;
    assert_false(tbus_lost_again(&lost_at, now)); /* the first one of a handle */
    assert_true(tbus_lost_again(&lost_at, now += TBUS_LOST_AGAIN_TICKS - 1));
    assert_true(tbus_lost_again(&lost_at, now += TBUS_LOST_AGAIN_TICKS - 1)); /* since the last */
    assert_false(tbus_lost_again(&lost_at, now += TBUS_LOST_AGAIN_TICKS));
    assert_false(tbus_lost_again(&lost_at, now - 1)); /* on a CPU whose counter is behind */
    lost_at = UINT64_MAX;
    assert_true(tbus_lost_again(&lost_at, 5)); /* the counter wraps */
    assert_int_equal(lost_at, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_idled_for_half_the_wrap_finds_its_place_again),
        cmocka_unit_test(a_batch_that_got_some_room_does_not_wait_for_more),
        cmocka_unit_test(the_ticket_names_the_last_two_and_the_slots_the_others),
        cmocka_unit_test(who_is_overtaken_in_a_claim_commits_all_the_same),
        cmocka_unit_test(who_died_in_a_claim_is_buried_whoever_came_after_it),
        cmocka_unit_test(a_batch_of_the_dead_is_buried_to_its_last_slot),
        cmocka_unit_test(who_is_overtaken_with_a_message_in_hand_gives_it_back_all_the_same),
        cmocka_unit_test(who_died_with_a_message_in_hand_is_buried_whoever_came_after_it),
        cmocka_unit_test(a_tomb_that_is_free_again_is_passed),
        cmocka_unit_test(an_observer_takes_nothing_from_a_slot_that_is_being_overwritten),
        cmocka_unit_test(only_who_lost_the_ticket_a_short_time_ago_too_backs_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
