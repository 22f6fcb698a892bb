/* SPDX-License-Identifier: Apache-2.0 */
/* udp.c - UDP over the loopback interface: a connected pair of sockets.
 *
 * UDP drops what the receiver's buffer cannot take. Nobody who must have every message sends
 * without a window: here at most WINDOW datagrams are under way, and the receiver acknowledges
 * every half of it. (Market data over UDP has no window; it has a second line and a recovery
 * service.)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/measure/proc_value.h"
#include "tools/ipc/mechanism.h"

/* Small datagrams occupy 768 B of socket buffer each, whatever they carry: 64 of them fit the
 * default buffer of 208 KiB many times. */
#define WINDOW         64u
#define WINDOW_LARGE   2u /* of datagrams that nearly fill a buffer */
#define DATAGRAM_MAX   65507u
#define ACK_BYTES      1u
#define RECEIVE_BUFFER (2 << 20) /* asked for; the host gives at most net.core.rmem_max */

typedef struct udp {
    int fds[2]; /* by role; -1: none */
    uint32_t window;
    uint32_t under_way;      /* sent and not acknowledged */
    uint32_t unacknowledged; /* received and not acknowledged */
} udp_t;

static int udp_setup(ipc_session_t *s, tbus_error_t *err)
{
    udp_t *m = (udp_t *)calloc(1, sizeof *m);
    if (!m)
        return tbus_fail(err, -ENOMEM, "udp: no memory");
    m->fds[0] = m->fds[1] = -1;
    m->window = s->message_bytes > 2048 ? WINDOW_LARGE : WINDOW;
    s->state = m;
    struct sockaddr_in addresses[2];
    for (int role = 0; role < 2; role++) {
        addresses[role] =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t bytes = sizeof addresses[role];
        m->fds[role] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (m->fds[role] < 0 ||
            bind(m->fds[role], (struct sockaddr *)&addresses[role], bytes) < 0 ||
            getsockname(m->fds[role], (struct sockaddr *)&addresses[role], &bytes) < 0)
            return tbus_fail(err, -errno, "udp: cannot bind to 127.0.0.1: %s", strerror(errno));
        int buffer_bytes = RECEIVE_BUFFER;
        setsockopt(m->fds[role], SOL_SOCKET, SO_RCVBUF, &buffer_bytes,
                   sizeof buffer_bytes); /* the window does without */
    }
    for (int role = 0; role < 2; role++)
        if (connect(m->fds[role], (const struct sockaddr *)&addresses[!role], sizeof addresses[0]) <
            0)
            return tbus_fail(err, -errno, "udp: cannot connect: %s", strerror(errno));
    return 0;
}

static void close_role(udp_t *m, int role)
{
    if (m->fds[role] >= 0)
        close(m->fds[role]);
    m->fds[role] = -1;
}

static int udp_open(ipc_session_t *s, tbus_error_t *err)
{
    (void)err;
    close_role((udp_t *)s->state, !s->role);
    return 0;
}

static ssize_t receive_datagram(ipc_session_t *s, void *into, size_t room)
{
    ssize_t n;
    while ((n = ipc_call(s, recv(((const udp_t *)s->state)->fds[s->role], into, room, MSG_TRUNC))) <
           0)
        if (errno != EINTR)
            return -errno;
    return n;
}

static int send_datagram(ipc_session_t *s, const void *bytes, size_t count)
{
    while (ipc_call(s, send(((const udp_t *)s->state)->fds[s->role], bytes, count, 0)) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* In an exchange that goes back and forth the answer acknowledges; only a stream ever waits
 * here. */
static int udp_send(ipc_session_t *s, const void *message)
{
    udp_t *m = (udp_t *)s->state;
    m->unacknowledged = 0;
    if (m->under_way == m->window) {
        unsigned char ack;
        ssize_t n = receive_datagram(s, &ack, sizeof ack);
        if (n < 0)
            return (int)n;
        if (n != ACK_BYTES)
            return -EPROTO;
        m->under_way -= m->window / 2;
    }
    m->under_way++;
    return send_datagram(s, message, s->message_bytes);
}

static int udp_receive(ipc_session_t *s, const void **out_message)
{
    udp_t *m = (udp_t *)s->state;
    if (m->unacknowledged == m->window / 2) {
        m->unacknowledged = 0;
        int code = send_datagram(s, "", ACK_BYTES);
        if (code < 0)
            return code;
    }
    ssize_t n = receive_datagram(s, s->buffer, s->message_bytes);
    if (n < 0)
        return (int)n;
    if ((size_t)n != s->message_bytes)
        return -EMSGSIZE;
    m->under_way = 0;
    m->unacknowledged++;
    *out_message = s->buffer;
    return 0;
}

static void udp_release(ipc_session_t *s)
{
    close_role((udp_t *)s->state, IPC_CLIENT);
    close_role((udp_t *)s->state, IPC_SERVER);
}

static void udp_cleanup(ipc_session_t *s)
{
    if (!s->state)
        return;
    udp_release(s);
    free(s->state);
    s->state = NULL;
}

static void udp_limits(char *text, size_t text_bytes)
{
    snprintf(text, text_bytes,
             "datagram %u B, receive buffer %lld B, at most %lld B (net.core.rmem_max)",
             DATAGRAM_MAX, proc_value("/proc/sys/net/core/rmem_default", 0),
             proc_value("/proc/sys/net/core/rmem_max", 0));
}

const ipc_mechanism_t ipc_udp = {
    .name = "udp",
    .what = "UDP over loopback, with an acknowledged window so that none is lost",
    .family = "network socket",
    .scope = "network",
    .bound = "receive buffer; what is beyond is lost",
    .persistence = "gone with its socket",
    .typical_use = "market data feeds, multicast",
    .in_tickbus = "a yardstick: the feed is read from files and FIFOs",
    .transfers_data = true,
    .sleeps = true,
    .synchronises = true,
    .message_bytes_max = DATAGRAM_MAX,
    .message_bytes_why = "a datagram holds at most 65,507 bytes",
    .setup = udp_setup,
    .open = udp_open,
    .release = udp_release,
    .send = udp_send,
    .receive = udp_receive,
    .cleanup = udp_cleanup,
    .limits = udp_limits,
};
