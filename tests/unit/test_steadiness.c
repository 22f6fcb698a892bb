/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/latencies.h"
#include "tools/measure/steadiness.h"

#define COUNT 40000u

static uint64_t values[COUNT];

static steadiness_t look(void)
{
    quantile_set_t set;
    steadiness_t s;
    assert_int_equal(quantile_set_make(values, COUNT, &set), 0);
    assert_int_equal(steadiness_look(&set, &s), 0);
    quantile_set_free(&set);
    return s;
}

static void a_start_that_differs_is_found_with_its_length_and_by_how_much(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t from = seed;
        latencies_make(LATENCIES_AUTOREGRESSIVE, &from, values, COUNT);
        for (size_t i = 0; i < 1250; i++) /* a thirty-second of the run */
            values[i] = values[i] * 3 + 20000;
        steadiness_t s = look();
        assert_in_range(s.warm_up_count, 625, 2500);
        assert_int_not_equal(s.warm_up.per_million, 0);
        assert_true(s.warm_up.before > 2 * s.warm_up.after);
    }
}

static void a_tail_that_is_heavier_at_the_start_is_found_by_p99(void **state)
{
    (void)state;
    uint64_t seed = 3;
    latencies_make(LATENCIES_INDEPENDENT, &seed, values, COUNT);
    for (size_t i = 0; i < 1250; i += 10)
        values[i] = 500000;
    steadiness_t s = look();
    assert_in_range(s.warm_up_count, 625, 2500);
    assert_int_equal(s.warm_up.per_million, 990000);
    assert_true(s.warm_up.before == 500000 && s.warm_up.after < 100000);
}

static void a_drift_is_found_and_where_it_led(void **state)
{
    (void)state;
    uint64_t seed = 4;
    latencies_make(LATENCIES_AUTOREGRESSIVE, &seed, values, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        values[i] += values[i] * i / COUNT;
    steadiness_t s = look();
    assert_int_equal(s.drift.per_million, 500000);
    assert_true(s.drift.after > 1.3 * s.drift.before);
}

static void a_tail_that_grows_under_a_median_that_stays_is_a_drift(void **state)
{
    (void)state;
    uint64_t seed = 5;
    latencies_make(LATENCIES_INDEPENDENT, &seed, values, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        if (latencies_uniform(&seed) < 0.04 * (double)i / COUNT)
            values[i] = 300000;
    assert_int_equal(look().drift.per_million, 990000);
}

static void a_run_that_stays_the_same_is_hardly_ever_accused(void **state)
{
    (void)state;
    unsigned accused = 0;
    for (int kind = 0; kind < LATENCIES_KINDS; kind++)
        for (uint64_t seed = 1; seed <= 100; seed++) {
            uint64_t from = seed;
            latencies_make((enum latencies_kind)kind, &from, values, COUNT);
            steadiness_t s = look();
            accused += s.warm_up.per_million || s.drift.per_million;
        }
    print_message("%u of 400 accused\n", accused);
    assert_true(accused <= 8);
}

static void a_few_values_are_not_judged(void **state)
{
    (void)state;
    const uint64_t few[3] = {9, 1, 1};
    quantile_set_t set;
    steadiness_t s = {.warm_up_count = 7};
    assert_int_equal(quantile_set_make(few, 3, &set), 0);
    assert_int_equal(steadiness_look(&set, &s), 0);
    assert_int_equal(s.warm_up_count, 0);
    assert_int_equal(s.drift.per_million, 0);
    quantile_set_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_that_differs_is_found_with_its_length_and_by_how_much),
        cmocka_unit_test(a_tail_that_is_heavier_at_the_start_is_found_by_p99),
        cmocka_unit_test(a_drift_is_found_and_where_it_led),
        cmocka_unit_test(a_tail_that_grows_under_a_median_that_stays_is_a_drift),
        cmocka_unit_test(a_run_that_stays_the_same_is_hardly_ever_accused),
        cmocka_unit_test(a_few_values_are_not_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
