/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "bus/market/book.h"

typedef struct bench {
    level_pool_t pool;
    book_side_t side;
    unsigned which;
} bench_t;

static bench_t make(uint32_t levels_max, unsigned which)
{
    bench_t b = {.which = which};
    size_t bytes = levels_footprint(levels_max);
    void *memory = aligned_alloc(128, (bytes + 127) / 128 * 128);
    assert_non_null(memory);
    memset(memory, 0, bytes);
    levels_init(&b.pool, memory, levels_max);
    return b;
}

static void unmake(bench_t *b)
{
    free(b->pool.levels);
}

static uint32_t level(bench_t *b, uint32_t px)
{
    return book_level(&b->pool, &b->side, 1, b->which, px);
}

static uint32_t find(bench_t *b, uint32_t px)
{
    return book_find(&b->pool, &b->side, book_key(b->which, px));
}

typedef struct seen {
    uint32_t levels;
    uint32_t nodes;
    int64_t best; /* key */
    uint32_t best_level;
} seen_t;

static void check_level(const bench_t *b, uint32_t leaf, uint32_t slot)
{
    uint32_t level = b->pool.nodes[leaf].below[slot];
    assert_in_range(level, 1, b->pool.levels_max);
    const price_level_t *l = &b->pool.levels[level];
    assert_int_equal(b->pool.nodes[leaf].keys[slot], book_node_key(book_key(b->which, l->px_e4)));
    assert_int_equal(l->leaf, leaf);
    assert_int_equal(l->slot, slot);
    assert_int_equal(l->side, b->which);
}

/* The node and all below it: their keys are from `least` to below `above`, no node but the root has
 * fewer than four entries, and gaps are free for all to see. */
static void check_node(const bench_t *b, uint32_t at, unsigned floor, int64_t above, int64_t least,
                       seen_t *seen)
{
    const book_node_t *node = &b->pool.nodes[at];
    uint32_t count = 0;
    assert_true(at != 0);
    seen->nodes++;
    for (uint32_t i = 0; i < NODE_KEYS; i++) {
        int32_t key = node->keys[i];
        assert_int_equal(b->pool.fill[at] >> i & 1, node->below[i] == 0);
        if (node->below[i] == 0) {
            assert_int_equal(key, INT32_MIN);
            continue;
        }
        assert_true(key >= least && key < above);
        count++;
        if (floor > 1) {
            assert_int_equal(count, i + 1);
            check_node(b, node->below[i], floor - 1, i == 0 ? above : node->keys[i - 1], key, seen);
            continue;
        }
        check_level(b, at, i);
        seen->levels++;
        if (key > seen->best) {
            seen->best = key;
            seen->best_level = node->below[i];
        }
    }
    assert_int_equal(b->pool.fill[at] >> 16, count);
    assert_in_range(count, at == b->side.root ? 1 + (floor > 1) : NODE_LEAST, NODE_KEYS);
    if (floor > 1)
        assert_int_equal(node->keys[count - 1], least);
}

static uint32_t first_leaf(const bench_t *b)
{
    uint32_t at = b->side.root;
    for (unsigned floor = b->side.floors; floor > 1; floor--)
        at = b->pool.nodes[at].below[0];
    return at;
}

/* Everything book.h promises about a side; returns its depth. */
static uint32_t check_side(const bench_t *b)
{
    static const price_level_t none;
    assert_memory_equal(&b->pool.levels[0], &none, sizeof none);
    if (b->side.floors == 0) {
        assert_true(b->side.best == 0 && b->side.root == 0 && b->side.first == 0);
        assert_int_equal(b->pool.live, 0);
        return 0;
    }
    seen_t seen = {.best = (int64_t)INT32_MIN - 1};
    check_node(b, b->side.root, b->side.floors, (int64_t)INT32_MAX + 1, INT32_MIN, &seen);
    assert_int_equal(seen.best_level, b->side.best);
    assert_int_equal(first_leaf(b), b->side.first);
    if (b->side.floors > 2) /* it is looked at in no other */
        for (uint32_t i = 0; i < NODE_KEYS; i++)
            assert_true(b->pool.nodes[b->side.first].below[i] == 0 ||
                        b->pool.nodes[b->side.first].keys[i] >= b->side.first_least);
    assert_true(seen.nodes <= seen.levels / 3 + 1);
    assert_int_equal(seen.levels, b->pool.live);
    return seen.levels;
}

static void bids_have_the_highest_price_first_and_asks_the_lowest(void **state)
{
    (void)state;
    bench_t bids = make(10, BOOK_BID);
    bench_t asks = make(10, BOOK_ASK);
    static const uint32_t prices[] = {500, 700, 600, 0, UINT32_MAX};
    for (size_t i = 0; i < 5; i++) {
        assert_true(level(&bids, prices[i]) != 0);
        assert_true(level(&asks, prices[i]) != 0);
    }
    assert_int_equal(bids.pool.levels[bids.side.best].px_e4, UINT32_MAX);
    assert_int_equal(asks.pool.levels[asks.side.best].px_e4, 0);
    assert_int_equal(check_side(&bids), 5);
    assert_int_equal(check_side(&asks), 5);
    unmake(&bids);
    unmake(&asks);
}

static void the_same_price_is_the_same_level(void **state)
{
    (void)state;
    bench_t b = make(100, BOOK_BID);
    uint32_t made[100];
    for (uint32_t i = 0; i < 100; i++)
        made[i] = level(&b, 1000 + 100 * i);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(level(&b, 1000 + 100 * i), made[i]);
        assert_int_equal(find(&b, 1000 + 100 * i), made[i]);
        assert_int_equal(find(&b, 1001 + 100 * i), 0);
    }
    assert_int_equal(find(&b, 0), 0);
    assert_int_equal(check_side(&b), 100);
    unmake(&b);
}

static void a_full_pool_still_gives_the_levels_that_exist(void **state)
{
    (void)state;
    bench_t b = make(40, BOOK_ASK);
    for (uint32_t i = 0; i < 40; i++)
        assert_true(level(&b, i) != 0);
    assert_int_equal(level(&b, 40), 0);
    assert_true(level(&b, 0) != 0);
    assert_true(level(&b, 39) != 0);
    assert_int_equal(check_side(&b), 40);
    book_drop(&b.pool, &b.side, find(&b, 20));
    assert_int_equal(check_side(&b), 39);
    assert_true(level(&b, 40) != 0);
    assert_int_equal(check_side(&b), 40);
    unmake(&b);
}

static void a_side_may_be_emptied_from_either_end_and_filled_again(void **state)
{
    (void)state;
    bench_t b = make(300, BOOK_BID);
    for (int round = 0; round < 4; round++) {
        for (uint32_t i = 0; i < 300; i++)
            assert_true(level(&b, round & 1 ? i : 1000 - i) != 0);
        assert_int_equal(check_side(&b), 300);
        for (uint32_t i = 300; i > 0; i--) {
            uint32_t victim = book_at_depth(&b.pool, &b.side, round & 2 ? i - 1 : 0);
            book_drop(&b.pool, &b.side, victim);
            assert_int_equal(check_side(&b), i - 1);
        }
        assert_int_equal(check_side(&b), 0);
    }
    unmake(&b);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Prices crowd around a touch that wanders, as real ones do, with some far away; the model is a bit
 * per price. */
static void random_levels_agree_with_a_set(void **state)
{
    bench_t b = make(4000, *(unsigned *)*state);
    enum { PRICES = 4000 };
    bool model[PRICES] = {false};
    uint64_t seed = 4711 + b.which;
    print_message("seed %llu\n", (unsigned long long)seed);
    uint32_t count = 0;
    uint32_t touch = PRICES / 2;
    for (uint32_t step = 0; step < 60000; step++) {
        uint64_t r = next_random(&seed);
        touch = (touch + (uint32_t)(r >> 60) + PRICES - 7) % PRICES;
        uint32_t px =
            (r & 3) == 0 ? (uint32_t)(r >> 20) % PRICES : (touch + ((r >> 20) & 31)) % PRICES;
        uint32_t at = find(&b, px);
        assert_int_equal(at != 0, model[px]);
        if (at != 0 && (r & 16)) {
            book_drop(&b.pool, &b.side, at);
            model[px] = false;
            count--;
        } else {
            at = level(&b, px);
            assert_int_equal(b.pool.levels[at].px_e4, px);
            count += !model[px];
            model[px] = true;
        }
        if (step % 64 == 0)
            assert_int_equal(check_side(&b), count);
    }
    assert_int_equal(check_side(&b), count);
    assert_true(count > 100);
    unmake(&b);
}

/* The levels by depth are those of the model, best first, and there are no more. */
static void levels_are_found_by_their_depth_best_first(void **state)
{
    (void)state;
    for (unsigned which = BOOK_BID; which <= BOOK_ASK; which++) {
        bench_t b = make(1000, which);
        for (uint32_t i = 0; i < 1000; i++)
            assert_true(level(&b, 100 + (i * 379) % 1000) != 0); /* 379: each one once */
        for (uint32_t depth = 0; depth < 1000; depth++) {
            uint32_t at = book_at_depth(&b.pool, &b.side, depth);
            assert_int_equal(b.pool.levels[at].px_e4,
                             which == BOOK_BID ? 1099 - depth : 100 + depth);
        }
        assert_int_equal(book_at_depth(&b.pool, &b.side, 1000), 0);
        assert_int_equal(book_at_depth(&b.pool, &b.side, UINT32_MAX), 0);
        unmake(&b);
    }
}

/* Whatever the order in which prices come and go, a side of n levels has log n floors: nothing can
 * be crafted that makes it deep. Rising, falling, from the middle outwards, and thinned out. */
static void the_tree_stays_shallow_however_prices_come_and_go(void **state)
{
    (void)state;
    enum { LEVELS = 10000 };
    for (unsigned order = 0; order < 3; order++) {
        bench_t b = make(LEVELS, BOOK_ASK);
        for (uint32_t i = 0; i < LEVELS; i++) {
            uint32_t outwards = i & 1 ? LEVELS / 2 - 1 - i / 2 : LEVELS / 2 + i / 2;
            uint32_t px = order == 0 ? i : order == 1 ? LEVELS - 1 - i : outwards;
            assert_true(level(&b, px * 100) != 0);
        }
        assert_int_equal(check_side(&b), LEVELS);
        assert_in_range(b.side.floors, 4, 5); /* 8^4 is less than 10,000, 16^4 more */
        for (uint32_t px = 0; px < LEVELS; px++)
            if (px % 100 != 0)
                book_drop(&b.pool, &b.side, find(&b, px * 100));
        assert_int_equal(check_side(&b), LEVELS / 100);
        assert_in_range(b.side.floors, 2, 4);
        unmake(&b);
    }
}

/* Sides of many symbols share a pool: whatever each one's depth, its levels run out before nodes
 * do. Two sides of a level each, then one that takes the rest. */
static void nodes_last_as_long_as_levels_do(void **state)
{
    (void)state;
    enum { SIDES = 50, LEVELS = 3 * SIDES * 8 };
    bench_t b = make(LEVELS, BOOK_BID);
    book_side_t sides[SIDES] = {0};
    uint32_t made = 0;
    for (uint32_t px = 0; made < LEVELS; px++)
        for (uint32_t i = 0; i < SIDES && made < LEVELS; i++)
            made += book_level(&b.pool, &sides[i], (uint16_t)i, BOOK_BID, px) != 0;
    assert_int_equal(b.pool.live, LEVELS);
    assert_int_equal(book_level(&b.pool, &sides[0], 0, BOOK_BID, 1000), 0);
    /* Every other side gives up all but four of its levels, the others take them. */
    for (uint32_t i = 0; i < SIDES; i += 2)
        for (uint32_t px = 4; px < LEVELS / SIDES; px++)
            book_drop(&b.pool, &sides[i], book_find(&b.pool, &sides[i], book_key(BOOK_BID, px)));
    for (uint32_t px = 1000; b.pool.live < LEVELS; px++)
        for (uint32_t i = 1; i < SIDES && b.pool.live < LEVELS; i += 2)
            assert_true(book_level(&b.pool, &sides[i], (uint16_t)i, BOOK_BID, px) != 0);
    assert_int_equal(book_level(&b.pool, &sides[1], 1, BOOK_BID, 500), 0);
    for (uint32_t i = 0; i < SIDES; i++)
        while (sides[i].best != 0)
            book_drop(&b.pool, &sides[i], sides[i].best);
    assert_int_equal(b.pool.live, 0);
    unmake(&b);
}

int main(void)
{
    static unsigned bid = BOOK_BID;
    static unsigned ask = BOOK_ASK;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bids_have_the_highest_price_first_and_asks_the_lowest),
        cmocka_unit_test(the_same_price_is_the_same_level),
        cmocka_unit_test(a_full_pool_still_gives_the_levels_that_exist),
        cmocka_unit_test(a_side_may_be_emptied_from_either_end_and_filled_again),
        cmocka_unit_test_prestate(random_levels_agree_with_a_set, &bid),
        cmocka_unit_test_prestate(random_levels_agree_with_a_set, &ask),
        cmocka_unit_test(levels_are_found_by_their_depth_best_first),
        cmocka_unit_test(the_tree_stays_shallow_however_prices_come_and_go),
        cmocka_unit_test(nodes_last_as_long_as_levels_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
