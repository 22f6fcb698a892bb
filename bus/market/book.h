/* SPDX-License-Identifier: Apache-2.0 */
/* book.h - the price levels of one side of one symbol, best first. Private to bus/market.
 *
 * Nearly everything happens within a few levels of the touch, but books are a thousand levels deep,
 * and the whole of a book is rebuilt when a feed starts in mid-day. So the levels form one list,
 * and only those away from the touch (not "loose") are in a search tree as well:
 *
 *    best -> o -> o -> o -> o -> tree_best -> o -> o -> o -> worst    list by `worse`,
 *            \_ loose, <= 16 _/  \_____ in the treap _____/            back by `better`
 *
 * A price is looked for along the loose levels and then in the tree, climbing from its best level.
 * When more than 16 are loose the worse half of them goes into the tree. A level never comes back
 * from the tree; the list just continues there. Work is bounded by 16 steps plus the logarithm of
 * the side's depth; there is no array to shift, and every level is one node of a pool of fixed
 * size, so that `levels_max` is exact. Measured against sorted arrays (search from the end,
 * memmove): as fast within 3 % on AAPL's flow, where arrays need memory that is bounded only in the
 * average. A treap alone: 12 % slower.
 *
 * Both sides use one code: a *key* orders prices so that better is greater, px for bids and ~px for
 * asks. A treap node's priority is a seeded hash of its key, so the tree's shape depends on the
 * prices in it and on the seed, not on their order. Level 0 of the pool means "none".
 */
#ifndef TICKBUS_MARKET_BOOK_H
#define TICKBUS_MARKET_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/market/seeded_hash.h"
#include <tickbus/atomic.h>

#define BOOK_LOOSE_MAX 16u
#define BOOK_TIGHTEN   8u /* loose levels that go into the tree at a time: the worst ones */
#define LEVELS_LIMIT   (1u << 28)

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

/* Bytes for `levels_max` levels (1..LEVELS_LIMIT). */
size_t levels_footprint(uint32_t levels_max);
/* `memory`: 64-byte aligned, zeroed, levels_footprint bytes; it must outlive the pool. Touches all
 * of it. */
void levels_init(level_pool_t *pool, void *memory, uint32_t levels_max, hash_seed_t seed);

/* Where a key is in the tree, or would be. */
typedef struct book_spot {
    uint32_t found;  /* 0: the key is not there */
    uint32_t parent; /* ... and would go below this level, */
    bool higher;     /* on this side */
} book_spot_t;

/* Not for callers: what happens beyond the loose levels. The tree must not be empty where it is
 * searched. */
book_spot_t book_tree_find(const level_pool_t *pool, const book_side_t *side, uint32_t key);
void book_tree_insert(level_pool_t *pool, book_side_t *side, uint32_t level, uint32_t parent,
                      bool higher);
void book_tree_remove(level_pool_t *pool, book_side_t *side, uint32_t level);
void book_tighten(level_pool_t *pool, book_side_t *side);

/* The level of `key`, or 0. */
uint32_t book_find(const level_pool_t *pool, const book_side_t *side, uint32_t key);

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

#endif
