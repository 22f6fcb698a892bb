/* SPDX-License-Identifier: Apache-2.0 */
/* symbols.h - which symbol a stock locate stands for, for messages that carry the locate alone
 * (orders and reports). Learnt from the messages that carry both: ticks of the types that name
 * their stock, and bbos. A locate keeps its symbol for the whole day.
 */
#ifndef TICKBUS_TOOLS_SHOW_SYMBOLS_H
#define TICKBUS_TOOLS_SHOW_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct symbols symbols_t;

/* NULL: no memory. Half a MiB. */
symbols_t *symbols_create(void);
void symbols_destroy(symbols_t *symbols);

/* Do messages of that type say both ("tick", "bbo")? Or lack the symbol ("order", "report")? */
bool symbols_told_by(const char *type);
bool symbols_lacked_by(const char *type);

/* Learn from a message of any type. `message`: 8-byte aligned. */
void symbols_learn(symbols_t *symbols, const char *type, const void *message, size_t bytes);

/* Know this one: `name` has eight characters, padded with spaces. */
void symbols_put(symbols_t *symbols, uint16_t locate, const char name[8]);

/* A message that lacks the symbol, which is not known so far? */
bool symbols_miss(const symbols_t *symbols, const char *type, const void *message, size_t bytes);

/* Eight characters, padded with spaces; NULL: not known, or `symbols` is NULL. */
const char *symbols_of(const symbols_t *symbols, uint16_t locate);

#endif
