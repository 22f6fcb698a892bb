/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/stage.h>

/* Competing ring: every message was taken and released. Messages are looked at, not the counts of
 * the consumers: those that died or left have taken theirs with them, and a message in doubt is
 * counted by nobody. */
static bool consumers_are_done(const tbus_ring_t *ring)
{
    uint64_t end = tbus_ring_claimed(ring);
    if (tbus_ring_taken(ring) != end)
        return false;
    /* A slot that is neither free nor claimed again holds a message that a consumer works on, or
     * that waits to be taken again. */
    uint64_t oldest =
        end - ring->first_seq < ring->slot_count ? ring->first_seq : end - ring->slot_count;
    for (uint64_t position = oldest; position != end; position++)
        /* hint: it is looked at again before anybody relies on it (tbus_bus_quiescent). */
        if (tbus_slot_ahead(tbus_load_relaxed_u64(tbus_ring_slot(ring, position)), position) <= 0)
            return false;
    return true;
}

/* The subscriber does not hold anybody up: it has seen everything, publishers do not wait for it
 * (any more), or it is a consumer. */
static bool is_done(const tbus_ring_sub_t *sub, uint64_t published)
{
    /* G2 pairs G1 (tbus_place_cas): the counts are those of this holder. */
    uint32_t state = tbus_load_acquire_u32(&sub->state);
    if ((state != TBUS_SUB_ACTIVE && state != TBUS_SUB_RESERVED) ||
        tbus_load_relaxed_u32(&sub->role) == TBUS_CONSUMER)
        return true;
    return tbus_load_relaxed_u64(&sub->consumed) + tbus_load_relaxed_u64(&sub->tombs) == published;
}

/* Everything published was taken by every gating subscriber, as last flushed. *out_sum: messages
 * published on all topics. */
static bool all_taken(tbus_bus_t *bus, uint64_t *out_sum)
{
    uint64_t sum = 0;
    for (uint32_t t = 0; t < bus->topics_count; t++) {
        const tbus_ring_t *ring = &bus->rings[t];
        if (!ring->shared)
            continue;
        uint64_t published = tbus_ring_published(ring);
        sum += published;
        for (uint32_t i = 0; i < TBUS_RING_SUBS_MAX; i++)
            if (!is_done(&ring->shared->subs[i], published))
                return false;
        if (ring->competing && !consumers_are_done(ring))
            return false;
    }
    *out_sum = sum;
    return true;
}

static bool counts_quiet(const tbus_participant_t *p)
{
    uint32_t state = tbus_load_relaxed_u32(&p->state);
    return (state == TBUS_RUN || state == TBUS_DONE) && !p->bystander;
}

/* Participant i has made a full quiet pass since `quiet` was read, or never will. */
static bool is_quiet(const tbus_bus_t *bus, uint32_t i, uint64_t quiet)
{
    const tbus_participant_t *p = &bus->directory->participants[i];
    if (!counts_quiet(p))
        return true;
    /* Q2 pairs Q1 (rest in loop.c): its flushed counts are seen. Two more: the first pass may have
     * begun before the earlier look. */
    if (tbus_load_acquire_u64(&p->quiet) >= quiet + 2)
        return true;
    /* The dead make no passes. What they left on the rings is counted there. */
    return p->pid != 0 && tbus_participant_alive(bus, i + 1) == 0;
}

bool tbus_bus_quiescent(tbus_bus_t *bus, tbus_quiescence_t *state)
{
    uint64_t sum = 0;
    if (!bus || !bus->directory || !state)
        return false;
    if (state->armed) {
        for (uint32_t i = 0; i < TBUS_PARTICIPANTS_MAX; i++)
            if (!is_quiet(bus, i, state->quiet[i]))
                return false;
        if (all_taken(bus, &sum) && sum == state->published_sum)
            return true;
    }
    state->armed = all_taken(bus, &sum);
    state->published_sum = sum;
    for (uint32_t i = 0; i < TBUS_PARTICIPANTS_MAX; i++)
        /* Q2 pairs Q1 (rest in loop.c), as above. */
        state->quiet[i] = tbus_load_acquire_u64(&bus->directory->participants[i].quiet);
    return false;
}

uint64_t tbus_bus_taken(const tbus_bus_t *bus)
{
    uint64_t sum = 0;
    for (uint32_t t = 0; bus && t < bus->topics_count; t++)
        for (uint32_t i = 0; bus->rings[t].shared && i < TBUS_RING_SUBS_MAX; i++)
            sum += tbus_load_relaxed_u64(&bus->rings[t].shared->subs[i].consumed);
    return sum;
}
