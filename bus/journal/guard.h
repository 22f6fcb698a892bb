/* SPDX-License-Identifier: Apache-2.0 */
/* guard.h - which segments are mapped for writing, and what becomes of a store to one that somebody
 * else has cut.
 *
 *    truncate(1) from outside -> the next store behind the cut: SIGBUS -> the process's handler -> tbus_journal_writer_on_sigbus
 *        the pages from there to the end of the mapping become private memory, which takes the store and nobody reads
 *        the segment counts as lost, `limit` is 0: the recording thread comes to look, and fails with an error that names the segment
 *
 * So nothing is checked on the hot path, and no stack is unwound. What lies before the cut stays as
 * it is. The same goes for pages that the disk cannot be read for (EIO), or that were punched out
 * of the file on a disk that is full.
 *
 * Private to bus/journal, but for tbus_journal_writer_on_sigbus (tickbus/journal.h).
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
