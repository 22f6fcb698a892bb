/* SPDX-License-Identifier: Apache-2.0 */
/* synth_orders.h - what happens to the orders of a stock of the synthetic market, one message at a
 * time.
 *
 *    adds        most at the usual distance from fair, the further the rarer: a power law (Zovko
 *                and Farmer 2002; Bouchaud, Mezard and Potters 2002)
 *    deletes     of the young rather than of the old: most orders live below a second, some all day
 *    replaces, cuts; notices (I N L Y)
 *    incoming orders  mostly in one direction for a while (Lillo and Farmer 2004), now and then
 *                several levels deep; one fill a message, all at one time
 *    stale orders     a best level that fair has passed is pulled or taken
 *    hidden trades P, some at half a cent; breaks B of E and P, each match once
 *
 * What is not trading ('T') gets no execution and no P. A book is never locked or crossed. Used by
 * feedsim/synth/synth_market.c.
 */
#ifndef TICKBUS_FEEDSIM_SYNTH_SYNTH_ORDERS_H
#define TICKBUS_FEEDSIM_SYNTH_SYNTH_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/msg/tick.h>
#include "feedsim/synth/random.h"
#include "feedsim/synth/synth_stock.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SYNTH_SIDE_MIN 8u  /* orders of a side that neither deletes nor executions take */
#define SYNTH_TRADES   64u /* the last ones, which can be broken; a power of two */

enum synth_mood {
    SYNTH_BUILDING, /* before the open: orders are put, few trade */
    SYNTH_TRADING,
    SYNTH_LEAVING /* after the close: orders are pulled, few trade */
};

typedef struct synth_trade {
    uint64_t match; /* 0: none, or broken */
    uint16_t locate;
} synth_trade_t;

/* An incoming order that is being executed. */
typedef struct synth_taker {
    synth_stock_t *stock;
    enum ladder_side side; /* of the resting orders */
    int limit;             /* level */
    uint32_t qty;          /* shares left; 0: none is under way */
    uint32_t fills;        /* that it may still get */
} synth_taker_t;

typedef struct synth_orders {
    random_state_t random;
    uint64_t now_ns;
    uint64_t ref;      /* last order reference given out */
    uint64_t match;    /* last match number */
    int32_t factor_q8; /* of synth_stock_fair() */
    enum synth_mood mood;
    synth_taker_t taker;
    uint64_t trades_count;
    synth_trade_t trades[SYNTH_TRADES];
} synth_orders_t;

/* A message about that stock. It may begin an incoming order. */
void synth_orders_act(synth_orders_t *o, synth_stock_t *stock, tick_t *out);

/* Is an incoming order under way? Then its next fill. */
static inline bool synth_orders_taking(const synth_orders_t *o)
{
    return o->taker.qty > 0;
}
void synth_orders_fill(synth_orders_t *o, tick_t *out);

uint32_t synth_orders_qty(synth_orders_t *o);

#ifdef __cplusplus
}
#endif
#endif
