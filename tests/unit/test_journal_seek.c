/* SPDX-License-Identifier: Apache-2.0 */
/* Going to a place of a journal, one whose front is gone, and one that is damaged: what is read
 * from there on is what a reading from the beginning gives. */
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
#include <unistd.h>

#include "tests/unit/journal_messages.h"
#include "tests/unit/journal_scratch.h"

#define COUNT 12000u /* in some 35 segments */

/* The place of the first message that is to be found, COUNT if there is none. */
static uint64_t first_of(uint16_t topic, uint64_t seq)
{
    uint64_t i = 0;
    while (i < COUNT && (message_at(i).topic != topic || message_at(i).seq < seq))
        i++;
    return i;
}

static uint64_t first_at(uint64_t time_ns)
{
    uint64_t i = 0;
    while (i < COUNT && message_at(i).time_ns < time_ns)
        i++;
    return i;
}

static void check_seek_seq(tbus_journal_reader_t *r, uint16_t topic, uint64_t seq)
{
    uint64_t i = first_of(topic, seq);
    assert_int_equal(tbus_journal_reader_seek_seq(r, topic, seq, NULL), i < COUNT);
    for (uint64_t k = i; k < COUNT && k < i + 30; k++)
        expect_message(r, k);
}

static void a_seek_by_sequence_finds_the_first_record_and_all_behind_it(void **state)
{
    scratch_t *s = *state;
    write_messages(s->journal, SMALL_SEGMENT, COUNT);
    tbus_journal_reader_t *r = open_journal(s->journal);
    for (uint16_t topic = 0; topic < MESSAGE_TOPICS; topic++) {
        uint64_t first = message_at(topic == 0 ? 1 : topic == 1 ? 7 : 0).seq;
        uint64_t last = first + messages_of_topic(topic, COUNT) - 1;
        const uint64_t places[] = {0,    first,    first + 1, (first + last) / 2, last - 1,
                                   last, last + 1, first,     UINT64_MAX};
        for (unsigned k = 0; k < sizeof places / sizeof places[0]; k++)
            check_seek_seq(r, topic, places[k]);
    }
    for (uint64_t i = 0; i < COUNT; i += 977)
        check_seek_seq(r, message_at(i).topic, message_at(i).seq);
    assert_int_equal(tbus_journal_reader_seek_seq(r, MESSAGE_TOPICS, 1, NULL), -EINVAL);
    tbus_journal_reader_close(r);
}

static void a_seek_by_time_finds_the_first_record_and_all_behind_it(void **state)
{
    scratch_t *s = *state;
    write_messages(s->journal, SMALL_SEGMENT, COUNT);
    tbus_journal_reader_t *r = open_journal(s->journal);
    uint64_t last = message_at(COUNT - 1).time_ns;
    for (uint64_t time_ns = 0; time_ns <= last + 1; time_ns += (last + 1) / 13) {
        uint64_t i = first_at(time_ns);
        assert_int_equal(tbus_journal_reader_seek_time(r, time_ns, NULL), i < COUNT);
        for (uint64_t k = i; k < COUNT && k < i + 30; k++)
            expect_message(r, k);
    }
    assert_int_equal(tbus_journal_reader_seek_time(r, last + 1, NULL), 0);
    tbus_journal_reader_close(r);
}

static void what_follows_a_seek_is_checked_to_the_end_of_the_session(void **state)
{
    scratch_t *s = *state;
    uint8_t digest[32];
    write_messages(s->journal, SMALL_SEGMENT, COUNT);
    tbus_journal_reader_t *r = open_journal(s->journal);
    uint32_t segments = tbus_journal_reader_info(r)->segments;
    tbus_journal_reader_check_seals(r);
    expect_rest(r, 0, COUNT, TBUS_JOURNAL_CLOSED);
    assert_int_equal(tbus_journal_reader_seals(r, digest), segments);
    /* again, from the middle: half of the seals, and the last one is the same */
    uint8_t half[32];
    uint64_t i = first_at(message_at(COUNT / 2).time_ns);
    assert_int_equal(tbus_journal_reader_seek_time(r, message_at(i).time_ns, NULL), 1);
    expect_rest(r, i, COUNT, TBUS_JOURNAL_CLOSED);
    uint32_t sealed = tbus_journal_reader_seals(r, half);
    assert_in_range(sealed, segments / 2 - 4, segments / 2 + 4);
    assert_memory_equal(half, digest, 32);
    tbus_journal_reader_close(r);
}

static void remove_segment(const char *journal, uint32_t number)
{
    char path[PATH_BYTES + 16];
    segment_path(journal, number, path);
    assert_int_equal(unlink(path), 0);
}

/* The i of the first record in a segment. */
static uint64_t first_in(const char *journal, uint32_t number)
{
    char path[PATH_BYTES + 16];
    tbus_journal_header_t header;
    segment_path(journal, number, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, &header, sizeof header, 0), sizeof header);
    close(fd);
    return header.first_record - 1; /* one is about the session */
}

static void a_session_whose_front_is_gone_begins_where_it_begins_and_says_so(void **state)
{
    scratch_t *s = *state;
    uint8_t digest[32];
    write_messages(s->journal, SMALL_SEGMENT, COUNT);
    tbus_journal_reader_t *r = open_journal(s->journal);
    uint32_t segments = tbus_journal_reader_info(r)->segments;
    assert_int_equal(tbus_journal_reader_info(r)->first_segment, 1);
    tbus_journal_reader_close(r);
    for (uint32_t number = 1; number < 6; number++)
        remove_segment(s->journal, number);
    r = open_journal(s->journal);
    assert_int_equal(tbus_journal_reader_info(r)->first_segment, 6);
    assert_int_equal(tbus_journal_reader_info(r)->segments, segments - 5);
    uint64_t i = first_in(s->journal, 6);
    tbus_journal_reader_check_seals(r);
    expect_rest(r, i, COUNT, TBUS_JOURNAL_CLOSED);
    assert_int_equal(tbus_journal_reader_seals(r, digest), segments - 5);
    assert_int_equal(tbus_journal_reader_missed(r), 0);
    assert_int_equal(tbus_journal_reader_seek_time(r, 0, NULL), 1);
    expect_message(r, i);
    tbus_journal_reader_close(r);

    tbus_error_t err = {0};
    remove_segment(s->journal, 9);
    assert_int_equal(tbus_journal_reader_open(s->journal, &r, &err), -TBUS_ECORRUPT);
    assert_non_null(strstr(err.text, "segment 00000009.tbj"));
}

static void a_reader_that_retention_overtakes_says_how_many_records_it_missed(void **state)
{
    scratch_t *s = *state;
    write_messages(s->journal, SMALL_SEGMENT, COUNT);
    tbus_journal_reader_t *r = open_journal(s->journal);
    for (uint64_t i = 0; i < 10; i++)
        expect_message(r, i);
    uint64_t behind = first_in(s->journal, 2);
    for (uint32_t number = 1; number < 9; number++)
        remove_segment(s->journal, number);
    for (uint64_t i = 10; i < behind; i++)
        expect_message(r, i);
    uint64_t ahead = first_in(s->journal, 9);
    expect_rest(r, ahead, COUNT, TBUS_JOURNAL_CLOSED);
    assert_int_equal(tbus_journal_reader_missed(r), ahead - behind);
    tbus_journal_reader_close(r);
}

static bool may_be_removed(const char *journal, uint32_t number)
{
    char path[PATH_BYTES + 16];
    struct flock byte = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1};
    segment_path(journal, number, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool may = fcntl(fd, F_OFD_SETLK, &byte) == 0;
    close(fd);
    return may;
}

static void a_reader_holds_the_segment_that_it_reads_and_no_other(void **state)
{
    scratch_t *s = *state;
    write_messages(s->journal, SMALL_SEGMENT, COUNT);
    tbus_journal_reader_t *r = open_journal(s->journal);
    assert_false(may_be_removed(s->journal, 1));
    assert_true(may_be_removed(s->journal, 2));
    for (uint64_t i = 0; i <= first_in(s->journal, 2); i++)
        expect_message(r, i);
    assert_true(may_be_removed(s->journal, 1));
    assert_false(may_be_removed(s->journal, 2));
    tbus_journal_reader_close(r);
    assert_true(may_be_removed(s->journal, 2));
}

static void flip(const char *journal, uint32_t number, uint64_t offset)
{
    char path[PATH_BYTES + 16];
    unsigned char byte;
    segment_path(journal, number, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
    close(fd);
}

static void damage_is_passed_over_and_its_places_are_told(void **state)
{
    scratch_t *s = *state;
    const tbus_journal_damage_t *places;
    tbus_journal_record_t record;
    tbus_error_t err = {0};
    write_messages(s->journal, SMALL_SEGMENT, COUNT);
    tbus_journal_reader_t *r = open_journal(s->journal);
    uint64_t offset = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 1);
        offset = record.offset;
    }
    uint32_t number = record.segment;
    uint64_t bytes = tbus_journal_padded(TBUS_JOURNAL_RECORD_HEADER + record.bytes);
    tbus_journal_reader_close(r);
    flip(s->journal, number, offset + 20);

    r = open_journal(s->journal);
    for (uint64_t i = 0; i < 999; i++)
        expect_message(r, i);
    assert_int_equal(tbus_journal_reader_next(r, &record, &err), -TBUS_ECORRUPT);
    tbus_journal_reader_close(r);

    r = open_journal(s->journal);
    tbus_journal_reader_skip_damage(r);
    for (uint64_t i = 0; i < 999; i++)
        expect_message(r, i);
    expect_rest(r, 1000, COUNT, TBUS_JOURNAL_CLOSED);
    assert_int_equal(tbus_journal_reader_damage(r, &places), 1);
    assert_int_equal(places[0].segment, number);
    assert_int_equal(places[0].offset, offset);
    assert_int_equal(places[0].bytes, bytes);
    tbus_journal_reader_close(r);
}

/* And in those of which only the header cannot. */
static void places_are_found_around_segments_that_cannot_be_read(void **state)
{
    char path[PATH_BYTES + 16];
    scratch_t *s = *state;
    tbus_journal_record_t record;
    const tbus_journal_damage_t *places;
    tbus_journal_reader_t *r = NULL;
    write_messages(s->journal, SMALL_SEGMENT, COUNT);
    uint64_t first[25];
    for (uint32_t number = 1; number < 25; number++)
        first[number] = number == 1 ? 0 : first_in(s->journal, number);
    flip(s->journal, 1, 200);
    flip(s->journal, 10, 200);
    flip(s->journal, 5, 200);
    segment_path(s->journal, 5, path);
    assert_int_equal(truncate(path, TBUS_JOURNAL_HEADER_BYTES), 0);
    remove_segment(s->journal, 20);
    assert_int_equal(tbus_journal_reader_open_damaged(s->journal, &r, NULL), 0);
    static const struct {
        uint32_t asked;
        uint32_t found;
    } rows[] = {{15, 15}, {1, 1},   {10, 10}, {5, 6},   {9, 9},
                {11, 11}, {20, 21}, {19, 19}, {21, 21}, {2, 2}};
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        message_t m = message_at(first[rows[i].asked] + 1);
        uint64_t found = first[rows[i].found] + (rows[i].asked == rows[i].found);
        while (message_at(found).topic != m.topic)
            found++;
        assert_int_equal(tbus_journal_reader_seek_seq(r, m.topic, m.seq, NULL), 1);
        expect_message(r, found);
        assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 1);
    }
    assert_int_equal(tbus_journal_reader_seek_time(r, 0, NULL), 1);
    uint64_t count = 0;
    while (tbus_journal_reader_next(r, &record, NULL) == 1)
        count++;
    assert_int_equal(count, COUNT - (first[6] - first[5]) - (first[21] - first[20]));
    assert_int_equal(tbus_journal_reader_damage(r, &places), 4);
    tbus_journal_reader_close(r);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)
    const struct CMUnitTest tests[] = {
        TEST(a_seek_by_sequence_finds_the_first_record_and_all_behind_it),
        TEST(a_seek_by_time_finds_the_first_record_and_all_behind_it),
        TEST(what_follows_a_seek_is_checked_to_the_end_of_the_session),
        TEST(a_session_whose_front_is_gone_begins_where_it_begins_and_says_so),
        TEST(a_reader_that_retention_overtakes_says_how_many_records_it_missed),
        TEST(a_reader_holds_the_segment_that_it_reads_and_no_other),
        TEST(damage_is_passed_over_and_its_places_are_told),
        TEST(places_are_found_around_segments_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
