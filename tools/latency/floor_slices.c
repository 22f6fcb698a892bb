/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/floor_slices.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "tools/latency/floor.h"
#include "tools/latency/hdr.h"
#include "tools/latency/schedule.h"
#include "tools/run/config_layout.h"

#define TURN_NS      UINT64_C(500000000)
#define MESSAGES_MAX UINT64_C(20000000) /* of one slice */

enum what { PACED_LINE, HICCUP, PING_PONG, WHATS };

struct floor_slices {
    hdr_t all[WHATS];
    hdr_t slice[WHATS]; /* the one at hand */
    uint32_t processes;
    uint32_t cpus_count;
    int cpus[FLOOR_CPUS_MAX];
    double seconds;
    json_t *slices; /* owned */
};

floor_slices_t *floor_slices_create(void)
{
    floor_slices_t *f = malloc(sizeof *f);
    if (!f)
        return NULL;
    f->cpus_count = 0;
    f->seconds = 0;
    f->slices = json_array();
    for (int what = 0; what < WHATS; what++)
        hdr_clear(&f->all[what]);
    return f;
}

void floor_slices_destroy(floor_slices_t *f)
{
    if (f)
        json_decref(f->slices);
    free(f);
}

/* --- which CPUs */

/* The first that runs a stage whose kind has the trait. */
static const layout_process_t *process_with(const layout_t *layout, uint32_t trait)
{
    for (uint32_t i = 0; i < layout->processes_count; i++)
        for (uint32_t k = 0; k < layout->processes[i].stages_count; k++)
            if (layout->stages[layout->processes[i].stages[k]].traits & trait)
                return &layout->processes[i];
    return NULL;
}

static void add_cpu(floor_spec_t *spec, const layout_process_t *process)
{
    for (uint32_t i = 0; process && i < spec->cpus_count; i++)
        if (spec->cpus[i] == process->cpu)
            return;
    if (process && spec->cpus_count < FLOOR_CPUS_MAX)
        spec->cpus[spec->cpus_count++] = process->cpu;
}

/* That of the feed, that of the strategy, and all others of the run. Processes that are not pinned
 * are met by as many that are not. */
static void find_cpus(const run_spec_t *run, floor_spec_t *spec)
{
    tbus_cgroup_cpu_t quota;
    layout_t layout;
    config_layout(&run->start.config, &quota, &layout);
    add_cpu(spec, process_with(&layout, TBUS_KIND_SOURCE));
    add_cpu(spec, process_with(&layout, TBUS_KIND_TRADES));
    for (uint32_t i = 0; i < layout.processes_count; i++)
        add_cpu(spec, &layout.processes[i]);
    if (spec->cpus_count && spec->cpus[0] < 0) {
        spec->cpus_count = layout.processes_count > 1 ? 2 : 1;
        spec->cpus[0] = spec->cpus[1] = SIDES_ANYWHERE;
    }
}

/* --- measuring */

static void record_turn(floor_slices_t *f, const floor_t *floor)
{
    for (size_t i = 0; i < floor->count; i++) {
        hdr_record(&f->slice[PACED_LINE], floor->paced_line_ns[i]);
        hdr_record(&f->slice[HICCUP], floor->hiccup_ns[i]);
    }
    for (size_t i = 0; i < floor->round_trips; i++)
        hdr_record(&f->slice[PING_PONG], floor->ping_pong_ns[i]);
    f->processes = floor->processes;
}

static json_t *figure_of(const hdr_t *h, double share)
{
    bool known = (1 - share) * (double)h->count >= FLOOR_BEYOND_MIN - 1e-6;
    return known ? json_integer((json_int_t)hdr_percentile_ns(h, share)) : json_null();
}

static void end_slice(floor_slices_t *f, const floor_spec_t *spec, uint64_t measured_ns,
                      const char *when)
{
    f->cpus_count = spec->cpus_count;
    for (uint32_t i = 0; i < spec->cpus_count; i++)
        f->cpus[i] = spec->cpus[i];
    f->seconds += (double)measured_ns / 1e9;
    if (json_array_size(f->slices) < FLOOR_SLICES_MAX)
        json_array_append_new(f->slices,
                              json_pack("{s:s, s:{s:o, s:o}, s:{s:o, s:o}}", "when", when,
                                        "paced_line", "p50", figure_of(&f->slice[PACED_LINE], 0.5),
                                        "p99", figure_of(&f->slice[PACED_LINE], 0.99), "hiccup",
                                        "p99", figure_of(&f->slice[HICCUP], 0.99), "p99_9",
                                        figure_of(&f->slice[HICCUP], 0.999)));
    for (int what = 0; what < WHATS; what++)
        hdr_add(&f->all[what], &f->slice[what]);
}

/* In turns of TURN_NS each, all of the schedule up to `for_ns`. */
static int measure(floor_slices_t *f, const run_spec_t *run, const uint64_t *due_ns, uint64_t count,
                   uint64_t for_ns, const char *when, tbus_error_t *err)
{
    floor_spec_t spec = {0};
    uint64_t at = 0;
    sides_signals_t before;
    int code = 0;
    find_cpus(run, &spec);
    for (int what = 0; what < WHATS; what++)
        hdr_clear(&f->slice[what]);
    sides_hold_signals(&before);
    while (code == 0 && spec.cpus_count && at < count && due_ns[at] < for_ns) {
        uint64_t end = at, until_ns = due_ns[at] + TURN_NS;
        while (end < count && due_ns[end] < until_ns && due_ns[end] < for_ns)
            end++;
        spec.due_ns = due_ns + at;
        spec.count = (size_t)(end - at);
        spec.origin_ns = due_ns[at];
        floor_t floor;
        code = floor_measure(&spec, &floor, err);
        if (code < 0)
            break;
        record_turn(f, &floor);
        floor_free(&floor);
        at = end;
    }
    sides_restore_signals(&before);
    if (at)
        end_slice(f, &spec, due_ns[at - 1], when);
    return code;
}

int floor_slices_before(floor_slices_t *f, const run_spec_t *spec, uint64_t for_ns,
                        tbus_error_t *err)
{
    uint64_t *due_ns, count;
    if (err->code < 0)
        return err->code;
    uint64_t span_ns = for_ns < spec->for_ns ? for_ns : spec->for_ns;
    int code = schedule_make(&spec->start.config, span_ns, MESSAGES_MAX, &due_ns, &count, err);
    if (code < 0)
        return code;
    code = measure(f, spec, due_ns, count, for_ns, "before", err);
    free(due_ns);
    return code;
}

int floor_slices_again(floor_slices_t *f, const run_spec_t *spec, const samples_t *samples,
                       uint64_t for_ns, const char *when, tbus_error_t *err)
{
    if (err->code < 0)
        return err->code;
    return measure(f, spec, samples->intended_ns, samples->rows, for_ns, when, err);
}

void floor_slices_after(floor_slices_t *f, const run_spec_t *spec, run_result_t *result,
                        uint64_t floor_ns, tbus_error_t *err)
{
    uint64_t for_ns = floor_slices_empty(f) ? floor_ns : floor_ns / 2;
    if (floor_slices_again(f, spec, &result->samples, for_ns, "after", err) < 0)
        run_note(result, "the floor was not measured to its end: %.180s", err->text);
}

bool floor_slices_empty(const floor_slices_t *f)
{
    return f->cpus_count == 0;
}

/* --- the object */

static json_t *figures_of(const hdr_t *h)
{
    json_t *object = json_pack("{s:I}", "count", (json_int_t)h->count);
    for (size_t i = 0; i < FLOOR_PERCENTILES; i++)
        json_object_set_new(object, hop_percentiles[i].key,
                            figure_of(h, hop_percentiles[i].per_million / 1e6));
    json_object_set_new(object, "max", json_integer((json_int_t)h->max_ns));
    return object;
}

json_t *floor_slices_json(const floor_slices_t *f)
{
    json_t *cpus, *object;
    if (!f || floor_slices_empty(f))
        return json_null();
    cpus = json_array();
    for (uint32_t i = 0; i < f->cpus_count; i++)
        json_array_append_new(cpus, json_integer(f->cpus[i]));
    object = json_pack("{s:i, s:f, s:o}", "processes", (int)f->processes, "seconds", f->seconds,
                       "cpus", cpus);
    json_object_set_new(object, "paced_line", figures_of(&f->all[PACED_LINE]));
    json_object_set_new(object, "hiccup", figures_of(&f->all[HICCUP]));
    json_object_set_new(object, "ping_pong",
                        f->all[PING_PONG].count ? figures_of(&f->all[PING_PONG]) : json_null());
    json_object_set(object, "slices", f->slices);
    return object;
}

static json_t *ratio(const json_t *hop, const json_t *under, const char *key)
{
    const json_t *above = json_object_get(hop, key), *below = json_object_get(under, key);
    bool known = json_is_number(above) && json_is_number(below) && json_number_value(below) > 0;
    return known ? json_real(json_number_value(above) / json_number_value(below)) : json_null();
}

json_t *floor_ratios(const json_t *hop, const json_t *floor)
{
    static const char *const of_the_line[] = {"p50", "p99", "p99_9"};
    json_t *ratios = json_object();
    for (size_t i = 0; i < sizeof of_the_line / sizeof *of_the_line; i++)
        json_object_set_new(ratios, of_the_line[i],
                            ratio(hop, json_object_get(floor, "paced_line"), of_the_line[i]));
    json_object_set_new(ratios, "p99_99", ratio(hop, json_object_get(floor, "hiccup"), "p99_99"));
    return ratios;
}
