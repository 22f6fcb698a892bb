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

int gate_create(const risk_limits_t *limits, const marks_t *marks, const market_t *market,
                gate_t **out_gate, tbus_error_t *err)
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
    if (!exposure_create(&g->exposure, market, marks ? marks : &marks_default,
                         limits->open_orders_max) ||
        !g->last_count || !g->passed_at) {
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

/* ---- the checks
 *
 * Each is one function that gives the figure, what it is held against, and whether that holds.
 * Judging and explaining both go through the table of them, so they cannot differ; where it judges,
 * the compiler leaves out what only an explanation needs.
 */

typedef struct inquiry {
    const gate_t *gate;
    const order_t *order;
    uint64_t now_ns;
    bool explains; /* constant where the checks are inlined */
    /* each set by the check that looks at it first, for those behind it */
    const market_symbol_t *symbol;
    market_touch_t touch;
    exposure_worst_t worst;
} inquiry_t;

typedef struct finding {
    uint64_t value;
    uint64_t limit;
    bool passed;
    bool known; /* value and limit mean something */
} finding_t;

static inline finding_t flag(bool is, bool wanted)
{
    return (finding_t){.value = is, .limit = wanted, .passed = is == wanted, .known = true};
}

static inline finding_t at_most(uint64_t value, uint64_t limit)
{
    return (finding_t){.value = value, .limit = limit, .passed = value <= limit, .known = true};
}

static inline finding_t check_form(inquiry_t *q)
{
    return flag(order_well_formed(q->order), true);
}

static inline finding_t check_id(inquiry_t *q)
{
    uint64_t count = order_count(q->order), last = q->gate->last_count[order_strategy(q->order)];
    return (finding_t){.value = count, .limit = last, .passed = count > last, .known = true};
}

static inline finding_t check_kill_switch(inquiry_t *q)
{
    return flag(q->gate->killed, false);
}

static inline finding_t check_symbol(inquiry_t *q)
{
    q->symbol = market_symbol(q->gate->market, order_locate(q->order));
    return flag(q->symbol->known, true);
}

static inline finding_t check_halted(inquiry_t *q)
{
    return flag(q->symbol->trading == MARKET_HALTED, false);
}

static inline finding_t check_qty(inquiry_t *q)
{
    return at_most(q->order->qty, q->gate->limits.max_order_qty);
}

static inline finding_t check_notional(inquiry_t *q)
{
    return at_most(exposure_notional_e4(q->order->qty, q->order->px_e4),
                   q->gate->limits.max_order_notional_e4);
}

static inline finding_t check_reference(inquiry_t *q)
{
    q->touch = market_touch(q->gate->market, order_locate(q->order));
    const market_touch_t *t = &q->touch;
    return flag(q->order->px_e4 != 0 && t->bid_qty != 0 && t->ask_qty != 0 &&
                    t->bid_px_e4 < t->ask_px_e4,
                true);
}

static inline finding_t check_collar(inquiry_t *q)
{
    const risk_limits_t *limits = &q->gate->limits;
    uint32_t px_e4 = q->order->px_e4;
    uint32_t reference = q->order->side == 'B' ? q->touch.bid_px_e4 : q->touch.ask_px_e4;
    uint32_t distance = px_e4 > reference ? px_e4 - reference : reference - px_e4;
    finding_t f = {.value = distance, .limit = limits->collar_e4};
    f.passed = distance <= limits->collar_e4 ||
               (uint64_t)distance * 10000 <= (uint64_t)reference * limits->collar_bps;
    if (!q->explains)
        return f;
    uint64_t relative = (uint64_t)reference * limits->collar_bps / 10000;
    f.limit = relative > f.limit ? relative : f.limit;
    f.known = px_e4 != 0 && reference != 0;
    f.passed &= f.known;
    return f;
}

static inline finding_t check_overflow(inquiry_t *q)
{
    q->worst = exposure_worst(&q->gate->exposure, q->order);
    return flag(q->worst.computable, true);
}

static inline finding_t check_position(inquiry_t *q)
{
    int64_t max = (int64_t)q->gate->limits.position_max;
    int64_t worst = q->order->side == 'B' ? q->worst.qty : -q->worst.qty;
    return (finding_t){.value = (uint64_t)q->worst.qty,
                       .limit = (uint64_t)(q->order->side == 'B' ? max : -max),
                       .passed = worst <= max,
                       .known = q->worst.computable};
}

static inline finding_t check_gross(inquiry_t *q)
{
    uint64_t limit = q->gate->limits.gross_notional_max_e4;
    finding_t f = {.limit = limit, .known = q->worst.computable};
    f.passed = q->worst.only_closes || q->worst.gross <= limit;
    f.value = q->worst.gross > UINT64_MAX ? UINT64_MAX : (uint64_t)q->worst.gross;
    return f;
}

/* Have fewer than `window` orders passed within the second that ends now? */
static inline bool rate_is_below(const gate_t *g, uint32_t window, uint64_t now_ns)
{
    if (g->passed_count < window)
        return true;
    uint32_t ring = g->first_limits.orders_per_second;
    uint32_t oldest =
        g->passed_next >= window ? g->passed_next - window : g->passed_next + ring - window;
    return (int64_t)(now_ns - g->passed_at[oldest]) >= (int64_t)SECOND_NS;
}

/* Of the value: those before it. */
static inline finding_t check_rate(inquiry_t *q)
{
    const gate_t *g = q->gate;
    uint32_t window = g->limits.orders_per_second, count = 0;
    finding_t f = {.limit = window, .known = true};
    f.passed = rate_is_below(g, window, q->now_ns);
    if (!q->explains)
        return f;
    while (count < window && !rate_is_below(g, count + 1, q->now_ns))
        count++;
    f.value = count;
    return f;
}

static inline finding_t check_open_orders(inquiry_t *q)
{
    uint32_t limit = q->gate->limits.open_orders_max, open = q->gate->exposure.open_count;
    return (finding_t){.value = open,
                       .limit = limit,
                       .passed = !exposure_full(&q->gate->exposure) && open < limit,
                       .known = true};
}

/* In the order of gate.h: reason, what the figure is, the check. What says nothing of an order that
 * may be live under the id comes first. */
#define GATE_CHECKS_OF_ID(X)                                                                       \
    X(MALFORMED, GATE_FLAG_SET, check_form)                                                        \
    X(DUPLICATE_ID, GATE_ABOVE, check_id)

#define GATE_CHECKS_OF_ORDER(X)                                                                    \
    X(KILL_SWITCH, GATE_FLAG_CLEAR, check_kill_switch)                                             \
    X(UNKNOWN_SYMBOL, GATE_FLAG_SET, check_symbol)                                                 \
    X(HALTED, GATE_FLAG_CLEAR, check_halted)                                                       \
    X(MAX_QTY, GATE_AT_MOST, check_qty)                                                            \
    X(MAX_NOTIONAL, GATE_AT_MOST, check_notional)                                                  \
    X(NO_REFERENCE, GATE_FLAG_SET, check_reference)                                                \
    X(PRICE_COLLAR, GATE_AT_MOST, check_collar)                                                    \
    X(OVERFLOW, GATE_FLAG_SET, check_overflow)                                                     \
    X(POSITION_LIMIT, GATE_SIGNED, check_position)                                                 \
    X(GROSS_NOTIONAL, GATE_AT_MOST, check_gross)                                                   \
    X(RATE, GATE_BELOW, check_rate)                                                                \
    X(OPEN_ORDERS, GATE_BELOW, check_open_orders)

static void let_through(gate_t *g, const order_t *o, uint64_t now_ns)
{
    g->passed_at[g->passed_next] = now_ns;
    uint32_t ring = g->first_limits.orders_per_second;
    g->passed_next = g->passed_next + 1 == ring ? 0 : g->passed_next + 1;
    g->passed_count += g->passed_count < ring;
    exposure_open(&g->exposure, o);
}

#define FAIL_AT(failure, shape, check)                                                             \
    if (!check(&q).passed)                                                                         \
        return REASON_##failure;

uint8_t gate_judge(gate_t *g, const order_t *o, uint64_t now_ns)
{
    inquiry_t q = {.gate = g, .order = o, .now_ns = now_ns, .explains = false};
    if (o->kind == ORDER_CANCEL)
        return check_form(&q).passed ? REASON_NONE : REASON_MALFORMED;
    GATE_CHECKS_OF_ID(FAIL_AT)
    g->last_count[order_strategy(o)] = order_count(o);
    GATE_CHECKS_OF_ORDER(FAIL_AT)
    let_through(g, o, now_ns);
    return REASON_NONE;
}

unsigned gate_explain(const gate_t *g, const order_t *o, uint64_t now_ns,
                      gate_check_t out_checks[GATE_CHECKS_MAX])
{
    inquiry_t q = {.gate = g, .order = o, .now_ns = now_ns, .explains = true};
    unsigned count = 0;
    bool reached = true;
#define X(failure, shape, check)                                                                   \
    if (count == 0 || o->kind != ORDER_CANCEL) {                                                   \
        finding_t f = check(&q);                                                                   \
        out_checks[count++] = (gate_check_t){.value = f.value,                                     \
                                             .limit = f.limit,                                     \
                                             .reason = REASON_##failure,                           \
                                             .form = shape,                                        \
                                             .known = f.known,                                     \
                                             .passed = f.passed,                                   \
                                             .reached = reached};                                  \
        reached &= f.passed;                                                                       \
    }
    GATE_CHECKS_OF_ID(X)
    GATE_CHECKS_OF_ORDER(X)
#undef X
    return count;
}

/* ---- what it knows, for tests and tools */

gate_exposure_t gate_exposure(const gate_t *g, uint16_t locate)
{
    const exposure_symbol_t *s = &g->exposure.symbols[locate];
    return (gate_exposure_t){.position = s->holding.position,
                             .open_buy_qty = s->open_qty[0],
                             .open_sell_qty = s->open_qty[1],
                             .mark = s->holding.mark};
}

uint64_t gate_gross_notional_e4(const gate_t *g)
{
    return exposure_gross_e4(&g->exposure);
}

const profit_t *gate_profit(const gate_t *g)
{
    return &g->exposure.profit;
}

uint32_t gate_open_orders(const gate_t *g)
{
    return g->exposure.open_count;
}

uint64_t gate_report_mismatches(const gate_t *g)
{
    return g->exposure.report_mismatches;
}
