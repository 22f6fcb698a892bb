/* SPDX-License-Identifier: Apache-2.0 */
/* bridge.h - topics of the bus, on a NATS JetStream stream, exactly once and in order; one thread
 * and those of the NATS library.
 *
 *    rings, journal -- streams (feedsim/gateway/stream.h) --> bridge -- publisher.h --> NATS
 *                                                               ^  |
 *                                                               |  v
 *                                                         flight.h: what is on its way
 *
 * What is in the stream is in layout.h. It follows its topics as an observer and holds nobody up.
 * When NATS is slow or gone, the rings go round and the bridge goes on from the journal, if any;
 * without a journal what was lost is said in the stream itself, in the place of the messages
 * (Tickbus-Type: lost), and counted.
 *
 * Its memory of how far it is is the stream: after every death, loss or refusal it asks for the
 * last message of each topic and goes on behind it. Should the limits of the stream have removed a
 * topic's last message, the board of this bus says how far it was.
 *
 *    create   nothing is connected
 *    start    the topics are found; then the stream, or the reason why there is none: before the
 *             bus has messages, if that can be
 *    turn ... sleep ...
 *    finish   no more is published: the rest, then the end of each topic
 *    destroy
 */
#ifndef TICKBUS_FEEDSIM_BRIDGE_BRIDGE_H
#define TICKBUS_FEEDSIM_BRIDGE_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/bus.h>

#include "feedsim/bridge/board.h"
#include "feedsim/nats/jetstream/publisher.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BRIDGE_IN_FLIGHT_MAX 65536u

typedef struct bridge_options {
    nats_way_t way;
    nats_stream_wish_t wish; /* bus and session are filled in by the bridge */
    uint32_t topics_count;
    const char *topics[BRIDGE_TOPICS_MAX];
    uint32_t in_flight_max; /* messages; a power of two */
    uint64_t in_flight_bytes;
    bool symbols; /* the subject of a message has its symbol, where it is known */
} bridge_options_t;

typedef struct bridge bridge_t;

/* `journal` may be NULL; it, `bus`, the texts in `options` and `board` must outlive the bridge.
 * `board` NULL: nothing is shown. -TBUS_ECONFIG: a topic twice, too many. Cold. */
int bridge_create(tbus_bus_t *bus, const char *journal, const bridge_options_t *options,
                  bridge_board_t *board, bridge_t **out_bridge, tbus_error_t *err);

/* Find the topics, connect, and ask how far the stream is. The first bridge of a bus has to
 * succeed, so that a wrong password is an error of the start; only where the server serves no
 * streams yet, as in a cluster that elects, it is tried for ten seconds more. One that takes the
 * place of another goes on trying. Waits. Cold. */
int bridge_start(bridge_t *b, tbus_error_t *err);

/* One turn. Something was done (> 0), nothing to do (0), or it cannot go on (< 0): the stream is
 * another session's, another bridge publishes to it, a topic cannot be read. */
int bridge_turn(bridge_t *b, tbus_error_t *err);

/* After a turn with nothing to do: sleep until an answer comes, or something is due, or `until_ns`
 * of CLOCK_MONOTONIC; not long, since no ring rings for us. */
void bridge_sleep(bridge_t *b, uint64_t until_ns);

/* Of topic `index` of the options: the sequence that is read and published next. */
uint64_t bridge_next_seq(const bridge_t *b, uint32_t index);

/* Every topic has ended, and the stream has all of it. */
bool bridge_is_complete(const bridge_t *b);

/* Nothing is published on the bus any more: send what is left, for up to `limit_ns`. 0: the stream
 * has all; -TBUS_ESTOPPED: it has not, and err says what it lacks; else as bridge_turn. */
int bridge_finish(bridge_t *b, uint64_t limit_ns, tbus_error_t *err);

void bridge_destroy(bridge_t *b); /* accepts NULL */

#ifdef __cplusplus
}
#endif
#endif
