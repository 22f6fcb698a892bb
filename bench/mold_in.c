/* SPDX-License-Identifier: Apache-2.0 */
/* mold_in.c - how many messages a second of CPU does a feed of MoldUDP64 take in, beside a plain
 * recvmmsg loop over the same packets; and how long after the sending of a packet is its message
 * a tick, beside a bare recv loop?
 *
 * Over loopback, in one thread: a part of the packets is sent, which the kernel keeps, and then the
 * CPU time of taking them in is measured; the two take turns at each part. The plain loop has the
 * same buffers and reads the length and the type of each message, no more. The feed is the source
 * as the feed stage calls it (feed_source_next_batch): it looks at sender and session, arbitrates,
 * counts, and makes ticks; they are not published here. For the latencies, too, sender and receiver
 * are one thread, so that no other process must be woken: what is compared is what lies on the way.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/clock.h>

#include "bench/program.h"
#include "bus/wire/mold.h"
#include "feedsim/itch/itch.h"
#include "feedsim/source/source.h"
#include "feedsim/synth/synth.h"

#define ROUNDS_MAX 100u
#define PART       256u /* packets: they fit the kernel's buffer */
#define BATCH      32u  /* as feedsim/source/mold_socket.h */
#define TICKS      16u  /* as the feed stage */
#define STRIDE     67072u
#define BUFFER     (8 << 20)

static const char usage[] = "usage: bench_mold_in [--messages N] [--rounds N] [--quick] [--json]\n"
                            "Messages that a feed of MoldUDP64 takes in for a second of CPU, and\n"
                            "how long one takes, beside plain loops over the same packets.\n"
                            "  --messages N  of each round (default 200000)\n"
                            "  --rounds N    1..100 (default 7)\n"
                            "  --quick       one round of 20000\n"
                            "example: bench_mold_in --rounds 3\n";

typedef struct packets {
    uint32_t count;
    uint64_t messages;
    uint8_t *data; /* MOLD_DATAGRAM_USUAL bytes each */
    uint32_t *bytes;
} packets_t;

/* A plain receiver, and the feed, each at a port of its own. */
typedef struct stand {
    int sender;
    int plain;
    struct sockaddr_in to_plain, to_feed;
    feed_source_t *feed;
    uint8_t *data;
    struct mmsghdr headers[BATCH];
    struct iovec pieces[BATCH];
} stand_t;

typedef struct row {
    const char *name;
    double plain, feed, ratio; /* messages/s of CPU */
} row_t;

/* ---- packets ---- */

static void add_packet(packets_t *p, const mold_writer_t *w)
{
    p->bytes[p->count++] = (uint32_t)w->bytes;
    p->messages += w->count;
}

static packets_t make_packets(uint64_t messages, uint32_t messages_max)
{
    packets_t p = {.data = malloc(messages * MOLD_DATAGRAM_USUAL / (messages_max > 1 ? 8 : 1)),
                   .bytes = malloc(messages * sizeof *p.bytes)};
    uint8_t session[MOLD_SESSION_BYTES], message[ITCH_MESSAGE_MAX];
    synth_params_t params = {.seed = 1, .symbols = 64, .messages = messages};
    synth_t *synth;
    tbus_error_t err = {0};
    tick_t tick;
    size_t bytes;
    mold_writer_t w = {0};
    bench_must(p.data && p.bytes ? 0 : -ENOMEM, "packets", "no memory");
    bench_must(synth_create(&params, &synth, &err), "a synthetic feed", err.text);
    mold_session_put(session, "BENCH");
    for (uint64_t seq = 1; synth_next(synth, &tick) == 1; seq++) {
        bench_must(itch_encode(&tick, sizeof tick, message, &bytes), "a message", "no ITCH");
        if (w.count == 0 || w.count == messages_max || !mold_fits(&w, bytes)) {
            if (w.count)
                add_packet(&p, &w);
            mold_begin(&w, p.data + (size_t)p.count * MOLD_DATAGRAM_USUAL, MOLD_DATAGRAM_USUAL,
                       session, seq);
        }
        mold_add(&w, message, bytes);
    }
    if (w.count)
        add_packet(&p, &w);
    synth_destroy(synth);
    return p;
}

static void free_packets(packets_t *p)
{
    free(p->data);
    free(p->bytes);
}

/* ---- the two receivers ---- */

static int bound(struct sockaddr_in *out_at)
{
    socklen_t bytes = sizeof *out_at;
    int buffer = BUFFER / 2, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    *out_at =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bench_must(bind(fd, (struct sockaddr *)out_at, sizeof *out_at), "a socket", strerror(errno));
    getsockname(fd, (struct sockaddr *)out_at, &bytes);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    return fd;
}

static void open_stand(stand_t *s)
{
    struct sockaddr_in unused;
    char spec[64];
    tbus_error_t err = {0};
    s->sender = bound(&unused);
    s->plain = bound(&s->to_plain);
    close(bound(&s->to_feed)); /* its port is free */
    snprintf(spec, sizeof spec, "mold:127.0.0.1:%u", ntohs(s->to_feed.sin_port));
    bench_must(feed_source_open(spec, FEED_CLOCK_MARKET, &s->feed, &err), "the feed", err.text);
    s->data = calloc(BATCH, STRIDE);
    bench_must(s->data ? 0 : -ENOMEM, "buffers", "no memory");
    memset(s->data, 0, (size_t)BATCH * STRIDE);
    for (uint32_t i = 0; i < BATCH; i++) {
        s->pieces[i] = (struct iovec){.iov_base = s->data + (size_t)i * STRIDE, .iov_len = STRIDE};
        s->headers[i].msg_hdr = (struct msghdr){.msg_iov = &s->pieces[i], .msg_iovlen = 1};
    }
}

static void close_stand(stand_t *s)
{
    feed_source_close(s->feed);
    close(s->sender);
    close(s->plain);
    free(s->data);
}

static void send_part(const stand_t *s, const struct sockaddr_in *to, const packets_t *p,
                      uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++)
        bench_must((int)sendto(s->sender, p->data + (size_t)i * MOLD_DATAGRAM_USUAL, p->bytes[i], 0,
                               (const struct sockaddr *)to, sizeof *to),
                   "sending", strerror(errno));
}

/* Returns messages. */
static uint64_t take_plain(stand_t *s, uint64_t *sum)
{
    uint64_t messages = 0;
    int count;
    while ((count = recvmmsg(s->plain, s->headers, BATCH, MSG_DONTWAIT, NULL)) > 0)
        for (int i = 0; i < count; i++) {
            const uint8_t *at = s->pieces[i].iov_base, *message;
            uint32_t blocks = (uint32_t)at[18] << 8 | at[19];
            size_t bytes;
            at += MOLD_HEADER_BYTES;
            messages += blocks;
            while (blocks--) {
                at = mold_next(at, &message, &bytes);
                *sum += bytes + message[0];
            }
        }
    return messages;
}

static uint64_t take_feed(stand_t *s, uint64_t *sum)
{
    tick_t ticks[TICKS];
    static _Alignas(64) uint8_t one[TICK_LEN_MAX];
    uint64_t messages = 0, message_bytes;
    size_t bytes;
    for (;;) {
        uint32_t count = feed_source_next_batch(s->feed, ticks, TICKS, &message_bytes);
        if (count == 0) {
            if (feed_source_next(s->feed, (tick_t *)(void *)one, &bytes) != FEED_SOURCE_TICK)
                return messages;
            count = 1;
        }
        *sum += ticks[count - 1].type;
        messages += count;
    }
}

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- rates ---- */

static void one_round(const packets_t *p, double *out_plain, double *out_feed)
{
    stand_t s = {0};
    double took[2] = {0};
    uint64_t messages[2] = {0}, sum = 0;
    open_stand(&s);
    for (uint32_t first = 0, turn = 0; first < p->count; first += PART, turn++) {
        uint32_t count = p->count - first < PART ? p->count - first : PART;
        for (uint32_t i = 0; i < 2; i++) {
            bool feed = (i + turn) % 2;
            send_part(&s, feed ? &s.to_feed : &s.to_plain, p, first, count);
            double before = cpu_s();
            messages[feed] += feed ? take_feed(&s, &sum) : take_plain(&s, &sum);
            took[feed] += cpu_s() - before;
        }
    }
    bench_must(messages[0] == p->messages && messages[1] == p->messages && sum ? 0 : -EIO,
               "taking them in", "packets were lost");
    close_stand(&s);
    *out_plain = (double)p->messages / took[0];
    *out_feed = (double)p->messages / took[1];
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *values, uint64_t count, double share)
{
    qsort(values, count, sizeof *values, by_value);
    return values[(uint64_t)((double)(count - 1) * share)];
}

static row_t measure(const char *name, uint64_t messages, uint32_t messages_max, uint64_t rounds)
{
    double plain[ROUNDS_MAX], feed[ROUNDS_MAX], ratio[ROUNDS_MAX];
    packets_t p = make_packets(messages, messages_max);
    for (uint64_t i = 0; i < rounds; i++) {
        one_round(&p, &plain[i], &feed[i]);
        ratio[i] = feed[i] / plain[i];
    }
    free_packets(&p);
    return (row_t){name, quantile(plain, rounds, .5), quantile(feed, rounds, .5),
                   quantile(ratio, rounds, .5)};
}

/* ---- latencies ---- */

typedef struct latency {
    double plain[2], feed[2]; /* ns: p50, p99 */
} latency_t;

static double one_latency(stand_t *s, const packets_t *p, uint32_t i, bool feed)
{
    static _Alignas(64) uint8_t tick[TICK_LEN_MAX];
    size_t bytes;
    uint64_t before_ns = tbus_clock_ns();
    send_part(s, feed ? &s->to_feed : &s->to_plain, p, i, 1);
    if (feed)
        while (feed_source_next(s->feed, (tick_t *)(void *)tick, &bytes) != FEED_SOURCE_TICK)
            continue;
    else
        while (recv(s->plain, s->data, STRIDE, MSG_DONTWAIT) < 0)
            continue;
    return (double)(tbus_clock_ns() - before_ns);
}

static latency_t measure_latency(uint64_t messages)
{
    stand_t s = {0};
    packets_t p = make_packets(messages, 1);
    double *took[2] = {malloc(p.count * sizeof(double)), malloc(p.count * sizeof(double))};
    bench_must(took[0] && took[1] ? 0 : -ENOMEM, "latencies", "no memory");
    open_stand(&s);
    for (uint32_t i = 0; i < p.count; i++)
        for (uint32_t k = 0; k < 2; k++) {
            bool feed = (i + k) % 2;
            took[feed][i] = one_latency(&s, &p, i, feed);
        }
    latency_t l = {{quantile(took[0], p.count, .5), quantile(took[0], p.count, .99)},
                   {quantile(took[1], p.count, .5), quantile(took[1], p.count, .99)}};
    close_stand(&s);
    free_packets(&p);
    free(took[0]);
    free(took[1]);
    return l;
}

/* ---- what it says ---- */

static void print_json(const row_t *rows, size_t count, const latency_t *l, uint64_t messages,
                       uint64_t rounds)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:s, s:f, s:f, s:f}", "packets", rows[i].name,
                                              "plain_per_cpu_s", rows[i].plain, "feed_per_cpu_s",
                                              rows[i].feed, "ratio", rows[i].ratio));
    json_t *all = json_pack("{s:o, s:I, s:I, s:o, s:{s:f, s:f, s:f, s:f}}", "host", bench_host(),
                            "messages", (json_int_t)messages, "rounds", (json_int_t)rounds, "rows",
                            list, "latency_ns", "plain_p50", l->plain[0], "plain_p99", l->plain[1],
                            "feed_p50", l->feed[0], "feed_p99", l->feed[1]);
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

int main(int argc, char **argv)
{
    uint64_t messages = 200000, rounds = 7;
    bool json = false;
    const bench_option_t options[] = {{"messages", .number = &messages, .highest = 10000000},
                                      {"rounds", .number = &rounds, .highest = ROUNDS_MAX},
                                      {"json", .flag = &json},
                                      {.name = "quick"},
                                      {0}};
    while (bench_option(argc, argv, options, 0, usage)) {
        messages = 20000;
        rounds = 1;
    }
    const row_t rows[] = {measure("full packets", messages, MOLD_COUNT_MAX, rounds),
                          measure("one message each", messages, 1, rounds)};
    const size_t count = sizeof rows / sizeof rows[0];
    latency_t l = measure_latency(messages < 20000 ? messages : 20000);
    if (json) {
        print_json(rows, count, &l, messages, rounds);
        return 0;
    }
    printf("messages for a second of CPU, medians of %lu\n\n"
           "  packets              recvmmsg        feed    ratio\n",
           (unsigned long)rounds);
    for (size_t i = 0; i < count; i++)
        printf("  %-18s %9.2f M %9.2f M %8.2f\n", rows[i].name, rows[i].plain / 1e6,
               rows[i].feed / 1e6, rows[i].ratio);
    printf("\nfrom sending a packet to its message, ns\n\n"
           "                          p50      p99\n"
           "  a bare recv loop   %8.0f %8.0f\n  the feed's tick    %8.0f %8.0f\n",
           l.plain[0], l.plain[1], l.feed[0], l.feed[1]);
    return 0;
}
