/* SPDX-License-Identifier: Apache-2.0 */
/* why_gate.h - what risk found when it judged an order of a recorded session.
 *
 * The values of its checks are not recorded. They are made out anew: the project's own gate
 * (risk/gate.h) over the recorded market data, the orders in the order in which they were judged,
 * and the reports, as risk took them:
 *
 *    venue.clock market   by market time (risk/stage.c): ticks up to the time at which the order
 *                         was sent; reports seen before it, or by its strategy
 *    venue.clock host     in the order that risk told on the topic `inputs`
 *
 * with the recorded configuration, and halts and changes of limits where risk took them. That every
 * verdict on the way comes out as it was recorded is counted: if one does not, the figures are not
 * to be trusted.
 */
#ifndef TICKBUS_TOOLS_JOURNAL_WHY_GATE_H
#define TICKBUS_TOOLS_JOURNAL_WHY_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>
#include <tickbus/market/market.h>

#include "risk/gate.h"
#include "tools/journal/why_life.h"

/* Of the recorded configuration. */
typedef struct why_setup {
    risk_limits_t limits; /* at the start */
    market_limits_t books;
    bool by_market; /* venue.clock */
} why_setup_t;

typedef struct why_verdict {
    unsigned checks_count;
    gate_check_t checks[GATE_CHECKS_MAX];
    bool touch_there;
    market_touch_t touch; /* of the order's symbol after the tick that it answers */
    uint64_t market_ns;   /* when it was judged */
    uint64_t judged;      /* orders up to it, */
    uint64_t differ;      /* and those of them whose verdict was recorded otherwise */
} why_verdict_t;

/* `life`: of an order that was judged. -TBUS_ENOTFOUND: the journal lacks its beginning, or, by the
 * clock of the host, the order of risk's inputs; -ENOMEM; the errors of reading. Cold: reads the
 * journal up to the order. */
int why_gate_run(const char *directory, const why_setup_t *setup, const why_life_t *life,
                 why_verdict_t *out_verdict, tbus_error_t *err);

#endif
