/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/gate.h"

#include <errno.h>
#include <stdlib.h>

#include <tickbus/atomic.h>
#include <tickbus/msg/event.h>

#include "risk/exposure.h"
#include "risk/order_form.h"
#include "risk/rate.h"
#include "risk/table.h"

#define STRATEGIES      65536u
#define PX_TICK_FROM_E4 10000u /* Rule 612: at 1.00 and above prices are in cents */
#define PX_TICK_E4      100u

struct gate {
    risk_limits_t limits;
    risk_limits_t first_limits; /* what memory was taken for */
    const market_t *market;     /* not owned */
    bool killed;
    uint64_t *last_count; /* by strategy: highest order_count seen */
    rate_t orders;        /* let through: new orders and replaces */
    rate_t messages;      /* ... and cancels */
    uint32_t self_match;
    bool reducing;             /* somebody said so */
    bool loss_latched;         /* the loss limit was reached */
    bool rearmed;              /* and losses count from the next order or tick on */
    profit_money_t loss_from;  /* net profit from which losses count */
    profit_money_t loss_worst; /* largest loss since */
    exposure_t exposure;
};

size_t gate_footprint(const risk_limits_t *limits)
{
    return sizeof(gate_t) + STRATEGIES * sizeof(*((gate_t *)0)->last_count) +
           rate_footprint(limits->orders_per_second) + rate_footprint(limits->messages_per_second) +
           exposure_footprint(limits->open_orders_max);
}

const gate_rules_t gate_rules_default = {.marks = {.stub_bps = 5000},
                                         .self_match = SELF_MATCH_CANCEL_NEWEST};

int gate_create(const risk_limits_t *limits, const gate_rules_t *rules, const market_t *market,
                gate_t **out_gate, tbus_error_t *err)
{
    if (!rules)
        rules = &gate_rules_default;
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
    g->self_match = rules->self_match;
    bool rates = rate_create(&g->orders, limits->orders_per_second);
    rates = rate_create(&g->messages, limits->messages_per_second) && rates;
    if (!exposure_create(&g->exposure, market, &rules->marks, limits->open_orders_max) ||
        !g->last_count || !rates) {
        gate_destroy(g);
        return tbus_fail(
            err, -ENOMEM,
            "no memory for the tables of the risk gate; lower risk.open_orders_max (%u) or "
            "risk.orders_per_second (%u) and risk.messages_per_second (%u)",
            limits->open_orders_max, limits->orders_per_second, limits->messages_per_second);
    }
    *out_gate = g;
    return 0;
}

void gate_destroy(gate_t *g)
{
    if (!g)
        return;
    exposure_destroy(&g->exposure);
    rate_destroy(&g->orders);
    rate_destroy(&g->messages);
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

void gate_reduce(gate_t *g, bool reducing)
{
    g->reducing = reducing;
}

void gate_rearm(gate_t *g)
{
    g->loss_latched = false;
    g->rearmed = true;
}

void gate_act(gate_t *g, uint8_t kind)
{
    bool resumes = kind == EVENT_RESUME;
    gate_kill(g, kind == EVENT_HALT || (g->killed && !resumes));
    gate_reduce(g, kind == EVENT_REDUCE || (g->reducing && !resumes));
    if (resumes)
        gate_rearm(g);
}

enum gate_state gate_state(const gate_t *g)
{
    if (g->killed)
        return GATE_HALTED;
    return g->reducing || g->loss_latched ? GATE_REDUCING : GATE_ACTIVE;
}

bool gate_loss_latched(const gate_t *g)
{
    return g->loss_latched;
}

int64_t gate_loss_e4(const gate_t *g)
{
    return profit_e4(g->loss_worst);
}

const risk_limits_t *gate_limits(const gate_t *g)
{
    return &g->limits;
}

void gate_restart_rate(gate_t *g)
{
    rate_restart(&g->orders);
    rate_restart(&g->messages);
}

/* Reports do not count between a resume and the next input that is on record by its place: whoever
 * repeats a session knows behind which tick and order somebody resumed, not behind which report. */
static void count_losses_anew(gate_t *g)
{
    g->rearmed = false;
    g->loss_from = profit_net(&g->exposure.profit);
    g->loss_worst = 0;
}

/* Once beyond the limit that was in force then, it stays so until gate_rearm. */
static void look_at_loss(gate_t *g)
{
    if (TBUS_UNLIKELY(g->rearmed))
        return;
    profit_money_t loss = g->loss_from - profit_net(&g->exposure.profit);
    if (loss <= g->loss_worst)
        return;
    g->loss_worst = loss;
    g->loss_latched |= loss > (profit_money_t)g->limits.loss_max_e4;
}

const uint64_t *gate_concerns(const gate_t *g)
{
    return g->exposure.held;
}

void gate_on_report(gate_t *g, const report_t *report)
{
    report_t of_symbol = *report;
    of_symbol.locate = exposure_symbol_of(&g->exposure, report);
    exposure_on_report(&g->exposure, &of_symbol);
    look_at_loss(g);
}

void gate_on_market(gate_t *g, const market_event_t *event)
{
    if (TBUS_UNLIKELY(event->new_day))
        gate_restart_rate(g);
    if (TBUS_UNLIKELY(g->rearmed) && exposure_is_held(&g->exposure, event->locate))
        count_losses_anew(g);
    exposure_on_market(&g->exposure, event);
    look_at_loss(g);
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

static inline finding_t check_test_symbol(inquiry_t *q)
{
    bool allowed = q->gate->limits.test_symbols == RISK_TEST_SYMBOLS_ALLOW;
    return flag(q->symbol->test && !allowed, false);
}

static inline finding_t check_halted(inquiry_t *q)
{
    return flag(q->symbol->trading == MARKET_HALTED, false);
}

static inline finding_t check_closed(inquiry_t *q)
{
    return flag(market_is_open(q->gate->market), true);
}

static inline finding_t check_stale(inquiry_t *q)
{
    return flag(q->symbol->stale, false);
}

static inline finding_t check_loss(inquiry_t *q)
{
    const gate_t *g = q->gate;
    q->worst = exposure_worst(&g->exposure, q->order);
    finding_t f = {.limit = g->limits.loss_max_e4, .known = true};
    f.passed = !g->loss_latched || q->worst.only_closes;
    f.value = g->rearmed ? 0 : (uint64_t)profit_e4(g->loss_worst);
    return f;
}

static inline finding_t check_reducing(inquiry_t *q)
{
    finding_t f = flag(q->gate->reducing, false);
    f.passed |= q->worst.only_closes;
    return f;
}

static inline finding_t check_tick_size(inquiry_t *q)
{
    uint32_t px_e4 = q->order->px_e4;
    return flag(px_e4 <= GATE_PX_MAX_E4 && (px_e4 < PX_TICK_FROM_E4 || px_e4 % PX_TICK_E4 == 0),
                true);
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

/* Up to which price so many shares are displayed; of a side that has fewer in the levels that are
 * looked at, the last of these. 0: the side is empty. */
static uint32_t reference_px(const inquiry_t *q, uint8_t side)
{
    uint64_t sum = 0, qty;
    uint32_t px_e4 = 0, level_px_e4;
    for (uint32_t depth = 0; depth < GATE_REFERENCE_LEVELS && sum < q->gate->limits.reference_qty &&
                             market_level(q->gate->market, order_locate(q->order), side, depth,
                                          &level_px_e4, &qty, NULL);
         depth++) {
        sum += qty;
        px_e4 = level_px_e4;
    }
    return px_e4;
}

/* What only closes needs the side that it hits, and no more. */
static inline finding_t check_reference(inquiry_t *q)
{
    q->touch = market_touch(q->gate->market, order_locate(q->order));
    const market_touch_t *t = &q->touch;
    uint64_t hit_qty = q->order->side == 'B' ? t->ask_qty : t->bid_qty;
    bool whole = t->bid_qty != 0 && t->ask_qty != 0 && t->bid_px_e4 < t->ask_px_e4;
    return flag(q->order->px_e4 != 0 && (whole || (q->worst.only_closes && hit_qty != 0)), true);
}

static inline finding_t collar_from(const inquiry_t *q, uint32_t reference)
{
    const risk_limits_t *limits = &q->gate->limits;
    uint32_t px_e4 = q->order->px_e4;
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

static inline finding_t check_collar(inquiry_t *q)
{
    uint8_t own = q->order->side, hit = own == 'B' ? 'S' : 'B';
    if (!q->worst.only_closes)
        return collar_from(q, reference_px(q, own));
    finding_t from_hit = collar_from(q, reference_px(q, hit));
    uint32_t own_px_e4 = reference_px(q, own);
    if (from_hit.passed || own_px_e4 == 0)
        return from_hit;
    finding_t from_own = collar_from(q, own_px_e4);
    return from_own.passed ? from_own : from_hit;
}

uint32_t gate_market_px(const gate_t *g, const order_t *sent)
{
    order_t o = *sent; /* of the symbol by its number */
    o.locate = market_number(g->market, order_locate(sent));
    inquiry_t q = {.gate = g, .order = &o, .explains = false};
    bool buys = o.side == 'B', closes = exposure_worst(&g->exposure, &o).only_closes;
    uint64_t reference = reference_px(&q, buys == closes ? 'S' : 'B');
    uint64_t away = reference * g->limits.collar_bps / 10000;
    if (away < g->limits.collar_e4)
        away = g->limits.collar_e4;
    uint64_t px_e4 = buys ? reference + away : reference > away ? reference - away : 1;
    if (px_e4 > GATE_PX_MAX_E4)
        px_e4 = GATE_PX_MAX_E4;
    uint64_t tick = px_e4 >= PX_TICK_FROM_E4 ? PX_TICK_E4 : 1;
    uint64_t inside = buys ? px_e4 / tick : (px_e4 + tick - 1) / tick;
    return reference == 0 ? 0 : (uint32_t)(inside * tick);
}

/* A sell of more than is held and not being sold already is a short sale. */
static inline finding_t check_short_sale(inquiry_t *q)
{
    const order_t *o = q->order;
    bool restricted = q->symbol->reg_sho == '1' || q->symbol->reg_sho == '2';
    bool at_bid = q->touch.bid_qty != 0 && o->px_e4 <= q->touch.bid_px_e4;
    return flag(restricted && o->side == 'S' && at_bid &&
                    (!q->worst.computable || q->worst.qty < 0),
                false);
}

/* Orders of its own strategy the venue may cancel instead. */
static inline finding_t check_self_match(inquiry_t *q)
{
    bool of_others = q->gate->self_match != SELF_MATCH_CANCEL_NEWEST;
    return flag(exposure_meets(&q->gate->exposure, q->order, of_others), false);
}

static inline finding_t check_overflow(inquiry_t *q)
{
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

/* Of the value: those before it. */
static inline finding_t rate_check(const inquiry_t *q, const rate_t *rate, uint32_t window)
{
    finding_t f = {.limit = window, .known = true};
    f.passed = rate_is_below(rate, window, q->now_ns);
    if (q->explains)
        f.value = rate_count(rate, window, q->now_ns);
    return f;
}

static inline finding_t check_rate(inquiry_t *q)
{
    return rate_check(q, &q->gate->orders, q->gate->limits.orders_per_second);
}

static inline finding_t check_message_rate(inquiry_t *q)
{
    return rate_check(q, &q->gate->messages, q->gate->limits.messages_per_second);
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
    X(TEST_SYMBOL, GATE_FLAG_CLEAR, check_test_symbol)                                             \
    X(CLOSED, GATE_FLAG_SET, check_closed)                                                         \
    X(HALTED, GATE_FLAG_CLEAR, check_halted)                                                       \
    X(STALE_BOOK, GATE_FLAG_CLEAR, check_stale)                                                    \
    X(LOSS_LIMIT, GATE_AT_MOST, check_loss)                                                        \
    X(REDUCING, GATE_FLAG_CLEAR, check_reducing)                                                   \
    X(TICK_SIZE, GATE_FLAG_SET, check_tick_size)                                                   \
    X(MAX_QTY, GATE_AT_MOST, check_qty)                                                            \
    X(MAX_NOTIONAL, GATE_AT_MOST, check_notional)                                                  \
    X(NO_REFERENCE, GATE_FLAG_SET, check_reference)                                                \
    X(PRICE_COLLAR, GATE_AT_MOST, check_collar)                                                    \
    X(SHORT_SALE, GATE_FLAG_CLEAR, check_short_sale)                                               \
    X(SELF_MATCH, GATE_FLAG_CLEAR, check_self_match)                                               \
    X(OVERFLOW, GATE_FLAG_SET, check_overflow)                                                     \
    X(POSITION_LIMIT, GATE_SIGNED, check_position)                                                 \
    X(GROSS_NOTIONAL, GATE_AT_MOST, check_gross)                                                   \
    X(RATE, GATE_BELOW, check_rate)                                                                \
    X(MESSAGE_RATE, GATE_BELOW, check_message_rate)                                                \
    X(OPEN_ORDERS, GATE_BELOW, check_open_orders)

static void let_through(gate_t *g, const order_t *o, uint64_t now_ns)
{
    rate_note(&g->orders, now_ns);
    rate_note(&g->messages, now_ns);
    exposure_open(&g->exposure, o);
}

/* It counts, and nothing holds it up. */
static uint8_t judge_cancel(gate_t *g, inquiry_t *q)
{
    if (!check_form(q).passed)
        return REASON_MALFORMED;
    rate_note(&g->messages, q->now_ns);
    return REASON_NONE;
}

#define FAIL_AT(failure, shape, check)                                                             \
    if (!check(&q).passed)                                                                         \
        return REASON_##failure;

/* The same order, of the symbol by its number. */
static inline order_t order_of_symbol(const gate_t *g, const order_t *sent)
{
    order_t order = *sent;
    order.locate = market_number(g->market, order_locate(sent));
    return order;
}

uint8_t gate_judge(gate_t *g, const order_t *sent, uint64_t now_ns)
{
    order_t order = order_of_symbol(g, sent), *o = &order;
    inquiry_t q = {.gate = g, .order = o, .now_ns = now_ns, .explains = false};
    if (o->kind == ORDER_CANCEL)
        return judge_cancel(g, &q);
    if (TBUS_UNLIKELY(g->rearmed))
        count_losses_anew(g);
    GATE_CHECKS_OF_ID(FAIL_AT)
    g->last_count[order_strategy(o)] = order_count(o);
    GATE_CHECKS_OF_ORDER(FAIL_AT)
    let_through(g, o, now_ns);
    return REASON_NONE;
}

unsigned gate_explain(const gate_t *g, const order_t *sent, uint64_t now_ns,
                      gate_check_t out_checks[GATE_CHECKS_MAX])
{
    order_t order = order_of_symbol(g, sent), *o = &order;
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
