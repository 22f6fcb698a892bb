/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - market time: a clock that is a function of the messages on `md` alone.
 *
 * Market time is elapsed time, in ns. It starts at 1 with the first tick, and each further tick
 * moves it on by at least 1 ns, so that a time names a place on `md`. The step to a tick is the
 * difference of its stamp to the stamp that the clock holds:
 *
 *    stamp of the tick                          step           stamp held from then on
 *    up to 60 s ahead                           the difference that of the tick
 *    the same, or up to 1 s back                1 ns           stays (the stamps catch up)
 *    more than 60 s ahead                       60 s           that of the tick
 *    further back, but at most 60 s ahead if
 *      it is of the next day (midnight)         the difference that of the tick
 *    further back otherwise: a restart          1 ns           that of the tick
 *    none: a type that ITCH does not know, the
 *      feed's own marks, 26 h and more          1 ns           stays
 *
 * So a single wild stamp moves the clock by 60 s at most. Restarts are counted; limits on a rate
 * begin anew there (risk/gate.h).
 *
 * The order of events with equal times, for everybody: the tick; then reports; then timers; then
 * orders, those of the strategy with the smaller number first, each strategy's in its own order. An
 * order that arrives at the venue at the time of a tick comes after that tick.
 *
 * Pure. On the data path: beside tickbus/market/market.h.
 */
#ifndef TICKBUS_MARKET_CLOCK_H
#define TICKBUS_MARKET_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include <tickbus/msg/tick.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MARKET_CLOCK_STEP_MAX UINT64_C(60000000000)
#define MARKET_CLOCK_BACK_MAX UINT64_C(1000000000)
#define MARKET_CLOCK_DAY      UINT64_C(86400000000000)
#define MARKET_CLOCK_STAMPS   UINT64_C(93600000000000) /* 26 h: no stamp is so late */
#define MARKET_NEVER          UINT64_MAX

typedef struct market_clock {
    uint64_t now_ns;   /* market time of the last tick; 0: none yet */
    uint64_t stamp_ns; /* held: exchange ns since midnight */
    uint64_t stamped;  /* 1: a tick with a stamp has been seen */
    uint64_t restarts; /* times that the stamps went back by more than a second, but at midnight */
} market_clock_t;

/* Not for callers: a tick whose step is not the plain difference. */
void market_clock_step(market_clock_t *clock, const tick_t *tick, size_t bytes);

/* Is it a type with a stamp that the clock goes by? Bit i of the words: the character 64 + i. */
#define MARKET_CLOCK_TYPES_                                                                        \
    ((UINT64_C(1) << ('S' - 64)) | (UINT64_C(1) << ('R' - 64)) | (UINT64_C(1) << ('H' - 64)) |     \
     (UINT64_C(1) << ('Y' - 64)) | (UINT64_C(1) << ('L' - 64)) | (UINT64_C(1) << ('V' - 64)) |     \
     (UINT64_C(1) << ('W' - 64)) | (UINT64_C(1) << ('K' - 64)) | (UINT64_C(1) << ('J' - 64)) |     \
     (UINT64_C(1) << ('h' - 64)) | (UINT64_C(1) << ('A' - 64)) | (UINT64_C(1) << ('F' - 64)) |     \
     (UINT64_C(1) << ('E' - 64)) | (UINT64_C(1) << ('C' - 64)) | (UINT64_C(1) << ('X' - 64)) |     \
     (UINT64_C(1) << ('D' - 64)) | (UINT64_C(1) << ('U' - 64)) | (UINT64_C(1) << ('P' - 64)) |     \
     (UINT64_C(1) << ('Q' - 64)) | (UINT64_C(1) << ('B' - 64)) | (UINT64_C(1) << ('I' - 64)) |     \
     (UINT64_C(1) << ('N' - 64)) | (UINT64_C(1) << ('O' - 64)))

/* Does the next tick's stamp tell its time? Then *out_now_ns is that; else market_clock_step knows
 * it. Hot. */
TBUS_HOT int market_clock_told(const market_clock_t *clock, const tick_t *tick, size_t bytes,
                               uint64_t *out_now_ns)
{
    uint64_t stamp_ns = tick_event_ns(tick);
    uint64_t step_ns = stamp_ns - clock->stamp_ns; /* a step back is a very large number */
    unsigned type = (unsigned)tick->type - 64u;
    *out_now_ns = clock->now_ns + step_ns + (step_ns == 0);
    return __builtin_expect(bytes >= TICK_BODY_OFFSET && type <= 63 &&
                                (MARKET_CLOCK_TYPES_ >> type & 1) != 0 &&
                                step_ns <= MARKET_CLOCK_STEP_MAX && clock->stamped != 0 &&
                                stamp_ns < MARKET_CLOCK_STAMPS,
                            1);
}

/* The clock as it is at the next tick, whose time is then clock.now_ns. Hot. */
TBUS_INLINE market_clock_t market_clock_at(market_clock_t clock, const tick_t *tick, size_t bytes)
{
    uint64_t now_ns;
    if (market_clock_told(&clock, tick, bytes, &now_ns)) {
        clock.now_ns = now_ns;
        clock.stamp_ns = tick_event_ns(tick);
    } else {
        market_clock_step(&clock, tick, bytes);
    }
    return clock;
}

#ifdef __cplusplus
}
#endif
#endif
