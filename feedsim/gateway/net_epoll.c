/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets by epoll(7): connections edge-triggered, for reading and writing at once, so that a
 * slow one costs no system call but its own sends; listeners level-triggered. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "feedsim/gateway/net.h"
#include "feedsim/gateway/net_way.h"

#define EVENTS_AT_A_TIME  256
#define ACCEPTS_AT_A_TIME 64
#define NONE              UINT32_MAX

typedef struct connection {
    int fd; /* -1: none */
    uint32_t generation;
    bool ended;    /* said so */
    bool to_read;  /* in the list of those that have more to read */
    bool shut;     /* the peer has; read until the end is found */
    bool releases; /* in the list of those to be released */
    uint32_t next_to_read;
    uint32_t next_release;
} connection_t;

typedef struct net_epoll {
    gateway_net_t net;
    int epoll;
    bool no_pwait2;   /* the kernel has no epoll_pwait2 (before 5.11) */
    uint32_t to_read; /* the first of the list, or NONE */
    uint32_t release;
    connection_t *connections; /* owned; slots_max */
    uint8_t received[GATEWAY_RECEIVE_BYTES];
} net_epoll_t;

/* What an event is about: a slot and its generation, or a listener in place of the generation. */
#define OF_LISTENER UINT32_MAX

static uint64_t tag(uint32_t slot, uint32_t generation)
{
    return (uint64_t)slot << 32 | generation;
}

/* --- listeners --- */

static int watch_listener(const net_epoll_t *n, uint32_t index)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag(OF_LISTENER, index)};
    return epoll_ctl(n->epoll, EPOLL_CTL_ADD, n->net.listeners[index], &event) < 0 ? -errno : 0;
}

static int epoll_way_listen(gateway_net_t *net, uint32_t index)
{
    return watch_listener((net_epoll_t *)net, index);
}

static int epoll_way_pause(gateway_net_t *net)
{
    net_epoll_t *n = (net_epoll_t *)net;
    int code = 0;
    for (uint32_t i = 0; code == 0 && i < net->listeners_count; i++)
        if (net->paused)
            epoll_ctl(n->epoll, EPOLL_CTL_DEL, net->listeners[i], NULL);
        else
            code = watch_listener(n, i);
    return code;
}

static void epoll_way_close_listeners(gateway_net_t *net)
{
    net_epoll_t *n = (net_epoll_t *)net;
    for (uint32_t i = 0; i < n->net.listeners_count; i++)
        close(n->net.listeners[i]);
    n->net.listeners_count = 0;
}

/* --- connections --- */

static void read_later(net_epoll_t *n, uint32_t slot)
{
    connection_t *c = &n->connections[slot];
    if (c->to_read)
        return;
    c->to_read = true;
    c->next_to_read = n->to_read;
    n->to_read = slot;
}

/* Edge-triggered: what is not read now will not be announced again, so it is put down. */
static void receive(net_epoll_t *n, uint32_t slot)
{
    connection_t *c = &n->connections[slot];
    uint32_t generation = c->generation;
    ssize_t got = recv(c->fd, n->received, sizeof n->received, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) {
        read_later(n, slot);
    } else if (got > 0) {
        n->net.events.received(n->net.events.context, slot, n->received, (size_t)got);
        if (c->generation == generation && c->fd >= 0 &&
            (c->shut || (size_t)got == sizeof n->received))
            read_later(n, slot);
    } else if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
        c->ended = true;
        n->net.events.ended(n->net.events.context, slot, got == 0 ? 0 : -errno);
    }
}

static void read_rest(net_epoll_t *n)
{
    uint32_t slot = n->to_read;
    n->to_read = NONE;
    while (slot != NONE) {
        connection_t *c = &n->connections[slot];
        uint32_t next = c->next_to_read;
        c->to_read = false;
        if (c->fd >= 0 && !c->ended)
            receive(n, slot);
        slot = next;
    }
}

static int adopt(net_epoll_t *n, uint32_t slot, int fd)
{
    connection_t *c = &n->connections[slot];
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.u64 = tag(slot, c->generation)};
    c->fd = fd;
    c->ended = false;
    c->shut = false;
    return epoll_ctl(n->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* True: somebody was accepted, or refused. */
static bool accept_one(net_epoll_t *n, uint32_t listener)
{
    struct sockaddr_storage peer = {0};
    socklen_t bytes = sizeof peer;
    int fd = accept4(n->net.listeners[listener], (struct sockaddr *)&peer, &bytes,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        int code = -errno;
        if (!gateway_net_passes(code))
            gateway_net_cannot_accept(&n->net, code);
        /* Else nobody is there, or the connection is broken already. */
        return code != -EAGAIN && gateway_net_passes(code);
    }
    uint32_t slot = n->net.events.accepted(n->net.events.context, listener, &peer);
    if (slot == GATEWAY_NET_REFUSED) {
        close(fd);
        return true;
    }
    int code = adopt(n, slot, fd);
    if (code < 0) { /* no memory to watch it */
        n->connections[slot].ended = true;
        n->net.events.ended(n->net.events.context, slot, code);
        gateway_net_cannot_accept(&n->net, code);
    }
    return true;
}

static void take_event(net_epoll_t *n, const struct epoll_event *event)
{
    uint32_t slot = (uint32_t)(event->data.u64 >> 32);
    if (slot == OF_LISTENER) {
        uint32_t listener = (uint32_t)event->data.u64;
        for (int i = 0;
             i < ACCEPTS_AT_A_TIME && !n->net.paused && listener < n->net.listeners_count; i++)
            if (!accept_one(n, listener))
                break;
        return;
    }
    connection_t *c = &n->connections[slot];
    uint32_t generation = (uint32_t)event->data.u64;
    if (c->generation != generation || c->fd < 0)
        return; /* closed by what came before it */
    if (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        c->shut = true;
    if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR) && !c->ended && !c->to_read)
        receive(n, slot);
    if (event->events & EPOLLOUT && c->generation == generation && c->fd >= 0)
        n->net.events.writable(n->net.events.context, slot);
}

static bool release_closed(net_epoll_t *n)
{
    uint32_t slot = n->release;
    n->release = NONE;
    bool any = slot != NONE;
    while (slot != NONE) {
        connection_t *c = &n->connections[slot];
        uint32_t next = c->next_release;
        c->releases = false;
        n->net.events.released(n->net.events.context, slot);
        slot = next;
    }
    return any;
}

static int wait_for_events(net_epoll_t *n, struct epoll_event *events, uint64_t wait_ns)
{
    if (wait_ns && !n->no_pwait2) {
        struct timespec wait = {.tv_sec = (time_t)(wait_ns / 1000000000),
                                .tv_nsec = (long)(wait_ns % 1000000000)};
        int count = epoll_pwait2(n->epoll, events, EVENTS_AT_A_TIME, &wait, NULL);
        if (count >= 0 || errno != ENOSYS)
            return count;
        n->no_pwait2 = true;
    }
    /* Milliseconds, of which there is no part: rather too long than to turn for nothing. */
    return epoll_wait(n->epoll, events, EVENTS_AT_A_TIME, (int)((wait_ns + 999999) / 1000000));
}

static bool epoll_way_poll(gateway_net_t *net, uint64_t wait_ns)
{
    net_epoll_t *n = (net_epoll_t *)net;
    struct epoll_event events[EVENTS_AT_A_TIME];
    bool any = release_closed(n) || n->to_read != NONE;
    read_rest(n);
    int count = wait_for_events(n, events, any ? 0 : wait_ns);
    for (int i = 0; i < count; i++)
        take_event(n, &events[i]);
    return any || count > 0;
}

static void epoll_way_send(gateway_net_t *net, uint32_t slot, const uint8_t *bytes, size_t count)
{
    net_epoll_t *n = (net_epoll_t *)net;
    ssize_t sent;
    do {
        sent = send(n->connections[slot].fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    n->net.events.sent(n->net.events.context, slot, sent < 0 ? -errno : (int32_t)sent);
}

static void epoll_way_flush(gateway_net_t *net)
{
    (void)net;
}

static void epoll_way_shutdown(gateway_net_t *net, uint32_t slot)
{
    net_epoll_t *n = (net_epoll_t *)net;
    shutdown(n->connections[slot].fd, SHUT_WR);
}

static void epoll_way_close(gateway_net_t *net, uint32_t slot)
{
    net_epoll_t *n = (net_epoll_t *)net;
    connection_t *c = &n->connections[slot];
    if (c->fd < 0 || c->releases)
        return;
    close(c->fd);
    c->fd = -1;
    c->generation++;
    c->releases = true;
    c->next_release = n->release;
    n->release = slot;
}

static void epoll_way_destroy(gateway_net_t *net)
{
    net_epoll_t *n = (net_epoll_t *)net;
    epoll_way_close_listeners(net);
    for (uint32_t i = 0; i < net->slots_max; i++)
        if (n->connections[i].fd >= 0)
            close(n->connections[i].fd);
    close(n->epoll);
    free(n->connections);
    free(n);
}

static int epoll_way_create(uint32_t slots_max, const gateway_net_events_t *events,
                            gateway_net_t **out_net, tbus_error_t *err)
{
    net_epoll_t *n = calloc(1, sizeof *n);
    connection_t *connections = calloc(slots_max, sizeof *connections);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!n || !connections || epoll < 0) {
        int code = epoll < 0 ? -errno : -ENOMEM;
        if (epoll >= 0)
            close(epoll);
        free(connections);
        free(n);
        return tbus_fail(err, code, "cannot make what waits for the sockets (epoll): %s",
                         tbus_strerror(code));
    }
    n->net = (gateway_net_t){.way = &gateway_net_epoll, .slots_max = slots_max, .events = *events};
    n->epoll = epoll;
    n->to_read = NONE;
    n->release = NONE;
    n->connections = connections;
    for (uint32_t i = 0; i < slots_max; i++)
        connections[i].fd = -1;
    *out_net = &n->net;
    return 0;
}

const gateway_net_way_t gateway_net_epoll = {
    .name = "epoll",
    .create = epoll_way_create,
    .destroy = epoll_way_destroy,
    .listen = epoll_way_listen,
    .pause = epoll_way_pause,
    .close_listeners = epoll_way_close_listeners,
    .poll = epoll_way_poll,
    .send = epoll_way_send,
    .flush = epoll_way_flush,
    .shutdown = epoll_way_shutdown,
    .close = epoll_way_close,
};
