/* SPDX-License-Identifier: Apache-2.0 */
/* A session that was recorded live, by several processes, while somebody halted it, resumed it and
 * changed its limits, is run once more from its journal: every decision is the same. And where one
 * is not, it is found and named.
 *
 * VERIFY_SESSIONS=N verifies N live sessions of each clock instead of one. */
#include "tests/e2e/running_bus.h"

#include <signal.h>

#define CONFIG_BYTES 512

typedef struct session {
    char journal[SCRATCH_PATH_MAX + 32];
    char config[SCRATCH_PATH_MAX + 32];
    char feed[64];
} session_t;

static session_t session_in(const fixture_t *f, unsigned number)
{
    session_t s;
    snprintf(s.journal, sizeof s.journal, "%s/session%u", f->runtime, number);
    snprintf(s.config, sizeof s.config, "%s/config%u.yaml", f->runtime, number);
    snprintf(s.feed, sizeof s.feed, "synth:seed=%u,symbols=8,messages=1000000", 100 + number);
    return s;
}

static void write_config(const session_t *s, const char *clock, unsigned position_max)
{
    FILE *out = fopen(s->config, "we");
    assert_non_null(out);
    fprintf(out,
            "risk:\n  position_max: %u\nvenue:\n  clock: %s\n"
            "stages:\n  second:\n    kind: strategy\n    name: quote\n    order_qty: 50\n"
            "    limits: {position_max: %u, orders_per_second: 2000}\n",
            position_max, clock, position_max / 2);
    assert_int_equal(fclose(out), 0);
}

/* Halt, reduce and resume through the command, as people do. `option`: NULL, or one more. */
static void call_with(const fixture_t *f, const char *verb, const char *reason, const char *option)
{
    const char *argv[] = {TICKBUS_BUSCTL, verb, "--name", f->bus, "--reason", reason, option, NULL};
    program_t busctl = {.argv = argv};
    assert_int_equal(program_run(&busctl), 0);
    program_clear(&busctl);
}

static void call(const fixture_t *f, const char *verb, const char *reason)
{
    call_with(f, verb, reason, NULL);
}

static void go_on_for(fixture_t *f, unsigned messages)
{
    json_t *now = ask(f, "status", NULL);
    uint64_t from = number(now, "feed", "messages");
    json_decref(now);
    json_decref(wait_for(f, (unsigned)from + messages));
}

/* Live, with what people do to it at moments that the host decides; stopped in the middle. */
static void record(fixture_t *f, const session_t *s, const char *clock, const char *layout)
{
    write_config(s, clock, 3000);
    json_t *started = begin(f, 2000, "-c", s->config, "--feed", s->feed, "--pace", "40k/s",
                            "--layout", layout, "--wait", "park", "--journal", s->journal, "--set",
                            "strategy.requote_ns_min=20000", "--json", NULL);
    json_decref(started);
    call(f, "halt", "a test");
    go_on_for(f, 200);
    call(f, "resume", "enough");
    go_on_for(f, 1000);
    write_config(s, clock, 200);
    assert_int_equal(kill(f->start.pid, SIGHUP), 0);
    go_on_for(f, 1000);
    call(f, "halt", "again");
    call(f, "resume", "at once");
    go_on_for(f, 1000);
    call(f, "reduce", "no new risk");
    go_on_for(f, 1000);
    call(f, "halt", "and none at all");
    call_with(f, "resume", "but to close", "--reduced");
    go_on_for(f, 1000);
    call(f, "resume", "over");
    go_on_for(f, 1000);
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 0);
    remove_standing(f);
}

/* `busctl replay JOURNAL ARGUMENTS --json`. To be json_decref'ed. */
static json_t *replay(fixture_t *f, int exit_code, const char *journal, const char *one,
                      const char *two, const char *three)
{
    const char *argv[] = {TICKBUS_BUSCTL, "replay", journal, "--json", one, two, three, NULL};
    program_clear(&f->start);
    f->start = (program_t){.argv = argv};
    int code = program_run(&f->start);
    if (code != exit_code)
        fail_msg("exit code %d instead of %d: %s%s", code, exit_code, f->start.out, f->start.err);
    return final_object(f);
}

static void assert_identical(const json_t *verdict)
{
    assert_true(json_is_true(json_object_get(verdict, "identical")));
    assert_true(json_integer_value(json_object_get(verdict, "orders")) > 20);
    assert_true(json_integer_value(json_object_get(verdict, "reports")) > 20);
    assert_true(json_is_null(json_object_get(verdict, "divergence")));
}

static unsigned sessions(void)
{
    const char *text = getenv("VERIFY_SESSIONS");
    return text ? (unsigned)atoi(text) : 1;
}

static void verify_sessions(fixture_t *f, const char *clock)
{
    for (unsigned i = 0; i < sessions(); i++) {
        session_t s = session_in(f, i);
        record(f, &s, clock, i % 3 == 2 ? "fused" : "split");
        json_t *verdict = replay(f, 0, s.journal, "--verify", NULL, NULL);
        assert_identical(verdict);
        json_decref(verdict);
        scratch_remove(s.journal);
    }
}

static void a_live_session_repeats_with_its_halts_limits_and_end(void **state)
{
    verify_sessions(*state, "market");
}

static void by_the_clock_of_the_host_it_repeats_in_the_order_that_it_took(void **state)
{
    verify_sessions(*state, "host");
}

static json_t *first_of(const json_t *verdict)
{
    assert_true(json_is_false(json_object_get(verdict, "identical")));
    json_t *first = json_object_get(verdict, "divergence");
    assert_true(json_is_object(first));
    return first;
}

static void short_session(fixture_t *f, const session_t *s, const char *layout)
{
    assert_int_equal(run(f, "start", "--feed", "synth:seed=3,messages=5000", "--pace", "max",
                         "--layout", layout, "--wait", "park", "--journal", s->journal, "--json",
                         NULL),
                     0);
}

static void what_is_overridden_on_purpose_shows_as_the_first_order_that_differs(void **state)
{
    fixture_t *f = *state;
    session_t s = session_in(f, 0);
    short_session(f, &s, "fused");
    json_t *verdict = replay(f, 1, s.journal, "--verify", "--set", "strategy.order_qty=7");
    const json_t *first = first_of(verdict);
    assert_string_equal(json_string_value(json_object_get(first, "topic")), "orders");
    assert_int_equal(json_integer_value(json_object_get(first, "place")), 1);
    const json_t *fields = json_object_get(first, "fields");
    assert_int_equal(json_array_size(fields), 1);
    assert_string_equal(json_string_value(json_array_get(fields, 0)), "qty");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(first, "recorded"), "qty")),
                     100);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(first, "replayed"), "qty")),
                     7);
    const json_t *taken = json_object_get(first, "taken");
    assert_int_equal(json_integer_value(json_object_get(taken, "tick")),
                     json_integer_value(json_object_get(first, "md_seq")));
    assert_int_equal(json_array_size(json_object_get(taken, "messages")), 1);
    json_decref(verdict);
    scratch_remove(s.journal);
}

static void two_recordings_are_compared_as_they_are(void **state)
{
    fixture_t *f = *state;
    session_t s = session_in(f, 0), other = session_in(f, 1), wider = session_in(f, 2);
    short_session(f, &s, "fused");
    short_session(f, &other, "split");
    json_t *verdict = replay(f, 0, s.journal, "--against", other.journal, NULL);
    assert_identical(verdict);
    json_decref(verdict);
    assert_int_equal(run(f, "start", "--feed", "synth:seed=3,messages=5000", "--pace", "max",
                         "--layout", "fused", "--wait", "park", "--journal", wider.journal, "--set",
                         "venue.latency.response=1ms", "--json", NULL),
                     0);
    verdict = replay(f, 1, s.journal, "--against", wider.journal, NULL);
    assert_string_equal(json_string_value(json_object_get(first_of(verdict), "topic")), "reports");
    json_decref(verdict);
    scratch_remove(s.journal);
    scratch_remove(other.journal);
    scratch_remove(wider.journal);
}

static void an_executor_that_waits_for_the_disk_decides_the_same(void **state)
{
    fixture_t *f = *state;
    session_t s = session_in(f, 0), durable = session_in(f, 1);
    short_session(f, &s, "split");
    assert_int_equal(run(f, "start", "--feed", "synth:seed=3,messages=5000", "--pace", "max",
                         "--layout", "split", "--wait", "park", "--journal", durable.journal,
                         "--set", "executor.durable=true", "--set", "journal.durability=periodic:1",
                         "--json", NULL),
                     0);
    json_t *verdict = replay(f, 0, s.journal, "--against", durable.journal, NULL);
    assert_identical(verdict);
    json_decref(verdict);
    scratch_remove(s.journal);
    scratch_remove(durable.journal);
    assert_int_equal(run(f, "start", SHORT_FEED, "--set", "executor.durable=true", NULL), 1);
    assert_text_holds(f->start.err, "nothing says when an order is on the disk");
}

static void what_cannot_be_repeated_is_refused(void **state)
{
    fixture_t *f = *state;
    const char *golden = TICKBUS_SOURCE_DIR "/tests/golden/journal-1";
    json_decref(replay(f, 1, golden, "--verify", NULL, NULL));
    assert_text_holds(f->start.err, "does not say with which configuration it was recorded");
    json_decref(replay(f, 1, "/nowhere", "--verify", NULL, NULL));
    assert_int_equal(run(f, "start", "--verify", NULL), 2);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_live_session_repeats_with_its_halts_limits_and_end),
        CASE(by_the_clock_of_the_host_it_repeats_in_the_order_that_it_took),
        CASE(what_is_overridden_on_purpose_shows_as_the_first_order_that_differs),
        CASE(two_recordings_are_compared_as_they_are),
        CASE(an_executor_that_waits_for_the_disk_decides_the_same),
        CASE(what_cannot_be_repeated_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
