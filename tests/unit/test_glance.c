/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at an input without taking from it (glance.h): it must never hide what a peek would tell.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <tickbus/glance.h>

#include "tests/support/ring_fixture.h"

enum { SLOTS = 16, US = 1, THEM = 2 };

typedef struct world {
    tbus_ring_t ring;
    tbus_publisher_t publisher;
    tbus_subscriber_t subscriber;
} world_t;

static world_t make(enum tbus_ring_kind kind, enum tbus_sub_role role, uint64_t first_seq)
{
    tbus_ring_spec_t spec = {.kind = kind,
                             .slot_count = SLOTS,
                             .msg_bytes_max = kind == TBUS_BROADCAST ? 120 : 0,
                             .first_seq = first_seq};
    world_t w = {.ring = test_ring_create(spec)};
    w.publisher = test_publisher(&w.ring, THEM);
    w.subscriber = test_subscriber(&w.ring, "us", role, US);
    return w;
}

static void destroy(world_t *w)
{
    tbus_subscriber_leave(&w->subscriber);
    test_ring_destroy(&w->ring);
}

static void publish(world_t *w, uint64_t value)
{
    assert_int_equal(tbus_publish_try(&w->publisher, &value, sizeof value), TBUS_PUBLISHED);
}

static uint64_t take(world_t *w)
{
    size_t bytes;
    assert_true(tbus_glance(&w->subscriber));
    const uint64_t *message = tbus_peek(&w->subscriber, &bytes);
    assert_non_null(message);
    uint64_t value = *message;
    assert_true(tbus_glance(&w->subscriber)); /* in hand still */
    tbus_advance(&w->subscriber);
    return value;
}

static const struct {
    enum tbus_ring_kind kind;
    enum tbus_sub_role role;
} places[] = {{TBUS_SPSC, TBUS_SUBSCRIBER},
              {TBUS_SPSC, TBUS_FOLLOWER},
              {TBUS_MPSC, TBUS_SUBSCRIBER},
              {TBUS_MPSC, TBUS_FOLLOWER},
              {TBUS_BROADCAST, TBUS_SUBSCRIBER},
              {TBUS_BROADCAST, TBUS_FOLLOWER},
              {TBUS_BROADCAST_MP, TBUS_SUBSCRIBER},
              {TBUS_BROADCAST_MP, TBUS_FOLLOWER},
              {TBUS_MPMC, TBUS_CONSUMER}};

static void a_glance_tells_what_a_peek_would(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        world_t w = make(places[i].kind, places[i].role, 1);
        for (uint64_t n = 0; n < 5 * SLOTS; n++) { /* some laps, with none to three waiting */
            assert_false(tbus_glance(&w.subscriber));
            for (uint64_t k = 0; k <= n % 3; k++)
                publish(&w, n + k);
            for (uint64_t k = 0; k <= n % 3; k++)
                assert_int_equal(take(&w), n + k);
            tbus_subscriber_flush(&w.subscriber);
        }
        destroy(&w);
    }
}

static void a_follower_sees_what_the_consumers_have_freed(void **state)
{
    (void)state;
    world_t w = make(TBUS_MPMC, TBUS_FOLLOWER, 1);
    tbus_subscriber_t consumer;
    assert_true(tbus_ring_reserve(&w.ring, "them", TBUS_CONSUMER, NULL) >= 0);
    assert_int_equal(tbus_subscriber_join(&w.ring, "them", THEM, &consumer, NULL), 0);
    assert_false(tbus_glance(&w.subscriber));
    publish(&w, 7);
    size_t bytes;
    assert_non_null(tbus_peek(&consumer, &bytes));
    assert_true(tbus_glance(&consumer));
    tbus_advance(&consumer);
    assert_false(tbus_glance(&consumer));
    assert_int_equal(take(&w), 7);
    tbus_subscriber_leave(&consumer);
    destroy(&w);
}

static void a_message_under_way_is_no_message_and_a_given_up_one_is_worth_a_peek(void **state)
{
    (void)state;
    world_t w = make(TBUS_BROADCAST_MP, TBUS_SUBSCRIBER, 1);
    size_t bytes;
    assert_non_null(tbus_claim_try(&w.publisher));
    assert_false(tbus_glance(&w.subscriber));
    tbus_abort(&w.publisher);
    assert_true(tbus_glance(&w.subscriber));
    assert_null(tbus_peek(&w.subscriber, &bytes));
    assert_false(tbus_glance(&w.subscriber));
    destroy(&w);
}

static void messages_ahead_are_seen_only_when_they_are_there_and_not_long(void **state)
{
    (void)state;
    world_t w = make(TBUS_BROADCAST, TBUS_SUBSCRIBER, 100);
    size_t bytes = 0;
    for (uint64_t lap = 0; lap < 3; lap++) {
        for (uint64_t n = 0; n < SLOTS / 2; n++)
            publish(&w, n);
        for (uint32_t d = 0; d < SLOTS / 2; d++) {
            const uint64_t *ahead = tbus_peek_ahead(&w.subscriber, d, &bytes);
            assert_non_null(ahead);
            assert_int_equal(*ahead, d);
            assert_int_equal(bytes, sizeof *ahead);
        }
        for (uint32_t d = SLOTS / 2; d < 2 * SLOTS; d++)
            assert_null(tbus_peek_ahead(&w.subscriber, d, &bytes));
        for (uint64_t n = 0; n < SLOTS / 2; n++)
            assert_int_equal(take(&w), n);
        tbus_subscriber_flush(&w.subscriber);
    }
    uint64_t longer[15] = {0};
    assert_int_equal(tbus_publish_try(&w.publisher, longer, sizeof longer), TBUS_PUBLISHED);
    publish(&w, 1);
    assert_true(tbus_glance(&w.subscriber));
    assert_null(tbus_peek_ahead(&w.subscriber, 0, &bytes));
    assert_non_null(tbus_peek_ahead(&w.subscriber, 1, &bytes));
    assert_int_equal(bytes, sizeof(uint64_t));
    assert_null(tbus_peek_ahead(&w.subscriber, 2, &bytes));
    destroy(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_glance_tells_what_a_peek_would),
        cmocka_unit_test(a_follower_sees_what_the_consumers_have_freed),
        cmocka_unit_test(a_message_under_way_is_no_message_and_a_given_up_one_is_worth_a_peek),
        cmocka_unit_test(messages_ahead_are_seen_only_when_they_are_there_and_not_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
