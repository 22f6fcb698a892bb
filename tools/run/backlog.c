/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/backlog.h"

#include <stdio.h>
#include <string.h>

#include "tools/show/grouped.h"

static uint64_t taken(const tbus_ring_sub_t *sub)
{
    return tbus_load_relaxed_u64(&sub->consumed) + tbus_load_relaxed_u64(&sub->tombs);
}

static bool competes(const tbus_ring_sub_t *sub)
{
    return tbus_load_relaxed_u32(&sub->role) == TBUS_CONSUMER;
}

static uint64_t taken_by_consumers(const tbus_ring_t *ring)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < TBUS_RING_SUBS_MAX; i++)
        if (competes(&ring->shared->subs[i]))
            sum += taken(&ring->shared->subs[i]);
    return sum;
}

uint64_t backlog_of(const tbus_ring_t *ring, const tbus_ring_sub_t *sub)
{
    uint64_t published = tbus_ring_published(ring);
    uint64_t done = competes(sub) ? taken_by_consumers(ring) : taken(sub);
    return published > done ? published - done : 0;
}

static bool is_of(const tbus_bus_t *bus, uint32_t owner, uint32_t process)
{
    return owner >= 1 && owner <= TBUS_PARTICIPANTS_MAX &&
           /* O2 pairs O1 (take_number) */
           tbus_load_acquire_u32(&bus->directory->participants[owner - 1].state) != TBUS_VACANT &&
           bus->directory->participants[owner - 1].process == process;
}

static uint64_t claimed_by(const tbus_bus_t *bus, const tbus_ring_t *ring, uint32_t process)
{
    if (!ring->several_publishers)
        return 0;
    uint64_t count = 0;
    uint64_t end = tbus_ring_claimed(ring);
    for (uint64_t i = 0; i < ring->slot_count; i++)
        count += is_of(bus, tbus_ring_claimer(ring, end - 1 - i), process);
    return count;
}

static uint32_t add(backlog_t *out, uint32_t count, const tbus_ring_t *ring, const char *subscriber,
                    uint64_t messages)
{
    if (!messages || count == BACKLOG_MAX)
        return count;
    out[count] = (backlog_t){.messages = messages};
    snprintf(out[count].topic, TBUS_NAME_MAX, TBUS_NAME_TEXT, ring->shared->name);
    snprintf(out[count].subscriber, TBUS_NAME_MAX, TBUS_NAME_TEXT, subscriber);
    return count + 1;
}

uint32_t backlog_held_by(const tbus_bus_t *bus, uint32_t process, backlog_t out[BACKLOG_MAX])
{
    uint32_t count = 0;
    for (uint32_t t = 0; t < bus->topics_count; t++) {
        const tbus_ring_t *ring = &bus->rings[t];
        for (uint32_t i = 0; i < TBUS_RING_SUBS_MAX; i++) {
            const tbus_ring_sub_t *sub = &ring->shared->subs[i];
            if (is_of(bus, tbus_ring_sub_owner(ring, i), process))
                count = add(out, count, ring, sub->name, backlog_of(ring, sub));
        }
        count = add(out, count, ring, "", claimed_by(bus, ring, process));
    }
    return count;
}

uint32_t backlog_by_topic(backlog_t *held, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t same = 0;
        while (same < kept && (strcmp(held[same].topic, held[i].topic) != 0 ||
                               !held[same].subscriber[0] != !held[i].subscriber[0]))
            same++;
        if (same == kept)
            held[kept++] = held[i];
        else if (held[i].messages > held[same].messages)
            held[same] = held[i];
    }
    return kept;
}

void backlog_item(const backlog_t *held, char out_text[BACKLOG_ITEM_MAX])
{
    char number[GROUPED_MAX];
    snprintf(out_text, BACKLOG_ITEM_MAX, TBUS_NAME_TEXT " %s %s", held->topic,
             grouped((int64_t)held->messages, number), held->subscriber[0] ? "behind" : "claimed");
}

void backlog_text(const backlog_t *held, uint32_t count, char *out_text, size_t bytes)
{
    backlog_t by_topic[BACKLOG_MAX];
    size_t used = (size_t)snprintf(out_text, bytes, "%s", count ? "" : "nothing yet");
    memcpy(by_topic, held, count * sizeof *held);
    count = backlog_by_topic(by_topic, count);
    for (uint32_t i = 0; i < count && used < bytes; i++) {
        char item[BACKLOG_ITEM_MAX];
        backlog_item(&by_topic[i], item);
        used += (size_t)snprintf(out_text + used, bytes - used, "%s%s", i ? ", " : "", item);
    }
}
