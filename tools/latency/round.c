/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/round.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/show/outcome.h"
#include "tools/show/terminal.h"

typedef struct held_back {
    int talk; /* what was said goes here; -1: it is not held back */
    int real; /* a copy of stderr */
} held_back_t;

static held_back_t hold_back(void)
{
    held_back_t h = {-1, -1};
    fflush(stderr);
    h.real = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (h.real < 0)
        return h;
    h.talk = memfd_create("talk", MFD_CLOEXEC);
    if (h.talk >= 0)
        dup2(h.talk, STDERR_FILENO);
    return h;
}

static void let_go(held_back_t *h, bool show)
{
    char part[4096];
    ssize_t bytes;
    fflush(stderr);
    if (h->talk >= 0) {
        dup2(h->real, STDERR_FILENO);
        lseek(h->talk, 0, SEEK_SET);
        while (show && (bytes = read(h->talk, part, sizeof part)) > 0)
            fwrite(part, 1, (size_t)bytes, stderr);
        close(h->talk);
    }
    if (h->real >= 0)
        close(h->real);
}

/* A new array of the words; whoever parses it may move them about. */
static char **words_of(const round_line_t *line, int *out_count)
{
    size_t count = 0;
    char **words =
        calloc((size_t)line->argc + line->defaults_count + line->words_count + 1, sizeof *words);
    if (!words)
        return NULL;
    words[count++] = line->argv[0];
    for (unsigned i = 0; i < line->defaults_count; i++)
        words[count++] = (char *)line->defaults[i];
    for (int i = 1; i < line->argc; i++)
        words[count++] = line->argv[i];
    for (unsigned i = 0; i < line->words_count; i++)
        words[count++] = (char *)line->words[i];
    *out_count = (int)count;
    return words;
}

int round_parse(const round_line_t *line, run_spec_t *out_spec)
{
    int count = 0;
    char **words = words_of(line, &count);
    int code = words ? run_spec_parse(count, words, out_spec)
                     : outcome_failed(line->argv[0], "no memory for a command line");
    free(words);
    return code;
}

int round_measure(const round_line_t *line, run_spec_t *spec, run_result_t *out_result,
                  bool *out_stopped)
{
    held_back_t held = hold_back();
    int code = round_parse(line, spec);
    if (code == OUTCOME_OK)
        code = run_measure(line->argv[0], spec, out_result);
    let_go(&held, code != OUTCOME_OK);
    if (code != OUTCOME_OK)
        return code;
    *out_stopped = out_result->stopped;
    return OUTCOME_OK;
}

void round_progress(const char *format, ...)
{
    va_list arguments;
    bool dumb = terminal_is_dumb();
    if (!isatty(STDERR_FILENO))
        return;
    fputs(dumb ? "" : "\r\033[K", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs(dumb ? "\n" : "", stderr);
    fflush(stderr);
}

void round_progress_end(void)
{
    if (isatty(STDERR_FILENO) && !terminal_is_dumb())
        fputs("\r\033[K", stderr);
    fflush(stderr);
}
