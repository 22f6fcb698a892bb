/* SPDX-License-Identifier: Apache-2.0 */
/* byte_stream.h - messages of one size over a pair of descriptors that carry bytes: pipes, FIFOs,
 * stream sockets.
 *
 * Written with one write(2) a message (more when the kernel takes only a part), read through a
 * buffer of 64 KiB, so that one read(2) may fetch many small messages; large ones are read straight
 * into place. For mechanisms whose state starts with this struct.
 */
#ifndef TICKBUS_TOOLS_IPC_BYTE_STREAM_H
#define TICKBUS_TOOLS_IPC_BYTE_STREAM_H

#include "tools/ipc/mechanism.h"

#define IPC_STREAM_BUFFER_BYTES 65536u

typedef struct ipc_byte_stream {
    int in_fd;  /* -1: none */
    int out_fd; /* may be the same */
    size_t have;
    size_t used;
    unsigned char buffer[IPC_STREAM_BUFFER_BYTES] __attribute__((aligned(64)));
} ipc_byte_stream_t;

void ipc_byte_stream_init(ipc_byte_stream_t *b);

/* As ipc_mechanism_t wants them; s->state is an ipc_byte_stream_t. */
int ipc_byte_stream_send(ipc_session_t *s, const void *message);
int ipc_byte_stream_receive(ipc_session_t *s, const void **out_message);

/* All of `bytes`, for those that frame by themselves. */
int ipc_byte_stream_write(ipc_session_t *s, int fd, const void *bytes, size_t count);

/* Two pairs of descriptors that setup made: the client reads and writes [CLIENT], the server
 * [SERVER]. */
typedef struct ipc_stream_ends {
    ipc_byte_stream_t stream; /* first: what send and receive work on */
    int in_fds[2];            /* by role */
    int out_fds[2];
} ipc_stream_ends_t;

/* A new one with no descriptors; NULL: no memory. */
ipc_stream_ends_t *ipc_stream_ends_new(void);
int ipc_stream_ends_open(ipc_session_t *s, tbus_error_t *err); /* take our ends, close the peer's */
/* in the parent: close all that is open */
void ipc_stream_ends_close(ipc_session_t *s);
void ipc_stream_ends_cleanup(ipc_session_t *s); /* and free */

#endif
