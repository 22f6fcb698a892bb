/* SPDX-License-Identifier: Apache-2.0 */
/* round.h - one of many runs, as --ab, --ladder and --until-ci make them: what the pipeline says on
 * stderr meanwhile is kept back, and shown only when it fails; on a terminal one line says how far
 * it all is. */
#ifndef TICKBUS_TOOLS_LATENCY_ROUND_H
#define TICKBUS_TOOLS_LATENCY_ROUND_H

#include <stdbool.h>

#include "tools/latency/run.h"

#define ROUND_WORDS_MAX 64u /* that are added to a command line */

typedef struct round_line {
    int argc; /* the command line that all rounds share; argv[0] is the verb */
    char **argv;
    /* what this one has before these, which say better, and behind them, which it says better */
    const char *defaults[4];
    unsigned defaults_count;
    const char *words[ROUND_WORDS_MAX];
    unsigned words_count;
} round_line_t;

/* Only parse it. OUTCOME_OK; else stderr has been told why. */
int round_parse(const round_line_t *line, run_spec_t *out_spec);

/* Run it. `spec` is large, and must stay as it is while the result is reported; the words too.
 * OUTCOME_OK: *out_result is filled, to be cleared; *out_stopped: somebody ended it before time,
 * so there should be no more. Else stderr has been told why. */
int round_measure(const round_line_t *line, run_spec_t *spec, run_result_t *out_result,
                  bool *out_stopped);

/* The line on a terminal, in place of the one before (on a dumb one below it); nothing on anything
 * else. */
void round_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* No line any more. */
void round_progress_end(void);

#endif
