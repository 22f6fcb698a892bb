/* SPDX-License-Identifier: Apache-2.0 */
/* What trades that the book does not show, halts, crosses and broken trades do to our orders. */
#include "tests/unit/venue_fixture.h"

#define MATCH 77u

static tick_t printed(uint64_t ref, uint32_t qty, uint32_t px_e4, uint8_t printable)
{
    return tick_with_match(tick_execute_at(LOCATE, ref, qty, px_e4, printable), MATCH);
}

static tick_t hidden(uint32_t qty, uint32_t px_e4)
{
    return tick_with_match(tick_trade(LOCATE, qty, px_e4), MATCH);
}

static tick_t crossed(uint64_t qty, uint32_t px_e4)
{
    return tick_with_match(tick_cross(LOCATE, qty, px_e4, 'O'), MATCH);
}

static void buy(fixture_t *f, uint64_t count, uint32_t qty, uint32_t px_e4)
{
    send_day(f, count, 'B', qty, px_e4);
    expect_accepted(f, count, qty);
}

static void sell(fixture_t *f, uint64_t count, uint32_t qty, uint32_t px_e4)
{
    send_day(f, count, 'S', qty, px_e4);
    expect_accepted(f, count, qty);
}

static void expect_broken(fixture_t *f, uint64_t count, uint32_t qty, uint32_t leaves,
                          uint32_t px_e4, uint64_t exec_id)
{
    const report_t *r = expect(f, REPORT_BROKEN, count, qty, leaves);
    assert_int_equal(r->px_e4, px_e4);
    assert_int_equal(r->exec_id, exec_id);
    assert_int_equal(r->reason, REASON_NONE);
    assert_int_equal(f->intended[f->checked - 1], 1000 + count);
}

/* ---- prints */

static void a_hidden_execution_through_our_limit_fills_us_whatever_is_ahead(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'B', 100, 1005));
    buy(f, 1, 50, 1005);
    buy(f, 2, 50, 1006);
    sell(f, 3, 50, 1020);
    next(f, hidden(70, 1000));
    expect_fill(f, 2, 50, 0, 1006, 'A'); /* price first */
    expect_fill(f, 1, 20, 30, 1005, 'A');
    next(f, hidden(60, 1021));
    expect_fill(f, 3, 50, 0, 1020, 'A');
    close_venue(f);
}

static void a_hidden_execution_at_our_limit_or_better_does_not_fill_us(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    buy(f, 1, 50, 1005);
    sell(f, 2, 50, 1020);
    next(f, hidden(100, 1005));
    next(f, hidden(100, 1010));
    next(f, hidden(100, 1020));
    expect_nothing(f);
    close_venue(f);
}

/* One trade has one seller and one buyer. */
static void a_print_fills_both_sides_of_ours_by_its_shares_in_all(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    sell(f, 1, 50, 1000);
    buy(f, 2, 50, 1010);
    next(f, hidden(70, 1005));
    expect_fill(f, 2, 50, 0, 1010, 'A');
    expect_fill(f, 1, 20, 30, 1000, 'A');
    close_venue(f);
}

static void an_execution_at_another_price_is_measured_by_that_price(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'B', 300, 1010));
    next(f, tick_add(LOCATE, 2, 'B', 300, 1000));
    buy(f, 1, 50, 1005);
    next(f, printed(1, 40, 1000, 'Y')); /* displayed above our limit, sold below it */
    expect_fill(f, 1, 40, 10, 1005, 'A');
    next(f, printed(1, 40, 1005, 'Y')); /* at our limit */
    next(f, printed(2, 40, 1006, 'Y')); /* displayed below our limit, sold above it */
    expect_nothing(f);
    next(f, printed(2, 40, 1000, 'Y')); /* at the displayed price: as E is */
    expect_fill(f, 1, 10, 0, 1005, 'A');
    close_venue(f);
}

static void an_execution_behind_us_at_another_price_is_none_at_ours(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    buy(f, 1, 50, 1005);
    next(f, tick_add(LOCATE, 1, 'B', 300, 1005));
    next(f, printed(1, 40, 1007, 'Y'));
    expect_nothing(f);
    next(f, tick_execute(LOCATE, 1, 20));
    expect_fill(f, 1, 20, 30, 1005, 'A');
    close_venue(f);
}

static void no_print_fills_us_where_they_are_switched_off(void **state)
{
    (void)state;
    venue_limits_t limits;
    tbus_params_defaults(&venue_limits_params, &limits);
    assert_true(limits.prints);
    limits.prints = false;
    fixture_t *f = open_venue_of(limits);
    next(f, tick_add(LOCATE, 1, 'B', 300, 1000));
    buy(f, 1, 50, 1005);
    next(f, hidden(100, 1000));
    next(f, printed(1, 40, 999, 'Y'));
    expect_nothing(f);
    next(f, tick_execute(LOCATE, 1, 20));
    expect_fill(f, 1, 20, 30, 1005, 'A');
    close_venue(f);
}

/* ---- halts */

static void nothing_fills_us_while_the_symbol_is_halted(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        fixture_t *f = open_venue();
        next(f, tick_add(LOCATE, 1, 'B', 100, 999));
        buy(f, 1, 50, 1000);
        next(f, tick_trading(LOCATE, (uint8_t) "HPQ"[i]));
        next(f, tick_add(LOCATE, 2, 'S', 100, 990));
        next(f, tick_replace(LOCATE, 2, 3, 100, 980));
        next(f, tick_execute(LOCATE, 1, 50));
        next(f, printed(1, 50, 900, 'Y'));
        next(f, hidden(50, 900));
        expect_nothing(f);
        next(f, tick_trading(LOCATE, 'T'));
        next(f, tick_add(LOCATE, 4, 'S', 30, 1000));
        expect_fill(f, 1, 30, 20, 1000, 'A');
        close_venue(f);
    }
}

/* ---- crosses */

static void a_cross_fills_all_that_is_better_than_its_price_at_that_price(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'B', 300, 1004));
    next(f, tick_add(LOCATE, 2, 'S', 1000, 1050));
    buy(f, 1, 100, 1005);
    buy(f, 2, 100, 995);
    buy(f, 3, 100, 989);
    sell(f, 4, 100, 1006);
    next(f, printed(1, 300, 990, 'N'));
    expect_nothing(f);
    next(f, crossed(300, 990));
    expect_fill(f, 1, 100, 0, 990, 'C');
    expect_fill(f, 2, 100, 0, 990, 'C');
    expect_nothing(f);
    close_venue(f);
}

static void a_cross_fills_each_side_of_ours_by_its_shares_at_most(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    buy(f, 1, 60, 1000);
    buy(f, 2, 60, 1001);
    sell(f, 3, 150, 1010);
    next(f, crossed(100, 999));
    expect_fill(f, 2, 60, 0, 999, 'C');
    expect_fill(f, 1, 40, 20, 999, 'C');
    next(f, crossed(100, 1011));
    expect_fill(f, 3, 100, 50, 1011, 'C');
    next(f, crossed(0, 1020)); /* nothing met */
    next(f, crossed(100, 0));
    expect_nothing(f);
    close_venue(f);
}

/* 500 cross at 1000; before ours stood 100 at 1002 and 150 at 1000; 120 more came after it. */
static void an_order_at_the_price_of_a_cross_comes_after_what_stood_before_it(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'B', 100, 1002));
    next(f, tick_add(LOCATE, 2, 'B', 150, 1000));
    buy(f, 1, 400, 1000);
    next(f, tick_add(LOCATE, 3, 'B', 120, 1000));
    next(f, tick_trading(LOCATE, 'Q'));
    next(f, printed(1, 100, 1000, 'N'));
    next(f, printed(2, 150, 1000, 'N'));
    next(f, printed(3, 120, 1000, 'N'));
    expect_nothing(f);
    next(f, crossed(500, 1000));
    expect_fill(f, 1, 250, 150, 1000, 'C');
    next(f, crossed(10, 1000)); /* what the last one executed is not counted again */
    expect_fill(f, 1, 10, 140, 1000, 'C');
    close_venue(f);
}

static void an_order_behind_one_that_a_cross_left_standing_is_left_as_well(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'S', 100, 1000));
    sell(f, 1, 50, 1000);
    next(f, printed(1, 99, 1000, 'N'));
    next(f, crossed(500, 1000));
    expect_nothing(f);
    next(f, tick_delete(LOCATE, 1));
    next(f, crossed(100, 1000));
    expect_fill(f, 1, 50, 0, 1000, 'C');
    close_venue(f);
}

/* ---- broken trades */

static void a_broken_trade_takes_back_each_execution_that_it_made(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    buy(f, 1, 50, 1005);
    buy(f, 2, 50, 1006);
    next(f, tick_with_match(hidden(70, 1000), 5));
    expect_fill(f, 2, 50, 0, 1006, 'A');
    expect_fill(f, 1, 20, 30, 1005, 'A');
    next(f, tick_with_match(hidden(10, 1000), 6));
    expect_fill(f, 1, 10, 20, 1005, 'A');
    next(f, tick_break(LOCATE, 4));
    next(f, tick_break(LOCATE, 0));
    expect_nothing(f);
    next(f, tick_break(LOCATE, 5));
    expect_broken(f, 2, 50, 0, 1006, 1);
    expect_broken(f, 1, 20, 20, 1005, 2);
    next(f, tick_break(LOCATE, 5));
    expect_nothing(f);
    send_cancel(f, 1);
    expect_reason(f, REPORT_CANCELLED, 1, 20, REASON_USER_CANCEL);
    next(f, tick_break(LOCATE, 6)); /* though nothing of ours is open */
    expect_broken(f, 1, 10, 0, 1005, 3);
    assert_int_equal(venue_stats(f->venue).broken, 3);
    assert_int_equal(venue_stats(f->venue).broken_shares, 80);
    close_venue(f);
}

static void every_kind_of_trade_can_be_broken_and_what_we_took_cannot(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'B', 100, 1000));
    buy(f, 1, 100, 1005);
    next(f, tick_with_match(tick_execute(LOCATE, 1, 10), 1));
    expect_fill(f, 1, 10, 90, 1005, 'A');
    next(f, tick_with_match(printed(1, 20, 1001, 'Y'), 2));
    expect_fill(f, 1, 20, 70, 1005, 'A');
    next(f, tick_with_match(crossed(30, 1002), 3));
    expect_fill(f, 1, 30, 40, 1002, 'C');
    next(f, tick_with_match(tick_add(LOCATE, 2, 'S', 15, 1005), 4));
    expect_fill(f, 1, 15, 25, 1005, 'A');
    next(f, tick_add(LOCATE, 3, 'S', 30, 1010));
    send(f, 2, 'B', 30, 1010, ORDER_TIF_IOC);
    expect_accepted(f, 2, 30);
    expect_fill(f, 2, 30, 0, 1010, 'R');
    next(f, tick_break(LOCATE, 4));
    expect_nothing(f);
    next(f, tick_break(LOCATE, 3));
    expect_broken(f, 1, 30, 25, 1002, 3);
    next(f, tick_break(LOCATE, 2));
    expect_broken(f, 1, 20, 25, 1005, 2);
    next(f, tick_break(LOCATE, 1));
    expect_broken(f, 1, 10, 25, 1005, 1);
    close_venue(f);
}

static void only_the_last_executions_can_be_broken(void **state)
{
    (void)state;
    venue_limits_t limits;
    tbus_params_defaults(&venue_limits_params, &limits);
    limits.breakable_max = 3;
    fixture_t *f = open_venue_of(limits);
    buy(f, 1, 100, 1005);
    buy(f, 2, 100, 1005);
    next(f, tick_with_match(hidden(120, 1000), 1)); /* two executions */
    next(f, tick_with_match(hidden(10, 1000), 2));
    next(f, tick_with_match(hidden(10, 1000), 3)); /* the first one of trade 1 is forgotten */
    f->checked = f->count;
    next(f, tick_break(LOCATE, 1));
    expect_broken(f, 2, 20, 60, 1005, 2);
    next(f, tick_with_match(hidden(10, 1000), 2)); /* another trade under the same number */
    expect_fill(f, 2, 10, 50, 1005, 'A');
    next(f, tick_break(LOCATE, 2));
    expect_broken(f, 2, 10, 50, 1005, 5);
    next(f, tick_break(LOCATE, 3));
    expect_broken(f, 2, 10, 50, 1005, 4);
    close_venue(f);
}

static void an_execution_below_a_dollar_costs_a_part_of_its_value_and_that_comes_back(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    venue_set_fees(f->venue, &(session_fees_t){.added_e6_per_share = -2000,
                                               .removed_e6_per_share = 3000,
                                               .added_ppm_below_1 = 1000,
                                               .removed_ppm_below_1 = 3000,
                                               .cross_ppm_below_1 = 500});
    next(f, tick_add(LOCATE, 1, 'S', 100, 9999));
    next(f, tick_add(LOCATE, 2, 'S', 100, 10000));
    send(f, 1, 'B', 200, 10000, ORDER_TIF_IOC);
    expect_accepted(f, 1, 200);
    assert_int_equal(expect(f, REPORT_PARTIAL, 1, 100, 100)->fee_e4, 3000); /* 0.30 % of 99.99 */
    assert_int_equal(expect(f, REPORT_FILLED, 1, 100, 0)->fee_e4, 3000);    /* 0.0030 a share */
    buy(f, 2, 100, 5000);
    next(f, hidden(60, 4999));
    assert_int_equal(expect(f, REPORT_PARTIAL, 2, 60, 40)->fee_e4, 300); /* at its limit, 0.50 */
    next(f, tick_with_match(crossed(40, 4000), MATCH + 1));
    assert_int_equal(expect(f, REPORT_FILLED, 2, 40, 0)->fee_e4, 80);
    next(f, tick_break(LOCATE, MATCH));
    assert_int_equal(expect(f, REPORT_BROKEN, 2, 60, 0)->fee_e4, -300);
    close_venue(f);
}

static void nothing_is_broken_where_nothing_is_remembered(void **state)
{
    (void)state;
    venue_limits_t limits;
    tbus_params_defaults(&venue_limits_params, &limits);
    limits.breakable_max = 0;
    fixture_t *f = open_venue_of(limits);
    buy(f, 1, 100, 1005);
    next(f, hidden(20, 1000));
    expect_fill(f, 1, 20, 80, 1005, 'A');
    next(f, tick_break(LOCATE, MATCH));
    expect_nothing(f);
    close_venue(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hidden_execution_through_our_limit_fills_us_whatever_is_ahead),
        cmocka_unit_test(a_hidden_execution_at_our_limit_or_better_does_not_fill_us),
        cmocka_unit_test(a_print_fills_both_sides_of_ours_by_its_shares_in_all),
        cmocka_unit_test(an_execution_at_another_price_is_measured_by_that_price),
        cmocka_unit_test(an_execution_behind_us_at_another_price_is_none_at_ours),
        cmocka_unit_test(no_print_fills_us_where_they_are_switched_off),
        cmocka_unit_test(nothing_fills_us_while_the_symbol_is_halted),
        cmocka_unit_test(a_cross_fills_all_that_is_better_than_its_price_at_that_price),
        cmocka_unit_test(a_cross_fills_each_side_of_ours_by_its_shares_at_most),
        cmocka_unit_test(an_order_at_the_price_of_a_cross_comes_after_what_stood_before_it),
        cmocka_unit_test(an_order_behind_one_that_a_cross_left_standing_is_left_as_well),
        cmocka_unit_test(a_broken_trade_takes_back_each_execution_that_it_made),
        cmocka_unit_test(every_kind_of_trade_can_be_broken_and_what_we_took_cannot),
        cmocka_unit_test(only_the_last_executions_can_be_broken),
        cmocka_unit_test(an_execution_below_a_dollar_costs_a_part_of_its_value_and_that_comes_back),
        cmocka_unit_test(nothing_is_broken_where_nothing_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
