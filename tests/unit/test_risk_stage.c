/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/order_path.h"

#include "risk/gate.h"

#include <unistd.h>

#include <tickbus/observer.h>

#include "bus/msg/digest.h"

#define BID 1000000u
#define ASK 1000200u

typedef struct fixture {
    order_path_t *path;
    tbus_subscriber_t judged;
} fixture_t;

static risk_limits_t small_limits(void)
{
    risk_limits_t limits;
    tbus_params_defaults(&risk_limits_params, &limits);
    limits.position_max = 1000;
    return limits;
}

static void join_judged(fixture_t *f)
{
    order_path_t *p = f->path;
    test_reserve(&p->bus, "judged", "test", TBUS_SUBSCRIBER);
    PATH_OK(tbus_subscriber_join(tbus_bus_ring(&p->bus, "judged"), "test", PATH_EXECUTOR,
                                 &f->judged, &p->err));
}

/* Risk alone on the bus, the test in the place of the executor. */
static fixture_t open_risk_of(const risk_params_t *params)
{
    fixture_t f = {.path = path_open(64)};
    join_judged(&f);
    path_add_risk_of(f.path, params);
    return f;
}

static fixture_t open_risk_with(risk_limits_t limits)
{
    risk_params_t params = {.limits = limits};
    return open_risk_of(&params);
}

static fixture_t open_risk_alone(void)
{
    return open_risk_with(small_limits());
}

/* Two ticks, taken, that make a touch. */
static void make_touch(fixture_t *f)
{
    path_tick(f->path, tick_add(LOCATE, 1, 'B', 500, BID));
    path_tick(f->path, tick_add(LOCATE, 2, 'S', 500, ASK));
    assert_int_equal(path_poll(f->path->risk, 10), 2);
}

static fixture_t open_risk(void)
{
    fixture_t f = open_risk_alone();
    make_touch(&f);
    return f;
}

static void close_risk(fixture_t *f)
{
    tbus_subscriber_leave(&f->judged);
    path_close(f->path);
}

static order_t buy(uint64_t count, uint32_t qty)
{
    order_t order = order_new(count, 'B', qty, BID, ORDER_TIF_DAY);
    order.md_seq = 2;
    return order;
}

static void expect_passed(fixture_t *f, const order_t *order)
{
    order_t got;
    assert_true(path_take(&f->judged, &got, sizeof(got)));
    assert_memory_equal(&got, order, sizeof(got));
}
static void expect_rejected(fixture_t *f, uint64_t count, uint8_t reason)
{
    order_t got;
    assert_true(path_take(&f->judged, &got, sizeof(got)));
    assert_int_equal(got.order_id, ORDER_ID(STRATEGY, count));
    if (got.reason != reason)
        fail_msg("got %s, wanted %s", report_reason_name(got.reason), report_reason_name(reason));
}
static void expect_none_judged(fixture_t *f)
{
    size_t bytes;
    assert_null(tbus_peek(&f->judged, &bytes));
}

static void risk_passes_orders_byte_for_byte_and_says_nothing_about_them(void **state)
{
    (void)state;
    fixture_t f = open_risk();
    order_t order = buy(1, 100);
    order.report_seq = UINT64_C(0x1122334455);
    order.sent = 123456789;
    order.at = UINT64_C(0x11223344556677);
    order.flags = ORDER_POST_ONLY;
    path_order(f.path, order);
    assert_int_equal(path_poll(f.path->risk, 1), 1);
    expect_passed(&f, &order);
    path_expect_no_report(f.path);
    assert_int_equal(path_poll(f.path->risk, 1), 0);
    assert_false(f.path->risk->pending);
    close_risk(&f);
}

static void risk_builds_the_book_of_a_symbol_that_an_order_goes_to_and_no_other(void **state)
{
    (void)state;
    fixture_t f = open_risk_alone();
    const market_t *market = f.path->risk_market;
    for (uint32_t i = 0; i < 3; i++) {
        path_tick(f.path, tick_add(LOCATE, 1 + i, 'B', 500, BID - 100 * i));
        path_tick(f.path, tick_add(LOCATE, 11 + i, 'S', 500, ASK + 100 * i));
        path_tick(f.path, tick_add(1, 21 + i, 'B', 500, BID - 100 * i));
    }
    assert_int_equal(path_poll(f.path->risk, 10), 9);
    assert_int_equal(market_stats(market)->live_levels, 3); /* a pile each side */
    order_t order = buy(1, 100);
    path_order(f.path, order);
    assert_int_equal(path_poll(f.path->risk, 1), 1);
    expect_passed(&f, &order);
    assert_int_equal(market_stats(market)->live_levels, 7);
    close_risk(&f);
}

/* As a tick that finds no level does where all books are built. */
static void an_order_to_a_book_for_which_there_are_no_levels_stops_risk(void **state)
{
    (void)state;
    fixture_t f = {.path = path_open(64)};
    risk_params_t params = {.limits = small_limits()};
    f.path->levels_max = 2;
    join_judged(&f);
    path_add_risk_of(f.path, &params);
    for (uint32_t i = 0; i < 3; i++)
        path_tick(f.path, tick_add(LOCATE, 1 + i, 'B', 500, BID - 100 * i));
    assert_int_equal(path_poll(f.path->risk, 10), 3);
    path_order(f.path, buy(1, 100));
    assert_int_equal(path_poll(f.path->risk, 1), -TBUS_ELIMIT);
    assert_non_null(strstr(f.path->risk->error.text, "books.levels_max"));
    expect_none_judged(&f);
    close_risk(&f);
}

static void risk_sends_what_it_rejects_to_the_executor_with_the_reason(void **state)
{
    (void)state;
    fixture_t f = open_risk();
    path_order(f.path, buy(1, 1001));
    path_order(f.path, order_cancel(0));
    path_poll(f.path->risk, 1);
    order_t rejected = buy(1, 1001);
    rejected.reason = REASON_POSITION_LIMIT;
    expect_passed(&f, &rejected);
    rejected = order_cancel(0);
    rejected.reason = REASON_MALFORMED;
    expect_passed(&f, &rejected);
    path_expect_no_report(f.path);
    close_risk(&f);
}

static void what_passes_is_on_approved_as_well_and_nothing_else(void **state)
{
    (void)state;
    fixture_t f = open_risk();
    order_path_t *p = f.path;
    tbus_observer_t approved;
    digest_t digest = 0;
    PATH_OK(
        tbus_observer_join(tbus_bus_ring(&p->bus, "approved"), TBUS_FROM_NOW, &approved, &p->err));
    assert_int_equal(path_counter(p, "digest.approved"), 0);
    for (uint32_t i = 1; i <= 3; i++) {
        order_t judged, passed;
        size_t bytes;
        uint64_t seq, lost;
        path_order(p, buy(i, 400 * i)); /* the second and third are too much */
        path_poll(p->risk, 1);
        assert_true(path_take(&f.judged, &judged, sizeof judged));
        assert_int_equal(judged.reason != REASON_NONE, i > 1);
        bool there = tbus_observe(&approved, &passed, &bytes, &seq, &lost) == 1;
        assert_int_equal(there, i == 1);
        if (there) {
            assert_memory_equal(&passed, &judged, sizeof passed);
            digest_order(&digest, &passed);
        }
        assert_int_equal(path_counter(p, "digest.approved"), digest);
    }
    close_risk(&f);
}

static void risk_judges_an_order_only_after_the_tick_that_caused_it(void **state)
{
    (void)state;
    fixture_t f = open_risk_alone();
    path_tick(f.path, tick_add(LOCATE, 1, 'B', 500, BID));
    path_tick(f.path, tick_add(LOCATE, 2, 'S', 500, ASK));
    path_tick(f.path, tick_trading(LOCATE, 'H'));
    order_t order = buy(1, 100);
    path_order(f.path, order);
    assert_int_equal(path_poll(f.path->risk, 0), 0); /* a budget of none: no tick, so no order */
    assert_int_equal(path_poll(f.path->risk, 1), 1);
    expect_none_judged(&f);
    /* the second tick and the order, before the third */
    assert_int_equal(path_poll(f.path->risk, 1), 2);
    expect_passed(&f, &order);
    close_risk(&f);
}

static void risk_judges_an_order_before_it_takes_a_later_tick(void **state)
{
    (void)state;
    fixture_t f = open_risk_alone();
    path_tick(f.path, tick_add(LOCATE, 1, 'B', 500, BID));
    path_tick(f.path, tick_add(LOCATE, 2, 'S', 500, ASK));
    path_tick(f.path, tick_trading(LOCATE, 'H'));
    order_t order = buy(1, 100);
    path_order(f.path, order);
    path_order(f.path, buy(2, 100));
    order_t late = buy(3, 100);
    late.md_seq = 3;
    path_order(f.path, late);
    assert_int_equal(path_poll(f.path->risk, 100), 6);
    expect_passed(&f, &order);
    order = buy(2, 100);
    expect_passed(&f, &order);
    expect_rejected(&f, 3, REASON_HALTED);
    path_tick(f.path, tick_trading(LOCATE, 'T'));
    late = buy(4, 100);
    late.md_seq = 3;
    /* waits for nothing: the market is where it was */
    path_order(f.path, late);
    assert_int_equal(path_poll(f.path->risk, 100), 2);
    expect_rejected(&f, 4, REASON_HALTED);
    close_risk(&f);
}

static void risk_rejects_an_order_that_names_a_tick_that_is_not_there(void **state)
{
    (void)state;
    fixture_t f = open_risk();
    order_t order = buy(1, 100);
    order.md_seq = 3;
    path_order(f.path, order);
    order = buy(2, 100);
    path_order(f.path, order);
    assert_int_equal(path_poll(f.path->risk, 1), 2);
    expect_rejected(&f, 1, REASON_MALFORMED);
    expect_passed(&f, &order);
    close_risk(&f);
}

static void risk_rejects_a_message_that_has_not_the_length_of_an_order(void **state)
{
    (void)state;
    fixture_t f = open_risk();
    order_t order = buy(1, 100);
    tbus_publish_try(&f.path->orders, &order, 55);
    tbus_publish_try(&f.path->orders, &order, 0);
    path_poll(f.path->risk, 1);
    expect_rejected(&f, 1, REASON_MALFORMED);
    assert_true(path_take(&f.judged, &order, sizeof(order)));
    assert_int_equal(order.reason, REASON_MALFORMED);
    assert_int_equal(order.order_id, 0);
    expect_none_judged(&f);
    close_risk(&f);
}

static void risk_takes_nothing_more_but_empties_its_rings_while_judged_is_full(void **state)
{
    (void)state;
    fixture_t f = open_risk();
    tbus_publisher_t executor;
    order_path_t *p = f.path;
    PATH_OK(
        tbus_publisher_join(tbus_bus_ring(&p->bus, "reports"), PATH_EXECUTOR, &executor, &p->err));
    uint64_t sent = 0;
    while (!p->risk->pending) {
        assert_int_equal(path_order(p, buy(++sent, 1)), TBUS_PUBLISHED);
        path_poll(p->risk, 1);
        assert_true(sent <= PATH_SLOTS + 1);
    }
    assert_int_equal(sent, PATH_SLOTS + 1);
    assert_int_equal(path_order(p, buy(++sent, 1)), TBUS_PUBLISHED);
    path_tick(p, tick_add(LOCATE, 3, 'B', 5, BID - 5));
    order_t first = buy(1, 1);
    report_t accepted = report_of(&first, REPORT_ACCEPTED, 1, 1, BID);
    tbus_publish_try(&executor, &accepted, sizeof(accepted));
    assert_int_equal(path_poll(p->risk, 1), 0);
    assert_int_equal(market_seq(p->risk_market), 2);
    for (uint64_t i = 0; i < 2 * PATH_SLOTS; i++) { /* nobody who sends orders waits for room */
        assert_int_equal(path_order(p, buy(++sent, 1)), TBUS_PUBLISHED);
        path_poll(p->risk, 1);
    }
    assert_int_equal(path_counter(p, "risk.orders"), PATH_SLOTS + 1);
    assert_true(p->risk->pending);
    for (uint64_t count = 1; count <= sent; count++) {
        order_t order = buy(count, 1);
        expect_passed(&f, &order);
        path_poll(p->risk, 1);
    }
    assert_false(p->risk->pending);
    expect_none_judged(&f);
    close_risk(&f);
}

static void risk_rejects_new_orders_from_the_moment_the_bus_is_halted(void **state)
{
    (void)state;
    fixture_t f = open_risk();
    order_t order = buy(1, 100);
    path_order(f.path, order);
    path_poll(f.path->risk, 1);
    expect_passed(&f, &order);
    kill_switch_throw(f.path->kill_switch, KILL_BY_OPERATOR, "a test");
    path_order(f.path, buy(2, 100));
    order_t cancel = order_cancel(1);
    path_order(f.path, cancel);
    path_poll(f.path->risk, 1);
    expect_rejected(&f, 2, REASON_KILL_SWITCH);
    expect_passed(&f, &cancel);
    kill_switch_release(f.path->kill_switch, (kill_switch_actor_t){.uid = 5, .pid = 6}, "mended");
    order = buy(3, 100);
    path_order(f.path, order);
    path_poll(f.path->risk, 1);
    expect_passed(&f, &order);
    close_risk(&f);
}

static void a_halt_stays_while_a_release_and_the_next_throw_are_both_half_done(void **state)
{
    (void)state;
    fixture_t f = open_risk();
    kill_switch_t *kill_switch = f.path->kill_switch;
    kill_switch_throw(kill_switch, KILL_BY_OPERATOR, "a test");
    path_order(f.path, buy(1, 100));
    path_poll(f.path->risk, 1);
    expect_rejected(&f, 1, REASON_KILL_SWITCH);
    tbus_store_relaxed_u32(&kill_switch->halt.thrown,
                           0); /* of a release, which is not counted yet */
    tbus_fetch_add_relaxed_u32(&kill_switch->halt.generation, 1); /* of a throw, not thrown yet */
    path_order(f.path, buy(2, 100));
    path_poll(f.path->risk, 1);
    expect_rejected(&f, 2, REASON_KILL_SWITCH);
    close_risk(&f);
}

static void check_act(const event_t *event, uint8_t from, uint64_t position, uint64_t md_seq)
{
    assert_int_equal(event->from, from);
    assert_int_equal(event->position, position);
    assert_int_equal(event->md_seq, md_seq);
    assert_int_equal(event->more, 0);
    assert_true(event->sent_ns > 0);
}

static void risk_says_at_which_order_it_took_a_halt_and_a_resume_and_who_ordered_them(void **state)
{
    (void)state;
    fixture_t f = open_risk();
    order_path_t *p = f.path;
    order_t order = buy(1, 100);
    path_order(p, order);
    path_poll(p->risk, 1);
    expect_passed(&f, &order);
    path_expect_no_event(p);
    kill_switch_throw(p->kill_switch, KILL_BY_OPERATOR, "prices look wrong");
    path_order(p, buy(2, 100));
    path_poll(p->risk, 1);
    event_t event = path_expect_event(p, EVENT_HALT, 1, "prices look wrong");
    check_act(&event, EVENT_FROM_RISK, 1, 2);
    assert_int_equal(event.by, EVENT_BY_OPERATOR);
    assert_int_equal(event.pid, getpid());
    assert_int_equal(event.uid, geteuid());
    assert_true(event.time_ns > 0);
    expect_rejected(&f, 2, REASON_KILL_SWITCH);
    kill_switch_release(p->kill_switch, (kill_switch_actor_t){.uid = 5, .pid = 6}, "mended");
    path_poll(p->risk, 1); /* without an order as well */
    event = path_expect_event(p, EVENT_RESUME, 1, "mended");
    check_act(&event, EVENT_FROM_RISK, 2, 2);
    assert_int_equal(event.uid, 5);
    assert_int_equal(event.pid, 6);
    /* both between two looks: both are told, in their order */
    kill_switch_throw(p->kill_switch, KILL_BY_SUPERVISOR, "again");
    kill_switch_release(p->kill_switch, (kill_switch_actor_t){0}, "and off");
    path_order(p, buy(3, 100));
    path_poll(p->risk, 1);
    event = path_expect_event(p, EVENT_HALT, 2, "again");
    check_act(&event, EVENT_FROM_RISK, 2, 2);
    event = path_expect_event(p, EVENT_RESUME, 2, "and off");
    check_act(&event, EVENT_FROM_RISK, 2, 2);
    path_expect_no_event(p);
    path_expect_no_report(p);
    close_risk(&f);
}

static void a_reduction_stands_behind_a_halt_that_is_released_alone(void **state)
{
    (void)state;
    fixture_t f = open_risk();
    order_path_t *p = f.path;
    const kill_switch_actor_t desk = {.uid = 5, .pid = 6};
    kill_switch_reduce(p->kill_switch, KILL_BY_OPERATOR, "no new risk");
    path_order(p, buy(1, 100));
    path_poll(p->risk, 1);
    expect_rejected(&f, 1, REASON_REDUCING);
    event_t event = path_expect_event(p, EVENT_REDUCE, 1, "no new risk");
    check_act(&event, EVENT_FROM_RISK, 0, 2);
    assert_int_equal(event.by, EVENT_BY_OPERATOR);
    kill_switch_throw(p->kill_switch, KILL_BY_OPERATOR, "none at all");
    path_order(p, buy(2, 100));
    path_poll(p->risk, 1);
    expect_rejected(&f, 2, REASON_KILL_SWITCH);
    path_expect_event(p, EVENT_HALT, 1, "none at all");
    kill_switch_release_halt(p->kill_switch, desk, "to close");
    path_order(p, buy(3, 100));
    path_poll(p->risk, 1);
    expect_rejected(&f, 3, REASON_REDUCING);
    path_expect_event(p, EVENT_RESUME, 1, "to close"); /* it ends both: so what stands is told */
    path_expect_event(p, EVENT_REDUCE, 1, "no new risk");
    kill_switch_release(p->kill_switch, desk, "over");
    order_t order = buy(4, 100);
    path_order(p, order);
    path_poll(p->risk, 1);
    expect_passed(&f, &order);
    path_expect_event(p, EVENT_RESUME, 2, "over");
    /* both between two looks */
    kill_switch_reduce(p->kill_switch, KILL_BY_OPERATOR, "once more");
    kill_switch_release(p->kill_switch, desk, "and off");
    order = buy(5, 100);
    path_order(p, order);
    path_poll(p->risk, 1);
    expect_passed(&f, &order);
    path_expect_event(p, EVENT_REDUCE, 2, "once more");
    path_expect_event(p, EVENT_RESUME, 3, "and off");
    path_expect_no_event(p);
    close_risk(&f);
}

/* Who repeats what was told must come to what holds. */
static void of_many_acts_between_two_looks_the_one_told_last_is_what_holds(void **state)
{
    (void)state;
    fixture_t f = open_risk();
    order_path_t *p = f.path;
    kill_switch_throw(p->kill_switch, KILL_BY_OPERATOR, "one");
    kill_switch_release(p->kill_switch, (kill_switch_actor_t){0}, "one off");
    kill_switch_throw(p->kill_switch, KILL_BY_OPERATOR, "two");
    path_order(p, buy(1, 100));
    path_poll(p->risk, 1);
    expect_rejected(&f, 1, REASON_KILL_SWITCH);
    (void)path_expect_event(p, EVENT_RESUME, 1, "one off");
    (void)path_expect_event(p, EVENT_HALT, 2, "two");
    kill_switch_release(p->kill_switch, (kill_switch_actor_t){0}, "two off");
    kill_switch_throw(p->kill_switch, KILL_BY_OPERATOR, "three");
    kill_switch_release(p->kill_switch, (kill_switch_actor_t){0}, "three off");
    order_t order = buy(2, 100);
    path_order(p, order);
    path_poll(p->risk, 1);
    expect_passed(&f, &order);
    (void)path_expect_event(p, EVENT_HALT, 3, "three");
    (void)path_expect_event(p, EVENT_RESUME, 3, "three off");
    path_expect_no_event(p);
    path_expect_no_report(p);
    close_risk(&f);
}

static void a_reason_that_is_longer_than_a_message_goes_on_in_the_next_one(void **state)
{
    (void)state;
    char reason[KILL_SWITCH_REASON_MAX];
    fixture_t f = open_risk();
    memset(reason, 'x', sizeof reason);
    memcpy(reason + EVENT_TEXT_MAX - 1, "\xc3\xbc", 2); /* it is not cut in two */
    reason[sizeof reason - 1] = 0;
    kill_switch_throw(f.path->kill_switch, KILL_BY_OPERATOR, reason);
    path_poll(f.path->risk, 1);
    char first[EVENT_TEXT_MAX] = "";
    memcpy(first, reason, EVENT_TEXT_MAX - 1);
    event_t event = path_expect_event(f.path, EVENT_HALT, 1, first);
    assert_int_equal(event.more, 1);
    event = path_expect_event(f.path, EVENT_HALT, 1, reason + EVENT_TEXT_MAX - 1);
    assert_int_equal(event.more, 0);
    close_risk(&f);
}

static void
nobody_who_reads_events_holds_risk_up_and_what_is_left_out_shows_in_the_numbers(void **state)
{
    (void)state;
    enum { KEPT = 32 };
    fixture_t f = open_risk();
    order_path_t *p = f.path;
    for (uint32_t i = 0; i < PATH_SLOTS + KEPT + 2; i++) {
        kill_switch_throw(p->kill_switch, KILL_BY_OPERATOR, "");
        path_poll(p->risk, 1);
    }
    assert_true(p->risk->pending);
    path_order(p, buy(1, 100));
    path_poll(p->risk, 1);
    expect_rejected(&f, 1, REASON_KILL_SWITCH);
    for (uint32_t i = 1; i <= PATH_SLOTS + KEPT; i++) {
        path_expect_event(p, EVENT_HALT, i, "");
        path_poll(p->risk, 1);
    }
    path_expect_no_event(p);
    assert_false(p->risk->pending);
    kill_switch_throw(p->kill_switch, KILL_BY_OPERATOR, "");
    path_poll(p->risk, 1);
    path_expect_event(p, EVENT_HALT, PATH_SLOTS + KEPT + 3, "");
    close_risk(&f);
}

static void risk_says_from_which_order_on_new_limits_hold(void **state)
{
    (void)state;
    limits_box_t box = {0};
    risk_params_t params = {.limits = small_limits(), .limits_box = &box};
    fixture_t f = open_risk_of(&params);
    order_path_t *p = f.path;
    make_touch(&f);
    order_t order = buy(1, 100);
    path_order(p, order);
    path_poll(p->risk, 1);
    expect_passed(&f, &order);
    risk_limits_t limits = params.limits;
    limits.max_order_qty = 50;
    limits_box_put(&box, &limits);
    path_order(p, buy(2, 100));
    path_order(p, buy(3, 100));
    path_poll(p->risk, 1);
    path_poll(p->risk, 1);
    expect_rejected(&f, 2, REASON_MAX_QTY);
    expect_rejected(&f, 3, REASON_MAX_QTY);
    event_t event = path_expect_event(p, EVENT_LIMITS, 1, "");
    check_act(&event, EVENT_FROM_RISK, 1, 2);
    path_expect_no_event(p);
    close_risk(&f);
}

static void risk_takes_its_own_reject_for_nothing_when_the_order_lives(void **state)
{
    (void)state;
    fixture_t f = open_risk();
    order_t order = buy(1, 1000);
    path_order(f.path, order);
    path_order(f.path, order);
    for (int i = 0; i < 3; i++)
        path_poll(f.path->risk, 1);
    expect_passed(&f, &order);
    expect_rejected(&f, 1, REASON_DUPLICATE_ID);
    path_order(f.path, buy(2, 1)); /* the first one still fills the limit */
    path_poll(f.path->risk, 1);
    expect_rejected(&f, 2, REASON_POSITION_LIMIT);
    expect_none_judged(&f);
    close_risk(&f);
}

static void risk_follows_reports_before_it_judges(void **state)
{
    (void)state;
    fixture_t f = open_risk();
    order_path_t *p = f.path;
    tbus_publisher_t executor;
    PATH_OK(
        tbus_publisher_join(tbus_bus_ring(&p->bus, "reports"), PATH_EXECUTOR, &executor, &p->err));
    order_t order = buy(1, 1000);
    path_order(p, order);
    path_poll(p->risk, 1);
    expect_passed(&f, &order);
    report_t cancelled = report_of(&order, REPORT_CANCELLED, 1000, 0, BID);
    order = buy(2, 1000);
    path_order(p, order);
    tbus_publish_try(&executor, &cancelled, sizeof(cancelled));
    path_poll(p->risk, 1);
    expect_passed(&f, &order);
    assert_int_equal(path_counter(p, "risk.report_mismatches"), 0);
    close_risk(&f);
}

static void risk_counts_every_order_as_passed_or_under_one_reason(void **state)
{
    (void)state;
    fixture_t f = open_risk();
    order_path_t *p = f.path;
    path_order(p, buy(1, 100));
    path_order(p, buy(1, 100));
    path_order(p, buy(2, 5000));
    path_order(p, order_cancel(1));
    path_order(p, buy(0, 100));
    path_poll(p->risk, 1);
    assert_int_equal(path_counter(p, "risk.orders"), 5);
    assert_int_equal(path_counter(p, "risk.cancels"), 1);
    assert_int_equal(path_counter(p, "risk.passed"), 2);
    uint64_t rejects = 0, named = 0;
    for (unsigned reason = 0; reason < REASON_COUNT; reason++) {
        char name[48];
        snprintf(name, sizeof(name), "risk.rejects.%s", report_reason_name(reason));
        rejects += path_counter(p, name);
    }
    tbus_counter_view_t counter;
    for (uint32_t cursor = 0; tbus_counter_next(&p->bus, &cursor, &counter);)
        named += strncmp(counter.name, "risk.rejects.", 13) == 0;
    assert_int_equal(rejects, 3);
    assert_int_equal(named, 23); /* all reasons of the gate, from the start */
    assert_int_equal(path_counter(p, "risk.rejects.duplicate_order_id"), 1);
    assert_int_equal(path_counter(p, "risk.rejects.position_limit"), 1);
    assert_int_equal(path_counter(p, "risk.rejects.malformed"), 1);
    close_risk(&f);
}

/* Send an order, which is to be refused for `reason`, and look whether that alone was counted. */
static void reject_and_count(fixture_t *f, order_t order, uint8_t reason)
{
    char name[TBUS_COUNTER_NAME_MAX];
    uint64_t passed = path_counter(f->path, "risk.passed");
    snprintf(name, sizeof name, "risk.rejects.%s", report_reason_name(reason));
    assert_int_equal(path_counter(f->path, name), 0);
    path_order(f->path, order);
    path_poll(f->path->risk, 1);
    expect_rejected(f, order.order_id - ORDER_ID(STRATEGY, 0), reason);
    assert_int_equal(path_counter(f->path, name), 1);
    assert_int_equal(path_counter(f->path, "risk.passed"), passed);
}

static void pass(fixture_t *f, order_t order)
{
    path_order(f->path, order);
    path_poll(f->path->risk, 1);
    expect_passed(f, &order);
}

static void each_reason_to_reject_has_a_counter_of_its_own(void **state)
{
    (void)state;
    limits_box_t box = {0};
    risk_params_t params = {.limits = small_limits(), .limits_box = &box};
    risk_limits_t *limits = &params.limits;
    limits->max_order_qty = 2000;
    limits->max_order_notional_e4 = UINT64_C(1500) * BID;
    limits->gross_notional_max_e4 = UINT64_C(500) * BID;
    limits->orders_per_second = 2;
    limits->open_orders_max = 2;
    fixture_t f = open_risk_of(&params);
    order_path_t *p = f.path;
    make_touch(&f);
    path_tick(p, tick_add(LOCATE + 1, 3, 'B', 500, BID));
    path_tick(p, tick_trading(LOCATE + 1, 'H'));
    assert_int_equal(path_poll(p->risk, 2), 2);
    uint64_t count = 0;
    order_t order = buy(++count, 100);
    order.side = 'X';
    reject_and_count(&f, order, REASON_MALFORMED);
    order.side = 'B';
    pass(&f, order);
    reject_and_count(&f, order, REASON_DUPLICATE_ID);
    kill_switch_throw(p->kill_switch, KILL_BY_OPERATOR, "a test");
    reject_and_count(&f, buy(++count, 100), REASON_KILL_SWITCH);
    kill_switch_release(p->kill_switch, (kill_switch_actor_t){0}, "mended");
    order = buy(++count, 100), order.locate = LOCATE + 2;
    reject_and_count(&f, order, REASON_UNKNOWN_SYMBOL);
    order = buy(++count, 100), order.locate = LOCATE + 1;
    reject_and_count(&f, order, REASON_HALTED);
    reject_and_count(&f, buy(++count, 2001), REASON_MAX_QTY);
    reject_and_count(&f, buy(++count, 1501), REASON_MAX_NOTIONAL);
    order = buy(++count, 1), order.px_e4 = 0;
    reject_and_count(&f, order, REASON_NO_REFERENCE);
    order = buy(++count, 1), order.px_e4 = 2 * BID;
    reject_and_count(&f, order, REASON_PRICE_COLLAR);
    reject_and_count(&f, buy(++count, 901), REASON_POSITION_LIMIT);
    reject_and_count(&f, buy(++count, 401), REASON_GROSS_NOTIONAL);
    limits->open_orders_max = 1;
    limits_box_put(&box, limits);
    reject_and_count(&f, buy(++count, 1), REASON_OPEN_ORDERS);
    limits->open_orders_max = 2;
    limits_box_put(&box, limits);
    pass(&f, buy(++count, 1));
    reject_and_count(&f, buy(++count, 1), REASON_RATE);
    tbus_publisher_t executor;
    PATH_OK(
        tbus_publisher_join(tbus_bus_ring(&p->bus, "reports"), PATH_EXECUTOR, &executor, &p->err));
    /* costs more than can be booked */
    report_t filled = report_of(&order, REPORT_FILLED, UINT32_MAX, 0, UINT32_MAX);
    tbus_publish_try(&executor, &filled, sizeof filled);
    reject_and_count(&f, buy(++count, 1), REASON_OVERFLOW);
    assert_int_equal(path_counter(p, "risk.orders"), 16);
    assert_int_equal(path_counter(p, "risk.passed"), 2);
    assert_int_equal(path_counter(p, "risk.limits_changes"), 2);
    close_risk(&f);
}

static void a_loss_lets_closing_orders_alone_pass_until_somebody_resumes(void **state)
{
    (void)state;
    risk_limits_t limits = small_limits();
    limits.loss_max_e4 = BID / 2;
    fixture_t f = open_risk_with(limits);
    order_path_t *p = f.path;
    make_touch(&f);
    tbus_publisher_t executor;
    PATH_OK(
        tbus_publisher_join(tbus_bus_ring(&p->bus, "reports"), PATH_EXECUTOR, &executor, &p->err));
    order_t order = buy(1, 1);
    pass(&f, order);
    report_t filled = report_of(&order, REPORT_FILLED, 1, 0, 2 * BID); /* it has lost a BID */
    tbus_publish_try(&executor, &filled, sizeof filled);
    reject_and_count(&f, buy(2, 1), REASON_LOSS_LIMIT);
    assert_int_equal(path_counter(p, RISK_STATE_COUNTER), GATE_REDUCING);
    assert_int_equal(path_counter(p, "risk.drawdown_e4"), BID);
    path_poll(p->risk,
              1); /* it throws the switch, for everybody to see, and takes that as an act */
    path_poll(p->risk, 1);
    kill_switch_state_t seen;
    kill_switch_look_reduction(p->kill_switch, &seen);
    assert_true(seen.thrown);
    assert_int_equal(seen.by, KILL_BY_LOSS);
    assert_string_equal(seen.reason,
                        "the net loss, 100.0000, is more than risk.loss_max_e4 allows, 50.0000");
    event_t event = path_expect_event(p, EVENT_REDUCE, 1, seen.reason);
    assert_int_equal(event.by, EVENT_BY_LOSS);
    path_order(p, buy(3, 1));
    path_poll(p->risk, 1);
    expect_rejected(&f, 3, REASON_LOSS_LIMIT);
    kill_switch_release(p->kill_switch, (kill_switch_actor_t){0}, "seen");
    pass(&f, buy(4, 1));
    assert_int_equal(path_counter(p, RISK_STATE_COUNTER), GATE_ACTIVE);
    path_poll(p->risk, 1);
    assert_false(kill_switch_reduces(p->kill_switch)); /* once is enough */
    kill_switch_throw(p->kill_switch, KILL_BY_OPERATOR, "a test");
    reject_and_count(&f, buy(5, 1), REASON_KILL_SWITCH);
    assert_int_equal(path_counter(p, RISK_STATE_COUNTER), GATE_HALTED);
    close_risk(&f);
}

static void risk_measures_the_rate_in_market_time(void **state)
{
    (void)state;
    risk_limits_t limits = small_limits();
    limits.orders_per_second = 1;
    fixture_t f = open_risk_with(limits);
    order_path_t *p = f.path;
    tick_t tick = tick_add(LOCATE, 1, 'B', 500, BID);
    tick.event = 50400 * SECOND_NS;
    path_tick(p, tick);
    tick = tick_add(LOCATE, 2, 'S', 500, ASK);
    tick.event = 50400 * SECOND_NS;
    path_tick(p, tick);
    path_poll(p->risk, 10);
    path_order(p, buy(1, 1));
    path_order(p, buy(2, 1));
    path_poll(p->risk, 10);
    order_t order = buy(1, 1);
    expect_passed(&f, &order);
    expect_rejected(&f, 2, REASON_RATE);
    path_tick(p, (tick_t){.type = TICK_END_MARK}); /* has no time */
    tick = tick_trading(LOCATE, 'T');
    tick.event = 50401 * SECOND_NS;
    path_tick(p, tick);
    path_poll(p->risk, 1);
    path_order(p, buy(3, 1));
    path_poll(p->risk, 0);
    expect_rejected(&f, 3, REASON_RATE);
    path_poll(p->risk, 1);
    order = buy(4, 1);
    path_order(p, order);
    path_poll(p->risk, 1);
    expect_passed(&f, &order);
    close_risk(&f);
}

static void risk_values_positions_at_the_touch_of_the_moment(void **state)
{
    (void)state;
    risk_limits_t limits = small_limits();
    limits.gross_notional_max_e4 = UINT64_C(200) * BID;
    fixture_t f = open_risk_with(limits);
    order_path_t *p = f.path;
    path_tick(p, tick_add(LOCATE, 1, 'B', 500, BID));
    path_tick(p, tick_add(LOCATE, 2, 'S', 500, 2 * BID));
    tbus_publisher_t executor;
    PATH_OK(
        tbus_publisher_join(tbus_bus_ring(&p->bus, "reports"), PATH_EXECUTOR, &executor, &p->err));
    path_poll(p->risk, 2);
    order_t order = buy(1, 100);
    path_order(p, order);
    path_poll(p->risk, 1);
    expect_passed(&f, &order);
    report_t filled = report_of(&order, REPORT_FILLED, 100, 0, BID);
    filled.sent = 1;
    tbus_publish_try(&executor, &filled, sizeof(filled));
    path_tick(p, tick_add(LOCATE, 3, 'B', 1, BID + 1)); /* the 100 held are worth more now */
    path_poll(p->risk, 1);
    path_order(p, buy(2, 100));
    path_poll(p->risk, 1);
    path_expect_report(p, REPORT_FILLED, 1, REASON_NONE);
    expect_rejected(&f, 2, REASON_GROSS_NOTIONAL);
    path_tick(p, tick_delete(LOCATE, 3));
    path_poll(p->risk, 1);
    order = buy(3, 100);
    path_order(p, order);
    path_poll(p->risk, 1);
    expect_passed(&f, &order);
    close_risk(&f);
}

static void risk_stops_when_a_table_of_the_market_is_full(void **state)
{
    (void)state;
    fixture_t f = open_risk_alone();
    path_overfill_market(f.path, f.path->risk);
    close_risk(&f);
}

/* Nobody may publish on the ring, so this is one that somebody wrote over. */
static void risk_that_keeps_no_books_refuses_every_order(void **state)
{
    (void)state;
    risk_params_t params = {.limits = small_limits(), .no_orders = true};
    fixture_t f = open_risk_of(&params);
    make_touch(&f);
    assert_int_equal(market_stats(f.path->risk_market)->live_orders, 0);
    path_order(f.path, buy(1, 100));
    assert_int_equal(path_poll(f.path->risk, 1), 1);
    expect_rejected(&f, 1, REASON_MALFORMED);
    path_tick(f.path, tick_add(LOCATE, 3, 'B', 500, BID));
    assert_int_equal(path_poll(f.path->risk, 1), 1);
    close_risk(&f);
}

static void risk_stops_at_a_report_that_has_not_the_length_of_one(void **state)
{
    (void)state;
    fixture_t f = open_risk();
    order_path_t *p = f.path;
    tbus_publisher_t executor;
    PATH_OK(
        tbus_publisher_join(tbus_bus_ring(&p->bus, "reports"), PATH_EXECUTOR, &executor, &p->err));
    tbus_publish_try(&executor, "short", 5);
    assert_int_equal(path_poll(p->risk, 1), -TBUS_ECORRUPT);
    assert_int_equal(p->risk->error.code, -TBUS_ECORRUPT);
    assert_string_equal(p->risk->error.text,
                        "stage 'risk': message 1 of reports has 5 bytes, a report has 56");
    close_risk(&f);
}

/* Risk with room for four reports, and as many reports as given, seen at 5000. */
static fixture_t open_risk_and_report(enum session_clock clock, unsigned reports, int *out_work)
{
    static venue_session_t session;
    session = session_host;
    session.clock = clock;
    session.reports_max = 4;
    risk_params_t params = {.limits = small_limits(), .session = &session};
    fixture_t f = open_risk_of(&params);
    order_path_t *p = f.path;
    tbus_publisher_t executor;
    PATH_OK(
        tbus_publisher_join(tbus_bus_ring(&p->bus, "reports"), PATH_EXECUTOR, &executor, &p->err));
    order_t order = buy(1, 1);
    report_t cancelled = report_of(&order, REPORT_CANCELLED, 1, 0, BID); /* of no open order */
    cancelled.seen = 5000;
    for (unsigned i = 0; i < reports; i++)
        assert_int_equal(tbus_publish_try(&executor, &cancelled, sizeof cancelled), TBUS_PUBLISHED);
    *out_work = path_poll(p->risk, 1);
    return f;
}

static void risk_stops_when_more_reports_are_on_their_way_than_it_has_room_for(void **state)
{
    (void)state;
    int work;
    fixture_t f = open_risk_and_report(SESSION_CLOCK_MARKET, 4, &work);
    assert_int_equal(work, 0);
    assert_int_equal(path_counter(f.path, "risk.report_mismatches"), 0); /* none is due */
    close_risk(&f);
    f = open_risk_and_report(SESSION_CLOCK_MARKET, 5, &work);
    assert_int_equal(work, -TBUS_ELIMIT);
    assert_string_equal(f.path->risk->error.text,
                        "stage 'risk': more than 4 reports are on their way; raise "
                        "venue.reports_max, or lower venue.latency.response");
    close_risk(&f);
}

static void by_the_clock_of_the_host_risk_takes_any_number_of_reports(void **state)
{
    (void)state;
    int work;
    fixture_t f = open_risk_and_report(SESSION_CLOCK_HOST, PATH_SLOTS, &work);
    for (unsigned i = 0; i < 10; i++)
        path_poll(f.path->risk, 1);
    assert_int_equal(path_counter(f.path, "risk.report_mismatches"), PATH_SLOTS);
    close_risk(&f);
}

static void risk_stops_at_a_ring_that_holds_what_no_publisher_writes(void **state)
{
    (void)state;
    fixture_t f = open_risk_alone();
    order_path_t *p = f.path;
    tbus_ring_t *ring = tbus_bus_ring(&p->bus, "md");
    assert_int_equal(path_poll(p->risk, 8), 0);
    tbus_store_release_u64(tbus_ring_slot(ring, 1),
                           tbus_slot_word(1 + ring->slot_count, 0, 8, TBUS_SLOT_READY));
    assert_int_equal(path_poll(p->risk, 8), -TBUS_ECORRUPT);
    assert_int_equal(p->risk->error.code, -TBUS_ECORRUPT);
    close_risk(&f);
}

static void risk_starts_where_nobody_else_goes_by_market_time(void **state)
{
    (void)state;
    venue_session_t session = session_host;
    session.clock = SESSION_CLOCK_MARKET;
    risk_params_t params = {.limits = small_limits(), .session = &session};
    fixture_t f = open_risk_of(&params);
    tbus_stage_t *stage = f.path->risk;
    assert_int_equal(stage->ops->start(stage), 0);
    assert_int_equal(stage->horizons_count, 0);
    path_tick(f.path, tick_add(LOCATE, 1, 'S', 100, ASK));
    assert_int_equal(path_poll(stage, 8), 1);
    close_risk(&f);
}

static void risk_that_cannot_watch_the_feed_does_not_start(void **state)
{
    (void)state;
    venue_session_t session = session_host;
    session.clock = SESSION_CLOCK_MARKET;
    risk_params_t params = {.limits = small_limits(), .session = &session};
    fixture_t f = open_risk_of(&params);
    tbus_stage_t *stage = f.path->risk;
    tbus_stage_t feed = {.bus = &f.path->bus, .owner = PATH_FEED, .name = "feed"};
    assert_non_null(tbus_stage_keep_horizon(&feed, "md", 0));
    stage->horizons_count = TBUS_STAGE_HORIZONS_MAX;
    assert_int_equal(stage->ops->start(stage), -TBUS_EFULL);
    assert_int_equal(stage->error.code, -TBUS_EFULL);
    stage->horizons_count = 0;
    close_risk(&f);
}

static void risk_is_not_made_without_its_places_or_with_wrong_limits(void **state)
{
    (void)state;
    order_path_t *p = path_open(64);
    market_t *market = risk_market_create();
    risk_params_t params = {0};
    tbus_params_defaults(&risk_limits_params, &params.limits);
    tbus_stage_t *stage = NULL;
    assert_int_equal(risk_stage_create(&p->bus, PATH_RISK, market, &params, &stage, &p->err),
                     -TBUS_ENOTFOUND);
    test_reserve(&p->bus, "md", "risk", TBUS_SUBSCRIBER);
    assert_int_equal(risk_stage_create(&p->bus, PATH_RISK, market, &params, &stage, &p->err),
                     -TBUS_ENOTFOUND);
    params.limits.max_order_qty = 0;
    assert_int_equal(risk_stage_create(&p->bus, PATH_RISK, market, &params, &stage, &p->err),
                     -TBUS_ECONFIG);
    assert_null(stage);
    market_destroy(market);
    path_close(p);
}

/* Somebody from outside sends more than risk can have in hand, while a strategy stands still. */
static void orders_from_outside_wait_for_no_strategy(void **state)
{
    (void)state;
    enum { IN_HAND = 4, SENT = 3 * IN_HAND };
    venue_session_t session = session_host;
    session.clock = SESSION_CLOCK_MARKET;
    risk_params_t params = {.limits = small_limits(), .session = &session, .messages_max = IN_HAND};
    fixture_t f = open_risk_of(&params);
    order_path_t *p = f.path;
    tbus_stage_t strategy = {.bus = &p->bus, .owner = PATH_STRATEGY};
    tbus_horizon_t *horizon = tbus_stage_keep_horizon(&strategy, "orders", 1);
    assert_int_equal(p->risk->ops->start(p->risk), 0);
    uint64_t judged = 0;
    for (uint64_t at_ns = 0; at_ns <= 2; at_ns++) { /* before the first tick, and after each */
        tbus_horizon_raise(horizon, at_ns, true);
        if (at_ns > 0)
            path_tick(p,
                      tick_add(LOCATE, at_ns, at_ns == 1 ? 'B' : 'S', 500, at_ns == 1 ? BID : ASK));
        for (int i = 0; i < 4; i++)
            path_poll(p->risk, 4);
        assert_int_equal(market_seq(p->risk_market), at_ns);
        for (unsigned i = 0; i < SENT; i++) {
            order_t order = order_new(++judged, 'B', 1, BID, ORDER_TIF_DAY);
            order.order_id = ORDER_ID(9, judged);
            assert_int_equal(path_order(p, order), TBUS_PUBLISHED);
        }
        for (int i = 0; i < SENT; i++)
            path_poll(p->risk, 4);
        assert_int_equal(path_counter(p, "risk.orders"), judged);
        order_t got;
        for (unsigned i = 0; i < SENT; i++)
            assert_true(path_take(&f.judged, &got, sizeof got));
    }
    close_risk(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(risk_passes_orders_byte_for_byte_and_says_nothing_about_them),
        cmocka_unit_test(risk_builds_the_book_of_a_symbol_that_an_order_goes_to_and_no_other),
        cmocka_unit_test(an_order_to_a_book_for_which_there_are_no_levels_stops_risk),
        cmocka_unit_test(risk_sends_what_it_rejects_to_the_executor_with_the_reason),
        cmocka_unit_test(what_passes_is_on_approved_as_well_and_nothing_else),
        cmocka_unit_test(risk_judges_an_order_only_after_the_tick_that_caused_it),
        cmocka_unit_test(risk_judges_an_order_before_it_takes_a_later_tick),
        cmocka_unit_test(risk_rejects_an_order_that_names_a_tick_that_is_not_there),
        cmocka_unit_test(risk_rejects_a_message_that_has_not_the_length_of_an_order),
        cmocka_unit_test(risk_takes_nothing_more_but_empties_its_rings_while_judged_is_full),
        cmocka_unit_test(risk_rejects_new_orders_from_the_moment_the_bus_is_halted),
        cmocka_unit_test(a_halt_stays_while_a_release_and_the_next_throw_are_both_half_done),
        cmocka_unit_test(risk_says_at_which_order_it_took_a_halt_and_a_resume_and_who_ordered_them),
        cmocka_unit_test(a_reduction_stands_behind_a_halt_that_is_released_alone),
        cmocka_unit_test(of_many_acts_between_two_looks_the_one_told_last_is_what_holds),
        cmocka_unit_test(a_reason_that_is_longer_than_a_message_goes_on_in_the_next_one),
        cmocka_unit_test(
            nobody_who_reads_events_holds_risk_up_and_what_is_left_out_shows_in_the_numbers),
        cmocka_unit_test(risk_says_from_which_order_on_new_limits_hold),
        cmocka_unit_test(risk_takes_its_own_reject_for_nothing_when_the_order_lives),
        cmocka_unit_test(risk_follows_reports_before_it_judges),
        cmocka_unit_test(risk_counts_every_order_as_passed_or_under_one_reason),
        cmocka_unit_test(each_reason_to_reject_has_a_counter_of_its_own),
        cmocka_unit_test(a_loss_lets_closing_orders_alone_pass_until_somebody_resumes),
        cmocka_unit_test(risk_measures_the_rate_in_market_time),
        cmocka_unit_test(risk_values_positions_at_the_touch_of_the_moment),
        cmocka_unit_test(risk_stops_when_a_table_of_the_market_is_full),
        cmocka_unit_test(risk_that_keeps_no_books_refuses_every_order),
        cmocka_unit_test(risk_stops_at_a_report_that_has_not_the_length_of_one),
        cmocka_unit_test(risk_stops_when_more_reports_are_on_their_way_than_it_has_room_for),
        cmocka_unit_test(by_the_clock_of_the_host_risk_takes_any_number_of_reports),
        cmocka_unit_test(risk_stops_at_a_ring_that_holds_what_no_publisher_writes),
        cmocka_unit_test(risk_starts_where_nobody_else_goes_by_market_time),
        cmocka_unit_test(risk_that_cannot_watch_the_feed_does_not_start),
        cmocka_unit_test(risk_is_not_made_without_its_places_or_with_wrong_limits),
        cmocka_unit_test(orders_from_outside_wait_for_no_strategy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
