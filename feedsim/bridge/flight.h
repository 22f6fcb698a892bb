/* SPDX-License-Identifier: Apache-2.0 */
/* flight.h - what is on its way to a stream and not acknowledged yet: what may be published next,
 * what it says of the stream before it, what an answer means, when to ask the stream again. The
 * state machine of a bridge, without NATS and without a clock: pure.
 *
 *                 asked: how far is the stream              first refusal, an ack of another
 *    ASKING ---------------------------------> PUBLISHING ------- place, no answer in time ---+
 *      ^  ^                                                                                   |
 *      |  +--- connection lost -------- (any state)                                           v
 *      +---------------- every message in flight is answered, or its time is up --------- DRAINING
 *      |
 *      +--- refused too often though nothing of ours was uncertain ---> FENCED (for good)
 *
 * Every message says what it follows, and the server takes it only when that is so:
 *
 *    always                               the sequence of the stream's last message
 *    behind one of its own topic that     also the id of that one (topic and sequence on it): it
 *    is in flight                         must be the stream's last message
 *    behind one of another topic that     also the place of its own topic's last message, which is
 *    is in flight                         known for certain: it must be the topic's last. So none
 *                                         of its own topic may be in flight then; it waits for that
 *
 * The place alone is not enough. Messages that a dead connection has sent may reach the server
 * late, among those of its successor; each then finds the stream as long as it says, but what is at
 * that place may be a message of another topic in the place of one of its own, since nothing but
 * chance orders topics among each other. It would be taken, doubled or in front of one that is
 * missing. With the id, or the topic's place, what is taken is always the topic's next message,
 * whatever number of bridges and of dead connections there are.
 *
 * A stream with replicas is written without the id: nats-server 2.9 holds it against what each
 * replica has in memory, and one that was started again, which has nothing there, would drop all
 * that comes. With one topic the place is enough. With several, a late message of a dead connection
 * can still be taken there, if it meets just its place and no message in flight.
 *
 * An ack tells of its own message alone: one that was refused may have another bridge's message in
 * its place, and the next of ours be taken. So what is known for certain ends at the first message
 * that is not acknowledged, whatever is said of those behind it.
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
    BRIDGE_DOUBLED = 4,  /* the stream has it, from an earlier connection */
    BRIDGE_WRONG = 5     /* any other error: not stored */
};

typedef struct bridge_message {
    uint32_t topic; /* index */
    uint32_t bytes;
    uint64_t seq;
    uint64_t lost; /* not a message: stands for so many that could not be read, up to `seq` */
    bool end;      /* likewise: the end of the topic */
    bool answered; /* the flight's own: so is the next */
    bool acked;
    uint64_t bus_ns;  /* when it was due on the bus; 0: no time */
    uint64_t sent_ns; /* CLOCK_MONOTONIC */
} bridge_message_t;

/* What a message says of the stream before it. */
typedef struct bridge_fence {
    uint64_t last_sequence; /* in the stream, of its last message */
    bool names_message;     /* that is the one before on the same topic: */
    bool last_end;
    uint64_t last_seq;
    bool names_topic; /* the topic's last message is at this place in the stream; 0: none */
    uint64_t topic_sequence;
} bridge_fence_t;

#define BRIDGE_FLIGHT_TOPICS_MAX 8u

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
    uint64_t last_sequence; /* in the stream, of the message before ticket `first` */
    /* Of each topic: where in the stream its last message is, of those that are there for certain,
     * and how many are in flight. */
    uint64_t topic_sequences[BRIDGE_FLIGHT_TOPICS_MAX];
    uint32_t topic_counts[BRIDGE_FLIGHT_TOPICS_MAX];
    uint64_t answered;       /* of those in flight */
    uint64_t bytes;          /* in flight */
    uint64_t drain_until_ns; /* DRAINING */
    uint64_t ask_ns;         /* ASKING: not before */
    uint32_t failures;       /* in a row, without an ack in between */
    uint32_t foreign;        /* refusals by somebody else, since foreign_since_ns */
    uint64_t foreign_since_ns;
    enum bridge_answer trouble; /* what ended the last PUBLISHING; ACKED: nothing did */
    /* ever */
    uint64_t acknowledged, refusals, resent, asked;
} bridge_flight_t;

void bridge_flight_init(bridge_flight_t *f, const bridge_flight_options_t *options,
                        bridge_message_t *messages);

/* ASKING, and it is time: ask the stream. */
bool bridge_flight_should_ask(const bridge_flight_t *f, uint64_t now_ns);

/* The stream has answered: where its last message is, and that of each of `count` topics (0: there
 * is none). In ASKING alone. What was in flight and is not there is counted as sent again. */
void bridge_flight_asked(bridge_flight_t *f, uint64_t last_sequence,
                         const uint64_t *topic_sequences, uint32_t count);
/* It could not be asked: ask again later. */
void bridge_flight_not_asked(bridge_flight_t *f, uint64_t now_ns);

/* May a message of that topic and of that many bytes be published now? */
bool bridge_flight_has_room(const bridge_flight_t *f, uint32_t topic, uint64_t bytes);
/* It is published: its ticket, and what it says of the stream before it. Requires
 * bridge_flight_has_room. */
uint64_t bridge_flight_put(bridge_flight_t *f, const bridge_message_t *message,
                           bridge_fence_t *out_fence);

/* Called for each message that is in the stream for certain, in the order in which they stand
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

/* When tick or should_ask has something to do; UINT64_MAX: never. It is for tests. */
uint64_t bridge_flight_due_ns(const bridge_flight_t *f);

static inline uint64_t bridge_flight_count(const bridge_flight_t *f)
{
    return f->next - f->first;
}
/* A message in flight: tickets from f->first up to f->next. */
const bridge_message_t *bridge_flight_message(const bridge_flight_t *f, uint64_t ticket);
/* The oldest message in flight; NULL: none is. */
const bridge_message_t *bridge_flight_oldest(const bridge_flight_t *f);

#ifdef __cplusplus
}
#endif
#endif
