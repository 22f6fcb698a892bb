/* SPDX-License-Identifier: Apache-2.0 */
/* What a market view answers, and which books it builds for that. */
#include <tickbus/msg/itch_types.h>

#include "bus/market/demand.h"
#include "bus/market/view.h"

/* ---- books that are built when they are asked for */

void market_build_none(market_t *m)
{
    m->builds_none = !m->builds_all && !m->on_demand && m->event.md_seq == 0;
}

bool market_builds_none(const market_t *m)
{
    return m->builds_none;
}

void market_build_on_demand(market_t *m)
{
    m->builds_none = false;
    if (!m->builds_all && !m->on_demand && m->event.md_seq == 0)
        demand_begin(m);
}

void market_build_all(market_t *m)
{
    m->builds_all = true;
    m->builds_none = false;
    if (m->on_demand)
        demand_end(m);
}

int market_build(market_t *m, uint16_t locate)
{
    if (TBUS_UNLIKELY(m->builds_none))
        return -TBUS_ENOTFOUND;
    (void)demand_book(m, locate);
    return m->failed ? -TBUS_ELIMIT : 0;
}

/* ---- prefetching: an order is seldom still in the cache when a message refers to it */

static bool refers_to_an_order(const tick_t *tick, size_t bytes)
{
    return bytes >= sizeof *tick &&
           (tick->type == ITCH_ORDER_DELETE || tick->type == ITCH_ORDER_EXECUTED ||
            tick->type == ITCH_ORDER_REPLACE || tick->type == ITCH_ORDER_CANCEL ||
            tick->type == ITCH_ORDER_EXECUTED_WITH_PRICE);
}

static inline const order_bucket_t *bucket_of(const market_t *m, uint64_t hash)
{
    return &m->orders.now.buckets[orders_home(&m->orders.now, hash)];
}

void market_fetch_far(const market_t *m, const tick_t *tick, size_t bytes)
{
    if (bytes < sizeof *tick)
        return;
    if (m->finds == VIEW_BY_PLACE) {
        if (tick_has_place(tick) && tick_place(tick) <= m->orders.orders_max)
            __builtin_prefetch(&m->queues.orders[tick_place(tick)], 1, 3);
        __builtin_prefetch(&m->books[m->numbers[tick_locate(tick)]], 1, 3);
        return;
    }
    __builtin_prefetch(bucket_of(m, orders_hash(&m->orders, tick->order_ref)), 1, 3);
    if (tick->type == ITCH_ORDER_REPLACE)
        __builtin_prefetch(bucket_of(m, orders_hash(&m->orders, tick->new_ref)), 1, 3);
    __builtin_prefetch(&m->books[m->numbers[tick_locate(tick)]], 1, 3);
}

void market_fetch_near(const market_t *m, const tick_t *tick, size_t bytes)
{
    if (m->finds == VIEW_BY_PLACE || !refers_to_an_order(tick, bytes))
        return;
    uint64_t hash = orders_hash(&m->orders, tick->order_ref);
    const order_bucket_t *bucket = bucket_of(m, hash);
    uint64_t match = orders_match(bucket->tags, orders_tag(hash));
    if (match != 0)
        __builtin_prefetch(&m->queues.orders[bucket->places[(unsigned)__builtin_ctzll(match) >> 3]],
                           1, 3);
}

/* ---- queries */

const char *market_limit_text(const market_t *m)
{
    return m->limit_text;
}

uint64_t market_seq(const market_t *m)
{
    return m->event.md_seq;
}

const market_day_t *market_day(const market_t *m)
{
    return &m->day;
}

bool market_is_open(const market_t *m)
{
    return m->day.phase == MARKET_PHASE_START ? m->orders_seen
                                              : m->day.phase != MARKET_PHASE_CLOSED;
}

uint16_t market_number(const market_t *m, uint16_t wire_locate)
{
    return m->numbers[wire_locate];
}

uint16_t market_wire_locate(const market_t *m, uint16_t locate)
{
    const market_symbol_t *symbol = &m->symbols[locate];
    return symbol->known ? symbol->wire_locate : m->numbers[locate] == locate ? locate : 0;
}

market_touch_t market_touch(const market_t *m, uint16_t locate)
{
    return view_touch(m, demand_book(m, locate));
}

const market_symbol_t *market_symbol(const market_t *m, uint16_t locate)
{
    return &m->symbols[locate];
}

const market_stats_t *market_stats(const market_t *m)
{
    return &m->stats;
}

static inline unsigned which_side(uint8_t side)
{
    return side == 'B' ? BOOK_BID : BOOK_ASK;
}

bool market_level(const market_t *m, uint16_t locate, uint8_t side, uint32_t depth,
                  uint32_t *out_px_e4, uint64_t *out_qty, uint32_t *out_orders)
{
    if (side != 'B' && side != 'S')
        return false;
    uint32_t at =
        book_at_depth(&m->levels, &demand_book(m, locate)->sides[which_side(side)], depth);
    if (at == 0)
        return false;
    const price_level_t *level = &m->levels.levels[at];
    *out_px_e4 = level->px_e4;
    *out_qty = level->qty;
    if (out_orders)
        *out_orders = level->orders;
    return true;
}

static uint32_t level_at(const market_t *m, uint16_t locate, uint8_t side, uint32_t px_e4)
{
    unsigned which = which_side(side);
    const symbol_book_t *book = demand_book(m, locate);
    return book_find(&m->levels, &book->sides[which], book_key(which, px_e4));
}

uint64_t market_qty_at(const market_t *m, uint16_t locate, uint8_t side, uint32_t px_e4)
{
    if (side != 'B' && side != 'S')
        return 0;
    return m->levels.levels[level_at(m, locate, side, px_e4)].qty;
}

uint32_t market_first_order(const market_t *m, uint16_t locate, uint8_t side, uint32_t px_e4)
{
    if (side != 'B' && side != 'S')
        return 0;
    return m->levels.levels[level_at(m, locate, side, px_e4)].first; /* level 0 is all zeros */
}

uint32_t market_order_behind(const market_t *m, uint32_t order, market_order_t *out_order)
{
    const queue_order_t *here = &m->queues.orders[order <= m->orders.orders_max ? order : 0];
    *out_order = (market_order_t){.added_seq = here->added_seq, .qty = here->qty};
    return here->behind;
}
