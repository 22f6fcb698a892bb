/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/run/exchange.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <tickbus/clock.h>

int tbus_exchange_send(int fd, const char *line, size_t bytes)
{
    for (size_t sent = 0; sent < bytes;) {
        ssize_t now = send(fd, line + sent, bytes - sent, MSG_NOSIGNAL);
        if (now >= 0)
            sent += (size_t)now;
        else if (errno != EINTR)
            return -errno;
    }
    return 0;
}

/* Keep the descriptors that came with a message (SCM_RIGHTS, unix(7)). False: some were lost on the
 * way, or there was no room for them and they are closed. */
static bool keep_fds(struct msghdr *message, int *fds, size_t *count)
{
    bool fit = !(message->msg_flags & MSG_CTRUNC);
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
         header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t came = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < came; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            if (*count < TBUS_EXCHANGE_FDS_MAX) {
                fds[(*count)++] = fd;
            } else {
                close(fd);
                fit = false;
            }
        }
    }
    return fit;
}

ssize_t tbus_exchange_receive(int fd, uint64_t deadline_ns, char *line, size_t room,
                              int fds[TBUS_EXCHANGE_FDS_MAX], size_t *fds_count)
{
    for (size_t used = 0; used < room;) {
        uint64_t now_ns = tbus_clock_ns();
        int left_ms = now_ns < deadline_ns ? (int)((deadline_ns - now_ns) / 1000000u) + 1 : 0;
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int polled = poll(&ready, 1, left_ms);
        if (polled < 0 && errno == EINTR)
            continue;
        if (polled == 0)
            return -ETIMEDOUT;
        struct iovec bytes = {line + used, room - used};
        _Alignas(struct cmsghdr) char rights[CMSG_SPACE(TBUS_EXCHANGE_FDS_MAX * sizeof(int))];
        struct msghdr message = {.msg_iov = &bytes,
                                 .msg_iovlen = 1,
                                 .msg_control = rights,
                                 .msg_controllen = sizeof rights};
        ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -ECONNRESET;
        if (!keep_fds(&message, fds, fds_count))
            return -EMFILE;
        used += (size_t)got;
        if (line[used - 1] == '\n')
            return (ssize_t)used;
    }
    return -EPROTO;
}
