/* SPDX-License-Identifier: Apache-2.0 */
/* bridge.c - how many messages a second does a bridge bring from a ring to a NATS JetStream stream,
 * and how much later does a consumer of the stream have them, beside plain asynchronous publishing
 * with the client library, of messages of the same sizes?
 *
 *    ours     md of a bus is followed, encoded, published with what a message says of the stream
 *             before it, and acknowledged (--bridge)
 *    plain    js_PublishAsync of messages that lie ready, of as many bytes as ours with its headers
 *
 * Both have 4,096 messages in flight, and one server of their own on this host, which stores on
 * disk: it has most of the work. Rates are from the first message to the last ack. Latencies are at
 * 2,000 messages a second, from publishing to the callback of an ordered consumer. Both take turns,
 * repetition after repetition; figures are medians, ratios are of one repetition.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if __has_include(<nats/nats.h>)

#include <nats/nats.h>

#include <tickbus/clock.h>

#include "bench/gateway_stand.h"
#include "bench/nats_stand.h"
#include "bench/program.h"
#include "feedsim/bridge/bridge.h"
#include "feedsim/nats/jetstream/connection.h"
#include "tools/measure/rank.h"

#define REPETITIONS_MAX 51u
#define IN_FLIGHT       4096u
#define AT_ONCE         256u  /* messages that are published before the bridge has its turn */
#define AHEAD           2048u /* messages on the ring that the bridge has not read, at most */
#define PACED_NS        500000u
#define SECOND_NS       UINT64_C(1000000000)

static const char usage[] =
    "usage: bench_bridge [--quick] [--repetitions N] [--messages N] [--paced N]\n";

typedef struct options {
    unsigned repetitions;
    uint64_t messages; /* for rates */
    uint64_t paced;    /* for latencies */
} options_t;

static char url[64];

static void must_nats(natsStatus s, const char *what)
{
    bench_must(s == NATS_OK ? 0 : -1, what, natsStatus_GetText(s));
}

/* ---- who consumes the stream: when the k-th message came */

typedef struct consumer {
    natsConnection *connection;
    jsCtx *js;
    natsSubscription *subscription;
    uint64_t *came_ns;
    uint64_t wanted;
    tbus_atomic_u64_t count;
} consumer_t;

static void note_time(natsConnection *connection, natsSubscription *subscription, natsMsg *msg,
                      void *closure)
{
    consumer_t *c = closure;
    uint64_t count = tbus_load_relaxed_u64(&c->count);
    (void)connection;
    (void)subscription;
    if (count < c->wanted)
        c->came_ns[count] = tbus_clock_ns();
    tbus_store_release_u64(&c->count, count + 1);
    natsMsg_Destroy(msg);
}

static void consumer_open(consumer_t *c, const char *stream, const char *subject, uint64_t wanted)
{
    jsSubOptions options;
    jsSubOptions_Init(&options);
    options.Ordered = true;
    options.Stream = stream;
    *c = (consumer_t){.wanted = wanted, .came_ns = calloc(wanted, sizeof(uint64_t))};
    bench_must(c->came_ns ? 0 : -ENOMEM, "note", "times");
    must_nats(natsConnection_ConnectTo(&c->connection, url), "connect");
    must_nats(natsConnection_JetStream(&c->js, c->connection, NULL), "use JetStream");
    must_nats(js_Subscribe(&c->subscription, c->js, subject, note_time, c, NULL, &options, NULL),
              "subscribe");
}

static void consumer_close(consumer_t *c)
{
    nats_connection_silence(c->connection);
    natsSubscription_Destroy(c->subscription);
    jsCtx_Destroy(c->js);
    natsConnection_Destroy(c->connection);
    free(c->came_ns);
}

static void sleep_until(uint64_t ns)
{
    const struct timespec at = {.tv_sec = (time_t)(ns / SECOND_NS),
                                .tv_nsec = (long)(ns % SECOND_NS)};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* ---- ours */

typedef struct ours {
    stand_t stand;
    bridge_board_t board;
    bridge_t *bridge;
} ours_t;

static void ours_open(ours_t *o, const char *stream)
{
    tbus_error_t err = {0};
    const bridge_options_t options = {
        .way = {.url = url, .name = "bench", .timeout_ms = 5000},
        .wish = {.stream = stream, .replicas = 1, .duplicates_ns = SECOND_NS},
        .topics_count = 1,
        .topics = {"md"},
        .in_flight_max = IN_FLIGHT,
        .in_flight_bytes = 4 << 20};
    memset(&o->board, 0, sizeof o->board);
    stand_open_bus(&o->stand);
    bench_must(bridge_create(&o->stand.bus, NULL, &options, &o->board, &o->bridge, &err), "make",
               err.text);
    bench_must(bridge_start(o->bridge, &err), "start", err.text);
}

static void ours_turn(ours_t *o)
{
    tbus_error_t err = {0};
    if (bench_must(bridge_turn(o->bridge, &err), "turn", err.text) == 0)
        bridge_sleep(o->bridge, tbus_clock_ns() + 100000);
}

static void ours_close(ours_t *o)
{
    tbus_error_t err = {0};
    bench_must(bridge_finish(o->bridge, 600 * SECOND_NS, &err), "publish", err.text);
    bench_must(tbus_load_relaxed_u64(&o->board.totals[BRIDGE_TOTAL_lost]) ? -1 : 0, "publish",
               "the ring went round before the bridge had read it");
    bridge_destroy(o->bridge);
    tbus_bus_close(&o->stand.bus);
}

static double our_rate(const char *stream, uint64_t messages)
{
    static ours_t o;
    tbus_error_t err = {0};
    ours_open(&o, stream);
    uint64_t began_ns = tbus_clock_ns();
    while (o.stand.published < messages) {
        if (o.stand.published - (bridge_next_seq(o.bridge, 0) - 1) < AHEAD)
            stand_publish(&o.stand, AT_ONCE);
        ours_turn(&o);
    }
    bench_must(bridge_finish(o.bridge, 600 * SECOND_NS, &err), "publish", err.text);
    double rate = (double)o.stand.published * 1e9 / (double)(tbus_clock_ns() - began_ns);
    ours_close(&o);
    return rate;
}

static void our_latencies(const char *stream, uint64_t count, double *out_ns)
{
    static ours_t o;
    consumer_t c;
    char subject[NATS_SUBJECT_MAX];
    uint64_t *sent_ns = calloc(count, sizeof *sent_ns);
    bench_must(sent_ns ? 0 : -ENOMEM, "note", "times");
    ours_open(&o, stream);
    (void)nats_subject(stream, "md", NULL, subject);
    consumer_open(&c, stream, subject, count);
    uint64_t due_ns = tbus_clock_ns() + 10 * PACED_NS;
    for (uint64_t i = 0; i < count; i++, due_ns += PACED_NS) {
        while (tbus_clock_ns() < due_ns)
            ours_turn(&o);
        sent_ns[i] = tbus_clock_ns();
        stand_publish(&o.stand, 1);
    }
    while (tbus_load_acquire_u64(&c.count) < count)
        ours_turn(&o);
    for (uint64_t i = 0; i < count; i++)
        out_ns[i] = (double)(c.came_ns[i] - sent_ns[i]);
    consumer_close(&c);
    ours_close(&o);
    free(sent_ns);
}

/* ---- plain */

/* What a message of ours has, but for its subject. */
static size_t our_bytes(void)
{
    static const char headers[] = "NATS/1.0\r\n"
                                  "Nats-Msg-Id: SESSION001.md.100000\r\n"
                                  "Nats-Expected-Last-Sequence: 100000\r\n"
                                  "Nats-Expected-Last-Msg-Id: SESSION001.md.100000\r\n"
                                  "Tickbus-Sequence: 100000\r\n"
                                  "Tickbus-Type: tick\r\n"
                                  "Tickbus-Time: 1764489600123456789\r\n\r\n";
    return sizeof headers - 1 + MESSAGE_BYTES;
}

typedef struct plain {
    natsConnection *connection;
    jsCtx *js;
    char subject[64];
    uint8_t payload[1024];
} plain_t;

static void plain_open(plain_t *p, const char *stream)
{
    jsStreamConfig config;
    jsOptions options;
    const char *subjects[] = {p->subject};
    memset(p, 0, sizeof *p);
    snprintf(p->subject, sizeof p->subject, "plain.%s", stream);
    must_nats(natsConnection_ConnectTo(&p->connection, url), "connect");
    jsOptions_Init(&options);
    options.PublishAsync.MaxPending = IN_FLIGHT;
    options.PublishAsync.StallWait = 60000;
    must_nats(natsConnection_JetStream(&p->js, p->connection, &options), "use JetStream");
    jsStreamConfig_Init(&config);
    config.Name = stream;
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.Duplicates = (int64_t)SECOND_NS;
    must_nats(js_AddStream(NULL, p->js, &config, NULL, NULL), "make a stream");
}

static void plain_put(plain_t *p)
{
    must_nats(js_PublishAsync(p->js, p->subject, p->payload, (int)our_bytes(), NULL), "publish");
}

static void plain_finish(plain_t *p)
{
    jsPubOptions options;
    jsPubOptions_Init(&options);
    options.MaxWait = 600000;
    must_nats(js_PublishAsyncComplete(p->js, &options), "have all acknowledged");
}

static void plain_close(plain_t *p)
{
    jsCtx_Destroy(p->js);
    natsConnection_Destroy(p->connection);
}

static double plain_rate(const char *stream, uint64_t messages)
{
    static plain_t p;
    plain_open(&p, stream);
    uint64_t began_ns = tbus_clock_ns();
    for (uint64_t i = 0; i < messages; i++)
        plain_put(&p);
    plain_finish(&p);
    double rate = (double)messages * 1e9 / (double)(tbus_clock_ns() - began_ns);
    plain_close(&p);
    return rate;
}

static void plain_latencies(const char *stream, uint64_t count, double *out_ns)
{
    static plain_t p;
    consumer_t c;
    uint64_t *sent_ns = calloc(count, sizeof *sent_ns);
    bench_must(sent_ns ? 0 : -ENOMEM, "note", "times");
    plain_open(&p, stream);
    consumer_open(&c, stream, p.subject, count);
    uint64_t due_ns = tbus_clock_ns() + 10 * PACED_NS;
    for (uint64_t i = 0; i < count; i++, due_ns += PACED_NS) {
        sleep_until(due_ns);
        sent_ns[i] = tbus_clock_ns();
        plain_put(&p);
    }
    while (tbus_load_acquire_u64(&c.count) < count)
        sleep_until(tbus_clock_ns() + PACED_NS);
    for (uint64_t i = 0; i < count; i++)
        out_ns[i] = (double)(c.came_ns[i] - sent_ns[i]);
    consumer_close(&c);
    plain_finish(&p);
    plain_close(&p);
    free(sent_ns);
}

/* ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Percentile by nearest rank, in us. */
static double rank_us(double *ns, uint64_t count, double percent)
{
    uint64_t rank = (uint64_t)((double)count * percent / 100.0);
    qsort(ns, count, sizeof *ns, by_value);
    return ns[rank < count ? rank : count - 1] / 1e3;
}

static void parse(int argc, char **argv, options_t *o)
{
    const bench_option_t options[] = {
        {.name = "quick"},
        {.name = "repetitions", .count = &o->repetitions, .highest = REPETITIONS_MAX},
        {.name = "messages", .number = &o->messages, .highest = UINT64_C(1) << 32},
        {.name = "paced", .number = &o->paced, .highest = UINT64_C(1) << 24},
        {0}};
    *o = (options_t){.repetitions = 7, .messages = 200000, .paced = 10000};
    while (bench_option(argc, argv, options, 0, usage))
        *o = (options_t){.repetitions = 1, .messages = 10000, .paced = 200};
}

int main(int argc, char **argv)
{
    static double rates[2][REPETITIONS_MAX], ratio[REPETITIONS_MAX];
    static double p50[2][REPETITIONS_MAX], p99[2][REPETITIONS_MAX];
    nats_stand_t server;
    options_t o;
    parse(argc, argv, &o);
    if (!nats_stand_start(&server, "jetstream {}")) {
        printf("NATS is not here (Debian: nats-server)\n");
        return 0;
    }
    snprintf(url, sizeof url, "nats://127.0.0.1:%u", server.port);
    double *ns = calloc(o.paced, sizeof *ns);
    bench_must(ns ? 0 : -ENOMEM, "note", "times");
    for (unsigned i = 0; i < o.repetitions; i++) {
        char names[4][32];
        for (unsigned k = 0; k < 4; k++)
            snprintf(names[k], sizeof names[k], "bench-%u-%u", i, k);
        rates[0][i] = our_rate(names[0], o.messages);
        rates[1][i] = plain_rate(names[1], o.messages);
        ratio[i] = rates[0][i] / rates[1][i];
        our_latencies(names[2], o.paced, ns);
        p50[0][i] = rank_us(ns, o.paced, 50);
        p99[0][i] = rank_us(ns, o.paced, 99);
        plain_latencies(names[3], o.paced, ns);
        p50[1][i] = rank_us(ns, o.paced, 50);
        p99[1][i] = rank_us(ns, o.paced, 99);
    }
    free(ns);
    nats_stand_stop(&server);
    printf("%zu bytes a message            messages/s    p50 us    p99 us\n", our_bytes());
    for (unsigned k = 0; k < 2; k++)
        printf("%-30s %10.0f  %8.0f  %8.0f\n",
               k ? "plain js_PublishAsync" : "bridge, from the ring",
               rank_median(rates[k], o.repetitions), rank_median(p50[k], o.repetitions),
               rank_median(p99[k], o.repetitions));
    printf("bridge / plain                 %10.2f\n", rank_median(ratio, o.repetitions));
    return 0;
}

#else

int main(void)
{
    printf("NATS is not here (Debian: libnats-dev)\n");
    return 0;
}

#endif
