/* SPDX-License-Identifier: Apache-2.0 */
/* publisher.h - messages into one JetStream stream, asynchronously: put one, go on, take the
 * answers when they are there.
 *
 *    put ---> buffer -- turn --> server -- turn --> buffer ---> answers
 *
 * Every message has a ticket of the caller's, and its answer has it, too. What an answer means, and
 * what to publish when, is the caller's business (feedsim/bridge/flight.h). The library's own
 * asynchronous calls are not used: they tell no place in the stream with an ack, keep a table of
 * what is in flight, and connect again without asking the stream how far it is.
 *
 * A connection is made, used until it is lost, and then given up: nothing of an old one comes over
 * a new one. It is two connections: one of the library, which asks, and one whose socket is ours,
 * for messages and answers (feedsim/nats/jetstream/socket.h). With TLS the library does all of it:
 * then `put` waits when the network takes nothing, up to NATS_WRITE_MS, and the connection counts
 * as lost. All calls are for one thread.
 */
#ifndef TICKBUS_FEEDSIM_NATS_JETSTREAM_PUBLISHER_H
#define TICKBUS_FEEDSIM_NATS_JETSTREAM_PUBLISHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "feedsim/nats/answer.h"
#include "feedsim/nats/jetstream/connection.h"
#include "feedsim/nats/layout.h"
#include "feedsim/nats/outgoing.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NATS_WRITE_MS 500u

/* How a stream is to be, where there is none yet. One that is there stays as it is. */
typedef struct nats_stream_wish {
    const char *stream; /* "": by the name of the bus, or NAME-SESSION where that is taken */
    const char *bus;
    const char *session;
    uint64_t max_bytes; /* 0: no limit; as the next two */
    uint64_t max_messages;
    uint64_t max_age_ns;
    bool discard_old; /* at a limit: the oldest go, else no more is taken */
    bool in_memory;
    uint32_t replicas;
    uint64_t duplicates_ns; /* how long the server remembers ids */
} nats_stream_wish_t;

typedef struct nats_incoming_answer {
    uint64_t ticket;
    nats_answer_t answer;
} nats_incoming_answer_t;

/* How far a topic of the stream is. */
typedef struct nats_topic_last {
    bool there;        /* the stream has a message of it */
    bool ended;        /* its last one says that there will be no more */
    uint64_t seq;      /* of its last message on the topic */
    uint64_t sequence; /* and in the stream */
} nats_topic_last_t;

typedef struct nats_stream_last {
    uint64_t sequence; /* of the last message; 0: there never was one */
    uint64_t messages;
    uint64_t bytes;
    bool removed;    /* it has lost some at its front, to its limits */
    bool replicated; /* it is kept by several servers */
} nats_stream_last_t;

typedef struct nats_publisher nats_publisher_t;

/* Nothing is connected yet. `way` and `wish`: their texts must outlive it. Cold. */
int nats_publisher_create(const nats_way_t *way, const nats_stream_wish_t *wish,
                          nats_publisher_t **out_publisher, tbus_error_t *err);
void nats_publisher_destroy(nats_publisher_t *p); /* accepts NULL */

/* Connect and find the stream, or make it. Waits, up to the way's timeout for each step. As
 * nats_connection_open; -TBUS_EEXISTS: the stream that is wished for is of another session, or none
 * of ours. */
int nats_publisher_connect(nats_publisher_t *p, tbus_error_t *err);
/* Give the connection up; answers that were not taken are gone. */
void nats_publisher_disconnect(nats_publisher_t *p);
/* Is it connected, as far as is known? Else `err` says why not. */
bool nats_publisher_connected(const nats_publisher_t *p, tbus_error_t *err);

/* The stream's name; "": not known yet. And the server that it is connected to. */
const char *nats_publisher_stream(const nats_publisher_t *p);
const char *nats_publisher_server(const nats_publisher_t *p);

/* How far is the stream, and each of `topics`? -EAGAIN: it goes on while it is asked, or a cluster
 * elects; else errors of the connection, or the server's. Waits. */
int nats_publisher_ask(nats_publisher_t *p, const char *const *topics, uint32_t count,
                       nats_stream_last_t *out_stream, nats_topic_last_t *out_lasts,
                       tbus_error_t *err);

/* One message, which goes out with the next turn. Negative: it does not, and the connection is no
 * good any more; -EMSGSIZE: it is more than the server takes. Warm: the library allocates. */
int nats_publisher_put(nats_publisher_t *p, const nats_outgoing_t *message, tbus_error_t *err);
/* The network does not take what was put: no more should be. */
bool nats_publisher_is_choked(const nats_publisher_t *p);

/* What was put goes out, as far as the network takes it, and what has come comes in. Never waits.
 * To be called all the time: servers are answered as well, and one that is not answered to hangs
 * up. A system call or two. */
void nats_publisher_turn(nats_publisher_t *p, uint64_t now_ns);
/* Take up to `max` answers that have come. Never waits. */
uint32_t nats_publisher_answers(nats_publisher_t *p, nats_incoming_answer_t *out, uint32_t max);
/* Sleep until an answer comes, or for `ns`; with TLS for `ns` in any case. */
void nats_publisher_wait(nats_publisher_t *p, uint64_t ns);

#ifdef __cplusplus
}
#endif
#endif
