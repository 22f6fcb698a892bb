/* SPDX-License-Identifier: Apache-2.0 */
/* follow.h - what a reader of one topic makes of the messages of a stream (layout.h), one by one:
 * which is the next, what is missing before it, and what is none of ours. All bytes are from
 * outside and may be anything. Pure functions, no library of NATS behind them.
 *
 *    message --nats_follow_take--> MESSAGE  the next one of the topic
 *                                  LOST     the bridge has told that messages are lost
 *                                  HOLE     messages are missing, and nobody told: not taken yet
 *                                  END      the topic has ended
 *                                  PASSED   of another topic, or one that was taken before
 *                                  < 0      refused: it breaks the layout, or is of another session
 *
 * On the data path: feedsim/nats/jetstream/tail.h -> here -> feedsim/nats/handover.h.
 */
#ifndef TICKBUS_FEEDSIM_NATS_FOLLOW_H
#define TICKBUS_FEEDSIM_NATS_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#include "feedsim/nats/layout.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The headers that matter to a reader. */
enum nats_follow_header {
    NATS_FOLLOW_ID = 0,
    NATS_FOLLOW_SEQUENCE,
    NATS_FOLLOW_TYPE,
    NATS_FOLLOW_TIME,
    NATS_FOLLOW_WARM_UP,
    NATS_FOLLOW_LOST_COUNT,
    NATS_FOLLOW_HEADERS
};
/* Their names, in that order. */
extern const char *const nats_follow_headers[NATS_FOLLOW_HEADERS];

/* One message, as it has come. */
typedef struct nats_arrival {
    const char *subject;
    const char *values[NATS_FOLLOW_HEADERS]; /* the first of that name; NULL: there is none */
    uint32_t counts[NATS_FOLLOW_HEADERS];    /* how many of that name */
    size_t bytes;                            /* of the payload */
} nats_arrival_t;

enum nats_follow_outcome {
    NATS_FOLLOW_MESSAGE = 1,
    NATS_FOLLOW_LOST = 2,
    NATS_FOLLOW_HOLE = 3,
    NATS_FOLLOW_END = 4,
    NATS_FOLLOW_PASSED = 5
};

typedef struct nats_followed {
    uint64_t seq;  /* MESSAGE: its own; LOST and HOLE: the first that is missing; END: the last */
    uint64_t last; /* LOST and HOLE: the last that is missing */
    uint64_t time_ns; /* MESSAGE: its Tickbus-Time; 0: it has none */
    bool warm_up;     /* MESSAGE */
} nats_followed_t;

typedef struct nats_follow {
    char stream[NATS_STREAM_MAX];
    char session[NATS_SESSION_MAX];
    char topic[NATS_TOPIC_MAX];
    char type[NATS_TOPIC_MAX]; /* of the topic's messages: "tick" */
    size_t bytes_max;          /* of a payload */
    uint64_t next;             /* the sequence that comes next; 0: whatever comes first */
    uint64_t passed;           /* messages of this topic that were taken before */
} nats_follow_t;

/* One of enum nats_follow_outcome, with *out_followed as it says; -TBUS_EFORMAT: it breaks the
 * layout; -TBUS_EABI: it is of a type that this topic does not have; -TBUS_ENOTFOUND: it is of
 * another session. Nothing has changed then, nor with HOLE. */
int nats_follow_take(nats_follow_t *f, const nats_arrival_t *arrival, nats_followed_t *out_followed,
                     tbus_error_t *err);

/* The hole was told: go on with `seq`. */
static inline void nats_follow_skip(nats_follow_t *f, uint64_t seq)
{
    f->next = seq;
}

/* Where a message stands, by the subject that a server wants its acknowledgement on. */
typedef struct nats_place {
    uint64_t stream_seq;
    uint64_t consumer_seq;
    uint64_t time_ns; /* when the server stored it, since 1970 */
    uint64_t pending; /* messages behind it that the consumer has not been sent */
} nats_place_t;

/* "$JS.ACK.STREAM.CONSUMER.DELIVERED.STREAM_SEQ.CONSUMER_SEQ.TIME.PENDING", or the same with a
 * domain and an account before the stream, and perhaps more behind. False: it is none. */
bool nats_place_read(const char *reply, nats_place_t *out_place);

#ifdef __cplusplus
}
#endif
#endif
