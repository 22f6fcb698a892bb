/* SPDX-License-Identifier: Apache-2.0 */
/* losses.h - what risk says of losses that it has found out by itself. They stand like what
 * somebody has ordered: for everybody to see, on record, and over the end of the run
 * (tools/run/standing.h).
 *
 *    the loss limit of the bus       the reduction of the kill switch is thrown (kill_switch.h),
 *                                    and told from there (acts.h)
 *    that of a strategy alone        its bit in the kill switch, and STRATEGY_REDUCE on `events`
 *
 * Each is told once for each time that it was reached. Where a recording is repeated nothing is
 * told.
 *
 * Part of risk/stage.h.
 */
#ifndef TICKBUS_RISK_LOSSES_H
#define TICKBUS_RISK_LOSSES_H

#include "risk/acts.h"
#include "risk/gate.h"

typedef struct losses {
    gate_t *gate; /* none of these is owned */
    acts_t *acts;
    uint32_t strategies_count;
    const risk_strategy_t *strategies;
    bool told;             /* the limit of the bus was reached */
    uint32_t latched_told; /* strategies that have reached theirs (gate_strategies_latched) */
    uint32_t resumes;      /* of the acts by then: what was told before one of them is over */
} losses_t;

/* Latch what the kill switch says that strategies begin with, and tell it, before the first input:
 * who repeats this session begins like it. Once. */
void losses_begin(losses_t *losses, const acts_place_t *place);

/* Is there something to tell, or was something resumed? Hot. */
static inline bool losses_changed(const losses_t *losses)
{
    return gate_loss_latched(losses->gate) != losses->told ||
           gate_strategies_latched(losses->gate) != losses->latched_told ||
           losses->acts->resumes != losses->resumes;
}

/* Behind a release that was taken: what that has ended is not told again. */
void losses_tell(losses_t *losses, const acts_place_t *place);

#endif
