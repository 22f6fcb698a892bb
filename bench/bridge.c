/* SPDX-License-Identifier: Apache-2.0 */
/* bridge.c - how many messages a second does a bridge bring from a ring to a NATS JetStream stream,
 * and how much later are they on a ring of another host, beside plain asynchronous publishing with
 * the client library, of messages of the same sizes?
 *
 *    bridge      md of a bus is followed, encoded, published with what a message says of the stream
 *                before it, and acknowledged (--bridge); a feed (--feed nats:) puts it on a ring
 *    plain       js_PublishAsync of messages that lie ready, of as many bytes as ours with its
 *                headers; an ordered consumer of the library reads them
 *    plain, ids  the same with Nats-Msg-Id, by which the server drops doubles
 *
 * All have 4,096 messages in flight, and servers of their own on this host, which store on disk and
 * have most of the work: one, then three (a stream of three replicas). Rates are from the first
 * message to the last ack; CPU is that of this process and of the servers. Latencies are at 2,000
 * messages a second, from publishing to the far ring, or to the callback of the consumer. All take
 * turns, repetition after repetition; figures are medians, ratios are of one repetition.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <time.h>

#if __has_include(<nats/nats.h>)

#include <nats/nats.h>

#include <tickbus/clock.h>

#include "bench/gateway_stand.h"
#include "bench/nats_stand.h"
#include "bench/program.h"
#include "feedsim/bridge/bridge.h"
#include "feedsim/source/source.h"
#include "feedsim/nats/jetstream/connection.h"
#include "tools/measure/rank.h"

#define REPETITIONS_MAX 51u
#define IN_FLIGHT       4096u
#define AT_ONCE         256u  /* messages that are published before the bridge has its turn */
#define AHEAD           2048u /* messages on the ring that the bridge has not read, at most */
#define PACED_NS        500000u
#define SECOND_NS       UINT64_C(1000000000)

#define NODES_MAX 3u

static const char usage[] =
    "usage: bench_bridge [--quick] [--repetitions N] [--messages N] [--paced N]\n";

typedef struct options {
    unsigned repetitions;
    uint64_t messages; /* for rates */
    uint64_t paced;    /* for latencies */
} options_t;

static char url[64];
static int replicas; /* of the streams */
static nats_stand_t nodes[NODES_MAX];

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

/* ---- a far ring: a feed reads the stream and publishes */

typedef struct far_bus {
    pthread_t thread;
    stand_t stand;
    char spec[128];
    uint64_t *came_ns;
    uint64_t wanted;
    tbus_atomic_u32_t reads; /* 1: it has the stream */
} far_bus_t;

static void *run_far(void *context)
{
    far_bus_t *f = context;
    tbus_error_t err = {0};
    feed_source_t *source;
    static tick_t ticks[TICK_LEN_MAX / sizeof(tick_t) + 1];
    size_t bytes;
    bench_must(feed_source_open(f->spec, FEED_CLOCK_MARKET, &source, &err), "feed", err.text);
    for (uint64_t count = 0; count < f->wanted;) {
        int outcome = feed_source_next(source, ticks, &bytes);
        if (outcome == FEED_SOURCE_LATER) {
            tbus_store_relaxed_u32(&f->reads, 1);
            feed_source_wait(source, tbus_clock_ns() + SECOND_NS / 1000);
            continue;
        }
        bench_must(outcome == FEED_SOURCE_TICK ? 0 : -1, "feed", source->error.text);
        if (tbus_publish_try(&f->stand.out, ticks, bytes) != TBUS_PUBLISHED)
            bench_must(-1, "publish", "the far ring is full, though nobody is waited for");
        f->came_ns[count++] = tbus_clock_ns();
    }
    feed_source_close(source);
    return NULL;
}

static void far_open(far_bus_t *f, const char *stream, uint64_t wanted)
{
    f->wanted = wanted;
    f->came_ns = calloc(wanted, sizeof *f->came_ns);
    bench_must(f->came_ns ? 0 : -ENOMEM, "note", "times");
    snprintf(f->spec, sizeof f->spec, "%s/%s", url, stream);
    tbus_store_relaxed_u32(&f->reads, 0);
    stand_open_bus(&f->stand);
    bench_must(-pthread_create(&f->thread, NULL, run_far, f), "start", "a thread");
    while (tbus_load_relaxed_u32(&f->reads) == 0)
        sleep_until(tbus_clock_ns() + PACED_NS);
}

static void far_close(far_bus_t *f)
{
    tbus_bus_close(&f->stand.bus);
    free(f->came_ns);
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
        .wish = {.stream = stream, .replicas = (uint32_t)replicas, .duplicates_ns = SECOND_NS},
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
    static far_bus_t f;
    uint64_t *sent_ns = calloc(count, sizeof *sent_ns);
    bench_must(sent_ns ? 0 : -ENOMEM, "note", "times");
    ours_open(&o, stream);
    far_open(&f, stream, count);
    uint64_t due_ns = tbus_clock_ns() + 10 * PACED_NS;
    for (uint64_t i = 0; i < count; i++, due_ns += PACED_NS) {
        while (tbus_clock_ns() < due_ns)
            ours_turn(&o);
        sent_ns[i] = tbus_clock_ns();
        stand_publish(&o.stand, 1);
    }
    ours_close(&o);
    pthread_join(f.thread, NULL);
    for (uint64_t i = 0; i < count; i++)
        out_ns[i] = (double)(f.came_ns[i] - sent_ns[i]);
    far_close(&f);
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
    bool ids;
    uint64_t count;
} plain_t;

static void plain_open(plain_t *p, const char *stream, bool ids)
{
    jsStreamConfig config;
    jsOptions options;
    const char *subjects[] = {p->subject};
    memset(p, 0, sizeof *p);
    p->ids = ids;
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
    config.Replicas = replicas;
    must_nats(js_AddStream(NULL, p->js, &config, NULL, NULL), "make a stream");
}

static void plain_put(plain_t *p)
{
    static const char header[] = "NATS/1.0\r\nNats-Msg-Id: SESSION001.md.100000\r\n\r\n";
    char id[32];
    jsPubOptions options;
    size_t bytes = our_bytes();
    p->count++;
    if (!p->ids) {
        must_nats(js_PublishAsync(p->js, p->subject, p->payload, (int)bytes, NULL), "publish");
        return;
    }
    snprintf(id, sizeof id, "SESSION001.md.%06" PRIu64, p->count);
    jsPubOptions_Init(&options);
    options.MsgId = id;
    must_nats(js_PublishAsync(p->js, p->subject, p->payload, (int)(bytes - (sizeof header - 1)),
                              &options),
              "publish");
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

static double rate_of_plain(const char *stream, uint64_t messages, bool ids)
{
    static plain_t p;
    plain_open(&p, stream, ids);
    uint64_t began_ns = tbus_clock_ns();
    for (uint64_t i = 0; i < messages; i++)
        plain_put(&p);
    plain_finish(&p);
    double rate = (double)messages * 1e9 / (double)(tbus_clock_ns() - began_ns);
    plain_close(&p);
    return rate;
}

static void latencies_of_plain(const char *stream, uint64_t count, bool ids, double *out_ns)
{
    static plain_t p;
    consumer_t c;
    uint64_t *sent_ns = calloc(count, sizeof *sent_ns);
    bench_must(sent_ns ? 0 : -ENOMEM, "note", "times");
    plain_open(&p, stream, ids);
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

static double plain_rate(const char *stream, uint64_t messages)
{
    return rate_of_plain(stream, messages, false);
}

static double ids_rate(const char *stream, uint64_t messages)
{
    return rate_of_plain(stream, messages, true);
}

static void plain_latencies(const char *stream, uint64_t count, double *out_ns)
{
    latencies_of_plain(stream, count, false, out_ns);
}

static void ids_latencies(const char *stream, uint64_t count, double *out_ns)
{
    latencies_of_plain(stream, count, true, out_ns);
}

/* ---- */

#define CONTESTANTS 3u
#define OURS        0u
#define PLAIN       1u

static const struct {
    const char *name;
    double (*rate)(const char *stream, uint64_t messages);
    void (*latencies)(const char *stream, uint64_t count, double *out_ns);
} contestants[CONTESTANTS] = {{"bridge, ring to far ring", our_rate, our_latencies},
                              {"plain js_PublishAsync", plain_rate, plain_latencies},
                              {"plain, with Nats-Msg-Id", ids_rate, ids_latencies}};

typedef struct figures {
    double rate[REPETITIONS_MAX], ratio[REPETITIONS_MAX];
    double here_us[REPETITIONS_MAX], there_us[REPETITIONS_MAX]; /* CPU, of a message */
    double p50_us[REPETITIONS_MAX], p99_us[REPETITIONS_MAX];
} figures_t;

static double seconds_of(clockid_t clock)
{
    struct timespec t = {0};
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double servers_cpu_s(void)
{
    double sum = 0;
    clockid_t clock;
    for (int i = 0; i < replicas; i++)
        if (clock_getcpuclockid(nodes[i].pid, &clock) == 0)
            sum += seconds_of(clock);
    return sum;
}

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

static void measure(const options_t *o, unsigned k, unsigned repetition, figures_t *f, double *ns)
{
    char name[48];
    snprintf(name, sizeof name, "rate-%u-%u", repetition, k);
    double here = seconds_of(CLOCK_PROCESS_CPUTIME_ID), there = servers_cpu_s();
    f->rate[repetition] = contestants[k].rate(name, o->messages);
    f->here_us[repetition] =
        (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - here) * 1e6 / (double)o->messages;
    f->there_us[repetition] = (servers_cpu_s() - there) * 1e6 / (double)o->messages;
    snprintf(name, sizeof name, "paced-%u-%u", repetition, k);
    contestants[k].latencies(name, o->paced, ns);
    f->p50_us[repetition] = rank_us(ns, o->paced, 50);
    f->p99_us[repetition] = rank_us(ns, o->paced, 99);
}

static void run(const options_t *o, const char *servers)
{
    static figures_t figures[CONTESTANTS];
    double *ns = calloc(o->paced, sizeof *ns);
    bench_must(ns ? 0 : -ENOMEM, "note", "times");
    for (unsigned i = 0; i < o->repetitions; i++) {
        for (unsigned k = 0; k < CONTESTANTS; k++)
            measure(o, k, i, &figures[k], ns);
        for (unsigned k = 0; k < CONTESTANTS; k++)
            figures[k].ratio[i] = figures[k].rate[i] / figures[PLAIN].rate[i];
    }
    free(ns);
    printf("%-26s messages/s  x plain  CPU us here, servers  p50 us  p99 us\n", servers);
    for (unsigned k = 0; k < CONTESTANTS; k++) {
        figures_t *f = &figures[k];
        printf("%-26s %10.0f  %7.2f  %11.1f, %7.1f  %6.0f  %6.0f\n", contestants[k].name,
               rank_median(f->rate, o->repetitions), rank_median(f->ratio, o->repetitions),
               rank_median(f->here_us, o->repetitions), rank_median(f->there_us, o->repetitions),
               rank_median(f->p50_us, o->repetitions), rank_median(f->p99_us, o->repetitions));
    }
}

static void parse(int argc, char **argv, options_t *o)
{
    const bench_option_t options[] = {
        {.name = "quick"},
        {.name = "repetitions", .count = &o->repetitions, .highest = REPETITIONS_MAX},
        {.name = "messages", .number = &o->messages, .highest = UINT64_C(1) << 32},
        {.name = "paced", .number = &o->paced, .highest = UINT64_C(1) << 24},
        {0}};
    *o = (options_t){.repetitions = 5, .messages = 100000, .paced = 2000};
    while (bench_option(argc, argv, options, 0, usage))
        *o = (options_t){.repetitions = 1, .messages = 5000, .paced = 100};
}

/* Three servers elect a leader first: until then no stream can be made. */
static void await_leader(void)
{
    natsConnection *connection = NULL;
    jsCtx *js = NULL;
    jsStreamConfig config;
    natsStatus s = NATS_TIMEOUT;
    must_nats(natsConnection_ConnectTo(&connection, url), "connect");
    must_nats(natsConnection_JetStream(&js, connection, NULL), "use JetStream");
    jsStreamConfig_Init(&config);
    config.Name = "first";
    config.Replicas = replicas;
    for (unsigned looks = 0; looks < 300 && s != NATS_OK; looks++) {
        s = js_AddStream(NULL, js, &config, NULL, NULL);
        if (s != NATS_OK)
            sleep_until(tbus_clock_ns() + SECOND_NS / 10);
    }
    must_nats(s, "make a stream of three replicas");
    jsCtx_Destroy(js);
    natsConnection_Destroy(connection);
}

int main(int argc, char **argv)
{
    options_t o;
    parse(argc, argv, &o);
    if (!nats_stand_start(&nodes[0], "jetstream {}")) {
        printf("NATS is not here (Debian: nats-server)\n");
        return 0;
    }
    printf("%zu bytes a message\n", our_bytes());
    snprintf(url, sizeof url, "nats://127.0.0.1:%u", nodes[0].port);
    replicas = 1;
    run(&o, "one server");
    nats_stand_stop(&nodes[0]);
    bench_must(nats_stand_start_cluster(nodes) ? 0 : -1, "start", "three NATS servers");
    snprintf(url, sizeof url, "nats://127.0.0.1:%u", nodes[0].port);
    replicas = 3;
    await_leader();
    run(&o, "three servers");
    for (unsigned i = 0; i < NODES_MAX; i++)
        nats_stand_stop(&nodes[i]);
    return 0;
}

#else

int main(void)
{
    printf("NATS is not here (Debian: libnats-dev)\n");
    return 0;
}

#endif
