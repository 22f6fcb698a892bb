/* SPDX-License-Identifier: Apache-2.0 */
/* What lets only closing orders pass: an operator's word, or a loss. It holds until somebody
 * resumes with a reason, in later runs as well, whatever became of the run in which it was
 * thrown. */
#include "tests/e2e/running_bus.h"

#include <signal.h>

/* busctl VERB --reason ...; what it printed stays in *out. `option`: NULL, or one more. */
static int call(const fixture_t *f, const char *verb, const char *reason, const char *option,
                program_t *out)
{
    const char *const argv[] = {TICKBUS_BUSCTL, verb,   "--name", f->bus,
                                "--reason",     reason, option,   NULL};
    *out = (program_t){.argv = argv};
    int code = program_run(out);
    out->argv = NULL;
    return code;
}

static void do_it(const fixture_t *f, const char *verb, const char *reason, const char *option)
{
    program_t p;
    if (call(f, verb, reason, option, &p) != 0)
        fail_msg("busctl %s: %s", verb, p.err);
    program_clear(&p);
}

static const char *text(const json_t *of, const char *key)
{
    const char *found = json_string_value(json_object_get(of, key));
    return found ? found : "";
}

/* Wait until risk is in that state. To be json_decref'ed. */
static json_t *await_state(fixture_t *f, const char *state)
{
    for (;;) {
        json_t *summary = wait_for(f, 0);
        if (strcmp(text(json_object_get(summary, "risk"), "state"), state) == 0)
            return summary;
        json_decref(summary);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

static uint64_t rejects(const json_t *summary, const char *reason)
{
    const json_t *counts = json_object_get(json_object_get(summary, "risk"), "rejects");
    return (uint64_t)json_integer_value(json_object_get(counts, reason));
}

static void await_rejects(fixture_t *f, const char *reason)
{
    for (uint64_t count = 0; count == 0;) {
        json_t *summary = wait_for(f, 0);
        count = rejects(summary, reason);
        json_decref(summary);
    }
}

static void assert_reducing_because(const json_t *summary, const char *by, const char *reason)
{
    const json_t *risk = json_object_get(summary, "risk");
    assert_true(json_is_true(json_object_get(risk, "reducing")));
    assert_text_holds(text(risk, "reduce_reason"), reason);
    assert_string_equal(text(json_object_get(risk, "reduce"), "by"), by);
}

static void stop(fixture_t *f)
{
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 0);
}

static json_t *journal_info(const char *journal)
{
    const char *const argv[] = {TICKBUS_BUSCTL, "journal", "info", journal, "--json", NULL};
    program_t p = {.argv = argv};
    assert_int_equal(program_run(&p), 0);
    json_t *info = json_loads(p.out, 0, NULL);
    assert_non_null(info);
    program_clear(&p);
    return info;
}

/* How many events of this kind there are; the last of them must be of `by` and hold `reason`. */
static unsigned events(const char *journal, const char *kind, const char *by, const char *reason)
{
    size_t i;
    unsigned count = 0;
    json_t *event, *info = journal_info(journal);
    const json_t *last = NULL;
    json_array_foreach(json_object_get(info, "events"), i, event)
    {
        if (strcmp(text(event, "kind"), kind) != 0 || strcmp(text(event, "from"), "risk") != 0)
            continue;
        last = event;
        count++;
    }
    if (last) {
        assert_string_equal(text(last, "by"), by);
        assert_text_holds(text(last, "text"), reason);
    }
    json_decref(info);
    return count;
}

static void verify(fixture_t *f, const char *journal)
{
    assert_int_equal(run(f, "replay", "--verify", journal, NULL), 0);
}

static void a_reduction_stands_in_every_later_run_until_it_is_resumed(void **state)
{
    fixture_t *f = *state;
    char journal[SCRATCH_PATH_MAX + 16];
    snprintf(journal, sizeof journal, "%s/journal", f->runtime);
    json_decref(begin(f, 1000, ENDLESS_FEED, "--journal", journal, NULL));
    program_t p;
    assert_int_equal(call(f, "reduce", "no new risk", "--json", &p), 0);
    json_t *told = json_loads(p.out, 0, NULL);
    assert_string_equal(text(told, "state"), "reducing");
    assert_string_equal(text(told, "by"), "an operator");
    assert_string_equal(text(told, "reason"), "no new risk");
    assert_true(json_integer_value(json_object_get(told, "since_ns")) > 0);
    json_decref(told);
    program_clear(&p);
    await_rejects(f, "reducing");
    json_t *summary = await_state(f, "reducing");
    assert_true(json_is_false(json_object_get(json_object_get(summary, "risk"), "halted")));
    assert_reducing_because(summary, "an operator", "no new risk");
    json_decref(summary);
    stop(f);
    assert_text_holds(f->start.out, "only closing orders pass risk: no new risk");
    assert_int_equal(events(journal, "reduce", "operator", "no new risk"), 1);

    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    summary = await_state(f, "reducing");
    assert_int_equal(number(summary, "risk", "passed"), 0); /* there is nothing to close */
    assert_reducing_because(summary, "an operator", "no new risk");
    json_decref(summary);
    kill(f->start.pid, SIGKILL);
    assert_ended_with(f, 128 + SIGKILL);
    while (processes_of(f->bus))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);

    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    json_decref(await_state(f, "reducing"));
    do_it(f, "resume", "it is over", NULL);
    json_decref(await_state(f, "active"));
    assert_int_equal(call(f, "resume", "once more", NULL, &p), 1);
    assert_text_holds(p.err, "risk is not halted");
    program_clear(&p);
    stop(f);
    assert_text_holds(f->start.err, "only closing orders pass, as it was before: no new risk");
    assert_int_equal(files_in_run_directory(f), 0);
    verify(f, journal);
}

static void reduce_never_loosens_a_halt_and_resume_reduced_lets_closing_orders_pass(void **state)
{
    fixture_t *f = *state;
    char journal[SCRATCH_PATH_MAX + 16];
    snprintf(journal, sizeof journal, "%s/journal", f->runtime);
    json_decref(begin(f, 1000, ENDLESS_FEED, "--journal", journal, NULL));
    program_t p;
    assert_int_equal(call(f, "resume", "nothing to", "--reduced", &p), 1);
    assert_text_holds(p.err, "risk is not halted");
    program_clear(&p);
    do_it(f, "halt", "stop all", NULL);
    assert_int_equal(call(f, "reduce", "or some", NULL, &p), 0);
    assert_text_holds(p.out, "halted: no order passes since ");
    assert_text_holds(p.err, "it is halted, and stays so (stop all)");
    program_clear(&p);
    json_decref(await_state(f, "halted"));
    assert_int_equal(call(f, "resume", "close it", "--reduced", &p), 0);
    assert_text_holds(p.out, "closing orders pass risk again");
    program_clear(&p);
    json_t *summary = await_state(f, "reducing");
    assert_reducing_because(summary, "an operator", "close it");
    json_decref(summary);
    await_rejects(f, "reducing");
    do_it(f, "resume", "fine", NULL);
    json_decref(await_state(f, "active"));
    stop(f);
    verify(f, journal);
}

#define LOSES "--set", "risk.loss_max_e4=1"

static void what_was_lost_holds_in_the_next_run_whoever_saw_it(void **state)
{
    fixture_t *f = *state;
    static const char why[] = "is more than risk.loss_max_e4 allows, 0.0001";
    char journal[SCRATCH_PATH_MAX + 16];
    snprintf(journal, sizeof journal, "%s/journal", f->runtime);
    json_decref(begin(f, 1000, ENDLESS_FEED, LOSES, "--journal", journal, NULL));
    json_t *summary = await_state(f, "reducing");
    json_decref(summary);
    do {
        summary = wait_for(f, 0);
    } while (!json_is_true(json_object_get(json_object_get(summary, "risk"), "reducing")) &&
             (json_decref(summary), true));
    assert_reducing_because(summary, "risk, as the loss limit was reached", why);
    json_decref(summary);
    stop(f);
    assert_int_equal(events(journal, "reduce", "loss", why), 1);
    verify(f, journal);
    assert_int_equal(files_in_run_directory(f), 1);

    /* Replaying it loses as much, and that is nobody's business. */
    remove_standing(f);
    assert_int_equal(run(f, "replay", journal, LOSES, NULL), 0);
    assert_int_equal(files_in_run_directory(f), 0);

    /* The supervisor is dead before risk has found it out. */
    json_decref(begin(f, 1000, ENDLESS_FEED, LOSES, NULL));
    kill(f->start.pid, SIGKILL);
    assert_ended_with(f, 128 + SIGKILL);
    while (processes_of(f->bus))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    summary = await_state(f, "reducing");
    assert_reducing_because(summary, "risk, as the loss limit was reached", why);
    json_decref(summary);
    do_it(f, "resume", "it was a test", NULL);
    json_decref(await_state(f, "active"));
    stop(f);
}

static void a_file_that_was_made_by_hand_reduces_as_the_command_does(void **state)
{
    fixture_t *f = *state;
    char file[SCRATCH_PATH_MAX + 48];
    snprintf(file, sizeof file, "%s/tickbus/%s.reduce", f->runtime, f->bus);
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    assert_true(file_write(file, "7 by hand\n", 10));
    json_t *summary = await_state(f, "reducing");
    while (!strstr(text(json_object_get(summary, "risk"), "reduce_reason"), "7 by hand")) {
        json_decref(summary); /* it is there before it says why */
        summary = await_state(f, "reducing");
    }
    assert_reducing_because(summary, "an operator", "7 by hand");
    json_decref(summary);
    do_it(f, "resume", "mended", NULL);
    json_decref(await_state(f, "active"));
    assert_int_not_equal(access(file, F_OK), 0);
    assert_true(file_write(file, "", 0));
    json_decref(await_state(f, "reducing"));
    do_it(f, "resume", "mended", NULL);
    stop(f);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reduction_stands_in_every_later_run_until_it_is_resumed),
        TEST(reduce_never_loosens_a_halt_and_resume_reduced_lets_closing_orders_pass),
        TEST(what_was_lost_holds_in_the_next_run_whoever_saw_it),
        TEST(a_file_that_was_made_by_hand_reduces_as_the_command_does),
    };
    return cmocka_run_group_tests_name("reduce", tests, NULL, NULL);
}
