/* SPDX-License-Identifier: Apache-2.0 */
/* A stage that serves who is outside: the run neither waits for it nor fails with it, and it is
 * started again when it dies. */
#include "tests/e2e/running_bus.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <tickbus/msg/tick.h>
#include <tickbus/tickbus.h>

#include "tools/config/kinds.h"
#include "tools/config/start_options.h"
#include "tools/run/supervisor.h"

/* --- the kind: counts the ticks of `md` as an observer, and fails where the file of its parameter
 * is */

typedef struct listener_values {
    char fails_with[TBUS_PARAM_TEXT_MAX];
} listener_values_t;

typedef struct listener {
    tbus_stage_t stage; /* first */
    tbus_observer_t md;
    tbus_atomic_u64_t *seen;
    _Alignas(8) char room[TICK_LEN_MAX];
} listener_t;

static int listener_poll(tbus_stage_t *stage, uint32_t budget)
{
    listener_t *l = (listener_t *)(void *)stage;
    size_t bytes;
    uint64_t seq, lost;
    int work = 0;
    while ((uint32_t)work < budget && tbus_observe(&l->md, l->room, &bytes, &seq, &lost) > 0)
        work++;
    tbus_add_own_u64(l->seen, (uint64_t)work);
    return work;
}

static void listener_sleep(tbus_stage_t *stage, uint64_t until_ns)
{
    (void)stage;
    (void)until_ns;
    poll(NULL, 0, 1);
}

static void listener_destroy(tbus_stage_t *stage)
{
    free(stage);
}

static const tbus_stage_ops_t listener_ops = {
    .poll = listener_poll, .sleep = listener_sleep, .destroy = listener_destroy};

static int listener_create(const tbus_stage_request_t *request, tbus_stage_t **out_stage,
                           tbus_error_t *err)
{
    const listener_values_t *values = request->params;
    int md = tbus_bus_topic_index(request->bus, "md");
    if (access(values->fails_with, F_OK) == 0)
        return tbus_fail(err, -EADDRINUSE, "somebody else listens there");
    if (md < 0 || strlen(request->bus->directory->session_name) != TBUS_SESSION_NAME ||
        strcmp(request->journal, "") != 0)
        return tbus_fail(err, -EINVAL, "not what was asked for");
    listener_t *l = calloc(1, sizeof *l);
    if (!l)
        return tbus_fail(err, -ENOMEM, "no memory for a listener");
    l->stage.ops = &listener_ops;
    l->stage.bus = request->bus;
    l->stage.owner = request->owner;
    snprintf(l->stage.name, sizeof l->stage.name, "%s", request->name);
    l->seen = tbus_counter(request->bus, request->owner, "listener.seen", "ticks");
    int code = tbus_observer_join(&request->bus->rings[md], TBUS_FROM_NOW, &l->md, err);
    if (code < 0) {
        free(l);
        return code;
    }
    *out_stage = &l->stage;
    return 0;
}

static const tbus_param_t table[] = {
    {"fails_with", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(listener_values_t, fails_with),
     .may_be_empty = true, .fallback = "", .help = "a file that keeps it from listening"},
};
static const tbus_params_t params = TBUS_PARAMS(listener_values_t, table);

static const tbus_kind_t listener_kind = {
    .api = TBUS_KIND_API,
    .struct_bytes = sizeof(tbus_kind_t),
    .name = "listener",
    .help = "Counts the ticks.",
    .traits = TBUS_KIND_SERVES,
    .rank = 80,
    .params = &params,
    .create = listener_create,
};

/* --- a run of it */

static pid_t running; /* 0: none */

typedef struct started {
    pid_t pid;
    char err[SCRATCH_PATH_MAX + 16]; /* a file with what it says */
    char stop_file[SCRATCH_PATH_MAX + 16];
} started_t;

/* What `busctl start` does, in a program that knows one kind more. */
static started_t start(const fixture_t *f, const char *feed, const char *more)
{
    started_t s;
    char config[SCRATCH_PATH_MAX + 16];
    snprintf(config, sizeof config, "%s/config.yaml", f->runtime);
    snprintf(s.err, sizeof s.err, "%s/err", f->runtime);
    snprintf(s.stop_file, sizeof s.stop_file, "%s/taken", f->runtime);
    FILE *out = fopen(config, "we");
    assert_non_null(out);
    fprintf(out, "stages:\n  listener:\n    kind: listener\n    fails_with: \"%s\"\n", s.stop_file);
    assert_int_equal(fclose(out), 0);
    const char *const argv[] = {"test start", "-c",      config,   "--feed", feed, "--wait", "park",
                                "--pace",     "20000/s", "--name", f->bus,   more, NULL};
    s.pid = fork();
    if (s.pid == 0) {
        start_options_t options;
        tbus_error_t err;
        supervisor_request_t request = {.verb = argv[0], .options = &options, .no_summary = true};
        if (!freopen(s.err, "w", stderr) || kinds_add(&listener_kind, &err) < 0 ||
            start_options_parse(more ? 12 : 11, (char **)(uintptr_t)argv, true, &options) != 0)
            _exit(99);
        _exit(supervisor_run(&request));
    }
    running = s.pid;
    return s;
}

static int exit_code(const started_t *s)
{
    int status = -1;
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    running = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The status once `fits` says so. To be json_decref'ed. */
static json_t *wait_until(const fixture_t *f, bool (*fits)(const json_t *status, uint64_t value),
                          uint64_t value)
{
    for (;;) {
        json_t *status = ask(f, "status", NULL);
        if (status && fits(status, value))
            return status;
        json_decref(status);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

static const json_t *listener_process(const json_t *status)
{
    size_t i;
    const json_t *process;
    json_array_foreach(json_object_get(status, "processes"), i, process)
    {
        const json_t *name = json_array_get(json_object_get(process, "stages"), 0);
        if (strcmp(json_string_value(name), "listener") == 0)
            return process;
    }
    return NULL;
}

static uint64_t restarts(const json_t *status)
{
    return (uint64_t)json_integer_value(json_object_get(listener_process(status), "restarts"));
}

static bool listens(const json_t *status, uint64_t times)
{
    size_t i;
    const json_t *stage;
    json_array_foreach(json_object_get(status, "stages"), i, stage)
    {
        if (strcmp(json_string_value(json_object_get(stage, "name")), "listener") == 0)
            return restarts(status) == times &&
                   strcmp(json_string_value(json_object_get(stage, "state")), "run") == 0;
    }
    return false;
}

static bool is_in_state(const json_t *status, const char *state)
{
    return strcmp(json_string_value(json_object_get(status, "state")), state) == 0;
}

static bool holds(const json_t *status, uint64_t unused)
{
    (void)unused;
    return is_in_state(status, "holding");
}

static bool runs(const json_t *status, uint64_t messages)
{
    return is_in_state(status, "running") && number(status, "feed", "messages") >= messages;
}

static void read_file(const char *path, char *out_text, size_t bytes)
{
    FILE *in = fopen(path, "re");
    size_t got = in ? fread(out_text, 1, bytes - 1, in) : 0;
    out_text[got] = 0;
    if (in)
        fclose(in);
}

static void one_that_is_killed_is_started_again_and_the_run_goes_on(void **state)
{
    const fixture_t *f = *state;
    started_t s = start(f, "synth:seed=3,messages=100000000", NULL);
    for (uint64_t times = 0; times < 4; times++) {
        json_t *status = wait_until(f, listens, times);
        pid_t pid = process_of(status, "listener");
        json_decref(status);
        assert_int_equal(kill(pid, SIGKILL), 0);
    }
    json_decref(wait_until(f, listens, 4));
    json_decref(ask(f, "stop", NULL));
    assert_int_equal(exit_code(&s), 0);
}

static void one_that_cannot_be_made_any_more_is_given_up_and_said(void **state)
{
    const fixture_t *f = *state;
    char said[8192];
    started_t s = start(f, "synth:seed=3,messages=100000000", NULL);
    json_t *status = wait_until(f, listens, 0);
    FILE *taken = fopen(s.stop_file, "we");
    assert_non_null(taken);
    fclose(taken);
    assert_int_equal(kill(process_of(status, "listener"), SIGKILL), 0);
    json_decref(status);
    do {
        status = ask(f, "status", NULL);
        read_file(s.err, said, sizeof said);
        json_decref(status);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    } while (!strstr(said, "is given up"));
    status = ask(f, "status", NULL);
    uint64_t messages = number(status, "feed", "messages");
    json_decref(status);
    json_decref(wait_until(f, runs, messages + 1000));
    json_decref(ask(f, "stop", NULL));
    assert_int_equal(exit_code(&s), 1);
    read_file(s.err, said, sizeof said);
    assert_text_holds(said, "somebody else listens there");
    unlink(s.stop_file);
}

static void one_that_cannot_be_made_at_first_keeps_the_run_from_starting(void **state)
{
    const fixture_t *f = *state;
    char file[SCRATCH_PATH_MAX + 16], said[8192];
    snprintf(file, sizeof file, "%s/taken", f->runtime);
    FILE *taken = fopen(file, "we");
    assert_non_null(taken);
    fclose(taken);
    started_t s = start(f, "synth:seed=3,messages=1000", NULL);
    assert_int_equal(exit_code(&s), 1);
    read_file(s.err, said, sizeof said);
    assert_text_holds(said, "somebody else listens there");
    unlink(file);
}

static void held_the_run_serves_on_when_its_source_has_ended(void **state)
{
    const fixture_t *f = *state;
    started_t s = start(f, "synth:seed=3,messages=2000", "--hold");
    json_t *status = wait_until(f, holds, 0);
    assert_int_equal(number(status, "feed", "messages"), 2000);
    assert_int_equal(strlen(json_string_value(json_object_get(status, "session"))),
                     TBUS_SESSION_NAME);
    pid_t pid = process_of(status, "listener");
    json_decref(status);
    assert_int_equal(kill(pid, SIGKILL), 0);
    status = wait_until(f, listens, 1);
    assert_true(is_in_state(status, "holding"));
    json_decref(status);
    json_decref(ask(f, "stop", NULL));
    assert_int_equal(exit_code(&s), 0);
}

/* A run that a failed test left behind goes with its processes, which see that it has died. */
static int tear_down_run(void **state)
{
    if (running && kill(running, SIGKILL) == 0)
        waitpid(running, NULL, 0);
    running = 0;
    return tear_down(state);
}

static void a_session_has_one_name_in_the_status_and_in_the_journal(void **state)
{
    fixture_t *f = *state;
    char journal[SCRATCH_PATH_MAX + 16];
    tbus_journal_reader_t *reader;
    tbus_error_t err;
    snprintf(journal, sizeof journal, "%s/journal", f->runtime);
    json_t *status = begin(f, 100, ENDLESS_FEED, "--journal", journal, "--json", NULL);
    assert_int_equal(tbus_journal_reader_open(journal, &reader, &err), 0);
    assert_string_equal(json_string_value(json_object_get(status, "session")),
                        tbus_journal_reader_info(reader)->session_name);
    tbus_journal_reader_close(reader);
    json_decref(status);
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 0);
    scratch_remove(journal);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down_run)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(one_that_is_killed_is_started_again_and_the_run_goes_on),
        CASE(one_that_cannot_be_made_any_more_is_given_up_and_said),
        CASE(one_that_cannot_be_made_at_first_keeps_the_run_from_starting),
        CASE(a_session_has_one_name_in_the_status_and_in_the_journal),
        CASE(held_the_run_serves_on_when_its_source_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
