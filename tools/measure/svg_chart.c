/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/measure/svg_chart.h"

#include <math.h>

const char svg_style[] =
    ":root{--ink:#1c2430;--soft:#5d6878;--line:#dde2ea;--paper:#ffffff;--two:#2f6fde;--"
    "one:#e08a1e;--strong:#0b4fc4}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#98a3b3;--line:#"
    "313946;--paper:#12161d;--two:#6ea4ff;"
    "--one:#f0a848;--strong:#9cc2ff}}\n"
    ".chart text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu "
    "Sans',sans-serif;fill:var(--ink)}\n"
    ".chart .title{font-size:17px;font-weight:650}\n"
    ".chart .soft{fill:var(--soft);font-size:11px}\n"
    ".chart .figure{paint-order:stroke;stroke:var(--paper);stroke-width:3px}\n"
    ".chart .strong{font-weight:700;fill:var(--strong)}\n"
    ".chart .grid{stroke:var(--line);stroke-width:1}\n"
    ".chart .bar0{fill:var(--two)} .chart .bar1{fill:var(--one)}\n"
    ".chart .reach0{stroke:var(--two);stroke-width:1.5;opacity:.75} .chart "
    ".reach1{stroke:var(--one);stroke-width:1.5;opacity:.75}\n";

#define LEFT        150 /* of the plot */
#define RIGHT       800
#define HEAD_HEIGHT 66
#define FOOT_HEIGHT 28
#define BAR_HEIGHT  11
#define ROW_GAP     10

typedef struct axis {
    double least; /* powers of ten */
    double most;
} axis_t;

void svg_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        const char *instead = *text == '&'   ? "&amp;"
                              : *text == '<' ? "&lt;"
                              : *text == '>' ? "&gt;"
                              : *text == '"' ? "&quot;"
                                             : NULL;
        if (instead)
            fputs(instead, out);
        else
            fputc(*text, out);
    }
}

static int bars_of(const svg_chart_t *chart)
{
    return chart->legend[1] ? 2 : 1;
}

static int row_height(const svg_chart_t *chart)
{
    return bars_of(chart) * (BAR_HEIGHT + 1) + ROW_GAP;
}

int svg_chart_height(const svg_chart_t *chart)
{
    return HEAD_HEIGHT + (int)chart->rows_count * row_height(chart) + FOOT_HEIGHT;
}

static void widen(axis_t *axis, double value)
{
    if (!isfinite(value) || value <= 0)
        return;
    axis->least = fmin(axis->least, value);
    axis->most = fmax(axis->most, value);
}

static axis_t axis_of(const svg_chart_t *chart)
{
    axis_t axis = {INFINITY, 0};
    for (uint32_t i = 0; i < chart->rows_count; i++)
        for (int bar = 0; bar < SVG_BARS_MAX; bar++) {
            widen(&axis, chart->rows[i].bars[bar].value);
            widen(&axis, chart->rows[i].bars[bar].reach);
        }
    if (axis.most == 0)
        axis = (axis_t){1, 10};
    axis.least = pow(10, floor(log10(axis.least * 0.8))); /* the shortest bar still shows */
    axis.most = fmax(pow(10, ceil(log10(axis.most))), axis.least * 10);
    return axis;
}

static double x_of(const axis_t *axis, double value)
{
    return LEFT + (RIGHT - LEFT) * log10(value / axis->least) / log10(axis->most / axis->least);
}

static void draw_grid(FILE *out, const svg_chart_t *chart, const axis_t *axis, int top)
{
    int bottom = top + svg_chart_height(chart) - FOOT_HEIGHT;
    for (double value = axis->least; value <= axis->most * 1.001; value *= 10) {
        double x = x_of(axis, value);
        fprintf(out, "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>", x,
                top + HEAD_HEIGHT - 6, x, bottom);
        fprintf(out, "<text class=\"soft\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
                x, bottom + 14, chart->figure(value).text);
    }
}

static void draw_legend(FILE *out, const svg_chart_t *chart, int top)
{
    int x = LEFT;
    for (int bar = 0; bar < bars_of(chart); bar++) {
        fprintf(out,
                "<rect class=\"bar%d\" x=\"%d\" y=\"%d\" width=\"14\" height=\"%d\" rx=\"2\"/>",
                bar, x, top + 45, BAR_HEIGHT);
        fprintf(out, "<text class=\"soft\" x=\"%d\" y=\"%d\">", x + 20, top + 53);
        svg_text(out, chart->legend[bar]);
        fputs("</text>\n", out);
        x += 150;
    }
}

static void draw_bar(FILE *out, const svg_chart_t *chart, const axis_t *axis, const svg_bar_t *b,
                     int bar, int y)
{
    if (!isfinite(b->value))
        return;
    char text[2 * FIGURE_MAX + 8];
    double end = x_of(axis, b->value);
    snprintf(text, sizeof text, "%s", chart->figure(b->value).text);
    fprintf(out, "<rect class=\"bar%d\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>",
            bar, LEFT, y, fmax(end - LEFT, 1), BAR_HEIGHT);
    if (isfinite(b->reach) && b->reach > b->value) {
        double reach = x_of(axis, b->reach);
        double middle = y + BAR_HEIGHT / 2.0;
        fprintf(out, "<line class=\"reach%d\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>",
                bar, end, middle, reach, middle);
        fprintf(out, "<line class=\"reach%d\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>", bar,
                reach, y + 1, reach, y + BAR_HEIGHT - 1);
        end = reach;
        snprintf(text, sizeof text, "%s (p99 %s)", chart->figure(b->value).text,
                 chart->figure(b->reach).text);
    }
    fprintf(out, "<text class=\"soft figure\" x=\"%.1f\" y=\"%d\">%s</text>\n", end + 6,
            y + BAR_HEIGHT - 1, text);
}

static void draw_row(FILE *out, const svg_chart_t *chart, const axis_t *axis, const svg_row_t *row,
                     int y)
{
    int bars = bars_of(chart);
    fprintf(out, "<text%s x=\"%d\" y=\"%d\" text-anchor=\"end\">",
            row->emphasised ? " class=\"strong\"" : "", LEFT - 10,
            y + bars * (BAR_HEIGHT + 1) / 2 + 4);
    svg_text(out, row->label);
    fputs("</text>\n", out);
    bool any = false;
    for (int bar = 0; bar < bars; bar++) {
        draw_bar(out, chart, axis, &row->bars[bar], bar, y + bar * (BAR_HEIGHT + 1));
        any = any || isfinite(row->bars[bar].value);
    }
    if (!any && row->missing) {
        fprintf(out, "<text class=\"soft\" x=\"%d\" y=\"%d\">", LEFT + 6,
                y + bars * (BAR_HEIGHT + 1) / 2 + 4);
        svg_text(out, row->missing);
        fputs("</text>\n", out);
    }
}

void svg_chart_draw(FILE *out, const svg_chart_t *chart, int top)
{
    axis_t axis = axis_of(chart);
    fputs("<g class=\"chart\">\n", out);
    fprintf(out, "<text class=\"title\" x=\"10\" y=\"%d\">", top + 20);
    svg_text(out, chart->title);
    fprintf(out, "</text><text class=\"soft\" x=\"10\" y=\"%d\">", top + 37);
    svg_text(out, chart->subtitle);
    fputs("</text>\n", out);
    draw_legend(out, chart, top);
    draw_grid(out, chart, &axis, top);
    for (uint32_t i = 0; i < chart->rows_count; i++)
        draw_row(out, chart, &axis, &chart->rows[i],
                 top + HEAD_HEIGHT + (int)i * row_height(chart));
    fputs("</g>\n", out);
}
