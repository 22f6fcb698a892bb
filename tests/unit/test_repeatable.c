/* SPDX-License-Identifier: Apache-2.0 */
/* What cannot be repeated is refused before anything is run, and the reason is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tickbus/msg/event.h>
#include <tickbus/msg/order.h>

#include "tests/unit/journal_scratch.h"
#include "tools/run/repeatable.h"

enum { MD, ORDERS, EVENTS, INPUTS };

static tbus_journal_spec_t plain_spec(const char *directory)
{
    return (tbus_journal_spec_t){
        .directory = directory,
        .bus_name = "by-hand",
        .segment_bytes = TBUS_JOURNAL_SEGMENT_BYTES_MIN,
        .topics_count = 4,
        .topics = {{"md", "tick", 1, TICK_VERSION, TBUS_BROADCAST, 0},
                   {"orders", "order", 1, ORDER_VERSION, TBUS_MPSC, 0},
                   {EVENT_TOPIC, "event", 1, EVENT_VERSION, TBUS_MPSC, 0},
                   {EVENT_INPUTS_TOPIC, "event", 1, EVENT_VERSION, TBUS_MPSC, 0}}};
}

typedef struct recording {
    tbus_journal_writer_t *writer;
    uint64_t seqs[4];
} recording_t;

static void append(recording_t *r, uint16_t topic, const void *message)
{
    assert_int_equal(
        tbus_journal_writer_append(r->writer, topic, ++r->seqs[topic], 1000, message, 56), 0);
}

static void append_order(recording_t *r, unsigned strategy)
{
    order_t order = {.order_id = ORDER_ID(strategy, r->seqs[ORDERS] + 1), .kind = ORDER_NEW};
    append(r, ORDERS, &order);
}

static void append_event(recording_t *r, uint16_t topic, uint8_t from, uint8_t kind,
                         uint32_t number)
{
    event_t event = {.from = from, .kind = kind, .number = number};
    append(r, topic, &event);
}

/* Three ticks, and an order of strategy 1. */
static recording_t begin(const tbus_journal_spec_t *spec)
{
    recording_t r = {0};
    tick_t tick = {.type = 'A'};
    assert_int_equal(tbus_journal_writer_open(spec, &r.writer, NULL), 0);
    for (unsigned i = 0; i < 3; i++)
        append(&r, MD, &tick);
    append_order(&r, 1);
    return r;
}

/* `reason`: NULL: it can be repeated. */
static void expect(const scratch_t *s, recording_t *r, const char *clock, const char *reason)
{
    config_t config;
    tbus_error_t why = {0};
    assert_int_equal(tbus_journal_writer_close(r->writer, NULL), 0);
    config_defaults(&config);
    assert_int_equal(config_set(&config, "venue.clock", clock, NULL), 0);
    int code = repeatable_check(s->journal, &config, &why);
    if ((code < 0) != (reason != NULL) || (reason && !strstr(why.text, reason)))
        fail_msg("%d: %s", code, why.text);
    scratch_remove(s->journal);
}

static void a_whole_session_can_be_repeated_by_its_clock(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_spec_t spec = plain_spec(s->journal);
    recording_t r = begin(&spec);
    expect(s, &r, "market", NULL);
    r = begin(&spec);
    append_event(&r, INPUTS, EVENT_FROM_RISK, EVENT_TAKEN, EVENT_INPUT_ORDER);
    expect(s, &r, "host", NULL);
    r = begin(&spec);
    expect(s, &r, "host", "in which order its stages took what came is not on record");
}

static void orders_from_outside_are_refused(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_spec_t spec = plain_spec(s->journal);
    recording_t r = begin(&spec);
    append_order(&r, 9);
    expect(s, &r, "market", "of strategy 9 (message 2 of 'orders') came from a participant from");
    r = begin(&spec);
    append_order(&r, 0);
    expect(s, &r, "market", "came from a participant from outside");
}

static void ticks_that_are_missing_are_refused(void **state)
{
    const scratch_t *s = *state;
    tick_t tick = {.type = 'A'};
    tbus_journal_spec_t spec = plain_spec(s->journal);
    recording_t r = begin(&spec);
    r.seqs[MD] += 2;
    append(&r, MD, &tick);
    expect(s, &r, "market", "ticks 4 to 5 are not in the recording");
    spec.topics[MD].first_seq = 7;
    r = (recording_t){0};
    assert_int_equal(tbus_journal_writer_open(&spec, &r.writer, NULL), 0);
    r.seqs[MD] = 99;
    append(&r, MD, &tick);
    expect(s, &r, "market", "ticks 7 to 99 are not in the recording");
}

static void a_hole_is_refused(void **state)
{
    const scratch_t *s = *state;
    static const char hole[] = "{\"reason\": \"no space\", \"topics\": []}";
    tbus_journal_spec_t spec = plain_spec(s->journal);
    recording_t r = begin(&spec);
    assert_int_equal(
        tbus_journal_writer_append_session(r.writer, TBUS_JOURNAL_HOLE, 1, hole, sizeof hole - 1),
        0);
    expect(s, &r, "market", "not all of it was recorded");
}

static void a_change_of_limits_that_nobody_has_told_is_refused(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_spec_t spec = plain_spec(s->journal);
    recording_t r = begin(&spec);
    append_event(&r, EVENTS, EVENT_FROM_SUPERVISOR, EVENT_LIMITS, 1);
    append_event(&r, EVENTS, EVENT_FROM_RISK, EVENT_LIMITS, 1);
    expect(s, &r, "market", NULL);
    r = begin(&spec);
    append_event(&r, EVENTS, EVENT_FROM_SUPERVISOR, EVENT_LIMITS, 1);
    append_event(&r, EVENTS, EVENT_FROM_SUPERVISOR, EVENT_LIMITS, 3); /* 2 had no room */
    append_event(&r, EVENTS, EVENT_FROM_RISK, EVENT_LIMITS, 3);
    expect(s, &r, "market", "risk took change 3 of its limits");
}

static void messages_of_another_version_and_missing_topics_are_refused(void **state)
{
    const scratch_t *s = *state;
    static const char *const names[] = {"md", "orders", EVENT_TOPIC, EVENT_INPUTS_TOPIC};
    for (unsigned i = 0; i < 4; i++) {
        char text[64];
        tbus_journal_spec_t spec = plain_spec(s->journal);
        spec.topics[i].type_version += 40;
        recording_t r = begin(&spec);
        snprintf(text, sizeof text, "topic '%s' has messages of type", names[i]);
        expect(s, &r, "market", text);
    }
    for (unsigned i = 0; i < 3; i += 2) {
        char text[64];
        tbus_journal_spec_t spec = plain_spec(s->journal);
        snprintf(spec.topics[i].name, sizeof spec.topics[i].name, "another");
        recording_t r = begin(&spec);
        snprintf(text, sizeof text, "the recording has no topic '%s'", names[i]);
        expect(s, &r, "market", text);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)
    const struct CMUnitTest tests[] = {
        TEST(a_whole_session_can_be_repeated_by_its_clock),
        TEST(orders_from_outside_are_refused),
        TEST(ticks_that_are_missing_are_refused),
        TEST(a_hole_is_refused),
        TEST(a_change_of_limits_that_nobody_has_told_is_refused),
        TEST(messages_of_another_version_and_missing_topics_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
