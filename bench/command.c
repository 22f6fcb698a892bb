/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/program.h"
#include "tools/measure/sides.h"

#define LIMIT_NS UINT64_C(600000000000) /* of one run */

/* The same program, once or several times at once. */
typedef struct command {
    const char *const *arguments;
    const char *input; /* NULL: our own stdin */
    unsigned count;
    int said[COMMANDS_MAX], talk[COMMANDS_MAX]; /* what each prints on stdout and stderr */
} command_t;

/* The process becomes the program. */
static int become(side_t *me, void *context)
{
    const command_t *c = context;
    int input = c->input ? open(c->input, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (input < 0)
        return sides_fail(me, -errno, "cannot open %s: %s", c->input, strerror(errno));
    dup2(input, STDIN_FILENO);
    dup2(c->said[me->index], STDOUT_FILENO);
    dup2(c->talk[me->index], STDERR_FILENO);
    signal(SIGPIPE, SIG_DFL);
    execv(c->arguments[0], (char *const *)(uintptr_t)c->arguments);
    return sides_fail(me, -errno, "cannot run it: %s", strerror(errno));
}

static void show(const command_t *command)
{
    char text[4096];
    ssize_t got;
    for (unsigned i = 0; i < command->count; i++) {
        lseek(command->talk[i], 0, SEEK_SET);
        while ((got = read(command->talk[i], text, sizeof text)) > 0)
            fwrite(text, 1, (size_t)got, stderr);
    }
}

/* Run it, on each of these CPUs; what they printed is in `said`, from the beginning. A program that
 * fails is the end. */
static command_t run(const char *const *arguments, const char *input, const int *cpus,
                     unsigned count)
{
    tbus_error_t err;
    command_t command = {.arguments = arguments, .input = input, .count = count};
    sides_spec_t spec = {.what = arguments[0], .count = count, .run = become, .context = &command};
    for (unsigned i = 0; i < count; i++) {
        spec.cpus[i] = cpus[i];
        command.said[i] = bench_must(memfd_create("said", MFD_CLOEXEC), arguments[0], "no memory");
        command.talk[i] = bench_must(memfd_create("talk", MFD_CLOEXEC), arguments[0], "no memory");
    }
    int code = sides_run(&spec, LIMIT_NS, &err);
    if (code < 0) {
        show(&command);
        bench_must(code, arguments[0], err.text);
    }
    for (unsigned i = 0; i < count; i++)
        lseek(command.said[i], 0, SEEK_SET);
    return command;
}

static void drop(const command_t *command)
{
    for (unsigned i = 0; i < command->count; i++) {
        close(command->said[i]);
        close(command->talk[i]);
    }
}

void command_json_at_once(const char *const *arguments, const int *cpus, unsigned count,
                          json_t **out_objects)
{
    json_error_t wrong;
    command_t command = run(arguments, NULL, cpus, count);
    for (unsigned i = 0; i < count; i++) {
        out_objects[i] = json_loadfd(command.said[i], 0, &wrong);
        if (!out_objects[i]) {
            show(&command);
            bench_must(-1, arguments[0], wrong.text);
        }
    }
    drop(&command);
}

json_t *command_json(const char *const *arguments, int cpu)
{
    json_t *object;
    command_json_at_once(arguments, &cpu, 1, &object);
    return object;
}

void command_text(const char *const *arguments, const char *input, int cpu, char *out_text,
                  size_t text_bytes)
{
    command_t command = run(arguments, input, &cpu, 1);
    size_t length = 0;
    ssize_t got;
    while (length + 1 < text_bytes &&
           (got = read(command.said[0], out_text + length, text_bytes - 1 - length)) > 0)
        length += (size_t)got;
    out_text[length] = '\0';
    drop(&command);
}
