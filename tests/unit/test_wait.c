/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/bus.h>
#include <tickbus/clock.h>
#include <tickbus/wait.h>

#include "tests/support/bus_fixture.h"

#define ROUNDS 3000u
/* Who sleeps on although a message is there finds it a millisecond and two turns of the bell later
 * at the soonest (wait.c: TURN_NS, LATE_TURNS). */
#define LOST_NS UINT64_C(1000000)

static const char *const topics[] = {"ping", "pong", "never"};

/* A sleep that a test plays: at the first futex call the message is stored, or the slot claimed,
 * and nobody rings before the time is up; the bell is rung at the futex call `rung_at` (0: never).
 */
static struct played_sleep {
    tbus_ring_t *ring; /* NULL: sleeps are real */
    unsigned calls, rung_at;
    tbus_publisher_t *claimer; /* NULL: a message is stored */
    unsigned healed_after;     /* calls before the first search for the dead; 0: there was none */
    uint64_t first_ns;         /* how long the first sleep was to be */
} played;

static unsigned membarriers; /* called by sleepers of this process */

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    va_list list;
    long a[6];
    va_start(list, number);
    for (unsigned i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    membarriers += number == SYS_membarrier && a[0] == MEMBARRIER_CMD_GLOBAL_EXPEDITED;
    if (number != SYS_futex || !played.ring)
        return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    const struct timespec *timeout = (const struct timespec *)a[3];
    if (++played.calls == 1 && timeout)
        played.first_ns = (uint64_t)timeout->tv_sec * 1000000000 + (uint64_t)timeout->tv_nsec;
    if (played.calls == 1 && played.claimer)
        assert_non_null(tbus_claim_try(played.claimer));
    else if (played.calls == 1)
        tbus_store_release_u64(tbus_ring_slot(played.ring, 1),
                               tbus_slot_word(1, 0, 8, TBUS_SLOT_READY));
    if (played.calls == played.rung_at)
        tbus_fetch_add_relaxed_u32(&played.ring->shared->subs[0].bell, 1);
    errno = ETIMEDOUT;
    return -1;
}

/* Two processes toss a number over two rings; each also watches a third ring on which nothing ever
 * comes. */
static tbus_bus_t make_bus(enum tbus_ring_kind kind)
{
    tbus_bus_t bus;
    test_bus_create(&bus, "wait");
    for (unsigned i = 0; i < 3; i++) {
        tbus_ring_spec_t spec = {.kind = kind};
        snprintf(spec.name, sizeof spec.name, "%s", topics[i]);
        test_topic(&bus, spec, "number");
        test_reserve(&bus, topics[i], "a", test_taker(kind));
    }
    test_reserve(&bus, topics[2], "b", kind == TBUS_SPSC ? TBUS_FOLLOWER : test_taker(kind));
    return bus;
}

/* Of what a player has sent: written by it, read by the other. */
typedef struct sent {
    tbus_atomic_u64_t count; /* messages whose sending is over */
    tbus_atomic_u64_t ns;    /* when the last one's was */
} sent_t;

static sent_t *sent; /* shared; of the first, of the second */

typedef struct player {
    tbus_publisher_t out;
    tbus_subscriber_t in;
    tbus_subscriber_t never;
    tbus_waiter_t waiter;
    sent_t *ours, *theirs;
    uint64_t received, lost; /* wake-ups, of these */
} player_t;

static int join(tbus_bus_t *bus, player_t *p, bool first, enum tbus_wait_mode mode, bool no_waitv)
{
    tbus_error_t err;
    if (tbus_publisher_join(&bus->rings[first ? 0 : 1], first ? 1 : 2, &p->out, &err) < 0 ||
        tbus_subscriber_join(&bus->rings[first ? 1 : 0], "a", first ? 1 : 2, &p->in, &err) < 0 ||
        tbus_subscriber_join(&bus->rings[2], first ? "a" : "b", first ? 1 : 2, &p->never, &err) < 0)
        return -1;
    p->ours = &sent[first ? 0 : 1];
    p->theirs = &sent[first ? 1 : 0];
    p->received = p->lost = 0;
    tbus_waiter_init(&p->waiter, mode);
    p->waiter.no_waitv = no_waitv;
    tbus_waiter_watch_subscriber(&p->waiter, &p->in);
    tbus_waiter_watch_subscriber(&p->waiter, &p->never);
    tbus_waiter_watch_publisher(&p->waiter, &p->out);
    return 0;
}

static void throw_number(player_t *p, uint64_t number)
{
    while (tbus_publish_try(&p->out, &number, 8) == TBUS_FULL)
        tbus_waiter_idle(&p->waiter, UINT64_MAX);
    tbus_store_relaxed_u64(&p->ours->ns, tbus_clock_ns());
    tbus_store_release_u64(&p->ours->count, tbus_load_relaxed_u64(&p->ours->count) + 1);
}

/* A sleep has timed out although the message was there. A sender that the host stops between the
 * message and the bell is nobody's fault; one that was through with both is. */
static bool was_lost(const player_t *p)
{
    uint64_t found_ns = tbus_clock_ns();
    while (tbus_load_acquire_u64(&p->theirs->count) <= p->received)
        sched_yield();
    return tbus_load_relaxed_u64(&p->theirs->ns) + LOST_NS < found_ns;
}

static uint64_t receive(player_t *p)
{
    size_t bytes;
    const void *message;
    uint64_t late = p->waiter.late;
    while (!(message = tbus_peek(&p->in, &bytes)))
        tbus_waiter_idle(&p->waiter, UINT64_MAX);
    p->lost += p->waiter.late != late && was_lost(p);
    p->received++;
    tbus_waiter_found(&p->waiter);
    uint64_t number;
    memcpy(&number, message, 8);
    tbus_advance(&p->in);
    return number;
}

static void toss(enum tbus_ring_kind kind, enum tbus_wait_mode mode, bool no_waitv)
{
    tbus_bus_t bus = make_bus(kind);
    sent[0] = sent[1] = (sent_t){0};
    pid_t child = fork();
    if (child == 0) {
        player_t p;
        if (join(&bus, &p, false, mode, no_waitv))
            _exit(2);
        for (unsigned i = 0; i < ROUNDS; i++) {
            uint64_t number = receive(&p) + 1;
            if (i % 50 == 0) /* now and then the other side falls asleep for sure */
                nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
            throw_number(&p, number);
        }
        _exit(p.lost ? 3 : 0);
    }
    player_t p;
    assert_int_equal(join(&bus, &p, true, mode, no_waitv), 0);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        throw_number(&p, 2 * i);
        assert_int_equal(receive(&p), 2 * i + 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(p.lost, 0);
    if (mode == TBUS_WAIT_PARK)
        assert_true(p.waiter.parks > 0);
    assert_int_equal(tbus_load_relaxed_u32(&bus.rings[2].shared->sleepers), 0);
    tbus_subscriber_leave(&p.in);
    tbus_subscriber_leave(&p.never);
    tbus_bus_close(&bus);
}

static void parked_processes_are_woken_by_every_publish(void **state)
{
    (void)state;
    toss(TBUS_BROADCAST, TBUS_WAIT_PARK, false);
    toss(TBUS_MPMC, TBUS_WAIT_PARK, false);
}

static void parking_works_without_futex_waitv(void **state)
{
    (void)state;
    toss(TBUS_BROADCAST, TBUS_WAIT_PARK, true);
}

static void spinning_and_yielding_processes_meet(void **state)
{
    (void)state;
    toss(TBUS_BROADCAST, TBUS_WAIT_YIELD, false);
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
        toss(TBUS_BROADCAST_MP, TBUS_WAIT_SPIN, false);
}

static void a_publisher_that_waits_for_room_is_woken_by_progress(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST);
    enum { COUNT = 20000 };
    pid_t child = fork();
    if (child == 0) {
        player_t p;
        if (join(&bus, &p, false, TBUS_WAIT_PARK, false))
            _exit(2);
        for (uint64_t i = 0; i < COUNT; i++) {
            if (receive(&p) != i)
                _exit(4);
            if (i % 1000 == 0)
                nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL); /* the ring fills up */
        }
        _exit(0);
    }
    player_t p;
    assert_int_equal(join(&bus, &p, true, TBUS_WAIT_PARK, false), 0);
    uint64_t told_full = 0;
    for (uint64_t i = 0; i < COUNT; i++)
        while (tbus_publish_try(&p.out, &i, 8) == TBUS_FULL) {
            told_full++;
            tbus_waiter_idle(&p.waiter, UINT64_MAX);
        }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(told_full > 0);
    assert_false(p.out.blocked);
    tbus_subscriber_leave(&p.in);
    tbus_subscriber_leave(&p.never);
    tbus_bus_close(&bus);
}

/* There are slots, but the area holds four such messages. */
static void a_publisher_of_a_long_message_sleeps_until_there_is_room_in_the_area(void **state)
{
    (void)state;
    tbus_bus_t bus;
    test_bus_create(&bus, "wait");
    tbus_ring_t *ring = test_topic(
        &bus,
        (tbus_ring_spec_t){
            .name = "long", .kind = TBUS_SPSC, .msg_bytes_max = 1000, .area_bytes = 4096},
        "number");
    tbus_subscriber_t s = test_subscriber(ring, "a", TBUS_SUBSCRIBER, 2);
    tbus_publisher_t p = test_publisher(ring, 1);
    unsigned char text[1000] = {0};
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(tbus_publish_try(&p, text, sizeof text), TBUS_PUBLISHED);
    assert_int_equal(tbus_publish_try(&p, text, sizeof text), TBUS_FULL);

    tbus_waiter_t waiter;
    tbus_waiter_init(&waiter, TBUS_WAIT_PARK);
    assert_int_equal(tbus_waiter_watch_publisher(&waiter, &p), 0);
    uint64_t now_ns = tbus_clock_ns();
    tbus_waiter_park(&waiter, now_ns, now_ns + 1000000);
    assert_int_equal(waiter.parks, 1);
    size_t bytes;
    assert_non_null(tbus_peek(&s, &bytes));
    tbus_advance(&s); /* a quarter of the area: stored at once */
    tbus_waiter_park(&waiter, now_ns, now_ns + 1000000);
    assert_int_equal(waiter.parks, 1); /* there was room at the last look */
    assert_int_equal(tbus_publish_try(&p, text, sizeof text), TBUS_PUBLISHED);
    tbus_subscriber_leave(&s);
    tbus_bus_close(&bus);
}

static void auto_spins_only_when_every_process_has_a_cpu(void **state)
{
    (void)state;
    assert_int_equal(tbus_wait_mode_resolve(TBUS_WAIT_AUTO, 2, 2), TBUS_WAIT_SPIN);
    assert_int_equal(tbus_wait_mode_resolve(TBUS_WAIT_AUTO, 3, 2), TBUS_WAIT_PARK);
    assert_int_equal(tbus_wait_mode_resolve(TBUS_WAIT_YIELD, 30, 1), TBUS_WAIT_YIELD);
}

static uint64_t late_after_a_sleep(unsigned rung_at)
{
    tbus_ring_t ring = test_ring_create((tbus_ring_spec_t){.kind = TBUS_SPSC});
    tbus_subscriber_t s = test_subscriber(&ring, "s", TBUS_SUBSCRIBER, 2);
    tbus_waiter_t waiter;
    size_t bytes;
    tbus_waiter_init(&waiter, TBUS_WAIT_PARK);
    tbus_waiter_watch_subscriber(&waiter, &s);
    played = (struct played_sleep){.ring = &ring, .rung_at = rung_at};
    tbus_waiter_park(&waiter, tbus_clock_ns(), UINT64_MAX);
    played.ring = NULL;
    assert_int_equal(waiter.parks, 1);
    assert_non_null(tbus_peek(&s, &bytes));
    tbus_subscriber_leave(&s);
    test_ring_destroy(&ring);
    return waiter.late;
}

/* After it had found something. */
static uint64_t drains_of(tbus_waiter_t *w)
{
    uint64_t before = w->drains;
    tbus_waiter_found(w);
    tbus_waiter_idle(w, UINT64_MAX);
    tbus_waiter_idle(w, UINT64_MAX);
    return w->drains - before;
}

static void who_has_drained_its_rings_pauses_longer_once_where_it_is_told_to(void **state)
{
    (void)state;
    tbus_ring_t ring = test_ring_create((tbus_ring_spec_t){.kind = TBUS_SPSC});
    tbus_subscriber_t s = test_subscriber(&ring, "s", TBUS_SUBSCRIBER, 2);
    tbus_waiter_t waiter;
    tbus_waiter_init(&waiter, TBUS_WAIT_SPIN);
    tbus_waiter_watch_subscriber(&waiter, &s);
    assert_int_equal(drains_of(&waiter), 0); /* nobody has told it to */
    waiter.drained_pauses = 100;
    assert_int_equal(drains_of(&waiter), 1);
    s.held_back = true; /* a message is there, and waits for something else */
    assert_int_equal(drains_of(&waiter), 0);
    s.held_back = false;
    waiter.mode = TBUS_WAIT_PARK; /* others may need the CPU */
    assert_int_equal(drains_of(&waiter), 0);
    tbus_subscriber_leave(&s);
    test_ring_destroy(&ring);
}

/* Of one that parks, after `looks` in vain. */
static uint64_t parks_of(uint64_t yield_ns, unsigned looks)
{
    tbus_ring_t ring = test_ring_create((tbus_ring_spec_t){.kind = TBUS_SPSC});
    tbus_subscriber_t s = test_subscriber(&ring, "s", TBUS_SUBSCRIBER, 2);
    tbus_waiter_t waiter;
    tbus_waiter_init(&waiter, TBUS_WAIT_PARK);
    tbus_waiter_watch_subscriber(&waiter, &s);
    waiter.yield_ns = yield_ns;
    for (unsigned i = 0; i < looks; i++)
        tbus_waiter_idle(&waiter, UINT64_MAX);
    tbus_subscriber_leave(&s);
    test_ring_destroy(&ring);
    return waiter.parks;
}

static void who_is_told_to_yield_sleeps_when_that_time_is_over_and_not_before(void **state)
{
    (void)state;
    assert_int_equal(parks_of(UINT64_C(3600000000000), 5000), 0);
    assert_int_equal(parks_of(1, 4), 2); /* every other look begins anew */
}

static void count_searches(void *context)
{
    ++*(unsigned *)context;
}

/* One call looks many times, so that searches are not as many times rarer. */
static void a_waiter_that_spins_searches_for_the_dead_by_the_number_of_its_looks(void **state)
{
    (void)state;
    tbus_ring_t ring = test_ring_create((tbus_ring_spec_t){.kind = TBUS_MPMC});
    tbus_subscriber_t s = test_subscriber(&ring, "s", TBUS_CONSUMER, 2);
    tbus_publisher_t p = test_publisher(&ring, 1);
    tbus_waiter_t waiter;
    unsigned searches = 0, calls = 0;
    tbus_waiter_init(&waiter, TBUS_WAIT_SPIN);
    waiter.heal = count_searches;
    waiter.heal_context = &searches;
    tbus_waiter_watch_subscriber(&waiter, &s);
    assert_non_null(tbus_claim_try(&p));
    for (; searches < 2 && calls < TBUS_HEAL_TURNS; calls++)
        tbus_waiter_idle(&waiter, UINT64_MAX);
    assert_int_equal(searches, 2);
    assert_true(calls < TBUS_HEAL_TURNS / 4);
    tbus_abort(&p);
    tbus_subscriber_leave(&s);
    test_ring_destroy(&ring);
}

static void a_lost_wake_up_is_counted_and_a_bell_that_is_just_being_rung_is_not(void **state)
{
    (void)state;
    assert_int_equal(late_after_a_sleep(0), 1);
    assert_int_equal(late_after_a_sleep(1), 0); /* while we were on our way back */
    assert_int_equal(late_after_a_sleep(2), 0); /* a moment later */
}

static void find_the_dead(void *context)
{
    (void)context;
    if (!played.healed_after)
        played.healed_after = played.calls;
    tbus_abort(played.claimer);
}

/* Whoever looks need not sleep once more before it asks who lives. */
static void a_claim_that_is_found_at_a_look_is_asked_about_at_once(void **state)
{
    (void)state;
    static const enum tbus_ring_kind kinds[] = {TBUS_MPSC, TBUS_MPMC, TBUS_BROADCAST_MP};
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        tbus_ring_t ring = test_ring_create((tbus_ring_spec_t){.kind = kinds[i]});
        tbus_subscriber_t s = test_subscriber(&ring, "s", test_taker(kinds[i]), 2);
        tbus_publisher_t p = test_publisher(&ring, 1);
        tbus_waiter_t waiter;
        tbus_waiter_init(&waiter, TBUS_WAIT_PARK);
        waiter.heal = find_the_dead;
        tbus_waiter_watch_subscriber(&waiter, &s);
        played = (struct played_sleep){.ring = &ring, .claimer = &p};
        tbus_waiter_park(&waiter, tbus_clock_ns(), UINT64_MAX);
        played.ring = NULL;
        assert_int_equal(played.healed_after, 1);
        assert_int_equal(waiter.parks, 1);
        tbus_subscriber_leave(&s);
        test_ring_destroy(&ring);
    }
}

/* Place `index` falls asleep at `now_ns` beside those in `asleep`: how long until it looks? */
static uint64_t first_look_ns(enum tbus_ring_kind kind, uint32_t index, uint32_t asleep,
                              uint64_t now_ns)
{
    tbus_ring_t ring = test_ring_create((tbus_ring_spec_t){.kind = kind});
    tbus_subscriber_t s[4];
    char name[] = "a";
    for (unsigned i = 0; i <= index; i++, name[0]++)
        s[i] = test_subscriber(&ring, name, TBUS_SUBSCRIBER, i + 1);
    tbus_waiter_t waiter;
    tbus_waiter_init(&waiter, TBUS_WAIT_PARK);
    tbus_waiter_watch_subscriber(&waiter, &s[index]);
    tbus_store_relaxed_u32(&ring.shared->sleepers, asleep);
    played = (struct played_sleep){.ring = &ring, .rung_at = 1};
    tbus_waiter_park(&waiter, now_ns, UINT64_MAX);
    played.ring = NULL;
    for (unsigned i = 0; i <= index; i++)
        tbus_subscriber_leave(&s[i]);
    test_ring_destroy(&ring);
    return played.first_ns;
}

static void sleepers_of_a_ring_take_turns_at_looking_and_one_alone_takes_them_all(void **state)
{
    (void)state;
    enum { LOOK = 3000000 };
    for (uint64_t now = 10 * LOOK; now < 14 * LOOK; now += LOOK / 2) {
        uint64_t next = LOOK - now % LOOK;
        assert_int_equal(first_look_ns(TBUS_BROADCAST_MP, 0, 0, now), next);
        assert_int_equal(first_look_ns(TBUS_BROADCAST_MP, 3, 0, now), next);
        /* two sleep below it */
        uint64_t even = first_look_ns(TBUS_BROADCAST_MP, 2, 0x3, now);
        uint64_t odd = first_look_ns(TBUS_BROADCAST_MP, 1, 0x5, now);
        assert_int_equal(even < odd ? even : odd, next);
        assert_int_equal(even < odd ? odd : even, next + LOOK);
        assert_int_equal((now + even) / LOOK % 2, 0);
    }
}

/* No claim is in anybody's way there; and a timer of some milliseconds costs each sleep. */
static void on_a_ring_with_one_publisher_nobody_looks_before_the_longest_sleep_is_over(void **state)
{
    (void)state;
    assert_int_equal(first_look_ns(TBUS_BROADCAST, 0, 0, 1000), TBUS_PARK_NS_MAX);
    assert_int_equal(first_look_ns(TBUS_BROADCAST, 2, 0x3, 1000), TBUS_PARK_NS_MAX);
}

static void sleep_a_little(tbus_waiter_t *w)
{
    uint64_t now_ns = tbus_clock_ns();
    tbus_waiter_park(w, now_ns, now_ns + 1000);
}

static void who_sleeps_often_interrupts_publishers_once_and_has_them_execute_fences(void **state)
{
    (void)state;
    tbus_ring_t ring = test_ring_create((tbus_ring_spec_t){.kind = TBUS_BROADCAST});
    const tbus_ring_shared_t *shared = ring.shared;
    tbus_subscriber_t s = test_subscriber(&ring, "s", TBUS_SUBSCRIBER, 1);
    tbus_subscriber_t other = test_subscriber(&ring, "other", TBUS_SUBSCRIBER, 2);
    tbus_publisher_t p = test_publisher(&ring, 3);
    tbus_waiter_t w;
    tbus_waiter_init(&w, TBUS_WAIT_PARK);
    tbus_waiter_watch_subscriber(&w, &s);
    membarriers = 0;
    for (unsigned round = 1; round <= 3; round++) {
        for (unsigned i = 0; i < 3; i++) {
            sleep_a_little(&w);
            assert_int_equal(membarriers, round);
            assert_int_equal(tbus_load_relaxed_u32(&shared->fences_wanted), 1u << s.index);
            assert_int_equal(tbus_load_relaxed_u32(&shared->sleepers), 0);
        }
        /* It is awake: nobody rings. */
        uint32_t bell = tbus_load_relaxed_u32(&shared->subs[s.index].bell);
        for (unsigned i = 0; i < TBUS_AWAKE_LOOKS; i++) {
            size_t bytes;
            assert_int_equal(tbus_load_relaxed_u32(&shared->fences_wanted), 1u << s.index);
            assert_int_equal(tbus_publish_try(&p, &i, sizeof i), TBUS_PUBLISHED);
            assert_non_null(tbus_peek(&s, &bytes));
            tbus_advance(&s);
            tbus_waiter_found(&w);
            assert_non_null(tbus_peek(&other, &bytes));
            tbus_advance(&other);
        }
        assert_int_equal(tbus_load_relaxed_u32(&shared->subs[s.index].bell), bell);
        assert_int_equal(tbus_load_relaxed_u32(&shared->fences_wanted), 0);
    }
    /* Who waits for room interrupts subscribers each time. */
    tbus_waiter_t for_room;
    tbus_waiter_init(&for_room, TBUS_WAIT_PARK);
    tbus_waiter_watch_publisher(&for_room, &p);
    while (tbus_publish_try(&p, &membarriers, sizeof membarriers) != TBUS_FULL)
        ;
    for (unsigned i = 4; i < 7; i++) {
        sleep_a_little(&for_room);
        assert_int_equal(membarriers, i);
    }
    tbus_subscriber_leave(&s);
    tbus_subscriber_leave(&other);
    tbus_publisher_leave(&p);
    test_ring_destroy(&ring);
}

static void who_leaves_or_takes_a_place_wants_no_fences_and_leaves_those_of_others(void **state)
{
    (void)state;
    tbus_ring_t ring = test_ring_create((tbus_ring_spec_t){.kind = TBUS_BROADCAST});
    tbus_ring_shared_t *shared = ring.shared;
    for (unsigned late = 0; late < 2; late++) {
        tbus_store_relaxed_u32(&shared->fences_wanted, UINT32_MAX); /* what the dead left */
        tbus_subscriber_t s = late ? test_late_comer(&ring, "s", TBUS_SUBSCRIBER, 1)
                                   : test_subscriber(&ring, "s", TBUS_SUBSCRIBER, 1);
        uint32_t others = ~(UINT32_C(1) << s.index);
        assert_int_equal(tbus_load_relaxed_u32(&shared->fences_wanted), others);
        tbus_waiter_t w;
        tbus_waiter_init(&w, TBUS_WAIT_PARK);
        tbus_waiter_watch_subscriber(&w, &s);
        sleep_a_little(&w);
        assert_int_equal(tbus_load_relaxed_u32(&shared->fences_wanted), UINT32_MAX);
        tbus_subscriber_leave(&s);
        assert_int_equal(tbus_load_relaxed_u32(&shared->fences_wanted), others);
    }
    test_ring_destroy(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parked_processes_are_woken_by_every_publish),
        cmocka_unit_test(parking_works_without_futex_waitv),
        cmocka_unit_test(spinning_and_yielding_processes_meet),
        cmocka_unit_test(a_publisher_that_waits_for_room_is_woken_by_progress),
        cmocka_unit_test(a_publisher_of_a_long_message_sleeps_until_there_is_room_in_the_area),
        cmocka_unit_test(a_lost_wake_up_is_counted_and_a_bell_that_is_just_being_rung_is_not),
        cmocka_unit_test(a_claim_that_is_found_at_a_look_is_asked_about_at_once),
        cmocka_unit_test(sleepers_of_a_ring_take_turns_at_looking_and_one_alone_takes_them_all),
        cmocka_unit_test(
            on_a_ring_with_one_publisher_nobody_looks_before_the_longest_sleep_is_over),
        cmocka_unit_test(who_has_drained_its_rings_pauses_longer_once_where_it_is_told_to),
        cmocka_unit_test(who_is_told_to_yield_sleeps_when_that_time_is_over_and_not_before),
        cmocka_unit_test(a_waiter_that_spins_searches_for_the_dead_by_the_number_of_its_looks),
        cmocka_unit_test(who_sleeps_often_interrupts_publishers_once_and_has_them_execute_fences),
        cmocka_unit_test(who_leaves_or_takes_a_place_wants_no_fences_and_leaves_those_of_others),
        cmocka_unit_test(auto_spins_only_when_every_process_has_a_cpu),
    };
    sent = mmap(NULL, 2 * sizeof *sent, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return sent == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
