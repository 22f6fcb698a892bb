/* SPDX-License-Identifier: Apache-2.0 */
/* What was halted, or lost, holds after a reboot: the run directory is empty, and the journal of
 * the last session has it. */
#include "tests/e2e/running_bus.h"

#include <signal.h>

static void do_it(const fixture_t *f, const char *verb, const char *reason)
{
    const char *const argv[] = {TICKBUS_BUSCTL, verb, "--name", f->bus, "--reason", reason, NULL};
    program_t p = {.argv = argv};
    if (program_run(&p) != 0)
        fail_msg("busctl %s: %s", verb, p.err);
    program_clear(&p);
}

static void stop(fixture_t *f)
{
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 0);
}

/* As a reboot does: all that stands in the run directory is gone. */
static void reboot(const fixture_t *f)
{
    char path[SCRATCH_PATH_MAX + 64];
    remove_standing(f);
    snprintf(path, sizeof path, "%s/tickbus/%s.reduce.strategy", f->runtime, f->bus);
    unlink(path);
    assert_int_equal(files_in_run_directory(f), 0);
}

/* The directory of the session of that number, all beside one another. */
static const char *session(const fixture_t *f, unsigned number)
{
    static char path[SCRATCH_PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/session%u", f->runtime, number);
    return path;
}

static const char *text(const json_t *of, const char *key)
{
    const char *found = json_string_value(json_object_get(of, key));
    return found ? found : "";
}

static void await_state(fixture_t *f, const char *state)
{
    for (bool is = false; !is;) {
        json_t *summary = wait_for(f, 0);
        is = strcmp(text(json_object_get(summary, "risk"), "state"), state) == 0;
        json_decref(summary);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

static void a_halt_is_taken_over_from_the_journal_until_it_is_resumed(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 1000, ENDLESS_FEED, "--journal", session(f, 1), NULL));
    do_it(f, "halt", "not again");
    stop(f);
    reboot(f);

    json_decref(begin(f, 1000, ENDLESS_FEED, "--journal", session(f, 2), NULL));
    json_t *summary = ask(f, "status", NULL);
    const json_t *risk = json_object_get(summary, "risk");
    assert_string_equal(text(risk, "state"), "halted");
    assert_text_holds(text(risk, "halt_reason"), "not again (of the session in ");
    assert_int_equal(number(summary, "risk", "passed"), 0);
    json_decref(summary);
    kill(f->start.pid, SIGKILL); /* and with it the machine */
    assert_ended_with(f, 128 + SIGKILL);
    assert_text_holds(f->start.err, "the last session of this bus, recorded in ");
    while (processes_of(f->bus))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_int_equal(run(f, "start", SHORT_FEED, NULL), 0); /* clears what the dead left */
    reboot(f);

    json_decref(begin(f, 1000, ENDLESS_FEED, "--journal", session(f, 3), NULL));
    await_state(f, "halted");
    do_it(f, "resume", "mended");
    await_state(f, "active");
    stop(f);
    assert_int_equal(files_in_run_directory(f), 0);
    json_decref(begin(f, 1000, ENDLESS_FEED, "--journal", session(f, 4), NULL));
    await_state(f, "active");
    stop(f);
}

static void another_session_can_be_named_or_none(void **state)
{
    fixture_t *f = *state;
    char first[SCRATCH_PATH_MAX + 32];
    snprintf(first, sizeof first, "%s", session(f, 1));
    json_decref(begin(f, 1000, ENDLESS_FEED, "--journal", first, NULL));
    do_it(f, "reduce", "no new risk");
    stop(f);
    reboot(f);
    json_decref(
        begin(f, 1000, ENDLESS_FEED, "--journal", session(f, 2), "--continue", "none", NULL));
    await_state(f, "active");
    stop(f);
    json_decref(begin(f, 1000, ENDLESS_FEED, "--continue", first, NULL)); /* not recorded itself */
    await_state(f, "reducing");
    do_it(f, "resume", "mended");
    stop(f);
    assert_int_equal(run(f, "start", SHORT_FEED, "--continue", session(f, 9), NULL), 1);
    assert_text_holds(f->start.err, "session9");
    assert_int_equal(files_in_run_directory(f), 0);
}

static void a_replay_takes_nothing_over_and_leaves_nothing(void **state)
{
    fixture_t *f = *state;
    char first[SCRATCH_PATH_MAX + 32];
    snprintf(first, sizeof first, "%s", session(f, 1));
    json_decref(begin(f, 20000, ENDLESS_FEED, "--journal", first, NULL));
    do_it(f, "halt", "not again");
    stop(f);
    assert_int_equal(files_in_run_directory(f), 1);
    assert_int_equal(run(f, "replay", first, "--json", "--journal", session(f, 2), NULL), 0);
    json_t *summary = final_object(f);
    assert_true(json_is_false(json_object_get(json_object_get(summary, "risk"), "halted")));
    assert_true(number(summary, "risk", "passed") > 0);
    json_decref(summary);
    assert_int_equal(files_in_run_directory(f), 1);
    assert_int_equal(run(f, "replay", "--verify", first, NULL), 0);
    reboot(f);
    json_decref(begin(f, 100, ENDLESS_FEED, "--journal", session(f, 3), NULL));
    await_state(f, "halted"); /* the replay, which was recorded later, was no session of it */
    do_it(f, "resume", "mended");
    stop(f);
}

/* busctl VERB: what it said on stderr must hold `says`. */
static void expect(const fixture_t *f, const char *verb, int code, const char *says)
{
    const char *const argv[] = {TICKBUS_BUSCTL, verb, "--name", f->bus, "--reason", "a try", NULL};
    program_t p = {.argv = argv};
    assert_int_equal(program_run(&p), code);
    assert_text_holds(p.err, says);
    program_clear(&p);
}

static void what_is_thrown_in_a_replay_holds_in_it_alone(void **state)
{
    fixture_t *f = *state;
    static const char says[] = "it holds for this run alone";
    char first[SCRATCH_PATH_MAX + 32];
    snprintf(first, sizeof first, "%s", session(f, 1));
    json_decref(begin(f, 4000, ENDLESS_FEED, "--journal", first, NULL));
    stop(f);
    launch_verb(f, "replay", first, "--pace", "1000/s", "--wait", "park", NULL);
    json_decref(wait_for(f, 100));
    unsigned files = files_in_run_directory(f); /* of the running bus */
    expect(f, "reduce", 0, says);
    await_state(f, "reducing");
    expect(f, "halt", 0, says);
    await_state(f, "halted");
    kill(f->start.pid, SIGSTOP); /* without its supervisor as well */
    expect(f, "halt", 0, says);
    kill(f->start.pid, SIGCONT);
    await_state(f, "halted");
    assert_int_equal(files_in_run_directory(f), files);
    do_it(f, "resume", "go on");
    await_state(f, "active");
    expect(f, "halt", 0, says);
    stop(f);
    assert_int_equal(files_in_run_directory(f), 0);

    /* Its supervisor dies, and all of it: nobody is there to be halted, now or later. */
    launch_verb(f, "replay", first, "--pace", "1000/s", "--wait", "park", NULL);
    json_decref(wait_for(f, 100));
    kill(f->start.pid, SIGKILL);
    assert_ended_with(f, 128 + SIGKILL);
    while (processes_of(f->bus))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    files = files_in_run_directory(f);
    expect(f, "halt", 1, "no bus");
    assert_int_equal(files_in_run_directory(f), files);
    assert_int_equal(run(f, "start", SHORT_FEED, NULL), 0);
    assert_null(strstr(f->start.out, "HALTED"));
}

#define LOSES "--set", "strategy.limits.loss_max_e4=1"

static uint64_t latched(fixture_t *f)
{
    json_t *summary = wait_for(f, 0);
    uint64_t count = number(summary, "risk", "strategies_reducing");
    json_decref(summary);
    return count;
}

/* The only latch of a strategy, as `status` has it: since when, and why. */
static uint64_t latched_since(fixture_t *f, const char *why)
{
    json_t *summary = ask(f, "status", NULL);
    const json_t *latches = json_object_get(json_object_get(summary, "risk"), "strategies_latched");
    const json_t *latch = json_object_get(latches, "strategy");
    assert_int_equal(json_object_size(latches), 1);
    assert_text_holds(text(latch, "reason"), why);
    assert_string_equal(text(latch, "by"), "risk, as the loss limit was reached");
    assert_true(json_integer_value(json_object_get(latch, "pid")) > 0);
    uint64_t since_ns = (uint64_t)json_integer_value(json_object_get(latch, "since_ns"));
    json_decref(summary);
    return since_ns;
}

static void what_a_strategy_has_lost_alone_holds_like_the_rest(void **state)
{
    fixture_t *f = *state;
    static const char why[] = "its net loss, ",
                      allowed[] = " is more than loss_max_e4 allows, 0.0001";
    char second[SCRATCH_PATH_MAX + 32];
    snprintf(second, sizeof second, "%s", session(f, 2));
    json_decref(begin(f, 1000, ENDLESS_FEED, LOSES, "--journal", session(f, 1), NULL));
    while (latched(f) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    uint64_t since_ns = latched_since(f, allowed);
    stop(f);
    assert_text_holds(f->start.err, "strategy lets only its own closing orders pass");
    assert_int_equal(files_in_run_directory(f), 1);

    json_decref(begin(f, 1000, ENDLESS_FEED, LOSES, "--journal", second, NULL));
    assert_int_equal(latched(f), 1); /* from the file */
    assert_true(latched_since(f, allowed) == since_ns);
    stop(f);
    assert_text_holds(f->start.out, "of strategy only its own closing orders pass risk: its");
    assert_text_holds(f->start.out, "`busctl resume` ends it");
    assert_text_holds(f->start.err, "orders pass, as it was before: its net loss");
    assert_int_equal(run(f, "replay", "--verify", second, NULL), 0); /* it begins latched as well */
    reboot(f);
    json_decref(begin(f, 1000, ENDLESS_FEED, "--set", "strategy.limits.loss_max_e4=999999999999",
                      "--journal", session(f, 3), NULL));
    assert_int_equal(latched(f), 1); /* from the journal */
    assert_true(latched_since(f, why) == since_ns);
    json_t *summary = ask(f, "status", NULL);
    assert_int_equal(number(summary, "risk", "passed"), 0);
    json_decref(summary);
    do_it(f, "resume", "it was a test");
    while (latched(f) != 0)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    summary = ask(f, "status", NULL);
    assert_int_equal(
        json_object_size(json_object_get(json_object_get(summary, "risk"), "strategies_latched")),
        0);
    json_decref(summary);
    stop(f);
    assert_int_equal(files_in_run_directory(f), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_halt_is_taken_over_from_the_journal_until_it_is_resumed),
        TEST(another_session_can_be_named_or_none),
        TEST(a_replay_takes_nothing_over_and_leaves_nothing),
        TEST(what_is_thrown_in_a_replay_holds_in_it_alone),
        TEST(what_a_strategy_has_lost_alone_holds_like_the_rest),
    };
    return cmocka_run_group_tests_name("carried", tests, NULL, NULL);
}
