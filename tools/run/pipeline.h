/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline.h - the bus that `busctl start` runs on, and the stages on it: instances of kinds
 * (tickbus/kind.h), as the configuration lists them. With those that are there unasked:
 *
 *    topic      ring            from               read by
 *    md         broadcast       feed               strategy, risk, executor, recorder
 *    bbo        broadcast       strategy           recorder; left out while nobody can read it
 *    orders     mpmc            strategy           risk (consumer), recorder
 *    judged     spsc            risk               executor, recorder
 *    approved   broadcast       risk               recorder
 *    reports    broadcast-mp    risk, executor     strategy, risk, recorder
 *    events     broadcast-mp    risk, executor,    recorder
 *                               supervisor
 *
 * All of it is made before anybody is forked, places for subscribers included, so that nobody can
 * miss a message, however late it comes up. Then each process makes the stages that the layout
 * gives it, and runs them.
 */
#ifndef TICKBUS_TOOLS_RUN_PIPELINE_H
#define TICKBUS_TOOLS_RUN_PIPELINE_H

#include <stddef.h>
#include <stdint.h>

#include <tickbus/bus.h>

#include "risk/kill_switch.h"
#include "tools/config/config.h"
#include "tools/run/layout.h"

typedef struct pipeline_stage {
    const config_instance_t *instance; /* not owned */
    uint32_t number;                   /* within its kind, from 1 */
    uint32_t owner;                    /* participant number */
    void *control; /* in the directory: what its kind shares with the supervisor; NULL: nothing */
} pipeline_stage_t;

typedef struct pipeline {
    const config_t *config; /* not owned */
    const layout_t *layout; /* not owned */
    const char *provenance; /* JSON, for the journal; not owned; NULL: none */
    const char *configuration;
    uint64_t md_first_seq; /* 0: 1 */
    uint64_t for_ns;       /* sources end after this long; 0: when their input does */
    tbus_bus_t bus;
    uint32_t stages_count; /* those of the layout, in its order */
    pipeline_stage_t stages[TBUS_INSTANCES_MAX];
    kill_switch_t *kill_switch; /* in the directory of the bus */
    bool stands; /* what is thrown outlives the run, and holds from runs before (standing.h) */
    uint32_t supervisor_owner; /* participant number, to publish events; 0: no such topic */
    /* where its processes note their late turns, while somebody measures (bus/run/gaps.h); not
     * owned. NULL: nobody does */
    const struct tbus_gaps *gaps;
} pipeline_t;

#define PIPELINE_SUPERVISOR "supervisor"
#define PIPELINE_NO_PROCESS UINT32_MAX /* of its participant: it is in none of the layout */

/* A topic that no stage asks for: of a bus that is kept for participants from outside. */
typedef struct pipeline_topic {
    tbus_ring_spec_t spec;
    uint32_t rights; /* enum tbus_rights of participants from outside */
} pipeline_topic_t;

/* Make bus, topics, places and participants. `config` and `layout`, which was planned for the
 * stages of this configuration, must outlive it. -TBUS_ECONFIG when a stage reads a topic that
 * nobody publishes on. `md_first_seq`: of the first message on md; 0: 1, as on all other topics.
 * Cold. */
int pipeline_create(const config_t *config, const layout_t *layout, uint64_t for_ns,
                    uint64_t md_first_seq, pipeline_t *out_pipeline, tbus_error_t *err);
/* Add a topic beside those of the stages, in the pages that the configuration says. */
int pipeline_add_topic(pipeline_t *pipeline, const pipeline_topic_t *topic, tbus_error_t *err);
void pipeline_close(pipeline_t *pipeline);

/* For so long a supervisor may not be heard of before its stages let no order pass any more. */
#define PIPELINE_SILENCE_NS UINT64_C(1000000000)

/* In a process of its own: make the stages of process `index` of the layout, run them until all are
 * told to stop, free them. 0 or a negative error, which the participant's state and reason tell the
 * supervisor as well. `orphaned`: see tbus_loop_t. */
int pipeline_run_process(pipeline_t *pipeline, uint32_t index, const tbus_atomic_u32_t *orphaned);

/* What the rings are made of, and why not of better: one sentence. */
void pipeline_pages_text(const pipeline_t *pipeline, char *out_text, size_t bytes);

#endif
