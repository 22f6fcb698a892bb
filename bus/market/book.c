/* SPDX-License-Identifier: Apache-2.0 */
/* The deep part of a side: a treap over the levels away from the touch, which are in the list of
 * book.h as well. */
#include "bus/market/book.h"

size_t levels_footprint(uint32_t levels_max)
{
    return ((size_t)levels_max + 1) * sizeof(price_level_t);
}

void levels_init(level_pool_t *pool, void *memory, uint32_t levels_max, hash_seed_t seed)
{
    pool->seed = seed;
    pool->levels = memory;
    pool->free = 1;
    pool->live = 0;
    for (uint32_t i = 1; i <= levels_max; i++)
        pool->levels[i].worse = i < levels_max ? i + 1 : 0;
}

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

book_spot_t book_tree_find(const level_pool_t *pool, const book_side_t *side, uint32_t key)
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

void book_tree_insert(level_pool_t *pool, book_side_t *side, uint32_t level, uint32_t parent,
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

void book_tree_remove(level_pool_t *pool, book_side_t *side, uint32_t level)
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

void book_tighten(level_pool_t *pool, book_side_t *side)
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

uint32_t book_find(const level_pool_t *pool, const book_side_t *side, uint32_t key)
{
    const price_level_t *levels = pool->levels;
    uint32_t at = side->best;
    while (at != side->tree_best && levels[at].key > key)
        at = levels[at].worse;
    if (at == 0)
        return 0;
    if (levels[at].key == key)
        return at;
    return levels[at].key > key ? book_tree_find(pool, side, key).found : 0;
}
