/* SPDX-License-Identifier: Apache-2.0 */
/* Which segments of a journal are made at midnight, and which are removed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tickbus/journal.h>

#include "tests/unit/journal_scratch.h"

#define SEGMENT_BYTES TBUS_JOURNAL_SEGMENT_BYTES_MIN
#define SECOND_NS     UINT64_C(1000000000)
#define DAY_NS        (86400 * SECOND_NS)
#define STARTED_NS    (20000 * DAY_NS + 23 * 3600 * SECOND_NS) /* an hour before midnight UTC */
#define HOUR_NS       (3600 * SECOND_NS)

static tbus_journal_spec_t spec_for(const scratch_t *s)
{
    return (tbus_journal_spec_t){.directory = s->journal,
                                 .started_realtime_ns = STARTED_NS,
                                 .segment_bytes = SEGMENT_BYTES,
                                 .topics_count = 1,
                                 .topics = {{"md", "tick", 1, 0, 0, 0}}};
}

static tbus_journal_writer_t *open_writer(const tbus_journal_spec_t *spec)
{
    tbus_journal_writer_t *w = NULL;
    tbus_error_t err = {0};
    if (tbus_journal_writer_open(spec, &w, &err) < 0)
        fail_msg("%s", err.text);
    return w;
}

static void append(tbus_journal_writer_t *w, uint64_t seq, uint64_t time_ns)
{
    static const unsigned char payload[992]; /* 60 records in a segment */
    assert_int_equal(tbus_journal_writer_append(w, 0, seq, time_ns, payload, sizeof payload), 0);
}

static bool there(const scratch_t *s, uint32_t number)
{
    char path[PATH_BYTES + 16];
    segment_path(s->journal, number, path);
    return access(path, F_OK) == 0;
}

static void await_gone(const scratch_t *s, uint32_t number)
{
    while (there(s, number))
        sched_yield();
}

/* `count` segments, an hour of recording in each, closed. */
static void record_segments(const scratch_t *s, uint32_t count)
{
    tbus_journal_spec_t spec = spec_for(s);
    tbus_journal_writer_t *w = open_writer(&spec);
    for (uint64_t seq = 1; seq <= 60 * (uint64_t)count; seq++)
        append(w, seq, (seq - 1) / 60 * HOUR_NS);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    assert_true(there(s, count));
    assert_false(there(s, count + 1));
}

/* The first sequence that a reader gets, and that nothing is missing or wrong from there to
 * `last`. */
static uint64_t first_sequence(const scratch_t *s, uint64_t last)
{
    tbus_journal_reader_t *r = NULL;
    tbus_journal_record_t record;
    tbus_error_t err = {0};
    uint64_t first = 0, seq = 0;
    if (tbus_journal_reader_open(s->journal, &r, &err) < 0)
        fail_msg("%s", err.text);
    while (tbus_journal_reader_next(r, &record, &err) == 1) {
        first = first ? first : record.seq;
        assert_true(seq == 0 || record.seq == seq + 1);
        seq = record.seq;
    }
    assert_int_equal(seq, last);
    assert_int_equal(tbus_journal_reader_end(r), TBUS_JOURNAL_CLOSED);
    tbus_journal_reader_close(r);
    return first;
}

static uint32_t prune(const scratch_t *s, tbus_journal_limits_t limits, uint64_t now_ns)
{
    uint32_t removed = 99;
    tbus_error_t err = {0};
    if (tbus_journal_prune(s->journal, &limits, now_ns, &removed, &err) < 0)
        fail_msg("%s", err.text);
    return removed;
}

/* --- a closed journal --- */

static void as_many_segments_as_are_kept_stay_and_their_indexes_with_them(void **state)
{
    const scratch_t *s = *state;
    char index[PATH_BYTES + 32];
    record_segments(s, 6);
    for (unsigned n = 1; n <= 6; n++) {
        snprintf(index, sizeof index, "%s/%08u.tbi", s->journal, n);
        close(open(index, O_WRONLY | O_CREAT, 0600));
    }
    assert_int_equal(prune(s, (tbus_journal_limits_t){.keep_segments = 4}, 0), 2);
    for (unsigned n = 1; n <= 6; n++) {
        snprintf(index, sizeof index, "%s/%08u.tbi", s->journal, n);
        assert_int_equal(there(s, n), n > 2);
        assert_int_equal(access(index, F_OK) == 0, n > 2);
    }
    assert_int_equal(first_sequence(s, 360), 121);
    assert_int_equal(prune(s, (tbus_journal_limits_t){.keep_segments = 4}, 0), 0);
}

static void as_many_bytes_as_are_kept_stay(void **state)
{
    const scratch_t *s = *state;
    record_segments(s, 6);
    char path[PATH_BYTES + 16];
    struct stat is;
    segment_path(s->journal, 1, path);
    assert_int_equal(stat(path, &is), 0);
    uint64_t each = (uint64_t)is.st_size;
    assert_int_equal(prune(s, (tbus_journal_limits_t){.keep_bytes = 6 * each}, 0), 0);
    assert_int_equal(prune(s, (tbus_journal_limits_t){.keep_bytes = 6 * each - 1}, 0), 1);
    assert_int_equal(prune(s, (tbus_journal_limits_t){.keep_bytes = 3 * each}, 0), 2);
    assert_int_equal(first_sequence(s, 360), 181);
}

static void what_is_young_enough_stays(void **state)
{
    const scratch_t *s = *state;
    record_segments(s, 6); /* the last record of segment n is not later than n hours */
    uint64_t now = STARTED_NS + 5 * HOUR_NS;
    assert_int_equal(prune(s, (tbus_journal_limits_t){.keep_age_ns = 4 * HOUR_NS}, now), 0);
    assert_int_equal(prune(s, (tbus_journal_limits_t){.keep_age_ns = 4 * HOUR_NS}, now + 1), 1);
    assert_int_equal(prune(s, (tbus_journal_limits_t){.keep_age_ns = 1}, 1),
                     0); /* clock set back */
    assert_int_equal(first_sequence(s, 360), 61);
}

static void the_last_segment_is_never_removed(void **state)
{
    const scratch_t *s = *state;
    record_segments(s, 3);
    tbus_journal_limits_t all = {.keep_bytes = 1, .keep_age_ns = 1, .keep_segments = 1};
    assert_int_equal(prune(s, all, UINT64_MAX), 2);
    assert_int_equal(first_sequence(s, 180), 121);
    assert_int_equal(prune(s, all, UINT64_MAX), 0);
}

static void without_limits_nothing_is_removed(void **state)
{
    record_segments(*state, 3);
    assert_int_equal(prune(*state, (tbus_journal_limits_t){0}, UINT64_MAX), 0);
}

static void what_a_reader_holds_stays_and_all_behind_it(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_reader_t *r = NULL;
    tbus_journal_record_t record;
    record_segments(s, 5);
    assert_int_equal(tbus_journal_reader_open(s->journal, &r, NULL), 0);
    for (uint64_t seq = 1; seq <= 130; seq++) {
        if (seq == 2)
            assert_int_equal(prune(s, (tbus_journal_limits_t){.keep_segments = 1}, 0), 0);
        assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 1);
        assert_int_equal(record.seq, seq);
    }
    assert_int_equal(prune(s, (tbus_journal_limits_t){.keep_segments = 1}, 0), 2); /* it is in 3 */
    while (tbus_journal_reader_next(r, &record, NULL) == 1)
        ;
    assert_int_equal(record.seq, 300);
    tbus_journal_reader_close(r);
}

static void a_journal_that_is_being_recorded_is_refused(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_spec_t spec = spec_for(s);
    tbus_journal_writer_t *w = open_writer(&spec);
    tbus_journal_limits_t limits = {.keep_segments = 1};
    uint32_t removed = 99;
    tbus_error_t err;
    for (uint64_t seq = 1; seq <= 200; seq++)
        append(w, seq, 0);
    assert_int_equal(tbus_journal_prune(s->journal, &limits, 0, &removed, &err), -EBUSY);
    assert_int_equal(removed, 99);
    assert_true(there(s, 1));
    tbus_journal_writer_close(w, NULL);
}

/* --- a journal that is being recorded --- */

static void a_recorder_removes_what_is_not_kept(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_spec_t spec = spec_for(s);
    spec.limits.keep_segments = 3;
    tbus_journal_writer_t *w = open_writer(&spec);
    for (uint64_t seq = 1; seq <= 60 * 10; seq++)
        append(w, seq, seq);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    assert_int_equal(first_sequence(s, 600), 60 * 7 + 1);
}

static void a_recorder_leaves_what_a_reader_holds_until_it_goes_on(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_spec_t spec = spec_for(s);
    tbus_journal_reader_t *r = NULL;
    tbus_journal_record_t record;
    spec.limits.keep_segments = 2;
    tbus_journal_writer_t *w = open_writer(&spec);
    assert_int_equal(tbus_journal_reader_open(s->journal, &r, NULL), 0);
    uint64_t seq = 0;
    while (seq < 60 * 8)
        append(w, ++seq, 0);
    for (uint64_t read = 1; read <= 60 * 8; read++) { /* all of it is there for the reader */
        assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 1);
        assert_int_equal(record.seq, read);
    }
    while (seq < 60 * 12)
        append(w, ++seq, 0);
    await_gone(s, 7);
    tbus_journal_reader_close(r);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
}

/* --- days --- */

static void another_segment_begins_at_midnight_utc(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_spec_t spec = spec_for(s);
    spec.roll_by_day = true;
    tbus_journal_writer_t *w = open_writer(&spec);
    append(w, 1, 0);
    append(w, 2, HOUR_NS - 1);
    assert_false(there(s, 2)); /* it is not even made ready */
    append(w, 3, HOUR_NS);
    assert_true(there(s, 2));
    append(w, 4, HOUR_NS + DAY_NS - 1);
    append(w, 5, HOUR_NS + 3 * DAY_NS); /* two days without a record */
    append(w, 6, HOUR_NS + 3 * DAY_NS);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    assert_true(there(s, 3));
    assert_false(there(s, 4));
    tbus_journal_reader_t *r = NULL;
    tbus_journal_record_t record;
    static const uint32_t in[] = {1, 1, 2, 2, 3, 3};
    assert_int_equal(tbus_journal_reader_open(s->journal, &r, NULL), 0);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 1);
        assert_int_equal(record.seq, i + 1);
        assert_int_equal(record.segment, in[i]);
    }
    tbus_journal_reader_close(r);
}

static void a_clock_that_steps_begins_no_day_twice_and_loses_nothing(void **state)
{
    const scratch_t *s = *state;
    static const int64_t steps[] = {
        0, 1, (int64_t)HOUR_NS, 5, (int64_t)HOUR_NS, 100, (int64_t)(2 * HOUR_NS), -1, 0, INT64_MAX};
    tbus_journal_spec_t spec = spec_for(s);
    spec.roll_by_day = true;
    tbus_journal_writer_t *w = open_writer(&spec);
    uint64_t seq = 0;
    for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++)
        append(w, ++seq, (uint64_t)steps[i]);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    assert_int_equal(first_sequence(s, seq), 1);
    assert_true(there(s, 3));
    assert_false(there(s, 4)); /* midnight, and the day of the largest times */
}

static void a_full_segment_is_rolled_on_any_day(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_spec_t spec = spec_for(s);
    spec.roll_by_day = true;
    tbus_journal_writer_t *w = open_writer(&spec);
    for (uint64_t seq = 1; seq <= 130; seq++)
        append(w, seq, 0);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    assert_true(there(s, 3));
    assert_int_equal(first_sequence(s, 130), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(as_many_segments_as_are_kept_stay_and_their_indexes_with_them),
        TEST(as_many_bytes_as_are_kept_stay),
        TEST(what_is_young_enough_stays),
        TEST(the_last_segment_is_never_removed),
        TEST(without_limits_nothing_is_removed),
        TEST(what_a_reader_holds_stays_and_all_behind_it),
        TEST(a_journal_that_is_being_recorded_is_refused),
        TEST(a_recorder_removes_what_is_not_kept),
        TEST(a_recorder_leaves_what_a_reader_holds_until_it_goes_on),
        TEST(another_segment_begins_at_midnight_utc),
        TEST(a_clock_that_steps_begins_no_day_twice_and_loses_nothing),
        TEST(a_full_segment_is_rolled_on_any_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
