/* SPDX-License-Identifier: Apache-2.0 */
/* binding.h - a consumer of our own on a stream, from one place on, for as long as nothing goes
 * wrong: one connection, one subscription, messages asked for so many at a time. Private to
 * tail.h, whose thread it belongs to.
 *
 *    nats_binding_open: connect -> whose stream? -> nats_binding_consume: consumer -> next, next...
 *
 * A consumer is made to acknowledge nothing, lives in the server's memory alone, and is removed by
 * the server when nobody has asked for long.
 */
#ifndef TICKBUS_FEEDSIM_NATS_JETSTREAM_BINDING_H
#define TICKBUS_FEEDSIM_NATS_JETSTREAM_BINDING_H

#include <nats/nats.h>

#include "feedsim/nats/follow.h"
#include "feedsim/nats/jetstream/tail.h"

typedef struct nats_binding {
    const nats_tail_options_t *options;
    natsConnection *connection;
    jsCtx *js;
    natsSubscription *inbox;
    char *inbox_name;
    char consumer[64];
    nats_description_t description;
    uint64_t first_seq, last_seq; /* of the stream, when it was looked at */
    bool by_symbol;               /* the topic has subjects of symbols */
    uint64_t consumer_seq;        /* of the last message that has come */
    uint32_t asked;               /* messages that may still come unasked */
    uint64_t heard_ns;            /* of the server, by the consumer */
} nats_binding_t;

enum nats_binding_outcome {
    NATS_BINDING_MESSAGE = 1,
    NATS_BINDING_NOTHING = 0,
    NATS_BINDING_BROKEN = 2, /* begin anew */
    NATS_BINDING_MISSED = 3  /* begin anew: a message did not follow the one before it */
};

/* Connect, and see whose stream it is. `b` is all zeros but for `options`; to be closed also after
 * an error. */
int nats_binding_open(nats_binding_t *b, tbus_error_t *err);
/* Have a consumer made, of the topic or, where it has symbols, of all. */
int nats_binding_consume(nats_binding_t *b, uint64_t stream_seq, tbus_error_t *err);
/* The next message, to be destroyed, and where it stands. Waits for at most `wait_ms`. */
enum nats_binding_outcome nats_binding_next(nats_binding_t *b, int64_t wait_ms, natsMsg **out_msg,
                                            nats_place_t *out_place);
void nats_binding_close(nats_binding_t *b);

/* The first message of the topic at or behind a place. */
typedef struct nats_found {
    bool there;
    bool end; /* of the topic: it stands for the message that never comes */
    uint64_t stream_seq;
    uint64_t time_ns; /* when the server stored it */
    uint64_t first;   /* sequences on the topic that it stands for: more than one of a loss */
    uint64_t last;
} nats_found_t;
/* The first message of the topic whose `last`, or time, is at least that: halving finds it, as both
 * go up with the stream's own sequence. (Not by OptStartTime: libnats 3.4.1 drops the zeros that a
 * fraction of a second begins with.) */
int nats_binding_find_seq(nats_binding_t *b, uint64_t seq, nats_found_t *out_found,
                          tbus_error_t *err);
int nats_binding_find_time(nats_binding_t *b, uint64_t time_ns, nats_found_t *out_found,
                           tbus_error_t *err);
/* The sequence of the topic's last message; 0: there is none. */
int nats_binding_last(nats_binding_t *b, uint64_t *out_seq, tbus_error_t *err);
/* The place in the stream of the message `seq` of the topic; of the one that comes next, the place
 * behind the end. -TBUS_ENOTFOUND: it is gone, or is further away. */
int nats_binding_locate(nats_binding_t *b, uint64_t seq, uint64_t *out_stream_seq,
                        tbus_error_t *err);

/* What a message says, as nats_follow_take wants it. Valid as long as the message. */
void nats_binding_read(natsMsg *msg, nats_arrival_t *out_arrival);
/* To judge messages by; `next` 0. */
void nats_binding_follow(const nats_binding_t *b, nats_follow_t *out_follow);

#endif
