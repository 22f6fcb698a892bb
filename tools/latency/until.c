/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/until.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "tools/latency/hops.h"
#include "tools/latency/round.h"
#include "tools/measure/format.h"
#include "tools/measure/quantile.h"
#include "tools/show/outcome.h"

#define RUNS_MAX   12
#define LONGER_MIN 1.25
#define SPARE      1.2 /* the next run is not the same as this one */
#define NS_PER_S   1e9

/* Half of the interval of p99, as a share of it; NaN: there is none. */
static int reached_by(const samples_t *s, double *out_reached)
{
    const sample_column_t *whole = &s->hops[hops_whole(s)];
    quantile_set_t set;
    if (quantile_set_make(whole->ns, whole->count, &set) < 0)
        return -ENOMEM;
    quantile_t q = quantile_of(&set, hop_percentiles[HOP_P99].per_million, 0.95);
    quantile_set_free(&set);
    *out_reached = q.state == QUANTILE_KNOWN ? (q.high - q.low) / 2 / q.value : NAN;
    return 0;
}

double until_next_s(double seconds, double reached, double share)
{
    if (isnan(reached))
        return 2 * seconds;
    double times = reached / share;
    return seconds * fmax(LONGER_MIN, times * times * SPARE);
}

static json_t *told(const run_result_t *r, double reached, double share, double seconds)
{
    bool known = reached <= share;
    return json_pack(
        "{s:s, s:s, s:f, s:o, s:b, s:f, s:o}", "hop", samples_hop_name(hops_whole(&r->samples)),
        "percentile", hop_percentiles[HOP_P99].key, "target", share, "reached",
        isnan(reached) ? json_null() : json_real(reached), "known", known, "seconds", r->seconds,
        "needs_s",
        isnan(reached) || known ? json_null() : json_real(until_next_s(seconds, reached, share)));
}

int until_measure(int argc, char **argv, double share, uint64_t max_ns, run_spec_t *spec,
                  run_result_t *out_result, json_t **out_told)
{
    round_line_t line = {.argc = argc, .argv = argv};
    char length[32];
    uint64_t rows = 0; /* of the run before */
    int code = round_parse(&line, spec);
    double seconds = (double)spec->for_ns / NS_PER_S, most = (double)max_ns / NS_PER_S;
    for (int run = 1; code == OUTCOME_OK; run++) {
        bool stopped = false;
        double reached = NAN;
        seconds = fmin(seconds, most);
        snprintf(length, sizeof length, "%.0fms", ceil(seconds * 1000));
        line.words[0] = "--for";
        line.words[1] = length;
        line.words_count = 2;
        round_progress("run %d, of %.1f s", run, seconds);
        code = round_measure(&line, spec, out_result, &stopped);
        round_progress("%s", "");
        if (code != OUTCOME_OK)
            break;
        if (reached_by(&out_result->samples, &reached) < 0) {
            run_result_clear(out_result);
            return outcome_failed(argv[0], "no memory to look at the samples");
        }
        /* A feed that gave no more than to the run before has no more for a longer one. */
        bool all = out_result->samples.rows <= rows + rows / 20;
        rows = out_result->samples.rows;
        if (reached <= share || stopped || all || seconds >= most || run == RUNS_MAX) {
            *out_told = told(out_result, reached, share, seconds);
            break;
        }
        seconds = until_next_s(seconds, reached, share);
        run_result_clear(out_result);
    }
    return code;
}

int until_outcome(const char *verb, const json_t *object)
{
    const json_t *reached = json_object_get(object, "reached"),
                 *needs = json_object_get(object, "needs_s");
    const char *hop = json_string_value(json_object_get(object, "hop"));
    double target = json_number_value(json_object_get(object, "target"));
    double seconds = json_number_value(json_object_get(object, "seconds"));
    if (json_is_true(json_object_get(object, "known")))
        return OUTCOME_OK;
    if (!json_is_number(reached))
        return outcome_failed(verb,
                              "cannot be measured here: after %.1f s no interval can be told for "
                              "p99 of %s",
                              seconds, hop);
    return outcome_failed(verb,
                          "cannot be measured here: after %.1f s p99 of %s is known to within "
                          "%.1f %%, and %.1f %% would take %s (--max)",
                          seconds, hop, 100 * json_number_value(reached), 100 * target,
                          figure_ns(1e9 * json_number_value(needs)).text);
}
