/* SPDX-License-Identifier: Apache-2.0 */
/* stall.h - does a process of the pipeline stand still? Told from its heartbeat (bus.h), which
 * grows while its loop turns, and from what the kernel says of the thread that turns it:
 *
 *    the heartbeat grew, or it was told something, or its state changed: it turns
 *    none of that, and the thread is
 *      stopped, or traced (T, t)   STOPPED: by SIGSTOP, or somebody has it in a debugger
 *      asleep (S, D)               ASLEEP: in a system call or a page fault; no wait of ours is
 *                                  longer than 50 ms
 *      runnable (R)                BUSY, for as much CPU time as it had: who waits for a CPU is not
 *                                  to blame
 *
 * So a machine with fewer CPUs than processes accuses nobody, nor does a supervisor that got no CPU
 * itself: one look counts 100 ms at most. Processes of a frozen cgroup are asleep. What is not
 * seen: a loop that turns and gets nothing done.
 */
#ifndef TICKBUS_TOOLS_RUN_STALL_H
#define TICKBUS_TOOLS_RUN_STALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum stall_how { STALL_NONE, STALL_STOPPED, STALL_ASLEEP, STALL_BUSY };

#define STALL_LOOK_NS    UINT64_C(20000000)  /* between two looks, at least */
#define STALL_STOPPED_NS UINT64_C(100000000) /* an alarm: stopped for so long */
#define STALL_HUNG_NS                                                                              \
    UINT64_C(1000000000) /* an alarm: asleep or busy; a slow disk may take a while */

/* What one look at a process finds. */
typedef struct stall_sight {
    uint64_t now_ns;
    uint64_t pulse;  /* its heartbeat, state and command, added up: none of them ever goes back */
    uint64_t cpu_ns; /* that its thread has had, ever */
    char state;      /* of its thread, as proc(5) has it; 0: not known */
} stall_sight_t;

/* All zeros before the first look. */
typedef struct stall {
    stall_sight_t last;
    /* CLOCK_MONOTONIC: when its pulse was first seen as it is, or before it was first seen
     * stopped */
    uint64_t since_ns;
    uint64_t still_ns; /* how much of its own time has passed since then */
    enum stall_how how;
} stall_t;

/* Fill in the thread's state and CPU time. False: the process has ended. Opens a file; some
 * microseconds. */
bool stall_look(pid_t pid, stall_sight_t *sight);

/* Take in what was seen. Pure. */
void stall_see(stall_t *stall, const stall_sight_t *sight);

/* Has it stood still for long enough to speak of? */
bool stall_is_long(const stall_t *stall);

/* "stopped", "asleep", "busy". */
const char *stall_how_name(enum stall_how how);

#endif
