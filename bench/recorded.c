/* SPDX-License-Identifier: Apache-2.0 */
/* recorded.c - what does recording cost an order? Times from tick to order of a paced run, `busctl
 * start --pace 250k/s`, with everything recorded, as a ratio to the same run not recorded.
 *
 * In the fused layout, where the recorder shares a CPU with other stages if there are few; and in
 * the split layout where there are so many CPUs that the recorder and its helper have some for
 * themselves. The runs take turns; figures are medians over them, and a ratio is one of two runs
 * that follow each other.
 *
 * By the clock of the host, where an order follows a tick, or an execution that the tick made. By
 * that of the market most wait for a time or an answer first, and are no order from a tick.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/command.h"
#include "bench/program.h"
#include "tools/measure/rank.h"
#include "tools/measure/sides.h"

#define REPETITIONS_MAX 101u
#define PATH_BYTES      512u
#define SPLIT_CPUS      6u /* feed, strategy, risk, executor, recorder and its helper */
#define SECONDS_MAX     3600u

enum figure { P50, P99, FIGURES };
static const char *const figures[FIGURES] = {"p50", "p99"};
enum kind { PLAIN, RECORDED, KINDS };

typedef struct options {
    const char *directory;
    const char *pace;
    unsigned repetitions;
    uint64_t seconds; /* of one run */
    bool json;
} options_t;

typedef struct results {
    double ns[KINDS][FIGURES][REPETITIONS_MAX];
} results_t;

static const char usage[] =
    "usage: bench_recorded [--directory DIR] [--pace RATE/s] [--seconds N] [--repetitions N]\n"
    "                      [--quick] [--json]\n"
    "Times from tick to order with recording, as a ratio to those without.\n"
    "  --directory DIR  where journals are made (default $TMPDIR or /tmp)\n"
    "  --pace RATE/s    of the synthetic feed (default 250k/s)\n"
    "  --seconds N      of one run, 1..3600 (default 4)\n"
    "  --repetitions N  interleaved repetitions, 1..101 (default 9)\n"
    "  --quick          a smoke test: 1 repetition of a second\n"
    "example: bench_recorded --pace 100k/s --json\n";

static options_t parse(int argc, char **argv)
{
    const char *temporary = getenv("TMPDIR");
    options_t o = {.directory = temporary ? temporary : "/tmp",
                   .pace = "250k/s",
                   .repetitions = 9,
                   .seconds = 4};
    const bench_option_t options[] = {
        {"directory", .text = &o.directory},
        {"pace", .text = &o.pace},
        {"seconds", .number = &o.seconds, .highest = SECONDS_MAX},
        {"repetitions", .count = &o.repetitions, .highest = REPETITIONS_MAX},
        {"json", .flag = &o.json},
        {.name = "quick"},
        {0}};
    while (bench_option(argc, argv, options, 0, usage))
        o.repetitions = 1, o.seconds = 1;
    return o;
}

static void run(const options_t *options, const char *layout, enum kind kind, double ns[FIGURES])
{
    char name[32], seconds[32], path[PATH_BYTES];
    snprintf(name, sizeof name, "bench-%d", (int)getpid());
    snprintf(seconds, sizeof seconds, "%" PRIu64 "s", options->seconds);
    snprintf(path, sizeof path, "%s/tickbus-bench-%d", options->directory, (int)getpid());
    const char *arguments[] = {TICKBUS_BUSCTL, "start",
                               "--name",       name,
                               "--feed",       "synth:flow=plain",
                               "--pace",       options->pace,
                               "--for",        seconds,
                               "--layout",     layout,
                               "--set",        "venue.clock=host",
                               "--json",       NULL,
                               NULL,           NULL};
    if (kind == RECORDED) {
        arguments[15] = "--journal";
        arguments[16] = path;
    }
    json_t *result = command_json(arguments, SIDES_ANYWHERE);
    const json_t *hop = json_object_get(json_object_get(result, "latency_ns"), "tick_to_order");
    for (unsigned f = 0; f < FIGURES; f++)
        ns[f] = json_number_value(json_object_get(hop, figures[f]));
    bench_must(json_integer_value(json_object_get(hop, "count")) > 0 ? 0 : -1, TICKBUS_BUSCTL,
               "no order was sent");
    json_decref(result);
    if (kind == RECORDED)
        bench_remove_directory(path);
}

/* Who is first changes from one repetition to the next. */
static void measure(const options_t *options, const char *layout, results_t *results)
{
    for (unsigned i = 0; i < options->repetitions; i++)
        for (unsigned turn = 0; turn < KINDS; turn++) {
            enum kind kind = (i + turn) % 2 ? RECORDED : PLAIN;
            double ns[FIGURES];
            run(options, layout, kind, ns);
            for (unsigned f = 0; f < FIGURES; f++)
                results->ns[kind][f][i] = ns[f];
        }
}

/* {layout, p50: {ns, recorded_ns, ratio, ratio_lowest, ratio_highest}, p99: ...}; sorts the
 * results. */
static json_t *row_of(const char *layout, results_t *results, unsigned count)
{
    json_t *row = json_pack("{s:s}", "layout", layout);
    for (unsigned f = 0; f < FIGURES; f++) {
        double ratios[REPETITIONS_MAX];
        for (unsigned i = 0; i < count; i++)
            ratios[i] = results->ns[RECORDED][f][i] / results->ns[PLAIN][f][i];
        double ratio = rank_median(ratios, count);
        json_object_set_new(
            row, figures[f],
            json_pack("{s:f, s:f, s:f, s:f, s:f}", "ns", rank_median(results->ns[PLAIN][f], count),
                      "recorded_ns", rank_median(results->ns[RECORDED][f], count), "ratio", ratio,
                      "ratio_lowest", ratios[0], "ratio_highest", ratios[count - 1]));
    }
    return row;
}

static double value(const json_t *row, const char *figure, const char *key)
{
    return json_number_value(json_object_get(json_object_get(row, figure), key));
}

static void print_rows(const options_t *options, const json_t *rows)
{
    size_t i;
    const json_t *row;
    printf("tick to order at %s, runs of %" PRIu64 " s; medians of %u interleaved repetitions\n\n",
           options->pace, options->seconds, options->repetitions);
    printf("%-8s %4s %14s %14s %8s %s\n", "layout", "", "ns", "recorded", "ratio", "(min..max)");
    json_array_foreach(rows, i, row) for (unsigned f = 0; f < FIGURES; f++) printf(
        "%-8s %4s %14.0f %14.0f %8.2f (%.2f..%.2f)\n",
        json_string_value(json_object_get(row, "layout")), figures[f], value(row, figures[f], "ns"),
        value(row, figures[f], "recorded_ns"), value(row, figures[f], "ratio"),
        value(row, figures[f], "ratio_lowest"), value(row, figures[f], "ratio_highest"));
}

int main(int argc, char **argv)
{
    static results_t results;
    options_t options = parse(argc, argv);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    sides_signals_t before;
    sides_hold_signals(&before);
    json_t *rows = json_array();
    measure(&options, "fused", &results);
    json_array_append_new(rows, row_of("fused", &results, options.repetitions));
    if (cpus >= (long)SPLIT_CPUS) {
        measure(&options, "split", &results);
        json_array_append_new(rows, row_of("split", &results, options.repetitions));
    } else {
        fprintf(stderr,
                "bench: split is left out: it needs %u CPUs for the recorder to have some of its "
                "own, and there are %ld\n",
                SPLIT_CPUS, cpus);
    }
    if (options.json) {
        json_t *all = json_pack("{s:o, s:s, s:I, s:i, s:O}", "host", bench_host(), "pace",
                                options.pace, "seconds", (json_int_t)options.seconds, "repetitions",
                                (int)options.repetitions, "rows", rows);
        json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
        putchar('\n');
        json_decref(all);
    } else {
        print_rows(&options, rows);
    }
    json_decref(rows);
    return 0;
}
