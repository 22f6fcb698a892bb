/* SPDX-License-Identifier: Apache-2.0 */
/* ticket.h - the two tickets of a ring: `claims` on rings with several publishers, `takes` on
 * competing rings. slot.h has their layout.
 *
 * A process claims (or takes) a sequence with one CAS, which moves the ticket on by one and writes
 * the process's number into it. The slot itself is not written before its payload is there, so that
 * its line stays in the cache of the consumer that waits for it. A ticket has room for the last two
 * owners only. So before a process moves it on, it *settles* the sequence whose owner the ticket is
 * about to forget: unless that claim is finished, it makes the slot name its owner, CLAIMED or
 * TAKEN. At whatever instruction a process is killed, its number can be found in a slot or in a
 * ticket.
 *
 * Measured against a claim by CAS in the slot, in turn: round trip 290 -> 230 ns (bare line 145),
 * two to two 10 -> 14 M messages/s.
 *
 * Internal to bus/ring: publisher.c, subscriber.c, repair.c.
 */
#ifndef TICKBUS_BUS_RING_TICKET_H
#define TICKBUS_BUS_RING_TICKET_H

#include <tickbus/clock.h>
#include <tickbus/ring.h>

/* True if the slot that holds `word` can be claimed for `position`, or is claimed and does not say
 * so yet. Competing rings: a consumer has freed it. Broadcast: it still holds the message of a lap
 * before; the caller makes sure that the gate has passed it. */
bool tbus_claimable(const tbus_ring_t *ring, uint64_t word, uint64_t position);

/* The ticket says that `owner` claimed (took) `position`: make its slot say so, unless the owner is
 * finished with it. Lock-free: one CAS, which fails only if another process did the same or the
 * owner was faster. Owner 0: nothing to do. */
void tbus_settle_claim(const tbus_ring_t *ring, uint64_t position, uint32_t owner);
void tbus_settle_take(const tbus_ring_t *ring, uint64_t position, uint32_t owner);

/* Who has the message at `position`, which is before the ticket of takes, in hand; 0: nobody, or
 * nobody any more. */
uint32_t tbus_ring_taker(const tbus_ring_t *ring, uint64_t position);

/* A handle remembers the two positions that it settled last and need not look at their slots. */
static inline bool tbus_is_settled(const uint64_t settled[2], uint64_t position)
{
    return position == settled[0] || position == settled[1];
}
static inline void tbus_note_settled(uint64_t settled[2], uint64_t position)
{
    settled[1] = settled[0];
    settled[0] = position;
}

/* Back-off after a lost CAS of a ticket. Two processes that claim (or take) without a pause on two
 * CPUs fetch the ticket's line from each other for nearly every message: some 280 ns of CPU time a
 * message, where one alone needs 25. So the loser leaves the ticket to the winner, which goes on at
 * the rate of one alone, for 2 to 6 us: with both at work a message then takes 60 to 80 ns. Two
 * orders that meet now and then are not held up: a loser that did not lose a short time ago, too,
 * looks again at once. Still lock-free: the pauses end, whatever others do. */
#define TBUS_LOST_PAUSES 128u
/* 30 to 60 us on x86-64, 0.1 to some ms on aarch64. Under full load a loss comes every 10 us. */
#define TBUS_LOST_AGAIN_TICKS (UINT64_C(1) << 17)

/* A CAS was lost `now`, the last one before at *lost_at: is that so short a time ago that the loser
 * backs off? */
static inline bool tbus_lost_again(uint64_t *lost_at, uint64_t now)
{
    bool again = now - *lost_at < TBUS_LOST_AGAIN_TICKS;
    *lost_at = now;
    return again;
}
/* The CAS of a ticket has just been lost. */
void tbus_ticket_lost(uint64_t *lost_at);

/* The owner is done with its slot, which becomes `word`. Until now the slot holds `found`, as when
 * it was claimed (taken), or `named`, if another process has settled it. False: the owner was
 * declared dead, and the slot no longer belongs to it. */
static inline bool tbus_slot_finish(tbus_atomic_u64_t *slot, uint64_t found, uint64_t named,
                                    uint64_t word)
{
    /* R1 for a publisher, R3 for a consumer: the callers name the partners. */
    return TBUS_LIKELY(tbus_cas_u64(slot, &found, word)) ||
           (found == named && tbus_cas_u64(slot, &found, word));
}

/* The word that the slot gets when the consumer that took its message has died or left, and the
 * counter of such messages. */
static inline uint64_t tbus_slot_left(const tbus_ring_t *ring, uint64_t seq, uint32_t length)
{
    return ring->redelivers ? tbus_slot_word(seq, 0, length, TBUS_SLOT_AGAIN)
                            : tbus_slot_word(seq + ring->slot_count, 0, length, TBUS_SLOT_FREE);
}
static inline tbus_atomic_u64_t *tbus_count_left(const tbus_ring_t *ring)
{
    return ring->redelivers ? &ring->shared->redelivered : &ring->shared->in_doubt;
}

/* Settle what the tickets name now: afterwards the slots name every owner that had claimed or taken
 * something before this call. */
void tbus_settle_all(const tbus_ring_t *ring);

#endif
