/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/verdict.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/measure/difference.h"
#include "tools/measure/format.h"
#include "tools/measure/quantile.h"

#define LEVEL        0.99 /* of the one that counts, and of all others together */
#define ASKED        0.05 /* how long would it take to find that? */
#define FIGURE_WIDTH 9

typedef struct cell {
    double a, b; /* ns; NaN: withheld */
    difference_t difference;
} cell_t;

/* Of all messages, or of those that the host did not touch. */
typedef struct part {
    bool known;
    bool has[HOP_COUNT];
    double share[2]; /* of A and of B: how many messages it has */
    cell_t cells[HOP_COUNT][HOP_PERCENTILES];
} part_t;

typedef struct table {
    enum sample_hop judged; /* p99 of this one counts */
    double level_each;
    uint32_t count; /* of the others */
    part_t parts[VERDICT_KINDS];
} table_t;

static double level_of(const table_t *t, int hop, size_t p)
{
    return hop == (int)t->judged && p == HOP_P99 ? LEVEL : t->level_each;
}

/* The family is what is asked, not what can be answered: else what is withheld would lower the bar
 * for the others. */
static void count_family(table_t *t)
{
    for (int kind = 0; kind < VERDICT_KINDS; kind++)
        for (int hop = 0; hop < HOP_COUNT && t->parts[kind].known; hop++)
            t->count += t->parts[kind].has[hop] ? HOP_PERCENTILES : 0;
    for (int kind = 0; kind < VERDICT_KINDS; kind++)
        t->count -= t->count > 0 && t->parts[kind].known && t->parts[kind].has[t->judged];
    t->level_each = difference_family_level(LEVEL, t->count ? t->count : 1);
}

/* ---- what it is made of */

/* The values of one hop, in order, and what must be freed of them. */
typedef struct column {
    quantile_set_t set;
    uint64_t *own;
} column_t;

/* -ENOMEM. Then `out` is empty, and when nothing is known. */
static int column_make(const samples_t *s, int kind, int hop, column_t *out)
{
    const uint64_t *ns = s->hops[hop].ns;
    uint64_t count = s->hops[hop].count;
    *out = (column_t){0};
    if (kind == VERDICT_UNTOUCHED) {
        count = 0;
        if (!s->touched || !samples_is_on_way((enum sample_hop)hop))
            return 0;
        ns = out->own = samples_untouched(s, (enum sample_hop)hop, &count);
        if (!ns)
            return -ENOMEM;
    }
    int rc = quantile_set_make(ns, count, &out->set);
    if (rc < 0) {
        free(out->own);
        out->own = NULL; /* else column_free, which takes one that is empty, frees it again */
    }
    return rc;
}

static void column_free(column_t *c)
{
    quantile_set_free(&c->set);
    free(c->own);
}

static int fill_hop(table_t *t, int kind, int hop, const samples_t *a, const samples_t *b)
{
    column_t columns[2] = {{.own = NULL}, {.own = NULL}};
    int rc = column_make(a, kind, hop, &columns[0]);
    if (rc == 0)
        rc = column_make(b, kind, hop, &columns[1]);
    for (size_t p = 0; rc == 0 && p < HOP_PERCENTILES; p++) {
        double level = level_of(t, hop, p);
        quantile_t qa = quantile_of(&columns[0].set, hop_percentiles[p].per_million, level);
        quantile_t qb = quantile_of(&columns[1].set, hop_percentiles[p].per_million, level);
        t->parts[kind].cells[hop][p] = (cell_t){
            .a = qa.value, .b = qb.value, .difference = difference_between(&qa, &qb, level)};
    }
    column_free(&columns[0]);
    column_free(&columns[1]);
    return rc;
}

/* NaN: not known. */
static double untouched_share(const samples_t *s)
{
    uint64_t touched = 0;
    for (uint64_t row = 0; s->touched && row < s->rows; row++)
        touched += s->touched[row];
    return s->touched && s->rows ? 1 - (double)touched / (double)s->rows : NAN;
}

int verdict_add_round(verdict_rounds_t *rounds, const samples_t *s)
{
    series_add(&rounds->untouched, untouched_share(s));
    for (int kind = 0; kind < VERDICT_KINDS; kind++)
        for (int hop = 0; hop < HOP_COUNT; hop++) {
            column_t column;
            if (column_make(s, kind, hop, &column) < 0)
                return -ENOMEM;
            for (size_t p = 0; p < HOP_PERCENTILES; p++)
                series_add(&rounds->hops[kind][hop][p],
                           quantile_value(&column.set, hop_percentiles[p].per_million));
            column_free(&column);
        }
    return 0;
}

/* ---- the object */

static json_t *number_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* So many times as much of the same would find it: what is known grows with the square root. */
static double times_for_asked(const difference_t *d)
{
    double times = d->detectable / ASKED;
    return isfinite(times) ? times * times : NAN;
}

static json_t *cell_object(const cell_t *cell)
{
    const difference_t *d = &cell->difference;
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "a", number_or_null(cell->a), "b",
        number_or_null(cell->b), "change", number_or_null(d->share), "ci",
        isfinite(d->low) && isfinite(d->high) ? json_pack("[f, f]", d->low, d->high) : json_null(),
        "verdict", difference_name(d->verdict), "detectable", number_or_null(d->detectable),
        "times_for_5", number_or_null(times_for_asked(d)));
}

static void set_cells(json_t *object, const part_t *part, int hop)
{
    for (size_t p = 0; p < HOP_PERCENTILES; p++)
        json_object_set_new(object, hop_percentiles[p].key, cell_object(&part->cells[hop][p]));
}

static json_t *hops_array(const table_t *t)
{
    const part_t *all = &t->parts[VERDICT_ALL], *untouched = &t->parts[VERDICT_UNTOUCHED];
    json_t *hops = json_array();
    for (int hop = 0; hop < HOP_COUNT; hop++) {
        if (!all->has[hop])
            continue;
        json_t *object = json_pack("{s:s}", "name", samples_hop_name((enum sample_hop)hop));
        json_t *second = untouched->known && untouched->has[hop] ? json_object() : json_null();
        set_cells(object, all, hop);
        if (json_is_object(second))
            set_cells(second, untouched, hop);
        json_object_set_new(object, "untouched", second);
        json_array_append_new(hops, object);
    }
    return hops;
}

static const char *verdict_name(const table_t *t, int kind)
{
    return difference_name(t->parts[kind].cells[t->judged][HOP_P99].difference.verdict);
}

static json_t *untouched_of(const table_t *t)
{
    const part_t *part = &t->parts[VERDICT_UNTOUCHED];
    return part->known ? json_pack("{s:s, s:o, s:o}", "verdict", verdict_name(t, VERDICT_UNTOUCHED),
                                   "share_a", number_or_null(part->share[0]), "share_b",
                                   number_or_null(part->share[1]))
                       : json_null();
}

static json_t *table_object(const table_t *t, bool paired)
{
    return json_pack("{s:s, s:{s:s, s:s, s:f}, s:{s:i, s:f, s:f}, s:b, s:o, s:o}", "verdict",
                     verdict_name(t, VERDICT_ALL), "judged", "hop", samples_hop_name(t->judged),
                     "percentile", hop_percentiles[HOP_P99].key, "level", LEVEL, "family", "count",
                     (int)t->count, "level", LEVEL, "level_each", t->level_each, "paired", paired,
                     "untouched", untouched_of(t), "hops", hops_array(t));
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
    t.parts[VERDICT_ALL].known = true;
    t.parts[VERDICT_UNTOUCHED] = (part_t){.known = a->touched && b->touched,
                                          .share = {untouched_share(a), untouched_share(b)}};
    for (int hop = 0; hop < HOP_COUNT; hop++) {
        t.parts[VERDICT_ALL].has[hop] = a->hops[hop].count && b->hops[hop].count;
        t.parts[VERDICT_UNTOUCHED].has[hop] =
            t.parts[VERDICT_ALL].has[hop] && samples_is_on_way((enum sample_hop)hop);
    }
    count_family(&t);
    for (int kind = 0; kind < VERDICT_KINDS; kind++)
        for (int hop = 0; hop < HOP_COUNT && t.parts[kind].known; hop++)
            if (fill_hop(&t, kind, hop, a, b) < 0)
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

static void fill_rounds(table_t *t, int kind, const verdict_rounds_t *a, const verdict_rounds_t *b)
{
    series_t x, y;
    for (int hop = 0; hop < HOP_COUNT; hop++)
        for (size_t p = 0; p < HOP_PERCENTILES; p++) {
            known_rounds(&a->hops[kind][hop][p], &b->hops[kind][hop][p], &x, &y);
            t->parts[kind].cells[hop][p] =
                (cell_t){.a = series_median(&x),
                         .b = series_median(&y),
                         .difference = difference_paired(&x, &y, level_of(t, hop, p))};
        }
}

json_t *verdict_paired(const verdict_rounds_t *a, const verdict_rounds_t *b)
{
    table_t t = {.judged = HOP_TICK_TO_SEEN};
    series_t x, y;
    const series_t(*all_a)[HOP_PERCENTILES] = a->hops[VERDICT_ALL],
          (*all_b)[HOP_PERCENTILES] = b->hops[VERDICT_ALL];
    known_rounds(&all_a[HOP_TICK_TO_REPORT][HOP_P99], &all_b[HOP_TICK_TO_REPORT][HOP_P99], &x, &y);
    if (x.count && x.count == all_a[HOP_TICK_TO_SEEN][0].count)
        t.judged = HOP_TICK_TO_REPORT;
    known_rounds(&a->untouched, &b->untouched, &x, &y);
    t.parts[VERDICT_ALL].known = true;
    t.parts[VERDICT_UNTOUCHED] =
        (part_t){.known = x.count > 0, .share = {series_median(&x), series_median(&y)}};
    for (int hop = 0; hop < HOP_COUNT; hop++) {
        known_rounds(&all_a[hop][0], &all_b[hop][0], &x, &y);
        t.parts[VERDICT_ALL].has[hop] = x.count > 0;
        t.parts[VERDICT_UNTOUCHED].has[hop] =
            x.count > 0 && samples_is_on_way((enum sample_hop)hop);
    }
    count_family(&t);
    for (int kind = 0; kind < VERDICT_KINDS; kind++)
        if (t.parts[kind].known)
            fill_rounds(&t, kind, a, b);
    json_t *object = table_object(&t, true);
    json_object_set_new(object, "rounds", json_integer(all_a[0][0].count));
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

/* The cell that counts: of all messages, or of those that the host did not touch. */
static const json_t *judged_cell(const json_t *verdict, int kind)
{
    const json_t *judged = json_object_get(verdict, "judged"), *hop;
    size_t i;
    json_array_foreach(json_object_get(verdict, "hops"), i, hop)
    {
        if (strcmp(string(hop, "name"), string(judged, "hop")) == 0)
            return json_object_get(kind == VERDICT_ALL ? hop : json_object_get(hop, "untouched"),
                                   string(judged, "percentile"));
    }
    return NULL;
}

const char *verdict_words(const char *verdict)
{
    return strcmp(verdict, "cannot_tell") == 0 ? "cannot tell" : verdict;
}

static const char *words_of(const json_t *object)
{
    return verdict_words(string(object, "verdict"));
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

/* What is said of one of the two that count. */
static void print_judged(const json_t *verdict, const json_t *cell, FILE *out)
{
    double detectable = number(cell, "detectable"), times = number(cell, "times_for_5");
    double seconds = number(verdict, "seconds"), rounds = number(verdict, "rounds");
    print_change(cell, out);
    if (!isnan(detectable))
        fprintf(out, "; would have seen %+.1f %%, 95 times of 100", 100 * detectable);
    if (!isnan(detectable) && seconds > 0)
        fprintf(out, ", in %s", figure_ns(1e9 * seconds).text);
    if (times > 1 && seconds > 0)
        fprintf(out, " (%+.0f %% would take %.0f such rounds, %s)", 100 * ASKED,
                ceil(times * rounds), figure_ns(1e9 * seconds * times).text);
    else if (times > 1)
        fprintf(out, " (%+.0f %% would take runs %.0f times as long)", 100 * ASKED, ceil(times));
    fputc('\n', out);
}

char *verdict_differences(const json_t *verdict)
{
    const json_t *list = json_object_get(verdict, "differ_in"), *one;
    size_t i, bytes;
    char *text = NULL;
    FILE *out = json_array_size(list) ? open_memstream(&text, &bytes) : NULL;
    if (!out)
        return NULL;
    fputs("A and B differ in more than their latency:", out);
    json_array_foreach(list, i, one)
    {
        const json_t *a = json_object_get(one, "a"), *b = json_object_get(one, "b");
        fprintf(out, "%s %s", i ? "," : "", string(one, "what"));
        if (json_is_number(a) && json_is_number(b))
            fprintf(out, " (%.0f and %.0f)", json_number_value(a), json_number_value(b));
        else if (json_is_string(a) && json_is_string(b))
            fprintf(out, " (%s and %s)", json_string_value(a), json_string_value(b));
        else if (json_is_boolean(a))
            fprintf(out, " (%s and %s)", json_is_true(a) ? "on" : "off",
                    json_is_true(b) ? "on" : "off");
    }
    fclose(out);
    return text;
}

static void print_differences(const json_t *verdict, FILE *out)
{
    char *text = verdict_differences(verdict);
    if (text)
        fprintf(out, "%s\n", text);
    free(text);
}

static void print_head(const json_t *verdict, const char *name_a, const char *name_b, FILE *out)
{
    const json_t *untouched = json_object_get(verdict, "untouched");
    fprintf(out, "%s: B (%s) against A (%s), p99 of %s: ", words_of(verdict), name_b, name_a,
            string(json_object_get(verdict, "judged"), "hop"));
    print_judged(verdict, judged_cell(verdict, VERDICT_ALL), out);
    if (json_is_object(untouched)) {
        fprintf(out, "%s: of messages that the host did not touch (A %.1f %%, B %.1f %%): ",
                words_of(untouched), 100 * number(untouched, "share_a"),
                100 * number(untouched, "share_b"));
        print_judged(verdict, judged_cell(verdict, VERDICT_UNTOUCHED), out);
    }
    double rounds = number(verdict, "rounds"), least = number(verdict, "rounds_min");
    if (rounds < least)
        fprintf(out, "%.0f rounds can tell nothing at 99 %%: it takes %.0f\n", rounds, least);
    print_differences(verdict, out);
    if (!json_is_true(json_object_get(verdict, "paired")))
        fputs("Two runs that are over: what the host did differently meanwhile is in the "
              "difference, and not in its interval. --ab has them take turns.\n",
              out);
}

static void print_cell(const char *hop, const char *percentile, const json_t *cell, FILE *out)
{
    double detectable = number(cell, "detectable");
    if (isnan(number(cell, "a")) && isnan(number(cell, "b")))
        return;
    fprintf(out, "%-15s %-8s %*s %*s  ", hop, percentile, FIGURE_WIDTH,
            figure_ns(number(cell, "a")).text, FIGURE_WIDTH, figure_ns(number(cell, "b")).text);
    int length = print_change(cell, out);
    fprintf(out, "%*s ", length < 28 ? 28 - length : 0, "");
    if (isnan(detectable))
        fprintf(out, "%9s", "-");
    else
        fprintf(out, "%+7.1f %%", 100 * detectable);
    fprintf(out, "  %s\n", words_of(cell));
}

static void print_table(const json_t *verdict, int kind, FILE *out)
{
    size_t i;
    const json_t *hop;
    fprintf(out, "\n%-15s %-8s %*s %*s  %-28s %9s  %s\n", kind == VERDICT_ALL ? "hop" : "untouched",
            "", FIGURE_WIDTH, "A", FIGURE_WIDTH, "B", "B against A (interval)", "would see",
            "verdict");
    json_array_foreach(json_object_get(verdict, "hops"), i, hop)
    {
        const json_t *cells = kind == VERDICT_ALL ? hop : json_object_get(hop, "untouched");
        for (size_t p = 0; p < HOP_PERCENTILES && json_is_object(cells); p++)
            print_cell(string(hop, "name"), hop_percentiles[p].name,
                       json_object_get(cells, hop_percentiles[p].key), out);
    }
}

void verdict_print(const json_t *verdict, const char *name_a, const char *name_b, FILE *out)
{
    const json_t *family = json_object_get(verdict, "family");
    bool untouched = json_is_object(json_object_get(verdict, "untouched"));
    print_head(verdict, name_a, name_b, out);
    for (int kind = 0; kind < VERDICT_KINDS; kind++)
        if (kind == VERDICT_ALL || untouched)
            print_table(verdict, kind, out);
    fprintf(out,
            "The first %s (99 %%%s). The other %.0f rows are judged such that none of them "
            "is wrong with 99 %%: %.3f %% each.\n",
            untouched ? "two lines count" : "line counts", untouched ? " each" : "",
            number(family, "count"), 100 * number(family, "level_each"));
    if (number(verdict, "rounds") < number(verdict, "rounds_min_each"))
        fprintf(out, "That takes %.0f rounds at least: these rows can tell nothing.\n",
                number(verdict, "rounds_min_each"));
}
