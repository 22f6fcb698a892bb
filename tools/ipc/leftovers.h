/* SPDX-License-Identifier: Apache-2.0 */
/* leftovers.h - nothing stays behind, not even after kill -9: what a run creates is written down
 * before it is created.
 *
 *    $TMPDIR/busctl-ipc.XXXXXX/   one directory per run, for the FIFOs, sockets and files of the
 *                                 mechanisms
 *        objects                  "MECHANISM OBJECT" a line, for what lives elsewhere (queue names,
 *                                 System V keys); locked (fcntl(2)) as long as the run lives
 *
 * A run that finds a directory of ours whose lock is free removes all that is written there: its
 * owner was killed. Directories of other users, and of runs that are alive, are left alone.
 */
#ifndef TICKBUS_TOOLS_IPC_LEFTOVERS_H
#define TICKBUS_TOOLS_IPC_LEFTOVERS_H

#include <stdbool.h>
#include <stddef.h>

#include <tickbus/error.h>

#define IPC_DIRECTORY_MAX 80u

typedef struct ipc_leftovers {
    char directory[IPC_DIRECTORY_MAX]; /* "": closed */
    int objects_fd;                    /* holds the lock */
} ipc_leftovers_t;

/* Remove one object of a mechanism, by the names it was recorded under. True: it was there. */
typedef bool (*ipc_remover_t)(const char *mechanism, const char *object);

/* Remove what killed runs left. Returns how many runs left something, or a negative error. Before
 * ipc_leftovers_open: a process does not see its own lock. */
int ipc_leftovers_sweep(ipc_remover_t remove_object, tbus_error_t *err);

int ipc_leftovers_open(ipc_leftovers_t *out_leftovers, tbus_error_t *err);

/* Write down an object that is about to be created. `object` holds no newline. */
int ipc_leftovers_record(ipc_leftovers_t *l, const char *mechanism, const char *object,
                         tbus_error_t *err);

/* A path in the run's directory. False: it does not fit. */
bool ipc_leftovers_path(const ipc_leftovers_t *l, const char *name, char *out_path,
                        size_t path_bytes);

/* Remove the run's directory and everything in it. Objects elsewhere are the mechanisms' own to
 * remove. Accepts a closed one. */
void ipc_leftovers_close(ipc_leftovers_t *l);

#endif
