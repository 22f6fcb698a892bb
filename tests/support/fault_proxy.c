/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fault_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 300u
#define WAY_BYTES       16384u

/* One direction. */
typedef struct way {
    fault_way_t fault;
    uint64_t passed;
    bool closed;  /* the sender has ended */
    bool ended;   /* and the receiver was told */
    size_t bytes; /* waiting in `held` */
    uint8_t held[WAY_BYTES];
} way_t;

typedef struct connection {
    int client, server; /* -1: free */
    way_t up, down;
} connection_t;

struct fault_proxy {
    pthread_t thread;
    int listener, stop;
    uint16_t server_port;
    fault_planner_t planner;
    void *context;
    unsigned count; /* connections so far */
    connection_t connections[CONNECTIONS_MAX];
};

static void reset(connection_t *c)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    int fds[2] = {c->client, c->server};
    for (int i = 0; i < 2; i++) {
        setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(fds[i]);
    }
    c->client = c->server = -1;
}

static bool stalled(const way_t *w)
{
    return w->passed >= w->fault.stall_at;
}

static bool has_room(const way_t *w)
{
    return !w->closed && w->bytes < sizeof w->held && !stalled(w);
}

/* How many bytes may be passed on now. */
static size_t may_pass(const way_t *w)
{
    size_t some = w->bytes;
    if (some < w->fault.coalesce_bytes && some < sizeof w->held && !w->closed)
        return 0;
    if (w->fault.piece_bytes && some > w->fault.piece_bytes)
        some = w->fault.piece_bytes;
    uint64_t until = w->fault.reset_at < w->fault.stall_at ? w->fault.reset_at : w->fault.stall_at;
    if (some > until - w->passed)
        some = (size_t)(until - w->passed);
    return some;
}

static void take_in(way_t *w, int from)
{
    ssize_t count = recv(from, w->held + w->bytes, sizeof w->held - w->bytes, MSG_DONTWAIT);
    if (count > 0)
        w->bytes += (size_t)count;
    else if (count == 0 || (errno != EAGAIN && errno != EINTR))
        w->closed = true;
}

/* False: the receiver is gone. */
static bool pass_on(way_t *w, int to)
{
    size_t some = may_pass(w);
    if (some) {
        ssize_t count = send(to, w->held, some, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0)
            return errno == EAGAIN || errno == EINTR;
        w->passed += (uint64_t)count;
        w->bytes -= (size_t)count;
        memmove(w->held, w->held + count, w->bytes);
    }
    if (w->closed && !w->bytes && !w->ended && !stalled(w)) {
        shutdown(to, SHUT_WR);
        w->ended = true;
    }
    return true;
}

static void serve(connection_t *c, short client_events, short server_events)
{
    if (has_room(&c->up) && client_events & (POLLIN | POLLHUP | POLLERR))
        take_in(&c->up, c->client);
    if (has_room(&c->down) && server_events & (POLLIN | POLLHUP | POLLERR))
        take_in(&c->down, c->server);
    bool fine = pass_on(&c->up, c->server) && pass_on(&c->down, c->client);
    if (!fine || c->up.passed >= c->up.fault.reset_at || c->down.passed >= c->down.fault.reset_at)
        reset(c);
    else if (c->up.ended && c->down.ended) {
        close(c->client);
        close(c->server);
        c->client = c->server = -1;
    }
}

static void accept_one(fault_proxy_t *p)
{
    static const fault_way_t none = {.reset_at = FAULT_NEVER, .stall_at = FAULT_NEVER};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(p->server_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int client = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0)
        return;
    connection_t *c = p->connections;
    while (c < p->connections + CONNECTIONS_MAX && c->client >= 0)
        c++;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    if (c == p->connections + CONNECTIONS_MAX || server < 0 ||
        connect(server, (struct sockaddr *)&to, sizeof to) < 0) {
        close(client);
        if (server >= 0)
            close(server);
        return;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    memset(&c->up, 0, sizeof c->up);
    memset(&c->down, 0, sizeof c->down);
    fault_plan_t plan = {none, none};
    unsigned number = p->count++;
    if (p->planner)
        p->planner(number, p->context, &plan);
    c->up.fault = plan.up;
    c->down.fault = plan.down;
    c->client = client;
    c->server = server;
}

static short wanted(const way_t *in, const way_t *out)
{
    return (short)((has_room(in) ? POLLIN : 0) | (may_pass(out) ? POLLOUT : 0));
}

/* Descriptors to be polled: two for each connection, behind those of the proxy itself. */
static nfds_t fill(fault_proxy_t *p, struct pollfd *fds)
{
    fds[0] = (struct pollfd){.fd = p->stop, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = p->listener, .events = POLLIN};
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        connection_t *c = &p->connections[i];
        short client = c->client < 0 ? 0 : wanted(&c->up, &c->down);
        short server = c->client < 0 ? 0 : wanted(&c->down, &c->up);
        /* A descriptor that nothing is wanted of would report its hang-up without end. */
        fds[2 + 2 * i] = (struct pollfd){.fd = client ? c->client : -1, .events = client};
        fds[3 + 2 * i] = (struct pollfd){.fd = server ? c->server : -1, .events = server};
    }
    return 2 + 2 * CONNECTIONS_MAX;
}

static void *run(void *argument)
{
    fault_proxy_t *p = argument;
    static __thread struct pollfd fds[2 + 2 * CONNECTIONS_MAX];
    for (;;) {
        if (poll(fds, fill(p, fds), -1) < 0)
            continue;
        if (fds[0].revents)
            return NULL;
        for (size_t i = 0; i < CONNECTIONS_MAX; i++)
            if (p->connections[i].client >= 0)
                serve(&p->connections[i], fds[2 + 2 * i].revents, fds[3 + 2 * i].revents);
        if (fds[1].revents)
            accept_one(p);
    }
}

fault_proxy_t *fault_proxy_start(uint16_t server_port, fault_planner_t planner, void *context,
                                 uint16_t *out_port)
{
    fault_proxy_t *p = calloc(1, sizeof *p);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof at;
    if (!p)
        return NULL;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        p->connections[i].client = p->connections[i].server = -1;
    p->server_port = server_port;
    p->planner = planner;
    p->context = context;
    p->stop = eventfd(0, EFD_CLOEXEC);
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (p->stop >= 0 && p->listener >= 0 &&
        bind(p->listener, (struct sockaddr *)&at, sizeof at) == 0 &&
        listen(p->listener, CONNECTIONS_MAX) == 0 &&
        getsockname(p->listener, (struct sockaddr *)&at, &bytes) == 0 &&
        pthread_create(&p->thread, NULL, run, p) == 0) {
        *out_port = ntohs(at.sin_port);
        return p;
    }
    close(p->stop);
    close(p->listener);
    free(p);
    return NULL;
}

void fault_proxy_stop(fault_proxy_t *proxy)
{
    if (!proxy)
        return;
    eventfd_write(proxy->stop, 1);
    pthread_join(proxy->thread, NULL);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (proxy->connections[i].client >= 0)
            reset(&proxy->connections[i]);
    close(proxy->stop);
    close(proxy->listener);
    free(proxy);
}
