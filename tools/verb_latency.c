/* SPDX-License-Identifier: Apache-2.0 */
/* verb_latency.c - busctl latency: runs a pipeline under a schedule, and says how long it took. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/latency/hdr_file.h"
#include "tools/latency/report.h"
#include "tools/latency/run.h"
#include "tools/show/outcome.h"
#include "tools/verbs.h"

/* The figures are rounded; seventeen digits would only show how a double stores that. */
#define JSON_FLAGS (JSON_INDENT(2) | JSON_REAL_PRECISION(12))

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
    "  --out DIR        write there: the samples, report.json, and histograms for the\n"
    "                   tools of HdrHistogram (HOP.hgrm, latency.hlog)\n"
    "  --json           print the report as a JSON object\n"
    "\n"
    "All options of `busctl start` but these say which pipeline: --feed, --strategy,\n"
    "--layout, --wait, --journal, --gateway, --name (default: latency), -c, --set ...\n"
    "Orders go by the clock of the host (venue.clock) unless told otherwise.\n"
    "\n"
    "example: busctl latency --rate 250k --for 10s --layout fused\n";

typedef struct latency_options {
    bool strict;
    const char *directory; /* --out; NULL: none */
} latency_options_t;

/* Take our own options out of argv. Returns how many arguments are left. */
static int take_options(int argc, char **argv, latency_options_t *out)
{
    int count = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--strict") == 0)
            out->strict = true;
        else if (strcmp(argv[i], "--out") == 0 && i + 1 < argc)
            out->directory = argv[++i];
        else if (strncmp(argv[i], "--out=", 6) == 0)
            out->directory = argv[i] + 6;
        else
            argv[count++] = argv[i];
    }
    argv[count] = NULL;
    return count;
}

static int write_out(const char *verb, const char *directory, const run_result_t *result,
                     const json_t *report)
{
    tbus_error_t why = {0};
    char path[4096];
    if (mkdir(directory, 0777) < 0 && errno != EEXIST)
        return outcome_failed(verb, "cannot make the directory %s: %s", directory, strerror(errno));
    if (samples_write(&result->samples, directory, &why) < 0 ||
        hdr_write_samples(&result->samples, result->began_ms, directory, &why) < 0)
        return outcome_failed(verb, "%s", why.text);
    snprintf(path, sizeof path, "%s/report.json", directory);
    if (json_dump_file(report, path, JSON_FLAGS) < 0)
        return outcome_failed(verb, "cannot write %s: %s", path, strerror(errno));
    return OUTCOME_OK;
}

static int report(const char *verb, const latency_options_t *o, const run_spec_t *spec,
                  const run_result_t *result)
{
    json_t *object = report_build(spec, result);
    int code = o->directory ? write_out(verb, o->directory, result, object) : OUTCOME_OK;
    if (spec->start.json) {
        json_dumpf(object, stdout, JSON_FLAGS);
        fputc('\n', stdout);
    } else {
        report_print(object, stdout);
    }
    json_decref(object);
    int printed = outcome_printed(verb);
    if (code != OUTCOME_OK || printed != OUTCOME_OK)
        return code != OUTCOME_OK ? code : printed;
    if (o->strict && !result->kept_up)
        return outcome_failed(verb, "the pipeline did not keep up: %.0f messages/s of %.0f",
                              result->rate_achieved, result->rate_target);
    return OUTCOME_OK;
}

int verb_latency(int argc, char **argv)
{
    static run_spec_t spec; /* large, and one is enough */
    latency_options_t o = {0};
    run_result_t result;
    argc = take_options(argc, argv, &o);
    int code = run_spec_parse(argc, argv, &spec);
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
