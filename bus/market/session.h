/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - what a strategy, risk and the executor must agree on about the way to the venue and
 * back: by which clock, and how long it takes.
 *
 * Under the clock `market` an order that a strategy sends at market time t arrives at the venue at
 * t plus its latency, and a report about what happens there at time e is seen at e plus the
 * response latency: on the clock of the market data (tickbus/market/clock.h), whatever the host
 * did. So all that is decided depends on the market data, the strategy, the configuration and the
 * seed alone. One session, first in, first out, both ways: nothing arrives before what was sent
 * earlier.
 *
 * Under the clock `host` nothing waits: an order takes effect when the host has brought it there.
 */
#ifndef TICKBUS_BUS_MARKET_SESSION_H
#define TICKBUS_BUS_MARKET_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/kind.h>

/* In the order of the configuration's choices. */
enum session_clock { SESSION_CLOCK_MARKET, SESSION_CLOCK_HOST };

/* What is done when two own orders would meet, of one strategy or of two of a bus; in the order of
 * the configuration's choices. Where the venue cancels those that rest, an order of one strategy
 * causes a report to another, which cannot know of it: so with more than one strategy, each waits,
 * while it has an open order, for all that the venue may still do. Results are the same in every
 * layout; in several processes they take longer. */
enum session_self_match {
    SELF_MATCH_CANCEL_NEWEST, /* risk rejects the one that comes (risk/gate.h) */
    SELF_MATCH_CANCEL_OLDEST, /* the venue cancels those that rest (risk/venue/venue.h) */
    SELF_MATCH_CANCEL_BOTH    /* ... and rejects the one that comes */
};

/* Drawn evenly from least to most, in ns of market time; never 0. */
typedef struct session_latency {
    uint64_t least_ns;
    uint64_t most_ns;
} session_latency_t;

/* What the venue takes for an execution; negative: what it pays. By report_t.liquidity. At 1.0000
 * and above it is so much a share, in millionths of the currency; below, as exchanges charge there,
 * a part of what is traded, in millionths of price x shares (3000: 0.30 %). */
typedef struct session_fees {
    int32_t added_e6_per_share;   /* 'A' */
    int32_t removed_e6_per_share; /* 'R' */
    int32_t cross_e6_per_share;   /* 'C' */
    int32_t added_ppm_below_1;    /* -SESSION_FEE_PPM_MAX..SESSION_FEE_PPM_MAX */
    int32_t removed_ppm_below_1;
    int32_t cross_ppm_below_1;
} session_fees_t;

#define SESSION_FEE_PPM_MAX 100000 /* 10 % */

/* The fee of an execution in 1/10000 of the currency, rounded up, so never in our favour; saturated
 * to what a report holds. Hot. */
int32_t session_fee_e4(const session_fees_t *fees, uint8_t liquidity, uint32_t qty, uint32_t px_e4);

typedef struct recorded recorded_t; /* bus/market/recorded.h */

typedef struct venue_session {
    enum session_clock clock;
    session_latency_t entry;    /* of new orders and replaces */
    session_latency_t cancel;   /* of cancels */
    session_latency_t response; /* of reports */
    uint64_t seed;
    uint32_t reports_max; /* reports that are on their way to one reader at a time */
    uint32_t self_match;  /* enum session_self_match */
    session_fees_t fees;
    recorded_t *recorded; /* owned; what came from outside, to be repeated. NULL: it comes now */
} venue_session_t;

/* The values of its parameters. */
typedef struct session_values {
    uint32_t clock;
    char entry[64];
    char cancel[64];
    char response[64];
    uint64_t seed;
    uint32_t reports_max;
    uint32_t self_match;
    session_fees_t fees;
    char recorded[TBUS_PARAM_TEXT_MAX]; /* directory of a journal; "": none */
} session_values_t;

/* "venue": its parameters are a session_values_t, what it makes is a venue_session_t. */
extern const tbus_resource_t session_resource;

/* What a stage goes by that was given no session: the host's clock. */
extern const venue_session_t session_host;

/* "50us", "uniform(20us,80us)": at least 1 ns, at most a minute. -TBUS_ECONFIG. Declared
 * here for tests. */
int session_latency_parse(const char *text, session_latency_t *out_latency, tbus_error_t *err);

/* The latency of one message: a function of the seed and of who it is. Hot. */
uint64_t session_draw(const venue_session_t *session, const session_latency_t *latency,
                      uint64_t who, uint64_t which);

static inline bool session_is_market(const venue_session_t *session)
{
    return session->clock == SESSION_CLOCK_MARKET;
}

#endif
