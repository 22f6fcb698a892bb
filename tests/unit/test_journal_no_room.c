/* SPDX-License-Identifier: Apache-2.0 */
/* A journal that goes on when the disk is full, and a disk that says so at every system call that
 * can: nothing ends, what append had no room for is named, what it took is there, and recording
 * begins again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <inttypes.h>
#include <sched.h>

#include "tests/unit/journal_calls.h"
#include "tests/unit/journal_scratch.h"
#include "tools/journal/check.h"

#define RECORDS     1500u /* about four segments */
#define RECORDS_MAX 4000000u

static int end(void **state)
{
    inject(CALLS, 0, false, 0);
    return remove_scratch(state);
}

typedef struct session {
    uint64_t taken, left_out, missed, durable;
    int failed; /* append */
    int closed;
} session_t;

/* At least RECORDS, and until the last was taken: then there is room again. */
static session_t record(const char *directory, enum tbus_journal_durability durability,
                        bool *out_taken)
{
    session_t session = {0};
    tbus_atomic_u64_t durable = {0};
    tbus_journal_spec_t spec = {.directory = directory,
                                .bus_name = "full",
                                .segment_bytes = TBUS_JOURNAL_SEGMENT_BYTES_MIN,
                                .topics_count = 1,
                                .topics = {{"md", "tick", 1, 0, TBUS_BROADCAST, 0}},
                                .durability = durability,
                                .durable = {&durable},
                                .go_on_when_full = true};
    tbus_journal_writer_t *w;
    if (tbus_journal_writer_open(&spec, &w, NULL) < 0)
        return session;
    int code = 1;
    for (uint64_t seq = 1; seq <= RECORDS || (code == 1 && seq < RECORDS_MAX); seq++) {
        uint8_t payload[128];
        memset(payload, (int)(seq % 251), sizeof payload);
        code = tbus_journal_writer_append(w, 0, seq, seq, payload, sizeof payload);
        if (code < 0)
            break;
        out_taken[seq] = code == 0;
        session.taken += code == 0;
        session.left_out += code == 1;
        if (code == 1)
            sched_yield();
    }
    session.failed = code;
    session.missed = tbus_journal_writer_missed(w);
    session.closed = tbus_journal_writer_close(w, NULL);
    session.durable = tbus_load_relaxed_u64(&durable);
    return session;
}

/* What was taken is there, and nothing else; what is missing is named; how it ended is said, unless
 * it was that which could not be written. */
static void expect_kept(const scratch_t *s, const session_t *session, const bool *taken,
                        enum call call, const char *when)
{
    check_t check;
    tbus_journal_reader_t *r;
    tbus_journal_record_t record;
    tbus_error_t err = {0};
    uint64_t records = 0;
    int code;
    assert_int_equal(tbus_journal_reader_open(s->journal, &r, NULL), 0);
    while ((code = tbus_journal_reader_next(r, &record, &err)) == 1) {
        if (!taken[record.seq])
            fail_msg("%s: message %" PRIu64 " is there, and was not taken", when, record.seq);
        records++;
    }
    if (code < 0 || records != session->taken)
        fail_msg("%s: %" PRIu64 " of %" PRIu64 " are there: %s", when, records, session->taken,
                 err.text);
    tbus_journal_reader_close(r);
    assert_int_equal(check_journal(s->journal, "checked", &check, &err), 0);
    if (!check_ok(&check))
        fail_msg("%s: %s", when, check.damage[0].what);
    bool told = session->closed == 0 || check.end != TBUS_JOURNAL_TORN || call != WRITE;
    if (told)
        assert_int_equal(check.end,
                         session->closed == 0 ? TBUS_JOURNAL_CLOSED : TBUS_JOURNAL_BROKEN);
    check_clear(&check);
}

/* The first, the second, ... call of this kind, until there are no more. */
static uint64_t sweep(const scratch_t *s, enum call call, enum tbus_journal_durability durability)
{
    bool *taken = calloc(RECORDS_MAX + 1, sizeof *taken);
    unsigned descriptors = count_entries("/proc/self/fd");
    uint64_t left_out = 0, unsynced = 0;
    uint32_t at = 0;
    bool hit = true;
    while (hit) {
        char when[64];
        inject(call, ++at, false, ENOSPC);
        session_t session = record(s->journal, durability, taken);
        hit = tbus_load_relaxed_u32(&hits) > 0;
        inject(CALLS, 0, false, 0);
        snprintf(when, sizeof when, "%s number %u failed", call_names[call], at);
        assert_int_equal(count_entries("/proc/self/fd"), descriptors);
        if (session.taken == 0 && hit)
            continue; /* it could not even begin */
        if (session.failed != 0)
            fail_msg("%s: append says %d", when, session.failed);
        assert_int_equal(session.missed, session.left_out);
        assert_true(session.closed == 0 || session.closed == -ENOSPC);
        expect_kept(s, &session, taken, call, when);
        left_out += session.left_out;
        unsynced += session.closed != 0;
        scratch_remove(s->journal);
    }
    printf("%s: %u places, %" PRIu64 " messages left out, %" PRIu64
           " sessions not all on the disk\n",
           call_names[call], at - 1, left_out, unsynced);
    assert_true(at > 3);
    free(taken);
    return left_out;
}

static void without_room_for_pages_or_zeros_it_goes_on_in_another_segment(void **state)
{
    assert_true(sweep(*state, WRITE, TBUS_JOURNAL_ASYNC) > 0);
    assert_true(sweep(*state, POPULATE, TBUS_JOURNAL_ASYNC) > 0);
    sweep(*state, ALLOCATE, TBUS_JOURNAL_ASYNC);
    sweep(*state, OPEN, TBUS_JOURNAL_ASYNC);
}

static void without_room_for_what_a_sync_writes_it_goes_on_in_another_segment(void **state)
{
    assert_true(sweep(*state, MSYNC, TBUS_JOURNAL_SYNC_BATCH) > 0);
    assert_true(sweep(*state, FDATASYNC, TBUS_JOURNAL_ASYNC) > 0);
    sweep(*state, FSYNC, TBUS_JOURNAL_ASYNC);
    sweep(*state, CUT, TBUS_JOURNAL_ASYNC);
}

static void after_a_sync_that_had_no_room_nothing_more_is_called_durable(void **state)
{
    const scratch_t *s = *state;
    bool *taken = calloc(RECORDS_MAX + 1, sizeof *taken);
    inject(MSYNC, 3, false, ENOSPC);
    session_t session = record(s->journal, TBUS_JOURNAL_SYNC_BATCH, taken);
    assert_true(tbus_load_relaxed_u32(&hits) == 1);
    assert_int_equal(session.failed, 0);
    assert_int_equal(session.closed, -ENOSPC);
    assert_true(session.durable < session.taken);
    free(taken);
}

static void another_error_of_a_sync_ends_the_recording_all_the_same(void **state)
{
    const scratch_t *s = *state;
    bool *taken = calloc(RECORDS_MAX + 1, sizeof *taken);
    inject(FDATASYNC, 1, false, EIO);
    session_t session = record(s->journal, TBUS_JOURNAL_ASYNC, taken);
    assert_int_equal(session.closed, -EIO);
    assert_int_equal(session.left_out, 0);
    free(taken);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, end)
    const struct CMUnitTest tests[] = {
        TEST(without_room_for_pages_or_zeros_it_goes_on_in_another_segment),
        TEST(without_room_for_what_a_sync_writes_it_goes_on_in_another_segment),
        TEST(after_a_sync_that_had_no_room_nothing_more_is_called_durable),
        TEST(another_error_of_a_sync_ends_the_recording_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
