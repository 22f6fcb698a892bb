/* SPDX-License-Identifier: Apache-2.0 */
/* rows.h - the measures of the report: what is run for each, what is read off it, which goal it
 * has; and how they look as a table and as JSON. */
#ifndef TICKBUS_BENCH_ROWS_H
#define TICKBUS_BENCH_ROWS_H

#include "bench/contest.h"

#define REPETITIONS_MAX 101u
#define CONTESTANTS_MAX 16u

/* What a contestant did in one experiment: per repetition, and under each way of polling. */
typedef struct result {
    const contest_peer_t *peer;
    unsigned repetitions[2];
    double p50[2][REPETITIONS_MAX], p99[2][REPETITIONS_MAX]; /* round trips and publishes, ns */
    double rate[REPETITIONS_MAX]; /* streams, million messages a second and taker */
    const char *failed;           /* NULL, or how a trial went wrong */
} result_t;

typedef struct experiment {
    const char *name; /* for --only */
    enum contest_task task;
    enum contest_kind kind;
    uint32_t bytes, burst, senders, takers;
    bool sleeping; /* takers sleep in the kernel */
    bool one_cpu;
    const contest_peer_t *ours, *raw; /* raw may be NULL: there is no bound */
    enum contest_kind raw_kind;
} experiment_t;

enum experiment_index {
    ROUND_TRIP_SPSC,
    ROUND_TRIP_BROADCAST,
    STREAM_SPSC,
    STREAM_BROADCAST,
    STREAM_32,
    STREAM_64,
    STREAM_256,
    STREAM_1024,
    STREAM_4096,
    STREAM_64K,
    STREAM_1M,
    ROUND_TRIP_4096,
    ROUND_TRIP_64K,
    ROUND_TRIP_1M,
    STREAM_BURSTS,
    MPMC_1P1C,
    MPMC_2P2C,
    MPMC_ROUND_TRIP,
    BROADCAST_1_2,
    BROADCAST_1_3,
    WAKE_TWO_CPUS,
    WAKE_ONE_CPU,
    PUBLISH_PARKABLE,
    RECOVERY, /* runs by itself: recovery.h */
    EXPERIMENTS_COUNT
};
enum statistic { P50, P99, RATE, RECOVERY_P99 };

enum verdict { MET, MISSED, NOT_JUDGED };

typedef struct row {
    const char *measure, *unit;
    enum experiment_index experiment;
    enum statistic statistic;
    double goal_raw;   /* ours / raw: at most (times) or at least (rates); 0: no goal */
    double goal_peer;  /* likewise ours / best peer */
    double goal_value; /* at most, in the unit; 0: no goal */
    /* found */
    double ours, raw, best; /* NaN: none */
    const char *best_peer;
} row_t;

extern const experiment_t experiments[EXPERIMENTS_COUNT];

/* Those who take part beside ours and raw, best known first; ends with NULL. */
extern const contest_peer_t *const peers[];

typedef struct report {
    unsigned repetitions;
    int cpus[CONTEST_SIDES_MAX];
    unsigned cpus_count;
    const char *pages;
    bool nice; /* the trials run at nice -20 */
    bool wanted[EXPERIMENTS_COUNT];
    bool no_iceoryx;                      /* built, but its daemon is not here */
    result_t (*results)[CONTESTANTS_MAX]; /* of each experiment: ours, raw, peers in their order */
    double recovery_p50_ms, recovery_p99_ms;
    unsigned recovery_rounds;
} report_t;

/* Medians, best peers and goals, from the results, as a table on stdout. True: every goal was
 * judged, and met. */
bool rows_print(report_t *report);
/* The same as JSON; "met" is null where a goal was not judged. After rows_print. */
void rows_write_json(report_t *report, const char *path);

#endif
