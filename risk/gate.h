/* SPDX-License-Identifier: Apache-2.0 */
/* gate.h - decides on every order: let it through, or reject it, and why.
 *
 * Pure: no rings, no clock. It is told of every tick and every report, and keeps positions and open
 * orders from them, so that it can say what the worst would be if an order passed. It fails closed:
 * what cannot be known or computed is rejected.
 *
 * A cancel passes if it is well formed (order_form.h), whatever else holds. A new order is checked
 * in this order, and the first check that it fails gives the reason. "Closes" is said of an order
 * that can only close a position: the position and all open orders of its side and the order itself
 * come to no position of the other direction, at most to none. The position is that of the bus, of
 * all strategies together, and so are the open orders: in 9, 10, 14, 15, 16 and 20, whoever sends
 * the order. So while the bus is REDUCING a strategy that is long of what another is short of may
 * not sell more than the bus has, though it would close its own; and it may sell what the bus has
 * and it has not. Limits of a strategy alone (24, 28) go by its own position and its own open
 * orders instead, and its order must pass both.
 *
 *     1 MALFORMED       not an order (order_form.h)
 *     2 DUPLICATE_ID    not above every id that its strategy has used, in rejected orders as well
 *     3 KILL_SWITCH     the kill switch is on
 *     4 UNKNOWN_SYMBOL  neither directory entry nor order seen for its locate
 *     5 TEST_SYMBOL     the directory calls it a test issue (R, authenticity T), and test_symbols
 *                       is RISK_TEST_SYMBOLS_REFUSE
 *     6 CLOSED          the system takes no orders (market_is_open): on a day that was seen to
 *                       begin before the phase SYSTEM and the first displayed order, whichever
 *                       comes first, and from its end on (tickbus/market/market.h)
 *     7 HALTED          the symbol does not trade
 *     8 STALE_BOOK      nobody knows what its book lacks: the directory has lied about it
 *     9 LOSS_LIMIT      the loss has been more than loss_max_e4, unless the order closes
 *    10 REDUCING        somebody has said that positions may only be closed, unless it closes
 *    11 TICK_SIZE       limit price at 1.0000 or above and no multiple of 0.0100 (Rule 612 of
 *                       Regulation NMS), or above 199,999.9900 (the highest of OUCH 5.0)
 *    12 MAX_QTY         qty > max_order_qty
 *    13 MAX_NOTIONAL    qty x limit price > max_order_notional_e4
 *    14 NO_REFERENCE    no limit price (0), or a side of the book empty, or the book locked or
 *                       crossed; of an order that closes: the side that it would hit is empty
 *    15 PRICE_COLLAR    limit price further than the collar above or below its reference
 *    16 SHORT_SALE      while the last Y of the symbol has action 1 or 2 (Rule 201 of Regulation
 *                       SHO): a sell at or below the best bid of more than the position less all
 *                       open sells, of all strategies together. Our own feed's best bid stands for
 *                       the national one; without a bid there is no such price
 *    17 SELF_MATCH      an open order of ours, of whatever strategy, of the other side and the same
 *                       symbol at the limit price or better. Not if gate_rules_t.self_match is
 *                       another than CANCEL_NEWEST: those the venue cancels (risk/venue/venue.h)
 *    18 OVERFLOW        19 or 20 cannot be computed in 64 bits; and every order after an execution
 *                       that could not be booked
 *    19 POSITION_LIMIT  position + all open orders of its side + this one beyond position_max
 *    20 GROSS_NOTIONAL  value of all positions + all open orders + this one beyond
 *                       gross_notional_max_e4, unless it closes
 *    21 RATE            orders_per_second orders have passed within the last second
 *    22 MESSAGE_RATE    messages_per_second orders and cancels have passed within the last second
 *    23 OPEN_ORDERS     open_orders_max orders are open
 *
 * 24 LOSS_LIMIT, 25 MAX_QTY, 26 MAX_NOTIONAL, 27 POSITION_LIMIT, 28 GROSS_NOTIONAL, 29 RATE,
 * 30 MESSAGE_RATE, 31 OPEN_ORDERS: the same once more of the strategy alone, if it has limits of
 * its own (bus/market/strategy_limits.h): its own positions, open orders, messages and net profit.
 * "Closes" is then said of its own position, whatever that of the bus. Once it has lost more than
 * it may, its own closing orders and cancels alone pass until gate_rearm, in later sessions as well
 * (gate_latch_strategy); others are not concerned.
 *
 * The duplicate check stands before all that depend on the state of the world: so a REJECTED for
 * any other reason than MALFORMED and DUPLICATE_ID is about the one order that ever had the id, and
 * those two say nothing about an order of that id that may be live.
 *
 * Reference: a buy is measured from the bid side, a sell from the ask side, in both directions. So
 * a far-away quote on the other side (a stub quote) cannot make a bad price acceptable; an order
 * that would pay a spread wider than the collar is rejected. An order that closes is measured from
 * the side that it hits (a sell from the bid side), or, if that is nearer, from its own: no limit
 * locks a position in. The reference of a side is the price of the level with which, from the best
 * one on, reference_qty shares are displayed, at most GATE_REFERENCE_LEVELS levels deep; of a side
 * that has fewer shares there, of the last level of these: so a few shares far away do not move it.
 *
 * Exposure is worst case: every open share counts until its order has ended (exposure.h says at
 * which price).
 *
 * Loss: net profit (bus/market/profit.h) of all strategies together, and how far it is below what
 * it was at the start, or when orders passed again after the last gate_rearm: at the next order or
 * the next tick of a symbol with a position, whichever comes first. It is looked at after each
 * report and each such tick. Once it is more than loss_max_e4 as that is then, closing orders and
 * cancels alone pass, whatever becomes of loss or limit, until gate_rearm.
 *
 * States, all of them latched: ACTIVE; REDUCING, closing orders and cancels pass (9, 10); HALTED,
 * cancels alone pass (3). They change by gate_kill, gate_reduce and the loss alone, and end by
 * gate_rearm and by these. Who runs the gate keeps them over its end (risk/kill_switch.h,
 * tools/run/standing.h).
 *
 * When limits become smaller, those of a strategy alone as well, orders that rest stay: they have
 * passed, and count in full in each check from then on, so new ones are rejected until what is open
 * fits again. Who wants them off cancels them, or halts.
 *
 * Rates: sliding windows, exact: an order passes if fewer than orders_per_second orders have passed
 * in the second that ends with it, and fewer than messages_per_second orders and cancels. The clock
 * is market time (tickbus/market/clock.h), at which the order was sent: the same inputs give the
 * same decisions at any pace. Where that clock restarts, because the stamps of the market data went
 * back, and with each day, the windows begin anew.
 *
 * Symbols: orders and reports name wire locates; positions, open orders and limits are those of the
 * symbol, through all days and under every locate that it has.
 *
 * A replace is judged as a new order. Until it is answered the larger of it and of the order that
 * it replaces counts as open (exposure.h), so what it adds is what it is larger by.
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
#include "bus/market/session.h"
#include "risk/limits.h"

#define GATE_REFERENCE_LEVELS 8u
#define GATE_PX_MAX_E4        1999999900u /* 199,999.9900 */

typedef struct gate gate_t;

/* What is configured elsewhere than in the section `risk`. */
typedef struct gate_rules {
    marks_t marks;
    uint32_t self_match; /* enum session_self_match */
    /* Those that have limits of their own; others may stand among them. Needed during the call
     * only. */
    uint32_t strategies_count;
    const risk_strategy_t *strategies;
} gate_rules_t;
extern const gate_rules_t gate_rules_default;

enum gate_state { GATE_ACTIVE = 0, GATE_REDUCING = 1, GATE_HALTED = 2 };

typedef struct gate_exposure {
    position_t position;
    uint64_t open_buy_qty; /* shares of open orders */
    uint64_t open_sell_qty;
    mark_t mark; /* what the position is valued at */
} gate_exposure_t;

/* Bytes that a gate of these limits takes; about as much again for each strategy that has limits of
 * its own. */
size_t gate_footprint(const risk_limits_t *limits);

/* `market` is borrowed, for reading; `rules`: NULL, gate_rules_default. All memory is allocated and
 * touched here. -TBUS_ECONFIG, -ENOMEM. Cold. */
int gate_create(const risk_limits_t *limits, const gate_rules_t *rules, const market_t *market,
                gate_t **out_gate, tbus_error_t *err);
void gate_destroy(gate_t *g);

/* Other limits from the next order on; orders that have passed count against them too. False:
 * risk_limits_check_change refuses them, and the limits stay as they were. Hot.
 * Alone for tests; elsewhere within gate_set_all_limits. */
bool gate_set_limits(gate_t *g, const risk_limits_t *limits);

/* The same of a strategy alone. False: it had none at the start, and gets none. Hot.
 * Alone for tests, as above. */
bool gate_set_strategy_limits(gate_t *g, uint32_t strategy, const strategy_limits_t *limits);

/* All of them, of the bus and of each strategy. False: gate_set_limits refuses those of the bus,
 * and all stay as they were. */
bool gate_set_all_limits(gate_t *g, const risk_limit_set_t *set);

/* Kill switch on or off. */
void gate_kill(gate_t *g, bool killed);

/* Only closing orders and cancels pass, or that is over. */
void gate_reduce(gate_t *g, bool reducing);
/* Somebody has resumed: losses count anew. */
void gate_rearm(gate_t *g);
/* All of the above as it is told on `events`: EVENT_HALT, EVENT_REDUCE, EVENT_RESUME. */
void gate_act(gate_t *g, uint8_t kind);
enum gate_state gate_state(const gate_t *g);
/* Was the loss limit reached since the start, or the last gate_rearm? Hot. */
bool gate_loss_latched(const gate_t *g);
/* Which strategies have reached loss limits of their own since, or were latched: bit N for number
 * N, of those below 32. */
uint32_t gate_strategies_latched(const gate_t *g);
/* It has lost what it may in a session before, and nobody has resumed. False: it has no limits of
 * its own, and nothing changes. */
bool gate_latch_strategy(gate_t *g, uint32_t strategy);
/* Its largest loss, and what it may lose; requires that it has limits of its own. */
void gate_strategy_loss_e4(const gate_t *g, uint32_t strategy, int64_t *out_loss_e4,
                           uint64_t *out_limit_e4);
/* The largest loss since then. */
int64_t gate_loss_e4(const gate_t *g);
/* The limits in force. */
const risk_limits_t *gate_limits(const gate_t *g);

/* The clock has restarted: what passed before does not count against the rates any more. */
void gate_restart_rate(gate_t *g);

/* Which symbols gate_on_market has something to do for: bit by locate, set while there is a
 * position, and always for locate 0, under which days begin. Good as long as the gate. */
const uint64_t *gate_concerns(const gate_t *g);

/* Decide on an order against the market as it is now. `now_ns`: market time.
 * REASON_NONE lets it through, and a new order counts as open from then on. Hot. */
uint8_t gate_judge(gate_t *g, const order_t *order, uint64_t now_ns);

/* The limit of an order at the market (ORDER_MARKET), to be set before it is judged: the worst
 * price that is within the collar, rounded to a tick inside of it. 0: there is no reference. Hot.
 * */
uint32_t gate_market_px(const gate_t *g, const order_t *order);

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
    /* a gross notional or a loss beyond the limit passes with an order that closes */
    bool passed;
    bool reached;     /* all before it have passed: the first that fails gives the reason */
    bool of_strategy; /* a limit of its strategy alone */
} gate_check_t;

#define GATE_CHECKS_MAX 31u

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
