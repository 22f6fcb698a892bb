/* SPDX-License-Identifier: Apache-2.0 */
/* Places of subscribers: late comers, those that come too late, and places that change hands while
 * somebody looks at them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/ring/place.h"

#include <tickbus/publisher.h>
#include <tickbus/repair.h>
#include <tickbus/subscriber.h>

#include "tests/support/ring_fixture.h"

/* What an impatient publisher does while a place is set up: it takes place 0 at the second look at
 * the ring's end (place.c: open_gate). */
bool __real_tbus_ring_end(const tbus_ring_t *ring, uint64_t *out_position, uint64_t *out_seq);
bool __wrap_tbus_ring_end(const tbus_ring_t *ring, uint64_t *out_position, uint64_t *out_seq);
static unsigned looks_until_eviction; /* 0: it is in no hurry */
/* The look at which another subscriber displaces the one in place 0. */
static unsigned displaces_at_look;

bool __wrap_tbus_ring_end(const tbus_ring_t *ring, uint64_t *out_position, uint64_t *out_seq)
{
    tbus_ring_sub_t *place = &ring->shared->subs[0];
    if (looks_until_eviction && --looks_until_eviction == 0)
        assert_true(tbus_place_evict(place, tbus_place_load(place)));
    if (displaces_at_look && --displaces_at_look == 0) {
        uint64_t word = tbus_place_load(place);
        assert_int_equal(tbus_place_state(word), TBUS_SUB_VACANT);
        assert_true(tbus_place_cas(place, word, word | (uint64_t)TBUS_PLACE_DISPLACED << 32));
    }
    return __real_tbus_ring_end(ring, out_position, out_seq);
}

static void expect_place(const tbus_ring_sub_t *place, uint32_t state, uint32_t owner)
{
    uint64_t word = tbus_place_load(place);
    assert_int_equal(tbus_place_state(word), state);
    assert_int_equal(tbus_place_owner(word), owner);
}

/* What whoever joins does first, and may be killed after. */
static void begin_to_join(tbus_ring_sub_t *place, uint32_t owner)
{
    uint64_t word = tbus_place_load(place);
    assert_int_equal(tbus_place_state(word), TBUS_SUB_VACANT);
    assert_true(tbus_place_cas(place, word, tbus_place_become(word, TBUS_SUB_VACANT, owner)));
}

static tbus_ring_t make_ring(enum tbus_ring_kind kind, enum tbus_policy policy, uint64_t first_seq)
{
    return test_ring_create((tbus_ring_spec_t){.kind = kind,
                                               .slot_count = 64,
                                               .msg_bytes_max = kind == TBUS_BROADCAST ? 300 : 0,
                                               .first_seq = first_seq,
                                               .policy = policy});
}

/* Message `number`, every third a long one where the ring has such. */
static enum tbus_publish publish(tbus_publisher_t *p, uint64_t number)
{
    unsigned char text[300] = {0};
    memcpy(text, &number, 8);
    size_t bytes = p->ring.msg_bytes_max == sizeof text && number % 3 == 0 ? sizeof text : 8;
    return tbus_publish_try(p, text, bytes);
}

static bool receive(tbus_subscriber_t *s, uint64_t *out_number)
{
    size_t bytes;
    const void *message = tbus_peek(s, &bytes);
    assert_int_equal(s->error, 0);
    if (!message)
        return false;
    memcpy(out_number, message, 8);
    tbus_advance(s);
    return true;
}

static void a_late_comer_starts_where_the_ring_is_and_misses_nothing_from_there(void **state)
{
    (void)state;
    for (unsigned k = 0; k < TEST_KINDS; k++)
        for (unsigned w = 0; w < TEST_STARTS; w++) {
            tbus_ring_t ring = make_ring(test_kinds[k], TBUS_BLOCK, test_starts[w]);
            tbus_publisher_t p = test_publisher(&ring, 1);
            tbus_subscriber_t consumer = {0};
            if (ring.competing)
                assert_int_equal(
                    tbus_subscriber_join_late(&ring, "consumer", TBUS_CONSUMER, 3, &consumer, NULL),
                    0);
            uint64_t number = 0, got;
            for (unsigned before = 0; before < 150; before += 7) {
                for (unsigned i = 0; i < before; i++, number++) {
                    assert_int_equal(publish(&p, number), TBUS_PUBLISHED);
                    if (ring.competing)
                        assert_true(receive(&consumer, &got));
                }
                tbus_subscriber_t late;
                assert_int_equal(
                    tbus_subscriber_join_late(&ring, "late", TBUS_SUBSCRIBER, 2, &late, NULL), 0);
                uint64_t lag = 1000;
                tbus_publisher_flush(&p);
                assert_true(tbus_ring_slowest(&ring, &lag) >= 0);
                assert_true(lag <= ring.slot_count / 16 ||
                            ring.competing); /* not blamed for what was before it */
                /* At most what a single publisher had not yet told of. */
                uint64_t first = number;
                if (receive(&late, &first))
                    assert_true(number - first <= ring.slot_count / 16);
                uint64_t expected = first == number ? number : first + 1;
                for (unsigned i = 0; i < 9; i++, number++) {
                    assert_int_equal(publish(&p, number), TBUS_PUBLISHED);
                    if (ring.competing)
                        assert_true(receive(&consumer, &got));
                }
                while (receive(&late, &got))
                    assert_int_equal(got, expected++);
                assert_int_equal(expected, number);
                assert_int_equal(late.seq, test_starts[w] + number);
                tbus_subscriber_leave(&late);
            }
            tbus_subscriber_leave(&consumer);
            test_ring_destroy(&ring);
        }
}

static void publishers_wait_for_a_late_comer_as_for_anybody(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 3; k++) {
        tbus_ring_t ring = make_ring(test_kinds[k], TBUS_BLOCK, 1);
        tbus_publisher_t p = test_publisher(&ring, 1);
        for (uint64_t i = 0; i < 1000; i++)
            assert_int_equal(publish(&p, 1), TBUS_PUBLISHED); /* nobody is there to wait for */
        tbus_subscriber_t late;
        assert_int_equal(tbus_subscriber_join_late(&ring, "late", TBUS_SUBSCRIBER, 2, &late, NULL),
                         0);
        unsigned room = 0;
        while (publish(&p, 1) == TBUS_PUBLISHED)
            room++;
        assert_true(room >= ring.slot_count - ring.slot_count / 16 && room <= ring.slot_count);
        assert_true(p.blocked);
        tbus_subscriber_leave(&late);
        assert_int_equal(publish(&p, 1), TBUS_PUBLISHED);
        test_ring_destroy(&ring);
    }
}

static void a_late_comer_is_refused_what_it_cannot_have(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_BROADCAST, TBUS_BLOCK, 1);
    tbus_error_t err = {0};
    tbus_subscriber_t s, t;
    assert_int_equal(tbus_subscriber_join_late(&ring, "c", TBUS_CONSUMER, 2, &s, &err),
                     -TBUS_EKIND);
    assert_int_equal(tbus_subscriber_join_late(&ring, "", TBUS_SUBSCRIBER, 2, &s, &err),
                     -TBUS_EGEOMETRY);
    assert_int_equal(
        tbus_subscriber_join_late(&ring, "a name that is too long", TBUS_SUBSCRIBER, 2, &s, &err),
        0);
    assert_int_equal(
        tbus_subscriber_join_late(&ring, "a name that is too long!", TBUS_SUBSCRIBER, 2, &t, &err),
        -TBUS_EGEOMETRY);
    assert_int_equal(
        tbus_subscriber_join_late(&ring, "a name that is too long", TBUS_SUBSCRIBER, 3, &t, &err),
        -TBUS_EEXISTS);
    assert_int_equal(tbus_subscriber_join_late(&ring, "s", TBUS_SUBSCRIBER, 0, &t, &err), -EINVAL);
    assert_int_equal(tbus_subscriber_join_late(&ring, "s", TBUS_SUBSCRIBER, 256, &t, &err),
                     -EINVAL);
    for (unsigned i = 1; i < TBUS_RING_SUBS_MAX; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%u", i);
        assert_true(tbus_ring_reserve(&ring, name, TBUS_SUBSCRIBER, &err) >= 0);
    }
    assert_int_equal(tbus_subscriber_join_late(&ring, "s", TBUS_SUBSCRIBER, 3, &t, &err),
                     -TBUS_EFULL);
    /* A publisher that died between the two halves of its tail: what belongs together is not known
     * until somebody goes on for it. */
    tbus_subscriber_leave(&s);
    tbus_store_relaxed_u64(&ring.shared->tail_version, 1);
    assert_int_equal(tbus_subscriber_join_late(&ring, "s", TBUS_SUBSCRIBER, 3, &t, &err), -EAGAIN);
    test_publisher(&ring, 1);
    assert_int_equal(tbus_subscriber_join_late(&ring, "s", TBUS_SUBSCRIBER, 3, &t, &err), 0);
    tbus_subscriber_leave(&t);
    ring.writable = false;
    assert_int_equal(tbus_subscriber_join_late(&ring, "s", TBUS_SUBSCRIBER, 3, &t, &err),
                     -TBUS_EKIND);
    test_ring_destroy(&ring);
}

static void the_dead_give_their_places_up_and_only_theirs(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_BROADCAST, TBUS_BLOCK, 1);
    tbus_subscriber_t dead, alive, next;
    assert_int_equal(tbus_subscriber_join_late(&ring, "dead", TBUS_SUBSCRIBER, 7, &dead, NULL), 0);
    assert_int_equal(tbus_subscriber_join_late(&ring, "alive", TBUS_SUBSCRIBER, 8, &alive, NULL),
                     0);
    tbus_ring_sub_t *place = &ring.shared->subs[dead.index];
    assert_int_equal(tbus_ring_repair(&ring, 7), 1);
    assert_int_equal(tbus_ring_repair(&ring, 7), 0);
    expect_place(place, TBUS_SUB_VACANT, 0);
    expect_place(&ring.shared->subs[alive.index], TBUS_SUB_ACTIVE, 8);
    /* Killed while setting a place up: nobody was kept waiting, and the place is free again. */
    begin_to_join(place, 7);
    assert_int_equal(tbus_ring_repair(&ring, 7), 1);
    assert_int_equal(tbus_subscriber_join_late(&ring, "next", TBUS_SUBSCRIBER, 9, &next, NULL), 0);
    assert_int_equal(next.index, dead.index);
    free(dead.scratch);
    tbus_subscriber_leave(&alive);
    tbus_subscriber_leave(&next);
    test_ring_destroy(&ring);
}

/* Whoever looked at a place before it changed hands must not take it from the next holder. */
static void a_place_that_changed_hands_is_not_taken_by_mistake(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_BROADCAST, TBUS_EVICT_SLOWEST, 1);
    tbus_subscriber_t first, second;
    assert_int_equal(tbus_subscriber_join_late(&ring, "first", TBUS_SUBSCRIBER, 7, &first, NULL),
                     0);
    tbus_ring_sub_t *place = &ring.shared->subs[first.index];
    uint64_t seen = tbus_place_load(place);
    tbus_subscriber_leave(&first);
    assert_int_equal(tbus_subscriber_join_late(&ring, "second", TBUS_SUBSCRIBER, 8, &second, NULL),
                     0);
    assert_ptr_equal(&ring.shared->subs[second.index], place);
    assert_false(tbus_place_evict(place, seen));
    assert_false(tbus_place_repair(place, 7));
    tbus_place_leave(place, 7);
    expect_place(place, TBUS_SUB_ACTIVE, 8);
    tbus_subscriber_leave(&second);
    test_ring_destroy(&ring);
}

/* The same participant comes back to the same place: it is another tenure. */
static void an_eviction_decided_against_one_tenure_does_not_hit_the_next(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_BROADCAST, TBUS_EVICT_SLOWEST, 1);
    tbus_publisher_t p = test_publisher(&ring, 1);
    tbus_subscriber_t s = test_late_comer(&ring, "s", TBUS_SUBSCRIBER, 7);
    tbus_ring_sub_t *place = &ring.shared->subs[s.index];
    for (unsigned tenures = 0; tenures < 5; tenures++) {
        for (uint64_t i = 0; i < 64; i++)
            publish(&p, i);
        uint64_t seen = tbus_place_load(place);
        uint32_t holder = s.holder;
        tbus_subscriber_leave(&s);
        s = test_late_comer(&ring, "s", TBUS_SUBSCRIBER, 7);
        assert_ptr_equal(&ring.shared->subs[s.index], place);
        assert_false(tbus_place_evict(place, seen));
        tbus_place_leave(place, holder); /* nor does a handle of the last one free it */
        expect_place(place, TBUS_SUB_ACTIVE, 7);
    }
    assert_true(tbus_place_evict(place, tbus_place_load(place)));
    tbus_subscriber_leave(&s);
    expect_place(place, TBUS_SUB_VACANT, 0);
    assert_true(tbus_ring_reserve(&ring, "s", TBUS_SUBSCRIBER, NULL) >= 0);
    uint64_t reserved = tbus_place_load(place);
    assert_int_equal(tbus_subscriber_join(&ring, "s", 7, &s, NULL), 0);
    assert_false(tbus_place_evict(place, reserved));
    tbus_subscriber_leave(&s);
    test_ring_destroy(&ring);
}

/* Nobody on a bare ring knows who lives. */
static void who_was_killed_while_it_joined_keeps_nobody_out(void **state)
{
    (void)state;
    static const enum tbus_ring_kind single[] = {TBUS_SPSC, TBUS_MPSC};
    for (unsigned k = 0; k < 2; k++) {
        tbus_ring_t ring = make_ring(single[k], TBUS_BLOCK, 1);
        tbus_ring_sub_t *place = &ring.shared->subs[0];
        tbus_publisher_t p = test_publisher(&ring, 1);
        begin_to_join(place, 5);
        tbus_store_relaxed_u32(&place->role, TBUS_SUBSCRIBER);
        tbus_subscriber_t s = test_late_comer(&ring, "successor", TBUS_SUBSCRIBER, 6);
        uint64_t got = 0;
        assert_int_equal(publish(&p, 9), TBUS_PUBLISHED);
        assert_true(receive(&s, &got));
        assert_int_equal(got, 9);
        assert_int_equal(tbus_ring_repair(&ring, 5), 1);
        expect_place(place, TBUS_SUB_VACANT, 0);
        tbus_subscriber_leave(&s);
        test_ring_destroy(&ring);
    }
}

/* It was only slow. Its successor has the place by now, so it must not become a second one. */
static void who_was_displaced_while_it_joined_is_told_to_try_again(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_SPSC, TBUS_BLOCK, 1);
    tbus_ring_sub_t *place = &ring.shared->subs[0];
    tbus_error_t err = {0};
    tbus_subscriber_t s, successor;
    displaces_at_look = 1;
    assert_int_equal(tbus_subscriber_join_late(&ring, "slow", TBUS_SUBSCRIBER, 5, &s, &err),
                     -EAGAIN);
    assert_non_null(strstr(err.text, "try again"));
    expect_place(place, TBUS_SUB_VACANT, 0);
    successor = test_late_comer(&ring, "successor", TBUS_SUBSCRIBER, 6);
    assert_int_equal(tbus_subscriber_join_late(&ring, "slow", TBUS_SUBSCRIBER, 5, &s, &err),
                     -TBUS_EKIND);
    tbus_subscriber_leave(&successor);
    assert_int_equal(tbus_subscriber_join_late(&ring, "slow", TBUS_SUBSCRIBER, 5, &s, &err), 0);
    tbus_subscriber_leave(&s);
    test_ring_destroy(&ring);
}

static void who_comes_too_late_for_an_impatient_topic_is_told_why(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_BROADCAST_MP, TBUS_EVICT_SLOWEST, 1);
    tbus_error_t err = {0};
    assert_true(tbus_ring_reserve(&ring, "slow", TBUS_SUBSCRIBER, &err) >= 0);
    tbus_publisher_t p = test_publisher(&ring, 1);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(tbus_publish(&p, &i, 8), TBUS_PUBLISHED);
    tbus_subscriber_t s;
    assert_int_equal(tbus_subscriber_join(&ring, "slow", 2, &s, &err), -TBUS_EEVICTED);
    assert_int_equal(tbus_subscriber_join(&ring, "slow", 2, &s, &err), -TBUS_ENOTFOUND);
    assert_int_equal(tbus_subscriber_join_late(&ring, "slow", TBUS_SUBSCRIBER, 2, &s, &err), 0);
    assert_int_equal(tbus_publish(&p, &(uint64_t){5}, 8), TBUS_PUBLISHED);
    uint64_t got = 0;
    assert_true(receive(&s, &got));
    assert_int_equal(got, 5);
    tbus_subscriber_leave(&s);
    test_ring_destroy(&ring);
}

static void who_is_evicted_while_it_joins_is_told_and_keeps_nothing(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_BROADCAST, TBUS_EVICT_SLOWEST, 1);
    const tbus_ring_sub_t *place = &ring.shared->subs[0];
    tbus_error_t err = {0};
    looks_until_eviction = 2;
    assert_int_equal(tbus_ring_reserve(&ring, "slow", TBUS_SUBSCRIBER, &err), -EAGAIN);
    expect_place(place, TBUS_SUB_VACANT, 0);
    assert_int_equal(tbus_ring_reserve(&ring, "slow", TBUS_SUBSCRIBER, &err),
                     0); /* its name is free */
    expect_place(place, TBUS_SUB_RESERVED, 0);
    tbus_subscriber_t s;
    size_t bytes;
    assert_int_equal(tbus_subscriber_join(&ring, "slow", 2, &s, &err), 0);
    tbus_subscriber_leave(&s);
    looks_until_eviction = 2; /* who joins itself sees it at its first look */
    assert_int_equal(tbus_subscriber_join_late(&ring, "slow", TBUS_SUBSCRIBER, 2, &s, &err), 0);
    tbus_publisher_t p = test_publisher(&ring, 1);
    assert_int_equal(publish(&p, 1), TBUS_PUBLISHED);
    assert_null(tbus_peek(&s, &bytes));
    assert_int_equal(s.error, -TBUS_EEVICTED);
    tbus_subscriber_leave(&s);
    expect_place(place, TBUS_SUB_VACANT, 0);
    test_ring_destroy(&ring);
}

static void only_one_can_be_the_subscriber_where_there_is_one_and_others_follow(void **state)
{
    (void)state;
    static const enum tbus_ring_kind single[] = {TBUS_SPSC, TBUS_MPSC};
    for (unsigned k = 0; k < 2; k++) {
        tbus_ring_t ring = make_ring(single[k], TBUS_BLOCK, 1);
        tbus_subscriber_t one, other, recorder;
        tbus_error_t err = {0};
        assert_true(tbus_ring_reserve(&ring, "one", TBUS_SUBSCRIBER, &err) >= 0);
        assert_int_equal(tbus_ring_reserve(&ring, "other", TBUS_SUBSCRIBER, &err), -TBUS_EKIND);
        assert_non_null(strstr(err.text, "'one'"));
        assert_int_equal(tbus_subscriber_join(&ring, "one", 2, &one, NULL), 0);
        assert_int_equal(
            tbus_subscriber_join_late(&ring, "other", TBUS_SUBSCRIBER, 3, &other, NULL),
            -TBUS_EKIND);
        assert_int_equal(
            tbus_subscriber_join_late(&ring, "recorder", TBUS_FOLLOWER, 4, &recorder, NULL), 0);

        tbus_publisher_t p = test_publisher(&ring, 1);
        uint64_t got;
        assert_int_equal(publish(&p, 7), TBUS_PUBLISHED);
        assert_true(receive(&one, &got) && got == 7);
        assert_true(receive(&recorder, &got) && got == 7);

        /* The place of whoever leaves, or dies, is free for a successor. */
        tbus_subscriber_leave(&one);
        assert_int_equal(
            tbus_subscriber_join_late(&ring, "other", TBUS_SUBSCRIBER, 3, &other, NULL), 0);
        assert_int_equal(tbus_ring_repair(&ring, 3), 1);
        assert_int_equal(tbus_subscriber_join_late(&ring, "one", TBUS_SUBSCRIBER, 2, &one, NULL),
                         0);
        tbus_subscriber_leave(&one);
        tbus_subscriber_leave(&recorder);
        test_ring_destroy(&ring);
    }
}

static void what_a_consumer_that_leaves_had_in_hand_is_given_back_and_in_doubt(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_MPMC, TBUS_BLOCK, 1);
    tbus_subscriber_t one, other;
    assert_int_equal(tbus_subscriber_join_late(&ring, "one", TBUS_CONSUMER, 2, &one, NULL), 0);
    tbus_publisher_t p = test_publisher(&ring, 1);
    size_t bytes;
    uint64_t got;
    assert_int_equal(publish(&p, 0), TBUS_PUBLISHED);
    assert_non_null(tbus_peek(&one, &bytes));
    tbus_subscriber_leave(&one);
    assert_int_equal(tbus_load_relaxed_u64(&ring.shared->in_doubt), 1);
    assert_int_equal(tbus_subscriber_join_late(&ring, "other", TBUS_CONSUMER, 3, &other, NULL), 0);
    for (uint64_t number = 1; number < 3 * (uint64_t)ring.slot_count; number++) {
        assert_int_equal(publish(&p, number), TBUS_PUBLISHED);
        assert_true(receive(&other, &got) && got == number);
    }
    tbus_subscriber_leave(&other);
    test_ring_destroy(&ring);
}

static void nothing_is_read_after_a_place_was_lost(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_BROADCAST, TBUS_BLOCK, 1);
    tbus_subscriber_t s;
    size_t bytes;
    assert_int_equal(tbus_subscriber_join_late(&ring, "s", TBUS_SUBSCRIBER, 2, &s, NULL), 0);
    tbus_publisher_t p = test_publisher(&ring, 1);
    assert_int_equal(publish(&p, 1), TBUS_PUBLISHED);
    assert_int_equal(publish(&p, 2), TBUS_PUBLISHED);
    assert_non_null(tbus_peek(&s, &bytes));
    assert_int_equal(tbus_ring_repair(&ring, 2), 1); /* declared dead, wrongly */
    tbus_advance(&s);
    tbus_subscriber_flush(&s);
    assert_int_equal(s.error, -TBUS_ESTALE);
    assert_null(tbus_peek(&s, &bytes));
    tbus_subscriber_leave(&s);
    test_ring_destroy(&ring);
}

/* The word of a place counts its tenures beside its owner. */
static void the_owner_of_a_place_is_its_participant_in_every_tenure(void **state)
{
    (void)state;
    tbus_ring_t ring = test_ring_create((tbus_ring_spec_t){.kind = TBUS_BROADCAST});
    for (uint32_t owner = 1; owner <= TBUS_OWNERS_MAX; owner += 127) {
        assert_int_equal(tbus_ring_sub_owner(&ring, 0), 0);
        tbus_subscriber_t s = test_late_comer(&ring, "s", TBUS_SUBSCRIBER, owner);
        assert_int_equal(s.index, 0);
        assert_int_equal(tbus_ring_sub_owner(&ring, 0), owner);
        tbus_subscriber_leave(&s);
    }
    assert_int_equal(tbus_ring_reserve(&ring, "kept", TBUS_SUBSCRIBER, NULL), 0);
    assert_int_equal(tbus_ring_sub_owner(&ring, 0), 0);
    assert_int_equal(tbus_ring_sub_owner(&ring, TBUS_RING_SUBS_MAX), 0);
    assert_int_equal(tbus_ring_sub_owner(NULL, 0), 0);
    test_ring_destroy(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_consumer_that_leaves_had_in_hand_is_given_back_and_in_doubt),
        cmocka_unit_test(nothing_is_read_after_a_place_was_lost),
        cmocka_unit_test(only_one_can_be_the_subscriber_where_there_is_one_and_others_follow),
        cmocka_unit_test(a_late_comer_starts_where_the_ring_is_and_misses_nothing_from_there),
        cmocka_unit_test(publishers_wait_for_a_late_comer_as_for_anybody),
        cmocka_unit_test(a_late_comer_is_refused_what_it_cannot_have),
        cmocka_unit_test(the_dead_give_their_places_up_and_only_theirs),
        cmocka_unit_test(a_place_that_changed_hands_is_not_taken_by_mistake),
        cmocka_unit_test(who_is_evicted_while_it_joins_is_told_and_keeps_nothing),
        cmocka_unit_test(an_eviction_decided_against_one_tenure_does_not_hit_the_next),
        cmocka_unit_test(who_was_killed_while_it_joined_keeps_nobody_out),
        cmocka_unit_test(who_was_displaced_while_it_joined_is_told_to_try_again),
        cmocka_unit_test(who_comes_too_late_for_an_impatient_topic_is_told_why),
        cmocka_unit_test(the_owner_of_a_place_is_its_participant_in_every_tenure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
