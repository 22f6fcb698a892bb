/* SPDX-License-Identifier: Apache-2.0 */
/* tail.h - one topic of a stream (feedsim/nats/layout.h) from a place on, history and then what
 * comes, in order and without a gap, handed over through a queue.
 *
 *    JetStream --messages, binding.h--> our thread --nats_handover--> who takes
 *
 * The thread connects, looks whose stream it is, finds the place (seek.h) and asks for so many
 * messages at a time. As it asks only for what it has taken, the library never keeps more than two
 * requests' worth, and a reader that is slow leaves the rest with the server. Whenever something is
 * wrong (the connection is lost, nothing is heard, a message does not follow the one before it) it
 * begins anew behind the last message that it has taken: no state of the server's but the stream
 * itself is relied on.
 *
 * What is missing in the stream when it was read again is told as lost. A stream that is gone, or
 * belongs to another session, ends it.
 *
 * Where symbols have subjects of their own, a consumer of nats-server 2.9 filters by one alone:
 * then all of the stream is read, and other topics are passed over here.
 *
 * In a build without the library the same functions say so: feedsim/nats/absent.
 */
#ifndef TICKBUS_FEEDSIM_NATS_JETSTREAM_TAIL_H
#define TICKBUS_FEEDSIM_NATS_JETSTREAM_TAIL_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>

#include "feedsim/nats/handover.h"
#include "feedsim/nats/jetstream/connection.h"

#ifdef __cplusplus
extern "C" {
#endif

enum nats_tail_from {
    NATS_TAIL_FIRST = 0, /* the first message that the stream has of the topic */
    NATS_TAIL_SEQ = 1,   /* the message of that sequence on the topic */
    NATS_TAIL_TIME = 2,  /* the first that the server stored at or after that time */
    NATS_TAIL_NOW = 3    /* what comes from now on */
};

typedef struct nats_tail_options {
    nats_way_t way; /* its timeout and what it does after a loss are ours */
    const char *stream;
    const char *topic;
    const char *type;    /* of the topic's messages: "tick" */
    const char *session; /* that it must be of; NULL, "": any */
    size_t bytes_max;    /* of a message's payload */
    enum nats_tail_from from;
    uint64_t from_seq;
    uint64_t from_ns; /* since 1970 */
    /* how long nothing may be heard of NATS, also at first; UINT64_MAX: for ever */
    uint64_t lost_ns;
    uint64_t queue_bytes; /* as nats_handover_create takes them */
} nats_tail_options_t;

/* For who watches. */
typedef struct nats_tail_counts {
    uint64_t connected;  /* 0, 1 */
    uint64_t reconnects; /* the connection, or the consumer, was made anew after a loss */
    uint64_t rereads;    /* the same, because a message did not follow the one before it */
    uint64_t pending;    /* messages that the stream had behind the last one that has come */
    uint64_t passed;     /* came twice, and were left out */
    uint64_t direct;     /* messages that were read from a replica, without a consumer */
} nats_tail_counts_t;

typedef struct nats_tail nats_tail_t;

/* Connects and finds the place: waits for the server, for lost_ns. Nothing in `options` is needed
 * afterwards. Errors of nats_connection_open; -TBUS_ENOTFOUND: there is no such stream, it is none
 * of a bridge, of another session, or does not have the place; -TBUS_EABI: another layout. Cold. */
int nats_tail_open(const nats_tail_options_t *options, nats_tail_t **out_tail, tbus_error_t *err);
/* Ends the thread, which may be waiting for a server that is not heard of: up to the time to
 * connect. Accepts NULL. */
void nats_tail_close(nats_tail_t *tail);

/* Where its messages are: by the one thread that takes them. Behind an END or a FAILED comes
 * nothing. */
nats_handover_t *nats_tail_queue(nats_tail_t *tail);
void nats_tail_counts(const nats_tail_t *tail, nats_tail_counts_t *out_counts);

/* The sequence of the message that `options` would begin with now; of a place that nothing has
 * come to, that of the message that comes next. A time that is not there yet is waited for, by our
 * clock. Errors as nats_tail_open. It leaves threads of the
 * library behind: to be called in a process that does nothing else. */
int nats_tail_first_seq(const nats_tail_options_t *options, uint64_t *out_seq, tbus_error_t *err);

#ifdef __cplusplus
}
#endif
#endif
