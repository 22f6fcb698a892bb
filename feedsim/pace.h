/* SPDX-License-Identifier: Apache-2.0 */
/* pace.h - when each message should go out: an open-loop schedule, as plain arithmetic on times
 * that the caller hands in.
 *
 *    max        now: as fast as the pipeline takes them
 *    realtime   as far apart as the times that the messages carry
 *    Nx         the same, N times as fast: 10x, 0.5x
 *    RATE/s     evenly: message k at start + k / RATE; 50000/s, 200k/s, 1.5M/s
 *
 * A rate may be kept with other arrivals than even ones, whose long-term rate is the same:
 *
 *    constant   as above
 *    poisson    each gap drawn anew, exponentially distributed: as of many independent senders
 *    burst:N    N messages at once, then nothing for as long as N messages take
 *
 * (Those of a recorded file are times like the messages' own: arrivals.h.)
 *
 * The first message is due at once. Times that go backwards never move the schedule back; a message
 * without a time is due with the one before it. Midnight is the business of timeline.h. All times
 * in ns; the schedule is on the caller's clock (CLOCK_MONOTONIC), message times on whatever clock
 * they were made with.
 *
 * On the data path: feedsim/timeline.h -> here -> feedsim/feed.h.
 */
#ifndef TICKBUS_FEEDSIM_PACE_H
#define TICKBUS_FEEDSIM_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>

#include "feedsim/synth/random.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FEED_TIME_NONE UINT64_MAX

enum feed_pace_kind { FEED_PACE_MAX = 0, FEED_PACE_TIMED = 1, FEED_PACE_RATE = 2 };

typedef struct feed_pace {
    enum feed_pace_kind kind;
    bool started;
    bool anchored;      /* timed: a message with a time has been seen */
    uint64_t due_ns;    /* of the last message */
    uint64_t anchor_ns; /* timed: due time of the first message with a time */
    uint64_t first_ns;  /* timed: that time */
    uint64_t latest_ns; /* timed: the highest time so far */
    uint64_t scale;     /* timed: schedule ns per message ns, 16.48 fixed point */
    uint64_t step_ns;   /* rate: whole ns between two messages, */
    uint64_t step_part; /*    and the rest, in 1/divisor ns */
    uint64_t divisor;
    uint64_t part;       /*    rest gathered so far, below divisor */
    uint64_t even_ns;    /* rate: of the last message, were they even */
    uint32_t burst;      /* rate: so many at once; 0, 1: one by one */
    uint32_t burst_left; /* messages that are due with the last one */
    bool poisson;
    uint64_t mean_q20;       /* poisson: ns between two messages, times 2^20 */
    uint64_t drawn_part_q52; /*    of a ns, gathered so far */
    random_state_t random;
} feed_pace_t;

/* -TBUS_ECONFIG: not one of the forms above; a rate or factor of 0, above 10^9, or with more than
 * three decimals. */
int feed_pace_parse(const char *text, feed_pace_t *out_pace, tbus_error_t *err);

/* Arrivals at a rate: "constant", "poisson", "poisson:SEED", "burst:N" (N from 1 to 1,000,000). To
 * be set before the first message. The gaps are the same for the same seed on every host
 * (feedsim/synth/exponential.h), and their mean is that of the rate to within 0.002 %.
 * -TBUS_ECONFIG: none of these, or the pace is no rate and they are not constant. */
int feed_pace_set_arrivals(feed_pace_t *pace, const char *text, tbus_error_t *err);

/* When the next message is due. Call once per message, in order. `time_ns`: the one that it
 * carries, or FEED_TIME_NONE; `now_ns`: the clock, used for the first message and at `max`. */
uint64_t feed_pace_next(feed_pace_t *p, uint64_t time_ns, uint64_t now_ns);

/* Timed: how much message time goes by in `ns` of the schedule. */
uint64_t feed_pace_span_ns(const feed_pace_t *p, uint64_t ns);

/* Timed: how much message time lies between `now_ns` and the last message's due time; 0: it is due.
 * Of other paces 0. */
uint64_t feed_pace_ahead_ns(const feed_pace_t *p, uint64_t now_ns);

#ifdef __cplusplus
}
#endif
#endif
