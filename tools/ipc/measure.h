/* SPDX-License-Identifier: Apache-2.0 */
/* measure.h - all mechanisms, side by side: rounds of trials, so that whatever disturbs the machine
 * disturbs every row alike.
 *
 *    round 1:  two CPUs: raw, pipe, fifo, ...   one CPU: raw, pipe, fifo, ...
 *              (each: round trips, then streams of 64, 1024 and 65536 bytes; where round trips are
 *              of more than 1024, that size is streamed in place of 65536)
 *    round 2:  the same, starting with another mechanism
 *    ...
 *    at the end, once: what each mechanism's survivor sees when its peer is killed
 *
 * A row's figures are medians over the rounds, percentiles too; only the maximum is that of all
 * round trips. Time is shared out over what is still to do, so that the whole takes about as long
 * as asked for.
 */
#ifndef TICKBUS_TOOLS_IPC_MEASURE_H
#define TICKBUS_TOOLS_IPC_MEASURE_H

#include "tools/measure/series.h"
#include "tools/ipc/trial.h"

#define IPC_SIZES_COUNT 3u
#define IPC_SIZE_LARGE  2u /* the largest of them */

enum ipc_placement { IPC_TWO_CPUS = 0, IPC_ONE_CPU = 1, IPC_PLACEMENTS = 2 };

typedef struct ipc_plan {
    const ipc_mechanism_t *const *mechanisms; /* ended by NULL; not owned */
    size_t message_bytes;                     /* of the round trips, 8..IPC_MESSAGE_BYTES_MAX */
    int cpus[2];
    uint32_t cpus_count;     /* 1: only cpus[0] may be used */
    const char *one_cpu_why; /* with 1: why there are no rows of two */
    uint64_t duration_ns;    /* of the whole measurement, roughly */
    uint32_t rounds;         /* 1..SERIES_ROUNDS_MAX */
} ipc_plan_t;

/* Odd, 5 or more: one for each two seconds. */
uint32_t ipc_rounds_for(uint64_t duration_ns);

/* What all trials of one kind together needed. */
typedef struct ipc_usage {
    uint64_t messages;
    uint64_t cpu_ns;
    uint64_t syscalls;
    uint64_t context_switches;
} ipc_usage_t;

typedef struct ipc_row {
    const ipc_mechanism_t *mechanism;
    enum ipc_placement placement;
    int cpus[2];
    uint32_t cpus_count;
    bool available;
    bool failed; /* the host has it, and a trial went wrong */
    char why_not[320];
    /* of the round trips, by round */
    series_t p50_ns;
    series_t p99_ns;
    series_t p99_9_ns;
    series_t max_ns;
    /* p50 as a multiple of the raw ping-pong between the two CPUs, in the same round */
    series_t ratio;
    uint64_t roundtrips_count;
    size_t stream_bytes[IPC_SIZES_COUNT];       /* of a message, one way */
    series_t rates[IPC_SIZES_COUNT];            /* messages a second, one way */
    const char *rates_why_not[IPC_SIZES_COUNT]; /* NULL: it was measured */
    series_t synchronisations;                  /* a second; of mechanisms that transfer no data */
    ipc_usage_t roundtrip_usage;
    ipc_usage_t stream_usage; /* of the smallest size */
    bool death_known;
    char death_receive[120]; /* what a survivor saw that waited for a message */
    char death_send[120];    /* and one that went on sending */
    char limits[200];
} ipc_row_t;

typedef struct ipc_measurement {
    ipc_plan_t plan;
    uint64_t elapsed_ns;
    uint32_t rounds; /* that were made: fewer than planned on a machine so busy that time ran out */
    uint32_t rows_count;
    ipc_row_t *rows; /* owned; per mechanism one for two CPUs, one for one */
    ipc_row_t raw[IPC_PLACEMENTS];
} ipc_measurement_t;

/* Of its largest messages, one way; NaN: not measured. */
double ipc_bytes_per_s(const ipc_row_t *row);

/* `done` of `total` trials are behind; the next is this one. */
typedef void (*ipc_progress_t)(uint32_t done, uint32_t total, const char *mechanism);

/* The caller has SIGINT and SIGTERM blocked. A mechanism that fails is a row that says so; an error
 * is returned only when nothing could be measured or somebody interrupted (-EINTR). Free the
 * measurement in either case. */
int ipc_measure(const ipc_plan_t *plan, ipc_leftovers_t *leftovers, ipc_progress_t progress,
                ipc_measurement_t *out_measurement, tbus_error_t *err);
void ipc_measurement_free(ipc_measurement_t *m);

double ipc_per_message(const ipc_usage_t *usage, uint64_t what); /* NaN when there were none */

#endif
