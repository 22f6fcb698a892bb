/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/ipc/report.h"
#include "tools/measure/provenance.h"

#define SCHEMA 1 /* provenance.h */

/* Rounded to six digits: no figure here is known better. JSON has no NaN: null. */
static json_t *number(double value)
{
    char digits[32];
    if (!isfinite(value))
        return json_null();
    snprintf(digits, sizeof digits, "%.6g", value);
    return json_real(strtod(digits, NULL));
}

static json_t *text(const char *string)
{
    return string && string[0] ? json_string(string) : json_null();
}

static json_t *roundtrip(const ipc_row_t *row)
{
    json_t *o = json_object();
    uint64_t count = row->roundtrips_count;
    json_object_set_new(o, "p50", number(series_median(&row->p50_ns)));
    json_object_set_new(o, "p99", number(series_median(&row->p99_ns)));
    json_object_set_new(o, "p99_9", number(series_median(&row->p99_9_ns)));
    json_object_set_new(o, "max", number(series_max(&row->max_ns)));
    json_object_set_new(o, "count", json_integer((json_int_t)count));
    json_object_set_new(o, "p50_rounds_min", number(series_min(&row->p50_ns)));
    json_object_set_new(o, "p50_rounds_max", number(series_max(&row->p50_ns)));
    json_object_set_new(o, "p50_noise", number(series_noise(&row->p50_ns)));
    json_object_set_new(o, "ratio_to_raw", number(series_median(&row->ratio)));
    return o;
}

static void set_rates(json_t *entry, const ipc_row_t *row)
{
    json_t *rates = json_object();
    json_t *noise = json_object();
    json_t *why = json_object();
    for (uint32_t size = 0; size < IPC_SIZES_COUNT; size++) {
        char key[24];
        snprintf(key, sizeof key, "%zu", row->stream_bytes[size]);
        json_object_set_new(rates, key, number(series_median(&row->rates[size])));
        json_object_set_new(noise, key, number(series_noise(&row->rates[size])));
        if (row->rates_why_not[size])
            json_object_set_new(why, key, json_string(row->rates_why_not[size]));
    }
    json_object_set_new(entry, "messages_per_s", rates);
    json_object_set_new(entry, "messages_per_s_noise", noise);
    json_object_set_new(entry, "messages_per_s_why", why);
    json_object_set_new(entry, "synchronisations_per_s",
                        number(series_median(&row->synchronisations)));
}

static void set_usage(json_t *o, const ipc_usage_t *usage)
{
    json_object_set_new(o, "cpu_ns_per_message", number(ipc_per_message(usage, usage->cpu_ns)));
    json_object_set_new(o, "syscalls_per_message", number(ipc_per_message(usage, usage->syscalls)));
    json_object_set_new(o, "context_switches_per_message",
                        number(ipc_per_message(usage, usage->context_switches)));
    json_object_set_new(o, "messages_counted", json_integer((json_int_t)usage->messages));
}

static json_t *cpus_of(const ipc_row_t *row)
{
    json_t *cpus = json_array();
    for (uint32_t i = 0; i < row->cpus_count; i++)
        json_array_append_new(cpus, json_integer(row->cpus[i]));
    return cpus;
}

static void set_description(json_t *o, const ipc_mechanism_t *m)
{
    json_object_set_new(o, "what", json_string(m->what));
    json_object_set_new(o, "family", json_string(m->family));
    json_object_set_new(o, "transfers_data", json_boolean(m->transfers_data));
    json_object_set_new(o, "synchronises", json_boolean(m->synchronises));
    json_object_set_new(o, "sleeps", json_boolean(m->sleeps));
    json_object_set_new(o, "scope", json_string(m->scope));
    json_object_set_new(o, "bounded", json_boolean(m->bound != NULL));
    json_object_set_new(o, "bound", text(m->bound));
    json_object_set_new(o, "persistence", json_string(m->persistence));
    json_object_set_new(o, "typical_use", json_string(m->typical_use));
    json_object_set_new(o, "in_tickbus", json_string(m->in_tickbus));
}

static json_t *entry_of(const ipc_row_t *row)
{
    json_t *o = json_object();
    json_object_set_new(o, "name", json_string(row->mechanism->name));
    json_object_set_new(o, "cpus", cpus_of(row));
    json_object_set_new(o, "available", json_boolean(row->available));
    json_object_set_new(o, "why_not", text(row->available ? NULL : row->why_not));
    json_object_set_new(o, "roundtrip_ns", roundtrip(row));
    set_rates(o, row);
    set_usage(o, &row->roundtrip_usage);
    json_t *stream = json_object();
    set_usage(stream, &row->stream_usage);
    json_object_set_new(o, "stream", stream);
    set_description(o, row->mechanism);
    json_t *death = json_object();
    json_object_set_new(death, "receive", text(row->death_receive));
    json_object_set_new(death, "send", text(row->death_send));
    json_object_set_new(o, "peer_killed", death);
    json_object_set_new(o, "limits", text(row->limits));
    return o;
}

static json_t *entries(const ipc_measurement_t *m, enum ipc_sort sort)
{
    json_t *list = json_array();
    const ipc_row_t **rows = (const ipc_row_t **)calloc(m->rows_count + 1, sizeof *rows);
    for (int placement = 0; placement < IPC_PLACEMENTS && rows; placement++) {
        uint32_t count = ipc_ranked(m, (enum ipc_placement)placement, sort, rows);
        for (uint32_t i = 0; i < count; i++)
            json_array_append_new(list, entry_of(rows[i]));
    }
    free(rows);
    return list;
}

static json_t *advice_of(const ipc_measurement_t *m, enum ipc_sort sort)
{
    ipc_advice_t advice[IPC_ADVICE_MAX];
    uint32_t count = ipc_advise(m, sort, advice);
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:s}", "when", advice[i].when,
                                              "take", advice[i].row->mechanism->name, "cpus",
                                              cpus_of(advice[i].row), "why", advice[i].text));
    return list;
}

static json_t *notes_of(const ipc_measurement_t *m)
{
    ipc_note_t notes[IPC_NOTES_MAX];
    uint32_t count = ipc_beaten(m, notes);
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(notes[i].text));
    return list;
}

json_t *ipc_report_json(const ipc_measurement_t *m, const host_t *host, enum ipc_sort sort)
{
    json_t *raw = json_array();
    for (int placement = 0; placement < IPC_PLACEMENTS; placement++)
        json_array_append_new(raw, json_pack("{s:s, s:o, s:b, s:o}", "name",
                                             m->raw[placement].mechanism->name, "cpus",
                                             cpus_of(&m->raw[placement]), "available",
                                             m->raw[placement].available, "roundtrip_ns",
                                             roundtrip(&m->raw[placement])));
    json_t *own_host = json_pack("{s:s, s:s, s:i, s:o}", "kernel", host->kernel, "cpu", host->cpu,
                                 "cpus", (int)host->cpus, "load", number(host->load));
    json_t *object =
        json_pack("{s:o, s:o, s:o, s:o, s:I, s:s, s:i, s:o}", "mechanisms", entries(m, sort), "raw",
                  raw, "advice", advice_of(m, sort), "notes", notes_of(m), "size",
                  (json_int_t)m->plan.message_bytes, "sort", ipc_sort_name(sort), "rounds",
                  (int)m->rounds, "elapsed_s", number((double)m->elapsed_ns / 1e9));
    if (object) {
        provenance_add(object, SCHEMA);
        json_object_set(object, "host",
                        own_host); /* as it was before the measurement, with its load */
    }
    json_decref(own_host);
    return object;
}
