/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gateway/stage.h"

#include <stdio.h>

static int start(void *server, const char *session_name, tbus_error_t *err)
{
    return gateway_server_start(server, session_name, err);
}

static int turn(void *server, uint32_t messages, tbus_error_t *err)
{
    return gateway_server_turn(server, messages, err);
}

static void sleep_until(void *server, uint64_t until_ns)
{
    gateway_server_sleep(server, until_ns);
}

static int finish(void *server, tbus_error_t *err)
{
    (void)err;
    gateway_server_finish(server);
    return 0;
}

static void destroy(void *server)
{
    gateway_server_destroy(server);
}

const serving_ops_t gateway_serving = {
    .start = start,
    .turn = turn,
    .sleep = sleep_until,
    .finish = finish,
    .destroy = destroy,
};

int gateway_serving_create(const tbus_stage_request_t *request, const char *journal,
                           const gateway_options_t *options, void **out_server, tbus_error_t *err)
{
    gateway_server_t *server;
    int code =
        gateway_server_create(request->bus, journal, options, request->control, &server, err);
    if (code < 0)
        return code;
    if (err)
        snprintf(err->text, sizeof err->text, "%s", gateway_server_remark(server));
    *out_server = server;
    return 0;
}
