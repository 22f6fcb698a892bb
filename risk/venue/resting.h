/* SPDX-License-Identifier: Apache-2.0 */
/* resting.h - our own resting orders: a table of fixed size, found by id, and per stock locate and
 * side in the order in which they would fill: best price first, then by time of arrival. */
#ifndef TICKBUS_RISK_VENUE_RESTING_H
#define TICKBUS_RISK_VENUE_RESTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "risk/id_map.h"

typedef struct resting_order {
    uint64_t order_id;    /* 0: the place is free */
    uint64_t intended;    /* as in the order */
    uint64_t arrival_seq; /* last tick that the market had taken when it arrived */
    uint64_t ahead;       /* displayed shares of its level that come before it */
    /* displayed shares before it that the cross at hand executed, as far as they were told */
    uint64_t crossed;
    uint64_t executed; /* of it and of the orders before it in its chain of replaces */
    uint32_t px_e4;
    uint32_t leaves;
    uint32_t better; /* neighbours in the list, 0: none */
    uint32_t worse;  /* of a free place: the next free one */
    uint16_t locate;
    uint8_t side;
    uint8_t pad[5];
} resting_order_t;

typedef struct resting {
    resting_order_t *orders; /* owned; [0] is not used */
    uint32_t (*best)[2];     /* owned; by locate and side (buy, sell), 0: none */
    id_map_t by_id;
    uint32_t free_first;
    uint32_t count;
    uint32_t orders_max;
} resting_t;

/* Bytes that its tables take. */
size_t resting_footprint(uint32_t orders_max);
/* False: no memory; what was built is freed by resting_destroy. */
bool resting_create(resting_t *r, uint32_t orders_max);
void resting_destroy(resting_t *r);

static inline unsigned resting_side(uint8_t side)
{
    return side == 'B' ? 0 : 1;
}
static inline bool resting_full(const resting_t *r)
{
    return r->free_first == 0;
}
/* Whether an order of `side` at `px_e4` stands at a better price than one at `than_px_e4`. */
static inline bool resting_better(uint8_t side, uint32_t px_e4, uint32_t than_px_e4)
{
    return side == 'B' ? px_e4 > than_px_e4 : px_e4 < than_px_e4;
}

/* Places in `orders`; 0: none. */
uint32_t resting_find(const resting_t *r, uint64_t order_id);
static inline uint32_t resting_best(const resting_t *r, uint16_t locate, uint8_t side)
{
    return r->best[locate][resting_side(side)];
}

/* A copy of `order` joins, behind all of its side at its price or better. Requires room. Cost: own
 * orders of that side and symbol that are worse. Its neighbours are set here. */
void resting_add(resting_t *r, const resting_order_t *order);
void resting_remove(resting_t *r, uint32_t place);
/* It keeps its place in the list under another id, which is not there yet. */
void resting_rename(resting_t *r, uint32_t place, uint64_t order_id);

#endif
