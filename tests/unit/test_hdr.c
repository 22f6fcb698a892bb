/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "tools/latency/hdr.h"

#define VALUES_SUITE 200000u
#define SEED         UINT64_C(20261129)

/* Static: too large for a stack. */
static hdr_t first, second, both;

/* xorshift64*, Vigna 2016 */
static uint64_t draw(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* 1 ns to 10 s, as many in each power of ten. */
static uint64_t draw_ns(uint64_t *state)
{
    double share = (double)(draw(state) >> 11) / 9007199254740992.0;
    return (uint64_t)pow(10, share * 10);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Ten million by TICKBUS_HDR_VALUES=10000000. */
static size_t values_count(void)
{
    const char *text = getenv("TICKBUS_HDR_VALUES");
    return text ? strtoul(text, NULL, 10) : VALUES_SUITE;
}

static void percentiles_are_those_of_the_sorted_values_to_three_digits(void **state)
{
    static const double shares[] = {0, 0.001, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};
    size_t count = values_count();
    uint64_t seed = SEED, *values = calloc(count, sizeof *values);
    (void)state;
    assert_non_null(values);
    hdr_clear(&first);
    for (size_t i = 0; i < count; i++)
        hdr_record(&first, values[i] = draw_ns(&seed));
    qsort(values, count, sizeof *values, by_value);
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        size_t rank = (size_t)ceil(shares[i] * (double)count * (1 - 1e-15));
        uint64_t exact = values[rank ? rank - 1 : 0];
        uint64_t told = hdr_percentile_ns(&first, shares[i]);
        assert_true(told >= exact);
        assert_true((double)(told - exact) <= (double)exact * 1e-3);
    }
    assert_int_equal(first.max_ns, values[count - 1]);
    assert_int_equal(first.min_ns, values[0]);
    free(values);
}

static void every_value_lies_between_the_bounds_of_its_count(void **state)
{
    uint64_t seed = SEED;
    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t ns = draw_ns(&seed);
        assert_in_range(ns, hdr_low_ns(hdr_index(ns)), hdr_high_ns(hdr_index(ns)));
    }
    assert_int_equal(hdr_index(0), 0);
    assert_true(hdr_index(HDR_HIGHEST_NS) < HDR_COUNTS);
}

static void counts_touch_each_other(void **state)
{
    (void)state;
    for (uint32_t i = 0; i + 1 < HDR_COUNTS; i++) {
        assert_int_equal(hdr_high_ns(i) + 1, hdr_low_ns(i + 1));
        assert_int_equal(hdr_index(hdr_low_ns(i)), i);
    }
}

static void merged_ones_are_as_if_all_had_been_recorded_in_one(void **state)
{
    uint64_t seed = SEED;
    (void)state;
    hdr_clear(&first);
    hdr_clear(&second);
    hdr_clear(&both);
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t ns = draw_ns(&seed);
        hdr_record(i % 3 ? &first : &second, ns);
        hdr_record(&both, ns);
    }
    hdr_add(&first, &second);
    assert_memory_equal(&first, &both, sizeof both);
}

static void what_is_longer_than_an_hour_keeps_its_maximum(void **state)
{
    (void)state;
    hdr_clear(&first);
    hdr_record(&first, 5);
    hdr_record(&first, UINT64_MAX);
    assert_int_equal(first.count, 2);
    assert_int_equal(first.max_ns, UINT64_MAX);
    assert_true(hdr_percentile_ns(&first, 1) >= HDR_HIGHEST_NS);
}

static void an_empty_one_has_no_percentiles(void **state)
{
    (void)state;
    hdr_clear(&first);
    assert_int_equal(hdr_percentile_ns(&first, 0.5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_those_of_the_sorted_values_to_three_digits),
        cmocka_unit_test(every_value_lies_between_the_bounds_of_its_count),
        cmocka_unit_test(counts_touch_each_other),
        cmocka_unit_test(merged_ones_are_as_if_all_had_been_recorded_in_one),
        cmocka_unit_test(what_is_longer_than_an_hour_keeps_its_maximum),
        cmocka_unit_test(an_empty_one_has_no_percentiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
