/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - how a verb finds the bus that it is to ask: by --name, or the only one that is
 * running. */
#ifndef TICKBUS_TOOLS_CONTROL_CLIENT_H
#define TICKBUS_TOOLS_CONTROL_CLIENT_H

#include <tickbus/error.h>
#include <tickbus/ring.h>

#include "tools/control/protocol.h"
#include "tools/control/rundir.h"

typedef struct client {
    tbus_rundir_t dir;
    char name[TBUS_NAME_MAX];
    int fd; /* connected to the control socket */
} client_t;

/* Connect to a bus and call one of its methods (protocol.h); it has 5 s to answer. `name`: of the
 * bus, or NULL: the only one. `params`: NULL, or taken over. *out_client stays connected, for
 * client_close; NULL: it is not wanted. -TBUS_ENOTFOUND: none is running under that name, or at
 * all, or several are; and the errors of control_call. */
int client_ask(const char *name, const char *method, json_t *params, client_t *out_client,
               control_answer_t *out_answer, tbus_error_t *err);
void client_close(client_t *client);

/* Map a bus for reading, by its method `attach`. The bus is the caller's, for tbus_bus_close; all
 * else as above, and the errors of tbus_bus_attach. */
int client_attach(const char *name, client_t *out_client, tbus_bus_t *out_bus, tbus_error_t *err);

/* The directory in which a bus is recorded, as its supervisor names it: a name that is relative is
 * so to the directory that it runs in. "": it is not recorded, or does not answer. */
void client_journal(const char *name, char *out_path, size_t bytes);

#endif
