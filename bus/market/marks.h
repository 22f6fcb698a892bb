/* SPDX-License-Identifier: Apache-2.0 */
/* marks.h - what an open position is worth a share: one rule, by which risk and the strategies'
 * ledgers value.
 *
 * A position is worth what it could be closed at: a long one the best bid, a short one the best
 * ask. That side of the book says nothing when it is empty, or when all that is left there is a
 * stub quote: one whose distance from the last trade is more than stub_bps of the last trade's
 * price. So the mark is
 *
 *    1  the best price of that side, if it is there and no stub; where nothing has traded yet, any
 *       price is none
 *    2  else the price of the last trade (market_symbol_t.last_px_e4)
 *    3  else the entry price: what the open shares cost, divided by them, rounded towards zero
 *
 * `by` tells which of them it was.
 *
 * A position that is open when a day begins (S with code O) keeps the mark that it had, until the
 * day shows an order or a trade of its symbol, or the position changes: that the books of yesterday
 * are gone makes it worth neither more nor less (profit.h).
 *
 * Pure. Beside tickbus/market/position.h; used by strategy/ledger.h and risk/exposure.h.
 */
#ifndef TICKBUS_BUS_MARKET_MARKS_H
#define TICKBUS_BUS_MARKET_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/kind.h>
#include <tickbus/market/market.h>
#include <tickbus/market/position.h>

typedef struct marks {
    uint32_t stub_bps; /* 0..1000000 */
} marks_t;

/* The numbers travel in counters. */
enum mark_by { MARK_NONE = 0, MARK_BID = 1, MARK_ASK = 2, MARK_TRADE = 3, MARK_ENTRY = 4 };

typedef struct mark {
    uint32_t px_e4; /* 0: there is no position */
    uint32_t by;    /* enum mark_by */
} mark_t;

/* Of a position that has not changed: then nothing else has, either. */
static inline bool mark_same(mark_t a, mark_t b)
{
    return a.px_e4 == b.px_e4 && a.by == b.by;
}

/* "marks": its parameters are a marks_t, and so is what it makes. */
extern const tbus_resource_t marks_resource;
/* Its defaults, for whoever was given none. */
extern const marks_t marks_default;

/* What `position` is worth a share. `last_px_e4`: of the last trade, 0: none. Hot. */
mark_t mark_of(const marks_t *marks, const position_t *position, const market_touch_t *touch,
               uint32_t last_px_e4);

/* "bid", "ask", "last_trade", "entry"; "none" for everything else. */
const char *mark_by_name(uint32_t by);

#endif
