/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.c - what does a gateway cost beside what TCP costs anyway, and which way to the kernel is
 * the better one?
 *
 *    fan-out     messages that are ready, to 1, 10, 100 and 1000 clients: bytes sent by a second of
 *                the gateway's CPU, over the same of a plain loop of send(2), 64 KiB at a time, to
 *                as many sockets in turn
 *    one client  the same bytes to one client by the clock: ready to be sent; encoded on the way
 *    latency     from before a message is published until its client has it, over half a round trip
 *                between two sockets; both sides spin. Beside it one way between two sockets: from
 *                before a word is stored in memory until the client has what a loop sent that spun
 *                on the word, with no gateway at all
 *
 * All take turns, repetition after repetition; figures are medians. The gateway is pinned to one
 * CPU and its clients to another, which read and throw away. Messages are 36 bytes of ITCH, 39 on
 * the wire.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>

#include <tickbus/clock.h>

#include "bench/gateway_stand.h"
#include "bench/program.h"
#include "bus/wire/soup.h"
#include "tools/measure/rank.h"

#define REPETITIONS_MAX 51u
#define CHUNK_BYTES     65536u
#define SAMPLES_MAX     20000u

static const char usage[] = "usage: bench_gateway [--quick] [--repetitions N] [--messages N]\n";

typedef struct options {
    unsigned repetitions;
    uint64_t messages;
    unsigned samples;
} options_t;

static uint64_t own_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

typedef struct speed {
    double by_cpu; /* MB a second of the sender's CPU */
    double by_clock;
} speed_t;

static speed_t speed(uint64_t bytes, uint64_t began_ns, uint64_t began_cpu_ns)
{
    return (speed_t){(double)bytes * 1e3 / (double)(own_cpu_ns() - began_cpu_ns),
                     (double)bytes * 1e3 / (double)(tbus_clock_ns() - began_ns)};
}

/* Messages that lie ready (`encoded` beforehand), or are encoded while they are sent. */
static speed_t through_gateway(const options_t *o, enum gateway_io io, unsigned clients,
                               bool encoded)
{
    stand_t s;
    stand_open(&s, io, o->messages);
    while (encoded && s.published < o->messages) {
        stand_publish(&s, 1024);
        while (stand_turn(&s))
            ;
    }
    uint8_t login[STAND_LOGIN_MAX];
    readers_t r = {.port = gateway_server_port(s.server, 0),
                   .count = clients,
                   .bytes = o->messages * WIRE_BYTES,
                   .hello = login,
                   .hello_bytes = stand_login(login, 1)};
    readers_start(&r);
    uint64_t began_ns = tbus_clock_ns(), began_cpu_ns = own_cpu_ns();
    while (!readers_done(&r)) {
        if (s.published < o->messages)
            stand_publish(&s, 1024);
        if (!stand_turn(&s))
            gateway_server_sleep(s.server, tbus_clock_ns() + 1000000);
    }
    speed_t result = speed(r.bytes * clients, began_ns, began_cpu_ns);
    readers_join(&r);
    stand_close(&s);
    return result;
}

/* The same bytes by a loop that does nothing else. */
static speed_t through_loop(const options_t *o, unsigned clients)
{
    uint8_t *memory = malloc(o->messages * WIRE_BYTES);
    static uint64_t sent[CLIENTS_MAX];
    static int fds[CLIENTS_MAX];
    struct epoll_event events[64];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &(int){SEND_BUFFER}, sizeof(int));
    bench_must(bind(listener, (struct sockaddr *)&address, bytes), "bind", "an address");
    bench_must(listen(listener, (int)CLIENTS_MAX), "listen", "on an address");
    getsockname(listener, (struct sockaddr *)&address, &bytes);
    bench_must(memory ? 0 : -1, "send", "no memory");
    memset(memory, 1, o->messages * WIRE_BYTES);
    readers_t r = {.port = ntohs(address.sin_port), .count = clients};
    r.bytes = o->messages * WIRE_BYTES;
    readers_start(&r);
    uint64_t began_ns = tbus_clock_ns(), began_cpu_ns = own_cpu_ns();
    for (unsigned i = 0; i < clients; i++) {
        struct epoll_event event = {.events = EPOLLOUT | EPOLLET, .data.u32 = i};
        fds[i] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        bench_must(fds[i] < 0 ? -errno : 0, "accept", "a client");
        setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        sent[i] = 0;
        epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event);
    }
    while (!readers_done(&r)) {
        int count = epoll_wait(epoll, events, 64, 1);
        for (int k = 0; k < count; k++) {
            unsigned i = events[k].data.u32;
            ssize_t took = 0;
            while (sent[i] < r.bytes && took >= 0) {
                uint64_t rest = r.bytes - sent[i];
                took = send(fds[i], memory + sent[i], rest < CHUNK_BYTES ? rest : CHUNK_BYTES,
                            MSG_NOSIGNAL);
                sent[i] += took > 0 ? (uint64_t)took : 0;
            }
        }
    }
    speed_t result = speed(r.bytes * clients, began_ns, began_cpu_ns);
    readers_join(&r);
    for (unsigned i = 0; i < clients; i++)
        close(fds[i]);
    close(listener);
    close(epoll);
    free(memory);
    return result;
}

/* ---- latency */

typedef struct pinger {
    pthread_t thread;
    stand_t *stand; /* NULL: over bare sockets */
    bool one_way;   /* these only: `asked` asks for a message */
    tbus_atomic_u32_t asked;
    uint16_t port;
    unsigned samples;
    uint32_t *ns; /* what each took */
    tbus_atomic_u32_t done;
} pinger_t;

/* Spins until `count` bytes have come. */
static void read_spinning(int fd, uint8_t *into, size_t count)
{
    for (size_t got = 0; got < count;) {
        ssize_t bytes = recv(fd, into + got, count - got, MSG_DONTWAIT);
        if (bytes == 0 || (bytes < 0 && errno != EAGAIN && errno != EINTR))
            bench_must(-1, "read", bytes == 0 ? "the connection was closed" : strerror(errno));
        got += bytes > 0 ? (size_t)bytes : 0;
    }
}

/* A message, leaving out heartbeats. */
static void read_message(int fd)
{
    uint8_t packet[WIRE_BYTES];
    read_spinning(fd, packet, WIRE_BYTES);
    while (packet[2] == SOUP_SERVER_HEARTBEAT) {
        memmove(packet, packet + SOUP_HEADER_BYTES, WIRE_BYTES - SOUP_HEADER_BYTES);
        read_spinning(fd, packet + WIRE_BYTES - SOUP_HEADER_BYTES, SOUP_HEADER_BYTES);
    }
}

static void *run_pinger(void *context)
{
    pinger_t *p = context;
    uint8_t bytes[WIRE_BYTES] = {0};
    uint8_t accepted[SOUP_ACCEPTED_BYTES];
    stand_pin(1);
    int fd = stand_connect(p->port);
    if (p->stand) {
        uint8_t login[STAND_LOGIN_MAX];
        size_t login_bytes = stand_login(login, 0);
        bench_must(send(fd, login, login_bytes, 0) == (ssize_t)login_bytes ? 0 : -1, "log in",
                   "send");
        read_spinning(fd, accepted, sizeof accepted);
    }
    for (unsigned i = 0; i < p->samples; i++) {
        for (uint64_t until = tbus_clock_ns() + 20000; tbus_clock_ns() < until;)
            ; /* a pause, so that each message goes alone */
        uint64_t began_ns = tbus_clock_ns();
        if (p->stand) {
            stand_publish(p->stand, 1);
            read_message(fd);
        } else if (p->one_way) {
            tbus_store_release_u32(&p->asked, i + 1);
            read_spinning(fd, bytes, sizeof bytes);
        } else {
            bench_must(send(fd, bytes, sizeof bytes, 0) == sizeof bytes ? 0 : -1, "send", "a ping");
            read_spinning(fd, bytes, sizeof bytes);
        }
        p->ns[i] = (uint32_t)(tbus_clock_ns() - began_ns);
    }
    tbus_store_relaxed_u32(&p->done, 1);
    close(fd);
    return NULL;
}

static void latency_of_gateway(const options_t *o, enum gateway_io io, uint32_t *ns)
{
    stand_t s;
    stand_open(&s, io, 1 << 20);
    pinger_t p = {
        .stand = &s, .port = gateway_server_port(s.server, 0), .samples = o->samples, .ns = ns};
    bench_must(-pthread_create(&p.thread, NULL, run_pinger, &p), "start", "a thread");
    while (!tbus_load_relaxed_u32(&p.done))
        stand_turn(&s);
    pthread_join(p.thread, NULL);
    stand_close(&s);
}

static void latency_of_sockets(const options_t *o, bool one_way, uint32_t *ns)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    uint8_t bytes[WIRE_BYTES];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bench_must(bind(listener, (struct sockaddr *)&address, size), "bind", "an address");
    bench_must(listen(listener, 1), "listen", "on an address");
    getsockname(listener, (struct sockaddr *)&address, &size);
    pinger_t p = {
        .port = ntohs(address.sin_port), .one_way = one_way, .samples = o->samples, .ns = ns};
    bench_must(-pthread_create(&p.thread, NULL, run_pinger, &p), "start", "a thread");
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    for (unsigned i = 0; i < o->samples; i++) {
        while (one_way && tbus_load_acquire_u32(&p.asked) <= i)
            ;
        if (!one_way)
            read_spinning(fd, bytes, sizeof bytes);
        bench_must(send(fd, bytes, sizeof bytes, 0) == sizeof bytes ? 0 : -1, "send", "a pong");
    }
    pthread_join(p.thread, NULL);
    close(fd);
    close(listener);
}

/* ---- the report */

enum { WAYS = 2 };
static const enum gateway_io ways[WAYS] = {GATEWAY_IO_EPOLL, GATEWAY_IO_URING};
static const char *const way_names[WAYS] = {"epoll", "io_uring"};

static void report_fan_out(const options_t *o, unsigned clients)
{
    double loop[REPETITIONS_MAX], by_cpu[WAYS][REPETITIONS_MAX], ratio[WAYS][REPETITIONS_MAX];
    options_t scaled = *o;
    scaled.messages = o->messages / clients > 2048 ? o->messages / clients : 2048;
    for (unsigned i = 0; i < o->repetitions; i++) {
        loop[i] = through_loop(&scaled, clients).by_cpu;
        for (unsigned w = 0; w < WAYS; w++) {
            by_cpu[w][i] = through_gateway(&scaled, ways[w], clients, true).by_cpu;
            ratio[w][i] = by_cpu[w][i] / loop[i];
        }
    }
    printf("fan-out to %4u     loop %6.0f MB/s of CPU", clients, rank_median(loop, o->repetitions));
    for (unsigned w = 0; w < WAYS; w++)
        printf("   %s %6.0f, %.2f of the loop", way_names[w],
               rank_median(by_cpu[w], o->repetitions), rank_median(ratio[w], o->repetitions));
    printf("\n");
    fflush(stdout);
}

static void report_one_client(const options_t *o)
{
    double loop[REPETITIONS_MAX], ratio[WAYS][2][REPETITIONS_MAX];
    for (unsigned i = 0; i < o->repetitions; i++) {
        loop[i] = through_loop(o, 1).by_clock;
        for (unsigned w = 0; w < WAYS; w++)
            for (unsigned encoded = 0; encoded < 2; encoded++)
                ratio[w][encoded][i] =
                    through_gateway(o, ways[w], 1, encoded == 1).by_clock / loop[i];
    }
    printf("one client          loop %6.0f MB/s", rank_median(loop, o->repetitions));
    for (unsigned w = 0; w < WAYS; w++)
        printf("   %s ready %.2f, encoded on the way %.2f", way_names[w],
               rank_median(ratio[w][1], o->repetitions), rank_median(ratio[w][0], o->repetitions));
    printf("\n");
    fflush(stdout);
}

static void report_latency(const options_t *o)
{
    static uint32_t ns[SAMPLES_MAX];
    double half[2][REPETITIONS_MAX], bare[2][REPETITIONS_MAX], ratio[WAYS][2][REPETITIONS_MAX];
    static const unsigned ranks[2] = {500, 990};
    for (unsigned i = 0; i < o->repetitions; i++) {
        latency_of_sockets(o, false, ns);
        for (unsigned k = 0; k < 2; k++)
            half[k][i] = rank_u32(ns, o->samples, ranks[k]) / 2.0;
        latency_of_sockets(o, true, ns);
        for (unsigned k = 0; k < 2; k++)
            bare[k][i] = rank_u32(ns, o->samples, ranks[k]) / half[k][i];
        for (unsigned w = 0; w < WAYS; w++) {
            latency_of_gateway(o, ways[w], ns);
            for (unsigned k = 0; k < 2; k++)
                ratio[w][k][i] = rank_u32(ns, o->samples, ranks[k]) / half[k][i];
        }
    }
    printf("latency             half a round trip: p50 %.1f us, p99 %.1f us"
           "   one way, bare: p50 %.2f, p99 %.2f of it",
           rank_median(half[0], o->repetitions) / 1e3, rank_median(half[1], o->repetitions) / 1e3,
           rank_median(bare[0], o->repetitions), rank_median(bare[1], o->repetitions));
    for (unsigned w = 0; w < WAYS; w++)
        printf("   %s p50 %.2f, p99 %.2f of it", way_names[w],
               rank_median(ratio[w][0], o->repetitions), rank_median(ratio[w][1], o->repetitions));
    printf("\n");
}

static void parse(int argc, char **argv, options_t *o)
{
    const bench_option_t options[] = {
        {"repetitions", .count = &o->repetitions, .highest = REPETITIONS_MAX},
        {"messages", .number = &o->messages, .highest = UINT64_C(1) << 30},
        {.name = "quick"},
        {0}};
    *o = (options_t){.repetitions = 7, .messages = 1 << 20, .samples = SAMPLES_MAX};
    while (bench_option(argc, argv, options, 0, usage))
        *o = (options_t){.repetitions = 1, .messages = 1 << 16, .samples = 500};
}

int main(int argc, char **argv)
{
    static const unsigned clients[] = {1, 10, 100, CLIENTS_MAX};
    options_t o;
    parse(argc, argv, &o);
    stand_allow_clients();
    stand_pin(0);
    for (unsigned i = 0; i < sizeof clients / sizeof clients[0]; i++)
        report_fan_out(&o, clients[i]);
    report_one_client(&o);
    report_latency(&o);
    return 0;
}
