/* SPDX-License-Identifier: Apache-2.0 */
/* fan_out.c - how many bytes does a second of a sender's CPU bring to 1, 10, 100 and 1000 clients:
 * our gateway beside ZeroMQ PUB/SUB over TCP and a NATS server?
 *
 * The same 36 bytes, message by message, and only these are counted, not what each protocol puts
 * around them. The clients are the same for all: they read bytes from sockets and throw them away,
 * so no library of a peer is at work on their side. What a sender's CPU time holds:
 *
 *    ours      from publishing on the ring: taking, encoding, digest, sending
 *    ready     ours, messages that were encoded before the clients came
 *    ZeroMQ    zmq_send and its thread for input and output; XPUB that blocks instead of dropping
 *    NATS      the server alone; the bytes of PUB lie ready and its publisher's time is not counted
 *
 * All take turns, repetition after repetition; figures are medians, ratios are of one repetition. A
 * peer that is not here is left out, and the program says so.
 */
#include <errno.h>
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/clock.h>

#include "bench/gateway_stand.h"
#include "bench/nats_stand.h"
#include "bench/program.h"
#include "tools/measure/rank.h"

#if BENCH_HAS_ZMQ
#include <zmq.h>
#endif

#define REPETITIONS_MAX 51u
#define MESSAGES_LEAST  2048u
#define GIVE_UP_NS      UINT64_C(60000000000)

static const char usage[] = "usage: bench_fan_out [--quick] [--repetitions N] [--messages N]\n";

typedef struct options {
    unsigned repetitions;
    uint64_t messages; /* to all clients together; each gets MESSAGES_LEAST or more */
} options_t;

static uint64_t cpu_ns(clockid_t clock)
{
    struct timespec t;
    bench_must(clock_gettime(clock, &t), "read a clock", "of CPU time");
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Of this process without its readers. */
static uint64_t sender_cpu_ns(const readers_t *r)
{
    clockid_t clock;
    bench_must(-pthread_getcpuclockid(r->thread, &clock), "find", "a thread's clock");
    return cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns(clock);
}

/* MB of messages by a second of CPU. */
static double speed(uint64_t messages, unsigned clients, uint64_t cpu)
{
    return (double)(messages * MESSAGE_BYTES * clients) * 1e3 / (double)cpu;
}

static void await_ready(const readers_t *r)
{
    while (tbus_load_relaxed_u32(&r->ready) < r->count)
        usleep(1000);
}

static void check_time(uint64_t began_ns, const char *who)
{
    bench_must(tbus_clock_ns() - began_ns > GIVE_UP_NS ? -1 : 0, who,
               "clients have not got everything within a minute");
}

/* ---- ours */

static double by_gateway(enum gateway_io io, unsigned clients, uint64_t messages, bool ready)
{
    stand_t s;
    uint8_t login[STAND_LOGIN_MAX];
    stand_open(&s, io, messages);
    while (ready && s.published < messages) {
        stand_publish(&s, 1024);
        while (stand_turn(&s))
            ;
    }
    readers_t r = {.port = gateway_server_port(s.server, 0),
                   .count = clients,
                   .bytes = messages * WIRE_BYTES,
                   .hello = login,
                   .hello_bytes = stand_login(login, 1)};
    readers_start(&r);
    uint64_t began_ns = tbus_clock_ns(), began_cpu_ns = sender_cpu_ns(&r);
    while (!readers_done(&r)) {
        bool all_here = tbus_load_relaxed_u32(&r.ready) == clients;
        if (all_here && s.published < messages)
            stand_publish(&s, 1024);
        if (!stand_turn(&s))
            gateway_server_sleep(s.server, tbus_clock_ns() + 1000000);
        check_time(began_ns, "tickbus");
    }
    double result = speed(messages, clients, sender_cpu_ns(&r) - began_cpu_ns);
    readers_join(&r);
    stand_close(&s);
    return result;
}

/* ---- ZeroMQ */

#if BENCH_HAS_ZMQ
#define ZMTP_READY       "\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03SUB"
#define ZMTP_SUBSCRIBE   "\x00\x01\x01" /* all topics */
#define ZMTP_FRAME_BYTES (2 + MESSAGE_BYTES)

/* What a SUB sends to begin with, ZMTP 3.0: greeting without security, READY. */
static size_t zmtp_hello(uint8_t out[128])
{
    size_t bytes = 64;
    memset(out, 0, bytes);
    out[0] = 0xff;
    out[9] = 0x7f;
    out[10] = 3; /* version */
    memcpy(out + 12, "NULL", 4);
    memcpy(out + bytes, ZMTP_READY, sizeof ZMTP_READY - 1);
    return bytes + sizeof ZMTP_READY - 1;
}

static double by_zmq(unsigned clients, uint64_t messages)
{
    uint8_t hello[128], message[MESSAGE_BYTES] = {'A'};
    char endpoint[64], *colon;
    size_t bytes = sizeof endpoint;
    int none = 0, yes = 1, backlog = CLIENTS_MAX;
    void *context = zmq_ctx_new();
    zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 2 * (int)CLIENTS_MAX);
    void *out = zmq_socket(context, ZMQ_XPUB);
    zmq_setsockopt(out, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(out, ZMQ_XPUB_NODROP, &yes, sizeof yes);
    zmq_setsockopt(out, ZMQ_XPUB_VERBOSE, &yes, sizeof yes);
    zmq_setsockopt(out, ZMQ_BACKLOG, &backlog, sizeof backlog);
    bench_must(zmq_bind(out, "tcp://127.0.0.1:*"), "zmq_bind", zmq_strerror(zmq_errno()));
    bench_must(zmq_getsockopt(out, ZMQ_LAST_ENDPOINT, endpoint, &bytes), "zmq_getsockopt",
               "the endpoint");
    colon = strrchr(endpoint, ':');
    readers_t r = {.port = (uint16_t)(colon ? atoi(colon + 1) : 0),
                   .count = clients,
                   .bytes = messages * ZMTP_FRAME_BYTES,
                   .hello = hello,
                   .hello_bytes = zmtp_hello(hello),
                   .welcome = "XPUB",
                   .request = ZMTP_SUBSCRIBE,
                   .request_bytes = sizeof ZMTP_SUBSCRIBE - 1};
    readers_start(&r);
    for (unsigned here = 0; here < clients; here++) { /* each subscription is told */
        uint8_t subscription[8];
        bench_must(zmq_recv(out, subscription, sizeof subscription, 0), "zmq_recv",
                   zmq_strerror(zmq_errno()));
    }
    uint64_t began_ns = tbus_clock_ns(), began_cpu_ns = sender_cpu_ns(&r);
    for (uint64_t i = 0; i < messages;) {
        int sent = zmq_send(out, message, sizeof message, ZMQ_DONTWAIT);
        if (sent >= 0) {
            i++;
            continue;
        }
        bench_must(zmq_errno() == EAGAIN ? 0 : -1, "zmq_send", zmq_strerror(zmq_errno()));
        usleep(100); /* it is full: its own thread sends */
        check_time(began_ns, "ZeroMQ");
    }
    while (!readers_done(&r)) {
        usleep(100);
        check_time(began_ns, "ZeroMQ");
    }
    double result = speed(messages, clients, sender_cpu_ns(&r) - began_cpu_ns);
    readers_join(&r);
    zmq_close(out);
    zmq_ctx_term(context);
    return result;
}
#endif

/* ---- NATS */

#define NATS_CONNECT                                                                               \
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"c\",\"version\":\"1\","              \
    "\"protocol\":0}\r\n"
#define NATS_PUB   "PUB md 36\r\n"
#define NATS_MSG   "MSG md 1 36\r\n"
#define NATS_CHUNK 1024u /* messages that a publisher sends at a time */

/* What was sent when it answers a PING has been taken. */
static void nats_settle(int fd, const char *text)
{
    static const char pong[] = "PONG\r\n";
    size_t matched = 0;
    char c;
    bench_must(send(fd, text, strlen(text), MSG_NOSIGNAL) > 0 ? 0 : -1, "send", "to NATS");
    while (matched < sizeof pong - 1) {
        bench_must(recv(fd, &c, 1, 0) == 1 ? 0 : -1, "read", "from NATS");
        matched = c == pong[matched] ? matched + 1 : c == pong[0];
    }
}

/* Negative: it is not here. */
static double by_nats(unsigned clients, uint64_t messages)
{
    static const char hello[] = NATS_CONNECT "SUB md 1\r\nPING\r\n";
    static char chunk[NATS_CHUNK * (sizeof NATS_PUB - 1 + MESSAGE_BYTES + 2)];
    nats_stand_t n;
    clockid_t clock;
    size_t length = 0;
    if (!nats_stand_start(&n, "write_deadline: \"60s\"\n"))
        return -1;
    while (length < sizeof chunk) {
        memcpy(chunk + length, NATS_PUB, sizeof NATS_PUB - 1);
        length += sizeof NATS_PUB - 1;
        memset(chunk + length, 'A', MESSAGE_BYTES);
        memcpy(chunk + length + MESSAGE_BYTES, "\r\n", 2);
        length += MESSAGE_BYTES + 2;
    }
    readers_t r = {.port = n.port,
                   .count = clients,
                   .bytes = messages * (sizeof NATS_MSG - 1 + MESSAGE_BYTES + 2),
                   .hello = hello,
                   .hello_bytes = sizeof hello - 1,
                   .welcome = "PONG\r\n"};
    readers_start(&r);
    await_ready(&r);
    int fd = stand_connect(n.port);
    nats_settle(fd, NATS_CONNECT "PING\r\n");
    bench_must(-clock_getcpuclockid(n.pid, &clock), "find", "a process's clock");
    uint64_t began_ns = tbus_clock_ns(), began_cpu_ns = cpu_ns(clock);
    for (uint64_t i = 0; i < messages; i += NATS_CHUNK)
        for (size_t sent = 0; sent < length;) {
            ssize_t bytes = send(fd, chunk + sent, length - sent, MSG_NOSIGNAL);
            bench_must(bytes < 0 ? -errno : 0, "send", "to NATS");
            sent += (size_t)bytes;
        }
    while (!readers_done(&r)) {
        usleep(100);
        check_time(began_ns, "NATS");
    }
    double result = speed(messages, clients, cpu_ns(clock) - began_cpu_ns);
    readers_join(&r);
    close(fd);
    nats_stand_stop(&n);
    return result;
}

/* ---- the report */

enum sender { OURS_EPOLL, OURS_URING, READY_EPOLL, READY_URING, ZEROMQ, NATS, SENDERS };

static const char *const names[SENDERS] = {"epoll",           "io_uring", "ready, epoll",
                                           "ready, io_uring", "ZeroMQ",   "NATS"};

/* Negative: it is not here. */
static double measure(enum sender who, unsigned clients, uint64_t messages)
{
    switch (who) {
    case OURS_EPOLL:
    case READY_EPOLL:
        return by_gateway(GATEWAY_IO_EPOLL, clients, messages, who == READY_EPOLL);
    case OURS_URING:
    case READY_URING:
        return by_gateway(GATEWAY_IO_URING, clients, messages, who == READY_URING);
    case NATS:
        return by_nats(clients, messages);
    default:
        break;
    }
#if BENCH_HAS_ZMQ
    return by_zmq(clients, messages);
#else
    return -1;
#endif
}

static void report(const options_t *o, unsigned clients)
{
    double by_cpu[SENDERS][REPETITIONS_MAX], ratio[2][READY_URING + 1][REPETITIONS_MAX];
    uint64_t messages = o->messages / clients / 1024 * 1024;
    if (messages < MESSAGES_LEAST)
        messages = MESSAGES_LEAST;
    for (unsigned i = 0; i < o->repetitions; i++) {
        for (unsigned who = 0; who < SENDERS; who++)
            by_cpu[who][i] = measure((enum sender)who, clients, messages);
        for (unsigned ours = 0; ours <= READY_URING; ours++)
            for (unsigned peer = 0; peer < 2; peer++)
                ratio[peer][ours][i] = by_cpu[ours][i] / by_cpu[ZEROMQ + peer][i];
    }
    for (unsigned peer = ZEROMQ; peer < SENDERS; peer++)
        if (by_cpu[peer][0] >= 0)
            printf("%4u clients  %-16s %7.1f MB/s of CPU\n", clients, names[peer],
                   rank_median(by_cpu[peer], o->repetitions));
    for (unsigned ours = 0; ours <= READY_URING; ours++) {
        printf("%4u clients  %-16s %7.1f MB/s of CPU", clients, names[ours],
               rank_median(by_cpu[ours], o->repetitions));
        for (unsigned peer = 0; peer < 2; peer++)
            if (by_cpu[ZEROMQ + peer][0] >= 0)
                printf("   %.1f x %s", rank_median(ratio[peer][ours], o->repetitions),
                       names[ZEROMQ + peer]);
        printf("\n");
    }
    fflush(stdout);
}

static void parse(int argc, char **argv, options_t *o)
{
    const bench_option_t options[] = {
        {"repetitions", .count = &o->repetitions, .highest = REPETITIONS_MAX},
        {"messages", .number = &o->messages, .highest = UINT64_C(1) << 24},
        {.name = "quick"},
        {0}};
    *o = (options_t){.repetitions = 5, .messages = 1 << 20};
    while (bench_option(argc, argv, options, 0, usage))
        *o = (options_t){.repetitions = 1, .messages = 1 << 14};
}

int main(int argc, char **argv)
{
    static const unsigned clients[] = {1, 10, 100, CLIENTS_MAX};
    options_t o;
    parse(argc, argv, &o);
    stand_allow_clients();
    stand_pin(0);
#if !BENCH_HAS_ZMQ
    printf("ZeroMQ was not here when this was built (Debian: libzmq3-dev)\n");
#endif
    if (by_nats(1, MESSAGES_LEAST) < 0)
        printf("NATS is not here (Debian: nats-server)\n");
    for (unsigned i = 0; i < sizeof clients / sizeof clients[0]; i++)
        report(&o, clients[i]);
    return 0;
}
