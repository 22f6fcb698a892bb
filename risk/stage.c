/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/stage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/glance.h>
#include <tickbus/outlet.h>

#include "bus/market/drive.h"
#include "bus/market/inbox.h"
#include "bus/market/order_row.h"
#include "bus/msg/digest.h"
#include "risk/acts.h"
#include "risk/gate.h"
#include "risk/in_hand.h"
#include "risk/losses.h"
#include "risk/order_form.h"
#include "risk/table.h"

/* A strategy whose horizon is known; its orders in their order. */
typedef struct stream {
    uint32_t owner;  /* participant number */
    uint32_t number; /* of the strategy */
    tbus_horizon_view_t view;
    uint64_t horizon_ns; /* all its orders before this are in hand */
    in_hand_stream_t orders;
} stream_t;

typedef struct risk_stage {
    market_stage_t base; /* first */
    tbus_subscriber_t orders;
    tbus_subscriber_t reports;
    tbus_outlet_t judged;   /* orders, with the reason why they are not to pass */
    tbus_outlet_t approved; /* those that pass */
    gate_t *gate;
    const limits_box_t *limits_box; /* not owned; NULL: none */
    acts_t acts;
    uint64_t limits_seen;
    uint32_t strategies_count;
    risk_strategy_t strategies[RISK_STRATEGIES_MAX];       /* and their limits at the start */
    const word_box_t *strategy_boxes[RISK_STRATEGIES_MAX]; /* not owned; NULL: none */
    risk_limit_set_t *repeated_limits; /* owned; after each change that is recorded */
    uint64_t restarts;                 /* of the clock, as last seen */
    uint32_t resumes;                  /* of the acts, as last seen */
    losses_t losses;
    uint64_t judged_ns;     /* time of the order that was judged last */
    uint64_t orders_judged; /* how many, ever */
    in_hand_t in_hand;
    uint32_t streams_count;
    stream_t streams[TBUS_STAGE_HORIZONS_MAX];
    in_hand_stream_t others; /* orders of strategies that have no horizon: in the host's order */
    inbox_t inbox;
    uint64_t timed; /* in the inbox: those before it have no market time of their own */
    digest_t digest;
    tbus_atomic_u64_t *digest_shown;
    tbus_atomic_u64_t *taken;
    tbus_atomic_u64_t *cancels;
    tbus_atomic_u64_t *passed;
    tbus_atomic_u64_t *mismatches;
    tbus_atomic_u64_t *drawdown;
    tbus_atomic_u64_t *state;
    tbus_atomic_u64_t *strategies_reducing;
    tbus_atomic_u64_t *limits_changes;
    tbus_atomic_u64_t *rejects[REASON_COUNT]; /* NULL: a reason that the gate never gives */
} risk_stage_t;

/* ---- what lies on the rings is taken off */

static int collect_reports(risk_stage_t *r)
{
    size_t bytes;
    const void *message;
    while ((message = tbus_peek(&r->reports, &bytes))) {
        tbus_stage_t *stage = &r->base.stage;
        if (bytes != sizeof(report_t))
            return tbus_fail(&stage->error, -TBUS_ECORRUPT,
                             "stage '%s': message %llu of reports has %zu bytes, a report has %zu",
                             stage->name, (unsigned long long)r->reports.seq, bytes,
                             sizeof(report_t));
        int code = inbox_put(&r->inbox, &r->base, message, r->reports.seq);
        if (code != 0)
            return code < 0 ? code : 0;
        tbus_advance(&r->reports);
    }
    return 0;
}

static in_hand_stream_t *stream_of(risk_stage_t *r, const order_t *order, stream_t **out_stream)
{
    for (uint32_t i = 0; i < r->streams_count; i++)
        if (r->streams[i].number == order_strategy(order)) {
            *out_stream = &r->streams[i];
            return &r->streams[i].orders;
        }
    *out_stream = NULL;
    return &r->others;
}

/* When it is to be judged: at once, if it is of no strategy whose horizon is known. Times of a
 * stream never go back, whatever its messages say. */
static uint64_t due_ns(const risk_stage_t *r, const order_t *order, const stream_t *stream)
{
    if (!stream)
        return 0;
    return order->at > r->judged_ns ? order->at : r->judged_ns;
}

/* A ring of several publishers: an order behind one that is not ready yet cannot be seen. So what
 * the strategies have sent before they raised their horizons is in hand once all has been taken
 * that was claimed when the horizons were looked at. */
static void collect_orders(risk_stage_t *r)
{
    size_t bytes;
    const void *message;
    for (uint32_t i = 0; i < r->streams_count; i++)
        tbus_horizon_look(&r->streams[i].view);
    uint64_t claimed = r->streams_count ? tbus_ring_claimed(&r->orders.ring) : 0;
    while (!in_hand_full(&r->in_hand) && tbus_glance(&r->orders) &&
           (message = tbus_peek(&r->orders, &bytes))) {
        order_t order;
        stream_t *stream;
        bool whole = order_copy(&order, message, bytes);
        in_hand_order_t *in_hand = in_hand_add(&r->in_hand, stream_of(r, &order, &stream));
        in_hand->order = order;
        in_hand->whole = whole;
        in_hand->due_ns = due_ns(r, &order, stream);
        tbus_advance(&r->orders);
    }
    if (r->streams_count && (int64_t)(tbus_ring_taken(&r->orders.ring) - claimed) >= 0)
        for (uint32_t i = 0; i < r->streams_count; i++)
            r->streams[i].horizon_ns = r->streams[i].view.seen;
}

/* ---- what is first, and what may still come */

/* Did a halt cause it? Such a cancel comes from outside, at a time of the host's: when it is taken
 * must depend on something else than its own time. */
static bool is_from_outside(const report_t *report)
{
    return report->kind == REPORT_CANCELLED && report->reason == REASON_KILL_SWITCH &&
           (report->flags & (REPORT_ANSWER | REPORT_MORE)) == 0;
}

/* Nothing comes any more: nobody will show the time of what is left. */
static bool all_ended(const risk_stage_t *r)
{
    for (uint32_t i = 0; i < r->streams_count; i++)
        if (r->streams[i].orders.first || r->streams[i].view.seen != TBUS_HORIZON_END)
            return false;
    return true;
}

/* When the next report is due. One from outside is taken with the first behind it that has a time,
 * or by the first order that says that its strategy had seen it. */
static uint64_t report_ns(risk_stage_t *r)
{
    const due_report_t *due = inbox_first(&r->inbox);
    if (!due)
        return MARKET_NEVER;
    if (!market_stage_waits(&r->base))
        return 0;
    if (r->timed < r->inbox.first)
        r->timed = r->inbox.first;
    while (r->timed != r->inbox.end && is_from_outside(&inbox_at(&r->inbox, r->timed)->report))
        r->timed++;
    if (r->timed != r->inbox.end)
        return inbox_at(&r->inbox, r->timed)->report.seen;
    return all_ended(r) ? r->base.now_ns : MARKET_NEVER;
}

/* The stream whose first order comes first: by time, then by strategy number. */
static in_hand_stream_t *first_order(risk_stage_t *r, uint64_t *out_ns)
{
    in_hand_stream_t *found = r->others.first ? &r->others : NULL;
    *out_ns = in_hand_due_ns(&r->base, in_hand_first(&r->in_hand, &r->others));
    for (uint32_t i = 0; i < r->streams_count; i++) {
        const in_hand_order_t *other = in_hand_first(&r->in_hand, &r->streams[i].orders);
        if (!other || other->due_ns >= *out_ns)
            continue;
        *out_ns = other->due_ns;
        found = &r->streams[i].orders;
    }
    return found;
}

static void look_ahead(risk_stage_t *r)
{
    uint64_t order_ns, first_report_ns = report_ns(r), bound_ns = MARKET_NEVER;
    (void)first_order(r, &order_ns);
    r->base.next_ns = order_ns < first_report_ns ? order_ns : first_report_ns;
    for (uint32_t i = 0; i < r->streams_count; i++) {
        const stream_t *s = &r->streams[i];
        if (!s->orders.first && s->horizon_ns < bound_ns &&
            !market_stage_is_neighbour(&r->base, s->owner))
            bound_ns = s->horizon_ns;
    }
    /* Nothing has a time below 1. What is due at once must not wait for a strategy: while it fills
     * the table, the strategy's next orders, and with them its horizon, are not taken. */
    r->base.bound_ns = bound_ns == 0 ? 1 : bound_ns;
}

/* ---- taking it */

static void show_state(const risk_stage_t *r)
{
    tbus_store_relaxed_u64(r->drawdown, (uint64_t)profit_e4(gate_profit(r->gate)->drawdown));
    tbus_store_relaxed_u64(r->state, gate_state(r->gate));
    uint64_t latched = 0;
    for (uint32_t left = gate_strategies_latched(r->gate); left != 0; left &= left - 1)
        latched++;
    tbus_store_relaxed_u64(r->strategies_reducing, latched);
}

static void take_report(risk_stage_t *r)
{
    gate_on_report(r->gate, &inbox_first(&r->inbox)->report);
    inbox_drop(&r->inbox);
    tbus_store_relaxed_u64(r->mismatches, gate_report_mismatches(r->gate));
    show_state(r);
}

/* An order is judged with what its strategy had seen, and with what was to be seen before. */
static void take_reports_before(risk_stage_t *r, const order_t *order)
{
    const due_report_t *due;
    while ((due = inbox_first(&r->inbox))) {
        if (report_ns(r) >= r->base.now_ns && due->seq > order->report_seq)
            return;
        take_report(r);
    }
}

static acts_place_t place(const risk_stage_t *r)
{
    return (acts_place_t){.position = r->orders_judged,
                          .md_seq = market_seq(r->base.market),
                          .market_ns = r->base.now_ns};
}

/* False: the gate refuses them. */
static bool set_limits(risk_stage_t *r, const risk_limit_set_t *set)
{
    bool taken = gate_set_all_limits(r->gate, set);
    tbus_add_own_u64(r->limits_changes, taken);
    return taken;
}

/* The set of limits that the change `number` put in force. */
static void repeat_limits(risk_stage_t *r, uint32_t number)
{
    const recorded_t *recorded = r->base.session->recorded;
    for (uint32_t i = recorded->limits_count; i > 0; i--)
        if (recorded->limits[i - 1].number <= number) {
            (void)set_limits(r, &r->repeated_limits[i - 1]);
            return;
        }
}

static void repeat_acts(risk_stage_t *r, const acts_place_t *here)
{
    const recorded_act_t *act;
    while ((act = acts_due(&r->acts, here))) {
        r->acts.repeated++;
        if (act->kind == EVENT_LIMITS)
            repeat_limits(r, act->number);
        else if (act->kind == EVENT_STRATEGY_REDUCE)
            (void)gate_latch_strategy(r->gate, act->number);
        else
            acts_repeat(&r->acts, act->kind);
    }
}

/* The supervisor writes the boxes of strategies first. One that is at another set by now is taken
 * with that set, the next time. */
static bool read_strategies(const risk_stage_t *r, uint64_t version, risk_limit_set_t *set)
{
    set->strategies_count = r->strategies_count;
    for (uint32_t i = 0; i < r->strategies_count; i++) {
        set->strategies[i] = r->strategies[i];
        if (r->strategy_boxes[i] &&
            !strategy_limits_read(r->strategy_boxes[i], version, &set->strategies[i].limits))
            return false;
    }
    return true;
}

static void take_limits(risk_stage_t *r)
{
    risk_limit_set_t set;
    uint64_t seen = r->limits_seen;
    if (TBUS_LIKELY(!limits_box_take(r->limits_box, &seen, &set.bus)) ||
        !read_strategies(r, seen, &set))
        return;
    r->limits_seen = seen;
    if (!set_limits(r, &set))
        return;
    acts_place_t here = place(r);
    acts_tell_limits(&r->acts, word_box_number(r->limits_seen), &here);
}

static void take_acts(risk_stage_t *r)
{
    acts_place_t here = place(r);
    if (r->acts.recorded)
        repeat_acts(r, &here);
    else
        acts_take(&r->acts, &here);
    gate_kill(r->gate, r->acts.halted);
    gate_reduce(r->gate, r->acts.reducing);
    if (r->resumes != r->acts.resumes)
        gate_rearm(r->gate);
    r->resumes = r->acts.resumes;
    show_state(r);
}

static void look_at_loss(risk_stage_t *r)
{
    if (TBUS_LIKELY(!losses_changed(&r->losses)) || r->acts.recorded)
        return;
    acts_place_t here = place(r);
    losses_tell(&r->losses, &here);
}

/* For whoever measures. */
static void note_passed(const tbus_stamps_t *stamps, const order_t *order)
{
    tbus_stamps_put(stamps, TBUS_STAMP_PASSED, order_row(stamps, order), tbus_stamps_now(stamps));
}

/* 0 or a negative error. */
static int judge(risk_stage_t *r, const order_t *order, bool whole)
{
    order_t judged = *order;
    bool has_books = !market_builds_none(r->base.market); /* else nobody should send an order */
    int code = has_books ? market_stage_need_book(&r->base, order_locate(order)) : 0;
    if (TBUS_UNLIKELY(code < 0))
        return code;
    if (r->limits_box && !r->acts.recorded)
        take_limits(r);
    if (TBUS_UNLIKELY(acts_changed(&r->acts)))
        take_acts(r);
    if (TBUS_UNLIKELY(r->restarts != r->base.leader->clock.restarts)) {
        r->restarts = r->base.leader->clock.restarts;
        gate_restart_rate(r->gate);
    }
    bool valid = whole && has_books && order->md_seq <= market_seq(r->base.market);
    if (TBUS_UNLIKELY(order->flags & ORDER_MARKET) && valid)
        judged.px_e4 = gate_market_px(r->gate, order);
    uint8_t reason = valid ? gate_judge(r->gate, &judged, r->base.now_ns) : REASON_MALFORMED;
    judged.reason = reason;
    r->judged_ns = r->base.now_ns;
    r->orders_judged++;
    tbus_add_own_u64(r->taken, 1);
    tbus_add_own_u64(r->cancels, order->kind == ORDER_CANCEL);
    tbus_add_own_u64(reason == REASON_NONE ? r->passed : r->rejects[reason], 1);
    r->base.stirred = true;
    if (TBUS_UNLIKELY(r->base.stage.bus->stamps != NULL))
        note_passed(r->base.stage.bus->stamps, &judged);
    tbus_outlet_send(&r->judged, &judged, sizeof judged);
    if (reason == REASON_NONE) {
        digest_order(&r->digest, &judged);
        tbus_store_relaxed_u64(r->digest_shown, r->digest);
        tbus_outlet_send(&r->approved, &judged, sizeof judged);
    }
    r->base.blocked = (r->judged.kept | r->approved.kept) != 0;
    return 0;
}

static int take(market_stage_t *base)
{
    risk_stage_t *r = (risk_stage_t *)(void *)base;
    uint64_t order_ns;
    int code = 0;
    in_hand_stream_t *stream = first_order(r, &order_ns);
    /* By the clock of the host all reports come first, as strategies take them. */
    bool report_first =
        market_stage_waits(base) ? report_ns(r) < order_ns : inbox_first(&r->inbox) != NULL;
    if (report_first || !stream) {
        market_stage_tell_input(base, EVENT_INPUT_REPORT, inbox_first(&r->inbox)->seq);
        take_report(r);
    } else {
        in_hand_order_t first = *in_hand_first(&r->in_hand, stream);
        if (market_stage_waits(base))
            take_reports_before(r, &first.order);
        in_hand_drop(&r->in_hand, stream);
        market_stage_tell_input(base, EVENT_INPUT_ORDER, order_strategy(&first.order));
        code = judge(r, &first.order, first.whole);
    }
    look_ahead(r);
    return code;
}

static int collect(market_stage_t *base)
{
    risk_stage_t *r = (risk_stage_t *)(void *)base;
    collect_orders(r);
    int code = tbus_glance(&r->reports) ? collect_reports(r) : 0;
    if (code < 0)
        return code;
    look_ahead(r);
    return 0;
}

static int on_tick(market_stage_t *base, const tick_t *tick, size_t bytes,
                   const market_event_t *event)
{
    risk_stage_t *r = (risk_stage_t *)(void *)base;
    (void)tick;
    (void)bytes;
    gate_on_market(r->gate, event); /* which does not change what it wants */
    show_state(r);
    if (TBUS_UNLIKELY(!market_stage_waits(base)) && r->others.first) {
        look_ahead(r); /* an order may have waited for this tick */
        base->changed = true;
    }
    return 0;
}

/* By the clock of the host all orders are in one stream, each strategy's in its own order. */
static bool has(const market_stage_t *base, const recorded_input_t *input)
{
    const risk_stage_t *r = (const risk_stage_t *)(const void *)base;
    return input->what == EVENT_INPUT_REPORT
               ? inbox_first(&r->inbox) != NULL
               : in_hand_of(&r->in_hand, &r->others, (uint32_t)input->which) != 0;
}

static int repeat(market_stage_t *base, const recorded_input_t *input)
{
    risk_stage_t *r = (risk_stage_t *)(void *)base;
    int code = 0;
    if (input->what == EVENT_INPUT_REPORT) {
        take_report(r);
    } else {
        uint32_t place = in_hand_of(&r->in_hand, &r->others, (uint32_t)input->which);
        in_hand_order_t taken = r->in_hand.orders[place];
        in_hand_remove(&r->in_hand, &r->others, place);
        code = judge(r, &taken.order, taken.whole);
    }
    look_ahead(r);
    return code;
}

/* Said only when the market data alone do not tell it. */
static void on_end(market_stage_t *base)
{
    risk_stage_t *r = (risk_stage_t *)(void *)base;
    acts_place_t here = place(r);
    if (base->ends_late && !r->acts.recorded)
        acts_tell_end(&r->acts, &here);
}

static int flush(market_stage_t *base)
{
    risk_stage_t *r = (risk_stage_t *)(void *)base;
    int sent = (int)(tbus_outlet_flush(&r->judged) + tbus_outlet_flush(&r->approved));
    base->blocked = (r->judged.kept | r->approved.kept) != 0;
    base->stirred = sent != 0;
    return sent;
}

static int begin(market_stage_t *base)
{
    risk_stage_t *r = (risk_stage_t *)(void *)base;
    if (TBUS_UNLIKELY(acts_changed(&r->acts)))
        take_acts(r);
    look_at_loss(r); /* behind a release: what that has ended is not thrown again */
    return (int)acts_flush(&r->acts);
}

/* Where acts are repeated: after each input. */
static int act(market_stage_t *base)
{
    risk_stage_t *r = (risk_stage_t *)(void *)base;
    if (acts_changed(&r->acts))
        take_acts(r);
    return 0;
}

/* A supervisor that dies is told by the switch, and may be so just before the end. */
static int risk_finish(tbus_stage_t *stage)
{
    risk_stage_t *r = (risk_stage_t *)(void *)stage;
    look_at_loss(r);
    if (acts_wait(&r->acts))
        take_acts(r);
    (void)acts_flush(&r->acts);
    return 0;
}

static bool keeps(const market_stage_t *base)
{
    return ((const risk_stage_t *)(const void *)base)->acts.events.kept != 0;
}

static const market_stage_ops_t risk_market_ops = {.flush = flush,
                                                   .begin = begin,
                                                   .collect = collect,
                                                   .take = take,
                                                   .on_tick = on_tick,
                                                   .on_end = on_end,
                                                   .has = has,
                                                   .repeat = repeat,
                                                   .act = act,
                                                   .keeps = keeps};

static int risk_start(tbus_stage_t *stage)
{
    risk_stage_t *r = (risk_stage_t *)(void *)stage;
    int code = market_stage_start(stage);
    if (!r->acts.recorded) {
        acts_place_t here = place(r);
        losses_begin(&r->losses, &here);
        show_state(r);
    }
    if (!market_stage_waits(&r->base))
        return code;
    uint32_t owner = 0;
    while (r->streams_count < TBUS_STAGE_HORIZONS_MAX - 1 &&
           (owner = tbus_stage_next_with_horizon(stage, "orders", owner)) != 0) {
        uint32_t number = tbus_participant(stage->bus, owner)->stream;
        uint32_t at = r->streams_count++;
        for (; at > 0 && r->streams[at - 1].number > number; at--)
            r->streams[at] = r->streams[at - 1];
        r->streams[at] = (stream_t){.owner = owner, .number = number};
    }
    for (uint32_t i = 0; code == 0 && i < r->streams_count; i++)
        code = tbus_stage_watch_horizon(stage, r->streams[i].owner, &r->streams[i].view);
    return code;
}

/* ---- life */

static void risk_destroy(tbus_stage_t *stage)
{
    risk_stage_t *r = (risk_stage_t *)(void *)stage;
    tbus_stage_leave(stage);
    market_stage_leave(&r->base);
    tbus_outlet_destroy(&r->judged);
    tbus_outlet_destroy(&r->approved);
    acts_leave(&r->acts);
    in_hand_destroy(&r->in_hand);
    inbox_destroy(&r->inbox);
    gate_destroy(r->gate);
    free(r->repeated_limits);
    free(r);
}

/* Every reason that gate_judge can give. */
static const uint8_t gate_reasons[] = {
    REASON_MALFORMED,    REASON_DUPLICATE_ID,   REASON_KILL_SWITCH,    REASON_UNKNOWN_SYMBOL,
    REASON_HALTED,       REASON_MAX_QTY,        REASON_MAX_NOTIONAL,   REASON_NO_REFERENCE,
    REASON_PRICE_COLLAR, REASON_POSITION_LIMIT, REASON_GROSS_NOTIONAL, REASON_RATE,
    REASON_OPEN_ORDERS,  REASON_OVERFLOW,       REASON_LOSS_LIMIT,     REASON_REDUCING,
    REASON_TICK_SIZE,    REASON_SELF_MATCH,     REASON_MESSAGE_RATE,   REASON_TEST_SYMBOL,
    REASON_SHORT_SALE,   REASON_CLOSED,         REASON_STALE_BOOK,
};

static const tbus_stage_ops_t risk_ops = {.poll = market_stage_poll,
                                          .poll_together = market_stage_poll_together,
                                          .start = risk_start,
                                          .wind_down = market_stage_wind_down,
                                          .finish = risk_finish,
                                          .destroy = risk_destroy};

static void add_counters(risk_stage_t *r)
{
    tbus_bus_t *bus = r->base.stage.bus;
    uint32_t owner = r->base.stage.owner;
    r->taken = tbus_counter(bus, owner, "risk.orders", "orders");
    r->cancels = tbus_counter(bus, owner, "risk.cancels", "orders");
    r->passed = tbus_counter(bus, owner, "risk.passed", "orders");
    r->mismatches = tbus_counter(bus, owner, "risk.report_mismatches", "reports");
    r->state = tbus_counter(bus, owner, RISK_STATE_COUNTER, "state");
    r->strategies_reducing = tbus_counter(bus, owner, RISK_STRATEGIES_COUNTER, "strategies");
    r->drawdown = tbus_counter(bus, owner, "risk.drawdown_e4", "1e-4");
    r->digest_shown = tbus_counter(bus, owner, "digest.approved", "digest");
    r->limits_changes = tbus_counter(bus, owner, "risk.limits_changes", "changes");
    for (unsigned i = 0; i < sizeof gate_reasons; i++) {
        char name[TBUS_COUNTER_NAME_MAX];
        snprintf(name, sizeof name, "risk.rejects.%s", report_reason_name(gate_reasons[i]));
        r->rejects[gate_reasons[i]] = tbus_counter(bus, owner, name, "orders");
    }
}

static int join(risk_stage_t *r, market_t *market, const venue_session_t *session,
                tbus_error_t *err)
{
    tbus_stage_t *stage = &r->base.stage;
    int code = tbus_outlet_create(&r->judged, 1, sizeof(order_t), err);
    if (code == 0)
        code = tbus_outlet_create(&r->approved, 1, sizeof(order_t), err);
    if (code == 0)
        code = market_stage_join(&r->base, market, session, err);
    if (code == 0)
        code = market_stage_keep_inputs(&r->base, EVENT_FROM_RISK, 0, err);
    if (code == 0)
        code = tbus_stage_join_subscriber(stage, "reports", "risk", &r->reports, err);
    if (code == 0)
        code = tbus_stage_join_subscriber(stage, "orders", "risk", &r->orders, err);
    if (code == 0)
        code = tbus_stage_join_publisher(stage, "judged", &r->judged.publisher, err);
    if (code == 0)
        code = tbus_stage_join_publisher(stage, "approved", &r->approved.publisher, err);
    if (code == 0 && market_stage_waits(&r->base)) {
        r->base.horizon = tbus_stage_keep_horizon(stage, "judged", 0);
        r->base.concerns = gate_concerns(r->gate);
        r->base.trails = true;
    }
    return code;
}

/* What comes from outside is in the recording of a session that is repeated. */
static int prepare_acts(risk_stage_t *r, const risk_limits_t *first, tbus_error_t *err)
{
    const recorded_t *recorded = r->base.session->recorded;
    if (!recorded)
        return 0;
    r->acts.recorded = &recorded->risk;
    if (recorded->limits_count == 0)
        return 0;
    r->repeated_limits = calloc(recorded->limits_count, sizeof *r->repeated_limits);
    if (!r->repeated_limits)
        return tbus_fail(err, -ENOMEM, "no memory for the limits of a recorded session");
    risk_limit_set_t set = {.bus = *first, .strategies_count = r->strategies_count};
    memcpy(set.strategies, r->strategies, sizeof set.strategies);
    for (uint32_t i = 0; i < recorded->limits_count; i++) {
        risk_limit_set_repeat(&set, recorded->limits[i].text);
        r->repeated_limits[i] = set;
    }
    return 0;
}

static int allocate(risk_stage_t *r, uint32_t messages_max, tbus_error_t *err)
{
    uint32_t reports_max = r->base.session->reports_max;
    if (inbox_create(&r->inbox, reports_max) &&
        in_hand_create(&r->in_hand, messages_max ? messages_max : IN_HAND_ORDERS_DEFAULT))
        return 0;
    return tbus_fail(err, -ENOMEM,
                     "no memory for %u orders and %u reports on their way; lower "
                     "strategy.open_orders_max or venue.reports_max",
                     messages_max, reports_max);
}

int risk_stage_create(tbus_bus_t *bus, uint32_t owner, market_t *market,
                      const risk_params_t *params, tbus_stage_t **out_stage, tbus_error_t *err)
{
    risk_stage_t *r = table_create(1, sizeof *r);
    if (!r)
        return tbus_fail(err, -ENOMEM, "no memory for the risk stage");
    r->base.stage.ops = &risk_ops;
    snprintf(r->base.stage.name, sizeof r->base.stage.name, "risk");
    r->base.stage.owner = owner;
    r->base.stage.bus = bus;
    r->base.ops = &risk_market_ops;
    r->base.books = params->no_orders ? MARKET_STAGE_NO_BOOKS : MARKET_STAGE_BOOKS_ON_DEMAND;
    r->limits_box = params->limits_box;
    r->strategies_count = params->strategies_count;
    memcpy(r->strategies, params->strategies, sizeof r->strategies);
    memcpy(r->strategy_boxes, params->strategy_boxes, sizeof r->strategy_boxes);
    gate_rules_t rules = gate_rules_default;
    if (params->marks)
        rules.marks = *params->marks;
    if (params->session)
        rules.self_match = params->session->self_match;
    rules.strategies_count = params->strategies_count;
    rules.strategies = params->strategies;
    int code = gate_create(&params->limits, &rules, market, &r->gate, err);
    r->losses = (losses_t){.gate = r->gate,
                           .acts = &r->acts,
                           .strategies_count = r->strategies_count,
                           .strategies = r->strategies};
    if (code == 0)
        code = acts_join(&r->acts, &r->base.stage, EVENT_FROM_RISK, err);
    if (code == 0)
        code = join(r, market, params->session, err);
    if (code == 0)
        code = allocate(r, params->messages_max, err);
    if (code == 0)
        code = prepare_acts(r, &params->limits, err);
    if (code < 0) {
        risk_destroy(&r->base.stage);
        return code;
    }
    add_counters(r);
    *out_stage = &r->base.stage;
    return 0;
}
