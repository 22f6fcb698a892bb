/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/remote/tcp_stream.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_NS_MAX UINT64_C(60000000000)

int tcp_stream_create(tcp_stream_t *stream, size_t room, size_t piece_max)
{
    assert(room >= piece_max);
    memset(stream, 0, sizeof *stream);
    stream->fd = -1;
    stream->room = room;
    stream->piece_max = piece_max;
    stream->buffer = malloc(room);
    return stream->buffer ? 0 : -ENOMEM;
}

int tcp_stream_connect(tcp_stream_t *stream, const tcp_address_t *to, uint32_t receive_bytes)
{
    assert(stream->fd < 0);
    stream->begin = stream->end = stream->out_bytes = 0;
    stream->fd = socket(to->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (stream->fd < 0)
        return -errno;
    /* Before connect(2): the window that both sides agree on depends on it. */
    int bytes = receive_bytes > INT32_MAX ? INT32_MAX : (int)receive_bytes;
    if (bytes)
        (void)setsockopt(stream->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (connect(stream->fd, (const struct sockaddr *)&to->address, to->bytes) == 0)
        return 0;
    int code = -errno;
    if (code != -EINPROGRESS && code != -EINTR) {
        tcp_stream_close(stream);
        return code;
    }
    return -EINPROGRESS;
}

int tcp_stream_connected(tcp_stream_t *stream)
{
    struct pollfd poller = {.fd = stream->fd, .events = POLLOUT};
    int code = 0;
    socklen_t bytes = sizeof code;
    if (poll(&poller, 1, 0) <= 0)
        return 0;
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &code, &bytes) < 0)
        return -errno;
    return code ? -code : 1;
}

int tcp_stream_flush(tcp_stream_t *stream)
{
    while (stream->out_bytes) {
        ssize_t sent = send(stream->fd, stream->out, stream->out_bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN ? 0 : -errno;
        stream->out_bytes -= (size_t)sent;
        memmove(stream->out, stream->out + sent, stream->out_bytes);
    }
    return 0;
}

int tcp_stream_put(tcp_stream_t *stream, const uint8_t *bytes, size_t count)
{
    if (count > sizeof stream->out - stream->out_bytes)
        return -ENOBUFS;
    memcpy(stream->out + stream->out_bytes, bytes, count);
    stream->out_bytes += count;
    return tcp_stream_flush(stream);
}

int64_t tcp_stream_fill(tcp_stream_t *stream)
{
    if (stream->begin == stream->end)
        stream->begin = stream->end = 0;
    if (stream->room - stream->begin < stream->piece_max || stream->end == stream->room) {
        memmove(stream->buffer, stream->buffer + stream->begin, stream->end - stream->begin);
        stream->end -= stream->begin;
        stream->begin = 0;
    }
    assert(stream->end < stream->room); /* a whole piece would have been taken before */
    ssize_t count;
    do
        count = recv(stream->fd, stream->buffer + stream->end, stream->room - stream->end, 0);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return errno == EAGAIN ? 0 : -errno;
    stream->end += (size_t)count;
    return count ? count : -ENODATA;
}

void tcp_stream_end(tcp_stream_t *stream)
{
    (void)shutdown(stream->fd, SHUT_WR);
}

void tcp_stream_wait(const tcp_stream_t *stream, int connecting, uint64_t timeout_ns)
{
    short wanted = connecting ? POLLOUT : POLLIN;
    if (stream->out_bytes)
        wanted |= POLLOUT;
    struct pollfd poller = {.fd = stream->fd, .events = wanted};
    uint64_t ns = timeout_ns < POLL_NS_MAX ? timeout_ns : POLL_NS_MAX;
    struct timespec time = {.tv_sec = (time_t)(ns / 1000000000),
                            .tv_nsec = (long)(ns % 1000000000)};
    (void)ppoll(&poller, 1, &time, NULL);
}

void tcp_stream_close(tcp_stream_t *stream)
{
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
    stream->begin = stream->end = stream->out_bytes = 0;
}

void tcp_stream_destroy(tcp_stream_t *stream)
{
    tcp_stream_close(stream);
    free(stream->buffer);
    stream->buffer = NULL;
}
