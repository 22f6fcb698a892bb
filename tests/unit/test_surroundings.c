/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/latency/surroundings.h"

static void what_the_summary_knows_of_the_run_is_told_with_the_host(void **state)
{
    (void)state;
    json_t *report = json_loads(
        "{\"host\":{\"cpus\":2},\"summary\":{\"layout\":\"fused\",\"pages\":{\"md\":\"4K\"},"
        "\"machine\":{\"busy\":true},\"processes\":[{\"stages\":[\"strategy\",\"risk\"],\"cpu\":1,"
        "\"wait\":\"spin\"},{\"stages\":[\"feed\"],\"cpu\":null,\"wait\":\"park\"}]}}",
        0, NULL);
    surroundings_add(report);
    const json_t *host = json_object_get(report, "host"),
                 *processes = json_object_get(host, "processes"),
                 *pinned = json_object_get(processes, "strategy+risk");
    assert_int_equal(json_integer_value(json_object_get(host, "cpus")), 2);
    assert_string_equal(json_string_value(json_object_get(host, "layout")), "fused");
    assert_int_equal(json_integer_value(json_object_get(pinned, "cpu")), 1);
    assert_string_equal(json_string_value(json_object_get(pinned, "wait")), "spin");
    assert_true(json_is_null(json_object_get(json_object_get(processes, "feed"), "cpu")));
    assert_true(json_is_true(json_object_get(json_object_get(host, "noise"), "busy")));
    const json_t *governor = json_object_get(host, "governor");
    assert_true(json_is_null(governor) || json_is_string(governor)); /* as the host has it */
    json_decref(report);
}

static void a_report_without_a_summary_is_left_alone(void **state)
{
    (void)state;
    json_t *report = json_loads("{\"host\":{}}", 0, NULL);
    surroundings_add(report);
    assert_int_equal(json_object_size(json_object_get(report, "host")), 0);
    json_decref(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_summary_knows_of_the_run_is_told_with_the_host),
        cmocka_unit_test(a_report_without_a_summary_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
