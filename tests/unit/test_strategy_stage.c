/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "bus/market/drive.h"
#include "bus/msg/digest.h"
#include "tests/strategy_bench.h"

/* A strategy that does what the test says and keeps a log of what it was told: 't' tick, 'b' bbo,
 * 'r' report, 'T' timer, 'w' wind-down. */
typedef struct script {
    char log[256];
    strat_context_t *ctx;
    void (*on_tick)(strat_context_t *ctx);
    void (*on_report)(strat_context_t *ctx, const report_t *report);
    void (*on_wind_down)(strat_context_t *ctx);
    uint64_t timer_event_ns;
    market_touch_t touch;
    int destroyed;
} script_t;

static script_t script;

static void note(char what)
{
    size_t used = strlen(script.log);
    assert_true(used < sizeof script.log - 1);
    script.log[used] = what;
}

static int script_create(strat_context_t *ctx, const void *params, void **out_self,
                         tbus_error_t *err)
{
    if (((const quote_params_t *)params)->order_qty == 666)
        return tbus_fail(err, -TBUS_ECONFIG, "not with me");
    script.ctx = ctx;
    *out_self = &script;
    return 0;
}

static void script_on_tick(void *self, strat_context_t *ctx, const tick_t *tick, uint64_t md_seq)
{
    assert_ptr_equal(self, &script);
    assert_int_equal(market_seq(strat_market(ctx)), md_seq);
    assert_true(tick->type != 0);
    note('t');
    if (script.on_tick != NULL)
        script.on_tick(ctx);
}

static void script_on_bbo(void *self, strat_context_t *ctx, uint16_t locate,
                          const market_touch_t *touch)
{
    (void)self;
    market_touch_t now = market_touch(strat_market(ctx), locate);
    assert_memory_equal(&now, touch, sizeof now);
    script.touch = *touch;
    note('b');
}

static void script_on_report(void *self, strat_context_t *ctx, const report_t *report)
{
    (void)self;
    note('r');
    if (script.on_report != NULL)
        script.on_report(ctx, report);
}

static void script_on_timer(void *self, strat_context_t *ctx, uint64_t event_ns)
{
    (void)self;
    assert_int_equal(event_ns, strat_event_ns(ctx));
    script.timer_event_ns = event_ns;
    note('T');
}

static void script_on_wind_down(void *self, strat_context_t *ctx)
{
    (void)self;
    note('w');
    if (script.on_wind_down != NULL)
        script.on_wind_down(ctx);
}

static void script_destroy(void *self)
{
    assert_ptr_equal(self, &script);
    script.destroyed++;
}

static const strategy_t scripted = {
    .api = STRATEGY_API,
    .struct_bytes = sizeof(strategy_t),
    .name = "scripted",
    .create = script_create,
    .on_tick = script_on_tick,
    .on_bbo = script_on_bbo,
    .on_report = script_on_report,
    .on_timer = script_on_timer,
    .on_wind_down = script_on_wind_down,
    .destroy = script_destroy,
};

static void expect_log(const char *log)
{
    assert_string_equal(script.log, log);
    memset(script.log, 0, sizeof script.log);
}

static void start(strategy_bench_t *b, uint32_t orders_slots, uint32_t bbo_slots, uint32_t credit)
{
    bench_open(b, orders_slots, bbo_slots);
    bench_params_t params = bench_params_defaults();
    params.open_orders_max = credit;
    memset(&script, 0, sizeof script);
    bench_start(b, &scripted, &params);
}

static int setup(void **state)
{
    static strategy_bench_t b;
    start(&b, BENCH_SLOTS, BENCH_SLOTS, 4);
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    bench_close(*state);
    return 0;
}

/* A buy of 100 at 5000 on the symbol of the bench. */
static uint64_t buy(strat_context_t *ctx)
{
    return strat_send(ctx, BENCH_LOCATE, 'B', 100, 5000, ORDER_TIF_DAY);
}

/* ---- ticks and bbo */

static void bbo_is_published_when_the_touch_changes_and_only_then(void **state)
{
    strategy_bench_t *b = *state;
    bench_tick(b, BENCH_LOCATE, tick_add(BENCH_LOCATE, 1, 'B', 100, 5000));
    b->event_ns += 5;
    bench_tick(b, BENCH_LOCATE, tick_add(BENCH_LOCATE, 2, 'B', 100, 4900));
    bench_tick(b, BENCH_LOCATE, tick_add(BENCH_LOCATE, 3, 'S', 70, 5100));
    expect_log("tbttb");
    bbo_t bbo;
    assert_true(bench_bbo(b, &bbo));
    assert_int_equal(bbo.md_seq, 1);
    assert_int_equal(bbo_locate(&bbo), BENCH_LOCATE);
    assert_int_equal(bbo.event & TICK_NS_MASK, b->event_ns - 5);
    assert_int_equal(bbo.bid_px_e4, 5000);
    assert_int_equal(bbo.bid_qty, 100);
    assert_int_equal(bbo.ask_px_e4, 0);
    assert_int_equal(bbo.ask_qty, 0);
    assert_memory_equal(bbo.symbol, "ACME    ", 8);
    assert_true(bench_bbo(b, &bbo));
    assert_int_equal(bbo.md_seq, 3);
    assert_int_equal(bbo.ask_qty, 70);
    assert_false(bench_bbo(b, &bbo));
    assert_int_equal(script.touch.ask_px_e4, 5100);
}

static void publish_warm_up(strategy_bench_t *b, tick_t tick)
{
    tick.event = tick_pack(b->event_ns, 0);
    tick.intended = tick_pack(TICK_WARM_UP, BENCH_LOCATE);
    assert_int_equal(tbus_publish_try(&b->md, &tick, sizeof tick), TBUS_PUBLISHED);
    b->md_seq++;
}

/* Its time is later than that of what follows: market time begins behind it. */
static void what_warms_up_is_in_the_books_and_told_to_nobody(void **state)
{
    strategy_bench_t *b = *state;
    bbo_t bbo;
    uint64_t first_ns = b->event_ns;
    b->event_ns += UINT64_C(3600000000000);
    for (uint64_t ref = 1; ref <= 5; ref++)
        publish_warm_up(b, tick_add(BENCH_LOCATE, ref, 'B', 100, 5000));
    assert_int_equal(b->stage->ops->poll(b->stage, 3), 3);
    assert_int_equal(market_seq(b->market), 3);
    assert_int_equal(b->stage->ops->poll(b->stage, 3), 2);
    assert_int_equal(market_touch(b->market, BENCH_LOCATE).bid_qty, 500);
    expect_log("");
    assert_false(bench_bbo(b, &bbo));
    b->event_ns = first_ns;
    bench_tick(b, BENCH_LOCATE, tick_add(BENCH_LOCATE, 6, 'B', 100, 4900));
    expect_log("t"); /* the touch is as it was */
    assert_int_equal(strat_event_ns(script.ctx), first_ns);
    assert_int_equal(((const market_stage_t *)(const void *)b->stage)->now_ns, 1);
    bench_tick(b, BENCH_LOCATE, tick_add(BENCH_LOCATE, 7, 'S', 100, 5100));
    expect_log("tb");
    assert_true(bench_bbo(b, &bbo));
    assert_int_equal(bbo.md_seq, 7);
    assert_int_equal(bbo.bid_qty, 500);
}

static void a_poll_takes_no_more_ticks_than_its_budget(void **state)
{
    strategy_bench_t *b = *state;
    for (uint64_t ref = 1; ref <= 5; ref++)
        bench_publish(b, BENCH_LOCATE, tick_add(BENCH_LOCATE, ref, 'B', 100, 5000));
    assert_int_equal(b->stage->ops->poll(b->stage, 3), 3);
    assert_int_equal(market_seq(b->market), 3);
    assert_int_equal(b->stage->ops->poll(b->stage, 3), 2);
    assert_int_equal(b->stage->ops->poll(b->stage, 3), 0);
}

static void reports_are_taken_before_ticks(void **state)
{
    strategy_bench_t *b = *state;
    bench_tick(b, BENCH_LOCATE, tick_add(BENCH_LOCATE, 1, 'B', 100, 5000));
    assert_true(buy(script.ctx) != 0);
    order_t order = bench_expect_order(b, ORDER_NEW);
    expect_log("tb");
    bench_publish(b, BENCH_LOCATE, tick_add(BENCH_LOCATE, 2, 'B', 100, 5000));
    report_t accepted = bench_report(&order, REPORT_ACCEPTED, REASON_NONE);
    report_t cancelled = bench_report(&order, REPORT_CANCELLED, REASON_USER_CANCEL);
    bench_send_report(b, &accepted);
    bench_send_report(b, &cancelled);
    assert_int_equal(b->stage->ops->poll(b->stage, 1), 3);
    expect_log("rrtb");
}

static void a_timer_fires_once_when_event_time_reaches_it(void **state)
{
    strategy_bench_t *b = *state;
    uint64_t due = b->event_ns + 1000;
    strat_timer_at(script.ctx, due);
    b->event_ns += 999;
    bench_tick(b, BENCH_LOCATE, (tick_t){.type = 'S'});
    b->event_ns += 2;
    bench_tick(b, BENCH_LOCATE, tick_add(BENCH_LOCATE, 1, 'B', 1, 5000));
    bench_tick(b, BENCH_LOCATE, (tick_t){.type = 'S'});
    expect_log("ttbTt");
    assert_int_equal(script.timer_event_ns, due + 1);
    strat_timer_at(script.ctx, due + 5);
    strat_timer_at(script.ctx, 0);
    b->event_ns += 1000;
    bench_tick(b, BENCH_LOCATE, (tick_t){.type = 'S'});
    expect_log("t");
}

static void a_message_without_a_time_does_not_turn_the_clock_back(void **state)
{
    strategy_bench_t *b = *state;
    bench_tick(b, BENCH_LOCATE, (tick_t){.type = 'S'});
    uint64_t now = b->event_ns;
    b->event_ns = 0;
    bench_tick(b, 0, (tick_t){.type = TICK_RUNT});
    assert_int_equal(strat_event_ns(script.ctx), now);
}

static void a_full_book_table_fails_the_stage_with_the_key_to_raise(void **state)
{
    strategy_bench_t *b = *state;
    for (uint64_t ref = 1; ref <= 62; ref++) {
        bench_tick(b, BENCH_LOCATE, tick_add(BENCH_LOCATE, ref, 'B', 100, 5000));
        bbo_t bbo;
        assert_true(bench_bbo(b, &bbo));
    }
    for (uint64_t ref = 63; ref <= 65; ref++)
        bench_publish(b, BENCH_LOCATE, tick_add(BENCH_LOCATE, ref, 'B', 100, 5000));
    assert_int_equal(b->stage->ops->poll(b->stage, 64), -TBUS_ELIMIT);
    bench_expect_counter(b, "books.live_orders", 64);
    assert_int_equal(b->stage->error.code, -TBUS_ELIMIT);
    assert_non_null(strstr(b->stage->error.text, "books.orders_max"));
    assert_non_null(strstr(b->stage->error.text, "65"));
}

/* ---- orders */

static void send_one(strat_context_t *ctx)
{
    assert_true(buy(ctx) != 0);
}

static void an_order_names_what_its_strategy_had_seen(void **state)
{
    strategy_bench_t *b = *state;
    bench_tick(b, 9, tick_add(BENCH_LOCATE, 1, 'B', 100, 4000));
    script.on_tick = send_one;
    uint64_t before_ns = tbus_bus_now_ns(&b->bus);
    bench_tick(b, 9, tick_add(BENCH_LOCATE, 2, 'S', 100, 6000));
    order_t order = bench_expect_order(b, ORDER_NEW);
    assert_int_equal(order_strategy(&order), 1);
    assert_int_equal(order.md_seq, 2);
    assert_int_equal(order.report_seq, 0);
    assert_int_equal(order_locate(&order), BENCH_LOCATE); /* its own, not the tick's */
    assert_true(order.intended >= before_ns);
    assert_true(order.sent >= order.intended);
    assert_int_equal(order.side, 'B');
    assert_int_equal(order.qty, 100);
    assert_int_equal(order.px_e4, 5000);
    assert_int_equal(order.tif, ORDER_TIF_DAY);
    bench_answer(b, &order, REPORT_ACCEPTED, REASON_NONE);
    bench_tick(b, 9, (tick_t){.type = 'S'});
    order_t next = bench_expect_order(b, ORDER_NEW);
    assert_int_equal(next.report_seq, 1);
    assert_int_equal(next.md_seq, 3);
    assert_true(next.order_id > order.order_id);
    assert_int_equal(tbus_load_relaxed_u64(&tbus_bus_histogram(&b->bus, "tick_to_order")->count),
                     2);
    bench_expect_counter(b, "orders.sent", 2);
    bench_expect_counter(b, "orders.cancels_sent", 0);
}

static uint64_t regretted;

static void buy_three_and_regret_the_first(strat_context_t *ctx)
{
    regretted = buy(ctx);
    assert_true(buy(ctx) != 0 && buy(ctx) != 0);
    assert_true(strat_cancel(ctx, BENCH_LOCATE, regretted));
}

static void what_a_callback_sends_goes_out_together_in_its_order(void **state)
{
    strategy_bench_t *b = *state;
    script.on_tick = buy_three_and_regret_the_first;
    bench_tick(b, BENCH_LOCATE, (tick_t){.type = 'S'});
    order_t first = bench_expect_order(b, ORDER_NEW);
    order_t second = bench_expect_order(b, ORDER_NEW);
    order_t third = bench_expect_order(b, ORDER_NEW);
    order_t cancel = bench_expect_order(b, ORDER_CANCEL);
    bench_expect_no_order(b);
    assert_int_equal(first.order_id, regretted);
    assert_int_equal(cancel.order_id, regretted);
    assert_true(first.order_id < second.order_id && second.order_id < third.order_id);
    assert_int_equal(second.sent, first.sent);
    assert_int_equal(third.sent, first.sent);
    assert_int_equal(cancel.sent, first.sent);
    bench_expect_counter(b, "orders.sent", 3);
    bench_expect_counter(b, "orders.cancels_sent", 1);
}

static void sell_eighteen(strat_context_t *ctx)
{
    for (unsigned i = 0; i < 18; i++)
        assert_true(strat_send(ctx, BENCH_LOCATE, 'S', 1 + i, 6000, ORDER_TIF_DAY) != 0);
}

static void more_than_go_out_together_go_out_in_their_order(void **state)
{
    (void)state;
    strategy_bench_t b;
    start(&b, 16, BENCH_SLOTS, 64); /* the last two find no room */
    script.on_tick = sell_eighteen;
    bench_tick(&b, BENCH_LOCATE, (tick_t){.type = 'S'});
    assert_true(b.stage->pending);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(bench_expect_order(&b, ORDER_NEW).qty, 1 + i);
    assert_int_equal(bench_settle(&b), 0);
    for (unsigned i = 16; i < 18; i++)
        assert_int_equal(bench_expect_order(&b, ORDER_NEW).qty, 1 + i);
    bench_expect_no_order(&b);
    bench_expect_counter(&b, "orders.sent", 18);
    bench_close(&b);
}

static uint64_t to_replace;

static void replace_it(strat_context_t *ctx)
{
    strat_order_t wanted = {
        .locate = BENCH_LOCATE, .side = 'B', .tif = ORDER_TIF_DAY, .qty = 100, .px_e4 = 4900};
    script.on_tick = NULL;
    assert_true(strat_replace(ctx, to_replace, &wanted) != 0);
}

static void send_after_replace(strat_context_t *ctx, const report_t *report)
{
    if (report->kind == REPORT_CANCELLED)
        assert_true(buy(ctx) != 0);
}

static void what_follows_a_replaced_order_answers_what_the_replace_answered(void **state)
{
    strategy_bench_t *b = *state;
    script.on_tick = send_one;
    bench_tick(b, 9, (tick_t){.type = 'S'});
    order_t first = bench_expect_order(b, ORDER_NEW);
    script.on_tick = NULL;
    bench_answer(b, &first, REPORT_ACCEPTED, REASON_NONE);
    bench_tick(b, 9, (tick_t){.type = 'S'});
    to_replace = first.order_id;
    script.on_tick = replace_it;
    bench_tick(b, 9, (tick_t){.type = 'S'});
    order_t replace = bench_expect_order(b, ORDER_REPLACE);
    assert_int_equal(replace.md_seq, 3);
    script.on_report = send_after_replace;
    report_t gone = bench_report(&first, REPORT_CANCELLED, REASON_REPLACED);
    gone.flags = REPORT_MORE;
    bench_send_report(b, &gone);
    assert_int_equal(bench_settle(b), 0);
    order_t next = bench_expect_order(b, ORDER_NEW);
    assert_int_equal(next.md_seq, 3);
    assert_int_equal(next.intended, replace.intended);
    assert_true(next.flags & ORDER_AGAIN);
}

static void send_after_execution(strat_context_t *ctx, const report_t *report)
{
    if (report->kind == REPORT_PARTIAL)
        assert_true(buy(ctx) != 0);
}

/* The next order, which follows an execution that the venue made of the tick `md_seq`. */
static order_t order_after_execution(strategy_bench_t *b, const order_t *executed, uint64_t md_seq)
{
    report_t report = bench_report(executed, REPORT_PARTIAL, REASON_NONE);
    report.md_seq = md_seq;
    report.exec_id = ++b->exec_id;
    report.qty = 10;
    report.leaves = 90 - 10 * (uint32_t)b->exec_id;
    bench_send_report(b, &report);
    assert_int_equal(bench_settle(b), 0);
    order_t order = bench_expect_order(b, ORDER_NEW);
    bench_answer(b, &order, REPORT_REJECTED, REASON_KILL_SWITCH); /* its credit comes back */
    return order;
}

static void what_follows_an_execution_is_timed_from_the_tick_that_made_it(void **state)
{
    strategy_bench_t *b = *state;
    script.on_tick = send_one;
    bench_tick(b, 9, (tick_t){.type = 'S'});
    order_t first = bench_expect_order(b, ORDER_NEW);
    bench_answer(b, &first, REPORT_ACCEPTED, REASON_NONE);
    bench_tick(b, 9, (tick_t){.type = 'S'});
    order_t second = bench_expect_order(b, ORDER_NEW);
    assert_true(second.intended > first.intended);
    script.on_tick = NULL;
    script.on_report = send_after_execution;
    const tbus_histogram_t *timed = tbus_bus_histogram(&b->bus, "tick_to_order");
    assert_int_equal(order_after_execution(b, &first, 2).intended, second.intended);
    assert_int_equal(order_after_execution(b, &first, 1).intended, first.intended);
    assert_int_equal(tbus_load_relaxed_u64(&timed->count), 4);
    /* Not seen here yet, or never named: answered, and not timed. */
    assert_int_equal(order_after_execution(b, &first, 3).intended, 0);
    assert_int_equal(order_after_execution(b, &first, 0).intended, 0);
    assert_int_equal(tbus_load_relaxed_u64(&timed->count), 4);
    bench_expect_counter(b, "orders.sent", 6);
}

static void no_more_orders_are_open_than_the_credit_allows(void **state)
{
    strategy_bench_t *b = *state;
    bench_tick(b, BENCH_LOCATE, (tick_t){.type = 'S'});
    for (int i = 0; i < 4; i++)
        assert_true(buy(script.ctx) != 0);
    assert_int_equal(buy(script.ctx), 0);
    order_t orders[4];
    for (int i = 0; i < 4; i++)
        orders[i] = bench_expect_order(b, ORDER_NEW);
    bench_expect_no_order(b);
    bench_answer(b, &orders[0], REPORT_ACCEPTED, REASON_NONE);
    assert_int_equal(buy(script.ctx), 0);
    bench_execute(b, &orders[0], 60, 5000, 40);
    assert_int_equal(buy(script.ctx), 0);
    bench_execute(b, &orders[0], 40, 5000, 0);
    assert_true(buy(script.ctx) != 0);
    assert_int_equal(buy(script.ctx), 0);
    bench_answer(b, &orders[1], REPORT_REJECTED, REASON_RATE);
    assert_true(buy(script.ctx) != 0);
    bench_answer(b, &orders[2], REPORT_CANCELLED, REASON_USER_CANCEL);
    assert_true(buy(script.ctx) != 0);
    assert_int_equal(buy(script.ctx), 0);
    bench_expect_counter(b, "orders.accepted", 1);
    bench_expect_counter(b, "orders.partial", 1);
    bench_expect_counter(b, "orders.filled", 1);
    bench_expect_counter(b, "orders.rejected", 1);
    bench_expect_counter(b, "orders.cancelled", 1);
    bench_expect_counter(b, "orders.sent", 7);
}

static void ids_increase_past_orders_that_stay(void **state)
{
    strategy_bench_t *b = *state;
    bench_tick(b, BENCH_LOCATE, (tick_t){.type = 'S'});
    uint64_t resting = buy(script.ctx);
    order_t order = bench_expect_order(b, ORDER_NEW);
    assert_int_equal(resting, ORDER_ID(1, 1));
    uint64_t last = resting;
    for (int i = 0; i < 1000; i++) {
        uint64_t id = buy(script.ctx);
        assert_true(id > last);
        last = id;
        order = bench_expect_order(b, ORDER_NEW);
        assert_int_equal(order.order_id, id);
        bench_answer(b, &order, REPORT_REJECTED, REASON_RATE);
        script.log[0] = 0;
    }
    assert_true(strat_cancel(script.ctx, BENCH_LOCATE, resting));
    assert_int_equal(bench_expect_order(b, ORDER_CANCEL).order_id, resting);
    bench_expect_counter(b, "orders.report_mismatches", 0);
}

static void only_a_live_order_of_ours_is_cancelled_and_once(void **state)
{
    strategy_bench_t *b = *state;
    bench_tick(b, BENCH_LOCATE, (tick_t){.type = 'S'});
    assert_false(strat_cancel(script.ctx, BENCH_LOCATE, ORDER_ID(1, 1)));
    assert_false(strat_cancel(script.ctx, BENCH_LOCATE, 0));
    uint64_t id = buy(script.ctx);
    assert_false(strat_cancel(script.ctx, BENCH_LOCATE, ORDER_ID(2, 1)));
    assert_false(strat_cancel(script.ctx, BENCH_LOCATE + 1, id));
    assert_true(strat_cancel(script.ctx, BENCH_LOCATE, id));
    assert_false(strat_cancel(script.ctx, BENCH_LOCATE, id));
    bench_expect_order(b, ORDER_NEW);
    order_t cancel = bench_expect_order(b, ORDER_CANCEL);
    bench_expect_no_order(b);
    assert_int_equal(cancel.order_id, id);
    assert_int_equal(cancel.px_e4, 0);
    assert_int_equal(cancel.qty, 0);
    assert_int_equal(order_locate(&cancel), BENCH_LOCATE);
    bench_answer(b, &cancel, REPORT_CANCEL_REJECTED, REASON_MALFORMED);
    assert_true(strat_cancel(script.ctx, BENCH_LOCATE, id));
    bench_answer(b, &cancel, REPORT_CANCELLED, REASON_USER_CANCEL);
    assert_false(strat_cancel(script.ctx, BENCH_LOCATE, id));
    bench_answer(b, &cancel, REPORT_CANCEL_REJECTED, REASON_UNKNOWN_ORDER); /* of the second one */
    bench_expect_counter(b, "orders.cancels_sent", 2);
    bench_expect_counter(b, "orders.cancels_rejected", 2);
    bench_expect_counter(b, "orders.report_mismatches", 0);
}

static void expect_replace(strategy_bench_t *b, uint64_t old, uint64_t id, uint32_t total)
{
    order_t order = bench_expect_order(b, ORDER_REPLACE);
    assert_int_equal(order.order_id, id);
    assert_int_equal(order_replaces(&order), old);
    assert_int_equal(order.qty, total);
}

/* The total of a replace has in it what was executed by then, of the whole chain. */
static void a_replace_asks_for_what_is_to_be_open_beside_what_was_executed(void **state)
{
    strategy_bench_t *b = *state;
    strat_order_t wanted = {.locate = BENCH_LOCATE, .side = 'B', .qty = 50, .px_e4 = 4900};
    bench_tick(b, BENCH_LOCATE, (tick_t){.type = 'S'});
    uint64_t first = buy(script.ctx);
    order_t order = bench_expect_order(b, ORDER_NEW);
    bench_answer(b, &order, REPORT_ACCEPTED, REASON_NONE);
    bench_execute(b, &order, 30, 5000, 70);
    uint64_t second = strat_replace(script.ctx, first, &wanted);
    expect_replace(b, first, second, 80);
    bench_execute(b, &order, 10, 5000, 60); /* it crossed the replace on the way */
    uint64_t third = strat_replace(script.ctx, second, &wanted);
    expect_replace(b, second, third, 90);
    bench_answer(b, &order, REPORT_CANCELLED, REASON_REPLACED);
    wanted.qty = UINT32_MAX - 39;
    assert_int_equal(strat_replace(script.ctx, third, &wanted), 0); /* no total */
    wanted.qty = 0;
    wanted.flags = ORDER_POST_ONLY;
    uint64_t fourth = strat_replace(script.ctx, third, &wanted);
    expect_replace(b, third, fourth, 0); /* risk says what it thinks of that */
    bench_expect_counter(b, "orders.report_mismatches", 0);
}

static void a_broken_execution_is_taken_off_the_position_when_its_order_is_long_gone(void **state)
{
    strategy_bench_t *b = *state;
    bench_tick(b, BENCH_LOCATE, (tick_t){.type = 'S'});
    (void)buy(script.ctx);
    order_t order = bench_expect_order(b, ORDER_NEW);
    bench_answer(b, &order, REPORT_ACCEPTED, REASON_NONE);
    bench_execute(b, &order, 40, 5000, 60);
    bench_execute(b, &order, 60, 5000, 0);
    assert_int_equal(strat_position(script.ctx, BENCH_LOCATE)->qty, 100);
    report_t broken = bench_report(&order, REPORT_BROKEN, REASON_NONE);
    broken.exec_id = 1;
    broken.qty = 40;
    bench_send_report(b, &broken);
    assert_int_equal(bench_settle(b), 0);
    assert_int_equal(strat_position(script.ctx, BENCH_LOCATE)->qty, 60);
    assert_int_equal(strat_position(script.ctx, BENCH_LOCATE)->bought, 60);
    bench_expect_counter(b, "orders.broken", 1);
    bench_expect_counter(b, "orders.report_mismatches", 0);
}

static void the_digests_are_those_of_the_messages_on_the_rings(void **state)
{
    strategy_bench_t *b = *state;
    digest_t orders = 0, touches = 0;
    bench_expect_counter(b, "digest.orders", 0);
    bench_expect_counter(b, "digest.bbo", 0);
    for (uint64_t i = 1; i <= 3; i++) {
        bbo_t bbo;
        bench_tick(b, BENCH_LOCATE, tick_add(BENCH_LOCATE, i, 'B', 100, 5000));
        assert_true(buy(script.ctx) != 0);
        order_t order = bench_expect_order(b, ORDER_NEW);
        digest_order(&orders, &order);
        bench_expect_counter(b, "digest.orders", (int64_t)orders);
        assert_true(bench_bbo(b, &bbo));
        digest_bbo(&touches, &bbo);
        bench_expect_counter(b, "digest.bbo", (int64_t)touches);
    }
}

/* Of four changes of the touch: bbo can be read from the one with number `from` on. */
static int64_t digest_of_touches_read_from(uint64_t from)
{
    strategy_bench_t b;
    start(&b, BENCH_SLOTS, BENCH_SLOTS, 4);
    tbus_topic_t *topic = &b.bus.directory->topics[tbus_bus_topic_index(&b.bus, "bbo")];
    tbus_store_relaxed_u32(&topic->left_out, from > 1);
    for (uint64_t i = 1; i <= 4; i++) {
        bbo_t bbo;
        if (i == from)
            tbus_store_relaxed_u32(&topic->left_out, 0);
        bench_tick(&b, BENCH_LOCATE, tick_add(BENCH_LOCATE, i, 'B', 100, 5000));
        assert_int_equal(bench_bbo(&b, &bbo), i >= from);
        if (i >= from)
            assert_int_equal(bbo.md_seq, i);
    }
    int64_t digest = (int64_t)tbus_counter_value(&b.bus, "digest.bbo");
    bench_expect_counter(&b, "books.bbo_changes", 4);
    bench_close(&b);
    return digest;
}

static void bbo_is_left_out_until_somebody_can_read_it_and_has_the_same_digest(void **state)
{
    (void)state;
    int64_t published = digest_of_touches_read_from(1);
    assert_true(published != 0);
    assert_true(digest_of_touches_read_from(3) == published);
    assert_true(digest_of_touches_read_from(5) == published);
}

static void bbo_that_is_left_out_needs_no_room(void **state)
{
    (void)state;
    strategy_bench_t b;
    start(&b, BENCH_SLOTS, 16, 4);
    tbus_topic_t *topic = &b.bus.directory->topics[tbus_bus_topic_index(&b.bus, "bbo")];
    tbus_store_relaxed_u32(&topic->left_out, 1);
    for (uint64_t ref = 1; ref <= 40; ref++)
        bench_publish(&b, BENCH_LOCATE, tick_add(BENCH_LOCATE, ref, 'B', 1, 5000));
    assert_int_equal(bench_settle(&b), 0);
    assert_false(b.stage->pending);
    assert_int_equal(market_seq(b.market), 40);
    bench_close(&b);
}

/* ---- full rings */

static void buy_twice_and_regret(strat_context_t *ctx)
{
    for (int i = 0; i < 2; i++) {
        uint64_t id = buy(ctx);
        assert_true(id != 0);
        assert_true(strat_cancel(ctx, BENCH_LOCATE, id));
    }
}

static void what_finds_no_room_is_kept_in_order_and_stops_ticks_but_not_reports(void **state)
{
    (void)state;
    strategy_bench_t b;
    start(&b, 16, BENCH_SLOTS, 64);
    bench_tick(&b, BENCH_LOCATE, (tick_t){.type = 'S'});
    for (int i = 0; i < 14; i++)
        assert_true(buy(script.ctx) != 0); /* 14 of 16 slots */
    expect_log("t");
    script.on_tick = buy_twice_and_regret;
    bench_publish(&b, BENCH_LOCATE, (tick_t){.type = 'S'});
    bench_publish(&b, BENCH_LOCATE, (tick_t){.type = 'S'});
    assert_int_equal(bench_settle(&b), 0);
    expect_log("t"); /* the first of them only */
    assert_true(b.stage->pending);
    bench_expect_counter(&b, "orders.sent", 15);
    bench_expect_counter(&b, "orders.cancels_sent", 1);

    report_t foreign = {.order_id = ORDER_ID(9, 1), .kind = REPORT_ACCEPTED};
    for (int i = 0; i < 40; i++)
        bench_send_report(&b, &foreign);
    assert_int_equal(bench_settle(&b), 0);
    size_t bytes;
    assert_null(tbus_peek((tbus_subscriber_t *)b.stage->subscribers[1], &bytes)); /* all taken */
    assert_true(b.stage->pending);

    for (uint64_t count = 1; count <= 15; count++)
        assert_int_equal(bench_expect_order(&b, ORDER_NEW).order_id, ORDER_ID(1, count));
    assert_int_equal(bench_expect_order(&b, ORDER_CANCEL).order_id, ORDER_ID(1, 15));
    bench_expect_no_order(&b);
    script.on_tick = NULL;
    assert_int_equal(buy(script.ctx), ORDER_ID(1, 17));  /* there is room now, but others wait */
    assert_int_equal(b.stage->ops->poll(b.stage, 0), 3); /* what went out is work done */
    bench_expect_counter(&b, "orders.sent", 17);
    bench_expect_counter(&b, "orders.cancels_sent", 2);
    assert_int_equal(bench_settle(&b), 0);
    expect_log("t");
    assert_false(b.stage->pending);
    assert_int_equal(bench_expect_order(&b, ORDER_NEW).order_id, ORDER_ID(1, 16));
    order_t order = bench_expect_order(&b, ORDER_CANCEL);
    assert_int_equal(order.order_id, ORDER_ID(1, 16));
    assert_int_equal(order.md_seq, 2); /* what it was caused by, not when it went out */
    assert_int_equal(bench_expect_order(&b, ORDER_NEW).order_id, ORDER_ID(1, 17));
    bench_expect_no_order(&b);
    bench_close(&b);
}

static void answer_by_one(strat_context_t *ctx, const report_t *report)
{
    if (report->kind != REPORT_CANCELLED)
        return;
    uint64_t id = buy(ctx);
    assert_true(id != 0);
    assert_true(strat_cancel(ctx, BENCH_LOCATE, id));
}

/* The worst that reports alone can cause while nothing goes out: every credit's cancel, new order
 * and its cancel. */
static void the_outbox_holds_the_worst_case(void **state)
{
    (void)state;
    enum { CREDIT = 64 };
    strategy_bench_t b;
    start(&b, 16, BENCH_SLOTS, CREDIT);
    bench_tick(&b, BENCH_LOCATE, (tick_t){.type = 'S'});
    order_t orders[CREDIT];
    for (int i = 0; i < CREDIT; i++) {
        assert_true(buy(script.ctx) != 0);
        orders[i] = bench_expect_order(&b, ORDER_NEW);
    }
    /* Fill the ring with somebody else's orders. */
    tbus_publisher_t other;
    assert_int_equal(tbus_publisher_join(tbus_bus_ring(&b.bus, "orders"), 3, &other, NULL), 0);
    for (int i = 0; i < 16; i++)
        assert_int_equal(tbus_publish_try(&other, &orders[0], sizeof orders[0]), TBUS_PUBLISHED);
    for (int i = 0; i < CREDIT; i++)
        assert_true(strat_cancel(script.ctx, BENCH_LOCATE, orders[i].order_id));
    script.on_report = answer_by_one;
    for (int i = 0; i < CREDIT; i++) {
        bench_answer(&b, &orders[i], REPORT_CANCELLED, REASON_KILL_SWITCH);
        script.log[0] = 0;
    }
    assert_int_equal(buy(script.ctx), 0);
    for (int i = 0; i < 16; i++)
        bench_expect_order(&b, ORDER_NEW);
    for (int i = 0; i < CREDIT; i++) {
        assert_int_equal(bench_settle(&b), 0);
        assert_int_equal(bench_expect_order(&b, ORDER_CANCEL).order_id, orders[i].order_id);
    }
    for (int i = 0; i < CREDIT; i++) {
        assert_int_equal(bench_settle(&b), 0);
        uint64_t id = bench_expect_order(&b, ORDER_NEW).order_id;
        assert_int_equal(bench_settle(&b), 0);
        assert_int_equal(bench_expect_order(&b, ORDER_CANCEL).order_id, id);
    }
    assert_int_equal(bench_settle(&b), 0);
    assert_false(b.stage->pending);
    bench_expect_no_order(&b);
    bench_close(&b);
}

static void a_full_bbo_ring_holds_ticks_back_and_loses_nothing(void **state)
{
    (void)state;
    strategy_bench_t b;
    start(&b, BENCH_SLOTS, 16, 4);
    for (uint64_t ref = 1; ref <= 40; ref++)
        bench_publish(&b, BENCH_LOCATE, tick_add(BENCH_LOCATE, ref, 'B', 1, 5000));
    assert_int_equal(bench_settle(&b), 0);
    assert_true(b.stage->pending);
    assert_int_equal(market_seq(b.market), 17); /* 16 fit, one is kept */
    uint64_t seq = 0;
    bbo_t bbo;
    while (seq < 40) {
        while (bench_bbo(&b, &bbo)) {
            assert_int_equal(bbo.md_seq, ++seq);
            assert_int_equal(bbo.bid_qty, seq);
        }
        tbus_subscriber_flush(&b.bbo);
        if (b.stage->pending)
            assert_int_equal(b.stage->ops->poll(b.stage, 0), 1); /* what went out is work done */
        assert_int_equal(bench_settle(&b), 0);
    }
    assert_false(b.stage->pending);
    bench_expect_counter(&b, "books.bbo_changes", 40);
    bench_close(&b);
}

/* ---- reports */

static void reports_of_other_strategies_are_ignored(void **state)
{
    strategy_bench_t *b = *state;
    report_t report = {
        .order_id = ORDER_ID(2, 1), .kind = REPORT_FILLED, .side = 'B', .qty = 100, .px_e4 = 5000};
    bench_send_report(b, &report);
    assert_int_equal(bench_settle(b), 0);
    expect_log("");
    bench_expect_counter(b, "orders.filled", 0);
    bench_expect_counter(b, "orders.report_mismatches", 0);
    assert_int_equal(strat_position(script.ctx, 0)->qty, 0);
}

static void executions_make_positions_and_profit(void **state)
{
    strategy_bench_t *b = *state;
    bench_tick(b, BENCH_LOCATE, tick_add(BENCH_LOCATE, 1, 'B', 100, 5000));
    bench_tick(b, BENCH_LOCATE, tick_add(BENCH_LOCATE, 2, 'S', 100, 5200));
    buy(script.ctx);
    order_t order = bench_expect_order(b, ORDER_NEW);
    bench_answer(b, &order, REPORT_ACCEPTED, REASON_NONE);
    bench_execute(b, &order, 60, 5000, 40);
    assert_int_equal(strat_position(script.ctx, BENCH_LOCATE)->qty, 60);
    bench_expect_counter(b, "position.ACME", 60);
    bench_expect_counter(b, "pnl.realised_e4", 0);
    bench_expect_counter(b, "pnl.unrealised_e4", 0); /* the bid is 5000, the ask 5200 */
    bench_execute(b, &order, 40, 5000, 0);

    strat_send(script.ctx, BENCH_LOCATE, 'S', 150, 5300, ORDER_TIF_DAY);
    order = bench_expect_order(b, ORDER_NEW);
    bench_execute(b, &order, 150, 5300, 0);
    assert_int_equal(strat_position(script.ctx, BENCH_LOCATE)->qty, -50);
    bench_expect_counter(b, "position.ACME", -50);
    bench_expect_counter(b, "pnl.realised_e4", 100 * 300);
    bench_expect_counter(b, "pnl.unrealised_e4", 50 * 100); /* short at 5300, the ask is 5200 */
    bench_expect_counter(b, "symbols.ACME.realised_e4", 100 * 300);
    bench_expect_counter(b, "symbols.ACME.unrealised_e4", 50 * 100);
    bench_expect_counter(b, "symbols.ACME.mark_px_e4", 5200);
    bench_expect_counter(b, "symbols.ACME.mark_by", MARK_ASK);
    bench_expect_counter(b, "symbols.ACME.volume", 250);

    bench_tick(b, BENCH_LOCATE, tick_delete(BENCH_LOCATE, 1)); /* only an ask is left */
    bench_expect_counter(b, "pnl.unrealised_e4", 50 * 100);
    bench_tick(b, BENCH_LOCATE, tick_add(BENCH_LOCATE, 3, 'S', 1, 1999999900)); /* a stub, but
                                                                                 * nothing traded */
    bench_tick(b, BENCH_LOCATE, tick_execute(BENCH_LOCATE, 2, 100));
    bench_expect_counter(b, "symbols.ACME.mark_px_e4", 5200);
    bench_expect_counter(b, "symbols.ACME.mark_by", MARK_TRADE);
    bench_expect_counter(b, "pnl.unrealised_e4", 50 * 100);
    bench_expect_counter(b, "pnl.drawdown_e4", 0);
}

static void an_execution_of_an_order_that_is_not_open_is_booked_and_counted(void **state)
{
    strategy_bench_t *b = *state;
    bench_tick(b, BENCH_LOCATE, (tick_t){.type = 'S'});
    order_t order = {
        .order_id = ORDER_ID(1, 77), .locate = 3, .side = 'S', .qty = 10, .px_e4 = 900};
    bench_execute(b, &order, 10, 900, 0);
    bench_expect_counter(b, "orders.report_mismatches", 1);
    bench_expect_counter(b, "position.#3", -10);
    assert_int_equal(strat_position(script.ctx, 3)->qty, -10);
    assert_int_equal(tbus_publish_try(&b->reports, "short", 5), TBUS_PUBLISHED);
    assert_int_equal(bench_settle(b), 0);
    bench_expect_counter(b, "orders.report_mismatches", 2);
}

static void a_position_that_does_not_fit_fails_the_stage(void **state)
{
    strategy_bench_t *b = *state;
    report_t report = {
        .order_id = ORDER_ID(1, 1), .kind = REPORT_PARTIAL, .side = '?', .qty = 1, .px_e4 = 1};
    bench_send_report(b, &report);
    assert_int_equal(bench_settle(b), -EOVERFLOW);
    assert_non_null(strstr(b->stage->error.text, "position"));
}

enum { INBOX = 32 };

/* A strategy with room for 32 reports, and as many as given, of an order that is not open. */
static int start_and_report(strategy_bench_t *b, enum session_clock clock, unsigned reports)
{
    static venue_session_t session;
    session = session_host;
    session.clock = clock;
    session.reports_max = INBOX;
    bench_open(b, BENCH_SLOTS, BENCH_SLOTS);
    memset(&script, 0, sizeof script);
    bench_params_t params = bench_params_defaults();
    strategy_stage_params_t p = {.strategy = &scripted,
                                 .params = &params.quote,
                                 .open_orders_max = params.open_orders_max,
                                 .number = 1,
                                 .session = &session};
    assert_int_equal(strategy_stage_create(&b->bus, 2, b->market, &p, &b->stage, NULL), 0);
    report_t report = {.order_id = ORDER_ID(1, 1), .kind = REPORT_ACCEPTED, .seen = 5000};
    for (unsigned i = 0; i < reports; i++)
        bench_send_report(b, &report);
    return b->stage->ops->poll(b->stage, 1);
}

static void a_strategy_stops_when_more_reports_are_on_their_way_than_it_has_room_for(void **state)
{
    (void)state;
    strategy_bench_t b;
    assert_int_equal(start_and_report(&b, SESSION_CLOCK_MARKET, INBOX), 0);
    expect_log(""); /* none is due */
    bench_close(&b);
    assert_int_equal(start_and_report(&b, SESSION_CLOCK_MARKET, INBOX + 1), -TBUS_ELIMIT);
    assert_string_equal(b.stage->error.text,
                        "stage 'strategy': more than 32 reports are on their way; raise "
                        "venue.reports_max, or lower venue.latency.response");
    bench_close(&b);
}

static void by_the_clock_of_the_host_a_strategy_takes_any_number_of_reports(void **state)
{
    (void)state;
    strategy_bench_t b;
    assert_true(start_and_report(&b, SESSION_CLOCK_HOST, 2 * INBOX) > 0);
    assert_int_equal(bench_settle(&b), 0);
    assert_int_equal(strlen(script.log), 2 * INBOX);
    bench_expect_counter(&b, "orders.accepted", 2 * INBOX);
    bench_expect_counter(&b, "orders.report_mismatches", 2 * INBOX);
    bench_close(&b);
}

/* ---- the end */

static void cancel_the_first(strat_context_t *ctx)
{
    assert_true(strat_cancel(ctx, BENCH_LOCATE, ORDER_ID(1, 1)));
    assert_int_equal(buy(ctx), 0);
}

static void winding_down_cancels_what_is_open_and_sends_nothing_new(void **state)
{
    strategy_bench_t *b = *state;
    bench_tick(b, BENCH_LOCATE, (tick_t){.type = 'S'});
    for (int i = 0; i < 3; i++)
        buy(script.ctx);
    for (int i = 0; i < 3; i++)
        bench_expect_order(b, ORDER_NEW);
    script.on_wind_down = cancel_the_first;
    b->stage->ops->wind_down(b->stage);
    expect_log("tw");
    uint64_t cancelled = 0;
    for (int i = 0; i < 3; i++) {
        order_t cancel = bench_expect_order(b, ORDER_CANCEL);
        cancelled += cancel.order_id - ORDER_ID(1, 0);
        if (i == 0)
            assert_int_equal(cancel.order_id, ORDER_ID(1, 1));
    }
    assert_int_equal(cancelled, 1 + 2 + 3);
    bench_expect_no_order(b);
    assert_int_equal(buy(script.ctx), 0);
    bench_tick(b, BENCH_LOCATE,
               tick_add(BENCH_LOCATE, 1, 'B', 1, 5000)); /* ticks are still taken */
    expect_log("tb");
}

static void the_books_counters_are_exact_when_the_stage_is_idle(void **state)
{
    strategy_bench_t *b = *state;
    bench_tick(b, BENCH_LOCATE, tick_add(BENCH_LOCATE, 1, 'B', 100, 5000));
    bench_tick(b, BENCH_LOCATE, tick_add(BENCH_LOCATE, 2, 'S', 100, 5100));
    bench_tick(b, BENCH_LOCATE, tick_add(BENCH_LOCATE, 2, 'S', 100, 5100));
    tick_t execution = {.type = 'E'};
    execution.order_ref = 1;
    execution.qty = 120;
    bench_tick(b, BENCH_LOCATE, execution);
    bench_tick(b, BENCH_LOCATE, tick_delete(BENCH_LOCATE, 99));
    bench_expect_counter(b, "books.symbols", 1);
    bench_expect_counter(b, "books.live_orders", 1);
    bench_expect_counter(b, "books.live_orders_max", 2);
    bench_expect_counter(b, "books.executed_shares", 120);
    bench_expect_counter(b, "books.over_reductions", 1);
    bench_expect_counter(b, "books.duplicate_adds", 1);
    bench_expect_counter(b, "books.bbo_changes", 3);
    bench_expect_counter(b, "books.unknown_order_refs", 1);
    bench_expect_counter(b, "books.unknown_order_refs.D", 1);
    bench_expect_counter(b, "books.unknown_order_refs.U", 0);
}

/* ---- making one */

static void a_second_strategy_leaves_the_market_to_the_first(void **state)
{
    (void)state;
    strategy_bench_t b;
    bench_open(&b, BENCH_SLOTS, BENCH_SLOTS);
    assert_int_equal(tbus_participant_add(&b.bus, "strategy2", NULL), 4);
    test_reserve(&b.bus, "md", "strategy2", TBUS_SUBSCRIBER);
    test_reserve(&b.bus, "reports", "strategy2", TBUS_SUBSCRIBER);
    memset(&script, 0, sizeof script);
    bench_params_t params = bench_params_defaults();
    strategy_stage_params_t p = {.strategy = &scripted,
                                 .params = &params.quote,
                                 .open_orders_max = params.open_orders_max,
                                 .number = 2};
    assert_int_equal(strategy_stage_create(&b.bus, 4, b.market, &p, &b.stage, NULL), 0);
    assert_string_equal(b.stage->name, "strategy2");
    bench_tick(&b, BENCH_LOCATE, tick_add(BENCH_LOCATE, 1, 'B', 100, 5000));
    expect_log("tb");
    bbo_t bbo;
    assert_false(bench_bbo(&b, &bbo));
    bench_expect_counter(&b, "books.bbo_changes", 0);
    assert_int_equal(buy(script.ctx), ORDER_ID(2, 1));
    assert_int_equal(
        order_strategy(&(order_t){.order_id = bench_expect_order(&b, ORDER_NEW).order_id}), 2);
    bench_close(&b);
}

static void a_strategy_starts_where_nobody_else_goes_by_market_time(void **state)
{
    (void)state;
    strategy_bench_t b;
    bench_open(&b, BENCH_SLOTS, BENCH_SLOTS);
    memset(&script, 0, sizeof script);
    bench_params_t params = bench_params_defaults();
    venue_session_t session = session_host;
    session.clock = SESSION_CLOCK_MARKET;
    strategy_stage_params_t p = {.strategy = &scripted,
                                 .params = &params.quote,
                                 .open_orders_max = params.open_orders_max,
                                 .number = 1,
                                 .session = &session};
    assert_int_equal(strategy_stage_create(&b.bus, 2, b.market, &p, &b.stage, NULL), 0);
    assert_int_equal(b.stage->ops->start(b.stage), 0);
    assert_int_equal(b.stage->horizons_count, 0);
    bench_tick(&b, BENCH_LOCATE, tick_add(BENCH_LOCATE, 1, 'B', 100, 5000));
    assert_true(buy(script.ctx) != 0); /* no report is ever due: it waits for nobody */
    bench_tick(&b, BENCH_LOCATE, tick_add(BENCH_LOCATE, 2, 'S', 100, 5100));
    expect_log("tbtb");
    bench_close(&b);
}

static void a_strategy_that_cannot_watch_the_feed_does_not_start(void **state)
{
    (void)state;
    strategy_bench_t b;
    bench_open(&b, BENCH_SLOTS, BENCH_SLOTS);
    memset(&script, 0, sizeof script);
    bench_params_t params = bench_params_defaults();
    venue_session_t session = session_host;
    session.clock = SESSION_CLOCK_MARKET;
    strategy_stage_params_t p = {.strategy = &scripted,
                                 .params = &params.quote,
                                 .open_orders_max = params.open_orders_max,
                                 .number = 1,
                                 .session = &session};
    assert_int_equal(strategy_stage_create(&b.bus, 2, b.market, &p, &b.stage, NULL), 0);
    tbus_stage_t feed = {.bus = &b.bus, .owner = 1, .name = "feed"};
    assert_non_null(tbus_stage_keep_horizon(&feed, "md", 0));
    b.stage->horizons_count = TBUS_STAGE_HORIZONS_MAX;
    assert_int_equal(b.stage->ops->start(b.stage), -TBUS_EFULL);
    assert_int_equal(b.stage->error.code, -TBUS_EFULL);
    b.stage->horizons_count = 0;
    bench_close(&b);
}

static void wrong_parameters_are_refused_and_leave_nothing_behind(void **state)
{
    (void)state;
    strategy_bench_t b;
    bench_open(&b, BENCH_SLOTS, BENCH_SLOTS);
    memset(&script, 0, sizeof script);
    bench_params_t params = bench_params_defaults(), refused = params;
    refused.quote.order_qty = 666;
    strategy_stage_params_t good = {.strategy = &scripted,
                                    .params = &params.quote,
                                    .open_orders_max = params.open_orders_max,
                                    .number = 1};
    strategy_stage_params_t wrong[] = {good, good, good, good, good};
    wrong[0].strategy = NULL;
    wrong[1].number = 0;
    wrong[2].open_orders_max = 0;
    wrong[3].open_orders_max = UINT32_MAX;
    wrong[4].params = &refused.quote; /* the strategy itself says no */
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tbus_error_t err = {0};
        assert_int_equal(strategy_stage_create(&b.bus, 2, b.market, &wrong[i], &b.stage, &err),
                         -TBUS_ECONFIG);
        assert_null(b.stage);
        assert_true(err.text[0] != 0);
    }
    assert_int_equal(script.destroyed, 0);
    /* The places on the rings are gone with the stage that had them; a supervisor reserves new
     * ones. */
    bench_close(&b);
}

static void a_strategy_made_for_another_version_is_refused(void **state)
{
    (void)state;
    strategy_t other = scripted;
    tbus_error_t err = {0};
    assert_int_equal(strategy_check(&scripted, &err), 0);
    other.api = STRATEGY_API + 1;
    assert_int_equal(strategy_check(&other, &err), -TBUS_EABI);
    other = scripted;
    other.struct_bytes -= 8;
    assert_int_equal(strategy_check(&other, &err), -TBUS_EABI);
    other = scripted;
    other.name = "";
    assert_int_equal(strategy_check(&other, &err), -EINVAL);
}

static void the_strategy_is_destroyed_with_its_stage(void **state)
{
    (void)state;
    strategy_bench_t b;
    start(&b, BENCH_SLOTS, BENCH_SLOTS, 4);
    bench_close(&b);
    assert_int_equal(script.destroyed, 1);
}

static void a_strategy_without_callbacks_still_keeps_books_and_bbo(void **state)
{
    (void)state;
    strategy_bench_t b;
    bench_open(&b, BENCH_SLOTS, BENCH_SLOTS);
    bench_params_t params = bench_params_defaults();
    bench_start(&b, strategy_find("null"), &params);
    bench_tick(&b, BENCH_LOCATE, tick_add(BENCH_LOCATE, 1, 'B', 100, 5000));
    bbo_t bbo;
    assert_true(bench_bbo(&b, &bbo));
    b.stage->ops->wind_down(b.stage);
    assert_int_equal(b.stage->ops->finish(b.stage), 0);
    bench_expect_no_order(&b);
    bench_close(&b);
}

static void strategies_are_found_by_name(void **state)
{
    (void)state;
    assert_ptr_equal(strategy_find("quote"), &strategy_quote);
    assert_ptr_equal(strategy_find("null"), &strategy_null);
    assert_ptr_equal(strategy_find("script"), &strategy_script);
    assert_null(strategy_find("nul"));
    unsigned count = 0;
    while (strategy_at(count) != NULL) {
        assert_ptr_equal(strategy_find(strategy_at(count)->name), strategy_at(count));
        assert_true(strategy_at(count)->summary[0] != 0);
        count++;
    }
    assert_int_equal(count, 3);
}

#define ON_BENCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BENCH(bbo_is_published_when_the_touch_changes_and_only_then),
        ON_BENCH(what_warms_up_is_in_the_books_and_told_to_nobody),
        ON_BENCH(a_poll_takes_no_more_ticks_than_its_budget),
        ON_BENCH(reports_are_taken_before_ticks),
        ON_BENCH(a_timer_fires_once_when_event_time_reaches_it),
        ON_BENCH(a_message_without_a_time_does_not_turn_the_clock_back),
        ON_BENCH(a_full_book_table_fails_the_stage_with_the_key_to_raise),
        ON_BENCH(an_order_names_what_its_strategy_had_seen),
        ON_BENCH(what_a_callback_sends_goes_out_together_in_its_order),
        cmocka_unit_test(more_than_go_out_together_go_out_in_their_order),
        ON_BENCH(what_follows_a_replaced_order_answers_what_the_replace_answered),
        ON_BENCH(what_follows_an_execution_is_timed_from_the_tick_that_made_it),
        ON_BENCH(no_more_orders_are_open_than_the_credit_allows),
        ON_BENCH(ids_increase_past_orders_that_stay),
        ON_BENCH(only_a_live_order_of_ours_is_cancelled_and_once),
        ON_BENCH(a_replace_asks_for_what_is_to_be_open_beside_what_was_executed),
        ON_BENCH(a_broken_execution_is_taken_off_the_position_when_its_order_is_long_gone),
        ON_BENCH(the_digests_are_those_of_the_messages_on_the_rings),
        cmocka_unit_test(bbo_is_left_out_until_somebody_can_read_it_and_has_the_same_digest),
        cmocka_unit_test(bbo_that_is_left_out_needs_no_room),
        cmocka_unit_test(what_finds_no_room_is_kept_in_order_and_stops_ticks_but_not_reports),
        cmocka_unit_test(the_outbox_holds_the_worst_case),
        cmocka_unit_test(a_full_bbo_ring_holds_ticks_back_and_loses_nothing),
        ON_BENCH(reports_of_other_strategies_are_ignored),
        ON_BENCH(executions_make_positions_and_profit),
        ON_BENCH(an_execution_of_an_order_that_is_not_open_is_booked_and_counted),
        ON_BENCH(a_position_that_does_not_fit_fails_the_stage),
        cmocka_unit_test(a_strategy_stops_when_more_reports_are_on_their_way_than_it_has_room_for),
        cmocka_unit_test(by_the_clock_of_the_host_a_strategy_takes_any_number_of_reports),
        ON_BENCH(winding_down_cancels_what_is_open_and_sends_nothing_new),
        ON_BENCH(the_books_counters_are_exact_when_the_stage_is_idle),
        cmocka_unit_test(a_second_strategy_leaves_the_market_to_the_first),
        cmocka_unit_test(a_strategy_starts_where_nobody_else_goes_by_market_time),
        cmocka_unit_test(a_strategy_that_cannot_watch_the_feed_does_not_start),
        cmocka_unit_test(wrong_parameters_are_refused_and_leave_nothing_behind),
        cmocka_unit_test(a_strategy_made_for_another_version_is_refused),
        cmocka_unit_test(the_strategy_is_destroyed_with_its_stage),
        cmocka_unit_test(a_strategy_without_callbacks_still_keeps_books_and_bbo),
        cmocka_unit_test(strategies_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
