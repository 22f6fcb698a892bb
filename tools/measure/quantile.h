/* SPDX-License-Identifier: Apache-2.0 */
/* quantile.h - percentiles of values that came one after the other, each with the interval in
 * which the percentile of the process behind them lies, with a probability such as 95 %. (Of a
 * histogram, which knows no order: percentile.h.)
 *
 *    values, in order of time     | . . : | . . . | . X X | . . . |    X: beyond the percentile
 *    32 blocks of equal length    |   0   |   0   |   2   |   0   |    how many are, by block
 *
 * The interval goes from one order statistic to another, so it needs no assumption about how the
 * values are distributed: of n independent values, the number below the true percentile p is
 * binomial (n, p). Latencies are not independent: one stall delays thousands. How much the counts
 * of the blocks differ, compared with what they would if all values were independent, says how many
 * independent values ours are worth (`effective`); the binomial is taken of that many, and widened
 * because that was estimated from 32 blocks only (Student). It holds as far as a
 * block is longer than what hangs together: if not,
 * neighbouring blocks resemble each other, and no interval is told.
 *
 * That intervals hold what they promise is shown by tests/unit/test_quantile.c, for values that are
 * independent, autoregressive, and in bursts.
 */
#ifndef TICKBUS_TOOLS_MEASURE_QUANTILE_H
#define TICKBUS_TOOLS_MEASURE_QUANTILE_H

#include <stddef.h>
#include <stdint.h>

#define QUANTILE_BLOCKS 32u
/* A percentile is withheld when fewer values lie beyond it. */
#define QUANTILE_BEYOND_MIN 10u
/* No interval is told when those beyond (or, below the median, before) it are worth fewer
 * independent ones: a few clusters say where it is, and not how certain that is. */
#define QUANTILE_EFFECTIVE_MIN 7.0

/* Values in the order of time, and sorted. */
typedef struct quantile_set {
    const uint64_t *values; /* the caller's; must live as long */
    uint64_t *sorted;
    size_t count;
} quantile_set_t;

enum quantile_state {
    QUANTILE_WITHHELD,    /* fewer than QUANTILE_BEYOND_MIN values beyond it: nothing is told */
    QUANTILE_NO_INTERVAL, /* the value is told: its interval cannot be */
    QUANTILE_KNOWN,
};

typedef struct quantile {
    uint32_t per_million; /* 999000: p99.9 */
    enum quantile_state state;
    uint64_t missing; /* QUANTILE_WITHHELD: how many more values it takes; else 0 */
    double value;     /* of the nearest rank; NaN when withheld */
    double low;       /* of the interval; NaN unless known */
    double high;
    /* how many independent values all are worth for this percentile; 0: withheld */
    double effective;
} quantile_t;

/* Sort. 0, or -ENOMEM. Time: linear. Twice the memory of `values` is taken, half of it until
 * quantile_set_free(), which accepts a zeroed set. */
int quantile_set_make(const uint64_t *values, size_t count, quantile_set_t *out_set);
void quantile_set_free(quantile_set_t *set);

/* The value of the nearest rank: 500000 is the median, 1000000 the maximum. 0 of an empty set. */
uint64_t quantile_rank(const quantile_set_t *set, uint32_t per_million);

/* How many values it takes before QUANTILE_BEYOND_MIN lie beyond a percentile. */
uint64_t quantile_needs(uint32_t per_million);

/* The same as far as so many values carry it: NaN where it is withheld. */
double quantile_value(const quantile_set_t *set, uint32_t per_million);

/* A percentile, 0 < per_million < 1000000, and its interval; `level`: 0.95, say. Looks at every
 * value. */
quantile_t quantile_of(const quantile_set_t *set, uint32_t per_million, double level);

#endif
