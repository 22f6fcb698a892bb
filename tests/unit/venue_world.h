/* SPDX-License-Identifier: Apache-2.0 */
/* venue_world.h - a market and a venue model that whole streams are fed to, and what the venue has
 * reported of our orders. For tests. */
#ifndef TICKBUS_TESTS_UNIT_VENUE_WORLD_H
#define TICKBUS_TESTS_UNIT_VENUE_WORLD_H

#include "tests/unit/risk_market.h"

#include <stdlib.h>

#include "risk/venue/venue.h"

typedef struct own {
    uint32_t filled;
    bool open;
} own_t;

typedef struct world {
    market_t *market;
    venue_t *venue;
    own_t *owns; /* by count */
    uint64_t owns_max;
    uint64_t count;      /* of the last order sent */
    uint32_t filled_now; /* since it was set to 0 */
    uint32_t px_now;
    uint8_t reason_now; /* of the last report */
} world_t;

static inline void world_report(void *context, const report_t *r, uint64_t intended)
{
    world_t *w = context;
    own_t *own = &w->owns[r->order_id & TICK_NS_MASK];
    (void)intended;
    w->reason_now = r->reason;
    if (r->kind == REPORT_ACCEPTED)
        own->open = true;
    if (r->kind == REPORT_FILLED || r->kind == REPORT_CANCELLED)
        own->open = false;
    if (r->kind != REPORT_FILLED && r->kind != REPORT_PARTIAL)
        return;
    own->filled += r->qty;
    w->filled_now += r->qty;
    w->px_now = r->px_e4;
}

static inline world_t *world_open(uint64_t owns_max, bool prints)
{
    world_t *w = calloc(1, sizeof *w);
    tbus_error_t err = {0};
    market_limits_t books = {.orders_max = 1u << 16, .levels_max = 1u << 15};
    venue_limits_t limits;
    assert_non_null(w);
    w->owns_max = owns_max;
    w->owns = calloc(owns_max + 1, sizeof(own_t));
    assert_non_null(w->owns);
    if (market_create(&books, &w->market, &err) != 0)
        fail_msg("%s", err.text);
    tbus_params_defaults(&venue_limits_params, &limits);
    limits.breakable_max = 0;
    limits.prints = prints;
    if (venue_create(&limits, w->market, world_report, w, &w->venue, &err) != 0)
        fail_msg("%s", err.text);
    return w;
}

static inline void world_close(world_t *w)
{
    venue_destroy(w->venue);
    market_destroy(w->market);
    free(w->owns);
    free(w);
}

static inline void world_tick(world_t *w, const tick_t *tick)
{
    const market_event_t *event;
    if (market_apply(w->market, market_seq(w->market) + 1, tick, sizeof *tick, &event) != 0)
        fail_msg("%s", market_limit_text(w->market));
    venue_on_market(w->venue, event, tick);
}

/* The next order of ours, which takes nothing; `locate` is that of messages. */
static inline void world_send(world_t *w, uint16_t locate, uint8_t side, uint32_t qty,
                              uint32_t px_e4)
{
    assert_true(w->count < w->owns_max);
    order_t order = order_new(++w->count, side, qty, px_e4, ORDER_TIF_DAY);
    order.locate = market_number(w->market, locate);
    order.flags = ORDER_POST_ONLY;
    venue_order(w->venue, &order);
}

/* Ours `count` ends, if it is open. */
static inline void world_cancel(world_t *w, uint64_t count, uint16_t locate)
{
    order_t cancel = order_cancel(count);
    cancel.locate = market_number(w->market, locate);
    if (w->owns[count].open)
        venue_order(w->venue, &cancel);
}

/* The last order is replaced by one that asks for `total`, all that was executed included. */
static inline void world_reduce(world_t *w, uint16_t locate, uint8_t side, uint32_t total,
                                uint32_t px_e4)
{
    assert_true(w->count < w->owns_max);
    order_t order = order_new(w->count + 1, side, total, px_e4, ORDER_TIF_DAY);
    order.kind = ORDER_REPLACE;
    order.replaces = 1;
    order.locate = market_number(w->market, locate);
    w->owns[w->count + 1] = w->owns[w->count];
    w->count++;
    venue_order(w->venue, &order);
}

#endif
