/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor from outside: what starts, what stops it, what it says, and that nothing is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include <tickbus/journal.h>

#include "tests/support/program.h"
#include "tools/control.h"
#include "tools/rundir.h"

#define ARGS_MAX 24

/* A feed that ends by itself at once, and one that goes on for hours. */
#define SHORT_FEED   "--feed", "synth:seed=3,messages=20000"
#define ENDLESS_FEED "--feed", "synth:seed=3,messages=100000000", "--pace", "20000/s"

typedef struct fixture {
    char runtime[SCRATCH_PATH_MAX];
    char bus[24];
    const char *argv[ARGS_MAX];
    program_t start;
} fixture_t;

static int set_up(void **state)
{
    static unsigned number;
    fixture_t *f = calloc(1, sizeof *f);
    if (!f || !TICKBUS_BUSCTL[0])
        return -1;
    scratch_create(f->runtime);
    setenv("XDG_RUNTIME_DIR", f->runtime, 1);
    snprintf(f->bus, sizeof f->bus, "e2e-%d-%u", (int)getpid(), number++);
    *state = f;
    return 0;
}

/* Processes whose command line names our bus: the supervisor and its children. */
static unsigned processes_of(const char *bus)
{
    unsigned count = 0;
    DIR *list = opendir("/proc");
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        char path[300], line[4096];
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        int fd = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        ssize_t bytes = fd < 0 ? 0 : read(fd, line, sizeof line);
        count += bytes > 0 && memmem(line, (size_t)bytes, bus, strlen(bus) + 1) != NULL;
        if (fd >= 0)
            close(fd);
    }
    closedir(list);
    return count;
}

static unsigned files_in_run_directory(const fixture_t *f)
{
    char path[SCRATCH_PATH_MAX + 16];
    unsigned count = 0;
    snprintf(path, sizeof path, "%s/tickbus", f->runtime);
    DIR *list = opendir(path);
    for (struct dirent *entry; list && (entry = readdir(list)) != NULL;)
        count += entry->d_name[0] != '.';
    if (list)
        closedir(list);
    return count;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    program_clear(&f->start);
    unsigned left = processes_of(f->bus);
    unsigned files = files_in_run_directory(f);
    if (left || files)
        print_error("left behind: %u processes, %u files\n", left, files);
    scratch_remove(f->runtime);
    free(f);
    return left || files ? -1 : 0;
}

/* `busctl start --name BUS ...`: the arguments end with NULL. */
static void prepare(fixture_t *f, const char *verb, va_list arguments)
{
    unsigned count = 0;
    program_clear(&f->start);
    f->argv[count++] = TICKBUS_BUSCTL;
    f->argv[count++] = verb;
    f->argv[count++] = "--name";
    f->argv[count++] = f->bus;
    for (const char *argument; (argument = va_arg(arguments, const char *)) != NULL;) {
        assert_true(count < ARGS_MAX - 1);
        f->argv[count++] = argument;
    }
    f->argv[count] = NULL;
    f->start = (program_t){.argv = f->argv};
}

static int run(fixture_t *f, const char *verb, ...)
{
    va_list arguments;
    va_start(arguments, verb);
    prepare(f, verb, arguments);
    va_end(arguments);
    return program_run(&f->start);
}

/* Ask the bus; NULL while there is none. To be json_decref'ed. */
static json_t *ask(const fixture_t *f, const char *method, json_t *params)
{
    rundir_t dir;
    control_answer_t answer = {0};
    if (rundir_open(false, &dir, NULL) < 0)
        return NULL;
    int fd = rundir_connect(&dir, f->bus, NULL);
    if (fd >= 0) {
        control_call(fd, method, params, 10000, &answer, NULL);
        close(fd);
    }
    rundir_close(&dir);
    return answer.result;
}

static uint64_t number(const json_t *summary, const char *section, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(json_object_get(summary, section), key));
}

/* Wait until `messages` have gone through, and say how the bus is then. To be json_decref'ed. */
static json_t *wait_for(fixture_t *f, unsigned messages)
{
    for (;;) {
        json_t *summary = ask(f, "status", NULL);
        const char *state = json_string_value(json_object_get(summary, "state"));
        if (state && strcmp(state, "running") == 0 && number(summary, "feed", "messages") >= messages)
            return summary;
        json_decref(summary);
        if (program_ended(&f->start))
            fail_msg("it ended early: %s", f->start.err);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

/* Start in the background and wait until `messages` have gone through. */
static json_t *begin(fixture_t *f, unsigned messages, ...)
{
    va_list arguments;
    va_start(arguments, messages);
    prepare(f, "start", arguments);
    va_end(arguments);
    assert_true(program_start(&f->start));
    return wait_for(f, messages);
}

static pid_t process_of(const json_t *summary, const char *stage)
{
    size_t i, k;
    json_t *process, *name;
    json_array_foreach(json_object_get(summary, "processes"), i, process)
    {
        json_array_foreach(json_object_get(process, "stages"), k, name)
        {
            if (strcmp(json_string_value(name), stage) == 0)
                return (pid_t)json_integer_value(json_object_get(process, "pid"));
        }
    }
    return 0;
}

static void assert_text_holds(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void assert_ended_with(fixture_t *f, int exit_code)
{
    program_wait(&f->start);
    if (f->start.exit_code != exit_code)
        fail_msg("exit code %d instead of %d: %s", f->start.exit_code, exit_code, f->start.err);
}

static json_t *final_object(const fixture_t *f)
{
    json_error_t why;
    json_t *summary = json_loads(f->start.out, JSON_REJECT_DUPLICATES, &why);
    if (!summary)
        fail_msg("stdout is no JSON (%s): %s", why.text, f->start.out);
    return summary;
}

/* Everything published was taken by everybody, every stage came to its end, nothing was allocated on the way. */
static void assert_complete(const json_t *summary)
{
    const char *topic;
    json_t *ring, *subscriber, *stage;
    size_t i;
    json_object_foreach(json_object_get(summary, "topics"), topic, ring)
    {
        json_int_t published = json_integer_value(json_object_get(ring, "published"));
        json_array_foreach(json_object_get(ring, "subscribers"), i, subscriber)
        {
            assert_int_equal(json_integer_value(json_object_get(subscriber, "lost")), 0);
            assert_int_equal(json_integer_value(json_object_get(subscriber, "consumed")), published);
        }
    }
    json_array_foreach(json_object_get(summary, "stages"), i, stage)
    {
        assert_string_equal(json_string_value(json_object_get(stage, "state")), "halt");
        assert_int_equal(json_integer_value(json_object_get(stage, "hot_allocations")), 0);
    }
    assert_int_equal(json_array_size(json_object_get(summary, "errors")), 0);
    assert_string_equal(json_string_value(json_object_get(summary, "state")), "ended");
}

/* --- a run from its start to its end */

static void without_any_flag_it_runs_the_synthetic_feed_and_says_what_happened(void **state)
{
    fixture_t *f = *state;
    const char *const argv[] = {TICKBUS_BUSCTL, "start", NULL};
    program_t p = {.argv = argv};
    assert_int_equal(program_run(&p), 0);
    static const char *const parts[] = {"bus 'tickbus', ran for",
                                        "messages/s from synth",
                                        "books ",
                                        "orders ",
                                        "tick to order",
                                        "md ",
                                        "layout "};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        assert_text_holds(p.out, parts[i]);
    assert_text_holds(p.err, "pages");
    assert_null(strchr(p.err, '\r')); /* progress is for terminals */
    program_clear(&p);
    assert_int_equal(files_in_run_directory(f), 0);
}

static void both_layouts_give_a_complete_summary(void **state)
{
    fixture_t *f = *state;
    static const char *const keys[] = {
        "name",    "source", "duration_s", "feed",  "topics",     "orders", "books",     "risk",   "executor",
        "journal", "pnl_e4", "positions",  "pages", "latency_ns", "layout", "processes", "stages", "errors"};
    static const char *const orders[] = {"sent", "accepted", "rejected", "filled", "cancelled"};
    static const char *const books[] = {"symbols", "live_orders", "unknown_order_refs", "executed_shares",
                                        "bbo_changes"};
    static const char *const ranks[] = {"p50", "p99", "p99_9", "max", "count"};
    for (int split = 0; split < 2; split++) {
        const char *layout = split ? "split" : "fused";
        char journal[128];
        snprintf(journal, sizeof journal, "%s/%s", f->runtime, layout);
        assert_int_equal(
            run(f, "start", SHORT_FEED, "--json", "--layout", layout, "--journal", journal, NULL), 0);
        json_t *summary = final_object(f);
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            if (!json_object_get(summary, keys[i]))
                fail_msg("no %s", keys[i]);
        for (size_t i = 0; i < 5; i++) {
            assert_true(json_is_integer(json_object_get(json_object_get(summary, "orders"), orders[i])));
            assert_true(json_is_integer(json_object_get(json_object_get(summary, "books"), books[i])));
            const json_t *latency = json_object_get(summary, "latency_ns");
            assert_true(number(latency, "tick_to_order", ranks[i]) > 0);
            assert_true(number(latency, "tick_to_report", ranks[i]) > 0);
        }
        assert_complete(summary);
        assert_string_equal(json_string_value(json_object_get(summary, "layout")), layout);
        assert_int_equal(json_array_size(json_object_get(summary, "processes")), split ? 5 : 2);
        assert_int_equal(number(summary, "feed", "messages"), 20000);
        assert_true(number(summary, "orders", "sent") > 0);
        assert_int_equal(number(summary, "orders", "sent"),
                         number(summary, "orders", "accepted") + number(summary, "orders", "rejected"));
        assert_int_equal(number(summary, "orders", "accepted"),
                         number(summary, "orders", "filled") + number(summary, "orders", "cancelled"));
        const json_t *topics = json_object_get(summary, "topics");
        assert_int_equal(number(topics, "md", "published"), 20000);
        assert_int_equal(number(summary, "journal", "records"),
                         number(topics, "md", "published") + number(topics, "bbo", "published") +
                             number(topics, "orders", "published") + number(topics, "approved", "published") +
                             number(topics, "reports", "published"));
        json_decref(summary);
    }
}

static void the_smallest_rings_change_nothing_in_what_is_decided(void **state)
{
    fixture_t *f = *state;
    char first[200] = "";
    for (int small = 0; small < 2; small++) {
        char journal[128];
        snprintf(journal, sizeof journal, "%s/%d", f->runtime, small);
        const char *slots = small ? "64" : "16384";
        char set[5][40];
        static const char *const topics[] = {"md", "bbo", "orders", "approved", "reports"};
        for (int i = 0; i < 5; i++)
            snprintf(set[i], sizeof set[i], "topics.%s.slots=%s", topics[i], slots);
        assert_int_equal(run(f, "start", SHORT_FEED, "--json", "--layout", "fused", "--journal", journal,
                             "--set", set[0], "--set", set[1], "--set", set[2], "--set", set[3], "--set",
                             set[4], NULL),
                         0);
        json_t *summary = final_object(f);
        assert_complete(summary);
        char *decided = json_dumps(json_object_get(summary, "orders"), JSON_COMPACT | JSON_SORT_KEYS);
        if (small)
            assert_string_equal(decided, first);
        snprintf(first, sizeof first, "%s", decided);
        free(decided);
        json_decref(summary);
    }
}

static void for_ends_a_feed_that_would_go_on(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(run(f, "start", ENDLESS_FEED, "--for", "300ms", "--json", NULL), 0);
    json_t *summary = final_object(f);
    assert_complete(summary);
    assert_true(number(summary, "feed", "messages") > 0);
    assert_true(json_real_value(json_object_get(summary, "duration_s")) >= 0.3);
    json_decref(summary);
}

static void a_replay_of_a_fused_run_sends_the_same_orders(void **state)
{
    fixture_t *f = *state;
    char journal[128];
    snprintf(journal, sizeof journal, "%s/journal", f->runtime);
    assert_int_equal(run(f, "start", SHORT_FEED, "--layout", "fused", "--json", "--journal", journal, NULL),
                     0);
    json_t *live = final_object(f);
    assert_int_equal(run(f, "replay", journal, "--layout", "fused", "--json", NULL), 0);
    json_t *again = final_object(f);
    assert_complete(again);
    assert_true(json_equal(json_object_get(live, "orders"), json_object_get(again, "orders")));
    assert_true(json_equal(json_object_get(live, "books"), json_object_get(again, "books")));
    assert_true(json_equal(json_object_get(live, "positions"), json_object_get(again, "positions")));
    json_decref(live);
    json_decref(again);
}

/* --- what stops it */

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
    stopped_by(f, SIGHUP, "fused");
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

static void a_second_signal_ends_it_at_once(void **state)
{
    fixture_t *f = *state;
    json_t *summary = begin(f, 1000, ENDLESS_FEED, "--layout", "split", NULL);
    kill(process_of(summary, "risk"), SIGSTOP); /* so that it cannot be drained */
    json_decref(summary);
    kill(f->start.pid, SIGINT);
    for (;;) {
        summary = ask(f, "status", NULL);
        bool stopping = strcmp(json_string_value(json_object_get(summary, "state")), "stopping") == 0;
        json_decref(summary);
        if (stopping)
            break;
    }
    kill(f->start.pid, SIGINT);
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
        assert_text_holds(json_string_value(json_array_get(json_object_get(summary, "errors"), 0)), says);
        if (i < 4) /* the recorder has saved all that was on the way */
            assert_true(number(summary, "journal", "records") >=
                        number(json_object_get(summary, "topics"), "md", "published"));
        json_decref(summary);
        assert_int_equal(processes_of(f->bus), 0);
    }
}

static void a_process_of_several_stages_is_named_with_all_of_them(void **state)
{
    fixture_t *f = *state;
    json_t *summary = begin(f, 1000, ENDLESS_FEED, "--layout", "fused", "--set", "layout.pin=false", NULL);
    kill(process_of(summary, "executor"), SIGABRT);
    json_decref(summary);
    assert_ended_with(f, 1);
    assert_text_holds(f->start.err, "executor' (process ");
    assert_text_holds(f->start.err, "was killed by SIGABRT");
}

static void a_stage_that_fails_says_why(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(run(f, "start", SHORT_FEED, "--set", "books.orders_max=16", "--layout", "split", NULL),
                     1);
    assert_text_holds(f->start.err, "failed: ");
    assert_text_holds(f->start.err, "orders_max");
}

static void a_stage_that_hangs_is_named_when_the_run_cannot_be_drained(void **state)
{
    fixture_t *f = *state;
    json_t *summary = begin(f, 1000, ENDLESS_FEED, "--layout", "split", "--set", "bus.drain_s_max=1", NULL);
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
        assert_int_equal(run(f, "start", "--feed", "itch:/nowhere/at.all", "--journal", journal, "--layout",
                             split ? "split" : "fused", NULL),
                         1);
        assert_text_holds(f->start.err, "stage 'feed' failed: ");
        assert_text_holds(f->start.err, "/nowhere/at.all");
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
    int code;
    assert_int_equal(tbus_journal_open(journal, &reader, NULL), 0);
    while ((code = tbus_journal_next(reader, &record, NULL)) == 1)
        records++;
    assert_int_equal(code, 0);
    assert_int_equal(tbus_journal_reader_end(reader), TBUS_JOURNAL_CLOSED);
    assert_true(records >= 1000);
    tbus_journal_reader_close(reader);

    assert_int_equal(files_in_run_directory(f), 2); /* what it could not tidy up, the next one does */
    assert_int_equal(run(f, "start", SHORT_FEED, NULL), 0);
}

/* --- while it runs */

static void status_shows_a_running_bus(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    const char *const json_argv[] = {TICKBUS_BUSCTL, "status", "--json", "--name", f->bus, NULL};
    const char *const text_argv[] = {TICKBUS_BUSCTL, "status", NULL};
    program_t status = {.argv = json_argv};
    assert_int_equal(program_run(&status), 0);
    json_t *summary = json_loads(status.out, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(summary, "state")), "running");
    assert_string_equal(json_string_value(json_object_get(summary, "name")), f->bus);
    assert_true(number(summary, "feed", "messages") >= 1000);
    json_decref(summary);
    program_clear(&status);
    status = (program_t){.argv = text_argv};
    assert_int_equal(program_run(&status), 0);
    assert_text_holds(status.out, "running for");
    program_clear(&status);

    kill(f->start.pid, SIGUSR1); /* the same on stderr */
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    assert_text_holds(f->start.err, "messages/s from synth");

    status = (program_t){.argv = text_argv};
    assert_int_equal(program_run(&status), 1);
    assert_text_holds(status.err, "no bus is running");
    program_clear(&status);
}

static void buses_of_different_names_run_side_by_side(void **state)
{
    fixture_t *f = *state;
    fixture_t other = *f;
    snprintf(other.bus, sizeof other.bus, "%.20s-2", f->bus);
    json_decref(begin(f, 100, ENDLESS_FEED, NULL));
    json_decref(begin(&other, 100, ENDLESS_FEED, NULL));
    const char *const argv[] = {TICKBUS_BUSCTL, "stop", NULL};
    program_t stop = {.argv = argv};
    assert_int_equal(program_run(&stop), 1);
    assert_text_holds(stop.err, "2 buses are running");
    assert_text_holds(stop.err, "--name");
    program_clear(&stop);
    kill(f->start.pid, SIGTERM);
    assert_ended_with(f, 0);
    json_t *summary = ask(&other, "status", NULL);
    assert_string_equal(json_string_value(json_object_get(summary, "state")), "running");
    json_decref(summary);
    kill(other.start.pid, SIGTERM);
    assert_ended_with(&other, 0);
    program_clear(&other.start);
}

static void the_kill_switch_stops_orders_and_nothing_else(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 5000, ENDLESS_FEED, "--json", NULL));
    assert_null(ask(f, "risk.halt", NULL)); /* not without a reason */
    json_t *answer = ask(f, "risk.halt", json_pack("{s:s}", "reason", "a test wants it"));
    assert_true(json_is_true(json_object_get(answer, "halted")));
    json_decref(answer);
    for (;;) {
        json_t *summary = ask(f, "status", NULL);
        uint64_t refused = number(json_object_get(summary, "risk"), "rejects", "kill_switch");
        json_decref(summary);
        if (refused)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    assert_text_holds(f->start.err, "risk halted: a test wants it");
    json_t *summary = final_object(f);
    assert_complete(summary);
    assert_int_equal(number(summary, "executor", "open_orders"), 0);
    json_decref(summary);
}

/* --- tap */

static void tap_prints_as_many_messages_as_it_is_told(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    const char *const argv[] = {TICKBUS_BUSCTL, "tap",    "md",     "--json", "--count",
                                "50",           "--from", "oldest", NULL};
    program_t tap = {.argv = argv};
    assert_int_equal(program_run(&tap), 0);
    unsigned lines = 0;
    json_int_t seq = 0;
    for (char *line = strtok(tap.out, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        json_t *message = json_loads(line, 0, NULL);
        assert_non_null(message);
        assert_int_equal(json_integer_value(json_object_get(message, "seq")), ++seq);
        json_decref(message);
    }
    assert_int_equal(lines, 50);
    program_clear(&tap);
    const char *const wrong[] = {TICKBUS_BUSCTL, "tap", "nothing", NULL};
    tap = (program_t){.argv = wrong};
    assert_int_equal(program_run(&tap), 1);
    assert_text_holds(tap.err, "there is no topic 'nothing'; there are: md, bbo, orders, approved, reports");
    program_clear(&tap);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
}

static void tap_ends_with_the_bus_and_holds_nobody_up(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    const char *const argv[] = {TICKBUS_BUSCTL, "tap", "bbo", "--from", "oldest", NULL};
    program_t tap = {.argv = argv};
    program_t held = {.argv = argv}; /* one that hangs */
    assert_true(program_start(&tap) && program_start(&held));
    kill(held.pid, SIGSTOP);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    program_wait(&tap);
    if (tap.exit_code != 0) /* it came too late to attach */
        assert_text_holds(tap.err, "no bus");
    else
        assert_true(tap.out_bytes > 0);
    program_clear(&tap);
    program_clear(&held);
}

static void tap_writes_to_a_named_pipe_and_takes_it_away_again(void **state)
{
    fixture_t *f = *state;
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/pipe", f->runtime);
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    const char *const tap_argv[] = {TICKBUS_BUSCTL, "tap", "md",     "--fifo", path,
                                    "--count",      "20",  "--from", "oldest", NULL};
    const char *const cat_argv[] = {"bash", "-c", "until [ -p \"$0\" ]; do :; done; wc -l <\"$0\"", path,
                                    NULL};
    program_t tap = {.argv = tap_argv};
    program_t cat = {.argv = cat_argv};
    assert_true(program_start(&tap) && program_start(&cat));
    program_wait(&tap);
    program_wait(&cat);
    assert_int_equal(tap.exit_code, 0);
    assert_string_equal(cat.out, "20\n");
    assert_true(stat(path, &st) < 0 && errno == ENOENT);
    program_clear(&tap);
    program_clear(&cat);

    assert_true(file_write(path, "a file", 6));
    tap = (program_t){.argv = tap_argv};
    assert_int_equal(program_run(&tap), 1);
    assert_text_holds(tap.err, "not a named pipe");
    program_clear(&tap);
    size_t bytes;
    char *kept = file_read(path, &bytes);
    assert_string_equal(kept, "a file");
    free(kept);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
}

static void tap_ends_quietly_when_nobody_reads_it(void **state)
{
    fixture_t *f = *state;
    char script[400];
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    snprintf(script, sizeof script, "set -o pipefail; '%s' tap md --from oldest | head -n 3", TICKBUS_BUSCTL);
    const char *const argv[] = {"bash", "-c", script, NULL};
    program_t p = {.argv = argv};
    assert_int_equal(program_run(&p), 0);
    assert_string_equal(p.err, "");
    program_clear(&p);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
}

/* --- the command line */

static void what_cannot_be_understood_is_a_usage_error_with_a_hint(void **state)
{
    (void)state;
    static const char *const lines[][6] = {
        {NULL},
        {"strat", NULL},
        {"--nope", NULL},
        {"start", "--nope", NULL},
        {"start", "here", NULL},
        {"start", "--feed", NULL},
        {"start", "--feed", "ouch:x", NULL},
        {"start", "--pace", "fast", NULL},
        {"start", "--layout", "fuse", NULL},
        {"start", "--name", "a/b", NULL},
        {"start", "--for", "10", NULL},
        {"start", "--set", "topics.md.slots", NULL},
        {"start", "--set", "topics.md.slots=3", NULL},
        {"replay", NULL},
        {"replay", "a", "b", NULL},
        {"replay", "a", "--feed", "synth", NULL},
        {"tap", NULL},
        {"tap", "md", "--count", "0", NULL},
        {"tap", "md", "--from", "then", NULL},
        {"stop", "now", NULL},
        {"status", "--jason", NULL},
        {"config", NULL},
        {"config", "show", "x", NULL},
        {"config", "check", NULL},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const char *argv[8] = {TICKBUS_BUSCTL};
        for (size_t k = 0; lines[i][k]; k++)
            argv[k + 1] = lines[i][k];
        program_t p = {.argv = argv};
        if (program_run(&p) != 2)
            fail_msg("busctl %s %s: %d %s", argv[1], argv[1] ? argv[2] : "", p.exit_code, p.err);
        assert_text_holds(p.err, "--help");
        assert_string_equal(p.out, "");
        program_clear(&p);
    }
}

static void every_verb_has_help_with_an_example(void **state)
{
    (void)state;
    static const char *const verbs[] = {"start",   "replay", "stop", "status", "tap",
                                        "journal", "config", "ipc",  NULL};
    for (size_t i = 0; verbs[i]; i++) {
        const char *const argv[] = {TICKBUS_BUSCTL, verbs[i], "--help", NULL};
        program_t p = {.argv = argv};
        assert_int_equal(program_run(&p), 0);
        assert_text_holds(p.out, "example: busctl ");
        assert_string_equal(p.err, "");
        program_clear(&p);
    }
    const char *const help[] = {TICKBUS_BUSCTL, "--help", NULL};
    program_t p = {.argv = help};
    assert_int_equal(program_run(&p), 0);
    for (size_t i = 0; verbs[i]; i++)
        assert_text_holds(p.out, verbs[i]);
    program_clear(&p);
    const char *const version[] = {TICKBUS_BUSCTL, "--version", NULL};
    p = (program_t){.argv = version};
    assert_int_equal(program_run(&p), 0);
    assert_text_holds(p.out, "tickbus");
    program_clear(&p);
}

static void the_configuration_shown_can_be_run(void **state)
{
    fixture_t *f = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/tickbus.yaml", f->runtime);
    const char *const show[] = {TICKBUS_BUSCTL, "config", "show", SHORT_FEED, "--name", f->bus, NULL};
    program_t p = {.argv = show};
    assert_int_equal(program_run(&p), 0);
    assert_true(file_write(path, p.out, p.out_bytes));
    program_clear(&p);
    const char *const check[] = {TICKBUS_BUSCTL, "config", "check", path, NULL};
    p = (program_t){.argv = check};
    assert_int_equal(program_run(&p), 0);
    program_clear(&p);
    const char *const start[] = {TICKBUS_BUSCTL, "start", "-c", path, "--json", NULL};
    p = (program_t){.argv = start};
    assert_int_equal(program_run(&p), 0);
    json_t *summary = json_loads(p.out, 0, NULL);
    assert_int_equal(number(summary, "feed", "messages"), 20000);
    assert_string_equal(json_string_value(json_object_get(summary, "name")), f->bus);
    json_decref(summary);
    program_clear(&p);

    assert_true(file_write(path, "bus:\n  name: 5 5\n", 17));
    p = (program_t){.argv = start};
    assert_int_equal(program_run(&p), 1);
    assert_text_holds(p.err, "tickbus.yaml:2:9: bus.name is '5 5'");
    program_clear(&p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(without_any_flag_it_runs_the_synthetic_feed_and_says_what_happened),
        TEST(both_layouts_give_a_complete_summary),
        TEST(the_smallest_rings_change_nothing_in_what_is_decided),
        TEST(for_ends_a_feed_that_would_go_on),
        TEST(a_replay_of_a_fused_run_sends_the_same_orders),
        TEST(a_signal_drains_and_ends_well),
        TEST(a_signal_to_the_whole_group_reaches_the_supervisor_alone),
        TEST(stop_returns_when_the_run_has_ended),
        TEST(a_second_signal_ends_it_at_once),
        TEST(a_stage_that_is_killed_ends_the_run_with_its_name),
        TEST(a_process_of_several_stages_is_named_with_all_of_them),
        TEST(a_stage_that_fails_says_why),
        TEST(a_stage_that_hangs_is_named_when_the_run_cannot_be_drained),
        TEST(a_feed_that_cannot_be_opened_leaves_no_journal),
        TEST(when_the_supervisor_is_killed_the_stages_go_and_the_journal_is_whole),
        TEST(status_shows_a_running_bus),
        TEST(buses_of_different_names_run_side_by_side),
        TEST(the_kill_switch_stops_orders_and_nothing_else),
        TEST(tap_prints_as_many_messages_as_it_is_told),
        TEST(tap_ends_with_the_bus_and_holds_nobody_up),
        TEST(tap_writes_to_a_named_pipe_and_takes_it_away_again),
        TEST(tap_ends_quietly_when_nobody_reads_it),
        TEST(what_cannot_be_understood_is_a_usage_error_with_a_hint),
        TEST(every_verb_has_help_with_an_example),
        TEST(the_configuration_shown_can_be_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
