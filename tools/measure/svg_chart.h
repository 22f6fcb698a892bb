/* SPDX-License-Identifier: Apache-2.0 */
/* svg_chart.h - a bar chart with a logarithmic axis, as SVG. Colours come from the classes of
 * svg_style; nothing is fetched. */
#ifndef TICKBUS_TOOLS_MEASURE_SVG_CHART_H
#define TICKBUS_TOOLS_MEASURE_SVG_CHART_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/measure/format.h"

#define SVG_BARS_MAX 2

typedef struct svg_bar {
    double value; /* NaN: no bar */
    double reach; /* the 99th percentile: a thin line goes on to here; NaN: none */
} svg_bar_t;

typedef struct svg_row {
    const char *label;
    bool emphasised;
    svg_bar_t bars[SVG_BARS_MAX];
    const char *missing; /* why there is no bar at all, shown in its place; NULL: nothing */
} svg_row_t;

typedef struct svg_chart {
    const char *title;
    const char *subtitle;
    const char *legend[SVG_BARS_MAX]; /* of the bars; NULL: that bar is not used */
    figure_t (*figure)(double value);
    const svg_row_t *rows;
    uint32_t rows_count;
} svg_chart_t;

#define SVG_WIDTH 960

/* Height in pixels of the chart that svg_chart_draw will draw. */
int svg_chart_height(const svg_chart_t *chart);

/* Draw a <g> whose upper edge is at `top`. */
void svg_chart_draw(FILE *out, const svg_chart_t *chart, int top);

/* The style that the charts need, light and dark: the content of a <style> element. */
extern const char svg_style[];

/* Text, with what means something to XML and HTML escaped. */
void svg_text(FILE *out, const char *text);

#endif
