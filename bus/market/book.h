/* SPDX-License-Identifier: Apache-2.0 */
/* book.h - the price levels of one side of one symbol, best first. Private to bus/market.
 *
 * A side is a B+ tree. Its nodes are two cache lines, one of keys, one of what they stand for, and
 * all keys of a node are compared at once. Nothing depends on the outcome but an index: a search
 * has no branch that could be predicted wrong, whether it ends at the touch or deep in a book:
 *
 *    root    | 990 | 950 | 0 |                    least key that may be below, the last one: none
 *              /       \      \_____
 *    leaves  | 999 1000 990 |  | 985 960 |  | 940 12 |     the keys of levels, in no order
 *                   |
 *                 best                                     levels: a pool of their own
 *
 * The entries of a leaf are in no order and have gaps, so that a level comes and goes by a store or
 * two; when the best one goes, the next is found by looking at all of the first leaf. Nearly
 * everything happens there: in trees of three floors and more it is looked at before the root. A
 * node but the root has 4 entries at least, so that a side of n levels has n / 3 + 1 nodes at most,
 * and the pool of nodes cannot be used up before that of levels: `levels_max` is exact. Nothing
 * that others could choose makes the tree deep.
 *
 * Memory: 32 bytes a level and up to 44 for its place in a tree (9 in full nodes), and 132 a side
 * that is not empty.
 *
 * A side of a symbol that nobody looks at (demand.h) has no tree. Its orders are in one *pile*, in
 * the order of their time, whatever their prices; the pile is a level of the same pool.
 *
 * Both sides use one code: a *key* orders prices so that better is greater, px for bids and ~px for
 * asks. In nodes it stands with its highest bit turned, since vectors compare signed numbers. Level
 * 0 and node 0 mean "none".
 */
#ifndef TICKBUS_MARKET_BOOK_H
#define TICKBUS_MARKET_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <tickbus/atomic.h>

#define LEVELS_LIMIT   (1u << 28)
#define NODE_KEYS      16u
#define NODE_LEAST     4u            /* entries of a node that is not the root */
#define BOOK_SIDES     (2u * 65536u) /* of all symbols together */
#define BOOK_ROOT_BITS 28u
#define BOOK_PILED     15u /* in the place of floors: the side is a pile; no tree has so many */
#define LEVEL_IS_PILE  UINT32_MAX /* in the place of leaf */

enum { BOOK_BID = 0, BOOK_ASK = 1 };

typedef struct price_level {
    uint64_t qty; /* sum over its orders */
    uint32_t px_e4;
    uint32_t orders;
    uint32_t first; /* of its queue (queue.h): places of the first order and the last, 0: none */
    uint32_t last;
    uint16_t locate;
    uint8_t side; /* BOOK_BID, BOOK_ASK */
    uint8_t slot; /* the entry of its leaf */
    /* the node that it is in; of a free level: how far the next one is from the one behind it */
    uint32_t leaf;
} price_level_t;

_Static_assert(sizeof(price_level_t) == 32, "two levels share a cache line");

/* Of a leaf: entries in no order, with gaps; of an inner node: descending, without. Where there is
 * no entry the key is the least one, and `below` is 0. */
typedef struct book_node {
    int32_t keys[NODE_KEYS];
    uint32_t below[NODE_KEYS]; /* levels of a leaf, else nodes */
} book_node_t;

_Static_assert(sizeof(book_node_t) == 128, "two cache lines a node");

typedef struct level_pool {
    price_level_t *levels; /* [0] stands for none and is never written; not owned */
    book_node_t *nodes;    /* likewise */
    uint32_t *fill;        /* of each node: how many entries << 16, and a bit for each free one */
    uint32_t free;         /* first free level; above levels_max: none left */
    uint32_t levels_max;
    uint32_t live;
    uint32_t free_node;
} level_pool_t;

typedef struct book_side {
    uint32_t best;                  /* level, or the pile; 0: the side is empty */
    uint32_t root : BOOK_ROOT_BITS; /* node */
    uint32_t floors : 4; /* 0: the side is empty; 1: the root is a leaf; BOOK_PILED: no tree */
    uint32_t first;      /* the leaf of the best level */
    int32_t first_least; /* the least key that may be in it */
} book_side_t;

static inline uint32_t book_key(unsigned side, uint32_t px_e4)
{
    return px_e4 ^ (0u - side);
}

/* Bytes for `levels_max` levels (1..LEVELS_LIMIT). */
size_t levels_footprint(uint32_t levels_max);
/* `memory`: 128-byte aligned, zeroed, levels_footprint bytes; it must outlive the pool. */
void levels_init(level_pool_t *pool, void *memory, uint32_t levels_max);

/* The level of `key`, or 0. */
uint32_t book_find(const level_pool_t *pool, const book_side_t *side, uint32_t key);

/* Level `depth` (0: best), or 0. */
uint32_t book_at_depth(const level_pool_t *pool, const book_side_t *side, uint32_t depth);

/* Not for callers: what happens when a leaf is full, or has too few entries. */
void book_insert_slowly(level_pool_t *pool, book_side_t *side, int32_t key, uint32_t level);
void book_mend(level_pool_t *pool, book_side_t *side, int32_t key);

/* ---- nodes: four vectors of keys, four of what they stand for */

typedef int32_t book_lanes_t __attribute__((vector_size(16)));

static inline book_lanes_t book_load(const void *from)
{
    book_lanes_t lanes;
    memcpy(&lanes, __builtin_assume_aligned(from, 16), sizeof lanes);
    return lanes;
}

static inline book_lanes_t book_all(int32_t value)
{
    return (book_lanes_t){value, value, value, value};
}

/* `yes` where the mask is set, else `no`. */
static inline book_lanes_t book_choose(book_lanes_t mask, book_lanes_t yes, book_lanes_t no)
{
    return (yes & mask) | (no & ~mask);
}

static inline int32_t book_node_key(uint32_t key)
{
    return (int32_t)(key ^ 0x80000000u);
}

/* How many keys of an inner node are better than this one. */
static inline uint32_t book_rank(const book_node_t *node, int32_t key)
{
    book_lanes_t than = book_all(key);
    book_lanes_t sum = (book_load(&node->keys[0]) > than) + (book_load(&node->keys[4]) > than) +
                       (book_load(&node->keys[8]) > than) + (book_load(&node->keys[12]) > than);
    sum += __builtin_shufflevector(sum, sum, 2, 3, 0, 1);
    sum += __builtin_shufflevector(sum, sum, 1, 0, 3, 2);
    return 0u - (uint32_t)sum[0];
}

/* What `key` stands for in a leaf, or 0. No key stands there twice. */
static inline uint32_t book_below(const book_node_t *leaf, int32_t key)
{
    book_lanes_t wanted = book_all(key);
    book_lanes_t found = ((book_load(&leaf->keys[0]) == wanted) & book_load(&leaf->below[0])) |
                         ((book_load(&leaf->keys[4]) == wanted) & book_load(&leaf->below[4])) |
                         ((book_load(&leaf->keys[8]) == wanted) & book_load(&leaf->below[8])) |
                         ((book_load(&leaf->keys[12]) == wanted) & book_load(&leaf->below[12]));
    found |= __builtin_shufflevector(found, found, 2, 3, 0, 1);
    found |= __builtin_shufflevector(found, found, 1, 0, 3, 2);
    return (uint32_t)found[0];
}

static inline book_lanes_t book_max(book_lanes_t a, book_lanes_t b)
{
    return book_choose(a > b, a, b);
}

/* The level of the best key of a leaf; 0: it is empty. (The least key may be one.) */
static inline uint32_t book_best(const book_node_t *leaf)
{
    book_lanes_t best = book_max(book_max(book_load(&leaf->keys[0]), book_load(&leaf->keys[4])),
                                 book_max(book_load(&leaf->keys[8]), book_load(&leaf->keys[12])));
    best = book_max(best, __builtin_shufflevector(best, best, 2, 3, 0, 1));
    best = book_max(best, __builtin_shufflevector(best, best, 1, 0, 3, 2));
    return book_below(leaf, best[0]);
}

/* Store one of sixteen words, and the three around it again: a vector that is loaded before the
 * store is done can be had from a store of all of it only. */
static inline void book_set(void *sixteen, uint32_t at, uint32_t word)
{
    uint32_t *four = (uint32_t *)sixteen + (at & ~3u);
    book_lanes_t it = (book_lanes_t){0, 1, 2, 3} == book_all((int32_t)(at & 3u));
    book_lanes_t lanes = book_choose(it, book_all((int32_t)word), book_load(four));
    memcpy(__builtin_assume_aligned(four, 16), &lanes, sizeof lanes);
}

/* Put a level into a leaf that has room. */
static inline void book_put(level_pool_t *pool, uint32_t at, int32_t key, uint32_t level)
{
    uint32_t fill = pool->fill[at], slot = (uint32_t)__builtin_ctz(fill);
    pool->fill[at] = (fill & (fill - 1)) + (1u << 16);
    book_set(pool->nodes[at].keys, slot, (uint32_t)key);
    book_set(pool->nodes[at].below, slot, level);
    pool->levels[level].leaf = at;
    pool->levels[level].slot = (uint8_t)slot;
}

/* The leaf where a key is or belongs. The side is not empty. */
static inline uint32_t book_leaf(const level_pool_t *pool, const book_side_t *side, int32_t key)
{
    if (side->floors > 2 && key >= side->first_least)
        return side->first;
    uint32_t at = side->root;
    for (unsigned floor = side->floors; floor > 1; floor--) {
        const book_node_t *node = &pool->nodes[at];
        at = node->below[book_rank(node, key)];
    }
    return at;
}

/* An empty level that is in no tree. Requires one. */
static inline uint32_t level_take(level_pool_t *pool, uint16_t locate, unsigned which,
                                  uint32_t px_e4)
{
    uint32_t made = pool->free;
    price_level_t *level = &pool->levels[made];
    pool->free = made + 1 + level->leaf;
    pool->live++;
    level->qty = 0;
    level->px_e4 = px_e4;
    level->orders = 0;
    level->first = 0;
    level->last = 0;
    level->locate = locate;
    level->side = (uint8_t)which;
    return made;
}

/* Back into the pool. */
static inline void level_give(level_pool_t *pool, uint32_t index)
{
    pool->levels[index].leaf = pool->free - (index + 1);
    pool->free = index;
    pool->live--;
}

/* The level of a price, made (empty) if there is none. 0: it would have to be made and the pool is
 * used up. */
static inline __attribute__((always_inline)) uint32_t
book_level(level_pool_t *pool, book_side_t *side, uint16_t locate, unsigned which, uint32_t px_e4)
{
    int32_t key = book_node_key(book_key(which, px_e4));
    uint32_t at = book_leaf(pool, side, key); /* node 0, which is full, of an empty side */
    uint32_t found = book_below(&pool->nodes[at], key);
    if (found != 0)
        return found;
    if (TBUS_UNLIKELY(pool->free > pool->levels_max))
        return 0;
    uint32_t made = level_take(pool, locate, which, px_e4);
    if (TBUS_UNLIKELY((pool->fill[at] & 0xffffu) == 0)) {
        book_insert_slowly(pool, side, key, made);
        return made;
    }
    book_put(pool, at, key, made);
    const price_level_t *best = &pool->levels[side->best];
    uint32_t better = 0u - (uint32_t)(key > book_node_key(book_key(which, best->px_e4)));
    side->best = (made & better) | (side->best & ~better); /* nobody can foretell which */
    return made;
}

/* Take a level that has no orders left out of its side. */
static inline void book_drop(level_pool_t *pool, book_side_t *side, uint32_t index)
{
    price_level_t *level = &pool->levels[index];
    uint32_t at = level->leaf, fill = (pool->fill[at] | 1u << level->slot) - (1u << 16);
    pool->fill[at] = fill;
    book_set(pool->nodes[at].keys, level->slot, (uint32_t)INT32_MIN);
    book_set(pool->nodes[at].below, level->slot, 0);
    if (TBUS_UNLIKELY(fill >> 16 < (side->floors == 1 ? 1u : NODE_LEAST)))
        book_mend(pool, side, book_node_key(book_key(level->side, level->px_e4)));
    else if (side->best == index)
        side->best = book_best(&pool->nodes[side->first]);
    level_give(pool, index);
}

/* ---- piles */

static inline bool book_is_piled(const book_side_t *side)
{
    return side->floors == BOOK_PILED;
}

/* The pile of a side that has no tree, made (empty) if there is none. 0: it would have to be made
 * and the pool is used up. */
static inline uint32_t book_pile(level_pool_t *pool, book_side_t *side, uint16_t locate,
                                 unsigned which)
{
    if (TBUS_LIKELY(side->best != 0))
        return side->best;
    if (TBUS_UNLIKELY(pool->free > pool->levels_max))
        return 0;
    uint32_t made = level_take(pool, locate, which, 0);
    pool->levels[made].leaf = LEVEL_IS_PILE;
    side->best = made;
    return made;
}

/* Take a pile that has no orders left, or none that matter, from its side. */
static inline void book_drop_pile(level_pool_t *pool, book_side_t *side)
{
    level_give(pool, side->best);
    side->best = 0;
}

#endif
