/* SPDX-License-Identifier: Apache-2.0 */
/* latencies.h - made-up latencies whose percentiles are known exactly, from a seed: what intervals
 * and comparisons are tried out on. All have the same distribution up to a stall: exponential with
 * a mean of 10 us on top of 1 us.
 *
 *    INDEPENDENT     each for itself
 *    AUTOREGRESSIVE  a Gaussian process of order 1, each value 0.95 of the one before and something
 *                    new, bent to the distribution: slow and fast spells of some 20 values
 *    HELD            a value stays for 30 on average, then jumps
 *    STALLS          independent; and every 600 values on average a stall delays those that come,
 *                    each less than the one before: 12 on average, by 25 us each
 */
#ifndef TICKBUS_TESTS_SUPPORT_LATENCIES_H
#define TICKBUS_TESTS_SUPPORT_LATENCIES_H

#include <stddef.h>
#include <stdint.h>

enum latencies_kind {
    LATENCIES_INDEPENDENT,
    LATENCIES_AUTOREGRESSIVE,
    LATENCIES_HELD,
    LATENCIES_STALLS,
    LATENCIES_KINDS
};

extern const char *const latencies_names[LATENCIES_KINDS];

/* Make `count` values. *state: a seed, other than 0; goes on from draw to draw. */
void latencies_make(enum latencies_kind kind, uint64_t *state, uint64_t *out_values, size_t count);

/* The percentile in the long run. */
double latencies_percentile(enum latencies_kind kind, uint32_t per_million);

/* Uniform in (0, 1); xorshift64*. */
double latencies_uniform(uint64_t *state);

#endif
