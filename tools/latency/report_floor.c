/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/report_floor.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/latency/floor.h"
#include "tools/latency/hdr.h"
#include "tools/measure/format.h"

static const struct {
    const char *key;
    double share;
} percentiles[] = {
    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99_9", 0.999}, {"p99_99", 0.9999},
};
#define PERCENTILES (sizeof percentiles / sizeof *percentiles)

/* --- measuring */

/* Where the stage of that name ran; SIDES_ANYWHERE: nowhere. */
static int cpu_of(const evidence_t *evidence, const char *stage)
{
    for (uint32_t p = 0; p < evidence->gaps.processes; p++)
        for (uint32_t i = 0; i < evidence->gaps.tables[p].stages_count; i++)
            if (strncmp(evidence->gaps.tables[p].stages[i], stage, TBUS_NAME_MAX) == 0)
                return evidence->gaps.tables[p].cpu;
    return SIDES_ANYWHERE;
}

static void add_cpu(floor_spec_t *spec, int cpu)
{
    for (uint32_t i = 0; i < spec->cpus_count; i++)
        if (spec->cpus[i] == cpu)
            return;
    if (spec->cpus_count < FLOOR_CPUS_MAX && cpu >= 0)
        spec->cpus[spec->cpus_count++] = cpu;
}

/* That of the feed, that of the strategy, and all others of the run. */
static void find_cpus(const evidence_t *evidence, floor_spec_t *spec)
{
    add_cpu(spec, cpu_of(evidence, evidence->stage_of[HOP_PUBLISH]));
    add_cpu(spec, cpu_of(evidence, evidence->stage_of[HOP_SEEN]));
    for (uint32_t p = 0; p < evidence->gaps.processes; p++)
        if (evidence->gaps.tables[p].pid)
            add_cpu(spec, evidence->gaps.tables[p].cpu);
}

static size_t count_until(const samples_t *samples, uint64_t for_ns)
{
    uint64_t low = 0, high = samples->rows;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (samples->intended_ns[middle] <= for_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return (size_t)low;
}

/* --- the object */

static json_t *figures_of(const hdr_t *h)
{
    json_t *object = json_pack("{s:I}", "count", (json_int_t)h->count);
    for (size_t i = 0; i < PERCENTILES; i++) {
        bool known = (1 - percentiles[i].share) * (double)h->count >= FLOOR_BEYOND_MIN - 1e-6;
        json_object_set_new(
            object, percentiles[i].key,
            known ? json_integer((json_int_t)hdr_percentile_ns(h, percentiles[i].share))
                  : json_null());
    }
    json_object_set_new(object, "max", json_integer((json_int_t)h->max_ns));
    return object;
}

static json_t *figures_of_64(const uint64_t *ns, size_t count, hdr_t *h)
{
    hdr_clear(h);
    for (size_t i = 0; i < count; i++)
        hdr_record(h, ns[i]);
    return figures_of(h);
}

static json_t *figures_of_32(const uint32_t *ns, size_t count, hdr_t *h)
{
    hdr_clear(h);
    for (size_t i = 0; i < count; i++)
        hdr_record(h, ns[i]);
    return figures_of(h);
}

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static const json_t *hop_named(const json_t *report, const char *name)
{
    size_t i;
    const json_t *hop;
    json_array_foreach(json_object_get(report, "hops"), i, hop)
    {
        const char *text = json_string_value(json_object_get(hop, "name"));
        if (text && strcmp(text, name) == 0)
            return hop;
    }
    return NULL;
}

static json_t *ratio(const json_t *hop, const json_t *under, const char *key)
{
    double over = number(hop, key), below = number(under, key);
    return isnan(over) || isnan(below) || below <= 0 ? json_null() : json_real(over / below);
}

static json_t *ratios_of(const json_t *report, const json_t *floor, enum sample_hop hop)
{
    static const char *const of_the_line[] = {"p50", "p99", "p99_9"};
    const json_t *figures = hop_named(report, samples_hop_name(hop));
    json_t *ratios = json_object();
    for (size_t i = 0; i < 3; i++)
        json_object_set_new(ratios, of_the_line[i],
                            ratio(figures, json_object_get(floor, "paced_line"), of_the_line[i]));
    json_object_set_new(ratios, "p99_99",
                        ratio(figures, json_object_get(floor, "hiccup"), "p99_99"));
    return ratios;
}

static json_t *floor_object(const json_t *report, const floor_spec_t *spec, const floor_t *floor,
                            hdr_t *h)
{
    json_t *cpus = json_array(), *object;
    for (uint32_t i = 0; i < spec->cpus_count; i++)
        json_array_append_new(cpus, json_integer(spec->cpus[i]));
    object = json_pack("{s:i, s:f, s:o}", "processes", (int)floor->processes, "seconds",
                       (double)spec->due_ns[spec->count - 1] / 1e9, "cpus", cpus);
    json_object_set_new(object, "paced_line", figures_of_64(floor->paced_line_ns, floor->count, h));
    json_object_set_new(object, "hiccup", figures_of_64(floor->hiccup_ns, floor->count, h));
    json_object_set_new(object, "ping_pong",
                        floor->round_trips
                            ? figures_of_32(floor->ping_pong_ns, floor->round_trips, h)
                            : json_null());
    json_object_set_new(object, "ratios",
                        json_pack("{s:o, s:o}", samples_hop_name(HOP_TICK_TO_SEEN),
                                  ratios_of(report, object, HOP_TICK_TO_SEEN),
                                  samples_hop_name(HOP_TICK_TO_REPORT),
                                  ratios_of(report, object, HOP_TICK_TO_REPORT)));
    return object;
}

int report_add_floor(json_t *report, const evidence_t *evidence, const samples_t *samples,
                     uint64_t for_ns, tbus_error_t *err)
{
    floor_spec_t spec = {.due_ns = samples->intended_ns, .count = count_until(samples, for_ns)};
    floor_t floor;
    find_cpus(evidence, &spec);
    if (spec.count == 0 || spec.cpus_count == 0) {
        json_object_set_new(report, "floor", json_null());
        return 0;
    }
    hdr_t *h = malloc(sizeof *h); /* too large for a stack */
    if (!h)
        return tbus_fail(err, -ENOMEM, "no memory for the figures of the floor");
    int code = floor_measure(&spec, &floor, err);
    if (code == 0) {
        json_object_set_new(report, "floor", floor_object(report, &spec, &floor, h));
        floor_free(&floor);
    }
    free(h);
    return code;
}

/* --- the text */

#define FIGURE_WIDTH 9

static void print_row(const char *name, const json_t *row, FILE *out)
{
    fprintf(out, "%-15s", name);
    for (size_t i = 0; i < PERCENTILES; i++) {
        double ns = number(row, percentiles[i].key);
        fprintf(out, " %*s", FIGURE_WIDTH, isnan(ns) ? "-" : figure_ns(ns).text);
    }
    fprintf(out, " %*s\n", FIGURE_WIDTH, figure_ns(number(row, "max")).text);
}

static void print_ratios(const char *name, const json_t *row, FILE *out)
{
    fprintf(out, "%-15s", name);
    for (size_t i = 0; i < PERCENTILES; i++) {
        double value = number(row, percentiles[i].key);
        fprintf(out, " %*s", FIGURE_WIDTH, isnan(value) ? "-" : figure_ratio(value).text);
    }
    fputc('\n', out);
}

void report_print_floor(const json_t *report, FILE *out)
{
    const json_t *floor = json_object_get(report, "floor");
    const json_t *ratios = json_object_get(floor, "ratios");
    if (!json_is_object(floor))
        return;
    fprintf(out, "\n%-15s", "floor");
    for (size_t i = 0; i < PERCENTILES; i++)
        fprintf(out, " %*s", FIGURE_WIDTH, percentiles[i].key);
    fprintf(out, " %*s   on the run's CPUs, the first %.1f s of its schedule\n", FIGURE_WIDTH,
            "max", number(floor, "seconds"));
    print_row(number(floor, "processes") < 2 ? "one process" : "paced line",
              json_object_get(floor, "paced_line"), out);
    print_row("hiccup", json_object_get(floor, "hiccup"), out);
    if (json_is_object(json_object_get(floor, "ping_pong")))
        print_row("ping-pong / 2", json_object_get(floor, "ping_pong"), out);
    fprintf(out, "over the floor: of the paced line; p99_99: of the hiccup\n");
    print_ratios(samples_hop_name(HOP_TICK_TO_SEEN),
                 json_object_get(ratios, samples_hop_name(HOP_TICK_TO_SEEN)), out);
    print_ratios(samples_hop_name(HOP_TICK_TO_REPORT),
                 json_object_get(ratios, samples_hop_name(HOP_TICK_TO_REPORT)), out);
}
