/* SPDX-License-Identifier: Apache-2.0 */
/* The strategy stage at work: reports and ticks in, the strategy's callbacks called. */
#include <errno.h>
#include <string.h>

#include <tickbus/glance.h>

#include "bus/market/fetch.h"
#include "strategy/context.h"

#define SHOW_EVERY 8192u /* inputs between two updates of the slow counters while busy */

/* ---- reports */

static int book_execution(strat_context_t *ctx, const report_t *report)
{
    const own_order_t *own = own_orders_find(&ctx->own, report->order_id);
    uint16_t locate = own ? own->locate : report_locate(report);
    const char *name = market_symbol(ctx->market, locate)->name;
    tbus_error_t why = {0};
    int code =
        ledger_execute(&ctx->ledger, locate, name, report->side, report->qty, report->px_e4, &why);
    return code < 0 ? tbus_fail(&ctx->stage.error, code, "execution %llu: %s",
                                (unsigned long long)report->exec_id, why.text)
                    : 0;
}

/* Count a report. If it ends an order, give that order's credit back. */
static void follow_order(strat_context_t *ctx, const report_t *report)
{
    own_order_t *own = own_orders_find(&ctx->own, report->order_id);
    /* The answer to a cancel may find its order gone: that is why the cancel was refused. */
    if (!own && report->kind != REPORT_CANCEL_REJECTED)
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
    default:
        if (own)
            tbus_add_own_u64(ctx->counters.report_mismatches, 1);
        break;
    }
    if (ended && own)
        own_orders_end(&ctx->own, own);
}

static int take_report(strat_context_t *ctx, const report_t *report, size_t bytes)
{
    ctx->report_seq = ctx->reports.seq;
    if (bytes != sizeof *report) {
        tbus_add_own_u64(ctx->counters.report_mismatches, 1);
        return 0;
    }
    if (report_strategy(report) != ctx->number)
        return 0;
    bool execution = report->kind == REPORT_PARTIAL || report->kind == REPORT_FILLED;
    int rc = execution ? book_execution(ctx, report) : 0;
    if (rc < 0)
        return rc;
    follow_order(ctx, report);
    if (ctx->strategy->on_report)
        ctx->strategy->on_report(ctx->self, ctx, report);
    return 0;
}

/* Take all reports that are there, but no more than the ring holds: they may come as fast as they
 * are taken. Returns their number or an error. */
static int take_reports(strat_context_t *ctx)
{
    uint32_t taken = 0;
    size_t bytes;
    const report_t *report;
    while (taken < ctx->reports.ring.slot_count && (report = tbus_peek(&ctx->reports, &bytes))) {
        int rc = take_report(ctx, report, bytes);
        if (rc < 0)
            return rc;
        tbus_advance(&ctx->reports);
        ctx->unshown++;
        taken++;
    }
    return (int)taken;
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
    memcpy(bbo.symbol, market_symbol(ctx->market, event->locate)->name, sizeof bbo.symbol);
    if (tbus_outlet_send(&ctx->bbo_out, &bbo, sizeof bbo) != TBUS_OUTLET_SENT)
        ctx->stage.pending = true;
}

static void call_strategy(strat_context_t *ctx, const tick_t *tick, const market_event_t *event)
{
    const strategy_t *strategy = ctx->strategy;
    if (strategy->on_tick)
        strategy->on_tick(ctx->self, ctx, tick, ctx->md_seq);
    if (event->bbo_changed && strategy->on_bbo)
        strategy->on_bbo(ctx->self, ctx, event->locate, &event->touch);
    if (TBUS_UNLIKELY(ctx->timer_ns != 0 && ctx->event_ns >= ctx->timer_ns)) {
        ctx->timer_ns = 0;
        if (strategy->on_timer)
            strategy->on_timer(ctx->self, ctx, ctx->event_ns);
    }
}

static int take_tick(strat_context_t *ctx, const tick_t *tick, size_t bytes)
{
    const market_event_t *event;
    int rc = market_apply(ctx->market, ctx->md.seq, tick, bytes, &event);
    if (TBUS_UNLIKELY(rc < 0))
        return tbus_fail(&ctx->stage.error, rc, "books: %s (at message %llu of md)",
                         market_limit_text(ctx->market), (unsigned long long)ctx->md.seq);
    ctx->md_seq = ctx->md.seq;
    ctx->intended_ns = tick_intended_ns(tick);
    if (TBUS_LIKELY(tick->type != TICK_RUNT)) /* which has no time of its own */
        ctx->event_ns = tick_event_ns(tick);
    if (event->bbo_changed && ctx->number == 1)
        publish_bbo(ctx, tick, event);
    call_strategy(ctx, tick, event);
    return 0;
}

/* Take up to `budget` ticks, and none while output waits for room. Returns their number or an
 * error. */
static int take_ticks(strat_context_t *ctx, uint32_t budget)
{
    uint32_t taken = 0;
    size_t bytes;
    const tick_t *tick;
    while (taken < budget && !ctx->stage.pending && (tick = tbus_peek(&ctx->md, &bytes))) {
        market_fetch_ahead(ctx->market, &ctx->md);
        int rc = take_tick(ctx, tick, bytes);
        if (rc < 0)
            return rc;
        tbus_advance(&ctx->md);
        ctx->unshown++;
        taken++;
    }
    return (int)taken;
}

/* ---- the stage */

static int input_error(strat_context_t *ctx, const tbus_subscriber_t *input, const char *topic)
{
    if (TBUS_LIKELY(input->error == 0))
        return 0;
    return tbus_fail(&ctx->stage.error, input->error, "strategy: topic '%s', message %llu: %s",
                     topic, (unsigned long long)input->seq, tbus_strerror(input->error));
}

static int take_inputs(strat_context_t *ctx, uint32_t budget)
{
    int flushed = ctx->stage.pending ? context_flush(ctx) : 0;
    int reports = tbus_glance(&ctx->reports) ? take_reports(ctx) : 0;
    if (reports < 0)
        return reports;
    int ticks = take_ticks(ctx, budget);
    if (ticks < 0)
        return ticks;
    int work = flushed + reports + ticks;
    if (work > 0)
        return work;
    int rc = input_error(ctx, &ctx->md, "md");
    return rc < 0 ? rc : input_error(ctx, &ctx->reports, "reports");
}

int context_poll(tbus_stage_t *stage, uint32_t budget)
{
    strat_context_t *ctx = (strat_context_t *)stage;
    int work = take_inputs(ctx, budget);
    if (ctx->unshown > (work > 0 ? SHOW_EVERY : 0))
        context_show_counters(ctx);
    return work;
}

void context_wind_down(tbus_stage_t *stage)
{
    strat_context_t *ctx = (strat_context_t *)stage;
    ctx->winding_down = true;
    if (ctx->strategy->on_wind_down)
        ctx->strategy->on_wind_down(ctx->self, ctx);
    context_cancel_all(ctx);
}
