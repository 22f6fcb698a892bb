/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.h - a market view as a list of ticks: applied to an empty market, they give the same
 * books.
 *
 *    md 1 .. N  --->  market view  --+
 *          \--->  standing.h  -------+-- snapshot_take --> ticks 0 .. count-1
 *
 *    0 .. A-1       administrative messages that hold, as they came (standing.h)
 *    A .. count-1   every live order as an A, in the order in which the orders were added
 *
 * The A of an order has its reference (after a replace: the new one), side, price, and the shares
 * that are left; name and locate of its symbol, the locate under which that was named first on the
 * day; tracking number and exchange time of the tick that added it, an A, F or U. The attribution
 * of an F is not kept. As orders come in the order of their sequences, the queue of each level is
 * the same.
 *
 * What follows from messages that are gone is told by As that add nothing, between those of the
 * first group (snapshot_is_for_books): one of no shares names a symbol that orders alone have named
 * or has a second locate; one under locate 0 that names a stock says that this is stale; and one
 * under locate 0 without a name, behind the O of a day, says that it is no full day. A TICK_GAP
 * without numbers says that messages were lost. So a market
 * view that applied
 *
 *    the ticks of a snapshot at N, under any rising sequences up to N, then those from N + 1 on
 *
 * has the levels, quantities, order counts, queues, names, states, stale marks, phase and touches
 * of one that applied all ticks, and tells the same events from N + 1 on, with two exceptions: of
 * an order in the snapshot removed_added_seq is the sequence that its A got; and a symbol that has
 * no name is not stale any more. Numbers of symbols may differ, where days have gone by. What a
 * market view counts (market_stats) counts from the snapshot on, and the day's number is 1, or 0
 * (market_end_warm_up).
 *
 * A snapshot is a copy: the market view may go on while it is read, by any number of readers, each
 * with an index of its own. Used by those who hand a session on in mid-day: late joiners
 * (feedsim/gateway) and replays that begin in the middle. Private to bus/market and them.
 */
#ifndef TICKBUS_MARKET_SNAPSHOT_H
#define TICKBUS_MARKET_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/market/standing.h"
#include <tickbus/error.h>
#include <tickbus/market/market.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct snapshot snapshot_t;

/* An empty one. `orders_max`: that of the market's limits. Takes address space, 64 bytes an order
 * and 41 MiB; it becomes memory as far as snapshots fill it, and stays so for the next one.
 * -ENOMEM. Cold. */
int snapshot_create(uint32_t orders_max, snapshot_t **out_snapshot, tbus_error_t *err);
/* Accepts NULL. */
void snapshot_destroy(snapshot_t *s);

/* Take the market as it is between two ticks; what was taken before is gone. The market view and
 * the keeper must have been given the same ticks; both stay as they are. 0; -TBUS_ELIMIT: there are
 * more live orders than fit, or a tick was refused because a table of the market was full. Then
 * nothing was taken and the snapshot is empty.
 * Cost: a pass over the orders, or the table of them, whose size follows the most that there ever
 * were, and a radix sort of the live ones; no allocation, page faults where it grows. Cold: not on
 * the path of a tick. */
int snapshot_take(snapshot_t *s, const market_t *m, const standing_t *standing);

/* How many ticks; 0: empty, as after creation. */
uint32_t snapshot_count(const snapshot_t *s);

/* Of the last tick that is in it. */
uint64_t snapshot_md_seq(const snapshot_t *s);

/* Tick `index`, below snapshot_count: sizeof(tick_t) bytes, `intended` holding the locate and time
 * 0, to be applied or encoded as ITCH. Constant time. */
void snapshot_tick(const snapshot_t *s, uint32_t index, tick_t *out_tick);

/* Is it an A that adds nothing, or a gap, for market views alone? Others leave it out. */
static inline bool snapshot_is_for_books(const tick_t *tick)
{
    return tick->type == TICK_GAP ||
           (tick->type == 'A' && (tick->qty == 0 || tick_locate(tick) == 0));
}

#ifdef __cplusplus
}
#endif
#endif
