/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/measure/difference.h"

#include <math.h>

#include "tools/measure/rank.h"
#include "tools/measure/student.h"

#define SUMS_MAX (SERIES_ROUNDS_MAX * (SERIES_ROUNDS_MAX + 1) / 2)
#define FOUND    0.9 /* two-sided level whose reach leaves out one in twenty on one side */
#define DRAWS    200u
#define SEED     UINT64_C(0x9e3779b97f4a7c15)

const char *difference_name(enum difference_verdict verdict)
{
    static const char *const names[] = {"cannot_tell", "faster", "slower"};
    return names[verdict];
}

double difference_family_level(double level, uint32_t count)
{
    return 1 - (1 - level) / count;
}

static enum difference_verdict verdict_of(const difference_t *d)
{
    return d->low > 0    ? DIFFERENCE_SLOWER
           : d->high < 0 ? DIFFERENCE_FASTER
                         : DIFFERENCE_CANNOT_TELL;
}

static double log_of(double ns)
{
    return log(fmax(ns, 1)); /* 0 ns is below what a clock tells */
}

difference_t difference_between(const quantile_t *a, const quantile_t *b, double level)
{
    difference_t d = {.share = NAN, .low = NAN, .high = NAN, .detectable = NAN};
    if (a->state == QUANTILE_WITHHELD || b->state == QUANTILE_WITHHELD)
        return d;
    double middle = log_of(b->value) - log_of(a->value);
    d.share = expm1(middle);
    if (a->state != QUANTILE_KNOWN || b->state != QUANTILE_KNOWN)
        return d;
    /* Each side's way to the end of its own interval, put together as independent errors are
     * (Zou and Donner, 2008); in logarithms, since latencies are skewed. */
    double down = hypot(log_of(b->value) - log_of(b->low), log_of(a->high) - log_of(a->value));
    double up = hypot(log_of(b->high) - log_of(b->value), log_of(a->value) - log_of(a->low));
    d.low = expm1(middle - down);
    d.high = expm1(middle + up);
    if (isnan(d.low) || isnan(d.high))
        return d;
    d.verdict = verdict_of(&d);
    double reach = student_reach(level, INFINITY);
    d.detectable = (d.high - d.low) / 2 * (reach + student_reach(FOUND, INFINITY)) / reach;
    return d;
}

/* --- rounds: the average of each two of them, and of each with itself (Walsh) */

/* How many of the averages may be left out on each side, such that the interval of the rest
 * holds with probability `level`: the greatest w with P(signed ranks <= w) <= (1 - level) / 2,
 * plus 1; 0: there is none. The distribution: each of the ranks 1..count counts or does not. */
static uint32_t averages_left_out(uint32_t count, double level)
{
    double ways[SUMS_MAX + 1] = {1}; /* as a probability */
    uint32_t sums = count * (count + 1) / 2;
    for (uint32_t rank = 1; rank <= count; rank++)
        for (uint32_t sum = sums + 1; sum-- > 0;)
            ways[sum] = (ways[sum] + (sum >= rank ? ways[sum - rank] : 0)) / 2;
    double below = 0;
    for (uint32_t sum = 0; sum <= sums; sum++) {
        below += ways[sum];
        if (below > (1 - level) / 2)
            return sum;
    }
    return 0;
}

uint32_t difference_rounds_min(double level)
{
    for (uint32_t count = 1; count <= SERIES_ROUNDS_MAX; count++)
        if (averages_left_out(count, level))
            return count;
    return SERIES_ROUNDS_MAX + 1;
}

/* How many averages are at most `limit`; `sorted`: the rounds. */
static uint32_t averages_up_to(const double *sorted, uint32_t count, double limit)
{
    uint32_t sum = 0, partners = count;
    for (uint32_t i = 0; i < count; i++) {
        while (partners > 0 && (sorted[i] + sorted[partners - 1]) / 2 > limit)
            partners--;
        sum += partners > i ? partners - i : 0;
    }
    return sum;
}

/* The average of that rank, 1 the least: found by halving, since there are thousands of averages,
 * and this is asked for hundreds of draws. */
static double average_at(const double *sorted, uint32_t count, uint32_t rank)
{
    double low = sorted[0], high = sorted[count - 1];
    if (averages_up_to(sorted, count, low) >= rank)
        return low;
    for (;;) {
        double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high)
            return high;
        if (averages_up_to(sorted, count, middle) >= rank)
            high = middle;
        else
            low = middle;
    }
}

static uint32_t below(uint64_t *state, uint32_t count)
{
    *state ^= *state >> 12; /* xorshift64* */
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)(((*state * UINT64_C(0x2545f4914f6cdd1d)) >> 32) * count >> 32);
}

/* The smallest shift that 95 of 100 such comparisons find. A shift moves an interval as a whole; so
 * it is enough to draw rounds with replacement, without the difference that they have, and to see
 * how far each interval reaches beyond nothing. To both sides, since a change may be either. */
static double detectable_share(const double *sorted, uint32_t count, double middle, uint32_t out)
{
    double drawn[SERIES_ROUNDS_MAX], reaches[2 * DRAWS];
    uint64_t state = SEED;
    uint32_t averages = count * (count + 1) / 2;
    for (uint32_t draw = 0; draw < DRAWS; draw++) {
        for (uint32_t i = 0; i < count; i++)
            drawn[i] = sorted[below(&state, count)] - middle;
        rank_sort(drawn, count);
        reaches[2 * draw] = -average_at(drawn, count, out);
        reaches[2 * draw + 1] = average_at(drawn, count, averages - out + 1);
    }
    rank_sort(reaches, 2 * DRAWS);
    /* few rounds do not know well how much rounds differ */
    double widen = student_reach(FOUND, count - 1) / student_reach(FOUND, INFINITY);
    return expm1(reaches[2 * DRAWS * 95 / 100] * widen);
}

difference_t difference_paired(const series_t *a, const series_t *b, double level)
{
    difference_t d = {.share = NAN, .low = NAN, .high = NAN, .detectable = NAN};
    double sorted[SERIES_ROUNDS_MAX];
    uint32_t count = a->count, averages = count * (count + 1) / 2;
    if (!count)
        return d;
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = log_of(b->values[i]) - log_of(a->values[i]);
    rank_sort(sorted, count);
    double middle = (average_at(sorted, count, (averages + 1) / 2) +
                     average_at(sorted, count, averages / 2 + 1)) /
                    2;
    d.share = expm1(middle);
    uint32_t out = averages_left_out(count, level);
    if (!out)
        return d;
    d.low = expm1(average_at(sorted, count, out));
    d.high = expm1(average_at(sorted, count, averages - out + 1));
    d.verdict = verdict_of(&d);
    d.detectable = detectable_share(sorted, count, middle, out);
    return d;
}
