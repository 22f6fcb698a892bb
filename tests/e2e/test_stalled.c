/* SPDX-License-Identifier: Apache-2.0 */
/* A stage that stands still while the others wait for it: it is named, with what it holds up; and
 * killed only if that is what was asked for. */
#include "tests/e2e/running_bus.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

/* What `busctl status` says of the process of a stage: NULL (of no interest), null, or an object.
 * Lives as long as the summary. */
static const json_t *stalled(const json_t *summary, const char *stage)
{
    size_t i, k;
    json_t *process, *name;
    json_array_foreach(json_object_get(summary, "processes"), i, process)
    {
        json_array_foreach(json_object_get(process, "stages"), k, name)
        {
            if (strcmp(json_string_value(name), stage) == 0)
                return json_object_get(process, "stalled");
        }
    }
    return NULL;
}

/* How many messages of a topic wait for the stage; `what`: "behind" or "claimed". */
static json_int_t held_up(const json_t *alarm, const char *topic, const char *what)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(alarm, "holds_up"), i, item)
    {
        if (strcmp(json_string_value(json_object_get(item, "topic")), topic) == 0 &&
            json_object_get(item, what))
            return json_integer_value(json_object_get(item, what));
    }
    return 0;
}

/* Ask until the stage is, or is not, said to stand still, with so many messages of md waiting for
 * it. To be json_decref'ed. */
static json_t *wait_for_alarm(fixture_t *f, const char *stage, bool wanted, json_int_t behind_min)
{
    for (;;) {
        json_t *summary = ask(f, "status", NULL);
        const json_t *alarm = stalled(summary, stage);
        if (json_is_object(alarm) == wanted &&
            (!wanted || held_up(alarm, "md", "behind") >= behind_min))
            return summary;
        json_decref(summary);
        if (program_ended(&f->start))
            fail_msg("it ended early: %s", f->start.err);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

static void a_stopped_stage_is_named_with_what_it_holds_up_and_left_alive(void **state)
{
    fixture_t *f = *state;
    json_t *summary = begin(f, 1000, ENDLESS_FEED, "--layout", "split", "--json", NULL);
    pid_t executor = process_of(summary, "executor");
    json_decref(summary);
    kill(executor, SIGSTOP);
    summary = wait_for_alarm(f, "executor", true, 1000);
    const json_t *alarm = stalled(summary, "executor");
    assert_string_equal(json_string_value(json_object_get(alarm, "how")), "stopped");
    assert_true(json_real_value(json_object_get(alarm, "for_s")) >= 0.1);
    assert_true(json_is_null(stalled(summary, "feed")) && json_is_null(stalled(summary, "risk")));
    json_decref(summary);
    const char *const argv[] = {TICKBUS_BUSCTL, "status", "--name", f->bus, NULL};
    program_t status = {.argv = argv};
    assert_int_equal(program_run(&status), 0);
    assert_text_holds(status.out, "STALLED");
    assert_text_holds(status.out, "[executor] stopped for ");
    assert_text_holds(status.out, " behind");
    program_clear(&status);

    kill(executor, SIGCONT); /* nobody has killed it */
    json_decref(wait_for_alarm(f, "executor", false, 0));
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    char says[100];
    snprintf(says, sizeof says,
             "stage 'executor' (process %d) is stopped, by SIGSTOP or a debugger, for 0.",
             (int)executor);
    assert_text_holds(f->start.err, says);
    assert_text_holds(f->start.err, "it holds up: md ");
    snprintf(says, sizeof says, "'executor' (process %d) goes on", (int)executor);
    assert_text_holds(f->start.err, says);
    summary = final_object(f);
    assert_complete(summary);
    assert_text_holds(json_string_value(json_array_get(json_object_get(summary, "notes"), 0)),
                      "'executor'");
    json_decref(summary);
}

/* Have it stopped by us, as by a debugger. False: nobody may be traced here. */
static bool trace(pid_t pid)
{
    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
        return false;
    int status;
    assert_int_equal(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), 0);
    assert_int_equal(waitpid(pid, &status, __WALL), pid);
    return true;
}

static void skip_tracing(fixture_t *f)
{
    print_message("skipped: nobody may be traced here, or the architecture is not known\n");
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    skip();
}

static void a_stage_in_a_debugger_is_named_and_left_alive(void **state)
{
    fixture_t *f = *state;
    json_t *summary =
        begin(f, 1000, ENDLESS_FEED, "--layout", "fused", "--set", "layout.pin=false", NULL);
    pid_t strategy = process_of(summary, "strategy");
    json_decref(summary);
    if (!trace(strategy))
        skip_tracing(f);
    summary = wait_for_alarm(f, "strategy", true, 1);
    assert_string_equal(json_string_value(json_object_get(stalled(summary, "strategy"), "how")),
                        "stopped");
    json_decref(summary);
    assert_int_equal(ptrace(PTRACE_DETACH, strategy, NULL, NULL), 0);
    json_decref(wait_for_alarm(f, "strategy", false, 0));
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
}

static void past_the_deadline_a_stopped_stage_is_killed_and_the_run_ends_with_its_name(void **state)
{
    fixture_t *f = *state;
    static const char *const stages[] = {"feed", "strategy", "risk", "executor"};
    for (int i = 0; i < 4; i++) {
        char says[100], journal[128];
        snprintf(journal, sizeof journal, "%s/journal-%d", f->runtime, i);
        json_t *summary = begin(f, 1000, ENDLESS_FEED, "--layout", "split", "--json", "--journal",
                                journal, "--set", "supervisor.stall_ms_max=300", NULL);
        pid_t pid = process_of(summary, stages[i]);
        json_decref(summary);
        kill(pid, SIGSTOP);
        assert_ended_with(f, 1);
        snprintf(says, sizeof says, "stage '%s' (process %d) is stopped", stages[i], (int)pid);
        assert_text_holds(f->start.err, says);
        snprintf(says, sizeof says, "'%s' (process %d) has stood still for 300 ms", stages[i],
                 (int)pid);
        summary = final_object(f);
        const json_t *errors = json_object_get(summary, "errors");
        assert_text_holds(json_string_value(json_array_get(errors, 0)), says);
        snprintf(says, sizeof says, "stage '%s' (process %d) was killed by SIGKILL", stages[i],
                 (int)pid);
        assert_text_holds(json_string_value(json_array_get(errors, 1)), says);
        /* The others were let go on: the recorder has saved all that was on the way. */
        assert_true(number(summary, "journal", "records") >=
                    number(json_object_get(summary, "topics"), "md", "published"));
        json_decref(summary);
        assert_int_equal(processes_of(f->bus), 0);
    }
}

/* What it executes next becomes a jump to itself. False: not on this architecture. */
static bool make_it_turn_for_ever(pid_t pid)
{
#if defined(__x86_64__) || defined(__aarch64__)
    struct user_regs_struct registers;
    struct iovec area = {.iov_base = &registers, .iov_len = sizeof registers};
    assert_int_equal(ptrace(PTRACE_GETREGSET, pid, (void *)(uintptr_t)NT_PRSTATUS, &area), 0);
#ifdef __x86_64__
    uintptr_t next = registers.rip;
    static const unsigned char jump[] = {0xeb, 0xfe};
#else
    uintptr_t next = registers.pc;
    static const unsigned char jump[] = {0x00, 0x00, 0x00, 0x14};
#endif
    errno = 0;
    long word = ptrace(PTRACE_PEEKTEXT, pid, (void *)next, NULL);
    assert_int_equal(errno, 0);
    memcpy(&word, jump, sizeof jump);
    assert_int_equal(ptrace(PTRACE_POKETEXT, pid, (void *)next, (void *)word), 0);
    return true;
#else
    (void)pid;
    return false;
#endif
}

static void a_stage_that_turns_for_ever_is_named_and_past_the_deadline_killed(void **state)
{
    fixture_t *f = *state;
    json_t *summary = begin(f, 1000, ENDLESS_FEED, "--layout", "split", "--json", "--set",
                            "supervisor.stall_ms_max=1500", NULL);
    pid_t executor = process_of(summary, "executor");
    json_decref(summary);
    if (!trace(executor))
        skip_tracing(f);
    bool turns = make_it_turn_for_ever(executor);
    assert_int_equal(ptrace(PTRACE_DETACH, executor, NULL, NULL), 0);
    if (!turns)
        skip_tracing(f);
    summary = wait_for_alarm(f, "executor", true, 1000);
    assert_string_equal(json_string_value(json_object_get(stalled(summary, "executor"), "how")),
                        "busy");
    json_decref(summary);
    assert_ended_with(f, 1);
    assert_text_holds(f->start.err, "is busy with something that does not end, for ");
    assert_text_holds(f->start.err, "has stood still for 1500 ms");
    assert_text_holds(f->start.err, "was killed by SIGKILL");
}

static void assert_interrupted_without_a_note(fixture_t *f)
{
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    json_t *summary = final_object(f);
    assert_complete(summary);
    assert_int_equal(json_array_size(json_object_get(summary, "notes")), 0);
    json_decref(summary);
}

/* Every process sleeps nearly all the time, some for as long as they may. */
static void who_has_nothing_to_do_is_left_in_peace(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 5, "--feed", "synth:seed=3,messages=100000", "--pace", "4/s", "--wait",
                      "park", "--layout", "split", "--json", "--set", "supervisor.stall_ms_max=100",
                      NULL));
    assert_interrupted_without_a_note(f);
}

/* More of them than CPUs, and none ever sleeps. */
static void who_waits_for_a_cpu_is_left_in_peace(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 20000, "--feed", "synth:seed=3,messages=100000000", "--pace", "20000/s",
                      "--wait", "spin", "--layout", "split", "--json", "--set", "layout.cpus=0",
                      "--set", "supervisor.stall_ms_max=100", NULL));
    assert_interrupted_without_a_note(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_stopped_stage_is_named_with_what_it_holds_up_and_left_alive),
        TEST(a_stage_in_a_debugger_is_named_and_left_alive),
        TEST(past_the_deadline_a_stopped_stage_is_killed_and_the_run_ends_with_its_name),
        TEST(a_stage_that_turns_for_ever_is_named_and_past_the_deadline_killed),
        TEST(who_has_nothing_to_do_is_left_in_peace),
        TEST(who_waits_for_a_cpu_is_left_in_peace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
