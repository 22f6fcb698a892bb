/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/venue/executor.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <tickbus/outlet.h>

#include "risk/acts.h"
#include "risk/follow.h"
#include "risk/table.h"

typedef struct executor_stage {
    tbus_stage_t stage;
    follow_t follow;
    tbus_outlet_t reports; /* keeps at most what one input caused */
    venue_t *venue;
    acts_t acts;
    uint64_t arrivals;         /* orders that were taken, of whatever kind */
    uint32_t halt;             /* generation of the kill switch that was answered last */
    uint32_t halt_unconfirmed; /* and what the answer was */
    uint64_t halt_cancelled;
    uint64_t made; /* reports that the venue made */
    tbus_histogram_t *tick_to_report;
    tbus_atomic_u64_t *orders;
    tbus_atomic_u64_t *cancels;
    tbus_atomic_u64_t *executions;
    tbus_atomic_u64_t *executed_shares;
    tbus_atomic_u64_t *open_orders;
} executor_stage_t;

/* ---- output */

/* Before every try, so that the time on a report is that of its publication. Returns that time. */
static uint64_t stamp(const executor_stage_t *e, report_t *report)
{
    uint64_t now_ns = tbus_bus_now_ns(e->stage.bus);
    report->sent = tick_pack(now_ns, report_strategy(report));
    return now_ns;
}

static void count_sent(executor_stage_t *e, const report_t *report, uint64_t now_ns)
{
    uint64_t intended_ns = report->intended & TICK_NS_MASK;
    if ((report->kind == REPORT_ACCEPTED || report->kind == REPORT_REJECTED) && intended_ns != 0)
        tbus_histogram_record(e->tick_to_report, tick_ns_since(now_ns, intended_ns));
}

static void on_report(void *context, const report_t *from_venue)
{
    executor_stage_t *e = context;
    report_t report = *from_venue;
    e->made++;
    uint64_t now_ns = stamp(e, &report);
    enum tbus_outlet_result told = tbus_outlet_send(&e->reports, &report, sizeof report);
    assert(told != TBUS_OUTLET_FULL); /* venue_reports_max */
    if (told == TBUS_OUTLET_SENT)
        count_sent(e, &report, now_ns);
}

static int flush(executor_stage_t *e)
{
    int sent = 0;
    report_t *report;
    size_t bytes;
    while ((report = tbus_outlet_front(&e->reports, &bytes))) {
        uint64_t now_ns = stamp(e, report);
        if (tbus_outlet_retry(&e->reports) != TBUS_OUTLET_SENT)
            break;
        count_sent(e, report, now_ns);
        sent++;
    }
    return sent;
}

static bool blocked(const executor_stage_t *e)
{
    return e->reports.kept != 0;
}

/* ---- input */

static void take_acts(executor_stage_t *e)
{
    acts_place_t here = {
        .position = e->arrivals, .md_seq = e->follow.seq, .market_ns = e->follow.event_ns};
    uint32_t releases = e->acts.releases;
    acts_take(&e->acts, &here);
    if (e->acts.releases != releases)
        e->halt_cancelled = 0;
}

/* Before every input: with the kill switch on, nothing may be resting that it could execute. Those
 * cancels wait until the box is empty, like every other cause of reports, or it could overflow. */
static inline bool may_take(tbus_stage_t *stage)
{
    executor_stage_t *e = (executor_stage_t *)(void *)stage;
    if (blocked(e))
        return false;
    if (TBUS_UNLIKELY(acts_changed(&e->acts)))
        take_acts(e);
    if (TBUS_UNLIKELY(e->acts.halted) && venue_stats(e->venue).open_orders != 0) {
        e->halt_cancelled += venue_stats(e->venue).open_orders;
        venue_cancel_all(e->venue, REASON_KILL_SWITCH);
    }
    return !blocked(e);
}

/* Whoever has thrown the kill switch is told what became of the orders: once, and again when that
 * changes. True: it was told now, and another turn is to see whether more is to be said. */
static bool answer_halt(executor_stage_t *e)
{
    uint32_t halt = e->acts.throws;
    uint32_t unconfirmed = (uint32_t)(venue_stats(e->venue).open_orders + e->reports.kept);
    if (halt == e->halt && unconfirmed == e->halt_unconfirmed)
        return false;
    kill_switch_answer(e->acts.kill_switch, halt, e->halt_cancelled, unconfirmed);
    e->halt = halt;
    e->halt_unconfirmed = unconfirmed;
    return true;
}

static void execute(tbus_stage_t *stage, const order_t *order, bool valid)
{
    executor_stage_t *e = (executor_stage_t *)(void *)stage;
    e->arrivals++;
    if (!valid)
        venue_refuse(e->venue, order, REASON_MALFORMED);
    else if (order->kind == ORDER_NEW && e->acts.halted)
        venue_refuse(e->venue, order, REASON_KILL_SWITCH);
    else
        venue_order(e->venue, order);
}

static inline void move_market(tbus_stage_t *stage, const market_event_t *event)
{
    venue_on_market(((executor_stage_t *)(void *)stage)->venue, event);
}

static const follow_ops_t follow_ops = {.may_take_order = may_take,
                                        .may_take_tick = may_take,
                                        .on_order = execute,
                                        .on_tick = move_market};

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
    uint64_t made_before = e->made;
    int flushed = (blocked(e) ? flush(e) : 0) + (int)acts_flush(&e->acts);
    if (TBUS_UNLIKELY(acts_changed(&e->acts)))
        take_acts(e);
    int taken = follow_take(&e->follow, stage, budget, &follow_ops);
    if (taken < 0)
        return taken;
    stage->pending = blocked(e) || e->acts.events.kept;
    /* Reports count as work too: a tick may cause them, or only the kill switch. */
    int made = (int)(e->made - made_before);
    if (made != 0) /* no counter changes without a report */
        show(e);
    int work = flushed + taken + made;
    if (TBUS_UNLIKELY(e->acts.halted))
        work += answer_halt(e);
    return work > 0 ? work : follow_check_rings(stage);
}

/* ---- life */

static void executor_destroy(tbus_stage_t *stage)
{
    executor_stage_t *e = (executor_stage_t *)(void *)stage;
    tbus_stage_leave(stage);
    venue_destroy(e->venue);
    acts_leave(&e->acts);
    tbus_outlet_destroy(&e->reports);
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
    uint32_t reports_max = venue_reports_max(e->venue);
    code = tbus_outlet_create(&e->reports, reports_max, sizeof(report_t), NULL);
    if (code < 0)
        return tbus_fail(err, code, "no memory to keep %u reports; lower executor.resting_max",
                         reports_max);
    code = acts_join(&e->acts, &e->stage, EVENT_FROM_EXECUTOR, err);
    if (code == 0)
        code = tbus_stage_join_subscriber(&e->stage, "md", "executor", &e->follow.md, err);
    if (code == 0)
        code =
            tbus_stage_join_subscriber(&e->stage, "approved", "executor", &e->follow.orders, err);
    if (code == 0)
        code = tbus_stage_join_publisher(&e->stage, "reports", &e->reports.publisher, err);
    return code;
}

int executor_stage_create(tbus_bus_t *bus, uint32_t owner, market_t *market,
                          const executor_params_t *params, tbus_stage_t **out_stage,
                          tbus_error_t *err)
{
    executor_stage_t *e = table_create(1, sizeof *e);
    if (!e)
        return tbus_fail(err, -ENOMEM, "no memory for the executor stage");
    e->stage.ops = &executor_ops;
    snprintf(e->stage.name, sizeof e->stage.name, "executor");
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
