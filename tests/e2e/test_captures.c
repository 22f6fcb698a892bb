/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded captures through busctl: what was framed in them comes out of the journal byte for byte,
 * and what is missing stands in the summary, range by range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <unistd.h>

#include "bus/wire/mold.h"
#include "tests/market_data.h"
#include "tests/support/capture_file.h"
#include "tests/support/program.h"

#define SPEC_MAX (MARKET_DATA_PATH_MAX + 64)
#define PATHS    (SCRATCH_PATH_MAX + 32)

typedef struct fixture {
    char scratch[SCRATCH_PATH_MAX];
    char journal[PATHS], itch[PATHS];
    program_t program;
    json_t *summary;
} fixture_t;

static int setup(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);
    assert_non_null(f);
    scratch_create_runtime(f->scratch);
    snprintf(f->journal, sizeof f->journal, "%s/journal", f->scratch);
    snprintf(f->itch, sizeof f->itch, "%s/out.itch", f->scratch);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *f = *state;
    program_clear(&f->program);
    json_decref(f->summary);
    unsigned left = scratch_remove_runtime(f->scratch);
    free(f);
    return left ? -1 : 0;
}

static void run(fixture_t *f, const char *const *argv)
{
    program_clear(&f->program);
    f->program = (program_t){.argv = argv};
    if (program_run(&f->program) != 0)
        fail_msg("%s %s: %s", argv[0], argv[1], f->program.err);
}

/* `setting`: one more key. */
static void feed_file(fixture_t *f, const char *path, const char *clock, const char *setting)
{
    char spec[SPEC_MAX], name[32];
    snprintf(spec, sizeof spec, "pcap:%s", path);
    snprintf(name, sizeof name, "captures-%d", (int)getpid());
    run(f, (const char *const[]){TICKBUS_BUSCTL,
                                 "start",
                                 "--json",
                                 "--name",
                                 name,
                                 "--feed",
                                 spec,
                                 "--clock",
                                 clock,
                                 "--pace",
                                 "max",
                                 "--journal",
                                 f->journal,
                                 "--strategy",
                                 "null",
                                 "--wait",
                                 "park",
                                 "--set",
                                 "books.orders_max=16384",
                                 "--set",
                                 setting,
                                 NULL});
    f->summary = json_loads(f->program.out, 0, NULL);
    assert_non_null(f->summary);
}

static void feed(fixture_t *f, const char *file, const char *clock)
{
    char path[MARKET_DATA_PATH_MAX];
    if (!market_data_path(file, path))
        skip();
    feed_file(f, path, clock, "feed.gap_policy=block");
}

/* An S, and so many messages, of a session. */
static void add_packet(capture_file_t *file, uint64_t sequence, uint16_t count)
{
    static const capture_frame_t is = {.group = 111, .port = 26477};
    static const uint8_t message[12] = "S\0\0\0\0\0\0\0\0\0\1Q";
    uint8_t packet[MOLD_DATAGRAM_USUAL], session[MOLD_SESSION_BYTES], frame[CAPTURE_FRAME_MAX];
    mold_writer_t w;
    mold_session_put(session, "HIGH");
    mold_begin(&w, packet, sizeof packet, session, sequence);
    while (w.count < count)
        assert_true(mold_add(&w, message, sizeof message));
    size_t bytes = capture_make_frame(frame, &is, packet, w.bytes);
    capture_add_frame(file, UINT64_C(1692711000000000000), frame, bytes, bytes);
}

/* 2^63 + 1, 2 and 5 of a session. */
static void make_high(fixture_t *f, char path[PATHS])
{
    static capture_file_t file;
    capture_begin(&file, CAPTURE_PCAP_NS, false);
    add_packet(&file, (UINT64_C(1) << 63) + 1, 2);
    add_packet(&file, (UINT64_C(1) << 63) + 5, 1);
    snprintf(path, PATHS, "%s/high.pcap", f->scratch);
    assert_true(file_write(path, file.bytes, file.count));
}

static void sequences_of_64_bits_are_no_negative_numbers(void **state)
{
    fixture_t *f = *state;
    char path[PATHS];
    make_high(f, path);
    feed_file(f, path, "market", "feed.gap_policy=warn");
    const json_t *told = json_object_get(f->summary, "feed");
    const json_t *gap = json_array_get(json_object_get(told, "gaps"), 0);
    assert_string_equal(json_string_value(json_object_get(gap, "from")), "9223372036854775811");
    assert_string_equal(json_string_value(json_object_get(gap, "to")), "9223372036854775812");
    assert_int_equal(json_integer_value(json_object_get(told, "lost")), 2);
    const json_t *line = json_array_get(json_object_get(told, "lines"), 0);
    assert_int_equal(json_integer_value(json_object_get(line, "packets")), 2);
    assert_int_equal(json_integer_value(json_object_get(line, "lost")), 2);
    run(f, (const char *const[]){TICKBUS_BUSCTL, "journal", "export", f->journal, "--topic", "md",
                                 "--format", "jsonl", NULL});
    assert_non_null(strstr(f->program.out, "\"from\":9223372036854775811"));
}

/* The policy of the mark that a replay has put on md. */
static void replay_has(fixture_t *f, const char *setting, const char *policy)
{
    char replayed[PATHS], name[32], wanted[32];
    snprintf(replayed, sizeof replayed, "%s/replayed", f->scratch);
    snprintf(name, sizeof name, "captures-%d", (int)getpid());
    run(f, (const char *const[]){TICKBUS_BUSCTL, "replay", f->journal, "--name", name, "--journal",
                                 replayed, "--strategy", "null", "--wait", "park",
                                 setting ? "--set" : NULL, setting, NULL});
    run(f, (const char *const[]){TICKBUS_BUSCTL, "journal", "export", replayed, "--topic", "md",
                                 "--format", "jsonl", NULL});
    snprintf(wanted, sizeof wanted, "\"policy\":\"%s\"", policy);
    assert_non_null(strstr(f->program.out, wanted));
    scratch_remove(replayed);
}

static void a_replay_has_the_recorded_gap_policy_unless_it_is_told_another(void **state)
{
    fixture_t *f = *state;
    char path[PATHS];
    make_high(f, path);
    feed_file(f, path, "market", "feed.gap_policy=warn");
    replay_has(f, NULL, "warn");
    replay_has(f, "feed.gap_policy=block", "block");
}

static void what_was_framed_comes_out_byte_for_byte(void **state)
{
    fixture_t *f = *state;
    char source[MARKET_DATA_PATH_MAX], expected[SHA256_TEXT], got[SHA256_TEXT];
    feed(f, "mold_aapl_5k/clean.pcapng.pcapng", "capture");
    assert_true(market_data_path("itch_aapl_20200130_5k/aapl_5k.itch", source));
    run(f, (const char *const[]){TICKBUS_BUSCTL, "journal", "export", f->journal, "--topic", "md",
                                 "--format", "itch", "-o", f->itch, NULL});
    file_sha256(source, expected);
    file_sha256(f->itch, got);
    assert_string_equal(got, expected);
    assert_int_equal(json_array_size(json_object_get(json_object_get(f->summary, "feed"), "gaps")),
                     0);
}

static void every_gap_stands_in_the_summary(void **state)
{
    fixture_t *f = *state;
    char path[MARKET_DATA_PATH_MAX];
    feed(f, "mold_esm4_14k/faulty.pcap", "market");
    assert_true(market_data_path("mold_esm4_14k/key.json", path));
    json_t *key = json_load_file(path, 0, NULL), *range;
    json_t *faulty = json_object_get(json_object_get(key, "files"), "faulty.pcap");
    json_t *missing = json_object_get(faulty, "missing");
    json_t *told = json_object_get(f->summary, "feed"), *gaps = json_object_get(told, "gaps");
    size_t i;
    assert_true(json_array_size(missing) > 100);
    assert_int_equal(json_array_size(gaps), json_array_size(missing));
    assert_int_equal(json_integer_value(json_object_get(told, "gaps_count")),
                     json_array_size(missing));
    assert_int_equal(json_integer_value(json_object_get(told, "lost")),
                     json_integer_value(json_object_get(faulty, "messages_missing")));
    assert_int_equal(json_integer_value(json_object_get(told, "messages")),
                     json_integer_value(json_object_get(faulty, "messages_received")));
    json_array_foreach(missing, i, range)
    {
        json_int_t from = json_integer_value(json_array_get(range, 0));
        json_int_t to = from + json_integer_value(json_array_get(range, 1)) - 1;
        json_t *gap = json_array_get(gaps, i);
        assert_int_equal(json_integer_value(json_object_get(gap, "from")), from);
        assert_int_equal(json_integer_value(json_object_get(gap, "to")), to);
    }
    json_decref(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_framed_comes_out_byte_for_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(every_gap_stands_in_the_summary, setup, teardown),
        cmocka_unit_test_setup_teardown(sequences_of_64_bits_are_no_negative_numbers, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_replay_has_the_recorded_gap_policy_unless_it_is_told_another, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
