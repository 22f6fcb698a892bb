/* SPDX-License-Identifier: Apache-2.0 */
/* `busctl why` on sessions that were run with limits which reject. */
#include "tests/e2e/session_scratch.h"

#include <string.h>

#include <jansson.h>

#include <tickbus/msg/order.h>

static void record(fixture_t *f, const char *clock)
{
    const char *const argv[] = {TICKBUS_BUSCTL,
                                "start",
                                "--feed",
                                "synth:seed=9,symbols=8,messages=20000",
                                "--pace",
                                "max",
                                "--set",
                                clock,
                                "--set",
                                "risk.orders_per_second=40",
                                "--set",
                                "risk.open_orders_max=6",
                                "--set",
                                "risk.position_max=300",
                                "--journal",
                                f->journal,
                                NULL};
    if (busctl(f, argv) != 0)
        fail_msg("%s", f->run.err);
}

static int why(fixture_t *f, const char *id, const char *format)
{
    const char *const argv[] = {TICKBUS_BUSCTL, "why", id, f->journal, format, NULL};
    return busctl(f, argv);
}

static json_t *why_json(fixture_t *f, const char *id)
{
    if (why(f, id, "--json") != 0)
        fail_msg("%s", f->run.err);
    json_t *object = json_loads(f->run.out, 0, NULL);
    assert_non_null(object);
    return object;
}

/* The last order that was judged, how many were, and the first that was rejected. */
typedef struct judged {
    uint64_t count;
    char last[24];
    char rejected[24];
} judged_t;

static judged_t judged_of(fixture_t *f)
{
    const char *const argv[] = {TICKBUS_BUSCTL, "journal",  "export", f->journal, "--topic",
                                "judged",       "--format", "jsonl",  NULL};
    judged_t judged = {0};
    uint64_t count = 0;
    assert_int_equal(busctl(f, argv), 0);
    char *rest = f->run.out;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line;) {
        json_t *o = json_loads(line, 0, NULL);
        const char *reason = json_string_value(json_object_get(o, "reason"));
        long long id = json_integer_value(json_object_get(o, "order_id"));
        count++;
        if (strcmp(json_string_value(json_object_get(o, "kind")), "new") == 0) {
            judged.count = count;
            snprintf(judged.last, sizeof judged.last, "%lld", id);
            if (reason && !*judged.rejected)
                snprintf(judged.rejected, sizeof judged.rejected, "%lld", id);
        }
        json_decref(o);
    }
    return judged;
}

static const char *text_at(const json_t *object, const char *part, const char *key)
{
    return json_string_value(json_object_get(json_object_get(object, part), key));
}

/* The first check that failed is the reason that was recorded, and those before it passed. */
static void check_reason(const json_t *life)
{
    size_t i;
    const json_t *check;
    const char *reason = NULL;
    json_array_foreach(json_object_get(life, "checks"), i, check)
    {
        if (json_is_false(json_object_get(check, "passed")) && !reason)
            reason = json_string_value(json_object_get(check, "name"));
        assert_non_null(json_object_get(check, "value"));
        assert_non_null(json_object_get(check, "limit"));
    }
    assert_true(i > 10);
    assert_non_null(reason);
    assert_string_equal(reason, text_at(life, "judged", "reason"));
}

static void check_session(fixture_t *f)
{
    judged_t judged = judged_of(f);
    assert_true(*judged.last && *judged.rejected);
    json_t *life = why_json(f, judged.last);
    const json_t *again = json_object_get(life, "recomputed");
    assert_int_equal(json_integer_value(json_object_get(again, "orders")), judged.count);
    assert_int_equal(json_integer_value(json_object_get(again, "differ")), 0);
    json_decref(life);
    life = why_json(f, judged.rejected);
    check_reason(life);
    assert_int_equal(json_array_size(json_object_get(life, "reports")), 1);
    const json_t *order = json_object_get(life, "order"), *tick = json_object_get(life, "tick");
    assert_int_equal(json_integer_value(json_object_get(order, "md_seq")),
                     json_integer_value(json_object_get(tick, "seq")));
    assert_true(json_is_object(json_object_get(life, "touch")));
    const json_t *hops = json_object_get(life, "hops_ns");
    assert_true(json_integer_value(json_object_get(hops, "sent")) > 0);
    assert_true(json_integer_value(json_object_get(hops, "reported")) >=
                json_integer_value(json_object_get(hops, "sent")));
    json_decref(life);
}

static void every_verdict_comes_out_as_recorded_by_the_clock_of_the_market(void **state)
{
    fixture_t *f = *state;
    record(f, "venue.clock=market");
    check_session(f);
}

static void every_verdict_comes_out_as_recorded_by_the_clock_of_the_host(void **state)
{
    fixture_t *f = *state;
    record(f, "venue.clock=host");
    check_session(f);
}

static void every_form_of_an_id_is_taken_and_an_unknown_one_tells_which_there_are(void **state)
{
    fixture_t *f = *state;
    record(f, "venue.clock=market");
    judged_t judged = judged_of(f);
    uint64_t id = strtoull(judged.last, NULL, 10);
    char hex[32], parts[32];
    snprintf(hex, sizeof hex, "0x%llx", (unsigned long long)id);
    snprintf(parts, sizeof parts, "%llu/%llu", (unsigned long long)(id >> 48),
             (unsigned long long)(id & TICK_NS_MASK));
    json_t *life = why_json(f, judged.last), *by_hex = why_json(f, hex),
           *by_parts = why_json(f, parts);
    assert_true(json_equal(life, by_hex));
    assert_true(json_equal(life, by_parts));
    json_decref(life);
    json_decref(by_hex);
    json_decref(by_parts);
    assert_int_equal(why(f, parts, NULL), 0);
    assert_non_null(strstr(f->run.out, "max_order_qty"));
    assert_int_equal(why(f, "9/9", NULL), 1);
    assert_non_null(strstr(f->run.err, "has no order 9/9; it has:\n  of strategy 1: 1/1 to 1/"));
    assert_string_equal(f->run.out, "");
    assert_int_equal(why(f, "quote", NULL), 2);
    assert_int_equal(why(f, "1/", NULL), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_verdict_comes_out_as_recorded_by_the_clock_of_the_market),
        TEST(every_verdict_comes_out_as_recorded_by_the_clock_of_the_host),
        TEST(every_form_of_an_id_is_taken_and_an_unknown_one_tells_which_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
