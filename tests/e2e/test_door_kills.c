/* SPDX-License-Identifier: Apache-2.0 */
/* A publisher and a subscriber on a bus that `busctl bus` keeps. Each of them is killed with kill
 * -9 at 200 random instants and started again, while the other goes on. Every message carries a
 * number; the ledger knows which were published and which were taken:
 *
 *    broadcast   within the life of a subscriber nothing is missing from the sequence on that it
 *                was told at joining; a successor is shown again at most what the dead one had in
 *                hand
 *    mpmc        messages wait for the next consumer: none is taken twice, and none is missing but
 *                what dead consumers had in hand
 *
 * Killed in the middle of publishing, a publisher leaves at most one message of which nobody knows
 * whether it was published. The seed is printed; TICKBUS_SEED sets it, TICKBUS_KILLS the number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/tickbus.h>

#include "tests/support/program.h"

#define NUMBERS_MAX    (UINT64_C(1) << 26) /* a byte each, touched only as far as they are used */
#define KILLS          200u
#define DAWDLE_NS      2000000u /* at most so long between a start and a kill */
#define SLOTS          64u
#define CHECK(ok, ...) ((ok) ? (void)0 : give_up(__VA_ARGS__))

enum { MAYBE = 1, TAKEN = 2, TAKEN_AGAIN = 4 }; /* of a number; MAYBE: nobody knows if published */

typedef struct ledger {
    /* written by: the living publisher. Numbers below `begun` were given out, below `done` are
     * surely published */
    tbus_atomic_u64_t begun;
    tbus_atomic_u64_t done;
    /* written by: the living subscriber */
    tbus_atomic_u64_t taken;
    tbus_atomic_u64_t lives;    /* that have joined */
    tbus_atomic_u64_t last_seq; /* taken last, of all lives */
    tbus_atomic_u64_t last_number;
    tbus_atomic_u64_t nobody; /* times that it was told so */
    tbus_atomic_u64_t vain;   /* of the publisher: likewise */
    tbus_atomic_u32_t finish; /* the publisher is to stop in order */
    tbus_atomic_u32_t drained;
    char fault[200];
    unsigned char numbers[NUMBERS_MAX];
} ledger_t;

static ledger_t *ledger;
static char bus_name[24];
static bool competing;
static uint64_t seed;

__attribute__((format(printf, 1, 2))) static _Noreturn void give_up(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ledger->fault, sizeof ledger->fault, format, arguments);
    va_end(arguments);
    _exit(1);
}

static uint64_t next_random(void)
{
    uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* --- the publisher */

static _Noreturn void publish(void)
{
    tbus_bus_t bus;
    tbus_publisher_t out;
    tbus_error_t err = {0};
    CHECK(tbus_bus_open(bus_name, "writer", TBUS_FOREVER, &bus, &err) == 0, "%s", err.text);
    CHECK(tbus_bus_publisher(&bus, "hello", &out, &err) == 0, "%s", err.text);
    uint64_t number = tbus_load_relaxed_u64(&ledger->begun);
    if (number != tbus_load_relaxed_u64(&ledger->done)) /* our predecessor was killed over it */
        ledger->numbers[number - 1] |= MAYBE;
    for (; !tbus_load_acquire_u32(&ledger->finish) && number < NUMBERS_MAX; number++) {
        tbus_store_release_u64(&ledger->begun, number + 1);
        int told;
        while ((told = tbus_publish_wait(&bus, &out, &number, sizeof number, TBUS_FOREVER)) ==
               TBUS_NOBODY)
            tbus_add_own_u64(&ledger->vain, 1);
        CHECK(told == TBUS_PUBLISHED, "publish: %d", told);
        tbus_store_release_u64(&ledger->done, number + 1);
        if (number % 64 == 0)
            nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL); /* both are often asleep */
    }
    tbus_bus_close(&bus);
    _exit(0);
}

/* --- the subscriber */

/* May `number` be what comes next after `last`? */
static bool follows(uint64_t last, uint64_t number)
{
    for (uint64_t n = last + 1; n < number; n++)
        if (!(ledger->numbers[n] & MAYBE))
            return false;
    return number > last;
}

static void note_taken(uint64_t number)
{
    unsigned char was = ledger->numbers[number];
    ledger->numbers[number] = was & TAKEN ? was | TAKEN_AGAIN : was | TAKEN;
    CHECK(!competing || !(was & TAKEN), "number %llu was taken twice", (unsigned long long)number);
}

static _Noreturn void subscribe(void)
{
    tbus_bus_t bus;
    tbus_subscriber_t in;
    tbus_error_t err = {0};
    const void *message;
    size_t bytes;
    CHECK(tbus_bus_open(bus_name, "reader", TBUS_FOREVER, &bus, &err) == 0, "%s", err.text);
    CHECK(tbus_bus_subscriber(&bus, "hello", &in, &err) == 0, "%s", err.text);
    uint64_t expected = in.seq;
    uint64_t held = tbus_load_relaxed_u64(&ledger->last_seq);
    bool first = true;
    CHECK(competing || expected >= held, "joined at %llu, which was given back: %llu was in hand",
          (unsigned long long)expected, (unsigned long long)held);
    tbus_add_own_u64(&ledger->lives, 1);
    for (;;) {
        int told = tbus_take_wait(&bus, &in, &message, &bytes, TBUS_FOREVER);
        if (told == TBUS_NOBODY) {
            tbus_add_own_u64(&ledger->nobody, 1);
            if (tbus_load_acquire_u32(&ledger->finish))
                break;
            continue;
        }
        CHECK(told == TBUS_TAKEN && bytes == 8, "take: %d, %zu bytes", told, bytes);
        uint64_t number = *(const uint64_t *)message;
        uint64_t last = tbus_load_relaxed_u64(&ledger->last_number);
        CHECK(number < tbus_load_acquire_u64(&ledger->begun), "number %llu was never published",
              (unsigned long long)number);
        CHECK(competing || in.seq == expected, "sequence %llu came instead of %llu",
              (unsigned long long)in.seq, (unsigned long long)expected);
        CHECK(competing || first || follows(last, number), "after number %llu came %llu",
              (unsigned long long)last, (unsigned long long)number);
        CHECK(!competing || !last || number > last, "number %llu came after %llu",
              (unsigned long long)number, (unsigned long long)last);
        first = false;
        expected = in.seq + 1;
        note_taken(number);
        tbus_store_release_u64(&ledger->last_seq, in.seq);
        tbus_store_release_u64(&ledger->last_number, number);
        tbus_add_own_u64(&ledger->taken, 1);
    }
    tbus_bus_close(&bus);
    tbus_store_release_u32(&ledger->drained, 1);
    _exit(0);
}

/* --- the killer */

static pid_t start(void (*act)(void))
{
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        act();
    }
    assert_true(child > 0);
    return child;
}

static void kill_now(pid_t child)
{
    int status;
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status))
        fail_msg("it had ended by itself: %s", ledger->fault);
}

/* Until a count has grown by `by`: whoever stands still runs into the time limit of the test. */
static void wait_for_more(tbus_atomic_u64_t *count, uint64_t by)
{
    uint64_t begin = tbus_load_acquire_u64(count);
    while (tbus_load_acquire_u64(count) - begin < by) {
        if (ledger->fault[0])
            fail_msg("%s", ledger->fault);
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    }
}

static void start_bus(program_t *bus, const char *kind)
{
    static char topic[40];
    static const char *argv[7];
    const char *const words[] = {TICKBUS_BUSCTL, "bus", bus_name, "--topic", topic, "--json", NULL};
    snprintf(topic, sizeof topic, "hello:%s,%u", kind, SLOTS);
    memcpy(argv, words, sizeof argv);
    *bus = (program_t){.argv = argv};
    assert_true(program_start(bus));
}

static uint64_t count_missing(void)
{
    uint64_t missing = 0;
    for (uint64_t n = 0; n < tbus_load_relaxed_u64(&ledger->done); n++)
        missing += !(ledger->numbers[n] & (TAKEN | MAYBE));
    return missing;
}

static uint64_t count_of(unsigned char flag)
{
    uint64_t count = 0;
    for (uint64_t n = 0; n < tbus_load_relaxed_u64(&ledger->done); n++)
        count += (ledger->numbers[n] & flag) != 0;
    return count;
}

static void kill_in_turn(const char *kind)
{
    const char *wanted = getenv("TICKBUS_KILLS");
    unsigned kills = wanted ? (unsigned)strtoul(wanted, NULL, 10) : KILLS;
    program_t bus;
    ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(ledger, MAP_FAILED);
    competing = strcmp(kind, "mpmc") == 0;
    snprintf(bus_name, sizeof bus_name, "kills-%s-%d", kind, (int)getpid());
    print_message("%s: TICKBUS_SEED=%llu\n", kind, (unsigned long long)seed);
    pid_t reader = start(subscribe); /* either may come first, the bus included */
    start_bus(&bus, kind);
    pid_t writer = start(publish);
    for (unsigned i = 0; i < 2 * kills; i++) {
        wait_for_more(&ledger->taken, 1 + next_random() % SLOTS);
        nanosleep(&(struct timespec){.tv_nsec = (long)(next_random() % DAWDLE_NS)}, NULL);
        if (i % 2) {
            kill_now(writer);
            writer = start(publish);
        } else {
            kill_now(reader);
            if (!competing) /* more than fits the ring: it does not wait for the dead */
                wait_for_more(&ledger->done, 2 * SLOTS);
            reader = start(subscribe);
        }
    }
    wait_for_more(&ledger->taken, 1);
    tbus_store_release_u32(&ledger->finish, 1);
    int status;
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    if (status || !tbus_load_acquire_u32(&ledger->drained))
        fail_msg("%s", ledger->fault);

    const char *const stop_argv[] = {TICKBUS_BUSCTL, "stop", "--name", bus_name, NULL};
    program_t stop = {.argv = stop_argv};
    assert_int_equal(program_run(&stop), 0);
    program_clear(&stop);
    program_wait(&bus);
    assert_int_equal(bus.exit_code, 0);
    const char *doubt = strstr(bus.out, "\"in_doubt\": ");
    assert_non_null(doubt);
    uint64_t in_doubt = strtoull(doubt + strlen("\"in_doubt\": "), NULL, 10);
    uint64_t missing = count_missing(), again = count_of(TAKEN_AGAIN);
    print_message(
        "%s: %llu published (%llu maybe), %llu taken, %llu again, %llu by nobody, %llu in "
        "doubt; told of nobody %llu + %llu times\n",
        kind, (unsigned long long)tbus_load_relaxed_u64(&ledger->done),
        (unsigned long long)count_of(MAYBE),
        (unsigned long long)tbus_load_relaxed_u64(&ledger->taken), (unsigned long long)again,
        (unsigned long long)missing, (unsigned long long)in_doubt,
        (unsigned long long)tbus_load_relaxed_u64(&ledger->nobody),
        (unsigned long long)tbus_load_relaxed_u64(&ledger->vain));
    assert_true(count_of(MAYBE) <= kills);
    assert_true(in_doubt <= kills);
    if (competing)
        assert_true(missing <= in_doubt);
    else
        assert_true(again <= kills);
    program_clear(&bus);
    munmap(ledger, sizeof *ledger);
}

static void a_subscriber_and_a_publisher_survive_each_others_deaths(void **state)
{
    (void)state;
    kill_in_turn("broadcast");
}

static void messages_wait_for_the_next_consumer_when_theirs_has_died(void **state)
{
    (void)state;
    kill_in_turn("mpmc");
}

static char runtime[SCRATCH_PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    scratch_create_runtime(runtime);
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    return (int)scratch_remove_runtime(runtime);
}

int main(void)
{
    const char *wanted = getenv("TICKBUS_SEED");
    seed = wanted ? strtoull(wanted, NULL, 0) : 20261128;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_subscriber_and_a_publisher_survive_each_others_deaths,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(messages_wait_for_the_next_consumer_when_theirs_has_died,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
