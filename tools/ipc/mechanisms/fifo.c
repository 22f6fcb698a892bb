/* SPDX-License-Identifier: Apache-2.0 */
/* fifo.c - named pipes in the run's directory, one for each direction. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/ipc/byte_stream.h"
#include "tools/measure/proc_value.h"

/* By the direction's reader. */
static const char *const names[2] = {"fifo-to-client", "fifo-to-server"};

static int fifo_setup(ipc_session_t *s, tbus_error_t *err)
{
    s->state = ipc_stream_ends_new();
    if (!s->state)
        return tbus_fail(err, -ENOMEM, "fifo: no memory");
    for (int role = 0; role < 2; role++) {
        char path[128];
        if (!ipc_leftovers_path(s->leftovers, names[role], path, sizeof path) ||
            mkfifo(path, 0600) < 0)
            return tbus_fail(err, -errno, "cannot make the FIFO %s: %s", path, strerror(errno));
    }
    return 0;
}

static int open_one(ipc_session_t *s, int reader, int flags, tbus_error_t *err)
{
    char path[128];
    ipc_leftovers_path(s->leftovers, names[reader], path, sizeof path);
    int fd = open(path, flags | O_CLOEXEC);
    return fd < 0 ? tbus_fail(err, -errno, "cannot open the FIFO %s: %s", path, strerror(errno))
                  : fd;
}

/* Opening waits for the other end; so both sides open the same FIFO first. */
static int fifo_open(ipc_session_t *s, tbus_error_t *err)
{
    ipc_byte_stream_t *b = (ipc_byte_stream_t *)s->state;
    for (int reader = 0; reader < 2; reader++) {
        bool read_end = reader == (int)s->role;
        int fd = open_one(s, reader, read_end ? O_RDONLY : O_WRONLY, err);
        if (fd < 0)
            return fd;
        *(read_end ? &b->in_fd : &b->out_fd) = fd;
    }
    return 0;
}

static void fifo_cleanup(ipc_session_t *s)
{
    for (int role = 0; role < 2; role++) {
        char path[128];
        if (ipc_leftovers_path(s->leftovers, names[role], path, sizeof path))
            unlink(path);
    }
    ipc_stream_ends_cleanup(s);
}

static void fifo_limits(char *text, size_t text_bytes)
{
    snprintf(text, text_bytes, "as a pipe: at most %lld B of buffer without privilege",
             proc_value("/proc/sys/fs/pipe-max-size", 0));
}

const ipc_mechanism_t ipc_fifo = {
    .name = "fifo",
    .what = "named pipe, blocking read and write",
    .family = "pipe",
    .scope = "host",
    .bound = "pipe buffer",
    .persistence = "its name until it is removed, its content until both ends are closed",
    .typical_use = "feeding a program that knows only files",
    .in_tickbus = "`busctl tap md --fifo PATH`; a FIFO as the file of `--feed itch:`",
    .transfers_data = true,
    .sleeps = true,
    .synchronises = true,
    .setup = fifo_setup,
    .open = fifo_open,
    .send = ipc_byte_stream_send,
    .receive = ipc_byte_stream_receive,
    .cleanup = fifo_cleanup,
    .limits = fifo_limits,
};
