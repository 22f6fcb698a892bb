/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - a topic of the bus as a MoldUDP64 session, in one thread.
 *
 *    ring, journal -- stream --> packets (packets.h) --> sender (sender.h) --> the network
 *                                    requests (requests.h) <--> receivers that have lost some
 *
 * Sequences are those of the gateway (feedsim/gateway/stream.h): 1 is the first message that the
 * topic ever had. A message goes out at once when nothing else waits, and with others in a packet
 * when they wait: a packet is sent when it is full, or when the topic has nothing more.
 *
 * It follows the topic as an observer and holds nobody up. When the ring has gone round before it
 * was read, it goes on from the journal; what is not there either is left out, which every receiver
 * sees by the sequences, and is counted as lost.
 *
 * Whoever is started in the place of one that died goes on behind the last packet that this one is
 * known to have sent. What was sent and not noted yet goes out twice: the same messages with the
 * same sequences.
 *
 *    create   the sockets are there
 *    start    the topic is found
 *    turn ... sleep ...
 *    finish   no more is published: the rest, then the end of the session, again and again
 *    destroy
 *
 * What is shown of it: board.h.
 */
#ifndef TICKBUS_FEEDSIM_MOLD_SERVER_H
#define TICKBUS_FEEDSIM_MOLD_SERVER_H

#include <stdint.h>

#include <tickbus/bus.h>

#include "feedsim/mold/board.h"
#include "feedsim/mold/requests.h"
#include "feedsim/mold/sender.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct moldout_options {
    moldout_way_t way;
    const char *topic;
    uint32_t datagram_max;               /* bytes of a packet, header included */
    uint64_t window_bytes;               /* packets that are kept for requests */
    uint64_t end_ns;                     /* for so long the end of the session is repeated */
    moldout_requests_options_t requests; /* listen NULL: nobody may ask; port_before is not looked
                                            at */
} moldout_options_t;

typedef struct moldout_server moldout_server_t;

/* Open the sockets. `journal` may be NULL; it, `bus`, the texts in `options` and `board` must
 * outlive the server. `board` NULL: nothing is shown. Errors say what to do. In the process that
 * serves, after any fork(2). Cold. */
int moldout_server_create(tbus_bus_t *bus, const char *journal, const moldout_options_t *options,
                          moldout_board_t *board, moldout_server_t **out_server, tbus_error_t *err);

/* Find the topic, and send a heartbeat. `session_name`: up to 10 characters. Cold. */
int moldout_server_start(moldout_server_t *s, const char *session_name, tbus_error_t *err);

/* Where requests go; 0: there are none. For tests. */
uint16_t moldout_server_requests_port(const moldout_server_t *s);

/* One turn, up to `messages` of the topic. Something was done (> 0), nothing to do (0), or the
 * server cannot go on (< 0). */
int moldout_server_turn(moldout_server_t *s, uint32_t messages, tbus_error_t *err);

/* After a turn with nothing to do: sleep until something is due, or `until_ns` of CLOCK_MONOTONIC;
 * not long, since no ring rings for us. */
void moldout_server_sleep(moldout_server_t *s, uint64_t until_ns);

/* Nothing is published any more: send what is left, then that the session is over, for `end_ns` of
 * the options. */
void moldout_server_finish(moldout_server_t *s);

void moldout_server_destroy(moldout_server_t *s); /* accepts NULL */

#ifdef __cplusplus
}
#endif
#endif
