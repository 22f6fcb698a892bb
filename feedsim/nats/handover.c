/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/nats/handover.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tickbus/atomic.h>

#define LINE      64u
#define ALIGNED   128u
#define SECOND_NS UINT64_C(1000000000)

_Static_assert(sizeof(nats_item_t) == 40, "as said");

struct nats_handover {
    /* written by: who puts */
    _Alignas(ALIGNED) tbus_atomic_u64_t tail; /* bytes so far, as the next */
    uint64_t head_seen;
    /* written by: who takes */
    _Alignas(ALIGNED) tbus_atomic_u64_t head;
    uint64_t tail_seen;
    tbus_atomic_u32_t sleeps; /* the taker, or is about to */
    /* constant */
    _Alignas(ALIGNED) uint8_t *buffer;
    uint64_t bytes;
    /* of the sleep alone */
    pthread_mutex_t lock;
    pthread_cond_t more;
};

static uint64_t taken_by(uint32_t payload_bytes)
{
    return (sizeof(nats_item_t) + payload_bytes + LINE - 1) / LINE * LINE;
}

static nats_item_t *item_at(const nats_handover_t *q, uint64_t at)
{
    return (nats_item_t *)(void *)(q->buffer + (at & (q->bytes - 1)));
}

int nats_handover_create(uint64_t bytes, nats_handover_t **out_queue, tbus_error_t *err)
{
    uint64_t size = NATS_HANDOVER_BYTES_MIN;
    while (size < bytes && size < NATS_HANDOVER_BYTES_MAX)
        size *= 2;
    nats_handover_t *q = aligned_alloc(ALIGNED, sizeof *q);
    uint8_t *buffer = aligned_alloc(ALIGNED, size);
    if (!q || !buffer) {
        free(q);
        free(buffer);
        return tbus_fail(err, -ENOMEM, "no memory for %llu bytes that have come and are not taken",
                         (unsigned long long)size);
    }
    memset(q, 0, sizeof *q);
    memset(buffer, 0, size); /* take its page faults now */
    q->buffer = buffer;
    q->bytes = size;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&q->more, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&q->lock, NULL);
    *out_queue = q;
    return 0;
}

void nats_handover_destroy(nats_handover_t *q)
{
    if (!q)
        return;
    pthread_cond_destroy(&q->more);
    pthread_mutex_destroy(&q->lock);
    free(q->buffer);
    free(q);
}

/* ---- who puts ---- */

static bool has_room(nats_handover_t *q, uint64_t tail, uint64_t need)
{
    if (tail + need - q->head_seen <= q->bytes)
        return true;
    /* NQ4 pairs NQ3 (nats_handover_pop): else an item is overwritten that is still read. */
    q->head_seen = tbus_load_acquire_u64(&q->head);
    return tail + need - q->head_seen <= q->bytes;
}

static void wake(nats_handover_t *q)
{
    /* NQ5 pairs NQ6 (nats_handover_wait): our store of the tail comes before our look at `sleeps`.
     * Else each misses the other's store, and it sleeps on with an item at hand. */
    tbus_fence_full();
    if (tbus_load_relaxed_u32(&q->sleeps) == 0)
        return;
    /* It holds the lock from its look at the tail until it sleeps. */
    pthread_mutex_lock(&q->lock);
    pthread_cond_signal(&q->more);
    pthread_mutex_unlock(&q->lock);
}

bool nats_handover_put(nats_handover_t *q, const nats_item_t *item, const void *payload)
{
    uint64_t tail = tbus_load_relaxed_u64(&q->tail), need = taken_by(item->bytes);
    uint64_t to_end = q->bytes - (tail & (q->bytes - 1));
    uint64_t skip = to_end < need ? to_end : 0;
    if (!has_room(q, tail, skip + need))
        return false;
    if (skip)
        item_at(q, tail)->kind = NATS_ITEM_SKIP;
    nats_item_t *place = item_at(q, tail + skip);
    *place = *item;
    if (item->bytes)
        memcpy(place + 1, payload, item->bytes);
    /* NQ1 pairs NQ2 (nats_handover_front): else the tail is seen before the item. */
    tbus_store_release_u64(&q->tail, tail + skip + need);
    wake(q);
    return true;
}

/* ---- who takes ---- */

static bool is_empty(nats_handover_t *q, uint64_t head)
{
    if (head != q->tail_seen)
        return false;
    /* NQ2 pairs NQ1 (nats_handover_put): else an item is read that is not there yet. */
    q->tail_seen = tbus_load_acquire_u64(&q->tail);
    return head == q->tail_seen;
}

const nats_item_t *nats_handover_front(nats_handover_t *q)
{
    uint64_t head = tbus_load_relaxed_u64(&q->head);
    if (is_empty(q, head))
        return NULL;
    const nats_item_t *item = item_at(q, head);
    if (TBUS_LIKELY(item->kind != NATS_ITEM_SKIP))
        return item;
    /* What follows was put together with the skip. */
    head += q->bytes - (head & (q->bytes - 1));
    tbus_store_release_u64(&q->head, head); /* NQ3 pairs NQ4 (has_room) */
    return item_at(q, head);
}

void nats_handover_pop(nats_handover_t *q, const nats_item_t *item)
{
    uint64_t head = tbus_load_relaxed_u64(&q->head) + taken_by(item->bytes);
    /* NQ3 pairs NQ4 (has_room): else the item is overwritten while we still read it. */
    tbus_store_release_u64(&q->head, head);
}

void nats_handover_wait(nats_handover_t *q, uint64_t until_ns)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / SECOND_NS),
                             .tv_nsec = (long)(until_ns % SECOND_NS)};
    pthread_mutex_lock(&q->lock);
    tbus_store_relaxed_u32(&q->sleeps, 1);
    tbus_fence_full(); /* NQ6 pairs NQ5 (wake) */
    if (is_empty(q, tbus_load_relaxed_u64(&q->head)))
        (void)pthread_cond_timedwait(&q->more, &q->lock, &until);
    tbus_store_relaxed_u32(&q->sleeps, 0);
    pthread_mutex_unlock(&q->lock);
}
