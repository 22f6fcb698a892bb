/* SPDX-License-Identifier: Apache-2.0 */
/* Observers where the header does not tell the whole truth: a publisher that died in the middle of
 * storing its tail, and peers that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/observer.h>
#include <tickbus/publisher.h>
#include <tickbus/subscriber.h>

#include "tests/support/ring_fixture.h"

enum { SLOTS = 64 };

static tbus_ring_t make_ring(enum tbus_ring_kind kind)
{
    return test_ring_create((tbus_ring_spec_t){.kind = kind, .slot_count = SLOTS});
}

/* Publish the sequence itself. */
static void publish(tbus_publisher_t *p, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(tbus_publish_try(p, &p->seq, 8), TBUS_PUBLISHED);
}

static void an_observer_never_goes_back_behind_where_it_was(void **state)
{
    (void)state;
    for (unsigned published = 1; published < 4 * SLOTS; published++)
        for (unsigned unflushed = 0; unflushed < SLOTS / 16; unflushed++) {
            tbus_ring_t ring = make_ring(TBUS_BROADCAST);
            tbus_publisher_t p;
            assert_int_equal(tbus_publisher_join(&ring, 1, &p, NULL), 0);
            publish(&p, published);
            tbus_publisher_flush(&p);
            uint64_t seq_before = p.seq;
            publish(&p, unflushed);
            /* Killed between the two halves: the position is new, the sequence still old. */
            tbus_store_relaxed_u64(&ring.shared->tail_version,
                                   tbus_load_relaxed_u64(&ring.shared->tail_version) | 1);
            tbus_store_relaxed_u64(&ring.shared->tail, p.seq);
            tbus_store_relaxed_u64(&ring.shared->tail_seq, seq_before);

            tbus_observer_t o;
            assert_int_equal(tbus_observer_join(&ring, TBUS_FROM_NOW, &o, NULL), 0);
            uint64_t expected = o.seq;
            assert_true(tbus_publisher_join(&ring, 1, &p, NULL) == 0);
            publish(&p, 3);
            uint64_t copy[8], seq, lost;
            size_t bytes;
            while (tbus_observe(&o, copy, &bytes, &seq, &lost) == 1) {
                assert_int_equal(seq, expected + lost);
                assert_int_equal(copy[0], seq);
                expected = seq + 1;
            }
            assert_int_equal(expected, p.seq);
            test_ring_destroy(&ring);
        }
}

/* Stopped or killed between the two halves: `tail` is new, `tail_seq` is still of an earlier flush,
 * or both are of before. The slots then say where the ring ends. */
static void
who_joins_now_while_the_end_is_half_stored_gets_the_next_message_and_lost_none(void **state)
{
    (void)state;
    static const size_t bytes_of[] = {8, 300}; /* in the slot, and in the area */
    for (unsigned long_one = 0; long_one < 2; long_one++)
        for (unsigned published = 0; published < 2 * SLOTS; published++)
            for (unsigned unflushed = 0; unflushed < SLOTS / 16; unflushed++)
                for (unsigned halves = 0; halves < 2; halves++) {
                    tbus_ring_t ring = test_ring_create((tbus_ring_spec_t){
                        .kind = TBUS_BROADCAST, .slot_count = SLOTS, .msg_bytes_max = 300});
                    tbus_publisher_t p = test_publisher(&ring, 1);
                    unsigned char message[300] = {0};
                    for (unsigned i = 0; i < published; i++)
                        assert_int_equal(
                            tbus_publish_try(&p, message, bytes_of[long_one && i % 5 == 4]),
                            TBUS_PUBLISHED);
                    tbus_publisher_flush(&p);
                    uint64_t seq_before = p.seq;
                    publish(&p, unflushed);
                    tbus_store_relaxed_u64(&ring.shared->tail_version,
                                           tbus_load_relaxed_u64(&ring.shared->tail_version) | 1);
                    if (halves) {
                        tbus_store_relaxed_u64(&ring.shared->tail, p.seq);
                        tbus_store_relaxed_u64(&ring.shared->tail_seq, seq_before);
                    }
                    tbus_observer_t o;
                    tbus_error_t err = {0};
                    assert_int_equal(tbus_observer_join(&ring, TBUS_FROM_NOW, &o, &err), 0);
                    assert_int_equal(o.seq, p.seq);
                    publish(&p, 1); /* it goes on, before it has stored the rest */
                    uint64_t copy[64], seq, lost;
                    size_t bytes;
                    assert_int_equal(tbus_observe(&o, copy, &bytes, &seq, &lost), 1);
                    assert_int_equal(seq, p.seq - 1);
                    assert_int_equal(copy[0], seq);
                    assert_int_equal(lost, 0);
                    test_ring_destroy(&ring);
                }
}

/* Of each kind, at every place of the ring: some at once are what one after the other are, up to
 * the first that is no short message. */
static void some_messages_at_once_are_those_that_come_one_by_one(void **state)
{
    (void)state;
    static const enum tbus_ring_kind kinds[] = {TBUS_BROADCAST, TBUS_BROADCAST_MP, TBUS_SPSC};
    for (unsigned k = 0; k < 3; k++)
        for (unsigned before = 0; before < SLOTS; before++)
            for (unsigned count = 0; count < 12; count++) {
                tbus_ring_t ring = test_ring_create((tbus_ring_spec_t){
                    .kind = kinds[k], .slot_count = SLOTS, .msg_bytes_max = 300});
                tbus_publisher_t p = test_publisher(&ring, 1);
                unsigned char message[300] = {0};
                publish(&p, before);
                tbus_publisher_flush(&p);
                tbus_observer_t one, some;
                assert_int_equal(tbus_observer_join(&ring, TBUS_FROM_NOW, &one, NULL), 0);
                some = one;
                for (unsigned i = 0; i < count; i++) { /* 1 to 56 bytes, but for the last */
                    memset(message, (int)i + 1, sizeof message);
                    assert_int_equal(tbus_publish_try(&p, message, i == 9 ? 57 : 1 + (i * 11) % 56),
                                     TBUS_PUBLISHED);
                }
                unsigned char together[10][TBUS_OBSERVE_STRIDE];
                uint64_t copy[64], seq, lost, first = 0;
                uint32_t bytes[10];
                size_t single;
                unsigned expected = count < 9 ? count : 9;
                assert_int_equal(tbus_observe_some(&some, together, 10, bytes, &first), expected);
                for (unsigned i = 0; i < expected; i++) {
                    assert_int_equal(tbus_observe(&one, copy, &single, &seq, &lost), 1);
                    assert_int_equal(bytes[i], single);
                    assert_int_equal(first + i, seq);
                    assert_memory_equal(together[i], copy, single);
                }
                assert_int_equal(some.position, one.position);
                assert_int_equal(some.seq, one.seq);
                test_ring_destroy(&ring);
            }
}

static void some_messages_at_once_are_none_where_one_is_lost_or_was_never_complete(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_BROADCAST);
    tbus_publisher_t p = test_publisher(&ring, 1);
    unsigned char together[SLOTS][TBUS_OBSERVE_STRIDE];
    uint64_t copy[8], seq, lost;
    uint32_t bytes[SLOTS];
    size_t single;
    tbus_observer_t o;
    publish(&p, 4);
    tbus_publisher_flush(&p);
    assert_int_equal(tbus_observer_join(&ring, TBUS_FROM_OLDEST, &o, NULL), 0);
    tbus_observer_t as_before = o;
    publish(&p, SLOTS); /* what it stands on was written over */
    assert_int_equal(tbus_observe_some(&o, together, SLOTS, bytes, &seq), 0);
    assert_memory_equal(&o, &as_before, sizeof o);
    assert_int_equal(tbus_observe(&o, copy, &single, &seq, &lost), 1);
    assert_true(lost >= 4);
    assert_int_equal(copy[0], seq);
    uint32_t count = tbus_observe_some(&o, together, SLOTS, bytes, &seq);
    assert_int_equal(seq + count, p.seq);
    for (uint32_t i = 0; i < count; i++)
        assert_memory_equal(together[i], &(uint64_t){seq + i}, 8);
    test_ring_destroy(&ring);
    ring = make_ring(TBUS_BROADCAST_MP);
    p = test_publisher(&ring, 1);
    assert_int_equal(tbus_observer_join(&ring, TBUS_FROM_NOW, &o, NULL), 0);
    publish(&p, 2);
    assert_non_null(tbus_claim_try(&p));
    tbus_abort(&p);
    publish(&p, 2);
    assert_int_equal(tbus_observe_some(&o, together, SLOTS, bytes, &seq), 2);
    assert_int_equal(tbus_observe_some(&o, together, SLOTS, bytes, &seq), 0); /* a tomb */
    assert_int_equal(tbus_observe(&o, copy, &single, &seq, &lost), 1);
    assert_int_equal(o.tombs, 1);
    assert_int_equal(tbus_observe_some(&o, together, SLOTS, bytes, &seq), 1);
    test_ring_destroy(&ring);
}

static void where_neither_the_header_nor_a_slot_tells_the_end_nobody_joins(void **state)
{
    (void)state;
    for (enum tbus_observe_from from = TBUS_FROM_NOW; from <= TBUS_FROM_OLDEST; from++) {
        tbus_ring_t ring = make_ring(TBUS_SPSC);
        tbus_observer_t o;
        tbus_error_t err = {0};
        tbus_store_relaxed_u64(&ring.shared->tail_version, 1);
        assert_int_equal(tbus_observer_join(&ring, from, &o, &err), 0); /* both as formatted */
        tbus_store_relaxed_u64(&ring.shared->tail, 40);
        assert_int_equal(tbus_observer_join(&ring, from, &o, &err), -EAGAIN);
        assert_non_null(strstr(err.text, "try again"));
        test_ring_destroy(&ring);
    }
}

/* Around one lap of the ring, where some slots have never been used, above all. */
static void the_oldest_message_is_one_however_far_the_ring_is(void **state)
{
    (void)state;
    static const enum tbus_ring_kind kinds[] = {TBUS_SPSC, TBUS_BROADCAST, TBUS_BROADCAST_MP,
                                                TBUS_MPMC, TBUS_MPSC};
    for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (uint64_t published = 0; published < 3 * SLOTS; published++) {
            tbus_ring_t ring = make_ring(kinds[k]);
            tbus_publisher_t p;
            tbus_subscriber_t s;
            tbus_observer_t o;
            enum tbus_sub_role role = kinds[k] == TBUS_MPMC ? TBUS_CONSUMER : TBUS_SUBSCRIBER;
            uint64_t copy[8], seq, lost;
            size_t bytes;
            assert_int_equal(tbus_publisher_join(&ring, 1, &p, NULL), 0);
            assert_int_equal(tbus_subscriber_join_late(&ring, "s", role, 2, &s, NULL), 0);
            for (uint64_t i = 1; i <= published; i++) {
                assert_int_equal(tbus_publish_try(&p, &i, 8), TBUS_PUBLISHED);
                assert_non_null(tbus_peek(&s, &bytes));
                tbus_advance(&s);
                tbus_subscriber_flush(&s);
            }
            tbus_publisher_flush(&p);
            assert_int_equal(tbus_observer_join(&ring, TBUS_FROM_OLDEST, &o, NULL), 0);
            uint64_t expected = o.seq;
            assert_true(expected >= 1 && published + 1 - expected < SLOTS);
            assert_true(published < SLOTS / 2 ? expected == 1
                                              : published - expected > SLOTS / 2 - 2);
            while (tbus_observe(&o, copy, &bytes, &seq, &lost) == 1) {
                assert_int_equal(lost, 0);
                assert_int_equal(bytes, 8);
                assert_int_equal(seq, expected++);
                assert_int_equal(copy[0], seq);
            }
            assert_int_equal(expected, published + 1);
            tbus_subscriber_leave(&s);
            test_ring_destroy(&ring);
        }
}

/* Whether it keeps up or is lapped: what it is shown, what it lost and the tombs that it met make
 * up all sequences, and a tomb that is still there when it looks is none of the lost ones. */
static void tombs_are_counted_apart_from_losses(void **state)
{
    (void)state;
    static const enum tbus_ring_kind kinds[] = {TBUS_BROADCAST_MP, TBUS_MPMC, TBUS_MPSC};
    for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (uint64_t ahead = 1; ahead < 3 * SLOTS; ahead++) {
            tbus_ring_t ring = make_ring(kinds[k]);
            tbus_publisher_t p;
            tbus_subscriber_t s;
            tbus_observer_t o;
            enum tbus_sub_role role = kinds[k] == TBUS_MPMC ? TBUS_CONSUMER : TBUS_SUBSCRIBER;
            uint64_t copy[8], seq, lost, lost_sum = 0, shown = 0;
            size_t bytes;
            assert_int_equal(tbus_publisher_join(&ring, 1, &p, NULL), 0);
            assert_int_equal(tbus_subscriber_join_late(&ring, "s", role, 2, &s, NULL), 0);
            assert_int_equal(tbus_observer_join(&ring, TBUS_FROM_NOW, &o, NULL), 0);
            for (uint64_t i = 1; i <= ahead; i++) { /* every second one is a tomb */
                assert_non_null(tbus_claim_try(&p));
                if (i % 2)
                    tbus_abort(&p);
                else
                    tbus_commit(&p, 8);
                while (tbus_peek(&s, &bytes))
                    tbus_advance(&s);
                tbus_subscriber_flush(&s);
            }
            while (tbus_observe(&o, copy, &bytes, &seq, &lost) == 1) {
                lost_sum += lost;
                shown++;
                assert_int_equal(seq % 2, 0);
            }
            lost_sum += lost;
            assert_int_equal(o.lost, lost_sum);
            assert_int_equal(shown + o.lost + o.tombs, ahead);
            if (ahead < SLOTS)
                assert_int_equal(o.lost, 0);
            assert_true(o.tombs == shown || o.tombs == shown + 1);
            tbus_subscriber_leave(&s);
            test_ring_destroy(&ring);
        }
}

/* Whatever stands in the words that say where the ring is, each call looks at every slot a few
 * times at most. (A call that does not comes to no end: the counts in question are near 2^63.) */
static void lies_about_where_the_ring_is_cost_a_bounded_time(void **state)
{
    (void)state;
    static const uint64_t lies[] = {0,
                                    1,
                                    SLOTS - 1,
                                    UINT64_C(1) << 32,
                                    (UINT64_C(1) << 63) - 1,
                                    UINT64_C(1) << 63,
                                    UINT64_MAX - SLOTS,
                                    UINT64_MAX};
    static const enum tbus_ring_kind kinds[] = {TBUS_SPSC, TBUS_BROADCAST, TBUS_BROADCAST_MP,
                                                TBUS_MPMC, TBUS_MPSC};
    enum { LIES = sizeof lies / sizeof *lies };
    for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (unsigned a = 0; a < LIES; a++)
            for (unsigned b = 0; b < LIES; b++)
                for (unsigned c = 0; c < LIES; c++) {
                    tbus_ring_t ring = make_ring(kinds[k]);
                    tbus_observer_t before, after;
                    tbus_observer_join(&ring, TBUS_FROM_NOW, &before, NULL);
                    tbus_store_relaxed_u64(&ring.shared->tail, lies[a]);
                    tbus_store_relaxed_u64(&ring.shared->claims, lies[b]);
                    tbus_store_relaxed_u64(&ring.shared->takes, lies[c]);
                    tbus_store_relaxed_u64(&ring.shared->tail_seq, lies[b]);
                    tbus_store_relaxed_u64(&ring.shared->announce, lies[c]);
                    bool joined = tbus_observer_join(&ring, TBUS_FROM_OLDEST, &after, NULL) == 0;
                    uint64_t copy[8], seq, lost;
                    size_t bytes;
                    for (unsigned i = 0; i < 3; i++) {
                        tbus_observe(&before, copy, &bytes, &seq, &lost);
                        if (joined)
                            tbus_observe(&after, copy, &bytes, &seq, &lost);
                    }
                    test_ring_destroy(&ring);
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_observer_never_goes_back_behind_where_it_was),
        cmocka_unit_test(
            who_joins_now_while_the_end_is_half_stored_gets_the_next_message_and_lost_none),
        cmocka_unit_test(some_messages_at_once_are_those_that_come_one_by_one),
        cmocka_unit_test(some_messages_at_once_are_none_where_one_is_lost_or_was_never_complete),
        cmocka_unit_test(where_neither_the_header_nor_a_slot_tells_the_end_nobody_joins),
        cmocka_unit_test(the_oldest_message_is_one_however_far_the_ring_is),
        cmocka_unit_test(tombs_are_counted_apart_from_losses),
        cmocka_unit_test(lies_about_where_the_ring_is_cost_a_bounded_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
