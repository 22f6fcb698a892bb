/* SPDX-License-Identifier: Apache-2.0 */
/* reach.h - the memory of a running bus, mapped without asking its supervisor, which may be
 * stopped, stuck or dead: through its members (members.h), one of whom lives. For what must be done
 * whatever the supervisor does: halt, and let only closing orders pass.
 */
#ifndef TICKBUS_TOOLS_RUN_REACH_H
#define TICKBUS_TOOLS_RUN_REACH_H

#include <stdbool.h>

#include "risk/kill_switch.h"
#include "tools/control/members.h"
#include "tools/control/rundir.h"

typedef struct reach {
    tbus_rundir_t dir;
    char name[TBUS_NAME_MAX];
    members_t members;
    tbus_bus_t bus;
    uint32_t executor;          /* its participant number; 0: there is none */
    uint32_t risk;              /* likewise */
    kill_switch_t *kill_switch; /* in the directory of the bus */
} reach_t;

/* `name`: NULL, the only one. Negative: it is to be asked for, if anybody answers. To be closed. */
int reach_open(const char *name, reach_t *out_reach, tbus_error_t *err);
void reach_close(reach_t *reach);

/* The process of that participant (executor, risk). 0: there is none, or it has not joined yet. */
pid_t reach_pid(reach_t *reach, uint32_t owner);
/* One that has ended does nothing more, and need not. */
bool reach_has_ended(reach_t *reach, uint32_t owner);

/* Wake the stages again and again until `is_done`, or that participant has ended, or long enough:
 * 0.1 s, and ten times as long while all that it waits for is a CPU. */
void reach_await(reach_t *reach, uint32_t owner, bool (*is_done)(reach_t *reach, void *context),
                 void *context);

/* "running", "stopped", "dead", ...: what a process does. */
const char *reach_process_text(pid_t pid);

/* Did a supervisor of this name die, and all of its stages end? Then what is thrown is for the next
 * one. Not of a rehearsal. `name`: NULL, or any text. */
bool reach_is_left_over(const char *name);

#endif
