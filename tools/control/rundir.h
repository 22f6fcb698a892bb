/* SPDX-License-Identifier: Apache-2.0 */
/* rundir.h - the name of a running bus: a lock that proves the bus alive, and a socket, in a
 * directory of our own (bus/run/rundir.h says which, and how a client finds it).
 *
 *        NAME.lock    locked by the supervisor while it lives; holds its process id as text
 *        NAME.sock    the control socket (protocol.h)
 *        NAME.members which processes have the memory of the bus (members.h)
 *        NAME.orphans how those have ended whose supervisor had died (orphans.h)
 *
 * Memory is not here: it goes from hand to hand over the socket. What a supervisor that was killed
 * leaves behind is four small files whose lock is free: the next start under that name takes them
 * over.
 */
#ifndef TICKBUS_TOOLS_CONTROL_RUNDIR_H
#define TICKBUS_TOOLS_CONTROL_RUNDIR_H

#include <stdbool.h>
#include <sys/types.h>

#include "bus/run/rundir.h"

/* Claim a name: the descriptor that holds the lock, to be kept open as long as the bus runs and not
 * to be inherited. -TBUS_EEXISTS: a living bus has the name; err names its process. */
int rundir_lock(const tbus_rundir_t *dir, const char *name, tbus_error_t *err);

/* Give the name back and remove its files. Requires the lock. */
void rundir_unlock(const tbus_rundir_t *dir, const char *name, int lock_fd);

/* Does a living supervisor hold the name? Its process id goes to *out_pid (0: not known); NULL: not
 * wanted. */
bool rundir_is_live(const tbus_rundir_t *dir, const char *name, pid_t *out_pid);

/* Listen on the name's socket: a descriptor, or a negative error. Removes what a dead bus left.
 * Requires the lock. */
int rundir_listen(const tbus_rundir_t *dir, const char *name, tbus_error_t *err);

/* The only bus that is running, when the user names none. -TBUS_ENOTFOUND: none, or more than one,
 * which err lists. */
int rundir_only(const tbus_rundir_t *dir, char out_name[TBUS_NAME_MAX], tbus_error_t *err);

#endif
