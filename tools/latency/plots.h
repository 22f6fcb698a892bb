/* SPDX-License-Identifier: Apache-2.0 */
/* plots.h - drawings of samples, as elements of a page (tools/measure/svg_plot.h). */
#ifndef TICKBUS_TOOLS_LATENCY_PLOTS_H
#define TICKBUS_TOOLS_LATENCY_PLOTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "tools/latency/samples.h"
#include "tools/measure/svg_plot.h"

#define PLOT_CURVES_MAX 12u

typedef struct plot_curve {
    const char *label;
    const sample_column_t *column; /* one with no value is left out */
    bool band;                     /* with its 95 % interval, as far as that can be told */
} plot_curve_t;

/* How it is drawn: svg_plot_embed, svg_plot_file. */
typedef void (*plot_sink_t)(FILE *out, const svg_plot_t *plot);

/* Value against percentile. 0, or -ENOMEM. */
int plot_percentiles(FILE *out, const char *title, const char *subtitle, const plot_curve_t *curves,
                     uint32_t count, plot_sink_t sink);

/* Of every hop of a run, the whole way first. 0, or -ENOMEM. */
int plot_hops(FILE *out, const samples_t *s, plot_sink_t sink);

/* p50, p99 and maximum of a hop against time. 0, or -ENOMEM. */
int plot_over_time(FILE *out, const samples_t *s, enum sample_hop hop);

/* p99 of both sides, round by round (turns.h: judged_rounds). */
void plot_rounds(FILE *out, const json_t *verdict);

/* Percentiles against rate (ladder.h: its rungs and knee). */
void plot_ladder(FILE *out, const json_t *ladder);

#endif
