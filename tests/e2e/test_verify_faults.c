/* SPDX-License-Identifier: Apache-2.0 */
/* `busctl replay --verify` of sessions that did not go well, and of those that cannot be repeated:
 * the recorder, a stage or the supervisor was killed; a stage waits for a message that nobody sends
 * this time. It comes to its end, says what there is to say, and calls nothing different that is
 * not. */
#include "tests/e2e/running_bus.h"

#include <signal.h>

typedef struct session {
    char journal[SCRATCH_PATH_MAX + 32];
    char config[SCRATCH_PATH_MAX + 32];
} session_t;

static session_t session_in(const fixture_t *f)
{
    session_t s;
    snprintf(s.journal, sizeof s.journal, "%s/session", f->runtime);
    snprintf(s.config, sizeof s.config, "%s/config.yaml", f->runtime);
    return s;
}

static void write_config(const session_t *s, const char *clock, const char *risk)
{
    FILE *out = fopen(s->config, "we");
    assert_non_null(out);
    fprintf(out,
            "risk:\n%s\nvenue:\n  clock: %s\n"
            "stages:\n  second:\n    kind: strategy\n    name: quote\n    order_qty: 50\n",
            risk, clock);
    assert_int_equal(fclose(out), 0);
}

/* Until `messages` have gone through. */
static json_t *record(fixture_t *f, const session_t *s, const char *clock, unsigned messages)
{
    write_config(s, clock, "  position_max: 3000");
    return begin(f, messages, "-c", s->config, "--feed", "synth:seed=7,symbols=8,messages=1000000",
                 "--pace", "40k/s", "--layout", "split", "--wait", "park", "--journal", s->journal,
                 "--set", "strategy.requote_ns_min=20000", "--set", "topics.md.slots=1024",
                 "--json", NULL);
}

/* `busctl replay JOURNAL --verify ... --json`. To be json_decref'ed. */
static json_t *verify(fixture_t *f, int exit_code, const char *journal, const char *one,
                      const char *two)
{
    const char *argv[] = {TICKBUS_BUSCTL, "replay", journal, "--json", "--verify", one, two, NULL};
    program_clear(&f->start);
    f->start = (program_t){.argv = argv};
    int code = program_run(&f->start);
    if (code != exit_code)
        fail_msg("exit code %d instead of %d: %s%s", code, exit_code, f->start.out, f->start.err);
    return json_loads(f->start.out, 0, NULL);
}

static void assert_identical(json_t *verdict, bool whole)
{
    assert_true(json_is_true(json_object_get(verdict, "identical")));
    assert_int_equal(json_is_true(json_object_get(verdict, "whole")), whole);
    assert_true(json_integer_value(json_object_get(verdict, "orders")) > 20);
    assert_true(json_integer_value(json_object_get(verdict, "reports")) > 20);
    json_decref(verdict);
}

static const char *const clocks[] = {"market", "host"};

static void kill_and_verify(fixture_t *f, const char *stage)
{
    for (unsigned i = 0; i < 2; i++) {
        session_t s = session_in(f);
        json_t *status = record(f, &s, clocks[i], 2500);
        pid_t pid = process_of(status, stage);
        json_decref(status);
        assert_true(pid > 0);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_ended_with(f, 1);
        assert_identical(verify(f, 0, s.journal, NULL, NULL), false);
        scratch_remove(s.journal);
    }
}

static void a_session_whose_recorder_was_killed_is_compared_as_far_as_it_goes(void **state)
{
    kill_and_verify(*state, "recorder");
}

static void a_session_in_which_a_strategy_was_killed_is_compared_up_to_there(void **state)
{
    kill_and_verify(*state, "second");
}

static void a_session_in_which_the_executor_was_killed_is_compared_up_to_there(void **state)
{
    kill_and_verify(*state, "executor");
}

/* Its stages end together, when all of them have come to rest: whatever the host did meanwhile, a
 * repetition decides what they did. */
static void a_session_whose_supervisor_was_killed_is_compared_up_to_there(void **state)
{
    fixture_t *f = *state;
    for (unsigned i = 0; i < 2; i++) {
        session_t s = session_in(f);
        json_decref(record(f, &s, clocks[i], 2500));
        assert_int_equal(kill(f->start.pid, SIGKILL), 0);
        program_wait(&f->start);
        while (processes_of(f->bus) != 0)
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        assert_identical(verify(f, 0, s.journal, NULL, NULL), false);
        scratch_remove(s.journal);
        assert_int_equal(run(f, "start", SHORT_FEED, NULL), 0); /* takes over what was left */
    }
}

static void a_session_that_is_being_recorded_is_compared_as_far_as_it_has_come(void **state)
{
    fixture_t *f = *state;
    for (unsigned i = 0; i < 2; i++) {
        session_t s = session_in(f);
        json_decref(record(f, &s, clocks[i], 2500));
        const char *argv[] = {TICKBUS_BUSCTL, "replay", s.journal, "--json", "--verify", NULL};
        program_t busctl = {.argv = argv};
        assert_int_equal(program_run(&busctl), 0);
        assert_identical(json_loads(busctl.out, 0, NULL), false);
        program_clear(&busctl);
        json_decref(ask(f, "stop", NULL));
        assert_ended_with(f, 0);
        assert_identical(verify(f, 0, s.journal, NULL, NULL), true);
        scratch_remove(s.journal);
    }
}

/* The third to the sixth write to the journal of the repetition take half a second each. The feed
 * waits for the recorder then, and the others for the feed: that is no standstill. */
static void a_repetition_whose_disk_is_slow_is_waited_for(void **state)
{
    fixture_t *f = *state;
    session_t s = session_in(f);
    json_decref(record(f, &s, "market", 4000));
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 0);
    const char *argv[] = {"strace",       "-fqq",
                          "-o",           "/dev/null",
                          "-e",           "trace=pwrite64",
                          "-e",           "inject=pwrite64:delay_enter=500000:when=3..6",
                          TICKBUS_BUSCTL, "replay",
                          s.journal,      "--json",
                          "--verify",     NULL};
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* that would trace, too */
    program_t busctl = {.argv = argv};
    int code = program_run(&busctl);
    unsetenv("ASAN_OPTIONS");
    if (code != 0)
        fail_msg("exit code %d: %s%s", code, busctl.err, busctl.out);
    assert_text_holds(busctl.err, "the recording is late");
    assert_identical(json_loads(busctl.out, 0, NULL), true);
    program_clear(&busctl);
    scratch_remove(s.journal);
}

/* By the clock of the host the others have recorded that they took what it now does not send, and
 * wait for it; long before the end of the session they are all stuck. */
static void an_order_that_is_not_sent_is_named_though_others_wait_for_it(void **state)
{
    fixture_t *f = *state;
    session_t s = session_in(f);
    json_decref(record(f, &s, "host", 8000));
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 0);
    json_t *verdict = verify(f, 1, s.journal, "--set", "strategy.symbols_auto=1");
    assert_non_null(verdict);
    const json_t *first = json_object_get(verdict, "divergence");
    assert_string_equal(json_string_value(json_object_get(first, "topic")), "orders");
    assert_int_equal(json_integer_value(json_object_get(first, "strategy")), 1);
    assert_text_holds(f->start.err, "get no further");
    assert_text_holds(f->start.err, "did not come this time");
    json_decref(verdict);
    scratch_remove(s.journal);
}

/* All limits change at once, to numbers as long as can be: the last of them counts. */
static void a_reload_of_all_limits_is_repeated_to_the_last_of_them(void **state)
{
    fixture_t *f = *state;
    session_t s = session_in(f);
    json_decref(record(f, &s, "market", 2500));
    write_config(&s, "market",
                 "  max_order_qty: 4294967295\n  max_order_notional_e4: 9223372036854775807\n"
                 "  collar_bps: 9999\n  collar_e4: 4294967295\n"
                 "  position_max: 9223372036854775807\n"
                 "  gross_notional_max_e4: 9223372036854775807\n"
                 "  orders_per_second: 9999\n  open_orders_max: 3");
    assert_int_equal(kill(f->start.pid, SIGHUP), 0);
    json_decref(wait_for(f, 6000));
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 0);
    assert_text_holds(f->start.err, "risk limits changed");
    json_t *summary = final_object(f);
    const json_t *rejects = json_object_get(json_object_get(summary, "risk"), "rejects");
    assert_true(json_integer_value(json_object_get(rejects, "open_orders_limit")) > 0);
    json_decref(summary);
    assert_identical(verify(f, 0, s.journal, NULL, NULL), true);
    scratch_remove(s.journal);
}

static void a_verification_that_is_stopped_says_so_and_not_that_something_differs(void **state)
{
    fixture_t *f = *state;
    session_t s = session_in(f);
    json_decref(record(f, &s, "market", 2500));
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 0);
    char set_name[64];
    snprintf(set_name, sizeof set_name, "bus.name=%s", f->bus);
    const char *argv[] = {TICKBUS_BUSCTL, "replay", s.journal, "--json", "--verify",
                          "--pace",       "100/s",  "--set",   set_name, NULL};
    program_clear(&f->start);
    f->start = (program_t){.argv = argv};
    assert_true(program_start(&f->start));
    json_decref(wait_for(f, 20));
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 1);
    assert_text_holds(f->start.err, "stopped, as asked: nothing was compared");
    assert_string_equal(f->start.out, "");
    scratch_remove(s.journal);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_session_whose_recorder_was_killed_is_compared_as_far_as_it_goes),
        CASE(a_session_in_which_a_strategy_was_killed_is_compared_up_to_there),
        CASE(a_session_in_which_the_executor_was_killed_is_compared_up_to_there),
        CASE(a_session_whose_supervisor_was_killed_is_compared_up_to_there),
        CASE(a_session_that_is_being_recorded_is_compared_as_far_as_it_has_come),
        CASE(a_repetition_whose_disk_is_slow_is_waited_for),
        CASE(an_order_that_is_not_sent_is_named_though_others_wait_for_it),
        CASE(a_reload_of_all_limits_is_repeated_to_the_last_of_them),
        CASE(a_verification_that_is_stopped_says_so_and_not_that_something_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
