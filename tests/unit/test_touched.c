/* SPDX-License-Identifier: Apache-2.0 */
/* Which messages the host has delayed, and when it was the host that stood still. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/pipeline_world.h"
#include "tools/latency/machine_stall.h"
#include "tools/latency/touched.h"

#define CPU_OF_FEED 0
#define CPU_OF_REST 1

static void find(world_t *w, const cause_witness_t *witness)
{
    for (uint32_t p = 0; p < PROCESSES; p++)
        w->gaps.tables[p].cpu = p == FEED ? CPU_OF_FEED : CPU_OF_REST;
    for (uint32_t p = 0; p < PROCESSES; p++)
        for (uint64_t i = 0; i < w->gaps.tables[p].count; i++)
            w->gaps.tables[p].gaps[i].cpu = w->gaps.tables[p].cpu;
    simulate(w);
    cause_source_clear(&w->source);
    assert_int_equal(cause_source_create(&w->gaps, stage_of, &w->source), 0);
    if (witness)
        w->source.witness = *witness;
    assert_int_equal(touched_find(&w->source, &w->samples), 0);
}

static uint64_t touched(const world_t *w)
{
    uint64_t count = 0;
    for (uint64_t row = 0; row < ROWS; row++)
        count += w->samples.touched[row];
    return count;
}

/* Every message but those that took no longer than they had to; 10 us lie between two. */
static void
what_waits_for_the_host_is_touched_to_the_last_one_behind_it_and_nothing_else(void **state)
{
    world_t *w = *state;
    plant_neighbour(w, FEED, 400000, 5000);
    find(w, NULL);
    const uint64_t *ns = w->samples.hops[HOP_TICK_TO_SEEN].ns;
    uint64_t late = 0, missed = 0;
    for (uint64_t row = 0; row < ROWS; row++) {
        late += ns[row] > 800;
        missed += ns[row] > 800 && !w->samples.touched[row];
    }
    assert_true(late >= 500);
    assert_int_equal(missed, 0);
    assert_in_range(touched(w), late, late + 2);
}

static void a_stall_in_a_process_that_a_message_has_left_does_not_touch_it(void **state)
{
    world_t *w = *state;
    plant_neighbour(w, FEED, 400001, 8); /* over before the next message is due */
    find(w, NULL);
    assert_int_equal(touched(w), 0);
}

static void before_stalls_are_noted_all_may_be_touched(void **state)
{
    world_t *w = *state;
    w->gaps.tables[STRATEGY].begin_ns = START_NS + 1 * MS;
    find(w, NULL);
    assert_int_equal(touched(w), 100);
}

static void when_a_table_was_full_all_may_be_touched(void **state)
{
    world_t *w = *state;
    plant(w, FEED, 900001, 8);
    w->gaps.tables[FEED].lost = 1;
    find(w, NULL);
    assert_int_equal(touched(w), ROWS / 10 - 1);
}

/* 12 messages in hand take their time; what was the host's of the rest is more than half. */
static void work_is_not_counted_against_the_host(void **state)
{
    world_t *w = *state;
    plant_neighbour(w, FEED, 400000, 100);
    tbus_gap_t *gap = &w->gaps.tables[FEED].gaps[0];
    gap->worked = 12;
    gap->off_ns = gap->came.run_delay_ns = 30 * US;
    find(w, NULL);
    assert_in_range(touched(w), 10, 13);
}

static void interrupts_and_steal_are_the_hosts(void **state)
{
    world_t *w = *state;
    plant(w, FEED, 200000, 100); /* on its CPU, and nothing in hand */
    plant(w, STRATEGY, 600000, 100)->off_ns = 100 * US;
    find(w, NULL);
    assert_in_range(touched(w), 20, 26);
}

static void what_the_pipeline_does_to_itself_is_not_the_hosts(void **state)
{
    world_t *w = *state;
    plant_stop(w, STRATEGY, 100000, 500);
    plant(w, STRATEGY, 200000, 500)->worked = 1; /* a long turn */
    tbus_gap_t *faults = plant(w, FEED, 300000, 500);
    faults->came = (tbus_gap_sums_t){.faults_minor = 400};
    plant_full(w, 500000, 500, "recorder");
    find(w, NULL);
    assert_int_equal(touched(w), 0);
}

/* The recorder is on the CPU of the strategy. */
static void a_cpu_that_two_of_ours_share_is_taken_by_the_host_only_if_somebody_says_so(void **state)
{
    world_t *w = *state;
    w->gaps.tables[RECORDER].pid = 3;
    plant_neighbour(w, STRATEGY, 400000, 1000);
    find(w, NULL);
    assert_int_equal(touched(w), 0);
}

static bool others_had_it(const void *context, int cpu, uint64_t from_ns, uint64_t to_ns,
                          uint64_t *out_ns)
{
    assert_int_equal(cpu, CPU_OF_REST);
    *out_ns = (to_ns - from_ns) * *(const uint64_t *)context / 100;
    return true;
}

static void who_had_the_cpu_decides_whether_it_was_the_host(void **state)
{
    world_t *w = *state;
    uint64_t per_cent = 90;
    const cause_witness_t witness = {.others_ran = others_had_it, .context = &per_cent};
    plant_neighbour(w, STRATEGY, 400000, 1000);
    find(w, &witness);
    assert_in_range(touched(w), 100, 115);
    per_cent = 10; /* ours had it, most of the time */
    find(w, &witness);
    assert_int_equal(touched(w), 0);
}

static void a_ring_that_is_full_is_the_hosts_doing_when_its_reader_was_kept_off(void **state)
{
    world_t *w = *state;
    w->gaps.tables[RECORDER].pid = 3;
    plant(w, RECORDER, 399000, 2000); /* interrupted */
    plant_full(w, 400000, 1000, "recorder");
    find(w, NULL);
    assert_in_range(touched(w), 100, 115);
}

/* --- standing still */

/* What a stall is booked to, most of it; the feed and the strategy have one each. */
static enum cause cause_of(world_t *w, uint32_t process)
{
    uint64_t parts[CAUSE_COUNT] = {0};
    find(w, NULL);
    assert_int_equal(w->source.stalls[process].count, 1);
    const stall_t *stall = &w->source.stalls[process].list[0];
    uint64_t ns = stall_overlap(stall, 0, UINT64_MAX, parts);
    for (uint32_t cause = 0; cause < CAUSE_COUNT; cause++)
        if (parts[cause] > ns / 2)
            return (enum cause)cause;
    return CAUSE_UNEXPLAINED;
}

static void two_cpus_that_stand_still_together_are_the_host_whatever_was_in_hand(void **state)
{
    world_t *w = *state;
    plant(w, FEED, 400000, 2000)->worked = 3;
    plant(w, STRATEGY, 400010, 2100)->worked = 1;
    assert_int_equal(cause_of(w, FEED), CAUSE_HOST);
    assert_int_equal(cause_of(w, STRATEGY), CAUSE_HOST);
    assert_in_range(touched(w), 210, 235); /* those that waited behind, too */
}

static void one_cpu_alone_or_one_after_the_other_is_a_long_turn(void **state)
{
    world_t *w = *state;
    plant(w, FEED, 400000, 2000)->worked = 3;
    plant(w, STRATEGY, 401000, 2000)->worked = 1;
    assert_int_equal(cause_of(w, FEED), CAUSE_LONG_TURN);
    assert_int_equal(cause_of(w, STRATEGY), CAUSE_LONG_TURN);
}

static void nobody_stands_still_who_was_switched_or_has_page_faults(void **state)
{
    world_t *w = *state;
    plant(w, FEED, 400000, 2000)->worked = 1;
    plant_stop(w, STRATEGY, 400000, 2000);
    assert_int_equal(cause_of(w, FEED), CAUSE_LONG_TURN);
    assert_int_equal(cause_of(w, STRATEGY), CAUSE_STOPPED);
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, make_world, end_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(what_waits_for_the_host_is_touched_to_the_last_one_behind_it_and_nothing_else),
        IN_A_WORLD(a_stall_in_a_process_that_a_message_has_left_does_not_touch_it),
        IN_A_WORLD(before_stalls_are_noted_all_may_be_touched),
        IN_A_WORLD(when_a_table_was_full_all_may_be_touched),
        IN_A_WORLD(work_is_not_counted_against_the_host),
        IN_A_WORLD(interrupts_and_steal_are_the_hosts),
        IN_A_WORLD(what_the_pipeline_does_to_itself_is_not_the_hosts),
        IN_A_WORLD(a_cpu_that_two_of_ours_share_is_taken_by_the_host_only_if_somebody_says_so),
        IN_A_WORLD(who_had_the_cpu_decides_whether_it_was_the_host),
        IN_A_WORLD(a_ring_that_is_full_is_the_hosts_doing_when_its_reader_was_kept_off),
        IN_A_WORLD(two_cpus_that_stand_still_together_are_the_host_whatever_was_in_hand),
        IN_A_WORLD(one_cpu_alone_or_one_after_the_other_is_a_long_turn),
        IN_A_WORLD(nobody_stands_still_who_was_switched_or_has_page_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
