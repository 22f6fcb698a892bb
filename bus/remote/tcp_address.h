/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_address.h - HOST:PORT as the addresses that it stands for. Cold. */
#ifndef TICKBUS_REMOTE_TCP_ADDRESS_H
#define TICKBUS_REMOTE_TCP_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>

#include <tickbus/error.h>

#define TCP_ADDRESSES_MAX 8u

typedef struct tcp_address {
    struct sockaddr_storage address;
    socklen_t bytes;
} tcp_address_t;

/* `text`: HOST:PORT or [ADDRESS]:PORT, the port a number from 1 to 65535. Looks a name up, which
 * may take as long as the system's resolver lets it. Returns how many addresses were put, at most
 * TCP_ADDRESSES_MAX; -EINVAL: not of that form; -ENXIO: no such host. */
int tcp_address_find(const char *text, tcp_address_t out_addresses[TCP_ADDRESSES_MAX],
                     tbus_error_t *err);

#endif
