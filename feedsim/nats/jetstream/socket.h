/* SPDX-License-Identifier: Apache-2.0 */
/* socket.h - a connection to NATS whose socket is ours: the library connects, logs in and finds the
 * server of a cluster that is there, and from then on it neither reads nor writes; frames go in and
 * out here, in the thread of the caller.
 *
 *    put, put ... --> buffer -- turn: send(2) --> server -- turn: recv(2) --> buffer --> next
 *
 * Through the library a message of the bridge takes some 13,000 instructions to be sent, since each
 * of its headers is an entry of a table and a list, and its answer wakes three threads. Here it is
 * some hundreds, and as many messages as there are go out with one system call.
 *
 * Not with TLS, whose keys are the library's: then nats_socket_open says so.
 */
#ifndef TICKBUS_FEEDSIM_NATS_JETSTREAM_SOCKET_H
#define TICKBUS_FEEDSIM_NATS_JETSTREAM_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "feedsim/nats/frame.h"
#include "feedsim/nats/jetstream/connection.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nats_socket nats_socket_t;

/* Not connected yet. -ENOMEM. Cold. */
int nats_socket_create(nats_socket_t **out_socket, tbus_error_t *err);
void nats_socket_destroy(nats_socket_t *s); /* accepts NULL */

/* Connect, and subscribe to `subject`. Waits, as nats_connection_open. -EPROTONOSUPPORT: the server
 * wants TLS. Cold. */
int nats_socket_open(nats_socket_t *s, const nats_way_t *way, const char *subject,
                     tbus_error_t *err);
void nats_socket_close(nats_socket_t *s);
/* Is it connected, as far as is known? Else why not any more, in `err`, which may be NULL. */
bool nats_socket_is_open(const nats_socket_t *s, tbus_error_t *err);

/* A message, which goes out with the next turn. -ENOBUFS: there is no room, since the network takes
 * nothing; -EMSGSIZE: the server takes none of that size; -ENOTCONN. Hot. */
int nats_socket_put(nats_socket_t *s, const nats_frame_out_t *frame, tbus_error_t *err);
/* So much is waiting to go out that no more should be put. */
bool nats_socket_is_choked(const nats_socket_t *s);

/* Send what was put, as far as the network takes it, and receive what has come; ask the server for
 * a sign of life when nothing has come for a while, and give it up when there is none. Never waits.
 * Up to two system calls. */
void nats_socket_turn(nats_socket_t *s, uint64_t now_ns);
/* The next message that has come; it points into a buffer until the next turn. Answers the server
 * on the way. False: there is none. Hot. */
bool nats_socket_next(nats_socket_t *s, nats_frame_t *out_message);
/* Sleep until something comes, or for `ns`. */
void nats_socket_wait(const nats_socket_t *s, uint64_t ns);

#ifdef __cplusplus
}
#endif
#endif
