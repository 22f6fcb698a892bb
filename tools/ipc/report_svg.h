/* SPDX-License-Identifier: Apache-2.0 */
/* report_svg.h - the charts of a measurement, one by one: for the SVG document, and for the page.
 */
#ifndef TICKBUS_TOOLS_IPC_REPORT_SVG_H
#define TICKBUS_TOOLS_IPC_REPORT_SVG_H

#include "tools/ipc/ranking.h"
#include "tools/measure/svg_chart.h"

enum ipc_chart {
    IPC_CHART_LATENCY = 0,
    IPC_CHART_MESSAGES,
    IPC_CHART_BYTES,
    IPC_CHART_CPU,
    IPC_CHARTS
};

#define IPC_CHART_ROWS_MAX 65u

typedef struct ipc_chart_data {
    svg_row_t rows[IPC_CHART_ROWS_MAX];
    svg_chart_t chart;
} ipc_chart_data_t;

/* Prepare one of the charts, its rows best first. `out_data` points into itself and into the
 * measurement: do not copy it. */
void ipc_chart_prepare(const ipc_measurement_t *m, enum ipc_chart which,
                       ipc_chart_data_t *out_data);

#endif
