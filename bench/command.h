/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - a program that is run to be measured, and what it prints. */
#ifndef TICKBUS_BENCH_COMMAND_H
#define TICKBUS_BENCH_COMMAND_H

#include <jansson.h>

#define COMMANDS_MAX 2u

/* Run arguments[0] with these arguments (the last is NULL), on `cpu` or SIDES_ANYWHERE
 * (tools/measure/sides.h), for ten minutes at most. The JSON that it printed; a new reference.
 * Where it fails, what it said on stderr is shown, and this exits. The caller holds its signals
 * (sides_hold_signals). */
json_t *command_json(const char *const *arguments, int cpu);

/* Likewise, several of the same at once, one on each of `count` CPUs, COMMANDS_MAX at most. */
void command_json_at_once(const char *const *arguments, const int *cpus, unsigned count,
                          json_t **out_objects);

/* Likewise, with a file for its stdin (NULL: ours). The beginning of what it printed. */
void command_text(const char *const *arguments, const char *input, int cpu, char *out_text,
                  size_t text_bytes);

#endif
