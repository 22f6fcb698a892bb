/* SPDX-License-Identifier: Apache-2.0 */
/* guard.h - which segments are mapped for writing, and what happens when a store goes to one that
 * somebody else has cut.
 *
 *    truncate(1) from outside
 *        the next store behind the cut raises SIGBUS
 *    the process's handler calls tbus_journal_writer_on_sigbus
 *        The pages from there to the end of the mapping become private memory, which takes the
 *        store and which nobody reads. The segment is marked as lost, and its writer's `limit`
 *        becomes 0.
 *    the recording thread finds the limit at 0
 *        It looks at the segment and fails with an error that names it.
 *
 * So the hot path checks nothing, and no stack is unwound. What lies before the cut stays as it is.
 * The same happens with pages that cannot be read from the disk (EIO), or that were punched out of
 * the file on a disk that is full.
 *
 * Private to bus/journal, except tbus_journal_writer_on_sigbus (tickbus/journal.h).
 */
#ifndef TICKBUS_JOURNAL_GUARD_H
#define TICKBUS_JOURNAL_GUARD_H

#include <tickbus/atomic.h>

/* One mapping. Written by: whoever takes and releases it; `lost` by the handler, on whichever
 * thread stored. */
typedef struct tbus_journal_guard {
    tbus_atomic_u32_t taken;
    tbus_atomic_u32_t lost;
    tbus_atomic_u64_t begin; /* address of the first byte; 0: no mapping */
    tbus_atomic_u64_t end;
    tbus_atomic_u64_t *limit;
} tbus_journal_guard_t;

/* Guard a mapping; when a store to it fails, *limit becomes 0. NULL: too many are guarded, and this
 * one is not. Any thread. */
tbus_journal_guard_t *tbus_journal_guard_take(const void *base, uint64_t bytes,
                                              tbus_atomic_u64_t *limit);

/* Before it is unmapped. Accepts NULL. */
void tbus_journal_guard_release(tbus_journal_guard_t *guard);

/* Has a store to it failed? False for NULL. */
static inline bool tbus_journal_guard_lost(const tbus_journal_guard_t *guard)
{
    return guard && tbus_load_relaxed_u32(&guard->lost);
}

#endif
