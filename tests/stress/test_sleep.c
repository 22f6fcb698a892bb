/* SPDX-License-Identifier: Apache-2.0 */
/* A message that comes while somebody is falling asleep: it wakes up, always. Two processes; the
 * publisher sends the next message some moments after it heard that the last one was taken, so that
 * it falls before, between and behind every step of the sleeper's (1 to 4 of wait.h), and sends no
 * other that could make up for a bell that was not rung. A sleep that ends with its timeout
 * although a message was there, and its publisher through with ringing before the shortest of
 * sleeps could end, is a lost wake-up; none is allowed.
 *
 * Every other sleep is one of a subscriber that was awake before, which calls membarrier(2); the
 * others rely on the caller's fence.
 *
 * TICKBUS_SLEEPS=N sleeps as often, in all, as one likes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tickbus/bus.h>
#include <tickbus/clock.h>
#include <tickbus/publisher.h>
#include <tickbus/subscriber.h>
#include <tickbus/wait.h>

#include "tests/support/bus_fixture.h"

#define SLEEPS        15000u
#define WORLDS        10u /* every kind, on one bell and on several */
#define DITHER_SCALES 14u
#define TOPICS        2u                /* the second is one on which nothing ever comes */
#define SLEEP_NS_MIN  UINT64_C(1000000) /* no sleep that nobody ends is shorter (wait.c: TURN_NS) */

enum { SLEEPER = 1, CALLER = 2 };

typedef struct shared {
    tbus_atomic_u64_t taken;   /* messages; written by the sleeper */
    tbus_atomic_u64_t sent;    /* messages whose sending is over; written by the caller */
    tbus_atomic_u64_t sent_ns; /* when the last one's was */
    tbus_atomic_u32_t over;
} shared_t;

static shared_t *shared;

static tbus_bus_t make_bus(enum tbus_ring_kind kind)
{
    static const char *const names[TOPICS] = {"call", "never"};
    tbus_bus_t bus;
    test_bus_create(&bus, "sleep");
    for (unsigned i = 0; i < TOPICS; i++) {
        tbus_ring_spec_t spec = {.kind = kind};
        snprintf(spec.name, sizeof spec.name, "%s", names[i]);
        test_topic(&bus, spec, "number");
        test_reserve(&bus, names[i], "sleeper", test_taker(kind));
    }
    return bus;
}

/* From nothing to some ten microseconds, as long as it takes to fall asleep where membarrier(2)
 * interrupts a virtual CPU. Every other time short ones are as likely as long ones, in steps of a
 * cycle or so: what is looked for may be no wider than a store on its way to memory. */
static void dither(uint64_t *random)
{
    *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407;
    uint64_t scale = (*random >> 59) % (2 * DITHER_SCALES);
    uint64_t turns_max = UINT64_C(16) << (scale < DITHER_SCALES ? scale : DITHER_SCALES - 1);
    for (uint64_t turns = (*random >> 20) % turns_max; turns > 0; turns--)
        tbus_compiler_barrier();
}

/* On the n-th CPU that we may use: the two must not take turns on one, or the caller never calls
 * while the other falls asleep. */
static void go_to_cpu(int nth)
{
    static cpu_set_t allowed;
    if (CPU_COUNT(&allowed) == 0)
        sched_getaffinity(0, sizeof allowed, &allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && nth-- == 0) {
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof one, &one);
            return;
        }
}

static _Noreturn void call(tbus_bus_t *bus, uint64_t seed)
{
    tbus_publisher_t p;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    go_to_cpu(1);
    if (tbus_publisher_join(&bus->rings[0], CALLER, &p, NULL) < 0)
        _exit(2);
    for (uint64_t number = 0;; number++) {
        for (unsigned turns = 0; tbus_load_acquire_u64(&shared->taken) != number; turns++) {
            if (tbus_load_relaxed_u32(&shared->over))
                _exit(0);
            tbus_pause();
            if (turns % 1024 == 1023) /* or the sleeper had no CPU to wake up on */
                sched_yield();
        }
        dither(&seed);
        if (tbus_publish_try(&p, &number, sizeof number) != TBUS_PUBLISHED)
            _exit(3);
        tbus_store_relaxed_u64(&shared->sent_ns, tbus_clock_ns());
        tbus_store_release_u64(&shared->sent, number + 1);
    }
}

static pid_t caller;

static int no_more_calls(void **state)
{
    (void)state;
    if (caller > 0) {
        kill(caller, SIGKILL);
        waitpid(caller, NULL, 0);
    }
    caller = 0;
    return 0;
}

static uint64_t sleeps_for_each(void)
{
    const char *text = getenv("TICKBUS_SLEEPS");
    return (text ? strtoull(text, NULL, 0) : SLEEPS) / WORLDS;
}

/* When the sending of message `number` was over. */
static uint64_t when_sent_ns(uint64_t number)
{
    for (unsigned turns = 1; tbus_load_acquire_u64(&shared->sent) <= number; turns++) {
        tbus_pause();
        if (turns % 1024 == 0)
            sched_yield();
    }
    return tbus_load_relaxed_u64(&shared->sent_ns);
}

/* The next message, slept for. True: its wake-up was lost. (A sender that the host stops between
 * the message and the bell until the time is up is nobody's fault.) */
static bool receive(tbus_subscriber_t *s, tbus_waiter_t *waiter, uint64_t *out_number)
{
    size_t bytes;
    const void *message;
    uint64_t late = waiter->late, ends_ns = UINT64_MAX;
    while (!(message = tbus_peek(s, &bytes))) {
        uint64_t now_ns = tbus_clock_ns();
        ends_ns = now_ns + SLEEP_NS_MIN;
        tbus_waiter_park(waiter, now_ns, UINT64_MAX);
    }
    assert_int_equal(bytes, sizeof *out_number);
    memcpy(out_number, message, sizeof *out_number);
    tbus_advance(s);
    tbus_subscriber_flush(s);
    return waiter->late != late && when_sent_ns(*out_number) < ends_ns;
}

/* With several bells it sleeps in futex_waitv(2), with one in futex(2). */
static void sleep_and_be_called(enum tbus_ring_kind kind, unsigned bells)
{
    tbus_bus_t bus = make_bus(kind);
    tbus_subscriber_t sleeper[TOPICS];
    tbus_waiter_t waiter;
    uint64_t sleeps = sleeps_for_each(), number = 0, lost = 0;
    tbus_waiter_init(&waiter, TBUS_WAIT_PARK);
    for (unsigned i = 0; i < TOPICS; i++) {
        assert_int_equal(tbus_subscriber_join(&bus.rings[i], "sleeper", SLEEPER, &sleeper[i], NULL),
                         0);
        if (i < bells)
            tbus_waiter_watch_subscriber(&waiter, &sleeper[i]);
    }
    *shared = (shared_t){0};
    go_to_cpu(0);
    caller = fork();
    assert_true(caller >= 0);
    if (caller == 0)
        call(&bus, (uint64_t)kind);

    uint64_t began_ns = tbus_clock_ns();
    while (waiter.parks < sleeps) {
        uint64_t received;
        lost += receive(&sleeper[0], &waiter, &received);
        assert_int_equal(received, number++);
        if (number % 2) /* the next sleep is a first one, with membarrier(2); else with a fence */
            tbus_waiter_stay_awake(&waiter);
        tbus_store_release_u64(&shared->taken, number);
    }
    double s = (double)(tbus_clock_ns() - began_ns) / 1e9;
    tbus_store_relaxed_u32(&shared->over, 1);
    int status;
    assert_int_equal(waitpid(caller, &status, 0), caller);
    caller = 0;
    assert_int_equal(status, 0);
    print_message("  %s, %u bells: slept %llu times over %llu messages, %llu lost wake-ups; %.0f "
                  "sleeps a second\n",
                  tbus_ring_kind_name(kind), bells, (unsigned long long)waiter.parks,
                  (unsigned long long)number, (unsigned long long)lost, (double)waiter.parks / s);
    assert_int_equal(lost, 0);
    for (unsigned i = 0; i < TOPICS; i++)
        tbus_subscriber_leave(&sleeper[i]);
    tbus_bus_close(&bus);
}

static void no_sleep_runs_into_its_timeout_while_a_message_is_there(void **state)
{
    (void)state;
    for (enum tbus_ring_kind kind = TBUS_SPSC; kind <= TBUS_MPSC; kind++)
        for (unsigned bells = 1; bells <= TOPICS; bells++)
            sleep_and_be_called(kind, bells);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(no_sleep_runs_into_its_timeout_while_a_message_is_there,
                                  no_more_calls),
    };
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
