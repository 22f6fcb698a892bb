/* SPDX-License-Identifier: Apache-2.0 */
/* The strategy stage's inputs: ticks and reports; its making and its counters. */
#include "strategy/stage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "strategy/context.h"

#define SHOW_EVERY 8192u /* ticks between two updates of the slow counters while busy */

/* ---- the slow counters */

static const struct book_counter {
    const char *name;
    const char *unit;
    size_t offset; /* of the uint64_t in market_stats_t */
} book_counters[] = {
    {"books.symbols", "symbols", offsetof(market_stats_t, symbols)},
    {"books.live_orders", "orders", offsetof(market_stats_t, live_orders)},
    {"books.live_orders_max", "orders", offsetof(market_stats_t, live_orders_max)},
    {"books.executed_shares", "shares", offsetof(market_stats_t, executed_shares)},
    {"books.bbo_changes", "changes", offsetof(market_stats_t, bbo_changes)},
    {"books.over_reductions", "messages", offsetof(market_stats_t, over_reductions)},
    {"books.duplicate_adds", "messages", offsetof(market_stats_t, duplicate_adds)},
    {"books.malformed", "messages", offsetof(market_stats_t, malformed)},
    {"books.unknown_order_refs", "messages", offsetof(market_stats_t, unknown_order_refs)},
    {"books.unknown_order_refs.E", "messages", offsetof(market_stats_t, unknown_by_type['E'])},
    {"books.unknown_order_refs.C", "messages", offsetof(market_stats_t, unknown_by_type['C'])},
    {"books.unknown_order_refs.X", "messages", offsetof(market_stats_t, unknown_by_type['X'])},
    {"books.unknown_order_refs.D", "messages", offsetof(market_stats_t, unknown_by_type['D'])},
    {"books.unknown_order_refs.U", "messages", offsetof(market_stats_t, unknown_by_type['U'])},
};
#define BOOK_COUNTERS (sizeof book_counters / sizeof *book_counters)
_Static_assert(BOOK_COUNTERS <= BOOK_COUNTERS_MAX, "context.h has room for them");

static void show_slow_counters(strat_context_t *ctx)
{
    ctx->unshown = 0;
    ledger_publish(&ctx->ledger, ctx->market);
    if (ctx->number != 1)
        return;
    const char *stats = (const char *)market_stats(ctx->market);
    for (size_t i = 0; i < BOOK_COUNTERS; i++) {
        uint64_t value;
        memcpy(&value, stats + book_counters[i].offset, sizeof value);
        tbus_store_relaxed_u64(ctx->book_counters[i], value);
    }
}

/* ---- reports */

/* What a report says about one of our own orders. 0, or an error. */
static int follow_report(strat_context_t *ctx, const report_t *report)
{
    own_order_t *own = own_orders_find(&ctx->own, report->order_id);
    /* An answer to a cancel may well find its order gone: that is why it was refused. */
    if (own == NULL && report->kind != REPORT_CANCEL_REJECTED)
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
        if (own != NULL)
            own->cancel_asked = false;
        break;
    default:
        if (own != NULL)
            tbus_add_own_u64(ctx->counters.report_mismatches, 1);
        break;
    }
    if (report->kind == REPORT_PARTIAL || report->kind == REPORT_FILLED) {
        uint16_t locate = own != NULL ? own->locate : report_locate(report);
        const char *name = market_symbol(ctx->market, locate)->name;
        if (!ledger_execute(&ctx->ledger, locate, name, report->side, report->qty, report->px_e4))
            return tbus_fail(&ctx->stage.error, -EOVERFLOW,
                             "the position in %.8s (locate %u) cannot take execution %llu: %u shares at %u",
                             name, locate, (unsigned long long)report->exec_id, report->qty, report->px_e4);
        if (own != NULL)
            own->leaves = report->leaves;
    }
    if (ended && own != NULL)
        own_orders_end(&ctx->own, own);
    return 0;
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
    int rc = follow_report(ctx, report);
    if (rc == 0 && ctx->strategy->on_report != NULL)
        ctx->strategy->on_report(ctx->self, ctx, report);
    return rc;
}

/* All there are (a ring's worth at most, should they come as fast as they are taken): their number, or an
 * error. */
static int take_reports(strat_context_t *ctx)
{
    uint32_t taken = 0;
    size_t bytes;
    const report_t *report;
    while (taken < ctx->reports.ring.slot_count && (report = tbus_peek(&ctx->reports, &bytes)) != NULL) {
        int rc = take_report(ctx, report, bytes);
        if (rc < 0)
            return rc;
        tbus_advance(&ctx->reports);
        taken++;
    }
    ctx->unshown += taken;
    return (int)taken;
}

/* ---- ticks */

static void publish_bbo(strat_context_t *ctx, const tick_t *tick, const market_event_t *event)
{
    bbo_t *bbo = &ctx->bbo;
    bbo->md_seq = event->md_seq;
    bbo->event = tick->event;
    bbo->intended = tick->intended;
    bbo->bid_px_e4 = event->touch.bid_px_e4;
    bbo->ask_px_e4 = event->touch.ask_px_e4;
    bbo->bid_qty = event->touch.bid_qty;
    bbo->ask_qty = event->touch.ask_qty;
    memcpy(bbo->symbol, market_symbol(ctx->market, event->locate)->name, sizeof bbo->symbol);
    if (tbus_publish_try(&ctx->bbo_out, bbo, sizeof *bbo) == TBUS_FULL) {
        ctx->bbo_waits = true;
        ctx->stage.pending = true;
    }
}

static void call_strategy(strat_context_t *ctx, const tick_t *tick, const market_event_t *event)
{
    const strategy_t *strategy = ctx->strategy;
    if (strategy->on_tick != NULL)
        strategy->on_tick(ctx->self, ctx, tick, ctx->md_seq);
    if (event->bbo_changed && strategy->on_bbo != NULL)
        strategy->on_bbo(ctx->self, ctx, event->locate, &event->touch);
    if (TBUS_UNLIKELY(ctx->timer_ns != 0 && ctx->event_ns >= ctx->timer_ns)) {
        ctx->timer_ns = 0;
        if (strategy->on_timer != NULL)
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

/* Up to `budget`, and none while something waits for room: their number, or an error. */
static int take_ticks(strat_context_t *ctx, uint32_t budget)
{
    uint32_t taken = 0;
    size_t bytes;
    const tick_t *tick;
    while (taken < budget && !ctx->stage.pending && (tick = tbus_peek(&ctx->md, &bytes)) != NULL) {
        int rc = take_tick(ctx, tick, bytes);
        if (rc < 0)
            return rc;
        tbus_advance(&ctx->md);
        taken++;
    }
    ctx->unshown += taken;
    return (int)taken;
}

/* ---- the stage */

static int input_error(strat_context_t *ctx, const tbus_subscriber_t *input, const char *topic)
{
    if (TBUS_LIKELY(input->error == 0))
        return 0;
    return tbus_fail(&ctx->stage.error, input->error, "strategy: topic '%s', message %llu: %s", topic,
                     (unsigned long long)input->seq, tbus_strerror(input->error));
}

static int strategy_poll(tbus_stage_t *stage, uint32_t budget)
{
    strat_context_t *ctx = (strat_context_t *)stage;
    int flushed = stage->pending ? context_flush(ctx) : 0;
    int reports = take_reports(ctx);
    if (reports < 0)
        return reports;
    int ticks = take_ticks(ctx, budget);
    if (ticks < 0)
        return ticks;
    int work = flushed + reports + ticks;
    if (ctx->unshown > (work == 0 ? 0 : SHOW_EVERY))
        show_slow_counters(ctx);
    if (work > 0)
        return work;
    int rc = input_error(ctx, &ctx->md, "md");
    return rc < 0 ? rc : input_error(ctx, &ctx->reports, "reports");
}

static void strategy_wind_down(tbus_stage_t *stage)
{
    strat_context_t *ctx = (strat_context_t *)stage;
    ctx->winding_down = true;
    if (ctx->strategy->on_wind_down != NULL)
        ctx->strategy->on_wind_down(ctx->self, ctx);
    context_cancel_all(ctx);
}

static int strategy_finish(tbus_stage_t *stage)
{
    show_slow_counters((strat_context_t *)stage);
    return 0;
}

static void strategy_destroy(tbus_stage_t *stage)
{
    strat_context_t *ctx = (strat_context_t *)stage;
    if (ctx == NULL)
        return;
    if (ctx->strategy != NULL && ctx->strategy->destroy != NULL)
        ctx->strategy->destroy(ctx->self);
    tbus_subscriber_leave(&ctx->md);
    tbus_subscriber_leave(&ctx->reports);
    ledger_destroy(&ctx->ledger);
    outbox_destroy(&ctx->outbox);
    own_orders_destroy(&ctx->own);
    free(ctx);
}

static const tbus_stage_ops_t strategy_ops = {
    .poll = strategy_poll,
    .wind_down = strategy_wind_down,
    .finish = strategy_finish,
    .destroy = strategy_destroy,
};

static int check_params(const strategy_stage_params_t *p, tbus_error_t *err)
{
    if (p->strategy == NULL)
        return tbus_fail(err, -TBUS_ECONFIG, "there is no strategy of that name");
    if (p->number == 0)
        return tbus_fail(err, -TBUS_ECONFIG, "strategies are numbered from 1");
    if (p->params.open_orders_max == 0 || p->params.open_orders_max > OWN_ORDERS_LIMIT)
        return tbus_fail(err, -TBUS_ECONFIG, "strategy.open_orders_max is %u; it must be from 1 to %u",
                         p->params.open_orders_max, OWN_ORDERS_LIMIT);
    return 0;
}

static int allocate(strat_context_t *ctx, uint32_t credit, tbus_error_t *err)
{
    if (own_orders_create(&ctx->own, ctx->number, credit) < 0 || outbox_create(&ctx->outbox, credit) < 0 ||
        ledger_create(&ctx->ledger, ctx->stage.bus, ctx->stage.owner) < 0)
        return tbus_fail(err, -ENOMEM,
                         "no memory for a strategy with %u open orders; lower strategy.open_orders_max",
                         credit);
    return 0;
}

static int join(strat_context_t *ctx, tbus_error_t *err)
{
    tbus_stage_t *stage = &ctx->stage;
    int rc = tbus_stage_subscribe(stage, "md", stage->name, &ctx->md, err);
    if (rc == 0)
        rc = tbus_stage_subscribe(stage, "reports", stage->name, &ctx->reports, err);
    if (rc == 0)
        rc = tbus_stage_publish(stage, "orders", &ctx->orders_out, err);
    if (rc == 0 && ctx->number == 1)
        rc = tbus_stage_publish(stage, "bbo", &ctx->bbo_out, err);
    return rc;
}

static void find_counters(strat_context_t *ctx)
{
    tbus_bus_t *bus = ctx->stage.bus;
    uint32_t owner = ctx->stage.owner;
    ctx->counters = (order_counters_t){
        .sent = tbus_counter(bus, owner, "orders.sent", "orders"),
        .cancels_sent = tbus_counter(bus, owner, "orders.cancels_sent", "orders"),
        .accepted = tbus_counter(bus, owner, "orders.accepted", "reports"),
        .rejected = tbus_counter(bus, owner, "orders.rejected", "reports"),
        .partial = tbus_counter(bus, owner, "orders.partial", "reports"),
        .filled = tbus_counter(bus, owner, "orders.filled", "reports"),
        .cancelled = tbus_counter(bus, owner, "orders.cancelled", "reports"),
        .cancels_rejected = tbus_counter(bus, owner, "orders.cancels_rejected", "reports"),
        .report_mismatches = tbus_counter(bus, owner, "orders.report_mismatches", "reports"),
    };
    char name[TBUS_NAME_MAX] = "tick_to_order";
    if (ctx->number != 1)
        snprintf(name, sizeof name, "tick_to_order.%u", ctx->number);
    ctx->tick_to_order = tbus_bus_histogram(bus, name);
    for (size_t i = 0; i < BOOK_COUNTERS && ctx->number == 1; i++)
        ctx->book_counters[i] = tbus_counter(bus, owner, book_counters[i].name, book_counters[i].unit);
}

int strategy_stage_create(tbus_bus_t *bus, uint32_t owner, market_t *market,
                          const strategy_stage_params_t *params, tbus_stage_t **out_stage, tbus_error_t *err)
{
    int rc = check_params(params, err);
    if (rc < 0)
        return rc;
    strat_context_t *ctx = calloc(1, sizeof *ctx);
    if (ctx == NULL)
        return tbus_fail(err, -ENOMEM, "no memory for the strategy stage");
    ctx->stage.ops = &strategy_ops;
    ctx->stage.owner = owner;
    ctx->stage.bus = bus;
    ctx->market = market;
    ctx->number = params->number;
    snprintf(ctx->stage.name, sizeof ctx->stage.name, ctx->number == 1 ? "strategy" : "strategy%u",
             ctx->number);
    rc = allocate(ctx, params->params.open_orders_max, err);
    if (rc == 0)
        rc = join(ctx, err);
    if (rc == 0) {
        find_counters(ctx);
        if (params->strategy->create != NULL)
            rc = params->strategy->create(ctx, &params->params, &ctx->self, err);
    }
    if (rc < 0) {
        strategy_destroy(&ctx->stage);
        return rc;
    }
    ctx->strategy = params->strategy; /* only now: destroy is for what create has made */
    *out_stage = &ctx->stage;
    return 0;
}
