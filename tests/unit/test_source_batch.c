/* SPDX-License-Identifier: Apache-2.0 */
/* Ticks that a source hands out several at a time are those that it hands out one by one, and what
 * it says of the last one is the same; so are its end and its errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "feedsim/itch/binaryfile_writer.h"
#include "feedsim/itch/itch.h"
#include "feedsim/source/source.h"
#include "feedsim/synth/random.h"
#include "tests/market_data.h"

#define BATCH 16u

/* The same source twice. */
typedef struct pair {
    feed_source_t *single;
    feed_source_t *batched;
    tick_t *tick;  /* TICK_LEN_MAX bytes */
    tick_t *other; /* the same */
    random_state_t dice;
    uint64_t in_batches;
    uint64_t alone;
} pair_t;

static int open_pair(void **state)
{
    pair_t *p = calloc(1, sizeof *p);
    *state = p;
    p->tick = aligned_alloc(8, TICK_LEN_MAX);
    p->other = aligned_alloc(8, TICK_LEN_MAX);
    random_seed(&p->dice, 2026);
    return p->tick == NULL || p->other == NULL;
}

static int close_pair(void **state)
{
    pair_t *p = *state;
    free(p->tick);
    free(p->other);
    free(p);
    return 0;
}

/* What is told of the tick handed out last. */
static void assert_told_alike(const pair_t *p)
{
    assert_int_equal(p->batched->time_ns, p->single->time_ns);
    assert_int_equal(p->batched->tick_message_bytes, p->single->tick_message_bytes);
    assert_int_equal(p->batched->tick_type, p->single->tick_type);
    assert_int_equal(p->batched->warm_up, p->single->warm_up);
    assert_int_equal(p->batched->messages, p->single->messages);
    assert_int_equal(p->batched->seq, p->single->seq);
}

static void compare_batch(pair_t *p, const tick_t *ticks, uint32_t count, uint64_t message_bytes)
{
    uint64_t expected_bytes = 0;
    size_t bytes;
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(feed_source_next(p->single, p->tick, &bytes), FEED_SOURCE_TICK);
        assert_int_equal(bytes, sizeof(tick_t));
        assert_memory_equal(&ticks[i], p->tick, sizeof(tick_t));
        assert_true(itch_length(ticks[i].type) != 0);
        expected_bytes += p->single->tick_message_bytes;
    }
    assert_int_equal(message_bytes, expected_bytes);
    p->in_batches += count;
}

/* One tick by `next` of both. Returns what they say. */
static int compare_one(pair_t *p)
{
    size_t bytes = 0, other_bytes = 0;
    int rc = feed_source_next(p->single, p->tick, &bytes);
    assert_int_equal(feed_source_next(p->batched, p->other, &other_bytes), rc);
    if (rc != FEED_SOURCE_TICK)
        return rc;
    assert_int_equal(other_bytes, bytes);
    assert_memory_equal(p->other, p->tick, bytes);
    p->alone++;
    return rc;
}

/* To the end, whatever that is, which is returned; a source that cannot be opened has none. */
static int compare(pair_t *p, const char *spec)
{
    tick_t ticks[BATCH + 1];
    uint64_t message_bytes, total, other_total, done, other_done;
    tbus_error_t err;
    int rc = feed_source_open(spec, FEED_CLOCK_MARKET, &p->single, &err);
    if (rc < 0)
        return rc;
    assert_int_equal(feed_source_open(spec, FEED_CLOCK_MARKET, &p->batched, &err), 0);
    p->in_batches = p->alone = 0;
    do {
        uint32_t want = 1 + random_below(&p->dice, BATCH);
        memset(&ticks[want], 0xa5, sizeof ticks[want]);
        uint32_t count = random_chance(&p->dice, 1, 8)
                             ? 0
                             : feed_source_next_batch(p->batched, ticks, want, &message_bytes);
        assert_in_range(count, 0, want);
        for (size_t i = 0; i < sizeof ticks[want]; i++)
            assert_int_equal(((const uint8_t *)&ticks[want])[i], 0xa5); /* not a byte behind */
        rc = FEED_SOURCE_TICK;
        if (count != 0)
            compare_batch(p, ticks, count, message_bytes);
        else
            rc = compare_one(p);
        assert_told_alike(p);
        feed_source_progress(p->single, &done, &total);
        feed_source_progress(p->batched, &other_done, &other_total);
        assert_true(other_done == done && other_total == total);
    } while (rc == FEED_SOURCE_TICK);
    assert_string_equal(p->batched->error.text, p->single->error.text);
    assert_int_equal(feed_source_next_batch(p->batched, ticks, BATCH, &message_bytes), 0);
    assert_int_equal(compare_one(p), rc); /* final */
    feed_source_close(p->single);
    feed_source_close(p->batched);
    return rc;
}

static void synthetic_flows_come_in_batches_as_they_come_one_by_one(void **state)
{
    pair_t *p = *state;
    assert_int_equal(compare(p, "synth:seed=5,messages=20000"), FEED_SOURCE_END);
    assert_int_equal(p->in_batches + p->alone, 20000);
    assert_true(p->in_batches > 15000);
    assert_int_equal(compare(p, "synth:seed=5,messages=3000,flow=plain"), FEED_SOURCE_END);
    assert_int_equal(p->in_batches + p->alone, 3000);
}

static void recorded_files_come_in_batches_as_they_come_one_by_one(void **state)
{
    static const char *const files[] = {
        "itch_aapl_20200130_5k/aapl_5k.itch", "itch_day_start_1k/day_start_1k.itch",
        "itch_ritch_artificial_12k/ritch_12k.itch", "lobster_aapl_20120621_l1/aapl_l1.itch.gz"};
    pair_t *p = *state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[MARKET_DATA_PATH_MAX], spec[MARKET_DATA_PATH_MAX + 8];
        if (!market_data_path(files[i], path))
            skip();
        snprintf(spec, sizeof spec, "itch:%s", path);
        assert_int_equal(compare(p, spec), FEED_SOURCE_END);
        assert_true(p->in_batches > p->alone);
    }
}

/* ---- files with whatever may be in one */

typedef struct made {
    char directory[64];
    char path[96];
    char spec[104];
} made_t;

static made_t begin_file(void)
{
    made_t made = {.directory = "/tmp/test_source_batch.XXXXXX"};
    assert_non_null(mkdtemp(made.directory));
    snprintf(made.path, sizeof made.path, "%s/input", made.directory);
    snprintf(made.spec, sizeof made.spec, "itch:%s", made.path);
    return made;
}

static void remove_file(const made_t *made)
{
    unlink(made->path);
    rmdir(made->directory);
}

/* `count` messages: known ones, and one in `odds` that is unknown (short, of a tick's own size,
 * long), or of a type that is one of our marks; at the end a mark, if `marked`. With `wrong` the
 * last but a few has another length than its type. */
static void write_file(pair_t *p, const made_t *made, unsigned count, uint32_t odds, bool marked,
                       bool wrong)
{
    static const char known[] = "SRHAFECXDUPQ";
    static const char strange[] = "za\x01\x02\xff";
    static uint8_t message[ITCH_MESSAGE_MAX];
    binaryfile_writer_t *w;
    tbus_error_t err;
    assert_int_equal(binaryfile_writer_open(made->path, &w, &err), 0);
    for (unsigned i = 0; i < count; i++) {
        for (size_t k = 0; k < 64; k++)
            message[k] = (uint8_t)random_next(&p->dice);
        message[0] = (uint8_t)known[random_below(&p->dice, sizeof known - 1)];
        size_t bytes = itch_length(message[0]);
        if (random_below(&p->dice, odds) == 0) {
            static const uint32_t sizes[] = {1, 10, 11, 39, 50, 51, 3000, ITCH_MESSAGE_MAX};
            message[0] = (uint8_t)strange[random_below(&p->dice, sizeof strange - 1)];
            bytes = sizes[random_below(&p->dice, sizeof sizes / sizeof *sizes)];
        }
        if (wrong && i + 3 == count) {
            message[0] = 'A';
            bytes = 35;
        }
        assert_int_equal(binaryfile_writer_append(w, message, bytes, &err), 0);
    }
    if (marked)
        assert_int_equal(binaryfile_writer_append(w, message, 0, &err), 0);
    assert_int_equal(binaryfile_writer_close(w, &err), 0);
}

static void odd_messages_among_known_ones_stop_a_batch_and_are_handed_out_alone(void **state)
{
    pair_t *p = *state;
    made_t made = begin_file();
    unsigned ends = 0, refused = 0;
    for (unsigned round = 0; round < 120; round++) {
        bool wrong = round % 4 == 3, marked = round % 2 == 0;
        write_file(p, &made, 100 + round, 4 + 3 * (round % 10), marked, wrong);
        int rc = compare(p, made.spec);
        assert_int_equal(rc, wrong ? -TBUS_EFORMAT : FEED_SOURCE_END);
        assert_true(p->in_batches != 0 && p->alone != 0);
        *(wrong ? &refused : &ends) += 1;
    }
    assert_true(ends == 90 && refused == 30);
    remove_file(&made);
}

static void files_cut_or_damaged_end_alike_in_batches_and_one_by_one(void **state)
{
    enum { ROUNDS = 300 };
    pair_t *p = *state;
    made_t made = begin_file();
    unsigned ends = 0, errors = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        write_file(p, &made, 60, 20, true, false);
        FILE *file = fopen(made.path, "rb+");
        assert_non_null(file);
        assert_int_equal(fseek(file, 0, SEEK_END), 0);
        long size = ftell(file), at = (long)random_below(&p->dice, (uint32_t)size);
        bool cut = round % 3 == 0;
        if (!cut) {
            assert_int_equal(fseek(file, at, SEEK_SET), 0);
            assert_true(fputc((int)random_below(&p->dice, 256), file) != EOF);
        }
        assert_int_equal(fclose(file), 0);
        assert_int_equal(cut ? truncate(made.path, at) : 0, 0);
        int rc = compare(p, made.spec);
        assert_true(rc == FEED_SOURCE_END || rc == -TBUS_EFORMAT || rc == -TBUS_ETRUNCATED);
        *(rc == FEED_SOURCE_END ? &ends : &errors) += 1;
    }
    assert_true(ends > ROUNDS / 10 && errors > ROUNDS / 10);
    remove_file(&made);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(synthetic_flows_come_in_batches_as_they_come_one_by_one),
        CASE(recorded_files_come_in_batches_as_they_come_one_by_one),
        CASE(odd_messages_among_known_ones_stop_a_batch_and_are_handed_out_alone),
        CASE(files_cut_or_damaged_end_alike_in_batches_and_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
