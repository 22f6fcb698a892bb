/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "bus/market/orders.h"

typedef struct bench {
    order_table_t table;
    void *memory;
} bench_t;

static bench_t make_seeded(uint32_t orders_max, hash_seed_t seed)
{
    bench_t b;
    size_t bytes = orders_footprint(orders_max);
    b.memory = aligned_alloc(64, bytes);
    assert_non_null(b.memory);
    memset(b.memory, 0, bytes);
    orders_init(&b.table, b.memory, orders_max, seed);
    return b;
}

static bench_t make(uint32_t orders_max)
{
    return make_seeded(orders_max, (hash_seed_t){.mix = 12345, .factor = 678901});
}

static bool add(bench_t *b, uint64_t ref, uint32_t place)
{
    order_entry_t *entry = orders_place(&b->table, ref);
    if (entry->place != 0)
        return false;
    *entry = (order_entry_t){.ref = ref, .place = place, .level = place + 1};
    orders_added(&b->table);
    return true;
}

static void check(bench_t *b, uint64_t ref, uint32_t place)
{
    const order_entry_t *entry = orders_find(&b->table, ref);
    if (place == 0) {
        assert_null(entry);
        return;
    }
    assert_non_null(entry);
    assert_int_equal(entry->ref, ref);
    assert_int_equal(entry->place, place);
    assert_int_equal(entry->level, place + 1);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void an_order_is_found_until_it_is_removed(void **state)
{
    (void)state;
    bench_t b = make(10);
    check(&b, 7, 0);
    assert_true(add(&b, 7, 100));
    check(&b, 7, 100);
    assert_int_equal(b.table.live, 1);
    orders_remove(&b.table, orders_find(&b.table, 7));
    check(&b, 7, 0);
    assert_int_equal(b.table.live, 0);
    free(b.memory);
}

static void any_64_bit_number_may_be_a_reference(void **state)
{
    (void)state;
    static const uint64_t refs[] = {0, 1, UINT64_MAX, UINT64_MAX - 1, UINT64_C(1) << 63};
    bench_t b = make(10);
    for (uint32_t i = 0; i < 5; i++)
        assert_true(add(&b, refs[i], i + 1));
    for (uint32_t i = 0; i < 5; i++) {
        assert_false(add(&b, refs[i], 9));
        check(&b, refs[i], i + 1);
    }
    free(b.memory);
}

/* References that share one home slot, some at the very end of the table, so that runs go around
 * its end. */
static void removals_from_a_run_that_wraps_keep_the_rest_reachable(void **state)
{
    (void)state;
    enum { RUN = 24 };
    bench_t b = make(1000);
    uint64_t refs[RUN];
    uint32_t found = 0;
    for (uint64_t ref = 1; found < RUN; ref++)
        if (orders_home(&b.table.now, ref) >= b.table.now.mask - 2)
            refs[found++] = ref;
    for (uint32_t first = 0; first < RUN; first++) {
        for (uint32_t i = 0; i < RUN; i++)
            assert_true(add(&b, refs[i], i + 1));
        assert_true(b.table.now.entries[0].place != 0);
        for (uint32_t gone = 0; gone < RUN; gone++) {
            /* 7 and 24 have no common divisor: each one once */
            uint32_t victim = (first + gone * 7) % RUN;
            orders_remove(&b.table, orders_find(&b.table, refs[victim]));
            check(&b, refs[victim], 0);
            for (uint32_t later = gone + 1; later < RUN; later++)
                check(&b, refs[(first + later * 7) % RUN], (first + later * 7) % RUN + 1);
        }
        assert_int_equal(b.table.live, 0);
    }
    free(b.memory);
}

/* Against a plain array of places by reference, through every size and with removals in the
 * midst of each move. */
static void a_growing_table_agrees_with_an_array(void **state)
{
    (void)state;
    enum { REFS = 60000, LIVE_MAX = 40000 };
    uint64_t seed = 20240611;
    print_message("seed %llu\n", (unsigned long long)seed);
    bench_t b = make(LIVE_MAX);
    uint32_t *model = calloc(REFS, sizeof *model);
    assert_non_null(model);
    uint32_t live = 0;
    bool moved = false;
    for (uint32_t step = 0; step < 400000; step++) {
        uint64_t r = next_random(&seed);
        uint64_t ref = (r >> 8) % REFS;
        bool remove = (r & 7) < 3;
        order_entry_t *entry = orders_find(&b.table, ref);
        assert_int_equal(entry != NULL, model[ref] != 0);
        if (entry != NULL && remove) {
            assert_int_equal(entry->place, model[ref]);
            orders_remove(&b.table, entry);
            model[ref] = 0;
            live--;
        } else if (entry == NULL && live < LIVE_MAX) {
            model[ref] = (uint32_t)(r >> 40) | 1;
            assert_true(add(&b, ref, model[ref]));
            live++;
        }
        assert_int_equal(b.table.live, live);
        moved |= b.table.before.entries != NULL;
        if (step % 50000 == 49999)
            for (uint32_t i = 0; i < REFS; i++)
                check(&b, i, model[i]);
    }
    assert_true(moved);
    assert_true(b.table.bits > ORDERS_BITS_MIN);
    for (uint32_t i = 0; i < REFS; i++)
        check(&b, i, model[i]);
    free(model);
    free(b.memory);
}

static void a_move_is_over_before_the_next_growth(void **state)
{
    (void)state;
    bench_t b = make(200000);
    uint32_t growths = 0;
    uint32_t bits = b.table.bits;
    for (uint32_t ref = 0; ref < 200000; ref++) {
        assert_true(add(&b, ref * UINT64_C(4) + 1, 1)); /* orders_grow asserts it */
        growths += b.table.bits != bits;
        bits = b.table.bits;
    }
    assert_int_equal(bits, b.table.bits_max);
    assert_int_equal(growths, bits - ORDERS_BITS_MIN);
    assert_null(b.table.before.entries);
    for (uint32_t ref = 0; ref < 200000; ref++)
        check(&b, ref * UINT64_C(4) + 1, 1);
    free(b.memory);
}

static void the_largest_size_leaves_half_of_the_slots_free(void **state)
{
    (void)state;
    static const uint32_t maxima[] = {1, 2048, 2049, 100000, 1u << 20};
    for (size_t i = 0; i < sizeof maxima / sizeof *maxima; i++) {
        bench_t b = make(maxima[i]);
        assert_true((UINT64_C(1) << b.table.bits_max) >= UINT64_C(2) * maxima[i]);
        free(b.memory);
    }
}

/* How many entries a search for each live order passes over, in all. */
static uint64_t passed_over(const order_slots_t *s)
{
    uint64_t sum = 0;
    for (uint32_t at = 0; at <= s->mask; at++)
        if (s->entries[at].place != 0)
            sum += (at - orders_home(s, s->entries[at].ref)) & s->mask;
    return sum;
}

enum { CRAFTED = 1000 }; /* the smallest table holds them without growing */

static uint64_t passed_over_with(hash_seed_t seed, const uint64_t *refs)
{
    bench_t b = make_seeded(CRAFTED, seed);
    for (uint32_t i = 0; i < CRAFTED; i++)
        assert_true(add(&b, refs[i], i + 1));
    assert_null(b.table.before.entries);
    uint64_t sum = passed_over(&b.table.now);
    for (uint32_t i = 0; i < CRAFTED; i++)
        check(&b, refs[i], i + 1);
    free(b.memory);
    return sum;
}

/* Whoever knows the seed makes searches as long as there are orders; whoever does not makes them no
 * longer than chance does (a quarter full: 0.2 entries each). */
static void references_that_were_crafted_for_one_seed_do_no_harm_with_another(void **state)
{
    (void)state;
    static uint64_t refs[CRAFTED];
    hash_seed_t known = {.mix = 0, .factor = 1};
    bench_t b = make_seeded(CRAFTED, known);
    uint32_t found = 0;
    for (uint64_t ref = 1; found < CRAFTED; ref++)
        if (orders_home(&b.table.now, ref) == 77)
            refs[found++] = ref;
    free(b.memory);
    assert_int_equal(passed_over_with(known, refs), (uint64_t)CRAFTED * (CRAFTED - 1) / 2);
    uint64_t random = 4711;
    for (unsigned i = 0; i < 20; i++) {
        hash_seed_t other = {.mix = next_random(&random), .factor = next_random(&random) | 1};
        assert_true(passed_over_with(other, refs) < CRAFTED);
    }
}

/* What crafted references were for tables without a seed: one multiplication, undone. */
static void references_that_count_in_the_hashs_own_steps_do_no_harm(void **state)
{
    (void)state;
    static uint64_t refs[CRAFTED];
    uint64_t inverse = UINT64_C(0x9e3779b97f4a7c15);
    for (unsigned i = 0; i < 6; i++) /* Newton: twice as many bits with each turn */
        inverse *= 2 - UINT64_C(0x9e3779b97f4a7c15) * inverse;
    assert_true(inverse * UINT64_C(0x9e3779b97f4a7c15) == 1);
    for (uint64_t i = 0; i < CRAFTED; i++)
        refs[i] = i * inverse;
    uint64_t random = 815;
    for (unsigned i = 0; i < 20; i++) {
        hash_seed_t seed = {.mix = next_random(&random), .factor = next_random(&random) | 1};
        assert_true(passed_over_with(seed, refs) < CRAFTED);
    }
}

static void each_table_of_a_process_has_a_seed_of_its_own(void **state)
{
    (void)state;
    hash_seed_t one = hash_seed_random(), two = hash_seed_random();
    assert_true(one.mix != two.mix && one.factor != two.factor);
    assert_true((one.factor & two.factor & 1) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_is_found_until_it_is_removed),
        cmocka_unit_test(any_64_bit_number_may_be_a_reference),
        cmocka_unit_test(removals_from_a_run_that_wraps_keep_the_rest_reachable),
        cmocka_unit_test(a_growing_table_agrees_with_an_array),
        cmocka_unit_test(a_move_is_over_before_the_next_growth),
        cmocka_unit_test(the_largest_size_leaves_half_of_the_slots_free),
        cmocka_unit_test(references_that_were_crafted_for_one_seed_do_no_harm_with_another),
        cmocka_unit_test(references_that_count_in_the_hashs_own_steps_do_no_harm),
        cmocka_unit_test(each_table_of_a_process_has_a_seed_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
