/* SPDX-License-Identifier: Apache-2.0 */
/* gate_parts.h - the gate's own state, shared by the files that it is made of and by nobody else.
 *
 *    gate.c           its life, its states, what it is told of reports and ticks
 *    gate_checks.c    the checks, judging and explaining
 */
#ifndef TICKBUS_RISK_GATE_PARTS_H
#define TICKBUS_RISK_GATE_PARTS_H

#include <tickbus/atomic.h>

#include "risk/exposure.h"
#include "risk/gate.h"
#include "risk/rate.h"

/* Whose orders are counted together: those of all strategies, or of one. */
typedef struct scope {
    exposure_t exposure;
    rate_t orders;             /* let through: new orders and replaces */
    rate_t messages;           /* ... and cancels */
    bool loss_latched;         /* the loss limit was reached */
    profit_money_t loss_from;  /* net profit from which losses count */
    profit_money_t loss_worst; /* largest loss since */
} scope_t;

/* A strategy that has limits of its own. */
typedef struct own {
    uint32_t number;
    strategy_limits_t limits;
    scope_t scope;
} own_t;

struct gate {
    risk_limits_t limits;
    risk_limits_t first_limits; /* what memory was taken for */
    const market_t *market;     /* not owned */
    bool killed;
    bool reducing;        /* somebody said so */
    bool rearmed;         /* losses count from the next order or tick on */
    uint64_t *last_count; /* owned; by strategy: highest order_count seen */
    uint32_t self_match;
    scope_t all;
    uint32_t own_count;
    own_t *own; /* owned */
    /* bit set: somebody has a position there. Where nobody has limits of his own it is
     * all.exposure.held */
    uint64_t held[MARKET_LOCATES / 64];
};

/* The strategy's own limits and what they are held against; NULL: it has none. */
static inline own_t *own_of(const gate_t *g, uint32_t strategy)
{
    for (uint32_t i = 0; i < g->own_count; i++)
        if (g->own[i].number == strategy)
            return &g->own[i];
    return NULL;
}

/* Losses count from here. */
void gate_count_losses_anew(gate_t *g);

#endif
