/* SPDX-License-Identifier: Apache-2.0 */
/* binding.h - the messages of a stream from one place on, for as long as nothing goes wrong: one
 * connection, and two ways on it. Private to tail.h, whose thread it belongs to.
 *
 *    nats_binding_open: connect -> whose stream? -> nats_binding_consume -> next, next ...
 *
 *                 a consumer has been made
 *      DIRECT  ----------------------------->  CONSUMER   messages are asked for so many at a time,
 *    direct.h  <-----------------------------             and come when they are there
 *                 nothing is heard of it
 *
 * A consumer is made to acknowledge nothing, lives in the memory of one server, and is removed when
 * nobody has asked for long. The leader of all JetStream has it made: a cluster that elects has
 * none, for seconds, and when servers fall one after another for longer than half a minute.
 * Meanwhile the messages are read one by one from any replica, where the stream allows that, as one
 * of a bridge does. Where it does not, a consumer is waited for.
 */
#ifndef TICKBUS_FEEDSIM_NATS_JETSTREAM_BINDING_H
#define TICKBUS_FEEDSIM_NATS_JETSTREAM_BINDING_H

#include <nats/nats.h>

#include "feedsim/nats/follow.h"
#include "feedsim/nats/jetstream/direct.h"
#include "feedsim/nats/jetstream/tail.h"

typedef struct nats_binding {
    const nats_tail_options_t *options;
    natsConnection *connection;
    jsCtx *js;
    natsSubscription *inbox; /* of consumers */
    char *inbox_name;
    natsSubscription *looks; /* of answers whether there are subjects of symbols; NULL: not asked */
    char *looks_name;
    char consumer[64]; /* ""; messages are read directly */
    nats_direct_t direct;
    nats_description_t description;
    uint64_t first_seq, last_seq; /* of the stream, when it was looked at */
    bool by_symbol;               /* the topic has subjects of symbols */
    bool allows_direct;
    uint64_t newest[2];    /* places of the last messages of the topic's subjects (seek.h) */
    uint64_t taken;        /* place of the last message that was given out */
    uint64_t consumer_seq; /* of the last message that has come */
    uint32_t asked;        /* messages that may still come unasked */
    uint64_t wished_ns;    /* when a consumer was asked for */
    uint64_t looked_ns;    /* when subjects of symbols were asked for */
    uint64_t heard_ns;     /* of what gives us messages */
} nats_binding_t;

enum nats_binding_outcome {
    NATS_BINDING_MESSAGE = 1,
    NATS_BINDING_NOTHING = 0,
    NATS_BINDING_BROKEN = 2, /* begin anew */
    NATS_BINDING_MISSED = 3, /* begin anew: a message did not follow the one before it */
    NATS_BINDING_SILENT = 4  /* the consumer is lost: call again, it goes on directly */
};

/* A message, to be destroyed, and what the stream says of it. */
typedef struct nats_coming {
    natsMsg *msg;
    const char *subject; /* that it was published on; a part of msg */
    uint64_t stream_seq;
    uint64_t pending; /* messages behind it in the stream, as far as one knows */
    bool direct;      /* it did not come by a consumer */
} nats_coming_t;

/* Connect, and see whose stream it is. `b` is all zeros but for `options`; to be closed also after
 * an error. */
int nats_binding_open(nats_binding_t *b, tbus_error_t *err);
/* From a place on, of the topic or, where it has symbols, of all. */
int nats_binding_consume(nats_binding_t *b, uint64_t stream_seq, tbus_error_t *err);
/* The next message. Waits for at most `wait_ms`. */
enum nats_binding_outcome nats_binding_next(nats_binding_t *b, int64_t wait_ms,
                                            nats_coming_t *out_coming);
void nats_binding_close(nats_binding_t *b);

/* What a message says, as nats_follow_take wants it. Valid as long as the message. */
void nats_binding_read(natsMsg *msg, const char *subject, nats_arrival_t *out_arrival);
/* To judge messages by; `next` 0. */
void nats_binding_follow(const nats_binding_t *b, nats_follow_t *out_follow);

/* For seek.h, where nothing was consumed yet. One message at or behind a place, by a consumer that
 * is removed again. *out_msg NULL: there is none, as far as the server that has the consumer knows.
 */
int nats_binding_peek(nats_binding_t *b, uint64_t stream_seq, const char *filter, natsMsg **out_msg,
                      nats_place_t *out_place, tbus_error_t *err);
jsOptions nats_binding_js_options(void);
int nats_binding_fail(const nats_binding_t *b, natsStatus status, const char *what,
                      tbus_error_t *err);

#endif
