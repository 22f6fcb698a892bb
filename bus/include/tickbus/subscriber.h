/* SPDX-License-Identifier: Apache-2.0 */
/* subscriber.h - taking messages off a ring, in order, none lost: publishers wait for every
 * subscriber.
 *
 *    peek -> message or NULL   (look at it in place; nothing is given back yet)
 *    advance                   (done with it: the slot may be overwritten once everybody is)
 *
 * On a TBUS_MPMC ring a consumer's peek takes the message out of the competition, and advance
 * releases its slot. A message taken by a consumer that dies (or leaves) before advance is reported
 * in doubt and not delivered again; unless the ring promises TBUS_AT_LEAST_ONCE. Then the next
 * consumer that peeks has it, before newer ones, under the sequence that it had: a consumer's
 * sequences no longer only grow, and what the dead one had done before it died is done once more.
 * Other messages do not wait for it, until publishers come round to its slot. A handle belongs to
 * one thread.
 */
#ifndef TICKBUS_SUBSCRIBER_H
#define TICKBUS_SUBSCRIBER_H

#include <tickbus/publisher.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tbus_subscriber {
    tbus_ring_t ring;
    /* What changes with every message is one word: its neighbours stay as they are until progress
     * is told, or a message took more than a slot. */
    /* sequence of the next message, or of the one in hand between peek and advance */
    uint64_t seq;
    uint64_t skew;     /* its position less its sequence; 0 where there are no long messages */
    uint64_t flush_at; /* sequence at which progress is told next */
    /* slots of the message in hand; a consumer's is 0: what it has in hand is in taken_word */
    uint32_t span;
    /* neither competing nor evictable: messages are read where they are, and that is all */
    bool plain;
    bool competing;
    /* TBUS_EVICT_SLOWEST: messages are copied out and the place checked, as nobody waits for us for
     * sure */
    bool evictable;
    bool fence; /* as in tbus_publisher_t */
    /* 0; or -TBUS_ECORRUPT once the ring held what no correct publisher writes, -TBUS_EEVICTED,
     * -TBUS_ESTALE (we were declared dead, what was in hand is in doubt, or another's): peek is
     * NULL from then on */
    int error;
    uint64_t published; /* progress as last told */
    uint64_t interval;  /* tell progress every so many slots */
    /* sequences so far that count as no message of ours: tombs; a consumer: others', too */
    uint64_t uncounted;
    uint64_t taken_word; /* consumer: the word of the message in hand as it was found, 0: none */
    uint64_t settled[2]; /* consumer: positions that need no settling (bus/ring/ticket.h) */
    /* consumer: the ring's `again` when the look for such messages found none */
    uint64_t again_seen;
    uint64_t returned; /* consumer: everything below was given back when a waiter last looked */
    uint32_t index;    /* place in ring.shared->subs */
    uint32_t owner;
    /* messages of several slots are put together here; NULL when the ring has none. Owned */
    unsigned char *scratch;
    /* tbus_take_wait (open.h): it gave out the message `given_seq`, which the next one advances
     * over */
    bool given;
    uint64_t given_seq;
} tbus_subscriber_t;

/* Take the place that was reserved under `name`. -TBUS_ENOTFOUND, -TBUS_EEXISTS (taken already),
 * -TBUS_EEVICTED (came too late for an impatient topic), -TBUS_EKIND (mapped read-only), -ENOMEM.
 * Cold. */
int tbus_subscriber_join(const tbus_ring_t *ring, const char *name, uint32_t owner,
                         tbus_subscriber_t *out_subscriber, tbus_error_t *err);

/* Take a place that nobody reserved, on a ring that is in use: messages from about now on (of a
 * single publisher: from its last flush on, at most slot_count/16 slots ago), and none of those is
 * lost. For successors of the dead and for late comers; any number of them at a time, each with a
 * name of its own. Dies its holder, the place is given up as any other. -TBUS_EEXISTS (that name is
 * there), -TBUS_EFULL, -TBUS_EKIND (read-only; nobody competes here; another is the one
 * subscriber), -TBUS_EGEOMETRY (bad name), -EINVAL (bad owner), -ENOMEM; -EAGAIN: the single
 * publisher was stopped or killed in the middle of storing where it is, try again when it goes on
 * or has a successor. Cold; system calls. */
int tbus_subscriber_join_late(const tbus_ring_t *ring, const char *name, enum tbus_sub_role role,
                              uint32_t owner, tbus_subscriber_t *out_subscriber, tbus_error_t *err);

/* Give the place up: publishers no longer wait for it. Accepts a handle that is all zeros. */
void tbus_subscriber_leave(tbus_subscriber_t *s);

/* The next message, 8-byte aligned, or NULL when there is none. It stays valid, and peek returns
 * the same one, until advance. `s->seq` is its sequence. Never waits, never enters the kernel. */
TBUS_HOT const void *tbus_peek(tbus_subscriber_t *s, size_t *out_bytes);

/* Done with the message that peek returned (asserted in debug builds: there is one). */
TBUS_HOT void tbus_advance(tbus_subscriber_t *s);

/* Publish progress and counts now. Call when idle: without it publishers learn of progress every
 * slot_count/16 messages. */
void tbus_subscriber_flush(tbus_subscriber_t *s);

/* Call `handle` for up to `limit` messages; stops early when it returns false (that message is not
 * advanced over). Returns how many were taken. */
typedef bool (*tbus_handler_t)(void *context, uint64_t seq, const void *message, size_t bytes);
TBUS_INLINE uint32_t tbus_poll(tbus_subscriber_t *s, tbus_handler_t handle, void *context,
                               uint32_t limit);

/* --- inline hot path; the rest is in bus/ring/subscriber.c --- */

const void *tbus_peek_slow(tbus_subscriber_t *s, uint64_t word, size_t *out_bytes);
const void *tbus_peek_other(tbus_subscriber_t *s, size_t *out_bytes);
void tbus_advance_other(tbus_subscriber_t *s);

/* Where the next message is looked for. */
TBUS_INLINE uint64_t tbus_subscriber_position(const tbus_subscriber_t *s)
{
    return s->seq + s->skew;
}
/* Messages taken; those before a late comer count as taken. */
TBUS_INLINE uint64_t tbus_subscriber_consumed(const tbus_subscriber_t *s)
{
    return s->seq - s->uncounted;
}

TBUS_HOT const void *tbus_peek(tbus_subscriber_t *s, size_t *out_bytes)
{
    if (TBUS_UNLIKELY(!s->plain))
        return tbus_peek_other(s, out_bytes);
    uint64_t seq = s->seq;
    tbus_atomic_u64_t *slot = tbus_ring_slot(&s->ring, seq + s->skew);
    /* A1 pairs R1 (tbus_publish_try): else the payload may be read from before its message. */
    uint64_t word = tbus_load_acquire_u64(slot);
    uint32_t bytes = tbus_slot_length(word);
    if (TBUS_UNLIKELY(word != tbus_slot_word(seq, 0, bytes, TBUS_SLOT_READY) ||
                      bytes > s->ring.slot_msg_bytes_max))
        return tbus_peek_slow(s, word, out_bytes);
    *out_bytes = bytes;
    return slot + 1;
}

TBUS_HOT void tbus_advance(tbus_subscriber_t *s)
{
    if (TBUS_UNLIKELY(s->span != 1)) {
        tbus_advance_other(s);
        return;
    }
    uint64_t seq = s->seq + 1;
    s->seq = seq;
    if (TBUS_UNLIKELY((int64_t)(seq - s->flush_at) >= 0))
        tbus_subscriber_flush(s);
}

TBUS_INLINE uint32_t tbus_poll(tbus_subscriber_t *s, tbus_handler_t handle, void *context,
                               uint32_t limit)
{
    uint32_t taken = 0;
    size_t bytes;
    const void *message;
    while (taken < limit && (message = tbus_peek(s, &bytes)) != NULL) {
        if (!handle(context, s->seq, message, bytes))
            break;
        tbus_advance(s);
        taken++;
    }
    return taken;
}

#ifdef __cplusplus
}
#endif
#endif
