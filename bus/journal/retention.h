/* SPDX-License-Identifier: Apache-2.0 */
/* retention.h - which finished segments of a journal are to go, and their removal: from the front,
 * by tbus_journal_limits_t (tickbus/journal.h), which tells what counts. Private to bus/journal,
 * except tbus_journal_prune. Cold.
 */
#ifndef TICKBUS_JOURNAL_RETENTION_H
#define TICKBUS_JOURNAL_RETENTION_H

#include "bus/journal/directory.h"

/* Segments that may go: first .. end-1. */
typedef struct tbus_journal_front {
    uint32_t first;
    uint32_t end;  /* this one and all behind it stay */
    uint32_t last; /* they are there and count up to this one */
    bool plans;    /* nothing is removed: only counted */
} tbus_journal_front_t;

/* Is any limit set? */
bool tbus_journal_limits_any(const tbus_journal_limits_t *limits);

/* Remove segments at the front, with what lies beside them, while a limit is passed and no reader
 * holds the first one; then sync the directory. `now_ns`: by the clock of the recording, since
 * 1970. Moves front->first on. 0 or -errno; what is removed then stays removed. */
int tbus_journal_retention_apply(const tbus_journal_directory_t *directory,
                                 const tbus_journal_limits_t *limits, uint64_t now_ns,
                                 tbus_journal_front_t *front, tbus_error_t *err);

#endif
