/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/order_path.h"

#include "bus/msg/digest.h"
#include "bus/market/drive.h"

#define PX 1000000u

typedef struct fixture {
    order_path_t *path;
    tbus_publisher_t approved;
} fixture_t;

static void join_approved(fixture_t *f)
{
    order_path_t *p = f->path;
    PATH_OK(
        tbus_publisher_join(tbus_bus_ring(&p->bus, "judged"), PATH_RISK, &f->approved, &p->err));
}

static fixture_t open_executor_of(const executor_params_t *params)
{
    fixture_t f = {.path = path_open(1024)};
    join_approved(&f);
    path_add_executor(f.path, params);
    return f;
}

static fixture_t open_executor(void)
{
    executor_params_t params = {0};
    tbus_params_defaults(&venue_limits_params, &params.venue);
    return open_executor_of(&params);
}

static void close_executor(fixture_t *f)
{
    path_close(f->path);
}

static enum tbus_publish approve(fixture_t *f, order_t order)
{
    return tbus_publish_try(&f->approved, &order, sizeof(order));
}

static order_t caused_by(order_t order, uint64_t md_seq)
{
    order.md_seq = md_seq;
    return order;
}

static void
the_executor_builds_the_book_of_a_symbol_that_an_order_goes_to_and_no_other(void **state)
{
    (void)state;
    fixture_t f = open_executor();
    order_path_t *p = f.path;
    for (uint32_t i = 0; i < 3; i++) {
        path_tick(p, tick_add(LOCATE, 1 + i, 'S', 100, PX + 100 * i));
        path_tick(p, tick_add(1, 11 + i, 'S', 100, PX + 100 * i));
    }
    assert_int_equal(path_poll(p->executor, 8), 6);
    assert_int_equal(market_stats(p->executor_market)->live_levels, 2); /* a pile each symbol */
    approve(&f, caused_by(order_new(1, 'B', 250, PX + 200, ORDER_TIF_IOC), 6));
    path_poll(p->executor, 8);
    path_expect_report(p, REPORT_ACCEPTED, 1, REASON_NONE);
    for (uint32_t i = 0; i < 3; i++) {
        report_t r;
        assert_true(path_take(&p->reports, &r, sizeof r));
        assert_int_equal(r.px_e4, PX + 100 * i);
        assert_int_equal(r.qty, i < 2 ? 100 : 50);
    }
    assert_int_equal(market_stats(p->executor_market)->live_levels, 4);
    close_executor(&f);
}

/* As a tick that finds no level does where all books are built. */
static void an_order_to_a_book_for_which_there_are_no_levels_stops_the_executor(void **state)
{
    (void)state;
    executor_params_t params = {0};
    tbus_params_defaults(&venue_limits_params, &params.venue);
    fixture_t f = {.path = path_open(64)};
    order_path_t *p = f.path;
    p->levels_max = 2;
    join_approved(&f);
    path_add_executor(p, &params);
    for (uint32_t i = 0; i < 3; i++)
        path_tick(p, tick_add(LOCATE, 1 + i, 'S', 100, PX + 100 * i));
    assert_int_equal(path_poll(p->executor, 8), 3);
    approve(&f, caused_by(order_new(1, 'B', 250, PX + 200, ORDER_TIF_IOC), 3));
    assert_int_equal(path_poll(p->executor, 8), -TBUS_ELIMIT);
    assert_non_null(strstr(p->executor->error.text, "books.levels_max"));
    path_expect_no_report(p);
    close_executor(&f);
}

static void executor_reports_what_becomes_of_an_order(void **state)
{
    (void)state;
    fixture_t f = open_executor();
    order_path_t *p = f.path;
    path_tick(p, tick_add(LOCATE, 1, 'S', 100, PX));
    approve(&f, caused_by(order_new(1, 'B', 150, PX, ORDER_TIF_DAY), 1));
    assert_int_equal(path_poll(p->executor, 8), 2);
    path_expect_report(p, REPORT_ACCEPTED, 1, REASON_NONE);
    report_t r;
    assert_true(path_take(&p->reports, &r, sizeof(r)));
    assert_int_equal(r.kind, REPORT_PARTIAL);
    assert_int_equal(r.qty, 100);
    assert_int_equal(r.leaves, 50);
    assert_int_equal(r.px_e4, PX);
    assert_int_equal(r.exec_id, 1);
    assert_int_equal(r.liquidity, 'R');
    assert_int_equal(r.md_seq, 1);
    path_expect_no_report(p);
    path_tick(p, tick_add(LOCATE, 2, 'S', 50, PX));
    assert_int_equal(path_poll(p->executor, 8), 1);
    path_expect_report(p, REPORT_FILLED, 1, REASON_NONE);
    assert_int_equal(path_poll(p->executor, 8), 0);
    assert_int_equal(path_counter(p, "executor.orders"), 1);
    assert_int_equal(path_counter(p, "executor.executions"), 2);
    assert_int_equal(path_counter(p, "executor.executed_shares"), 150);
    assert_int_equal(path_counter(p, "executor.open_orders"), 0);
    close_executor(&f);
}

static void executor_executes_an_order_only_after_the_tick_that_caused_it(void **state)
{
    (void)state;
    fixture_t f = open_executor();
    order_path_t *p = f.path;
    path_tick(p, tick_add(LOCATE, 1, 'S', 100, PX + 100));
    path_tick(p, tick_add(LOCATE, 2, 'S', 100, PX));
    path_tick(p, tick_delete(LOCATE, 2));
    approve(&f, caused_by(order_new(1, 'B', 100, PX + 100, ORDER_TIF_DAY), 2));
    assert_int_equal(path_poll(p->executor, 0), 0);
    assert_int_equal(path_poll(p->executor, 1), 1);
    path_expect_no_report(p);
    assert_int_equal(path_poll(p->executor, 1), 2);
    path_expect_report(p, REPORT_ACCEPTED, 1, REASON_NONE);
    report_t r;
    assert_true(path_take(&p->reports, &r, sizeof(r)));
    assert_int_equal(r.px_e4, PX);
    close_executor(&f);
}

static void executor_executes_an_order_before_it_takes_a_later_tick(void **state)
{
    (void)state;
    fixture_t f = open_executor();
    order_path_t *p = f.path;
    path_tick(p, tick_add(LOCATE, 1, 'S', 100, PX));
    path_tick(p, tick_delete(LOCATE, 1));
    approve(&f, caused_by(order_new(1, 'B', 40, PX, ORDER_TIF_IOC), 1));
    approve(&f, caused_by(order_new(2, 'B', 40, PX, ORDER_TIF_IOC), 1));
    approve(&f, caused_by(order_new(3, 'B', 40, PX, ORDER_TIF_IOC), 2));
    assert_int_equal(path_poll(p->executor, 100), 5);
    path_expect_report(p, REPORT_ACCEPTED, 1, REASON_NONE);
    path_expect_report(p, REPORT_FILLED, 1, REASON_NONE);
    path_expect_report(p, REPORT_ACCEPTED, 2, REASON_NONE);
    path_expect_report(p, REPORT_FILLED, 2, REASON_NONE);
    path_expect_report(p, REPORT_ACCEPTED, 3, REASON_NONE);
    path_expect_report(p, REPORT_CANCELLED, 3, REASON_IOC_UNFILLED);
    close_executor(&f);
}

static void executor_refuses_orders_that_lie_about_their_cause_or_are_none(void **state)
{
    (void)state;
    fixture_t f = open_executor();
    order_path_t *p = f.path;
    path_tick(p, tick_add(LOCATE, 1, 'S', 100, PX));
    order_t order = caused_by(order_new(1, 'B', 100, PX, ORDER_TIF_DAY), 2);
    approve(&f, order);
    order = caused_by(order_new(2, 'B', 100, PX, ORDER_TIF_DAY), 1);
    tbus_publish_try(&f.approved, &order, 40);
    path_poll(p->executor, 8);
    path_expect_report(p, REPORT_REJECTED, 1, REASON_MALFORMED);
    report_t r;
    assert_true(path_take(&p->reports, &r, sizeof(r)));
    assert_int_equal(r.kind, REPORT_REJECTED);
    assert_int_equal(r.reason, REASON_MALFORMED);
    path_expect_no_report(p);
    close_executor(&f);
}

static void executor_refuses_a_replayed_approval(void **state)
{
    (void)state;
    fixture_t f = open_executor();
    order_path_t *p = f.path;
    order_t order = order_new(1, 'B', 100, PX, ORDER_TIF_DAY);
    approve(&f, order);
    approve(&f, order);
    path_poll(p->executor, 8);
    path_expect_report(p, REPORT_ACCEPTED, 1, REASON_NONE);
    path_expect_report(p, REPORT_REJECTED, 1, REASON_DUPLICATE_ID);
    assert_int_equal(path_counter(p, "executor.open_orders"), 1);
    close_executor(&f);
}

static void executor_keeps_reports_while_the_ring_is_full_and_takes_nothing_more(void **state)
{
    (void)state;
    fixture_t f = open_executor();
    order_path_t *p = f.path;
    enum { LEVELS = 40 };
    for (uint32_t i = 0; i < LEVELS; i++)
        path_tick(p, tick_add(LOCATE, 1 + i, 'S', 10, PX + i));
    approve(&f, caused_by(order_new(1, 'B', 10 * LEVELS + 5, PX + LEVELS, ORDER_TIF_IOC), LEVELS));
    approve(&f, caused_by(order_new(2, 'B', 1, PX, ORDER_TIF_IOC), LEVELS));
    assert_int_equal(path_poll(p->executor, LEVELS), LEVELS + 1);
    assert_true(p->executor->pending);
    path_tick(p, tick_delete(LOCATE, 1));
    assert_int_equal(path_poll(p->executor, 8), 0); /* neither the tick nor the second order */
    assert_int_equal(market_seq(p->executor_market), LEVELS);

    path_expect_report(p, REPORT_ACCEPTED, 1, REASON_NONE);
    for (uint32_t i = 0; i < LEVELS; i++) {
        path_poll(p->executor, 0);
        report_t r;
        assert_true(path_take(&p->reports, &r, sizeof(r)));
        assert_int_equal(r.kind, REPORT_PARTIAL);
        assert_int_equal(r.exec_id, i + 1);
        assert_int_equal(r.px_e4, PX + i);
        assert_true(r.sent != 0);
    }
    path_poll(p->executor, 0);
    path_expect_report(p, REPORT_CANCELLED, 1, REASON_IOC_UNFILLED);
    assert_false(p->executor->pending);
    path_expect_report(p, REPORT_ACCEPTED, 2, REASON_NONE);
    /* before the tick: a budget of none */
    path_expect_report(p, REPORT_CANCELLED, 2, REASON_IOC_UNFILLED);
    path_expect_no_report(p);
    assert_int_equal(path_poll(p->executor, 8), 1);
    close_executor(&f);
}

static void executor_flags_as_an_answer_only_what_a_message_caused(void **state)
{
    (void)state;
    fixture_t f = open_executor();
    order_path_t *p = f.path;
    report_t r;
    path_tick(p, tick_add(LOCATE, 1, 'S', 100, PX));
    approve(&f, caused_by(order_new(1, 'B', 10, PX - 10, ORDER_TIF_DAY), 1));
    approve(&f, caused_by(order_new(2, 'B', 10, PX - 20, ORDER_TIF_DAY), 1));
    approve(&f, caused_by(order_new(3, 'B', 10, PX, ORDER_TIF_IOC), 1));
    path_poll(p->executor, 8);
    /* the third order is accepted and filled */
    const uint8_t flags[] = {REPORT_ANSWER, REPORT_ANSWER, REPORT_MORE, REPORT_ANSWER};
    for (size_t i = 0; i < sizeof flags; i++) {
        assert_true(path_take(&p->reports, &r, sizeof r));
        assert_int_equal(r.flags, flags[i]);
    }
    path_tick(p, tick_add(LOCATE, 2, 'S', 100, PX - 50)); /* fills the two that rest */
    path_poll(p->executor, 8);
    for (uint64_t count = 1; count <= 2; count++) {
        assert_true(path_take(&p->reports, &r, sizeof r));
        assert_int_equal(r.kind, REPORT_FILLED);
        assert_int_equal(r.order_id & TICK_NS_MASK, count);
        assert_int_equal(r.flags, 0);
    }
    close_executor(&f);
}

/* The kill switch is thrown while a message is in hand, and `reports` is too small for what rests:
 * there is memory for the reports about that, not for one more. */
static void executor_takes_nothing_while_the_cancels_of_a_halt_wait_for_room(void **state)
{
    (void)state;
    enum { RESTING = 300 };
    executor_params_t params = {0};
    tbus_params_defaults(&venue_limits_params, &params.venue);
    params.venue.resting_max = RESTING;
    fixture_t f = open_executor_of(&params);
    order_path_t *p = f.path;
    report_t r;
    path_tick(p, tick_add(LOCATE, 1, 'S', 100, PX));
    for (uint64_t i = 1; i <= RESTING; i++) {
        approve(&f, caused_by(order_new(i, 'B', 10, PX - 10, ORDER_TIF_DAY), 1));
        path_poll(p->executor, 8);
        path_expect_report(p, REPORT_ACCEPTED, i, REASON_NONE);
    }
    for (uint64_t i = 1; i <= PATH_SLOTS; i++) {
        approve(&f, order_cancel(RESTING + i)); /* its answer stays on the ring */
        path_poll(p->executor, 0);
    }
    approve(&f, order_cancel(2 * RESTING));
    market_stage_t *stage = (market_stage_t *)(void *)p->executor;
    assert_int_equal(stage->ops->collect(stage), 0);
    kill_switch_throw(p->kill_switch, KILL_BY_OPERATOR, "a test");
    assert_int_equal(stage->ops->take(stage), 0);
    assert_true(stage->blocked);
    for (uint64_t i = 0; i < PATH_SLOTS + RESTING; i++) {
        assert_true(path_take(&p->reports, &r, sizeof r));
        assert_int_equal(r.kind, i < PATH_SLOTS ? REPORT_CANCEL_REJECTED : REPORT_CANCELLED);
        path_poll(p->executor, 8);
    }
    path_expect_report(p, REPORT_CANCEL_REJECTED, 2 * RESTING, REASON_UNKNOWN_ORDER);
    path_expect_no_report(p);
    close_executor(&f);
}

static void executor_executes_nothing_once_the_bus_is_halted(void **state)
{
    (void)state;
    fixture_t f = open_executor();
    order_path_t *p = f.path;
    path_tick(p, tick_add(LOCATE, 1, 'S', 100, PX));
    approve(&f, caused_by(order_new(1, 'B', 10, PX - 10, ORDER_TIF_DAY), 1));
    approve(&f, caused_by(order_new(2, 'B', 10, PX - 20, ORDER_TIF_DAY), 1));
    path_poll(p->executor, 8);
    path_expect_report(p, REPORT_ACCEPTED, 1, REASON_NONE);
    path_expect_report(p, REPORT_ACCEPTED, 2, REASON_NONE);

    kill_switch_throw(p->kill_switch, KILL_BY_OPERATOR, "a test");
    path_tick(p, tick_add(LOCATE, 2, 'S', 100, PX - 50)); /* would fill both */
    approve(&f, caused_by(order_new(3, 'B', 10, PX, ORDER_TIF_DAY), 1));
    approve(&f, order_cancel(1));
    path_poll(p->executor, 8);
    path_expect_report(p, REPORT_CANCELLED, 1, REASON_KILL_SWITCH);
    path_expect_report(p, REPORT_CANCELLED, 2, REASON_KILL_SWITCH);
    path_expect_report(p, REPORT_REJECTED, 3, REASON_KILL_SWITCH);
    path_expect_report(p, REPORT_CANCEL_REJECTED, 1, REASON_UNKNOWN_ORDER);
    path_expect_no_report(p);
    assert_int_equal(path_counter(p, "executor.executions"), 0);
    assert_int_equal(path_counter(p, "executor.open_orders"), 0);
    event_t event = path_expect_event(p, EVENT_HALT, 1, "a test");
    assert_int_equal(event.from, EVENT_FROM_EXECUTOR);
    assert_int_equal(event.position, 2); /* two orders were taken, and one tick */
    assert_int_equal(event.md_seq, 1);
    kill_switch_release(p->kill_switch, (kill_switch_actor_t){0}, "mended");
    path_poll(p->executor, 8);
    event = path_expect_event(p, EVENT_RESUME, 1, "mended");
    assert_int_equal(event.position, 4);
    assert_int_equal(event.md_seq, 2);
    path_expect_no_event(p);
    close_executor(&f);
}

static void executor_cancels_on_halt_before_anything_else_even_without_input(void **state)
{
    (void)state;
    fixture_t f = open_executor();
    order_path_t *p = f.path;
    approve(&f, order_new(1, 'B', 10, PX, ORDER_TIF_DAY));
    path_poll(p->executor, 8);
    path_expect_report(p, REPORT_ACCEPTED, 1, REASON_NONE);
    kill_switch_throw(p->kill_switch, KILL_BY_OPERATOR, "a test");
    assert_true(path_poll(p->executor, 0) > 0);
    path_expect_report(p, REPORT_CANCELLED, 1, REASON_KILL_SWITCH);
    assert_int_equal(path_counter(p, "executor.open_orders"), 0);
    assert_int_equal(path_poll(p->executor, 8), 0);
    close_executor(&f);
}

/* With as many orders resting as there can be, and reports of another order kept already. */
static void executor_cancels_on_halt_only_when_no_report_waits_for_room(void **state)
{
    (void)state;
    enum { RESTING = 300, LEVELS = 40 };
    executor_params_t params = {0};
    tbus_params_defaults(&venue_limits_params, &params.venue);
    params.venue.resting_max = RESTING;
    fixture_t f = open_executor_of(&params);
    order_path_t *p = f.path;
    for (uint32_t i = 1; i <= RESTING; i++) {
        approve(&f, order_new(i, 'B', 10, PX - i, ORDER_TIF_DAY));
        path_poll(p->executor, 8);
        path_expect_report(p, REPORT_ACCEPTED, i, REASON_NONE);
    }
    for (uint32_t i = 0; i < LEVELS; i++)
        path_tick(p, tick_add(LOCATE, 1 + i, 'S', 10, PX + i));
    approve(&f, caused_by(order_new(RESTING + 1, 'B', 10 * LEVELS, PX + LEVELS, ORDER_TIF_IOC),
                          LEVELS));
    path_poll(p->executor, LEVELS);
    assert_true(p->executor->pending);
    kill_switch_throw(p->kill_switch, KILL_BY_OPERATOR, "a test");
    path_poll(p->executor, 8);
    path_expect_report(p, REPORT_ACCEPTED, RESTING + 1, REASON_NONE);
    report_t r;
    uint32_t fills = 0, cancels = 0;
    while (cancels < RESTING) {
        path_poll(p->executor, 8);
        assert_true(path_take(&p->reports, &r, sizeof(r)));
        if (r.kind == REPORT_CANCELLED) {
            assert_int_equal(r.reason, REASON_KILL_SWITCH);
            assert_int_equal(fills, LEVELS);
            cancels++;
        } else {
            assert_int_equal(r.order_id, ORDER_ID(STRATEGY, RESTING + 1));
            fills++;
        }
    }
    path_expect_no_report(p);
    assert_int_equal(path_counter(p, "executor.open_orders"), 0);
    close_executor(&f);
}

static void executor_times_the_first_report_that_answers_each_message(void **state)
{
    (void)state;
    fixture_t f = open_executor();
    order_path_t *p = f.path;
    path_tick(p, tick_add(LOCATE, 1, 'S', 100, PX));
    uint64_t before_ns = tbus_bus_now_ns(&p->bus);
    order_t order = caused_by(order_new(1, 'B', 150, PX, ORDER_TIF_IOC), 1);
    order.intended = 1; /* just after the beginning of the bus */
    approve(&f, order);
    order = caused_by(order_new(1, 'B', 150, PX, ORDER_TIF_IOC), 1);
    approve(&f, order); /* rejected: timed as well */
    order = caused_by(order_new(2, 'B', 150, PX, ORDER_TIF_IOC), 0);
    order.intended = 0; /* no tick caused it */
    approve(&f, order);
    approve(&f, order_cancel(9));
    path_poll(p->executor, 8);
    uint64_t after_ns = tbus_bus_now_ns(&p->bus);
    const tbus_histogram_t *h = tbus_bus_histogram(&p->bus, "tick_to_report");
    assert_int_equal(tbus_load_relaxed_u64(&h->count), 3);
    assert_in_range(tbus_load_relaxed_u64(&h->max), before_ns - 1, after_ns - 1);
    close_executor(&f);
}

static void executor_times_no_cancel_that_no_tick_caused(void **state)
{
    (void)state;
    fixture_t f = open_executor();
    order_path_t *p = f.path;
    path_tick(p, tick_add(LOCATE, 1, 'S', 100, PX));
    approve(&f, caused_by(order_new(1, 'B', 150, PX - 100, ORDER_TIF_DAY), 1));
    order_t cancel = order_cancel(1);
    cancel.intended = 0;
    approve(&f, cancel);
    path_poll(p->executor, 8);
    const tbus_histogram_t *h = tbus_bus_histogram(&p->bus, "tick_to_report");
    assert_int_equal(tbus_load_relaxed_u64(&h->count), 1); /* not from the tick of its order */
    close_executor(&f);
}

static void executor_stops_when_a_table_of_the_market_is_full(void **state)
{
    (void)state;
    fixture_t f = open_executor();
    path_overfill_market(f.path, f.path->executor);
    close_executor(&f);
}

static void executor_stops_at_a_ring_that_holds_what_no_publisher_writes(void **state)
{
    (void)state;
    static const char *const topics[] = {"md", "judged"};
    for (unsigned i = 0; i < 2; i++) {
        fixture_t f = open_executor();
        order_path_t *p = f.path;
        tbus_ring_t *ring = tbus_bus_ring(&p->bus, topics[i]);
        assert_int_equal(path_poll(p->executor, 8), 0);
        tbus_store_release_u64(tbus_ring_slot(ring, 1),
                               tbus_slot_word(1 + ring->slot_count, 0, 8, TBUS_SLOT_READY));
        assert_int_equal(path_poll(p->executor, 8), -TBUS_ECORRUPT);
        assert_int_equal(p->executor->error.code, -TBUS_ECORRUPT);
        assert_non_null(strstr(p->executor->error.text, topics[i]));
        close_executor(&f);
    }
}

static void the_digest_of_the_executor_is_that_of_the_messages_on_its_ring(void **state)
{
    (void)state;
    fixture_t f = open_executor();
    order_path_t *p = f.path;
    digest_t digest = 0;
    report_t report;
    unsigned reports = 0;
    assert_int_equal(path_counter(p, "digest.reports"), 0);
    path_tick(p, tick_add(LOCATE, 1, 'S', 100, PX));
    for (uint64_t i = 1; i <= 3; i++) {
        approve(&f, caused_by(order_new(i, 'B', 60, PX, ORDER_TIF_IOC), 1));
        path_poll(p->executor, 8);
        for (; path_take(&p->reports, &report, sizeof report); reports++)
            digest_report(&digest, &report);
        assert_int_equal(path_counter(p, "digest.reports"), digest);
    }
    assert_int_equal(reports, 2 + 3 + 2); /* filled; for 40, the rest cancelled; cancelled */
    close_executor(&f);
}

static void executor_starts_where_nobody_else_goes_by_market_time(void **state)
{
    (void)state;
    venue_session_t session = session_host;
    session.clock = SESSION_CLOCK_MARKET;
    executor_params_t params = {.session = &session};
    tbus_params_defaults(&venue_limits_params, &params.venue);
    fixture_t f = open_executor_of(&params);
    tbus_stage_t *stage = f.path->executor;
    assert_int_equal(stage->ops->start(stage), 0);
    assert_int_equal(stage->horizons_count, 0);
    path_tick(f.path, tick_add(LOCATE, 1, 'S', 100, PX));
    assert_int_equal(path_poll(stage, 8), 1);
    close_executor(&f);
}

static void executor_that_cannot_watch_the_feed_does_not_start(void **state)
{
    (void)state;
    venue_session_t session = session_host;
    session.clock = SESSION_CLOCK_MARKET;
    executor_params_t params = {.session = &session};
    tbus_params_defaults(&venue_limits_params, &params.venue);
    fixture_t f = open_executor_of(&params);
    tbus_stage_t *stage = f.path->executor;
    tbus_stage_t feed = {.bus = &f.path->bus, .owner = PATH_FEED, .name = "feed"};
    assert_non_null(tbus_stage_keep_horizon(&feed, "md", 0));
    stage->horizons_count = TBUS_STAGE_HORIZONS_MAX;
    assert_int_equal(stage->ops->start(stage), -TBUS_EFULL);
    assert_int_equal(stage->error.code, -TBUS_EFULL);
    stage->horizons_count = 0;
    close_executor(&f);
}

static void executor_is_not_made_without_its_places_or_with_wrong_params(void **state)
{
    (void)state;
    order_path_t *p = path_open(64);
    market_t *market = risk_market_create();
    executor_params_t params = {0};
    tbus_params_defaults(&venue_limits_params, &params.venue);
    tbus_stage_t *stage = NULL;
    assert_int_equal(
        executor_stage_create(&p->bus, PATH_EXECUTOR, market, &params, &stage, &p->err),
        -TBUS_ENOTFOUND);
    params.venue.resting_max = 0;
    assert_int_equal(
        executor_stage_create(&p->bus, PATH_EXECUTOR, market, &params, &stage, &p->err),
        -TBUS_ECONFIG);
    assert_null(stage);
    market_destroy(market);
    path_close(p);
}

/* It could not be told to stop. */
static void neither_risk_nor_executor_is_made_on_a_bus_without_a_kill_switch(void **state)
{
    (void)state;
    tbus_bus_t bus;
    tbus_error_t err = {0};
    market_t *market = risk_market_create();
    risk_params_t risk = {0};
    executor_params_t executor = {0};
    tbus_params_defaults(&risk_limits_params, &risk.limits);
    tbus_params_defaults(&venue_limits_params, &executor.venue);
    tbus_stage_t *stage = NULL;
    test_bus_create(&bus, "test");
    assert_int_equal(executor_stage_create(&bus, 1, market, &executor, &stage, &err),
                     -TBUS_ENOTFOUND);
    assert_non_null(strstr(err.text, "no block 'risk.kill_switch'"));
    err = (tbus_error_t){0};
    assert_int_equal(risk_stage_create(&bus, 1, market, &risk, &stage, &err), -TBUS_ENOTFOUND);
    assert_non_null(strstr(err.text, "no block 'risk.kill_switch'"));
    assert_null(stage);
    market_destroy(market);
    tbus_bus_close(&bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(executor_reports_what_becomes_of_an_order),
        cmocka_unit_test(
            the_executor_builds_the_book_of_a_symbol_that_an_order_goes_to_and_no_other),
        cmocka_unit_test(an_order_to_a_book_for_which_there_are_no_levels_stops_the_executor),
        cmocka_unit_test(executor_executes_an_order_only_after_the_tick_that_caused_it),
        cmocka_unit_test(executor_executes_an_order_before_it_takes_a_later_tick),
        cmocka_unit_test(executor_refuses_orders_that_lie_about_their_cause_or_are_none),
        cmocka_unit_test(executor_refuses_a_replayed_approval),
        cmocka_unit_test(executor_keeps_reports_while_the_ring_is_full_and_takes_nothing_more),
        cmocka_unit_test(executor_flags_as_an_answer_only_what_a_message_caused),
        cmocka_unit_test(executor_takes_nothing_while_the_cancels_of_a_halt_wait_for_room),
        cmocka_unit_test(executor_executes_nothing_once_the_bus_is_halted),
        cmocka_unit_test(executor_cancels_on_halt_before_anything_else_even_without_input),
        cmocka_unit_test(executor_cancels_on_halt_only_when_no_report_waits_for_room),
        cmocka_unit_test(executor_times_the_first_report_that_answers_each_message),
        cmocka_unit_test(executor_times_no_cancel_that_no_tick_caused),
        cmocka_unit_test(executor_stops_when_a_table_of_the_market_is_full),
        cmocka_unit_test(executor_stops_at_a_ring_that_holds_what_no_publisher_writes),
        cmocka_unit_test(the_digest_of_the_executor_is_that_of_the_messages_on_its_ring),
        cmocka_unit_test(executor_starts_where_nobody_else_goes_by_market_time),
        cmocka_unit_test(executor_that_cannot_watch_the_feed_does_not_start),
        cmocka_unit_test(executor_is_not_made_without_its_places_or_with_wrong_params),
        cmocka_unit_test(neither_risk_nor_executor_is_made_on_a_bus_without_a_kill_switch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
