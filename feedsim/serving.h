/* SPDX-License-Identifier: Apache-2.0 */
/* serving.h - what stages have in common that serve who is outside (TBUS_KIND_SERVES): the stage
 * around a server, and how long it bears with a topic that cannot be read.
 *
 *    tbus_loop -- stage: poll, sleep, finish --> serving_ops_t --> server of a gateway, of Mold
 *
 * Such a stage follows its topics as an observer and holds nobody up. All of its work is done by
 * its server, which knows nothing of stages.
 */
#ifndef TICKBUS_FEEDSIM_SERVING_H
#define TICKBUS_FEEDSIM_SERVING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/kind.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- the stage --- */

/* What a server can do, whatever it was made of. Codes as of the stage's own calls
 * (tickbus/stage.h). */
typedef struct serving_ops {
    /* Every stage has been made: serve, under this name of the session. */
    int (*start)(void *server, const char *session_name, tbus_error_t *err);
    /* One turn, of up to `messages` of each topic. */
    int (*turn)(void *server, uint32_t messages, tbus_error_t *err);
    void (*sleep)(void *server, uint64_t until_ns);
    /* Nothing is published any more: give out what is left. It may not have been started. */
    int (*finish)(void *server, tbus_error_t *err);
    void (*destroy)(void *server); /* accepts NULL */
} serving_ops_t;

/* How a kind of stage makes one. */
typedef struct serving_kind {
    const serving_ops_t *ops;
    /* Open what it serves at, and with it all that can be refused: the pipeline is not running yet.
     * `journal`: NULL: nothing is recorded; it and `values` live as long as the server. A text left
     * in `err` with 0 is a note: said when the run has ended. */
    int (*create)(const tbus_stage_request_t *request, const char *journal, void *values,
                  void **out_server, tbus_error_t *err);
    size_t params_bytes; /* of the values of the kind's parameters, which are copied */
    size_t values_bytes; /* of those as `create` gets them: with room behind them, zeroed */
} serving_kind_t;

/* Make a stage that turns a server of that kind, which must outlive it. -ENOMEM, -ENAMETOOLONG,
 * errors of its `create`. Cold. */
int serving_stage_create(const serving_kind_t *kind, const tbus_stage_request_t *request,
                         tbus_stage_t **out_stage, tbus_error_t *err);

/* --- a topic that cannot be read for now --- */

/* It is tried again ten times a second; for ten seconds, then the server fails. All zeros: it can
 * be read. */
typedef struct serving_patience {
    uint64_t retry_ns;  /* not before */
    uint64_t failed_ns; /* since when it cannot; 0: it can */
} serving_patience_t;

/* Is it not time yet to try again? */
static inline bool serving_waits(const serving_patience_t *p, uint64_t now_ns)
{
    return p->retry_ns > now_ns;
}
/* It was read. */
static inline void serving_goes_on(serving_patience_t *p)
{
    *p = (serving_patience_t){0};
}
/* Reading has failed with `code`. Is it to be tried again? What is corrupt stays so; all else may
 * pass. */
bool serving_bears(serving_patience_t *p, int code, uint64_t now_ns);

#ifdef __cplusplus
}
#endif
#endif
