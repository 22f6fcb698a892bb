/* SPDX-License-Identifier: Apache-2.0 */
/* advice.h - what to take, by what was measured here and by what each mechanism says that it can
 * do. */
#ifndef TICKBUS_TOOLS_IPC_ADVICE_H
#define TICKBUS_TOOLS_IPC_ADVICE_H

#include "tools/ipc/ranking.h"

#define IPC_ADVICE_MAX 8u
#define IPC_NOTES_MAX  12u

typedef struct ipc_advice {
    const char *when;     /* "your case", "to another host", ... */
    const ipc_row_t *row; /* what to take */
    char text[560];       /* why: its figures, and what it costs */
} ipc_advice_t;

/* For the user's case (message size, CPUs, what it sorts by) first, then for the usual others.
 * Returns how many. */
uint32_t ipc_advise(const ipc_measurement_t *m, enum ipc_sort sort,
                    ipc_advice_t out_advice[IPC_ADVICE_MAX]);

typedef struct ipc_note {
    char text[480];
} ipc_note_t;

/* Where a mechanism that transfers data beats every ring of tickbus, in latency or throughput: by
 * how much, and why. Differences within the noise of either are none. Returns how many. */
uint32_t ipc_beaten(const ipc_measurement_t *m, ipc_note_t out_notes[IPC_NOTES_MAX]);

#endif
