/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "bus/market/orders.h"

/* A pool of which only the references are used: place i stands at orders[i]. */
typedef struct bench {
    order_table_t table;
    void *memory;
    queue_order_t *orders;
} bench_t;

enum { PLACES = 1 << 19 };

static bench_t make_seeded(uint32_t orders_max, hash_seed_t seed)
{
    bench_t b;
    size_t bytes = orders_footprint(orders_max);
    b.memory = aligned_alloc(64, bytes);
    b.orders = calloc(PLACES, sizeof *b.orders);
    assert_true(b.memory && b.orders);
    memset(b.memory, 0, bytes);
    orders_init(&b.table, b.memory, b.orders, orders_max, seed);
    return b;
}

static bench_t make(uint32_t orders_max)
{
    return make_seeded(orders_max, (hash_seed_t){.mix = 12345, .factor = 678901});
}

static void unmake(bench_t *b)
{
    free(b->memory);
    free(b->orders);
}

static bool add(bench_t *b, uint64_t ref, uint32_t place)
{
    uint64_t hash = orders_hash(&b->table, ref);
    if (orders_has(&b->table, ref, hash))
        return false;
    b->orders[place].ref = ref;
    orders_add(&b->table, hash, place);
    return true;
}

static void check(bench_t *b, uint64_t ref, uint32_t place)
{
    order_spot_t spot = orders_find(&b->table, ref);
    assert_int_equal(spot.place, place);
    if (place != 0)
        assert_int_equal(spot.bucket->places[spot.slot], place);
}

static void take_out(bench_t *b, uint64_t ref)
{
    orders_remove(&b->table, orders_find(&b->table, ref));
}

static uint32_t home(const bench_t *b, uint64_t ref)
{
    return orders_home(&b->table.now, orders_hash(&b->table, ref));
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
    take_out(&b, 7);
    check(&b, 7, 0);
    assert_int_equal(b.table.live, 0);
    unmake(&b);
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
    unmake(&b);
}

/* How many orders passed over a bucket. */
static uint64_t passed(const bench_t *b, uint32_t bucket)
{
    return b->table.now.buckets[bucket].tags >> BUCKET_PASSED;
}

/* References that belong into the last two buckets, four times as many as these hold: the rest goes
 * around the end of the table. */
static void removals_from_full_buckets_keep_the_rest_reachable(void **state)
{
    (void)state;
    enum { RUN = 48 };
    bench_t b = make(1000);
    uint64_t refs[RUN];
    uint32_t found = 0, last = b.table.now.mask;
    for (uint64_t ref = 1; found < RUN; ref++)
        if (home(&b, ref) >= last - 1)
            refs[found++] = ref;
    for (uint32_t first = 0; first < RUN; first++) {
        for (uint32_t i = 0; i < RUN; i++)
            assert_true(add(&b, refs[i], i + 1));
        assert_true(passed(&b, last) > 0 && passed(&b, 0) > 0);
        for (uint32_t gone = 0; gone < RUN; gone++) {
            /* 7 and 48 have no common divisor: each one once */
            uint32_t victim = (first + gone * 7) % RUN;
            take_out(&b, refs[victim]);
            check(&b, refs[victim], 0);
            for (uint32_t later = gone + 1; later < RUN; later++)
                check(&b, refs[(first + later * 7) % RUN], (first + later * 7) % RUN + 1);
        }
        assert_int_equal(b.table.live, 0);
        for (uint32_t bucket = 0; bucket <= last; bucket++)
            assert_true(b.table.now.buckets[bucket].tags == 0);
    }
    unmake(&b);
}

/* The count of those that passed stays where it cannot be kept any more; searches still find what
 * is there, and end. */
static void a_count_of_the_passed_that_is_full_stays(void **state)
{
    (void)state;
    bench_t b = make(1000);
    assert_true(add(&b, 5, 1));
    for (uint32_t bucket = 0; bucket <= b.table.now.mask; bucket++)
        b.table.now.buckets[bucket].tags |= UINT64_C(0xffff) << BUCKET_PASSED;
    check(&b, 5, 1);
    check(&b, 6, 0); /* once around */
    uint64_t refs[7];
    uint32_t found = 0;
    for (uint64_t ref = 100; found < 7; ref++)
        if (home(&b, ref) == home(&b, 5))
            refs[found++] = ref;
    for (uint32_t i = 0; i < 7; i++)
        assert_true(add(&b, refs[i], i + 2));
    for (uint32_t i = 0; i < 7; i++)
        take_out(&b, refs[i]);
    check(&b, 5, 1);
    assert_int_equal(passed(&b, home(&b, 5)), 0xffff);
    unmake(&b);
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
        check(&b, ref, model[ref]);
        if (model[ref] != 0 && remove) {
            take_out(&b, ref);
            model[ref] = 0;
            live--;
        } else if (model[ref] == 0 && live < LIVE_MAX) {
            model[ref] = (uint32_t)ref + 1;
            assert_true(add(&b, ref, model[ref]));
            live++;
        }
        assert_int_equal(b.table.live, live);
        moved |= b.table.before.buckets != NULL;
        if (step % 50000 == 49999)
            for (uint32_t i = 0; i < REFS; i++)
                check(&b, i, model[i]);
    }
    assert_true(moved);
    assert_true(b.table.bits > ORDERS_BITS_MIN);
    for (uint32_t i = 0; i < REFS; i++)
        check(&b, i, model[i]);
    free(model);
    unmake(&b);
}

static void a_move_is_over_before_the_next_growth(void **state)
{
    (void)state;
    bench_t b = make(390000);
    uint32_t growths = 0;
    uint32_t bits = b.table.bits;
    for (uint32_t ref = 0; ref < 390000; ref++) {
        assert_true(add(&b, ref * UINT64_C(4) + 1, ref + 1)); /* orders_grow asserts it */
        growths += b.table.bits != bits;
        bits = b.table.bits;
    }
    assert_int_equal(bits, b.table.bits_max);
    assert_int_equal(growths, bits - ORDERS_BITS_MIN);
    assert_null(b.table.before.buckets);
    for (uint32_t ref = 0; ref < 390000; ref++)
        check(&b, ref * UINT64_C(4) + 1, ref + 1);
    unmake(&b);
}

static void the_largest_size_leaves_half_of_the_places_free(void **state)
{
    (void)state;
    static const uint32_t maxima[] = {1, 2048, 2049, 100000, 1u << 20};
    for (size_t i = 0; i < sizeof maxima / sizeof *maxima; i++) {
        bench_t b = make(maxima[i]);
        assert_true((UINT64_C(1) << b.table.bits_max) * BUCKET_PLACES >= UINT64_C(2) * maxima[i]);
        unmake(&b);
    }
}

/* How many buckets the searches for all live orders pass over, in all. */
static uint64_t passed_over(const bench_t *b)
{
    uint64_t sum = 0;
    for (uint32_t bucket = 0; bucket <= b->table.now.mask; bucket++)
        sum += passed(b, bucket);
    return sum;
}

enum { CRAFTED = 1000 }; /* the smallest table holds them without growing */

static uint64_t passed_over_with(hash_seed_t seed, const uint64_t *refs)
{
    bench_t b = make_seeded(CRAFTED, seed);
    for (uint32_t i = 0; i < CRAFTED; i++)
        assert_true(add(&b, refs[i], i + 1));
    assert_null(b.table.before.buckets);
    uint64_t sum = passed_over(&b);
    for (uint32_t i = 0; i < CRAFTED; i++)
        check(&b, refs[i], i + 1);
    unmake(&b);
    return sum;
}

/* Whoever knows the seed makes searches as long as there are orders; whoever does not makes them no
 * longer than chance does: nearly all are in the bucket where they belong. */
static void references_that_were_crafted_for_one_seed_do_no_harm_with_another(void **state)
{
    (void)state;
    static uint64_t refs[CRAFTED];
    hash_seed_t known = {.mix = 0, .factor = 1};
    bench_t b = make_seeded(CRAFTED, known);
    uint32_t found = 0;
    for (uint64_t ref = 1; found < CRAFTED; ref++)
        if (home(&b, ref) == 77)
            refs[found++] = ref;
    unmake(&b);
    uint64_t expected = 0;
    for (uint32_t i = 0; i < CRAFTED; i++)
        expected += i / BUCKET_PLACES;
    assert_int_equal(passed_over_with(known, refs), expected);
    uint64_t random = 4711;
    for (unsigned i = 0; i < 20; i++) {
        hash_seed_t other = {.mix = next_random(&random), .factor = next_random(&random) | 1};
        assert_true(passed_over_with(other, refs) < CRAFTED / 20);
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
        assert_true(passed_over_with(seed, refs) < CRAFTED / 20);
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
        cmocka_unit_test(removals_from_full_buckets_keep_the_rest_reachable),
        cmocka_unit_test(a_count_of_the_passed_that_is_full_stays),
        cmocka_unit_test(a_growing_table_agrees_with_an_array),
        cmocka_unit_test(a_move_is_over_before_the_next_growth),
        cmocka_unit_test(the_largest_size_leaves_half_of_the_places_free),
        cmocka_unit_test(references_that_were_crafted_for_one_seed_do_no_harm_with_another),
        cmocka_unit_test(references_that_count_in_the_hashs_own_steps_do_no_harm),
        cmocka_unit_test(each_table_of_a_process_has_a_seed_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
