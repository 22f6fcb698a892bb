/* SPDX-License-Identifier: Apache-2.0 */
/* breaks.h - executions of ours that a trade of the market made, by its match number: what a broken
 * trade takes back (venue.h). A ring of fixed size; the oldest is forgotten for the newest. */
#ifndef TICKBUS_RISK_VENUE_BREAKS_H
#define TICKBUS_RISK_VENUE_BREAKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "risk/id_map.h"

typedef struct breakable {
    uint64_t match; /* of the trade; 0: the place is free */
    uint64_t md_seq;
    uint64_t order_id;
    uint64_t exec_id;
    uint64_t intended; /* as in the order */
    uint32_t px_e4;
    uint32_t qty;
    uint32_t next; /* place of the next of the same trade, 0: none */
    uint16_t locate;
    uint8_t side;
    uint8_t liquidity;
    int32_t fee_e4; /* as in its report */
    uint32_t pad;
} breakable_t;

typedef struct breaks {
    breakable_t *executions; /* owned; [0] is not used */
    uint32_t *held;          /* owned; by locate: how many executions of it are in the ring */
    id_map_t by_match;       /* match number -> the first of its executions */
    uint32_t last;           /* place that was filled last */
    uint32_t last_of_match;  /* the last of the trade at hand */
    uint32_t executions_max; /* 0: none is remembered */
} breaks_t;

/* Bytes that its tables take. */
size_t breaks_footprint(uint32_t executions_max);
/* False: no memory; what was built is freed by breaks_destroy. */
bool breaks_create(breaks_t *b, uint32_t executions_max);
void breaks_destroy(breaks_t *b);

/* An execution; `next` is set here. Those of one trade come one after the other. A trade that comes
 * later under the same number takes its place. Without a match number nothing is remembered. */
void breaks_remember(breaks_t *b, const breakable_t *execution);

/* Take the first execution of a trade out of the ring: false when there is none (any more). */
bool breaks_take(breaks_t *b, uint64_t match, breakable_t *out_execution);

/* All are forgotten: match numbers are those of a day. Cold. */
void breaks_forget_all(breaks_t *b);

/* The symbol has none. */
static inline bool breaks_none(const breaks_t *b, uint16_t locate)
{
    return b->held[locate] == 0;
}

#endif
