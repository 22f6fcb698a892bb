/* SPDX-License-Identifier: Apache-2.0 */
/* journal_messages.h - a journal of many small segments whose i-th record can be told beforehand,
 * and reading it record by record. */
#ifndef TICKBUS_TESTS_UNIT_JOURNAL_MESSAGES_H
#define TICKBUS_TESTS_UNIT_JOURNAL_MESSAGES_H

#include <string.h>

#include <tickbus/journal.h>

#define SMALL_SEGMENT  (64u << 10)
#define MESSAGE_TOPICS 3u /* "md" has most of the messages, "orders" few, "rare" one in 5000 */

typedef struct message {
    uint16_t topic;
    uint64_t seq;
    uint64_t time_ns;
    size_t bytes;
} message_t;

/* How many of the first `i` messages are of a topic. */
static inline uint64_t messages_of_topic(uint16_t topic, uint64_t i)
{
    uint64_t rare = (i + 4999) / 5000;
    uint64_t orders = (i + 6) / 7 - (i + 34999) / 35000;
    return topic == 2 ? rare : topic == 1 ? orders : i - rare - orders;
}

/* The i-th, i from 0. Sequences of "orders" begin at 100; time stands still for four messages. */
static inline message_t message_at(uint64_t i)
{
    uint16_t topic = i % 5000 == 0 ? 2 : i % 7 == 0 ? 1 : 0;
    return (message_t){.topic = topic,
                       .seq = messages_of_topic(topic, i) + (topic == 1 ? 100 : 1),
                       .time_ns = i / 4 * 40 + 1000,
                       .bytes = i * 7919 % 301};
}

static inline void fill_payload(uint64_t i, size_t bytes, uint8_t *payload)
{
    for (size_t k = 0; k < bytes; k++)
        payload[k] = (uint8_t)(i * 31 + k * 7 + 1);
}

static inline void append_at(tbus_journal_writer_t *w, uint64_t i)
{
    uint8_t payload[304];
    message_t m = message_at(i);
    fill_payload(i, m.bytes, payload);
    assert_int_equal(tbus_journal_writer_append(w, m.topic, m.seq, m.time_ns, payload, m.bytes), 0);
}

static inline tbus_journal_writer_t *begin_journal(const char *directory, uint64_t segment_bytes)
{
    tbus_journal_spec_t spec = {
        .directory = directory,
        .bus_name = "test",
        .segment_bytes = segment_bytes,
        .topics_count = MESSAGE_TOPICS,
        .topics = {{"md", "tick", 1, 0, 0, 0},
                   {"orders", "order", 100, 0, 0, 0},
                   {"rare", "event", 1, 0, 0, 0}},
    };
    tbus_journal_writer_t *w = NULL;
    tbus_error_t err = {0};
    if (tbus_journal_writer_open(&spec, &w, &err) != 0)
        fail_msg("%s", err.text);
    return w;
}

static inline void write_messages(const char *directory, uint64_t segment_bytes, uint64_t count)
{
    static const char about[] = "{\"version\": \"of a test\"}";
    tbus_journal_writer_t *w = begin_journal(directory, segment_bytes);
    assert_int_equal(tbus_journal_writer_append_session(w, TBUS_JOURNAL_PROVENANCE, 1000, about,
                                                        sizeof about - 1),
                     0);
    for (uint64_t i = 0; i < count; i++)
        append_at(w, i);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
}

static inline tbus_journal_reader_t *open_journal(const char *directory)
{
    tbus_journal_reader_t *r = NULL;
    tbus_error_t err = {0};
    if (tbus_journal_reader_open(directory, &r, &err) != 0)
        fail_msg("%s", err.text);
    return r;
}

static inline void check_message(const tbus_journal_record_t *record, uint64_t i)
{
    uint8_t payload[304];
    message_t m = message_at(i);
    fill_payload(i, m.bytes, payload);
    assert_int_equal(record->topic, m.topic);
    assert_int_equal(record->seq, m.seq);
    assert_int_equal(record->time_ns, m.time_ns);
    assert_int_equal(record->bytes, m.bytes);
    assert_memory_equal(record->payload, payload, m.bytes);
}

/* The next record must be the i-th. */
static inline void expect_message(tbus_journal_reader_t *r, uint64_t i)
{
    tbus_journal_record_t record;
    tbus_error_t err = {0};
    if (tbus_journal_reader_next(r, &record, &err) != 1)
        fail_msg("record %lu did not come: %s", (unsigned long)i, err.text);
    check_message(&record, i);
}

/* From the i-th on all must come, and then the end. */
static inline void expect_rest(tbus_journal_reader_t *r, uint64_t i, uint64_t count,
                               enum tbus_journal_end end)
{
    tbus_journal_record_t record;
    tbus_error_t err = {0};
    for (; i < count; i++)
        expect_message(r, i);
    if (tbus_journal_reader_next(r, &record, &err) != 0)
        fail_msg("there is more than was recorded, or an error: %s", err.text);
    assert_int_equal(tbus_journal_reader_end(r), end);
}

#endif
