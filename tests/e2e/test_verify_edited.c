/* SPDX-License-Identifier: Apache-2.0 */
/* `busctl replay --verify` of sessions whose records of what came from outside, and of the order of
 * inputs, were edited, with all checksums right: it comes to its end, and either refuses them or
 * names something; it never hangs and never dies.
 *
 * A session of each clock is recorded once, with a halt; each edit makes a copy. */
#include "tests/e2e/running_bus.h"

#include <tickbus/journal.h>
#include <tickbus/msg/event.h>

typedef struct edit {
    const char *name;
    bool host; /* of the session by that clock; else by the market's */
    /* Change an event; how often it is to be written. `number`: of the event, from 0. */
    unsigned (*change)(event_t *event, bool input, unsigned number);
    bool harmless; /* it is the same session all the same */
} edit_t;

/* ---- edits */

static unsigned nothing(event_t *event, bool input, unsigned number)
{
    (void)event, (void)input, (void)number;
    return 1;
}
static unsigned no_acts(event_t *event, bool input, unsigned number)
{
    (void)number;
    return input || event->from == EVENT_FROM_SUPERVISOR;
}
static bool is_act(const event_t *event)
{
    return event->kind == EVENT_HALT || event->kind == EVENT_RESUME;
}
static unsigned acts_that_never_come(event_t *event, bool input, unsigned number)
{
    (void)input, (void)number;
    if (is_act(event))
        event->position = UINT64_MAX;
    return 1;
}
static unsigned acts_behind_ticks_that_never_come(event_t *event, bool input, unsigned number)
{
    (void)input, (void)number;
    if (is_act(event))
        event->md_seq = UINT64_MAX;
    return 1;
}
static unsigned acts_at_the_beginning(event_t *event, bool input, unsigned number)
{
    (void)input, (void)number;
    if (is_act(event))
        event->position = event->md_seq = 0;
    return 1;
}
static unsigned acts_at_the_end_of_time(event_t *event, bool input, unsigned number)
{
    (void)input, (void)number;
    if (!input)
        event->market_ns = UINT64_MAX;
    return 1;
}
static unsigned acts_beyond_56_bits(event_t *event, bool input, unsigned number)
{
    (void)input, (void)number;
    if (!input)
        event->market_ns = UINT64_C(1) << 57;
    return 1;
}
static unsigned all_is_late_for_ever(event_t *event, bool input, unsigned number)
{
    (void)number;
    if (!input && event->from != EVENT_FROM_SUPERVISOR) {
        event->kind = EVENT_LATE;
        event->from = EVENT_FROM_STRATEGY;
        event->pid = 1;
        event->position = 0;
        event->number = UINT32_MAX;
        event->market_ns = UINT64_MAX;
    }
    return 1;
}
static unsigned the_end_is_far_away(event_t *event, bool input, unsigned number)
{
    (void)number;
    if (!input && event->kind == EVENT_RESUME) {
        event->kind = EVENT_END;
        event->from = EVENT_FROM_RISK;
        event->market_ns = UINT64_MAX - 1;
    }
    return 1;
}
static unsigned unknown_kinds(event_t *event, bool input, unsigned number)
{
    (void)input;
    event->kind = (uint8_t)(200 + number);
    event->from = (uint8_t)(number % 8);
    return 1;
}
static unsigned inputs_left_out(event_t *event, bool input, unsigned number)
{
    (void)event;
    return !(input && number % 50 == 49);
}
static unsigned inputs_twice(event_t *event, bool input, unsigned number)
{
    (void)event;
    return input && number % 50 == 49 ? 2 : 1;
}
static unsigned inputs_of_nobody(event_t *event, bool input, unsigned number)
{
    if (input && number == 60)
        event->number = 99;
    return 1;
}
static unsigned orders_of_a_strategy_that_is_not_there(event_t *event, bool input, unsigned number)
{
    if (input && event->number == EVENT_INPUT_ORDER && number > 100)
        event->position = UINT64_MAX;
    return 1;
}
static unsigned inputs_behind_ticks_that_never_come(event_t *event, bool input, unsigned number)
{
    if (input && number == 80)
        event->md_seq = UINT64_MAX;
    return 1;
}
static unsigned inputs_before_the_first_tick(event_t *event, bool input, unsigned number)
{
    (void)number;
    if (input)
        event->md_seq = 0;
    return 1;
}
static unsigned no_inputs_of_risk(event_t *event, bool input, unsigned number)
{
    (void)number;
    return !(input && event->from == EVENT_FROM_RISK);
}

static const edit_t edits[] = {
    {"nothing", false, nothing, true},
    {"no acts", false, no_acts, false},
    {"acts that never come", false, acts_that_never_come, false},
    {"acts behind ticks that never come", false, acts_behind_ticks_that_never_come, false},
    {"acts at the beginning", false, acts_at_the_beginning, false},
    {"acts at the end of time", false, acts_at_the_end_of_time, false},
    {"acts beyond 56 bits", false, acts_beyond_56_bits, false},
    {"all is late for ever", false, all_is_late_for_ever, false},
    {"the end is far away", false, the_end_is_far_away, false},
    {"unknown kinds", false, unknown_kinds, false},
    {"nothing", true, nothing, true},
    {"no acts", true, no_acts, false},
    {"acts that never come", true, acts_that_never_come, false},
    {"acts at the beginning", true, acts_at_the_beginning, false},
    {"inputs left out", true, inputs_left_out, false},
    {"inputs twice", true, inputs_twice, false},
    {"inputs of nobody", true, inputs_of_nobody, false},
    {"orders of a strategy that is not there", true, orders_of_a_strategy_that_is_not_there, false},
    {"inputs behind ticks that never come", true, inputs_behind_ticks_that_never_come, false},
    {"inputs before the first tick", true, inputs_before_the_first_tick, false},
    {"no inputs of risk", true, no_inputs_of_risk, false},
};
#define EDITS (sizeof edits / sizeof *edits)

/* ---- a copy of a recording, with its events edited */

static tbus_journal_writer_t *begin_copy(const char *directory, const tbus_journal_info_t *info)
{
    tbus_journal_writer_t *writer = NULL;
    tbus_journal_spec_t spec = {.directory = directory,
                                .bus_name = info->bus_name,
                                .started_realtime_ns = info->started_realtime_ns,
                                .segment_bytes = info->segment_bytes,
                                .topics_count = info->topics_count};
    memcpy(spec.topics, info->topics, sizeof spec.topics);
    assert_int_equal(tbus_journal_writer_open(&spec, &writer, NULL), 0);
    return writer;
}

/* Objects of the session as they are. */
static void copy_piece(tbus_journal_writer_t *writer, const tbus_journal_record_t *record)
{
    static char object[1 << 20];
    static size_t bytes;
    tbus_journal_piece_t piece;
    assert_true(tbus_journal_record_piece(record, &piece));
    assert_true(bytes + piece.bytes <= sizeof object);
    memcpy(object + bytes, piece.data, piece.bytes);
    bytes += piece.bytes;
    if (piece.more)
        return;
    assert_int_equal(tbus_journal_writer_append_session(writer,
                                                        (enum tbus_journal_session_kind)piece.kind,
                                                        record->time_ns, object, bytes),
                     0);
    bytes = 0;
}

static void copy_edited(const char *from, const char *into, const edit_t *edit)
{
    tbus_journal_reader_t *reader = NULL;
    tbus_journal_record_t record;
    uint64_t seqs[TBUS_JOURNAL_TOPICS_MAX] = {0};
    unsigned numbers[2] = {0};
    assert_int_equal(tbus_journal_reader_open(from, &reader, NULL), 0);
    tbus_journal_reader_show_session(reader);
    const int events = tbus_journal_reader_topic(reader, EVENT_TOPIC);
    const int inputs = tbus_journal_reader_topic(reader, EVENT_INPUTS_TOPIC);
    tbus_journal_writer_t *writer = begin_copy(into, tbus_journal_reader_info(reader));
    while (tbus_journal_reader_next(reader, &record, NULL) == 1) {
        if (record.topic == TBUS_JOURNAL_SESSION_TOPIC) {
            copy_piece(writer, &record);
            continue;
        }
        unsigned times = 1;
        _Alignas(8) unsigned char payload[1 << 16];
        bool input = record.topic == inputs;
        memcpy(payload, record.payload, record.bytes);
        if (record.topic == events || input)
            times = edit->change((event_t *)(void *)payload, input, numbers[input]++);
        uint64_t *seq = &seqs[record.topic];
        for (unsigned i = 0; i < times; i++) {
            *seq = times == 1 && record.seq > *seq ? record.seq : *seq + 1;
            assert_int_equal(tbus_journal_writer_append(writer, record.topic, *seq, record.time_ns,
                                                        payload, record.bytes),
                             0);
        }
    }
    assert_int_equal(tbus_journal_reader_end(reader), TBUS_JOURNAL_CLOSED);
    tbus_journal_reader_close(reader);
    assert_int_equal(tbus_journal_writer_close(writer, NULL), 0);
}

/* ---- the sessions */

/* Halt and resume through the command, as people do. */
static void call(const fixture_t *f, const char *verb)
{
    const char *argv[] = {TICKBUS_BUSCTL, verb, "--name", f->bus, "--reason", "a test", NULL};
    program_t busctl = {.argv = argv};
    assert_int_equal(program_run(&busctl), 0);
    program_clear(&busctl);
}

/* Rings are small, so that whoever waits in vain holds up the others long before the end. */
static void record(fixture_t *f, const char *clock, const char *journal)
{
    char set_clock[64];
    snprintf(set_clock, sizeof set_clock, "venue.clock=%s", clock);
    json_decref(begin(f, 1500, "--feed", "synth:seed=9,symbols=8,messages=1000000", "--pace",
                      "40k/s", "--layout", "split", "--wait", "park", "--journal", journal, "--set",
                      "strategy.requote_ns_min=20000", "--set", set_clock, "--set",
                      "topics.md.slots=256", "--json", NULL));
    call(f, "halt");
    call(f, "resume");
    json_decref(wait_for(f, 4000));
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 0);
    remove_standing(f);
}

/* What it says is an object of JSON: identical, different at a place that is named, or refused. */
static void verify(fixture_t *f, const char *journal, const edit_t *edit)
{
    const char *argv[] = {TICKBUS_BUSCTL, "replay", journal, "--json", "--verify", NULL};
    program_clear(&f->start);
    f->start = (program_t){.argv = argv};
    int code = program_run(&f->start);
    if (code != 0 && (code != 1 || edit->harmless))
        fail_msg("%s: exit code %d: %s%s", edit->name, code, f->start.out, f->start.err);
    if (code == 1 && f->start.out[0] == 0) { /* why not, is on stderr */
        assert_text_holds(f->start.err, "cannot be repeated");
        return;
    }
    json_t *verdict = final_object(f);
    bool identical = json_is_true(json_object_get(verdict, "identical"));
    if (identical != (code == 0) ||
        (!identical && !json_is_object(json_object_get(verdict, "divergence")) &&
         !json_is_array(json_object_get(verdict, "errors"))))
        fail_msg("%s: exit code %d: %s%s", edit->name, code, f->start.out, f->start.err);
    json_decref(verdict);
}

static void edited_records_are_refused_or_named_and_nothing_hangs(void **state)
{
    fixture_t *f = *state;
    char sessions[2][SCRATCH_PATH_MAX + 16], copy[SCRATCH_PATH_MAX + 16];
    snprintf(copy, sizeof copy, "%s/copy", f->runtime);
    for (unsigned host = 0; host < 2; host++) {
        snprintf(sessions[host], sizeof sessions[host], "%s/session%u", f->runtime, host);
        record(f, host ? "host" : "market", sessions[host]);
    }
    for (unsigned i = 0; i < EDITS; i++) {
        copy_edited(sessions[edits[i].host], copy, &edits[i]);
        verify(f, copy, &edits[i]);
        scratch_remove(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(edited_records_are_refused_or_named_and_nothing_hangs,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
