/* SPDX-License-Identifier: Apache-2.0 */
/* backfill.c - what does it cost that clients come back to different places of a recorded day?
 *
 * A day is recorded and served without a bus, as `busctl serve-journal` does, with the memory and
 * the readers that a gateway has unless it is told otherwise. One client reads all of it; then 100,
 * then 1,000 at a time, each from a place of its own, as far as the next one's place or for
 * PART_MIN messages. Bytes sent by a second of the gateway's CPU, over the same of the one client;
 * all take turns, repetition after repetition, and figures are medians.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/clock.h>

#include "bench/gateway_stand.h"
#include "bench/program.h"
#include "bus/journal/recorder.h"
#include "tools/measure/rank.h"

#define REPETITIONS_MAX 51u
#define PART_MIN        8192u
#define PATH_BYTES      512u

static const char usage[] = "usage: bench_backfill [--quick] [--repetitions N] [--messages N]\n";

typedef struct options {
    unsigned repetitions;
    uint64_t messages;
    char journal[PATH_BYTES];
} options_t;

/* --- the day */

static void record(const options_t *o)
{
    stand_t s;
    tbus_error_t err = {0};
    tbus_stage_t *recorder;
    recorder_params_t params = {.directory = o->journal, .segment_bytes = 64 << 20};
    stand_open_bus(&s);
    bench_must(tbus_ring_reserve(&s.bus.rings[0], TBUS_RECORDER_NAME, TBUS_FOLLOWER, &err),
               "reserve", err.text);
    int owner = bench_must(tbus_participant_add(&s.bus, "recorder", &err), "join", err.text);
    bench_must(tbus_recorder_create(&s.bus, (uint32_t)owner, &params, &recorder, &err), "record",
               err.text);
    while (s.published < o->messages) {
        stand_publish(&s, 1024);
        while (bench_must(recorder->ops->poll(recorder, 1024), "record", recorder->error.text) ||
               recorder->stalled)
            ;
    }
    bench_must(recorder->ops->finish(recorder), "finish the recording", recorder->error.text);
    recorder->ops->destroy(recorder);
    tbus_bus_close(&s.bus);
}

/* --- served */

static uint64_t own_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void turn(gateway_server_t *server)
{
    tbus_error_t err = {0};
    if (!bench_must(gateway_server_turn(server, 0, &err), "turn", err.text))
        gateway_server_sleep(server, tbus_clock_ns() + 1000000);
}

/* MB a second of the gateway's CPU. */
static double serve(const options_t *o, unsigned clients, uint64_t *out_seeks)
{
    gateway_options_t options = stand_options(GATEWAY_IO_AUTO);
    tbus_error_t err = {0};
    gateway_server_t *server;
    gateway_board_t *board = calloc(1, sizeof *board);
    options.window_bytes = 4 << 20; /* as gateway.window_bytes and so on are by themselves */
    options.backfill_bytes = 16 << 20;
    options.backfill_readers = 4;
    bench_must(board ? 0 : -1, "serve", "no memory");
    bench_must(gateway_server_create(NULL, o->journal, &options, board, &server, &err),
               "make a gateway", err.text);
    bench_must(gateway_server_start(server, "BENCH", &err), "start the gateway", err.text);
    uint64_t apart = o->messages / clients;
    uint64_t part = apart > PART_MIN ? apart : PART_MIN;
    uint64_t last = o->messages - (clients - 1) * apart;
    readers_t r = {.port = gateway_server_port(server, 0),
                   .count = clients,
                   .bytes = (part < last ? part : last) * WIRE_BYTES,
                   .apart = apart};
    readers_start(&r);
    uint64_t began_ns = own_cpu_ns();
    while (!readers_done(&r))
        turn(server);
    /* Until it has told how much it has sent. */
    uint64_t shown_ns = tbus_load_relaxed_u64(&board->updated_ns);
    while (tbus_load_relaxed_u64(&board->updated_ns) == shown_ns)
        turn(server);
    double result = (double)tbus_load_relaxed_u64(&board->totals[GATEWAY_TOTAL_bytes]) * 1e3 /
                    (double)(own_cpu_ns() - began_ns);
    *out_seeks = tbus_load_relaxed_u64(&board->totals[GATEWAY_TOTAL_backfill_seeks]);
    readers_join(&r);
    gateway_server_destroy(server);
    free(board);
    return result;
}

static void parse(int argc, char **argv, options_t *o)
{
    const bench_option_t options[] = {
        {"repetitions", .count = &o->repetitions, .highest = REPETITIONS_MAX},
        {"messages", .number = &o->messages, .highest = UINT64_C(1) << 30},
        {.name = "quick"},
        {0}};
    const char *temporary = getenv("TMPDIR");
    *o = (options_t){.repetitions = 5, .messages = 4 << 20};
    while (bench_option(argc, argv, options, 0, usage)) {
        o->repetitions = 1;
        o->messages = 1 << 16;
    }
    snprintf(o->journal, sizeof o->journal, "%s/bench-backfill.%d", temporary ? temporary : "/tmp",
             (int)getpid());
}

int main(int argc, char **argv)
{
    static const unsigned clients[] = {1, 100, CLIENTS_MAX};
    enum { ROWS = sizeof clients / sizeof clients[0] };
    double by_cpu[ROWS][REPETITIONS_MAX], ratio[ROWS][REPETITIONS_MAX];
    uint64_t seeks[ROWS];
    options_t o;
    parse(argc, argv, &o);
    stand_allow_clients();
    stand_pin(0);
    record(&o);
    for (unsigned i = 0; i < o.repetitions; i++)
        for (unsigned k = 0; k < ROWS; k++) {
            by_cpu[k][i] = serve(&o, clients[k], &seeks[k]);
            ratio[k][i] = by_cpu[k][i] / by_cpu[0][i];
        }
    for (unsigned k = 0; k < ROWS; k++)
        printf("back-fill for %4u at as many places   %6.0f MB/s of CPU   %.2f of one client's   "
               "%llu seeks\n",
               clients[k], rank_median(by_cpu[k], o.repetitions),
               rank_median(ratio[k], o.repetitions), (unsigned long long)seeks[k]);
    bench_remove_directory(o.journal);
    return 0;
}
