/* SPDX-License-Identifier: Apache-2.0 */
/* A recording that falls behind: the recorder is stopped, or only the thread that syncs is. It is
 * told once, in status and in the summary as well, and again when it is over; and no order passes
 * if that is what was asked for. */
#include "tests/e2e/running_bus.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static const json_t *journal_of(const json_t *summary)
{
    return json_object_get(summary, "journal");
}

/* Ask until the recording is, or is not, late. To be json_decref'ed. */
static json_t *wait_until(fixture_t *f, bool late)
{
    for (;;) {
        json_t *summary = ask(f, "status", NULL);
        const json_t *said = json_object_get(journal_of(summary), "late");
        if (said && json_is_true(said) == late)
            return summary;
        json_decref(summary);
        if (program_ended(&f->start))
            fail_msg("it ended early: %s", f->start.err);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

static const char *journal_in(const fixture_t *f, char out_path[SCRATCH_PATH_MAX + 16])
{
    snprintf(out_path, SCRATCH_PATH_MAX + 16, "%s/journal", f->runtime);
    return out_path;
}

/* How often stderr says it. */
static unsigned times_said(const fixture_t *f, const char *text)
{
    unsigned count = 0;
    for (const char *at = f->start.err; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

static void a_stopped_recorder_is_late_and_told_once_and_again_when_it_is_over(void **state)
{
    fixture_t *f = *state;
    char path[SCRATCH_PATH_MAX + 16];
    json_t *summary = begin(f, 1000, ENDLESS_FEED, "--layout", "split", "--json", "--journal",
                            journal_in(f, path), "--set", "journal.lag_max_ms=200", NULL);
    pid_t recorder = process_of(summary, "recorder");
    assert_true(json_is_false(json_object_get(journal_of(summary), "late")));
    json_decref(summary);
    kill(recorder, SIGSTOP);
    summary = wait_until(f, true);
    assert_true(number(summary, "journal", "late_ms") >= 200);
    assert_int_equal(number(summary, "journal", "late_times"), 1);
    assert_true(json_is_false(json_object_get(json_object_get(summary, "risk"), "halted")));
    json_decref(summary);
    const char *const argv[] = {TICKBUS_BUSCTL, "status", "--name", f->bus, NULL};
    program_t status = {.argv = argv};
    assert_int_equal(program_run(&status), 0);
    assert_text_holds(status.out, "LATE");
    assert_text_holds(status.out, "the recording was late 1 time,");
    program_clear(&status);
    kill(recorder, SIGCONT);
    json_decref(wait_until(f, false));
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    assert_int_equal(times_said(f, "the recording is late: what was published "), 1);
    assert_int_equal(times_said(f, "is not recorded (journal.lag_max_ms=200)"), 1);
    assert_int_equal(times_said(f, "the recording is in time again; it was "), 1);
    summary = final_object(f);
    assert_complete(summary);
    assert_int_equal(number(summary, "journal", "late_times"), 1);
    assert_true(number(summary, "journal", "late_ms_max") >= 200);
    json_decref(summary);
}

static void when_the_recording_is_late_no_order_passes_if_that_is_asked_for(void **state)
{
    fixture_t *f = *state;
    char path[SCRATCH_PATH_MAX + 16];
    json_t *summary = begin(f, 1000, ENDLESS_FEED, "--layout", "split", "--json", "--journal",
                            journal_in(f, path), "--set", "journal.lag_max_ms=200", "--set",
                            "journal.when_late=halt", NULL);
    pid_t recorder = process_of(summary, "recorder");
    json_decref(summary);
    kill(recorder, SIGSTOP);
    json_decref(wait_until(f, true));
    kill(recorder, SIGCONT);
    summary = wait_until(f, false);
    const json_t *risk = json_object_get(summary, "risk");
    assert_true(json_is_true(json_object_get(risk, "halted")));
    assert_text_holds(json_string_value(json_object_get(risk, "halt_reason")),
                      "the recording is late");
    json_decref(summary);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 1); /* halted */
    assert_int_equal(times_said(f, "the recording is late: what was published "), 1);
}

/* The journal's helper thread, which syncs; 0: there is none. */
static pid_t helper_of(pid_t recorder)
{
    char path[64];
    pid_t helper = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)recorder);
    DIR *list = opendir(path);
    for (struct dirent *entry; list && !helper && (entry = readdir(list)) != NULL;) {
        char name[384], text[32] = "";
        snprintf(name, sizeof name, "%s/%s/comm", path, entry->d_name);
        FILE *file = fopen(name, "re");
        if (file && fgets(text, sizeof text, file) && strcmp(text, "tbus-journal\n") == 0)
            helper = (pid_t)strtol(entry->d_name, NULL, 10);
        if (file)
            fclose(file);
    }
    if (list)
        closedir(list);
    return helper;
}

/* The recorder goes on, and nothing of it comes onto the disk. */
static void a_disk_that_does_not_keep_up_is_late_as_well(void **state)
{
    fixture_t *f = *state;
    char path[SCRATCH_PATH_MAX + 16];
    int status;
    json_t *summary = begin(f, 1000, ENDLESS_FEED, "--layout", "split", "--json", "--journal",
                            journal_in(f, path), "--set", "journal.lag_max_ms=200", "--set",
                            "journal.durability=sync-batch", NULL);
    pid_t helper = helper_of(process_of(summary, "recorder"));
    json_decref(summary);
    assert_true(helper > 0);
    bool traced = ptrace(PTRACE_SEIZE, helper, NULL, NULL) == 0;
    if (traced) {
        assert_int_equal(ptrace(PTRACE_INTERRUPT, helper, NULL, NULL), 0);
        assert_int_equal(waitpid(helper, &status, __WALL), helper);
        json_decref(wait_until(f, true));
        assert_int_equal(ptrace(PTRACE_DETACH, helper, NULL, NULL), 0);
        json_decref(wait_until(f, false));
    }
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    if (!traced) {
        print_message("skipped: nobody may be traced here\n");
        skip();
    }
    assert_true(times_said(f, "is not on the disk (journal.lag_max_ms=200)") >= 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_stopped_recorder_is_late_and_told_once_and_again_when_it_is_over),
        TEST(when_the_recording_is_late_no_order_passes_if_that_is_asked_for),
        TEST(a_disk_that_does_not_keep_up_is_late_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
