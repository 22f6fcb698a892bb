/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sys/prctl.h>

#include <tickbus/publisher.h>
#include <tickbus/repair.h>
#include <tickbus/stage.h>
#include <tickbus/subscriber.h>

#include "tests/support/bus_fixture.h"

typedef struct scene {
    tbus_bus_t bus;
    tbus_ring_t *ring;
    tbus_publisher_t p;
} scene_t;

static void set_up(scene_t *w, enum tbus_ring_kind kind, enum tbus_policy policy)
{
    test_bus_create(&w->bus, "quiescence");
    test_participant(&w->bus, "publisher", 1);
    test_participant(&w->bus, "victim", 2);
    w->ring = test_topic(&w->bus, (tbus_ring_spec_t){.kind = kind, .policy = policy}, "n");
    w->p = test_publisher(w->ring, 1);
}

static void publish(scene_t *w, unsigned count)
{
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(tbus_publish(&w->p, &i, 8), TBUS_PUBLISHED);
    tbus_publisher_flush(&w->p);
}

static unsigned take(tbus_subscriber_t *s, unsigned limit)
{
    size_t bytes;
    unsigned taken = 0;
    for (; taken < limit && tbus_peek(s, &bytes); taken++)
        tbus_advance(s);
    tbus_subscriber_flush(s);
    return taken;
}

/* No participant runs, so the second look tells. */
static bool quiescent(scene_t *w)
{
    tbus_quiescence_t q = {0};
    assert_false(tbus_bus_quiescent(&w->bus, &q)); /* nothing to compare with yet */
    return tbus_bus_quiescent(&w->bus, &q);
}

static void what_a_consumer_took_stays_taken_when_it_leaves(void **state)
{
    (void)state;
    scene_t w;
    set_up(&w, TBUS_MPMC, TBUS_BLOCK);
    tbus_subscriber_t one = test_late_comer(w.ring, "one", TBUS_CONSUMER, 2);
    tbus_subscriber_t two = test_late_comer(w.ring, "two", TBUS_CONSUMER, 3);
    publish(&w, 10);
    assert_false(quiescent(&w));
    assert_int_equal(take(&one, 5), 5);
    assert_false(quiescent(&w));
    assert_int_equal(take(&two, 5), 5);
    assert_true(quiescent(&w));
    tbus_subscriber_leave(&one);
    assert_true(quiescent(&w));
    tbus_subscriber_t three = test_late_comer(w.ring, "three", TBUS_CONSUMER, 4);
    assert_true(quiescent(&w));
    tbus_subscriber_leave(&two);
    tbus_subscriber_leave(&three);
    assert_true(quiescent(&w));
    publish(&w, 1); /* for whoever comes next */
    assert_false(quiescent(&w));
    tbus_bus_close(&w.bus);
}

static void a_message_that_a_consumer_still_works_on_is_not_done(void **state)
{
    (void)state;
    scene_t w;
    size_t bytes;
    set_up(&w, TBUS_MPMC, TBUS_BLOCK);
    tbus_subscriber_t one = test_late_comer(w.ring, "one", TBUS_CONSUMER, 2);
    tbus_subscriber_t two = test_late_comer(w.ring, "two", TBUS_CONSUMER, 3);
    for (unsigned lap = 0; lap < 3; lap++) {
        publish(&w, 16);
        assert_non_null(tbus_peek(&one, &bytes)); /* the oldest */
        assert_int_equal(take(&two, 16), 15);
        assert_false(quiescent(&w));
        tbus_advance(&one);
        assert_true(quiescent(&w));
    }
    tbus_subscriber_leave(&one);
    tbus_subscriber_leave(&two);
    tbus_bus_close(&w.bus);
}

static void tombs_and_messages_in_doubt_are_nobodys_work(void **state)
{
    (void)state;
    scene_t w;
    size_t bytes;
    set_up(&w, TBUS_MPMC, TBUS_BLOCK);
    publish(&w, 3);
    assert_non_null(tbus_claim_try(&w.p));
    tbus_abort(&w.p);
    pid_t child = fork();
    if (child == 0) {
        tbus_participant_live(&w.bus, 2, NULL);
        tbus_subscriber_t s = test_late_comer(w.ring, "victim", TBUS_CONSUMER, 2);
        (void)tbus_peek(&s, &bytes);
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    tbus_subscriber_t s = test_late_comer(w.ring, "successor", TBUS_CONSUMER, 1);
    assert_int_equal(take(&s, 10), 2);
    assert_false(quiescent(&w)); /* nobody has looked after the dead yet */
    assert_true(tbus_bus_heal(&w.bus) > 0);
    assert_int_equal(tbus_load_relaxed_u64(&w.ring->shared->in_doubt), 1);
    assert_true(quiescent(&w));
    tbus_subscriber_leave(&s);
    tbus_bus_close(&w.bus);
}

static void a_subscriber_is_done_with_a_tomb_when_it_has_passed_it(void **state)
{
    (void)state;
    scene_t w;
    set_up(&w, TBUS_BROADCAST_MP, TBUS_BLOCK);
    tbus_subscriber_t s = test_late_comer(w.ring, "s", TBUS_SUBSCRIBER, 2);
    publish(&w, 2);
    assert_non_null(tbus_claim_try(&w.p));
    tbus_abort(&w.p);
    publish(&w, 1);
    assert_int_equal(take(&s, 2), 2);
    assert_false(quiescent(&w));
    assert_int_equal(take(&s, 9), 1);
    assert_true(quiescent(&w));
    tbus_subscriber_leave(&s);
    tbus_bus_close(&w.bus);
}

static void who_was_evicted_holds_nobody_up_and_is_not_the_slowest(void **state)
{
    (void)state;
    scene_t w;
    set_up(&w, TBUS_BROADCAST, TBUS_EVICT_SLOWEST);
    tbus_subscriber_t slow = test_late_comer(w.ring, "slow", TBUS_SUBSCRIBER, 2);
    tbus_subscriber_t quick = test_late_comer(w.ring, "quick", TBUS_SUBSCRIBER, 3);
    for (unsigned i = 0; i < 40; i++) {
        publish(&w, 1);
        assert_int_equal(take(&quick, 2), 1);
    }
    uint64_t lag = 99;
    assert_true(quiescent(&w));
    assert_int_equal(tbus_ring_slowest(w.ring, &lag), (int)quick.index);
    assert_int_equal(lag, 0);
    publish(&w, 1);
    assert_false(quiescent(&w));
    tbus_subscriber_leave(&slow);
    tbus_subscriber_leave(&quick);
    tbus_bus_close(&w.bus);
}

static void consumers_are_behind_by_what_none_of_them_has_taken(void **state)
{
    (void)state;
    scene_t w;
    uint64_t lag = 99;
    set_up(&w, TBUS_MPMC, TBUS_BLOCK);
    tbus_subscriber_t one = test_late_comer(w.ring, "one", TBUS_CONSUMER, 2);
    publish(&w, 10);
    assert_int_equal(take(&one, 7), 7);
    tbus_subscriber_t two = test_late_comer(w.ring, "two", TBUS_CONSUMER, 3);
    assert_true(tbus_ring_slowest(w.ring, &lag) >= 0);
    assert_int_equal(lag, 3);
    tbus_subscriber_leave(&one);
    assert_int_equal(tbus_ring_slowest(w.ring, &lag), (int)two.index);
    assert_int_equal(lag, 3);
    tbus_subscriber_leave(&two);
    assert_int_equal(tbus_ring_slowest(w.ring, &lag), -1);
    tbus_bus_close(&w.bus);
}

static void who_holds_a_message_is_behind_by_it_and_those_beside_it_are_not(void **state)
{
    (void)state;
    scene_t w;
    uint64_t lag = 99;
    size_t bytes;
    set_up(&w, TBUS_MPMC, TBUS_BLOCK);
    tbus_subscriber_t idle = test_late_comer(w.ring, "idle", TBUS_CONSUMER, 2);
    tbus_subscriber_t busy = test_late_comer(w.ring, "busy", TBUS_CONSUMER, 3);
    publish(&w, 1);
    assert_non_null(tbus_peek(&busy, &bytes));
    assert_int_equal(tbus_ring_slowest(w.ring, &lag), (int)busy.index);
    assert_int_equal(lag, 1);
    for (unsigned i = 1; i < 6; i++) { /* the ticket has forgotten who took it: the slot says so */
        publish(&w, 1);
        assert_int_equal(take(&idle, 1), 1);
        assert_int_equal(tbus_ring_slowest(w.ring, &lag), (int)busy.index);
        assert_int_equal(lag, i + 1);
    }
    assert_int_equal(take(&busy, 1), 1);
    assert_true(tbus_ring_slowest(w.ring, &lag) >= 0);
    assert_int_equal(lag, 0);
    tbus_subscriber_leave(&idle);
    tbus_subscriber_leave(&busy);
    tbus_bus_close(&w.bus);
}

/* Stages that run or are done must pass by twice since the first look; others need not. */
static void a_stage_that_runs_or_is_done_has_to_pass_by_twice_and_the_last_one_counts(void **state)
{
    (void)state;
    static const enum tbus_participant_state counted[] = {TBUS_RUN, TBUS_DONE};
    scene_t w;
    set_up(&w, TBUS_BROADCAST, TBUS_BLOCK);
    for (unsigned which = 0; which < 2; which++)
        for (unsigned i = 0; i < 2; i++) {
            uint32_t index = which ? TBUS_PARTICIPANTS_MAX - 1 : 0;
            tbus_participant_t *p = &w.bus.directory->participants[index];
            uint32_t before = tbus_load_relaxed_u32(&p->state);
            tbus_store_relaxed_u32(&p->state, counted[i]);
            tbus_quiescence_t q = {0};
            assert_false(tbus_bus_quiescent(&w.bus, &q));
            for (unsigned passes = 0; passes < 2; passes++) {
                tbus_quiescence_t copy = q;
                assert_false(tbus_bus_quiescent(&w.bus, &copy));
                tbus_store_relaxed_u64(&p->quiet, tbus_load_relaxed_u64(&p->quiet) + 1);
            }
            assert_true(tbus_bus_quiescent(&w.bus, &q));
            tbus_store_relaxed_u32(&p->state, TBUS_HALT);
            assert_true(quiescent(&w));
            tbus_store_relaxed_u32(&p->state, before);
        }
    tbus_bus_close(&w.bus);
}

static void a_stage_that_died_while_it_ran_is_not_waited_for(void **state)
{
    (void)state;
    scene_t w;
    int lives[2];
    char byte;
    set_up(&w, TBUS_BROADCAST, TBUS_BLOCK);
    assert_int_equal(pipe(lives), 0);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        tbus_participant_live(&w.bus, 2, NULL);
        tbus_store_relaxed_u32(&tbus_participant(&w.bus, 2)->state, TBUS_RUN);
        if (write(lives[1], "x", 1) != 1)
            _exit(1);
        pause();
    }
    assert_int_equal(read(lives[0], &byte, 1), 1);
    assert_false(quiescent(&w)); /* it lives, and makes no pass */
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(quiescent(&w));
    close(lives[0]);
    close(lives[1]);
    tbus_bus_close(&w.bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_consumer_took_stays_taken_when_it_leaves),
        cmocka_unit_test(a_message_that_a_consumer_still_works_on_is_not_done),
        cmocka_unit_test(tombs_and_messages_in_doubt_are_nobodys_work),
        cmocka_unit_test(a_subscriber_is_done_with_a_tomb_when_it_has_passed_it),
        cmocka_unit_test(who_was_evicted_holds_nobody_up_and_is_not_the_slowest),
        cmocka_unit_test(who_holds_a_message_is_behind_by_it_and_those_beside_it_are_not),
        cmocka_unit_test(consumers_are_behind_by_what_none_of_them_has_taken),
        cmocka_unit_test(a_stage_that_runs_or_is_done_has_to_pass_by_twice_and_the_last_one_counts),
        cmocka_unit_test(a_stage_that_died_while_it_ran_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
