/* SPDX-License-Identifier: Apache-2.0 */
/* verb_latency.c - busctl latency: runs a pipeline under a schedule, and says how long it took. */
#include <string.h>

#include "tools/latency/compare.h"
#include "tools/latency/hdr_file.h"
#include "tools/latency/output.h"
#include "tools/latency/page.h"
#include "tools/latency/report.h"
#include "tools/latency/report_floor.h"
#include "tools/latency/run.h"
#include "tools/measure/sides.h"
#include "tools/show/outcome.h"
#include "tools/verbs.h"

static const char help[] =
    "usage: busctl latency [--rate N] [OPTION...]\n"
    "\n"
    "Run a pipeline of its own under a schedule that is fixed in advance, and say how\n"
    "long messages took for each hop, counted from when the schedule wanted them out.\n"
    "A pipeline that cannot keep the schedule is not waited for: what came late is in\n"
    "the figures.\n"
    "\n"
    "  --rate N         messages a second, as 100000, 250k or 1.5M (default: 100k)\n"
    "  --arrival HOW    constant (default), poisson[:SEED], burst:N (N at once), or\n"
    "                   recorded:FILE, as far apart as the messages of an ITCH file\n"
    "                   (or of journal:DIR)\n"
    "  --speed Nx       with recorded arrivals, or instead of a rate with those of the\n"
    "                   feed itself: N times as fast as they were (recorded: 1x)\n"
    "  --for DURATION   10s (default), 500ms, 2m ...\n"
    "  --strict         exit with 1 when the pipeline could not keep up\n"
    "  --out DIR        write there: the samples, report.json, report.html with\n"
    "                   everything drawn, and histograms for the tools of HdrHistogram\n"
    "                   (HOP.hgrm, latency.hlog)\n"
    "  --floor DURATION how much of the schedule is measured again, after the run and on\n"
    "                   the same CPUs, with nothing but a cache line: what the machine\n"
    "                   itself adds (default: 5s, or all of a shorter one; none: not at all)\n"
    "  --json           print the report as a JSON object\n"
    "  --compare A B    measure nothing: is the run in directory B slower than that in\n"
    "                   A, for each hop and percentile? (both from --out)\n"
    "\n"
    "All options of `busctl start` but these say which pipeline: --feed, --strategy,\n"
    "--layout, --wait, --journal, --gateway, --name (default: latency), -c, --set ...\n"
    "Orders go by the clock of the host (venue.clock) unless told otherwise.\n"
    "\n"
    "example: busctl latency --rate 250k --for 10s --layout fused\n";

typedef struct latency_options {
    bool strict;
    output_t output;
    const char *compare[2]; /* --compare A B; NULL: nothing is compared */
    const char *floor;      /* --floor; NULL: FLOOR_NS */
    uint64_t floor_ns;      /* 0: none */
} latency_options_t;

#define FLOOR_NS UINT64_C(5000000000)

static int parse_floor(const char *verb, latency_options_t *o)
{
    o->floor_ns = o->floor ? 0 : FLOOR_NS;
    if (!o->floor || strcmp(o->floor, "none") == 0 ||
        start_options_duration(o->floor, &o->floor_ns))
        return OUTCOME_OK;
    return outcome_usage(verb, "--floor %s: a duration was expected, as 5s, or none", o->floor);
}

/* Take our own options out of argv. Returns how many arguments are left, or -OUTCOME_USAGE when
 * stderr has been told why. */
static int take_options(int argc, char **argv, latency_options_t *out)
{
    int count = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--strict") == 0) {
            out->strict = true;
        } else if (strcmp(argv[i], "--out") == 0 && i + 1 < argc) {
            out->output.directory = argv[++i];
        } else if (strncmp(argv[i], "--out=", 6) == 0) {
            out->output.directory = argv[i] + 6;
        } else if (strcmp(argv[i], "--floor") == 0 && i + 1 < argc) {
            out->floor = argv[++i];
        } else if (strncmp(argv[i], "--floor=", 8) == 0) {
            out->floor = argv[i] + 8;
        } else if (strcmp(argv[i], "--compare") == 0) {
            if (i + 2 >= argc)
                return -outcome_usage(argv[0], "--compare: two directories of --out were expected");
            out->compare[0] = argv[++i];
            out->compare[1] = argv[++i];
        } else {
            argv[count++] = argv[i];
        }
    }
    argv[count] = NULL;
    return count;
}

/* A report without it is a report. */
static void add_floor(const char *verb, const latency_options_t *o, const run_result_t *result,
                      json_t *object)
{
    tbus_error_t why = {0};
    sides_signals_t before;
    if (!o->floor_ns)
        return;
    sides_hold_signals(&before);
    if (report_add_floor(object, &result->evidence, &result->samples, o->floor_ns, &why) < 0) {
        fprintf(stderr, "%s: the floor was not measured: %s\n", verb, why.text);
        json_array_append_new(json_object_get(object, "notes"),
                              json_sprintf("the floor was not measured: %s", why.text));
    }
    sides_restore_signals(&before);
}

typedef struct drawn {
    const json_t *report;
    const samples_t *samples;
} drawn_t;

static int draw(FILE *page, const void *context)
{
    const drawn_t *d = context;
    return page_of_run(page, d->report, d->samples);
}

static int write_out(const char *verb, const output_t *o, const run_result_t *result,
                     const json_t *report)
{
    tbus_error_t why = {0};
    const drawn_t drawn = {report, &result->samples};
    if (!o->directory)
        return OUTCOME_OK;
    int code = output_directory(verb, o);
    if (code != OUTCOME_OK)
        return code;
    if (samples_write(&result->samples, o->directory, &why) < 0 ||
        hdr_write_samples(&result->samples, result->began_ms, o->directory, &why) < 0)
        return outcome_failed(verb, "%s", why.text);
    return output_files(verb, o, report, draw, &drawn);
}

static int report(const char *verb, const latency_options_t *o, const run_spec_t *spec,
                  const run_result_t *result)
{
    json_t *object = report_build(spec, result);
    if (!object)
        return outcome_failed(verb, "no memory for the report");
    add_floor(verb, o, result, object);
    int printed, code = write_out(verb, &o->output, result, object);
    if (spec->start.json) {
        printed = output_json(verb, object);
    } else {
        report_print(object, stdout);
        printed = outcome_printed(verb);
    }
    json_decref(object);
    if (code != OUTCOME_OK || printed != OUTCOME_OK)
        return code != OUTCOME_OK ? code : printed;
    if (o->strict && !result->kept_up)
        return outcome_failed(verb, "the pipeline did not keep up: %.0f messages/s of %.0f",
                              result->rate_achieved, result->rate_target);
    return OUTCOME_OK;
}

/* What is left of a command line that compares: nothing but --json. */
static int compare(int argc, char **argv, latency_options_t *o)
{
    if (o->strict || o->floor)
        return outcome_usage(argv[0],
                             "--compare measures nothing, and takes no --strict or --floor");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") != 0)
            return outcome_usage(argv[0],
                                 "%s: --compare measures nothing, and takes --json and "
                                 "--out alone",
                                 argv[i]);
        o->output.json = true;
    }
    return latency_compare(argv[0], o->compare[0], o->compare[1], &o->output);
}

int verb_latency(int argc, char **argv)
{
    static run_spec_t spec; /* large, and one is enough */
    latency_options_t o = {0};
    run_result_t result;
    argc = take_options(argc, argv, &o);
    if (argc < 0)
        return -argc;
    if (o.compare[0])
        return compare(argc, argv, &o);
    int code = parse_floor(argv[0], &o);
    if (code == OUTCOME_OK)
        code = run_spec_parse(argc, argv, &spec);
    if (code != OUTCOME_OK)
        return code;
    if (spec.start.help)
        return outcome_help(argv[0], help);
    code = run_measure(argv[0], &spec, &result);
    if (code == OUTCOME_OK)
        code = report(argv[0], &o, &spec, &result);
    run_result_clear(&result);
    return code;
}
