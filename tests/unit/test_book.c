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

static bench_t make_seeded(uint32_t levels_max, unsigned which, hash_seed_t seed)
{
    bench_t b = {.which = which};
    size_t bytes = levels_footprint(levels_max);
    void *memory = aligned_alloc(64, bytes);
    assert_non_null(memory);
    memset(memory, 0, bytes);
    levels_init(&b.pool, memory, levels_max, seed);
    return b;
}

static bench_t make(uint32_t levels_max, unsigned which)
{
    return make_seeded(levels_max, which, (hash_seed_t){.mix = 12345, .factor = 678901});
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

/* Nodes below `at`, with the order of keys, the heap of priorities and the links upwards
 * checked. */
static uint32_t check_tree(const bench_t *b, uint32_t at, uint32_t up, uint64_t above,
                           int64_t below)
{
    if (at == 0)
        return 0;
    const price_level_t *node = &b->pool.levels[at];
    assert_int_equal(node->up, up);
    assert_true((int64_t)node->key > below && node->key < above);
    assert_true(node->priority != 0);
    if (up != 0)
        assert_true(b->pool.levels[up].priority >= node->priority);
    return 1 + check_tree(b, node->lower, at, node->key, below) +
           check_tree(b, node->higher, at, above, node->key);
}

/* Everything book.h promises about a side; returns its depth. */
static uint32_t check_side(const bench_t *b)
{
    const price_level_t *levels = b->pool.levels;
    uint32_t depth = 0;
    uint32_t loose = 0;
    uint32_t first_in_tree = 0;
    uint32_t previous = 0;
    for (uint32_t at = b->side.best; at != 0; previous = at, at = levels[at].worse) {
        assert_int_equal(levels[at].better, previous);
        if (previous != 0)
            assert_true(levels[previous].key > levels[at].key);
        assert_int_equal(levels[at].key, book_key(b->which, levels[at].px_e4));
        if (levels[at].priority == 0) {
            assert_int_equal(first_in_tree, 0);
            loose++;
        } else if (first_in_tree == 0) {
            first_in_tree = at;
        }
        depth++;
    }
    assert_int_equal(loose, b->side.loose);
    assert_true(loose <= BOOK_LOOSE_MAX);
    assert_int_equal(first_in_tree, b->side.tree_best);
    assert_int_equal(check_tree(b, b->side.root, 0, UINT64_MAX, -1), depth - loose);
    assert_int_equal(depth, b->pool.live);
    static const price_level_t none;
    assert_memory_equal(&levels[0], &none, sizeof none);
    return depth;
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
            uint32_t victim = b.side.best;
            if (round & 2)
                while (b.pool.levels[victim].worse != 0)
                    victim = b.pool.levels[victim].worse;
            book_drop(&b.pool, &b.side, victim);
            assert_int_equal(check_side(&b), i - 1);
        }
        assert_int_equal(b.side.best, 0);
        assert_int_equal(b.side.root, 0);
        assert_int_equal(b.side.tree_best, 0);
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

static uint32_t height(const bench_t *b, uint32_t at)
{
    if (at == 0)
        return 0;
    uint32_t lower = height(b, b->pool.levels[at].lower);
    uint32_t higher = height(b, b->pool.levels[at].higher);
    return 1 + (lower > higher ? lower : higher);
}

/* Prices come in steps of 1, 100 or 2,500; a hash that lets a step show would make a chain of the
 * tree. */
static void the_tree_stays_shallow_for_evenly_spaced_prices(void **state)
{
    (void)state;
    static const uint32_t steps[] = {1, 5, 10, 50, 100, 250, 2500, 10000, 65536};
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        bench_t b = make(10000, BOOK_ASK);
        for (uint32_t i = 0; i < 10000; i++)
            assert_true(level(&b, i * steps[s]) != 0);
        assert_in_range(height(&b, b.side.root), 14, 45); /* a random treap of 10,000: about 31 */
        unmake(&b);
    }
}

static uint32_t depth(const bench_t *b, uint32_t at)
{
    if (at == 0)
        return 0;
    uint32_t lower = depth(b, b->pool.levels[at].lower);
    uint32_t higher = depth(b, b->pool.levels[at].higher);
    return 1 + (lower > higher ? lower : higher);
}

enum { CRAFTED = 400 };

static uint32_t depth_with(hash_seed_t seed, const uint32_t *prices)
{
    bench_t b = make_seeded(CRAFTED, BOOK_BID, seed);
    for (uint32_t i = 0; i < CRAFTED; i++)
        assert_true(level(&b, prices[i]) != 0);
    uint32_t deepest = depth(&b, b.side.root);
    for (uint32_t i = 0; i < CRAFTED; i++)
        assert_true(find(&b, prices[i]) != 0);
    unmake(&b);
    return deepest;
}

/* Prices whose priorities rise with them make the tree a list, for whoever knows the seed. */
static void prices_that_were_crafted_for_one_seed_do_no_harm_with_another(void **state)
{
    (void)state;
    static uint32_t prices[CRAFTED];
    hash_seed_t known = {.mix = 0, .factor = 1};
    uint32_t found = 0;
    for (uint32_t px = 1; found < CRAFTED; px++)
        if (seeded_hash(&known, px) / (UINT64_MAX / CRAFTED + 1) == found)
            prices[found++] = px;
    assert_true(depth_with(known, prices) >= CRAFTED - 2 * BOOK_LOOSE_MAX);
    for (uint64_t i = 1; i <= 20; i++) {
        hash_seed_t other = {.mix = i * UINT64_C(0xd6e8feb86659fd93),
                             .factor = (i * UINT64_C(0xa0761d6478bd642f)) | 1};
        assert_true(depth_with(other, prices) < 64);
    }
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
        cmocka_unit_test(the_tree_stays_shallow_for_evenly_spaced_prices),
        cmocka_unit_test(prices_that_were_crafted_for_one_seed_do_no_harm_with_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
