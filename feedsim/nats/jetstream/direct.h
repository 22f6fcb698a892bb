/* SPDX-License-Identifier: Apache-2.0 */
/* direct.h - messages of a stream without a consumer: any server that has a replica of it is asked
 * for the first message at or behind a place ($JS.API.DIRECT.GET, which the stream must allow).
 *
 * That takes no leader, neither of the stream nor of all JetStream: it goes on while a cluster
 * elects, when nobody would make a consumer. But a server answers each request once, and at once:
 * behind the newest message one has to ask again. So it is what fills the time until there is a
 * consumer. Private to binding.h, and of its thread.
 *
 * On the data path: JetStream -> here, by feedsim/nats/window.h -> binding.h.
 */
#ifndef TICKBUS_FEEDSIM_NATS_JETSTREAM_DIRECT_H
#define TICKBUS_FEEDSIM_NATS_JETSTREAM_DIRECT_H

#include <stdbool.h>
#include <stdint.h>

#include <nats/nats.h>

#include "feedsim/nats/layout.h"
#include "feedsim/nats/window.h"

typedef struct nats_direct {
    natsConnection *connection;
    natsSubscription *inbox; /* of answers: NAME.POSITION */
    char *name;
    char subject[NATS_STREAM_MAX + 32]; /* to ask on */
    char filter[NATS_SUBJECT_MAX];
    nats_window_t window;
    uint64_t moved_ns; /* when something was asked for, or came */
    uint64_t rest_ns;  /* nothing is asked for until then */
    uint64_t heard_ns; /* of a replica; "no responders" (503) is not one's word */
} nats_direct_t;

enum nats_direct_outcome {
    NATS_DIRECT_NOTHING = 0, /* for now */
    NATS_DIRECT_MESSAGE = 1,
    NATS_DIRECT_END = 2,    /* whoever was asked has no more, or there is nobody (heard_ns) */
    NATS_DIRECT_BROKEN = 3, /* the connection is lost, or what came is no answer */
};

/* From a place in the stream on; `filter`: a subject. Once for a connection; later calls go on at
 * another place. It is to be closed also after an error. */
natsStatus nats_direct_begin(nats_direct_t *d, natsConnection *connection, const char *stream,
                             const char *filter, uint64_t stream_seq);
/* The next message, to be destroyed, with the subject that it was published on, which is a part of
 * it, and where it is. Waits for at most `wait_ms`. */
enum nats_direct_outcome nats_direct_next(nats_direct_t *d, int64_t wait_ms, natsMsg **out_msg,
                                          const char **out_subject, uint64_t *out_stream_seq);
/* The place behind the last message that was taken. */
static inline uint64_t nats_direct_place(const nats_direct_t *d)
{
    return d->window.next;
}
/* Ask for nothing more. */
void nats_direct_rest(nats_direct_t *d);
/* The connection is silent (connection.h). Accepts one that is all zeros. */
void nats_direct_close(nats_direct_t *d);

#endif
