/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <tickbus/publisher.h>
#include <tickbus/subscriber.h>

#include "tests/support/bus_fixture.h"
#include "tools/run/standstill.h"

#define SOURCE 1u /* participants */
#define STAGE  2u
#define STAGES 3u /* bits of both */

typedef struct scene {
    tbus_bus_t bus;
    tbus_ring_t *ring;
    tbus_publisher_t p;
    tbus_subscriber_t s;
    standstill_t standstill;
} scene_t;

static tbus_participant_t *block(scene_t *w, uint32_t owner)
{
    return tbus_participant(&w->bus, owner);
}

static void set_state(scene_t *w, uint32_t owner, enum tbus_participant_state state)
{
    tbus_store_relaxed_u32(&block(w, owner)->state, state);
}

/* Bit 0: the topic of the scene. */
static void let_publish(scene_t *w, uint32_t owner)
{
    tbus_store_relaxed_u32(&block(w, owner)->publishes, 1);
}

static void set_up(scene_t *w)
{
    *w = (scene_t){0};
    test_bus_create(&w->bus, "standstill");
    test_participant(&w->bus, "source", SOURCE);
    test_participant(&w->bus, "stage", STAGE);
    w->ring = test_topic(&w->bus, (tbus_ring_spec_t){.kind = TBUS_BROADCAST}, "n");
    w->p = test_publisher(w->ring, SOURCE);
    w->s = test_late_comer(w->ring, "stage", TBUS_SUBSCRIBER, STAGE);
    set_state(w, SOURCE, TBUS_RUN);
    set_state(w, STAGE, TBUS_RUN);
    let_publish(w, SOURCE);
    let_publish(w, STAGE);
}

static void tear_down(scene_t *w)
{
    tbus_subscriber_leave(&w->s);
    tbus_bus_close(&w->bus);
}

/* A turn in which it found nothing to do; `keeps`: something that it cannot send. */
static void turn(scene_t *w, uint32_t owner, bool keeps)
{
    tbus_participant_t *p = block(w, owner);
    tbus_add_own_u64(&p->heartbeat, 1);
    tbus_add_own_u64(&p->quiet, !keeps);
}

/* Look again and again, with turns in between. */
static bool stands_still(scene_t *w, bool source_keeps, bool stage_keeps)
{
    bool still = false;
    for (unsigned i = 0; i < 40 && !still; i++) {
        still = standstill_look(&w->standstill, &w->bus, STAGES, SOURCE);
        turn(w, SOURCE, source_keeps);
        turn(w, STAGE, stage_keeps);
    }
    return still;
}

static void publish(scene_t *w)
{
    uint64_t n = 1;
    assert_int_equal(tbus_publish(&w->p, &n, 8), TBUS_PUBLISHED);
    tbus_publisher_flush(&w->p);
}

static void a_source_that_finds_no_room_and_a_stage_that_takes_nothing_stand_still(void **state)
{
    (void)state;
    scene_t w;
    set_up(&w);
    publish(&w);
    assert_true(stands_still(&w, true, false));
    assert_true(w.standstill.suspected);
    tear_down(&w);
}

static void so_do_a_stage_that_keeps_what_it_cannot_send_and_a_source_that_has_no_more(void **state)
{
    (void)state;
    scene_t w;
    set_up(&w);
    set_state(&w, SOURCE, TBUS_DONE);
    assert_true(stands_still(&w, false, true));
    tear_down(&w);
}

/* A recorder whose disk is slow, and a feed that waits for it. */
static void a_stage_that_publishes_nothing_and_has_something_to_do_goes_on_by_itself(void **state)
{
    (void)state;
    scene_t w;
    set_up(&w);
    tbus_store_relaxed_u32(&block(&w, STAGE)->publishes, 0);
    publish(&w);
    assert_false(stands_still(&w, true, true));
    assert_true(w.standstill.suspected);
    assert_true(stands_still(&w, true, false)); /* it has nothing left to do */
    tear_down(&w);
}

static void a_source_that_waits_for_its_time_goes_on_by_itself(void **state)
{
    (void)state;
    scene_t w;
    set_up(&w);
    assert_false(stands_still(&w, false, false));
    tear_down(&w);
}

static void a_stage_that_has_not_begun_or_has_had_no_turn_may_still_do_something(void **state)
{
    (void)state;
    scene_t w;
    set_up(&w);
    set_state(&w, SOURCE, TBUS_DONE);
    set_state(&w, STAGE, TBUS_READY);
    assert_false(stands_still(&w, false, false));
    set_state(&w, STAGE, TBUS_RUN);
    (void)standstill_look(&w.standstill, &w.bus, STAGES, SOURCE);
    for (unsigned i = 0; i < 40; i++) {
        assert_false(standstill_look(&w.standstill, &w.bus, STAGES, SOURCE));
        turn(&w, SOURCE, false);
    }
    assert_true(stands_still(&w, false, false));
    tear_down(&w);
}

/* Turns before it do not count: the stage may not have seen it then. */
static void whatever_moves_begins_the_count_anew(void **state)
{
    (void)state;
    scene_t w;
    size_t bytes;
    set_up(&w);
    set_state(&w, SOURCE, TBUS_DONE);
    for (unsigned change = 0; change < 3; change++) {
        assert_true(stands_still(&w, false, true));
        if (change == 0)
            publish(&w);
        else if (change == 1)
            tbus_store_relaxed_u64(&block(&w, SOURCE)->horizon.at, 7);
        else if (tbus_peek(&w.s, &bytes))
            tbus_advance(&w.s), tbus_subscriber_flush(&w.s);
        assert_false(standstill_look(&w.standstill, &w.bus, STAGES, SOURCE));
        assert_false(standstill_look(&w.standstill, &w.bus, STAGES, SOURCE));
    }
    assert_true(stands_still(&w, false, true));
    tear_down(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_that_finds_no_room_and_a_stage_that_takes_nothing_stand_still),
        cmocka_unit_test(
            so_do_a_stage_that_keeps_what_it_cannot_send_and_a_source_that_has_no_more),
        cmocka_unit_test(a_stage_that_publishes_nothing_and_has_something_to_do_goes_on_by_itself),
        cmocka_unit_test(a_source_that_waits_for_its_time_goes_on_by_itself),
        cmocka_unit_test(a_stage_that_has_not_begun_or_has_had_no_turn_may_still_do_something),
        cmocka_unit_test(whatever_moves_begins_the_count_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
