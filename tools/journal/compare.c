/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/compare.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/msg/event.h>

#include "bus/msg/digest.h"
#include "bus/msg/message_type.h"
#include "tools/journal/first_cause.h"
#include "tools/journal/recorded_clock.h"

#define STREAMS_MAX 256u
/* Of one stream, that one side is ahead of the other: 256 MiB. In recordings of one program topics
 * lie no further apart than their rings have slots. */
#define AHEAD_MAX (UINT64_C(1) << 22)

/* Messages that one side has read and the other has not: a ring that grows. */
typedef struct queue {
    compare_message_t *messages; /* owned */
    size_t capacity;             /* a power of two, or 0 */
    size_t first;
    size_t count;
    bool cut; /* there were more than AHEAD_MAX; the last are not here */
} queue_t;

typedef struct stream {
    uint32_t topic; /* index in counts */
    uint32_t strategy;
    enum message_id type;
    queue_t sides[2];
    uint64_t equal;
    digest_t digest;
    bool settled;  /* nothing that follows on it counts */
    bool diverged; /* parting says where */
    parting_t parting;
} stream_t;

typedef struct comparison {
    tbus_journal_reader_t *readers[2];
    bool ended[2];
    int events[2];    /* index of the topic `events`; negative: there is none */
    uint64_t lack_ns; /* market time of the first decision that nobody was left to take */
    /* of the first halt of stages whose supervisor had died; and one of them ended before all had
     * come to rest */
    uint64_t orphaned_ns[2];
    bool undrained[2];
    const compare_repetition_t *repetition;       /* NULL: it is none */
    int32_t topic_of[2][TBUS_JOURNAL_TOPICS_MAX]; /* index in counts, or -1 */
    enum message_id types[TBUS_JOURNAL_TOPICS_MAX];
    bool several[TBUS_JOURNAL_TOPICS_MAX]; /* publishers: their order is the host's */
    char type_names[TBUS_JOURNAL_TOPICS_MAX][TBUS_NAME_MAX];
    size_t ahead[2]; /* messages in all queues */
    recorded_clock_t clocks[2];
    parting_counts_t counts;
    uint32_t streams_count;
    stream_t streams[STREAMS_MAX];
    compare_result_t *result;
} comparison_t;

/* ---- messages */

static uint32_t strategy_of(enum message_id type, const void *bytes)
{
    uint64_t id;
    memcpy(&id, bytes, sizeof id);
    return type == MESSAGE_BBO ? 0 : (uint32_t)(id >> 48);
}

static uint64_t md_seq_of(enum message_id type, const void *bytes)
{
    order_t order;
    uint64_t first;
    memcpy(&first, bytes, sizeof first);
    if (type == MESSAGE_BBO)
        return first;
    memcpy(&order, bytes, sizeof order); /* a report has it in the same place */
    return order.md_seq;
}

static bool equal(enum message_id type, const void *a, const void *b)
{
    unsigned hosts = type == MESSAGE_ORDER    ? DIGEST_ORDER_HOSTS
                     : type == MESSAGE_REPORT ? DIGEST_REPORT_HOSTS
                                              : DIGEST_BBO_HOSTS;
    for (unsigned i = 0; i < DIGEST_WORDS; i++)
        if (digest_word(a, i, hosts) != digest_word(b, i, hosts))
            return false;
    return true;
}

static void add_digest(stream_t *s, const void *bytes)
{
    _Alignas(8) unsigned char message[COMPARE_MESSAGE_BYTES];
    memcpy(message, bytes, sizeof message);
    if (s->type == MESSAGE_ORDER)
        digest_order(&s->digest, (const order_t *)(const void *)message);
    else if (s->type == MESSAGE_REPORT)
        digest_report(&s->digest, (const report_t *)(const void *)message);
    else
        digest_bbo(&s->digest, (const bbo_t *)(const void *)message);
}

/* ---- queues */

static bool push(queue_t *q, const compare_message_t *message)
{
    if (q->count == q->capacity) {
        size_t capacity = q->capacity ? 2 * q->capacity : 64;
        compare_message_t *messages = aligned_alloc(64, capacity * sizeof *messages);
        if (!messages)
            return false;
        for (size_t i = 0; i < q->count; i++)
            messages[i] = q->messages[(q->first + i) & (q->capacity - 1)];
        free(q->messages);
        *q = (queue_t){.messages = messages, .capacity = capacity, .count = q->count};
    }
    q->messages[(q->first + q->count++) & (q->capacity - 1)] = *message;
    return true;
}

static const compare_message_t *front(const queue_t *q)
{
    return q->count ? &q->messages[q->first] : NULL;
}

static void pop(queue_t *q)
{
    q->first = (q->first + 1) & (q->capacity - 1);
    q->count--;
}

/* ---- market time */

/* Of a best price: 0, it is its tick's. */
static uint64_t message_ns(enum message_id type, const void *bytes)
{
    order_t order;
    report_t report;
    if (type == MESSAGE_ORDER) {
        memcpy(&order, bytes, sizeof order);
        return order.at;
    }
    if (type != MESSAGE_REPORT)
        return 0;
    memcpy(&report, bytes, sizeof report);
    return report.seen;
}

/* ---- streams */

static stream_t *stream_of(comparison_t *c, uint32_t topic, uint32_t strategy)
{
    for (uint32_t i = 0; i < c->streams_count; i++)
        if (c->streams[i].topic == topic && c->streams[i].strategy == strategy)
            return &c->streams[i];
    if (c->streams_count == STREAMS_MAX)
        return NULL;
    stream_t *s = &c->streams[c->streams_count++];
    *s = (stream_t){.topic = topic, .strategy = strategy, .type = c->types[topic]};
    return s;
}

static void settle(comparison_t *c, stream_t *s)
{
    s->settled = true;
    for (unsigned side = 0; side < 2; side++) {
        c->ahead[side] -= s->sides[side].count;
        free(s->sides[side].messages);
        s->sides[side] = (queue_t){0};
    }
}

/* One of the two may be NULL: it is missing. They may be in the stream's queues. */
static void diverge(comparison_t *c, stream_t *s, const compare_message_t *a,
                    const compare_message_t *b)
{
    const compare_message_t *sides[2] = {a, b};
    parting_t *p = &s->parting;
    *p = (parting_t){.what = {.place = s->equal + 1, .md_seq = UINT64_MAX},
                     .decided = decided_of(c->result->counts[s->topic].topic),
                     .of_one_strategy = c->several[s->topic],
                     .at_ns = UINT64_MAX};
    memcpy(p->what.topic, c->result->counts[s->topic].topic, sizeof p->what.topic);
    memcpy(p->what.type, c->type_names[s->topic], sizeof p->what.type);
    for (unsigned side = 0; side < 2; side++) {
        if (!sides[side])
            continue;
        const unsigned char *bytes = sides[side]->bytes;
        uint64_t md_seq = md_seq_of(s->type, bytes), at_ns = message_ns(s->type, bytes);
        p->what.sides[side] = *sides[side];
        p->what.md_seq = md_seq < p->what.md_seq ? md_seq : p->what.md_seq;
        p->at_ns = at_ns < p->at_ns ? at_ns : p->at_ns;
    }
    p->what.strategy = strategy_of(s->type, (a ? a : b)->bytes);
    s->diverged = true;
    settle(c, s);
}

/* What both have is counted for those that come of it. */
static void count_equal(comparison_t *c, stream_t *s, const compare_message_t *message)
{
    enum decided decided = decided_of(c->result->counts[s->topic].topic);
    uint32_t strategy = strategy_of(s->type, message->bytes);
    report_t report;
    s->equal++;
    add_digest(s, message->bytes);
    if (decided == DECIDED_JUDGED)
        c->counts.judged[strategy]++;
    if (decided != DECIDED_REPORTS)
        return;
    memcpy(&report, message->bytes, sizeof report);
    c->counts.answered[strategy] += (report.flags & REPORT_ANSWER) != 0;
}

static bool ends_early(const comparison_t *c, unsigned side)
{
    return c->result->ends[side] != TBUS_JOURNAL_CLOSED || c->result->failed[side];
}

/* One side has no more on this stream. What the other has is missing there, unless it ends early:
 * then nobody knows. */
static void compare_rest(comparison_t *c, stream_t *s)
{
    for (unsigned side = 0; side < 2; side++) {
        const compare_message_t *m = front(&s->sides[1 - side]);
        if (s->settled || !c->ended[side] || front(&s->sides[side]) || !m)
            continue;
        uint64_t at_ns = message_ns(s->type, m->bytes);
        if (c->result->failed[side] && s->type != MESSAGE_BBO && at_ns < c->lack_ns)
            c->lack_ns = at_ns;
        if (ends_early(c, side))
            settle(c, s);
        else
            diverge(c, s, side ? m : NULL, side ? NULL : m);
    }
}

static int compare_stream(comparison_t *c, stream_t *s, tbus_error_t *err)
{
    const compare_message_t *a, *b;
    while (!s->settled && (a = front(&s->sides[0])) && (b = front(&s->sides[1]))) {
        if (!equal(s->type, a->bytes, b->bytes)) {
            diverge(c, s, a, b);
            return 0;
        }
        count_equal(c, s, a);
        for (unsigned side = 0; side < 2; side++) {
            pop(&s->sides[side]);
            c->ahead[side]--;
            if (s->sides[side].cut && s->sides[side].count == 0)
                return tbus_fail(err, -TBUS_ELIMIT,
                                 "the messages of topic '%s' lie so far apart in the two "
                                 "recordings that there is no memory to compare them",
                                 c->result->counts[s->topic].topic);
        }
    }
    compare_rest(c, s);
    return 0;
}

/* ---- reading */

static int keep(comparison_t *c, stream_t *s, unsigned side, const compare_message_t *message,
                tbus_error_t *err)
{
    queue_t *q = &s->sides[side];
    q->cut |= q->count == AHEAD_MAX;
    if (q->cut) /* the first that is not there on the other side is all that is needed */
        return 0;
    if (!push(q, message))
        return tbus_fail(err, -ENOMEM, "no memory to compare two recordings");
    c->ahead[side]++;
    return compare_stream(c, s, err);
}

static int end_side(comparison_t *c, unsigned side, tbus_error_t *err)
{
    int code = 0;
    c->ended[side] = true;
    c->result->ends[side] = tbus_journal_reader_end(c->readers[side]);
    for (uint32_t i = 0; code == 0 && i < c->streams_count; i++)
        code = compare_stream(c, &c->streams[i], err);
    return code;
}

static void note_event(comparison_t *c, unsigned side, const tbus_journal_record_t *record)
{
    event_t event;
    if (record->bytes < EVENT_BYTES)
        return;
    memcpy(&event, record->payload, sizeof event);
    c->result->failed[side] |= event.kind == EVENT_FAILED || event.kind == EVENT_ORPHAN;
    c->undrained[side] |= event.kind == EVENT_ORPHAN && event.number != EVENT_ORPHAN_DRAINED;
    bool halted = event.kind == EVENT_HALT && event.by == EVENT_BY_ORPHAN;
    if (halted && event.market_ns < c->orphaned_ns[side])
        c->orphaned_ns[side] = event.market_ns;
}

/* Stages that did not wait for one another have decided what the host let them come to, and that is
 * not on record: what comes behind their halt is known of none. */
static uint64_t known_ns(const comparison_t *c)
{
    uint64_t known = c->lack_ns;
    for (unsigned side = 0; side < 2; side++) {
        bool drained = !c->undrained[side] && c->result->ends[side] == TBUS_JOURNAL_CLOSED;
        if (!drained && c->orphaned_ns[side] < known)
            known = c->orphaned_ns[side];
    }
    return known;
}

/* One record of a side. 0 or a negative error. */
static int read_one(comparison_t *c, unsigned side, tbus_error_t *err)
{
    tbus_journal_record_t record;
    int got = tbus_journal_reader_next(c->readers[side], &record, err);
    if (got == 0)
        return end_side(c, side, err);
    if (got < 0)
        return got;
    recorded_clock_follow(&c->clocks[side], &record);
    if (record.topic == c->events[side])
        note_event(c, side, &record);
    int32_t topic = c->topic_of[side][record.topic];
    if (topic < 0 || record.bytes != COMPARE_MESSAGE_BYTES)
        return 0;
    compare_message_t message = {.there = true, .seq = record.seq};
    memcpy(message.bytes, record.payload, sizeof message.bytes);
    uint32_t strategy = c->several[topic] ? strategy_of(c->types[topic], message.bytes) : 0;
    stream_t *s = stream_of(c, (uint32_t)topic, strategy);
    if (!s)
        return tbus_fail(err, -TBUS_ELIMIT,
                         "topic '%s' has orders of more strategies than can be compared: %u on all "
                         "topics",
                         c->result->counts[topic].topic, STREAMS_MAX);
    return s->settled ? 0 : keep(c, s, side, &message, err);
}

/* All of both: how topics lie between one another says nothing of what came first. */
static int read_both(comparison_t *c, tbus_error_t *err)
{
    int code = 0;
    while (code == 0 && !(c->ended[0] && c->ended[1])) {
        /* the one that lags, so that little has to be kept */
        unsigned side = c->ended[0] || (!c->ended[1] && c->ahead[1] < c->ahead[0]) ? 1 : 0;
        code = read_one(c, side, err);
    }
    return code;
}

/* ---- the first */

/* A recording that ends early does not hold all that its last messages were made from, and its
 * repetition winds down where it ends: nothing behind the last tick of either can be compared. */
static uint64_t end_ns(const comparison_t *c)
{
    uint64_t last_ns = UINT64_MAX;
    bool early = ends_early(c, 0) || ends_early(c, 1);
    for (unsigned side = 0; side < 2; side++) {
        if (c->clocks[side].whole && c->clocks[side].clock.now_ns < last_ns)
            last_ns = c->clocks[side].clock.now_ns;
    }
    return early ? last_ns : UINT64_MAX;
}

static bool is_known(const comparison_t *c, const parting_t *p, uint64_t last_ns)
{
    const compare_repetition_t *r = c->repetition;
    bool lacks = r && !p->what.sides[1].there;
    if (lacks && r->of_host_clock && ends_early(c, 0))
        return false;
    if (lacks && r->stood_still && p->decided == DECIDED_BBO)
        return false;
    return p->at_ns <= last_ns && p->at_ns < known_ns(c);
}

static uint64_t bbo_ns(const compare_divergence_t *what, const char *const directories[2])
{
    uint64_t first_ns = UINT64_MAX;
    for (unsigned side = 0; side < 2; side++) {
        const compare_message_t *m = &what->sides[side];
        uint64_t at_ns =
            m->there ? recorded_clock_tick_ns(directories[side], md_seq_of(MESSAGE_BBO, m->bytes))
                     : UINT64_MAX;
        first_ns = at_ns < first_ns ? at_ns : first_ns;
    }
    return first_ns;
}

static int find_first(comparison_t *c, const char *const directories[2], tbus_error_t *err)
{
    uint32_t count = 0;
    uint64_t last_ns = end_ns(c);
    parting_t *partings = calloc(c->streams_count ? c->streams_count : 1, sizeof *partings);
    if (!partings)
        return tbus_fail(err, -ENOMEM, "no memory to compare two recordings");
    for (uint32_t i = 0; i < c->streams_count; i++) {
        parting_t *p = &c->streams[i].parting;
        if (!c->streams[i].diverged)
            continue;
        if (c->streams[i].type == MESSAGE_BBO)
            p->at_ns = bbo_ns(&p->what, directories);
        if (is_known(c, p, last_ns))
            partings[count++] = *p;
    }
    c->result->identical = count == 0;
    if (count != 0)
        c->result->first = partings[first_cause(partings, count, &c->counts)].what;
    free(partings);
    return 0;
}

/* ---- topics */

static bool is_decided(enum message_id type)
{
    return type == MESSAGE_ORDER || type == MESSAGE_REPORT || type == MESSAGE_BBO;
}

/* Kind 0: unknown. */
static bool has_several_publishers(uint32_t kind)
{
    return kind == TBUS_MPSC || kind == TBUS_BROADCAST_MP || kind == TBUS_MPMC;
}

static int find_topic(comparison_t *c, const char *name, const char *const directories[2],
                      tbus_error_t *err)
{
    int at[2];
    const tbus_journal_topic_t *topics[2];
    for (unsigned side = 0; side < 2; side++) {
        at[side] = tbus_journal_reader_topic(c->readers[side], name);
        if (at[side] < 0)
            return 0;
        topics[side] = &tbus_journal_reader_info(c->readers[side])->topics[at[side]];
    }
    const message_type_t *type = message_type(topics[0]->type);
    if (!type || !is_decided(type->id) || strcmp(topics[0]->type, topics[1]->type) != 0)
        return 0;
    for (unsigned side = 0; side < 2; side++)
        if (topics[side]->type_version != type->version)
            return tbus_fail(err, -TBUS_EABI,
                             "topic '%s' of the session in %s has messages of type '%s' of version "
                             "%" PRIu32 ", and this tickbus decides in version %" PRIu32
                             ": they cannot be compared; use the tickbus that recorded them",
                             name, directories[side], type->name, topics[side]->type_version,
                             type->version);
    uint32_t index = c->result->counts_count++;
    c->topic_of[0][at[0]] = c->topic_of[1][at[1]] = (int32_t)index;
    c->types[index] = type->id;
    c->several[index] = has_several_publishers(topics[0]->ring_kind);
    snprintf(c->result->counts[index].topic, TBUS_NAME_MAX, "%s", name);
    snprintf(c->type_names[index], TBUS_NAME_MAX, "%s", type->name);
    return 0;
}

static int find_topics(comparison_t *c, const char *const directories[2], tbus_error_t *err)
{
    const tbus_journal_info_t *info = tbus_journal_reader_info(c->readers[0]);
    int code = 0;
    memset(c->topic_of, -1, sizeof c->topic_of);
    for (unsigned wanted = 0; code == 0 && wanted < DECIDED_COUNT; wanted++)
        for (uint32_t i = 0; code == 0 && i < info->topics_count; i++)
            if (decided_of(info->topics[i].name) == wanted)
                code = find_topic(c, info->topics[i].name, directories, err);
    if (code == 0 && c->result->counts_count == 0)
        code = tbus_fail(err, -TBUS_ENOTFOUND,
                         "the sessions in %s and %s have no topic of orders, reports or best "
                         "prices in common: there is nothing to compare",
                         directories[0], directories[1]);
    return code;
}

/* Streams of a topic, in the order of the strategies. */
static void sum_up(comparison_t *c)
{
    for (uint32_t t = 0; t < c->result->counts_count; t++)
        for (uint32_t number = 0; number <= UINT16_MAX; number++) {
            const stream_t *s = NULL;
            for (uint32_t i = 0; i < c->streams_count && !s; i++)
                if (c->streams[i].topic == t && c->streams[i].strategy == number)
                    s = &c->streams[i];
            if (!s)
                continue;
            compare_count_t *count = &c->result->counts[t];
            count->equal += s->equal;
            count->digest = digest_join(count->digest, s->digest);
        }
}

int compare_recordings(const char *const directories[2], const compare_repetition_t *repetition,
                       compare_result_t *out_result, tbus_error_t *err)
{
    compare_result_t result = {.identical = true};
    comparison_t *c = calloc(1, sizeof *c);
    if (!c)
        return tbus_fail(err, -ENOMEM, "no memory to compare two recordings");
    c->result = &result;
    c->repetition = repetition;
    c->lack_ns = c->orphaned_ns[0] = c->orphaned_ns[1] = UINT64_MAX;
    int code = tbus_journal_reader_open(directories[0], &c->readers[0], err);
    if (code == 0)
        code = tbus_journal_reader_open(directories[1], &c->readers[1], err);
    if (code == 0)
        code = find_topics(c, directories, err);
    for (unsigned side = 0; code == 0 && side < 2; side++) {
        c->clocks[side] = recorded_clock_begin(c->readers[side]);
        c->events[side] = tbus_journal_reader_topic(c->readers[side], EVENT_TOPIC);
    }
    if (code == 0)
        code = read_both(c, err);
    if (code == 0)
        code = find_first(c, directories, err);
    if (code == 0) {
        sum_up(c);
        *out_result = result;
    }
    for (uint32_t i = 0; i < c->streams_count; i++)
        for (unsigned side = 0; side < 2; side++)
            free(c->streams[i].sides[side].messages);
    tbus_journal_reader_close(c->readers[0]);
    tbus_journal_reader_close(c->readers[1]);
    free(c);
    return code;
}
