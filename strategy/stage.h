/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - the strategy stage: keeps the books, says when a touch changes, and runs one strategy
 * (strategy.h).
 *
 *    md ------- "strategy" --> market view --> bbo
 *                                   |
 *    reports -- "strategy" --> strategy's callbacks --> orders
 *
 * Ticks, reports and timers are taken in the order of market time (bus/market/drive.h). A tick is
 * applied to the books; then come on_tick and on_bbo; bbo is published when the touch of the tick's
 * own stock locate changed, unless nobody can read the topic (`left_out` of tbus_topic_t). A report
 * is taken when it is seen, on_timer called when it is due, both between two ticks. Orders go out
 * when the callback that sends them returns, together, dated with the time of that callback.
 *
 * Where a tick could come after a report that is not there yet, it waits for the executor's
 * horizon: only while a cause is open (strategy/causes.h). By the clock of the host nothing waits:
 * all reports there are, then ticks.
 *
 * What finds no room on a ring is kept, in its order, and nothing more is taken until it is out.
 * What can be kept is bounded (context.h), since at most `open_orders_max` orders are open at a
 * time; strat_send refuses more. Reports are taken off their ring at all times and kept until they
 * are due: at most venue.reports_max of them, more are an error.
 *
 * At the end of the feed the strategy is told, new orders are refused from then on, and the stage
 * cancels the open orders that the strategy did not cancel itself. By the clock of the host the
 * command WIND_DOWN is that end.
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
 *          .cancels_rejected .broken
 *    orders.report_mismatches             reports about an order of its number that is not open,
 *                                         and messages that are no reports
 *    position.SYMBOL, symbols.*, pnl.*    ledger.h
 *    books.symbols .live_orders           market_stats_t of market.h
 *         .live_orders_max
 *         .executed_shares .bbo_changes
 *         .over_reductions .malformed
 *         .duplicate_adds
 *         .foreign_adds .foreign_locates
 *         .non_printable_shares
 *         .trade_shares .cross_shares
 *         .unknown_order_refs             all, and by message type:
 *                                         books.unknown_order_refs.E .C .X .D .U
 * Those of books and pnl are exact when the stage is idle, has finished or has failed, and else a
 * few thousand ticks old. `clock.restarts` (tickbus/market/clock.h). `digest.orders` and, of number
 * 1, `digest.bbo`, which has what was not published as well: bus/msg/digest.h.
 *
 * Histograms, of strategy 2 as "tick_to_order.2" and so on, from the intended time of the tick that
 * is answered (order.h) to the moment of publishing; what answers no tick (by the clock of the
 * market a timer or an execution), or none whose time is known, is in none of them.
 * "tick_to_order", of new orders; "tick_to_requote", of those that follow the answer to an earlier
 * message, for which they have waited; "tick_to_cancel", of cancels. "wait_horizon": how long ticks
 * in hand waited for the executor; `wait_horizon.ticks` counts them.
 *
 * Previous on the data path: tickbus/market/market.h. Next: risk/stage.h.
 */
#ifndef TICKBUS_STRATEGY_STAGE_H
#define TICKBUS_STRATEGY_STAGE_H

#include <tickbus/kind.h>

#include "bus/market/marks.h"
#include "bus/market/session.h"
#include <tickbus/market/market.h>
#include <tickbus/strategy.h>

#define STRATEGIES_MAX 15u /* in one pipeline: each an instance of the kind */

typedef struct strategy_stage_params {
    const strategy_t *strategy; /* strategy_find(name); not owned, outlives the stage */
    const void *params;         /* of the strategy's own table; needed during the call only */
    uint32_t open_orders_max;   /* orders on their way or resting at a time: its credit */
    uint16_t number;            /* from 1, one's own: the high bits of order ids */
    const char *name;           /* of its places on the rings; NULL: "strategy", "strategy2", ... */
    const venue_session_t *session; /* borrowed; NULL: by the clock of the host */
    const marks_t *marks;           /* needed during the call only; NULL: marks_default */
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
