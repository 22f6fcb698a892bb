/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <zlib.h>

#include <tickbus/journal.h>

#include "feedsim/itch/binaryfile_writer.h"
#include "feedsim/itch/itch.h"
#include "feedsim/synth/random.h"
#include "feedsim/source/source.h"
#include "feedsim/timeline.h"
#include "tests/market_data.h"

static tick_t *buffer; /* TICK_LEN_MAX bytes */

static int make_buffer(void **state)
{
    (void)state;
    buffer = aligned_alloc(8, TICK_LEN_MAX);
    return buffer == NULL;
}

static int free_buffer(void **state)
{
    (void)state;
    free(buffer);
    return 0;
}

/* What the source opened last has handed out, messages alone. */
static struct {
    uint64_t bytes;
    uint64_t by_type[256];
} handed_out;

static int next_tick(feed_source_t *source, tick_t *into, size_t *out_bytes)
{
    int rc = feed_source_next(source, into, out_bytes);
    if (rc == FEED_SOURCE_TICK && source->tick_message_bytes != 0) {
        handed_out.bytes += source->tick_message_bytes;
        handed_out.by_type[source->tick_type]++;
    }
    return rc;
}

static enum feed_clock by_clock; /* of open_source */

static feed_source_t *open_source(const char *format, ...) __attribute__((format(printf, 1, 2)));

static feed_source_t *open_source(const char *format, ...)
{
    char spec[MARKET_DATA_PATH_MAX + 16];
    va_list args;
    va_start(args, format);
    vsnprintf(spec, sizeof(spec), format, args);
    va_end(args);
    memset(&handed_out, 0, sizeof(handed_out));
    feed_source_t *source;
    tbus_error_t err = {0};
    if (feed_source_open(spec, by_clock, &source, &err) != 0)
        fail_msg("%s", err.text);
    return source;
}

static uint64_t integer(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

/* Read the stream through the codec and back; compare with the key. */
static void assert_stream_is_as_its_key_says(const char *stream, const char *key_name)
{
    char path[MARKET_DATA_PATH_MAX], key_path[MARKET_DATA_PATH_MAX];
    if (!market_data_path(stream, path) || !market_data_path(key_name, key_path))
        skip();
    json_t *key = json_load_file(key_path, 0, NULL);
    assert_non_null(key);
    feed_source_t *source = open_source("itch:%s", path);
    uint8_t message[64];
    uint64_t hash = UINT64_C(0xcbf29ce484222325), backwards = 0, latest = 0;
    size_t bytes, message_bytes;
    int rc;
    while ((rc = next_tick(source, buffer, &bytes)) == FEED_SOURCE_TICK) {
        assert_int_equal(itch_encode(buffer, bytes, message, &message_bytes), 0);
        for (size_t i = 0; i < message_bytes; i++)
            hash = (hash ^ message[i]) * UINT64_C(0x100000001b3);
        assert_int_equal(source->time_ns, tick_event_ns(buffer));
        if (source->messages == 1)
            assert_int_equal(source->time_ns, integer(key, "first_timestamp_ns"));
        backwards += source->time_ns < latest;
        latest = source->time_ns;
    }
    assert_int_equal(rc, FEED_SOURCE_END);
    assert_int_equal(source->messages, integer(key, "messages"));
    assert_int_equal(handed_out.bytes,
                     integer(key, "uncompressed_bytes") - 2 * integer(key, "messages"));
    assert_int_equal(latest, integer(key, "last_timestamp_ns"));
    assert_int_equal(backwards, integer(key, "timestamps_backwards"));
    for (unsigned type = 0; type < 256; type++) {
        char label[ITCH_LABEL_BYTES];
        itch_type_label((uint8_t)type, label);
        assert_int_equal(handed_out.by_type[type], integer(json_object_get(key, "by_type"), label));
    }
    char hex[17];
    snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)hash);
    assert_string_equal(hex, json_string_value(json_object_get(key, "stream_fnv1a64")));
    feed_source_close(source);
    json_decref(key);
}

#define STREAM(folder, file)                                                                       \
    assert_stream_is_as_its_key_says(folder "/" file ".itch", folder "/" file ".itch.key.json")
#define STREAM_GZ(folder, file)                                                                    \
    assert_stream_is_as_its_key_says(folder "/" file ".itch.gz", folder "/" file ".itch.key.json")

static void every_recorded_stream_has_the_messages_that_its_key_counts(void **state)
{
    (void)state;
    STREAM("itch_aapl_20200130_5k", "aapl_5k");
    STREAM("itch_day_start_1k", "day_start_1k");
    STREAM("itch_ritch_artificial_12k", "ritch_12k");
    STREAM_GZ("lobster_aapl_20120621_l1", "aapl_l1");
    STREAM_GZ("lobster_amzn_20120621_l5", "amzn_l5");
    STREAM_GZ("cme_es_mbo_20240508", "esm4");
}

static void assert_refused(const char *spec, int code, const char *words)
{
    feed_source_t *source = NULL;
    tbus_error_t err = {0};
    assert_int_equal(feed_source_open(spec, FEED_CLOCK_MARKET, &source, &err), code);
    assert_int_equal(err.code, code);
    assert_null(source);
    if (strstr(err.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void specs_that_name_nothing_are_refused_with_what_to_write(void **state)
{
    (void)state;
    assert_refused("", -TBUS_ECONFIG, "itch:FILE");
    assert_refused("file.itch", -TBUS_ECONFIG, "itch:FILE");
    assert_refused("cap:x", -TBUS_ECONFIG, "\"cap:x\"");
    assert_refused("itch", -TBUS_ECONFIG, "names no file");
    assert_refused("itch:", -TBUS_ECONFIG, "names no file");
    assert_refused("itchy:x", -TBUS_ECONFIG, "no known kind");
    assert_refused("journal:", -TBUS_ECONFIG, "names no directory");
    assert_refused("itch:/tmp/test_source.none", -ENOENT, "/tmp/test_source.none");
    assert_refused("itch:/tmp", -EISDIR, "directory");
    assert_refused("journal:/tmp/test_source.none", -ENOENT, "/tmp/test_source.none");
    assert_refused("synth:colour=7", -TBUS_ECONFIG, "unknown key \"colour\"");
    assert_refused("synth:seed", -TBUS_ECONFIG, "needs a whole number");
    assert_refused("synth:seed=", -TBUS_ECONFIG, "needs a whole number");
    assert_refused("synth:seed=x", -TBUS_ECONFIG, "needs a whole number");
    assert_refused("synth:seed=1.5", -TBUS_ECONFIG, "needs a whole number");
    assert_refused("synth:seed=1,", -TBUS_ECONFIG, "end with a comma");
    assert_refused("synth:seed=1,,symbols=2", -TBUS_ECONFIG, "unknown key \"\"");
    assert_refused("synth:flow=wild", -TBUS_ECONFIG, "unknown flow \"wild\"");
    assert_refused("synth:days=0", -TBUS_ECONFIG, "out of range");
    assert_refused("synth:speed=0", -TBUS_ECONFIG, "out of range");
    assert_refused("synth:speed=10000001", -TBUS_ECONFIG, "out of range");
    assert_refused("synth:days=1001", -TBUS_ECONFIG, "out of range");
    assert_refused("synth:days=2,flow=plain", -TBUS_ECONFIG, "out of range");
    assert_refused("synth:symbols=0", -TBUS_ECONFIG, "out of range");
    assert_refused("synth:symbols=8589934593", -TBUS_ECONFIG, "out of range");
    assert_refused("synth:messages=10", -TBUS_ECONFIG, "too few");
}

static void a_feed_of_test_issues_alone_is_known_as_one(void **state)
{
    (void)state;
    assert_true(feed_source_tests_alone("synth:seed=2,flow=plain"));
    assert_false(feed_source_tests_alone("synth:seed=2"));
    assert_false(feed_source_tests_alone("synth"));
    assert_false(feed_source_tests_alone("itch:flow=plain"));
}

static void a_synthetic_source_takes_its_options_and_counts(void **state)
{
    (void)state;
    feed_source_t *source = open_source("synth:seed=3,symbols=2,messages=20k");
    size_t bytes;
    uint64_t messages = 0, message_bytes = 0;
    while (next_tick(source, buffer, &bytes) == FEED_SOURCE_TICK) {
        assert_int_equal(bytes, sizeof(tick_t));
        assert_int_equal(source->time_ns, tick_event_ns(buffer));
        message_bytes += itch_tick_message_bytes(buffer, bytes);
        messages++;
    }
    assert_int_equal(messages, 20000);
    assert_int_equal(source->messages, 20000);
    assert_int_equal(handed_out.bytes, message_bytes);
    assert_int_equal(handed_out.by_type['R'], 2);
    feed_source_close(source);
    source = open_source("synth");
    assert_int_equal(next_tick(source, buffer, &bytes), FEED_SOURCE_TICK);
    assert_int_equal(buffer->type, 'S');
    feed_source_close(source);
}

/* A file made of messages given as type and length. */
typedef struct made {
    char directory[64];
    char path[96];
} made_t;

static made_t make_file(const char *types, const size_t *bytes, size_t count)
{
    made_t made = {.directory = "/tmp/test_source.XXXXXX"};
    assert_non_null(mkdtemp(made.directory));
    snprintf(made.path, sizeof(made.path), "%s/input", made.directory);
    binaryfile_writer_t *w;
    tbus_error_t err;
    assert_int_equal(binaryfile_writer_open(made.path, &w, &err), 0);
    uint8_t *message = malloc(ITCH_MESSAGE_MAX);
    for (size_t i = 0; i < count; i++) {
        memset(message, (int)(i + 1), ITCH_MESSAGE_MAX);
        message[0] = (uint8_t)types[i];
        assert_int_equal(binaryfile_writer_append(w, message, bytes[i], &err), 0);
    }
    free(message);
    assert_int_equal(binaryfile_writer_close(w, &err), 0);
    return made;
}

static void remove_file(const made_t *made)
{
    unlink(made->path);
    rmdir(made->directory);
}

static void a_known_type_of_wrong_length_ends_the_source_after_what_came_before(void **state)
{
    (void)state;
    static const size_t bytes[] = {12, 36, 19, 35, 36};
    made_t made = make_file("SADAA", bytes, 5);
    feed_source_t *source = open_source("itch:%s", made.path);
    size_t got;
    for (int i = 0; i < 3; i++)
        assert_int_equal(next_tick(source, buffer, &got), FEED_SOURCE_TICK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(next_tick(source, buffer, &got), -TBUS_EFORMAT);
        assert_int_equal(source->error.code, -TBUS_EFORMAT);
        assert_non_null(
            strstr(source->error.text,
                   "message 3 at byte 73 is 35 bytes long but type A (Add Order) has 36"));
    }
    assert_int_equal(source->messages, 3);
    feed_source_close(source);
    remove_file(&made);
}

static void unknown_types_are_carried_and_counted_by_their_letter(void **state)
{
    (void)state;
    static const size_t bytes[] = {12, 5, 36, 65535, 19, 12, 0};
    made_t made = make_file("SzA\xffr\x02q", bytes, 7);
    feed_source_t *source = NULL;
    tbus_error_t err;
    /* Two of six known is less than half: not taken for ITCH. */
    char spec[128];
    snprintf(spec, sizeof(spec), "itch:%s", made.path);
    assert_int_equal(feed_source_open(spec, FEED_CLOCK_MARKET, &source, &err), -TBUS_EFORMAT);
    remove_file(&made);
    static const size_t enough[] = {12, 5, 36, 65535, 19, 12, 36, 36, 0};
    made = make_file("SzA\xff"
                     "D\x02"
                     "AAq",
                     enough, 9);
    source = open_source("itch:%s", made.path);
    size_t got, expected[] = {56, 17 + 5, 56, 17 + 65535 - 11, 56, 17 + 12, 56, 56};
    for (int i = 0; i < 8; i++) {
        assert_int_equal(next_tick(source, buffer, &got), FEED_SOURCE_TICK);
        assert_int_equal(got, expected[i]);
        if (buffer->type == TICK_RUNT)
            assert_true(source->time_ns == FEED_TIME_NONE);
    }
    uint64_t last_ns = tick_event_ns(buffer);
    assert_int_equal(next_tick(source, buffer, &got), FEED_SOURCE_TICK);
    assert_int_equal(buffer->type, TICK_END_MARK);
    assert_int_equal(got, TICK_BODY_OFFSET);
    assert_int_equal(tick_event_ns(buffer), last_ns);
    assert_true(source->time_ns == FEED_TIME_NONE);
    assert_int_equal(next_tick(source, buffer, &got), FEED_SOURCE_END);
    assert_int_equal(next_tick(source, buffer, &got), FEED_SOURCE_END);
    assert_int_equal(source->messages, 8);
    assert_int_equal(handed_out.by_type['z'], 1);
    assert_int_equal(handed_out.by_type[0xff], 1);
    assert_int_equal(handed_out.by_type[0x02], 1);
    assert_int_equal(handed_out.by_type['A'], 3);
    assert_int_equal(handed_out.by_type[TICK_END_MARK], 0);
    feed_source_close(source);
    remove_file(&made);
}

/* A small synthetic session as a file's bytes. */
static size_t frame_session(uint8_t *into)
{
    feed_source_t *source = open_source("synth:symbols=2,messages=400");
    size_t at = 0, bytes, message_bytes;
    while (next_tick(source, buffer, &bytes) == FEED_SOURCE_TICK) {
        assert_int_equal(itch_encode(buffer, bytes, into + at + 2, &message_bytes), 0);
        into[at] = 0;
        into[at + 1] = (uint8_t)message_bytes;
        at += 2 + message_bytes;
    }
    feed_source_close(source);
    return at;
}

static void save(const char *path, const uint8_t *bytes, size_t count, bool packed)
{
    gzFile file = gzopen(path, packed ? "wb1" : "wbT");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)count), count);
    assert_int_equal(gzclose(file), Z_OK);
}

static size_t load(const char *path, uint8_t *bytes, size_t room)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t count = fread(bytes, 1, room, file);
    fclose(file);
    return count;
}

/* Read to the end, whatever that is: 0 in order, 1 with an error, which names the file. */
static int read_damaged(const char *spec)
{
    feed_source_t *source = NULL;
    tbus_error_t err = {0};
    uint8_t message[ITCH_MESSAGE_MAX];
    size_t bytes, message_bytes;
    int rc = feed_source_open(spec, FEED_CLOCK_MARKET, &source, &err);
    while (rc >= 0 && (rc = next_tick(source, buffer, &bytes)) == FEED_SOURCE_TICK)
        assert_int_equal(itch_encode(buffer, bytes, message, &message_bytes), 0);
    if (rc < 0 && source != NULL)
        err = source->error;
    feed_source_close(source);
    if (rc == FEED_SOURCE_END)
        return 0;
    assert_true(rc == -TBUS_EFORMAT || rc == -TBUS_ETRUNCATED);
    assert_int_equal(err.code, rc);
    assert_non_null(strstr(err.text, strchr(spec, ':') + 1));
    return 1;
}

static void files_damaged_at_random_end_in_order_or_with_an_error(void **state)
{
    (void)state;
    enum { ROUNDS = 400, ROOM = 1 << 16 };
    made_t made = make_file("S", (const size_t[]){12}, 1);
    uint8_t *session = malloc(ROOM), *good = malloc(ROOM), *bad = malloc(ROOM);
    size_t session_bytes = frame_session(session);
    char spec[128];
    snprintf(spec, sizeof(spec), "itch:%s", made.path);
    random_state_t dice;
    random_seed(&dice, 2026);
    unsigned outcomes[2] = {0, 0};
    for (unsigned packed = 0; packed < 2; packed++) {
        save(made.path, session, session_bytes, packed);
        size_t count = load(made.path, good, ROOM);
        for (unsigned round = 0; round < ROUNDS; round++) {
            memcpy(bad, good, count);
            size_t cut = random_chance(&dice, 1, 4) ? random_below(&dice, (uint32_t)count) : count;
            for (uint32_t hits = random_below(&dice, 4); hits > 0; hits--)
                bad[random_below(&dice, (uint32_t)count)] = (uint8_t)random_next(&dice);
            save(made.path, bad, cut, false);
            outcomes[read_damaged(spec)]++;
        }
    }
    assert_true(outcomes[0] > ROUNDS / 10 && outcomes[1] > ROUNDS / 10);
    free(session);
    free(good);
    free(bad);
    remove_file(&made);
}

#define STARTED_NS UINT64_C(40000000000000) /* of the recording, since midnight */

/* Record ticks of a synthetic session, an unknown message and an end mark among records of another
 * topic. */
static void record(const char *directory, tick_t *ticks, size_t *sizes, size_t count)
{
    tbus_journal_spec_t spec = {.directory = directory,
                                .bus_name = "test",
                                .started_realtime_ns = 5 * FEED_DAY_NS + STARTED_NS,
                                .topics_count = 2};
    strcpy(spec.topics[0].name, "bbo");
    strcpy(spec.topics[0].type, "bbo");
    strcpy(spec.topics[1].name, "md");
    strcpy(spec.topics[1].type, "tick");
    spec.topics[0].first_seq = spec.topics[1].first_seq = 1;
    tbus_journal_writer_t *w;
    tbus_error_t err = {0};
    if (tbus_journal_writer_open(&spec, &w, &err) != 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < count; i++) {
        ticks[i].intended |= 12345 + i; /* as a run would have stamped it */
        assert_int_equal(tbus_journal_writer_append(w, 1, i + 1, 1000 * i, &ticks[i], sizes[i]), 0);
        assert_int_equal(
            tbus_journal_writer_append(w, 0, i + 1, 1000 * i + 1, "something else", 14), 0);
    }
    assert_int_equal(tbus_journal_writer_close(w, &err), 0);
}

static void remove_session(const char *directory)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", directory);
    assert_int_equal(system(command), 0);
}

static void a_journal_gives_back_the_ticks_of_md_without_their_old_schedule(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    tick_t *ticks = calloc(COUNT, sizeof(tick_t));
    size_t *sizes = calloc(COUNT, sizeof(size_t));
    feed_source_t *source = open_source("synth:symbols=2,messages=%d", COUNT);
    for (size_t i = 0; i < COUNT - 2; i++)
        assert_int_equal(next_tick(source, &ticks[i], &sizes[i]), FEED_SOURCE_TICK);
    feed_source_close(source);
    assert_int_equal(
        itch_decode((const uint8_t *)"zabcdefghijklmn", 15, &ticks[COUNT - 2], &sizes[COUNT - 2]),
        0);
    itch_end_mark(77, &ticks[COUNT - 1], &sizes[COUNT - 1]);
    char directory[] = "/tmp/test_source.XXXXXX";
    assert_non_null(mkdtemp(directory));
    record(directory, ticks, sizes, COUNT);
    source = open_source("journal:%s", directory);
    size_t bytes;
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(next_tick(source, buffer, &bytes), FEED_SOURCE_TICK);
        assert_int_equal(bytes, sizes[i]);
        assert_int_equal(tick_intended_ns(buffer), 0);
        assert_int_equal(source->time_ns,
                         i < COUNT - 1 ? tick_event_ns(&ticks[i]) : FEED_TIME_NONE);
        ticks[i].intended = tick_pack(0, tick_locate(&ticks[i]));
        assert_memory_equal(buffer, &ticks[i], bytes);
    }
    assert_int_equal(next_tick(source, buffer, &bytes), FEED_SOURCE_END);
    assert_int_equal(source->messages, COUNT - 1);
    assert_int_equal(handed_out.by_type['z'], 1);
    assert_true(source->daily);
    feed_source_close(source);
    by_clock = FEED_CLOCK_RECORDED;
    source = open_source("journal:%s", directory);
    by_clock = FEED_CLOCK_MARKET;
    uint64_t done, total, done_before = 0;
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(next_tick(source, buffer, &bytes), FEED_SOURCE_TICK);
        assert_int_equal(source->time_ns, STARTED_NS + 1000 * i);
        feed_source_progress(source, &done, &total);
        assert_true(done > done_before && done <= total);
        done_before = done;
    }
    assert_true(done > total / 100 * 99);
    assert_false(source->daily);
    feed_source_close(source);
    remove_session(directory);
    free(ticks);
    free(sizes);
}

/* An empty journal of two topics, opened as a source. */
static int open_empty(const tbus_journal_topic_t *second, tbus_error_t *err)
{
    char directory[] = "/tmp/test_source.XXXXXX";
    assert_non_null(mkdtemp(directory));
    tbus_journal_spec_t spec = {.directory = directory,
                                .topics_count = 2,
                                .topics = {{"md", "order", 1, 1, TBUS_MPMC, 0}, *second}};
    tbus_journal_writer_t *w;
    char text[64];
    feed_source_t *source = NULL;
    assert_int_equal(tbus_journal_writer_open(&spec, &w, err), 0);
    assert_int_equal(tbus_journal_writer_close(w, err), 0);
    snprintf(text, sizeof text, "journal:%s", directory);
    int code = feed_source_open(text, FEED_CLOCK_MARKET, &source, err);
    feed_source_close(source);
    remove_session(directory);
    return code;
}

static void a_journal_is_replayed_from_the_topic_of_ticks_whatever_its_name(void **state)
{
    (void)state;
    static const tbus_journal_topic_t ticks = {"prices",     "tick",         1,
                                               TICK_VERSION, TBUS_BROADCAST, 0};
    static const tbus_journal_topic_t later = {"prices", "tick", 1, TICK_VERSION + 1, 0, 0};
    static const tbus_journal_topic_t orders = {"orders", "order", 1, 1, TBUS_MPMC, 0};
    tbus_error_t err;
    assert_int_equal(open_empty(&ticks, &err), 0);
    assert_int_equal(open_empty(&orders, &err), -TBUS_ENOTFOUND);
    assert_non_null(strstr(err.text, "no topic of ticks"));
    assert_int_equal(open_empty(&later, &err), -TBUS_EABI);
    assert_non_null(strstr(err.text, "'prices'"));
    assert_non_null(strstr(err.text, "version 2"));
}

static void a_record_that_is_no_tick_is_refused_with_its_place(void **state)
{
    (void)state;
    tick_t ticks[2] = {{.type = 'A'}, {.type = 'A'}};
    size_t sizes[2] = {sizeof(tick_t), 20};
    char directory[] = "/tmp/test_source.XXXXXX";
    assert_non_null(mkdtemp(directory));
    record(directory, ticks, sizes, 2);
    feed_source_t *source = open_source("journal:%s", directory);
    size_t bytes;
    assert_int_equal(next_tick(source, buffer, &bytes), FEED_SOURCE_TICK);
    assert_int_equal(next_tick(source, buffer, &bytes), -TBUS_ECORRUPT);
    assert_int_equal(next_tick(source, buffer, &bytes), -TBUS_ECORRUPT);
    assert_non_null(strstr(source->error.text, "md 2"));
    feed_source_close(source);
    remove_session(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recorded_stream_has_the_messages_that_its_key_counts),
        cmocka_unit_test(specs_that_name_nothing_are_refused_with_what_to_write),
        cmocka_unit_test(a_feed_of_test_issues_alone_is_known_as_one),
        cmocka_unit_test(a_synthetic_source_takes_its_options_and_counts),
        cmocka_unit_test(a_known_type_of_wrong_length_ends_the_source_after_what_came_before),
        cmocka_unit_test(unknown_types_are_carried_and_counted_by_their_letter),
        cmocka_unit_test(files_damaged_at_random_end_in_order_or_with_an_error),
        cmocka_unit_test(a_journal_gives_back_the_ticks_of_md_without_their_old_schedule),
        cmocka_unit_test(a_journal_is_replayed_from_the_topic_of_ticks_whatever_its_name),
        cmocka_unit_test(a_record_that_is_no_tick_is_refused_with_its_place),
    };
    return cmocka_run_group_tests_name("source", tests, make_buffer, free_buffer);
}
