/* SPDX-License-Identifier: Apache-2.0 */
/* What busctl latency does next when it makes many runs, and what it is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "tools/latency/ladder.h"
#include "tools/latency/options.h"
#include "tools/latency/until.h"
#include "tools/show/outcome.h"

/* Climb before a pipeline that keeps every rate up to `knee`. Returns the number of rungs. */
static unsigned climb(double first, double knee, ladder_search_t *s)
{
    double rate;
    *s = (ladder_search_t){.first = first};
    while ((rate = ladder_next(s)) > 0) {
        ladder_found(s, rate, rate <= knee);
        assert_true(s->rungs < 100);
    }
    return s->rungs;
}

static void the_knee_is_found_within_a_tenth_from_below_and_from_above(void **state)
{
    (void)state;
    for (double knee = 1000; knee < 3e7; knee *= 1.37)
        for (double first = knee / 50; first < knee * 60; first *= 3.1) {
            ladder_search_t s;
            unsigned rungs = climb(first, knee, &s);
            assert_true(s.kept <= knee && s.not_kept > knee);
            assert_true(s.not_kept <= 1.1 * s.kept);
            assert_true(rungs <= 16);
        }
}

static void a_ladder_ends_where_no_rate_is_kept_and_where_all_are(void **state)
{
    (void)state;
    ladder_search_t s;
    assert_int_equal(climb(64000, 10, &s), 7);
    assert_true(s.kept == 0 && s.not_kept == 1000);
    climb(64000, INFINITY, &s);
    assert_true(s.kept > 2.5e7 && s.kept <= 5e7 && s.not_kept == 0);
}

static void the_next_run_is_as_long_as_its_interval_needs(void **state)
{
    (void)state;
    /* Known to 20 %: for 5 % sixteen times as many values, and a fifth to spare. */
    double next = until_next_s(10, 0.2, 0.05);
    assert_true(next > 160 && next < 200);
    assert_true(until_next_s(10, 0.0501, 0.05) >= 12);
    assert_true(until_next_s(10, NAN, 0.05) == 20);
}

static int take(latency_options_t *o, int *out_left, char **words)
{
    int argc = 0;
    while (words[argc])
        argc++;
    int code = latency_options_take(&argc, words, o);
    *out_left = argc;
    return code;
}
#define TAKE(o, left, ...) take(o, left, (char *[]){"latency", __VA_ARGS__, NULL})

static void what_is_asked_is_taken_out_of_the_command_line(void **state)
{
    (void)state;
    latency_options_t o;
    int left;
    assert_int_equal(
        TAKE(&o, &left, "--rate", "5k", "--until-ci=2.5%", "--max", "3s", "--out", "D"),
        OUTCOME_OK);
    assert_int_equal(left, 3);
    assert_int_equal(o.mode, LATENCY_UNTIL);
    assert_true(o.until_share == 0.025 && o.max_ns == 3000000000u);
    assert_string_equal(o.output.directory, "D");
    assert_int_equal(TAKE(&o, &left, "--ab", "", "--wait park", "--json", "--rounds", "9"),
                     OUTCOME_OK);
    assert_int_equal(o.mode, LATENCY_TURNS);
    assert_int_equal(o.rounds, 9);
    assert_string_equal(o.b, "--wait park");
    assert_true(o.output.json);
    assert_int_equal(left, 2);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    latency_options_t o;
    int left;
    assert_int_equal(TAKE(&o, &left, "--ladder", "--ab", "A", "B"), OUTCOME_USAGE);
    assert_int_equal(TAKE(&o, &left, "--ab", "A"), OUTCOME_USAGE);
    assert_int_equal(TAKE(&o, &left, "--until-ci", "lots"), OUTCOME_USAGE);
    assert_int_equal(TAKE(&o, &left, "--until-ci", "0%"), OUTCOME_USAGE);
    assert_int_equal(TAKE(&o, &left, "--rounds", "100"), OUTCOME_USAGE);
    assert_int_equal(TAKE(&o, &left, "--rounds", "0"), OUTCOME_USAGE);
    assert_int_equal(TAKE(&o, &left, "--max", "now"), OUTCOME_USAGE);
    assert_int_equal(TAKE(&o, &left, "--out"), OUTCOME_USAGE);
    assert_int_equal(TAKE(&o, &left, "--ladder", "--strict"), OUTCOME_USAGE);
    assert_int_equal(TAKE(&o, &left, "--compare", "A", "B", "--rate", "5"), OUTCOME_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_knee_is_found_within_a_tenth_from_below_and_from_above),
        cmocka_unit_test(a_ladder_ends_where_no_rate_is_kept_and_where_all_are),
        cmocka_unit_test(the_next_run_is_as_long_as_its_interval_needs),
        cmocka_unit_test(what_is_asked_is_taken_out_of_the_command_line),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
