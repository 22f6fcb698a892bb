/* SPDX-License-Identifier: Apache-2.0 */
/* market.h - what ticks add up to: the full-depth book and the trading state of every symbol, and
 * the day and the phase that the market is in.
 *
 * One market view per process, in memory sized once at creation. Stages that share a process share
 * the view: each applies every tick as it takes it, the first one does the work, and the others get
 * the kept outcome (fused stages move tick by tick, stage.h). Source of all rules: "Nasdaq
 * TotalView-ITCH 5.0", by section.
 *
 * Books (1.3 - 1.5): A and F add an order; E, C and X take shares off the referenced order, which
 * is gone at zero; D removes it; U removes the old order and adds a new one of the same side and
 * symbol, at the back of the queue. P, Q, B and I never touch a book. A reference that is not known
 * is counted per message type and has no effect (a U adds nothing then). A reduction by more than
 * the order has takes what there is and is counted; an add under a live reference is counted and
 * ignored. A level's quantity is the sum over its orders; empty levels vanish.
 *
 * Symbols. A symbol is a name. Its *number* is what this header, market_event_t and everybody that
 * keeps something per symbol go by (`locate` here, below MARKET_LOCATES): it stays the same for as
 * long as the view lives, through days in which the symbol has another locate. The *wire locate* is
 * that of messages: ticks, orders, reports, bbo. It holds for a day (1.2.1: locates are assigned
 * anew each day) and is translated by market_number and market_wire_locate. The number is the wire
 * locate under which the symbol was named first, unless that is the number of another by then. A
 * name that comes under a second locate on the same day is the same symbol, with one book; orders
 * to it go out under the first one. Number 0 is no symbol: locate 0 (of messages that are not about
 * a stock), and every locate of yesterday that was not named today. A symbol without a name (spaces
 * or zeros) is known by its locate alone.
 *
 * Days (1.1): S with code O begins one, wherever it comes. All orders are gone, no symbol is known
 * until it is named anew (R, H, h, Y, A, F), and states, marks and phase are those of a
 * day that has said nothing yet. Numbers and names stay. Nothing is told of the books that were
 * emptied: the touch is all zeros from then on, and bbo_changed compares with that. With
 * market_limits_t.days MARKET_ONE_DAY an O behind anything that named a symbol, or behind another
 * O, is refused with -TBUS_ELIMIT instead.
 *
 * Phases (1.1): those of enum market_phase, by the codes of S; within a day they only go forward,
 * and an S that would go back, or whose code is not known, says nothing. A feed that begins in
 * mid-day is in MARKET_PHASE_UNKNOWN until its first S. Orders are taken in UNKNOWN, SYSTEM, MARKET
 * and AFTER, and in START from the first order (A, F) on: a feed may leave the later codes out, and
 * nobody displays orders without taking them (market_is_open). MARKET_PHASE_CLOSED lasts until the
 * next O.
 *
 * States (1.2.2, 1.2.7): `trading` is MARKET_HALTED
 *
 *    - after H with state H, P or Q, until one with T: nothing executes but by a cross;
 *    - between h with action H and with action T for the feed's own market (`books.market`;
 *      those of other markets say nothing here), whatever H says;
 *    - from the phase SYSTEM on, on a full day, while no H has come for the symbol: it was absent
 *      from the spin of trading actions before the opening. A day is full if O was seen and an R
 *      came before the first order (A, F).
 *
 * Else it is MARKET_TRADING after H with T, and MARKET_TRADING_UNKNOWN, which is taken as trading,
 * if no H has come. States of H and actions of h that are not known say nothing.
 *
 * Crosses (1.5.2, 1.6): C with printable N tells of an order that takes part in one, at the price
 * of the C; its shares are in the Q. So does any E or C while the symbol is halted. Such an event
 * has `in_cross`: it takes displayed shares away, and is no trade by the continuous rules.
 *
 * A directory that lies. What contradicts what was said earlier on the day has no effect but this:
 *
 *    counted as        what
 *    foreign_adds      A, F that name another stock than that of their locate; all under locate 0
 *    foreign_locates   E, C, X, D, U under the locate of another symbol than their order's; R, H,
 *                      h, Y, P, Q that name another stock than that of their locate, and R, H, h, Y
 *                      under locate 0
 *
 * The event has `foreign` then. The symbol of the locate, the symbol that is named and that of the
 * order are `stale` until the day ends: nobody knows what their books lack. Whether an add is
 * foreign is looked at first, then whether it is malformed, then whether its reference is in use. A
 * message that names no stock contradicts nothing. The first message that names a stock under a
 * locate says whose it is, a P or Q never.
 *
 * Gaps. A mark of the feed (TICK_GAP) says that messages are lost there. Nobody knows of which
 * symbols they were, so market_day_t.gap speaks of all books until the day ends; of several marks
 * the strictest counts. Before that a snapshot may make the books anew (TICK_RESTORE): all orders
 * are gone at its beginning, names and states stay, and at its end there is no gap. Nobody is told
 * of what it changes; the next message about a symbol compares with the touch of before.
 *
 * Volume = E + C with printable Y + P + Q, in shares, whatever the books make of it:
 * executed_shares - non_printable_shares + trade_shares + cross_shares. B takes nothing off.
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

/* Memory: 61 to 83 bytes an order of orders_max (40 for the order, the rest for the table that
 * finds it), 76 a level of levels_max, and 132 for each side of a symbol, of which there are as
 * many as levels, 131,072 at most; 7.4 MB besides; the sum is rounded up to 2 MiB. In huge pages
 * where the kernel gives them. */
typedef struct market_limits {
    uint32_t orders_max; /* live orders at a time, all symbols together */
    uint32_t levels_max; /* price levels at a time, all symbols and sides together */
    uint32_t market;     /* enum market_of_feed: whose feed it is */
    uint32_t days;       /* enum market_days */
    uint32_t tests;      /* enum market_tests */
} market_limits_t;

/* The market code of h that concerns us, in the order of the configuration's choices. */
enum market_of_feed { MARKET_OF_Q = 0, MARKET_OF_B = 1, MARKET_OF_X = 2 };
/* What a second day is, likewise. */
enum market_days { MARKET_MANY_DAYS = 0, MARKET_ONE_DAY = 1 };
/* What test issues (R, authenticity T) are, likewise: known as such, or taken for live ones, as in
 * a feed that has no others. AUTO is APART here; whoever knows the feed says which. */
enum market_tests { MARKET_TESTS_AUTO = 0, MARKET_TESTS_APART = 1, MARKET_TESTS_LIVE = 2 };

/* Best bid and ask; an empty side is all zeros. Quantities are sums over the orders of the
 * level. */
typedef struct market_touch {
    uint32_t bid_px_e4;
    uint32_t ask_px_e4;
    uint64_t bid_qty;
    uint64_t ask_qty;
} market_touch_t;

enum market_trading {
    MARKET_TRADING_UNKNOWN = 0, /* nothing said: taken as trading */
    MARKET_TRADING = 1,
    MARKET_HALTED = 2
};

/* In their order; the letter is the code of S. */
enum market_phase {
    MARKET_PHASE_UNKNOWN = 0, /* no S yet */
    MARKET_PHASE_START = 1,   /* O: messages have started, the system is not open */
    MARKET_PHASE_SYSTEM = 2,  /* S: system hours */
    MARKET_PHASE_MARKET = 3,  /* Q: market hours */
    MARKET_PHASE_AFTER = 4,   /* M: market hours are over, system hours go on */
    MARKET_PHASE_CLOSED = 5   /* E or C: system hours are over; deletes and breaks may follow */
};

/* As tick_gap_policy, what orders on books with a gap come to. */
enum market_gap { MARKET_GAP_NONE = 0, MARKET_GAP_WARN = 1, MARKET_GAP_BLOCK = 2 };

typedef struct market_day {
    uint64_t md_seq; /* of the S/O that began it; 0: it began in the middle */
    /* days begun by an S/O; 0: none. After a warm-up that had some: 1 */
    uint32_t number;
    uint8_t phase;         /* enum market_phase */
    bool full;             /* begun by S/O, with an R before its first order */
    uint8_t gap;           /* enum market_gap: books lack messages that were lost on this day */
    uint64_t restored_seq; /* of the last tick with which they were whole again; 0: none */
} market_day_t;

/* All but the name and the last trade holds for the day. */
typedef struct market_symbol {
    char name[8];     /* ASCII, padded with spaces; spaces while it has none */
    bool known;       /* a message named it on this day */
    uint8_t trading;  /* enum market_trading: what all of the next two comes to */
    uint8_t state;    /* of the last H: 'T', 'H', 'P', 'Q'; 0: none came */
    bool halted_here; /* h: operationally halted on the feed's own market */
    uint8_t reg_sho;  /* of the last Y: '0', '1', '2' (1.2.3); 0: none came */
    bool stale;       /* its book may lack something: see above */
    bool test;        /* R of its first locate: authenticity T, a test issue (1.2.1) */
    bool traded;      /* last_px_e4 is of this day */
    /* the first under which it was named, on this day or, while not known, on an earlier one; 0:
     * never */
    uint16_t wire_locate;
    uint8_t pad_last[2]; /* 0 */
    /* price of the last trade: E, C unless printable is N, P, and Q that crossed shares (ITCH 5.0
     * sections 1.4 and 1.5); a broken trade (B) stands, and so does the last one of yesterday. 0:
     * none since the warm-up */
    uint32_t last_px_e4;
} market_symbol_t;

/* What one tick did. `removed` and `added` speak of displayed orders on the book of `locate`. */
typedef struct market_event {
    uint64_t md_seq;
    uint16_t locate;      /* the symbol's number; 0: of no symbol */
    uint16_t wire_locate; /* of the tick */
    /* the touch was looked at: type A F E C X D U, and the book is built (market_build) */
    bool bbo_checked;
    /* ... and differs from the last one kept for the symbol (all zeros when a day begins) */
    bool bbo_changed;
    bool executed;  /* the removal was an execution (E, C), not a cancel */
    bool in_cross;  /* the execution belongs to a cross */
    uint8_t side;   /* 'B' or 'S' of the order concerned; 0: no order was touched */
    bool foreign;   /* it contradicts the directory, and had no effect */
    bool new_day;   /* a day began; `locate` is 0 */
    bool new_phase; /* the phase has changed; `locate` is 0 */
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
    uint64_t symbols; /* known on this day */
    uint64_t live_orders;
    uint64_t live_orders_max; /* high-water mark */
    uint64_t live_levels;
    uint64_t unknown_order_refs;
    uint64_t unknown_by_type[128]; /* indexed by ITCH type letter */
    uint64_t over_reductions;
    uint64_t duplicate_adds;
    uint64_t malformed;    /* side neither B nor S, an add of no shares, a tick cut short */
    uint64_t foreign_adds; /* of a directory that lies, see above */
    uint64_t foreign_locates;
    uint64_t executed_shares;      /* sum over E and C, known reference or not */
    uint64_t non_printable_shares; /* of those, C with printable N */
    uint64_t trade_shares;         /* P */
    uint64_t cross_shares;         /* Q */
    uint64_t bbo_changes;
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

/* A view builds all books, unless all who share it have asked, before the first tick, that it build
 * them on demand: the book of a symbol when somebody asks for it (market_build or a query), once a
 * day, at the cost of a walk through its orders. The ticks of other symbols cost less then. What
 * such a view answers is what one that builds all books answers. Of a symbol whose book is not
 * built its events tell of no order and no touch (side is 0, nothing was removed or added,
 * bbo_checked is false), and stats know neither its levels nor changes of its best. No snapshot can
 * be taken of it. market_build_all is the word of whoever cannot do with that: it holds, whatever
 * is said before or after.
 *
 * A view of which all who share it say that nobody will ever ask for a book builds none: what is
 * about displayed orders changes nothing then but market_seq, as if those ticks were of a type that
 * nobody knows. Days, phases, states and gaps are as in all views, as far as no order tells them:
 * not so a symbol that only orders name, whether the market is open before an S says so, and a
 * directory that comes again behind the first order. Whoever says otherwise before the first tick
 * is heard. Cold. */
void market_build_on_demand(market_t *m);
void market_build_all(market_t *m);
void market_build_none(market_t *m);
bool market_builds_none(const market_t *m);
/* See to it that the book of a symbol is built: 0, or -TBUS_ELIMIT when the table of levels is
 * full, as a tick would have found it before in a view that builds all books; then queries see less
 * than there is; or -TBUS_ENOTFOUND: this view builds none. */
int market_build(market_t *m, uint16_t locate);

/* Fetch what a tick that is still to come will touch: far ahead the order's entry, near ahead, when
 * that is there, the order. Changes nothing and may be left out; a guess that turns out wrong costs
 * a line. Hot. */
void market_fetch_far(const market_t *m, const tick_t *tick, size_t bytes);
void market_fetch_near(const market_t *m, const tick_t *tick, size_t bytes);

uint64_t market_seq(const market_t *m); /* last applied, 0: none */

/* The day as of the last tick; good as long as the view. Hot. */
const market_day_t *market_day(const market_t *m);
/* Does the system take orders? */
bool market_is_open(const market_t *m);

/* The symbol of a wire locate on this day. A locate that has named no symbol so far is its own
 * number (and market_symbol says that it is not known), or 0 if another symbol has that. Hot. */
uint16_t market_number(const market_t *m, uint16_t wire_locate);
/* Where orders to a symbol go: its wire locate; 0 if it is not known on this day. What has named no
 * symbol so far is its own. */
uint16_t market_wire_locate(const market_t *m, uint16_t locate);

/* Of a symbol by its number: */
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
