/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline_world.h - a pipeline of two processes that is simulated, message by message, with stalls
 * planted in it, so that it is known what each delay comes from; and the tables that such processes
 * would have noted. A cmocka fixture: make_world, end_world. */
#ifndef TICKBUS_TESTS_PIPELINE_WORLD_H
#define TICKBUS_TESTS_PIPELINE_WORLD_H

#include <stdio.h>
#include <stdlib.h>

#include "tools/latency/cause.h"

#define US       UINT64_C(1000)
#define MS       UINT64_C(1000000)
#define START_NS (UINT64_C(50000) * MS)
#define ROWS     100000u
#define EACH_NS  (10 * US)

enum { FEED, STRATEGY, RECORDER, PROCESSES };

/* --- the simulation */

typedef struct plant {
    uint32_t process;
    tbus_gap_t gap;
} plant_t;

typedef struct world {
    tbus_gaps_t gaps;
    samples_t samples;
    cause_source_t source;
    causes_t causes;
} world_t;

static const char *const stage_of[HOP_PATH] = {
    [HOP_PUBLISH] = "feed", [HOP_SEEN] = "strategy", [HOP_DECIDE] = "strategy",
    [HOP_RISK] = "risk",    [HOP_EXECUTE] = "",      [HOP_REPORT] = "strategy",
};

static inline void add_stage(tbus_gaps_table_t *table, const char *stage)
{
    table->pid = 1;
    snprintf(table->stages[table->stages_count++], TBUS_NAME_MAX, "%s", stage);
}

static inline int make_world(void **state)
{
    world_t *w = calloc(1, sizeof *w);
    tbus_error_t err;
    assert_non_null(w);
    assert_int_equal(tbus_gaps_create(PROCESSES, &w->gaps, &err), 0);
    add_stage(&w->gaps.tables[FEED], "feed");
    add_stage(&w->gaps.tables[STRATEGY], "strategy");
    add_stage(&w->gaps.tables[STRATEGY], "risk");
    add_stage(&w->gaps.tables[RECORDER], "recorder");
    assert_true(samples_create(ROWS, &w->samples));
    assert_true(samples_reserve(&w->samples, HOP_PUBLISH, ROWS, false));
    assert_true(samples_reserve(&w->samples, HOP_SEEN, ROWS, false));
    assert_true(samples_reserve(&w->samples, HOP_TICK_TO_SEEN, ROWS, false));
    w->samples.first_seq = 1;
    w->samples.start_ns = START_NS;
    *state = w;
    return 0;
}

static inline int end_world(void **state)
{
    world_t *w = *state;
    cause_source_clear(&w->source);
    samples_clear(&w->samples);
    tbus_gaps_destroy(&w->gaps);
    free(w);
    return 0;
}

/* A gap of `us` that begins `at_us` after the start; what came to it is filled in by the test. */
static inline tbus_gap_t *plant(world_t *w, uint32_t process, uint64_t at_us, uint64_t us)
{
    tbus_gaps_table_t *table = &w->gaps.tables[process];
    tbus_gap_t *gap = &table->gaps[table->count++];
    *gap = (tbus_gap_t){.begin_ns = START_NS + at_us * US,
                        .end_ns = START_NS + (at_us + us) * US,
                        .kind = TBUS_GAP_TURN};
    return gap;
}

/* SIGSTOP, SIGCONT. */
static inline void plant_stop(world_t *w, uint32_t process, uint64_t at_us, uint64_t us)
{
    tbus_gap_t *gap = plant(w, process, at_us, us);
    gap->off_ns = us * US - 5 * US;
    gap->came = (tbus_gap_sums_t){.continued = 1, .voluntary = 1, .run_delay_ns = 20 * US};
}

static inline void plant_neighbour(world_t *w, uint32_t process, uint64_t at_us, uint64_t us)
{
    tbus_gap_t *gap = plant(w, process, at_us, us);
    gap->off_ns = us * US - 3 * US;
    gap->came = (tbus_gap_sums_t){.involuntary = 3, .run_delay_ns = us * US - 3 * US};
}

static inline void plant_full(world_t *w, uint64_t at_us, uint64_t us, const char *holder)
{
    tbus_gap_t *gap = plant(w, FEED, at_us, us);
    gap->kind = TBUS_GAP_FULL;
    snprintf(gap->topic, sizeof gap->topic, "md");
    snprintf(gap->holder, sizeof gap->holder, "%s", holder);
}

static inline void plant_stalled(world_t *w, uint32_t process, uint64_t at_us, uint64_t us)
{
    plant(w, process, at_us, us)->kind = TBUS_GAP_STALLED;
}

/* When work of `ns` is done that begins at `at` at the earliest, by a process with these gaps. */
static inline uint64_t done_ns(const tbus_gaps_table_t *table, uint64_t at, uint64_t ns)
{
    for (uint64_t i = 0; i < table->count; i++)
        if (table->gaps[i].kind != TBUS_GAP_STALLED && table->gaps[i].begin_ns < at + ns &&
            table->gaps[i].end_ns > at) {
            if (table->gaps[i].begin_ns > at)
                ns -= table->gaps[i].begin_ns - at;
            at = table->gaps[i].end_ns;
        }
    return at + ns;
}

/* Every message is published, 0.3 us, and taken, 0.5 us, one after another. */
static inline void simulate(world_t *w)
{
    samples_t *s = &w->samples;
    uint64_t published = 0, seen = 0;
    s->rows = ROWS;
    for (uint64_t i = 0; i < ROWS; i++) {
        uint64_t due = START_NS + i * EACH_NS;
        published = done_ns(&w->gaps.tables[FEED], due > published ? due : published, 300);
        seen = done_ns(&w->gaps.tables[STRATEGY], published > seen ? published : seen, 500);
        s->intended_ns[i] = i * EACH_NS;
        s->hops[HOP_PUBLISH].ns[i] = published - due;
        s->hops[HOP_SEEN].ns[i] = seen - published;
        s->hops[HOP_TICK_TO_SEEN].ns[i] = seen - due;
    }
    s->hops[HOP_PUBLISH].count = s->hops[HOP_SEEN].count = ROWS;
    s->hops[HOP_TICK_TO_SEEN].count = ROWS;
}

#endif
