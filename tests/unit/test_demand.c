/* SPDX-License-Identifier: Apache-2.0 */
/* A view that builds books on demand beside one that builds all of them: whatever is asked, and
 * whenever, both say the same. */
#include "tests/unit/market_streams.h"

#include <tickbus/market/market.h>

#include "tests/support/odd_flow.h"
#include "tests/support/same_books.h"
#include "tests/support/ticks.h"

#define LOCATE TICKS_ACME
#define BID    1000000u
#define ASK    1000200u

typedef struct views {
    market_t *all;
    market_t *on_demand;
    market_event_t event_all;
    market_event_t event_on_demand;
    uint64_t built_events; /* of symbols with a book, and without */
    uint64_t piled_events;
} views_t;

static market_t *create(uint32_t levels_max)
{
    const market_limits_t limits = {.orders_max = 1u << 17, .levels_max = levels_max};
    market_t *m = NULL;
    tbus_error_t err = {0};
    if (market_create(&limits, &m, &err) != 0)
        fail_msg("%s", err.text);
    return m;
}

static views_t open_views(uint32_t levels_max)
{
    views_t v = {.all = create(levels_max), .on_demand = create(levels_max)};
    market_build_on_demand(v.on_demand);
    return v;
}

static void close_views(views_t *v)
{
    market_destroy(v->all);
    market_destroy(v->on_demand);
}

static int apply_to(market_t *m, const tick_t *tick, market_event_t *out_event)
{
    const market_event_t *event = NULL;
    int code = market_apply(m, market_seq(m) + 1, tick, sizeof *tick, &event);
    if (code == 0)
        *out_event = *event;
    return code;
}

/* What a tick did to orders, and what the touch is, is told of books that are built. */
static void same_events(views_t *v)
{
    market_event_t all = v->event_all, on_demand = v->event_on_demand;
    bool piled = all.bbo_checked && !on_demand.bbo_checked;
    v->piled_events += piled;
    v->built_events += on_demand.bbo_checked;
    if (piled)
        all = (market_event_t){.md_seq = all.md_seq,
                               .locate = all.locate,
                               .wire_locate = all.wire_locate,
                               .foreign = all.foreign};
    assert_memory_equal(&all, &on_demand, sizeof all);
}

static void same_stats(const views_t *v)
{
    market_stats_t all = *market_stats(v->all), on_demand = *market_stats(v->on_demand);
    all.live_levels = all.bbo_changes = on_demand.live_levels = on_demand.bbo_changes = 0;
    assert_memory_equal(&all, &on_demand, sizeof all);
}

static void apply(views_t *v, tick_t tick)
{
    assert_int_equal(apply_to(v->all, &tick, &v->event_all), 0);
    assert_int_equal(apply_to(v->on_demand, &tick, &v->event_on_demand), 0);
    same_events(v);
}

/* Everything that can be asked about a symbol, down to each order. */
static void ask_everything(const views_t *v, uint16_t wire_locate)
{
    uint16_t locate = market_number(v->all, wire_locate);
    assert_int_equal(market_number(v->on_demand, wire_locate), locate);
    assert_int_equal(market_symbol(v->on_demand, locate)->last_px_e4,
                     market_symbol(v->all, locate)->last_px_e4);
    same_stats(v);
    same_orders(v->all, v->on_demand, wire_locate);
}

/* The first question about a book is one of five; whichever it is, it builds the book. */
static void ask_one_thing(const views_t *v, uint16_t wire_locate, uint32_t what)
{
    uint16_t locate = market_number(v->all, wire_locate);
    market_touch_t one = market_touch(v->all, locate), other;
    uint32_t px_e4;
    uint64_t qty;
    switch (what % 5) {
    case 0:
        other = market_touch(v->on_demand, locate);
        assert_memory_equal(&one, &other, sizeof one);
        break;
    case 1:
        assert_int_equal(market_level(v->on_demand, locate, 'B', 0, &px_e4, &qty, NULL),
                         one.bid_qty != 0);
        break;
    case 2:
        assert_int_equal(market_qty_at(v->on_demand, locate, 'S', one.ask_px_e4), one.ask_qty);
        break;
    case 3:
        same_queue(v->all, v->on_demand, locate, 'B', one.bid_px_e4);
        break;
    default:
        assert_int_equal(market_build(v->on_demand, locate), 0);
    }
}

static void whatever_is_asked_the_answer_is_that_of_a_view_that_builds_all(void **state)
{
    (void)state;
    views_t v = open_views(4096);
    odd_flow_t flow = {.random = 20261129}, questions = {.random = 42};
    for (uint32_t i = 0; i < 200000; i++) {
        flow.lies = i / 20000 % 2 ? 100 : 5;
        apply(&v, odd_next(&flow));
        if (i == 1000) {
            market_end_warm_up(v.all);
            market_end_warm_up(v.on_demand);
        }
        uint16_t wire_locate = (uint16_t)odd_below(&questions, ODD_LOCATES);
        if (odd_below(&questions, 400) == 0)
            ask_one_thing(&v, wire_locate, odd_below(&questions, 5));
        if (odd_below(&questions, 400) == 0)
            ask_everything(&v, wire_locate);
    }
    same_books(v.all, v.on_demand);
    assert_true(market_day(v.all)->number > 50);
    assert_true(v.piled_events > 20000 && v.built_events > 20000);
    close_views(&v);
}

/* One stream: a symbol is asked for at a time drawn at random, at most two of them in 1,000
 * ticks. */
static void same_over(const stream_t *s)
{
    views_t v = open_views(1u << 16);
    odd_flow_t questions = {.random = 7};
    for (uint32_t i = 0; i < s->count; i++) {
        apply(&v, s->ticks[i]);
        if (odd_below(&questions, 500) == 0)
            ask_everything(&v, tick_locate(&s->ticks[odd_below(&questions, i + 1)]));
    }
    same_books(v.all, v.on_demand);
    print_message("%s: %u messages, %llu of books not built\n", s->name, s->count,
                  (unsigned long long)v.piled_events);
    close_views(&v);
}

static void over_recorded_streams_too(void **state)
{
    (void)state;
    if (!streams_recorded(50000, same_over))
        skip();
}

static void over_days_of_the_synthetic_market_too(void **state)
{
    (void)state;
    stream_synthetic("seed=3,symbols=100,messages=60000,days=2", 60000, same_over);
}

static void a_book_is_built_when_it_is_asked_for_and_once_a_day(void **state)
{
    (void)state;
    views_t v = open_views(64);
    tick_t day = tick_of('S', 0);
    day.body[0] = 'O';
    for (unsigned days = 0; days < 2; days++) {
        apply(&v, day);
        for (uint32_t i = 0; i < 5; i++) {
            apply(&v, tick_add(LOCATE, 1 + i, 'B', 100, BID - 100 * i));
            apply(&v, tick_add(1, 100 + i, 'S', 100, ASK + 100 * i));
        }
        assert_false(v.event_on_demand.bbo_checked);
        assert_int_equal(market_stats(v.on_demand)->live_levels, 2);
        assert_int_equal(market_build(v.on_demand, LOCATE), 0);
        assert_int_equal(market_stats(v.on_demand)->live_levels, 5 + 1);
        apply(&v, tick_execute(LOCATE, 1, 100));
        assert_true(v.event_on_demand.bbo_changed);
        assert_int_equal(v.event_on_demand.touch.bid_px_e4, BID - 100);
        apply(&v, tick_execute(1, 100, 100));
        assert_false(v.event_on_demand.bbo_checked);
    }
    ask_everything(&v, 1);
    close_views(&v);
}

static void whoever_needs_all_books_has_them_whatever_the_others_say(void **state)
{
    (void)state;
    views_t v = open_views(64);
    market_build_all(v.on_demand);
    market_build_on_demand(v.on_demand);
    apply(&v, tick_add(LOCATE, 1, 'B', 100, BID));
    assert_true(v.event_on_demand.bbo_changed);
    close_views(&v);

    /* Who comes when ticks were taken finds the books built, and they stay so. */
    v = open_views(64);
    apply(&v, tick_add(LOCATE, 1, 'B', 100, BID));
    assert_false(v.event_on_demand.bbo_checked);
    market_build_all(v.on_demand);
    apply(&v, tick_add(LOCATE, 2, 'S', 100, ASK));
    assert_true(v.event_on_demand.bbo_changed);
    assert_int_equal(v.piled_events, 1);
    ask_everything(&v, LOCATE);
    close_views(&v);
}

/* What a tick says of the day, of phases and of whether a symbol trades is not about its book. */
static void same_but_for_books(const market_t *all, const market_t *none, uint16_t wire_locate)
{
    assert_int_equal(market_seq(none), market_seq(all));
    assert_memory_equal(market_day(none), market_day(all), sizeof(market_day_t));
    assert_int_equal(market_is_open(none), market_is_open(all));
    uint16_t locate = market_number(all, wire_locate);
    assert_int_equal(market_number(none, wire_locate), locate);
    const market_symbol_t *one = market_symbol(all, locate), *other = market_symbol(none, locate);
    assert_memory_equal(one->name, other->name, sizeof one->name);
    assert_int_equal(one->known, other->known);
    assert_int_equal(one->trading, other->trading);
}

static void without_books_over(const stream_t *s)
{
    market_t *all = create(1u << 16), *none = create(1u << 16);
    market_event_t event;
    uint32_t of_orders = 0;
    market_build_none(none);
    for (uint32_t i = 0; i < s->count; i++) {
        assert_int_equal(apply_to(all, &s->ticks[i], &event), 0);
        assert_int_equal(apply_to(none, &s->ticks[i], &event), 0);
        of_orders += itch_is_of_an_order(s->ticks[i].type);
        assert_false(event.bbo_checked && itch_is_of_an_order(s->ticks[i].type));
        same_but_for_books(all, none, tick_locate(&s->ticks[i]));
    }
    assert_true(of_orders > s->count / 2);
    assert_int_equal(market_stats(none)->live_orders, 0);
    assert_int_equal(market_stats(none)->live_levels, 0);
    assert_int_equal(market_build(none, market_number(none, 1)), -TBUS_ENOTFOUND);
    market_destroy(all);
    market_destroy(none);
}

static void where_nobody_asks_no_order_is_kept_and_all_else_is_as_in_any_view(void **state)
{
    (void)state;
    stream_synthetic("seed=5,symbols=50,messages=60000,days=2", 60000, without_books_over);
}

static void whoever_needs_a_book_has_it_though_others_need_none(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 2; first++) {
        market_event_t event;
        tick_t tick = tick_add(LOCATE, 1, 'B', 100, BID);
        market_t *asked = create(64), *all = create(64);
        if (first == 0) {
            market_build_none(asked);
            market_build_none(all);
        }
        market_build_on_demand(asked);
        market_build_all(all);
        if (first == 1) {
            market_build_none(asked);
            market_build_none(all);
        }
        assert_int_equal(apply_to(asked, &tick, &event), 0);
        assert_int_equal(market_build(asked, market_number(asked, LOCATE)), 0);
        assert_int_equal(market_touch(asked, market_number(asked, LOCATE)).bid_qty, 100);
        assert_int_equal(apply_to(all, &tick, &event), 0);
        assert_true(event.bbo_changed);
        market_destroy(asked);
        market_destroy(all);
    }
}

/* Piles never take more levels than books would, so that no decision is made by a book that the
 * other view would not have had. */
static void a_book_finds_levels_as_long_as_a_view_that_builds_all_does(void **state)
{
    (void)state;
    odd_flow_t flow = {.random = 11};
    unsigned filled = 0;
    for (unsigned run = 0; run < 300; run++) {
        views_t v = open_views(3 + run % 10);
        tick_t tick;
        market_event_t event;
        while (tick = odd_next(&flow), apply_to(v.all, &tick, &v.event_all) == 0) {
            assert_int_equal(apply_to(v.on_demand, &tick, &v.event_on_demand), 0);
            same_events(&v);
            if (odd_below(&flow, 20) == 0)
                ask_one_thing(&v, (uint16_t)odd_below(&flow, ODD_LOCATES), odd_below(&flow, 5));
        }
        market_build_all(v.on_demand);
        assert_int_equal(market_build(v.on_demand, 0), 0);
        /* Now the same tick is one too many here as well. */
        assert_int_equal(apply_to(v.on_demand, &tick, &event), -TBUS_ELIMIT);
        assert_string_equal(market_limit_text(v.on_demand), market_limit_text(v.all));
        filled++;
        close_views(&v);
    }
    assert_int_equal(filled, 300);
}

static void a_book_without_levels_is_refused_and_so_is_every_tick_after_it(void **state)
{
    (void)state;
    market_t *m = create(2);
    market_event_t event;
    market_build_on_demand(m);
    for (uint32_t i = 0; i < 3; i++) {
        tick_t tick = tick_add(LOCATE, 1 + i, 'B', 100, BID - 100 * i);
        assert_int_equal(apply_to(m, &tick, &event), 0);
    }
    assert_int_equal(market_build(m, LOCATE), -TBUS_ELIMIT);
    assert_non_null(strstr(market_limit_text(m), "books.levels_max"));
    tick_t next = tick_add(LOCATE, 9, 'B', 100, BID);
    assert_int_equal(apply_to(m, &next, &event), -TBUS_ELIMIT);
    market_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_asked_the_answer_is_that_of_a_view_that_builds_all),
        cmocka_unit_test(over_recorded_streams_too),
        cmocka_unit_test(over_days_of_the_synthetic_market_too),
        cmocka_unit_test(a_book_is_built_when_it_is_asked_for_and_once_a_day),
        cmocka_unit_test(whoever_needs_all_books_has_them_whatever_the_others_say),
        cmocka_unit_test(where_nobody_asks_no_order_is_kept_and_all_else_is_as_in_any_view),
        cmocka_unit_test(whoever_needs_a_book_has_it_though_others_need_none),
        cmocka_unit_test(a_book_finds_levels_as_long_as_a_view_that_builds_all_does),
        cmocka_unit_test(a_book_without_levels_is_refused_and_so_is_every_tick_after_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
