/* SPDX-License-Identifier: Apache-2.0 */
/* market.h - what ticks add up to: the full-depth book and the trading state of every symbol.
 *
 * One market view per process, in memory sized once at creation. Stages that share a process share
 * the view: each applies every tick as it takes it, the first one does the work, and the others get
 * the kept outcome (fused stages move tick by tick, stage.h).
 *
 * Book rules (ITCH 5.0 sections 1.3 - 1.5): A and F add an order; E, C and X take shares off the
 * referenced order, which is gone at zero; D removes it; U removes the old order and adds a new one
 * with the same side and stock locate, at the back of the queue. P, Q, B and I never touch a book.
 * A reference that is not known is counted per message type and has no effect (a U adds nothing
 * then). A reduction by more than the order has takes what there is and is counted; an add under a
 * live reference is counted and ignored. A level's quantity is the sum over its orders; empty
 * levels vanish.
 *
 * Previous on the data path: tickbus/msg/tick.h. Next: tickbus/strategy.h, risk/gate.h,
 * risk/venue/venue.h.
 */
#ifndef TICKBUS_MARKET_MARKET_H
#define TICKBUS_MARKET_MARKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#include <tickbus/msg/tick.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MARKET_LOCATES 65536u

typedef struct market market_t;

typedef struct market_limits {
    uint32_t orders_max; /* live orders at a time, all symbols together */
    uint32_t levels_max; /* price levels at a time, all symbols and sides together */
} market_limits_t;

/* Best bid and ask; an empty side is all zeros. Quantities are sums over the orders of the
 * level. */
typedef struct market_touch {
    uint32_t bid_px_e4;
    uint32_t ask_px_e4;
    uint64_t bid_qty;
    uint64_t ask_qty;
} market_touch_t;

enum market_trading {
    /* nothing said yet: taken as trading once orders are seen (feeds that start in mid-day) */
    MARKET_TRADING_UNKNOWN = 0,
    MARKET_TRADING = 1, /* H with state T */
    MARKET_HALTED = 2   /* H with state H, P or Q, or h with action H */
};

typedef struct market_symbol {
    char name[8];    /* ASCII, padded with spaces; spaces while unknown */
    bool known;      /* a directory entry or an order named this locate */
    uint8_t trading; /* enum market_trading */
    uint8_t pad[2];
    /* price of the last trade: E, C unless printable is N, P, and Q that crossed shares (ITCH 5.0
     * sections 1.4 and 1.5); a broken trade (B) stands. 0: none since the warm-up */
    uint32_t last_px_e4;
} market_symbol_t;

/* What one tick did. `removed` and `added` speak of displayed orders on the book of `locate`. */
typedef struct market_event {
    uint64_t md_seq;
    uint16_t locate;  /* of the tick */
    bool bbo_checked; /* type A F E C X D U: the touch was looked at */
    /* ... and differs from the last one kept for the locate (initially all zeros) */
    bool bbo_changed;
    bool executed; /* the removal was an execution (E, C), not a cancel */
    uint8_t side;  /* 'B' or 'S' of the order concerned; 0: no order was touched */
    uint32_t removed_px_e4;
    uint32_t removed_qty; /* 0: nothing removed */
    /* md sequence of the tick that had added the order: its place in the queue */
    uint64_t removed_added_seq;
    uint32_t removed_left; /* shares that it still displays; 0: it is gone */
    uint32_t added_px_e4;
    uint32_t added_qty;   /* 0: nothing added */
    market_touch_t touch; /* of `locate`, after the tick; only if bbo_checked */
} market_event_t;

typedef struct market_stats {
    uint64_t symbols; /* locates known, locate 0 not counted */
    uint64_t live_orders;
    uint64_t live_orders_max; /* high-water mark */
    uint64_t live_levels;
    uint64_t unknown_order_refs;
    uint64_t unknown_by_type[128]; /* indexed by ITCH type letter */
    uint64_t over_reductions;
    uint64_t duplicate_adds;
    uint64_t malformed;            /* side neither B nor S, an add of no shares, a tick cut short */
    uint64_t executed_shares;      /* sum over E and C, known reference or not */
    uint64_t non_printable_shares; /* of those, C with printable N */
    uint64_t trade_shares;         /* P */
    uint64_t cross_shares;         /* Q */
    uint64_t bbo_changes;
    /* E C X D U under another locate than their order's: the event stays empty */
    uint64_t foreign_locates;
} market_stats_t;

/* Bytes that a market of these limits takes. */
size_t market_footprint(const market_limits_t *limits);

/* All memory is allocated and touched here. -ENOMEM: not to be had, or more than the host or a
 * control group has left; -EINVAL. */
int market_create(const market_limits_t *limits, market_t **out_market, tbus_error_t *err);
void market_destroy(market_t *m);

/* Apply a tick. Sequences must come in order, each one once or, by stages that share the view, once
 * each before the next. Returns 0 and the outcome (valid until the next sequence is applied), or
 * -TBUS_ELIMIT when a table is full (market_limit_text tells which; the tick had no effect and none
 * after it may be applied: a book with a hole is no book). Hot: no allocation, no system call. */
int market_apply(market_t *m, uint64_t md_seq, const tick_t *tick, size_t bytes,
                 const market_event_t **out_event);
const char *market_limit_text(const market_t *m);

/* What was applied so far was there for the books alone (TICK_WARM_UP): from now on touches are
 * compared with what they are now, counters but those of what is there start at 0, and there was no
 * trade. So the next outcomes and the counters do not depend on how the books were made. Cold. */
void market_end_warm_up(market_t *m);

/* Fetch what a tick that is still to come will touch: far ahead the order's entry, near ahead, when
 * that is there, its level. Changes nothing and may be left out; a guess that turns out wrong costs
 * a line. Hot. */
void market_fetch_far(const market_t *m, const tick_t *tick, size_t bytes);
void market_fetch_near(const market_t *m, const tick_t *tick, size_t bytes);

uint64_t market_seq(const market_t *m); /* last applied, 0: none */
market_touch_t market_touch(const market_t *m, uint16_t locate);
const market_symbol_t *market_symbol(const market_t *m, uint16_t locate);
const market_stats_t *market_stats(const market_t *m);

/* Level `depth` (0: best) of a side: false when there are fewer. For the order count give
 * out_orders, else NULL. */
bool market_level(const market_t *m, uint16_t locate, uint8_t side, uint32_t depth,
                  uint32_t *out_px_e4, uint64_t *out_qty, uint32_t *out_orders);
/* Quantity displayed at a price, 0: no such level. */
uint64_t market_qty_at(const market_t *m, uint16_t locate, uint8_t side, uint32_t px_e4);

/* A displayed order, as its queue shows it. */
typedef struct market_order {
    /* md sequence of the tick that added it: it names the order, and is its place in time */
    uint64_t added_seq;
    uint32_t qty;
} market_order_t;
/* The queue of a price, in the order of time: its first order, 0 when there is none; then what is
 * known of an order, and the one behind it, 0 when it is the last. Orders are numbers that are good
 * until the next tick is applied; of one that is none, qty is 0. */
uint32_t market_first_order(const market_t *m, uint16_t locate, uint8_t side, uint32_t px_e4);
uint32_t market_order_behind(const market_t *m, uint32_t order, market_order_t *out_order);

#ifdef __cplusplus
}
#endif
#endif
