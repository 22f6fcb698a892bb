/* SPDX-License-Identifier: Apache-2.0 */
/* What the risk gate does with days, phases, states and stale books, and that positions and limits
 * are those of a symbol, whatever its locate. */
#include "tests/unit/risk_market.h"

#include "risk/gate.h"

#include "tests/unit/gate_fixture.h"

static void tell(fixture_t *f, tick_t tick)
{
    gate_on_market(f->gate, market_next(f->market, tick));
}

static void tell_phases(fixture_t *f, const char *codes)
{
    for (; *codes; codes++)
        tell(f, tick_system((uint8_t)*codes));
}

static tick_t of_stock(tick_t tick, const char *name)
{
    memcpy(tick.type == 'A' ? tick.symbol : (char *)tick.body, name, 8);
    return tick;
}

/* A stock under a locate, trading at BID x 500, ASK x 500. */
static void quote_stock(fixture_t *f, uint16_t locate, const char *name)
{
    tell(f, of_stock(tick_directory(locate), name));
    tell(f, of_stock(tick_trading(locate, 'T'), name));
    tell(f, of_stock(tick_add(locate, locate * 2u, 'B', 500, BID), name));
    tell(f, of_stock(tick_add(locate, locate * 2u + 1, 'S', 500, ASK), name));
}

static uint8_t judge_at(fixture_t *f, uint16_t wire_locate, uint8_t side, uint32_t qty)
{
    order_t order = fresh(f, side, qty, BID);
    order.locate = wire_locate;
    return judge(f, order);
}

static void gate_passes_orders_in_system_hours_alone(void **state)
{
    (void)state;
    fixture_t f = open_gate(wide());
    tell_phases(&f, "O");
    tell(&f, of_stock(tick_directory(LOCATE), "ACME    "));
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_CLOSED);
    quote_stock(&f, LOCATE, "ACME    "); /* who displays orders takes them */
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NONE);
    static const char open[] = "SQM", closed[] = "ESC";
    for (unsigned i = 0; open[i]; i++) {
        tell(&f, tick_system((uint8_t)open[i]));
        assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NONE);
    }
    for (unsigned i = 0; closed[i]; i++) {
        tell(&f, tick_system((uint8_t)closed[i]));
        assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_CLOSED);
    }
    order_t cancel = order_cancel(f.count);
    assert_int_equal(judge(&f, cancel), REASON_NONE);
    close_gate(&f);
}

static void a_symbol_of_yesterday_alone_is_unknown(void **state)
{
    (void)state;
    fixture_t f = quoted_gate(wide());
    tell_phases(&f, "OS");
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_UNKNOWN_SYMBOL);
    close_gate(&f);
}

static void a_stale_book_and_a_stock_outside_the_spin_are_rejected(void **state)
{
    (void)state;
    fixture_t f = open_gate(wide());
    tell_phases(&f, "O");
    tell(&f, tick_directory(3));
    tell_phases(&f, "S");
    assert_int_equal(judge_at(&f, 3, 'B', 1), REASON_HALTED);
    quote_stock(&f, LOCATE, "ACME    ");
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NONE);
    tell(&f, of_stock(tick_add(LOCATE, 99, 'B', 1, BID), "OTHER   "));
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_STALE_BOOK);
    close_gate(&f);
}

static tick_t lost(uint8_t policy)
{
    tick_t t;
    tick_gap_put(&t, 0, &(tick_gap_t){.from = 5, .to = 6, .policy = policy});
    return t;
}

/* Also those that are named later; cancels pass. */
static void where_messages_are_lost_the_policy_of_the_feed_decides(void **state)
{
    (void)state;
    fixture_t f = open_gate(wide());
    tell_phases(&f, "OS");
    quote_stock(&f, LOCATE, "ACME    ");
    tell(&f, lost(TICK_GAP_WARN));
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NONE);
    tell(&f, lost(TICK_GAP_BLOCK));
    tell(&f, lost(TICK_GAP_WARN)); /* the strictest counts */
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_STALE_BOOK);
    quote_stock(&f, 9, "LATER   ");
    assert_int_equal(judge_at(&f, 9, 'B', 1), REASON_STALE_BOOK);
    assert_int_equal(judge(&f, order_cancel(1)), REASON_NONE);
    tell_phases(&f, "OS");
    quote_stock(&f, LOCATE, "ACME    ");
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NONE);
    tell(&f, lost(TICK_GAP_UNSAID));
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_STALE_BOOK);
    close_gate(&f);
}

static void positions_and_limits_follow_a_symbol_through_its_locates(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    limits.position_max = 100;
    fixture_t f = open_gate(limits);
    tell_phases(&f, "OS");
    quote_stock(&f, 1, "AAA     ");
    quote_stock(&f, 2, "BBB     ");
    assert_int_equal(judge_at(&f, 1, 'B', 100), REASON_NONE);
    order_t open = order_new(f.count, 'B', 100, BID, ORDER_TIF_DAY);
    open.locate = 1;
    say(&f, report_of(&open, REPORT_PARTIAL, 60, 40, BID));
    tell_phases(&f, "O");
    say(&f, report_of(&open, REPORT_CANCELLED, 40, 0, BID)); /* of yesterday's locate */
    assert_int_equal(gate_report_mismatches(f.gate), 0);
    assert_int_equal(gate_open_orders(f.gate), 0);
    assert_int_equal(gate_exposure(f.gate, 1).position.qty, 60);
    assert_int_equal(gate_gross_notional_e4(f.gate), UINT64_C(60) * BID); /* the mark stays */
    tell_phases(&f, "S");
    quote_stock(&f, 1, "BBB     ");
    quote_stock(&f, 2, "AAA     ");
    assert_int_equal(judge_at(&f, 1, 'B', 100), REASON_NONE);
    assert_int_equal(judge_at(&f, 2, 'B', 41), REASON_POSITION_LIMIT);
    assert_int_equal(judge_at(&f, 2, 'B', 40), REASON_NONE);
    tell(&f, of_stock(tick_directory(9), "AAA     ")); /* a second locate of one symbol */
    assert_int_equal(judge_at(&f, 9, 'B', 1), REASON_POSITION_LIMIT);
    close_gate(&f);
}

static void expect_mark(const fixture_t *f, uint32_t px_e4, uint32_t by)
{
    mark_t mark = gate_exposure(f->gate, LOCATE).mark;
    assert_int_equal(mark.px_e4, px_e4);
    assert_int_equal(mark.by, by);
}

/* What names a stock and its state says nothing of what a share is worth. */
static void a_position_keeps_its_mark_until_the_new_day_shows_a_price(void **state)
{
    (void)state;
    static const tick_t none = {0};
    const struct {
        tick_t shown[2];
        uint32_t px_e4, by;
    } days[] = {
        {{tick_add(LOCATE, 1, 'B', 5, BID - 700)}, BID - 700, MARK_BID},
        {{tick_add(LOCATE, 1, 'S', 5, ASK + 700)}, ASK, MARK_ENTRY},
        {{tick_trade(LOCATE, 5, BID + 300)}, BID + 300, MARK_TRADE},
        /* and behind the price it is as on any day */
        {{tick_add(LOCATE, 1, 'B', 5, BID - 700), tick_delete(LOCATE, 1)}, ASK, MARK_ENTRY}};
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        fixture_t f = quoted_gate(wide());
        hold(&f, 'B', 100, ASK);
        expect_mark(&f, BID, MARK_BID);
        for (int day = 0; day < 3; day++) { /* two without a price between them */
            tell_phases(&f, "O");
            tell(&f, tick_directory(LOCATE));
            tell(&f, tick_trading(LOCATE, 'T'));
            tell_phases(&f, "SQ");
            expect_mark(&f, BID, MARK_BID);
        }
        for (int k = 0; k < 2 && memcmp(&days[i].shown[k], &none, sizeof none) != 0; k++)
            tell(&f, days[i].shown[k]);
        expect_mark(&f, days[i].px_e4, days[i].by);
        close_gate(&f);
    }
    /* Who buys more before there is a price has a position of today. */
    fixture_t f = quoted_gate(wide());
    hold(&f, 'B', 100, ASK);
    tell_phases(&f, "O");
    tell(&f, tick_directory(LOCATE));
    hold(&f, 'B', 100, ASK + 200);
    expect_mark(&f, ASK + 100, MARK_ENTRY);
    close_gate(&f);
}

static void the_window_of_the_rate_begins_anew_with_a_day(void **state)
{
    (void)state;
    risk_limits_t limits = wide();
    limits.orders_per_second = 2;
    fixture_t f = quoted_gate(limits);
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NONE);
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_RATE);
    tell_phases(&f, "OS");
    quote_stock(&f, LOCATE, "ACME    ");
    assert_int_equal(judge_new(&f, 'B', 1, BID), REASON_NONE);
    close_gate(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gate_passes_orders_in_system_hours_alone),
        cmocka_unit_test(a_symbol_of_yesterday_alone_is_unknown),
        cmocka_unit_test(a_stale_book_and_a_stock_outside_the_spin_are_rejected),
        cmocka_unit_test(where_messages_are_lost_the_policy_of_the_feed_decides),
        cmocka_unit_test(positions_and_limits_follow_a_symbol_through_its_locates),
        cmocka_unit_test(a_position_keeps_its_mark_until_the_new_day_shows_a_price),
        cmocka_unit_test(the_window_of_the_rate_begins_anew_with_a_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
