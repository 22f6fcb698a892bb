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

void context_find_counters(strat_context_t *ctx)
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
        ctx->book_counters[i] =
            tbus_counter(bus, owner, book_counters[i].name, book_counters[i].unit);
}
