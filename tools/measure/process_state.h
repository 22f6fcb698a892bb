/* SPDX-License-Identifier: Apache-2.0 */
/* process_state.h - what the kernel says of a process that may belong to anybody: of its main
 * thread, that is, which turns our loops. */
#ifndef TICKBUS_TOOLS_MEASURE_PROCESS_STATE_H
#define TICKBUS_TOOLS_MEASURE_PROCESS_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Its state, as proc(5) has it ('S': sleeps of its own accord, interruptibly), and the CPU time
 * that it has had, ever. False: the process is gone. Opens a file; some microseconds. */
bool process_state(pid_t pid, char *out_state, uint64_t *out_cpu_ns);

/* Is its state one of these letters? "R": it runs or waits for a CPU; "Tt": it is stopped. */
bool process_state_is(pid_t pid, const char *states);

#endif
