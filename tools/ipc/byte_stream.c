/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ipc/byte_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void ipc_byte_stream_init(ipc_byte_stream_t *b)
{
    b->in_fd = b->out_fd = -1;
    b->have = b->used = 0;
}

int ipc_byte_stream_write(ipc_session_t *s, int fd, const void *bytes, size_t count)
{
    const unsigned char *from = (const unsigned char *)bytes;
    while (count) {
        ssize_t n = ipc_call(s, write(fd, from, count));
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        from += n;
        count -= (size_t)n;
    }
    return 0;
}

int ipc_byte_stream_send(ipc_session_t *s, const void *message)
{
    return ipc_byte_stream_write(s, ((ipc_byte_stream_t *)s->state)->out_fd, message,
                                 s->message_bytes);
}

/* Read at most `room` bytes. */
static ssize_t read_some(ipc_session_t *s, int fd, unsigned char *into, size_t room)
{
    for (;;) {
        ssize_t n = ipc_call(s, read(fd, into, room));
        if (n > 0)
            return n;
        if (n == 0)
            return IPC_END_OF_FILE;
        if (errno != EINTR)
            return -errno;
    }
}

/* What is in the buffer, then straight into place. */
static int receive_large(ipc_session_t *s, ipc_byte_stream_t *b, const void **out_message)
{
    size_t done = b->have - b->used < s->message_bytes ? b->have - b->used : s->message_bytes;
    memcpy(s->buffer, b->buffer + b->used, done);
    b->used += done;
    while (done < s->message_bytes) {
        ssize_t n = read_some(s, b->in_fd, s->buffer + done, s->message_bytes - done);
        if (n < 0)
            return (int)n;
        done += (size_t)n;
    }
    *out_message = s->buffer;
    return 0;
}

int ipc_byte_stream_receive(ipc_session_t *s, const void **out_message)
{
    ipc_byte_stream_t *b = (ipc_byte_stream_t *)s->state;
    if (s->message_bytes > sizeof b->buffer / 4)
        return receive_large(s, b, out_message);
    while (b->have - b->used < s->message_bytes) {
        /* Keep the head of a message that is not complete: at most one, and rarely. */
        if (b->used) {
            memmove(b->buffer, b->buffer + b->used, b->have - b->used);
            b->have -= b->used;
            b->used = 0;
        }
        ssize_t n = read_some(s, b->in_fd, b->buffer + b->have, sizeof b->buffer - b->have);
        if (n < 0)
            return (int)n;
        b->have += (size_t)n;
    }
    *out_message = b->buffer + b->used;
    b->used += s->message_bytes;
    return 0;
}

ipc_stream_ends_t *ipc_stream_ends_new(void)
{
    ipc_stream_ends_t *e = (ipc_stream_ends_t *)aligned_alloc(64, (sizeof *e + 63) & ~(size_t)63);
    if (!e)
        return NULL;
    ipc_byte_stream_init(&e->stream);
    for (int role = 0; role < 2; role++)
        e->in_fds[role] = e->out_fds[role] = -1;
    return e;
}

static void close_role(ipc_stream_ends_t *e, int role)
{
    if (e->in_fds[role] >= 0)
        close(e->in_fds[role]);
    if (e->out_fds[role] >= 0 && e->out_fds[role] != e->in_fds[role])
        close(e->out_fds[role]);
    e->in_fds[role] = e->out_fds[role] = -1;
}

int ipc_stream_ends_open(ipc_session_t *s, tbus_error_t *err)
{
    (void)err;
    ipc_stream_ends_t *e = (ipc_stream_ends_t *)s->state;
    close_role(e, !s->role);
    e->stream.in_fd = e->in_fds[s->role];
    e->stream.out_fd = e->out_fds[s->role];
    return 0;
}

void ipc_stream_ends_close(ipc_session_t *s)
{
    ipc_stream_ends_t *e = (ipc_stream_ends_t *)s->state;
    close_role(e, IPC_CLIENT);
    close_role(e, IPC_SERVER);
}

void ipc_stream_ends_cleanup(ipc_session_t *s)
{
    if (!s->state)
        return;
    ipc_stream_ends_close(s);
    free(s->state);
    s->state = NULL;
}
