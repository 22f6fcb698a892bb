/* SPDX-License-Identifier: Apache-2.0 */
/* Post-only orders, and replaces. */
#include "tests/unit/venue_fixture.h"

static void send_flagged(fixture_t *f, uint64_t count, uint8_t side, uint32_t px_e4, uint8_t flags)
{
    order_t order = order_new(count, side, 50, px_e4, ORDER_TIF_DAY);
    order.flags = flags;
    venue_order(f->venue, &order);
}

static void send_replace(fixture_t *f, uint64_t count, uint64_t old, uint8_t side, uint32_t qty,
                         uint32_t px_e4)
{
    order_t order = order_new(count, side, qty, px_e4, ORDER_TIF_DAY);
    order.kind = ORDER_REPLACE;
    order.replaces = count - old;
    venue_order(f->venue, &order);
}

static void expect_replaced(fixture_t *f, uint64_t old, uint32_t had, uint64_t count, uint32_t has)
{
    expect_reason(f, REPORT_CANCELLED, old, had, REASON_REPLACED);
    expect_accepted(f, count, has);
}

/* ---- post-only */

static void a_post_only_order_that_would_take_is_rejected(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'B', 100, 999900));
    next(f, tick_add(LOCATE, 2, 'S', 100, 1000100));
    send_flagged(f, 1, 'B', 1000100, ORDER_POST_ONLY);
    expect_reason(f, REPORT_REJECTED, 1, 50, REASON_POST_ONLY);
    send_flagged(f, 2, 'S', 999800, ORDER_POST_ONLY);
    expect_reason(f, REPORT_REJECTED, 2, 50, REASON_POST_ONLY);
    send_flagged(f, 3, 'B', 1000099, ORDER_POST_ONLY);
    expect_accepted(f, 3, 50);
    send_flagged(f, 4, 'S', 999901, ORDER_POST_ONLY);
    expect_accepted(f, 4, 50);
    send(f, 5, 'B', 100, 1000100, ORDER_TIF_IOC);
    expect_accepted(f, 5, 100);
    expect_fill(f, 5, 100, 0, 1000100, 'R');
    send_flagged(f, 6, 'B', 1000100, ORDER_POST_ONLY); /* it is displayed, whatever we took of it */
    expect_reason(f, REPORT_REJECTED, 6, 50, REASON_POST_ONLY);
    close_venue(f);
}

static void a_sliding_order_rests_one_tick_from_what_it_would_have_taken(void **state)
{
    (void)state;
    static const struct {
        uint8_t side;
        uint32_t best, px;
    } rows[] = {
        {'B', 1000100, 1000000}, {'S', 1000100, 1000200}, {'B', 10100, 10000},
        {'B', 10000, 9999},      {'B', 5000, 4999},       {'S', 9999, 10000},
        {'S', 10000, 10100},     {'B', 1000150, 1000100}, {'S', 1000150, 1000200},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        fixture_t *f = open_venue();
        next(f, tick_add(LOCATE, 1, rows[i].side == 'B' ? 'S' : 'B', 100, rows[i].best));
        send_flagged(f, 1, rows[i].side, rows[i].best, ORDER_POST_ONLY | ORDER_SLIDE);
        expect_accepted(f, 1, 50);
        assert_int_equal(f->reports[f->count - 1].px_e4, rows[i].px);
        next(f, tick_add(LOCATE, 2, rows[i].side == 'B' ? 'S' : 'B', 10, rows[i].px));
        expect_fill(f, 1, 10, 40, rows[i].px, 'A');
        close_venue(f);
    }
}

static void a_sliding_order_that_has_nowhere_to_go_is_rejected(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'S', 100, 1));
    send_flagged(f, 1, 'B', 10, ORDER_POST_ONLY | ORDER_SLIDE);
    expect_reason(f, REPORT_REJECTED, 1, 50, REASON_POST_ONLY);
    close_venue(f);
}

/* ---- replaces */

static void a_replace_that_only_reduces_keeps_its_place_in_the_queue(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'B', 100, 1000));
    send_day(f, 1, 'B', 80, 1000);
    send_day(f, 2, 'B', 10, 1000); /* behind it */
    expect_accepted(f, 1, 80);
    expect_accepted(f, 2, 10);
    next(f, tick_add(LOCATE, 2, 'B', 100, 1000));
    send_replace(f, 3, 1, 'B', 60, 1000);
    expect_replaced(f, 1, 80, 3, 60);
    next(f, tick_delete(LOCATE, 1));
    next(f, tick_execute(LOCATE, 2, 65));
    expect_fill(f, 3, 60, 0, 1000, 'A');
    expect_fill(f, 2, 5, 5, 1000, 'A');
    send_cancel(f, 1);
    expect_reason(f, REPORT_CANCEL_REJECTED, 1, 0, REASON_UNKNOWN_ORDER);
    assert_int_equal(venue_stats(f->venue).open_orders, 1);
    close_venue(f);
}

static void a_replace_at_another_price_or_for_more_goes_to_the_back(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    send_day(f, 1, 'B', 50, 1000);
    send_day(f, 2, 'B', 50, 999);
    expect_accepted(f, 1, 50);
    expect_accepted(f, 2, 50);
    next(f, tick_add(LOCATE, 1, 'B', 100, 1000));
    send_replace(f, 3, 1, 'B', 51, 1000);
    expect_replaced(f, 1, 50, 3, 51);
    send_replace(f, 4, 2, 'B', 40, 1000);
    expect_replaced(f, 2, 50, 4, 40);
    next(f, tick_add(LOCATE, 2, 'B', 100, 1000));
    next(f, tick_execute(LOCATE, 2, 20)); /* both are behind the 100 now */
    expect_nothing(f);
    next(f, tick_delete(LOCATE, 1));
    next(f, tick_execute(LOCATE, 2, 60));
    expect_fill(f, 3, 51, 0, 1000, 'A');
    expect_fill(f, 4, 9, 31, 1000, 'A');
    close_venue(f);
}

static void a_replaces_quantity_is_a_total_of_which_executions_are_taken_off(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    send_day(f, 1, 'B', 100, 1000);
    expect_accepted(f, 1, 100);
    next(f, tick_add(LOCATE, 1, 'S', 30, 1000));
    expect_fill(f, 1, 30, 70, 1000, 'A');
    send_replace(f, 2, 1, 'B', 90, 1000); /* 60 are left of it: less than there were */
    expect_replaced(f, 1, 70, 2, 60);
    next(f, tick_add(LOCATE, 2, 'S', 20, 1000));
    expect_fill(f, 2, 20, 40, 1000, 'A');
    send_replace(f, 3, 2, 'B', 200, 999); /* 50 of the chain are executed */
    expect_replaced(f, 2, 40, 3, 150);
    send_replace(f, 4, 3, 'B', 50, 999);
    expect_reason(f, REPORT_CANCELLED, 3, 150, REASON_REPLACED);
    expect_reason(f, REPORT_REJECTED, 4, 50, REASON_NOTHING_LEFT);
    assert_int_equal(venue_stats(f->venue).open_orders, 0);
    close_venue(f);
}

static void a_replace_that_is_rejected_leaves_its_order_as_it_is(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'S', 100, 1010));
    send_day(f, 1, 'B', 50, 1000);
    expect_accepted(f, 1, 50);
    send_replace(f, 2, 1, 'S', 50, 1000); /* of the other side */
    expect_reason(f, REPORT_REJECTED, 2, 50, REASON_UNKNOWN_ORDER);
    order_t order = order_new(3, 'B', 50, 1010, ORDER_TIF_DAY);
    order.kind = ORDER_REPLACE;
    order.replaces = 2;
    order.flags = ORDER_POST_ONLY;
    venue_order(f->venue, &order);
    expect_reason(f, REPORT_REJECTED, 3, 50, REASON_POST_ONLY);
    send_replace(f, 5, 4, 'B', 50, 1000);
    expect_reason(f, REPORT_REJECTED, 5, 50, REASON_UNKNOWN_ORDER);
    next(f, tick_add(LOCATE, 2, 'S', 20, 1000));
    expect_fill(f, 1, 20, 30, 1000, 'A');
    close_venue(f);
}

static void a_replace_may_take(void **state)
{
    (void)state;
    fixture_t *f = open_venue();
    next(f, tick_add(LOCATE, 1, 'S', 30, 1010));
    send_day(f, 1, 'B', 50, 1000);
    expect_accepted(f, 1, 50);
    send_replace(f, 2, 1, 'B', 50, 1010);
    expect_replaced(f, 1, 50, 2, 50);
    expect_fill(f, 2, 30, 20, 1010, 'R');
    send_replace(f, 3, 2, 'B', 45, 1010); /* 15 left, where it stands */
    expect_replaced(f, 2, 20, 3, 15);
    close_venue(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_post_only_order_that_would_take_is_rejected),
        cmocka_unit_test(a_sliding_order_rests_one_tick_from_what_it_would_have_taken),
        cmocka_unit_test(a_sliding_order_that_has_nowhere_to_go_is_rejected),
        cmocka_unit_test(a_replace_that_only_reduces_keeps_its_place_in_the_queue),
        cmocka_unit_test(a_replace_at_another_price_or_for_more_goes_to_the_back),
        cmocka_unit_test(a_replaces_quantity_is_a_total_of_which_executions_are_taken_off),
        cmocka_unit_test(a_replace_that_is_rejected_leaves_its_order_as_it_is),
        cmocka_unit_test(a_replace_may_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
