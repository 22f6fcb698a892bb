/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gateway/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#define BACKLOG       4096  /* the kernel takes less where somaxconn says so */
#define RECEIVE_BYTES 16384 /* clients send heartbeats; a flood is to fill no memory */
#define HOST_MAX      256

/* "HOST:PORT" or "[HOST]:PORT" in two. False: it is none. */
static bool split(const char *text, char out_host[HOST_MAX], char out_port[8])
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text)
        return false;
    const char *host = text;
    size_t length = (size_t)(colon - text);
    if (*host == '[') {
        if (length < 3 || colon[-1] != ']')
            return false;
        host++;
        length -= 2;
    } else if (memchr(host, ':', length)) {
        return false; /* IPv6 without its brackets */
    }
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (length >= HOST_MAX || colon[1] < '0' || colon[1] > '9' || *end || port > 65535)
        return false;
    memcpy(out_host, host, length);
    out_host[length] = 0;
    snprintf(out_port, 8, "%lu", port);
    return true;
}

int gateway_address_check(const char *text, tbus_error_t *err)
{
    char host[HOST_MAX], port[8];
    return split(text, host, port)
               ? 0
               : tbus_fail(err, -TBUS_ECONFIG,
                           "must be ADDRESS:PORT, such as 127.0.0.1:9000 or [::1]:9000; port 0 "
                           "is any that is free");
}

int gateway_address_find(const char *text, int type, struct addrinfo **out_info, tbus_error_t *err)
{
    char host[HOST_MAX], port[8];
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = type, .ai_flags = AI_NUMERICSERV};
    if (!split(text, host, port))
        return tbus_fail(err, -TBUS_ECONFIG, "'%s' is no address and port: 127.0.0.1:9000", text);
    int found = getaddrinfo(host, port, &hints, out_info);
    return found == 0 ? 0
                      : tbus_fail(err, -TBUS_ECONFIG, "'%s' is no address here: %s", host,
                                  gai_strerror(found));
}

void gateway_peer_address(const struct sockaddr_storage *peer, uint8_t out_address[16],
                          uint16_t *out_port)
{
    memset(out_address, 0, 16);
    *out_port = 0;
    if (peer->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)peer;
        memset(out_address + 10, 0xff, 2);
        memcpy(out_address + 12, &in->sin_addr, 4);
        *out_port = ntohs(in->sin_port);
    } else if (peer->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)peer;
        memcpy(out_address, &in6->sin6_addr, 16);
        *out_port = ntohs(in6->sin6_port);
    }
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

uint16_t gateway_address_port(const struct sockaddr *address)
{
    /* the field is at the same place in both */
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

void gateway_address_set_port(struct sockaddr *address, uint16_t port)
{
    if (address->sa_family == AF_INET)
        ((struct sockaddr_in *)address)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
}

static int set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value);
}

/* A socket that is bound and listens; or -errno. */
static int open_socket(const struct addrinfo *info, const gateway_listen_t *listen_on)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* Connections inherit the sizes, and that nothing waits for an acknowledgement. A port that was
     * ours a moment ago can be had again. */
    if (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
        set_option(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BYTES) < 0 ||
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) < 0 ||
        (listen_on->send_buffer_bytes &&
         set_option(fd, SOL_SOCKET, SO_SNDBUF, (int)listen_on->send_buffer_bytes) < 0) ||
        bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
        int code = -errno;
        close(fd);
        return code;
    }
    return fd;
}

uint16_t gateway_bound_port(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t bytes = sizeof address;
    uint8_t ignored[16];
    uint16_t port = 0;
    if (getsockname(fd, (struct sockaddr *)&address, &bytes) == 0)
        gateway_peer_address(&address, ignored, &port);
    return port;
}

int gateway_listen_open(const gateway_listen_t *listen_on, int *out_fd, uint16_t *out_port,
                        tbus_error_t *err)
{
    struct addrinfo *info = NULL;
    tbus_error_t why = {0};
    const char *text = listen_on->address;
    int code = gateway_address_find(text, SOCK_STREAM, &info, &why);
    if (code < 0)
        return tbus_fail(err, code, "cannot listen on %s: %s", text, why.text);
    if (listen_on->loopback_only && !is_loopback(info->ai_addr)) {
        freeaddrinfo(info);
        return tbus_fail(err, -TBUS_ECONFIG,
                         "will not listen on %s, which others can reach, without knowing who may "
                         "log in: set gateway.users to a file of users, or listen on 127.0.0.1",
                         text);
    }
    int fd = -EADDRINUSE;
    if (gateway_address_port(info->ai_addr) == 0 && listen_on->port_before) {
        gateway_address_set_port(info->ai_addr, listen_on->port_before);
        fd = open_socket(info, listen_on);
        gateway_address_set_port(info->ai_addr, 0);
    }
    if (fd < 0)
        fd = open_socket(info, listen_on);
    freeaddrinfo(info);
    if (fd < 0)
        return tbus_fail(err, fd, "cannot listen on %s: %s", text, tbus_strerror(fd));
    *out_fd = fd;
    *out_port = gateway_bound_port(fd);
    return 0;
}
