/* SPDX-License-Identifier: Apache-2.0 */
/* Random orders of several strategies through the gate to the venue, with limits that change, days,
 * their phases, trading states, crosses, prints and broken trades, against a plain model of what
 * must hold:
 *
 *    - no order that passed violates a limit or a state that was in force (by sums made anew from
 *      all orders and executions, not by those that the gate keeps)
 *    - a cancel passes always
 *    - cash and the value of positions are the net profit, in integers, at every step, also after
 *      executions were taken back
 *    - every order's shares balance: filled + cancelled + open = its quantity, and in the end
 *      nothing is open
 *    - nothing is executed while a symbol does not trade but by a cross, at its price; what a
 *      broken trade takes back is what it had made us execute, each once
 *
 * TICKBUS_GATE_ORDERS=N: so many orders; TICKBUS_SEED=N: from there.
 */
#include "tests/unit/risk_market.h"

#include <stdlib.h>

#include "risk/gate.h"
#include "risk/venue/venue.h"

enum { ORDERS = 20000, STRATEGIES_COUNT = 3, SYMBOLS = 3, LIVE_MAX = 64, DEPTH = 4, RING = 4096 };
enum { OWN = 2 }; /* the strategy that has limits of its own */
#define MID 1000000u

__extension__ typedef __int128 money_t;

typedef struct live {
    order_t order;
    uint32_t leaves;
    uint32_t filled; /* executed, what was taken back later included */
} live_t;

typedef struct run {
    uint64_t seed;
    uint64_t now_ns;
    uint64_t counts[STRATEGIES_COUNT + 1];
    uint64_t ref;
    market_t *market;
    gate_t *gate;
    venue_t *venue;
    risk_limits_t limits;
    strategy_limits_t own; /* of strategy OWN alone */
    bool killed;
    bool reducing;
    bool loses;   /* the loss has been beyond the limit */
    bool rearmed; /* losses count from the next order, or tick of a symbol that is held */
    money_t cash, loss_from, loss_worst;
    int64_t position[SYMBOLS + 1];
    int64_t own_position[SYMBOLS + 1];
    live_t live[LIVE_MAX];
    /* Executions of ours, by number, a ring; exec_id 0: none, or taken back. */
    report_t done[RING];
    uint64_t match;                              /* of the last trade of the market */
    uint16_t traded[RING];                       /* symbols of the last trades, a ring */
    uint8_t state[SYMBOLS + 1];                  /* of the last H; 0: none came on this day */
    bool halted_here[SYMBOLS + 1];               /* h */
    bool closed;                                 /* the system's hours are over */
    uint32_t cross_px_e4;                        /* of the Q at hand, 0: it is none */
    uint64_t by_liquidity[128], broken;          /* executions */
    uint64_t passed_ns[RING], messages_ns[RING]; /* of the last ones, rings */
    uint64_t passed, messages, executions;
    uint64_t bids[SYMBOLS + 1][DEPTH],
        asks[SYMBOLS + 1][DEPTH]; /* references on the book, 0: none */
    uint64_t given[REASON_COUNT];
} run_t;

static uint64_t draw(run_t *r, uint64_t below)
{
    return (next_random(&r->seed) >> 20) % below;
}

/* ---- what the model knows */

static live_t *find(run_t *r, uint64_t id)
{
    for (unsigned i = 0; i < LIVE_MAX; i++)
        if (r->live[i].leaves != 0 && r->live[i].order.order_id == id)
            return &r->live[i];
    return NULL;
}

static money_t worth(const run_t *r, bool gross)
{
    money_t sum = 0;
    for (uint16_t s = 1; s <= SYMBOLS; s++) {
        money_t value = (money_t)r->position[s] * gate_exposure(r->gate, s).mark.px_e4;
        sum += gross && value < 0 ? -value : value;
    }
    return sum;
}

/* Net profit, and with it the loss limit. */
static void settle(run_t *r)
{
    money_t net = r->cash + worth(r, false);
    assert_true(net == profit_net(gate_profit(r->gate)));
    if (r->rearmed || r->loss_from - net <= r->loss_worst)
        return;
    r->loss_worst = r->loss_from - net;
    r->loses |= r->loss_worst > (money_t)r->limits.loss_max_e4;
}

static void count_losses_anew(run_t *r)
{
    if (r->rearmed) {
        r->loss_worst = 0;
        r->loss_from = r->cash + worth(r, false);
    }
    r->rearmed = false;
}

static bool trades(const run_t *r, uint16_t symbol)
{
    return r->state[symbol] == 'T' && !r->halted_here[symbol] && !r->closed;
}

/* Money and shares of an execution; `sign` -1: it is taken back. */
static void book(run_t *r, const report_t *report, int sign)
{
    int bought = report->side == 'B' ? sign : -sign;
    r->cash -= (money_t)report->qty * report->px_e4 * bought + report->fee_e4;
    r->position[report_locate(report)] += (int64_t)report->qty * bought;
}

static void on_execution(run_t *r, live_t *live, const report_t *report)
{
    bool buys = report->side == 'B', in_cross = report->liquidity == 'C';
    assert_true(buys ? report->px_e4 <= live->order.px_e4 : report->px_e4 >= live->order.px_e4);
    assert_true(in_cross || trades(r, report_locate(report)));
    if (in_cross)
        assert_int_equal(report->px_e4, r->cross_px_e4);
    live->leaves -= report->qty;
    live->filled += report->qty;
    assert_int_equal(live->leaves, report->leaves);
    assert_int_equal(report->exec_id, ++r->executions);
    r->by_liquidity[report->liquidity]++;
    r->done[report->exec_id % RING] = *report;
    book(r, report, 1);
}

static void on_broken(run_t *r, const report_t *report)
{
    report_t *done = &r->done[report->exec_id % RING];
    const live_t *live = find(r, report->order_id);
    assert_true(report->exec_id != 0 && done->exec_id == report->exec_id);
    assert_true(done->order_id == report->order_id && done->px_e4 == report->px_e4 &&
                done->qty == report->qty && done->side == report->side &&
                done->liquidity == report->liquidity && done->fee_e4 == -report->fee_e4);
    assert_int_equal(report->leaves, live ? live->leaves : 0);
    done->exec_id = 0;
    r->broken++;
    book(r, report, -1);
}

/* The position of the strategy that has limits of its own. */
static void follow_own(run_t *r, const report_t *report)
{
    bool executes = report->kind == REPORT_PARTIAL || report->kind == REPORT_FILLED;
    bool adds = (report->side == 'B') == executes; /* BROKEN takes it back */
    if (report_strategy(report) == OWN && (executes || report->kind == REPORT_BROKEN))
        r->own_position[report_locate(report)] +=
            adds ? (int64_t)report->qty : -(int64_t)report->qty;
}

static void on_report(void *context, const report_t *report, uint64_t intended)
{
    run_t *r = context;
    (void)intended;
    live_t *live = find(r, report->order_id);
    follow_own(r, report);
    if (report->kind == REPORT_PARTIAL || report->kind == REPORT_FILLED) {
        assert_non_null(live);
        on_execution(r, live, report);
    } else if (report->kind == REPORT_BROKEN) {
        on_broken(r, report);
    } else if (report->kind == REPORT_CANCELLED) {
        assert_non_null(live);
        assert_int_equal(live->leaves, report->qty);
        assert_int_equal(live->filled + report->qty, live->order.qty);
        live->leaves = 0;
    } else if (report->kind == REPORT_REJECTED && live) {
        live->leaves = 0;
    }
    gate_on_report(r->gate, report);
}

static uint64_t within_a_second(const uint64_t *ring, uint64_t count, uint64_t now_ns)
{
    uint64_t found = 0;
    while (found < count && found < RING && ring[(count - 1 - found) % RING] + SECOND_NS > now_ns)
        found++;
    return found;
}

/* ... and of what its strategy is allowed alone? */
static void assert_within_own_limits(const run_t *r, const order_t *o)
{
    int64_t add = o->qty;
    money_t gross = (money_t)o->qty * o->px_e4;
    uint32_t open = 0;
    if (order_strategy(o) != OWN)
        return;
    for (unsigned i = 0; i < LIVE_MAX; i++) {
        const live_t *live = &r->live[i];
        if (live->leaves == 0 || order_strategy(&live->order) != OWN)
            continue;
        open++;
        gross += (money_t)live->leaves * live->order.px_e4;
        if (live->order.locate == o->locate && live->order.side == o->side)
            add += live->leaves;
    }
    for (uint16_t s = 1; s <= SYMBOLS; s++) {
        int64_t qty = r->own_position[s];
        /* Marks of long and short positions differ: the bid is the lowest that counts. */
        gross += (qty < 0 ? -(money_t)qty : (money_t)qty) * (MID / 2);
    }
    int64_t position = r->own_position[order_locate(o)];
    int64_t worst = o->side == 'B' ? position + add : position - add;
    bool closes = o->side == 'B' ? worst <= 0 : worst >= 0;
    assert_true(o->qty <= r->own.max_order_qty);
    assert_true(o->side == 'B' ? worst <= (int64_t)r->own.position_max
                               : worst >= -(int64_t)r->own.position_max);
    assert_true(closes || gross <= (money_t)r->own.gross_notional_max_e4);
    assert_true(open < r->own.open_orders_max);
}

/* Does it violate nothing that is in force? Reads the plain lists alone. */
static void assert_within_limits(run_t *r, const order_t *o)
{
    const risk_limits_t *l = &r->limits;
    const market_symbol_t *symbol = market_symbol(r->market, order_locate(o));
    market_touch_t touch = market_touch(r->market, order_locate(o));
    int64_t position = r->position[order_locate(o)], side_open = 0;
    money_t gross = worth(r, true) + (money_t)o->qty * o->px_e4;
    uint32_t open = 0;
    for (unsigned i = 0; i < LIVE_MAX; i++) {
        const live_t *live = &r->live[i];
        if (live->leaves == 0)
            continue;
        open++;
        gross += (money_t)live->leaves * live->order.px_e4;
        if (live->order.locate != o->locate)
            continue;
        if (live->order.side == o->side)
            side_open += live->leaves;
        else /* no order meets one of our own */
            assert_true(o->side == 'B' ? o->px_e4 < live->order.px_e4
                                       : o->px_e4 > live->order.px_e4);
    }
    int64_t add = side_open + o->qty, worst = o->side == 'B' ? position + add : position - add;
    bool closes = o->side == 'B' ? worst <= 0 : worst >= 0;
    assert_false(r->killed);
    assert_true(symbol->known && trades(r, order_locate(o)));
    assert_true((!r->loses && !r->reducing) || closes);
    assert_true(o->px_e4 % 100 == 0 && o->qty <= l->max_order_qty);
    assert_true((money_t)o->qty * o->px_e4 <= (money_t)l->max_order_notional_e4);
    assert_true(o->side == 'B' ? worst <= (int64_t)l->position_max
                               : worst >= -(int64_t)l->position_max);
    assert_true(closes || gross <= (money_t)l->gross_notional_max_e4);
    assert_true(open < l->open_orders_max);
    if (symbol->reg_sho == '1' && o->side == 'S' && worst < 0 && touch.bid_qty != 0)
        assert_true(o->px_e4 > touch.bid_px_e4);
    assert_true(within_a_second(r->passed_ns, r->passed, r->now_ns) < l->orders_per_second);
    assert_true(within_a_second(r->messages_ns, r->messages, r->now_ns) < l->messages_per_second);
}

/* ---- what happens */

static void tick(run_t *r, tick_t t)
{
    const market_event_t *event = NULL;
    t.event = tick_pack(r->now_ns, 0);
    assert_int_equal(market_apply(r->market, market_seq(r->market) + 1, &t, sizeof t, &event), 0);
    if (event->locate == 0 || r->position[event->locate] != 0)
        count_losses_anew(r);
    gate_on_market(r->gate, event);
    settle(r);
    venue_on_market(r->venue, event, &t);
    settle(r);
}

/* A trade of the market, with a number of its own. */
static tick_t numbered(run_t *r, tick_t t)
{
    t.match = ++r->match;
    r->traded[t.match % RING] = tick_locate(&t);
    return t;
}

static void move_book(run_t *r)
{
    uint16_t s = (uint16_t)(1 + draw(r, SYMBOLS));
    bool buys = draw(r, 2);
    uint64_t *ref = buys ? &r->bids[s][draw(r, DEPTH)] : &r->asks[s][draw(r, DEPTH)];
    if (*ref != 0) {
        tick(r, draw(r, 2) ? numbered(r, tick_execute(s, *ref, 1000)) : tick_delete(s, *ref));
        *ref = 0;
        return;
    }
    *ref = ++r->ref;
    uint32_t off = 100 * (uint32_t)(1 + draw(r, 8));
    tick(r, tick_add(s, *ref, buys ? 'B' : 'S', 1 + (uint32_t)draw(r, 1000),
                     buys ? MID - off : MID + off));
}

/* A trade that the book does not show. */
static void print(run_t *r, uint16_t symbol)
{
    uint32_t px_e4 = MID - 1000 + 100 * (uint32_t)draw(r, 21);
    tick(r, numbered(r, tick_trade(symbol, 1 + (uint32_t)draw(r, 300), px_e4)));
}

/* One of the last trades of the market is broken, or one that never was. */
static void break_one(run_t *r)
{
    uint64_t back = draw(r, r->match < 100 ? r->match + 1 : 100);
    uint64_t match = r->match - back;
    tick(r, tick_break(r->traded[match % RING], match));
}

static void set_state(run_t *r, uint16_t symbol, uint8_t state)
{
    r->state[symbol] = state;
    tick(r, tick_trading(symbol, state));
}

/* Some of what is displayed takes part, and then the cross is told. */
static void cross(run_t *r, uint16_t symbol)
{
    uint32_t px_e4 = MID - 500 + 100 * (uint32_t)draw(r, 11);
    for (unsigned i = 0; i < DEPTH && draw(r, 3) != 0; i++) {
        uint64_t *ref = draw(r, 2) ? &r->bids[symbol][i] : &r->asks[symbol][i];
        if (*ref != 0)
            tick(r, tick_execute_at(symbol, *ref, 1000, px_e4, 'N'));
        *ref = 0;
    }
    r->cross_px_e4 = px_e4;
    tick(r, numbered(r, tick_cross(symbol, draw(r, 2) * 500, px_e4, 'H')));
    r->cross_px_e4 = 0;
}

/* A halt ends in a quotation-only period, a cross and trading; or some step of it comes. */
static void change_state(run_t *r, uint16_t symbol)
{
    tick_t halt = tick_of('h', symbol);
    switch (draw(r, 6)) {
    case 0:
        set_state(r, symbol, draw(r, 2) ? 'H' : 'P');
        break;
    case 1:
        set_state(r, symbol, 'Q');
        break;
    case 2:
        tick_name(symbol, halt.body);
        halt.body[ITCH_BODY_AT(OPERATIONAL_HALT, market_code)] = draw(r, 2) ? 'Q' : 'B';
        halt.body[ITCH_BODY_AT(OPERATIONAL_HALT, operational_halt_action)] = draw(r, 2) ? 'H' : 'T';
        if (halt.body[ITCH_BODY_AT(OPERATIONAL_HALT, market_code)] == 'Q')
            r->halted_here[symbol] =
                halt.body[ITCH_BODY_AT(OPERATIONAL_HALT, operational_halt_action)] == 'H';
        tick(r, halt);
        break;
    default:
        if (r->state[symbol] != 'T')
            cross(r, symbol);
        set_state(r, symbol, 'T');
    }
}

/* One stock may be missing in the spin before the opening. */
static void begin_day(run_t *r)
{
    memset(r->bids, 0, sizeof r->bids);
    memset(r->asks, 0, sizeof r->asks);
    memset(r->state, 0, sizeof r->state);
    memset(r->halted_here, 0, sizeof r->halted_here);
    memset(r->done, 0, sizeof r->done); /* nothing of yesterday is broken today */
    r->passed = r->messages = 0;        /* rates are of one day */
    r->closed = true;
    tick(r, tick_system('O'));
    uint64_t missing = draw(r, 2 * SYMBOLS);
    for (uint16_t s = 1; s <= SYMBOLS; s++) {
        tick(r, tick_directory(s));
        if (s != missing)
            set_state(r, s, 'T');
    }
    r->closed = false;
    tick(r, tick_system('S'));
    tick(r, tick_system('Q'));
}

/* The day goes on, or ends, or a new one begins. */
static void pass_phase(run_t *r)
{
    if (r->closed || draw(r, 3) == 0) {
        begin_day(r);
        return;
    }
    bool ends = draw(r, 2);
    tick(r, tick_system(ends ? 'E' : 'M'));
    r->closed = ends;
}

static risk_limits_t random_limits(run_t *r)
{
    return (risk_limits_t){.max_order_qty = 100 + (uint32_t)draw(r, 400),
                           .max_order_notional_e4 = MID * (100 + draw(r, 400)),
                           .collar_bps = 10 + (uint32_t)draw(r, 100),
                           .position_max = 200 + draw(r, 2000),
                           .gross_notional_max_e4 = MID * (1000 + draw(r, 4000)),
                           .orders_per_second = 5 + (uint32_t)draw(r, 60),
                           .open_orders_max = 4 + (uint32_t)draw(r, LIVE_MAX - 8),
                           .messages_per_second = 5 + (uint32_t)draw(r, 90),
                           .reference_qty = 1 + (uint32_t)draw(r, 300),
                           .loss_max_e4 = 200000 + draw(r, 3 * MID)};
}

static strategy_limits_t random_own_limits(run_t *r)
{
    strategy_limits_t own;
    tbus_params_defaults(&strategy_limits_params, &own);
    own.max_order_qty = 100 + (uint32_t)draw(r, 300);
    own.position_max = 50 + draw(r, 1000);
    own.gross_notional_max_e4 = MID * (300 + draw(r, 2000));
    own.open_orders_max = 1 + (uint32_t)draw(r, LIVE_MAX / 2);
    own.loss_max_e4 = 200000 + draw(r, 3 * MID);
    return own;
}

/* Somebody acts from outside. */
static void act(run_t *r)
{
    switch (draw(r, 7)) {
    case 0:
        gate_kill(r->gate, r->killed = draw(r, 4) == 0);
        break;
    case 1:
        gate_reduce(r->gate, r->reducing = draw(r, 4) == 0);
        break;
    case 2:
    case 3:
        gate_rearm(r->gate);
        r->loses = false;
        r->rearmed = true;
        break;
    case 4:
        r->own = random_own_limits(r);
        assert_true(gate_set_strategy_limits(r->gate, OWN, &r->own));
        break;
    default: {
        risk_limits_t limits = random_limits(r);
        if (gate_set_limits(r->gate, &limits))
            r->limits = limits;
    }
    }
}

static void world(run_t *r)
{
    uint16_t s = (uint16_t)(1 + draw(r, SYMBOLS));
    r->now_ns += draw(r, 40000000);
    if (draw(r, 40) == 0)
        act(r);
    if (draw(r, r->state[s] == 'T' ? 300 : 20) == 0)
        change_state(r, s);
    if (draw(r, 100) == 0)
        tick(r, tick_reg_sho(s, draw(r, 2) ? '0' : '1'));
    if (draw(r, 40) == 0)
        cross(r, s);
    if (draw(r, 20) == 0)
        print(r, s);
    if (draw(r, 40) == 0)
        break_one(r);
    if (draw(r, r->closed ? 100 : 700) == 0)
        pass_phase(r);
    for (uint64_t moves = draw(r, 4); moves > 0; moves--)
        move_book(r);
}

static void cancel_one(run_t *r)
{
    const live_t *live = &r->live[draw(r, LIVE_MAX)];
    if (live->leaves == 0)
        return;
    order_t cancel = live->order;
    cancel.kind = ORDER_CANCEL;
    assert_int_equal(gate_judge(r->gate, &cancel, r->now_ns), REASON_NONE);
    r->messages_ns[r->messages++ % RING] = r->now_ns;
    venue_order(r->venue, &cancel);
    settle(r);
}

static void order_one(run_t *r)
{
    uint16_t strategy = (uint16_t)(1 + draw(r, STRATEGIES_COUNT));
    order_t o = {.order_id = ORDER_ID(strategy, ++r->counts[strategy]),
                 .locate = 1 + draw(r, SYMBOLS),
                 .px_e4 = MID - 1000 + 100 * (uint32_t)draw(r, 21) + (draw(r, 100) == 0),
                 .qty = 1 + (uint32_t)draw(r, 400),
                 .kind = ORDER_NEW,
                 .side = draw(r, 2) ? 'B' : 'S',
                 .tif = draw(r, 3) ? ORDER_TIF_DAY : ORDER_TIF_IOC};
    count_losses_anew(r);
    uint8_t reason = gate_judge(r->gate, &o, r->now_ns);
    r->given[reason]++;
    if (reason != REASON_NONE)
        return;
    assert_within_limits(r, &o);
    assert_within_own_limits(r, &o);
    r->passed_ns[r->passed++ % RING] = r->now_ns;
    r->messages_ns[r->messages++ % RING] = r->now_ns;
    live_t *place = r->live;
    while (place->leaves != 0)
        place++;
    *place = (live_t){.order = o, .leaves = o.qty};
    venue_order(r->venue, &o);
    settle(r);
}

static void no_order_that_passed_violates_a_limit_and_cash_and_shares_balance(void **state)
{
    (void)state;
    const char *orders = getenv("TICKBUS_GATE_ORDERS"), *seed = getenv("TICKBUS_SEED");
    uint64_t count = orders ? strtoull(orders, NULL, 10) : ORDERS;
    run_t *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->seed = seed ? strtoull(seed, NULL, 10) : 612;
    r->now_ns = 1;
    print_message("seed %llu\n", (unsigned long long)r->seed);
    session_fees_t fees = {-2000, 3000, 1500, -500, 3000, 1000};
    venue_limits_t venue_limits;
    tbus_params_defaults(&venue_limits_params, &venue_limits);
    r->market = risk_market_create();
    r->limits = random_limits(r);
    r->limits.orders_per_second = r->limits.messages_per_second = 100;
    r->limits.open_orders_max = LIVE_MAX - 1;
    r->own = random_own_limits(r);
    const risk_strategy_t own = {.number = OWN, .limits = r->own};
    gate_rules_t rules = gate_rules_default;
    rules.strategies_count = 1;
    rules.strategies = &own;
    assert_int_equal(gate_create(&r->limits, &rules, r->market, &r->gate, NULL), 0);
    assert_int_equal(venue_create(&venue_limits, r->market, on_report, r, &r->venue, NULL), 0);
    venue_set_fees(r->venue, &fees);
    begin_day(r);
    for (uint64_t i = 0; i < count; i++) {
        world(r);
        if (draw(r, 4) == 0)
            cancel_one(r);
        order_one(r);
    }
    static const uint8_t met[] = {
        REASON_NONE,         REASON_KILL_SWITCH,    REASON_HALTED,       REASON_LOSS_LIMIT,
        REASON_REDUCING,     REASON_TICK_SIZE,      REASON_MAX_QTY,      REASON_NO_REFERENCE,
        REASON_PRICE_COLLAR, REASON_SHORT_SALE,     REASON_SELF_MATCH,   REASON_POSITION_LIMIT,
        REASON_RATE,         REASON_GROSS_NOTIONAL, REASON_MESSAGE_RATE, REASON_CLOSED};
    for (unsigned i = 0; i < sizeof met; i++)
        if (r->given[met[i]] == 0)
            fail_msg("%s was never met", report_reason_name(met[i]));
    print_message("%llu orders: %llu executions, %llu of them resting, %llu taking, %llu in "
                  "crosses, %llu taken back\n",
                  (unsigned long long)count, (unsigned long long)r->executions,
                  (unsigned long long)r->by_liquidity['A'],
                  (unsigned long long)r->by_liquidity['R'],
                  (unsigned long long)r->by_liquidity['C'], (unsigned long long)r->broken);
    assert_true(r->executions > count / 100);
    assert_true(r->by_liquidity['A'] > count / 500 && r->by_liquidity['R'] > count / 500 &&
                r->by_liquidity['C'] > count / 2000 && r->broken > count / 5000);
    venue_cancel_all(r->venue, REASON_KILL_SWITCH);
    for (unsigned i = 0; i < LIVE_MAX; i++)
        assert_int_equal(r->live[i].leaves, 0);
    assert_int_equal(gate_report_mismatches(r->gate), 0);
    venue_destroy(r->venue);
    gate_destroy(r->gate);
    market_destroy(r->market);
    free(r);
}

static void a_fee_is_rounded_up_and_fits_a_report(void **state)
{
    (void)state;
    const uint32_t dollar = 10000;
    session_fees_t fees = {
        .added_e6_per_share = -2050, .removed_e6_per_share = 3050, .cross_e6_per_share = 1};
    session_fees_t most = {.added_e6_per_share = -1000000, .removed_e6_per_share = 1000000};
    assert_int_equal(session_fee_e4(&fees, 'A', 100, dollar), -2050);
    assert_int_equal(session_fee_e4(&fees, 'A', 1, dollar), -20); /* 20.5 are received as 20 */
    assert_int_equal(session_fee_e4(&fees, 'R', 1, dollar), 31);  /* 30.5 are paid as 31 */
    assert_int_equal(session_fee_e4(&fees, 'R', 2, dollar), 61);
    assert_int_equal(session_fee_e4(&fees, 'C', 1, UINT32_MAX), 1);
    assert_int_equal(session_fee_e4(&fees, 0, 100, dollar), 0);
    assert_int_equal(session_fee_e4(&fees, 'R', 100, dollar - 1), 0);
    assert_int_equal(session_fee_e4(&most, 'R', UINT32_MAX, dollar), INT32_MAX);
    assert_int_equal(session_fee_e4(&most, 'A', UINT32_MAX, dollar), -INT32_MAX);
}

static void below_a_dollar_a_fee_is_a_part_of_what_is_traded(void **state)
{
    (void)state;
    session_fees_t fees = {.removed_e6_per_share = 3000,
                           .added_ppm_below_1 = -500,
                           .removed_ppm_below_1 = 3000,
                           .cross_ppm_below_1 = 1000};
    session_fees_t most = {.added_ppm_below_1 = -SESSION_FEE_PPM_MAX,
                           .removed_ppm_below_1 = SESSION_FEE_PPM_MAX};
    assert_int_equal(session_fee_e4(&fees, 'R', 1000, 5000), 15000); /* 0.30 % of 500.00 */
    assert_int_equal(session_fee_e4(&fees, 'R', 1000, 10000), 30000);
    assert_int_equal(session_fee_e4(&fees, 'R', 1, 1), 1); /* 0.000003 are paid as 0.0001 */
    assert_int_equal(session_fee_e4(&fees, 'A', 1000, 5000), -2500);
    assert_int_equal(session_fee_e4(&fees, 'A', 1, 9999), -4); /* 4.9995 are received as 4 */
    assert_int_equal(session_fee_e4(&fees, 'A', 1, 1), 0);
    assert_int_equal(session_fee_e4(&fees, 'C', 7, 3333), 24); /* 23.331 */
    assert_int_equal(session_fee_e4(&fees, 0, 1000, 5000), 0);
    assert_int_equal(session_fee_e4(&most, 'R', UINT32_MAX, 9999), INT32_MAX);
    assert_int_equal(session_fee_e4(&most, 'A', UINT32_MAX, 9999), -INT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_order_that_passed_violates_a_limit_and_cash_and_shares_balance),
        cmocka_unit_test(a_fee_is_rounded_up_and_fits_a_report),
        cmocka_unit_test(below_a_dollar_a_fee_is_a_part_of_what_is_traded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
