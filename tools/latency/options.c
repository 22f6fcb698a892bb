/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/config/start_options.h"
#include "tools/latency/turns.h"
#include "tools/show/outcome.h"

#define FLOOR_NS UINT64_C(5000000000)
#define MAX_NS   UINT64_C(300000000000)

typedef struct words {
    int argc;
    char **argv;
    int at;
} words_t;

/* "--out DIR" and "--out=DIR". False: it is another option. *out_value NULL: there is none. */
static bool takes_value(words_t *w, const char *name, const char **out_value)
{
    size_t length = strlen(name);
    const char *word = w->argv[w->at];
    if (strncmp(word, name, length) != 0 || (word[length] != 0 && word[length] != '='))
        return false;
    *out_value = word[length] ? word + length + 1 : w->at + 1 < w->argc ? w->argv[++w->at] : NULL;
    return true;
}

static int set_mode(const words_t *w, enum latency_mode mode, latency_options_t *out)
{
    if (out->mode != LATENCY_RUN && out->mode != mode)
        return outcome_usage(w->argv[0],
                             "--compare, --ab, --ladder and --until-ci exclude each other");
    out->mode = mode;
    return OUTCOME_OK;
}

static int take_two(words_t *w, enum latency_mode mode, const char *expected,
                    latency_options_t *out)
{
    if (w->at + 2 >= w->argc)
        return outcome_usage(w->argv[0], "%s: %s were expected", w->argv[w->at], expected);
    out->a = w->argv[++w->at];
    out->b = w->argv[++w->at];
    return set_mode(w, mode, out);
}

static int set_until(const words_t *w, const char *text, latency_options_t *out)
{
    char *end = NULL;
    double percent = text ? strtod(text, &end) : NAN;
    if (!text || end == text || (*end && strcmp(end, "%") != 0) ||
        !(percent >= 0.1 && percent <= 100))
        return outcome_usage(w->argv[0], "--until-ci %s: a share of p99 was expected, as 5%%",
                             text ? text : "");
    out->until_share = percent / 100;
    return set_mode(w, LATENCY_UNTIL, out);
}

static int set_rounds(const words_t *w, const char *text, latency_options_t *out)
{
    char *end = NULL;
    unsigned long rounds = text ? strtoul(text, &end, 10) : 0;
    if (!text || *end || rounds < 1 || rounds > TURNS_ROUNDS_MAX)
        return outcome_usage(w->argv[0], "--rounds %s: 1 to %u were expected", text ? text : "",
                             TURNS_ROUNDS_MAX);
    out->rounds = (uint32_t)rounds;
    return OUTCOME_OK;
}

static int set_floor(const words_t *w, const char *text, latency_options_t *out)
{
    out->floor_asked = true;
    out->floor_ns = 0;
    if (text && (strcmp(text, "none") == 0 || start_options_duration(text, &out->floor_ns)))
        return OUTCOME_OK;
    return outcome_usage(w->argv[0], "--floor %s: a duration was expected, as 5s, or none",
                         text ? text : "");
}

/* Whether the word is one of ours; then *out_code says whether it was right. */
static bool take(words_t *w, latency_options_t *out, int *out_code)
{
    const char *word = w->argv[w->at], *value = NULL;
    *out_code = OUTCOME_OK;
    if (strcmp(word, "--strict") == 0) {
        out->strict = true;
    } else if (strcmp(word, "--ladder") == 0) {
        *out_code = set_mode(w, LATENCY_LADDER, out);
    } else if (strcmp(word, "--compare") == 0) {
        *out_code = take_two(w, LATENCY_COMPARE, "two directories of --out", out);
    } else if (strcmp(word, "--ab") == 0) {
        *out_code = take_two(w, LATENCY_TURNS, "the options of two pipelines", out);
    } else if (takes_value(w, "--until-ci", &value)) {
        *out_code = set_until(w, value, out);
    } else if (takes_value(w, "--rounds", &value)) {
        *out_code = set_rounds(w, value, out);
    } else if (takes_value(w, "--floor", &value)) {
        *out_code = set_floor(w, value, out);
    } else if (takes_value(w, "--max", &value)) {
        if (!value || !start_options_duration(value, &out->max_ns))
            *out_code = outcome_usage(w->argv[0], "--max %s: a duration was expected, as 5m",
                                      value ? value : "");
    } else if (takes_value(w, "--out", &value)) {
        out->output.directory = value;
        if (!value)
            *out_code = outcome_usage(w->argv[0], "--out: a directory was expected");
    } else {
        return false;
    }
    return true;
}

int latency_options_take(int *argc, char **argv, latency_options_t *out)
{
    words_t w = {*argc, argv, 1};
    int left = 1;
    *out = (latency_options_t){.rounds = TURNS_ROUNDS, .floor_ns = FLOOR_NS, .max_ns = MAX_NS};
    for (; w.at < w.argc; w.at++) {
        int code;
        char *word = argv[w.at];
        if (!take(&w, out, &code))
            argv[left++] = word;
        else if (code != OUTCOME_OK)
            return code;
    }
    argv[left] = NULL;
    *argc = left;
    for (int i = 1; i < left; i++)
        out->output.json = out->output.json || strcmp(argv[i], "--json") == 0;
    if (out->strict && out->mode != LATENCY_RUN && out->mode != LATENCY_UNTIL)
        return outcome_usage(argv[0], "--strict is of one run: not of --compare, --ab, --ladder");
    if (out->floor_asked && out->mode == LATENCY_COMPARE)
        return outcome_usage(argv[0], "--floor: --compare measures nothing");
    for (int i = 1; out->mode == LATENCY_COMPARE && i < left; i++)
        if (strcmp(argv[i], "--json") != 0)
            return outcome_usage(argv[0],
                                 "%s: --compare measures nothing, and takes --json and --out alone",
                                 argv[i]);
    return OUTCOME_OK;
}
