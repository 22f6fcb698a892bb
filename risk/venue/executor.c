/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/venue/executor.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/outlet.h>

#include "bus/market/drive.h"
#include "bus/msg/digest.h"
#include "risk/acts.h"
#include "risk/in_hand.h"
#include "risk/order_form.h"
#include "risk/table.h"

/* Of the recorder (bus/journal/recorder.h). */
#define DURABLE_COUNTER "journal.durable.judged"
#define SYNCS_COUNTER   "journal.syncs"
#define DURABLE_LOOK_NS UINT64_C(100000) /* between two looks while an order waits for the disk */

typedef struct executor_stage {
    market_stage_t base; /* first */
    tbus_subscriber_t judged;
    tbus_outlet_t reports;   /* keeps at most what one input caused */
    uint64_t *kept_intended; /* owned; of the reports that are kept: the first of them is [0] */
    venue_t *venue;
    in_hand_t in_hand;
    in_hand_stream_t arrivals;
    bool durable;         /* arrivals wait until they are on the disk */
    uint64_t durable_seq; /* of `judged`, as last looked at */
    /* of the first that waits so: it arrives no earlier; 0: none waits */
    uint64_t undurable_ns;
    uint32_t risk_owner; /* participant number, 0: none that has a horizon */
    tbus_horizon_view_t risk;
    uint64_t arrival_ns;  /* of the last order that was taken off the ring */
    uint64_t day_ns;      /* when the day began; 0: it was not seen to */
    uint64_t arriving_id; /* of the order that arrived last, and its wire locate */
    uint16_t arriving_locate;
    uint64_t seen_ns;      /* of the last report */
    uint64_t reports_made; /* reports so far */
    report_t held;         /* the last report of the event in hand, until it is known to be that */
    uint64_t held_intended;
    bool holds;
    bool answers;      /* the event in hand is the arrival of a message */
    bool first_answer; /* and no report of it has gone out */
    acts_t acts;
    uint64_t arrived;          /* orders that were taken, of whatever kind */
    uint32_t halt;             /* generation of the kill switch that was answered last */
    uint32_t halt_unconfirmed; /* and what the answer was */
    uint64_t halt_cancelled;
    bool cancels_due; /* the switch was thrown, and what rested then rests still */
    digest_t digest;
    tbus_atomic_u64_t *digest_shown;
    tbus_histogram_t *tick_to_report;
    tbus_atomic_u64_t *orders;
    tbus_atomic_u64_t *cancels;
    tbus_atomic_u64_t *executions;
    tbus_atomic_u64_t *executed_shares;
    tbus_atomic_u64_t *open_orders;
    tbus_atomic_u64_t *broken;
} executor_stage_t;

/* ---- output */

/* Before every try, so that the time on a report is that of its publication. Returns that time. */
static uint64_t stamp(const executor_stage_t *e, report_t *report)
{
    uint64_t now_ns = tbus_bus_now_ns(e->base.stage.bus);
    report->sent = now_ns;
    return now_ns;
}

/* `intended`: 0 when the report is not to be counted. */
static void count_sent(executor_stage_t *e, uint64_t intended, uint64_t now_ns)
{
    if (intended != 0)
        tbus_histogram_record(e->tick_to_report, tick_ns_since(now_ns, intended));
}

static void publish(executor_stage_t *e, report_t *report, uint64_t intended)
{
    digest_report(&e->digest, report);
    tbus_store_relaxed_u64(e->digest_shown, e->digest);
    uint64_t now_ns = stamp(e, report);
    enum tbus_outlet_result told = tbus_outlet_send(&e->reports, report, sizeof *report);
    assert(told != TBUS_OUTLET_FULL); /* venue_reports_max */
    if (told == TBUS_OUTLET_SENT)
        count_sent(e, intended, now_ns);
    else if (told == TBUS_OUTLET_KEPT)
        e->kept_intended[e->reports.kept - 1] = intended;
    e->base.blocked = e->reports.kept != 0;
    e->base.stirred = true;
}

/* The report that is held goes out, as one that others of the event follow, or as the last. One
 * that tells another strategy of a cancel by the message that arrives (self-match) answers
 * nothing. */
static void release(executor_stage_t *e, uint8_t flags)
{
    if (!e->holds)
        return;
    bool of_others = e->answers && e->held.order_id >> 48 != e->arriving_id >> 48;
    e->holds = false;
    e->held.flags = of_others ? 0 : flags;
    publish(e, &e->held, e->first_answer && !of_others ? e->held_intended : 0);
    e->first_answer &= of_others;
}

static void on_report(void *context, const report_t *from_venue, uint64_t intended)
{
    executor_stage_t *e = context;
    release(e, e->answers ? REPORT_MORE : 0);
    e->held = *from_venue;
    e->held.locate = from_venue->order_id == e->arriving_id
                         ? e->arriving_locate
                         : market_symbol(e->base.market, report_locate(from_venue))->wire_locate;
    e->held_intended = intended;
    e->holds = true;
    const venue_session_t *session = e->base.session;
    uint64_t seen_ns = e->base.now_ns;
    if (session_is_market(session))
        seen_ns += session_draw(session, &session->response, 0, ++e->reports_made);
    if (seen_ns < e->seen_ns)
        seen_ns = e->seen_ns;
    e->held.seen = e->seen_ns = seen_ns;
}

static int flush(market_stage_t *base)
{
    executor_stage_t *e = (executor_stage_t *)(void *)base;
    int sent = 0;
    report_t *report;
    size_t bytes;
    while ((report = tbus_outlet_front(&e->reports, &bytes))) {
        uint64_t now_ns = stamp(e, report);
        if (tbus_outlet_retry(&e->reports) != TBUS_OUTLET_SENT)
            break;
        count_sent(e, e->kept_intended[sent], now_ns);
        sent++;
    }
    memmove(e->kept_intended, e->kept_intended + sent, e->reports.kept * sizeof *e->kept_intended);
    base->blocked = e->reports.kept != 0;
    base->stirred |= sent != 0;
    return sent;
}

static void show(executor_stage_t *e)
{
    venue_stats_t stats = venue_stats(e->venue);
    tbus_store_relaxed_u64(e->orders, stats.orders);
    tbus_store_relaxed_u64(e->cancels, stats.cancels);
    tbus_store_relaxed_u64(e->executions, stats.executions);
    tbus_store_relaxed_u64(e->executed_shares, stats.executed_shares);
    tbus_store_relaxed_u64(e->open_orders, stats.open_orders);
    tbus_store_relaxed_u64(e->broken, stats.broken);
}

/* ---- the kill switch */

/* Those that were recorded for this place. */
static void repeat_acts(executor_stage_t *e, const acts_place_t *here)
{
    const recorded_act_t *act;
    while ((act = acts_due(&e->acts, here))) {
        e->acts.repeated++;
        acts_repeat(&e->acts, act->kind);
        e->cancels_due |= act->kind == EVENT_HALT;
        if (e->base.now_ns < act->now_ns)
            e->base.now_ns = act->now_ns;
    }
}

static void take_acts(executor_stage_t *e)
{
    acts_place_t here = {
        .position = e->arrived, .md_seq = market_seq(e->base.market), .market_ns = e->base.now_ns};
    if (e->acts.recorded) {
        repeat_acts(e, &here);
        return;
    }
    uint32_t releases = e->acts.releases, throws = e->acts.throws;
    acts_take(&e->acts, &here);
    e->cancels_due |= e->acts.throws != throws;
    if (e->acts.releases != releases)
        e->halt_cancelled = 0;
}

/* Before every input: with the kill switch on, nothing may be resting that it could execute. Those
 * cancels wait until the box is empty, like every other cause of reports, or it could overflow.
 * They take place at our own present in market time. 1: there were some. */
static int obey_kill_switch(executor_stage_t *e)
{
    if (TBUS_UNLIKELY(acts_changed(&e->acts)))
        take_acts(e);
    if (TBUS_LIKELY(!e->acts.halted && !e->cancels_due))
        return 0;
    uint64_t open_orders = venue_stats(e->venue).open_orders;
    e->cancels_due &= open_orders != 0;
    if (open_orders == 0 || e->base.blocked)
        return 0;
    e->cancels_due = false;
    e->halt_cancelled += open_orders;
    e->answers = e->first_answer = false;
    venue_cancel_all(e->venue, REASON_KILL_SWITCH);
    release(e, 0);
    show(e);
    return 1;
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

static int begin(market_stage_t *base)
{
    executor_stage_t *e = (executor_stage_t *)(void *)base;
    int cancelled = obey_kill_switch(e);
    return cancelled + (int)acts_flush(&e->acts);
}

/* ---- arrivals */

/* When an order arrives: nothing arrives before what was sent earlier. */
static uint64_t arrival_ns(executor_stage_t *e, const order_t *order)
{
    const venue_session_t *session = e->base.session;
    bool cancels = order->kind == ORDER_CANCEL;
    uint64_t at_ns = order->at + session_draw(session, cancels ? &session->cancel : &session->entry,
                                              order->order_id, order->kind);
    if (at_ns > e->arrival_ns)
        e->arrival_ns = at_ns;
    return e->arrival_ns;
}

static uint64_t latency_min_ns(const venue_session_t *session)
{
    uint64_t entry_ns = session->entry.least_ns, cancel_ns = session->cancel.least_ns;
    return entry_ns < cancel_ns ? entry_ns : cancel_ns;
}

/* Is the next message of `judged` on the disk, as far as that is asked for? */
static bool is_durable(executor_stage_t *e)
{
    if (TBUS_LIKELY(!e->durable) || e->judged.seq <= e->durable_seq)
        return true;
    e->durable_seq = tbus_counter_value(e->base.stage.bus, DURABLE_COUNTER);
    return e->judged.seq <= e->durable_seq;
}

/* The next message is there and not on the disk: it stays on its ring, and nothing that may come
 * after its arrival is taken before it. The journal rings nobody: it is looked at again soon. */
static void wait_for_disk(executor_stage_t *e, const void *message, size_t bytes)
{
    order_t order;
    e->judged.held_back = message != NULL;
    e->undurable_ns = 0;
    if (!message)
        return;
    (void)order_copy(&order, message, bytes);
    e->undurable_ns = order.at + latency_min_ns(e->base.session);
    if (e->undurable_ns < e->arrival_ns)
        e->undurable_ns = e->arrival_ns;
}

static uint64_t deadline_ns(const tbus_stage_t *stage)
{
    const executor_stage_t *e = (const executor_stage_t *)(const void *)stage;
    return e->undurable_ns ? tbus_clock_ns() + DURABLE_LOOK_NS : TBUS_STAGE_NO_DEADLINE;
}

static void look_ahead(executor_stage_t *e)
{
    market_stage_t *base = &e->base;
    const in_hand_order_t *first = in_hand_first(&e->in_hand, &e->arrivals);
    base->next_ns = in_hand_due_ns(base, first);
    base->bound_ns = MARKET_NEVER;
    if (TBUS_UNLIKELY(e->undurable_ns != 0) && market_stage_waits(base)) {
        base->bound_ns = e->undurable_ns;
        return;
    }
    if (first || !market_stage_waits(base) || e->risk_owner == 0 ||
        e->risk.seen == TBUS_HORIZON_END || market_stage_is_neighbour(base, e->risk_owner))
        return;
    uint64_t bound_ns = e->risk.seen + latency_min_ns(base->session);
    base->bound_ns = bound_ns > e->arrival_ns ? bound_ns : e->arrival_ns;
}

/* Between two ticks only arrivals make it send anything: while one is in hand, no other comes
 * before that. */
static uint64_t promise(market_stage_t *base, uint64_t passed_ns)
{
    executor_stage_t *e = (executor_stage_t *)(void *)base;
    if (e->arrivals.first || e->undurable_ns || e->risk_owner == 0 ||
        !market_stage_is_neighbour(base, e->risk_owner) || passed_ns == MARKET_NEVER)
        return base->next_ns < base->bound_ns ? base->next_ns : base->bound_ns;
    uint64_t bound_ns = passed_ns + latency_min_ns(base->session);
    return bound_ns > e->arrival_ns ? bound_ns : e->arrival_ns;
}

static int collect(market_stage_t *base)
{
    executor_stage_t *e = (executor_stage_t *)(void *)base;
    size_t bytes;
    const void *message = NULL;
    tbus_horizon_look(&e->risk);
    while (!in_hand_full(&e->in_hand) && (message = tbus_peek(&e->judged, &bytes)) &&
           is_durable(e)) {
        in_hand_order_t *in_hand = in_hand_add(&e->in_hand, &e->arrivals);
        in_hand->whole = order_copy(&in_hand->order, message, bytes);
        in_hand->due_ns = arrival_ns(e, &in_hand->order);
        tbus_advance(&e->judged);
        message = NULL;
    }
    if (TBUS_UNLIKELY(e->durable))
        wait_for_disk(e, message, bytes);
    look_ahead(e);
    return 0;
}

/* 0 or a negative error. */
static int execute(executor_stage_t *e, const order_t *sent, bool whole)
{
    int code = market_stage_need_book(&e->base, order_locate(sent));
    if (TBUS_UNLIKELY(code < 0))
        return code;
    order_t order = *sent; /* of the symbol by its number */
    e->arriving_id = sent->order_id;
    e->arriving_locate = order_locate(sent);
    order.locate = market_number(e->base.market, order_locate(sent));
    if (!whole || order.md_seq > market_seq(e->base.market))
        venue_refuse(e->venue, &order, REASON_MALFORMED);
    else if (order.reason != REASON_NONE)
        venue_refuse(e->venue, &order, (uint8_t)order.reason);
    else if (order.kind != ORDER_CANCEL && e->acts.halted)
        venue_refuse(e->venue, &order, REASON_KILL_SWITCH);
    else if (order.kind != ORDER_CANCEL && order.at < e->day_ns)
        venue_refuse(e->venue, &order, REASON_CLOSED);
    else
        venue_order(e->venue, &order);
    return 0;
}

static int take(market_stage_t *base)
{
    executor_stage_t *e = (executor_stage_t *)(void *)base;
    obey_kill_switch(e);
    if (TBUS_UNLIKELY(base->blocked))
        return 0; /* the box may hold all that was cancelled, and not one report more */
    in_hand_order_t arrived = *in_hand_first(&e->in_hand, &e->arrivals);
    in_hand_drop(&e->in_hand, &e->arrivals);
    market_stage_tell_input(base, EVENT_INPUT_ORDER, order_strategy(&arrived.order));
    e->arrived++;
    e->answers = e->first_answer = true;
    int code = execute(e, &arrived.order, arrived.whole);
    release(e, REPORT_ANSWER);
    show(e);
    look_ahead(e);
    return code;
}

/* ---- ticks */

static int on_tick(market_stage_t *base, const tick_t *tick, size_t bytes,
                   const market_event_t *event)
{
    executor_stage_t *e = (executor_stage_t *)(void *)base;
    e->answers = e->first_answer = false;
    if (TBUS_UNLIKELY(event->new_day))
        e->day_ns = base->now_ns;
    venue_on_market(e->venue, event, bytes >= sizeof *tick ? tick : NULL);
    if (TBUS_UNLIKELY(e->holds)) {
        release(e, 0);
        show(e);
    }
    obey_kill_switch(e); /* its place is behind the tick that it says it was taken after */
    if (TBUS_UNLIKELY(!market_stage_waits(base)) && e->arrivals.first) {
        look_ahead(e); /* an order may have waited for this tick */
        base->changed = true;
    }
    return 0;
}

static int end(market_stage_t *base, int work)
{
    executor_stage_t *e = (executor_stage_t *)(void *)base;
    (void)work;
    /* Nobody waits for its horizon before it has something at stake. */
    base->trails = !e->arrivals.first && !e->undurable_ns && venue_stats(e->venue).open_orders == 0;
    return TBUS_UNLIKELY(e->acts.halted) && answer_halt(e);
}

static bool keeps(const market_stage_t *base)
{
    return ((const executor_stage_t *)(const void *)base)->acts.events.kept != 0;
}

static bool has(const market_stage_t *base, const recorded_input_t *input)
{
    (void)input;
    return ((const executor_stage_t *)(const void *)base)->arrivals.first != 0;
}

static int repeat(market_stage_t *base, const recorded_input_t *input)
{
    (void)input;
    return take(base);
}

/* Where acts are repeated: after each input. */
static int act(market_stage_t *base)
{
    executor_stage_t *e = (executor_stage_t *)(void *)base;
    base->stirred |= obey_kill_switch(e) != 0;
    return 0;
}

static const market_stage_ops_t executor_market_ops = {.flush = flush,
                                                       .begin = begin,
                                                       .collect = collect,
                                                       .take = take,
                                                       .on_tick = on_tick,
                                                       .end = end,
                                                       .promise = promise,
                                                       .has = has,
                                                       .repeat = repeat,
                                                       .act = act,
                                                       .keeps = keeps};

static int executor_start(tbus_stage_t *stage)
{
    executor_stage_t *e = (executor_stage_t *)(void *)stage;
    int code = market_stage_start(stage);
    if (code >= 0 && e->durable && tbus_counter_value(stage->bus, SYNCS_COUNTER) == 0)
        code = tbus_fail(&stage->error, -TBUS_ECONFIG,
                         "executor.durable is on, and nothing says when an order is on the disk: "
                         "record with journal.durability periodic:MS or sync-batch");
    if (code < 0 || !market_stage_waits(&e->base))
        return code;
    e->risk_owner = tbus_stage_next_with_horizon(stage, "judged", 0);
    return e->risk_owner ? tbus_stage_watch_horizon(stage, e->risk_owner, &e->risk) : 0;
}

/* A supervisor that dies is told by the switch, and may be so just before the end. */
static int executor_finish(tbus_stage_t *stage)
{
    executor_stage_t *e = (executor_stage_t *)(void *)stage;
    if (acts_wait(&e->acts))
        (void)obey_kill_switch(e);
    (void)acts_flush(&e->acts);
    return 0;
}

/* ---- life */

static void executor_destroy(tbus_stage_t *stage)
{
    executor_stage_t *e = (executor_stage_t *)(void *)stage;
    tbus_stage_leave(stage);
    market_stage_leave(&e->base);
    venue_destroy(e->venue);
    acts_leave(&e->acts);
    tbus_outlet_destroy(&e->reports);
    in_hand_destroy(&e->in_hand);
    free(e->kept_intended);
    free(e);
}

static const tbus_stage_ops_t executor_ops = {.poll = market_stage_poll,
                                              .poll_together = market_stage_poll_together,
                                              .deadline_ns = deadline_ns,
                                              .start = executor_start,
                                              .wind_down = market_stage_wind_down,
                                              .finish = executor_finish,
                                              .destroy = executor_destroy};

static void add_counters(executor_stage_t *e)
{
    tbus_bus_t *bus = e->base.stage.bus;
    uint32_t owner = e->base.stage.owner;
    e->digest_shown = tbus_counter(bus, owner, "digest.reports", "digest");
    e->tick_to_report = tbus_bus_histogram(bus, "tick_to_report");
    e->orders = tbus_counter(bus, owner, "executor.orders", "orders");
    e->cancels = tbus_counter(bus, owner, "executor.cancels", "orders");
    e->executions = tbus_counter(bus, owner, "executor.executions", "executions");
    e->executed_shares = tbus_counter(bus, owner, "executor.executed_shares", "shares");
    e->open_orders = tbus_counter(bus, owner, "executor.open_orders", "orders");
    e->broken = tbus_counter(bus, owner, "executor.broken", "executions");
}

static int build(executor_stage_t *e, market_t *market, const executor_params_t *params,
                 tbus_error_t *err)
{
    int code = venue_create(&params->venue, market, on_report, e, &e->venue, err);
    if (code < 0)
        return code;
    if (params->session) {
        venue_set_self_match(e->venue, params->session->self_match);
        venue_set_fees(e->venue, &params->session->fees);
    }
    uint32_t reports_max = venue_reports_max(e->venue);
    uint32_t messages_max = params->messages_max ? params->messages_max : IN_HAND_ORDERS_DEFAULT;
    code = tbus_outlet_create(&e->reports, reports_max, sizeof(report_t), NULL);
    e->kept_intended = table_create(reports_max, sizeof *e->kept_intended);
    if (code < 0 || !e->kept_intended || !in_hand_create(&e->in_hand, messages_max))
        return tbus_fail(err, -ENOMEM,
                         "no memory to keep %u reports and %u orders; lower executor.resting_max "
                         "or strategy.open_orders_max",
                         reports_max, messages_max);
    tbus_stage_t *stage = &e->base.stage;
    code = acts_join(&e->acts, stage, EVENT_FROM_EXECUTOR, err);
    if (code == 0)
        code = market_stage_join(&e->base, market, params->session, err);
    if (code == 0)
        code = market_stage_keep_inputs(&e->base, EVENT_FROM_EXECUTOR, 0, err);
    if (code == 0 && e->base.session->recorded)
        e->acts.recorded = &e->base.session->recorded->executor;
    if (code == 0)
        code = tbus_stage_join_subscriber(stage, "judged", "executor", &e->judged, err);
    if (code == 0)
        code = tbus_stage_join_publisher(stage, "reports", &e->reports.publisher, err);
    if (code == 0 && market_stage_waits(&e->base)) {
        e->base.horizon = tbus_stage_keep_horizon(stage, "reports", 0);
        e->base.concerns = venue_concerns(e->venue);
        e->base.types = venue_types();
    }
    return code;
}

int executor_stage_create(tbus_bus_t *bus, uint32_t owner, market_t *market,
                          const executor_params_t *params, tbus_stage_t **out_stage,
                          tbus_error_t *err)
{
    executor_stage_t *e = table_create(1, sizeof *e);
    if (!e)
        return tbus_fail(err, -ENOMEM, "no memory for the executor stage");
    e->base.stage.ops = &executor_ops;
    snprintf(e->base.stage.name, sizeof e->base.stage.name, "executor");
    e->base.stage.owner = owner;
    e->base.stage.bus = bus;
    e->base.ops = &executor_market_ops;
    e->base.books = params->no_orders ? MARKET_STAGE_NO_BOOKS : MARKET_STAGE_BOOKS_ON_DEMAND;
    e->durable = params->venue.durable;
    int code = build(e, market, params, err);
    if (code < 0) {
        executor_destroy(&e->base.stage);
        return code;
    }
    add_counters(e);
    *out_stage = &e->base.stage;
    return 0;
}
