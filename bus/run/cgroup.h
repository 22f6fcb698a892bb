/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup.h - how much memory the control groups leave that this process is in: a group's own limit,
 * and those of the groups around it, in the unified hierarchy (version 2) and in those of one
 * controller each (version 1). Internal to bus/run.
 *
 * Whoever populates more than is left is killed by the kernel's OOM killer (memory), or told EFAULT
 * (huge pages), which says nothing. So segment.c asks here before, to say it in words. What cannot
 * be found out - no /proc, no cgroup file system mounted, a path with a blank - counts as no limit;
 * the answer may be old when it is used. Cold: reads a dozen small files. */
#ifndef TICKBUS_BUS_RUN_CGROUP_H
#define TICKBUS_BUS_RUN_CGROUP_H

#include <stdint.h>

#define TBUS_CGROUP_ANY UINT64_MAX

typedef struct tbus_cgroup_room {
    uint64_t bytes; /* TBUS_CGROUP_ANY: no group sets a limit */
    /* the file with the limit that leaves the least, or the end of its path; "" without one */
    char limit[128];
} tbus_cgroup_room_t;

/* `proc_self`: "/proc/self", or another directory with files `cgroup` and `mountinfo`. What could
 * be had by dropping file caches counts as left. */
tbus_cgroup_room_t tbus_cgroup_memory(const char *proc_self);

/* Huge pages of 2 MiB, charged when touched or already when mapped. */
tbus_cgroup_room_t tbus_cgroup_huge_pages(const char *proc_self);

#endif
