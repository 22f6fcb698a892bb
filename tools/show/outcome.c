/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/outcome.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "tools/show/json_text.h"
#include "tools/show/suggest.h"

static char program[32] = "busctl";

void outcome_called(const char *argv0)
{
    const char *slash = strrchr(argv0, '/');
    const char *name = slash ? slash + 1 : argv0;
    if (*name)
        snprintf(program, sizeof program, "%s", name);
}

const char *outcome_program(void)
{
    return program;
}

static void say(const char *command, const char *format, va_list arguments)
{
    fprintf(stderr, "%s: ", command);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int outcome_usage(const char *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(command, format, arguments);
    va_end(arguments);
    return outcome_hint(command);
}

int outcome_hint(const char *command)
{
    fprintf(stderr, "`%s --help` shows how it is used.\n", command);
    return OUTCOME_USAGE;
}

int outcome_option(const char *command, const char *given, const struct option *options)
{
    char meant[SUGGEST_WORD_MAX + 32];
    suggest_option(given ? given : "", options, meant, sizeof meant);
    if (!*meant)
        return outcome_hint(command);
    fprintf(stderr, "D%s `%s --help` shows how it is used.\n", meant + 3, command);
    return OUTCOME_USAGE;
}

int outcome_failed(const char *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(command, format, arguments);
    va_end(arguments);
    return OUTCOME_FAILED;
}

void outcome_note(const char *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char text[512];
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s: note: %s\n", command, text);
}

int outcome_refused(const char *command, bool json, const char *why)
{
    if (json) {
        json_t *object =
            json_pack("{s:s, s:[o]}", "state", "refused", "errors", json_text(why, strlen(why)));
        json_dumpf(object, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(object);
    }
    return outcome_failed(command, "%s", why);
}

/* Asked of the pipe itself: errno may be from anything since the write that failed. */
static bool reader_has_gone(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = 0};
    return poll(&out, 1, 0) > 0 && (out.revents & POLLERR);
}

int outcome_printed(const char *command)
{
    /* of the write that failed, if nobody has touched it since */
    int why = ferror(stdout) ? errno : 0;
    if (fflush(stdout) != 0)
        why = errno;
    else if (!ferror(stdout))
        return OUTCOME_OK;
    if (why == EPIPE || reader_has_gone())
        return OUTCOME_OK;
    return outcome_failed(command, "cannot write to stdout: %s", strerror(why ? why : EIO));
}

int outcome_help(const char *command, const char *text)
{
    static const char name[] = "busctl";
    for (const char *at; (at = strstr(text, name)) != NULL; text = at + strlen(name))
        printf("%.*s%s", (int)(at - text), text, program);
    fputs(text, stdout);
    return outcome_printed(command);
}
