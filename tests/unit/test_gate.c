/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/gate_fixture.h"

#include "tests/support/memory_in_use.h"

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
    bad = good, bad.kind = 4;
    assert_int_equal(judge(&f, bad), REASON_MALFORMED);
    bad = good, bad.qty = 0;
    assert_int_equal(judge(&f, bad), REASON_MALFORMED);
    bad = good, bad.order_id = ORDER_ID(STRATEGY, 0);
    assert_int_equal(judge(&f, bad), REASON_MALFORMED);
    bad = good, bad.kind = ORDER_REPLACE; /* of nothing */
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
    order.locate = LOCATE + 1;
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
    assert_int_equal(judge_new(&f, 'B', 300, BID + 100), REASON_MAX_NOTIONAL);
    assert_int_equal(judge_new(&f, 'B', 301, BID), REASON_MAX_NOTIONAL);
    assert_int_equal(judge_new(&f, 'B', UINT32_MAX, GATE_PX_MAX_E4), REASON_MAX_NOTIONAL);
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
    risk_limits_t limits = wide();
    fixture_t f = quoted_gate(limits); /* 1 %: 10000 from the bid, 10002 from the ask */
    assert_int_equal(judge_new(&f, 'B', 1, BID + 10000), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 1, BID + 10100), REASON_PRICE_COLLAR);
    assert_int_equal(judge_new(&f, 'B', 1, BID - 10000), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 1, BID - 10100), REASON_PRICE_COLLAR);
    assert_int_equal(judge_new(&f, 'S', 1, ASK - 10100), REASON_PRICE_COLLAR);
    assert_int_equal(judge_new(&f, 'S', 1, ASK + 10000), REASON_NONE);
    assert_int_equal(judge_new(&f, 'S', 1, ASK + 10100), REASON_PRICE_COLLAR);
    assert_int_equal(judge_new(&f, 'B', 1, GATE_PX_MAX_E4), REASON_PRICE_COLLAR);
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
    assert_int_equal(judge_new(&f, 'B', 1, BID + 20100), REASON_PRICE_COLLAR);
    close_gate(&f);
    limits.collar_bps = limits.collar_e4 = 0; /* the strictest, not "none" */
    f = quoted_gate(limits);
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 1, BID + 100), REASON_PRICE_COLLAR);
    assert_int_equal(judge_new(&f, 'S', 1, ASK - 100), REASON_PRICE_COLLAR);
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
    /* would open a short one */
    assert_int_equal(judge_new(&f, 'S', 1, ASK), REASON_GROSS_NOTIONAL);
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
    assert_int_equal(judge_new(&f, 'B', 100, BID + 100), REASON_GROSS_NOTIONAL);
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
    order.locate = LOCATE + 1;
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

static void gate_counts_the_rate_anew_when_the_clock_has_restarted(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    limits.orders_per_second = 2;
    fixture_t f = quoted_gate(limits);
    for (unsigned turn = 0; turn < 3; turn++) {
        for (unsigned i = 0; i < 3; i++) {
            order_t order = fresh(&f, 'B', 1, BID);
            assert_int_equal(gate_judge(f.gate, &order, SECOND_NS + turn),
                             i < 2 ? REASON_NONE : REASON_RATE);
        }
        gate_restart_rate(f.gate);
    }
    close_gate(&f);
}

static void gate_holds_the_next_order_against_the_limits_that_it_was_given_last(void **state)
{
    (void)state;
    risk_limits_t limits = wide(), other = wide();
    limits.orders_per_second = 3;
    limits.open_orders_max = 4;
    fixture_t f = quoted_gate(limits);
    other = limits;
    other.max_order_qty = 10;
    assert_true(gate_set_limits(f.gate, &other));
    assert_int_equal(judge_new(&f, 'B', 11, BID), REASON_MAX_QTY);
    assert_int_equal(judge_new(&f, 'B', 10, BID), REASON_NONE);

    other = limits;
    other.position_max = 15; /* ten are open */
    assert_true(gate_set_limits(f.gate, &other));
    assert_int_equal(judge_new(&f, 'B', 6, BID), REASON_POSITION_LIMIT);
    assert_int_equal(judge_new(&f, 'B', 5, BID), REASON_NONE);

    other = limits;
    other.open_orders_max = 2; /* which are open */
    assert_true(gate_set_limits(f.gate, &other));
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_OPEN_ORDERS);
    assert_true(gate_set_limits(f.gate, &limits));
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NONE);

    /* What is wrong, or needs more memory than there is, is refused, and those before stay. */
    other.max_order_qty = 0;
    assert_false(gate_set_limits(f.gate, &other));
    other = limits;
    other.orders_per_second = 4;
    assert_false(gate_set_limits(f.gate, &other));
    other = limits;
    other.open_orders_max = 5;
    assert_false(gate_set_limits(f.gate, &other));
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_RATE);
    close_gate(&f);
}

/* Whatever the limit was when they passed. */
static void gate_counts_what_has_passed_against_a_new_rate(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    limits.orders_per_second = 4;
    fixture_t f = quoted_gate(limits);
    const struct {
        uint32_t limit;
        uint64_t at;
        uint8_t reason;
    } steps[] = {
        {4, 100, REASON_NONE},
        {4, 200, REASON_NONE},
        {4, 300, REASON_NONE},
        {2, 400, REASON_RATE},
        {2, 200 + SECOND_NS - 1, REASON_RATE},
        {2, 200 + SECOND_NS, REASON_NONE},
        {2, 300 + SECOND_NS - 1, REASON_RATE},
        {1, 300 + SECOND_NS, REASON_RATE}, /* the last passed at 200 of this second */
        {4, 300 + SECOND_NS, REASON_NONE}, /* of the four before, two are a second old */
        {4, 300 + SECOND_NS, REASON_NONE},
        {4, 300 + SECOND_NS, REASON_NONE},
        {4, 300 + SECOND_NS, REASON_RATE},
        {1, 300 + 2 * SECOND_NS, REASON_NONE},
        {1, 300 + 2 * SECOND_NS, REASON_RATE},
        {4, 300 + 2 * SECOND_NS, REASON_NONE},
    };
    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        limits.orders_per_second = steps[i].limit;
        assert_true(gate_set_limits(f.gate, &limits));
        order_t order = fresh(&f, 'B', 1, BID);
        uint8_t reason = gate_judge(f.gate, &order, steps[i].at);
        if (reason != steps[i].reason)
            fail_msg("step %u: %u", i, reason);
    }
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
    const uint32_t px = GATE_PX_MAX_E4;
    const uint64_t whole = (uint64_t)UINT32_MAX * px, rest = (UINT64_MAX - 2 * whole) / px;
    market_next(f.market, tick_add(LOCATE, 1, 'B', 1, px - 100));
    market_next(f.market, tick_add(LOCATE, 2, 'S', 1, px));
    assert_int_equal(judge_new(&f, 'B', UINT32_MAX, px), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', UINT32_MAX, px), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', (uint32_t)rest + 1, px), REASON_OVERFLOW);
    assert_int_equal(judge_new(&f, 'B', (uint32_t)rest, px), REASON_NONE);
    assert_int_equal(gate_gross_notional_e4(f.gate), 2 * whole + rest * px);
    assert_int_equal(judge_new(&f, 'B', 1, px), REASON_OVERFLOW);
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
    assert_int_equal(gate_open_orders(f.gate), 0);
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
    assert_int_equal(gate_create(&limits, NULL, market, &gate, &err), -TBUS_ECONFIG);
    assert_null(gate);
    assert_non_null(strstr(err.text, "risk.position_max"));
    market_destroy(market);
}

static void a_gate_takes_the_memory_that_its_limits_are_said_to_need(void **state)
{
    (void)state;
    const struct {
        uint32_t orders_per_second, open_orders_max;
    } sizes[] = {{1, 1}, {500000, 1}, {1, 500000}, {500000, 500000}};
    fixture_t f = {.market = risk_market_create()};
    if (memory_in_use() == 0) {
        market_destroy(f.market);
        skip();
    }
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        risk_limits_t limits = wide();
        limits.orders_per_second = sizes[i].orders_per_second;
        limits.open_orders_max = sizes[i].open_orders_max;
        size_t before = memory_in_use();
        assert_int_equal(gate_create(&limits, NULL, f.market, &f.gate, NULL), 0);
        size_t took = memory_in_use() - before;
        gate_destroy(f.gate);
        if (!memory_is_near(took, gate_footprint(&limits)))
            fail_msg("size %u: said %zu, took %zu", i, gate_footprint(&limits), took);
    }
    market_destroy(f.market);
}

/* ---- explaining */

static uint64_t draw(uint64_t *seed, uint64_t below)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed % below;
}

/* Limits that every check has orders beyond. */
static risk_limits_t narrow(void)
{
    return (risk_limits_t){.max_order_qty = 950,
                           .max_order_notional_e4 = UINT64_C(930) * BID,
                           .collar_bps = 100,
                           .collar_e4 = 3,
                           .position_max = 3000,
                           .gross_notional_max_e4 = UINT64_C(3200) * BID,
                           .orders_per_second = 40,
                           .open_orders_max = 6,
                           .messages_per_second = 40,
                           .reference_qty = 100,
                           .loss_max_e4 = UINT64_C(3000) * BID};
}

static order_t random_order(fixture_t *f, uint64_t *seed)
{
    uint64_t id = draw(seed, 40) == 0 ? f->count : ++f->count;
    order_t o = order_new(id, draw(seed, 2) ? 'B' : 'S', 1 + (uint32_t)draw(seed, 960),
                          BID - 10200 + 100 * (uint32_t)draw(seed, 204), ORDER_TIF_DAY);
    if (draw(seed, 60) == 0)
        o.px_e4++;
    if (draw(seed, 30) == 0)
        o.kind = (uint8_t)draw(seed, 5);
    if (draw(seed, 60) == 0)
        o.qty = 0;
    if (draw(seed, 60) == 0)
        o.px_e4 = 0;
    if (draw(seed, 60) == 0)
        o.locate = LOCATE + 1;
    return o;
}

/* Bought far above the bid, or sold far below the ask. */
static void lose(fixture_t *f, uint8_t side)
{
    hold(f, side, 400, side == 'B' ? 10 * BID : 1);
}

/* The market, the switch, and what became of the order, which goes on resting now and then. */
static void move_world(fixture_t *f, uint64_t *seed, const order_t *o, bool passed)
{
    if (draw(seed, 50) == 0)
        market_next(f->market, tick_trading(LOCATE, draw(seed, 3) ? 'T' : 'H'));
    if (draw(seed, 40) == 0)
        gate_kill(f->gate, draw(seed, 4) == 0);
    if (draw(seed, 60) == 0)
        gate_reduce(f->gate, draw(seed, 4) == 0);
    if (draw(seed, 40) == 0)
        market_next(f->market, tick_reg_sho(LOCATE, "0012"[draw(seed, 4)]));
    if (draw(seed, 40) == 0)
        market_next(f->market, tick_issue(LOCATE, draw(seed, 8) == 0));
    if (draw(seed, 60) == 0)
        lose(f, draw(seed, 2) ? 'B' : 'S');
    if (draw(seed, 30) == 0)
        gate_rearm(f->gate);
    if (draw(seed, 5000) == 0)
        gate_restart_rate(f->gate);
    if (!passed || o->kind == ORDER_CANCEL || draw(seed, 40) == 0)
        return;
    bool fills = draw(seed, 3) == 0;
    say(f, report_of(o, fills ? REPORT_FILLED : REPORT_CANCELLED, o->qty, 0, o->px_e4));
}

static uint8_t explained(const gate_check_t *checks, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_true(checks[i].reached);
        if (!checks[i].passed)
            return checks[i].reason;
    }
    return REASON_NONE;
}

/* Every reason that orders can give here; an overflow takes more than these. */
static const uint8_t all_reasons[] = {
    REASON_NONE,           REASON_MALFORMED,    REASON_DUPLICATE_ID,   REASON_KILL_SWITCH,
    REASON_UNKNOWN_SYMBOL, REASON_HALTED,       REASON_MAX_QTY,        REASON_MAX_NOTIONAL,
    REASON_NO_REFERENCE,   REASON_PRICE_COLLAR, REASON_POSITION_LIMIT, REASON_GROSS_NOTIONAL,
    REASON_RATE,           REASON_OPEN_ORDERS,  REASON_LOSS_LIMIT,     REASON_REDUCING,
    REASON_TICK_SIZE,      REASON_SELF_MATCH,   REASON_SHORT_SALE,     REASON_TEST_SYMBOL,
    REASON_MESSAGE_RATE};

static void what_is_explained_is_what_is_judged(void **state)
{
    (void)state;
    gate_check_t checks[GATE_CHECKS_MAX];
    uint64_t seed = UINT64_C(88172645463325252), now_ns = 1, given[REASON_COUNT] = {0};
    fixture_t f = quoted_gate(narrow());
    for (unsigned i = 0; i < 100000; i++) {
        if (i % 500 == 0) { /* another gate, so that none is stuck at its limits */
            gate_destroy(f.gate);
            risk_limits_t limits = narrow();
            assert_int_equal(gate_create(&limits, NULL, f.market, &f.gate, NULL), 0);
        }
        order_t o = random_order(&f, &seed);
        now_ns += draw(&seed, 50000000);
        unsigned count = gate_explain(f.gate, &o, now_ns, checks);
        uint8_t reason = explained(checks, count);
        if (gate_judge(f.gate, &o, now_ns) != reason)
            fail_msg("order %u: explained as %s", i, report_reason_name(reason));
        given[reason]++;
        move_world(&f, &seed, &o, reason == REASON_NONE);
    }
    for (unsigned i = 0; i < sizeof all_reasons; i++)
        if (given[all_reasons[i]] == 0)
            fail_msg("no order was rejected for %s", report_reason_name(all_reasons[i]));
    close_gate(&f);
}

static const gate_check_t *check_of(const gate_check_t *checks, unsigned count, uint8_t reason)
{
    for (unsigned i = 0; i < count; i++)
        if (checks[i].reason == reason)
            return &checks[i];
    fail_msg("no check for %s", report_reason_name(reason));
    return NULL;
}

static void an_explanation_has_the_figures(void **state)
{
    (void)state;
    gate_check_t checks[GATE_CHECKS_MAX];
    risk_limits_t limits = narrow();
    fixture_t f = quoted_gate(limits);
    hold(&f, 'B', 400, BID);
    assert_int_equal(judge_new(&f, 'B', 300, BID), REASON_NONE);
    order_t o = fresh(&f, 'B', 951, BID - 700);
    unsigned count = gate_explain(f.gate, &o, 0, checks);
    assert_int_equal(count, 23);
    for (unsigned i = 0; i < count; i++)
        assert_false(checks[i].of_strategy); /* it has no limits of its own */
    const struct {
        uint8_t reason;
        uint64_t value, limit;
        bool passed, reached;
    } expected[] = {
        {REASON_MALFORMED, 1, 1, true, true},
        {REASON_DUPLICATE_ID, 3, 2, true, true},
        {REASON_KILL_SWITCH, 0, 0, true, true},
        {REASON_MAX_QTY, 951, 950, false, true},
        {REASON_PRICE_COLLAR, 700, 10000, true, false},
        {REASON_POSITION_LIMIT, 1651, 3000, true, false},
        {REASON_GROSS_NOTIONAL, UINT64_C(700) * BID + UINT64_C(951) * (BID - 700),
         UINT64_C(3200) * BID, true, false},
        {REASON_RATE, 1, 40, true, false},
        {REASON_MESSAGE_RATE, 1, 40, true, false},
        {REASON_OPEN_ORDERS, 1, 6, true, false},
        {REASON_LOSS_LIMIT, 0, UINT64_C(3000) * BID, true, true},
        {REASON_REDUCING, 0, 0, true, true},
        {REASON_TICK_SIZE, 1, 1, true, true},
        {REASON_SELF_MATCH, 0, 0, true, false},
    };
    for (unsigned i = 0; i < sizeof expected / sizeof *expected; i++) {
        const gate_check_t *c = check_of(checks, count, expected[i].reason);
        assert_int_equal(c->value, expected[i].value);
        assert_int_equal(c->limit, expected[i].limit);
        assert_int_equal(c->passed, expected[i].passed);
        assert_int_equal(c->reached, expected[i].reached);
        assert_true(c->known);
    }
    order_t cancel = order_cancel(1);
    assert_int_equal(gate_explain(f.gate, &cancel, 0, checks), 1);
    close_gate(&f);
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
        cmocka_unit_test(gate_counts_the_rate_anew_when_the_clock_has_restarted),
        cmocka_unit_test(gate_holds_the_next_order_against_the_limits_that_it_was_given_last),
        cmocka_unit_test(gate_counts_what_has_passed_against_a_new_rate),
        cmocka_unit_test(gate_rejects_when_its_table_of_open_orders_is_full),
        cmocka_unit_test(gate_rejects_a_gross_notional_that_does_not_fit),
        cmocka_unit_test(gate_rejects_everything_after_an_execution_that_cannot_be_booked),
        cmocka_unit_test(gate_gives_the_first_reason_in_the_documented_order),
        cmocka_unit_test(gate_passes_cancels_whatever_their_other_fields),
        cmocka_unit_test(gate_is_not_made_with_wrong_limits),
        cmocka_unit_test(what_is_explained_is_what_is_judged),
        cmocka_unit_test(an_explanation_has_the_figures),
        cmocka_unit_test(a_gate_takes_the_memory_that_its_limits_are_said_to_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
