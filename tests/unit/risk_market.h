/* SPDX-License-Identifier: Apache-2.0 */
/* risk_market.h - for the tests of risk/: a market fed by hand, one tick a call, and orders and
 * reports made in one line. */
#ifndef TICKBUS_TESTS_RISK_MARKET_H
#define TICKBUS_TESTS_RISK_MARKET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <tickbus/market/market.h>
#include <tickbus/msg/itch_types.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>

#include "tests/support/ticks.h"

#define LOCATE    7u
#define STRATEGY  3u
#define SECOND_NS UINT64_C(1000000000)

static inline market_t *risk_market_of(uint32_t levels_max)
{
    market_t *m = NULL;
    tbus_error_t err = {0};
    market_limits_t limits = {.orders_max = 4096, .levels_max = levels_max};
    if (market_create(&limits, &m, &err) != 0)
        fail_msg("%s", err.text);
    return m;
}

static inline market_t *risk_market_create(void)
{
    return risk_market_of(4096);
}

/* Apply the next tick. */
static inline const market_event_t *market_next(market_t *m, tick_t tick)
{
    const market_event_t *event = NULL;
    assert_int_equal(market_apply(m, market_seq(m) + 1, &tick, sizeof(tick), &event), 0);
    return event;
}

/* R: a test issue, or a live one. */
static inline tick_t tick_issue(uint16_t locate, bool test)
{
    tick_t t = tick_of('R', locate);
    memset(t.body, ' ', ITCH_BODY_AT(STOCK_DIRECTORY, authenticity) + 1);
    tick_name(locate, t.body);
    t.body[ITCH_BODY_AT(STOCK_DIRECTORY, authenticity)] = test ? 'T' : 'P';
    return t;
}
/* Y: '0' no restriction, '1' in force, '2' still in force. */
static inline tick_t tick_reg_sho(uint16_t locate, uint8_t action)
{
    tick_t t = tick_of('Y', locate);
    tick_name(locate, t.body);
    t.body[8] = action;
    return t;
}

static inline order_t order_new(uint64_t count, uint8_t side, uint32_t qty, uint32_t px_e4,
                                uint8_t tif)
{
    return (order_t){
        .order_id = ORDER_ID(STRATEGY, count),
        .locate = LOCATE,
        .intended = 1000 + count,
        .px_e4 = px_e4,
        .qty = qty,
        .kind = ORDER_NEW,
        .side = side,
        .tif = tif,
    };
}
static inline order_t order_cancel(uint64_t count)
{
    return (order_t){
        .order_id = ORDER_ID(STRATEGY, count),
        .locate = LOCATE,
        .intended = 1000 + count,
        .kind = ORDER_CANCEL,
    };
}

static inline report_t report_of(const order_t *o, uint8_t kind, uint32_t qty, uint32_t leaves,
                                 uint32_t px_e4)
{
    return (report_t){
        .order_id = o->order_id,
        .locate = o->locate,
        .px_e4 = px_e4,
        .qty = qty,
        .leaves = leaves,
        .kind = kind,
        .side = o->side,
    };
}

/* xorshift64*: the same numbers on every host. */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

#endif
