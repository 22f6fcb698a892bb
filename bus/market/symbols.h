/* SPDX-License-Identifier: Apache-2.0 */
/* symbols.h - which symbol a wire locate is on this day, and what happens to messages that
 * contradict that: the rules of tickbus/market/market.h. Private to bus/market. */
#ifndef TICKBUS_MARKET_SYMBOLS_H
#define TICKBUS_MARKET_SYMBOLS_H

#include <string.h>

#include "bus/market/view.h"

/* The eight characters of a name; those of one that is blank are spaces. */
static inline uint64_t symbols_name(const void *characters)
{
    uint64_t name;
    memcpy(&name, characters, sizeof name);
    return name;
}

/* A message names a stock under a locate. True: the locate is that symbol, which is known from now
 * on; the event of the tick has its number. False: it contradicts what was said before, or there
 * are more names than numbers. */
bool symbols_claim(market_t *m, uint16_t wire_locate, uint64_t name);

/* Does a message that says nothing about whose a locate is name another stock? */
bool symbols_differ(const market_t *m, uint16_t wire_locate, uint64_t name);

/* The tick contradicts the directory: its event says so, and the symbols of its locate and of its
 * name are stale. `name` 0: it names none. */
void symbols_contradict(market_t *m, uint16_t wire_locate, uint64_t name);
void symbols_mark_stale(market_t *m, uint16_t locate);

/* No symbol is known any more. */
void symbols_begin_day(market_t *m);
/* Of an empty view. */
void symbols_init(market_t *m);

#endif
