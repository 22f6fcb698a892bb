/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/measure/steadiness.h"

#include <math.h>

#include "tools/measure/student.h"

#define FINE_BLOCKS  1024u /* at most; a power of two */
#define FINE_MIN     32u
#define BLOCK_VALUES 16u /* at least */
#define WINDOWS_MIN  8u
#define DRIFT_BLOCKS 32u
#define LEVEL        0.9999

static const uint32_t looked_at[] = {500000, 990000};
#define LOOKED_AT (sizeof looked_at / sizeof *looked_at)

/* The share of values above `threshold` in each of `blocks` blocks of equal length; those that are
 * equal to it count half, since a percentile may be a value that many have. */
static void shares_above(const uint64_t *values, size_t count, uint64_t threshold, uint32_t blocks,
                         double *out_shares)
{
    size_t begin = 0;
    for (uint32_t b = 0; b < blocks; b++) {
        size_t end = count * (b + 1) / blocks, above = 0;
        for (size_t i = begin; i < end; i++)
            above += (values[i] > threshold) + (values[i] >= threshold);
        out_shares[b] = (double)above / 2 / (double)(end - begin);
        begin = end;
    }
}

/* How far the first window of `length` blocks is off the others, in units of what chance allows.
 * 0: it is not the farthest off. */
static double first_is_off(const double *shares, uint32_t blocks, uint32_t length)
{
    uint32_t windows = blocks / length;
    double first = 0, sum = 0, squares = 0, least = INFINITY, most = -INFINITY;
    for (uint32_t w = 0; w < windows; w++) {
        double here = 0;
        for (uint32_t b = w * length; b < (w + 1) * length; b++)
            here += shares[b] / length;
        if (w == 0) {
            first = here;
            continue;
        }
        sum += here;
        squares += here * here;
        least = fmin(least, here);
        most = fmax(most, here);
    }
    if (first >= least && first <= most)
        return 0;
    double others = windows - 1, mean = sum / others;
    double variance = fmax(0, squares - sum * mean) / (others - 1);
    double error = sqrt(variance * (1 + 1 / others));
    return fabs(first - mean) / (error * student_reach(LEVEL, others - 1));
}

static int percentiles_of(const uint64_t *values, size_t before_count, const uint64_t *after,
                          size_t after_count, unsteady_t *found)
{
    quantile_set_t first = {0}, second = {0};
    int rc = quantile_set_make(values, before_count, &first);
    if (rc == 0)
        rc = quantile_set_make(after, after_count, &second);
    found->before = (double)quantile_rank(&first, found->per_million);
    found->after = (double)quantile_rank(&second, found->per_million);
    quantile_set_free(&first);
    quantile_set_free(&second);
    return rc;
}

static int look_for_warm_up(const quantile_set_t *set, steadiness_t *s)
{
    double shares[FINE_BLOCKS], most = 1;
    uint32_t blocks = FINE_BLOCKS;
    while (blocks > set->count / BLOCK_VALUES)
        blocks /= 2;
    for (size_t p = 0; p < LOOKED_AT; p++) {
        shares_above(set->values, set->count, quantile_rank(set, looked_at[p]), blocks, shares);
        for (uint32_t length = 1; length <= blocks / WINDOWS_MIN; length *= 2) {
            double off = first_is_off(shares, blocks, length);
            if (off <= most)
                continue;
            most = off;
            s->warm_up.per_million = looked_at[p];
            s->warm_up_count = set->count * length / blocks;
        }
    }
    if (!s->warm_up_count)
        return 0;
    return percentiles_of(set->values, s->warm_up_count, set->values + s->warm_up_count,
                          set->count - s->warm_up_count, &s->warm_up);
}

/* Of all pairs of blocks: how many go up more than go down, in standard deviations of chance. */
static double trend(const double *shares)
{
    double up = 0;
    for (unsigned i = 0; i < DRIFT_BLOCKS; i++)
        for (unsigned j = i + 1; j < DRIFT_BLOCKS; j++)
            up += (shares[j] > shares[i]) - (shares[j] < shares[i]);
    double n = DRIFT_BLOCKS;
    return up / sqrt(n * (n - 1) * (2 * n + 5) / 18);
}

static int look_for_drift(const quantile_set_t *set, steadiness_t *s)
{
    const uint64_t *values = set->values + s->warm_up_count;
    size_t count = set->count - s->warm_up_count;
    double shares[DRIFT_BLOCKS], most = student_reach(LEVEL, INFINITY);
    for (size_t p = 0; p < LOOKED_AT; p++) {
        shares_above(values, count, quantile_rank(set, looked_at[p]), DRIFT_BLOCKS, shares);
        double deviations = fabs(trend(shares));
        if (deviations <= most)
            continue;
        most = deviations;
        s->drift.per_million = looked_at[p];
    }
    if (!s->drift.per_million)
        return 0;
    size_t third = count / 3;
    return percentiles_of(values, third, values + count - third, third, &s->drift);
}

int steadiness_look(const quantile_set_t *set, steadiness_t *out_steadiness)
{
    steadiness_t s = {0};
    int rc = 0;
    if (set->count >= FINE_MIN * BLOCK_VALUES) {
        rc = look_for_warm_up(set, &s);
        if (rc == 0)
            rc = look_for_drift(set, &s);
    }
    if (rc == 0)
        *out_steadiness = s;
    return rc;
}
