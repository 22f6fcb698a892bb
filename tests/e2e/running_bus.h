/* SPDX-License-Identifier: Apache-2.0 */
/* running_bus.h - a bus in a directory of its own, started, asked and stopped through the built
 * busctl, for the tests that look at it from outside. Taking it down checks that nothing is left
 * behind: no process, no file.
 */
#ifndef TICKBUS_TESTS_RUNNING_BUS_H
#define TICKBUS_TESTS_RUNNING_BUS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "tests/support/program.h"
#include "tools/control/protocol.h"
#include "tools/control/rundir.h"

#define ARGS_MAX 32

/* A feed that ends by itself at once, and one that goes on for hours. Nobody spins: the CPUs are
 * shared with other tests. */
#define SHORT_FEED "--feed", "synth:seed=3,messages=20000", "--wait", "park"
#define ENDLESS_FEED                                                                               \
    "--feed", "synth:seed=3,messages=100000000", "--pace", "20000/s", "--wait", "park"

typedef struct fixture {
    char runtime[SCRATCH_PATH_MAX];
    char bus[24];
    const char *argv[ARGS_MAX];
    program_t start;
} fixture_t;

static inline int set_up(void **state)
{
    static unsigned number;
    fixture_t *f = calloc(1, sizeof *f);
    if (!f || !TICKBUS_BUSCTL[0])
        return -1;
    scratch_create_runtime(f->runtime);
    snprintf(f->bus, sizeof f->bus, "e2e-%d-%u", (int)getpid(), number++);
    *state = f;
    return 0;
}

/* Processes whose command line names our bus: the supervisor and its children. */
static inline unsigned processes_of(const char *bus)
{
    unsigned count = 0;
    DIR *list = opendir("/proc");
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        char path[300], line[4096];
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        int fd = entry->d_name[0] >= '1' && entry->d_name[0] <= '9'
                     ? open(path, O_RDONLY | O_CLOEXEC)
                     : -1;
        ssize_t bytes = fd < 0 ? 0 : read(fd, line, sizeof line);
        count += bytes > 0 && memmem(line, (size_t)bytes, bus, strlen(bus) + 1) != NULL;
        if (fd >= 0)
            close(fd);
    }
    closedir(list);
    return count;
}

static inline unsigned files_in_run_directory(const fixture_t *f)
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

/* What was halted, or reduced to closing orders, and not resumed. */
static inline void remove_standing(const fixture_t *f)
{
    char path[SCRATCH_PATH_MAX + 48];
    snprintf(path, sizeof path, "%s/tickbus/%s.halt", f->runtime, f->bus);
    unlink(path);
    snprintf(path, sizeof path, "%s/tickbus/%s.reduce", f->runtime, f->bus);
    unlink(path);
}

static inline int tear_down(void **state)
{
    fixture_t *f = *state;
    program_clear(&f->start);
    unsigned left = processes_of(f->bus);
    remove_standing(f);
    unsigned files = scratch_remove_runtime(f->runtime);
    if (left || files)
        print_error("left behind: %u processes, %u files\n", left, files);
    free(f);
    return left || files ? -1 : 0;
}

/* `busctl start --name BUS ...`: the arguments end with NULL. */
static inline void prepare(fixture_t *f, const char *verb, va_list arguments)
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

static inline int run(fixture_t *f, const char *verb, ...)
{
    va_list arguments;
    va_start(arguments, verb);
    prepare(f, verb, arguments);
    va_end(arguments);
    return program_run(&f->start);
}

/* Ask the bus; NULL while there is none. To be json_decref'ed. */
static inline json_t *ask(const fixture_t *f, const char *method, json_t *params)
{
    tbus_rundir_t dir;
    control_answer_t answer = {0};
    if (tbus_rundir_open(false, &dir, NULL) < 0)
        return NULL;
    int fd = tbus_rundir_connect(&dir, f->bus, NULL);
    if (fd >= 0) {
        control_call(fd, method, params, 10000, &answer, NULL);
        close(fd);
    }
    tbus_rundir_close(&dir);
    return answer.result;
}

static inline uint64_t number(const json_t *summary, const char *section, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(json_object_get(summary, section), key));
}

/* Wait until the bus is in this state and `messages` have gone through, and say how it is then. To
 * be json_decref'ed. */
static inline json_t *wait_in_state(fixture_t *f, const char *wanted, unsigned messages)
{
    for (;;) {
        json_t *summary = ask(f, "status", NULL);
        const char *state = json_string_value(json_object_get(summary, "state"));
        if (state && strcmp(state, wanted) == 0 && number(summary, "feed", "messages") >= messages)
            return summary;
        json_decref(summary);
        if (program_ended(&f->start))
            fail_msg("it ended early: %s", f->start.err);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

static inline json_t *wait_for(fixture_t *f, unsigned messages)
{
    return wait_in_state(f, "running", messages);
}

/* Start in the background; it may come to the end of its feed before anybody has asked. */
static inline void launch(fixture_t *f, ...)
{
    va_list arguments;
    va_start(arguments, f);
    prepare(f, "start", arguments);
    va_end(arguments);
    assert_true(program_start(&f->start));
}

/* The same, of a verb that runs a bus of its own. */
static inline void launch_verb(fixture_t *f, const char *verb, ...)
{
    va_list arguments;
    va_start(arguments, verb);
    prepare(f, verb, arguments);
    va_end(arguments);
    assert_true(program_start(&f->start));
}

/* Start in the background and wait until `messages` have gone through. */
static inline json_t *begin(fixture_t *f, unsigned messages, ...)
{
    va_list arguments;
    va_start(arguments, messages);
    prepare(f, "start", arguments);
    va_end(arguments);
    assert_true(program_start(&f->start));
    return wait_for(f, messages);
}

/* SIGHUP, with `text` in the file; then wait for the sentence that stderr ends with, which must
 * hold `says`. */
static inline void hang_up(fixture_t *f, const char *path, const char *text, const char *says)
{
    char *said = NULL;
    assert_true(file_write(path, text, strlen(text)));
    kill(f->start.pid, SIGHUP);
    for (bool heard = false; !heard;) {
        char at[64];
        free(said);
        snprintf(at, sizeof at, "/proc/self/fd/%d", f->start.err_fd);
        said = file_read(at, NULL);
        heard = said && strstr(said, says);
        if (!heard && program_ended(&f->start))
            fail_msg("it ended: %s", f->start.err);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    free(said);
}

static inline pid_t process_of(const json_t *summary, const char *stage)
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

static inline void assert_text_holds(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

static inline void assert_ended_with(fixture_t *f, int exit_code)
{
    program_wait(&f->start);
    if (f->start.exit_code != exit_code)
        fail_msg("exit code %d instead of %d: %s", f->start.exit_code, exit_code, f->start.err);
}

static inline json_t *final_object(const fixture_t *f)
{
    json_error_t why;
    json_t *summary = json_loads(f->start.out, JSON_REJECT_DUPLICATES, &why);
    if (!summary)
        fail_msg("stdout is no JSON (%s): %s", why.text, f->start.out);
    return summary;
}

/* Everything published was taken by everybody, every stage came to its end, nothing was allocated
 * on the way. */
static inline void assert_complete(const json_t *summary)
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
            assert_int_equal(json_integer_value(json_object_get(subscriber, "consumed")),
                             published);
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

#endif
