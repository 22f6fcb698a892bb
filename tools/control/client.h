/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - how a verb finds the bus that it is to ask: by --name, or the only one that is
 * running. */
#ifndef TICKBUS_TOOLS_CONTROL_CLIENT_H
#define TICKBUS_TOOLS_CONTROL_CLIENT_H

#include <tickbus/error.h>
#include <tickbus/ring.h>

#include "tools/control/rundir.h"

typedef struct client {
    tbus_rundir_t dir;
    char name[TBUS_NAME_MAX];
    int fd; /* connected to the control socket */
} client_t;

/* `name`: of the bus, or NULL: the only one. -TBUS_ENOTFOUND: none is running under that name, or
 * at all, or several are. */
int client_open(const char *name, client_t *out_client, tbus_error_t *err);
void client_close(client_t *client);

#define CLIENT_TIMEOUT_MS 5000 /* for an answer: the supervisor gives one within milliseconds */

#endif
