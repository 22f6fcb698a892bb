/* SPDX-License-Identifier: Apache-2.0 */
/* journal_sync.c - how long do the syncs of a journal take that is synced batch after batch, while
 * segments are filled and rolled over? And is it worth to write zeros to a segment before its
 * records (bus/journal/segment_file.h)?
 *
 * Sessions of both kinds take turns in the directory of the user's choice. In those of the second
 * kind this program keeps the zeros back, so that records go to blocks that were allocated and
 * never written. What is measured is every msync(2) and fdatasync(2) of the journal's helper thread
 * from the first record to the last: worst over median says how much longer the longest was.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/clock.h>
#include <tickbus/journal.h>

#include "bench/program.h"
#include "tools/measure/rank.h"

#define WINDOWS_MAX   (UINT64_C(1) << 21)
#define PAYLOAD_BYTES 64u
#define BURST         64u /* records between two looks at the clock */
#define ROUNDS        4u  /* sessions of each kind */
#define PATH_BYTES    512u

enum kind { ZEROS, UNWRITTEN, KINDS };
static const char *const names[KINDS] = {"zeros first", "unwritten"};

/* By the helper thread of the session that runs; read when it has ended. */
static struct {
    enum kind kind;
    bool on;
    uint64_t count[KINDS];
    uint32_t *ns[KINDS];
} windows;

typedef struct options {
    const char *directory;
    uint64_t rolls; /* of each kind */
    uint64_t segment_bytes;
    uint64_t rate; /* MB of records a second */
    bool json;
} options_t;

static const char usage[] =
    "usage: bench_journal_sync [--rolls N] [--segment-bytes N] [--rate MB] [--json] DIR\n"
    "Times of the syncs of a journal in DIR that is synced batch after batch.\n"
    "  --rolls N          segments of each kind of session, 4..10000 (default 120)\n"
    "  --segment-bytes N  65536..1073741824, a multiple of 4096 (default 4194304)\n"
    "  --rate MB          records a second, 1..10000 (default 40)\n"
    "example: bench_journal_sync --rolls 200 /mnt/xfs\n";

static int timed(long (*sync)(long, long, long), long a, long b, long c)
{
    uint64_t begin = tbus_clock_ns();
    long result = sync(a, b, c);
    uint64_t count = windows.count[windows.kind];
    if (windows.on && count < WINDOWS_MAX) {
        uint64_t ns = tbus_clock_ns() - begin;
        windows.ns[windows.kind][count] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
        windows.count[windows.kind]++;
    }
    return (int)result;
}

static long do_msync(long address, long bytes, long flags)
{
    return syscall(SYS_msync, address, bytes, flags);
}

static long do_fdatasync(long fd, long unused, long also)
{
    (void)unused;
    (void)also;
    return syscall(SYS_fdatasync, fd);
}

/* The library is linked statically: these take the place of the C library's. */
int msync(void *address, size_t bytes, int flags)
{
    return timed(do_msync, (long)(uintptr_t)address, (long)bytes, flags);
}

int fdatasync(int fd)
{
    return timed(do_fdatasync, fd, 0, 0);
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t at)
{
    const unsigned char *first = data;
    bool zeros = bytes && !first[0] && !memcmp(first, first + 1, bytes - 1);
    return zeros && windows.kind == UNWRITTEN ? (ssize_t)bytes
                                              : syscall(SYS_pwrite64, fd, data, bytes, at);
}

/* `segments` segments at the rate of the options. */
static void record(const options_t *options, enum kind kind, uint64_t segments)
{
    char path[PATH_BYTES];
    tbus_error_t err = {0};
    tbus_journal_writer_t *w;
    unsigned char payload[PAYLOAD_BYTES] = {1};
    snprintf(path, sizeof path, "%s/tickbus-bench-%ld", options->directory, (long)getpid());
    tbus_journal_spec_t spec = {.directory = path,
                                .bus_name = "bench",
                                .segment_bytes = options->segment_bytes,
                                .topics_count = 1,
                                .topics = {{.name = "md", .type = "tick", .first_seq = 1}},
                                .durability = TBUS_JOURNAL_SYNC_BATCH};
    windows.kind = kind;
    bench_must(tbus_journal_writer_open(&spec, &w, &err), "start a journal", err.text);
    windows.on = true;
    uint64_t begin = tbus_clock_ns();
    uint64_t total = segments * options->segment_bytes;
    for (uint64_t seq = 1; tbus_journal_writer_bytes(w) < total; seq++) {
        if (tbus_journal_writer_append(w, 0, seq, seq, payload, sizeof payload) < 0)
            bench_must(-1, "record", tbus_journal_writer_error(w)->text);
        uint64_t due = begin + tbus_journal_writer_bytes(w) * 1000 / options->rate;
        while (seq % BURST == 0 && tbus_clock_ns() < due)
            usleep(50);
    }
    windows.on = false;
    bench_must(tbus_journal_writer_close(w, &err), "close the journal", err.text);
    bench_remove_directory(path);
}

static void print_kind(const options_t *options, enum kind kind, json_t *rows)
{
    uint32_t *ns = windows.ns[kind];
    uint64_t count = windows.count[kind];
    double median = rank_u32(ns, count, 500) / 1e3, p99 = rank_u32(ns, count, 990) / 1e3;
    double worst = rank_u32(ns, count, 1000) / 1e3;
    if (options->json)
        json_array_append_new(rows, json_pack("{s:s, s:I, s:f, s:f, s:f, s:f}", "kind", names[kind],
                                              "syncs", (json_int_t)count, "median_us", median,
                                              "p99_us", p99, "worst_us", worst, "worst_over_median",
                                              worst / median));
    else
        printf("%-12s %8lu %10.0f %10.0f %10.0f %14.1f\n", names[kind], (unsigned long)count,
               median, p99, worst, worst / median);
}

static void print(const options_t *options)
{
    json_t *rows = json_array();
    if (!options->json)
        printf("%-12s %8s %10s %10s %10s %14s\n", "", "syncs", "median us", "p99 us", "worst us",
               "worst/median");
    for (enum kind kind = 0; kind < KINDS; kind++)
        print_kind(options, kind, rows);
    if (options->json) {
        json_t *all = json_pack("{s:o, s:I, s:I, s:I, s:o}", "host", bench_host(), "rolls",
                                (json_int_t)options->rolls, "segment_bytes",
                                (json_int_t)options->segment_bytes, "rate_mb_s",
                                (json_int_t)options->rate, "kinds", rows);
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(all);
        return;
    }
    json_decref(rows);
}

int main(int argc, char **argv)
{
    options_t options = {.rolls = 120, .segment_bytes = UINT64_C(4) << 20, .rate = 40};
    const bench_option_t table[] = {{"rolls", .number = &options.rolls, .highest = 10000},
                                    {"segment-bytes", .number = &options.segment_bytes,
                                     .highest = TBUS_JOURNAL_SEGMENT_BYTES_MAX},
                                    {"rate", .number = &options.rate, .highest = 10000},
                                    {"json", .flag = &options.json},
                                    {0}};
    (void)bench_option(argc, argv, table, 1, usage); /* all of them go somewhere */
    if (options.rolls < ROUNDS)
        bench_bad_usage(usage);
    options.directory = argv[argc - 1];
    for (enum kind kind = 0; kind < KINDS; kind++)
        if (!(windows.ns[kind] = malloc(WINDOWS_MAX * sizeof(uint32_t))))
            bench_must(-1, "begin", "no memory");
    for (unsigned round = 0; round < ROUNDS; round++)
        for (enum kind kind = 0; kind < KINDS; kind++)
            record(&options, kind, options.rolls / ROUNDS);
    print(&options);
    for (enum kind kind = 0; kind < KINDS; kind++)
        free(windows.ns[kind]);
    return 0;
}
