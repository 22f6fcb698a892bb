/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/control/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 5000 /* the supervisor answers within milliseconds */

static int connect_to(const char *name, client_t *out_client, tbus_error_t *err)
{
    client_t client = {.fd = -1};
    if (name && (strlen(name) >= sizeof client.name || strchr(name, '/')))
        return tbus_fail(err, -EINVAL, "'%.40s' is no name of a bus", name);
    int code = tbus_rundir_open(false, &client.dir, err);
    if (code == -ENOENT) /* nobody has ever run one */
        return tbus_fail(err, -TBUS_ENOTFOUND, "no bus is running");
    if (code < 0)
        return code;
    if (name)
        memcpy(client.name, name, strlen(name) + 1);
    else
        code = rundir_only(&client.dir, client.name, err);
    if (code == 0)
        code = client.fd = tbus_rundir_connect(&client.dir, client.name, err);
    if (code < 0) {
        tbus_rundir_close(&client.dir);
        return code;
    }
    *out_client = client;
    return 0;
}

void client_close(client_t *client)
{
    close(client->fd);
    tbus_rundir_close(&client->dir);
}

int client_ask(const char *name, const char *method, json_t *params, client_t *out_client,
               control_answer_t *out_answer, tbus_error_t *err)
{
    client_t client;
    int code = connect_to(name, &client, err);
    if (code < 0) {
        json_decref(params);
        return code;
    }
    code = control_call(client.fd, method, params, TIMEOUT_MS, out_answer, err);
    if (code == 0 && out_client)
        *out_client = client;
    else
        client_close(&client);
    return code;
}

int client_attach(const char *name, client_t *out_client, tbus_bus_t *out_bus, tbus_error_t *err)
{
    client_t client;
    control_answer_t answer;
    int code = client_ask(name, "attach", NULL, &client, &answer, err);
    if (code < 0)
        return code;
    json_decref(answer.result);
    code = tbus_bus_attach(answer.fds, answer.fds_count, out_bus, err);
    if (code == 0 && out_client)
        *out_client = client;
    else
        client_close(&client);
    return code;
}

void client_journal(const char *name, char *out_path, size_t bytes)
{
    control_answer_t answer;
    out_path[0] = 0;
    if (client_ask(name, "status", NULL, NULL, &answer, NULL) < 0)
        return;
    const char *directory =
        json_string_value(json_object_get(json_object_get(answer.result, "journal"), "directory"));
    const json_t *process = json_array_get(json_object_get(answer.result, "processes"), 0);
    if (directory && directory[0] == '/')
        snprintf(out_path, bytes, "%s", directory);
    else if (directory)
        snprintf(out_path, bytes, "/proc/%d/cwd/%s",
                 (int)json_integer_value(json_object_get(process, "pid")), directory);
    json_decref(answer.result);
}
