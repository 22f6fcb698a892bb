/* SPDX-License-Identifier: Apache-2.0 */
/* books_at.h - the books as they are at a place of a journal, as ticks that give the same books
 * (bus/market/snapshot.h).
 *
 *    checkpoint.h at or before the place  --->  market  --+-- ticks up to the place
 *    (none: the beginning of the journal)                 |
 *                                                         +--> snapshot
 *
 * On the way checkpoints are left where there is none, so that the next who asks has less to read:
 * at the beginning of a segment, where that takes an eighth of the bytes recorded since the last
 * one, or less. Where they cannot be written one does without.
 */
#ifndef TICKBUS_TOOLS_JOURNAL_BOOKS_AT_H
#define TICKBUS_TOOLS_JOURNAL_BOOKS_AT_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>

#include "bus/market/snapshot.h"

typedef struct books_at_request {
    const char *directory;
    uint16_t topic; /* of ticks, by its index */
    uint64_t seq;   /* the place: the first tick of the topic from this one on */
    market_limits_t limits;
} books_at_request_t;

typedef struct books_at {
    snapshot_t *snapshot; /* owned */
    uint64_t seq;         /* of the tick at the place; the snapshot is of what comes before it */
    uint32_t segment;     /* whose checkpoint it began with; 0: none */
    uint64_t ticks_read;  /* behind that */
    bool complete;        /* the beginning is there, or a checkpoint stands for it */
} books_at_t;

/* 1: *out_books has them; 0: the recording ends before the place; -TBUS_ELIMIT: they do not fit
 * `limits`; -TBUS_ECORRUPT: what is recorded is no tick; -ENOMEM; errors of reading the journal.
 * Shows how far it is on a terminal. Cold: reads what lies between. */
int books_at_make(const books_at_request_t *request, books_at_t *out_books, tbus_error_t *err);
void books_at_clear(books_at_t *books);

/* The first tick of `topic` that the journal has: its sequence. 1; 0: there is none; negative. */
int books_at_first(const char *directory, uint16_t topic, uint64_t *out_seq, tbus_error_t *err);

/* Leave checkpoints in all of a journal, from the last right one on, with the limits of the books
 * of its session, as far as these reach. *out_made and *out_right: how many, and how many there
 * were. 0, also for a journal without ticks, or one whose beginning is gone with all checkpoints;
 * else as above, and -errno when one cannot be written. */
int books_at_checkpoints(const char *directory, uint32_t *out_made, uint32_t *out_right,
                         tbus_error_t *err);

#endif
