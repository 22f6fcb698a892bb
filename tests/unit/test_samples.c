/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/program.h"
#include "tools/latency/collect.h"

#define FIRST_SEQ 50u
#define START_NS  UINT64_C(1000000)
#define MESSAGES  4u

/* Four messages 1000 ns apart: each is published after 10 ns and taken after 20 more. */
typedef struct fixture {
    char scratch[SCRATCH_PATH_MAX];
    tbus_stamps_t stamps;
    stamp_clock_t clock;
    samples_t samples;
    collect_backward_t backward;
} fixture_t;

static uint64_t intended_ns(uint64_t row)
{
    return START_NS + row * 1000;
}

static int set_up(void **state)
{
    static fixture_t f;
    f = (fixture_t){0};
    tbus_stamps_spec_t spec = {.messages = 16, .answers = 64, .streams = 2};
    assert_int_equal(tbus_stamps_create(&spec, &f.stamps, NULL), 0);
    tbus_store_relaxed_u64(&f.stamps.shared->first_seq, FIRST_SEQ);
    for (uint64_t row = 0; row < MESSAGES; row++) {
        tbus_stamps_put(&f.stamps, TBUS_STAMP_INTENDED, row, intended_ns(row));
        tbus_stamps_put(&f.stamps, TBUS_STAMP_PUBLISHED, row, intended_ns(row) + 10);
        tbus_stamps_put(&f.stamps, TBUS_STAMP_TAKEN, row, intended_ns(row) + 30);
    }
    scratch_create(f.scratch);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    samples_clear(&f->samples);
    tbus_stamps_destroy(&f->stamps);
    scratch_remove(f->scratch);
    return 0;
}

/* An answer of `stream` to message `row`: sent 100, passed 140, done 190, reported 250 ns after it
 * was wanted, all of them `late_ns` later. */
static void answer(fixture_t *f, uint32_t stream, uint64_t number, bool second, uint64_t row,
                   uint64_t late_ns)
{
    const tbus_stamps_t *s = &f->stamps;
    uint64_t at = tbus_stamps_answer(s, stream, number, second);
    uint64_t from = intended_ns(row) + late_ns;
    tbus_stamps_put(s, TBUS_STAMP_ANSWERS, at, FIRST_SEQ + row);
    tbus_stamps_put(s, TBUS_STAMP_ANSWER_TAKEN, at, intended_ns(row) + 30);
    tbus_stamps_put(s, TBUS_STAMP_SENT, at, from + 100);
    tbus_stamps_put(s, TBUS_STAMP_PASSED, at, from + 140);
    tbus_stamps_put(s, TBUS_STAMP_DONE, at, from + 190);
    tbus_stamps_put(s, TBUS_STAMP_REPORTED, at, from + 250);
}

static void collect(fixture_t *f)
{
    tbus_error_t err = {0};
    assert_int_equal(collect_samples(&f->stamps, &f->clock, &f->samples, &f->backward, &err), 0);
}

static uint64_t value(const fixture_t *f, enum sample_hop hop, uint64_t row)
{
    for (uint64_t i = 0; i < f->samples.hops[hop].count; i++)
        if (samples_row(&f->samples, hop, i) == row)
            return f->samples.hops[hop].ns[i];
    fail_msg("message %u has no %s", (unsigned)row, samples_hop_name(hop));
    return 0;
}

static void every_message_has_its_first_hops(void **state)
{
    fixture_t *f = *state;
    collect(f);
    assert_int_equal(f->samples.rows, MESSAGES);
    assert_int_equal(f->samples.start_ns, START_NS);
    assert_int_equal(samples_seq(&f->samples, HOP_PUBLISH, 3), FIRST_SEQ + 3);
    for (uint64_t row = 0; row < MESSAGES; row++) {
        assert_int_equal(f->samples.intended_ns[row], row * 1000);
        assert_int_equal(value(f, HOP_PUBLISH, row), 10);
        assert_int_equal(value(f, HOP_SEEN, row), 20);
        assert_int_equal(value(f, HOP_TICK_TO_SEEN, row), 30);
    }
    assert_int_equal(f->samples.hops[HOP_TICK_TO_REPORT].count, 0);
    assert_int_equal(f->backward.count, 0);
}

static void hops_of_an_answered_message_add_up(void **state)
{
    fixture_t *f = *state;
    answer(f, 1, 7, false, 2, 0);
    collect(f);
    assert_int_equal(f->samples.hops[HOP_DECIDE].count, 1);
    assert_int_equal(value(f, HOP_DECIDE, 2), 70);
    assert_int_equal(value(f, HOP_RISK, 2), 40);
    assert_int_equal(value(f, HOP_EXECUTE, 2), 50);
    assert_int_equal(value(f, HOP_REPORT, 2), 60);
    uint64_t sum = 0;
    for (int hop = 0; hop < HOP_PATH; hop++)
        sum += value(f, (enum sample_hop)hop, 2);
    assert_int_equal(sum, 250);
    assert_int_equal(value(f, HOP_TICK_TO_REPORT, 2), 250);
}

static void of_several_answers_the_first_counts(void **state)
{
    fixture_t *f = *state;
    answer(f, 1, 2, false, 1, 500);
    answer(f, 1, 1, true, 1, 200); /* a cancel, sent before the order */
    answer(f, 1, 3, false, 1, 900);
    collect(f);
    assert_int_equal(f->samples.hops[HOP_TICK_TO_REPORT].count, 1);
    assert_int_equal(value(f, HOP_TICK_TO_REPORT, 1), 450);
}

static void answers_come_in_the_order_of_their_messages(void **state)
{
    fixture_t *f = *state;
    answer(f, 2, 1, false, 3, 0);
    answer(f, 1, 9, false, 0, 0);
    answer(f, 1, 4, false, 2, 0);
    collect(f);
    const sample_column_t *column = &f->samples.hops[HOP_DECIDE];
    assert_int_equal(column->count, 3);
    assert_int_equal(column->row[0], 0);
    assert_int_equal(column->row[1], 2);
    assert_int_equal(column->row[2], 3);
}

static void what_answers_no_tick_in_hand_or_was_not_answered_is_left_out(void **state)
{
    fixture_t *f = *state;
    answer(f, 1, 1, false, 1, 0);
    tbus_stamps_put(&f->stamps, TBUS_STAMP_ANSWERS, tbus_stamps_answer(&f->stamps, 1, 1, false), 0);
    answer(f, 1, 2, false, 2, 0);
    tbus_stamps_put(&f->stamps, TBUS_STAMP_REPORTED, tbus_stamps_answer(&f->stamps, 1, 2, false),
                    0);
    answer(f, 1, 3, false, 3, 0);
    tbus_stamps_put(&f->stamps, TBUS_STAMP_ANSWERS, tbus_stamps_answer(&f->stamps, 1, 3, false),
                    FIRST_SEQ + MESSAGES); /* of a message that was not published */
    collect(f);
    assert_int_equal(f->samples.hops[HOP_TICK_TO_REPORT].count, 0);
}

static void the_hops_are_those_of_the_strategy_that_answered(void **state)
{
    fixture_t *f = *state;
    answer(f, 2, 1, false, 1, 0);
    tbus_stamps_put(&f->stamps, TBUS_STAMP_ANSWER_TAKEN,
                    tbus_stamps_answer(&f->stamps, 2, 1, false), intended_ns(1) + 75);
    collect(f);
    assert_int_equal(value(f, HOP_SEEN, 1), 65);
    assert_int_equal(value(f, HOP_TICK_TO_SEEN, 1), 75);
    assert_int_equal(value(f, HOP_DECIDE, 1), 25);
    assert_int_equal(value(f, HOP_TICK_TO_REPORT, 1), 250);
    assert_int_equal(value(f, HOP_SEEN, 2), 20);
}

static void stamps_that_run_backwards_are_set_equal_and_counted(void **state)
{
    fixture_t *f = *state;
    answer(f, 1, 1, false, 1, 0);
    tbus_stamps_put(&f->stamps, TBUS_STAMP_PASSED, tbus_stamps_answer(&f->stamps, 1, 1, false),
                    intended_ns(1) + 93);
    collect(f);
    assert_int_equal(value(f, HOP_RISK, 1), 0);
    assert_int_equal(value(f, HOP_EXECUTE, 1), 90);
    assert_int_equal(value(f, HOP_TICK_TO_REPORT, 1), 250);
    assert_int_equal(f->backward.count, 1);
    assert_int_equal(f->backward.ns_max, 7);
}

static void a_message_that_was_never_taken_has_no_seen(void **state)
{
    fixture_t *f = *state;
    tbus_stamps_put(&f->stamps, TBUS_STAMP_TAKEN, 1, 0);
    collect(f);
    assert_int_equal(f->samples.hops[HOP_SEEN].count, MESSAGES - 1);
    assert_int_equal(samples_row(&f->samples, HOP_SEEN, 1), 2);
    assert_int_equal(f->samples.hops[HOP_PUBLISH].count, MESSAGES);
}

static void a_file_gives_back_what_was_written(void **state)
{
    fixture_t *f = *state;
    samples_t read;
    answer(f, 1, 1, false, 1, 0);
    answer(f, 1, 2, false, 3, 5);
    answer(f, 1, 3, false, 2, 9);
    collect(f);
    f->samples.touched = calloc(MESSAGES, 1);
    f->samples.touched[1] = 1;
    assert_int_equal(samples_write(&f->samples, f->scratch, NULL), 0);
    assert_int_equal(samples_read(f->scratch, &read, NULL), 0);
    assert_memory_equal(read.touched, f->samples.touched, MESSAGES);
    assert_int_equal(read.rows, MESSAGES);
    assert_int_equal(read.first_seq, FIRST_SEQ);
    assert_int_equal(read.start_ns, START_NS);
    assert_memory_equal(read.intended_ns, f->samples.intended_ns, MESSAGES * sizeof(uint64_t));
    for (int hop = 0; hop < HOP_COUNT; hop++) {
        const sample_column_t *wrote = &f->samples.hops[hop], *got = &read.hops[hop];
        assert_int_equal(got->count, wrote->count);
        for (uint64_t i = 0; i < got->count; i++) {
            assert_int_equal(got->ns[i], wrote->ns[i]);
            assert_int_equal(samples_row(&read, (enum sample_hop)hop, i),
                             samples_row(&f->samples, (enum sample_hop)hop, i));
        }
    }
    samples_clear(&read);
}

/* Version 1 ended with the hops, version 2 without a CRC. */
static void files_of_the_versions_before_are_read(void **state)
{
    fixture_t *f = *state;
    char path[SCRATCH_PATH_MAX + 16];
    size_t bytes;
    samples_t read;
    answer(f, 1, 1, false, 1, 0);
    collect(f);
    assert_int_equal(samples_write(&f->samples, f->scratch, NULL), 0);
    snprintf(path, sizeof path, "%s/samples.bin", f->scratch);
    char *whole = file_read(path, &bytes);
    assert_non_null(whole);
    for (char version = 1; version <= 2; version++) {
        whole[8] = version;
        assert_true(file_write(path, whole, bytes - (version == 1 ? 2 : 1) * sizeof(uint64_t)));
        assert_int_equal(samples_read(f->scratch, &read, NULL), 0);
        assert_int_equal(read.rows, MESSAGES);
        assert_null(read.touched);
        samples_clear(&read);
    }
    free(whole);
}

static void those_that_the_host_did_not_touch_are_given_in_their_order(void **state)
{
    fixture_t *f = *state;
    uint64_t count = 0;
    answer(f, 1, 1, false, 1, 0);
    collect(f);
    assert_null(samples_untouched(&f->samples, HOP_PUBLISH, &count));
    f->samples.touched = calloc(MESSAGES, 1);
    f->samples.touched[0] = 1;
    uint64_t *ns = samples_untouched(&f->samples, HOP_PUBLISH, &count);
    assert_int_equal(count, MESSAGES - 1);
    assert_memory_equal(ns, f->samples.hops[HOP_PUBLISH].ns + 1, (MESSAGES - 1) * sizeof *ns);
    free(ns);
    assert_null(samples_untouched(&f->samples, HOP_RECORD, &count));
}

static int read_changed(const char *scratch, const char *bytes, size_t count)
{
    char path[SCRATCH_PATH_MAX + 16];
    samples_t read;
    tbus_error_t err = {0};
    snprintf(path, sizeof path, "%s/samples.bin", scratch);
    assert_true(file_write(path, bytes, count));
    int code = samples_read(scratch, &read, &err);
    if (code == 0)
        samples_clear(&read);
    else
        assert_true(err.text[0] != 0);
    return code;
}

/* Every length, and every byte: no crash, no memory for what is not there (asan), and no figure
 * that was not written. */
static void a_damaged_file_is_refused(void **state)
{
    fixture_t *f = *state;
    char path[SCRATCH_PATH_MAX + 16];
    size_t bytes;
    answer(f, 1, 1, false, 1, 0);
    answer(f, 1, 2, false, 2, 0);
    collect(f);
    f->samples.touched = calloc(MESSAGES, 1);
    assert_int_equal(samples_write(&f->samples, f->scratch, NULL), 0);
    snprintf(path, sizeof path, "%s/samples.bin", f->scratch);
    char *whole = file_read(path, &bytes);
    assert_non_null(whole);
    for (size_t cut = 0; cut < bytes; cut++)
        assert_int_equal(read_changed(f->scratch, whole, cut), -TBUS_EFORMAT);
    for (size_t at = 0; at < bytes; at++) {
        whole[at] ^= (char)0xff;
        assert_int_equal(read_changed(f->scratch, whole, bytes), -TBUS_EFORMAT);
        whole[at] ^= (char)0xff;
    }
    whole[0] ^= 1;
    assert_int_equal(read_changed(f->scratch, whole, bytes), -TBUS_EFORMAT);
    free(whole);
}

static void a_directory_without_samples_says_so(void **state)
{
    fixture_t *f = *state;
    samples_t read;
    tbus_error_t err = {0};
    assert_true(samples_read(f->scratch, &read, &err) < 0);
    assert_non_null(strstr(err.text, "samples.bin"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_message_has_its_first_hops),
        TEST(hops_of_an_answered_message_add_up),
        TEST(of_several_answers_the_first_counts),
        TEST(answers_come_in_the_order_of_their_messages),
        TEST(what_answers_no_tick_in_hand_or_was_not_answered_is_left_out),
        TEST(the_hops_are_those_of_the_strategy_that_answered),
        TEST(stamps_that_run_backwards_are_set_equal_and_counted),
        TEST(a_message_that_was_never_taken_has_no_seen),
        TEST(a_file_gives_back_what_was_written),
        TEST(files_of_the_versions_before_are_read),
        TEST(those_that_the_host_did_not_touch_are_given_in_their_order),
        TEST(a_damaged_file_is_refused),
        TEST(a_directory_without_samples_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
