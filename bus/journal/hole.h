/* SPDX-License-Identifier: Apache-2.0 */
/* hole.h - what a recording has no room for: which sequences of each topic, and why; told in the
 * journal as a session record TBUS_JOURNAL_HOLE when there is room again. Private to bus/journal;
 * one thread. */
#ifndef TICKBUS_JOURNAL_HOLE_H
#define TICKBUS_JOURNAL_HOLE_H

#include "bus/journal/format.h"

/* Of the record, whatever the names of the topics are: what a segment keeps free for it. */
#define TBUS_JOURNAL_HOLE_BYTES 4096u

typedef struct tbus_journal_hole {
    bool open;
    int code;          /* why: -ENOSPC and the like */
    uint64_t missed;   /* messages, in all holes so far */
    uint64_t ended_ns; /* when the last of them came */
    uint64_t from[TBUS_JOURNAL_TOPICS_MAX];
    uint64_t to[TBUS_JOURNAL_TOPICS_MAX]; /* 0: nothing of the topic */
} tbus_journal_hole_t;

void tbus_journal_hole_begin(tbus_journal_hole_t *hole, int code);

/* A message that is not recorded. Records about the session are not told of. Hot while it lasts. */
static inline void tbus_journal_hole_note(tbus_journal_hole_t *hole, uint16_t topic, uint64_t seq,
                                          uint64_t time_ns)
{
    hole->ended_ns = time_ns;
    if (topic >= TBUS_JOURNAL_TOPICS_MAX)
        return;
    hole->from[topic] = hole->to[topic] ? hole->from[topic] : seq;
    hole->to[topic] = seq;
    hole->missed++;
}

/* It ends: its text, of the returned length. */
size_t tbus_journal_hole_end(tbus_journal_hole_t *hole, const tbus_journal_header_t *header,
                             char out_text[TBUS_JOURNAL_HOLE_BYTES]);

#endif
