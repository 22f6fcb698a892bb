/* SPDX-License-Identifier: Apache-2.0 */
/* flight.h - what is on its way to a stream and not acknowledged yet: what may be published next,
 * what it says of the stream before it, what an answer means, when to ask the stream again. The
 * state machine of a bridge, without NATS and without a clock: pure.
 *
 *                 asked: how far is the stream              first refusal, an ack of another
 *    ASKING ---------------------------------> PUBLISHING ------- place, no answer in time ---+
 *     | ^  ^                                                                                  |
 *     | |  +--- connection lost -------- (any state)                                          v
 *     | +---------------- every message in flight is answered, or its time is up ------- DRAINING
 *     |
 *     +--- asked: it was refused for a message of somebody else, too often ---> FENCED (for good)
 *
 * Every message says what it follows, and the server takes it only when that is so:
 *
 *    always                        the sequence of the stream's last message
 *    behind one that is in flight  also the id of that one (topic and sequence on it): it must be
 *                                  the stream's last message
 *
 * and those in flight are of one topic: another topic's turn begins when all of them are answered.
 *
 * The place alone is not enough. Messages that a dead connection has sent may reach the server
 * late, among those of its successor; each then finds the stream as long as it says, but what is at
 * that place may be a message of another topic in the place of one of its own, since nothing but
 * chance orders topics among each other. It would be taken, doubled or in front of one that is
 * missing. The first in flight follows what is in the stream for certain, and each behind it names
 * the one before: so what is taken is always the topic's next message, whatever number of bridges
 * and of dead connections there are. Nothing is said of messages that limits may remove meanwhile.
 *
 * A stream with replicas is written without the id: nats-server 2.9 holds it against what each
 * replica has in memory, and one that was started again, which has nothing there, would drop all
 * that comes. There the same is had by what a dead connection can have on its way, if it has kept
 * to these rules, and as long as there is one bridge alive:
 *
 *    the first message after asking, and the first of a turn, travels alone: with those behind it
 *    in flight, it is in the stream, and is its last message
 *    so more than one late message are of the topic of the stream's last message; who asks takes
 *    that topic first, until it has no more or `sent_max` of it are there: then every place that
 *    they name has the message that they have, or a later one
 *    one place for each message: a loss within them is marked message by message; a mark that
 *    stands for many travels alone
 *
 * An ack tells of its own message alone: one that was refused may have another bridge's message in
 * its place, and the next of ours be taken. So what is known for certain ends at the first message
 * that is not acknowledged, whatever is said of those behind it.
 *
 * After a refusal nobody guesses: the stream says which message of each topic is its last, and the
 * bridge goes on behind that. What was in flight is read again from the ring or the journal.
 *
 * Was it refused for another predecessor, or because it is there, and has the stream grown by more
 * than what of ours may be there, then somebody else has published. That may be the last bytes of a
 * bridge that died, so some are borne; more than `foreign_max` within `foreign_ns` are another
 * bridge.
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
    bool answered; /* the flight's own: so are the next two */
    bool acked;
    bool refused;     /* not by this publishing of it is it in the stream, for certain */
    uint64_t bus_ns;  /* when it was due on the bus; 0: no time */
    uint64_t sent_ns; /* CLOCK_MONOTONIC */
} bridge_message_t;

/* What a message says of the stream before it. */
typedef struct bridge_fence {
    uint64_t last_sequence; /* in the stream, of its last message */
    bool names_message;     /* that is the one before on the same topic: */
    bool last_end;
    uint64_t last_seq;
} bridge_fence_t;

#define BRIDGE_NO_TOPIC UINT32_MAX

/* How far a stream is, as it says itself. */
typedef struct bridge_stream_end {
    uint64_t sequence; /* in the stream, of its last message */
    uint32_t topic;    /* of that; BRIDGE_NO_TOPIC: none of ours, or it was removed */
    uint64_t seq;      /* on that topic */
    bool replicated;   /* ids cannot be held against it */
} bridge_stream_end_t;

typedef struct bridge_flight_options {
    uint32_t capacity;     /* messages in flight; a power of two */
    uint64_t bytes_max;    /* of their payloads together; one message may be more */
    uint64_t answer_ns;    /* without an answer for so long: something is lost */
    uint64_t drain_ns;     /* so long is waited for the answers of the others */
    uint32_t sent_max;     /* messages that any bridge may have had in flight */
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
    /* The message before ticket `first`, which is in the stream for certain: where, of which topic
     * and where on that. */
    uint64_t last_sequence;
    uint32_t last_topic; /* BRIDGE_NO_TOPIC: not known */
    uint64_t last_seq;
    bool replicated;
    /* With replicas: may there be more than one in flight? And the topic that goes first, up to
     * this sequence. */
    bool settled;
    uint32_t owed_topic; /* BRIDGE_NO_TOPIC: none */
    uint64_t owed_seq;
    uint64_t answered;       /* of those in flight */
    uint64_t bytes;          /* in flight */
    uint64_t drain_until_ns; /* DRAINING */
    uint64_t ask_ns;         /* ASKING: not before */
    uint32_t failures;       /* in a row, without an ack in between */
    bool accused;            /* the stream was not what a message said, since it was asked last */
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

/* The stream has answered. In ASKING alone. What was in flight and is not there is counted as sent
 * again. FENCED afterwards, or PUBLISHING. */
void bridge_flight_asked(bridge_flight_t *f, const bridge_stream_end_t *end, uint64_t now_ns);
/* It could not be asked: ask again later. */
void bridge_flight_not_asked(bridge_flight_t *f, uint64_t now_ns);

/* May a message of that topic and of that many bytes be published now? */
bool bridge_flight_has_room(const bridge_flight_t *f, uint32_t topic, uint64_t bytes);
/* Where there is room, but messages from `seq` on are lost: how many of them the next mark may
 * stand for; 0: none before all that is in flight is answered. */
uint64_t bridge_flight_mark_max(const bridge_flight_t *f, uint32_t topic, uint64_t seq);
/* All messages that the topic has were put: nothing more is to be read of it, for now. */
void bridge_flight_dry(bridge_flight_t *f, uint32_t topic);
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
