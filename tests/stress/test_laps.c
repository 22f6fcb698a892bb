/* SPDX-License-Identifier: Apache-2.0 */
/* Observers of publishers that wait for nobody, lapped all the time: what they are shown is whole,
 * and the messages that they lost are counted to the last one. Every kind of ring, threads, meant
 * for ThreadSanitizer.
 *
 * An observer is lapped by itself where the ring is short, and on purpose every few laps, when it
 * stands still until the ring has turned twice. TICKBUS_COPIES=N checks as many copies in all as
 * one likes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include <tickbus/clock.h>
#include <tickbus/observer.h>
#include <tickbus/publisher.h>
#include <tickbus/subscriber.h>

#include "tests/support/ring_fixture.h"

#define COPIES         600000u
#define WORDS_MAX      26u
#define PUBLISHERS_MAX 2u
#define SOME           12u /* messages that are asked for at once */
#define LAPS_BETWEEN   4u  /* laps of messages seen between two standstills */
#define FIRST_SEQ      ((UINT64_C(1) << 45) - 1000)

typedef struct world {
    enum tbus_ring_kind kind;
    uint32_t slots;
    uint32_t words; /* of the longest message; more than 7: in the area */
    unsigned publishers;
} world_t;

typedef struct run {
    world_t world;
    tbus_ring_t ring;
    tbus_atomic_u32_t over;
    tbus_atomic_u32_t faults;
} run_t;

typedef struct actor {
    run_t *run;
    uint32_t index;
} actor_t;

typedef struct tally {
    uint64_t copies, together, lost, laps, standstills;
} tally_t;

/* Every word depends on who published it as which: words of two messages never go together. */
static uint64_t word_of(uint64_t name, uint32_t i)
{
    return (name + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)i << 32;
}
static uint32_t words_of(const world_t *w, uint64_t number)
{
    return w->words > 7 && number % 3 ? w->words - (uint32_t)(number % 5)
                                      : 2 + (uint32_t)(number % 6);
}
static uint64_t name_of(uint64_t index, uint64_t number)
{
    return index << 56 | number;
}

static size_t compose(const world_t *w, uint64_t *message, uint64_t index, uint64_t number)
{
    uint32_t words = words_of(w, number);
    message[0] = name_of(index, number);
    for (uint32_t i = 1; i < words; i++)
        message[i] = word_of(message[0], i);
    return words * sizeof *message;
}

static bool whole(const world_t *w, const uint64_t *message, size_t bytes)
{
    uint32_t words = words_of(w, message[0] << 8 >> 8);
    if (bytes != words * sizeof *message)
        return false;
    for (uint32_t i = 1; i < words; i++)
        if (message[i] != word_of(message[0], i))
            return false;
    return true;
}

/* Publishers without a pause would lap everybody at every step. Returns how many messages to
 * publish until the next breath: up to a lap and a half, so that some are seen, and some are
 * overtaken at any point. */
static uint64_t take_breath(uint64_t *random, uint32_t slots)
{
    *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407;
    uint64_t burst = 1 + (*random >> 33) % (slots + slots / 2);
    for (uint64_t pauses = (*random >> 17) % (burst + 16); pauses > 0; pauses--)
        tbus_pause();
    sched_yield();
    return burst;
}

static void *publish(void *argument)
{
    actor_t *a = argument;
    run_t *run = a->run;
    tbus_publisher_t p;
    tbus_subscriber_t s = {0};
    uint64_t message[WORDS_MAX];
    size_t bytes;
    bool fine = tbus_publisher_join(&run->ring, a->index + 1, &p, NULL) == 0;
    if (run->ring.competing) /* there a slot is free again only when somebody took what is in it */
        fine = fine && tbus_subscriber_join_late(&run->ring, a->index ? "1" : "0", TBUS_CONSUMER,
                                                 a->index + 1, &s, NULL) == 0;
    uint64_t random = a->index + 1;
    for (uint64_t number = 0, rest = 0; fine && !tbus_load_relaxed_u32(&run->over);) {
        if (number >= rest)
            rest = number + take_breath(&random, run->world.slots);
        if (tbus_publish_try(&p, message, compose(&run->world, message, a->index, number)) ==
            TBUS_PUBLISHED)
            number++;
        else
            sched_yield();
        if (run->ring.competing && tbus_peek(&s, &bytes))
            tbus_advance(&s);
    }
    if (!fine)
        tbus_fetch_add_relaxed_u32(&run->faults, 1);
    tbus_subscriber_leave(&s);
    return NULL;
}

/* Until the ring has turned twice. */
static void stand_still(run_t *run)
{
    uint64_t begin, now, seq;
    tbus_ring_end(&run->ring, &begin, &seq);
    do {
        sched_yield();
        tbus_ring_end(&run->ring, &now, &seq);
    } while (now - begin < 2 * (uint64_t)run->world.slots && !tbus_load_relaxed_u32(&run->faults));
}

typedef struct seen {
    uint64_t expected; /* sequence */
    uint64_t last[PUBLISHERS_MAX];
} seen_t;

static const char *judge(const run_t *run, seen_t *seen, const uint64_t *message, size_t bytes,
                         uint64_t seq)
{
    uint64_t index = message[0] >> 56, number = message[0] << 8 >> 8;
    if (index >= run->world.publishers || !whole(&run->world, message, bytes))
        return "a torn message was shown";
    if (seq != seen->expected)
        return "the number of messages lost is wrong";
    if (run->world.publishers == 1 ? number != seq - FIRST_SEQ
                                   : seen->last[index] && number <= seen->last[index])
        return "another message was shown than the one of that sequence";
    seen->last[index] = number;
    seen->expected++;
    return NULL;
}

/* Every other time, as many as there are and lie in their slots. */
static const char *observe_some(run_t *run, tbus_observer_t *o, seen_t *seen, tally_t *t)
{
    uint64_t messages[SOME * TBUS_OBSERVE_STRIDE / 8], seq = 0;
    uint32_t bytes[SOME];
    const char *wrong = NULL;
    uint32_t count = tbus_observe_some(o, messages, SOME, bytes, &seq);
    for (uint32_t i = 0; i < count && !wrong; i++)
        wrong = judge(run, seen, messages + (size_t)i * TBUS_OBSERVE_STRIDE / 8, bytes[i], seq + i);
    t->copies += count;
    t->together += count;
    return wrong;
}

static const char *observe(run_t *run, uint64_t copies, tally_t *t)
{
    tbus_observer_t o;
    uint64_t message[WORDS_MAX], seq, lost;
    size_t bytes;
    const char *wrong = NULL;
    tbus_observer_join(&run->ring, TBUS_FROM_OLDEST, &o, NULL);
    seen_t seen = {.expected = o.seq};
    for (uint64_t until = 0; t->copies < copies && !wrong;) {
        if (t->copies >= until) {
            stand_still(run);
            t->standstills++;
            until += LAPS_BETWEEN * run->world.slots;
        }
        int got = tbus_observe(&o, message, &bytes, &seq, &lost);
        seen.expected += lost;
        t->lost += lost;
        t->laps += lost > 0;
        if (got < 0 || tbus_load_relaxed_u32(&run->faults))
            return "somebody was told that the ring is corrupt";
        if (got == 0) {
            sched_yield();
            continue;
        }
        t->copies++;
        wrong = judge(run, &seen, message, bytes, seq);
        if (!wrong)
            wrong = observe_some(run, &o, &seen, t);
    }
    if (wrong)
        return wrong;
    return t->laps == 0 ? "nobody was lapped" : t->together == 0 ? "none came together" : NULL;
}

static void lap(world_t world, uint64_t copies)
{
    run_t run = {.world = world};
    tally_t t = {0};
    actor_t actors[PUBLISHERS_MAX];
    pthread_t threads[PUBLISHERS_MAX];
    tbus_ring_spec_t spec = {.kind = world.kind,
                             .slot_count = world.slots,
                             .msg_bytes_max = world.words * 8,
                             .first_seq = FIRST_SEQ};
    run.ring = test_ring_create(spec);
    for (uint32_t i = 0; i < world.publishers; i++) {
        actors[i] = (actor_t){&run, i};
        assert_int_equal(pthread_create(&threads[i], NULL, publish, &actors[i]), 0);
    }
    uint64_t began_ns = tbus_clock_ns();
    const char *wrong = observe(&run, copies, &t);
    double s = (double)(tbus_clock_ns() - began_ns) / 1e9;
    tbus_fetch_add_relaxed_u32(&run.over, 1);
    for (uint32_t i = 0; i < world.publishers; i++)
        pthread_join(threads[i], NULL);
    print_message(
        "  %s, %u slots, messages of up to %u bytes: %llu copies whole, %llu of them with others, "
        "lapped %llu times (%llu standstills), %llu messages lost; %.2f million copies a second\n",
        tbus_ring_kind_name(world.kind), world.slots, world.words * 8, (unsigned long long)t.copies,
        (unsigned long long)t.together, (unsigned long long)t.laps,
        (unsigned long long)t.standstills, (unsigned long long)t.lost, (double)t.copies / s / 1e6);
    test_ring_destroy(&run.ring);
    if (wrong)
        fail_msg("%s", wrong);
}

static uint64_t copies_for_each(unsigned worlds)
{
    const char *text = getenv("TICKBUS_COPIES");
    return (text ? strtoull(text, NULL, 0) : COPIES) / worlds;
}

static void
a_lapped_observer_of_one_publisher_is_shown_whole_messages_and_the_exact_loss(void **state)
{
    (void)state;
    static const world_t worlds[] = {
        {TBUS_BROADCAST, 16, 7, 1},   {TBUS_BROADCAST, 64, 26, 1}, {TBUS_BROADCAST, 4096, 26, 1},
        {TBUS_BROADCAST, 1024, 7, 1}, {TBUS_SPSC, 64, 7, 1},
    };
    for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++)
        lap(worlds[i], copies_for_each(10));
}

static void
a_lapped_observer_of_several_publishers_is_shown_whole_messages_and_the_exact_loss(void **state)
{
    (void)state;
    static const world_t worlds[] = {
        {TBUS_BROADCAST_MP, 16, 7, 2}, {TBUS_BROADCAST_MP, 1024, 7, 1}, {TBUS_MPSC, 64, 7, 2},
        {TBUS_MPMC, 16, 7, 1},         {TBUS_MPMC, 64, 7, 2},
    };
    for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++)
        lap(worlds[i], copies_for_each(10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_lapped_observer_of_one_publisher_is_shown_whole_messages_and_the_exact_loss),
        cmocka_unit_test(
            a_lapped_observer_of_several_publishers_is_shown_whole_messages_and_the_exact_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
