/* SPDX-License-Identifier: Apache-2.0 */
/* venue.h - a model of the exchange: what would have happened to our orders in the market that the
 * ticks show.
 *
 * Pure: no rings, no clock. It is driven by the outcome of every tick (market.h) and by orders, and
 * calls `emit` with each report. The displayed book is other people's and does not change because
 * of us; the model only remembers what we took.
 *
 * An order that arrives
 *
 *    - is ACCEPTED first, or REJECTED: MALFORMED; DUPLICATE_ID (its id is not above the last of its
 *      strategy, as in a replayed or reordered approval); CLOSED (the system takes no orders,
 *      market.h); HALTED; STALE_BOOK (nobody knows what the book lacks); UNKNOWN_ORDER (a replace
 *      of an order that does not rest, or is of another symbol or side); VENUE_FULL (no room to let
 *      it rest, or to remember what it may take); POST_ONLY (below);
 *    - if marketable, fills level by level against the displayed opposite side, best price first,
 *      up to its limit and at the levels' prices, at most VENUE_SWEEP_LEVELS levels deep and as far
 *      as what it takes can be remembered (liquidity R);
 *    - what is left rests when DAY, and is CANCELLED (IOC_UNFILLED) when IOC. A DAY order whose
 *      sweep ended with displayed shares still within its limit is treated as IOC: it must not
 *      rest inside the book.
 *
 * Post-only. An order with ORDER_POST_ONLY whose limit reaches the best displayed price of the
 * other side, whatever we took of it, is rejected. With ORDER_SLIDE it gets another limit: the next
 * price on its own side of that displayed one, by ticks of 0.01 at 1.00 and above and of 0.0001
 * below; then it is accepted with that limit.
 *
 * Replace. Its quantity is a total: what the replaced order and those that it had replaced in turn
 * have had executed is taken off. Without anything left the replaced order is CANCELLED (REPLACED)
 * and the replace REJECTED (NOTHING_LEFT). Else the replaced order is CANCELLED (REPLACED), and the
 * new one is ACCEPTED with what is left: in its place, with its time and all that is ahead, when it
 * is a DAY order at the same limit with no more shares than the replaced one had; else as an order
 * that arrives now. A replace that is rejected for another reason leaves the replaced order as it
 * is.
 *
 * Taken shares. The same displayed shares are never filled twice. What we take of a level is taken
 * from the front of its queue, displayed order by displayed order, and is remembered by order: of
 * one that displays d shares and of which we took t so far, max(0, d - t) are there for us. E, C
 * and X lower d, and leave t as it is: whoever executed or cancelled those shares did not leave us
 * others. A replace (U) carries t over to the new order, at whatever price; t is forgotten when the
 * order is gone. So what is there for us grows only by orders that are new, and by those that a
 * replace enlarges.
 *
 * Where the books are made anew by a snapshot (market.h), all that it shows is ahead of our orders,
 * which rest on, and shares that we took are there again.
 *
 * A resting order joins the back of its level: everything displayed there at its arrival is ahead
 * of it, and removals of what was there, executed or not, are what brings it forward. While its
 * symbol trades (market.h: not halted) it fills at its own limit (liquidity A) when the market
 * shows that it would have been reached. Messages and fields are those of ITCH 5.0:
 *
 *    - E, or C at the displayed price, of an order that joined its level after it, once nothing is
 *      ahead any more;
 *    - E, or C at the displayed price, of an order of its own side at a worse price
 *      (trade-through), whatever is ahead of it: its price has priority;
 *    - a print through its limit: a P, or a C at another price than the displayed one, whose price
 *      is worse than its limit (lower for an order to buy, higher for one to sell), whatever is
 *      ahead of it: whoever traded there had our price in front of him. A C concerns the side of
 *      its order, a P first the orders to buy, then those to sell. A print at its limit or better
 *      does not fill it, nor does any with `prints` off;
 *    - a new displayed order of the opposite side (A, F, U) whose price reaches its limit: the two
 *      would have matched.
 *
 * Each of these fills at most the shares that the event shows, best price first, then by time of
 * arrival. Shares of a displayed opposite order that fill us count as taken of it; while the table
 * of taken orders is full, they do not fill us. Own orders never trade with each other. With
 * venue_set_self_match an order that reaches resting orders of ours takes these off
 * (CANCELLED, SELF_MATCH), best price first, before it is accepted, or is then itself REJECTED
 * (SELF_MATCH), whatever strategies they are of.
 *
 * Crosses. What belongs to a cross never fills by the rules above: C with printable N, and any E or
 * C while the symbol is halted. Such shares bring an order forward, and are counted for Q. Q, of S
 * shares at price p, fills the orders of ours that reach p, at p (liquidity C), for each side of
 * its own, best price first, then by time of arrival; all of a side by S shares at most:
 *
 *    - an order whose limit is better than p: all that was better traded in full;
 *    - one whose limit is p: once nothing is displayed ahead of it, by what S leaves after other
 *      orders of ours and after those displayed shares that stood before it, at a better price or
 *      at p and earlier, and were executed in this cross since the Q before. A Q that comes before
 *      the executions of its cross finds them still ahead.
 *
 * There are no orders that wait for a cross (MOO, LOO, MOC, LOC), and new orders are rejected while
 * the symbol is halted. Minimum quantities are not modelled.
 *
 * Broken trades. B takes back those executions of ours that the trade of its match number made (E,
 * C, P, Q): one BROKEN for each, in their order, with its number, price and quantity. The order
 * does not come back. A match number that a later trade has too names the later; of all executions
 * the last `breakable_max` are remembered.
 *
 * What rests is a DAY order: it ends, CANCELLED (CLOSED), with the tick that closes the system (S
 * with E or C), or, if the day had no such end, with the one that begins the next day (S with O).
 * With a day what was taken, and what a B could take back, is forgotten. A P or Q that contradicts
 * the directory (market_event_t.foreign) does nothing.
 *
 * Every order's shares balance: filled + cancelled + left open = its quantity. Executions are
 * numbered from 1.
 *
 * Previous on the data path: risk/gate.h. Next: risk/venue/executor.h.
 */
#ifndef TICKBUS_RISK_VENUE_VENUE_H
#define TICKBUS_RISK_VENUE_VENUE_H

#include <stdint.h>

#include <tickbus/error.h>
#include <tickbus/param.h>

#include <tickbus/market/market.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>

#include "bus/market/session.h"

#define VENUE_SWEEP_LEVELS    256u     /* levels that one order may fill against */
#define VENUE_RESTING_LIMIT   1048576u /* largest resting_max */
#define VENUE_TAKEN_LIMIT     1048576u /* largest taken_max */
#define VENUE_BREAKABLE_LIMIT 1048576u /* largest breakable_max */

typedef struct venue_limits {
    uint32_t resting_max; /* resting orders at a time, 1..1048576 */
    /* displayed orders of which something was taken at a time, VENUE_SWEEP_LEVELS..1048576 */
    uint32_t taken_max;
    bool durable;           /* for the executor: take only what is on the disk */
    bool prints;            /* prints through our price fill us */
    uint32_t breakable_max; /* executions that a broken trade can take back, 0..1048576 */
} venue_limits_t;

typedef struct venue venue_t;

/* Gets each report in order, without times and flags. `intended`: of the order that it is about,
 * or of the cancel that it answers (order.h); 0: no tick caused it. May not call the venue. */
typedef void (*venue_emit_t)(void *context, const report_t *report, uint64_t intended);

typedef struct venue_stats {
    uint64_t orders;  /* new orders taken */
    uint64_t cancels; /* cancels taken */
    uint64_t executions;
    uint64_t executed_shares;
    uint64_t open_orders; /* resting now */
    uint64_t broken;      /* executions taken back */
    uint64_t broken_shares;
} venue_stats_t;

/* Ranges, defaults and meanings of venue_limits_t: the one place where they stand. */
extern const tbus_params_t venue_limits_params;

/* Bytes that a venue of these limits takes, with the reports that its stage may have to keep. */
size_t venue_footprint(const venue_limits_t *limits);

/* `market` is borrowed; it must have taken the tick of every event given to venue_on_market, and no
 * further one. All memory is allocated and touched here. -TBUS_ECONFIG, -ENOMEM. */
int venue_create(const venue_limits_t *limits, const market_t *market, venue_emit_t emit,
                 void *emit_context, venue_t **out_venue, tbus_error_t *err);
void venue_destroy(venue_t *v);

/* What is done with own orders that would meet (enum session_self_match); at first
 * SELF_MATCH_CANCEL_NEWEST: nothing, risk has seen to it. */
void venue_set_self_match(venue_t *v, uint32_t self_match);

/* What executions cost from now on, told in their reports (fee_e4); at first nothing. */
void venue_set_fees(venue_t *v, const session_fees_t *fees);

/* The most reports that one call of venue_order, venue_on_market or venue_cancel_all can cause. */
uint32_t venue_reports_max(const venue_t *v);

/* A new order, a replace or a cancel, arriving after the last tick that the market has taken. A
 * cancel ends in CANCELLED (USER_CANCEL), or in CANCEL_REJECTED (UNKNOWN_ORDER) when no resting
 * order has its id. Hot; cost grows with the levels and orders swept, and with the own orders of
 * its side and symbol that come before it. */
void venue_order(venue_t *v, const order_t *order);

/* Which symbols venue_on_market has something to do for: bit by locate, and always that of locate
 * 0, under which phases change. Good while the venue is. */
const uint64_t *venue_concerns(const venue_t *v);
/* And, of whatever symbol, for which types of messages (256 bytes, by letter): broken trades, which
 * may come when nothing rests any more. */
const uint8_t *venue_types(void);

/* The next tick, NULL when it is shorter than a tick_t, and its outcome; may be left out where
 * venue_concerns has no bit and venue_types is 0. Hot. */
void venue_on_market(venue_t *v, const market_event_t *event, const tick_t *tick);

/* Answer a new order without executing it: REJECTED with `reason`. */
void venue_refuse(venue_t *v, const order_t *order, uint8_t reason);

/* Cancel everything that rests: CANCELLED with `reason`. */
void venue_cancel_all(venue_t *v, uint8_t reason);

venue_stats_t venue_stats(const venue_t *v);

#endif
