/* SPDX-License-Identifier: Apache-2.0 */
/* pingpong.c - how close does a ring come to the cache line itself, there and back, and one way at
 * full speed?
 *
 * Two processes on two CPUs. All lanes (lanes.h) take turns, repetition after repetition, so that a
 * slow minute of the machine is a slow minute for all of them; each figure is the median over the
 * repetitions, each ratio is to the better raw lane of the same run.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tickbus/segment.h>

#include "bench/lanes.h"
#include "bench/measure.h"

#define LANES_MAX       16u
#define REPETITIONS_MAX 101u

typedef struct options {
    int cpus[2];
    unsigned repetitions;
    uint32_t round_trips;
    uint32_t messages;
    bool json;
} options_t;

/* Of one lane: per repetition, then their medians. Nanoseconds of a round trip; million messages a
 * second of a stream. */
typedef struct figures {
    double value[REPETITIONS_MAX]; /* p50 of the repetition, or throughput */
    double p99[REPETITIONS_MAX];
    double median, median_p99, lowest, highest;
} figures_t;

static const char usage[] =
    "usage: bench_pingpong [--cpus A,B] [--repetitions N] [--round-trips N] [--messages N] "
    "[--quick] "
    "[--json]\n"
    "Round trips and one-way throughput of 56-byte messages between two processes: raw cache "
    "lines, and "
    "tickbus.\n"
    "  --cpus A,B       the two CPUs (default: the first two)\n"
    "  --repetitions N  interleaved repetitions of every lane, 1..101 (default 7)\n"
    "  --round-trips N  per repetition (default 100000)\n"
    "  --messages N     per repetition of a stream (default 4000000)\n"
    "  --quick          a smoke test: 1 repetition, 2000 round trips, 100000 messages\n"
    "example: bench_pingpong --cpus 0,1 --json\n";

static void bad_usage(void)
{
    fputs(usage, stderr);
    exit(2);
}

static uint32_t number(const char *text, uint32_t highest)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || value == 0 || value > highest)
        bad_usage();
    return (uint32_t)value;
}

static options_t parse(int argc, char **argv)
{
    options_t options = {.repetitions = 7, .round_trips = 100000, .messages = 4000000};
    bench_cpus(options.cpus, 2);
    static const struct option names[] = {{"cpus", required_argument, NULL, 'c'},
                                          {"repetitions", required_argument, NULL, 'r'},
                                          {"round-trips", required_argument, NULL, 't'},
                                          {"messages", required_argument, NULL, 'm'},
                                          {"quick", no_argument, NULL, 'q'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (option) {
        case 'c':
            if (sscanf(optarg, "%d,%d", &options.cpus[0], &options.cpus[1]) != 2)
                bad_usage();
            break;
        case 'r':
            options.repetitions = number(optarg, REPETITIONS_MAX);
            break;
        case 't':
            options.round_trips = number(optarg, 10000000);
            break;
        case 'm':
            options.messages = number(optarg, 1000000000);
            break;
        case 'q':
            options.repetitions = 1, options.round_trips = 2000, options.messages = 100000;
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

/* One repetition of one lane: the far side in a child of its own. */
static void run(const lane_t *lane, const options_t *options, unsigned repetition, void *memory,
                uint64_t *ticks)
{
    uint32_t count = lane->stream ? options->messages : options->round_trips;
    memset(memory, 0, LANE_MEMORY_BYTES);
    lane->prepare(memory, repetition);
    pid_t far_side = fork();
    bench_must(far_side, "fork", strerror(errno));
    if (far_side == 0) {
        bench_pin(options->cpus[1]);
        lane->far_side(memory, count);
        _exit(0);
    }
    bench_pin(options->cpus[0]);
    lane->near_side(memory, count, ticks);
    int status;
    if (waitpid(far_side, &status, 0) != far_side || status != 0) {
        fprintf(stderr, "bench: %s: the far side failed\n", lane->name);
        exit(1);
    }
}

static void keep(const lane_t *lane, const options_t *options, unsigned repetition,
                 const uint64_t *ticks, uint32_t *scratch, figures_t *figures)
{
    if (lane->stream) {
        figures->value[repetition] =
            options->messages * 1e3 * bench_ticks_per_ns() / (double)ticks[0];
        return;
    }
    for (uint32_t i = 0; i < options->round_trips; i++)
        scratch[i] = ticks[i] > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks[i];
    figures->value[repetition] =
        bench_rank_u32(scratch, options->round_trips, 500) / bench_ticks_per_ns();
    figures->p99[repetition] =
        bench_rank_u32(scratch, options->round_trips, 990) / bench_ticks_per_ns();
}

static void conclude(figures_t *figures, unsigned repetitions)
{
    figures->median = bench_median(figures->value, repetitions);
    figures->lowest = figures->value[0]; /* sorted by now */
    figures->highest = figures->value[repetitions - 1];
    figures->median_p99 = bench_median(figures->p99, repetitions);
}

/* The raw lane that others of its sort are compared with: the better one. */
static const figures_t *bound(const figures_t *figures, bool stream)
{
    const figures_t *best = NULL;
    for (unsigned i = 0; lane_at(i); i++)
        if (lane_at(i)->raw && lane_at(i)->stream == stream &&
            (!best || figures[i].median < best->median))
            best = &figures[i];
    return best;
}

static json_t *as_json(const figures_t *figures, const options_t *options, const char *pages)
{
    json_t *rows = json_array();
    for (unsigned i = 0; lane_at(i); i++) {
        const lane_t *lane = lane_at(i);
        const figures_t *f = &figures[i], *raw = bound(figures, lane->stream);
        json_t *row = json_pack("{s:s, s:s, s:f, s:f, s:f, s:f}", "lane", lane->name, "unit",
                                lane->stream ? "M messages/s" : "ns round trip",
                                lane->stream ? "median" : "p50", f->median, "lowest", f->lowest,
                                "highest", f->highest, "ratio_to_raw", f->median / raw->median);
        if (!lane->stream) {
            json_object_set_new(row, "p99", json_real(f->median_p99));
            json_object_set_new(row, "p99_ratio_to_raw",
                                json_real(f->median_p99 / raw->median_p99));
        }
        json_array_append_new(rows, row);
    }
    return json_pack("{s:o, s:[i,i], s:s, s:i, s:o}", "host", bench_host(), "cpus",
                     options->cpus[0], options->cpus[1], "pages", pages, "repetitions",
                     (int)options->repetitions, "rows", rows);
}

static void print_table(const figures_t *figures, const options_t *options, const char *pages)
{
    printf("56-byte messages, two processes on CPUs %d and %d, %s pages, median of %u interleaved "
           "repetitions\n",
           options->cpus[0], options->cpus[1], pages, options->repetitions);
    printf("\n%-38s %8s %8s %10s %10s  %s\n", "round trip, ns", "p50", "p99", "p50 x raw",
           "p99 x raw", "p50 min..max");
    for (unsigned i = 0; lane_at(i); i++) {
        const figures_t *f = &figures[i], *raw = bound(figures, lane_at(i)->stream);
        if (lane_at(i)->stream && i > 0 && !lane_at(i - 1)->stream)
            printf("\n%-38s %8s %8s %10s %10s  %s\n", "one way, M messages/s", "median", "",
                   "x raw", "", "min..max");
        if (lane_at(i)->stream)
            printf("%-38s %8.1f %8s %10.2f %10s  %.1f..%.1f\n", lane_at(i)->what, f->median, "",
                   f->median / raw->median, "", f->lowest, f->highest);
        else
            printf("%-38s %8.0f %8.0f %10.2f %10.2f  %.0f..%.0f\n", lane_at(i)->what, f->median,
                   f->median_p99, f->median / raw->median, f->median_p99 / raw->median_p99,
                   f->lowest, f->highest);
    }
}

int main(int argc, char **argv)
{
    options_t options = parse(argc, argv);
    tbus_error_t err;
    tbus_segment_t segment;
    bench_must(tbus_segment_create("bench", LANE_MEMORY_BYTES, TBUS_PAGES_AUTO, -1, &segment, &err),
               "memory", err.text);
    if (options.cpus[0] == options.cpus[1])
        fprintf(
            stderr,
            "bench: both sides on CPU %d: spinning lanes will show the scheduler, not the lanes\n",
            options.cpus[0]);

    uint64_t *ticks = calloc(options.round_trips, sizeof *ticks);
    uint32_t *scratch = calloc(options.round_trips, sizeof *scratch);
    figures_t *figures = calloc(LANES_MAX, sizeof *figures);
    bench_must(ticks && scratch && figures ? 0 : -1, "samples", "out of memory");

    for (unsigned repetition = 0; repetition < options.repetitions; repetition++)
        for (unsigned i = 0; lane_at(i); i++) {
            run(lane_at(i), &options, repetition, segment.base, ticks);
            keep(lane_at(i), &options, repetition, ticks, scratch, &figures[i]);
        }
    for (unsigned i = 0; lane_at(i); i++)
        conclude(&figures[i], options.repetitions);

    if (options.json) {
        json_t *all = as_json(figures, &options, tbus_pages_name(segment.pages));
        json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
        putchar('\n');
        json_decref(all);
    } else {
        print_table(figures, &options, tbus_pages_name(segment.pages));
    }
    free(ticks);
    free(scratch);
    free(figures);
    tbus_segment_close(&segment);
    return 0;
}
