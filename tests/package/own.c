/* SPDX-License-Identifier: Apache-2.0 */
/* A program of a user's own, for tests/installed.sh: it includes every installed header, compiles
 * as strict C17 and as C++17, makes a bus, passes a message over it and keeps a book. Its functions
 * have names that the library uses inside as well; they must not meet. */
#include <stdio.h>
#include <string.h>

#include <tickbus/tickbus.h>

#include <tickbus/market/market.h>
#include <tickbus/market/position.h>
#include <tickbus/msg/bbo.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>
#include <tickbus/msg/tick.h>
#include <tickbus/strategy.h>

int book_find(void);
int ledger_execute(void);

int book_find(void)
{
    return 1;
}

int ledger_execute(void)
{
    return 2;
}

/* ---- a strategy, to see that what it calls is there */

static void buy_the_first(void *self, strat_context_t *ctx, const tick_t *tick, uint64_t md_seq)
{
    (void)self;
    if (md_seq == 1)
        strat_send(ctx, tick_locate(tick), 'B', 100, tick->px_e4, ORDER_TIF_IOC);
}

static strategy_t first_buyer(void)
{
    strategy_t s;
    memset(&s, 0, sizeof s);
    s.name = "first_buyer";
    s.on_tick = buy_the_first;
    return s;
}

/* ---- a message over a bus of this process */

static int pass_a_message(tbus_bus_t *bus, tbus_error_t *err)
{
    tbus_ring_spec_t spec;
    tbus_publisher_t out;
    tbus_subscriber_t in;
    const void *message;
    size_t bytes;

    memset(&spec, 0, sizeof spec);
    memcpy(spec.name, "hello", 6);
    spec.kind = TBUS_BROADCAST;
    spec.slot_bytes = 64;
    spec.slot_count = 1024;
    spec.first_seq = 1;
    if (tbus_bus_add_topic(bus, &spec, "text", TBUS_PAGES_SMALL, -1, err) < 0 ||
        tbus_bus_join(bus, "own", err) < 0 || tbus_bus_publisher(bus, "hello", &out, err) < 0 ||
        tbus_bus_subscriber(bus, "hello", &in, err) < 0)
        return 1;
    if (tbus_publish_try(&out, "hello, world", 13) != TBUS_PUBLISHED)
        return 1;
    message = tbus_peek(&in, &bytes);
    if (!message || bytes != 13)
        return 1;
    printf("%s\n", (const char *)message);
    tbus_advance(&in);
    tbus_subscriber_leave(&in);
    tbus_publisher_leave(&out);
    return 0;
}

/* ---- a book */

static int keep_a_book(tbus_error_t *err)
{
    const market_limits_t limits = {16, 16, MARKET_OF_Q, MARKET_MANY_DAYS, MARKET_TESTS_AUTO};
    const market_event_t *event;
    market_t *market;
    tick_t tick;

    memset(&tick, 0, sizeof tick);
    tick.intended = tick_pack(0, 1);
    tick.type = 'A';
    tick.side = 'S';
    tick.qty = 200;
    tick.order_ref = 1;
    tick.px_e4 = 1000000;
    if (market_create(&limits, &market, err) < 0)
        return 1;
    if (market_apply(market, 1, &tick, sizeof tick, &event) < 0 || event->touch.ask_qty != 200)
        return 1;
    market_destroy(market);
    return 0;
}

int main(void)
{
    tbus_bus_t bus;
    tbus_error_t err;
    strategy_t strategy = first_buyer();
    int wrong;

    if (tbus_bus_create("own", &bus, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    wrong = pass_a_message(&bus, &err);
    tbus_bus_close(&bus);
    return wrong || keep_a_book(&err) || !strategy.on_tick || book_find() + ledger_execute() != 3;
}
