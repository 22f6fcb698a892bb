/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <tickbus/clock.h>

#include "bus/run/stamps.h"
#include "tools/latency/stamp_clock.h"

static stamp_clock_t made; /* too large for a stack */

#define NS_AT_0 UINT64_C(5000000000)

/* A counter of 2.5 GHz, and a clock that is slewed by 100 parts of a million in the second half. */
static uint64_t slewed_ns(uint64_t ticks)
{
    uint64_t ns = ticks * 2 / 5, half = UINT64_C(500000000);
    return NS_AT_0 + ns + (ns > half ? (ns - half) / 10000 : 0);
}

static int set_up(void **state)
{
    (void)state;
    stamp_clock_init(&made, true);
    return 0;
}

static void stamps_lie_on_the_line_between_the_readings_around_them(void **state)
{
    (void)state;
    for (uint64_t ticks = 1000; ticks <= UINT64_C(2500001000); ticks += 50000000)
        stamp_clock_add(&made, ticks, slewed_ns(ticks));
    for (uint64_t ticks = 0; ticks < UINT64_C(2500000000); ticks += 1234567) {
        uint64_t exact = slewed_ns(ticks), told = stamp_clock_ns(&made, ticks);
        assert_in_range(told, exact - 2100, exact + 2100); /* 100 ppm of one step at the bend */
        if (ticks < UINT64_C(1200000000))
            assert_in_range(told, exact - 1, exact + 1);
    }
    /* at half of the way a straight line is 50 ppm of half a second off, 25 us */
    assert_true(stamp_clock_drift_ns(&made) > 24000 && stamp_clock_drift_ns(&made) < 26000);
}

static void what_came_before_and_after_all_readings_is_on_the_next_line(void **state)
{
    (void)state;
    stamp_clock_add(&made, 1000, 400);
    stamp_clock_add(&made, 2000, 800);
    stamp_clock_add(&made, 3000, 1200);
    assert_int_equal(stamp_clock_ns(&made, 500), 200);
    assert_int_equal(stamp_clock_ns(&made, 5000), 2000);
    assert_true(stamp_clock_drift_ns(&made) < 1);
}

static void readings_that_find_no_room_are_thinned_out(void **state)
{
    (void)state;
    uint64_t every_ns = made.every_ns, ticks = 0;
    for (unsigned i = 0; i < 3 * STAMP_CLOCK_READINGS_MAX; i++, ticks += 1000)
        stamp_clock_add(&made, ticks, ticks * 2);
    assert_true(made.count <= STAMP_CLOCK_READINGS_MAX);
    assert_true(made.every_ns > every_ns);
    assert_int_equal(stamp_clock_ns(&made, ticks / 2 + 1), ticks + 2);
}

static void stamps_of_the_system_clock_are_left_as_they_are(void **state)
{
    (void)state;
    stamp_clock_init(&made, false);
    stamp_clock_read(&made, true);
    assert_int_equal(made.count, 0);
    assert_int_equal(stamp_clock_ns(&made, 12345), 12345);
    assert_true(stamp_clock_drift_ns(&made) == 0);
}

/* Real clocks: a stamp between two looks at CLOCK_MONOTONIC lies between them, but for what a
 * reading can be off. Not so where the kernel does not trust the counter. */
static void the_counter_of_this_host_is_placed_where_the_clock_is(void **state)
{
    const tbus_stamps_t stamps = {.ticks = true};
    uint64_t before_ns[64], ticks[64], after_ns[64];
    (void)state;
    if (!stamp_clock_trusts_counter()) {
        print_message("the kernel does not take its time from the CPU's counter\n");
        skip();
    }
    stamp_clock_read(&made, false);
    for (int i = 0; i < 64; i++) {
        before_ns[i] = tbus_clock_ns();
        ticks[i] = tbus_stamps_now(&stamps);
        after_ns[i] = tbus_clock_ns();
    }
    stamp_clock_read(&made, true);
    assert_int_equal(made.count, 2);
    for (int i = 0; i < 64; i++) {
        /* the two readings are closer together than in a run: half of the width of one at most */
        uint64_t told = stamp_clock_ns(&made, ticks[i]);
        assert_in_range(told, before_ns[i] - 100000, after_ns[i] + 100000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(stamps_lie_on_the_line_between_the_readings_around_them, set_up),
        cmocka_unit_test_setup(what_came_before_and_after_all_readings_is_on_the_next_line, set_up),
        cmocka_unit_test_setup(readings_that_find_no_room_are_thinned_out, set_up),
        cmocka_unit_test_setup(stamps_of_the_system_clock_are_left_as_they_are, set_up),
        cmocka_unit_test_setup(the_counter_of_this_host_is_placed_where_the_clock_is, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
