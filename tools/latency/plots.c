/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/plots.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "tools/latency/hops.h"
#include "tools/measure/quantile.h"
#include "tools/measure/svg_plot.h"

#define POINTS_A_NINE 8u
#define NINES_MAX     7u
#define POINTS_MAX    (POINTS_A_NINE * NINES_MAX + 2)
#define SLICES_MAX    240u
#define SLICES_FEW    40u   /* rather so many than that each carries a p99 */
#define SLICE_VALUES  1000u /* so that each does */
#define SLICE_LEAST   60u   /* so that each carries a median */
#define RUNGS_MAX     64u
#define ROUNDS_MAX    99u
#define LEVEL         0.95

/* ---- against percentile */

typedef struct curve_points {
    svg_point_t points[POINTS_MAX];
    uint32_t count;
} curve_points_t;

static int make_curve(const plot_curve_t *curve, curve_points_t *out)
{
    quantile_set_t set;
    if (quantile_set_make(curve->column->ns, curve->column->count, &set) < 0)
        return -ENOMEM;
    for (uint32_t i = 0; set.count && out->count < POINTS_MAX; i++) {
        double beyond = pow(10, -(double)i / POINTS_A_NINE);
        bool last =
            beyond * (double)set.count < 1; /* the maximum stands where 1 of n lies beyond */
        if (last)
            beyond = 1 / (double)set.count;
        uint32_t per_million = (uint32_t)(1e6 * (1 - beyond));
        svg_point_t point = {.x = 1 - beyond,
                             .y = (double)quantile_rank(&set, last ? 1000000 : per_million),
                             .low = NAN,
                             .high = NAN};
        if (curve->band && !last && per_million > 0) {
            quantile_t q = quantile_of(&set, per_million, LEVEL);
            point.low = q.low;
            point.high = q.high;
        }
        out->points[out->count++] = point;
        if (last)
            break;
    }
    quantile_set_free(&set);
    return 0;
}

static figure_t figure_seconds(double s)
{
    figure_t text;
    snprintf(text.text, sizeof text.text, "%.4g s", s);
    return text;
}

int plot_percentiles(FILE *out, const char *title, const char *subtitle, const plot_curve_t *curves,
                     uint32_t count, plot_sink_t sink)
{
    curve_points_t *points = (curve_points_t *)calloc(PLOT_CURVES_MAX, sizeof *points);
    svg_line_t lines[PLOT_CURVES_MAX];
    uint32_t drawn = 0;
    int rc = points ? 0 : -ENOMEM;
    for (uint32_t i = 0; rc == 0 && i < count && i < PLOT_CURVES_MAX; i++) {
        if (curves[i].column->count == 0)
            continue;
        rc = make_curve(&curves[i], &points[drawn]);
        lines[drawn] = (svg_line_t){.label = curves[i].label,
                                    .color = i,
                                    .points = points[drawn].points,
                                    .points_count = points[drawn].count};
        drawn++;
    }
    const svg_plot_t plot = {.title = title,
                             .subtitle = subtitle,
                             .x = SVG_X_PERCENTILE,
                             .x_label = "share of messages that took no longer",
                             .y_figure = figure_ns,
                             .lines = lines,
                             .lines_count = drawn,
                             .mark_x = NAN};
    if (rc == 0)
        sink(out, &plot);
    free(points);
    return rc;
}

int plot_hops(FILE *out, const samples_t *s, plot_sink_t sink)
{
    plot_curve_t curves[PLOT_CURVES_MAX];
    uint32_t count = 0;
    enum sample_hop whole = hops_whole(s);
    curves[count++] = (plot_curve_t){samples_hop_name(whole), &s->hops[whole], true};
    for (int hop = 0; hop < HOP_COUNT && count < PLOT_CURVES_MAX; hop++)
        if (hop != (int)whole && s->hops[hop].count)
            curves[count++] =
                (plot_curve_t){samples_hop_name((enum sample_hop)hop), &s->hops[hop], false};
    return plot_percentiles(out, "Percentiles",
                            "every hop, and the whole way with its 95 % interval", curves, count,
                            sink);
}

/* ---- against time */

enum { SLICE_P50, SLICE_P99, SLICE_MAX, SLICE_LINES };

typedef struct slices {
    svg_point_t points[SLICE_LINES][SLICES_MAX];
    uint32_t count;
} slices_t;

static int add_slice(const samples_t *s, enum sample_hop hop, uint64_t begin, uint64_t end,
                     double at_s, slices_t *out)
{
    quantile_set_t set;
    if (quantile_set_make(s->hops[hop].ns + begin, end - begin, &set) < 0)
        return -ENOMEM;
    const double y[SLICE_LINES] = {quantile_value(&set, 500000), quantile_value(&set, 990000),
                                   end > begin ? (double)quantile_rank(&set, 1000000) : NAN};
    for (int line = 0; line < SLICE_LINES; line++)
        out->points[line][out->count] = (svg_point_t){at_s, y[line], NAN, NAN};
    out->count++;
    quantile_set_free(&set);
    return 0;
}

static int make_slices(const samples_t *s, enum sample_hop hop, slices_t *out)
{
    uint64_t count = s->hops[hop].count;
    uint64_t slices = count / SLICE_VALUES < SLICES_MAX ? count / SLICE_VALUES : SLICES_MAX;
    if (slices < SLICES_FEW)
        slices = count / SLICE_LEAST < SLICES_FEW ? count / SLICE_LEAST + 1 : SLICES_FEW;
    double length_s = (double)samples_at_ns(s, hop, count - 1) / 1e9 / (double)slices;
    int rc = 0;
    uint64_t begin = 0;
    for (uint64_t slice = 0; rc == 0 && slice < slices; slice++) {
        uint64_t end = begin;
        while (end < count && (slice + 1 == slices || (double)samples_at_ns(s, hop, end) / 1e9 <
                                                          length_s * (double)(slice + 1)))
            end++;
        rc = add_slice(s, hop, begin, end, length_s * ((double)slice + 0.5), out);
        begin = end;
    }
    return rc;
}

int plot_over_time(FILE *out, const samples_t *s, enum sample_hop hop)
{
    static const char *const labels[SLICE_LINES] = {"p50", "p99", "max"};
    if (s->hops[hop].count == 0)
        return 0;
    slices_t *slices = (slices_t *)calloc(1, sizeof *slices);
    int rc = slices ? make_slices(s, hop, slices) : -ENOMEM;
    svg_line_t lines[SLICE_LINES];
    for (uint32_t i = 0; rc == 0 && i < SLICE_LINES; i++)
        lines[i] = (svg_line_t){.label = labels[i],
                                .color = i,
                                .points = slices->points[i],
                                .points_count = slices->count};
    const svg_plot_t plot = {.title = "Over time",
                             .subtitle = samples_hop_name(hop),
                             .x = SVG_X_LINEAR,
                             .x_label = "intended time since the start",
                             .x_figure = figure_seconds,
                             .y_figure = figure_ns,
                             .lines = lines,
                             .lines_count = SLICE_LINES,
                             .mark_x = NAN};
    if (rc == 0)
        svg_plot_embed(out, &plot);
    free(slices);
    return rc;
}

/* ---- against rate */

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

void plot_ladder(FILE *out, const json_t *ladder)
{
    static svg_point_t points[HOP_PERCENTILES][RUNGS_MAX];
    svg_line_t lines[HOP_PERCENTILES];
    uint32_t rungs = 0;
    size_t i;
    const json_t *rung;
    json_array_foreach(json_object_get(ladder, "rungs"), i, rung)
    {
        const json_t *ci = json_object_get(rung, "ci95");
        for (size_t p = 0; p < HOP_PERCENTILES && rungs < RUNGS_MAX; p++) {
            const json_t *interval = json_object_get(ci, hop_percentiles[p].key);
            const json_t *low = json_array_get(interval, 0), *high = json_array_get(interval, 1);
            points[p][rungs] = (svg_point_t){
                number(rung, "target"), number(rung, hop_percentiles[p].key),
                low ? json_number_value(low) : NAN, high ? json_number_value(high) : NAN};
        }
        rungs += rungs < RUNGS_MAX;
    }
    for (uint32_t p = 0; p < HOP_PERCENTILES; p++)
        lines[p] = (svg_line_t){.label = hop_percentiles[p].name,
                                .color = p,
                                .dots = true,
                                .points = points[p],
                                .points_count = rungs};
    double knee = number(ladder, "knee");
    const svg_plot_t plot = {.title = "Against rate",
                             .subtitle = "tick_to_seen; beyond the knee messages are sent "
                                         "later and later than intended",
                             .x = SVG_X_LOG,
                             .x_label = "messages a second, intended",
                             .x_figure = figure_rate,
                             .y_figure = figure_ns,
                             .lines = lines,
                             .lines_count = HOP_PERCENTILES,
                             .mark_x = knee,
                             .mark_label = "knee"};
    if (rungs)
        svg_plot_embed(out, &plot);
}

/* ---- against round */

static figure_t figure_round(double round)
{
    figure_t text;
    snprintf(text.text, sizeof text.text, "%.4g", round);
    return text;
}

void plot_rounds(FILE *out, const json_t *verdict)
{
    static const char *const sides[2] = {"a", "b"}, *const labels[2] = {"A", "B"};
    const json_t *rounds = json_object_get(verdict, "judged_rounds"), *value;
    static svg_point_t points[2][ROUNDS_MAX];
    svg_line_t lines[2];
    for (uint32_t side = 0; side < 2; side++) {
        uint32_t count = 0;
        size_t i;
        json_array_foreach(json_object_get(rounds, sides[side]), i, value)
        {
            if (count < ROUNDS_MAX)
                points[side][count++] =
                    (svg_point_t){(double)i + 1,
                                  json_is_number(value) ? json_number_value(value) : NAN, NAN, NAN};
        }
        lines[side] = (svg_line_t){.label = labels[side],
                                   .color = side,
                                   .dots = true,
                                   .points = points[side],
                                   .points_count = count};
    }
    const svg_plot_t plot = {
        .title = "p99, round by round",
        .subtitle = json_string_value(json_object_get(json_object_get(verdict, "judged"), "hop")),
        .x = SVG_X_LINEAR,
        .x_label = "round; in odd ones A ran first, in even ones B",
        .x_figure = figure_round,
        .y_figure = figure_ns,
        .lines = lines,
        .lines_count = 2,
        .mark_x = NAN};
    svg_plot_embed(out, &plot);
}
