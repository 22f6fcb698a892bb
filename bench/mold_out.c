/* SPDX-License-Identifier: Apache-2.0 */
/* mold_out.c - how many messages does a second of a sender's CPU send by MoldUDP64, beside a plain
 * sendmmsg loop of the same packets?
 *
 *    ours     a ring is followed, its messages are encoded as ITCH, packed and sent (--mold)
 *    plain    packets of the same size and number, which lie ready: sendmmsg, 64 at a call
 *
 * Both send over loopback to one socket, which a thread on another CPU empties; what it does not
 * take in time the kernel throws away, as for any receiver of UDP. The time is that of the sending
 * thread alone, without what publishing on the ring takes. Both take turns, repetition after
 * repetition; figures are medians, ratios are of one repetition.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "bench/gateway_stand.h"
#include "bench/program.h"
#include "feedsim/mold/server.h"
#include "tools/measure/rank.h"

#define REPETITIONS_MAX 51u
#define AT_ONCE         4096u /* messages that are published before they are sent */
#define TAKEN_AT_ONCE   64u

static const char usage[] = "usage: bench_mold_out [--quick] [--repetitions N] [--messages N]\n";

typedef struct options {
    unsigned repetitions;
    uint64_t messages;
} options_t;

static uint64_t thread_cpu_ns(void)
{
    struct timespec t;
    bench_must(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), "read a clock", "of CPU time");
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- who receives */

typedef struct sink {
    pthread_t thread;
    int fd;
    struct sockaddr_in at;
    tbus_atomic_u32_t ends;
} sink_t;

/* Takes what comes and throws it away; a datagram that is empty wakes it at the end. */
static void *drain(void *context)
{
    sink_t *s = context;
    static uint8_t room[TAKEN_AT_ONCE][2048];
    struct mmsghdr headers[TAKEN_AT_ONCE];
    struct iovec parts[TAKEN_AT_ONCE];
    stand_pin(1);
    for (unsigned i = 0; i < TAKEN_AT_ONCE; i++) {
        parts[i] = (struct iovec){.iov_base = room[i], .iov_len = sizeof room[i]};
        headers[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
    }
    while (!tbus_load_relaxed_u32(&s->ends))
        (void)recvmmsg(s->fd, headers, TAKEN_AT_ONCE, MSG_WAITFORONE, NULL);
    return NULL;
}

static void sink_open(sink_t *s)
{
    socklen_t bytes = sizeof s->at;
    memset(s, 0, sizeof *s);
    s->at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bench_must(s->fd < 0 ? -errno : bind(s->fd, (struct sockaddr *)&s->at, bytes), "bind",
               "a receiver");
    bench_must(getsockname(s->fd, (struct sockaddr *)&s->at, &bytes), "find", "a port");
    bench_must(-pthread_create(&s->thread, NULL, drain, s), "start", "a receiver");
}

static void sink_close(sink_t *s)
{
    tbus_store_relaxed_u32(&s->ends, 1);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bench_must((int)sendto(fd, "", 0, 0, (struct sockaddr *)&s->at, sizeof s->at), "send",
               "the last datagram");
    pthread_join(s->thread, NULL);
    close(fd);
    close(s->fd);
}

/* ---- who sends: messages by a second of CPU */

static double by_us(const sink_t *sink, uint64_t messages, uint64_t *out_packets)
{
    stand_t s;
    char to[32];
    tbus_error_t err = {0};
    static moldout_board_t board;
    moldout_server_t *server;
    uint64_t cpu_ns = 0;
    snprintf(to, sizeof to, "127.0.0.1:%u", ntohs(sink->at.sin_port));
    moldout_options_t options = {.way = {.to = to, .interface = "", .send_buffer_bytes = 1 << 20},
                                 .topic = "md",
                                 .datagram_max = MOLD_DATAGRAM_USUAL,
                                 .window_bytes = 4 << 20};
    memset(&board, 0, sizeof board);
    stand_open_bus(&s);
    bench_must(moldout_server_create(&s.bus, NULL, &options, &board, &server, &err), "make",
               err.text);
    bench_must(moldout_server_start(server, "BENCH", &err), "start", err.text);
    while (s.published < messages) {
        stand_publish(&s, AT_ONCE);
        uint64_t began_ns = thread_cpu_ns();
        while (bench_must(moldout_server_turn(server, AT_ONCE, &err), "turn", err.text))
            ;
        cpu_ns += thread_cpu_ns() - began_ns;
    }
    moldout_server_finish(server); /* writes its counts */
    *out_packets = tbus_load_relaxed_u64(&board.totals[MOLDOUT_TOTAL_packets]);
    bench_must(tbus_load_relaxed_u64(&board.totals[MOLDOUT_TOTAL_messages]) == s.published ? 0 : -1,
               "send", "some messages were not taken by the kernel");
    moldout_server_destroy(server);
    double result = (double)s.published * 1e9 / (double)cpu_ns;
    tbus_bus_close(&s.bus);
    return result;
}

/* The packets that AT_ONCE messages make. */
static unsigned fill(uint8_t (*packets)[MOLD_DATAGRAM_USUAL], struct mmsghdr *headers,
                     struct iovec *parts)
{
    static const uint8_t message[MESSAGE_BYTES] = {'A', 0, 1, [19] = 'B', [24] = 'A'};
    unsigned count = 0;
    mold_writer_t w;
    for (uint64_t seq = 1; seq <= AT_ONCE; count++) {
        mold_begin(&w, packets[count], MOLD_DATAGRAM_USUAL, (const uint8_t *)"BENCH     ", seq);
        while (seq <= AT_ONCE && mold_add(&w, message, sizeof message))
            seq++;
        parts[count] = (struct iovec){.iov_base = packets[count], .iov_len = w.bytes};
        headers[count] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[count], .msg_iovlen = 1}};
    }
    return count;
}

static double by_plain_loop(const sink_t *sink, uint64_t messages, uint64_t *out_packets)
{
    enum { PACKETS = AT_ONCE / 32 };
    static uint8_t packets[PACKETS][MOLD_DATAGRAM_USUAL];
    struct mmsghdr headers[PACKETS];
    struct iovec parts[PACKETS];
    unsigned count = fill(packets, headers, parts);
    uint64_t sent = 0, cpu_ns = 0;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), bytes = 1 << 20;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    bench_must(connect(fd, (const struct sockaddr *)&sink->at, sizeof sink->at), "connect",
               "to the receiver");
    *out_packets = 0;
    for (; sent < messages; sent += AT_ONCE) {
        uint64_t began_ns = thread_cpu_ns();
        for (unsigned i = 0; i < count;) {
            unsigned some = count - i < MOLDOUT_BATCH ? count - i : MOLDOUT_BATCH;
            i += (unsigned)bench_must(sendmmsg(fd, headers + i, some, MSG_NOSIGNAL), "send",
                                      "packets");
        }
        cpu_ns += thread_cpu_ns() - began_ns;
        *out_packets += count;
    }
    close(fd);
    return (double)sent * 1e9 / (double)cpu_ns;
}

static void parse(int argc, char **argv, options_t *o)
{
    const bench_option_t options[] = {
        {.name = "quick"},
        {.name = "repetitions", .count = &o->repetitions, .highest = REPETITIONS_MAX},
        {.name = "messages", .number = &o->messages, .highest = UINT64_C(1) << 32},
        {0}};
    *o = (options_t){.repetitions = 9, .messages = 8 << 20};
    while (bench_option(argc, argv, options, 0, usage)) {
        o->repetitions = 1;
        o->messages = 1 << 16;
    }
}

int main(int argc, char **argv)
{
    double ours[REPETITIONS_MAX], plain[REPETITIONS_MAX], ratio[REPETITIONS_MAX];
    uint64_t our_packets, plain_packets;
    options_t o;
    sink_t sink;
    parse(argc, argv, &o);
    stand_pin(0);
    sink_open(&sink);
    for (unsigned i = 0; i < o.repetitions; i++) {
        ours[i] = by_us(&sink, o.messages, &our_packets);
        plain[i] = by_plain_loop(&sink, o.messages, &plain_packets);
        ratio[i] = ours[i] / plain[i];
        bench_must(our_packets == plain_packets ? 0 : -1, "compare",
                   "the two did not send as many packets");
    }
    sink_close(&sink);
    printf("MoldUDP64 out, from the ring       %8.2f M messages/s of CPU\n"
           "the same packets, plain sendmmsg   %8.2f M messages/s of CPU\n"
           "ours / plain                       %8.2f\n",
           rank_median(ours, o.repetitions) / 1e6, rank_median(plain, o.repetitions) / 1e6,
           rank_median(ratio, o.repetitions));
    return 0;
}
