/* SPDX-License-Identifier: Apache-2.0 */
/* peer_iceoryx.c - Eclipse iceoryx through its C binding, polling, with publishers that wait for
 * their subscribers. Needs its daemon: the program starts iox-roudi for its own run (report.c). */
#include <stdio.h>
#include <unistd.h>

#include "bench/contest.h"

#if BENCH_HAS_ICEORYX
#include <iceoryx_binding_c/log.h>
#include <iceoryx_binding_c/publisher.h>
#include <iceoryx_binding_c/runtime.h>
#include <iceoryx_binding_c/subscriber.h>
#include <iceoryx_binding_c/types.h>

#define QUEUE_CHUNKS 256u /* the most that iceoryx knows */

typedef struct ice_side {
    iox_pub_storage_t publisher_storage;
    iox_sub_storage_t subscriber_storage;
    iox_pub_t publisher;
    iox_sub_t subscriber;
    const void *chunk;
} ice_side_t;

static bool can(const contest_trial_t *t)
{
    return t->kind != CONTEST_COMPETING && t->burst == 1 && (t->bytes == 56 || t->bytes >= 4096) &&
           t->task != CONTEST_PUBLISH && t->poll != CONTEST_SLEEPING;
}

CONTEST_INLINE bool put(void *context, const void *message, size_t bytes)
{
    ice_side_t *side = context;
    void *chunk;
    if (iox_pub_loan_chunk(side->publisher, &chunk, (uint32_t)bytes) != AllocationResult_SUCCESS)
        return false;
    memcpy(chunk, message, bytes);
    iox_pub_publish_chunk(side->publisher, chunk);
    return true;
}
CONTEST_INLINE const void *get(void *context, size_t bytes)
{
    (void)bytes;
    ice_side_t *side = context;
    return iox_sub_take_chunk(side->subscriber, &side->chunk) == ChunkReceiveResult_SUCCESS
               ? side->chunk
               : NULL;
}
CONTEST_INLINE void done(void *context)
{
    ice_side_t *side = context;
    iox_sub_release_chunk(side->subscriber, side->chunk);
}

/* The library leaves the socket of a process, and a lock. */
static void remove_files(const char *name)
{
    char path[96];
    snprintf(path, sizeof path, "/tmp/%s", name);
    unlink(path);
    snprintf(path, sizeof path, "/tmp/%s.lock", name);
    unlink(path);
}

static void run_side(contest_trial_t *t, void *shared, unsigned index)
{
    (void)shared;
    static ice_side_t side;
    char name[64], instance[64];
    snprintf(name, sizeof name, "bench-%d", (int)getpid());
    snprintf(instance, sizeof instance, "trial-%d", (int)getppid());
    iox_set_loglevel(Iceoryx_LogLevel_Error);
    iox_runtime_init(name);
    bool both_ways = t->task == CONTEST_ROUND_TRIP;
    if (both_ways || index < t->senders) {
        iox_pub_options_t options;
        iox_pub_options_init(&options);
        options.subscriberTooSlowPolicy = ConsumerTooSlowPolicy_WAIT_FOR_CONSUMER;
        side.publisher = iox_pub_init(&side.publisher_storage, "bench", instance,
                                      index == 0 ? "there" : "back", &options);
    }
    if (both_ways || index >= t->senders) {
        iox_sub_options_t options;
        iox_sub_options_init(&options);
        /* Of the largest chunks its daemon has no more than 30. */
        options.queueCapacity = t->slots < QUEUE_CHUNKS ? t->slots : QUEUE_CHUNKS;
        options.queueFullPolicy = QueueFullPolicy_BLOCK_PRODUCER;
        side.subscriber = iox_sub_init(&side.subscriber_storage, "bench", instance,
                                       both_ways && index == 0 ? "back" : "there", &options);
        while (iox_sub_get_subscription_state(side.subscriber) != SubscribeState_SUBSCRIBED)
            usleep(1000);
    }
    contest_loops(t, index, &side, put, get, done);
    contest_meet(t); /* chunks in flight belong to their publisher */
    if (side.subscriber)
        iox_sub_deinit(side.subscriber);
    if (side.publisher)
        iox_pub_deinit(side.publisher);
    iox_runtime_shutdown();
    remove_files(name);
}

const contest_peer_t peer_iceoryx = {.name = "iceoryx",
                                     .package = "libiceoryx-binding-c-dev, iceoryx",
                                     .slowness = 20,
                                     .can = can,
                                     .side = run_side,
                                     .large = true};
#else
const contest_peer_t peer_iceoryx = {.name = "iceoryx",
                                     .package = "libiceoryx-binding-c-dev, iceoryx"};
#endif
