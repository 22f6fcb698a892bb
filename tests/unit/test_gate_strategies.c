/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of one strategy alone, beside those of the bus: they hold its own orders up, and nobody
 * else's. */
#include <tickbus/msg/event.h>

#include "tests/unit/gate_fixture.h"

enum { LIMITED = 3, FREE = 4 };

static strategy_limits_t none_set(void)
{
    strategy_limits_t limits;
    tbus_params_defaults(&strategy_limits_params, &limits);
    return limits;
}

/* Strategy LIMITED has these, FREE has none. */
static fixture_t gate_of(risk_limits_t bus, strategy_limits_t own)
{
    const risk_strategy_t strategies[] = {{.number = FREE, .limits = none_set()},
                                          {.number = LIMITED, .limits = own}};
    gate_rules_t rules = gate_rules_default;
    rules.strategies_count = 2;
    rules.strategies = strategies;
    fixture_t f = {.market = risk_market_create()};
    assert_int_equal(gate_create(&bus, &rules, f.market, &f.gate, NULL), 0);
    gate_on_market(f.gate, market_next(f.market, tick_add(LOCATE, 1, 'B', 500, BID)));
    gate_on_market(f.gate, market_next(f.market, tick_add(LOCATE, 2, 'S', 500, ASK)));
    return f;
}

static order_t order_by(fixture_t *f, uint16_t strategy, uint8_t side, uint32_t qty)
{
    order_t order = fresh(f, side, qty, side == 'B' ? BID : ASK);
    order.order_id = ORDER_ID(strategy, f->count);
    return order;
}

static void expect(fixture_t *f, uint16_t strategy, uint8_t side, uint32_t qty, uint8_t reason)
{
    uint8_t got = judge(f, order_by(f, strategy, side, qty));
    if (got != reason)
        fail_msg("strategy %u, %c %u: %s, not %s", strategy, side, qty, report_reason_name(got),
                 report_reason_name(reason));
}

static void execute(fixture_t *f, uint16_t strategy, uint8_t side, uint32_t qty, uint32_t px_e4)
{
    order_t order = order_by(f, strategy, side, qty);
    say(f, report_of(&order, REPORT_FILLED, qty, 0, px_e4));
}

static void each_limit_of_a_strategy_holds_its_own_orders_up_and_no_others(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        uint64_t limit;
        uint32_t passes, fails;
        uint8_t reason;
    } rows[] = {
        {offsetof(strategy_limits_t, max_order_notional_e4), 10 * (uint64_t)BID, 10, 11,
         REASON_MAX_NOTIONAL},
        {offsetof(strategy_limits_t, position_max), 10, 10, 1, REASON_POSITION_LIMIT},
        {offsetof(strategy_limits_t, gross_notional_max_e4), 10 * (uint64_t)BID, 10, 1,
         REASON_GROSS_NOTIONAL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        strategy_limits_t own = none_set();
        memcpy((char *)&own + rows[i].offset, &rows[i].limit, sizeof rows[i].limit);
        fixture_t f = gate_of(wide(), own);
        expect(&f, FREE, 'B', 1000, REASON_NONE);
        expect(&f, LIMITED, 'B', rows[i].passes, REASON_NONE);
        expect(&f, LIMITED, 'B', rows[i].fails, rows[i].reason);
        expect(&f, FREE, 'B', 1000, REASON_NONE);
        close_gate(&f);
    }
    strategy_limits_t own = none_set();
    own.max_order_qty = 10;
    own.orders_per_second = 2;
    own.messages_per_second = 4;
    own.open_orders_max = 3;
    fixture_t f = gate_of(wide(), own);
    expect(&f, LIMITED, 'B', 11, REASON_MAX_QTY);
    expect(&f, LIMITED, 'B', 10, REASON_NONE);
    expect(&f, LIMITED, 'B', 10, REASON_NONE);
    expect(&f, LIMITED, 'B', 10, REASON_RATE);
    own.orders_per_second = 1000000; /* more than the bus allows: that one holds */
    assert_true(gate_set_strategy_limits(f.gate, LIMITED, &own));
    expect(&f, LIMITED, 'B', 10, REASON_NONE);
    expect(&f, LIMITED, 'B', 10, REASON_OPEN_ORDERS);
    order_t cancel = order_cancel(f.count);
    cancel.order_id = ORDER_ID(LIMITED, 2);
    assert_int_equal(judge(&f, cancel), REASON_NONE);
    expect(&f, LIMITED, 'B', 10, REASON_MESSAGE_RATE);
    expect(&f, FREE, 'B', 11, REASON_NONE);
    close_gate(&f);
}

static void what_a_strategy_has_resting_stays_when_its_limits_become_smaller(void **state)
{
    (void)state;
    strategy_limits_t own = none_set();
    own.position_max = 100;
    fixture_t f = gate_of(wide(), own);
    expect(&f, LIMITED, 'B', 60, REASON_NONE);
    uint64_t resting = f.count;
    own.position_max = 50;
    assert_true(gate_set_strategy_limits(f.gate, LIMITED, &own));
    assert_int_equal(gate_open_orders(f.gate), 1);
    expect(&f, LIMITED, 'B', 1, REASON_POSITION_LIMIT);
    expect(&f, LIMITED, 'S', 50, REASON_NONE); /* the other side is measured by itself */
    order_t order = order_by(&f, LIMITED, 'B', 60);
    order.order_id = ORDER_ID(LIMITED, resting);
    say(&f, report_of(&order, REPORT_CANCELLED, 60, 0, BID));
    expect(&f, LIMITED, 'B', 50, REASON_NONE);
    /* A strategy of which nobody has counted cannot get a limit now. */
    assert_false(gate_set_strategy_limits(f.gate, FREE, &own));
    expect(&f, FREE, 'B', 1000, REASON_NONE);
    close_gate(&f);
}

static void a_strategy_that_has_lost_too_much_closes_alone_until_rearmed(void **state)
{
    (void)state;
    strategy_limits_t own = none_set();
    own.loss_max_e4 = 50000;
    fixture_t f = gate_of(wide(), own);
    /* Flat together: the ticks of the symbol concern the gate all the same. */
    execute(&f, LIMITED, 'B', 100, BID);
    execute(&f, FREE, 'S', 100, BID);
    assert_int_equal(gate_exposure(f.gate, LOCATE).position.qty, 0);
    assert_true(gate_concerns(f.gate)[LOCATE / 64] >> (LOCATE % 64) & 1);
    gate_on_market(f.gate, market_next(f.market, tick_replace(LOCATE, 1, 3, 500, BID - 500)));
    assert_int_equal(gate_strategies_latched(f.gate), 0); /* 5.00, as much as is allowed */
    gate_on_market(f.gate, market_next(f.market, tick_replace(LOCATE, 3, 4, 500, BID - 600)));
    assert_int_equal(gate_strategies_latched(f.gate), UINT32_C(1) << LIMITED);
    assert_int_equal(gate_state(f.gate), GATE_ACTIVE); /* of the others */
    gate_on_market(f.gate, market_next(f.market, tick_replace(LOCATE, 4, 5, 500, BID)));
    expect(&f, LIMITED, 'B', 1, REASON_LOSS_LIMIT);
    expect(&f, LIMITED, 'S', 101, REASON_LOSS_LIMIT);
    expect(&f, LIMITED, 'S', 100, REASON_NONE);
    expect(&f, FREE, 'S', 1, REASON_NONE);
    gate_rearm(f.gate);
    assert_int_equal(gate_strategies_latched(f.gate), 0);
    expect(&f, LIMITED, 'S', 1, REASON_NONE);
    close_gate(&f);
}

static void a_strategy_that_is_latched_from_before_closes_alone_until_rearmed(void **state)
{
    (void)state;
    strategy_limits_t own = none_set();
    own.loss_max_e4 = 50000;
    fixture_t f = gate_of(wide(), own);
    assert_false(gate_latch_strategy(f.gate, FREE)); /* nobody counts what it loses */
    assert_true(gate_latch_strategy(f.gate, LIMITED));
    assert_int_equal(gate_strategies_latched(f.gate), UINT32_C(1) << LIMITED);
    assert_int_equal(gate_state(f.gate), GATE_ACTIVE);
    expect(&f, LIMITED, 'B', 1, REASON_LOSS_LIMIT);
    execute(&f, LIMITED, 'B', 10, BID);
    expect(&f, LIMITED, 'S', 10, REASON_NONE);
    expect(&f, FREE, 'B', 1, REASON_NONE);
    gate_act(f.gate, EVENT_RESUME);
    assert_int_equal(gate_strategies_latched(f.gate), 0);
    expect(&f, LIMITED, 'B', 1, REASON_NONE);
    close_gate(&f);
}

/* gate.h: the one is held to the net position of the bus, the other to its own. */
static void closing_goes_by_the_bus_for_its_limits_and_by_the_strategy_for_its_own(void **state)
{
    (void)state;
    strategy_limits_t own = none_set();
    own.loss_max_e4 = 50000;
    fixture_t f = gate_of(wide(), own);
    execute(&f, LIMITED, 'B', 100, BID);
    execute(&f, FREE, 'S', 60, BID); /* the bus is long of 40 */
    gate_reduce(f.gate, true);
    expect(&f, LIMITED, 'S', 41, REASON_REDUCING);
    expect(&f, FREE, 'S', 41, REASON_REDUCING);
    expect(&f, FREE, 'B', 1, REASON_REDUCING); /* though it would close its own */
    expect(&f, FREE, 'S', 15, REASON_NONE);    /* though it would open its own */
    expect(&f, LIMITED, 'S', 26, REASON_REDUCING);
    expect(&f, LIMITED, 'S', 25, REASON_NONE);
    gate_reduce(f.gate, false);
    assert_true(gate_latch_strategy(f.gate, LIMITED));
    expect(&f, LIMITED, 'B', 1, REASON_LOSS_LIMIT);
    expect(&f, LIMITED, 'S', 76, REASON_LOSS_LIMIT);
    expect(&f, LIMITED, 'S', 75, REASON_NONE); /* the bus has 0 by then, and may open */
    close_gate(&f);
}

static void limits_of_a_strategy_are_explained_behind_those_of_the_bus(void **state)
{
    (void)state;
    gate_check_t checks[GATE_CHECKS_MAX];
    strategy_limits_t own = none_set();
    own.position_max = 10;
    fixture_t f = gate_of(wide(), own);
    order_t order = order_by(&f, FREE, 'B', 11);
    assert_int_equal(gate_explain(f.gate, &order, 0, checks), 23);
    order = order_by(&f, LIMITED, 'B', 11);
    assert_int_equal(gate_explain(f.gate, &order, 0, checks), GATE_CHECKS_MAX);
    unsigned rejecting = 0;
    for (unsigned i = 0; i < GATE_CHECKS_MAX; i++) {
        assert_int_equal(checks[i].of_strategy, i >= 23);
        if (checks[i].passed)
            continue;
        rejecting++;
        assert_int_equal(checks[i].reason, REASON_POSITION_LIMIT);
        assert_true(checks[i].reached && checks[i].of_strategy);
        assert_int_equal(checks[i].value, 11);
        assert_int_equal(checks[i].limit, 10);
    }
    assert_int_equal(rejecting, 1);
    assert_int_equal(judge(&f, order), REASON_POSITION_LIMIT);
    close_gate(&f);
}

static void a_change_is_repeated_from_what_was_recorded_of_it(void **state)
{
    (void)state;
    risk_limit_set_t set = {.strategies_count = 2,
                            .strategies = {{.number = 1, .section = "strategy"},
                                           {.number = 2, .section = "stages.second"}}};
    tbus_params_defaults(&risk_limits_params, &set.bus);
    set.strategies[0].limits = set.strategies[1].limits = none_set();
    risk_limit_set_repeat(&set, "strategy.limits.position_max from 9223372036854775807 to 77, "
                                "stages.second.limits.max_order_qty from 5 to 6, "
                                "stages.third.limits.max_order_qty from 5 to 9, "
                                "risk.position_max from 50000 to 400, "
                                "stages.second.limits.loss_max_e4 from 5 to 0");
    assert_int_equal(set.strategies[0].limits.position_max, 77);
    assert_int_equal(set.strategies[1].limits.max_order_qty, 6);
    assert_int_equal(set.bus.position_max, 400);
    strategy_limits_t none = none_set();
    assert_true(set.strategies[1].limits.loss_max_e4 == none.loss_max_e4); /* not allowed */
    assert_int_equal(set.strategies[0].limits.max_order_qty, none.max_order_qty);
}

static void a_strategy_gets_its_first_limit_at_the_start_alone(void **state)
{
    (void)state;
    tbus_error_t err = {0};
    strategy_limits_t none = none_set(), some = none_set();
    some.open_orders_max = 7;
    assert_false(strategy_limits_any(&none));
    assert_true(strategy_limits_any(&some));
    assert_int_equal(strategy_limits_check_change(&some, &none, &err), 0);
    assert_int_equal(strategy_limits_check_change(&none, &none, &err), 0);
    assert_int_equal(strategy_limits_check_change(&none, &some, &err), -TBUS_ECONFIG);
    assert_non_null(strstr(err.text, "start again"));
    word_box_t box = {0};
    strategy_limits_t got;
    assert_false(strategy_limits_read(&box, 2, &got));
    strategy_limits_put(&box, &some);
    assert_false(strategy_limits_read(&box, 4, &got)); /* of another change */
    assert_true(strategy_limits_read(&box, 2, &got));
    assert_memory_equal(&got, &some, sizeof got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_limit_of_a_strategy_holds_its_own_orders_up_and_no_others),
        cmocka_unit_test(what_a_strategy_has_resting_stays_when_its_limits_become_smaller),
        cmocka_unit_test(a_strategy_that_has_lost_too_much_closes_alone_until_rearmed),
        cmocka_unit_test(a_strategy_that_is_latched_from_before_closes_alone_until_rearmed),
        cmocka_unit_test(closing_goes_by_the_bus_for_its_limits_and_by_the_strategy_for_its_own),
        cmocka_unit_test(limits_of_a_strategy_are_explained_behind_those_of_the_bus),
        cmocka_unit_test(a_change_is_repeated_from_what_was_recorded_of_it),
        cmocka_unit_test(a_strategy_gets_its_first_limit_at_the_start_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
