/* SPDX-License-Identifier: Apache-2.0 */
/* What the machine adds to a latency: each message of the schedule has one, counted from when it
 * was due, also while whoever should see it stands still. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/latency/floor.h"
#include "tools/measure/host.h"

#define MS      UINT64_C(1000000)
#define NOBODY  999999 /* a CPU that no host has */
#define STOP_MS 60

static int nothing_is_left(void **state)
{
    (void)state;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    return 0;
}

static floor_spec_t on_two_cpus(const uint64_t *due_ns, size_t count)
{
    floor_spec_t spec = {.cpus_count = 2, .due_ns = due_ns, .count = count};
    const char *why;
    if (host_pick_cpus(spec.cpus, &why) < 2)
        spec.cpus[0] = spec.cpus[1] = SIDES_ANYWHERE;
    return spec;
}

static void fill_constant(uint64_t *due_ns, size_t count, uint64_t gap_ns)
{
    for (size_t i = 0; i < count; i++)
        due_ns[i] = i * gap_ns;
}

/* Who sees a message has seen all before it. */
static void assert_seen_in_order(const floor_spec_t *spec, const uint64_t *latency_ns)
{
    for (size_t i = 1; i < spec->count; i++)
        assert_true(spec->due_ns[i] + latency_ns[i] >= spec->due_ns[i - 1] + latency_ns[i - 1]);
    /* a place that nobody wrote would be zero; a look at the clock takes longer */
    uint64_t sum_ns = 0;
    for (size_t i = 0; i < spec->count; i++)
        sum_ns += latency_ns[i];
    assert_true(sum_ns > 0);
}

static void each_message_of_the_schedule_is_seen_once_it_is_due(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    uint64_t due_ns[COUNT];
    fill_constant(due_ns, COUNT, 10000);
    floor_spec_t spec = on_two_cpus(due_ns, COUNT);
    floor_t floor;
    tbus_error_t err;
    assert_int_equal(floor_measure(&spec, &floor, &err), 0);
    assert_int_equal(floor.count, COUNT);
    assert_int_equal(floor.processes, 2);
    assert_seen_in_order(&spec, floor.paced_line_ns);
    assert_seen_in_order(&spec, floor.hiccup_ns);
    assert_int_equal(floor.round_trips, FLOOR_ROUND_TRIPS);
    for (size_t i = 0; i < floor.round_trips; i++)
        assert_true(floor.ping_pong_ns[i] > 0);
    floor_free(&floor);
    assert_null(floor.memory);
    floor_free(&floor);
}

static void with_one_cpu_one_process_stores_and_looks(void **state)
{
    (void)state;
    uint64_t due_ns[] = {0, 0, 0, 50000, 50000, 2 * MS};
    floor_spec_t spec = on_two_cpus(due_ns, 6);
    spec.cpus_count = 1;
    floor_t floor;
    tbus_error_t err;
    assert_int_equal(floor_measure(&spec, &floor, &err), 0);
    assert_int_equal(floor.processes, 1);
    assert_int_equal(floor.round_trips, 0);
    assert_seen_in_order(&spec, floor.paced_line_ns);
    assert_seen_in_order(&spec, floor.hiccup_ns);
    floor_free(&floor);
}

static void a_schedule_that_goes_back_and_a_cpu_that_is_not_there_are_refused(void **state)
{
    (void)state;
    uint64_t due_ns[] = {0, 2000, 1000};
    floor_spec_t spec = on_two_cpus(due_ns, 3);
    floor_t floor;
    tbus_error_t err;
    assert_int_equal(floor_measure(&spec, &floor, &err), -EINVAL);
    assert_non_null(strstr(err.text, "message 2"));
    spec.count = 0;
    assert_int_equal(floor_measure(&spec, &floor, &err), -EINVAL);
    spec.count = 2;
    spec.cpus[1] = NOBODY;
    assert_true(floor_measure(&spec, &floor, &err) < 0);
    assert_non_null(strstr(err.text, "CPU 999999"));
}

static void nap(uint64_t ms)
{
    struct timespec time = {.tv_nsec = (long)(ms * MS)};
    nanosleep(&time, NULL);
}

/* The last child of our parent but us; 0: there is none. */
static pid_t last_sibling(void)
{
    char path[64];
    int pid = 0, next;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)getppid(), (int)getppid());
    FILE *file = fopen(path, "re");
    while (file && fscanf(file, "%d", &next) == 1)
        if (next != getpid())
            pid = next;
    if (file)
        fclose(file);
    return pid;
}

/* A process that stops whoever watches the line, or the clock, for a while: both are the last of
 * two. */
static pid_t start_stopper(void)
{
    pid_t stopper = fork();
    if (stopper)
        return stopper;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (!last_sibling())
        nap(1);
    nap(200); /* the round trips take some ms, the schedule 400 */
    pid_t pid = last_sibling();
    if (!pid)
        _exit(0); /* we had no CPU for so long that all was over */
    kill(pid, SIGSTOP);
    nap(STOP_MS);
    kill(pid, SIGCONT);
    _exit(0);
}

/* How many messages were at least 10 ms late when the watcher was stopped somewhere on the way. */
static unsigned late_when_stopped(const floor_spec_t *spec)
{
    floor_t floor;
    tbus_error_t err;
    pid_t stopper = start_stopper();
    assert_true(stopper > 0);
    int code = floor_measure(spec, &floor, &err);
    kill(stopper, SIGKILL);
    assert_int_equal(waitpid(stopper, NULL, 0), stopper);
    assert_int_equal(code, 0);
    unsigned late = 0;
    for (size_t i = 0; i < spec->count; i++)
        late += floor.paced_line_ns[i] >= 10 * MS || floor.hiccup_ns[i] >= 10 * MS;
    floor_free(&floor);
    return late;
}

static void whoever_stands_still_is_late_with_all_that_was_due_meanwhile(void **state)
{
    (void)state;
    enum { COUNT = 4000, TRIES = 10 };
    static uint64_t due_ns[COUNT];
    fill_constant(due_ns, COUNT, MS / 10);
    floor_spec_t spec = on_two_cpus(due_ns, COUNT);
    /* A stop that falls between two of the measurements delays nobody: then once more. Of one that
     * does not, all but the last 10 ms count. */
    unsigned late = 0;
    for (unsigned i = 0; i < TRIES && late < (STOP_MS - 12) * 10; i++)
        late = late_when_stopped(&spec);
    assert_true(late >= (STOP_MS - 12) * 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_message_of_the_schedule_is_seen_once_it_is_due,
                                  nothing_is_left),
        cmocka_unit_test_teardown(with_one_cpu_one_process_stores_and_looks, nothing_is_left),
        cmocka_unit_test_teardown(a_schedule_that_goes_back_and_a_cpu_that_is_not_there_are_refused,
                                  nothing_is_left),
        cmocka_unit_test_teardown(whoever_stands_still_is_late_with_all_that_was_due_meanwhile,
                                  nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
