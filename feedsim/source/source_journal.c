/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/source/source.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <tickbus/journal.h>

#include "bus/msg/message_type.h"
#include "feedsim/itch/itch.h"
#include "feedsim/timeline.h"

typedef struct source_journal {
    feed_source_t base;
    tbus_journal_reader_t *reader;
    char *directory;
    uint16_t topic;
    bool damaged;                     /* a segment cannot be opened; up to that it can be read */
    bool recorded;                    /* paced by the clock of the host that recorded */
    uint64_t started_ns;              /* of the recording: since midnight, UTC */
    uint64_t bytes_done, bytes_total; /* of the segments; a total of 0: not known */
} source_journal_t;

static uint64_t time_of(const source_journal_t *s, const tbus_journal_record_t *record,
                        const tick_t *tick)
{
    if (s->recorded)
        return s->started_ns + record->time_ns;
    bool timed = tick->type != TICK_RUNT && tick->type != TICK_END_MARK;
    return timed ? tick_event_ns(tick) : FEED_TIME_NONE;
}

/* A record is bytes from outside: take it only if it is a tick that a feed could have published.
 * The message itself is not needed, so its length is all that is checked. */
static int take(source_journal_t *s, const tbus_journal_record_t *record, tick_t *buffer,
                size_t *out_bytes)
{
    if (record->bytes > TICK_LEN_MAX || !itch_tick_valid(record->payload, record->bytes))
        return tbus_fail(&s->base.error, -TBUS_ECORRUPT,
                         "%s: the record of %s %" PRIu64 " in segment %" PRIu32 " at byte %" PRIu64
                         " is no tick; what came before it was delivered",
                         s->directory, tbus_journal_reader_info(s->reader)->topics[s->topic].name,
                         record->seq, record->segment, record->offset);
    memset(buffer, 0, sizeof *buffer);
    memcpy(buffer, record->payload, record->bytes);
    s->base.warm_up = tick_is_warm_up(buffer);
    buffer->intended = tick_pack(0, tick_locate(buffer));
    *out_bytes = record->bytes;
    s->base.time_ns = time_of(s, record, buffer);
    const tbus_journal_info_t *info = tbus_journal_reader_info(s->reader);
    s->bytes_done = (record->segment - info->first_segment) * info->segment_bytes + record->offset;
    if (tick_is_mark(buffer))
        feed_source_count_mark(&s->base, buffer->type);
    else
        feed_source_count(&s->base, itch_tick_type(buffer, record->bytes),
                          itch_tick_message_bytes(buffer, record->bytes));
    s->base.seq = record->seq;
    return FEED_SOURCE_TICK;
}

/* That this is not all there was, or will be. */
static void note_end(source_journal_t *s)
{
    enum tbus_journal_end end = tbus_journal_reader_end(s->reader);
    if (end == TBUS_JOURNAL_TORN)
        tbus_fail(&s->base.note, -TBUS_ETRUNCATED,
                  "the journal in %s is torn: its recorder was killed, and what it had recorded "
                  "was replayed "
                  "(%" PRIu64 " bytes behind the last whole record were cut off)",
                  s->directory, tbus_journal_reader_torn_bytes(s->reader));
    else if (end == TBUS_JOURNAL_BROKEN)
        tbus_fail(&s->base.note, -TBUS_ETRUNCATED, "%s; what it had recorded was replayed",
                  tbus_journal_reader_broken(s->reader)->text);
    else if (end == TBUS_JOURNAL_LIVE)
        tbus_fail(&s->base.note, -EAGAIN,
                  "the journal in %s is being written; it was replayed as far as it had come",
                  s->directory);
}

/* A segment cannot be opened, and the reader passes damage over: has it come to a place? Then that
 * ends the replay. */
static bool stopped_by_damage(source_journal_t *s)
{
    const tbus_journal_damage_t *place;
    if (!s->damaged || tbus_journal_reader_damage(s->reader, &place) == 0)
        return false;
    tbus_fail(&s->base.error, -TBUS_ECORRUPT,
              "segment %08" PRIu32 ".tbj of the journal in %s is damaged at offset %" PRIu64
              ": %s; what came before it was delivered",
              place->segment, s->directory, place->offset, place->what);
    return true;
}

static int next(feed_source_t *self, tick_t *buffer, size_t *out_bytes)
{
    source_journal_t *s = (source_journal_t *)self;
    if (self->error.code != 0)
        return self->error.code;
    tbus_journal_record_t record;
    int rc;
    /* Bounded by the journal: records of other topics in between are skipped. */
    while ((rc = tbus_journal_reader_next(s->reader, &record, &self->error)) > 0) {
        if (stopped_by_damage(s))
            return self->error.code;
        if (record.topic == s->topic)
            return take(s, &record, buffer, out_bytes);
    }
    if (rc == 0 && stopped_by_damage(s))
        return self->error.code;
    if (rc < 0) {
        self->error.code = rc;
        return rc;
    }
    note_end(s);
    return FEED_SOURCE_END;
}

static void close_journal(feed_source_t *self)
{
    source_journal_t *s = (source_journal_t *)self;
    if (s->reader)
        tbus_journal_reader_close(s->reader);
    free(s->directory);
    free(s);
}

static void progress(const feed_source_t *self, uint64_t *out_done, uint64_t *out_total)
{
    const source_journal_t *s = (const source_journal_t *)self;
    *out_done = s->bytes_done < s->bytes_total ? s->bytes_done : s->bytes_total;
    *out_total = s->bytes_total;
}

/* A segment is cut to what it holds when it is finished; while the last one has its full length
 * nobody knows how much of it is used. */
static uint64_t length_of(const source_journal_t *s)
{
    const tbus_journal_info_t *info = tbus_journal_reader_info(s->reader);
    char name[PATH_MAX];
    struct stat st;
    snprintf(name, sizeof name, "%s/%08" PRIu32 ".tbj", s->directory,
             info->first_segment + info->segments - 1);
    bool cut = stat(name, &st) == 0 && (uint64_t)st.st_size < info->segment_bytes;
    return cut ? (info->segments - 1) * info->segment_bytes + (uint64_t)st.st_size : 0;
}

/* The topic of ticks: `md` where several are. -1: none. */
static int find_ticks(const tbus_journal_info_t *info)
{
    int found = -1;
    for (uint32_t i = 0; i < info->topics_count; i++)
        if (strcmp(info->topics[i].type, "tick") == 0 &&
            (found < 0 || strcmp(info->topics[i].name, "md") == 0))
            found = (int)i;
    return found;
}

static int take_topic(source_journal_t *s, int topic, tbus_error_t *err)
{
    const tbus_journal_info_t *info = tbus_journal_reader_info(s->reader);
    const tbus_journal_topic_t *ticks = &info->topics[topic];
    if (!message_type_reads(message_type(ticks->type), ticks->type_version))
        return tbus_fail(err, -TBUS_EABI,
                         "topic '%s' of the session in %s has ticks of version %" PRIu32
                         ", and this tickbus reads version %u; replay it with a newer one",
                         ticks->name, s->directory, ticks->type_version, TICK_VERSION);
    s->topic = (uint16_t)topic;
    return 0;
}

static int choose(feed_source_t *self, const char *topic, tbus_error_t *err)
{
    source_journal_t *s = (source_journal_t *)self;
    const tbus_journal_info_t *info = tbus_journal_reader_info(s->reader);
    int index = tbus_journal_reader_topic(s->reader, topic);
    if (index < 0 || strcmp(info->topics[index].type, "tick") != 0)
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "the session in %s has no topic '%s' of ticks, and nothing else can be "
                         "fed (busctl journal info shows its topics)",
                         s->directory, topic);
    return take_topic(s, index, err);
}

static int begin_at(feed_source_t *self, uint64_t seq, tbus_error_t *err)
{
    source_journal_t *s = (source_journal_t *)self;
    int rc = tbus_journal_reader_seek_seq(s->reader, s->topic, seq, err);
    return rc < 0 ? rc : 0;
}

static int open_ticks(source_journal_t *s, tbus_error_t *err)
{
    int rc = tbus_journal_reader_open(s->directory, &s->reader, err);
    s->damaged = rc == -TBUS_ECORRUPT;
    if (s->damaged)
        rc = tbus_journal_reader_open_damaged(s->directory, &s->reader, err);
    if (rc != 0)
        return rc;
    const tbus_journal_info_t *info = tbus_journal_reader_info(s->reader);
    int topic = find_ticks(info);
    if (topic < 0)
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "the session in %s has no topic of ticks: there is nothing to replay",
                         s->directory);
    rc = take_topic(s, topic, err);
    if (rc != 0)
        return rc;
    s->started_ns = info->started_realtime_ns % FEED_DAY_NS;
    s->bytes_total = length_of(s);
    return 0;
}

static const feed_source_ops_t ops = {.next = next,
                                      .choose = choose,
                                      .begin_at = begin_at,
                                      .progress = progress,
                                      .close = close_journal};

int feed_source_open_journal(const char *directory, enum feed_clock clock,
                             feed_source_t **out_source, tbus_error_t *err)
{
    source_journal_t *s = calloc(1, sizeof *s);
    if (!s || !(s->directory = strdup(directory))) {
        free(s);
        return tbus_fail(err, -ENOMEM, "no memory to replay %s", directory);
    }
    s->base.ops = &ops;
    s->base.daily = clock == FEED_CLOCK_MARKET;
    s->recorded = clock == FEED_CLOCK_RECORDED;
    int rc = open_ticks(s, err);
    if (rc != 0) {
        close_journal(&s->base);
        return rc;
    }
    *out_source = &s->base;
    return 0;
}
