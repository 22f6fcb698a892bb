/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tests/unit/made_up_run.h"
#include "tools/latency/hops.h"

static const json_t *hop_of(const json_t *hops, const char *name)
{
    size_t i;
    const json_t *hop;
    json_array_foreach(hops, i, hop)
    {
        if (strcmp(json_string_value(json_object_get(hop, "name")), name) == 0)
            return hop;
    }
    fail_msg("no hop %s", name);
    return NULL;
}

static void what_the_samples_do_not_carry_is_null_and_says_what_it_needs(void **state)
{
    (void)state;
    samples_t s = made_up_run(2000, LATENCIES_INDEPENDENT, 3, 0);
    json_t *hops = hops_report(&s, 0.02); /* 2000 at 100,000 a second */
    const json_t *hop = hop_of(hops, "seen"), *ci = json_object_get(hop, "ci95");
    assert_int_equal(json_integer_value(json_object_get(hop, "count")), 2000);
    assert_true(json_is_integer(json_object_get(hop, "p99")));
    assert_true(json_is_array(json_object_get(ci, "p50")));
    assert_true(json_is_null(json_object_get(hop, "p99_9")));
    assert_true(json_is_null(json_object_get(ci, "p99_9")));
    const json_t *needs = json_object_get(hop, "needs_s");
    assert_null(json_object_get(needs, "p99"));
    /* 10,000 values carry p99.9, 8000 are missing, 0.08 s; told in tenths, rounded up */
    double needs_s = json_number_value(json_object_get(needs, "p99_9"));
    assert_true(needs_s > 0.09 && needs_s < 0.11);
    assert_true(json_number_value(json_object_get(needs, "p99_999")) > 9.9);
    json_decref(hops);
    samples_clear(&s);
}

static void an_interval_holds_its_percentile(void **state)
{
    (void)state;
    samples_t s = made_up_run(20000, LATENCIES_AUTOREGRESSIVE, 4, 0);
    json_t *hops = hops_report(&s, 0.2);
    size_t i;
    const json_t *hop;
    json_array_foreach(hops, i, hop)
    {
        const json_t *interval = json_object_get(json_object_get(hop, "ci95"), "p90");
        json_int_t p90 = json_integer_value(json_object_get(hop, "p90"));
        assert_true(json_integer_value(json_array_get(interval, 0)) <= p90);
        assert_true(json_integer_value(json_array_get(interval, 1)) >= p90);
    }
    json_decref(hops);
    samples_clear(&s);
}

static void a_run_without_a_message_has_hops_of_nothing(void **state)
{
    (void)state;
    samples_t s;
    assert_true(samples_create(0, &s));
    json_t *hops = hops_report(&s, 0);
    const json_t *hop = hop_of(hops, "publish");
    assert_true(json_is_null(json_object_get(hop, "p50")));
    assert_true(json_is_null(json_object_get(hop, "max")));
    assert_true(json_is_null(json_object_get(hop, "mean")));
    assert_int_equal(json_object_size(json_object_get(hop, "needs_s")), 0);
    json_t *steadiness = hops_steadiness(&s);
    assert_true(json_is_null(json_object_get(steadiness, "warm_up")));
    json_decref(steadiness);
    json_decref(hops);
    samples_clear(&s);
}

static void a_warm_up_and_a_drift_are_told_in_words(void **state)
{
    (void)state;
    samples_t s = made_up_run(40000, LATENCIES_INDEPENDENT, 5, 0);
    uint64_t *ns = s.hops[HOP_TICK_TO_REPORT].ns;
    for (size_t i = 0; i < 40000; i++)
        ns[i] = i < 1250 ? 900000 + ns[i] : ns[i] + ns[i] * i / 40000;
    json_t *steadiness = hops_steadiness(&s);
    char *warm_up = hops_warm_up_text(steadiness), *drift = hops_drift_text(steadiness);
    assert_non_null(warm_up);
    assert_non_null(strstr(warm_up, "tick_to_report"));
    assert_non_null(drift);
    double seconds =
        json_number_value(json_object_get(json_object_get(steadiness, "warm_up"), "seconds"));
    assert_true(seconds > 0.006 && seconds < 0.03); /* 1250 of 100,000 a second are 12.5 ms */
    free(warm_up);
    free(drift);
    json_decref(steadiness);
    samples_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_samples_do_not_carry_is_null_and_says_what_it_needs),
        cmocka_unit_test(an_interval_holds_its_percentile),
        cmocka_unit_test(a_run_without_a_message_has_hops_of_nothing),
        cmocka_unit_test(a_warm_up_and_a_drift_are_told_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
