/* SPDX-License-Identifier: Apache-2.0 */
/* The rare half of book.h: nodes that are full are split on the way down, those with too few
 * entries are merged with a neighbour, or have some of its entries. */
#include "bus/market/book.h"

#include <assert.h>

#define FLOORS_MAX 15u /* 4 entries a node at least: 4^14 is 2^28 */
/* Two nodes become one when it is no fuller than this: the next insertions must not split it
 * again. */
#define MERGED_MAX 12u

/* The root has 2 entries at least: with so many floors a tree has 2 x 4^14 levels. */
_Static_assert(BOOK_PILED == FLOORS_MAX && LEVELS_LIMIT < 2u << 28, "no tree is taken for a pile");
_Static_assert(LEVELS_LIMIT / 3 + BOOK_SIDES < 1u << BOOK_ROOT_BITS, "a node fits into its bits");

static uint32_t nodes_for(uint32_t levels_max)
{
    return levels_max / 3 + (levels_max < BOOK_SIDES ? levels_max : BOOK_SIDES) + FLOORS_MAX;
}

static size_t levels_bytes(uint32_t levels_max)
{
    size_t bytes = ((size_t)levels_max + 1) * sizeof(price_level_t);
    return (bytes + sizeof(book_node_t) - 1) / sizeof(book_node_t) * sizeof(book_node_t);
}

size_t levels_footprint(uint32_t levels_max)
{
    return levels_bytes(levels_max) +
           ((size_t)nodes_for(levels_max) + 1) * (sizeof(book_node_t) + sizeof(uint32_t));
}

void levels_init(level_pool_t *pool, void *memory, uint32_t levels_max)
{
    book_node_t *nodes = (book_node_t *)(void *)((uint8_t *)memory + levels_bytes(levels_max));
    *pool = (level_pool_t){.levels = memory,
                           .nodes = nodes,
                           .fill = (uint32_t *)(void *)(nodes + nodes_for(levels_max) + 1),
                           .free = 1,
                           .levels_max = levels_max,
                           .free_node = 1};
}

static unsigned entries(const level_pool_t *pool, uint32_t node)
{
    return pool->fill[node] >> 16;
}

static bool is_full(const level_pool_t *pool, uint32_t node)
{
    return entries(pool, node) == NODE_KEYS;
}

/* So many, without a gap. */
static void set_entries(level_pool_t *pool, uint32_t node, unsigned count)
{
    pool->fill[node] = count << 16 | (0xffffu << count & 0xffffu);
}

/* Free nodes are linked as free levels are, by below[0]. */
static uint32_t take_node(level_pool_t *pool)
{
    uint32_t taken = pool->free_node;
    assert(taken <= nodes_for(pool->levels_max));
    book_node_t *node = &pool->nodes[taken];
    pool->free_node = taken + 1 + node->below[0];
    for (unsigned i = 0; i < NODE_KEYS; i++) {
        node->keys[i] = INT32_MIN;
        node->below[i] = 0;
    }
    set_entries(pool, taken, 0);
    return taken;
}

static void give_node(level_pool_t *pool, uint32_t index)
{
    pool->nodes[index].below[0] = pool->free_node - (index + 1);
    pool->free_node = index;
}

/* Put an entry at `at`, where the others make room. The node has no gap, and is not full. */
static void put_entry(level_pool_t *pool, uint32_t index, unsigned at, int32_t key, uint32_t below)
{
    book_node_t *node = &pool->nodes[index];
    unsigned count = entries(pool, index);
    for (unsigned i = count; i > at; i--) {
        node->keys[i] = node->keys[i - 1];
        node->below[i] = node->below[i - 1];
    }
    node->keys[at] = key;
    node->below[at] = below;
    set_entries(pool, index, count + 1);
}

static void cut_entry(level_pool_t *pool, uint32_t index, unsigned at)
{
    book_node_t *node = &pool->nodes[index];
    unsigned last = entries(pool, index) - 1;
    for (unsigned i = at; i < last; i++) {
        node->keys[i] = node->keys[i + 1];
        node->below[i] = node->below[i + 1];
    }
    node->keys[last] = INT32_MIN;
    node->below[last] = 0;
    set_entries(pool, index, last);
}

/* The levels of a leaf, best first and without a gap; returns how many. */
static unsigned sort(book_node_t *leaf)
{
    book_node_t from = *leaf;
    unsigned count = 0;
    for (unsigned i = 0; i < NODE_KEYS; i++) {
        if (from.below[i] == 0)
            continue;
        unsigned at = count++;
        for (; at > 0 && leaf->keys[at - 1] < from.keys[i]; at--) {
            leaf->keys[at] = leaf->keys[at - 1];
            leaf->below[at] = leaf->below[at - 1];
        }
        leaf->keys[at] = from.keys[i];
        leaf->below[at] = from.below[i];
    }
    for (unsigned i = count; i < NODE_KEYS; i++) {
        leaf->keys[i] = INT32_MIN;
        leaf->below[i] = 0;
    }
    return count;
}

/* Before entries of a leaf move to another: inner nodes are sorted all the time. */
static void sort_leaf(level_pool_t *pool, uint32_t index, bool leaf)
{
    if (leaf)
        set_entries(pool, index, sort(&pool->nodes[index]));
}

/* And afterwards. */
static void tell_levels(level_pool_t *pool, uint32_t index, bool leaf)
{
    const book_node_t *node = &pool->nodes[index];
    for (unsigned i = 0; leaf && i < entries(pool, index); i++) {
        pool->levels[node->below[i]].leaf = index;
        pool->levels[node->below[i]].slot = (uint8_t)i;
    }
}

/* Its last entries, from `from` on, go before those of another node, which has room for them. */
static void move_tail(level_pool_t *pool, uint32_t node, unsigned from, uint32_t to)
{
    for (unsigned i = entries(pool, node); i-- > from;) {
        put_entry(pool, to, 0, pool->nodes[node].keys[i], pool->nodes[node].below[i]);
        cut_entry(pool, node, i);
    }
}

/* The full node below entry `at` of `parent`, which has room, becomes two. */
static void split(level_pool_t *pool, uint32_t parent, unsigned at, bool leaves)
{
    uint32_t made = take_node(pool), full = pool->nodes[parent].below[at];
    sort_leaf(pool, full, leaves);
    move_tail(pool, full, NODE_KEYS / 2, made);
    tell_levels(pool, full, leaves);
    tell_levels(pool, made, leaves);
    put_entry(pool, parent, at, pool->nodes[full].keys[NODE_KEYS / 2 - 1], full);
    pool->nodes[parent].below[at + 1] = made;
}

/* The first leaf and the best level may have changed. */
static void look_at_first(const level_pool_t *pool, book_side_t *side)
{
    uint32_t at = side->root;
    side->first_least = INT32_MIN;
    for (unsigned floor = side->floors; floor > 1; floor--) {
        side->first_least = pool->nodes[at].keys[0];
        at = pool->nodes[at].below[0];
    }
    side->first = at;
    side->best = book_best(&pool->nodes[at]);
}

void book_insert_slowly(level_pool_t *pool, book_side_t *side, int32_t key, uint32_t level)
{
    if (side->floors == 0) {
        side->root = take_node(pool);
        side->floors = 1;
    } else if (is_full(pool, side->root)) {
        uint32_t root = take_node(pool);
        put_entry(pool, root, 0, INT32_MIN, side->root);
        side->root = root;
        side->floors++;
        assert(side->floors < BOOK_PILED);
        split(pool, root, 0, side->floors == 2);
    }
    uint32_t at = side->root;
    for (unsigned floor = side->floors; floor > 1; floor--) {
        unsigned rank = book_rank(&pool->nodes[at], key);
        if (is_full(pool, pool->nodes[at].below[rank])) {
            split(pool, at, rank, floor == 2);
            rank = book_rank(&pool->nodes[at], key);
        }
        at = pool->nodes[at].below[rank];
    }
    book_put(pool, at, key, level);
    look_at_first(pool, side);
}

/* Entry `at` of `parent` and the one behind it: one node, or two that share what there is. */
static void even_out(level_pool_t *pool, uint32_t parent, unsigned at, bool leaves)
{
    uint32_t better = pool->nodes[parent].below[at], worse = pool->nodes[parent].below[at + 1];
    sort_leaf(pool, better, leaves);
    sort_leaf(pool, worse, leaves);
    unsigned count = entries(pool, better), all = count + entries(pool, worse);
    unsigned stay = all <= MERGED_MAX ? all : all / 2;
    move_tail(pool, better, stay < count ? stay : count, worse);
    for (; count < stay; count++) {
        put_entry(pool, better, count, pool->nodes[worse].keys[0], pool->nodes[worse].below[0]);
        cut_entry(pool, worse, 0);
    }
    tell_levels(pool, better, leaves);
    tell_levels(pool, worse, leaves);
    if (entries(pool, worse) != 0) {
        pool->nodes[parent].keys[at] = pool->nodes[better].keys[stay - 1];
        return;
    }
    pool->nodes[parent].below[at + 1] = better;
    cut_entry(pool, parent, at);
    give_node(pool, worse);
}

/* The leaf that `key` belongs to has too few entries. */
void book_mend(level_pool_t *pool, book_side_t *side, int32_t key)
{
    uint32_t path[FLOORS_MAX];
    unsigned ranks[FLOORS_MAX], floors = side->floors, deep = 0;
    path[0] = side->root;
    for (; deep + 1 < floors; deep++) {
        ranks[deep] = book_rank(&pool->nodes[path[deep]], key);
        path[deep + 1] = pool->nodes[path[deep]].below[ranks[deep]];
    }
    for (; deep > 0 && entries(pool, path[deep]) < NODE_LEAST; deep--) {
        unsigned last = entries(pool, path[deep - 1]) - 1, rank = ranks[deep - 1];
        even_out(pool, path[deep - 1], rank < last ? rank : rank - 1, deep + 1 == floors);
    }
    while (side->floors > 1 && entries(pool, side->root) == 1) {
        uint32_t root = side->root;
        side->root = pool->nodes[root].below[0];
        side->floors--;
        give_node(pool, root);
    }
    look_at_first(pool, side);
    if (side->best == 0) {
        give_node(pool, side->root);
        *side = (book_side_t){0};
    }
}

uint32_t book_find(const level_pool_t *pool, const book_side_t *side, uint32_t key)
{
    int32_t wanted = book_node_key(key);
    return book_below(&pool->nodes[book_leaf(pool, side, wanted)], wanted);
}

/* The entry of a leaf that has so many better ones. A few passes: a copy that is sorted costs more
 * for the first few, which are what is asked for. */
static uint32_t ranked(const book_node_t *leaf, unsigned better)
{
    int64_t under = INT64_MAX;
    uint32_t found = 0;
    for (unsigned pass = 0; pass <= better; pass++) {
        int64_t best = INT64_MIN;
        for (unsigned i = 0; i < NODE_KEYS; i++) {
            bool nearer = leaf->below[i] != 0 && leaf->keys[i] < under && leaf->keys[i] > best;
            best = nearer ? leaf->keys[i] : best;
            found = nearer ? leaf->below[i] : found;
        }
        under = best;
    }
    return found;
}

uint32_t book_at_depth(const level_pool_t *pool, const book_side_t *side, uint32_t depth)
{
    if (depth == 0 || side->floors == 0)
        return side->best;
    /* Leaf by leaf: what is on the way to the one at hand, and which entry it is below. */
    uint32_t path[FLOORS_MAX] = {side->root};
    unsigned ranks[FLOORS_MAX] = {0}, deep = 0;
    for (;;) {
        const book_node_t *node = &pool->nodes[path[deep]];
        unsigned count = entries(pool, path[deep]);
        bool leaf = deep + 1 == side->floors;
        if (leaf && depth < count)
            return ranked(node, depth);
        if (!leaf && ranks[deep] < count) {
            path[deep + 1] = node->below[ranks[deep]++];
            ranks[++deep] = 0;
            continue;
        }
        depth -= leaf ? count : 0;
        if (deep-- == 0)
            return 0;
    }
}
