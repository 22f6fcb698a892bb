/* SPDX-License-Identifier: Apache-2.0 */
/* kill -9 at every instruction: a child is single-stepped (ptrace) through one operation on a shared ring and killed for real after its
 * k-th instruction, for every k until the operation is over, in several states of the ring. After each kill the dead one is buried, twice, and
 * the oracle of ring_world.h must be content.
 *
 * Stepping from the start for each k costs minutes for all ten thousand kill points. Every day a quarter of them is taken, every fourth from an offset
 * that changes with TICKBUS_SEED; TICKBUS_KILL_POINTS=all takes all, as CI does. */
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
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/ring_world.h"

static uint64_t kills_total;
static uint64_t stride = 4;
static uint64_t offset;

/* ---- what the victim (owner ZERO) does ---- */

static void publish(void)
{
    world_publish_by(0);
}
static void publish_long(void)
{
    world->published[0] = world_publish_long(0, 100);
    world->refused[0] = !world->published[0];
}
static void publish_batch(void)
{
    void *places[2];
    uint32_t got = tbus_claim_batch(&world->publisher[0], 2, places);
    for (uint64_t i = 0; i < got; i++)
        *(note_t *)places[i] = (note_t){100 + i, ~(100 + i)};
    tbus_commit_batch(&world->publisher[0], (uint32_t[2]){sizeof(note_t), sizeof(note_t)});
    for (uint32_t i = 0; i < 2; i++) {
        world->published[i] = i < got;
        world->refused[i] = i >= got;
    }
}
static void claim_and_commit(void)
{
    note_t *place = tbus_claim_try(&world->publisher[0]);
    if (!place) {
        world->refused[0] = true;
        return;
    }
    *place = (note_t){100, ~UINT64_C(100)};
    tbus_commit(&world->publisher[0], sizeof *place);
    world->published[0] = true;
}
static void claim_and_abort(void)
{
    if (tbus_claim_try(&world->publisher[0]))
        tbus_abort(&world->publisher[0]);
    world->refused[0] = true;
}
static void take_and_release(void)
{
    world_receive(&world->reader[0]);
}
static void poll_and_flush(void)
{
    size_t bytes;
    if (tbus_peek(&world->reader[0], &bytes))
        tbus_advance(&world->reader[0]);
    tbus_subscriber_flush(&world->reader[0]);
}
static void park(void)
{
    tbus_waiter_park(&world->waiter[0], 0, 1000);
}
/* Killed between freeing a slot and counting it, a repairer leaves the count one short; the slots are right all the same. */
static void repair(void)
{
    tbus_ring_repair(&world->ring, DEAD_OWNER);
}
static void join_late(void)
{
    tbus_subscriber_t late;
    must(tbus_subscriber_join_late(&world->ring, "late", TBUS_FOLLOWER, ZERO, &late, NULL) == 0);
}
static void leave(void)
{
    tbus_subscriber_leave(&world->reader[0]);
}

/* ---- in which state of the ring ---- */

/* Go round the ring one and a half times, across the wrap of the slot word's 45 bits when the first sequence is near it. */
static void wrap(void)
{
    tbus_subscriber_t *s = &world->reader[world->ring.competing ? 0 : 1];
    for (unsigned i = 0; i < SLOTS + SLOTS / 2; i++) {
        must(world_publish(0, 500));
        must(world_receive(s));
        tbus_subscriber_flush(s);
        if (!world->ring.competing) {
            poll_and_flush();
        }
    }
    world->seen_count = 0;
}

typedef struct state {
    const char *name;
    uint64_t filled;
    bool wrapped;
} state_t;

static const state_t states[] = {{"empty", 0, false},
                                 {"one", 1, false},
                                 {"full-1", SLOTS - 1, false},
                                 {"full", SLOTS, false},
                                 {"wrapped", 3, true}};

static void prepare(enum tbus_ring_kind kind, const state_t *state)
{
    world_build(kind, state->wrapped ? (UINT64_C(1) << 45) - SLOTS : 1);
    enum tbus_sub_role role = kind == TBUS_MPMC ? TBUS_CONSUMER : TBUS_SUBSCRIBER;
    world->reader[0] = world_subscribe("victim", role, ZERO);
    world->reader[1] = world_subscribe("survivor", kind == TBUS_MPMC ? role : TBUS_FOLLOWER, ONE);
    tbus_waiter_init(&world->waiter[0], TBUS_WAIT_PARK);
    tbus_waiter_watch_subscriber(&world->waiter[0], &world->reader[0]);
    if (state->wrapped)
        wrap();
    world_fill(state->filled);
}

/* ---- one kill ---- */

/* Stops and exits by bare system calls (their wrapper is bound already): next to every instruction that is stepped through is one of
 * the operation's. */
static void be_the_victim(void (*operation)(void))
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit(3);
    syscall(SYS_kill, syscall(SYS_getpid), SIGSTOP);
    operation();
    syscall(SYS_exit_group, 0);
}

/* Step the child `instructions` times and kill it. False: it was over before. */
static bool killed_after(pid_t child, uint64_t instructions)
{
    int status;
    must(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
    for (uint64_t i = 0; i < instructions; i++) {
        must(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
        must(waitpid(child, &status, 0) == child);
        if (!WIFSTOPPED(status)) {
            must(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            return false;
        }
    }
    kill(child, SIGKILL);
    must(waitpid(child, &status, 0) == child);
    must(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return true;
}

/* The victim is gone, killed or at its end; so is whoever died before it, and a repairer may have died over him. */
static const char *verdict(void)
{
    tbus_ring_repair(&world->ring, DEAD_OWNER);
    /* On a competing ring the survivor would do, but a newcomer proves more. */
    tbus_subscriber_t fresh;
    tbus_subscriber_t *drain = &world->reader[1];
    if (world->ring.competing) {
        fresh = world_subscribe("fresh", TBUS_CONSUMER, FRESH);
        drain = &fresh;
    }
    const char *fault = world_settle(1, drain);
    if (fault)
        return fault;
    fault = world_account();
    tbus_subscriber_leave(&world->reader[1]);
    free(world->reader[0].scratch);
    return fault;
}

static void kill_everywhere(const char *name, enum tbus_ring_kind kind, const state_t *state,
                            void (*dress)(void), void (*operation)(void))
{
    uint64_t kills = 0;
    for (uint64_t k = offset % stride;; k += stride) {
        prepare(kind, state);
        if (dress)
            dress();
        fflush(stdout);
        pid_t child = fork();
        must(child >= 0);
        if (child == 0)
            be_the_victim(operation);
        bool killed = killed_after(child, k);
        const char *fault = verdict();
        if (fault)
            fail_msg("%s, %s ring, %s: killed after instruction %llu: %s", name, tbus_ring_kind_name(kind),
                     state->name, (unsigned long long)k, fault);
        kills += killed;
        if (!killed) {
            printf("  %-28s %-13s %-8s %5llu kill points\n", name, tbus_ring_kind_name(kind), state->name,
                   (unsigned long long)kills);
            kills_total += kills;
            return;
        }
    }
}

static void in_all_states(const char *name, enum tbus_ring_kind kind, void (*dress)(void),
                          void (*operation)(void))
{
    for (unsigned i = 0; i < sizeof states / sizeof *states; i++)
        kill_everywhere(name, kind, &states[i], dress, operation);
}

static bool can_trace(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? 1 : 0);
    int status;
    must(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    print_message("skipped: ptrace(2) is not allowed here\n");
    return false;
}

static int setup(void **state)
{
    (void)state;
    must(syscall(SYS_getpid) == getpid());
    /* Stepper and stepped on one CPU: handing over to another costs several times as much, a million times. */
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(sched_getcpu(), &here);
    sched_setaffinity(0, sizeof here, &here);
    world_create();
    const char *wanted = getenv("TICKBUS_KILL_POINTS");
    const char *seed = getenv("TICKBUS_SEED");
    if (wanted && !strcmp(wanted, "all"))
        stride = 1;
    offset = seed ? strtoull(seed, NULL, 0) : 0;
    return 0;
}

static void a_publisher_killed_at_any_instruction_leaves_whole_messages_or_none(void **state)
{
    (void)state;
    if (!can_trace())
        skip();
    in_all_states("publish", TBUS_SPSC, NULL, publish);
    in_all_states("publish", TBUS_BROADCAST_MP, NULL, publish);
    in_all_states("publish", TBUS_MPMC, NULL, publish);
    in_all_states("claim, commit", TBUS_MPMC, NULL, claim_and_commit);
    kill_everywhere("claim, commit", TBUS_SPSC, &states[4], NULL, claim_and_commit);
    kill_everywhere("claim, abort", TBUS_MPMC, &states[1], NULL, claim_and_abort);
    kill_everywhere("claim batch, commit", TBUS_MPMC, &states[2], NULL, publish_batch);
    world_msg_bytes_max = sizeof(long_note_t);
    kill_everywhere("publish long", TBUS_SPSC, &states[1], NULL, publish_long);
    kill_everywhere("publish long", TBUS_SPSC, &states[2], NULL, publish_long);
    kill_everywhere("publish long", TBUS_BROADCAST, &states[4], NULL, publish_long);
    world_msg_bytes_max = 0;
}

static void a_reader_killed_at_any_instruction_loses_at_most_what_it_held(void **state)
{
    (void)state;
    if (!can_trace())
        skip();
    in_all_states("poll, flush", TBUS_BROADCAST, NULL, poll_and_flush);
    in_all_states("take, release", TBUS_MPMC, NULL, take_and_release);
    kill_everywhere("leave", TBUS_BROADCAST, &states[3], NULL, leave);
    kill_everywhere("join late", TBUS_BROADCAST, &states[4], NULL, join_late);
    kill_everywhere("join late", TBUS_MPMC, &states[1], NULL, join_late);
}

static void survivor_sleeps(void)
{
    tbus_fetch_or_u32(&world->ring.shared->sleepers, UINT32_C(1) << world->reader[1].index);
}

static void a_sleeper_or_waker_killed_at_any_instruction_harms_nobody(void **state)
{
    (void)state;
    if (!can_trace())
        skip();
    kill_everywhere("park", TBUS_BROADCAST, &states[0], NULL, park);
    kill_everywhere("park", TBUS_MPMC, &states[1], NULL, park);
    kill_everywhere("publish, wake", TBUS_BROADCAST, &states[1], survivor_sleeps, publish);
    kill_everywhere("publish, wake", TBUS_MPMC, &states[4], survivor_sleeps, publish);
}

/* A claim and a message in the hands of somebody who died earlier; and its place. */
static void somebody_died(void)
{
    tbus_publisher_t doomed;
    must(tbus_publisher_join(&world->ring, DEAD_OWNER, &doomed, NULL) == 0);
    must(tbus_claim_try(&doomed) != NULL);
    tbus_subscriber_t held = world_subscribe("held", TBUS_CONSUMER, DEAD_OWNER);
    size_t bytes;
    must(tbus_peek(&held, &bytes) != NULL);
    world->uncounted = 1;
}

static void a_repairer_killed_at_any_instruction_leaves_work_for_the_next(void **state)
{
    (void)state;
    if (!can_trace())
        skip();
    kill_everywhere("repair", TBUS_MPMC, &states[1], somebody_died, repair);
    kill_everywhere("repair", TBUS_MPMC, &states[4], somebody_died, repair);
}

static int count_them(void **state)
{
    (void)state;
    printf("  %llu kill points, every one survived%s\n", (unsigned long long)kills_total,
           stride > 1 ? " (every fourth; TICKBUS_KILL_POINTS=all takes all)" : "");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_publisher_killed_at_any_instruction_leaves_whole_messages_or_none),
        cmocka_unit_test(a_reader_killed_at_any_instruction_loses_at_most_what_it_held),
        cmocka_unit_test(a_sleeper_or_waker_killed_at_any_instruction_harms_nobody),
        cmocka_unit_test(a_repairer_killed_at_any_instruction_leaves_work_for_the_next),
    };
    return cmocka_run_group_tests(tests, setup, count_them);
}
