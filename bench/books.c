/* SPDX-License-Identifier: Apache-2.0 */
/* books.c - what does a message cost to decode and to take into the books, beside another builder
 * of books that is fed the same bytes? With --scale: does it stay so for a whole market
 * (books_scale.h)?
 *
 * One thread, processes that take turns (bench_baseline, without and with the books, and the other
 * builder); figures are medians over the repetitions, and a ratio is one of the same repetition.
 * Instructions and mispredicted branches are counted by callgrind, where valgrind is installed:
 * they need no quiet machine, and no counters of the processor.
 *
 * The other builder is any program that reads BinaryFILE from its stdin and prints "N packets in M
 * nanos", as `itch-order-book` of GitHub does.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/books_scale.h"
#include "bench/command.h"
#include "bench/inputs.h"
#include "bench/program.h"
#include "tools/measure/host.h"
#include "tools/measure/rank.h"
#include "tools/measure/sides.h"

#define VALGRIND   "/usr/bin/valgrind"
#define TEXT_BYTES 65536u

enum contender { DECODE, BOOKS, RIVAL, CONTENDERS };
static const char *const names[CONTENDERS] = {"decode", "decode_and_books", "rival"};

typedef struct options {
    const char *file;  /* NULL: the built-in inputs */
    const char *rival; /* NULL: none */
    unsigned repetitions;
    uint64_t messages; /* at least, of any input */
    bool no_counts;
    bool scale;
    bool quick;
    bool json;
} options_t;

typedef struct results {
    const options_t *options;
    json_t *rows;
    int cpu;
} results_t;

static const char usage[] =
    "usage: bench_books [--file FILE] [--rival PROGRAM] [--repetitions N] [--messages N]\n"
    "                   [--no-counts] [--quick] [--json]\n"
    "       bench_books --scale [--repetitions N] [--quick] [--json]\n"
    "Time and instructions to decode a message and to take it into the books.\n"
    "  --file FILE      an ITCH 5.0 file (default: a synthetic one, and one of real order\n"
    "                   flow where it is found)\n"
    "  --rival PROGRAM  another builder: reads BinaryFILE on stdin, prints \"N packets in M\n"
    "                   nanos\"\n"
    "  --repetitions N  interleaved repetitions, 1..101 (default 5)\n"
    "  --messages N     of the synthetic file; a file with fewer is repeated (default 3000000)\n"
    "  --no-counts      no instructions (they take half a minute)\n"
    "  --scale          the books of 11,000 symbols and 10 million orders beside small ones, and\n"
    "                   nothing else; takes 1.2 GB\n"
    "  --quick          a smoke test: 1 repetition, 100000 messages\n"
    "example: bench_books --rival ./itch-order-book\n";

static options_t parse(int argc, char **argv)
{
    options_t o = {.repetitions = 5, .messages = 3000000};
    const bench_option_t options[] = {
        {"file", .text = &o.file},
        {"rival", .text = &o.rival},
        {"repetitions", .count = &o.repetitions, .highest = BOOKS_REPETITIONS_MAX},
        {"messages", .number = &o.messages, .highest = 1000000000},
        {"no-counts", .flag = &o.no_counts},
        {"scale", .flag = &o.scale},
        {"json", .flag = &o.json},
        {.name = "quick"},
        {0}};
    while (bench_option(argc, argv, options, 0, usage))
        o.repetitions = 1, o.messages = 100000, o.quick = true;
    return o;
}

/* ---- time */

/* ns a message of one pass. */
static double ns_of_ours(bool books, const char *path, int cpu)
{
    const char *arguments[] = {TICKBUS_BASELINE, books ? path : "--decode", books ? NULL : path,
                               NULL};
    json_t *result = command_json(arguments, cpu);
    double ns = json_number_value(json_object_get(result, "ns")) /
                json_number_value(json_object_get(result, "messages"));
    json_decref(result);
    return ns;
}

static double ns_of_rival(const char *program, const char *path, int cpu)
{
    char text[TEXT_BYTES];
    unsigned long long messages = 0, ns = 0;
    command_text((const char *[]){program, NULL}, path, cpu, text, sizeof text);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (sscanf(line, "%llu packets in %llu nanos", &messages, &ns) == 2 && messages != 0)
            return (double)ns / (double)messages;
    }
    bench_must(-1, program, "it did not print \"N packets in M nanos\"");
    return 0;
}

static double ns_of(enum contender contender, const results_t *results, const char *path)
{
    return contender == RIVAL ? ns_of_rival(results->options->rival, path, results->cpu)
                              : ns_of_ours(contender == BOOKS, path, results->cpu);
}

/* ---- counts */

typedef struct counts {
    double instructions, mispredicted; /* a message */
} counts_t;

/* "Collected : Ir Bc Bcm Bi Bim": instructions; conditional branches and those that were predicted
 * wrong; indirect ones, likewise. It stands among what the program itself prints. */
static counts_t counts_of(bool books, const char *path)
{
    char text[TEXT_BYTES];
    const char *arguments[] = {VALGRIND,
                               "--tool=callgrind",
                               "--branch-sim=yes",
                               "--callgrind-out-file=/dev/null",
                               "--toggle-collect=baseline_pass",
                               "--log-fd=1",
                               TICKBUS_BASELINE,
                               books ? path : "--decode",
                               books ? NULL : path,
                               NULL};
    command_text(arguments, NULL, SIDES_ANYWHERE, text, sizeof text);
    const char *line = strstr(text, "Collected :"), *result = strstr(text, "{\"messages\": ");
    unsigned long long messages = 0, ir = 0, bc = 0, bcm = 0, bi = 0, bim = 0;
    if (!line || !result || sscanf(result, "{\"messages\": %llu", &messages) != 1 ||
        messages == 0 ||
        sscanf(line, "Collected : %llu %llu %llu %llu %llu", &ir, &bc, &bcm, &bi, &bim) != 5)
        bench_must(-1, VALGRIND, "it did not print what it collected");
    return (counts_t){(double)ir / (double)messages, (double)(bcm + bim) / (double)messages};
}

static void add_counts(json_t *row, bool books, const char *path)
{
    counts_t counts = counts_of(books, path);
    json_object_set_new(row, "instructions", json_real(counts.instructions));
    json_object_set_new(row, "mispredicted_branches", json_real(counts.mispredicted));
}

/* ---- a table */

static void add_rows(const char *what, const char *path, void *context)
{
    results_t *results = context;
    const options_t *options = results->options;
    double ns[CONTENDERS][BOOKS_REPETITIONS_MAX], ratios[CONTENDERS][BOOKS_REPETITIONS_MAX];
    unsigned contenders = options->rival ? CONTENDERS : RIVAL, count = options->repetitions;
    bool counts = !options->no_counts && access(VALGRIND, X_OK) == 0;
    ns_of_ours(false, path, results->cpu); /* the file is in the page cache from now on */
    for (unsigned i = 0; i < count; i++) {
        for (unsigned c = 0; c < contenders; c++)
            ns[c][i] = ns_of((enum contender)c, results, path);
        for (unsigned c = 0; c < contenders; c++)
            ratios[c][i] = options->rival ? ns[c][i] / ns[RIVAL][i] : 0;
    }
    for (unsigned c = 0; c < contenders; c++) {
        double median = rank_median(ns[c], count); /* which sorts them */
        json_t *row = json_pack("{s:s, s:s, s:f, s:f, s:f}", "input", what, "what", names[c], "ns",
                                median, "lowest", ns[c][0], "highest", ns[c][count - 1]);
        if (options->rival) {
            json_object_set_new(row, "ratio_to_rival", json_real(rank_median(ratios[c], count)));
            json_object_set_new(row, "ratio_lowest", json_real(ratios[c][0]));
            json_object_set_new(row, "ratio_highest", json_real(ratios[c][count - 1]));
        }
        if (counts && c != RIVAL)
            add_counts(row, c == BOOKS, path);
        json_array_append_new(results->rows, row);
    }
}

static double value(const json_t *row, const char *key)
{
    return json_number_value(json_object_get(row, key));
}

static void print_rows(const json_t *rows, unsigned repetitions)
{
    size_t i;
    const json_t *row;
    printf("one thread; medians of %u interleaved repetitions\n", repetitions);
    printf("%-52s %-17s %8s %-15s %9s %-13s %12s %12s\n", "input", "what", "ns", "(min..max)",
           "x rival", "(min..max)", "instructions", "mispredicted");
    json_array_foreach(rows, i, row)
    {
        printf("%-52s %-17s %8.1f (%5.1f..%5.1f)", json_string_value(json_object_get(row, "input")),
               json_string_value(json_object_get(row, "what")), value(row, "ns"),
               value(row, "lowest"), value(row, "highest"));
        if (json_object_get(row, "ratio_to_rival"))
            printf("  %9.2f (%.2f..%.2f)", value(row, "ratio_to_rival"), value(row, "ratio_lowest"),
                   value(row, "ratio_highest"));
        else
            printf("  %9s %-13s", "-", "");
        if (json_object_get(row, "instructions"))
            printf(" %12.1f %12.2f", value(row, "instructions"),
                   value(row, "mispredicted_branches"));
        putchar('\n');
    }
}

int main(int argc, char **argv)
{
    options_t options = parse(argc, argv);
    sides_signals_t before;
    sides_hold_signals(&before);
    int cpus[2];
    const char *why;
    host_pick_cpus(cpus, &why);
    results_t results = {
        .options = &options, .rows = options.scale ? NULL : json_array(), .cpu = cpus[0]};
    if (!options.no_counts && !options.scale && access(VALGRIND, X_OK) != 0)
        fprintf(stderr, "bench: no instructions are counted: there is no %s\n", VALGRIND);
    if (options.scale)
        results.rows = books_scale(options.repetitions, options.quick);
    else
        inputs_each(options.file, options.messages, add_rows, &results);
    if (options.json) {
        json_t *all = json_pack("{s:o, s:i, s:O}", "host", bench_host(), "repetitions",
                                (int)options.repetitions, "rows", results.rows);
        json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
        putchar('\n');
        json_decref(all);
    } else if (options.scale) {
        books_scale_print(results.rows);
    } else {
        print_rows(results.rows, options.repetitions);
    }
    json_decref(results.rows);
    return 0;
}
