/* SPDX-License-Identifier: Apache-2.0 */
/* follow.h - how the risk stage and the executor take their two inputs, ticks and orders, in an
 * order that does not depend on timing. Each says what it does with a tick and with an order
 * (follow_ops_t); the loop over both inputs stands here once.
 *
 * An order names the last tick that its strategy had taken (order_t.md_seq), and waits until the
 * market view has come that far. The strategy took that tick before it sent the order, so whoever
 * sees the order can see the tick on the ring (R1/R2 in publisher.h and subscriber.h): if the tick
 * was not taken yet, the answer is to take more ticks; if there are none, the order names a tick
 * that does not exist.
 *
 * On the data path: part of risk/stage.h and risk/venue/executor.h.
 */
#ifndef TICKBUS_RISK_FOLLOW_H
#define TICKBUS_RISK_FOLLOW_H

#include <stdint.h>

#include <tickbus/glance.h>
#include <tickbus/stage.h>

#include "bus/market/fetch.h"
#include <tickbus/market/market.h>

#include "risk/order_form.h"

typedef struct follow {
    tbus_subscriber_t md;
    tbus_subscriber_t orders; /* topic `orders` for risk, `approved` for the executor */
    market_t *market;         /* not owned */
    uint64_t seq;             /* last tick taken; 0: none */
    uint64_t event_ns;        /* exchange time of the last tick that had one */
} follow_t;

/* What a stage does with its inputs. A constant of the file that calls follow_take, so that the
 * compiler puts these functions in line. */
typedef struct follow_ops {
    /* Whether another order, another tick may be taken: not while something is kept that the input
     * could add to. NULL: always. Asked before each. */
    bool (*may_take_order)(tbus_stage_t *stage);
    bool (*may_take_tick)(tbus_stage_t *stage);
    /* `valid`: the message has the length of an order and names a tick that exists. If not, what
     * there is of it is in `order`. */
    void (*on_order)(tbus_stage_t *stage, const order_t *order, bool valid);
    void (*on_tick)(tbus_stage_t *stage, const market_event_t *event);
} follow_ops_t;

enum follow_reach {
    FOLLOW_REACHED, /* the tick was taken */
    FOLLOW_LATER,   /* it is on the ring, not taken yet */
    FOLLOW_NEVER    /* it is not there */
};

/* Not for callers: fill stage->error. Returns `code`. */
int follow_fail(const follow_t *f, tbus_stage_t *stage, int code);

/* The feed's own marks (tick.h) have no exchange time. */
static inline bool follow_has_time(const tick_t *tick, size_t bytes)
{
    return bytes >= TICK_BODY_OFFSET && tick->type != TICK_END_MARK && tick->type != TICK_RUNT;
}

/* Take the next tick and apply it. 1: *out_event is what it did, valid until the next call; 0: none
 * there; negative: the market cannot go on (stage->error says why). Inline: it is most of what a
 * stage does with most ticks. */
static inline int follow_next(follow_t *f, tbus_stage_t *stage, const market_event_t **out_event)
{
    size_t bytes;
    const tick_t *tick = (const tick_t *)tbus_peek(&f->md, &bytes);
    if (!tick)
        return 0;
    if (market_seq(f->market) != f->md.seq) /* nobody shares the view, or we are first */
        market_fetch_ahead(f->market, &f->md);
    int code = market_apply(f->market, f->md.seq, tick, bytes, out_event);
    if (TBUS_UNLIKELY(code < 0))
        return follow_fail(f, stage, code);
    if (TBUS_LIKELY(follow_has_time(tick, bytes)))
        f->event_ns = tick_event_ns(tick);
    f->seq = f->md.seq;
    tbus_advance(&f->md);
    return 1;
}

/* Whether `md_seq` was taken. To be asked when the order that names it is in hand. */
enum follow_reach follow_reach(follow_t *f, uint64_t md_seq);

/* How far one call of follow_take has come. */
typedef struct follow_turn {
    uint32_t orders_left; /* that it may still take: somebody may go on sending while we take */
    bool order_waits;     /* the next order names a tick that is not taken yet */
} follow_turn_t;

/* Take the orders that wait for no later tick. Returns how many. */
static inline int follow_take_orders(follow_t *f, tbus_stage_t *stage, const follow_ops_t *ops,
                                     follow_turn_t *turn)
{
    size_t bytes;
    const void *message;
    int taken = 0;
    turn->order_waits = false;
    while (turn->orders_left > 0 && (!ops->may_take_order || ops->may_take_order(stage)) &&
           (message = tbus_peek(&f->orders, &bytes))) {
        order_t order;
        bool whole = order_copy(&order, message, bytes);
        enum follow_reach reach = follow_reach(f, order.md_seq);
        turn->order_waits = reach == FOLLOW_LATER;
        if (turn->order_waits)
            break;
        ops->on_order(stage, &order, whole && reach == FOLLOW_REACHED);
        /* What it caused is published or kept: the order is done with. */
        tbus_advance(&f->orders);
        turn->orders_left--;
        taken++;
    }
    return taken;
}

/* Take up to `budget` ticks, and before each the orders that wait for no later one; after the last
 * tick only if an order waits for just that tick. Returns the number of messages taken, or a
 * negative error (stage->error says which). `ops`: a constant of the caller. */
TBUS_HOT int follow_take(follow_t *f, tbus_stage_t *stage, uint32_t budget, const follow_ops_t *ops)
{
    follow_turn_t turn = {.orders_left = f->orders.ring.slot_count};
    int work = tbus_glance(&f->orders) ? follow_take_orders(f, stage, ops, &turn) : 0;
    for (uint32_t ticks = 0; (!ops->may_take_tick || ops->may_take_tick(stage)) && ticks < budget;
         ticks++) {
        const market_event_t *event;
        int code = follow_next(f, stage, &event);
        if (code <= 0)
            return code < 0 ? code : work;
        ops->on_tick(stage, event);
        work++;
        if (turn.order_waits || (ticks + 1 < budget && tbus_glance(&f->orders)))
            work += follow_take_orders(f, stage, ops, &turn);
    }
    return work;
}

/* 0, or -TBUS_ECORRUPT and stage->error when a ring of the stage held what no publisher writes. */
int follow_check_rings(tbus_stage_t *stage);

#endif
