/* SPDX-License-Identifier: Apache-2.0 */
/* view.h - what a market view is made of: shared by market.c, which applies ticks to it, and
 * create.c. Private to bus/market. */
#ifndef TICKBUS_MARKET_VIEW_H
#define TICKBUS_MARKET_VIEW_H

#include "bus/market/book.h"
#include <tickbus/market/market.h>
#include "bus/market/orders.h"
#include "bus/market/queue.h"

/* Trading state has two sources that do not lift one another: H (regulatory) and, per market, h
 * (operational). */
typedef struct trading {
    uint8_t regulatory; /* enum market_trading, by H */
    /* bit set: operationally halted there, by h; bits 0-3: Q, B, X, any other */
    uint8_t markets;
} trading_t;

typedef struct locate_book {
    book_side_t sides[2];
    market_touch_t kept; /* as of the last tick that looked; what bbo_changed compares with */
    trading_t trading;
    uint8_t pad[6];
} locate_book_t;

_Static_assert(sizeof(locate_book_t) == 64, "one cache line a locate");

struct market {
    market_event_t event; /* of the last tick */
    order_table_t orders;
    level_pool_t levels;
    queue_pool_t queues;
    locate_book_t *books;     /* MARKET_LOCATES */
    bool failed;              /* a table was full: nothing may be applied any more */
    market_symbol_t *symbols; /* MARKET_LOCATES */
    market_stats_t stats;
    size_t bytes;           /* of the whole mapping, of which this struct is the beginning */
    const char *limit_text; /* one of these two, once a table was full */
    char orders_text[160];
    char levels_text[160];
};

#endif
