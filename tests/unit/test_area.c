/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that do not fit in a slot: they lie in the area of the ring, in one piece. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <tickbus/observer.h>
#include <tickbus/repair.h>

#include "tests/support/ring_fixture.h"

enum { LONGEST = 1000, SPAN = 1024, AREA = 4 * SPAN };

static tbus_ring_t make_ring(enum tbus_ring_kind kind, uint32_t slots, uint64_t first_seq)
{
    bool one = kind == TBUS_SPSC || kind == TBUS_BROADCAST;
    return test_ring_create((tbus_ring_spec_t){.kind = kind,
                                               .slot_count = slots,
                                               .msg_bytes_max = LONGEST,
                                               .first_seq = first_seq,
                                               .area_bytes = one ? AREA : 0});
}

static void fill(void *into, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        ((unsigned char *)into)[i] = (unsigned char)(number * 31 + i * 7 + (i >> 8));
}
static enum tbus_publish publish(tbus_publisher_t *p, uint64_t number, size_t bytes)
{
    unsigned char message[LONGEST];
    fill(message, number, bytes);
    return tbus_publish_try(p, message, bytes);
}
static void assert_is(const void *message, uint64_t number, size_t bytes)
{
    unsigned char want[LONGEST];
    fill(want, number, bytes);
    assert_non_null(message);
    assert_memory_equal(message, want, bytes);
}
static bool in_area(const tbus_ring_t *ring, const void *message)
{
    const unsigned char *at = message;
    return at >= ring->area && at < ring->area + ring->area_bytes;
}

static void every_kind_has_long_messages_read_where_they_were_written(void **state)
{
    (void)state;
    for (unsigned k = 0; k < TEST_KINDS; k++)
        for (unsigned w = 0; w < TEST_STARTS; w++) {
            tbus_ring_t ring = make_ring(test_kinds[k], 16, test_starts[w]);
            tbus_subscriber_t s = test_subscriber(&ring, "s", test_taker(test_kinds[k]), 2);
            tbus_publisher_t p = test_publisher(&ring, 1);
            for (uint64_t n = 0; n < 100; n++) {
                size_t length = n % 5 == 4 ? 8 : 57 + n * 37 % (LONGEST - 56), bytes = 0;
                unsigned char *to = tbus_claim_bytes_try(&p, length);
                assert_non_null(to);
                fill(to, n, length);
                assert_null(tbus_peek(&s, &bytes));
                tbus_commit(&p, length);
                const void *message = tbus_peek(&s, &bytes);
                assert_ptr_equal(message, to);
                assert_int_equal(bytes, length);
                assert_is(message, n, length);
                assert_int_equal(in_area(&ring, message), length > 56);
                assert_int_equal((uintptr_t)message % 64, length > 56 ? 0 : 8);
                assert_int_equal(s.seq, test_starts[w] + n);
                tbus_advance(&s);
                tbus_subscriber_flush(&s);
            }
            tbus_subscriber_leave(&s);
            test_ring_destroy(&ring);
        }
}

/* Whoever claims for the longest and has less to say: what was claimed is where it is read. */
static void a_message_may_turn_out_shorter_than_its_claim(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 8, 56, 57, 253, 254, 600, LONGEST};
    for (unsigned k = 0; k < TEST_KINDS; k++) {
        tbus_ring_t ring = make_ring(test_kinds[k], 16, 1);
        tbus_subscriber_t s = test_subscriber(&ring, "s", test_taker(test_kinds[k]), 2);
        tbus_publisher_t p = test_publisher(&ring, 1);
        tbus_observer_t o;
        assert_int_equal(tbus_observer_join(&ring, TBUS_FROM_NOW, &o, NULL), 0);
        for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            size_t bytes;
            void *to = tbus_claim_bytes_try(&p, LONGEST);
            fill(to, i, lengths[i]);
            tbus_commit(&p, lengths[i]);
            const void *message = tbus_peek(&s, &bytes);
            assert_ptr_equal(message, to);
            assert_int_equal(bytes, lengths[i]);
            unsigned char copy[LONGEST];
            uint64_t seq, lost;
            assert_int_equal(tbus_observe(&o, copy, &bytes, &seq, &lost), 1);
            assert_int_equal(bytes, lengths[i]);
            assert_is(copy, i, lengths[i]);
            tbus_advance(&s);
        }
        tbus_subscriber_leave(&s);
        test_ring_destroy(&ring);
    }
}

/* A slot of 8 KiB has room for it, behind its length. */
static void what_fits_in_a_slot_needs_no_area(void **state)
{
    (void)state;
    for (unsigned k = 0; k < TEST_KINDS; k++) {
        tbus_ring_t ring = test_ring_create(
            (tbus_ring_spec_t){.kind = test_kinds[k], .slot_bytes = 1088, .msg_bytes_max = 1072});
        assert_null(ring.area);
        assert_int_equal(ring.shared->area_at, 0);
        tbus_subscriber_t s = test_subscriber(&ring, "s", test_taker(test_kinds[k]), 2);
        tbus_publisher_t p = test_publisher(&ring, 1);
        size_t bytes;
        assert_int_equal(publish(&p, 7, LONGEST), TBUS_PUBLISHED);
        const void *message = tbus_peek(&s, &bytes);
        assert_int_equal(bytes, LONGEST);
        assert_ptr_equal(message, tbus_ring_slot(&ring, 1) + 2);
        assert_is(message, 7, LONGEST);
        tbus_subscriber_leave(&s);
        test_ring_destroy(&ring);
    }
}

/* Long ones are stored by another instruction than short ones: around where that begins, and up to
 * the last byte of a slot, with the slot behind it untouched. */
static void what_fills_a_large_slot_arrives_whole_and_goes_no_further(void **state)
{
    (void)state;
    static const size_t lengths[] = {57,   248,  2039, 2040, 2041, 2047, 2048,
                                     2049, 2055, 2056, 2063, 4096, 4101, 8176};
    static unsigned char message[8176];
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (unsigned char)(i * 7 + i / 251);
    for (unsigned k = 0; k < TEST_KINDS; k++) {
        tbus_ring_t ring = test_ring_create((tbus_ring_spec_t){.kind = test_kinds[k],
                                                               .slot_bytes = TBUS_SLOT_BYTES_MAX,
                                                               .slot_count = 16,
                                                               .msg_bytes_max = 8176});
        tbus_subscriber_t s = test_subscriber(&ring, "s", test_taker(test_kinds[k]), 2);
        tbus_publisher_t p = test_publisher(&ring, 1);
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            const unsigned char *behind = (const unsigned char *)tbus_ring_slot(&ring, i + 2);
            unsigned char before[64];
            size_t bytes;
            memcpy(before, behind, sizeof before);
            assert_int_equal(tbus_publish_try(&p, message, lengths[i]), TBUS_PUBLISHED);
            const void *there = tbus_peek(&s, &bytes);
            assert_int_equal(bytes, lengths[i]);
            assert_memory_equal(there, message, bytes);
            assert_memory_equal(behind, before, sizeof before);
            tbus_advance(&s);
        }
        tbus_subscriber_leave(&s);
        test_ring_destroy(&ring);
    }
}

static void a_slow_subscriber_holds_the_area_up_as_it_does_the_slots(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_BROADCAST, 64, 1);
    tbus_subscriber_t quick = test_subscriber(&ring, "quick", TBUS_SUBSCRIBER, 2);
    tbus_subscriber_t slow = test_subscriber(&ring, "slow", TBUS_SUBSCRIBER, 3);
    tbus_publisher_t p = test_publisher(&ring, 1);
    size_t bytes;
    for (uint64_t n = 0; n < 4; n++) {
        assert_int_equal(publish(&p, n, LONGEST), TBUS_PUBLISHED);
        assert_non_null(tbus_peek(&quick, &bytes));
        tbus_advance(&quick);
    }
    const void *held = tbus_peek(&slow, &bytes);
    for (uint64_t n = 4; n < 20; n++) {
        assert_int_equal(publish(&p, n, LONGEST), TBUS_FULL);
        assert_true(p.blocked);
        assert_is(held, n - 4, LONGEST);
        tbus_advance(&slow);
        assert_int_equal(publish(&p, n, LONGEST), TBUS_PUBLISHED);
        assert_false(p.blocked);
        assert_non_null(tbus_peek(&quick, &bytes));
        tbus_advance(&quick);
        held = tbus_peek(&slow, &bytes);
        assert_is(held, n - 3, LONGEST);
    }
    assert_int_equal(publish(&p, 20, 8), TBUS_PUBLISHED); /* there are slots */
    tbus_subscriber_leave(&slow);
    assert_int_equal(publish(&p, 21, LONGEST), TBUS_PUBLISHED);
    tbus_subscriber_leave(&quick);
    test_ring_destroy(&ring);
}

static void a_message_that_would_cross_the_end_starts_at_the_beginning(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_SPSC, 64, 1);
    tbus_subscriber_t s = test_subscriber(&ring, "s", TBUS_SUBSCRIBER, 2);
    tbus_publisher_t p = test_publisher(&ring, 1);
    size_t bytes;
    unsigned begun_anew = 0;
    for (uint64_t n = 0; n < 200; n++) {
        size_t length = 300 + n * 61 % 700;
        assert_int_equal(publish(&p, n, length), TBUS_PUBLISHED);
        const unsigned char *message = tbus_peek(&s, &bytes);
        assert_is(message, n, length);
        assert_true(message + length <= ring.area + ring.area_bytes);
        begun_anew += message == ring.area;
        tbus_advance(&s);
    }
    assert_true(begun_anew > 200 * 300 / AREA);
    tbus_subscriber_leave(&s);
    test_ring_destroy(&ring);
}

/* A sixteenth of the area is worth as much as a sixteenth of the slots: else the publisher waits
 * for room that has long been there. */
static void progress_is_stored_after_a_sixteenth_of_the_area(void **state)
{
    (void)state;
    tbus_ring_t ring = test_ring_create((tbus_ring_spec_t){
        .kind = TBUS_BROADCAST, .slot_count = 256, .msg_bytes_max = LONGEST, .area_bytes = 16384});
    tbus_subscriber_t s = test_subscriber(&ring, "s", TBUS_SUBSCRIBER, 2);
    tbus_subscriber_t shown = test_subscriber(&ring, "shown", TBUS_SUBSCRIBER, 3);
    tbus_publisher_t p = test_publisher(&ring, 1);
    const tbus_ring_sub_t *place = &ring.shared->subs[s.index];
    size_t bytes;
    for (uint64_t n = 0; n < 12; n++) { /* 256 bytes of the area count for four slots */
        assert_int_equal(publish(&p, n, 256), TBUS_PUBLISHED);
        assert_non_null(tbus_peek(&s, &bytes));
        tbus_advance(&s);
        assert_int_equal(tbus_load_relaxed_u64(&place->progress), 1 + (n + 1) / 4 * 4);
        tbus_subscriber_catch_up(&shown, &s);
        assert_int_equal(tbus_load_relaxed_u64(&ring.shared->subs[shown.index].progress), s.seq);
    }
    tbus_subscriber_leave(&shown);
    tbus_subscriber_leave(&s);
    test_ring_destroy(&ring);
}

/* Its slot still stands when the bytes are gone. */
static void an_observer_whose_bytes_were_overwritten_is_told_that_it_lost_the_message(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_BROADCAST, 64, 1);
    tbus_publisher_t p = test_publisher(&ring, 1);
    tbus_observer_t o;
    assert_int_equal(tbus_observer_join(&ring, TBUS_FROM_OLDEST, &o, NULL), 0);
    for (uint64_t n = 1; n <= 10; n++)
        assert_int_equal(publish(&p, n, n == 3 ? 8 : LONGEST), TBUS_PUBLISHED);
    unsigned char copy[LONGEST];
    uint64_t seq, lost, lost_total = 0, expected = 1;
    size_t bytes;
    while (tbus_observe(&o, copy, &bytes, &seq, &lost) == 1) {
        assert_int_equal(seq, expected + lost);
        assert_is(copy, seq, seq == 3 ? 8 : LONGEST);
        lost_total += lost;
        expected = seq + 1;
    }
    assert_int_equal(expected, 11);
    assert_int_equal(lost_total, 5); /* 1, 2, 4, 5 and 6 */
    assert_int_equal(o.lost, 5);
    /* what is announced may be overwritten already */
    assert_int_equal(tbus_observer_join(&ring, TBUS_FROM_OLDEST, &o, NULL), 0);
    assert_non_null(tbus_claim_bytes_try(&p, LONGEST));
    lost_total = 0;
    while (tbus_observe(&o, copy, &bytes, &seq, &lost) == 1)
        lost_total += lost;
    assert_int_equal(lost_total, 6);
    tbus_publisher_leave(&p);
    test_ring_destroy(&ring);
}

/* Killed between claim and commit, or before it had stored anything: the next one neither writes
 * over what subscribers still read, nor waits for anything else. */
static void a_successor_leaves_alone_what_is_still_read(void **state)
{
    (void)state;
    for (unsigned claimed = 0; claimed < 2; claimed++) {
        tbus_ring_t ring = make_ring(TBUS_SPSC, 64, 1);
        tbus_subscriber_t s = test_subscriber(&ring, "s", TBUS_SUBSCRIBER, 2);
        tbus_publisher_t killed = test_publisher(&ring, 1);
        size_t bytes;
        for (uint64_t n = 1; n <= 3; n++)
            assert_int_equal(publish(&killed, n, LONGEST), TBUS_PUBLISHED);
        if (claimed)
            memset(tbus_claim_bytes_try(&killed, LONGEST), 0xee, LONGEST);
        tbus_publisher_t next = test_publisher(&ring, 3);
        for (uint64_t n = 1; n <= 3; n++) {
            if (n > 1)
                assert_int_equal(publish(&next, 4, LONGEST), TBUS_FULL);
            assert_is(tbus_peek(&s, &bytes), n, LONGEST);
            tbus_advance(&s);
        }
        assert_null(tbus_peek(&s, &bytes));
        for (uint64_t n = 4; n < 30; n++) {
            assert_int_equal(publish(&next, n, LONGEST), TBUS_PUBLISHED);
            assert_is(tbus_peek(&s, &bytes), n, LONGEST);
            assert_int_equal(s.seq, n);
            tbus_advance(&s);
        }
        tbus_subscriber_leave(&s);
        test_ring_destroy(&ring);
    }
}

static void an_aborted_claim_of_a_long_message_leaves_nothing_behind(void **state)
{
    (void)state;
    for (unsigned k = 0; k < TEST_KINDS; k++) {
        tbus_ring_t ring = make_ring(test_kinds[k], 16, 1);
        tbus_subscriber_t s = test_subscriber(&ring, "s", test_taker(test_kinds[k]), 2);
        tbus_publisher_t p = test_publisher(&ring, 1);
        size_t bytes;
        for (uint64_t n = 0; n < 50; n++) {
            assert_non_null(tbus_claim_bytes_try(&p, LONGEST));
            tbus_abort(&p);
            assert_null(tbus_peek(&s, &bytes));
            assert_int_equal(publish(&p, n, LONGEST), TBUS_PUBLISHED);
            assert_is(tbus_peek(&s, &bytes), n, LONGEST);
            tbus_advance(&s);
            tbus_subscriber_flush(&s);
        }
        assert_int_equal(tbus_load_relaxed_u64(&ring.shared->tombs),
                         ring.several_publishers ? 50 : 0);
        tbus_subscriber_leave(&s);
        test_ring_destroy(&ring);
    }
}

/* A cell goes with its slot: buried, freed and delivered again with it. */
static void what_the_dead_had_in_the_area_goes_with_its_slot(void **state)
{
    (void)state;
    for (enum tbus_promise promise = TBUS_AT_MOST_ONCE; promise <= TBUS_AT_LEAST_ONCE; promise++) {
        tbus_ring_t ring = test_ring_create(
            (tbus_ring_spec_t){.kind = TBUS_MPMC, .msg_bytes_max = LONGEST, .promise = promise});
        tbus_subscriber_t dies = test_subscriber(&ring, "dies", TBUS_CONSUMER, 7);
        tbus_subscriber_t lives = test_subscriber(&ring, "lives", TBUS_CONSUMER, 3);
        tbus_publisher_t doomed = test_publisher(&ring, 8), p = test_publisher(&ring, 1);
        size_t bytes;
        assert_int_equal(publish(&p, 1, LONGEST), TBUS_PUBLISHED);
        assert_is(tbus_peek(&dies, &bytes), 1, LONGEST);
        memset(tbus_claim_bytes_try(&doomed, LONGEST), 0xee, LONGEST);
        assert_int_equal(publish(&p, 3, LONGEST), TBUS_PUBLISHED);
        assert_null(tbus_peek(&lives, &bytes));
        assert_true(tbus_ring_repair(&ring, 7) > 0);
        assert_int_equal(tbus_ring_repair(&ring, 8), 1);
        if (promise == TBUS_AT_LEAST_ONCE) {
            assert_is(tbus_peek(&lives, &bytes), 1, LONGEST);
            tbus_advance(&lives);
        }
        assert_is(tbus_peek(&lives, &bytes), 3, LONGEST);
        tbus_advance(&lives);
        for (uint64_t n = 4; n < 40; n++) {
            assert_int_equal(publish(&p, n, LONGEST), TBUS_PUBLISHED);
            assert_is(tbus_peek(&lives, &bytes), n, LONGEST);
            tbus_advance(&lives);
        }
        tbus_subscriber_leave(&lives);
        test_ring_destroy(&ring);
    }
}

/* Whatever a peer writes there: a message within the area and no longer than allowed, or an error.
 */
static void impossible_lengths_and_offsets_are_corrupt(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {
        LONGEST + 1,        TBUS_IN_AREA | (LONGEST + 1), UINT64_MAX, UINT64_C(1) << 62,
        49 /* in a slot */, TBUS_IN_AREA | UINT32_MAX,    LONGEST,    253};
    static const uint64_t offsets[] = {
        1, 63, AREA - 64, AREA + AREA - 960, UINT64_MAX, UINT64_MAX - 63};
    for (unsigned k = 0; k < TEST_KINDS; k++)
        for (unsigned l = 0; l < sizeof lengths / sizeof *lengths; l++) {
            tbus_ring_t ring = make_ring(test_kinds[k], 16, 1);
            tbus_subscriber_t s = test_subscriber(&ring, "s", test_taker(test_kinds[k]), 2);
            tbus_publisher_t p = test_publisher(&ring, 1);
            tbus_observer_t o;
            unsigned char copy[LONGEST];
            uint64_t seq, lost;
            size_t bytes;
            assert_int_equal(tbus_observer_join(&ring, TBUS_FROM_OLDEST, &o, NULL), 0);
            assert_int_equal(publish(&p, 1, LONGEST), TBUS_PUBLISHED);
            tbus_store_relaxed_u64(tbus_ring_slot(&ring, 1) + 1, lengths[l]);
            assert_int_equal(tbus_observe(&o, copy, &bytes, &seq, &lost), -TBUS_ECORRUPT);
            assert_null(tbus_peek(&s, &bytes));
            assert_int_equal(s.error, -TBUS_ECORRUPT);
            tbus_subscriber_leave(&s);
            test_ring_destroy(&ring);
        }
    for (unsigned i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        tbus_ring_t ring = make_ring(TBUS_BROADCAST, 16, 1);
        tbus_subscriber_t s = test_subscriber(&ring, "s", TBUS_SUBSCRIBER, 2);
        tbus_publisher_t p = test_publisher(&ring, 1);
        size_t bytes;
        assert_int_equal(publish(&p, 1, LONGEST), TBUS_PUBLISHED);
        tbus_store_relaxed_u64(tbus_ring_slot(&ring, 1) + 2, offsets[i]);
        assert_null(tbus_peek(&s, &bytes));
        assert_int_equal(s.error, -TBUS_ECORRUPT);
        tbus_subscriber_leave(&s);
        test_ring_destroy(&ring);
    }
}

static void an_area_has_room_for_what_was_asked_or_is_refused(void **state)
{
    (void)state;
    static const struct {
        enum tbus_ring_kind kind;
        uint32_t slot_count, msg_bytes_max;
        uint64_t asked, area_bytes; /* 0: refused */
    } rows[] = {
        {TBUS_SPSC, 16, 1000, 0, 4096},
        {TBUS_SPSC, 16, 1000, 8192, 8192},
        {TBUS_SPSC, 16, 1000, 2048, 0},
        {TBUS_SPSC, 16, 1000, 12288, 0},
        {TBUS_SPSC, 16, 2049, 4096, 0},
        {TBUS_SPSC, 16, 2048, 4096, 4096},
        {TBUS_BROADCAST, 4096, 57, 0, 65536},
        {TBUS_BROADCAST, 16, 65568, 0, 524288},
        {TBUS_BROADCAST, 16, TBUS_MSG_BYTES_MAX, 0, UINT64_C(1) << 32},
        {TBUS_BROADCAST, 16, TBUS_MSG_BYTES_MAX + 1, 0, 0},
        {TBUS_MPMC, 16, 1000, 0, 16 * 1088},
        {TBUS_MPSC, 16, 1000, 16 * 1088, 16 * 1088},
        {TBUS_BROADCAST_MP, 16, 1000, 32768, 0},
        {TBUS_MPMC, 1u << 24, TBUS_MSG_BYTES_MAX, 0, 0},
        {TBUS_SPSC, 16, 56, 4096, 0}, /* fits in its slot */
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        tbus_ring_spec_t spec = test_spec((tbus_ring_spec_t){.kind = rows[i].kind,
                                                             .slot_count = rows[i].slot_count,
                                                             .msg_bytes_max = rows[i].msg_bytes_max,
                                                             .area_bytes = rows[i].asked});
        uint64_t slots_end = TBUS_RING_SLOTS_AT + UINT64_C(64) * rows[i].slot_count;
        uint64_t area_at = (slots_end + 4095) / 4096 * 4096;
        assert_int_equal(tbus_ring_footprint(&spec),
                         rows[i].area_bytes ? area_at + rows[i].area_bytes : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_long_messages_read_where_they_were_written),
        cmocka_unit_test(a_message_may_turn_out_shorter_than_its_claim),
        cmocka_unit_test(what_fits_in_a_slot_needs_no_area),
        cmocka_unit_test(what_fills_a_large_slot_arrives_whole_and_goes_no_further),
        cmocka_unit_test(a_slow_subscriber_holds_the_area_up_as_it_does_the_slots),
        cmocka_unit_test(a_message_that_would_cross_the_end_starts_at_the_beginning),
        cmocka_unit_test(progress_is_stored_after_a_sixteenth_of_the_area),
        cmocka_unit_test(an_observer_whose_bytes_were_overwritten_is_told_that_it_lost_the_message),
        cmocka_unit_test(a_successor_leaves_alone_what_is_still_read),
        cmocka_unit_test(an_aborted_claim_of_a_long_message_leaves_nothing_behind),
        cmocka_unit_test(what_the_dead_had_in_the_area_goes_with_its_slot),
        cmocka_unit_test(impossible_lengths_and_offsets_are_corrupt),
        cmocka_unit_test(an_area_has_room_for_what_was_asked_or_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
