/* SPDX-License-Identifier: Apache-2.0 */
/* queue.h - the orders of one price level, in the order of their time. Private to bus/market.
 *
 * The table of references (orders.h) moves its entries; an order's place in its queue stays as long
 * as the order lives. So what is looked up by reference is two numbers, the order's place and its
 * level, and all else that is known of it stands here:
 *
 *    level.first -> o <-> o <-> o <- level.last        `behind`, back by `ahead`
 *
 * An order joins at the end and leaves from anywhere, in a few stores. Who must know which orders
 * come first at a price (risk/venue/venue.h) walks from the front. Place 0 means "none".
 */
#ifndef TICKBUS_MARKET_QUEUE_H
#define TICKBUS_MARKET_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "bus/market/book.h"

typedef struct queue_order {
    /* md sequence of the tick that added it: its place in time */
    uint64_t added_seq;
    uint64_t event; /* of that tick: exchange time, tracking number (tick_t) */
    uint32_t qty;
    uint32_t ahead;  /* neighbours in the queue, 0: none */
    uint32_t behind; /* of a free place: the next free one */
    uint32_t pad;
} queue_order_t;

_Static_assert(sizeof(queue_order_t) == 32, "two orders share a cache line");

typedef struct queue_pool {
    queue_order_t *orders; /* [0] stands for none and is never written; not owned */
    uint32_t free;         /* first free place, 0: none left */
} queue_pool_t;

/* Bytes for `orders_max` orders. */
static inline size_t queue_footprint(uint32_t orders_max)
{
    return ((size_t)orders_max + 1) * sizeof(queue_order_t);
}

/* `memory`: 32-byte aligned, zeroed, queue_footprint bytes; it must outlive the pool. Touches all
 * of it. */
static inline void queue_init(queue_pool_t *pool, void *memory, uint32_t orders_max)
{
    pool->orders = (queue_order_t *)memory;
    pool->free = 1;
    for (uint32_t i = 1; i <= orders_max; i++)
        pool->orders[i].behind = i < orders_max ? i + 1 : 0;
}

/* A free place, to be filled and to join a queue. Requires one. */
static inline uint32_t queue_take(queue_pool_t *pool)
{
    uint32_t place = pool->free;
    pool->free = pool->orders[place].behind;
    return place;
}

/* The order at `place` comes last at its level. */
static inline void queue_join(queue_pool_t *pool, price_level_t *level, uint32_t place)
{
    queue_order_t *order = &pool->orders[place];
    order->ahead = level->last;
    order->behind = 0;
    if (level->last != 0)
        pool->orders[level->last].behind = place;
    else
        level->first = place;
    level->last = place;
}

/* It leaves its level, and its place is free. */
static inline void queue_leave(queue_pool_t *pool, price_level_t *level, uint32_t place)
{
    queue_order_t *order = &pool->orders[place];
    if (order->ahead != 0)
        pool->orders[order->ahead].behind = order->behind;
    else
        level->first = order->behind;
    if (order->behind != 0)
        pool->orders[order->behind].ahead = order->ahead;
    else
        level->last = order->ahead;
    order->behind = pool->free;
    pool->free = place;
}

/* All orders of a level, which has some, leave with it. */
static inline void queue_free_all(queue_pool_t *pool, const price_level_t *level)
{
    pool->orders[level->last].behind = pool->free;
    pool->free = level->first;
}

#endif
