/* SPDX-License-Identifier: Apache-2.0 */
/* trial_child.h - what the two children of a trial do, and the memory through which they and their
 * parent talk. Private to trial.c. */
#ifndef TICKBUS_TOOLS_IPC_TRIAL_CHILD_H
#define TICKBUS_TOOLS_IPC_TRIAL_CHILD_H

#include "tools/ipc/pattern.h"
#include "tools/ipc/trial.h"
#include "tools/measure/sides.h"

/* What a child tells its parent (sides_enter) when a peer is to be killed. */
enum ipc_stage {
    /* the client is about to call receive, or waits for `killed`; the server waits to be killed */
    IPC_STAGE_WAITING = 1,
    IPC_STAGE_CALLED = 2 /* what is measured has returned */
};

/* Written by: its own child. */
typedef struct ipc_side {
    int code;                /* DEATH_*: what the call returned */
    tbus_atomic_u64_t taken; /* DEATH_SEND: messages that were sent without an error, live */
    uint64_t messages;       /* sent by the client */
    uint64_t syscalls;
    uint64_t cpu_ns;
    uint64_t context_switches;
    uint64_t begin_ns;
    uint64_t end_ns;
} ipc_side_t;

#define IPC_NOT_YET UINT64_MAX

struct ipc_trial_area {
    ipc_side_t sides[2] __attribute__((aligned(128)));
    tbus_atomic_u64_t last
        __attribute__((aligned(128))); /* client: number of its last message; IPC_NOT_YET before */
    tbus_atomic_u32_t killed __attribute__((aligned(128))); /* parent: the server is dead */
    tbus_histogram_t roundtrips __attribute__((aligned(128)));
    /* written by: the parent, once */
    unsigned char pattern[IPC_PATTERN_BYTES] __attribute__((aligned(128)));
    /* each side's receive buffer: here, so that a child allocates nothing */
    unsigned char buffers[2][IPC_MESSAGE_BYTES_MAX] __attribute__((aligned(128)));
};

/* So many are sent to somebody dead at most: more than any mechanism can hold. */
#define IPC_DEATH_SENDS_MAX 100000u

/* The whole life of a child, once it is pinned. 0, or below: it failed, and has said why. */
int ipc_child_run(side_t *me, const ipc_trial_spec_t *spec, ipc_session_t *session,
                  ipc_trial_area_t *area);

#endif
