/* SPDX-License-Identifier: Apache-2.0 */
/* ending.h - how a journal ended, by the header of its last segment: nothing else is read. */
#ifndef TICKBUS_TOOLS_JOURNAL_ENDING_H
#define TICKBUS_TOOLS_JOURNAL_ENDING_H

#include <tickbus/journal.h>

/* `info`: of the journal in `directory`. 0, or the negative error of reading. A journal that is
 * damaged, or of which a segment could not be synced, may end as closed here. Cold. */
int journal_ending(const char *directory, const tbus_journal_info_t *info,
                   enum tbus_journal_end *out_end, tbus_error_t *err);

#endif
