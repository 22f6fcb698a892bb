/* SPDX-License-Identifier: Apache-2.0 */
/* svg_plot.h - lines over a logarithmic axis of values, as SVG. Beside svg_chart.h, whose style and
 * width it shares; needs svg_plot_style too. Nothing is fetched, no script is run.
 *
 *    SVG_X_LINEAR       time
 *    SVG_X_LOG          rates
 *    SVG_X_PERCENTILE   x is the share of values that are no greater, 0 <= x < 1; as far apart as
 *                       nines are: 0, 90, 99, 99.9 ... %
 *
 * Each line has its label at its right end, in its colour; points tell their values when pointed
 * at. A line with a band has the band drawn behind it.
 */
#ifndef TICKBUS_TOOLS_MEASURE_SVG_PLOT_H
#define TICKBUS_TOOLS_MEASURE_SVG_PLOT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/measure/format.h"

#define SVG_LINES_MAX 12u

enum svg_x { SVG_X_LINEAR, SVG_X_LOG, SVG_X_PERCENTILE };

typedef struct svg_point {
    double x;
    double y; /* NaN, or not above 0: the line is broken here */
    /* of the band; NaN: none here */
    double low;
    double high;
} svg_point_t;

typedef struct svg_line {
    const char *label;
    uint32_t color; /* 0.. SVG_LINES_MAX - 1; 0 is drawn thicker */
    bool dots;      /* at each point */
    bool dashed;
    const svg_point_t *points; /* x never falls */
    uint32_t points_count;
} svg_line_t;

typedef struct svg_plot {
    const char *title;
    const char *subtitle;
    enum svg_x x;
    const char *x_label;
    figure_t (*x_figure)(double x); /* of SVG_X_PERCENTILE: not used */
    figure_t (*y_figure)(double y);
    const svg_line_t *lines;
    uint32_t lines_count;
    double mark_x;          /* a vertical line here; NaN: none */
    const char *mark_label; /* beside it */
} svg_plot_t;

/* An <svg> of its own with the plot in it, for a page whose <style> has svg_style and
 * svg_plot_style. */
void svg_plot_embed(FILE *out, const svg_plot_t *plot);

/* A file of its own, light and dark as whoever looks at it has it. */
void svg_plot_file(FILE *out, const svg_plot_t *plot);

/* What the plot needs beside svg_style: the content of a <style> element. */
extern const char svg_plot_style[];

#endif
