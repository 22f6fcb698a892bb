/* SPDX-License-Identifier: Apache-2.0 */
/* The floor of a run is measured on its schedule before and after it, and ratios are to that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/latency/floor_slices.h"
#include "tools/show/outcome.h"

#define MS    UINT64_C(1000000)
#define SLICE (20 * MS)

static run_spec_t spec; /* large */

static void parse(const char *rate, const char *pace)
{
    static char words[8][64];
    const char *const text[] = {"latency", "--for", "100ms", "--rate", rate, NULL};
    const char *const max[] = {"latency", "--set", pace, NULL};
    char *argv[8] = {0};
    int argc = 0;
    for (const char *const *word = pace ? max : text; word[argc]; argc++) {
        snprintf(words[argc], sizeof words[argc], "%s", word[argc]);
        argv[argc] = words[argc];
    }
    assert_int_equal(run_spec_parse(argc, argv, &spec), OUTCOME_OK);
}

static json_int_t count_of(const json_t *floor, const char *what)
{
    return json_integer_value(json_object_get(json_object_get(floor, what), "count"));
}

static const char *when(const json_t *floor, size_t slice)
{
    return json_string_value(
        json_object_get(json_array_get(json_object_get(floor, "slices"), slice), "when"));
}

static void slices_before_and_after_are_of_the_runs_schedule_and_add_up(void **state)
{
    (void)state;
    enum { ROWS = 2001 };
    uint64_t intended_ns[ROWS];
    samples_t samples = {.rows = ROWS, .intended_ns = intended_ns};
    tbus_error_t err = {0};
    for (uint64_t i = 0; i < ROWS; i++)
        intended_ns[i] = i * 50000;
    parse("20k", NULL);
    floor_slices_t *f = floor_slices_create();
    assert_non_null(f);
    assert_true(floor_slices_empty(f));
    json_t *floor = floor_slices_json(f);
    assert_true(json_is_null(floor));
    json_decref(floor);
    assert_int_equal(floor_slices_before(f, &spec, SLICE, &err), 0);
    assert_false(floor_slices_empty(f));
    assert_int_equal(floor_slices_again(f, &spec, &samples, SLICE, "after", &err), 0);
    floor = floor_slices_json(f);
    /* 20,000 a second, those of 20 ms twice */
    assert_int_equal(count_of(floor, "paced_line"), 2 * 400);
    assert_int_equal(count_of(floor, "hiccup"), 2 * 400);
    assert_int_equal(json_array_size(json_object_get(floor, "slices")), 2);
    assert_string_equal(when(floor, 0), "before");
    assert_string_equal(when(floor, 1), "after");
    json_decref(floor);
    floor_slices_destroy(f);
}

static void a_schedule_that_is_not_known_before_is_measured_after_alone(void **state)
{
    (void)state;
    tbus_error_t err = {0};
    parse(NULL, "feed.pace=max");
    floor_slices_t *f = floor_slices_create();
    assert_int_equal(floor_slices_before(f, &spec, SLICE, &err), 0);
    assert_true(floor_slices_empty(f));
    floor_slices_destroy(f);
    floor_slices_destroy(NULL);
}

static void after_an_error_nothing_more_is_measured_and_the_run_has_a_note(void **state)
{
    (void)state;
    static run_result_t result; /* large */
    uint64_t intended_ns[] = {0};
    tbus_error_t err = {.code = -EINTR, .text = "a signal came"};
    result = (run_result_t){.samples = {.rows = 1, .intended_ns = intended_ns}};
    parse("20k", NULL);
    floor_slices_t *f = floor_slices_create();
    assert_int_equal(floor_slices_before(f, &spec, SLICE, &err), -EINTR);
    assert_int_equal(floor_slices_again(f, &spec, &result.samples, SLICE, "after", &err), -EINTR);
    floor_slices_after(f, &spec, &result, SLICE, &err);
    assert_true(floor_slices_empty(f));
    assert_int_equal(result.notes_count, 1);
    assert_non_null(strstr(result.notes[0], "a signal came"));
    floor_slices_destroy(f);
}

static void assert_ratio(const json_t *ratios, const char *key, double expected)
{
    assert_true(json_real_value(json_object_get(ratios, key)) == expected);
}

static void ratios_are_over_the_paced_line_and_far_out_over_the_hiccup(void **state)
{
    (void)state;
    json_t *hop =
        json_pack("{s:i, s:i, s:i, s:i}", "p50", 600, "p99", 9000, "p99_9", 50000, "p99_99", 80000);
    json_t *floor = json_pack("{s:{s:i, s:i, s:n}, s:{s:i, s:i}}", "paced_line", "p50", 200, "p99",
                              3000, "p99_9", "hiccup", "p50", 30, "p99_99", 40000);
    json_t *ratios = floor_ratios(hop, floor);
    assert_ratio(ratios, "p50", 3);
    assert_ratio(ratios, "p99", 3);
    assert_ratio(ratios, "p99_99", 2);
    assert_true(json_is_null(json_object_get(ratios, "p99_9"))); /* withheld below */
    json_decref(ratios);
    json_decref(floor);
    json_decref(hop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_before_and_after_are_of_the_runs_schedule_and_add_up),
        cmocka_unit_test(a_schedule_that_is_not_known_before_is_measured_after_alone),
        cmocka_unit_test(after_an_error_nothing_more_is_measured_and_the_run_has_a_note),
        cmocka_unit_test(ratios_are_over_the_paced_line_and_far_out_over_the_hiccup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
