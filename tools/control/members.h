/* SPDX-License-Identifier: Apache-2.0 */
/* members.h - the bus as the processes on it have it, for when its supervisor cannot be asked:
 * stopped, stuck or dead.
 *
 * The supervisor writes NAME.members into the run directory: its process id and those of its
 * stages, the numbers of the descriptors under which all of them, being forked from it, have the
 * memory of the bus, or as much of it as a stage needs, and whether the run is a rehearsal, in
 * which nothing is thrown that holds in a later one (tools/run/standing.h). Whoever may read
 * another process's descriptors (the same user, or root: proc(5)) opens that memory through
 * /proc/PID/fd of those that live.
 */
#ifndef TICKBUS_TOOLS_CONTROL_MEMBERS_H
#define TICKBUS_TOOLS_CONTROL_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <tickbus/bus.h>

#include "tools/control/rundir.h"

#define MEMBERS_MAX 33u /* a supervisor and its processes */

typedef struct member {
    pid_t pid;
    char name[80]; /* "supervisor", "feed+recorder" */
} member_t;

typedef struct members {
    uint32_t count; /* the supervisor first */
    member_t list[MEMBERS_MAX];
    uint32_t fds_count; /* the directory, then the topics */
    int fds[1 + TBUS_TOPICS_MAX];
    bool rehearses;
} members_t;

/* Write the file anew, whole or not at all. Requires the name's lock. */
int members_write(const tbus_rundir_t *dir, const char *name, const members_t *members,
                  tbus_error_t *err);
void members_remove(const tbus_rundir_t *dir, const char *name);

/* Read it. -TBUS_ENOTFOUND: there is none, the name is not, or no more, in use. -TBUS_ECORRUPT. */
int members_read(const tbus_rundir_t *dir, const char *name, members_t *out_members,
                 tbus_error_t *err);

/* The only name under which processes live: of a bus whose supervisor may be dead. -TBUS_ENOTFOUND:
 * there is none, or more than one. */
int members_only(const tbus_rundir_t *dir, char out_name[TBUS_NAME_MAX], tbus_error_t *err);

/* Does this process live, and is it still the one that has the memory of the bus `name`? */
bool member_lives(const member_t *member, const members_t *members, const char *name);

/* Does any of them? */
bool members_any_lives(const members_t *members, const char *name);

/* Map the bus, for reading and writing, through the members that live: each of them has the
 * directory, and the topics that it has ports on. A topic that none of them has is left out: its
 * ring has no `shared`. -TBUS_ENOTFOUND: none lives. */
int members_attach(const members_t *members, const char *name, tbus_bus_t *out_bus,
                   tbus_error_t *err);

#endif
