/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.h - what the ticks to come will touch is fetched while this one is taken.
 *
 * The ring shows the messages ahead. Their slots were written by another CPU, and the orders that
 * they refer to were last touched long ago: a stage that fetches neither ahead waits for both. Each
 * step has its address from what an earlier step fetched:
 *
 *    24 ahead: the slot  ->  8 ahead: the order's entry, by its reference
 *                        ->  4 ahead: the level that the entry names
 *
 * For the stage that is the first to take a tick into a market view; the others find it applied.
 */
#ifndef TICKBUS_MARKET_FETCH_H
#define TICKBUS_MARKET_FETCH_H

#include <tickbus/glance.h>

#include <tickbus/market/market.h>

#define MARKET_FETCH_SLOT  24u
#define MARKET_FETCH_ORDER 8u
#define MARKET_FETCH_LEVEL 4u

/* `md`: the message in hand is the one to be applied next. Hot; changes nothing. */
static inline void market_fetch_ahead(const market_t *m, const tbus_subscriber_t *md)
{
    size_t bytes;
    const tick_t *tick;
    tbus_fetch_ahead(md, MARKET_FETCH_SLOT);
    if ((tick = (const tick_t *)tbus_peek_ahead(md, MARKET_FETCH_ORDER, &bytes)) != NULL)
        market_fetch_far(m, tick, bytes);
    if ((tick = (const tick_t *)tbus_peek_ahead(md, MARKET_FETCH_LEVEL, &bytes)) != NULL)
        market_fetch_near(m, tick, bytes);
}

#endif
