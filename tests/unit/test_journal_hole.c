/* SPDX-License-Identifier: Apache-2.0 */
/* A journal that goes on when the disk is full: what it leaves out, what it says of that, and that
 * it records again when there is room.
 *
 * posix_fallocate is intercepted by a definition of the same name in this program, which the static
 * library is linked against: it is the disk that is full. */
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
#include <sys/syscall.h>
#include <unistd.h>

#include <tickbus/journal.h>

#include "tests/unit/journal_scratch.h"

enum { MD, ORDERS, TOPICS };

static tbus_atomic_u32_t full; /* the error with which no more blocks are given; 0: there are */

int posix_fallocate(int fd, off_t offset, off_t bytes)
{
    uint32_t code = tbus_load_relaxed_u32(&full);
    if (code)
        return (int)code;
    return syscall(SYS_fallocate, fd, 0, offset, bytes) == 0 ? 0 : errno;
}

static int set_up(void **state)
{
    tbus_store_relaxed_u32(&full, 0);
    return make_scratch(state);
}

static tbus_journal_spec_t spec_for(const scratch_t *s)
{
    return (tbus_journal_spec_t){
        .directory = s->journal,
        .segment_bytes = TBUS_JOURNAL_SEGMENT_BYTES_MIN,
        .topics_count = TOPICS,
        .topics = {[MD] = {"md", "tick", 1, 0, 0, 0}, [ORDERS] = {"orders", "order", 1, 0, 0, 0}},
        .go_on_when_full = true};
}

static tbus_journal_writer_t *open_writer(const tbus_journal_spec_t *spec)
{
    tbus_journal_writer_t *w = NULL;
    tbus_error_t err = {0};
    if (tbus_journal_writer_open(spec, &w, &err) < 0)
        fail_msg("%s", err.text);
    return w;
}

static int append(tbus_journal_writer_t *w, uint16_t topic, uint64_t seq)
{
    static const unsigned char payload[512];
    return tbus_journal_writer_append(w, topic, seq, seq, payload, sizeof payload);
}

/* Messages of md from `*seq` + 1 on until append says `code`. Returns the first that it said so of,
 * which *seq becomes as well. */
static uint64_t append_until(tbus_journal_writer_t *w, uint64_t *seq, int code)
{
    int said;
    do {
        said = append(w, MD, ++*seq);
        assert_true(said >= 0);
    } while (said != code);
    return *seq;
}

typedef struct read_back {
    uint64_t md[3][2]; /* stretches of md: first and last sequence */
    unsigned stretches;
    unsigned holes;
    char text[2][512];       /* of the holes */
    uint32_t hole_before[2]; /* the stretch that it stands before */
    enum tbus_journal_end end;
} read_back_t;

static read_back_t read_back(const scratch_t *s)
{
    read_back_t b = {0};
    tbus_journal_reader_t *r = NULL;
    tbus_journal_record_t record;
    tbus_journal_piece_t piece;
    tbus_error_t err = {0};
    if (tbus_journal_reader_open(s->journal, &r, &err) < 0)
        fail_msg("%s", err.text);
    tbus_journal_reader_show_session(r);
    int code;
    while ((code = tbus_journal_reader_next(r, &record, &err)) == 1) {
        if (tbus_journal_record_piece(&record, &piece) && piece.kind == TBUS_JOURNAL_HOLE) {
            assert_false(piece.more);
            assert_true(b.holes < 2 && piece.bytes < sizeof b.text[0]);
            memcpy(b.text[b.holes], piece.data, piece.bytes);
            b.hole_before[b.holes++] = b.stretches;
        } else if (record.topic == MD) {
            if (b.stretches == 0 || record.seq != b.md[b.stretches - 1][1] + 1) {
                assert_true(b.stretches < 3);
                b.md[b.stretches++][0] = record.seq;
            }
            b.md[b.stretches - 1][1] = record.seq;
        }
    }
    if (code < 0)
        fail_msg("%s", err.text);
    b.end = tbus_journal_reader_end(r);
    tbus_journal_reader_close(r);
    return b;
}

static void what_there_was_no_room_for_is_named_and_recording_goes_on(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_spec_t spec = spec_for(s);
    tbus_journal_writer_t *w = open_writer(&spec);
    char expected[256];
    uint64_t seq = 0;
    assert_true(tbus_journal_writer_has_room(w));
    tbus_store_relaxed_u32(&full, ENOSPC);
    uint64_t from = append_until(w, &seq, 1);
    assert_false(tbus_journal_writer_has_room(w));
    assert_int_equal(append(w, ORDERS, 7), 1);
    assert_int_equal(append(w, ORDERS, 8), 1);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(append(w, MD, ++seq), 1);
    tbus_store_relaxed_u32(&full, 0);
    uint64_t to = append_until(w, &seq, 0) - 1;
    assert_true(tbus_journal_writer_has_room(w));
    assert_int_equal(tbus_journal_writer_missed(w), to - from + 1 + 2);
    assert_int_equal(append(w, MD, ++seq), 0);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);

    read_back_t b = read_back(s);
    assert_int_equal(b.end, TBUS_JOURNAL_CLOSED);
    assert_int_equal(b.stretches, 2);
    assert_int_equal(b.md[0][0], 1);
    assert_int_equal(b.md[0][1], from - 1);
    assert_int_equal(b.md[1][0], to + 1);
    assert_int_equal(b.md[1][1], seq);
    assert_int_equal(b.holes, 1);
    assert_int_equal(b.hole_before[0], 1);
    snprintf(expected, sizeof expected,
             "{\"reason\":\"%s\",\"topics\":[{\"topic\":\"md\",\"from\":%lu,\"to\":%lu},"
             "{\"topic\":\"orders\",\"from\":7,\"to\":8}]}",
             strerror(ENOSPC), (unsigned long)from, (unsigned long)to);
    assert_string_equal(b.text[0], expected);
}

static void each_hole_is_named_of_its_own(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_spec_t spec = spec_for(s);
    tbus_journal_writer_t *w = open_writer(&spec);
    uint64_t seq = 0;
    for (unsigned i = 0; i < 2; i++) {
        tbus_store_relaxed_u32(&full, i ? EDQUOT : ENOSPC);
        append_until(w, &seq, 1);
        tbus_store_relaxed_u32(&full, 0);
        append_until(w, &seq, 0);
    }
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    read_back_t b = read_back(s);
    assert_int_equal(b.stretches, 3);
    assert_int_equal(b.holes, 2);
    assert_int_equal(b.hole_before[1], 2);
    assert_non_null(strstr(b.text[1], strerror(EDQUOT)));
}

static void a_session_that_ends_without_room_says_so_in_its_last_segment(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_spec_t spec = spec_for(s);
    tbus_journal_writer_t *w = open_writer(&spec);
    char expected[64];
    uint64_t seq = 0;
    tbus_store_relaxed_u32(&full, ENOSPC);
    uint64_t from = append_until(w, &seq, 1);
    append_until(w, &seq, 1);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    read_back_t b = read_back(s);
    assert_int_equal(b.end, TBUS_JOURNAL_CLOSED);
    assert_int_equal(b.stretches, 1);
    assert_int_equal(b.holes, 1);
    snprintf(expected, sizeof expected, "\"from\":%lu,\"to\":%lu", (unsigned long)from,
             (unsigned long)seq);
    assert_non_null(strstr(b.text[0], expected));
}

static void what_was_left_out_is_not_called_durable_before_something_after_it_is(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_spec_t spec = spec_for(s);
    spec.durability = TBUS_JOURNAL_SYNC_BATCH;
    tbus_journal_writer_t *w = open_writer(&spec);
    uint64_t seq = 0;
    tbus_store_relaxed_u32(&full, ENOSPC);
    uint64_t from = append_until(w, &seq, 1);
    while (tbus_journal_writer_durable(w, MD) < from - 1)
        sched_yield();
    append_until(w, &seq, 1);
    assert_int_equal(tbus_journal_writer_durable(w, MD), from - 1);
    tbus_store_relaxed_u32(&full, 0);
    append_until(w, &seq, 0);
    while (tbus_journal_writer_durable(w, MD) < seq)
        sched_yield();
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
}

static void at_midnight_without_room_the_segment_goes_on(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_spec_t spec = spec_for(s);
    spec.roll_by_day = true;
    tbus_journal_writer_t *w = open_writer(&spec);
    assert_int_equal(append(w, MD, 1), 0);
    tbus_store_relaxed_u32(&full, ENOSPC);
    assert_int_equal(tbus_journal_writer_append(w, MD, 2, UINT64_C(86400) * 1000000000, "", 0), 0);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    read_back_t b = read_back(s);
    assert_int_equal(b.stretches, 1);
    assert_int_equal(b.md[0][1], 2);
    assert_int_equal(b.holes, 0);
}

static void another_error_than_a_full_disk_ends_the_recording(void **state)
{
    tbus_journal_spec_t spec = spec_for(*state);
    tbus_journal_writer_t *w = open_writer(&spec);
    uint64_t seq = 0;
    int code;
    tbus_store_relaxed_u32(&full, EIO);
    while ((code = append(w, MD, ++seq)) == 0)
        ;
    assert_int_equal(code, -EIO);
    assert_int_equal(tbus_journal_writer_close(w, NULL), -EIO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, remove_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_there_was_no_room_for_is_named_and_recording_goes_on),
        TEST(each_hole_is_named_of_its_own),
        TEST(a_session_that_ends_without_room_says_so_in_its_last_segment),
        TEST(what_was_left_out_is_not_called_durable_before_something_after_it_is),
        TEST(at_midnight_without_room_the_segment_goes_on),
        TEST(another_error_than_a_full_disk_ends_the_recording),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
