/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - the risk stage: every order passes its gate on the way to the executor, or is rejected.
 *
 *    md ------- "risk" --> the market view, marks       passed ---> approved (byte for byte)
 *    reports -- "risk" --> positions, open orders       rejected -> reports (REJECTED,
 *    orders --- "risk" --> judged (competing consumer)                       CANCEL_REJECTED)
 *
 * A poll takes all reports, then up to `budget` ticks, and before each tick and after the last the
 * orders that wait for no later one. An order is judged only after `md` was taken up to the tick
 * that its strategy had seen. So it is checked against a market at least as new as the one that
 * caused it, and against exactly that market if it has arrived by then. An order that names a tick
 * that does not exist is malformed: whoever can see the order can see every tick that its strategy
 * saw.
 *
 * What became of an order is published before the next order is taken. When that ring is FULL it is
 * kept, and orders wait; ticks and reports are taken all the same. That risk takes reports at all
 * times is what breaks the circle strategy -> risk -> executor -> strategy when rings fill up.
 *
 * The kill switch (kill_switch.h) is read with every order; so is the box of new limits: an order
 * is checked against one set of limits, never against parts of two. On a bus without a kill switch
 * no stage is made.
 *
 * Counters: risk.orders (all taken: new orders and cancels) = risk.passed + the sum of
 * risk.rejects.REASON; risk.cancels (of risk.orders); risk.report_mismatches (gate.h);
 * risk.limits_changes (sets of limits taken over from the box). They all exist from the start.
 *
 * Previous on the data path: strategy/stage.h. Next: risk/venue/executor.h.
 */
#ifndef TICKBUS_RISK_STAGE_H
#define TICKBUS_RISK_STAGE_H

#include <tickbus/kind.h>

#include <tickbus/market/market.h>
#include "risk/limits.h"
#include "risk/limits_box.h"

typedef struct risk_params {
    risk_limits_t limits;
    /* where others come from while it runs; borrowed. NULL: from nowhere */
    const limits_box_t *limits_box;
} risk_params_t;

extern const tbus_kind_t risk_kind; /* risk/kind.c; its parameters are a risk_limits_t */

/* The places "risk" must have been reserved: as subscriber of `md` and `reports`, as consumer of
 * `orders`. `market` is borrowed and may be shared with stages of the same process (market.h). The
 * stage is freed by its ops->destroy. -TBUS_ECONFIG (limits), -ENOMEM, and what kill_switch_find
 * and the joins return. Cold. */
int risk_stage_create(tbus_bus_t *bus, uint32_t owner, market_t *market,
                      const risk_params_t *params, tbus_stage_t **out_stage, tbus_error_t *err);

#endif
