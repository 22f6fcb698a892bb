/* SPDX-License-Identifier: Apache-2.0 */
/* journal_golden.h - the session that every format of journals was recorded once with, in
 * tests/golden/journal-N: the same messages in each, over two segments. */
#ifndef TICKBUS_TESTS_JOURNAL_GOLDEN_H
#define TICKBUS_TESTS_JOURNAL_GOLDEN_H

#include <stdint.h>
#include <string.h>

#include <tickbus/journal.h>

#define GOLDEN_MESSAGES  22u
#define GOLDEN_BYTES_MAX 40000u

typedef struct golden_message {
    uint16_t topic;
    uint64_t seq;
    uint64_t time_ns;
    size_t bytes;
    unsigned char payload[GOLDEN_BYTES_MAX];
} golden_message_t;

/* Message i, from 0. Number 10 is long; number 21 fits the first segment no more. */
static inline void golden_message(unsigned i, golden_message_t *out)
{
    memset(out, 0, sizeof *out);
    out->topic = (uint16_t)(i % 2);
    out->seq = i / 2 + (i % 2 ? 7 : 1);
    out->time_ns = UINT64_C(1000) * i + 1;
    out->bytes = i == 10 ? 30000u : i == 21 ? GOLDEN_BYTES_MAX : (size_t)i * 7;
    for (size_t k = 0; k < out->bytes; k++)
        out->payload[k] = (unsigned char)(i * 16 + k % 251);
}

/* Without `layout_id`, which the first format does not have. */
static inline void golden_spec(const char *directory, tbus_journal_spec_t *out)
{
    memset(out, 0, sizeof *out);
    out->directory = directory;
    out->bus_name = "golden";
    out->started_realtime_ns = UINT64_C(1700000000123456789);
    out->segment_bytes = TBUS_JOURNAL_SEGMENT_BYTES_MIN;
    out->topics_count = 2;
    memcpy(out->topics[0].name, "md", 2);
    memcpy(out->topics[0].type, "tick", 4);
    out->topics[0].first_seq = 1;
    out->topics[0].type_version = 1;
    out->topics[0].ring_kind = TBUS_BROADCAST;
    memcpy(out->topics[1].name, "orders", 6);
    memcpy(out->topics[1].type, "order", 5);
    out->topics[1].first_seq = 7;
    out->topics[1].type_version = 3;
    out->topics[1].ring_kind = TBUS_MPMC;
}

#endif
