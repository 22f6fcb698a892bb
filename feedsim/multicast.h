/* SPDX-License-Identifier: Apache-2.0 */
/* multicast.h - what senders and receivers of UDP must know of an address. */
#ifndef TICKBUS_FEEDSIM_MULTICAST_H
#define TICKBUS_FEEDSIM_MULTICAST_H

#include <stdbool.h>

#include <netinet/in.h>
#include <sys/socket.h>

/* Is it the address of a group? Of IPv4 and IPv6; no other is. */
static inline bool multicast_is_group(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return IN_MULTICAST(
            ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr));
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_MULTICAST(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

#endif
