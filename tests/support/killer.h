/* SPDX-License-Identifier: Apache-2.0 */
/* killer.h - kill -9 after the k-th instruction of an operation: a child is single-stepped (ptrace)
 * through it and killed for real. */
#ifndef TICKBUS_TESTS_SUPPORT_KILLER_H
#define TICKBUS_TESTS_SUPPORT_KILLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* From here on the caller and its children run on one CPU: switching to another CPU for each step
 * costs several times as much. False: ptrace(2) is not allowed here. */
bool killer_ready(void);

/* A child that will do `operation` on what it shares with the caller, stopped before the first
 * instruction of it. These functions abort when the child ends in another way than they say. */
pid_t killer_start(void (*operation)(void));

/* One instruction further. False: the operation is over, and the child has ended. */
bool killer_step(pid_t child);

/* Kill the child where it stands (kill -9). */
void killer_end(pid_t child);

/* All of it: killed after that many instructions. False: it was over before. */
bool killer_kill(void (*operation)(void), uint64_t instructions);

#endif
