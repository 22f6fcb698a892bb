/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/venue/executor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <tickbus/glance.h>

#include "risk/follow.h"
#include "risk/order_form.h"
#include "risk/table.h"

typedef struct executor_stage {
    tbus_stage_t stage;
    follow_t follow;
    tbus_subscriber_t approved;
    tbus_publisher_t reports;
    venue_t *venue;
    uint64_t said;    /* reports that the venue made */
    report_t *outbox; /* owned; what one input caused and a FULL ring did not take */
    uint32_t outbox_first;
    uint32_t outbox_end; /* first == end: empty */
    tbus_histogram_t *tick_to_report;
    tbus_atomic_u64_t *orders;
    tbus_atomic_u64_t *cancels;
    tbus_atomic_u64_t *executions;
    tbus_atomic_u64_t *executed_shares;
    tbus_atomic_u64_t *open_orders;
} executor_stage_t;

void executor_params_default(executor_params_t *out_params)
{
    venue_limits_default(&out_params->venue);
}

/* ---- output */

static bool publish(executor_stage_t *e, report_t *report)
{
    uint64_t now_ns = tbus_bus_now_ns(e->stage.bus);
    report->sent = tick_pack(now_ns, report_strategy(report));
    if (tbus_publish_try(&e->reports, report, sizeof(*report)) == TBUS_FULL)
        return false;
    uint64_t intended_ns = report->intended & TICK_NS_MASK;
    if ((report->kind == REPORT_ACCEPTED || report->kind == REPORT_REJECTED) && intended_ns != 0)
        tbus_histogram_record(e->tick_to_report, tick_ns_since(now_ns, intended_ns));
    return true;
}

static void on_report(void *context, const report_t *report)
{
    executor_stage_t *e = context;
    e->said++;
    report_t *slot = &e->outbox[e->outbox_end];
    *slot = *report;
    if (e->outbox_first != e->outbox_end || !publish(e, slot))
        e->outbox_end++;
}

static uint32_t flush_outbox(executor_stage_t *e)
{
    uint32_t sent = 0;
    while (e->outbox_first != e->outbox_end && publish(e, &e->outbox[e->outbox_first])) {
        e->outbox_first++;
        sent++;
    }
    if (e->outbox_first == e->outbox_end)
        e->outbox_first = e->outbox_end = 0;
    return sent;
}

static bool blocked(const executor_stage_t *e)
{
    return e->outbox_end != 0;
}

/* ---- input */

static bool halted(const executor_stage_t *e)
{
    return tbus_load_relaxed_u32(&e->stage.bus->directory->halted) != 0;
}

/* Before every input: with the kill switch on, nothing may be resting that it could execute. */
static inline bool obey_kill_switch(executor_stage_t *e)
{
    if (TBUS_UNLIKELY(halted(e)) && venue_stats(e->venue).open_orders != 0)
        venue_cancel_all(e->venue, REASON_KILL_SWITCH);
    return !blocked(e);
}

static void execute(executor_stage_t *e, const order_t *order, bool whole, enum follow_reach reach)
{
    if (!whole || reach == FOLLOW_NEVER)
        venue_refuse(e->venue, order, REASON_MALFORMED);
    else if (order->kind == ORDER_NEW && halted(e))
        venue_refuse(e->venue, order, REASON_KILL_SWITCH);
    else
        venue_order(e->venue, order);
}

/* Those that may be executed by now; *left: how many more this poll may take; *later: the next one
 * waits for a later tick. */
static int take_orders(executor_stage_t *e, uint32_t *left, bool *later)
{
    size_t bytes;
    const void *message;
    int taken = 0;
    *later = false;
    while (*left > 0 && obey_kill_switch(e) &&
           (message = tbus_peek(&e->approved, &bytes)) != NULL) {
        order_t order;
        bool whole = order_copy(&order, message, bytes);
        enum follow_reach reach = follow_reach(&e->follow, order.md_seq);
        *later = reach == FOLLOW_LATER;
        if (*later)
            break;
        execute(e, &order, whole, reach);
        tbus_advance(&e->approved);
        taken++;
        --*left;
    }
    return taken;
}

/* Tick by tick, and before each the orders that were waiting for no more than the last; after the
 * last one only if one waits for it. */
static int take_orders_and_ticks(executor_stage_t *e, uint32_t budget)
{
    uint32_t left = e->approved.ring.slot_count;
    bool later = false;
    int work = tbus_glance(&e->approved) ? take_orders(e, &left, &later) : 0;
    for (uint32_t ticks = 0; obey_kill_switch(e) && ticks < budget; ticks++) {
        const market_event_t *event;
        int code = follow_next(&e->follow, &e->stage, &event);
        if (code <= 0)
            return code < 0 ? code : work;
        venue_on_market(e->venue, event);
        work++;
        if (later || (ticks + 1 < budget && tbus_glance(&e->approved)))
            work += take_orders(e, &left, &later);
    }
    return work;
}

static void show(executor_stage_t *e)
{
    venue_stats_t stats = venue_stats(e->venue);
    tbus_store_relaxed_u64(e->orders, stats.orders);
    tbus_store_relaxed_u64(e->cancels, stats.cancels);
    tbus_store_relaxed_u64(e->executions, stats.executions);
    tbus_store_relaxed_u64(e->executed_shares, stats.executed_shares);
    tbus_store_relaxed_u64(e->open_orders, stats.open_orders);
}

static int executor_poll(tbus_stage_t *stage, uint32_t budget)
{
    executor_stage_t *e = (executor_stage_t *)(void *)stage;
    uint64_t said_before = e->said;
    int flushed = blocked(e) ? (int)flush_outbox(e) : 0;
    int taken = take_orders_and_ticks(e, budget);
    if (taken < 0)
        return taken;
    stage->pending = blocked(e);
    /* What the venue said counts as well: a tick may cause it, or nothing but the kill switch. */
    int said = (int)(e->said - said_before);
    if (said != 0) /* nothing that is shown changes without a report */
        show(e);
    int work = flushed + taken + said;
    return work > 0 ? work : follow_check_rings(stage);
}

/* ---- life */

static void executor_destroy(tbus_stage_t *stage)
{
    executor_stage_t *e = (executor_stage_t *)(void *)stage;
    tbus_subscriber_leave(&e->approved);
    tbus_subscriber_leave(&e->follow.md);
    venue_destroy(e->venue);
    free(e->outbox);
    free(e);
}

static const tbus_stage_ops_t executor_ops = {.poll = executor_poll, .destroy = executor_destroy};

static void add_counters(executor_stage_t *e)
{
    tbus_bus_t *bus = e->stage.bus;
    uint32_t owner = e->stage.owner;
    e->tick_to_report = tbus_bus_histogram(bus, "tick_to_report");
    e->orders = tbus_counter(bus, owner, "executor.orders", "orders");
    e->cancels = tbus_counter(bus, owner, "executor.cancels", "orders");
    e->executions = tbus_counter(bus, owner, "executor.executions", "executions");
    e->executed_shares = tbus_counter(bus, owner, "executor.executed_shares", "shares");
    e->open_orders = tbus_counter(bus, owner, "executor.open_orders", "orders");
}

static int build(executor_stage_t *e, market_t *market, const executor_params_t *params,
                 tbus_error_t *err)
{
    int code = venue_create(&params->venue, market, on_report, e, &e->venue, err);
    if (code < 0)
        return code;
    e->outbox = table_create((size_t)venue_reports_max(e->venue) + 1, sizeof(*e->outbox));
    if (e->outbox == NULL)
        return tbus_fail(err, -ENOMEM, "no memory to keep %u reports; lower executor.resting_max",
                         venue_reports_max(e->venue));
    code = tbus_stage_join_subscriber(&e->stage, "md", "executor", &e->follow.md, err);
    if (code == 0)
        code = tbus_stage_join_subscriber(&e->stage, "approved", "executor", &e->approved, err);
    if (code == 0)
        code = tbus_stage_join_publisher(&e->stage, "reports", &e->reports, err);
    return code;
}

int executor_stage_create(tbus_bus_t *bus, uint32_t owner, market_t *market,
                          const executor_params_t *params, tbus_stage_t **out_stage,
                          tbus_error_t *err)
{
    executor_stage_t *e = table_create(1, sizeof(*e));
    if (e == NULL)
        return tbus_fail(err, -ENOMEM, "no memory for the executor stage");
    e->stage.ops = &executor_ops;
    snprintf(e->stage.name, sizeof(e->stage.name), "executor");
    e->stage.owner = owner;
    e->stage.bus = bus;
    e->follow.market = market;
    int code = build(e, market, params, err);
    if (code < 0) {
        executor_destroy(&e->stage);
        return code;
    }
    add_counters(e);
    *out_stage = &e->stage;
    return 0;
}
