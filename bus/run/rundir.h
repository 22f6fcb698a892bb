/* SPDX-License-Identifier: Apache-2.0 */
/* rundir.h - where a running bus can be found, for those who look for it. Private to bus/run and to
 * tools/control, which has the other side: who claims a name there, and listens.
 *
 *    $XDG_RUNTIME_DIR/tickbus, or /run/tickbus (root), or /tmp/tickbus-UID; 0700, ours, no link
 *        NAME.sock    the control socket of the bus
 *
 * Memory is not here: it goes from hand to hand over the socket.
 */
#ifndef TICKBUS_BUS_RUN_RUNDIR_H
#define TICKBUS_BUS_RUN_RUNDIR_H

#include <stdbool.h>
#include <sys/un.h>

#include <tickbus/error.h>
#include <tickbus/ring.h>

#define TBUS_SOCKET_SUFFIX ".sock"

typedef struct tbus_rundir {
    int fd;         /* the directory, close-on-exec */
    char path[200]; /* for messages */
} tbus_rundir_t;

/* Open the directory; `create`: make it if it is missing. Refused when it is not ours alone: a
 * directory that others may write to would let them answer in our place. -ENOENT: missing (and not
 * created). */
int tbus_rundir_open(bool create, tbus_rundir_t *out_dir, tbus_error_t *err);
void tbus_rundir_close(tbus_rundir_t *dir);

/* The address of a name's socket, by way of the open directory: short enough for sun_path whatever
 * the directory is called, and the directory that was checked, whatever has been put in its
 * place. */
void tbus_rundir_address(const tbus_rundir_t *dir, const char *name,
                         struct sockaddr_un *out_address);

/* Connect to the name's socket: a descriptor; -TBUS_ENOTFOUND when no bus of that name is running,
 * -errno. */
int tbus_rundir_connect(const tbus_rundir_t *dir, const char *name, tbus_error_t *err);

#endif
