/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <tickbus/market/position.h>

static void assert_position(const position_t *p, int64_t qty, int64_t cost_e4, int64_t realised_e4)
{
    assert_int_equal(p->qty, qty);
    assert_int_equal(p->cost_e4, cost_e4);
    assert_int_equal(p->realised_e4, realised_e4);
}

static void position_enlarged_moves_its_average(void **state)
{
    (void)state;
    position_t p = {0};
    assert_true(position_apply(&p, 'B', 100, 1000));
    assert_position(&p, 100, 100000, 0);
    assert_true(position_apply(&p, 'B', 300, 2000));
    assert_position(&p, 400, 700000, 0);
    assert_int_equal(p.bought, 400);
    assert_int_equal(p.sold, 0);
}

static void position_reduced_realises_the_difference_to_the_average(void **state)
{
    (void)state;
    position_t p = {0};
    assert_true(position_apply(&p, 'B', 400, 1750));
    assert_true(position_apply(&p, 'S', 100, 2000));
    assert_position(&p, 300, 525000, 25000);
    assert_true(position_apply(&p, 'S', 300, 1000));
    assert_position(&p, 0, 0, 25000 - 225000);
    assert_int_equal(p.bought, 400);
    assert_int_equal(p.sold, 400);
}

static void position_short_is_the_mirror_image_of_long(void **state)
{
    (void)state;
    position_t p = {0};
    assert_true(position_apply(&p, 'S', 100, 2000));
    assert_position(&p, -100, -200000, 0);
    assert_true(position_apply(&p, 'S', 100, 1000));
    assert_position(&p, -200, -300000, 0);
    assert_true(position_apply(&p, 'B', 50, 1000));
    assert_position(&p, -150, -225000, 25000);
}

static void position_crossing_zero_realises_all_and_opens_at_the_execution_price(void **state)
{
    (void)state;
    position_t p = {0};
    assert_true(position_apply(&p, 'B', 100, 1000));
    assert_true(position_apply(&p, 'S', 250, 1100));
    assert_position(&p, -150, -165000, 10000);
    assert_true(position_apply(&p, 'B', 151, 900));
    assert_position(&p, 1, 900, 10000 + 30000);
}

static void position_partial_close_rounds_towards_zero_and_keeps_the_remainder(void **state)
{
    (void)state;
    position_t p = {0};
    assert_true(position_apply(&p, 'B', 1, 10));
    assert_true(position_apply(&p, 'B', 2, 11)); /* 3 shares cost 32 */
    assert_true(position_apply(&p, 'S', 1, 20)); /* releases 32 / 3 = 10, keeps 22 */
    assert_position(&p, 2, 22, 10);
    assert_true(position_apply(&p, 'S', 2, 20));
    assert_position(&p, 0, 0, 28); /* 60 received - 32 paid */

    position_t s = {0};
    assert_true(position_apply(&s, 'S', 1, 10));
    assert_true(position_apply(&s, 'S', 2, 11)); /* 3 short shares brought 32 */
    assert_true(position_apply(&s, 'B', 1, 5));  /* gives back 10, keeps 22 */
    assert_position(&s, -2, -22, 5);
}

/* xorshift64*: the same numbers on every host. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static void position_always_balances_against_cash_to_the_last_unit(void **state)
{
    (void)state;
    uint64_t seed = 20120621;
    print_message("seed %llu\n", (unsigned long long)seed);
    position_t p = {0};
    int64_t cash_e4 = 0;
    int64_t shares = 0;
    for (int i = 0; i < 200000; i++) {
        uint64_t r = next_random(&seed);
        uint8_t side = r & 1 ? 'B' : 'S';
        uint32_t qty = (uint32_t)(r >> 8) % 977;
        uint32_t px_e4 = (uint32_t)(r >> 32) % 3000001;
        assert_true(position_apply(&p, side, qty, px_e4));
        cash_e4 += (side == 'B' ? -1 : 1) * (int64_t)qty * px_e4;
        shares += (side == 'B' ? 1 : -1) * (int64_t)qty;
        assert_int_equal(p.qty, shares);
        assert_int_equal(p.realised_e4 - p.cost_e4, cash_e4);
        assert_true(shares != 0 || p.cost_e4 == 0);
        assert_true(shares <= 0 || p.cost_e4 >= 0);
        assert_true(shares >= 0 || p.cost_e4 <= 0);
    }
}

static void assert_refused(const position_t *before, uint8_t side, uint32_t qty, uint32_t px_e4)
{
    position_t p = *before;
    assert_false(position_apply(&p, side, qty, px_e4));
    assert_memory_equal(&p, before, sizeof(p));
}

static void position_refuses_what_would_not_fit_and_changes_nothing(void **state)
{
    (void)state;
    assert_refused(&(position_t){.qty = INT64_MAX, .cost_e4 = 1}, 'B', 1, 0);
    assert_refused(&(position_t){.qty = INT64_MIN, .cost_e4 = -1}, 'S', 1, 0);
    assert_refused(&(position_t){.qty = 1, .cost_e4 = INT64_MAX - 9}, 'B', 1, 10);
    assert_refused(&(position_t){.qty = -1, .cost_e4 = INT64_MIN + 9}, 'S', 1, 10);
    assert_refused(&(position_t){.qty = 1, .cost_e4 = 0, .realised_e4 = INT64_MAX - 9}, 'S', 1, 10);
    assert_refused(&(position_t){.qty = -1, .cost_e4 = 0, .realised_e4 = INT64_MIN + 9}, 'B', 1,
                   10);
    assert_refused(&(position_t){.bought = UINT64_MAX - 9}, 'B', 10, 1);
    assert_refused(&(position_t){.sold = UINT64_MAX - 9}, 'S', 10, 1);
}

static void position_takes_what_just_fits(void **state)
{
    (void)state;
    position_t p = {.qty = INT64_MAX - 1, .cost_e4 = INT64_MAX - 10};
    assert_true(position_apply(&p, 'B', 1, 10));
    assert_position(&p, INT64_MAX, INT64_MAX, 0);
    position_t s = {.qty = INT64_MIN + 1, .cost_e4 = INT64_MIN + 10};
    assert_true(position_apply(&s, 'S', 1, 10));
    assert_position(&s, INT64_MIN, INT64_MIN, 0);
    assert_true(position_apply(&s, 'B', UINT32_MAX, 0));
    assert_int_equal(s.qty, INT64_MIN + (int64_t)UINT32_MAX);
    position_t largest = {0};
    assert_refused(&largest, 'B', UINT32_MAX, UINT32_MAX); /* 2^64 - 2^33 + 1 */
    assert_true(position_apply(&largest, 'B', UINT32_MAX, INT32_MAX));
    assert_position(&largest, UINT32_MAX, (int64_t)UINT32_MAX * INT32_MAX, 0);
}

static void position_refuses_a_side_that_is_none(void **state)
{
    (void)state;
    assert_refused(&(position_t){.qty = 5, .cost_e4 = 50}, 'X', 1, 10);
    assert_refused(&(position_t){.qty = 5, .cost_e4 = 50}, 0, 1, 10);
}

static void position_of_no_shares_executed_is_unchanged(void **state)
{
    (void)state;
    position_t p = {.qty = -7, .cost_e4 = -50, .realised_e4 = 3};
    assert_true(position_apply(&p, 'B', 0, 99));
    assert_position(&p, -7, -50, 3);
}

/* What is in the till and what is held are as if it had not been; profit follows the average cost,
 * as if it had been undone by a trade. */
static void position_break_takes_an_execution_back(void **state)
{
    (void)state;
    position_t p = {0};
    assert_true(position_apply(&p, 'B', 100, 1000));
    assert_true(position_apply(&p, 'B', 50, 1030));
    assert_true(position_apply(&p, 'S', 60, 1050));
    assert_false(position_break(&p, 'S', 61, 1050));
    assert_true(position_break(&p, 'B', 50, 1030));
    assert_int_equal(p.qty, 40);
    assert_int_equal(p.bought, 100);
    assert_int_equal(p.sold, 60);
    assert_int_equal(p.realised_e4 - p.cost_e4, 60 * 1050 - 100 * 1000);
    assert_true(position_break(&p, 'S', 60, 1050));
    assert_true(position_break(&p, 'B', 100, 1000));
    assert_position(&p, 0, 0, 0);
    assert_int_equal(p.bought + p.sold, 0);
}

static void position_unrealised_is_the_value_at_the_mark_less_the_cost(void **state)
{
    (void)state;
    position_t p = {.qty = 100, .cost_e4 = 100000};
    assert_int_equal(position_unrealised_e4(&p, 1100), 10000);
    assert_int_equal(position_unrealised_e4(&p, 0), -100000);
    position_t s = {.qty = -100, .cost_e4 = -100000};
    assert_int_equal(position_unrealised_e4(&s, 1100), -10000);
    assert_int_equal(position_unrealised_e4(&s, 900), 10000);
}

static void position_unrealised_saturates(void **state)
{
    (void)state;
    position_t p = {.qty = INT64_MAX, .cost_e4 = 0};
    assert_int_equal(position_unrealised_e4(&p, UINT32_MAX), INT64_MAX);
    position_t s = {.qty = INT64_MIN, .cost_e4 = 0};
    assert_int_equal(position_unrealised_e4(&s, UINT32_MAX), INT64_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(position_enlarged_moves_its_average),
        cmocka_unit_test(position_reduced_realises_the_difference_to_the_average),
        cmocka_unit_test(position_short_is_the_mirror_image_of_long),
        cmocka_unit_test(position_crossing_zero_realises_all_and_opens_at_the_execution_price),
        cmocka_unit_test(position_partial_close_rounds_towards_zero_and_keeps_the_remainder),
        cmocka_unit_test(position_always_balances_against_cash_to_the_last_unit),
        cmocka_unit_test(position_refuses_what_would_not_fit_and_changes_nothing),
        cmocka_unit_test(position_takes_what_just_fits),
        cmocka_unit_test(position_refuses_a_side_that_is_none),
        cmocka_unit_test(position_of_no_shares_executed_is_unchanged),
        cmocka_unit_test(position_break_takes_an_execution_back),
        cmocka_unit_test(position_unrealised_is_the_value_at_the_mark_less_the_cost),
        cmocka_unit_test(position_unrealised_saturates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
