/* SPDX-License-Identifier: Apache-2.0 */
/* context.h - the strategy stage from the inside. Private to strategy/.
 *
 *    create.c     how it is made          stage.c    reports and ticks in, callbacks called
 *    counters.c   what it shows           context.c  what a strategy may call, orders out
 *    causes.c     when it has to wait for the executor
 *    noted.c      what is noted for whoever measures
 */
#ifndef TICKBUS_STRATEGY_CONTEXT_H
#define TICKBUS_STRATEGY_CONTEXT_H

#include <tickbus/msg/event.h>
#include <tickbus/outlet.h>
#include <tickbus/stage.h>

#include "bus/msg/digest.h"
#include "bus/market/drive.h"
#include "bus/market/inbox.h"
#include "strategy/causes.h"
#include "strategy/ledger.h"
#include "strategy/own_orders.h"
#include <tickbus/strategy.h>

typedef struct order_counters {
    tbus_atomic_u64_t *sent;
    tbus_atomic_u64_t *cancels_sent;
    tbus_atomic_u64_t *accepted;
    tbus_atomic_u64_t *rejected;
    tbus_atomic_u64_t *partial;
    tbus_atomic_u64_t *filled;
    tbus_atomic_u64_t *cancelled;
    tbus_atomic_u64_t *cancels_rejected;
    tbus_atomic_u64_t *broken;
    tbus_atomic_u64_t *report_mismatches;
} order_counters_t;

#define BOOK_COUNTERS_MAX 24

#define RECENT_TICKS 4096u /* a power of two, and below 2^16 */

/* What a message is an answer to. */
typedef struct cause {
    uint64_t md_seq;      /* as in order_t */
    uint64_t intended_ns; /* of the tick that caused it; 0: none did, or it is not known */
    bool again;           /* an order that follows the answer to an order or cancel: a re-quote */
    bool tick;            /* the tick md_seq itself, which is in hand */
} cause_t;

/* The open orders in one symbol. */
typedef struct open_at {
    uint32_t count;
    uint32_t buy_px_e4;  /* no open order to buy has a higher limit; 0: there is none to buy */
    uint32_t sell_px_e4; /* none to sell a lower one; 0: there is none to sell */
    uint32_t pad;
} open_at_t;

/* Orders that a callback may send before some of them go out. */
#define ORDERS_GATHERED_MAX 16u
_Static_assert(ORDERS_GATHERED_MAX <= TBUS_BATCH_MAX, "they are claimed together");

struct strat_context {
    market_stage_t base; /* first */
    const strategy_t *strategy;
    void *self;
    uint16_t number;
    bool winding_down;

    tbus_subscriber_t reports;
    tbus_outlet_t orders_out;
    /* what the callback at hand has sent: it goes out when that returns */
    order_t gathered[ORDERS_GATHERED_MAX];
    uint32_t gathered_count;
    bool gathers;          /* a callback is at work; else all goes out at once */
    tbus_outlet_t bbo_out; /* number 1 only */
    /* likewise: of the topic of bbo_out, in the directory */
    const tbus_atomic_u32_t *bbo_left_out;
    tbus_outlet_t events; /* without a publisher where the bus has no such topic */
    event_t late;         /* EVENT_LATE that is not told yet; its number 0: none */

    /* By the clock of the host: when each of the last RECENT_TICKS was wanted, by md_seq, whose
     * lowest 16 bits stand above the time. NULL: by that of the market. Owned */
    uint64_t *recent;
    /* What it is given ticks for (base.concerns): a bit for each symbol in which it has a position
     * or an open order. */
    bool chooses; /* else it is given all of them */
    uint64_t watched[MARKET_LOCATES / 64];
    /* By message type, while no order of it is open, and while one is: 0: not wanted */
    uint8_t types_idle[256];
    uint8_t types_open[256];
    uint8_t types_called[256]; /* on_tick is called for it */

    uint64_t report_seq;     /* last report of its own taken */
    uint64_t timer_at_ns;    /* market time at which on_timer is due, 0: off */
    uint64_t timer_event_ns; /* the event time that was asked for */
    bool timer_unplaced;     /* it was set before there was a time */
    cause_t cause;           /* of what is sent now */

    inbox_t inbox; /* reports of its own that are not due */

    /* orders of others may cancel its open ones (session_self_match): then whatever the venue has
     * not passed is a cause */
    bool others_cancel;
    uint32_t venue_owner;      /* participant number of the executor, 0: none that has a horizon */
    tbus_horizon_view_t venue; /* of the executor */
    causes_t causes;           /* while the executor is in another process */
    open_at_t *open_at;        /* owned; by locate */

    own_orders_t own;

    ledger_t ledger;
    order_counters_t counters;
    tbus_histogram_t *tick_to_order;
    tbus_histogram_t *tick_to_requote;
    tbus_histogram_t *tick_to_cancel;
    digest_t bbo_digest;
    digest_t orders_digest;
    tbus_atomic_u64_t *bbo_digest_shown;
    tbus_atomic_u64_t *clock_restarts;
    tbus_atomic_u64_t *orders_digest_shown;
    tbus_atomic_u64_t *book_counters[BOOK_COUNTERS_MAX];
    uint64_t reports_taken;
    uint64_t shown; /* ticks and reports taken when the slow counters were last shown */
};

/* Say where reports were taken whose time had passed (EVENT_LATE), as far as that was not said. */
void context_tell_late(strat_context_t *ctx);

/* How many orders can wait for room at most. No tick is taken while one waits, but reports are, and
 * each may give a credit back and cause another order; an order that waits cannot end before it is
 * published. So for each credit there wait, at most, the cancel of an order published earlier, a
 * new order, and the cancel of that one. */
#define ORDERS_KEPT_PER_CREDIT 3u

/* Publish what the callback that has just returned has sent: together, with one look at the clock
 * and one claim. What finds no room waits, in its order. */
void context_send_gathered(strat_context_t *ctx);

/* Publish what waits, as far as there is room, and set base.blocked. Returns how many went out. */
int context_flush(strat_context_t *ctx);

/* While somebody measures: note that `order` goes out at `now_ns` (after the bus epoch), and that
 * `report` is seen. */
void context_note_sent(const strat_context_t *ctx, const order_t *order, uint64_t now_ns);
/* The same for one that had to wait for room and is tried again. */
void context_note_sent_again(const strat_context_t *ctx, const order_t *order, uint64_t now_ns);
void context_note_report(const strat_context_t *ctx, const report_t *report);

/* Cancel every open order that has not been asked to be cancelled. Cold. */
void context_cancel_all(strat_context_t *ctx);

/* Which ticks concern a stage of this strategy. Cold. */
void context_choose_ticks(strat_context_t *ctx);
/* A timer waits for the first tick, whatever that is; or no longer. */
static inline void context_await_tick(strat_context_t *ctx)
{
    ctx->base.concerns = ctx->chooses && !ctx->timer_unplaced ? ctx->watched : market_every_symbol;
    ctx->base.chose = true;
}
/* A position or an open order in `locate` has come or gone: which ticks concern it now? */
void context_watch(strat_context_t *ctx, uint16_t locate);
/* Ticks and reports that it has taken. */
static inline uint64_t context_taken(const strat_context_t *ctx)
{
    return market_seq(ctx->base.market) + ctx->reports_taken;
}

/* Set base.next_ns: what is first in hand. */
void context_next(strat_context_t *ctx);

extern const market_stage_ops_t context_market_ops;
/* The stage's start (tbus_stage_ops_t). */
int context_start(tbus_stage_t *stage);

/* Find or add all counters and the histogram. Cold. */
void context_find_counters(strat_context_t *ctx);
/* Bring those of books and profit up to date. */
void context_show_counters(strat_context_t *ctx);

#endif
