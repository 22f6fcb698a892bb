/* SPDX-License-Identifier: Apache-2.0 */
/* demand.h - books that are built when somebody asks for them. Private to bus/market.
 *
 * In split layout risk and the executor take every tick, and look at the books of those few symbols
 * that orders are sent to. Their views (market_build_on_demand) keep of all other symbols no more
 * than what a book is made from: each order where its reference finds it, and in the pile of its
 * side (book.h), where the orders stand in the order of their time. Such a tick costs no search for
 * a price and no look at the touch, and nobody is told of it.
 *
 *    tick of a symbol nobody asked for     order -> pile
 *    somebody asks for its book            pile -> levels, oldest order first; once a day
 *    tick of a symbol somebody asked for   order -> level -> touch
 *
 * Queues and levels are then those that the ticks would have made one by one: an order joins the
 * end of its level, so all that matters is who comes first at each price.
 *
 * The price of an order in a pile stands in queue_pool_t.events, which nobody needs in such a view:
 * snapshots are taken of views that build all books.
 *
 * A side has a pile only while it has orders, and would have a level then; so a view on demand
 * never has more levels than one that builds all books, and its table is full only if that one's
 * was.
 *
 * What it spares, and what the alternatives would: bench/README.md. The first order of a day to a
 * symbol pays for it, with a walk through all orders of that symbol, once in risk and once in the
 * executor.
 */
#ifndef TICKBUS_MARKET_DEMAND_H
#define TICKBUS_MARKET_DEMAND_H

#include "bus/market/view.h"

/* All books are piles from now on. No order is there yet. */
void demand_begin(market_t *m);
/* And none from now on: they are built. */
void demand_end(market_t *m);

/* The pile of each side becomes a tree. When the table of levels is full the view has failed. */
void demand_build(market_t *m, uint16_t locate);

/* Of a view that builds no books: the ticks up to this sequence, all of the fixed size and about
 * displayed orders, are taken. */
static inline void demand_pass(market_t *m, uint64_t md_seq)
{
    m->seq_before = md_seq - 1;
    m->event = (market_event_t){.md_seq = md_seq};
}

static inline bool demand_is_piled(const symbol_book_t *book)
{
    return book_is_piled(&book->sides[BOOK_BID]);
}

/* A book with levels. Building one changes nothing that was to be seen of the view before, so a
 * view that one only reads may do it. */
static inline const symbol_book_t *demand_book(const market_t *m, uint16_t locate)
{
    if (TBUS_UNLIKELY(demand_is_piled(&m->books[locate])))
        demand_build((market_t *)(uintptr_t)m, locate);
    return &m->books[locate];
}

#endif
