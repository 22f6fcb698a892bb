/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/until.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/latency/hops.h"
#include "tools/latency/round.h"
#include "tools/measure/format.h"
#include "tools/measure/quantile.h"
#include "tools/show/outcome.h"

#define RUNS_MAX   12
#define LONGER_MIN 1.25
#define SPARE      1.2 /* the next run is not the same as this one */
#define NS_PER_S   1e9

/* How well p99 is known after a run. */
typedef struct reached {
    double share;     /* half of its interval, as a share of it; NaN: there is none */
    double untouched; /* the same of messages that the host did not touch */
    double by_host;   /* of those beyond p99, how many the host touched; NaN: not known */
} reached_t;

/* *out_ns: the percentile. */
static int share_of(const uint64_t *ns, uint64_t count, double *out_share, double *out_ns)
{
    quantile_set_t set;
    if (quantile_set_make(ns, count, &set) < 0)
        return -ENOMEM;
    quantile_t q = quantile_of(&set, hop_percentiles[HOP_P99].per_million, 0.95);
    quantile_set_free(&set);
    *out_share = q.state == QUANTILE_KNOWN ? (q.high - q.low) / 2 / q.value : NAN;
    *out_ns = q.value;
    return 0;
}

static double beyond_by_host(const samples_t *s, enum sample_hop hop, double p99_ns)
{
    const sample_column_t *column = &s->hops[hop];
    uint64_t beyond = 0, touched = 0;
    for (uint64_t i = 0; s->touched && i < column->count; i++)
        if ((double)column->ns[i] > p99_ns) {
            beyond++;
            touched += s->touched[samples_row(s, hop, i)];
        }
    return beyond ? (double)touched / (double)beyond : NAN;
}

static int look_at(const samples_t *s, reached_t *out)
{
    enum sample_hop hop = hops_whole(s);
    double p99_ns, ignored;
    uint64_t count = 0;
    *out = (reached_t){NAN, NAN, NAN};
    if (share_of(s->hops[hop].ns, s->hops[hop].count, &out->share, &p99_ns) < 0)
        return -ENOMEM;
    out->by_host = beyond_by_host(s, hop, p99_ns);
    uint64_t *ns = samples_untouched(s, hop, &count);
    int rc = ns ? share_of(ns, count, &out->untouched, &ignored) : 0;
    free(ns);
    return rc;
}

double until_next_s(double seconds, double reached, double share)
{
    if (isnan(reached))
        return 2 * seconds;
    double times = reached / share;
    return seconds * fmax(LONGER_MIN, times * times * SPARE);
}

static json_t *number_or_null(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *told(const run_result_t *r, const reached_t *all, double share, double seconds)
{
    double reached = all->share;
    bool known = reached <= share;
    return json_pack(
        "{s:s, s:s, s:f, s:o, s:o, s:o, s:b, s:b, s:f, s:o}", "hop",
        samples_hop_name(hops_whole(&r->samples)), "percentile", hop_percentiles[HOP_P99].key,
        "target", share, "reached", number_or_null(reached), "reached_untouched",
        number_or_null(all->untouched), "beyond_by_host", number_or_null(all->by_host), "known",
        known, "stopped", r->stopped, "seconds", r->seconds, "needs_s",
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
        reached_t reached = {NAN, NAN, NAN};
        seconds = fmin(seconds, most);
        snprintf(length, sizeof length, "%.0fms", ceil(seconds * 1000));
        line.words[0] = "--for";
        line.words[1] = length;
        line.words_count = 2;
        round_progress("run %d, of %.1f s", run, seconds);
        code = round_measure(&line, spec, out_result, &stopped);
        round_progress_end();
        if (code != OUTCOME_OK)
            break;
        if (look_at(&out_result->samples, &reached) < 0) {
            run_result_clear(out_result);
            return outcome_failed(argv[0], "no memory to look at the samples");
        }
        /* A feed that gave no more than to the run before has no more for a longer one. */
        bool all = out_result->samples.rows <= rows + rows / 20;
        rows = out_result->samples.rows;
        if (reached.share <= share || stopped || all || seconds >= most || run == RUNS_MAX) {
            *out_told = told(out_result, &reached, share, seconds);
            break;
        }
        seconds = until_next_s(seconds, reached.share, share);
        run_result_clear(out_result);
    }
    return code;
}

/* What of it is the host's, and what can be told all the same: "; 83 % of ... ". */
static const char *of_the_host(const json_t *object, char *text, size_t bytes)
{
    const json_t *by_host = json_object_get(object, "beyond_by_host"),
                 *untouched = json_object_get(object, "reached_untouched");
    text[0] = 0;
    if (json_is_number(by_host)) {
        int used = snprintf(text, bytes, "; the host held up %.0f %% of the messages beyond it",
                            100 * json_number_value(by_host));
        if (json_is_number(untouched))
            snprintf(text + used, bytes - (size_t)used,
                     "; p99 of those that it did not touch is known to within %.1f %%",
                     100 * json_number_value(untouched));
    }
    return text;
}

int until_outcome(const char *verb, const json_t *object)
{
    const json_t *reached = json_object_get(object, "reached"),
                 *needs = json_object_get(object, "needs_s");
    const char *hop = json_string_value(json_object_get(object, "hop"));
    double target = json_number_value(json_object_get(object, "target"));
    double seconds = json_number_value(json_object_get(object, "seconds"));
    char host[160];
    if (json_is_true(json_object_get(object, "known")))
        return OUTCOME_OK;
    if (json_is_true(json_object_get(object, "stopped")))
        return outcome_failed(verb, "stopped after %.1f s, before p99 of %s was known", seconds,
                              hop);
    of_the_host(object, host, sizeof host);
    if (!json_is_number(reached))
        return outcome_failed(verb,
                              "cannot be measured here: after %.1f s no interval can be told for "
                              "p99 of %s%s",
                              seconds, hop, host);
    return outcome_failed(verb,
                          "cannot be measured here: after %.1f s p99 of %s is known to within "
                          "%.1f %%, and %.1f %% would take %s (--max)%s",
                          seconds, hop, 100 * json_number_value(reached), 100 * target,
                          figure_ns(1e9 * json_number_value(needs)).text, host);
}
