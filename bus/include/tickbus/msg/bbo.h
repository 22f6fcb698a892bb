/* SPDX-License-Identifier: Apache-2.0 */
/* bbo.h - the best bid and offer of one symbol after a tick changed it, as published on the topic
 * `bbo`.
 *
 * Written by the strategy stage, once for every tick after which the best level of the tick's own
 * symbol differs from what it was after the last such tick of the day, but for those ticks at which
 * nobody can read the topic (`left_out` of tbus_topic_t). A side that is empty is all zeros. When a
 * day begins all books are empty (tickbus/market/market.h), and no bbo says so.
 */
#ifndef TICKBUS_MSG_BBO_H
#define TICKBUS_MSG_BBO_H

#include <tickbus/msg/tick.h>

/* Version of the layout below, which a journal names beside the type "bbo". Raised when a field
 * changes. */
#define BBO_VERSION 1u

typedef struct bbo {
    uint64_t md_seq; /* sequence on `md` of the tick that changed it */
    /* as in tick_t: exchange ns since midnight in bits 0-47, tracking number above */
    uint64_t event;
    /* as in tick_t: intended time of that tick in bits 0-47, stock locate above */
    uint64_t intended;
    uint32_t bid_px_e4;
    uint32_t ask_px_e4;
    uint64_t bid_qty; /* shares displayed at the best bid, summed over its orders */
    uint64_t ask_qty;
    char symbol[8]; /* ASCII, padded with spaces; all spaces while no message has named it */
} bbo_t;

TICK_ASSERT_(sizeof(bbo_t) == 56, "one line with its slot word");

TBUS_INLINE uint16_t bbo_locate(const bbo_t *b)
{
    return (uint16_t)(b->intended >> 48);
}

#endif
