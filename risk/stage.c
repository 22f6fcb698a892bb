/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/stage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/glance.h>
#include <tickbus/outlet.h>

#include "risk/acts.h"
#include "risk/follow.h"
#include "risk/gate.h"
#include "risk/table.h"

typedef struct risk_stage {
    tbus_stage_t stage;
    follow_t follow;
    tbus_subscriber_t reports;
    tbus_outlet_t approved; /* orders that passed */
    tbus_outlet_t answers;  /* reports about those that did not */
    gate_t *gate;
    const limits_box_t *limits_box; /* not owned; NULL: none */
    acts_t acts;
    uint64_t judged; /* orders */
    uint64_t limits_seen;
    tbus_atomic_u64_t *taken;
    tbus_atomic_u64_t *cancels;
    tbus_atomic_u64_t *passed;
    tbus_atomic_u64_t *mismatches;
    tbus_atomic_u64_t *limits_changes;
    tbus_atomic_u64_t *rejects[REASON_COUNT]; /* NULL: a reason that the gate never gives */
} risk_stage_t;

/* ---- output */

/* Before every try, so that the time on a report is that of its publication. */
static void stamp(const risk_stage_t *r, report_t *report)
{
    report->sent = tick_pack(tbus_bus_now_ns(r->stage.bus), report_strategy(report));
}

static bool blocked(const risk_stage_t *r)
{
    return (r->approved.kept | r->answers.kept) != 0;
}

/* The one message that is kept. Returns whether it went out. */
static bool flush(risk_stage_t *r)
{
    size_t bytes;
    report_t *report = tbus_outlet_front(&r->answers, &bytes);
    if (!report)
        return tbus_outlet_flush(&r->approved) != 0;
    stamp(r, report);
    return tbus_outlet_retry(&r->answers) == TBUS_OUTLET_SENT;
}

/* ---- input */

static int take_reports(risk_stage_t *r)
{
    size_t bytes;
    const void *message;
    uint32_t taken = 0;
    /* No more than the ring holds: they may come as fast as they are taken. */
    while (taken < r->reports.ring.slot_count && (message = tbus_peek(&r->reports, &bytes))) {
        report_t report;
        if (bytes != sizeof report)
            return tbus_fail(&r->stage.error, -TBUS_ECORRUPT,
                             "stage '%s': message %llu of reports has %zu bytes, a report has %zu",
                             r->stage.name, (unsigned long long)r->reports.seq, bytes,
                             sizeof report);
        memcpy(&report, message, sizeof report);
        gate_on_report(r->gate, &report);
        tbus_advance(&r->reports);
        taken++;
    }
    if (taken > 0)
        tbus_store_relaxed_u64(r->mismatches, gate_report_mismatches(r->gate));
    return (int)taken;
}

static acts_place_t place(const risk_stage_t *r)
{
    return (acts_place_t){
        .position = r->judged, .md_seq = r->follow.seq, .market_ns = r->follow.event_ns};
}

static void take_limits(risk_stage_t *r)
{
    risk_limits_t limits;
    if (TBUS_LIKELY(!limits_box_take(r->limits_box, &r->limits_seen, &limits)) ||
        !gate_set_limits(r->gate, &limits))
        return;
    acts_place_t here = place(r);
    acts_tell_limits(&r->acts, limits_box_number(r->limits_seen), &here);
    tbus_add_own_u64(r->limits_changes, 1);
}

static void take_acts(risk_stage_t *r)
{
    acts_place_t here = place(r);
    acts_take(&r->acts, &here);
    gate_kill(r->gate, r->acts.halted);
}

/* An order is judged with both boxes empty: see may_take_order. */
static void judge(tbus_stage_t *stage, const order_t *order, bool valid)
{
    risk_stage_t *r = (risk_stage_t *)(void *)stage;
    if (r->limits_box)
        take_limits(r);
    if (TBUS_UNLIKELY(acts_changed(&r->acts)))
        take_acts(r);
    r->judged++;
    uint8_t reason = valid ? gate_judge(r->gate, order, r->follow.event_ns) : REASON_MALFORMED;
    tbus_add_own_u64(r->taken, 1);
    tbus_add_own_u64(r->cancels, order->kind == ORDER_CANCEL);
    if (reason == REASON_NONE) {
        tbus_add_own_u64(r->passed, 1);
        tbus_outlet_send(&r->approved, order, sizeof *order);
        return;
    }
    tbus_add_own_u64(r->rejects[reason], 1);
    report_t refusal = order_refusal(order, reason, r->follow.seq);
    stamp(r, &refusal);
    tbus_outlet_send(&r->answers, &refusal, sizeof refusal);
}

static inline bool may_take_order(tbus_stage_t *stage)
{
    return !blocked((risk_stage_t *)(void *)stage);
}

static inline void mark_market(tbus_stage_t *stage, const market_event_t *event)
{
    gate_on_market(((risk_stage_t *)(void *)stage)->gate, event);
}

static const follow_ops_t follow_ops = {
    .may_take_order = may_take_order, .on_order = judge, .on_tick = mark_market};

static int risk_poll(tbus_stage_t *stage, uint32_t budget)
{
    risk_stage_t *r = (risk_stage_t *)(void *)stage;
    int reports = tbus_glance(&r->reports) ? take_reports(r) : 0;
    if (reports < 0)
        return reports;
    int flushed = (blocked(r) && flush(r)) + (int)acts_flush(&r->acts);
    if (TBUS_UNLIKELY(acts_changed(&r->acts)))
        take_acts(r);
    int taken = follow_take(&r->follow, stage, budget, &follow_ops);
    if (taken < 0)
        return taken;
    stage->pending = blocked(r) || r->acts.events.kept;
    int work = reports + flushed + taken;
    return work > 0 ? work : follow_check_rings(stage);
}

/* ---- life */

static void risk_destroy(tbus_stage_t *stage)
{
    risk_stage_t *r = (risk_stage_t *)(void *)stage;
    tbus_stage_leave(stage);
    tbus_outlet_destroy(&r->approved);
    tbus_outlet_destroy(&r->answers);
    acts_leave(&r->acts);
    gate_destroy(r->gate);
    free(r);
}

/* Every reason that gate_judge can give. */
static const uint8_t gate_reasons[] = {
    REASON_MALFORMED,    REASON_DUPLICATE_ID,   REASON_KILL_SWITCH,    REASON_UNKNOWN_SYMBOL,
    REASON_HALTED,       REASON_MAX_QTY,        REASON_MAX_NOTIONAL,   REASON_NO_REFERENCE,
    REASON_PRICE_COLLAR, REASON_POSITION_LIMIT, REASON_GROSS_NOTIONAL, REASON_RATE,
    REASON_OPEN_ORDERS,  REASON_OVERFLOW,
};

static const tbus_stage_ops_t risk_ops = {.poll = risk_poll, .destroy = risk_destroy};

static void add_counters(risk_stage_t *r)
{
    tbus_bus_t *bus = r->stage.bus;
    uint32_t owner = r->stage.owner;
    r->taken = tbus_counter(bus, owner, "risk.orders", "orders");
    r->cancels = tbus_counter(bus, owner, "risk.cancels", "orders");
    r->passed = tbus_counter(bus, owner, "risk.passed", "orders");
    r->mismatches = tbus_counter(bus, owner, "risk.report_mismatches", "reports");
    r->limits_changes = tbus_counter(bus, owner, "risk.limits_changes", "changes");
    for (unsigned i = 0; i < sizeof gate_reasons; i++) {
        char name[TBUS_COUNTER_NAME_MAX];
        snprintf(name, sizeof name, "risk.rejects.%s", report_reason_name(gate_reasons[i]));
        r->rejects[gate_reasons[i]] = tbus_counter(bus, owner, name, "orders");
    }
}

static int join(risk_stage_t *r, tbus_error_t *err)
{
    tbus_stage_t *stage = &r->stage;
    int code = tbus_outlet_create(&r->approved, 1, sizeof(order_t), err);
    if (code == 0)
        code = tbus_outlet_create(&r->answers, 1, sizeof(report_t), err);
    if (code == 0)
        code = tbus_stage_join_subscriber(stage, "md", "risk", &r->follow.md, err);
    if (code == 0)
        code = tbus_stage_join_subscriber(stage, "reports", "risk", &r->reports, err);
    if (code == 0)
        code = tbus_stage_join_subscriber(stage, "orders", "risk", &r->follow.orders, err);
    if (code == 0)
        code = tbus_stage_join_publisher(stage, "approved", &r->approved.publisher, err);
    if (code == 0)
        code = tbus_stage_join_publisher(stage, "reports", &r->answers.publisher, err);
    return code;
}

int risk_stage_create(tbus_bus_t *bus, uint32_t owner, market_t *market,
                      const risk_params_t *params, tbus_stage_t **out_stage, tbus_error_t *err)
{
    risk_stage_t *r = table_create(1, sizeof *r);
    if (!r)
        return tbus_fail(err, -ENOMEM, "no memory for the risk stage");
    r->stage.ops = &risk_ops;
    snprintf(r->stage.name, sizeof r->stage.name, "risk");
    r->stage.owner = owner;
    r->stage.bus = bus;
    r->follow.market = market;
    r->limits_box = params->limits_box;
    int code = gate_create(&params->limits, market, &r->gate, err);
    if (code == 0)
        code = acts_join(&r->acts, &r->stage, EVENT_FROM_RISK, err);
    if (code == 0)
        code = join(r, err);
    if (code < 0) {
        risk_destroy(&r->stage);
        return code;
    }
    add_counters(r);
    *out_stage = &r->stage;
    return 0;
}
