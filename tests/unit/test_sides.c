/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a trial: pinned, together at their meetings, ended and reaped whatever they do;
 * and the parent says who failed first, and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tickbus/clock.h>

#include "tools/measure/host.h"
#include "tools/measure/sides.h"

#define MS      UINT64_C(1000000)
#define LONG_NS (60000 * MS) /* nothing here takes so long, unless it hangs */

static int open_files(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static int files_before;

static int count_files(void **state)
{
    (void)state;
    files_before = open_files();
    return 0;
}

/* Every test ends with this: no child, no descriptor. */
static int nothing_is_left(void **state)
{
    (void)state;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(open_files(), files_before);
    return 0;
}

static sides_spec_t two(side_run_t run, void *context)
{
    return (sides_spec_t){.what = "thing",
                          .count = 2,
                          .names = {"client", "server"},
                          .cpus = {SIDES_ANYWHERE, SIDES_ANYWHERE},
                          .run = run,
                          .context = context};
}

static void expect(const sides_spec_t *spec, uint64_t limit_ns, int code, const char *text)
{
    tbus_error_t err = {0};
    assert_int_equal(sides_run(spec, limit_ns, &err), code);
    assert_string_equal(err.text, text);
}

static void hang(void)
{
    for (;;)
        pause();
}

static void crash(void)
{
    const struct rlimit none = {0};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGABRT, SIG_DFL);
    raise(SIGABRT);
}

/* ---- */

typedef struct seen {
    int cpus[SIDES_MAX];
    tbus_atomic_u32_t early; /* sides that left the first meeting and did not see all others */
    tbus_atomic_u32_t here[SIDES_MAX];
    int bits[SIDES_MAX]; /* of signals: 1 INT and TERM are default, 2 nothing is blocked */
} seen_t;

static seen_t *seen_new(void)
{
    void *memory =
        mmap(NULL, sizeof(seen_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

static int note_cpu(side_t *me, void *context)
{
    seen_t *seen = context;
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set))
            seen->cpus[me->index] = CPU_COUNT(&set) == 1 ? cpu : -2;
    return 0;
}

static void every_side_runs_on_its_own_cpu_and_nowhere_else(void **state)
{
    (void)state;
    int cpus[2];
    const char *why;
    tbus_error_t err;
    seen_t *seen = seen_new();
    host_pick_cpus(cpus, &why);
    sides_spec_t spec = {
        .count = 3, .cpus = {cpus[1], cpus[0], cpus[1]}, .run = note_cpu, .context = seen};
    assert_int_equal(sides_run(&spec, LONG_NS, &err), 0);
    assert_int_equal(seen->cpus[0], cpus[1]);
    assert_int_equal(seen->cpus[1], cpus[0]);
    assert_int_equal(seen->cpus[2], cpus[1]);
    munmap(seen, sizeof *seen);
}

static int meet_often(side_t *me, void *context)
{
    seen_t *seen = context;
    for (uint32_t meeting = 1; meeting <= 50; meeting++) {
        tbus_store_relaxed_u32(&seen->here[me->index], meeting);
        sides_meet(me);
        for (unsigned i = 0; i < me->count; i++)
            if (tbus_load_relaxed_u32(&seen->here[i]) < meeting)
                tbus_fetch_add_relaxed_u32(&seen->early, 1);
    }
    return 0;
}

static void nobody_leaves_a_meeting_before_all_have_come(void **state)
{
    (void)state;
    tbus_error_t err;
    seen_t *seen = seen_new();
    sides_spec_t spec = {.count = 4, .run = meet_often, .context = seen};
    for (unsigned i = 0; i < 4; i++)
        spec.cpus[i] = SIDES_ANYWHERE;
    assert_int_equal(sides_run(&spec, LONG_NS, &err), 0);
    assert_int_equal(tbus_load_relaxed_u32(&seen->here[3]), 50);
    assert_int_equal(tbus_load_relaxed_u32(&seen->early), 0);
    munmap(seen, sizeof *seen);
}

static int crash_or_meet(side_t *me, void *context)
{
    (void)context;
    if (me->index == 1)
        crash();
    sides_meet(me);
    return 0;
}

static void a_side_that_crashes_is_named_and_who_waits_for_it_is_killed(void **state)
{
    (void)state;
    sides_spec_t spec = two(crash_or_meet, NULL);
    expect(&spec, LONG_NS, -ECHILD, "thing: the server was killed by signal 6");
}

static int crash_or_read(side_t *me, void *context)
{
    const int *fds = context;
    char byte;
    if (me->index == 1)
        crash(); /* the last one that has the writing end */
    close(fds[1]);
    return read(fds[0], &byte, 1) == 0 ? sides_fail(me, -EPIPE, "end of file") : 0;
}

static void a_crash_is_told_and_not_what_the_survivor_made_of_it(void **state)
{
    (void)state;
    int fds[2];
    tbus_error_t err = {0};
    sides_t sides;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    sides_spec_t spec = two(crash_or_read, fds);
    assert_int_equal(sides_start(&spec, &sides, &err), 0);
    close(fds[1]);
    assert_int_equal(sides_await_end(&sides, tbus_clock_ns() + LONG_NS, &err), -ECHILD);
    assert_string_equal(err.text, "thing: the server was killed by signal 6");
    sides_finish(&sides);
    close(fds[0]);
}

static int fail_in_turn(side_t *me, void *context)
{
    if (me->index == *(const unsigned *)context) {
        sides_fail(me, -EDQUOT, "it was me, %d", 7);
        sides_meet(me);
        hang();
    }
    sides_meet(me);
    return sides_fail(me, -EPIPE, "my peer has gone");
}

static void of_two_that_fail_the_first_one_is_named_with_its_reason(void **state)
{
    (void)state;
    unsigned first = 1;
    sides_spec_t spec = two(fail_in_turn, &first);
    expect(&spec, LONG_NS, -EDQUOT, "thing: the server: it was me, 7");
    first = 0;
    spec.what = NULL;
    memset(spec.names, 0, sizeof spec.names);
    expect(&spec, LONG_NS, -EDQUOT, "side 1: it was me, 7");
}

static int just_exit(side_t *me, void *context)
{
    _exit(me->index ? *(const int *)context : 0);
}

static void a_side_that_gives_no_reason_is_told_by_its_exit_status(void **state)
{
    (void)state;
    int status = 3;
    sides_spec_t spec = two(just_exit, &status);
    expect(&spec, LONG_NS, -ECHILD,
           "thing: the server ended with exit status 3 and gave no reason");
}

static int return_an_error(side_t *me, void *context)
{
    (void)context;
    return me->index ? -ENOSPC : 0;
}

static void an_error_without_a_sentence_gets_that_of_the_system(void **state)
{
    (void)state;
    sides_spec_t spec = two(return_an_error, NULL);
    expect(&spec, LONG_NS, -ENOSPC, "thing: the server: No space left on device");
}

static int hang_deaf(side_t *me, void *context)
{
    (void)context;
    if (me->index == 0)
        return 0;
    signal(SIGTERM, SIG_IGN);
    hang();
    return 0;
}

static void a_side_that_hangs_is_named_and_killed_when_time_is_over(void **state)
{
    (void)state;
    sides_spec_t spec = two(hang_deaf, NULL);
    expect(&spec, 100 * MS, -ETIMEDOUT, "thing: the server did not end in time");
}

static int never(side_t *me, void *context)
{
    (void)me;
    (void)context;
    return 0;
}

static void a_side_that_cannot_be_pinned_says_on_which_cpu(void **state)
{
    (void)state;
    char text[128];
    sides_spec_t spec = two(never, NULL);
    spec.cpus[1] = CPU_SETSIZE - 1; /* in range, and not there */
    if (host_may_use(spec.cpus[1]))
        skip();
    snprintf(text, sizeof text, "thing: the server: cannot run on CPU %d: Invalid argument",
             spec.cpus[1]);
    expect(&spec, LONG_NS, -EINVAL, text);
    spec.cpus[1] = CPU_SETSIZE;
    snprintf(text, sizeof text, "thing: the server: cannot run on CPU %d: Invalid argument",
             spec.cpus[1]);
    expect(&spec, LONG_NS, -EINVAL, text);
}

static int note_signals(side_t *me, void *context)
{
    seen_t *seen = context;
    struct sigaction interrupt, terminate;
    sigset_t mask;
    sigaction(SIGINT, NULL, &interrupt);
    sigaction(SIGTERM, NULL, &terminate);
    sigprocmask(SIG_SETMASK, NULL, &mask);
    seen->bits[me->index] = (interrupt.sa_handler == SIG_DFL && terminate.sa_handler == SIG_DFL) |
                            (sigisemptyset(&mask) ? 2 : 0);
    if (me->index == 0)
        kill(getppid(), SIGTERM);
    hang();
    return 0;
}

static void a_signal_ends_the_wait_and_the_sides_but_not_the_program(void **state)
{
    (void)state;
    sides_signals_t before;
    struct sigaction after;
    seen_t *seen = seen_new();
    sides_spec_t spec = two(note_signals, seen);
    sides_hold_signals(&before);
    expect(&spec, LONG_NS, -EINTR, "interrupted");
    sides_restore_signals(&before);
    sigaction(SIGTERM, NULL, &after);
    assert_true(after.sa_handler == SIG_DFL);
    assert_int_equal(seen->bits[0], 3);
    munmap(seen, sizeof *seen);
}

static int come_so_far(side_t *me, void *context)
{
    (void)context;
    if (me->index == 0) {
        sides_enter(me, 2);
        hang();
    }
    sides_enter(me, 1);
    return 0;
}

static void
the_parent_waits_for_a_stage_and_may_kill_a_side_without_its_being_a_failure(void **state)
{
    (void)state;
    tbus_error_t err = {0};
    sides_t sides;
    sides_spec_t spec = two(come_so_far, NULL);
    uint64_t until_ns = tbus_clock_ns() + LONG_NS;
    assert_int_equal(sides_start(&spec, &sides, &err), 0);
    assert_int_equal(sides_await_stage(&sides, 0, 2, until_ns, &err), 1);
    assert_int_equal(sides_await_stage(&sides, 0, 3, tbus_clock_ns() + MS, &err), 0);
    assert_int_equal(sides_await_stage(&sides, 1, 2, until_ns, &err), -ECHILD);
    assert_string_equal(err.text, "thing: the server ended too early");
    sides_kill(&sides, 0);
    assert_int_equal(sides_await_end(&sides, until_ns, &err), 0);
    sides_finish(&sides);
    sides_finish(&sides); /* once more, of one that is finished */
}

static void a_start_that_fails_half_way_leaves_nobody(void **state)
{
    (void)state;
    tbus_error_t err = {0};
    sides_t sides;
    struct rlimit limit, tight;
    sides_spec_t spec = two(hang_deaf, NULL);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    /* Room for one more descriptor: the lowest that is free. */
    int next = dup(0);
    close(next);
    tight = (struct rlimit){.rlim_cur = (rlim_t)next + 1, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    int code = sides_start(&spec, &sides, &err);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(code, -EMFILE);
    assert_non_null(strstr(err.text, "thing: pidfd_open: Too many open files"));
    sides_finish(&sides);
    spec.count = SIDES_MAX + 1;
    assert_int_equal(sides_start(&spec, &sides, &err), -EINVAL);
    sides_finish(&sides);
}

static void no_side_outlives_a_parent_that_is_killed(void **state)
{
    (void)state;
    int life[2];
    char byte;
    assert_int_equal(pipe2(life, O_CLOEXEC), 0);
    pid_t parent = fork();
    assert_true(parent >= 0);
    if (parent == 0) {
        sides_t sides;
        tbus_error_t err;
        sides_spec_t spec = two(come_so_far, NULL);
        if (sides_start(&spec, &sides, &err) < 0 ||
            sides_await_stage(&sides, 0, 2, tbus_clock_ns() + LONG_NS, &err) != 1)
            _exit(1);
        raise(SIGKILL);
    }
    close(life[1]); /* the parent and its sides hold it */
    assert_int_equal(read(life[0], &byte, 1), 0);
    close(life[0]);
    int status;
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_files, nothing_is_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_side_runs_on_its_own_cpu_and_nowhere_else),
        TEST(nobody_leaves_a_meeting_before_all_have_come),
        TEST(a_side_that_crashes_is_named_and_who_waits_for_it_is_killed),
        TEST(a_crash_is_told_and_not_what_the_survivor_made_of_it),
        TEST(of_two_that_fail_the_first_one_is_named_with_its_reason),
        TEST(a_side_that_gives_no_reason_is_told_by_its_exit_status),
        TEST(an_error_without_a_sentence_gets_that_of_the_system),
        TEST(a_side_that_hangs_is_named_and_killed_when_time_is_over),
        TEST(a_side_that_cannot_be_pinned_says_on_which_cpu),
        TEST(a_signal_ends_the_wait_and_the_sides_but_not_the_program),
        TEST(the_parent_waits_for_a_stage_and_may_kill_a_side_without_its_being_a_failure),
        TEST(a_start_that_fails_half_way_leaves_nobody),
        TEST(no_side_outlives_a_parent_that_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
