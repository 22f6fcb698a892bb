/* SPDX-License-Identifier: Apache-2.0 */
/* ticket.h - the two words of a ring that say whose turn it was: `claims` of rings with several
 * publishers, `takes` of competing ones (ring.h has their layout).
 *
 * Whoever claims or takes a sequence moves the word on by one and writes its own number into it, in
 * one CAS; the slot itself is not touched before the payload is there, so that its line is not
 * pulled from under the consumer that waits for it. The word has room for the last two names only.
 * So before somebody moves it on, the sequence whose name falls out is *settled*: unless that claim
 * is over already its slot is made to name its owner, CLAIMED or TAKEN. Whoever is killed at
 * whatever instruction is thus known by number, from a slot or from the word.
 *
 * Measured beside a claim by CAS in the slot, in turn: round trip 290 -> 230 ns (bare line 145),
 * two to two 10 -> 14 M messages/s.
 *
 * Internal to bus/ring: publisher.c, subscriber.c, repair.c.
 */
#ifndef TICKBUS_BUS_RING_TICKET_H
#define TICKBUS_BUS_RING_TICKET_H

#include <tickbus/ring.h>

/* May the slot that holds `word` be claimed for `position`, or has it been and nobody can tell from
 * the slot yet? Competing rings: once a consumer has freed it. Broadcast: it still has what was
 * there a lap ago, and the gate, which the caller looks at, has passed that. */
bool tbus_claimable(const tbus_ring_t *ring, uint64_t word, uint64_t position);

/* `position` was claimed (taken) by `owner`, as the word told: see to it that its slot says so, or
 * says that it is over. Lock-free: one CAS, which fails only if another did the same or the owner
 * was faster. Nobody's (0): nothing to do. */
void tbus_settle_claim(const tbus_ring_t *ring, uint64_t position, uint32_t owner);
void tbus_settle_take(const tbus_ring_t *ring, uint64_t position, uint32_t owner);

/* A handle remembers the two positions that it settled last, and needs no look at their slots. */
static inline bool tbus_is_settled(const uint64_t settled[2], uint64_t position)
{
    return position == settled[0] || position == settled[1];
}
static inline void tbus_note_settled(uint64_t settled[2], uint64_t position)
{
    settled[1] = settled[0];
    settled[0] = position;
}

/* The owner is done with its slot, which becomes `word`: it holds what it did when it was claimed
 * (taken), `found`, or, if somebody settled it meanwhile, `named`. False: we were declared dead,
 * and the slot is not ours any more. */
static inline bool tbus_slot_finish(tbus_atomic_u64_t *slot, uint64_t found, uint64_t named,
                                    uint64_t word)
{
    return TBUS_LIKELY(tbus_cas_u64(slot, &found, word)) ||
           (found == named && tbus_cas_u64(slot, &found, word));
}

/* What the slot of a message becomes whose consumer died or left holding it, and the count of
 * those. */
static inline uint64_t tbus_slot_left(const tbus_ring_t *ring, uint64_t seq, uint32_t length)
{
    return ring->redelivers ? tbus_slot_word(seq, 0, length, TBUS_SLOT_AGAIN)
                            : tbus_slot_word(seq + ring->slot_count, 0, length, TBUS_SLOT_FREE);
}
static inline tbus_atomic_u64_t *tbus_count_left(const tbus_ring_t *ring)
{
    return ring->redelivers ? &ring->shared->redelivered : &ring->shared->in_doubt;
}

/* Everything that only the words know is in the slots from here on. */
void tbus_settle_all(const tbus_ring_t *ring);

#endif
