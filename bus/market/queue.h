/* SPDX-License-Identifier: Apache-2.0 */
/* queue.h - the orders of one price level, in the order of their time. Private to bus/market.
 *
 * An order's place in the pool stays as long as the order lives; the table of references
 * (orders.h) has nothing but such places, and the feed tells them (places.h).
 *
 *    level.first -> o <-> o <-> o <- level.last        `behind`, back by `ahead`
 *
 * An order joins at the end and leaves from anywhere, in a few stores and without a branch. Who
 * must know which orders come first at a price (risk/venue/venue.h) walks from the front. Place 0
 * means "none".
 *
 * Memory: 32 bytes an order, and 8 for what nobody looks at but a snapshot.
 */
#ifndef TICKBUS_MARKET_QUEUE_H
#define TICKBUS_MARKET_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "bus/market/book.h"

typedef struct queue_order {
    uint64_t ref;
    /* md sequence of the tick that added it: its place in time */
    uint64_t added_seq;
    uint32_t qty;   /* 0: the place is free */
    uint32_t level; /* index of its price level */
    uint32_t ahead; /* neighbours in the queue, 0: none */
    /* ... of a free place: how far the next free one is from the one behind this one */
    uint32_t behind;
} queue_order_t;

_Static_assert(sizeof(queue_order_t) == 32, "two orders share a cache line");

typedef struct queue_pool {
    queue_order_t *orders; /* [0] stands for none and is never written; not owned */
    uint64_t *events;      /* of the tick that added it: exchange time, tracking number (tick_t) */
    uint32_t free;         /* first free place */
} queue_pool_t;

/* Bytes for `orders_max` orders. */
static inline size_t queue_footprint(uint32_t orders_max)
{
    return ((size_t)orders_max + 1) * (sizeof(queue_order_t) + sizeof(uint64_t));
}

/* `memory`: 32-byte aligned, zeroed, queue_footprint bytes; it must outlive the pool. */
static inline void queue_init(queue_pool_t *pool, void *memory, uint32_t orders_max)
{
    pool->orders = (queue_order_t *)memory;
    pool->events = (uint64_t *)(void *)(pool->orders + orders_max + 1);
    pool->free = 1;
}

/* A free place, to be filled and to join a queue. Requires one. */
static inline uint32_t queue_take(queue_pool_t *pool)
{
    uint32_t place = pool->free;
    pool->free = place + 1 + pool->orders[place].behind;
    return place;
}

/* One of two addresses; written so that compilers do not make it a branch, which could not be
 * foretold. */
static inline uint32_t *queue_choose(bool first, uint32_t *one, uint32_t *other)
{
    uintptr_t mask = (uintptr_t)0 - first;
    return (uint32_t *)(((uintptr_t)one & mask) | ((uintptr_t)other & ~mask));
}

/* The order at `place` comes last at its level. */
static inline void queue_join(queue_pool_t *pool, price_level_t *level, uint32_t place)
{
    queue_order_t *order = &pool->orders[place];
    uint32_t last = level->last;
    order->ahead = last;
    order->behind = 0;
    *queue_choose(last != 0, &pool->orders[last].behind, &level->first) = place;
    level->last = place;
}

static inline void queue_free(queue_pool_t *pool, uint32_t place)
{
    pool->orders[place].behind = pool->free - (place + 1);
    pool->free = place;
}

/* It leaves its level; its place is still to be freed, or somebody else knows that it is free. */
static inline void queue_leave(const queue_pool_t *pool, price_level_t *level, uint32_t place)
{
    queue_order_t *order = &pool->orders[place];
    order->qty = 0;
    uint32_t ahead = order->ahead, behind = order->behind;
    *queue_choose(ahead != 0, &pool->orders[ahead].behind, &level->first) = behind;
    *queue_choose(behind != 0, &pool->orders[behind].ahead, &level->last) = ahead;
}

/* All orders of a level leave with it. */
static inline void queue_free_all(queue_pool_t *pool, const price_level_t *level)
{
    for (uint32_t at = level->first, behind; at != 0; at = behind) {
        behind = pool->orders[at].behind;
        pool->orders[at].qty = 0;
        queue_free(pool, at);
    }
}

#endif
