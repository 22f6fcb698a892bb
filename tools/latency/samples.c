/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/samples.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[HOP_COUNT] = {
    [HOP_PUBLISH] = "publish",
    [HOP_SEEN] = "seen",
    [HOP_DECIDE] = "decide",
    [HOP_RISK] = "risk",
    [HOP_EXECUTE] = "execute",
    [HOP_REPORT] = "report",
    [HOP_TICK_TO_SEEN] = "tick_to_seen",
    [HOP_TICK_TO_REPORT] = "tick_to_report",
    [HOP_WAIT_HORIZON] = "wait_horizon",
    [HOP_RECORD] = "record",
    [HOP_GATEWAY] = "gateway",
};

const char *samples_hop_name(enum sample_hop hop)
{
    return names[hop];
}

bool samples_create(uint64_t rows, samples_t *out_samples)
{
    *out_samples = (samples_t){0};
    out_samples->intended_ns = calloc(rows ? rows : 1, sizeof *out_samples->intended_ns);
    return out_samples->intended_ns != NULL;
}

void samples_clear(samples_t *s)
{
    for (int i = 0; i < HOP_COUNT; i++) {
        free(s->hops[i].row);
        free(s->hops[i].ns);
    }
    free(s->intended_ns);
    free(s->touched);
    *s = (samples_t){0};
}

bool samples_reserve(samples_t *s, enum sample_hop hop, uint64_t count, bool sparse)
{
    sample_column_t *column = &s->hops[hop];
    size_t places = count ? count : 1;
    column->ns = calloc(places, sizeof *column->ns);
    column->row = sparse ? calloc(places, sizeof *column->row) : NULL;
    return column->ns && (column->row || !sparse);
}

uint64_t samples_index(const samples_t *s, enum sample_hop hop, uint64_t row)
{
    uint64_t low = 0, high = s->hops[hop].count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (samples_row(s, hop, middle) < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t samples_longest(const sample_column_t *column, uint32_t max, uint64_t *out_longest)
{
    uint32_t count = 0;
    for (uint64_t i = 0; i < column->count; i++) {
        if (count == max && column->ns[i] <= column->ns[out_longest[count - 1]])
            continue;
        uint32_t at = count < max ? count++ : count - 1;
        for (; at > 0 && column->ns[out_longest[at - 1]] < column->ns[i]; at--)
            out_longest[at] = out_longest[at - 1];
        out_longest[at] = i;
    }
    return count;
}

uint64_t *samples_untouched(const samples_t *s, enum sample_hop hop, uint64_t *out_count)
{
    const sample_column_t *column = &s->hops[hop];
    if (!s->touched || !samples_is_on_way(hop))
        return NULL;
    uint64_t *ns = calloc(column->count ? column->count : 1, sizeof *ns), count = 0;
    for (uint64_t i = 0; ns && i < column->count; i++)
        if (!s->touched[samples_row(s, hop, i)])
            ns[count++] = column->ns[i];
    *out_count = count;
    return ns;
}

double samples_mean_ns(const samples_t *s, enum sample_hop hop)
{
    const sample_column_t *column = &s->hops[hop];
    double sum = 0;
    for (uint64_t i = 0; i < column->count; i++)
        sum += (double)column->ns[i];
    return column->count ? sum / (double)column->count : 0;
}
