/* SPDX-License-Identifier: Apache-2.0 */
/* quote - joins the touch: on each of a few symbols one buy order at the best bid and one sell
 * order at the best ask, post-only unless it is told otherwise.
 *
 * Each side of a symbol is one of
 *
 *    NONE --send--> OPEN --cancel--> LEAVING --cancelled, filled--> NONE
 *                    +-- rejected, filled, cancelled by others --> NONE
 *
 * and wants a price: that of its side of the touch, or none at all when the book is one-sided,
 * locked or crossed (a quote would cross), the symbol is halted or its book stale, the system has
 * closed, or an execution could take the position beyond its limit. An order whose price is no
 * longer wanted is cancelled; the next one goes out once the exchange has said that it is gone.
 * Between two new orders of a side at least requote_ns_min of event time pass, and twice as much (1
 * ms at least) with every further rejection in a row. So a quote follows the touch at that pace;
 * one that is not wanted at all is cancelled at once.
 *
 * A rejection as loss_limit, reducing or kill_switch speaks of the state that risk is in, not of
 * the order: any other would be rejected as well, on every side of every symbol. Then quote rests:
 *
 *    AWAKE --rejected so--> RESTING --pause over: one order, the probe--> PROBING
 *      ^                      ^                                             |
 *      |                      +----- rejected, or cancelled: twice the pause
 *      +------------------------------------- accepted ---------------------+
 *
 * The pause begins with 1 ms (or requote_ns_min) and doubles up to REST_NS_MAX. Nobody tells quote
 * when risk is resumed: it finds out within a second of market time, or within as long as it was
 * held up if that was less. In return it sends one order a second that is rejected. Where positions
 * may be closed (loss_limit, reducing) it goes on quoting the side that closes one, for no more
 * shares than are held.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/msg/itch_types.h>
#include <tickbus/strategy.h>

#include "strategy/quote.h"

#define BACKOFF_MAX     10u /* doublings */
#define REQUOTE_NS_MAX  INT64_C(1000000000000)
#define PAUSE_NS_MAX    UINT64_C(86400000000000) /* a day */
#define REJECTED_NS_MIN UINT64_C(1000000)        /* after a rejection, even with requote_ns_min 0 */
#define REST_NS_MAX     UINT64_C(1000000000)     /* between two probes */

enum quote_state { QUOTE_NONE = 0, QUOTE_OPEN, QUOTE_LEAVING };

typedef struct quote_side {
    uint8_t state;
    uint8_t side; /* 'B', 'S' */
    bool sent_before;
    uint32_t px_e4;    /* of the order */
    uint32_t rejected; /* in a row */
    bool closes;       /* it was sent while only such orders pass */
    bool is_held;      /* even an order that closes was refused, while risk is in that state */
    uint64_t order_id;
    uint64_t sent_ns; /* event time of the last new order */
} quote_side_t;

typedef struct quote_symbol {
    uint16_t locate;
    quote_side_t sides[2];
} quote_symbol_t;

/* What risk lets pass, as far as it has told. */
enum quote_held { QUOTE_AWAKE = 0, QUOTE_MAY_CLOSE, QUOTE_HALTED };

typedef struct quote {
    quote_params_t params;
    bool winding_down;
    uint8_t held;       /* enum quote_held */
    uint64_t rest_ns;   /* the last pause */
    uint64_t rested_ns; /* event time since which it rests */
    uint64_t probe_id;  /* the order that is to find out; 0: none is under way */
    uint64_t timer_ns;  /* asked for, 0: none */
    uint32_t symbols_count;
    quote_symbol_t symbols[QUOTE_SYMBOLS_MAX];
    uint8_t place[MARKET_LOCATES]; /* 1 + index in symbols, 0: not quoted */
} quote_t;

#define SELF_BYTES ((sizeof(quote_t) + 63) / 64 * 64)
_Static_assert(QUOTE_SYMBOLS_MAX < 256, "an index fits `place`");

/* ---- what a side wants */

static bool within_limit(const quote_t *q, const position_t *position, uint8_t side)
{
    int64_t worst = side == 'B' ? position->qty + q->params.order_qty
                                : position->qty - (int64_t)q->params.order_qty;
    return worst <= (int64_t)q->params.position_max && worst >= -(int64_t)q->params.position_max;
}

/* The price at which the side should be quoted now; 0: not at all. The position limit is not asked
 * for an order that is open: it was when the order went out. */
static uint32_t wanted_px(const quote_t *q, const strat_context_t *ctx, uint16_t locate,
                          const quote_side_t *s)
{
    const market_t *market = strat_market(ctx);
    market_touch_t touch = market_touch(market, locate);
    if (q->winding_down || touch.bid_qty == 0 || touch.ask_qty == 0 ||
        touch.bid_px_e4 >= touch.ask_px_e4)
        return 0;
    const market_symbol_t *symbol = market_symbol(market, locate);
    const market_day_t *day = market_day(market);
    if (symbol->trading == MARKET_HALTED || symbol->stale || day->gap == MARKET_GAP_BLOCK ||
        day->phase == MARKET_PHASE_CLOSED)
        return 0;
    if (s->state == QUOTE_NONE && !within_limit(q, strat_position(ctx, locate), s->side))
        return 0;
    return s->side == 'B' ? touch.bid_px_e4 : touch.ask_px_e4;
}

/* ---- at what pace */

static uint64_t pause_ns_min(const quote_t *q)
{
    return q->params.requote_ns_min > REJECTED_NS_MIN ? q->params.requote_ns_min : REJECTED_NS_MIN;
}

/* Event time from which the side may send again. When the clock went back (a new day), at once. */
static uint64_t due_ns(const quote_t *q, const quote_side_t *s, uint64_t now_ns)
{
    if (!s->sent_before || now_ns < s->sent_ns)
        return now_ns;
    if (s->rejected == 0)
        return s->sent_ns + q->params.requote_ns_min;
    return s->sent_ns +
           (pause_ns_min(q) << (s->rejected < BACKOFF_MAX ? s->rejected : BACKOFF_MAX));
}

static void wake_at(quote_t *q, strat_context_t *ctx, uint64_t due)
{
    if (q->timer_ns != 0 && q->timer_ns <= due)
        return;
    q->timer_ns = due;
    strat_timer_at(ctx, due);
}

/* ---- resting */

static bool is_of_state(uint8_t reason)
{
    return reason == REASON_LOSS_LIMIT || reason == REASON_REDUCING || reason == REASON_KILL_SWITCH;
}

/* Shares that an order of this side would close. */
static uint64_t closable(const strat_context_t *ctx, uint16_t locate, uint8_t side)
{
    int64_t qty = strat_position(ctx, locate)->qty;
    return side == 'B' ? (qty < 0 ? -(uint64_t)qty : 0) : (qty > 0 ? (uint64_t)qty : 0);
}

/* Shares that such an order may have though others are held up; 0: it is no better off. */
static uint64_t may_close(const quote_t *q, const strat_context_t *ctx, uint16_t locate,
                          const quote_side_t *s)
{
    bool held_up = q->held != QUOTE_MAY_CLOSE || s->is_held;
    return held_up ? 0 : closable(ctx, locate, s->side);
}

/* How many shares an order of this side may have now; 0: none, and the timer is set for the next
 * probe. */
static uint32_t allowed_qty(quote_t *q, strat_context_t *ctx, uint16_t locate,
                            const quote_side_t *s)
{
    uint64_t closes = may_close(q, ctx, locate, s);
    uint64_t now_ns = strat_event_ns(ctx), due = q->rested_ns + q->rest_ns;
    if (q->held == QUOTE_AWAKE)
        return q->params.order_qty;
    if (closes != 0)
        return closes < q->params.order_qty ? (uint32_t)closes : q->params.order_qty;
    if (q->probe_id != 0)
        return 0;
    if (now_ns >= due || now_ns < q->rested_ns) /* a new day: the clock went back */
        return q->params.order_qty;
    wake_at(q, ctx, due);
    return 0;
}

/* Rejected for the state of risk: of several orders that were under way the first counts. Or the
 * probe was rejected for whatever reason: nothing is known. */
static void rest(quote_t *q, const strat_context_t *ctx, uint8_t reason, bool probed)
{
    bool first = q->held == QUOTE_AWAKE;
    if (is_of_state(reason))
        q->held = reason == REASON_KILL_SWITCH ? QUOTE_HALTED : QUOTE_MAY_CLOSE;
    if (!first && !probed)
        return;
    q->probe_id = 0;
    q->rest_ns = first ? pause_ns_min(q) : 2 * q->rest_ns;
    if (q->rest_ns > REST_NS_MAX)
        q->rest_ns = REST_NS_MAX;
    q->rested_ns = strat_event_ns(ctx);
}

static void awake(quote_t *q)
{
    q->held = QUOTE_AWAKE;
    q->probe_id = 0;
    for (uint32_t i = 0; i < q->symbols_count; i++)
        for (unsigned k = 0; k < 2; k++) {
            q->symbols[i].sides[k].is_held = false;
            q->symbols[i].sides[k].rejected = 0;
        }
}

/* ---- doing it */

static uint8_t flags_of(const quote_t *q)
{
    if (q->params.post_only == QUOTE_TAKES)
        return 0;
    return q->params.post_only == QUOTE_SLIDES ? ORDER_POST_ONLY | ORDER_SLIDE : ORDER_POST_ONLY;
}

static void quote(quote_t *q, strat_context_t *ctx, uint16_t locate, quote_side_t *s)
{
    uint32_t px = wanted_px(q, ctx, locate, s);
    if (s->state == QUOTE_LEAVING || (s->state == QUOTE_NONE && px == 0) ||
        (s->state == QUOTE_OPEN && s->px_e4 == px))
        return;
    uint64_t now_ns = strat_event_ns(ctx);
    uint64_t due = due_ns(q, s, now_ns);
    if (px != 0 && due > now_ns) {
        wake_at(q, ctx, due);
        return;
    }
    if (s->state == QUOTE_OPEN) {
        if (strat_cancel(ctx, locate, s->order_id))
            s->state = QUOTE_LEAVING;
        return;
    }
    uint32_t qty = allowed_qty(q, ctx, locate, s);
    if (qty == 0)
        return;
    bool closes = may_close(q, ctx, locate, s) != 0;
    strat_order_t wanted = {.locate = locate,
                            .side = s->side,
                            .tif = ORDER_TIF_DAY,
                            .flags = flags_of(q),
                            .qty = qty,
                            .px_e4 = px};
    uint64_t id = strat_send_order(ctx, &wanted);
    if (id == 0)
        return; /* no credit; the next change of the touch tries again */
    if (q->held != QUOTE_AWAKE && !closes)
        q->probe_id = id;
    s->state = QUOTE_OPEN;
    s->order_id = id;
    s->closes = closes;
    s->px_e4 = px;
    s->sent_ns = now_ns;
    s->sent_before = true;
}

static void quote_both(quote_t *q, strat_context_t *ctx, quote_symbol_t *symbol)
{
    quote(q, ctx, symbol->locate, &symbol->sides[0]);
    quote(q, ctx, symbol->locate, &symbol->sides[1]);
}

static void quote_all(quote_t *q, strat_context_t *ctx)
{
    for (uint32_t i = 0; i < q->symbols_count; i++)
        quote_both(q, ctx, &q->symbols[i]);
}

/* ---- which symbols */

static bool has_name(const char *symbol, const char name[8])
{
    char padded[8];
    memset(padded, ' ', sizeof padded);
    memcpy(padded, symbol, strnlen(symbol, sizeof padded));
    return memcmp(padded, name, sizeof padded) == 0;
}

static bool is_configured(const quote_t *q, const char name[8])
{
    for (uint32_t i = 0; i < q->params.symbols_count; i++)
        if (has_name(q->params.symbols[i], name))
            return true;
    return false;
}

/* The symbol of a locate whose touch has changed, chosen now if it is to be; NULL: not quoted. */
static quote_symbol_t *symbol_of(quote_t *q, const strat_context_t *ctx, uint16_t locate,
                                 const market_touch_t *touch)
{
    if (q->place[locate] != 0)
        return &q->symbols[q->place[locate] - 1];
    uint32_t symbols_max =
        q->params.symbols_count != 0 ? q->params.symbols_count : q->params.symbols_auto;
    if (q->symbols_count >= symbols_max || touch->bid_qty == 0 || touch->ask_qty == 0)
        return NULL;
    const market_symbol_t *known = market_symbol(strat_market(ctx), locate);
    bool wanted = q->params.symbols_count != 0 ? is_configured(q, known->name) : !known->test;
    if (!wanted)
        return NULL;
    quote_symbol_t *symbol = &q->symbols[q->symbols_count++];
    *symbol = (quote_symbol_t){.locate = locate, .sides = {{.side = 'B'}, {.side = 'S'}}};
    q->place[locate] = (uint8_t)q->symbols_count;
    return symbol;
}

/* ---- callbacks */

static const tbus_param_t quote_table[] = {
    {"symbols", TBUS_PARAM_TEXTS, TBUS_PARAM_LIST(quote_params_t, symbols, symbols_count),
     .fallback = "",
     .help =
         "symbols to trade; empty: the first symbols_auto, but test issues, that have a bid and "
         "an ask"},
    {"symbols_auto", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(quote_params_t, symbols_auto), .min = 0,
     .max = QUOTE_SYMBOLS_MAX, .unit = "symbols", .fallback = "4",
     .help = "how many symbols to trade when none are named"},
    {"order_qty", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(quote_params_t, order_qty), .min = 1,
     .max = 1000000, .unit = "shares", .fallback = "100", .help = "size of one quote"},
    {"position_max", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(quote_params_t, position_max), .min = 0,
     .max = 1000000000, .unit = "shares", .fallback = "1000",
     .help = "a side that could take the position beyond is not quoted"},
    {"post_only", TBUS_PARAM_CHOICE, TBUS_PARAM_FIELD(quote_params_t, post_only),
     .choices = "reject|slide|off", .fallback = "reject",
     .help = "what becomes of a quote that would take when it arrives: rejected, placed one tick "
             "away, or it takes"},
    {"requote_ns_min", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(quote_params_t, requote_ns_min),
     .min = 0, .max = REQUOTE_NS_MAX, .unit = "nanoseconds of market time", .fallback = "1000000",
     .help = "time between two quotes of one side of one symbol"},
};
const tbus_params_t quote_params = TBUS_PARAMS(quote_params_t, quote_table);

static int quote_create(strat_context_t *ctx, const void *values, void **out_self,
                        tbus_error_t *err)
{
    const quote_params_t *params = values;
    (void)ctx;
    if (params->symbols_count > QUOTE_SYMBOLS_MAX || params->symbols_auto > QUOTE_SYMBOLS_MAX)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "quote takes %u symbols at most (strategy.symbols, strategy.symbols_auto)",
                         QUOTE_SYMBOLS_MAX);
    if (params->order_qty == 0)
        return tbus_fail(err, -TBUS_ECONFIG, "strategy.order_qty is 0; it must be at least 1");
    if (params->requote_ns_min > PAUSE_NS_MAX)
        return tbus_fail(err, -TBUS_ECONFIG, "strategy.requote_ns_min is more than a day");
    quote_t *q = aligned_alloc(64, SELF_BYTES);
    if (!q)
        return tbus_fail(err, -ENOMEM, "no memory for the strategy 'quote'");
    memset(q, 0, SELF_BYTES);
    q->params = *params;
    *out_self = q;
    return 0;
}

/* A halt changes no touch, and neither does the end of the day. */
static void quote_on_tick(void *self, strat_context_t *ctx, const tick_t *tick, uint64_t md_seq)
{
    (void)md_seq;
    quote_t *q = self;
    if (tick->type == ITCH_SYSTEM_EVENT)
        quote_all(q, ctx);
    if (tick->type != ITCH_STOCK_TRADING_ACTION && tick->type != ITCH_OPERATIONAL_HALT)
        return;
    uint8_t place = q->place[market_number(strat_market(ctx), tick_locate(tick))];
    if (place != 0)
        quote_both(q, ctx, &q->symbols[place - 1]);
}

static void quote_on_bbo(void *self, strat_context_t *ctx, uint16_t locate,
                         const market_touch_t *touch)
{
    quote_t *q = self;
    quote_symbol_t *symbol = symbol_of(q, ctx, locate, touch);
    if (symbol)
        quote_both(q, ctx, symbol);
}

static void quote_on_report(void *self, strat_context_t *ctx, const report_t *report)
{
    quote_t *q = self;
    uint8_t place = q->place[report_locate(report)];
    if (place == 0)
        return;
    quote_symbol_t *symbol = &q->symbols[place - 1];
    quote_side_t *s = &symbol->sides[report->side == 'S'];
    if (s->state == QUOTE_NONE || s->order_id != report->order_id)
        return;
    bool probed = q->held != QUOTE_AWAKE && report->order_id == q->probe_id;
    switch (report->kind) {
    case REPORT_ACCEPTED:
        s->rejected = 0;
        s->px_e4 = report->px_e4; /* it may have been placed elsewhere */
        if (probed) {
            awake(q);
            quote_all(q, ctx);
        }
        break;
    case REPORT_REJECTED:
        s->rejected++;
        s->state = QUOTE_NONE;
        if (is_of_state(report->reason) || probed) {
            s->is_held |= s->closes;
            rest(q, ctx, report->reason, probed);
        }
        break;
    case REPORT_FILLED:
    case REPORT_CANCELLED:
        s->state = QUOTE_NONE;
        break;
    case REPORT_CANCEL_REJECTED:
        s->state = QUOTE_OPEN;
        return; /* try again when the market moves; at once, this could go on for ever */
    default:
        break;
    }
    quote_both(q, ctx, symbol);
}

/* There is one timer for all sides: a side that is not due yet sets it again. */
static void quote_on_timer(void *self, strat_context_t *ctx, uint64_t event_ns)
{
    (void)event_ns;
    quote_t *q = self;
    q->timer_ns = 0;
    quote_all(q, ctx);
}

static bool is_quoted(const quote_t *q, const strat_context_t *ctx, const char *symbol)
{
    for (uint32_t i = 0; i < q->symbols_count; i++)
        if (has_name(symbol, market_symbol(strat_market(ctx), q->symbols[i].locate)->name))
            return true;
    return false;
}

static bool was_seen(const strat_context_t *ctx, const char *symbol)
{
    for (uint32_t locate = 0; locate < MARKET_LOCATES; locate++)
        if (has_name(symbol, market_symbol(strat_market(ctx), (uint16_t)locate)->name))
            return true;
    return false;
}

/* Otherwise a typing error in a symbol, or yesterday's listing, would pass unnoticed. */
static void tell_never_quoted(const quote_t *q, strat_context_t *ctx)
{
    char names[300];
    size_t used = 0;
    for (uint32_t i = 0; i < q->params.symbols_count && used < sizeof names; i++) {
        const char *symbol = q->params.symbols[i];
        if (!is_quoted(q, ctx, symbol))
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s%s", used ? ", " : "",
                                     symbol, was_seen(ctx, symbol) ? "" : " (never seen)");
    }
    if (used)
        strat_note(ctx, "symbols that never had a bid and an ask, and were not quoted: %s", names);
}

/* From now on no side wants a price (wanted_px), so that each open order is cancelled. */
static void quote_on_wind_down(void *self, strat_context_t *ctx)
{
    quote_t *q = self;
    q->winding_down = true;
    tell_never_quoted(q, ctx);
    quote_all(q, ctx);
}

static void quote_destroy(void *self)
{
    free(self);
}

const strategy_t strategy_quote = {
    .api = STRATEGY_API,
    .struct_bytes = sizeof(strategy_t),
    .params = TBUS_PARAMS(quote_params_t, quote_table),
    .self_bytes = SELF_BYTES,
    .name = "quote",
    .summary = "joins the best bid and the best ask of a few symbols, within a position limit",
    .create = quote_create,
    .on_tick = quote_on_tick,
    .on_bbo = quote_on_bbo,
    .on_report = quote_on_report,
    .on_timer = quote_on_timer,
    .on_wind_down = quote_on_wind_down,
    .destroy = quote_destroy,
    .tick_types = "SHh",
};
