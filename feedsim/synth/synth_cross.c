/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/synth/synth_cross.h"

#include <string.h>

#include <tickbus/msg/itch_types.h>

static uint32_t orders_that_may_go(const synth_stock_t *stock, enum ladder_side side)
{
    uint32_t count = stock->ladder.count[side];
    return count > SYNTH_SIDE_MIN ? count - SYNTH_SIDE_MIN : 0;
}

/* Where no displayed order takes part: as near to fair as the touches allow. */
static int level_between(const synth_orders_t *o, const synth_stock_t *stock)
{
    int level = synth_stock_fair(stock, o->factor_q8);
    const int *best = stock->ladder.best;
    if (best[LADDER_BID] != LADDER_NO_BID && level < best[LADDER_BID])
        level = best[LADDER_BID];
    if (best[LADDER_ASK] != LADDER_NO_ASK && level > best[LADDER_ASK])
        level = best[LADDER_ASK];
    return level;
}

/* Shares of orders for the cross alone. At the close a share of the day's volume: 4 to 11 % (that
 * of the whole market; a stock that did not trade has none). */
static uint64_t shares_beside(synth_orders_t *o, synth_stock_t *stock, char type)
{
    uint32_t r = random_below(&o->random, 8);
    if (type == 'C')
        return stock->volume * (4 + r) / 100;
    return stock->paired + synth_orders_qty(o) * (UINT64_C(1) + r);
}

void synth_cross_begin(synth_cross_t *c, synth_orders_t *o, synth_stock_t *stock, char type,
                       uint32_t orders_max, uint32_t *out_orders)
{
    enum ladder_side side = random_chance(&o->random, 1, 2) ? LADDER_BID : LADDER_ASK;
    uint32_t orders = random_below(&o->random, SYNTH_CROSS_ORDERS_MAX + 1);
    uint32_t may = orders_that_may_go(stock, side);
    orders = orders < may ? orders : may;
    orders = orders < orders_max ? orders : orders_max;
    uint64_t beside = shares_beside(o, stock, type);
    if (beside == 0)
        orders = 0;
    int level =
        orders > 0 ? ladder_level_of(&stock->ladder, side, orders - 1) : level_between(o, stock);
    *c = (synth_cross_t){.stock = stock,
                         .side = side,
                         .type = type,
                         .orders = orders,
                         .px_e4 = synth_stock_px(stock, level),
                         .shares = beside};
    *out_orders = orders;
}

static void execute_next(synth_cross_t *c, synth_orders_t *o, tick_t *out)
{
    synth_stock_t *stock = c->stock;
    uint16_t index = ladder_first(&stock->ladder, c->side);
    const ladder_order_t *order = &stock->ladder.orders[index];
    /* the last one in part */
    uint32_t qty = --c->orders > 0 ? order->qty : 1 + random_below(&o->random, order->qty);
    synth_stamp_t stamp = synth_stock_stamp(stock, o->now_ns);
    synth_tick(&stamp, ITCH_ORDER_EXECUTED_WITH_PRICE, out);
    out->order_ref = order->ref;
    out->qty = qty;
    out->match = ++o->match;
    out->px_e4 = c->px_e4;
    out->printable = 'N';
    ladder_reduce(&stock->ladder, index, qty);
    c->shares += qty;
}

void synth_cross_next(synth_cross_t *c, synth_orders_t *o, tick_t *out)
{
    if (c->orders > 0) {
        execute_next(c, o, out);
        return;
    }
    synth_stock_t *stock = c->stock;
    synth_stamp_t stamp = synth_stock_stamp(stock, o->now_ns);
    synth_cross(&stamp, c->px_e4, c->shares, ++o->match, c->type, out);
    stock->volume += c->shares;
    stock->paired = 0;
    c->stock = NULL;
}
