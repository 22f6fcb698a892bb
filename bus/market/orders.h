/* SPDX-License-Identifier: Apache-2.0 */
/* orders.h - the live orders of all symbols, found by order reference: of each its place in a queue
 * (queue.h) and its level. Private to bus/market.
 *
 * Open addressing with linear probing. A removal shifts the entries behind it back, so there are
 * no tombstones and a look-up never passes over removed entries. The speed of such a table depends
 * less on its probe length than on how much memory its live entries are spread over: a day has
 * millions of orders, a quiet hour a thousand. So the table works in the smallest of a series of
 * sizes and moves to the next one, a few entries with every add, when it gets a quarter full:
 *
 *    memory:   | 4096 | 8192 | 16384 | ... | at least 2 x orders_max |   all reserved at creation
 *                         |       |
 *                       before   now       `before` is emptied from the left;
 *                                          `now` takes every new order
 *
 * Measured (AAPL order flow, a thousand live orders of a million allowed): 32 ns a message in all,
 * against 67 ns when the same orders are spread over the largest table from the start.
 *
 * The pointer to an entry is good until the next add or removal.
 */
#ifndef TICKBUS_MARKET_ORDERS_H
#define TICKBUS_MARKET_ORDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/market/seeded_hash.h"
#include <tickbus/atomic.h>

#define ORDERS_BITS_MIN 12u
#define ORDERS_LIMIT    (1u << 28)
/* Slots of `before` that are emptied with every add; 4 would be just enough, see orders_grow. */
#define ORDERS_MOVED_PER_ADD 8u

typedef struct order_entry {
    uint64_t ref;
    uint32_t place; /* in its queue; 0: the entry is free */
    uint32_t level; /* index of its price level */
} order_entry_t;

_Static_assert(sizeof(order_entry_t) == 16, "four entries share a cache line");

typedef struct order_slots {
    order_entry_t *entries;
    uint32_t mask;  /* entries - 1 */
    uint32_t shift; /* of the hash: 64 - log2(entries) */
    hash_seed_t seed;
} order_slots_t;

typedef struct order_table {
    order_slots_t now;
    order_slots_t before; /* entries NULL: nothing is left to move */
    uint32_t live;        /* in both */
    uint32_t grow_at;
    uint32_t before_live;
    uint32_t before_at; /* slots of `before` below this one are empty */
    uint32_t bits;
    uint32_t bits_max;
    uint32_t orders_max;
    hash_seed_t seed;
    order_entry_t *memory; /* not owned */
} order_table_t;

/* Bytes needed for `orders_max` live orders (1..ORDERS_LIMIT). */
size_t orders_footprint(uint32_t orders_max);

/* `memory`: 64-byte aligned, zeroed, orders_footprint bytes; it must outlive the table. */
void orders_init(order_table_t *t, void *memory, uint32_t orders_max, hash_seed_t seed);

/* All are gone. Cost: the table as large as it has become. Cold. */
void orders_clear(order_table_t *t);

/* Not for callers: the rare half of orders_added. */
void orders_grow(order_table_t *t);
void orders_move_some(order_table_t *t);

static inline uint32_t orders_home(const order_slots_t *s, uint64_t ref)
{
    return (uint32_t)(seeded_hash(&s->seed, ref) >> s->shift);
}

/* The live entry of `ref`, or the free entry where it belongs. Ends: at least half of the slots are
 * free. */
static inline order_entry_t *orders_probe(const order_slots_t *s, uint64_t ref)
{
    uint32_t at = orders_home(s, ref);
    while (s->entries[at].place != 0 && s->entries[at].ref != ref)
        at = (at + 1) & s->mask;
    return &s->entries[at];
}

static inline void orders_vacate(order_slots_t *s, order_entry_t *entry)
{
    uint32_t hole = (uint32_t)(entry - s->entries);
    for (uint32_t at = (hole + 1) & s->mask; s->entries[at].place != 0; at = (at + 1) & s->mask) {
        uint32_t home = orders_home(s, s->entries[at].ref);
        /* An entry may move back to the hole unless its home lies behind the hole. */
        if (((at - home) & s->mask) >= ((at - hole) & s->mask)) {
            s->entries[hole] = s->entries[at];
            hole = at;
        }
    }
    s->entries[hole].place = 0;
}

/* The live entry of `ref`, or NULL. */
static inline order_entry_t *orders_find(order_table_t *t, uint64_t ref)
{
    order_entry_t *entry = orders_probe(&t->now, ref);
    if (TBUS_LIKELY(entry->place != 0))
        return entry;
    if (TBUS_UNLIKELY(t->before.entries)) {
        entry = orders_probe(&t->before, ref);
        if (entry->place != 0)
            return entry;
    }
    return NULL;
}

/* For an add: the live entry of `ref` (place not 0), or the free entry to fill, to be followed by
 * orders_added. */
static inline order_entry_t *orders_place(order_table_t *t, uint64_t ref)
{
    if (TBUS_UNLIKELY(t->before.entries)) {
        order_entry_t *entry = orders_probe(&t->before, ref);
        if (entry->place != 0)
            return entry;
    }
    return orders_probe(&t->now, ref);
}

/* The entry that orders_place gave is filled. May move entries. */
static inline void orders_added(order_table_t *t)
{
    t->live++;
    if (TBUS_UNLIKELY(t->before.entries))
        orders_move_some(t);
    else if (TBUS_UNLIKELY(t->live >= t->grow_at))
        orders_grow(t);
}

static inline void orders_remove(order_table_t *t, order_entry_t *entry)
{
    t->live--;
    if (TBUS_UNLIKELY(t->before.entries) && entry >= t->before.entries &&
        entry <= t->before.entries + t->before.mask) {
        orders_vacate(&t->before, entry);
        t->before_live--;
        return;
    }
    orders_vacate(&t->now, entry);
}

#endif
