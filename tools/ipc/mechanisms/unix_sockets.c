/* SPDX-License-Identifier: Apache-2.0 */
/* unix_sockets.c - Unix domain sockets of the three types, connected pairs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/ipc/byte_stream.h"
#include "tools/measure/proc_value.h"

#define PACKET_MAX 65536u

static int unix_setup(ipc_session_t *s, int type, tbus_error_t *err)
{
    ipc_stream_ends_t *e = ipc_stream_ends_new();
    if (!e)
        return tbus_fail(err, -ENOMEM, "unix socket: no memory");
    s->state = e;
    int fds[2];
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) < 0)
        return tbus_fail(err, -errno, "socketpair: %s", strerror(errno));
    for (int role = 0; role < 2; role++)
        e->in_fds[role] = e->out_fds[role] = fds[role];
    return 0;
}

static int stream_setup(ipc_session_t *s, tbus_error_t *err)
{
    return unix_setup(s, SOCK_STREAM, err);
}
static int dgram_setup(ipc_session_t *s, tbus_error_t *err)
{
    return unix_setup(s, SOCK_DGRAM, err);
}
static int seqpacket_setup(ipc_session_t *s, tbus_error_t *err)
{
    return unix_setup(s, SOCK_SEQPACKET, err);
}

/* One message, one packet. */
static int packet_send(ipc_session_t *s, const void *message)
{
    int fd = ((const ipc_byte_stream_t *)s->state)->out_fd;
    while (ipc_call(s, send(fd, message, s->message_bytes, MSG_NOSIGNAL)) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

static int packet_receive(ipc_session_t *s, const void **out_message)
{
    int fd = ((const ipc_byte_stream_t *)s->state)->in_fd;
    ssize_t n;
    while ((n = ipc_call(s, recv(fd, s->buffer, s->message_bytes, MSG_TRUNC))) < 0)
        if (errno != EINTR)
            return -errno;
    if (n == 0)
        return IPC_END_OF_FILE;
    if ((size_t)n != s->message_bytes)
        return -EMSGSIZE;
    *out_message = s->buffer;
    return 0;
}

static void stream_limits(char *text, size_t text_bytes)
{
    snprintf(
        text, text_bytes,
        "send buffer %lld B, at most %lld B (net.core.wmem_max), backlog %lld (net.core.somaxconn)",
        proc_value("/proc/sys/net/core/wmem_default", 0),
        proc_value("/proc/sys/net/core/wmem_max", 0),
        proc_value("/proc/sys/net/core/somaxconn", 0));
}

static void packet_limits(char *text, size_t text_bytes)
{
    snprintf(text, text_bytes, "%lld packets waiting (net.unix.max_dgram_qlen), send buffer %lld B",
             proc_value("/proc/sys/net/unix/max_dgram_qlen", 0),
             proc_value("/proc/sys/net/core/wmem_default", 0));
}

const ipc_mechanism_t ipc_unix_stream = {
    .name = "unix_stream",
    .what = "Unix domain socket, SOCK_STREAM",
    .family = "Unix socket",
    .scope = "host",
    .bound = "socket buffer",
    .persistence = "gone with its connection",
    .typical_use = "local services; passes descriptors and credentials",
    .in_tickbus = "the control socket, and the hand-over of ring descriptors",
    .transfers_data = true,
    .sleeps = true,
    .synchronises = true,
    .setup = stream_setup,
    .open = ipc_stream_ends_open,
    .release = ipc_stream_ends_close,
    .send = ipc_byte_stream_send,
    .receive = ipc_byte_stream_receive,
    .cleanup = ipc_stream_ends_cleanup,
    .limits = stream_limits,
};

const ipc_mechanism_t ipc_unix_dgram = {
    .name = "unix_dgram",
    .what = "Unix domain socket, SOCK_DGRAM (reliable on one host)",
    .family = "Unix socket",
    .scope = "host",
    .bound = "socket buffer",
    .persistence = "gone with its socket",
    .typical_use = "logs, notifications (syslog, sd_notify)",
    .in_tickbus = "a yardstick",
    .transfers_data = true,
    .sleeps = true,
    .synchronises = true,
    .message_bytes_max = PACKET_MAX,
    .message_bytes_why = "a packet must fit in the socket's send buffer",
    .setup = dgram_setup,
    .open = ipc_stream_ends_open,
    .release = ipc_stream_ends_close,
    .send = packet_send,
    .receive = packet_receive,
    .cleanup = ipc_stream_ends_cleanup,
    .limits = packet_limits,
};

const ipc_mechanism_t ipc_unix_seqpacket = {
    .name = "unix_seqpacket",
    .what = "Unix domain socket, SOCK_SEQPACKET",
    .family = "Unix socket",
    .scope = "host",
    .bound = "socket buffer",
    .persistence = "gone with its connection",
    .typical_use = "request and answer with message boundaries",
    .in_tickbus = "a yardstick",
    .transfers_data = true,
    .sleeps = true,
    .synchronises = true,
    .message_bytes_max = PACKET_MAX,
    .message_bytes_why = "a packet must fit in the socket's send buffer",
    .setup = seqpacket_setup,
    .open = ipc_stream_ends_open,
    .release = ipc_stream_ends_close,
    .send = packet_send,
    .receive = packet_receive,
    .cleanup = ipc_stream_ends_cleanup,
    .limits = stream_limits,
};
