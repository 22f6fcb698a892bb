/* SPDX-License-Identifier: Apache-2.0 */
/* A long random run of market and orders against the venue model, checked by what must hold
 * whatever happens:
 *
 *    - an order is answered first, by ACCEPTED; it ends once, in FILLED or CANCELLED; filled +
 *      cancelled + left open = its quantity
 *    - no execution is worse than the limit; what rested fills at its limit; executions are
 *      numbered 1, 2, 3, ...
 *    - a tick fills no more shares than it executed or displayed
 *    - an order that takes gets at each level exactly what a model of our own has left there: what
 *      each displayed order shows, less what we took of it and of those it replaced, from the front
 */
#include "tests/unit/risk_market.h"

#include <stdlib.h>

#include "risk/venue/venue.h"

enum { STEPS = 300000, OURS_MAX = 120000, REFS = 400, PRICES = 64, PX_BASE = 10000, RESTING = 200 };

typedef struct own_order {
    order_t order;
    uint32_t filled;
    uint32_t cancelled;
    uint32_t leaves;
    bool accepted;
    bool ended;
} own_order_t;

typedef struct run {
    uint64_t seed;
    market_t *market;
    venue_t *venue;
    own_order_t *ours; /* by count */
    uint64_t ours_count;
    uint64_t exec_id;
    uint64_t open_count;
    uint64_t filled_now; /* since the last tick or order began */
    bool resting_now;    /* reports are expected from a tick, not from an order */
    uint64_t kinds[8];   /* reports by kind */
    uint64_t by_liquidity[2];
    struct {
        uint64_t ref;
        uint32_t qty;
        uint8_t side;
        uint32_t px_e4;
        uint64_t since; /* tick that added it */
        uint64_t taken; /* by us, of it and of those it replaced */
    } refs[REFS];       /* displayed orders, qty 0: none */
    uint64_t last_ref;
} run_t;

/* The first of the displayed orders at a price of which something is left for us; REFS: none. */
static unsigned first_left(const run_t *run, uint8_t side, uint32_t px_e4)
{
    unsigned found = REFS;
    for (unsigned i = 0; i < REFS; i++)
        if (run->refs[i].qty > run->refs[i].taken && run->refs[i].side == side &&
            run->refs[i].px_e4 == px_e4 &&
            (found == REFS || run->refs[i].since < run->refs[found].since))
            found = i;
    return found;
}

/* An order with `leaves` shares left took `qty` at a price: as many as there were. */
static void take(run_t *run, uint8_t side, uint32_t px_e4, uint32_t leaves, uint32_t qty)
{
    uint32_t got = 0;
    for (unsigned i; got < leaves && (i = first_left(run, side, px_e4)) != REFS;) {
        uint64_t left = run->refs[i].qty - run->refs[i].taken;
        uint32_t part = left < leaves - got ? (uint32_t)left : leaves - got;
        run->refs[i].taken += part;
        got += part;
    }
    assert_int_equal(qty, got);
}

static void check_execution(run_t *run, own_order_t *o, const report_t *r)
{
    assert_int_equal(r->exec_id, ++run->exec_id);
    assert_true(r->qty > 0);
    assert_int_equal(r->leaves, o->leaves - r->qty);
    assert_int_equal(r->kind, r->leaves == 0 ? REPORT_FILLED : REPORT_PARTIAL);
    if (run->resting_now) {
        assert_int_equal(r->liquidity, 'A');
        assert_int_equal(r->px_e4, o->order.px_e4);
    } else {
        assert_int_equal(r->liquidity, 'R');
        assert_true(o->order.side == 'B' ? r->px_e4 <= o->order.px_e4 : r->px_e4 >= o->order.px_e4);
        take(run, o->order.side == 'B' ? 'S' : 'B', r->px_e4, o->leaves, r->qty);
    }
    o->filled += r->qty;
    o->leaves = r->leaves;
    o->ended = r->leaves == 0;
    run->filled_now += r->qty;
    run->by_liquidity[r->liquidity == 'R']++;
}

static void check_report(void *context, const report_t *r, uint64_t intended)
{
    (void)intended;
    run_t *run = context;
    own_order_t *o = &run->ours[r->order_id & TICK_NS_MASK];
    run->kinds[r->kind]++;
    assert_int_equal(r->side, r->kind == REPORT_CANCEL_REJECTED ? 0 : o->order.side);
    switch (r->kind) {
    case REPORT_ACCEPTED:
        assert_false(o->accepted);
        o->accepted = true;
        o->leaves = o->order.qty;
        run->open_count++;
        break;
    case REPORT_PARTIAL:
    case REPORT_FILLED:
        assert_true(o->accepted && !o->ended);
        check_execution(run, o, r);
        run->open_count -= o->ended;
        break;
    case REPORT_CANCELLED:
        assert_true(o->accepted && !o->ended);
        assert_int_equal(r->qty, o->leaves);
        assert_int_equal(r->leaves, 0);
        o->cancelled = r->qty;
        o->leaves = 0;
        o->ended = true;
        run->open_count--;
        break;
    case REPORT_REJECTED:
        assert_false(o->accepted);
        assert_int_equal(r->reason, REASON_VENUE_FULL);
        assert_int_equal(run->open_count, RESTING);
        break;
    case REPORT_CANCEL_REJECTED:
        assert_true(!o->accepted || o->ended);
        break;
    default:
        fail_msg("report of kind %u", r->kind);
    }
    if (o->accepted)
        assert_int_equal(o->filled + o->cancelled + o->leaves, o->order.qty);
}

/* ---- the market */

/* `at`: the place in refs of the order concerned, as it is now. */
static void tick(run_t *run, unsigned at, tick_t t)
{
    const market_event_t *e = market_next(run->market, t);
    uint64_t there = 0;
    if (e->added_qty != 0) {
        run->refs[at].since = e->md_seq;
        there = e->added_qty > run->refs[at].taken ? e->added_qty - run->refs[at].taken : 0;
    }
    run->resting_now = true;
    run->filled_now = 0;
    venue_on_market(run->venue, e, &t);
    assert_true(run->filled_now <= (e->executed ? e->removed_qty : 0) + there);
    run->refs[at].taken += e->added_qty != 0 ? run->filled_now : 0;
    assert_int_equal(venue_stats(run->venue).open_orders, run->open_count);
}

static uint32_t random_price(run_t *run, uint8_t side)
{
    /* Bids in the lower, asks in the upper three fifths: they cross now and then. */
    uint32_t at = (uint32_t)(next_random(&run->seed) >> 33) % (PRICES * 3 / 5);
    return PX_BASE + (side == 'B' ? at : PRICES - 1 - at);
}

static void random_tick(run_t *run)
{
    uint64_t r = next_random(&run->seed);
    unsigned at = (unsigned)(r % REFS);
    uint64_t ref = run->refs[at].ref;
    uint32_t part = run->refs[at].qty ? (uint32_t)(r >> 40) % run->refs[at].qty + 1 : 0;
    if (part == 0) {
        uint8_t side = r & 4096 ? 'B' : 'S';
        uint32_t qty = (uint32_t)(r >> 40) % 200 + 1;
        run->refs[at].ref = ++run->last_ref;
        run->refs[at].qty = qty;
        run->refs[at].side = side;
        run->refs[at].taken = 0;
        run->refs[at].px_e4 = random_price(run, side);
        tick(run, at, tick_add(LOCATE, run->last_ref, side, qty, run->refs[at].px_e4));
        return;
    }
    switch (r >> 20 & 3) {
    case 0:
    case 1:
        run->refs[at].qty -= part;
        tick(run, at,
             r >> 20 & 1 ? tick_execute(LOCATE, ref, part) : tick_reduce(LOCATE, ref, part));
        break;
    case 2:
        run->refs[at].qty = 0;
        tick(run, at, tick_delete(LOCATE, ref));
        break;
    default:
        run->refs[at].ref = ++run->last_ref;
        run->refs[at].px_e4 =
            r & 8192 ? run->refs[at].px_e4 : random_price(run, run->refs[at].side);
        run->refs[at].qty = part;
        tick(run, at, tick_replace(LOCATE, ref, run->last_ref, part, run->refs[at].px_e4));
    }
}

/* ---- our orders */

static void random_order(run_t *run)
{
    uint64_t r = next_random(&run->seed);
    run->resting_now = false;
    run->filled_now = 0;
    if (run->ours_count > 0 && r % 3 == 0) {
        uint64_t recent = run->ours_count < 300 ? run->ours_count : 300;
        order_t cancel = order_cancel(run->ours_count - (r >> 20) % recent);
        venue_order(run->venue, &cancel);
        return;
    }
    uint8_t side = r & 1024 ? 'B' : 'S';
    uint64_t count = ++run->ours_count;
    run->ours[count].order =
        order_new(count, side, (uint32_t)(r >> 40) % 300 + 1, random_price(run, side),
                  r & 2048 && r & 4096 ? ORDER_TIF_IOC : ORDER_TIF_DAY);
    venue_order(run->venue, &run->ours[count].order);
    assert_true(run->ours[count].order.tif == ORDER_TIF_DAY || !run->ours[count].accepted ||
                run->ours[count].ended);
}

static void venue_balances_whatever_the_market_does(void **state)
{
    (void)state;
    run_t *run = calloc(1, sizeof(*run));
    run->seed = 20120621;
    print_message("seed %llu\n", (unsigned long long)run->seed);
    run->ours = calloc(OURS_MAX + 1, sizeof(*run->ours));
    run->market = risk_market_create();
    venue_limits_t limits = {.resting_max = RESTING, .taken_max = 1024};
    assert_int_equal(venue_create(&limits, run->market, check_report, run, &run->venue, NULL), 0);

    for (int i = 0; i < STEPS; i++) {
        if (next_random(&run->seed) % 4 == 0 && run->ours_count < OURS_MAX)
            random_order(run);
        else
            random_tick(run);
    }

    venue_stats_t stats = venue_stats(run->venue);
    assert_int_equal(stats.executions, run->exec_id);
    assert_int_equal(stats.orders, run->ours_count);
    /* The run has met everything that it is about. */
    assert_true(run->by_liquidity[0] > 5000 && run->by_liquidity[1] > 5000);
    for (unsigned kind = REPORT_ACCEPTED; kind <= REPORT_CANCEL_REJECTED; kind++)
        assert_true(run->kinds[kind] > 100);
    run->resting_now = false;
    venue_cancel_all(run->venue, REASON_KILL_SWITCH);
    assert_int_equal(run->open_count, 0);
    for (uint64_t i = 1; i <= run->ours_count; i++)
        assert_int_equal(run->ours[i].leaves, 0);
    venue_destroy(run->venue);
    market_destroy(run->market);
    free(run->ours);
    free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(venue_balances_whatever_the_market_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
