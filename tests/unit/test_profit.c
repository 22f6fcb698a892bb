/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/risk_market.h"

#include "bus/market/profit.h"

static report_t execution(uint8_t side, uint32_t qty, uint32_t px_e4, int32_t fee_e4)
{
    return (report_t){
        .kind = REPORT_PARTIAL, .side = side, .qty = qty, .px_e4 = px_e4, .fee_e4 = fee_e4};
}

static void drawdown_is_the_deepest_fall_from_the_highest_net_profit(void **state)
{
    (void)state;
    profit_t p = {0};
    holding_t h = {0};
    report_t buy = execution('B', 100, 1000, 30), sell = execution('S', 100, 1100, -20);
    assert_true(profit_execute(&p, &h, &buy));
    profit_mark(&p, &h, (mark_t){1000, MARK_BID});
    assert_int_equal(profit_e4(profit_net(&p)), -30);
    assert_int_equal(profit_e4(p.drawdown), 30); /* from 0, where it began */
    profit_mark(&p, &h, (mark_t){1200, MARK_BID});
    profit_mark(&p, &h, (mark_t){1050, MARK_BID});
    profit_mark(&p, &h, (mark_t){1190, MARK_BID});
    assert_int_equal(profit_e4(p.peak), 100 * 200 - 30);
    assert_int_equal(profit_e4(p.drawdown), 100 * 150);
    assert_true(profit_execute(&p, &h, &sell));
    profit_mark(&p, &h, (mark_t){0, MARK_NONE});
    assert_int_equal(profit_e4(p.realised), 100 * 100);
    assert_int_equal(profit_e4(p.unrealised), 0);
    assert_int_equal(profit_e4(p.fees), 10);
    assert_int_equal(profit_e4(p.drawdown), 100 * 150);
}

static void an_execution_that_does_not_fit_changes_nothing(void **state)
{
    (void)state;
    profit_t p = {0}, nothing = {0};
    holding_t h = {.fees_e4 = INT64_MAX}, before = h;
    report_t buy = execution('B', 1, 1, 1), sideless = execution('?', 1, 1, -1);
    assert_false(profit_execute(&p, &h, &buy));
    assert_false(profit_execute(&p, &h, &sideless));
    assert_memory_equal(&h, &before, sizeof h);
    assert_memory_equal(&p, &nothing, sizeof p);
    assert_int_equal(profit_e4((profit_money_t)INT64_MAX * 3), INT64_MAX);
    assert_int_equal(profit_e4((profit_money_t)INT64_MIN * 3), INT64_MIN);
}

/* Net profit is what is in the till and what the shares are worth, to the last unit. */
static void cash_and_the_value_of_positions_are_the_profit_over_a_random_run(void **state)
{
    (void)state;
    enum { RUNS = 20000, SYMBOLS = 5 };
    uint64_t seed = 20261129;
    print_message("seed %llu\n", (unsigned long long)seed);
    profit_t p = {0};
    holding_t held[SYMBOLS] = {0};
    profit_money_t cash = 0, peak = 0, drawdown = 0;
    uint32_t px[SYMBOLS] = {0};
    for (int i = 0; i < RUNS; i++) {
        uint64_t r = next_random(&seed);
        unsigned at = (unsigned)(r % SYMBOLS);
        if (r & 4096) {
            report_t e = execution(r & 8192 ? 'B' : 'S', (uint32_t)(r >> 20) % 1000 + 1,
                                   (uint32_t)(r >> 40) % 100000 + 1, (int32_t)(r >> 30 & 63) - 30);
            assert_true(profit_execute(&p, &held[at], &e));
            profit_money_t paid = (profit_money_t)e.qty * e.px_e4;
            cash += (e.side == 'B' ? -paid : paid) - e.fee_e4;
        }
        px[at] = (uint32_t)(next_random(&seed) % 100000 + 1);
        profit_mark(&p, &held[at], (mark_t){px[at], MARK_TRADE});
        profit_money_t worth = cash;
        for (unsigned k = 0; k < SYMBOLS; k++)
            worth += (profit_money_t)held[k].position.qty * px[k];
        assert_true(worth == profit_net(&p));
        peak = worth > peak ? worth : peak;
        drawdown = peak - worth > drawdown ? peak - worth : drawdown;
        assert_true(drawdown == p.drawdown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drawdown_is_the_deepest_fall_from_the_highest_net_profit),
        cmocka_unit_test(an_execution_that_does_not_fit_changes_nothing),
        cmocka_unit_test(cash_and_the_value_of_positions_are_the_profit_over_a_random_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
