/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline.c - what does the bus cost? Messages a second through the whole pipeline, `busctl start
 * --pace max --strategy null`, fused and split, as a ratio to one thread that decodes the same file
 * and builds the same books with no bus at all (baseline.c), and to one that builds them as it was
 * done when the pipeline began to be made faster (yardstick.c).
 *
 * The four take turns, repetition after repetition; figures are medians, and a ratio is one of the
 * same repetition. The pipeline's time runs from the first message until everything is drained, as
 * its own summary tells it: in steps of 1 ms, so that the flow must last much longer. A file that
 * is too short is repeated: each lap comes under stock locates and order references of its own, so
 * that every book starts empty, as it did in the first.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tickbus/clock.h>

#include "bench/command.h"
#include "bench/program.h"
#include "feedsim/itch/binaryfile.h"
#include "feedsim/itch/binaryfile_writer.h"
#include "feedsim/itch/itch.h"
#include "feedsim/synth/synth.h"
#include "tools/measure/host.h"
#include "tools/measure/rank.h"
#include "tools/measure/sides.h"

#define REPETITIONS_MAX 101u
#define SYNTH_SEED      1u
#define SYNTH_SYMBOLS   64u
#define LOCATES         65536u
#define LAP_SHIFT       48 /* of an order reference: the lap stands above */
#define REAL_FLOW       "lobster_aapl_20120621_l1/aapl_l1.itch.gz"
#define PATH_BYTES      1024u

enum contender { YARDSTICK, BASELINE, FUSED, SPLIT, CONTENDERS };
static const char *const names[CONTENDERS] = {"yardstick", "baseline", "fused", "split"};

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
    options_t options = {.repetitions = 5, .messages = 3000000};
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
            options.repetitions = (unsigned)bench_number(optarg, REPETITIONS_MAX, usage);
            break;
        case 'm':
            options.messages = bench_number(optarg, 1000000000, usage);
            break;
        case 'q':
            options.repetitions = 1, options.messages = 100000;
            break;
        case 'j':
            options.json = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            bench_bad_usage(usage);
        }
    }
    if (optind != argc)
        bench_bad_usage(usage);
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
    synth_params_t params = {
        .seed = SYNTH_SEED, .symbols = SYNTH_SYMBOLS, .messages = messages, .flow = SYNTH_PLAIN};
    bench_must(synth_create(&params, &synth, &err), "synthetic flow", err.text);
    bench_must(binaryfile_writer_open(path, &writer, &err), path, err.text);
    static uint8_t message[ITCH_MESSAGE_MAX];
    tick_t tick;
    size_t bytes;
    while (synth_next(synth, &tick) == 1) {
        bench_must(itch_encode(&tick, sizeof tick, message, &bytes), path,
                   "a tick that is no message");
        bench_must(binaryfile_writer_append(writer, message, bytes, &err), path, err.text);
    }
    bench_must(binaryfile_writer_close(writer, &err), path, err.text);
    synth_destroy(synth);
}

/* One lap of a file, every locate raised by `locate_base` and every reference marked with the lap.
 * Returns its messages. */
static uint64_t append_lap(const char *from, binaryfile_writer_t *writer, uint64_t lap,
                           uint32_t locate_base, uint32_t *out_locate_max)
{
    static uint8_t message[ITCH_MESSAGE_MAX];
    static union {
        tick_t tick;
        uint8_t bytes[TICK_LEN_MAX];
    } buffer;
    tick_t *tick = &buffer.tick;
    tbus_error_t err;
    binaryfile_t *file;
    const uint8_t *original;
    size_t bytes, tick_bytes;
    int status;
    bench_must(binaryfile_open(from, BINARYFILE_ITCH, &file, &err), from, err.text);
    while ((status = binaryfile_next(file, &original, &bytes, &err)) == BINARYFILE_MESSAGE) {
        bench_must(itch_decode(original, bytes, tick, &tick_bytes), from,
                   "a message that is no ITCH 5.0");
        uint32_t locate = tick_locate(tick);
        if (locate > *out_locate_max)
            *out_locate_max = locate;
        tick->intended = tick_pack(0, (uint16_t)(locate + locate_base));
        if (strchr("AFECXDU", tick->type))
            tick->order_ref ^= lap << LAP_SHIFT;
        if (tick->type == ITCH_ORDER_REPLACE)
            tick->new_ref ^= lap << LAP_SHIFT;
        bench_must(itch_encode(tick, tick_bytes, message, &bytes), from,
                   "a tick that is no message");
        bench_must(binaryfile_writer_append(writer, message, bytes, &err), input_path, err.text);
    }
    bench_must(status, from, err.text);
    uint64_t messages = binaryfile_messages(file);
    binaryfile_close(file);
    return messages;
}

/* The file, unpacked, and again until it has `messages_min` messages or the locates are used up.
 * Returns how many it has. */
static uint64_t write_laps(const char *from, uint64_t messages_min)
{
    tbus_error_t err;
    binaryfile_writer_t *writer;
    uint32_t locate_max = 0;
    bench_must(binaryfile_writer_open(input_path, &writer, &err), input_path, err.text);
    uint64_t messages = append_lap(from, writer, 0, 0, &locate_max);
    uint32_t laps_max = LOCATES / (locate_max + 1);
    for (uint32_t lap = 1; messages != 0 && messages < messages_min && lap < laps_max; lap++)
        messages += append_lap(from, writer, lap, lap * (locate_max + 1), &(uint32_t){0});
    bench_must(binaryfile_writer_close(writer, &err), input_path, err.text);
    return messages;
}

/* ---- one repetition of one contender */

/* Messages a second. */
static double run(enum contender contender, const char *path, int cpu)
{
    if (contender == BASELINE || contender == YARDSTICK) {
        const char *program = contender == BASELINE ? TICKBUS_BASELINE : TICKBUS_YARDSTICK;
        json_t *result = command_json((const char *[]){program, path, NULL}, cpu);
        double rate = json_number_value(json_object_get(result, "messages")) * 1e9 /
                      json_number_value(json_object_get(result, "ns"));
        json_decref(result);
        return rate;
    }
    char name[32], feed[PATH_BYTES];
    snprintf(name, sizeof name, "bench-%d", (int)getpid());
    snprintf(feed, sizeof feed, "itch:%s", path);
    const char *arguments[] = {TICKBUS_BUSCTL, "start",          "--name", name,         "--feed",
                               feed,           "--pace",         "max",    "--strategy", "null",
                               "--layout",     names[contender], "--json", NULL};
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
    run(BASELINE, path, cpus[0]); /* the file is in the page cache from now on */
    for (unsigned i = 0; i < options->repetitions; i++) {
        for (unsigned c = 0; c < CONTENDERS; c++)
            rates[c][i] = run((enum contender)c, path, cpus[0]);
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
    printf("%-52s %-9s %12s %-13s %12s %-12s %12s %s\n", "input", "layout", "M messages/s",
           "(min..max)", "x one thread", "(min..max)", "x yardstick", "(min..max)");
    json_array_foreach(rows, i, row) printf(
        "%-52s %-9s %12.2f (%5.2f..%5.2f) %12.2f (%.2f..%.2f) %12.2f (%.2f..%.2f)\n",
        json_string_value(json_object_get(row, "input")),
        json_string_value(json_object_get(row, "layout")), value(row, "messages_per_s") / 1e6,
        value(row, "lowest") / 1e6, value(row, "highest") / 1e6, value(row, "ratio_to_baseline"),
        value(row, "ratio_lowest"), value(row, "ratio_highest"), value(row, "ratio_to_yardstick"),
        value(row, "yardstick_ratio_lowest"), value(row, "yardstick_ratio_highest"));
}

/* Measure what input_path holds. */
static void add_rows(json_t *rows, const char *name, uint64_t messages, const options_t *options)
{
    char what[PATH_BYTES + 32];
    snprintf(what, sizeof what, "%s, %llu messages", name, (unsigned long long)messages);
    json_t *some = measure(what, input_path, options);
    json_array_extend(rows, some);
    json_decref(some);
}

int main(int argc, char **argv)
{
    options_t options = parse(argc, argv);
    sides_signals_t before;
    sides_hold_signals(&before);
    create_scratch();

    json_t *rows = json_array();
    if (options.file) {
        add_rows(rows, options.file, write_laps(options.file, options.messages), &options);
    } else {
        char real[PATH_BYTES], synthetic[64];
        const char *shared = getenv("TICKBUS_SHARED");
        snprintf(synthetic, sizeof synthetic, "synthetic, seed %u, %u symbols", SYNTH_SEED,
                 SYNTH_SYMBOLS);
        write_synthetic(input_path, options.messages);
        add_rows(rows, synthetic, options.messages, &options);
        snprintf(real, sizeof real, "%s/data/" REAL_FLOW,
                 shared ? shared : TICKBUS_SOURCE_DIR "/../shared");
        if (access(real, R_OK) == 0) {
            add_rows(rows, "LOBSTER AAPL 2012-06-21, in laps", write_laps(real, options.messages),
                     &options);
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
        print_rows(rows, options.repetitions);
    }
    json_decref(rows);
    return 0;
}
