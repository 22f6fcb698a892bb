/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tools/ipc/columns.h"
#include "tools/ipc/report.h"
#include "tools/ipc/report_svg.h"
#include "tools/measure/html.h"

/* Text in which `backquotes` enclose what is to be typed. */
static void prose_cell(FILE *out, const char *text)
{
    fputs("<td>", out);
    for (bool code = false; *text; code = !code) {
        char part[256];
        size_t bytes = strcspn(text, "`");
        snprintf(part, sizeof part, "%.*s", (int)bytes, text);
        svg_text(out, part);
        text += bytes;
        if (*text == '`') {
            fputs(code ? "</code>" : "<code>", out);
            text++;
        }
    }
    fputs("</td>", out);
}

static const char *row_class(const ipc_row_t *row)
{
    return row->mechanism == &ipc_raw_line                  ? "raw"
           : strcmp(row->mechanism->family, "tickbus") == 0 ? "tickbus"
                                                            : "other";
}

static void begin_row(FILE *out, const ipc_row_t *row)
{
    fprintf(out, "<tr class=\"%s\"><td class=\"name\" title=\"", row_class(row));
    svg_text(out, row->mechanism->what);
    fputs("\">", out);
    svg_text(out, row->mechanism->name);
    fputs("</td>", out);
}

static void figures_row(FILE *out, const ipc_row_t *row)
{
    begin_row(out, row);
    if (!row->available) {
        fprintf(out, "<td class=\"why\" colspan=\"%u\">", IPC_COLUMNS_COUNT);
        svg_text(out, row->why_not);
        fputs("</td></tr>\n", out);
        return;
    }
    for (uint32_t i = 0; i < IPC_COLUMNS_COUNT; i++)
        html_element(out, "td", "n", ipc_columns[i].cell(row).text);
    fputs("</tr>\n", out);
}

static void figures_table(FILE *out, const ipc_measurement_t *m, enum ipc_placement placement,
                          enum ipc_sort sort)
{
    const ipc_row_t *raw = &m->raw[placement];
    if (placement == IPC_ONE_CPU)
        fprintf(out, "<h2>On one CPU (%d)</h2>\n", raw->cpus[0]);
    else
        fprintf(out, "<h2>On two CPUs (%d and %d)</h2>\n", raw->cpus[0], raw->cpus[1]);
    fputs("<div class=\"scroll\"><table><thead><tr><th></th>", out);
    for (uint32_t i = 0; i < IPC_COLUMN_GROUPS_COUNT; i++) {
        fprintf(out, "<th class=\"g\" colspan=\"%u\">", ipc_column_groups[i].columns_count);
        svg_text(out, ipc_column_groups[i].heading);
        fputs("</th>", out);
    }
    fputs("</tr><tr><th>mechanism</th>", out);
    for (uint32_t i = 0; i < IPC_COLUMNS_COUNT; i++) {
        fputs("<th class=\"n\" title=\"", out);
        svg_text(out, ipc_columns[i].meaning);
        fputs("\">", out);
        svg_text(out, ipc_column_heading(i, raw).text);
        fputs("</th>", out);
    }
    fputs("</tr></thead><tbody>\n", out);
    figures_row(out, raw);
    const ipc_row_t **rows = (const ipc_row_t **)calloc(m->rows_count + 1, sizeof *rows);
    uint32_t count = rows ? ipc_ranked(m, placement, sort, rows) : 0;
    for (uint32_t i = 0; i < count; i++)
        figures_row(out, rows[i]);
    free(rows);
    fputs("</tbody></table></div>\n", out);
}

/* A table with one row a mechanism: headings, and a function for the cells after the name. */
static void plain_table(FILE *out, const ipc_measurement_t *m, const char *const *headings,
                        void (*cells)(FILE *, const ipc_row_t *))
{
    fputs("<div class=\"scroll\"><table><thead><tr>", out);
    for (; *headings; headings++)
        html_element(out, "th", NULL, *headings);
    fputs("</tr></thead><tbody>\n", out);
    for (uint32_t i = 0; i < m->rows_count; i += IPC_PLACEMENTS) {
        const ipc_row_t *row = m->rows[i].available ? &m->rows[i] : &m->rows[i + 1];
        begin_row(out, row);
        cells(out, row);
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
}

static void death_cells(FILE *out, const ipc_row_t *row)
{
    html_element(out, "td", NULL, row->death_known ? row->death_receive : row->why_not);
    html_element(out, "td", NULL, row->death_send);
}

static void nature_cells(FILE *out, const ipc_row_t *row)
{
    const ipc_mechanism_t *m = row->mechanism;
    html_element(out, "td", NULL, m->transfers_data ? "yes" : "no");
    html_element(out, "td", NULL, !m->synchronises ? "no: poll" : m->sleeps ? "yes" : "yes, spins");
    html_element(out, "td", "n", figure_ns(ipc_sort_value(row, IPC_SORT_LATENCY)).text);
    html_element(out, "td", "n", figure_rate(ipc_sort_value(row, IPC_SORT_THROUGHPUT)).text);
    html_element(out, "td", "n", figure_byte_rate(ipc_bytes_per_s(row)).text);
    html_element(out, "td", NULL, m->scope);
    html_element(out, "td", NULL, m->bound ? m->bound : "not bounded");
    html_element(out, "td", NULL, m->persistence);
    html_element(out, "td", NULL, m->typical_use);
    prose_cell(out, m->in_tickbus);
}

static void limits_cells(FILE *out, const ipc_row_t *row)
{
    html_element(out, "td", NULL, row->mechanism->what);
    html_element(out, "td", NULL, row->limits[0] ? row->limits : "-");
}

static void advice_cards(FILE *out, const ipc_measurement_t *m, enum ipc_sort sort)
{
    ipc_advice_t advice[IPC_ADVICE_MAX];
    uint32_t count = ipc_advise(m, sort, advice);
    fputs("<div class=\"cards\">\n", out);
    for (uint32_t i = 0; i < count; i++) {
        fprintf(out, "<div class=\"card%s\">", i == 0 ? " first" : "");
        html_element(out, "div", "when", advice[i].when);
        html_element(out, "div", "take", advice[i].row->mechanism->name);
        html_element(out, "div", "why", advice[i].text);
        fputs("</div>\n", out);
    }
    fputs("</div>\n", out);
    ipc_note_t notes[IPC_NOTES_MAX];
    count = ipc_beaten(m, notes);
    if (!count)
        return;
    fputs("<h2>Where tickbus is not first</h2><ul>\n", out);
    for (uint32_t i = 0; i < count; i++)
        html_element(out, "li", NULL, notes[i].text);
    fputs("</ul>\n", out);
}

static void charts(FILE *out, const ipc_measurement_t *m)
{
    for (int which = 0; which < IPC_CHARTS; which++) {
        ipc_chart_data_t data;
        ipc_chart_prepare(m, (enum ipc_chart)which, &data);
        int height = svg_chart_height(&data.chart);
        fprintf(out,
                "<div class=\"plot\"><svg width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
                "role=\"img\">\n",
                SVG_WIDTH, height, SVG_WIDTH, height);
        svg_chart_draw(out, &data.chart, 0);
        fputs("</svg></div>\n", out);
    }
}

static void head(FILE *out, const ipc_measurement_t *m, const host_t *host)
{
    html_begin(out, "Inter-process communication, measured", "");
    fputs("<p>", out);
    svg_text(out, host->cpu);
    fprintf(out, ", %u CPU%s, ", host->cpus, host->cpus == 1 ? "" : "s");
    svg_text(out, host->kernel);
    fprintf(out,
            ". Round trips of %s between two processes, %u rounds in %.1f s, one mechanism after "
            "the other "
            "in every round; "
            "every byte compared. By <code>busctl ipc</code>.</p>\n",
            figure_bytes(m->plan.message_bytes).text, m->rounds, (double)m->elapsed_ns / 1e9);
}

void ipc_report_html(FILE *out, const ipc_measurement_t *m, const host_t *host, enum ipc_sort sort)
{
    static const char *const deaths[] = {"mechanism", "whoever waits for a message sees",
                                         "whoever sends sees", NULL};
    static const char *const natures[] = {
        "mechanism", "data",  "synchronises", "round trip",  "messages/s", "bytes/s",
        "scope",     "bound", "persistence",  "typical use", "in tickbus", NULL};
    static const char *const limits[] = {"mechanism", "as measured here", "limits of this host",
                                         NULL};
    head(out, m, host);
    if (host_is_busy(host))
        fprintf(
            out,
            "<p><b>The machine was busy (load %.1f): figures are slower than they could be, and "
            "noisy.</b></p>\n",
            host->load);
    advice_cards(out, m, sort);
    fputs("<h2>Side by side</h2>\n", out);
    charts(out, m);
    for (int placement = 0; placement < IPC_PLACEMENTS; placement++)
        if (placement == IPC_ONE_CPU || m->plan.cpus_count > 1)
            figures_table(out, m, (enum ipc_placement)placement, sort);
        else
            html_element(out, "p", NULL, m->plan.one_cpu_why);
    fputs("<p class=\"note\">Figures are medians of the rounds (max: of all); noise: half of the "
          "rounds lie "
          "closer to p50 than this. x raw: "
          "against the raw ping-pong of a cache line between two CPUs in the same round. *: "
          "signals, no "
          "data. What a message costs is that "
          "of both processes together, in round trips.</p>\n",
          out);
    fputs("<h2>The classic comparison, with figures</h2>\n", out);
    plain_table(out, m, natures, nature_cells);
    fputs("<h2>When the peer is killed</h2>\n<p>Tried out with SIGKILL.</p>\n", out);
    plain_table(out, m, deaths, death_cells);
    fputs("<h2>How, and what limits it</h2>\n", out);
    plain_table(out, m, limits, limits_cells);
    html_end(out);
}
