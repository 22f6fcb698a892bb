/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_stream.h - one outgoing TCP connection that never waits: what is to be sent, little, and what
 * has come, in one piece up to a given length.
 *
 *    connect -> -EINPROGRESS .. connected -> 1 -> put, flush, fill, (take from `buffer`) -> close
 *
 * One thread. Private to bus/remote.
 */
#ifndef TICKBUS_REMOTE_TCP_STREAM_H
#define TICKBUS_REMOTE_TCP_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "bus/remote/tcp_address.h"

#define TCP_STREAM_OUT_MAX 256u /* bytes that wait to be sent */

typedef struct tcp_stream {
    int fd; /* -1: closed */
    /* begin..end of `buffer` is what has come and was not taken */
    uint8_t *buffer; /* owned */
    size_t room;
    size_t piece_max; /* so many bytes from `begin` on always find room */
    size_t begin, end;
    size_t out_bytes;
    uint8_t out[TCP_STREAM_OUT_MAX];
} tcp_stream_t;

/* `room`: of the buffer, at least piece_max. -ENOMEM. */
int tcp_stream_create(tcp_stream_t *stream, size_t room, size_t piece_max);

/* Begin a connection. `receive_bytes`: SO_RCVBUF; 0: the system's own. 0: connected; -EINPROGRESS:
 * ask tcp_stream_connected when the descriptor can be written to; else the error, and it is closed.
 */
int tcp_stream_connect(tcp_stream_t *stream, const tcp_address_t *to, uint32_t receive_bytes);

/* 1: connected; 0: not yet; else the error of connect(2). */
int tcp_stream_connected(tcp_stream_t *stream);

/* Add bytes to be sent, and send what the kernel takes. 0; -ENOBUFS: too many wait already, none
 * was added; else the error of send(2). */
int tcp_stream_put(tcp_stream_t *stream, const uint8_t *bytes, size_t count);
int tcp_stream_flush(tcp_stream_t *stream);

/* Read what is there. > 0: so many more bytes; 0: nothing now; -ENODATA: the peer has closed its
 * side; else the error of recv(2). One system call at most. */
int64_t tcp_stream_fill(tcp_stream_t *stream);

/* We send no more; the peer sees the end after what was sent. */
void tcp_stream_end(tcp_stream_t *stream);

/* Wait until it can be read (and written, when something waits to be sent or it is not connected),
 * or `timeout_ms` is over. Of a closed stream: the timeout alone. A signal ends the wait too. */
void tcp_stream_wait(const tcp_stream_t *stream, int connecting, uint64_t timeout_ns);

/* What has come and was not taken is dropped. Keeps the buffer. */
void tcp_stream_close(tcp_stream_t *stream);

void tcp_stream_destroy(tcp_stream_t *stream);

#endif
