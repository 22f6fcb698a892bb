/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/latencies.h"

#include <math.h>

#define LEAST_NS   1000.0
#define MEAN_NS    10000.0
#define WEIGHT     0.95 /* AUTOREGRESSIVE */
#define HELD_MEAN  30.0
#define QUIET_MEAN 600.0
#define STALL_MEAN 12.0
#define STALL_STEP 25000.0 /* by which each value of a stall is less than the one before */

const char *const latencies_names[LATENCIES_KINDS] = {"independent", "autoregressive", "held",
                                                      "stalls"};

double latencies_uniform(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return ((double)(x * UINT64_C(2685821657736338717) >> 11) + 0.5) / 9007199254740992.0;
}

static double gaussian(uint64_t *state)
{
    double radius = sqrt(-2 * log(latencies_uniform(state)));
    return radius * cos(2 * M_PI * latencies_uniform(state));
}

static uint64_t from_share_beyond(double share)
{
    return (uint64_t)(LEAST_NS - MEAN_NS * log(share));
}

static void make_autoregressive(uint64_t *state, uint64_t *values, size_t count)
{
    double x = gaussian(state), fresh = sqrt(1 - WEIGHT * WEIGHT);
    for (size_t i = 0; i < count; i++) {
        values[i] = from_share_beyond(erfc(x / sqrt(2)) / 2);
        x = WEIGHT * x + fresh * gaussian(state);
    }
}

static void make_held(uint64_t *state, uint64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = i == 0 || latencies_uniform(state) < 1 / HELD_MEAN
                        ? from_share_beyond(latencies_uniform(state))
                        : values[i - 1];
}

/* Stalls and the quiet between them have geometric lengths, 1.. */
static void make_stalls(uint64_t *state, uint64_t *values, size_t count)
{
    unsigned left = 0; /* of the stall */
    for (size_t i = 0; i < count; i++) {
        if (left) {
            values[i] = (uint64_t)(LEAST_NS + STALL_STEP * (left-- - latencies_uniform(state)));
            continue;
        }
        values[i] = from_share_beyond(latencies_uniform(state));
        if (latencies_uniform(state) < 1 / QUIET_MEAN)
            for (left = 1; latencies_uniform(state) > 1 / STALL_MEAN;)
                left++;
    }
}

void latencies_make(enum latencies_kind kind, uint64_t *state, uint64_t *out_values, size_t count)
{
    if (kind == LATENCIES_AUTOREGRESSIVE)
        make_autoregressive(state, out_values, count);
    else if (kind == LATENCIES_HELD)
        make_held(state, out_values, count);
    else if (kind == LATENCIES_STALLS)
        make_stalls(state, out_values, count);
    else
        for (size_t i = 0; i < count; i++)
            out_values[i] = from_share_beyond(latencies_uniform(state));
}

/* The share of all values, in the long run, that are greater. */
static double share_beyond(enum latencies_kind kind, double value)
{
    double single = fmin(1, exp((LEAST_NS - value) / MEAN_NS));
    if (kind != LATENCIES_STALLS)
        return single;
    /* Of a stall of geometric length D the values are D - u, D - 1 - u, ... steps, u uniform: so
     * E[(D - k - 1)+] are greater than k + part, and the one of k + 1 with 1 - part. */
    double longer = 1 - 1 / STALL_MEAN;
    double steps = fmax(0, (value - LEAST_NS) / STALL_STEP), whole = floor(steps);
    double of_stall = pow(longer, whole) * (STALL_MEAN * longer + 1 - (steps - whole));
    return (QUIET_MEAN * single + of_stall) / (QUIET_MEAN + STALL_MEAN);
}

double latencies_percentile(enum latencies_kind kind, uint32_t per_million)
{
    double low = 0, high = 1e9;
    for (int i = 0; i < 100; i++) {
        double middle = (low + high) / 2;
        if (share_beyond(kind, middle) > 1 - per_million / 1e6)
            low = middle;
        else
            high = middle;
    }
    return high;
}
