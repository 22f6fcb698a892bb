/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the articles (mechanism, data transfer, synchronisation, speed, scope, typical use),
 * with figures in place of "fast". */
#include "tools/measure/format.h"
#include "tools/ipc/report.h"

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
            "\nTHE CLASSIC COMPARISON, MEASURED HERE (round trip two CPUs / one CPU; one way at 64 "
            "B and 64 "
            "KiB)\n"
            "%-18s %-5s %-10s %-21s %-9s %-10s %-17s %s\n",
            "mechanism", "data", "synchron.", "round trip", "messages", "bytes", "scope",
            "typical use");
    for (uint32_t i = 0; i < m->rows_count; i += IPC_PLACEMENTS) {
        const ipc_row_t *pair = &m->rows[i];
        const ipc_row_t *row = first_measured(pair);
        const ipc_mechanism_t *mechanism = row->mechanism;
        if (!row->available) {
            fprintf(out, "%-18s %s\n", mechanism->name, row->why_not);
            continue;
        }
        char roundtrip[64];
        snprintf(roundtrip, sizeof roundtrip, "%s / %s",
                 figure_ns(series_median(&pair[0].p50_ns)).text,
                 figure_ns(series_median(&pair[1].p50_ns)).text);
        double large = series_median(&row->rates[IPC_SIZES_COUNT - 1]);
        double bytes_per_s = large * (double)ipc_stream_sizes[IPC_SIZES_COUNT - 1];
        fprintf(out, "%-18s %-5s %-10s %-21s %-9s %-10s %-17s %s\n", mechanism->name,
                mechanism->transfers_data ? "yes" : "no", synchronisation(mechanism), roundtrip,
                figure_rate(ipc_sort_value(row, IPC_SORT_THROUGHPUT)).text,
                figure_byte_rate(bytes_per_s).text, mechanism->scope, mechanism->typical_use);
    }
}
