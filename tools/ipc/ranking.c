/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ipc/ranking.h"

#include <math.h>
#include <string.h>

static const char *const sort_names[IPC_SORTS] = {"latency", "throughput", "cpu"};

const char *ipc_sort_name(enum ipc_sort sort)
{
    return sort_names[sort];
}

int ipc_sort_find(const char *name)
{
    for (int sort = 0; sort < IPC_SORTS; sort++)
        if (strcmp(sort_names[sort], name) == 0)
            return sort;
    return -1;
}

double ipc_sort_value(const ipc_row_t *row, enum ipc_sort sort)
{
    if (!row->available)
        return NAN;
    switch (sort) {
    case IPC_SORT_THROUGHPUT:
        return series_median(row->mechanism->transfers_data ? &row->rates[0]
                                                            : &row->synchronisations);
    case IPC_SORT_CPU:
        return ipc_per_message(&row->roundtrip_usage, row->roundtrip_usage.cpu_ns);
    case IPC_SORT_LATENCY:
    case IPC_SORTS:
        break;
    }
    return series_median(&row->p50_ns);
}

bool ipc_before(const ipc_row_t *a, const ipc_row_t *b, enum ipc_sort sort)
{
    double x = ipc_sort_value(a, sort);
    double y = ipc_sort_value(b, sort);
    if (isnan(x) || isnan(y))
        return !isnan(x);
    if (sort != IPC_SORT_THROUGHPUT)
        return x < y;
    return a->mechanism->transfers_data != b->mechanism->transfers_data
               ? a->mechanism->transfers_data
               : x > y;
}

uint32_t ipc_ranked(const ipc_measurement_t *m, enum ipc_placement placement, enum ipc_sort sort,
                    const ipc_row_t **out_rows)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->rows_count; i++) {
        const ipc_row_t *row = &m->rows[i];
        if (row->placement != placement)
            continue;
        uint32_t at = count++;
        for (; at > 0 && ipc_before(row, out_rows[at - 1], sort); at--)
            out_rows[at] = out_rows[at - 1];
        out_rows[at] = row;
    }
    return count;
}
