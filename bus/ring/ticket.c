/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/ring/ticket.h"

bool tbus_claimable(const tbus_ring_t *ring, uint64_t word, uint64_t position)
{
    enum tbus_slot_state state = tbus_slot_state(word);
    if (state == TBUS_SLOT_FREE)
        return tbus_slot_ahead(word, position) == 0;
    if (ring->competing)
        return false;
    return (state == TBUS_SLOT_READY || state == TBUS_SLOT_TOMB) &&
           tbus_slot_ahead(word, position - ring->slot_count) == 0;
}

void tbus_settle_claim(const tbus_ring_t *ring, uint64_t position, uint32_t owner)
{
    if (!owner)
        return;
    tbus_atomic_u64_t *slot = tbus_ring_slot(ring, position);
    uint64_t word = tbus_load_relaxed_u64(slot);
    /* hint: K1 orders this before the move of the ticket; the CAS checks what we loaded. */
    if (tbus_claimable(ring, word, position))
        tbus_cas_u64(slot, &word, tbus_slot_word(position, owner, 0, TBUS_SLOT_CLAIMED));
}

void tbus_settle_take(const tbus_ring_t *ring, uint64_t position, uint32_t owner)
{
    if (!owner)
        return;
    tbus_atomic_u64_t *slot = tbus_ring_slot(ring, position);
    uint64_t word = tbus_load_relaxed_u64(slot);
    /* hint: K3 orders this before the move of the ticket; the CAS checks what we loaded. Being a
     * CAS it passes the publisher's release (R1) on to those that read TAKEN. */
    if (tbus_slot_ahead(word, position) == 0 && tbus_slot_state(word) == TBUS_SLOT_READY)
        tbus_cas_u64(slot, &word,
                     tbus_slot_word(position, owner, tbus_slot_length(word), TBUS_SLOT_TAKEN));
}

uint32_t tbus_ring_claimer(const tbus_ring_t *ring, uint64_t position)
{
    /* K2 pairs K1 (claim): if the ticket has forgotten the owner, the slot names it. */
    uint64_t ticket = tbus_load_acquire_u64(&ring->shared->claims);
    uint64_t word = tbus_load_relaxed_u64(tbus_ring_slot(ring, position));
    if (tbus_slot_state(word) == TBUS_SLOT_CLAIMED && tbus_slot_ahead(word, position) == 0)
        return tbus_slot_owner(word);
    if (!tbus_claimable(ring, word, position))
        return 0;
    int64_t behind = tbus_slot_ahead(ticket, position);
    return behind == 1 ? tbus_ticket_last(ticket) : behind == 2 ? tbus_ticket_before(ticket) : 0;
}

uint32_t tbus_ring_taker(const tbus_ring_t *ring, uint64_t position)
{
    /* K4 pairs K3 (move_takes): if the ticket has forgotten the owner, the slot names it. */
    uint64_t ticket = tbus_load_acquire_u64(&ring->shared->takes);
    uint64_t word = tbus_load_relaxed_u64(tbus_ring_slot(ring, position));
    if (tbus_slot_ahead(word, position) != 0)
        return 0;
    if (tbus_slot_state(word) == TBUS_SLOT_TAKEN)
        return tbus_slot_owner(word);
    int64_t behind = tbus_slot_ahead(ticket, position);
    if (tbus_slot_state(word) != TBUS_SLOT_READY)
        return 0;
    return behind == 1 ? tbus_ticket_last(ticket) : behind == 2 ? tbus_ticket_before(ticket) : 0;
}

void tbus_ticket_lost(uint64_t *lost_at)
{
    if (!tbus_lost_again(lost_at, tbus_clock_ticks()))
        return;
    for (unsigned i = 0; i < TBUS_LOST_PAUSES; i++)
        tbus_pause();
}

void tbus_settle_all(const tbus_ring_t *ring)
{
    const tbus_ring_shared_t *s = ring->shared;
    if (ring->several_publishers) {
        /* K2 pairs K1 (claim): what it has forgotten is in the slots. */
        uint64_t ticket = tbus_load_acquire_u64(&s->claims);
        uint64_t position = tbus_ticket_position(ticket, tbus_load_relaxed_u64(&s->tail));
        tbus_settle_claim(ring, position - 1, tbus_ticket_last(ticket));
        tbus_settle_claim(ring, position - 2, tbus_ticket_before(ticket));
    }
    if (ring->competing) {
        /* K4 pairs K3 (move_takes): the same. */
        uint64_t ticket = tbus_load_acquire_u64(&s->takes);
        uint64_t position = tbus_ticket_position(ticket, tbus_load_relaxed_u64(&s->head));
        tbus_settle_take(ring, position - 1, tbus_ticket_last(ticket));
        tbus_settle_take(ring, position - 2, tbus_ticket_before(ticket));
    }
}
