/* SPDX-License-Identifier: Apache-2.0 */
/* How a strategy stage is made and unmade. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "strategy/context.h"
#include "strategy/stage.h"

#define EVENTS_KEPT_MAX 32u /* while the topic has no room */

static int strategy_finish(tbus_stage_t *stage)
{
    context_show_counters((strat_context_t *)stage);
    return 0;
}

static void strategy_destroy(tbus_stage_t *stage)
{
    strat_context_t *ctx = (strat_context_t *)stage;
    if (!ctx)
        return;
    if (ctx->strategy && ctx->strategy->destroy)
        ctx->strategy->destroy(ctx->self);
    tbus_stage_leave(stage);
    market_stage_leave(&ctx->base);
    ledger_destroy(&ctx->ledger);
    tbus_outlet_destroy(&ctx->events);
    tbus_outlet_destroy(&ctx->bbo_out);
    tbus_outlet_destroy(&ctx->orders_out);
    own_orders_destroy(&ctx->own);
    causes_destroy(&ctx->causes);
    free(ctx->open_at);
    free(ctx->recent);
    inbox_destroy(&ctx->inbox);
    free(ctx);
}

static const tbus_stage_ops_t strategy_ops = {
    .poll = market_stage_poll,
    .poll_together = market_stage_poll_together,
    .start = context_start,
    .wind_down = market_stage_wind_down,
    .finish = strategy_finish,
    .destroy = strategy_destroy,
};

static int check_params(const strategy_stage_params_t *p, tbus_error_t *err)
{
    if (!p->strategy)
        return tbus_fail(err, -TBUS_ECONFIG, "there is no strategy of that name");
    if (p->number == 0)
        return tbus_fail(err, -TBUS_ECONFIG, "strategies are numbered from 1");
    if (p->open_orders_max == 0 || p->open_orders_max > OWN_ORDERS_LIMIT)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "strategy.open_orders_max is %u; it must be from 1 to %u",
                         p->open_orders_max, OWN_ORDERS_LIMIT);
    return strategy_check(p->strategy, err);
}

size_t strategy_stage_footprint(uint32_t open_orders_max)
{
    return sizeof(strat_context_t) + own_orders_footprint(open_orders_max) +
           (size_t)ORDERS_KEPT_PER_CREDIT * open_orders_max * (sizeof(order_t) + 8) +
           causes_footprint(ORDERS_KEPT_PER_CREDIT * open_orders_max, 0) +
           RECENT_TICKS * sizeof(uint64_t) + MARKET_LOCATES * sizeof(open_at_t) +
           ledger_footprint();
}

/* Zeroed, every page touched; `count`: a power of two of 32 or more. */
static void *make_table(size_t count, size_t entry_bytes)
{
    void *table = aligned_alloc(64, count * entry_bytes);
    return table ? memset(table, 0, count * entry_bytes) : NULL;
}

static int allocate(strat_context_t *ctx, uint32_t credit, const marks_t *marks, tbus_error_t *err)
{
    const tbus_ring_t *md = tbus_bus_ring(ctx->base.stage.bus, "md");
    uint32_t reports_max = ctx->base.session->reports_max;
    uint32_t messages_max = ORDERS_KEPT_PER_CREDIT * credit;
    ctx->open_at = make_table(MARKET_LOCATES, sizeof *ctx->open_at);
    if (!market_stage_waits(&ctx->base))
        ctx->recent = make_table(RECENT_TICKS, sizeof *ctx->recent);
    if (!(market_stage_waits(&ctx->base) || ctx->recent) ||
        !inbox_create(&ctx->inbox, reports_max) || !ctx->open_at ||
        own_orders_create(&ctx->own, ctx->number, credit) < 0 ||
        causes_create(&ctx->causes, messages_max, md ? md->slot_count : 0) < 0 ||
        tbus_outlet_create(&ctx->orders_out, messages_max, sizeof(order_t), NULL) < 0 ||
        tbus_outlet_create(&ctx->bbo_out, 1, sizeof(bbo_t), NULL) < 0 ||
        tbus_outlet_create(&ctx->events, EVENTS_KEPT_MAX, EVENT_BYTES, NULL) < 0)
        return tbus_fail(err, -ENOMEM,
                         "no memory for a strategy with %u open orders and %u reports on their "
                         "way; lower strategy.open_orders_max or venue.reports_max",
                         credit, reports_max);
    return ledger_create(&ctx->ledger, ctx->base.stage.bus, ctx->base.stage.owner,
                         marks ? marks : &marks_default, err);
}

static int join_bbo(strat_context_t *ctx, tbus_error_t *err)
{
    tbus_stage_t *stage = &ctx->base.stage;
    int rc = tbus_stage_join_publisher(stage, "bbo", &ctx->bbo_out.publisher, err);
    if (rc == 0)
        ctx->bbo_left_out =
            &stage->bus->directory->topics[tbus_bus_topic_index(stage->bus, "bbo")].left_out;
    return rc;
}

static int join(strat_context_t *ctx, market_t *market, tbus_error_t *err)
{
    tbus_stage_t *stage = &ctx->base.stage;
    int rc = market_stage_join(&ctx->base, market, ctx->base.session, err);
    if (rc == 0)
        rc = tbus_stage_join_subscriber(stage, "reports", stage->name, &ctx->reports, err);
    if (rc == 0)
        rc = tbus_stage_join_publisher(stage, "orders", &ctx->orders_out.publisher, err);
    if (rc == 0 && ctx->number == 1)
        rc = join_bbo(ctx, err);
    if (rc == 0)
        rc = market_stage_keep_inputs(&ctx->base, EVENT_FROM_STRATEGY, ctx->number, err);
    if (rc == 0 && market_stage_waits(&ctx->base) && tbus_bus_ring(stage->bus, EVENT_TOPIC))
        rc = tbus_stage_join_publisher(stage, EVENT_TOPIC, &ctx->events.publisher, err);
    if (rc == 0 && market_stage_waits(&ctx->base))
        ctx->base.horizon = tbus_stage_keep_horizon(stage, "orders", ctx->number);
    return rc;
}

int strategy_stage_create(tbus_bus_t *bus, uint32_t owner, market_t *market,
                          const strategy_stage_params_t *params, tbus_stage_t **out_stage,
                          tbus_error_t *err)
{
    int rc = check_params(params, err);
    if (rc < 0)
        return rc;
    strat_context_t *ctx = calloc(1, sizeof *ctx);
    if (!ctx)
        return tbus_fail(err, -ENOMEM, "no memory for the strategy stage");
    ctx->base.stage.ops = &strategy_ops;
    ctx->base.stage.owner = owner;
    ctx->base.stage.bus = bus;
    ctx->base.ops = &context_market_ops;
    ctx->number = params->number;
    if (params->name)
        snprintf(ctx->base.stage.name, sizeof ctx->base.stage.name, "%s", params->name);
    else
        snprintf(ctx->base.stage.name, sizeof ctx->base.stage.name,
                 ctx->number == 1 ? "strategy" : "strategy%u", ctx->number);
    ctx->base.session = params->session ? params->session : &session_host;
    ctx->base.stamps = bus->stamps;
    ctx->base.stamps_ticks = ctx->number == 1;
    rc = allocate(ctx, params->open_orders_max, params->marks, err);
    if (rc == 0)
        rc = join(ctx, market, err);
    if (rc == 0) {
        context_find_counters(ctx);
        if (params->strategy->create)
            rc = params->strategy->create(ctx, params->params, &ctx->self, err);
    }
    if (rc < 0) {
        strategy_destroy(&ctx->base.stage);
        return rc;
    }
    ctx->strategy = params->strategy; /* only now: destroy is for what create has made */
    context_choose_ticks(ctx);
    *out_stage = &ctx->base.stage;
    return 0;
}
