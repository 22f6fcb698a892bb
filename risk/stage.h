/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - the risk stage: every order passes its gate on the way to the executor, or is rejected.
 *
 *    md ------- "risk" --> the market view, marks
 *    reports -- "risk" --> positions, open orders
 *    orders --- "risk" --> judged, with a reason if it must not pass (competing consumer);
 *                          those that pass also on approved
 *
 * Orders, ticks and reports are taken in the order of market time (bus/market/drive.h). An order
 * that was sent at t is judged with the ticks up to t, the reports that were to be seen before t
 * and those that its strategy had seen, and nothing later: so what is decided is the same however
 * far strategies and executor are. Of several strategies orders are judged by (time, strategy
 * number, the strategy's own order). Risk goes only as far as the strategies are, and never waits
 * for the executor. By the clock of the host (session.h) an order is judged when it is there and
 * `md` was taken as far as the tick that it answers. An order that names a tick which does not
 * exist is malformed.
 *
 * Orders and reports are taken off their rings at once and kept until they are due. An order that
 * must not pass goes to the executor as well, which answers it. When `judged` or `approved` is FULL
 * one order is kept, and nothing is taken until it is out.
 *
 * The kill switch (kill_switch.h) is read with every order: its halt and its reduction are states
 * of the gate. Once the loss limit is reached, the stage throws the reduction itself. So is the box
 * of new limits: an order is checked against one set of limits, never against parts of two. On a
 * bus without a kill switch no stage is made.
 *
 * Counters: risk.orders (all taken: new orders and cancels) = risk.passed + the sum of
 * risk.rejects.REASON; risk.cancels (of risk.orders); risk.report_mismatches (gate.h); risk.state
 * (enum gate_state, gate.h); risk.strategies_reducing (strategies that have reached loss limits of
 * their own); risk.drawdown_e4 (of all strategies' net profit together,
 * bus/market/profit.h); risk.limits_changes (sets of limits taken over from the box);
 * digest.approved (bus/msg/digest.h). They all exist from the start.
 *
 * Previous on the data path: strategy/stage.h. Next: risk/venue/executor.h.
 */
#ifndef TICKBUS_RISK_STAGE_H
#define TICKBUS_RISK_STAGE_H

#include <tickbus/kind.h>

#include "bus/market/marks.h"
#include "bus/market/session.h"
#include <tickbus/market/market.h>
#include "risk/limits.h"
#include "risk/limits_box.h"

typedef struct risk_params {
    risk_limits_t limits;
    /* where others come from while it runs; borrowed. NULL: from nowhere */
    const limits_box_t *limits_box;
    const marks_t *marks;           /* needed during the call only; NULL: marks_default */
    const venue_session_t *session; /* borrowed; NULL: by the clock of the host */
    /* those whose orders come, and where new limits of their own come from; NULL: from nowhere */
    uint32_t strategies_count;
    risk_strategy_t strategies[RISK_STRATEGIES_MAX];
    const word_box_t *strategy_boxes[RISK_STRATEGIES_MAX]; /* borrowed */
    uint32_t messages_max; /* orders and cancels under way, of all strategies; 0: 1024 */
    bool no_orders;        /* none will ever come: no book is kept for them */
} risk_params_t;

#define RISK_STATE_COUNTER      "risk.state" /* its values: enum gate_state (gate.h) */
#define RISK_STRATEGIES_COUNTER "risk.strategies_reducing"

extern const tbus_kind_t risk_kind; /* risk/kind.c; its parameters are a risk_limits_t */

/* The places "risk" must have been reserved: as subscriber of `md` and `reports`, as consumer of
 * `orders`. `market` is borrowed and may be shared with stages of the same process (market.h). The
 * stage is freed by its ops->destroy. -TBUS_ECONFIG (limits), -ENOMEM, and what kill_switch_find
 * and the joins return. Cold. */
int risk_stage_create(tbus_bus_t *bus, uint32_t owner, market_t *market,
                      const risk_params_t *params, tbus_stage_t **out_stage, tbus_error_t *err);

#endif
