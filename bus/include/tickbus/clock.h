/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - time as the bus uses it: CLOCK_MONOTONIC in nanoseconds. Costs 30-50 ns a call: at most
 * one per message and hop. */
#ifndef TICKBUS_CLOCK_H
#define TICKBUS_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t tbus_clock_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

#endif
