/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ipc/columns.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static figure_t p50(const ipc_row_t *row)
{
    return figure_ns(series_median(&row->p50_ns));
}
static figure_t p99(const ipc_row_t *row)
{
    return figure_ns(series_median(&row->p99_ns));
}
static figure_t p99_9(const ipc_row_t *row)
{
    return figure_ns(series_median(&row->p99_9_ns));
}
static figure_t largest(const ipc_row_t *row)
{
    return figure_ns(series_max(&row->max_ns));
}
static figure_t ratio(const ipc_row_t *row)
{
    return figure_ratio(series_median(&row->ratio));
}
static figure_t noise(const ipc_row_t *row)
{
    return figure_percent(series_noise(&row->p50_ns));
}

static figure_t trips(const ipc_row_t *row)
{
    uint64_t count = row->roundtrips_count;
    figure_t f;
    if (count >= 1000)
        return figure_rate((double)count);
    snprintf(f.text, sizeof f.text, "%u", (unsigned)count);
    return f;
}

/* Mechanisms without data show their signals under the smallest size, marked. */
static figure_t rate_64(const ipc_row_t *row)
{
    if (row->mechanism->transfers_data || !row->synchronisations.count)
        return figure_rate(series_median(&row->rates[0]));
    figure_t f = figure_rate(series_median(&row->synchronisations));
    strncat(f.text, " *", sizeof f.text - strlen(f.text) - 1);
    return f;
}
static figure_t rate_1k(const ipc_row_t *row)
{
    return figure_rate(series_median(&row->rates[1]));
}
static figure_t rate_large(const ipc_row_t *row)
{
    return figure_rate(series_median(&row->rates[IPC_SIZE_LARGE]));
}

static figure_t two_decimals(double value)
{
    figure_t f = {"-"};
    if (!isnan(value))
        snprintf(f.text, sizeof f.text, "%.2f", value);
    return f;
}
static figure_t cpu(const ipc_row_t *row)
{
    return figure_ns(ipc_per_message(&row->roundtrip_usage, row->roundtrip_usage.cpu_ns));
}
static figure_t switches(const ipc_row_t *row)
{
    return two_decimals(
        ipc_per_message(&row->roundtrip_usage, row->roundtrip_usage.context_switches));
}
static figure_t syscalls(const ipc_row_t *row)
{
    return two_decimals(ipc_per_message(&row->roundtrip_usage, row->roundtrip_usage.syscalls));
}

const ipc_column_t ipc_columns[IPC_COLUMNS_COUNT] = {
    {"p50", "the median; as all figures, the median of the rounds", 8, p50},
    {"p99", "99 of 100 round trips are faster", 8, p99},
    {"p99.9", "999 of 1000 are faster", 8, p99_9},
    {"max", "the slowest of all rounds", 8, largest},
    {"x raw",
     "p50 as a multiple of the raw cache-line ping-pong between two CPUs, in the same round", 8,
     ratio},
    {"noise", "half of the rounds lie closer to p50 than this", 6, noise},
    {"trips", "round trips that were timed", 7, trips},
    {"64 B", "messages a second; *: signals, no data", 9, rate_64},
    {"1 KiB", "messages a second", 8, rate_1k},
    {NULL, "messages a second", 8, rate_large},
    {"CPU", "time of both processes", 9, cpu},
    {"switches", "context switches of both processes", 9, switches},
    {"syscalls", "system calls of both processes", 9, syscalls},
};

const ipc_column_group_t ipc_column_groups[IPC_COLUMN_GROUPS_COUNT] = {
    {"round trip", 7}, {"one way, messages/s", 3}, {"a message costs", 3}};

figure_t ipc_column_heading(uint32_t column, const ipc_row_t *row)
{
    figure_t f = {""};
    if (!ipc_columns[column].heading)
        return figure_bytes(row->stream_bytes[IPC_SIZE_LARGE]);
    snprintf(f.text, sizeof f.text, "%s", ipc_columns[column].heading);
    return f;
}
