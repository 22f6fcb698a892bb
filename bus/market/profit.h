/* SPDX-License-Identifier: Apache-2.0 */
/* profit.h - profit of many positions, kept up to date from execution to execution and from mark to
 * mark: what a strategy shows and what risk holds against its loss limit are the same figures.
 *
 *    gross = realised (position.h) + unrealised (each open position at its mark, marks.h)
 *    net   = gross - fees
 *
 * In integers this is what is in the till: net = what was sold for - what was bought for - fees +
 * the sum of shares x mark, to the last 1/10000.
 *
 * Drawdown: how far net has been below the highest that it had reached before, 0 at the beginning
 * included. It is looked at after each execution and each change of a mark.
 *
 * Sums are kept in 128 bits, where they cannot overflow, and shown in 64, saturated.
 *
 * Pure. Above tickbus/market/position.h and marks.h; below strategy/ledger.h and risk/exposure.h.
 */
#ifndef TICKBUS_BUS_MARKET_PROFIT_H
#define TICKBUS_BUS_MARKET_PROFIT_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/market/position.h>
#include <tickbus/msg/report.h>

#include "bus/market/marks.h"

__extension__ typedef __int128 profit_money_t;

/* One position. */
typedef struct holding {
    position_t position;
    mark_t mark; /* as last set */
    int64_t unrealised_e4;
    int64_t fees_e4; /* paid; negative: received */
    bool carried;    /* from the day before: it keeps its mark for now (marks.h) */
} holding_t;

/* Of all positions that were booked with it. */
typedef struct profit {
    profit_money_t realised;
    profit_money_t unrealised;
    profit_money_t fees;
    profit_money_t peak; /* highest net so far, 0 or more */
    profit_money_t drawdown;
} profit_t;

/* Book an execution (PARTIAL or FILLED), or take one back (BROKEN). The mark stays as it is: set it
 * anew afterwards, which also looks at the drawdown. False: position_apply refuses it, or the fees
 * do not fit 64 bits; then nothing has changed. Hot. */
bool profit_execute(profit_t *total, holding_t *holding, const report_t *report);

/* What the position, which is in the symbol of that number, is to be valued at now. Hot. */
mark_t profit_mark_now(const marks_t *marks, holding_t *holding, const market_t *market,
                       uint16_t locate);

/* A day begins. */
static inline void profit_carry(holding_t *holding)
{
    holding->carried = holding->position.qty != 0;
}

/* The position is worth `mark` now. Hot. */
void profit_mark(profit_t *total, holding_t *holding, mark_t mark);

static inline profit_money_t profit_net(const profit_t *p)
{
    return p->realised + p->unrealised - p->fees;
}

/* Saturated, for showing. */
int64_t profit_e4(profit_money_t money);

#endif
