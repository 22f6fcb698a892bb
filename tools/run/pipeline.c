/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/pipeline.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tickbus/stage.h>

#include "bus/journal/recorder.h"
#include <tickbus/market/market.h>
#include "feedsim/feed.h"
#include "risk/venue/executor.h"
#include "risk/stage.h"
#include "strategy/stage.h"
#include "tools/run/allocation.h"

#define HUGE_PAGE_BYTES (UINT64_C(2) << 20)
#define READERS_MAX     4

typedef struct reader {
    enum stage_id stage;
    enum tbus_sub_role role;
} reader_t;

typedef struct topic_plan {
    const char *name;
    const char *type;
    enum tbus_ring_kind kind;
    size_t slots_offset; /* of the uint32_t in config_t */
    uint32_t readers_count;
    reader_t readers[READERS_MAX];
} topic_plan_t;

static const topic_plan_t topics[] = {
    {"md",
     "tick",
     TBUS_BROADCAST,
     offsetof(config_t, topics.md_slots),
     4,
     {{STAGE_STRATEGY, TBUS_SUBSCRIBER},
      {STAGE_RISK, TBUS_SUBSCRIBER},
      {STAGE_EXECUTOR, TBUS_SUBSCRIBER},
      {STAGE_RECORDER, TBUS_FOLLOWER}}},
    {"bbo",
     "bbo",
     TBUS_BROADCAST,
     offsetof(config_t, topics.bbo_slots),
     1,
     {{STAGE_RECORDER, TBUS_FOLLOWER}}},
    {"orders",
     "order",
     TBUS_MPMC,
     offsetof(config_t, topics.orders_slots),
     2,
     {{STAGE_RISK, TBUS_CONSUMER}, {STAGE_RECORDER, TBUS_FOLLOWER}}},
    {"approved",
     "order",
     TBUS_SPSC,
     offsetof(config_t, topics.approved_slots),
     2,
     {{STAGE_EXECUTOR, TBUS_SUBSCRIBER}, {STAGE_RECORDER, TBUS_FOLLOWER}}},
    {"reports",
     "report",
     TBUS_BROADCAST_MP,
     offsetof(config_t, topics.reports_slots),
     3,
     {{STAGE_STRATEGY, TBUS_SUBSCRIBER},
      {STAGE_RISK, TBUS_SUBSCRIBER},
      {STAGE_RECORDER, TBUS_FOLLOWER}}},
};
#define TOPICS_COUNT (sizeof topics / sizeof topics[0])

/* --- the bus */

/* A tick is one slot; what ITCH 5.0 does not know may be longer, and goes over several, up to what
 * the ring can hold. */
static uint32_t tick_bytes_max(uint32_t slot_bytes, uint32_t slot_count)
{
    uint64_t quarter = (uint64_t)(slot_bytes - TBUS_SLOT_WORD_BYTES) * (slot_count / 4) - 8;
    return quarter < TICK_LEN_MAX ? (uint32_t)quarter : TICK_LEN_MAX;
}

static tbus_ring_spec_t ring_spec(const config_t *config, const topic_plan_t *plan)
{
    tbus_ring_spec_t spec = {.kind = plan->kind, .slot_bytes = TBUS_SLOT_BYTES_MIN, .first_seq = 1};
    snprintf(spec.name, sizeof spec.name, "%s", plan->name);
    memcpy(&spec.slot_count, (const char *)config + plan->slots_offset, sizeof spec.slot_count);
    if (strcmp(plan->type, "tick") == 0)
        spec.msg_bytes_max = tick_bytes_max(spec.slot_bytes, spec.slot_count);
    return spec;
}

static int add_topic(pipeline_t *p, const topic_plan_t *plan, tbus_error_t *err)
{
    tbus_ring_spec_t spec = ring_spec(p->config, plan);
    int index =
        tbus_bus_add_topic(&p->bus, &spec, plan->type, (enum tbus_pages)p->config->bus.pages,
                           p->config->bus.numa_node, err);
    for (uint32_t i = 0; index >= 0 && i < plan->readers_count; i++) {
        const reader_t *reader = &plan->readers[i];
        if (!p->owners[reader->stage])
            continue;
        int place = tbus_ring_reserve(&p->bus.rings[index], layout_stage_name(reader->stage),
                                      reader->role, err);
        if (place < 0)
            return place;
    }
    return index < 0 ? index : 0;
}

static int add_participants(pipeline_t *p, tbus_error_t *err)
{
    for (uint32_t i = 0; i < p->layout->processes_count; i++)
        for (uint32_t k = 0; k < p->layout->processes[i].stages_count; k++) {
            enum stage_id stage = p->layout->processes[i].stages[k];
            int owner = tbus_participant_add(&p->bus, layout_stage_name(stage), err);
            if (owner < 0)
                return owner;
            p->owners[stage] = (uint32_t)owner;
            tbus_participant_t *block = tbus_participant(&p->bus, (uint32_t)owner);
            block->process = i;
            block->wait_mode = p->layout->wait;
        }
    return 0;
}

static uint64_t meminfo_pages(const char *key)
{
    FILE *f = fopen("/proc/meminfo", "re");
    char line[128];
    unsigned long long value = 0;
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0 &&
            sscanf(line + strlen(key), " %llu", &value) == 1)
            break;
    if (f)
        fclose(f);
    return value;
}

/* In the pool, and promised to nobody. */
static uint64_t free_huge_pages(void)
{
    uint64_t free_pages = meminfo_pages("HugePages_Free:");
    uint64_t promised = meminfo_pages("HugePages_Rsvd:");
    return free_pages > promised ? free_pages - promised : 0;
}

/* What all rings take when they insist on huge pages: the one at which the pool ran dry is no help.
 * Says nothing new when there are enough of them and something else is wrong. */
static void tell_huge_pages_needed(const config_t *config, tbus_error_t *err)
{
    uint64_t needed = 0;
    for (size_t i = 0; i < TOPICS_COUNT; i++) {
        tbus_ring_spec_t spec = ring_spec(config, &topics[i]);
        needed += (tbus_ring_footprint(&spec) + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES;
    }
    uint64_t free_pages = free_huge_pages();
    if (free_pages < needed)
        tbus_fail(err, err->code,
                  "the rings need %llu huge pages of 2 MiB and %llu are free: sysctl "
                  "vm.nr_hugepages=%llu, "
                  "or do with smaller pages (--pages auto)",
                  (unsigned long long)needed, (unsigned long long)free_pages,
                  (unsigned long long)(meminfo_pages("HugePages_Total:") + needed - free_pages));
}

static int make_limits_box(pipeline_t *p, tbus_error_t *err)
{
    void *box = mmap(NULL, sizeof *p->limits_box, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (box == MAP_FAILED)
        return tbus_fail(err, -errno, "no memory for the risk limits: %s", tbus_strerror(-errno));
    p->limits_box = box;
    return 0;
}

int pipeline_create(const config_t *config, const layout_t *layout, uint64_t for_ns,
                    pipeline_t *out_pipeline, tbus_error_t *err)
{
    pipeline_t p = {.config = config, .layout = layout, .for_ns = for_ns};
    int code = tbus_bus_create(config->bus.name, &p.bus, err);
    if (code < 0)
        return code;
    code = make_limits_box(&p, err);
    if (code == 0)
        code = add_participants(&p, err);
    for (size_t i = 0; code == 0 && i < TOPICS_COUNT; i++)
        code = add_topic(&p, &topics[i], err);
    if (code < 0) {
        pipeline_close(&p);
        if (config->bus.pages == TBUS_PAGES_HUGETLB)
            tell_huge_pages_needed(config, err);
        return code;
    }
    /* Before the fork: two processes that add one each at the same time would get in each other's
     * way. */
    tbus_bus_histogram(&p.bus, "tick_to_order");
    tbus_bus_histogram(&p.bus, "tick_to_report");
    *out_pipeline = p;
    return 0;
}

void pipeline_close(pipeline_t *pipeline)
{
    tbus_bus_close(&pipeline->bus);
    if (pipeline->limits_box)
        munmap(pipeline->limits_box, sizeof *pipeline->limits_box);
}

/* --- what the rings are made of */

/* What the first ring in smaller pages was told. */
static const char *why_pages_are_no_better(const tbus_bus_t *bus)
{
    for (uint32_t i = 0; i < bus->topics_count; i++)
        if (bus->topic_segments[i].pages_why[0])
            return bus->topic_segments[i].pages_why;
    return "";
}

void pipeline_pages_text(const pipeline_t *pipeline, char *out_text, size_t bytes)
{
    const tbus_directory_t *d = pipeline->bus.directory;
    size_t used = (size_t)snprintf(out_text, bytes, "memory:");
    uint64_t missing = 0; /* huge pages that would hold what is in smaller ones */
    for (enum tbus_pages pages = TBUS_PAGES_HUGETLB; pages <= TBUS_PAGES_SMALL; pages++) {
        bool any = false;
        for (uint32_t i = 0; i < pipeline->bus.topics_count && used < bytes; i++) {
            if (d->topics[i].pages != (uint32_t)pages)
                continue;
            used += (size_t)snprintf(out_text + used, bytes - used, "%s %s", any ? "," : "",
                                     d->topics[i].name);
            any = true;
            if (pages != TBUS_PAGES_HUGETLB)
                missing += (d->topics[i].bytes + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES;
        }
        if (any && used < bytes)
            used += (size_t)snprintf(out_text + used, bytes - used, " in %s pages;",
                                     tbus_pages_name(pages));
    }
    if (used >= bytes)
        return;
    out_text[--used] = 0; /* the last semicolon */
    if (!missing || pipeline->config->bus.pages != TBUS_PAGES_AUTO)
        return;
    uint64_t free_pages = free_huge_pages();
    if (free_pages < missing)
        snprintf(out_text + used, bytes - used, "; for huge pages: sysctl vm.nr_hugepages=%llu",
                 (unsigned long long)(meminfo_pages("HugePages_Total:") + missing - free_pages));
    else /* there are enough; a larger pool would not help */
        snprintf(out_text + used, bytes - used, "; %s", why_pages_are_no_better(&pipeline->bus));
}

/* --- one process */

typedef struct crew {
    pipeline_t *pipeline;
    market_t *market; /* shared by the stages of the process; NULL until one needs it */
    uint32_t stages_count;
    tbus_stage_t *stages[STAGES_COUNT];
    tbus_error_t error;
} crew_t;

static int make_market(crew_t *crew)
{
    return crew->market
               ? 0
               : market_create(&crew->pipeline->config->books, &crew->market, &crew->error);
}

static int make_feed(crew_t *crew, uint32_t owner, tbus_stage_t **out_stage)
{
    const config_t *config = crew->pipeline->config;
    feed_params_t params = {.source = config->feed.source,
                            .pace = config_pace(config),
                            .for_ns = crew->pipeline->for_ns};
    return feed_stage_create(&crew->pipeline->bus, owner, &params, out_stage, &crew->error);
}

static int make_strategy(crew_t *crew, uint32_t owner, tbus_stage_t **out_stage)
{
    const config_t *config = crew->pipeline->config;
    strategy_stage_params_t params = {.strategy = strategy_find(config->strategy.name),
                                      .params = config->strategy.params,
                                      .number = 1};
    int code = make_market(crew);
    return code ? code
                : strategy_stage_create(&crew->pipeline->bus, owner, crew->market, &params,
                                        out_stage, &crew->error);
}

static int make_risk(crew_t *crew, uint32_t owner, tbus_stage_t **out_stage)
{
    risk_params_t params = crew->pipeline->config->risk;
    params.limits_box = crew->pipeline->limits_box;
    int code = make_market(crew);
    return code ? code
                : risk_stage_create(&crew->pipeline->bus, owner, crew->market, &params, out_stage,
                                    &crew->error);
}

static int make_executor(crew_t *crew, uint32_t owner, tbus_stage_t **out_stage)
{
    int code = make_market(crew);
    return code ? code
                : executor_stage_create(&crew->pipeline->bus, owner, crew->market,
                                        &crew->pipeline->config->executor, out_stage, &crew->error);
}

static int make_recorder(crew_t *crew, uint32_t owner, tbus_stage_t **out_stage)
{
    const config_t *config = crew->pipeline->config;
    recorder_params_t params = {.directory = config->journal.directory,
                                .segment_bytes = config->journal.segment_bytes};
    return tbus_recorder_create(&crew->pipeline->bus, owner, &params, out_stage, &crew->error);
}

/* A stage that cannot be made fails its whole process; the reason is kept where the supervisor
 * looks. */
static int make_stage(crew_t *crew, enum stage_id stage)
{
    static int (*const make[STAGES_COUNT])(crew_t *, uint32_t, tbus_stage_t **) = {
        [STAGE_FEED] = make_feed,         [STAGE_STRATEGY] = make_strategy,
        [STAGE_RISK] = make_risk,         [STAGE_EXECUTOR] = make_executor,
        [STAGE_RECORDER] = make_recorder,
    };
    uint32_t owner = crew->pipeline->owners[stage];
    tbus_participant_t *block = tbus_participant(&crew->pipeline->bus, owner);
    /* The life lock first: a place on a ring that is held without it counts as a dead one's. It is
     * never closed. */
    int code = tbus_participant_live(&crew->pipeline->bus, owner, &crew->error);
    if (code >= 0)
        code = make[stage](crew, owner, &crew->stages[crew->stages_count]);
    if (code == 0) {
        crew->stages_count++;
        return 0;
    }
    snprintf(block->reason, sizeof block->reason, "%s",
             crew->error.code ? crew->error.text : tbus_strerror(code));
    tbus_store_release_u32(&block->state, TBUS_FAIL);
    return code;
}

int pipeline_run_process(pipeline_t *pipeline, uint32_t index, const tbus_atomic_u32_t *orphaned)
{
    const layout_process_t *plan = &pipeline->layout->processes[index];
    crew_t crew = {.pipeline = pipeline};
    int code = 0;
    for (uint32_t i = 0; code == 0 && i < plan->stages_count; i++)
        code = make_stage(&crew, plan->stages[i]);
    if (code == 0) {
        tbus_loop_t loop = {.bus = &pipeline->bus,
                            .stages = crew.stages,
                            .stages_count = crew.stages_count,
                            .budget = LAYOUT_BATCH,
                            .step_first = plan->step_first,
                            .step_count = plan->step_count,
                            .orphaned = orphaned,
                            .allocated_bytes = allocation_meter()};
        tbus_waiter_init(&loop.waiter, pipeline->layout->wait);
        code = tbus_loop_run(&loop);
    }
    while (crew.stages_count--)
        crew.stages[crew.stages_count]->ops->destroy(crew.stages[crew.stages_count]);
    market_destroy(crew.market);
    return code;
}
