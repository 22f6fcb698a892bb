/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline.c - what does the bus cost? Messages a second through the whole pipeline, `busctl start --pace max --strategy null`, fused and
 * split, as a ratio to one thread that decodes the same file and builds the same books with no bus at all (baseline.c).
 *
 * The three take turns, repetition after repetition; figures are medians. The pipeline's time runs from the first message until everything
 * is drained, as its own summary tells it.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/measure.h"
#include "feedsim/binaryfile.h"
#include "feedsim/binaryfile_writer.h"
#include "feedsim/itch.h"
#include "feedsim/synth.h"

#define REPETITIONS_MAX 101u
#define SYNTH_SYMBOLS   64u
#define REAL_FLOW       "lobster_aapl_20120621_l1/aapl_l1.itch.gz"
#define PATH_BYTES      1024u

enum contender { BASELINE, FUSED, SPLIT, CONTENDERS };
static const char *const names[CONTENDERS] = {"baseline", "fused", "split"};

typedef struct options {
    const char *file; /* NULL: the built-in inputs */
    unsigned repetitions;
    uint64_t synth_messages;
    bool json;
} options_t;

static const char usage[] =
    "usage: bench_pipeline [--file FILE] [--repetitions N] [--messages N] [--quick] [--json]\n"
    "Throughput of the whole pipeline, as a ratio to one thread without a bus.\n"
    "  --file FILE      an ITCH 5.0 file (default: a synthetic one, and one of real order flow where it is "
    "found)\n"
    "  --repetitions N  interleaved repetitions, 1..101 (default 5)\n"
    "  --messages N     of the synthetic file (default 3000000)\n"
    "  --quick          a smoke test: 1 repetition, 100000 messages\n"
    "example: bench_pipeline --file day.itch --json\n";

static void bad_usage(void)
{
    fputs(usage, stderr);
    exit(2);
}

static uint64_t number(const char *text, uint64_t highest)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (*end || value == 0 || value > highest)
        bad_usage();
    return value;
}

static options_t parse(int argc, char **argv)
{
    options_t options = {.repetitions = 5, .synth_messages = 3000000};
    static const struct option long_options[] = {{"file", required_argument, NULL, 'f'},
                                                 {"repetitions", required_argument, NULL, 'r'},
                                                 {"messages", required_argument, NULL, 'm'},
                                                 {"quick", no_argument, NULL, 'q'},
                                                 {"json", no_argument, NULL, 'j'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {0}};
    int option;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (option) {
        case 'f':
            options.file = optarg;
            break;
        case 'r':
            options.repetitions = (unsigned)number(optarg, REPETITIONS_MAX);
            break;
        case 'm':
            options.synth_messages = number(optarg, 1000000000);
            break;
        case 'q':
            options.repetitions = 1, options.synth_messages = 100000;
            break;
        case 'j':
            options.json = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            bad_usage();
        }
    }
    if (optind != argc)
        bad_usage();
    return options;
}

/* ---- inputs, uncompressed, in a directory of our own, which goes when we go */

static char scratch[] = "/tmp/tickbus-bench-XXXXXX";
static char input_path[sizeof scratch + 16];

static void remove_scratch(void)
{
    unlink(input_path);
    rmdir(scratch);
}

static void create_scratch(void)
{
    bench_must(mkdtemp(scratch) ? 0 : -1, scratch, strerror(errno));
    snprintf(input_path, sizeof input_path, "%s/input.itch", scratch);
    atexit(remove_scratch);
}

static void write_synthetic(const char *path, uint64_t messages)
{
    tbus_error_t err;
    synth_t *synth;
    binaryfile_writer_t *writer;
    synth_params_t params = {.seed = 1, .symbols = SYNTH_SYMBOLS, .messages = messages};
    bench_must(synth_create(&params, &synth, &err), "synthetic flow", err.text);
    bench_must(binaryfile_writer_open(path, &writer, &err), path, err.text);
    static uint8_t message[ITCH_MESSAGE_MAX];
    tick_t tick;
    size_t bytes;
    while (synth_next(synth, &tick) == 1) {
        bench_must(itch_encode(&tick, sizeof tick, message, &bytes), path, "a tick that is no message");
        bench_must(binaryfile_writer_append(writer, message, bytes, &err), path, err.text);
    }
    bench_must(binaryfile_writer_close(writer, &err), path, err.text);
    synth_destroy(synth);
}

static void unpack(const char *from, const char *to)
{
    tbus_error_t err;
    binaryfile_t *file;
    binaryfile_writer_t *writer;
    const uint8_t *message;
    size_t bytes;
    int status;
    bench_must(binaryfile_open(from, BINARYFILE_ITCH, &file, &err), from, err.text);
    bench_must(binaryfile_writer_open(to, &writer, &err), to, err.text);
    while ((status = binaryfile_next(file, &message, &bytes, &err)) == BINARYFILE_MESSAGE)
        bench_must(binaryfile_writer_append(writer, message, bytes, &err), to, err.text);
    bench_must(status, from, err.text);
    bench_must(binaryfile_writer_close(writer, &err), to, err.text);
    binaryfile_close(file);
}

/* ---- one repetition of one contender */

static json_t *output_of(const char *command)
{
    FILE *pipe = popen(command, "r");
    bench_must(pipe ? 0 : -1, command, strerror(errno));
    json_error_t err;
    json_t *object = json_loadf(pipe, 0, &err);
    int status = pclose(pipe);
    if (!object || status != 0) {
        fprintf(stderr, "bench: %s: exit status %d, %s\n", command, status, object ? "see above" : err.text);
        exit(1);
    }
    return object;
}

/* Messages a second. */
static double run(enum contender contender, const char *path, int cpu)
{
    char command[4 * PATH_BYTES];
    double rate;
    if (contender == BASELINE) {
        snprintf(command, sizeof command, "'%s' --cpu %d '%s'", TICKBUS_BASELINE, cpu, path);
        json_t *result = output_of(command);
        rate = json_number_value(json_object_get(result, "messages")) * 1e9 /
               json_number_value(json_object_get(result, "ns"));
        json_decref(result);
    } else {
        snprintf(command, sizeof command,
                 "'%s' start --name bench-%d --feed 'itch:%s' --pace max --strategy null --layout %s --json",
                 TICKBUS_BUSCTL, (int)getpid(), path, names[contender]);
        json_t *result = output_of(command);
        rate = json_number_value(json_object_get(json_object_get(result, "feed"), "messages")) /
               json_number_value(json_object_get(result, "duration_s"));
        json_decref(result);
    }
    return rate;
}

static json_t *measure(const char *what, const char *path, const options_t *options)
{
    int cpu;
    bench_cpus(&cpu, 1);
    double rates[CONTENDERS][REPETITIONS_MAX], ratios[CONTENDERS][REPETITIONS_MAX];
    for (unsigned i = 0; i < options->repetitions; i++)
        for (unsigned c = 0; c < CONTENDERS; c++) {
            rates[c][i] = run((enum contender)c, path, cpu);
            ratios[c][i] = rates[c][i] / rates[BASELINE][i];
        }
    json_t *rows = json_array();
    for (unsigned c = 0; c < CONTENDERS; c++) {
        double rate = bench_median(rates[c], options->repetitions);
        json_array_append_new(rows,
                              json_pack("{s:s, s:s, s:f, s:f, s:f, s:f}", "input", what, "layout", names[c],
                                        "messages_per_s", rate, "lowest", rates[c][0], "highest",
                                        rates[c][options->repetitions - 1], "ratio_to_baseline",
                                        bench_median(ratios[c], options->repetitions)));
    }
    return rows;
}

static void print_rows(json_t *rows)
{
    size_t i;
    json_t *row;
    printf("%-34s %-10s %12s %14s  %s\n", "input", "", "M messages/s", "x one thread", "min..max");
    json_array_foreach(rows, i, row)
        printf("%-34s %-10s %12.2f %14.2f  %.2f..%.2f\n", json_string_value(json_object_get(row, "input")),
               json_string_value(json_object_get(row, "layout")),
               json_number_value(json_object_get(row, "messages_per_s")) / 1e6,
               json_number_value(json_object_get(row, "ratio_to_baseline")),
               json_number_value(json_object_get(row, "lowest")) / 1e6,
               json_number_value(json_object_get(row, "highest")) / 1e6);
}

int main(int argc, char **argv)
{
    options_t options = parse(argc, argv);
    create_scratch();

    json_t *rows = json_array();
    if (options.file) {
        unpack(options.file, input_path);
        json_t *some = measure(options.file, input_path, &options);
        json_array_extend(rows, some);
        json_decref(some);
    } else {
        char real[PATH_BYTES], what[64];
        const char *shared = getenv("TICKBUS_SHARED");
        snprintf(what, sizeof what, "synthetic, %llu messages", (unsigned long long)options.synth_messages);
        write_synthetic(input_path, options.synth_messages);
        json_t *some = measure(what, input_path, &options);
        json_array_extend(rows, some);
        json_decref(some);
        snprintf(real, sizeof real, "%s/data/" REAL_FLOW, shared ? shared : TICKBUS_SOURCE_DIR "/../shared");
        if (access(real, R_OK) == 0) {
            unpack(real, input_path);
            some = measure("LOBSTER AAPL 2012-06-21", input_path, &options);
            json_array_extend(rows, some);
            json_decref(some);
        } else {
            fprintf(stderr, "bench: no real order flow here (%s): synthetic only\n", real);
        }
    }

    if (options.json) {
        json_t *all = json_pack("{s:o, s:i, s:O}", "host", bench_host(), "repetitions",
                                (int)options.repetitions, "rows", rows);
        json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
        putchar('\n');
        json_decref(all);
    } else {
        print_rows(rows);
    }
    json_decref(rows);
    return 0;
}
