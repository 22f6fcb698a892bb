/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/command.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/program.h"
#include "tools/measure/sides.h"

#define LIMIT_NS UINT64_C(600000000000) /* of one run */

typedef struct command {
    char *const *arguments;
    int said, talk; /* what it prints on stdout and stderr */
} command_t;

/* The process becomes the program. */
static int become(side_t *me, void *context)
{
    const command_t *c = context;
    dup2(c->said, STDOUT_FILENO);
    dup2(c->talk, STDERR_FILENO);
    signal(SIGPIPE, SIG_DFL);
    execv(c->arguments[0], c->arguments);
    return sides_fail(me, -errno, "cannot run it: %s", strerror(errno));
}

static void show(int talk)
{
    char text[4096];
    ssize_t got;
    lseek(talk, 0, SEEK_SET);
    while ((got = read(talk, text, sizeof text)) > 0)
        fwrite(text, 1, (size_t)got, stderr);
}

json_t *command_json(const char *const *arguments, int cpu)
{
    tbus_error_t err;
    json_error_t wrong;
    command_t command = {
        .arguments = (char *const *)(uintptr_t)arguments,
        .said = bench_must(memfd_create("said", MFD_CLOEXEC), arguments[0], "no memory"),
        .talk = bench_must(memfd_create("talk", MFD_CLOEXEC), arguments[0], "no memory")};
    sides_spec_t spec = {
        .what = arguments[0], .count = 1, .cpus = {cpu}, .run = become, .context = &command};
    int code = sides_run(&spec, LIMIT_NS, &err);
    lseek(command.said, 0, SEEK_SET);
    json_t *object = code < 0 ? NULL : json_loadfd(command.said, 0, &wrong);
    if (!object) {
        show(command.talk);
        bench_must(-1, arguments[0], code < 0 ? err.text : wrong.text);
    }
    close(command.said);
    close(command.talk);
    return object;
}
