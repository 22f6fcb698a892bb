/* SPDX-License-Identifier: Apache-2.0 */
/* What ends a run, in order or otherwise, and what is left when it has. */
#include "tests/e2e/running_bus.h"

#include <tickbus/msg/event.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/journal.h>

static void stopped_by(fixture_t *f, int signal_number, const char *layout)
{
    json_decref(begin(f, 1000, ENDLESS_FEED, "--json", "--layout", layout, NULL));
    kill(f->start.pid, signal_number);
    assert_ended_with(f, 0);
    json_t *summary = final_object(f);
    assert_complete(summary);
    assert_true(number(summary, "feed", "messages") >= 1000);
    assert_text_holds(f->start.err, "draining");
    json_decref(summary);
}

static void a_signal_drains_and_ends_well(void **state)
{
    fixture_t *f = *state;
    stopped_by(f, SIGINT, "fused");
    stopped_by(f, SIGTERM, "split");
}

/* A session of its own on a new terminal, so that the kernel tells it when that goes. */
static char terminal_name[64];
static void take_the_terminal(void)
{
    setsid();
    int fd = open(terminal_name, O_RDWR);
    ioctl(fd, TIOCSCTTY, 0);
    dup2(fd, STDIN_FILENO);
}

static void a_terminal_that_goes_away_drains(void **state)
{
    fixture_t *f = *state;
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    assert_int_equal(ptsname_r(terminal, terminal_name, sizeof terminal_name), 0);
    const char *const argv[] = {TICKBUS_BUSCTL, "start", ENDLESS_FEED, "--json",
                                "--name",       f->bus,  NULL};
    f->start = (program_t){.argv = argv, .in_child = take_the_terminal};
    assert_true(program_start(&f->start));
    json_decref(wait_for(f, 1000));
    close(terminal);
    assert_ended_with(f, 0);
    assert_text_holds(f->start.err, "draining");
    json_t *summary = final_object(f);
    assert_complete(summary);
    json_decref(summary);
}

static void a_signal_to_the_whole_group_reaches_the_supervisor_alone(void **state)
{
    fixture_t *f = *state;
    json_t *summary = begin(f, 1000, ENDLESS_FEED, "--layout", "split", NULL);
    static const char *const stages[] = {"feed", "strategy", "risk", "executor"};
    for (int i = 0; i < 4; i++) {
        pid_t pid = process_of(summary, stages[i]);
        assert_int_equal(getpgid(pid), pid);
        kill(pid, SIGINT);
        kill(pid, SIGTERM);
        kill(pid, SIGHUP);
    }
    json_decref(summary);
    summary = ask(f, "status", NULL);
    assert_string_equal(json_string_value(json_object_get(summary, "state")), "running");
    json_decref(summary);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
}

static void stop_returns_when_the_run_has_ended(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    const char *const argv[] = {TICKBUS_BUSCTL, "stop", NULL}; /* the only bus that is running */
    program_t stop = {.argv = argv};
    assert_int_equal(program_run(&stop), 0);
    assert_int_equal(files_in_run_directory(f), 0);
    program_clear(&stop);
    assert_ended_with(f, 0);
    assert_text_holds(f->start.out, "ran for");
}

/* As timeout(1) sends them, to its child and to the group. */
static void two_signals_in_one_breath_are_one(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 1000, ENDLESS_FEED, "--json", NULL));
    kill(f->start.pid, SIGSTOP); /* so that both are there when it looks */
    kill(f->start.pid, SIGINT);
    kill(f->start.pid, SIGTERM);
    kill(f->start.pid, SIGCONT);
    assert_ended_with(f, 0);
    json_t *summary = final_object(f);
    assert_complete(summary);
    json_decref(summary);
}

static void a_later_signal_ends_it_at_once(void **state)
{
    fixture_t *f = *state;
    json_t *summary = begin(f, 1000, ENDLESS_FEED, "--layout", "split", NULL);
    kill(process_of(summary, "risk"), SIGSTOP); /* so that it cannot be drained */
    json_decref(summary);
    while (!program_ended(&f->start)) { /* impatient */
        kill(f->start.pid, SIGINT);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    assert_ended_with(f, 1);
    assert_text_holds(f->start.err, "stopped at once");
}

static void a_stage_that_is_killed_ends_the_run_with_its_name(void **state)
{
    fixture_t *f = *state;
    static const char *const stages[] = {"feed", "strategy", "risk", "executor", "recorder"};
    for (int i = 0; i < 5; i++) {
        char journal[128], says[64];
        snprintf(journal, sizeof journal, "%s/journal-%d", f->runtime, i);
        snprintf(says, sizeof says, "stage '%s' (process ", stages[i]);
        json_t *summary =
            begin(f, 1000, ENDLESS_FEED, "--layout", "split", "--json", "--journal", journal, NULL);
        kill(process_of(summary, stages[i]), SIGKILL);
        json_decref(summary);
        assert_ended_with(f, 1);
        assert_text_holds(f->start.err, says);
        assert_text_holds(f->start.err, "was killed by SIGKILL");
        summary = final_object(f);
        assert_text_holds(json_string_value(json_array_get(json_object_get(summary, "errors"), 0)),
                          says);
        if (i < 4) /* the recorder has saved all that was on the way */
            assert_true(number(summary, "journal", "records") >=
                        number(json_object_get(summary, "topics"), "md", "published"));
        json_decref(summary);
        assert_int_equal(processes_of(f->bus), 0);
    }
}

static void a_journal_that_is_cut_under_its_recorder_ends_the_run_with_its_name(void **state)
{
    fixture_t *f = *state;
    for (int split = 0; split < 2; split++) {
        char journal[128], segment[160];
        snprintf(journal, sizeof journal, "%s/journal-%d", f->runtime, split);
        snprintf(segment, sizeof segment, "%s/00000001.tbj", journal);
        json_decref(begin(f, 5000, ENDLESS_FEED, "--layout", split ? "split" : "fused", "--json",
                          "--journal", journal, NULL));
        assert_int_equal(truncate(segment, 100000), 0);
        assert_ended_with(f, 1);
        assert_text_holds(f->start.err, "segment 00000001.tbj of the journal in ");
        assert_text_holds(f->start.err, "was cut to 100000 bytes by somebody else");
        assert_null(strstr(f->start.err, "SIGBUS"));
        json_t *summary = final_object(f);
        assert_true(json_array_size(json_object_get(summary, "errors")) > 0);
        json_decref(summary);
        const char *const info[] = {TICKBUS_BUSCTL, "journal", "info", journal, "--json", NULL};
        program_t p = {.argv = info};
        assert_int_equal(program_run(&p), 0);
        json_t *inventory = json_loads(p.out, 0, NULL);
        assert_string_equal(json_string_value(json_object_get(inventory, "end")), "broken");
        assert_true(json_integer_value(json_object_get(inventory, "records")) > 500);
        json_decref(inventory);
        program_clear(&p);
    }
}

static void a_process_of_several_stages_is_named_with_all_of_them(void **state)
{
    fixture_t *f = *state;
    json_t *summary =
        begin(f, 1000, ENDLESS_FEED, "--layout", "fused", "--set", "layout.pin=false", NULL);
    kill(process_of(summary, "executor"), SIGABRT);
    json_decref(summary);
    assert_ended_with(f, 1);
    assert_text_holds(f->start.err, "executor' (process ");
    assert_text_holds(f->start.err, "was killed by SIGABRT");
}

static void a_stage_that_fails_says_why(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(
        run(f, "start", SHORT_FEED, "--set", "books.orders_max=16", "--layout", "split", NULL), 1);
    assert_text_holds(f->start.err, "failed: ");
    assert_text_holds(f->start.err, "orders_max");
}

static void a_stage_that_hangs_is_named_when_the_run_cannot_be_drained(void **state)
{
    fixture_t *f = *state;
    json_t *summary =
        begin(f, 1000, ENDLESS_FEED, "--layout", "split", "--set", "bus.drain_s_max=1", NULL);
    kill(process_of(summary, "executor"), SIGSTOP);
    /* Until there is something that it has not taken. */
    json_decref(wait_for(f, (unsigned)number(summary, "feed", "messages") + 1000));
    json_decref(summary);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 1);
    assert_text_holds(f->start.err, "not drained after 1 s: 'executor' is ");
    assert_text_holds(f->start.err, "messages behind on topic ");
}

static void a_feed_that_cannot_be_opened_leaves_no_journal(void **state)
{
    fixture_t *f = *state;
    char journal[128];
    struct stat st;
    snprintf(journal, sizeof journal, "%s/journal", f->runtime);
    for (int split = 0; split < 2; split++) {
        assert_int_equal(run(f, "start", "--feed", "itch:/nowhere/at.all", "--journal", journal,
                             "--layout", split ? "split" : "fused", NULL),
                         1);
        assert_text_holds(f->start.err, "/nowhere/at.all");
        assert_null(strstr(f->start.err, "memory:")); /* nothing was started for this */
        assert_string_equal(f->start.out, "");
        assert_true(stat(journal, &st) < 0 && errno == ENOENT);
    }
}

static void when_the_supervisor_is_killed_the_stages_go_and_the_journal_is_whole(void **state)
{
    fixture_t *f = *state;
    char journal[128];
    snprintf(journal, sizeof journal, "%s/journal", f->runtime);
    json_decref(begin(f, 1000, ENDLESS_FEED, "--layout", "split", "--journal", journal, NULL));
    kill(f->start.pid, SIGKILL);
    program_wait(&f->start);
    while (processes_of(f->bus))
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    tbus_journal_reader_t *reader;
    tbus_journal_record_t record;
    uint64_t records = 0;
    unsigned halts = 0, orphans = 0;
    int code;
    assert_int_equal(tbus_journal_reader_open(journal, &reader, NULL), 0);
    int events = tbus_journal_reader_topic(reader, EVENT_TOPIC);
    while ((code = tbus_journal_reader_next(reader, &record, NULL)) == 1) {
        const event_t *event = record.payload;
        records++;
        halts += record.topic == events && event->kind == EVENT_HALT &&
                 event->by == EVENT_BY_ORPHAN && event->pid != (uint32_t)f->start.pid;
        orphans += record.topic == events && event->kind == EVENT_ORPHAN;
    }
    assert_true(halts >= 2);      /* as risk and executor took it; two may have thrown it */
    assert_int_equal(orphans, 5); /* feed, strategy, risk, executor, recorder */
    assert_int_equal(code, 0);
    assert_int_equal(tbus_journal_reader_end(reader), TBUS_JOURNAL_CLOSED);
    assert_true(records >= 1000);
    tbus_journal_reader_close(reader);

    /* what it could not tidy up, the next one does */
    assert_int_equal(files_in_run_directory(f), 4);
    assert_int_equal(run(f, "start", SHORT_FEED, NULL), 0);
    assert_text_holds(f->start.err, "risk (process ");
    assert_text_holds(f->start.err, "has ended, as its supervisor had died");
    assert_int_equal(files_in_run_directory(f), 0);
}

static void a_journal_that_is_removed_under_its_recorder_ends_the_run_with_its_name(void **state)
{
    fixture_t *f = *state;
    char journal[128];
    snprintf(journal, sizeof journal, "%s/journal", f->runtime);
    json_decref(begin(f, 1000, ENDLESS_FEED, "--journal", journal, NULL));
    scratch_remove(journal);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 1);
    assert_text_holds(f->start.err, journal);
    assert_text_holds(f->start.err, "was removed by somebody else");
}

static char read_only_at[SCRATCH_PATH_MAX + 8];

/* Exit code 77: it cannot be done here. */
static void mount_read_only(void)
{
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", read_only_at, "tmpfs", MS_RDONLY, NULL))
        _exit(77);
}

static void a_journal_on_a_read_only_file_system_is_refused_before_anything_is_started(void **state)
{
    fixture_t *f = *state;
    char journal[SCRATCH_PATH_MAX + 24];
    snprintf(read_only_at, sizeof read_only_at, "%s/ro", f->runtime);
    snprintf(journal, sizeof journal, "%s/journal", read_only_at);
    assert_int_equal(mkdir(read_only_at, 0755), 0);
    const char *const argv[] = {TICKBUS_BUSCTL, "start",     "--name", f->bus,
                                SHORT_FEED,     "--journal", journal,  NULL};
    program_t p = {.argv = argv, .in_child = mount_read_only};
    int code = program_run(&p);
    if (code == 77) {
        program_clear(&p);
        rmdir(read_only_at);
        printf("cannot mount a file system here: not root\n");
        skip();
    }
    assert_int_equal(code, 1);
    assert_text_holds(p.err, journal);
    assert_text_holds(p.err, "read-only file system");
    program_clear(&p);
    assert_int_equal(rmdir(read_only_at), 0);
}

#define NOBODY 65534u

static void become_nobody(void)
{
    if (setgid(NOBODY) || setuid(NOBODY))
        _exit(77);
}

static void a_journal_of_another_user_is_refused_with_its_name(void **state)
{
    fixture_t *f = *state;
    char journal[128];
    snprintf(journal, sizeof journal, "%s/journal", f->runtime);
    assert_int_equal(run(f, "start", SHORT_FEED, "--journal", journal, NULL), 0);
    assert_int_equal(chmod(f->runtime, 0711), 0);
    const char *const info[] = {TICKBUS_BUSCTL, "journal", "info", journal, NULL};
    const char *const export[] = {TICKBUS_BUSCTL, "journal", "export", journal,
                                  "--topic",      "md",      NULL};
    const char *const *commands[] = {info, export};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        program_t p = {.argv = commands[i], .in_child = become_nobody};
        int code = program_run(&p);
        if (code == 77) {
            program_clear(&p);
            printf("cannot become another user here: not root\n");
            skip();
        }
        assert_int_equal(code, 1);
        assert_text_holds(p.err, journal);
        assert_text_holds(p.err, "Permission denied");
        program_clear(&p);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_signal_drains_and_ends_well),
        TEST(a_terminal_that_goes_away_drains),
        TEST(a_signal_to_the_whole_group_reaches_the_supervisor_alone),
        TEST(stop_returns_when_the_run_has_ended),
        TEST(two_signals_in_one_breath_are_one),
        TEST(a_later_signal_ends_it_at_once),
        TEST(a_stage_that_is_killed_ends_the_run_with_its_name),
        TEST(a_journal_that_is_cut_under_its_recorder_ends_the_run_with_its_name),
        TEST(a_process_of_several_stages_is_named_with_all_of_them),
        TEST(a_stage_that_fails_says_why),
        TEST(a_stage_that_hangs_is_named_when_the_run_cannot_be_drained),
        TEST(a_feed_that_cannot_be_opened_leaves_no_journal),
        TEST(when_the_supervisor_is_killed_the_stages_go_and_the_journal_is_whole),
        TEST(a_journal_that_is_removed_under_its_recorder_ends_the_run_with_its_name),
        TEST(a_journal_on_a_read_only_file_system_is_refused_before_anything_is_started),
        TEST(a_journal_of_another_user_is_refused_with_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
