/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/source/source_mold_parts.h"

#include <errno.h>
#include <stdlib.h>

#include <tickbus/clock.h>

#define KEPT_BYTES 128u /* of the memory for what is kept, for one message: more than ITCH needs */
#define TRIES_MAX  1000000u
/* Before a snapshot is asked for, something is to have come over the lines, so that none is missing
 * between them. Senders send at least every second. */
#define FIRST_NS (3000 * SOURCE_MOLD_MS)

int feed_source_check_mold(const char *text, tbus_error_t *err)
{
    mold_spec_t spec;
    return mold_spec_parse(text, &spec, err);
}

/* How many requests `give_up_ns` has room for, one after the other. */
static uint32_t tries_within(const mold_receiver_config_t *config, uint64_t give_up_ns)
{
    uint64_t wait_ns = config->retry_ns, sum_ns = 0;
    uint32_t tries = 0;
    do {
        tries++;
        sum_ns += wait_ns;
        wait_ns = 2 * wait_ns < config->retry_ns_max ? 2 * wait_ns : config->retry_ns_max;
    } while (sum_ns < give_up_ns && tries < TRIES_MAX);
    return tries;
}

static mold_receiver_config_t configure(const mold_spec_t *spec)
{
    mold_receiver_config_t config = MOLD_RECEIVER_USUAL;
    config.lines = spec->lines;
    config.session_given = spec->session[0] != 0;
    if (config.session_given)
        mold_session_put(config.session, spec->session);
    config.first = spec->from;
    config.wait = spec->glimpse[0] != 0;
    config.store_bytes = spec->keep_bytes;
    while (config.window_messages > 2 && config.window_messages > spec->keep_bytes / KEPT_BYTES)
        config.window_messages /= 2;
    while (config.window_messages <= spec->keep_bytes / KEPT_BYTES / 2)
        config.window_messages *= 2;
    config.reorder_packets = (uint32_t)spec->reorder_packets;
    config.hold_ns = spec->hold_ns == UINT64_MAX ? MOLD_NEVER : spec->hold_ns;
    config.silent_ns = MOLD_NEVER; /* one session is one feed: another never takes its place */
    config.tries = spec->requests[0] ? tries_within(&config, spec->give_up_ns) : 0;
    return config;
}

size_t feed_source_memory_bytes_mold(const char *text)
{
    mold_spec_t spec;
    if (mold_spec_parse(text, &spec, NULL) < 0)
        return 0;
    const mold_receiver_config_t config = configure(&spec);
    return mold_receiver_footprint(&config) + (spec.lines + 1) * MOLD_SOCKET_BYTES;
}

static int make_receiver(source_mold_t *s, tbus_error_t *err)
{
    const mold_receiver_config_t config = configure(&s->spec);
    size_t bytes = mold_receiver_footprint(&config);
    void *memory = bytes ? aligned_alloc(64, bytes) : NULL;
    s->receiver = memory ? mold_receiver_format(memory, &config) : NULL;
    if (!s->receiver)
        return tbus_fail(err, -ENOMEM, "no memory for what comes out of order (%zu bytes)", bytes);
    s->counts = mold_receiver_counts(s->receiver);
    return 0;
}

static int open_sockets(source_mold_t *s, tbus_error_t *err)
{
    const mold_spec_t *spec = &s->spec;
    mold_socket_way_t way = {.senders = spec->source,
                             .silent_ns = spec->silent_ns,
                             .receive_bytes = spec->receive_bytes};
    int code = 0;
    for (uint32_t i = 0; code == 0 && i < spec->lines; i++) {
        way.address = spec->line[i];
        way.interface = spec->interfaces[i];
        code = mold_socket_open(&way, &s->sockets[i], err);
        s->sockets_count += code == 0;
    }
    if (code == 0 && spec->requests[0]) {
        way.address = spec->requests;
        way.senders = "";
        way.connected = true;
        code = mold_socket_open(&way, &s->sockets[spec->lines], err);
        s->sockets_count += code == 0;
    }
    return code;
}

static int open_snapshot(source_mold_t *s, tbus_error_t *err)
{
    if (!s->spec.glimpse[0])
        return 0;
    mold_socket_wait(s->sockets, s->spec.lines, FIRST_NS);
    s->snapshot_comes = true;
    int code = mold_snapshot_open(&s->spec, 0, &s->snapshot, err);
    s->now_ns = tbus_clock_ns();
    s->snapshot_until_ns = source_mold_snapshot_until(s);
    return code;
}

int feed_source_open_mold(const char *text, feed_source_t **out_source, tbus_error_t *err)
{
    source_mold_t *s = calloc(1, sizeof *s);
    if (!s)
        return tbus_fail(err, -ENOMEM, "no memory for the feed mold:%s", text);
    s->base.ops = &source_mold_ops;
    s->base.daily = true;
    int code = mold_spec_parse(text, &s->spec, err);
    if (code == 0)
        code = make_receiver(s, err);
    if (code == 0)
        code = open_sockets(s, err);
    if (code == 0)
        code = open_snapshot(s, err);
    if (code < 0) {
        source_mold_ops.close(&s->base);
        return code;
    }
    s->now_ns = tbus_clock_ns();
    for (uint32_t i = 0; i < s->spec.lines; i++)
        s->shown.lines[i].heard_ns = s->now_ns;
    mold_shown_make(&s->shown, s->spec.lines, s->counts);
    mold_shown_sockets(&s->shown, s->sockets, s->sockets_count, s->spec.receive_bytes);
    mold_shown_add(&s->shown, feed_source_malformed_counter(&s->base));
    *out_source = &s->base;
    return 0;
}
