/* SPDX-License-Identifier: Apache-2.0 */
/* mold_line.h - what one line of a MoldUDP64 feed brought and lost, for itself: one bit for each of
 * the last sequences that it has shown, so that what comes late or twice is told from what is lost.
 *
 * Part of bus/wire/mold_receiver.c.
 */
#ifndef TICKBUS_WIRE_MOLD_LINE_H
#define TICKBUS_WIRE_MOLD_LINE_H

#include "bus/wire/mold_receiver.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mold_line {
    uint64_t *bits;    /* by sequence modulo `mask` + 1; those of begin..next-1 are right */
    uint64_t mask;     /* a multiple of 64, less 1 */
    uint64_t begin;    /* what comes before is not counted */
    uint64_t next;     /* one more than the highest that it has shown */
    uint64_t brought;  /* different messages from `begin` on */
    uint64_t lost_was; /* in earlier sessions */
} mold_line_t;

static inline size_t mold_line_words(uint64_t window_messages)
{
    return (size_t)(window_messages < 64 ? 1 : window_messages / 64);
}

/* A session begins with that message. */
void mold_line_begin(mold_line_t *line, uint64_t sequence);

/* What comes before that message is not counted after all. */
void mold_line_skip(mold_line_t *line, uint64_t sequence, mold_line_counts_t *counts);

/* It has brought from..to-1; counted. */
void mold_line_brought(mold_line_t *line, uint64_t from, uint64_t to, mold_line_counts_t *counts);

/* It has shown that everything before `next` was sent; counted. */
void mold_line_shown(mold_line_t *line, uint64_t next, mold_line_counts_t *counts);

#ifdef __cplusplus
}
#endif
#endif
