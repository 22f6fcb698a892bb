/* SPDX-License-Identifier: Apache-2.0 */
/* sysv_key.h - keys for System V objects that can be found again after a kill: random, and recorded
 * before the object is made. */
#ifndef TICKBUS_TOOLS_IPC_SYSV_KEY_H
#define TICKBUS_TOOLS_IPC_SYSV_KEY_H

#include <stdbool.h>
#include <sys/ipc.h>

#include "tools/ipc/mechanism.h"

/* A fresh key, recorded for `mechanism`. */
int ipc_sysv_key(ipc_leftovers_t *leftovers, const char *mechanism, key_t *out_key,
                 tbus_error_t *err);

/* The key in a record; never 0, which would be IPC_PRIVATE. */
key_t ipc_sysv_key_of(const char *object);

/* Did this user create it? A key may have been taken by somebody else meanwhile. */
bool ipc_sysv_is_ours(const struct ipc_perm *permissions);

#endif
