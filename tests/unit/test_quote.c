/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "tests/strategy_bench.h"

#define MS UINT64_C(1000000)

static void start(strategy_bench_t *b, const bench_params_t *params)
{
    bench_open(b, BENCH_SLOTS, BENCH_SLOTS);
    bench_start(b, &strategy_quote, params);
}

static int setup(void **state)
{
    static strategy_bench_t b;
    bench_params_t params = bench_params_defaults();
    start(&b, &params);
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    bench_close(*state);
    return 0;
}

static void tick(strategy_bench_t *b, tick_t t)
{
    bench_tick(b, BENCH_LOCATE, t);
    bbo_t bbo;
    while (bench_bbo(b, &bbo))
        ;
}

/* Let event time pass, as a message that says nothing does. */
static void wait_ns(strategy_bench_t *b, uint64_t ns)
{
    b->event_ns += ns;
    tick(b, (tick_t){.type = 'L'});
}

/* 5000 x 100 / 5100 x 100, orders 1 and 2. */
static void make_touch(strategy_bench_t *b)
{
    tick(b, tick_add(BENCH_LOCATE, 1, 'B', 100, 5000));
    tick(b, tick_add(BENCH_LOCATE, 2, 'S', 100, 5100));
}

typedef struct quotes {
    order_t buy;
    order_t sell;
} quotes_t;

static quotes_t expect_quotes(strategy_bench_t *b, uint32_t bid, uint32_t ask)
{
    quotes_t q = {bench_expect_order(b, ORDER_NEW), bench_expect_order(b, ORDER_NEW)};
    assert_int_equal(q.buy.side, 'B');
    assert_int_equal(q.buy.px_e4, bid);
    assert_int_equal(q.sell.side, 'S');
    assert_int_equal(q.sell.px_e4, ask);
    bench_expect_no_order(b);
    return q;
}

/* Both sides quoted and accepted. */
static quotes_t make_quotes(strategy_bench_t *b)
{
    make_touch(b);
    quotes_t q = expect_quotes(b, 5000, 5100);
    bench_answer(b, &q.buy, REPORT_ACCEPTED, REASON_NONE);
    bench_answer(b, &q.sell, REPORT_ACCEPTED, REASON_NONE);
    return q;
}

static void both_sides_join_the_touch_once_there_are_two(void **state)
{
    strategy_bench_t *b = *state;
    tick(b, tick_add(BENCH_LOCATE, 1, 'B', 100, 5000));
    bench_expect_no_order(b);
    tick(b, tick_add(BENCH_LOCATE, 2, 'S', 100, 5100));
    quotes_t q = expect_quotes(b, 5000, 5100);
    assert_int_equal(q.buy.qty, 100);
    assert_int_equal(q.buy.tif, ORDER_TIF_DAY);
    assert_int_equal(q.buy.flags, ORDER_POST_ONLY);
    assert_int_equal(q.sell.flags, ORDER_POST_ONLY);
    assert_int_equal(order_locate(&q.buy), BENCH_LOCATE);
    tick(b, tick_add(BENCH_LOCATE, 3, 'B', 50, 5000)); /* same price: nothing to do */
    bench_expect_no_order(b);
}

static void a_quote_follows_its_price_by_cancelling_first(void **state)
{
    strategy_bench_t *b = *state;
    quotes_t q = make_quotes(b);
    b->event_ns += MS;
    tick(b, tick_add(BENCH_LOCATE, 3, 'B', 10, 5020));
    order_t cancel = bench_expect_order(b, ORDER_CANCEL);
    assert_int_equal(cancel.order_id, q.buy.order_id);
    bench_expect_no_order(b); /* the sell stays, and no new buy before the old one is gone */
    tick(b, tick_add(BENCH_LOCATE, 4, 'B', 10, 5030));
    bench_expect_no_order(b);
    bench_answer(b, &q.buy, REPORT_CANCELLED, REASON_USER_CANCEL);
    order_t next = bench_expect_order(b, ORDER_NEW);
    assert_int_equal(next.px_e4, 5030); /* the touch of now */
    bench_expect_no_order(b);
}

static void a_quote_filled_while_leaving_is_sent_anew(void **state)
{
    strategy_bench_t *b = *state;
    quotes_t q = make_quotes(b);
    b->event_ns += MS;
    tick(b, tick_add(BENCH_LOCATE, 3, 'B', 10, 5020));
    bench_expect_order(b, ORDER_CANCEL);
    bench_execute(b, &q.buy, 100, 5000, 0);
    assert_int_equal(bench_expect_order(b, ORDER_NEW).px_e4, 5020);
    /* comes too late to matter */
    bench_answer(b, &q.buy, REPORT_CANCEL_REJECTED, REASON_UNKNOWN_ORDER);
    bench_expect_no_order(b);
}

static void quotes_of_a_side_keep_their_distance_in_event_time(void **state)
{
    strategy_bench_t *b = *state;
    quotes_t q = make_quotes(b);
    b->event_ns += MS / 2;
    tick(b, tick_add(BENCH_LOCATE, 3, 'B', 10, 5020)); /* too early: the order stays where it is */
    bench_expect_no_order(b);
    wait_ns(b, MS / 2 - 1);
    bench_expect_no_order(b);
    wait_ns(b, 1); /* the timer */
    assert_int_equal(bench_expect_order(b, ORDER_CANCEL).order_id, q.buy.order_id);
    bench_answer(b, &q.buy, REPORT_CANCELLED, REASON_USER_CANCEL);
    order_t next = bench_expect_order(b, ORDER_NEW);
    bench_answer(b, &next, REPORT_ACCEPTED, REASON_NONE);
    bench_execute(b, &next, 100, 5020, 0); /* at once: the next waits likewise */
    bench_expect_no_order(b);
    wait_ns(b, MS);
    assert_int_equal(bench_expect_order(b, ORDER_NEW).px_e4, 5020);
}

static void a_price_that_comes_back_in_time_costs_nothing(void **state)
{
    strategy_bench_t *b = *state;
    make_quotes(b);
    b->event_ns += 10;
    tick(b, tick_add(BENCH_LOCATE, 3, 'B', 10, 5020));
    tick(b, tick_delete(BENCH_LOCATE, 3));
    wait_ns(b, 5 * MS);
    bench_expect_no_order(b);
}

static void a_quote_that_is_not_wanted_leaves_at_once(void **state)
{
    strategy_bench_t *b = *state;
    quotes_t q = make_quotes(b);
    tick(b, tick_delete(BENCH_LOCATE, 2)); /* no ask: no side has a price, and no time has passed */
    assert_int_equal(bench_expect_order(b, ORDER_CANCEL).order_id, q.buy.order_id);
    assert_int_equal(bench_expect_order(b, ORDER_CANCEL).order_id, q.sell.order_id);
    bench_expect_no_order(b);
}

static void locked_and_crossed_books_are_not_quoted(void **state)
{
    strategy_bench_t *b = *state;
    tick(b, tick_add(BENCH_LOCATE, 1, 'B', 100, 5100));
    tick(b, tick_add(BENCH_LOCATE, 2, 'S', 100, 5100));
    bench_expect_no_order(b);
    tick(b, tick_add(BENCH_LOCATE, 3, 'S', 100, 5000));
    bench_expect_no_order(b);
    tick(b, tick_delete(BENCH_LOCATE, 3));
    tick(b, tick_delete(BENCH_LOCATE, 2));
    tick(b, tick_add(BENCH_LOCATE, 4, 'S', 100, 5200));
    expect_quotes(b, 5100, 5200);
}

static void a_halt_takes_quotes_off_and_trading_puts_them_back(void **state)
{
    strategy_bench_t *b = *state;
    quotes_t q = make_quotes(b);
    tick_t action = {.type = 'H'};
    memcpy(action.body, "ACME    H", 9);
    tick(b, action);
    bench_expect_order(b, ORDER_CANCEL);
    bench_expect_order(b, ORDER_CANCEL);
    bench_answer(b, &q.buy, REPORT_CANCELLED, REASON_USER_CANCEL);
    bench_answer(b, &q.sell, REPORT_CANCELLED, REASON_USER_CANCEL);
    wait_ns(b, MS);
    bench_expect_no_order(b);
    action.body[8] = 'T';
    tick(b, action);
    expect_quotes(b, 5000, 5100);
}

static void the_position_limit_silences_the_side_that_would_break_it(void **state)
{
    (void)state;
    strategy_bench_t b;
    bench_params_t params = bench_params_defaults();
    params.quote.position_max = 250;
    params.quote.requote_ns_min = 0;
    start(&b, &params);
    make_touch(&b);
    quotes_t q = expect_quotes(&b, 5000, 5100);
    bench_execute(&b, &q.buy, 100, 5000, 0); /* 100 */
    order_t buy = bench_expect_order(&b, ORDER_NEW);
    bench_execute(&b, &buy, 60, 5000, 40); /* 160: the rest of it stays */
    bench_expect_no_order(&b);
    bench_execute(&b, &buy, 40, 5000, 0); /* 200: 300 would be too many */
    bench_expect_no_order(&b);
    tick(&b, tick_add(BENCH_LOCATE, 3, 'B', 10, 5010));
    bench_expect_no_order(&b);
    bench_execute(&b, &q.sell, 50, 5100, 50); /* 150: room for one more buy */
    buy = bench_expect_order(&b, ORDER_NEW);
    assert_int_equal(buy.side, 'B');
    assert_int_equal(buy.px_e4, 5010);
    bench_expect_no_order(&b);
    bench_expect_counter(&b, "position.ACME", 150);
    bench_close(&b);
}

static void a_short_position_is_limited_likewise(void **state)
{
    (void)state;
    strategy_bench_t b;
    bench_params_t params = bench_params_defaults();
    params.quote.position_max = 100;
    params.quote.requote_ns_min = 0;
    start(&b, &params);
    make_touch(&b);
    quotes_t q = expect_quotes(&b, 5000, 5100);
    bench_execute(&b, &q.sell, 100, 5100, 0);
    bench_expect_no_order(&b);
    bench_expect_counter(&b, "position.ACME", -100);
    bench_close(&b);
}

static void a_limit_below_the_size_of_a_quote_means_no_quotes(void **state)
{
    (void)state;
    strategy_bench_t b;
    bench_params_t params = bench_params_defaults();
    params.quote.position_max = 99;
    start(&b, &params);
    make_touch(&b);
    bench_expect_no_order(&b);
    bench_close(&b);
}

static void rejections_are_met_with_ever_longer_pauses(void **state)
{
    (void)state;
    strategy_bench_t b;
    bench_params_t params = bench_params_defaults();
    params.quote.requote_ns_min = 0; /* which must not make a storm */
    start(&b, &params);
    make_touch(&b);
    quotes_t q = expect_quotes(&b, 5000, 5100);
    bench_answer(&b, &q.sell, REPORT_ACCEPTED, REASON_NONE);
    order_t buy = q.buy;
    for (uint64_t pause = 2 * MS; pause <= 1024 * MS; pause *= 2) {
        bench_answer(&b, &buy, REPORT_REJECTED, REASON_PRICE_COLLAR);
        bench_expect_no_order(&b);
        wait_ns(&b, pause - 1);
        bench_expect_no_order(&b);
        wait_ns(&b, 1);
        buy = bench_expect_order(&b, ORDER_NEW);
        assert_int_equal(buy.side, 'B');
    }
    bench_answer(&b, &buy, REPORT_REJECTED, REASON_PRICE_COLLAR);
    wait_ns(&b, 1024 * MS); /* and not longer than that */
    buy = bench_expect_order(&b, ORDER_NEW);
    bench_answer(&b, &buy, REPORT_ACCEPTED, REASON_NONE); /* an accepted one ends it */
    bench_answer(&b, &buy, REPORT_CANCELLED, REASON_USER_CANCEL);
    bench_expect_order(&b, ORDER_NEW);
    bench_close(&b);
}

/* 100 bought at 5000; the other side is open. */
static quotes_t hold_100(strategy_bench_t *b)
{
    quotes_t q = make_quotes(b);
    bench_execute(b, &q.buy, 100, 5000, 0);
    wait_ns(b, MS);
    q.buy = bench_expect_order(b, ORDER_NEW);
    bench_expect_no_order(b);
    return q;
}

static void while_positions_may_only_be_closed_it_closes_and_rests_with_the_rest(void **state)
{
    strategy_bench_t *b = *state;
    quotes_t q = hold_100(b);
    bench_answer(b, &q.buy, REPORT_REJECTED, REASON_LOSS_LIMIT);
    bench_expect_no_order(b);
    /* The probes: after 1 ms, and twice as long each time, at most one under way. */
    unsigned probes = 0;
    for (unsigned ms = 0; ms < 1000; ms++) {
        order_t probe;
        wait_ns(b, MS);
        if (!bench_order(b, &probe))
            continue;
        assert_int_equal(probe.side, 'B');
        wait_ns(b, 10 * MS);
        bench_expect_no_order(b);
        bench_answer(b, &probe, REPORT_REJECTED, probes % 2 ? REASON_REDUCING : REASON_LOSS_LIMIT);
        probes++;
    }
    assert_in_range(probes, 5, 10);
    /* The side that closes goes on, for what is held. */
    bench_execute(b, &q.sell, 40, 5100, 60);
    bench_execute(b, &q.sell, 60, 5100, 0); /* flat: nothing to close */
    wait_ns(b, MS);
    bench_expect_no_order(b);
}

static void a_side_that_closes_asks_for_no_more_than_is_held(void **state)
{
    strategy_bench_t *b = *state;
    quotes_t q = hold_100(b);
    bench_answer(b, &q.sell, REPORT_CANCELLED, REASON_USER_CANCEL);
    order_t sell = bench_expect_order(b, ORDER_NEW);
    bench_answer(b, &q.buy, REPORT_REJECTED, REASON_REDUCING);
    bench_execute(b, &sell, 70, 5100, 30);
    bench_answer(b, &sell, REPORT_CANCELLED, REASON_USER_CANCEL);
    for (unsigned ms = 0; ms < 8; ms++) {
        order_t order;
        wait_ns(b, MS);
        if (!bench_order(b, &order))
            continue;
        if (order.side == 'S') {
            assert_int_equal(order.qty, 30);
            return;
        }
        bench_answer(b, &order, REPORT_REJECTED, REASON_REDUCING);
    }
    fail_msg("it did not close");
}

static void once_a_probe_passes_all_sides_are_quoted_again(void **state)
{
    strategy_bench_t *b = *state;
    make_touch(b);
    quotes_t q = expect_quotes(b, 5000, 5100);
    bench_answer(b, &q.buy, REPORT_REJECTED, REASON_KILL_SWITCH);
    bench_answer(b, &q.sell, REPORT_REJECTED, REASON_KILL_SWITCH);
    bench_expect_no_order(b);
    wait_ns(b, 4 * MS);
    order_t probe = bench_expect_order(b, ORDER_NEW);
    bench_expect_no_order(b); /* of both sides one */
    bench_answer(b, &probe, REPORT_ACCEPTED, REASON_NONE);
    wait_ns(b, 4 * MS);
    assert_int_not_equal(bench_expect_order(b, ORDER_NEW).side, probe.side);
}

static void a_cancel_that_is_refused_is_not_asked_again_at_once(void **state)
{
    strategy_bench_t *b = *state;
    quotes_t q = make_quotes(b);
    tick(b, tick_delete(BENCH_LOCATE, 2));
    bench_expect_order(b, ORDER_CANCEL);
    bench_expect_order(b, ORDER_CANCEL);
    bench_answer(b, &q.buy, REPORT_CANCEL_REJECTED, REASON_MALFORMED);
    bench_expect_no_order(b);
    tick(b, tick_add(BENCH_LOCATE, 3, 'B', 5, 5000)); /* the touch changes */
    assert_int_equal(bench_expect_order(b, ORDER_CANCEL).order_id, q.buy.order_id);
    bench_expect_no_order(b);
}

static void without_credit_a_quote_waits_for_the_next_change(void **state)
{
    (void)state;
    strategy_bench_t b;
    bench_params_t params = bench_params_defaults();
    params.open_orders_max = 1;
    start(&b, &params);
    make_touch(&b);
    order_t buy = bench_expect_order(&b, ORDER_NEW);
    bench_expect_no_order(&b);
    bench_answer(&b, &buy, REPORT_REJECTED, REASON_RATE);
    assert_int_equal(bench_expect_order(&b, ORDER_NEW).side, 'S'); /* whose turn it is */
    bench_close(&b);
}

/* ---- which symbols */

static void touch_at(strategy_bench_t *b, uint16_t locate, const char *name)
{
    tick_t bid = tick_add(BENCH_LOCATE, locate * 2u, 'B', 100, 5000);
    tick_t ask = tick_add(BENCH_LOCATE, locate * 2u + 1, 'S', 100, 5100);
    memcpy(bid.symbol, name, 8);
    memcpy(ask.symbol, name, 8);
    bench_tick(b, locate, bid);
    bench_tick(b, locate, ask);
}

static void the_first_symbols_with_two_sides_are_chosen(void **state)
{
    (void)state;
    strategy_bench_t b;
    bench_params_t params = bench_params_defaults();
    params.quote.symbols_auto = 2;
    start(&b, &params);
    bench_tick(&b, 1, tick_add(BENCH_LOCATE, 1000, 'B', 100, 5000)); /* one side does not count */
    touch_at(&b, 2, "TWO     ");
    expect_quotes(&b, 5000, 5100);
    touch_at(&b, 3, "THREE   ");
    expect_quotes(&b, 5000, 5100);
    touch_at(&b, 4, "FOUR    ");
    bench_tick(&b, 1, tick_add(BENCH_LOCATE, 1001, 'S', 100, 5100));
    bench_expect_no_order(&b);
    bench_close(&b);
}

static void named_symbols_are_quoted_and_no_others(void **state)
{
    (void)state;
    strategy_bench_t b;
    bench_params_t params = bench_params_defaults();
    params.quote.symbols_count = 2;
    strcpy(params.quote.symbols[0], "LONGNAME");
    strcpy(params.quote.symbols[1], "A");
    start(&b, &params);
    touch_at(&b, 1, "AA      ");
    touch_at(&b, 2, "LONGNAM ");
    bench_expect_no_order(&b);
    touch_at(&b, 3, "LONGNAME");
    quotes_t q = expect_quotes(&b, 5000, 5100);
    assert_int_equal(order_locate(&q.buy), 3);
    touch_at(&b, 4, "A       ");
    q = expect_quotes(&b, 5000, 5100);
    assert_int_equal(order_locate(&q.buy), 4);
    bench_close(&b);
}

/* ---- the end */

static void winding_down_cancels_every_quote(void **state)
{
    strategy_bench_t *b = *state;
    quotes_t q = make_quotes(b);
    b->event_ns += MS;
    tick(b, tick_add(BENCH_LOCATE, 3, 'B', 10, 5020)); /* the buy is leaving already */
    bench_expect_order(b, ORDER_CANCEL);
    b->stage->ops->wind_down(b->stage);
    assert_int_equal(bench_expect_order(b, ORDER_CANCEL).order_id, q.sell.order_id);
    bench_expect_no_order(b);
    bench_answer(b, &q.buy, REPORT_CANCELLED, REASON_USER_CANCEL);
    bench_answer(b, &q.sell, REPORT_CANCELLED, REASON_USER_CANCEL);
    wait_ns(b, 10 * MS);
    tick(b, tick_add(BENCH_LOCATE, 4, 'B', 10, 5030));
    bench_expect_no_order(b);
}

/* A walk of the touch, answered by a venue that fills every third quote: it must come out the same
 * twice. */
static uint64_t run_walk(uint64_t *out_orders)
{
    strategy_bench_t b;
    bench_params_t params = bench_params_defaults();
    start(&b, &params);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    uint64_t random = 12345;
    uint64_t resting[2] = {0, 0}; /* the reference of each side's only order */
    *out_orders = 0;
    for (uint64_t ref = 1; ref <= 3000; ref++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        unsigned side = (unsigned)(random >> 40) & 1;
        if (resting[side] != 0)
            tick(&b, tick_delete(BENCH_LOCATE, resting[side]));
        resting[side] = ref;
        b.event_ns += (random >> 45) % MS;
        tick(&b, tick_add(BENCH_LOCATE, ref, side ? 'S' : 'B', 10,
                          (side ? 5100 : 5000) + 10 * ((random >> 50) % 5)));
        order_t order;
        while (bench_order(&b, &order)) {
            ++*out_orders;
            order.sent = 0; /* the wall clock's */
            order.intended &= ~TICK_NS_MASK;
            for (size_t i = 0; i < sizeof order; i++)
                hash = (hash ^ ((const unsigned char *)&order)[i]) * UINT64_C(0x100000001b3);
            if (order.kind == ORDER_CANCEL) {
                bench_answer(&b, &order, REPORT_CANCELLED, REASON_USER_CANCEL);
                continue;
            }
            bench_answer(&b, &order, REPORT_ACCEPTED, REASON_NONE);
            if (order.order_id % 3 == 0)
                bench_execute(&b, &order, order.qty, order.px_e4, 0);
        }
    }
    bench_close(&b);
    return hash;
}

static void the_same_inputs_give_the_same_orders(void **state)
{
    (void)state;
    uint64_t orders_once;
    uint64_t orders_twice;
    uint64_t once = run_walk(&orders_once);
    uint64_t twice = run_walk(&orders_twice);
    assert_true(orders_once > 200);
    assert_int_equal(orders_once, orders_twice);
    assert_true(once == twice);
}

#define ON_BENCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void symbols_that_could_not_be_quoted_are_named_at_the_end(void **state)
{
    (void)state;
    strategy_bench_t b;
    bench_params_t params = bench_params_defaults();
    params.quote.symbols_count = 3;
    strcpy(params.quote.symbols[0], "ACME");
    strcpy(params.quote.symbols[1], "APPL");
    strcpy(params.quote.symbols[2], "ONESIDED");
    start(&b, &params);
    tick_t one_sided = tick_add(BENCH_LOCATE, 7, 'B', 100, 5000);
    memcpy(one_sided.symbol, "ONESIDED", 8);
    bench_tick(&b, BENCH_LOCATE + 1, one_sided);
    make_touch(&b);
    b.stage->ops->wind_down(b.stage);
    assert_int_equal(b.stage->error.code, 0);
    assert_string_equal(b.stage->error.text,
                        "strategy: symbols that never had a bid and an ask, and were not quoted: "
                        "APPL (never seen), ONESIDED");
    bench_close(&b);

    params.quote.symbols_count = 1;
    start(&b, &params);
    make_touch(&b);
    b.stage->ops->wind_down(b.stage);
    assert_string_equal(b.stage->error.text, "");
    bench_close(&b);
}

/* A place for each locate: more than all the rest of a small pipeline. */
static void its_own_memory_is_counted_with_its_stage(void **state)
{
    (void)state;
    const tbus_params_t *params = strategy_kind.params;
    _Alignas(8) unsigned char values[2][512];
    assert_true(params->bytes <= sizeof values[0]);
    for (unsigned i = 0; i < 2; i++) {
        tbus_params_defaults(params, values[i]);
        assert_int_equal(tbus_param_set(tbus_params_find(params, "name"), "name", values[i],
                                        i ? "quote" : "null", NULL),
                         0);
    }
    size_t without = strategy_kind.memory_bytes(values[0]);
    assert_true(without > 0);
    assert_int_equal(strategy_kind.memory_bytes(values[1]) - without, strategy_quote.self_bytes);
    assert_true(strategy_quote.self_bytes >= MARKET_LOCATES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BENCH(both_sides_join_the_touch_once_there_are_two),
        ON_BENCH(a_quote_follows_its_price_by_cancelling_first),
        ON_BENCH(a_quote_filled_while_leaving_is_sent_anew),
        ON_BENCH(quotes_of_a_side_keep_their_distance_in_event_time),
        ON_BENCH(a_price_that_comes_back_in_time_costs_nothing),
        ON_BENCH(a_quote_that_is_not_wanted_leaves_at_once),
        ON_BENCH(locked_and_crossed_books_are_not_quoted),
        ON_BENCH(a_halt_takes_quotes_off_and_trading_puts_them_back),
        cmocka_unit_test(symbols_that_could_not_be_quoted_are_named_at_the_end),
        cmocka_unit_test(the_position_limit_silences_the_side_that_would_break_it),
        cmocka_unit_test(a_short_position_is_limited_likewise),
        cmocka_unit_test(a_limit_below_the_size_of_a_quote_means_no_quotes),
        ON_BENCH(while_positions_may_only_be_closed_it_closes_and_rests_with_the_rest),
        ON_BENCH(a_side_that_closes_asks_for_no_more_than_is_held),
        ON_BENCH(once_a_probe_passes_all_sides_are_quoted_again),
        cmocka_unit_test(rejections_are_met_with_ever_longer_pauses),
        ON_BENCH(a_cancel_that_is_refused_is_not_asked_again_at_once),
        cmocka_unit_test(without_credit_a_quote_waits_for_the_next_change),
        cmocka_unit_test(the_first_symbols_with_two_sides_are_chosen),
        cmocka_unit_test(named_symbols_are_quoted_and_no_others),
        ON_BENCH(winding_down_cancels_every_quote),
        cmocka_unit_test(its_own_memory_is_counted_with_its_stage),
        cmocka_unit_test(the_same_inputs_give_the_same_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
