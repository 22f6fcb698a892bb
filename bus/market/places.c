/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/places.h"

#include <errno.h>
#include <string.h>

#include <tickbus/atomic.h>
#include <tickbus/msg/itch_types.h>
#include <tickbus/segment.h>

#include "bus/market/memory.h"
#include "bus/market/orders.h"
#include "bus/market/queue.h"

/* As the queues of a view, of which this is the feed's picture: `level` is the locate. */
struct places {
    order_table_t orders;
    queue_pool_t pool;
    size_t bytes;
    bool gives;     /* since the books were empty last all orders have a place */
    bool restoring; /* an O empties no books: those of some readers, perhaps, but not all */
    uint32_t given_up;
    uint32_t used; /* places at or above this one never had an order */
};

size_t places_footprint(uint32_t orders_max)
{
    return market_round_up(market_round_up(sizeof(places_t), 64) +
                               market_round_up(queue_footprint(orders_max), 64) +
                               orders_footprint(orders_max),
                           HUGE_PAGE_BYTES);
}

int places_create(uint32_t orders_max, bool whole, places_t **out_places, tbus_error_t *err)
{
    size_t bytes = places_footprint(orders_max);
    char why[256];
    bool there = tbus_memory_is_there(bytes, why, sizeof why);
    unsigned char *memory = there ? market_memory_take(bytes) : NULL;
    if (!memory)
        return tbus_fail(err, -ENOMEM,
                         "cannot get %zu MiB for the places of %u orders: %s; lower feed.places",
                         bytes >> 20, orders_max, there ? strerror(errno) : why);
    places_t *p = (places_t *)(void *)memory;
    p->bytes = bytes;
    p->gives = whole;
    p->restoring = !whole;
    p->used = 1;
    unsigned char *queues = memory + market_round_up(sizeof *p, 64);
    queue_init(&p->pool, queues, orders_max);
    orders_init(&p->orders, queues + market_round_up(queue_footprint(orders_max), 64),
                p->pool.orders, orders_max, hash_seed_random());
    *out_places = p;
    return 0;
}

void places_destroy(places_t *p)
{
    if (p)
        market_memory_give(p, p->bytes);
}

/* Places are given in their order again, so that those of a day are the same in every run. */
static __attribute__((noinline)) void empty(places_t *p)
{
    for (uint32_t place = 1; place < p->used; place++)
        p->pool.orders[place].behind = 0;
    p->used = p->pool.free = 1;
    orders_clear(&p->orders);
    p->gives = p->given_up < PLACES_GIVEN_UP_MAX;
}

/* From here on readers look references up themselves. */
static __attribute__((noinline)) void give_up(places_t *p, tick_t *tick)
{
    p->given_up++;
    empty(p);
    p->gives = false;
    tick_place_none(tick);
}

#define INLINE static inline __attribute__((always_inline))

INLINE void add(places_t *p, tick_t *tick)
{
    uint64_t hash = orders_hash(&p->orders, tick->order_ref);
    bool sound = (tick->side == 'B' || tick->side == 'S') && tick->qty != 0;
    if (TBUS_UNLIKELY(!sound)) {
        tick_place_put(tick, 0);
        return;
    }
    if (TBUS_UNLIKELY(p->orders.live == p->orders.orders_max) ||
        TBUS_UNLIKELY(orders_has(&p->orders, tick->order_ref, hash))) {
        give_up(p, tick);
        return;
    }
    uint32_t place = queue_take(&p->pool);
    queue_order_t *order = &p->pool.orders[place];
    if (TBUS_UNLIKELY(place >= p->used))
        p->used = place + 1;
    order->ref = tick->order_ref;
    order->qty = tick->qty;
    order->level = tick_locate(tick);
    orders_add(&p->orders, hash, place);
    tick_place_put(tick, place);
}

/* The order that a tick refers to, whose place it gets; place 0: there is none, or readers are to
 * look for it themselves. */
INLINE order_spot_t referenced(places_t *p, tick_t *tick)
{
    order_spot_t spot = orders_find(&p->orders, tick->order_ref);
    tick_place_put(tick, spot.place);
    if (TBUS_LIKELY(spot.place == 0 || p->pool.orders[spot.place].level == tick_locate(tick)))
        return spot;
    give_up(p, tick);
    return (order_spot_t){0};
}

INLINE void reduce(places_t *p, tick_t *tick, uint32_t qty)
{
    order_spot_t spot = referenced(p, tick);
    queue_order_t *order = &p->pool.orders[spot.place];
    if (TBUS_UNLIKELY(spot.place == 0))
        return;
    if (order->qty > qty) {
        order->qty -= qty;
        return;
    }
    orders_remove(&p->orders, spot);
    queue_free(&p->pool, spot.place);
}

/* The new order has the place of the old one. */
static __attribute__((noinline)) void replace(places_t *p, tick_t *tick)
{
    order_spot_t spot = referenced(p, tick);
    queue_order_t *order = &p->pool.orders[spot.place];
    if (TBUS_UNLIKELY(spot.place == 0))
        return;
    orders_remove(&p->orders, spot);
    uint64_t hash = orders_hash(&p->orders, tick->new_ref);
    if (TBUS_UNLIKELY(tick->qty == 0)) {
        queue_free(&p->pool, spot.place);
        return;
    }
    if (TBUS_UNLIKELY(orders_has(&p->orders, tick->new_ref, hash))) {
        give_up(p, tick); /* which frees the place, too */
        return;
    }
    order->ref = tick->new_ref;
    order->qty = tick->qty;
    orders_add(&p->orders, hash, spot.place);
}

/* Where the books of readers are emptied. Cold. */
static __attribute__((noinline)) void look_at_other(places_t *p, const tick_t *tick, size_t bytes)
{
    if (tick->type == TICK_RESTORE) {
        uint8_t what = bytes >= TICK_RESTORE_BYTES ? tick->body[0] : 0;
        if (what == TICK_RESTORE_BEGINS)
            empty(p);
        if (what == TICK_RESTORE_BEGINS || what == TICK_RESTORE_ENDS || what == TICK_RESTORE_FAILED)
            p->restoring = what == TICK_RESTORE_BEGINS;
        return;
    }
    if (bytes < sizeof *tick || tick->body[ITCH_BODY_AT(SYSTEM_EVENT, event_code)] != 'O')
        return;
    if (!p->restoring)
        empty(p);
}

INLINE void tell(places_t *p, tick_t *tick, size_t bytes)
{
    if (TBUS_UNLIKELY(!itch_is_of_an_order(tick->type)) || TBUS_UNLIKELY(bytes < sizeof *tick)) {
        if (tick->type == ITCH_SYSTEM_EVENT || tick->type == TICK_RESTORE)
            look_at_other(p, tick, bytes);
        return;
    }
    if (TBUS_UNLIKELY(!p->gives)) {
        tick_place_none(tick);
        return;
    }
    switch (tick->type) {
    case ITCH_ADD_ORDER:
    case ITCH_ADD_ORDER_MPID:
        add(p, tick);
        return;
    case ITCH_ORDER_REPLACE:
        replace(p, tick);
        return;
    case ITCH_ORDER_DELETE:
        reduce(p, tick, UINT32_MAX);
        return;
    default:
        reduce(p, tick, tick->qty);
    }
}

void places_tell(places_t *p, tick_t *tick, size_t bytes)
{
    if (p)
        tell(p, tick, bytes);
    else if (bytes >= sizeof *tick && itch_is_of_an_order(tick->type))
        tick_place_none(tick);
}

void places_tell_all(places_t *p, tick_t *ticks, uint32_t count)
{
    for (uint32_t i = 0; !p && i < count; i++)
        places_tell(NULL, &ticks[i], sizeof ticks[i]);
    for (uint32_t i = 0; p && i < count; i++) { /* what is no reference costs a line */
        uint64_t hash = orders_hash(&p->orders, ticks[i].order_ref);
        __builtin_prefetch(&p->orders.now.buckets[orders_home(&p->orders.now, hash)], 1, 3);
    }
    for (uint32_t i = 0; p && i < count; i++)
        tell(p, &ticks[i], sizeof ticks[i]);
}
