/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/repair.h>

#include "bus/ring/again.h"
#include "bus/ring/place.h"
#include "bus/ring/ticket.h"
#include <tickbus/wake.h>

/* A claim becomes a tomb. A message that was taken is freed, or waits for the next consumer. True
 * if this call did it. */
static bool repair_slot(tbus_ring_t *ring, uint64_t index, uint32_t dead_owner)
{
    tbus_atomic_u64_t *slot = tbus_ring_slot(ring, index);
    uint64_t word = tbus_load_relaxed_u64(slot);
    enum tbus_slot_state state = tbus_slot_state(word);
    if (tbus_slot_owner(word) != dead_owner ||
        (state != TBUS_SLOT_CLAIMED && state != TBUS_SLOT_TAKEN))
        return false;
    uint64_t seq = word >> TBUS_SEQ_SHIFT;
    uint64_t mended = state == TBUS_SLOT_CLAIMED
                          ? tbus_slot_word(seq, 0, TBUS_LENGTH_TOMB, TBUS_SLOT_TOMB)
                          : tbus_slot_left(ring, seq, tbus_slot_length(word));
    /* The dead owner writes no more, and nobody else has its number (repair.h): only another
     * repairer can be faster, and it did the same. hint: the owner's accesses ended with its death.
     * Being a CAS it passes the publisher's release (R1) on to the next consumer. */
    if (!tbus_cas_u64(slot, &word, mended))
        return false;
    tbus_fetch_add_relaxed_u64(
        state == TBUS_SLOT_CLAIMED ? &ring->shared->tombs : tbus_count_left(ring), 1);
    return true;
}

void tbus_call_again(tbus_ring_t *ring)
{
    for (uint64_t i = 0; ring->redelivers && i < ring->slot_count; i++) {
        if (tbus_slot_state(tbus_load_relaxed_u64(tbus_ring_slot(ring, i))) != TBUS_SLOT_AGAIN)
            continue;
        /* L1 pairs L2 (take_again): else a consumer sees that `again` has grown, does not find the
         * message, and does not look again. */
        tbus_fence_release();
        tbus_fetch_add_relaxed_u64(&ring->shared->again, 1);
        /* Its fence (W1): a sleeper whose bit it does not see sees that `again` has grown at its
         * last look. */
        tbus_ring_nudge(ring);
        return;
    }
}

int tbus_ring_repair(tbus_ring_t *ring, uint32_t dead_owner)
{
    int repaired = 0;
    /* Number 0 is nobody's, and those above 255 mark places that are being reserved. */
    if (!ring || !ring->writable || dead_owner == 0 || dead_owner > TBUS_OWNERS_MAX)
        return 0;
    /* One publisher leaves nothing unfinished: its slots change from old to READY in one store. */
    if (ring->several_publishers) {
        tbus_settle_all(ring);
        for (uint64_t i = 0; i < ring->slot_count; i++)
            repaired += repair_slot(ring, i, dead_owner);
    }
    for (unsigned i = 0; i < TBUS_RING_SUBS_MAX; i++)
        repaired += tbus_place_repair(&ring->shared->subs[i], dead_owner);
    if (repaired) {
        /* Its fence (W1): a sleeper whose bit it does not see sees the repaired slots at its last
         * look. */
        tbus_ring_nudge(ring);
    }
    tbus_call_again(ring);
    return repaired;
}

#define OWNER_WORDS 4 /* a bit for each of the 256 owner numbers */

static void note_owner(uint64_t *owners, uint32_t owner)
{
    if (owner && owner <= TBUS_OWNERS_MAX)
        owners[owner / 64] |= UINT64_C(1) << (owner % 64);
}
static void note_ticket(uint64_t *owners, uint64_t ticket)
{
    note_owner(owners, tbus_ticket_last(ticket));
    note_owner(owners, tbus_ticket_before(ticket));
}

int tbus_ring_heal(tbus_ring_t *ring, tbus_dead_t dead, void *context)
{
    uint64_t owners[OWNER_WORDS] = {0};
    if (!ring || !ring->writable || !dead)
        return 0;
    /* K2 pairs K1 (claim): the tickets before the slots, where what they have forgotten is. Else
     * the owner of an unfinished claim is missed. */
    note_ticket(owners, tbus_load_acquire_u64(&ring->shared->claims));
    /* K4 pairs K3 (move_takes): the same. */
    note_ticket(owners, tbus_load_acquire_u64(&ring->shared->takes));
    if (ring->several_publishers)
        for (uint64_t i = 0; i < ring->slot_count; i++) {
            uint64_t word = tbus_load_relaxed_u64(tbus_ring_slot(ring, i));
            enum tbus_slot_state state = tbus_slot_state(word);
            if (state == TBUS_SLOT_CLAIMED || state == TBUS_SLOT_TAKEN)
                note_owner(owners, tbus_slot_owner(word));
        }
    for (unsigned i = 0; i < TBUS_RING_SUBS_MAX; i++)
        note_owner(owners,
                   tbus_load_relaxed_u32(&ring->shared->subs[i].owner) & TBUS_PLACE_OWNER_MASK);
    int repaired = 0;
    for (uint32_t owner = 1; owner <= TBUS_OWNERS_MAX; owner++)
        if (owners[owner / 64] >> (owner % 64) & 1 && dead(context, owner))
            repaired += tbus_ring_repair(ring, owner);
    tbus_call_again(ring);
    return repaired;
}
