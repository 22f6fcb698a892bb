/* SPDX-License-Identifier: Apache-2.0 */
/* The strategy stage's counters (stage.h lists them). Those of orders are counted where the orders
 * are, in context.c and stage.c; those of books and profit are copied here from time to time. */
#include <stdio.h>
#include <string.h>

#include "strategy/context.h"

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
    {"books.foreign_adds", "messages", offsetof(market_stats_t, foreign_adds)},
    {"books.foreign_locates", "messages", offsetof(market_stats_t, foreign_locates)},
    {"books.non_printable_shares", "shares", offsetof(market_stats_t, non_printable_shares)},
    {"books.trade_shares", "shares", offsetof(market_stats_t, trade_shares)},
    {"books.cross_shares", "shares", offsetof(market_stats_t, cross_shares)},
    {"books.unknown_order_refs", "messages", offsetof(market_stats_t, unknown_order_refs)},
    {"books.unknown_order_refs.E", "messages", offsetof(market_stats_t, unknown_by_type['E'])},
    {"books.unknown_order_refs.C", "messages", offsetof(market_stats_t, unknown_by_type['C'])},
    {"books.unknown_order_refs.X", "messages", offsetof(market_stats_t, unknown_by_type['X'])},
    {"books.unknown_order_refs.D", "messages", offsetof(market_stats_t, unknown_by_type['D'])},
    {"books.unknown_order_refs.U", "messages", offsetof(market_stats_t, unknown_by_type['U'])},
};
#define BOOK_COUNTERS (sizeof book_counters / sizeof *book_counters)
_Static_assert(BOOK_COUNTERS <= BOOK_COUNTERS_MAX, "context.h has room for them");

void context_show_counters(strat_context_t *ctx)
{
    ctx->shown = context_taken(ctx);
    ledger_publish(&ctx->ledger);
    if (ctx->number != 1)
        return;
    tbus_store_relaxed_u64(ctx->bbo_digest_shown, ctx->bbo_digest);
    tbus_store_relaxed_u64(ctx->clock_restarts, ctx->base.leader->clock.restarts);
    const char *stats = (const char *)market_stats(ctx->base.market);
    for (size_t i = 0; i < BOOK_COUNTERS; i++) {
        uint64_t value;
        memcpy(&value, stats + book_counters[i].offset, sizeof value);
        tbus_store_relaxed_u64(ctx->book_counters[i], value);
    }
}

/* That of strategy 2 is called "NAME.2". */
static tbus_histogram_t *find_histogram(const strat_context_t *ctx, const char *name)
{
    char text[TBUS_NAME_MAX];
    snprintf(text, sizeof text, ctx->number == 1 ? "%s" : "%s.%u", name, ctx->number);
    return tbus_bus_histogram(ctx->base.stage.bus, text);
}

void context_find_counters(strat_context_t *ctx)
{
    tbus_bus_t *bus = ctx->base.stage.bus;
    uint32_t owner = ctx->base.stage.owner;
    ctx->counters = (order_counters_t){
        .sent = tbus_counter(bus, owner, "orders.sent", "orders"),
        .cancels_sent = tbus_counter(bus, owner, "orders.cancels_sent", "orders"),
        .accepted = tbus_counter(bus, owner, "orders.accepted", "reports"),
        .rejected = tbus_counter(bus, owner, "orders.rejected", "reports"),
        .partial = tbus_counter(bus, owner, "orders.partial", "reports"),
        .filled = tbus_counter(bus, owner, "orders.filled", "reports"),
        .cancelled = tbus_counter(bus, owner, "orders.cancelled", "reports"),
        .cancels_rejected = tbus_counter(bus, owner, "orders.cancels_rejected", "reports"),
        .broken = tbus_counter(bus, owner, "orders.broken", "reports"),
        .report_mismatches = tbus_counter(bus, owner, "orders.report_mismatches", "reports"),
    };
    ctx->tick_to_order = find_histogram(ctx, "tick_to_order");
    ctx->tick_to_requote = find_histogram(ctx, "tick_to_requote");
    ctx->tick_to_cancel = find_histogram(ctx, "tick_to_cancel");
    ctx->base.waits = find_histogram(ctx, "wait_horizon");
    ctx->base.waited = tbus_counter(bus, owner, "wait_horizon.ticks", "ticks");
    ctx->orders_digest_shown = tbus_counter(bus, owner, "digest.orders", "digest");
    if (ctx->number == 1)
        ctx->bbo_digest_shown = tbus_counter(bus, owner, "digest.bbo", "digest");
    if (ctx->number == 1)
        ctx->clock_restarts = tbus_counter(bus, owner, "clock.restarts", "restarts");
    for (size_t i = 0; i < BOOK_COUNTERS && ctx->number == 1; i++)
        ctx->book_counters[i] =
            tbus_counter(bus, owner, book_counters[i].name, book_counters[i].unit);
}
