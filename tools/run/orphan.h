/* SPDX-License-Identifier: Apache-2.0 */
/* orphan.h - a process of the pipeline whose supervisor has died: it ends by itself, and says so in
 * the journal (ORPHAN on the topic `events`) and in the run directory (orphans.h).
 *
 *    the supervisor dies
 *        Stages let no order pass, take no more input, and process what is on the rings.
 *    all of them have nothing more to do
 *        Each publishes ORPHAN, and ends. Not sooner: who is idle may only wait for another that is
 *        slower, and what it would have decided then is not on record; a repetition of the session
 *        decides it. One that records stays until all others have ended, so that their last
 *        messages are recorded. Nobody waits longer than ORPHAN_WAIT_NS in which nothing is taken,
 *        as one of them may be stopped.
 */
#ifndef TICKBUS_TOOLS_RUN_ORPHAN_H
#define TICKBUS_TOOLS_RUN_ORPHAN_H

#include "tools/run/pipeline.h"

#define ORPHAN_WAIT_NS UINT64_C(2000000000)

typedef struct orphan {
    pipeline_t *pipeline; /* not owned */
    uint32_t process;     /* index in the layout */
    uint64_t since_ns;    /* when it looked first, or something was taken last; 0: not yet */
    uint64_t taken;       /* by all of them, then */
    tbus_quiescence_t quiescence;
    bool drained; /* all had been taken, and nobody had anything to do */
    bool told;
} orphan_t;

/* For tbus_loop_t.may_leave: asked when the process has nothing to do. False: not yet. `context`:
 * an orphan_t. */
bool orphan_may_leave(void *context);

/* The process ends, with this result of its loop: note it in the run directory, and let stand there
 * (standing.h) what risk has thrown for a loss. */
void orphan_note(const orphan_t *orphan, int code);

#endif
