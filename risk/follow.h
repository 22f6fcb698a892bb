/* SPDX-License-Identifier: Apache-2.0 */
/* follow.h - taking `md` into the market view, and knowing whether an order may be looked at yet.
 *
 * An order names the last tick that its strategy had taken. Its strategy took that tick before it
 * sent the order, so whoever has taken the order finds the tick on the ring already (A1/R1 in
 * publisher.h and subscriber.h carry it over): the answer to "not taken yet" is to take more ticks,
 * and if there are none, the order lies.
 *
 * Part of both stages. On the data path: risk/stage.h, risk/venue/executor.h.
 */
#ifndef TICKBUS_RISK_FOLLOW_H
#define TICKBUS_RISK_FOLLOW_H

#include <stdint.h>

#include <tickbus/stage.h>

#include "bus/market/fetch.h"
#include <tickbus/market/market.h>

typedef struct follow {
    tbus_subscriber_t md;
    market_t *market;  /* not owned */
    uint64_t seq;      /* last tick taken; 0: none */
    uint64_t event_ns; /* exchange time of the last tick that had one */
} follow_t;

enum follow_reach {
    FOLLOW_REACHED, /* the tick was taken */
    FOLLOW_LATER,   /* it is still to come */
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
    if (tick == NULL)
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

/* 0, or -TBUS_ECORRUPT and stage->error when a ring of the stage held what no publisher writes. */
int follow_check_rings(tbus_stage_t *stage);

#endif
