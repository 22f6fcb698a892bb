/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/recorded_clock.h"

#include "bus/msg/message_type.h"

recorded_clock_t recorded_clock_begin(const tbus_journal_reader_t *reader)
{
    recorded_clock_t md = {.topic = tbus_journal_reader_topic(reader, "md")};
    if (md.topic < 0)
        return md;
    md.next_seq = tbus_journal_reader_info(reader)->topics[md.topic].first_seq;
    md.whole = true;
    return md;
}

void recorded_clock_follow(recorded_clock_t *md, const tbus_journal_record_t *record)
{
    if (record->topic != md->topic || message_identify("tick", record->bytes) != MESSAGE_TICK)
        return;
    tick_t tick = message_tick(record->payload, record->bytes);
    md->clock = market_clock_at(md->clock, &tick, record->bytes);
    md->whole &= record->seq == md->next_seq;
    md->next_seq = record->seq + 1;
}

uint64_t recorded_clock_tick_ns(const char *directory, uint64_t md_seq)
{
    tbus_journal_reader_t *reader;
    tbus_journal_record_t record;
    if (tbus_journal_reader_open(directory, &reader, NULL) < 0)
        return 0;
    recorded_clock_t md = recorded_clock_begin(reader);
    while (md.whole && md.next_seq <= md_seq &&
           tbus_journal_reader_next(reader, &record, NULL) == 1)
        recorded_clock_follow(&md, &record);
    tbus_journal_reader_close(reader);
    if (!md.whole)
        return 0;
    return md.next_seq > md_seq ? md.clock.now_ns : UINT64_MAX;
}
