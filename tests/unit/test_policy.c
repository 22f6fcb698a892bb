/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sys/prctl.h>

#include <tickbus/bus.h>
#include <tickbus/publisher.h>
#include <tickbus/subscriber.h>
#include <tickbus/wait.h>

#include "tests/support/bus_fixture.h"

static tbus_ring_t make_ring(enum tbus_ring_kind kind, enum tbus_policy policy)
{
    return test_ring_create((tbus_ring_spec_t){.kind = kind, .policy = policy});
}

static uint64_t taken(tbus_subscriber_t *s)
{
    size_t bytes;
    const void *message = tbus_peek(s, &bytes);
    assert_non_null(message);
    uint64_t number;
    memcpy(&number, message, 8);
    tbus_advance(s);
    return number;
}

/* Rings whose subscribers see every message. */
static const enum tbus_ring_kind gated[] = {TBUS_BROADCAST, TBUS_BROADCAST_MP, TBUS_MPSC};
#define GATED (sizeof gated / sizeof *gated)

static void a_blocking_topic_says_full_and_loses_nothing(void **state)
{
    (void)state;
    for (unsigned k = 0; k < GATED; k++) {
        tbus_ring_t ring = make_ring(gated[k], TBUS_BLOCK);
        tbus_subscriber_t s = test_subscriber(&ring, "s", TBUS_SUBSCRIBER, 2);
        tbus_publisher_t p;
        assert_int_equal(tbus_publisher_join(&ring, 1, &p, NULL), 0);
        for (uint64_t i = 0; i < 16; i++)
            assert_int_equal(tbus_publish(&p, &i, 8), TBUS_PUBLISHED);
        assert_int_equal(tbus_publish(&p, "late", 4), TBUS_FULL);
        for (uint64_t i = 0; i < 16; i++)
            assert_int_equal(taken(&s), i);
        tbus_subscriber_leave(&s);
        test_ring_destroy(&ring);
    }
}

static void a_dropping_topic_loses_the_newest_and_counts_it(void **state)
{
    (void)state;
    for (unsigned k = 0; k < GATED; k++) {
        tbus_ring_t ring = make_ring(gated[k], TBUS_DROP_NEWEST);
        tbus_subscriber_t s = test_subscriber(&ring, "s", TBUS_SUBSCRIBER, 2);
        tbus_publisher_t p;
        assert_int_equal(tbus_publisher_join(&ring, 1, &p, NULL), 0);
        for (uint64_t i = 0; i < 20; i++)
            assert_int_equal(tbus_publish(&p, &i, 8), i < 16 ? TBUS_PUBLISHED : TBUS_DROPPED);
        assert_int_equal(tbus_load_relaxed_u64(&ring.shared->dropped), 4);
        for (uint64_t i = 0; i < 16; i++)
            assert_int_equal(taken(&s), i);
        tbus_subscriber_flush(&s);
        assert_int_equal(tbus_publish(&p, &(uint64_t){99}, 8), TBUS_PUBLISHED);
        assert_int_equal(s.seq, 17); /* what was dropped never had a sequence */
        assert_int_equal(taken(&s), 99);
        tbus_subscriber_leave(&s);
        test_ring_destroy(&ring);
    }
}

static void an_evicting_topic_goes_on_without_the_slowest_and_tells_it_why(void **state)
{
    (void)state;
    for (unsigned k = 0; k < GATED; k++) {
        tbus_ring_t ring = make_ring(gated[k], TBUS_EVICT_SLOWEST);
        tbus_subscriber_t quick = test_subscriber(&ring, "quick", TBUS_SUBSCRIBER, 2);
        /* Of an mpsc ring there is one subscriber; others follow. */
        enum tbus_sub_role second = gated[k] == TBUS_MPSC ? TBUS_FOLLOWER : TBUS_SUBSCRIBER;
        tbus_subscriber_t slow = test_subscriber(&ring, "slow", second, 3);
        tbus_publisher_t p;
        assert_int_equal(tbus_publisher_join(&ring, 1, &p, NULL), 0);
        for (uint64_t i = 0; i < 100; i++) {
            assert_int_equal(tbus_publish(&p, &i, 8), TBUS_PUBLISHED);
            assert_int_equal(taken(&quick), i);
            tbus_subscriber_flush(&quick);
            if (i < 3)
                assert_int_equal(taken(&slow), i);
        }
        size_t bytes;
        assert_null(tbus_peek(&slow, &bytes));
        assert_int_equal(slow.error, -TBUS_EEVICTED);
        assert_int_equal(quick.error, 0);
        assert_int_equal(tbus_load_relaxed_u64(&ring.shared->evicted), 1);
        tbus_subscriber_leave(&slow);
        tbus_subscriber_t again = test_subscriber(&ring, "slow", second, 3); /* and may come back */
        assert_int_equal(tbus_publish(&p, &(uint64_t){7}, 8), TBUS_PUBLISHED);
        tbus_publisher_flush(&p);
        assert_int_equal(taken(&quick), 7);
        tbus_subscriber_leave(&again);
        tbus_subscriber_leave(&quick);
        test_ring_destroy(&ring);
    }
}

static void nobody_is_evicted_who_does_not_hold_the_ring_up(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_MPMC, TBUS_EVICT_SLOWEST);
    tbus_subscriber_t consumer = test_subscriber(&ring, "consumer", TBUS_CONSUMER, 2);
    tbus_subscriber_t follower = test_subscriber(&ring, "follower", TBUS_FOLLOWER, 3);
    tbus_publisher_t p;
    assert_int_equal(tbus_publisher_join(&ring, 1, &p, NULL), 0);
    for (uint64_t i = 0; i < 16; i++) {
        assert_int_equal(tbus_publish(&p, &i, 8), TBUS_PUBLISHED);
        if (i < 8)
            assert_int_equal(taken(&follower), i);
    }
    tbus_subscriber_flush(&follower);
    size_t bytes;
    /* in hand: the ring waits for it, not for the follower */
    assert_non_null(tbus_peek(&consumer, &bytes));
    assert_int_equal(tbus_publish(&p, "late", 4), TBUS_FULL);
    assert_int_equal(tbus_load_relaxed_u64(&ring.shared->evicted), 0);
    assert_int_equal(taken(&follower), 8);
    tbus_subscriber_leave(&follower);
    tbus_subscriber_leave(&consumer);
    test_ring_destroy(&ring);
}

/* Others publish, and it takes, while a publisher that found the ring full looks who is to
 * blame. */
static void a_subscriber_ahead_of_the_tail_that_a_publisher_saw_is_not_the_slowest(void **state)
{
    (void)state;
    tbus_ring_t ring = make_ring(TBUS_BROADCAST_MP, TBUS_EVICT_SLOWEST);
    tbus_subscriber_t quick = test_subscriber(&ring, "quick", TBUS_SUBSCRIBER, 2);
    tbus_subscriber_t slow = test_subscriber(&ring, "slow", TBUS_SUBSCRIBER, 3);
    tbus_publisher_t p;
    assert_int_equal(tbus_publisher_join(&ring, 1, &p, NULL), 0);
    for (uint64_t i = 0; i < 16; i++) {
        assert_int_equal(tbus_publish(&p, &i, 8), TBUS_PUBLISHED);
        assert_int_equal(taken(&quick), i);
    }
    tbus_store_relaxed_u64(&ring.shared->subs[quick.index].progress, tbus_ring_claimed(&ring) + 1);
    assert_int_equal(tbus_publish(&p, &(uint64_t){16}, 8), TBUS_PUBLISHED);
    size_t bytes;
    assert_int_equal(taken(&quick), 16);
    assert_null(tbus_peek(&slow, &bytes));
    assert_int_equal(slow.error, -TBUS_EEVICTED);
    tbus_subscriber_leave(&slow);
    tbus_subscriber_leave(&quick);
    test_ring_destroy(&ring);
}

static void whoever_leaves_a_slot_but_no_room_in_the_area_holds_a_long_message_up(void **state)
{
    (void)state;
    tbus_ring_spec_t spec = {.name = "policy",
                             .kind = TBUS_BROADCAST,
                             .slot_bytes = 64,
                             .slot_count = 16,
                             .msg_bytes_max = 1000,
                             .first_seq = 1,
                             .policy = TBUS_EVICT_SLOWEST,
                             .area_bytes = 4096};
    size_t footprint = tbus_ring_footprint(&spec);
    void *memory = aligned_alloc(4096, (footprint + 4095) & ~(size_t)4095);
    tbus_ring_t ring;
    assert_non_null(memory);
    assert_int_equal(tbus_ring_format(memory, footprint, &spec, NULL), 0);
    assert_int_equal(tbus_ring_join(memory, footprint, true, &ring, NULL), 0);
    tbus_subscriber_t slow = test_subscriber(&ring, "slow", TBUS_SUBSCRIBER, 3);
    tbus_publisher_t p;
    assert_int_equal(tbus_publisher_join(&ring, 1, &p, NULL), 0);
    char message[1000] = "a quarter of the area";
    size_t bytes;
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(tbus_publish(&p, message, sizeof message), TBUS_PUBLISHED);
    assert_non_null(tbus_peek(&slow, &bytes));
    assert_memory_equal(slow.scratch, message, sizeof message);
    assert_int_equal(tbus_publish(&p, message, sizeof message), TBUS_PUBLISHED);
    assert_null(tbus_peek(&slow, &bytes));
    assert_int_equal(slow.error, -TBUS_EEVICTED);
    tbus_subscriber_leave(&slow);
    free(memory);
}

static void a_batch_is_claimed_filled_in_place_and_seen_in_order(void **state)
{
    (void)state;
    static const enum tbus_ring_kind kinds[] = {TBUS_SPSC, TBUS_BROADCAST_MP, TBUS_MPMC, TBUS_MPSC};
    for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        tbus_ring_t ring = make_ring(kinds[k], TBUS_BLOCK);
        tbus_subscriber_t s = test_subscriber(&ring, "s", test_taker(kinds[k]), 2);
        tbus_publisher_t p;
        assert_int_equal(tbus_publisher_join(&ring, 1, &p, NULL), 0);
        uint64_t next = 0, expected = 0;
        for (unsigned round = 0; round < 30; round++) {
            void *places[TBUS_BATCH_MAX];
            uint32_t bytes[TBUS_BATCH_MAX];
            /* A successor finds the newest message of a batch half a ring behind the tail, not
             * further. */
            uint32_t most = ring.several_publishers ? 16 : 8; /* of a ring of 16 */
            uint32_t got = tbus_claim_batch(&p, 1 + round % 24, places);
            assert_int_equal(got, 1 + round % 24 < most ? 1 + round % 24 : most);
            size_t none;
            assert_null(tbus_peek(&s, &none)); /* not before the commit */
            for (uint32_t i = 0; i < got; i++, next++) {
                memcpy(places[i], &next, 8);
                bytes[i] = 8;
            }
            tbus_commit_batch(&p, bytes);
            for (uint32_t i = 0; i < got; i++)
                assert_int_equal(taken(&s), expected++);
            tbus_subscriber_flush(&s);
        }
        tbus_subscriber_leave(&s);
        test_ring_destroy(&ring);
    }
}

/* ---- death, noticed by whoever waits; nobody supervises ---- */

static void heal(void *context)
{
    tbus_bus_heal(context);
}

/* A child claims (or takes, or just subscribes) and is killed; the parent, waiting as any
 * participant does, gets going again by itself. */
static void wait_behind_the_dead(enum tbus_wait_mode mode, int what)
{
    tbus_bus_t bus;
    tbus_error_t err;
    test_bus_create(&bus, "heal");
    enum tbus_ring_kind kind = what == 2 ? TBUS_BROADCAST : TBUS_MPMC;
    tbus_ring_t *ring = test_topic(&bus, (tbus_ring_spec_t){.name = "r", .kind = kind}, "number");
    test_participant(&bus, "parent", 1);
    test_participant(&bus, "child", 2);
    test_reserve(&bus, "r", "parent", test_taker(kind));
    test_reserve(&bus, "r", "child", test_taker(kind));
    int lock = tbus_participant_live(&bus, 1, &err);
    assert_true(lock >= 0);
    tbus_publisher_t p = test_publisher(ring, 1);
    tbus_subscriber_t s = test_subscriber_of(ring, "parent", 1);
    if (what == 1)
        assert_int_equal(tbus_publish_try(&p, &(uint64_t){5}, 8), TBUS_PUBLISHED);

    int done[2];
    assert_int_equal(pipe(done), 0);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        tbus_publisher_t q;
        tbus_subscriber_t t;
        size_t bytes;
        if (tbus_participant_live(&bus, 2, NULL) < 0 ||
            tbus_subscriber_join(ring, "child", 2, &t, NULL) < 0 ||
            tbus_publisher_join(ring, 2, &q, NULL) < 0)
            _exit(1);
        if (what == 0 && !tbus_claim_try(&q))
            _exit(2);
        if (what == 1 && !tbus_peek(&t, &bytes))
            _exit(3);
        if (write(done[1], "x", 1) != 1)
            _exit(4);
        for (;;)
            pause();
    }
    char x;
    assert_int_equal(read(done[0], &x, 1), 1);
    assert_int_equal(tbus_bus_heal(&bus), 0); /* never from the living */
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);

    tbus_waiter_t waiter;
    tbus_waiter_init(&waiter, mode);
    waiter.heal = heal;
    waiter.heal_context = &bus;
    tbus_waiter_watch_subscriber(&waiter, &s);
    tbus_waiter_watch_publisher(&waiter, &p);
    for (uint64_t i = 0; i < 64; i++) { /* four laps: every slot the dead held has to come free */
        while (tbus_publish_try(&p, &i, 8) == TBUS_FULL)
            tbus_waiter_idle(&waiter, UINT64_MAX);
        size_t bytes;
        while (!tbus_peek(&s, &bytes))
            tbus_waiter_idle(&waiter, UINT64_MAX);
        tbus_waiter_found(&waiter);
        assert_int_equal(taken(&s), i);
        tbus_subscriber_flush(&s);
    }
    assert_int_equal(tbus_load_relaxed_u64(&ring->shared->tombs), what == 0);
    assert_int_equal(tbus_load_relaxed_u64(&ring->shared->in_doubt), what == 1);
    close(lock);
    close(done[0]);
    close(done[1]);
    tbus_subscriber_leave(&s);
    tbus_bus_close(&bus);
}

static void whoever_waits_behind_a_dead_publishers_claim_buries_it(void **state)
{
    (void)state;
    wait_behind_the_dead(TBUS_WAIT_SPIN, 0);
    wait_behind_the_dead(TBUS_WAIT_PARK, 0);
}

static void whoever_waits_for_a_slot_that_a_dead_consumer_took_frees_it(void **state)
{
    (void)state;
    wait_behind_the_dead(TBUS_WAIT_YIELD, 1);
    wait_behind_the_dead(TBUS_WAIT_PARK, 1);
}

static void a_publisher_does_not_wait_for_a_dead_subscriber(void **state)
{
    (void)state;
    wait_behind_the_dead(TBUS_WAIT_SPIN, 2);
    wait_behind_the_dead(TBUS_WAIT_PARK, 2);
}

/* One ring always has something new; a claim on the other one is a dead child's. Whoever is never
 * idle must bury it all the same. */
static void a_process_that_is_never_idle_buries_the_dead_as_well(void **state)
{
    (void)state;
    tbus_bus_t bus;
    tbus_error_t err;
    test_bus_create(&bus, "busy");
    tbus_publisher_t p[2];
    tbus_subscriber_t s[2];
    test_participant(&bus, "parent", 1);
    test_participant(&bus, "child", 2);
    int lock = tbus_participant_live(&bus, 1, &err);
    assert_true(lock >= 0);
    tbus_waiter_t waiter;
    tbus_waiter_init(&waiter, TBUS_WAIT_SPIN);
    waiter.heal = heal;
    waiter.heal_context = &bus;
    for (unsigned i = 0; i < 2; i++) {
        tbus_ring_spec_t spec = {.kind = TBUS_MPMC};
        snprintf(spec.name, sizeof spec.name, "r%u", i);
        tbus_ring_t *ring = test_topic(&bus, spec, "number");
        p[i] = test_publisher(ring, 1);
        s[i] = test_late_comer(ring, "parent", TBUS_CONSUMER, 1);
        tbus_waiter_watch_subscriber(&waiter, &s[i]);
    }
    pid_t child = fork();
    if (child == 0) {
        tbus_publisher_t q;
        if (tbus_participant_live(&bus, 2, NULL) < 0 ||
            tbus_publisher_join(&bus.rings[1], 2, &q, NULL) < 0 || !tbus_claim_try(&q))
            _exit(1);
        raise(SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));

    uint64_t five = 5;
    size_t bytes;
    unsigned turns = 0;
    assert_int_equal(tbus_publish_try(&p[1], &five, sizeof five), TBUS_PUBLISHED);
    for (; !tbus_peek(&s[1], &bytes) && turns < 10 * TBUS_HEAL_TURNS; turns++) {
        assert_int_equal(tbus_publish_try(&p[0], &five, sizeof five), TBUS_PUBLISHED);
        assert_int_equal(taken(&s[0]), five);
        tbus_waiter_found(&waiter);
    }
    assert_true(turns < 10 * TBUS_HEAL_TURNS);
    assert_int_equal(taken(&s[1]), five);
    for (unsigned i = 0; i < 2; i++)
        tbus_subscriber_leave(&s[i]);
    close(lock);
    tbus_bus_close(&bus);
}

/* Nobody waits for room there, so nothing but the drops themselves tells of the dead subscriber. */
static void a_dropping_topic_goes_on_when_the_subscriber_that_left_no_room_is_dead(void **state)
{
    (void)state;
    for (unsigned k = 0; k < TEST_KINDS; k++) {
        tbus_bus_t bus;
        tbus_error_t err;
        test_bus_create(&bus, "dark");
        test_participant(&bus, "parent", 1);
        test_participant(&bus, "child", 2);
        tbus_ring_t *ring = test_topic(
            &bus, (tbus_ring_spec_t){.kind = test_kinds[k], .policy = TBUS_DROP_NEWEST}, "number");
        int lock = tbus_participant_live(&bus, 1, &err);
        assert_true(lock >= 0);
        pid_t child = fork();
        if (child == 0) {
            tbus_subscriber_t dies;
            if (tbus_participant_live(&bus, 2, NULL) < 0 ||
                tbus_subscriber_join_late(ring, "child", TBUS_FOLLOWER, 2, &dies, NULL) < 0)
                _exit(1);
            raise(SIGKILL);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        tbus_publisher_t p = test_publisher(ring, 1);
        tbus_subscriber_t s = test_late_comer(ring, "parent", test_taker(test_kinds[k]), 1);
        tbus_waiter_t waiter;
        tbus_waiter_init(&waiter, TBUS_WAIT_PARK);
        waiter.heal = heal;
        waiter.heal_context = &bus;
        tbus_waiter_watch_publisher(&waiter, &p);
        uint64_t number = 0;
        while (tbus_publish(&p, &number, 8) == TBUS_PUBLISHED) {
            assert_int_equal(taken(&s), number);
            tbus_subscriber_flush(&s);
            assert_true(++number <= 16);
        }
        assert_false(p.blocked);
        tbus_waiter_park(&waiter, tbus_clock_ns(), tbus_clock_ns() + 1000);
        for (unsigned i = 0; i < 40; i++, number++) {
            assert_int_equal(tbus_publish(&p, &number, 8), TBUS_PUBLISHED);
            assert_int_equal(taken(&s), number);
            tbus_subscriber_flush(&s);
        }
        tbus_subscriber_leave(&s);
        close(lock);
        tbus_bus_close(&bus);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blocking_topic_says_full_and_loses_nothing),
        cmocka_unit_test(a_dropping_topic_loses_the_newest_and_counts_it),
        cmocka_unit_test(an_evicting_topic_goes_on_without_the_slowest_and_tells_it_why),
        cmocka_unit_test(nobody_is_evicted_who_does_not_hold_the_ring_up),
        cmocka_unit_test(a_subscriber_ahead_of_the_tail_that_a_publisher_saw_is_not_the_slowest),
        cmocka_unit_test(whoever_leaves_a_slot_but_no_room_in_the_area_holds_a_long_message_up),
        cmocka_unit_test(a_batch_is_claimed_filled_in_place_and_seen_in_order),
        cmocka_unit_test(whoever_waits_behind_a_dead_publishers_claim_buries_it),
        cmocka_unit_test(whoever_waits_for_a_slot_that_a_dead_consumer_took_frees_it),
        cmocka_unit_test(a_publisher_does_not_wait_for_a_dead_subscriber),
        cmocka_unit_test(a_process_that_is_never_idle_buries_the_dead_as_well),
        cmocka_unit_test(a_dropping_topic_goes_on_when_the_subscriber_that_left_no_room_is_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
