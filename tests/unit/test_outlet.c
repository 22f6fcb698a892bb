/* SPDX-License-Identifier: Apache-2.0 */
/* Outlets (outlet.h): what a full ring does not take is kept and goes out later, in order, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <tickbus/outlet.h>
#include <tickbus/repair.h>
#include <tickbus/subscriber.h>

#include "tests/support/ring_fixture.h"

enum { SLOTS = 64, PLACES = 5, LONGEST = 300, OWNER = 1, READER = 2, SEED = 11 };

typedef struct world {
    tbus_ring_t ring;
    tbus_outlet_t outlet;
    tbus_subscriber_t reader;
} world_t;

static world_t make(enum tbus_ring_kind kind, uint32_t places)
{
    world_t w = {.ring = test_ring_create(
                     (tbus_ring_spec_t){.kind = kind,
                                        .slot_count = SLOTS,
                                        .msg_bytes_max = kind == TBUS_BROADCAST ? LONGEST : 0,
                                        .first_seq = UINT64_MAX - 20})};
    tbus_error_t err = {0};
    assert_int_equal(tbus_outlet_create(&w.outlet, places, LONGEST, &err), 0);
    w.outlet.publisher = test_publisher(&w.ring, OWNER);
    w.reader = test_late_comer(&w.ring, "reader", test_taker(kind), READER);
    return w;
}

static void destroy(world_t *w)
{
    tbus_outlet_destroy(&w->outlet);
    tbus_subscriber_leave(&w->reader);
    test_ring_destroy(&w->ring);
}

/* Message `number`: its length and every byte follow from the number. */
static size_t compose(const tbus_ring_t *ring, uint64_t number, unsigned char text[LONGEST])
{
    size_t longest = ring->msg_bytes_max < LONGEST ? ring->msg_bytes_max : LONGEST;
    size_t bytes = 8 + number * 37 % (longest - 7);
    for (size_t i = 8; i < bytes; i++)
        text[i] = (unsigned char)(number * 31 + i);
    memcpy(text, &number, 8);
    return bytes;
}

static enum tbus_outlet_result send(world_t *w, uint64_t number)
{
    unsigned char text[LONGEST];
    size_t bytes = compose(&w->ring, number, text);
    return tbus_outlet_send(&w->outlet, text, bytes);
}

static bool receive(world_t *w, uint64_t number)
{
    unsigned char want[LONGEST];
    size_t bytes;
    const void *message = tbus_peek(&w->reader, &bytes);
    assert_int_equal(w->reader.error, 0);
    if (!message)
        return false;
    assert_int_equal(bytes, compose(&w->ring, number, want));
    assert_memory_equal(message, want, bytes);
    tbus_advance(&w->reader);
    tbus_subscriber_flush(&w->reader);
    return true;
}

static void what_a_full_ring_does_not_take_is_kept_until_the_box_is_full_too(void **state)
{
    (void)state;
    for (size_t k = 0; k < TEST_KINDS; k++) {
        world_t w = make(test_kinds[k], PLACES);
        uint64_t sent = 0, got = 0;
        while (send(&w, sent) == TBUS_OUTLET_SENT)
            sent++;
        assert_in_range(sent, 1, SLOTS);
        assert_int_equal(w.outlet.kept, 1);
        for (uint64_t i = 1; i < PLACES; i++)
            assert_int_equal(send(&w, sent + i), TBUS_OUTLET_KEPT);
        assert_int_equal(send(&w, sent + PLACES), TBUS_OUTLET_FULL);
        assert_int_equal(w.outlet.kept, PLACES);
        assert_int_equal(tbus_outlet_flush(&w.outlet), 0);
        assert_int_equal(tbus_outlet_retry(&w.outlet), TBUS_OUTLET_KEPT);
        while (got < sent + PLACES) {
            while (receive(&w, got))
                got++;
            tbus_outlet_flush(&w.outlet);
        }
        assert_int_equal(w.outlet.kept, 0);
        assert_false(receive(&w, got));
        assert_int_equal(send(&w, got), TBUS_OUTLET_SENT);
        assert_true(receive(&w, got));
        destroy(&w);
    }
}

static void nothing_overtakes_what_is_kept(void **state)
{
    (void)state;
    world_t w = make(TBUS_SPSC, PLACES);
    for (uint64_t number = 0; number < SLOTS; number++)
        assert_int_equal(send(&w, number), TBUS_OUTLET_SENT);
    assert_int_equal(send(&w, SLOTS), TBUS_OUTLET_KEPT);
    assert_true(receive(&w, 0)); /* there is room on the ring again */
    assert_int_equal(send(&w, SLOTS + 1), TBUS_OUTLET_KEPT);
    assert_int_equal(tbus_outlet_flush(&w.outlet), 1);
    for (uint64_t number = 1; number <= SLOTS; number++)
        assert_true(receive(&w, number));
    assert_int_equal(tbus_outlet_flush(&w.outlet), 1);
    assert_true(receive(&w, SLOTS + 1));
    destroy(&w);
}

/* Sender, flusher and reader in any order, boxes of every size. */
static void nothing_is_lost_doubled_or_out_of_order_however_sends_and_reads_are_mixed(void **state)
{
    (void)state;
    print_message("seed %d\n", SEED);
    uint64_t random = SEED;
    for (size_t k = 0; k < TEST_KINDS; k++)
        for (uint32_t places = 1; places <= SLOTS; places += 7) {
            world_t w = make(test_kinds[k], places);
            uint64_t sent = 0, got = 0, refused = 0;
            for (unsigned turn = 0; turn < 4000; turn++) {
                random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
                /* phases in which the sender is ahead, and others in which the reader is */
                unsigned reads = turn / 400 % 2 ? 5 : 2;
                unsigned choice = (unsigned)(random >> 33) % 8;
                if (choice < reads) {
                    got += receive(&w, got);
                } else if (choice == 7) {
                    tbus_outlet_flush(&w.outlet);
                } else if (send(&w, sent) == TBUS_OUTLET_FULL) {
                    assert_int_equal(w.outlet.kept, places);
                    refused++;
                } else {
                    sent++;
                }
            }
            assert_true(refused > 0);
            while (got < sent) {
                tbus_outlet_flush(&w.outlet);
                assert_true(receive(&w, got));
                got++;
            }
            assert_false(receive(&w, got));
            destroy(&w);
        }
}

static void a_kept_message_can_be_stamped_anew_before_each_try(void **state)
{
    (void)state;
    world_t w = make(TBUS_MPMC, PLACES);
    uint64_t message[2] = {0, 0}, stamp = 100;
    size_t bytes;
    assert_null(tbus_outlet_front(&w.outlet, &bytes));
    for (; message[0] < SLOTS + 3; message[0]++)
        assert_true(tbus_outlet_send(&w.outlet, message, sizeof message) != TBUS_OUTLET_FULL);
    for (uint64_t number = 0; number < SLOTS + 3; number++) {
        uint64_t *kept = tbus_outlet_front(&w.outlet, &bytes);
        if (kept) {
            assert_int_equal(bytes, sizeof message);
            assert_int_equal((uintptr_t)kept % 8, 0);
            kept[1] = ++stamp;
            assert_int_equal(tbus_outlet_retry(&w.outlet), TBUS_OUTLET_KEPT);
            kept[1] = ++stamp;
        }
        const uint64_t *taken = tbus_peek(&w.reader, &bytes);
        assert_non_null(taken);
        assert_int_equal(taken[0], number);
        assert_int_equal(taken[1], number < SLOTS ? 0 : 100 + 2 * (number - SLOTS + 1));
        tbus_advance(&w.reader);
        tbus_subscriber_flush(&w.reader);
        if (kept)
            assert_int_equal(tbus_outlet_retry(&w.outlet), TBUS_OUTLET_SENT);
    }
    destroy(&w);
}

static void who_was_declared_dead_sends_and_keeps_nothing(void **state)
{
    (void)state;
    world_t w = make(TBUS_MPMC, PLACES);
    assert_int_equal(send(&w, 0), TBUS_OUTLET_SENT);
    assert_non_null(tbus_claim_try(&w.outlet.publisher));
    tbus_ring_repair(&w.ring, OWNER);
    tbus_commit(&w.outlet.publisher, 8);
    assert_int_equal(w.outlet.publisher.error, -TBUS_ESTALE);
    assert_int_equal(send(&w, 1), TBUS_OUTLET_STALE);
    assert_int_equal(w.outlet.kept, 0);
    assert_true(receive(&w, 0));
    assert_false(receive(&w, 1));
    destroy(&w);
}

static void an_outlet_of_no_size_or_of_too_large_a_size_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t places, bytes;
        int code;
    } cases[] = {{0, 8, -EINVAL},
                 {1, 0, -EINVAL},
                 {1, UINT32_MAX, -EINVAL},
                 {UINT32_MAX, UINT32_MAX - 64, -ENOMEM}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tbus_outlet_t outlet = {.kept = 77};
        tbus_error_t err = {0};
        assert_int_equal(tbus_outlet_create(&outlet, cases[i].places, cases[i].bytes, &err),
                         cases[i].code);
        assert_int_equal(err.code, cases[i].code);
        assert_true(err.text[0] != 0);
        assert_int_equal(outlet.kept, 77); /* untouched */
    }
    tbus_outlet_t never_made = {0};
    tbus_outlet_destroy(&never_made);
    tbus_outlet_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_full_ring_does_not_take_is_kept_until_the_box_is_full_too),
        cmocka_unit_test(nothing_overtakes_what_is_kept),
        cmocka_unit_test(nothing_is_lost_doubled_or_out_of_order_however_sends_and_reads_are_mixed),
        cmocka_unit_test(a_kept_message_can_be_stamped_anew_before_each_try),
        cmocka_unit_test(who_was_declared_dead_sends_and_keeps_nothing),
        cmocka_unit_test(an_outlet_of_no_size_or_of_too_large_a_size_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
