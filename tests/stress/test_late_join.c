/* SPDX-License-Identifier: Apache-2.0 */
/* Subscribers come and go beside publishers at full speed, meant for ThreadSanitizer: whatever a
 * late comer gets is whole and without a gap from its first message on, and nothing is overwritten
 * under its eyes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/publisher.h>
#include <tickbus/subscriber.h>

#include "tests/support/ring_fixture.h"

#define VISITORS   2u
#define VISITS     400u
#define STAY       70u /* messages, more than a lap */
#define PUBLISHERS 2u

typedef struct run {
    tbus_ring_t ring;
    tbus_atomic_u32_t visiting;
    tbus_atomic_u32_t faults;
} run_t;

typedef struct actor {
    run_t *run;
    uint32_t owner;
} actor_t;

typedef struct text {
    uint64_t owner;
    uint64_t number;
    uint64_t words[20];
} text_t;

static size_t compose(const tbus_ring_t *ring, text_t *t, uint64_t owner, uint64_t number)
{
    size_t words = ring->msg_bytes_max >= sizeof *t && number % 5 == 0 ? 20 : 4;
    t->owner = owner;
    t->number = number;
    for (size_t i = 0; i < words; i++)
        t->words[i] = (number + 1) * 0x9e3779b97f4a7c15u + owner + i;
    return 16 + 8 * words;
}

static void *publish(void *argument)
{
    actor_t *a = argument;
    tbus_publisher_t p;
    text_t t;
    if (tbus_publisher_join(&a->run->ring, a->owner, &p, NULL) < 0)
        tbus_fetch_add_relaxed_u32(&a->run->faults, 1);
    for (uint64_t number = 0; tbus_load_acquire_u32(&a->run->visiting);) {
        if (tbus_publish_try(&p, &t, compose(&a->run->ring, &t, a->owner, number)) ==
            TBUS_PUBLISHED)
            number++;
        else
            sched_yield();
    }
    return NULL;
}

static void *consume(void *argument)
{
    actor_t *a = argument;
    tbus_subscriber_t s;
    size_t bytes;
    if (tbus_subscriber_join_late(&a->run->ring, "consumer", TBUS_CONSUMER, a->owner, &s, NULL) < 0)
        tbus_fetch_add_relaxed_u32(&a->run->faults, 1);
    while (tbus_load_acquire_u32(&a->run->visiting))
        if (tbus_peek(&s, &bytes))
            tbus_advance(&s);
        else
            sched_yield();
    tbus_subscriber_leave(&s);
    return NULL;
}

static bool stay(const tbus_ring_t *ring, tbus_subscriber_t *s)
{
    uint64_t next[PUBLISHERS + 1] = {0};
    uint64_t expected = s->seq;
    for (unsigned got = 0; got < STAY;) {
        size_t bytes;
        const text_t *t = tbus_peek(s, &bytes);
        if (s->error)
            return false;
        if (!t) {
            tbus_subscriber_flush(s);
            sched_yield();
            continue;
        }
        text_t want;
        if (bytes < 16 || t->owner < 1 || t->owner > PUBLISHERS || s->seq != expected++ ||
            compose(ring, &want, t->owner, t->number) != bytes || memcmp(&want, t, bytes) ||
            (next[t->owner] && t->number != next[t->owner]))
            return false;
        next[t->owner] = t->number + 1;
        tbus_advance(s);
        got++;
    }
    return true;
}

static void *visit(void *argument)
{
    actor_t *a = argument;
    char name[TBUS_NAME_MAX] = "visitor ?";
    name[8] = (char)('0' + a->owner % 10);
    for (unsigned i = 0; i < VISITS; i++) {
        tbus_subscriber_t s;
        if (tbus_subscriber_join_late(&a->run->ring, name, TBUS_SUBSCRIBER, a->owner, &s, NULL) <
                0 ||
            !stay(&a->run->ring, &s)) {
            tbus_fetch_add_relaxed_u32(&a->run->faults, 1);
            break;
        }
        tbus_subscriber_leave(&s);
    }
    /* Release: the visitors' places are given up before the others end. */
    uint32_t left = tbus_load_acquire_u32(&a->run->visiting);
    while (!tbus_cas_u32(&a->run->visiting, &left, left - 1)) {
    }
    return NULL;
}

static void late_joins(enum tbus_ring_kind kind, uint32_t msg_bytes_max)
{
    run_t run = {.visiting = {VISITORS}};
    tbus_ring_spec_t spec = {.kind = kind,
                             .slot_count = 32,
                             .msg_bytes_max = msg_bytes_max,
                             .first_seq = UINT64_MAX - 1000};
    run.ring = test_ring_create(spec);
    tbus_membarrier_register();

    pthread_t threads[PUBLISHERS + VISITORS + 1];
    actor_t actors[PUBLISHERS + VISITORS + 1];
    unsigned count = 0;
    void *(*does[PUBLISHERS + VISITORS + 1])(void *);
    for (uint32_t i = 0; i < (run.ring.several_publishers ? PUBLISHERS : 1); i++)
        does[count++] = publish;
    for (uint32_t i = 0; i < VISITORS; i++)
        does[count++] = visit;
    if (run.ring.competing)
        does[count++] = consume;
    for (unsigned i = 0; i < count; i++) {
        actors[i] = (actor_t){&run, i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, does[i], &actors[i]), 0);
    }
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(tbus_load_relaxed_u32(&run.faults), 0);
    test_ring_destroy(&run.ring);
}

static void late_comers_beside_one_publisher_of_short_and_long_messages(void **state)
{
    (void)state;
    late_joins(TBUS_BROADCAST, sizeof(text_t));
}
static void late_comers_beside_several_publishers(void **state)
{
    (void)state;
    late_joins(TBUS_BROADCAST_MP, 0);
}
static void late_followers_beside_publishers_and_a_consumer(void **state)
{
    (void)state;
    late_joins(TBUS_MPMC, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_comers_beside_one_publisher_of_short_and_long_messages),
        cmocka_unit_test(late_comers_beside_several_publishers),
        cmocka_unit_test(late_followers_beside_publishers_and_a_consumer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
