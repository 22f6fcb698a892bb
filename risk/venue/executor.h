/* SPDX-License-Identifier: Apache-2.0 */
/* executor.h - the executor stage: takes approved orders to the venue model and reports what
 * becomes of them.
 *
 *    md -------- "executor" --> market view --> venue (venue.h) --+--> reports
 *    judged ---- "executor" --------------------> venue ----------+
 *
 * Ticks and arrivals are taken in the order of market time (bus/market/drive.h). An order that was
 * sent at t arrives at t + its latency, but not before what was sent earlier (session.h); one that
 * arrives at the time of a tick comes after that tick. What risk has judged not to pass arrives
 * like any other and is rejected with risk's reason. A report about what happens at e is seen at e
 * + the response latency, but not before an earlier report. By the clock of the host an order
 * arrives when it is there and `md` was taken as far as the tick that it answers.
 *
 * An order that was sent before the day began, and arrives later, is rejected (CLOSED): its locate
 * may be that of another stock by then. Orders and reports name wire locates
 * (tickbus/market/market.h), the venue model goes by symbols.
 *
 * With executor.durable an order is taken only when its record is on the disk, which is looked at
 * every 100 us while one waits: what an order does, and its market time, stay the same.
 *
 * Judged orders are otherwise taken off their ring at once and kept until they arrive. When
 * `reports` is FULL, what one input caused is kept, and nothing is taken until it is out.
 *
 * Once the kill switch (risk/kill_switch.h) is thrown nothing is executed any more: new orders are
 * rejected, and resting ones cancelled as soon as no report waits for room, both with reason
 * KILL_SWITCH. Cancels still work. On a bus without a kill switch no stage is made.
 *
 * Counters: executor.orders (new orders taken), executor.cancels, executor.executions,
 * executor.executed_shares, executor.broken (executions taken back), executor.open_orders (a
 * gauge). Histogram "tick_to_report": for the first report that answers an order, a replace or a
 * cancel, from the intended time of the tick that it answers to the moment of publishing.
 * digest.reports: bus/msg/digest.h.
 *
 * Previous on the data path: risk/stage.h. Next: tickbus/msg/report.h -> strategy, risk, journal.
 */
#ifndef TICKBUS_RISK_VENUE_EXECUTOR_H
#define TICKBUS_RISK_VENUE_EXECUTOR_H

#include <tickbus/kind.h>

#include "bus/market/session.h"
#include <tickbus/market/market.h>
#include "risk/venue/venue.h"

typedef struct executor_params {
    venue_limits_t venue;
    const venue_session_t *session; /* borrowed; NULL: by the clock of the host */
    uint32_t messages_max;          /* orders and cancels under way, of all strategies; 0: 1024 */
    bool no_orders;                 /* none will ever come: no book is kept for them */
} executor_params_t;

extern const tbus_kind_t executor_kind; /* risk/venue/kind.c; its parameters: a venue_limits_t */

/* The places "executor" must have been reserved on `md` and `judged`. `market` is borrowed and
 * may be shared with stages of the same process (market.h). The stage is freed by its ops->destroy.
 * -TBUS_ECONFIG (params), -ENOMEM, and what the joins return. Cold. */
int executor_stage_create(tbus_bus_t *bus, uint32_t owner, market_t *market,
                          const executor_params_t *params, tbus_stage_t **out_stage,
                          tbus_error_t *err);

#endif
