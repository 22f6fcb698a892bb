/* SPDX-License-Identifier: Apache-2.0 */
/* ranking.h - rows in the order that the user asks for. */
#ifndef TICKBUS_TOOLS_IPC_RANKING_H
#define TICKBUS_TOOLS_IPC_RANKING_H

#include "tools/ipc/measure.h"

enum ipc_sort { IPC_SORT_LATENCY = 0, IPC_SORT_THROUGHPUT, IPC_SORT_CPU, IPC_SORTS };

const char *ipc_sort_name(enum ipc_sort sort);
/* -1: there is no such. */
int ipc_sort_find(const char *name);

/* The figure that a row is sorted by: ns of a round trip, 64-byte messages a second (signals, where
 * there is no data), ns of CPU a message. NaN: it has none. */
double ipc_sort_value(const ipc_row_t *row, enum ipc_sort sort);

/* The rows of one placement, best first; those without a figure last; among the rates, those of
 * mechanisms without data after the others. Writes as many as there are mechanisms; returns how
 * many. */
uint32_t ipc_ranked(const ipc_measurement_t *m, enum ipc_placement placement, enum ipc_sort sort,
                    const ipc_row_t **out_rows);

/* Does `a` stand before `b` in that order? */
bool ipc_before(const ipc_row_t *a, const ipc_row_t *b, enum ipc_sort sort);

#endif
