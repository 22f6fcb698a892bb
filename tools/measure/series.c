/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/measure/series.h"

#include <math.h>
#include <string.h>

#include "tools/measure/rank.h"

void series_add(series_t *s, double value)
{
    if (s->count < SERIES_ROUNDS_MAX)
        s->values[s->count++] = value;
}

double series_median(const series_t *s)
{
    double sorted[SERIES_ROUNDS_MAX];
    memcpy(sorted, s->values, s->count * sizeof *sorted);
    return rank_median(sorted, s->count);
}

double series_min(const series_t *s)
{
    double least = s->count ? s->values[0] : NAN;
    for (uint32_t i = 1; i < s->count; i++)
        least = s->values[i] < least ? s->values[i] : least;
    return least;
}

double series_max(const series_t *s)
{
    double most = s->count ? s->values[0] : NAN;
    for (uint32_t i = 1; i < s->count; i++)
        most = s->values[i] > most ? s->values[i] : most;
    return most;
}

double series_noise(const series_t *s)
{
    double deviations[SERIES_ROUNDS_MAX];
    double median = series_median(s);
    for (uint32_t i = 0; i < s->count; i++)
        deviations[i] = fabs(s->values[i] - median);
    return rank_median(deviations, s->count) / median;
}
