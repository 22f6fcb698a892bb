/* SPDX-License-Identifier: Apache-2.0 */
/* context.h - the strategy stage from the inside. Private to strategy/.
 *
 *    create.c     how it is made          stage.c    reports and ticks in, callbacks called
 *    counters.c   what it shows           context.c  what a strategy may call, orders out
 */
#ifndef TICKBUS_STRATEGY_CONTEXT_H
#define TICKBUS_STRATEGY_CONTEXT_H

#include <tickbus/outlet.h>
#include <tickbus/stage.h>

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
    tbus_atomic_u64_t *report_mismatches;
} order_counters_t;

#define BOOK_COUNTERS_MAX 16

struct strat_context {
    tbus_stage_t stage; /* first */
    const strategy_t *strategy;
    void *self;
    market_t *market; /* not owned */
    uint16_t number;
    bool winding_down;

    tbus_subscriber_t md;
    tbus_subscriber_t reports;
    tbus_outlet_t orders_out;
    tbus_outlet_t bbo_out; /* number 1 only */

    uint64_t md_seq;      /* last tick taken, 0: none */
    uint64_t report_seq;  /* last report taken */
    uint64_t intended_ns; /* of the last tick */
    uint64_t event_ns;    /* likewise */
    uint64_t timer_ns;    /* event time at which on_timer is due, 0: off */

    own_orders_t own;

    ledger_t ledger;
    order_counters_t counters;
    tbus_histogram_t *tick_to_order;
    tbus_atomic_u64_t *book_counters[BOOK_COUNTERS_MAX];
    uint32_t unshown; /* ticks and reports since the slow counters were last shown */
};

/* How many orders can wait for room at most. No tick is taken while one waits, but reports are, and
 * each may give a credit back and cause another order; an order that waits cannot end before it is
 * published. So for each credit there wait, at most, the cancel of an order published earlier, a
 * new order, and the cancel of that one. */
#define ORDERS_KEPT_PER_CREDIT 3u

/* Publish what waits, as far as there is room, and set stage.pending. Returns how many went out. */
int context_flush(strat_context_t *ctx);

/* Cancel every open order that has not been asked to be cancelled. Cold. */
void context_cancel_all(strat_context_t *ctx);

/* The stage's poll and wind_down (tbus_stage_ops_t). */
int context_poll(tbus_stage_t *stage, uint32_t budget);
void context_wind_down(tbus_stage_t *stage);

/* Find or add all counters and the histogram. Cold. */
void context_find_counters(strat_context_t *ctx);
/* Bring those of books and profit up to date. */
void context_show_counters(strat_context_t *ctx);

#endif
