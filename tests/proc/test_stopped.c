/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that are stopped (SIGSTOP) at the worst moment and go on later: nothing is stolen from
 * them while they live; and one that lost its place or its claim meanwhile is told so, and does no
 * harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tickbus/bus.h>
#include <tickbus/publisher.h>
#include <tickbus/repair.h>
#include <tickbus/subscriber.h>
#include <tickbus/wait.h>

#include "tests/support/bus_fixture.h"

enum { PARENT = 1, CHILD = 2, SLOTS = 16, WHOLE = 0, TOLD = 10, WRONG = 20 };

typedef struct pair {
    tbus_bus_t bus;
    tbus_ring_t *ring;
    tbus_publisher_t publisher; /* the parent's */
    tbus_subscriber_t subscriber;
    tbus_waiter_t waiter;
    int life;
    pid_t child;
} pair_t;

static void heal(void *context)
{
    tbus_bus_heal(context);
}

static void set_up(pair_t *p, enum tbus_ring_kind kind, enum tbus_policy policy)
{
    tbus_error_t err = {0};
    memset(p, 0, sizeof *p);
    test_bus_create(&p->bus, "stopped");
    p->ring = test_topic(
        &p->bus,
        (tbus_ring_spec_t){.name = "t", .kind = kind, .slot_count = SLOTS, .policy = policy},
        "number");
    test_participant(&p->bus, "parent", PARENT);
    test_participant(&p->bus, "child", CHILD);
    test_reserve(&p->bus, "t", "parent", test_taker(kind));
    p->life = tbus_participant_live(&p->bus, PARENT, &err);
    assert_true(p->life >= 0);
    p->publisher = test_publisher(p->ring, PARENT);
    p->subscriber = test_subscriber_of(p->ring, "parent", PARENT);
    tbus_waiter_init(&p->waiter, TBUS_WAIT_PARK);
    p->waiter.heal = heal;
    p->waiter.heal_context = &p->bus;
    tbus_waiter_watch_subscriber(&p->waiter, &p->subscriber);
    tbus_waiter_watch_publisher(&p->waiter, &p->publisher);
}

static void tear_down(pair_t *p)
{
    tbus_subscriber_leave(&p->subscriber);
    close(p->life);
    tbus_bus_close(&p->bus);
}

/* A child that stops itself somewhere in `does`; returns once it stands still. What `does` returns
 * is its exit code. */
static void start_child(pair_t *p, int (*does)(pair_t *))
{
    p->child = fork();
    if (p->child == 0)
        _exit(tbus_participant_live(&p->bus, CHILD, NULL) < 0 ? WRONG : does(p));
    int status;
    assert_int_equal(waitpid(p->child, &status, WUNTRACED), p->child);
    assert_true(WIFSTOPPED(status));
}

static int ended(pair_t *p)
{
    int status;
    kill(p->child, SIGCONT);
    assert_int_equal(waitpid(p->child, &status, 0), p->child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void publish(pair_t *p, uint64_t number)
{
    assert_int_equal(tbus_publish(&p->publisher, &number, sizeof number), TBUS_PUBLISHED);
}

static bool receive(tbus_subscriber_t *s, uint64_t *out_number)
{
    size_t bytes;
    const void *message = tbus_peek(s, &bytes);
    if (!message)
        return false;
    memcpy(out_number, message, sizeof *out_number);
    tbus_advance(s);
    return true;
}

static void expect(pair_t *p, uint64_t number)
{
    uint64_t got;
    while (!receive(&p->subscriber, &got)) {
        assert_int_equal(p->subscriber.error, 0);
        tbus_waiter_idle(&p->waiter, UINT64_MAX);
    }
    tbus_waiter_found(&p->waiter);
    assert_int_equal(got, number);
    tbus_subscriber_flush(&p->subscriber);
}

/* ---- stopped with a claim in hand ---- */

static int claim_stop_commit(pair_t *p)
{
    tbus_publisher_t mine;
    uint64_t number = 77;
    void *place;
    if (tbus_publisher_join(p->ring, CHILD, &mine, NULL) < 0 || !(place = tbus_claim_try(&mine)))
        return WRONG;
    memcpy(place, &number, sizeof number);
    raise(SIGSTOP);
    tbus_commit(&mine, sizeof number);
    if (!mine.error)
        return WHOLE;
    return mine.error == -TBUS_ESTALE && !tbus_claim_try(&mine) &&
                   tbus_publish_try(&mine, &number, sizeof number) == TBUS_STALE
               ? TOLD
               : WRONG;
}

static const enum tbus_ring_kind several[] = {TBUS_BROADCAST_MP, TBUS_MPMC, TBUS_MPSC};

static void a_claim_is_not_taken_from_a_stopped_publisher(void **state)
{
    (void)state;
    for (unsigned k = 0; k < sizeof several / sizeof *several; k++) {
        pair_t p;
        set_up(&p, several[k], TBUS_BLOCK);
        start_child(&p, claim_stop_commit);
        publish(&p, 78);
        uint64_t got;
        for (unsigned turns = 0; turns < 50;
             turns++) { /* everybody waits, and looks for the dead */
            assert_false(receive(&p.subscriber, &got));
            tbus_waiter_park(&p.waiter, tbus_clock_ns(), UINT64_MAX);
            assert_int_equal(tbus_bus_heal(&p.bus), 0);
        }
        assert_int_equal(tbus_load_relaxed_u64(&p.ring->shared->tombs), 0);
        assert_int_equal(ended(&p), WHOLE);
        expect(&p, 77); /* in the order of the claims */
        expect(&p, 78);
        tear_down(&p);
    }
}

static void once_it_is_killed_the_others_go_on(void **state)
{
    (void)state;
    for (unsigned k = 0; k < sizeof several / sizeof *several; k++) {
        pair_t p;
        set_up(&p, several[k], TBUS_BLOCK);
        start_child(&p, claim_stop_commit);
        publish(&p, 78);
        kill(p.child, SIGKILL);
        assert_int_equal(waitpid(p.child, NULL, 0), p.child);
        expect(&p, 78);
        assert_int_equal(tbus_load_relaxed_u64(&p.ring->shared->tombs), 1);
        tear_down(&p);
    }
}

static void whoever_was_declared_dead_by_mistake_is_told_and_publishes_nothing(void **state)
{
    (void)state;
    for (unsigned k = 0; k < sizeof several / sizeof *several; k++) {
        pair_t p;
        set_up(&p, several[k], TBUS_BLOCK);
        start_child(&p, claim_stop_commit);
        assert_int_equal(tbus_ring_repair(p.ring, CHILD), 1); /* against the rules: it lives */
        for (uint64_t i = 0; i < 3; i++)
            publish(&p, i);
        assert_int_equal(ended(&p), TOLD);
        for (uint64_t i = 0; i < 3; i++)
            expect(&p, i);
        uint64_t got;
        assert_false(receive(&p.subscriber, &got));
        assert_int_equal(p.subscriber.error, 0);
        tear_down(&p);
    }
}

static int take_stop_release(pair_t *p)
{
    tbus_subscriber_t mine;
    size_t bytes;
    if (tbus_subscriber_join_late(p->ring, "child", TBUS_CONSUMER, CHILD, &mine, NULL) < 0 ||
        !tbus_peek(&mine, &bytes))
        return WRONG;
    raise(SIGSTOP);
    tbus_advance(&mine);
    int error = mine.error;
    const void *more = tbus_peek(&mine, &bytes);
    return error == -TBUS_ESTALE && !more ? TOLD : error || more ? WRONG : WHOLE;
}

static void a_message_in_the_hands_of_a_stopped_consumer_stays_there(void **state)
{
    (void)state;
    pair_t p;
    set_up(&p, TBUS_MPMC, TBUS_BLOCK);
    publish(&p, 1);
    start_child(&p, take_stop_release);
    for (uint64_t i = 2; i <= SLOTS; i++)
        publish(&p, i);
    assert_int_equal(tbus_publish(&p.publisher, "x", 1), TBUS_FULL); /* its slot is still taken */
    for (unsigned turns = 0; turns < 50; turns++) {
        tbus_waiter_park(&p.waiter, tbus_clock_ns(), UINT64_MAX);
        assert_int_equal(tbus_bus_heal(&p.bus), 0);
    }
    for (uint64_t i = 2; i <= SLOTS; i++)
        expect(&p, i); /* other consumers are not held up */
    assert_int_equal(ended(&p), WHOLE);
    publish(&p, 100);
    expect(&p, 100);
    assert_int_equal(tbus_load_relaxed_u64(&p.ring->shared->in_doubt), 0);
    tear_down(&p);
}

static void a_consumer_that_was_declared_dead_by_mistake_is_told(void **state)
{
    (void)state;
    pair_t p;
    set_up(&p, TBUS_MPMC, TBUS_BLOCK);
    publish(&p, 1);
    start_child(&p, take_stop_release);
    assert_int_equal(tbus_ring_repair(p.ring, CHILD), 2); /* the message, and its place */
    assert_int_equal(tbus_load_relaxed_u64(&p.ring->shared->in_doubt), 1);
    for (uint64_t i = 0; i < 2 * SLOTS; i++) { /* its slot is long in other hands */
        publish(&p, 2 + i);
        expect(&p, 2 + i);
    }
    publish(&p, 1000); /* which it must not get */
    assert_int_equal(ended(&p), TOLD);
    expect(&p, 1000);
    tear_down(&p);
}

/* ---- a stopped broadcast subscriber, by policy ---- */

enum { FIRST_READ = 3 };

/* Reads some, stops, then reads what there is. */
static int read_stop_read(pair_t *p)
{
    tbus_subscriber_t mine;
    uint64_t expected = 0, got;
    if (tbus_subscriber_join_late(p->ring, "child", TBUS_SUBSCRIBER, CHILD, &mine, NULL) < 0)
        return WRONG;
    raise(SIGSTOP); /* the parent publishes some */
    for (; expected < FIRST_READ; expected++)
        if (!receive(&mine, &got) || got != expected)
            return WRONG;
    tbus_subscriber_flush(&mine);
    raise(SIGSTOP);
    while (receive(&mine, &got))
        if (got != expected++)
            return WRONG;
    tbus_subscriber_flush(&mine);
    return mine.error == -TBUS_EEVICTED ? TOLD : mine.error ? WRONG : WHOLE;
}

/* The child has read FIRST_READ messages of a whole lap and stands still; the parent has read
 * all. */
static void stop_a_reader(pair_t *p, enum tbus_ring_kind kind, enum tbus_policy policy)
{
    set_up(p, kind, policy);
    start_child(p, read_stop_read);
    for (uint64_t i = 0; i < SLOTS; i++) {
        publish(p, i);
        expect(p, i);
    }
    int status;
    kill(p->child, SIGCONT);
    assert_int_equal(waitpid(p->child, &status, WUNTRACED), p->child);
    assert_true(WIFSTOPPED(status));
}

static const enum tbus_ring_kind broadcasts[] = {TBUS_BROADCAST, TBUS_BROADCAST_MP};

static void a_blocking_topic_waits_for_a_stopped_subscriber_and_names_it(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        pair_t p;
        stop_a_reader(&p, broadcasts[k], TBUS_BLOCK);
        uint64_t next = SLOTS, lag;
        for (; tbus_publish(&p.publisher, &next, sizeof next) == TBUS_PUBLISHED; next++)
            expect(&p, next); /* who is awake gets everything at once */
        assert_int_equal(next, SLOTS + FIRST_READ);
        tbus_publisher_flush(&p.publisher);
        int slowest = tbus_ring_slowest(p.ring, &lag);
        assert_true(slowest >= 0);
        assert_string_equal(p.ring->shared->subs[slowest].name, "child");
        assert_int_equal(lag, SLOTS);
        for (unsigned turns = 0; turns < 50; turns++)
            assert_int_equal(tbus_bus_heal(&p.bus), 0);
        assert_int_equal(ended(&p), WHOLE); /* all of them, in order */
        assert_int_equal(tbus_bus_heal(&p.bus), 1);
        publish(&p, next);
        expect(&p, next);
        tear_down(&p);
    }
}

static void a_dropping_topic_goes_on_for_nobody_while_a_subscriber_is_stopped(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        pair_t p;
        stop_a_reader(&p, broadcasts[k], TBUS_DROP_NEWEST);
        uint64_t next = SLOTS;
        for (; tbus_publish(&p.publisher, &next, sizeof next) == TBUS_PUBLISHED; next++)
            expect(&p, next);
        assert_int_equal(next, SLOTS + FIRST_READ);
        assert_int_equal(tbus_publish(&p.publisher, &next, sizeof next), TBUS_DROPPED);
        assert_int_equal(tbus_load_relaxed_u64(&p.ring->shared->dropped), 2);
        assert_int_equal(ended(&p), WHOLE);
        assert_int_equal(tbus_publish(&p.publisher, &next, sizeof next), TBUS_PUBLISHED);
        expect(&p, next);
        tear_down(&p);
    }
}

static void an_evicting_topic_goes_on_and_the_stopped_one_is_told(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        pair_t p;
        stop_a_reader(&p, broadcasts[k], TBUS_EVICT_SLOWEST);
        for (uint64_t next = SLOTS; next < 10 * SLOTS; next++) {
            publish(&p, next);
            expect(&p, next);
        }
        assert_int_equal(tbus_load_relaxed_u64(&p.ring->shared->evicted), 1);
        assert_int_equal(ended(&p), TOLD);
        tear_down(&p);
    }
}

/* Stopped after step 1 of wait.h: its bit says that it sleeps. */
static int fall_asleep_stop_read(pair_t *p)
{
    tbus_subscriber_t mine;
    uint64_t got;
    if (tbus_subscriber_join_late(p->ring, "child", TBUS_FOLLOWER, CHILD, &mine, NULL) < 0)
        return WRONG;
    tbus_fetch_or_u32(&p->ring->shared->sleepers, UINT32_C(1) << mine.index);
    raise(SIGSTOP);
    if (receive(&mine, &got))
        return WRONG;
    return mine.error == -TBUS_EEVICTED ? TOLD : WRONG;
}

static const tbus_ring_sub_t *place_of(const tbus_ring_t *ring, const char *name)
{
    for (unsigned i = 0; i < TBUS_RING_SUBS_MAX; i++)
        if (!strcmp(ring->shared->subs[i].name, name))
            return &ring->shared->subs[i];
    return NULL;
}

/* A bell is a system call: were it rung at each message, a stopped sleeper would slow all others
 * down for as long as it stands still. */
static void a_stopped_sleepers_bell_is_rung_once_however_many_messages_follow(void **state)
{
    (void)state;
    static const enum tbus_ring_kind kinds[] = {TBUS_SPSC, TBUS_MPSC, TBUS_BROADCAST,
                                                TBUS_BROADCAST_MP, TBUS_MPMC};
    for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        pair_t p;
        set_up(&p, kinds[k], TBUS_EVICT_SLOWEST);
        start_child(&p, fall_asleep_stop_read);
        const tbus_ring_sub_t *child = place_of(p.ring, "child");
        assert_non_null(child);
        uint32_t sleeps = UINT32_C(1) << (child - p.ring->shared->subs);
        uint32_t rung = tbus_load_relaxed_u32(&child->bell);
        for (uint64_t next = 0; next < 100 * SLOTS; next++) {
            publish(&p, next);
            expect(&p, next);
        }
        assert_int_equal(tbus_load_relaxed_u32(&child->bell) - rung, 1);
        assert_false(tbus_load_relaxed_u32(&p.ring->shared->sleepers) & sleeps);
        assert_int_equal(tbus_load_relaxed_u64(&p.ring->shared->evicted), 1);
        assert_int_equal(ended(&p), TOLD);
        tear_down(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_claim_is_not_taken_from_a_stopped_publisher),
        cmocka_unit_test(once_it_is_killed_the_others_go_on),
        cmocka_unit_test(whoever_was_declared_dead_by_mistake_is_told_and_publishes_nothing),
        cmocka_unit_test(a_message_in_the_hands_of_a_stopped_consumer_stays_there),
        cmocka_unit_test(a_consumer_that_was_declared_dead_by_mistake_is_told),
        cmocka_unit_test(a_blocking_topic_waits_for_a_stopped_subscriber_and_names_it),
        cmocka_unit_test(a_dropping_topic_goes_on_for_nobody_while_a_subscriber_is_stopped),
        cmocka_unit_test(an_evicting_topic_goes_on_and_the_stopped_one_is_told),
        cmocka_unit_test(a_stopped_sleepers_bell_is_rung_once_however_many_messages_follow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
