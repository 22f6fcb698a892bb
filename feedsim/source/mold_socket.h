/* SPDX-License-Identifier: Apache-2.0 */
/* mold_socket.h - a UDP socket that brings datagrams of MoldUDP64, in batches: a line that is
 * listened to, or the way to a request server and back.
 *
 *    the network --> kernel's buffer --recvmmsg, up to 32 at a call--> here --> mold_receiver.h
 *
 * What UDP lets happen, and what is done:
 *
 *    the kernel's buffer is full     it drops, and says how many with the next one (SO_RXQ_OVFL):
 *                                    counted. Its size is what was asked for if that is allowed
 *                                    (root), else as much as net.core.rmem_max lets it be
 *    somebody else sends             a line has one sender: the one whose packet was taken first
 *                                    (mold_socket_heard). Others are counted and not handed out,
 *                                    unless it was silent for `silent_ns`: then the next one whose
 *                                    packet is good takes its place. Or those that are named, alone
 *    a datagram is larger than UDP's largest    cannot be; one that was cut is counted and dropped
 *    an ICMP error of earlier sending           counted
 *
 * A group is bound to by its own address and joined on the interface given, so that only what is
 * sent to it comes here, whatever else this host has joined; several receivers of a host share it.
 * Where senders are named it is joined for each of them alone (source-specific multicast, RFC
 * 3678): others do not even cross the network, and groups of 232/8 and ff3x::/32 can be had.
 * An address of this host is bound to alone: a second receiver would take packets from the first.
 *
 * recvmmsg and not io_uring: a call takes 32 packets when there is a burst, and the work for each
 * of them is that of UDP, which is the same. When nothing comes, a look is a system call; the feed
 * spaces them (feed.c), and a feed that parks sleeps in poll(2).
 *
 * All memory is taken when it is opened. One thread.
 */
#ifndef TICKBUS_FEEDSIM_SOURCE_MOLD_SOCKET_H
#define TICKBUS_FEEDSIM_SOURCE_MOLD_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOLD_SOCKET_BATCH 32u
#define MOLD_SOCKET_BYTES ((size_t)(MOLD_SOCKET_BATCH * 66u) << 10) /* that one takes, at most */

typedef struct mold_socket mold_socket_t;

typedef struct mold_socket_way {
    const char *address;   /* GROUP:PORT or ADDRESS:PORT */
    const char *interface; /* to join the group on; "": as routes say */
    const char *senders;   /* addresses with commas between; "": the first */
    bool connected;        /* a server's address, which is sent to, and whose answers come here */
    uint64_t silent_ns;
    uint64_t receive_bytes; /* SO_RCVBUF */
} mold_socket_way_t;

typedef struct mold_socket_counts {
    uint64_t datagrams;
    uint64_t kernel_drops;  /* datagrams that found no room in the kernel's buffer */
    uint64_t other_senders; /* datagrams that were not handed out */
    uint64_t cut;           /* datagrams */
    uint64_t errors;        /* calls that failed, but for having nothing */
    uint64_t receive_bytes; /* what the buffer came to be */
} mold_socket_counts_t;

/* -TBUS_ECONFIG: no such address or interface; -errno: -EADDRINUSE, -EADDRNOTAVAIL (it is none of
 * this host's) and the like. Cold. */
int mold_socket_open(const mold_socket_way_t *way, mold_socket_t **out_socket, tbus_error_t *err);

/* Take what the kernel has. Requires that mold_socket_next said that there is no more. Returns how
 * many. One system call. */
uint32_t mold_socket_receive(mold_socket_t *s);

/* The next of them, valid until the next mold_socket_receive. False: no more. Hot. */
bool mold_socket_next(mold_socket_t *s, uint64_t now_ns, const uint8_t **out_datagram,
                      size_t *out_bytes);

/* The datagram handed out last was a good one. Hot. */
void mold_socket_heard(mold_socket_t *s, uint64_t now_ns);

/* Of a connected one. False: the kernel did not take it. */
bool mold_socket_send(mold_socket_t *s, const uint8_t *datagram, size_t bytes);

/* Ask the kernel how many it has dropped, of which it has not told yet. A system call. */
void mold_socket_look_at_drops(mold_socket_t *s);

/* Sleep until one of `count` has something, or for `ns`. */
void mold_socket_wait(mold_socket_t *const *sockets, uint32_t count, uint64_t ns);

const mold_socket_counts_t *mold_socket_counts(const mold_socket_t *s);

void mold_socket_close(mold_socket_t *s); /* accepts NULL */

#ifdef __cplusplus
}
#endif
#endif
