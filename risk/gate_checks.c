/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/gate_parts.h"

#include "risk/order_form.h"

#define PX_TICK_FROM_E4 10000u /* Rule 612: at 1.00 and above prices are in cents */
#define PX_TICK_E4      100u

/* Each check is one function that gives the figure, what it is held against, and whether that
 * holds. Judging and explaining both go through the table of them, so they cannot differ; where it
 * judges, the compiler leaves out what only an explanation needs.
 */

typedef struct inquiry {
    const gate_t *gate;
    const order_t *order;
    uint64_t now_ns;
    bool explains; /* constant where the checks are inlined */
    own_t *own;    /* limits of its strategy alone; NULL: none */
    /* each set by the check that looks at it first, for those behind it */
    const market_symbol_t *symbol;
    market_touch_t touch;
    exposure_worst_t worst;
    exposure_worst_t own_worst;
} inquiry_t;

typedef struct finding {
    uint64_t value;
    uint64_t limit;
    bool passed;
    bool known; /* value and limit mean something */
} finding_t;

/* The same order, of the symbol by its number. */
static inline order_t order_of_symbol(const gate_t *g, const order_t *sent)
{
    order_t order = *sent;
    order.locate = market_number(g->market, order_locate(sent));
    return order;
}

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
    bool gap = market_day(q->gate->market)->gap == MARKET_GAP_BLOCK;
    return flag(q->symbol->stale | gap, false);
}

static inline finding_t loss_check(const inquiry_t *q, const scope_t *scope, uint64_t limit,
                                   bool only_closes)
{
    finding_t f = {.limit = limit, .known = true};
    f.passed = !scope->loss_latched || only_closes;
    f.value = q->gate->rearmed ? 0 : (uint64_t)profit_e4(scope->loss_worst);
    return f;
}

static inline finding_t check_loss(inquiry_t *q)
{
    q->worst = exposure_worst(&q->gate->all.exposure, q->order);
    return loss_check(q, &q->gate->all, q->gate->limits.loss_max_e4, q->worst.only_closes);
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
    const market_touch_t *t = &q->touch;
    uint64_t sum = side == 'B' ? t->bid_qty : t->ask_qty, qty;
    uint32_t px_e4 = side == 'B' ? t->bid_px_e4 : t->ask_px_e4, level_px_e4;
    if (sum == 0)
        return 0;
    for (uint32_t depth = 1; depth < GATE_REFERENCE_LEVELS && sum < q->gate->limits.reference_qty &&
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
    order_t o = order_of_symbol(g, sent);
    inquiry_t q = {.gate = g,
                   .order = &o,
                   .explains = false,
                   .touch = market_touch(g->market, order_locate(&o))};
    bool buys = o.side == 'B', closes = exposure_worst(&g->all.exposure, &o).only_closes;
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

/* The venue may cancel those that rest instead. */
static inline finding_t check_self_match(inquiry_t *q)
{
    bool left_to_venue = q->gate->self_match != SELF_MATCH_CANCEL_NEWEST;
    return flag(!left_to_venue && exposure_meets(&q->gate->all.exposure, q->order), false);
}

static inline finding_t check_overflow(inquiry_t *q)
{
    return flag(q->worst.computable, true);
}

static inline finding_t position_check(const inquiry_t *q, const exposure_worst_t *worst,
                                       uint64_t position_max)
{
    int64_t max = (int64_t)position_max;
    int64_t beyond = q->order->side == 'B' ? worst->qty : -worst->qty;
    return (finding_t){.value = (uint64_t)worst->qty,
                       .limit = (uint64_t)(q->order->side == 'B' ? max : -max),
                       .passed = beyond <= max && worst->computable,
                       .known = worst->computable};
}

static inline finding_t check_position(inquiry_t *q)
{
    return position_check(q, &q->worst, q->gate->limits.position_max);
}

static inline finding_t gross_check(const exposure_worst_t *worst, uint64_t limit)
{
    finding_t f = {.limit = limit, .known = worst->computable};
    f.passed = worst->only_closes || worst->gross <= limit;
    f.value = worst->gross > UINT64_MAX ? UINT64_MAX : (uint64_t)worst->gross;
    return f;
}

static inline finding_t check_gross(inquiry_t *q)
{
    return gross_check(&q->worst, q->gate->limits.gross_notional_max_e4);
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
    return rate_check(q, &q->gate->all.orders, q->gate->limits.orders_per_second);
}

static inline finding_t check_message_rate(inquiry_t *q)
{
    return rate_check(q, &q->gate->all.messages, q->gate->limits.messages_per_second);
}

static inline finding_t check_open_orders(inquiry_t *q)
{
    uint32_t limit = q->gate->limits.open_orders_max, open = q->gate->all.exposure.open_count;
    return (finding_t){.value = open,
                       .limit = limit,
                       .passed = !exposure_full(&q->gate->all.exposure) && open < limit,
                       .known = true};
}

/* ---- of a strategy alone */

static inline finding_t check_own_loss(inquiry_t *q)
{
    q->own_worst = exposure_worst(&q->own->scope.exposure, q->order);
    return loss_check(q, &q->own->scope, q->own->limits.loss_max_e4, q->own_worst.only_closes);
}

static inline finding_t check_own_qty(inquiry_t *q)
{
    return at_most(q->order->qty, q->own->limits.max_order_qty);
}

static inline finding_t check_own_notional(inquiry_t *q)
{
    return at_most(exposure_notional_e4(q->order->qty, q->order->px_e4),
                   q->own->limits.max_order_notional_e4);
}

static inline finding_t check_own_position(inquiry_t *q)
{
    return position_check(q, &q->own_worst, q->own->limits.position_max);
}

static inline finding_t check_own_gross(inquiry_t *q)
{
    return gross_check(&q->own_worst, q->own->limits.gross_notional_max_e4);
}

/* A window that memory was not taken for is wider than that of the bus, which is full before. */
static inline finding_t own_rate_check(const inquiry_t *q, const rate_t *rate, uint32_t window)
{
    if (window <= rate->size)
        return rate_check(q, rate, window);
    finding_t f = {.limit = window, .passed = true, .known = true};
    if (q->explains)
        f.value = rate_count(rate, rate->size, q->now_ns);
    return f;
}

static inline finding_t check_own_rate(inquiry_t *q)
{
    return own_rate_check(q, &q->own->scope.orders, q->own->limits.orders_per_second);
}

static inline finding_t check_own_message_rate(inquiry_t *q)
{
    return own_rate_check(q, &q->own->scope.messages, q->own->limits.messages_per_second);
}

static inline finding_t check_own_open_orders(inquiry_t *q)
{
    uint32_t limit = q->own->limits.open_orders_max, open = q->own->scope.exposure.open_count;
    return (finding_t){.value = open, .limit = limit, .passed = open < limit, .known = true};
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

#define GATE_CHECKS_OF_STRATEGY(X)                                                                 \
    X(LOSS_LIMIT, GATE_AT_MOST, check_own_loss)                                                    \
    X(MAX_QTY, GATE_AT_MOST, check_own_qty)                                                        \
    X(MAX_NOTIONAL, GATE_AT_MOST, check_own_notional)                                              \
    X(POSITION_LIMIT, GATE_SIGNED, check_own_position)                                             \
    X(GROSS_NOTIONAL, GATE_AT_MOST, check_own_gross)                                               \
    X(RATE, GATE_BELOW, check_own_rate)                                                            \
    X(MESSAGE_RATE, GATE_BELOW, check_own_message_rate)                                            \
    X(OPEN_ORDERS, GATE_BELOW, check_own_open_orders)

static void count_order(scope_t *scope, const order_t *o, uint64_t now_ns)
{
    rate_note(&scope->orders, now_ns);
    rate_note(&scope->messages, now_ns);
    exposure_open(&scope->exposure, o);
}

/* It counts, and nothing holds it up. */
static uint8_t judge_cancel(gate_t *g, inquiry_t *q)
{
    if (!check_form(q).passed)
        return REASON_MALFORMED;
    rate_note(&g->all.messages, q->now_ns);
    if (TBUS_UNLIKELY(q->own != NULL))
        rate_note(&q->own->scope.messages, q->now_ns);
    return REASON_NONE;
}

#define FAIL_AT(failure, shape, check)                                                             \
    if (!check(&q).passed)                                                                         \
        return REASON_##failure;

/* By the limits of its strategy alone. */
static uint8_t judge_own(inquiry_t q)
{
    GATE_CHECKS_OF_STRATEGY(FAIL_AT)
    return REASON_NONE;
}

uint8_t gate_judge(gate_t *g, const order_t *sent, uint64_t now_ns)
{
    order_t order = order_of_symbol(g, sent), *o = &order;
    inquiry_t q = {.gate = g,
                   .order = o,
                   .now_ns = now_ns,
                   .explains = false,
                   .own = own_of(g, order_strategy(o))};
    if (o->kind == ORDER_CANCEL)
        return judge_cancel(g, &q);
    if (TBUS_UNLIKELY(g->rearmed))
        gate_count_losses_anew(g);
    GATE_CHECKS_OF_ID(FAIL_AT)
    g->last_count[order_strategy(o)] = order_count(o);
    GATE_CHECKS_OF_ORDER(FAIL_AT)
    if (TBUS_UNLIKELY(q.own != NULL)) {
        uint8_t reason = judge_own(q);
        if (reason != REASON_NONE)
            return reason;
        count_order(&q.own->scope, o, now_ns);
    }
    count_order(&g->all, o, now_ns);
    return REASON_NONE;
}

unsigned gate_explain(const gate_t *g, const order_t *sent, uint64_t now_ns,
                      gate_check_t out_checks[GATE_CHECKS_MAX])
{
    order_t order = order_of_symbol(g, sent), *o = &order;
    inquiry_t q = {.gate = g,
                   .order = o,
                   .now_ns = now_ns,
                   .explains = true,
                   .own = own_of(g, order_strategy(o))};
    bool of_strategy = false;
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
                                             .reached = reached,                                   \
                                             .of_strategy = of_strategy};                          \
        reached &= f.passed;                                                                       \
    }
    GATE_CHECKS_OF_ID(X)
    GATE_CHECKS_OF_ORDER(X)
    of_strategy = true;
    if (q.own != NULL) {
        GATE_CHECKS_OF_STRATEGY(X)
    }
#undef X
    return count;
}
