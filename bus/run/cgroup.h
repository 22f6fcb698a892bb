/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup.h - how much memory and CPU time the control groups of this process still allow: the limit
 * of its own group and of every group above it, in the unified hierarchy (version 2) and in those
 * of one controller each (version 1). Used by bus/run, and by whoever starts a pipeline.
 *
 * A process that touches more memory than is allowed is killed by the kernel, or gets EFAULT for
 * huge pages. segment.c asks here first, so that the error can name the limit. What cannot be found
 * out (no /proc, no cgroup file system mounted, a path with a blank) counts as no limit. The answer
 * may be out of date when it is used. Cold: reads a dozen small files. */
#ifndef TICKBUS_BUS_RUN_CGROUP_H
#define TICKBUS_BUS_RUN_CGROUP_H

#include <stdint.h>

#define TBUS_CGROUP_ANY      UINT64_MAX
#define TBUS_CGROUP_CPU_ANY  UINT32_MAX
#define TBUS_CGROUP_PATH_MAX 128

typedef struct tbus_cgroup_room {
    uint64_t bytes; /* TBUS_CGROUP_ANY: no group sets a limit */
    /* the file with the limit that leaves the least, or the end of its path; "" without one */
    char limit[TBUS_CGROUP_PATH_MAX];
} tbus_cgroup_room_t;

/* `proc_self`: "/proc/self", or another directory with files `cgroup` and `mountinfo`. What could
 * be had by dropping file caches counts as left. */
tbus_cgroup_room_t tbus_cgroup_memory(const char *proc_self);

/* Huge pages of 2 MiB, charged when touched or already when mapped. */
tbus_cgroup_room_t tbus_cgroup_huge_pages(const char *proc_self);

/* CPU time: a group that has used up its quota stands still until the next period (100 ms). */
typedef struct tbus_cgroup_cpu {
    /* thousandths of one CPU, at least 1; TBUS_CGROUP_CPU_ANY: no group limits it */
    uint32_t milli;
    char limit[TBUS_CGROUP_PATH_MAX]; /* as above */
} tbus_cgroup_cpu_t;
tbus_cgroup_cpu_t tbus_cgroup_cpu(const char *proc_self);

/* Processes of our group, ever, that the kernel has killed because a limit on memory was reached: a
 * count that goes up tells such a SIGKILL from others. */
typedef struct tbus_cgroup_kills {
    uint64_t count;
    char limit[TBUS_CGROUP_PATH_MAX]; /* our group's limit; "": there is no such count */
} tbus_cgroup_kills_t;
tbus_cgroup_kills_t tbus_cgroup_kills(const char *proc_self);

#endif
