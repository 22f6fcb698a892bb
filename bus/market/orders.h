/* SPDX-License-Identifier: Apache-2.0 */
/* orders.h - the live orders of all symbols, found by order reference: the place of each in a queue
 * (queue.h), where the rest of it stands. The feed has one and tells readers what it finds
 * (places.h); views to which nobody tells have one each. Private to bus/market.
 *
 * A hash table of buckets, two to a cache line, each with six places, a byte of the hash of each,
 * and a count:
 *
 *    | tag tag tag tag tag tag | passed || place place place place place place |
 *
 * The bytes are compared all at once, and an order is looked at only where they agree: a search
 * looks at one bucket and one order, nearly always, whether the order is there or not. An order
 * whose bucket is full goes into the next one that is not, and is counted in `passed` of all that
 * it passes over, so that searches know where they may end. A removal clears one byte.
 *
 * The speed of such a table depends less on its probe length than on how much memory its live
 * entries are spread over: a day has millions of orders, a quiet hour a thousand. So the table
 * works in the smallest of a series of sizes and moves to the next one, a bucket with every add,
 * when it gets half full:
 *
 *    memory:   | 1024 | 2048 | 4096 | ... | at least orders_max / 3 |   all reserved at creation
 *                        |      |
 *                      before  now       `before` is emptied from the left;
 *                                        `now` takes every new order
 *
 * Memory: 64 bytes of all sizes for 3 to 6 orders, 11 to 21 bytes an order of orders_max, and as
 * much again for the smaller sizes.
 */
#ifndef TICKBUS_MARKET_ORDERS_H
#define TICKBUS_MARKET_ORDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/atomic.h>
#include "bus/market/queue.h"
#include "bus/market/seeded_hash.h"

#define ORDERS_BITS_MIN 10u /* of the number of buckets */
#define ORDERS_LIMIT    (1u << 28)
#define BUCKET_PLACES   6u
#define BUCKET_HALF     (BUCKET_PLACES / 2)
#define BUCKET_PASSED   48u /* bits below `passed` */

typedef struct order_bucket {
    uint64_t tags; /* a byte each, 0: free; above them `passed`, which stays when it is 65535 */
    uint32_t places[BUCKET_PLACES];
} order_bucket_t;

_Static_assert(sizeof(order_bucket_t) == 32, "two buckets share a cache line");

typedef struct order_buckets {
    order_bucket_t *buckets;
    uint32_t mask;  /* their number - 1 */
    uint32_t shift; /* of the hash: 64 - log2(their number) */
} order_buckets_t;

typedef struct order_table {
    order_buckets_t now;
    hash_seed_t seed;
    const queue_order_t *orders; /* the pool's; not owned */
    uint32_t live;               /* in both */
    uint32_t grow_at;
    order_buckets_t before; /* buckets NULL: nothing is left to move */
    uint32_t before_live;
    uint32_t before_at; /* buckets of `before` below this one are empty */
    uint32_t bits;
    uint32_t bits_max;
    uint32_t orders_max;
    order_bucket_t *memory; /* not owned */
} order_table_t;

/* Where an order is in the table; good until the next add or removal. */
typedef struct order_spot {
    uint32_t place; /* 0: it is not there */
    uint16_t slot;
    uint16_t away; /* it is not in the bucket where it belongs */
    order_bucket_t *bucket;
} order_spot_t;

/* Bytes needed for `orders_max` live orders (1..ORDERS_LIMIT). */
size_t orders_footprint(uint32_t orders_max);

/* `memory`: 64-byte aligned, zeroed, orders_footprint bytes; it and `orders` must outlive the
 * table. */
void orders_init(order_table_t *t, void *memory, const queue_order_t *orders, uint32_t orders_max,
                 hash_seed_t seed);

/* All are gone. Cost: the table as large as it has become. Cold. */
void orders_clear(order_table_t *t);

/* Calls `see` for every live order, in no order. Cold. */
void orders_each(const order_table_t *t, void (*see)(void *context, uint32_t place), void *context);

/* Not for callers: the rare parts of what follows. */
void orders_grow(order_table_t *t);
void orders_move_some(order_table_t *t);
void orders_pass(order_buckets_t *s, uint32_t home, uint64_t tag, uint32_t place);
void orders_unpass(order_buckets_t *s, uint32_t home, const order_bucket_t *until);

static inline uint32_t orders_home(const order_buckets_t *s, uint64_t hash)
{
    return (uint32_t)(hash >> s->shift);
}

/* Of bits that say nothing about the home. Never 0. */
static inline uint64_t orders_tag(uint64_t hash)
{
    return (hash >> 24 & 0x7f) | 0x80;
}

/* The highest bit of every tag that is this one; exact. */
static inline uint64_t orders_match(uint64_t tags, uint64_t tag)
{
    const uint64_t low = UINT64_C(0x00007f7f7f7f7f7f);
    uint64_t differ = tags ^ tag * UINT64_C(0x0000010101010101);
    return ~(((differ & low) + low) | differ | low) & UINT64_C(0x0000808080808080);
}

static inline __attribute__((always_inline)) order_spot_t
orders_find_in(const order_table_t *t, const order_buckets_t *s, uint64_t ref, uint64_t hash)
{
    uint32_t home = orders_home(s, hash), at = home;
    do {
        order_bucket_t *bucket = &s->buckets[at];
        uint64_t tags = bucket->tags;
        for (uint64_t match = orders_match(tags, orders_tag(hash)); match != 0;
             match &= match - 1) {
            uint32_t slot = (uint32_t)__builtin_ctzll(match) >> 3;
            uint32_t place = bucket->places[slot];
            if (TBUS_LIKELY(t->orders[place].ref == ref))
                return (order_spot_t){place, (uint16_t)slot, at != home, bucket};
        }
        if (TBUS_LIKELY(tags >> BUCKET_PASSED == 0))
            break;
        at = (at + 1) & s->mask;
    } while (at != home);
    return (order_spot_t){0, 0, 0, NULL};
}

static inline uint64_t orders_hash(const order_table_t *t, uint64_t ref)
{
    return seeded_hash(&t->seed, ref);
}

/* Where the order of `ref` is. */
static inline __attribute__((always_inline)) order_spot_t orders_find(const order_table_t *t,
                                                                      uint64_t ref)
{
    uint64_t hash = orders_hash(t, ref);
    order_spot_t spot = orders_find_in(t, &t->now, ref, hash);
    if (TBUS_UNLIKELY(spot.place == 0 && t->before.buckets))
        spot = orders_find_in(t, &t->before, ref, hash);
    return spot;
}

/* Is an order of `ref`, whose hash is given, in the table? */
static inline __attribute__((always_inline)) bool orders_has(const order_table_t *t, uint64_t ref,
                                                             uint64_t hash)
{
    if (TBUS_UNLIKELY(orders_find_in(t, &t->now, ref, hash).place != 0))
        return true;
    return TBUS_UNLIKELY(t->before.buckets) && orders_find_in(t, &t->before, ref, hash).place != 0;
}

static inline void orders_put(order_buckets_t *s, uint64_t hash, uint32_t place)
{
    order_bucket_t *bucket = &s->buckets[orders_home(s, hash)];
    uint64_t tag = orders_tag(hash), free = orders_match(bucket->tags, 0);
    if (TBUS_UNLIKELY(free == 0)) {
        orders_pass(s, orders_home(s, hash), tag, place);
        return;
    }
    uint32_t slot = (uint32_t)__builtin_ctzll(free) >> 3;
    bucket->tags |= tag << 8 * slot;
    bucket->places[slot] = place;
}

/* Add the order at `place` in the pool, whose reference has this hash and is not in the table. */
static inline void orders_add(order_table_t *t, uint64_t hash, uint32_t place)
{
    orders_put(&t->now, hash, place);
    t->live++;
    if (TBUS_UNLIKELY(t->before.buckets))
        orders_move_some(t);
    else if (TBUS_UNLIKELY(t->live >= t->grow_at))
        orders_grow(t);
}

static inline void orders_vacate(const order_table_t *t, order_buckets_t *s, order_spot_t spot)
{
    spot.bucket->tags &= ~(UINT64_C(0xff) << 8 * spot.slot);
    if (TBUS_UNLIKELY(spot.away))
        orders_unpass(s, orders_home(s, orders_hash(t, t->orders[spot.place].ref)), spot.bucket);
}

/* Take out the order at a spot. The pool still has its reference. */
static inline void orders_remove(order_table_t *t, order_spot_t spot)
{
    t->live--;
    if (TBUS_UNLIKELY(t->before.buckets) && spot.bucket >= t->before.buckets &&
        spot.bucket <= t->before.buckets + t->before.mask) {
        orders_vacate(t, &t->before, spot);
        t->before_live--;
        return;
    }
    orders_vacate(t, &t->now, spot);
}

#endif
