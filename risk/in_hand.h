/* SPDX-License-Identifier: Apache-2.0 */
/* in_hand.h - orders that were taken off their ring and are not due yet: per stream in the order in
 * which they came, in a table of fixed size. */
#ifndef TICKBUS_RISK_IN_HAND_H
#define TICKBUS_RISK_IN_HAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/msg/order.h>

#include "bus/market/drive.h"

/* Where nobody says how many orders can be under way. */
#define IN_HAND_ORDERS_DEFAULT 1024u

typedef struct in_hand_order {
    order_t order;
    bool whole;      /* the message had the length of an order */
    uint32_t next;   /* of its stream, or of the free ones; 0: none */
    uint64_t due_ns; /* market time at which it is to be taken */
} in_hand_order_t;

typedef struct in_hand_stream {
    uint32_t first; /* 0: none */
    uint32_t last;
} in_hand_stream_t;

typedef struct in_hand {
    in_hand_order_t *orders; /* owned; [0] is not used */
    uint32_t free;           /* first free place, 0: none */
} in_hand_t;

/* False: no memory. Cold. */
bool in_hand_create(in_hand_t *h, uint32_t orders_max);
void in_hand_destroy(in_hand_t *h);

static inline bool in_hand_full(const in_hand_t *h)
{
    return h->free == 0;
}
/* The first of a stream; NULL: it has none. */
static inline const in_hand_order_t *in_hand_first(const in_hand_t *h, const in_hand_stream_t *s)
{
    return s->first ? &h->orders[s->first] : NULL;
}
/* When the stage is to take it, the first of its stream or NULL (MARKET_NEVER): by the clock of the
 * market, at its due_ns. By the clock of the host, once the tick that it answers was taken; if that
 * does not exist, as soon as there is no other (it is malformed). */
static inline uint64_t in_hand_due_ns(const market_stage_t *stage, const in_hand_order_t *first)
{
    if (!first)
        return MARKET_NEVER;
    if (market_stage_waits(stage))
        return first->due_ns;
    return first->order.md_seq <= market_seq(stage->market) ? 0 : MARKET_UNKNOWN;
}
/* A place at the end of a stream, to be filled. Requires room. */
in_hand_order_t *in_hand_add(in_hand_t *h, in_hand_stream_t *s);
/* The first of a stream, which has one, is done with. */
void in_hand_drop(in_hand_t *h, in_hand_stream_t *s);

/* Where recorded inputs are repeated: the place of the first order of a strategy in a stream of
 * several's, 0: there is none; and take that one off. Linear in what stands before it. */
uint32_t in_hand_of(const in_hand_t *h, const in_hand_stream_t *s, uint32_t strategy);
void in_hand_remove(in_hand_t *h, in_hand_stream_t *s, uint32_t place);

#endif
