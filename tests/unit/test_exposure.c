/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/gate_fixture.h"

#include <stdlib.h>

#include "risk/exposure.h"

static void assert_exposure(const fixture_t *f, int64_t position, uint64_t open_buy,
                            uint64_t open_sell, uint64_t gross_e4)
{
    gate_exposure_t e = gate_exposure(f->gate, LOCATE);
    assert_int_equal(e.position.qty, position);
    assert_int_equal(e.open_buy_qty, open_buy);
    assert_int_equal(e.open_sell_qty, open_sell);
    assert_int_equal(gate_gross_notional_e4(f->gate), gross_e4);
}

static void exposure_follows_an_order_from_acceptance_to_its_last_fill(void **state)
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
    assert_int_equal(e.mark.px_e4, 0);
    assert_int_equal(gate_report_mismatches(f.gate), 0);
    close_gate(&f);
}

static void exposure_forgets_cancelled_and_rejected_orders(void **state)
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

static void exposure_keeps_a_live_order_when_a_duplicate_of_it_is_rejected(void **state)
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

static void exposure_books_executions_of_orders_it_does_not_know_and_counts_them(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    hold(&f, 'S', 25, ASK);
    assert_exposure(&f, -25, 0, 0, UINT64_C(25) * ASK);
    assert_int_equal(gate_report_mismatches(f.gate), 1);
    close_gate(&f);
}

static void exposure_keeps_the_larger_exposure_when_a_report_does_not_fit(void **state)
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
        /* more than there were, more left than there were */
        report_of(&buy, REPORT_PARTIAL, 60, 60, BID));
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

static void exposure_moves_marks_with_the_touch_and_goes_by_trade_and_cost_without_one(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    hold(&f, 'B', 10, BID);
    gate_on_market(f.gate, market_next(f.market, tick_add(LOCATE, 3, 'B', 5, BID + 100)));
    assert_int_equal(gate_gross_notional_e4(f.gate), 10 * (uint64_t)(BID + 100));
    gate_on_market(f.gate, market_next(f.market, tick_delete(LOCATE, 1)));
    gate_on_market(f.gate, market_next(f.market, tick_execute(LOCATE, 3, 5)));
    assert_int_equal(gate_exposure(f.gate, LOCATE).mark.by, MARK_TRADE);
    assert_int_equal(gate_gross_notional_e4(f.gate), 10 * (uint64_t)(BID + 100));
    hold(&f, 'S', 30, BID); /* now short: valued at the ask */
    assert_int_equal(gate_exposure(f.gate, LOCATE).mark.px_e4, ASK);
    assert_int_equal(gate_gross_notional_e4(f.gate), 20 * (uint64_t)ASK);
    gate_on_market(f.gate, market_next(f.market, tick_delete(LOCATE, 2)));
    assert_int_equal(gate_gross_notional_e4(f.gate), 20 * (uint64_t)(BID + 100));
    close_gate(&f);
    f = open_gate(wide());
    hold(&f, 'B', 50, 777); /* no book, no trade: what it has cost */
    assert_int_equal(gate_exposure(f.gate, LOCATE).mark.by, MARK_ENTRY);
    assert_int_equal(gate_gross_notional_e4(f.gate), 50 * (uint64_t)777);
    close_gate(&f);
}

static void exposure_of_one_symbol_outlives_the_end_of_its_neighbours(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    hold(&f, 'B', 10, BID);
    for (unsigned i = 0; i < 2; i++) { /* in and out again */
        order_t order = fresh(&f, i ? 'S' : 'B', 5, 500);
        order.intended = tick_pack(1000, LOCATE + 1);
        say(&f, report_of(&order, REPORT_FILLED, 5, 0, 500));
    }
    assert_int_equal(gate_exposure(f.gate, LOCATE + 1).position.qty, 0);
    gate_on_market(f.gate, market_next(f.market, tick_add(LOCATE, 3, 'B', 5, BID + 100)));
    assert_int_equal(gate_gross_notional_e4(f.gate), 10 * (uint64_t)(BID + 100));
    close_gate(&f);
}

/* The sums that the gate keeps up to date against sums made anew from all that is open and held. */
static void exposure_sums_stay_exact_over_a_random_run(void **state)
{
    (void)state;
    uint64_t seed = 424242;
    print_message("seed %llu\n", (unsigned long long)seed);
    enum { ORDERS = 20000, LIVE = 64 };
    risk_limits_t limits = wide();
    limits.open_orders_max = LIVE;
    limits.orders_per_second = limits.messages_per_second = RISK_RATE_LIMIT;
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
            live[at].order = fresh(&f, r & 256 ? 'B' : 'S', qty,
                                   r & 256 ? BID + 100 * (uint32_t)(r >> 40 & 15)
                                           : BID + 1600 + 100 * (uint32_t)(r >> 40 & 15));
            live[at].leaves = qty;
            assert_int_equal(judge(&f, live[at].order), REASON_NONE);
        } else if (r & 512) {
            uint32_t qty = (uint32_t)(r >> 16) % live[at].leaves + 1;
            live[at].leaves -= qty;
            position += live[at].order.side == 'B' ? (int64_t)qty : -(int64_t)qty;
            say(&f, report_of(&live[at].order, live[at].leaves ? REPORT_PARTIAL : REPORT_FILLED,
                              qty, live[at].leaves, live[at].order.px_e4));
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

static void exposure_refuses_a_position_that_does_not_fit(void **state)
{
    (void)state;
    market_t *market = risk_market_create();
    exposure_t e = {0};
    assert_true(exposure_create(&e, market, &marks_default, 4));
    order_t buy = order_new(1, 'B', 10, BID, ORDER_TIF_DAY);
    order_t sell = order_new(2, 'S', 10, BID, ORDER_TIF_DAY);
    e.symbols[LOCATE].holding.position.qty = INT64_MAX - 10;
    assert_true(exposure_worst(&e, &buy).computable);
    e.symbols[LOCATE].holding.position.qty = INT64_MAX - 9;
    assert_false(exposure_worst(&e, &buy).computable);
    assert_true(exposure_worst(&e, &sell).computable);
    e.symbols[LOCATE].holding.position.qty = INT64_MIN + 9;
    assert_false(exposure_worst(&e, &sell).computable);
    exposure_destroy(&e);
    market_destroy(market);
}

static order_t replace_of(const order_t *old, uint64_t count, uint32_t qty, uint32_t px_e4)
{
    order_t order = order_new(count, (uint8_t)old->side, qty, px_e4, ORDER_TIF_DAY);
    order.kind = ORDER_REPLACE;
    order.replaces = order.order_id - old->order_id;
    return order;
}

static void expect_open(const fixture_t *f, uint64_t qty, uint64_t notional_e4)
{
    assert_int_equal(gate_exposure(f->gate, LOCATE).open_buy_qty, qty);
    assert_int_equal(gate_gross_notional_e4(f->gate), notional_e4);
    assert_int_equal(gate_report_mismatches(f->gate), 0);
}

static void send_report(fixture_t *f, const order_t *o, uint8_t kind, uint8_t reason, uint32_t qty,
                        uint32_t leaves)
{
    report_t report = report_of(o, kind, qty, leaves, o->px_e4);
    report.reason = reason;
    gate_on_report(f->gate, &report);
}

/* Until it is answered the larger of the two counts, in shares and in money. */
static void a_replace_and_its_order_count_once(void **state)
{
    (void)state;
    fixture_t fixture = quoted_gate(wide()), *f = &fixture;
    order_t first = order_new(1, 'B', 100, BID, ORDER_TIF_DAY);
    assert_int_equal(gate_judge(f->gate, &first, 0), REASON_NONE);
    send_report(f, &first, REPORT_ACCEPTED, REASON_NONE, 100, 100);
    order_t second = replace_of(&first, 2, 60, BID + 100);
    assert_int_equal(gate_judge(f->gate, &second, 0), REASON_NONE);
    expect_open(f, 100, UINT64_C(100) * BID);
    order_t third = order_new(3, 'B', 7, BID, ORDER_TIF_DAY); /* beside them */
    assert_int_equal(gate_judge(f->gate, &third, 0), REASON_NONE);
    expect_open(f, 107, UINT64_C(107) * BID);
    send_report(f, &first, REPORT_CANCELLED, REASON_REPLACED, 100, 0);
    expect_open(f, 67, UINT64_C(60) * (BID + 100) + UINT64_C(7) * BID);
    send_report(f, &second, REPORT_ACCEPTED, REASON_NONE, 60, 60);
    order_t fourth = replace_of(&second, 4, 80, BID);
    assert_int_equal(gate_judge(f->gate, &fourth, 0), REASON_NONE);
    expect_open(f, 87, UINT64_C(87) * BID);
    send_report(f, &fourth, REPORT_REJECTED, REASON_HALTED, 80, 0);
    expect_open(f, 67, UINT64_C(60) * (BID + 100) + UINT64_C(7) * BID);
    send_report(f, &second, REPORT_CANCELLED, REASON_USER_CANCEL, 60, 0);
    send_report(f, &third, REPORT_CANCELLED, REASON_USER_CANCEL, 7, 0);
    expect_open(f, 0, 0);
    assert_int_equal(gate_open_orders(f->gate), 0);
    close_gate(f);
}

/* What was executed while the replace was under way is taken off it by the venue. */
static void what_crosses_a_replace_counts_once(void **state)
{
    (void)state;
    fixture_t fixture = quoted_gate(wide()), *f = &fixture;
    order_t first = order_new(1, 'B', 100, BID, ORDER_TIF_DAY);
    assert_int_equal(gate_judge(f->gate, &first, 0), REASON_NONE);
    send_report(f, &first, REPORT_ACCEPTED, REASON_NONE, 100, 100);
    send_report(f, &first, REPORT_PARTIAL, REASON_NONE, 20, 80);
    order_t second = replace_of(&first, 2, 110, BID); /* 90 open */
    assert_int_equal(gate_judge(f->gate, &second, 0), REASON_NONE);
    assert_int_equal(gate_exposure(f->gate, LOCATE).open_buy_qty, 90);
    send_report(f, &first, REPORT_PARTIAL, REASON_NONE, 30, 50);
    assert_int_equal(gate_exposure(f->gate, LOCATE).open_buy_qty, 60);
    order_t third = replace_of(&second, 3, 90, BID); /* of one that is not answered: by itself */
    assert_int_equal(gate_judge(f->gate, &third, 0), REASON_NONE);
    assert_int_equal(gate_exposure(f->gate, LOCATE).open_buy_qty, 100);
    send_report(f, &first, REPORT_CANCELLED, REASON_REPLACED, 50, 0);
    send_report(f, &second, REPORT_ACCEPTED, REASON_NONE, 60, 60);
    send_report(f, &second, REPORT_CANCELLED, REASON_REPLACED, 60, 0);
    send_report(f, &third, REPORT_ACCEPTED, REASON_NONE, 40, 40);
    assert_int_equal(gate_exposure(f->gate, LOCATE).open_buy_qty, 40);
    assert_int_equal(gate_exposure(f->gate, LOCATE).position.qty, 50);
    send_report(f, &third, REPORT_FILLED, REASON_NONE, 40, 0);
    assert_int_equal(gate_open_orders(f->gate), 0);
    assert_int_equal(gate_report_mismatches(f->gate), 0);
    close_gate(f);
}

static void an_order_that_slid_counts_at_its_new_price(void **state)
{
    (void)state;
    fixture_t fixture = quoted_gate(wide()), *f = &fixture;
    order_t order = order_new(1, 'B', 100, BID + 100, ORDER_TIF_DAY);
    assert_int_equal(gate_judge(f->gate, &order, 0), REASON_NONE);
    report_t report = report_of(&order, REPORT_ACCEPTED, 100, 100, BID);
    gate_on_report(f->gate, &report);
    expect_open(f, 100, UINT64_C(100) * BID);
    close_gate(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replace_and_its_order_count_once),
        cmocka_unit_test(what_crosses_a_replace_counts_once),
        cmocka_unit_test(an_order_that_slid_counts_at_its_new_price),
        cmocka_unit_test(exposure_follows_an_order_from_acceptance_to_its_last_fill),
        cmocka_unit_test(exposure_forgets_cancelled_and_rejected_orders),
        cmocka_unit_test(exposure_keeps_a_live_order_when_a_duplicate_of_it_is_rejected),
        cmocka_unit_test(exposure_books_executions_of_orders_it_does_not_know_and_counts_them),
        cmocka_unit_test(exposure_keeps_the_larger_exposure_when_a_report_does_not_fit),
        cmocka_unit_test(
            exposure_moves_marks_with_the_touch_and_goes_by_trade_and_cost_without_one),
        cmocka_unit_test(exposure_of_one_symbol_outlives_the_end_of_its_neighbours),
        cmocka_unit_test(exposure_sums_stay_exact_over_a_random_run),
        cmocka_unit_test(exposure_refuses_a_position_that_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
