/* SPDX-License-Identifier: Apache-2.0 */
/* exposure.h - what we hold and what we would hold in the worst case: positions and open orders,
 * kept from what the gate let through and from reports.
 *
 * From the moment an order is let through until it has ended, all of its open shares count, at its
 * limit price. A replace and the order that it is to take the place of are never both executed in
 * full: what the one has had executed by the time the other arrives is taken off it
 * (ORDER_REPLACE). Until the first of them has ended the larger counts, in shares and in money. A
 * replace of a replace that is not answered yet counts by itself. A position is valued at its mark
 * (bus/market/marks.h): by the same rule, at the same ticks, as in the ledger of its strategy. So
 * is profit (bus/market/profit.h).
 *
 * Sums of money are kept in 128 bits, where they cannot overflow: a position is at most 2^63 shares
 * at below 2^32, in 2^16 symbols; an open order is below 2^64, and there are at most 2^20 of them.
 *
 * Part of the gate. On the data path: risk/gate.h.
 */
#ifndef TICKBUS_RISK_EXPOSURE_H
#define TICKBUS_RISK_EXPOSURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/market/market.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>
#include "bus/market/profit.h"
#include "risk/id_map.h"

__extension__ typedef unsigned __int128 exposure_money_t;

typedef struct exposure_symbol {
    holding_t holding;
    uint64_t open_qty[2]; /* shares of open orders: buy, sell */
    uint32_t best[2];     /* place of the open order at the best price, likewise; 0: none */
} exposure_symbol_t;

typedef struct exposure_order {
    uint64_t order_id;
    uint32_t px_e4;
    uint32_t leaves;
    uint32_t better; /* neighbours in the list of its symbol and side, 0: none */
    uint32_t worse;  /* of a free place: the next free one */
    uint16_t locate;
    uint8_t side;
    uint8_t pad;
    /* places of the order that it is to take the place of, and of the one that is to take its; 0:
     * none, or it is counted by itself */
    uint32_t replaces;
    uint32_t replaced_by;
    uint64_t executed; /* as reported: of it and of the orders before it in its chain of replaces */
    /* of what it and the order that it replaces have in common, counted once */
    uint64_t shared_e4;
    uint32_t shared_qty;
    uint32_t pad_end;
} exposure_order_t;

/* Private to the gate; its tests look inside. */
typedef struct exposure {
    const market_t *market; /* not owned */
    marks_t marks;
    profit_t profit; /* of all strategies together */
    bool unsound;    /* an execution could not be booked: positions are not known any more */
    exposure_money_t positions_value;
    exposure_money_t open_notional;
    uint64_t report_mismatches;         /* reports that did not fit the order they name */
    exposure_symbol_t *symbols;         /* owned; by locate */
    uint64_t held[MARKET_LOCATES / 64]; /* bit set: there is a position */
    id_map_t open_by_id;                /* order id -> place in `open` */
    exposure_order_t *open;             /* owned; [0] is not used */
    uint32_t open_count;
    uint32_t open_free; /* first free place, 0: none */
} exposure_t;

/* What an order could lead to. */
typedef struct exposure_worst {
    bool computable; /* false: nothing below is valid */
    /* the position shrinks or ends at zero even if every open order of this side fills */
    bool only_closes;
    int64_t qty;            /* position if every open order of its side and itself fill */
    exposure_money_t gross; /* value of all positions and open orders, and of this one */
} exposure_worst_t;

/* Bytes that its tables take. */
size_t exposure_footprint(uint32_t open_orders_max);
/* False: no memory; what was built is freed by exposure_destroy. */
bool exposure_create(exposure_t *e, const market_t *market, const marks_t *marks,
                     uint32_t open_orders_max);
void exposure_destroy(exposure_t *e);

exposure_worst_t exposure_worst(const exposure_t *e, const order_t *order);
static inline bool exposure_full(const exposure_t *e)
{
    return e->open_free == 0;
}

/* Does `order` reach an open order of ours of the other side and the same symbol? Hot. */
bool exposure_meets(const exposure_t *e, const order_t *order);

/* A new order, or a replace, was let through: it is open from now on. Requires room, and that its
 * id is not open. Cost: own open orders of that side and symbol that are better. */
void exposure_open(exposure_t *e, const order_t *order);
/* The symbol that a report is about: of an open order its own, else that of the locate today. */
uint16_t exposure_symbol_of(const exposure_t *e, const report_t *report);
void exposure_on_report(exposure_t *e, const report_t *report);
/* Is there a position in that symbol? Always for 0, under which days begin. */
static inline bool exposure_is_held(const exposure_t *e, uint16_t locate)
{
    return (e->held[locate / 64] >> (locate % 64) & 1) != 0;
}
/* A tick was taken; it matters where there is a position. */
void exposure_on_market(exposure_t *e, const market_event_t *event);

/* Value of positions and open orders, saturated. */
uint64_t exposure_gross_e4(const exposure_t *e);

static inline uint64_t exposure_notional_e4(uint32_t qty, uint32_t px_e4)
{
    return (uint64_t)qty * px_e4; /* (2^32 - 1)^2 < 2^64 */
}

#endif
