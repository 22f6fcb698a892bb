/* SPDX-License-Identifier: Apache-2.0 */
/* net.h - the sockets of a gateway: connections come, bytes come, bytes go, connections end. One
 * interface and two ways to the kernel: epoll (net_epoll.c) and io_uring (net_uring.c).
 *
 *    what happens     accepted, received, writable, sent, ended, released: calls of `events`, made
 *                     in gateway_net_poll (sent also in gateway_net_send and gateway_net_flush)
 *    what is done     send + flush, shutdown, close
 *
 * A connection is known by its *slot*, a number below slots_max that the owner chooses when it is
 * accepted, and which is its own until `released`. Bytes to be sent stay where they are until
 * `sent` says how many were taken; there is one send of a slot under way at a time, none of them
 * waits, and after gateway_net_flush none is under way.
 *
 * It knows nothing of what the bytes mean. One thread.
 */
#ifndef TICKBUS_FEEDSIM_GATEWAY_NET_H
#define TICKBUS_FEEDSIM_GATEWAY_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <tickbus/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GATEWAY_LISTENERS_MAX 8u
#define GATEWAY_RECEIVE_BYTES 4096u /* of one connection at a poll, at most */
#define GATEWAY_NET_REFUSED   UINT32_MAX

enum gateway_io { GATEWAY_IO_AUTO = 0, GATEWAY_IO_EPOLL = 1, GATEWAY_IO_URING = 2 };

typedef struct gateway_net_events {
    void *context;
    /* Somebody has connected to listener `listener`. Its slot, which must be free; or
     * GATEWAY_NET_REFUSED: it is closed at once. */
    uint32_t (*accepted)(void *context, uint32_t listener, const struct sockaddr_storage *peer);
    /* No more can be accepted for now: out of descriptors or of memory (a negative errno).
     * Accepting is paused until gateway_net_pause(net, false), in which this is called again when
     * it still cannot be. */
    void (*accept_failed)(void *context, int error);
    void (*received)(void *context, uint32_t slot, const uint8_t *bytes, size_t count);
    /* The peer sends no more (0), or the connection is broken (a negative errno). Once. */
    void (*ended)(void *context, uint32_t slot, int error);
    /* A send was short, or -EAGAIN: now it may go on. */
    void (*writable)(void *context, uint32_t slot);
    /* What became of the send: bytes taken, maybe fewer than there were, or a negative errno. */
    void (*sent)(void *context, uint32_t slot, int32_t result);
    /* After gateway_net_close: nothing of the connection is left; the slot is free. */
    void (*released)(void *context, uint32_t slot);
} gateway_net_events_t;

typedef struct gateway_net gateway_net_t;

/* -TBUS_EKIND: `io` is URING, and the kernel does not have it or forbids it; -ENOMEM, -errno. AUTO
 * is EPOLL. In the thread that makes all further calls. Cold. */
int gateway_net_create(enum gateway_io io, uint32_t slots_max, const gateway_net_events_t *events,
                       gateway_net_t **out_net, tbus_error_t *err);
/* Closes all connections and listeners at once, without events. Accepts NULL. */
void gateway_net_destroy(gateway_net_t *net);
const char *gateway_net_name(const gateway_net_t *net);

/* Accept from that socket, which listens and is nonblocking. It is owned from then on, also when
 * this fails. Listeners are numbered in the order of these calls. */
int gateway_net_listen(gateway_net_t *net, int fd, tbus_error_t *err);
/* Accept nobody, or again; those who connect meanwhile wait. */
void gateway_net_pause(gateway_net_t *net, bool paused);
/* Accept nobody any more, and refuse those who wait. */
void gateway_net_close_listeners(gateway_net_t *net);

/* Take what has happened, for which it waits up to `wait_ns` when there is nothing; 0: it does not
 * wait. True: something had happened. A system call, of two when it waits. */
bool gateway_net_poll(gateway_net_t *net, uint64_t wait_ns);

/* Send. The slot has no send under way. It goes out with the next flush at the latest. */
void gateway_net_send(gateway_net_t *net, uint32_t slot, const uint8_t *bytes, size_t count);
void gateway_net_flush(gateway_net_t *net);

/* Nothing more will be sent: the peer gets a FIN behind what was. */
void gateway_net_shutdown(gateway_net_t *net, uint32_t slot);
/* Close. No event of the connection follows but `released`, in some later poll. Again is
 * harmless. */
void gateway_net_close(gateway_net_t *net, uint32_t slot);

#ifdef __cplusplus
}
#endif
#endif
