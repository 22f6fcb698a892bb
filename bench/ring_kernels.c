/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <tickbus/clock.h>
#include <tickbus/observer.h>
#include <tickbus/publisher.h>
#include <tickbus/segment.h>
#include <tickbus/subscriber.h>

#include "bench/kernel.h"

#define SLOTS   8192u
#define BATCH   4096u
#define PAYLOAD 56u

typedef struct ring_state {
    tbus_segment_t segment;
    tbus_publisher_t publisher;
    tbus_subscriber_t subscriber;
    tbus_observer_t observer;
    uint64_t seen; /* so that no read can be left out */
} ring_state_t;

static int ring_create(enum tbus_ring_kind kind, void **out_state, tbus_error_t *err)
{
    ring_state_t *state = calloc(1, sizeof *state);
    if (!state)
        return tbus_fail(err, -TBUS_ELIMIT, "no memory for a bench");
    tbus_ring_spec_t spec = {
        .name = "kernel", .kind = kind, .slot_bytes = 64, .slot_count = SLOTS, .first_seq = 1};
    enum tbus_sub_role role = kind == TBUS_MPMC ? TBUS_CONSUMER : TBUS_SUBSCRIBER;
    size_t bytes = tbus_ring_footprint(&spec);
    tbus_ring_t ring;
    int status = tbus_segment_create("kernel", bytes, TBUS_PAGES_AUTO, -1, &state->segment, err);
    if (status >= 0)
        status = tbus_ring_format(state->segment.base, bytes, &spec, err);
    if (status >= 0)
        status = tbus_ring_join(state->segment.base, bytes, true, &ring, err);
    if (status >= 0)
        status = tbus_ring_reserve(&ring, "taker", role, err);
    if (status >= 0)
        status = tbus_publisher_join(&ring, 1, &state->publisher, err);
    if (status >= 0)
        status = tbus_subscriber_join(&ring, "taker", 2, &state->subscriber, err);
    if (status >= 0)
        status = tbus_observer_join(&ring, TBUS_FROM_NOW, &state->observer, err);
    if (status < 0) {
        tbus_segment_close(&state->segment);
        free(state);
        return status;
    }
    *out_state = state;
    return 0;
}
static int spsc_create(void **out_state, tbus_error_t *err)
{
    return ring_create(TBUS_SPSC, out_state, err);
}
static int broadcast_create(void **out_state, tbus_error_t *err)
{
    return ring_create(TBUS_BROADCAST, out_state, err);
}
static int mpmc_create(void **out_state, tbus_error_t *err)
{
    return ring_create(TBUS_MPMC, out_state, err);
}

static void ring_destroy(void *opaque)
{
    ring_state_t *state = opaque;
    tbus_subscriber_leave(&state->subscriber);
    tbus_publisher_leave(&state->publisher);
    tbus_segment_close(&state->segment);
    free(state);
}

/* BATCH messages in; false: the ring was full, which a drained one cannot be. */
static bool fill(ring_state_t *state)
{
    uint64_t words[PAYLOAD / 8];
    for (uint32_t i = 0; i < BATCH; i++) {
        memset(words, (int)(i & 0xff), sizeof words);
        if (tbus_publish_try(&state->publisher, words, PAYLOAD) != TBUS_PUBLISHED)
            return false;
    }
    return true;
}

/* BATCH messages out, by the inline peek and advance. */
static bool drain(ring_state_t *state)
{
    size_t bytes;
    uint32_t taken = 0;
    const uint64_t *words;
    while ((words = tbus_peek(&state->subscriber, &bytes)) != NULL) {
        state->seen += words[0] + words[PAYLOAD / 8 - 1];
        tbus_advance(&state->subscriber);
        taken++;
    }
    tbus_subscriber_flush(&state->subscriber);
    return taken == BATCH;
}

/* What does it cost to publish a message of one line that nobody waits for? */
static uint64_t publish_run(void *opaque)
{
    uint64_t began_ns = tbus_clock_ns();
    bool right = fill(opaque);
    uint64_t took_ns = tbus_clock_ns() - began_ns;
    return right && drain(opaque) ? took_ns : 0;
}

/* What does it save to write the message in place, in the slot? */
static uint64_t claim_commit_run(void *opaque)
{
    ring_state_t *state = opaque;
    uint64_t began_ns = tbus_clock_ns();
    for (uint32_t i = 0; i < BATCH; i++) {
        uint64_t *words = tbus_claim_try(&state->publisher);
        if (!words)
            return 0;
        memset(words, (int)(i & 0xff), PAYLOAD);
        tbus_commit(&state->publisher, PAYLOAD);
    }
    uint64_t took_ns = tbus_clock_ns() - began_ns;
    return drain(opaque) ? took_ns : 0;
}

/* What does it cost to take a message that is there, progress included? */
static uint64_t take_run(void *opaque)
{
    if (!fill(opaque))
        return 0;
    uint64_t began_ns = tbus_clock_ns();
    bool right = drain(opaque);
    uint64_t took_ns = tbus_clock_ns() - began_ns;
    return right ? took_ns : 0;
}

/* What does it cost to look at a ring in vain, as a spinning stage does all day? */
static uint64_t empty_look_run(void *opaque)
{
    ring_state_t *state = opaque;
    size_t bytes;
    uint64_t began_ns = tbus_clock_ns();
    for (uint32_t i = 0; i < BATCH; i++)
        state->seen += tbus_peek(&state->subscriber, &bytes) != NULL;
    return tbus_clock_ns() - began_ns;
}

/* What does it cost an observer to copy a message out and make sure that it is whole? */
static uint64_t observe_run(void *opaque)
{
    ring_state_t *state = opaque;
    uint64_t copy[PAYLOAD / 8], seq, lost;
    size_t bytes;
    if (!fill(state))
        return 0;
    uint64_t began_ns = tbus_clock_ns();
    for (uint32_t i = 0; i < BATCH; i++) {
        if (tbus_observe(&state->observer, copy, &bytes, &seq, &lost) != 1 || lost)
            return 0;
        state->seen += copy[0];
    }
    uint64_t took_ns = tbus_clock_ns() - began_ns;
    return drain(state) ? took_ns : 0;
}

static const kernel_t kernels[] = {
    {"spsc/publish", BATCH, spsc_create, publish_run, ring_destroy},
    {"spsc/claim_commit", BATCH, spsc_create, claim_commit_run, ring_destroy},
    {"spsc/take", BATCH, spsc_create, take_run, ring_destroy},
    {"spsc/empty_look", BATCH, spsc_create, empty_look_run, ring_destroy},
    {"broadcast/publish", BATCH, broadcast_create, publish_run, ring_destroy},
    {"broadcast/take", BATCH, broadcast_create, take_run, ring_destroy},
    {"broadcast/observe", BATCH, broadcast_create, observe_run, ring_destroy},
    {"mpmc/publish", BATCH, mpmc_create, publish_run, ring_destroy},
    {"mpmc/take", BATCH, mpmc_create, take_run, ring_destroy},
};

const kernel_t *ring_kernel_at(unsigned index)
{
    return index < sizeof kernels / sizeof *kernels ? &kernels[index] : NULL;
}
