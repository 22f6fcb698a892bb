/* SPDX-License-Identifier: Apache-2.0 */
/* What the line on the terminal says while a run goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <tickbus/histogram.h>

#include "tools/run/progress.h"

#define S UINT64_C(1000000000)

static tbus_bus_t bus;

static int make_bus(void **state)
{
    (void)state;
    return tbus_bus_create("progress", &bus, NULL) < 0 ||
           tbus_participant_add(&bus, "feed", NULL) != 1;
}

static int close_bus(void **state)
{
    (void)state;
    tbus_bus_close(&bus);
    return 0;
}

static void record(const char *name, uint64_t ns, unsigned times)
{
    tbus_histogram_t *h = tbus_bus_histogram(&bus, name);
    assert_non_null(h);
    for (unsigned i = 0; i < times; i++)
        tbus_histogram_record(h, ns);
}

static void a_measured_run_shows_its_rate_and_its_latencies_so_far(void **state)
{
    (void)state;
    char text[256] = "";
    progress_t p = {.on = true, .measured = true, .messages = 1000};
    tbus_store_relaxed_u64(tbus_counter(&bus, 1, "feed.messages", "messages"), 21000);
    progress_text(&p, &bus, 4 * S, S / 5, 10 * S, text, sizeof text);
    assert_non_null(strstr(text, "4.0 s  100,000/s"));
    assert_non_null(strstr(text, "40 %"));
    assert_null(strstr(text, "p50/p99"));
    record("tick_to_order", 1000, 98);
    record("tick_to_order", 9000000, 2);
    record("tick_to_report", 2000, 10);
    text[0] = 0;
    progress_text(&p, &bus, 4 * S, S / 5, 10 * S, text, sizeof text);
    const char *order = strstr(text, "p50/p99: order 1"), *report = strstr(text, "report 2");
    assert_non_null(order);
    assert_non_null(report);
    assert_true(strstr(order, "ms") && strstr(order, "ms") < report);
    p.measured = false;
    text[0] = 0;
    progress_text(&p, &bus, 4 * S, S / 5, 10 * S, text, sizeof text);
    assert_null(strstr(text, "p50/p99"));
    assert_non_null(strstr(text, "21,000 messages"));
}

static void it_is_cut_to_the_width_of_the_terminal(void **state)
{
    (void)state;
    char text[256] = "";
    progress_t p = {.on = true, .measured = true};
    progress_text(&p, &bus, 4 * S, S / 5, 10 * S, text, 20);
    assert_int_equal(strlen(text), 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_measured_run_shows_its_rate_and_its_latencies_so_far),
        cmocka_unit_test(it_is_cut_to_the_width_of_the_terminal),
    };
    return cmocka_run_group_tests(tests, make_bus, close_bus);
}
