/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - the gateway as a stage: remote consumers get topics of the bus over TCP.
 *
 * It follows its topics as an observer and holds nobody up. It is a stage that serves
 * (TBUS_KIND_SERVES): it has a process of its own, and when that dies it is started again, under
 * the same session name, with the same numbers, on the same port. All of the work is done by
 * feedsim/gateway/server.h.
 *
 * There are two kinds: `gateway` gives out topics, `glimpse` the books as they are at a login.
 * Books take time for every tick, and more for a snapshot, so they are another process than what
 * has to be quick.
 */
#ifndef TICKBUS_FEEDSIM_GATEWAY_STAGE_H
#define TICKBUS_FEEDSIM_GATEWAY_STAGE_H

#include <tickbus/kind.h>

#include "feedsim/gateway/door.h"
#include "feedsim/serving.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GATEWAY_ADDRESS_MAX 128u
#define GATEWAY_PORTS_MAX   (GATEWAY_CHANNELS_MAX - 1)

/* The values of the kind's parameters: section `gateway`. */
typedef struct gateway_values {
    char listen[GATEWAY_ADDRESS_MAX];                   /* of md; "": there is no gateway */
    char ports[GATEWAY_PORTS_MAX][GATEWAY_ADDRESS_MAX]; /* TOPIC=ADDRESS:PORT */
    uint32_t ports_count;
    gateway_door_t door;
    uint32_t io; /* enum gateway_io */
    uint64_t window_bytes;
    uint64_t backfill_bytes;
    uint32_t backfill_readers;
    uint32_t sessions_per_user;
    uint64_t lag_max;
} gateway_values_t;

/* The values of the kind glimpse: section `glimpse`. */
typedef struct glimpse_values {
    char listen[GATEWAY_ADDRESS_MAX]; /* "": there is none */
    gateway_door_t door;
} glimpse_values_t;

/* What a server is to be made with. The texts in `out_options` are those of `values`, and of
 * `out_topics`, which must live as long. */
void gateway_values_options(const gateway_values_t *values,
                            char out_topics[GATEWAY_PORTS_MAX][TBUS_NAME_MAX],
                            gateway_options_t *out_options);

/* For both kinds: a server with these options, whose texts lie in the stage's values. The request's
 * `control`: a gateway_board_t, or NULL. Binds the addresses; errors as of gateway_server_create.
 * Cold. */
extern const serving_ops_t gateway_serving;
int gateway_serving_create(const tbus_stage_request_t *request, const char *journal,
                           const gateway_options_t *options, void **out_server, tbus_error_t *err);

extern const tbus_kind_t gateway_kind; /* kind.c */
extern const tbus_kind_t glimpse_kind; /* kind_glimpse.c */

#ifdef __cplusplus
}
#endif
#endif
