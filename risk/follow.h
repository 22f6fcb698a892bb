/* SPDX-License-Identifier: Apache-2.0 */
/* follow.h - taking `md` into the market view, and knowing whether an order may be looked at yet.
 *
 * An order names the last tick that its strategy had taken. Its strategy took that tick before it sent the
 * order, so whoever has taken the order finds the tick on the ring already (A1/R1 in publisher.h and
 * subscriber.h carry it over): the answer to "not taken yet" is to take more ticks, and if there are none,
 * the order lies.
 *
 * Part of both stages. On the data path: risk/stage.h, risk/executor.h.
 */
#ifndef TICKBUS_RISK_FOLLOW_H
#define TICKBUS_RISK_FOLLOW_H

#include <stdint.h>

#include <tickbus/stage.h>

#include "bus/market/market.h"

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

/* Take the next tick and apply it. 1: *out_event is what it did, valid until the next call; 0: none there;
 * negative: the market cannot go on (stage->error says why). */
int follow_next(follow_t *f, tbus_stage_t *stage, const market_event_t **out_event);

/* Whether `md_seq` was taken. To be asked when the order that names it is in hand. */
enum follow_reach follow_reach(follow_t *f, uint64_t md_seq);

/* 0, or -TBUS_ECORRUPT and stage->error when a ring of the stage held what no publisher writes. */
int follow_check_rings(tbus_stage_t *stage);

#endif
