/* SPDX-License-Identifier: Apache-2.0 */
/* self_cost.c - what does measuring cost? The medians of the histograms that every run keeps, of
 * `busctl start` (nobody measures) beside those of `busctl latency` (stages stamp each step,
 * processes watch their gaps), with the same feed, rate, layout and messages that are ready
 * beforehand. A cancel is what the strategy sends from a tick itself; a re-quote follows the answer
 * to an earlier message, so that its way is twice as long.
 *
 * The two take turns, A B B A from round to round, so that a host which becomes slower is no
 * advantage for either; a ratio is one of the same round, and the figure is their median.
 */
#include <stdio.h>
#include <string.h>

#include "bench/command.h"
#include "bench/program.h"
#include "tools/measure/rank.h"
#include "tools/measure/sides.h"

#define ROUNDS_MAX 101u

enum contender { PLAIN, MEASURED, CONTENDERS };
enum figure { TO_ORDER, TO_CANCEL, TO_REQUOTE, TO_REPORT, FIGURES };
static const char *const names[CONTENDERS] = {"not measured", "measured"};
static const char *const keys[FIGURES] = {"tick_to_order", "tick_to_cancel", "tick_to_requote",
                                          "tick_to_report"};

typedef struct bench {
    unsigned rounds;
    uint64_t rate, seconds;
    const char *layout;
    bool json;
    double ns[FIGURES][CONTENDERS][ROUNDS_MAX];
    double ratio[FIGURES][ROUNDS_MAX];
} bench_t;

static const char usage[] =
    "usage: bench_self_cost [--rounds N] [--rate N] [--seconds N] [--layout MODE] [--quick] "
    "[--json]\n"
    "Medians from tick to order and report of a measured pipeline beside one that is not.\n"
    "  --rounds N     interleaved rounds, 1..101 (default 10)\n"
    "  --rate N       messages a second (default 100000)\n"
    "  --seconds N    of each run (default 5)\n"
    "  --layout MODE  fused (default), split\n"
    "  --quick        a smoke test: 1 round, 1 second\n"
    "example: bench_self_cost --layout split --json\n";

static bench_t parse(int argc, char **argv)
{
    bench_t b = {.rounds = 10, .rate = 100000, .seconds = 5, .layout = "fused"};
    const bench_option_t options[] = {{"rounds", .count = &b.rounds, .highest = ROUNDS_MAX},
                                      {"rate", .number = &b.rate, .highest = 10000000},
                                      {"seconds", .number = &b.seconds, .highest = 3600},
                                      {"layout", .text = &b.layout},
                                      {"json", .flag = &b.json},
                                      {.name = "quick"},
                                      {0}};
    while (bench_option(argc, argv, options, 0, usage)) {
        b.rounds = 1;
        b.seconds = 1;
    }
    return b;
}

/* One run; its figures go to round `round`. */
static void measure(bench_t *b, enum contender who, unsigned round)
{
    char pace[32], time[32], prepare[48];
    snprintf(pace, sizeof pace, "%lu/s", (unsigned long)b->rate);
    snprintf(time, sizeof time, "%lus", (unsigned long)b->seconds);
    snprintf(prepare, sizeof prepare, "feed.prepare=%lu", (unsigned long)(b->rate * b->seconds));
    const char *const arguments[] = {TICKBUS_BUSCTL, who == MEASURED ? "latency" : "start",
                                     "--name",       "self-cost",
                                     "--feed",       "synth:seed=1",
                                     "--pace",       pace,
                                     "--for",        time,
                                     "--layout",     b->layout,
                                     "--set",        "venue.clock=host",
                                     "--set",        prepare,
                                     "--json",       NULL};
    json_t *object = command_json(arguments, SIDES_ANYWHERE);
    const json_t *summary = who == MEASURED ? json_object_get(object, "summary") : object;
    const json_t *latency = json_object_get(summary, "latency_ns");
    for (int f = 0; f < FIGURES; f++) {
        const json_t *hop = json_object_get(latency, keys[f]);
        bench_must(json_integer_value(json_object_get(hop, "count")) > 0 ? 0 : -1, keys[f],
                   "nothing was recorded");
        b->ns[f][who][round] = (double)json_integer_value(json_object_get(hop, "p50"));
    }
    json_decref(object);
}

static double median(const double *values, unsigned count)
{
    double sorted[ROUNDS_MAX];
    memcpy(sorted, values, count * sizeof *values);
    return rank_median(sorted, count);
}

static void print_json(const bench_t *b)
{
    json_t *object = json_pack("{s:o, s:i, s:I, s:I, s:s}", "host", bench_host(), "rounds",
                               (int)b->rounds, "rate", (json_int_t)b->rate, "seconds",
                               (json_int_t)b->seconds, "layout", b->layout);
    for (int f = 0; f < FIGURES; f++)
        json_object_set_new(object, keys[f],
                            json_pack("{s:f, s:f, s:f}", "not_measured_ns",
                                      median(b->ns[f][PLAIN], b->rounds), "measured_ns",
                                      median(b->ns[f][MEASURED], b->rounds), "ratio",
                                      median(b->ratio[f], b->rounds)));
    json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(object);
}

static void print_words(const bench_t *b)
{
    printf("p50, %s, %lu messages/s, medians of %u rounds of %lu s\n", b->layout,
           (unsigned long)b->rate, b->rounds, (unsigned long)b->seconds);
    printf("%-16s %14s %14s %8s\n", "", names[PLAIN], names[MEASURED], "ratio");
    for (int f = 0; f < FIGURES; f++)
        printf("%-16s %11.0f ns %11.0f ns %8.2f\n", keys[f], median(b->ns[f][PLAIN], b->rounds),
               median(b->ns[f][MEASURED], b->rounds), median(b->ratio[f], b->rounds));
}

int main(int argc, char **argv)
{
    bench_t b = parse(argc, argv);
    sides_signals_t before;
    sides_hold_signals(&before);
    for (unsigned round = 0; round < b.rounds; round++) {
        enum contender first = round % 2 ? MEASURED : PLAIN;
        measure(&b, first, round);
        measure(&b, first == PLAIN ? MEASURED : PLAIN, round);
        for (int f = 0; f < FIGURES; f++)
            b.ratio[f][round] = b.ns[f][MEASURED][round] / b.ns[f][PLAIN][round];
    }
    sides_restore_signals(&before);
    (b.json ? print_json : print_words)(&b);
    return 0;
}
