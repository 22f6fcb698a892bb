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
    e->held[0] = 1; /* what is of no symbol: days begin */
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

/* What is of no symbol comes under 0, which is always held, and has no position. */
static void begin_day(exposure_t *e)
{
    for (uint32_t word = 0; word < MARKET_LOCATES / 64; word++)
        for (uint64_t left = e->held[word]; left != 0; left &= left - 1)
            profit_carry(&e->symbols[64 * word + (uint32_t)__builtin_ctzll(left)].holding);
}

void exposure_on_market(exposure_t *e, const market_event_t *event)
{
    uint16_t locate = event->locate;
    if (!exposure_is_held(e, locate))
        return;
    if (TBUS_UNLIKELY(event->new_day))
        begin_day(e);
    exposure_symbol_t *s = &e->symbols[locate];
    mark_t now = profit_mark_now(&e->marks, &s->holding, e->market, locate);
    if (mark_same(now, s->holding.mark)) /* most ticks move no best price */
        return;
    e->positions_value -= value_of(s);
    profit_mark(&e->profit, &s->holding, now);
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
    profit_mark(&e->profit, &s->holding,
                profit_mark_now(&e->marks, &s->holding, e->market, locate));
    int64_t qty = s->holding.position.qty;
    e->positions_value = e->positions_value - value_before + value_of(s);
    uint64_t bit = UINT64_C(1) << (locate % 64);
    e->held[locate / 64] = qty != 0 ? e->held[locate / 64] | bit : e->held[locate / 64] & ~bit;
    e->held[0] |= 1;
}

/* ---- open orders */

static unsigned side_index(uint8_t side)
{
    return side == 'B' ? 0 : 1;
}

bool exposure_meets(const exposure_t *e, const order_t *o)
{
    uint8_t against = o->side == 'B' ? 'S' : 'B';
    uint32_t best = e->symbols[order_locate(o)].best[side_index(against)];
    const exposure_order_t *open = &e->open[best];
    return best != 0 && (o->side == 'B' ? o->px_e4 >= open->px_e4 : o->px_e4 <= open->px_e4);
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

/* Of two orders of which only one is executed in full: what is counted once. */
typedef struct shared {
    uint32_t qty;
    uint64_t e4;
} shared_t;

static shared_t shared_by(const exposure_order_t *a, uint32_t leaves, uint32_t px_e4)
{
    uint64_t one_e4 = exposure_notional_e4(a->leaves, a->px_e4);
    uint64_t other_e4 = exposure_notional_e4(leaves, px_e4);
    return (shared_t){.qty = a->leaves < leaves ? a->leaves : leaves,
                      .e4 = one_e4 < other_e4 ? one_e4 : other_e4};
}

/* An order, or the one that it replaces, has changed: what they have in common is counted anew. */
static void share(exposure_t *e, exposure_order_t *newer)
{
    shared_t now = {0};
    if (newer->replaces)
        now = shared_by(&e->open[newer->replaces], newer->leaves, newer->px_e4);
    uint64_t *open_qty = &e->symbols[newer->locate].open_qty[side_index(newer->side)];
    *open_qty = *open_qty + newer->shared_qty - now.qty;
    e->open_notional = e->open_notional + newer->shared_e4 - now.e4;
    newer->shared_qty = now.qty;
    newer->shared_e4 = now.e4;
}

static void set_open(exposure_t *e, exposure_order_t *open, uint32_t leaves, uint32_t px_e4)
{
    uint64_t *open_qty = &e->symbols[open->locate].open_qty[side_index(open->side)];
    *open_qty = *open_qty - open->leaves + leaves;
    e->open_notional = e->open_notional - exposure_notional_e4(open->leaves, open->px_e4) +
                       exposure_notional_e4(leaves, px_e4);
    open->leaves = leaves;
    open->px_e4 = px_e4;
    share(e, open);
    if (open->replaced_by)
        share(e, &e->open[open->replaced_by]);
}

static void reduce(exposure_t *e, exposure_order_t *open, uint32_t leaves)
{
    set_open(e, open, leaves, open->px_e4);
}

/* The open order that a replace is to take the place of; 0: there is none. */
static uint32_t find_replaced(const exposure_t *e, const order_t *o)
{
    uint32_t place = o->kind == ORDER_REPLACE ? id_map_find(&e->open_by_id, order_replaces(o)) : 0;
    const exposure_order_t *old = &e->open[place];
    return old->locate == order_locate(o) && old->side == o->side ? place : 0;
}

/* What an order asks for beside what was executed of its chain. `old`: its place, 0: none. */
static uint32_t wanted_qty(const exposure_t *e, const order_t *o, uint32_t old)
{
    uint64_t executed = old ? e->open[old].executed : 0;
    return o->qty > executed ? o->qty - (uint32_t)executed : 0;
}

/* Can it share with the order of that place? */
static bool may_share(const exposure_t *e, uint32_t old)
{
    return old && e->open[old].replaces == 0 && e->open[old].replaced_by == 0;
}

void exposure_open(exposure_t *e, const order_t *o)
{
    uint32_t place = e->open_free, old = find_replaced(e, o);
    exposure_order_t *open = &e->open[place];
    e->open_free = open->worse;
    *open = (exposure_order_t){.order_id = o->order_id,
                               .px_e4 = o->px_e4,
                               .locate = order_locate(o),
                               .side = o->side,
                               .executed = old ? e->open[old].executed : 0};
    if (may_share(e, old)) {
        open->replaces = old;
        e->open[old].replaced_by = place;
    }
    id_map_put(&e->open_by_id, o->order_id, place);
    link_order(e, place);
    e->open_count++;
    reduce(e, open, wanted_qty(e, o, old));
}

/* It has the price and the shares that the venue gave it. */
static void accept(exposure_t *e, uint32_t place, const report_t *r)
{
    exposure_order_t *open = &e->open[place];
    if (r->qty > open->leaves || r->qty == 0 || r->px_e4 == 0) {
        e->report_mismatches++;
        return;
    }
    if (r->px_e4 != open->px_e4)
        unlink_order(e, open);
    bool moves = r->px_e4 != open->px_e4;
    set_open(e, open, r->qty, r->px_e4);
    if (moves)
        link_order(e, place);
}

static void part(exposure_t *e, exposure_order_t *open)
{
    if (open->replaces)
        e->open[open->replaces].replaced_by = 0;
    if (open->replaced_by)
        e->open[open->replaced_by].replaces = 0;
    open->replaces = open->replaced_by = 0;
}

static void close_order(exposure_t *e, uint32_t place)
{
    exposure_order_t *open = &e->open[place];
    reduce(e, open, 0);
    part(e, open);
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
    open->executed += r->qty;
    if (open->replaced_by) {
        exposure_order_t *newer = &e->open[open->replaced_by];
        newer->executed += r->qty;
        reduce(e, newer, newer->leaves > r->qty ? newer->leaves - r->qty : 0);
    }
    if (r->kind == REPORT_FILLED) {
        close_order(e, place);
        return;
    }
    if (r->leaves > left)
        left = r->leaves < open->leaves ? r->leaves : open->leaves;
    reduce(e, open, left);
}

uint16_t exposure_symbol_of(const exposure_t *e, const report_t *r)
{
    uint32_t place = id_map_find(&e->open_by_id, r->order_id);
    return place != 0 ? e->open[place].locate : market_number(e->market, report_locate(r));
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
        if (place != 0)
            accept(e, place, r);
        break;
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
    uint32_t old = find_replaced(e, o), qty = wanted_qty(e, o, old);
    shared_t shared = {0};
    if (may_share(e, old))
        shared = shared_by(&e->open[old], qty, o->px_e4);
    /* at most 2^20 orders below 2^32 */
    int64_t add = (int64_t)s->open_qty[side_index(o->side)] + qty - shared.qty;
    if (e->unsound || (buys ? __builtin_add_overflow(s->holding.position.qty, add, &worst.qty)
                            : __builtin_sub_overflow(s->holding.position.qty, add, &worst.qty)))
        return worst;
    worst.only_closes = buys ? worst.qty <= 0 : worst.qty >= 0;
    worst.gross =
        e->positions_value + e->open_notional + exposure_notional_e4(qty, o->px_e4) - shared.e4;
    worst.computable = worst.only_closes || worst.gross <= UINT64_MAX;
    return worst;
}

uint64_t exposure_gross_e4(const exposure_t *e)
{
    exposure_money_t gross = e->positions_value + e->open_notional;
    return gross > UINT64_MAX ? UINT64_MAX : (uint64_t)gross;
}
