/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/source/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "feedsim/itch/itch.h"
#include "feedsim/number.h"
#include "feedsim/synth/synth.h"

typedef struct source_synth {
    feed_source_t base;
    synth_t *synth;
    uint64_t messages_total;
} source_synth_t;

static int next(feed_source_t *self, tick_t *buffer, size_t *out_bytes)
{
    source_synth_t *s = (source_synth_t *)self;
    if (synth_next(s->synth, buffer) == 0)
        return FEED_SOURCE_END;
    *out_bytes = sizeof *buffer;
    self->time_ns = tick_event_ns(buffer);
    feed_source_count(self, buffer->type, itch_length(buffer->type));
    return FEED_SOURCE_TICK;
}

static uint32_t next_batch(feed_source_t *self, tick_t *ticks, uint32_t count,
                           uint64_t *out_message_bytes)
{
    source_synth_t *s = (source_synth_t *)self;
    uint64_t message_bytes = 0;
    uint32_t done;
    for (done = 0; done < count && synth_next(s->synth, &ticks[done]) != 0; done++)
        message_bytes += itch_length(ticks[done].type);
    if (done == 0)
        return 0;
    feed_source_count_batch(self, &ticks[done - 1], done);
    *out_message_bytes = message_bytes;
    return done;
}

static void close_synth(feed_source_t *self)
{
    source_synth_t *s = (source_synth_t *)self;
    synth_destroy(s->synth);
    free(s);
}

static void progress(const feed_source_t *self, uint64_t *out_done, uint64_t *out_total)
{
    *out_done = self->messages;
    *out_total = ((const source_synth_t *)self)->messages_total;
}

static const feed_source_ops_t ops = {
    .next = next, .next_batch = next_batch, .progress = progress, .close = close_synth};

static bool is(const char *word, const char *text, size_t length)
{
    return strlen(word) == length && memcmp(word, text, length) == 0;
}

static int set_flow(synth_params_t *p, const char *value, size_t length, tbus_error_t *err)
{
    if (is("market", value, length))
        p->flow = SYNTH_MARKET;
    else if (is("plain", value, length))
        p->flow = SYNTH_PLAIN;
    else
        return tbus_fail(err, -TBUS_ECONFIG,
                         "synth: unknown flow \"%.*s\": there are market and plain", (int)length,
                         value);
    return 0;
}

/* One "key=value" of `length` bytes. */
static int set_option(synth_params_t *p, const char *option, size_t length, tbus_error_t *err)
{
    const char *equals = memchr(option, '=', length);
    size_t key_length = equals ? (size_t)(equals - option) : length;
    bool seed = is("seed", option, key_length);
    bool symbols = is("symbols", option, key_length);
    bool messages = is("messages", option, key_length);
    bool days = is("days", option, key_length);
    bool speed = is("speed", option, key_length);
    if (equals && is("flow", option, key_length))
        return set_flow(p, equals + 1, length - key_length - 1, err);
    if (!seed && !symbols && !messages && !days && !speed)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "synth: unknown key \"%.*s\": there are seed, symbols, messages, days, "
                         "speed and flow=market|plain",
                         (int)key_length, option);
    uint64_t milli;
    if (!equals || !number_parse_milli(equals + 1, length - key_length - 1, &milli) ||
        milli % 1000 != 0)
        return tbus_fail(err, -TBUS_ECONFIG, "synth: \"%.*s\" needs a whole number, as in %.*s=8",
                         (int)length, option, (int)key_length, option);
    uint64_t value = milli / 1000;
    if (symbols && value > SYNTH_SYMBOLS_MAX)
        return tbus_fail(err, -TBUS_ECONFIG, "synth: symbols=%" PRIu64 " is out of range: 1 to %u",
                         value, SYNTH_SYMBOLS_MAX);
    if (days && (value < 1 || value > SYNTH_DAYS_MAX))
        return tbus_fail(err, -TBUS_ECONFIG, "synth: days=%" PRIu64 " is out of range: 1 to %u",
                         value, SYNTH_DAYS_MAX);
    if (speed && (value < 1 || value > SYNTH_SPEED_MAX))
        return tbus_fail(err, -TBUS_ECONFIG, "synth: speed=%" PRIu64 " is out of range: 1 to %u",
                         value, SYNTH_SPEED_MAX);
    if (seed)
        p->seed = value;
    else if (days)
        p->days = (uint32_t)value;
    else if (speed)
        p->speed = (uint32_t)value;
    else if (symbols)
        p->symbols = (uint32_t)value;
    else
        p->messages = value;
    return 0;
}

static int parse(const char *options, synth_params_t *out_params, tbus_error_t *err)
{
    while (*options != '\0') {
        size_t length = strcspn(options, ",");
        int rc = set_option(out_params, options, length, err);
        if (rc != 0)
            return rc;
        options += length;
        if (*options == ',' && *++options == '\0')
            return tbus_fail(err, -TBUS_ECONFIG,
                             "synth: the options end with a comma: key=value is missing after it");
    }
    return 0;
}

int feed_source_open_synth(const char *options, feed_source_t **out_source, tbus_error_t *err)
{
    synth_params_t params = {.seed = SYNTH_SEED_DEFAULT,
                             .symbols = SYNTH_SYMBOLS_DEFAULT,
                             .messages = SYNTH_MESSAGES_DEFAULT};
    int rc = parse(options, &params, err);
    if (rc != 0)
        return rc;
    if (params.speed == 0)
        params.speed = synth_busy_speed(&params);
    source_synth_t *s = calloc(1, sizeof *s);
    if (!s)
        return tbus_fail(err, -ENOMEM, "no memory for a synthetic feed");
    s->base.ops = &ops;
    s->base.daily = true;
    s->messages_total = params.messages;
    rc = synth_create(&params, &s->synth, err);
    if (rc != 0) {
        free(s);
        return rc;
    }
    *out_source = &s->base;
    return 0;
}
