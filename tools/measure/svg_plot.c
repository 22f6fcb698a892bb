/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/measure/svg_plot.h"

#include <math.h>
#include <stdlib.h>

#include "tools/measure/svg_chart.h"

/* Colours of lines on white and on black; neighbours differ in lightness too. */
const char svg_plot_style[] =
    ":root{--l0:#0b4fc4;--l1:#d9730d;--l2:#0f8a78;--l3:#b8327f;--l4:#6b7a10;--l5:#7a4fd0;"
    "--l6:#a3542a;--l7:#1592c4;--l8:#c22f2f;--l9:#3d7d3a;--l10:#5d6878;--l11:#8a6ab0}\n"
    "@media(prefers-color-scheme:dark){:root{--l0:#8ab6ff;--l1:#f5a04a;--l2:#45cdb7;--l3:#f07cbb;"
    "--l4:#c3d155;--l5:#b79bff;--l6:#dd9468;--l7:#6cc9f2;--l8:#ff8080;--l9:#8ccc88;--l10:#98a3b3;"
    "--l11:#c9b2e8}}\n"
    ".chart polyline{fill:none;stroke-width:1.7;stroke-linejoin:round} "
    ".chart polyline.thick{stroke-width:3}\n"
    ".chart polyline.dashed{stroke-dasharray:6 4} .chart .band{opacity:.16} "
    ".chart .leader{stroke-width:1;opacity:.5}\n"
    ".chart .name{font-size:11.5px;font-weight:600} "
    ".chart .hit{fill:transparent} .chart .hit:hover{fill:var(--ink);opacity:.5}\n"
    ".chart .mark{stroke:var(--ink);stroke-width:1.2;stroke-dasharray:3 3}\n";

#define HEIGHT     430
#define LEFT       74 /* of the plot */
#define RIGHT      800
#define HEAD       54
#define FOOT       46
#define LABEL_STEP 14 /* least distance of two labels */
#define LABEL_X    (RIGHT + 22)

typedef struct frame {
    const svg_plot_t *plot;
    double x_least, x_most; /* as placed: logarithms, where the axis is one */
    double y_least, y_most; /* logarithms to base 10 */
    int top, bottom;
} frame_t;

static bool is_drawn(const svg_point_t *point)
{
    return isfinite(point->y) && point->y > 0;
}

static double placed(const svg_plot_t *plot, double x)
{
    switch (plot->x) {
    case SVG_X_LOG:
        return log10(fmax(x, 1e-9));
    case SVG_X_PERCENTILE:
        return -log10(fmax(1 - x, 1e-9));
    case SVG_X_LINEAR:
        break;
    }
    return x;
}

static double x_of(const frame_t *f, double x)
{
    return LEFT + (RIGHT - LEFT) * (placed(f->plot, x) - f->x_least) / (f->x_most - f->x_least);
}

static double y_of(const frame_t *f, double y)
{
    double share = (log10(y) - f->y_least) / (f->y_most - f->y_least);
    return f->bottom - (f->bottom - f->top) * fmin(1, fmax(0, share));
}

static frame_t frame_of(const svg_plot_t *plot)
{
    frame_t f = {.plot = plot,
                 .x_least = INFINITY,
                 .x_most = -INFINITY,
                 .y_least = INFINITY,
                 .y_most = -INFINITY,
                 .top = HEAD,
                 .bottom = HEIGHT - FOOT};
    for (uint32_t i = 0; i < plot->lines_count; i++)
        for (uint32_t k = 0; k < plot->lines[i].points_count; k++) {
            const svg_point_t *point = &plot->lines[i].points[k];
            if (!is_drawn(point))
                continue;
            f.x_least = fmin(f.x_least, placed(plot, point->x));
            f.x_most = fmax(f.x_most, placed(plot, point->x));
            f.y_least = fmin(f.y_least, log10(point->y));
            f.y_most = fmax(f.y_most, log10(point->y));
        }
    if (!isfinite(f.x_least))
        f.x_least = f.x_most = f.y_least = f.y_most = 0;
    if (plot->x == SVG_X_LINEAR)
        f.x_least = fmin(0, f.x_least);
    if (f.x_most - f.x_least < 1e-6)
        f.x_most = f.x_least + 1;
    /* From one 1, 2 or 5 to another would move with every run; halves of a decade do not. */
    f.y_least = floor(f.y_least * 2) / 2;
    f.y_most = fmax(ceil(f.y_most * 2 + 0.02) / 2, f.y_least + 0.5);
    return f;
}

static void grid_x(FILE *out, const frame_t *f, double at, const char *text)
{
    fprintf(out, "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>", at, f->top,
            at, f->bottom);
    fprintf(out, "<text class=\"soft\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", at,
            f->bottom + 15, text);
}

/* 1, 2 or 5 times a power of ten, such that at most `most` fit. */
static double round_step(double length, int most)
{
    double step = pow(10, floor(log10(length / most)));
    while (length / step > most)
        step *= length / (step * 2) <= most ? 2 : length / (step * 5) <= most ? 5 : 10;
    return step;
}

static void draw_x_axis(FILE *out, const frame_t *f)
{
    const svg_plot_t *plot = f->plot;
    if (plot->x == SVG_X_PERCENTILE) {
        static const char *const names[] = {"0 %",     "90 %",     "99 %",      "99.9 %",
                                            "99.99 %", "99.999 %", "99.9999 %", "99.99999 %"};
        for (int nines = 0; nines < 8 && nines <= f->x_most + 1e-9; nines++)
            if (nines >= f->x_least - 1e-9)
                grid_x(out, f, x_of(f, 1 - pow(10, -nines)), names[nines]);
    } else if (plot->x == SVG_X_LOG) {
        static const double steps[] = {1, 2, 5};
        for (double power = floor(f->x_least); power <= f->x_most; power++)
            for (int i = 0; i < 3; i++) {
                double x = steps[i] * pow(10, power);
                if (log10(x) >= f->x_least - 1e-9 && log10(x) <= f->x_most + 1e-9)
                    grid_x(out, f, x_of(f, x), plot->x_figure(x).text);
            }
    } else {
        double step = round_step(f->x_most - f->x_least, 10);
        for (double x = ceil(f->x_least / step) * step; x <= f->x_most + step / 1e6; x += step)
            grid_x(out, f, x_of(f, x), plot->x_figure(x).text);
    }
    fprintf(out, "<text class=\"soft\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">",
            (LEFT + RIGHT) / 2, f->bottom + 34);
    svg_text(out, plot->x_label);
    fputs("</text>\n", out);
}

static void draw_y_axis(FILE *out, const frame_t *f)
{
    static const double steps[] = {1, 2, 5};
    bool fine = f->y_most - f->y_least < 2.1;
    for (double power = floor(f->y_least); power <= f->y_most; power++)
        for (int i = 0; i < (fine ? 3 : 1); i++) {
            double value = steps[i] * pow(10, power);
            if (log10(value) < f->y_least - 1e-9 || log10(value) > f->y_most + 1e-9)
                continue;
            double y = y_of(f, value);
            fprintf(out, "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>", LEFT,
                    y, RIGHT, y);
            fprintf(out, "<text class=\"soft\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                    LEFT - 7, y + 4, f->plot->y_figure(value).text);
        }
}

static void draw_band(FILE *out, const frame_t *f, const svg_line_t *line)
{
    uint32_t begin = 0;
    while (begin < line->points_count) {
        uint32_t end = begin;
        while (end < line->points_count && isfinite(line->points[end].low) &&
               isfinite(line->points[end].high) && line->points[end].low > 0)
            end++;
        if (end - begin > 1) {
            fprintf(out, "<polygon class=\"band\" style=\"fill:var(--l%u)\" points=\"",
                    line->color);
            for (uint32_t k = begin; k < end; k++)
                fprintf(out, "%.1f,%.1f ", x_of(f, line->points[k].x),
                        y_of(f, line->points[k].low));
            for (uint32_t k = end; k-- > begin;)
                fprintf(out, "%.1f,%.1f ", x_of(f, line->points[k].x),
                        y_of(f, line->points[k].high));
            fputs("\"/>\n", out);
        }
        begin = end + 1;
    }
}

static void draw_line(FILE *out, const frame_t *f, const svg_line_t *line)
{
    bool open = false;
    for (uint32_t k = 0; k <= line->points_count; k++) {
        bool here = k < line->points_count && is_drawn(&line->points[k]);
        if (here && !open)
            fprintf(out, "<polyline class=\"%s%s\" style=\"stroke:var(--l%u)\" points=\"",
                    line->color == 0 ? "thick" : "", line->dashed ? " dashed" : "", line->color);
        if (here)
            fprintf(out, "%.1f,%.1f ", x_of(f, line->points[k].x), y_of(f, line->points[k].y));
        if (!here && open)
            fputs("\"/>\n", out);
        open = here;
    }
}

/* "99.93 %" for a share; else as on the axis. */
static figure_t x_text(const svg_plot_t *plot, double x)
{
    figure_t text;
    if (plot->x != SVG_X_PERCENTILE)
        return plot->x_figure(x);
    snprintf(text.text, sizeof text.text, "%.7g %%", 100 * x);
    return text;
}

static void draw_points(FILE *out, const frame_t *f, const svg_line_t *line)
{
    for (uint32_t k = 0; k < line->points_count; k++) {
        const svg_point_t *point = &line->points[k];
        if (!is_drawn(point))
            continue;
        double x = x_of(f, point->x), y = y_of(f, point->y);
        if (line->dots)
            fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" style=\"fill:var(--l%u)\"/>", x,
                    y, line->color);
        fprintf(out, "<circle class=\"hit\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"><title>", x, y);
        svg_text(out, line->label);
        fprintf(out, ", %s: %s", x_text(f->plot, point->x).text, f->plot->y_figure(point->y).text);
        if (isfinite(point->low) && isfinite(point->high))
            fprintf(out, " (%s to %s)", f->plot->y_figure(point->low).text,
                    f->plot->y_figure(point->high).text);
        fputs("</title></circle>\n", out);
    }
}

typedef struct label {
    const svg_line_t *line;
    double x, y;     /* where the line ends */
    double placed_y; /* where the text stands */
} label_t;

static int by_height(const void *a, const void *b)
{
    double x = ((const label_t *)a)->y, y = ((const label_t *)b)->y;
    return (x > y) - (x < y);
}

/* Push labels apart that would cover each other: down first, and what falls below the plot up. */
static void spread(label_t *labels, uint32_t count, double bottom)
{
    for (uint32_t i = 0; i < count; i++)
        labels[i].placed_y = i && labels[i].y < labels[i - 1].placed_y + LABEL_STEP
                                 ? labels[i - 1].placed_y + LABEL_STEP
                                 : labels[i].y;
    for (uint32_t i = count; i-- > 0; bottom = labels[i].placed_y - LABEL_STEP)
        labels[i].placed_y = fmin(labels[i].placed_y, bottom);
}

static void draw_labels(FILE *out, const frame_t *f)
{
    label_t labels[SVG_LINES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->plot->lines_count && count < SVG_LINES_MAX; i++) {
        const svg_line_t *line = &f->plot->lines[i];
        uint32_t last = line->points_count;
        while (last > 0 && !is_drawn(&line->points[last - 1]))
            last--;
        if (last)
            labels[count++] = (label_t){.line = line,
                                        .x = x_of(f, line->points[last - 1].x),
                                        .y = y_of(f, line->points[last - 1].y)};
    }
    qsort(labels, count, sizeof *labels, by_height);
    spread(labels, count, f->bottom);
    for (uint32_t i = 0; i < count; i++) {
        fprintf(out,
                "<line class=\"leader\" style=\"stroke:var(--l%u)\" x1=\"%.1f\" y1=\"%.1f\" "
                "x2=\"%d\" y2=\"%.1f\"/>",
                labels[i].line->color, labels[i].x, labels[i].y, LABEL_X - 3, labels[i].placed_y);
        fprintf(out, "<text class=\"name\" style=\"fill:var(--l%u)\" x=\"%d\" y=\"%.1f\">",
                labels[i].line->color, LABEL_X, labels[i].placed_y + 4);
        svg_text(out, labels[i].line->label);
        fputs("</text>\n", out);
    }
}

static void draw_mark(FILE *out, const frame_t *f)
{
    double x = f->plot->mark_x;
    if (!isfinite(x))
        return;
    fprintf(out, "<line class=\"mark\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>", x_of(f, x),
            f->top, x_of(f, x), f->bottom);
    fprintf(out, "<text class=\"figure\" x=\"%.1f\" y=\"%d\" text-anchor=\"end\">", x_of(f, x) - 6,
            f->top + 14);
    svg_text(out, f->plot->mark_label);
    fputs("</text>\n", out);
}

static void draw(FILE *out, const svg_plot_t *plot)
{
    frame_t f = frame_of(plot);
    fputs("<g class=\"chart\">\n", out);
    fprintf(out, "<text class=\"title\" x=\"10\" y=\"%d\">", 20);
    svg_text(out, plot->title);
    fprintf(out, "</text><text class=\"soft\" x=\"10\" y=\"%d\">", 38);
    svg_text(out, plot->subtitle);
    fputs("</text>\n", out);
    draw_y_axis(out, &f);
    draw_x_axis(out, &f);
    for (uint32_t i = 0; i < plot->lines_count; i++)
        draw_band(out, &f, &plot->lines[i]);
    for (uint32_t i = plot->lines_count; i-- > 0;) /* the first lies on top */
        draw_line(out, &f, &plot->lines[i]);
    for (uint32_t i = plot->lines_count; i-- > 0;)
        draw_points(out, &f, &plot->lines[i]);
    draw_mark(out, &f);
    draw_labels(out, &f);
    fputs("</g>\n", out);
}

void svg_plot_embed(FILE *out, const svg_plot_t *plot)
{
    fprintf(out,
            "<div class=\"plot\"><svg width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
            "role=\"img\">\n",
            SVG_WIDTH, HEIGHT, SVG_WIDTH, HEIGHT);
    draw(out, plot);
    fputs("</svg></div>\n", out);
}

void svg_plot_file(FILE *out, const svg_plot_t *plot)
{
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\" role=\"img\">\n<style>\n%s%s</style>\n"
            "<rect width=\"100%%\" height=\"100%%\" style=\"fill:var(--paper)\"/>\n",
            SVG_WIDTH, HEIGHT, SVG_WIDTH, HEIGHT, svg_style, svg_plot_style);
    draw(out, plot);
    fputs("</svg>\n", out);
}
