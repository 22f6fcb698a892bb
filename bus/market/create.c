/* SPDX-License-Identifier: Apache-2.0 */
/* A market view's memory: one mapping holds it all, and every page of it is touched here. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <tickbus/segment.h>

#include "bus/market/memory.h"
#include "bus/market/symbols.h"
#include "bus/market/view.h"

/* Where its parts begin in the one mapping. */
typedef struct parts {
    size_t books, symbols, numbers, names, named, claimed, levels, queues, orders, bytes;
} parts_t;

static parts_t parts_of(const market_limits_t *limits)
{
    parts_t p = {.books = market_round_up(sizeof(market_t), 64)};
    p.symbols = p.books + MARKET_LOCATES * sizeof(symbol_book_t);
    p.numbers = market_round_up(p.symbols + MARKET_LOCATES * sizeof(market_symbol_t), 64);
    p.names = p.numbers + MARKET_LOCATES * sizeof(uint16_t);
    p.named = p.names + ((size_t)1 << NAMES_BITS) * sizeof(uint16_t);
    p.claimed = p.named + MARKET_LOCATES * sizeof(uint16_t);
    p.levels = market_round_up(p.claimed + MARKET_LOCATES * sizeof(uint16_t), sizeof(book_node_t));
    p.queues = market_round_up(p.levels + levels_footprint(limits->levels_max), 64);
    p.orders = market_round_up(p.queues + queue_footprint(limits->orders_max), 64);
    p.bytes = market_round_up(p.orders + orders_footprint(limits->orders_max), HUGE_PAGE_BYTES);
    return p;
}

size_t market_footprint(const market_limits_t *limits)
{
    return limits ? parts_of(limits).bytes : 0;
}

static int fail_memory(const market_limits_t *limits, size_t bytes, const char *why,
                       tbus_error_t *err)
{
    return tbus_fail(err, -ENOMEM,
                     "cannot get %zu MiB for the books (%u orders, %u levels): %s; lower "
                     "books.orders_max or books.levels_max, or give the process more memory",
                     bytes >> 20, limits->orders_max, limits->levels_max, why);
}

int market_create(const market_limits_t *limits, market_t **out_market, tbus_error_t *err)
{
    if (!limits || !out_market)
        return tbus_fail(err, -EINVAL, "the books have no limits, or nowhere to be put");
    if (limits->orders_max == 0 || limits->orders_max > ORDERS_LIMIT)
        return tbus_fail(err, -EINVAL, "books.orders_max is %u; it must be from 1 to %u",
                         limits->orders_max, ORDERS_LIMIT);
    if (limits->levels_max == 0 || limits->levels_max > LEVELS_LIMIT)
        return tbus_fail(err, -EINVAL, "books.levels_max is %u; it must be from 1 to %u",
                         limits->levels_max, LEVELS_LIMIT);

    if (limits->market > MARKET_OF_X || limits->days > MARKET_ONE_DAY ||
        limits->tests > MARKET_TESTS_LIVE)
        return tbus_fail(err, -EINVAL,
                         "books.market is Q, B or X, books.days many or one, and "
                         "books.test_issues auto, apart or live");

    parts_t at = parts_of(limits);
    char why[256];
    if (!tbus_memory_is_there(at.bytes, why, sizeof why))
        return fail_memory(limits, at.bytes, why, err);
    unsigned char *memory = market_memory_take(at.bytes);
    if (!memory)
        return fail_memory(limits, at.bytes, strerror(errno), err);

    market_t *m = (market_t *)(void *)memory;
    m->bytes = at.bytes;
    m->limit_text = "";
    snprintf(m->orders_text, sizeof m->orders_text,
             "the order table is full: %u live orders (books.orders_max); raise books.orders_max",
             limits->orders_max);
    snprintf(
        m->levels_text, sizeof m->levels_text,
        "the table of price levels is full: %u levels (books.levels_max); raise books.levels_max",
        limits->levels_max);
    m->market_code = (uint8_t) "QBX"[limits->market];
    m->one_day = limits->days == MARKET_ONE_DAY;
    m->tests_live = limits->tests == MARKET_TESTS_LIVE;
    m->books = (symbol_book_t *)(void *)(memory + at.books);
    m->symbols = (market_symbol_t *)(void *)(memory + at.symbols);
    m->numbers = (uint16_t *)(void *)(memory + at.numbers);
    m->by_name = (uint16_t *)(void *)(memory + at.names);
    m->named = (uint16_t *)(void *)(memory + at.named);
    m->claimed = (uint16_t *)(void *)(memory + at.claimed);
    levels_init(&m->levels, memory + at.levels, limits->levels_max);
    queue_init(&m->queues, memory + at.queues, limits->orders_max);
    orders_init(&m->orders, memory + at.orders, m->queues.orders, limits->orders_max,
                hash_seed_random());
    symbols_init(m);
    *out_market = m;
    return 0;
}

void market_destroy(market_t *m)
{
    if (m)
        market_memory_give(m, m->bytes);
}
