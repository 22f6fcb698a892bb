/* SPDX-License-Identifier: Apache-2.0 */
/* order.h - what a strategy asks for: a new order or a cancel, on the topics `orders` and
 * `judged` and `approved`.
 *
 * strategy --[orders]--> risk --[judged]--> executor. Risk passes every order on, byte for byte
 * but for `reason`, which says whether it may be executed, and the limit of an ORDER_MARKET; the
 * executor answers each of them.
 *
 *    word   bits 0..                        from bit 48 (40, 56)
 *    0      order_id  64
 *    1      md_seq  48                      locate  16
 *    2      intended  48                    kind  8, side  8
 *    3      sent  48                        flags  8, tif  8
 *    4      report_seq  40                  replaces  24
 *    5      at  56                          reason  8
 *    6      px_e4  32, qty  32
 *
 * Bit fields begin at the least significant bit of their 64-bit word, as the ABIs of x86-64 and
 * aarch64 have it. The strategy is part of the id.
 */
#ifndef TICKBUS_MSG_ORDER_H
#define TICKBUS_MSG_ORDER_H

#include <tickbus/msg/tick.h>

/* Version of the layout below, which a journal names beside the type "order". Raised when a field
 * changes. */
#define ORDER_VERSION 2u

enum {
    ORDER_NEW = 1,    /* px, qty, side, tif are those of a new order */
    ORDER_CANCEL = 2, /* order_id names the order to cancel; px, qty, tif are 0 */
    /* a new order in the place of the one that order_replaces names, of the same symbol and side.
     * Its qty is the total: what the orders before it in its chain of replaces have had executed is
     * taken off it when it arrives (as OUCH 5.0 has it for Replace Order) */
    ORDER_REPLACE = 3,
};
enum {
    ORDER_TIF_DAY = 0, /* rests until filled or cancelled */
    ORDER_TIF_IOC = 1, /* what does not fill at once is cancelled */
};
enum {
    ORDER_POST_ONLY = 1, /* flags: it must not take; one that would is rejected (POST_ONLY) */
    ORDER_AGAIN = 2,     /* it follows the answer to an earlier order or cancel: a re-quote */
    /* with POST_ONLY: one that would take rests a tick before what it would have taken; ACCEPTED
     * has that price */
    ORDER_SLIDE = 4,
    /* at the market: IOC; risk gives it the limit that its price collar ends at (risk/gate.h) */
    ORDER_MARKET = 8
};

/* Order ids: the owner's strategy number in bits 48-63, a count from 1 below. Within a strategy the
 * ids of new orders strictly increase; one that does not is a duplicate (as OUCH 5.0 has it for
 * UserRefNum). */
typedef struct order {
    uint64_t order_id;
    /* the tick that it answers: that of a callback on a tick; for what is sent from a report about
     * an order or a cancel, the tick which that one answered; else the last tick taken. 0: none */
    uint64_t md_seq : 48;
    uint64_t locate : 16; /* wire locate of the order's symbol on the day on which it was sent */
    /* when the schedule wanted that tick sent, ns since bus epoch: latencies count from here. 0:
     * none is to be measured, as by the clock of the market a timer or an execution caused it */
    uint64_t intended : 48;
    uint64_t kind : 8;  /* ORDER_NEW, ORDER_CANCEL, ORDER_REPLACE */
    uint64_t side : 8;  /* 'B' or 'S' */
    uint64_t sent : 48; /* when it was published, ns since bus epoch: host time */
    uint64_t flags : 8; /* ORDER_POST_ONLY, ORDER_AGAIN, ORDER_SLIDE, ORDER_MARKET */
    uint64_t tif : 8;   /* ORDER_TIF_... */
    /* sequence on `reports` of the last report to its strategy, 0: none */
    uint64_t report_seq : 40;
    uint64_t replaces : 24; /* ORDER_REPLACE: by how much the replaced order's id is smaller */
    /* market time at which the strategy sent it (tickbus/market/clock.h) */
    uint64_t at : 56;
    uint64_t reason : 8; /* on `judged`: why risk rejects it, REASON_NONE: it does not */
    uint32_t px_e4;      /* limit price in 1/10000 */
    uint32_t qty;        /* shares */
} order_t;

TICK_ASSERT_(sizeof(order_t) == 56, "one line with its slot word");
TICK_ASSERT_(offsetof(order_t, px_e4) == 48, "layout");

#define ORDER_ID(strategy, count) (((uint64_t)(strategy) << 48) | (uint64_t)(count))
#define ORDER_REPLACES_MAX        ((UINT64_C(1) << 24) - 1) /* how far back a replace can name */

TBUS_INLINE uint16_t order_locate(const order_t *o)
{
    return (uint16_t)o->locate;
}
TBUS_INLINE uint16_t order_strategy(const order_t *o)
{
    return (uint16_t)(o->order_id >> 48);
}
/* The id of the order that a replace is to take the place of. */
TBUS_INLINE uint64_t order_replaces(const order_t *o)
{
    return o->order_id - o->replaces;
}

#endif
