/* SPDX-License-Identifier: Apache-2.0 */
/* journal.c - what does a journal cost beside what its bytes cost anyway?
 *
 *    recording   append of 56-byte messages, over a copy and a CRC-32C of as many bytes into a
 *                mapping of the same kind whose pages are there
 *    reading     every record, checked, over read(2) and a CRC-32C for each record of the same
 *                files
 *    verifying   as `busctl journal verify`, on one CPU and on all that there are, over read(2)
 *                alone, and over read(2), CRC-32C and SHA-256 of the same bytes on as many threads,
 *                each with segments of its own: that much has to be done
 *
 * All take turns, repetition after repetition, over files in the page cache; figures are medians,
 * and a ratio is one of the same repetition. What one thread does is timed by what it has used of
 * its CPU. At full speed the recording thread waits for the helper, which writes zeros, faults
 * pages in and hashes what is full: that figure is how fast all of it can go.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include <tickbus/clock.h>
#include <tickbus/journal.h>

#include "bench/program.h"
#include "tools/journal/check.h"
#include "tools/measure/rank.h"

#define REPETITIONS_MAX 101u
#define MESSAGE_BYTES   56u
#define RECORD_BYTES    (TBUS_JOURNAL_RECORD_HEADER + MESSAGE_BYTES)
#define PATH_BYTES      512u
#define CHUNK_BYTES     (128u << 10)
#define CPUS_MAX        64u

enum what {
    COPYING,
    RECORDING,
    RECORDING_WALL,
    READING_BARE,
    READING_CRC,
    READING,
    READING_SHA,
    READING_BOTH,
    VERIFYING,
    READING_BOTH_ALL,
    VERIFYING_ALL,
    WHATS
};
static const char *const names[WHATS] = {
    [COPYING] = "copy and CRC",
    [RECORDING] = "recording",
    [RECORDING_WALL] = "recording, at full speed",
    [READING_BARE] = "read",
    [READING_CRC] = "read and CRC",
    [READING] = "reading",
    [READING_SHA] = "read and SHA-256",
    [READING_BOTH] = "read, CRC and SHA-256",
    [VERIFYING] = "verifying",
    [READING_BOTH_ALL] = "all CPUs: read, CRC and SHA-256",
    [VERIFYING_ALL] = "all CPUs: verifying",
};

/* What is held against what. */
static const struct {
    enum what ours, bound;
    double goal;
} ratios[] = {{RECORDING, COPYING, 0.9},
              {READING, READING_CRC, 0.8},
              {VERIFYING, READING_BOTH, 0.9},
              {VERIFYING_ALL, READING_BOTH_ALL, 0.9},
              {VERIFYING_ALL, READING_BARE, 0.5}};
#define RATIOS (sizeof ratios / sizeof *ratios)

/* What is copied and recorded, in turn. */
#define SAMPLES 64u
static unsigned char samples[SAMPLES][MESSAGE_BYTES];

typedef struct options {
    const char *directory;
    unsigned repetitions;
    uint64_t messages;
    bool json;
} options_t;

typedef struct results {
    double mb_s[WHATS][REPETITIONS_MAX]; /* MB of records a second */
} results_t;

static const char usage[] =
    "usage: bench_journal [--directory DIR] [--repetitions N] [--messages N] [--quick] [--json]\n"
    "Recording, reading and verifying a journal, beside what its bytes cost anyway.\n"
    "  --directory DIR  where journals are made (default $TMPDIR or /tmp)\n"
    "  --repetitions N  interleaved repetitions, 1..101 (default 5)\n"
    "  --messages N     of one journal (default 3000000)\n"
    "  --quick          a smoke test: 1 repetition, 50000 messages\n"
    "example: bench_journal --directory /dev/shm --json\n";

static options_t parse(int argc, char **argv)
{
    const char *temporary = getenv("TMPDIR");
    options_t o = {
        .directory = temporary ? temporary : "/tmp", .repetitions = 5, .messages = 3000000};
    const bench_option_t options[] = {
        {"directory", .text = &o.directory},
        {"repetitions", .count = &o.repetitions, .highest = REPETITIONS_MAX},
        {"messages", .number = &o.messages, .highest = 100000000},
        {"json", .flag = &o.json},
        {.name = "quick"},
        {0}};
    while (bench_option(argc, argv, options, 0, usage))
        o.repetitions = 1, o.messages = 50000;
    return o;
}

static double megabytes_a_second(uint64_t messages, uint64_t begin_ns)
{
    return (double)(messages * RECORD_BYTES) * 1e3 / (double)(tbus_clock_ns() - begin_ns);
}

static uint64_t own_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static double megabytes_a_cpu_second(uint64_t messages, uint64_t begin_cpu_ns)
{
    return (double)(messages * RECORD_BYTES) * 1e3 / (double)(own_cpu_ns() - begin_cpu_ns);
}

/* ---- the bytes alone */

/* Into a file of the same directory, mapped and faulted in before. */
static double copy(const options_t *options, const char *path)
{
    char name[PATH_BYTES + 8];
    size_t bytes = options->messages * RECORD_BYTES;
    uint32_t sum = 0;
    snprintf(name, sizeof name, "%s.raw", path);
    int fd =
        bench_must(open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), "make a file", name);
    bench_must(-posix_fallocate(fd, 0, (off_t)bytes), "allocate a file", name);
    unsigned char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    bench_must(base == MAP_FAILED ? -1 : 0, "map a file", name);
    for (size_t at = 0; at < bytes; at += 4096)
        base[at] = 0;
    uint64_t begin = own_cpu_ns();
    for (uint64_t i = 0; i < options->messages; i++) {
        unsigned char *record = base + i * RECORD_BYTES;
        memcpy(record, &i, sizeof i);
        memcpy(record + TBUS_JOURNAL_RECORD_HEADER, samples[i % SAMPLES], MESSAGE_BYTES);
        sum = tbus_crc32c(0, record + 8, RECORD_BYTES - 8);
        memcpy(record + 4, &sum, sizeof sum);
    }
    double result = megabytes_a_cpu_second(options->messages, begin);
    munmap(base, bytes);
    close(fd);
    unlink(name);
    return result;
}

/* What is done with the files of a journal, of which one thread reads every `step`-th. */
typedef struct pass {
    const char *path;
    unsigned first, step;
    bool crc, sha;
    uint64_t result; /* so that nothing can be left out */
    pthread_t thread;
} pass_t;

static void use_chunk(pass_t *pass, const unsigned char *chunk, size_t bytes, EVP_MD_CTX *digest)
{
    if (pass->crc)
        for (size_t at = 0; at + RECORD_BYTES <= bytes; at += RECORD_BYTES)
            pass->result += tbus_crc32c(0, chunk + at, RECORD_BYTES);
    if (digest)
        bench_must(EVP_DigestUpdate(digest, chunk, bytes) == 1 ? 0 : -1, "hash", "SHA-256");
    pass->result += chunk[0];
}

/* False: there is no such file. */
static bool read_file(pass_t *pass, unsigned number, unsigned char *chunk)
{
    char name[PATH_BYTES + 32];
    unsigned char result[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *digest = pass->sha ? EVP_MD_CTX_new() : NULL;
    ssize_t got;
    if (pass->sha)
        bench_must(digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 ? 0 : -1, "hash",
                   "SHA-256");
    snprintf(name, sizeof name, "%s/%08u.tbj", pass->path, number);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (got = read(fd, chunk, CHUNK_BYTES)) > 0)
        use_chunk(pass, chunk, (size_t)got, digest);
    if (fd >= 0)
        close(fd);
    if (digest)
        EVP_DigestFinal_ex(digest, result, NULL);
    EVP_MD_CTX_free(digest);
    return fd >= 0;
}

static void *run_pass(void *context)
{
    pass_t *pass = context;
    unsigned char *chunk = malloc(CHUNK_BYTES);
    bench_must(chunk ? 0 : -1, "read", "no memory");
    for (unsigned number = pass->first; read_file(pass, number, chunk); number += pass->step)
        ;
    free(chunk);
    return NULL;
}

static double read_files(const options_t *options, const char *path, bool crc, bool sha)
{
    pass_t pass = {.path = path, .first = 1, .step = 1, .crc = crc, .sha = sha};
    uint64_t begin = own_cpu_ns();
    run_pass(&pass);
    return megabytes_a_cpu_second(options->messages, begin);
}

static unsigned cpus(void)
{
    cpu_set_t set;
    bench_must(sched_getaffinity(0, sizeof set, &set), "ask for", "CPUs");
    unsigned count = (unsigned)CPU_COUNT(&set);
    return count < CPUS_MAX ? count : CPUS_MAX;
}

static double read_files_on_all(const options_t *options, const char *path)
{
    pass_t passes[CPUS_MAX];
    unsigned count = cpus();
    uint64_t begin = tbus_clock_ns();
    for (unsigned i = 0; i < count; i++) {
        passes[i] = (pass_t){.path = path, .first = i + 1, .step = count, .crc = true, .sha = true};
        bench_must(-pthread_create(&passes[i].thread, NULL, run_pass, &passes[i]), "start",
                   "a thread");
    }
    for (unsigned i = 0; i < count; i++)
        pthread_join(passes[i].thread, NULL);
    return megabytes_a_second(options->messages, begin);
}

/* ---- the journal */

static double record(const options_t *options, const char *path, double *out_wall)
{
    tbus_error_t err = {0};
    tbus_journal_writer_t *w;
    tbus_journal_spec_t spec = {.directory = path,
                                .bus_name = "bench",
                                .topics_count = 1,
                                .topics = {{.name = "md", .type = "tick", .first_seq = 1}}};
    bench_must(tbus_journal_writer_open(&spec, &w, &err), "start a journal", err.text);
    uint64_t begin = tbus_clock_ns(), begin_cpu = own_cpu_ns();
    for (uint64_t seq = 1; seq <= options->messages; seq++)
        if (tbus_journal_writer_append(w, 0, seq, seq, samples[seq % SAMPLES], MESSAGE_BYTES) < 0)
            bench_must(-1, "record", tbus_journal_writer_error(w)->text);
    *out_wall = megabytes_a_second(options->messages, begin);
    double result = megabytes_a_cpu_second(options->messages, begin_cpu);
    bench_must(tbus_journal_writer_close(w, &err), "close the journal", err.text);
    return result;
}

static double read_all(const options_t *options, const char *path)
{
    tbus_error_t err = {0};
    tbus_journal_reader_t *r;
    tbus_journal_record_t record;
    uint64_t count = 0;
    int code;
    uint64_t begin = own_cpu_ns();
    bench_must(tbus_journal_reader_open(path, &r, &err), "open the journal", err.text);
    while ((code = tbus_journal_reader_next(r, &record, &err)) > 0)
        count++;
    bench_must(code, "read the journal", err.text);
    double result = megabytes_a_cpu_second(options->messages, begin);
    bench_must(count == options->messages ? 0 : -1, "read the journal", "records are missing");
    tbus_journal_reader_close(r);
    return result;
}

/* On one thread by its CPU, on several by the clock. */
static double verify(const options_t *options, const char *path, unsigned threads)
{
    tbus_error_t err = {0};
    check_t check;
    uint64_t begin = tbus_clock_ns(), begin_cpu = own_cpu_ns();
    bench_must(check_journal_on(path, "checked", threads, &check, &err), "verify the journal",
               err.text);
    double result = threads > 1 ? megabytes_a_second(options->messages, begin)
                                : megabytes_a_cpu_second(options->messages, begin_cpu);
    bench_must(check_ok(&check) && check.records == options->messages ? 0 : -1,
               "verify the journal", "it is damaged");
    check_clear(&check);
    return result;
}

static void run_once(const options_t *options, results_t *results, unsigned i)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/tickbus-bench-%ld", options->directory, (long)getpid());
    results->mb_s[COPYING][i] = copy(options, path);
    results->mb_s[RECORDING][i] = record(options, path, &results->mb_s[RECORDING_WALL][i]);
    results->mb_s[READING_BARE][i] = read_files(options, path, false, false);
    results->mb_s[READING_CRC][i] = read_files(options, path, true, false);
    results->mb_s[READING][i] = read_all(options, path);
    results->mb_s[READING_SHA][i] = read_files(options, path, false, true);
    results->mb_s[READING_BOTH][i] = read_files(options, path, true, true);
    results->mb_s[VERIFYING][i] = verify(options, path, 1);
    results->mb_s[READING_BOTH_ALL][i] = read_files_on_all(options, path);
    results->mb_s[VERIFYING_ALL][i] = verify(options, path, cpus());
    bench_remove_directory(path);
}

/* ---- what it came to */

static double median(const double *values, unsigned count)
{
    double copied[REPETITIONS_MAX];
    memcpy(copied, values, count * sizeof *values);
    return rank_median(copied, count);
}

static double median_ratio(const results_t *results, unsigned which, unsigned count)
{
    double values[REPETITIONS_MAX];
    for (unsigned i = 0; i < count; i++)
        values[i] = results->mb_s[ratios[which].ours][i] / results->mb_s[ratios[which].bound][i];
    return rank_median(values, count);
}

static void print_text(const options_t *options, const results_t *results)
{
    printf("%llu messages of %u bytes, in %s, %u CPUs; medians of %u interleaved repetitions\n\n",
           (unsigned long long)options->messages, MESSAGE_BYTES, options->directory, cpus(),
           options->repetitions);
    for (unsigned what = 0; what < WHATS; what++)
        printf("%-32s %8.0f MB/s\n", names[what],
               median(results->mb_s[what], options->repetitions));
    putchar('\n');
    for (unsigned i = 0; i < RATIOS; i++) {
        printf("%-20s over %-32s %5.2f", names[ratios[i].ours], names[ratios[i].bound],
               median_ratio(results, i, options->repetitions));
        if (ratios[i].goal > 0)
            printf("  (goal %.1f)", ratios[i].goal);
        putchar('\n');
    }
}

static void print_json(const options_t *options, const results_t *results)
{
    json_t *rates = json_object(), *list = json_array();
    for (unsigned what = 0; what < WHATS; what++)
        json_object_set_new(rates, names[what],
                            json_real(median(results->mb_s[what], options->repetitions)));
    for (unsigned i = 0; i < RATIOS; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:f, s:f}", "ours", names[ratios[i].ours],
                                              "bound", names[ratios[i].bound], "ratio",
                                              median_ratio(results, i, options->repetitions),
                                              "goal", ratios[i].goal));
    json_t *object =
        json_pack("{s:I, s:i, s:s, s:o, s:o, s:o}", "messages", (json_int_t)options->messages,
                  "repetitions", (int)options->repetitions, "directory", options->directory, "mb_s",
                  rates, "ratios", list, "host", bench_host());
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
}

int main(int argc, char **argv)
{
    static results_t results;
    options_t options = parse(argc, argv);
    for (unsigned i = 0; i < SAMPLES; i++)
        memset(samples[i], (int)i + 1, MESSAGE_BYTES);
    for (unsigned i = 0; i < options.repetitions; i++)
        run_once(&options, &results, i);
    if (options.json)
        print_json(&options, &results);
    else
        print_text(&options, &results);
    return 0;
}
