/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/risk_market.h"

#include <stdlib.h>

#include "risk/exposure.h"
#include "risk/gate.h"

#define BID 1000000u /* 100.0000 */
#define ASK 1000200u

typedef struct fixture {
    market_t *market;
    gate_t *gate;
    uint64_t count; /* orders made */
} fixture_t;

/* Limits that let everything in these tests through, but for the one that a test is about. */
static risk_limits_t wide(void)
{
    return (risk_limits_t){
        .max_order_qty = UINT32_MAX,
        .max_order_notional_e4 = UINT64_MAX,
        .collar_bps = 100,
        .collar_e4 = 0,
        .position_max = INT64_MAX,
        .gross_notional_max_e4 = UINT64_MAX,
        .orders_per_second = 1000,
        .open_orders_max = 100,
    };
}

static fixture_t open_gate(risk_limits_t limits)
{
    fixture_t f = {.market = risk_market_create()};
    tbus_error_t err = {0};
    if (gate_create(&limits, f.market, &f.gate, &err) != 0)
        fail_msg("%s", err.text);
    return f;
}

/* ... with a touch of BID x 500, ASK x 500 in LOCATE. */
static fixture_t quoted_gate(risk_limits_t limits)
{
    fixture_t f = open_gate(limits);
    gate_on_market(f.gate, market_next(f.market, tick_add(LOCATE, 1, 'B', 500, BID)));
    gate_on_market(f.gate, market_next(f.market, tick_add(LOCATE, 2, 'S', 500, ASK)));
    return f;
}

static void close_gate(fixture_t *f)
{
    gate_destroy(f->gate);
    market_destroy(f->market);
}

static uint8_t judge(fixture_t *f, order_t order)
{
    return gate_judge(f->gate, &order, 0);
}

static order_t fresh(fixture_t *f, uint8_t side, uint32_t qty, uint32_t px_e4)
{
    return order_new(++f->count, side, qty, px_e4, ORDER_TIF_DAY);
}

static uint8_t judge_new(fixture_t *f, uint8_t side, uint32_t qty, uint32_t px_e4)
{
    return judge(f, fresh(f, side, qty, px_e4));
}

static void say(fixture_t *f, report_t report)
{
    gate_on_report(f->gate, &report);
}

/* An execution out of the blue: how tests come by a position. */
static void hold(fixture_t *f, uint8_t side, uint32_t qty, uint32_t px_e4)
{
    order_t order = fresh(f, side, qty, px_e4);
    say(f, report_of(&order, REPORT_FILLED, qty, 0, px_e4));
}

/* ---- one test per reason, at the limit and one beyond */

static void gate_passes_an_order_within_all_limits(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    assert_int_equal(judge_new(&f, 'B', 100, BID), REASON_NONE);
    assert_int_equal(judge_new(&f, 'S', 100, ASK), REASON_NONE);
    assert_int_equal(gate_open_orders(f.gate), 2);
    close_gate(&f);
}

static void gate_rejects_what_is_no_order(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    order_t good = order_new(1, 'B', 100, BID, ORDER_TIF_DAY);
    order_t bad;
    bad = good, bad.side = 'X';
    assert_int_equal(judge(&f, bad), REASON_MALFORMED);
    bad = good, bad.side = 0;
    assert_int_equal(judge(&f, bad), REASON_MALFORMED);
    bad = good, bad.tif = 2;
    assert_int_equal(judge(&f, bad), REASON_MALFORMED);
    bad = good, bad.kind = 0;
    assert_int_equal(judge(&f, bad), REASON_MALFORMED);
    bad = good, bad.kind = 3;
    assert_int_equal(judge(&f, bad), REASON_MALFORMED);
    bad = good, bad.qty = 0;
    assert_int_equal(judge(&f, bad), REASON_MALFORMED);
    bad = good, bad.order_id = ORDER_ID(STRATEGY, 0);
    assert_int_equal(judge(&f, bad), REASON_MALFORMED);
    bad = good, bad.sent = tick_pack(0, STRATEGY + 1);
    assert_int_equal(judge(&f, bad), REASON_MALFORMED);
    assert_int_equal(gate_open_orders(f.gate), 0);
    assert_int_equal(judge(&f, good), REASON_NONE); /* none of them used the id up */
    close_gate(&f);
}

static void gate_rejects_ids_that_do_not_increase_within_a_strategy(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    assert_int_equal(judge(&f, order_new(5, 'B', 1, BID, ORDER_TIF_DAY)), REASON_NONE);
    assert_int_equal(judge(&f, order_new(5, 'B', 1, BID, ORDER_TIF_DAY)), REASON_DUPLICATE_ID);
    assert_int_equal(judge(&f, order_new(4, 'B', 1, BID, ORDER_TIF_DAY)), REASON_DUPLICATE_ID);
    assert_int_equal(judge(&f, order_new(6, 'B', 1, BID, ORDER_TIF_DAY)), REASON_NONE);
    order_t other = order_new(5, 'B', 1, BID, ORDER_TIF_DAY);
    other.order_id = ORDER_ID(STRATEGY + 1, 5);
    other.sent = tick_pack(0, STRATEGY + 1);
    assert_int_equal(judge(&f, other), REASON_NONE);
    close_gate(&f);
}

static void gate_counts_the_id_of_a_rejected_order_as_used(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    gate_kill(f.gate, true);
    assert_int_equal(judge(&f, order_new(5, 'B', 1, BID, ORDER_TIF_DAY)), REASON_KILL_SWITCH);
    gate_kill(f.gate, false);
    assert_int_equal(judge(&f, order_new(5, 'B', 1, BID, ORDER_TIF_DAY)), REASON_DUPLICATE_ID);
    close_gate(&f);
}

static void gate_rejects_new_orders_and_passes_cancels_while_killed(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NONE);
    gate_kill(f.gate, true);
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_KILL_SWITCH);
    assert_int_equal(judge(&f, order_cancel(1)), REASON_NONE);
    gate_kill(f.gate, false);
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NONE);
    close_gate(&f);
}

static void gate_rejects_unknown_symbols(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    order_t order = fresh(&f, 'B', 1, BID);
    order.intended = tick_pack(0, LOCATE + 1);
    assert_int_equal(judge(&f, order), REASON_UNKNOWN_SYMBOL);
    close_gate(&f);
}

static void gate_rejects_halted_symbols_until_they_trade_again(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    for (const char *halt = "HPQ"; *halt; halt++) {
        market_next(f.market, tick_trading(LOCATE, (uint8_t)*halt));
        assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_HALTED);
        assert_int_equal(judge(&f, order_cancel(1)), REASON_NONE);
    }
    market_next(f.market, tick_trading(LOCATE, 'T'));
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NONE);
    close_gate(&f);
}

static void gate_rejects_more_shares_than_an_order_may_have(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    limits.max_order_qty = 300;
    fixture_t f = quoted_gate(limits);
    assert_int_equal(judge_new(&f, 'B', 300, BID), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 301, BID), REASON_MAX_QTY);
    assert_int_equal(judge_new(&f, 'S', UINT32_MAX, ASK), REASON_MAX_QTY);
    close_gate(&f);
}

static void gate_rejects_more_notional_than_an_order_may_have(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    limits.max_order_notional_e4 = UINT64_C(300) * BID;
    fixture_t f = quoted_gate(limits);
    assert_int_equal(judge_new(&f, 'B', 300, BID), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 300, BID + 1), REASON_MAX_NOTIONAL);
    assert_int_equal(judge_new(&f, 'B', 301, BID), REASON_MAX_NOTIONAL);
    assert_int_equal(judge_new(&f, 'B', UINT32_MAX, UINT32_MAX), REASON_MAX_NOTIONAL);
    close_gate(&f);
}

static void gate_rejects_without_a_reference_price(void **state)
{
    (void)state;
    fixture_t f = open_gate(wide());
    market_next(f.market, tick_add(LOCATE, 1, 'B', 500, BID));
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NO_REFERENCE); /* no ask */
    assert_int_equal(judge_new(&f, 'S', 1, BID), REASON_NO_REFERENCE);
    market_next(f.market, tick_add(LOCATE, 2, 'S', 500, BID));
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NO_REFERENCE); /* locked */
    market_next(f.market, tick_replace(LOCATE, 2, 3, 500, BID - 1));
    assert_int_equal(judge_new(&f, 'S', 1, BID), REASON_NO_REFERENCE); /* crossed */
    market_next(f.market, tick_replace(LOCATE, 3, 4, 500, BID + 1));
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 1, 0), REASON_NO_REFERENCE); /* no limit price */
    market_next(f.market, tick_delete(LOCATE, 1));
    assert_int_equal(judge_new(&f, 'S', 1, BID), REASON_NO_REFERENCE); /* no bid */
    close_gate(&f);
}

static void gate_rejects_prices_beyond_the_collar_of_the_touch(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide()); /* 100 bps: 10000 from the bid, 10002 from the ask */
    assert_int_equal(judge_new(&f, 'B', 1, BID + 10000), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 1, BID + 10001), REASON_PRICE_COLLAR);
    assert_int_equal(judge_new(&f, 'B', 1, BID - 10000), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 1, BID - 10001), REASON_PRICE_COLLAR);
    assert_int_equal(judge_new(&f, 'S', 1, ASK - 10002), REASON_NONE);
    assert_int_equal(judge_new(&f, 'S', 1, ASK - 10003), REASON_PRICE_COLLAR);
    assert_int_equal(judge_new(&f, 'S', 1, ASK + 10002), REASON_NONE);
    assert_int_equal(judge_new(&f, 'S', 1, ASK + 10003), REASON_PRICE_COLLAR);
    assert_int_equal(judge_new(&f, 'B', 1, UINT32_MAX), REASON_PRICE_COLLAR);
    assert_int_equal(judge_new(&f, 'S', 1, 1), REASON_PRICE_COLLAR);
    close_gate(&f);
}

static void gate_collar_is_the_wider_of_its_two_parts(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    limits.collar_e4 = 20000;
    fixture_t f = quoted_gate(limits);
    assert_int_equal(judge_new(&f, 'B', 1, BID + 20000), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 1, BID + 20001), REASON_PRICE_COLLAR);
    close_gate(&f);
    limits.collar_bps = limits.collar_e4 = 0; /* the strictest, not "none" */
    f = quoted_gate(limits);
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 1, BID + 1), REASON_PRICE_COLLAR);
    assert_int_equal(judge_new(&f, 'S', 1, ASK - 1), REASON_PRICE_COLLAR);
    close_gate(&f);
}

static void gate_collar_is_not_widened_by_a_far_quote_on_the_other_side(void **state)
{
    (void)state;
    fixture_t f = open_gate(wide());
    market_next(f.market, tick_add(LOCATE, 1, 'B', 100, BID));
    market_next(f.market, tick_add(LOCATE, 2, 'S', 100, 1999999900));
    assert_int_equal(judge_new(&f, 'B', 1, 1999999900), REASON_PRICE_COLLAR);
    assert_int_equal(judge_new(&f, 'B', 1, 2 * BID), REASON_PRICE_COLLAR);
    assert_int_equal(judge_new(&f, 'B', 1, BID + 10000), REASON_NONE);
    close_gate(&f);
}

static void gate_holds_position_and_open_orders_of_a_side_against_the_position_limit(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    limits.position_max = 1000;
    fixture_t f = quoted_gate(limits);
    hold(&f, 'B', 400, BID);
    assert_int_equal(judge_new(&f, 'B', 350, BID), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 251, BID), REASON_POSITION_LIMIT);
    assert_int_equal(judge_new(&f, 'B', 250, BID), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_POSITION_LIMIT);
    assert_int_equal(judge_new(&f, 'S', 1401, ASK), REASON_POSITION_LIMIT);
    assert_int_equal(judge_new(&f, 'S', 1400, ASK),
                     REASON_NONE); /* open buys do not help a sell, nor hinder it */
    assert_int_equal(judge_new(&f, 'S', 1, ASK), REASON_POSITION_LIMIT);
    close_gate(&f);
}

static void gate_lets_a_position_beyond_its_limit_shrink(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    limits.position_max = 1000;
    limits.gross_notional_max_e4 = 1;
    fixture_t f = quoted_gate(limits);
    hold(&f, 'B', 5000, BID);
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_POSITION_LIMIT);
    assert_int_equal(judge_new(&f, 'S', 2000, ASK), REASON_NONE);
    assert_int_equal(judge_new(&f, 'S', 3000, ASK), REASON_NONE);
    assert_int_equal(judge_new(&f, 'S', 1, ASK), REASON_GROSS_NOTIONAL); /* would open a short one */
    close_gate(&f);
    f = quoted_gate(limits);
    hold(&f, 'S', 5000, ASK);
    assert_int_equal(judge_new(&f, 'S', 1, ASK), REASON_POSITION_LIMIT);
    assert_int_equal(judge_new(&f, 'B', 5000, BID), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_GROSS_NOTIONAL);
    close_gate(&f);
}

static void gate_holds_positions_at_the_mark_and_open_orders_against_the_gross_limit(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    limits.gross_notional_max_e4 = UINT64_C(1000) * BID;
    fixture_t f = quoted_gate(limits);
    hold(&f, 'B', 400, 1); /* valued at the bid, not at its cost */
    assert_int_equal(gate_gross_notional_e4(f.gate), UINT64_C(400) * BID);
    assert_int_equal(judge_new(&f, 'B', 500, BID), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 101, BID), REASON_GROSS_NOTIONAL);
    assert_int_equal(judge_new(&f, 'B', 100, BID + 1), REASON_GROSS_NOTIONAL);
    assert_int_equal(judge_new(&f, 'B', 100, BID), REASON_NONE);
    assert_int_equal(gate_gross_notional_e4(f.gate), UINT64_C(1000) * BID);
    close_gate(&f);
}

static void gate_sums_gross_notional_over_symbols_and_both_directions(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    gate_on_market(f.gate, market_next(f.market, tick_add(LOCATE + 1, 11, 'B', 500, 2000)));
    gate_on_market(f.gate, market_next(f.market, tick_add(LOCATE + 1, 12, 'S', 500, 2010)));
    hold(&f, 'B', 10, BID);
    order_t order = fresh(&f, 'S', 30, 2000);
    order.intended = tick_pack(0, LOCATE + 1);
    say(&f, report_of(&order, REPORT_FILLED, 30, 0, 2000));
    assert_int_equal(gate_gross_notional_e4(f.gate), UINT64_C(10) * BID + UINT64_C(30) * 2010);
    close_gate(&f);
}

static void gate_rejects_the_order_that_is_one_too_many_in_a_second(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    limits.orders_per_second = 3;
    fixture_t f = quoted_gate(limits);
    uint64_t start = 50 * SECOND_NS;
    const struct {
        uint64_t at;
        uint8_t reason;
    } steps[] = {
        {start, REASON_NONE},
        {start + 10, REASON_NONE},
        {start + 10, REASON_NONE},
        {start + 20, REASON_RATE},
        {start + SECOND_NS - 1, REASON_RATE},
        {start + SECOND_NS, REASON_NONE}, /* rejected ones do not count */
        {start + SECOND_NS + 9, REASON_RATE},
        {start + SECOND_NS + 10, REASON_NONE},
        {start + SECOND_NS + 10, REASON_NONE},
        {start + SECOND_NS + 11, REASON_RATE},
        {start, REASON_RATE}, /* a clock that runs back gives no room */
        {start + 2 * SECOND_NS, REASON_NONE},
    };
    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        order_t order = fresh(&f, 'B', 1, BID);
        assert_int_equal(gate_judge(f.gate, &order, steps[i].at), steps[i].reason);
    }
    order_t cancel = order_cancel(1);
    assert_int_equal(gate_judge(f.gate, &cancel, start + 2 * SECOND_NS), REASON_NONE);
    close_gate(&f);
}

static void gate_rate_goes_on_over_midnight(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    limits.orders_per_second = 1;
    fixture_t f = quoted_gate(limits);
    uint64_t day = 86400 * SECOND_NS;
    order_t order = fresh(&f, 'B', 1, BID);
    assert_int_equal(gate_judge(f.gate, &order, day - SECOND_NS / 2), REASON_NONE);
    order = fresh(&f, 'B', 1, BID);
    assert_int_equal(gate_judge(f.gate, &order, SECOND_NS / 2 - 1), REASON_RATE);
    order = fresh(&f, 'B', 1, BID);
    assert_int_equal(gate_judge(f.gate, &order, SECOND_NS / 2), REASON_NONE);
    close_gate(&f);
}

static void gate_rejects_when_its_table_of_open_orders_is_full(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    limits.open_orders_max = 2;
    fixture_t f = quoted_gate(limits);
    order_t first = fresh(&f, 'B', 5, BID);
    assert_int_equal(judge(&f, first), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 5, BID), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 5, BID), REASON_OPEN_ORDERS);
    say(&f, report_of(&first, REPORT_CANCELLED, 5, 0, BID));
    assert_int_equal(judge_new(&f, 'B', 5, BID), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 5, BID), REASON_OPEN_ORDERS);
    close_gate(&f);
}

static void gate_rejects_a_gross_notional_that_does_not_fit(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    fixture_t f = open_gate(limits);
    market_next(f.market, tick_add(LOCATE, 1, 'B', 1, UINT32_MAX - 1));
    market_next(f.market, tick_add(LOCATE, 2, 'S', 1, UINT32_MAX));
    assert_int_equal(judge_new(&f, 'B', UINT32_MAX, UINT32_MAX), REASON_NONE); /* 2^64 - 2^33 + 1 */
    assert_int_equal(judge_new(&f, 'B', 2, UINT32_MAX), REASON_NONE);          /* 2^64 - 1 */
    assert_int_equal(gate_gross_notional_e4(f.gate), UINT64_MAX);
    assert_int_equal(judge_new(&f, 'B', 1, UINT32_MAX), REASON_OVERFLOW);
    close_gate(&f);
}

static void gate_rejects_everything_after_an_execution_that_cannot_be_booked(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    hold(&f, 'B', UINT32_MAX, UINT32_MAX); /* costs more than 2^63 */
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_OVERFLOW);
    assert_int_equal(judge_new(&f, 'S', 1, ASK), REASON_OVERFLOW);
    assert_int_equal(judge(&f, order_cancel(1)), REASON_NONE);
    close_gate(&f);
}

static void exposure_refuses_a_position_that_does_not_fit(void **state)
{
    (void)state;
    market_t *market = risk_market_create();
    exposure_t e = {0};
    assert_true(exposure_create(&e, market, 4));
    order_t buy = order_new(1, 'B', 10, BID, ORDER_TIF_DAY);
    order_t sell = order_new(2, 'S', 10, BID, ORDER_TIF_DAY);
    e.symbols[LOCATE].position.qty = INT64_MAX - 10;
    assert_true(exposure_worst(&e, &buy).computable);
    e.symbols[LOCATE].position.qty = INT64_MAX - 9;
    assert_false(exposure_worst(&e, &buy).computable);
    assert_true(exposure_worst(&e, &sell).computable);
    e.symbols[LOCATE].position.qty = INT64_MIN + 9;
    assert_false(exposure_worst(&e, &sell).computable);
    exposure_destroy(&e);
    market_destroy(market);
}

/* ---- the order of the checks */

static void gate_gives_the_first_reason_in_the_documented_order(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    limits.max_order_qty = 10;
    limits.max_order_notional_e4 = UINT64_C(10) * BID;
    limits.position_max = 1;
    limits.gross_notional_max_e4 = 1;
    fixture_t f = open_gate(limits);
    gate_kill(f.gate, true);
    order_t order = order_new(1, 'B', 11, 10 * BID, ORDER_TIF_DAY);
    order.side = 'X';
    assert_int_equal(judge(&f, order), REASON_MALFORMED);
    order.side = 'B';
    assert_int_equal(judge(&f, order), REASON_KILL_SWITCH);
    assert_int_equal(judge(&f, order), REASON_DUPLICATE_ID);
    gate_kill(f.gate, false);
    order.order_id++;
    assert_int_equal(judge(&f, order), REASON_UNKNOWN_SYMBOL);
    market_next(f.market, tick_trading(LOCATE, 'H'));
    market_next(f.market, tick_add(LOCATE, 1, 'B', 500, BID));
    order.order_id++;
    assert_int_equal(judge(&f, order), REASON_HALTED);
    market_next(f.market, tick_trading(LOCATE, 'T'));
    order.order_id++;
    assert_int_equal(judge(&f, order), REASON_MAX_QTY);
    order.order_id++;
    order.qty = 10;
    assert_int_equal(judge(&f, order), REASON_MAX_NOTIONAL);
    order.order_id++;
    order.qty = 2;
    order.px_e4 = 5 * BID;
    assert_int_equal(judge(&f, order), REASON_NO_REFERENCE);
    market_next(f.market, tick_add(LOCATE, 2, 'S', 500, ASK));
    order.order_id++;
    assert_int_equal(judge(&f, order), REASON_PRICE_COLLAR);
    order.order_id++;
    order.px_e4 = BID;
    assert_int_equal(judge(&f, order), REASON_POSITION_LIMIT);
    order.order_id++;
    order.qty = 1;
    assert_int_equal(judge(&f, order), REASON_GROSS_NOTIONAL);
    assert_int_equal(gate_open_orders(f.gate), 0);
    close_gate(&f);
}

static void gate_passes_cancels_whatever_their_other_fields(void **state)
{
    (void)state;
    fixture_t f = open_gate(wide()); /* no symbol is known */
    order_t cancel = order_cancel(9);
    assert_int_equal(judge(&f, cancel), REASON_NONE);
    assert_int_equal(judge(&f, cancel), REASON_NONE);
    cancel.qty = 5;
    cancel.side = 'X';
    assert_int_equal(judge(&f, cancel), REASON_NONE);
    cancel.order_id = ORDER_ID(STRATEGY, 0);
    assert_int_equal(judge(&f, cancel), REASON_MALFORMED);
    cancel.order_id = ORDER_ID(STRATEGY + 1, 9); /* somebody else's order */
    assert_int_equal(judge(&f, cancel), REASON_MALFORMED);
    assert_int_equal(gate_open_orders(f.gate), 0);
    close_gate(&f);
}

/* ---- bookkeeping from reports */

static void assert_exposure(const fixture_t *f, int64_t position, uint64_t open_buy, uint64_t open_sell,
                            uint64_t gross_e4)
{
    gate_exposure_t e = gate_exposure(f->gate, LOCATE);
    assert_int_equal(e.position.qty, position);
    assert_int_equal(e.open_buy_qty, open_buy);
    assert_int_equal(e.open_sell_qty, open_sell);
    assert_int_equal(gate_gross_notional_e4(f->gate), gross_e4);
}

static void gate_follows_an_order_from_acceptance_to_its_last_fill(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    order_t buy = fresh(&f, 'B', 100, BID);
    assert_int_equal(judge(&f, buy), REASON_NONE);
    assert_exposure(&f, 0, 100, 0, UINT64_C(100) * BID);
    say(&f, report_of(&buy, REPORT_ACCEPTED, 100, 100, BID));
    assert_exposure(&f, 0, 100, 0, UINT64_C(100) * BID);
    say(&f, report_of(&buy, REPORT_PARTIAL, 30, 70, BID - 5));
    assert_exposure(&f, 30, 70, 0, UINT64_C(100) * BID);
    say(&f, report_of(&buy, REPORT_FILLED, 70, 0, BID));
    assert_exposure(&f, 100, 0, 0, UINT64_C(100) * BID);
    assert_int_equal(gate_open_orders(f.gate), 0);
    order_t sell = fresh(&f, 'S', 100, ASK);
    assert_int_equal(judge(&f, sell), REASON_NONE);
    say(&f, report_of(&sell, REPORT_FILLED, 100, 0, ASK));
    assert_exposure(&f, 0, 0, 0, 0);
    gate_exposure_t e = gate_exposure(f.gate, LOCATE);
    assert_int_equal(e.position.realised_e4, 100 * (int64_t)(ASK - BID) + 30 * 5);
    assert_int_equal(e.mark_px_e4, 0);
    assert_int_equal(gate_report_mismatches(f.gate), 0);
    close_gate(&f);
}

static void gate_forgets_cancelled_and_rejected_orders(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    order_t buy = fresh(&f, 'B', 100, BID);
    order_t sell = fresh(&f, 'S', 40, ASK);
    assert_int_equal(judge(&f, buy), REASON_NONE);
    assert_int_equal(judge(&f, sell), REASON_NONE);
    say(&f, report_of(&buy, REPORT_PARTIAL, 10, 90, BID));
    say(&f, report_of(&buy, REPORT_CANCELLED, 90, 0, BID));
    report_t rejected = report_of(&sell, REPORT_REJECTED, 40, 0, ASK);
    rejected.reason = REASON_VENUE_FULL;
    say(&f, rejected);
    assert_exposure(&f, 10, 0, 0, UINT64_C(10) * BID);
    assert_int_equal(gate_report_mismatches(f.gate), 0);
    close_gate(&f);
}

static void gate_keeps_a_live_order_when_a_duplicate_of_it_is_rejected(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    order_t buy = fresh(&f, 'B', 100, BID);
    assert_int_equal(judge(&f, buy), REASON_NONE);
    assert_int_equal(judge(&f, buy), REASON_DUPLICATE_ID);
    report_t rejected = report_of(&buy, REPORT_REJECTED, 100, 0, BID);
    rejected.reason = REASON_DUPLICATE_ID;
    say(&f, rejected);
    rejected.reason = REASON_MALFORMED;
    say(&f, rejected);
    report_t cancel_rejected = report_of(&buy, REPORT_CANCEL_REJECTED, 0, 0, 0);
    say(&f, cancel_rejected);
    assert_exposure(&f, 0, 100, 0, UINT64_C(100) * BID);
    assert_int_equal(gate_open_orders(f.gate), 1);
    close_gate(&f);
}

static void gate_books_executions_of_orders_it_does_not_know_and_counts_them(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    hold(&f, 'S', 25, ASK);
    assert_exposure(&f, -25, 0, 0, UINT64_C(25) * ASK);
    assert_int_equal(gate_report_mismatches(f.gate), 1);
    close_gate(&f);
}

static void gate_keeps_the_larger_exposure_when_a_report_does_not_fit(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    order_t buy = fresh(&f, 'B', 100, BID);
    assert_int_equal(judge(&f, buy), REASON_NONE);
    say(&f, report_of(&buy, REPORT_PARTIAL, 30, 80, BID)); /* 70 would be right */
    assert_exposure(&f, 30, 80, 0, UINT64_C(110) * BID);
    say(&f, report_of(&buy, REPORT_PARTIAL, 30, 10, BID)); /* 50 would be right */
    assert_exposure(&f, 60, 50, 0, UINT64_C(110) * BID);
    say(&f,
        report_of(&buy, REPORT_PARTIAL, 60, 60, BID)); /* more than there were, more left than there were */
    assert_exposure(&f, 120, 50, 0, UINT64_C(170) * BID);
    assert_int_equal(gate_report_mismatches(f.gate), 3);
    say(&f, report_of(&buy, REPORT_CANCELLED, 50, 0, BID));
    assert_exposure(&f, 120, 0, 0, UINT64_C(120) * BID);
    assert_int_equal(gate_report_mismatches(f.gate), 3);
    report_t none = report_of(&buy, 99, 0, 0, 0);
    say(&f, none);
    assert_int_equal(gate_report_mismatches(f.gate), 4);
    close_gate(&f);
}

static void gate_moves_marks_with_the_touch_and_keeps_the_last_of_an_empty_side(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    hold(&f, 'B', 10, BID);
    gate_on_market(f.gate, market_next(f.market, tick_add(LOCATE, 3, 'B', 5, BID + 100)));
    assert_int_equal(gate_gross_notional_e4(f.gate), 10 * (uint64_t)(BID + 100));
    gate_on_market(f.gate, market_next(f.market, tick_delete(LOCATE, 1)));
    gate_on_market(f.gate, market_next(f.market, tick_delete(LOCATE, 3)));
    assert_int_equal(gate_gross_notional_e4(f.gate), 10 * (uint64_t)(BID + 100));
    hold(&f, 'S', 30, BID); /* now short: valued at the ask */
    assert_int_equal(gate_exposure(f.gate, LOCATE).mark_px_e4, ASK);
    assert_int_equal(gate_gross_notional_e4(f.gate), 20 * (uint64_t)ASK);
    gate_on_market(f.gate, market_next(f.market, tick_delete(LOCATE, 2)));
    assert_int_equal(gate_gross_notional_e4(f.gate), 20 * (uint64_t)ASK);
    hold(&f, 'B', 50, 777); /* long again, and no bid: its execution price */
    assert_int_equal(gate_gross_notional_e4(f.gate), 30 * (uint64_t)777);
    close_gate(&f);
}

/* The sums that the gate keeps up to date against sums made anew from all that is open and held. */
static void gate_sums_stay_exact_over_a_random_run(void **state)
{
    (void)state;
    uint64_t seed = 424242;
    print_message("seed %llu\n", (unsigned long long)seed);
    enum { ORDERS = 20000, LIVE = 64 };
    risk_limits_t limits = wide();
    limits.open_orders_max = LIVE;
    limits.orders_per_second = RISK_RATE_LIMIT;
    fixture_t f = quoted_gate(limits);
    struct {
        order_t order;
        uint32_t leaves;
    } live[LIVE] = {0};
    int64_t position = 0;
    for (int i = 0; i < ORDERS; i++) {
        uint64_t r = next_random(&seed);
        unsigned at = (unsigned)(r % LIVE);
        if (live[at].leaves == 0) {
            uint32_t qty = (uint32_t)(r >> 16) % 900 + 1;
            live[at].order = fresh(&f, r & 256 ? 'B' : 'S', qty, BID + (uint32_t)(r >> 40) % 200);
            live[at].leaves = qty;
            assert_int_equal(judge(&f, live[at].order), REASON_NONE);
        } else if (r & 512) {
            uint32_t qty = (uint32_t)(r >> 16) % live[at].leaves + 1;
            live[at].leaves -= qty;
            position += live[at].order.side == 'B' ? (int64_t)qty : -(int64_t)qty;
            say(&f, report_of(&live[at].order, live[at].leaves ? REPORT_PARTIAL : REPORT_FILLED, qty,
                              live[at].leaves, live[at].order.px_e4));
        } else {
            say(&f, report_of(&live[at].order, REPORT_CANCELLED, live[at].leaves, 0, 0));
            live[at].leaves = 0;
        }
        uint64_t open[2] = {0}, gross = (uint64_t)llabs(position) * (position > 0 ? BID : ASK);
        for (unsigned k = 0; k < LIVE; k++) {
            open[live[k].order.side == 'S'] += live[k].leaves;
            gross += (uint64_t)live[k].leaves * live[k].order.px_e4;
        }
        assert_exposure(&f, position, open[0], open[1], gross);
    }
    assert_int_equal(gate_report_mismatches(f.gate), 0);
    close_gate(&f);
}

static void gate_is_not_made_with_wrong_limits(void **state)
{
    (void)state;
    market_t *market = risk_market_create();
    risk_limits_t limits = wide();
    limits.position_max = 0;
    gate_t *gate = NULL;
    tbus_error_t err = {0};
    assert_int_equal(gate_create(&limits, market, &gate, &err), -TBUS_ECONFIG);
    assert_null(gate);
    assert_non_null(strstr(err.text, "risk.position_max"));
    market_destroy(market);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gate_passes_an_order_within_all_limits),
        cmocka_unit_test(gate_rejects_what_is_no_order),
        cmocka_unit_test(gate_rejects_ids_that_do_not_increase_within_a_strategy),
        cmocka_unit_test(gate_counts_the_id_of_a_rejected_order_as_used),
        cmocka_unit_test(gate_rejects_new_orders_and_passes_cancels_while_killed),
        cmocka_unit_test(gate_rejects_unknown_symbols),
        cmocka_unit_test(gate_rejects_halted_symbols_until_they_trade_again),
        cmocka_unit_test(gate_rejects_more_shares_than_an_order_may_have),
        cmocka_unit_test(gate_rejects_more_notional_than_an_order_may_have),
        cmocka_unit_test(gate_rejects_without_a_reference_price),
        cmocka_unit_test(gate_rejects_prices_beyond_the_collar_of_the_touch),
        cmocka_unit_test(gate_collar_is_the_wider_of_its_two_parts),
        cmocka_unit_test(gate_collar_is_not_widened_by_a_far_quote_on_the_other_side),
        cmocka_unit_test(gate_holds_position_and_open_orders_of_a_side_against_the_position_limit),
        cmocka_unit_test(gate_lets_a_position_beyond_its_limit_shrink),
        cmocka_unit_test(gate_holds_positions_at_the_mark_and_open_orders_against_the_gross_limit),
        cmocka_unit_test(gate_sums_gross_notional_over_symbols_and_both_directions),
        cmocka_unit_test(gate_rejects_the_order_that_is_one_too_many_in_a_second),
        cmocka_unit_test(gate_rate_goes_on_over_midnight),
        cmocka_unit_test(gate_rejects_when_its_table_of_open_orders_is_full),
        cmocka_unit_test(gate_rejects_a_gross_notional_that_does_not_fit),
        cmocka_unit_test(gate_rejects_everything_after_an_execution_that_cannot_be_booked),
        cmocka_unit_test(exposure_refuses_a_position_that_does_not_fit),
        cmocka_unit_test(gate_gives_the_first_reason_in_the_documented_order),
        cmocka_unit_test(gate_passes_cancels_whatever_their_other_fields),
        cmocka_unit_test(gate_follows_an_order_from_acceptance_to_its_last_fill),
        cmocka_unit_test(gate_forgets_cancelled_and_rejected_orders),
        cmocka_unit_test(gate_keeps_a_live_order_when_a_duplicate_of_it_is_rejected),
        cmocka_unit_test(gate_books_executions_of_orders_it_does_not_know_and_counts_them),
        cmocka_unit_test(gate_keeps_the_larger_exposure_when_a_report_does_not_fit),
        cmocka_unit_test(gate_moves_marks_with_the_touch_and_keeps_the_last_of_an_empty_side),
        cmocka_unit_test(gate_sums_stay_exact_over_a_random_run),
        cmocka_unit_test(gate_is_not_made_with_wrong_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
