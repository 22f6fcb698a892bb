/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gateway/stream.h"

#include <errno.h>
#include <stdlib.h>

#include <tickbus/journal.h>
#include <tickbus/observer.h>

#include "bus/wire/soup.h"

struct gateway_stream {
    const gateway_source_t *source;
    tbus_history_t *history;
    uint64_t next_seq; /* on the wire */
    const char *why;
    /* The messages that were read last; those from `held` on are still to be given out. If the
     * first of them is not the next one on the wire, those before it never were messages. */
    tbus_history_batch_t batch; /* owns batch.into */
    uint32_t held;
    bool encoded_too; /* that one is at `encoded` */
    size_t encoded_bytes;
    uint8_t *encoded; /* owned */
};

/* --- the source --- */

static int take_type(gateway_source_t *source, const char *type, uint32_t version,
                     tbus_error_t *err)
{
    source->wire = topic_wire_find(type);
    if (!source->wire)
        return tbus_fail(err, -TBUS_EKIND,
                         "topic '%s' cannot be sent: its messages are of type '%s', for which "
                         "there is no wire format",
                         source->topic, type);
    if (version && version != source->wire->version)
        return tbus_fail(err, -TBUS_EKIND,
                         "topic '%s' cannot be sent: its messages are '%s' version %u, and this "
                         "tickbus has a wire format for version %u",
                         source->topic, type, version, source->wire->version);
    return 0;
}

static int find_on_bus(gateway_source_t *source, tbus_error_t *err)
{
    int index = tbus_bus_topic_index(source->bus, source->topic);
    if (index < 0)
        return tbus_fail(err, -TBUS_ENOTFOUND, "there is no topic '%s' on the bus", source->topic);
    const tbus_topic_t *topic = &source->bus->directory->topics[index];
    const tbus_ring_t *ring = &source->bus->rings[index];
    source->first_seq = ring->first_seq;
    source->message_bytes_max = ring->msg_bytes_max;
    return take_type(source, topic->type, topic->type_version, err);
}

static int find_in_journal(gateway_source_t *source, tbus_error_t *err)
{
    tbus_journal_reader_t *reader;
    int code = tbus_journal_reader_open(source->journal, &reader, err);
    if (code < 0)
        return code;
    const tbus_journal_info_t *info = tbus_journal_reader_info(reader);
    int index = tbus_journal_reader_topic(reader, source->topic);
    if (index < 0)
        code = tbus_fail(err, -TBUS_ENOTFOUND, "there is no topic '%s' in the journal in %s",
                         source->topic, source->journal);
    else
        code = take_type(source, info->topics[index].type, info->topics[index].type_version, err);
    if (code == 0)
        source->first_seq = info->topics[index].first_seq;
    tbus_journal_reader_close(reader);
    return code;
}

int gateway_source_find(tbus_bus_t *bus, const char *journal, const char *topic,
                        gateway_source_t *out_source, tbus_error_t *err)
{
    gateway_source_t source = {.bus = bus, .journal = journal, .topic = topic};
    int code = bus ? find_on_bus(&source, err) : find_in_journal(&source, err);
    if (code < 0)
        return code;
    if (source.message_bytes_max < source.wire->message_bytes_max)
        source.message_bytes_max = source.wire->message_bytes_max;
    *out_source = source;
    return 0;
}

/* One more than the last sequence of the topic in the journal. A seek tells whether there is one
 * with at least a given sequence. */
static int next_seq_of_journal(const gateway_source_t *source, uint64_t *out_seq, tbus_error_t *err)
{
    tbus_journal_reader_t *reader;
    int code = tbus_journal_reader_open(source->journal, &reader, err);
    if (code < 0)
        return code;
    tbus_journal_reader_skip_damage(reader);
    uint16_t topic = (uint16_t)tbus_journal_reader_topic(reader, source->topic);
    uint64_t beyond = 1; /* no message is that far behind the first one */
    code = tbus_journal_reader_seek_seq(reader, topic, source->first_seq, err);
    uint64_t have = 0; /* so many surely are */
    while (code == 1 && beyond < UINT64_MAX / 4) {
        have = beyond;
        beyond *= 2;
        code = tbus_journal_reader_seek_seq(reader, topic, source->first_seq + beyond - 1, err);
    }
    while (code >= 0 && beyond - have > 1) {
        uint64_t middle = have + (beyond - have) / 2;
        code = tbus_journal_reader_seek_seq(reader, topic, source->first_seq + middle - 1, err);
        if (code == 1)
            have = middle;
        else
            beyond = middle;
    }
    tbus_journal_reader_close(reader);
    if (code < 0)
        return code;
    *out_seq = have + 1;
    return 0;
}

int gateway_source_next_seq(const gateway_source_t *source, uint64_t *out_seq, tbus_error_t *err)
{
    tbus_observer_t observer;
    if (!source->bus)
        return next_seq_of_journal(source, out_seq, err);
    int code = tbus_observer_join(tbus_bus_ring(source->bus, source->topic), TBUS_FROM_NOW,
                                  &observer, err);
    if (code < 0)
        return code;
    *out_seq = observer.seq - source->first_seq + 1;
    return 0;
}

/* --- the stream --- */

int gateway_stream_open(const gateway_source_t *source, uint64_t seq, gateway_stream_t **out_stream,
                        tbus_error_t *err)
{
    const size_t least = (size_t)TBUS_HISTORY_BATCH_MAX * TBUS_HISTORY_STRIDE;
    tbus_history_from_t from = {TBUS_HISTORY_SEQ, source->first_seq + seq - 1};
    gateway_stream_t *s = calloc(1, sizeof *s);
    if (s) {
        s->batch.capacity =
            source->message_bytes_max > least ? (source->message_bytes_max + 7) / 8 * 8 : least;
        s->batch.into = aligned_alloc(8, s->batch.capacity);
        s->encoded = malloc(TOPIC_WIRE_BYTES_MAX);
    }
    if (!s || !s->batch.into || !s->encoded) {
        gateway_stream_close(s);
        return tbus_fail(err, -ENOMEM, "no memory to read topic '%s'", source->topic);
    }
    s->source = source;
    s->next_seq = seq;
    s->why = "are lost";
    int code =
        tbus_history_open(source->bus, source->journal, source->topic, &from, &s->history, err);
    if (code < 0) {
        gateway_stream_close(s);
        return code;
    }
    *out_stream = s;
    return 0;
}

int gateway_stream_seek(gateway_stream_t *s, uint64_t seq, tbus_error_t *err)
{
    s->next_seq = seq;
    s->why = "are lost";
    s->batch.count = s->held = 0;
    s->encoded_too = false;
    return tbus_history_seek(s->history, s->source->first_seq + seq - 1, err);
}

static inline bool holds_one(const gateway_stream_t *s)
{
    return s->held < s->batch.count;
}

/* Of the first message that is held, on the wire. */
static inline uint64_t held_seq(const gateway_stream_t *s)
{
    return s->batch.first_seq + s->held - s->source->first_seq + 1;
}

static inline const unsigned char *held_message(const gateway_stream_t *s)
{
    return (const unsigned char *)s->batch.into + (size_t)s->held * TBUS_HISTORY_STRIDE;
}

static int say_lost(gateway_stream_t *s, uint64_t next_seq, const char *why)
{
    s->next_seq = next_seq;
    s->why = why;
    return GATEWAY_STREAM_LOST;
}

static int read_on(gateway_stream_t *s, tbus_error_t *err)
{
    s->held = 0;
    s->encoded_too = false;
    int outcome = tbus_history_next_batch(s->history, &s->batch, err);
    if (outcome < 0)
        return outcome;
    if (s->batch.lost)
        return say_lost(s, holds_one(s) ? held_seq(s) : s->next_seq + s->batch.lost,
                        s->source->journal ? "were not recorded, or are damaged"
                                           : "are no longer on the ring, and nothing is recorded");
    return outcome; /* NOTHING, MESSAGE, ENDED and BUSY are the same */
}

static int encode(gateway_stream_t *s)
{
    const topic_wire_t *wire = s->source->wire;
    const char *wrong = NULL;
    if (wire->encode(held_message(s), s->batch.bytes[s->held], s->encoded, &s->encoded_bytes) < 0)
        wrong = "are what no publisher sends";
    else if (s->encoded_bytes > SOUP_PAYLOAD_MAX)
        wrong = "are longer than a packet can be";
    if (wrong) {
        s->held++;
        return say_lost(s, s->next_seq + 1, wrong);
    }
    s->encoded_too = true;
    return GATEWAY_STREAM_MESSAGE;
}

int gateway_stream_peek(gateway_stream_t *s, const uint8_t **out_message, size_t *out_bytes,
                        tbus_error_t *err)
{
    int outcome = holds_one(s) ? GATEWAY_STREAM_MESSAGE : read_on(s, err);
    if (outcome != GATEWAY_STREAM_MESSAGE)
        return outcome;
    bool next = held_seq(s) == s->next_seq;
    if (next && !s->encoded_too && encode(s) != GATEWAY_STREAM_MESSAGE)
        return GATEWAY_STREAM_LOST;
    /* Else its publisher died before it was complete: it never was a message. */
    *out_message = s->encoded;
    *out_bytes = next ? s->encoded_bytes : 0;
    return GATEWAY_STREAM_MESSAGE;
}

const void *gateway_stream_message(const gateway_stream_t *s, size_t *out_bytes)
{
    if (!holds_one(s) || held_seq(s) != s->next_seq)
        return NULL;
    *out_bytes = s->batch.bytes[s->held];
    return held_message(s);
}

void gateway_stream_advance(gateway_stream_t *s)
{
    if (held_seq(s) == s->next_seq) {
        s->held++;
        s->encoded_too = false;
    }
    s->next_seq++;
}

int gateway_stream_run(gateway_stream_t *s, gateway_stream_run_t *out_run, tbus_error_t *err)
{
    int outcome = holds_one(s) ? GATEWAY_STREAM_MESSAGE : read_on(s, err);
    if (outcome == GATEWAY_STREAM_MESSAGE)
        *out_run = (gateway_stream_run_t){
            .messages = held_message(s),
            .bytes = &s->batch.bytes[s->held],
            .count = held_seq(s) == s->next_seq ? s->batch.count - s->held : 0};
    return outcome;
}

void gateway_stream_pass(gateway_stream_t *s, uint32_t count)
{
    s->held += count;
    s->encoded_too = false;
    s->next_seq += count;
}

uint64_t gateway_stream_next_seq(const gateway_stream_t *s)
{
    return s->next_seq;
}

const char *gateway_stream_why(const gateway_stream_t *s)
{
    return s->why;
}

void gateway_stream_close(gateway_stream_t *s)
{
    if (!s)
        return;
    tbus_history_close(s->history);
    free(s->batch.into);
    free(s->encoded);
    free(s);
}
