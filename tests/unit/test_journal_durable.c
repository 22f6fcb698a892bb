/* SPDX-License-Identifier: Apache-2.0 */
/* How far a journal says that it is on the disk: never further than what was synced.
 *
 * The calls that sync are intercepted by definitions of the same names in this program, which the
 * static library is linked against. */
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
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tickbus/journal.h>

#include "tests/unit/journal_scratch.h"

enum { MD, ORDERS, TOPICS };

static tbus_atomic_u32_t syncs;     /* made so far */
static tbus_atomic_u32_t fail_sync; /* this one fails; 0: none */
static tbus_atomic_u32_t failed;

static bool fails(void)
{
    uint32_t number = tbus_fetch_add_relaxed_u32(&syncs, 1) + 1;
    bool fail = number == tbus_load_relaxed_u32(&fail_sync);
    if (fail)
        tbus_store_relaxed_u32(&failed, 1);
    errno = fail ? EIO : errno;
    return fail;
}

int msync(void *address, size_t bytes, int flags)
{
    return fails() ? -1 : (int)syscall(SYS_msync, address, bytes, flags);
}

int fdatasync(int fd)
{
    return fails() ? -1 : (int)syscall(SYS_fdatasync, fd);
}

static int set_up(void **state)
{
    tbus_store_relaxed_u32(&syncs, 0);
    tbus_store_relaxed_u32(&fail_sync, 0);
    tbus_store_relaxed_u32(&failed, 0);
    return make_scratch(state);
}

static tbus_journal_spec_t spec_for(const scratch_t *s, uint32_t durability)
{
    return (tbus_journal_spec_t){
        .directory = s->journal,
        .segment_bytes = TBUS_JOURNAL_SEGMENT_BYTES_MIN,
        .topics_count = TOPICS,
        .topics = {[MD] = {"md", "tick", 1, 0, 0, 0}, [ORDERS] = {"orders", "order", 1, 0, 0, 0}},
        .durability = durability,
        .sync_every_ms = durability == TBUS_JOURNAL_PERIODIC};
}

static tbus_journal_writer_t *open_writer(const tbus_journal_spec_t *spec)
{
    tbus_journal_writer_t *w = NULL;
    tbus_error_t err = {0};
    if (tbus_journal_writer_open(spec, &w, &err) < 0)
        fail_msg("%s", err.text);
    return w;
}

/* Records `from` .. `to` of md, and one of orders after every tenth. The first error. */
static int append(tbus_journal_writer_t *w, uint64_t from, uint64_t to)
{
    static const unsigned char payload[64];
    int code = 0;
    for (uint64_t seq = from; code == 0 && seq <= to; seq++) {
        code = tbus_journal_writer_append(w, MD, seq, 0, payload, sizeof payload);
        if (code == 0 && seq % 10 == 0)
            code = tbus_journal_writer_append(w, ORDERS, seq / 10, 0, payload, 8);
    }
    return code;
}

static void await(const tbus_journal_writer_t *w, uint16_t topic, uint64_t seq)
{
    while (tbus_journal_writer_durable(w, topic) < seq)
        sched_yield();
}

static void what_was_appended_is_durable_soon(void **state, uint32_t durability)
{
    tbus_journal_spec_t spec = spec_for(*state, durability);
    tbus_journal_writer_t *w = open_writer(&spec);
    assert_int_equal(tbus_journal_writer_durable(w, MD), 0);
    assert_int_equal(append(w, 1, 9), 0);
    await(w, MD, 9);
    assert_int_equal(tbus_journal_writer_durable(w, MD), 9);
    assert_int_equal(tbus_journal_writer_durable(w, ORDERS), 0);
    for (uint64_t seq = 10; seq < 3000; seq += 10) { /* some segments */
        assert_int_equal(append(w, seq, seq + 9), 0);
        assert_true(tbus_journal_writer_durable(w, MD) <= seq + 9);
    }
    await(w, MD, 3000 - 1);
    assert_int_equal(tbus_journal_writer_durable(w, ORDERS), 299);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
}

static void what_was_appended_is_durable_soon_batch_after_batch(void **state)
{
    what_was_appended_is_durable_soon(state, TBUS_JOURNAL_SYNC_BATCH);
}

static void what_was_appended_is_durable_soon_when_it_is_synced_by_the_clock(void **state)
{
    what_was_appended_is_durable_soon(state, TBUS_JOURNAL_PERIODIC);
}

static void without_syncs_in_between_finished_segments_are_durable_and_at_the_end_all(void **state)
{
    tbus_atomic_u64_t places[TOPICS];
    tbus_journal_spec_t spec = spec_for(*state, TBUS_JOURNAL_ASYNC);
    for (unsigned i = 0; i < TOPICS; i++) {
        tbus_store_relaxed_u64(&places[i], 77);
        spec.durable[i] = &places[i];
    }
    tbus_journal_writer_t *w = open_writer(&spec);
    assert_int_equal(tbus_load_relaxed_u64(&places[MD]), 0);
    assert_int_equal(append(w, 1, 100), 0);
    assert_int_equal(tbus_journal_writer_durable(w, MD), 0);
    assert_int_equal(append(w, 101, 1000), 0);
    await(w, MD, 500); /* a segment holds more than that, and less than a thousand */
    assert_true(tbus_journal_writer_durable(w, MD) < 1000);
    assert_int_equal(tbus_journal_writer_durable(w, ORDERS),
                     tbus_journal_writer_durable(w, MD) / 10);
    assert_int_equal(tbus_load_relaxed_u64(&places[MD]), tbus_journal_writer_durable(w, MD));
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    assert_int_equal(tbus_load_relaxed_u64(&places[MD]), 1000);
    assert_int_equal(tbus_load_relaxed_u64(&places[ORDERS]), 100);
}

/* For every sync of a session, whatever it syncs. */
static void after_a_sync_that_failed_nothing_more_is_called_durable(void **state)
{
    const scratch_t *s = *state;
    tbus_atomic_u64_t md;
    uint32_t at = 0;
    do {
        tbus_journal_spec_t spec = spec_for(s, TBUS_JOURNAL_SYNC_BATCH);
        spec.durable[MD] = &md;
        tbus_store_relaxed_u32(&syncs, 0);
        tbus_store_relaxed_u32(&failed, 0);
        tbus_store_relaxed_u32(&fail_sync, ++at);
        tbus_journal_writer_t *w = open_writer(&spec);
        uint64_t before = 0;
        for (uint64_t seq = 1; seq < 1400; seq += 50) {
            bool had_failed = tbus_load_relaxed_u32(&failed);
            uint64_t durable = tbus_journal_writer_durable(w, MD);
            assert_true(!had_failed || before == 0 || durable == before);
            before = had_failed ? durable : 0; /* told before the failure, or known since */
            int code = append(w, seq, seq + 49);
            if (code < 0) {
                assert_int_equal(code, -EIO);
                break;
            }
            sched_yield();
        }
        int closed = tbus_journal_writer_close(w, NULL);
        bool hit = tbus_load_relaxed_u32(&failed);
        assert_int_equal(closed, hit ? -EIO : 0);
        assert_true(hit || tbus_load_relaxed_u64(&md) == 1400);
        scratch_remove(s->journal);
    } while (tbus_load_relaxed_u32(&failed) && at < 40);
    assert_true(at > 5);
}

static void a_durability_that_is_none_is_refused_before_anything_is_made(void **state)
{
    const scratch_t *s = *state;
    static const uint32_t wrong[][2] = {{TBUS_JOURNAL_SYNC_BATCH + 1, 0},
                                        {TBUS_JOURNAL_PERIODIC, 0},
                                        {TBUS_JOURNAL_PERIODIC, 60001},
                                        {TBUS_JOURNAL_ASYNC, 5}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tbus_journal_writer_t *w = NULL;
        tbus_journal_spec_t spec = spec_for(s, wrong[i][0]);
        spec.sync_every_ms = wrong[i][1];
        assert_int_equal(tbus_journal_writer_open(&spec, &w, NULL), -EINVAL);
        assert_int_equal(access(s->journal, F_OK), -1);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, remove_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_appended_is_durable_soon_batch_after_batch),
        TEST(what_was_appended_is_durable_soon_when_it_is_synced_by_the_clock),
        TEST(without_syncs_in_between_finished_segments_are_durable_and_at_the_end_all),
        TEST(after_a_sync_that_failed_nothing_more_is_called_durable),
        TEST(a_durability_that_is_none_is_refused_before_anything_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
