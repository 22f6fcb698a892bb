/* SPDX-License-Identifier: Apache-2.0 */
/* nats_wire.h - NATS by its own protocol, without a client library: for tests that write to a
 * stream what no bridge would, or look at one. Blocks; ends the program where the server does not
 * answer in 10 seconds.
 *
 * Of what a bridge writes: nats_wire_tick and its like, by the layout that is shared
 * (feedsim/nats/layout.h). */
#ifndef TICKBUS_TESTS_SUPPORT_NATS_WIRE_H
#define TICKBUS_TESTS_SUPPORT_NATS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/nats_server.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nats_wire nats_wire_t;

nats_wire_t *nats_wire_open(const nats_server_t *server);
void nats_wire_close(nats_wire_t *w); /* accepts NULL */

/* Send `json` to `subject`, e.g. "$JS.API.STREAM.INFO.lab", and wait for the answer, which is valid
 * until the next call. */
const char *nats_wire_request(nats_wire_t *w, const char *subject, const char *json);
/* The same of a cluster, where nobody may answer while it elects: NULL after half a second. */
const char *nats_wire_try(nats_wire_t *w, const char *subject, const char *json);

/* Many requests on their way at once: one server gives the answers in their order, a cluster in
 * any. `*out_bytes`: of the answer, which may hold any bytes; one with headers begins with
 * "NATS/1.0". */
void nats_wire_ask(nats_wire_t *w, const char *subject, const char *json);
const char *nats_wire_next(nats_wire_t *w, size_t *out_bytes);

/* One message to a stream. `headers`: lines "Name: value\r\n". Acknowledgements are waited for by
 * nats_wire_flush. */
void nats_wire_publish(nats_wire_t *w, const char *subject, const char *headers,
                       const void *payload, size_t bytes);
/* Wait until all is acknowledged. Returns how many were refused. */
unsigned nats_wire_flush(nats_wire_t *w);

/* A stream as a bridge makes it, for all of its topics. `more`: of its configuration, JSON that
 * begins with a comma, or "". False: the server refuses. */
bool nats_wire_make_stream(nats_wire_t *w, const char *stream, const char *session,
                           const char *more);
bool nats_wire_delete_stream(nats_wire_t *w, const char *stream);

/* Message `seq` of the topic md, an ITCH message; with `symbol` not NULL on its subject. `more`:
 * further headers, or "". */
void nats_wire_tick(nats_wire_t *w, const char *stream, const char *session, const char *symbol,
                    uint64_t seq, const char *more, const void *message, size_t bytes);
/* The end of md, whose last message was `last`. */
void nats_wire_end(nats_wire_t *w, const char *stream, const char *session, uint64_t last);

#ifdef __cplusplus
}
#endif
#endif
