/* SPDX-License-Identifier: Apache-2.0 */
/* view.h - what a market view is made of: shared by market.c, which applies ticks to it, symbols.c,
 * states.c, demand.c, view.c and create.c. Private to bus/market. */
#ifndef TICKBUS_MARKET_VIEW_H
#define TICKBUS_MARKET_VIEW_H

#include "bus/market/book.h"
#include <tickbus/market/market.h>
#include "bus/market/orders.h"
#include "bus/market/queue.h"

#define NAMES_BITS 17u /* of the table by name: twice as many places as there are numbers */

typedef struct symbol_book {
    book_side_t sides[2];
    market_touch_t kept; /* as of the last tick that looked; what bbo_changed compares with */
    uint64_t name;       /* the eight characters; market.unnamed: the number is free */
} symbol_book_t;

_Static_assert(sizeof(symbol_book_t) == 64, "one cache line a symbol");

/* How the order that a tick refers to is found. NOT_DECIDED: there is none yet, and the first one
 * decides. */
enum view_finds { VIEW_NOT_DECIDED = 0, VIEW_BY_PLACE = 1, VIEW_BY_TABLE = 2 };

struct market {
    market_event_t event; /* of the last tick */
    uint64_t seq_before;  /* of the one before */
    order_table_t orders;
    level_pool_t levels;
    queue_pool_t queues;
    uint16_t *numbers;    /* MARKET_LOCATES, by wire locate: market_number */
    symbol_book_t *books; /* MARKET_LOCATES, by number, like symbols */
    uint64_t unnamed;     /* drawn at random: no tick has it for a name */
    uint8_t finds;        /* enum view_finds */
    bool failed;          /* a table was full: nothing may be applied any more */
    bool orders_seen;     /* an A or F came on this day */
    uint8_t market_code;  /* of h, our own */
    bool one_day;
    bool tests_live;   /* test issues are taken for live ones */
    bool on_demand;    /* books are built when somebody asks for them */
    bool builds_all;   /* somebody has said that they must not be */
    bool builds_none;  /* nobody will ask for a book: no order is taken into one */
    bool restoring;    /* from a TICK_RESTORE that begins to the one that ends */
    uint8_t gap_after; /* enum market_gap, then */
    bool lacks_events; /* orders came while they were: queues.events does not tell of these */
    market_day_t day;
    market_symbol_t *symbols;
    uint16_t *by_name;    /* numbers by the hash of their names; 0: the place is free */
    uint32_t free_at;     /* numbers above this one are taken */
    uint32_t places_used; /* places at or above this one never had an order; 0: none had */
    bool places_told;     /* since the list of free places was right last */
    /* Numbers that have a name, in the order in which they got it, and wire locates that named a
     * symbol on this day: nothing else need be looked at when a day or a phase begins. */
    uint16_t *named;
    uint16_t *claimed;
    uint32_t named_count;
    uint32_t claimed_count;
    market_stats_t stats;
    size_t bytes;           /* of the whole mapping, of which this struct is the beginning */
    const char *limit_text; /* one of these, once it has failed */
    char orders_text[160];
    char levels_text[160];
};

/* The tick in hand has no effect, and none after it may be applied: a market that could not keep an
 * order is wrong from then on. */
static inline int view_fail(market_t *m, const char *text)
{
    m->event = (market_event_t){.md_seq = m->seq_before};
    m->failed = true;
    m->limit_text = text;
    return -TBUS_ELIMIT;
}

/* Places are told no more, or cannot be believed: all live orders go into the table, and are found
 * there until the books are emptied (a day, or a restore, begins). Cold: a walk through all places
 * that ever had an order. */
void view_forget_places(market_t *m);
/* Calls `see` for every live order, in no order. Cold. */
void view_each_order(const market_t *m, void (*see)(void *context, uint32_t place), void *context);

/* Best bid and best ask of a book that is built. */
static inline market_touch_t view_touch(const market_t *m, const symbol_book_t *book)
{
    const price_level_t *bid = &m->levels.levels[book->sides[BOOK_BID].best];
    const price_level_t *ask = &m->levels.levels[book->sides[BOOK_ASK].best];
    return (market_touch_t){bid->px_e4, ask->px_e4, bid->qty, ask->qty}; /* level 0 is all zeros */
}

#endif
