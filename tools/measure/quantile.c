/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/measure/quantile.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tools/measure/student.h"

#define DIGIT_BITS   11u
#define DIGIT_VALUES (1u << DIGIT_BITS)
#define DIGITS       6u /* 66 bits */

/* Neighbouring blocks that resemble each other more than this are no longer independent. Of
 * independent ones the correlation of neighbours has a standard deviation of 1/sqrt(32) = 0.18. */
#define NEIGHBOURS_MAX 0.6

/* Latencies do not avoid each other: counts that vary still less do so by chance. */
#define TIMES_MIN 0.5

/* One pass of a radix sort. False: all have the same digit, nothing was moved. */
static bool sort_by_digit(const uint64_t *from, uint64_t *to, size_t count, unsigned shift)
{
    size_t places[DIGIT_VALUES] = {0};
    for (size_t i = 0; i < count; i++)
        places[(from[i] >> shift) % DIGIT_VALUES]++;
    if (places[(from[0] >> shift) % DIGIT_VALUES] == count)
        return false;
    size_t sum = 0;
    for (size_t digit = 0; digit < DIGIT_VALUES; digit++) {
        size_t here = places[digit];
        places[digit] = sum;
        sum += here;
    }
    for (size_t i = 0; i < count; i++)
        to[places[(from[i] >> shift) % DIGIT_VALUES]++] = from[i];
    return true;
}

int quantile_set_make(const uint64_t *values, size_t count, quantile_set_t *out_set)
{
    size_t bytes = (count ? count : 1) * sizeof *values;
    uint64_t *sorted = (uint64_t *)malloc(bytes);
    uint64_t *other = (uint64_t *)malloc(bytes);
    if (!sorted || !other) {
        free(sorted);
        free(other);
        return -ENOMEM;
    }
    if (count)
        memcpy(sorted, values, bytes);
    for (unsigned digit = 0; count && digit < DIGITS; digit++)
        if (sort_by_digit(sorted, other, count, digit * DIGIT_BITS)) {
            uint64_t *swap = sorted;
            sorted = other;
            other = swap;
        }
    free(other);
    *out_set = (quantile_set_t){.values = values, .sorted = sorted, .count = count};
    return 0;
}

void quantile_set_free(quantile_set_t *set)
{
    free(set->sorted);
    *set = (quantile_set_t){0};
}

/* 1..count; exact in integers, since 0.999 * 1000 is not 999 in floating point. */
static size_t nearest_rank(size_t count, uint32_t per_million)
{
    size_t rank = (size_t)(((unsigned __int128)count * per_million + 999999) / 1000000);
    return rank ? rank : 1;
}

uint64_t quantile_rank(const quantile_set_t *set, uint32_t per_million)
{
    return set->count ? set->sorted[nearest_rank(set->count, per_million) - 1] : 0;
}

/* How many times more the counts of the blocks vary than those of independent values would. NaN:
 * neighbouring blocks hang together, so that it cannot be told. */
static double excess_variance(const quantile_set_t *set, uint64_t threshold)
{
    double off[QUANTILE_BLOCKS], of_all = 0;
    size_t begin = 0, beyond = 0;
    for (unsigned b = 0; b < QUANTILE_BLOCKS; b++) {
        size_t end = set->count * (b + 1) / QUANTILE_BLOCKS, here = 0;
        for (size_t i = begin; i < end; i++)
            here += set->values[i] >= threshold;
        off[b] = (double)here;
        beyond += here;
        begin = end;
    }
    double share = (double)beyond / (double)set->count;
    if (beyond == 0 || beyond == set->count)
        return 1; /* all values are the same */
    begin = 0;
    double neighbours = 0;
    for (unsigned b = 0; b < QUANTILE_BLOCKS; b++) {
        size_t end = set->count * (b + 1) / QUANTILE_BLOCKS;
        off[b] -= share * (double)(end - begin);
        of_all += off[b] * off[b];
        neighbours += b ? off[b] * off[b - 1] : 0;
        begin = end;
    }
    double independent = share * (1 - share) * (double)set->count / QUANTILE_BLOCKS;
    double times = of_all / (QUANTILE_BLOCKS - 1) / independent;
    return times > 2 && neighbours > NEIGHBOURS_MAX * of_all ? NAN : times;
}

/* The probability that of n independent values at most k lie below percentile p, as a number of
 * standard deviations of the normal distribution (Camp and Paulson, 1951: within 0.007 / sqrt(n p
 * (1 - p))), for n and k that need not be whole. */
static double binomial_deviate(double n, double p, double k)
{
    double odds = cbrt((k + 1) * (1 - p) / ((n - k) * p));
    double a = 1 / (9 * (n - k)), b = 1 / (9 * (k + 1));
    return ((1 - b) * odds - (1 - a)) / sqrt(b * odds * odds + a);
}

/* The k whose deviate that is; it grows with k. */
static double binomial_inverse(double n, double p, double deviate)
{
    double low = -1 + 1e-9, high = n - 1e-9;
    for (int i = 0; i < 100; i++) {
        double middle = (low + high) / 2;
        if (binomial_deviate(n, p, middle) < deviate)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The value of a rank between two, 1..count; NaN beyond the last. */
static double value_between(const quantile_set_t *set, double rank)
{
    if (!(rank >= 1 && rank <= (double)set->count))
        return NAN;
    size_t below = (size_t)rank;
    double value = (double)set->sorted[below - 1];
    if (below < set->count)
        value += (rank - (double)below) * (double)(set->sorted[below] - set->sorted[below - 1]);
    return value;
}

static void find_interval(const quantile_set_t *set, double level, quantile_t *q)
{
    double p = q->per_million / 1e6, n = (double)set->count;
    double times = excess_variance(set, (uint64_t)q->value);
    if (isnan(times))
        return;
    double deviate = student_reach(level, INFINITY);
    double widen = student_reach(level, QUANTILE_BLOCKS - 1) / deviate;
    q->effective = n / fmax(times, 1);
    if (q->effective * fmin(p, 1 - p) < QUANTILE_EFFECTIVE_MIN)
        return;
    double worth = n / fmax(times * widen * widen, TIMES_MIN);
    double scale = (n + 1) / (worth + 1); /* from ranks of so many to ranks of ours */
    double low = value_between(set, scale * (binomial_inverse(worth, p, -deviate) + 1));
    double high = value_between(set, scale * (binomial_inverse(worth, p, deviate) + 1));
    if (isnan(low) || isnan(high))
        return;
    q->low = low;
    q->high = high;
    q->state = QUANTILE_KNOWN;
}

uint64_t quantile_needs(uint32_t per_million)
{
    uint64_t beyond = 1000000 - per_million;
    return (QUANTILE_BEYOND_MIN * UINT64_C(1000000) + beyond - 1) / beyond;
}

double quantile_value(const quantile_set_t *set, uint32_t per_million)
{
    return set->count < quantile_needs(per_million) ? NAN : (double)quantile_rank(set, per_million);
}

quantile_t quantile_of(const quantile_set_t *set, uint32_t per_million, double level)
{
    quantile_t q = {.per_million = per_million, .value = NAN, .low = NAN, .high = NAN};
    uint64_t needed = quantile_needs(per_million);
    if (set->count < needed) {
        q.missing = needed - set->count;
        return q;
    }
    q.state = QUANTILE_NO_INTERVAL;
    q.value = quantile_value(set, per_million);
    find_interval(set, level, &q);
    return q;
}
