/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.h - one strategy's positions and profit by symbol, and the counters that show them.
 * Private to strategy/.
 *
 * Counters (signed values travel as their 64 bits): position.SYMBOL (position.#LOCATE while
 * nameless) in shares, there from the symbol's first execution on; pnl.realised_e4 and
 * pnl.unrealised_e4 over all symbols, in 1/10000 of the currency.
 */
#ifndef TICKBUS_STRATEGY_LEDGER_H
#define TICKBUS_STRATEGY_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/bus.h>

#include <tickbus/market/market.h>
#include <tickbus/market/position.h>

typedef struct ledger_entry {
    position_t position;
    tbus_atomic_u64_t *shares; /* the counter; NULL: never executed */
    uint32_t last_px_e4;       /* of its last execution */
} ledger_entry_t;

typedef struct ledger {
    tbus_bus_t *bus; /* not owned */
    uint32_t owner;
    ledger_entry_t *entries; /* by locate */
    uint16_t *traded;        /* locates that ever executed, in the order of their first execution */
    uint32_t traded_count;
    tbus_atomic_u64_t *realised;
    tbus_atomic_u64_t *unrealised;
} ledger_t;

/* Bytes that a ledger takes. */
size_t ledger_footprint(void);
/* Allocates, and takes the page faults. -ENOMEM; -TBUS_EFULL: no counter is left to show profit in.
 * Cold. */
int ledger_create(ledger_t *out_ledger, tbus_bus_t *bus, uint32_t owner, tbus_error_t *err);
void ledger_destroy(ledger_t *ledger);

/* Book an execution; `name`: 8 characters padded with spaces. -EOVERFLOW: it does not fit 64 bits,
 * or has no side; -TBUS_EFULL: no counter is left for its symbol, and a position must be seen.
 * Nothing is booked then. The first execution of a symbol looks up its counter (some
 * microseconds), all others cost a few stores. */
int ledger_execute(ledger_t *ledger, uint16_t locate, const char name[8], uint8_t side,
                   uint32_t qty, uint32_t px_e4, tbus_error_t *err);

/* Show profit. Open shares are valued at the middle of the touch; with one side only, at that side;
 * with none, at the price of the symbol's last execution. Cost: a look at every symbol that ever
 * executed. */
void ledger_publish(const ledger_t *ledger, const market_t *market);

#endif
