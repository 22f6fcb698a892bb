/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/exposure.h"

#include <stdlib.h>

#include "risk/table.h"

size_t exposure_footprint(uint32_t open_orders_max)
{
    return MARKET_LOCATES * sizeof(exposure_symbol_t) + id_map_footprint(open_orders_max) +
           ((size_t)open_orders_max + 1) * sizeof(*((exposure_t *)0)->open);
}

bool exposure_create(exposure_t *e, const market_t *market, const marks_t *marks,
                     uint32_t open_orders_max)
{
    e->market = market;
    e->marks = *marks;
    e->symbols = table_create(MARKET_LOCATES, sizeof *e->symbols);
    e->open = table_create((size_t)open_orders_max + 1, sizeof *e->open);
    if (!id_map_create(&e->open_by_id, open_orders_max) || !e->symbols || !e->open)
        return false;
    for (uint32_t i = 1; i < open_orders_max; i++)
        e->open[i].worse = i + 1;
    e->open_free = 1;
    return true;
}

void exposure_destroy(exposure_t *e)
{
    id_map_destroy(&e->open_by_id);
    free(e->open);
    free(e->symbols);
}

/* ---- the value of positions */

static uint64_t magnitude(int64_t qty)
{
    return qty < 0 ? -(uint64_t)qty : (uint64_t)qty;
}

static exposure_money_t value_of(const exposure_symbol_t *s)
{
    return (exposure_money_t)magnitude(s->holding.position.qty) * s->holding.mark.px_e4;
}

/* What the position is valued at now. */
static void mark(exposure_t *e, uint16_t locate, exposure_symbol_t *s)
{
    market_touch_t touch = market_touch(e->market, locate);
    uint32_t last_px_e4 = market_symbol(e->market, locate)->last_px_e4;
    profit_mark(&e->profit, &s->holding,
                mark_of(&e->marks, &s->holding.position, &touch, last_px_e4));
}

void exposure_on_market(exposure_t *e, const market_event_t *event)
{
    uint16_t locate = event->locate;
    if ((e->held[locate / 64] >> (locate % 64) & 1) == 0)
        return;
    exposure_symbol_t *s = &e->symbols[locate];
    e->positions_value -= value_of(s);
    mark(e, locate, s);
    e->positions_value += value_of(s);
}

static void book_execution(exposure_t *e, const report_t *r)
{
    uint16_t locate = report_locate(r);
    exposure_symbol_t *s = &e->symbols[locate];
    exposure_money_t value_before = value_of(s);
    if (!profit_execute(&e->profit, &s->holding, r)) {
        e->unsound = true;
        return;
    }
    mark(e, locate, s);
    int64_t qty = s->holding.position.qty;
    e->positions_value = e->positions_value - value_before + value_of(s);
    uint64_t bit = UINT64_C(1) << (locate % 64);
    e->held[locate / 64] = qty != 0 ? e->held[locate / 64] | bit : e->held[locate / 64] & ~bit;
}

/* ---- open orders */

static unsigned side_index(uint8_t side)
{
    return side == 'B' ? 0 : 1;
}

bool exposure_meets(const exposure_t *e, const order_t *o, bool of_others)
{
    uint8_t against = o->side == 'B' ? 'S' : 'B';
    uint32_t place = e->symbols[order_locate(o)].best[side_index(against)];
    for (; place != 0; place = e->open[place].worse) {
        const exposure_order_t *open = &e->open[place];
        if (o->side == 'B' ? o->px_e4 < open->px_e4 : o->px_e4 > open->px_e4)
            return false;
        if (!of_others || open->order_id >> 48 != order_strategy(o))
            return true;
    }
    return false;
}

static bool is_better(uint8_t side, uint32_t px_e4, uint32_t than_px_e4)
{
    return side == 'B' ? px_e4 > than_px_e4 : px_e4 < than_px_e4;
}

/* Into the list of its symbol and side, behind those at its price or better. */
static void link_order(exposure_t *e, uint32_t place)
{
    exposure_order_t *open = &e->open[place];
    uint32_t *best = &e->symbols[open->locate].best[side_index(open->side)];
    uint32_t better = 0, worse = *best;
    while (worse && !is_better(open->side, open->px_e4, e->open[worse].px_e4)) {
        better = worse;
        worse = e->open[worse].worse;
    }
    open->better = better;
    open->worse = worse;
    if (worse)
        e->open[worse].better = place;
    if (better)
        e->open[better].worse = place;
    else
        *best = place;
}

static void unlink_order(exposure_t *e, const exposure_order_t *open)
{
    if (open->worse)
        e->open[open->worse].better = open->better;
    if (open->better)
        e->open[open->better].worse = open->worse;
    else
        e->symbols[open->locate].best[side_index(open->side)] = open->worse;
}

void exposure_open(exposure_t *e, const order_t *o)
{
    uint32_t place = e->open_free;
    exposure_order_t *open = &e->open[place];
    e->open_free = open->worse;
    *open = (exposure_order_t){.order_id = o->order_id,
                               .px_e4 = o->px_e4,
                               .leaves = o->qty,
                               .locate = order_locate(o),
                               .side = o->side};
    id_map_put(&e->open_by_id, o->order_id, place);
    link_order(e, place);
    e->open_count++;
    e->symbols[open->locate].open_qty[side_index(o->side)] += o->qty;
    e->open_notional += exposure_notional_e4(o->qty, o->px_e4);
}

static void reduce(exposure_t *e, exposure_order_t *open, uint32_t leaves)
{
    uint32_t off = open->leaves - leaves;
    open->leaves = leaves;
    e->symbols[open->locate].open_qty[side_index(open->side)] -= off;
    e->open_notional -= exposure_notional_e4(off, open->px_e4);
}

static void close_order(exposure_t *e, uint32_t place)
{
    exposure_order_t *open = &e->open[place];
    reduce(e, open, 0);
    id_map_remove(&e->open_by_id, open->order_id);
    unlink_order(e, open);
    open->worse = e->open_free;
    e->open_free = place;
    e->open_count--;
}

/* An execution takes its shares off the open order. Where the report and our own count of what is
 * left disagree, the larger one stays until the order ends. */
static void execute(exposure_t *e, uint32_t place, const report_t *r)
{
    exposure_order_t *open = &e->open[place];
    uint32_t left = open->leaves > r->qty ? open->leaves - r->qty : 0;
    bool fits = open->leaves >= r->qty && left == r->leaves &&
                (left == 0) == (r->kind == REPORT_FILLED) && open->locate == report_locate(r) &&
                open->side == r->side;
    e->report_mismatches += !fits;
    if (r->kind == REPORT_FILLED) {
        close_order(e, place);
        return;
    }
    if (r->leaves > left)
        left = r->leaves < open->leaves ? r->leaves : open->leaves;
    reduce(e, open, left);
}

void exposure_on_report(exposure_t *e, const report_t *r)
{
    uint32_t place = id_map_find(&e->open_by_id, r->order_id);
    switch (r->kind) {
    case REPORT_PARTIAL:
    case REPORT_FILLED:
        book_execution(e, r);
        if (place != 0)
            execute(e, place, r);
        else
            e->report_mismatches++;
        break;
    case REPORT_BROKEN:
        book_execution(e, r);
        break;
    case REPORT_CANCELLED:
        if (place == 0 || e->open[place].leaves != r->qty)
            e->report_mismatches++;
        if (place != 0)
            close_order(e, place);
        break;
    case REPORT_REJECTED:
        /* These two are about another message under the same id: gate.h. */
        if (place != 0 && r->reason != REASON_MALFORMED && r->reason != REASON_DUPLICATE_ID)
            close_order(e, place);
        break;
    case REPORT_ACCEPTED:
    case REPORT_CANCEL_REJECTED:
        break;
    default:
        e->report_mismatches++;
    }
}

/* ---- the worst case */

exposure_worst_t exposure_worst(const exposure_t *e, const order_t *o)
{
    exposure_worst_t worst = {0};
    const exposure_symbol_t *s = &e->symbols[order_locate(o)];
    bool buys = o->side == 'B';
    /* at most 2^20 orders below 2^32 */
    int64_t add = (int64_t)s->open_qty[side_index(o->side)] + o->qty;
    if (e->unsound || (buys ? __builtin_add_overflow(s->holding.position.qty, add, &worst.qty)
                            : __builtin_sub_overflow(s->holding.position.qty, add, &worst.qty)))
        return worst;
    worst.only_closes = buys ? worst.qty <= 0 : worst.qty >= 0;
    worst.gross = e->positions_value + e->open_notional + exposure_notional_e4(o->qty, o->px_e4);
    worst.computable = worst.only_closes || worst.gross <= UINT64_MAX;
    return worst;
}

uint64_t exposure_gross_e4(const exposure_t *e)
{
    exposure_money_t gross = e->positions_value + e->open_notional;
    return gross > UINT64_MAX ? UINT64_MAX : (uint64_t)gross;
}
