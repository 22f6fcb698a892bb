/* SPDX-License-Identifier: Apache-2.0 */
/* layout.h - which stages run in which process, on which CPU, and how a process waits.
 *
 *    split                             fused, two CPUs or more      fused, one CPU
 *    [feed]     [strategy]  [risk]     [feed, recorder]             [feed, strategy, risk,
 *    [executor] [recorder]             [strategy, risk, executor]    executor, recorder]
 *
 * The stages of a process take turns in the order of the data path. Those that decide something
 * (strategy, risk, executor) share a process when fused, and with it one view of the market. One
 * that serves who is outside (a gateway) has a process of its own in each of these; it spins where
 * a CPU is left for it, and else parks, so that it takes none of the others' time by waiting.
 * `auto` takes split where every process can have a CPU and one is left for the rest of the host.
 * Processes that outnumber the CPUs are left to the scheduler; but where messages come as fast as
 * they are taken, and processes yield, they are dealt out to the CPUs by the weights of their
 * stages.
 * Where a control group allows less CPU time than the CPUs have (docker --cpus, limits.cpu of
 * Kubernetes), that counts: a group whose processes spin uses its quota up and then stands still
 * for most of each 100 ms.
 *
 * Pure: what the host has comes in as arguments.
 */
#ifndef TICKBUS_TOOLS_RUN_LAYOUT_H
#define TICKBUS_TOOLS_RUN_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/kind.h>

/* In the order of the configuration's choices. */
enum layout_mode { LAYOUT_AUTO, LAYOUT_SPLIT, LAYOUT_FUSED };

#define LAYOUT_BATCH 512u /* the budget of every loop: messages a turn */

/* A stage to be placed. */
typedef struct layout_stage {
    const char *name; /* not owned */
    uint32_t traits;  /* of its kind: enum tbus_kind_traits */
    uint32_t weight;  /* of a message, beside those of the others; 0 counts as 1 */
} layout_stage_t;

typedef struct layout_process {
    uint32_t stages_count;
    uint32_t stages[TBUS_INSTANCES_MAX]; /* indexes into those of the layout, ascending */
    int32_t cpu;                         /* to be pinned to, or -1 */
    enum tbus_wait_mode wait;            /* never AUTO: that of the layout, or PARK */
} layout_process_t;

typedef struct layout {
    enum layout_mode mode;    /* never AUTO */
    enum tbus_wait_mode wait; /* never AUTO */
    uint32_t cpus_count;      /* CPUs that the choice was made for */
    uint32_t quota_milli;     /* what a control group allows of them, 1/1000 CPU; 0: all */
    const char *quota_file;   /* not owned */
    uint32_t stages_count;
    layout_stage_t stages[TBUS_INSTANCES_MAX]; /* in the order of the data path */
    uint32_t processes_count;
    layout_process_t processes[TBUS_INSTANCES_MAX];
    char warning[320]; /* "" or what was asked for and cannot be had */
} layout_t;

typedef struct layout_request {
    enum layout_mode mode;
    enum tbus_wait_mode wait;
    uint32_t stages_count;
    const layout_stage_t *stages; /* in the order of the data path; copied */
    bool pin;
    bool unpaced;           /* messages come as fast as they are taken */
    uint32_t allowed_count; /* CPUs that this process may use, ascending */
    const uint32_t *allowed;
    uint32_t quota_milli;   /* CPU time that a control group allows, 1/1000 CPU; 0: no limit */
    const char *quota_file; /* which says so; must outlive the layout */
    uint32_t wanted_count;  /* 0: all of those */
    const uint32_t *wanted;
} layout_request_t;

void layout_plan(const layout_request_t *request, layout_t *out_layout);

/* CPUs that the calling process may use (its affinity mask), ascending; at least one. Returns how
 * many. */
uint32_t layout_allowed_cpus(uint32_t *out_cpus, uint32_t cpus_max);

/* "split", "fused". */
const char *layout_mode_name(enum layout_mode mode);
/* "feed+recorder": the names of the stages of process `index`. */
void layout_process_name(const layout_t *layout, uint32_t index, char *out_text, size_t bytes);
/* "fused on 2 CPUs: [feed recorder] cpu 0, [strategy risk executor] cpu 1; waiting: spin". */
void layout_text(const layout_t *layout, char *out_text, size_t bytes);

#endif
