/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/synth/synth.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "feedsim/synth/ladder.h"
#include "feedsim/synth/synth_market.h"
#include "feedsim/synth/synth_plain.h"

#define BUSY_PER_S 50000u

_Static_assert(SYNTH_ORDERS_MAX == LADDER_ORDERS_MAX, "what the header promises");

/* One of the two. */
struct synth {
    synth_market_t *market;
    synth_plain_t *plain;
};

uint64_t synth_messages_min(uint32_t symbols)
{
    uint64_t market = synth_market_messages_min(symbols), plain = synth_plain_messages_min(symbols);
    return market > plain ? market : plain;
}

static uint32_t speed_of(const synth_params_t *p)
{
    return p->speed > 0 ? p->speed : 1;
}

static uint32_t days_of(const synth_params_t *p)
{
    return p->days > 0 ? p->days : 1;
}

uint32_t synth_busy_speed(const synth_params_t *params)
{
    uint64_t a_day = params->messages / days_of(params);
    uint64_t speed = a_day ? SYNTH_MARKET_DAY_S * BUSY_PER_S / a_day : 1;
    speed = speed > 1 ? speed : 1;
    return speed < SYNTH_SPEED_MAX ? (uint32_t)speed : SYNTH_SPEED_MAX;
}

static int check(const synth_params_t *p, tbus_error_t *err)
{
    uint32_t symbols_max = p->flow == SYNTH_PLAIN ? SYNTH_PLAIN_SYMBOLS_MAX : SYNTH_SYMBOLS_MAX;
    if (p->symbols < 1 || p->symbols > symbols_max)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "synth: symbols=%" PRIu32 " is out of range: 1 to %u%s", p->symbols,
                         symbols_max, p->flow == SYNTH_PLAIN ? " of flow=plain" : "");
    if (p->days > SYNTH_DAYS_MAX || (p->days > 1 && (p->flow == SYNTH_PLAIN || p->messages == 0)))
        return tbus_fail(err, -TBUS_ECONFIG,
                         "synth: days=%" PRIu32 " is out of range: 1 to %u, and 1 of flow=plain "
                         "and of messages=0",
                         p->days, SYNTH_DAYS_MAX);
    if (p->speed > SYNTH_SPEED_MAX)
        return tbus_fail(err, -TBUS_ECONFIG, "synth: speed=%" PRIu32 " is out of range: 1 to %u",
                         p->speed, SYNTH_SPEED_MAX);
    uint64_t least = synth_messages_min(p->symbols) * days_of(p);
    if (p->messages != 0 && p->messages < least)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "synth: messages=%" PRIu64 " is too few: a session with %" PRIu32
                         " symbols takes at least %" PRIu64 ", and 0 means no end",
                         p->messages, p->symbols, least);
    return 0;
}

int synth_create(const synth_params_t *params, synth_t **out_synth, tbus_error_t *err)
{
    int rc = check(params, err);
    if (rc != 0)
        return rc;
    synth_t *s = calloc(1, sizeof *s);
    if (s && params->flow == SYNTH_PLAIN)
        s->plain = synth_plain_create(params->seed, params->symbols, params->messages);
    else if (s)
        s->market = synth_market_create(params->seed, params->symbols, days_of(params),
                                        speed_of(params), params->messages);
    if (!s || (!s->plain && !s->market)) {
        synth_destroy(s);
        return tbus_fail(err, -ENOMEM, "no memory for %" PRIu32 " synthetic symbols",
                         params->symbols);
    }
    *out_synth = s;
    return 0;
}

int synth_next(synth_t *s, tick_t *out)
{
    return s->plain ? synth_plain_next(s->plain, out) : synth_market_next(s->market, out);
}

void synth_destroy(synth_t *s)
{
    if (!s)
        return;
    synth_plain_destroy(s->plain);
    synth_market_destroy(s->market);
    free(s);
}
