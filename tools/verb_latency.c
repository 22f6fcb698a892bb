/* SPDX-License-Identifier: Apache-2.0 */
/* verb_latency.c - busctl latency: runs a pipeline under a schedule, and says how long it took. */
#include <errno.h>

#include "tools/latency/compare.h"
#include "tools/latency/hdr_file.h"
#include "tools/latency/ladder.h"
#include "tools/latency/options.h"
#include "tools/latency/page.h"
#include "tools/latency/plots.h"
#include "tools/latency/report.h"
#include "tools/latency/report_floor.h"
#include "tools/latency/round.h"
#include "tools/latency/run.h"
#include "tools/latency/turns.h"
#include "tools/latency/until.h"
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
    "                   (or of journal:DIR), again and again; recorded:FILE@09:30\n"
    "                   begins there: hours lie before it in a file of a day\n"
    "  --speed Nx       instead of a rate: N times as fast as recorded, by the gaps\n"
    "                   of a file (1x), or by the times of the feed's own messages\n"
    "  --for DURATION   10s (default), 500ms, 2m ...\n"
    "  --strict         exit with 1 when the pipeline could not keep up\n"
    "  --out DIR        write there: the samples, report.json, report.html with\n"
    "                   everything drawn, percentiles.svg, and histograms for the\n"
    "                   tools of HdrHistogram (HOP.hgrm, latency.hlog)\n"
    "  --floor DURATION how much of the schedule is measured as well, half before the\n"
    "                   run and half after it, on the same CPUs, with a bare cache\n"
    "                   line: what the machine itself adds (default: 5s; of --ab of\n"
    "                   each side, over the rounds; of --ladder a tenth at each rate;\n"
    "                   none: not at all)\n"
    "  --json           print the report as a JSON object\n"
    "\n"
    "  --until-ci 5%    run as long as it takes until p99 is known so well, --for at\n"
    "                   first and at most --max (default 5m); else exit with 1\n"
    "  --ladder         double the rate until the pipeline falls behind, and find the\n"
    "                   knee; --for is of each rate (default 2s), --rate of the first\n"
    "                   (25k)\n"
    "  --ab 'ARGS' 'ARGS'\n"
    "                   two pipelines in turns, A B B A ...: is B slower, by hop and\n"
    "                   percentile? --for is of each run (default 2s)\n"
    "  --rounds N       of --ab: so many of each (default 16; 8 are the least that\n"
    "                   can find anything)\n"
    "  --compare A B    the same of two runs that are over, from their directories of\n"
    "                   --out; measures nothing\n"
    "\n"
    "  --no-subscriber  connect nobody to the gateway (--gateway); else a client on\n"
    "                   this host takes all messages, so that its hop has figures\n"
    "\n"
    "All options of `busctl start` but these say which pipeline: --feed, --strategy,\n"
    "--layout, --wait, --journal, --gateway, --name (default: latency), -c, --set ...\n"
    "Orders go by the clock of the host (venue.clock) unless told otherwise.\n"
    "\n"
    "example: busctl latency --rate 250k --for 10s --layout fused\n"
    "         busctl latency --rate 250k --ab '--wait spin' '--wait park'\n";

typedef struct drawn {
    const json_t *report;
    const samples_t *samples;
} drawn_t;

static int draw(FILE *page, const void *context)
{
    const drawn_t *d = context;
    return page_of_run(page, d->report, d->samples);
}

static int draw_hops(FILE *picture, const void *samples)
{
    return plot_hops(picture, samples, svg_plot_file);
}

static int write_out(const char *verb, const output_t *o, const run_result_t *result,
                     const json_t *report)
{
    tbus_error_t why = {0};
    const drawn_t drawn = {report, &result->samples};
    if (!o->directory)
        return OUTCOME_OK;
    if (samples_write(&result->samples, o->directory, &why) < 0 ||
        hdr_write_samples(&result->samples, result->began_ms, o->directory, &why) < 0)
        return outcome_failed(verb, "%s", why.text);
    int code = output_file(verb, o, "percentiles.svg", draw_hops, &result->samples);
    return code == OUTCOME_OK ? output_files(verb, o, report, draw, &drawn) : code;
}

/* `until`: what --until-ci came to; NULL: it was not asked for. So is `floor`. */
static int report(const char *verb, const latency_options_t *o, const run_spec_t *spec,
                  const run_result_t *result, json_t *until, const floor_slices_t *floor)
{
    json_t *object = report_build(spec, result);
    if (!object)
        return outcome_failed(verb, "no memory for the report");
    report_add_floor(object, floor);
    if (until)
        json_object_set(object, "until_ci", until);
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
    return until ? until_outcome(verb, until) : OUTCOME_OK;
}

/* One run, or as many as --until-ci takes, of which the last is reported. A report without the
 * floor is a report, with a note. */
static int measure(int argc, char **argv, const latency_options_t *o, run_spec_t *spec)
{
    run_result_t result = {0};
    json_t *until = NULL;
    tbus_error_t why = {0};
    int code = output_directory(argv[0], &o->output);
    if (code != OUTCOME_OK)
        return code;
    floor_slices_t *floor = o->floor_ns ? floor_slices_create() : NULL;
    if (floor) {
        round_progress("the floor, before the run");
        (void)floor_slices_before(floor, spec, o->floor_ns / 2, &why);
        round_progress_end();
    }
    if (why.code == -EINTR)
        code = outcome_failed(argv[0], "interrupted before the run began: nothing was measured");
    else
        code = o->mode == LATENCY_UNTIL
                   ? until_measure(argc, argv, o->until_share, o->max_ns, spec, &result, &until)
                   : run_measure(argv[0], spec, &result);
    if (code == OUTCOME_OK && floor && result.stopped) {
        run_note(&result, "the floor was not measured after the run, which was stopped");
    } else if (code == OUTCOME_OK && floor) {
        round_progress("the floor, after the run");
        floor_slices_after(floor, spec, &result, o->floor_ns, &why);
        round_progress_end();
    }
    if (code == OUTCOME_OK)
        code = report(argv[0], o, spec, &result, until, floor);
    json_decref(until);
    floor_slices_destroy(floor);
    run_result_clear(&result);
    return code;
}

int verb_latency(int argc, char **argv)
{
    static run_spec_t spec; /* large, and one is enough */
    latency_options_t o;
    int code = latency_options_take(&argc, argv, &o);
    if (code != OUTCOME_OK)
        return code;
    if (o.mode == LATENCY_COMPARE)
        return latency_compare(argv[0], o.a, o.b, &o.output);
    code = run_spec_parse(argc, argv, &spec);
    if (code != OUTCOME_OK)
        return code;
    if (spec.start.help)
        return outcome_help(argv[0], help);
    if (o.mode == LATENCY_TURNS)
        return turns_measure(argc, argv, &o);
    if (o.mode == LATENCY_LADDER)
        return ladder_climb(argc, argv, &o);
    return measure(argc, argv, &o, &spec);
}
