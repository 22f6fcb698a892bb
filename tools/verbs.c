/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/verbs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/summary.h"

static void say(const char *verb, const char *format, va_list arguments)
{
    fprintf(stderr, "%s: ", verb);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int verb_usage(const char *verb, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(verb, format, arguments);
    va_end(arguments);
    fprintf(stderr, "`%s --help` shows how it is used.\n", verb);
    return VERB_USAGE;
}

int verb_failed(const char *verb, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(verb, format, arguments);
    va_end(arguments);
    return VERB_FAILED;
}

int verb_refused(const char *verb, bool json, const char *why)
{
    if (json)
        summary_print_refusal(why, stdout);
    return verb_failed(verb, "%s", why);
}

int verb_help(const char *verb, const char *text)
{
    if (fputs(text, stdout) >= 0 && fflush(stdout) == 0)
        return VERB_OK;
    return errno == EPIPE ? VERB_OK : verb_failed(verb, "cannot write to stdout: %s", strerror(errno));
}
