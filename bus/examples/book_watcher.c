/* SPDX-License-Identifier: Apache-2.0 */
/* book_watcher SYMBOL [BUS] - follows the market data of a running pipeline and prints the best bid
 * and ask of a symbol whenever they change, until the pipeline ends.
 *
 *    busctl start --pace 1000/s &
 *    ./book_watcher SYN001
 *
 * It observes: it holds nobody up, cannot write anything, and is told how many messages it lost if
 * it is too slow. A book is made of every order since the start, so one that is begun in mid-day
 * knows only the orders that came since, and what is left of the others in the ring; after a loss
 * it starts anew.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <tickbus/market/market.h>
#include <tickbus/msg/tick.h>
#include <tickbus/tickbus.h>

#define TICK_BYTES_MAX ((TICK_LEN_MAX + 7u) / 8u * 8u)

/* Names are padded with spaces on the wire. */
static int is_named(const market_symbol_t *symbol, const char *name)
{
    char padded[sizeof symbol->name];
    memset(padded, ' ', sizeof padded);
    memcpy(padded, name, strlen(name) < sizeof padded ? strlen(name) : sizeof padded);
    return memcmp(symbol->name, padded, sizeof padded) == 0;
}

static void print_touch(uint64_t seq, uint64_t event_ns, const market_touch_t *touch)
{
    printf("%" PRIu64 "  %.9f  bid %" PRIu64 " at %.4f  ask %" PRIu64 " at %.4f\n", seq,
           (double)event_ns / 1e9, touch->bid_qty, touch->bid_px_e4 / 1e4, touch->ask_qty,
           touch->ask_px_e4 / 1e4);
    fflush(stdout);
}

/* 0, or the negative error that ended it. */
static int follow(tbus_bus_t *bus, tbus_observer_t *md, market_t **market, const char *symbol,
                  const market_limits_t *limits, tbus_error_t *err)
{
    static uint64_t copy[TICK_BYTES_MAX / 8]; /* a message, 8-byte aligned */
    const tick_t *tick = (const tick_t *)(const void *)copy;
    for (;;) {
        size_t bytes;
        uint64_t seq, lost;
        const market_event_t *event;
        int told = tbus_observe_wait(bus, md, copy, &bytes, &seq, &lost, TBUS_FOREVER);
        if (told == -TBUS_ESTOPPED)
            return 0;
        if (told < 0)
            return tbus_fail(err, told, "md cannot be followed: %s", tbus_strerror(told));
        if (lost) { /* a book with a hole is no book */
            fprintf(stderr, "lost %" PRIu64 " messages, starting anew\n", lost);
            market_destroy(*market);
            *market = NULL;
            if (market_create(limits, market, err) < 0)
                return err->code;
        }
        if (told != TBUS_TAKEN)
            continue;
        if (market_apply(*market, seq, tick, bytes, &event) < 0)
            return tbus_fail(err, -TBUS_ELIMIT, "%s", market_limit_text(*market));
        if (event->bbo_changed && is_named(market_symbol(*market, event->locate), symbol))
            print_touch(seq, tick_event_ns(tick), &event->touch);
    }
}

int main(int argc, char **argv)
{
    const market_limits_t limits = {1u << 20, 1u << 18, MARKET_OF_Q, MARKET_MANY_DAYS,
                                    MARKET_TESTS_AUTO};
    const char *name = argc > 2 ? argv[2] : "tickbus";
    tbus_bus_t bus;
    tbus_observer_t md;
    tbus_error_t err;
    market_t *market = NULL;
    if (argc < 2) {
        fprintf(stderr, "usage: book_watcher SYMBOL [BUS]\n");
        return 2;
    }
    if (tbus_bus_open(name, "book_watcher", TBUS_FOREVER, &bus, &err) < 0) {
        fprintf(stderr, "book_watcher: %s\n", err.text);
        return 1;
    }
    int code = tbus_bus_observer(&bus, "md", TBUS_FROM_OLDEST, &md, &err);
    if (code == 0)
        code = market_create(&limits, &market, &err);
    if (code == 0)
        code = follow(&bus, &md, &market, argv[1], &limits, &err);
    if (code < 0)
        fprintf(stderr, "book_watcher: %s\n", err.text);
    market_destroy(market);
    tbus_bus_close(&bus);
    return code < 0;
}
