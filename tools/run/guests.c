/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/guests.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tickbus/clock.h>

#define UNWATCHED_MS 5 /* between two looks at the life locks, when no pidfd tells */
/* And when they do: somebody may have given up its life lock without ending, by exec(3). */
#define WATCHED_MS 200

int guests_open(guests_t *out_guests, tbus_error_t *err)
{
    guests_t guests = {.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    if (guests.epoll_fd < 0)
        return tbus_fail(err, -errno, "no epoll: %s", tbus_strerror(-errno));
    *out_guests = guests;
    return 0;
}

void guests_close(guests_t *guests)
{
    while (guests->count)
        close(guests->pidfds[--guests->count]);
    close(guests->epoll_fd);
}

/* A process that comes in more than once is watched once. (A number that was given to another one
 * meanwhile is that of a process that has ended.) */
static bool is_watched(const guests_t *guests, pid_t pid)
{
    for (uint32_t i = 0; i < guests->count; i++) {
        struct pollfd ended = {.fd = guests->pidfds[i], .events = POLLIN};
        if (guests->pids[i] == pid && poll(&ended, 1, 0) == 0)
            return true;
    }
    return false;
}

void guests_expect(guests_t *guests, pid_t pid)
{
    if (pid > 0 && is_watched(guests, pid))
        return;
    int fd = pid > 0 && guests->count < GUESTS_MAX ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (fd < 0 || epoll_ctl(guests->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        guests->unwatched = true;
        if (fd >= 0)
            close(fd);
        return;
    }
    guests->pids[guests->count] = pid;
    guests->pidfds[guests->count++] = fd;
}

int guests_fd(const guests_t *guests)
{
    return guests->epoll_fd;
}

static int turn_ms(const guests_t *guests)
{
    return guests->unwatched ? UNWATCHED_MS : guests->count ? WATCHED_MS : -1;
}

int guests_timeout_ms(const guests_t *guests, int timeout_ms)
{
    int turn = turn_ms(guests);
    return turn >= 0 && (timeout_ms < 0 || timeout_ms > turn) ? turn : timeout_ms;
}

static void forget(guests_t *guests, int pidfd)
{
    for (uint32_t i = 0; i < guests->count; i++)
        if (guests->pidfds[i] == pidfd) {
            guests->count--;
            guests->pids[i] = guests->pids[guests->count];
            guests->pidfds[i] = guests->pidfds[guests->count];
        }
    close(pidfd); /* leaves the epoll set with it */
}

uint32_t guests_bury(guests_t *guests, tbus_bus_t *bus)
{
    struct epoll_event events[GUESTS_MAX];
    int ended = guests->count ? epoll_wait(guests->epoll_fd, events, GUESTS_MAX, 0) : 0;
    for (int i = 0; i < ended; i++)
        forget(guests, events[i].data.fd);
    uint64_t now_ns = tbus_clock_ns();
    int turn = turn_ms(guests);
    if (ended <= 0 && (turn < 0 || now_ns - guests->looked_ns < (uint64_t)turn * 1000000u))
        return 0;
    guests->looked_ns = now_ns;
    return tbus_bus_bury_dead(bus);
}
