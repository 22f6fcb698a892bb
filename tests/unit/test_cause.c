/* SPDX-License-Identifier: Apache-2.0 */
/* What slow messages are booked to, in a world where it is known what each excess comes from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "tests/unit/pipeline_world.h"

static void book(world_t *w, enum sample_hop hop)
{
    simulate(w);
    cause_source_clear(&w->source);
    assert_int_equal(cause_source_create(&w->gaps, stage_of, &w->source), 0);
    assert_int_equal(causes_book(&w->source, &w->samples, hop, &w->causes), 0);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < CAUSE_COUNT; i++)
        sum += w->causes.ns[i];
    assert_int_equal(sum, w->causes.excess_ns);
}

static double share(const world_t *w, enum cause cause)
{
    return (double)w->causes.ns[cause] / (double)w->causes.excess_ns;
}

static uint64_t longest_ns(const samples_t *s)
{
    uint64_t most = 0;
    for (uint64_t i = 0; i < s->hops[HOP_TICK_TO_SEEN].count; i++)
        if (s->hops[HOP_TICK_TO_SEEN].ns[i] > most)
            most = s->hops[HOP_TICK_TO_SEEN].ns[i];
    return most;
}

/* --- one at a time */

static void a_stopped_strategy_delays_whoever_came_meanwhile_and_is_the_cause(void **state)
{
    world_t *w = *state;
    plant_stop(w, STRATEGY, 400000, 50000);
    book(w, HOP_TICK_TO_SEEN);
    const uint64_t *ns = w->samples.hops[HOP_TICK_TO_SEEN].ns;
    unsigned late = 0;
    for (uint64_t i = 0; i < ROWS; i++)
        late += ns[i] > MS;
    assert_in_range(late, 4890, 5400);
    assert_in_range(longest_ns(&w->samples), 49 * MS, 51 * MS);
    assert_int_equal(w->causes.count, ROWS / 1000);
    assert_true(share(w, CAUSE_STOPPED) > 0.99);
    assert_string_equal(w->causes.who[CAUSE_STOPPED], "strategy+risk");
}

static void a_message_that_came_after_the_stall_is_booked_to_it_as_well(void **state)
{
    world_t *w = *state;
    /* 80 messages came while it lasted, fewer than one of a thousand, and all others were in
     * time, so the threshold is low and those that waited behind the stall are beyond it */
    plant_stop(w, STRATEGY, 400000, 800);
    book(w, HOP_TICK_TO_SEEN);
    assert_true(w->causes.threshold_ns < 10 * US);
    assert_true(w->causes.count > 80);
    assert_true(share(w, CAUSE_STOPPED) > 0.95);
    assert_true(share(w, CAUSE_UNEXPLAINED) < 0.01);
}

static void each_hop_is_booked_to_the_process_that_does_it(void **state)
{
    world_t *w = *state;
    plant_neighbour(w, FEED, 300000, 20000);
    plant_stop(w, STRATEGY, 600000, 20000);
    book(w, HOP_PUBLISH);
    assert_true(share(w, CAUSE_PREEMPTED) > 0.99);
    book(w, HOP_SEEN);
    assert_true(share(w, CAUSE_STOPPED) > 0.95);
}

static void page_faults_are_the_cause_when_there_are_enough_of_them(void **state)
{
    world_t *w = *state;
    tbus_gap_t *gap = plant(w, STRATEGY, 500000, 30000);
    gap->worked = 1;
    gap->came = (tbus_gap_sums_t){.cpu_ns = 30 * MS, .faults_minor = 20000};
    book(w, HOP_TICK_TO_SEEN);
    assert_true(share(w, CAUSE_PAGE_FAULTS) > 0.99);
    gap->came.faults_minor = 3;
    book(w, HOP_TICK_TO_SEEN);
    assert_true(share(w, CAUSE_PAGE_FAULTS) < 0.01);
    assert_true(share(w, CAUSE_LONG_TURN) > 0.99);
    gap->worked = 0;
    book(w, HOP_TICK_TO_SEEN);
    assert_true(share(w, CAUSE_INTERRUPTED) > 0.99);
}

static void
a_segment_that_was_not_ready_is_the_cause_where_the_recorder_shares_the_feed(void **state)
{
    world_t *w = *state;
    strcpy(w->gaps.tables[RECORDER].stages[0], "nobody");
    add_stage(&w->gaps.tables[FEED], "recorder");
    plant_stalled(w, FEED, 400000, 40000); /* the ring took it all */
    plant_stalled(w, FEED, 450000, 90000);
    plant_full(w, 500000, 40000, "recorder");
    book(w, HOP_TICK_TO_SEEN);
    assert_true(share(w, CAUSE_SEGMENT_ROLL) > 0.99);
    assert_string_equal(w->causes.who[CAUSE_SEGMENT_ROLL], "recorder on md");
    assert_int_equal(w->causes.ns[CAUSE_RING_FULL], 0);
}

static void a_full_ring_is_booked_to_a_segment_for_as_long_as_its_reader_had_none(void **state)
{
    world_t *w = *state;
    plant_stalled(w, RECORDER, 480000, 50000);
    plant_full(w, 500000, 40000, "recorder");
    plant_full(w, 700000, 1000, "strategy"); /* of no reader that had none */
    book(w, HOP_TICK_TO_SEEN);
    assert_in_range((uint64_t)(share(w, CAUSE_SEGMENT_ROLL) * 100), 70, 78);
    assert_true(share(w, CAUSE_SEGMENT_ROLL) + share(w, CAUSE_RING_FULL) > 0.99);
}

static void
a_stage_that_cannot_take_its_next_message_delays_nobody_while_the_ring_has_room(void **state)
{
    world_t *w = *state;
    plant_stalled(w, FEED, 400000, 50000);
    plant_stalled(w, RECORDER, 500000, 50000);
    simulate(w);
    assert_true(longest_ns(&w->samples) < 10 * US);
    book(w, HOP_TICK_TO_SEEN);
    assert_int_equal(w->causes.ns[CAUSE_SEGMENT_ROLL], 0);
}

static void a_full_ring_is_the_cause_when_its_reader_is_off_the_way(void **state)
{
    world_t *w = *state;
    plant_stop(w, RECORDER, 500000, 60000);
    plant_full(w, 520000, 40000, "recorder");
    /* what the feed did meanwhile is no cause of its own */
    plant_neighbour(w, FEED, 530000, 1000);
    book(w, HOP_TICK_TO_SEEN);
    assert_true(share(w, CAUSE_RING_FULL) > 0.99);
    assert_string_equal(w->causes.who[CAUSE_RING_FULL], "recorder on md: stopped");
}

static void a_full_ring_of_a_reader_on_the_way_is_booked_to_what_held_the_reader_up(void **state)
{
    world_t *w = *state;
    plant_stop(w, STRATEGY, 500000, 60000);
    plant_full(w, 520000, 40000, "strategy");
    book(w, HOP_TICK_TO_SEEN);
    assert_true(share(w, CAUSE_STOPPED) > 0.95);
    assert_true(share(w, CAUSE_RING_FULL) < 0.05);
}

static void a_sleep_counts_from_the_message_and_its_end_is_whoever_had_the_cpu(void **state)
{
    world_t *w = *state;
    tbus_gaps_table_t *table = &w->gaps.tables[STRATEGY];
    /* it slept for 100 ms, was woken, and had no CPU for the last 30 of them */
    plant(w, STRATEGY, 500000, 100000);
    simulate(w);
    table->count = 0;
    table->sleeps[table->sleeps_count++] =
        (tbus_sleep_t){START_NS + 500 * MS, (uint32_t)(100 * MS), (uint32_t)(99 * MS)};
    assert_int_equal(cause_source_create(&w->gaps, stage_of, &w->source), 0);
    assert_int_equal(causes_book(&w->source, &w->samples, HOP_SEEN, &w->causes), 0);
    assert_true(share(w, CAUSE_PREEMPTED) > 0.98);
    assert_true(share(w, CAUSE_WOKEN_FROM_SLEEP) > 0.005);
    assert_true(share(w, CAUSE_UNEXPLAINED) < 0.01);
}

static void messages_that_are_worked_off_after_a_stall_are_no_cause_of_their_own(void **state)
{
    world_t *w = *state;
    plant_stop(w, STRATEGY, 500000, 30000);
    /* and then the strategy has them all in hand, in one turn */
    tbus_gap_t *gap = plant(w, STRATEGY, 530000, 4000);
    gap->worked = 3000;
    gap->came = (tbus_gap_sums_t){.cpu_ns = 4 * MS};
    book(w, HOP_TICK_TO_SEEN);
    assert_true(share(w, CAUSE_STOPPED) > 0.99);
    assert_int_equal(w->causes.ns[CAUSE_WORK], 0);
    assert_int_equal(w->causes.ns[CAUSE_LONG_TURN], 0);
}

/* --- two at a time */

static void two_causes_at_a_time_are_booked_to_both(void **state)
{
    world_t *w = *state;
    /* apart: as long as each other, so each has half */
    plant_stop(w, STRATEGY, 300000, 30000);
    plant_neighbour(w, FEED, 600000, 30000);
    book(w, HOP_TICK_TO_SEEN);
    assert_in_range((uint64_t)(share(w, CAUSE_STOPPED) * 100), 40, 60);
    assert_true(share(w, CAUSE_STOPPED) + share(w, CAUSE_PREEMPTED) > 0.99);
}

static void two_causes_that_overlap_share_what_they_delay(void **state)
{
    world_t *w = *state;
    /* the feed is kept off its CPU for 30 ms; when it is back the strategy is stopped for as long
     * again: the slowest messages have waited for one after the other */
    plant_neighbour(w, FEED, 500000, 30000);
    plant_stop(w, STRATEGY, 500000, 60000);
    book(w, HOP_TICK_TO_SEEN);
    assert_in_range((uint64_t)(share(w, CAUSE_STOPPED) * 100), 45, 55);
    assert_true(share(w, CAUSE_STOPPED) + share(w, CAUSE_PREEMPTED) > 0.99);
}

/* --- none */

static void what_no_process_noted_is_unexplained(void **state)
{
    world_t *w = *state;
    plant_stop(w, STRATEGY, 400000, 50000);
    simulate(w);
    w->gaps.tables[STRATEGY].count = 0;
    assert_int_equal(cause_source_create(&w->gaps, stage_of, &w->source), 0);
    assert_int_equal(causes_book(&w->source, &w->samples, HOP_TICK_TO_SEEN, &w->causes), 0);
    assert_true(w->causes.excess_ns > 0);
    assert_int_equal(w->causes.ns[CAUSE_UNEXPLAINED], w->causes.excess_ns);
    assert_string_equal(w->causes.who[CAUSE_UNEXPLAINED], "");
}

static void a_short_stall_does_not_answer_for_a_long_wait_behind_it(void **state)
{
    world_t *w = *state;
    plant_stop(w, STRATEGY, 400000, 50000);
    simulate(w);
    /* noted: only its first 2 ms */
    w->gaps.tables[STRATEGY].gaps[0].end_ns = START_NS + 402 * MS;
    w->gaps.tables[STRATEGY].gaps[0].off_ns = 2 * MS;
    assert_int_equal(cause_source_create(&w->gaps, stage_of, &w->source), 0);
    assert_int_equal(causes_book(&w->source, &w->samples, HOP_TICK_TO_SEEN, &w->causes), 0);
    for (uint64_t i = 0; i < ROWS; i++) /* none of the slowest has more than these 2 ms to book */
        assert_true(w->causes.ns[CAUSE_STOPPED] <= w->causes.count * 2 * MS);
    uint64_t parts[CAUSE_COUNT];
    const tbus_gap_t *gap;
    uint64_t after = 45000; /* wanted 450 ms after the start */
    assert_int_equal(
        cause_surroundings(&w->source, &w->samples, HOP_TICK_TO_SEEN, after, parts, &gap),
        CAUSE_NOBODY);
    assert_null(gap);
}

static void what_surrounded_a_message_is_told_with_its_gap(void **state)
{
    world_t *w = *state;
    plant_stop(w, STRATEGY, 400000, 50000);
    book(w, HOP_TICK_TO_SEEN);
    uint64_t parts[CAUSE_COUNT];
    const tbus_gap_t *gap;
    /* wanted in the middle of it */
    assert_int_equal(
        cause_surroundings(&w->source, &w->samples, HOP_TICK_TO_SEEN, 42500, parts, &gap),
        STRATEGY);
    assert_in_range(parts[CAUSE_STOPPED], 24 * MS, 25 * MS);
    assert_ptr_equal(gap, &w->gaps.tables[STRATEGY].gaps[0]);
}

static void hops_beside_the_way_are_refused_and_no_message_has_no_excess(void **state)
{
    world_t *w = *state;
    book(w, HOP_TICK_TO_REPORT);
    assert_int_equal(w->causes.count, 0);
    assert_int_equal(w->causes.excess_ns, 0);
    assert_int_equal(causes_book(&w->source, &w->samples, HOP_RECORD, &w->causes), -EINVAL);
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, make_world, end_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(a_stopped_strategy_delays_whoever_came_meanwhile_and_is_the_cause),
        IN_A_WORLD(a_message_that_came_after_the_stall_is_booked_to_it_as_well),
        IN_A_WORLD(each_hop_is_booked_to_the_process_that_does_it),
        IN_A_WORLD(page_faults_are_the_cause_when_there_are_enough_of_them),
        IN_A_WORLD(messages_that_are_worked_off_after_a_stall_are_no_cause_of_their_own),
        IN_A_WORLD(a_segment_that_was_not_ready_is_the_cause_where_the_recorder_shares_the_feed),
        IN_A_WORLD(a_full_ring_is_booked_to_a_segment_for_as_long_as_its_reader_had_none),
        IN_A_WORLD(a_stage_that_cannot_take_its_next_message_delays_nobody_while_the_ring_has_room),
        IN_A_WORLD(a_full_ring_is_the_cause_when_its_reader_is_off_the_way),
        IN_A_WORLD(a_full_ring_of_a_reader_on_the_way_is_booked_to_what_held_the_reader_up),
        IN_A_WORLD(a_sleep_counts_from_the_message_and_its_end_is_whoever_had_the_cpu),
        IN_A_WORLD(two_causes_at_a_time_are_booked_to_both),
        IN_A_WORLD(two_causes_that_overlap_share_what_they_delay),
        IN_A_WORLD(what_no_process_noted_is_unexplained),
        IN_A_WORLD(a_short_stall_does_not_answer_for_a_long_wait_behind_it),
        IN_A_WORLD(what_surrounded_a_message_is_told_with_its_gap),
        IN_A_WORLD(hops_beside_the_way_are_refused_and_no_message_has_no_excess),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
