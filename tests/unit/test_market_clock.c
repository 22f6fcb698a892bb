/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of the market, and latencies on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <tickbus/market/clock.h>
#include <tickbus/msg/report.h>

#include "bus/market/session.h"

#define SECOND UINT64_C(1000000000)

static market_clock_t at(market_clock_t clock, uint8_t type, uint64_t stamp_ns)
{
    tick_t tick = {.event = tick_pack(stamp_ns, 7), .type = type};
    return market_clock_at(clock, &tick, sizeof tick);
}

static const struct step {
    const char *what;
    uint64_t held_ns, stamp_ns;
    uint8_t type;
    uint64_t step_ns, held_after_ns;
    uint64_t restarts;
} steps[] = {
    {"a step ahead", 100, 350, 'A', 250, 350, 0},
    {"the same stamp", 100, 100, 'A', 1, 100, 0},
    {"a minute ahead", 0, 60 * SECOND, 'D', 60 * SECOND, 60 * SECOND, 0},
    {"more than a minute ahead", 0, 61 * SECOND, 'D', 60 * SECOND, 61 * SECOND, 0},
    {"a second back", 5 * SECOND, 4 * SECOND, 'E', 1, 5 * SECOND, 0},
    {"more than a second back", 5 * SECOND, 4 * SECOND - 1, 'E', 1, 4 * SECOND - 1, 1},
    {"midnight", 86399 * SECOND, SECOND, 'X', 2 * SECOND, SECOND, 0},
    {"midnight, a minute", 86399 * SECOND, 59 * SECOND, 'X', 60 * SECOND, 59 * SECOND, 0},
    {"more than that", 86399 * SECOND, 59 * SECOND + 1, 'X', 1, 59 * SECOND + 1, 1},
    {"midnight after 24:00", 86401 * SECOND, 3 * SECOND, 'S', 2 * SECOND, 3 * SECOND, 0},
    {"a stamp of 26 hours", 100, 93600 * SECOND, 'A', 1, 100, 0},
    {"the last stamp before that", 93599 * SECOND, 93600 * SECOND - 1, 'A', SECOND - 1,
     93600 * SECOND - 1, 0},
    {"a type that ITCH does not know", 100, 350, 'Z', 1, 100, 0},
    {"the end of the session", 100, 0, TICK_END_MARK, 1, 100, 0},
    {"a runt", 100, 350, TICK_RUNT, 1, 100, 0},
    {"a byte above ASCII", 100, 350, 0xc1, 1, 100, 0},
    {"a lower-case letter that is a type", 100, 350, 'h', 250, 350, 0},
    {"one that is not", 100, 350, 'a', 1, 100, 0},
};

static void each_step_of_the_clock_is_as_the_header_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const struct step *s = &steps[i];
        market_clock_t clock = {.now_ns = 1000, .stamp_ns = s->held_ns, .stamped = 1};
        market_clock_t then = at(clock, s->type, s->stamp_ns);
        if (then.now_ns - clock.now_ns != s->step_ns || then.stamp_ns != s->held_after_ns ||
            then.restarts != s->restarts)
            fail_msg("%s: %llu ns on, %llu held, %llu restarts", s->what,
                     (unsigned long long)(then.now_ns - clock.now_ns),
                     (unsigned long long)then.stamp_ns, (unsigned long long)then.restarts);
    }
}

static void the_clock_begins_at_one_whatever_the_first_stamp_is(void **state)
{
    (void)state;
    market_clock_t clock = at((market_clock_t){0}, 'S', 34200 * SECOND);
    assert_int_equal(clock.now_ns, 1);
    assert_int_equal(clock.stamp_ns, 34200 * SECOND);
    clock = at((market_clock_t){0}, 'Z', 5);
    assert_int_equal(clock.now_ns, 1);
    /* The first that has a stamp. */
    clock = at(clock, 'A', 34200 * SECOND);
    assert_int_equal(clock.now_ns, 2);
    assert_int_equal(clock.stamp_ns, 34200 * SECOND);
    assert_int_equal(clock.restarts, 0);
}

static void one_wild_stamp_moves_the_clock_by_a_minute_at_most(void **state)
{
    (void)state;
    market_clock_t clock = {.now_ns = 1, .stamp_ns = 34200 * SECOND, .stamped = 1}, before = clock;
    clock = at(clock, 'A', 80000 * SECOND);
    clock = at(clock, 'A', 34200 * SECOND + 5);
    clock = at(clock, 'A', 34200 * SECOND + 9);
    assert_int_equal(clock.now_ns, before.now_ns + 60 * SECOND + 1 + 4);
    assert_int_equal(clock.restarts, 1);
}

static void the_clock_never_stands_still(void **state)
{
    (void)state;
    market_clock_t clock = {0};
    uint64_t random = 12345;
    for (unsigned i = 0; i < 200000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        market_clock_t then = at(clock, (uint8_t)(random >> 56), (random >> 8) % (100000 * SECOND));
        assert_true(then.now_ns > clock.now_ns);
        assert_true(then.now_ns - clock.now_ns <= 60 * SECOND);
        clock = then;
    }
}

static void a_latency_is_one_time_or_a_range_and_never_zero(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t least_ns, most_ns; /* 0: refused */
    } latencies[] = {
        {"50us", 50000, 50000},
        {"1ns", 1, 1},
        {"5ms", 5000000, 5000000},
        {"60s", 60 * SECOND, 60 * SECOND},
        {"60000000000ns", 60 * SECOND, 60 * SECOND},
        {"uniform(1s,60s)", SECOND, 60 * SECOND},
        {"uniform(20us,80us)", 20000, 80000},
        {"uniform(20us, 80us)", 20000, 80000},
        {"uniform(1ns,1ns)", 1, 1},
        {"0us", 0, 0},
        {"uniform(0ns,5ns)", 0, 0},
        {"61s", 0, 0},
        {"60000000001ns", 0, 0},
        {"18446744074s", 0, 0}, /* 2^64 ns and a quarter of a second */
        {"18446744073709551617s", 0, 0},
        {"uniform(1ns,61s)", 0, 0},
        {"uniform(61s,62s)", 0, 0},
        {"uniform(80us,20us)", 0, 0},
        {"uniform(20us)", 0, 0},
        {"uniform(20us,80us", 0, 0},
        {"uniform(20us,80us) ", 0, 0},
        {"50", 0, 0},
        {"us", 0, 0},
        {"-5us", 0, 0},
        {"5 us", 0, 0},
        {"5us 6us", 0, 0},
        {"5us,6us", 0, 0},
        {"5us)", 0, 0},
        {"5use", 0, 0},
        {"uniform(20us 80us)", 0, 0},
        {"uniform(20us,80us,", 0, 0},
        {"uniform 20us,80us)", 0, 0},
        {"99999999999s", 0, 0},
        {"999999999999999999999s", 0, 0},
        {"", 0, 0},
    };
    for (size_t i = 0; i < sizeof latencies / sizeof *latencies; i++) {
        session_latency_t latency = {0};
        tbus_error_t err = {0};
        int code = session_latency_parse(latencies[i].text, &latency, &err);
        bool good = latencies[i].least_ns != 0;
        if ((code == 0) != good || latency.least_ns != latencies[i].least_ns ||
            latency.most_ns != latencies[i].most_ns)
            fail_msg("\"%s\": %d, %llu to %llu", latencies[i].text, code,
                     (unsigned long long)latency.least_ns, (unsigned long long)latency.most_ns);
        assert_true(good || strstr(err.text, "latency"));
    }
}

static void a_latency_out_of_its_range_is_refused_with_the_range(void **state)
{
    (void)state;
    static const char *const latencies[] = {"0s",
                                            "61s",
                                            "99999999999s",
                                            "999999999999999999999s",
                                            "uniform(0ns,5ns)",
                                            "uniform(61s,62s)"};
    for (size_t i = 0; i < sizeof latencies / sizeof *latencies; i++) {
        session_latency_t latency;
        tbus_error_t err = {0};
        assert_int_equal(session_latency_parse(latencies[i], &latency, &err), -TBUS_ECONFIG);
        assert_non_null(strstr(err.text, latencies[i]));
        assert_non_null(strstr(err.text, "is not from 1ns to 60s"));
    }
}

static session_values_t values_by_default(void)
{
    return (session_values_t){.clock = SESSION_CLOCK_MARKET,
                              .entry = "10us",
                              .cancel = "uniform(20us,30us)",
                              .response = "40us",
                              .seed = 9,
                              .reports_max = 2048};
}

static void a_session_is_made_of_its_parameters(void **state)
{
    (void)state;
    const tbus_resource_t *resource = &session_resource;
    session_values_t values = values_by_default();
    void *made = NULL;
    assert_int_equal(resource->create(&values, &made, NULL), 0);
    const venue_session_t *session = made;
    assert_true(session_is_market(session));
    assert_int_equal(session->entry.least_ns, 10000);
    assert_int_equal(session->entry.most_ns, 10000);
    assert_int_equal(session->cancel.least_ns, 20000);
    assert_int_equal(session->cancel.most_ns, 30000);
    assert_int_equal(session->response.least_ns, 40000);
    assert_int_equal(session->seed, 9);
    assert_int_equal(session->reports_max, 2048);
    resource->destroy(made);
    /* What a strategy and risk keep of each report on its way: it, and its number on the ring. */
    assert_int_equal(resource->memory_bytes(&values),
                     2 * 2048 * (sizeof(report_t) + sizeof(uint64_t)));
}

static void a_session_is_not_made_with_any_wrong_latency(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        session_values_t values = values_by_default();
        char *texts[] = {values.entry, values.cancel, values.response};
        strcpy(texts[i], "soon");
        void *made = NULL;
        tbus_error_t err = {0};
        assert_int_equal(session_resource.create(&values, &made, &err), -TBUS_ECONFIG);
        assert_null(made);
        assert_non_null(strstr(err.text, "\"soon\""));
    }
}

static void latencies_are_drawn_from_all_of_their_range_and_the_same_each_time(void **state)
{
    (void)state;
    venue_session_t session = {.seed = 7};
    session_latency_t latency = {20, 29};
    unsigned counts[10] = {0};
    for (uint64_t i = 0; i < 10000; i++) {
        uint64_t drawn = session_draw(&session, &latency, 3, i);
        assert_in_range(drawn, 20, 29);
        assert_int_equal(drawn, session_draw(&session, &latency, 3, i));
        counts[drawn - 20]++;
    }
    for (unsigned i = 0; i < 10; i++)
        assert_in_range(counts[i], 850, 1150); /* 1000 expected; five deviations of 30 */
    venue_session_t other = {.seed = 8};
    unsigned equal = 0;
    for (uint64_t i = 0; i < 1000; i++)
        equal += session_draw(&session, &latency, 3, i) == session_draw(&other, &latency, 3, i);
    assert_in_range(equal, 50, 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_step_of_the_clock_is_as_the_header_says),
        cmocka_unit_test(the_clock_begins_at_one_whatever_the_first_stamp_is),
        cmocka_unit_test(one_wild_stamp_moves_the_clock_by_a_minute_at_most),
        cmocka_unit_test(the_clock_never_stands_still),
        cmocka_unit_test(a_latency_is_one_time_or_a_range_and_never_zero),
        cmocka_unit_test(a_latency_out_of_its_range_is_refused_with_the_range),
        cmocka_unit_test(a_session_is_made_of_its_parameters),
        cmocka_unit_test(a_session_is_not_made_with_any_wrong_latency),
        cmocka_unit_test(latencies_are_drawn_from_all_of_their_range_and_the_same_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
