/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/measure/difference.h"

#include <math.h>

#include "tools/measure/rank.h"
#include "tools/measure/student.h"

#define WALSH_MAX (SERIES_ROUNDS_MAX * (SERIES_ROUNDS_MAX + 1) / 2)
#define FOUND     0.9 /* two-sided level whose reach leaves out one in twenty on one side */

const char *difference_name(enum difference_verdict verdict)
{
    static const char *const names[] = {"cannot_tell", "faster", "slower"};
    return names[verdict];
}

double difference_family_level(double level, uint32_t count)
{
    return 1 - (1 - level) / count;
}

static void judge(difference_t *d, double level)
{
    if (isnan(d->low) || isnan(d->high))
        return;
    double reach = student_reach(level, INFINITY);
    d->detectable = (d->high - d->low) / 2 * (reach + student_reach(FOUND, INFINITY)) / reach;
    if (d->low > 0)
        d->verdict = DIFFERENCE_SLOWER;
    else if (d->high < 0)
        d->verdict = DIFFERENCE_FASTER;
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
    judge(&d, level);
    return d;
}

/* How many of the averages of two may be left out on each side, such that the interval of the rest
 * holds with probability `level`: the greatest w with P(signed ranks <= w) <= (1 - level) / 2,
 * plus 1; 0: there is none. The distribution: each of the ranks 1..count counts or does not. */
static uint32_t averages_left_out(uint32_t count, double level)
{
    double ways[WALSH_MAX + 1] = {1}; /* as a probability */
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

difference_t difference_paired(const series_t *a, const series_t *b, double level)
{
    difference_t d = {.share = NAN, .low = NAN, .high = NAN, .detectable = NAN};
    uint32_t count = a->count, averages = 0;
    if (!count)
        return d;
    double walsh[WALSH_MAX]; /* the average of each two rounds, and of each with itself */
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = i; j < count; j++)
            walsh[averages++] = (log_of(b->values[i]) - log_of(a->values[i]) +
                                 log_of(b->values[j]) - log_of(a->values[j])) /
                                2;
    d.share = expm1(rank_median(walsh, averages)); /* sorts */
    uint32_t out = averages_left_out(count, level);
    if (!out)
        return d;
    d.low = expm1(walsh[out - 1]);
    d.high = expm1(walsh[averages - out]);
    judge(&d, level);
    return d;
}
