/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/market/clock.h>

#include <stdbool.h>

static bool has_stamp(const tick_t *tick, size_t bytes)
{
    unsigned type = (unsigned)tick->type - 64u;
    return bytes >= TICK_BODY_OFFSET && type <= 63 && (MARKET_CLOCK_TYPES_ >> type & 1) &&
           tick_event_ns(tick) < MARKET_CLOCK_STAMPS;
}

void market_clock_step(market_clock_t *clock, const tick_t *tick, size_t bytes)
{
    if (!has_stamp(tick, bytes)) {
        clock->now_ns++;
        return;
    }
    uint64_t stamp_ns = tick_event_ns(tick), held_ns = clock->stamp_ns, step_ns = 1;
    if (!clock->stamped) {
        clock->stamped = 1;
        held_ns = stamp_ns;
    } else if (stamp_ns > held_ns) {
        step_ns = stamp_ns - held_ns;
        if (step_ns > MARKET_CLOCK_STEP_MAX)
            step_ns = MARKET_CLOCK_STEP_MAX;
        held_ns = stamp_ns;
    } else if (held_ns - stamp_ns > MARKET_CLOCK_BACK_MAX) {
        uint64_t next_day_ns = stamp_ns + MARKET_CLOCK_DAY - held_ns; /* wraps: 26 h are over */
        bool midnight = next_day_ns - 1 < MARKET_CLOCK_STEP_MAX;
        if (midnight)
            step_ns = next_day_ns;
        else
            clock->restarts++;
        held_ns = stamp_ns;
    }
    clock->now_ns += step_ns;
    clock->stamp_ns = held_ns;
}
