/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tickbus/clock.h>
#include <tickbus/journal.h>

#include "bench/kernel.h"
#include <tickbus/market/market.h>
#include "feedsim/itch/itch.h"
#include "feedsim/synth/synth.h"

#define MESSAGES          65536u
#define SYMBOLS           16u
#define JOURNAL_BYTES_MAX (UINT64_C(192) << 20) /* of the scratch journal; then it begins anew */

/* A stretch of synthetic order flow, as ticks and as the bytes that they stand for. */
typedef struct path_state {
    tick_t *ticks;
    uint8_t *bytes;    /* messages, one after another */
    uint16_t *lengths; /* of each */
    tbus_journal_writer_t *journal;
    char directory[32];
    uint64_t recorded;
    uint64_t seen; /* so that nothing can be left out */
} path_state_t;

static void path_destroy(void *opaque)
{
    path_state_t *state = opaque;
    free(state->ticks);
    free(state->bytes);
    free(state->lengths);
    free(state);
}

static int make_flow(path_state_t *state, tbus_error_t *err)
{
    synth_params_t params = {
        .seed = 1, .symbols = SYMBOLS, .messages = MESSAGES, .flow = SYNTH_PLAIN};
    synth_t *synth;
    int status = synth_create(&params, &synth, err);
    if (status < 0)
        return status;
    uint8_t *to = state->bytes;
    for (uint32_t i = 0; i < MESSAGES && status >= 0; i++) {
        size_t bytes = 0;
        if (synth_next(synth, &state->ticks[i]) != 1)
            status = tbus_fail(err, -TBUS_ELIMIT, "the synthetic flow ended after %u messages", i);
        else
            status = itch_encode(&state->ticks[i], sizeof(tick_t), to, &bytes);
        state->lengths[i] = (uint16_t)bytes;
        to += bytes;
    }
    synth_destroy(synth);
    return status;
}

static int path_create(void **out_state, tbus_error_t *err)
{
    path_state_t *state = calloc(1, sizeof *state);
    if (!state)
        return tbus_fail(err, -ENOMEM, "no memory for a bench");
    state->ticks = calloc(MESSAGES, sizeof *state->ticks);
    state->bytes = calloc(MESSAGES, 64);
    state->lengths = calloc(MESSAGES, sizeof *state->lengths);
    int status = state->ticks && state->bytes && state->lengths
                     ? make_flow(state, err)
                     : tbus_fail(err, -ENOMEM, "no memory for a bench");
    if (status < 0) {
        path_destroy(state);
        return status;
    }
    *out_state = state;
    return 0;
}

/* What does it cost to turn the bytes of an ITCH message into a tick? */
static uint64_t decode_run(void *opaque)
{
    path_state_t *state = opaque;
    const uint8_t *from = state->bytes;
    tick_t tick;
    size_t bytes;
    uint64_t began_ns = tbus_clock_ns();
    for (uint32_t i = 0; i < MESSAGES; i++) {
        if (itch_decode(from, state->lengths[i], &tick, &bytes) != 0)
            return 0;
        state->seen += tick.order_ref;
        from += state->lengths[i];
    }
    return tbus_clock_ns() - began_ns;
}

/* And back? */
static uint64_t encode_run(void *opaque)
{
    path_state_t *state = opaque;
    uint8_t message[ITCH_MESSAGE_MAX];
    size_t bytes;
    uint64_t began_ns = tbus_clock_ns();
    for (uint32_t i = 0; i < MESSAGES; i++) {
        if (itch_encode(&state->ticks[i], sizeof(tick_t), message, &bytes) != 0)
            return 0;
        state->seen += message[bytes - 1];
    }
    return tbus_clock_ns() - began_ns;
}

/* What does it cost to keep the full-depth books of 16 symbols? */
static uint64_t books_run(void *opaque)
{
    path_state_t *state = opaque;
    market_limits_t limits = {.orders_max = MESSAGES, .levels_max = MESSAGES};
    market_t *market;
    const market_event_t *event;
    if (market_create(&limits, &market, NULL) < 0)
        return 0;
    uint64_t began_ns = tbus_clock_ns();
    bool right = true;
    for (uint32_t i = 0; i < MESSAGES && right; i++) {
        right = market_apply(market, i + 1, &state->ticks[i], sizeof(tick_t), &event) == 0;
        state->seen += event->bbo_changed;
    }
    uint64_t took_ns = tbus_clock_ns() - began_ns;
    market_destroy(market);
    return right ? took_ns : 0;
}

/* ---- the journal, in a directory of its own below /tmp */

static void remove_journal(path_state_t *state)
{
    tbus_journal_writer_close(state->journal, NULL);
    state->journal = NULL;
    DIR *directory = opendir(state->directory);
    if (!directory)
        return;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
    rmdir(state->directory);
}

static int create_journal(path_state_t *state, tbus_error_t *err)
{
    snprintf(state->directory, sizeof state->directory, "/tmp/tickbus-bench-XXXXXX");
    if (!mkdtemp(state->directory))
        return tbus_fail(err, -errno, "cannot make a directory below /tmp: %s", strerror(errno));
    tbus_journal_spec_t spec = {.directory = state->directory,
                                .bus_name = "bench",
                                .topics_count = 1,
                                .topics = {{.name = "md", .type = "tick", .first_seq = 1}}};
    return tbus_journal_writer_open(&spec, &state->journal, err);
}

static int journal_create(void **out_state, tbus_error_t *err)
{
    path_state_t *state = NULL;
    int status = path_create((void **)&state, err);
    if (status < 0)
        return status;
    status = create_journal(state, err);
    if (status < 0) {
        remove_journal(state);
        path_destroy(state);
        return status;
    }
    *out_state = state;
    return 0;
}

static void journal_destroy(void *opaque)
{
    remove_journal(opaque);
    path_destroy(opaque);
}

/* What does it cost to record a tick, checksum and the rolling of segments included? */
static uint64_t journal_run(void *opaque)
{
    path_state_t *state = opaque;
    if (tbus_journal_writer_bytes(state->journal) > JOURNAL_BYTES_MAX) {
        remove_journal(state);
        if (create_journal(state, NULL) < 0)
            return 0;
    }
    uint64_t began_ns = tbus_clock_ns();
    for (uint32_t i = 0; i < MESSAGES; i++)
        if (tbus_journal_writer_append(state->journal, 0, ++state->recorded, began_ns,
                                       &state->ticks[i], sizeof(tick_t)) != 0)
            return 0;
    return tbus_clock_ns() - began_ns;
}

static const kernel_t kernels[] = {
    {"itch/decode", MESSAGES, path_create, decode_run, path_destroy},
    {"itch/encode", MESSAGES, path_create, encode_run, path_destroy},
    {"market/apply", MESSAGES, path_create, books_run, path_destroy},
    {"journal/append", MESSAGES, journal_create, journal_run, journal_destroy},
};

const kernel_t *path_kernel_at(unsigned index)
{
    return index < sizeof kernels / sizeof *kernels ? &kernels[index] : NULL;
}
