/* SPDX-License-Identifier: Apache-2.0 */
/* named_hole.h - messages that the journal itself says are missing: session records of the kind
 * TBUS_JOURNAL_HOLE (tickbus/journal.h). A reader shows them when it was told to show session
 * records. */
#ifndef TICKBUS_TOOLS_SHOW_NAMED_HOLE_H
#define TICKBUS_TOOLS_SHOW_NAMED_HOLE_H

#include <tickbus/journal.h>

#define NAMED_HOLE_REASON_MAX 160u

/* Does this record say that messages of `topic` from `seq` on are missing? Then *out_to is the last
 * of them, and `out_reason` says why. False for any record that is none of these. */
bool named_hole(const tbus_journal_record_t *record, const char *topic, uint64_t seq,
                uint64_t *out_to, char out_reason[NAMED_HOLE_REASON_MAX]);

#endif
