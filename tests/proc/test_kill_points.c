/* SPDX-License-Identifier: Apache-2.0 */
/* kill -9 at every instruction: a child is single-stepped (ptrace) through one operation on a
 * shared ring, in several states of the ring. After each instruction it is as good as dead: what it
 * has done to the shared memory is there, nothing else is. So there the oracle of ring_world.h is
 * asked, in three ways: the dead one is buried at once, twice; or the living go on first, with one
 * message, or with so many that the ring has forgotten whose turn it was. Then the memory is put
 * back, and the child does its next instruction. Where one has left the memory alone, nobody could
 * tell a kill before it from one behind it, and the oracle is not asked again.
 *
 * And it is killed for real: after every 64th instruction from an offset that changes with
 * TICKBUS_SEED; TICKBUS_KILL_POINTS=all kills after every one, which costs minutes, as each takes a
 * child that is stepped from the start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tickbus/repair.h>

#include "tests/support/killer.h"
#include "tests/support/ring_world.h"

static uint64_t stops_total, kills_total;
static uint64_t stride = 64;
static uint64_t offset;

/* ---- what the victim (owner ZERO) does ---- */

static void publish(void)
{
    world_publish_by(0, 0);
}
static void publish_long(void)
{
    world->published[0] = world_publish_long(0, 100);
    world->refused[0] = !world->published[0];
}
static void claim_long_and_commit(void)
{
    long_note_t *place = tbus_claim_bytes_try(&world->publisher[0], sizeof *place);
    if (!place) {
        world->refused[0] = true;
        return;
    }
    *place = world_long_note(100);
    tbus_commit(&world->publisher[0], sizeof *place);
    world->published[0] = true;
}
static void claim_long_and_abort(void)
{
    if (tbus_claim_bytes_try(&world->publisher[0], sizeof(long_note_t)))
        tbus_abort(&world->publisher[0]);
    world->refused[0] = true;
}
#define BATCH 4u /* more than the ticket has names */
static void publish_batch(void)
{
    static const uint32_t bytes[BATCH] = {sizeof(note_t), sizeof(note_t), sizeof(note_t),
                                          sizeof(note_t)};
    void *places[BATCH];
    uint32_t got = tbus_claim_batch(&world->publisher[0], BATCH, places);
    for (uint64_t i = 0; i < got; i++)
        *(note_t *)places[i] = (note_t){100 + i, ~(100 + i)};
    tbus_commit_batch(&world->publisher[0], bytes);
    world_note_batch(got, BATCH);
}
static void publish_in_a_row(void)
{
    world_publish_batch(BATCH);
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
/* What was claimed before (claimed_and_settled). */
static void commit(void)
{
    *(note_t *)(tbus_ring_slot(&world->ring, world->publisher[0].claimed_at) + 1) =
        (note_t){100, ~UINT64_C(100)};
    tbus_commit(&world->publisher[0], sizeof(note_t));
    world->published[0] = true;
}
static void abandon(void)
{
    tbus_abort(&world->publisher[0]);
    world->refused[0] = true;
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
/* Killed between freeing a slot and counting it, a repairer leaves the count one short; the slots
 * are right all the same. */
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

/* Go round the ring one and a half times, across the wrap of the slot word's 45 bits when the first
 * sequence is near it. */
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

static const enum tbus_ring_kind several[] = {TBUS_BROADCAST_MP, TBUS_MPMC, TBUS_MPSC};
#define SEVERAL (sizeof several / sizeof *several)

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

/* The next long message does not fit before the end of the area. */
static void area_ends(void)
{
    const tbus_ring_t *ring = &world->ring;
    tbus_area_t *area = &world->publisher[0].area;
    area->head = area->clear = ring->area_bytes - 64;
    tbus_store_relaxed_u64(&ring->shared->area_announce, area->head);
}
static void one_long(void)
{
    must(world_publish_long(1, 0));
    world->filled = 1;
}
/* In hand since a while: others came and went, and the slot had to be told whose it is. */
static void claimed_and_settled(void)
{
    must(tbus_claim_try(&world->publisher[0]) != NULL);
    world_publish_some(1, 3);
}
static void taken_and_settled(void)
{
    size_t bytes;
    must(tbus_peek(&world->reader[0], &bytes) != NULL);
    for (unsigned i = 0; i < 3; i++)
        must(world_receive(&world->reader[1]));
}
/* Who leaves with a message in hand gives it back first, and then counts it in doubt. */
static void leaves_with_one(void)
{
    taken_and_settled();
    world->uncounted = 1;
}
static void two_tombs(void)
{
    for (unsigned who = 1; who < PUBLISHERS; who++) {
        must(tbus_claim_try(&world->publisher[who]) != NULL);
        tbus_abort(&world->publisher[who]);
    }
    world_publish_some(1, 3);
}

/* ---- one kill ---- */

static pid_t start(enum tbus_ring_kind kind, const state_t *state, void (*dress)(void),
                   void (*operation)(void))
{
    prepare(kind, state);
    if (dress)
        dress();
    return killer_start(operation);
}

/* The victim is gone, killed or at its end; so is whoever died before it, and a repairer may have
 * died over him. */
static const char *verdict(unsigned carry_on)
{
    world_carry_on(1, carry_on);
    tbus_ring_repair(&world->ring, DEAD_OWNER);
    /* On a competing ring the survivor would do, but a newcomer proves more. */
    tbus_subscriber_t fresh;
    tbus_subscriber_t *drain = &world->reader[1];
    if (world->ring.competing) {
        fresh = world_subscribe("fresh", TBUS_CONSUMER, FRESH);
        drain = &fresh;
    }
    const char *fault = world_settle(1, drain);
    return fault ? fault : world_account();
}

typedef struct victim {
    const char *name;
    enum tbus_ring_kind kind;
    const state_t *state;
    void (*dress)(void);
    void (*operation)(void);
} victim_t;

/* `child`: 0 when it is gone. */
static void judge(const victim_t *v, uint64_t instruction, pid_t child)
{
    static ring_world_t as_it_was;
    memcpy(&as_it_was, world, sizeof as_it_was);
    static const unsigned messages[] = {0, 1, SOME};
    for (unsigned way = 0; way < sizeof messages / sizeof *messages; way++) {
        const char *fault = verdict(messages[way]);
        memcpy(world, &as_it_was, sizeof as_it_was);
        if (fault && child)
            killer_end(child);
        if (fault)
            fail_msg("%s, %s ring, %s: killed after instruction %llu, buried %u messages later: %s",
                     v->name, tbus_ring_kind_name(v->kind), v->state->name,
                     (unsigned long long)instruction, messages[way], fault);
    }
}

/* What the handles in the parent have of the heap: the child's copy went with it. */
static void free_scratch(const unsigned char *const scratch[READERS])
{
    for (unsigned i = 0; i < READERS; i++)
        free((void *)(uintptr_t)scratch[i]);
}

/* Returns after how many instructions it is over. */
static uint64_t stop_everywhere(const victim_t *v)
{
    static ring_world_t judged;
    uint64_t k = 0;
    pid_t child = start(v->kind, v->state, v->dress, v->operation);
    const unsigned char *const scratch[READERS] = {world->reader[0].scratch,
                                                   world->reader[1].scratch};
    do {
        if (k == 0 || memcmp(&judged, world, sizeof judged)) {
            memcpy(&judged, world, sizeof judged);
            judge(v, k, child);
        }
        k++;
    } while (killer_step(child));
    judge(v, k, 0);
    free_scratch(scratch);
    return k;
}

/* False: it was over before. Around a system call not every run counts as many instructions. */
static bool kill_really(const victim_t *v, uint64_t instruction)
{
    pid_t child = start(v->kind, v->state, v->dress, v->operation);
    const unsigned char *const scratch[READERS] = {world->reader[0].scratch,
                                                   world->reader[1].scratch};
    bool lives = true;
    for (uint64_t i = 0; i < instruction && lives; i++)
        lives = killer_step(child);
    if (lives)
        killer_end(child);
    judge(v, instruction, 0);
    free_scratch(scratch);
    return lives;
}

static void kill_everywhere(const char *name, enum tbus_ring_kind kind, const state_t *state,
                            void (*dress)(void), void (*operation)(void))
{
    victim_t v = {name, kind, state, dress, operation};
    uint64_t stops = stop_everywhere(&v), kills = 0;
    for (uint64_t k = offset % stride; k < stops; k += stride)
        kills += kill_really(&v, k);
    printf("  %-28s %-13s %-8s %5llu kill points, %4llu real kills\n", name,
           tbus_ring_kind_name(kind), state->name, (unsigned long long)stops,
           (unsigned long long)kills);
    stops_total += stops;
    kills_total += kills;
}

static void in_all_states(const char *name, enum tbus_ring_kind kind, void (*dress)(void),
                          void (*operation)(void))
{
    for (unsigned i = 0; i < sizeof states / sizeof *states; i++)
        kill_everywhere(name, kind, &states[i], dress, operation);
}

static bool can_trace(void)
{
    if (killer_ready())
        return true;
    print_message("skipped: ptrace(2) is not allowed here\n");
    return false;
}

static int setup(void **state)
{
    (void)state;
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
    /* As this CPU stores a slot's word, and as one does that has no store of 16 bytes. */
    in_all_states("publish", TBUS_SPSC, NULL, publish);
    kill_everywhere("publish batch", TBUS_BROADCAST, &states[2], NULL, publish_in_a_row);
    kill_everywhere("publish batch", TBUS_SPSC, &states[4], NULL, publish_in_a_row);
    kill_everywhere("publish batch", TBUS_MPMC, &states[4], NULL, publish_in_a_row);
    world_pairs = WORLD_SPLIT;
    in_all_states("publish, word by word", TBUS_SPSC, NULL, publish);
    kill_everywhere("batch, word by word", TBUS_SPSC, &states[4], NULL, publish_in_a_row);
    world_pairs = WORLD_AS_CPU;
    kill_everywhere("claim, commit", TBUS_SPSC, &states[4], NULL, claim_and_commit);
    for (unsigned i = 0; i < SEVERAL; i++) {
        in_all_states("publish", several[i], NULL, publish);
        kill_everywhere("claim, commit", several[i], &states[1], NULL, claim_and_commit);
        kill_everywhere("claim, abort", several[i], &states[1], NULL, claim_and_abort);
        kill_everywhere("claim, abort", several[i], &states[4], NULL, claim_and_abort);
        kill_everywhere("claim batch, commit", several[i], &states[2], NULL, publish_batch);
        kill_everywhere("claim batch, commit", several[i], &states[4], NULL, publish_batch);
        kill_everywhere("commit, settled by others", several[i], &states[1], claimed_and_settled,
                        commit);
        kill_everywhere("commit, settled by others", several[i], &states[4], claimed_and_settled,
                        commit);
        kill_everywhere("abort, settled by others", several[i], &states[1], claimed_and_settled,
                        abandon);
    }
    in_all_states("claim, commit", TBUS_MPMC, NULL, claim_and_commit);
    in_all_states("claim, abort", TBUS_MPMC, NULL, claim_and_abort);
    world_msg_bytes_max = sizeof(long_note_t);
    kill_everywhere("publish long", TBUS_SPSC, &states[1], NULL, publish_long);
    kill_everywhere("publish long", TBUS_SPSC, &states[2], NULL, publish_long);
    kill_everywhere("publish long", TBUS_BROADCAST, &states[4], NULL, publish_long);
    world_pairs = WORLD_SPLIT;
    kill_everywhere("publish long, word by word", TBUS_SPSC, &states[1], NULL, publish_long);
    world_pairs = WORLD_AS_CPU;
    kill_everywhere("publish long, at the end", TBUS_SPSC, &states[1], area_ends, publish_long);
    kill_everywhere("claim long, commit", TBUS_BROADCAST, &states[4], NULL, claim_long_and_commit);
    kill_everywhere("claim long, abort", TBUS_SPSC, &states[1], NULL, claim_long_and_abort);
    for (unsigned i = 0; i < SEVERAL; i++) {
        kill_everywhere("publish long", several[i], &states[1], NULL, publish_long);
        kill_everywhere("publish long", several[i], &states[4], NULL, publish_long);
        kill_everywhere("claim long, commit", several[i], &states[2], NULL, claim_long_and_commit);
    }
    kill_everywhere("take long, release", TBUS_MPMC, &states[0], one_long, take_and_release);
    world_msg_bytes_max = 0;
}

static void a_reader_killed_at_any_instruction_loses_at_most_what_it_held(void **state)
{
    (void)state;
    if (!can_trace())
        skip();
    in_all_states("poll, flush", TBUS_BROADCAST, NULL, poll_and_flush);
    in_all_states("take, release", TBUS_MPMC, NULL, take_and_release);
    kill_everywhere("release, settled by others", TBUS_MPMC, &states[2], taken_and_settled,
                    take_and_release);
    kill_everywhere("release, settled by others", TBUS_MPMC, &states[3], taken_and_settled,
                    take_and_release);
    kill_everywhere("pass tombs, take, release", TBUS_MPMC, &states[0], two_tombs,
                    take_and_release);
    in_all_states("poll, flush", TBUS_MPSC, NULL, poll_and_flush);
    kill_everywhere("poll, flush", TBUS_BROADCAST_MP, &states[0], two_tombs, poll_and_flush);
    kill_everywhere("leave with one in hand", TBUS_MPMC, &states[3], leaves_with_one, leave);
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
    printf("  %llu kill points survived, %llu real kills%s\n", (unsigned long long)stops_total,
           (unsigned long long)kills_total,
           stride > 1 ? " (after every 64th instruction; TICKBUS_KILL_POINTS=all: after each)"
                      : "");
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
