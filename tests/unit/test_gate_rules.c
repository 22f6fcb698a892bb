/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of the gate that a desk knows: ticks, closing orders, references, self-match, rates of
 * messages, losses and states. */
#include "tests/unit/gate_fixture.h"

static void a_price_between_ticks_or_above_the_highest_is_rejected(void **state)
{
    (void)state;
    fixture_t f = open_gate(wide());
    market_next(f.market, tick_add(LOCATE, 1, 'B', 500, 9990));
    market_next(f.market, tick_add(LOCATE, 2, 'S', 500, 10100));
    assert_int_equal(judge_new(&f, 'B', 1, 9991),
                     REASON_NONE); /* below 1.00: hundredths of cents */
    assert_int_equal(judge_new(&f, 'B', 1, 9999), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 1, 10000), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 1, 10001), REASON_TICK_SIZE);
    assert_int_equal(judge_new(&f, 'S', 1, 10150), REASON_TICK_SIZE);
    assert_int_equal(judge_new(&f, 'B', 1, GATE_PX_MAX_E4), REASON_PRICE_COLLAR);
    assert_int_equal(judge_new(&f, 'B', 1, GATE_PX_MAX_E4 + 100), REASON_TICK_SIZE);
    assert_int_equal(judge_new(&f, 'B', 1, UINT32_MAX), REASON_TICK_SIZE);
    close_gate(&f);
}

/* A spread of ten percent, and a collar of one. */
static fixture_t wide_spread(risk_limits_t limits)
{
    fixture_t f = open_gate(limits);
    market_next(f.market, tick_add(LOCATE, 1, 'B', 500, 900000));
    market_next(f.market, tick_add(LOCATE, 2, 'S', 500, 1000000));
    return f;
}

static void what_closes_is_measured_from_the_side_it_hits_or_its_own(void **state)
{
    (void)state;
    fixture_t f = wide_spread(wide());
    assert_int_equal(judge_new(&f, 'S', 100, 900000), REASON_PRICE_COLLAR); /* a new short */
    hold(&f, 'B', 100, 950000);
    assert_int_equal(judge_new(&f, 'S', 101, 900000), REASON_PRICE_COLLAR); /* turns it round */
    assert_int_equal(judge_new(&f, 'S', 40, 900000), REASON_NONE);
    assert_int_equal(judge_new(&f, 'S', 1, 891000), REASON_NONE);
    assert_int_equal(judge_new(&f, 'S', 1, 890900), REASON_PRICE_COLLAR);
    assert_int_equal(judge_new(&f, 'S', 1, 950000), REASON_PRICE_COLLAR); /* near to neither */
    assert_int_equal(judge_new(&f, 'S', 59, 1000000), REASON_NONE);       /* joins the ask */
    assert_int_equal(judge_new(&f, 'S', 1, 900000), REASON_PRICE_COLLAR); /* all is being sold */
    close_gate(&f);
}

static uint32_t market_px(const fixture_t *f, uint8_t side, uint32_t qty)
{
    order_t order = order_new(1, side, qty, 0, ORDER_TIF_IOC);
    order.flags = ORDER_MARKET;
    return gate_market_px(f->gate, &order);
}

/* A collar of one percent: the limit is the last price that passes. */
static void an_order_at_the_market_goes_to_the_end_of_the_collar(void **state)
{
    (void)state;
    fixture_t f = open_gate(wide());
    assert_int_equal(market_px(&f, 'B', 1), 0);
    market_next(f.market, tick_add(LOCATE, 1, 'B', 500, 1000100));
    market_next(f.market, tick_add(LOCATE, 2, 'S', 500, 1000300));
    assert_int_equal(market_px(&f, 'B', 1), 1010100);
    assert_int_equal(judge_new(&f, 'B', 1, 1010200), REASON_PRICE_COLLAR);
    assert_int_equal(judge_new(&f, 'B', 1, 1010100), REASON_NONE);
    assert_int_equal(market_px(&f, 'S', 1), 990300);
    assert_int_equal(judge_new(&f, 'S', 1, 990200), REASON_PRICE_COLLAR);
    market_next(f.market, tick_add(LOCATE + 1, 3, 'B', 500, 1000100)); /* the same stock's other */
    order_t order = order_new(1, 'B', 1, 0, ORDER_TIF_IOC);
    order.locate = LOCATE + 1;
    assert_int_equal(gate_market_px(f.gate, &order), 1010100);
    close_gate(&f);
    f = wide_spread(wide());
    hold(&f, 'B', 100, 950000);
    assert_int_equal(market_px(&f, 'S', 100), 891000); /* what closes is measured from the bid */
    assert_int_equal(market_px(&f, 'S', 101), 990000);
    order_t day = order_new(90, 'S', 1, 891000, ORDER_TIF_DAY);
    day.flags = ORDER_MARKET;
    assert_int_equal(judge(&f, day), REASON_MALFORMED);
    close_gate(&f);
}

static void no_book_locks_a_position_in(void **state)
{
    (void)state;
    fixture_t f = wide_spread(wide());
    hold(&f, 'B', 100, 950000);
    market_next(f.market, tick_delete(LOCATE, 2)); /* no ask */
    assert_int_equal(judge_new(&f, 'B', 1, 900000), REASON_NO_REFERENCE);
    assert_int_equal(judge_new(&f, 'S', 10, 900000), REASON_NONE);
    market_next(f.market, tick_add(LOCATE, 3, 'S', 500, 900000)); /* locked */
    assert_int_equal(judge_new(&f, 'S', 10, 900000), REASON_NONE);
    market_next(f.market, tick_add(LOCATE, 4, 'S', 500, 899900)); /* crossed */
    assert_int_equal(judge_new(&f, 'S', 10, 900000), REASON_NONE);
    market_next(f.market, tick_delete(LOCATE, 1)); /* no bid: nothing to hit */
    assert_int_equal(judge_new(&f, 'S', 10, 900000), REASON_NO_REFERENCE);
    close_gate(&f);
    f = wide_spread(wide());
    hold(&f, 'S', 100, 950000);
    market_next(f.market, tick_delete(LOCATE, 1)); /* no bid */
    assert_int_equal(judge_new(&f, 'B', 100, 1000000), REASON_NONE);
    close_gate(&f);
}

static void a_few_shares_far_away_do_not_move_a_reference(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    limits.reference_qty = 100;
    fixture_t f = open_gate(limits);
    market_next(f.market, tick_add(LOCATE, 1, 'B', 500, 1000000));
    market_next(f.market, tick_add(LOCATE, 2, 'S', 500, 2000000)); /* a stub */
    assert_int_equal(judge_new(&f, 'B', 10, 1500000), REASON_PRICE_COLLAR);
    market_next(f.market, tick_add(LOCATE, 3, 'B', 1, 1500000));
    assert_int_equal(judge_new(&f, 'B', 10, 1500000), REASON_PRICE_COLLAR);
    assert_int_equal(judge_new(&f, 'B', 10, 1000000), REASON_NONE);
    market_next(f.market, tick_add(LOCATE, 4, 'B', 99, 1490000)); /* 100 from the best one on */
    assert_int_equal(judge_new(&f, 'B', 10, 1490000), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 10, 1000000), REASON_PRICE_COLLAR);
    close_gate(&f);
    /* Of a side with fewer shares than that, the last level that is looked at. */
    f = open_gate(limits);
    market_next(f.market, tick_add(LOCATE, 100, 'S', 500, 2000000));
    for (uint32_t i = 0; i < GATE_REFERENCE_LEVELS + 1; i++)
        market_next(f.market, tick_add(LOCATE, 1 + i, 'B', 1, 1100000 - i * 50000));
    uint32_t last = 1100000 - (GATE_REFERENCE_LEVELS - 1) * 50000;
    assert_int_equal(judge_new(&f, 'B', 10, last), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 10, last - 50000), REASON_PRICE_COLLAR);
    close_gate(&f);
}

static void a_test_issue_is_not_traded_unless_asked_for(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    fixture_t f = quoted_gate(limits);
    market_next(f.market, tick_issue(LOCATE, true));
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_TEST_SYMBOL);
    assert_int_equal(judge(&f, order_cancel(1)), REASON_NONE);
    limits.test_symbols = RISK_TEST_SYMBOLS_ALLOW;
    assert_true(gate_set_limits(f.gate, &limits));
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NONE);
    close_gate(&f);
}

static void a_short_sale_at_the_bid_is_rejected_while_rule_201_is_in_force(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    hold(&f, 'B', 100, BID);
    market_next(f.market, tick_reg_sho(LOCATE, '0'));
    assert_int_equal(judge_new(&f, 'S', 1000, BID), REASON_NONE);
    order_t all = fresh(&f, 'S', 0, BID);
    all.order_id--;
    say(&f, report_of(&all, REPORT_CANCELLED, 1000, 0, 0));
    for (char action = '1'; action <= '2'; action++) {
        market_next(f.market, tick_reg_sho(LOCATE, (uint8_t)action));
        assert_int_equal(judge_new(&f, 'S', 101, BID), REASON_SHORT_SALE);
        assert_int_equal(judge_new(&f, 'S', 101, BID - 100), REASON_SHORT_SALE);
        assert_int_equal(judge_new(&f, 'B', 1, BID - 200), REASON_NONE);
    }
    assert_int_equal(judge_new(&f, 'S', 60, BID), REASON_NONE);       /* long */
    assert_int_equal(judge_new(&f, 'S', 41, BID), REASON_SHORT_SALE); /* 60 are being sold */
    assert_int_equal(judge_new(&f, 'S', 40, BID), REASON_NONE);
    assert_int_equal(judge_new(&f, 'S', 1, BID), REASON_SHORT_SALE);
    assert_int_equal(judge_new(&f, 'S', 500, BID + 100), REASON_NONE); /* above the bid */
    close_gate(&f);
}

static order_t of_strategy(fixture_t *f, uint16_t strategy, uint8_t side, uint32_t px_e4)
{
    order_t order = fresh(f, side, 10, px_e4);
    order.order_id = ORDER_ID(strategy, f->count);
    return order;
}

static void an_order_does_not_meet_one_of_our_own(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    order_t sell = of_strategy(&f, 1, 'S', BID + 100);
    assert_int_equal(judge(&f, sell), REASON_NONE);
    assert_int_equal(judge(&f, of_strategy(&f, 1, 'B', BID + 100)), REASON_SELF_MATCH);
    assert_int_equal(judge(&f, of_strategy(&f, 2, 'B', BID + 200)), REASON_SELF_MATCH);
    assert_int_equal(judge(&f, of_strategy(&f, 2, 'B', BID)), REASON_NONE);
    assert_int_equal(judge(&f, of_strategy(&f, 1, 'S', BID)), REASON_SELF_MATCH);
    /* Not before its end is known. */
    order_t cancel = sell;
    cancel.kind = ORDER_CANCEL;
    assert_int_equal(judge(&f, cancel), REASON_NONE);
    assert_int_equal(judge(&f, of_strategy(&f, 2, 'B', BID + 100)), REASON_SELF_MATCH);
    say(&f, report_of(&sell, REPORT_CANCELLED, 10, 0, 0));
    assert_int_equal(judge(&f, of_strategy(&f, 2, 'B', BID + 100)), REASON_NONE);
    close_gate(&f);
}

static void the_venue_is_left_to_cancel_orders_that_rest_if_it_is_told_to(void **state)
{
    (void)state;
    fixture_t f = {.market = risk_market_create()};
    gate_rules_t rules = {.marks = marks_default, .self_match = SELF_MATCH_CANCEL_OLDEST};
    risk_limits_t limits = wide();
    assert_int_equal(gate_create(&limits, &rules, f.market, &f.gate, NULL), 0);
    market_next(f.market, tick_add(LOCATE, 1, 'B', 500, BID));
    market_next(f.market, tick_add(LOCATE, 2, 'S', 500, ASK + 800));
    assert_int_equal(judge(&f, of_strategy(&f, 1, 'S', ASK)), REASON_NONE);
    assert_int_equal(judge(&f, of_strategy(&f, 2, 'S', ASK + 100)), REASON_NONE);
    assert_int_equal(judge(&f, of_strategy(&f, 1, 'B', ASK)), REASON_NONE);
    assert_int_equal(judge(&f, of_strategy(&f, 1, 'B', ASK + 100)), REASON_NONE);
    assert_int_equal(judge(&f, of_strategy(&f, 2, 'B', ASK)), REASON_NONE);
    close_gate(&f);
}

/* Against a plain search, over orders that come and go. */
static void own_orders_are_found_by_price_over_a_random_run(void **state)
{
    (void)state;
    enum { LIVE = 40, RUNS = 30000 };
    uint64_t seed = 98765;
    fixture_t f = quoted_gate(wide());
    order_t live[LIVE] = {0};
    unsigned met = 0;
    for (int i = 0; i < RUNS; i++) {
        uint64_t r = next_random(&seed);
        order_t *place = &live[r % LIVE];
        if (place->qty != 0) {
            say(&f, report_of(place, REPORT_CANCELLED, place->qty, 0, 0));
            place->qty = 0;
            continue;
        }
        order_t order = fresh(&f, r & 256 ? 'B' : 'S', 10, BID - 1000 + 100 * (r >> 20 & 15));
        bool meets = false;
        for (unsigned k = 0; k < LIVE; k++)
            meets |=
                live[k].qty != 0 && live[k].side != order.side &&
                (order.side == 'B' ? order.px_e4 >= live[k].px_e4 : order.px_e4 <= live[k].px_e4);
        uint8_t reason = gate_judge(f.gate, &order, (uint64_t)i * SECOND_NS);
        assert_int_equal(reason, meets ? REASON_SELF_MATCH : REASON_NONE);
        met += meets;
        if (!meets)
            *place = order;
    }
    assert_in_range(met, 1000, RUNS);
    close_gate(&f);
}

static void cancels_count_against_the_rate_of_messages_and_always_pass(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    limits.messages_per_second = 4;
    fixture_t f = quoted_gate(limits);
    uint64_t now = 7 * SECOND_NS;
    order_t order = fresh(&f, 'B', 1, BID), cancel = order_cancel(1);
    assert_int_equal(gate_judge(f.gate, &order, now), REASON_NONE);
    for (int i = 0; i < 2; i++)
        assert_int_equal(gate_judge(f.gate, &cancel, now + 1), REASON_NONE);
    order = fresh(&f, 'B', 1, BID);
    assert_int_equal(gate_judge(f.gate, &order, now + 2), REASON_NONE);
    order = fresh(&f, 'B', 1, BID);
    assert_int_equal(gate_judge(f.gate, &order, now + 3), REASON_MESSAGE_RATE);
    assert_int_equal(gate_judge(f.gate, &cancel, now + 4), REASON_NONE);
    order = fresh(&f, 'B', 1, BID);
    /* The first is gone; two cancels, an order and a cancel are not. */
    assert_int_equal(gate_judge(f.gate, &order, now + SECOND_NS), REASON_MESSAGE_RATE);
    order = fresh(&f, 'B', 1, BID);
    assert_int_equal(gate_judge(f.gate, &order, now + SECOND_NS + 1), REASON_NONE);
    gate_restart_rate(f.gate);
    for (int i = 0; i < 4; i++) {
        order = fresh(&f, 'B', 1, BID);
        assert_int_equal(gate_judge(f.gate, &order, 1), REASON_NONE);
    }
    close_gate(&f);
}

static void a_loss_beyond_its_limit_leaves_closing_orders_alone_until_rearmed(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    limits.loss_max_e4 = 50000; /* 5.00 */
    fixture_t f = quoted_gate(limits);
    hold(&f, 'B', 100, BID + 500); /* 5.00 lost, at the bid */
    assert_int_equal(gate_state(f.gate), GATE_ACTIVE);
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NONE);
    gate_on_market(f.gate, market_next(f.market, tick_replace(LOCATE, 1, 3, 500, BID - 100)));
    assert_int_equal(gate_state(f.gate), GATE_REDUCING);
    assert_true(gate_loss_latched(f.gate));
    gate_on_market(f.gate, market_next(f.market, tick_replace(LOCATE, 3, 4, 500, BID + 100)));
    /* Latched, though the loss has become less, and the limit more. */
    limits.loss_max_e4 = UINT64_MAX;
    assert_true(gate_set_limits(f.gate, &limits));
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_LOSS_LIMIT);
    assert_int_equal(judge_new(&f, 'S', 101, ASK), REASON_LOSS_LIMIT);
    assert_int_equal(judge_new(&f, 'S', 100, ASK), REASON_NONE);
    assert_int_equal(judge_new(&f, 'S', 1, ASK), REASON_LOSS_LIMIT);
    order_t cancel = order_cancel(1);
    assert_int_equal(judge(&f, cancel), REASON_NONE);
    limits.loss_max_e4 = 50000;
    assert_true(gate_set_limits(f.gate, &limits));
    gate_rearm(f.gate);
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NONE);
    /* It counts from where it was rearmed: 4.00 down, and one hundredth more. */
    gate_on_market(f.gate, market_next(f.market, tick_replace(LOCATE, 4, 5, 500, BID - 400)));
    assert_int_equal(gate_state(f.gate), GATE_ACTIVE);
    gate_on_market(f.gate, market_next(f.market, tick_replace(LOCATE, 5, 6, 500, BID - 500)));
    assert_int_equal(gate_state(f.gate), GATE_REDUCING);
    close_gate(&f);
}

static void fees_are_part_of_the_loss(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    limits.loss_max_e4 = 99;
    fixture_t f = quoted_gate(limits);
    order_t order = fresh(&f, 'B', 1, BID);
    report_t filled = report_of(&order, REPORT_FILLED, 1, 0, BID);
    filled.fee_e4 = 100;
    say(&f, filled);
    assert_int_equal(gate_state(f.gate), GATE_REDUCING);
    close_gate(&f);
}

static void while_reducing_closing_orders_and_cancels_pass_alone(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    hold(&f, 'S', 50, ASK);
    gate_reduce(f.gate, true);
    assert_int_equal(gate_state(f.gate), GATE_REDUCING);
    assert_int_equal(judge_new(&f, 'S', 1, ASK), REASON_REDUCING);
    assert_int_equal(judge_new(&f, 'B', 51, BID), REASON_REDUCING);
    assert_int_equal(judge_new(&f, 'B', 20, BID), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 31, BID), REASON_REDUCING); /* 20 are being bought */
    assert_int_equal(judge_new(&f, 'B', 30, ASK), REASON_NONE);
    assert_int_equal(judge(&f, order_cancel(3)), REASON_NONE);
    gate_kill(f.gate, true);
    assert_int_equal(gate_state(f.gate), GATE_HALTED);
    gate_kill(f.gate, false);
    gate_reduce(f.gate, false);
    assert_int_equal(gate_state(f.gate), GATE_ACTIVE);
    assert_int_equal(judge_new(&f, 'S', 1, ASK + 100), REASON_NONE);
    close_gate(&f);
}

static void orders_that_rest_stay_and_count_when_limits_become_smaller(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    fixture_t f = quoted_gate(limits);
    order_t first = fresh(&f, 'B', 300, BID), second = fresh(&f, 'B', 300, BID);
    assert_int_equal(judge(&f, first), REASON_NONE);
    assert_int_equal(judge(&f, second), REASON_NONE);
    limits.position_max = 400;
    assert_true(gate_set_limits(f.gate, &limits));
    assert_int_equal(gate_open_orders(f.gate), 2);
    assert_int_equal(gate_exposure(f.gate, LOCATE).open_buy_qty, 600);
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_POSITION_LIMIT);
    say(&f, report_of(&first, REPORT_CANCELLED, 300, 0, 0));
    assert_int_equal(judge_new(&f, 'B', 101, BID), REASON_POSITION_LIMIT);
    assert_int_equal(judge_new(&f, 'B', 100, BID), REASON_NONE);
    close_gate(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_price_between_ticks_or_above_the_highest_is_rejected),
        cmocka_unit_test(what_closes_is_measured_from_the_side_it_hits_or_its_own),
        cmocka_unit_test(an_order_at_the_market_goes_to_the_end_of_the_collar),
        cmocka_unit_test(no_book_locks_a_position_in),
        cmocka_unit_test(a_few_shares_far_away_do_not_move_a_reference),
        cmocka_unit_test(a_test_issue_is_not_traded_unless_asked_for),
        cmocka_unit_test(a_short_sale_at_the_bid_is_rejected_while_rule_201_is_in_force),
        cmocka_unit_test(an_order_does_not_meet_one_of_our_own),
        cmocka_unit_test(the_venue_is_left_to_cancel_orders_that_rest_if_it_is_told_to),
        cmocka_unit_test(own_orders_are_found_by_price_over_a_random_run),
        cmocka_unit_test(cancels_count_against_the_rate_of_messages_and_always_pass),
        cmocka_unit_test(a_loss_beyond_its_limit_leaves_closing_orders_alone_until_rearmed),
        cmocka_unit_test(fees_are_part_of_the_loss),
        cmocka_unit_test(while_reducing_closing_orders_and_cancels_pass_alone),
        cmocka_unit_test(orders_that_rest_stay_and_count_when_limits_become_smaller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
