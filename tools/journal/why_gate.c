/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/why_gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/market/clock.h>
#include <tickbus/msg/event.h>

#include "bus/market/recorded.h"
#include "tools/journal/meter.h"

/* An entry that asks for a tick: where it stands, or what its symbol's touch is behind it. */
enum { ASKS_PLACE = 1, ASKS_TOUCH = 2 };
typedef struct asked {
    uint64_t md_seq;
    uint32_t entry;
    uint32_t what; /* ASKS_... */
} asked_t;

typedef struct walk {
    why_session_t *session;
    const why_entry_t *only; /* NULL: all */
    why_sink_t sink;
    void *context;
    asked_t *asked; /* owned; by sequence, ascending */
    uint64_t asked_count;
    uint64_t places_at;  /* the first whose tick was not read yet, */
    uint64_t touches_at; /* and whose tick was not taken yet */
    tbus_journal_reader_t *reader;
    meter_t meter;
    int md;
    market_t *market;
    gate_t *gate;
    recorded_t *recorded;
    risk_limit_set_t limits; /* in force */
    uint32_t limits_taken;
    uint32_t acts_taken;
    /* the next tick; bytes 0: there is none */
    tick_t *tick; /* owned; TICK_LEN_MAX bytes */
    size_t tick_bytes;
    uint64_t tick_seq;
    market_clock_t clock; /* at the last tick */
    market_clock_t then;  /* at the next */
    uint64_t now_ns;      /* of risk */
    uint64_t judged_ns;
    uint64_t restarts;
    uint64_t reports_taken;
    uint64_t orders_judged; /* of orders_count */
    uint64_t orders_count;
    uint64_t differ;
} walk_t;

/* ---- what is asked of ticks */

static int by_sequence(const void *left, const void *right)
{
    const asked_t *a = left, *b = right;
    return a->md_seq < b->md_seq ? -1 : a->md_seq > b->md_seq;
}

static void ask(walk_t *w, const why_entry_t *e)
{
    uint32_t entry = (uint32_t)(e - w->session->entries);
    bool judged = e->position != WHY_NEVER;
    uint64_t touch_seq = judged ? w->session->judged[e->position].order.md_seq : 0;
    bool same = touch_seq == e->md_seq;
    if (e->md_seq)
        w->asked[w->asked_count++] =
            (asked_t){e->md_seq, entry, ASKS_PLACE | (same ? ASKS_TOUCH : 0)};
    if (touch_seq && !same)
        w->asked[w->asked_count++] = (asked_t){touch_seq, entry, ASKS_TOUCH};
}

static int ask_all(walk_t *w, tbus_error_t *err)
{
    const why_session_t *s = w->session;
    uint32_t count = w->only ? 1 : s->entries_count;
    w->asked = malloc((2 * (size_t)count + 1) * sizeof *w->asked);
    if (!w->asked)
        return tbus_fail(err, -ENOMEM, "no memory for the ticks of the session's orders");
    for (uint32_t i = 0; i < count; i++)
        ask(w, w->only ? w->only : &s->entries[i]);
    qsort(w->asked, w->asked_count, sizeof *w->asked, by_sequence);
    return 0;
}

/* The first that asks for this tick, or a later one, from `at` on. */
static uint64_t pass(const walk_t *w, uint64_t at, uint64_t seq)
{
    while (at < w->asked_count && w->asked[at].md_seq < seq)
        at++;
    return at;
}

static void answer_places(walk_t *w, const tbus_journal_record_t *record)
{
    w->places_at = pass(w, w->places_at, record->seq);
    for (uint64_t i = w->places_at; i < w->asked_count && w->asked[i].md_seq == record->seq; i++) {
        why_entry_t *e = &w->session->entries[w->asked[i].entry];
        if (w->asked[i].what & ASKS_PLACE && e->tick == WHY_PLACE_UNKNOWN)
            e->tick = (uint64_t)record->segment << 32 | record->offset;
    }
}

/* The tick was taken: of who is judged from now on. */
static void answer_touches(walk_t *w)
{
    w->touches_at = pass(w, w->touches_at, w->tick_seq);
    for (uint64_t i = w->touches_at; i < w->asked_count && w->asked[i].md_seq == w->tick_seq; i++) {
        why_entry_t *e = &w->session->entries[w->asked[i].entry];
        if (!(w->asked[i].what & ASKS_TOUCH) || e->position < w->orders_judged)
            continue;
        uint16_t wire_locate = order_locate(&w->session->judged[e->position].order);
        e->touch = market_touch(w->market, market_number(w->market, wire_locate));
        e->touch_there = true;
    }
}

/* ---- inputs */

static void take_limits(walk_t *w, uint32_t number)
{
    const recorded_t *r = w->recorded;
    for (; w->limits_taken < r->limits_count && r->limits[w->limits_taken].number <= number;
         w->limits_taken++)
        risk_limit_set_repeat(&w->limits, r->limits[w->limits_taken].text);
    (void)gate_set_all_limits(w->gate, &w->limits);
}

/* What came from outside before the next input. */
static void take_acts(walk_t *w)
{
    const recorded_acts_t *acts = &w->recorded->risk;
    for (; w->acts_taken < acts->count; w->acts_taken++) {
        const recorded_act_t *act = &acts->acts[w->acts_taken];
        if (act->position > w->orders_judged || act->md_seq > market_seq(w->market))
            return;
        if (act->kind == EVENT_LIMITS)
            take_limits(w, act->number);
        else if (act->kind == EVENT_STRATEGY_REDUCE)
            (void)gate_latch_strategy(w->gate, act->number);
        else
            gate_act(w->gate, act->kind);
    }
}

static int next_tick(walk_t *w, tbus_error_t *err)
{
    tbus_journal_record_t record;
    int code;
    while ((code = tbus_journal_reader_next(w->reader, &record, err)) > 0) {
        meter_at(&w->meter, &record);
        if (record.topic != w->md)
            continue;
        answer_places(w, &record);
        if (record.bytes > TICK_LEN_MAX)
            continue;
        memset(w->tick, 0, sizeof *w->tick);
        memcpy(w->tick, record.payload, record.bytes);
        if (tick_has_place(w->tick)) /* somebody may have edited it */
            tick_place_none(w->tick);
        w->tick_bytes = record.bytes;
        w->tick_seq = record.seq;
        w->then =
            tick_is_warm_up(w->tick) ? w->clock : market_clock_at(w->clock, w->tick, record.bytes);
        return 0;
    }
    w->tick_bytes = 0;
    return code;
}

static int take_tick(walk_t *w, tbus_error_t *err)
{
    const market_event_t *event;
    int code = market_apply(w->market, w->tick_seq, w->tick, w->tick_bytes, &event);
    if (code < 0)
        return tbus_fail(err, code, "%s", market_limit_text(w->market));
    if (!tick_is_warm_up(w->tick)) /* that is for the books alone */
        gate_on_market(w->gate, event);
    w->clock = w->then;
    w->now_ns = w->clock.now_ns;
    take_acts(w);
    answer_touches(w);
    return next_tick(w, err);
}

static const why_reported_t *next_report(const walk_t *w)
{
    return w->reports_taken < w->session->reports_count ? &w->session->reports[w->reports_taken]
                                                        : NULL;
}

static void take_report(walk_t *w)
{
    gate_on_report(w->gate, &next_report(w)->report);
    w->reports_taken++;
}

/* ---- judging */

/* Before it is judged: what the gate finds, check by check. */
static void explain(const walk_t *w, const why_judged_t *judged, why_verdict_t *out_verdict)
{
    const why_entry_t *e = &w->session->entries[judged->entry];
    *out_verdict = (why_verdict_t){.touch_there = e->touch_there,
                                   .touch = e->touch,
                                   .market_ns = w->now_ns,
                                   .judged = w->orders_judged + 1};
    order_t order = judged->order;
    if (order.flags & ORDER_MARKET)
        order.px_e4 = gate_market_px(w->gate, &order);
    out_verdict->checks_count = gate_explain(w->gate, &order, w->now_ns, out_verdict->checks);
}

static int judge(walk_t *w)
{
    const why_judged_t *judged = &w->session->judged[w->orders_judged];
    const order_t *order = &judged->order;
    bool wanted = judged->entry != WHY_NO_ENTRY &&
                  (!w->only || w->only == &w->session->entries[judged->entry]);
    why_verdict_t verdict;
    take_acts(w);
    if (w->restarts != w->clock.restarts)
        gate_restart_rate(w->gate);
    w->restarts = w->clock.restarts;
    if (wanted)
        explain(w, judged, &verdict);
    bool valid = order->md_seq <= market_seq(w->market);
    uint8_t reason = valid ? gate_judge(w->gate, order, w->now_ns) : REASON_MALFORMED;
    w->differ += reason != order->reason;
    w->judged_ns = w->now_ns;
    w->orders_judged++;
    if (!wanted)
        return 0;
    verdict.differ = w->differ;
    return w->sink(w->context, &w->session->entries[judged->entry], &verdict);
}

/* ---- by the clock of the market: as risk/stage.c has it */

static bool is_from_outside(const report_t *report)
{
    return report->kind == REPORT_CANCELLED && report->reason == REASON_KILL_SWITCH &&
           (report->flags & (REPORT_ANSWER | REPORT_MORE)) == 0;
}

/* One from outside goes with the first behind it that has a time. */
static uint64_t report_ns(const walk_t *w)
{
    const why_session_t *s = w->session;
    for (uint64_t i = w->reports_taken; i < s->reports_count; i++)
        if (!is_from_outside(&s->reports[i].report))
            return s->reports[i].report.seen;
    return MARKET_NEVER;
}

static int walk_to(walk_t *w, uint64_t due_ns, tbus_error_t *err)
{
    int code = 0;
    while (code == 0) {
        uint64_t seen_ns = report_ns(w), first_ns = seen_ns < due_ns ? seen_ns : due_ns;
        if (w->tick_bytes && w->then.now_ns <= first_ns)
            code = take_tick(w, err);
        else if (seen_ns < due_ns)
            take_report(w);
        else
            break;
        if (w->now_ns < w->clock.now_ns)
            w->now_ns = w->clock.now_ns;
    }
    return code;
}

static int walk_by_market(walk_t *w, tbus_error_t *err)
{
    int code = 0;
    while (code == 0 && w->orders_judged < w->orders_count) {
        const order_t *order = &w->session->judged[w->orders_judged].order;
        uint64_t due_ns = order->at > w->judged_ns ? order->at : w->judged_ns;
        code = walk_to(w, due_ns, err);
        if (code < 0)
            return code;
        if (w->now_ns < due_ns)
            w->now_ns = due_ns;
        const why_reported_t *report;
        while ((report = next_report(w)) != NULL &&
               (report_ns(w) < w->now_ns || report->seq <= order->report_seq))
            take_report(w);
        code = judge(w);
    }
    return code;
}

/* ---- by the clock of the host: as risk told */

static int walk_by_inputs(walk_t *w, tbus_error_t *err)
{
    const recorded_inputs_t *inputs = recorded_inputs(w->recorded, EVENT_FROM_RISK, 0);
    if (!inputs)
        return tbus_fail(
            err, -TBUS_ENOTFOUND,
            "it was run by the clock of the host (venue.clock), and the order in which "
            "risk took its inputs is not recorded");
    int code = 0;
    for (uint64_t i = 0; code == 0 && i < inputs->count && w->orders_judged < w->orders_count;
         i++) {
        const recorded_input_t *input = &inputs->inputs[i];
        while (code == 0 && w->tick_bytes && w->tick_seq <= input->md_seq)
            code = take_tick(w, err);
        if (code < 0)
            return code;
        if (input->what == EVENT_INPUT_REPORT && next_report(w))
            take_report(w);
        else if (input->what == EVENT_INPUT_ORDER)
            code = judge(w);
    }
    if (code == 0 && w->orders_judged < w->orders_count)
        return tbus_fail(err, -TBUS_ENOTFOUND, "that risk took it is not recorded");
    return code;
}

/* ---- making it */

static int prepare(walk_t *w, const char *directory, const why_setup_t *setup, tbus_error_t *err)
{
    w->limits = setup->limits;
    w->orders_count = w->only ? w->only->position + 1 : w->session->judged_count;
    w->tick = calloc(1, TICK_LEN_MAX);
    if (!w->tick)
        return tbus_fail(err, -ENOMEM, "no memory for a tick");
    int code = ask_all(w, err);
    if (code == 0)
        code = market_create(&setup->books, &w->market, err);
    gate_rules_t rules = setup->rules;
    rules.strategies_count = w->limits.strategies_count;
    rules.strategies = w->limits.strategies;
    if (code == 0)
        code = gate_create(&w->limits.bus, &rules, w->market, &w->gate, err);
    if (code == 0)
        code = recorded_open(directory, &w->recorded, err);
    if (code == 0)
        code = tbus_journal_reader_open(directory, &w->reader, err);
    if (code < 0)
        return code;
    meter_begin(&w->meter, "replayed", tbus_journal_reader_info(w->reader));
    w->md = tbus_journal_reader_topic(w->reader, "md");
    return next_tick(w, err);
}

static void clear(walk_t *w)
{
    if (w->reader)
        meter_end(&w->meter);
    tbus_journal_reader_close(w->reader);
    recorded_close(w->recorded);
    gate_destroy(w->gate);
    market_destroy(w->market);
    free(w->asked);
    free(w->tick);
}

int why_gate_run(const char *directory, const why_setup_t *setup, why_session_t *session,
                 const why_entry_t *only, why_sink_t sink, void *context, tbus_error_t *err)
{
    walk_t w = {.session = session, .only = only, .sink = sink, .context = context};
    if (!session->begins)
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "the journal's beginning was removed: books and positions are not known");
    int code = prepare(&w, directory, setup, err);
    if (code == 0)
        code = setup->by_market ? walk_by_market(&w, err) : walk_by_inputs(&w, err);
    clear(&w);
    return code;
}
