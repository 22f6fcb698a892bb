/* SPDX-License-Identifier: Apache-2.0 */
/* baseline.c - how fast would one thread be with no bus at all: read the file, decode every
 * message, build every book?
 *
 * The same reader, decoder and books as in the pipeline; what pipeline.c compares it with differs
 * only by the bus and the stages. With --decode, how fast is it without the books? Prints
 * {"messages", "ns", "bbo_changes"}.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/clock.h>
#include <tickbus/market/market.h>

#include "bench/program.h"
#include "feedsim/itch/binaryfile.h"
#include "feedsim/itch/itch.h"

static const char usage[] =
    "usage: bench_baseline [--decode] FILE\n"
    "Decode an ITCH 5.0 file and build its books in one thread, without a bus.\n"
    "  --decode  decode it only\n"
    "example: taskset -c 0 bench_baseline day.itch\n";

/* Of its own and not inlined, so that callgrind counts it alone (--toggle-collect=baseline_pass).
 * Returns the messages. `market` NULL: decode only. */
uint64_t baseline_pass(binaryfile_t *file, market_t *market, tick_t *tick, const char *path);

__attribute__((noinline)) uint64_t baseline_pass(binaryfile_t *file, market_t *market, tick_t *tick,
                                                 const char *path)
{
    tbus_error_t err;
    uint64_t messages = 0;
    const uint8_t *message;
    size_t bytes, tick_bytes;
    int status;
    while ((status = binaryfile_next(file, &message, &bytes, &err)) == BINARYFILE_MESSAGE) {
        const market_event_t *event;
        if (itch_decode(message, bytes, tick, &tick_bytes) < 0)
            bench_must(-1, path, "a message that is no ITCH 5.0");
        messages++;
        if (market && market_apply(market, messages, tick, tick_bytes, &event) < 0)
            bench_must(-1, path, market_limit_text(market));
    }
    bench_must(status, path, err.text);
    return messages;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return fputs(usage, stdout) < 0;
    bool decode_only = argc == 3 && strcmp(argv[1], "--decode") == 0;
    if (argc != 2 + decode_only || argv[argc - 1][0] == '-')
        bench_bad_usage(usage);
    const char *path = argv[argc - 1];

    tbus_error_t err;
    market_t *market = NULL;
    market_limits_t limits = {.orders_max = 1u << 20, .levels_max = 1u << 18};
    if (!decode_only)
        bench_must(market_create(&limits, &market, &err), "books", err.text);
    tick_t *tick = calloc(1, TICK_LEN_MAX);
    bench_must(tick ? 0 : -1, "a tick", "out of memory");

    uint64_t began_ns = tbus_clock_ns();
    binaryfile_t *file;
    bench_must(binaryfile_open(path, BINARYFILE_ITCH, &file, &err), path, err.text);
    uint64_t messages = baseline_pass(file, market, tick, path);
    uint64_t took_ns = tbus_clock_ns() - began_ns;

    printf("{\"messages\": %" PRIu64 ", \"ns\": %" PRIu64 ", \"bbo_changes\": %" PRIu64 "}\n",
           messages, took_ns, market ? market_stats(market)->bbo_changes : 0);
    binaryfile_close(file);
    market_destroy(market);
    free(tick);
    return 0;
}
