/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ipc/report_svg.h"

#include <math.h>
#include <string.h>

#include "tools/ipc/report.h"

static double value_of(const ipc_row_t *row, enum ipc_chart which)
{
    if (!row->available)
        return NAN;
    switch (which) {
    case IPC_CHART_MESSAGES:
        return series_median(&row->rates[0]);
    case IPC_CHART_BYTES:
        return ipc_bytes_per_s(row);
    case IPC_CHART_CPU:
        return ipc_sort_value(row, IPC_SORT_CPU);
    case IPC_CHART_LATENCY:
    case IPC_CHARTS:
        break;
    }
    return ipc_sort_value(row, IPC_SORT_LATENCY);
}

static double reach_of(const ipc_row_t *row, enum ipc_chart which)
{
    return which == IPC_CHART_LATENCY && row->available ? series_median(&row->p99_ns) : NAN;
}

/* Best first, by the first bar: that of two CPUs, where there are two. */
static void sort_rows(ipc_chart_data_t *d, bool more_is_better)
{
    for (uint32_t i = 1; i < d->chart.rows_count; i++) {
        svg_row_t row = d->rows[i];
        double value = row.bars[0].value;
        uint32_t at = i;
        for (; at > 0; at--) {
            double other = d->rows[at - 1].bars[0].value;
            bool comes_first =
                !isnan(value) && (isnan(other) || (more_is_better ? value > other : value < other));
            if (!comes_first)
                break;
            d->rows[at] = d->rows[at - 1];
        }
        d->rows[at] = row;
    }
}

static void add_row(ipc_chart_data_t *d, const ipc_row_t *two, const ipc_row_t *one,
                    enum ipc_chart which, bool both)
{
    if (d->chart.rows_count == IPC_CHART_ROWS_MAX)
        return;
    svg_row_t *row = &d->rows[d->chart.rows_count++];
    *row = (svg_row_t){.label = one->mechanism->name,
                       .emphasised = strcmp(one->mechanism->family, "tickbus") == 0};
    const ipc_row_t *sides[SVG_BARS_MAX] = {both ? two : one, both ? one : NULL};
    for (int bar = 0; bar < SVG_BARS_MAX; bar++)
        row->bars[bar] = sides[bar]
                             ? (svg_bar_t){value_of(sides[bar], which), reach_of(sides[bar], which)}
                             : (svg_bar_t){NAN, NAN};
    if (!one->available)
        row->missing = one->why_not;
    else if (which == IPC_CHART_MESSAGES || which == IPC_CHART_BYTES)
        row->missing = one->rates_why_not[which == IPC_CHART_BYTES ? IPC_SIZE_LARGE : 0];
}

void ipc_chart_prepare(const ipc_measurement_t *m, enum ipc_chart which, ipc_chart_data_t *out_data)
{
    static const char *const titles[IPC_CHARTS] = {"Round trip", "Messages a second, one way",
                                                   "Bytes a second, one way", "CPU time a message"};
    static const char *const subtitles[IPC_CHARTS] = {
        "median, and on to the 99th percentile; shorter is better",
        "64-byte messages; longer is better", "the largest messages; longer is better",
        "both processes together, in round trips; shorter is better"};
    bool both = m->plan.cpus_count > 1;
    *out_data = (ipc_chart_data_t){
        .chart = {.title = titles[which],
                  .subtitle = subtitles[which],
                  .legend = {both ? "two CPUs" : "one CPU", both ? "one CPU" : NULL},
                  .figure = which == IPC_CHART_MESSAGES ? figure_rate
                            : which == IPC_CHART_BYTES  ? figure_byte_rate
                                                        : figure_ns}};
    out_data->chart.rows = out_data->rows;
    if (which == IPC_CHART_LATENCY || which == IPC_CHART_CPU)
        add_row(out_data, &m->raw[IPC_TWO_CPUS], &m->raw[IPC_ONE_CPU], which, both);
    for (uint32_t i = 0; i < m->rows_count; i += IPC_PLACEMENTS)
        add_row(out_data, &m->rows[i + IPC_TWO_CPUS], &m->rows[i + IPC_ONE_CPU], which, both);
    sort_rows(out_data, which == IPC_CHART_MESSAGES || which == IPC_CHART_BYTES);
}

void ipc_report_svg(FILE *out, const ipc_measurement_t *m)
{
    int height = 10;
    for (int which = 0; which < IPC_CHARTS; which++) {
        ipc_chart_data_t data;
        ipc_chart_prepare(m, (enum ipc_chart)which, &data);
        height += svg_chart_height(&data.chart) + 20;
    }
    fprintf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d "
        "%d\" "
        "role=\"img\">\n"
        "<title>Inter-process communication, measured by busctl ipc</title>\n<style>\n%s</style>\n"
        "<rect width=\"100%%\" height=\"100%%\" style=\"fill:var(--paper)\"/>\n",
        SVG_WIDTH, height, SVG_WIDTH, height, svg_style);
    int top = 10;
    for (int which = 0; which < IPC_CHARTS; which++) {
        ipc_chart_data_t data;
        ipc_chart_prepare(m, (enum ipc_chart)which, &data);
        svg_chart_draw(out, &data.chart, top);
        top += svg_chart_height(&data.chart) + 20;
    }
    fputs("</svg>\n", out);
}
