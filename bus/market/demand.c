/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/demand.h"

void demand_begin(market_t *m)
{
    m->on_demand = m->lacks_events = true;
    for (uint32_t locate = 0; locate < MARKET_LOCATES; locate++)
        for (unsigned which = 0; which < 2; which++)
            m->books[locate].sides[which].floors = BOOK_PILED;
}

/* False: the table of levels is full. */
static bool join_level(market_t *m, uint16_t locate, unsigned which, uint32_t place)
{
    queue_order_t *order = &m->queues.orders[place];
    uint32_t px_e4 = (uint32_t)m->queues.events[place];
    uint32_t index = book_level(&m->levels, &m->books[locate].sides[which], locate, which, px_e4);
    if (TBUS_UNLIKELY(index == 0))
        return false;
    price_level_t *level = &m->levels.levels[index];
    level->qty += order->qty;
    level->orders++;
    order->level = index;
    queue_join(&m->queues, level, place);
    return true;
}

/* The pile goes first, so that there are never more levels than those of the tree. */
static bool build_side(market_t *m, uint16_t locate, unsigned which)
{
    book_side_t *side = &m->books[locate].sides[which];
    uint32_t at = m->levels.levels[side->best].first; /* level 0 has none */
    if (side->best != 0)
        book_drop_pile(&m->levels, side);
    *side = (book_side_t){0};
    while (at != 0) {
        uint32_t behind = m->queues.orders[at].behind;
        if (!join_level(m, locate, which, at))
            return false;
        at = behind;
    }
    return true;
}

void demand_build(market_t *m, uint16_t locate)
{
    bool built = build_side(m, locate, BOOK_BID);
    built &= build_side(m, locate, BOOK_ASK);
    m->books[locate].kept = view_touch(m, &m->books[locate]);
    m->stats.live_levels = m->levels.live;
    if (built)
        return;
    m->failed = true;
    m->limit_text = m->levels_text;
}

void demand_end(market_t *m)
{
    m->on_demand = false;
    m->lacks_events = m->event.md_seq != 0;
    for (uint32_t locate = 0; locate < MARKET_LOCATES; locate++)
        (void)demand_book(m, (uint16_t)locate);
}
