/* SPDX-License-Identifier: Apache-2.0 */
/* pipe.c - anonymous pipes, one for each direction. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/ipc/byte_stream.h"
#include "tools/measure/proc_value.h"

static int pipe_setup(ipc_session_t *s, tbus_error_t *err)
{
    ipc_stream_ends_t *e = ipc_stream_ends_new();
    if (!e)
        return tbus_fail(err, -ENOMEM, "pipe: no memory");
    s->state = e;
    int there[2];
    int back[2];
    if (pipe2(there, O_CLOEXEC) < 0)
        return tbus_fail(err, -errno, "pipe: %s", strerror(errno));
    e->in_fds[IPC_SERVER] = there[0];
    e->out_fds[IPC_CLIENT] = there[1];
    if (pipe2(back, O_CLOEXEC) < 0)
        return tbus_fail(err, -errno, "pipe: %s", strerror(errno));
    e->in_fds[IPC_CLIENT] = back[0];
    e->out_fds[IPC_SERVER] = back[1];
    return 0;
}

static void pipe_limits(char *text, size_t text_bytes)
{
    int fds[2];
    int bytes = -1;
    if (pipe2(fds, O_CLOEXEC) == 0) {
        bytes = fcntl(fds[0], F_GETPIPE_SZ);
        close(fds[0]);
        close(fds[1]);
    }
    snprintf(text, text_bytes,
             "buffer %d B, at most %lld B without privilege, atomic up to PIPE_BUF = %d B", bytes,
             proc_value("/proc/sys/fs/pipe-max-size", 0), PIPE_BUF);
}

const ipc_mechanism_t ipc_pipe = {
    .name = "pipe",
    .what = "anonymous pipe, blocking read and write",
    .family = "pipe",
    .scope = "related processes",
    .bound = "pipe buffer",
    .persistence = "gone with its last descriptor",
    .typical_use = "a child's output, shell pipelines",
    .in_tickbus = "log lines of the stages; `busctl tap md --json | jq`",
    .transfers_data = true,
    .sleeps = true,
    .synchronises = true,
    .setup = pipe_setup,
    .open = ipc_stream_ends_open,
    .release = ipc_stream_ends_close,
    .send = ipc_byte_stream_send,
    .receive = ipc_byte_stream_receive,
    .cleanup = ipc_stream_ends_cleanup,
    .limits = pipe_limits,
};
