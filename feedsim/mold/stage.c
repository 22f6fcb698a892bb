/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/mold/stage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS_NS       UINT64_C(1000000)
#define JOURNAL_MAX 4096u

typedef struct moldout {
    tbus_stage_t stage;
    moldout_values_t *values; /* owned: the texts of the server's options lie in it */
    char journal[JOURNAL_MAX];
    moldout_server_t *server;
} moldout_t;

static int moldout_start(tbus_stage_t *stage)
{
    char name[MOLD_SESSION_BYTES + 1];
    snprintf(name, sizeof name, "%.*s", (int)MOLD_SESSION_BYTES,
             stage->bus->directory->session_name);
    return moldout_server_start(((moldout_t *)stage)->server, name, &stage->error);
}

static int moldout_poll(tbus_stage_t *stage, uint32_t budget)
{
    return moldout_server_turn(((moldout_t *)stage)->server, budget, &stage->error);
}

static void moldout_sleep(tbus_stage_t *stage, uint64_t until_ns)
{
    moldout_server_sleep(((moldout_t *)stage)->server, until_ns);
}

static int moldout_finish(tbus_stage_t *stage)
{
    moldout_server_finish(((moldout_t *)stage)->server);
    return 0;
}

static void moldout_destroy(tbus_stage_t *stage)
{
    moldout_t *m = (moldout_t *)stage;
    moldout_server_destroy(m->server);
    tbus_stage_leave(stage);
    free(m->values);
    free(m);
}

static const tbus_stage_ops_t moldout_ops = {
    .poll = moldout_poll,
    .start = moldout_start,
    .sleep = moldout_sleep,
    .finish = moldout_finish,
    .destroy = moldout_destroy,
};

static moldout_options_t options_of(const moldout_values_t *values)
{
    return (moldout_options_t){
        .way = {.to = values->to,
                .interface = values->interface,
                .ttl = values->ttl,
                .loopback = values->loopback,
                .send_buffer_bytes = values->send_buffer_bytes},
        .topic = values->topic,
        .datagram_max = values->payload_max,
        .window_bytes = values->window_bytes,
        .end_ns = values->end_ms * MS_NS,
        .requests = {.listen = values->requests[0] ? values->requests : NULL,
                     .rate = values->requests_rate,
                     .burst = values->requests_burst,
                     .backfill_readers = values->backfill_readers,
                     .backfill_bytes = values->backfill_bytes},
    };
}

int moldout_stage_create(const tbus_stage_request_t *request, moldout_values_t *values,
                         tbus_stage_t **out_stage, tbus_error_t *err)
{
    const char *journal = request->journal ? request->journal : "";
    moldout_t *m = calloc(1, sizeof *m);
    int code = 0;
    if (!m || !values) {
        free(m);
        free(values);
        return tbus_fail(err, -ENOMEM, "no memory for stage '%s'", request->name);
    }
    m->stage.ops = &moldout_ops;
    m->stage.owner = request->owner;
    m->stage.bus = request->bus;
    m->values = values;
    snprintf(m->stage.name, sizeof m->stage.name, "%s", request->name);
    if (strlen(journal) >= sizeof m->journal)
        code = tbus_fail(err, -ENAMETOOLONG, "the name of the journal's directory is too long");
    snprintf(m->journal, sizeof m->journal, "%s", journal);
    moldout_options_t options = options_of(values);
    if (code == 0)
        code = moldout_server_create(request->bus, *journal ? m->journal : NULL, &options,
                                     request->control, &m->server, err);
    if (code < 0) {
        moldout_destroy(&m->stage);
        return code;
    }
    *out_stage = &m->stage;
    return 0;
}
