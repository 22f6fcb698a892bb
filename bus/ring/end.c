/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/ring/end.h"

bool tbus_ring_find_end(const tbus_ring_t *ring, uint64_t *out_position, uint64_t *out_seq)
{
    /* hint: they only say where to look; the words of the slots decide. */
    uint64_t tail = tbus_load_relaxed_u64(&ring->shared->tail);
    uint64_t reference = tbus_load_relaxed_u64(&ring->shared->tail_seq);
    uint64_t position = tail;
    uint64_t seq = reference;
    int64_t newest = -1;
    bool found = false;
    for (uint64_t i = 0; i < ring->slot_count; i++) {
        /* The newest message begins less than half a ring before or after the tail that was flushed
         * last. */
        uint64_t at = tail - ring->slot_count / 2 + i;
        tbus_atomic_u64_t *slot = tbus_ring_slot(ring, at);
        /* hint: nothing but the word is read. */
        uint64_t word = tbus_load_relaxed_u64(slot);
        int64_t ahead = tbus_slot_ahead(word, reference);
        if (tbus_slot_state(word) != TBUS_SLOT_READY || ahead < newest ||
            ahead > (int64_t)ring->slot_count)
            continue;
        newest = ahead;
        position = at + 1;
        seq = reference + (uint64_t)ahead + 1;
        found = true;
    }
    *out_position = position;
    *out_seq = seq;
    /* Nothing was ever published: both are still as tbus_ring_format stored them. */
    return found || (tail == ring->first_seq && reference == ring->first_seq);
}
