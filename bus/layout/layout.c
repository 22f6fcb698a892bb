/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/layout/layout.h"

#include <string.h>

#include <tickbus/directory.h>
#include <tickbus/msg/bbo.h>
#include <tickbus/msg/event.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>
#include <tickbus/msg/tick.h>

#define MESSAGE(name, type)                                                                        \
    {                                                                                              \
        0, sizeof(type), name                                                                      \
    }
#define WHOLE(type) MESSAGE(NULL, type)
#define FIELD(type, member)                                                                        \
    {                                                                                              \
        offsetof(type, member), sizeof(((type *)0)->member), NULL                                  \
    }

/* In the order of the structs. A new field gets a line of its own here. */
static const tbus_layout_entry_t table[] = {
    WHOLE(tbus_ring_shared_t),
    FIELD(tbus_ring_shared_t, magic),
    FIELD(tbus_ring_shared_t, abi),
    FIELD(tbus_ring_shared_t, kind),
    FIELD(tbus_ring_shared_t, slot_bytes),
    FIELD(tbus_ring_shared_t, slot_count),
    FIELD(tbus_ring_shared_t, msg_bytes_max),
    FIELD(tbus_ring_shared_t, subs_max),
    FIELD(tbus_ring_shared_t, slots_at),
    FIELD(tbus_ring_shared_t, total_bytes),
    FIELD(tbus_ring_shared_t, first_seq),
    FIELD(tbus_ring_shared_t, name),
    FIELD(tbus_ring_shared_t, policy),
    FIELD(tbus_ring_shared_t, promise),
    FIELD(tbus_ring_shared_t, area_at),
    FIELD(tbus_ring_shared_t, area_bytes),
    FIELD(tbus_ring_shared_t, pad0),
    FIELD(tbus_ring_shared_t, tail),
    FIELD(tbus_ring_shared_t, tail_seq),
    FIELD(tbus_ring_shared_t, tail_version),
    FIELD(tbus_ring_shared_t, announce),
    FIELD(tbus_ring_shared_t, claims),
    FIELD(tbus_ring_shared_t, area_announce),
    FIELD(tbus_ring_shared_t, pad1),
    FIELD(tbus_ring_shared_t, head),
    FIELD(tbus_ring_shared_t, takes),
    FIELD(tbus_ring_shared_t, again),
    FIELD(tbus_ring_shared_t, pad2),
    FIELD(tbus_ring_shared_t, sleepers),
    FIELD(tbus_ring_shared_t, pubs_waiting),
    FIELD(tbus_ring_shared_t, room_bell),
    FIELD(tbus_ring_shared_t, fences_wanted),
    FIELD(tbus_ring_shared_t, pad3),
    FIELD(tbus_ring_shared_t, tombs),
    FIELD(tbus_ring_shared_t, in_doubt),
    FIELD(tbus_ring_shared_t, dropped),
    FIELD(tbus_ring_shared_t, evicted),
    FIELD(tbus_ring_shared_t, redelivered),
    FIELD(tbus_ring_shared_t, pad4),
    FIELD(tbus_ring_shared_t, subs),

    WHOLE(tbus_ring_sub_t),
    FIELD(tbus_ring_sub_t, progress),
    FIELD(tbus_ring_sub_t, consumed),
    FIELD(tbus_ring_sub_t, tombs),
    FIELD(tbus_ring_sub_t, state),
    FIELD(tbus_ring_sub_t, owner),
    FIELD(tbus_ring_sub_t, role),
    FIELD(tbus_ring_sub_t, pad0),
    FIELD(tbus_ring_sub_t, name),
    FIELD(tbus_ring_sub_t, bell),
    FIELD(tbus_ring_sub_t, pad1),
    FIELD(tbus_ring_sub_t, first_seq),
    FIELD(tbus_ring_sub_t, pad2),

    WHOLE(tbus_directory_t),
    FIELD(tbus_directory_t, magic),
    FIELD(tbus_directory_t, protocol),
    FIELD(tbus_directory_t, topics_count),
    FIELD(tbus_directory_t, bytes),
    FIELD(tbus_directory_t, layout),
    FIELD(tbus_directory_t, epoch_ns),
    FIELD(tbus_directory_t, started_realtime_ns),
    FIELD(tbus_directory_t, name),
    FIELD(tbus_directory_t, supervisor_pid),
    FIELD(tbus_directory_t, blocks_count),
    FIELD(tbus_directory_t, session_name),
    FIELD(tbus_directory_t, pad0),
    FIELD(tbus_directory_t, ended),
    FIELD(tbus_directory_t, pad1),
    FIELD(tbus_directory_t, counters_refused),
    FIELD(tbus_directory_t, histograms_refused),
    FIELD(tbus_directory_t, pad2),
    FIELD(tbus_directory_t, participants),
    FIELD(tbus_directory_t, topics),
    FIELD(tbus_directory_t, blocks),
    FIELD(tbus_directory_t, counters),
    FIELD(tbus_directory_t, histograms),
    FIELD(tbus_directory_t, pad3),
    FIELD(tbus_directory_t, arena),

    WHOLE(tbus_participant_t),
    FIELD(tbus_participant_t, command),
    FIELD(tbus_participant_t, process),
    FIELD(tbus_participant_t, wait_mode),
    FIELD(tbus_participant_t, cpu),
    FIELD(tbus_participant_t, name),
    FIELD(tbus_participant_t, pad0),
    FIELD(tbus_participant_t, state),
    FIELD(tbus_participant_t, pid),
    FIELD(tbus_participant_t, heartbeat),
    FIELD(tbus_participant_t, quiet),
    FIELD(tbus_participant_t, parks),
    FIELD(tbus_participant_t, hot_allocations),
    FIELD(tbus_participant_t, publishes),
    FIELD(tbus_participant_t, from_outside),
    FIELD(tbus_participant_t, pid_namespace),
    FIELD(tbus_participant_t, stream),
    FIELD(tbus_participant_t, horizon_topics),
    FIELD(tbus_participant_t, bystander),
    FIELD(tbus_participant_t, pad1),
    FIELD(tbus_participant_t, horizon),
    FIELD(tbus_participant_t, reason),
    FIELD(tbus_participant_t, pad3),

    WHOLE(tbus_horizon_t),
    FIELD(tbus_horizon_t, at),
    FIELD(tbus_horizon_t, last),
    FIELD(tbus_horizon_t, pad0),
    FIELD(tbus_horizon_t, waiting),
    FIELD(tbus_horizon_t, bell),
    FIELD(tbus_horizon_t, fence_wanted),
    FIELD(tbus_horizon_t, pad1),

    WHOLE(tbus_topic_t),
    FIELD(tbus_topic_t, name),
    FIELD(tbus_topic_t, type),
    FIELD(tbus_topic_t, kind),
    FIELD(tbus_topic_t, pages),
    FIELD(tbus_topic_t, bytes),
    FIELD(tbus_topic_t, rights),
    FIELD(tbus_topic_t, type_version),
    FIELD(tbus_topic_t, publisher),
    FIELD(tbus_topic_t, arrivals),
    FIELD(tbus_topic_t, left_out),
    FIELD(tbus_topic_t, pad1),

    WHOLE(tbus_block_t),
    FIELD(tbus_block_t, name),
    FIELD(tbus_block_t, offset),
    FIELD(tbus_block_t, bytes),
    FIELD(tbus_block_t, pad),

    WHOLE(tbus_counter_t),
    FIELD(tbus_counter_t, value),
    FIELD(tbus_counter_t, word),
    FIELD(tbus_counter_t, name),
    FIELD(tbus_counter_t, unit),
    FIELD(tbus_counter_t, pad),

    WHOLE(tbus_histogram_entry_t),
    FIELD(tbus_histogram_entry_t, word),
    FIELD(tbus_histogram_entry_t, name),
    FIELD(tbus_histogram_entry_t, pad0),
    FIELD(tbus_histogram_entry_t, histogram),
    FIELD(tbus_histogram_entry_t, pad1),

    WHOLE(tbus_histogram_t),
    FIELD(tbus_histogram_t, count),
    FIELD(tbus_histogram_t, max),
    FIELD(tbus_histogram_t, sum),
    FIELD(tbus_histogram_t, buckets),

    MESSAGE("tick", tick_t),
    FIELD(tick_t, event),
    FIELD(tick_t, intended),
    FIELD(tick_t, type),
    FIELD(tick_t, body),
    FIELD(tick_t, side),
    FIELD(tick_t, printable),
    FIELD(tick_t, aux),
    FIELD(tick_t, qty),
    FIELD(tick_t, order_ref),
    FIELD(tick_t, qty64),
    FIELD(tick_t, px_e4),
    FIELD(tick_t, mpid),
    FIELD(tick_t, symbol),
    FIELD(tick_t, new_ref),
    FIELD(tick_t, match),

    MESSAGE("bbo", bbo_t),
    FIELD(bbo_t, md_seq),
    FIELD(bbo_t, event),
    FIELD(bbo_t, intended),
    FIELD(bbo_t, bid_px_e4),
    FIELD(bbo_t, ask_px_e4),
    FIELD(bbo_t, bid_qty),
    FIELD(bbo_t, ask_qty),
    FIELD(bbo_t, symbol),

    /* Bit fields have no offset: whoever moves one raises TBUS_PROTOCOL. */
    MESSAGE("order", order_t),
    FIELD(order_t, order_id),
    {8, 40, NULL},
    FIELD(order_t, px_e4),
    FIELD(order_t, qty),

    MESSAGE("report", report_t),
    FIELD(report_t, order_id),
    {8, 32, NULL},
    FIELD(report_t, px_e4),
    FIELD(report_t, qty),
    FIELD(report_t, leaves),
    FIELD(report_t, fee_e4),

    MESSAGE("event", event_t),
    FIELD(event_t, time_ns),
    FIELD(event_t, sent_ns),
    FIELD(event_t, position),
    FIELD(event_t, md_seq),
    FIELD(event_t, market_ns),
    FIELD(event_t, uid),
    FIELD(event_t, pid),
    FIELD(event_t, number),
    FIELD(event_t, kind),
    FIELD(event_t, from),
    FIELD(event_t, by),
    FIELD(event_t, more),
};

const tbus_layout_entry_t *tbus_layout_table(size_t *out_count)
{
    *out_count = sizeof table / sizeof table[0];
    return table;
}

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x00000100000001b3)

static uint64_t fold_number(uint64_t digest, uint32_t number)
{
    for (int shift = 0; shift < 32; shift += 8)
        digest = (digest ^ ((number >> shift) & 0xff)) * FNV_PRIME;
    return digest;
}

uint64_t tbus_layout_fold(const tbus_layout_entry_t *entries, size_t count, uint32_t protocol)
{
    uint64_t digest = fold_number(FNV_BASIS, protocol);
    for (size_t i = 0; i < count; i++)
        digest = fold_number(fold_number(digest, entries[i].offset), entries[i].bytes);
    return digest;
}

uint64_t tbus_layout(void)
{
    return tbus_layout_fold(table, sizeof table / sizeof table[0], TBUS_PROTOCOL);
}

/* Messages come last in the table, each up to the next or to the end. */
uint64_t tbus_layout_of_type(const char *type)
{
    const size_t count = sizeof table / sizeof table[0];
    for (size_t i = 0; type && i < count; i++) {
        if (!table[i].type || strcmp(table[i].type, type) != 0)
            continue;
        size_t fields = 1;
        while (i + fields < count && !table[i + fields].type)
            fields++;
        return tbus_layout_fold(table + i, fields, 0);
    }
    return 0;
}
