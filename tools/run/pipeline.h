/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline.h - the bus that `busctl start` runs on, and the stages on it.
 *
 *    topic      ring            from               read by
 *    md         broadcast       feed               strategy, risk, executor, recorder
 *    bbo        broadcast       strategy           recorder
 *    orders     mpmc            strategy           risk (consumer), recorder
 *    approved   spsc            risk               executor, recorder
 *    reports    broadcast-mp    risk, executor     strategy, risk, recorder
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

#include "tools/config/config.h"
#include "tools/run/layout.h"

typedef struct pipeline {
    const config_t *config; /* not owned */
    const layout_t *layout; /* not owned */
    uint64_t for_ns;        /* the feed ends after this long; 0: when its source does */
    tbus_bus_t bus;
    limits_box_t *limits_box;      /* owned; shared with the processes that are forked */
    uint32_t owners[STAGES_COUNT]; /* participant numbers; 0: no such stage in this layout */
} pipeline_t;

/* Make bus, topics, places and participants. `config` and `layout` must outlive it. Cold. */
int pipeline_create(const config_t *config, const layout_t *layout, uint64_t for_ns,
                    pipeline_t *out_pipeline, tbus_error_t *err);
void pipeline_close(pipeline_t *pipeline);

/* In a process of its own: make the stages of process `index` of the layout, run them until all are
 * told to stop, free them. 0 or a negative error, which the participant's state and reason tell the
 * supervisor as well. `orphaned`: see tbus_loop_t. */
int pipeline_run_process(pipeline_t *pipeline, uint32_t index, const tbus_atomic_u32_t *orphaned);

/* What the rings are made of, and why not of better: one sentence. */
void pipeline_pages_text(const pipeline_t *pipeline, char *out_text, size_t bytes);

#endif
