/* SPDX-License-Identifier: Apache-2.0 */
/* rundir.h - where a running bus can be found: a directory of our own, a lock that proves the bus
 * alive, a socket.
 *
 *    $XDG_RUNTIME_DIR/tickbus   or   /run/tickbus (root)   or   /tmp/tickbus-UID     mode 0700, ours, no link
 *        NAME.lock    locked by the supervisor while it lives; holds its process id as text
 *        NAME.sock    the control socket (protocol.h)
 *
 * Memory is not here: it goes from hand to hand over the socket. What a supervisor that was killed
 * leaves behind is two small files whose lock is free: the next start under that name takes them
 * over.
 */
#ifndef TICKBUS_TOOLS_CONTROL_RUNDIR_H
#define TICKBUS_TOOLS_CONTROL_RUNDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <tickbus/error.h>
#include <tickbus/ring.h>

typedef struct rundir {
    int fd;         /* the directory, close-on-exec */
    char path[200]; /* for messages */
} rundir_t;

/* Open the directory; `create`: make it if it is missing. Refused when it is not ours alone: a
 * directory that others may write to would let them answer in our place. -ENOENT: missing (and not
 * created). */
int rundir_open(bool create, rundir_t *out_dir, tbus_error_t *err);
void rundir_close(rundir_t *dir);

/* Claim a name: the descriptor that holds the lock, to be kept open as long as the bus runs and not
 * to be inherited. -TBUS_EEXISTS: a living bus has the name; err names its process. */
int rundir_lock(const rundir_t *dir, const char *name, tbus_error_t *err);

/* Give the name back and remove its files. Requires the lock. */
void rundir_unlock(const rundir_t *dir, const char *name, int lock_fd);

/* Does a living supervisor hold the name? Its process id goes to *out_pid (0: not known); NULL: not
 * wanted. */
bool rundir_is_live(const rundir_t *dir, const char *name, pid_t *out_pid);

/* Listen on the name's socket / connect to it: a descriptor, or a negative error. Listening removes
 * what a dead bus left and requires the lock. Connecting: -TBUS_ENOTFOUND when no bus of that name
 * is running. */
int rundir_listen(const rundir_t *dir, const char *name, tbus_error_t *err);
int rundir_connect(const rundir_t *dir, const char *name, tbus_error_t *err);

/* The only bus that is running, when the user names none. -TBUS_ENOTFOUND: none, or more than one,
 * which err lists. */
int rundir_only(const rundir_t *dir, char out_name[TBUS_NAME_MAX], tbus_error_t *err);

#endif
