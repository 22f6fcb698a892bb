/* SPDX-License-Identifier: Apache-2.0 */
/* eventfd.c - eventfd(2) as a semaphore, one for each direction. Tells that something happened,
 * carries nothing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tools/ipc/mechanism.h"

typedef struct event {
    int fds[2]; /* by reader; -1: none */
} event_t;

static int event_setup(ipc_session_t *s, tbus_error_t *err)
{
    event_t *m = (event_t *)malloc(sizeof *m);
    if (!m)
        return tbus_fail(err, -ENOMEM, "eventfd: no memory");
    s->state = m;
    m->fds[0] = eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC);
    m->fds[1] = eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC);
    if (m->fds[0] < 0 || m->fds[1] < 0)
        return tbus_fail(err, -errno, "eventfd: %s", strerror(errno));
    return 0;
}

static int event_open(ipc_session_t *s, tbus_error_t *err)
{
    (void)s;
    (void)err;
    return 0;
}

static int event_send(ipc_session_t *s, const void *message)
{
    (void)message;
    const uint64_t one = 1;
    while (ipc_call(s, write(((const event_t *)s->state)->fds[!s->role], &one, sizeof one)) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

static int event_receive(ipc_session_t *s, const void **out_message)
{
    (void)out_message;
    uint64_t count;
    while (ipc_call(s, read(((const event_t *)s->state)->fds[s->role], &count, sizeof count)) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

static void event_close(ipc_session_t *s)
{
    event_t *m = (event_t *)s->state;
    for (int reader = 0; reader < 2; reader++) {
        if (m->fds[reader] >= 0)
            close(m->fds[reader]);
        m->fds[reader] = -1;
    }
}

static void event_cleanup(ipc_session_t *s)
{
    if (!s->state)
        return;
    event_close(s);
    free(s->state);
    s->state = NULL;
}

const ipc_mechanism_t ipc_eventfd = {
    .name = "eventfd",
    .what = "eventfd as a semaphore, blocking read and write",
    .family = "signalling",
    .scope = "related processes",
    .bound = NULL,
    .persistence = "gone with its last descriptor",
    .typical_use = "waking an epoll or io_uring loop",
    .in_tickbus = "a yardstick: futex words do its work",
    .transfers_data = false,
    .sleeps = true,
    .synchronises = true,
    .setup = event_setup,
    .open = event_open,
    .release = event_close,
    .send = event_send,
    .receive = event_receive,
    .cleanup = event_cleanup,
};
