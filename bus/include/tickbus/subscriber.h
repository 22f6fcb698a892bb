/* SPDX-License-Identifier: Apache-2.0 */
/* subscriber.h - taking messages off a ring, in order and without loss: publishers wait for every
 * subscriber.
 *
 *    peek      the next message, read in place, or NULL
 *    advance   done with it: its slot may be overwritten once every subscriber is done
 *
 * On a TBUS_MPMC ring a consumer's peek takes the message, so that no other consumer gets it, and
 * advance releases its slot. If the consumer dies or leaves before advance, the message is counted
 * in doubt and not delivered again.
 *
 * If the ring promises TBUS_AT_LEAST_ONCE, the next consumer that peeks gets it instead, before
 * newer messages and under its old sequence. So the sequences of a consumer no longer only grow,
 * and what the dead consumer had done with the message is done once more. Other messages need not
 * wait for it, until publishers have come round the ring to its slot.
 *
 * A handle belongs to one thread. It is made by tbus_subscriber_join or tbus_subscriber_join_late
 * and given up by tbus_subscriber_leave.
 */
#ifndef TICKBUS_SUBSCRIBER_H
#define TICKBUS_SUBSCRIBER_H

#include <tickbus/publisher.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Without a sleep, until publishers need execute no fences (wait.h). */
#define TBUS_AWAKE_LOOKS 256u

typedef struct tbus_subscriber {
    tbus_ring_t ring;
    /* A message changes `seq` only. Its neighbours change when progress is stored, and with a
     * message in the area. */
    uint64_t seq;      /* sequence of the next message; between peek and advance: of this one */
    uint64_t flush_at; /* sequence at which progress is stored next */
    /* of the message that peek returned: how many messages of one slot it counts for, in slots or
     * in bytes of the area; consumer: 0 */
    uint64_t weight;
    uint64_t heavy; /* what the messages so far have weighed beyond one each */
    bool plain;     /* neither competing nor evictable: messages are read in place */
    bool competing; /* a consumer */
    /* TBUS_EVICT_SLOWEST: publishers may stop waiting for us, so messages are copied out and then
     * the place is checked */
    bool evictable;
    bool fence; /* as in tbus_publisher_t */
    /* 0, or why peek returns NULL from now on: -TBUS_ECORRUPT, the ring held what no correct
     * publisher writes; -TBUS_EEVICTED; -EINVAL, tbus_advance was called without a message;
     * -TBUS_ESTALE, this participant was declared dead and a
     * message that it had taken is in doubt or delivered to another */
    int error;
    uint64_t published; /* progress as last stored */
    uint64_t interval;  /* progress is stored after so many slots */
    /* sequences so far without a message for us: tombs; consumer: also what others took */
    uint64_t uncounted;
    uint64_t taken_word; /* consumer: word of the taken message as it was found; 0: none */
    uint64_t settled[2]; /* consumer: positions that need no settling (bus/ring/ticket.h) */
    uint64_t lost_at;    /* consumer: tbus_clock_ticks() of the last take that another won */
    /* consumer: the ring's `again` at our last look that found no message to be taken again */
    uint64_t again_seen;
    uint64_t returned; /* consumer: a waiter has seen that all slots below this were released */
    uint32_t index;    /* of our place in ring.shared->subs */
    uint32_t owner;    /* participant number */
    uint32_t holder;   /* `owner` of our place: the number, and our tenure of the place */
    /* set by whoever holds the handle: the next message is there and cannot be taken before
     * something else has happened; a waiter does not wake because of this ring */
    bool held_back;
    bool fence_wanted;    /* a waiter has asked publishers for fences in our name (wait.h) */
    uint32_t awake_takes; /* messages since its last sleep, as tbus_subscriber_awake counts them */
    /* where messages are copied to that may be overwritten; NULL if none may. Owned */
    unsigned char *scratch;
    /* tbus_take_wait (open.h): it gave out the message `given_seq`, which the next one advances
     * over */
    bool given;
    uint64_t given_seq;
} tbus_subscriber_t;

/* Take the place that was reserved under `name`. -TBUS_ENOTFOUND; -TBUS_EEXISTS: it is taken;
 * -TBUS_EEVICTED: publishers of a TBUS_EVICT_SLOWEST ring no longer waited for it; -TBUS_EKIND: the
 * ring is mapped read-only; -EINVAL: `owner` is not in 1..255; -ENOMEM. Cold. */
int tbus_subscriber_join(const tbus_ring_t *ring, const char *name, uint32_t owner,
                         tbus_subscriber_t *out_subscriber, tbus_error_t *err);

/* Take a place that nobody reserved, on a ring that is in use. The subscriber gets all messages
 * from about now on; with one publisher from its last flush on, which is at most slot_count/16
 * slots ago. For successors of dead subscribers and for late joiners; several may join at a time,
 * each under its own name. If its holder dies, the place is freed like any other. -TBUS_EEXISTS:
 * the name is in use; -TBUS_EFULL; -TBUS_EKIND: read-only, or nobody competes here, or the one
 * subscriber is there already; -TBUS_EGEOMETRY: bad name; -EINVAL: bad owner; -ENOMEM; -EAGAIN: the
 * one publisher was stopped or killed while it stored its position, try again when it goes on or
 * has a successor. Cold; system calls. */
int tbus_subscriber_join_late(const tbus_ring_t *ring, const char *name, enum tbus_sub_role role,
                              uint32_t owner, tbus_subscriber_t *out_subscriber, tbus_error_t *err);

/* Give up the place: publishers no longer wait for it. A message that was taken and not advanced
 * over is treated as that of a dead consumer. Frees what the handle owns and sets it to zeros.
 * Accepts a handle that is all zeros. */
void tbus_subscriber_leave(tbus_subscriber_t *s);

/* The next message, 8-byte aligned, or NULL when there is none. Until advance it stays valid and
 * peek returns the same one. `s->seq` is its sequence. Never waits, never enters the kernel. */
TBUS_HOT const void *tbus_peek(tbus_subscriber_t *s, size_t *out_bytes);

/* The same for who expects a message of just `bytes`, which the compiler knows and a slot of the
 * ring holds (slot_msg_bytes_max). NULL: tbus_peek knows what there is. */
TBUS_HOT const void *tbus_peek_of(const tbus_subscriber_t *s, uint32_t bytes);

/* Done with the message that peek returned. A consumer without one: asserted. Any other subscriber
 * that advances beyond what was published gets s->error when its progress is stored next, and that
 * progress is not stored. */
TBUS_HOT void tbus_advance(tbus_subscriber_t *s);

/* Store progress and counts now. Call it when idle: otherwise they are stored every slot_count/16
 * messages. */
void tbus_subscriber_flush(tbus_subscriber_t *s);

/* Be done with all that `other` is done with: another handle of this process on the same ring,
 * which has one publisher, neither of them competing nor evictable (asserted), and not behind this
 * one. For handlers that are shown what `other` has peeked. */
void tbus_subscriber_catch_up(tbus_subscriber_t *s, const tbus_subscriber_t *other);

/* Publishers need not execute fences in our name any more. For waiters (wait.h). */
void tbus_subscriber_need_no_fences(tbus_subscriber_t *s);
/* A message was there without a sleep. For those who make a waiter for each wait. */
TBUS_INLINE void tbus_subscriber_awake(tbus_subscriber_t *s)
{
    if (TBUS_UNLIKELY(s->fence_wanted) && ++s->awake_takes >= TBUS_AWAKE_LOOKS)
        tbus_subscriber_need_no_fences(s);
}

/* Call `handle` for up to `limit` messages, and advance after each. Stops when `handle` returns
 * false, without advancing. Returns the number of messages advanced over. */
typedef bool (*tbus_handler_t)(void *context, uint64_t seq, const void *message, size_t bytes);
TBUS_INLINE uint32_t tbus_poll(tbus_subscriber_t *s, tbus_handler_t handle, void *context,
                               uint32_t limit);

/* --- inline hot path; the rest is in bus/ring/subscriber.c --- */

const void *tbus_peek_slow(tbus_subscriber_t *s, uint64_t word, size_t *out_bytes);
const void *tbus_peek_other(tbus_subscriber_t *s, size_t *out_bytes);
void tbus_advance_other(tbus_subscriber_t *s);

/* Messages taken so far; those before a late joiner count as taken. */
TBUS_INLINE uint64_t tbus_subscriber_consumed(const tbus_subscriber_t *s)
{
    return s->seq - s->uncounted;
}

TBUS_HOT const void *tbus_peek(tbus_subscriber_t *s, size_t *out_bytes)
{
    if (TBUS_UNLIKELY(!s->plain))
        return tbus_peek_other(s, out_bytes);
    uint64_t seq = s->seq;
    tbus_atomic_u64_t *slot = tbus_ring_slot(&s->ring, seq);
    /* R2 pairs R1 (tbus_publish_plain): else we read what the payload held before this message. */
    uint64_t word = tbus_load_acquire_u64(slot);
    uint32_t bytes = tbus_slot_length(word);
    if (TBUS_UNLIKELY(word != tbus_slot_word(seq, 0, bytes, TBUS_SLOT_READY) ||
                      bytes > s->ring.slot_msg_bytes_max))
        return tbus_peek_slow(s, word, out_bytes);
    *out_bytes = bytes;
    return slot + 1;
}

TBUS_HOT const void *tbus_peek_of(const tbus_subscriber_t *s, uint32_t bytes)
{
    uint64_t seq = s->seq;
    tbus_atomic_u64_t *slot = tbus_ring_slot(&s->ring, seq);
    /* R2 pairs R1 (tbus_publish_plain), as in tbus_peek. */
    uint64_t word = tbus_load_acquire_u64(slot);
    return s->plain && word == tbus_slot_word(seq, 0, bytes, TBUS_SLOT_READY) ? slot + 1 : NULL;
}

TBUS_HOT void tbus_advance(tbus_subscriber_t *s)
{
    if (TBUS_UNLIKELY(s->weight != 1)) {
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
