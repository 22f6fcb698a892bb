/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - a gateway: SoupBinTCP sessions of one or more topics, over TCP, in one thread.
 *
 *    ring, journal --> channels (channel.h) --> sessions (session.h) --> sockets (net.h)
 *                          past (backfill.h) -----^
 *
 * One turn of a server: what came over the sockets; what came on the topics; sends for sessions
 * that are live; sends for those that are behind, and some reading for them; now and then what is
 * due (heartbeats, deadlines, policies, the board). Each part is bounded, so that nobody waits for
 * a session that is slow, late or hostile: a client is a cursor, and costs nothing while its socket
 * is full.
 *
 * It stands on a bus and its journal, on a bus alone, or on a journal alone: the stage `gateway`
 * (feedsim/gateway/stage.h) and `busctl serve-journal` drive the same server.
 *
 *    create   addresses are bound: clients may connect, and wait
 *    start    the topics are found and followed
 *    turn ... sleep ...
 *    finish   no more is published: each session gets the rest, then End of Session
 *    destroy
 *
 * What clients are told: an answer to the login; messages; heartbeats; debug packets with digests
 * (bus/wire/soup_proof.h) and, before it is cut off, why. What is shown of it: board.h.
 */
#ifndef TICKBUS_FEEDSIM_GATEWAY_SERVER_H
#define TICKBUS_FEEDSIM_GATEWAY_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/bus.h>
#include <tickbus/market/market.h>

#include "bus/wire/soup.h"
#include "feedsim/gateway/board.h"
#include "feedsim/gateway/net.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gateway_options {
    uint32_t channels_count;
    struct {
        const char *topic;
        const char *address; /* listen.h */
    } channels[GATEWAY_CHANNELS_MAX];
    /* Of these limits: there is one channel, whose topic is of ticks, and what its clients get are
     * its books as they are when they log in (glimpse.h), instead of its messages. NULL: none */
    const market_limits_t *books;
    const char *users; /* file (users.h); NULL: any login is let in, on loopback only */
    enum gateway_io io;
    uint64_t window_bytes;   /* of each channel's live edge */
    uint64_t backfill_bytes; /* of the past, for all channels */
    uint32_t backfill_readers;
    uint32_t send_buffer_bytes; /* SO_SNDBUF of each session */
    uint32_t sessions_max;      /* at most GATEWAY_SESSIONS_MAX */
    uint32_t sessions_per_user; /* 0: no limit, as the next */
    uint32_t sessions_per_address;
    uint32_t logins_max; /* connections that have not logged in yet */
    uint64_t lag_max;    /* messages; 0: no limit */
    uint64_t idle_ns;    /* taking nothing though there is something; 0: no limit */
    uint64_t linger_ns;  /* at the end, for sessions that have not got everything */
    soup_times_t times;
} gateway_options_t;

typedef struct gateway_server gateway_server_t;

/* Load the users and bind the addresses. `bus` may be NULL, `journal` as well, not both; these, the
 * texts in `options` and `board` must outlive the server. `board` NULL: nothing is shown. Errors
 * say what to do. In the process that serves, after any fork(2). Cold. */
int gateway_server_create(tbus_bus_t *bus, const char *journal, const gateway_options_t *options,
                          gateway_board_t *board, gateway_server_t **out_server, tbus_error_t *err);

/* Find the topics. `session_name`: what clients may ask for, up to 10 characters. Cold. */
int gateway_server_start(gateway_server_t *s, const char *session_name, tbus_error_t *err);

/* One turn. Something was done (> 0), nothing to do (0), or the server cannot go on (< 0). */
int gateway_server_turn(gateway_server_t *s, uint32_t messages, tbus_error_t *err);

/* After a turn with nothing to do: sleep until a packet comes, something is due, or `until_ns` of
 * CLOCK_MONOTONIC; not long, since no ring rings for us. */
void gateway_server_sleep(gateway_server_t *s, uint64_t until_ns);

/* The limits that it goes by. */
gateway_limits_t gateway_options_limits(const gateway_options_t *options);

/* Read the file of users again, if there is one, and take other limits: all of it or nothing. A
 * session whose user is gone, or may not have its topic any more, is told so and ended; one whose
 * password alone has changed goes on; sessions beyond a new number stay. Errors of
 * gateway_users_load; then nothing has changed. A server with a board does so by itself when
 * somebody has put limits there, and says in a note what was wrong. Cold. */
int gateway_server_reload(gateway_server_t *s, const gateway_limits_t *limits, tbus_error_t *err);

/* Nothing is published any more. Serve until every session that is there has everything and has
 * closed, or linger_ns of the options is over; those that have not got everything are told so. */
void gateway_server_finish(gateway_server_t *s);

/* What whoever started it should know, though it works: io_uring cannot be had. "": nothing. */
const char *gateway_server_remark(const gateway_server_t *s);

/* What a client connects to: the port of a channel. */
uint16_t gateway_server_port(const gateway_server_t *s, uint32_t channel);

void gateway_server_destroy(gateway_server_t *s); /* accepts NULL */

#ifdef __cplusplus
}
#endif
#endif
