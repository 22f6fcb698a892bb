/* SPDX-License-Identifier: Apache-2.0 */
/* gate_fixture.h - for the tests of the gate and its exposure: a gate over a market with one quoted
 * symbol. */
#ifndef TICKBUS_TESTS_GATE_FIXTURE_H
#define TICKBUS_TESTS_GATE_FIXTURE_H

#include "tests/unit/risk_market.h"

#include "risk/gate.h"

#define BID 1000000u /* 100.0000 */
#define ASK 1000200u

typedef struct fixture {
    market_t *market;
    gate_t *gate;
    uint64_t count; /* orders made */
} fixture_t;

/* Limits that let everything in these tests through, but for the one that a test is about. */
static inline risk_limits_t wide(void)
{
    return (risk_limits_t){
        .max_order_qty = UINT32_MAX,
        .max_order_notional_e4 = UINT64_MAX,
        .collar_bps = 100,
        .collar_e4 = 0,
        .position_max = INT64_MAX,
        .gross_notional_max_e4 = UINT64_MAX,
        .orders_per_second = 1000,
        .open_orders_max = 100,
        .messages_per_second = 2000,
        .reference_qty = 1,
        .loss_max_e4 = UINT64_MAX,
    };
}

static inline fixture_t open_gate(risk_limits_t limits)
{
    fixture_t f = {.market = risk_market_create()};
    tbus_error_t err = {0};
    if (gate_create(&limits, NULL, f.market, &f.gate, &err) != 0)
        fail_msg("%s", err.text);
    return f;
}

/* ... with a touch of BID x 500, ASK x 500 in LOCATE. */
static inline fixture_t quoted_gate(risk_limits_t limits)
{
    fixture_t f = open_gate(limits);
    gate_on_market(f.gate, market_next(f.market, tick_add(LOCATE, 1, 'B', 500, BID)));
    gate_on_market(f.gate, market_next(f.market, tick_add(LOCATE, 2, 'S', 500, ASK)));
    return f;
}

static inline void close_gate(fixture_t *f)
{
    gate_destroy(f->gate);
    market_destroy(f->market);
}

static inline uint8_t judge(fixture_t *f, order_t order)
{
    return gate_judge(f->gate, &order, 0);
}

static inline order_t fresh(fixture_t *f, uint8_t side, uint32_t qty, uint32_t px_e4)
{
    return order_new(++f->count, side, qty, px_e4, ORDER_TIF_DAY);
}

static inline uint8_t judge_new(fixture_t *f, uint8_t side, uint32_t qty, uint32_t px_e4)
{
    return judge(f, fresh(f, side, qty, px_e4));
}

static inline void say(fixture_t *f, report_t report)
{
    gate_on_report(f->gate, &report);
}

/* An execution out of the blue: how tests come by a position. */
static inline void hold(fixture_t *f, uint8_t side, uint32_t qty, uint32_t px_e4)
{
    order_t order = fresh(f, side, qty, px_e4);
    say(f, report_of(&order, REPORT_FILLED, qty, 0, px_e4));
}

#endif
