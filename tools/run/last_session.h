/* SPDX-License-Identifier: Apache-2.0 */
/* last_session.h - how the last recorded session of a bus ended, as far as it concerns the next:
 * was it halted by somebody who has not resumed since, or reduced to closing orders, by an operator
 * or for a loss, of the bus or of a strategy alone? The files that stand for that (standing.h) lie
 * in the run directory, which a reboot empties; the journal has it on the topic `events`.
 *
 * Which session: of those whose directories lie beside that of the new one the newest that was
 * started under the same name, other than by `replay` or `latency`, which nobody traded with.
 *
 * What cannot be known counts as a halt, and says why: a journal that is damaged where an event may
 * be, or cannot be read, and a directory of segments, newer than that session and written by nobody
 * now, that does not even say whose it is. A session that was torn off (kill -9, power) is read as
 * far as it goes: what was thrown and not recorded stands in the run directory, unless that went
 * with it.
 */
#ifndef TICKBUS_TOOLS_RUN_LAST_SESSION_H
#define TICKBUS_TOOLS_RUN_LAST_SESSION_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "risk/limits.h"
#include "tools/run/standing.h"

typedef struct last_latch {
    bool thrown;
    standing_t how;
} last_latch_t;

typedef struct last_session {
    char directory[PATH_MAX];
    bool uncertain; /* it is not known how it ended: `halt` is thrown for that */
    last_latch_t halt;
    last_latch_t reduction;
    uint32_t strategies_count; /* with loss latches of their own */
    struct {
        char section[RISK_SECTION_MAX];
        last_latch_t latch;
    } strategies[RISK_STRATEGIES_MAX];
} last_session_t;

/* Of the session in `directory`. 1: read, or uncertain. -EINVAL: it is one of another bus;
 * -ENOENT, -ENOTDIR, -TBUS_ENOTFOUND: there is none. Cold: a few reads for each event. */
int last_session_read(const char *directory, const char *bus_name, last_session_t *out_last,
                      tbus_error_t *err);

/* Of the last one beside `journal`, the directory of the session that is to begin. 0: there is
 * none. Else as above. */
int last_session_find(const char *journal, const char *bus_name, last_session_t *out_last,
                      tbus_error_t *err);

/* Add where it comes from to the reason of a latch: "WHY (of the session in DIR)". */
void last_session_reason(const last_session_t *last, standing_t *standing);

#endif
