/* SPDX-License-Identifier: Apache-2.0 */
/* The whole pipeline, through busctl, on every recorded ITCH stream that has an answer key: what it
 * counted, what it recorded, what it gives back, in both layouts. The keys were computed by others;
 * how is told in the README beside each (FNV-1a, BBO trace, executed shares).
 *
 * A stream is not part of the repository: without it its test skips.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/market_data.h"
#include "tests/support/program.h"

#define BBO_HEADER "md_seq,locate,symbol,ts_event_ns,bid_px_e4,bid_qty,ask_px_e4,ask_qty\n"
#define PATH_BYTES (SCRATCH_PATH_MAX + 32)

typedef struct stream {
    const char *file;
    const char *key;
    const char *layout;
    const char *strategy;
} stream_t;

typedef struct run {
    const stream_t *stream; /* NULL: none */
    char scratch[SCRATCH_PATH_MAX];
    json_t *key;
    json_t *summary;
} run_t;

/* *state: the stream, or NULL; afterwards the run. */
static int setup(void **state)
{
    run_t *run = calloc(1, sizeof *run);
    assert_non_null(run);
    run->stream = *state;
    scratch_create_runtime(run->scratch);
    *state = run;
    return 0;
}

static int teardown(void **state)
{
    run_t *run = *state;
    json_decref(run->key);
    json_decref(run->summary);
    unsigned left = scratch_remove_runtime(run->scratch);
    free(run);
    if (left)
        print_error("left behind in the run directory: %u files\n", left);
    return left ? -1 : 0;
}

/* ---- JSON by dotted path; an absent number is a failure of the test */

static json_t *at(json_t *object, const char *path)
{
    char name[128];
    while (object && *path) {
        size_t bytes = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)bytes, path);
        object = json_object_get(object, name);
        path += bytes + (path[bytes] == '.');
    }
    return object;
}

static uint64_t count_at(json_t *object, const char *path)
{
    json_t *value = at(object, path);
    if (!json_is_integer(value)) {
        print_error("the summary has no number at %s\n", path);
        fail();
    }
    return (uint64_t)json_integer_value(value);
}

/* ---- running */

/* Run busctl; anything but success prints what it said. */
static char *busctl(const char *const *argv, size_t *out_bytes)
{
    program_t p = {.argv = argv};
    if (program_run(&p) != 0) {
        print_error("%s %s: exit code %d: %s\n", argv[0], argv[1], p.exit_code, p.err);
        fail();
    }
    char *out = p.out;
    if (out_bytes)
        *out_bytes = p.out_bytes;
    p.out = NULL;
    program_clear(&p);
    return out;
}

static json_t *summary_of(char *text)
{
    json_error_t err;
    json_t *summary = json_loads(text, 0, &err);
    if (!summary) {
        print_error("the summary is no JSON object: %s\n%s\n", err.text, text);
        fail();
    }
    free(text);
    return summary;
}

static json_t *start(const char *feed, const char *journal, const char *layout,
                     const char *strategy)
{
    char name[32];
    snprintf(name, sizeof name, "keys-%d", (int)getpid());
    const char *const argv[] = {TICKBUS_BUSCTL, "start",  "--feed",   feed,   "--pace", "max",
                                "--journal",    journal,  "--layout", layout, "--name", name,
                                "--strategy",   strategy, "--json",   NULL};
    return summary_of(busctl(argv, NULL));
}

static json_t *replay(const char *from, const char *journal, const char *layout,
                      const char *strategy)
{
    char name[32];
    snprintf(name, sizeof name, "keys-%d", (int)getpid());
    const char *const argv[] = {TICKBUS_BUSCTL, "replay",     from,       "--pace", "max",
                                "--journal",    journal,      "--layout", layout,   "--name",
                                name,           "--strategy", strategy,   "--json", NULL};
    return summary_of(busctl(argv, NULL));
}

/* `journal export` to a file: the path of it. */
static const char *export(const run_t *run, const char *journal, const char *topic,
                          const char *format, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/%s.%s", run->scratch, topic, format);
    remove(path);
    const char *const argv[] = {TICKBUS_BUSCTL, "journal", "export", journal, "--topic", topic,
                                "--format",     format,    "-o",     path,    NULL};
    free(busctl(argv, NULL));
    return path;
}

/* ---- checks */

static void check_counts(const run_t *run)
{
    json_t *key = run->key, *summary = run->summary;
    assert_int_equal(count_at(summary, "feed.messages"), count_at(key, "messages"));
    assert_int_equal(count_at(summary, "topics.md.published"), count_at(key, "messages"));
    if (!json_equal(at(summary, "feed.by_type"), at(key, "by_type"))) {
        char *got = json_dumps(at(summary, "feed.by_type"), JSON_SORT_KEYS);
        print_error("feed.by_type is %s\n", got);
        free(got);
        fail();
    }

    uint64_t unknown = 0;
    const char *type;
    json_t *count;
    json_object_foreach(at(key, "unknown_order_refs"), type, count) unknown +=
        (uint64_t)json_integer_value(count);
    assert_int_equal(count_at(summary, "books.unknown_order_refs"), unknown);
    assert_int_equal(count_at(summary, "books.executed_shares"), count_at(key, "executed_shares"));
    assert_int_equal(count_at(summary, "books.bbo_changes"), count_at(key, "bbo_changes"));
    assert_int_equal(count_at(summary, "books.live_orders"), count_at(key, "live_orders_end"));
    assert_int_equal(count_at(summary, "books.symbols"), count_at(key, "stock_directory"));
    assert_int_equal(count_at(summary, "topics.bbo.published"), count_at(key, "bbo_changes"));
    assert_int_equal(json_array_size(at(summary, "errors")), 0);
}

/* Every gating subscriber of every topic took every message. */
static void check_nothing_lost(json_t *summary)
{
    const char *topic;
    json_t *figures, *subscriber;
    size_t i, subscribers = 0;
    json_object_foreach(at(summary, "topics"), topic, figures)
    {
        json_array_foreach(at(figures, "subscribers"), i, subscriber)
        {
            if (count_at(subscriber, "lost") != 0) {
                print_error("%s: %s lost messages\n", topic,
                            json_string_value(at(subscriber, "name")));
                fail();
            }
            subscribers++;
        }
    }
    assert_true(subscribers >= 5); /* md alone has strategy, risk, executor and recorder */
}

/* Between RUN and the end no stage allocated anything (jemalloc's own count; a sanitizer's
 * allocator counts nothing). */
static void check_nothing_allocated(json_t *summary)
{
    json_t *stage;
    size_t i;
    json_array_foreach(at(summary, "stages"), i, stage)
        assert_int_equal(count_at(stage, "hot_allocations"), 0);
    assert_true(i >= 5);
}

static uint64_t fnv1a(uint64_t hash, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* The exported CSV, turned into the lines that the key hashes:
 * "message_index,locate,bid_px,bid_qty,ask_px,ask_qty". */
static void check_bbo_trace(const run_t *run, const char *journal)
{
    char path[PATH_BYTES];
    char *csv = file_read(export(run, journal, "bbo", "csv", path), NULL);
    assert_non_null(csv);
    assert_int_equal(strncmp(csv, BBO_HEADER, strlen(BBO_HEADER)), 0);

    uint64_t hash = UINT64_C(0xcbf29ce484222325), rows = 0;
    for (char *line = csv + strlen(BBO_HEADER), *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        assert_non_null(end);
        *end = 0;
        unsigned long long md_seq, bid_px, bid_qty, ask_px, ask_qty;
        unsigned locate;
        int fields = sscanf(line, "%llu,%u,%*[^,],%*u,%llu,%llu,%llu,%llu", &md_seq, &locate,
                            &bid_px, &bid_qty, &ask_px, &ask_qty);
        if (fields != 6) {
            print_error("no row of a bbo export: %s\n", line);
            fail();
        }
        char text[160];
        int bytes = snprintf(text, sizeof text, "%llu,%u,%llu,%llu,%llu,%llu\n", md_seq - 1, locate,
                             bid_px, bid_qty, ask_px, ask_qty);
        hash = fnv1a(hash, text, (size_t)bytes);
        rows++;
    }
    free(csv);
    char hex[17];
    snprintf(hex, sizeof hex, "%016llx", (unsigned long long)hash);
    assert_int_equal(rows, count_at(run->key, "bbo_changes"));
    assert_string_equal(hex, json_string_value(at(run->key, "bbo_trace_fnv1a64")));
}

static void check_md_export(const run_t *run, const char *journal)
{
    char path[PATH_BYTES], sha256[SHA256_TEXT];
    file_sha256(export(run, journal, "md", "itch", path), sha256);
    assert_string_equal(sha256, json_string_value(at(run->key, "uncompressed_sha256")));
}

/* ---- the streams */

static void stream_gives_its_key(void **state)
{
    run_t *run = *state;
    const stream_t *stream = run->stream;
    char path[MARKET_DATA_PATH_MAX], key_path[MARKET_DATA_PATH_MAX], feed[MARKET_DATA_PATH_MAX + 8];
    char journal[PATH_BYTES], again[PATH_BYTES];
    if (!market_data_path(stream->file, path) || !market_data_path(stream->key, key_path))
        skip();
    run->key = json_load_file(key_path, 0, NULL);
    assert_non_null(run->key);
    snprintf(feed, sizeof feed, "itch:%s", path);
    snprintf(journal, sizeof journal, "%s/journal", run->scratch);
    snprintf(again, sizeof again, "%s/again", run->scratch);

    run->summary = start(feed, journal, stream->layout, stream->strategy);
    assert_string_equal(json_string_value(at(run->summary, "layout")), stream->layout);
    check_counts(run);
    check_nothing_lost(run->summary);
    check_nothing_allocated(run->summary);
    check_bbo_trace(run, journal);
    check_md_export(run, journal);

    json_decref(run->summary);
    run->summary = replay(journal, again, stream->layout, stream->strategy);
    check_counts(run);
    check_nothing_lost(run->summary);
    check_bbo_trace(run, again);
    check_md_export(run, again);
}

/* ---- determinism */

static char *orders_of_a_seeded_run(const run_t *run, const char *directory, uint64_t *out_orders)
{
    char journal[PATH_BYTES], path[PATH_BYTES];
    snprintf(journal, sizeof journal, "%s/%s", run->scratch, directory);
    json_t *summary = start("synth:seed=7,symbols=5,messages=60000", journal, "fused", "quote");
    *out_orders = count_at(summary, "orders.sent");
    json_decref(summary);
    char *csv = file_read(export(run, journal, "orders", "csv", path), NULL);
    assert_non_null(csv);
    return csv;
}

static void same_seed_gives_the_same_orders_twice_when_fused(void **state)
{
    uint64_t first_count, second_count;
    char *first = orders_of_a_seeded_run(*state, "first", &first_count);
    char *second = orders_of_a_seeded_run(*state, "second", &second_count);
    assert_true(first_count > 100);
    assert_int_equal(first_count, second_count);
    assert_string_equal(first, second);
    free(first);
    free(second);
}

static stream_t streams[] = {
#define STREAM(folder, name, file, layout, strategy)                                               \
    {                                                                                              \
        folder "/" file, folder "/" name ".itch.key.json", layout, strategy                        \
    }
#define BOTH_LAYOUTS(folder, name, file)                                                           \
    STREAM(folder, name, file, "split", "null"), STREAM(folder, name, file, "fused", "quote")
    BOTH_LAYOUTS("itch_aapl_20200130_5k", "aapl_5k", "aapl_5k.itch"),
    BOTH_LAYOUTS("itch_day_start_1k", "day_start_1k", "day_start_1k.itch"),
    BOTH_LAYOUTS("itch_ritch_artificial_12k", "ritch_12k", "ritch_12k.itch"),
    BOTH_LAYOUTS("lobster_aapl_20120621_l1", "aapl_l1", "aapl_l1.itch.gz"),
    BOTH_LAYOUTS("lobster_amzn_20120621_l5", "amzn_l5", "amzn_l5.itch.gz"),
    BOTH_LAYOUTS("cme_es_mbo_20240508", "esm4", "esm4.itch.gz"),
    /* short: between processes on few CPUs a strategy waits for the venue at each turn */
    STREAM("cme_es_mbo_20240508", "esm4", "esm4.itch.gz", "split", "quote"),
};
#define STREAMS (sizeof streams / sizeof *streams)

int main(void)
{
    struct CMUnitTest tests[STREAMS + 1];
    char names[STREAMS][96];
    for (size_t i = 0; i < STREAMS; i++) {
        snprintf(names[i], sizeof names[i], "%.*s_gives_its_key_in_%s_layout_with_strategy_%s",
                 (int)strcspn(streams[i].file, "/"), streams[i].file, streams[i].layout,
                 streams[i].strategy);
        tests[i] =
            (struct CMUnitTest){names[i], stream_gives_its_key, setup, teardown, &streams[i]};
    }
    tests[STREAMS] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
        same_seed_gives_the_same_orders_twice_when_fused, setup, teardown);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
