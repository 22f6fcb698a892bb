/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - a program that is run to be measured, and what it prints. */
#ifndef TICKBUS_BENCH_COMMAND_H
#define TICKBUS_BENCH_COMMAND_H

#include <jansson.h>

/* Run arguments[0] with these arguments (the last is NULL), on `cpu` or SIDES_ANYWHERE
 * (tools/measure/sides.h), for ten minutes at most. The JSON that it printed; a new reference.
 * Where it fails, what it said on stderr is shown, and this exits. The caller holds its signals
 * (sides_hold_signals). */
json_t *command_json(const char *const *arguments, int cpu);

/* Likewise, with a file for its stdin (NULL: ours). The beginning of what it printed. */
void command_text(const char *const *arguments, const char *input, int cpu, char *out_text,
                  size_t text_bytes);

#endif
