/* SPDX-License-Identifier: Apache-2.0 */
/* Who stands still, and who only seems to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tickbus/clock.h>

#include "tools/run/stall.h"

#define MS UINT64_C(1000000)

static const char seen_states[] = {'R', 'S', 'D', 'T', 't'};

/* Looks every `every_ms` at a thread that is in `state`, for `for_ms`; of the time between two
 * looks it has the CPU for `cpu_ms`. */
static void see_for(stall_t *stall, char state, uint64_t for_ms, uint64_t every_ms, uint64_t cpu_ms)
{
    for (uint64_t passed = 0; passed < for_ms; passed += every_ms) {
        stall_sight_t sight = stall->last;
        sight.now_ns += every_ms * MS;
        sight.cpu_ns += cpu_ms * MS;
        sight.state = state;
        stall_see(stall, &sight);
    }
}

static stall_t turning(void)
{
    stall_t stall = {0};
    stall_see(&stall, &(stall_sight_t){.now_ns = 5000 * MS, .pulse = 17});
    return stall;
}

static void whoever_turns_does_not_stand_still(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof seen_states; i++) {
        stall_t stall = turning();
        for (unsigned looks = 0; looks < 100; looks++) {
            see_for(&stall, seen_states[i], 90, 45, 45); /* between two heartbeats */
            assert_false(stall_is_long(&stall));
            stall_sight_t sight = stall.last;
            sight.now_ns += 45 * MS;
            sight.pulse++;
            stall_see(&stall, &sight);
            assert_int_equal(stall.how, STALL_NONE);
            assert_int_equal(stall.since_ns, sight.now_ns);
        }
    }
}

static void who_is_stopped_is_told_of_after_100_ms_who_hangs_after_a_second(void **state)
{
    (void)state;
    static const enum stall_how hows[] = {STALL_BUSY, STALL_ASLEEP, STALL_ASLEEP, STALL_STOPPED,
                                          STALL_STOPPED};
    for (size_t i = 0; i < sizeof seen_states; i++) {
        stall_t stall = turning();
        uint64_t long_ms = hows[i] == STALL_STOPPED ? 100 : 1000;
        see_for(&stall, seen_states[i], long_ms - 20, 20, 20);
        assert_false(stall_is_long(&stall));
        see_for(&stall, seen_states[i], 40, 20, 20);
        assert_true(stall_is_long(&stall));
        assert_int_equal(stall.how, hows[i]);
        assert_int_equal(stall.since_ns, 5000 * MS);
    }
}

/* Before they are told to run all of them sleep, for as long as the slowest takes to get ready. */
static void who_is_stopped_after_a_long_sleep_is_stopped_since_then(void **state)
{
    (void)state;
    stall_t stall = turning();
    see_for(&stall, 'S', 60000, 20, 0);
    assert_true(stall_is_long(&stall));
    see_for(&stall, 'T', 80, 20, 0);
    assert_false(stall_is_long(&stall));
    see_for(&stall, 'T', 20, 20, 0);
    assert_true(stall_is_long(&stall));
    assert_int_equal(stall.since_ns, 65000 * MS);
    see_for(&stall, 'S', 980, 20, 0); /* it goes on, and sleeps */
    assert_false(stall_is_long(&stall));
}

static void who_waits_for_a_cpu_is_not_to_blame(void **state)
{
    (void)state;
    stall_t stall = turning();
    see_for(&stall, 'R', 60000, 20, 0);
    assert_false(stall_is_long(&stall));
    assert_int_equal(stall.still_ns, 0);
    see_for(&stall, 'R', 10000, 20, 1); /* a twentieth of a CPU: 500 ms */
    assert_false(stall_is_long(&stall));
    see_for(&stall, 'R', 12000, 20, 1);
    assert_true(stall_is_long(&stall));
}

static void a_supervisor_that_was_away_itself_accuses_nobody(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        stall_t stall = turning();
        see_for(&stall, seen_states[i], 40, 20, 0);
        see_for(&stall, seen_states[i], 3600000, 3600000, 0); /* it, or the whole machine */
        assert_false(stall_is_long(&stall));
    }
}

static void who_has_ended_does_not_stand_still(void **state)
{
    (void)state;
    stall_t stall = turning();
    see_for(&stall, 'Z', 60000, 20, 0);
    assert_false(stall_is_long(&stall));
    see_for(&stall, 0, 60000, 20, 0);
    assert_false(stall_is_long(&stall));
}

/* --- what the kernel says */

static pid_t start(void (*does)(void))
{
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "a) R 1 2 (b"); /* as it stands in the line that is read */
        does();
        _exit(0);
    }
    assert_true(child > 0);
    return child;
}

static void sleep_for_ever(void)
{
    for (;;)
        pause();
}

static void turn_for_ever(void)
{
    for (volatile uint64_t turns = 0;; turns++) {
    }
}

static void see_until_long(pid_t child, enum stall_how how)
{
    stall_t stall = {0};
    while (!stall_is_long(&stall) || stall.how != how) {
        stall_sight_t sight = {.now_ns = tbus_clock_ns(), .pulse = 1};
        assert_true(stall_look(child, &sight));
        stall_see(&stall, &sight);
        usleep(20000);
    }
}

static void end(pid_t child)
{
    kill(child, SIGKILL);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    stall_sight_t sight = {0};
    assert_true(!stall_look(child, &sight) || sight.state == 'Z');
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_false(stall_look(child, &sight));
}

static void the_kernel_tells_who_sleeps_turns_and_is_stopped(void **state)
{
    (void)state;
    pid_t sleeper = start(sleep_for_ever);
    see_until_long(sleeper, STALL_ASLEEP);
    kill(sleeper, SIGSTOP);
    see_until_long(sleeper, STALL_STOPPED);
    end(sleeper);
    pid_t turner = start(turn_for_ever);
    see_until_long(turner, STALL_BUSY);
    end(turner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_turns_does_not_stand_still),
        cmocka_unit_test(who_is_stopped_is_told_of_after_100_ms_who_hangs_after_a_second),
        cmocka_unit_test(who_is_stopped_after_a_long_sleep_is_stopped_since_then),
        cmocka_unit_test(who_waits_for_a_cpu_is_not_to_blame),
        cmocka_unit_test(a_supervisor_that_was_away_itself_accuses_nobody),
        cmocka_unit_test(who_has_ended_does_not_stand_still),
        cmocka_unit_test(the_kernel_tells_who_sleeps_turns_and_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
