/* SPDX-License-Identifier: Apache-2.0 */
/* limits_box.h - new limits for a risk stage that is running: put in by whoever may change them,
 * taken out by the stage between two orders, all of them at once or none. A box of words
 * (bus/market/word_box.h) with the figures of risk_limits_t, in its order; in a pipeline the block
 * "risk.limits" of the bus directory.
 *
 * Those of strategies alone are in boxes of their own (bus/market/strategy_limits.h), which are
 * written before it. Of one change all have the same number.
 */
#ifndef TICKBUS_RISK_LIMITS_BOX_H
#define TICKBUS_RISK_LIMITS_BOX_H

#include <stdbool.h>

#include "bus/market/word_box.h"
#include "risk/limits.h"

typedef word_box_t limits_box_t;

/* Put in a set, whatever was in it. One thread of one process. */
void limits_box_put(limits_box_t *box, const risk_limits_t *limits);

/* Is there a set that was put in after the one of *seen (0 at first)? Then it is in *out_limits,
 * and *seen is its version. Hot. */
bool limits_box_take(const limits_box_t *box, uint64_t *seen, risk_limits_t *out_limits);

#endif
