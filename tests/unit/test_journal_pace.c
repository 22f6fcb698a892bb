/* SPDX-License-Identifier: Apache-2.0 */
/* When the journal's helper thread pauses and when it hurries, how far ahead it works, and that a
 * long job gives way to the pages that the recording thread needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>

#include "bus/journal/writer.h"
#include "tests/unit/journal_scratch.h"

#define SEGMENT TBUS_JOURNAL_SEGMENT_BYTES_MIN
#define PAYLOAD 992u /* 1 KiB with its header */
#define KIB     UINT64_C(1024)

/* --- the pace alone --- */

static bool counting; /* pauses end at once, and are counted */
static unsigned pauses;
static pthread_mutex_t *paused_with;

int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
                                  const struct timespec *until);
int __real_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
                                  const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
                                  const struct timespec *until)
{
    if (!counting)
        return __real_pthread_cond_timedwait(condition, lock, until);
    pauses++;
    paused_with = lock;
    return ETIMEDOUT;
}

/* Segment 3 is written, 2 is being finished, 4 is ready, and so are the pages that are wanted. */
static void be_ahead(tbus_journal_writer_t *w)
{
    *w = (tbus_journal_writer_t){.segment_bytes = KIB * KIB,
                                 .finished = 1,
                                 .current = 3,
                                 .prepared = 4,
                                 .reached = 100 * KIB,
                                 .pages_wanted = 500 * KIB};
    tbus_journal_writer_file(w, 3)->populated = 500 * KIB;
}

static void the_helper_hurries_when_what_is_ready_runs_out_or_somebody_waits(void **state)
{
    tbus_journal_writer_t *w = calloc(1, sizeof *w);
    (void)state;
    be_ahead(w);
    assert_false(tbus_journal_writer_hurries(w));
    tbus_journal_writer_file(w, 3)->populated = 300 * KIB; /* half of it is left */
    assert_false(tbus_journal_writer_hurries(w));
    tbus_journal_writer_file(w, 3)->populated = 299 * KIB;
    assert_true(tbus_journal_writer_hurries(w));
    be_ahead(w);
    w->prepared = 3; /* but there is time for it */
    assert_false(tbus_journal_writer_hurries(w));
    w->reached = 513 * KIB;
    w->pages_wanted = 0;
    assert_true(tbus_journal_writer_hurries(w));
    be_ahead(w);
    w->finished = 0; /* two wait */
    assert_true(tbus_journal_writer_hurries(w));
    be_ahead(w);
    w->told = true;
    assert_true(tbus_journal_writer_hurries(w));
    be_ahead(w);
    w->waits = 1; /* it waited since the last look */
    assert_true(tbus_journal_writer_hurries(w));
    be_ahead(w);
    w->stop = true;
    assert_true(tbus_journal_writer_hurries(w));
    be_ahead(w);
    w->failure.code = -EIO;
    assert_true(tbus_journal_writer_hurries(w));
    free(w);
}

static void the_helper_pauses_after_its_work_unless_it_hurries(void **state)
{
    tbus_journal_writer_t *w = calloc(1, sizeof *w);
    (void)state;
    counting = true;
    pauses = 0;
    be_ahead(w);
    w->told = true;
    tbus_journal_writer_breathe(w);
    assert_int_equal(pauses, 0);
    w->told = false; /* what was done in a hurry is not paused for later */
    tbus_journal_writer_breathe(w);
    assert_int_equal(pauses, 0);
    w->pace.cpu_ns = 1; /* as if this thread had done all its work since */
    tbus_journal_writer_breathe(w);
    assert_int_equal(pauses, 1);
    assert_ptr_equal(paused_with, &w->lock);
    counting = false;
    free(w);
}

/* --- on a journal --- */

static tbus_journal_writer_t *open_writer(const scratch_t *s)
{
    tbus_journal_spec_t spec = {.directory = s->journal,
                                .segment_bytes = SEGMENT,
                                .topics_count = 1,
                                .topics = {{"md", "tick", 1, 0, 0, 0}}};
    tbus_journal_writer_t *w = NULL;
    tbus_error_t err = {0};
    if (tbus_journal_writer_open(&spec, &w, &err) < 0)
        fail_msg("%s", err.text);
    return w;
}

static int append(tbus_journal_writer_t *w, uint64_t seq, bool waits)
{
    static const unsigned char payload[PAYLOAD];
    return waits ? tbus_journal_writer_append(w, 0, seq, seq, payload, sizeof payload)
                 : tbus_journal_writer_append_try(w, 0, seq, seq, payload, sizeof payload);
}

static uint32_t current(tbus_journal_writer_t *w)
{
    pthread_mutex_lock(&w->lock);
    uint32_t number = w->current;
    pthread_mutex_unlock(&w->lock);
    return number;
}

/* Until segment 2 has a record. Returns the next sequence. */
static uint64_t begin_another(tbus_journal_writer_t *w)
{
    uint64_t seq = 1;
    while (current(w) < 2)
        assert_int_equal(append(w, seq++, true), 0);
    return seq;
}

/* Nothing more is recorded, and the helper comes to it all the same. */
static void when_a_segment_is_begun_the_next_is_made_and_the_pages_at_its_front(void **state)
{
    tbus_journal_writer_t *w = open_writer(*state);
    begin_another(w);
    const uint64_t front = TBUS_JOURNAL_PIECES_AHEAD * w->piece_bytes;
    bool ready = false;
    while (!ready) { /* else the test's time limit ends this */
        pthread_mutex_lock(&w->lock);
        const tbus_journal_file_t *next = tbus_journal_writer_file(w, 3);
        ready = w->prepared == 3 && next->zeroed == next->bytes && next->populated >= front &&
                w->front == front;
        pthread_mutex_unlock(&w->lock);
        sched_yield();
    }
    assert_int_equal(current(w), 2);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
}

static struct {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool hashes; /* the helper, and waits for */
    bool asked;  /* the recording thread, which has no pages */
    bool served;
} meeting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false, false};

static bool has_pages(tbus_journal_writer_t *w)
{
    pthread_mutex_lock(&w->lock);
    bool has = tbus_journal_writer_file(w, w->current)->populated >= w->pages_wanted;
    pthread_mutex_unlock(&w->lock);
    return has;
}

/* In the place of the helper's own, between two pieces of a digest. */
static void meet(void *context)
{
    tbus_journal_writer_t *w = context;
    pthread_mutex_lock(&meeting.lock);
    bool first = !meeting.hashes;
    meeting.hashes = true;
    pthread_cond_broadcast(&meeting.moved);
    while (!meeting.asked)
        pthread_cond_wait(&meeting.moved, &meeting.lock);
    pthread_mutex_unlock(&meeting.lock);
    bool before = has_pages(w);
    tbus_journal_helper_give_way(w);
    if (first)
        meeting.served = !before && has_pages(w);
}

static void pages_are_faulted_in_while_a_full_segment_is_hashed(void **state)
{
    tbus_journal_writer_t *w = open_writer(*state);
    int code;
    pthread_mutex_lock(&w->lock);
    w->chain.between = meet;
    pthread_mutex_unlock(&w->lock);
    uint64_t seq = begin_another(w);
    pthread_mutex_lock(&meeting.lock);
    while (!meeting.hashes)
        pthread_cond_wait(&meeting.moved, &meeting.lock);
    pthread_mutex_unlock(&meeting.lock);
    while ((code = append(w, seq, false)) == 0) /* the helper does nothing else */
        seq++;
    assert_int_equal(code, TBUS_JOURNAL_NOT_YET);
    pthread_mutex_lock(&meeting.lock);
    meeting.asked = true;
    pthread_cond_broadcast(&meeting.moved);
    pthread_mutex_unlock(&meeting.lock);
    assert_int_equal(append(w, seq, true), 0);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    assert_true(meeting.served);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_helper_hurries_when_what_is_ready_runs_out_or_somebody_waits),
        cmocka_unit_test(the_helper_pauses_after_its_work_unless_it_hurries),
        TEST(when_a_segment_is_begun_the_next_is_made_and_the_pages_at_its_front),
        TEST(pages_are_faulted_in_while_a_full_segment_is_hashed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
