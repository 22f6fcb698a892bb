/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/gate.h"

#include <errno.h>
#include <stdlib.h>

#include "risk/exposure.h"
#include "risk/order_form.h"
#include "risk/table.h"

#define STRATEGIES 65536u
#define SECOND_NS  UINT64_C(1000000000)

struct gate {
    risk_limits_t limits;
    risk_limits_t first_limits; /* what memory was taken for */
    const market_t *market;     /* not owned */
    bool killed;
    uint64_t *last_count; /* by strategy: highest order_count seen */
    /* ring: event time of the last orders let through, as many as orders_per_second was at first */
    uint64_t *passed_at;
    uint32_t passed_next;
    uint32_t passed_count; /* in the ring */
    exposure_t exposure;
};

size_t gate_footprint(const risk_limits_t *limits)
{
    return sizeof(gate_t) + STRATEGIES * sizeof(*((gate_t *)0)->last_count) +
           limits->orders_per_second * sizeof(*((gate_t *)0)->passed_at) +
           exposure_footprint(limits->open_orders_max);
}

int gate_create(const risk_limits_t *limits, const market_t *market, gate_t **out_gate,
                tbus_error_t *err)
{
    int code = risk_limits_check(limits, err);
    if (code != 0)
        return code;
    gate_t *g = table_create(1, sizeof *g);
    if (!g)
        return tbus_fail(err, -ENOMEM, "no memory for the risk gate");
    g->limits = *limits;
    g->first_limits = *limits;
    g->market = market;
    g->last_count = table_create(STRATEGIES, sizeof *g->last_count);
    g->passed_at = table_create(limits->orders_per_second, sizeof *g->passed_at);
    if (!exposure_create(&g->exposure, market, limits->open_orders_max) || !g->last_count ||
        !g->passed_at) {
        gate_destroy(g);
        return tbus_fail(
            err, -ENOMEM,
            "no memory for the tables of the risk gate; lower risk.open_orders_max (%u) or "
            "risk.orders_per_second (%u)",
            limits->open_orders_max, limits->orders_per_second);
    }
    *out_gate = g;
    return 0;
}

void gate_destroy(gate_t *g)
{
    if (!g)
        return;
    exposure_destroy(&g->exposure);
    free(g->passed_at);
    free(g->last_count);
    free(g);
}

bool gate_set_limits(gate_t *g, const risk_limits_t *limits)
{
    if (risk_limits_check_change(&g->first_limits, limits, NULL) < 0)
        return false;
    g->limits = *limits;
    return true;
}

void gate_kill(gate_t *g, bool killed)
{
    g->killed = killed;
}

void gate_restart_rate(gate_t *g)
{
    g->passed_count = 0;
}

const uint64_t *gate_concerns(const gate_t *g)
{
    return g->exposure.held;
}

void gate_on_report(gate_t *g, const report_t *report)
{
    exposure_on_report(&g->exposure, report);
}

void gate_on_market(gate_t *g, const market_event_t *event)
{
    exposure_on_market(&g->exposure, event);
}

/* ---- the checks, in the order of gate.h; each returns its reason or REASON_NONE */

static uint8_t check_identity(gate_t *g, const order_t *o)
{
    uint64_t *last = &g->last_count[order_strategy(o)];
    if (order_count(o) <= *last)
        return REASON_DUPLICATE_ID;
    *last = order_count(o);
    return g->killed ? REASON_KILL_SWITCH : REASON_NONE;
}

static uint8_t check_symbol(const gate_t *g, const order_t *o)
{
    const market_symbol_t *symbol = market_symbol(g->market, order_locate(o));
    if (!symbol->known)
        return REASON_UNKNOWN_SYMBOL;
    return symbol->trading == MARKET_HALTED ? REASON_HALTED : REASON_NONE;
}

static uint8_t check_size(const gate_t *g, const order_t *o)
{
    if (o->qty > g->limits.max_order_qty)
        return REASON_MAX_QTY;
    bool too_much = exposure_notional_e4(o->qty, o->px_e4) > g->limits.max_order_notional_e4;
    return too_much ? REASON_MAX_NOTIONAL : REASON_NONE;
}

static uint8_t check_price(const gate_t *g, const order_t *o)
{
    market_touch_t touch = market_touch(g->market, order_locate(o));
    if (o->px_e4 == 0 || touch.bid_qty == 0 || touch.ask_qty == 0 ||
        touch.bid_px_e4 >= touch.ask_px_e4)
        return REASON_NO_REFERENCE;
    uint32_t reference = o->side == 'B' ? touch.bid_px_e4 : touch.ask_px_e4;
    uint32_t distance = o->px_e4 > reference ? o->px_e4 - reference : reference - o->px_e4;
    bool within = distance <= g->limits.collar_e4 ||
                  (uint64_t)distance * 10000 <= (uint64_t)reference * g->limits.collar_bps;
    return within ? REASON_NONE : REASON_PRICE_COLLAR;
}

static uint8_t check_exposure(const gate_t *g, const order_t *o)
{
    exposure_worst_t worst = exposure_worst(&g->exposure, o);
    if (!worst.computable)
        return REASON_OVERFLOW;
    int64_t position_max = (int64_t)g->limits.position_max;
    if (o->side == 'B' ? worst.qty > position_max : worst.qty < -position_max)
        return REASON_POSITION_LIMIT;
    bool too_much = !worst.only_closes && worst.gross > g->limits.gross_notional_max_e4;
    return too_much ? REASON_GROSS_NOTIONAL : REASON_NONE;
}

static uint8_t check_room(const gate_t *g, uint64_t now_ns)
{
    uint32_t window = g->limits.orders_per_second;
    if (g->passed_count >= window) {
        uint32_t ring = g->first_limits.orders_per_second;
        uint32_t oldest =
            g->passed_next >= window ? g->passed_next - window : g->passed_next + ring - window;
        if ((int64_t)(now_ns - g->passed_at[oldest]) < (int64_t)SECOND_NS)
            return REASON_RATE;
    }
    bool full = exposure_full(&g->exposure) || g->exposure.open_count >= g->limits.open_orders_max;
    return full ? REASON_OPEN_ORDERS : REASON_NONE;
}

static void let_through(gate_t *g, const order_t *o, uint64_t now_ns)
{
    g->passed_at[g->passed_next] = now_ns;
    uint32_t ring = g->first_limits.orders_per_second;
    g->passed_next = g->passed_next + 1 == ring ? 0 : g->passed_next + 1;
    g->passed_count += g->passed_count < ring;
    exposure_open(&g->exposure, o);
}

uint8_t gate_judge(gate_t *g, const order_t *o, uint64_t now_ns)
{
    if (!order_well_formed(o))
        return REASON_MALFORMED;
    if (o->kind == ORDER_CANCEL)
        return REASON_NONE;
    uint8_t reason = check_identity(g, o);
    if (reason == REASON_NONE)
        reason = check_symbol(g, o);
    if (reason == REASON_NONE)
        reason = check_size(g, o);
    if (reason == REASON_NONE)
        reason = check_price(g, o);
    if (reason == REASON_NONE)
        reason = check_exposure(g, o);
    if (reason == REASON_NONE)
        reason = check_room(g, now_ns);
    if (reason == REASON_NONE)
        let_through(g, o, now_ns);
    return reason;
}

/* ---- what it knows, for tests and tools */

gate_exposure_t gate_exposure(const gate_t *g, uint16_t locate)
{
    const exposure_symbol_t *s = &g->exposure.symbols[locate];
    return (gate_exposure_t){.position = s->position,
                             .open_buy_qty = s->open_qty[0],
                             .open_sell_qty = s->open_qty[1],
                             .mark_px_e4 = s->mark_px_e4};
}

uint64_t gate_gross_notional_e4(const gate_t *g)
{
    return exposure_gross_e4(&g->exposure);
}

uint32_t gate_open_orders(const gate_t *g)
{
    return g->exposure.open_count;
}

uint64_t gate_report_mismatches(const gate_t *g)
{
    return g->exposure.report_mismatches;
}
