/* SPDX-License-Identifier: Apache-2.0 */
/* ticks.h - ticks that may be taken (group.h): into the books, and to the stages that they concern.
 * Private to bus/market.
 */
#ifndef TICKBUS_MARKET_TICKS_H
#define TICKBUS_MARKET_TICKS_H

#include "bus/market/group.h"

/* A tick for the books alone. 0 or a negative error. */
int ticks_warm_up(group_t *g, const tick_t *tick, size_t bytes);

/* The tick at the clock of the leader, for the books and those whom it concerns, whatever is going
 * on. 0, 1: something found no room, or a negative error. */
int ticks_give(group_t *g, const tick_t *tick, size_t bytes);

/* Those ticks that come before all that is in hand, and whatever others may still send. Returns how
 * many were taken; *out_code: 0, 1: the turn is over, since something found no room, or a negative
 * error. */
uint32_t ticks_take_clear(group_t *g, uint32_t ticks_max, int *out_code);

#endif
