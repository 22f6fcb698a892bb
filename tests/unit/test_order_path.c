/* SPDX-License-Identifier: Apache-2.0 */
/* Risk and executor together on rings that are full half of the time, polled in random order, with
 * the test as feed and strategy. What must come out: every order has its answer and its one end,
 * shares balance, and risk and executor agree on all of it. */
#include "tests/unit/order_path.h"

enum { STEPS = 60000, OURS_MAX = 30000, REFS = 100 };

typedef struct own_order {
    uint32_t qty;
    uint32_t closed; /* filled or cancelled */
    bool answered;
    bool ended;
} own_order_t;

typedef struct run {
    order_path_t *path;
    uint64_t seed;
    uint64_t ticks;
    uint64_t orders; /* published, cancels as well */
    uint64_t ours_count;
    uint64_t answers;
    uint64_t cancel_answers;
    uint64_t executions;
    uint64_t rejected;
    uint64_t refs[REFS]; /* live references, 0: none */
    uint64_t last_ref;
    own_order_t *ours;
} run_t;

/* The market never crosses; our orders are anywhere. */
static uint32_t displayed_price(uint8_t side, uint64_t r)
{
    return side == 'B' ? 9000 + (uint32_t)(r % 13) : 9025 - (uint32_t)(r % 13);
}

static void feed(run_t *run)
{
    uint64_t r = next_random(&run->seed);
    uint64_t *ref = &run->refs[r % REFS];
    uint8_t side = r & 1024 ? 'B' : 'S';
    uint64_t fresh = run->last_ref + 1;
    tick_t tick = *ref == 0   ? tick_add(LOCATE, fresh, side, (uint32_t)(r >> 40) % 100 + 1,
                                         displayed_price(side, r >> 20))
                  : r & 65536 ? tick_execute(LOCATE, *ref, 1000)
                              : tick_delete(LOCATE, *ref);
    tick.event = run->ticks * 1000000;
    if (path_tick(run->path, tick) == TBUS_FULL)
        return;
    run->ticks++;
    run->last_ref = *ref == 0 ? fresh : run->last_ref;
    *ref = *ref == 0 ? fresh : 0;
}

static void trade(run_t *run, uint64_t md_seq)
{
    uint64_t r = next_random(&run->seed);
    order_t order;
    if (r % 4 == 0 && run->ours_count > 0) {
        order = order_cancel(run->ours_count -
                             (r >> 20) % (run->ours_count < 40 ? run->ours_count : 40));
    } else {
        uint8_t side = r & 1024 ? 'B' : 'S';
        order =
            order_new(run->ours_count + 1, side, (uint32_t)(r >> 40) % 120 + 1,
                      9000 + (uint32_t)(r >> 20) % 26, r & 2048 ? ORDER_TIF_IOC : ORDER_TIF_DAY);
    }
    order.md_seq = md_seq;
    if (path_order(run->path, order) == TBUS_FULL)
        return;
    run->orders++;
    if (order.kind == ORDER_NEW)
        run->ours[++run->ours_count].qty = order.qty;
}

static void check(run_t *run, const report_t *r)
{
    own_order_t *o = &run->ours[r->order_id & TICK_NS_MASK];
    if (r->kind == REPORT_CANCEL_REJECTED) {
        run->cancel_answers++;
        return;
    }
    assert_false(o->ended);
    switch (r->kind) {
    case REPORT_ACCEPTED:
    case REPORT_REJECTED:
        assert_false(o->answered);
        o->answered = true;
        o->ended = r->kind == REPORT_REJECTED;
        run->answers++;
        run->rejected += o->ended;
        return;
    case REPORT_PARTIAL:
    case REPORT_FILLED:
        assert_int_equal(r->exec_id, ++run->executions);
        break;
    default:
        assert_int_equal(r->kind, REPORT_CANCELLED);
        run->cancel_answers += r->reason == REASON_USER_CANCEL;
    }
    assert_true(o->answered);
    o->closed += r->qty;
    assert_int_equal(o->closed + r->leaves, o->qty);
    o->ended = r->leaves == 0;
    assert_int_equal(o->ended, r->kind != REPORT_PARTIAL);
}

static bool listen(run_t *run)
{
    report_t r;
    if (!path_take(&run->path->reports, &r, sizeof(r)))
        return false;
    check(run, &r);
    return true;
}

static void step(run_t *run)
{
    uint64_t r = next_random(&run->seed);
    order_path_t *p = run->path;
    int work = 0;
    switch (r % 8) {
    case 0:
    case 1:
        feed(run);
        break;
    case 2:
    case 3:
        if (run->ours_count < OURS_MAX)
            trade(run, run->ticks);
        break;
    case 4:
    case 5:
        work = path_poll(r % 8 == 4 ? p->risk : p->executor, (uint32_t)(r >> 8) % 4);
        break;
    default:
        for (uint64_t reports = r >> 8 & 7; reports > 0 && listen(run); reports--)
            continue;
    }
    if (work < 0)
        fail_msg("%s%s", p->risk->error.text, p->executor->error.text);
}

static bool drain(run_t *run)
{
    bool worked = false;
    while (listen(run))
        worked = true;
    worked |= path_poll(run->path->risk, 4) > 0;
    worked |= path_poll(run->path->executor, 4) > 0;
    return worked;
}

static void order_path_balances_over_full_rings_in_any_order_of_polls(void **state)
{
    (void)state;
    run_t *run = calloc(1, sizeof(*run));
    run->ours = calloc(OURS_MAX + 1, sizeof(*run->ours));
    run->seed = 987654321;
    print_message("seed %llu\n", (unsigned long long)run->seed);
    order_path_t *p = run->path = path_open(PATH_SLOTS);
    risk_limits_t limits;
    tbus_params_defaults(&risk_limits_params, &limits);
    limits.position_max = 500;
    limits.open_orders_max = 64;
    path_add_risk(p, &limits);
    executor_params_t params = {0};
    tbus_params_defaults(&venue_limits_params, &params.venue);
    path_add_executor(p, &params);

    uint64_t full = 0;
    for (int i = 0; i < STEPS; i++) {
        step(run);
        full += p->risk->pending || p->executor->pending;
    }
    while (drain(run))
        continue;
    assert_false(p->risk->pending || p->executor->pending);

    /* Cancel what rests: after it all is at rest, and all must add up. */
    kill_switch_throw(p->kill_switch, KILL_BY_OPERATOR, "a test");
    while (drain(run))
        continue;
    uint64_t cancels = run->orders - run->ours_count;
    assert_int_equal(run->answers, run->ours_count);
    assert_int_equal(run->cancel_answers, cancels);
    for (uint64_t i = 1; i <= run->ours_count; i++)
        assert_true(run->ours[i].ended);
    assert_int_equal(path_counter(p, "risk.orders"), run->orders);
    assert_int_equal(path_counter(p, "risk.report_mismatches"), 0);
    assert_int_equal(path_counter(p, "executor.executions"), run->executions);
    assert_int_equal(path_counter(p, "executor.open_orders"), 0);
    print_message(
        "%llu orders, %llu cancels, %llu rejected, %llu executions, %llu steps with a full ring\n",
        (unsigned long long)run->ours_count, (unsigned long long)cancels,
        (unsigned long long)run->rejected, (unsigned long long)run->executions,
        (unsigned long long)full);
    /* The run has met what it is about. */
    assert_true(full > 1000 && run->executions > 1000 && run->rejected > 1000 && cancels > 1000);
    free(run->ours);
    free(run);
    path_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_path_balances_over_full_rings_in_any_order_of_polls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
