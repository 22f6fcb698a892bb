/* SPDX-License-Identifier: Apache-2.0 */
/* busctl halt needs nobody: not a reason that fits, nor a supervisor that lives. */
#include "tests/e2e/running_bus.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "risk/kill_switch.h"
#include "tools/control/members.h"

/* busctl halt: its exit code; what it printed stays in *out. */
static int halt(const fixture_t *f, const char *reason, program_t *out)
{
    const char *const argv[] = {TICKBUS_BUSCTL, "halt", "--name", f->bus, "--reason", reason, NULL};
    *out = (program_t){.argv = argv};
    int code = program_run(out);
    out->argv = NULL;
    return code;
}

static void assert_halted_because(fixture_t *f, const char *reason)
{
    json_t *summary = ask(f, "status", NULL);
    const json_t *risk = json_object_get(summary, "risk");
    const json_t *details = json_object_get(risk, "halt");
    assert_true(json_is_true(json_object_get(risk, "halted")));
    assert_string_equal(json_string_value(json_object_get(risk, "halt_reason")), reason);
    assert_true(json_is_true(json_object_get(details, "answered")));
    assert_int_equal(json_integer_value(json_object_get(details, "unconfirmed")), 0);
    assert_int_equal(number(summary, "executor", "open_orders"), 0);
    json_decref(summary);
}

static void it_halts_before_it_looks_at_the_reason(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    char longest[301];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    static const struct {
        const char *given, *kept;
    } reasons[] = {{"limit breached\nhost: h7\n", "limit breached host: h7"},
                   {"caf\xe9", "caf?"},
                   {"", "no reason was given"}};
    program_t p;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        assert_int_equal(halt(f, reasons[i].given, &p), 0);
        assert_text_holds(p.out, "halted: no order passes since ");
        assert_text_holds(p.err, "the reason is kept as");
        program_clear(&p);
        assert_halted_because(f, reasons[i].kept);
    }
    assert_int_equal(halt(f, longest, &p), 0);
    program_clear(&p);
    longest[255] = 0;
    assert_halted_because(f, longest);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    assert_text_holds(f->start.err, "risk halted: limit breached host: h7");
}

static void it_halts_while_the_supervisor_is_stopped(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    kill(f->start.pid, SIGSTOP);
    program_t p;
    assert_int_equal(halt(f, "nobody answers", &p), 0);
    assert_text_holds(p.out, ", unconfirmed 0");
    assert_text_holds(p.err, "is stopped");
    program_clear(&p);
    kill(f->start.pid, SIGCONT);
    assert_halted_because(f, "nobody answers");
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    assert_text_holds(f->start.err, "risk halted: nobody answers");
}

static void an_executor_that_is_stopped_leaves_it_unconfirmed(void **state)
{
    fixture_t *f = *state;
    /* Another stage has the word in its name, and comes first. */
    json_t *summary = begin(f, 1000, ENDLESS_FEED, "--layout", "split", "--set",
                            "stages.not_the_executor.kind=strategy", NULL);
    pid_t executor = process_of(summary, "executor");
    json_decref(summary);
    kill(executor, SIGSTOP);
    program_t p;
    char says[64];
    snprintf(says, sizeof says, "the executor (process %d, stopped)", (int)executor);
    assert_int_equal(halt(f, "is it there", &p), 1);
    assert_text_holds(p.err, says);
    assert_text_holds(p.err, "the halt is set");
    assert_string_equal(p.out, "");
    program_clear(&p);
    kill(executor, SIGCONT);
    assert_int_equal(halt(f, "it is", &p), 0);
    program_clear(&p);
    assert_halted_because(f, "it is");
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
}

/* The feed's process has not the memory of all topics, and is the last of them. (One that is
 * stopped by a signal would go on when its supervisor dies: its process group is orphaned then.) */
static void it_halts_when_only_the_feed_is_left_of_a_dead_supervisor(void **state)
{
    fixture_t *f = *state;
    json_t *summary = begin(f, 1000, ENDLESS_FEED, "--layout", "split", NULL);
    pid_t feed = process_of(summary, "feed"), executor = process_of(summary, "executor");
    json_decref(summary);
    if (ptrace(PTRACE_SEIZE, feed, 0, 0) < 0)
        skip(); /* this host does not let us */
    assert_int_equal(ptrace(PTRACE_INTERRUPT, feed, 0, 0), 0);
    assert_int_equal(waitpid(feed, NULL, __WALL), feed);
    kill(f->start.pid, SIGKILL);
    program_wait(&f->start);
    while (kill(executor, 0) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    program_t p;
    if (halt(f, "is anybody there", &p) != 0)
        fail_msg("%s", p.err);
    assert_text_holds(p.out, ", unconfirmed 0");
    assert_text_holds(p.err, "its supervisor has died");
    program_clear(&p);
    kill(feed, SIGKILL);
    waitpid(feed, NULL, __WALL);
    while (processes_of(f->bus))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_int_equal(run(f, "start", SHORT_FEED, NULL), 0);
    assert_text_holds(f->start.err, "risk halted, as it was before: is anybody there");
}

static void stages_halt_by_themselves_when_nothing_is_heard_of_their_supervisor(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    kill(f->start.pid, SIGSTOP);
    /* Seen from another process, since the supervisor does not answer. */
    tbus_rundir_t dir;
    members_t members;
    tbus_bus_t bus;
    kill_switch_t *kill_switch;
    kill_switch_state_t seen;
    assert_int_equal(tbus_rundir_open(false, &dir, NULL), 0);
    assert_int_equal(members_read(&dir, f->bus, &members, NULL), 0);
    assert_int_equal(members_attach(&members, f->bus, &bus, NULL), 0);
    assert_int_equal(kill_switch_find(&bus, &kill_switch, NULL), 0);
    do {
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        kill_switch_look(kill_switch, &seen);
    } while (!seen.thrown || !seen.answered);
    assert_int_equal(seen.by, KILL_BY_SILENCE);
    assert_int_not_equal(seen.pid, f->start.pid);
    tbus_bus_close(&bus);
    tbus_rundir_close(&dir);
    kill(f->start.pid, SIGCONT);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 1);
    assert_text_holds(f->start.err, "halted by its own stages");
}

/* What is left of a bus whose supervisor has died: a process that has its memory, and answers like
 * an executor. */
static pid_t leave_executor(const fixture_t *f)
{
    int told[2];
    char byte;
    assert_int_equal(pipe(told), 0);
    pid_t child = fork();
    if (child == 0) {
        tbus_bus_t bus;
        tbus_rundir_t dir;
        kill_switch_t *kill_switch;
        members_t members = {.count = 1, .list[0] = {.pid = getpid(), .name = "executor"}};
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (tbus_rundir_open(true, &dir, NULL) < 0 || tbus_bus_create(f->bus, &bus, NULL) < 0 ||
            kill_switch_add(&bus, &kill_switch, NULL) < 0 ||
            tbus_participant_add(&bus, "executor", NULL) != 1 ||
            tbus_participant_live(&bus, 1, NULL) < 0)
            _exit(1);
        members.fds[members.fds_count++] = bus.directory_segment.fd;
        if (tbus_bus_keep(&bus, NULL) < 0 || members_write(&dir, f->bus, &members, NULL) < 0 ||
            write(told[1], "x", 1) != 1)
            _exit(1);
        for (;;) {
            uint32_t generation = kill_switch_generation(kill_switch);
            if (generation)
                kill_switch_answer(kill_switch, generation, 3, 0);
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
    }
    close(told[1]);
    assert_int_equal(read(told[0], &byte, 1), 1);
    close(told[0]);
    return child;
}

static void what_a_dead_supervisor_left_is_halted_and_not_trodden_on(void **state)
{
    fixture_t *f = *state;
    pid_t executor = leave_executor(f);
    program_t p;
    assert_int_equal(halt(f, "its supervisor is dead", &p), 0);
    assert_text_holds(p.out, "; cancelled 3, unconfirmed 0");
    assert_text_holds(p.err, "its supervisor has died");
    program_clear(&p);
    const char *const unnamed[] = {TICKBUS_BUSCTL, "halt", "--reason", "which one?", NULL};
    p = (program_t){.argv = unnamed};
    assert_int_equal(program_run(&p), 0);
    program_clear(&p);

    char says[96];
    snprintf(says, sizeof says, "'executor' (process %d) of a bus '%s' whose supervisor has died",
             (int)executor, f->bus);
    assert_int_equal(run(f, "start", SHORT_FEED, NULL), 1);
    assert_text_holds(f->start.err, says);
    kill(executor, SIGKILL);
    waitpid(executor, NULL, 0);
    assert_int_equal(halt(f, "nobody is left", &p), 0);
    assert_text_holds(p.out, "has died, and its stages have halted and ended");
    program_clear(&p);
    assert_int_equal(run(f, "start", SHORT_FEED, NULL), 0);
    assert_text_holds(f->start.err, "risk halted, as it was before: nobody is left");
    assert_int_equal(files_in_run_directory(f), 1); /* it was not resumed */
}

/* The events of a journal that are of this kind; *out_last: the last of them. */
static unsigned count_events(const json_t *info, const char *kind, const char *from,
                             const json_t **out_last)
{
    size_t i;
    unsigned count = 0;
    json_t *event;
    json_array_foreach(json_object_get(info, "events"), i, event)
    {
        if (strcmp(json_string_value(json_object_get(event, "kind")), kind) != 0 ||
            strcmp(json_string_value(json_object_get(event, "from")), from) != 0)
            continue;
        *out_last = event;
        count++;
    }
    return count;
}

static void expect_event(const json_t *info, const char *kind, const char *from, const char *text)
{
    const json_t *event = NULL;
    unsigned count = count_events(info, kind, from, &event);
    if (count != 1)
        fail_msg("%u events '%s' from %s", count, kind, from);
    assert_string_equal(json_string_value(json_object_get(event, "text")), text);
    if (*text) {
        assert_int_equal(json_integer_value(json_object_get(event, "uid")), geteuid());
        assert_true(json_integer_value(json_object_get(event, "time_ns")) > 0);
    }
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

static uint64_t orders_passed(fixture_t *f)
{
    json_t *summary = ask(f, "status", NULL);
    uint64_t passed = number(summary, "risk", "passed");
    json_decref(summary);
    return passed;
}

static void wait_until_halted(fixture_t *f)
{
    for (bool halted = false; !halted;) {
        json_t *summary = ask(f, "status", NULL);
        const json_t *risk = json_object_get(summary, "risk");
        halted = json_is_true(json_object_get(risk, "halted")) &&
                 json_is_true(json_object_get(json_object_get(risk, "halt"), "answered"));
        json_decref(summary);
    }
}

/* A file is there before it says why. */
static void wait_until_the_reason_is(fixture_t *f, const char *reason)
{
    for (bool is = false; !is;) {
        json_t *summary = ask(f, "status", NULL);
        const char *now =
            json_string_value(json_object_get(json_object_get(summary, "risk"), "halt_reason"));
        is = now && strcmp(now, reason) == 0;
        json_decref(summary);
    }
}

static void assert_halted_from_the_start(fixture_t *f, const char *reason)
{
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    wait_until_halted(f);
    assert_halted_because(f, reason);
    assert_int_equal(orders_passed(f), 0);
}

static void resume_because(fixture_t *f, const char *reason)
{
    json_t *reply = ask(f, "risk.resume", json_pack("{s:s}", "reason", reason));
    assert_non_null(reply);
    json_decref(reply);
}

/* Whatever became of the run in which it was ordered: ended, killed, and everybody with it. */
static void a_halt_stands_in_every_later_run_until_it_is_resumed(void **state)
{
    fixture_t *f = *state;
    program_t p;
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    assert_int_equal(halt(f, "not again", &p), 0);
    program_clear(&p);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);

    assert_halted_from_the_start(f, "not again");
    kill(f->start.pid, SIGKILL);
    assert_ended_with(f, 128 + SIGKILL);
    while (processes_of(f->bus))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);

    assert_halted_from_the_start(f, "not again");
    resume_because(f, "mended");
    while (orders_passed(f) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    assert_text_holds(f->start.err, "risk halted, as it was before: not again");
    assert_int_equal(files_in_run_directory(f), 0);
}

static void a_file_and_a_signal_halt_as_the_command_does(void **state)
{
    fixture_t *f = *state;
    char file[SCRATCH_PATH_MAX + 48];
    snprintf(file, sizeof file, "%s/tickbus/%s.halt", f->runtime, f->bus);
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    assert_true(file_write(file, "", 0));
    wait_until_halted(f);
    assert_true(file_write(file, "by hand\n", 8));
    wait_until_the_reason_is(f, "by hand");
    wait_until_halted(f);
    assert_halted_because(f, "by hand");
    resume_because(f, "mended");
    assert_int_not_equal(access(file, F_OK), 0);
    assert_int_equal(mkfifo(file, 0600), 0); /* whatever it is: it is there */
    wait_until_halted(f);
    resume_because(f, "mended");
    kill(f->start.pid, SIGUSR2);
    wait_until_halted(f);
    assert_halted_because(f, "SIGUSR2");
    assert_int_equal(access(file, F_OK), 0);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
}

static void what_was_done_to_a_run_is_in_its_journal(void **state)
{
    fixture_t *f = *state;
    char journal[128], file[128];
    snprintf(journal, sizeof journal, "%s/journal", f->runtime);
    snprintf(file, sizeof file, "%s/limits.yaml", f->runtime);
    assert_true(file_write(file, "risk: {max_order_qty: 500}\n", 27));
    json_decref(begin(f, 1000, ENDLESS_FEED, "--journal", journal, "-c", file, NULL));
    program_t p;
    assert_int_equal(halt(f, "prices \"wrong\"", &p), 0);
    program_clear(&p);
    json_t *reply = ask(f, "risk.resume", json_pack("{s:s}", "reason", "mended"));
    assert_non_null(reply);
    json_decref(reply);
    assert_true(file_write(file, "risk: {max_order_qty: 400}\n", 27));
    kill(f->start.pid, SIGHUP);
    for (uint64_t changes = 0; changes == 0;) { /* taken by risk: with an order */
        json_t *summary = ask(f, "status", NULL);
        changes = number(summary, "risk", "limits_changes");
        json_decref(summary);
    }
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    json_t *info = journal_info(journal);
    expect_event(info, "halt", "risk", "prices \"wrong\"");
    expect_event(info, "halt", "executor", "prices \"wrong\"");
    expect_event(info, "resume", "risk", "mended");
    expect_event(info, "resume", "executor", "mended");
    expect_event(info, "limits", "supervisor", "risk.max_order_qty from 500 to 400");
    expect_event(info, "limits", "risk", "");
    expect_event(info, "stop", "supervisor", "SIGINT");
    const json_t *provenance = json_object_get(info, "provenance");
    assert_string_equal(json_string_value(json_object_get(provenance, "bus")), f->bus);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(provenance, "command"), 1)), "start");
    assert_int_equal(number(json_object_get(info, "configuration"), "risk", "max_order_qty"), 500);
    json_decref(info);

    /* a configuration that starts the same run */
    const char *const argv[] = {TICKBUS_BUSCTL, "journal", "config", journal, NULL};
    p = (program_t){.argv = argv};
    assert_int_equal(program_run(&p), 0);
    assert_true(file_write(file, p.out, strlen(p.out)));
    program_clear(&p);
    const char *const check[] = {TICKBUS_BUSCTL, "config", "check", file, NULL};
    p = (program_t){.argv = check};
    assert_int_equal(program_run(&p), 0);
    program_clear(&p);
}

static void ctrl_z_does_not_suspend_it(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    json_t *summary = ask(f, "status", NULL);
    kill(process_of(summary, "executor"), SIGTSTP);
    json_decref(summary);
    kill(f->start.pid, SIGTSTP);
    json_decref(wait_for(f, 2000)); /* it still answers */
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    assert_text_holds(f->start.err, "it cannot be suspended");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_halts_before_it_looks_at_the_reason),
        TEST(it_halts_while_the_supervisor_is_stopped),
        TEST(an_executor_that_is_stopped_leaves_it_unconfirmed),
        TEST(it_halts_when_only_the_feed_is_left_of_a_dead_supervisor),
        TEST(stages_halt_by_themselves_when_nothing_is_heard_of_their_supervisor),
        TEST(what_a_dead_supervisor_left_is_halted_and_not_trodden_on),
        TEST(ctrl_z_does_not_suspend_it),
        TEST(a_halt_stands_in_every_later_run_until_it_is_resumed),
        TEST(a_file_and_a_signal_halt_as_the_command_does),
        TEST(what_was_done_to_a_run_is_in_its_journal),
    };
    return cmocka_run_group_tests_name("halt", tests, NULL, NULL);
}
