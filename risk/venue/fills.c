/* SPDX-License-Identifier: Apache-2.0 */
/* What the market does to our orders: venue.h has the rules. */
#include <tickbus/atomic.h>
#include <tickbus/msg/itch_types.h>

#include "risk/venue/venue_parts.h"

/* ---- reports */

static report_t report_about(const venue_t *v, const resting_order_t *o, uint8_t kind)
{
    return (report_t){
        .order_id = o->order_id,
        .md_seq = market_seq(v->market),
        .locate = o->locate,
        .px_e4 = o->px_e4,
        .kind = kind,
        .side = o->side,
    };
}

void venue_emit_execution(venue_t *v, const resting_order_t *o, const execution_t *execution)
{
    uint32_t leaves = o->leaves - execution->qty;
    v->stats.executions++;
    v->stats.executed_shares += execution->qty;
    report_t report = report_about(v, o, leaves == 0 ? REPORT_FILLED : REPORT_PARTIAL);
    report.exec_id = ++v->exec_id;
    report.px_e4 = execution->px_e4;
    report.qty = execution->qty;
    report.leaves = leaves;
    report.liquidity = execution->liquidity;
    report.fee_e4 =
        session_fee_e4(&v->fees, execution->liquidity, execution->qty, execution->px_e4);
    venue_emit(v, &report, o->intended);
    breaks_remember(&v->breaks, &(breakable_t){.match = execution->match,
                                               .md_seq = market_seq(v->market),
                                               .order_id = o->order_id,
                                               .exec_id = v->exec_id,
                                               .intended = o->intended,
                                               .px_e4 = execution->px_e4,
                                               .qty = execution->qty,
                                               .locate = o->locate,
                                               .side = o->side,
                                               .liquidity = execution->liquidity,
                                               .fee_e4 = report.fee_e4});
}

void venue_emit_cancelled(venue_t *v, const resting_order_t *o, uint8_t reason, uint64_t intended)
{
    report_t report = report_about(v, o, REPORT_CANCELLED);
    report.qty = o->leaves;
    report.reason = reason;
    venue_emit(v, &report, intended);
}

void venue_cancel_resting(venue_t *v, uint32_t place, uint8_t reason, uint64_t intended)
{
    resting_order_t gone = v->resting.orders[place];
    resting_remove(&v->resting, place);
    venue_emit_cancelled(v, &gone, reason, intended);
}

/* A resting order is executed, by at most `fill->qty` shares. Returns by how many. */
static uint32_t fill_resting(venue_t *v, uint32_t place, execution_t fill)
{
    resting_order_t filled = v->resting.orders[place];
    fill.qty = filled.leaves < fill.qty ? filled.leaves : fill.qty;
    if (fill.qty == 0)
        return 0;
    v->resting.orders[place].leaves -= fill.qty;
    v->resting.orders[place].executed += fill.qty;
    if (fill.qty == filled.leaves)
        resting_remove(&v->resting, place);
    venue_emit_execution(v, &filled, &fill);
    return fill.qty;
}

/* ... at its own limit. */
static uint32_t fill_at_limit(venue_t *v, uint32_t place, uint32_t pool, uint64_t match)
{
    return fill_resting(v, place,
                        (execution_t){.qty = pool,
                                      .px_e4 = v->resting.orders[place].px_e4,
                                      .liquidity = 'A',
                                      .match = match});
}

/* ---- displayed orders that go */

/* A displayed order is gone, or another has taken its place, and with it what we took of it. */
static void follow_taken(venue_t *v, const market_event_t *e)
{
    if (v->taken.held[e->locate] == 0 || e->removed_left != 0)
        return;
    if (e->added_qty != 0)
        taken_follow(&v->taken, e->removed_added_seq, e->md_seq);
    else
        taken_forget(&v->taken, e->removed_added_seq);
}

/* What a removal of displayed shares is to our orders. */
typedef struct removal {
    const market_event_t *event;
    bool crosses;   /* it belongs to a cross */
    bool shown;     /* it is a trade at the price at which the order stood */
    uint32_t px_e4; /* of the trade */
    uint32_t pool;  /* shares that may still fill us */
    uint64_t match;
} removal_t;

static removal_t removal_of(const venue_t *v, const market_event_t *e, const tick_t *tick)
{
    bool printed = tick && tick->type == ITCH_ORDER_EXECUTED_WITH_PRICE;
    removal_t r = {.event = e, .px_e4 = printed ? tick->px_e4 : e->removed_px_e4};
    r.crosses = e->executed && ((printed && tick->printable == 'N') || !venue_trades(v, e->locate));
    r.shown = r.px_e4 == e->removed_px_e4;
    bool fills = e->executed && !r.crosses && (r.shown || v->prints);
    r.pool = fills ? e->removed_qty : 0;
    r.match = e->executed && tick ? tick->match : 0;
    return r;
}

/* Did the displayed order stand before ours: at a better price, or at the same and earlier? */
static bool stood_before(const market_event_t *e, const resting_order_t *o)
{
    return resting_better(e->side, e->removed_px_e4, o->px_e4) ||
           (e->removed_px_e4 == o->px_e4 && e->removed_added_seq <= o->arrival_seq);
}

/* Is ours the next at the level of the order that was executed at its own price? */
static bool is_next(const removal_t *r, const resting_order_t *o)
{
    return r->shown && o->px_e4 == r->px_e4 && o->ahead == 0;
}

static void on_removed(venue_t *v, const market_event_t *e, const tick_t *tick)
{
    removal_t r = removal_of(v, e, tick);
    uint32_t next;
    follow_taken(v, e);
    for (uint32_t at = resting_best(&v->resting, e->locate, e->side); at != 0; at = next) {
        resting_order_t *o = &v->resting.orders[at];
        next = o->worse;
        bool before = stood_before(e, o);
        if (before && r.crosses)
            o->crossed += e->removed_qty;
        if (before && o->px_e4 == e->removed_px_e4)
            o->ahead -= o->ahead < e->removed_qty ? o->ahead : e->removed_qty;
        if (resting_better(e->side, o->px_e4, r.px_e4) || (!before && is_next(&r, o)))
            r.pool -= fill_at_limit(v, at, r.pool, r.match);
        else if (resting_better(e->side, e->removed_px_e4, o->px_e4) && !r.crosses)
            return; /* all behind it are worse still */
    }
}

/* ---- displayed orders that come */

/* A new displayed order fills our orders of the other side that its price reaches. */
static void on_added(venue_t *v, const market_event_t *e)
{
    uint8_t our_side = e->side == 'B' ? 'S' : 'B';
    uint32_t there = taken_rest(&v->taken, e->md_seq, e->added_qty), pool = there;
    uint32_t at = resting_best(&v->resting, e->locate, our_side);
    if ((v->taken.free_count == 0 && there == e->added_qty) || !venue_trades(v, e->locate))
        return;
    while (at != 0 && pool > 0 &&
           !resting_better(our_side, e->added_px_e4, v->resting.orders[at].px_e4)) {
        uint32_t next = v->resting.orders[at].worse;
        pool -= fill_at_limit(v, at, pool, 0);
        at = next;
    }
    if (pool < there)
        taken_add(&v->taken, e->locate, e->md_seq, there - pool);
}

/* ---- trades that no displayed order shows */

/* Somebody traded at a price that is worse for him than what our order offered him. */
static void on_print(venue_t *v, uint16_t locate, const tick_t *tick)
{
    uint32_t pool = v->prints && venue_trades(v, locate) ? tick->qty : 0, next;
    for (unsigned i = 0; i < 2; i++) {
        uint8_t side = i == 0 ? 'B' : 'S';
        for (uint32_t at = resting_best(&v->resting, locate, side); at != 0 && pool > 0;
             at = next) {
            next = v->resting.orders[at].worse;
            if (!resting_better(side, v->resting.orders[at].px_e4, tick->px_e4))
                break;
            pool -= fill_at_limit(v, at, pool, tick->match);
        }
    }
}

/* What is there for an order of ours in a cross, of `left` shares that other orders of ours have
 * left of it. */
static uint32_t cross_share(const resting_order_t *o, const tick_t *tick, uint64_t left)
{
    uint64_t before = tick->qty64 - left + o->crossed;
    uint64_t there = left;
    if (o->px_e4 == tick->px_e4)
        there = o->ahead != 0 || before >= tick->qty64 ? 0 : tick->qty64 - before;
    return there < o->leaves ? (uint32_t)there : o->leaves;
}

static void cross_side(venue_t *v, uint16_t locate, uint8_t side, const tick_t *tick)
{
    uint64_t left = tick->px_e4 ? tick->qty64 : 0;
    uint32_t next;
    for (uint32_t at = resting_best(&v->resting, locate, side); at != 0; at = next) {
        resting_order_t *o = &v->resting.orders[at];
        next = o->worse;
        uint32_t qty = resting_better(side, tick->px_e4, o->px_e4) ? 0 : cross_share(o, tick, left);
        o->crossed = 0; /* the next cross begins anew */
        left -= fill_resting(
            v, at,
            (execution_t){
                .qty = qty, .px_e4 = tick->px_e4, .liquidity = 'C', .match = tick->match});
    }
}

/* A broken trade takes back what it had made us execute. */
static void on_break(venue_t *v, const tick_t *tick)
{
    breakable_t broken;
    while (breaks_take(&v->breaks, tick->match, &broken)) {
        uint32_t place = resting_find(&v->resting, broken.order_id);
        v->stats.broken++;
        v->stats.broken_shares += broken.qty;
        venue_emit(v,
                   &(report_t){.order_id = broken.order_id,
                               .md_seq = market_seq(v->market),
                               .locate = broken.locate,
                               .exec_id = broken.exec_id,
                               .px_e4 = broken.px_e4,
                               .qty = broken.qty,
                               .leaves = place ? v->resting.orders[place].leaves : 0,
                               .kind = REPORT_BROKEN,
                               .side = broken.side,
                               .liquidity = broken.liquidity,
                               .fee_e4 = -broken.fee_e4},
                   broken.intended);
    }
}

static void on_trade(venue_t *v, uint16_t locate, const tick_t *tick)
{
    switch (tick->type) {
    case ITCH_TRADE:
        on_print(v, locate, tick);
        break;
    case ITCH_CROSS_TRADE:
        cross_side(v, locate, 'B', tick);
        cross_side(v, locate, 'S', tick);
        break;
    case ITCH_BROKEN_TRADE:
        on_break(v, tick);
        break;
    default:
        break;
    }
}

/* What rests ends with the day's system hours, or with the next day. */
static void on_phase(venue_t *v, const market_event_t *e)
{
    if (e->new_day || market_day(v->market)->phase == MARKET_PHASE_CLOSED)
        venue_cancel_all(v, REASON_CLOSED);
    if (e->new_day) {
        taken_forget_all(&v->taken);
        breaks_forget_all(&v->breaks);
    }
}

/* Orders have other places in time than before, and nobody knows which of them ours had passed. */
void venue_restored(venue_t *v, const market_event_t *e)
{
    uint32_t left = v->resting.count;
    v->restored_seq = market_day(v->market)->restored_seq;
    taken_forget_all(&v->taken);
    for (uint32_t place = 1; left > 0; place++) {
        resting_order_t *o = &v->resting.orders[place];
        if (o->order_id == 0)
            continue;
        bool removed = e && e->locate == o->locate && e->removed_px_e4 == o->px_e4;
        o->ahead =
            market_qty_at(v->market, o->locate, o->side, o->px_e4) + (removed ? e->removed_qty : 0);
        o->arrival_seq = v->restored_seq;
        o->crossed = 0;
        left--;
    }
}

void venue_on_market(venue_t *v, const market_event_t *e, const tick_t *tick)
{
    uint16_t locate = e->locate;
    venue_look_for_restore(v, e);
    uint64_t bit = UINT64_C(1) << (locate % 64);
    if (TBUS_LIKELY((v->active[locate / 64] & bit) == 0)) {
        if (tick && tick->type == ITCH_BROKEN_TRADE && !e->foreign &&
            !breaks_none(&v->breaks, locate))
            on_break(v, tick);
        return;
    }
    if (locate == 0) {
        if (e->new_phase)
            on_phase(v, e);
        return;
    }
    if (e->removed_qty != 0)
        on_removed(v, e, tick);
    if (e->added_qty != 0)
        on_added(v, e);
    if (e->side == 0 && tick && !e->foreign)
        on_trade(v, locate, tick);
    if (v->resting.best[locate][0] == 0 && v->resting.best[locate][1] == 0 &&
        v->taken.held[locate] == 0)
        v->active[locate / 64] &= ~bit;
}
