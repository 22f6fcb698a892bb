/* SPDX-License-Identifier: Apache-2.0 */
/* slot.h - the one slot format that every kind of ring shares.
 *
 * A slot is a 64-bit word and its payload, in one cache line when the slot is 64 bytes. The word
 * says in which state the slot is for which sequence, so that a consumer spins on the line it will
 * read and a crashed peer is known by name:
 *
 *     63                          19 18        11 10         3 2     0
 *    +------------------------------+------------+------------+-------+
 *    |  sequence, low 45 bits       |  owner     |  length    | state |
 *    +------------------------------+------------+------------+-------+
 *
 *    single publisher:      (anything older) ------------------------------> READY(s) | LONG(s), CONT(s)...
 *    several, broadcast:    FREE(s) | READY(s - N) | TOMB(s - N) [-> CLAIMED(s, owner)] -> READY(s)
 *    several, competing:    FREE(s) [-> CLAIMED(s, owner)] -> READY(s) [-> TAKEN(s, owner)] -> FREE(s + N)
 *    proven death:          CLAIMED(s, dead) -> TOMB(s);  TAKEN(s, dead) -> FREE(s + N), counted in doubt
 *      at least once:       TAKEN(s, dead) -> AGAIN(s) -> TAKEN(s, owner), ... as often as somebody dies -> FREE(s + N)
 *
 * with N slots in the ring. Who has claimed or taken the last two sequences stands in a word of the
 * ring, a ticket (below); what stands in brackets is written only when that word is about to forget
 * an owner that is not done yet, by whoever moves it on.
 *
 * Sequences are compared by signed difference modulo 2^45 and so survive the wrap, which at 100
 * million messages a second comes after four days. `length` is the payload length in bytes (it
 * stays through TAKEN, AGAIN and FREE, so that a follower can still read a message that a consumer
 * has released); LENGTH_TOMB marks a slot whose message never was. A message that does not fit
 * (longer than a slot, or than 254 bytes) has its length in the first 8 payload bytes of a LONG
 * slot and goes on in CONT slots, all with the sequence of the message; single-publisher rings
 * only.
 */
#ifndef TICKBUS_SLOT_H
#define TICKBUS_SLOT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <tickbus/atomic.h>

enum tbus_slot_state {
    TBUS_SLOT_FREE = 0,    /* may be claimed for this sequence */
    TBUS_SLOT_CLAIMED = 1, /* owner is writing the payload */
    TBUS_SLOT_READY = 2,   /* payload complete */
    TBUS_SLOT_TAKEN = 3,   /* competing rings: owner is reading the payload */
    TBUS_SLOT_TOMB = 4,    /* its claimer died or gave up: no message with this sequence */
    TBUS_SLOT_LONG = 5,    /* ready; first slot of a message whose length stands in the payload */
    TBUS_SLOT_CONT = 6,    /* a further slot of a LONG message */
    /* competing rings: its consumer died, the next one may take it (ring.h, promise) */
    TBUS_SLOT_AGAIN = 7,
};

#define TBUS_SEQ_SHIFT       19
#define TBUS_SEQ_BITS        45
#define TBUS_SEQ_MASK        ((UINT64_C(1) << TBUS_SEQ_BITS) - 1)
#define TBUS_SLOT_LENGTH_MAX 254u
#define TBUS_LENGTH_TOMB     255u
#define TBUS_OWNERS_MAX      255u

#define TBUS_SLOT_WORD_BYTES 8u

TBUS_INLINE uint64_t tbus_slot_word(uint64_t seq, uint32_t owner, uint32_t length,
                                    enum tbus_slot_state state)
{
    return (seq << TBUS_SEQ_SHIFT) | ((uint64_t)owner << 11) | ((uint64_t)length << 3) |
           (uint64_t)state;
}
TBUS_INLINE enum tbus_slot_state tbus_slot_state(uint64_t word)
{
    return (enum tbus_slot_state)(word & 7);
}
TBUS_INLINE uint32_t tbus_slot_length(uint64_t word)
{
    return (uint32_t)(word >> 3) & 0xff;
}
TBUS_INLINE uint32_t tbus_slot_owner(uint64_t word)
{
    return (uint32_t)(word >> 11) & 0xff;
}
/* How far the word's sequence is ahead of `seq`: 0 the same, negative older, positive newer. */
TBUS_INLINE int64_t tbus_slot_ahead(uint64_t word, uint64_t seq)
{
    return (int64_t)((word & ~((UINT64_C(1) << TBUS_SEQ_SHIFT) - 1)) - (seq << TBUS_SEQ_SHIFT)) >>
           TBUS_SEQ_SHIFT;
}

/* A ticket: the next sequence to be claimed (or taken), and who had the one before it, and the one
 * before that; 0: nobody.
 *
 *     63                          19 18        11 10         3 2     0
 *    +------------------------------+------------+------------+-------+
 *    |  next sequence, low 45 bits  |  last      |  before    |  0    |
 *    +------------------------------+------------+------------+-------+
 *
 * It moves by CAS, one sequence at a time (bus/ring/ticket.h).
 */
TBUS_INLINE uint64_t tbus_ticket(uint64_t next, uint32_t last, uint32_t before)
{
    return tbus_slot_word(next, last, before, TBUS_SLOT_FREE);
}
TBUS_INLINE uint32_t tbus_ticket_last(uint64_t ticket)
{
    return tbus_slot_owner(ticket);
}
TBUS_INLINE uint32_t tbus_ticket_before(uint64_t ticket)
{
    return tbus_slot_length(ticket);
}
/* All 64 bits of its sequence, given a sequence that is not 2^44 away. */
TBUS_INLINE uint64_t tbus_ticket_position(uint64_t ticket, uint64_t near)
{
    return near + (uint64_t)tbus_slot_ahead(ticket, near);
}

/* Payloads move as relaxed 8-byte words: an observer may read a slot while it is overwritten, finds
 * out afterwards and throws the copy away; with words that is no data race. Both buffers are 8-byte
 * aligned on the shared side; `bytes` may be any number, and the shared side is touched in whole
 * words.
 *
 * Where the build allows it words are stored in pairs: a line takes four stores instead of seven,
 * so that more lines are on their way at a time (one to one, 105 -> 150 M messages/s). Either half
 * of an aligned pair is an access of its own, or both are one: never less than a word, on x86-64 as
 * on aarch64. The first 64 bytes are read one by one, through registers: they have often just been
 * written, and a wide load of what is still on its way in small stores waits until those are done.
 */
#if !TBUS_TSAN && !defined(TBUS_HOOKS) && (defined(__x86_64__) || defined(__aarch64__))
#define TBUS_WORD_PAIRS 1
typedef uint64_t tbus_word_pair_t __attribute__((vector_size(16), may_alias));
TBUS_HOT void tbus_word_pair_store(tbus_atomic_u64_t *to, const unsigned char *from)
{
    uint64_t low, high;
    memcpy(&low, from, 8);
    memcpy(&high, from + 8, 8);
    __asm__("" : "+r"(low), "+r"(high));
    tbus_word_pair_t pair = {low, high};
    *(volatile tbus_word_pair_t *)(void *)to = pair;
}
/* What is no longer fresh, probably. */
TBUS_HOT void tbus_word_pair_copy(tbus_atomic_u64_t *to, const unsigned char *from)
{
    tbus_word_pair_t pair;
    memcpy(&pair, from, 16);
    *(volatile tbus_word_pair_t *)(void *)to = pair;
}
#else
#define TBUS_WORD_PAIRS 0
#endif

TBUS_HOT void tbus_word_store(tbus_atomic_u64_t *to, const unsigned char *from, size_t bytes)
{
    uint64_t word = 0;
    memcpy(&word, from, bytes);
    tbus_store_relaxed_u64(to, word);
}
TBUS_HOT void tbus_words_store(void *shared, const void *from, size_t bytes)
{
    tbus_atomic_u64_t *to = (tbus_atomic_u64_t *)shared;
    const unsigned char *src = (const unsigned char *)from;
    size_t words = bytes / 8;
#if TBUS_WORD_PAIRS
    if (((uintptr_t)to & 8) && words) {
        tbus_word_store(to, src, 8);
        words--, to++, src += 8;
    }
#ifdef __OPTIMIZE__ /* else gcc warns that it does not unroll */
#pragma GCC unroll 4
#endif
    for (unsigned i = 0; i < 4 && words >= 2; i++, words -= 2, to += 2, src += 16)
        tbus_word_pair_store(to, src);
#pragma GCC unroll 8
    for (; words >= 2; words -= 2, to += 2, src += 16)
        tbus_word_pair_copy(to, src);
#endif
    for (; words; words--, to++, src += 8)
        tbus_word_store(to, src, 8);
    if (bytes % 8)
        tbus_word_store(to, src, bytes % 8);
}
TBUS_INLINE void tbus_words_load(void *into, const void *shared, size_t bytes)
{
    const tbus_atomic_u64_t *from = (const tbus_atomic_u64_t *)shared;
    unsigned char *dst = (unsigned char *)into;
    for (; bytes >= 8; bytes -= 8, dst += 8, from++) {
        uint64_t word = tbus_load_relaxed_u64(from);
        memcpy(dst, &word, 8);
    }
    if (bytes) {
        uint64_t word = tbus_load_relaxed_u64(from);
        memcpy(dst, &word, bytes);
    }
}

#endif
