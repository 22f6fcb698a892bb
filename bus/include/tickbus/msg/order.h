/* SPDX-License-Identifier: Apache-2.0 */
/* order.h - what a strategy asks for: a new order or a cancel, on the topics `orders` and
 * `approved`.
 *
 * strategy --[orders]--> risk --[approved]--> executor. Risk copies an order that it passes byte
 * for byte. An order names its cause: the sequence of the last tick and of the last report its
 * strategy had taken. Nobody downstream judges an order before having taken `md` up to that tick
 * itself.
 */
#ifndef TICKBUS_MSG_ORDER_H
#define TICKBUS_MSG_ORDER_H

#include <tickbus/msg/tick.h>

/* Version of the layout below, which a journal names beside the type "order". Raised when a field
 * changes. */
#define ORDER_VERSION 1u

enum {
    ORDER_NEW = 1,    /* px, qty, side, tif are those of a new order */
    ORDER_CANCEL = 2, /* order_id names the order to cancel; px, qty, tif are 0 */
};
enum {
    ORDER_TIF_DAY = 0, /* rests until filled or cancelled */
    ORDER_TIF_IOC = 1, /* what does not fill at once is cancelled */
};

/* Order ids: the owner's strategy number in bits 48-63, a count from 1 below. Within a strategy the
 * ids of new orders strictly increase; one that does not is a duplicate (as OUCH 5.0 has it for
 * UserRefNum). */
typedef struct order {
    uint64_t order_id;
    uint64_t md_seq;     /* last tick taken by the strategy when it sent this (0: none) */
    uint64_t report_seq; /* last report taken likewise (0: none) */
    /* bits 0-47: intended time of the tick `md_seq`, ns since bus epoch; 48-63 stock locate */
    uint64_t intended;
    uint64_t sent;  /* bits 0-47: when it was sent, ns since bus epoch; 48-63 strategy number */
    uint32_t px_e4; /* limit price in 1/10000 */
    uint32_t qty;   /* shares */
    uint8_t kind;   /* ORDER_NEW, ORDER_CANCEL */
    uint8_t side;   /* 'B' or 'S' */
    uint8_t tif;    /* ORDER_TIF_... */
    uint8_t pad[5];
} order_t;

TICK_ASSERT_(sizeof(order_t) == 56, "one line with its slot word");

#define ORDER_ID(strategy, count) (((uint64_t)(strategy) << 48) | (uint64_t)(count))

TBUS_INLINE uint16_t order_locate(const order_t *o)
{
    return (uint16_t)(o->intended >> 48);
}
TBUS_INLINE uint16_t order_strategy(const order_t *o)
{
    return (uint16_t)(o->order_id >> 48);
}

#endif
