/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/lateness.h"

static bool is_done(const lateness_t *l, const lateness_counts_t *counts, uint32_t count)
{
    uint32_t i = 0;
    while (i < count && counts[i].done >= l->wanted[i])
        i++;
    return i == count;
}

/* Wait for what is published by now. False: all of it is done. */
static bool begin(lateness_t *l, const lateness_counts_t *counts, uint32_t count)
{
    bool waits = false;
    for (uint32_t i = 0; i < count; i++) {
        l->wanted[i] = counts[i].published;
        waits |= counts[i].done < counts[i].published;
    }
    return waits;
}

void lateness_see(lateness_t *l, uint64_t now_ns, const lateness_counts_t *counts, uint32_t count,
                  uint64_t limit_ns)
{
    uint64_t passed_ns = now_ns - l->looked_ns;
    l->looked_ns = now_ns;
    if (l->waits)
        l->behind_ns += passed_ns < LATENESS_LOOK_NS_MAX ? passed_ns : LATENESS_LOOK_NS_MAX;
    if (!l->waits || is_done(l, counts, count)) {
        bool in_time = l->behind_ns <= limit_ns;
        l->waits = begin(l, counts, count);
        l->behind_ns = 0;
        l->late = l->late && l->waits && !in_time;
    }
    l->late = l->late || l->behind_ns > limit_ns;
}
