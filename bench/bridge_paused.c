/* SPDX-License-Identifier: Apache-2.0 */
/* bridge_paused.c - does a bridge whose NATS server stands still hold the pipeline up?
 *
 * Tick to order of `busctl start --bridge` at 250,000 messages a second with a server that answers,
 * and with one that is stopped for two seconds in the middle; both end when the stream has every
 * message.
 *
 * The server is on this host and takes its CPU from the pipeline, in both. They take turns, round
 * after round; figures are medians, the ratio is of one round.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/command.h"
#include "bench/nats_stand.h"
#include "bench/program.h"
#include "tools/measure/rank.h"
#include "tools/measure/sides.h"

#define ROUNDS_MAX 51u
#define BEFORE_NS  800000000u /* from the start of the run to the pause */

enum contender { ANSWERS, PAUSED, CONTENDERS };
static const char *const names[CONTENDERS] = {"server answers", "server is paused"};

typedef struct bench {
    unsigned rounds;
    uint64_t rate, messages, pause_ms;
    double p50_ns[CONTENDERS][ROUNDS_MAX], p99_ns[CONTENDERS][ROUNDS_MAX], ratio[ROUNDS_MAX];
} bench_t;

static const char usage[] =
    "usage: bench_bridge_paused [--rounds N] [--rate N] [--messages N] [--pause-ms N] [--quick]\n";

static bench_t parse(int argc, char **argv)
{
    bench_t b = {.rounds = 3, .rate = 250000, .messages = 750000, .pause_ms = 2000};
    const bench_option_t options[] = {{"rounds", .count = &b.rounds, .highest = ROUNDS_MAX},
                                      {"rate", .number = &b.rate, .highest = 10000000},
                                      {"messages", .number = &b.messages, .highest = 100000000},
                                      {"pause-ms", .number = &b.pause_ms, .highest = 60000},
                                      {.name = "quick"},
                                      {0}};
    while (bench_option(argc, argv, options, 0, usage)) {
        b.rounds = 1;
        b.messages = 50000;
        b.rate = 50000;
        b.pause_ms = 200;
    }
    return b;
}

typedef struct pause {
    pid_t pid;
    uint64_t ms;
} pause_t;

static void sleep_ns(uint64_t ns)
{
    (void)nanosleep(&(struct timespec){.tv_sec = (time_t)(ns / 1000000000u),
                                       .tv_nsec = (long)(ns % 1000000000u)},
                    NULL);
}

static void *pause_server(void *context)
{
    const pause_t *p = context;
    sleep_ns(BEFORE_NS);
    bench_must(kill(p->pid, SIGSTOP) == 0 ? 0 : -errno, "stop", "the server");
    sleep_ns(p->ms * 1000000u);
    bench_must(kill(p->pid, SIGCONT) == 0 ? 0 : -errno, "continue", "the server");
    return NULL;
}

static json_t *run(const bench_t *b, const nats_stand_t *server)
{
    char url[64], pace[32], feed[64], journal[96], topic[] = "md";
    snprintf(url, sizeof url, "nats://127.0.0.1:%u", server->port);
    snprintf(pace, sizeof pace, "%lu/s", (unsigned long)b->rate);
    snprintf(feed, sizeof feed, "synth:seed=1,messages=%lu", (unsigned long)b->messages);
    snprintf(journal, sizeof journal, "%s/journal", server->directory);
    const char *const arguments[] = {TICKBUS_BUSCTL,    "start",
                                     "--name",          "bridge-paused",
                                     "--feed",          feed,
                                     "--pace",          pace,
                                     "--journal",       journal,
                                     "--bridge",        url,
                                     "--bridge-topics", topic,
                                     "--set",           "venue.clock=host",
                                     "--set",           "bus.drain_s_max=300",
                                     "--json",          NULL};
    return command_json(arguments, SIDES_ANYWHERE);
}

/* One run; its figures go to round `round`. */
static void measure(bench_t *b, enum contender who, unsigned round)
{
    nats_stand_t server;
    pthread_t thread;
    bench_must(nats_stand_start(&server, "jetstream {}") ? 0 : -1, "start", "a NATS server");
    pause_t pause = {.pid = server.pid, .ms = b->pause_ms};
    if (who == PAUSED)
        bench_must(-pthread_create(&thread, NULL, pause_server, &pause), "start", "a thread");
    json_t *summary = run(b, &server);
    if (who == PAUSED)
        pthread_join(thread, NULL);
    const json_t *bridge = json_object_get(summary, "bridge");
    const json_t *hop = json_object_get(json_object_get(summary, "latency_ns"), "tick_to_order");
    bench_must(json_integer_value(json_object_get(hop, "count")) > 0 ? 0 : -1, "tick to order",
               "nothing was recorded");
    /* Every message is in the stream, and the end of the topic. */
    uint64_t acknowledged = (uint64_t)json_integer_value(
        json_object_get(json_object_get(bridge, "totals"), "acknowledged"));
    bench_must(acknowledged > b->messages ? 0 : -1, "publish", "messages are missing");
    b->p50_ns[who][round] = (double)json_integer_value(json_object_get(hop, "p50"));
    b->p99_ns[who][round] = (double)json_integer_value(json_object_get(hop, "p99"));
    json_decref(summary);
    nats_stand_stop(&server);
}

int main(int argc, char **argv)
{
    bench_t b = parse(argc, argv);
    nats_stand_t server;
    if (!nats_stand_start(&server, "jetstream {}")) {
        printf("NATS is not here (Debian: nats-server)\n");
        return 0;
    }
    nats_stand_stop(&server);
    sides_signals_t before;
    sides_hold_signals(&before);
    for (unsigned round = 0; round < b.rounds; round++) {
        enum contender first = round % 2 ? PAUSED : ANSWERS;
        measure(&b, first, round);
        measure(&b, first == ANSWERS ? PAUSED : ANSWERS, round);
        b.ratio[round] = b.p99_ns[PAUSED][round] / b.p99_ns[ANSWERS][round];
    }
    sides_restore_signals(&before);
    printf("%lu messages at %lu/s, a pause of %lu ms; tick to order, medians of %u rounds\n",
           (unsigned long)b.messages, (unsigned long)b.rate, (unsigned long)b.pause_ms, b.rounds);
    printf("%-18s %10s %10s\n", "", "p50 us", "p99 us");
    for (int k = 0; k < CONTENDERS; k++)
        printf("%-18s %10.1f %10.1f\n", names[k], rank_median(b.p50_ns[k], b.rounds) / 1e3,
               rank_median(b.p99_ns[k], b.rounds) / 1e3);
    printf("p99, paused / answers %.2f\n", rank_median(b.ratio, b.rounds));
    return 0;
}
