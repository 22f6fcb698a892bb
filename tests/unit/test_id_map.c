/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "risk/id_map.h"
#include "tests/unit/risk_market.h"

static void id_map_finds_what_was_put_and_nothing_else(void **state)
{
    (void)state;
    id_map_t map = {0};
    assert_true(id_map_create(&map, 1));
    assert_int_equal(id_map_find(&map, 5), 0);
    assert_int_equal(id_map_find(&map, 0), 0);
    id_map_put(&map, 5, 77);
    assert_int_equal(id_map_find(&map, 5), 77);
    assert_int_equal(id_map_find(&map, 6), 0);
    id_map_remove(&map, 6);
    id_map_remove(&map, 0);
    assert_int_equal(id_map_find(&map, 5), 77);
    id_map_remove(&map, 5);
    assert_int_equal(id_map_find(&map, 5), 0);
    id_map_destroy(&map);
}

#define IDS 64u

/* Few ids over a small table collide all the time: every removal has something to move up. */
static void id_map_agrees_with_a_plain_array_over_a_random_run(void **state)
{
    (void)state;
    uint64_t seed = 7919;
    print_message("seed %llu\n", (unsigned long long)seed);
    id_map_t map = {0};
    assert_true(id_map_create(&map, IDS / 4));
    uint32_t truth[IDS] = {0};
    uint32_t count = 0;
    for (int i = 0; i < 200000; i++) {
        uint64_t r = next_random(&seed);
        uint32_t id = (uint32_t)(r % IDS);
        uint64_t key = (uint64_t)(id + 1) * UINT64_C(0x100000001);
        if (truth[id] != 0) {
            id_map_remove(&map, key);
            truth[id] = 0;
            count--;
        } else if (count < IDS / 4) {
            truth[id] = (uint32_t)(r >> 40) | 1;
            id_map_put(&map, key, truth[id]);
            count++;
        }
        uint32_t look = (uint32_t)(r >> 32) % IDS;
        assert_int_equal(id_map_find(&map, (uint64_t)(look + 1) * UINT64_C(0x100000001)),
                         truth[look]);
    }
    for (uint32_t id = 0; id < IDS; id++)
        assert_int_equal(id_map_find(&map, (uint64_t)(id + 1) * UINT64_C(0x100000001)), truth[id]);
    id_map_destroy(&map);
}

enum { CRAFTED = 500 };

/* How many entries a search for each id passes over, in all. */
static uint64_t passed_over_with(hash_seed_t seed, const uint64_t *ids)
{
    id_map_t map = {0};
    assert_true(id_map_create(&map, CRAFTED));
    map.seed = seed;
    for (uint32_t i = 0; i < CRAFTED; i++)
        id_map_put(&map, ids[i], i + 1);
    uint64_t sum = 0;
    for (uint32_t at = 0; at <= map.mask; at++)
        if (map.entries[at].id != 0)
            sum +=
                (at - (uint32_t)(seeded_hash(&seed, map.entries[at].id) >> map.shift)) & map.mask;
    id_map_destroy(&map);
    return sum;
}

static void ids_that_were_crafted_for_one_seed_do_no_harm_with_another(void **state)
{
    (void)state;
    static uint64_t ids[CRAFTED];
    hash_seed_t known = {.mix = 0, .factor = 1};
    uint32_t found = 0;
    for (uint64_t id = 1; found < CRAFTED; id++)
        if (seeded_hash(&known, id) >> 54 == 77) /* 1024 entries */
            ids[found++] = id;
    assert_int_equal(passed_over_with(known, ids), CRAFTED * (CRAFTED - 1) / 2);
    uint64_t random = 4711;
    for (unsigned i = 0; i < 20; i++) {
        hash_seed_t other = {.mix = next_random(&random), .factor = next_random(&random) | 1};
        assert_true(passed_over_with(other, ids) < 2 * CRAFTED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(id_map_finds_what_was_put_and_nothing_else),
        cmocka_unit_test(id_map_agrees_with_a_plain_array_over_a_random_run),
        cmocka_unit_test(ids_that_were_crafted_for_one_seed_do_no_harm_with_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
