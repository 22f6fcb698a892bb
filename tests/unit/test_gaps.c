/* SPDX-License-Identifier: Apache-2.0 */
/* What a process notes of its late turns: each fault is planted, in a process of its own where it
 * must be, and found in the table with what the kernel says of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/clock.h>

#include "bus/run/gaps.h"
#include "tests/support/bus_fixture.h"
#include "tools/measure/ticks.h"

#define MS UINT64_C(1000000)

/* Are turns told by the CPU's counter? */
static bool by_counter;

typedef struct world {
    tbus_gaps_t gaps;
    tbus_stage_t stage;
    tbus_stage_t *stages[1];
    tbus_loop_t loop;
    tbus_gap_watch_t watch;
} world_t;

static int make_world(void **state)
{
    world_t *w = calloc(1, sizeof *w);
    tbus_error_t err;
    assert_non_null(w);
    assert_int_equal(tbus_gaps_create(2, &w->gaps, &err), 0);
    if (by_counter)
        w->gaps.ns_per_tick_q32 = (uint64_t)(4294967296.0 / ticks_per_ns());
    strcpy(w->stage.name, "planted");
    w->stages[0] = &w->stage;
    w->loop = (tbus_loop_t){.stages = w->stages, .stages_count = 1};
    tbus_waiter_init(&w->loop.waiter, TBUS_WAIT_PARK);
    *state = w;
    return 0;
}

static int end_world(void **state)
{
    world_t *w = *state;
    tbus_gap_watch_end(&w->watch);
    tbus_gaps_destroy(&w->gaps);
    signal(SIGCONT, SIG_DFL);
    free(w);
    return 0;
}

static void begin(world_t *w)
{
    tbus_gap_watch_begin(&w->watch, &w->gaps, 1, &w->loop);
    tbus_gap_watch_turn(&w->watch, &w->loop, TBUS_TURN_IDLE, 0);
}
static void turn(world_t *w, enum tbus_turn how)
{
    tbus_gap_watch_turn(&w->watch, &w->loop, how, how == TBUS_TURN_WORKED ? 7 : 0);
}

static void be_busy(uint64_t ns)
{
    uint64_t until_ns = tbus_clock_ns() + ns;
    while (tbus_clock_ns() < until_ns) {
    }
}
static void nap(uint64_t ns)
{
    struct timespec time = {.tv_nsec = (long)ns};
    nanosleep(&time, NULL);
}

/* The longest that was noted: the host may have had others of its own. */
static const tbus_gap_t *longest(const world_t *w, uint32_t kind)
{
    const tbus_gaps_table_t *table = &w->gaps.tables[1];
    const tbus_gap_t *found = NULL;
    for (uint64_t i = 0; i < table->count; i++)
        if (table->gaps[i].kind == kind &&
            (!found ||
             table->gaps[i].end_ns - table->gaps[i].begin_ns > found->end_ns - found->begin_ns))
            found = &table->gaps[i];
    return found;
}

static void a_table_says_whose_it_is(void **state)
{
    world_t *w = *state;
    begin(w);
    const tbus_gaps_table_t *table = &w->gaps.tables[1];
    assert_int_equal(table->pid, getpid());
    assert_int_equal(table->stages_count, 1);
    assert_string_equal(table->stages[0], "planted");
    assert_int_equal(w->gaps.tables[0].pid, 0);
    tbus_error_t err;
    tbus_gaps_t none = {0};
    assert_int_equal(tbus_gaps_create(0, &none, &err), -EINVAL);
    tbus_gaps_destroy(&none);
}

static void a_turn_that_waits_in_the_kernel_was_off_its_cpu_by_its_own_will(void **state)
{
    world_t *w = *state;
    begin(w);
    turn(w, TBUS_TURN_WORKED);
    nap(30 * MS);
    turn(w, TBUS_TURN_WORKED);
    const tbus_gap_t *gap = longest(w, TBUS_GAP_TURN);
    assert_non_null(gap);
    assert_true(gap->end_ns - gap->begin_ns >= 30 * MS);
    assert_true(gap->off_ns >= 29 * MS);
    assert_true(gap->off_ns <= gap->end_ns - gap->begin_ns);
    assert_true(gap->came.voluntary >= 1);
    assert_int_equal(gap->came.continued, 0);
    assert_int_equal(gap->worked, 7);
}

static void a_busy_turn_had_its_cpu(void **state)
{
    world_t *w = *state;
    begin(w);
    turn(w, TBUS_TURN_IDLE);
    be_busy(20 * MS);
    turn(w, TBUS_TURN_IDLE);
    const tbus_gap_t *gap = longest(w, TBUS_GAP_TURN);
    assert_non_null(gap);
    assert_true(gap->end_ns - gap->begin_ns >= 20 * MS);
    assert_int_equal(gap->worked, 0);
    /* On and off make up the whole. What ran before it is counted too, and the clocks differ. */
    assert_true(gap->came.cpu_ns + gap->off_ns + MS >= gap->end_ns - gap->begin_ns);
    assert_int_equal(gap->came.voluntary, 0);
}

static void pages_that_came_in_a_turn_are_counted(void **state)
{
    world_t *w = *state;
    enum { PAGES = 1000 };
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *memory =
        mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    (void)madvise(memory, PAGES * page, MADV_NOHUGEPAGE);
    begin(w);
    turn(w, TBUS_TURN_WORKED);
    for (unsigned i = 0; i < PAGES; i++)
        ((volatile unsigned char *)memory)[i * page] = 1;
    be_busy(TBUS_GAP_NS_MIN);
    turn(w, TBUS_TURN_WORKED);
    munmap(memory, PAGES * page);
    uint64_t faults = 0;
    for (uint64_t i = 0; i < w->gaps.tables[1].count; i++)
        faults += w->gaps.tables[1].gaps[i].came.faults_minor;
    assert_true(faults >= PAGES);
}

static void a_stage_that_is_stalled_is_one_gap_from_the_first_to_the_last_turn(void **state)
{
    world_t *w = *state;
    begin(w);
    w->stage.stalled = true;
    for (unsigned i = 0; i < 100; i++) { /* as turns do where another stage goes on */
        be_busy(TBUS_GAP_NS_MIN / 10);
        turn(w, i % 10 ? TBUS_TURN_WORKED : TBUS_TURN_IDLE);
    }
    w->stage.stalled = false;
    turn(w, TBUS_TURN_WORKED);
    turn(w, TBUS_TURN_IDLE);
    const tbus_gap_t *gap = longest(w, TBUS_GAP_STALLED);
    assert_non_null(gap);
    assert_true(gap->end_ns - gap->begin_ns >= 10 * TBUS_GAP_NS_MIN);
    uint64_t stalled = 0;
    for (uint64_t i = 0; i < w->gaps.tables[1].count; i++)
        stalled += w->gaps.tables[1].gaps[i].kind == TBUS_GAP_STALLED;
    assert_int_equal(stalled, 1);
}

static void a_sleep_is_kept_apart_and_no_gap(void **state)
{
    world_t *w = *state;
    begin(w);
    turn(w, TBUS_TURN_IDLE);
    nap(20 * MS);
    turn(w, TBUS_TURN_SLEPT);
    turn(w, TBUS_TURN_WORKED);
    turn(w, TBUS_TURN_IDLE);
    const tbus_gaps_table_t *table = &w->gaps.tables[1];
    assert_true(table->sleeps_count >= 1);
    assert_true(table->sleeps[0].ns >= 20 * MS);
    assert_true(table->sleeps[0].run_delay_ns <= table->sleeps[0].ns);
    for (uint64_t i = 0; i < table->count; i++) /* none of them is that sleep */
        assert_true(table->gaps[i].begin_ns >= table->sleeps[0].begin_ns + table->sleeps[0].ns ||
                    table->gaps[i].end_ns <= table->sleeps[0].begin_ns);
    /* nor does it count as time that the next one was without a CPU */
    be_busy(5 * MS);
    turn(w, TBUS_TURN_IDLE);
    const tbus_gap_t *gap = longest(w, TBUS_GAP_TURN);
    assert_true(gap->off_ns <= gap->end_ns - gap->begin_ns);
    assert_int_equal(gap->came.voluntary, 0);
}

static void
a_full_ring_is_one_gap_from_the_first_to_the_last_try_and_names_who_leaves_no_room(void **state)
{
    world_t *w = *state;
    tbus_bus_t bus;
    tbus_error_t err;
    tbus_publisher_t publisher;
    tbus_subscriber_t slow;
    test_bus_create(&bus, "gaps");
    test_participant(&bus, "planted", 1);
    test_participant(&bus, "slow", 2);
    test_topic(&bus, (tbus_ring_spec_t){.name = "md", .kind = TBUS_BROADCAST, .slot_count = 64},
               "tick");
    test_reserve(&bus, "md", "slow", TBUS_FOLLOWER);
    w->stage.bus = &bus;
    w->stage.owner = 1;
    assert_int_equal(tbus_stage_join_publisher(&w->stage, "md", &publisher, &err), 0);
    tbus_stage_t reader = {.bus = &bus, .owner = 2, .name = "slow"};
    assert_int_equal(tbus_stage_join_subscriber(&reader, "md", "slow", &slow, &err), 0);
    begin(w);
    uint64_t message = 7;
    while (tbus_publish_try(&publisher, &message, sizeof message) != TBUS_FULL)
        turn(w, TBUS_TURN_WORKED);
    for (unsigned i = 0; i < 100; i++) {
        be_busy(TBUS_GAP_NS_MIN / 10);
        turn(w, TBUS_TURN_IDLE);
    }
    size_t bytes;
    while (tbus_peek(&slow, &bytes))
        tbus_advance(&slow);
    tbus_subscriber_flush(&slow);
    assert_int_equal(tbus_publish_try(&publisher, &message, sizeof message), TBUS_PUBLISHED);
    turn(w, TBUS_TURN_WORKED);
    const tbus_gap_t *gap = longest(w, TBUS_GAP_FULL);
    assert_non_null(gap);
    assert_true(gap->end_ns - gap->begin_ns >= 10 * TBUS_GAP_NS_MIN);
    assert_string_equal(gap->topic, "md");
    assert_string_equal(gap->holder, "slow");
    uint64_t fulls = 0;
    for (uint64_t i = 0; i < w->gaps.tables[1].count; i++)
        fulls += w->gaps.tables[1].gaps[i].kind == TBUS_GAP_FULL;
    assert_int_equal(fulls, 1);
    tbus_stage_leave(&reader);
    tbus_stage_leave(&w->stage);
    tbus_bus_close(&bus);
}

static void a_process_that_was_stopped_knows_that_it_was_continued(void **state)
{
    world_t *w = *state;
    pid_t pid = fork();
    if (pid == 0) {
        begin(w);
        turn(w, TBUS_TURN_IDLE);
        raise(SIGSTOP);
        turn(w, TBUS_TURN_IDLE);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    nap(30 * MS);
    kill(pid, SIGCONT);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    const tbus_gap_t *gap = longest(w, TBUS_GAP_TURN);
    assert_non_null(gap);
    assert_int_equal(gap->came.continued, 1);
    assert_true(gap->off_ns >= 29 * MS);
    assert_int_equal(w->gaps.tables[1].pid, pid);
}

/* A parked process is asleep for most of the time: so is one that is stopped, most likely. */
static void a_sleep_in_which_it_was_stopped_is_a_gap(void **state)
{
    world_t *w = *state;
    pid_t pid = fork();
    if (pid == 0) {
        begin(w);
        turn(w, TBUS_TURN_IDLE);
        raise(SIGSTOP);
        turn(w, TBUS_TURN_SLEPT);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    nap(10 * MS);
    kill(pid, SIGCONT);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    const tbus_gap_t *gap = longest(w, TBUS_GAP_TURN);
    assert_non_null(gap);
    assert_int_equal(gap->came.continued, 1);
    assert_true(gap->off_ns >= 9 * MS);
    assert_int_equal(w->gaps.tables[1].sleeps_count, 0);
}

static void a_table_that_is_full_counts_what_it_lost(void **state)
{
    world_t *w = *state;
    begin(w);
    w->gaps.tables[1].count = TBUS_GAPS_MAX;
    w->gaps.tables[1].sleeps_count = TBUS_SLEEPS_MAX;
    be_busy(TBUS_GAP_NS_MIN);
    turn(w, TBUS_TURN_WORKED);
    be_busy(TBUS_GAP_NS_MIN);
    turn(w, TBUS_TURN_SLEPT);
    assert_int_equal(w->gaps.tables[1].count, TBUS_GAPS_MAX);
    assert_true(w->gaps.tables[1].lost >= 1);
    assert_int_equal(w->gaps.tables[1].sleeps_count, TBUS_SLEEPS_MAX);
    assert_int_equal(w->gaps.tables[1].sleeps_lost, 1);
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, make_world, end_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(a_table_says_whose_it_is),
        IN_A_WORLD(a_turn_that_waits_in_the_kernel_was_off_its_cpu_by_its_own_will),
        IN_A_WORLD(a_busy_turn_had_its_cpu),
        IN_A_WORLD(pages_that_came_in_a_turn_are_counted),
        IN_A_WORLD(a_stage_that_is_stalled_is_one_gap_from_the_first_to_the_last_turn),
        IN_A_WORLD(a_sleep_is_kept_apart_and_no_gap),
        IN_A_WORLD(
            a_full_ring_is_one_gap_from_the_first_to_the_last_try_and_names_who_leaves_no_room),
        IN_A_WORLD(a_process_that_was_stopped_knows_that_it_was_continued),
        IN_A_WORLD(a_sleep_in_which_it_was_stopped_is_a_gap),
        IN_A_WORLD(a_table_that_is_full_counts_what_it_lost),
    };
    int failed = cmocka_run_group_tests_name("by the clock", tests, NULL, NULL);
    by_counter = true;
    return failed + cmocka_run_group_tests_name("by the counter", tests, NULL, NULL);
}
