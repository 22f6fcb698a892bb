/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/datagram_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAM_MAX 65536u
#define HELD_MAX     64u
#define BUFFER_BYTES (64 << 20) /* of sockets: the faults are to be ours, none the kernel's */
#define IDLE_MS      20         /* nothing comes: what is held back goes out */

enum fault_of { FAULT_LOSS, FAULT_DOUBLE, FAULT_REORDER };

typedef struct held {
    uint64_t after; /* goes out behind the datagram of this number */
    uint32_t bytes;
    uint8_t *data;
} held_t;

struct datagram_proxy {
    pthread_t thread;
    datagram_plan_t plan;
    int in, out, stop;
    struct sockaddr_in last; /* who sent last */
    struct sockaddr_in to;
    uint64_t number;
    uint64_t to_lose; /* by __atomic: added to by others */
    unsigned held_count;
    held_t held[HELD_MAX];
    datagram_counts_t counts; /* by __atomic: read by the other thread */
    uint8_t buffer[DATAGRAM_MAX];
};

/* splitmix64 (Steele, Lea, Flood, 2014): bits that depend on every bit of x. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static bool strikes(const datagram_proxy_t *p, enum fault_of fault, uint32_t ppm)
{
    uint64_t draw = mix(mix(p->plan.seed * 4 + fault) ^ p->number);
    return draw % DATAGRAM_PROXY_MILLION < ppm;
}

static bool in_burst(const datagram_proxy_t *p)
{
    const datagram_plan_t *plan = &p->plan;
    if (!plan->burst_count || p->number < plan->burst_at)
        return false;
    uint64_t since = p->number - plan->burst_at;
    return (plan->burst_every ? since % plan->burst_every : since) < plan->burst_count;
}

static void add(uint64_t *count)
{
    __atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
}

static void pass(datagram_proxy_t *p, const void *data, size_t bytes)
{
    (void)sendto(p->out, data, bytes, MSG_NOSIGNAL, (const struct sockaddr *)&p->to, sizeof p->to);
    add(&p->counts.passed);
}

/* What was held back until this datagram, or all of it. */
static void release(datagram_proxy_t *p, bool all)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < p->held_count; i++) {
        if (all || p->number >= p->held[i].after) {
            pass(p, p->held[i].data, p->held[i].bytes);
            free(p->held[i].data);
        } else {
            p->held[kept++] = p->held[i];
        }
    }
    p->held_count = kept;
}

static bool hold(datagram_proxy_t *p, size_t bytes)
{
    held_t *held = &p->held[p->held_count];
    if (p->held_count == HELD_MAX || !(held->data = malloc(bytes ? bytes : 1)))
        return false;
    memcpy(held->data, p->buffer, bytes);
    held->bytes = (uint32_t)bytes;
    held->after = p->number + p->plan.reorder_by;
    p->held_count++;
    add(&p->counts.reordered);
    return true;
}

static bool is_to_lose(datagram_proxy_t *p)
{
    if (__atomic_load_n(&p->to_lose, __ATOMIC_RELAXED) == 0)
        return false;
    __atomic_fetch_sub(&p->to_lose, 1, __ATOMIC_RELAXED);
    return true;
}

static void treat(datagram_proxy_t *p, size_t bytes)
{
    add(&p->counts.received);
    if (in_burst(p) || is_to_lose(p) || strikes(p, FAULT_LOSS, p->plan.lose_ppm)) {
        add(&p->counts.lost);
    } else if (!strikes(p, FAULT_REORDER, p->plan.reorder_ppm) || !hold(p, bytes)) {
        pass(p, p->buffer, bytes);
        if (strikes(p, FAULT_DOUBLE, p->plan.double_ppm)) {
            add(&p->counts.doubled);
            pass(p, p->buffer, bytes);
        }
    }
    release(p, false);
    p->number++;
}

/* Some of what has come, one way; and the answers the other. */
static void forward(datagram_proxy_t *p)
{
    for (unsigned turn = 0; turn < 256; turn++) {
        socklen_t length = sizeof p->last;
        ssize_t bytes = recvfrom(p->in, p->buffer, sizeof p->buffer, MSG_DONTWAIT,
                                 (struct sockaddr *)&p->last, &length);
        if (bytes < 0)
            return;
        treat(p, (size_t)bytes);
    }
}

static void answer(datagram_proxy_t *p)
{
    for (unsigned turn = 0; turn < 256; turn++) {
        ssize_t bytes = recv(p->out, p->buffer, sizeof p->buffer, MSG_DONTWAIT);
        if (bytes < 0)
            return;
        if (p->last.sin_port)
            (void)sendto(p->in, p->buffer, (size_t)bytes, MSG_NOSIGNAL,
                         (const struct sockaddr *)&p->last, sizeof p->last);
    }
}

static void *run(void *context)
{
    datagram_proxy_t *p = context;
    struct pollfd fds[3] = {{.fd = p->stop, .events = POLLIN},
                            {.fd = p->in, .events = POLLIN},
                            {.fd = p->out, .events = POLLIN}};
    while (!(fds[0].revents & POLLIN)) {
        if (poll(fds, 3, p->held_count ? IDLE_MS : -1) == 0)
            release(p, true);
        forward(p);
        answer(p);
    }
    release(p, true);
    return NULL;
}

/* --- started and stopped --- */

static int open_socket(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), bytes = BUFFER_BYTES, on = 1;
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool join_group(int fd, const char *group)
{
    struct ip_mreqn request = {.imr_address = {htonl(INADDR_LOOPBACK)}};
    return inet_pton(AF_INET, group, &request.imr_multiaddr) == 1 &&
           setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) == 0;
}

static bool open_all(datagram_proxy_t *p, const char *group, uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons(group ? *port : 0),
                             .sin_addr = {htonl(group ? INADDR_ANY : INADDR_LOOPBACK)}};
    struct sockaddr_in out = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof in;
    p->in = open_socket(&in);
    p->out = open_socket(&out);
    p->stop = eventfd(0, EFD_CLOEXEC);
    if (p->in < 0 || p->out < 0 || p->stop < 0 || (group && !join_group(p->in, group)) ||
        getsockname(p->in, (struct sockaddr *)&in, &length) < 0)
        return false;
    *port = ntohs(in.sin_port);
    return true;
}

static void destroy(datagram_proxy_t *p)
{
    int fds[3] = {p->in, p->out, p->stop};
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(p);
}

datagram_proxy_t *datagram_proxy_start(const datagram_plan_t *plan, const char *group,
                                       uint16_t to_port, uint16_t *out_port)
{
    datagram_proxy_t *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->plan = *plan;
    p->in = p->out = p->stop = -1;
    p->to = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(to_port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (!open_all(p, group, out_port) || pthread_create(&p->thread, NULL, run, p) != 0) {
        destroy(p);
        return NULL;
    }
    return p;
}

void datagram_proxy_lose(datagram_proxy_t *proxy, uint64_t count)
{
    __atomic_fetch_add(&proxy->to_lose, count, __ATOMIC_RELAXED);
}

datagram_counts_t datagram_proxy_counts(const datagram_proxy_t *proxy)
{
    const datagram_counts_t *c = &proxy->counts;
    return (datagram_counts_t){.received = __atomic_load_n(&c->received, __ATOMIC_RELAXED),
                               .passed = __atomic_load_n(&c->passed, __ATOMIC_RELAXED),
                               .lost = __atomic_load_n(&c->lost, __ATOMIC_RELAXED),
                               .doubled = __atomic_load_n(&c->doubled, __ATOMIC_RELAXED),
                               .reordered = __atomic_load_n(&c->reordered, __ATOMIC_RELAXED)};
}

void datagram_proxy_stop(datagram_proxy_t *proxy)
{
    uint64_t one = 1;
    if (!proxy)
        return;
    (void)!write(proxy->stop, &one, sizeof one);
    pthread_join(proxy->thread, NULL);
    destroy(proxy);
}
