/* SPDX-License-Identifier: Apache-2.0 */
/* The books that late joiners get: they are those of a full replay, at any moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <tickbus/bus.h>
#include <tickbus/publisher.h>

#include "feedsim/gateway/glimpse.h"
#include "feedsim/itch/itch.h"
#include "feedsim/source/source.h"
#include "tests/support/same_books.h"

#define SLOTS    1024u
#define TICKS    30000u
#define LATER_NS UINT64_C(1000000000) /* so long after it a shot is old */

static const market_limits_t limits = {.orders_max = 20000, .levels_max = 20000};

typedef struct fixture {
    tbus_bus_t bus;
    tbus_publisher_t out;
    feed_source_t *source;
    market_t *market; /* by all ticks so far */
    uint64_t next;    /* sequence of the next tick */
    glimpse_t *glimpse;
    _Alignas(64) unsigned char tick[TICK_LEN_MAX];
} fixture_t;

static int set_up(void **state)
{
    fixture_t *f = aligned_alloc(64, (sizeof *f + 63) / 64 * 64);
    tbus_ring_spec_t spec = {.name = "md",
                             .kind = TBUS_BROADCAST,
                             .slot_bytes = 64,
                             .slot_count = SLOTS,
                             .msg_bytes_max = 56,
                             .first_seq = 5};
    memset(f, 0, sizeof *f);
    assert_int_equal(tbus_bus_create("glimpse", &f->bus, NULL), 0);
    assert_int_equal(tbus_bus_add_topic(&f->bus, &spec, "tick", TBUS_PAGES_SMALL, -1, NULL), 0);
    assert_int_equal(tbus_publisher_join(&f->bus.rings[0], 7, &f->out, NULL), 0);
    assert_int_equal(feed_source_open("synth:seed=11,symbols=20,messages=1000000",
                                      FEED_CLOCK_MARKET, &f->source, NULL),
                     0);
    assert_int_equal(market_create(&limits, &f->market, NULL), 0);
    f->next = spec.first_seq;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    glimpse_destroy(f->glimpse);
    feed_source_close(f->source);
    market_destroy(f->market);
    tbus_bus_close(&f->bus);
    free(f);
    return 0;
}

static void follow(fixture_t *f)
{
    tbus_error_t err = {0};
    if (glimpse_create(&limits, &f->glimpse, &err) < 0 ||
        glimpse_follow(f->glimpse, &f->bus, NULL, "md", &err) < 0)
        fail_msg("%s", err.text);
}

static void catch_up(fixture_t *f)
{
    tbus_error_t err = {0};
    while (glimpse_turn(f->glimpse, 64, &err) == 64)
        ;
    assert_int_equal(err.code, 0);
}

static void publish(fixture_t *f, uint32_t count, bool followed)
{
    for (; count; count--, f->next++) {
        const market_event_t *event;
        size_t bytes;
        assert_int_equal(feed_source_next(f->source, (tick_t *)(void *)f->tick, &bytes),
                         FEED_SOURCE_TICK);
        assert_int_equal(tbus_publish_try(&f->out, f->tick, bytes), TBUS_PUBLISHED);
        assert_int_equal(market_apply(f->market, f->next, (tick_t *)(void *)f->tick, bytes, &event),
                         0);
        if (followed && count % 256 == 0)
            catch_up(f);
    }
    if (followed)
        catch_up(f);
}

/* --- a shot, read as a client does --- */

/* The payload of message `seq` of a shot. */
static const uint8_t *message_of(const glimpse_shot_t *shot, uint64_t seq, size_t *out_bytes)
{
    const gateway_block_t *block = glimpse_block(shot, seq);
    assert_non_null(block);
    const uint8_t *packet = block->data + gateway_block_place(block, seq);
    assert_int_equal(packet[SOUP_LENGTH_BYTES], SOUP_SEQUENCED);
    *out_bytes = soup_length(packet) - 1;
    return packet + SOUP_HEADER_BYTES;
}

/* What a client makes of it: books, and where to go on. */
static market_t *read_shot(const glimpse_shot_t *shot, uint64_t *out_seq)
{
    market_t *market;
    size_t bytes;
    char digits[GLIMPSE_END_BYTES] = {0};
    assert_int_equal(market_create(&limits, &market, NULL), 0);
    for (uint64_t seq = 1; seq < shot->count; seq++) {
        const market_event_t *event;
        tick_t tick;
        size_t tick_bytes;
        const uint8_t *message = message_of(shot, seq, &bytes);
        assert_int_equal(itch_decode(message, bytes, &tick, &tick_bytes), 0);
        assert_int_equal(market_apply(market, seq, &tick, tick_bytes, &event), 0);
    }
    const uint8_t *end = message_of(shot, shot->count, &bytes);
    assert_int_equal(bytes, GLIMPSE_END_BYTES);
    assert_int_equal(end[0], 'G');
    memcpy(digits, end + 1, GLIMPSE_END_BYTES - 1);
    *out_seq = strtoull(digits, NULL, 10);
    assert_null(glimpse_block(shot, shot->count + 1));
    assert_null(glimpse_block(shot, 0));
    return market;
}

static void at_any_moment_it_is_what_a_full_replay_gives(void **state)
{
    fixture_t *f = *state;
    uint64_t next, now_ns = 1;
    follow(f);
    for (uint32_t i = 0, step = 1; f->next < TICKS; i++, step = (step * 7 + i) % 4999 + 1) {
        publish(f, step, true);
        now_ns += LATER_NS;
        glimpse_shot_t *shot = glimpse_take(f->glimpse, now_ns);
        assert_non_null(shot);
        market_t *market = read_shot(shot, &next);
        assert_int_equal(next, f->next - 5 + 1); /* on the wire the first one is 1 */
        same_books(market, f->market);
        market_destroy(market);
        glimpse_release(shot);
    }
}

static void before_the_first_message_there_is_nothing_and_all_is_to_come(void **state)
{
    fixture_t *f = *state;
    uint64_t next;
    follow(f);
    catch_up(f);
    glimpse_shot_t *shot = glimpse_take(f->glimpse, 1);
    assert_non_null(shot);
    market_destroy(read_shot(shot, &next));
    assert_int_equal(shot->count, 1);
    assert_int_equal(next, 1);
    glimpse_release(shot);
}

static void those_who_come_together_share_one(void **state)
{
    fixture_t *f = *state;
    uint64_t now_ns = LATER_NS;
    glimpse_shot_t *shots[GLIMPSE_SHOTS];
    follow(f);
    for (uint32_t i = 0; i < GLIMPSE_SHOTS; i++, now_ns += LATER_NS) {
        publish(f, 100, true);
        shots[i] = glimpse_take(f->glimpse, now_ns);
        publish(f, 1, true);
        assert_ptr_equal(glimpse_take(f->glimpse, now_ns + 1000), shots[i]);
        assert_int_equal(shots[i]->users, 2);
        for (uint32_t k = 0; k < i; k++)
            assert_ptr_not_equal(shots[i], shots[k]);
    }
    /* All are in use: the newest, which is right, and a little old. */
    publish(f, 100, true);
    assert_ptr_equal(glimpse_take(f->glimpse, now_ns), shots[GLIMPSE_SHOTS - 1]);
    glimpse_release(shots[0]);
    glimpse_release(shots[0]);
    uint64_t next;
    glimpse_shot_t *shot = glimpse_take(f->glimpse, now_ns);
    assert_ptr_equal(shot, shots[0]);
    market_t *market = read_shot(shot, &next);
    assert_int_equal(next, f->next - 5 + 1);
    same_books(market, f->market);
    market_destroy(market);
}

static void when_messages_are_lost_there_is_none_and_it_says_so(void **state)
{
    fixture_t *f = *state;
    follow(f);
    publish(f, 100, true);
    publish(f, 3 * SLOTS, false);
    catch_up(f);
    assert_null(glimpse_take(f->glimpse, LATER_NS));
    assert_non_null(strstr(glimpse_why(f->glimpse), "are lost for the books"));
    assert_non_null(strstr(glimpse_why(f->glimpse), "nothing is recorded"));
}

static void books_that_are_too_small_say_so(void **state)
{
    fixture_t *f = *state;
    static const market_limits_t small = {.orders_max = 64, .levels_max = 64};
    assert_int_equal(glimpse_create(&small, &f->glimpse, NULL), 0);
    assert_int_equal(glimpse_follow(f->glimpse, &f->bus, NULL, "md", NULL), 0);
    publish(f, 800, true);
    assert_null(glimpse_take(f->glimpse, LATER_NS));
    assert_non_null(strstr(glimpse_why(f->glimpse), "books."));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(at_any_moment_it_is_what_a_full_replay_gives),
        CASE(before_the_first_message_there_is_nothing_and_all_is_to_come),
        CASE(those_who_come_together_share_one),
        CASE(when_messages_are_lost_there_is_none_and_it_says_so),
        CASE(books_that_are_too_small_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
