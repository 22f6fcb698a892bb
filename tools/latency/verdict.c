/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/verdict.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "tools/measure/difference.h"
#include "tools/measure/format.h"
#include "tools/measure/quantile.h"

#define LEVEL        0.99 /* of the one that counts, and of all others together */
#define FIGURE_WIDTH 9

typedef struct cell {
    double a, b; /* ns; NaN: withheld */
    difference_t difference;
} cell_t;

typedef struct table {
    enum sample_hop judged; /* p99 of this one counts */
    bool has[HOP_COUNT];
    double level_each;
    uint32_t count; /* of the others */
    cell_t cells[HOP_COUNT][HOP_PERCENTILES];
} table_t;

static double level_of(const table_t *t, int hop, size_t p)
{
    return hop == (int)t->judged && p == HOP_P99 ? LEVEL : t->level_each;
}

/* The family is what is asked, not what can be answered: else what is withheld would lower the bar
 * for the others. */
static void count_family(table_t *t)
{
    for (int hop = 0; hop < HOP_COUNT; hop++)
        t->count += t->has[hop] ? HOP_PERCENTILES : 0;
    t->count -= t->count > 0;
    t->level_each = difference_family_level(LEVEL, t->count ? t->count : 1);
}

/* ---- what it is made of */

static int fill_hop(table_t *t, int hop, const samples_t *a, const samples_t *b)
{
    quantile_set_t sets[2] = {{0}, {0}};
    int rc = quantile_set_make(a->hops[hop].ns, a->hops[hop].count, &sets[0]);
    if (rc == 0)
        rc = quantile_set_make(b->hops[hop].ns, b->hops[hop].count, &sets[1]);
    for (size_t p = 0; rc == 0 && p < HOP_PERCENTILES; p++) {
        double level = level_of(t, hop, p);
        quantile_t qa = quantile_of(&sets[0], hop_percentiles[p].per_million, level);
        quantile_t qb = quantile_of(&sets[1], hop_percentiles[p].per_million, level);
        t->cells[hop][p] = (cell_t){
            .a = qa.value, .b = qb.value, .difference = difference_between(&qa, &qb, level)};
    }
    quantile_set_free(&sets[0]);
    quantile_set_free(&sets[1]);
    return rc;
}

int verdict_add_round(verdict_rounds_t *rounds, const samples_t *s)
{
    for (int hop = 0; hop < HOP_COUNT; hop++) {
        quantile_set_t set;
        if (quantile_set_make(s->hops[hop].ns, s->hops[hop].count, &set) < 0)
            return -ENOMEM;
        for (size_t p = 0; p < HOP_PERCENTILES; p++)
            series_add(&rounds->hops[hop][p], quantile_value(&set, hop_percentiles[p].per_million));
        quantile_set_free(&set);
    }
    return 0;
}

/* ---- the object */

static json_t *number_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *cell_object(const cell_t *cell)
{
    const difference_t *d = &cell->difference;
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:s, s:o}", "a", number_or_null(cell->a), "b",
        number_or_null(cell->b), "change", number_or_null(d->share), "ci",
        isfinite(d->low) && isfinite(d->high) ? json_pack("[f, f]", d->low, d->high) : json_null(),
        "verdict", difference_name(d->verdict), "detectable", number_or_null(d->detectable));
}

static json_t *table_object(const table_t *t, bool paired)
{
    json_t *hops = json_array();
    for (int hop = 0; hop < HOP_COUNT; hop++) {
        if (!t->has[hop])
            continue;
        json_t *object = json_pack("{s:s}", "name", samples_hop_name((enum sample_hop)hop));
        for (size_t p = 0; p < HOP_PERCENTILES; p++)
            json_object_set_new(object, hop_percentiles[p].key, cell_object(&t->cells[hop][p]));
        json_array_append_new(hops, object);
    }
    const cell_t *judged = &t->cells[t->judged][HOP_P99];
    return json_pack("{s:s, s:{s:s, s:s, s:f}, s:{s:i, s:f, s:f}, s:b, s:o}", "verdict",
                     difference_name(judged->difference.verdict), "judged", "hop",
                     samples_hop_name(t->judged), "percentile", hop_percentiles[HOP_P99].key,
                     "level", LEVEL, "family", "count", (int)t->count, "level", LEVEL, "level_each",
                     t->level_each, "paired", paired, "hops", hops);
}

/* Does it carry a p99? */
static bool carries_p99(const sample_column_t *column)
{
    return column->count >= quantile_needs(hop_percentiles[HOP_P99].per_million);
}

json_t *verdict_between(const samples_t *a, const samples_t *b)
{
    table_t t = {.judged = carries_p99(&a->hops[HOP_TICK_TO_REPORT]) &&
                                   carries_p99(&b->hops[HOP_TICK_TO_REPORT])
                               ? HOP_TICK_TO_REPORT
                               : HOP_TICK_TO_SEEN};
    for (int hop = 0; hop < HOP_COUNT; hop++)
        t.has[hop] = a->hops[hop].count && b->hops[hop].count;
    count_family(&t);
    for (int hop = 0; hop < HOP_COUNT; hop++)
        if (fill_hop(&t, hop, a, b) < 0)
            return NULL;
    return table_object(&t, false);
}

/* Rounds in which both are known. */
static void known_rounds(const series_t *a, const series_t *b, series_t *out_a, series_t *out_b)
{
    *out_a = *out_b = (series_t){0};
    for (uint32_t i = 0; i < a->count && i < b->count; i++)
        if (!isnan(a->values[i]) && !isnan(b->values[i])) {
            series_add(out_a, a->values[i]);
            series_add(out_b, b->values[i]);
        }
}

json_t *verdict_paired(const verdict_rounds_t *a, const verdict_rounds_t *b)
{
    table_t t = {.judged = HOP_TICK_TO_SEEN};
    series_t x, y;
    known_rounds(&a->hops[HOP_TICK_TO_REPORT][HOP_P99], &b->hops[HOP_TICK_TO_REPORT][HOP_P99], &x,
                 &y);
    if (x.count && x.count == a->hops[HOP_TICK_TO_SEEN][0].count)
        t.judged = HOP_TICK_TO_REPORT;
    for (int hop = 0; hop < HOP_COUNT; hop++) {
        known_rounds(&a->hops[hop][0], &b->hops[hop][0], &x, &y);
        t.has[hop] = x.count > 0;
    }
    count_family(&t);
    for (int hop = 0; hop < HOP_COUNT; hop++)
        for (size_t p = 0; p < HOP_PERCENTILES; p++) {
            known_rounds(&a->hops[hop][p], &b->hops[hop][p], &x, &y);
            t.cells[hop][p] =
                (cell_t){.a = series_median(&x),
                         .b = series_median(&y),
                         .difference = difference_paired(&x, &y, level_of(&t, hop, p))};
        }
    json_t *object = table_object(&t, true);
    json_object_set_new(object, "rounds", json_integer(a->hops[0][0].count));
    json_object_set_new(object, "rounds_min", json_integer(difference_rounds_min(LEVEL)));
    json_object_set_new(object, "rounds_min_each",
                        json_integer(difference_rounds_min(t.level_each)));
    return object;
}

/* ---- the text */

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static const char *string(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static const json_t *judged_cell(const json_t *verdict)
{
    const json_t *judged = json_object_get(verdict, "judged"), *hop;
    size_t i;
    json_array_foreach(json_object_get(verdict, "hops"), i, hop)
    {
        if (strcmp(string(hop, "name"), string(judged, "hop")) == 0)
            return json_object_get(hop, string(judged, "percentile"));
    }
    return NULL;
}

/* "+6.6 % (+2.1 .. +11.3)"; returns its length. */
static int print_change(const json_t *cell, FILE *out)
{
    const json_t *ci = json_object_get(cell, "ci");
    double change = number(cell, "change");
    if (isnan(change))
        return fputs("-", out) < 0 ? 0 : 1;
    int length = fprintf(out, "%+.1f %%", 100 * change);
    if (json_is_array(ci))
        length += fprintf(out, " (%+.1f .. %+.1f)", 100 * json_number_value(json_array_get(ci, 0)),
                          100 * json_number_value(json_array_get(ci, 1)));
    return length;
}

static void print_head(const json_t *verdict, const char *name_a, const char *name_b, FILE *out)
{
    const json_t *cell = judged_cell(verdict);
    const char *word = string(verdict, "verdict");
    fprintf(out, "%s: B (%s) against A (%s), p99 of %s: ",
            strcmp(word, "cannot_tell") == 0 ? "cannot tell" : word, name_b, name_a,
            string(json_object_get(verdict, "judged"), "hop"));
    print_change(cell, out);
    double detectable = number(cell, "detectable");
    if (!isnan(detectable))
        fprintf(out, "; a change of %.1f %% would be found 95 times of 100", 100 * detectable);
    fputc('\n', out);
    double rounds = number(verdict, "rounds"), least = number(verdict, "rounds_min");
    if (rounds < least)
        fprintf(out, "%.0f rounds can tell nothing at 99 %%: it takes %.0f\n", rounds, least);
    if (!json_is_true(json_object_get(verdict, "paired")))
        fputs("Two runs that are over: what the host did differently meanwhile is in the "
              "difference, and not in its interval. --ab has them take turns.\n",
              out);
}

static void print_cell(const char *hop, const char *percentile, const json_t *cell, FILE *out)
{
    const char *word = string(cell, "verdict");
    if (isnan(number(cell, "a")) && isnan(number(cell, "b")))
        return;
    fprintf(out, "%-15s %-8s %*s %*s  ", hop, percentile, FIGURE_WIDTH,
            figure_ns(number(cell, "a")).text, FIGURE_WIDTH, figure_ns(number(cell, "b")).text);
    int length = print_change(cell, out);
    fprintf(out, "%*s %s\n", length < 28 ? 28 - length : 0, "",
            strcmp(word, "cannot_tell") == 0 ? "cannot tell" : word);
}

void verdict_print(const json_t *verdict, const char *name_a, const char *name_b, FILE *out)
{
    size_t i;
    const json_t *hop, *family = json_object_get(verdict, "family");
    print_head(verdict, name_a, name_b, out);
    fprintf(out, "\n%-15s %-8s %*s %*s  %-28s %s\n", "hop", "", FIGURE_WIDTH, "A", FIGURE_WIDTH,
            "B", "B against A (interval)", "verdict");
    json_array_foreach(json_object_get(verdict, "hops"), i, hop)
    {
        for (size_t p = 0; p < HOP_PERCENTILES; p++)
            print_cell(string(hop, "name"), hop_percentiles[p].name,
                       json_object_get(hop, hop_percentiles[p].key), out);
    }
    fprintf(out,
            "The first line counts (99 %%). The other %.0f rows are judged such that none of them "
            "is wrong with 99 %%: %.3f %% each.\n",
            number(family, "count"), 100 * number(family, "level_each"));
    if (number(verdict, "rounds") < number(verdict, "rounds_min_each"))
        fprintf(out, "That takes %.0f rounds at least: these rows can tell nothing.\n",
                number(verdict, "rounds_min_each"));
}
