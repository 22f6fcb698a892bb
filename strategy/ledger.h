/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.h - one strategy's positions and profit by symbol, and the counters that show them.
 * Private to strategy/.
 *
 * How a position is valued: bus/market/marks.h; what profit, fees and drawdown are:
 * bus/market/profit.h. Marks follow the market tick by tick, so the drawdown is the same in every
 * layout; counters of profit are stored from time to time.
 *
 * Counters (signed values travel as their 64 bits; money is in 1/10000 of the currency; SYMBOL is
 * #LOCATE while nameless), there from the symbol's first execution on:
 *
 *    position.SYMBOL                       shares
 *    symbols.SYMBOL.realised_e4            of this position
 *                  .unrealised_e4
 *                  .fees_e4                paid for its executions; negative: received
 *                  .mark_px_e4             what it is valued at, 0: no position
 *                  .mark_by                enum mark_by
 *                  .volume                 shares bought and sold
 *                  .fills_added            executions that added liquidity, and that took it
 *                  .fills_taken
 *    pnl.realised_e4 pnl.unrealised_e4     over all symbols
 *    pnl.fees_e4 pnl.drawdown_e4
 *    pnl.symbols_left_out                  symbols without the counters of symbols.*: half of all
 *                                          counters of a bus are kept for positions
 */
#ifndef TICKBUS_STRATEGY_LEDGER_H
#define TICKBUS_STRATEGY_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/bus.h>

#include <tickbus/market/market.h>
#include <tickbus/msg/report.h>

#include "bus/market/profit.h"

enum ledger_shown {
    LEDGER_REALISED,
    LEDGER_UNREALISED,
    LEDGER_FEES,
    LEDGER_MARK_PX,
    LEDGER_MARK_BY,
    LEDGER_VOLUME,
    LEDGER_FILLS_ADDED,
    LEDGER_FILLS_TAKEN,
    LEDGER_SHOWN_COUNT
};

#define LEDGER_SYMBOLS_MAX TBUS_COUNTERS_MAX /* each has a counter of its position */

typedef struct ledger_entry {
    holding_t holding;
    uint64_t fills_added;
    uint64_t fills_taken;
    uint16_t locate;
    tbus_atomic_u64_t *shares;                    /* the counter of its position */
    tbus_atomic_u64_t *shown[LEDGER_SHOWN_COUNT]; /* [0] NULL: left out */
} ledger_entry_t;

typedef struct ledger {
    tbus_bus_t *bus; /* not owned */
    uint32_t owner;
    marks_t marks;
    uint16_t *place;                    /* owned; by locate: of its entry, 0: it never executed */
    ledger_entry_t *entries;            /* owned; [0] is of no symbol, and stays all zeros */
    uint32_t entries_count;             /* beside [0] */
    uint64_t held[MARKET_LOCATES / 64]; /* bit set: there is a position */
    uint64_t left_out;
    profit_t profit;
    tbus_atomic_u64_t *realised;
    tbus_atomic_u64_t *unrealised;
    tbus_atomic_u64_t *fees;
    tbus_atomic_u64_t *drawdown;
    tbus_atomic_u64_t *symbols_left_out;
} ledger_t;

/* Bytes that a ledger takes. */
size_t ledger_footprint(void);
/* Allocates, and takes the page faults. -ENOMEM; -TBUS_EFULL: no counter is left to show profit in.
 * Cold. */
int ledger_create(ledger_t *out_ledger, tbus_bus_t *bus, uint32_t owner, const marks_t *marks,
                  tbus_error_t *err);
void ledger_destroy(ledger_t *ledger);

/* Book an execution in `locate` (that of the order), and mark the position. -EOVERFLOW: it does not
 * fit 64 bits, or has no side; -TBUS_EFULL: no counter is left for its symbol, and a position must
 * be seen. Nothing is booked then. The first execution of a symbol looks up its counters (some
 * microseconds), all others cost a few stores. */
int ledger_execute(ledger_t *ledger, const market_t *market, uint16_t locate,
                   const report_t *report, tbus_error_t *err);

/* Was there an execution, ever? Hot. */
static inline bool ledger_has_executed(const ledger_t *ledger)
{
    return ledger->entries_count != 0;
}

/* Where `locate` has no position its market does not matter. Hot. */
static inline bool ledger_holds(const ledger_t *ledger, uint16_t locate)
{
    return ledger->held[locate / 64] >> (locate % 64) & 1;
}
/* A tick of a symbol in which there is a position: mark it anew. Hot. */
void ledger_mark(ledger_t *ledger, const market_t *market, uint16_t locate);
/* A day begins: positions keep their marks for now (bus/market/marks.h). */
void ledger_begin_day(ledger_t *ledger);

/* Never NULL: an empty position where there was no execution. */
static inline const position_t *ledger_position(const ledger_t *ledger, uint16_t locate)
{
    return &ledger->entries[ledger->place[locate]].holding.position;
}

/* Store the counters. Cost: a look at every symbol that ever executed. */
void ledger_publish(const ledger_t *ledger);

#endif
