/* SPDX-License-Identifier: Apache-2.0 */
/* pattern.h - what the messages of a trial contain, so that the receiver can tell that every byte
 * arrived, in order.
 *
 * Message i is a window into one table of random words, 8 bytes further on than message i - 1 and
 * back at the start after a prime number of them. Sending costs nothing to prepare; the receiver
 * compares every byte. A lost, doubled, swapped, stale or torn message differs; losing exactly a
 * multiple of the period is caught by the count.
 */
#ifndef TICKBUS_TOOLS_IPC_PATTERN_H
#define TICKBUS_TOOLS_IPC_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define IPC_MESSAGE_BYTES_MAX 1048576u
#define IPC_PATTERN_PERIOD    509u /* 4 KiB of windows: stays in the first-level cache */
#define IPC_PATTERN_BYTES     (IPC_MESSAGE_BYTES_MAX + IPC_PATTERN_PERIOD * 8u)

/* Fill a table of IPC_PATTERN_BYTES. Always the same. */
static inline void ipc_pattern_fill(unsigned char *table)
{
    uint64_t word = UINT64_C(0x9e3779b97f4a7c15);
    for (size_t at = 0; at < IPC_PATTERN_BYTES; at += 8) {
        word ^= word << 13; /* xorshift64 (Marsaglia 2003) */
        word ^= word >> 7;
        word ^= word << 17;
        memcpy(table + at, &word, 8);
    }
}

static inline const unsigned char *ipc_pattern_message(const unsigned char *table, uint64_t i)
{
    return table + i % IPC_PATTERN_PERIOD * 8;
}

#endif
