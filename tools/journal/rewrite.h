/* SPDX-License-Identifier: Apache-2.0 */
/* rewrite.h - a journal written anew: what is whole of one into another.
 *
 * Topics, messages, sequences, times of recording and the objects of the session stay as they are.
 * Sequences that are missing and may not be are named in a session record TBUS_JOURNAL_HOLE where
 * they were, and so is an end that was no end. Left out: records that are out of order, and objects
 * of the session of which a piece is missing. The new journal is a session of its own, with an id
 * and seals of its own.
 */
#ifndef TICKBUS_TOOLS_JOURNAL_REWRITE_H
#define TICKBUS_TOOLS_JOURNAL_REWRITE_H

#include <stdint.h>

#include <tickbus/journal.h>

#include "tools/journal/check.h"

typedef struct rewrite_result {
    uint64_t records; /* messages */
    uint64_t bytes;   /* that all records take */
    uint64_t dropped;
    uint64_t cut_objects;
} rewrite_result_t;

/* `found`: what was found when all of `from` was checked. -TBUS_ENOTEMPTY: `into` holds something,
 * which is not touched. After an error what was written stays, as a journal that broke off.
 * Cold. */
int rewrite_journal(const char *from, const char *into, const check_t *found,
                    rewrite_result_t *out_result, tbus_error_t *err);

#endif
