/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/pipeline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <tickbus/msg/event.h>
#include <tickbus/stage.h>

#include "bus/run/gaps.h"
#include "bus/run/stamps.h"
#include "tools/measure/process_state.h"
#include "tools/run/allocation.h"
#include "tools/run/orphan.h"

#define HUGE_PAGE_BYTES (UINT64_C(2) << 20)
/* Some turns of those who share the CPU (bench/README.md, "The whole pipeline"). */
#define YIELD_NS UINT64_C(100000)

/* --- the bus */

/* Does one of the stages publish on it? */
static bool has_publisher(const pipeline_t *p, const char *topic)
{
    for (uint32_t i = 0; i < p->stages_count; i++)
        if (kinds_publish(p->stages[i].instance->kind, topic))
            return true;
    return false;
}

/* The next topic of this pipeline at or after *index, which moves behind it; NULL: no more. */
static const tbus_port_t *next_topic(const pipeline_t *p, uint32_t *index)
{
    const tbus_port_t *port;
    while ((port = kinds_topic_at((*index)++)) != NULL)
        if (has_publisher(p, port->topic))
            return port;
    return NULL;
}

/* A message goes into one slot; where a kind sends longer ones, over several, up to what the ring
 * can hold. */
static uint32_t msg_bytes_max(const tbus_port_t *port, uint32_t slot_bytes, uint32_t slot_count)
{
    uint64_t quarter = (uint64_t)(slot_bytes - TBUS_SLOT_WORD_BYTES) * (slot_count / 4) - 8;
    return quarter < port->msg_bytes_max ? (uint32_t)quarter : port->msg_bytes_max;
}

static tbus_ring_spec_t ring_spec(const config_t *config, const tbus_port_t *port)
{
    tbus_ring_spec_t spec = {.kind = port->ring,
                             .slot_bytes =
                                 port->slot_bytes ? port->slot_bytes : TBUS_SLOT_BYTES_MIN,
                             .slot_count = config_topic_slots(config, port->topic),
                             .first_seq = 1};
    snprintf(spec.name, sizeof spec.name, "%s", port->topic);
    spec.msg_bytes_max = msg_bytes_max(port, spec.slot_bytes, spec.slot_count);
    return spec;
}

static bool takes(const tbus_port_t *port, const char *topic)
{
    return port->role != TBUS_PORT_PUBLISH && (!port->topic || strcmp(port->topic, topic) == 0);
}

static int reserve_places(pipeline_t *p, int index, const char *topic, tbus_error_t *err)
{
    static const enum tbus_sub_role roles[] = {[TBUS_PORT_SUBSCRIBE] = TBUS_SUBSCRIBER,
                                               [TBUS_PORT_CONSUME] = TBUS_CONSUMER,
                                               [TBUS_PORT_FOLLOW] = TBUS_FOLLOWER};
    for (uint32_t i = 0; i < p->stages_count; i++) {
        const config_instance_t *instance = p->stages[i].instance;
        for (uint32_t k = 0; k < instance->kind->ports_count; k++) {
            const tbus_port_t *port = &instance->kind->ports[k];
            if (!takes(port, topic))
                continue;
            int place =
                tbus_ring_reserve(&p->bus.rings[index], instance->name, roles[port->role], err);
            if (place < 0)
                return place;
        }
    }
    return 0;
}

/* Does one of the stages read it? Those that serve observe what their values name. */
static bool has_reader(const pipeline_t *p, const char *topic)
{
    for (uint32_t i = 0; i < p->stages_count; i++) {
        const tbus_kind_t *kind = p->stages[i].instance->kind;
        if (kind->traits & (TBUS_KIND_SERVES | TBUS_KIND_RECORDS))
            return true;
        for (uint32_t k = 0; k < kind->ports_count; k++)
            if (takes(&kind->ports[k], topic))
                return true;
    }
    return false;
}

/* Until the supervisor hands it out (handout.h): may its messages be left out? Not in a run that is
 * held for those who come when its source has ended, nor where somebody has rights: what a
 * subscriber from outside gets is not to depend on who came before it. */
static bool is_left_out(const pipeline_t *p, const tbus_port_t *port)
{
    return port->may_be_left_out && !p->config->bus.hold &&
           !config_topic_rights(p->config, port->topic) && !has_reader(p, port->topic);
}

/* Its index. */
static int add_topic(pipeline_t *p, const tbus_ring_spec_t *spec, const char *type,
                     enum tbus_pages pages, uint32_t rights, tbus_error_t *err)
{
    int index = tbus_bus_add_topic(&p->bus, spec, type, pages, p->config->bus.numa_node, err);
    if (index >= 0)
        p->bus.directory->topics[index].rights = rights;
    return index;
}

static enum tbus_pages pages_of(const pipeline_t *p, const tbus_port_t *port)
{
    return port->seldom ? TBUS_PAGES_SMALL : (enum tbus_pages)p->config->bus.pages;
}

static void describe_topic(tbus_topic_t *topic, const tbus_port_t *port, bool left_out)
{
    topic->type_version = port->type_version;
    tbus_store_relaxed_u32(&topic->left_out, left_out); /* hint: before the fork */
}

static int add_topics(pipeline_t *p, tbus_error_t *err)
{
    const tbus_port_t *port;
    for (uint32_t i = 0; (port = next_topic(p, &i)) != NULL;) {
        tbus_ring_spec_t spec = ring_spec(p->config, port);
        if (p->md_first_seq != 0 && strcmp(port->topic, "md") == 0)
            spec.first_seq = p->md_first_seq;
        int index = add_topic(p, &spec, port->type, pages_of(p, port),
                              config_topic_rights(p->config, port->topic), err);
        if (index >= 0)
            describe_topic(&p->bus.directory->topics[index], port, is_left_out(p, port));
        int code = index < 0 ? index : reserve_places(p, index, port->topic, err);
        if (code < 0)
            return code;
    }
    return 0;
}

/* Nobody waits for ever for a topic that does not exist. */
static int check_ports(const pipeline_t *p, tbus_error_t *err)
{
    for (uint32_t i = 0; i < p->stages_count; i++) {
        const config_instance_t *instance = p->stages[i].instance;
        for (uint32_t k = 0; k < instance->kind->ports_count; k++) {
            const char *topic = instance->kind->ports[k].topic;
            if (topic && !has_publisher(p, topic))
                return tbus_fail(err, -TBUS_ECONFIG,
                                 "stage '%s' reads the topic '%s', on which no stage publishes",
                                 instance->name, topic);
        }
    }
    return 0;
}

/* The supervisor publishes on `events`, where that topic is. */
static int add_supervisor(pipeline_t *p, tbus_error_t *err)
{
    if (!has_publisher(p, EVENT_TOPIC))
        return 0;
    int owner = tbus_participant_add(&p->bus, PIPELINE_SUPERVISOR, err);
    if (owner < 0)
        return owner;
    p->supervisor_owner = (uint32_t)owner;
    tbus_participant(&p->bus, p->supervisor_owner)->process = PIPELINE_NO_PROCESS;
    return 0;
}

static int add_participants(pipeline_t *p, tbus_error_t *err)
{
    for (uint32_t i = 0; i < p->layout->processes_count; i++)
        for (uint32_t k = 0; k < p->layout->processes[i].stages_count; k++) {
            pipeline_stage_t *stage = &p->stages[p->layout->processes[i].stages[k]];
            int owner = tbus_participant_add(&p->bus, stage->instance->name, err);
            if (owner < 0)
                return owner;
            stage->owner = (uint32_t)owner;
            tbus_participant_t *block = tbus_participant(&p->bus, stage->owner);
            block->process = i;
            block->wait_mode = p->layout->processes[i].wait;
            block->bystander = (stage->instance->kind->traits & TBUS_KIND_SERVES) != 0;
        }
    return 0;
}

/* False: it cannot be asked. */
static bool read_meminfo(const char *key, uint64_t *out_value)
{
    FILE *f = fopen("/proc/meminfo", "re");
    char line[128];
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f))
        found = strncmp(line, key, strlen(key)) == 0 &&
                sscanf(line + strlen(key), " %" SCNu64, out_value) == 1;
    if (f)
        fclose(f);
    return found;
}

/* The pool of huge pages: all, and those in it that are promised to nobody. False: not known. */
static bool read_pool(uint64_t *out_total, uint64_t *out_free)
{
    uint64_t promised;
    if (!read_meminfo("HugePages_Total:", out_total) ||
        !read_meminfo("HugePages_Free:", out_free) || !read_meminfo("HugePages_Rsvd:", &promised))
        return false;
    *out_free = *out_free > promised ? *out_free - promised : 0;
    return true;
}

/* What all rings take when they insist on huge pages: the one at which the pool ran dry is no help.
 * Says nothing new when there are enough of them and something else is wrong. */
static void tell_huge_pages_needed(const pipeline_t *p, tbus_error_t *err)
{
    uint64_t needed = 0;
    const tbus_port_t *port;
    for (uint32_t i = 0; (port = next_topic(p, &i)) != NULL;) {
        tbus_ring_spec_t spec = ring_spec(p->config, port);
        if (pages_of(p, port) == TBUS_PAGES_SMALL)
            continue;
        needed += (tbus_ring_footprint(&spec) + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES;
    }
    uint64_t total_pages, free_pages;
    if (read_pool(&total_pages, &free_pages) && free_pages < needed)
        tbus_fail(err, err->code,
                  "the rings need %llu huge pages of 2 MiB and %llu are free: sysctl "
                  "vm.nr_hugepages=%llu, "
                  "or do with smaller pages (--pages auto)",
                  (unsigned long long)needed, (unsigned long long)free_pages,
                  (unsigned long long)(total_pages + needed - free_pages));
}

/* What stages and supervisor share beside the rings. */
static int add_blocks(pipeline_t *p, tbus_error_t *err)
{
    int code = kill_switch_add(&p->bus, &p->kill_switch, err);
    for (uint32_t i = 0; code == 0 && i < p->stages_count; i++) {
        const config_instance_t *instance = p->stages[i].instance;
        char name[TBUS_BLOCK_NAME_MAX];
        if (!instance->kind->control)
            continue;
        snprintf(name, sizeof name, "%s.%s", instance->name, instance->kind->control);
        code = tbus_bus_add_block(&p->bus, name, instance->kind->control_bytes,
                                  &p->stages[i].control, err);
    }
    return code;
}

/* All of them from the start, so that the summary knows those in which nothing was recorded. */
static void add_histograms(pipeline_t *p)
{
    for (uint32_t i = 0; i < p->stages_count; i++) {
        const char *const *names = p->stages[i].instance->kind->histograms;
        for (; names && *names; names++) {
            char name[TBUS_NAME_MAX];
            snprintf(name, sizeof name, p->stages[i].number == 1 ? "%s" : "%s.%u", *names,
                     p->stages[i].number);
            tbus_bus_histogram(&p->bus, name);
        }
    }
}

static void know_stages(pipeline_t *p)
{
    config_stage_t stages[TBUS_INSTANCES_MAX];
    p->stages_count = config_stages(p->config, stages);
    for (uint32_t i = 0; i < p->stages_count; i++)
        p->stages[i] =
            (pipeline_stage_t){.instance = stages[i].instance, .number = stages[i].number};
}

int pipeline_create(const config_t *config, const layout_t *layout, uint64_t for_ns,
                    uint64_t md_first_seq, pipeline_t *out_pipeline, tbus_error_t *err)
{
    pipeline_t p = {
        .config = config, .layout = layout, .for_ns = for_ns, .md_first_seq = md_first_seq};
    know_stages(&p);
    int code = tbus_bus_create(config->bus.name, &p.bus, err);
    if (code < 0)
        return code;
    code = check_ports(&p, err);
    if (code == 0)
        code = add_blocks(&p, err);
    if (code == 0)
        code = add_participants(&p, err);
    if (code == 0)
        code = add_supervisor(&p, err);
    if (code == 0)
        code = add_topics(&p, err);
    if (code < 0) {
        pipeline_close(&p);
        if (code != -TBUS_ECONFIG && config->bus.pages == TBUS_PAGES_HUGETLB)
            tell_huge_pages_needed(&p, err);
        return code;
    }
    add_histograms(&p);
    *out_pipeline = p;
    return 0;
}

int pipeline_add_topic(pipeline_t *pipeline, const pipeline_topic_t *topic, tbus_error_t *err)
{
    int index = add_topic(pipeline, &topic->spec, "bytes",
                          (enum tbus_pages)pipeline->config->bus.pages, topic->rights, err);
    return index < 0 ? index : 0;
}

void pipeline_close(pipeline_t *pipeline)
{
    tbus_bus_close(&pipeline->bus);
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

/* In small pages on purpose. */
static bool is_seldom(const pipeline_t *p, const char *topic)
{
    const tbus_port_t *port;
    for (uint32_t i = 0; (port = next_topic(p, &i)) != NULL;)
        if (strcmp(port->topic, topic) == 0)
            return port->seldom;
    return false;
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
            if (pages != TBUS_PAGES_HUGETLB && !is_seldom(pipeline, d->topics[i].name))
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
    uint64_t total_pages, free_pages;
    if (!read_pool(&total_pages, &free_pages))
        return;
    if (free_pages < missing)
        snprintf(out_text + used, bytes - used, "; for huge pages: sysctl vm.nr_hugepages=%llu",
                 (unsigned long long)(total_pages + missing - free_pages));
    else /* there are enough; a larger pool would not help */
        snprintf(out_text + used, bytes - used, "; %s", why_pages_are_no_better(&pipeline->bus));
}

/* --- one process */

/* What was made so far of the stages of this process. */
typedef struct running {
    pipeline_t *pipeline;
    tbus_crew_t crew;
    uint32_t stages_count;
    tbus_stage_t *stages[TBUS_INSTANCES_MAX];
    tbus_error_t error;
} running_t;

/* What all stages together may have under way. */
static uint32_t messages_max(const pipeline_t *p)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < p->stages_count; i++) {
        const config_instance_t *instance = p->stages[i].instance;
        if (instance->kind->messages_max)
            sum += instance->kind->messages_max(config_instance_values(instance));
    }
    return sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}

/* Those whose orders risk judges. `sections`: room for where each is configured. */
static uint32_t find_traders(const pipeline_t *p, tbus_trader_t out_traders[TBUS_INSTANCES_MAX],
                             char sections[TBUS_INSTANCES_MAX][CONFIG_PATH_MAX])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->stages_count; i++) {
        const config_instance_t *instance = p->stages[i].instance;
        if (!(instance->kind->traits & TBUS_KIND_TRADES))
            continue;
        config_instance_section(instance, sections[count]);
        out_traders[count] = (tbus_trader_t){.name = instance->name,
                                             .section = sections[count],
                                             .number = p->stages[i].number,
                                             .table = instance->kind->params,
                                             .params = config_instance_values(instance),
                                             .control = p->stages[i].control};
        count++;
    }
    return count;
}

/* A stage that cannot be made fails its whole process; the reason is kept where the supervisor
 * looks. */
static int make_stage(running_t *r, const pipeline_stage_t *stage)
{
    const config_instance_t *instance = stage->instance;
    const tbus_resource_t *const *resources = instance->kind->resources;
    tbus_trader_t traders[TBUS_INSTANCES_MAX];
    char sections[TBUS_INSTANCES_MAX][CONFIG_PATH_MAX];
    tbus_stage_request_t request = {.bus = &r->pipeline->bus,
                                    .owner = stage->owner,
                                    .name = instance->name,
                                    .number = stage->number,
                                    .params = config_instance_values(instance),
                                    .variant_params = config_variant_values(instance),
                                    .control = stage->control,
                                    .provenance = r->pipeline->provenance,
                                    .configuration = r->pipeline->configuration,
                                    .messages_max = messages_max(r->pipeline),
                                    .no_orders = config_has_no_orders(r->pipeline->config),
                                    .for_ns = r->pipeline->for_ns,
                                    .journal = config_journal(r->pipeline->config),
                                    .crew = &r->crew,
                                    .traders_count = find_traders(r->pipeline, traders, sections),
                                    .traders = traders,
                                    .drain_ns = r->pipeline->config->bus.drain_s_max *
                                                UINT64_C(1000000000)};
    tbus_participant_t *block = tbus_participant(&r->pipeline->bus, stage->owner);
    /* The life lock first: a place on a ring that is held without it counts as a dead one's. It is
     * never closed. */
    int code = tbus_participant_live(&r->pipeline->bus, stage->owner, &r->error);
    for (uint32_t i = 0; code >= 0 && resources && resources[i]; i++)
        code = tbus_crew_offer(&r->crew, resources[i],
                               config_resource_values(r->pipeline->config, resources[i]));
    if (code >= 0)
        code = instance->kind->create(&request, &r->stages[r->stages_count], &r->error);
    if (code == 0) {
        r->stages_count++;
        return 0;
    }
    snprintf(block->reason, sizeof block->reason, "%s",
             r->error.code ? r->error.text : tbus_strerror(code));
    tbus_store_release_u32(&block->state, TBUS_FAIL); /* O1 pairs O2 (blame): the reason */
    return code;
}

/* Nobody supervises any more: no order is to pass. */
static void halt_orphan(void *context)
{
    const pipeline_t *pipeline = context;
    kill_switch_throw_once(pipeline->kill_switch, KILL_BY_ORPHAN, "the supervisor has died");
}

/* Nobody could halt this run, or would see that it goes wrong: no order is to pass until somebody
 * looks after it again. */
static void halt_unattended(void *context, uint64_t now_ns)
{
    const pipeline_t *pipeline = context;
    kill_switch_t *kill_switch = pipeline->kill_switch;
    if (TBUS_LIKELY(kill_switch_silence_ns(kill_switch, now_ns) < PIPELINE_SILENCE_NS) ||
        kill_switch_thrown(kill_switch))
        return;
    /* One that only waits for its turn on a CPU will be heard of; one that is stopped, or waits for
     * something else, may not. Looked at once more, since it may just have had its turn. */
    if (process_state_is(getppid(), "R") ||
        kill_switch_silence_ns(kill_switch, tbus_clock_ns()) < PIPELINE_SILENCE_NS)
        return;
    kill_switch_throw_once(kill_switch, KILL_BY_SILENCE,
                           "nothing was heard of the supervisor for a second");
}

static int run_loop(const pipeline_t *pipeline, uint32_t index, tbus_loop_t *loop)
{
    tbus_gap_watch_t watch = {0};
    if (!pipeline->gaps)
        return tbus_loop_run(loop);
    tbus_gap_watch_begin(&watch, pipeline->gaps, index, loop);
    loop->gap_watch = &watch;
    int code = tbus_loop_run(loop);
    tbus_gap_watch_end(&watch);
    return code;
}

int pipeline_run_process(pipeline_t *pipeline, uint32_t index, const tbus_atomic_u32_t *orphaned)
{
    const layout_process_t *plan = &pipeline->layout->processes[index];
    running_t running = {.pipeline = pipeline};
    orphan_t orphan = {.pipeline = pipeline, .process = index};
    int code = 0;
    if (pipeline->bus.stamps)
        tbus_stamps_touch(pipeline->bus.stamps);
    for (uint32_t i = 0; code == 0 && i < plan->stages_count; i++)
        code = make_stage(&running, &pipeline->stages[plan->stages[i]]);
    if (code == 0) {
        tbus_loop_t loop = {.bus = &pipeline->bus,
                            .stages = running.stages,
                            .stages_count = running.stages_count,
                            .budget = LAYOUT_BATCH,
                            .orphaned = orphaned,
                            .on_orphaned = halt_orphan,
                            .orphaned_context = pipeline,
                            .may_leave = orphan_may_leave,
                            .leave_context = &orphan,
                            .on_beat = halt_unattended,
                            .beat_context = pipeline,
                            .allocated_bytes = allocation_meter()};
        tbus_waiter_init(&loop.waiter, plan->wait);
        bool unpaced = config_unpaced(pipeline->config);
        loop.waiter.drained_pauses = unpaced ? TBUS_DRAINED_PAUSES : 0;
        /* auto parks where processes outnumber the CPUs; who has chosen to park has it as it is. */
        bool chosen = (enum tbus_wait_mode)pipeline->config->layout.wait != TBUS_WAIT_AUTO;
        loop.waiter.yield_ns = unpaced && !chosen ? YIELD_NS : 0;
        code = run_loop(pipeline, index, &loop);
    }
    while (running.stages_count--) {
        tbus_stage_t *stage = running.stages[running.stages_count];
        stage->ops->destroy(stage);
    }
    tbus_crew_disband(&running.crew);
    if (orphaned && tbus_load_relaxed_u32(orphaned))
        orphan_note(&orphan, code);
    return code;
}
