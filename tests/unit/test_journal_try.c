/* SPDX-License-Identifier: Apache-2.0 */
/* Appending without waiting, while the journal's helper thread is held back: what append_try says,
 * that nothing is lost or in another order because of it, and that what the message asked for is
 * not forgotten until it is brought again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sched.h>

#include <tickbus/journal.h>

#include "tests/unit/journal_gate.h"
#include "tests/unit/journal_scratch.h"

#define SECOND_NS  UINT64_C(1000000000)
#define HOUR_NS    (3600 * SECOND_NS)
#define STARTED_NS (20000 * 24 * HOUR_NS + 23 * HOUR_NS) /* an hour before midnight UTC */
#define PAYLOAD    992u /* 1 KiB with its header: 60 in a segment */

static int end(void **state)
{
    gate_open(0);
    return remove_scratch(state);
}

static tbus_journal_writer_t *open_writer(const scratch_t *s, bool roll_by_day, bool goes_on)
{
    tbus_journal_spec_t spec = {.directory = s->journal,
                                .started_realtime_ns = STARTED_NS,
                                .segment_bytes = TBUS_JOURNAL_SEGMENT_BYTES_MIN,
                                .roll_by_day = roll_by_day,
                                .go_on_when_full = goes_on,
                                .topics_count = 1,
                                .topics = {{"md", "tick", 1, 0, 0, 0}}};
    tbus_journal_writer_t *w = NULL;
    tbus_error_t err = {0};
    gate_open(0);
    if (tbus_journal_writer_open(&spec, &w, &err) < 0)
        fail_msg("%s", err.text);
    return w;
}

static int try(tbus_journal_writer_t *w, uint64_t seq, uint64_t time_ns)
{
    unsigned char payload[PAYLOAD];
    memset(payload, (int)(seq % 251), sizeof payload);
    return tbus_journal_writer_append_try(w, 0, seq, time_ns, payload, sizeof payload);
}

/* As a recorder does, until it is something else. */
static int try_again(tbus_journal_writer_t *w, uint64_t seq, uint64_t time_ns)
{
    int code;
    while ((code = try(w, seq, time_ns)) == TBUS_JOURNAL_NOT_YET)
        sched_yield(); /* else the test's time limit ends this */
    return code;
}

/* As many as go without the helper, who is held back. Returns the first that does not. */
static uint64_t try_until_not_yet(tbus_journal_writer_t *w, uint64_t seq)
{
    for (;;) {
        bool held = gate_holds();
        int code = try(w, seq, seq);
        if (code == TBUS_JOURNAL_NOT_YET && held)
            return seq;
        assert_true(code == 0 || code == TBUS_JOURNAL_NOT_YET);
        if (code == 0)
            seq++;
        else
            sched_yield();
    }
}

/* Until there is no room at all. Returns what the last one is told; *seq: which. */
static int try_until_the_end(tbus_journal_writer_t *w, uint64_t *seq)
{
    int code;
    while ((code = try_again(w, *seq, *seq)) == 0)
        ++*seq;
    return code;
}

/* Segments of the closed journal that hold all of 1 .. last, each as it was appended. */
static uint32_t expect_all(const scratch_t *s, uint64_t last)
{
    tbus_journal_reader_t *r;
    tbus_journal_record_t record;
    tbus_error_t err = {0};
    assert_int_equal(tbus_journal_reader_open(s->journal, &r, &err), 0);
    for (uint64_t seq = 1; seq <= last; seq++) {
        unsigned char payload[PAYLOAD];
        memset(payload, (int)(seq % 251), sizeof payload);
        assert_int_equal(tbus_journal_reader_next(r, &record, &err), 1);
        assert_int_equal(record.seq, seq);
        assert_memory_equal(record.payload, payload, sizeof payload);
    }
    assert_int_equal(tbus_journal_reader_next(r, &record, &err), 0);
    assert_int_equal(tbus_journal_reader_end(r), TBUS_JOURNAL_CLOSED);
    uint32_t segments = tbus_journal_reader_info(r)->segments;
    tbus_journal_reader_close(r);
    return segments;
}

static void what_could_not_be_taken_yet_goes_on_when_the_helper_has_come_to_it(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_writer_t *w = open_writer(s, false, false);
    gate_shut();
    uint64_t seq = try_until_not_yet(w, 1);
    uint64_t records = tbus_journal_writer_records(w), bytes = tbus_journal_writer_bytes(w);
    uint64_t waits = tbus_journal_writer_waits(w);
    assert_true(waits > 0);
    assert_int_equal(records, seq - 1);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(try(w, seq, seq + i), TBUS_JOURNAL_NOT_YET);
    assert_int_equal(tbus_journal_writer_records(w), records);
    assert_int_equal(tbus_journal_writer_bytes(w), bytes);
    assert_int_equal(tbus_journal_writer_waits(w), waits);
    gate_open(0);
    for (; seq <= 300; seq++)
        assert_int_equal(try_again(w, seq, seq), 0);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    assert_true(expect_all(s, 300) >= 5);
}

static void whoever_came_back_may_wait_after_all(void **state)
{
    const scratch_t *s = *state;
    unsigned char payload[PAYLOAD];
    tbus_journal_writer_t *w = open_writer(s, false, false);
    gate_shut();
    uint64_t seq = try_until_not_yet(w, 1);
    gate_open(0);
    memset(payload, (int)(seq % 251), sizeof payload);
    assert_int_equal(tbus_journal_writer_append(w, 0, seq, seq, payload, sizeof payload), 0);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    expect_all(s, seq);
}

/* The day is over at the first try, and at the second the clock has gone back. */
static void a_day_that_ended_at_the_first_try_has_a_segment_of_its_own_all_the_same(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_writer_t *w = open_writer(s, true, false);
    gate_shut();
    for (uint64_t seq = 1; seq <= 3; seq++)
        assert_int_equal(try_again(w, seq, seq), 0);
    assert_int_equal(try(w, 4, HOUR_NS), TBUS_JOURNAL_NOT_YET);
    assert_int_equal(try(w, 4, HOUR_NS - SECOND_NS), TBUS_JOURNAL_NOT_YET);
    assert_int_equal(tbus_journal_writer_records(w), 3);
    gate_open(0);
    assert_int_equal(try_again(w, 4, HOUR_NS - SECOND_NS), 0);
    assert_int_equal(try_again(w, 5, HOUR_NS + SECOND_NS), 0);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    assert_int_equal(expect_all(s, 5), 2);
}

static void what_the_helper_fails_with_meanwhile_is_told_at_the_next_try(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_writer_t *w = open_writer(s, false, false);
    gate_shut();
    uint64_t seq = try_until_not_yet(w, 1);
    gate_open(EDQUOT);
    assert_int_equal(try_until_the_end(w, &seq), -EDQUOT);
    assert_int_equal(tbus_journal_writer_error(w)->code, -EDQUOT);
    assert_int_equal(try(w, seq, seq), -EDQUOT);
    assert_int_equal(tbus_journal_writer_close(w, NULL), -EDQUOT);
}

static void without_room_it_is_left_out_and_named_as_by_whoever_waits(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_reader_t *r;
    tbus_journal_record_t record;
    tbus_journal_writer_t *w = open_writer(s, false, true);
    gate_shut();
    uint64_t seq = try_until_not_yet(w, 1);
    gate_open(ENOSPC);
    assert_int_equal(try_until_the_end(w, &seq), 1);
    uint64_t first = seq++;
    assert_int_equal(try_again(w, seq++, first), 1);
    assert_false(tbus_journal_writer_has_room(w));
    uint64_t waits = tbus_journal_writer_waits(w);
    gate_open(0);
    int code;
    while ((code = try_again(w, seq, first)) == 1) {
        seq++;
        sched_yield(); /* the helper tries again ten times a second */
    }
    assert_int_equal(code, 0);
    assert_true(tbus_journal_writer_has_room(w));
    assert_int_equal(tbus_journal_writer_waits(w), waits); /* not for what names the hole either */
    assert_int_equal(tbus_journal_writer_missed(w), seq - first);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    assert_int_equal(tbus_journal_reader_open(s->journal, &r, NULL), 0);
    for (uint64_t expected = 1; expected < first; expected++) {
        assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 1);
        assert_int_equal(record.seq, expected);
    }
    assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 1);
    assert_int_equal(record.seq, seq);
    assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 0);
    tbus_journal_reader_close(r);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, end)
    const struct CMUnitTest tests[] = {
        TEST(what_could_not_be_taken_yet_goes_on_when_the_helper_has_come_to_it),
        TEST(whoever_came_back_may_wait_after_all),
        TEST(a_day_that_ended_at_the_first_try_has_a_segment_of_its_own_all_the_same),
        TEST(what_the_helper_fails_with_meanwhile_is_told_at_the_next_try),
        TEST(without_room_it_is_left_out_and_named_as_by_whoever_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
