/* SPDX-License-Identifier: Apache-2.0 */
/* process_state.h - does a process sleep, or does it merely not get a CPU? Its CPU time stands still in both cases. */
#ifndef TICKBUS_TOOLS_IPC_PROCESS_STATE_H
#define TICKBUS_TOOLS_IPC_PROCESS_STATE_H

#include <stdbool.h>
#include <sys/types.h>

/* True: it sleeps of its own accord, interruptibly, at this moment. False: it runs, could run, is stopped or is gone. */
bool ipc_process_sleeps(pid_t pid);

#endif
