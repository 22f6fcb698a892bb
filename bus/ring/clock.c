/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/clock.h>

#include <time.h>

static uint64_t read_ns(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

uint64_t tbus_clock_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t tbus_clock_realtime_ns(void)
{
    return read_ns(CLOCK_REALTIME);
}
