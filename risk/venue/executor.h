/* SPDX-License-Identifier: Apache-2.0 */
/* executor.h - the executor stage: takes approved orders to the venue model and reports what
 * becomes of them.
 *
 *    md -------- "executor" --> market view --> venue (venue.h) --+--> reports
 *    approved -- "executor" --------------------> venue ----------+
 *
 * A poll takes up to `budget` ticks, each of which may fill resting orders, and before each tick
 * and after the last the approved orders that wait for no later one: an order is executed once `md`
 * was taken up to the tick that its strategy had seen. When `reports` is FULL, what one input
 * caused is kept, and no further input is taken until it is out.
 *
 * What poll returns counts the messages taken and the reports made, so that a tick that filled an
 * order can be told from one that did nothing.
 *
 * Once the kill switch (risk/kill_switch.h) is thrown nothing is executed any more: new orders are
 * rejected, and resting ones cancelled as soon as no report waits for room, both with reason
 * KILL_SWITCH. Cancels still work. On a bus without a kill switch no stage is made.
 *
 * Counters: executor.orders (new orders taken), executor.cancels, executor.executions,
 * executor.executed_shares, executor.open_orders (a gauge). Histogram "tick_to_report": for each
 * order's first report, from the intended time of the tick that caused the order to the moment of
 * publishing.
 *
 * Previous on the data path: risk/stage.h. Next: tickbus/msg/report.h -> strategy, risk, journal.
 */
#ifndef TICKBUS_RISK_VENUE_EXECUTOR_H
#define TICKBUS_RISK_VENUE_EXECUTOR_H

#include <tickbus/kind.h>

#include <tickbus/market/market.h>
#include "risk/venue/venue.h"

typedef struct executor_params {
    venue_limits_t venue;
} executor_params_t;

extern const tbus_kind_t executor_kind; /* risk/venue/kind.c; its parameters: a venue_limits_t */

/* The places "executor" must have been reserved on `md` and `approved`. `market` is borrowed and
 * may be shared with stages of the same process (market.h). The stage is freed by its ops->destroy.
 * -TBUS_ECONFIG (params), -ENOMEM, and what the joins return. Cold. */
int executor_stage_create(tbus_bus_t *bus, uint32_t owner, market_t *market,
                          const executor_params_t *params, tbus_stage_t **out_stage,
                          tbus_error_t *err);

#endif
