/* SPDX-License-Identifier: Apache-2.0 */
/* journal_open.c - how long does it take until somebody is where it wants to be in a long journal?
 *
 *    crashed   a recorder is killed when it has recorded some bytes, at several sizes; then its
 *              journal is opened, opened and read from its front, and opened and gone to its last
 *              record, at first without indexes of the segments, then with those that can be made
 *    seeking   in a journal as large as the largest of these, which was closed, is in the page
 *              cache and has its indexes: to the first record from a random time on, by a reader
 *              that has the journal open, and by one that opens it
 *
 * Times are by the clock, and by the CPU of the thread: on a machine that others use as well, the
 * worst by the clock is theirs. Nothing here waits for a disk.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/clock.h>
#include <tickbus/journal.h>

#include "bench/program.h"
#include "tools/measure/rank.h"

#define SEEKS_MAX     100000u
#define SIZES         3u /* each four times the one before */
#define MESSAGE_BYTES 56u
#define RECORD_BYTES  (TBUS_JOURNAL_RECORD_HEADER + MESSAGE_BYTES)
#define PATH_BYTES    512u
#define TIME_STEP_NS  1000u /* between two records */

typedef struct options {
    const char *directory;
    uint64_t bytes;
    uint64_t segment_bytes;
    unsigned seeks;
    bool json;
} options_t;

typedef struct took {
    uint64_t ns, cpu_ns;
} took_t;

enum step { OPEN, FRONT, END, END_AGAIN, STEPS };
static const char *const step_names[STEPS] = {"open", "to the front", "to the end, no index",
                                              "to the end"};

typedef struct opened {
    uint64_t bytes;
    uint32_t segments;
    took_t took[STEPS];
} opened_t;

enum way { KEPT_OPEN, KEPT_OPEN_CPU, OPENED, OPENED_CPU, WAYS };
static const char *const names[WAYS] = {"seek", "seek, by CPU", "open and seek",
                                        "open and seek, by CPU"};

typedef struct results {
    opened_t opened[SIZES];
    uint32_t ns[WAYS][SEEKS_MAX];
} results_t;

static const char usage[] =
    "usage: bench_journal_open [--directory DIR] [--bytes N] [--segment-bytes N] [--seeks N]\n"
    "                          [--quick] [--json]\n"
    "Opening a journal whose recorder was killed, and going to a time in it.\n"
    "  --directory DIR    where journals are made (default $TMPDIR or /tmp)\n"
    "  --bytes N          of records in the largest, from 16777216 (default 1 GiB)\n"
    "  --segment-bytes N  65536..1073741824, a multiple of 4096 (default 64 MiB)\n"
    "  --seeks N          1..100000 (default 1000)\n"
    "  --quick            a smoke test: 16 MiB, 20 seeks\n"
    "example: bench_journal_open --segment-bytes 1048576\n";

static options_t parse(int argc, char **argv)
{
    const char *temporary = getenv("TMPDIR");
    options_t o = {.directory = temporary ? temporary : "/tmp",
                   .bytes = UINT64_C(1) << 30,
                   .segment_bytes = TBUS_JOURNAL_SEGMENT_BYTES,
                   .seeks = 1000};
    const bench_option_t options[] = {
        {"directory", .text = &o.directory},
        {"bytes", .number = &o.bytes, .highest = UINT64_C(1) << 40},
        {"segment-bytes", .number = &o.segment_bytes, .highest = TBUS_JOURNAL_SEGMENT_BYTES_MAX},
        {"seeks", .count = &o.seeks, .highest = SEEKS_MAX},
        {"json", .flag = &o.json},
        {.name = "quick"},
        {0}};
    while (bench_option(argc, argv, options, 0, usage))
        o.bytes = UINT64_C(16) << 20, o.seeks = 20;
    if (o.bytes < UINT64_C(16) << 20)
        bench_bad_usage(usage);
    return o;
}

static uint64_t own_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static took_t now(void)
{
    return (took_t){.ns = tbus_clock_ns(), .cpu_ns = own_cpu_ns()};
}

static took_t since(took_t begin)
{
    took_t end = now();
    return (took_t){.ns = end.ns - begin.ns, .cpu_ns = end.cpu_ns - begin.cpu_ns};
}

/* ---- recording */

static tbus_journal_writer_t *record(const options_t *options, const char *path, uint64_t messages)
{
    tbus_error_t err = {0};
    tbus_journal_writer_t *w;
    unsigned char message[MESSAGE_BYTES] = {1};
    tbus_journal_spec_t spec = {.directory = path,
                                .bus_name = "bench",
                                .segment_bytes = options->segment_bytes,
                                .topics_count = 1,
                                .topics = {{.name = "md", .type = "tick", .first_seq = 1}}};
    bench_must(tbus_journal_writer_open(&spec, &w, &err), "start a journal", err.text);
    for (uint64_t seq = 1; seq <= messages; seq++)
        if (tbus_journal_writer_append(w, 0, seq, seq * TIME_STEP_NS, message, sizeof message) < 0)
            bench_must(-1, "record", tbus_journal_writer_error(w)->text);
    return w;
}

static void record_and_close(const options_t *options, const char *path, uint64_t messages)
{
    tbus_error_t err = {0};
    bench_must(tbus_journal_writer_close(record(options, path, messages), &err),
               "close the journal", err.text);
}

static void record_and_die(const options_t *options, const char *path, uint64_t messages)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    bench_must(child, "start", "a recorder");
    if (child == 0) {
        record(options, path, messages);
        kill(getpid(), SIGKILL);
    }
    bench_must(waitpid(child, &status, 0), "wait for", "the recorder");
    bench_must(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : -1, "record",
               "the recorder ended by itself");
}

/* ---- opening */

static tbus_journal_reader_t *open_journal(const char *path)
{
    tbus_error_t err = {0};
    tbus_journal_reader_t *r;
    bench_must(tbus_journal_reader_open(path, &r, &err), "open the journal", err.text);
    return r;
}

static took_t time_open(const char *path, opened_t *out_opened)
{
    took_t begin = now();
    tbus_journal_reader_t *r = open_journal(path);
    took_t took = since(begin);
    out_opened->segments = tbus_journal_reader_info(r)->segments;
    tbus_journal_reader_close(r);
    return took;
}

static took_t time_front(const char *path)
{
    tbus_error_t err = {0};
    tbus_journal_record_t record;
    took_t begin = now();
    tbus_journal_reader_t *r = open_journal(path);
    bench_must(tbus_journal_reader_next(r, &record, &err) - 1, "read the journal", err.text);
    took_t took = since(begin);
    tbus_journal_reader_close(r);
    return took;
}

/* To the last record, and to what the reader says of the end. */
static took_t time_end(const char *path, uint64_t messages)
{
    tbus_error_t err = {0};
    tbus_journal_record_t record;
    took_t begin = now();
    tbus_journal_reader_t *r = open_journal(path);
    bench_must(tbus_journal_reader_seek_seq(r, 0, messages, &err) - 1, "go to the end", err.text);
    bench_must(tbus_journal_reader_next(r, &record, &err) - 1, "read the last record", err.text);
    bench_must(tbus_journal_reader_next(r, &record, &err), "read to the end", err.text);
    took_t took = since(begin);
    bench_must(tbus_journal_reader_end(r) == TBUS_JOURNAL_TORN ? 0 : -1, "read to the end",
               "the recorder is not dead");
    tbus_journal_reader_close(r);
    return took;
}

static void open_crashed(const options_t *options, const char *path, uint64_t messages,
                         opened_t *out_opened)
{
    record_and_die(options, path, messages);
    out_opened->bytes = messages * RECORD_BYTES;
    out_opened->took[OPEN] = time_open(path, out_opened);
    out_opened->took[FRONT] = time_front(path);
    out_opened->took[END] = time_end(path, messages);
    out_opened->took[END_AGAIN] = time_end(path, messages);
    bench_remove_directory(path);
}

/* ---- seeking */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint32_t bounded(uint64_t ns)
{
    return ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

/* And read the record that is there. */
static void seek(tbus_journal_reader_t *r, uint64_t seq)
{
    tbus_error_t err = {0};
    tbus_journal_record_t record;
    bench_must(tbus_journal_reader_seek_time(r, seq * TIME_STEP_NS, &err) - 1, "go to a time",
               err.text);
    bench_must(tbus_journal_reader_next(r, &record, &err) - 1, "read a record", err.text);
    bench_must(record.seq == seq ? 0 : -1, "go to a time", "another record is there");
}

static void seek_all(const options_t *options, const char *path, uint64_t messages,
                     results_t *results)
{
    uint64_t state = 88172645463325252u;
    record_and_close(options, path, messages);
    for (uint32_t n = 1; tbus_journal_index_segment(path, n, NULL) >= 0; n++)
        ;
    tbus_journal_reader_t *kept = open_journal(path);
    for (unsigned i = 0; i < options->seeks; i++) {
        took_t begin = now();
        seek(kept, next_random(&state) % messages + 1);
        took_t took = since(begin);
        results->ns[KEPT_OPEN][i] = bounded(took.ns);
        results->ns[KEPT_OPEN_CPU][i] = bounded(took.cpu_ns);
        begin = now();
        tbus_journal_reader_t *fresh = open_journal(path);
        seek(fresh, next_random(&state) % messages + 1);
        took = since(begin);
        results->ns[OPENED][i] = bounded(took.ns);
        results->ns[OPENED_CPU][i] = bounded(took.cpu_ns);
        tbus_journal_reader_close(fresh);
    }
    tbus_journal_reader_close(kept);
    bench_remove_directory(path);
}

/* ---- what it came to */

static void print_text(const options_t *options, results_t *results)
{
    printf("segments of %" PRIu64 " bytes, in %s\n\n", options->segment_bytes, options->directory);
    printf("after a kill: ms by the clock (by CPU); goal: open in 50 ms at any size\n%14s %9s",
           "bytes", "segments");
    for (unsigned step = 0; step < STEPS; step++)
        printf("  %20s", step_names[step]);
    for (unsigned i = 0; i < SIZES; i++) {
        const opened_t *o = &results->opened[i];
        printf("\n%14" PRIu64 " %9u", o->bytes, o->segments);
        for (unsigned step = 0; step < STEPS; step++)
            printf("  %10.2f (%7.2f)", (double)o->took[step].ns / 1e6,
                   (double)o->took[step].cpu_ns / 1e6);
    }
    printf("\n\n%-22s %10s %10s %10s   us; goal: 1,000 us in 1 GB\n", "seeks", "median", "p99",
           "worst");
    for (unsigned way = 0; way < WAYS; way++)
        printf("%-22s %10.1f %10.1f %10.1f\n", names[way],
               rank_u32(results->ns[way], options->seeks, 500) / 1e3,
               rank_u32(results->ns[way], options->seeks, 990) / 1e3,
               rank_u32(results->ns[way], options->seeks, 1000) / 1e3);
}

static json_t *opened_json(const opened_t *o)
{
    json_t *object =
        json_pack("{s:I, s:i}", "bytes", (json_int_t)o->bytes, "segments", (int)o->segments);
    for (unsigned step = 0; step < STEPS; step++)
        json_object_set_new(object, step_names[step],
                            json_pack("{s:f, s:f}", "ms", (double)o->took[step].ns / 1e6, "cpu_ms",
                                      (double)o->took[step].cpu_ns / 1e6));
    return object;
}

static void print_json(const options_t *options, results_t *results)
{
    json_t *opened = json_array(), *seeks = json_object();
    for (unsigned i = 0; i < SIZES; i++)
        json_array_append_new(opened, opened_json(&results->opened[i]));
    for (unsigned way = 0; way < WAYS; way++)
        json_object_set_new(
            seeks, names[way],
            json_pack("{s:f, s:f, s:f}", "median_us",
                      rank_u32(results->ns[way], options->seeks, 500) / 1e3, "p99_us",
                      rank_u32(results->ns[way], options->seeks, 990) / 1e3, "worst_us",
                      rank_u32(results->ns[way], options->seeks, 1000) / 1e3));
    json_t *object = json_pack("{s:I, s:s, s:i, s:o, s:o, s:o}", "segment_bytes",
                               (json_int_t)options->segment_bytes, "directory", options->directory,
                               "seeks_count", (int)options->seeks, "opened_after_a_kill", opened,
                               "seeks", seeks, "host", bench_host());
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
}

int main(int argc, char **argv)
{
    static results_t results;
    options_t options = parse(argc, argv);
    char path[PATH_BYTES];
    uint64_t messages = 0;
    snprintf(path, sizeof path, "%s/tickbus-bench-%ld", options.directory, (long)getpid());
    for (unsigned i = 0; i < SIZES; i++) {
        messages = (options.bytes >> 2 * (SIZES - 1 - i)) / RECORD_BYTES;
        open_crashed(&options, path, messages, &results.opened[i]);
    }
    seek_all(&options, path, messages, &results);
    (options.json ? print_json : print_text)(&options, &results);
    return 0;
}
