/* SPDX-License-Identifier: Apache-2.0 */
/* rate.h - how many messages have passed in the last second of market time: a sliding window,
 * exact. A ring of the times of the last ones, as many as the window can ever hold.
 *
 * Part of the gate (risk/gate.h). Hot calls: no allocation, no loop but for rate_count. */
#ifndef TICKBUS_RISK_RATE_H
#define TICKBUS_RISK_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rate {
    uint64_t *at; /* owned; ring of market times */
    uint32_t size;
    uint32_t next;
    uint32_t count; /* in the ring */
} rate_t;

/* Bytes that a window of up to `window_max` messages takes. */
size_t rate_footprint(uint32_t window_max);
/* False: no memory. Cold. */
bool rate_create(rate_t *rate, uint32_t window_max);
void rate_destroy(rate_t *rate);

/* Have fewer than `window` (1..window_max) passed within the second that ends at `now_ns`? A clock
 * that runs back gives no room. */
static inline bool rate_is_below(const rate_t *rate, uint32_t window, uint64_t now_ns)
{
    if (rate->count < window)
        return true;
    uint32_t oldest = rate->next >= window ? rate->next - window : rate->next + rate->size - window;
    return (int64_t)(now_ns - rate->at[oldest]) >= INT64_C(1000000000);
}

/* One has passed. */
static inline void rate_note(rate_t *rate, uint64_t now_ns)
{
    rate->at[rate->next] = now_ns;
    rate->next = rate->next + 1 == rate->size ? 0 : rate->next + 1;
    rate->count += rate->count < rate->size;
}

/* The clock has restarted: nothing has passed. */
static inline void rate_restart(rate_t *rate)
{
    rate->count = 0;
}

/* How many there were within that second, `window` at most. Cold: counts them. */
uint32_t rate_count(const rate_t *rate, uint32_t window, uint64_t now_ns);

#endif
