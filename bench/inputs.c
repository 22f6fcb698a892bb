/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/inputs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/program.h"
#include "feedsim/itch/binaryfile.h"
#include "feedsim/itch/binaryfile_writer.h"
#include "feedsim/itch/itch.h"
#include "feedsim/synth/synth.h"

#define SYNTH_SEED    1u
#define SYNTH_SYMBOLS 64u
#define LOCATES       65536u
#define LAP_SHIFT     48 /* of an order reference: the lap stands above */
#define REAL_FLOW     "lobster_aapl_20120621_l1/aapl_l1.itch.gz"
#define PATH_BYTES    1024u

/* ---- a directory of our own, which goes when we go */

static char scratch[] = "/tmp/tickbus-bench-XXXXXX";
static char input_path[sizeof scratch + 16];

static void remove_scratch(void)
{
    unlink(input_path);
    rmdir(scratch);
}

static void create_scratch(void)
{
    bench_must(mkdtemp(scratch) ? 0 : -1, scratch, strerror(errno));
    snprintf(input_path, sizeof input_path, "%s/input.itch", scratch);
    atexit(remove_scratch);
}

/* ---- what is in it */

static void write_synthetic(uint64_t messages)
{
    tbus_error_t err;
    synth_t *synth;
    binaryfile_writer_t *writer;
    synth_params_t params = {
        .seed = SYNTH_SEED, .symbols = SYNTH_SYMBOLS, .messages = messages, .flow = SYNTH_PLAIN};
    bench_must(synth_create(&params, &synth, &err), "synthetic flow", err.text);
    bench_must(binaryfile_writer_open(input_path, &writer, &err), input_path, err.text);
    static uint8_t message[ITCH_MESSAGE_MAX];
    tick_t tick;
    size_t bytes;
    while (synth_next(synth, &tick) == 1) {
        bench_must(itch_encode(&tick, sizeof tick, message, &bytes), input_path,
                   "a tick that is no message");
        bench_must(binaryfile_writer_append(writer, message, bytes, &err), input_path, err.text);
    }
    bench_must(binaryfile_writer_close(writer, &err), input_path, err.text);
    synth_destroy(synth);
}

/* One lap of a file, every locate raised by `locate_base` and every reference marked with the lap.
 * Returns its messages. */
static uint64_t append_lap(const char *from, binaryfile_writer_t *writer, uint64_t lap,
                           uint32_t locate_base, uint32_t *out_locate_max)
{
    static uint8_t message[ITCH_MESSAGE_MAX];
    static union {
        tick_t tick;
        uint8_t bytes[TICK_LEN_MAX];
    } buffer;
    tick_t *tick = &buffer.tick;
    tbus_error_t err;
    binaryfile_t *file;
    const uint8_t *original;
    size_t bytes, tick_bytes;
    int status;
    bench_must(binaryfile_open(from, BINARYFILE_ITCH, &file, &err), from, err.text);
    while ((status = binaryfile_next(file, &original, &bytes, &err)) == BINARYFILE_MESSAGE) {
        bench_must(itch_decode(original, bytes, tick, &tick_bytes), from,
                   "a message that is no ITCH 5.0");
        uint32_t locate = tick_locate(tick);
        if (locate > *out_locate_max)
            *out_locate_max = locate;
        tick->intended = tick_pack(0, (uint16_t)(locate + locate_base));
        if (itch_is_of_an_order(tick->type))
            tick->order_ref ^= lap << LAP_SHIFT;
        if (tick->type == ITCH_ORDER_REPLACE)
            tick->new_ref ^= lap << LAP_SHIFT;
        bench_must(itch_encode(tick, tick_bytes, message, &bytes), from,
                   "a tick that is no message");
        bench_must(binaryfile_writer_append(writer, message, bytes, &err), input_path, err.text);
    }
    bench_must(status, from, err.text);
    uint64_t messages = binaryfile_messages(file);
    binaryfile_close(file);
    return messages;
}

/* The file, unpacked, and again until it has `messages_min` messages or the locates are used up.
 * Returns how many it has. */
static uint64_t write_laps(const char *from, uint64_t messages_min)
{
    tbus_error_t err;
    binaryfile_writer_t *writer;
    uint32_t locate_max = 0;
    bench_must(binaryfile_writer_open(input_path, &writer, &err), input_path, err.text);
    uint64_t messages = append_lap(from, writer, 0, 0, &locate_max);
    uint32_t laps_max = LOCATES / (locate_max + 1);
    for (uint32_t lap = 1; messages != 0 && messages < messages_min && lap < laps_max; lap++)
        messages += append_lap(from, writer, lap, lap * (locate_max + 1), &(uint32_t){0});
    bench_must(binaryfile_writer_close(writer, &err), input_path, err.text);
    return messages;
}

static void tell(const char *name, uint64_t messages, inputs_use_t use, void *context)
{
    char what[PATH_BYTES + 32];
    snprintf(what, sizeof what, "%s, %llu messages", name, (unsigned long long)messages);
    use(what, input_path, context);
}

void inputs_each(const char *file, uint64_t messages_min, inputs_use_t use, void *context)
{
    create_scratch();
    if (file) {
        tell(file, write_laps(file, messages_min), use, context);
        return;
    }
    char real[PATH_BYTES], synthetic[64];
    const char *shared = getenv("TICKBUS_SHARED");
    snprintf(synthetic, sizeof synthetic, "synthetic, seed %u, %u symbols", SYNTH_SEED,
             SYNTH_SYMBOLS);
    write_synthetic(messages_min);
    tell(synthetic, messages_min, use, context);
    snprintf(real, sizeof real, "%s/data/" REAL_FLOW,
             shared ? shared : TICKBUS_SOURCE_DIR "/../shared");
    if (access(real, R_OK) == 0)
        tell("LOBSTER AAPL 2012-06-21, in laps", write_laps(real, messages_min), use, context);
    else
        fprintf(stderr, "bench: no real order flow here (%s): synthetic only\n", real);
}
