/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/hops.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/measure/format.h"
#include "tools/measure/quantile.h"
#include "tools/measure/steadiness.h"

#define LEVEL 0.95

const hop_percentile_t hop_percentiles[HOP_PERCENTILES] = {
    {"p50", "p50", 500000},     {"p90", "p90", 900000},       {"p99", "p99", 990000},
    {"p99_9", "p99.9", 999000}, {"p99_99", "p99.99", 999900}, {"p99_999", "p99.999", 999990},
};

enum sample_hop hops_whole(const samples_t *s)
{
    return s->hops[HOP_TICK_TO_REPORT].count ? HOP_TICK_TO_REPORT : HOP_TICK_TO_SEEN;
}

/* Of a hop that every message takes: its mean over those that are answered, which adds up with the
 * other hops to the mean from tick to report. */
static double mean_answered_ns(const samples_t *s, enum sample_hop hop)
{
    const sample_column_t *answered = &s->hops[HOP_TICK_TO_REPORT];
    double sum = 0;
    for (uint64_t i = 0, k = 0; i < answered->count; i++) {
        while (samples_row(s, hop, k) < samples_row(s, HOP_TICK_TO_REPORT, i))
            k++;
        sum += (double)s->hops[hop].ns[k];
    }
    return answered->count ? sum / (double)answered->count : 0;
}

static void set_ns(json_t *object, const char *key, double ns)
{
    json_object_set_new(object, key, isnan(ns) ? json_null() : json_integer((json_int_t)ns));
}

static void set_percentiles(json_t *hop, const quantile_set_t *set, double seconds)
{
    json_t *intervals = json_object(), *needs = json_object();
    for (size_t p = 0; p < HOP_PERCENTILES; p++) {
        const char *key = hop_percentiles[p].key;
        quantile_t q = quantile_of(set, hop_percentiles[p].per_million, LEVEL);
        set_ns(hop, key, q.value);
        json_object_set_new(intervals, key,
                            q.state == QUANTILE_KNOWN
                                ? json_pack("[I, I]", (json_int_t)q.low, (json_int_t)ceil(q.high))
                                : json_null());
        if (q.state == QUANTILE_WITHHELD && set->count)
            json_object_set_new(
                needs, key,
                json_real(ceil((double)q.missing / (double)set->count * seconds * 10) / 10));
    }
    json_object_set_new(hop, "max",
                        set->count ? json_integer((json_int_t)quantile_rank(set, 1000000))
                                   : json_null());
    json_object_set_new(hop, "ci95", intervals);
    json_object_set_new(hop, "needs_s", needs);
}

/* The same of those that the host did not touch; null: not known, or none. */
static json_t *untouched_object(const samples_t *s, enum sample_hop hop, double seconds)
{
    quantile_set_t set;
    uint64_t count = 0, *ns = samples_untouched(s, hop, &count);
    json_t *object = json_null();
    if (ns && count && quantile_set_make(ns, count, &set) == 0) {
        object = json_pack("{s:I, s:f}", "count", (json_int_t)count, "share",
                           (double)count / (double)s->hops[hop].count);
        set_percentiles(object, &set, seconds);
        quantile_set_free(&set);
    }
    free(ns);
    return object;
}

static json_t *hop_object(const samples_t *s, enum sample_hop hop, double seconds)
{
    const sample_column_t *column = &s->hops[hop];
    quantile_set_t set;
    if (quantile_set_make(column->ns, column->count, &set) < 0)
        return NULL;
    json_t *object = json_pack("{s:s, s:I, s:o}", "name", samples_hop_name(hop), "count",
                               (json_int_t)column->count, "mean",
                               column->count ? json_real(samples_mean_ns(s, hop)) : json_null());
    if (hop < HOP_PATH && s->hops[HOP_TICK_TO_REPORT].count)
        json_object_set_new(object, "mean_answered", json_real(mean_answered_ns(s, hop)));
    set_percentiles(object, &set, seconds);
    quantile_set_free(&set);
    json_object_set_new(object, "untouched", untouched_object(s, hop, seconds));
    return object;
}

json_t *hops_report(const samples_t *s, double seconds)
{
    json_t *array = json_array();
    for (int hop = 0; hop < HOP_COUNT; hop++)
        if ((hop < HOP_WAIT_HORIZON || s->hops[hop].count) &&
            json_array_append_new(array, hop_object(s, (enum sample_hop)hop, seconds)) < 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

/* ---- did it stay the same? */

static json_t *unsteady_object(const unsteady_t *u)
{
    return u->per_million == 0 ? json_null()
                               : json_pack("{s:s, s:I, s:I}", "percentile",
                                           u->per_million == 500000 ? "p50" : "p99", "before",
                                           (json_int_t)u->before, "after", (json_int_t)u->after);
}

json_t *hops_steadiness(const samples_t *s)
{
    enum sample_hop hop = hops_whole(s);
    const sample_column_t *column = &s->hops[hop];
    quantile_set_t set;
    steadiness_t steadiness;
    if (quantile_set_make(column->ns, column->count, &set) < 0)
        return NULL;
    int rc = steadiness_look(&set, &steadiness);
    quantile_set_free(&set);
    if (rc < 0)
        return NULL;
    json_t *warm_up = unsteady_object(&steadiness.warm_up);
    if (json_is_object(warm_up))
        json_object_set_new(
            warm_up, "seconds",
            json_real((double)samples_at_ns(s, hop, steadiness.warm_up_count) / 1e9));
    return json_pack("{s:s, s:o, s:o}", "hop", samples_hop_name(hop), "warm_up", warm_up, "drift",
                     unsteady_object(&steadiness.drift));
}

static figure_t figure_at(const json_t *object, const char *key)
{
    return figure_ns(json_number_value(json_object_get(object, key)));
}

char *hops_warm_up_text(const json_t *steadiness)
{
    const json_t *warm_up = json_object_get(steadiness, "warm_up");
    char *text = NULL;
    if (!json_is_object(warm_up) ||
        asprintf(&text, "warm-up: in the first %.2g s %s of %s was %s, later %s",
                 json_number_value(json_object_get(warm_up, "seconds")),
                 json_string_value(json_object_get(warm_up, "percentile")),
                 json_string_value(json_object_get(steadiness, "hop")),
                 figure_at(warm_up, "before").text, figure_at(warm_up, "after").text) < 0)
        return NULL;
    return text;
}

char *hops_drift_text(const json_t *steadiness)
{
    const json_t *drift = json_object_get(steadiness, "drift");
    char *text = NULL;
    if (!json_is_object(drift) ||
        asprintf(&text,
                 "drift: in the first third %s of %s was %s, in the last %s; percentiles of the "
                 "whole run are a mixture",
                 json_string_value(json_object_get(drift, "percentile")),
                 json_string_value(json_object_get(steadiness, "hop")),
                 figure_at(drift, "before").text, figure_at(drift, "after").text) < 0)
        return NULL;
    return text;
}
