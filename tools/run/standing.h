/* SPDX-License-Identifier: Apache-2.0 */
/* standing.h - what an operator has thrown outlives the run, and so does a reduction that risk has
 * thrown for a loss, and the loss latch of a strategy alone: the files NAME.halt, NAME.reduce and
 * NAME.reduce.SECTION in the run directory (rundir.h), where SECTION is that of the strategy in the
 * configuration. A run directory does not outlive a reboot, but a journal does: at the start of a
 * bus that is recorded the files are made again from its last session (last_session.h).
 *
 * While NAME.halt is there no order of a bus of that name passes, while NAME.reduce is there only
 * closing ones (risk/kill_switch.h), also of one that is started later, until `busctl resume`
 * removes it. A run that nobody trades in (`busctl replay`, `busctl latency`) writes, obeys and
 * removes none of them, whatever is thrown in it, and by whom.
 *
 * It is the file that counts. What it says is for people, and may be missing: so a file that was
 * made by hand (touch NAME.halt) holds as well, and one that was half written, or is no regular
 * file. Who looks in the moment between its making and its writing finds it empty, and looks again
 * for what it says.
 *
 *    TIME_NS UID PID BY       of the throw (CLOCK_REALTIME), who threw it, and in whose name (the
 *    REASON                     names of tickbus/msg/event.h; left out: an operator's)
 */
#ifndef TICKBUS_TOOLS_RUN_STANDING_H
#define TICKBUS_TOOLS_RUN_STANDING_H

#include <stdbool.h>

#include "risk/kill_switch.h"
#include "tools/control/rundir.h"

/* Which of them: the end of the file's name. */
#define STANDING_HALT      "halt"
#define STANDING_REDUCTION "reduce"
#define STANDING_LATCH_MAX 112u
/* That of a strategy alone. Returns out_latch. */
const char *standing_of_strategy(const char *section, char out_latch[STANDING_LATCH_MAX]);

typedef struct standing {
    uint64_t time_ns; /* 0: not known */
    kill_switch_actor_t actor;
    enum kill_switch_by by;
    bool unsaid; /* the file is empty, and may be written yet: the reason is ours */
    char reason[KILL_SWITCH_REASON_MAX];
} standing_t;

/* What stands of a latch as it was thrown. */
standing_t standing_of(const kill_switch_state_t *state);
/* In whose name it is thrown again in a later run. */
kill_switch_actor_t standing_actor(const standing_t *standing);

/* Make the file; any process, at any time. Negative: -errno. */
int standing_set(const tbus_rundir_t *dir, const char *name, const char *latch,
                 const standing_t *standing, tbus_error_t *err);

/* Is there one? A system call if not. Never waits. */
bool standing_look(const tbus_rundir_t *dir, const char *name, const char *latch,
                   standing_t *out_standing);

/* Remove it; none is no error. */
int standing_clear(const tbus_rundir_t *dir, const char *name, const char *latch,
                   tbus_error_t *err);

#endif
