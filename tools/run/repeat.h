/* SPDX-License-Identifier: Apache-2.0 */
/* repeat.h - `busctl replay --verify`: strategies, risk and executor once more over a recorded
 * session, and every decision held against the recorded one.
 *
 *    the session's market data, configuration and what came from outside (bus/market/recorded.h)
 *        -> the same stages -> a recording beside it, which is removed again
 *        -> compare.h -> divergence.h
 *
 * Under venue.clock market the stages repeat by themselves, in one process: what they decide
 * depends on nothing else. Under venue.clock host each takes its inputs in the order that it told
 * on the topic `inputs`, in a process of its own. A key that is given on the command line takes the
 * place of the recorded one, on purpose.
 */
#ifndef TICKBUS_TOOLS_RUN_REPEAT_H
#define TICKBUS_TOOLS_RUN_REPEAT_H

#include "tools/config/start_options.h"

/* Options of `busctl replay`, with the recording as `rest`. Prints the verdict. The exit code:
 * OUTCOME_OK: identical; OUTCOME_FAILED: not, or it cannot be told, which stderr says. */
int repeat_and_compare(const char *verb, start_options_t *options);

/* `--against`: two recordings, as they are. */
int repeat_compare(const char *verb, const start_options_t *options);

#endif
