/* SPDX-License-Identifier: Apache-2.0 */
/* sender.h - the UDP socket that packets go out of, to a group or to one address, and what is done
 * when the kernel does not take them.
 *
 *    packets.h: sealed, to be sent -- sendmmsg, up to 64 at a call --> the network
 *
 * UDP promises nothing, so a packet counts as sent when the kernel has taken it. When it does not,
 * that packet is given up, or tried again; those behind it are tried in any case:
 *
 *    no room now (EAGAIN, ENOBUFS)     tried again at later turns, for 20 ms; then given up, and
 *                                      so is each one behind it that there is no room for, until
 *                                      one was taken
 *    nobody listens (ECONNREFUSED)     that is the answer to an earlier packet: counted, and this
 *                                      one is sent
 *    no way (ENETUNREACH, ENETDOWN)    given up at once, and ten times a second the socket is
 *                                      connected again, should a route have come back
 *    not this one (EMSGSIZE, EPERM)    given up at once. One that is too large can never go: that
 *                                      is counted apart, and told with what to do. A packet filter
 *                                      may let the next one pass
 *
 * What is given up is counted, and stays among the packets that are kept: it can be requested.
 * Nobody but the sender itself is ever held up.
 *
 * sendmmsg and not io_uring: one call takes 64 packets, so the call itself is a small part of what
 * the kernel does for each packet, and io_uring does that same work.
 *
 * One thread. On the data path: feedsim/mold/packets.h -> here -> the network.
 */
#ifndef TICKBUS_FEEDSIM_MOLD_SENDER_H
#define TICKBUS_FEEDSIM_MOLD_SENDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <tickbus/error.h>

#include "feedsim/mold/board.h"
#include "feedsim/mold/packets.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MOLDOUT_BATCH 64u /* packets of one call */

typedef struct moldout_way {
    const char *to;             /* ADDRESS:PORT or GROUP:PORT (feedsim/gateway/listen.h) */
    const char *interface;      /* for a group: name of the interface; "": as routes say */
    uint32_t ttl;               /* for a group: how many routers it may pass */
    bool loopback;              /* for a group: may this host hear it, too? */
    uint32_t send_buffer_bytes; /* SO_SNDBUF; 0: the system's */
} moldout_way_t;

typedef struct moldout_sender {
    int fd;
    bool connected;
    struct sockaddr_storage to;
    socklen_t to_bytes;
    uint64_t blocked_ns;   /* since when there is no room; 0: there is */
    uint64_t reconnect_ns; /* not before */
    int error;             /* of the packet that was given up last; 0: none was in the last flush */
    uint64_t error_seq;    /* of its first message */
    uint32_t error_bytes;  /* of it */
    uint64_t *totals;      /* MOLDOUT_TOTALS_COUNT; whoever made it has them */
} moldout_sender_t;

/* The socket. A network that cannot be reached now is no error: it may come. -TBUS_ECONFIG: no such
 * address or interface; -errno: an option that was refused, named. Cold. */
int moldout_sender_create(const moldout_way_t *way, uint64_t totals[MOLDOUT_TOTALS_COUNT],
                          moldout_sender_t *out_sender, tbus_error_t *err);
void moldout_sender_destroy(moldout_sender_t *s);

/* Send what waits. Returns packets that were taken or given up: 0 when there is no room, or when
 * nothing waits. One system call for each 64 packets, and for each that is given up; of those at
 * most 64 in one call. */
uint32_t moldout_sender_flush(moldout_sender_t *s, moldout_packets_t *packets, uint64_t now_ns);

/* One datagram that is not among them: heartbeat, end, a message that is larger than packets are,
 * with its sequence. False: the kernel did not take it. */
bool moldout_sender_put(moldout_sender_t *s, const uint8_t *datagram, size_t bytes, uint64_t seq,
                        uint64_t now_ns);

#ifdef __cplusplus
}
#endif
#endif
