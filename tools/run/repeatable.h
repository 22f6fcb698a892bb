/* SPDX-License-Identifier: Apache-2.0 */
/* repeatable.h - can a recorded session be repeated, and if not, why? What its decisions came of
 * must all be in the recording: else they differ in a repetition, and it is nobody's fault.
 *
 *    ticks            of every sequence, from the first of the session on
 *    orders           of the strategies of its configuration; others come from participants from
 *                     outside, and nobody knows why
 *    inputs           by the clock of the host: the topic that tells in which order they were taken
 *    limits           every change of which risk says that it took it
 *    messages         of versions that this build reads
 *
 * Part of repeat.h.
 */
#ifndef TICKBUS_TOOLS_RUN_REPEATABLE_H
#define TICKBUS_TOOLS_RUN_REPEATABLE_H

#include <tickbus/error.h>

#include "tools/config/config.h"

/* `config`: that with which it is to be repeated. 0; errors of reading the journal; -TBUS_EABI: a
 * version of messages; -TBUS_ECONFIG: anything else that is missing. Cold: reads the whole journal,
 * up to where it can be read. */
int repeatable_check(const char *directory, const config_t *config, tbus_error_t *err);

#endif
