/* SPDX-License-Identifier: Apache-2.0 */
/* outgoing.h - a message of the bridge on its way to a stream, and its headers as they are sent:
 * what feedsim/nats/layout.h says, in bytes. Pure. */
#ifndef TICKBUS_FEEDSIM_NATS_OUTGOING_H
#define TICKBUS_FEEDSIM_NATS_OUTGOING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nats_outgoing {
    const char *subject;
    const char *topic;
    const char *type; /* tick ..., or NATS_TYPE_ */
    uint64_t ticket;
    uint64_t last_sequence; /* in the stream, of the message before */
    bool names_message;     /* and its id: of the same topic, with this sequence on it */
    bool last_end;
    uint64_t last_seq;
    uint64_t seq;     /* on its topic */
    uint64_t time_ns; /* since 1970; 0: none */
    uint64_t lost;    /* with NATS_TYPE_LOST */
    bool warm_up;
    bool end;
    const void *data;
    size_t bytes;
} nats_outgoing_t;

#define NATS_HEADERS_MAX 1024u

/* The whole block, from "NATS/1.0" to its empty line; ended by zero. Its bytes; 0: the session and
 * the topic make no id. Hot. */
size_t nats_headers_put(const char *session, const nats_outgoing_t *message,
                        char out[NATS_HEADERS_MAX]);

#ifdef __cplusplus
}
#endif
#endif
