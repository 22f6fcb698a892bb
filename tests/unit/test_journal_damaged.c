/* SPDX-License-Identifier: Apache-2.0 */
/* Journals that are cut or damaged: whole records before the place are read, a torn end is no
 * error, and damage is refused by segment and offset.
 *
 * TICKBUS_FULL_SEGMENT=1: a full segment, cut at every byte and flipped at every bit. */
#include "tests/unit/journal_sessions.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

/* --- torn tails --- */

/* Where each record of the first segment begins, and where the last one ends. Returns how many
 * there are. */
static unsigned record_offsets(const char *directory, uint64_t *offsets, unsigned limit)
{
    tbus_journal_reader_t *r = NULL;
    tbus_journal_record_t record;
    unsigned count = 0;
    uint64_t end = TBUS_JOURNAL_HEADER_BYTES;
    assert_int_equal(tbus_journal_reader_open(directory, &r, NULL), 0);
    while (tbus_journal_reader_next(r, &record, NULL) == 1 && record.segment == 1) {
        assert_true(count < limit);
        offsets[count++] = record.offset;
        end = record.offset + tbus_journal_padded(TBUS_JOURNAL_RECORD_HEADER + record.bytes);
    }
    offsets[count] = end;
    tbus_journal_reader_close(r);
    return count;
}

/* Cut at every byte from `from` on: whole records are read, the rest is counted, nothing is an
 * error. */
static void check_every_cut(const char *directory, const uint64_t *offsets, unsigned count,
                            uint64_t from, bool closed)
{
    char path[PATH_BYTES + 16];
    segment_path(directory, 1, path);
    unsigned whole = count;
    for (uint64_t cut = offsets[count]; cut-- > from;) {
        assert_int_equal(truncate(path, (off_t)cut), 0);
        while (offsets[whole] > cut)
            whole--;
        outcome_t o = read_journal(directory);
        if (o.code != 0)
            fail_msg("cut at %llu: %s", (unsigned long long)cut, o.err.text);
        assert_int_equal(o.records, whole);
        assert_int_equal(o.end, TBUS_JOURNAL_TORN);
        if (closed)
            assert_int_equal(o.torn_bytes, offsets[count] - offsets[whole]);
        else
            assert_true(o.torn_bytes <= cut - offsets[whole]);
    }
}

static void
a_finished_segment_cut_at_any_byte_gives_its_whole_records_and_counts_the_rest(void **state)
{
    scratch_t *s = *state;
    uint64_t offsets[32];
    write_journal(s->journal, SMALL_SEGMENT, 12);
    unsigned count = record_offsets(s->journal, offsets, 31);
    assert_int_equal(count, 12);
    check_every_cut(s->journal, offsets, count, TBUS_JOURNAL_HEADER_BYTES, true);
}

static void an_unfinished_segment_cut_at_any_byte_gives_its_whole_records(void **state)
{
    scratch_t *s = *state;
    uint64_t offsets[32];
    write_and_be_killed(s->journal, SMALL_SEGMENT, 12);
    unsigned count = record_offsets(s->journal, offsets, 31);
    assert_int_equal(count, 12);
    check_every_cut(s->journal, offsets, count, TBUS_JOURNAL_HEADER_BYTES, false);
}

static void a_last_segment_cut_within_its_header_costs_its_own_records_only(void **state)
{
    scratch_t *s = *state;
    char path[PATH_BYTES + 16];
    write_journal(s->journal, SMALL_SEGMENT, 800);
    segment_path(s->journal, 3, path);
    assert_true(size_of(path) > 0);
    segment_path(s->journal, 4, path);
    assert_int_equal(size_of(path), -1);
    segment_path(s->journal, 3, path);
    uint64_t before = 0;
    for (int cut = TBUS_JOURNAL_HEADER_BYTES - 1; cut >= 0; cut -= 61) {
        assert_int_equal(truncate(path, cut), 0);
        outcome_t o = read_journal(s->journal);
        assert_int_equal(o.code, 0);
        assert_true(o.records > 300 && o.records < 800);
        assert_true(before == 0 || before == o.records);
        before = o.records;
        assert_int_equal(o.torn_bytes, cut);
    }
}

static void a_killed_writer_leaves_all_that_it_appended(void **state)
{
    scratch_t *s = *state;
    write_and_be_killed(s->journal, SMALL_SEGMENT, 2500);
    outcome_t o = read_journal(s->journal);
    assert_int_equal(o.code, 0);
    assert_int_equal(o.records, 2500);
    assert_int_equal(o.end, TBUS_JOURNAL_TORN);
    assert_int_equal(o.torn_bytes, 0);
}

static void a_segment_made_ready_and_never_used_is_no_part_of_the_journal(void **state)
{
    scratch_t *s = *state;
    char second[PATH_BYTES + 16];
    segment_path(s->journal, 2, second);
    pid_t pid = fork();
    if (pid == 0) {
        tbus_journal_spec_t spec = spec_for(s->journal, SMALL_SEGMENT);
        tbus_journal_writer_t *w;
        if (tbus_journal_writer_open(&spec, &w, NULL) != 0)
            _exit(1);
        for (uint64_t i = 0; tbus_journal_writer_bytes(w) < SMALL_SEGMENT * 3 / 4; i++)
            if (append_message(w, i) != 0)
                _exit(2);
        while (size_of(second) != SMALL_SEGMENT)
            sched_yield(); /* until the helper has made it; else the test's time limit ends this */
        raise(SIGKILL);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status));
    outcome_t o = read_journal(s->journal);
    assert_int_equal(o.code, 0);
    assert_int_equal(o.end, TBUS_JOURNAL_TORN);
    tbus_journal_reader_t *r;
    assert_int_equal(tbus_journal_reader_open(s->journal, &r, NULL), 0);
    assert_int_equal(tbus_journal_reader_info(r)->segments, 1);
    tbus_journal_reader_close(r);
}

/* --- damage --- */

static void damage_in_the_middle_is_refused_by_segment_and_offset(void **state)
{
    scratch_t *s = *state;
    uint64_t offsets[600];
    char path[PATH_BYTES + 16];
    write_journal(s->journal, SMALL_SEGMENT, 1000);
    unsigned count = record_offsets(s->journal, offsets, 599);
    segment_path(s->journal, 1, path);
    flip(path, 8 * (offsets[100] + TBUS_JOURNAL_RECORD_HEADER));
    outcome_t o = read_journal(s->journal);
    assert_int_equal(o.code, -TBUS_ECORRUPT);
    assert_int_equal(o.records, 100);
    char place[64];
    snprintf(place, sizeof place, "offset %llu,", (unsigned long long)offsets[100]);
    assert_non_null(strstr(o.err.text, place));
    assert_non_null(strstr(o.err.text, "00000001.tbj"));
    flip(path, 8 * (offsets[100] + TBUS_JOURNAL_RECORD_HEADER));

    /* The last record of a segment that has a successor: no torn tail either. */
    flip(path, 8 * offsets[count - 1] + 40);
    o = read_journal(s->journal);
    assert_int_equal(o.code, -TBUS_ECORRUPT);
    assert_int_equal(o.records, count - 1);
    flip(path, 8 * offsets[count - 1] + 40);
    assert_int_equal(read_journal(s->journal).records, 1000);

    /* And whole records that are gone from its end. */
    assert_int_equal(truncate(path, (off_t)offsets[count - 1]), 0);
    o = read_journal(s->journal);
    assert_int_equal(o.code, -TBUS_ECORRUPT);
    assert_int_equal(o.records, count - 1);
}

static void whole_records_gone_from_an_unfinished_segment_with_a_successor_are_missed(void **state)
{
    scratch_t *s = *state;
    uint64_t offsets[600];
    char path[PATH_BYTES + 16];
    static const uint8_t zeros[512];
    write_journal(s->journal, SMALL_SEGMENT, 1000);
    unsigned count = record_offsets(s->journal, offsets, 599);
    segment_path(s->journal, 1, path);
    int fd = open(path, O_RDWR);
    /* As if that page and the header's mark never came to the disk, though the next segment, which
     * is synced later, did. */
    assert_int_equal(
        pwrite(fd, zeros, offsets[count] - offsets[count - 1], (off_t)offsets[count - 1]),
        offsets[count] - offsets[count - 1]);
    assert_int_equal(pwrite(fd, zeros, 8, offsetof(tbus_journal_header_t, closed)), 8);
    close(fd);
    outcome_t o = read_journal(s->journal);
    assert_int_equal(o.code, 0);
    assert_int_equal(o.records, count - 1);
    assert_int_equal(o.end, TBUS_JOURNAL_BROKEN);
}

static void a_record_of_another_session_or_place_is_not_taken_for_one_of_ours(void **state)
{
    scratch_t *s = *state;
    char ours[PATH_BYTES + 16];
    char theirs[PATH_BYTES + 16];
    uint64_t offsets[32];
    uint8_t old[400];
    write_and_be_killed(s->journal, SMALL_SEGMENT, 8);
    write_and_be_killed(s->other, SMALL_SEGMENT, 12);
    segment_path(s->journal, 1, ours);
    segment_path(s->other, 1, theirs);
    unsigned count = record_offsets(s->other, offsets, 31);
    assert_int_equal(count, 12);
    int from = open(theirs, O_RDONLY);
    int to = open(ours, O_RDWR);
    size_t bytes = offsets[9] - offsets[8];
    assert_int_equal(pread(from, old, bytes, (off_t)offsets[8]), bytes);
    assert_int_equal(pwrite(to, old, bytes, (off_t)offsets[8]), bytes);
    outcome_t o = read_journal(s->journal);
    assert_int_equal(o.code, 0);
    assert_int_equal(o.records, 8);
    assert_int_equal(o.end, TBUS_JOURNAL_TORN);
    assert_true(o.torn_bytes > 0 && o.torn_bytes <= bytes);

    /* One of our own, a second time. */
    bytes = offsets[8] - offsets[7];
    assert_int_equal(pread(to, old, bytes, (off_t)offsets[7]), bytes);
    assert_int_equal(pwrite(to, old, bytes, (off_t)offsets[8]), bytes);
    o = read_journal(s->journal);
    assert_int_equal(o.code, 0);
    assert_int_equal(o.records, 8);
    close(from);
    close(to);
}

/* Flip the bits of the first segment in turn. Each is noticed: refused, or (only without a mark
 * that the segment is finished, and only behind the last record but one) counted as torn; and what
 * was before it is read. */
static void check_every_flip(const char *directory, bool finished)
{
    uint64_t offsets[32];
    char path[PATH_BYTES + 16];
    unsigned count = record_offsets(directory, offsets, 31);
    segment_path(directory, 1, path);
    /* an unfinished one: not all those zeros */
    assert_int_equal(truncate(path, (off_t)offsets[count]), 0);
    unsigned refused_flips = 0;
    unsigned torn_flips = 0;
    /* Headers are the same in both: once is enough, and of their padding every 61st. */
    uint64_t padding = 8 * offsetof(tbus_journal_header_t, pad1);
    uint64_t bit = finished ? 0 : 8 * TBUS_JOURNAL_HEADER_BYTES;
    for (; bit < 8 * offsets[count];
         bit += bit >= padding && bit + 61 < 8 * TBUS_JOURNAL_HEADER_BYTES ? 61 : 1) {
        flip(path, bit);
        outcome_t o = read_journal(directory);
        unsigned damaged = 0; /* the record that the bit is in */
        while (bit / 8 >= TBUS_JOURNAL_HEADER_BYTES && offsets[damaged + 1] <= bit / 8)
            damaged++;
        if (o.code == 0) {
            if (finished || o.end != TBUS_JOURNAL_TORN || o.torn_bytes == 0 || damaged != count - 1)
                fail_msg("bit %llu went unnoticed", (unsigned long long)bit);
            torn_flips++;
        } else {
            refused_flips++;
        }
        if (bit / 8 >= TBUS_JOURNAL_HEADER_BYTES)
            assert_int_equal(o.records, damaged);
        flip(path, bit);
    }
    printf("%u flips refused, %u counted as torn\n", refused_flips, torn_flips);
    assert_int_equal(read_journal(directory).records, count);
}

static void every_flipped_bit_of_a_finished_segment_is_refused(void **state)
{
    scratch_t *s = *state;
    write_journal(s->journal, SMALL_SEGMENT, 6);
    check_every_flip(s->journal, true);
}

static void every_flipped_bit_of_an_unfinished_segment_is_refused_or_counted_as_torn(void **state)
{
    scratch_t *s = *state;
    write_and_be_killed(s->journal, SMALL_SEGMENT, 6);
    check_every_flip(s->journal, false);
}

/* --- a segment that is full, cut and flipped everywhere: TICKBUS_FULL_SEGMENT=1; else here and
 * there --- */

#define FULL_RECORDS_MAX 600u

static uint64_t full_step(uint64_t step)
{
    return getenv("TICKBUS_FULL_SEGMENT") ? 1 : step;
}

/* As many messages as one segment of 64 KiB holds, closed. Returns how many. */
static unsigned fill_segment(const char *directory, uint64_t offsets[FULL_RECORDS_MAX + 1])
{
    uint64_t at = TBUS_JOURNAL_HEADER_BYTES;
    unsigned count = 0;
    for (;; count++) {
        message_t m = message_of(count);
        offsets[count] = at;
        at += tbus_journal_padded(TBUS_JOURNAL_RECORD_HEADER + m.bytes);
        if (at > SMALL_SEGMENT)
            break;
        assert_true(count < FULL_RECORDS_MAX);
    }
    write_journal(directory, SMALL_SEGMENT, count);
    return count;
}

static void a_full_segment_cut_anywhere_gives_its_whole_records(void **state)
{
    scratch_t *s = *state;
    uint64_t offsets[FULL_RECORDS_MAX + 1];
    char path[PATH_BYTES + 16];
    unsigned count = fill_segment(s->journal, offsets), whole = count, cuts = 0;
    segment_path(s->journal, 1, path);
    assert_int_equal(size_of(path), offsets[count]);
    for (uint64_t cut = offsets[count] - 1;; cut -= full_step(61)) {
        assert_int_equal(truncate(path, (off_t)cut), 0);
        while (whole && offsets[whole] > cut)
            whole--;
        outcome_t o = read_journal(s->journal);
        bool headless = cut < TBUS_JOURNAL_HEADER_BYTES;
        if (o.code != (headless ? -TBUS_ETRUNCATED : 0))
            fail_msg("cut at %llu: %s", (unsigned long long)cut, o.err.text);
        assert_int_equal(o.records, headless ? 0 : whole);
        assert_true(headless || o.end == TBUS_JOURNAL_TORN);
        assert_true(headless || o.torn_bytes == offsets[count] - offsets[whole]);
        cuts++;
        if (cut < full_step(61))
            break;
    }
    printf("%u cuts of a segment of %llu bytes\n", cuts, (unsigned long long)offsets[count]);
}

static void a_full_segment_flipped_anywhere_is_refused_and_what_lies_before_is_read(void **state)
{
    scratch_t *s = *state;
    uint64_t offsets[FULL_RECORDS_MAX + 1];
    char path[PATH_BYTES + 16];
    unsigned count = fill_segment(s->journal, offsets), damaged = 0, flips = 0;
    segment_path(s->journal, 1, path);
    for (uint64_t bit = 0; bit < 8 * offsets[count]; bit += full_step(1009)) {
        flip(path, bit);
        outcome_t o = read_journal(s->journal);
        flip(path, bit);
        while (offsets[damaged + 1] <= bit / 8)
            damaged++;
        if (o.code >= 0)
            fail_msg("bit %llu went unnoticed", (unsigned long long)bit);
        if (bit / 8 >= TBUS_JOURNAL_HEADER_BYTES)
            assert_int_equal(o.records, damaged);
        flips++;
    }
    printf("%u flips of a segment of %llu bytes\n", flips, (unsigned long long)offsets[count]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)
    const struct CMUnitTest tests[] = {
        TEST(a_finished_segment_cut_at_any_byte_gives_its_whole_records_and_counts_the_rest),
        TEST(an_unfinished_segment_cut_at_any_byte_gives_its_whole_records),
        TEST(a_last_segment_cut_within_its_header_costs_its_own_records_only),
        TEST(a_killed_writer_leaves_all_that_it_appended),
        TEST(a_segment_made_ready_and_never_used_is_no_part_of_the_journal),
        TEST(damage_in_the_middle_is_refused_by_segment_and_offset),
        TEST(whole_records_gone_from_an_unfinished_segment_with_a_successor_are_missed),
        TEST(a_record_of_another_session_or_place_is_not_taken_for_one_of_ours),
        TEST(every_flipped_bit_of_a_finished_segment_is_refused),
        TEST(every_flipped_bit_of_an_unfinished_segment_is_refused_or_counted_as_torn),
        TEST(a_full_segment_cut_anywhere_gives_its_whole_records),
        TEST(a_full_segment_flipped_anywhere_is_refused_and_what_lies_before_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
