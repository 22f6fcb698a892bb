/* SPDX-License-Identifier: Apache-2.0 */
/* strategy_bench.h - a strategy stage on real rings, with the test in the place of its neighbours:
 * it feeds `md`, takes `orders` and `bbo`, and answers on `reports`. Include after cmocka.h. */
#ifndef TICKBUS_TESTS_STRATEGY_BENCH_H
#define TICKBUS_TESTS_STRATEGY_BENCH_H

#include <string.h>

#include "strategy/quote.h"
#include "strategy/stage.h"
#include "tests/support/bus_fixture.h"
#include "tests/support/ticks.h"

#define BENCH_LOCATE 7
#define BENCH_SLOTS  64u

typedef struct strategy_bench {
    tbus_bus_t bus;
    market_t *market;
    tbus_stage_t *stage;
    tbus_publisher_t md;
    tbus_publisher_t reports;
    tbus_subscriber_t orders;
    tbus_subscriber_t bbo;
    uint64_t md_seq; /* of the last tick published */
    uint64_t event_ns;
    uint64_t exec_id;
} strategy_bench_t;

/* A bus with the four topics and everybody's place on them, and a market view; no stage yet. */
static inline void bench_open(strategy_bench_t *b, uint32_t orders_slots, uint32_t bbo_slots)
{
    *b = (strategy_bench_t){.event_ns = UINT64_C(34200000000000)};
    tbus_error_t err = {0};
    test_bus_create(&b->bus, "bench");
    tbus_ring_t *md = test_topic(
        &b->bus,
        (tbus_ring_spec_t){.name = "md", .kind = TBUS_BROADCAST, .slot_count = BENCH_SLOTS}, "md");
    tbus_ring_t *bbo = test_topic(
        &b->bus, (tbus_ring_spec_t){.name = "bbo", .kind = TBUS_BROADCAST, .slot_count = bbo_slots},
        "bbo");
    tbus_ring_t *orders = test_topic(
        &b->bus,
        (tbus_ring_spec_t){.name = "orders", .kind = TBUS_MPMC, .slot_count = orders_slots},
        "orders");
    tbus_ring_t *reports = test_topic(
        &b->bus,
        (tbus_ring_spec_t){.name = "reports", .kind = TBUS_BROADCAST_MP, .slot_count = BENCH_SLOTS},
        "reports");
    test_participant(&b->bus, "feed", 1);
    test_participant(&b->bus, "strategy", 2);
    test_participant(&b->bus, "risk", 3);
    test_reserve(&b->bus, "md", "strategy", TBUS_SUBSCRIBER);
    test_reserve(&b->bus, "reports", "strategy", TBUS_SUBSCRIBER);
    b->md = test_publisher(md, 1);
    b->reports = test_publisher(reports, 3);
    b->orders = test_subscriber(orders, "risk", TBUS_CONSUMER, 3);
    b->bbo = test_subscriber(bbo, "reader", TBUS_SUBSCRIBER, 3);
    assert_int_equal(
        market_create(&(market_limits_t){.orders_max = 64, .levels_max = 64}, &b->market, &err), 0);
}

/* Of `quote`, which other strategies leave alone, and the credit of the stage. */
typedef struct bench_params {
    quote_params_t quote;
    uint32_t open_orders_max;
} bench_params_t;

static inline bench_params_t bench_params_defaults(void)
{
    bench_params_t params = {.open_orders_max = 64};
    tbus_params_defaults(&quote_params, &params.quote);
    return params;
}

static inline void bench_start(strategy_bench_t *b, const strategy_t *strategy,
                               const bench_params_t *params)
{
    tbus_error_t err = {0};
    strategy_stage_params_t p = {.strategy = strategy,
                                 .params = &params->quote,
                                 .open_orders_max = params->open_orders_max,
                                 .number = 1};
    if (strategy_stage_create(&b->bus, 2, b->market, &p, &b->stage, &err) != 0)
        fail_msg("%s", err.text);
}

static inline void bench_close(strategy_bench_t *b)
{
    if (b->stage != NULL)
        b->stage->ops->destroy(b->stage);
    tbus_subscriber_leave(&b->orders);
    tbus_subscriber_leave(&b->bbo);
    market_destroy(b->market);
    tbus_bus_close(&b->bus);
}

/* ---- in */

/* Poll until nothing is left to do; 0, or the stage's error. */
static inline int bench_settle(strategy_bench_t *b)
{
    int work;
    while ((work = b->stage->ops->poll(b->stage, 1)) > 0)
        ;
    return work;
}

/* Publish only; the stage is not polled. */
static inline void bench_publish(strategy_bench_t *b, uint16_t locate, tick_t tick)
{
    tick.event = tick_pack(b->event_ns, 0);
    tick.intended = tick_pack(tbus_bus_now_ns(&b->bus), locate);
    assert_int_equal(tbus_publish_try(&b->md, &tick, sizeof tick), TBUS_PUBLISHED);
    b->md_seq++;
}

static inline void bench_tick(strategy_bench_t *b, uint16_t locate, tick_t tick)
{
    bench_publish(b, locate, tick);
    assert_int_equal(bench_settle(b), 0);
}

/* ---- out */

static inline bool bench_order(strategy_bench_t *b, order_t *out_order)
{
    size_t bytes;
    const void *message = tbus_peek(&b->orders, &bytes);
    if (message == NULL)
        return false;
    assert_int_equal(bytes, sizeof *out_order);
    memcpy(out_order, message, sizeof *out_order);
    tbus_advance(&b->orders);
    return true;
}

static inline order_t bench_expect_order(strategy_bench_t *b, uint8_t kind)
{
    order_t order = {0};
    assert_true(bench_order(b, &order));
    assert_int_equal(order.kind, kind);
    return order;
}

static inline void bench_expect_no_order(strategy_bench_t *b)
{
    order_t order;
    assert_false(bench_order(b, &order));
}

static inline bool bench_bbo(strategy_bench_t *b, bbo_t *out_bbo)
{
    size_t bytes;
    const void *message = tbus_peek(&b->bbo, &bytes);
    if (message == NULL)
        return false;
    assert_int_equal(bytes, sizeof *out_bbo);
    memcpy(out_bbo, message, sizeof *out_bbo);
    tbus_advance(&b->bbo);
    return true;
}

/* ---- answers */

static inline report_t bench_report(const order_t *order, uint8_t kind, uint8_t reason)
{
    return (report_t){.order_id = order->order_id,
                      .locate = order->locate,
                      .px_e4 = order->px_e4,
                      .qty = order->qty,
                      .leaves = kind == REPORT_ACCEPTED ? order->qty : 0,
                      .kind = kind,
                      .reason = reason,
                      .side = order->side};
}

static inline void bench_send_report(strategy_bench_t *b, const report_t *report)
{
    assert_int_equal(tbus_publish_try(&b->reports, report, sizeof *report), TBUS_PUBLISHED);
}

/* ... and let the stage take it */
static inline void bench_answer(strategy_bench_t *b, const order_t *order, uint8_t kind,
                                uint8_t reason)
{
    report_t report = bench_report(order, kind, reason);
    bench_send_report(b, &report);
    assert_int_equal(bench_settle(b), 0);
}

static inline void bench_execute(strategy_bench_t *b, const order_t *order, uint32_t qty,
                                 uint32_t px, uint32_t leaves)
{
    report_t report =
        bench_report(order, leaves != 0 ? REPORT_PARTIAL : REPORT_FILLED, REASON_NONE);
    report.exec_id = ++b->exec_id;
    report.px_e4 = px;
    report.qty = qty;
    report.leaves = leaves;
    report.liquidity = 'A';
    bench_send_report(b, &report);
    assert_int_equal(bench_settle(b), 0);
}

static inline void bench_expect_counter(const strategy_bench_t *b, const char *name, int64_t value)
{
    int64_t have = (int64_t)tbus_counter_value(&b->bus, name);
    if (have != value)
        fail_msg("%s is %lld, not %lld", name, (long long)have, (long long)value);
}

#endif
