/* SPDX-License-Identifier: Apache-2.0 */
/* trial.h - one measurement of one mechanism: two fresh processes, pinned, that exchange messages
 * of one size for a given time.
 *
 *    ROUNDTRIP       the client sends, the server sends the same back; each round trip is timed
 *    STREAM          the client sends as fast as it can, the server receives
 *    DEATH_RECEIVE   the server is killed (SIGKILL) while the client waits for a message: what does
 *                    the client see?
 *    DEATH_SEND      the server is killed, then the client sends: what does it see?
 *
 * Time decides when a trial ends, never a count: a spinning pair on one CPU needs a scheduler slice
 * per message. The client stores the number of its last message before it sends it; the server
 * looks there after each message. The processes are those of tools/measure/sides.h: a child that
 * hangs is killed when the trial is overdue.
 */
#ifndef TICKBUS_TOOLS_IPC_TRIAL_H
#define TICKBUS_TOOLS_IPC_TRIAL_H

#include <tickbus/histogram.h>

#include "tools/ipc/mechanism.h"

enum ipc_trial_kind { IPC_ROUNDTRIP, IPC_STREAM, IPC_DEATH_RECEIVE, IPC_DEATH_SEND };

typedef struct ipc_trial_spec {
    const ipc_mechanism_t *mechanism;
    enum ipc_trial_kind kind;
    size_t message_bytes;
    int cpus[2]; /* of the client, of the server; may be the same */
    uint64_t duration_ns;
    /* It hangs when it is not over so long after its time; 0: 20 s, for hosts that are very
     * busy. */
    uint64_t grace_ns;
} ipc_trial_spec_t;

/* Both sides together, from the first message (warm-up included) to the last. */
typedef struct ipc_trial_result {
    uint64_t messages; /* one way; a round trip is two */
    uint64_t elapsed_ns;
    uint64_t cpu_ns;
    uint64_t syscalls;
    uint64_t context_switches;
    tbus_histogram_t roundtrips; /* ROUNDTRIP only */
    /* DEATH_* only */
    int death_code;      /* what the call returned; only when it did */
    bool death_returned; /* false: it was still waiting when the watch ended */
    bool death_spun;     /* it burnt CPU while waiting */
    uint64_t death_ns;   /* from the kill to the return */
    /* DEATH_SEND: messages that were sent without an error to somebody dead */
    uint64_t death_accepted;
} ipc_trial_result_t;

/* Where the children put their figures: shared memory, made once, used by one trial after the
 * other. */
typedef struct ipc_trial_area ipc_trial_area_t;
ipc_trial_area_t *ipc_trial_area_new(void); /* NULL: no memory */
void ipc_trial_area_free(ipc_trial_area_t *area);

/* Run one trial. The caller has SIGINT and SIGTERM blocked; they are let in while waiting. 0, or a
 * negative error: -EINTR when a signal came, -ETIMEDOUT when it hung, -EBADMSG when what arrived is
 * not what was sent. Leaves no process and no object in any case. */
int ipc_trial_run(const ipc_trial_spec_t *spec, ipc_leftovers_t *leftovers, ipc_trial_area_t *area,
                  ipc_trial_result_t *out_result, tbus_error_t *err);

/* How long DEATH_* watches a call that does not return; with a sender, since the last message that
 * was taken. Time in which the survivor wants to run and gets no CPU is not counted. */
#define IPC_DEATH_WATCH_NS UINT64_C(30000000)

#endif
