/* SPDX-License-Identifier: Apache-2.0 */
/* damage_failed.h - how a verb that can pass over damage ends when it was not told to. */
#ifndef TICKBUS_TOOLS_JOURNAL_DAMAGE_FAILED_H
#define TICKBUS_TOOLS_JOURNAL_DAMAGE_FAILED_H

#include <stdbool.h>

#include <tickbus/error.h>

/* Say why reading failed, with `code`; where that is damage, also that --skip-damage would go on,
 * unless it was given (`skips`). Returns OUTCOME_FAILED. */
int damage_failed(const char *verb, int code, const tbus_error_t *why, bool skips);

#endif
