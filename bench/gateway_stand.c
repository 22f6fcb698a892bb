/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/gateway_stand.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/program.h"
#include "bus/wire/soup.h"
#include "feedsim/itch/itch.h"

#define RING_SLOTS 8192u

void stand_pin(unsigned cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    (void)sched_setaffinity(0, sizeof set, &set); /* one CPU only: then both share it */
}

/* ---- the bus and the gateway on it */

gateway_options_t stand_options(enum gateway_io io)
{
    gateway_options_t options = {.channels_count = 1,
                                 .channels = {{"md", "127.0.0.1:0"}},
                                 .io = io,
                                 .window_bytes = 1,
                                 .backfill_bytes = 1,
                                 .backfill_readers = 1,
                                 .send_buffer_bytes = SEND_BUFFER,
                                 .sessions_max = 2 * CLIENTS_MAX,
                                 .logins_max = 2 * CLIENTS_MAX,
                                 .times = SOUP_TIMES};
    options.times.dead_ns = UINT64_C(3600000000000); /* clients here send no heartbeats */
    return options;
}

void stand_open_bus(stand_t *s)
{
    static const uint8_t message[MESSAGE_BYTES] = {'A', 0, 1, [19] = 'B', [24] = 'A'};
    tbus_error_t err = {0};
    size_t bytes;
    tbus_ring_spec_t spec = {.name = "md",
                             .kind = TBUS_BROADCAST,
                             .slot_bytes = 64,
                             .slot_count = RING_SLOTS,
                             .first_seq = 1};
    s->published = 0;
    s->server = NULL;
    bench_must(itch_decode(message, sizeof message, &s->tick, &bytes), "decode", "a message");
    bench_must(tbus_bus_create("bench-gateway", &s->bus, &err), "make a bus", err.text);
    bench_must(tbus_bus_add_topic(&s->bus, &spec, "tick", TBUS_PAGES_SMALL, -1, &err),
               "make a topic", err.text);
    bench_must(tbus_publisher_join(&s->bus.rings[0], 1, &s->out, &err), "publish", err.text);
}

void stand_open(stand_t *s, enum gateway_io io, uint64_t messages)
{
    tbus_error_t err = {0};
    gateway_options_t options = stand_options(io);
    options.window_bytes = messages * WIRE_BYTES * 5 / 4 + (1 << 20);
    stand_open_bus(s);
    bench_must(gateway_server_create(&s->bus, NULL, &options, NULL, &s->server, &err),
               "make a gateway", err.text);
    bench_must(gateway_server_start(s->server, "BENCH", &err), "start the gateway", err.text);
}

void stand_close(stand_t *s)
{
    gateway_server_destroy(s->server);
    tbus_bus_close(&s->bus);
}

void stand_publish(stand_t *s, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (tbus_publish_try(&s->out, &s->tick, sizeof s->tick) != TBUS_PUBLISHED)
            bench_must(-1, "publish", "the ring is full, though nobody is waited for");
    tbus_publisher_flush(&s->out);
    s->published += count;
}

int stand_turn(stand_t *s)
{
    tbus_error_t err = {0};
    return bench_must(gateway_server_turn(s->server, 1024, &err), "turn", err.text);
}

void stand_allow_clients(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 4 * CLIENTS_MAX + 200) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* ---- clients */

int stand_connect(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bench_must(fd < 0 ? -errno : connect(fd, (struct sockaddr *)&address, sizeof address),
               "connect", "to the sender");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

size_t stand_login(uint8_t out_packet[STAND_LOGIN_MAX], uint64_t sequence)
{
    soup_login_t login = {.user = "bench", .sequence = sequence};
    return soup_put_login(out_packet, &login);
}

/* Read as far as the welcome, which stands at the end of what is sent before the messages. */
static void await_welcome(int fd, const char *welcome)
{
    size_t length = strlen(welcome), matched = 0;
    char c;
    while (matched < length) {
        bench_must(recv(fd, &c, 1, 0) == 1 ? 0 : -1, "read", "a welcome");
        matched = c == welcome[matched] ? matched + 1 : c == welcome[0];
    }
}

/* NULL: nothing. */
static void send_all(int fd, const void *what, size_t bytes)
{
    if (what)
        bench_must(send(fd, what, bytes, MSG_NOSIGNAL) == (ssize_t)bytes ? 0 : -1, "send",
                   "to the sender");
}

static void say_hello(const readers_t *r, unsigned client, int fd)
{
    uint8_t login[STAND_LOGIN_MAX];
    if (r->apart)
        send_all(fd, login, stand_login(login, 1 + client * r->apart));
    else
        send_all(fd, r->hello, r->hello_bytes);
}

static void *run_readers(void *context)
{
    readers_t *r = context;
    static uint8_t sink[1 << 18];
    static uint64_t got[CLIENTS_MAX];
    static int fds[CLIENTS_MAX];
    struct epoll_event events[64];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    unsigned done = 0;
    stand_pin(1);
    for (unsigned i = 0; i < r->count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        got[i] = 0;
        fds[i] = stand_connect(r->port);
        say_hello(r, i, fds[i]);
        if (r->welcome)
            await_welcome(fds[i], r->welcome);
        send_all(fds[i], r->request, r->request_bytes);
        tbus_store_relaxed_u32(&r->ready, i + 1);
        epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event);
    }
    while (done < r->count) {
        int count = epoll_wait(epoll, events, 64, 100);
        for (int k = 0; k < count; k++) {
            unsigned i = events[k].data.u32;
            ssize_t bytes = recv(fds[i], sink, sizeof sink, MSG_DONTWAIT);
            bench_must(bytes == 0 ? -1 : 0, "read", "the connection was closed");
            bool before = got[i] >= r->bytes;
            got[i] += bytes > 0 ? (uint64_t)bytes : 0;
            if (before || got[i] < r->bytes)
                continue;
            if (r->apart) {
                close(fds[i]);
                fds[i] = -1;
            }
            tbus_store_relaxed_u32(&r->done, ++done);
        }
    }
    while (tbus_load_relaxed_u32(&r->ends) == 0)
        usleep(1000);
    for (unsigned i = 0; i < r->count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    close(epoll);
    return NULL;
}

void readers_start(readers_t *r)
{
    tbus_store_relaxed_u32(&r->ready, 0);
    tbus_store_relaxed_u32(&r->done, 0);
    tbus_store_relaxed_u32(&r->ends, 0);
    bench_must(-pthread_create(&r->thread, NULL, run_readers, r), "start", "a thread");
}

bool readers_done(const readers_t *r)
{
    return tbus_load_relaxed_u32(&r->done) == r->count;
}

void readers_join(readers_t *r)
{
    tbus_store_relaxed_u32(&r->ends, 1);
    pthread_join(r->thread, NULL);
}
