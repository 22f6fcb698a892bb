/* SPDX-License-Identifier: Apache-2.0 */
/* publisher.h - messages into one JetStream stream, asynchronously: put one, go on, take the
 * answers when they are there.
 *
 *    put ---> library ---> server        answers <--- queue <--- library's thread <--- server
 *
 * Every message has a ticket of the caller's, and its answer has it, too. What an answer means, and
 * what to publish when, is the caller's business (feedsim/bridge/flight.h). The library's own
 * asynchronous calls are not used: they tell no place in the stream with an ack, keep a table of
 * what is in flight, and connect again without asking the stream how far it is.
 *
 * A connection is made, used until it is lost, and then given up: nothing of an old one comes over
 * a new one. All calls are for one thread. `put` waits when the network takes nothing, up to
 * NATS_WRITE_MS, and then the connection counts as lost.
 */
#ifndef TICKBUS_FEEDSIM_NATS_JETSTREAM_PUBLISHER_H
#define TICKBUS_FEEDSIM_NATS_JETSTREAM_PUBLISHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "feedsim/nats/answer.h"
#include "feedsim/nats/jetstream/connection.h"
#include "feedsim/nats/layout.h"

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

typedef struct nats_incoming_answer {
    uint64_t ticket;
    bool unserved; /* nobody keeps that stream now */
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

/* Nothing is connected yet. `way` and `wish`: their texts must outlive it. `in_flight_max`: answers
 * that may come before they are taken. Cold. */
int nats_publisher_create(const nats_way_t *way, const nats_stream_wish_t *wish,
                          uint32_t in_flight_max, nats_publisher_t **out_publisher,
                          tbus_error_t *err);
void nats_publisher_destroy(nats_publisher_t *p); /* accepts NULL */

/* Connect and find the stream, or make it. Waits, up to the way's timeout for each step. As
 * nats_connection_open; -TBUS_EEXISTS: the stream that is wished for is of another session, or none
 * of ours. */
int nats_publisher_connect(nats_publisher_t *p, tbus_error_t *err);
/* Give the connection up; answers that were not taken are gone. */
void nats_publisher_disconnect(nats_publisher_t *p);
/* Is it connected, as far as is known? */
bool nats_publisher_connected(const nats_publisher_t *p);

/* The stream's name; "": not known yet. And the server that it is connected to. */
const char *nats_publisher_stream(const nats_publisher_t *p);
const char *nats_publisher_server(const nats_publisher_t *p);

/* How far is the stream, and each of `topics`? -EAGAIN: it goes on while it is asked; else errors
 * of the connection, or the server's. Waits. */
int nats_publisher_ask(nats_publisher_t *p, const char *const *topics, uint32_t count,
                       nats_stream_last_t *out_stream, nats_topic_last_t *out_lasts,
                       tbus_error_t *err);

/* One message on its way. Negative: it is not, and the connection is no good any more. Warm: the
 * library allocates. */
int nats_publisher_put(nats_publisher_t *p, const nats_outgoing_t *message, tbus_error_t *err);

/* Take up to `max` answers. Never waits. */
uint32_t nats_publisher_answers(nats_publisher_t *p, nats_incoming_answer_t *out, uint32_t max);
/* Before a sleep on the descriptor: the next answer makes it readable, once. False: there are
 * answers already. Who does not sleep costs the library's thread no system call. */
bool nats_publisher_arm(nats_publisher_t *p);
int nats_publisher_fd(const nats_publisher_t *p);

#ifdef __cplusplus
}
#endif
#endif
