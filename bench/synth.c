/* SPDX-License-Identifier: Apache-2.0 */
/* synth.c - what does a message of the synthetic market cost to make, beside one of the plain flow,
 * for how many symbols? One thread; the two take turns, medians over the rounds. Creating them does
 * not count.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <tickbus/clock.h>

#include "bench/program.h"
#include "feedsim/synth/synth.h"

#define ROUNDS_MAX 100u

static const char usage[] = "usage: bench_synth [--messages N] [--rounds N] [--quick] [--json]\n"
                            "Time to make a message of the synthetic market and of flow=plain.\n"
                            "  --messages N  of each session (default 1000000, at least 20000)\n"
                            "  --rounds N    1..100 (default 7)\n"
                            "  --quick       one round of 20000\n"
                            "example: bench_synth --rounds 3\n";

static const uint32_t symbols[] = {1, 8, 64, 999};
#define ROWS (sizeof symbols / sizeof *symbols)

typedef struct row {
    double plain_ns, market_ns, ratio;
} row_t;

static double ns_a_message(uint32_t symbols_count, uint64_t messages, uint32_t flow)
{
    synth_params_t params = {
        .seed = 1, .symbols = symbols_count, .messages = messages, .flow = flow};
    synth_t *synth;
    tbus_error_t err = {0};
    tick_t tick;
    uint64_t made = 0;
    bench_must(synth_create(&params, &synth, &err), "a synthetic feed", err.text);
    uint64_t started_ns = tbus_clock_ns();
    while (synth_next(synth, &tick) == 1)
        made++;
    uint64_t took_ns = tbus_clock_ns() - started_ns;
    synth_destroy(synth);
    return (double)took_ns / (double)made;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, uint64_t count)
{
    qsort(values, count, sizeof *values, by_value);
    return values[count / 2];
}

static row_t measure(uint32_t symbols_count, uint64_t messages, uint64_t rounds)
{
    double plain[ROUNDS_MAX], market[ROUNDS_MAX], ratio[ROUNDS_MAX];
    for (uint64_t i = 0; i < rounds; i++) {
        plain[i] = ns_a_message(symbols_count, messages, SYNTH_PLAIN);
        market[i] = ns_a_message(symbols_count, messages, SYNTH_MARKET);
        ratio[i] = market[i] / plain[i];
    }
    return (row_t){median(plain, rounds), median(market, rounds), median(ratio, rounds)};
}

static void print_json(const row_t rows[ROWS], uint64_t messages, uint64_t rounds)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ROWS; i++)
        json_array_append_new(list, json_pack("{s:i, s:f, s:f, s:f}", "symbols", (int)symbols[i],
                                              "plain_ns", rows[i].plain_ns, "market_ns",
                                              rows[i].market_ns, "ratio", rows[i].ratio));
    json_t *all = json_pack("{s:o, s:I, s:I, s:o}", "host", bench_host(), "messages",
                            (json_int_t)messages, "rounds", (json_int_t)rounds, "rows", list);
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

int main(int argc, char **argv)
{
    uint64_t messages = 1000000, rounds = 7;
    bool json = false;
    const bench_option_t options[] = {{"messages", .number = &messages, .highest = 1000000000},
                                      {"rounds", .number = &rounds, .highest = ROUNDS_MAX},
                                      {"json", .flag = &json},
                                      {.name = "quick"},
                                      {0}};
    while (bench_option(argc, argv, options, 0, usage)) {
        messages = 20000;
        rounds = 1;
    }
    if (messages < 20000)
        bench_bad_usage(usage);
    row_t rows[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        rows[i] = measure(symbols[i], messages, rounds);
    if (json) {
        print_json(rows, messages, rounds);
        return 0;
    }
    printf("ns a message, medians of %lu\n\n  symbols    plain   market    ratio\n",
           (unsigned long)rounds);
    for (size_t i = 0; i < ROWS; i++)
        printf("  %7u %8.1f %8.1f %8.2f\n", symbols[i], rows[i].plain_ns, rows[i].market_ns,
               rows[i].ratio);
    return 0;
}
