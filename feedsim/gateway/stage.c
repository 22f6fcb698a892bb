/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gateway/stage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct gateway {
    tbus_stage_t stage;
    void *owned; /* what the texts of the server's options lie in */
    char journal[GATEWAY_PATH_MAX * 8];
    uint64_t linger_ns;
    gateway_server_t *server;
} gateway_t;

static int gateway_start(tbus_stage_t *stage)
{
    gateway_t *g = (gateway_t *)stage;
    char name[SOUP_SESSION_BYTES + 1];
    snprintf(name, sizeof name, "%.*s", (int)SOUP_SESSION_BYTES,
             stage->bus->directory->session_name);
    return gateway_server_start(g->server, name, &stage->error);
}

static int gateway_poll(tbus_stage_t *stage, uint32_t budget)
{
    gateway_t *g = (gateway_t *)stage;
    return gateway_server_turn(g->server, budget, &stage->error);
}

static void gateway_sleep(tbus_stage_t *stage, uint64_t until_ns)
{
    gateway_server_sleep(((gateway_t *)stage)->server, until_ns);
}

static int gateway_finish(tbus_stage_t *stage)
{
    const gateway_t *g = (const gateway_t *)stage;
    gateway_server_finish(g->server, g->linger_ns);
    return 0;
}

static void gateway_destroy(tbus_stage_t *stage)
{
    gateway_t *g = (gateway_t *)stage;
    gateway_server_destroy(g->server);
    tbus_stage_leave(stage);
    free(g->owned);
    free(g);
}

static const tbus_stage_ops_t gateway_ops = {
    .poll = gateway_poll,
    .start = gateway_start,
    .sleep = gateway_sleep,
    .finish = gateway_finish,
    .destroy = gateway_destroy,
};

int gateway_stage_create(const tbus_stage_request_t *request, const gateway_options_t *options,
                         void *owned, tbus_stage_t **out_stage, tbus_error_t *err)
{
    const char *journal = request->journal ? request->journal : "";
    gateway_t *g = calloc(1, sizeof *g);
    if (!g || !owned) {
        free(g);
        free(owned);
        return tbus_fail(err, -ENOMEM, "no memory for stage '%s'", request->name);
    }
    g->stage.ops = &gateway_ops;
    g->stage.owner = request->owner;
    g->stage.bus = request->bus;
    snprintf(g->stage.name, sizeof g->stage.name, "%s", request->name);
    g->owned = owned;
    g->linger_ns = options->linger_ns;
    int code = 0;
    if (strlen(journal) >= sizeof g->journal)
        code = tbus_fail(err, -ENAMETOOLONG, "the name of the journal's directory is too long");
    snprintf(g->journal, sizeof g->journal, "%s", journal);
    if (code == 0)
        code = gateway_server_create(request->bus, *journal ? g->journal : NULL, options,
                                     request->control, &g->server, err);
    if (code < 0) {
        gateway_destroy(&g->stage);
        return code;
    }
    /* a note: no failure */
    snprintf(g->stage.error.text, sizeof g->stage.error.text, "%s",
             gateway_server_remark(g->server));
    *out_stage = &g->stage;
    return 0;
}
