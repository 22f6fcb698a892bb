/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ipc/measure.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/clock.h>

#include "tools/ipc/death.h"
#include "tools/measure/percentile.h"

/* Round trips get twice the time of a stream: their tail needs many. */
#define ROUNDTRIP_WEIGHT 2u
#define STREAM_WEIGHT    1u
#define TRIAL_NS_MIN     UINT64_C(1000000)
#define ROUNDS_MIN       5u
#define ROUNDS_FEWEST    3u
#define ROUNDS_FOR_LONG  25u
#define ROUND_NS         UINT64_C(2000000000)

typedef struct run {
    ipc_measurement_t *out;
    ipc_leftovers_t *leftovers;
    ipc_trial_area_t *area;
    ipc_progress_t progress;
    uint64_t end_ns;
    uint64_t weight_left;
    double overhead_ns; /* of a trial beside its duration; a sliding mean */
    uint32_t trials_done;
    uint32_t trials_total;
    double raw_p50_ns; /* of this round, between the two CPUs; NaN: none */
    tbus_error_t *err;
} run_t;

uint32_t ipc_rounds_for(uint64_t duration_ns)
{
    uint64_t rounds = duration_ns / ROUND_NS;
    if (rounds < ROUNDS_MIN)
        rounds = ROUNDS_MIN;
    if (rounds > ROUNDS_FOR_LONG)
        rounds = ROUNDS_FOR_LONG;
    return (uint32_t)rounds | 1u;
}

double ipc_per_message(const ipc_usage_t *usage, uint64_t what)
{
    return usage->messages ? (double)what / (double)usage->messages : NAN;
}

double ipc_bytes_per_s(const ipc_row_t *row)
{
    return series_median(&row->rates[IPC_SIZE_LARGE]) * (double)row->stream_bytes[IPC_SIZE_LARGE];
}

static bool too_long(const ipc_mechanism_t *m, size_t bytes)
{
    return m->transfers_data && m->message_bytes_max && bytes > m->message_bytes_max;
}

/* Is there a stream of this size to measure? Mechanisms without data have one, of signals. */
static bool has_stream(const ipc_row_t *row, uint32_t size)
{
    if (row->mechanism == &ipc_raw_line)
        return false;
    return row->mechanism->transfers_data ? !too_long(row->mechanism, row->stream_bytes[size])
                                          : size == 0;
}

static bool has_roundtrip(const run_t *run, const ipc_row_t *row)
{
    return !too_long(row->mechanism, run->out->plan.message_bytes);
}

static void count_work(run_t *run, const ipc_row_t *row)
{
    if (!row->available)
        return;
    uint32_t rounds = run->out->plan.rounds;
    if (has_roundtrip(run, row)) {
        run->weight_left += ROUNDTRIP_WEIGHT * rounds;
        run->trials_total += rounds;
    }
    for (uint32_t size = 0; size < IPC_SIZES_COUNT; size++)
        if (has_stream(row, size)) {
            run->weight_left += STREAM_WEIGHT * rounds;
            run->trials_total += rounds;
        }
}

/* How long the next trial may take, given what is left of time and work. */
static uint64_t share_ns(const run_t *run, uint32_t weight)
{
    uint64_t now_ns = tbus_clock_ns();
    double left_ns = run->end_ns > now_ns ? (double)(run->end_ns - now_ns) : 0;
    double share =
        run->weight_left ? left_ns * weight / (double)run->weight_left - run->overhead_ns : 0;
    return share > (double)TRIAL_NS_MIN ? (uint64_t)share : TRIAL_NS_MIN;
}

static void add_usage(ipc_usage_t *usage, const ipc_trial_result_t *r)
{
    usage->messages += r->messages;
    usage->cpu_ns += r->cpu_ns;
    usage->syscalls += r->syscalls;
    usage->context_switches += r->context_switches;
}

/* One trial of a row. A failure is noted in the row, and its further trials are left out; only
 * -EINTR is returned. */
static int one_trial(run_t *run, ipc_row_t *row, enum ipc_trial_kind kind, size_t bytes,
                     uint32_t weight, ipc_trial_result_t *result)
{
    if (run->progress)
        run->progress(run->trials_done, run->trials_total, row->mechanism->name);
    ipc_trial_spec_t spec = {.mechanism = row->mechanism,
                             .kind = kind,
                             .message_bytes = bytes,
                             .cpus = {row->cpus[0], row->cpus[1]},
                             .duration_ns = share_ns(run, weight)};
    tbus_error_t err = {0};
    uint64_t begin_ns = tbus_clock_ns();
    int code = ipc_trial_run(&spec, run->leftovers, run->area, result, &err);
    double overhead_ns = (double)(tbus_clock_ns() - begin_ns) - (double)spec.duration_ns;
    run->overhead_ns += (overhead_ns - run->overhead_ns) / 16;
    if (code == -EINTR)
        return tbus_fail(run->err, code, "%s", err.text);
    if (code < 0) {
        row->available = false;
        row->failed = true;
        snprintf(row->why_not, sizeof row->why_not, "failed: %.300s", err.text);
    }
    return 0;
}

static int roundtrip(run_t *run, ipc_row_t *row)
{
    ipc_trial_result_t result;
    run->weight_left -= ROUNDTRIP_WEIGHT;
    run->trials_done++;
    if (!row->available)
        return 0;
    int code =
        one_trial(run, row, IPC_ROUNDTRIP, run->out->plan.message_bytes, ROUNDTRIP_WEIGHT, &result);
    if (code < 0 || !row->available)
        return code;
    double p50_ns = percentile_ns(&result.roundtrips, 500000);
    series_add(&row->p50_ns, p50_ns);
    series_add(&row->p99_ns, percentile_ns(&result.roundtrips, 990000));
    series_add(&row->p99_9_ns, percentile_ns(&result.roundtrips, 999000));
    series_add(&row->max_ns, percentile_ns(&result.roundtrips, 1000000));
    row->roundtrips_count += tbus_load_relaxed_u64(&result.roundtrips.count);
    add_usage(&row->roundtrip_usage, &result);
    if (row->mechanism == &ipc_raw_line && row->placement == IPC_TWO_CPUS)
        run->raw_p50_ns = p50_ns;
    if (!isnan(run->raw_p50_ns))
        series_add(&row->ratio, p50_ns / run->raw_p50_ns);
    return 0;
}

static int stream(run_t *run, ipc_row_t *row, uint32_t size)
{
    ipc_trial_result_t result;
    run->weight_left -= STREAM_WEIGHT;
    run->trials_done++;
    if (!row->available)
        return 0;
    int code = one_trial(run, row, IPC_STREAM, row->stream_bytes[size], STREAM_WEIGHT, &result);
    if (code < 0 || !row->available)
        return code;
    double rate = (double)result.messages * 1e9 / (double)result.elapsed_ns;
    series_add(row->mechanism->transfers_data ? &row->rates[size] : &row->synchronisations, rate);
    if (size == 0)
        add_usage(&row->stream_usage, &result);
    return 0;
}

static int measure_row(run_t *run, ipc_row_t *row)
{
    if (!row->available && !row->failed)
        return 0;
    int code = has_roundtrip(run, row) ? roundtrip(run, row) : 0;
    for (uint32_t size = 0; size < IPC_SIZES_COUNT && code == 0; size++)
        if (has_stream(row, size))
            code = stream(run, row, size);
    return code;
}

/* Thrice the time that was asked for is gone, and there are rounds enough for a median. */
static bool time_ran_out(const run_t *run)
{
    return run->out->rounds >= ROUNDS_FEWEST &&
           tbus_clock_ns() > run->end_ns + 2 * run->out->plan.duration_ns;
}

static int measure_round(run_t *run, uint32_t round)
{
    ipc_measurement_t *out = run->out;
    uint32_t mechanisms = out->rows_count / IPC_PLACEMENTS;
    run->raw_p50_ns = NAN;
    for (uint32_t placement = 0; placement < IPC_PLACEMENTS; placement++) {
        int code = measure_row(run, &out->raw[placement]);
        for (uint32_t i = 0; i < mechanisms && code == 0; i++)
            code =
                measure_row(run, &out->rows[(i + round) % mechanisms * IPC_PLACEMENTS + placement]);
        if (code < 0)
            return code;
    }
    return 0;
}

/* What happens when the peer is killed does not depend on the CPUs: once a mechanism, on as many
 * CPUs as there are. */
static int measure_deaths(run_t *run)
{
    ipc_measurement_t *out = run->out;
    for (uint32_t i = 0; i < out->rows_count; i += IPC_PLACEMENTS) {
        ipc_row_t *row = out->rows[i].available ? &out->rows[i] : &out->rows[i + 1];
        ipc_row_t *other = out->rows[i].available ? &out->rows[i + 1] : &out->rows[i];
        if (!row->available)
            continue;
        if (run->progress)
            run->progress(run->trials_done, run->trials_total, row->mechanism->name);
        int code = ipc_death_measure(row, run->leftovers, run->area, run->err);
        if (code < 0)
            return code;
        other->death_known = row->death_known;
        memcpy(other->death_receive, row->death_receive, sizeof row->death_receive);
        memcpy(other->death_send, row->death_send, sizeof row->death_send);
    }
    return 0;
}

static void row_init(ipc_row_t *row, const ipc_plan_t *plan, const ipc_mechanism_t *m,
                     enum ipc_placement placement)
{
    row->mechanism = m;
    row->placement = placement;
    row->cpus_count = placement == IPC_TWO_CPUS ? 2 : 1;
    row->cpus[0] = plan->cpus[0];
    row->cpus[1] = placement == IPC_TWO_CPUS ? plan->cpus[1] : plan->cpus[0];
    row->available = !m->available || m->available(row->why_not, sizeof row->why_not);
    if (placement == IPC_TWO_CPUS && plan->cpus_count < 2) {
        row->available = false;
        snprintf(row->why_not, sizeof row->why_not, "%s", plan->one_cpu_why);
    }
    const size_t sizes[IPC_SIZES_COUNT] = {64, 1024, 65536};
    for (uint32_t size = 0; size < IPC_SIZES_COUNT; size++) {
        bool asked = size == IPC_SIZE_LARGE && plan->message_bytes > sizes[size - 1];
        row->stream_bytes[size] = asked ? plan->message_bytes : sizes[size];
        if (!m->transfers_data)
            row->rates_why_not[size] = "transfers no data";
        else if (too_long(m, row->stream_bytes[size]))
            row->rates_why_not[size] = m->message_bytes_why;
    }
    if (m->limits)
        m->limits(row->limits, sizeof row->limits);
}

static int rows_new(ipc_measurement_t *out, const ipc_plan_t *plan, tbus_error_t *err)
{
    uint32_t mechanisms = 0;
    while (plan->mechanisms[mechanisms])
        mechanisms++;
    out->plan = *plan;
    out->rows = (ipc_row_t *)calloc((size_t)mechanisms * IPC_PLACEMENTS + 1, sizeof *out->rows);
    if (!out->rows)
        return tbus_fail(err, -ENOMEM, "no memory for %u mechanisms", mechanisms);
    out->rows_count = mechanisms * IPC_PLACEMENTS;
    for (uint32_t placement = 0; placement < IPC_PLACEMENTS; placement++) {
        row_init(&out->raw[placement], plan, &ipc_raw_line, (enum ipc_placement)placement);
        for (uint32_t i = 0; i < mechanisms; i++)
            row_init(&out->rows[i * IPC_PLACEMENTS + placement], plan, plan->mechanisms[i],
                     (enum ipc_placement)placement);
    }
    return 0;
}

int ipc_measure(const ipc_plan_t *plan, ipc_leftovers_t *leftovers, ipc_progress_t progress,
                ipc_measurement_t *out_measurement, tbus_error_t *err)
{
    *out_measurement = (ipc_measurement_t){0};
    int code = rows_new(out_measurement, plan, err);
    if (code < 0)
        return code;
    uint64_t begin_ns = tbus_clock_ns();
    run_t run = {.out = out_measurement,
                 .leftovers = leftovers,
                 .area = ipc_trial_area_new(),
                 .progress = progress,
                 .end_ns = begin_ns + plan->duration_ns,
                 .err = err};
    if (!run.area)
        return tbus_fail(err, -ENOMEM, "no shared memory for the results");
    for (uint32_t placement = 0; placement < IPC_PLACEMENTS; placement++)
        count_work(&run, &out_measurement->raw[placement]);
    for (uint32_t i = 0; i < out_measurement->rows_count; i++)
        count_work(&run, &out_measurement->rows[i]);
    uint32_t *rounds = &out_measurement->rounds;
    for (; *rounds < plan->rounds && code == 0 && !time_ran_out(&run); (*rounds)++)
        code = measure_round(&run, *rounds);
    if (code == 0)
        code = measure_deaths(&run);
    ipc_trial_area_free(run.area);
    out_measurement->elapsed_ns = tbus_clock_ns() - begin_ns;
    return code;
}

void ipc_measurement_free(ipc_measurement_t *m)
{
    free(m->rows);
    *m = (ipc_measurement_t){0};
}
