/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/verbs.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
    return verb_hint(verb);
}

int verb_hint(const char *verb)
{
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

/* Asked of the pipe itself: errno may be from anything since the write that failed. */
static bool reader_has_gone(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = 0};
    return poll(&out, 1, 0) > 0 && (out.revents & POLLERR);
}

int verb_printed(const char *verb)
{
    int why = ferror(stdout) ? errno : 0; /* of the write that failed, if nobody has touched it since */
    if (fflush(stdout) != 0)
        why = errno;
    else if (!ferror(stdout))
        return VERB_OK;
    if (why == EPIPE || reader_has_gone())
        return VERB_OK;
    return verb_failed(verb, "cannot write to stdout: %s", strerror(why ? why : EIO));
}

int verb_help(const char *verb, const char *text)
{
    fputs(text, stdout);
    return verb_printed(verb);
}
