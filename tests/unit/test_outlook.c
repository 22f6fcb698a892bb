/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/run/outlook.h"

#define S UINT64_C(1000000000)

static tbus_bus_t bus;

static int make_bus(void **state)
{
    (void)state;
    return tbus_bus_create("outlook", &bus, NULL) < 0 ||
           tbus_participant_add(&bus, "feed", NULL) != 1;
}

static int close_bus(void **state)
{
    (void)state;
    tbus_bus_close(&bus);
    return 0;
}

static void feed_says(const char *counter, uint64_t value)
{
    tbus_store_relaxed_u64(tbus_counter(&bus, 1, counter, "things"), value);
}

static void of_an_input_without_a_length_nothing_is_said(void **state)
{
    (void)state;
    outlook_t o = outlook_of(&bus, 10 * S, 0);
    assert_true(o.done < 0 && o.left_s < 0 && o.next_s < 0);
    assert_string_equal(o.next_at, "");
}

static void what_is_left_takes_as_long_as_what_is_done_did(void **state)
{
    (void)state;
    feed_says("feed.done", 250);
    feed_says("feed.total", 1000);
    outlook_t o = outlook_of(&bus, 10 * S, 0);
    assert_true(o.done > 0.2499 && o.done < 0.2501);
    assert_true(o.left_s > 29.9 && o.left_s < 30.1);
    o = outlook_of(&bus, S / 10, 0); /* too early to tell */
    assert_true(o.left_s < 0);
}

static void the_time_that_was_given_counts_when_it_ends_first(void **state)
{
    (void)state;
    feed_says("feed.done", 250);
    feed_says("feed.total", 1000);
    outlook_t o = outlook_of(&bus, 10 * S, 20 * S);
    assert_true(o.done > 0.4999 && o.done < 0.5001);
    assert_true(o.left_s > 9.9 && o.left_s < 10.1);
    o = outlook_of(&bus, 10 * S, 100 * S);
    assert_true(o.left_s > 29.9 && o.left_s < 30.1);
}

static void a_message_that_waits_is_not_done_and_lasts_until_it_is_due(void **state)
{
    (void)state;
    feed_says("feed.done", 1000);
    feed_says("feed.total", 1000);
    feed_says("feed.due_ns", tbus_clock_ns() + 5000 * S);
    feed_says("feed.due_time_ns", (9 * 3600 + 30 * 60) * S + S / 4);
    outlook_t o = outlook_of(&bus, 10 * S, 0);
    assert_true(o.done < 1);
    assert_true(o.next_s > 0 && o.next_s <= 5000 && o.left_s >= o.next_s);
    assert_string_equal(o.next_at, "09:30:00.250");
    feed_says("feed.due_time_ns", 25 * 3600 * S); /* of the day after */
    assert_string_equal(outlook_of(&bus, 10 * S, 0).next_at, "01:00:00.000");
    feed_says("feed.due_time_ns", UINT64_MAX); /* a message without a time */
    assert_string_equal(outlook_of(&bus, 10 * S, 0).next_at, "");
    feed_says("feed.due_ns", tbus_clock_ns());
    assert_true(outlook_of(&bus, 10 * S, 0).next_s < 0);
}

static void durations_are_said_in_the_unit_that_suits(void **state)
{
    (void)state;
    char text[OUTLOOK_TEXT_MAX];
    assert_string_equal(outlook_duration(0, text), "0 s");
    assert_string_equal(outlook_duration(0.2, text), "1 s");
    assert_string_equal(outlook_duration(59, text), "59 s");
    assert_string_equal(outlook_duration(65, text), "1 min 5 s");
    assert_string_equal(outlook_duration(3 * 3600 + 12 * 60 + 5, text), "3 h 12 min");
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, make_bus, close_bus)
    const struct CMUnitTest tests[] = {
        CASE(of_an_input_without_a_length_nothing_is_said),
        CASE(what_is_left_takes_as_long_as_what_is_done_did),
        CASE(the_time_that_was_given_counts_when_it_ends_first),
        CASE(a_message_that_waits_is_not_done_and_lasts_until_it_is_due),
        CASE(durations_are_said_in_the_unit_that_suits),
    };
    return cmocka_run_group_tests_name("outlook", tests, NULL, NULL);
}
