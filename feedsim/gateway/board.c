/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gateway/board.h"

#include <stdio.h>

void gateway_board_put(tbus_atomic_u64_t *version, tbus_atomic_u64_t *words, const uint64_t *from,
                       uint32_t count)
{
    uint64_t before =
        tbus_load_relaxed_u64(version) & ~UINT64_C(1); /* odd: its writer was killed */
    tbus_store_relaxed_u64(version, before + 1);
    for (uint32_t i = 0; i < count; i++)
        /* Z1 pairs Z2 (gateway_board_get): else a reader has a new word, and not yet seen that they
         * are being written. */
        tbus_store_release_u64(&words[i], from[i]);
    /* Z3 pairs Z4 (gateway_board_get): else a reader sees them complete, and has some still to
     * come. */
    tbus_store_release_u64(version, before + 2);
}

void gateway_board_put_text(tbus_atomic_u64_t *words, uint32_t count, const char *text)
{
    char padded[8 * GATEWAY_NOTE_WORDS] = {0};
    snprintf(padded, 8 * (size_t)count, "%s", text);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t word;
        memcpy(&word, padded + 8 * i, 8);
        tbus_store_relaxed_u64(&words[i], word);
    }
}

void gateway_board_take_totals(tbus_bus_t *bus, const char *const *names,
                               const tbus_atomic_u64_t *shown, tbus_atomic_u64_t **out_counters,
                               uint64_t *out_base, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (bus)
            out_counters[i] =
                tbus_counter(bus, 0, names[i], strstr(names[i], "bytes") ? "bytes" : "times");
        if (shown)
            out_base[i] = tbus_load_relaxed_u64(&shown[i]);
    }
}

void gateway_board_put_totals(tbus_atomic_u64_t *const *counters, tbus_atomic_u64_t *shown,
                              const uint64_t *base, const uint64_t *totals, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (counters[i])
            tbus_store_relaxed_u64(counters[i], base[i] + totals[i]);
        if (shown)
            tbus_store_relaxed_u64(&shown[i], base[i] + totals[i]);
    }
}

void gateway_board_put_note(tbus_atomic_u64_t *version, tbus_atomic_u64_t *words,
                            const char *format, va_list arguments)
{
    char text[8 * GATEWAY_NOTE_WORDS] = {0};
    uint64_t values[GATEWAY_NOTE_WORDS];
    vsnprintf(text, sizeof text, format, arguments);
    for (char *c = text; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    memcpy(values, text, sizeof values);
    gateway_board_put(version, words, values, GATEWAY_NOTE_WORDS);
}
