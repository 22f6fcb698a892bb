/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/serving.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_NS    UINT64_C(100000000)
#define GIVE_UP_NS  UINT64_C(10000000000)
#define JOURNAL_MAX 4096u /* PATH_MAX */

typedef struct serving {
    tbus_stage_t stage;
    const serving_ops_t *ops;
    void *values; /* owned: the texts of the server's options lie in them */
    void *server;
    char journal[JOURNAL_MAX];
} serving_t;

static int serving_start(tbus_stage_t *stage)
{
    const serving_t *s = (const serving_t *)stage;
    return s->ops->start(s->server, stage->bus->directory->session_name, &stage->error);
}

static int serving_poll(tbus_stage_t *stage, uint32_t budget)
{
    const serving_t *s = (const serving_t *)stage;
    return s->ops->turn(s->server, budget, &stage->error);
}

static void serving_sleep(tbus_stage_t *stage, uint64_t until_ns)
{
    const serving_t *s = (const serving_t *)stage;
    s->ops->sleep(s->server, until_ns);
}

static int serving_finish(tbus_stage_t *stage)
{
    const serving_t *s = (const serving_t *)stage;
    return s->ops->finish(s->server, &stage->error);
}

static void serving_destroy(tbus_stage_t *stage)
{
    serving_t *s = (serving_t *)stage;
    s->ops->destroy(s->server);
    tbus_stage_leave(stage);
    free(s->values);
    free(s);
}

static const tbus_stage_ops_t serving_stage_ops = {
    .poll = serving_poll,
    .start = serving_start,
    .sleep = serving_sleep,
    .finish = serving_finish,
    .destroy = serving_destroy,
};

static int create_server(serving_t *s, const serving_kind_t *kind,
                         const tbus_stage_request_t *request, tbus_error_t *err)
{
    const char *journal = request->journal ? request->journal : "";
    if (strlen(journal) >= sizeof s->journal)
        return tbus_fail(err, -ENAMETOOLONG, "the name of the journal's directory is too long");
    snprintf(s->journal, sizeof s->journal, "%s", journal);
    return kind->create(request, *journal ? s->journal : NULL, s->values, &s->server, err);
}

int serving_stage_create(const serving_kind_t *kind, const tbus_stage_request_t *request,
                         tbus_stage_t **out_stage, tbus_error_t *err)
{
    serving_t *s = calloc(1, sizeof *s);
    void *values = calloc(1, kind->values_bytes);
    if (!s || !values) {
        free(s);
        free(values);
        return tbus_fail(err, -ENOMEM, "no memory for stage '%s'", request->name);
    }
    s->stage.ops = &serving_stage_ops;
    s->stage.owner = request->owner;
    s->stage.bus = request->bus;
    snprintf(s->stage.name, sizeof s->stage.name, "%s", request->name);
    s->ops = kind->ops;
    s->values = memcpy(values, request->params, kind->params_bytes);
    int code = create_server(s, kind, request, &s->stage.error);
    if (code < 0) {
        if (err)
            *err = s->stage.error;
        serving_destroy(&s->stage);
        return code;
    }
    *out_stage = &s->stage;
    return 0;
}

bool serving_bears(serving_patience_t *p, int code, uint64_t now_ns)
{
    if (!p->failed_ns)
        p->failed_ns = now_ns;
    p->retry_ns = now_ns + RETRY_NS;
    return code != -TBUS_ECORRUPT && now_ns - p->failed_ns < GIVE_UP_NS;
}
