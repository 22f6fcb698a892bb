/* SPDX-License-Identifier: Apache-2.0 */
/* states.h - days, phases and trading states: the rules of tickbus/market/market.h. Private to
 * bus/market. */
#ifndef TICKBUS_MARKET_STATES_H
#define TICKBUS_MARKET_STATES_H

#include "bus/market/view.h"

/* S, R, H, h, Y and what else names a stock: a whole tick of such a type. 0; -TBUS_ELIMIT: another
 * day, where there may be one only, and market_limit_text says so. */
__attribute__((noinline)) int states_apply(market_t *m, const tick_t *tick, uint16_t wire_locate);

/* All orders are gone. Names and states stay, and so does what touches are compared with. */
void states_empty_books(market_t *m);

/* Whether the symbol trades now. */
void states_judge(market_t *m, uint16_t locate);

#endif
