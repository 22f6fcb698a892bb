/* SPDX-License-Identifier: Apache-2.0 */
/* tails.c - how far is the pipeline from what this host can do at all, at p50, p99 and p99.99? Runs
 * of `busctl latency`, each with a bare cache line paced by the same schedule on the same CPUs
 * before and after it (the floor): at a fixed rate and at half of the highest rate that is kept, by
 * even arrivals and by those of a real file at that rate, recorded and not.
 *
 * All combinations take turns from round to round, so that a host which becomes slower is no
 * advantage for any of them. A ratio is one of the same run; a figure is the median of the rounds.
 * What made messages slow is added up over the rounds.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/command.h"
#include "bench/program.h"
#include "tools/measure/format.h"
#include "tools/measure/rank.h"
#include "tools/measure/sides.h"

#define ROUNDS_MAX 31u
#define CELLS      8u
#define CAUSES_MAX 16u
#define TEXT_MAX   512u

enum shown { SEEN_P50, SEEN_P99, SEEN_P99_99, REPORT_P50, REPORT_P99, FIGURES };
static const struct {
    const char *hop;
    const char *percentile;
    const char *heading;
} figures[FIGURES] = {
    [SEEN_P50] = {"tick_to_seen", "p50", "seen p50"},
    [SEEN_P99] = {"tick_to_seen", "p99", "p99"},
    [SEEN_P99_99] = {"tick_to_seen", "p99_99", "p99.99"},
    [REPORT_P50] = {"tick_to_report", "p50", "report p50"},
    [REPORT_P99] = {"tick_to_report", "p99", "p99"},
};

typedef struct cell {
    double rate;
    bool by_file, recorded;
    double ns[FIGURES][ROUNDS_MAX]; /* NaN: withheld */
    double ratio[FIGURES][ROUNDS_MAX];
    unsigned behind; /* runs that did not keep up */
    struct {
        char name[32];
        double ns;
    } causes[CAUSES_MAX];
    unsigned causes_count;
} cell_t;

typedef struct bench {
    unsigned rounds;
    uint64_t rate, knee, seconds, floor;
    const char *file; /* of arrivals; NULL: none */
    const char *layout;
    bool json;
    char journal[64]; /* a directory that is made for it */
    unsigned cells_count;
    cell_t cells[CELLS];
} bench_t;

static const char usage[] =
    "usage: bench_tails [--recorded FILE] [--rate N] [--knee N] [--seconds N] [--floor N]\n"
    "                   [--rounds N] [--layout MODE] [--quick] [--json]\n"
    "Latencies of the pipeline over those of a bare paced cache line (p50, p99) and of a loop\n"
    "that only looks at the clock (p99.99), of the same runs.\n"
    "  --recorded FILE  an ITCH file by whose gaps messages also come, at the same rates;\n"
    "                   without one they come evenly alone\n"
    "  --rate N         messages a second (default 250000)\n"
    "  --knee N         the highest rate that is kept, of which half is measured too; without it\n"
    "                   it is searched for, a minute or two\n"
    "  --seconds N      of each run (default 5)\n"
    "  --floor N        seconds of the floor of each run, twice that long (default 3)\n"
    "  --rounds N       interleaved rounds, 1..31 (default 3)\n"
    "  --layout MODE    fused (default), split\n"
    "  --quick          a smoke test: 1 round, 1 second, 20000 messages/s, no search\n"
    "example: bench_tails --recorded day.itch --json\n";

static bench_t parse(int argc, char **argv)
{
    bench_t b = {.rounds = 3, .rate = 250000, .seconds = 5, .floor = 3, .layout = "fused"};
    const bench_option_t options[] = {{"recorded", .text = &b.file},
                                      {"rate", .number = &b.rate, .highest = 50000000},
                                      {"knee", .number = &b.knee, .highest = 100000000},
                                      {"seconds", .number = &b.seconds, .highest = 3600},
                                      {"floor", .number = &b.floor, .highest = 3600},
                                      {"rounds", .count = &b.rounds, .highest = ROUNDS_MAX},
                                      {"layout", .text = &b.layout},
                                      {"json", .flag = &b.json},
                                      {.name = "quick"},
                                      {0}};
    while (bench_option(argc, argv, options, 0, usage)) {
        b.rounds = b.seconds = b.floor = 1;
        b.rate = 20000;
        b.knee = 80000;
    }
    return b;
}

/* ---- runs */

static double find_knee(const bench_t *b)
{
    const char *const arguments[] = {TICKBUS_BUSCTL, "latency",  "--name",  "tails",  "--ladder",
                                     "--floor",      "none",     "--for",   "1s",     "--rate",
                                     "200k",         "--layout", b->layout, "--json", NULL};
    json_t *object = command_json(arguments, SIDES_ANYWHERE);
    double knee = json_number_value(json_object_get(json_object_get(object, "ladder"), "knee"));
    json_decref(object);
    bench_must(knee > 0 ? 0 : -1, "the ladder", "no rate was kept");
    return knee;
}

static void make_cells(bench_t *b)
{
    double knee = b->knee ? (double)b->knee : find_knee(b);
    b->knee = (uint64_t)knee;
    for (unsigned i = 0; i < CELLS; i++) {
        cell_t cell = {
            .rate = i / 4 ? knee / 2 : (double)b->rate, .by_file = i / 2 % 2, .recorded = i % 2};
        if (!cell.by_file || b->file)
            b->cells[b->cells_count++] = cell;
    }
}

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static const json_t *hop_named(const json_t *report, const char *name)
{
    size_t i;
    const json_t *hop;
    json_array_foreach(json_object_get(report, "hops"), i, hop)
    {
        if (strcmp(json_string_value(json_object_get(hop, "name")), name) == 0)
            return hop;
    }
    return NULL;
}

static void add_cause(cell_t *c, const char *name, double ns)
{
    unsigned i = 0;
    while (i < c->causes_count && strcmp(c->causes[i].name, name) != 0)
        i++;
    if (i == CAUSES_MAX)
        return;
    if (i == c->causes_count) {
        snprintf(c->causes[i].name, sizeof c->causes[i].name, "%s", name);
        c->causes[i].ns = 0;
        c->causes_count++;
    }
    c->causes[i].ns += ns;
}

static void keep(cell_t *c, unsigned round, const json_t *report)
{
    const json_t *ratios = json_object_get(json_object_get(report, "floor"), "ratios"), *cause;
    size_t i;
    for (int f = 0; f < FIGURES; f++) {
        c->ns[f][round] = number(hop_named(report, figures[f].hop), figures[f].percentile);
        c->ratio[f][round] = number(json_object_get(ratios, figures[f].hop), figures[f].percentile);
    }
    c->behind += !json_is_true(json_object_get(report, "kept_up"));
    json_array_foreach(json_object_get(report, "causes"), i, cause)
        add_cause(c, json_string_value(json_object_get(cause, "name")), number(cause, "ns"));
}

static void measure(const bench_t *b, cell_t *c, unsigned round)
{
    char rate[32], time[32], floor[32], arrival[TEXT_MAX];
    snprintf(rate, sizeof rate, "%.0f", c->rate);
    snprintf(time, sizeof time, "%lus", (unsigned long)b->seconds);
    snprintf(floor, sizeof floor, "%lus", (unsigned long)b->floor);
    snprintf(arrival, sizeof arrival, "recorded:%s", b->file ? b->file : "");
    const char *const arguments[] = {TICKBUS_BUSCTL,
                                     "latency",
                                     "--name",
                                     "tails",
                                     "--rate",
                                     rate,
                                     "--for",
                                     time,
                                     "--floor",
                                     floor,
                                     "--layout",
                                     b->layout,
                                     "--json",
                                     "--arrival",
                                     c->by_file ? arrival : "constant",
                                     c->recorded ? "--journal" : NULL,
                                     b->journal,
                                     NULL};
    json_t *report = command_json(arguments, SIDES_ANYWHERE);
    keep(c, round, report);
    json_decref(report);
    if (c->recorded)
        bench_remove_directory(b->journal);
}

/* ---- what is said */

/* Of the rounds in which it is known; NaN: of none. */
static double median(const double *values, unsigned count)
{
    double sorted[ROUNDS_MAX];
    unsigned known = 0;
    for (unsigned i = 0; i < count; i++)
        if (!isnan(values[i]))
            sorted[known++] = values[i];
    return known ? rank_median(sorted, known) : NAN;
}

static double causes_ns(const cell_t *c)
{
    double sum = 0;
    for (unsigned i = 0; i < c->causes_count; i++)
        sum += c->causes[i].ns;
    return sum;
}

static json_t *real_or_null(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *cell_json(const bench_t *b, const cell_t *c)
{
    double sum = causes_ns(c);
    json_t *causes = json_array(), *times = json_object();
    for (unsigned i = 0; i < c->causes_count; i++)
        json_array_append_new(causes, json_pack("{s:s, s:f, s:f}", "name", c->causes[i].name, "ns",
                                                c->causes[i].ns, "share",
                                                sum > 0 ? c->causes[i].ns / sum : 0));
    for (int f = 0; f < FIGURES; f++) {
        json_t *hop = json_object_get(times, figures[f].hop);
        if (!hop) {
            hop = json_object();
            json_object_set_new(times, figures[f].hop, hop);
        }
        json_object_set_new(hop, figures[f].percentile,
                            json_pack("{s:o, s:o}", "ns", real_or_null(median(c->ns[f], b->rounds)),
                                      "over_floor", real_or_null(median(c->ratio[f], b->rounds))));
    }
    return json_pack("{s:f, s:s, s:b, s:i, s:o, s:o}", "rate", c->rate, "arrivals",
                     c->by_file ? "recorded" : "constant", "journal", c->recorded, "not_kept_up",
                     (int)c->behind, "hops", times, "causes", causes);
}

static void print_json(const bench_t *b)
{
    json_t *cells = json_array(), *object;
    for (unsigned i = 0; i < b->cells_count; i++)
        json_array_append_new(cells, cell_json(b, &b->cells[i]));
    object = json_pack("{s:o, s:i, s:I, s:s, s:I, s:o}", "host", bench_host(), "rounds",
                       (int)b->rounds, "seconds", (json_int_t)b->seconds, "layout", b->layout,
                       "knee", (json_int_t)b->knee, "cells", cells);
    json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(object);
}

/* The two largest. */
static void print_causes(const cell_t *c)
{
    double sum = causes_ns(c);
    unsigned said[2], count = 0;
    while (count < 2 && count < c->causes_count) {
        unsigned largest = CAUSES_MAX;
        for (unsigned i = 0; i < c->causes_count; i++)
            if ((count == 0 || i != said[0]) &&
                (largest == CAUSES_MAX || c->causes[i].ns > c->causes[largest].ns))
                largest = i;
        if (largest == CAUSES_MAX || c->causes[largest].ns <= 0)
            break;
        printf("%s%.0f %% %s", count ? ", " : "", 100 * c->causes[largest].ns / sum,
               c->causes[largest].name);
        said[count++] = largest;
    }
}

static void print_words(const bench_t *b)
{
    printf("%s, medians of %u rounds of %lu s; the highest rate kept is %lu messages/s\n"
           "ns, and how many times the floor of the same run: the paced line's p50 and p99, the "
           "hiccup's p99.99\n\n",
           b->layout, b->rounds, (unsigned long)b->seconds, (unsigned long)b->knee);
    printf("%10s %-9s %-8s", "messages/s", "arrivals", "journal");
    for (int f = 0; f < FIGURES; f++)
        printf(" %16s", figures[f].heading);
    printf("  what made messages slow\n");
    for (unsigned i = 0; i < b->cells_count; i++) {
        const cell_t *c = &b->cells[i];
        printf("%10.0f %-9s %-8s", c->rate, c->by_file ? "recorded" : "constant",
               c->recorded ? "yes" : "no");
        for (int f = 0; f < FIGURES; f++) {
            char text[2 * FIGURE_MAX + 8];
            double ratio = median(c->ratio[f], b->rounds);
            snprintf(text, sizeof text, "%s %s%s", figure_ns(median(c->ns[f], b->rounds)).text,
                     figure_ratio(ratio).text, isnan(ratio) ? "" : "x");
            printf(" %16s", text);
        }
        fputs("  ", stdout);
        print_causes(c);
        if (c->behind)
            printf("  (%u of %u runs did not keep up)", c->behind, b->rounds);
        putchar('\n');
    }
}

int main(int argc, char **argv)
{
    static bench_t b;
    sides_signals_t before;
    b = parse(argc, argv);
    snprintf(b.journal, sizeof b.journal, "/tmp/tickbus-tails-XXXXXX");
    bench_must(mkdtemp(b.journal) ? 0 : -1, b.journal, "cannot be made");
    sides_hold_signals(&before);
    make_cells(&b);
    for (unsigned round = 0; round < b.rounds; round++)
        for (unsigned i = 0; i < b.cells_count; i++)
            measure(&b, &b.cells[round % 2 ? b.cells_count - 1 - i : i], round);
    sides_restore_signals(&before);
    bench_remove_directory(b.journal);
    (b.json ? print_json : print_words)(&b);
    return 0;
}
