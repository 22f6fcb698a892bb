/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/venue_fixture.h"

#include "bus/market/session.h"
#include "tests/support/memory_in_use.h"

/* ---- orders that take */

static void venue_fills_a_marketable_order_level_by_level_up_to_its_limit(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'S', 100, 1000));
    next(f, tick_add(LOCATE, 2, 'S', 50, 1000));
    next(f, tick_add(LOCATE, 3, 'S', 200, 1001));
    next(f, tick_add(LOCATE, 4, 'S', 900, 1002));
    send_day(f, 1, 'B', 400, 1001);
    expect_accepted(f, 1, 400);
    expect_fill(f, 1, 150, 250, 1000, 'R');
    expect_fill(f, 1, 200, 50, 1001, 'R');
    expect_nothing(f);
    assert_int_equal(venue_stats(f->venue).open_orders, 1); /* the rest of 50 rests */
    assert_int_equal(venue_stats(f->venue).executions, 2);
    assert_int_equal(venue_stats(f->venue).executed_shares, 350);
    close_venue(f);
}

static void venue_fills_a_marketable_sell_against_bids_from_the_highest(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'B', 100, 998));
    next(f, tick_add(LOCATE, 2, 'B', 100, 999));
    send_day(f, 1, 'S', 150, 998);
    expect_accepted(f, 1, 150);
    expect_fill(f, 1, 100, 50, 999, 'R');
    expect_fill(f, 1, 50, 0, 998, 'R');
    close_venue(f);
}

static void venue_cancels_what_an_ioc_order_cannot_fill_at_once(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'S', 100, 1000));
    send(f, 1, 'B', 130, 1000, ORDER_TIF_IOC);
    expect_accepted(f, 1, 130);
    expect_fill(f, 1, 100, 30, 1000, 'R');
    expect_reason(f, REPORT_CANCELLED, 1, 30, REASON_IOC_UNFILLED);
    send(f, 2, 'B', 10, 999, ORDER_TIF_IOC);
    expect_accepted(f, 2, 10);
    expect_reason(f, REPORT_CANCELLED, 2, 10, REASON_IOC_UNFILLED);
    assert_int_equal(venue_stats(f->venue).open_orders, 0);
    close_venue(f);
}

static void venue_never_fills_the_same_displayed_shares_twice(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'S', 100, 1000));
    send(f, 1, 'B', 60, 1000, ORDER_TIF_IOC);
    expect_accepted(f, 1, 60);
    expect_fill(f, 1, 60, 0, 1000, 'R');
    send(f, 2, 'B', 60, 1000, ORDER_TIF_IOC);
    expect_accepted(f, 2, 60);
    expect_fill(f, 2, 40, 20, 1000, 'R');
    expect_reason(f, REPORT_CANCELLED, 2, 20, REASON_IOC_UNFILLED);
    next(f, tick_add(LOCATE, 2, 'S', 30, 1000)); /* only these are new */
    send(f, 3, 'B', 60, 1000, ORDER_TIF_IOC);
    expect_accepted(f, 3, 60);
    expect_fill(f, 3, 30, 30, 1000, 'R');
    expect_reason(f, REPORT_CANCELLED, 3, 30, REASON_IOC_UNFILLED);
    close_venue(f);
}

static void venue_remembers_by_displayed_order_what_it_took(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'S', 100, 1000));
    next(f, tick_add(LOCATE, 2, 'S', 100, 1000));
    send(f, 1, 'B', 80, 1000, ORDER_TIF_IOC);
    expect_accepted(f, 1, 80);
    expect_fill(f, 1, 80, 0, 1000, 'R');
    next(f, tick_execute(LOCATE, 1, 50)); /* it shows 50, and we took 80 of it */
    send(f, 2, 'B', 101, 1000, ORDER_TIF_IOC);
    expect_accepted(f, 2, 101);
    expect_fill(f, 2, 100, 1, 1000, 'R');
    expect_reason(f, REPORT_CANCELLED, 2, 1, REASON_IOC_UNFILLED);
    next(f, tick_delete(LOCATE, 1));
    next(f, tick_delete(LOCATE, 2)); /* with the orders goes what was taken of them */
    next(f, tick_add(LOCATE, 3, 'S', 10, 1000));
    send(f, 3, 'B', 10, 1000, ORDER_TIF_IOC);
    expect_accepted(f, 3, 10);
    expect_fill(f, 3, 10, 0, 1000, 'R');
    close_venue(f);
}

/* Three orders of 100 at one price. We take the first; the last is deleted by its owner. */
static void venue_takes_from_the_front_whatever_goes_behind(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    for (uint32_t ref = 2; ref <= 4; ref++)
        next(f, tick_add(LOCATE, ref, 'S', 100, 1001));
    send(f, 1, 'B', 100, 1001, ORDER_TIF_IOC);
    expect_accepted(f, 1, 100);
    expect_fill(f, 1, 100, 0, 1001, 'R');
    next(f, tick_delete(LOCATE, 4));
    send(f, 2, 'B', 200, 1001, ORDER_TIF_IOC);
    expect_accepted(f, 2, 200);
    expect_fill(f, 2, 100, 100, 1001, 'R');
    expect_reason(f, REPORT_CANCELLED, 2, 100, REASON_IOC_UNFILLED);
    next(f, tick_execute(LOCATE, 2, 100)); /* the next one took them a second time; we do not */
    next(f, tick_reduce(LOCATE, 3, 40));
    send(f, 3, 'B', 10, 1001, ORDER_TIF_IOC);
    expect_accepted(f, 3, 10);
    expect_reason(f, REPORT_CANCELLED, 3, 10, REASON_IOC_UNFILLED);
    close_venue(f);
}

static void venue_follows_what_it_took_through_replaces(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'S', 100, 1000));
    next(f, tick_add(LOCATE, 2, 'S', 100, 1000));
    send(f, 1, 'B', 60, 1000, ORDER_TIF_IOC);
    expect_accepted(f, 1, 60);
    expect_fill(f, 1, 60, 0, 1000, 'R');
    next(f, tick_replace(LOCATE, 1, 3, 80, 999)); /* 20 of these are there */
    next(f, tick_replace(LOCATE, 3, 4, 70, 1000));
    send(f, 2, 'B', 200, 1000, ORDER_TIF_IOC);
    expect_accepted(f, 2, 200);
    expect_fill(f, 2, 110, 90, 1000, 'R');
    expect_reason(f, REPORT_CANCELLED, 2, 90, REASON_IOC_UNFILLED);
    next(f, tick_replace(LOCATE, 4, 5, 75, 1000)); /* only what it is enlarged by is new */
    send(f, 3, 'B', 200, 1000, ORDER_TIF_IOC);
    expect_accepted(f, 3, 200);
    expect_fill(f, 3, 5, 195, 1000, 'R');
    expect_reason(f, REPORT_CANCELLED, 3, 195, REASON_IOC_UNFILLED);
    close_venue(f);
}

static void expect_refused(fixture_t *f, uint64_t count, uint32_t qty, uint8_t reason)
{
    expect_reason(f, REPORT_REJECTED, count, qty, reason);
}

static void venue_takes_own_orders_off_that_would_meet_if_it_is_told_to(void **state)
{
    (void)state;
    for (uint32_t how = SELF_MATCH_CANCEL_NEWEST; how <= SELF_MATCH_CANCEL_BOTH; how++) {
        fixture_t *f = open_venue();
        venue_set_self_match(f->venue, how);
        next(f, tick_add(LOCATE, 1, 'B', 100, 900));
        next(f, tick_add(LOCATE, 2, 'S', 100, 1100));
        for (uint32_t i = 1; i <= 3; i++) {
            send_day(f, i, 'S', 10 * i, 1010 - i);
            expect_accepted(f, i, 10 * i);
        }
        order_t other = order_new(1, 'S', 5, 1008, ORDER_TIF_DAY);
        other.order_id = ORDER_ID(STRATEGY + 1, 1);
        venue_order(f->venue, &other);
        f->checked++;
        send_day(f, 4, 'B', 70, 1008); /* reaches the third, the second, and another strategy's */
        if (how != SELF_MATCH_CANCEL_NEWEST) {
            expect_reason(f, REPORT_CANCELLED, 3, 30, REASON_SELF_MATCH);
            expect_reason(f, REPORT_CANCELLED, 2, 20, REASON_SELF_MATCH);
            f->checked++; /* 1008, that of the other */
        }
        if (how == SELF_MATCH_CANCEL_BOTH)
            expect_refused(f, 4, 70, REASON_SELF_MATCH);
        else
            expect_accepted(f, 4, 70);
        uint64_t open[] = {5, 2, 1};
        assert_int_equal(venue_stats(f->venue).open_orders, open[how]);
        close_venue(f);
    }
}

static void venue_skips_levels_that_it_emptied(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'S', 100, 1000));
    next(f, tick_add(LOCATE, 2, 'S', 100, 1001));
    send_day(f, 1, 'B', 100, 1000);
    expect_accepted(f, 1, 100);
    expect_fill(f, 1, 100, 0, 1000, 'R');
    send_day(f, 2, 'B', 70, 1005);
    expect_accepted(f, 2, 70);
    expect_fill(f, 2, 70, 0, 1001, 'R');
    close_venue(f);
}

static void venue_keeps_what_it_took_apart_by_symbol_side_and_price(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'S', 100, 1000));
    next(f, tick_add(LOCATE + 1, 2, 'S', 100, 1000));
    send(f, 1, 'B', 100, 1000, ORDER_TIF_IOC);
    expect_accepted(f, 1, 100);
    expect_fill(f, 1, 100, 0, 1000, 'R');
    order_t other = order_new(2, 'B', 100, 1000, ORDER_TIF_IOC);
    other.intended = 1002;
    other.locate = LOCATE + 1;
    venue_order(f->venue, &other);
    expect_accepted(f, 2, 100);
    const report_t *r = expect(f, REPORT_FILLED, 2, 100, 0);
    assert_int_equal(report_locate(r), LOCATE + 1);
    close_venue(f);
}

static void venue_stops_a_sweep_at_its_depth_and_lets_nothing_rest_inside_the_book(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    for (uint32_t i = 0; i <= VENUE_SWEEP_LEVELS; i++)
        next(f, tick_add(LOCATE, 1 + i, 'S', 1, 1000 + i));
    send_day(f, 1, 'B', 1000, 5000);
    expect_accepted(f, 1, 1000);
    for (uint32_t i = 0; i < VENUE_SWEEP_LEVELS; i++)
        expect_fill(f, 1, 1, 999 - i, 1000 + i, 'R');
    expect_reason(f, REPORT_CANCELLED, 1, 1000 - VENUE_SWEEP_LEVELS, REASON_IOC_UNFILLED);
    assert_true(f->count <= venue_reports_max(f->venue));
    close_venue(f);
}

/* ---- orders that rest */

static void venue_resting_order_waits_until_all_displayed_before_it_are_gone(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'B', 100, 1000));
    next(f, tick_add(LOCATE, 2, 'B', 100, 1000));
    send_day(f, 1, 'B', 50, 1000);
    expect_accepted(f, 1, 50);
    next(f, tick_add(LOCATE, 3, 'B', 100, 1000)); /* behind it */
    next(f, tick_execute(LOCATE, 1, 100));
    next(f, tick_execute(LOCATE, 2, 100));
    expect_nothing(f);
    next(f, tick_execute(LOCATE, 3, 20));
    expect_fill(f, 1, 20, 30, 1000, 'A');
    next(f, tick_execute(LOCATE, 3, 80));
    expect_fill(f, 1, 30, 0, 1000, 'A');
    close_venue(f);
}

static void venue_resting_order_is_passed_over_while_anything_is_ahead(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'B', 100, 1000));
    send_day(f, 1, 'B', 50, 1000);
    expect_accepted(f, 1, 50);
    next(f, tick_add(LOCATE, 2, 'B', 100, 1000));
    next(f, tick_execute(LOCATE, 2, 10)); /* not first in, first out: the one ahead still stands */
    next(f, tick_reduce(LOCATE, 1, 99));
    next(f, tick_execute(LOCATE, 2, 10));
    expect_nothing(f);
    next(f, tick_delete(LOCATE, 1));
    expect_nothing(f); /* cancels bring it forward, and fill nothing */
    next(f, tick_execute(LOCATE, 2, 10));
    expect_fill(f, 1, 10, 40, 1000, 'A');
    close_venue(f);
}

static void venue_counts_an_order_of_the_arrival_tick_itself_as_ahead(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'B', 100, 1000));
    send_day(f, 1, 'B', 50, 1000);
    expect_accepted(f, 1, 50);
    next(f, tick_execute(LOCATE, 1, 100));
    expect_nothing(f);
    close_venue(f);
}

static void venue_replaced_order_goes_behind_ours(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'B', 100, 1000));
    send_day(f, 1, 'B', 50, 1000);
    expect_accepted(f, 1, 50);
    next(f, tick_replace(LOCATE, 1, 2, 80, 1000));
    expect_nothing(f);
    next(f, tick_execute(LOCATE, 2, 60));
    expect_fill(f, 1, 50, 0, 1000, 'A');
    close_venue(f);
}

static void venue_fills_at_its_limit_when_the_market_trades_through_it(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'B', 100, 1000));
    next(f, tick_add(LOCATE, 2, 'S', 100, 1010));
    send_day(f, 1, 'B', 50, 1005);
    send_day(f, 2, 'S', 50, 1007);
    expect_accepted(f, 1, 50);
    expect_accepted(f, 2, 50);
    next(f, tick_execute(LOCATE, 1, 30));
    expect_fill(f, 1, 30, 20, 1005, 'A');
    next(f, tick_execute(LOCATE, 2, 60));
    expect_fill(f, 2, 50, 0, 1007, 'A');
    next(f, tick_reduce(LOCATE, 1, 10)); /* a cancel is no trade */
    expect_nothing(f);
    close_venue(f);
}

static void venue_is_not_filled_by_executions_at_better_prices(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'B', 100, 1000));
    send_day(f, 1, 'B', 50, 999);
    expect_accepted(f, 1, 50);
    next(f, tick_add(LOCATE, 2, 'B', 100, 1000));
    next(f, tick_execute(LOCATE, 2, 100));
    next(f, tick_execute(LOCATE, 1, 100));
    expect_nothing(f);
    close_venue(f);
}

static void venue_fills_against_a_displayed_order_that_would_meet_it(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'B', 100, 990));
    send_day(f, 1, 'B', 50, 1000);
    send_day(f, 2, 'B', 50, 1001);
    send_day(f, 3, 'B', 50, 998);
    expect_accepted(f, 1, 50);
    expect_accepted(f, 2, 50);
    expect_accepted(f, 3, 50);
    next(f, tick_add(LOCATE, 2, 'S', 70, 999));
    expect_fill(f, 2, 50, 0, 1001, 'A'); /* the best price first */
    expect_fill(f, 1, 20, 30, 1000, 'A');
    expect_nothing(f);
    send(f, 4, 'B', 10, 999, ORDER_TIF_IOC); /* all 70 displayed are taken */
    expect_accepted(f, 4, 10);
    expect_reason(f, REPORT_CANCELLED, 4, 10, REASON_IOC_UNFILLED);
    next(f, tick_replace(LOCATE, 2, 3, 40, 999)); /* we have taken 70 of it */
    expect_nothing(f);
    next(f, tick_replace(LOCATE, 3, 4, 110, 999)); /* 40 are new */
    expect_fill(f, 1, 30, 0, 1000, 'A');
    send(f, 5, 'B', 15, 999, ORDER_TIF_IOC);
    expect_accepted(f, 5, 15);
    expect_fill(f, 5, 10, 5, 999, 'R');
    expect_reason(f, REPORT_CANCELLED, 5, 5, REASON_IOC_UNFILLED);
    close_venue(f);
}

static void venue_fills_own_orders_of_one_price_in_the_order_of_their_arrival(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'S', 10, 1010));
    send_day(f, 1, 'S', 30, 1005);
    send_day(f, 2, 'S', 30, 1005);
    send_day(f, 3, 'S', 30, 1004);
    expect_accepted(f, 1, 30);
    expect_accepted(f, 2, 30);
    expect_accepted(f, 3, 30);
    next(f, tick_add(LOCATE, 2, 'B', 70, 1005));
    expect_fill(f, 3, 30, 0, 1004, 'A');
    expect_fill(f, 1, 30, 0, 1005, 'A');
    expect_fill(f, 2, 10, 20, 1005, 'A');
    close_venue(f);
}

static void venue_own_orders_never_trade_with_each_other(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    send_day(f, 1, 'S', 30, 1000);
    send_day(f, 2, 'B', 30, 1001);
    expect_accepted(f, 1, 30);
    expect_accepted(f, 2, 30);
    expect_nothing(f);
    assert_int_equal(venue_stats(f->venue).open_orders, 2);
    close_venue(f);
}

static void venue_done_with_one_symbol_goes_on_with_the_others(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    send_day(f, 1, 'B', 10, 1000);
    order_t other = order_new(2, 'B', 20, 1000, ORDER_TIF_DAY);
    other.intended = 1002;
    other.locate = LOCATE + 1;
    venue_order(f->venue, &other);
    expect_accepted(f, 1, 10);
    expect_accepted(f, 2, 20);
    next(f, tick_add(LOCATE + 1, 1, 'S', 20, 1000));
    expect(f, REPORT_FILLED, 2, 20, 0);
    next(f, tick_delete(LOCATE + 1, 1)); /* nothing of ours is left there */
    next(f, tick_add(LOCATE, 2, 'S', 10, 1000));
    expect_fill(f, 1, 10, 0, 1000, 'A');
    close_venue(f);
}

/* ---- cancels and refusals */

static void venue_cancels_what_rests_and_only_once(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'B', 10, 1000));
    send_day(f, 1, 'S', 30, 1000);
    expect_accepted(f, 1, 30);
    expect_fill(f, 1, 10, 20, 1000, 'R');
    send_cancel(f, 1);
    expect_reason(f, REPORT_CANCELLED, 1, 20, REASON_USER_CANCEL);
    assert_int_equal(f->reports[f->count - 1].side, 'S');
    assert_int_equal(f->reports[f->count - 1].px_e4, 1000);
    send_cancel(f, 1);
    expect_reason(f, REPORT_CANCEL_REJECTED, 1, 0, REASON_UNKNOWN_ORDER);
    send_cancel(f, 99);
    expect_reason(f, REPORT_CANCEL_REJECTED, 99, 0, REASON_UNKNOWN_ORDER);
    next(f, tick_add(LOCATE, 2, 'B', 100, 1000)); /* nothing is left to fill */
    assert_int_equal(venue_stats(f->venue).orders, 1);
    assert_int_equal(venue_stats(f->venue).cancels, 3);
    close_venue(f);
}

static void venue_refuses_replayed_and_reordered_orders(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    send_day(f, 2, 'B', 10, 1000);
    expect_accepted(f, 2, 10);
    send_day(f, 2, 'B', 10, 1000);
    expect_reason(f, REPORT_REJECTED, 2, 10, REASON_DUPLICATE_ID);
    send_day(f, 1, 'B', 10, 1000);
    expect_reason(f, REPORT_REJECTED, 1, 10, REASON_DUPLICATE_ID);
    assert_int_equal(venue_stats(f->venue).open_orders, 1);
    close_venue(f);
}

static void venue_refuses_what_is_no_order(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    send_day(f, 1, 'B', 0, 1000);
    expect_reason(f, REPORT_REJECTED, 1, 0, REASON_MALFORMED);
    send_day(f, 1, 'Q', 10, 1000);
    expect_reason(f, REPORT_REJECTED, 1, 10, REASON_MALFORMED);
    send_day(f, 1, 'S', 10, 0); /* would be marketable at any price */
    expect_reason(f, REPORT_REJECTED, 1, 10, REASON_MALFORMED);
    send_cancel(f, 0);
    expect_reason(f, REPORT_CANCEL_REJECTED, 0, 0, REASON_MALFORMED);
    close_venue(f);
}

static void venue_refuses_new_orders_of_a_halted_symbol_and_cancels_in_it(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    send_day(f, 1, 'B', 10, 1000);
    expect_accepted(f, 1, 10);
    next(f, tick_trading(LOCATE, 'H'));
    send_day(f, 2, 'B', 10, 1000);
    expect_reason(f, REPORT_REJECTED, 2, 10, REASON_HALTED);
    send_cancel(f, 1);
    expect_reason(f, REPORT_CANCELLED, 1, 10, REASON_USER_CANCEL);
    close_venue(f);
}

static void venue_refuses_a_day_order_when_its_table_is_full(void **state)
{
    (void)state;
    fixture_t *f =
        open_venue_of((venue_limits_t){.resting_max = 2, .taken_max = VENUE_SWEEP_LEVELS});
    send_day(f, 1, 'B', 10, 1000);
    send_day(f, 2, 'B', 10, 1000);
    expect_accepted(f, 1, 10);
    expect_accepted(f, 2, 10);
    send_day(f, 3, 'B', 10, 1000);
    expect_reason(f, REPORT_REJECTED, 3, 10, REASON_VENUE_FULL);
    send(f, 4, 'B', 10, 1000, ORDER_TIF_IOC); /* needs no place */
    expect_accepted(f, 4, 10);
    expect_reason(f, REPORT_CANCELLED, 4, 10, REASON_IOC_UNFILLED);
    send_cancel(f, 1);
    expect_reason(f, REPORT_CANCELLED, 1, 10, REASON_USER_CANCEL);
    send_day(f, 5, 'B', 10, 1000);
    expect_accepted(f, 5, 10);
    close_venue(f);
}

static void venue_takes_nothing_that_it_could_not_remember(void **state)
{
    (void)state;
    fixture_t *f =
        open_venue_of((venue_limits_t){.resting_max = 16, .taken_max = VENUE_SWEEP_LEVELS});
    for (uint32_t i = 0; i < VENUE_SWEEP_LEVELS; i++)
        next(f, tick_add(LOCATE, 1 + i, 'S', 10, 1000 + i));
    send(f, 1, 'B', 10, 1000, ORDER_TIF_IOC);
    expect_accepted(f, 1, 10);
    expect_fill(f, 1, 10, 0, 1000, 'R');
    send(f, 2, 'B', 10, 1001, ORDER_TIF_IOC); /* might need one more place than there is */
    expect_reason(f, REPORT_REJECTED, 2, 10, REASON_VENUE_FULL);
    send(f, 3, 'B', 10, 999, ORDER_TIF_IOC); /* takes nothing */
    expect_accepted(f, 3, 10);
    expect_reason(f, REPORT_CANCELLED, 3, 10, REASON_IOC_UNFILLED);
    next(f, tick_delete(LOCATE, 1)); /* forgotten: there is room again */
    send_day(f, 4, 'B', 10000, 2000);
    expect_accepted(f, 4, 10000);
    for (uint32_t i = 1; i < VENUE_SWEEP_LEVELS; i++)
        expect_fill(f, 4, 10, 10000 - 10 * i, 1000 + i, 'R');
    next(f, tick_add(LOCATE, 1000, 'S', 5, 999)); /* takes the last place */
    expect_fill(f, 4, 5, 10000 - 10 * (VENUE_SWEEP_LEVELS - 1) - 5, 2000, 'A');
    next(f, tick_add(LOCATE, 1001, 'S', 5, 998));
    expect_nothing(f);
    close_venue(f);
}

static void venue_cancels_everything_with_the_reason_given(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    send_day(f, 1, 'B', 10, 1000);
    send_day(f, 2, 'S', 20, 1100);
    order_t other = order_new(3, 'S', 30, 1000, ORDER_TIF_DAY);
    other.intended = 1003;
    other.locate = LOCATE + 1;
    venue_order(f->venue, &other);
    expect_accepted(f, 1, 10);
    expect_accepted(f, 2, 20);
    expect_accepted(f, 3, 30);
    venue_cancel_all(f->venue, REASON_KILL_SWITCH);
    expect_reason(f, REPORT_CANCELLED, 1, 10, REASON_KILL_SWITCH);
    expect_reason(f, REPORT_CANCELLED, 2, 20, REASON_KILL_SWITCH);
    expect_reason(f, REPORT_CANCELLED, 3, 30, REASON_KILL_SWITCH);
    assert_int_equal(venue_stats(f->venue).open_orders, 0);
    close_venue(f);
}

static void venue_is_not_made_with_wrong_limits(void **state)
{
    (void)state;
    market_t *market = risk_market_create();
    venue_t *venue = NULL;
    const struct {
        venue_limits_t limits;
        const char *text;
    } wrong[] = {
        {{.resting_max = 0, .taken_max = VENUE_SWEEP_LEVELS},
         "executor.resting_max is 0; set it from 1 to 1048576"},
        {{.resting_max = VENUE_RESTING_LIMIT + 1, .taken_max = VENUE_SWEEP_LEVELS},
         "executor.resting_max is 1048577; set it from 1 to 1048576"},
        {{.resting_max = 1, .taken_max = VENUE_SWEEP_LEVELS - 1},
         "executor.taken_max is 255; set it from 256 to 1048576"},
        {{.resting_max = 1, .taken_max = VENUE_TAKEN_LIMIT + 1},
         "executor.taken_max is 1048577; set it from 256 to 1048576"},
        {{.resting_max = 1,
          .taken_max = VENUE_SWEEP_LEVELS,
          .breakable_max = VENUE_BREAKABLE_LIMIT + 1},
         "executor.breakable_max is 1048577; set it from 0 to 1048576"},
    };
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tbus_error_t err = {0};
        assert_int_equal(venue_create(&wrong[i].limits, market, collect, NULL, &venue, &err),
                         -TBUS_ECONFIG);
        assert_string_equal(err.text, wrong[i].text);
        assert_null(venue);
    }
    market_destroy(market);
}

static void one_input_makes_as_many_reports_as_are_promised_and_no_more(void **state)
{
    (void)state;
    venue_limits_t limits = {.resting_max = 2, .taken_max = 2 * VENUE_SWEEP_LEVELS};
    fixture_t *f = open_venue_of(limits);
    send_day(f, 1, 'B', 10, 900);
    for (uint32_t i = 0; i <= VENUE_SWEEP_LEVELS; i++)
        next(f, tick_add(LOCATE, 1 + i, 'S', 1, 1000 + i));
    order_t order = order_new(2, 'B', 2 * VENUE_SWEEP_LEVELS, 2000, ORDER_TIF_DAY);
    order.kind = ORDER_REPLACE;
    order.replaces = 1;
    uint32_t before = f->count;
    venue_order(f->venue, &order); /* what it replaces, itself, each level, and what is left */
    assert_int_equal(f->count - before, VENUE_SWEEP_LEVELS + 3);
    assert_int_equal(f->count - before, venue_reports_max(f->venue));
    f->checked = f->count;
    close_venue(f);

    limits.resting_max = VENUE_SWEEP_LEVELS + 50;
    f = open_venue_of(limits);
    for (uint32_t i = 1; i <= limits.resting_max; i++)
        send_day(f, i, 'B', 10, 900);
    before = f->count;
    venue_cancel_all(f->venue, REASON_KILL_SWITCH);
    assert_int_equal(f->count - before, limits.resting_max);
    assert_int_equal(f->count - before, venue_reports_max(f->venue));
    f->checked = f->count;
    close_venue(f);
}

static void a_venue_takes_the_memory_that_its_limits_are_said_to_need(void **state)
{
    (void)state;
    const venue_limits_t sizes[] = {
        {.resting_max = 1, .taken_max = VENUE_SWEEP_LEVELS},
        {.resting_max = VENUE_RESTING_LIMIT, .taken_max = VENUE_SWEEP_LEVELS},
        {.resting_max = 1, .taken_max = VENUE_TAKEN_LIMIT},
        {.resting_max = 1,
         .taken_max = VENUE_SWEEP_LEVELS,
         .breakable_max = VENUE_BREAKABLE_LIMIT}};
    market_t *market = risk_market_create();
    if (memory_in_use() == 0) {
        market_destroy(market);
        skip();
    }
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        venue_t *venue;
        size_t before = memory_in_use();
        assert_int_equal(venue_create(&sizes[i], market, collect, NULL, &venue, NULL), 0);
        size_t took = memory_in_use() - before;
        /* Its stage keeps the reports that find no room, and when each was wanted. */
        took += (size_t)venue_reports_max(venue) * (sizeof(report_t) + sizeof(uint64_t));
        venue_destroy(venue);
        if (!memory_is_near(took, venue_footprint(&sizes[i])))
            fail_msg("size %u: said %zu, took %zu", i, venue_footprint(&sizes[i]), took);
    }
    market_destroy(market);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(venue_fills_a_marketable_order_level_by_level_up_to_its_limit),
        cmocka_unit_test(venue_fills_a_marketable_sell_against_bids_from_the_highest),
        cmocka_unit_test(venue_cancels_what_an_ioc_order_cannot_fill_at_once),
        cmocka_unit_test(venue_never_fills_the_same_displayed_shares_twice),
        cmocka_unit_test(venue_remembers_by_displayed_order_what_it_took),
        cmocka_unit_test(venue_takes_from_the_front_whatever_goes_behind),
        cmocka_unit_test(venue_follows_what_it_took_through_replaces),
        cmocka_unit_test(venue_takes_own_orders_off_that_would_meet_if_it_is_told_to),
        cmocka_unit_test(venue_skips_levels_that_it_emptied),
        cmocka_unit_test(venue_keeps_what_it_took_apart_by_symbol_side_and_price),
        cmocka_unit_test(venue_stops_a_sweep_at_its_depth_and_lets_nothing_rest_inside_the_book),
        cmocka_unit_test(venue_resting_order_waits_until_all_displayed_before_it_are_gone),
        cmocka_unit_test(venue_resting_order_is_passed_over_while_anything_is_ahead),
        cmocka_unit_test(venue_counts_an_order_of_the_arrival_tick_itself_as_ahead),
        cmocka_unit_test(venue_replaced_order_goes_behind_ours),
        cmocka_unit_test(venue_fills_at_its_limit_when_the_market_trades_through_it),
        cmocka_unit_test(venue_is_not_filled_by_executions_at_better_prices),
        cmocka_unit_test(venue_fills_against_a_displayed_order_that_would_meet_it),
        cmocka_unit_test(venue_fills_own_orders_of_one_price_in_the_order_of_their_arrival),
        cmocka_unit_test(venue_own_orders_never_trade_with_each_other),
        cmocka_unit_test(venue_done_with_one_symbol_goes_on_with_the_others),
        cmocka_unit_test(venue_cancels_what_rests_and_only_once),
        cmocka_unit_test(venue_refuses_replayed_and_reordered_orders),
        cmocka_unit_test(venue_refuses_what_is_no_order),
        cmocka_unit_test(venue_refuses_new_orders_of_a_halted_symbol_and_cancels_in_it),
        cmocka_unit_test(venue_refuses_a_day_order_when_its_table_is_full),
        cmocka_unit_test(venue_takes_nothing_that_it_could_not_remember),
        cmocka_unit_test(venue_cancels_everything_with_the_reason_given),
        cmocka_unit_test(venue_is_not_made_with_wrong_limits),
        cmocka_unit_test(one_input_makes_as_many_reports_as_are_promised_and_no_more),
        cmocka_unit_test(a_venue_takes_the_memory_that_its_limits_are_said_to_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
