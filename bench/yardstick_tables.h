/* SPDX-License-Identifier: Apache-2.0 */
/* yardstick_tables.h - the tables of yardstick.c: price levels, orders by reference and queues as
 * they were at commit ca9d1ff, so that a figure of then can be measured beside one of now. Nothing
 * else includes them, and they do not change. bus/market has those of today, and what there is to
 * say about them.
 */
#ifndef TICKBUS_BENCH_YARDSTICK_TABLES_H
#define TICKBUS_BENCH_YARDSTICK_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <tickbus/atomic.h>

/* ---- hashes */

typedef struct hash_seed {
    uint64_t mix;
    uint64_t factor; /* odd */
} hash_seed_t;

static inline uint64_t seeded_hash(const hash_seed_t *seed, uint64_t key)
{
    uint64_t x = (key ^ seed->mix) * UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 32;
    return x * seed->factor;
}

/* ---- price levels */

#define BOOK_LOOSE_MAX 16u
#define BOOK_TIGHTEN   8u /* loose levels that go into the tree at a time: the worst ones */

enum { BOOK_BID = 0, BOOK_ASK = 1 };

typedef struct price_level {
    uint64_t qty; /* sum over its orders */
    uint32_t px_e4;
    uint32_t orders;
    uint32_t key;
    uint32_t worse;  /* next in the list; in a free level: the next free one */
    uint32_t better; /* previous in the list */
    uint32_t up;     /* tree: parent, lower and higher keys below */
    uint32_t lower;
    uint32_t higher;
    uint32_t priority; /* 0: loose, not in the tree */
    uint16_t locate;
    uint8_t side; /* BOOK_BID, BOOK_ASK */
    uint8_t pad[5];
    uint32_t first; /* of its queue (queue.h): places of the first order and the last, 0: none */
    uint32_t last;
    uint32_t pad_end;
} price_level_t;

_Static_assert(sizeof(price_level_t) == 64, "one cache line a level");

typedef struct level_pool {
    price_level_t *levels; /* [0] stands for none and is never written; not owned */
    uint32_t free;         /* first free level, 0: none left */
    uint32_t live;
    hash_seed_t seed;
} level_pool_t;

typedef struct book_side {
    uint32_t best;      /* 0: the side is empty */
    uint32_t tree_best; /* best level in the tree; 0: all are loose */
    uint32_t root;
    uint32_t loose; /* how many */
} book_side_t;

static inline uint32_t book_key(unsigned side, uint32_t px_e4)
{
    return px_e4 ^ (0u - side);
}

/* Where a key is in the tree, or would be. */
typedef struct book_spot {
    uint32_t found;  /* 0: the key is not there */
    uint32_t parent; /* ... and would go below this level, */
    bool higher;     /* on this side */
} book_spot_t;

/* Never 0. */
static uint32_t book_priority(const level_pool_t *pool, uint32_t key)
{
    return (uint32_t)(seeded_hash(&pool->seed, key) >> 32) | 1u;
}

/* What hung below `parent` as `child` is now `heir`; parent 0: the root. */
static void tree_relink(price_level_t *levels, book_side_t *side, uint32_t parent, uint32_t child,
                        uint32_t heir)
{
    if (parent == 0)
        side->root = heir;
    else if (levels[parent].lower == child)
        levels[parent].lower = heir;
    else
        levels[parent].higher = heir;
    if (heir != 0)
        levels[heir].up = parent;
}

/* Rotate: `x` and its parent change places, the order of keys stays. */
static void tree_raise(price_level_t *levels, book_side_t *side, uint32_t x)
{
    uint32_t parent = levels[x].up;
    tree_relink(levels, side, levels[parent].up, parent, x);
    uint32_t between;
    if (levels[parent].lower == x) {
        between = levels[x].higher;
        levels[x].higher = parent;
        levels[parent].lower = between;
    } else {
        between = levels[x].lower;
        levels[x].lower = parent;
        levels[parent].higher = between;
    }
    levels[parent].up = x;
    if (between != 0)
        levels[between].up = parent;
}

static book_spot_t book_tree_find(const level_pool_t *pool, const book_side_t *side, uint32_t key)
{
    const price_level_t *levels = pool->levels;
    uint32_t at = side->tree_best;
    /* The best level is at the end of the tree's edge: all above it on the way to the root are
     * worse than what hangs below them. */
    while (levels[at].up != 0 && key <= levels[levels[at].up].key)
        at = levels[at].up;
    for (;;) {
        if (levels[at].key == key)
            return (book_spot_t){at, 0, false};
        bool higher = key > levels[at].key;
        uint32_t next = higher ? levels[at].higher : levels[at].lower;
        if (next == 0)
            return (book_spot_t){0, at, higher};
        at = next;
    }
}

static void book_tree_insert(level_pool_t *pool, book_side_t *side, uint32_t level, uint32_t parent,
                             bool higher)
{
    price_level_t *levels = pool->levels;
    price_level_t *node = &levels[level];
    node->lower = 0;
    node->higher = 0;
    node->up = parent;
    node->priority = book_priority(pool, node->key);
    if (parent == 0)
        side->root = level;
    else if (higher)
        levels[parent].higher = level;
    else
        levels[parent].lower = level;
    while (node->up != 0 && levels[node->up].priority < node->priority)
        tree_raise(levels, side, level);
}

static void book_tree_remove(level_pool_t *pool, book_side_t *side, uint32_t level)
{
    price_level_t *levels = pool->levels;
    const price_level_t *node = &levels[level];
    while (node->lower != 0 && node->higher != 0) {
        bool raise_lower = levels[node->lower].priority > levels[node->higher].priority;
        tree_raise(levels, side, raise_lower ? node->lower : node->higher);
    }
    tree_relink(levels, side, node->up, level, node->lower != 0 ? node->lower : node->higher);
    if (side->tree_best == level)
        side->tree_best =
            node->worse; /* all that are worse than a level of the tree are in the tree */
}

static void book_tighten(level_pool_t *pool, book_side_t *side)
{
    price_level_t *levels = pool->levels;
    uint32_t level = side->best;
    for (uint32_t i = 1; i < side->loose; i++)
        level = levels[level].worse;
    for (uint32_t i = 0; i < BOOK_TIGHTEN; i++) {
        book_tree_insert(pool, side, level, side->tree_best, true);
        side->tree_best = level;
        side->loose--;
        level = levels[level].better;
    }
}

/* The level of a price, made (empty) if there is none. 0: it would have to be made and the pool is
 * used up. */
static inline uint32_t book_level(level_pool_t *pool, book_side_t *side, uint16_t locate,
                                  unsigned which, uint32_t px_e4)
{
    price_level_t *levels = pool->levels;
    uint32_t key = book_key(which, px_e4);
    uint32_t better = 0;
    uint32_t worse = side->best;
    while (worse != side->tree_best && levels[worse].key > key) {
        better = worse;
        worse = levels[worse].worse;
    }
    if (worse != 0 && levels[worse].key == key)
        return worse;
    book_spot_t spot = {0, 0, false};
    if (worse != 0 && levels[worse].key > key) {
        spot = book_tree_find(pool, side, key);
        if (spot.found != 0)
            return spot.found;
        better = spot.higher ? levels[spot.parent].better : spot.parent;
        worse = spot.higher ? spot.parent : levels[spot.parent].worse;
    }
    uint32_t made = pool->free;
    if (TBUS_UNLIKELY(made == 0))
        return 0;
    price_level_t *level = &levels[made];
    pool->free = level->worse;
    pool->live++;
    level->qty = 0;
    level->px_e4 = px_e4;
    level->orders = 0;
    level->key = key;
    level->priority = 0;
    level->locate = locate;
    level->side = (uint8_t)which;
    level->first = 0;
    level->last = 0;
    level->worse = worse;
    level->better = better;
    if (worse != 0)
        levels[worse].better = made;
    if (better != 0)
        levels[better].worse = made;
    else
        side->best = made;
    if (TBUS_UNLIKELY(spot.parent != 0))
        book_tree_insert(pool, side, made, spot.parent, spot.higher);
    else if (TBUS_UNLIKELY(++side->loose > BOOK_LOOSE_MAX))
        book_tighten(pool, side);
    return made;
}

/* Take a level that has no orders left out of its side. */
static inline void book_drop(level_pool_t *pool, book_side_t *side, uint32_t index)
{
    price_level_t *levels = pool->levels;
    price_level_t *level = &levels[index];
    if (TBUS_LIKELY(level->priority == 0))
        side->loose--;
    else
        book_tree_remove(pool, side, index);
    if (level->better != 0)
        levels[level->better].worse = level->worse;
    else
        side->best = level->worse;
    if (level->worse != 0)
        levels[level->worse].better = level->better;
    level->worse = pool->free;
    pool->free = index;
    pool->live--;
}

/* ---- orders by reference */

#define ORDERS_BITS_MIN 12u
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

/* The sizes 2^12, 2^13, .. stand one after the other. */
static size_t orders_offset(uint32_t bits)
{
    return ((size_t)1 << bits) - ((size_t)1 << ORDERS_BITS_MIN);
}

static void orders_use(order_table_t *t, uint32_t bits)
{
    t->bits = bits;
    t->now.entries = t->memory + orders_offset(bits);
    t->now.mask = (uint32_t)((UINT64_C(1) << bits) - 1);
    t->now.shift = 64 - bits;
    t->now.seed = t->seed;
    t->grow_at = bits < t->bits_max ? 1u << (bits - 2) : UINT32_MAX;
}

/* A table of S slots grows at S/4 live orders, the next one at S/2: at least S/4 adds lie between,
 * each of which empties 8 slots. So `before` is empty long before the next growth, and two tables
 * are all there ever are. */
static void orders_grow(order_table_t *t)
{
    t->before = t->now;
    t->before_live = t->live;
    t->before_at = 0;
    orders_use(t, t->bits + 1);
}

static void orders_move_some(order_table_t *t)
{
    for (uint32_t i = 0; i < ORDERS_MOVED_PER_ADD && t->before_live > 0; i++) {
        order_entry_t *from = &t->before.entries[t->before_at];
        /* Vacating shifts a follower into this very slot: the slot is done when none comes. */
        while (from->place != 0) {
            *orders_probe(&t->now, from->ref) = *from;
            orders_vacate(&t->before, from);
            t->before_live--;
        }
        t->before_at++;
    }
    if (t->before_live == 0)
        t->before.entries = NULL;
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

/* ---- queues */

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

#endif
