/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ipc/advice.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tools/measure/format.h"

typedef bool (*fits_t)(const ipc_mechanism_t *m);

static bool carries_data(const ipc_mechanism_t *m)
{
    return m->transfers_data;
}
static bool carries_data_asleep(const ipc_mechanism_t *m)
{
    return m->transfers_data && m->sleeps;
}
static bool reaches_other_hosts(const ipc_mechanism_t *m)
{
    return m->transfers_data && strcmp(m->scope, "network") == 0;
}
static bool is_durable(const ipc_mechanism_t *m)
{
    return m->transfers_data && m->durable;
}
static bool is_tickbus(const ipc_mechanism_t *m)
{
    return m->transfers_data && strcmp(m->family, "tickbus") == 0;
}
static bool only_signals(const ipc_mechanism_t *m)
{
    return !m->transfers_data && m->sleeps;
}

/* NULL: none that fits was measured. */
static const ipc_row_t *best(const ipc_measurement_t *m, enum ipc_placement placement,
                             enum ipc_sort sort, fits_t fits)
{
    const ipc_row_t *winner = NULL;
    for (uint32_t i = 0; i < m->rows_count; i++) {
        const ipc_row_t *row = &m->rows[i];
        if (row->placement != placement || !fits(row->mechanism) ||
            isnan(ipc_sort_value(row, sort)))
            continue;
        if (!winner || ipc_before(row, winner, sort))
            winner = row;
    }
    return winner;
}

/* A mechanism that can sleep and seldom did: its waits were so short that they ended while it was
 * still looking. */
static bool seldom_slept(const ipc_row_t *row)
{
    return ipc_per_message(&row->roundtrip_usage, row->roundtrip_usage.context_switches) < 0.5;
}

static void describe(const ipc_row_t *row, char *text, size_t text_bytes)
{
    double rate = ipc_sort_value(row, IPC_SORT_THROUGHPUT);
    double p50_ns = series_median(&row->p50_ns);
    snprintf(text, text_bytes, "round trip %s (p99 %s), %s %s/s one way%s", figure_ns(p50_ns).text,
             figure_ns(series_median(&row->p99_ns)).text, figure_rate(rate).text,
             row->mechanism->transfers_data ? "64-byte messages" : "signals",
             !row->mechanism->sleeps ? "; burns a CPU while it waits"
             : seldom_slept(row) ? "; sleeps when it waits for long, which it seldom had to here"
                                 : "; sleeps while it waits");
}

static uint32_t add(ipc_advice_t *advice, uint32_t count, const char *when, const ipc_row_t *row)
{
    if (!row || count == IPC_ADVICE_MAX)
        return count;
    advice[count].when = when;
    advice[count].row = row;
    describe(row, advice[count].text, sizeof advice[count].text);
    return count + 1;
}

/* Is the winner ahead because it leaves something out? Then say what, and what comes next that does
 * not. */
static void qualify(const ipc_measurement_t *m, ipc_advice_t *advice, enum ipc_sort sort)
{
    const ipc_row_t *row = advice->row;
    const ipc_row_t *whole = best(m, row->placement, sort, is_tickbus);
    size_t used = strlen(advice->text);
    if (!row->mechanism->why_ahead || !whole)
        return;
    double value = ipc_sort_value(whole, sort);
    snprintf(advice->text + used, sizeof advice->text - used,
             "; it is %s. With all of that: %s, %s%s", row->mechanism->why_ahead,
             whole->mechanism->name,
             sort == IPC_SORT_THROUGHPUT ? figure_rate(value).text : figure_ns(value).text,
             sort == IPC_SORT_THROUGHPUT ? "/s" : "");
}

uint32_t ipc_advise(const ipc_measurement_t *m, enum ipc_sort sort,
                    ipc_advice_t out_advice[IPC_ADVICE_MAX])
{
    enum ipc_placement own = m->plan.cpus_count > 1 ? IPC_TWO_CPUS : IPC_ONE_CPU;
    const ipc_row_t *mine =
        best(m, own, sort, own == IPC_TWO_CPUS ? carries_data : carries_data_asleep);
    const ipc_row_t *asleep = best(m, own, sort, carries_data_asleep);
    uint32_t count = add(out_advice, 0, "your case", mine);
    if (count)
        qualify(m, &out_advice[0], sort);
    if (asleep != mine)
        count = add(out_advice, count, "if no CPU may be burnt on waiting", asleep);
    if (own == IPC_TWO_CPUS)
        count = add(out_advice, count, "if both sides must share one CPU",
                    best(m, IPC_ONE_CPU, sort, carries_data_asleep));
    count =
        add(out_advice, count, "to reach another host", best(m, own, sort, reaches_other_hosts));
    count = add(out_advice, count, "if messages must outlive the processes",
                best(m, own, sort, is_durable));
    return add(out_advice, count, "only to wake somebody up", best(m, own, sort, only_signals));
}

/* --- where tickbus is not first --- */

static bool is_rival(const ipc_mechanism_t *m)
{
    return m->transfers_data && strcmp(m->family, "tickbus") != 0;
}

/* Latency, then the rate of each size. */
#define FIGURES (1 + IPC_SIZES_COUNT)

static const series_t *figure_of(const ipc_row_t *row, uint32_t figure)
{
    return figure == 0 ? &row->p50_ns : &row->rates[figure - 1];
}

/* How much better a is than b: above 1 it is better. */
static double advantage(const ipc_row_t *a, const ipc_row_t *b, uint32_t figure)
{
    double ratio = series_median(figure_of(a, figure)) / series_median(figure_of(b, figure));
    return figure == 0 ? 1 / ratio : ratio;
}

static const ipc_row_t *leader(const ipc_measurement_t *m, enum ipc_placement placement,
                               uint32_t figure, fits_t fits)
{
    const ipc_row_t *winner = NULL;
    for (uint32_t i = 0; i < m->rows_count; i++) {
        const ipc_row_t *row = &m->rows[i];
        if (row->available && row->placement == placement && fits(row->mechanism) &&
            figure_of(row, figure)->count && (!winner || advantage(row, winner, figure) > 1))
            winner = row;
    }
    return winner;
}

/* Why the rival is ahead: what it leaves out, or what tickbus does beside moving bytes. */
static const char *reason(const ipc_row_t *rival, uint32_t figure)
{
    if (rival->mechanism->why_ahead)
        return rival->mechanism->why_ahead;
    return figure > 1 ? "a ring's slots are written in words, so that observers may look on, and a "
                        "publisher says what it is about to overwrite"
                      : "no reason is known: worth a look";
}

static void write_note(ipc_note_t *note, const ipc_row_t *rival, const ipc_row_t *ours,
                       uint32_t figure, double ratio)
{
    char what[64] = "round trips";
    if (figure > 0)
        snprintf(what, sizeof what, "one way with %s",
                 figure_bytes(ours->stream_bytes[figure - 1]).text);
    snprintf(note->text, sizeof note->text, "%s, %s: %s is %.2f times as fast as %s: %s", what,
             rival->placement == IPC_TWO_CPUS ? "two CPUs" : "one CPU", rival->mechanism->name,
             ratio, ours->mechanism->name, reason(rival, figure));
}

uint32_t ipc_beaten(const ipc_measurement_t *m, ipc_note_t out_notes[IPC_NOTES_MAX])
{
    uint32_t count = 0;
    for (int placement = 0; placement < IPC_PLACEMENTS; placement++)
        for (uint32_t figure = 0; figure < FIGURES && count < IPC_NOTES_MAX; figure++) {
            const ipc_row_t *ours = leader(m, (enum ipc_placement)placement, figure, is_tickbus);
            const ipc_row_t *rival = leader(m, (enum ipc_placement)placement, figure, is_rival);
            if (!ours || !rival)
                continue;
            double ratio = advantage(rival, ours, figure);
            double noise =
                series_noise(figure_of(ours, figure)) + series_noise(figure_of(rival, figure));
            if (ratio > 1 + noise)
                write_note(&out_notes[count++], rival, ours, figure, ratio);
        }
    return count;
}
