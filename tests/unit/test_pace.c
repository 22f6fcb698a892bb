/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "feedsim/number.h"
#include "feedsim/pace.h"

#define S UINT64_C(1000000000)

static feed_pace_t pace(const char *text)
{
    feed_pace_t p;
    tbus_error_t err = {0};
    if (feed_pace_parse(text, &p, &err) != 0)
        fail_msg("%s", err.text);
    return p;
}

static void words_factors_and_rates_are_understood(void **state)
{
    (void)state;
    assert_int_equal(pace("max").kind, FEED_PACE_MAX);
    assert_int_equal(pace("realtime").kind, FEED_PACE_TIMED);
    assert_int_equal(pace("10x").kind, FEED_PACE_TIMED);
    assert_int_equal(pace("0.001x").kind, FEED_PACE_TIMED);
    assert_int_equal(pace("200k/s").kind, FEED_PACE_RATE);
    assert_int_equal(pace("1.5M/s").kind, FEED_PACE_RATE);
    assert_int_equal(pace("1G/s").step_ns, 1);
}

static void anything_else_is_refused_and_nothing_written(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "x",
                                        "/s",
                                        "fast",
                                        "0x",
                                        "0/s",
                                        "-1x",
                                        "+1x",
                                        "1e3/s",
                                        "10",
                                        "10 /s",
                                        " 10x",
                                        "1..5x",
                                        "1.x",
                                        ".5x",
                                        "0.0001x",
                                        "10X",
                                        "10/S",
                                        "2G/s",
                                        "1m/s",
                                        "kx",
                                        "k/s",
                                        "10kM/s",
                                        "10/s ",
                                        "max ",
                                        "Max",
                                        "1k0/s",
                                        "0x10x",
                                        "99999999999999999999/s"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        feed_pace_t p, before;
        tbus_error_t err;
        memset(&p, 0x77, sizeof(p));
        memcpy(&before, &p, sizeof(p));
        if (feed_pace_parse(wrong[i], &p, &err) != -TBUS_ECONFIG)
            fail_msg("\"%s\" was taken", wrong[i]);
        assert_memory_equal(&p, &before, sizeof(p));
        assert_non_null(strstr(err.text, wrong[i]));
    }
}

static void numbers_are_exact_to_a_thousandth_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t milli;
    } right[] = {
        {"0", 0},
        {"1", 1000},
        {"0.001", 1},
        {"2.5", 2500},
        {"1.0000", 1000},
        {"1.234567M", UINT64_C(1234567000)},
        {"007", 7000},
        {"18446744073709551.615", UINT64_MAX},
        {"18446744.073709551615G", UINT64_MAX},
    };
    uint64_t milli;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        assert_true(number_parse_milli(right[i].text, strlen(right[i].text), &milli));
        assert_true(milli == right[i].milli);
    }
    static const char *const wrong[] = {"",   "k",     ".",      "1.",
                                        ".1", "1.2.3", "1.0001", "18446744073709551.616",
                                        "1 ", "-1",    "1K",     "1.2345678901M"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(number_parse_milli(wrong[i], strlen(wrong[i]), &milli));
    assert_true(number_parse_milli("12,", 2, &milli)); /* the length ends it, not the zero */
    assert_int_equal(milli, 12000);
}

static void max_is_due_now(void **state)
{
    (void)state;
    feed_pace_t p = pace("max");
    assert_int_equal(feed_pace_next(&p, 5, 100), 100);
    assert_int_equal(feed_pace_next(&p, 7 * S, 101), 101);
    assert_int_equal(feed_pace_next(&p, FEED_TIME_NONE, 250), 250);
}

static void a_rate_is_kept_exactly_however_late_the_caller_asks(void **state)
{
    (void)state;
    static const char *const rates[] = {"1/s",    "3/s",         "7k/s", "333333/s",
                                        "1.5M/s", "999999999/s", "0.7/s"};
    static const uint64_t milli[] = {
        1000, 3000, 7000000, 333333000, UINT64_C(1500000000), UINT64_C(999999999000), 700};
    for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
        feed_pace_t p = pace(rates[r]);
        uint64_t start = UINT64_C(123456789012345);
        for (uint64_t k = 0; k < 100000; k++) {
            uint64_t due = feed_pace_next(
                &p, k * 17, start + k * k); /* neither the clock nor message times matter */
            uint64_t exact =
                start + (uint64_t)((unsigned __int128)k * UINT64_C(1000000000000) / milli[r]);
            if (due != exact)
                fail_msg("%s: message %llu", rates[r], (unsigned long long)k);
        }
    }
}

static void realtime_keeps_the_distances_of_the_messages_gaps_included(void **state)
{
    (void)state;
    feed_pace_t p = pace("realtime");
    uint64_t open = 34200 * S, start = 77;
    assert_int_equal(feed_pace_next(&p, open, start), start);
    assert_int_equal(feed_pace_next(&p, open + 1, start + 5), start + 1);
    assert_int_equal(feed_pace_next(&p, open + 1, start + 5), start + 1);
    assert_int_equal(feed_pace_next(&p, open + 3600 * S, start + 5), start + 3600 * S);
    assert_int_equal(feed_pace_next(&p, open + 52200 * S, start + 5), start + 52200 * S);
}

static void times_that_go_backwards_do_not_move_the_schedule_back(void **state)
{
    (void)state;
    feed_pace_t p = pace("realtime");
    assert_int_equal(feed_pace_next(&p, 1000, 0), 0);
    assert_int_equal(feed_pace_next(&p, 5000, 0), 4000);
    assert_int_equal(feed_pace_next(&p, 10, 0), 4000);
    assert_int_equal(feed_pace_next(&p, 4999, 0), 4000);
    assert_int_equal(feed_pace_next(&p, 5001, 0), 4001);
}

static void a_message_without_a_time_is_due_with_the_one_before_it(void **state)
{
    (void)state;
    feed_pace_t p = pace("realtime");
    assert_int_equal(feed_pace_next(&p, FEED_TIME_NONE, 50), 50);
    assert_int_equal(feed_pace_next(&p, FEED_TIME_NONE, 60), 50);
    assert_int_equal(feed_pace_next(&p, 0, 60), 50); /* midnight is a time */
    assert_int_equal(feed_pace_next(&p, 10, 60), 60);
    assert_int_equal(feed_pace_next(&p, FEED_TIME_NONE, 99), 60);
    assert_int_equal(feed_pace_next(&p, 30, 99), 80);
}

static void a_factor_divides_the_distances_to_the_nanosecond(void **state)
{
    (void)state;
    static const char *const factors[] = {"2x", "10x", "0.5x", "3x", "0.001x", "1000000000x", "1x"};
    static const uint64_t milli[] = {2000, 10000, 500, 3000, 1, UINT64_C(1000000000000), 1000};
    for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
        feed_pace_t p = pace(factors[i]);
        uint64_t start = 1, last = 0;
        for (uint64_t t = 0; t <= 86400 * S; t += 86400 * S / 997) {
            uint64_t due = feed_pace_next(&p, t, start);
            uint64_t exact = start + (uint64_t)((unsigned __int128)t * 1000 / milli[i]);
            assert_in_range(exact - due, 0, 1);
            assert_true(due >= last);
            last = due;
        }
    }
}

static feed_pace_t spread(const char *rate, const char *arrivals)
{
    feed_pace_t p = pace(rate);
    tbus_error_t err = {0};
    if (feed_pace_set_arrivals(&p, arrivals, &err) != 0)
        fail_msg("%s", err.text);
    return p;
}

static void a_burst_is_due_at_once_and_the_rate_is_kept(void **state)
{
    (void)state;
    feed_pace_t p = spread("3/s", "burst:4"), even = pace("3/s");
    uint64_t first_of_burst = 0;
    for (unsigned k = 0; k < 4000; k++) {
        uint64_t due = feed_pace_next(&p, FEED_TIME_NONE, 7);
        uint64_t even_due = feed_pace_next(&even, FEED_TIME_NONE, 7);
        if (k % 4 == 0)
            first_of_burst = even_due;
        assert_int_equal(due, first_of_burst);
    }
}

#define DRAWS 200000u

/* Mean and spread of an exponential distribution are the same; a share of 1 - 1/e of the gaps is
 * below the mean. Seeds are fixed: no luck is needed. */
static void drawn_arrivals_keep_the_rate_and_are_exponential(void **state)
{
    (void)state;
    feed_pace_t p = spread("100k/s", "poisson:3");
    uint64_t last = feed_pace_next(&p, FEED_TIME_NONE, S), below = 0;
    double sum = 0, squares = 0;
    assert_int_equal(last, S);
    for (unsigned k = 0; k < DRAWS; k++) {
        uint64_t due = feed_pace_next(&p, FEED_TIME_NONE, 0);
        assert_true(due >= last);
        double gap = (double)(due - last);
        last = due;
        sum += gap;
        squares += gap * gap;
        below += gap < 10000;
    }
    double mean = sum / DRAWS;
    assert_true(mean > 9900 && mean < 10100);
    assert_true(squares / DRAWS > 1.95 * mean * mean && squares / DRAWS < 2.05 * mean * mean);
    assert_true(below > 0.627 * DRAWS && below < 0.637 * DRAWS);
}

/* Integers only, so these are the times of every host. */
static void drawn_arrivals_are_the_same_on_every_host(void **state)
{
    (void)state;
    static const uint64_t expected_ns[] = {0,     8681,  13960, 14956, 17507,
                                           17618, 19911, 20880, 24208};
    feed_pace_t p = spread("333333/s", "poisson:7");
    for (size_t i = 0; i < sizeof expected_ns / sizeof *expected_ns; i++)
        assert_int_equal(feed_pace_next(&p, FEED_TIME_NONE, 0), expected_ns[i]);
    for (unsigned i = 0; i < 1000000; i++)
        (void)feed_pace_next(&p, FEED_TIME_NONE, 0);
    assert_int_equal(p.due_ns, UINT64_C(3002281088));
}

static void drawn_arrivals_are_the_same_for_the_same_seed(void **state)
{
    (void)state;
    feed_pace_t a = spread("1k/s", "poisson"), b = spread("1k/s", "poisson:1");
    feed_pace_t c = spread("1k/s", "poisson:2");
    unsigned differ = 0;
    for (unsigned k = 0; k < 1000; k++) {
        uint64_t due = feed_pace_next(&a, FEED_TIME_NONE, 5);
        assert_int_equal(feed_pace_next(&b, FEED_TIME_NONE, 5), due);
        differ += feed_pace_next(&c, FEED_TIME_NONE, 5) != due;
    }
    assert_true(differ > 900);
}

static void arrivals_that_are_not_understood_or_have_no_rate_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",         "Poisson",  "poisson:x", "poisson:1.5",
                                        "burst",    "burst:",   "burst:0",   "burst:2000000",
                                        "burst:-1", "burst:1x", "constant:1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        feed_pace_t p = pace("1k/s");
        tbus_error_t err = {0};
        assert_int_equal(feed_pace_set_arrivals(&p, wrong[i], &err), -TBUS_ECONFIG);
        assert_non_null(strstr(err.text, "burst:N"));
    }
    feed_pace_t p = pace("10x");
    assert_int_equal(feed_pace_set_arrivals(&p, "constant", NULL), 0);
    assert_int_equal(feed_pace_set_arrivals(&p, "poisson", NULL), -TBUS_ECONFIG);
}

static void a_span_of_the_schedule_is_that_much_message_time(void **state)
{
    (void)state;
    feed_pace_t p = pace("4x");
    assert_in_range(feed_pace_span_ns(&p, S), 4 * S - 1, 4 * S + 1);
    p = pace("1k/s");
    assert_int_equal(feed_pace_span_ns(&p, S), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_factors_and_rates_are_understood),
        cmocka_unit_test(anything_else_is_refused_and_nothing_written),
        cmocka_unit_test(numbers_are_exact_to_a_thousandth_or_refused),
        cmocka_unit_test(max_is_due_now),
        cmocka_unit_test(a_rate_is_kept_exactly_however_late_the_caller_asks),
        cmocka_unit_test(realtime_keeps_the_distances_of_the_messages_gaps_included),
        cmocka_unit_test(times_that_go_backwards_do_not_move_the_schedule_back),
        cmocka_unit_test(a_message_without_a_time_is_due_with_the_one_before_it),
        cmocka_unit_test(a_factor_divides_the_distances_to_the_nanosecond),
        cmocka_unit_test(a_burst_is_due_at_once_and_the_rate_is_kept),
        cmocka_unit_test(drawn_arrivals_keep_the_rate_and_are_exponential),
        cmocka_unit_test(drawn_arrivals_are_the_same_on_every_host),
        cmocka_unit_test(drawn_arrivals_are_the_same_for_the_same_seed),
        cmocka_unit_test(arrivals_that_are_not_understood_or_have_no_rate_are_refused),
        cmocka_unit_test(a_span_of_the_schedule_is_that_much_message_time),
    };
    return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
