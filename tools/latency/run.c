/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/run/stamps.h"

#include "tools/latency/collect.h"
#include "tools/run/supervisor.h"
#include "tools/show/outcome.h"

#define KEPT_UP_SHARE 0.99 /* of the target rate */
#define FOR_NS        UINT64_C(10000000000)
#define ROWS_UNKNOWN  UINT64_C(8000000) /* where no rate says how many messages come */
#define ROWS_SPARE    UINT64_C(65536)   /* beyond what the schedule has */
#define CLOCK_LOOKS   20000u
#define BASE_NAME     "the defaults of busctl latency"
#define NS_PER_S      1e9

/* What a measurement has where nothing else is said: a name of its own, since a bus may be at work,
 * and the clock of the host: by that of the market an order waits as long as the model says. */
static const char base[] = "bus: {name: latency}\n"
                           "venue: {clock: host}\n"
                           "feed: {pace: 100k/s}\n";

/* ---- the command line */

/* "--rate 5" and "--rate=5". False: it is another option. *index moves over the value. */
static bool takes_value(int argc, char **argv, int *index, const char *name, const char **out_value)
{
    size_t length = strlen(name);
    if (strncmp(argv[*index], name, length) != 0)
        return false;
    if (argv[*index][length] == '=')
        *out_value = argv[*index] + length + 1;
    else if (argv[*index][length] == 0)
        *out_value = *index + 1 < argc ? argv[++*index] : NULL;
    else
        return false;
    return true;
}

/* "100000", "250k", "1.5M". */
static bool parse_rate(const char *text, double *out_rate)
{
    char *end;
    double rate = strtod(text, &end);
    if (strcmp(end, "k") == 0)
        rate *= 1e3;
    else if (strcmp(end, "M") == 0)
        rate *= 1e6;
    else if (*end)
        return false;
    *out_rate = rate;
    return rate >= 1 && rate <= 1e8;
}

/* The options of the pipeline go to start_options_parse, ours are taken out. */
static int split(int argc, char **argv, char **out_rest, int *out_count, run_spec_t *spec)
{
    const char *rate = NULL, *value;
    int count = 0;
    for (int i = 0; i < argc; i++) {
        if (i == 0 || !takes_value(argc, argv, &i, "--rate", &value)) {
            out_rest[count++] = argv[i];
            continue;
        }
        rate = value;
        if (!rate || !parse_rate(rate, &spec->rate))
            return outcome_usage(argv[0],
                                 "--rate %s: messages a second were expected, as 100000, 250k, 1M",
                                 rate ? rate : "");
    }
    out_rest[count] = NULL;
    *out_count = count;
    return OUTCOME_OK;
}

/* Over the configuration as it was given: the rate. */
static int set_load(const char *verb, run_spec_t *spec)
{
    tbus_error_t why = {0};
    static char pace[32];
    snprintf(pace, sizeof pace, "%.3f/s", spec->rate);
    if (spec->rate > 0 && start_options_set(&spec->start, "feed.pace", pace, &why) < 0)
        return outcome_usage(verb, "%s", why.text);
    return OUTCOME_OK;
}

int run_spec_parse(int argc, char **argv, run_spec_t *out_spec)
{
    tbus_error_t why = {0};
    int count = 0;
    char **rest = calloc((size_t)argc + 1, sizeof *rest);
    if (!rest)
        return outcome_failed(argv[0], "no memory for %d arguments", argc);
    *out_spec = (run_spec_t){.arrival = "constant"};
    int code = split(argc, argv, rest, &count, out_spec);
    if (code == OUTCOME_OK)
        code = start_options_parse(count, rest, true, &out_spec->start);
    free(rest);
    if (code != OUTCOME_OK || out_spec->start.help)
        return code;
    if (out_spec->start.rest)
        return outcome_usage(argv[0], "'%s': no argument was expected", out_spec->start.rest);
    if (start_options_base(&out_spec->start, BASE_NAME, base, sizeof base - 1, &why) < 0)
        return outcome_usage(argv[0], "%s", why.text);
    if (out_spec->start.for_ns == 0)
        out_spec->start.for_ns = FOR_NS;
    out_spec->for_ns = out_spec->start.for_ns;
    return set_load(argv[0], out_spec);
}

/* ---- the run */

/* How many messages the schedule has at most; a rate may stand in the pace, too. */
static uint64_t messages_expected(const run_spec_t *spec)
{
    double rate = spec->rate;
    char *end;
    const char *pace = config_pace(&spec->start.config);
    if (rate <= 0) {
        rate = strtod(pace, &end);
        rate *= *end == 'k' ? 1e3 : *end == 'M' ? 1e6 : 1;
        if (!strstr(pace, "/s"))
            rate = 0;
    }
    double messages = rate * (double)spec->for_ns / NS_PER_S;
    return messages >= 1 ? (uint64_t)messages + ROWS_SPARE : ROWS_UNKNOWN;
}

static uint32_t strategies_of(const run_spec_t *spec)
{
    config_stage_t stages[TBUS_INSTANCES_MAX];
    uint32_t count = config_stages(&spec->start.config, stages), strategies = 0;
    for (uint32_t i = 0; i < count; i++)
        strategies += (stages[i].instance->kind->traits & TBUS_KIND_TRADES) != 0;
    return strategies ? strategies : 1;
}

static double clock_cost_ns(void)
{
    uint64_t began_ns = tbus_clock_ns();
    for (unsigned i = 0; i < CLOCK_LOOKS; i++)
        (void)tbus_clock_ns();
    return (double)(tbus_clock_ns() - began_ns) / CLOCK_LOOKS;
}

static int collect(const char *verb, const tbus_stamps_t *stamps, run_result_t *r)
{
    tbus_error_t why = {0};
    collect_backward_t backward;
    if (collect_samples(stamps, &r->samples, &backward, &why) < 0)
        return outcome_failed(verb, "%s", why.text);
    r->clock.backward_count = backward.count;
    r->clock.backward_ns_max = backward.ns_max;
    r->messages_lost = tbus_load_relaxed_u64(&stamps->shared->columns[TBUS_STAMP_INTENDED].lost);
    r->answers_lost = tbus_load_relaxed_u64(&stamps->shared->columns[TBUS_STAMP_SENT].lost);
    if (r->messages_lost)
        run_note(r, "%llu messages came after the tables were full: they are not measured",
                 (unsigned long long)r->messages_lost);
    if (r->answers_lost)
        run_note(r, "%llu orders came after the tables were full: they are not measured",
                 (unsigned long long)r->answers_lost);
    run_judge(r);
    return OUTCOME_OK;
}

int run_measure(const char *verb, run_spec_t *spec, run_result_t *out_result)
{
    tbus_error_t why = {0};
    tbus_stamps_t stamps;
    uint64_t messages = messages_expected(spec);
    tbus_stamps_spec_t tables = {
        .messages = messages, .answers = messages / 2 + ROWS_SPARE, .streams = strategies_of(spec)};
    *out_result = (run_result_t){0};
    out_result->clock.read_ns = out_result->clock.system_ns = clock_cost_ns();
    if (tbus_stamps_create(&tables, &stamps, &why) < 0)
        return outcome_failed(verb, "%s", why.text);
    supervisor_request_t request = {.verb = verb,
                                    .options = &spec->start,
                                    .no_summary = true,
                                    .stamps = &stamps,
                                    .summary = &out_result->summary};
    int code = supervisor_run(&request);
    if (code == OUTCOME_OK)
        code = collect(verb, &stamps, out_result);
    tbus_stamps_destroy(&stamps);
    if (code != OUTCOME_OK)
        run_result_clear(out_result);
    return code;
}
