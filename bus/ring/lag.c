/* SPDX-License-Identifier: Apache-2.0 */
/* How far behind the subscribers of a ring are. */
#include <tickbus/ring.h>

#include "bus/ring/ticket.h"

/* Competing rings: the oldest message that was not given back, or `taken`. *out_owner: who has it
 * in hand; 0: nobody, it is to be taken again. */
static uint64_t oldest_out(const tbus_ring_t *ring, uint64_t taken, uint32_t *out_owner)
{
    uint64_t position = taken - ring->slot_count; /* older slots have been claimed again */
    *out_owner = 0;
    while (position != taken &&
           tbus_slot_ahead(tbus_load_relaxed_u64(tbus_ring_slot(ring, position)), position) > 0)
        position++;
    if (position != taken)
        *out_owner = tbus_ring_taker(ring, position);
    return position;
}

int tbus_ring_slowest(const tbus_ring_t *ring, uint64_t *out_lag)
{
    const tbus_ring_shared_t *s = ring->shared;
    uint64_t published = tbus_ring_published(ring);
    int slowest = -1;
    uint64_t lag_max = 0;
    uint64_t taken = ring->competing ? tbus_ring_taken(ring) : 0;
    uint32_t holder = 0;
    uint64_t out = ring->competing ? oldest_out(ring, taken, &holder) : 0;
    for (unsigned i = 0; i < TBUS_RING_SUBS_MAX; i++) {
        const tbus_ring_sub_t *sub = &s->subs[i];
        /* G2 pairs G1 (tbus_place_cas): the counts are those of this holder. */
        uint32_t state = tbus_load_acquire_u32(&sub->state);
        if (state != TBUS_SUB_ACTIVE && state != TBUS_SUB_RESERVED)
            continue;
        /* What one consumer has not taken another may have, or one that has left or died. */
        bool competes = ring->competing && tbus_load_relaxed_u32(&sub->role) == TBUS_CONSUMER;
        bool behind = holder == 0 || tbus_ring_sub_owner(ring, i) == holder;
        uint64_t done =
            competes ? (behind ? out : taken) - ring->first_seq
                     : tbus_load_relaxed_u64(&sub->consumed) + tbus_load_relaxed_u64(&sub->tombs);
        uint64_t lag = published > done ? published - done : 0;
        if (slowest < 0 || lag > lag_max) {
            slowest = (int)i;
            lag_max = lag;
        }
    }
    if (slowest >= 0 && out_lag)
        *out_lag = lag_max;
    return slowest;
}
