/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/recorder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/glance.h>

#include "bus/run/stamps.h"

#define BATCH_MIN 64u /* messages of one topic in one poll */
/* How soon a process with nothing else to do looks again whether the journal has room: by then its
 * helper has made room for thousands of messages, at full speed. */
#define LOOK_AGAIN_NS UINT64_C(200000)

typedef struct recorder {
    tbus_stage_t stage;
    tbus_journal_writer_t *journal;
    uint64_t look_ns; /* while it is stalled: when to look again */
    bool finishes;    /* nothing comes any more: wait for room */
    uint32_t topics_count;
    /* in the order of the bus, which is the journal's */
    tbus_subscriber_t subscribers[TBUS_TOPICS_MAX];
    tbus_atomic_u64_t *records; /* counters */
    tbus_atomic_u64_t *bytes;
    tbus_atomic_u64_t *missed;
    tbus_atomic_u64_t *no_room;
    /* while somebody measures: where it is noted when a message was recorded; NULL: nobody does */
    const tbus_stamps_t *stamps;
    uint32_t stamped_topic;
} recorder_t;

static int fail_append(recorder_t *r)
{
    const tbus_error_t *error = tbus_journal_writer_error(r->journal);
    return tbus_fail(&r->stage.error, error->code, "the journal cannot go on: %s", error->text);
}

static int fail_subscriber(recorder_t *r, uint32_t topic)
{
    int code = r->subscribers[topic].error;
    return tbus_fail(&r->stage.error, code, "recorder: topic '%s': %s",
                     r->stage.bus->directory->topics[topic].name, tbus_strerror(code));
}

static int append(const recorder_t *r, uint32_t topic, uint64_t now_ns, const void *message,
                  size_t bytes)
{
    uint64_t seq = r->subscribers[topic].seq;
    return r->finishes ? tbus_journal_writer_append(r->journal, (uint16_t)topic, seq, now_ns,
                                                    message, bytes)
                       : tbus_journal_writer_append_try(r->journal, (uint16_t)topic, seq, now_ns,
                                                        message, bytes);
}

/* Up to `limit` messages of one topic. How many, or the negative error. `*now_ns` is 0 until the
 * first message of a poll. Ends early when the journal has no room yet: then the stage is stalled,
 * and the next message stays where it is. */
static int record_topic(recorder_t *r, uint32_t topic, uint32_t limit, uint64_t *now_ns)
{
    tbus_subscriber_t *s = &r->subscribers[topic];
    size_t bytes;
    const void *message;
    uint32_t taken = 0;
    while (taken < limit && (message = tbus_peek(s, &bytes)) != NULL) {
        if (*now_ns == 0)
            *now_ns = tbus_bus_now_ns(r->stage.bus);
        int code = append(r, topic, *now_ns, message, bytes);
        if (TBUS_UNLIKELY(code < 0))
            return fail_append(r);
        if (TBUS_UNLIKELY(code == TBUS_JOURNAL_NOT_YET)) {
            r->stage.stalled = true;
            break;
        }
        if (TBUS_UNLIKELY(r->stamps && topic == r->stamped_topic))
            tbus_stamps_message(r->stamps, TBUS_STAMP_RECORDED, s->seq, tbus_stamps_now(r->stamps));
        tbus_advance(s);
        taken++;
    }
    return TBUS_UNLIKELY(s->error) ? fail_subscriber(r, topic) : (int)taken;
}

/* No ring need wake us for what we cannot take; and nobody is at rest who has left something. */
static void hold_back(recorder_t *r, bool stalled, uint64_t now_ns)
{
    for (uint32_t topic = 0; topic < r->topics_count; topic++)
        r->subscribers[topic].held_back = stalled;
    r->stage.pending = stalled;
    r->look_ns = now_ns + LOOK_AGAIN_NS;
}

/* Up to `limit` messages of each topic, as long as the journal has room. */
static int record_all(recorder_t *r, uint32_t limit)
{
    bool was_stalled = r->stage.stalled;
    uint64_t now_ns = 0;
    int taken = 0;
    r->stage.stalled = false;
    for (uint32_t topic = 0; topic < r->topics_count && !r->stage.stalled; topic++) {
        const tbus_subscriber_t *s = &r->subscribers[topic];
        if (!tbus_glance(s) && TBUS_LIKELY(s->error == 0))
            continue; /* most topics have nothing most of the time */
        int count = record_topic(r, topic, limit, &now_ns);
        if (TBUS_UNLIKELY(count < 0))
            return count;
        taken += count;
    }
    if (TBUS_UNLIKELY(r->stage.stalled || was_stalled))
        hold_back(r, r->stage.stalled, tbus_clock_ns());
    if (taken) {
        tbus_store_relaxed_u64(r->records, tbus_journal_writer_records(r->journal));
        tbus_store_relaxed_u64(r->bytes, tbus_journal_writer_bytes(r->journal));
        tbus_store_relaxed_u64(r->missed, tbus_journal_writer_missed(r->journal));
        tbus_store_relaxed_u64(r->no_room, !tbus_journal_writer_has_room(r->journal));
    }
    return taken;
}

static int recorder_poll(tbus_stage_t *stage, uint32_t budget)
{
    return record_all((recorder_t *)stage, budget > BATCH_MIN ? budget : BATCH_MIN);
}

static uint64_t recorder_deadline_ns(const tbus_stage_t *stage)
{
    return stage->stalled ? ((const recorder_t *)stage)->look_ns : TBUS_STAGE_NO_DEADLINE;
}

/* Whoever publishes has ended, or is not waited for: no more than the rings hold is recorded. */
static int record_the_rest(recorder_t *r)
{
    uint32_t slots = 0;
    for (uint32_t topic = 0; topic < r->topics_count; topic++)
        if (r->subscribers[topic].ring.slot_count > slots)
            slots = r->subscribers[topic].ring.slot_count;
    r->finishes = true;
    int code = record_all(r, slots);
    return code < 0 ? code : 0;
}

static int recorder_finish(tbus_stage_t *stage)
{
    recorder_t *r = (recorder_t *)stage;
    int code = record_the_rest(r);
    int closed = tbus_journal_writer_close(r->journal, code < 0 ? NULL : &stage->error);
    r->journal = NULL;
    return code < 0 ? code : closed;
}

static void recorder_destroy(tbus_stage_t *stage)
{
    recorder_t *r = (recorder_t *)stage;
    tbus_journal_writer_close(r->journal, NULL);
    tbus_stage_leave(stage);
    free(r);
}

static const tbus_stage_ops_t recorder_ops = {
    .poll = recorder_poll,
    .deadline_ns = recorder_deadline_ns,
    .finish = recorder_finish,
    .destroy = recorder_destroy,
};

/* Where the journal's helper says how far a topic is on the disk. */
static tbus_atomic_u64_t *durable_counter(recorder_t *r, const char *topic)
{
    char name[TBUS_COUNTER_NAME_MAX];
    snprintf(name, sizeof name, "journal.durable.%s", topic);
    return tbus_counter(r->stage.bus, r->stage.owner, name, "sequence");
}

/* Does the helper sync while a segment is written? Else durable_counter moves with segments. */
static void tell_syncs(const recorder_t *r, const recorder_params_t *params)
{
    tbus_atomic_u64_t *syncs =
        tbus_counter(r->stage.bus, r->stage.owner, "journal.syncs", "yes or no");
    tbus_store_relaxed_u64(syncs, params->durability != TBUS_JOURNAL_ASYNC);
}

static int create_journal(recorder_t *r, const recorder_params_t *params, tbus_error_t *err)
{
    const tbus_directory_t *directory = r->stage.bus->directory;
    tbus_journal_spec_t spec = {
        .directory = params->directory,
        .bus_name = directory->name,
        .session_name = directory->session_name,
        .started_realtime_ns = directory->started_realtime_ns,
        .segment_bytes = params->segment_bytes,
        .durability = params->durability,
        .sync_every_ms = params->sync_every_ms,
        .roll_by_day = params->roll_by_day,
        .go_on_when_full = params->go_on_when_full,
        .limits = params->limits,
        .topics_count = r->topics_count,
    };
    for (uint32_t topic = 0; topic < r->topics_count; topic++) {
        const tbus_topic_t *from = &directory->topics[topic];
        tbus_journal_topic_t *to = &spec.topics[topic];
        snprintf(to->name, sizeof to->name, "%s", from->name);
        snprintf(to->type, sizeof to->type, "%s", from->type);
        to->first_seq = r->stage.bus->rings[topic].first_seq;
        to->type_version = from->type_version;
        to->ring_kind = from->kind;
        to->layout_id = tbus_layout_of_type(to->type);
        spec.durable[topic] = durable_counter(r, from->name);
    }
    tell_syncs(r, params);
    return tbus_journal_writer_open(&spec, &r->journal, err);
}

/* What the session is, before its first message. */
static int introduce(recorder_t *r, enum tbus_journal_session_kind kind, const char *text,
                     tbus_error_t *err)
{
    if (!text)
        return 0;
    int code = tbus_journal_writer_append_session(r->journal, kind, tbus_bus_now_ns(r->stage.bus),
                                                  text, strlen(text));
    if (code < 0 && err)
        *err = *tbus_journal_writer_error(r->journal);
    return code;
}

static void know_stamps(recorder_t *r)
{
    const tbus_stamps_t *stamps = r->stage.bus->stamps;
    int topic = stamps ? tbus_bus_topic_index(r->stage.bus, stamps->topic) : -1;
    if (topic < 0)
        return;
    r->stamps = stamps;
    r->stamped_topic = (uint32_t)topic;
}

int tbus_recorder_create(tbus_bus_t *bus, uint32_t owner, const recorder_params_t *params,
                         tbus_stage_t **out_stage, tbus_error_t *err)
{
    TBUS_STATIC_ASSERT(TBUS_TOPICS_MAX <= TBUS_JOURNAL_TOPICS_MAX);
    TBUS_STATIC_ASSERT(TBUS_TOPICS_MAX <= TBUS_STAGE_RINGS_MAX);
    recorder_t *r = calloc(1, sizeof *r);
    if (!r)
        return tbus_fail(err, -ENOMEM, "no memory for the recorder");
    r->stage.ops = &recorder_ops;
    r->stage.owner = owner;
    r->stage.bus = bus;
    r->stage.yields = true; /* it is behind by so much at any time, and its rings hold more */
    snprintf(r->stage.name, sizeof r->stage.name, "%s", TBUS_RECORDER_NAME);
    uint32_t topics_count = bus->topics_count;
    int code = 0;
    for (; code == 0 && r->topics_count < topics_count; r->topics_count += code == 0)
        code =
            tbus_stage_join_subscriber(&r->stage, bus->directory->topics[r->topics_count].name,
                                       TBUS_RECORDER_NAME, &r->subscribers[r->topics_count], err);
    if (code == 0)
        code = create_journal(r, params, err);
    if (code == 0)
        code = introduce(r, TBUS_JOURNAL_PROVENANCE, params->provenance, err);
    if (code == 0)
        code = introduce(r, TBUS_JOURNAL_CONFIGURATION, params->configuration, err);
    if (code < 0) {
        recorder_destroy(&r->stage);
        return code;
    }
    r->records = tbus_counter(bus, owner, "journal.records", "messages");
    r->bytes = tbus_counter(bus, owner, "journal.bytes", "bytes");
    r->missed = tbus_counter(bus, owner, "journal.missed", "messages");
    r->no_room = tbus_counter(bus, owner, "journal.no_room", "yes or no");
    know_stamps(r);
    *out_stage = &r->stage;
    return 0;
}
