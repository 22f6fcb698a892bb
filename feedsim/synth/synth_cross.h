/* SPDX-License-Identifier: Apache-2.0 */
/* synth_cross.h - a cross in one stock: everybody at one price.
 *
 *    C N ... C N   displayed orders that take part, each at the price of the cross, not printable
 *    Q             all shares of the cross: these and those of orders that were for the cross alone
 *
 * More was to be bought (or sold) at the cross than to be sold (bought), and displayed orders of
 * the other side make up for it: so the price is that of the last of them, and every better one
 * takes part in full, by price and time. Or none of them does, and the price lies between the
 * touches.
 * Each C and the Q have match numbers of their own.
 */
#ifndef TICKBUS_FEEDSIM_SYNTH_SYNTH_CROSS_H
#define TICKBUS_FEEDSIM_SYNTH_SYNTH_CROSS_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/msg/tick.h>
#include "feedsim/synth/synth_orders.h"
#include "feedsim/synth/synth_stock.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SYNTH_CROSS_ORDERS_MAX 12u

typedef struct synth_cross {
    synth_stock_t *stock; /* NULL: none is under way */
    enum ladder_side side;
    char type;       /* 'O' opening, 'C' closing, 'H' after a halt */
    uint32_t orders; /* displayed ones still to be executed */
    uint32_t px_e4;
    uint64_t shares; /* of the Q */
} synth_cross_t;

/* Begin one with at most `orders_max` displayed orders; *out_orders: how many it takes. */
void synth_cross_begin(synth_cross_t *c, synth_orders_t *o, synth_stock_t *stock, char type,
                       uint32_t orders_max, uint32_t *out_orders);

/* The next message of the cross under way; the last one is the Q. */
void synth_cross_next(synth_cross_t *c, synth_orders_t *o, tick_t *out);

#ifdef __cplusplus
}
#endif
#endif
