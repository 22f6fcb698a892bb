/* SPDX-License-Identifier: Apache-2.0 */
/* tcp.c - TCP over the loopback interface, as it comes (Nagle's algorithm on) and with TCP_NODELAY.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/ipc/byte_stream.h"
#include "tools/measure/proc_value.h"

typedef struct tcp {
    ipc_byte_stream_t stream; /* first: byte_stream.h wants it there */
    int listen_fd;
    struct sockaddr_in address;
} tcp_t;

static int tcp_setup(ipc_session_t *s, tbus_error_t *err)
{
    tcp_t *m = (tcp_t *)aligned_alloc(64, (sizeof *m + 63) & ~(size_t)63);
    if (!m)
        return tbus_fail(err, -ENOMEM, "tcp: no memory");
    ipc_byte_stream_init(&m->stream);
    s->state = m;
    m->address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof m->address;
    m->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (m->listen_fd < 0 || bind(m->listen_fd, (struct sockaddr *)&m->address, bytes) < 0 ||
        listen(m->listen_fd, 1) < 0 ||
        getsockname(m->listen_fd, (struct sockaddr *)&m->address, &bytes) < 0)
        return tbus_fail(err, -errno, "tcp: cannot listen on 127.0.0.1: %s", strerror(errno));
    return 0;
}

static void tcp_close_listener(ipc_session_t *s)
{
    tcp_t *m = (tcp_t *)s->state;
    if (m->listen_fd >= 0)
        close(m->listen_fd);
    m->listen_fd = -1;
}

static int tcp_open(ipc_session_t *s, tbus_error_t *err)
{
    tcp_t *m = (tcp_t *)s->state;
    int fd;
    if (s->role == IPC_SERVER) {
        fd = accept4(m->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    } else {
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (const struct sockaddr *)&m->address, sizeof m->address) < 0) {
            int code = tbus_fail(err, -errno, "tcp: cannot connect: %s", strerror(errno));
            close(fd);
            return code;
        }
    }
    if (fd < 0)
        return tbus_fail(err, -errno, "tcp: no connection: %s", strerror(errno));
    tcp_close_listener(s);
    m->stream.in_fd = m->stream.out_fd = fd;
    return 0;
}

static int tcp_nodelay_open(ipc_session_t *s, tbus_error_t *err)
{
    int code = tcp_open(s, err);
    if (code < 0)
        return code;
    int on = 1;
    if (setsockopt(((const tcp_t *)s->state)->stream.in_fd, IPPROTO_TCP, TCP_NODELAY, &on,
                   sizeof on) < 0)
        return tbus_fail(err, -errno, "tcp: TCP_NODELAY: %s", strerror(errno));
    return 0;
}

static void tcp_cleanup(ipc_session_t *s)
{
    if (!s->state)
        return;
    tcp_close_listener(s);
    free(s->state);
    s->state = NULL;
}

static void tcp_limits(char *text, size_t text_bytes)
{
    snprintf(
        text, text_bytes,
        "send buffer %lld..%lld B (net.ipv4.tcp_wmem), receive %lld..%lld B (tcp_rmem), "
        "backlog %lld "
        "(somaxconn)",
        proc_value("/proc/sys/net/ipv4/tcp_wmem", 1), proc_value("/proc/sys/net/ipv4/tcp_wmem", 2),
        proc_value("/proc/sys/net/ipv4/tcp_rmem", 1), proc_value("/proc/sys/net/ipv4/tcp_rmem", 2),
        proc_value("/proc/sys/net/core/somaxconn", 0));
}

const ipc_mechanism_t ipc_tcp = {
    .name = "tcp",
    .what = "TCP over loopback, Nagle's algorithm on",
    .family = "network socket",
    .scope = "network",
    .bound = "socket buffers",
    .persistence = "gone with its connection",
    .typical_use = "anything over a network; bulk",
    .in_tickbus = "a yardstick",
    .transfers_data = true,
    .sleeps = true,
    .synchronises = true,
    .setup = tcp_setup,
    .open = tcp_open,
    .release = tcp_close_listener,
    .send = ipc_byte_stream_send,
    .receive = ipc_byte_stream_receive,
    .cleanup = tcp_cleanup,
    .limits = tcp_limits,
};

const ipc_mechanism_t ipc_tcp_nodelay = {
    .name = "tcp_nodelay",
    .what = "TCP over loopback, TCP_NODELAY",
    .family = "network socket",
    .scope = "network",
    .bound = "socket buffers",
    .persistence = "gone with its connection",
    .typical_use = "small messages over a network, at once",
    .in_tickbus = "a yardstick: there is no gateway to other hosts",
    .transfers_data = true,
    .sleeps = true,
    .synchronises = true,
    .setup = tcp_setup,
    .open = tcp_nodelay_open,
    .release = tcp_close_listener,
    .send = ipc_byte_stream_send,
    .receive = ipc_byte_stream_receive,
    .cleanup = tcp_cleanup,
    .limits = tcp_limits,
};
