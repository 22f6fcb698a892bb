/* SPDX-License-Identifier: Apache-2.0 */
/* Books at a place of a journal, and checkpoints: caches that may be missing or wrong in any way,
 * and never change which books are made. */
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

#include <tickbus/journal.h>

#include "bus/market/standing.h"
#include "feedsim/synth/synth.h"
#include "tests/unit/journal_scratch.h"
#include "tools/journal/books_at.h"
#include "tools/journal/checkpoint.h"

#define SEGMENT_BYTES (64u << 10)
#define COUNT         9000u
#define FIRST_SEQ     101u /* md need not begin with 1 */
#define FILE_MAX      (256u << 10)

static const market_limits_t limits = {.orders_max = 8192, .levels_max = 8192};

static tick_t ticks[COUNT];

static int make_ticks(void **state)
{
    (void)state;
    synth_t *synth;
    synth_params_t params = {.seed = 3, .symbols = 2, .messages = COUNT};
    assert_int_equal(synth_create(&params, &synth, NULL), 0);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(synth_next(synth, &ticks[i]), 1);
    synth_destroy(synth);
    return 0;
}

/* A session with the ticks, and something of another topic now and then. */
static void record(const char *directory)
{
    tbus_journal_spec_t spec = {
        .directory = directory,
        .bus_name = "test",
        .segment_bytes = SEGMENT_BYTES,
        .topics_count = 2,
        .topics = {{"orders", "order", 1, 0, 0, 0}, {"md", "tick", FIRST_SEQ, TICK_VERSION, 0, 0}}};
    tbus_journal_writer_t *w;
    assert_int_equal(tbus_journal_writer_open(&spec, &w, NULL), 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        if (i % 11 == 0)
            assert_int_equal(tbus_journal_writer_append(w, 0, i / 11 + 1, i, ticks, 48), 0);
        assert_int_equal(
            tbus_journal_writer_append(w, 1, FIRST_SEQ + i, i, &ticks[i], sizeof ticks[i]), 0);
    }
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
}

static void checkpoint_path(const char *journal, uint32_t number, char out_path[PATH_BYTES + 16])
{
    snprintf(out_path, PATH_BYTES + 16, "%s/%08u.tbb", journal, number);
}

/* The number of the last checkpoint at or before a segment; 0: there is none. */
static uint32_t last_checkpoint(const char *journal, uint32_t number)
{
    char path[PATH_BYTES + 16];
    for (; number > 0; number--) {
        checkpoint_path(journal, number, path);
        if (access(path, F_OK) == 0)
            break;
    }
    return number;
}

static size_t read_file(const char *path, unsigned char *into)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t got = read(fd, into, FILE_MAX);
    close(fd);
    assert_true(got > 0 && (size_t)got < FILE_MAX);
    return (size_t)got;
}

static void write_file(const char *path, const unsigned char *from, size_t bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, from, bytes), bytes);
    close(fd);
}

/* The books before tick `at` (an index), made by all ticks. */
static snapshot_t *expected_at(uint32_t at)
{
    market_t *market;
    standing_t *standing;
    snapshot_t *snapshot;
    const market_event_t *event;
    assert_int_equal(market_create(&limits, &market, NULL), 0);
    assert_int_equal(standing_create(&standing, NULL), 0);
    assert_int_equal(snapshot_create(limits.orders_max, &snapshot, NULL), 0);
    for (uint32_t i = 0; i < at; i++) {
        assert_int_equal(market_apply(market, FIRST_SEQ + i, &ticks[i], sizeof(tick_t), &event), 0);
        standing_keep(standing, event, &ticks[i], sizeof(tick_t));
    }
    assert_int_equal(snapshot_take(snapshot, market, standing), 0);
    market_destroy(market);
    standing_destroy(standing);
    return snapshot;
}

static books_at_t made_at(const char *journal, uint32_t at)
{
    books_at_t books;
    tbus_error_t why = {0};
    books_at_request_t request = {
        .directory = journal, .topic = 1, .seq = FIRST_SEQ + at, .limits = limits};
    if (books_at_make(&request, &books, &why) != 1)
        fail_msg("%s", why.text);
    return books;
}

/* Make the books before tick `at`, compare them, and say with which checkpoint it began. */
static uint32_t check_at(const char *journal, uint32_t at)
{
    snapshot_t *wanted = expected_at(at);
    books_at_t books = made_at(journal, at);
    assert_int_equal(books.seq, FIRST_SEQ + at);
    assert_true(books.complete);
    assert_int_equal(snapshot_count(books.snapshot), snapshot_count(wanted));
    for (uint32_t i = 0; i < snapshot_count(wanted); i++) {
        tick_t got, want;
        snapshot_tick(books.snapshot, i, &got);
        snapshot_tick(wanted, i, &want);
        assert_memory_equal(&got, &want, sizeof want);
    }
    if (books.segment == 0)
        assert_int_equal(books.ticks_read, at);
    uint32_t segment = books.segment;
    books_at_clear(&books);
    snapshot_destroy(wanted);
    return segment;
}

static void books_at_a_place_are_the_same_with_and_without_checkpoints(void **state)
{
    scratch_t *s = *state;
    static const uint32_t places[] = {0, 1, 700, 3000, 4321, COUNT - 1};
    record(s->journal);
    assert_int_equal(check_at(s->journal, COUNT / 2), 0);
    for (unsigned round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof places / sizeof *places; i++)
            (void)check_at(s->journal, places[i]);
    books_at_t books = made_at(s->journal, COUNT - 1);
    assert_true(books.segment > 1);
    assert_int_equal(books.segment, last_checkpoint(s->journal, 99));
    assert_true(books.ticks_read < COUNT / 2);
    books_at_clear(&books);
}

static void behind_the_last_tick_there_are_no_books(void **state)
{
    scratch_t *s = *state;
    books_at_t books;
    record(s->journal);
    books_at_request_t request = {
        .directory = s->journal, .topic = 1, .seq = FIRST_SEQ + COUNT, .limits = limits};
    assert_int_equal(books_at_make(&request, &books, NULL), 0);
}

static void a_checkpoint_takes_an_eighth_of_what_was_recorded_since_the_last_or_less(void **state)
{
    scratch_t *s = *state;
    uint32_t made, right, made_again, right_again, found = 0;
    uint64_t since = 0;
    record(s->journal);
    assert_int_equal(books_at_checkpoints(s->journal, &made, &right, NULL), 0);
    assert_true(made >= 2);
    assert_int_equal(right, 0);
    for (uint32_t number = 1;; number++) {
        char path[PATH_BYTES + 16];
        struct stat segment, checkpoint;
        segment_path(s->journal, number, path);
        if (stat(path, &segment) != 0)
            break;
        checkpoint_path(s->journal, number, path);
        if (stat(path, &checkpoint) == 0) {
            assert_true((uint64_t)checkpoint.st_size * 8 <= since);
            since = 0;
            found++;
        }
        since += (uint64_t)segment.st_size;
    }
    assert_int_equal(found, made);
    assert_int_equal(books_at_checkpoints(s->journal, &made_again, &right_again, NULL), 0);
    assert_int_equal(made_again, 0);
    assert_true(right_again >= 1);
}

static void a_checkpoint_with_any_byte_wrong_is_not_used_and_made_anew(void **state)
{
    scratch_t *s = *state;
    static unsigned char whole[FILE_MAX], now[FILE_MAX];
    char path[PATH_BYTES + 16];
    record(s->journal);
    uint32_t made, right, at = COUNT - 1;
    assert_int_equal(books_at_checkpoints(s->journal, &made, &right, NULL), 0);
    uint32_t last = last_checkpoint(s->journal, 99);
    checkpoint_path(s->journal, last, path);
    size_t bytes = read_file(path, whole);
    for (size_t i = 0; i < bytes; i += i < sizeof(checkpoint_header_t) ? 5 : 1009) {
        whole[i] ^= 1u << i % 8;
        write_file(path, whole, bytes);
        whole[i] ^= 1u << i % 8;
        assert_true(check_at(s->journal, at) < last);
        assert_int_equal(read_file(path, now), bytes);
        assert_memory_equal(now, whole, bytes);
    }
    for (size_t cut = 1; cut < bytes; cut += bytes / 5) {
        write_file(path, whole, cut);
        assert_true(check_at(s->journal, at) < last);
    }
    whole[bytes] = 0;
    write_file(path, whole, bytes + 1);
    assert_true(check_at(s->journal, at) < last);
    assert_int_equal(check_at(s->journal, at), last);
}

static void a_checkpoint_of_another_session_segment_or_topic_is_not_used(void **state)
{
    scratch_t *s = *state;
    static unsigned char other[FILE_MAX];
    char path[PATH_BYTES + 16];
    uint32_t made, right;
    record(s->journal);
    record(s->other);
    assert_int_equal(books_at_checkpoints(s->journal, &made, &right, NULL), 0);
    assert_int_equal(books_at_checkpoints(s->other, &made, &right, NULL), 0);
    uint32_t last = last_checkpoint(s->journal, 99);
    checkpoint_path(s->other, last, path);
    size_t bytes = read_file(path, other);
    checkpoint_path(s->journal, last, path);
    write_file(path, other, bytes);
    assert_true(check_at(s->journal, COUNT - 1) < last);
    checkpoint_path(s->journal, last_checkpoint(s->journal, last - 1), path);
    bytes = read_file(path, other);
    checkpoint_path(s->journal, last, path);
    write_file(path, other, bytes);
    assert_true(check_at(s->journal, COUNT - 1) < last);
    tbus_journal_directory_t directory;
    tbus_journal_range_t range;
    checkpoint_t checkpoint;
    assert_int_equal(tbus_journal_directory_open(s->journal, &directory, &range, NULL), 0);
    assert_int_equal(checkpoint_load(&directory, last, 0, &checkpoint), 2);
    assert_int_equal(checkpoint_load(&directory, last, 1, &checkpoint), 1);
    checkpoint_clear(&checkpoint);
    tbus_journal_directory_close(&directory);
}

static void where_no_checkpoint_can_be_written_books_are_made_without(void **state)
{
    scratch_t *s = *state;
    char path[PATH_BYTES + 32];
    uint32_t made, right;
    record(s->journal);
    for (uint32_t number = 1; number < 99; number++) { /* in the place of what would be written */
        snprintf(path, sizeof path, "%s/%08u.tbb.part", s->journal, number);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    assert_int_equal(check_at(s->journal, COUNT - 1), 0);
    assert_int_equal(last_checkpoint(s->journal, 99), 0);
    assert_true(books_at_checkpoints(s->journal, &made, &right, NULL) < 0);
    for (uint32_t number = 1; number < 99; number++) {
        snprintf(path, sizeof path, "%s/%08u.tbb.part", s->journal, number);
        rmdir(path);
    }
}

/* Remove segments from the front until `first` is the first. */
static void prune_to(const char *journal, uint32_t first)
{
    uint32_t last = first, removed;
    char path[PATH_BYTES + 16];
    for (segment_path(journal, last + 1, path); access(path, F_OK) == 0;
         segment_path(journal, last + 1, path))
        last++;
    tbus_journal_limits_t kept = {.keep_segments = last - first + 1};
    assert_int_equal(tbus_journal_prune(journal, &kept, 0, &removed, NULL), 0);
    assert_int_equal(removed, first - 1);
}

static void where_the_beginning_is_gone_a_checkpoint_stands_for_it(void **state)
{
    scratch_t *s = *state;
    char path[PATH_BYTES + 16];
    uint32_t made, right, removed;
    record(s->journal);
    assert_int_equal(books_at_checkpoints(s->journal, &made, &right, NULL), 0);
    uint32_t last = last_checkpoint(s->journal, 99),
             earlier = last_checkpoint(s->journal, last - 1);
    assert_true(earlier > 1);
    prune_to(s->journal, last);
    assert_int_equal(last_checkpoint(s->journal, last - 1), 0); /* gone with their segments */
    assert_int_equal(check_at(s->journal, COUNT - 1), last);
    uint64_t first;
    assert_int_equal(books_at_first(s->journal, 1, &first, NULL), 1);
    assert_int_equal(check_at(s->journal, (uint32_t)(first - FIRST_SEQ)), last);
    /* Without it the books lack what was before, which is said; and none like that is kept. */
    checkpoint_path(s->journal, last, path);
    assert_int_equal(unlink(path), 0);
    books_at_t books = made_at(s->journal, COUNT - 1);
    assert_false(books.complete);
    books_at_clear(&books);
    assert_int_equal(books_at_checkpoints(s->journal, &made, &right, NULL), 0);
    assert_int_equal(made + right, 0);
    tbus_journal_limits_t kept = {.keep_segments = 1};
    assert_int_equal(tbus_journal_prune(s->journal, &kept, 0, &removed, NULL), 0);
}

static void limits_that_are_too_small_and_records_that_are_no_ticks_are_errors(void **state)
{
    scratch_t *s = *state;
    books_at_t books;
    tbus_error_t why = {0};
    record(s->journal);
    books_at_request_t request = {.directory = s->journal,
                                  .topic = 1,
                                  .seq = FIRST_SEQ + COUNT - 1,
                                  .limits = {.orders_max = 16, .levels_max = 8192}};
    assert_int_equal(books_at_make(&request, &books, &why), -TBUS_ELIMIT);
    assert_non_null(strstr(why.text, "books.orders_max"));
    request.topic = 0;
    request.seq = 700;
    request.limits = limits;
    assert_int_equal(books_at_make(&request, &books, &why), -TBUS_ECORRUPT);
}

#define JOURNAL_TEST(f) cmocka_unit_test_setup_teardown(f, make_scratch, remove_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOURNAL_TEST(books_at_a_place_are_the_same_with_and_without_checkpoints),
        JOURNAL_TEST(behind_the_last_tick_there_are_no_books),
        JOURNAL_TEST(a_checkpoint_takes_an_eighth_of_what_was_recorded_since_the_last_or_less),
        JOURNAL_TEST(a_checkpoint_with_any_byte_wrong_is_not_used_and_made_anew),
        JOURNAL_TEST(a_checkpoint_of_another_session_segment_or_topic_is_not_used),
        JOURNAL_TEST(where_no_checkpoint_can_be_written_books_are_made_without),
        JOURNAL_TEST(where_the_beginning_is_gone_a_checkpoint_stands_for_it),
        JOURNAL_TEST(limits_that_are_too_small_and_records_that_are_no_ticks_are_errors),
    };
    return cmocka_run_group_tests(tests, make_ticks, NULL);
}
