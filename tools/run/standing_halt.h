/* SPDX-License-Identifier: Apache-2.0 */
/* standing_halt.h - an operator's halt outlives the run: the file NAME.halt in the run directory
 * (rundir.h). While it is there no order of a bus of that name passes, also of one that is started
 * later, until `busctl resume` removes it.
 *
 * It is the file that counts. What it says is for people, and may be missing: so a file that was
 * made by hand (touch NAME.halt) halts as well, and one that was half written, or is no regular
 * file.
 *
 *    TIME_NS UID PID          of the throw (CLOCK_REALTIME), and of who threw it
 *    REASON
 */
#ifndef TICKBUS_TOOLS_RUN_STANDING_HALT_H
#define TICKBUS_TOOLS_RUN_STANDING_HALT_H

#include <stdbool.h>

#include "risk/kill_switch.h"
#include "tools/control/rundir.h"

typedef struct standing_halt {
    uint64_t time_ns; /* 0: not known */
    kill_switch_actor_t actor;
    char reason[KILL_SWITCH_REASON_MAX];
} standing_halt_t;

/* Make the file; any process, at any time. Negative: -errno. */
int standing_halt_set(const tbus_rundir_t *dir, const char *name, const standing_halt_t *halt,
                      tbus_error_t *err);

/* Is there one? A system call if not. Never waits. */
bool standing_halt_look(const tbus_rundir_t *dir, const char *name, standing_halt_t *out_halt);

/* Remove it; none is no error. */
int standing_halt_clear(const tbus_rundir_t *dir, const char *name, tbus_error_t *err);

#endif
