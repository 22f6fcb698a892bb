/* SPDX-License-Identifier: Apache-2.0 */
/* TICKBUS_DRAWS=1000: as many draws of each kind, with 93 % to 97 % of the intervals holding the
 * truth; 20 seconds. TICKBUS_VALUES=10000000: as many values sorted and ranked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/latencies.h"
#include "tools/measure/quantile.h"
#include "tools/measure/student.h"

static size_t asked_for(const char *variable, size_t normally)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 10) : normally;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void percentiles_are_those_of_exactly_sorted_values(void **state)
{
    (void)state;
    static const uint32_t asked[] = {1,      100000, 500000, 900000, 990000,
                                     999000, 999900, 999990, 999999, 1000000};
    size_t count = asked_for("TICKBUS_VALUES", 100003);
    uint64_t seed = 20, *values = test_malloc(count * sizeof *values);
    for (size_t i = 0; i < count; i++) /* 1 ns to 10 s */
        values[i] = (uint64_t)pow(10, 10 * latencies_uniform(&seed));
    quantile_set_t set;
    assert_int_equal(quantile_set_make(values, count, &set), 0);
    uint64_t *sorted = test_malloc(count * sizeof *sorted);
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_value);
    assert_memory_equal(set.sorted, sorted, count * sizeof *sorted);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        /* The nearest rank: the least of which so many, or more, are no greater. */
        size_t rank = (count * asked[i] + 999999) / 1000000;
        assert_int_equal(quantile_rank(&set, asked[i]), sorted[rank - 1]);
    }
    quantile_set_free(&set);
    test_free(sorted);
    test_free(values);
}

static void sets_of_none_and_of_one_value_are_sets(void **state)
{
    (void)state;
    const uint64_t one = UINT64_MAX;
    quantile_set_t set;
    assert_int_equal(quantile_set_make(NULL, 0, &set), 0);
    assert_int_equal(quantile_rank(&set, 500000), 0);
    assert_int_equal(quantile_of(&set, 500000, 0.95).state, QUANTILE_WITHHELD);
    quantile_set_free(&set);
    assert_int_equal(quantile_set_make(&one, 1, &set), 0);
    assert_true(quantile_rank(&set, 500000) == UINT64_MAX);
    quantile_set_free(&set);
    quantile_set_free(&set);
}

static void a_percentile_with_fewer_than_ten_values_beyond_it_is_withheld(void **state)
{
    (void)state;
    uint64_t values[1000], seed = 5;
    latencies_make(LATENCIES_INDEPENDENT, &seed, values, 1000);
    quantile_set_t set;
    assert_int_equal(quantile_set_make(values, 999, &set), 0);
    quantile_t q = quantile_of(&set, 990000, 0.95);
    assert_int_equal(q.state, QUANTILE_WITHHELD);
    assert_int_equal(q.missing, 1);
    assert_true(isnan(q.value) && isnan(q.low) && isnan(q.high));
    assert_int_equal(quantile_of(&set, 999990, 0.95).missing, 1000000 - 999);
    quantile_set_free(&set);
    assert_int_equal(quantile_set_make(values, 1000, &set), 0);
    q = quantile_of(&set, 990000, 0.95);
    assert_int_not_equal(q.state, QUANTILE_WITHHELD);
    assert_true(q.value == (double)set.sorted[989]);
    quantile_set_free(&set);
}

static void of_one_cluster_the_value_is_told_and_no_interval(void **state)
{
    (void)state;
    static uint64_t values[100000];
    uint64_t seed = 6;
    latencies_make(LATENCIES_INDEPENDENT, &seed, values, 100000);
    for (size_t i = 0; i < 1500; i++) /* one stall holds all that lie beyond p99 */
        values[60000 + i] = 1000000 + 1000 * (1500 - i);
    quantile_set_t set;
    assert_int_equal(quantile_set_make(values, 100000, &set), 0);
    quantile_t q = quantile_of(&set, 990000, 0.95);
    assert_int_equal(q.state, QUANTILE_NO_INTERVAL);
    assert_true(q.value > 1000000 && isnan(q.low) && isnan(q.high));
    assert_true(q.effective < 500);
    assert_int_equal(quantile_of(&set, 500000, 0.95).state, QUANTILE_KNOWN);
    quantile_set_free(&set);
}

static void of_a_drift_no_interval_is_told(void **state)
{
    (void)state;
    static uint64_t values[50000];
    uint64_t seed = 7;
    latencies_make(LATENCIES_INDEPENDENT, &seed, values, 50000);
    for (size_t i = 0; i < 50000; i++)
        values[i] += i;
    quantile_set_t set;
    assert_int_equal(quantile_set_make(values, 50000, &set), 0);
    assert_int_equal(quantile_of(&set, 500000, 0.95).state, QUANTILE_NO_INTERVAL);
    quantile_set_free(&set);
}

static void values_that_are_all_the_same_are_known_exactly(void **state)
{
    (void)state;
    uint64_t values[5000];
    for (size_t i = 0; i < 5000; i++)
        values[i] = 40;
    quantile_set_t set;
    assert_int_equal(quantile_set_make(values, 5000, &set), 0);
    quantile_t q = quantile_of(&set, 990000, 0.95);
    assert_int_equal(q.state, QUANTILE_KNOWN);
    assert_true(q.value == 40 && q.low == 40 && q.high == 40);
    quantile_set_free(&set);
}

static void independent_values_have_the_interval_of_the_binomial(void **state)
{
    (void)state;
    static uint64_t values[10000];
    for (size_t i = 0; i < 10000; i++) /* each once, spread evenly enough over the blocks */
        values[i] = (i * 7919 + 13) % 10000;
    quantile_set_t set;
    assert_int_equal(quantile_set_make(values, 10000, &set), 0);
    quantile_t q = quantile_of(&set, 500000, 0.95);
    /* Ranks 4902 and 5099 for 10,000 independent ones (5000 -+ 1.96 * 50). Here blocks differ
     * less than by chance, down to which counts no more than half. */
    assert_true(q.low > 4900 && q.low < 4935);
    assert_true(q.high > 5065 && q.high < 5100);
    assert_true(q.effective == 10000);
    quantile_set_free(&set);
}

static void students_distribution_is_that_of_the_tables(void **state)
{
    (void)state;
    assert_true(fabs(student_reach(0.95, INFINITY) - 1.95996) < 1e-4);
    assert_true(fabs(student_reach(0.95, 31) - 2.03951) < 1e-4);
    assert_true(fabs(student_reach(0.99, 10) - 3.16927) < 1e-3);
    assert_true(fabs(student_reach(0.999, 31) - 3.63346) < 1e-3);
    assert_true(fabs(student_reach(0.99, 5) - 4.03214) < 0.03);
}

/* ---- how often an interval holds the truth */

typedef struct cell {
    enum latencies_kind kind;
    size_t count; /* of values in a draw: enough for some tens of clusters beyond the percentile */
    uint32_t per_million;
} cell_t;

static const cell_t cells[] = {
    {LATENCIES_INDEPENDENT, 20000, 500000},    {LATENCIES_INDEPENDENT, 20000, 990000},
    {LATENCIES_INDEPENDENT, 20000, 999000},    {LATENCIES_AUTOREGRESSIVE, 20000, 500000},
    {LATENCIES_AUTOREGRESSIVE, 20000, 900000}, {LATENCIES_AUTOREGRESSIVE, 80000, 990000},
    {LATENCIES_HELD, 20000, 500000},           {LATENCIES_HELD, 20000, 900000},
    {LATENCIES_STALLS, 80000, 500000},         {LATENCIES_STALLS, 80000, 900000},
    {LATENCIES_STALLS, 80000, 990000},
};
#define CELLS (sizeof cells / sizeof *cells)

static double share_that_hold(const cell_t *cell, uint64_t seed, size_t draws)
{
    double truth = latencies_percentile(cell->kind, cell->per_million);
    uint64_t *values = test_malloc(cell->count * sizeof *values);
    size_t hold = 0, told = 0;
    for (size_t i = 0; i < draws; i++) {
        quantile_set_t set;
        latencies_make(cell->kind, &seed, values, cell->count);
        assert_int_equal(quantile_set_make(values, cell->count, &set), 0);
        quantile_t q = quantile_of(&set, cell->per_million, 0.95);
        told += q.state == QUANTILE_KNOWN;
        hold += q.state == QUANTILE_KNOWN && q.low <= truth && truth <= q.high;
        quantile_set_free(&set);
    }
    test_free(values);
    assert_true((double)told > 0.98 * (double)draws); /* withholding is no way out */
    return (double)hold / (double)told;
}

static void intervals_hold_the_truth_as_often_as_they_say(void **state)
{
    (void)state;
    size_t draws = asked_for("TICKBUS_DRAWS", 60);
    /* Three standard deviations of a few draws; what the issue asks for of a thousand. */
    double slack = draws < 1000 ? 3 * sqrt(0.95 * 0.05 / (double)draws) : 0.02;
    for (size_t i = 0; i < CELLS; i++) {
        double share = share_that_hold(&cells[i], i + 1, draws);
        print_message("%s, %zu values, p%g: %.3f of %zu\n", latencies_names[cells[i].kind],
                      cells[i].count, cells[i].per_million / 1e4, share, draws);
        assert_true(share >= 0.95 - slack && share <= fmin(1, 0.95 + slack));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_those_of_exactly_sorted_values),
        cmocka_unit_test(sets_of_none_and_of_one_value_are_sets),
        cmocka_unit_test(a_percentile_with_fewer_than_ten_values_beyond_it_is_withheld),
        cmocka_unit_test(of_one_cluster_the_value_is_told_and_no_interval),
        cmocka_unit_test(of_a_drift_no_interval_is_told),
        cmocka_unit_test(values_that_are_all_the_same_are_known_exactly),
        cmocka_unit_test(independent_values_have_the_interval_of_the_binomial),
        cmocka_unit_test(students_distribution_is_that_of_the_tables),
        cmocka_unit_test(intervals_hold_the_truth_as_often_as_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
