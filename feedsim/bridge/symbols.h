/* SPDX-License-Identifier: Apache-2.0 */
/* symbols.h - which symbol a message is of, for subjects of symbols (bridge.symbols).
 *
 * Ticks that name their stock (stock directory, adds, trades) tell which symbol their locate is;
 * those that carry the locate alone follow. A locate that nothing has named yet has none, and so
 * has what belongs to no stock. Messages of bbo name theirs; orders and reports have a locate of
 * the day alone, and get none.
 *
 * So the subject of a tick depends on ticks before it: who begins in the middle learns from those
 * first (bridge.c does, from the ring or the journal). One thread.
 */
#ifndef TICKBUS_FEEDSIM_BRIDGE_SYMBOLS_H
#define TICKBUS_FEEDSIM_BRIDGE_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bridge_symbols {
    char names[65536][8]; /* by locate, padded with spaces; all zeros: not known */
} bridge_symbols_t;

/* The symbol of a message of that type ("tick", "bbo" ...), 8 bytes padded with spaces, and what it
 * tells of its locate is learned; NULL: none. Hot. */
const char *bridge_symbol_of(bridge_symbols_t *s, const char *type, const void *message,
                             size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
