/* SPDX-License-Identifier: Apache-2.0 */
/* venue_parts.h - the venue model from the inside. Private to risk/venue.
 *
 *    venue.c   how it is made, orders that arrive      fills.c   what the market does to ours
 */
#ifndef TICKBUS_RISK_VENUE_VENUE_PARTS_H
#define TICKBUS_RISK_VENUE_VENUE_PARTS_H

#include "bus/market/session.h"
#include "risk/venue/breaks.h"
#include "risk/venue/resting.h"
#include "risk/venue/taken.h"
#include "risk/venue/venue.h"

struct venue {
    const market_t *market; /* not owned */
    venue_emit_t emit;
    void *emit_context;
    uint64_t exec_id;
    venue_stats_t stats;
    bool prints;         /* prints through our price fill us */
    uint32_t self_match; /* enum session_self_match */
    session_fees_t fees;
    /* bit set: there may be own orders or taken shares */
    uint64_t active[MARKET_LOCATES / 64];
    uint64_t *last_count;  /* by strategy: highest order_count seen */
    uint64_t restored_seq; /* of the market's books, as last seen */
    resting_t resting;
    taken_t taken;
    breaks_t breaks;
};

/* An execution of ours. */
typedef struct execution {
    uint32_t qty; /* of the shares that the order has left */
    uint32_t px_e4;
    uint8_t liquidity;
    uint64_t match; /* of the trade that made it, 0: none in the market data */
} execution_t;

void venue_emit_execution(venue_t *v, const resting_order_t *o, const execution_t *execution);
void venue_emit_cancelled(venue_t *v, const resting_order_t *o, uint8_t reason, uint64_t intended);
/* `intended`: of what took it off; 0: no tick did, or nobody counts from it. */
void venue_cancel_resting(venue_t *v, uint32_t place, uint8_t reason, uint64_t intended);

/* The books were made anew since we looked last: what stands there now is ahead of ours. `e`: what
 * the market did meanwhile, which is still to be told of; NULL: nothing. */
void venue_restored(venue_t *v, const market_event_t *e);

static inline void venue_look_for_restore(venue_t *v, const market_event_t *e)
{
    if (TBUS_UNLIKELY(market_day(v->market)->restored_seq > v->restored_seq))
        venue_restored(v, e);
}

static inline void venue_emit(venue_t *v, const report_t *report, uint64_t intended)
{
    v->emit(v->emit_context, report, intended);
}

/* Does the symbol trade by the continuous rules? */
static inline bool venue_trades(const venue_t *v, uint16_t locate)
{
    return market_symbol(v->market, locate)->trading != MARKET_HALTED;
}

#endif
