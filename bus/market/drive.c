/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/drive.h"

#include <stdio.h>
#include <string.h>

#include <tickbus/glance.h>

#include "bus/market/recorded.h"
#include "bus/market/ticks.h"
#include "bus/run/stamps.h"

#define THINGS_PER_TICK 64u /* of a turn's budget: what is taken before its process looks around */
/* Ticks, while more of them are at hand, after which those are woken that sleep until a horizon
 * rises. Sooner they would find little to do, and on a CPU that they share with us throw our books
 * out of its cache for that. */
#define TICKS_PER_RING 2048u

/* ---- making one */

static const uint8_t no_types[256];
const uint64_t market_every_symbol[MARKET_LOCATES / 64] = {[0 ... MARKET_LOCATES / 64 - 1] =
                                                               UINT64_MAX};

int market_stage_join(market_stage_t *s, market_t *market, const venue_session_t *session,
                      tbus_error_t *err)
{
    s->market = market;
    s->session = session ? session : &session_host;
    s->next_ns = s->bound_ns = MARKET_NEVER;
    s->leader = s;
    s->concerns = market_every_symbol;
    s->types = no_types;
    if (s->books == MARKET_STAGE_NO_BOOKS)
        market_build_none(market);
    else if (s->books == MARKET_STAGE_BOOKS_ON_DEMAND)
        market_build_on_demand(market);
    else
        market_build_all(market);
    return tbus_stage_join_subscriber(&s->stage, "md", s->stage.name, &s->md, err);
}

int market_stage_start(tbus_stage_t *stage)
{
    market_stage_t *s = (market_stage_t *)(void *)stage;
    uint32_t feed = tbus_stage_next_with_horizon(stage, "md", 0);
    return feed && market_stage_waits(s) ? tbus_stage_watch_horizon(stage, feed, &s->feed) : 0;
}

static void name_input(const recorded_input_t *input, char *out_text, size_t bytes)
{
    unsigned long long which = input->which;
    switch (input->what) {
    case EVENT_INPUT_REPORT:
        snprintf(out_text, bytes, "report %llu", which);
        break;
    case EVENT_INPUT_ORDER:
        snprintf(out_text, bytes, "an order of strategy %llu", which);
        break;
    case EVENT_INPUT_END:
        snprintf(out_text, bytes, "the end");
        break;
    default:
        snprintf(out_text, bytes, "something unknown");
    }
}

/* All has been repeated by now, unless an input does not come. */
static void give_up(market_stage_t *s)
{
    char what[64];
    const recorded_input_t *input = inputs_next(&s->inputs);
    s->gives_up = true;
    inputs_leave_off(&s->inputs);
    if (!input || s->session->recorded->ends_early || s->stage.error.text[0])
        return;
    name_input(input, what, sizeof what);
    snprintf(s->stage.error.text, sizeof s->stage.error.text,
             "stage '%s' took %s, as it is recorded, behind tick %llu: that did not come this time",
             s->stage.name, what, (unsigned long long)input->md_seq);
}

void market_stage_wind_down(tbus_stage_t *stage)
{
    market_stage_t *s = (market_stage_t *)(void *)stage;
    s->winds_down = true;
    if (s->inputs.recorded)
        give_up(s);
    if (market_stage_waits(s) || !s->ops->on_end || s->inputs.recorded)
        return; /* it does so at the end of the feed; or where it was recorded */
    market_stage_tell_input(s, EVENT_INPUT_END, 0);
    s->ops->on_end(s);
}

int market_stage_keep_inputs(market_stage_t *s, uint8_t from, uint32_t number, tbus_error_t *err)
{
    static const recorded_inputs_t none;
    const recorded_t *recorded = s->session->recorded;
    const recorded_inputs_t *inputs = recorded ? recorded_inputs(recorded, from, number) : NULL;
    if (market_stage_waits(s))
        return 0;
    return inputs_join(&s->inputs, &s->stage, from, number, recorded && !inputs ? &none : inputs,
                       err);
}

void market_stage_leave(market_stage_t *s)
{
    inputs_leave(&s->inputs);
}

static void form(const group_t *g)
{
    for (uint32_t i = 0; i < g->count; i++) {
        market_stage_t *s = group_member(g, i);
        s->leader = g->leader;
        s->feed.ours = i > 0; /* the first stage looks at it for all */
        for (uint32_t k = 0; k < g->count; k++)
            s->neighbours |= UINT32_C(1) << (g->stages[k]->owner - 1);
    }
    for (uint32_t i = 0; i < g->count; i++)
        for (uint32_t v = 0; v < g->stages[i]->horizons_count; v++)
            for (uint32_t k = 0; k < g->count; k++)
                g->stages[i]->horizons[v]->ours |=
                    g->stages[i]->horizons[v]->shared == group_member(g, k)->horizon;
    g->leader->grouped = true;
}

/* What is to be known before each thing. */
typedef struct outlook {
    uint32_t first;    /* the stage whose thing is the earliest; of equal times the first on the
                        * data path */
    uint64_t next_ns;  /* that of its thing */
    uint64_t bound_ns; /* as group_bound() */
    bool blocked;
} outlook_t;

static inline outlook_t look_over(const group_t *g)
{
    outlook_t o = {.next_ns = group_member(g, 0)->next_ns, .bound_ns = MARKET_NEVER};
    for (uint32_t i = 0; i < g->count; i++) {
        const market_stage_t *s = group_member(g, i);
        if (s->next_ns < o.next_ns) {
            o.next_ns = s->next_ns;
            o.first = i;
        }
        o.bound_ns = group_least(o.bound_ns, s->bound_ns);
        o.blocked |= group_is_blocked(s);
    }
    return o;
}

/* Take what comes before the tick, as far as it is certain that it is the next. 0 or a negative
 * error. */
static int take_things(group_t *g)
{
    while (g->things_left > 0) {
        outlook_t o = look_over(g);
        market_stage_t *s = group_member(g, o.first);
        if (o.blocked || o.next_ns >= g->at_ns || o.next_ns >= o.bound_ns)
            break;
        /* By the clock of the host: its tick was not there yet when we looked for it. */
        if (TBUS_UNLIKELY(s->next_ns == MARKET_UNKNOWN) && tbus_glance(&g->leader->md))
            break;
        if (s->now_ns < s->next_ns)
            s->now_ns = s->next_ns;
        if (s->now_ns < g->leader->clock.now_ns)
            s->now_ns = g->leader->clock.now_ns;
        int code = s->ops->take(s);
        if (TBUS_UNLIKELY(code < 0))
            return group_fail(g, o.first, code);
        g->work++;
        g->things_left--;
        code = s->stirred ? group_collect_all(g) : 0;
        if (code == 0 && group_repeats(g))
            code = group_act_all(g);
        if (TBUS_UNLIKELY(code < 0))
            return code;
    }
    group_clear(g);
    return 0;
}

/* Things first; then may the tick be taken? 1, 0, or a negative error. */
static int prepare(group_t *g)
{
    for (unsigned looks = 0;; looks++) {
        int code = take_things(g);
        if (code < 0)
            return code;
        if (g->has_tick && g->at_ns <= g->leader->clear_ns && !group_blocked(g))
            return 1;
        if (looks > 0 || group_bound(g) >= g->at_ns || group_blocked(g))
            return 0;
        code = group_collect_all(g); /* the others may have come further */
        if (code < 0)
            return code;
    }
}

/* ---- ticks */

/* A feed that was stopped may have said more than its last tick: the end is not before that. So it
 * was, too, in a session that is repeated. */
static uint64_t end_told_ns(const market_stage_t *leader)
{
    const recorded_t *recorded = leader->session->recorded;
    uint64_t told_ns = tbus_horizon_last(&leader->feed);
    /* No feed says more than that its next tick does not come before the time of that tick. An end
     * that is edited must not leave strategies alone with their timers for centuries. */
    uint64_t most_ns = leader->clock.now_ns + MARKET_CLOCK_STEP_MAX;
    if (recorded && recorded->end_ns > told_ns)
        told_ns = group_least(recorded->end_ns, most_ns);
    return told_ns;
}

/* What the feed says when no tick is in hand. A tick that has come meanwhile is found in the next
 * turn of the loop, hence in hand or not: *out_tick. */
static void ask_feed(group_t *g, const tick_t **out_tick, size_t *out_bytes)
{
    market_stage_t *leader = g->leader;
    uint64_t horizon = MARKET_NEVER;
    *out_tick = NULL;
    g->at_ns = MARKET_NEVER;
    g->has_tick = false;
    if (leader->ended || !market_stage_waits(leader))
        return;
    if (leader->feed.shared)
        horizon = tbus_horizon_look(&leader->feed);
    else if (!leader->winds_down)
        horizon = 0;
    *out_tick = (const tick_t *)tbus_peek(&leader->md, out_bytes);
    if (*out_tick)
        return;
    g->has_tick = horizon == MARKET_NEVER;
    g->at_ns = leader->clock.now_ns + 1;
    if (!g->has_tick && horizon > g->at_ns)
        g->at_ns = horizon;
    if (g->has_tick && end_told_ns(leader) > g->at_ns)
        g->at_ns = end_told_ns(leader);
}

/* The tick without a message behind the last. */
static int give_end(group_t *g)
{
    bool late = g->at_ns > g->leader->clock.now_ns + 1;
    g->leader->clock.now_ns = g->at_ns;
    g->leader->ended = true;
    for (uint32_t i = 0; i < g->count; i++) {
        group_member(g, i)->now_ns = g->at_ns;
        group_member(g, i)->ends_late = late;
        if (group_member(g, i)->ops->on_end)
            group_member(g, i)->ops->on_end(group_member(g, i));
    }
    g->work++;
    int code = group_collect_all(g);
    group_clear(g);
    return code < 0 ? code : group_blocked(g);
}

/* Up to `budget` ticks, and the things between them. */
static int take_all(group_t *g, uint32_t budget)
{
    market_stage_t *leader = g->leader;
    for (uint32_t ticks = 0;; ticks++) {
        int told;
        if (!leader->ended) {
            ticks += ticks_take_clear(g, budget - ticks, &told);
            if (TBUS_UNLIKELY(told != 0)) {
                g->at_ns = leader->clock.now_ns;
                return told < 0 ? told : 0;
            }
        }
        group_tell_time(g);
        market_clock_t then = leader->clock;
        size_t bytes = 0;
        const tick_t *tick = leader->ended ? NULL : (const tick_t *)tbus_peek(&leader->md, &bytes);
        if (!tick)
            ask_feed(g, &tick, &bytes);
        bool for_books = tick && tick_is_warm_up(tick);
        if (TBUS_UNLIKELY(for_books && then.now_ns == 0)) {
            /* Market time has not begun: whatever was thought before this tick was found, nothing
             * is promised. */
            g->at_ns = leader->clock.now_ns;
            g->full = ticks == budget;
            int code = g->full ? 0 : ticks_warm_up(g, tick, bytes);
            if (TBUS_UNLIKELY(code < 0) || g->full)
                return code;
            continue;
        }
        if (TBUS_UNLIKELY(for_books)) {
            /* Behind all that belongs to the last tick, and before the next one. */
            g->at_ns = then.now_ns + 1;
            g->has_tick = true;
        } else if (TBUS_LIKELY(tick != NULL)) {
            then = market_clock_at(leader->clock, tick, bytes);
            g->at_ns = then.now_ns;
            g->has_tick = true;
        }
        g->asks_feed = !tick;
        if (!tick || g->at_ns > leader->clear_ns || ticks == budget) {
            int ready = prepare(g);
            g->full = ready > 0;
            if (ready <= 0 || ticks == budget)
                return ready < 0 ? ready : 0;
        }
        leader->clock = then;
        int code = !tick       ? give_end(g)
                   : for_books ? ticks_warm_up(g, tick, bytes)
                               : ticks_give(g, tick, bytes);
        if (TBUS_UNLIKELY(code != 0))
            return code < 0 ? code : 0;
    }
}

static bool is_over(const market_stage_t *s)
{
    return s->gives_up || (s->session->recorded->ends_early && !inputs_next(&s->inputs) &&
                           (s->has_sent || s->inputs.recorded->count != 0));
}

/* So that nobody waits for us. */
static void pass_ticks(group_t *g, uint32_t budget)
{
    size_t bytes;
    for (; budget > 0 && tbus_peek(&g->leader->md, &bytes); budget--) {
        tbus_advance(&g->leader->md);
        g->work++;
    }
}

/* By the clock of the host, where a recording is repeated: ticks and things in the order in which
 * this stage took them then. What was taken behind a tick is not there yet if whoever sends it has
 * not come so far: other processes have books of their own. */
static int take_repeated(group_t *g, uint32_t budget)
{
    market_stage_t *s = g->leader;
    for (uint32_t taken = 0; taken < budget && !group_blocked(g); taken++) {
        const recorded_input_t *input = inputs_next(&s->inputs);
        size_t bytes = 0;
        const tick_t *tick;
        int code = 0;
        if (TBUS_UNLIKELY(is_over(s))) {
            pass_ticks(g, budget - taken);
            return 0;
        }
        if (input && input->md_seq <= market_seq(s->market) && input->what == EVENT_INPUT_END) {
            s->inputs.repeated++;
            s->ops->on_end(s);
            g->work++;
        } else if (input && input->md_seq <= market_seq(s->market)) {
            if (!s->ops->has(s, input))
                code = group_collect_all(g);
            if (code < 0 || !s->ops->has(s, input)) {
                g->awaits_input = true;
                return code;
            }
            s->inputs.repeated++;
            code = s->ops->repeat(s, input);
            g->work++;
        } else if ((tick = (const tick_t *)tbus_peek(&s->md, &bytes)) != NULL &&
                   tick_is_warm_up(tick)) {
            code = ticks_warm_up(g, tick, bytes);
        } else if (tick) {
            s->clock = market_clock_at(s->clock, tick, bytes);
            g->at_ns = s->clock.now_ns;
            code = ticks_give(g, tick, bytes);
        } else {
            return 0;
        }
        if (code >= 0)
            code = group_act_all(g);
        if (TBUS_UNLIKELY(code < 0))
            return code;
    }
    return 0;
}

/* ---- a turn */

/* Ticks that were clear at the end of the last turn are so still: nothing that was not in hand then
 * has an earlier time. So they need not wait until all rings were looked at, and neither do the
 * orders that answer them. Returns how many were taken; *out_code as take_clear. */
static uint32_t take_at_once(group_t *g, uint32_t ticks_max, int *out_code)
{
    bool sent = g->work != 0; /* what was kept, which nobody has in hand yet */
    for (uint32_t i = 0; i < g->count; i++)
        sent |= group_member(g, i)->stirred;
    *out_code = 0;
    if (sent || !market_stage_waits(g->leader) || g->leader->ended || group_blocked(g) ||
        group_repeats(g))
        return 0;
    uint32_t ticks = ticks_take_clear(g, ticks_max, out_code);
    group_tell_time(g);
    g->at_ns = g->leader->clock.now_ns;
    return ticks;
}

/* What is kept goes out, and what comes from outside is taken. */
static int begin_turn(group_t *g)
{
    for (uint32_t i = 0; i < g->count; i++) {
        market_stage_t *s = group_member(g, i);
        if (s->blocked && s->ops->flush)
            g->work += s->ops->flush(s);
        if (TBUS_UNLIKELY(s->inputs.out.kept != 0))
            g->work += (int)tbus_outlet_flush(&s->inputs.out);
        int did = s->ops->begin ? s->ops->begin(s) : 0;
        if (TBUS_UNLIKELY(did < 0))
            return group_fail(g, i, did);
        g->work += did;
    }
    return 0;
}

static int look_around(group_t *g)
{
    int code = group_collect_all(g);
    if (code == 0 && group_repeats(g))
        code = group_act_all(g);
    group_clear(g);
    return code;
}

/* For people: how often and how long a tick that is in hand waits for another stage's horizon. */
static void measure_wait(const group_t *g)
{
    market_stage_t *leader = g->leader;
    if (!leader->waits)
        return;
    bool waits = g->has_tick && g->at_ns > leader->clear_ns && !group_blocked(g) && g->work == 0;
    if (waits && leader->waits_since_ns == 0) {
        leader->waits_since_ns = tbus_clock_ns();
        leader->waits_seq = leader->md.seq;
        tbus_add_own_u64(leader->waited, 1);
    } else if (!waits && leader->waits_since_ns != 0 && g->work != 0) {
        uint64_t waited_ns = tbus_clock_ns() - leader->waits_since_ns;
        tbus_histogram_record(leader->waits, waited_ns);
        if (TBUS_UNLIKELY(leader->stamps && leader->stamps_ticks))
            tbus_stamps_message(leader->stamps, TBUS_STAMP_WAITED, leader->waits_seq, waited_ns);
        leader->waits_since_ns = 0;
    }
}

/* What was sent is on the rings: say how far we are. `busy`: some of it is not; then whoever sleeps
 * is told what was said before, since we may have to wait for room. */
static void raise_horizons(const group_t *g, bool busy)
{
    uint64_t tick_ns = g->leader->ended ? MARKET_NEVER : g->at_ns;
    uint64_t passed_ns = group_least(tick_ns, g->leader->clear_ns);
    bool rings = busy || !g->full || g->leader->md.seq - g->leader->rung_seq >= TICKS_PER_RING;
    for (uint32_t i = 0; i < g->count; i++) {
        market_stage_t *s = group_member(g, i);
        if (!s->horizon)
            continue;
        uint64_t at_ns = s->ops->promise ? s->ops->promise(s, passed_ns) : passed_ns;
        if (!busy)
            tbus_horizon_raise_quietly(s->horizon, group_least(tick_ns, at_ns));
        if (rings)
            tbus_horizon_ring(s->horizon, s->md.fence);
    }
    if (rings)
        g->leader->rung_seq = g->leader->md.seq;
}

static int end_turn(group_t *g)
{
    market_stage_t *leader = g->leader;
    bool busy = group_blocked(g);
    bool trails = market_stage_waits(leader) && group_bound(g) != MARKET_NEVER;
    int more = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        market_stage_t *s = group_member(g, i);
        if (i > 0)
            tbus_subscriber_catch_up(&s->md, &leader->md);
        more += s->ops->end ? s->ops->end(s, g->work) : 0;
        trails &= s->trails;
    }
    bool held_back =
        trails || busy || g->awaits_input || (g->has_tick && g->at_ns > leader->clear_ns);
    for (uint32_t i = 0; i < g->count; i++) {
        market_stage_t *s = group_member(g, i);
        s->md.held_back = held_back;
        s->stage.pending = s->blocked || s->inputs.out.kept != 0 ||
                           (s->next_ns != MARKET_NEVER && !s->inputs.recorded) ||
                           (s->ops->keeps && s->ops->keeps(s));
    }
    measure_wait(g);
    if (market_stage_waits(leader))
        raise_horizons(g, busy);
    /* The feed's horizon is looked at while nothing is on the ring; those of stages always, by
     * whoever may have to raise its own. */
    for (uint32_t i = 0; i < g->count; i++) {
        tbus_stage_t *stage = g->stages[i];
        for (uint32_t k = 0; k < stage->horizons_count; k++) {
            tbus_horizon_view_t *view = stage->horizons[k];
            view->awaited = !view->ours && view->seen != TBUS_HORIZON_END;
        }
    }
    leader->feed.awaited &= g->asks_feed && !trails;
    return more;
}

/* No publisher writes what was found on a ring. */
static int check_rings(group_t *g)
{
    for (uint32_t i = 0; i < g->count; i++) {
        tbus_stage_t *stage = g->stages[i];
        for (uint32_t k = 0; k < stage->subscribers_count; k++) {
            const tbus_subscriber_t *input = stage->subscribers[k];
            if (TBUS_UNLIKELY(input->error != 0)) {
                tbus_fail(&stage->error, input->error, "stage '%s': topic '%s', message %llu: %s",
                          stage->name, input->ring.shared->name, (unsigned long long)input->seq,
                          tbus_strerror(input->error));
                return group_fail(g, i, input->error);
            }
        }
    }
    return 0;
}

int market_stage_poll_together(tbus_stage_t **stages, uint32_t count, uint32_t budget,
                               uint32_t *out_failed)
{
    group_t g = {.stages = stages,
                 .count = count,
                 .leader = (market_stage_t *)(void *)stages[0],
                 .things_left = THINGS_PER_TICK * (budget + 1)};
    if (TBUS_UNLIKELY(!g.leader->grouped))
        form(&g);
    int code = begin_turn(&g), told = 0;
    uint32_t taken = code == 0 ? take_at_once(&g, budget, &told) : 0;
    if (code == 0)
        code = told < 0 ? told : look_around(&g);
    if (code == 0 && !group_blocked(&g))
        code = g.leader->inputs.recorded ? take_repeated(&g, budget) : take_all(&g, budget - taken);
    if (code == 0)
        g.work += end_turn(&g);
    if (code == 0 && g.work == 0)
        code = check_rings(&g);
    for (uint32_t i = 0; code < 0 && i < count; i++) /* what is shown must be right */
        if (group_member(&g, i)->ops->end)
            (void)group_member(&g, i)->ops->end(group_member(&g, i), 0);
    *out_failed = g.failed;
    return code < 0 ? code : g.work;
}

int market_stage_poll(tbus_stage_t *stage, uint32_t budget)
{
    uint32_t failed;
    return market_stage_poll_together(&stage, 1, budget, &failed);
}
