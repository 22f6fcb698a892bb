/* SPDX-License-Identifier: Apache-2.0 */
/* gate.h - decides on every order: let it through, or reject it, and why.
 *
 * Pure: no rings, no clock. It is told of every tick and every report, and keeps positions and open
 * orders from them, so that it can say what the worst would be if an order passed. It fails closed:
 * what cannot be known or computed is rejected.
 *
 * A cancel passes if it is well formed (order_form.h), whatever else holds. A new order is checked
 * in this order, and the first check that it fails gives the reason:
 *
 *     1 MALFORMED       not an order (order_form.h)
 *     2 DUPLICATE_ID    not above every id that its strategy has used, in rejected orders as well
 *     3 KILL_SWITCH     the kill switch is on
 *     4 UNKNOWN_SYMBOL  neither directory entry nor order seen for its locate
 *     5 HALTED          the symbol does not trade
 *     6 MAX_QTY         qty > max_order_qty
 *     7 MAX_NOTIONAL    qty x limit price > max_order_notional_e4
 *     8 NO_REFERENCE    no limit price (0), or a side of the book empty, or the book locked or
 *                       crossed
 *     9 PRICE_COLLAR    limit price further than the collar above or below the best price of its
 *                       own side
 *    10 POSITION_LIMIT  position + all open orders of its side + this one beyond position_max
 *    11 GROSS_NOTIONAL  value of all positions + all open orders + this one > gross_notional_max_e4
 *    12 RATE            orders_per_second orders have passed within the last second
 *    13 OPEN_ORDERS     open_orders_max orders are open
 *       OVERFLOW        10 or 11 cannot be computed in 64 bits; and every order after an execution
 *                       that could not be booked
 *
 * The duplicate check stands before all that depend on the state of the world: so a REJECTED for
 * any other reason than MALFORMED and DUPLICATE_ID is about the one order that ever had the id, and
 * those two say nothing about an order of that id that may be live.
 *
 * Reference: a buy is measured from the best bid, a sell from the best ask, in both directions. So
 * a far-away quote on the other side (a stub quote) cannot make a bad price acceptable; an order
 * that would pay a spread wider than the collar is rejected.
 *
 * Exposure is worst case: every open share counts until its order has ended (exposure.h says at
 * which price). An order that can only close a position, even if all open orders of its side fill,
 * is not checked against the gross limit: a limit must never prevent closing a position.
 *
 * Rate: a sliding window, exact: an order passes if fewer than orders_per_second have passed in the
 * second that ends with it. The clock is market time (tickbus/market/clock.h), at which the order
 * was sent: the same inputs give the same decisions at any pace. Where that clock restarts, because
 * the stamps of the market data went back, the window begins anew.
 *
 * A replace is judged as a new order, with the order that it replaces still open.
 *
 * Previous on the data path: tickbus/msg/order.h. Next: risk/stage.h.
 */
#ifndef TICKBUS_RISK_GATE_H
#define TICKBUS_RISK_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>

#include <tickbus/market/market.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>
#include "bus/market/profit.h"
#include "risk/limits.h"

typedef struct gate gate_t;

typedef struct gate_exposure {
    position_t position;
    uint64_t open_buy_qty; /* shares of open orders */
    uint64_t open_sell_qty;
    mark_t mark; /* what the position is valued at */
} gate_exposure_t;

/* Bytes that a gate of these limits takes. */
size_t gate_footprint(const risk_limits_t *limits);

/* `market` is borrowed, for reading; `marks`: NULL, marks_default. All memory is allocated and
 * touched here. -TBUS_ECONFIG, -ENOMEM. Cold. */
int gate_create(const risk_limits_t *limits, const marks_t *marks, const market_t *market,
                gate_t **out_gate, tbus_error_t *err);
void gate_destroy(gate_t *g);

/* Other limits from the next order on; orders that have passed count against them too. False:
 * risk_limits_check_change refuses them, and the limits stay as they were. Hot. */
bool gate_set_limits(gate_t *g, const risk_limits_t *limits);

/* Kill switch on or off. */
void gate_kill(gate_t *g, bool killed);

/* The clock has restarted: what passed before does not count against the rate any more. */
void gate_restart_rate(gate_t *g);

/* Which symbols gate_on_market has something to do for: bit by locate, set while there is a
 * position. Good as long as the gate. */
const uint64_t *gate_concerns(const gate_t *g);

/* Decide on an order against the market as it is now. `now_ns`: market time.
 * REASON_NONE lets it through, and a new order counts as open from then on. Hot. */
uint8_t gate_judge(gate_t *g, const order_t *order, uint64_t now_ns);

/* What a check compares. A value that is out of bounds fails. */
enum gate_check_form {
    GATE_FLAG_SET,   /* value 1, and the limit is 1: it must be so */
    GATE_FLAG_CLEAR, /* value 0, and the limit is 0: it must not be so */
    GATE_AT_MOST,    /* value <= limit */
    GATE_BELOW,      /* value < limit: what there is before this order */
    GATE_ABOVE,      /* value > limit: an id and the last one used */
    /* both are int64_t, the position that may come of it: up to the limit for a buy, down to it
     * for a sell */
    GATE_SIGNED
};

/* One check of an order. Prices and notionals in 1/10000. */
typedef struct gate_check {
    uint64_t value;
    uint64_t limit;
    uint8_t reason; /* REASON_..., with which an order is rejected that fails it */
    uint8_t form;   /* enum gate_check_form */
    bool known; /* false: there is no value, such as a distance from a price that is not there */
    /* a gross notional beyond the limit passes with an order that can only close a position */
    bool passed;
    bool reached; /* all before it have passed: the first that fails gives the reason */
} gate_check_t;

#define GATE_CHECKS_MAX 14u

/* What gate_judge would find now, check by check, in its order; it changes nothing. Checks behind
 * the first that fails are made as well. A cancel has the first check alone. Returns how many there
 * are. Cold: the rate is counted. */
unsigned gate_explain(const gate_t *g, const order_t *order, uint64_t now_ns,
                      gate_check_t out_checks[GATE_CHECKS_MAX]);

/* Take a report, of risk's own as well (they have no effect). An execution is booked even if its
 * order is not known. Hot. */
void gate_on_report(gate_t *g, const report_t *report);

/* Take the outcome of the next tick: marks move, and with them profit. Hot; a symbol without a
 * position costs one look at a bit. */
void gate_on_market(gate_t *g, const market_event_t *event);

/* For tests: what the gate holds an order against. */
gate_exposure_t gate_exposure(const gate_t *g, uint16_t locate);
/* For tests: value of all positions and open orders, saturated, and how many are open. */
uint64_t gate_gross_notional_e4(const gate_t *g);
uint32_t gate_open_orders(const gate_t *g);
/* Profit of all strategies together. */
const profit_t *gate_profit(const gate_t *g);
/* Reports that did not fit the order they name: unknown executed order, wrong shares left. Of two
 * figures the larger exposure was kept. */
uint64_t gate_report_mismatches(const gate_t *g);

#endif
