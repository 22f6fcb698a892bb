/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/run/entry.h"

#include <string.h>

#define STATE_MASK UINT64_C(3)
#define HASH_SHIFT 10
#define FNV_BASIS  UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME  UINT64_C(0x00000100000001b3)

static tbus_atomic_u64_t *word_of(const tbus_entries_t *t, uint32_t index)
{
    return (tbus_atomic_u64_t *)(void *)(t->first + index * t->entry_bytes + t->word_at);
}

static void *text_of(const tbus_entries_t *t, uint32_t index)
{
    return t->first + index * t->entry_bytes + t->text_at;
}

/* FNV-1a, cut to 54 bits; the ten that are cut off still count. */
static uint64_t hash_of(const char *name)
{
    uint64_t hash = FNV_BASIS;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * FNV_PRIME;
    return (hash ^ hash >> 54) & (UINT64_MAX >> HASH_SHIFT);
}

uint64_t tbus_entry_word(uint32_t owner, const char *name, enum tbus_entry_state state)
{
    return hash_of(name) << HASH_SHIFT | (uint64_t)(owner & 0xff) << 2 | (uint64_t)state;
}

/* Copied first, as relaxed words: another process may write the same bytes once more. */
static bool has_name(const tbus_entries_t *t, uint32_t index, const char *name)
{
    char text[TBUS_ENTRY_TEXT_MAX];
    tbus_words_load(text, text_of(t, index), t->name_bytes);
    return strncmp(text, name, t->name_bytes) == 0;
}

/* `text` NULL: only look. */
static int look(const tbus_entries_t *t, uint32_t owner, const char *name, const char *text)
{
    uint64_t key = tbus_entry_word(owner, name, TBUS_ENTRY_FREE);
    for (uint32_t i = 0; i < t->count; i++) {
        tbus_atomic_u64_t *at = word_of(t, i);
        /* U2 pairs U1: else an entry is NAMED and its text is not there yet. */
        uint64_t word = tbus_load_acquire_u64(at);
        if (word == 0) {
            if (!text)
                return -TBUS_ENOTFOUND; /* entries are taken in order: there is none behind it */
            /* On failure `word` is the winner's; U2 again, it may be NAMED by now. */
            if (tbus_cas_u64(at, &word, key | TBUS_ENTRY_RESERVED))
                word = key | TBUS_ENTRY_RESERVED;
        }
        if ((word & ~STATE_MASK) != key)
            continue;
        if ((word & STATE_MASK) == TBUS_ENTRY_NAMED) {
            if (has_name(t, i, name))
                return (int)i;
        } else if (text && (word & STATE_MASK) == TBUS_ENTRY_RESERVED) {
            tbus_words_store(text_of(t, i), text, t->text_bytes);
            /* U1 pairs U2 */
            tbus_store_release_u64(at, key | TBUS_ENTRY_NAMED);
            return (int)i;
        }
    }
    return text ? -TBUS_EFULL : -TBUS_ENOTFOUND;
}

int tbus_entry_add(const tbus_entries_t *entries, uint32_t owner, const char *name,
                   const char *text)
{
    return look(entries, owner, name, text);
}

int tbus_entry_find(const tbus_entries_t *entries, uint32_t owner, const char *name)
{
    return look(entries, owner, name, NULL);
}

uint64_t tbus_entry_next(const tbus_entries_t *entries, const char *name, uint32_t *cursor,
                         char out_text[TBUS_ENTRY_TEXT_MAX])
{
    uint64_t hash = name ? hash_of(name) : 0;
    while (*cursor < entries->count) {
        uint64_t word = tbus_load_acquire_u64(word_of(entries, *cursor)); /* U2 */
        if (word == 0)
            break;
        uint32_t index = (*cursor)++;
        if ((word & STATE_MASK) != TBUS_ENTRY_NAMED || (name && word >> HASH_SHIFT != hash))
            continue;
        tbus_words_load(out_text, text_of(entries, index), entries->text_bytes);
        if (!name || strncmp(out_text, name, entries->name_bytes) == 0)
            return word;
    }
    return 0;
}
