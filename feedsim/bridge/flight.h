/* SPDX-License-Identifier: Apache-2.0 */
/* flight.h - what is on its way to a stream and not acknowledged yet: what may be published next,
 * which message it names as its predecessor, what an answer means, when to ask the stream again.
 * The state machine of a bridge, without NATS and without a clock: pure.
 *
 *                 asked: how far is the stream                first refusal, an ack of another place,
 *    ASKING ---------------------------------> PUBLISHING ------- no answer for too long -----+
 *      ^  ^                                                                                   |
 *      |  +--- connection lost -------- (any state)                                           v
 *      +---------------- every message in flight is answered, or its time is up --------- DRAINING
 *      |
 *      +--- refused too often though nothing of ours was uncertain ---> FENCED (for good)
 *
 * The server takes a message only when the one that it names is the last of the stream. So what is
 * in flight stands in the stream in the order in which it was published or not at all, an ack for
 * one tells that those before it are in the stream as well, and once one is refused so is all
 * behind it. Whoever else writes to the stream makes the next of ours be refused: nothing is ever
 * doubled, by whatever number of bridges.
 *
 * After a refusal nobody guesses: the stream says which message of each topic is its last, and the
 * bridge goes on behind that. What was in flight is read again from the ring or the journal.
 *
 * A refusal for another predecessor though every earlier answer was in and the connection is the
 * one that we asked over can only be somebody else's doing. That may be the last bytes of a bridge
 * that died, so some are borne; more than `foreign_max` within `foreign_ns` are another bridge.
 *
 * One thread. feedsim/bridge/bridge.h -> here.
 */
#ifndef TICKBUS_FEEDSIM_BRIDGE_FLIGHT_H
#define TICKBUS_FEEDSIM_BRIDGE_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum bridge_state {
    BRIDGE_ASKING = 0,
    BRIDGE_PUBLISHING = 1,
    BRIDGE_DRAINING = 2,
    BRIDGE_FENCED = 3
};

/* What an answer says. */
enum bridge_answer {
    BRIDGE_ACKED = 0,
    BRIDGE_REFUSED = 1,  /* another message is the last of the stream */
    BRIDGE_FULL = 2,     /* limits of the stream, or the server's disk: not stored */
    BRIDGE_UNSERVED = 3, /* nobody there who keeps streams, for now */
    BRIDGE_WRONG = 4     /* any other error: not stored */
};

typedef struct bridge_message {
    uint32_t topic; /* index */
    uint32_t bytes;
    uint64_t seq;
    uint64_t bus_ns;  /* when it was due on the bus; 0: no time */
    uint64_t sent_ns; /* CLOCK_MONOTONIC */
} bridge_message_t;

typedef struct bridge_flight_options {
    uint32_t capacity;     /* messages in flight; a power of two */
    uint64_t bytes_max;    /* of their payloads together; one message may be more */
    uint64_t answer_ns;    /* without an answer for so long: something is lost */
    uint64_t drain_ns;     /* so long is waited for the answers of the others */
    uint32_t foreign_max;  /* refusals by somebody else's doing */
    uint64_t foreign_ns;   /* within so long */
    uint64_t pause_ns;     /* after a refusal, before it asks; doubled with each in a row */
    uint64_t pause_ns_max; /* up to this */
} bridge_flight_options_t;

typedef struct bridge_flight {
    bridge_flight_options_t options;
    bridge_message_t *messages; /* options.capacity, by ticket; not owned */
    enum bridge_state state;
    /* Tickets number what was ever published, from 1; those from `first` up to `next` are in
     * flight. */
    uint64_t first, next;
    uint64_t last_sequence;  /* in the stream, of the message before ticket `first` */
    uint64_t bytes;          /* in flight */
    uint64_t drain_until_ns; /* DRAINING */
    uint64_t ask_ns;         /* ASKING: not before */
    uint32_t failures;       /* in a row, without an ack in between */
    uint32_t foreign;        /* refusals by somebody else, since foreign_since_ns */
    uint64_t foreign_since_ns;
    enum bridge_answer trouble; /* what ended the last PUBLISHING; ACKED: nothing did */
    /* ever */
    uint64_t acknowledged, refusals, resent, asked;
    uint64_t highest_sent; /* tickets in flight when it last asked: sent again, if not there */
} bridge_flight_t;

void bridge_flight_init(bridge_flight_t *f, const bridge_flight_options_t *options,
                        bridge_message_t *messages);

/* ASKING, and it is time: ask the stream. */
bool bridge_flight_should_ask(const bridge_flight_t *f, uint64_t now_ns);

/* The stream has answered: its last message has that sequence. In ASKING alone. What was in flight
 * and is not there is counted as sent again. */
void bridge_flight_asked(bridge_flight_t *f, uint64_t last_sequence);
/* It could not be asked: ask again later. */
void bridge_flight_not_asked(bridge_flight_t *f, uint64_t now_ns);

/* May a message of that many bytes be published now? */
bool bridge_flight_has_room(const bridge_flight_t *f, uint64_t bytes);
/* It is published: its ticket, and the predecessor that it names in *out_last_sequence. Requires
 * bridge_flight_has_room. */
uint64_t bridge_flight_put(bridge_flight_t *f, const bridge_message_t *message,
                           uint64_t *out_last_sequence);

/* Called for each message that an ack tells to be in the stream, in the order in which they stand
 * there. */
typedef void bridge_arrived_t(void *context, const bridge_message_t *message);

/* An answer to a ticket; `sequence`: with ACKED, where the stream has the message. Answers come in
 * any order, late or twice: those to what is not in flight any more mean nothing. */
void bridge_flight_answer(bridge_flight_t *f, uint64_t ticket, enum bridge_answer answer,
                          uint64_t sequence, uint64_t now_ns, bridge_arrived_t *arrived,
                          void *context);

/* The connection is lost: what is in flight is uncertain, and no answer to it will come. */
void bridge_flight_lost(bridge_flight_t *f, uint64_t now_ns);

/* Time passes. True: the oldest message has no answer for too long, and the connection is better
 * made anew; told once for each time. */
bool bridge_flight_tick(bridge_flight_t *f, uint64_t now_ns);

/* When tick or should_ask has something to do; UINT64_MAX: never. */
uint64_t bridge_flight_due_ns(const bridge_flight_t *f);

static inline uint64_t bridge_flight_count(const bridge_flight_t *f)
{
    return f->next - f->first;
}
/* The oldest message in flight; NULL: none is. */
const bridge_message_t *bridge_flight_oldest(const bridge_flight_t *f);

#ifdef __cplusplus
}
#endif
#endif
