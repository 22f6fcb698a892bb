/* SPDX-License-Identifier: Apache-2.0 */
/* why_setup.h - what the recorded configuration says of risk: with it its checks are made again. */
#ifndef TICKBUS_TOOLS_JOURNAL_WHY_SETUP_H
#define TICKBUS_TOOLS_JOURNAL_WHY_SETUP_H

#include <stdbool.h>

#include <tickbus/error.h>
#include <tickbus/market/market.h>

#include "risk/gate.h"

typedef struct why_setup {
    risk_limit_set_t limits; /* at the start */
    gate_rules_t rules;      /* strategies: whoever uses it points them to those of its limits */
    market_limits_t books;
    bool by_market; /* venue.clock */
} why_setup_t;

/* -TBUS_ENOTFOUND: the journal says nothing of a configuration, or that has no risk;
 * -TBUS_ECONFIG: this tickbus cannot read it. Reads the beginning of the journal. Not for several
 * threads. */
int why_setup_read(const char *directory, why_setup_t *out_setup, tbus_error_t *err);

#endif
