/* SPDX-License-Identifier: Apache-2.0 */
/* selection.h - which symbols' ticks a feed lets through. What belongs to no stock (locate 0:
 * system events, market-wide halts) always passes.
 *
 * A tick that names its stock tells which locate is chosen, from the stock directory on; those that
 * carry the locate alone follow. Ticks of a locate that nothing has named yet do not pass.
 *
 * On the data path: between feedsim/source/source.h and feedsim/timeline.h.
 */
#ifndef TICKBUS_FEEDSIM_SELECTION_H
#define TICKBUS_FEEDSIM_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/msg/tick.h>

#define FEED_SYMBOLS_MAX  64u
#define FEED_SYMBOL_BYTES 9u /* with the terminating zero */

typedef struct feed_selection {
    uint32_t count;                    /* 0: all pass */
    char symbols[FEED_SYMBOLS_MAX][8]; /* padded with spaces */
    uint64_t chosen[65536 / 64];       /* bit by locate */
} feed_selection_t;

/* The symbol that a tick names, 8 bytes padded with spaces; NULL: it names none. Hot. */
const char *feed_symbol_of(const tick_t *tick, size_t bytes);

/* `symbols`: FEED_SYMBOL_BYTES each, terminated. Cold. */
void feed_selection_init(feed_selection_t *s, const char (*symbols)[FEED_SYMBOL_BYTES],
                         uint32_t count);

/* Does it pass? Hot; learns from it. */
bool feed_selection_takes(feed_selection_t *s, const tick_t *tick, size_t bytes);

#endif
