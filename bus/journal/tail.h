/* SPDX-License-Identifier: Apache-2.0 */
/* tail.h - what is left in a segment behind its last whole record: nothing, a torn tail, or damage.
 * Private to bus/journal.
 *
 * Cold: looked at once, when a journal whose writer is gone has no more records. A record is looked
 * for at every multiple of 8 behind the place where reading stopped. The work is bounded: what
 * would take more than TBUS_JOURNAL_SEARCH_BYTES_MAX of CRCs to tell, which no crash leaves behind,
 * counts as damage.
 */
#ifndef TICKBUS_JOURNAL_TAIL_H
#define TICKBUS_JOURNAL_TAIL_H

#include "bus/journal/segment.h"

#define TBUS_JOURNAL_SEARCH_BYTES_MAX (UINT64_C(4) << 30)

typedef struct tbus_journal_tail {
    uint64_t bytes;     /* from where reading stopped to the last byte that is not zero */
    uint64_t record_at; /* offset of a whole record behind that place; 0: there is none */
} tbus_journal_tail_t;

/* `from`: where reading stopped, a multiple of 8. 0, or -errno from reading. */
int tbus_journal_tail_judge(const tbus_journal_segment_t *segment, uint64_t from,
                            tbus_journal_tail_t *out_tail);

#endif
