/* SPDX-License-Identifier: Apache-2.0 */
/* gapless.h - whether sequences may be missing on a topic of a journal. */
#ifndef TICKBUS_TOOLS_SHOW_GAPLESS_H
#define TICKBUS_TOOLS_SHOW_GAPLESS_H

#include <stdbool.h>

#include <tickbus/journal.h>

/* A single publisher numbers its messages without a gap. Where there are several, one may die in a
 * claim, which leaves a gap. */
bool topic_is_gapless(const tbus_journal_topic_t *topic);

#endif
