/* SPDX-License-Identifier: Apache-2.0 */
/* listen.h - a TCP socket that listens on an address, given as text.
 *
 *    127.0.0.1:9000   [::1]:9000   localhost:9000   0.0.0.0:9000   ADDR:0 (any free port)
 *
 * The addresses of UDP sockets (feedsim/mold) have the same form.
 *
 * Who listens beyond this host lets anybody in who can reach it: that is refused where there are no
 * users. Cold.
 */
#ifndef TICKBUS_FEEDSIM_GATEWAY_LISTEN_H
#define TICKBUS_FEEDSIM_GATEWAY_LISTEN_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <tickbus/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Is the text an address and a port? Names are not looked up. -TBUS_ECONFIG. */
int gateway_address_check(const char *text, tbus_error_t *err);

/* What it stands for, for sockets of `type` (SOCK_STREAM, SOCK_DGRAM): to be freed with
 * freeaddrinfo(3). -TBUS_ECONFIG: none, or no address here. */
int gateway_address_find(const char *text, int type, struct addrinfo **out_info, tbus_error_t *err);

/* The port of an IPv4 or IPv6 address. */
uint16_t gateway_address_port(const struct sockaddr *address);
void gateway_address_set_port(struct sockaddr *address, uint16_t port);

/* That a socket is bound to; 0: none. */
uint16_t gateway_bound_port(int fd);

typedef struct gateway_listen {
    const char *address;        /* as above */
    bool loopback_only;         /* refuse any other address */
    uint32_t send_buffer_bytes; /* SO_SNDBUF of each connection; 0: the system's */
    uint16_t port_before; /* with port 0: the one that was bound before, if it can be had again */
} gateway_listen_t;

/* Bind and listen. The socket is nonblocking and the caller's. -TBUS_ECONFIG: no such address, or
 * not loopback; -errno: -EADDRINUSE and the like. */
int gateway_listen_open(const gateway_listen_t *listen, int *out_fd, uint16_t *out_port,
                        tbus_error_t *err);

/* A peer's address as IPv6 (an IPv4 one as ::ffff:a.b.c.d) and its port. */
void gateway_peer_address(const struct sockaddr_storage *peer, uint8_t out_address[16],
                          uint16_t *out_port);

#ifdef __cplusplus
}
#endif
#endif
