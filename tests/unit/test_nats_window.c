/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of a stream in order, out of the answers of replicas that lag, answer twice, late, in
 * any order or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "feedsim/nats/window.h"

#define PLACES   3000u
#define REPLICAS 3u
#define SENT_MAX 512u

/* A message is its place in the stream, in memory of its own: what is dropped twice, or never, a
 * sanitizer sees. */
static uint64_t live;

static void *message_at(uint64_t place)
{
    uint64_t *message = malloc(sizeof *message);
    assert_non_null(message);
    *message = place;
    live++;
    return message;
}

static void drop(void *message)
{
    free(message);
    live--;
}

static void put(nats_window_t *w, uint64_t position, uint64_t place)
{
    nats_window_put(w, position, place ? message_at(place) : NULL, place);
}

/* The place of the next message, or 0. */
static uint64_t take(nats_window_t *w, enum nats_window_outcome expected)
{
    void *message = NULL;
    uint64_t place = 0;
    assert_int_equal(nats_window_take(w, &message, &place), expected);
    if (message) {
        assert_int_equal(*(uint64_t *)message, place);
        drop(message);
    }
    return expected == NATS_WINDOW_MESSAGE ? place : 0;
}

static void ask(nats_window_t *w, uint64_t expected)
{
    uint64_t position;
    assert_true(nats_window_ask(w, &position));
    assert_int_equal(position, expected);
}

static int nothing_is_left(void **state)
{
    (void)state;
    return live == 0 ? 0 : -1;
}

static void one_position_is_asked_for_then_twice_as_many_after_each_message(void **state)
{
    nats_window_t w;
    uint64_t position;
    (void)state;
    nats_window_begin(&w, 7, drop);
    ask(&w, 7);
    assert_false(nats_window_ask(&w, &position));
    take(&w, NATS_WINDOW_LATER);
    put(&w, 7, 7);
    assert_int_equal(take(&w, NATS_WINDOW_MESSAGE), 7);
    ask(&w, 8);
    ask(&w, 9);
    assert_false(nats_window_ask(&w, &position));
    for (uint64_t next = 8; next < 100; next++) {
        put(&w, next, next);
        assert_int_equal(take(&w, NATS_WINDOW_MESSAGE), next);
        while (nats_window_ask(&w, &position))
            assert_true(position - next <= NATS_WINDOW_MAX);
    }
    assert_int_equal(w.asked - w.next, NATS_WINDOW_MAX);
}

static void answers_are_taken_in_the_order_of_positions_and_the_same_one_once(void **state)
{
    nats_window_t w;
    (void)state;
    nats_window_begin(&w, 1, drop);
    w.size = 4;
    for (uint64_t position = 1; position <= 4; position++)
        ask(&w, position);
    put(&w, 3, 3); /* at 1 and 2 is none of ours */
    put(&w, 2, 3);
    take(&w, NATS_WINDOW_LATER);
    put(&w, 1, 3);
    assert_int_equal(take(&w, NATS_WINDOW_MESSAGE), 3);
    put(&w, 2, 3); /* late */
    put(&w, 5, 5); /* not asked for */
    put(&w, 4, 4);
    put(&w, 4, 4); /* twice */
    assert_int_equal(take(&w, NATS_WINDOW_MESSAGE), 4);
    take(&w, NATS_WINDOW_LATER);
}

static void where_a_replica_has_nothing_the_same_position_is_asked_for_again(void **state)
{
    nats_window_t w;
    (void)state;
    nats_window_begin(&w, 1, drop);
    w.size = 3;
    for (uint64_t position = 1; position <= 3; position++)
        ask(&w, position);
    put(&w, 1, 0);
    put(&w, 2, 2); /* of another replica: not to be gone on with */
    put(&w, 3, 3);
    take(&w, NATS_WINDOW_NOTHING);
    ask(&w, 1);
    put(&w, 1, 1);
    assert_int_equal(take(&w, NATS_WINDOW_MESSAGE), 1);
}

static void an_answer_from_before_the_position_is_wrong_and_dropped(void **state)
{
    nats_window_t w;
    (void)state;
    nats_window_begin(&w, 9, drop);
    ask(&w, 9);
    put(&w, 9, 8);
    take(&w, NATS_WINDOW_WRONG);
    ask(&w, 9);
    put(&w, 9, UINT64_MAX); /* nothing could come behind it */
    take(&w, NATS_WINDOW_WRONG);
    ask(&w, 9);
    put(&w, 9, UINT64_MAX - 1);
    assert_int_equal(take(&w, NATS_WINDOW_MESSAGE), UINT64_MAX - 1);
    ask(&w, UINT64_MAX);
    nats_window_again(&w);
}

static void what_does_not_come_is_asked_for_again_and_what_came_is_kept_or_dropped(void **state)
{
    nats_window_t w;
    uint64_t lacks = 0;
    (void)state;
    nats_window_begin(&w, 1, drop);
    w.size = 4;
    for (uint64_t position = 1; position <= 4; position++)
        ask(&w, position);
    put(&w, 2, 2);
    put(&w, 4, 4);
    assert_true(nats_window_lacks(&w, &lacks));
    assert_int_equal(lacks, 1);
    lacks = 2;
    assert_true(nats_window_lacks(&w, &lacks));
    assert_int_equal(lacks, 3);
    lacks = 4;
    assert_false(nats_window_lacks(&w, &lacks));
    nats_window_again(&w);
    lacks = 0;
    assert_false(nats_window_lacks(&w, &lacks));
    assert_int_equal(live, 0);
    put(&w, 3, 3); /* late */
    ask(&w, 1);
}

/* ---- a world of replicas ---- */

static uint32_t random_state = 20261130;

static uint32_t any(uint32_t below)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % below;
}

typedef struct sent {
    uint64_t position, place; /* place 0: nothing there */
} sent_t;

typedef struct cluster {
    bool ours[PLACES + 1];       /* of the topic; others are passed over by the servers */
    uint64_t has[REPLICAS];      /* places up to there */
    sent_t on_the_way[SENT_MAX]; /* answers */
    unsigned count;
} cluster_t;

/* A replica answers by what it has. Some answers get lost, some are sent twice. */
static void answer(cluster_t *c, uint64_t position)
{
    uint64_t has = c->has[any(REPLICAS)], place = position;
    while (place <= has && !c->ours[place])
        place++;
    for (unsigned copies = any(20) == 0 ? any(3) : 1; copies > 0 && c->count < SENT_MAX; copies--)
        c->on_the_way[c->count++] = (sent_t){position, place <= has ? place : 0};
}

/* Some of what is on its way arrives, in any order. */
static void deliver(cluster_t *c, nats_window_t *w)
{
    for (unsigned i = any(40); i > 0 && c->count > 0; i--) {
        unsigned which = any(c->count);
        put(w, c->on_the_way[which].position, c->on_the_way[which].place);
        c->on_the_way[which] = c->on_the_way[--c->count];
    }
}

static void grow(cluster_t *c)
{
    unsigned which = any(REPLICAS);
    if (any(4) == 0)
        c->has[which] += any((uint32_t)(PLACES - c->has[which]) + 1) % 200;
}

static void replicas_that_lag_and_lose_answers_make_nothing_skipped_or_doubled(void **state)
{
    static cluster_t c;
    nats_window_t w;
    (void)state;
    for (unsigned round = 0; round < 30; round++) {
        uint64_t expected = 1, position, rounds = 0;
        memset(&c, 0, sizeof c);
        uint32_t of_others = any(4);
        for (uint64_t place = 1; place < PLACES; place++)
            c.ours[place] = of_others == 0 || any(of_others + 1) == 0;
        c.ours[PLACES] = true;
        nats_window_begin(&w, 1, drop);
        while (expected <= PLACES) {
            void *message = NULL;
            uint64_t place = 0;
            assert_true(rounds++ < 1000000);
            grow(&c);
            while (c.count < SENT_MAX && nats_window_ask(&w, &position))
                answer(&c, position);
            deliver(&c, &w);
            while (nats_window_take(&w, &message, &place) == NATS_WINDOW_MESSAGE) {
                for (; expected < place; expected++)
                    assert_false(c.ours[expected]); /* skipped */
                assert_int_equal(place, expected);
                assert_int_equal(*(uint64_t *)message, expected++);
                drop(message);
            }
            for (position = 0;
                 any(3) == 0 && c.count < SENT_MAX / 2 && nats_window_lacks(&w, &position);
                 position++)
                answer(&c, position);
            if (any(50) == 0)
                nats_window_again(&w);
        }
        nats_window_again(&w);
    }
}

int main(void)
{
#define CASE(test) cmocka_unit_test_teardown(test, nothing_is_left)
    const struct CMUnitTest tests[] = {
        CASE(answers_are_taken_in_the_order_of_positions_and_the_same_one_once),
        CASE(where_a_replica_has_nothing_the_same_position_is_asked_for_again),
        CASE(an_answer_from_before_the_position_is_wrong_and_dropped),
        CASE(what_does_not_come_is_asked_for_again_and_what_came_is_kept_or_dropped),
        CASE(one_position_is_asked_for_then_twice_as_many_after_each_message),
        CASE(replicas_that_lag_and_lose_answers_make_nothing_skipped_or_doubled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
