/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/venue/venue.h"

#include <errno.h>
#include <stdlib.h>

#include <tickbus/atomic.h>
#include <tickbus/msg/itch_types.h>

#include "bus/market/session.h"
#include "risk/order_form.h"
#include "risk/table.h"
#include "risk/venue/venue_parts.h"

#define STRATEGIES 65536u
#define DOLLAR_E4  10000u
#define CENT_E4    100u

static const tbus_param_t table[] = {
    {"resting_max", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(venue_limits_t, resting_max), .min = 1,
     .max = VENUE_RESTING_LIMIT, .unit = "orders", .fallback = "16384",
     .help = "orders that rest in the venue model at a time"},
    {"taken_max", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(venue_limits_t, taken_max),
     .min = VENUE_SWEEP_LEVELS, .max = VENUE_TAKEN_LIMIT, .unit = "orders", .fallback = "65536",
     .help = "displayed orders of which the venue model remembers what we took"},
    {"durable", TBUS_PARAM_BOOL, TBUS_PARAM_FIELD(venue_limits_t, durable), .fallback = "false",
     .help = "take an order to the venue only when its record is on the disk; needs a journal with "
             "journal.durability periodic or sync-batch"},
    {"prints", TBUS_PARAM_BOOL, TBUS_PARAM_FIELD(venue_limits_t, prints), .fallback = "true",
     .help = "trades that the book does not show (P, and C at another price) fill our orders whose "
             "limit is better than their price; false: they fill none"},
    {"breakable_max", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(venue_limits_t, breakable_max), .min = 0,
     .max = VENUE_BREAKABLE_LIMIT, .unit = "executions", .fallback = "65536",
     .help = "executions of ours, the latest ones, that a broken trade (B) takes back; 0: none"},
};
const tbus_params_t venue_limits_params = TBUS_PARAMS(venue_limits_t, table);

int venue_create(const venue_limits_t *limits, const market_t *market, venue_emit_t emit,
                 void *emit_context, venue_t **out_venue, tbus_error_t *err)
{
    if (limits->resting_max == 0 || limits->resting_max > VENUE_RESTING_LIMIT)
        return tbus_fail(err, -TBUS_ECONFIG, "executor.resting_max is %u; set it from 1 to %u",
                         limits->resting_max, VENUE_RESTING_LIMIT);
    if (limits->taken_max < VENUE_SWEEP_LEVELS || limits->taken_max > VENUE_TAKEN_LIMIT)
        return tbus_fail(err, -TBUS_ECONFIG, "executor.taken_max is %u; set it from %u to %u",
                         limits->taken_max, VENUE_SWEEP_LEVELS, VENUE_TAKEN_LIMIT);
    if (limits->breakable_max > VENUE_BREAKABLE_LIMIT)
        return tbus_fail(err, -TBUS_ECONFIG, "executor.breakable_max is %u; set it from 0 to %u",
                         limits->breakable_max, VENUE_BREAKABLE_LIMIT);
    venue_t *v = table_create(1, sizeof *v);
    if (!v)
        return tbus_fail(err, -ENOMEM, "no memory for the venue model");
    v->market = market;
    v->prints = limits->prints;
    v->active[0] = 1;
    v->emit = emit;
    v->emit_context = emit_context;
    v->last_count = table_create(STRATEGIES, sizeof *v->last_count);
    if (!resting_create(&v->resting, limits->resting_max) ||
        !taken_create(&v->taken, limits->taken_max) ||
        !breaks_create(&v->breaks, limits->breakable_max) || !v->last_count) {
        venue_destroy(v);
        return tbus_fail(
            err, -ENOMEM,
            "no memory for the tables of the venue model; lower executor.resting_max (%u), "
            "executor.taken_max (%u) or executor.breakable_max (%u)",
            limits->resting_max, limits->taken_max, limits->breakable_max);
    }
    *out_venue = v;
    return 0;
}

void venue_destroy(venue_t *v)
{
    if (!v)
        return;
    resting_destroy(&v->resting);
    taken_destroy(&v->taken);
    breaks_destroy(&v->breaks);
    free(v->last_count);
    free(v);
}

/* Of an order: what is taken off for it, CANCELLED, ACCEPTED first; CANCELLED last. */
static uint32_t reports_max(uint32_t resting_max, uint32_t self_match)
{
    uint32_t sweep = VENUE_SWEEP_LEVELS + 3;
    if (self_match != SELF_MATCH_CANCEL_NEWEST)
        return resting_max + sweep;
    return resting_max > sweep ? resting_max : sweep;
}

uint32_t venue_reports_max(const venue_t *v)
{
    return reports_max(v->resting.orders_max, v->self_match);
}

size_t venue_footprint(const venue_limits_t *limits)
{
    return sizeof(venue_t) + STRATEGIES * sizeof(*((venue_t *)0)->last_count) +
           resting_footprint(limits->resting_max) + taken_footprint(limits->taken_max) +
           breaks_footprint(limits->breakable_max) +
           /* those that are kept, at most */
           reports_max(limits->resting_max, SELF_MATCH_CANCEL_BOTH) * (sizeof(report_t) + 8);
}

venue_stats_t venue_stats(const venue_t *v)
{
    venue_stats_t stats = v->stats;
    stats.open_orders = v->resting.count;
    return stats;
}

static void mark_active(venue_t *v, uint16_t locate)
{
    v->active[locate / 64] |= UINT64_C(1) << (locate % 64);
}

const uint64_t *venue_concerns(const venue_t *v)
{
    return v->active;
}

const uint8_t *venue_types(void)
{
    static const uint8_t types[256] = {[ITCH_BROKEN_TRADE] = 1};
    return types;
}

/* ---- orders */

void venue_refuse(venue_t *v, const order_t *o, uint8_t reason)
{
    v->stats.orders += o->kind != ORDER_CANCEL;
    v->stats.cancels += o->kind == ORDER_CANCEL;
    report_t refusal = order_refusal(o, reason, market_seq(v->market));
    venue_emit(v, &refusal, o->intended);
}

static void cancel(venue_t *v, const order_t *o)
{
    uint32_t place = order_well_formed(o) ? resting_find(&v->resting, o->order_id) : 0;
    if (place == 0) {
        venue_refuse(v, o, order_well_formed(o) ? REASON_UNKNOWN_ORDER : REASON_MALFORMED);
        return;
    }
    v->stats.cancels++;
    venue_cancel_resting(v, place, REASON_USER_CANCEL, o->intended);
}

static bool reaches(const order_t *o, uint32_t displayed_px_e4)
{
    return o->side == 'B' ? displayed_px_e4 <= o->px_e4 : displayed_px_e4 >= o->px_e4;
}

static bool marketable(const venue_t *v, const order_t *o, uint8_t against)
{
    uint32_t px_e4;
    uint64_t qty;
    return market_level(v->market, order_locate(o), against, 0, &px_e4, &qty, NULL) &&
           reaches(o, px_e4);
}

/* One tick away from a displayed price, to where it is not reached (Rule 612: a cent, below a
 * dollar a hundredth of one). 0: there is no such price. */
static uint32_t before_px(uint8_t side, uint32_t displayed_px_e4)
{
    uint64_t px_e4 = displayed_px_e4;
    if (side == 'S') {
        uint64_t tick = px_e4 >= DOLLAR_E4 ? CENT_E4 : 1;
        px_e4 = px_e4 / tick * tick + tick;
        return px_e4 <= UINT32_MAX ? (uint32_t)px_e4 : 0;
    }
    uint64_t tick = px_e4 > DOLLAR_E4 ? CENT_E4 : 1;
    return px_e4 == 0 ? 0 : (uint32_t)((px_e4 - 1) / tick * tick);
}

/* An order that must not take: it gets another price, if it may, or false. */
static bool keep_from_taking(const venue_t *v, order_t *o, uint8_t against)
{
    uint32_t px_e4;
    uint64_t qty;
    if ((o->flags & ORDER_POST_ONLY) == 0 || !marketable(v, o, against))
        return true;
    if ((o->flags & ORDER_SLIDE) == 0 ||
        !market_level(v->market, order_locate(o), against, 0, &px_e4, &qty, NULL))
        return false;
    o->px_e4 = before_px((uint8_t)o->side, px_e4);
    return o->px_e4 != 0;
}

/* The order that a replace is to take the place of; 0: there is none of its symbol and side. */
static uint32_t find_replaced(const venue_t *v, const order_t *o)
{
    uint32_t place = resting_find(&v->resting, order_replaces(o));
    const resting_order_t *old = &v->resting.orders[place];
    return old->locate == order_locate(o) && old->side == o->side ? place : 0;
}

/* Why a new order is not accepted; REASON_NONE: it is, with the price and the quantity that `o` has
 * then. `replaced`: the place of the order that it replaces, 0: there is none. */
static uint8_t judge_arrival(venue_t *v, order_t *o, uint8_t against, uint32_t replaced)
{
    const market_symbol_t *symbol = market_symbol(v->market, order_locate(o));
    if (!market_is_open(v->market))
        return REASON_CLOSED;
    if (symbol->trading == MARKET_HALTED)
        return REASON_HALTED;
    if (symbol->stale)
        return REASON_STALE_BOOK;
    if (o->kind == ORDER_REPLACE && replaced == 0)
        return REASON_UNKNOWN_ORDER;
    if (o->tif == ORDER_TIF_DAY && resting_full(&v->resting) && replaced == 0)
        return REASON_VENUE_FULL;
    if (!keep_from_taking(v, o, against))
        return REASON_POST_ONLY;
    if (v->taken.free_count < VENUE_SWEEP_LEVELS && marketable(v, o, against))
        return REASON_VENUE_FULL;
    return REASON_NONE;
}

/* Is it an order, and a new one? */
static uint8_t judge_form(venue_t *v, const order_t *o)
{
    if (!order_well_formed(o) || o->px_e4 == 0)
        return REASON_MALFORMED;
    uint64_t *last = &v->last_count[order_strategy(o)];
    if (order_count(o) <= *last)
        return REASON_DUPLICATE_ID;
    *last = order_count(o);
    return REASON_NONE;
}

/* Take what is there of the orders of a level, from the front of its queue, as far as it can be
 * remembered; at most `wanted` shares. */
static uint32_t take_from_level(venue_t *v, uint16_t locate, uint8_t side, uint32_t px_e4,
                                uint32_t wanted)
{
    uint32_t got = 0;
    uint32_t at = market_first_order(v->market, locate, side, px_e4);
    while (at != 0 && got < wanted && v->taken.free_count > 0) {
        market_order_t order;
        at = market_order_behind(v->market, at, &order);
        uint32_t there = taken_rest(&v->taken, order.added_seq, order.qty);
        uint32_t qty = there < wanted - got ? there : wanted - got;
        if (qty > 0)
            taken_add(&v->taken, locate, order.added_seq, qty);
        got += qty;
    }
    return got;
}

/* Fill against displayed levels. False: the sweep ended with shares within the limit still
 * displayed. */
static bool sweep(venue_t *v, resting_order_t *arriving, const order_t *o, uint8_t against)
{
    uint16_t locate = order_locate(o);
    uint32_t px_e4;
    uint64_t displayed;
    for (uint32_t depth = 0; arriving->leaves > 0; depth++) {
        if (!market_level(v->market, locate, against, depth, &px_e4, &displayed, NULL) ||
            !reaches(o, px_e4))
            return true;
        if (depth == VENUE_SWEEP_LEVELS || v->taken.free_count == 0)
            return false;
        uint32_t qty = take_from_level(v, locate, against, px_e4, arriving->leaves);
        if (qty == 0)
            continue;
        venue_emit_execution(v, arriving,
                             &(execution_t){.qty = qty, .px_e4 = px_e4, .liquidity = 'R'});
        arriving->leaves -= qty;
        arriving->executed += qty;
    }
    return true;
}

static void accept_order(venue_t *v, const order_t *o, uint8_t against, uint64_t executed)
{
    report_t accepted = order_answer(o, REPORT_ACCEPTED, REASON_NONE, market_seq(v->market));
    venue_emit(v, &accepted, o->intended);
    mark_active(v, order_locate(o));
    resting_order_t arriving = {
        .order_id = o->order_id,
        .intended = o->intended,
        .arrival_seq = market_seq(v->market),
        .ahead = market_qty_at(v->market, order_locate(o), o->side, o->px_e4),
        .executed = executed,
        .px_e4 = o->px_e4,
        .leaves = o->qty,
        .locate = order_locate(o),
        .side = o->side,
    };
    bool may_rest = sweep(v, &arriving, o, against) && o->tif == ORDER_TIF_DAY;
    if (arriving.leaves == 0)
        return;
    if (may_rest)
        resting_add(&v->resting, &arriving);
    else
        venue_emit_cancelled(v, &arriving, REASON_IOC_UNFILLED, o->intended);
}

void venue_set_self_match(venue_t *v, uint32_t self_match)
{
    v->self_match = self_match;
}

void venue_set_fees(venue_t *v, const session_fees_t *fees)
{
    v->fees = *fees;
}

/* Resting orders of ours that it reaches are taken off. Is the order refused, too? */
static uint8_t prevent_self_match(venue_t *v, const order_t *o, uint8_t against)
{
    uint8_t reason = REASON_NONE;
    if (TBUS_LIKELY(v->self_match == SELF_MATCH_CANCEL_NEWEST))
        return reason;
    uint32_t place, next;
    for (place = resting_best(&v->resting, order_locate(o), against); place != 0; place = next) {
        const resting_order_t *own = &v->resting.orders[place];
        next = own->worse;
        if (!reaches(o, own->px_e4))
            break;
        venue_cancel_resting(v, place, REASON_SELF_MATCH, o->intended);
        reason = v->self_match == SELF_MATCH_CANCEL_BOTH ? REASON_SELF_MATCH : REASON_NONE;
    }
    return reason;
}

/* The new order has the old one's place in time, since it only asks for less. */
static void reduce_in_place(venue_t *v, uint32_t place, const order_t *o)
{
    resting_order_t *order = &v->resting.orders[place];
    venue_emit_cancelled(v, order, REASON_REPLACED, o->intended);
    report_t accepted = order_answer(o, REPORT_ACCEPTED, REASON_NONE, market_seq(v->market));
    venue_emit(v, &accepted, o->intended);
    resting_rename(&v->resting, place, o->order_id);
    order->intended = o->intended;
    order->leaves = o->qty;
}

static void replace(venue_t *v, uint32_t place, order_t *o, uint8_t against)
{
    const resting_order_t *old = &v->resting.orders[place];
    uint64_t executed = old->executed;
    if (o->qty <= executed) {
        venue_cancel_resting(v, place, REASON_REPLACED, o->intended);
        report_t refusal = order_refusal(o, REASON_NOTHING_LEFT, market_seq(v->market));
        venue_emit(v, &refusal, o->intended);
        return;
    }
    o->qty -= (uint32_t)executed;
    if (o->px_e4 == old->px_e4 && o->qty <= old->leaves && o->tif == ORDER_TIF_DAY) {
        reduce_in_place(v, place, o);
        return;
    }
    venue_cancel_resting(v, place, REASON_REPLACED, o->intended);
    accept_order(v, o, against, executed);
}

void venue_order(venue_t *v, const order_t *sent)
{
    venue_look_for_restore(v, NULL);
    if (sent->kind == ORDER_CANCEL) {
        cancel(v, sent);
        return;
    }
    order_t o = *sent;
    uint8_t against = o.side == 'B' ? 'S' : 'B';
    uint8_t reason = judge_form(v, &o);
    uint32_t replaced = 0;
    if (reason == REASON_NONE && o.kind == ORDER_REPLACE)
        replaced = find_replaced(v, &o);
    if (reason == REASON_NONE)
        reason = judge_arrival(v, &o, against, replaced);
    if (reason == REASON_NONE)
        reason = prevent_self_match(v, &o, against);
    if (reason != REASON_NONE) {
        venue_refuse(v, sent, reason);
        return;
    }
    v->stats.orders++;
    if (replaced)
        replace(v, replaced, &o, against);
    else
        accept_order(v, &o, against, 0);
}

void venue_cancel_all(venue_t *v, uint8_t reason)
{
    for (uint32_t place = 1; place <= v->resting.orders_max && v->resting.count > 0; place++)
        if (v->resting.orders[place].order_id != 0)
            venue_cancel_resting(v, place, reason, 0);
}
