/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tools/latency/run.h"

#define MESSAGES 1001u

/* A message each 10 us, 100,000 a second; message i is seen `late_ns(i)` after it was wanted. */
static run_result_t made(uint64_t late_ns, uint64_t last_late_ns)
{
    run_result_t r = {0};
    assert_true(samples_create(MESSAGES, &r.samples));
    assert_true(samples_reserve(&r.samples, HOP_TICK_TO_SEEN, MESSAGES, false));
    r.samples.rows = r.samples.hops[HOP_TICK_TO_SEEN].count = MESSAGES;
    for (uint64_t i = 0; i < MESSAGES; i++) {
        r.samples.intended_ns[i] = i * 10000;
        r.samples.hops[HOP_TICK_TO_SEEN].ns[i] = i + 1 == MESSAGES ? last_late_ns : late_ns;
    }
    return r;
}

static void a_pipeline_that_is_slow_but_in_time_has_kept_up(void **state)
{
    run_result_t r = made(5000000, 90000); /* late in the middle, not at the end */
    (void)state;
    run_judge(&r);
    assert_true(r.kept_up);
    assert_true(r.rate_target > 99999 && r.rate_target < 100001);
    assert_true(r.rate_achieved > 99000 && r.rate_achieved < 100001);
    run_result_clear(&r);
}

/* As one whose rate is `share` of that of the schedule. */
static run_result_t made_slower(double share)
{
    run_result_t r = made(0, 0);
    for (uint64_t i = 0; i < MESSAGES; i++)
        r.samples.hops[HOP_TICK_TO_SEEN].ns[i] = (uint64_t)((double)i * 10000 * (1 / share - 1));
    return r;
}

static void one_that_falls_behind_more_than_a_hundredth_has_not(void **state)
{
    run_result_t r = made_slower(0.985);
    (void)state;
    run_judge(&r);
    assert_false(r.kept_up);
    assert_true(r.rate_achieved < 99000);
    run_result_clear(&r);
    r = made_slower(0.991);
    run_judge(&r);
    assert_true(r.kept_up);
    assert_int_equal(r.notes_count, 0);
    run_result_clear(&r);
}

/* In the last twentieth; whoever is behind since before the last tenth cannot be told from one that
 * is too slow. */
static void a_stall_at_the_end_is_no_lack_of_speed_and_is_noted(void **state)
{
    static const uint64_t from[] = {MESSAGES - 50, MESSAGES - 150};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        run_result_t r = made(500, 0);
        for (uint64_t i = from[k]; i < MESSAGES; i++)
            r.samples.hops[HOP_TICK_TO_SEEN].ns[i] = (MESSAGES + 100 - i) * 10000;
        run_judge(&r);
        assert_int_equal(r.kept_up, k == 0);
        assert_int_equal(r.notes_count, k == 0);
        run_result_clear(&r);
    }
}

static void a_run_without_messages_says_so_and_has_not_kept_up(void **state)
{
    run_result_t r = {0};
    (void)state;
    run_judge(&r);
    assert_false(r.kept_up);
    assert_int_equal(r.notes_count, 1);
    assert_non_null(strstr(r.notes[0], "no message was sent"));
    run_result_clear(&r);
    run_result_clear(&r); /* accepts one that is empty */
}

/* As recorded times may have it. */
static void one_message_or_many_at_once_have_no_rate_and_keep_up(void **state)
{
    static const uint64_t counts[] = {1, MESSAGES};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        run_result_t r = made(70000, 90000);
        memset(r.samples.intended_ns, 0, MESSAGES * sizeof *r.samples.intended_ns);
        r.samples.rows = r.samples.hops[HOP_TICK_TO_SEEN].count = counts[i];
        run_judge(&r);
        assert_true(r.kept_up);
        assert_false(r.had_a_rate);
        assert_non_null(strstr(r.notes[0], "no rate can be told"));
        run_result_clear(&r);
    }
}

static void of_few_messages_the_last_may_be_late_until_one_more_is_due(void **state)
{
    static const uint64_t late_ns[] = {9999999, 10000001};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        run_result_t r = made(0, 0);
        r.samples.rows = r.samples.hops[HOP_TICK_TO_SEEN].count = 3;
        for (uint64_t k = 0; k < 3; k++)
            r.samples.intended_ns[k] = k * 10000000;
        r.samples.hops[HOP_TICK_TO_SEEN].ns[2] = late_ns[i];
        run_judge(&r);
        assert_int_equal(r.kept_up, i == 0);
        run_result_clear(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipeline_that_is_slow_but_in_time_has_kept_up),
        cmocka_unit_test(one_that_falls_behind_more_than_a_hundredth_has_not),
        cmocka_unit_test(a_stall_at_the_end_is_no_lack_of_speed_and_is_noted),
        cmocka_unit_test(one_message_or_many_at_once_have_no_rate_and_keep_up),
        cmocka_unit_test(of_few_messages_the_last_may_be_late_until_one_more_is_due),
        cmocka_unit_test(a_run_without_messages_says_so_and_has_not_kept_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
