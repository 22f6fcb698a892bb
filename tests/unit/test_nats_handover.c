/* SPDX-License-Identifier: Apache-2.0 */
/* The queue between the thread that hears NATS and the feed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include <tickbus/clock.h>

#include "feedsim/nats/handover.h"

#define MESSAGES 200000u

static nats_handover_t *queue;

static int set_up(void **state)
{
    (void)state;
    return nats_handover_create(NATS_HANDOVER_BYTES_MIN, &queue, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    nats_handover_destroy(queue);
    return 0;
}

/* Every length that a message can have comes about, short ones mostly. */
static uint32_t bytes_of(uint64_t seq)
{
    return seq % 97 == 0 ? (uint32_t)(seq * 7919 % 65536) : (uint32_t)(seq * 31 % 60);
}

static bool put(uint64_t seq)
{
    static uint8_t payload[65536];
    nats_item_t item = {
        .kind = NATS_ITEM_MESSAGE, .seq = seq, .time_ns = ~seq, .bytes = bytes_of(seq)};
    memset(payload, (int)(seq & 0xff), item.bytes);
    return nats_handover_put(queue, &item, payload);
}

static void check(const nats_item_t *item, uint64_t seq)
{
    const uint8_t *payload = nats_item_payload(item);
    assert_int_equal(item->kind, NATS_ITEM_MESSAGE);
    assert_int_equal(item->seq, seq);
    assert_int_equal(item->time_ns, ~seq);
    assert_int_equal(item->bytes, bytes_of(seq));
    for (uint32_t i = 0; i < item->bytes; i++)
        if (payload[i] != (uint8_t)seq)
            fail_msg("byte %u of item %u is another", i, (unsigned)seq);
}

static void items_of_any_length_come_out_as_they_went_in_over_many_laps(void **state)
{
    uint64_t in = 1, out = 1;
    (void)state;
    while (out < 20000) {
        while (put(in)) /* until it is full */
            in++;
        assert_true(in > out);
        for (uint64_t half = out + (in - out + 1) / 2; out < half; out++) {
            const nats_item_t *item = nats_handover_front(queue);
            assert_non_null(item);
            check(item, out);
            nats_handover_pop(queue, item);
        }
    }
}

static void an_empty_queue_has_no_front_and_a_full_one_no_room(void **state)
{
    uint64_t in = 1;
    (void)state;
    assert_null(nats_handover_front(queue));
    while (put(in))
        in++;
    assert_false(put(in));
    for (uint64_t out = 1; out < in; out++) {
        const nats_item_t *item = nats_handover_front(queue);
        check(item, out);
        nats_handover_pop(queue, item);
    }
    assert_null(nats_handover_front(queue));
    assert_true(put(in));
}

static void *put_all(void *context)
{
    (void)context;
    for (uint64_t seq = 1; seq <= MESSAGES; seq++)
        while (!put(seq))
            sched_yield();
    return NULL;
}

/* The taker sleeps whenever there is nothing; were a wake-up lost, it would sleep for an hour. */
static void between_two_threads_no_item_and_no_wake_up_is_lost(void **state)
{
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, put_all, NULL), 0);
    for (uint64_t seq = 1; seq <= MESSAGES; seq++) {
        const nats_item_t *item;
        while (!(item = nats_handover_front(queue)))
            nats_handover_wait(queue, tbus_clock_ns() + UINT64_C(3600000000000));
        check(item, seq);
        nats_handover_pop(queue, item);
    }
    pthread_join(thread, NULL);
    assert_null(nats_handover_front(queue));
}

static void a_wait_for_nothing_ends_at_its_time(void **state)
{
    (void)state;
    uint64_t until_ns = tbus_clock_ns() + 1000000;
    while (tbus_clock_ns() < until_ns)
        nats_handover_wait(queue, until_ns);
    assert_null(nats_handover_front(queue));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(items_of_any_length_come_out_as_they_went_in_over_many_laps),
        CASE(an_empty_queue_has_no_front_and_a_full_one_no_room),
        CASE(between_two_threads_no_item_and_no_wake_up_is_lost),
        CASE(a_wait_for_nothing_ends_at_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
