/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <tickbus/market/market.h>

#include "tests/support/ticks.h"

#define LOCATE 7

typedef struct bench {
    market_t *market;
    uint64_t seq;
    market_event_t event; /* of the last tick */
    int code;
} bench_t;

static void setup_limits(bench_t *b, uint32_t orders_max, uint32_t levels_max)
{
    *b = (bench_t){0};
    tbus_error_t err = {0};
    assert_int_equal(
        market_create(&(market_limits_t){.orders_max = orders_max, .levels_max = levels_max},
                      &b->market, &err),
        0);
}

static int setup(void **state)
{
    static bench_t b;
    setup_limits(&b, 1000, 1000);
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    market_destroy(((bench_t *)*state)->market);
    return 0;
}

static void apply_at(bench_t *b, uint16_t locate, tick_t tick)
{
    const market_event_t *event = NULL;
    tick.intended = tick_pack(0, locate);
    b->code = market_apply(b->market, ++b->seq, &tick, sizeof tick, &event);
    if (b->code == 0)
        b->event = *event;
}

static void apply(bench_t *b, tick_t tick)
{
    apply_at(b, LOCATE, tick);
    assert_int_equal(b->code, 0);
}

static tick_t add(uint64_t ref, uint8_t side, uint32_t qty, uint32_t px)
{
    return tick_add(LOCATE, ref, side, qty, px);
}

static tick_t reduce(uint8_t type, uint64_t ref, uint32_t qty)
{
    tick_t t = {.type = type};
    t.order_ref = ref;
    t.qty = qty;
    t.printable = type == 'C' ? 'Y' : 0;
    return t;
}

static tick_t replace(uint64_t ref, uint64_t new_ref, uint32_t qty, uint32_t px)
{
    return tick_replace(LOCATE, ref, new_ref, qty, px);
}

static tick_t named(uint8_t type, const char *name)
{
    tick_t t = {.type = type};
    memcpy(t.body, name, 8);
    return t;
}

static void expect_touch(const bench_t *b, uint32_t bid_px, uint64_t bid_qty, uint32_t ask_px,
                         uint64_t ask_qty)
{
    market_touch_t touch = market_touch(b->market, LOCATE);
    assert_int_equal(touch.bid_px_e4, bid_px);
    assert_int_equal(touch.bid_qty, bid_qty);
    assert_int_equal(touch.ask_px_e4, ask_px);
    assert_int_equal(touch.ask_qty, ask_qty);
}

static void expect_level(const bench_t *b, uint8_t side, uint32_t depth, uint32_t px, uint64_t qty,
                         uint32_t orders)
{
    uint32_t level_px;
    uint64_t level_qty;
    uint32_t level_orders;
    assert_true(market_level(b->market, LOCATE, side, depth, &level_px, &level_qty, &level_orders));
    assert_int_equal(level_px, px);
    assert_int_equal(level_qty, qty);
    assert_int_equal(level_orders, orders);
    assert_int_equal(market_qty_at(b->market, LOCATE, side, px), qty);
}

static void expect_no_level(const bench_t *b, uint8_t side, uint32_t depth)
{
    uint32_t px = 12345;
    uint64_t qty = 12345;
    assert_false(market_level(b->market, LOCATE, side, depth, &px, &qty, NULL));
    assert_int_equal(px, 12345);
    assert_int_equal(qty, 12345);
}

/* ---- adds */

static void a_level_is_the_sum_of_its_orders(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'B', 100, 5000));
    apply(b, add(2, 'B', 250, 5000));
    apply(b, add(3, 'B', 10, 4900));
    apply(b, add(4, 'S', 70, 5100));
    expect_level(b, 'B', 0, 5000, 350, 2);
    expect_level(b, 'B', 1, 4900, 10, 1);
    expect_no_level(b, 'B', 2);
    expect_level(b, 'S', 0, 5100, 70, 1);
    expect_touch(b, 5000, 350, 5100, 70);
    assert_int_equal(market_stats(b->market)->live_orders, 4);
    assert_int_equal(market_stats(b->market)->live_levels, 3);
    assert_int_equal(market_qty_at(b->market, LOCATE, 'B', 4950), 0);
    assert_int_equal(market_qty_at(b->market, LOCATE + 1, 'B', 5000), 0);
}

static void an_attributed_add_is_an_add(void **state)
{
    bench_t *b = *state;
    tick_t t = add(1, 'S', 5, 6000);
    t.type = 'F';
    memcpy(t.mpid, "NITE", 4);
    apply(b, t);
    expect_touch(b, 0, 0, 6000, 5);
}

static void an_add_under_a_live_reference_is_counted_and_ignored(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'B', 100, 5000));
    apply(b, add(1, 'S', 50, 6000));
    assert_int_equal(market_stats(b->market)->duplicate_adds, 1);
    assert_int_equal(b->event.side, 0);
    assert_int_equal(b->event.added_qty, 0);
    assert_true(b->event.bbo_checked);
    assert_false(b->event.bbo_changed);
    expect_touch(b, 5000, 100, 0, 0);
}

static void a_reference_may_be_used_again_once_its_order_is_gone(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'B', 100, 5000));
    apply(b, reduce('D', 1, 0));
    apply(b, add(1, 'S', 50, 6000));
    assert_int_equal(market_stats(b->market)->duplicate_adds, 0);
    expect_touch(b, 0, 0, 6000, 50);
}

static void an_add_without_side_or_shares_is_malformed(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'X', 100, 5000));
    apply(b, add(2, 'B', 0, 5000));
    assert_int_equal(market_stats(b->market)->malformed, 2);
    assert_int_equal(market_stats(b->market)->live_orders, 0);
    expect_touch(b, 0, 0, 0, 0);
}

static void books_of_two_symbols_do_not_mix(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'B', 100, 5000));
    apply_at(b, LOCATE + 1, tick_add(LOCATE + 1, 2, 'B', 200, 5000));
    expect_touch(b, 5000, 100, 0, 0);
    assert_int_equal(market_touch(b->market, LOCATE + 1).bid_qty, 200);
}

/* ---- reductions */

static void an_execution_takes_shares_and_keeps_the_order_in_its_place(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'S', 100, 5000));
    apply(b, reduce('E', 1, 30));
    expect_level(b, 'S', 0, 5000, 70, 1);
    assert_true(b->event.executed);
    assert_int_equal(b->event.side, 'S');
    assert_int_equal(b->event.removed_px_e4, 5000);
    assert_int_equal(b->event.removed_qty, 30);
    assert_int_equal(b->event.removed_added_seq, 1);
    assert_int_equal(b->event.added_qty, 0);
    assert_int_equal(b->event.touch.ask_qty, 70);
    apply(b, reduce('E', 1, 30));
    assert_int_equal(b->event.removed_added_seq, 1);
    assert_int_equal(market_stats(b->market)->executed_shares, 60);
}

static void an_execution_down_to_zero_removes_the_order(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'S', 100, 5000));
    apply(b, reduce('E', 1, 60));
    apply(b, reduce('E', 1, 40));
    expect_no_level(b, 'S', 0);
    assert_int_equal(market_stats(b->market)->live_orders, 0);
    assert_int_equal(market_stats(b->market)->live_levels, 0);
    assert_int_equal(market_stats(b->market)->over_reductions, 0);
    apply(b, reduce('E', 1, 5));
    assert_int_equal(market_stats(b->market)->unknown_by_type['E'], 1);
}

static void an_execution_at_another_price_takes_the_displayed_order(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'B', 100, 5000));
    tick_t t = reduce('C', 1, 40);
    t.px_e4 = 4990;
    apply(b, t);
    assert_true(b->event.executed);
    assert_int_equal(b->event.removed_px_e4, 5000);
    expect_level(b, 'B', 0, 5000, 60, 1);
    assert_int_equal(market_stats(b->market)->executed_shares, 40);
    assert_int_equal(market_stats(b->market)->non_printable_shares, 0);
}

static void a_non_printable_execution_counts_as_both(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'B', 100, 5000));
    tick_t t = reduce('C', 1, 40);
    t.printable = 'N';
    apply(b, t);
    assert_int_equal(market_stats(b->market)->executed_shares, 40);
    assert_int_equal(market_stats(b->market)->non_printable_shares, 40);
    expect_level(b, 'B', 0, 5000, 60, 1);
}

static void a_cancel_is_no_execution(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'B', 100, 5000));
    apply(b, reduce('X', 1, 40));
    assert_false(b->event.executed);
    assert_int_equal(b->event.removed_qty, 40);
    expect_level(b, 'B', 0, 5000, 60, 1);
    assert_int_equal(market_stats(b->market)->executed_shares, 0);
}

static void a_cancel_of_all_shares_removes_the_order(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'B', 100, 5000));
    apply(b, reduce('X', 1, 100));
    expect_no_level(b, 'B', 0);
    apply(b, reduce('D', 1, 0));
    assert_int_equal(market_stats(b->market)->unknown_by_type['D'], 1);
}

static void a_delete_removes_what_is_left(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'B', 100, 5000));
    apply(b, add(2, 'B', 11, 5000));
    apply(b, reduce('E', 1, 30));
    apply(b, reduce('D', 1, 0));
    assert_int_equal(b->event.removed_qty, 70);
    expect_level(b, 'B', 0, 5000, 11, 1);
}

static void a_reduction_beyond_the_order_takes_what_there_is_and_is_counted(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'B', 100, 5000));
    apply(b, add(2, 'B', 10, 5000));
    apply(b, reduce('E', 1, 150));
    assert_int_equal(b->event.removed_qty, 100);
    assert_int_equal(market_stats(b->market)->over_reductions, 1);
    assert_int_equal(market_stats(b->market)->executed_shares, 150); /* as printed */
    expect_level(b, 'B', 0, 5000, 10, 1);
    apply(b, reduce('X', 2, 11));
    assert_int_equal(market_stats(b->market)->over_reductions, 2);
    expect_no_level(b, 'B', 0);
}

static void a_reduction_by_nothing_changes_nothing(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'B', 100, 5000));
    apply(b, reduce('X', 1, 0));
    assert_int_equal(b->event.removed_qty, 0);
    assert_false(b->event.bbo_changed);
    expect_level(b, 'B', 0, 5000, 100, 1);
}

static void unknown_references_are_counted_by_type_and_have_no_effect(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'B', 100, 5000));
    static const char types[] = "ECXD";
    for (int i = 0; i < 4; i++) {
        apply(b, reduce((uint8_t)types[i], 99, 10));
        assert_int_equal(market_stats(b->market)->unknown_by_type[(int)types[i]], 1);
        assert_int_equal(b->event.side, 0);
        assert_true(b->event.bbo_checked);
        assert_false(b->event.bbo_changed);
    }
    apply(b, replace(99, 100, 10, 5100));
    assert_int_equal(market_stats(b->market)->unknown_by_type['U'], 1);
    assert_int_equal(market_stats(b->market)->unknown_order_refs, 5);
    assert_int_equal(market_stats(b->market)->executed_shares, 20); /* E and C, known or not */
    apply(b, reduce('D', 100, 0));                                  /* the U added nothing */
    assert_int_equal(market_stats(b->market)->unknown_order_refs, 6);
    expect_touch(b, 5000, 100, 0, 0);
}

/* ---- replaces */

static void a_replaced_order_goes_to_the_back_of_its_queue(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'B', 100, 5000));  /* 1 */
    apply(b, add(2, 'B', 200, 5000));  /* 2 */
    apply(b, replace(1, 3, 80, 5000)); /* 3 */
    assert_int_equal(b->event.side, 'B');
    assert_int_equal(b->event.removed_px_e4, 5000);
    assert_int_equal(b->event.removed_qty, 100);
    assert_int_equal(b->event.removed_added_seq, 1);
    assert_int_equal(b->event.added_px_e4, 5000);
    assert_int_equal(b->event.added_qty, 80);
    assert_false(b->event.executed);
    expect_level(b, 'B', 0, 5000, 280, 2);
    apply(b, reduce('E', 2, 200));
    assert_int_equal(b->event.removed_added_seq, 2);
    apply(b, reduce('E', 3, 80));
    assert_int_equal(b->event.removed_added_seq, 3);
}

static void a_replace_keeps_side_and_symbol(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'S', 100, 5000));
    apply(b, replace(1, 2, 60, 5200));
    expect_level(b, 'S', 0, 5200, 60, 1);
    expect_no_level(b, 'S', 1);
    expect_no_level(b, 'B', 0);
    apply(b, reduce('D', 1, 0));
    assert_int_equal(market_stats(b->market)->unknown_by_type['D'], 1);
}

static void a_replace_may_keep_its_reference(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'S', 100, 5000));
    apply(b, replace(1, 1, 60, 5000));
    expect_level(b, 'S', 0, 5000, 60, 1);
    apply(b, reduce('D', 1, 0));
    assert_int_equal(b->event.removed_added_seq, 2);
}

static void a_replace_under_a_live_reference_only_removes(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'S', 100, 5000));
    apply(b, add(2, 'S', 10, 5100));
    apply(b, replace(1, 2, 60, 5000));
    assert_int_equal(market_stats(b->market)->duplicate_adds, 1);
    assert_int_equal(b->event.removed_qty, 100);
    assert_int_equal(b->event.added_qty, 0);
    expect_touch(b, 0, 0, 5100, 10);
}

static void a_replace_by_no_shares_only_removes(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'S', 100, 5000));
    apply(b, replace(1, 2, 0, 5000));
    assert_int_equal(market_stats(b->market)->malformed, 1);
    expect_touch(b, 0, 0, 0, 0);
}

/* ---- what never touches a book */

static void trades_and_crosses_leave_the_book_alone(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'B', 100, 5000));
    tick_t p = add(1, 'B', 33, 5000);
    p.type = 'P';
    apply(b, p);
    assert_false(b->event.bbo_checked);
    tick_t q = {.type = 'Q'};
    q.qty64 = UINT64_C(1) << 33;
    apply(b, q);
    apply(b, (tick_t){.type = 'B'});
    apply(b, (tick_t){.type = 'I'});
    apply(b, (tick_t){.type = TICK_END_MARK});
    apply(b, (tick_t){.type = 'z'});
    assert_false(b->event.bbo_checked);
    assert_int_equal(market_stats(b->market)->trade_shares, 33);
    assert_int_equal(market_stats(b->market)->cross_shares, UINT64_C(1) << 33);
    assert_int_equal(market_stats(b->market)->executed_shares, 0);
    expect_level(b, 'B', 0, 5000, 100, 1);
}

static void ticks_shorter_than_their_type_are_not_read(void **state)
{
    bench_t *b = *state;
    tick_t t = add(1, 'B', 100, 5000);
    t.intended = tick_pack(0, LOCATE);
    const market_event_t *event;
    assert_int_equal(market_apply(b->market, ++b->seq, &t, sizeof t - 8, &event), 0);
    assert_int_equal(event->locate, LOCATE);
    assert_false(event->bbo_checked);
    assert_int_equal(market_apply(b->market, ++b->seq, &t, 3, &event), 0);
    assert_int_equal(market_stats(b->market)->malformed, 2);
    t.type = 'z'; /* unknown types travel at their own length */
    assert_int_equal(market_apply(b->market, ++b->seq, &t, TICK_BODY_OFFSET, &event), 0);
    assert_int_equal(market_stats(b->market)->malformed, 2);
    expect_touch(b, 0, 0, 0, 0);
}

/* ---- the touch */

static void the_touch_is_compared_with_the_last_one_kept_for_the_locate(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'B', 100, 5000));
    assert_true(b->event.bbo_changed);
    apply(b, add(2, 'B', 100, 4900));
    assert_true(b->event.bbo_checked);
    assert_false(b->event.bbo_changed);
    apply(b, add(3, 'B', 1, 5000));
    assert_true(b->event.bbo_changed);
    assert_int_equal(b->event.touch.bid_qty, 101);
    apply(b, reduce('D', 2, 0));
    assert_false(b->event.bbo_changed);
    apply(b, replace(3, 4, 1, 5000));
    assert_false(b->event.bbo_changed);
    apply(b, reduce('D', 1, 0));
    apply(b, reduce('D', 4, 0));
    assert_true(b->event.bbo_changed);
    assert_int_equal(b->event.touch.bid_px_e4, 0);
    assert_int_equal(market_stats(b->market)->bbo_changes, 4);
}

static void a_message_under_a_foreign_locate_changes_no_book(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'B', 100, 5000));
    apply_at(b, 9, reduce('E', 1, 40));
    assert_int_equal(b->event.locate, 9);
    assert_int_equal(b->event.wire_locate, 9);
    assert_true(b->event.foreign);
    assert_true(b->event.bbo_checked);
    assert_false(b->event.bbo_changed); /* the touch of 9, which is empty as before */
    assert_int_equal(b->event.side, 0);
    assert_int_equal(b->event.removed_qty, 0);
    assert_false(b->event.executed);
    expect_touch(b, 5000, 100, 0, 0);
    static const uint8_t others[] = {'C', 'X', 'D'};
    for (unsigned i = 0; i < sizeof others; i++)
        apply_at(b, 9, reduce(others[i], 1, 40));
    apply_at(b, 9, replace(1, 2, 30, 5100));
    assert_int_equal(b->event.added_qty, 0);
    assert_int_equal(market_stats(b->market)->foreign_locates, 5);
    assert_int_equal(market_stats(b->market)->unknown_order_refs, 0);
    expect_touch(b, 5000, 100, 0, 0);
    assert_true(market_symbol(b->market, LOCATE)->stale);
}

static void behind_a_warm_up_touches_and_counters_begin_with_what_is_there(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'B', 100, 5000));
    apply(b, add(2, 'B', 100, 4900));
    apply(b, reduce('D', 99, 0));
    apply(b, add(3, 'S', 0, 5100));
    apply(b, reduce('E', 2, 40));
    apply_at(b, LOCATE + 1, reduce('D', 1, 0)); /* foreign */
    apply(b, reduce('D', 1, 0));
    market_end_warm_up(b->market);
    market_stats_t stats = *market_stats(b->market);
    assert_int_equal(stats.live_orders, 1);
    assert_int_equal(stats.live_orders_max, 1);
    assert_int_equal(stats.live_levels, 1);
    assert_int_equal(stats.symbols, 1);
    stats.live_orders = stats.live_orders_max = stats.live_levels = stats.symbols = 0;
    market_stats_t zeros = {0};
    assert_memory_equal(&stats, &zeros, sizeof zeros);
    apply(b, reduce('E', 99, 40));
    assert_true(b->event.bbo_checked);
    assert_false(b->event.bbo_changed);
    assert_int_equal(b->event.touch.bid_px_e4, 4900);
    assert_int_equal(b->event.touch.bid_qty, 60);
}

static void locate_zero_is_no_symbol(void **state)
{
    bench_t *b = *state;
    apply_at(b, 0, add(1, 'B', 100, 5000));
    assert_true(b->event.foreign);
    assert_false(b->event.bbo_changed);
    assert_false(market_symbol(b->market, 0)->known);
    assert_int_equal(market_stats(b->market)->live_orders, 0);
    assert_int_equal(market_stats(b->market)->foreign_adds, 1);
    apply_at(b, UINT16_MAX, add(2, 'B', 100, 5000));
    assert_int_equal(market_stats(b->market)->symbols, 1);
}

static void a_deep_book_is_right_from_the_touch_to_its_end(void **state)
{
    bench_t *b = *state;
    for (uint32_t i = 0; i < 400; i++) /* worst first, then the gaps */
        apply(b, add(i, 'S', i + 1, 90000 - 200 * i));
    for (uint32_t i = 0; i < 400; i++)
        apply(b, add(1000 + i, 'S', 2, 90000 - 200 * (399 - i) - 100));
    for (uint32_t i = 0; i < 400; i++) {
        expect_level(b, 'S', 2 * i, 90000 - 200 * (399 - i) - 100, 2, 1);
        expect_level(b, 'S', 2 * i + 1, 90000 - 200 * (399 - i), 400 - i, 1);
    }
    expect_no_level(b, 'S', 800);
    for (uint32_t i = 0; i < 400; i++)
        apply(b, reduce('D', i, 0));
    for (uint32_t i = 0; i < 400; i++)
        expect_level(b, 'S', i, 90000 - 200 * (399 - i) - 100, 2, 1);
    assert_int_equal(market_stats(b->market)->live_levels, 400);
    assert_int_equal(market_stats(b->market)->live_orders_max, 800);
}

/* ---- symbols and trading state */

static void the_directory_names_a_symbol(void **state)
{
    bench_t *b = *state;
    assert_memory_equal(market_symbol(b->market, LOCATE)->name, "        ", 8);
    assert_false(market_symbol(b->market, LOCATE)->known);
    apply(b, named('R', "AAPL    "));
    assert_memory_equal(market_symbol(b->market, LOCATE)->name, "AAPL    ", 8);
    assert_true(market_symbol(b->market, LOCATE)->known);
    apply(b, named('R', "AAPL    "));
    assert_int_equal(market_stats(b->market)->symbols, 1);
}

static void an_order_names_a_symbol_that_the_directory_did_not(void **state)
{
    bench_t *b = *state;
    apply(b, add(1, 'B', 100, 5000));
    assert_memory_equal(market_symbol(b->market, LOCATE)->name, "ACME    ", 8);
    tick_t t = add(2, 'B', 100, 5000);
    memcpy(t.symbol, "OTHER   ", 8);
    apply(b, t);
    assert_memory_equal(market_symbol(b->market, LOCATE)->name, "ACME    ", 8);
    assert_int_equal(market_stats(b->market)->symbols, 1);
}

static void expect_trading(bench_t *b, enum market_trading expected)
{
    assert_int_equal(market_symbol(b->market, LOCATE)->trading, expected);
}

static void say(bench_t *b, uint8_t type, char first, char second)
{
    tick_t t = named(type, "ACME    ");
    t.body[8] = (uint8_t)first;
    t.body[9] = (uint8_t)second;
    apply(b, t);
}

static void trading_actions_halt_and_resume(void **state)
{
    bench_t *b = *state;
    expect_trading(b, MARKET_TRADING_UNKNOWN);
    say(b, 'H', 'T', 0);
    expect_trading(b, MARKET_TRADING);
    static const char halts[] = "HPQ";
    for (int i = 0; i < 3; i++) {
        say(b, 'H', halts[i], 0);
        expect_trading(b, MARKET_HALTED);
        say(b, 'H', '?', 0); /* says nothing */
        expect_trading(b, MARKET_HALTED);
        say(b, 'H', 'T', 0);
        expect_trading(b, MARKET_TRADING);
    }
}

static void an_operational_halt_lasts_until_its_own_market_resumes(void **state)
{
    bench_t *b = *state;
    say(b, 'h', 'Q', 'H');
    expect_trading(b, MARKET_HALTED);
    say(b, 'H', 'T', 0); /* the regulator's word does not lift it */
    expect_trading(b, MARKET_HALTED);
    say(b, 'h', 'B', 'T');
    expect_trading(b, MARKET_HALTED);
    say(b, 'h', 'Q', 'T');
    expect_trading(b, MARKET_TRADING);
    say(b, 'H', 'H', 0);
    say(b, 'h', 'Q', 'T'); /* nor the other way round */
    expect_trading(b, MARKET_HALTED);
}

static void an_operational_halt_of_another_market_halts_nothing_here(void **state)
{
    bench_t *b = *state;
    static const char markets[] = {'B', 'X', '?', 0};
    for (unsigned i = 0; i < sizeof markets; i++) {
        say(b, 'h', markets[i], 'H');
        expect_trading(b, MARKET_TRADING_UNKNOWN);
    }
    market_destroy(b->market);
    market_limits_t limits = {.orders_max = 10, .levels_max = 10, .market = MARKET_OF_B};
    assert_int_equal(market_create(&limits, &b->market, NULL), 0);
    say(b, 'h', 'Q', 'H');
    expect_trading(b, MARKET_TRADING_UNKNOWN);
    say(b, 'h', 'B', 'H');
    expect_trading(b, MARKET_HALTED);
}

static void an_operational_resume_alone_says_nothing(void **state)
{
    bench_t *b = *state;
    say(b, 'h', 'Q', 'T');
    expect_trading(b, MARKET_TRADING_UNKNOWN);
}

/* ---- sharing a view */

static void the_same_sequence_again_gives_the_kept_outcome(void **state)
{
    bench_t *b = *state;
    tick_t t = add(1, 'B', 100, 5000);
    t.intended = tick_pack(0, LOCATE);
    const market_event_t *first;
    const market_event_t *second;
    assert_int_equal(market_apply(b->market, 5, &t, sizeof t, &first), 0);
    market_event_t kept = *first;
    assert_int_equal(market_apply(b->market, 5, &t, sizeof t, &second), 0);
    assert_ptr_equal(first, second);
    assert_memory_equal(&kept, second, sizeof kept);
    assert_int_equal(kept.md_seq, 5);
    assert_int_equal(market_seq(b->market), 5);
    assert_int_equal(market_stats(b->market)->duplicate_adds, 0);
    assert_int_equal(market_stats(b->market)->live_orders, 1);
}

/* ---- limits */

static void a_full_order_table_is_an_error_that_names_itself(void **state)
{
    (void)state;
    bench_t b;
    setup_limits(&b, 3, 10);
    for (uint64_t ref = 1; ref <= 3; ref++)
        apply(&b, add(ref, 'B', 100, 5000));
    apply(&b, add(3, 'B', 100, 5000));  /* a duplicate needs no room */
    apply(&b, replace(3, 4, 50, 5100)); /* nor does a replace */
    apply_at(&b, LOCATE, add(5, 'B', 100, 5000));
    assert_int_equal(b.code, -TBUS_ELIMIT);
    assert_non_null(strstr(market_limit_text(b.market), "books.orders_max"));
    assert_non_null(strstr(market_limit_text(b.market), "3 "));
    expect_touch(&b, 5100, 50, 0, 0); /* the tick had no effect */
    assert_int_equal(market_seq(b.market), 5);
    apply_at(&b, LOCATE, reduce('D', 1, 0)); /* and there is no going on */
    assert_int_equal(b.code, -TBUS_ELIMIT);
    assert_int_equal(market_stats(b.market)->live_orders, 3);
    market_destroy(b.market);
}

static void a_full_level_table_is_an_error_that_names_itself(void **state)
{
    (void)state;
    bench_t b;
    setup_limits(&b, 10, 2);
    apply(&b, add(1, 'B', 100, 5000));
    apply(&b, add(2, 'S', 100, 5100));
    apply(&b, add(3, 'S', 100, 5100));
    apply_at(&b, LOCATE, add(4, 'S', 100, 5200));
    assert_int_equal(b.code, -TBUS_ELIMIT);
    assert_non_null(strstr(market_limit_text(b.market), "books.levels_max"));
    assert_non_null(strstr(market_limit_text(b.market), "2 "));
    assert_int_equal(market_stats(b.market)->live_orders, 3);
    market_destroy(b.market);
}

static void a_replace_with_all_levels_used_goes_well_when_it_needs_none(void **state)
{
    (void)state;
    bench_t b;
    setup_limits(&b, 10, 2);
    apply(&b, add(1, 'B', 100, 5000));
    apply(&b, add(2, 'S', 100, 5100));
    apply(&b, add(3, 'S', 100, 5100));
    apply(&b, replace(1, 11, 5, 4900)); /* leaves its level empty */
    apply(&b, replace(2, 12, 5, 5100)); /* joins one */
    expect_touch(&b, 4900, 5, 5100, 105);
    apply_at(&b, LOCATE, replace(3, 13, 5, 5200));
    assert_int_equal(b.code, -TBUS_ELIMIT);
    expect_touch(&b, 4900, 5, 5100, 105); /* nothing was removed either */
    market_destroy(b.market);
}

static uint64_t footprint(uint32_t orders_max, uint32_t levels_max)
{
    return market_footprint(&(market_limits_t){.orders_max = orders_max, .levels_max = levels_max});
}

/* Of market.h; README and bench/README.md say the same. */
static void the_memory_of_orders_and_levels_is_what_the_header_says(void **state)
{
    (void)state;
    const uint64_t page = 2u << 20, base = footprint(1, 1), sides = 131072;
    assert_in_range(base, 7400000, 7400000 + page);
    for (uint32_t orders = 1000000; orders <= 80000000; orders += 777777) {
        uint64_t bytes = footprint(orders, 1) - base;
        assert_in_range(bytes, UINT64_C(61) * orders - page, UINT64_C(83) * orders + page);
    }
    for (uint32_t levels = 200000; levels <= 20000000; levels += 777777) {
        uint64_t bytes = footprint(1, levels) - base, said = UINT64_C(76) * levels + 132 * sides;
        assert_in_range(bytes, said - page, said + page);
    }
    /* 11,000 symbols with 10 million orders */
    assert_int_equal(footprint(10000000, 1500000) >> 20, 770);
}

static void impossible_limits_are_refused(void **state)
{
    (void)state;
    static const struct {
        market_limits_t limits;
        const char *named;
    } wrong[] = {
        {{0, 1, 0, 0, 0}, "books.orders_max"},
        {{1, 0, 0, 0, 0}, "books.levels_max"},
        {{UINT32_MAX, 1, 0, 0, 0}, "books.orders_max"},
        {{1, UINT32_MAX, 0, 0, 0}, "books.levels_max"},
        {{1, 1, MARKET_OF_X + 1, 0, 0}, "books.market"},
        {{1, 1, 0, MARKET_ONE_DAY + 1, 0}, "books.days"},
        {{1, 1, 0, 0, MARKET_TESTS_LIVE + 1}, "books.test_issues"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        market_t *m = NULL;
        tbus_error_t err = {0};
        assert_int_equal(market_create(&wrong[i].limits, &m, &err), -EINVAL);
        assert_null(m);
        assert_non_null(strstr(err.text, wrong[i].named));
    }
    market_destroy(NULL);
}

#define WITH_MARKET(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void fetching_ahead_changes_nothing_whatever_it_is_given(void **state)
{
    (void)state;
    static const char types[] = "AFECXDUPQRHh\1\2z";
    market_t *m;
    market_limits_t limits = {.orders_max = 100, .levels_max = 100};
    assert_int_equal(market_create(&limits, &m, NULL), 0);
    market_stats_t before = *market_stats(m);
    for (size_t i = 0; i < sizeof types; i++)
        for (size_t bytes = 0; bytes <= sizeof(tick_t); bytes++) {
            tick_t tick;
            memset(&tick, 0xff, sizeof tick);
            tick.type = (uint8_t)types[i];
            market_fetch_far(m, &tick, bytes);
            market_fetch_near(m, &tick, bytes);
        }
    assert_int_equal(market_seq(m), 0);
    assert_memory_equal(&before, market_stats(m), sizeof before);
    market_destroy(m);
}

/* Against a list of our own, by one price. */
static void the_queue_of_a_price_shows_its_orders_in_the_order_of_time(void **state)
{
    enum { LIVE_MAX = 40, PX = 1000 };
    bench_t *b = *state;
    struct {
        uint64_t ref, since;
        uint32_t qty;
    } live[LIVE_MAX + 1];
    unsigned count = 0;
    uint64_t random = 20240611, ref = 0, shown = 0;
    for (unsigned step = 0; step < 3000; step++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        unsigned victim = count ? (unsigned)(random >> 33) % count : 0;
        unsigned what = (unsigned)(random >> 60) % (count == LIVE_MAX ? 3 : 6);
        if (count == 0 || what > 2) {
            apply(b, tick_add(0, ++ref, 'B', 50, PX));
            live[count].ref = ref;
            live[count].since = b->seq;
            live[count++].qty = 50;
        } else if (what == 0 && live[victim].qty > 1) {
            apply(b, tick_execute(0, live[victim].ref, 1));
            live[victim].qty--;
            assert_int_equal(b->event.removed_left, live[victim].qty);
        } else {
            bool replaced = what == 1;
            uint64_t old = live[victim].ref;
            memmove(&live[victim], &live[victim + 1], (--count - victim) * sizeof live[0]);
            apply(b, replaced ? tick_replace(0, old, ++ref, 50, PX) : tick_delete(0, old));
            assert_int_equal(b->event.removed_left, 0);
            live[count].ref = ref;
            live[count].since = b->seq;
            live[count].qty = 50;
            count += replaced;
        }
        uint32_t at = market_first_order(b->market, LOCATE, 'B', PX);
        for (unsigned i = 0; i < count; i++, shown++) {
            market_order_t order;
            assert_true(at != 0);
            at = market_order_behind(b->market, at, &order);
            assert_int_equal(order.added_seq, live[i].since);
            assert_int_equal(order.qty, live[i].qty);
        }
        assert_int_equal(at, 0);
    }
    assert_true(shown > 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fetching_ahead_changes_nothing_whatever_it_is_given),
        WITH_MARKET(a_level_is_the_sum_of_its_orders),
        WITH_MARKET(the_queue_of_a_price_shows_its_orders_in_the_order_of_time),
        WITH_MARKET(an_attributed_add_is_an_add),
        WITH_MARKET(an_add_under_a_live_reference_is_counted_and_ignored),
        WITH_MARKET(a_reference_may_be_used_again_once_its_order_is_gone),
        WITH_MARKET(an_add_without_side_or_shares_is_malformed),
        WITH_MARKET(books_of_two_symbols_do_not_mix),
        WITH_MARKET(an_execution_takes_shares_and_keeps_the_order_in_its_place),
        WITH_MARKET(an_execution_down_to_zero_removes_the_order),
        WITH_MARKET(an_execution_at_another_price_takes_the_displayed_order),
        WITH_MARKET(a_non_printable_execution_counts_as_both),
        WITH_MARKET(a_cancel_is_no_execution),
        WITH_MARKET(a_cancel_of_all_shares_removes_the_order),
        WITH_MARKET(a_delete_removes_what_is_left),
        WITH_MARKET(a_reduction_beyond_the_order_takes_what_there_is_and_is_counted),
        WITH_MARKET(a_reduction_by_nothing_changes_nothing),
        WITH_MARKET(unknown_references_are_counted_by_type_and_have_no_effect),
        WITH_MARKET(a_replaced_order_goes_to_the_back_of_its_queue),
        WITH_MARKET(a_replace_keeps_side_and_symbol),
        WITH_MARKET(a_replace_may_keep_its_reference),
        WITH_MARKET(a_replace_under_a_live_reference_only_removes),
        WITH_MARKET(a_replace_by_no_shares_only_removes),
        WITH_MARKET(trades_and_crosses_leave_the_book_alone),
        WITH_MARKET(ticks_shorter_than_their_type_are_not_read),
        WITH_MARKET(the_touch_is_compared_with_the_last_one_kept_for_the_locate),
        WITH_MARKET(a_message_under_a_foreign_locate_changes_no_book),
        WITH_MARKET(behind_a_warm_up_touches_and_counters_begin_with_what_is_there),
        WITH_MARKET(locate_zero_is_no_symbol),
        WITH_MARKET(a_deep_book_is_right_from_the_touch_to_its_end),
        WITH_MARKET(the_directory_names_a_symbol),
        WITH_MARKET(an_order_names_a_symbol_that_the_directory_did_not),
        WITH_MARKET(trading_actions_halt_and_resume),
        WITH_MARKET(an_operational_halt_lasts_until_its_own_market_resumes),
        WITH_MARKET(an_operational_halt_of_another_market_halts_nothing_here),
        WITH_MARKET(an_operational_resume_alone_says_nothing),
        WITH_MARKET(the_same_sequence_again_gives_the_kept_outcome),
        cmocka_unit_test(a_full_order_table_is_an_error_that_names_itself),
        cmocka_unit_test(a_full_level_table_is_an_error_that_names_itself),
        cmocka_unit_test(a_replace_with_all_levels_used_goes_well_when_it_needs_none),
        cmocka_unit_test(the_memory_of_orders_and_levels_is_what_the_header_says),
        cmocka_unit_test(impossible_limits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
