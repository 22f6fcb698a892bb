/* SPDX-License-Identifier: Apache-2.0 */
/* why_gate.h - what risk found when it judged the orders of a recorded session.
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

#include "risk/gate.h"
#include "tools/journal/why_session.h"
#include "tools/journal/why_setup.h"

typedef struct why_verdict {
    unsigned checks_count;
    gate_check_t checks[GATE_CHECKS_MAX];
    bool touch_there;
    market_touch_t touch; /* of the order's symbol after the tick that it answers */
    uint64_t market_ns;   /* when it was judged */
    uint64_t judged;      /* orders up to it, */
    uint64_t differ;      /* and those of them whose verdict was recorded otherwise */
} why_verdict_t;

/* Told of each order of session->entries that was judged, in the order of judging. 0: go on;
 * negative: the walk fails with it. */
typedef int (*why_sink_t)(void *context, const why_entry_t *entry, const why_verdict_t *verdict);

/* Judge all that was judged, or as far as `only`, an entry that was judged, of which alone the sink
 * is told then (NULL: of all). The ticks that are come to are set in session->entries. An order's
 * verdict is the same either way. -TBUS_ENOTFOUND: the journal lacks its beginning, or, by the
 * clock of the host, the order of risk's inputs; -TBUS_ELIMIT: a limit of the books; -ENOMEM; the
 * errors of reading. The sink was told of all that was judged before the error. Cold: reads the
 * journal up to the last order. */
int why_gate_run(const char *directory, const why_setup_t *setup, why_session_t *session,
                 const why_entry_t *only, why_sink_t sink, void *context, tbus_error_t *err);

#endif
