/* SPDX-License-Identifier: Apache-2.0 */
/* bad_sessions.c - what do good sessions of a gateway feel of bad ones beside them?
 *
 *    good      reads at once; its latency is from before a message is published until it has it
 *    stopped   logged in, and reads nothing
 *    slow      logged in, and reads 1 KB a second
 *    abusive   one in three each: sends garbage and comes again when it is cut off; connects and
 *              says nothing; logs in and floods the gateway with packets
 *
 * Runs without and with the bad ones take turns, A B B A, on one gateway each. A message is
 * published when all good sessions have the one before, and a pause is over. The gateway has one
 * CPU, its clients another; what the bad ones themselves do is on the CPU of the good ones too, so
 * the ratio is an upper bound of what the gateway does to them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <tickbus/clock.h>

#include "bench/gateway_stand.h"
#include "bench/program.h"
#include "bus/wire/soup.h"
#include "tools/measure/rank.h"

#define REPETITIONS_MAX 51u
#define PAUSE_NS        UINT64_C(1000000)
#define SECOND_NS       UINT64_C(1000000000)
#define GIVE_UP_NS      (10 * SECOND_NS)

static const char usage[] = "usage: bench_bad_sessions [--quick] [--repetitions N] [--good N] "
                            "[--bad N] [--messages N]\n";

typedef struct options {
    unsigned repetitions, good, bad, messages;
} options_t;

enum bad_kind { STOPPED, SLOW, GARBAGE, SILENT, FLOOD };

typedef struct crowd {
    const options_t *options;
    stand_t *stand;
    uint16_t port;
    unsigned bad;
    uint32_t *ns; /* options->good a message */
    tbus_atomic_u32_t done;
    int bad_fds[CLIENTS_MAX];
    uint64_t read_ns; /* when the slow ones last read */
} crowd_t;

/* A third each. */
static enum bad_kind kind_of(unsigned i)
{
    static const enum bad_kind abusive[] = {GARBAGE, SILENT, FLOOD};
    return i % 3 == 0 ? STOPPED : i % 3 == 1 ? SLOW : abusive[i / 3 % 3];
}

static void log_in(int fd, uint64_t sequence)
{
    uint8_t login[STAND_LOGIN_MAX];
    size_t bytes = stand_login(login, sequence);
    bench_must(send(fd, login, bytes, 0) == (ssize_t)bytes ? 0 : -1, "log in", "send");
}

static void begin_bad(crowd_t *c, unsigned i)
{
    c->bad_fds[i] = stand_connect(c->port);
    fcntl(c->bad_fds[i], F_SETFL, O_NONBLOCK);
    if (kind_of(i) == STOPPED || kind_of(i) == SLOW || kind_of(i) == FLOOD)
        log_in(c->bad_fds[i], 1);
}

/* What bad sessions do between two messages. */
static void misbehave(crowd_t *c)
{
    static uint8_t junk[1024];
    static const uint8_t debug[] = {0, 1, SOUP_DEBUG};
    bool reads = tbus_clock_ns() - c->read_ns >= SECOND_NS;
    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = debug[i % sizeof debug];
    for (unsigned i = 0; i < c->bad; i++) {
        ssize_t bytes = 1;
        switch (kind_of(i)) {
        case SLOW:
            bytes = reads ? recv(c->bad_fds[i], junk, sizeof junk, 0) : 1;
            break;
        case GARBAGE:
            bytes = send(c->bad_fds[i], "\377\377garbage", 9, MSG_NOSIGNAL);
            if (bytes > 0)
                bytes = recv(c->bad_fds[i], junk, sizeof junk, 0);
            break;
        case FLOOD:
            bytes = send(c->bad_fds[i], junk, sizeof junk, MSG_NOSIGNAL);
            break;
        default:
            break;
        }
        if (bytes == 0 || (bytes < 0 && errno != EAGAIN)) { /* it was cut off */
            close(c->bad_fds[i]);
            begin_bad(c, i);
        }
    }
    c->read_ns = reads ? tbus_clock_ns() : c->read_ns;
}

/* Reads until all good sessions have what they are to have. */
static void read_message(const crowd_t *c, int epoll, const int *fds, uint64_t *got, uint64_t want,
                         uint64_t began_ns, uint32_t *out_ns)
{
    struct epoll_event events[64];
    unsigned have = 0;
    while (have < c->options->good) {
        int count = epoll_wait(epoll, events, 64, 0);
        uint64_t now_ns = tbus_clock_ns();
        bench_must(now_ns - began_ns > GIVE_UP_NS ? -1 : 0, "read", "a good session starves");
        for (int k = 0; k < count; k++) {
            static uint8_t sink[4096];
            unsigned i = events[k].data.u32;
            ssize_t bytes = recv(fds[i], sink, sizeof sink, MSG_DONTWAIT);
            bench_must(bytes == 0 ? -1 : 0, "read", "a good session was cut off");
            bool had = got[i] >= want;
            if (bytes > 0) /* a heartbeat has three bytes */
                got[i] += (uint64_t)bytes / WIRE_BYTES * WIRE_BYTES;
            if (!had && got[i] >= want)
                out_ns[have++] = (uint32_t)(tbus_clock_ns() - began_ns);
        }
    }
}

static void *run_crowd(void *context)
{
    crowd_t *c = context;
    static int fds[CLIENTS_MAX];
    static uint64_t got[CLIENTS_MAX];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    stand_pin(1);
    for (unsigned i = 0; i < c->bad; i++)
        begin_bad(c, i);
    for (unsigned i = 0; i < c->options->good; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        uint8_t accepted[SOUP_ACCEPTED_BYTES];
        fds[i] = stand_connect(c->port);
        got[i] = 0;
        log_in(fds[i], 0);
        bench_must(recv(fds[i], accepted, sizeof accepted, MSG_WAITALL) == sizeof accepted ? 0 : -1,
                   "log in", "a good session");
        epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event);
    }
    for (unsigned m = 0; m < c->options->messages; m++) {
        misbehave(c);
        for (uint64_t until_ns = tbus_clock_ns() + PAUSE_NS; tbus_clock_ns() < until_ns;)
            ;
        uint64_t began_ns = tbus_clock_ns();
        stand_publish(c->stand, 1);
        read_message(c, epoll, fds, got, (m + 1) * (uint64_t)WIRE_BYTES, began_ns,
                     c->ns + (size_t)m * c->options->good);
    }
    tbus_store_relaxed_u32(&c->done, 1);
    for (unsigned i = 0; i < c->options->good; i++)
        close(fds[i]);
    for (unsigned i = 0; i < c->bad; i++)
        close(c->bad_fds[i]);
    close(epoll);
    return NULL;
}

/* p50 and p99 of good sessions. */
static void measure(const options_t *o, unsigned bad, uint32_t *ns, double out_ns[2])
{
    stand_t s;
    pthread_t thread;
    static crowd_t c;
    c = (crowd_t){.options = o, .stand = &s, .bad = bad, .ns = ns};
    stand_open(&s, GATEWAY_IO_EPOLL, o->messages);
    c.port = gateway_server_port(s.server, 0);
    bench_must(-pthread_create(&thread, NULL, run_crowd, &c), "start", "a thread");
    while (!tbus_load_relaxed_u32(&c.done))
        stand_turn(&s);
    pthread_join(thread, NULL);
    stand_close(&s);
    size_t count = (size_t)o->messages * o->good;
    out_ns[0] = rank_u32(ns, count, 500);
    out_ns[1] = rank_u32(ns, count, 990);
}

static void parse(int argc, char **argv, options_t *o)
{
    const bench_option_t options[] = {
        {"repetitions", .count = &o->repetitions, .highest = REPETITIONS_MAX / 2},
        {"good", .count = &o->good, .highest = CLIENTS_MAX},
        {"bad", .count = &o->bad, .highest = CLIENTS_MAX},
        {"messages", .count = &o->messages, .highest = 100000},
        {.name = "quick"},
        {0}};
    *o = (options_t){.repetitions = 4, .good = 800, .bad = 300, .messages = 500};
    while (bench_option(argc, argv, options, 0, usage))
        *o = (options_t){.repetitions = 1, .good = 20, .bad = 9, .messages = 50};
}

int main(int argc, char **argv)
{
    options_t o;
    double without[2][REPETITIONS_MAX], with[2][REPETITIONS_MAX], ratio[2][REPETITIONS_MAX];
    parse(argc, argv, &o);
    uint32_t *ns = malloc((size_t)o.messages * o.good * sizeof *ns);
    bench_must(ns ? 0 : -ENOMEM, "measure", "no memory");
    stand_allow_clients();
    stand_pin(0);
    for (unsigned i = 0; i < o.repetitions; i++) {
        double ns_of[2][2]; /* without, with */
        for (unsigned k = 0; k < 2; k++) {
            unsigned which = (i + k) % 2;
            measure(&o, which ? o.bad : 0, ns, ns_of[which]);
        }
        for (unsigned p = 0; p < 2; p++) {
            without[p][i] = ns_of[0][p];
            with[p][i] = ns_of[1][p];
            ratio[p][i] = ns_of[1][p] / ns_of[0][p];
        }
    }
    printf("%u good sessions, latency without and with %u bad ones:\n", o.good, o.bad);
    for (unsigned p = 0; p < 2; p++)
        printf("  %s  %8.1f us  %8.1f us  %.2f x\n", p ? "p99" : "p50",
               rank_median(without[p], o.repetitions) / 1e3,
               rank_median(with[p], o.repetitions) / 1e3, rank_median(ratio[p], o.repetitions));
    free(ns);
    return 0;
}
