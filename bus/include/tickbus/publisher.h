/* SPDX-License-Identifier: Apache-2.0 */
/* publisher.h - putting messages on a ring.
 *
 * `try` never waits and never enters the kernel unless somebody sleeps; it is told FULL and may
 * look again later. The order of things:
 *
 *    room?  ->  (several publishers: claim)  ->  payload  ->  R1: slot word READY  ->  anybody asleep? wake
 *
 * A publisher handle belongs to one thread. Messages are copied; claim/commit writes in place.
 */
#ifndef TICKBUS_PUBLISHER_H
#define TICKBUS_PUBLISHER_H

#include <tickbus/ring.h>
#include <tickbus/wake.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef TBUS_PREFETCH_SLOTS
#define TBUS_PREFETCH_SLOTS 16u
#endif

enum tbus_publish {
    TBUS_PUBLISHED = 0,
    TBUS_FULL = 1,
    TBUS_DROPPED = 2,
    /* we were declared dead: not published, nor will be anything else; p->error says so */
    TBUS_STALE = 3,
};

#define TBUS_BATCH_MAX 64u /* messages claimed at once */

typedef struct tbus_publisher {
    tbus_ring_t ring;
    /* What changes with every message is one word, seq: its neighbours stay as they are until there
     * is no more room, or a long message. Single publisher, where nothing else is said. */
    uint64_t seq; /* sequence of the next message */
    /* its position less its sequence: long messages take more positions than one */
    uint64_t skew;
    /* any: sequences below this may be written without looking at anybody */
    uint64_t room_seq;
    int64_t plain_bytes_max; /* what fits a slot, with its length in the slot's word; several: -1 */
    int64_t one_slot_bytes_max; /* what fits a slot together with its length; several: -1 */
    /* positions below this were free of every subscriber when last looked at */
    uint64_t gate;
    uint64_t claimed_at;   /* several: position of the last claim */
    uint64_t claimed_word; /* several: what its slot held */
    uint64_t settled[2];   /* several: positions that need no settling (bus/ring/ticket.h) */
    uint32_t owner;        /* participant number, 1..255 */
    bool blocked;          /* the last try was told FULL; the waiter sleeps for room */
    uint32_t slots_wanted; /* blocked: for so many slots; single publisher */
    bool fence;            /* no membarrier(2) on this host: pay a fence per publish instead */
    /* several: tbus_claim_try was not followed by commit or abort yet */
    bool in_hand;
    /* several: 0, or -TBUS_ESTALE once a claim of ours was found buried; join again, under a number
     * of our own */
    int error;
    uint32_t batch_count;              /* messages claimed by tbus_claim_batch */
    uint64_t batch_at[TBUS_BATCH_MAX]; /* their positions */
} tbus_publisher_t;

/* `owner`: participant number, 1..255. A second publisher on a single-publisher ring is not
 * detected here: the bus, which can tell who lives, gives the right to one
 * (tbus_participant_take_topic in bus.h). Registers the process with membarrier(2), once.
 * -TBUS_EKIND on a read-only ring. */
int tbus_publisher_join(const tbus_ring_t *ring, uint32_t owner, tbus_publisher_t *out_publisher,
                        tbus_error_t *err);

/* Publish a copy of `bytes` bytes (0..msg_bytes_max, else asserted): TBUS_PUBLISHED, TBUS_FULL or
 * TBUS_STALE. Lock-free. */
TBUS_HOT enum tbus_publish tbus_publish_try(tbus_publisher_t *p, const void *message, size_t bytes);

/* Publish by the topic's policy: FULL only on a TBUS_BLOCK ring; DROPPED (and counted) on a
 * TBUS_DROP_NEWEST ring; on a TBUS_EVICT_SLOWEST ring whoever is furthest behind loses its place
 * until there is room, and FULL is left for consumers that hold messages in hand. */
enum tbus_publish tbus_publish(tbus_publisher_t *p, const void *message, size_t bytes);

/* Claim up to `want` (at most TBUS_BATCH_MAX, and of a single publisher half a ring) messages of
 * one slot each: returns how many, and where to write each. All of them are committed together: a
 * single publisher's become visible first to last, with one look for sleepers. */
uint32_t tbus_claim_batch(tbus_publisher_t *p, uint32_t want, void **out_places);
void tbus_commit_batch(tbus_publisher_t *p, const uint32_t *bytes);

/* Where to write a message of up to one slot's payload in place; NULL: full, or p->error. Until
 * commit or abort no other claim may be made by this handle. commit takes the true length, at most
 * slot_msg_bytes_max of the ring; it publishes nothing and sets p->error when somebody declared us
 * dead and buried the claim. */
void *tbus_claim_try(tbus_publisher_t *p);
void tbus_commit(tbus_publisher_t *p, size_t bytes);
void tbus_abort(
    tbus_publisher_t
        *p); /* single publisher: as if never claimed; several: the sequence becomes a tomb */

/* Make published counts exact for onlookers. Call when idle; costs a few stores. */
void tbus_publisher_flush(tbus_publisher_t *p);

/* --- inline hot path; the rest is in bus/ring/publisher.c --- */

bool tbus_publisher_refresh(tbus_publisher_t *p, uint64_t slots);
enum tbus_publish tbus_publish_other(tbus_publisher_t *p, const void *message, size_t bytes);
/* Single publisher: where the next message goes. */
TBUS_INLINE uint64_t tbus_publisher_position(const tbus_publisher_t *p)
{
    return p->seq + p->skew;
}

TBUS_HOT void tbus_publisher_wake(tbus_publisher_t *p)
{
    if (TBUS_UNLIKELY(p->fence))
        tbus_fence_full();
    /* Store-load order against a sleeper that sets its bit and looks at the slots again: the
     * sleeper's membarrier(2) stands for the fence that is missing here. Without it: publish
     * unseen, bit unseen, and the sleeper sleeps past a message. */
    tbus_compiler_barrier();
    uint32_t sleepers = tbus_load_relaxed_u32(&p->ring.shared->sleepers);
    if (TBUS_UNLIKELY(sleepers))
        tbus_ring_wake(p->ring.shared, sleepers);
}

TBUS_HOT enum tbus_publish tbus_publish_try(tbus_publisher_t *p, const void *message, size_t bytes)
{
    /* and known to be */
    bool lengthy = __builtin_constant_p(bytes) && bytes > TBUS_SLOT_LENGTH_MAX;
    if (TBUS_UNLIKELY((int64_t)bytes > (lengthy ? p->one_slot_bytes_max : p->plain_bytes_max)))
        return tbus_publish_other(p, message, bytes);
    uint64_t seq = p->seq;
    if (TBUS_UNLIKELY(seq == p->room_seq) && !tbus_publisher_refresh(p, 1))
        return TBUS_FULL;
    uint64_t position = seq + p->skew;
    tbus_atomic_u64_t *slot = tbus_ring_slot(&p->ring, position);
    /* Lines that are written some messages from now were last read by somebody else: fetch them for
     * writing while there is time. */
    const char *soon = (const char *)tbus_ring_slot(&p->ring, position + TBUS_PREFETCH_SLOTS);
    tbus_prefetch_for_write(soon);
    uint64_t word;
    if (lengthy) {
        tbus_store_relaxed_u64(slot + 1, bytes);
        tbus_words_store(slot + 2, message, bytes);
        word = tbus_slot_word(seq, 0, 0, TBUS_SLOT_LONG);
    } else {
        if (bytes > 64 - TBUS_SLOT_WORD_BYTES)
            tbus_prefetch_for_write(soon + 64);
        tbus_words_store(slot + 1, message, bytes);
        word = tbus_slot_word(seq, 0, (uint32_t)bytes, TBUS_SLOT_READY);
    }
    /* R1 pairs A1 (tbus_peek): else a subscriber sees the word before the payload. */
    tbus_store_release_u64(slot, word);
    p->seq = seq + 1;
    tbus_publisher_wake(p);
    return TBUS_PUBLISHED;
}

#ifdef __cplusplus
}
#endif
#endif
