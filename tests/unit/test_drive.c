/* SPDX-License-Identifier: Apache-2.0 */
/* Stages in the order of market time (bus/market/drive.h): strategies, risk and executor over one
 * feed, polled in one process together, each alone, or in whatever groups, in any order, as
 * separate processes might run. What each of them is given, and what they publish, must be the same
 * in all. A process that found nothing to do sleeps until something happens that its waiter would
 * wake it for: if one must be polled before that, all come to sleep and the test fails.
 *
 * The strategy hashes all that it is told, in the order in which it is told it, and what it does
 * next depends on that hash: one report that comes a tick too early changes everything behind it.
 *
 * DRIVE_WORLDS=N tries so many feeds instead of a few. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <tickbus/msg/event.h>
#include <tickbus/msg/itch_types.h>
#include <tickbus/observer.h>

#include "bus/market/drive.h"
#include "risk/kill_switch.h"
#include "risk/stage.h"
#include "risk/venue/executor.h"
#include "strategy/stage.h"
#include "tests/support/bus_fixture.h"
#include "tests/support/ticks.h"
#include "tests/unit/day_feed.h"

enum { STRATEGIES = 2, STAGES = STRATEGIES + 2, SLOTS = 16, LOCATES = 3, TICKS_MAX = 4000 };
enum { FEED = 1, FIRST_STRATEGY = 2 }; /* owners; risk and executor come last */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* ---- a strategy that depends on everything */

typedef struct nervous {
    uint64_t hash;
    uint64_t last_id;
    uint64_t calls;
    uint32_t eagerness;                /* it acts on one of so many calls */
    uint32_t crossed, broken, expired; /* reports of these kinds */
} nervous_t;

static unsigned cancelled_by_self_match; /* orders, ever */
static nervous_t nervous[STRATEGIES];
static unsigned made;

static void take_in(nervous_t *n, uint64_t what)
{
    n->hash = (n->hash ^ what) * UINT64_C(0x9e3779b97f4a7c15);
    n->hash ^= n->hash >> 29;
    n->calls++;
}

static void act(nervous_t *n, strat_context_t *ctx)
{
    uint64_t h = n->hash;
    if (h % n->eagerness != 0)
        return;
    uint16_t locate = (uint16_t)(1 + (h >> 8) % LOCATES);
    market_touch_t touch = market_touch(strat_market(ctx), locate);
    strat_order_t order = {.locate = locate,
                           .side = h >> 16 & 1 ? 'B' : 'S',
                           .tif = (h >> 17 & 3) == 0 ? ORDER_TIF_IOC : ORDER_TIF_DAY,
                           .flags = (h >> 44 & 1 ? ORDER_POST_ONLY : 0) |
                                    (h >> 44 & 3 ? 0 : ORDER_POST_ONLY | ORDER_SLIDE),
                           .qty = 1 + (uint32_t)(h >> 20) % 200,
                           .px_e4 = (h >> 30 & 1 ? touch.bid_px_e4 : touch.ask_px_e4)};
    switch (h >> 32 & 7) {
    case 0:
    case 1:
        (void)strat_cancel(ctx, locate, n->last_id);
        break;
    case 2:
        (void)strat_replace(ctx, n->last_id, &order);
        break;
    case 3:
        strat_timer_at(ctx, strat_event_ns(ctx) + (h >> 36) % 100000);
        break;
    default: {
        uint64_t id = order.px_e4 ? strat_send_order(ctx, &order) : 0;
        n->last_id = id ? id : n->last_id;
    }
    }
}

static int create(strat_context_t *ctx, const void *params, void **out_self, tbus_error_t *err)
{
    (void)ctx;
    (void)err;
    nervous_t *n = &nervous[made++];
    *n = (nervous_t){.hash = made, .eagerness = *(const uint32_t *)params};
    *out_self = n;
    return 0;
}

static void on_tick(void *self, strat_context_t *ctx, const tick_t *tick, uint64_t md_seq)
{
    take_in(self, md_seq << 8 | tick->type);
    act(self, ctx);
}

static void on_report(void *self, strat_context_t *ctx, const report_t *report)
{
    report_t plain = *report;
    uint64_t words[sizeof plain / 8];
    plain.sent = 0;
    ((nervous_t *)self)->crossed += report->liquidity == 'C' && report->kind != REPORT_BROKEN;
    ((nervous_t *)self)->broken += report->kind == REPORT_BROKEN;
    ((nervous_t *)self)->expired +=
        report->kind == REPORT_CANCELLED && report->reason == REASON_CLOSED;
    memcpy(words, &plain, sizeof words);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        take_in(self, words[i]);
    take_in(self, strat_event_ns(ctx));
    cancelled_by_self_match +=
        report->kind == REPORT_CANCELLED && report->reason == REASON_SELF_MATCH;
    act(self, ctx);
}

static void on_timer(void *self, strat_context_t *ctx, uint64_t event_ns)
{
    take_in(self, event_ns ^ strat_event_ns(ctx) << 1);
    act(self, ctx);
}

static void on_wind_down(void *self, strat_context_t *ctx)
{
    take_in(self, strat_event_ns(ctx));
}

static const tbus_param_t nervous_table[] = {{"eagerness", TBUS_PARAM_NUMBER, .offset = 0,
                                              .bytes = 4, .min = 1, .max = 1000, .fallback = "3",
                                              .help = "-"}};
static const strategy_t nervous_strategy = {.api = STRATEGY_API,
                                            .struct_bytes = sizeof(strategy_t),
                                            .params = {nervous_table, 1, sizeof(uint32_t)},
                                            .name = "nervous",
                                            .create = create,
                                            .on_tick = on_tick,
                                            .on_report = on_report,
                                            .on_timer = on_timer,
                                            .on_wind_down = on_wind_down};

/* ---- one that looks at a few types of messages, and at touches: it passes over the others itself,
 * or has them passed over */

#define LOOKED_AT "AEP"

static void on_some_ticks(void *self, strat_context_t *ctx, const tick_t *tick, uint64_t md_seq)
{
    if (strchr(LOOKED_AT, tick->type))
        on_tick(self, ctx, tick, md_seq);
}

static void on_touch(void *self, strat_context_t *ctx, uint16_t locate, const market_touch_t *touch)
{
    take_in(self, locate ^ touch->bid_qty << 16 ^ touch->ask_qty << 40 ^ touch->bid_px_e4);
    act(self, ctx);
}

static const strategy_t sifting_strategy = {.api = STRATEGY_API,
                                            .struct_bytes = sizeof(strategy_t),
                                            .params = {nervous_table, 1, sizeof(uint32_t)},
                                            .name = "sifting",
                                            .create = create,
                                            .on_tick = on_some_ticks,
                                            .on_bbo = on_touch,
                                            .on_report = on_report,
                                            .on_timer = on_timer,
                                            .on_wind_down = on_wind_down};
static const strategy_t naming_strategy = {.api = STRATEGY_API,
                                           .struct_bytes = sizeof(strategy_t),
                                           .params = {nervous_table, 1, sizeof(uint32_t)},
                                           .name = "naming",
                                           .create = create,
                                           .on_tick = on_tick,
                                           .on_bbo = on_touch,
                                           .on_report = on_report,
                                           .on_timer = on_timer,
                                           .on_wind_down = on_wind_down,
                                           .tick_types = LOOKED_AT};

/* ---- a strategy that buys once, sets a timer, and buys again when that is due */

enum { TIMER_NS = 1000, SECOND_NS = 1000000000 };

static uint64_t buy_one(strat_context_t *ctx)
{
    return strat_send(ctx, 1, 'B', 1, 1000000, ORDER_TIF_DAY);
}

static int plain_create(strat_context_t *ctx, const void *params, void **out_self,
                        tbus_error_t *err)
{
    (void)ctx;
    (void)params;
    (void)err;
    *out_self = NULL;
    return 0;
}

static void plain_on_tick(void *self, strat_context_t *ctx, const tick_t *tick, uint64_t md_seq)
{
    (void)self;
    (void)tick;
    if (md_seq != 1)
        return;
    assert_true(buy_one(ctx) != 0);
    strat_timer_at(ctx, strat_event_ns(ctx) + TIMER_NS);
}

static void plain_on_timer(void *self, strat_context_t *ctx, uint64_t event_ns)
{
    (void)self;
    (void)event_ns;
    assert_true(buy_one(ctx) != 0);
}

static const strategy_t plain_strategy = {.api = STRATEGY_API,
                                          .struct_bytes = sizeof(strategy_t),
                                          .name = "plain",
                                          .create = plain_create,
                                          .on_tick = plain_on_tick,
                                          .on_timer = plain_on_timer};

/* ---- a feed */

/* What a world is, but for the order in which its processes run. */
typedef struct world {
    uint64_t seed;
    uint32_t ticks;
    uint32_t strategies;
    uint32_t eagerness;
    uint64_t gap_ns; /* between two ticks, at most */
    venue_session_t session;
    const strategy_t *strategy; /* NULL: the nervous one */
    bool no_orders;             /* the strategy sends none, and the others know that */
    bool halts;                 /* now and then, and trading goes on again */
    uint32_t days;              /* of day_feed.h; 0: a feed that has none */
} world_t;

typedef struct live_order {
    uint64_t ref;
    uint16_t locate;
    uint32_t qty;
} live_order_t;

/* A trade that no displayed order shows, a cross, or a trade of before that is broken. */
static tick_t other_trade(uint64_t r, uint32_t i)
{
    static const uint8_t types[] = {ITCH_TRADE, ITCH_TRADE, ITCH_CROSS_TRADE, ITCH_BROKEN_TRADE};
    tick_t t = tick_of(types[r >> 12 & 3], (uint16_t)(1 + r % LOCATES));
    t.match = t.type == ITCH_BROKEN_TRADE ? i - (r >> 14) % 40 : i;
    if (t.type == ITCH_BROKEN_TRADE)
        return t;
    t.px_e4 = 999600 + (uint32_t)(r >> 20) % 10 * 100;
    t.qty = t.type == ITCH_TRADE ? 1 + (uint32_t)(r >> 30) % 200 : 0;
    t.qty64 = t.type == ITCH_TRADE ? 0 : (r >> 30) % 400;
    return t;
}

/* An execution, now and then at a price of its own, or in a cross. */
static tick_t execution(const live_order_t *o, uint32_t qty, uint64_t r, uint32_t i)
{
    tick_t t = tick_execute(o->locate, o->ref, qty);
    t.match = i;
    if (r >> 41 & 3)
        return t;
    t.type = ITCH_ORDER_EXECUTED_WITH_PRICE;
    t.printable = r >> 43 & 1 ? 'Y' : 'N';
    t.px_e4 = 999600 + (uint32_t)(r >> 44) % 10 * 100;
    return t;
}

typedef struct flow {
    uint64_t ref;
    live_order_t live[64];
    uint32_t live_count;
} flow_t;

static tick_t draw_tick(flow_t *f, uint64_t r, uint32_t i)
{
    uint16_t locate = (uint16_t)(1 + r % LOCATES);
    if ((r >> 50) % 16 == 0)
        return other_trade(r, i + 1);
    if (f->live_count < 8 || (f->live_count < 64 && (r >> 8 & 1))) {
        uint8_t side = r >> 9 & 1 ? 'B' : 'S';
        uint32_t away = (uint32_t)(r >> 10) % 6 * 100;
        uint32_t px = side == 'B' ? 1000000 - away : 1000100 + away;
        live_order_t *o = &f->live[f->live_count++];
        *o = (live_order_t){++f->ref, locate, 1 + (uint32_t)(r >> 20) % 300};
        return tick_add(locate, o->ref, side, o->qty, px);
    }
    live_order_t *o = &f->live[(uint32_t)(r >> 10) % f->live_count];
    uint32_t qty = 1 + (uint32_t)(r >> 20) % o->qty;
    bool executed = r >> 40 & 1;
    tick_t t = executed ? execution(o, qty, r, i + 1) : tick_delete(o->locate, o->ref);
    o->qty -= executed ? qty : o->qty;
    if (o->qty == 0)
        *o = f->live[--f->live_count];
    return t;
}

static void make_ticks(const world_t *world, tick_t *ticks)
{
    uint64_t random = world->seed, stamp_ns = 1000000;
    flow_t flow = {0};
    if (world->days != 0)
        day_feed_make(world->seed, world->days, ticks, world->ticks);
    for (uint32_t i = 0; i < world->ticks; i++) {
        uint64_t r = next_random(&random);
        if (world->days == 0)
            ticks[i] = draw_tick(&flow, r, i);
        stamp_ns += next_random(&random) % world->gap_ns;
        if (next_random(&random) % 50 == 0)
            stamp_ns += 30 * world->gap_ns;
        ticks[i].event = tick_pack(stamp_ns, 0);
        ticks[i].intended = tick_pack(i + 1, tick_locate(&ticks[i]));
    }
}

/* ---- the stages */

/* Stages that are polled together, in the order of the data path. */
typedef struct process {
    uint32_t count;
    tbus_stage_t *stages[STAGES];
    market_t *market;
    bool sleeps;
} process_t;

typedef struct run {
    tbus_bus_t bus;
    kill_switch_t *kill_switch;
    tick_t *ticks;
    uint32_t fed;
    market_clock_t clock;
    tbus_stage_t feed;
    tbus_publisher_t md;
    tbus_horizon_t *horizon;
    uint32_t stages_count;
    tbus_stage_t *stages[STAGES];
    uint32_t processes_count;
    process_t processes[STAGES];
    uint32_t process_of[STAGES];
    tbus_observer_t orders;
} run_t;

/* What must be the same. */
typedef struct outcome {
    uint64_t hash[STRATEGIES];
    uint64_t calls[STRATEGIES];
    uint64_t orders[STRATEGIES];
    uint64_t approved, reports, bbo;
    uint64_t executions, sent;
} outcome_t;

static tbus_ring_t *make_topic(run_t *r, const char *name, enum tbus_ring_kind kind,
                               uint32_t slot_bytes)
{
    tbus_ring_spec_t spec = {.kind = kind, .slot_count = SLOTS, .slot_bytes = slot_bytes};
    snprintf(spec.name, sizeof spec.name, "%s", name);
    return test_topic(&r->bus, spec, name);
}

static market_t *make_market(void)
{
    market_t *market = NULL;
    assert_int_equal(
        market_create(&(market_limits_t){.orders_max = 256, .levels_max = 256}, &market, NULL), 0);
    return market;
}

enum { TOGETHER = 0, EACH_ALONE = 2 }; /* schedules */

/* `schedule` 0: all stages in one process; an even one: each has its own; an odd one: any. */
static void share_out(run_t *r, uint64_t schedule)
{
    uint64_t random = schedule;
    r->processes_count = schedule == 0 ? 1 : r->stages_count;
    for (uint32_t i = 0; i < r->stages_count; i++) {
        uint64_t any = next_random(&random) >> 20;
        r->process_of[i] = schedule == 0 ? 0 : schedule % 2 ? (uint32_t)(any % STAGES) : i;
        r->process_of[i] %= r->processes_count;
    }
    for (uint32_t k = 0; k < r->processes_count; k++)
        r->processes[k].market = make_market();
}

static market_t *market_of(run_t *r, uint32_t stage)
{
    return r->processes[r->process_of[stage]].market;
}

static void open_run(run_t *r, const world_t *world, uint64_t schedule)
{
    static const char *const names[] = {"strategy", "strategy2"};
    tbus_error_t err = {0};
    uint32_t n = world->strategies;
    made = 0;
    test_bus_create(&r->bus, "drive");
    assert_int_equal(kill_switch_add(&r->bus, &r->kill_switch, NULL), 0);
    tbus_ring_t *md = make_topic(r, "md", TBUS_BROADCAST, 64);
    make_topic(r, "bbo", TBUS_BROADCAST, 64);
    make_topic(r, "orders", TBUS_MPMC, 64);
    make_topic(r, "judged", TBUS_SPSC, 64);
    make_topic(r, "approved", TBUS_BROADCAST, 64);
    make_topic(r, "reports", TBUS_BROADCAST, 64);
    make_topic(r, EVENT_TOPIC, TBUS_BROADCAST_MP, EVENT_SLOT);
    test_participant(&r->bus, "feed", FEED);
    for (uint32_t i = 0; i < n; i++) {
        test_participant(&r->bus, names[i], FIRST_STRATEGY + i);
        test_reserve(&r->bus, "md", names[i], TBUS_SUBSCRIBER);
        test_reserve(&r->bus, "reports", names[i], TBUS_SUBSCRIBER);
    }
    uint32_t risk = FIRST_STRATEGY + n, executor = risk + 1;
    test_participant(&r->bus, "risk", risk);
    test_participant(&r->bus, "executor", executor);
    test_reserve(&r->bus, "md", "risk", TBUS_SUBSCRIBER);
    test_reserve(&r->bus, "reports", "risk", TBUS_SUBSCRIBER);
    test_reserve(&r->bus, "orders", "risk", TBUS_CONSUMER);
    test_reserve(&r->bus, "md", "executor", TBUS_SUBSCRIBER);
    test_reserve(&r->bus, "judged", "executor", TBUS_SUBSCRIBER);
    r->md = test_publisher(md, FEED);
    r->feed = (tbus_stage_t){.bus = &r->bus, .owner = FEED, .name = "feed"};
    r->horizon = tbus_stage_keep_horizon(&r->feed, "md", 0);
    r->stages_count = n + 2;
    share_out(r, schedule);
    for (uint32_t i = 0; i < n; i++) {
        strategy_stage_params_t p = {.strategy =
                                         world->strategy ? world->strategy : &nervous_strategy,
                                     .params = &world->eagerness,
                                     .open_orders_max = 8,
                                     .number = (uint16_t)(i + 1),
                                     .session = &world->session};
        if (strategy_stage_create(&r->bus, FIRST_STRATEGY + i, market_of(r, i), &p, &r->stages[i],
                                  &err) < 0)
            fail_msg("%s", err.text);
    }
    risk_params_t risk_params = {
        .session = &world->session, .messages_max = 24 * n, .no_orders = world->no_orders};
    tbus_params_defaults(&risk_limits_params, &risk_params.limits);
    risk_params.limits.position_max = 2000;
    risk_params.limits.orders_per_second = 2000;
    if (risk_stage_create(&r->bus, risk, market_of(r, n), &risk_params, &r->stages[n], &err) < 0)
        fail_msg("%s", err.text);
    executor_params_t venue_params = {
        .session = &world->session, .messages_max = 24 * n, .no_orders = world->no_orders};
    tbus_params_defaults(&venue_limits_params, &venue_params.venue);
    venue_params.venue.resting_max = 64;
    if (executor_stage_create(&r->bus, executor, market_of(r, n + 1), &venue_params,
                              &r->stages[n + 1], &err) < 0)
        fail_msg("%s", err.text);
    for (uint32_t i = 0; i < r->stages_count; i++) {
        process_t *process = &r->processes[r->process_of[i]];
        assert_int_equal(r->stages[i]->ops->start(r->stages[i]), 0);
        process->stages[process->count++] = r->stages[i];
    }
    assert_int_equal(
        tbus_observer_join(tbus_bus_ring(&r->bus, "orders"), TBUS_FROM_NOW, &r->orders, NULL), 0);
    r->ticks = calloc(world->ticks, sizeof *r->ticks);
    make_ticks(world, r->ticks);
}

static void close_run(run_t *r)
{
    for (uint32_t i = 0; i < r->stages_count; i++)
        r->stages[i]->ops->destroy(r->stages[i]);
    for (uint32_t k = 0; k < r->processes_count; k++)
        market_destroy(r->processes[k].market);
    tbus_bus_close(&r->bus);
    free(r->ticks);
}

/* ---- running it */

/* Publish a tick if there is room; now and then say how far the next one is, without it. */
static bool feed(run_t *r, const world_t *world, bool tells)
{
    if (r->fed == world->ticks) {
        bool news = tbus_load_relaxed_u64(&r->horizon->at) != TBUS_HORIZON_END;
        tbus_horizon_raise(r->horizon, TBUS_HORIZON_END, true);
        return news;
    }
    const tick_t *tick = &r->ticks[r->fed];
    market_clock_t then = market_clock_at(r->clock, tick, sizeof *tick);
    if (tells) {
        bool news = tbus_load_relaxed_u64(&r->horizon->at) < then.now_ns;
        tbus_horizon_raise(r->horizon, then.now_ns, true);
        return news;
    }
    if (tbus_publish_try(&r->md, tick, sizeof *tick) != TBUS_PUBLISHED)
        return false;
    r->clock = then;
    r->fed++;
    return true;
}

static void flush(const tbus_stage_t *stage)
{
    for (uint32_t i = 0; i < stage->subscribers_count; i++)
        tbus_subscriber_flush(stage->subscribers[i]);
    for (uint32_t i = 0; i < stage->publishers_count; i++)
        tbus_publisher_flush(stage->publishers[i]);
}

static uint64_t horizon_of(run_t *r, uint32_t stage)
{
    return tbus_load_relaxed_u64(&tbus_participant(&r->bus, r->stages[stage]->owner)->horizon.at);
}

static bool finished(run_t *r)
{
    for (uint32_t i = 0; i < r->stages_count; i++)
        if (horizon_of(r, i) != TBUS_HORIZON_END || r->stages[i]->pending)
            return false;
    return true;
}

/* Has a horizon risen that it waits for? */
static bool a_horizon_rose(const tbus_stage_t *stage)
{
    for (uint32_t k = 0; k < stage->horizons_count; k++)
        if (stage->horizons[k]->awaited &&
            tbus_load_relaxed_u64(&stage->horizons[k]->shared->at) != stage->horizons[k]->seen)
            return true;
    return false;
}

/* Would its waiter wake this process, as things are (bus/ring/wait.c)? */
static bool is_woken(const process_t *process)
{
    size_t bytes;
    for (uint32_t i = 0; i < process->count; i++) {
        const tbus_stage_t *stage = process->stages[i];
        for (uint32_t k = 0; k < stage->subscribers_count; k++)
            if (!stage->subscribers[k]->held_back && tbus_peek(stage->subscribers[k], &bytes))
                return true;
        for (uint32_t k = 0; k < stage->publishers_count; k++)
            if (stage->publishers[k]->blocked)
                return true;
        if (a_horizon_rose(stage))
            return true;
    }
    return false;
}

static bool may_run(const process_t *process)
{
    return !process->sleeps || is_woken(process);
}

/* No order has a time that its strategy had said to have passed. */
static void check_promises(run_t *r, const uint64_t *promised)
{
    _Alignas(64) unsigned char message[64];
    size_t bytes;
    uint64_t seq, lost;
    order_t order;
    while (tbus_observe(&r->orders, message, &bytes, &seq, &lost) == 1) {
        memcpy(&order, message, sizeof order);
        uint32_t stage = order_strategy(&order) - 1u;
        if (promised[stage] != TBUS_HORIZON_END) /* what a halt causes may come behind the end */
            assert_true(order.at >= promised[stage]);
    }
}

/* A turn of a process. True: something moved. */
static bool poll_one(run_t *r, uint32_t which, uint32_t budget)
{
    process_t *process = &r->processes[which];
    uint64_t before[STAGES];
    uint32_t failed = 0;
    if (process->count == 0)
        return false;
    for (uint32_t i = 0; i < r->stages_count; i++)
        before[i] = horizon_of(r, i);
    tbus_stage_t *first = process->stages[0];
    int work = first->ops->poll_together(process->stages, process->count, budget, &failed);
    if (work < 0)
        fail_msg("%s: %s", process->stages[failed]->name, process->stages[failed]->error.text);
    for (uint32_t i = 0; i < process->count; i++)
        flush(process->stages[i]);
    check_promises(r, before);
    bool moved = work > 0;
    for (uint32_t i = 0; i < r->stages_count; i++) {
        assert_true(horizon_of(r, i) >= before[i]);
        moved |= horizon_of(r, i) > before[i];
    }
    /* Who has nothing to do has looked at whatever would wake it: else it never sleeps. */
    for (uint32_t i = 0; work == 0 && i < process->count; i++)
        assert_false(a_horizon_rose(process->stages[i]));
    process->sleeps = !moved && budget > 0;
    return moved;
}

/* What ticks tell beside books is the same in every process, whether it keeps books or not. */
static void same_market_in_all(const run_t *r, const world_t *world)
{
    const process_t *first = NULL;
    for (uint32_t k = 0; k < r->processes_count; k++) {
        const process_t *process = &r->processes[k];
        if (process->count == 0)
            continue;
        first = first ? first : process;
        const market_stage_t *one = (const market_stage_t *)(const void *)first->stages[0];
        const market_stage_t *other = (const market_stage_t *)(const void *)process->stages[0];
        assert_int_equal(market_seq(process->market), world->ticks);
        assert_memory_equal(&other->clock, &one->clock, sizeof one->clock);
        assert_memory_equal(market_day(process->market), market_day(first->market),
                            sizeof(market_day_t));
        for (uint16_t locate = 1; world->days != 0 && locate <= LOCATES; locate++)
            assert_int_equal(market_symbol(process->market, locate)->trading,
                             market_symbol(first->market, locate)->trading);
    }
}

/* `schedule` 0: all together, else the seed of the order in which they run. */
static outcome_t play(const world_t *world, uint64_t schedule)
{
    run_t *r = calloc(1, sizeof *r);
    uint64_t random = schedule;
    bool together = schedule == 0;
    unsigned idle = 0;
    uint64_t turns = 0, turns_max = UINT64_C(4000) * world->ticks;
    open_run(r, world, schedule);
    /* Each schedule has its favourites, so that some are far ahead and others far behind. */
    uint32_t weights[STAGES + 1], sum = 0;
    for (uint32_t i = 0; i <= r->processes_count; i++)
        sum += weights[i] = together ? 1 : 1 + (uint32_t)(next_random(&random) % 20);
    while (!finished(r)) {
        uint64_t x = together ? 0 : next_random(&random);
        uint32_t budget = together ? 8 : (uint32_t)(x >> 40) % 20;
        bool moved;
        if (together) {
            bool fed = feed(r, world, false);
            moved = poll_one(r, 0, budget) || fed;
        } else {
            uint32_t at = (uint32_t)(x >> 8) % sum, i = 0;
            while (at >= weights[i])
                at -= weights[i++];
            if (i == r->processes_count)
                moved = feed(r, world, x >> 60 == 0);
            else
                moved = may_run(&r->processes[i]) && poll_one(r, i, budget);
        }
        if (world->halts && (x >> 30) % 256 == 0) {
            if (kill_switch_thrown(r->kill_switch))
                kill_switch_release(r->kill_switch, (kill_switch_actor_t){0}, "mended");
            else
                kill_switch_throw(r->kill_switch, KILL_BY_OPERATOR, "a test");
        }
        idle = moved ? 0 : idle + 1;
        if (idle > 20000 || ++turns > turns_max)
            fail_msg("world %llu, schedule %llu: all %s, at tick %u of %u",
                     (unsigned long long)world->seed, (unsigned long long)schedule,
                     idle > 20000 ? "wait" : "creep", r->fed, world->ticks);
    }
    same_market_in_all(r, world);
    for (uint32_t i = 0; i < r->stages_count; i++)
        if (r->stages[i]->ops->finish)
            assert_int_equal(r->stages[i]->ops->finish(r->stages[i]), 0);
    outcome_t o = {.approved = tbus_counter_value(&r->bus, "digest.approved"),
                   .reports = tbus_counter_value(&r->bus, "digest.reports"),
                   .bbo = tbus_counter_value(&r->bus, "digest.bbo"),
                   .executions = tbus_counter_value(&r->bus, "executor.executions"),
                   .sent = tbus_counter_value(&r->bus, "orders.sent")};
    for (uint32_t i = 0; i < world->strategies; i++) {
        tbus_counter_view_t counter;
        o.hash[i] = nervous[i].hash;
        o.calls[i] = nervous[i].calls;
        for (uint32_t cursor = 0; tbus_counter_next(&r->bus, &cursor, &counter);)
            if (counter.owner == FIRST_STRATEGY + i && !strcmp(counter.name, "digest.orders"))
                o.orders[i] = counter.value;
    }
    close_run(r);
    free(r);
    return o;
}

static const struct {
    const char *name;
    size_t at, bytes;
} fields[] = {{"what strategies were told", offsetof(outcome_t, hash), 2 * 8},
              {"how often strategies were called", offsetof(outcome_t, calls), 2 * 8},
              {"orders", offsetof(outcome_t, orders), 2 * 8},
              {"approved orders", offsetof(outcome_t, approved), 8},
              {"reports", offsetof(outcome_t, reports), 8},
              {"touches", offsetof(outcome_t, bbo), 8},
              {"executions", offsetof(outcome_t, executions), 8},
              {"orders sent", offsetof(outcome_t, sent), 8}};

static void compare(const world_t *world, uint64_t schedule, const outcome_t *got,
                    const outcome_t *wanted)
{
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
        if (memcmp((const char *)got + fields[k].at, (const char *)wanted + fields[k].at,
                   fields[k].bytes) != 0)
            fail_msg("world %llu, schedule %llu: %s differ; %llu orders sent, together %llu",
                     (unsigned long long)world->seed, (unsigned long long)schedule, fields[k].name,
                     (unsigned long long)got->sent, (unsigned long long)wanted->sent);
}

static void check(const world_t *world, unsigned schedules)
{
    outcome_t wanted = play(world, 0);
    for (unsigned s = 1; s <= schedules; s++) {
        uint64_t schedule = world->seed * 1000003 + s;
        outcome_t got = play(world, schedule);
        compare(world, schedule, &got, &wanted);
    }
    /* The world is one in which something happens. */
    assert_true(wanted.sent > 20 && wanted.executions > 5);
    assert_true(wanted.approved != 0 && wanted.reports != 0 && wanted.bbo != 0);
    for (uint32_t i = 0; i < world->strategies; i++)
        assert_true(wanted.orders[i] != 0 && wanted.calls[i] != 0);
}

static unsigned worlds(void)
{
    const char *text = getenv("DRIVE_WORLDS");
    return text ? (unsigned)atoi(text) : 3;
}

static venue_session_t session_of(uint64_t least_ns, uint64_t most_ns, uint64_t seed)
{
    return (venue_session_t){.clock = SESSION_CLOCK_MARKET,
                             .entry = {least_ns, most_ns},
                             .cancel = {least_ns, most_ns},
                             .response = {least_ns, most_ns},
                             .seed = seed,
                             .reports_max = 4096};
}

static void check_worlds(uint32_t strategies, uint64_t least_ns, uint64_t most_ns, uint64_t gap_ns)
{
    for (unsigned i = 1; i <= worlds(); i++) {
        world_t world = {.seed = i * 7919 + strategies,
                         .ticks = 600,
                         .strategies = strategies,
                         .eagerness = 1 + i % 5,
                         .gap_ns = gap_ns,
                         .session = session_of(least_ns, most_ns, i)};
        check(&world, 3);
    }
}

static void one_strategy_is_told_the_same_in_any_order_of_processes(void **state)
{
    (void)state;
    check_worlds(1, 20000, 80000, 10000);
}

static void two_strategies_are_told_the_same_in_any_order_of_processes(void **state)
{
    (void)state;
    check_worlds(2, 20000, 80000, 10000);
}

static void days_halts_crosses_and_broken_trades_give_the_same(void **state)
{
    (void)state;
    uint64_t crossed = 0, broken = 0, expired = 0;
    for (unsigned i = 1; i <= worlds(); i++) {
        world_t world = {.seed = i * 7919,
                         .ticks = 900,
                         .days = 3,
                         .strategies = 1 + i % 2,
                         .eagerness = 1 + i % 3,
                         .gap_ns = 10000,
                         .session = session_of(20000, 80000, i)};
        check(&world, 3);
        for (uint32_t k = 0; k < world.strategies; k++) {
            crossed += nervous[k].crossed;
            broken += nervous[k].broken;
            expired += nervous[k].expired;
        }
    }
    print_message("%llu executions in crosses, %llu taken back, %llu orders expired\n",
                  (unsigned long long)crossed, (unsigned long long)broken,
                  (unsigned long long)expired);
    assert_true(crossed >= 5 * worlds() && broken >= 5 * worlds() && expired >= 2 * worlds());
}

static void ticks_that_a_strategy_does_not_name_make_no_difference(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= worlds(); i++) {
        world_t world = {.seed = i * 7919,
                         .ticks = 600,
                         .strategies = 1 + i % 2,
                         .eagerness = 1 + i % 5,
                         .gap_ns = 10000,
                         .strategy = &sifting_strategy,
                         .session = session_of(20000, 80000, i)};
        outcome_t sifted = play(&world, 0);
        world.strategy = &naming_strategy;
        outcome_t named = play(&world, 0);
        compare(&world, 0, &named, &sifted);
        check(&world, 3);
    }
}

/* Who keeps no books passes over what is about orders alone, in one go where it can. */
static void where_nobody_sends_orders_all_ticks_are_taken_and_touches_are_the_same(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= worlds(); i++) {
        world_t world = {.seed = i * 7919,
                         .ticks = 900,
                         .days = i % 2 ? 3 : 0,
                         .strategies = 1 + i % 2,
                         .gap_ns = 10000,
                         .strategy = &strategy_null,
                         .session = session_of(20000, 80000, i)};
        outcome_t wanted = play(&world, 1);
        assert_true(wanted.sent == 0 && wanted.bbo != 0);
        world.no_orders = true;
        for (uint64_t schedule = 0; schedule < 8; schedule++) {
            outcome_t got = play(&world, schedule);
            compare(&world, schedule, &got, &wanted);
        }
    }
}

static void latencies_of_a_nanosecond_give_the_same(void **state)
{
    (void)state;
    check_worlds(2, 1, 1, 1000);
}

static void latencies_much_longer_than_a_ring_holds_give_the_same(void **state)
{
    (void)state;
    check_worlds(2, 200000, 600000, 10000);
}

static void cancels_that_overtake_orders_or_are_overtaken_give_the_same(void **state)
{
    (void)state;
    static const session_latency_t quick = {1, 3000}, slow = {50000, 90000};
    for (unsigned i = 1; i <= (worlds() + 1) / 2; i++) {
        world_t world = {.seed = i * 7919,
                         .ticks = 600,
                         .strategies = 2,
                         .eagerness = 1 + i % 5,
                         .gap_ns = 10000,
                         .session = session_of(1, 3000, i)};
        world.session.entry = i % 2 ? slow : quick;
        world.session.cancel = i % 2 ? quick : slow;
        check(&world, 3);
    }
}

static void orders_that_cancel_those_of_another_strategy_give_the_same(void **state)
{
    (void)state;
    cancelled_by_self_match = 0;
    for (unsigned i = 1; i <= worlds(); i++) {
        world_t world = {.seed = i * 7919,
                         .ticks = 400,
                         .strategies = 2,
                         .eagerness = 1 + i % 3,
                         .gap_ns = 10000,
                         .session = session_of(20000, 80000, i)};
        world.session.self_match = i % 2 ? SELF_MATCH_CANCEL_OLDEST : SELF_MATCH_CANCEL_BOTH;
        check(&world, 3);
    }
    assert_true(cancelled_by_self_match > 0);
}

/* Results depend on when the host halts; what stages have said of market time stands. */
static void halts_at_any_time_break_no_promise_and_let_all_come_to_an_end(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= worlds(); i++) {
        world_t world = {.seed = i * 7919,
                         .ticks = 600,
                         .strategies = 2,
                         .eagerness = 1 + i % 5,
                         .gap_ns = 10000,
                         .session = session_of(1, 30000, i),
                         .halts = true};
        for (uint64_t schedule = 1; schedule <= 6; schedule++)
            (void)play(&world, world.seed * 1000003 + schedule);
    }
}

static void ticks_of_one_time_give_the_same(void **state)
{
    (void)state;
    check_worlds(2, 1, 3, 2);
}

/* ---- waiting for others */

/* Who has a tick in hand does not ask the feed. */
static bool has_tick_in_hand(run_t *r, uint32_t stage)
{
    size_t bytes;
    return tbus_peek(&((market_stage_t *)(void *)r->stages[stage])->md, &bytes) != NULL;
}

static unsigned count_awaited(const run_t *r, unsigned *out_views)
{
    unsigned awaited = 0;
    *out_views = 0;
    for (uint32_t i = 0; i < r->stages_count; i++)
        for (uint32_t k = 0; k < r->stages[i]->horizons_count; k++) {
            awaited += r->stages[i]->horizons[k]->awaited;
            ++*out_views;
        }
    return awaited;
}

static void check_awaited(bool together)
{
    world_t world = {.seed = 7919,
                     .ticks = 40,
                     .strategies = 2,
                     .eagerness = 3,
                     .gap_ns = 10000,
                     .session = session_of(20000, 80000, 1)};
    run_t *r = calloc(1, sizeof *r);
    unsigned views = 0;
    open_run(r, &world, together ? TOGETHER : EACH_ALONE);
    while (!finished(r)) {
        while (feed(r, &world, false))
            ;
        for (uint32_t i = 0; i < r->processes_count; i++)
            (void)poll_one(r, i, 1);
        if (tbus_load_relaxed_u64(&r->horizon->at) == TBUS_HORIZON_END)
            continue; /* some have seen the end, some have not */
        unsigned awaited = count_awaited(r, &views);
        for (uint32_t i = 0; i < r->processes_count; i++) {
            bool asks = !has_tick_in_hand(r, i);
            assert_int_equal(((market_stage_t *)(void *)r->stages[i])->feed.awaited, asks);
            awaited += !asks;
        }
        assert_int_equal(awaited, together ? 1 : views);
    }
    for (uint32_t i = 0; i < r->stages_count && !together; i++)
        (void)poll_one(r, i, 1); /* each sees that all have ended */
    assert_int_equal(count_awaited(r, &views), 0);
    assert_int_equal(views, 9); /* the feed by each; and by strategies the executor, by it risk, and
                                   by risk both strategies */
    close_run(r);
    free(r);
}

static void
whoever_is_in_another_process_is_awaited_until_it_has_ended_and_nobody_else(void **state)
{
    (void)state;
    check_awaited(true);
    check_awaited(false);
}

/* ---- what is told of waiting */

static world_t plain_world(void)
{
    return (world_t){.seed = 7919,
                     .ticks = 3,
                     .strategies = 1,
                     .gap_ns = 1,
                     .session = session_of(20000, 20000, 1),
                     .strategy = &plain_strategy};
}

/* Its time, from the first one on. */
static void set_time(run_t *r, uint32_t tick, uint64_t after_ns)
{
    uint64_t stamp_ns = tick_event_ns(&r->ticks[0]) + after_ns;
    r->ticks[tick].event = tick_pack(stamp_ns, 0);
}

static void each_tick_that_waits_for_another_process_is_counted_and_its_wait_measured(void **state)
{
    (void)state;
    run_t *r = calloc(1, sizeof *r);
    world_t world = plain_world();
    open_run(r, &world, EACH_ALONE);
    const tbus_histogram_t *waits = tbus_bus_histogram(&r->bus, "wait_horizon");
    set_time(r, 1, 30000); /* before any report can come, 40 us after an order */
    set_time(r, 2, 100000);
    while (r->fed < world.ticks)
        assert_true(feed(r, &world, false));
    for (unsigned i = 0; i < 5; i++)
        (void)poll_one(r, 0, 8);
    assert_int_equal(market_seq(market_of(r, 0)), 2);
    assert_int_equal(tbus_counter_value(&r->bus, "wait_horizon.ticks"), 1);
    assert_int_equal(tbus_load_relaxed_u64(&waits->count), 0); /* it still waits */
    for (unsigned i = 0; i < 1000 && market_seq(market_of(r, 0)) < 3; i++) {
        (void)poll_one(r, 1, 8);
        (void)poll_one(r, 2, 8);
        (void)poll_one(r, 0, 8);
    }
    assert_int_equal(market_seq(market_of(r, 0)), 3);
    assert_int_equal(tbus_counter_value(&r->bus, "wait_horizon.ticks"), 1);
    assert_int_equal(tbus_load_relaxed_u64(&waits->count), 1);
    assert_true(tbus_load_relaxed_u64(&waits->sum) < tbus_clock_ns()); /* a span, not a moment */
    close_run(r);
    free(r);
}

/* Of the second order, which the timer caused, when the tick behind it had come, or nothing was
 * known but how far away that is. */
static uint64_t second_intended_ns(bool with_tick)
{
    run_t *r = calloc(1, sizeof *r);
    world_t world = plain_world();
    tbus_observer_t orders;
    order_t order;
    size_t bytes;
    uint64_t seq, lost;
    open_run(r, &world, EACH_ALONE);
    assert_int_equal(
        tbus_observer_join(tbus_bus_ring(&r->bus, "orders"), TBUS_FROM_NOW, &orders, NULL), 0);
    set_time(r, 1, 2 * TIMER_NS);
    assert_true(feed(r, &world, false));
    if (with_tick)
        assert_true(feed(r, &world, false));
    else
        assert_true(feed(r, &world, true));
    (void)poll_one(r, 0, 1); /* the first tick, and things before the second */
    assert_int_equal(market_seq(market_of(r, 0)), 1);
    _Alignas(64) unsigned char message[64];
    assert_int_equal(tbus_observe(&orders, message, &bytes, &seq, &lost), 1);
    memcpy(&order, message, sizeof order);
    assert_int_equal(order.intended, tick_intended_ns(&r->ticks[0]));
    assert_int_equal(tbus_observe(&orders, message, &bytes, &seq, &lost), 1);
    memcpy(&order, message, sizeof order);
    close_run(r);
    free(r);
    return order.intended;
}

static void what_a_timer_causes_answers_no_tick_whatever_shows_that_its_time_has_come(void **state)
{
    (void)state;
    assert_int_equal(second_intended_ns(true), 0); /* it is not timed */
    assert_int_equal(second_intended_ns(false), 0);
}

/* ---- what may make the venue report something */

enum { BUY_PX = 1000000, SELL_PX = 1000100 };

static void pair_on_tick(void *self, strat_context_t *ctx, const tick_t *tick, uint64_t md_seq)
{
    (void)self;
    (void)tick;
    if (md_seq != 2)
        return;
    assert_true(strat_send(ctx, 1, 'B', 1, BUY_PX, ORDER_TIF_DAY) != 0);
    assert_true(strat_send(ctx, 1, 'B', 1, BUY_PX - 100, ORDER_TIF_DAY) != 0);
    assert_true(strat_send(ctx, 1, 'S', 1, SELL_PX, ORDER_TIF_DAY) != 0);
    assert_true(strat_send(ctx, 1, 'S', 1, SELL_PX + 100, ORDER_TIF_DAY) != 0);
}

static const strategy_t pair_strategy = {.api = STRATEGY_API,
                                         .struct_bytes = sizeof(strategy_t),
                                         .name = "pair",
                                         .create = plain_create,
                                         .on_tick = pair_on_tick};

static uint64_t bound_of(run_t *r)
{
    return ((market_stage_t *)(void *)r->stages[0])->bound_ns;
}

/* The executor has gone past all that the feed has said. */
static void pass_all(run_t *r)
{
    uint32_t executor = r->stages[r->stages_count - 1]->owner;
    tbus_horizon_raise(&tbus_participant(&r->bus, executor)->horizon, r->clock.now_ns + 1, true);
    (void)poll_one(r, 0, 8);
    assert_int_equal(bound_of(r), MARKET_NEVER);
}

static void give(run_t *r, const world_t *world, tick_t tick)
{
    uint64_t stamp_ns = r->clock.stamp_ns + SECOND_NS;
    tick.event = tick_pack(stamp_ns, 0);
    tick.intended = tick_pack(1, tick_locate(&tick));
    r->ticks[r->fed] = tick;
    assert_true(feed(r, world, false));
    (void)poll_one(r, 0, 8);
    assert_int_equal(market_seq(market_of(r, 0)), r->fed);
}

/* While both its orders of each side rest: does the strategy wait for a report after `then`? */
static bool waits_after(tick_t first, tick_t then)
{
    run_t *r = calloc(1, sizeof *r);
    world_t world = plain_world();
    world.strategy = &pair_strategy;
    world.ticks = 4;
    open_run(r, &world, EACH_ALONE);
    /* A touch outside of the orders, so that risk lets them pass and they rest. */
    give(r, &world, tick_add(1, 101, 'B', 1, BUY_PX - 1000));
    give(r, &world, tick_add(1, 102, 'S', 1, SELL_PX + 1000));
    tbus_horizon_raise(r->horizon, r->clock.now_ns + 1000000, true);
    for (unsigned i = 0; i < 1000 && tbus_counter_value(&r->bus, "orders.accepted") < 4; i++)
        for (uint32_t k = 0; k < r->stages_count; k++)
            (void)poll_one(r, k, 8);
    assert_int_equal(tbus_counter_value(&r->bus, "orders.accepted"), 4);
    give(r, &world, first);
    pass_all(r);
    give(r, &world, then);
    bool waits = bound_of(r) != MARKET_NEVER;
    if (waits) /* no longer than it has to */
        assert_int_equal(bound_of(r), r->clock.now_ns + world.session.response.least_ns);
    pass_all(r);
    close_run(r);
    free(r);
    return waits;
}

/* A trade that no displayed order shows. */
static tick_t trade_at(uint8_t type, uint16_t locate, uint32_t px_e4)
{
    tick_t t = tick_of(type, locate);
    t.px_e4 = px_e4;
    t.qty = 1;
    return t;
}

/* C: order 1 is executed at a price of its own. */
static tick_t print_at(uint32_t px_e4)
{
    tick_t t = tick_execute(1, 1, 1);
    t.type = ITCH_ORDER_EXECUTED_WITH_PRICE;
    t.printable = 'Y';
    t.px_e4 = px_e4;
    return t;
}

static void
a_strategy_waits_for_reports_after_what_may_execute_its_orders_and_nothing_else(void **state)
{
    (void)state;
    tick_t none = trade_at(ITCH_TRADE, 1, BUY_PX + 1);
    const struct {
        const char *what;
        tick_t first, then;
        bool waits;
    } rows[] = {
        {"a bid at our bid", none, tick_add(1, 1, 'B', 5, BUY_PX), false},
        {"a bid below our offer", none, tick_add(1, 1, 'B', 5, SELL_PX - 1), false},
        {"a bid at our offer", none, tick_add(1, 1, 'B', 5, SELL_PX), true},
        {"a bid above our offer", none, tick_add(1, 1, 'B', 5, SELL_PX + 1), true},
        {"an offer at our offer", none, tick_add(1, 1, 'S', 5, SELL_PX), false},
        {"an offer above our bid", none, tick_add(1, 1, 'S', 5, BUY_PX + 1), false},
        {"an offer at our bid", none, tick_add(1, 1, 'S', 5, BUY_PX), true},
        {"an offer below our bid", none, tick_add(1, 1, 'S', 5, BUY_PX - 1), true},
        {"a bid of another symbol", none, tick_add(2, 1, 'B', 5, SELL_PX), false},
        {"an offer of another symbol", none, tick_add(2, 1, 'S', 5, BUY_PX), false},
        {"an execution at our bid", tick_add(1, 1, 'B', 5, BUY_PX), tick_execute(1, 1, 1), true},
        {"one below it", tick_add(1, 1, 'B', 5, BUY_PX - 1), tick_execute(1, 1, 1), true},
        {"one above it", tick_add(1, 1, 'B', 5, BUY_PX + 1), tick_execute(1, 1, 1), false},
        {"an execution at our offer", tick_add(1, 1, 'S', 5, SELL_PX), tick_execute(1, 1, 1), true},
        {"one above it", tick_add(1, 1, 'S', 5, SELL_PX + 1), tick_execute(1, 1, 1), true},
        {"one below it", tick_add(1, 1, 'S', 5, SELL_PX - 1), tick_execute(1, 1, 1), false},
        {"a delete at our bid", tick_add(1, 1, 'B', 5, BUY_PX), tick_delete(1, 1), false},
        {"a delete at our offer", tick_add(1, 1, 'S', 5, SELL_PX), tick_delete(1, 1), false},
        {"a halt", none, tick_trading(1, 'H'), true},
        {"a trade between our orders", none, none, false},
        {"one below our bid", none, trade_at(ITCH_TRADE, 1, BUY_PX - 1), true},
        {"one above our offer", none, trade_at(ITCH_TRADE, 1, SELL_PX + 1), true},
        {"one of another symbol", none, trade_at(ITCH_TRADE, 2, BUY_PX - 1), false},
        {"a print below our bid", tick_add(1, 1, 'B', 5, BUY_PX + 1), print_at(BUY_PX - 1), true},
        {"a print above it", tick_add(1, 1, 'B', 5, BUY_PX - 1), print_at(BUY_PX + 1), false},
        {"a cross", none, trade_at(ITCH_CROSS_TRADE, 1, BUY_PX + 1), true},
        {"a cross of another symbol", none, trade_at(ITCH_CROSS_TRADE, 2, BUY_PX + 1), false},
        {"a broken trade", none, tick_of(ITCH_BROKEN_TRADE, 1), true},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        if (waits_after(rows[i].first, rows[i].then) != rows[i].waits)
            fail_msg("%s (row %u): %s", rows[i].what, i,
                     rows[i].waits ? "it does not wait" : "it waits");
}

static void take_the_offer(void *self, strat_context_t *ctx, const tick_t *tick, uint64_t md_seq)
{
    (void)self;
    (void)tick;
    if (md_seq == 2)
        assert_true(strat_send(ctx, 1, 'B', 1, SELL_PX, ORDER_TIF_DAY) != 0);
}

static const strategy_t taking_strategy = {.api = STRATEGY_API,
                                           .struct_bytes = sizeof(strategy_t),
                                           .name = "taking",
                                           .create = plain_create,
                                           .on_tick = take_the_offer};

/* With nothing open: does a strategy wait for a report when a trade is broken? */
static bool waits_when_broken(const strategy_t *strategy, unsigned filled)
{
    run_t *r = calloc(1, sizeof *r);
    world_t world = plain_world();
    world.strategy = strategy;
    open_run(r, &world, EACH_ALONE);
    give(r, &world, tick_add(1, 101, 'B', 1, BUY_PX));
    give(r, &world, tick_add(1, 102, 'S', 1, SELL_PX));
    tbus_horizon_raise(r->horizon, r->clock.now_ns + 1000000, true);
    for (unsigned i = 0; i < 1000 && tbus_counter_value(&r->bus, "orders.filled") < filled; i++)
        for (uint32_t k = 0; k < r->stages_count; k++)
            (void)poll_one(r, k, 8);
    assert_int_equal(tbus_counter_value(&r->bus, "orders.filled"), filled);
    assert_int_equal(tbus_counter_value(&r->bus, "orders.open"), 0);
    pass_all(r);
    give(r, &world, tick_of(ITCH_BROKEN_TRADE, 1));
    bool waits = bound_of(r) != MARKET_NEVER;
    if (waits) /* no longer than it has to */
        assert_int_equal(bound_of(r), r->clock.now_ns + world.session.response.least_ns);
    close_run(r);
    free(r);
    return waits;
}

static void who_had_executions_waits_when_a_trade_is_broken_and_nobody_else(void **state)
{
    (void)state;
    assert_true(waits_when_broken(&taking_strategy, 1));
    assert_false(waits_when_broken(&strategy_null, 0));
}

/* ---- stages that keep no books */

static const market_stage_ops_t *executor_ops;
static unsigned told_of_orders;

static int count_and_pass_on(market_stage_t *s, const tick_t *tick, size_t bytes,
                             const market_event_t *event)
{
    told_of_orders += itch_is_of_an_order(tick->type);
    assert_int_equal(s->now_ns, s->leader->clock.now_ns);
    return executor_ops->on_tick(s, tick, bytes, event);
}

/* The executor of such a pipeline, made to ask for the ticks of one symbol. */
static void a_stage_without_books_is_told_of_the_ticks_that_it_asks_for(void **state)
{
    (void)state;
    static uint64_t concerns[MARKET_LOCATES / 64];
    run_t *r = calloc(1, sizeof *r);
    world_t world = plain_world();
    world.strategy = &strategy_null;
    world.no_orders = true;
    world.ticks = 500;
    open_run(r, &world, EACH_ALONE);
    market_stage_t *executor = (market_stage_t *)(void *)r->stages[r->stages_count - 1];
    market_stage_ops_t ops = *executor->ops;
    executor_ops = executor->ops;
    ops.on_tick = count_and_pass_on;
    executor->ops = &ops;
    concerns[0] = UINT64_C(1) << 2;
    executor->concerns = concerns;
    told_of_orders = 0;
    for (unsigned turns = 0; !finished(r) && turns < 100000; turns++) {
        (void)feed(r, &world, false);
        for (uint32_t k = 0; k < r->stages_count; k++)
            (void)poll_one(r, k, 8);
    }
    assert_true(finished(r));
    unsigned wanted = 0;
    for (uint32_t i = 0; i < world.ticks; i++)
        wanted += itch_is_of_an_order(r->ticks[i].type) && tick_locate(&r->ticks[i]) == 2;
    assert_true(wanted > 50);
    assert_int_equal(told_of_orders, wanted);
    close_run(r);
    free(r);
}

/* ---- ticks that come between two looks */

enum { PAGE = 4096 };

/* The feed's horizon as a stage sees it: to look at it the first time is a fault, and the feed
 * publishes its next ticks right then. */
static struct {
    run_t *run;
    const world_t *world;
    void *page;
} between;

static void publish_between(int number)
{
    (void)number;
    assert_int_equal(mprotect(between.page, PAGE, PROT_READ | PROT_WRITE), 0);
    while (between.run->fed < 2)
        assert_true(feed(between.run, between.world, false));
}

/* How far a stage says that it is when it had no tick in hand, asked the feed, and took the first
 * of two ticks that came meanwhile. */
static uint64_t promised_after_tick_between(uint32_t stage, bool for_warming_up)
{
    run_t *r = calloc(1, sizeof *r);
    world_t world = plain_world();
    open_run(r, &world, EACH_ALONE);
    for (uint32_t i = 0; i < 2 && for_warming_up; i++)
        r->ticks[i].intended = tick_pack(TICK_WARM_UP, tick_locate(&r->ticks[i]));
    market_stage_t *s = (market_stage_t *)(void *)r->stages[stage];
    tbus_horizon_t *shared = s->feed.shared;
    void *page = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(page != MAP_FAILED);
    between.run = r;
    between.world = &world;
    between.page = page;
    struct sigaction faults = {.sa_handler = publish_between}, before;
    assert_int_equal(sigaction(SIGSEGV, &faults, &before), 0);
    s->feed.shared = page;
    (void)poll_one(r, stage, 1);
    s->feed.shared = shared;
    assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
    assert_int_equal(munmap(page, PAGE), 0);
    assert_int_equal(r->fed, 2);
    assert_int_equal(market_seq(market_of(r, stage)), 1);
    uint64_t promised_ns = horizon_of(r, stage);
    close_run(r);
    free(r);
    return promised_ns;
}

static void a_tick_that_comes_while_the_feed_is_asked_breaks_no_promise(void **state)
{
    (void)state;
    for (uint32_t stage = 0; stage < 3; stage++) {
        assert_in_range(promised_after_tick_between(stage, true), 0, 1);
        assert_in_range(promised_after_tick_between(stage, false), 0, TIMER_NS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_strategy_is_told_the_same_in_any_order_of_processes),
        cmocka_unit_test(two_strategies_are_told_the_same_in_any_order_of_processes),
        cmocka_unit_test(days_halts_crosses_and_broken_trades_give_the_same),
        cmocka_unit_test(ticks_that_a_strategy_does_not_name_make_no_difference),
        cmocka_unit_test(where_nobody_sends_orders_all_ticks_are_taken_and_touches_are_the_same),
        cmocka_unit_test(latencies_of_a_nanosecond_give_the_same),
        cmocka_unit_test(latencies_much_longer_than_a_ring_holds_give_the_same),
        cmocka_unit_test(cancels_that_overtake_orders_or_are_overtaken_give_the_same),
        cmocka_unit_test(orders_that_cancel_those_of_another_strategy_give_the_same),
        cmocka_unit_test(halts_at_any_time_break_no_promise_and_let_all_come_to_an_end),
        cmocka_unit_test(ticks_of_one_time_give_the_same),
        cmocka_unit_test(
            whoever_is_in_another_process_is_awaited_until_it_has_ended_and_nobody_else),
        cmocka_unit_test(each_tick_that_waits_for_another_process_is_counted_and_its_wait_measured),
        cmocka_unit_test(
            a_strategy_waits_for_reports_after_what_may_execute_its_orders_and_nothing_else),
        cmocka_unit_test(who_had_executions_waits_when_a_trade_is_broken_and_nobody_else),
        cmocka_unit_test(a_stage_without_books_is_told_of_the_ticks_that_it_asks_for),
        cmocka_unit_test(a_tick_that_comes_while_the_feed_is_asked_breaks_no_promise),
        cmocka_unit_test(what_a_timer_causes_answers_no_tick_whatever_shows_that_its_time_has_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
