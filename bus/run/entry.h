/* SPDX-License-Identifier: Apache-2.0 */
/* entry.h - how a name gets its entry in a table of the directory, from any number of processes at
 * once, each of which may be stopped or killed at any instruction. Private to bus/run.
 *
 * Each entry has a word that says whose it is, and a text:
 *
 *     63                                        10 9          2 1     0
 *    +--------------------------------------------+------------+-------+
 *    |  hash of the name, 54 bits                 |  owner     | state |
 *    +--------------------------------------------+------------+-------+
 *
 *    FREE (all zeros) --CAS--> RESERVED --text written, release--> NAMED, for as long as the bus is
 *
 * Everybody looks from the first entry on and takes the first one that is FREE; so two that ask for
 * the same name at once meet at the same entry, and one CAS wins. The other sees by the word that
 * the entry is reserved for its own name. It does not wait: it writes the text itself. Both write
 * the same bytes, and the first to be done makes the entry NAMED. So nobody depends on a process
 * that was stopped or killed in between; an entry whose name nobody asks for again stays RESERVED,
 * is shown to nobody, and is lost.
 *
 * Two names of one owner with the same 54 bits of hash are told apart by their texts. Only if one
 * of them is asked for in the moment in which the other is RESERVED would they be mixed up.
 */
#ifndef TICKBUS_BUS_RUN_ENTRY_H
#define TICKBUS_BUS_RUN_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/directory.h>

#define TBUS_ENTRY_TEXT_MAX (TBUS_COUNTER_NAME_MAX + TBUS_COUNTER_UNIT_MAX)

/* A table: where its entries lie, and in each the word and the text. The text is a name, zero
 * padded to name_bytes, and whatever else belongs to it; whole 8-byte words. */
typedef struct tbus_entries {
    unsigned char *first;
    size_t entry_bytes;
    uint32_t count;
    size_t word_at;
    size_t text_at;
    size_t name_bytes;
    size_t text_bytes; /* at most TBUS_ENTRY_TEXT_MAX */
} tbus_entries_t;

enum tbus_entry_state { TBUS_ENTRY_FREE = 0, TBUS_ENTRY_RESERVED = 1, TBUS_ENTRY_NAMED = 2 };

/* The word of an entry in that state; declared for tests. */
uint64_t tbus_entry_word(uint32_t owner, const char *name, enum tbus_entry_state state);
static inline uint32_t tbus_entry_owner(uint64_t word)
{
    return (uint32_t)(word >> 2) & 0xff;
}

/* The index of the entry of `owner` and `name`, added if need be: `text` is what to write then.
 * -TBUS_EFULL: every entry has another name. Lock-free; an entry is looked at once. */
int tbus_entry_add(const tbus_entries_t *entries, uint32_t owner, const char *name,
                   const char *text);

/* The index of a NAMED entry, or -TBUS_ENOTFOUND. */
int tbus_entry_find(const tbus_entries_t *entries, uint32_t owner, const char *name);

/* The next NAMED entry from *cursor on, of that name (NULL: of any): its word is returned, its text
 * copied, and *cursor is the index behind it. 0: there is none. */
uint64_t tbus_entry_next(const tbus_entries_t *entries, const char *name, uint32_t *cursor,
                         char out_text[TBUS_ENTRY_TEXT_MAX]);

#endif
