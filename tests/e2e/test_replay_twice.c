/* SPDX-License-Identifier: Apache-2.0 */
/* A recording of a recording: a feed is recorded, replayed and recorded once more. The market data
 * of both come out byte for byte as they were fed, and the same is decided each time, at max and at
 * ten times the pace of the market, in a process for each stage and in few.
 *
 * TICKBUS_REPLAYS=20: every ITCH file of the market data, each replayed so many times, instead of
 * two small ones four times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/market_data.h"
#include "tests/support/program.h"

#define FILES_MAX     64u
#define PATH_BYTES    256
#define REPLAYS_QUICK 4u

typedef struct fixture {
    char scratch[SCRATCH_PATH_MAX];
    char name[32];
    char first[PATH_BYTES], second[PATH_BYTES]; /* journals */
    char files[FILES_MAX][MARKET_DATA_PATH_MAX];
    unsigned files_count;
} fixture_t;

static unsigned replays(void)
{
    const char *text = getenv("TICKBUS_REPLAYS");
    return text ? (unsigned)strtoul(text, NULL, 10) : REPLAYS_QUICK;
}

static bool ends_in(const char *text, const char *end)
{
    size_t bytes = strlen(text), end_bytes = strlen(end);
    return bytes >= end_bytes && strcmp(text + bytes - end_bytes, end) == 0;
}

/* The ITCH files below `directory`, in any order. */
static void find_files(fixture_t *f, const char *directory, unsigned depth)
{
    DIR *stream = opendir(directory);
    const struct dirent *entry;
    while (stream && (entry = readdir(stream)) != NULL && f->files_count < FILES_MAX) {
        char path[MARKET_DATA_PATH_MAX];
        struct stat is;
        if (entry->d_name[0] == '.' ||
            snprintf(path, sizeof path, "%s/%s", directory, entry->d_name) >= (int)sizeof path ||
            stat(path, &is) < 0)
            continue;
        if (S_ISDIR(is.st_mode) && depth < 3)
            find_files(f, path, depth + 1);
        else if (S_ISREG(is.st_mode) &&
                 (ends_in(entry->d_name, ".itch") || ends_in(entry->d_name, ".itch.gz")))
            memcpy(f->files[f->files_count++], path, sizeof path);
    }
    if (stream)
        closedir(stream);
}

static int setup(void **state)
{
    static const char *const small[] = {"itch_day_start_1k/day_start_1k.itch",
                                        "itch_aapl_20200130_5k/aapl_5k.itch"};
    fixture_t *f = calloc(1, sizeof *f);
    char all[MARKET_DATA_PATH_MAX];
    *state = f;
    scratch_create_runtime(f->scratch);
    snprintf(f->name, sizeof f->name, "twice-%d", (int)getpid());
    snprintf(f->first, sizeof f->first, "%s/first", f->scratch);
    snprintf(f->second, sizeof f->second, "%s/second", f->scratch);
    if (replays() > REPLAYS_QUICK && market_data_path("", all))
        find_files(f, all, 0);
    else
        for (unsigned i = 0; i < 2; i++)
            f->files_count += market_data_path(small[i], f->files[f->files_count]);
    return 0;
}

static int teardown(void **state)
{
    fixture_t *f = *state;
    int code = scratch_remove_runtime(f->scratch) ? -1 : 0;
    free(f);
    return code;
}

/* What it decided: the digests of its summary, as text. The caller frees. */
static char *run(const char *const argv[])
{
    program_t p = {.argv = argv};
    if (program_run(&p) != 0)
        fail_msg("%s %s: %s", argv[1], argv[2], p.err);
    json_t *summary = json_loads(p.out, 0, NULL);
    char *digests = json_dumps(json_object_get(summary, "digests"), JSON_COMPACT);
    assert_non_null(digests);
    json_decref(summary);
    program_clear(&p);
    return digests;
}

/* The SHA-256 of all market data of a journal, as they were fed. */
static void export(const fixture_t *f, const char *journal, char out_sha256[SHA256_TEXT])
{
    char output[PATH_BYTES + 16];
    const char *const argv[] = {TICKBUS_BUSCTL, "journal", "export", journal, "--topic", "md",
                                "--format",     "itch",    "-o",     output,  NULL};
    program_t p = {.argv = argv};
    snprintf(output, sizeof output, "%s/md.itch", f->scratch);
    if (program_run(&p) != 0)
        fail_msg("%s: %s", journal, p.err);
    program_clear(&p);
    file_sha256(output, out_sha256);
    assert_int_equal(strlen(out_sha256), SHA256_TEXT - 1);
    unlink(output);
}

static void sha256_of_feed(const char *file, char out_sha256[SHA256_TEXT])
{
    const char *const argv[] = {"sh", "-c", "gzip -dcf \"$0\" | sha256sum", file, NULL};
    program_t p = {.argv = argv};
    assert_int_equal(program_run(&p), 0);
    assert_true(p.out_bytes >= SHA256_TEXT - 1);
    memcpy(out_sha256, p.out, SHA256_TEXT - 1);
    out_sha256[SHA256_TEXT - 1] = 0;
    program_clear(&p);
}

static void record(const fixture_t *f, const char *file, char **out_digests)
{
    char feed[MARKET_DATA_PATH_MAX + 8];
    const char *const argv[] = {TICKBUS_BUSCTL, "start", "--feed", feed,  "--journal", f->first,
                                "--name",       f->name, "--pace", "max", "--layout",  "split",
                                "--strategy",   "quote", "--json", NULL};
    snprintf(feed, sizeof feed, "itch:%s", file);
    *out_digests = run(argv);
}

/* Gaps of the market are cut short: they take time and decide nothing. */
static char *replay(const fixture_t *f, const char *layout, const char *pace)
{
    const char *const argv[] = {TICKBUS_BUSCTL, "replay",      f->first, "--journal", f->second,
                                "--name",       f->name,       "--pace", pace,        "--layout",
                                layout,         "--skip-gaps", "1ms",    "--json",    NULL};
    return run(argv);
}

static void check_file(const fixture_t *f, const char *file)
{
    static const struct {
        const char *layout, *pace;
    } ways[] = {{"fused", "max"}, {"split", "10x"}, {"split", "max"}, {"fused", "10x"}};
    char fed[SHA256_TEXT], first[SHA256_TEXT], second[SHA256_TEXT];
    char *wanted;
    record(f, file, &wanted);
    sha256_of_feed(file, fed);
    export(f, f->first, first);
    assert_string_equal(first, fed);
    unsigned same = 0, count = replays();
    for (unsigned i = 0; i < count; i++) {
        char *digests = replay(f, ways[i % 4].layout, ways[i % 4].pace);
        export(f, f->second, second);
        if (strcmp(digests, wanted) != 0 || strcmp(second, first) != 0)
            print_error("%s, %s at %s: %s instead of %s, SHA-256 of md %s instead of %s\n", file,
                        ways[i % 4].layout, ways[i % 4].pace, digests, wanted, second, first);
        else
            same++;
        free(digests);
        scratch_remove(f->second);
    }
    printf("%s: %u of %u replays the same, %s\n", strrchr(file, '/') + 1, same, count, wanted);
    fflush(stdout);
    free(wanted);
    scratch_remove(f->first);
    assert_int_equal(same, count);
}

static void what_is_recorded_replayed_and_recorded_again_is_the_same(void **state)
{
    const fixture_t *f = *state;
    if (f->files_count == 0)
        skip();
    for (unsigned i = 0; i < f->files_count; i++)
        check_file(f, f->files[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_recorded_replayed_and_recorded_again_is_the_same,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
