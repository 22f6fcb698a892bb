/* SPDX-License-Identifier: Apache-2.0 */
/* What the venue model does with days, phases and states. */
#include "tests/unit/venue_fixture.h"

static void say_phases(fixture_t *f, const char *codes)
{
    for (; *codes; codes++)
        next(f, tick_system((uint8_t)*codes));
}

/* A full day with our stock in its spin, in the phases `codes` behind O. */
static fixture_t *open_day(const char *codes)
{
    fixture_t *f = open_venue();
    say_phases(f, "O");
    next(f, tick_directory(LOCATE));
    next(f, tick_trading(LOCATE, 'T'));
    say_phases(f, codes);
    return f;
}

static void venue_takes_orders_in_system_hours_alone(void **state)
{
    (void)state;
    fixture_t *f = open_day("");
    send_day(f, 1, 'B', 10, 5000);
    expect_reason(f, REPORT_REJECTED, 1, 10, REASON_CLOSED);
    say_phases(f, "S");
    send_day(f, 2, 'B', 10, 5000);
    expect_accepted(f, 2, 10);
    say_phases(f, "QM");
    send_day(f, 3, 'S', 10, 5100);
    expect_accepted(f, 3, 10);
    send_cancel(f, 3);
    expect_reason(f, REPORT_CANCELLED, 3, 10, REASON_USER_CANCEL);
    say_phases(f, "E");
    expect_reason(f, REPORT_CANCELLED, 2, 10, REASON_CLOSED);
    send_day(f, 4, 'B', 10, 5000);
    expect_reason(f, REPORT_REJECTED, 4, 10, REASON_CLOSED);
    send_cancel(f, 2);
    expect_reason(f, REPORT_CANCEL_REJECTED, 2, 0, REASON_UNKNOWN_ORDER);
    say_phases(f, "C");
    close_venue(f);
}

static void what_rests_ends_with_the_next_day_if_not_before(void **state)
{
    (void)state;
    fixture_t *f = open_day("SQ");
    send_day(f, 1, 'B', 10, 5000);
    expect_accepted(f, 1, 10);
    say_phases(f, "O");
    expect_reason(f, REPORT_CANCELLED, 1, 10, REASON_CLOSED);
    close_venue(f);
}

static void what_was_taken_yesterday_is_there_today(void **state)
{
    (void)state;
    fixture_t *f = open_day("S");
    for (uint64_t day = 1; day <= 3; day++) {
        next(f, tick_directory(LOCATE));
        next(f, tick_trading(LOCATE, 'T'));
        next(f, tick_add(LOCATE, 1, 'S', 100, 5000));
        send(f, 2 * day, 'B', 60, 5000, ORDER_TIF_IOC);
        expect_accepted(f, 2 * day, 60);
        expect_fill(f, 2 * day, 60, 0, 5000, 'R');
        send(f, 2 * day + 1, 'B', 60, 5000, ORDER_TIF_IOC);
        expect_accepted(f, 2 * day + 1, 60);
        expect_fill(f, 2 * day + 1, 40, 20, 5000, 'R');
        expect_reason(f, REPORT_CANCELLED, 2 * day + 1, 20, REASON_IOC_UNFILLED);
        say_phases(f, "OS");
    }
    close_venue(f);
}

static void nothing_fills_while_the_stock_is_halted(void **state)
{
    (void)state;
    static const char halts[] = {'H', 'P', 'Q'};
    for (unsigned i = 0; i < sizeof halts; i++) {
        fixture_t *f = open_day("SQ");
        send_day(f, 1, 'B', 10, 5000);
        expect_accepted(f, 1, 10);
        next(f, tick_trading(LOCATE, (uint8_t)halts[i]));
        next(f, tick_add(LOCATE, 1, 'S', 100, 4900));
        next(f, tick_add(LOCATE, 2, 'B', 100, 4900));
        next(f, tick_execute(LOCATE, 2, 100));
        expect_nothing(f);
        next(f, tick_trading(LOCATE, 'T'));
        expect_nothing(f); /* what came meanwhile was for the cross */
        next(f, tick_add(LOCATE, 3, 'S', 4, 4900));
        expect_fill(f, 1, 4, 6, 5000, 'A');
        close_venue(f);
    }
}

static void a_stock_missing_in_the_spin_takes_no_orders(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    say_phases(f, "O");
    next(f, tick_directory(LOCATE));
    say_phases(f, "SQ");
    send_day(f, 1, 'B', 10, 5000);
    expect_reason(f, REPORT_REJECTED, 1, 10, REASON_HALTED);
    close_venue(f);
}

static void a_stale_book_takes_no_orders(void **state)
{
    (void)state;
    fixture_t *f = open_day("SQ");
    tick_t lie = tick_add(LOCATE, 1, 'B', 100, 5000);
    memcpy(lie.symbol, "OTHER   ", 8);
    next(f, lie);
    send_day(f, 1, 'B', 10, 5000);
    expect_reason(f, REPORT_REJECTED, 1, 10, REASON_STALE_BOOK);
    close_venue(f);
}

static void a_trade_of_another_stock_fills_nothing(void **state)
{
    (void)state;
    fixture_t *f = open_day("SQ");
    send_day(f, 1, 'B', 10, 5000);
    expect_accepted(f, 1, 10);
    tick_t print = tick_add(LOCATE, 0, 'B', 100, 4900);
    print.type = 'P';
    memcpy(print.symbol, "OTHER   ", 8);
    next(f, print);
    expect_nothing(f);
    close_venue(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(venue_takes_orders_in_system_hours_alone),
        cmocka_unit_test(what_rests_ends_with_the_next_day_if_not_before),
        cmocka_unit_test(what_was_taken_yesterday_is_there_today),
        cmocka_unit_test(nothing_fills_while_the_stock_is_halted),
        cmocka_unit_test(a_stock_missing_in_the_spin_takes_no_orders),
        cmocka_unit_test(a_stale_book_takes_no_orders),
        cmocka_unit_test(a_trade_of_another_stock_fills_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
