/* SPDX-License-Identifier: Apache-2.0 */
/* Late joiners beside a bus that is recorded and never stands still: each gets all messages from
 * its place on, once and in order, however often it is lapped on the small rings. TICKBUS_JOINS
 * makes it longer (1000: the goal). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

#include <tickbus/history.h>
#include <tickbus/publisher.h>

#include "bus/journal/recorder.h"
#include "tests/support/program.h"

enum { MD, ORDERS, LONG, TOPICS };

#define JOINERS    3u
#define SLOTS      256u
#define STAY       1500u /* messages that a joiner takes at least, several laps */
#define LONG_MAX   900u
#define ROOM       (TBUS_HISTORY_BATCH_MAX * TBUS_HISTORY_STRIDE) /* more than that */
#define TOMB_EVERY 7u
#define SEGMENT    (256u << 10)

static const tbus_ring_spec_t specs[TOPICS] = {
    [MD] = {.name = "md",
            .kind = TBUS_BROADCAST,
            .slot_bytes = 64,
            .slot_count = SLOTS,
            .first_seq = 1},
    [ORDERS] = {.name = "orders",
                .kind = TBUS_BROADCAST_MP,
                .slot_bytes = 64,
                .slot_count = SLOTS / 2,
                .first_seq = 1000},
    [LONG] = {.name = "long",
              .kind = TBUS_BROADCAST,
              .slot_bytes = 64,
              .slot_count = SLOTS,
              .msg_bytes_max = LONG_MAX,
              .first_seq = 1},
};

typedef struct world {
    char root[SCRATCH_PATH_MAX];
    char journal[SCRATCH_PATH_MAX + 16];
    tbus_bus_t bus;
    tbus_stage_t *recorder;
    tbus_publisher_t out[TOPICS];
    uint32_t joins;                      /* of each joiner */
    tbus_atomic_u64_t published[TOPICS]; /* the next sequence */
    tbus_atomic_u64_t asked;             /* messages taken, or waited for, by all joiners */
    tbus_atomic_u32_t done;              /* joiners */
} world_t;

typedef struct joiner {
    world_t *world;
    unsigned seed;
    pthread_t thread;
    uint64_t messages;
    uint64_t laps;
    char fault[256];
} joiner_t;

/* --- messages that can be told by their sequence --- */

static bool is_tomb(unsigned topic, uint64_t seq)
{
    return topic == ORDERS && seq % TOMB_EVERY == 3;
}

static size_t bytes_of(unsigned topic, uint64_t seq)
{
    return topic == LONG ? 8 + seq * 7919 % (LONG_MAX - 8) : 8 + seq % 41;
}

static void compose(unsigned topic, uint64_t seq, unsigned char *into)
{
    size_t bytes = bytes_of(topic, seq);
    for (size_t i = 0; i < bytes; i++)
        into[i] = (unsigned char)(seq * 31 + i * 7 + topic + (seq >> 8));
    memcpy(into, &seq, 8);
}

/* --- the one that publishes and records --- */

static bool publish_one(world_t *w, unsigned topic)
{
    unsigned char message[LONG_MAX];
    tbus_publisher_t *p = &w->out[topic];
    uint64_t seq = tbus_load_relaxed_u64(&w->published[topic]);
    if (is_tomb(topic, seq)) {
        if (!tbus_claim_try(p))
            return false;
        tbus_abort(p);
    } else {
        compose(topic, seq, message);
        if (tbus_publish_try(p, message, bytes_of(topic, seq)) != TBUS_PUBLISHED)
            return false;
    }
    tbus_store_relaxed_u64(&w->published[topic], seq + 1);
    return true;
}

static void record(world_t *w)
{
    if (w->recorder->ops->poll(w->recorder, 64) < 0)
        fail_msg("%s", w->recorder->error.text);
}

/* No faster than the joiners, so that the journal stays small. The recorder is let fall behind as
 * far as it can: to a full ring. */
static void run(world_t *w)
{
    unsigned seed = 5;
    uint64_t given = 0;
    while (tbus_load_relaxed_u32(&w->done) < JOINERS) {
        if (given > tbus_load_relaxed_u64(&w->asked) + 4 * SLOTS) {
            record(w);
            sched_yield();
            continue;
        }
        unsigned topic = (unsigned)rand_r(&seed) % TOPICS;
        for (unsigned n = (unsigned)rand_r(&seed) % (2 * SLOTS); n; n--)
            if (!publish_one(w, topic))
                record(w);
            else
                given++;
        if (rand_r(&seed) % 3 == 0)
            record(w);
    }
}

/* --- those that join --- */

static bool wrong(joiner_t *j, const char *what, uint64_t expected, uint64_t got)
{
    snprintf(j->fault, sizeof j->fault, "%s: expected %lu, got %lu", what, (unsigned long)expected,
             (unsigned long)got);
    return false;
}

static bool check(joiner_t *j, unsigned topic, uint64_t expected, uint64_t seq,
                  const unsigned char *message, size_t bytes)
{
    unsigned char whole[LONG_MAX];
    if (seq != expected)
        return wrong(j, "sequence", expected, seq);
    if (bytes != bytes_of(topic, seq))
        return wrong(j, "bytes", bytes_of(topic, seq), bytes);
    compose(topic, seq, whole);
    return memcmp(message, whole, bytes) == 0 || wrong(j, "message", seq, seq);
}

static uint64_t message_from(unsigned topic, uint64_t seq)
{
    return is_tomb(topic, seq) ? seq + 1 : seq;
}

/* Look away until the ring was written over twice. */
static void dawdle(joiner_t *j, unsigned topic, uint64_t seq)
{
    world_t *w = j->world;
    while (tbus_load_relaxed_u64(&w->published[topic]) < seq + 2 * SLOTS &&
           tbus_load_relaxed_u32(&w->done) == 0 &&
           !tbus_load_relaxed_u32(&w->bus.directory->ended)) {
        tbus_fetch_add_relaxed_u64(&w->asked, 1);
        sched_yield();
    }
}

/* Take from `from` on, `stay` messages or up to the end of the bus. */
static bool follow(joiner_t *j, unsigned topic, uint64_t from, uint64_t stay)
{
    _Alignas(8) unsigned char message[ROOM];
    tbus_history_batch_t batch = {.into = message, .capacity = sizeof message};
    size_t bytes = 0;
    tbus_error_t err = {0};
    tbus_history_counts_t counts;
    tbus_history_t *h;
    tbus_history_from_t place = {TBUS_HISTORY_SEQ, from};
    uint64_t expected = message_from(topic, from);
    if (tbus_history_open(&j->world->bus, j->world->journal, specs[topic].name, &place, &h, &err) <
        0)
        return snprintf(j->fault, sizeof j->fault, "%s", err.text) < 0;
    bool fine = true, together = rand_r(&j->seed) % 2;
    int outcome = 0;
    for (uint64_t n = 0; fine && n < stay && outcome != TBUS_HISTORY_ENDED;) {
        batch.count = 1;
        if (together)
            outcome = tbus_history_next_batch(h, &batch, &err);
        else
            outcome = tbus_history_next(h, message, sizeof message, &bytes, &batch.first_seq,
                                        &batch.lost, &err);
        if (!together)
            batch.bytes[0] = (uint32_t)bytes;
        if (outcome < 0)
            fine = snprintf(j->fault, sizeof j->fault, "%s", err.text) < 0;
        if (outcome >= 0 && batch.lost)
            fine = wrong(j, "lost", 0, batch.lost);
        if (outcome == TBUS_HISTORY_NOTHING) {
            tbus_fetch_add_relaxed_u64(&j->world->asked, 1);
            sched_yield();
        }
        if (outcome != TBUS_HISTORY_MESSAGE || !fine)
            continue;
        for (uint32_t i = 0; i < batch.count && fine; i++) {
            uint64_t seq = batch.first_seq + i;
            fine = check(j, topic, expected, seq, message + (size_t)i * TBUS_HISTORY_STRIDE,
                         batch.bytes[i]);
            expected = message_from(topic, seq + 1);
            tbus_fetch_add_relaxed_u64(&j->world->asked, 1);
            if (++n % 500 == 0)
                dawdle(j, topic, seq);
        }
    }
    uint64_t end = tbus_load_relaxed_u64(&j->world->published[topic]);
    if (fine && outcome == TBUS_HISTORY_ENDED && expected < end)
        fine = wrong(j, "end", end, expected);
    tbus_history_counts(h, &counts);
    j->messages += counts.from_journal + counts.from_ring;
    j->laps += counts.laps;
    tbus_history_close(h);
    return fine;
}

static void *join(void *context)
{
    joiner_t *j = context;
    for (uint32_t n = 0; n < j->world->joins; n++) {
        unsigned topic = (unsigned)rand_r(&j->seed) % TOPICS;
        uint64_t first = specs[topic].first_seq;
        uint64_t until = tbus_load_relaxed_u64(&j->world->published[topic]);
        /* anywhere, or near the end, where the hand-over to the ring is */
        uint64_t span = until - first + SLOTS;
        if (n % 2 && span > 6 * SLOTS)
            span = 6 * SLOTS;
        uint64_t from = until + SLOTS - 1 - (uint64_t)rand_r(&j->seed) % span;
        if (!follow(j, topic, from, STAY))
            break;
    }
    tbus_fetch_add_relaxed_u32(&j->world->done, 1);
    return NULL;
}

/* --- */

static void set_up_world(world_t *w)
{
    scratch_create(w->root);
    snprintf(w->journal, sizeof w->journal, "%s/journal", w->root);
    assert_int_equal(tbus_bus_create("joined", &w->bus, NULL), 0);
    for (unsigned i = 0; i < TOPICS; i++) {
        tbus_ring_spec_t spec = specs[i];
        assert_int_equal(tbus_bus_add_topic(&w->bus, &spec, "tick", TBUS_PAGES_SMALL, -1, NULL), i);
        assert_true(tbus_ring_reserve(&w->bus.rings[i], TBUS_RECORDER_NAME, TBUS_FOLLOWER, NULL) >=
                    0);
        assert_int_equal(tbus_publisher_join(&w->bus.rings[i], 7, &w->out[i], NULL), 0);
        tbus_store_relaxed_u64(&w->published[i], spec.first_seq);
    }
    int owner = tbus_participant_add(&w->bus, "recorder", NULL);
    recorder_params_t params = {.directory = w->journal, .segment_bytes = SEGMENT};
    tbus_error_t err = {0};
    if (tbus_recorder_create(&w->bus, (uint32_t)owner, &params, &w->recorder, &err) != 0)
        fail_msg("%s", err.text);
}

static void whoever_joins_late_gets_exactly_the_rest(void **state)
{
    (void)state;
    static world_t w;
    static joiner_t joiners[JOINERS];
    const char *joins = getenv("TICKBUS_JOINS");
    w.joins = ((joins ? (uint32_t)strtoul(joins, NULL, 10) : 60) + JOINERS - 1) / JOINERS;
    set_up_world(&w);
    for (unsigned i = 0; i < JOINERS; i++) {
        joiners[i] = (joiner_t){.world = &w, .seed = 11 + i};
        assert_int_equal(pthread_create(&joiners[i].thread, NULL, join, &joiners[i]), 0);
    }
    run(&w);
    uint64_t messages = 0;
    uint64_t laps = 0;
    for (unsigned i = 0; i < JOINERS; i++)
        pthread_join(joiners[i].thread, NULL);
    for (int more = 1; more > 0 || w.recorder->stalled;) {
        more = w.recorder->ops->poll(w.recorder, 64);
        assert_true(more >= 0);
    }
    tbus_store_release_u32(&w.bus.directory->ended, 1);
    for (unsigned i = 0; i < JOINERS; i++) { /* and now up to the end */
        for (unsigned topic = 0; topic < TOPICS && !joiners[i].fault[0]; topic++)
            follow(&joiners[i], topic,
                   specs[topic].first_seq + (uint64_t)rand_r(&joiners[i].seed) % 5000, UINT64_MAX);
        if (joiners[i].fault[0])
            print_error("joiner %u: %s\n", i, joiners[i].fault);
        messages += joiners[i].messages;
        laps += joiners[i].laps;
    }
    print_message("%u joins, %lu messages, %lu laps\n", w.joins * JOINERS, (unsigned long)messages,
                  (unsigned long)laps);
    for (unsigned i = 0; i < JOINERS; i++)
        assert_string_equal(joiners[i].fault, "");
    assert_true(laps > 0);
    w.recorder->ops->destroy(w.recorder);
    tbus_bus_close(&w.bus);
    scratch_remove(w.root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whoever_joins_late_gets_exactly_the_rest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
