/* SPDX-License-Identifier: Apache-2.0 */
/* The index beside a segment: a cache that may be missing or wrong in any way, and never changes
 * what a seek finds. */
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
#include <sys/stat.h>
#include <unistd.h>

#include "bus/journal/index.h"
#include "tests/unit/journal_messages.h"
#include "tests/unit/journal_scratch.h"

#define LARGE_SEGMENT (1u << 20)
#define COUNT         14000u /* in three large segments */
#define SEGMENTS      3u

static void index_path(const char *journal, uint32_t number, char out_path[PATH_BYTES + 16])
{
    snprintf(out_path, PATH_BYTES + 16, "%s/%08u.tbi", journal, number);
}

static bool index_is_there(const char *journal, uint32_t number)
{
    char path[PATH_BYTES + 16];
    index_path(journal, number, path);
    return access(path, F_OK) == 0;
}

static size_t read_index(const char *journal, uint32_t number, unsigned char *into, size_t bytes)
{
    char path[PATH_BYTES + 16];
    index_path(journal, number, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = pread(fd, into, bytes, 0);
    close(fd);
    assert_true(got > 0 && (size_t)got < bytes);
    return (size_t)got;
}

static void write_index(const char *journal, uint32_t number, const unsigned char *from,
                        size_t bytes)
{
    char path[PATH_BYTES + 16];
    index_path(journal, number, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, from, bytes), bytes);
    close(fd);
}

/* Seek to some places that are spread over the journal, each found as it must be. */
static void check_seeks(const char *journal)
{
    tbus_journal_reader_t *r = open_journal(journal);
    for (uint64_t k = 0; k < 7; k++) {
        uint64_t i = (COUNT - 1) * k / 6;
        message_t m = message_at(i);
        assert_int_equal(tbus_journal_reader_seek_seq(r, m.topic, m.seq, NULL), 1);
        expect_message(r, i);
        assert_int_equal(tbus_journal_reader_seek_time(r, m.time_ns, NULL), 1);
        expect_message(r, i / 4 * 4);
    }
    tbus_journal_reader_close(r);
}

static void a_seek_makes_the_indexes_that_it_needs_and_uses_them_afterwards(void **state)
{
    scratch_t *s = *state;
    char path[PATH_BYTES + 16];
    write_messages(s->journal, LARGE_SEGMENT, COUNT);
    assert_false(index_is_there(s->journal, 1));
    check_seeks(s->journal);
    for (uint32_t number = 1; number <= SEGMENTS; number++)
        assert_true(index_is_there(s->journal, number));
    assert_false(index_is_there(s->journal, SEGMENTS + 1));
    /* Damage far before the place is not met: nobody reads there. */
    segment_path(s->journal, 1, path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "\377\377\377", 3, TBUS_JOURNAL_HEADER_BYTES + 2000), 3);
    close(fd);
    tbus_journal_reader_t *r = open_journal(s->journal);
    message_t m = message_at(4000);
    assert_int_equal(tbus_journal_reader_seek_time(r, m.time_ns, NULL), 1);
    expect_rest(r, 4000, COUNT, TBUS_JOURNAL_CLOSED);
    tbus_journal_reader_close(r);
}

static void an_index_with_any_byte_wrong_is_not_used_and_made_anew(void **state)
{
    scratch_t *s = *state;
    static unsigned char whole[8192];
    static unsigned char now[8192];
    write_messages(s->journal, LARGE_SEGMENT, COUNT);
    check_seeks(s->journal);
    size_t bytes = read_index(s->journal, 2, whole, sizeof whole);
    message_t m = message_at(COUNT / 2);
    for (size_t at = 0; at < bytes; at++) {
        whole[at] ^= 1u << at % 8;
        write_index(s->journal, 2, whole, bytes);
        whole[at] ^= 1u << at % 8;
        tbus_journal_reader_t *r = open_journal(s->journal);
        assert_int_equal(tbus_journal_reader_seek_seq(r, m.topic, m.seq, NULL), 1);
        expect_message(r, COUNT / 2);
        tbus_journal_reader_close(r);
        assert_int_equal(read_index(s->journal, 2, now, sizeof now), bytes);
        assert_memory_equal(now, whole, bytes);
    }
    print_message("%zu bytes\n", bytes);
}

static void an_index_that_is_cut_or_about_another_segment_is_not_used(void **state)
{
    scratch_t *s = *state;
    static unsigned char whole[8192];
    static unsigned char other[8192];
    write_messages(s->journal, LARGE_SEGMENT, COUNT);
    write_messages(s->other, LARGE_SEGMENT, COUNT + 300);
    check_seeks(s->journal);
    check_seeks(s->other);
    size_t bytes = read_index(s->journal, 2, whole, sizeof whole);
    for (size_t cut = 0; cut < bytes; cut += 97) {
        write_index(s->journal, 2, whole, cut);
        check_seeks(s->journal);
    }
    /* of another session; of another segment of the same one */
    size_t other_bytes = read_index(s->other, 2, other, sizeof other);
    write_index(s->journal, 2, other, other_bytes);
    check_seeks(s->journal);
    write_index(s->journal, 1, whole, bytes);
    check_seeks(s->journal);
    assert_int_equal(read_index(s->journal, 2, other, sizeof other), bytes);
    assert_memory_equal(other, whole, bytes);
}

/* Make the CRCs right again: what an index says is still held against the segment. */
static void an_entry_that_points_to_no_record_is_not_followed(void **state)
{
    scratch_t *s = *state;
    static unsigned char whole[8192];
    tbus_journal_index_header_t header;
    write_messages(s->journal, LARGE_SEGMENT, COUNT);
    check_seeks(s->journal);
    size_t bytes = read_index(s->journal, 2, whole, sizeof whole);
    memcpy(&header, whole, sizeof header);
    size_t entry_bytes = (TBUS_JOURNAL_INDEX_WORDS + MESSAGE_TOPICS) * 8;
    for (uint32_t k = 0; k < header.entries_count; k++) {
        uint64_t offset;
        memcpy(&offset, whole + sizeof header + k * entry_bytes, 8);
        offset += 8;
        memcpy(whole + sizeof header + k * entry_bytes, &offset, 8);
    }
    header.entries_crc32c = tbus_crc32c(0, whole + sizeof header, bytes - sizeof header);
    header.header_crc32c =
        tbus_crc32c(0, &header, offsetof(tbus_journal_index_header_t, header_crc32c));
    memcpy(whole, &header, sizeof header);
    write_index(s->journal, 2, whole, bytes);
    check_seeks(s->journal);
}

static void without_leave_to_write_a_seek_does_without_the_file(void **state)
{
    scratch_t *s = *state;
    char path[PATH_BYTES + 24];
    write_messages(s->journal, LARGE_SEGMENT, COUNT);
    for (uint32_t number = 1; number <= SEGMENTS; number++) {
        snprintf(path, sizeof path, "%s/%08u.tbi.part", s->journal, number);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    check_seeks(s->journal);
    for (uint32_t number = 1; number <= SEGMENTS; number++)
        assert_false(index_is_there(s->journal, number));
    assert_true(tbus_journal_index_segment(s->journal, 1, NULL) < 0);
}

static void what_a_killed_maker_left_is_taken_over(void **state)
{
    scratch_t *s = *state;
    char path[PATH_BYTES + 24];
    write_messages(s->journal, LARGE_SEGMENT, COUNT);
    snprintf(path, sizeof path, "%s/00000001.tbi.part", s->journal);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "half of it", 10), 10);
    /* it lives */
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &whole), 0);
    assert_int_equal(tbus_journal_index_segment(s->journal, 1, NULL), -EAGAIN);
    close(fd);
    assert_int_equal(tbus_journal_index_segment(s->journal, 1, NULL), 1);
    assert_int_equal(tbus_journal_index_segment(s->journal, 1, NULL), 0);
    assert_int_equal(access(path, F_OK), -1);
    check_seeks(s->journal);
}

static void an_index_is_made_of_finished_and_whole_segments_only(void **state)
{
    scratch_t *s = *state;
    tbus_error_t err = {0};
    char path[PATH_BYTES + 16];
    tbus_journal_writer_t *w = begin_journal(s->journal, LARGE_SEGMENT);
    append_at(w, 0);
    assert_int_equal(tbus_journal_index_segment(s->journal, 1, &err), -EBUSY);
    assert_int_equal(tbus_journal_index_segment(s->journal, 7, &err), -TBUS_ENOTFOUND);
    for (uint64_t i = 1; i < COUNT; i++)
        append_at(w, i);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    assert_int_equal(tbus_journal_index_segment(s->journal, 1, &err), 1);
    segment_path(s->journal, 2, path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "\377\377\377", 3, TBUS_JOURNAL_HEADER_BYTES + 2000), 3);
    close(fd);
    assert_int_equal(tbus_journal_index_segment(s->journal, 2, &err), -TBUS_ECORRUPT);
    assert_false(index_is_there(s->journal, 2));
}

static void a_journal_that_is_written_is_sought_as_far_as_it_goes(void **state)
{
    scratch_t *s = *state;
    tbus_journal_writer_t *w = begin_journal(s->journal, LARGE_SEGMENT);
    uint64_t written = 0;
    append_at(w, written++);
    tbus_journal_reader_t *r = open_journal(s->journal);
    while (written < COUNT) {
        for (uint64_t k = 0; k < 997 && written < COUNT; k++)
            append_at(w, written++);
        for (uint64_t i = 0; i < written; i += 211) {
            message_t m = message_at(i);
            assert_int_equal(tbus_journal_reader_seek_seq(r, m.topic, m.seq, NULL), 1);
            expect_message(r, i);
        }
        message_t next = message_at(written);
        uint64_t none = next.topic == 0 ? next.seq : message_at(written + 1).seq;
        assert_int_equal(tbus_journal_reader_seek_seq(r, 0, none, NULL), 0);
        assert_int_equal(tbus_journal_reader_end(r), TBUS_JOURNAL_LIVE);
    }
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    tbus_journal_reader_close(r);
}

static void what_may_stand_in_a_damaged_part_is_not_passed_over_in_silence(void **state)
{
    scratch_t *s = *state;
    tbus_journal_record_t record;
    tbus_error_t err = {0};
    const tbus_journal_damage_t *places;
    char path[PATH_BYTES + 16];
    write_messages(s->journal, SMALL_SEGMENT, COUNT);
    /* the 6000th record, and with it the way to those behind it in its segment */
    tbus_journal_reader_t *r = open_journal(s->journal);
    for (uint64_t i = 0; i <= 6000; i++)
        assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 1);
    segment_path(s->journal, record.segment, path);
    uint32_t number = record.segment;
    uint64_t offset = record.offset;
    uint64_t behind = 6001; /* the first of the next segment */
    while (tbus_journal_reader_next(r, &record, NULL) == 1 && record.segment == number)
        behind++;
    tbus_journal_reader_close(r);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "\377", 1, (off_t)offset + 9), 1);
    close(fd);

    for (int skip = 0; skip < 2; skip++) {
        r = open_journal(s->journal);
        if (skip)
            tbus_journal_reader_skip_damage(r);
        /* before it, far behind it, and behind it in the same segment */
        const uint64_t around[] = {5990, behind + 10, 9000};
        for (unsigned k = 0; k < 3; k++) {
            message_t m = message_at(around[k]);
            assert_int_equal(tbus_journal_reader_seek_seq(r, m.topic, m.seq, NULL), 1);
            expect_message(r, around[k]);
        }
        message_t m = message_at(6003);
        int code = tbus_journal_reader_seek_seq(r, m.topic, m.seq, &err);
        assert_int_equal(code, skip ? 1 : -TBUS_ECORRUPT);
        if (skip) {
            expect_rest(r, 6003, COUNT, TBUS_JOURNAL_CLOSED);
            assert_int_equal(tbus_journal_reader_damage(r, &places), 1);
            assert_int_equal(places[0].offset, offset);
        }
        tbus_journal_reader_close(r);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)
    const struct CMUnitTest tests[] = {
        TEST(a_seek_makes_the_indexes_that_it_needs_and_uses_them_afterwards),
        TEST(an_index_with_any_byte_wrong_is_not_used_and_made_anew),
        TEST(an_index_that_is_cut_or_about_another_segment_is_not_used),
        TEST(an_entry_that_points_to_no_record_is_not_followed),
        TEST(without_leave_to_write_a_seek_does_without_the_file),
        TEST(what_a_killed_maker_left_is_taken_over),
        TEST(an_index_is_made_of_finished_and_whole_segments_only),
        TEST(a_journal_that_is_written_is_sought_as_far_as_it_goes),
        TEST(what_may_stand_in_a_damaged_part_is_not_passed_over_in_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
