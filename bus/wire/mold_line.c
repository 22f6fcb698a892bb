/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/wire/mold_line.h"

#include <string.h>

static inline uint64_t *word_of(const mold_line_t *line, uint64_t sequence)
{
    return &line->bits[(sequence & line->mask) / 64];
}

static inline uint64_t bit_of(uint64_t sequence)
{
    return UINT64_C(1) << (sequence & 63);
}

/* Make the bits from..to-1 equal. Requires no more than there are. */
static void put_bits(mold_line_t *line, uint64_t from, uint64_t to, bool set)
{
    while (from < to) {
        uint64_t in_word = 64 - (from & 63);
        uint64_t count = to - from < in_word ? to - from : in_word;
        uint64_t bits = (count == 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1) << (from & 63);
        uint64_t *word = word_of(line, from);
        *word = set ? *word | bits : *word & ~bits;
        from += count;
    }
}

static void count_lost(const mold_line_t *line, mold_line_counts_t *counts)
{
    counts->lost = line->lost_was + (line->next - line->begin) - line->brought;
}

void mold_line_begin(mold_line_t *line, uint64_t sequence)
{
    line->lost_was += line->next - line->begin - line->brought;
    line->begin = line->next = sequence;
    line->brought = 0;
}

void mold_line_skip(mold_line_t *line, uint64_t sequence, mold_line_counts_t *counts)
{
    if (sequence <= line->begin)
        return;
    line->begin = sequence;
    line->next = line->next > sequence ? line->next : sequence;
    line->brought = line->next - sequence;
    uint64_t from = line->next - sequence > line->mask + 1 ? line->next - line->mask - 1 : sequence;
    for (; from < line->next; from++) /* of what is longer ago nobody knows */
        line->brought -= !(*word_of(line, from) & bit_of(from));
    count_lost(line, counts);
}

void mold_line_shown(mold_line_t *line, uint64_t next, mold_line_counts_t *counts)
{
    if (next <= line->next)
        return;
    if (next - line->next > line->mask)
        memset(line->bits, 0, (line->mask + 1) / 8);
    else
        put_bits(line, line->next, next, false);
    line->next = next;
    count_lost(line, counts);
}

void mold_line_brought(mold_line_t *line, uint64_t from, uint64_t to, mold_line_counts_t *counts)
{
    from = from > line->begin ? from : line->begin;
    if (from >= to)
        return;
    const uint64_t known = line->next;
    if (from > known)
        mold_line_shown(line, from, counts); /* what lies between has not come, so far */
    line->next = to > known ? to : known;
    /* What it has shown only now cannot have come before. */
    for (; from < to && from < known; from++) {
        uint64_t *word = word_of(line, from);
        if (line->next - from > line->mask + 1 || (*word & bit_of(from))) {
            counts->duplicates++;
        } else {
            *word |= bit_of(from);
            line->brought++;
        }
    }
    uint64_t left = to - from;
    if (left > line->mask + 1)
        memset(line->bits, 0xff, (line->mask + 1) / 8);
    else
        put_bits(line, from, to, true);
    line->brought += left;
    count_lost(line, counts);
}
