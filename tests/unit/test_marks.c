/* SPDX-License-Identifier: Apache-2.0 */
/* What a position is worth a share, and what becomes of the last trade in a market view. */
#include "tests/unit/risk_market.h"

#include "bus/market/marks.h"

static const position_t long_100 = {.qty = 100, .cost_e4 = 100 * 1000050};
static const position_t short_100 = {.qty = -100, .cost_e4 = -100 * 1000050};

static void assert_mark(mark_t mark, uint32_t px_e4, uint32_t by)
{
    assert_int_equal(mark.px_e4, px_e4);
    assert_int_equal(mark.by, by);
}

static void a_long_position_is_worth_the_bid_and_a_short_one_the_ask(void **state)
{
    (void)state;
    market_touch_t touch = {1000000, 1000200, 500, 500};
    assert_mark(mark_of(&marks_default, &long_100, &touch, 0), 1000000, MARK_BID);
    assert_mark(mark_of(&marks_default, &short_100, &touch, 0), 1000200, MARK_ASK);
    assert_mark(mark_of(&marks_default, &(position_t){0}, &touch, 1000100), 0, MARK_NONE);
}

static void an_empty_side_is_replaced_by_the_last_trade_and_that_by_the_entry_price(void **state)
{
    (void)state;
    market_touch_t asks = {0, 1999999900, 0, 100}, bids = {100, 0, 100, 0};
    assert_mark(mark_of(&marks_default, &long_100, &asks, 1000100), 1000100, MARK_TRADE);
    assert_mark(mark_of(&marks_default, &long_100, &asks, 0), 1000050, MARK_ENTRY);
    assert_mark(mark_of(&marks_default, &short_100, &bids, 1000100), 1000100, MARK_TRADE);
    assert_mark(mark_of(&marks_default, &short_100, &bids, 0), 1000050, MARK_ENTRY);
}

static void an_entry_price_is_rounded_towards_zero(void **state)
{
    (void)state;
    market_touch_t none = {0};
    position_t bought = {.qty = 3, .cost_e4 = 302}, sold = {.qty = -3, .cost_e4 = -302};
    assert_mark(mark_of(&marks_default, &bought, &none, 0), 100, MARK_ENTRY);
    assert_mark(mark_of(&marks_default, &sold, &none, 0), 100, MARK_ENTRY);
}

static void a_quote_further_than_stub_bps_from_the_last_trade_values_nothing(void **state)
{
    (void)state;
    marks_t half = {.stub_bps = 5000};
    market_touch_t touch = {50, 150, 1, 1};
    assert_mark(mark_of(&half, &long_100, &touch, 100), 50, MARK_BID);
    assert_mark(mark_of(&half, &short_100, &touch, 100), 150, MARK_ASK);
    touch.bid_px_e4 = 49;
    touch.ask_px_e4 = 151;
    assert_mark(mark_of(&half, &long_100, &touch, 100), 100, MARK_TRADE);
    assert_mark(mark_of(&half, &short_100, &touch, 100), 100, MARK_TRADE);
    assert_mark(mark_of(&half, &long_100, &touch, 0), 49, MARK_BID); /* no trade: no stub */
    /* The largest prices there are. */
    touch.ask_px_e4 = UINT32_MAX;
    assert_mark(mark_of(&(marks_t){1000000}, &short_100, &touch, UINT32_MAX), UINT32_MAX, MARK_ASK);
    assert_mark(mark_of(&(marks_t){0}, &short_100, &touch, 1), 1, MARK_TRADE);
}

static uint32_t last_px(const market_t *m)
{
    return market_symbol(m, LOCATE)->last_px_e4;
}

static tick_t trade(uint8_t type, uint32_t qty, uint32_t px_e4, uint8_t printable)
{
    tick_t t = tick_of(type, LOCATE);
    t.qty = qty;
    t.order_ref = 1;
    t.px_e4 = px_e4;
    t.printable = printable;
    return t;
}

static void the_last_trade_is_that_of_e_c_p_and_q_that_count(void **state)
{
    (void)state;
    market_t *m = risk_market_create();
    market_next(m, tick_add(LOCATE, 1, 'B', 500, 1000000));
    assert_int_equal(last_px(m), 0);
    market_next(m, trade('E', 100, 0, 0));
    assert_int_equal(last_px(m), 1000000);
    market_next(m, trade('C', 100, 1000300, 'Y'));
    assert_int_equal(last_px(m), 1000300);
    market_next(m, trade('C', 100, 1000400, 'N'));
    assert_int_equal(last_px(m), 1000300);
    market_next(m, trade('P', 100, 999900, 0));
    assert_int_equal(last_px(m), 999900);
    tick_t cross = trade('Q', 0, 1000700, 0);
    cross.qty64 = 0;
    market_next(m, cross); /* nothing met in it */
    assert_int_equal(last_px(m), 999900);
    cross.qty64 = 7000;
    market_next(m, cross);
    assert_int_equal(last_px(m), 1000700);
    tick_t unknown = tick_execute(LOCATE, 99, 10);
    market_next(m, unknown); /* at which price is not known */
    assert_int_equal(last_px(m), 1000700);
    market_end_warm_up(m); /* what came before is not there, however the books were made */
    assert_int_equal(last_px(m), 0);
    market_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_position_is_worth_the_bid_and_a_short_one_the_ask),
        cmocka_unit_test(an_empty_side_is_replaced_by_the_last_trade_and_that_by_the_entry_price),
        cmocka_unit_test(an_entry_price_is_rounded_towards_zero),
        cmocka_unit_test(a_quote_further_than_stub_bps_from_the_last_trade_values_nothing),
        cmocka_unit_test(the_last_trade_is_that_of_e_c_p_and_q_that_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
