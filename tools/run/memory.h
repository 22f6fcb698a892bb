/* SPDX-License-Identifier: Apache-2.0 */
/* memory.h - the memory of a pipeline's processes: held against the limits of the host and of the
 * control groups before any process is started, and, when one was killed all the same, whether that
 * was for want of memory.
 *
 * Books and tables are touched when they are made. Under a limit (docker -m, limits.memory of
 * Kubernetes) too much of that ends in SIGKILL by the kernel's OOM killer, which tells nobody why.
 */
#ifndef TICKBUS_TOOLS_RUN_MEMORY_H
#define TICKBUS_TOOLS_RUN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bus/run/cgroup.h"
#include "tools/run/pipeline.h"

/* What all processes of the pipeline are about to take, one sum. -ENOMEM: it is not there; err says
 * what takes how much, which limit is in the way, and which keys make it less. The rings are there
 * already. */
int memory_check(const pipeline_t *pipeline, tbus_error_t *err);

/* How much memory of its own a process has touched so far, bytes; 0: it is not known. `proc`: as
 * below. */
uint64_t memory_touched(const char *proc, pid_t pid);
/* "1234 of 5678 MiB touched": of what the processes of the pipeline are about to take. */
void memory_progress_text(const pipeline_t *pipeline, uint64_t touched, char *out_text,
                          size_t bytes);

/* How many processes the kernel has killed for want of memory. */
typedef struct memory_kills {
    tbus_cgroup_kills_t group;
    uint64_t host; /* on the whole host, those of all groups included */
} memory_kills_t;
/* `proc`: "/proc", or another directory with the files `vmstat`, `self/cgroup`,
 * `self/mountinfo`. */
memory_kills_t memory_kills(const char *proc);

/* Was anybody killed so between the two? Then half a sentence that says by whom, and what to do. */
bool memory_kill_text(const memory_kills_t *before, const memory_kills_t *after, char *out_text,
                      size_t bytes);

#endif
