/* SPDX-License-Identifier: Apache-2.0 */
/* death.h - what the survivor sees when its peer is killed: tried out, and put in words. */
#ifndef TICKBUS_TOOLS_IPC_DEATH_H
#define TICKBUS_TOOLS_IPC_DEATH_H

#include "tools/ipc/measure.h"

/* Kill the server twice, once while the client waits for a message and once before it sends, and
 * write what it saw into the row. A trial that goes wrong says so there; only -EINTR is
 * returned. */
int ipc_death_measure(ipc_row_t *row, ipc_leftovers_t *leftovers, ipc_trial_area_t *area,
                      tbus_error_t *err);

/* In words: "end of file after 52 us", "EPIPE at once", "waits for ever (watched for 30 ms)". The
 * measurement writes them into the row; declared for tests. */
void ipc_death_describe(enum ipc_trial_kind kind, const ipc_trial_result_t *result, char *out_text,
                        size_t text_bytes);

#endif
