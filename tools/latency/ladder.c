/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/ladder.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/latency/hops.h"
#include "tools/latency/page.h"
#include "tools/latency/report.h"
#include "tools/latency/report_floor.h"
#include "tools/latency/round.h"
#include "tools/measure/format.h"
#include "tools/measure/provenance.h"
#include "tools/show/grouped.h"
#include "tools/show/outcome.h"

#define SCHEMA       1
#define RATE_MAX     5e7
#define TRIES        3
#define STEPS_DOWN   6
#define CLOSE        1.1 /* of two rates: the knee lies between them, and that will do */
#define FIGURE_WIDTH 9
#define RATIO_WIDTH  8
#define FLOOR_PART   10 /* of the floor that is asked for at each rate */

typedef struct ladder {
    round_line_t line;
    run_spec_t spec;
    json_t *rungs;
    ladder_search_t search;
    bool stopped;
    uint64_t floor_ns;     /* of the run at half of the knee */
    tbus_error_t no_floor; /* why it is not measured any more */
    char rate[32];
} ladder_t;

/* Every message has it, so a rung of two seconds carries a p99.9. */
static const char *hop_name(void)
{
    return samples_hop_name(HOP_TICK_TO_SEEN);
}

static double target_of(const json_t *rung)
{
    return json_number_value(json_object_get(rung, "target"));
}

/* In the order of rates. */
static void add_rung(ladder_t *l, double rate, const run_result_t *result, const json_t *floor)
{
    json_t *hops = hops_report(&result->samples, result->seconds), *hop;
    size_t i, at = 0;
    json_array_foreach(hops, i, hop)
    {
        if (strcmp(json_string_value(json_object_get(hop, "name")), hop_name()) != 0)
            continue;
        json_object_set_new(hop, "target", json_real(rate));
        json_object_set_new(hop, "achieved", json_real(result->rate_achieved));
        json_object_set_new(hop, "kept_up", json_boolean(result->kept_up));
        json_object_set_new(hop, "floor", json_deep_copy(floor));
        if (json_is_object(floor))
            json_object_set_new(json_object_get(hop, "floor"), "ratios", floor_ratios(hop, floor));
        while (at < json_array_size(l->rungs) && target_of(json_array_get(l->rungs, at)) < rate)
            at++;
        json_array_insert(l->rungs, at, hop);
    }
    json_decref(hops);
}

/* Of the rung's own schedule; a new reference. Where it is not kept, that would be of no use. */
static json_t *floor_of_rung(ladder_t *l, const run_result_t *result)
{
    uint64_t for_ns = l->floor_ns / FLOOR_PART;
    floor_slices_t *f = for_ns && result->kept_up ? floor_slices_create() : NULL;
    if (f)
        l->stopped = floor_slices_again(f, &l->spec, &result->samples, for_ns, "after",
                                        &l->no_floor) == -EINTR;
    json_t *object = floor_slices_json(f);
    floor_slices_destroy(f);
    return object;
}

static void set_rate(ladder_t *l, double rate)
{
    snprintf(l->rate, sizeof l->rate, "%.0f", rate);
    l->line.words[0] = "--rate";
    l->line.words[1] = l->rate;
    l->line.words_count = 2;
}

/* Try a rate; the last try makes the rung. */
static int try_rate(ladder_t *l, double rate)
{
    char text[GROUPED_MAX];
    set_rate(l, rate);
    for (int i = 0; i < TRIES; i++) {
        run_result_t result;
        round_progress("ladder: %s messages/s", grouped((int64_t)rate, text));
        int code = round_measure(&l->line, &l->spec, &result, &l->stopped);
        if (code != OUTCOME_OK)
            return code;
        bool kept = result.kept_up;
        if (!l->stopped && (kept || i == TRIES - 1)) {
            json_t *floor = floor_of_rung(l, &result);
            add_rung(l, rate, &result, floor);
            json_decref(floor);
            ladder_found(&l->search, rate, kept);
        }
        run_result_clear(&result);
        if (kept || l->stopped)
            break;
    }
    return OUTCOME_OK;
}

double ladder_next(const ladder_search_t *s)
{
    if (s->rungs == 0)
        return s->first;
    if (s->kept == 0)
        return s->rungs <= STEPS_DOWN ? s->not_kept / 2 : 0;
    if (s->not_kept == 0)
        return s->kept * 2 <= RATE_MAX ? s->kept * 2 : 0;
    return s->not_kept / s->kept > CLOSE ? sqrt(s->kept * s->not_kept) : 0;
}

void ladder_found(ladder_search_t *s, double rate, bool kept)
{
    s->rungs++;
    if (kept && rate > s->kept)
        s->kept = rate;
    if (!kept && (s->not_kept == 0 || rate < s->not_kept))
        s->not_kept = rate;
}

static int climb(ladder_t *l)
{
    double rate;
    int code = OUTCOME_OK;
    while (code == OUTCOME_OK && !l->stopped && (rate = ladder_next(&l->search)) > 0)
        code = try_rate(l, rate);
    round_progress_end();
    return code;
}

/* ---- what is said */

static const char *const ratio_keys[] = {"p50", "p99", "p99_99"};
#define RATIOS (sizeof ratio_keys / sizeof *ratio_keys)

static void print_rung(const json_t *rung)
{
    char target[GROUPED_MAX], achieved[GROUPED_MAX];
    printf("%12s %12s %-8s", grouped((int64_t)target_of(rung), target),
           grouped((int64_t)json_number_value(json_object_get(rung, "achieved")), achieved),
           json_is_true(json_object_get(rung, "kept_up")) ? "yes" : "NO");
    for (size_t p = 0; p < HOP_PERCENTILES; p++) {
        const json_t *ns = json_object_get(rung, hop_percentiles[p].key);
        printf(" %*s", FIGURE_WIDTH,
               figure_ns(json_is_number(ns) ? json_number_value(ns) : NAN).text);
    }
    const json_t *ratios = json_object_get(json_object_get(rung, "floor"), "ratios");
    for (size_t i = 0; i < RATIOS; i++) {
        const json_t *ratio = json_object_get(ratios, ratio_keys[i]);
        printf(" %*s", RATIO_WIDTH,
               figure_ratio(json_is_number(ratio) ? json_number_value(ratio) : NAN).text);
    }
    putchar('\n');
}

static void print_ladder(const json_t *ladder)
{
    char knee[GROUPED_MAX];
    const json_t *rung, *highest = json_object_get(ladder, "knee");
    size_t i;
    if (json_is_number(highest))
        printf("knee: %s messages/s is the highest rate that was kept\n",
               grouped((int64_t)json_number_value(highest), knee));
    else
        puts("knee: no rate was kept");
    printf("\n%12s %12s %-8s", "intended/s", "achieved/s", "kept up");
    for (size_t p = 0; p < HOP_PERCENTILES; p++)
        printf(" %*s", FIGURE_WIDTH, hop_percentiles[p].name);
    puts("    p50 x    p99 x p99.99 x");
    json_array_foreach(json_object_get(ladder, "rungs"), i, rung) print_rung(rung);
    puts("x: times the floor of that rate: p50 and p99 the paced line's, p99.99 the hiccup's");
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

/* `half`: the run at half of the knee; NULL: it was not made. */
static json_t *object_of(const ladder_t *l, const run_result_t *half, const floor_slices_t *floor)
{
    json_t *object = half ? report_build(&l->spec, half) : json_object();
    if (half)
        report_add_floor(object, floor);
    else
        provenance_add(object, SCHEMA);
    json_object_set_new(object, "ladder",
                        json_pack("{s:o, s:s, s:O}", "knee",
                                  l->search.kept > 0 ? json_real(l->search.kept) : json_null(),
                                  "hop", hop_name(), "rungs", l->rungs));
    return object;
}

static int report(const ladder_t *l, const run_result_t *half, const floor_slices_t *floor,
                  const output_t *o)
{
    const char *verb = l->line.argv[0];
    json_t *object = object_of(l, half, floor);
    const drawn_t drawn = {object, half ? &half->samples : NULL};
    int code = output_files(verb, o, object, draw, &drawn);
    if (code == OUTCOME_OK && o->json) {
        code = output_json(verb, object);
    } else if (code == OUTCOME_OK) {
        print_ladder(json_object_get(object, "ladder"));
        if (half) {
            puts("\nAt half of the knee:");
            report_print(object, stdout);
        }
        code = outcome_printed(verb);
    }
    json_decref(object);
    return code;
}

static int finish(ladder_t *l, const output_t *o)
{
    run_result_t half;
    if (l->stopped || l->search.kept == 0) {
        int code = report(l, NULL, NULL, o);
        return code != OUTCOME_OK || l->stopped
                   ? code
                   : outcome_failed(l->line.argv[0],
                                    "no rate was kept, down to %.0f messages/s: the knee cannot "
                                    "be measured here",
                                    l->search.not_kept);
    }
    floor_slices_t *floor = l->floor_ns ? floor_slices_create() : NULL;
    set_rate(l, l->search.kept / 2);
    int code = round_parse(&l->line, &l->spec);
    round_progress("ladder: half of the knee");
    if (code == OUTCOME_OK && floor)
        l->stopped = floor_slices_before(floor, &l->spec, l->floor_ns / 2, &l->no_floor) == -EINTR;
    if (code == OUTCOME_OK && l->stopped) {
        round_progress_end();
        floor_slices_destroy(floor);
        return report(l, NULL, NULL, o);
    }
    if (code == OUTCOME_OK)
        code = round_measure(&l->line, &l->spec, &half, &l->stopped);
    if (code == OUTCOME_OK) {
        if (floor)
            floor_slices_after(floor, &l->spec, &half, l->floor_ns, &l->no_floor);
        round_progress_end();
        code = report(l, &half, floor, o);
        run_result_clear(&half);
    }
    floor_slices_destroy(floor);
    return code;
}

int ladder_climb(int argc, char **argv, const latency_options_t *o)
{
    ladder_t *l = calloc(1, sizeof *l);
    if (!l)
        return outcome_failed(argv[0], "no memory for a ladder");
    l->line = (round_line_t){.argc = argc,
                             .argv = argv,
                             .defaults = {"--for", "2s", "--rate", "25k"},
                             .defaults_count = 4};
    l->rungs = json_array();
    l->floor_ns = o->floor_ns;
    int code = output_directory(argv[0], &o->output);
    if (code == OUTCOME_OK)
        code = round_parse(&l->line, &l->spec);
    l->search.first = l->spec.rate;
    if (code == OUTCOME_OK)
        code = climb(l);
    if (code == OUTCOME_OK)
        code = finish(l, &o->output);
    json_decref(l->rungs);
    free(l);
    return code;
}
