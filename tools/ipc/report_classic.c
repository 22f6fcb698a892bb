/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the articles (mechanism, data transfer, synchronisation, speed, scope, typical use),
 * with figures in place of "fast". */
#include "tools/ipc/columns.h"
#include "tools/ipc/report.h"
#include "tools/measure/format.h"
#include "tools/show/fold.h"

static const ipc_row_t *first_measured(const ipc_row_t *pair)
{
    return pair[IPC_TWO_CPUS].available ? &pair[IPC_TWO_CPUS] : &pair[IPC_ONE_CPU];
}

static const char *synchronisation(const ipc_mechanism_t *m)
{
    return !m->synchronises ? "no: poll" : m->sleeps ? "yes" : "yes, spins";
}

void ipc_report_classic(FILE *out, const ipc_measurement_t *m)
{
    fprintf(out,
            "\nTHE CLASSIC COMPARISON, MEASURED HERE\n"
            "(round trip two CPUs / one CPU; one way at 64 B and %s)\n"
            "%-*s %-4s %-10s %-21s %-9s %s\n%*s scope; typical use\n",
            figure_bytes(m->raw[0].stream_bytes[IPC_SIZE_LARGE]).text, IPC_NAME_COLUMNS,
            "mechanism", "data", "synchron.", "round trip", "messages", "bytes", IPC_NAME_COLUMNS,
            "");
    for (uint32_t i = 0; i < m->rows_count; i += IPC_PLACEMENTS) {
        const ipc_row_t *pair = &m->rows[i];
        const ipc_row_t *row = first_measured(pair);
        const ipc_mechanism_t *mechanism = row->mechanism;
        if (!row->available) {
            fold(out, mechanism->name, IPC_NAME_COLUMNS + 1, row->why_not);
            continue;
        }
        char roundtrip[64], use[160];
        snprintf(roundtrip, sizeof roundtrip, "%s / %s",
                 figure_ns(series_median(&pair[0].p50_ns)).text,
                 figure_ns(series_median(&pair[1].p50_ns)).text);
        fprintf(out, "%-*s %-4s %-10s %-21s %-9s %s\n", IPC_NAME_COLUMNS, mechanism->name,
                mechanism->transfers_data ? "yes" : "no", synchronisation(mechanism), roundtrip,
                figure_rate(ipc_sort_value(row, IPC_SORT_THROUGHPUT)).text,
                figure_byte_rate(ipc_bytes_per_s(row)).text);
        snprintf(use, sizeof use, "%s; %s", mechanism->scope, mechanism->typical_use);
        fold(out, "", IPC_NAME_COLUMNS + 1, use);
    }
}
