/* SPDX-License-Identifier: Apache-2.0 */
/* symbols.h - which symbol a stock locate stands for, for messages that carry the locate alone
 * (orders and reports). Learnt from the messages that carry both: ticks of the types that name
 * their stock, but P and Q, and bbos. As tickbus/market/market.h has it, the first that names a
 * stock under a locate says whose it is until a day begins (S with code O). What a session had on
 * earlier days is kept: a message is about the symbol that its locate stood for at its tick
 * (md_seq), however late it is read.
 */
#ifndef TICKBUS_TOOLS_SHOW_SYMBOLS_H
#define TICKBUS_TOOLS_SHOW_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct symbols symbols_t;

/* NULL: no memory. A quarter of a MiB, and 24 bytes for each name that was told. */
symbols_t *symbols_create(void);
void symbols_destroy(symbols_t *symbols);

/* Do messages of that type say both ("tick", "bbo")? Or lack the symbol ("order", "report")? */
bool symbols_told_by(const char *type);
bool symbols_lacked_by(const char *type);

/* Learn from a message of any type, `seq` of its topic. `message`: 8-byte aligned. */
void symbols_learn(symbols_t *symbols, const char *type, uint64_t seq, const void *message,
                   size_t bytes);

/* Know this one, from `md_seq` on: `name` has eight characters, padded with spaces. Those of a
 * locate come in the order of their md_seq. Without memory the locate is not known any more. */
void symbols_put(symbols_t *symbols, uint64_t md_seq, uint16_t locate, const char name[8]);

/* Each that was told, those of a locate as symbols_put takes them. */
void symbols_each(const symbols_t *symbols, void *context,
                  void (*take)(void *context, uint64_t md_seq, uint16_t locate,
                               const char name[8]));

/* A message that lacks the symbol, which is not known so far? */
bool symbols_miss(const symbols_t *symbols, const char *type, const void *message, size_t bytes);

/* At that tick, or if it had no name by then the first that it got. Eight characters, padded with
 * spaces; NULL: not known, or `symbols` is NULL. */
const char *symbols_of(const symbols_t *symbols, uint16_t locate, uint64_t md_seq);

#endif
