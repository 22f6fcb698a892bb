/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/synth/synth_flow.h"

#include <stdbool.h>

#include <tickbus/msg/itch_types.h>

#define TICK_PX_E4 100u /* one cent */
/* The fair price stays in the middle half of the ladder, so that orders, at most PASSIVE_MAX away,
 * stay in it. */
#define FAIR_MIN        256
#define FAIR_MAX        768
#define PASSIVE_MAX     64
#define SIDE_MIN        8u  /* orders that neither deletes nor executions take from a side */
#define WARM            40u /* below so many orders a symbol only gets adds */
#define SWEEP_LEVELS    2   /* an incoming order goes at most so many levels deep */
#define SWEEP_FILLS_MAX 8u

_Static_assert(FAIR_MIN > PASSIVE_MAX + 1 && FAIR_MAX + PASSIVE_MAX + 1 < LADDER_LEVELS,
               "orders stay in the ladder");

/* --- time and stamps --- */

/* Gaps of 0.5..1.5 us times a power of two that halves in likelihood with each step, up to 2^14. */
void synth_flow_advance(synth_flow_t *f)
{
    uint64_t r = random_next(&f->random);
    uint64_t gap_ns = (512 + ((r >> 32) & 1023)) << __builtin_ctzll(r | 1 << 14);
    uint64_t gap_ns_max = (SYNTH_CLOSE_NS - f->now_ns) >> 20;
    f->now_ns += gap_ns < gap_ns_max ? gap_ns : gap_ns_max;
}

synth_stamp_t synth_flow_stamp(const synth_flow_t *f, const synth_symbol_t *symbol)
{
    synth_stamp_t stamp = {.event_ns = f->now_ns};
    if (symbol) {
        stamp.locate = symbol->locate;
        stamp.tracking = (uint16_t)(symbol->locate % 4 * 2);
        memcpy(stamp.symbol, symbol->name, sizeof stamp.symbol);
    }
    return stamp;
}

static void begin(const synth_flow_t *f, const synth_symbol_t *symbol, uint8_t type, tick_t *out)
{
    synth_stamp_t stamp = synth_flow_stamp(f, symbol);
    synth_tick(&stamp, type, out);
}

uint32_t synth_symbol_px(const synth_symbol_t *symbol, int level)
{
    return symbol->base_px_e4 + (uint32_t)level * TICK_PX_E4;
}

static uint64_t next_ref(synth_flow_t *f)
{
    return f->ref += 1 + random_below(&f->random, 8);
}

uint32_t synth_flow_qty(synth_flow_t *f)
{
    static const uint16_t sizes[16] = {100, 100, 100, 100,  100, 100, 200, 200,
                                       300, 400, 500, 1000, 50,  25,  10,  1};
    return sizes[random_below(&f->random, 16)];
}

/* --- orders --- */

/* Where a new order of this side would rest: near the fair price, more likely the nearer, and never
 * at or through the other side. */
static int draw_level(synth_flow_t *f, const synth_symbol_t *symbol, enum ladder_side side)
{
    /* one draw a statement: else the compiler picks their order */
    uint32_t a = random_below(&f->random, 32);
    uint32_t b = random_below(&f->random, PASSIVE_MAX);
    int distance = (int)(a * b / 32);
    int limit = symbol->ladder.best[!side];
    int level;
    if (side == LADDER_BID) {
        level = symbol->fair - 1 - distance;
        return level < limit ? level : limit - 1;
    }
    level = symbol->fair + 1 + distance;
    return level > limit ? level : limit + 1;
}

static void add(synth_flow_t *f, synth_symbol_t *symbol, enum ladder_side side, tick_t *out)
{
    bool attributed = random_chance(&f->random, 1, 16);
    int level = draw_level(f, symbol, side);
    begin(f, symbol, attributed ? ITCH_ADD_ORDER_MPID : ITCH_ADD_ORDER, out);
    out->order_ref = next_ref(f);
    out->side = side == LADDER_BID ? 'B' : 'S';
    out->qty = synth_flow_qty(f);
    out->px_e4 = synth_symbol_px(symbol, level);
    memcpy(out->symbol, symbol->name, sizeof out->symbol);
    if (attributed)
        memcpy(out->mpid, "SYNM", sizeof out->mpid);
    ladder_add(&symbol->ladder, side, level, out->order_ref, out->qty);
}

/* A side that is short of orders gets more. */
static void add_somewhere(synth_flow_t *f, synth_symbol_t *symbol, tick_t *out)
{
    bool bids_short = symbol->ladder.count[LADDER_BID] < symbol->ladder.count[LADDER_ASK];
    bool bid = random_chance(&f->random, bids_short ? 5 : 3, 8);
    add(f, symbol, bid ? LADDER_BID : LADDER_ASK, out);
}

static void delete_order(synth_flow_t *f, synth_symbol_t *symbol, uint16_t index, tick_t *out)
{
    begin(f, symbol, ITCH_ORDER_DELETE, out);
    out->order_ref = symbol->ladder.orders[index].ref;
    ladder_remove(&symbol->ladder, index);
}

static void cancel_some(synth_flow_t *f, synth_symbol_t *symbol, uint16_t index, tick_t *out)
{
    const ladder_order_t *o = &symbol->ladder.orders[index];
    if (o->qty == 1) {
        delete_order(f, symbol, index, out);
        return;
    }
    begin(f, symbol, ITCH_ORDER_CANCEL, out);
    out->order_ref = o->ref;
    out->qty = 1 + random_below(&f->random, o->qty - 1);
    ladder_reduce(&symbol->ladder, index, out->qty);
}

static void replace(synth_flow_t *f, synth_symbol_t *symbol, uint16_t index, tick_t *out)
{
    enum ladder_side side = symbol->ladder.orders[index].side;
    begin(f, symbol, ITCH_ORDER_REPLACE, out);
    out->order_ref = symbol->ladder.orders[index].ref;
    out->new_ref = next_ref(f);
    out->qty = synth_flow_qty(f);
    ladder_remove(&symbol->ladder, index);
    int level = draw_level(f, symbol, side);
    out->px_e4 = synth_symbol_px(symbol, level);
    ladder_add(&symbol->ladder, side, level, out->new_ref, out->qty);
}

/* --- executions --- */

static bool sweep_goes_on(const synth_sweep_t *w)
{
    const ladder_t *l = &w->symbol->ladder;
    bool in_limit =
        w->side == LADDER_ASK ? l->best[LADDER_ASK] <= w->limit : l->best[LADDER_BID] >= w->limit;
    return w->qty > 0 && w->fills > 0 && in_limit && l->count[w->side] > SIDE_MIN;
}

/* One fill of the sweep under way: the oldest order of the best level, at its price; now and then
 * at a better one (C). */
static void fill(synth_flow_t *f, tick_t *out)
{
    synth_sweep_t *w = &f->sweep;
    synth_symbol_t *symbol = w->symbol;
    uint16_t index = ladder_first(&symbol->ladder, w->side);
    const ladder_order_t *o = &symbol->ladder.orders[index];
    uint32_t qty = o->qty < w->qty ? o->qty : w->qty;
    bool improved = random_chance(&f->random, 1, 64);
    begin(f, symbol, improved ? ITCH_ORDER_EXECUTED_WITH_PRICE : ITCH_ORDER_EXECUTED, out);
    out->order_ref = o->ref;
    out->qty = qty;
    out->match = ++f->match;
    if (improved) {
        out->px_e4 = synth_symbol_px(symbol, o->level + (w->side == LADDER_ASK ? -1 : 1));
        out->printable = random_chance(&f->random, 7, 8) ? 'Y' : 'N';
    }
    ladder_reduce(&symbol->ladder, index, qty);
    symbol->paired += qty;
    w->qty -= qty;
    w->fills--;
    if (!sweep_goes_on(w))
        w->qty = 0;
}

static void start_sweep(synth_flow_t *f, synth_symbol_t *symbol, enum ladder_side side, tick_t *out)
{
    if (symbol->ladder.count[side] <= SIDE_MIN) {
        add(f, symbol, side, out);
        return;
    }
    int best = symbol->ladder.best[side];
    uint32_t qty = synth_flow_qty(f);
    qty *= 1 + random_below(&f->random, 4);
    f->sweep = (synth_sweep_t){.symbol = symbol,
                               .side = side,
                               .fills = SWEEP_FILLS_MAX,
                               .limit = best + (side == LADDER_ASK ? SWEEP_LEVELS : -SWEEP_LEVELS),
                               .qty = qty};
    fill(f, out);
}

static void hidden_trade(synth_flow_t *f, synth_symbol_t *symbol, tick_t *out)
{
    const ladder_t *l = &symbol->ladder;
    begin(f, symbol, ITCH_TRADE, out);
    out->side = 'B'; /* section 1.5.1: always, since 2014 */
    out->qty = synth_flow_qty(f);
    out->px_e4 = (synth_symbol_px(symbol, l->best[LADDER_BID]) +
                  synth_symbol_px(symbol, l->best[LADDER_ASK])) /
                 2;
    memcpy(out->symbol, symbol->name, sizeof out->symbol);
    out->match = ++f->match;
}

/* --- trading --- */

static void notice(synth_flow_t *f, synth_symbol_t *symbol, tick_t *out)
{
    synth_stamp_t stamp = synth_flow_stamp(f, symbol);
    switch (random_below(&f->random, 5)) {
    case 0:
        synth_imbalance(&stamp, synth_symbol_px(symbol, symbol->fair), symbol->paired,
                        synth_flow_qty(f), 'C', out);
        break;
    case 1:
        synth_retail_interest(&stamp, "BSAN"[random_below(&f->random, 4)], out);
        break;
    case 2:
        synth_reg_sho(&stamp, '0', out);
        break;
    case 3:
        synth_participant(&stamp, out);
        break;
    default:
        synth_broken(&stamp, f->match, out);
        break;
    }
}

/* A bounded random walk with some inertia. */
static void move_fair(synth_flow_t *f, synth_symbol_t *symbol)
{
    if (!random_chance(&f->random, 1, 32))
        return;
    if (random_chance(&f->random, 1, 8))
        symbol->trend = -symbol->trend;
    if (symbol->fair + symbol->trend < FAIR_MIN || symbol->fair + symbol->trend > FAIR_MAX)
        symbol->trend = -symbol->trend;
    symbol->fair += symbol->trend;
}

/* The side whose best order is priced worse than fair for its owner; -1: none. Owners pull such
 * orders, others take them. */
static int stale_side(const synth_symbol_t *symbol)
{
    if (symbol->ladder.best[LADDER_ASK] <= symbol->fair)
        return LADDER_ASK;
    return symbol->ladder.best[LADDER_BID] >= symbol->fair ? LADDER_BID : -1;
}

static bool may_shrink(const synth_symbol_t *symbol, uint16_t index)
{
    return symbol->ladder.count[symbol->ladder.orders[index].side] > SIDE_MIN;
}

static void change_order(synth_flow_t *f, synth_symbol_t *symbol, uint32_t dice, tick_t *out)
{
    uint16_t index = ladder_nth(&symbol->ladder, random_below(&f->random, symbol->ladder.live));
    if (dice < 90)
        replace(f, symbol, index, out);
    else if (!may_shrink(symbol, index))
        add(f, symbol, symbol->ladder.orders[index].side, out);
    else if (dice < 115)
        cancel_some(f, symbol, index, out);
    else
        delete_order(f, symbol, index, out);
}

static void trade_symbol(synth_flow_t *f, synth_symbol_t *symbol, tick_t *out)
{
    const ladder_t *l = &symbol->ladder;
    if (l->live < WARM || l->count[LADDER_BID] < SIDE_MIN || l->count[LADDER_ASK] < SIDE_MIN) {
        add_somewhere(f, symbol, out);
        return;
    }
    move_fair(f, symbol);
    int stale = stale_side(symbol);
    if (stale >= 0 && l->count[stale] > SIDE_MIN && random_chance(&f->random, 1, 2)) {
        if (random_chance(&f->random, 1, 4))
            start_sweep(f, symbol, (enum ladder_side)stale, out);
        else
            delete_order(f, symbol, ladder_first(l, (enum ladder_side)stale), out);
        return;
    }
    /* Of 1024: what does not change the number of orders first, then adds and deletes around the
     * target. */
    uint32_t dice = random_below(&f->random, 1024);
    uint32_t adds = l->live < symbol->target ? 560 : 330;
    if (dice < 3)
        notice(f, symbol, out);
    else if (dice < 18)
        hidden_trade(f, symbol, out);
    else if (dice < 78)
        start_sweep(f, symbol, random_chance(&f->random, 1, 2) ? LADDER_BID : LADDER_ASK, out);
    else if (dice < 78 + adds && l->live < LADDER_ORDERS_MAX)
        add_somewhere(f, symbol, out);
    else
        change_order(f, symbol, 1023 - dice, out);
}

void synth_flow_trade(synth_flow_t *f, synth_symbol_t *symbols, uint32_t count, tick_t *out)
{
    if (f->sweep.qty > 0) { /* fills of one incoming order share its time */
        fill(f, out);
        return;
    }
    synth_flow_advance(f);
    /* The smaller of two draws: the first symbols are the busy ones. */
    uint32_t a = random_below(&f->random, count);
    uint32_t b = random_below(&f->random, count);
    trade_symbol(f, &symbols[a < b ? a : b], out);
}

/* --- life --- */

void synth_flow_init(synth_flow_t *f, uint64_t seed)
{
    memset(f, 0, sizeof *f);
    random_seed(&f->random, seed);
    f->now_ns = SYNTH_START_NS;
}

void synth_symbol_init(synth_symbol_t *symbol, synth_flow_t *f, uint16_t locate)
{
    memset(symbol, 0, sizeof *symbol);
    memcpy(symbol->name, "SYN     ", sizeof symbol->name);
    symbol->name[3] = (char)('0' + locate / 100 % 10);
    symbol->name[4] = (char)('0' + locate / 10 % 10);
    symbol->name[5] = (char)('0' + locate % 10);
    symbol->locate = locate;
    symbol->base_px_e4 = (1000 + random_below(&f->random, 30000)) * TICK_PX_E4;
    symbol->fair = (FAIR_MIN + FAIR_MAX) / 2;
    symbol->trend = random_chance(&f->random, 1, 2) ? 1 : -1;
    symbol->target = 200 + random_below(&f->random, 400);
    ladder_init(&symbol->ladder);
}
