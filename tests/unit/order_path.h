/* SPDX-License-Identifier: Apache-2.0 */
/* order_path.h - for the tests of the risk and executor stages: a bus with the rings of the order
 * path, small enough to fill up, and the test in the place of feed, strategy and whoever else is
 * there. */
#ifndef TICKBUS_TESTS_ORDER_PATH_H
#define TICKBUS_TESTS_ORDER_PATH_H

#include "tests/unit/risk_market.h"

#include <stdio.h>
#include <stdlib.h>

#include <tickbus/stage.h>

#include <tickbus/msg/event.h>

#include "risk/kill_switch.h"
#include "risk/venue/executor.h"
#include "risk/stage.h"
#include "tests/support/bus_fixture.h"

#define PATH_SLOTS 16u

enum path_owner { PATH_FEED = 1, PATH_STRATEGY, PATH_RISK, PATH_EXECUTOR };

typedef struct order_path {
    tbus_bus_t bus;
    kill_switch_t *kill_switch;
    tbus_publisher_t md;
    tbus_publisher_t orders;
    tbus_subscriber_t reports; /* "test" */
    tbus_subscriber_t events;  /* "test" */
    uint32_t levels_max;       /* of the markets of stages that are added from now on */
    market_t *risk_market;
    market_t *executor_market;
    tbus_stage_t *risk;
    tbus_stage_t *executor;
    tbus_error_t err;
} order_path_t;

#define PATH_OK(call)                                                                              \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            fail_msg("%s: %s", #call, p->err.text);                                                \
    } while (0)

/* The bus alone. Free with path_close. */
static inline order_path_t *path_open(uint32_t md_slots)
{
    order_path_t *p = calloc(1, sizeof(*p));
    p->levels_max = 4096;
    test_bus_create(&p->bus, "test");
    PATH_OK(kill_switch_add(&p->bus, &p->kill_switch, &p->err));
    tbus_ring_t *md = test_topic(
        &p->bus, (tbus_ring_spec_t){.name = "md", .kind = TBUS_BROADCAST, .slot_count = md_slots},
        "tick");
    tbus_ring_t *orders = test_topic(
        &p->bus, (tbus_ring_spec_t){.name = "orders", .kind = TBUS_MPMC, .slot_count = PATH_SLOTS},
        "order");
    test_topic(&p->bus,
               (tbus_ring_spec_t){.name = "judged", .kind = TBUS_SPSC, .slot_count = PATH_SLOTS},
               "order");
    test_topic(
        &p->bus,
        (tbus_ring_spec_t){.name = "approved", .kind = TBUS_BROADCAST, .slot_count = PATH_SLOTS},
        "order");
    tbus_ring_t *reports = test_topic(
        &p->bus,
        (tbus_ring_spec_t){.name = "reports", .kind = TBUS_BROADCAST_MP, .slot_count = PATH_SLOTS},
        "report");
    tbus_ring_t *events = test_topic(&p->bus,
                                     (tbus_ring_spec_t){.name = EVENT_TOPIC,
                                                        .kind = TBUS_BROADCAST_MP,
                                                        .slot_count = PATH_SLOTS,
                                                        .slot_bytes = EVENT_SLOT},
                                     "event");
    test_participant(&p->bus, "feed", PATH_FEED);
    test_participant(&p->bus, "strategy", PATH_STRATEGY);
    test_participant(&p->bus, "risk", PATH_RISK);
    test_participant(&p->bus, "executor", PATH_EXECUTOR);
    test_reserve(&p->bus, "orders", "risk", TBUS_CONSUMER);
    p->md = test_publisher(md, PATH_FEED);
    p->orders = test_publisher(orders, PATH_STRATEGY);
    p->reports = test_subscriber(reports, "test", TBUS_SUBSCRIBER, PATH_STRATEGY);
    p->events = test_subscriber(events, "test", TBUS_SUBSCRIBER, PATH_STRATEGY);
    return p;
}

static inline void path_add_risk_of(order_path_t *p, const risk_params_t *params)
{
    test_reserve(&p->bus, "md", "risk", TBUS_SUBSCRIBER);
    test_reserve(&p->bus, "reports", "risk", TBUS_SUBSCRIBER);
    p->risk_market = risk_market_of(p->levels_max);
    PATH_OK(risk_stage_create(&p->bus, PATH_RISK, p->risk_market, params, &p->risk, &p->err));
}

static inline void path_add_risk(order_path_t *p, const risk_limits_t *limits)
{
    risk_params_t params = {.limits = *limits};
    path_add_risk_of(p, &params);
}

static inline void path_add_executor(order_path_t *p, const executor_params_t *params)
{
    test_reserve(&p->bus, "md", "executor", TBUS_SUBSCRIBER);
    test_reserve(&p->bus, "judged", "executor", TBUS_SUBSCRIBER);
    p->executor_market = risk_market_of(p->levels_max);
    PATH_OK(executor_stage_create(&p->bus, PATH_EXECUTOR, p->executor_market, params, &p->executor,
                                  &p->err));
}

static inline void path_close(order_path_t *p)
{
    if (p->risk != NULL)
        p->risk->ops->destroy(p->risk);
    if (p->executor != NULL)
        p->executor->ops->destroy(p->executor);
    tbus_subscriber_leave(&p->reports);
    tbus_subscriber_leave(&p->events);
    market_destroy(p->risk_market);
    market_destroy(p->executor_market);
    tbus_bus_close(&p->bus);
    free(p);
}

static inline enum tbus_publish path_tick(order_path_t *p, tick_t tick)
{
    return tbus_publish_try(&p->md, &tick, sizeof(tick));
}
static inline enum tbus_publish path_order(order_path_t *p, order_t order)
{
    return tbus_publish_try(&p->orders, &order, sizeof(order));
}

/* One turn of a stage, then what its process does when idle: tell publishers of progress. */
static inline int path_poll(tbus_stage_t *stage, uint32_t budget)
{
    int work = stage->ops->poll(stage, budget);
    for (uint32_t i = 0; i < stage->subscribers_count; i++)
        tbus_subscriber_flush(stage->subscribers[i]);
    for (uint32_t i = 0; i < stage->publishers_count; i++)
        tbus_publisher_flush(stage->publishers[i]);
    return work;
}

/* The next message of a subscriber of the test, copied. */
static inline bool path_take(tbus_subscriber_t *s, void *into, size_t bytes)
{
    size_t got;
    const void *message = tbus_peek(s, &got);
    if (message == NULL)
        return false;
    assert_int_equal(got, bytes);
    memcpy(into, message, bytes);
    tbus_advance(s);
    tbus_subscriber_flush(s);
    return true;
}

/* The next event, whose text is `text`. */
static inline event_t path_expect_event(order_path_t *p, uint8_t kind, uint32_t number,
                                        const char *text)
{
    size_t bytes;
    event_message_t message = {{0}, ""};
    const void *got = tbus_peek(&p->events, &bytes);
    assert_non_null(got);
    assert_in_range(bytes, EVENT_BYTES, EVENT_BYTES_MAX);
    memcpy(&message, got, bytes);
    tbus_advance(&p->events);
    tbus_subscriber_flush(&p->events);
    assert_int_equal(message.event.kind, kind);
    assert_int_equal(message.event.number, number);
    assert_int_equal(bytes, EVENT_BYTES + strlen(text));
    assert_memory_equal(message.text, text, strlen(text));
    return message.event;
}

static inline void path_expect_no_event(order_path_t *p)
{
    size_t bytes;
    assert_null(tbus_peek(&p->events, &bytes));
}

static inline void path_expect_report(order_path_t *p, uint8_t kind, uint64_t count, uint8_t reason)
{
    report_t r;
    assert_true(path_take(&p->reports, &r, sizeof(r)));
    if (r.kind != kind || r.reason != reason)
        fail_msg("got %s (%s), wanted %s (%s)", report_kind_name(r.kind),
                 report_reason_name(r.reason), report_kind_name(kind), report_reason_name(reason));
    assert_int_equal(r.order_id, ORDER_ID(STRATEGY, count));
    assert_int_equal(report_strategy(&r), STRATEGY);
    assert_true(r.sent != 0);
}
static inline void path_expect_no_report(order_path_t *p)
{
    size_t bytes;
    assert_null(tbus_peek(&p->reports, &bytes));
}

/* Tick after tick with a new order at one price: the stage must stop once its market has no more
 * room for orders. */
static inline void path_overfill_market(order_path_t *p, tbus_stage_t *stage)
{
    int work = 0;
    for (uint64_t ref = 1; ref <= 5000 && work >= 0; ref++) {
        path_tick(p, tick_add(LOCATE, ref, 'B', 1, 10000));
        work = path_poll(stage, 1);
    }
    assert_int_equal(work, -TBUS_ELIMIT);
    assert_int_equal(stage->error.code, -TBUS_ELIMIT);
    assert_non_null(strstr(stage->error.text, "4097"));
}

static inline uint64_t path_counter(const order_path_t *p, const char *name)
{
    return tbus_counter_value(&p->bus, name);
}

#endif
