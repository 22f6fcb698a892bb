/* SPDX-License-Identifier: Apache-2.0 */
/* The strategy stage at work: reports and ticks in, the strategy's callbacks called. */
#include <errno.h>
#include <string.h>

#include <tickbus/glance.h>
#include <tickbus/msg/itch_types.h>

#include "bus/market/recorded.h"

#include "strategy/context.h"

#define SHOW_EVERY 8192u /* inputs between two updates of the slow counters while busy */

/* ---- what it is to be told of */

static void add_types(uint8_t types[256], const char *letters)
{
    for (; *letters; letters++)
        types[(uint8_t)*letters] = 1;
}

/* Without a callback for every tick it needs those alone that move a best price, mark a position,
 * or may fill an open order (exposes): for the latter, of the messages that are not about a
 * displayed order all but trades, which fill in their own symbol alone. */
void context_choose_ticks(strat_context_t *ctx)
{
    const strategy_t *strategy = ctx->strategy;
    bool all = strategy->on_tick && !strategy->tick_types;
    if (all)
        memset(ctx->types_called, 1, sizeof ctx->types_called);
    else if (strategy->on_tick)
        add_types(ctx->types_called, strategy->tick_types);
    memcpy(ctx->types_idle, ctx->types_called, sizeof ctx->types_idle);
    ctx->types_idle[ITCH_BROKEN_TRADE] = 1;
    memset(ctx->types_open, 1, sizeof ctx->types_open);
    for (const char *of_symbol = "AFECXDUPQ"; *of_symbol; of_symbol++)
        ctx->types_open[(uint8_t)*of_symbol] = ctx->types_called[(uint8_t)*of_symbol];
    ctx->base.types = ctx->types_idle;
    ctx->base.touches = ctx->number == 1 || strategy->on_bbo;
    /* By the clock of the host a timer is looked at with every tick. */
    ctx->chooses = !all && market_stage_waits(&ctx->base);
    context_await_tick(ctx);
}

void context_watch(strat_context_t *ctx, uint16_t locate)
{
    uint64_t bit = UINT64_C(1) << (locate % 64);
    uint64_t *word = &ctx->watched[locate / 64];
    bool watches = ctx->open_at[locate].count != 0 || ledger_holds(&ctx->ledger, locate);
    *word = watches ? *word | bit : *word & ~bit;
    ctx->base.types = ctx->own.open != 0 ? ctx->types_open : ctx->types_idle;
    ctx->base.chose = true;
}

/* ---- what a message answers */

/* A timer, or by the clock of the market news from the venue, comes in its time, of which the feed
 * says that it has come: no tick is answered, and nothing is measured. (A tick shows it only where
 * the feed was too late to say so. Measured from those, latencies were of late moments alone.) */
static cause_t due_cause(const strat_context_t *ctx)
{
    return (cause_t){.md_seq = market_seq(ctx->base.market)};
}

/* By the clock of the host: the tick that the venue had taken when it executed. It may be one that
 * is not taken here yet, or was taken long ago; then that time is not known. */
static cause_t execution_cause(const strat_context_t *ctx, const report_t *report)
{
    uint64_t seq = report->md_seq, taken = market_seq(ctx->base.market), intended_ns = 0;
    if (seq <= taken && taken - seq < RECENT_TICKS) {
        uint64_t recent = ctx->recent[seq % RECENT_TICKS];
        if (recent >> 48 == (seq & 0xffff)) /* else it was for the books alone */
            intended_ns = recent & TICK_NS_MASK;
    }
    return (cause_t){.md_seq = taken, .intended_ns = intended_ns};
}

/* ---- reports */

static int book_execution(strat_context_t *ctx, const report_t *report)
{
    const own_order_t *own = own_orders_find(&ctx->own, report->order_id);
    uint16_t locate = own ? own->locate : report_locate(report);
    tbus_error_t why = {0};
    int code = ledger_execute(&ctx->ledger, ctx->base.market, locate, report, &why);
    context_watch(ctx, locate);
    return code < 0 ? tbus_fail(&ctx->base.stage.error, code, "execution %llu: %s",
                                (unsigned long long)report->exec_id, why.text)
                    : 0;
}

/* It counts for the orders that are to take its place, too. */
static void note_executed(strat_context_t *ctx, const report_t *report)
{
    own_order_t *own = own_orders_find(&ctx->own, report->order_id);
    for (; own; own = own_orders_find(&ctx->own, own->replaced_by))
        own->executed += report->qty;
}

/* Count a report. If it ends an order, give that order's credit back. */
static void follow_order(strat_context_t *ctx, const report_t *report)
{
    own_order_t *own = own_orders_find(&ctx->own, report->order_id);
    /* The answer to a cancel may find its order gone: that is why the cancel was refused. */
    if (!own && report->kind != REPORT_CANCEL_REJECTED && report->kind != REPORT_BROKEN)
        tbus_add_own_u64(ctx->counters.report_mismatches, 1);
    bool ended = false;
    switch (report->kind) {
    case REPORT_ACCEPTED:
        tbus_add_own_u64(ctx->counters.accepted, 1);
        break;
    case REPORT_REJECTED:
        tbus_add_own_u64(ctx->counters.rejected, 1);
        ended = true;
        break;
    case REPORT_PARTIAL:
        note_executed(ctx, report);
        tbus_add_own_u64(ctx->counters.partial, 1);
        break;
    case REPORT_FILLED:
        tbus_add_own_u64(ctx->counters.filled, 1);
        ended = true;
        break;
    case REPORT_CANCELLED:
        tbus_add_own_u64(ctx->counters.cancelled, 1);
        ended = true;
        break;
    case REPORT_CANCEL_REJECTED:
        tbus_add_own_u64(ctx->counters.cancels_rejected, 1);
        if (own)
            own->cancel_asked = false;
        break;
    case REPORT_BROKEN: /* its order may have ended long ago */
        tbus_add_own_u64(ctx->counters.broken, 1);
        break;
    default:
        if (own)
            tbus_add_own_u64(ctx->counters.report_mismatches, 1);
        break;
    }
    if (ended && own) {
        uint16_t locate = own->locate;
        ctx->open_at[locate].count--;
        own_orders_end(&ctx->own, own);
        context_watch(ctx, locate);
    }
}

/* What is sent from a callback about this report answers what the report's own message answered.
 * An execution by the market, or a cancel that nobody asked for, is news of its own; by the clock
 * of the host it counts when the tick was wanted that made it. */
static cause_t cause_of(const strat_context_t *ctx, const report_t *report, const own_order_t *own)
{
    bool answers = report->flags & (REPORT_ANSWER | REPORT_MORE);
    if (own && answers)
        return (cause_t){
            .md_seq = own->answers_md_seq, .intended_ns = own->answers_intended_ns, .again = true};
    return ctx->recent ? execution_cause(ctx, report) : due_cause(ctx);
}

/* Messages name wire locates, strategies symbols. */
static uint16_t symbol_of(const strat_context_t *ctx, const report_t *report)
{
    const own_order_t *own = own_orders_find(&ctx->own, report->order_id);
    return own ? own->locate : market_number(ctx->base.market, report_locate(report));
}

static int take_report(strat_context_t *ctx, const report_t *report)
{
    own_order_t *own = own_orders_find(&ctx->own, report->order_id);
    if (TBUS_UNLIKELY(ctx->base.stamps != NULL))
        context_note_report(ctx, report);
    ctx->cause = cause_of(ctx, report, own);
    if (report->flags & REPORT_ANSWER)
        causes_answered(&ctx->causes);
    bool execution = report->kind == REPORT_PARTIAL || report->kind == REPORT_FILLED ||
                     report->kind == REPORT_BROKEN;
    int rc = execution ? book_execution(ctx, report) : 0;
    if (rc < 0)
        return rc;
    follow_order(ctx, report);
    if (ctx->own.open == 0)
        causes_closed(&ctx->causes);
    ctx->reports_taken++;
    ctx->gathers = true;
    if (ctx->strategy->on_report)
        ctx->strategy->on_report(ctx->self, ctx, report);
    context_send_gathered(ctx);
    return 0;
}

/* Those that are taken one after the other are told together. */
static void note_late(strat_context_t *ctx, uint64_t seq)
{
    event_t *late = &ctx->late;
    if (late->number != 0 && late->market_ns != ctx->base.now_ns)
        context_tell_late(ctx);
    if (late->number == 0)
        *late = (event_t){
            .position = seq, .md_seq = market_seq(ctx->base.market), .market_ns = ctx->base.now_ns};
    late->number = (uint32_t)(seq - late->position) + 1;
}

/* Take all reports off the ring, so that nobody waits for room there; ours are kept until they are
 * due. 0 or an error. */
static int collect_reports(strat_context_t *ctx)
{
    size_t bytes;
    const report_t *report;
    while ((report = tbus_peek(&ctx->reports, &bytes))) {
        if (bytes != sizeof *report)
            tbus_add_own_u64(ctx->counters.report_mismatches, 1);
        else if (report_strategy(report) == ctx->number) {
            int code = inbox_put(&ctx->inbox, &ctx->base, report, ctx->reports.seq);
            if (code != 0)
                return code < 0 ? code : 0;
        }
        tbus_advance(&ctx->reports);
    }
    return 0;
}

/* ---- what is first in hand, and what may still come */

/* Whatever it sends has no earlier time: the last thing taken, and what its horizon says. */
static uint64_t present_ns(const strat_context_t *ctx)
{
    const market_stage_t *base = &ctx->base;
    uint64_t told_ns =
        base->horizon ? tbus_load_relaxed_u64(&base->horizon->at) : 0; /* hint: ours */
    return told_ns > base->now_ns && told_ns != TBUS_HORIZON_END ? told_ns : base->now_ns;
}

/* When the first report is seen: at its time; a cancel by a halt may come behind that. */
static uint64_t report_at_ns(const strat_context_t *ctx)
{
    const due_report_t *due = inbox_first(&ctx->inbox);
    const recorded_t *recorded = ctx->base.session->recorded;
    if (!due)
        return MARKET_NEVER;
    uint64_t late_ns = recorded ? recorded_late_ns(recorded, ctx->number, due->seq) : 0;
    if (late_ns != 0)
        return late_ns;
    uint64_t seen_ns = due->report.seen;
    uint64_t present = present_ns(ctx);
    return seen_ns > present ? seen_ns : present;
}

static uint64_t timer_at_ns(const strat_context_t *ctx)
{
    return ctx->timer_at_ns == 0 ? MARKET_NEVER : ctx->timer_at_ns;
}

void context_next(strat_context_t *ctx)
{
    uint64_t report_ns = report_at_ns(ctx), timer_ns = timer_at_ns(ctx);
    if (!market_stage_waits(&ctx->base))
        ctx->base.next_ns = inbox_first(&ctx->inbox) ? 0 : MARKET_NEVER;
    else
        ctx->base.next_ns = report_ns < timer_ns ? report_ns : timer_ns;
}

/* No report that is not in hand is seen earlier, once the executor has passed `venue_ns`. */
static uint64_t reports_from_ns(strat_context_t *ctx, uint64_t venue_ns)
{
    if (ctx->venue_owner == 0 || inbox_first(&ctx->inbox))
        return MARKET_NEVER;
    uint64_t first_ns = causes_first(&ctx->causes, venue_ns);
    if (TBUS_UNLIKELY(ctx->others_cancel) && ctx->own.open != 0 && first_ns > venue_ns)
        first_ns = venue_ns;
    if (first_ns == UINT64_MAX || venue_ns == TBUS_HORIZON_END)
        return MARKET_NEVER;
    if (first_ns < venue_ns)
        first_ns = venue_ns;
    return first_ns + ctx->base.session->response.least_ns;
}

/* Set base.bound_ns: what may still come from another process. */
static void bound_reports(strat_context_t *ctx)
{
    market_stage_t *base = &ctx->base;
    bool near = ctx->venue_owner != 0 && market_stage_is_neighbour(base, ctx->venue_owner);
    base->bound_ns =
        market_stage_waits(base) && !near ? reports_from_ns(ctx, ctx->venue.seen) : MARKET_NEVER;
}

/* Between two ticks a strategy sends only what a report or a timer of its own makes it send. */
static uint64_t promise(market_stage_t *base, uint64_t passed_ns)
{
    strat_context_t *ctx = (strat_context_t *)(void *)base;
    bool near = ctx->venue_owner != 0 && market_stage_is_neighbour(base, ctx->venue_owner);
    uint64_t report_ns = near ? reports_from_ns(ctx, passed_ns) : base->bound_ns;
    return report_ns < base->next_ns ? report_ns : base->next_ns;
}

/* ---- ticks */

static void publish_bbo(strat_context_t *ctx, const tick_t *tick, const market_event_t *event)
{
    bbo_t bbo = {
        .md_seq = event->md_seq,
        .event = tick->event,
        .intended = tick->intended,
        .bid_px_e4 = event->touch.bid_px_e4,
        .ask_px_e4 = event->touch.ask_px_e4,
        .bid_qty = event->touch.bid_qty,
        .ask_qty = event->touch.ask_qty,
    };
    memcpy(bbo.symbol, market_symbol(ctx->base.market, event->locate)->name, sizeof bbo.symbol);
    digest_bbo(&ctx->bbo_digest, &bbo);
    /* hint: whoever comes is not promised which message is the first that is published. */
    if (tbus_load_relaxed_u32(ctx->bbo_left_out))
        return;
    if (tbus_outlet_send(&ctx->bbo_out, &bbo, sizeof bbo) != TBUS_OUTLET_SENT)
        ctx->base.blocked = true;
}

static void fire_timer(strat_context_t *ctx)
{
    uint64_t event_ns = ctx->timer_event_ns;
    ctx->timer_at_ns = 0;
    ctx->gathers = true;
    if (ctx->strategy->on_timer)
        ctx->strategy->on_timer(ctx->self, ctx, event_ns);
    context_send_gathered(ctx);
}

static void call_strategy(strat_context_t *ctx, const tick_t *tick, const market_event_t *event)
{
    const strategy_t *strategy = ctx->strategy;
    ctx->gathers = true;
    if (ctx->types_called[tick->type] != 0)
        strategy->on_tick(ctx->self, ctx, tick, event->md_seq);
    if (event->bbo_changed && strategy->on_bbo)
        strategy->on_bbo(ctx->self, ctx, event->locate, &event->touch);
    context_send_gathered(ctx);
}

/* Would an open order that sells be reached at this price, one that buys? */
static inline bool reaches_sell(const open_at_t *at, uint32_t px_e4)
{
    return at->sell_px_e4 != 0 && px_e4 >= at->sell_px_e4;
}
static inline bool reaches_buy(const open_at_t *at, uint32_t px_e4)
{
    return at->buy_px_e4 != 0 && px_e4 <= at->buy_px_e4;
}

/* A trade that the book does not show: of a cross, or a print through an order of ours. */
static bool trade_reaches(const open_at_t *at, const tick_t *tick)
{
    return at->count != 0 && (tick->type == ITCH_CROSS_TRADE || reaches_sell(at, tick->px_e4) ||
                              reaches_buy(at, tick->px_e4));
}

/* May the venue report something to us because of this tick? A resting order fills when an order of
 * its own side is executed at its price or a worse one, when an order of the other side comes that
 * reaches it, by prints and by crosses (risk/venue/venue.h); what is not about a displayed order
 * may concern all. A broken trade takes executions back, if there were any, whatever is open. */
static inline bool exposes(const strat_context_t *ctx, const tick_t *tick,
                           const market_event_t *event)
{
    if (ctx->own.open == 0)
        return tick->type == ITCH_BROKEN_TRADE && ledger_has_executed(&ctx->ledger);
    const open_at_t *at = &ctx->open_at[event->locate];
    if (tick->type == ITCH_TRADE || tick->type == ITCH_CROSS_TRADE)
        return trade_reaches(at, tick);
    if (!event->bbo_checked)
        return true;
    if (at->count == 0)
        return false;
    bool sells = event->side == 'S';
    uint32_t executed_px_e4 =
        tick->type == ITCH_ORDER_EXECUTED_WITH_PRICE ? tick->px_e4 : event->removed_px_e4;
    if (event->removed_qty != 0 && event->executed &&
        (sells ? reaches_sell(at, executed_px_e4) : reaches_buy(at, executed_px_e4)))
        return true;
    return event->added_qty != 0 &&
           (sells ? reaches_buy(at, event->added_px_e4) : reaches_sell(at, event->added_px_e4));
}

static int on_tick(market_stage_t *base, const tick_t *tick, size_t bytes,
                   const market_event_t *event)
{
    strat_context_t *ctx = (strat_context_t *)(void *)base;
    (void)bytes;
    ctx->cause =
        (cause_t){.md_seq = event->md_seq, .intended_ns = tick_intended_ns(tick), .tick = true};
    if (ctx->recent) /* by the clock of the host, where it is given all ticks */
        ctx->recent[event->md_seq % RECENT_TICKS] =
            tick_pack(ctx->cause.intended_ns, (uint16_t)event->md_seq);
    if (TBUS_UNLIKELY(ctx->timer_unplaced))
        strat_timer_at(ctx, ctx->timer_event_ns);
    if (TBUS_UNLIKELY(event->new_day))
        ledger_begin_day(&ctx->ledger);
    if (TBUS_UNLIKELY(ledger_holds(&ctx->ledger, event->locate)))
        ledger_mark(&ctx->ledger, base->market, event->locate);
    if (TBUS_UNLIKELY(exposes(ctx, tick, event)) && market_stage_waits(base)) {
        if (tick->type == ITCH_BROKEN_TRADE)
            causes_broken(&ctx->causes, base->now_ns);
        else
            causes_exposed(&ctx->causes, base->now_ns);
        bound_reports(ctx);
        base->changed = true;
    }
    call_strategy(ctx, tick, event);
    if (event->bbo_changed && ctx->number == 1)
        publish_bbo(ctx, tick, event); /* after the orders, which are in more of a hurry */
    /* By the clock of the host a timer is seen to be due when a tick has come. */
    if (TBUS_UNLIKELY(ctx->timer_at_ns != 0 && ctx->timer_at_ns <= base->now_ns) &&
        !market_stage_waits(base)) {
        ctx->timer_event_ns = strat_event_ns(ctx);
        fire_timer(ctx);
    }
    return 0;
}

/* ---- in the order of market time (bus/market/drive.h) */

static int collect(market_stage_t *base)
{
    strat_context_t *ctx = (strat_context_t *)(void *)base;
    tbus_horizon_look(&ctx->venue);
    int code = tbus_glance(&ctx->reports) ? collect_reports(ctx) : 0;
    context_next(ctx);
    bound_reports(ctx);
    return code;
}

static int take(market_stage_t *base)
{
    strat_context_t *ctx = (strat_context_t *)(void *)base;
    int rc = 0;
    const due_report_t *due = inbox_first(&ctx->inbox);
    if (due && (!market_stage_waits(base) || report_at_ns(ctx) <= timer_at_ns(ctx))) {
        report_t report = due->report;
        report.locate = symbol_of(ctx, &report);
        ctx->report_seq = due->seq;
        if (TBUS_UNLIKELY(base->now_ns > report.seen) && market_stage_waits(base))
            note_late(ctx, due->seq);
        inbox_drop(&ctx->inbox);
        market_stage_tell_input(base, EVENT_INPUT_REPORT, ctx->report_seq);
        rc = take_report(ctx, &report);
    } else {
        ctx->cause = due_cause(ctx);
        fire_timer(ctx);
    }
    context_next(ctx);
    bound_reports(ctx);
    return rc;
}

static void on_end(market_stage_t *base)
{
    strat_context_t *ctx = (strat_context_t *)(void *)base;
    ctx->winding_down = ctx->gathers = true;
    ctx->timer_at_ns = 0;
    ctx->cause = (cause_t){.md_seq = market_seq(base->market)}; /* no tick asks for it */
    if (ctx->strategy->on_wind_down)
        ctx->strategy->on_wind_down(ctx->self, ctx);
    context_cancel_all(ctx);
    context_send_gathered(ctx);
}

static bool has(const market_stage_t *base, const recorded_input_t *input)
{
    (void)input;
    return inbox_first(&((const strat_context_t *)(const void *)base)->inbox) != NULL;
}

static int repeat(market_stage_t *base, const recorded_input_t *input)
{
    (void)input;
    return take(base);
}

static int flush(market_stage_t *base)
{
    return context_flush((strat_context_t *)(void *)base);
}

static int end(market_stage_t *base, int work)
{
    strat_context_t *ctx = (strat_context_t *)(void *)base;
    if (context_taken(ctx) - ctx->shown > (work > 0 ? SHOW_EVERY : 0))
        context_show_counters(ctx);
    if (TBUS_UNLIKELY(ctx->late.number != 0))
        context_tell_late(ctx);
    return TBUS_UNLIKELY(ctx->events.kept != 0) ? (int)tbus_outlet_flush(&ctx->events) : 0;
}

static bool keeps(const market_stage_t *base)
{
    return ((const strat_context_t *)(const void *)base)->events.kept != 0;
}

const market_stage_ops_t context_market_ops = {
    .flush = flush,
    .collect = collect,
    .take = take,
    .on_tick = on_tick,
    .on_end = on_end,
    .end = end,
    .promise = promise,
    .has = has,
    .repeat = repeat,
    .keeps = keeps,
};

int context_start(tbus_stage_t *stage)
{
    strat_context_t *ctx = (strat_context_t *)(void *)stage;
    int code = market_stage_start(stage);
    if (code < 0 || !market_stage_waits(&ctx->base))
        return code;
    uint32_t first = tbus_stage_next_with_horizon(stage, "orders", 0);
    ctx->others_cancel = ctx->base.session->self_match != SELF_MATCH_CANCEL_NEWEST && first != 0 &&
                         tbus_stage_next_with_horizon(stage, "orders", first) != 0;
    ctx->venue_owner = tbus_stage_next_with_horizon(stage, "reports", 0);
    return ctx->venue_owner ? tbus_stage_watch_horizon(stage, ctx->venue_owner, &ctx->venue) : 0;
}
