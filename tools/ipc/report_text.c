/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ipc/columns.h"
#include "tools/ipc/report.h"
#include "tools/show/fold.h"

/* Columns of the groups from..to, which fit a line together. */
typedef struct part {
    uint32_t group_first, group_end;
    uint32_t column_first, column_end;
} part_t;

static int group_width(uint32_t group, uint32_t column)
{
    int width = 0;
    for (uint32_t i = 0; i < ipc_column_groups[group].columns_count; i++)
        width += ipc_columns[column + i].width + 1;
    return width;
}

/* The next groups behind `part` that fit a line; false: there are none. */
static bool next_part(part_t *part)
{
    int width = IPC_NAME_COLUMNS;
    part->group_first = part->group_end;
    part->column_first = part->column_end;
    while (part->group_end < IPC_COLUMN_GROUPS_COUNT) {
        width += group_width(part->group_end, part->column_end);
        if (part->group_end > part->group_first && width > FOLD_COLUMNS)
            break;
        part->column_end += ipc_column_groups[part->group_end++].columns_count;
    }
    return part->group_end > part->group_first;
}

static void print_row(FILE *out, const ipc_row_t *row, const part_t *part)
{
    if (!row->available) {
        if (part->group_first == 0)
            fold(out, row->mechanism->name, IPC_NAME_COLUMNS + 1, row->why_not);
        return;
    }
    fprintf(out, "%-*s", IPC_NAME_COLUMNS, row->mechanism->name);
    for (uint32_t i = part->column_first; i < part->column_end; i++)
        fprintf(out, " %*s", ipc_columns[i].width, ipc_columns[i].cell(row).text);
    fputc('\n', out);
}

/* A ruler over the columns of each group, with its heading in it. */
static void print_groups(FILE *out, const part_t *part)
{
    uint32_t column = part->column_first;
    for (uint32_t i = part->group_first; i < part->group_end; i++) {
        int dashes = group_width(i, column) - (int)strlen(ipc_column_groups[i].heading) - 6;
        column += ipc_column_groups[i].columns_count;
        fprintf(out, "  -- %s %.*s", ipc_column_groups[i].heading, dashes > 0 ? dashes : 0,
                "------------------------------------------------------------------------");
    }
    fputc('\n', out);
}

static void print_table(FILE *out, const ipc_measurement_t *m, enum ipc_placement placement,
                        const ipc_row_t **rows, uint32_t count)
{
    const ipc_row_t *raw = &m->raw[placement];
    char where[48];
    if (placement == IPC_ONE_CPU)
        snprintf(where, sizeof where, "ONE CPU (%d)", raw->cpus[0]);
    else
        snprintf(where, sizeof where, "TWO CPUs (%d, %d)", raw->cpus[0], raw->cpus[1]);
    for (part_t part = {0}; next_part(&part);) {
        fprintf(out, "\n%-*s", IPC_NAME_COLUMNS, where);
        print_groups(out, &part);
        fprintf(out, "%-*s", IPC_NAME_COLUMNS, "mechanism");
        for (uint32_t i = part.column_first; i < part.column_end; i++)
            fprintf(out, " %*s", ipc_columns[i].width, ipc_column_heading(i, raw).text);
        fputc('\n', out);
        print_row(out, raw, &part);
        for (uint32_t i = 0; i < count; i++)
            print_row(out, rows[i], &part);
    }
}

static void print_why(FILE *out, const ipc_measurement_t *m)
{
    for (uint32_t i = 0; i < m->rows_count; i += IPC_PLACEMENTS) {
        const ipc_row_t *row = &m->rows[i];
        if (row->mechanism->transfers_data && row->mechanism->message_bytes_max)
            fold(out, row->mechanism->name, IPC_NAME_COLUMNS + 1,
                 row->mechanism->message_bytes_why);
    }
}

#define BAR_COLUMNS 48

/* On a logarithmic scale, from the least to the most of all rows. */
static int bar_length(double value, double least, double most)
{
    if (isnan(value))
        return 0;
    if (most <= least)
        return BAR_COLUMNS;
    return 1 + (int)lround((BAR_COLUMNS - 1) * log(value / least) / log(most / least));
}

static figure_t sort_figure(const ipc_row_t *row, enum ipc_sort sort)
{
    double value = ipc_sort_value(row, sort);
    return sort == IPC_SORT_THROUGHPUT ? figure_rate(value) : figure_ns(value);
}

static void print_bar(FILE *out, const char *name, const ipc_row_t *row, enum ipc_sort sort,
                      double least, double most)
{
    char bar[BAR_COLUMNS + 1];
    int length = bar_length(ipc_sort_value(row, sort), least, most);
    memset(bar, row->placement == IPC_TWO_CPUS ? '#' : '=', (size_t)length);
    bar[length] = '\0';
    fprintf(out, "%-*s %s %s\n", IPC_NAME_COLUMNS, name, bar,
            row->available ? sort_figure(row, sort).text : "not measured");
}

static void print_chart(FILE *out, const ipc_measurement_t *m, enum ipc_sort sort,
                        const ipc_row_t **rows, uint32_t count)
{
    static const char *const titles[IPC_SORTS] = {"round trip, p50",
                                                  "one way, 64-byte messages a second",
                                                  "CPU time a message, in a round trip"};
    double least = INFINITY;
    double most = 0;
    for (uint32_t i = 0; i < m->rows_count; i++) {
        double value = ipc_sort_value(&m->rows[i], sort);
        least = value < least ? value : least;
        most = value > most ? value : most;
    }
    if (most == 0)
        return;
    fprintf(out, "\n%s, on a logarithmic scale (# two CPUs, = one CPU)\n", titles[sort]);
    for (uint32_t i = 0; i < count; i++) {
        const ipc_row_t *pair = &m->rows[(rows[i] - m->rows) / IPC_PLACEMENTS * IPC_PLACEMENTS];
        bool two = pair[IPC_TWO_CPUS].available;
        if (two)
            print_bar(out, rows[i]->mechanism->name, &pair[IPC_TWO_CPUS], sort, least, most);
        print_bar(out, two ? "" : rows[i]->mechanism->name, &pair[IPC_ONE_CPU], sort, least, most);
    }
}

static void print_deaths(FILE *out, const ipc_measurement_t *m)
{
    fprintf(out, "\nWHEN THE PEER IS KILLED (SIGKILL; measured)\n");
    fold(out, "mechanism", IPC_NAME_COLUMNS + 1, "whoever waits for a message sees");
    fold(out, "", IPC_NAME_COLUMNS + 1, "whoever sends sees");
    for (uint32_t i = 0; i < m->rows_count; i += IPC_PLACEMENTS) {
        if (!m->rows[i].death_known)
            continue;
        fold(out, m->rows[i].mechanism->name, IPC_NAME_COLUMNS + 1, m->rows[i].death_receive);
        fold(out, "", IPC_NAME_COLUMNS + 1, m->rows[i].death_send);
    }
}

static void print_limits(FILE *out, const ipc_measurement_t *m)
{
    fprintf(out, "\nLIMITS OF THIS HOST\n");
    for (uint32_t i = 0; i < m->rows_count; i += IPC_PLACEMENTS)
        if (m->rows[i].limits[0])
            fold(out, m->rows[i].mechanism->name, IPC_NAME_COLUMNS + 1, m->rows[i].limits);
}

static void print_advice(FILE *out, const ipc_measurement_t *m, enum ipc_sort sort)
{
    ipc_advice_t advice[IPC_ADVICE_MAX];
    ipc_note_t notes[IPC_NOTES_MAX];
    uint32_t count = ipc_advise(m, sort, advice);
    fprintf(out, "\nWHAT TO TAKE (your case: %s messages, %s, by %s)\n",
            figure_bytes(m->plan.message_bytes).text,
            m->plan.cpus_count > 1 ? "a CPU for each side" : "one CPU for both sides",
            ipc_sort_name(sort));
    for (uint32_t i = 0; i < count; i++) {
        char label[128];
        snprintf(label, sizeof label, "%s: %s", advice[i].when, advice[i].row->mechanism->name);
        fold(out, label, 4, advice[i].text);
    }
    count = ipc_beaten(m, notes);
    if (count)
        fprintf(out, "\nWHERE TICKBUS IS NOT FIRST\n");
    for (uint32_t i = 0; i < count; i++)
        fold(out, "-", 2, notes[i].text);
}

static void print_head(FILE *out, const ipc_measurement_t *m, const host_t *host)
{
    char text[300];
    snprintf(text, sizeof text, "%s, %u CPU%s, %s", host->cpu, host->cpus,
             host->cpus == 1 ? "" : "s", host->kernel);
    fold(out, "", 0, text);
    snprintf(text, sizeof text,
             "round trips of %s between two processes; %u rounds in %.1f s, every byte compared",
             figure_bytes(m->plan.message_bytes).text, m->rounds, (double)m->elapsed_ns / 1e9);
    fold(out, "", 0, text);
    snprintf(text, sizeof text,
             "THE MACHINE WAS BUSY (load %.1f): figures are slower than they could be, and noisy",
             host->load);
    if (host_is_busy(host))
        fold(out, "", 0, text);
}

void ipc_report_text(FILE *out, const ipc_measurement_t *m, const host_t *host, enum ipc_sort sort)
{
    const ipc_row_t **rows = (const ipc_row_t **)calloc(m->rows_count + 1, sizeof *rows);
    if (!rows)
        return;
    print_head(out, m, host);
    for (int placement = 0; placement < IPC_PLACEMENTS; placement++) {
        uint32_t count = ipc_ranked(m, (enum ipc_placement)placement, sort, rows);
        if (placement == IPC_TWO_CPUS && m->plan.cpus_count < 2)
            fprintf(out, "\nTWO CPUs: %s\n", m->plan.one_cpu_why);
        else
            print_table(out, m, (enum ipc_placement)placement, rows, count);
    }
    fputc('\n', out);
    fold(out, "", 0,
         "Figures are medians of the rounds (max: of all); noise: half of the rounds lie closer to "
         "p50 than this; x raw: against the raw ping-pong of a cache line between two CPUs in the "
         "same round; *: signals, no data. What a message costs is that of both processes "
         "together, in round trips.");
    print_why(out, m);
    uint32_t count = ipc_ranked(m, m->plan.cpus_count > 1 ? IPC_TWO_CPUS : IPC_ONE_CPU, sort, rows);
    print_chart(out, m, sort, rows, count);
    print_deaths(out, m);
    print_limits(out, m);
    ipc_report_classic(out, m);
    print_advice(out, m, sort);
    free(rows);
}
