/* SPDX-License-Identifier: Apache-2.0 */
/* progress.h - one line on the terminal while a run goes on, written anew again and again; on a
 * terminal that can only write on (TERM is dumb, or not set) a line now and then; nothing at all
 * where stderr is no terminal. */
#ifndef TICKBUS_TOOLS_RUN_PROGRESS_H
#define TICKBUS_TOOLS_RUN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/bus.h>

#include "tools/run/talk.h"

typedef struct progress {
    bool on;           /* stderr is a terminal */
    bool dumb;         /* that cannot go back */
    bool measured;     /* somebody measures: latencies so far are shown */
    bool shown;        /* the line stands there and must be wiped before anything else is written */
    uint64_t at_ns;    /* when it was last written, */
    uint64_t messages; /* and how many there were then */
} progress_t;

void progress_init(progress_t *progress, bool measured);

/* Write the line anew if it is time. `started_ns`: CLOCK_MONOTONIC of the start; `for_ns`: how long
 * the run may last, 0: as long as its input. */
void progress_show(progress_t *progress, talk_t *talk, const tbus_bus_t *bus, uint64_t started_ns,
                   uint64_t for_ns);

/* What the line says, cut to `room` bytes with the terminating zero; `since_ns`: what the rate is
 * of. For tests. */
void progress_text(const progress_t *progress, const tbus_bus_t *bus, uint64_t running_ns,
                   uint64_t since_ns, uint64_t for_ns, char *out_text, size_t room);

/* Wipe the line: call before anything else goes to stderr, and at the end. */
void progress_wipe(progress_t *progress, talk_t *talk);

#endif
