/* SPDX-License-Identifier: Apache-2.0 */
/* At least once, under load: consumers leave with a message in hand, or are declared dead, again
 * and again, while publishers and the others go on. Every message is handled, and handled once, as
 * whoever leaves or dies has not begun. TICKBUS_MESSAGES makes it longer. */
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
#include <tickbus/repair.h>
#include <tickbus/subscriber.h>

#include "tests/support/ring_fixture.h"

enum { PUBLISHERS = 2, CONSUMERS = 3, LIVES_MAX = 60 };

typedef struct world {
    tbus_ring_t ring;
    uint64_t messages; /* of each publisher */
    tbus_atomic_u32_t *handled;
    tbus_atomic_u64_t handled_count;
    tbus_atomic_u64_t left_behind;
    tbus_atomic_u32_t wrong;
} world_t;

typedef struct worker {
    world_t *world;
    uint32_t number;
    pthread_t thread;
} worker_t;

static void *publish(void *argument)
{
    worker_t *me = argument;
    world_t *w = me->world;
    tbus_publisher_t p;
    if (tbus_publisher_join(&w->ring, 1 + me->number, &p, NULL) < 0)
        abort();
    for (uint64_t n = 0; n < w->messages; n++) {
        uint64_t message[2] = {me->number * w->messages + n, ~(me->number * w->messages + n)};
        while (tbus_publish_try(&p, message, sizeof message) == TBUS_FULL)
            sched_yield();
    }
    return NULL;
}

static tbus_subscriber_t join(world_t *w, uint32_t owner)
{
    char name[] = {'c', (char)('0' + owner / 100), (char)('0' + owner / 10 % 10),
                   (char)('0' + owner % 10), 0};
    return test_late_comer(&w->ring, name, TBUS_CONSUMER, owner);
}

/* Each life has a number of its own; it ends in one of two ways with a message in hand that was not
 * handled. */
static void *consume(void *argument)
{
    worker_t *me = argument;
    world_t *w = me->world;
    uint32_t life = 0;
    uint64_t next_end = 50 + 10 * me->number;
    tbus_subscriber_t s = join(w, 10 + me->number * LIVES_MAX);
    for (uint64_t taken = 0; tbus_load_relaxed_u64(&w->handled_count) < PUBLISHERS * w->messages;) {
        size_t bytes;
        const uint64_t *message = tbus_peek(&s, &bytes);
        if (s.error)
            tbus_store_relaxed_u32(&w->wrong, 1);
        if (!message) {
            sched_yield();
            continue;
        }
        uint64_t copy[2] = {0};
        tbus_words_load(copy, message, sizeof copy);
        if (bytes != sizeof copy || copy[1] != ~copy[0] || copy[0] >= PUBLISHERS * w->messages) {
            tbus_store_relaxed_u32(&w->wrong, 2);
            break;
        }
        if (++taken >= next_end && life + 1 < LIVES_MAX) {
            next_end = taken + w->messages / (2 * LIVES_MAX) + 1;
            tbus_fetch_add_relaxed_u64(&w->left_behind, 1);
            if (life % 2)
                tbus_subscriber_leave(&s);
            else
                tbus_ring_repair(&w->ring, s.owner);
            s = join(w, 10 + me->number * LIVES_MAX + ++life);
            continue;
        }
        if (tbus_fetch_add_relaxed_u32(&w->handled[copy[0]], 1) != 0)
            tbus_store_relaxed_u32(&w->wrong, 3);
        tbus_advance(&s);
        tbus_fetch_add_relaxed_u64(&w->handled_count, 1);
    }
    tbus_subscriber_leave(&s);
    return NULL;
}

static void what_is_left_behind_is_handled_by_somebody_else(void **state)
{
    (void)state;
    const char *wanted = getenv("TICKBUS_MESSAGES");
    for (uint32_t slots = 16; slots <= 256; slots *= 16) {
        world_t w = {.messages = wanted ? strtoull(wanted, NULL, 0) : 20000};
        w.ring = test_ring_create((tbus_ring_spec_t){.kind = TBUS_MPMC,
                                                     .slot_count = slots,
                                                     .first_seq = (UINT64_C(1) << 45) - 1000,
                                                     .promise = TBUS_AT_LEAST_ONCE});
        w.handled = calloc(PUBLISHERS * w.messages, sizeof *w.handled);
        assert_non_null(w.handled);
        worker_t workers[PUBLISHERS + CONSUMERS];
        for (uint32_t i = 0; i < PUBLISHERS + CONSUMERS; i++) {
            workers[i] = (worker_t){.world = &w, .number = i < CONSUMERS ? i : i - CONSUMERS};
            assert_int_equal(pthread_create(&workers[i].thread, NULL,
                                            i < CONSUMERS ? consume : publish, &workers[i]),
                             0);
        }
        for (unsigned i = 0; i < PUBLISHERS + CONSUMERS; i++)
            pthread_join(workers[i].thread, NULL);
        assert_int_equal(tbus_load_relaxed_u32(&w.wrong), 0);
        for (uint64_t n = 0; n < PUBLISHERS * w.messages; n++)
            assert_int_equal(tbus_load_relaxed_u32(&w.handled[n]), 1);
        uint64_t redelivered = tbus_load_relaxed_u64(&w.ring.shared->redelivered);
        assert_true(redelivered > CONSUMERS);
        assert_int_equal(redelivered, tbus_load_relaxed_u64(&w.left_behind));
        assert_int_equal(tbus_load_relaxed_u64(&w.ring.shared->in_doubt), 0);
        free(w.handled);
        test_ring_destroy(&w.ring);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_behind_is_handled_by_somebody_else)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
