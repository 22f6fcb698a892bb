/* SPDX-License-Identifier: Apache-2.0 */
/* Threads on one ring, meant for ThreadSanitizer: one body, every kind of ring. Each message
 * carries a checksum of itself; consumers prove order and completeness, observers are lapped on
 * purpose and must never see a torn message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/observer.h>
#include <tickbus/publisher.h>
#include <tickbus/subscriber.h>

#include "tests/support/ring_fixture.h"

#define PUBLISHERS_MAX 4
#define READERS_MAX    4

typedef struct run {
    enum tbus_ring_kind kind;
    unsigned publishers, readers, observers;
    uint64_t count; /* messages a publisher */
    uint32_t slots;
    uint32_t msg_max;
    tbus_ring_t ring;
    tbus_atomic_u32_t finished; /* publishers that are done */
    tbus_atomic_u32_t faults;
    tbus_atomic_u64_t taken[PUBLISHERS_MAX]; /* competing: per publisher, summed over consumers */
    tbus_atomic_u64_t sum;
} run_t;

typedef struct actor {
    run_t *run;
    unsigned index;
    tbus_subscriber_t subscriber;
    uint64_t seen;
    uint64_t lost;
} actor_t;

typedef struct text {
    uint64_t publisher;
    uint64_t number;
    uint64_t words[24];
} text_t;

static size_t compose(text_t *t, uint64_t publisher, uint64_t number, uint32_t msg_max)
{
    t->publisher = publisher;
    t->number = number;
    unsigned words = msg_max > 56 && number % 7 == 0 ? 24 : 5;
    for (unsigned i = 0; i < words; i++)
        t->words[i] = (number + 1) * 0x9e3779b97f4a7c15u + publisher + i;
    return 16 + 8 * words;
}

static int whole(const text_t *t, size_t bytes, uint32_t msg_max)
{
    text_t want;
    return compose(&want, t->publisher, t->number, msg_max) == bytes && !memcmp(&want, t, bytes);
}

static void fault(run_t *run)
{
    tbus_fetch_add_relaxed_u32(&run->faults, 1);
}

static void *publish(void *argument)
{
    actor_t *a = argument;
    run_t *run = a->run;
    tbus_publisher_t p;
    if (tbus_publisher_join(&run->ring, a->index + 1, &p, NULL) < 0)
        fault(run);
    for (uint64_t i = 0; i < run->count; i++) {
        text_t t;
        size_t bytes = compose(&t, a->index, i, run->msg_max);
        while (tbus_publish_try(&p, &t, bytes) == TBUS_FULL)
            sched_yield();
        if (run->publishers > 1 && i % 97 == 0 && tbus_claim_try(&p))
            tbus_abort(&p); /* tombs among the messages */
    }
    tbus_publisher_flush(&p);
    tbus_fetch_add_relaxed_u32(&run->finished, 1);
    return NULL;
}

static void *subscribe(void *argument)
{
    actor_t *a = argument;
    run_t *run = a->run;
    uint64_t next[PUBLISHERS_MAX] = {0};
    uint64_t want = run->count * run->publishers;
    tbus_subscriber_t *s = &a->subscriber;
    while (a->seen < want) {
        size_t bytes;
        const text_t *t = tbus_peek(s, &bytes);
        if (!t) {
            tbus_subscriber_flush(s);
            sched_yield();
            if (s->competing && tbus_load_relaxed_u64(&run->sum) == want)
                break;
            continue;
        }
        if (!whole(t, bytes, run->msg_max) || t->publisher >= run->publishers)
            fault(run);
        else if (s->competing ? t->number < next[t->publisher] : t->number != next[t->publisher])
            fault(run);
        else
            next[t->publisher] = t->number + 1;
        if (s->competing) {
            tbus_fetch_add_relaxed_u64(&run->taken[t->publisher], t->number);
            tbus_fetch_add_relaxed_u64(&run->sum, 1);
        }
        tbus_advance(s);
        a->seen++;
    }
    if (s->error)
        fault(run);
    tbus_subscriber_flush(s);
    return NULL;
}

static void *observe(void *argument)
{
    actor_t *a = argument;
    run_t *run = a->run;
    tbus_observer_t o;
    tbus_observer_join(&run->ring, TBUS_FROM_OLDEST, &o, NULL);
    uint64_t last = o.seq - 1;
    text_t t;
    for (unsigned turns = 0;; turns++) {
        int finished = tbus_load_relaxed_u32(&run->finished) == run->publishers;
        size_t bytes;
        uint64_t seq, lost;
        int got = tbus_observe(&o, &t, &bytes, &seq, &lost);
        a->lost += lost;
        if (got < 0)
            fault(run);
        if (got > 0) {
            if (!whole(&t, bytes, run->msg_max) || (int64_t)(seq - last) <= 0)
                fault(run);
            last = seq;
            a->seen++;
        } else if (finished) {
            return NULL;
        }
        if (turns % 512 == 0)
            sched_yield(); /* fall behind and be lapped */
    }
}

/* Whom the messages are for; the last one follows, beside them. */
static enum tbus_sub_role role_of(enum tbus_ring_kind kind, unsigned reader, unsigned readers)
{
    if (reader > 0 && reader + 1 == readers)
        return TBUS_FOLLOWER;
    return test_taker(kind);
}

static void stress(run_t run)
{
    tbus_ring_spec_t spec = {.kind = run.kind,
                             .slot_count = run.slots,
                             .msg_bytes_max = run.msg_max,
                             .first_seq = (UINT64_C(1) << 45) - 1000};
    run.ring = test_ring_create(spec);

    static const char *const names[READERS_MAX] = {"r0", "r1", "r2", "r3"};
    actor_t publishers[PUBLISHERS_MAX] = {0}, readers[READERS_MAX] = {0}, observers[2] = {0};
    pthread_t threads[PUBLISHERS_MAX + READERS_MAX + 2];
    unsigned started = 0;
    for (unsigned i = 0; i < run.readers; i++) {
        enum tbus_sub_role role = role_of(run.kind, i, run.readers);
        readers[i].run = &run;
        readers[i].subscriber = test_subscriber(&run.ring, names[i], role, 10 + i);
    }
    for (unsigned i = 0; i < run.readers; i++)
        assert_int_equal(pthread_create(&threads[started++], NULL, subscribe, &readers[i]), 0);
    for (unsigned i = 0; i < run.observers; i++) {
        observers[i].run = &run;
        assert_int_equal(pthread_create(&threads[started++], NULL, observe, &observers[i]), 0);
    }
    for (unsigned i = 0; i < run.publishers; i++) {
        publishers[i] = (actor_t){.run = &run, .index = i};
        assert_int_equal(pthread_create(&threads[started++], NULL, publish, &publishers[i]), 0);
    }
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);

    assert_int_equal(tbus_load_relaxed_u32(&run.faults), 0);
    uint64_t all = run.count * run.publishers;
    if (run.kind == TBUS_MPMC) {
        assert_int_equal(tbus_load_relaxed_u64(&run.sum), all);
        for (unsigned i = 0; i < run.publishers; i++) /* none lost, none twice */
            assert_int_equal(tbus_load_relaxed_u64(&run.taken[i]), run.count * (run.count - 1) / 2);
        assert_int_equal(readers[run.readers - 1].seen, all); /* the follower */
    } else {
        for (unsigned i = 0; i < run.readers; i++)
            assert_int_equal(readers[i].seen, all);
    }
    for (unsigned i = 0; i < run.readers; i++)
        tbus_subscriber_leave(&readers[i].subscriber);
    test_ring_destroy(&run.ring);
}

static void one_publisher_two_subscribers_and_lapped_observers_agree(void **state)
{
    (void)state;
    stress((run_t){.kind = TBUS_BROADCAST,
                   .publishers = 1,
                   .readers = 2,
                   .observers = 2,
                   .count = 240000,
                   .slots = 64});
}

static void messages_longer_than_a_slot_are_never_torn(void **state)
{
    (void)state;
    stress((run_t){.kind = TBUS_BROADCAST,
                   .publishers = 1,
                   .readers = 1,
                   .observers = 2,
                   .count = 160000,
                   .slots = 64,
                   .msg_max = 208});
}

static void several_publishers_broadcast_without_loss(void **state)
{
    (void)state;
    stress((run_t){.kind = TBUS_BROADCAST_MP,
                   .publishers = 3,
                   .readers = 2,
                   .observers = 1,
                   .count = 60000,
                   .slots = 32});
}

static void several_publishers_reach_their_one_subscriber_and_a_follower(void **state)
{
    (void)state;
    stress((run_t){.kind = TBUS_MPSC,
                   .publishers = 3,
                   .readers = 2,
                   .observers = 1,
                   .count = 60000,
                   .slots = 32});
}

static void competing_consumers_share_every_message_once_and_a_follower_sees_all(void **state)
{
    (void)state;
    stress((run_t){.kind = TBUS_MPMC,
                   .publishers = 2,
                   .readers = 3,
                   .observers = 1,
                   .count = 60000,
                   .slots = 32});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_publisher_two_subscribers_and_lapped_observers_agree),
        cmocka_unit_test(messages_longer_than_a_slot_are_never_torn),
        cmocka_unit_test(several_publishers_broadcast_without_loss),
        cmocka_unit_test(several_publishers_reach_their_one_subscriber_and_a_follower),
        cmocka_unit_test(competing_consumers_share_every_message_once_and_a_follower_sees_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
