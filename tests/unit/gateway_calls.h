/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_calls.h - what a gateway asks of the kernel fails as it is told to, by epoll and by
 * io_uring. The calls are intercepted by --wrap in the one program that includes this.
 *
 * An operation of io_uring is made to fail before it begins: its entry is submitted without a
 * descriptor, and what comes back of it gets the error that is asked for. So nothing of it has
 * happened, as when the kernel refuses it itself. */
#ifndef TICKBUS_TESTS_UNIT_GATEWAY_CALLS_H
#define TICKBUS_TESTS_UNIT_GATEWAY_CALLS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <liburing.h>

enum call { CALL_NONE, CALL_ACCEPT, CALL_SEND, CALL_OPTION, CALL_WATCH };

static enum call failing;
static unsigned fail_after; /* so many that work come first */
static unsigned fail_count; /* then so many fail */
static int fail_with;       /* errno */
static unsigned hits;       /* have failed */

static void inject(enum call call, unsigned after, unsigned count, int with)
{
    failing = call;
    fail_after = after;
    fail_count = count;
    fail_with = with;
    hits = 0;
}

/* Does this one? */
static bool fails(enum call call)
{
    if (call != failing || fail_count == 0)
        return false;
    if (fail_after > 0) {
        fail_after--;
        return false;
    }
    fail_count--;
    hits++;
    errno = fail_with;
    return true;
}

int __wrap_accept4(int fd, struct sockaddr *peer, socklen_t *bytes, int flags);
int __real_accept4(int fd, struct sockaddr *peer, socklen_t *bytes, int flags);
int __wrap_accept4(int fd, struct sockaddr *peer, socklen_t *bytes, int flags)
{
    return fails(CALL_ACCEPT) ? -1 : __real_accept4(fd, peer, bytes, flags);
}

/* Clients send without MSG_DONTWAIT. */
ssize_t __wrap_send(int fd, const void *data, size_t bytes, int flags);
ssize_t __real_send(int fd, const void *data, size_t bytes, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t bytes, int flags)
{
    return (flags & MSG_DONTWAIT) && fails(CALL_SEND) ? -1 : __real_send(fd, data, bytes, flags);
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t bytes);
int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t bytes);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t bytes)
{
    return fails(CALL_OPTION) ? -1 : __real_setsockopt(fd, level, name, value, bytes);
}

int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event);
int __real_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    return op == EPOLL_CTL_ADD && fails(CALL_WATCH) ? -1 : __real_epoll_ctl(epoll, op, fd, event);
}

/* Entries that are to be submitted now. */
static void spoil(struct io_uring *ring)
{
    for (unsigned i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++) {
        struct io_uring_sqe *sqe = &ring->sq.sqes[i & ring->sq.ring_mask];
        if (sqe->fd >= 0 && ((sqe->opcode == IORING_OP_ACCEPT && fails(CALL_ACCEPT)) ||
                             (sqe->opcode == IORING_OP_SEND && fails(CALL_SEND))))
            sqe->fd = -1;
    }
}

/* What has come back of those that were spoiled. */
static int mend(struct io_uring *ring, int code)
{
    unsigned tail = io_uring_smp_load_acquire(ring->cq.ktail);
    for (unsigned i = *ring->cq.khead; i != tail; i++) {
        struct io_uring_cqe *cqe = &ring->cq.cqes[i & ring->cq.ring_mask];
        if (cqe->res == -EBADF)
            cqe->res = -fail_with;
    }
    return code;
}

int __wrap_io_uring_submit(struct io_uring *ring);
int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring)
{
    spoil(ring);
    return mend(ring, __real_io_uring_submit(ring));
}

int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned count);
int __real_io_uring_submit_and_wait(struct io_uring *ring, unsigned count);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned count)
{
    spoil(ring);
    return mend(ring, __real_io_uring_submit_and_wait(ring, count));
}

int __wrap_io_uring_submit_and_get_events(struct io_uring *ring);
int __real_io_uring_submit_and_get_events(struct io_uring *ring);
int __wrap_io_uring_submit_and_get_events(struct io_uring *ring)
{
    spoil(ring);
    return mend(ring, __real_io_uring_submit_and_get_events(ring));
}

int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
                                            unsigned count, struct __kernel_timespec *wait,
                                            sigset_t *mask);
int __real_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
                                            unsigned count, struct __kernel_timespec *wait,
                                            sigset_t *mask);
int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
                                            unsigned count, struct __kernel_timespec *wait,
                                            sigset_t *mask)
{
    spoil(ring);
    return mend(ring, __real_io_uring_submit_and_wait_timeout(ring, cqe, count, wait, mask));
}

#endif
