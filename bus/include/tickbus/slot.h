/* SPDX-License-Identifier: Apache-2.0 */
/* slot.h - the slot format that every kind of ring uses.
 *
 * A slot is a 64-bit word followed by the payload. A slot of 64 bytes is one cache line. The word
 * says in which state the slot is and for which sequence. So a consumer spins on the line that it
 * is going to read, and the owner of an unfinished slot is known when it dies:
 *
 *     63                          19 18        11 10         3 2     0
 *    +------------------------------+------------+------------+-------+
 *    |  sequence, low 45 bits       |  owner     |  length    | state |
 *    +------------------------------+------------+------------+-------+
 *
 * The states of a slot, with N slots in the ring (s: sequence):
 *
 *    one publisher:         anything older -> READY(s)
 *    several, broadcast:    FREE(s), READY(s - N) or TOMB(s - N)
 *                               [-> CLAIMED(s, owner)] -> READY(s)
 *    several, competing:    FREE(s) [-> CLAIMED(s, owner)]
 *                               -> READY(s) [-> TAKEN(s, owner)] -> FREE(s + N)
 *    owner proven dead:     CLAIMED(s, dead) -> TOMB(s)
 *                           TAKEN(s, dead) -> FREE(s + N), counted in doubt
 *      at least once:       TAKEN(s, dead) -> AGAIN(s) -> TAKEN(s, owner) -> FREE(s + N),
 *                               and AGAIN(s) once more if that owner dies as well
 *
 * A word of the ring, the ticket (below), names the owners of the last two sequences. The states in
 * brackets are written only when the ticket is about to forget an owner that is not done yet. They
 * are written by the process that moves the ticket on.
 *
 * Sequences are compared by signed difference modulo 2^45, so the wrap does no harm. (At 100
 * million messages a second it comes after four days.) `length` is the payload length in bytes.
 * TAKEN, AGAIN and FREE keep it, so that a follower can still read a message that its consumer has
 * released. LENGTH_TOMB marks a slot without a message.
 *
 * LENGTH_LONG marks a *long* message: its length does not fit in the word, or it does not fit in
 * the slot. The first payload word has the length, and a bit that says whether the message lies
 * behind it or in the ring's area (ring.h). Where in the area is said by the second payload word;
 * with several publishers each slot has a cell there, and the second word is not used:
 *
 *    in the slot:   word | length              | message ...
 *    in the area:   word | length, TBUS_IN_AREA | offset in the area | ...
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
    TBUS_SLOT_TOMB = 4,    /* its claimer died or aborted: no message has this sequence */
    /* competing rings: its consumer died, another one may take it (enum tbus_promise in ring.h) */
    TBUS_SLOT_AGAIN = 7,
};

#define TBUS_SEQ_SHIFT       19
#define TBUS_SEQ_BITS        45
#define TBUS_SEQ_MASK        ((UINT64_C(1) << TBUS_SEQ_BITS) - 1)
#define TBUS_SLOT_LENGTH_MAX 253u
#define TBUS_LENGTH_LONG     254u
#define TBUS_LENGTH_TOMB     255u
/* in the first payload word of a long message, beside its length */
#define TBUS_IN_AREA    (UINT64_C(1) << 63)
#define TBUS_OWNERS_MAX 255u

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
/* By how much the word's sequence is ahead of `seq`; negative: it is older. */
TBUS_INLINE int64_t tbus_slot_ahead(uint64_t word, uint64_t seq)
{
    return (int64_t)((word & ~((UINT64_C(1) << TBUS_SEQ_SHIFT) - 1)) - (seq << TBUS_SEQ_SHIFT)) >>
           TBUS_SEQ_SHIFT;
}

/* A ticket: the next sequence to be claimed (or taken), the owner of the sequence before it (last)
 * and the owner of the one before that (before). Owner 0: nobody.
 *
 *     63                          19 18        11 10         3 2     0
 *    +------------------------------+------------+------------+-------+
 *    |  next sequence, low 45 bits  |  last      |  before    |  0    |
 *    +------------------------------+------------+------------+-------+
 *
 * A CAS moves it on by one sequence (bus/ring/ticket.h).
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
/* All 64 bits of the ticket's sequence. `near` is any sequence less than 2^44 away from it. */
TBUS_INLINE uint64_t tbus_ticket_position(uint64_t ticket, uint64_t near)
{
    return near + (uint64_t)tbus_slot_ahead(ticket, near);
}

/* Payloads are copied as relaxed 8-byte words. An observer may read a slot while it is overwritten;
 * it notices that afterwards and throws the copy away. With atomic words this is no data race. The
 * shared side is 8-byte aligned and is accessed in whole words; `bytes` may be any number.
 *
 * The first 64 bytes go word by word, each of which is a store of its own; a publisher that stores
 * one message behind another at full speed (tbus_words_store_close) joins two words to one store.
 * How many stores a line takes is how far the CPU runs ahead of a subscriber that is at its heels:
 * with four a line it fetches so many lines for writing that the subscriber, which looks for the
 * next message all the time, takes them away again before they are written (one to one, 56 bytes:
 * 24..31 M messages/s, and 50 with eight). Within a burst the next line follows at once, and four
 * are better (54 and 46). In a loop gcc would not unroll them when it optimises at link time, and a
 * message of 56 bytes would take twice the instructions.
 *
 * They go through registers: they have often just been written, and a wide load of bytes that are
 * still in the store buffer as several small stores waits until those are done. What follows is
 * stored in pairs, where the build allows it, and from 1 KiB on by one string instruction, where
 * there is one.
 */
#if TBUS_WORD_PAIRS
TBUS_HOT void tbus_word_pair_store(tbus_atomic_u64_t *to, const unsigned char *from)
{
    uint64_t low, high;
    memcpy(&low, from, 8);
    memcpy(&high, from + 8, 8);
    __asm__("" : "+r"(low), "+r"(high));
    tbus_word_pair_t pair = {low, high};
    tbus_store_relaxed_pair(to, pair);
}
/* For bytes that were probably not written just now. */
TBUS_HOT void tbus_word_pair_copy(tbus_atomic_u64_t *to, const unsigned char *from)
{
    tbus_word_pair_t pair;
    memcpy(&pair, from, 16);
    tbus_store_relaxed_pair(to, pair);
}
#endif

TBUS_HOT void tbus_word_store(tbus_atomic_u64_t *to, const unsigned char *from, size_t bytes)
{
    uint64_t word = 0;
    memcpy(&word, from, bytes);
    tbus_store_relaxed_u64(to, word);
}
/* What is left behind the first eight words. */
TBUS_HOT void tbus_words_store_rest(tbus_atomic_u64_t *to, const unsigned char *src, size_t words,
                                    size_t odd_bytes)
{
#if TBUS_WORD_PAIRS
    if (((uintptr_t)to & 8) && words) {
        tbus_word_store(to, src, 8);
        words--, to++, src += 8;
    }
#pragma GCC unroll 8
    for (; words >= 2; words -= 2, to += 2, src += 16)
        tbus_word_pair_copy(to, src);
#endif
    for (; words; words--, to++, src += 8)
        tbus_word_store(to, src, 8);
    if (odd_bytes)
        tbus_word_store(to, src, odd_bytes);
}
TBUS_HOT void tbus_words_store(void *shared, const void *from, size_t bytes)
{
    tbus_atomic_u64_t *to = (tbus_atomic_u64_t *)shared;
    const unsigned char *src = (const unsigned char *)from;
    size_t words = bytes / 8;
    size_t first = words < 8 ? words : 8;
#ifdef TBUS_STRING_WORDS_MIN
    if (words >= TBUS_STRING_WORDS_MIN) {
        tbus_store_relaxed_string(to, src, words);
        first = words;
    } else
#endif
    {
        if (words >= 1)
            tbus_word_store(to, src, 8);
        if (words >= 2)
            tbus_word_store(to + 1, src + 8, 8);
        if (words >= 3)
            tbus_word_store(to + 2, src + 16, 8);
        if (words >= 4)
            tbus_word_store(to + 3, src + 24, 8);
        if (words >= 5)
            tbus_word_store(to + 4, src + 32, 8);
        if (words >= 6)
            tbus_word_store(to + 5, src + 40, 8);
        if (words >= 7)
            tbus_word_store(to + 6, src + 48, 8);
        if (words >= 8)
            tbus_word_store(to + 7, src + 56, 8);
    }
    tbus_words_store_rest(to + first, src + 8 * first, words - first, bytes % 8);
}
/* For messages one behind the other: up to 64 bytes, 16-byte aligned where they go. */
TBUS_HOT void tbus_words_store_close(void *shared, const void *from, size_t bytes)
{
#if TBUS_WORD_PAIRS
    tbus_atomic_u64_t *to = (tbus_atomic_u64_t *)shared;
    const unsigned char *src = (const unsigned char *)from;
    if (bytes <= 64) {
        size_t words = bytes / 8;
        if (words >= 2)
            tbus_word_pair_store(to, src);
        if (words >= 4)
            tbus_word_pair_store(to + 2, src + 16);
        if (words >= 6)
            tbus_word_pair_store(to + 4, src + 32);
        if (words >= 8)
            tbus_word_pair_store(to + 6, src + 48);
        size_t stored = words & ~(size_t)1;
        tbus_words_store_rest(to + stored, src + 8 * stored, words - stored, bytes % 8);
        return;
    }
#endif
    tbus_words_store(shared, from, bytes);
}
/* Zeros into the words of a slot's first line that a message of so many bytes leaves. A line that
 * is written whole goes faster to a subscriber on another CPU: 32 bytes one to one, to one that
 * keeps off when it has taken everything (drained_pauses in wait.h), 68 M messages/s and 30
 * without, where lines between CPUs are slow; 305 and 260 where they are fast. To one that looks
 * all the time it makes no difference there (147 and 149). */
TBUS_HOT void tbus_words_fill_line(tbus_atomic_u64_t *slot, size_t bytes)
{
    if (bytes <= 8)
        tbus_store_relaxed_u64(slot + 2, 0);
    if (bytes <= 16)
        tbus_store_relaxed_u64(slot + 3, 0);
    if (bytes <= 24)
        tbus_store_relaxed_u64(slot + 4, 0);
    if (bytes <= 32)
        tbus_store_relaxed_u64(slot + 5, 0);
    if (bytes <= 40)
        tbus_store_relaxed_u64(slot + 6, 0);
    if (bytes <= 48)
        tbus_store_relaxed_u64(slot + 7, 0);
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
