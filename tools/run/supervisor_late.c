/* SPDX-License-Identifier: Apache-2.0 */
/* A recorder that falls behind what is published, or a disk that falls behind the recorder
 * (journal.lag_max_ms): the alarm, and what the user wants done about it. */
#include "tools/run/supervisor_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bus/journal/recorder.h"

#define LOOK_NS UINT64_C(50000000)
#define MS_NS   UINT64_C(1000000)

/* The recorder's place on a ring; NULL: it has left, or was not there yet. */
static const tbus_ring_sub_t *place_of_recorder(const tbus_ring_t *ring)
{
    for (uint32_t i = 0; i < TBUS_RING_SUBS_MAX; i++)
        if (tbus_ring_sub_owner(ring, i) &&
            strncmp(ring->shared->subs[i].name, TBUS_RECORDER_NAME, TBUS_NAME_MAX) == 0)
            return &ring->shared->subs[i];
    return NULL;
}

static void see_recording(supervisor_t *s, uint64_t now_ns, uint64_t limit_ns)
{
    const tbus_bus_t *bus = &s->pipeline.bus;
    lateness_counts_t counts[TBUS_TOPICS_MAX] = {{0}};
    for (uint32_t i = 0; i < bus->topics_count; i++) {
        const tbus_ring_sub_t *place = place_of_recorder(&bus->rings[i]);
        uint64_t behind = place ? backlog_of(&bus->rings[i], place) : 0;
        uint64_t published = tbus_ring_published(&bus->rings[i]);
        counts[i] = (lateness_counts_t){published, published > behind ? published - behind : 0};
    }
    lateness_see(&s->recording, now_ns, counts, bus->topics_count, limit_ns);
}

/* Where there are several publishers the last sequences may be of messages that never came to be.
 * A sync is of all topics, so those with one publisher tell. */
static bool is_told_by(const tbus_topic_t *topic)
{
    return topic->kind == TBUS_BROADCAST || topic->kind == TBUS_SPSC;
}

/* What there was no room for is never on the disk, and told elsewhere. */
static void see_disk(supervisor_t *s, uint64_t now_ns, uint64_t limit_ns)
{
    const tbus_bus_t *bus = &s->pipeline.bus;
    lateness_counts_t counts[TBUS_TOPICS_MAX] = {{0}};
    for (uint32_t i = 0; i < bus->topics_count; i++) {
        char name[TBUS_COUNTER_NAME_MAX];
        const tbus_topic_t *topic = &bus->directory->topics[i];
        uint64_t first = bus->rings[i].first_seq;
        snprintf(name, sizeof name, "journal.durable." TBUS_NAME_TEXT, topic->name);
        uint64_t seq = tbus_counter_value(bus, name);
        if (is_told_by(topic) && !s->journal_full)
            counts[i] = (lateness_counts_t){tbus_ring_published(&bus->rings[i]),
                                            seq >= first ? seq - first + 1 : 0};
    }
    lateness_see(&s->disk, now_ns, counts, bus->topics_count, limit_ns);
}

/* No error as long as orders pass. */
static void raise_alarm(supervisor_t *s, const recorder_values_t *values)
{
    bool recording = s->recording.late;
    uint64_t limit_ms = values->lag_max_ms;
    void (*tell)(supervisor_t *, const char *, ...) =
        values->when_late == RECORDER_LATE_HALT ? supervisor_complain : supervisor_note;
    tell(s,
         "the recording is late: what was published %" PRIu64
         " ms ago and before is not %s (journal.lag_max_ms=%" PRIu64 "); %s",
         (recording ? s->recording.behind_ns : s->disk.behind_ns) / MS_NS,
         recording ? "recorded" : "on the disk", limit_ms,
         recording ? "look at the recorder and its CPU" : "look at the disk");
}

static void let_no_order_pass(supervisor_t *s)
{
    if (kill_switch_thrown(s->pipeline.kill_switch))
        return;
    kill_switch_throw_once(s->pipeline.kill_switch, KILL_BY_SUPERVISOR,
                           "the recording is late: what is ordered would not be recorded in time");
    supervisor_nudge(s);
}

static void judge(supervisor_t *s, const recorder_values_t *values)
{
    summary_late_t *told = &s->run.late;
    bool late = s->recording.late || s->disk.late;
    uint64_t behind_ns = s->recording.late ? s->recording.behind_ns : 0;
    if (s->disk.late && s->disk.behind_ns > behind_ns)
        behind_ns = s->disk.behind_ns;
    told->behind_ms = behind_ns / MS_NS;
    told->behind_ms_max =
        told->behind_ms > told->behind_ms_max ? told->behind_ms : told->behind_ms_max;
    if (late && values->when_late == RECORDER_LATE_HALT)
        let_no_order_pass(s); /* also when somebody has resumed meanwhile */
    if (late && !told->now) {
        told->times++;
        raise_alarm(s, values);
    } else if (!late && told->now)
        supervisor_note(s, "the recording is in time again; it was %" PRIu64 " ms behind at most%s",
                        told->behind_ms_max,
                        values->when_late == RECORDER_LATE_HALT ? "; resume when orders are to pass"
                                                                : "");
    told->now = late;
}

/* While a run ends the recorder takes its time, and that is waited for. */
void supervisor_watch_lateness(supervisor_t *s)
{
    const recorder_values_t *values = config_recorder(&s->request->options->config);
    uint64_t now_ns = tbus_clock_ns();
    if (!values || !values->directory[0] || !values->lag_max_ms || !s->running_since_ns ||
        s->stop_asked || s->broken || now_ns - s->recording.looked_ns < LOOK_NS)
        return;
    uint64_t limit_ns = values->lag_max_ms * MS_NS;
    uint32_t every_ms;
    int durability = tbus_recorder_durability(values, &every_ms);
    see_recording(s, now_ns, limit_ns);
    if (durability != TBUS_JOURNAL_ASYNC)
        see_disk(s, now_ns, limit_ns + every_ms * MS_NS);
    judge(s, values);
}
