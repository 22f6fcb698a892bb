/* SPDX-License-Identifier: Apache-2.0 */
/* places.h - the feed says with each tick where the books of its readers keep the order it refers
 * to. Private to bus/market and feedsim.
 *
 * Each reader of `md` that keeps books would look every reference up for itself. So the feed does
 * that once for all, and the tick of an order carries its *place* in the pool of queue.h:
 *
 *    feed      reference -> place      one table, of all orders that the feed has sent
 *    readers   place -> order          no table: one look whether it is the order of the reference
 *
 * A place is a hint. Readers believe nothing that they can see to be wrong: the order at the place
 * has the reference and is live, or the reference is unknown to them; a place for a new order is
 * free in their pool. Where it is not, and with the first tick of an order that has no place, a
 * reader makes a table of what it has, and goes by that until its books are empty again
 * (view_forget_places). So books are the same with the places of a feed and without;
 * tests/unit/test_places.c holds that against ticks drawn at random, good ones and bad. Of places
 * that somebody has written over books may be wrong until they are emptied, and nothing else.
 *
 * What the feed must not do is forget an order that a reader still has, since a reference that the
 * feed does not know has place 0, which readers believe. It knows no symbols and no levels: an
 * order that a reader refuses for their sake takes a place all the same, which nobody uses, and
 * what comes for it later is unknown to the reader. Where a reader may refuse what the feed would
 * do, or the other way round, the feed gives no more places until the books are emptied: when a
 * message refers to an order under another locate (a wrong one, or the second one of a symbol),
 * when a new reference is in use already, and when its own table is full. That costs each reader a
 * walk through its orders, so a feed to which it happens PLACES_GIVEN_UP_MAX times gives no more at
 * all.
 *
 * Memory: as the order table and the queues of a view (market.h) of so many orders.
 */
#ifndef TICKBUS_MARKET_PLACES_H
#define TICKBUS_MARKET_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>
#include <tickbus/msg/tick.h>

typedef struct places places_t;

size_t places_footprint(uint32_t orders_max);
#define PLACES_GIVEN_UP_MAX 16u

/* `orders_max`: as market_limits_t. All memory is allocated and touched. `whole`: the first tick
 * that is shown is the first of the topic; else its readers have orders that the feed knows nothing
 * of, and no place is given before a restore begins (TICK_RESTORE). */
int places_create(uint32_t orders_max, bool whole, places_t **out_places, tbus_error_t *err);
void places_destroy(places_t *p);

/* Show it the tick that is published next; writes its place, whatever stood there, into the tick of
 * an order that is of the fixed size. NULL: there are no places, and none stays in the tick. Each
 * tick is shown once. Hot. */
void places_tell(places_t *p, tick_t *tick, size_t bytes);
/* The same for ticks of the fixed size that are published one after the other. */
void places_tell_all(places_t *p, tick_t *ticks, uint32_t count);

#endif
