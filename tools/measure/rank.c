/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/measure/rank.h"

#include <math.h>
#include <stdlib.h>

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int by_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void rank_sort(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_double);
}

double rank_median(double *values, size_t count)
{
    if (!count)
        return NAN;
    rank_sort(values, count);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

uint32_t rank_u32(uint32_t *values, size_t count, unsigned per_mille)
{
    if (!count)
        return 0;
    qsort(values, count, sizeof *values, by_u32);
    return values[(count - 1) * per_mille / 1000];
}
