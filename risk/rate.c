/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/rate.h"

#include <stdlib.h>

#include "risk/table.h"

size_t rate_footprint(uint32_t window_max)
{
    return window_max * sizeof(uint64_t);
}

bool rate_create(rate_t *rate, uint32_t window_max)
{
    *rate = (rate_t){.at = table_create(window_max, sizeof *rate->at), .size = window_max};
    return rate->at != NULL;
}

void rate_destroy(rate_t *rate)
{
    free(rate->at);
}

uint32_t rate_count(const rate_t *rate, uint32_t window, uint64_t now_ns)
{
    uint32_t count = 0;
    while (count < window && !rate_is_below(rate, count + 1, now_ns))
        count++;
    return count;
}
