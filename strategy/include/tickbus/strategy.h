/* SPDX-License-Identifier: Apache-2.0 */
/* strategy.h - what a strategy is: a few callbacks, called one at a time, in the order of events.
 *
 *    on_tick       every message of `md`, or those of the types that it names (tick_types), after
 *                  the books took it; not those that are there for the books alone, before the
 *                  place where the feed was told to begin
 *    on_bbo        the touch of a symbol changed (after on_tick of the same message)
 *    on_report     something became of one of its own orders
 *    on_timer      event time (the feed's clock, never the wall's) has reached what strat_timer_at
 *                  asked for; between two ticks, where it belongs
 *    on_wind_down  the run is ending: cancel what is open; no further new orders are taken
 *
 * `locate`, in these calls and in the reports they are given, is the number of a symbol, which
 * stays through days in which the feed gives it another locate (tickbus/market/market.h); that of a
 * tick is the feed's, and market_number translates it.
 *
 * What a callback sends goes out when it returns, in its order, and has one time.
 *
 * A strategy sees only what comes through these calls and the strat_ functions below: no clock of
 * the host, no randomness of its own, so that the same inputs give the same orders. Any callback
 * may be NULL. All memory is allocated in `create`.
 *
 * libtickbus has the strat_ functions, so that a strategy compiles and links outside this tree. The
 * command runs the strategies that it was built with (strategy/registry.c).
 *
 * Previous on the data path: tickbus/market/market.h. Next: tickbus/msg/order.h -> risk/gate.h.
 */
#ifndef TICKBUS_STRATEGY_H
#define TICKBUS_STRATEGY_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>
#include <tickbus/param.h>

#include <tickbus/market/market.h>
#include <tickbus/market/position.h>
#include <tickbus/msg/bbo.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct strat_context strat_context_t; /* the stage's side; see strategy/stage.c */

#define STRATEGY_API 1u

typedef struct strategy {
    uint32_t api;          /* STRATEGY_API */
    uint32_t struct_bytes; /* sizeof(strategy_t) */
    const char *name;
    const char *summary;  /* one line for --help */
    tbus_params_t params; /* what the user may set; count 0: nothing */
    size_t self_bytes;    /* memory that `create` takes and touches; 0: too little to count */
    /* `params`: the values of the table above, valid during the call. *out_self may be NULL for a
     * strategy without state. */
    int (*create)(strat_context_t *ctx, const void *params, void **out_self, tbus_error_t *err);
    void (*on_tick)(void *self, strat_context_t *ctx, const tick_t *tick, uint64_t md_seq);
    void (*on_bbo)(void *self, strat_context_t *ctx, uint16_t locate, const market_touch_t *touch);
    void (*on_report)(void *self, strat_context_t *ctx, const report_t *report);
    void (*on_timer)(void *self, strat_context_t *ctx, uint64_t event_ns);
    void (*on_wind_down)(void *self, strat_context_t *ctx);
    void (*destroy)(void *self);
    /* Letters of the message types that on_tick is called for; NULL: for all. A strategy that names
     * the few it looks at costs nothing at the others. */
    const char *tick_types;
} strategy_t;

extern const strategy_t strategy_null;
extern const strategy_t strategy_quote;
extern const strategy_t strategy_script;
const strategy_t *strategy_find(const char *name); /* NULL: none of that name */
const strategy_t *strategy_at(unsigned index);     /* NULL: past the last */

/* Is it a strategy that this build can run? -TBUS_EABI (api or size), -EINVAL (no name). */
int strategy_check(const strategy_t *strategy, tbus_error_t *err);

/* Have a sentence said when the run has ended, as what the user should know; the last one counts.
 * Cold. */
void strat_note(strat_context_t *ctx, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Send a new order: its id, or 0 when it cannot be sent now (credit used up, or winding down). */
uint64_t strat_send(strat_context_t *ctx, uint16_t locate, uint8_t side, uint32_t qty,
                    uint32_t px_e4, uint8_t tif);

/* What an order is to be. */
typedef struct strat_order {
    uint16_t locate;
    uint8_t side;  /* 'B', 'S' */
    uint8_t tif;   /* ORDER_TIF_... */
    uint8_t flags; /* ORDER_POST_ONLY, ORDER_SLIDE, ORDER_MARKET */
    uint32_t qty;
    uint32_t px_e4; /* of ORDER_MARKET: 0 */
} strat_order_t;
/* As strat_send, with all that an order can be. */
uint64_t strat_send_order(strat_context_t *ctx, const strat_order_t *order);
/* In one message: take the live order `order_id` of ours off, and have `order`, of the same symbol
 * and side, in its place: with its time if it only asks for less at the same limit
 * (risk/venue/venue.h). The quantity is what is to be open then, as far as executions were reported
 * by now; those that come before it arrives are taken off. The id of the new order, which is
 * rejected when the old one is gone by then; 0: not sent now. */
uint64_t strat_replace(strat_context_t *ctx, uint64_t order_id, const strat_order_t *order);
/* Ask to cancel a live order of ours. False: not sent now. */
bool strat_cancel(strat_context_t *ctx, uint16_t locate, uint64_t order_id);
/* Have on_timer called when event time is `event_ns`, which comes before the first tick that is
 * later; one timer, the latest call wins; 0: off. One for now or earlier is called 1 ns later. */
void strat_timer_at(strat_context_t *ctx, uint64_t event_ns);
/* Event time: exchange ns since midnight, of the last tick, and as much later as the callback comes
 * after it. */
uint64_t strat_event_ns(const strat_context_t *ctx);
const market_t *strat_market(const strat_context_t *ctx);
/* Own position in a symbol, from executions reported so far. Never NULL. */
const position_t *strat_position(const strat_context_t *ctx, uint16_t locate);

#ifdef __cplusplus
}
#endif
#endif
