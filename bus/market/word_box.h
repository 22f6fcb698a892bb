/* SPDX-License-Identifier: Apache-2.0 */
/* word_box.h - a set of figures that one process changes while another reads it: all of it at once
 * or none. In a pipeline it is a block of the bus directory; all zeros at first.
 *
 *    version   0: nothing was ever put in; even: words hold a set; odd: they are being written
 *    words     the figures
 *
 * One writer. The reader looks at one word and never waits: a set that is being written at that
 * moment it takes the next time that it looks.
 */
#ifndef TICKBUS_BUS_MARKET_WORD_BOX_H
#define TICKBUS_BUS_MARKET_WORD_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/atomic.h>

#define WORD_BOX_WORDS 12u

typedef struct word_box {
    tbus_atomic_u64_t version;
    tbus_atomic_u64_t words[WORD_BOX_WORDS];
} word_box_t;

TBUS_STATIC_ASSERT(sizeof(word_box_t) == 104);
TBUS_STATIC_ASSERT(offsetof(word_box_t, version) == 0);
TBUS_STATIC_ASSERT(offsetof(word_box_t, words) == 8);

/* Put in a set, whatever was in it. One thread of one process. */
void word_box_put(word_box_t *box, const uint64_t words[WORD_BOX_WORDS]);

/* The how manieth set it is, from 1, that has version `version`. */
static inline uint32_t word_box_number(uint64_t version)
{
    return (uint32_t)(version / 2);
}

/* Is there a set that was put in after the one of *seen (0 at first)? Then it is in out_words, and
 * *seen is its version. Hot. */
bool word_box_take(const word_box_t *box, uint64_t *seen, uint64_t out_words[WORD_BOX_WORDS]);

#endif
