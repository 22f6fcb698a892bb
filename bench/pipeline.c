/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline.c - what does the bus cost? Messages a second through the whole pipeline, `busctl start
 * --pace max --strategy null`, fused and split, as a ratio to one thread that decodes the same file
 * and builds the same books with no bus at all (baseline.c), and to one that builds them as it was
 * done when the pipeline began to be made faster (yardstick.c).
 *
 * How much two CPUs do at all is shown by a pair of such threads, one on each CPU, that know
 * nothing of each other: on CPUs that are the two threads of one core, not much more than one. No
 * pipeline gets more work out of the two.
 *
 * With `null` nobody sends orders, so the strategy alone keeps books, split as well. What split
 * costs where orders may come is shown by a run in which they may come from outside, and none does
 * ("split-orders").
 *
 * All take turns, repetition after repetition; figures are medians, and a ratio is one of the
 * same repetition. The pipeline's time runs from the first message until everything is drained, as
 * its own summary tells it: in steps of 1 ms, so that the flow must last much longer. A file that
 * is too short is repeated (inputs.h).
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <tickbus/clock.h>

#include "bench/command.h"
#include "bench/inputs.h"
#include "bench/program.h"
#include "tools/measure/host.h"
#include "tools/measure/rank.h"
#include "tools/measure/sides.h"

#define REPETITIONS_MAX 101u
#define PATH_BYTES      1024u

enum contender { YARDSTICK, BASELINE, PAIR, FUSED, SPLIT, SPLIT_ORDERS, CONTENDERS };
static const char *const names[CONTENDERS] = {"yardstick", "baseline", "pair",
                                              "fused",     "split",    "split-orders"};

typedef struct options {
    const char *file; /* NULL: the built-in inputs */
    unsigned repetitions;
    uint64_t messages; /* at least, of any input */
    bool json;
} options_t;

static const char usage[] =
    "usage: bench_pipeline [--file FILE] [--repetitions N] [--messages N] [--quick] [--json]\n"
    "Throughput of the whole pipeline, as a ratio to one thread without a bus: as it is now, and\n"
    "as it was at commit ca9d1ff (the yardstick).\n"
    "  --file FILE      an ITCH 5.0 file (default: a synthetic one, and one of real order flow "
    "where it is "
    "found)\n"
    "  --repetitions N  interleaved repetitions, 1..101 (default 5)\n"
    "  --messages N     of the synthetic file; a file with fewer is repeated (default 3000000)\n"
    "  --quick          a smoke test: 1 repetition, 100000 messages\n"
    "example: bench_pipeline --file day.itch --json\n";

static options_t parse(int argc, char **argv)
{
    options_t o = {.repetitions = 5, .messages = 3000000};
    const bench_option_t options[] = {
        {"file", .text = &o.file},
        {"repetitions", .count = &o.repetitions, .highest = REPETITIONS_MAX},
        {"messages", .number = &o.messages, .highest = 1000000000},
        {"json", .flag = &o.json},
        {.name = "quick"},
        {0}};
    while (bench_option(argc, argv, options, 0, usage))
        o.repetitions = 1, o.messages = 100000;
    return o;
}

/* ---- one repetition of one contender */

static double rate_of(const json_t *result)
{
    return json_number_value(json_object_get(result, "messages")) * 1e9 /
           json_number_value(json_object_get(result, "ns"));
}

/* Of two that run at once, both together. */
static double run_pair(const char *path, const int cpus[2])
{
    json_t *results[2];
    double sum = 0;
    command_json_at_once((const char *[]){TICKBUS_BASELINE, path, NULL}, cpus, 2, results);
    for (unsigned i = 0; i < 2; i++) {
        sum += rate_of(results[i]);
        json_decref(results[i]);
    }
    return sum;
}

/* Messages a second. */
static double run(enum contender contender, const char *path, const int cpus[2])
{
    if (contender == PAIR)
        return run_pair(path, cpus);
    if (contender == BASELINE || contender == YARDSTICK) {
        const char *program = contender == BASELINE ? TICKBUS_BASELINE : TICKBUS_YARDSTICK;
        json_t *result = command_json((const char *[]){program, path, NULL}, cpus[0]);
        double rate = rate_of(result);
        json_decref(result);
        return rate;
    }
    char name[32], feed[PATH_BYTES];
    snprintf(name, sizeof name, "bench-%d", (int)getpid());
    snprintf(feed, sizeof feed, "itch:%s", path);
    const char *layout = contender == FUSED ? "fused" : "split";
    const char *orders = contender == SPLIT_ORDERS ? "topics.orders.publish=everybody"
                                                   : "topics.orders.publish=nobody";
    const char *arguments[] = {TICKBUS_BUSCTL, "start", "--name",     name,   "--feed",   feed,
                               "--pace",       "max",   "--strategy", "null", "--layout", layout,
                               "--set",        orders,  "--json",     NULL};
    json_t *result = command_json(arguments, SIDES_ANYWHERE);
    double rate = json_number_value(json_object_get(json_object_get(result, "feed"), "messages")) /
                  json_number_value(json_object_get(result, "duration_s"));
    json_decref(result);
    return rate;
}

static json_t *measure(const char *what, const char *path, const options_t *options)
{
    int cpus[2];
    const char *why;
    host_pick_cpus(cpus, &why);
    double rates[CONTENDERS][REPETITIONS_MAX], ratios[CONTENDERS][REPETITIONS_MAX];
    double to_yardstick[CONTENDERS][REPETITIONS_MAX];
    run(BASELINE, path, cpus); /* the file is in the page cache from now on */
    for (unsigned i = 0; i < options->repetitions; i++) {
        for (unsigned c = 0; c < CONTENDERS; c++)
            rates[c][i] = run((enum contender)c, path, cpus);
        for (unsigned c = 0; c < CONTENDERS; c++) {
            ratios[c][i] = rates[c][i] / rates[BASELINE][i];
            to_yardstick[c][i] = rates[c][i] / rates[YARDSTICK][i];
        }
    }
    json_t *rows = json_array();
    for (unsigned c = 0; c < CONTENDERS; c++) {
        double rate = rank_median(rates[c], options->repetitions); /* which sorts them */
        double ratio = rank_median(ratios[c], options->repetitions);
        double then = rank_median(to_yardstick[c], options->repetitions);
        unsigned last = options->repetitions - 1;
        json_array_append_new(
            rows, json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "input",
                            what, "layout", names[c], "strategy", "null", "messages_per_s", rate,
                            "lowest", rates[c][0], "highest", rates[c][last], "ratio_to_baseline",
                            ratio, "ratio_lowest", ratios[c][0], "ratio_highest", ratios[c][last],
                            "ratio_to_yardstick", then, "yardstick_ratio_lowest",
                            to_yardstick[c][0], "yardstick_ratio_highest", to_yardstick[c][last]));
    }
    return rows;
}

static double value(const json_t *row, const char *key)
{
    return json_number_value(json_object_get(row, key));
}

static void print_rows(json_t *rows, unsigned repetitions)
{
    size_t i;
    json_t *row;
    printf("pace max, strategy null, not recorded; medians of %u interleaved repetitions\n",
           repetitions);
    printf("%-52s %-12s %12s %-13s %12s %-12s %12s %s\n", "input", "layout", "M messages/s",
           "(min..max)", "x one thread", "(min..max)", "x yardstick", "(min..max)");
    json_array_foreach(rows, i, row) printf(
        "%-52s %-12s %12.2f (%5.2f..%5.2f) %12.2f (%.2f..%.2f) %12.2f (%.2f..%.2f)\n",
        json_string_value(json_object_get(row, "input")),
        json_string_value(json_object_get(row, "layout")), value(row, "messages_per_s") / 1e6,
        value(row, "lowest") / 1e6, value(row, "highest") / 1e6, value(row, "ratio_to_baseline"),
        value(row, "ratio_lowest"), value(row, "ratio_highest"), value(row, "ratio_to_yardstick"),
        value(row, "yardstick_ratio_lowest"), value(row, "yardstick_ratio_highest"));
}

typedef struct results {
    const options_t *options;
    json_t *rows;
} results_t;

static void add_rows(const char *what, const char *path, void *context)
{
    results_t *results = context;
    json_t *some = measure(what, path, results->options);
    json_array_extend(results->rows, some);
    json_decref(some);
}

int main(int argc, char **argv)
{
    options_t options = parse(argc, argv);
    sides_signals_t before;
    sides_hold_signals(&before);
    json_t *rows = json_array();
    inputs_each(options.file, options.messages, add_rows, &(results_t){&options, rows});

    if (options.json) {
        json_t *all = json_pack("{s:o, s:i, s:O}", "host", bench_host(), "repetitions",
                                (int)options.repetitions, "rows", rows);
        json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
        putchar('\n');
        json_decref(all);
    } else {
        print_rows(rows, options.repetitions);
    }
    json_decref(rows);
    return 0;
}
