/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/stage.h>

/* Everything published was taken by every gating subscriber, as last flushed. *out_sum: messages
 * published on all topics. */
static bool all_taken(tbus_bus_t *bus, uint64_t *out_sum)
{
    uint64_t sum = 0;
    for (uint32_t t = 0; t < bus->topics_count; t++) {
        const tbus_ring_t *ring = &bus->rings[t];
        uint64_t published = tbus_ring_published(ring);
        sum += published;
        uint64_t by_consumers = 0;
        bool competing = false;
        for (uint32_t i = 0; i < TBUS_RING_SUBS_MAX; i++) {
            const tbus_ring_sub_t *sub = &ring->shared->subs[i];
            /* G2 pairs G1 (tbus_place_cas): role and counts are those of this holder. */
            if (tbus_load_acquire_u32(&sub->state) == TBUS_SUB_VACANT)
                continue;
            uint64_t taken =
                tbus_load_relaxed_u64(&sub->consumed) + tbus_load_relaxed_u64(&sub->tombs);
            if (tbus_load_relaxed_u32(&sub->role) == TBUS_CONSUMER) {
                by_consumers += taken;
                competing = true;
            } else if (taken != published) {
                return false;
            }
        }
        if (competing && by_consumers != published)
            return false;
    }
    *out_sum = sum;
    return true;
}

static bool counts_quiet(uint32_t state)
{
    return state == TBUS_RUN || state == TBUS_DONE;
}

bool tbus_bus_quiescent(tbus_bus_t *bus, tbus_quiescence_t *state)
{
    uint64_t sum = 0;
    if (!bus || !bus->directory || !state)
        return false;
    if (state->armed) {
        for (uint32_t i = 0; i < TBUS_PARTICIPANTS_MAX; i++) {
            const tbus_participant_t *p = &bus->directory->participants[i];
            if (!counts_quiet(tbus_load_relaxed_u32(&p->state)))
                continue;
            /* Q2 pairs Q1 (rest in loop.c). Two more: the first may have begun before the earlier
             * look. */
            if (tbus_load_acquire_u64(&p->quiet) < state->quiet[i] + 2)
                return false;
        }
        if (all_taken(bus, &sum) && sum == state->published_sum)
            return true;
    }
    state->armed = all_taken(bus, &sum);
    state->published_sum = sum;
    for (uint32_t i = 0; i < TBUS_PARTICIPANTS_MAX; i++)
        /* hint: only a later look, which is Q2, takes anything from it. */
        state->quiet[i] = tbus_load_relaxed_u64(&bus->directory->participants[i].quiet);
    return false;
}
