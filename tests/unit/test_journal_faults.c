/* SPDX-License-Identifier: Apache-2.0 */
/* Every system call of the journal's writer that can fail on a bad day, failed once at each place
 * where it is made: the error is reported, what append had returned for is in the journal, and
 * nothing leaks.
 */
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
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tickbus/atomic.h>
#include <tickbus/journal.h>

#include "tests/support/program.h"
#include "tests/unit/journal_calls.h"
#include "tests/unit/journal_scratch.h"

/* --- sessions --- */

#define SEGMENT_BYTES (64u << 10)
#define RECORDS       1500u /* about four segments */

static int end(void **state)
{
    inject(CALLS, 0, false, 0);
    return remove_scratch(state);
}

typedef struct session {
    int created;
    int appended; /* the first error of append */
    int closed;
    uint64_t records; /* that append returned 0 for */
    uint64_t durable; /* what was last said to be on the disk */
    tbus_error_t err;
} session_t;

static void fill(uint64_t seq, uint8_t payload[128])
{
    memset(payload, (int)(seq % 251), 128);
    memcpy(payload, &seq, sizeof seq);
}

static session_t record_session(const char *directory, enum tbus_journal_durability durability)
{
    session_t session = {0};
    tbus_atomic_u64_t durable = {0};
    tbus_journal_spec_t spec = {.directory = directory,
                                .bus_name = "faults",
                                .segment_bytes = SEGMENT_BYTES,
                                .topics_count = 1,
                                .topics = {{"md", "tick", 1, 0, 0, 0}},
                                .durability = durability,
                                .durable = {&durable}};
    tbus_journal_writer_t *w = NULL;
    session.created = tbus_journal_writer_open(&spec, &w, &session.err);
    if (session.created < 0)
        return session;
    for (uint64_t seq = 1; seq <= RECORDS && session.appended == 0; seq++) {
        uint8_t payload[128];
        fill(seq, payload);
        session.appended = tbus_journal_writer_append(w, 0, seq, 0, payload, sizeof payload);
        session.records += session.appended == 0;
    }
    if (session.appended < 0)
        assert_int_equal(tbus_journal_writer_error(w)->code, session.appended);
    session.closed = tbus_journal_writer_close(w, &session.err);
    session.durable = tbus_load_relaxed_u64(&durable);
    return session;
}

/* Exactly what append returned for is there; it is called closed if and only if close had nothing
 * to say. */
static enum tbus_journal_end check_records(const scratch_t *s, uint64_t expected, bool whole,
                                           const char *when)
{
    tbus_journal_reader_t *r = NULL;
    tbus_journal_record_t record;
    tbus_error_t err = {0};
    uint64_t seq = 0;
    int code;
    if (tbus_journal_reader_open(s->journal, &r, &err) < 0)
        fail_msg("%s: %s", when, err.text);
    while ((code = tbus_journal_reader_next(r, &record, &err)) == 1) {
        uint8_t payload[128];
        fill(++seq, payload);
        assert_int_equal(record.seq, seq);
        assert_int_equal(record.bytes, sizeof payload);
        assert_memory_equal(record.payload, payload, sizeof payload);
    }
    if (code < 0)
        fail_msg("%s: %s", when, err.text);
    assert_int_equal(seq, expected);
    enum tbus_journal_end end = tbus_journal_reader_end(r);
    tbus_journal_reader_close(r);
    assert_true((end == TBUS_JOURNAL_CLOSED) == whole);
    return end;
}

/* Fail the first, the second, ... call of this kind until there are no more. */
static void sweep(const scratch_t *s, enum call call, bool onwards, int with,
                  enum tbus_journal_durability durability)
{
    unsigned descriptors = count_entries("/proc/self/fd");
    uint32_t at = 0;
    for (;;) {
        char when[64];
        inject(call, ++at, onwards, with);
        session_t session = record_session(s->journal, durability);
        bool hit = tbus_load_relaxed_u32(&hits) > 0;
        inject(CALLS, 0, false, 0);
        snprintf(when, sizeof when, "%s number %u failed", call_names[call], at);
        if (session.created < 0) {
            assert_true(hit);
            assert_int_equal(session.created, -with);
            assert_int_equal(access(s->journal, F_OK), -1); /* as if it had never been tried */
        } else {
            enum tbus_journal_end end =
                check_records(s, session.records, session.closed == 0, when);
            /* How it ended is itself written. */
            assert_true(end != TBUS_JOURNAL_TORN || call == WRITE);
            assert_true(session.durable <= session.records);
            assert_true(session.closed < 0 || session.durable == RECORDS);
            scratch_remove(s->journal);
        }
        if (session.created < 0 || session.closed < 0)
            assert_non_null(strstr(session.err.text, s->journal));
        assert_int_equal(count_entries("/proc/self/fd"), descriptors);
        if (!hit) {
            assert_int_equal(session.records, RECORDS);
            assert_int_equal(session.closed, 0);
            break;
        }
        /* It was said, by whichever call, and close says it again; unless it was a segment that was
         * made at the second attempt, or was never needed. */
        bool said = session.created == -with || session.closed == -with;
        assert_true(said || (call <= MAP && session.closed == 0 && session.records == RECORDS));
        assert_true(session.appended == 0 || session.appended == -with);
        assert_true(!onwards || at > 3 || said);
    }
    printf("%s, error %d: %u places\n", call_names[call], with, at - 1);
    assert_true(at > 3);
}

/* In every way in which a disk fails, and however records are made durable. */
static void sweep_both(const scratch_t *s, enum call call)
{
    sweep(s, call, false, ENOSPC, TBUS_JOURNAL_ASYNC);
    sweep(s, call, false, EIO, TBUS_JOURNAL_SYNC_BATCH);
}

static void a_disk_that_fills_up_is_an_error_wherever_a_segment_is_allocated(void **state)
{
    sweep(*state, ALLOCATE, true, ENOSPC, TBUS_JOURNAL_ASYNC);
    sweep(*state, OPEN, true, ENOSPC, TBUS_JOURNAL_ASYNC);
}

static void room_that_comes_back_in_time_is_no_error(void **state)
{
    sweep_both(*state, ALLOCATE);
}

static void a_file_that_cannot_be_made_or_mapped_is_made_at_the_second_attempt(void **state)
{
    sweep_both(*state, OPEN);
    sweep_both(*state, MAP);
}

static void zeros_that_cannot_be_written_are_an_error(void **state)
{
    sweep_both(*state, WRITE);
}

static void pages_that_cannot_be_had_are_an_error_wherever_they_are_asked_for(void **state)
{
    sweep(*state, POPULATE, false, EFAULT, TBUS_JOURNAL_ASYNC);
    sweep_both(*state, POPULATE);
}

static void a_sync_that_fails_is_an_error_wherever_a_segment_is_finished(void **state)
{
    sweep_both(*state, FDATASYNC);
}

static void a_sync_of_what_was_appended_that_fails_is_an_error(void **state)
{
    sweep_both(*state, MSYNC);
}

static void a_sync_of_the_directory_that_fails_is_an_error(void **state)
{
    sweep_both(*state, FSYNC);
}

static void a_cut_that_fails_is_an_error(void **state)
{
    sweep_both(*state, CUT);
}

static void without_madv_populate_write_pages_are_touched_instead(void **state)
{
    scratch_t *s = *state;
    inject(POPULATE, 1, true, EINVAL); /* a kernel before 5.14 */
    session_t session = record_session(s->journal, TBUS_JOURNAL_ASYNC);
    assert_true(tbus_load_relaxed_u32(&hits) > 3);
    assert_int_equal(session.created, 0);
    assert_int_equal(session.closed, 0);
    check_records(s, RECORDS, true, "on an old kernel");
}

static void
after_a_sync_that_failed_the_segment_is_not_synced_again_and_never_called_finished(void **state)
{
    scratch_t *s = *state;
    inject(FDATASYNC, 1, false, EIO);
    tbus_journal_spec_t spec = {
        .directory = s->journal, .segment_bytes = SEGMENT_BYTES, .topics_count = 1};
    tbus_journal_writer_t *w;
    tbus_error_t err;
    assert_int_equal(tbus_journal_writer_open(&spec, &w, NULL), 0);
    assert_int_equal(tbus_journal_writer_append(w, 0, 1, 0, "", 0), 0);
    assert_int_equal(tbus_journal_writer_close(w, &err), -EIO);
    assert_int_equal(tbus_load_relaxed_u32(&calls[FDATASYNC]), 1);
    assert_int_equal(tbus_load_relaxed_u32(&calls[CUT]), 0);
    tbus_journal_reader_t *r;
    tbus_journal_record_t record;
    assert_int_equal(tbus_journal_reader_open(s->journal, &r, NULL), 0);
    assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 1);
    assert_int_equal(tbus_journal_reader_next(r, &record, NULL), 0);
    assert_int_equal(tbus_journal_reader_end(r), TBUS_JOURNAL_BROKEN);
    assert_int_equal(tbus_journal_reader_broken(r)->code, -EIO);
    tbus_journal_reader_close(r);
}

/* --- segments that somebody else cuts while they are written --- */

static void on_sigbus(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (!tbus_journal_writer_on_sigbus(info->si_addr))
        signal(number, SIG_DFL);
}

/* Cut a segment to `bytes` once `after` records are there, append until an error or until there are
 * enough, close. */
static session_t record_and_cut(const scratch_t *s, uint32_t segment, uint64_t after, off_t bytes)
{
    session_t session = {0};
    char name[PATH_BYTES + 16];
    struct sigaction ours = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO}, before;
    tbus_journal_spec_t spec = {.directory = s->journal,
                                .bus_name = "faults",
                                .segment_bytes = SEGMENT_BYTES,
                                .topics_count = 1,
                                .topics = {{"md", "tick", 1, 0, 0, 0}}};
    tbus_journal_writer_t *w = NULL;
    segment_path(s->journal, segment, name);
    sigaction(SIGBUS, &ours, &before);
    assert_int_equal(tbus_journal_writer_open(&spec, &w, NULL), 0);
    for (uint64_t seq = 1; seq <= RECORDS && session.appended == 0; seq++) {
        uint8_t payload[128];
        fill(seq, payload);
        session.appended = tbus_journal_writer_append(w, 0, seq, 0, payload, sizeof payload);
        session.records += session.appended == 0;
        if (seq == after) {
            struct stat is;
            while (stat(name, &is) < 0 ||
                   is.st_size < (off_t)SEGMENT_BYTES) /* the helper is about to make it */
                sched_yield();
            assert_int_equal(truncate(name, bytes), 0);
        }
    }
    session.closed = tbus_journal_writer_close(w, &session.err);
    sigaction(SIGBUS, &before, NULL);
    return session;
}

#define RECORD_BYTES 160 /* as they stand in a segment */
#define HEADER_BYTES 4096

static void
a_segment_that_is_cut_from_outside_is_an_error_and_what_lies_before_can_be_read(void **state)
{
    const scratch_t *s = *state;
    unsigned descriptors = count_entries("/proc/self/fd");
    static const off_t cuts[] = {0,
                                 100,
                                 HEADER_BYTES,
                                 HEADER_BYTES + 3 * RECORD_BYTES + 7,
                                 5 * HEADER_BYTES,
                                 9 * HEADER_BYTES};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        session_t session = record_and_cut(s, 1, 200, cuts[i]);
        assert_int_equal(session.appended, -TBUS_ECORRUPT);
        assert_int_equal(session.closed, -TBUS_ECORRUPT);
        assert_true(session.records >= 200 && session.records < RECORDS);
        assert_non_null(strstr(session.err.text, "segment 00000001.tbj of the journal in "));
        assert_non_null(strstr(session.err.text, " by somebody else"));
        uint64_t fit =
            cuts[i] < HEADER_BYTES ? 0 : (uint64_t)(cuts[i] - HEADER_BYTES) / RECORD_BYTES;
        if (cuts[i] >= HEADER_BYTES)
            check_records(s, fit < session.records ? fit : session.records, false, "cut");
        scratch_remove(s->journal);
        assert_int_equal(count_entries("/proc/self/fd"), descriptors);
    }
}

static void a_cut_that_no_store_comes_upon_is_found_at_the_end(void **state)
{
    const scratch_t *s = *state;
    session_t session = record_and_cut(s, 4, RECORDS, HEADER_BYTES + 10 * RECORD_BYTES);
    assert_int_equal(session.appended, 0);
    assert_int_equal(session.closed, -TBUS_ECORRUPT);
    assert_non_null(strstr(session.err.text, "segment 00000004.tbj"));
    check_records(s, 3 * ((SEGMENT_BYTES - HEADER_BYTES) / RECORD_BYTES) + 10, false,
                  "cut at the end");
}

static void a_next_segment_that_is_cut_before_it_is_begun_is_an_error(void **state)
{
    const scratch_t *s = *state;
    session_t session = record_and_cut(s, 2, (SEGMENT_BYTES - HEADER_BYTES) / RECORD_BYTES, 0);
    assert_int_equal(session.closed, -TBUS_ECORRUPT);
    assert_non_null(strstr(session.err.text, "segment 00000002.tbj"));
    assert_true(session.records < RECORDS);
}

static void a_sigbus_that_is_none_of_the_journals_is_left_alone(void **state)
{
    (void)state;
    assert_false(tbus_journal_writer_on_sigbus(&state));
    assert_false(tbus_journal_writer_on_sigbus(NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_disk_that_fills_up_is_an_error_wherever_a_segment_is_allocated),
        TEST(room_that_comes_back_in_time_is_no_error),
        TEST(a_file_that_cannot_be_made_or_mapped_is_made_at_the_second_attempt),
        TEST(zeros_that_cannot_be_written_are_an_error),
        TEST(pages_that_cannot_be_had_are_an_error_wherever_they_are_asked_for),
        TEST(a_sync_that_fails_is_an_error_wherever_a_segment_is_finished),
        TEST(a_sync_of_what_was_appended_that_fails_is_an_error),
        TEST(a_sync_of_the_directory_that_fails_is_an_error),
        TEST(a_cut_that_fails_is_an_error),
        TEST(without_madv_populate_write_pages_are_touched_instead),
        TEST(after_a_sync_that_failed_the_segment_is_not_synced_again_and_never_called_finished),
        TEST(a_segment_that_is_cut_from_outside_is_an_error_and_what_lies_before_can_be_read),
        TEST(a_cut_that_no_store_comes_upon_is_found_at_the_end),
        TEST(a_next_segment_that_is_cut_before_it_is_begun_is_an_error),
        TEST(a_sigbus_that_is_none_of_the_journals_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
