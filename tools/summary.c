/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/summary.h"

#include <stdarg.h>
#include <string.h>

void summary_add_error(summary_run_t *run, const char *format, ...)
{
    if (run->errors_count == SUMMARY_ERRORS_MAX)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(run->errors[run->errors_count++], SUMMARY_ERROR_MAX, format, arguments);
    va_end(arguments);
}

static json_t *count(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *counter(const tbus_bus_t *bus, const char *name)
{
    return count(tbus_counter_value(bus, name));
}

/* {"sent": ..., ...} of the counters "PREFIX.sent", ...; names end with NULL. */
static json_t *counters(const tbus_bus_t *bus, const char *prefix, const char *const *names)
{
    json_t *object = json_object();
    for (; *names; names++) {
        char name[sizeof((tbus_counter_t *)0)->name + 1];
        snprintf(name, sizeof name, "%s.%s", prefix, *names);
        json_object_set_new(object, *names, counter(bus, name));
    }
    return object;
}

/* All counters whose name begins with `prefix`, by the rest of their names, summed over owners. */
static json_t *counters_below(const tbus_bus_t *bus, const char *prefix)
{
    const tbus_directory_t *d = bus->directory;
    json_t *object = json_object();
    uint32_t used = tbus_load_acquire_u32(&d->counters_count);
    for (uint32_t i = 0; i < used && i < TBUS_COUNTERS_MAX; i++) {
        const tbus_counter_t *c = &d->counters[i];
        if (!tbus_load_acquire_u32(&c->name_set) || strncmp(c->name, prefix, strlen(prefix)) != 0)
            continue;
        char name[sizeof c->name + 1];
        snprintf(name, sizeof name, "%.*s", (int)sizeof c->name, c->name);
        const char *rest = name + strlen(prefix);
        json_int_t sum = json_integer_value(json_object_get(object, rest));
        json_object_set_new(object, rest, json_integer(sum + (json_int_t)tbus_load_relaxed_u64(&c->value)));
    }
    return object;
}

static uint64_t taken(const tbus_ring_sub_t *sub)
{
    return tbus_load_relaxed_u64(&sub->consumed) + tbus_load_relaxed_u64(&sub->tombs);
}

/* Consumers share a topic's messages, so what one of them has still to take is what all of them have. */
static uint64_t taken_by_consumers(const tbus_ring_t *ring)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < TBUS_RING_SUBS_MAX; i++)
        if (ring->shared->subs[i].role == TBUS_CONSUMER)
            sum += taken(&ring->shared->subs[i]);
    return sum;
}

static json_t *subscribers(const tbus_ring_t *ring, uint64_t published, bool ended)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < TBUS_RING_SUBS_MAX; i++) {
        const tbus_ring_sub_t *sub = &ring->shared->subs[i];
        if (!sub->name[0]) /* its name stays when it leaves: what it took still counts */
            continue;
        bool competes = sub->role == TBUS_CONSUMER;
        uint64_t done = competes ? taken_by_consumers(ring) : taken(sub);
        uint64_t open = published > done ? published - done : 0;
        json_array_append_new(list, json_pack("{s:s#, s:s, s:o, s:o, s:o, s:o}", "name", sub->name,
                                              (int)strnlen(sub->name, sizeof sub->name), "role",
                                              competes ? "consumer" : "subscriber", "consumed",
                                              count(tbus_load_relaxed_u64(&sub->consumed)), "lag",
                                              count(ended ? 0 : open), "lost", count(ended ? open : 0),
                                              "tombs", count(tbus_load_relaxed_u64(&sub->tombs))));
    }
    return list;
}

static json_t *topics(const tbus_bus_t *bus, bool ended)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < bus->directory->topics_count; i++) {
        const tbus_topic_t *topic = &bus->directory->topics[i];
        const tbus_ring_t *ring = &bus->rings[i];
        uint64_t published = tbus_ring_published(ring);
        json_object_set_new(object, topic->name,
                            json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "type", topic->type, "kind",
                                      tbus_ring_kind_name(ring->kind), "slots", count(ring->slot_count),
                                      "published", count(published), "tombs",
                                      count(tbus_load_relaxed_u64(&ring->shared->tombs)), "in_doubt",
                                      count(tbus_load_relaxed_u64(&ring->shared->in_doubt)), "subscribers",
                                      subscribers(ring, published, ended)));
    }
    return object;
}

static json_t *pages(const tbus_bus_t *bus)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < bus->directory->topics_count; i++)
        json_object_set_new(object, bus->directory->topics[i].name,
                            json_string(tbus_pages_name((enum tbus_pages)bus->directory->topics[i].pages)));
    return object;
}

static json_t *books(const tbus_bus_t *bus)
{
    static const char *const names[] = {"symbols",
                                        "live_orders",
                                        "live_orders_max",
                                        "unknown_order_refs",
                                        "executed_shares",
                                        "bbo_changes",
                                        "over_reductions",
                                        "duplicate_adds",
                                        NULL};
    json_t *object = counters(bus, "books", names);
    json_object_set_new(object, "unknown_order_refs_by_type",
                        counters_below(bus, "books.unknown_order_refs."));
    return object;
}

static json_t *orders(const tbus_bus_t *bus)
{
    static const char *const names[] = {"sent",    "cancels_sent", "accepted",  "rejected",
                                        "partial", "filled",       "cancelled", NULL};
    return counters(bus, "orders", names);
}

static json_t *risk(const tbus_bus_t *bus)
{
    static const char *const names[] = {"orders", "passed", NULL};
    json_t *object = counters(bus, "risk", names);
    json_object_set_new(object, "rejects", counters_below(bus, "risk.rejects."));
    return object;
}

static json_t *executor(const tbus_bus_t *bus)
{
    static const char *const names[] = {"orders", "executions", "executed_shares", "open_orders", NULL};
    return counters(bus, "executor", names);
}

static json_t *journal(const tbus_bus_t *bus, const char *directory)
{
    static const char *const names[] = {"records", "bytes", NULL};
    if (!*directory)
        return json_null();
    json_t *object = counters(bus, "journal", names);
    json_object_set_new(object, "directory", json_string(directory));
    return object;
}

static json_t *pnl(const tbus_bus_t *bus)
{
    /* Signed values travel as their 64 bits. */
    int64_t realised = (int64_t)tbus_counter_value(bus, "pnl.realised_e4");
    int64_t unrealised = (int64_t)tbus_counter_value(bus, "pnl.unrealised_e4");
    return json_pack("{s:I, s:I, s:I}", "realised", (json_int_t)realised, "unrealised",
                     (json_int_t)unrealised, "total",
                     (json_int_t)((uint64_t)realised + (uint64_t)unrealised));
}

static json_t *latency(const tbus_bus_t *bus, const char *name)
{
    const tbus_directory_t *d = bus->directory;
    const tbus_histogram_t *h = NULL;
    for (unsigned i = 0; i < TBUS_HISTOGRAMS_MAX && !h; i++)
        if (strncmp(d->histograms[i].name, name, TBUS_NAME_MAX) == 0)
            h = &d->histograms[i].histogram;
    if (!h)
        return json_pack("{s:i, s:i, s:i, s:i, s:i}", "p50", 0, "p99", 0, "p99_9", 0, "max", 0, "count", 0);
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "p50", count(tbus_histogram_percentile(h, 500000)), "p99",
                     count(tbus_histogram_percentile(h, 990000)), "p99_9",
                     count(tbus_histogram_percentile(h, 999000)), "max",
                     count(tbus_load_relaxed_u64(&h->max)), "count", count(tbus_load_relaxed_u64(&h->count)));
}

static const tbus_participant_t *find_participant(const tbus_bus_t *bus, const char *name)
{
    for (uint32_t i = 0; i < TBUS_PARTICIPANTS_MAX; i++)
        if (strncmp(bus->directory->participants[i].name, name, TBUS_NAME_MAX) == 0)
            return &bus->directory->participants[i];
    return NULL;
}

static json_t *processes(const tbus_bus_t *bus, const layout_t *layout)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < layout->processes_count; i++) {
        const layout_process_t *process = &layout->processes[i];
        json_t *names = json_array();
        const tbus_participant_t *p = NULL;
        for (uint32_t k = 0; k < process->stages_count; k++) {
            json_array_append_new(names, json_string(layout_stage_name(process->stages[k])));
            p = find_participant(bus, layout_stage_name(process->stages[k]));
        }
        json_array_append_new(list, json_pack("{s:o, s:i, s:i, s:s, s:o}", "stages", names, "pid",
                                              p ? (int)p->pid : 0, "cpu", p ? (int)p->cpu : -1, "wait",
                                              tbus_wait_mode_name(layout->wait), "parks",
                                              count(p ? tbus_load_relaxed_u64(&p->parks) : 0)));
    }
    return list;
}

static json_t *stages(const tbus_bus_t *bus)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < TBUS_PARTICIPANTS_MAX; i++) {
        const tbus_participant_t *p = &bus->directory->participants[i];
        uint32_t state = tbus_load_acquire_u32(&p->state);
        if (state == TBUS_VACANT)
            continue;
        json_array_append_new(list,
                              json_pack("{s:s#, s:i, s:s, s:o, s:s#}", "name", p->name,
                                        (int)strnlen(p->name, sizeof p->name), "process", (int)p->process,
                                        "state", tbus_participant_state_name(state), "hot_allocations",
                                        count(tbus_load_relaxed_u64(&p->hot_allocations)), "reason",
                                        p->reason, (int)strnlen(p->reason, sizeof p->reason)));
    }
    return list;
}

static json_t *errors(const summary_run_t *run)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < run->errors_count; i++) {
        json_t *text = json_string(run->errors[i]);
        /* jansson takes UTF-8 alone, and a file name in a message may be anything. */
        json_array_append_new(list,
                              text ? text : json_string("an error whose text is not UTF-8; see stderr"));
    }
    return list;
}

json_t *summary_build(const tbus_bus_t *bus, const summary_run_t *run)
{
    bool ended = strcmp(run->state, "ended") == 0;
    json_t *feed = json_pack("{s:o, s:o, s:o}", "messages", counter(bus, "feed.messages"), "bytes",
                             counter(bus, "feed.bytes"), "by_type", counters_below(bus, "feed.by_type."));
    json_t *latencies = json_pack("{s:o, s:o}", "tick_to_order", latency(bus, "tick_to_order"),
                                  "tick_to_report", latency(bus, "tick_to_report"));
    json_t *summary = json_pack(
        "{s:s, s:s, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "name",
        bus->directory->name, "state", run->state, "duration_s", (double)run->duration_ns / 1e9, "feed", feed,
        "topics", topics(bus, ended), "orders", orders(bus), "books", books(bus), "risk", risk(bus),
        "executor", executor(bus), "journal", journal(bus, run->journal), "positions",
        counters_below(bus, "position."), "pnl_e4", pnl(bus), "latency_ns", latencies, "layout",
        layout_mode_name(run->layout->mode), "pages", pages(bus), "processes", processes(bus, run->layout),
        "stages", stages(bus), "errors", errors(run));
    json_t *source = json_string(run->source);
    json_object_set_new(summary, "source", source ? source : json_null());
    return summary;
}
