/* SPDX-License-Identifier: Apache-2.0 */
/* peer_kernel.c - the kernel's own: a pipe, a Unix stream socket, a POSIX message queue; one system
 * call to send and one to take, which sleeps. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/contest.h"

#define QUEUE_MESSAGES 10 /* what the kernel allows without being told otherwise */

typedef struct ends {
    int send[2], take[2]; /* there, back */
} ends_t;

typedef struct kernel_side {
    contest_message_t message;
    int out, in;
} kernel_side_t;

static bool can(const contest_trial_t *t)
{
    return t->kind == CONTEST_PAIR && t->burst == 1 && t->bytes == 56 && t->task != CONTEST_PUBLISH;
}

static void must(int status, const char *what)
{
    if (status < 0)
        contest_fail(what, strerror(errno));
}

static ends_t ends;

static void *open_pipes(contest_trial_t *t)
{
    (void)t;
    for (unsigned i = 0; i < 2; i++) {
        int fds[2];
        must(pipe(fds), "pipe");
        ends.take[i] = fds[0];
        ends.send[i] = fds[1];
    }
    return &ends;
}
static void *open_sockets(contest_trial_t *t)
{
    (void)t;
    for (unsigned i = 0; i < 2; i++) {
        int fds[2];
        must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
        ends.take[i] = fds[0];
        ends.send[i] = fds[1];
    }
    return &ends;
}
static void *open_queues(contest_trial_t *t)
{
    for (unsigned i = 0; i < 2; i++) {
        char name[64];
        struct mq_attr shape = {.mq_maxmsg = QUEUE_MESSAGES, .mq_msgsize = (long)t->bytes};
        snprintf(name, sizeof name, "/tickbus-bench-%d-%u", (int)getpid(), i);
        ends.send[i] = ends.take[i] = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &shape);
        must(ends.send[i], "mq_open");
        mq_unlink(name);
    }
    return &ends;
}

CONTEST_INLINE bool put_bytes(void *side, const void *message, size_t bytes)
{
    if (write(((kernel_side_t *)side)->out, message, bytes) != (ssize_t)bytes)
        contest_fail("write", strerror(errno));
    return true;
}
CONTEST_INLINE const void *get_bytes(void *side, size_t bytes)
{
    kernel_side_t *s = side;
    ssize_t got;
    for (size_t done = 0; done < bytes; done += (size_t)got) {
        got = read(s->in, (unsigned char *)&s->message + done, bytes - done);
        if (got <= 0)
            contest_fail("read", strerror(errno));
    }
    return &s->message;
}
CONTEST_INLINE bool put_message(void *side, const void *message, size_t bytes)
{
    must(mq_send(((kernel_side_t *)side)->out, message, bytes, 0), "mq_send");
    return true;
}
CONTEST_INLINE const void *get_message(void *side, size_t bytes)
{
    kernel_side_t *s = side;
    if (mq_receive(s->in, (char *)&s->message, bytes, NULL) != (ssize_t)bytes)
        contest_fail("mq_receive", strerror(errno));
    return &s->message;
}

static kernel_side_t connect_side(const contest_trial_t *t, const ends_t *all, unsigned index)
{
    bool both_ways = t->task == CONTEST_ROUND_TRIP;
    return (kernel_side_t){.out = all->send[both_ways ? index : 0],
                           .in = all->take[both_ways ? 1 - index : 0]};
}
static void stream_side(contest_trial_t *t, void *shared, unsigned index)
{
    kernel_side_t side = connect_side(t, shared, index);
    contest_loops(t, index, &side, put_bytes, get_bytes, contest_done_nothing);
}
static void queue_side(contest_trial_t *t, void *shared, unsigned index)
{
    kernel_side_t side = connect_side(t, shared, index);
    contest_loops(t, index, &side, put_message, get_message, contest_done_nothing);
}

const contest_peer_t peer_pipe = {.name = "pipe",
                                  .kernel = true,
                                  .slowness = 20,
                                  .can = can,
                                  .open = open_pipes,
                                  .side = stream_side};
const contest_peer_t peer_unix_socket = {.name = "Unix socket",
                                         .kernel = true,
                                         .slowness = 20,
                                         .can = can,
                                         .open = open_sockets,
                                         .side = stream_side};
const contest_peer_t peer_posix_queue = {.name = "POSIX queue",
                                         .kernel = true,
                                         .slowness = 20,
                                         .can = can,
                                         .open = open_queues,
                                         .side = queue_side};
