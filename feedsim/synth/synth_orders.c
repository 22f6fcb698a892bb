/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/synth/synth_orders.h"

#include <string.h>

#include <tickbus/msg/itch_types.h>

#define WARM            24u /* below so many orders a stock only gets adds */
#define FILLS_MAX       24u
#define DEPTH_MAX       11 /* levels that an incoming order goes beyond the best */
#define IMPACT_STEPS    1  /* by how many steps each of them moves the price for good (Kyle 1985) */
#define LAST_MINUTES_NS (UINT64_C(57000) * 1000000000) /* 15:50 */
#define FIRST_LIGHT_NS  (UINT64_C(34080) * 1000000000) /* 09:28 */
#define OPEN_NS         (UINT64_C(34200) * 1000000000)
#define CLOSE_NS        (UINT64_C(57600) * 1000000000)

static void begin(const synth_orders_t *o, const synth_stock_t *stock, uint8_t type, tick_t *out)
{
    synth_stamp_t stamp = synth_stock_stamp(stock, o->now_ns);
    synth_tick(&stamp, type, out);
}

static uint64_t next_ref(synth_orders_t *o)
{
    return o->ref += 1 + random_below(&o->random, 8);
}

/* Most of a hundred or odd, few large. */
uint32_t synth_orders_qty(synth_orders_t *o)
{
    static const uint16_t sizes[16] = {100, 100, 100, 100, 100, 100, 100, 200,
                                       200, 300, 400, 500, 50,  25,  10,  1};
    uint32_t qty = sizes[random_below(&o->random, 16)];
    if (random_chance(&o->random, 1, 32))
        qty *= 1u << random_below(&o->random, 6);
    return qty;
}

/* 0 in half of the cases, and each next of the table half as often: a tail exponent of 1.7. */
static int draw_distance(synth_orders_t *o)
{
    static const uint8_t distances[] = {0, 1, 2, 4, 7, 11, 17, 26, 40, 60};
    return distances[__builtin_ctzll(random_next(&o->random) | 1u << (sizeof distances - 1))];
}

/* --- orders --- */

static int draw_level(synth_orders_t *o, const synth_stock_t *stock, enum ladder_side side)
{
    int fair = synth_stock_fair(stock, o->factor_q8);
    int distance = stock->half_spread + draw_distance(o);
    if (distance > 1 && random_chance(&o->random, 1, 8))
        distance--;
    if (o->mood == SYNTH_BUILDING)
        distance += stock->half_spread;
    int limit = stock->ladder.best[!side];
    if (side == LADDER_BID)
        return fair - distance < limit ? fair - distance : limit - 1;
    return fair + distance > limit ? fair + distance : limit + 1;
}

static void add(synth_orders_t *o, synth_stock_t *stock, enum ladder_side side, tick_t *out)
{
    bool attributed = random_chance(&o->random, 1, 64);
    int level = draw_level(o, stock, side);
    begin(o, stock, attributed ? ITCH_ADD_ORDER_MPID : ITCH_ADD_ORDER, out);
    out->order_ref = next_ref(o);
    out->side = side == LADDER_BID ? 'B' : 'S';
    out->qty = synth_orders_qty(o);
    out->px_e4 = synth_stock_px(stock, level);
    memcpy(out->symbol, stock->name, sizeof out->symbol);
    if (attributed)
        memcpy(out->mpid, "SYNM", sizeof out->mpid);
    ladder_add(&stock->ladder, side, level, out->order_ref, out->qty);
}

/* A side that is short of orders gets more. */
static void add_somewhere(synth_orders_t *o, synth_stock_t *stock, tick_t *out)
{
    const ladder_t *l = &stock->ladder;
    bool bid;
    if (l->count[LADDER_BID] < SYNTH_SIDE_MIN || l->count[LADDER_ASK] < SYNTH_SIDE_MIN)
        bid = l->count[LADDER_BID] < l->count[LADDER_ASK];
    else
        bid = random_chance(&o->random, l->count[LADDER_BID] < l->count[LADDER_ASK] ? 5 : 3, 8);
    add(o, stock, bid ? LADDER_BID : LADDER_ASK, out);
}

static void delete_order(synth_orders_t *o, synth_stock_t *stock, uint16_t index, tick_t *out)
{
    begin(o, stock, ITCH_ORDER_DELETE, out);
    out->order_ref = stock->ladder.orders[index].ref;
    ladder_remove(&stock->ladder, index);
}

static void cut(synth_orders_t *o, synth_stock_t *stock, uint16_t index, tick_t *out)
{
    const ladder_order_t *order = &stock->ladder.orders[index];
    if (order->qty == 1) {
        delete_order(o, stock, index, out);
        return;
    }
    begin(o, stock, ITCH_ORDER_CANCEL, out);
    out->order_ref = order->ref;
    out->qty = 1 + random_below(&o->random, order->qty - 1);
    ladder_reduce(&stock->ladder, index, out->qty);
}

static void replace(synth_orders_t *o, synth_stock_t *stock, uint16_t index, tick_t *out)
{
    enum ladder_side side = stock->ladder.orders[index].side;
    begin(o, stock, ITCH_ORDER_REPLACE, out);
    out->order_ref = stock->ladder.orders[index].ref;
    out->new_ref = next_ref(o);
    out->qty = synth_orders_qty(o);
    ladder_remove(&stock->ladder, index);
    int level = draw_level(o, stock, side);
    out->px_e4 = synth_stock_px(stock, level);
    ladder_add(&stock->ladder, side, level, out->new_ref, out->qty);
}

/* New orders stand at the end of the ladder's list: the end is where most are drawn from. */
static uint16_t draw_order(synth_orders_t *o, const synth_stock_t *stock)
{
    uint32_t back = random_below(&o->random, stock->ladder.live);
    if (!random_chance(&o->random, 1, 6))
        for (int i = 0; i < 3; i++)
            back = random_below(&o->random, back + 1);
    return ladder_nth(&stock->ladder, stock->ladder.live - 1 - back);
}

static bool may_lose_one(const synth_stock_t *stock, uint8_t side)
{
    return stock->ladder.count[side] > SYNTH_SIDE_MIN;
}

static void change_order(synth_orders_t *o, synth_stock_t *stock, uint32_t dice, tick_t *out)
{
    uint16_t index = draw_order(o, stock);
    uint8_t side = stock->ladder.orders[index].side;
    if (dice < 60)
        replace(o, stock, index, out);
    else if (!may_lose_one(stock, side))
        add(o, stock, (enum ladder_side)side, out);
    else if (dice < 72)
        cut(o, stock, index, out);
    else
        delete_order(o, stock, index, out);
}

/* --- executions --- */

static void remember_trade(synth_orders_t *o, synth_stock_t *stock, uint64_t match, uint32_t qty)
{
    stock->volume += qty;
    o->trades[o->trades_count++ % SYNTH_TRADES] = (synth_trade_t){match, stock->locate};
}

static bool taker_goes_on(const synth_taker_t *t)
{
    const ladder_t *l = &t->stock->ladder;
    bool in_limit =
        t->side == LADDER_ASK ? l->best[LADDER_ASK] <= t->limit : l->best[LADDER_BID] >= t->limit;
    return t->qty > 0 && t->fills > 0 && in_limit && l->count[t->side] > SYNTH_SIDE_MIN;
}

/* The oldest order of the best level, at its price; rarely at a better one (C). */
void synth_orders_fill(synth_orders_t *o, tick_t *out)
{
    synth_taker_t *t = &o->taker;
    synth_stock_t *stock = t->stock;
    uint16_t index = ladder_first(&stock->ladder, t->side);
    const ladder_order_t *order = &stock->ladder.orders[index];
    uint32_t qty = order->qty < t->qty ? order->qty : t->qty;
    bool improved = random_chance(&o->random, 1, 256);
    begin(o, stock, improved ? ITCH_ORDER_EXECUTED_WITH_PRICE : ITCH_ORDER_EXECUTED, out);
    out->order_ref = order->ref;
    out->qty = qty;
    out->match = ++o->match;
    if (improved) {
        out->px_e4 = synth_stock_px(stock, order->level + (t->side == LADDER_ASK ? -1 : 1));
        out->printable = 'Y';
    }
    remember_trade(o, stock, out->match, qty);
    ladder_reduce(&stock->ladder, index, qty);
    t->qty -= qty;
    t->fills--;
    if (!taker_goes_on(t))
        t->qty = 0;
}

/* By so many levels it may go beyond the best. */
static int take(synth_orders_t *o, synth_stock_t *stock, enum ladder_side side, tick_t *out)
{
    if (!may_lose_one(stock, side)) {
        add(o, stock, side, out);
        return 0;
    }
    int best = stock->ladder.best[side];
    int depth = draw_distance(o);
    depth = depth < DEPTH_MAX ? depth : DEPTH_MAX;
    uint32_t qty = synth_orders_qty(o);
    qty *= 1u << depth / 2;
    o->taker = (synth_taker_t){.stock = stock,
                               .side = side,
                               .fills = FILLS_MAX,
                               .limit = side == LADDER_ASK ? best + depth : best - depth,
                               .qty = qty};
    synth_orders_fill(o, out);
    return depth;
}

static void take_with_trend(synth_orders_t *o, synth_stock_t *stock, tick_t *out)
{
    if (random_chance(&o->random, 1, 12))
        stock->trend = -stock->trend;
    bool buys = random_chance(&o->random, 3, 4) == (stock->trend > 0);
    int depth = take(o, stock, buys ? LADDER_ASK : LADDER_BID, out);
    stock->own_q8 += (buys ? depth : -depth) * stock->step_q8 * IMPACT_STEPS;
}

static void hidden_trade(synth_orders_t *o, synth_stock_t *stock, tick_t *out)
{
    const ladder_t *l = &stock->ladder;
    begin(o, stock, ITCH_TRADE, out);
    out->side = 'B'; /* section 1.5.1: always, since 2014 */
    out->qty = synth_orders_qty(o);
    out->px_e4 =
        (synth_stock_px(stock, l->best[LADDER_BID]) + synth_stock_px(stock, l->best[LADDER_ASK])) /
        2;
    memcpy(out->symbol, stock->name, sizeof out->symbol);
    out->match = ++o->match;
    remember_trade(o, stock, out->match, out->qty);
}

/* --- notices --- */

static char next_cross(const synth_orders_t *o, const synth_stock_t *stock)
{
    if (!synth_stock_trades(stock))
        return 'H';
    if (o->now_ns >= FIRST_LIGHT_NS && o->now_ns < OPEN_NS)
        return 'O';
    return o->now_ns >= LAST_MINUTES_NS && o->now_ns < CLOSE_NS ? 'C' : 0;
}

static void imbalance(synth_orders_t *o, synth_stock_t *stock, char cross, tick_t *out)
{
    stock->paired += synth_orders_qty(o);
    uint32_t px_e4 = synth_stock_px(stock, synth_stock_fair(stock, o->factor_q8));
    synth_stamp_t stamp = synth_stock_stamp(stock, o->now_ns);
    synth_imbalance(&stamp, px_e4, stock->paired, synth_orders_qty(o), cross, out);
}

/* A fall of 10 % restricts short sales for the rest of the day (Regulation SHO, rule 201). */
static bool falls_under_201(const synth_orders_t *o, const synth_stock_t *stock)
{
    uint64_t opened_e4 = synth_stock_px(stock, stock->opened_q8 / 256);
    uint64_t now_e4 = synth_stock_px(stock, synth_stock_fair(stock, o->factor_q8));
    return stock->short_sale == '0' && now_e4 * 10 <= opened_e4 * 9;
}

/* One of the last trades, which was not broken yet; false: it was. */
static bool break_trade(synth_orders_t *o, tick_t *out)
{
    synth_trade_t *trade = &o->trades[random_below(&o->random, SYNTH_TRADES)];
    if (trade->match == 0)
        return false;
    synth_stamp_t stamp = {.event_ns = o->now_ns,
                           .locate = trade->locate,
                           .tracking = (uint16_t)(trade->locate % 4 * 2)};
    synth_broken(&stamp, trade->match, out);
    trade->match = 0;
    return true;
}

static void notice(synth_orders_t *o, synth_stock_t *stock, tick_t *out)
{
    synth_stamp_t stamp = synth_stock_stamp(stock, o->now_ns);
    char cross = next_cross(o, stock);
    if (falls_under_201(o, stock)) {
        stock->short_sale = '1';
        synth_reg_sho(&stamp, '1', out);
    } else if (cross) {
        imbalance(o, stock, cross, out);
    } else if (random_chance(&o->random, 1, 8)) {
        synth_participant(&stamp, out);
    } else if (!random_chance(&o->random, 1, 16) || !break_trade(o, out)) {
        synth_retail_interest(&stamp, "BSAN"[random_below(&o->random, 4)], out);
    }
}

/* --- what happens next --- */

/* The side whose best order is priced worse than fair for its owner; -1: none. */
static int stale_side(const synth_orders_t *o, const synth_stock_t *stock)
{
    int fair = synth_stock_fair(stock, o->factor_q8);
    if (stock->ladder.best[LADDER_ASK] <= fair)
        return LADDER_ASK;
    return stock->ladder.best[LADDER_BID] >= fair ? LADDER_BID : -1;
}

/* Owners pull such an order, others take it. */
static bool clear_stale(synth_orders_t *o, synth_stock_t *stock, tick_t *out)
{
    int side = stale_side(o, stock);
    if (side < 0 || !may_lose_one(stock, (uint8_t)side) || random_chance(&o->random, 1, 4))
        return false;
    if (synth_stock_trades(stock) && random_chance(&o->random, 1, 4))
        take(o, stock, (enum ladder_side)side, out);
    else
        delete_order(o, stock, ladder_first(&stock->ladder, (enum ladder_side)side), out);
    return true;
}

/* Of 1024. */
static uint32_t adds_of(const synth_orders_t *o, const synth_stock_t *stock)
{
    uint32_t live = stock->ladder.live, target = stock->target;
    switch (o->mood) {
    case SYNTH_BUILDING:
        return live < target * 2 ? 700 : 400;
    case SYNTH_LEAVING:
        return live < target / 2 ? 450 : 150;
    default:
        return live < target ? 530 : 450;
    }
}

void synth_orders_act(synth_orders_t *o, synth_stock_t *stock, tick_t *out)
{
    const ladder_t *l = &stock->ladder;
    synth_stock_walk(stock, o->factor_q8, &o->random);
    bool thin = l->count[LADDER_BID] < SYNTH_SIDE_MIN || l->count[LADDER_ASK] < SYNTH_SIDE_MIN;
    if (l->live < WARM || thin) {
        add_somewhere(o, stock, out);
        return;
    }
    if (clear_stale(o, stock, out))
        return;
    uint32_t takes = !synth_stock_trades(stock) ? 0 : o->mood == SYNTH_TRADING ? 48 : 16;
    uint32_t dice = random_below(&o->random, 1024);
    uint32_t notices = next_cross(o, stock) ? 16 : 4;
    if (dice < notices)
        notice(o, stock, out);
    else if (dice < notices + takes / 3)
        hidden_trade(o, stock, out);
    else if (dice < notices + takes)
        take_with_trend(o, stock, out);
    else if (dice < 64 + adds_of(o, stock) && l->live < LADDER_ORDERS_MAX)
        add_somewhere(o, stock, out);
    else
        change_order(o, stock, 1023 - dice, out);
}
