/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/summary.h"

#include <inttypes.h>
#include <string.h>

#include "bus/msg/digest.h"
#include "risk/gate.h"
#include "risk/stage.h"
#include "tools/measure/provenance.h"
#include "tools/run/backlog.h"
#include "tools/run/counted.h"
#include "tools/run/latches_shown.h"
#include "tools/run/lines_shown.h"
#include "tools/run/outlook.h"
#include "tools/run/pipeline.h"
#include "tools/run/profit_shown.h"
#include "tools/show/feed_gaps.h"
#include "tools/show/bridge.h"
#include "tools/show/gateway.h"
#include "tools/show/json_text.h"
#include "tools/show/mold.h"

/* A duration to the microsecond, over any run there is; what a double has beyond that is noise. */
#define REAL_DIGITS    12
#define SUMMARY_SCHEMA 1

void summary_add_error(summary_run_t *run, const char *text)
{
    if (run->errors_count < SUMMARY_ERRORS_MAX)
        snprintf(run->errors[run->errors_count++], SUMMARY_ERROR_MAX, "%s", text);
}

void summary_add_note(summary_run_t *run, const char *text)
{
    if (run->notes_count < SUMMARY_NOTES_MAX)
        snprintf(run->notes[run->notes_count++], SUMMARY_ERROR_MAX, "%s", text);
}

int summary_print_json(const json_t *summary, FILE *out)
{
    if (json_dumpf(summary, out, JSON_INDENT(2) | JSON_REAL_PRECISION(REAL_DIGITS)) < 0)
        return -1;
    return fputc('\n', out) == '\n' ? 0 : -1;
}

static json_t *count(uint64_t value)
{
    return json_integer((json_int_t)value);
}

/* {"sent": ..., ...} of the counters "PREFIX.sent", ... of one owner; names end with NULL. */
static json_t *counters_of(const tbus_bus_t *bus, uint32_t owner, const char *prefix,
                           const char *const *names)
{
    json_t *object = json_object();
    for (; *names; names++) {
        char name[TBUS_COUNTER_NAME_MAX];
        snprintf(name, sizeof name, "%s.%s", prefix, *names);
        json_object_set_new(object, *names, count(counted_value(bus, owner, name)));
    }
    return object;
}

static json_t *counters(const tbus_bus_t *bus, const char *prefix, const char *const *names)
{
    return counters_of(bus, COUNTED_EVERYBODY, prefix, names);
}

static json_t *subscriber(const tbus_ring_t *ring, const tbus_ring_sub_t *sub, bool ended)
{
    bool competes = tbus_load_relaxed_u32(&sub->role) == TBUS_CONSUMER;
    uint64_t open = backlog_of(ring, sub);
    json_t *object = json_object();
    json_object_set_new(object, "name", json_text(sub->name, sizeof sub->name));
    json_object_set_new(object, "role", json_string(competes ? "consumer" : "subscriber"));
    json_object_set_new(object, "consumed", count(tbus_load_relaxed_u64(&sub->consumed)));
    json_object_set_new(object, "lag", count(ended ? 0 : open));
    json_object_set_new(object, "lost", count(ended ? open : 0));
    json_object_set_new(object, "tombs", count(tbus_load_relaxed_u64(&sub->tombs)));
    return object;
}

/* `all`: places that were left as well, for what was taken there still counts; where participants
 * come and go there is no end of those. */
static json_t *topic(const tbus_bus_t *bus, uint32_t index, bool all, bool ended)
{
    const tbus_topic_t *known = &bus->directory->topics[index];
    const tbus_ring_t *ring = &bus->rings[index];
    json_t *list = json_array();
    for (uint32_t i = 0; i < TBUS_RING_SUBS_MAX; i++)
        /* G2 pairs G1 (tbus_place_cas) */
        if (all ? ring->shared->subs[i].name[0] != 0
                : tbus_load_acquire_u32(&ring->shared->subs[i].state) != TBUS_SUB_VACANT)
            json_array_append_new(list, subscriber(ring, &ring->shared->subs[i], ended));
    json_t *object = json_object();
    json_object_set_new(object, "type", json_text(known->type, sizeof known->type));
    json_object_set_new(object, "kind", json_string(tbus_ring_kind_name(ring->kind)));
    json_object_set_new(object, "slots", count(ring->slot_count));
    /* hint: for people */
    json_object_set_new(object, "left_out", json_boolean(tbus_load_relaxed_u32(&known->left_out)));
    json_object_set_new(object, "published", count(tbus_ring_published(ring)));
    json_object_set_new(object, "tombs", count(tbus_load_relaxed_u64(&ring->shared->tombs)));
    json_object_set_new(object, "in_doubt", count(tbus_load_relaxed_u64(&ring->shared->in_doubt)));
    json_object_set_new(object, "redelivered",
                        count(tbus_load_relaxed_u64(&ring->shared->redelivered)));
    json_object_set_new(object, "subscribers", list);
    return object;
}

static json_t *topics(const tbus_bus_t *bus, bool all, bool ended)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < bus->topics_count; i++)
        json_object_set_new(object, bus->directory->topics[i].name, topic(bus, i, all, ended));
    return object;
}

static json_t *pages(const tbus_bus_t *bus)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < bus->topics_count; i++)
        json_object_set_new(
            object, bus->directory->topics[i].name,
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
                                        "malformed",
                                        "foreign_adds",
                                        "foreign_locates",
                                        "non_printable_shares",
                                        "trade_shares",
                                        "cross_shares",
                                        NULL};
    json_t *object = counters(bus, "books", names);
    json_object_set_new(object, "unknown_order_refs_by_type",
                        counted_below(bus, COUNTED_EVERYBODY, "books.unknown_order_refs."));
    return object;
}

static json_t *orders(const tbus_bus_t *bus, uint32_t owner)
{
    static const char *const names[] = {
        "sent",   "cancels_sent", "accepted",         "rejected", "partial",
        "filled", "cancelled",    "cancels_rejected", "broken",   NULL};
    return counters_of(bus, owner, "orders", names);
}

static json_t *risk(const tbus_bus_t *bus)
{
    static const char *const names[] = {
        "orders", "cancels", "passed", "report_mismatches", "limits_changes", "strategies_reducing",
        NULL};
    json_t *object = counters(bus, "risk", names);
    static const char *const states[] = {"active", "reducing", "halted"};
    uint64_t state = counted_value(bus, COUNTED_EVERYBODY, RISK_STATE_COUNTER);
    json_object_set_new(object, "state", json_string(states[state < 3 ? state : 0]));
    json_object_set_new(object, "rejects", counted_below(bus, COUNTED_EVERYBODY, "risk.rejects."));
    latches_shown_add(object, bus);
    return object;
}

static json_t *executor(const tbus_bus_t *bus)
{
    static const char *const names[] = {"orders",      "executions", "executed_shares",
                                        "open_orders", "broken",     NULL};
    return counters(bus, "executor", names);
}

/* How many messages of each topic are not known to be on the disk. */
static json_t *durable_lag(const tbus_bus_t *bus, const json_t *durable)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < bus->topics_count; i++) {
        const char *name = bus->directory->topics[i].name;
        uint64_t published = tbus_ring_published(&bus->rings[i]);
        uint64_t seq = (uint64_t)json_integer_value(json_object_get(durable, name));
        uint64_t first = bus->rings[i].first_seq;
        uint64_t done = seq >= first ? seq - first + 1 : 0;
        json_object_set_new(object, name, count(done < published ? published - done : 0));
    }
    return object;
}

static json_t *journal(const tbus_bus_t *bus, const char *directory, const summary_late_t *late)
{
    static const char *const names[] = {"records", "bytes", "missed", "no_room", NULL};
    if (!*directory)
        return json_null();
    json_t *object = counters(bus, "journal", names);
    json_object_set_new(object, "directory", json_text(directory, SUMMARY_ERROR_MAX));
    json_t *durable = counted_below(bus, COUNTED_EVERYBODY, "journal.durable.");
    json_object_set_new(object, "durable_lag", durable_lag(bus, durable));
    json_object_set_new(object, "durable", durable);
    json_object_set_new(object, "late", json_boolean(late->now));
    json_object_set_new(object, "late_ms", count(late->behind_ms));
    json_object_set_new(object, "late_ms_max", count(late->behind_ms_max));
    json_object_set_new(object, "late_times", count(late->times));
    return object;
}

static void add_histogram(tbus_histogram_t *sum, const tbus_histogram_t *h)
{
    uint64_t max = tbus_load_relaxed_u64(&h->max);
    for (uint32_t i = 0; i < TBUS_HISTOGRAM_BUCKETS; i++)
        tbus_add_own_u64(&sum->buckets[i], tbus_load_relaxed_u64(&h->buckets[i]));
    tbus_add_own_u64(&sum->count, tbus_load_relaxed_u64(&h->count));
    if (max > tbus_load_relaxed_u64(&sum->max))
        tbus_store_relaxed_u64(&sum->max, max);
}

/* Of strategy 1 the histogram is called NAME, of the others NAME.2, NAME.3 .. */
static void add_histograms(const tbus_bus_t *bus, const char *name, uint32_t numbers,
                           tbus_histogram_t *sum)
{
    for (uint32_t number = 1; number <= numbers; number++) {
        char text[TBUS_NAME_MAX];
        snprintf(text, sizeof text, number == 1 ? "%s" : "%s.%u", name, number);
        const tbus_histogram_t *h = tbus_bus_find_histogram(bus, text);
        if (h)
            add_histogram(sum, h);
    }
}

/* `others`: how many there were beside those of the histogram, which took no time. */
static json_t *latency(const tbus_bus_t *bus, const char *name, uint32_t numbers, uint64_t others)
{
    tbus_histogram_t h = {0};
    add_histograms(bus, name, numbers, &h);
    tbus_add_own_u64(&h.buckets[tbus_histogram_bucket(0)], others);
    tbus_add_own_u64(&h.count, others);
    json_t *object = json_object();
    json_object_set_new(object, "p50", count(tbus_histogram_percentile(&h, 500000)));
    json_object_set_new(object, "p99", count(tbus_histogram_percentile(&h, 990000)));
    json_object_set_new(object, "p99_9", count(tbus_histogram_percentile(&h, 999000)));
    json_object_set_new(object, "max", count(tbus_load_relaxed_u64(&h.max)));
    json_object_set_new(object, "count", count(tbus_load_relaxed_u64(&h.count)));
    return object;
}

static uint32_t stages_that_trade(const layout_t *layout)
{
    uint32_t traders = 0;
    for (uint32_t i = 0; i < layout->stages_count; i++)
        traders += (layout->stages[i].traits & TBUS_KIND_TRADES) != 0;
    return traders;
}

static json_t *latencies(const tbus_bus_t *bus, const layout_t *layout)
{
    static const char *const names[] = {"tick_to_order", "tick_to_requote", "tick_to_cancel",
                                        "tick_to_report"};
    uint32_t traders = stages_that_trade(layout);
    json_t *object = json_object();
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        json_object_set_new(object, names[i], latency(bus, names[i], traders, 0));
    uint64_t waited = counted_value(bus, COUNTED_EVERYBODY, "wait_horizon.ticks");
    uint64_t taken = traders * counted_value(bus, COUNTED_EVERYBODY, "feed.messages");
    json_t *waits = latency(bus, "wait_horizon", traders, taken > waited ? taken - waited : 0);
    json_object_set_new(waits, "ticks", count(waited));
    json_object_set_new(waits, "share", json_real(taken ? (double)waited / (double)taken : 0));
    json_object_set_new(object, "wait_horizon", waits);
    return object;
}

static const tbus_participant_t *find_participant(const tbus_bus_t *bus, const char *name)
{
    for (uint32_t i = 0; i < TBUS_PARTICIPANTS_MAX; i++)
        if (strncmp(bus->directory->participants[i].name, name, TBUS_NAME_MAX) == 0)
            return &bus->directory->participants[i];
    return NULL;
}

/* The number of the participant of that name, 0: there is none. */
static uint32_t owner_of(const tbus_bus_t *bus, const char *name)
{
    const tbus_participant_t *p = find_participant(bus, name);
    return p ? (uint32_t)(p - bus->directory->participants) + 1 : 0;
}

/* Of each stage that trades. */
static json_t *strategies(const tbus_bus_t *bus, const layout_t *layout)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < layout->stages_count; i++) {
        uint32_t owner = owner_of(bus, layout->stages[i].name);
        if (!owner || !(layout->stages[i].traits & TBUS_KIND_TRADES))
            continue;
        json_t *strategy = json_object();
        json_object_set_new(strategy, "orders", orders(bus, owner));
        json_object_set_new(strategy, "positions", counted_below(bus, owner, "position."));
        json_object_set_new(strategy, "pnl_e4", profit_shown_json(bus, owner));
        json_object_set_new(strategy, "symbols", symbols_shown_json(bus, owner));
        json_object_set_new(object, layout->stages[i].name, strategy);
    }
    return object;
}

static json_t *hex(digest_t digest)
{
    return json_sprintf("%016" PRIx64, digest);
}

static json_t *digests(const tbus_bus_t *bus, const layout_t *layout)
{
    digest_t orders = 0;
    for (uint32_t i = 0; i < layout->stages_count; i++) {
        uint32_t owner = owner_of(bus, layout->stages[i].name);
        if (owner && (layout->stages[i].traits & TBUS_KIND_TRADES))
            orders = digest_join(orders, counted_value(bus, owner, "digest.orders"));
    }
    json_t *object = json_object();
    json_object_set_new(object, "orders", hex(orders));
    json_object_set_new(object, "approved",
                        hex(counted_value(bus, COUNTED_EVERYBODY, "digest.approved")));
    json_object_set_new(object, "reports",
                        hex(counted_value(bus, COUNTED_EVERYBODY, "digest.reports")));
    json_object_set_new(object, "bbo", hex(counted_value(bus, COUNTED_EVERYBODY, "digest.bbo")));
    return object;
}

static json_t *venue(const session_values_t *values)
{
    if (!values)
        return json_null();
    return json_pack("{s:s, s:{s:s, s:s, s:s}, s:I}", "clock",
                     values->clock == SESSION_CLOCK_MARKET ? "market" : "host", "latency", "entry",
                     values->entry, "cancel", values->cancel, "response", values->response, "seed",
                     (json_int_t)values->seed);
}

static json_t *stalled(const tbus_bus_t *bus, uint32_t index, const summary_stall_t *stall)
{
    if (stall->how == STALL_NONE)
        return json_null();
    backlog_t held[BACKLOG_MAX];
    uint32_t held_count = backlog_held_by(bus, index, held);
    json_t *list = json_array();
    for (uint32_t i = 0; i < held_count; i++) {
        bool behind = held[i].subscriber[0] != 0;
        json_t *item = json_object();
        json_object_set_new(item, "topic", json_text(held[i].topic, sizeof held[i].topic));
        if (behind)
            json_object_set_new(item, "subscriber",
                                json_text(held[i].subscriber, sizeof held[i].subscriber));
        json_object_set_new(item, behind ? "behind" : "claimed", count(held[i].messages));
        json_array_append_new(list, item);
    }
    json_t *object = json_object();
    json_object_set_new(object, "how", json_string(stall_how_name(stall->how)));
    json_object_set_new(object, "for_s",
                        json_real((double)((tbus_clock_ns() - stall->since_ns) / 1000) / 1e6));
    json_object_set_new(object, "holds_up", list);
    return object;
}

static json_t *process(const tbus_bus_t *bus, const summary_run_t *run, uint32_t index)
{
    const layout_process_t *plan = &run->layout->processes[index];
    /* Stages of a process share its figures: those of the last one are as good as any. */
    const tbus_participant_t *p = NULL;
    json_t *names = json_array();
    for (uint32_t i = 0; i < plan->stages_count; i++) {
        const char *name = run->layout->stages[plan->stages[i]].name;
        json_array_append_new(names, json_string(name));
        p = find_participant(bus, name);
    }
    json_t *object = json_object();
    json_object_set_new(object, "stages", names);
    json_object_set_new(object, "pid", json_integer(p ? p->pid : 0));
    json_object_set_new(object, "cpu", json_integer(p ? p->cpu : -1));
    json_object_set_new(object, "wait", json_string(tbus_wait_mode_name(plan->wait)));
    json_object_set_new(object, "parks", count(p ? tbus_load_relaxed_u64(&p->parks) : 0));
    json_object_set_new(object, "restarts", count(run->restarts[index]));
    json_object_set_new(object, "stalled", stalled(bus, index, &run->stalls[index]));
    return object;
}

static json_t *processes(const tbus_bus_t *bus, const summary_run_t *run)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < run->layout->processes_count; i++)
        json_array_append_new(list, process(bus, run, i));
    return list;
}

static json_t *stage(const tbus_participant_t *p)
{
    json_t *object = json_object();
    json_object_set_new(object, "name", json_text(p->name, sizeof p->name));
    json_object_set_new(object, "process", json_integer(p->process));
    /* O2 pairs O1 (set_state in loop.c): the reason is there when the state says that it failed. */
    json_object_set_new(object, "state",
                        json_string(tbus_participant_state_name(tbus_load_acquire_u32(&p->state))));
    json_object_set_new(object, "hot_allocations",
                        count(tbus_load_relaxed_u64(&p->hot_allocations)));
    json_object_set_new(object, "reason", json_text(p->reason, sizeof p->reason));
    return object;
}

static json_t *stages(const tbus_bus_t *bus)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < TBUS_PARTICIPANTS_MAX; i++)
        /* O2 pairs O1 (tbus_participant_add) */
        if (tbus_load_acquire_u32(&bus->directory->participants[i].state) != TBUS_VACANT &&
            !bus->directory->participants[i].from_outside &&
            bus->directory->participants[i].process != PIPELINE_NO_PROCESS)
            json_array_append_new(list, stage(&bus->directory->participants[i]));
    return list;
}

/* Topics by name: those on which it publishes, and those to which it has subscribed. */
static json_t *topics_of(const tbus_bus_t *bus, uint32_t owner, bool publishes)
{
    json_t *list = json_array();
    uint32_t published = tbus_load_relaxed_u32(&bus->directory->participants[owner - 1].publishes);
    for (uint32_t t = 0; t < bus->topics_count; t++) {
        bool is_one = publishes && (published >> t & 1);
        for (uint32_t i = 0; !publishes && !is_one && i < TBUS_RING_SUBS_MAX; i++)
            is_one = tbus_ring_sub_owner(&bus->rings[t], i) == owner;
        if (is_one)
            json_array_append_new(list, json_text(bus->directory->topics[t].name, TBUS_NAME_MAX));
    }
    return list;
}

static json_t *participants(const tbus_bus_t *bus)
{
    json_t *list = json_array();
    for (uint32_t owner = 1; owner <= TBUS_PARTICIPANTS_MAX; owner++) {
        const tbus_participant_t *p = &bus->directory->participants[owner - 1];
        /* O2 pairs O1 (take_number) */
        if (tbus_load_acquire_u32(&p->state) == TBUS_VACANT || !p->from_outside)
            continue;
        json_t *object = json_object();
        json_object_set_new(object, "name", json_text(p->name, sizeof p->name));
        json_object_set_new(object, "pid", json_integer(p->pid));
        json_object_set_new(object, "publishes", topics_of(bus, owner, true));
        json_object_set_new(object, "subscribes", topics_of(bus, owner, false));
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *sentences(const char (*said)[SUMMARY_ERROR_MAX], uint32_t said_count)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < said_count; i++)
        json_array_append_new(list, json_text(said[i], SUMMARY_ERROR_MAX));
    return list;
}

static json_t *real_or_null(double value)
{
    return value >= 0 ? json_real(value) : json_null();
}

/* What is still to come of the feed; nothing of a run that is being stopped, or has ended. */
static void add_outlook(json_t *feed, const tbus_bus_t *bus, const summary_run_t *run)
{
    outlook_t o = {.done = -1, .left_s = -1, .next_s = -1};
    if (strcmp(run->state, "running") == 0)
        o = outlook_of(bus, run->duration_ns, run->for_ns);
    json_object_set_new(feed, "progress", real_or_null(o.done));
    json_object_set_new(feed, "left_s", real_or_null(o.left_s));
    json_object_set_new(feed, "next_in_s", real_or_null(o.next_s));
    json_object_set_new(feed, "next_at", o.next_at[0] ? json_string(o.next_at) : json_null());
}

/* Of each stage that serves who is outside; of those with clients, as `busctl gateway` shows it,
 * without the clients; null: there is none. */
static void add_gateways(json_t *summary, const tbus_bus_t *bus)
{
    const char *stage;
    for (unsigned i = 0; (stage = gateway_stage_name(i)) != NULL; i++) {
        json_t *object = gateway_json(bus, stage);
        json_object_set_new(summary, stage, object ? object : json_null());
    }
    json_t *mold = mold_json(bus);
    json_object_set_new(summary, MOLD_STAGE, mold ? mold : json_null());
    json_t *bridge = bridge_json(bus);
    json_object_set_new(summary, BRIDGE_STAGE, bridge ? bridge : json_null());
}

/* Messages that the feed has lost for good. */
static void add_gaps(json_t *feed, const tbus_bus_t *bus)
{
    json_object_set_new(feed, "gaps_count",
                        count(counted_value(bus, COUNTED_EVERYBODY, "feed.gaps")));
    json_object_set_new(feed, "lost",
                        json_unsigned(counted_value(bus, COUNTED_EVERYBODY, "feed.lost")));
    json_object_set_new(feed, "gaps", feed_gaps_json(bus));
}

/* What the stages did. */
static void add_pipeline(json_t *summary, const tbus_bus_t *bus, const summary_run_t *run)
{
    static const char *const feed_names[] = {"messages", "bytes", "errors", NULL};
    json_t *feed = counters(bus, "feed", feed_names);
    json_object_set_new(feed, "ended",
                        json_boolean(counted_value(bus, COUNTED_EVERYBODY, "feed.ended") != 0));
    json_object_set_new(feed, "by_type", counted_below(bus, COUNTED_EVERYBODY, "feed.by_type."));
    add_gaps(feed, bus);
    lines_shown_add(feed, bus);
    add_outlook(feed, bus, run);

    json_object_set_new(summary, "source", json_text(run->source, SUMMARY_ERROR_MAX));
    json_object_set_new(summary, "pace", json_text(run->pace, SUMMARY_ERROR_MAX));
    json_object_set_new(summary, "feed", feed);
    json_object_set_new(summary, "orders", orders(bus, COUNTED_EVERYBODY));
    json_object_set_new(summary, "books", books(bus));
    json_object_set_new(summary, "risk", risk(bus));
    json_object_set_new(summary, "executor", executor(bus));
    json_object_set_new(summary, "journal", journal(bus, run->journal, &run->late));
    add_gateways(summary, bus);
    json_object_set_new(summary, "positions", counted_below(bus, COUNTED_EVERYBODY, "position."));
    json_object_set_new(summary, "pnl_e4", profit_shown_json(bus, COUNTED_EVERYBODY));
    json_object_set_new(summary, "symbols", symbols_shown_json(bus, COUNTED_EVERYBODY));
    json_object_set_new(summary, "symbols_left_out",
                        count(counted_value(bus, COUNTED_EVERYBODY, "pnl.symbols_left_out")));
    json_object_set_new(summary, "strategies", strategies(bus, run->layout));
    json_object_set_new(summary, "digests", digests(bus, run->layout));
    json_object_set_new(summary, "venue", venue(run->venue));
    json_object_set_new(summary, "latency_ns", latencies(bus, run->layout));
    json_object_set_new(summary, "layout", json_string(layout_mode_name(run->layout->mode)));
    json_object_set_new(summary, "processes", processes(bus, run));
    json_object_set_new(summary, "stages", stages(bus));
}

static json_t *machine(const summary_run_t *run)
{
    const noise_t *noise = &run->noise;
    if (!noise->known)
        return json_null();
    return json_pack("{s:f, s:I, s:f, s:b}", "steal_share", noise->steal_share,
                     "involuntary_switches", (json_int_t)noise->involuntary_switches, "load",
                     noise->load, "busy", noise_is_loud(noise, run->duration_ns));
}

json_t *summary_build(const tbus_bus_t *bus, const summary_run_t *run)
{
    json_t *summary = json_object();
    provenance_add(summary, SUMMARY_SCHEMA);
    json_object_set_new(summary, "name",
                        json_text(bus->directory->name, sizeof bus->directory->name));
    json_object_set_new(
        summary, "session",
        json_text(bus->directory->session_name, sizeof bus->directory->session_name));
    json_object_set_new(summary, "state", json_string(run->state));
    json_object_set_new(summary, "duration_s", json_real((double)(run->duration_ns / 1000) / 1e6));
    if (run->layout->stages_count)
        add_pipeline(summary, bus, run);
    json_object_set_new(
        summary, "topics",
        topics(bus, run->layout->stages_count != 0, strcmp(run->state, "ended") == 0));
    json_object_set_new(summary, "pages", pages(bus));
    json_object_set_new(summary, "participants", participants(bus));
    json_object_set_new(summary, "counters_refused",
                        count(tbus_load_relaxed_u32(&bus->directory->counters_refused)));
    json_object_set_new(summary, "histograms_refused",
                        count(tbus_load_relaxed_u32(&bus->directory->histograms_refused)));
    json_object_set_new(summary, "machine", machine(run));
    json_object_set_new(summary, "notes", sentences(run->notes, run->notes_count));
    json_object_set_new(summary, "errors", sentences(run->errors, run->errors_count));
    return summary;
}
