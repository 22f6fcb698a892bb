/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - the strategy stage: keeps the books, says when a touch changes, and runs one strategy
 * (strategy.h).
 *
 *    md ------- "strategy" --> market view --> bbo
 *                                   |
 *    reports -- "strategy" --> strategy's callbacks --> orders
 *
 * A poll takes all reports there are, then up to `budget` ticks. A tick is applied to the books;
 * bbo is published when the touch of the tick's own stock locate changed; then come on_tick,
 * on_bbo, and on_timer when the event time asked for is reached. Orders go out from within the
 * callback that sends them.
 *
 * What finds no room on a ring is kept, in its order, and no further tick is taken until it is out.
 * Reports are taken at all times. Otherwise, with all rings full, the strategy would wait for risk,
 * risk for the executor, and the executor, which cannot report, for the strategy. What can be kept
 * is bounded (context.h), since at most `open_orders_max` orders are open at a time; strat_send
 * refuses more.
 *
 * At WIND_DOWN the strategy is told, new orders are refused from then on, and the stage cancels
 * the open orders that the strategy did not cancel itself.
 *
 * Several strategies, each with a stage, number and process of its own: number 1 alone speaks for
 * the market; it publishes `bbo` and the books' counters, and its places on the rings are called
 * "strategy", the others' "strategy2", "strategy3".. .
 *
 * Counters:
 *    orders.sent .cancels_sent            published on `orders`: together, all that this strategy
 *                                         sent
 *    orders.accepted .rejected .partial   reports about its own orders
 *          .filled .cancelled
 *          .cancels_rejected
 *    orders.report_mismatches             reports about an order of its number that is not open,
 *                                         and messages that are no reports
 *    position.SYMBOL, pnl.*               ledger.h
 *    books.symbols .live_orders           market_stats_t of market.h
 *         .live_orders_max
 *         .executed_shares .bbo_changes
 *         .over_reductions .malformed
 *         .duplicate_adds
 *         .unknown_order_refs             all, and by message type:
 *                                         books.unknown_order_refs.E .C .X .D .U
 * Those of books and pnl are exact when the stage is idle, has finished or has failed, and else a
 * few thousand ticks old. Histogram "tick_to_order" ("tick_to_order.2"..): from the intended time
 * of the tick taken last to the moment a new order is published.
 *
 * Previous on the data path: tickbus/market/market.h. Next: risk/stage.h.
 */
#ifndef TICKBUS_STRATEGY_STAGE_H
#define TICKBUS_STRATEGY_STAGE_H

#include <tickbus/kind.h>

#include <tickbus/market/market.h>
#include <tickbus/strategy.h>

#define STRATEGIES_MAX 15u /* in one pipeline: each an instance of the kind */

typedef struct strategy_stage_params {
    const strategy_t *strategy; /* strategy_find(name); not owned, outlives the stage */
    const void *params;         /* of the strategy's own table; needed during the call only */
    uint32_t open_orders_max;   /* orders on their way or resting at a time: its credit */
    uint16_t number;            /* from 1, one's own: the high bits of order ids */
    const char *name;           /* of its places on the rings; NULL: "strategy", "strategy2", ... */
} strategy_stage_params_t;

/* The kind of stage that runs strategies (strategy/kind.c). */
extern const tbus_kind_t strategy_kind;

/* Bytes that a stage of so many open orders takes, without what its strategy keeps. */
size_t strategy_stage_footprint(uint32_t open_orders_max);

/* The places of this strategy must have been reserved on `md` and `reports`. `market` is borrowed
 * and may be shared with stages of the same process (market.h). The stage is freed by its
 * ops->destroy. -TBUS_ECONFIG (params), -ENOMEM, what the joins and the strategy's own create
 * return. Cold. */
int strategy_stage_create(tbus_bus_t *bus, uint32_t owner, market_t *market,
                          const strategy_stage_params_t *params, tbus_stage_t **out_stage,
                          tbus_error_t *err);

#endif
