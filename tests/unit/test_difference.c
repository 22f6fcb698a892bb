/* SPDX-License-Identifier: Apache-2.0 */
/* TICKBUS_COMPARISONS=100: as many comparisons of each kind; half a minute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tests/support/latencies.h"
#include "tools/measure/difference.h"

static size_t comparisons(void)
{
    const char *text = getenv("TICKBUS_COMPARISONS");
    return text ? strtoull(text, NULL, 10) : 20;
}

static const uint32_t asked[] = {500000, 900000, 990000};
#define ASKED (sizeof asked / sizeof *asked)
#define COUNT 200000u

static void draw(enum latencies_kind kind, uint64_t *seed, double planted, uint64_t *values,
                 double level, quantile_t *out)
{
    quantile_set_t set;
    latencies_make(kind, seed, values, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        values[i] = (uint64_t)((double)values[i] * (1 + planted));
    assert_int_equal(quantile_set_make(values, COUNT, &set), 0);
    for (size_t p = 0; p < ASKED; p++)
        out[p] = quantile_of(&set, asked[p], level);
    quantile_set_free(&set);
}

/* How many of the comparisons find anything, at any percentile; *out_p99: at p99, that B is slower.
 */
static size_t found(enum latencies_kind kind, double planted, size_t *out_p99)
{
    uint64_t seed = 11, *values = test_malloc(COUNT * sizeof *values);
    double level = difference_family_level(0.99, ASKED);
    size_t any = 0, p99 = 0;
    for (size_t i = 0; i < comparisons(); i++) {
        quantile_t a[ASKED], b[ASKED];
        draw(kind, &seed, 0, values, level, a);
        draw(kind, &seed, planted, values, level, b);
        bool here = false;
        for (size_t p = 0; p < ASKED; p++) {
            enum difference_verdict verdict = difference_between(&a[p], &b[p], level).verdict;
            here = here || verdict != DIFFERENCE_CANNOT_TELL;
            p99 += asked[p] == 990000 && verdict == DIFFERENCE_SLOWER;
        }
        any += here;
    }
    test_free(values);
    *out_p99 = p99;
    return any;
}

static void a_thing_and_itself_cannot_be_told_apart(void **state)
{
    (void)state;
    static const enum latencies_kind kinds[] = {LATENCIES_INDEPENDENT, LATENCIES_AUTOREGRESSIVE,
                                                LATENCIES_STALLS};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t p99, any = found(kinds[i], 0, &p99);
        print_message("%s: %zu of %zu\n", latencies_names[kinds[i]], any, comparisons());
        assert_true(any <= comparisons() / 20);
    }
}

static void five_per_cent_at_p99_are_found(void **state)
{
    (void)state;
    size_t p99;
    found(LATENCIES_INDEPENDENT, 0.05, &p99);
    print_message("independent: %zu of %zu\n", p99, comparisons());
    assert_true(p99 >= comparisons() * 95 / 100);
}

static void what_is_not_known_gives_no_verdict(void **state)
{
    (void)state;
    quantile_t known = {.state = QUANTILE_KNOWN, .value = 100, .low = 90, .high = 110};
    quantile_t slow = {.state = QUANTILE_NO_INTERVAL, .value = 900, .low = NAN, .high = NAN};
    quantile_t none = {.state = QUANTILE_WITHHELD, .value = NAN, .low = NAN, .high = NAN};
    difference_t d = difference_between(&known, &slow, 0.95);
    assert_int_equal(d.verdict, DIFFERENCE_CANNOT_TELL);
    assert_true(fabs(d.share - 8) < 1e-9 && isnan(d.low) && isnan(d.detectable));
    d = difference_between(&none, &known, 0.95);
    assert_int_equal(d.verdict, DIFFERENCE_CANNOT_TELL);
    assert_true(isnan(d.share));
}

static void the_interval_of_a_difference_is_wider_than_each_of_the_two(void **state)
{
    (void)state;
    quantile_t a = {.state = QUANTILE_KNOWN, .value = 1000, .low = 970, .high = 1030};
    quantile_t b = {.state = QUANTILE_KNOWN, .value = 1100, .low = 1060, .high = 1150};
    difference_t d = difference_between(&a, &b, 0.95);
    assert_int_equal(d.verdict, DIFFERENCE_SLOWER);
    assert_true(d.low > 0.03 && d.low < 0.065 && d.high > 0.15 && d.high < 0.17);
    d = difference_between(&b, &a, 0.95);
    assert_int_equal(d.verdict, DIFFERENCE_FASTER);
    assert_true(d.low < d.share && d.share < d.high && d.high < 0);
    assert_int_equal(difference_between(&a, &a, 0.95).verdict, DIFFERENCE_CANNOT_TELL);
}

/* Rounds on a noisy host: both sides of a round are slow together, and some rounds are wild. */
static difference_t rounds(uint64_t *seed, uint32_t count, double planted)
{
    series_t a = {0}, b = {0};
    for (uint32_t i = 0; i < count; i++) {
        double host = 1000 * (1 + 3 * latencies_uniform(seed));
        double wild = latencies_uniform(seed) < 0.1 ? 5 : 1;
        bool first = latencies_uniform(seed) < 0.5;
        series_add(&a, host * (first ? wild : 1) * (1 + 0.04 * latencies_uniform(seed)));
        series_add(&b, host * (first ? 1 : wild) * (1 + 0.04 * latencies_uniform(seed)) *
                           (1 + planted));
    }
    return difference_paired(&a, &b, 0.99);
}

static void rounds_in_turns_tell_a_difference_smaller_than_the_hosts_noise(void **state)
{
    (void)state;
    uint64_t seed = 2;
    unsigned same = 0, slower = 0;
    for (int i = 0; i < 200; i++) {
        same += rounds(&seed, 32, 0).verdict != DIFFERENCE_CANNOT_TELL;
        slower += rounds(&seed, 32, 0.05).verdict == DIFFERENCE_SLOWER;
    }
    print_message("of 200: %u of the same, %u of 5 %% more\n", same, slower);
    assert_true(same <= 6);
    assert_true(slower >= 190);
}

/* What is said to be found 95 times of 100 is, in other such rounds; and half of it is not. */
static void the_shift_that_is_said_to_be_found_is_found(void **state)
{
    (void)state;
    static const uint32_t counts[] = {16, 32};
    uint64_t seed = 5;
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        unsigned whole = 0, half = 0, draws = 60;
        for (unsigned i = 0; i < draws; i++) {
            double share = rounds(&seed, counts[k], 0).detectable;
            assert_true(share > 0);
            whole += rounds(&seed, counts[k], share).verdict == DIFFERENCE_SLOWER;
            half += rounds(&seed, counts[k], share / 2).verdict == DIFFERENCE_SLOWER;
        }
        print_message("%u rounds, of %u: %u of the shift, %u of half of it\n", counts[k], draws,
                      whole, half);
        assert_true(whole >= draws * 85 / 100);
        assert_true(half <= draws * 85 / 100);
    }
}

static void signed_ranks_are_those_of_the_tables(void **state)
{
    (void)state;
    /* Wilcoxon: at 99 %, two-sided, 8 rounds are the least, at 95 % 6. */
    assert_int_equal(difference_rounds_min(0.99), 8);
    assert_int_equal(difference_rounds_min(0.95), 6);
    series_t a = {0}, b = {0};
    for (int i = 1; i <= 7; i++) {
        series_add(&a, 100);
        series_add(&b, 100 + i);
    }
    difference_t d = difference_paired(&a, &b, 0.99); /* too few, however clear */
    assert_int_equal(d.verdict, DIFFERENCE_CANNOT_TELL);
    assert_true(d.share > 0 && isnan(d.low));
    series_add(&a, 100);
    series_add(&b, 108);
    d = difference_paired(&a, &b, 0.99);
    assert_int_equal(d.verdict, DIFFERENCE_SLOWER);
    assert_true(fabs(d.low - 0.01) < 1e-9 && fabs(d.high - 0.08) < 1e-9);
    d = difference_paired(&a, &b, 0.95); /* critical value 3: the 4th least average, 102 */
    assert_true(d.low > 0.0195 && d.low < 0.0205);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thing_and_itself_cannot_be_told_apart),
        cmocka_unit_test(five_per_cent_at_p99_are_found),
        cmocka_unit_test(what_is_not_known_gives_no_verdict),
        cmocka_unit_test(the_interval_of_a_difference_is_wider_than_each_of_the_two),
        cmocka_unit_test(rounds_in_turns_tell_a_difference_smaller_than_the_hosts_noise),
        cmocka_unit_test(the_shift_that_is_said_to_be_found_is_found),
        cmocka_unit_test(signed_ranks_are_those_of_the_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
