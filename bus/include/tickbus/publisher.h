/* SPDX-License-Identifier: Apache-2.0 */
/* publisher.h - putting messages on a ring.
 *
 * tbus_publish_try never waits. It enters the kernel only to wake a subscriber that sleeps. When
 * there is no room it returns TBUS_FULL, and the caller tries again later. Its steps:
 *
 *    look for room
 *    several publishers: claim a slot
 *    write the payload but for its first word
 *    store that word together with the slot word READY (R1)
 *    look for sleepers (W1) and wake them
 *
 * tbus_publish_try copies the message; claim and commit let the caller write it in place. A handle
 * belongs to one thread. It is made by tbus_publisher_join and given up by tbus_publisher_leave.
 */
#ifndef TICKBUS_PUBLISHER_H
#define TICKBUS_PUBLISHER_H

#include <tickbus/ring.h>
#include <tickbus/wake.h>

#ifdef __cplusplus
extern "C" {
#endif

enum tbus_publish {
    TBUS_PUBLISHED = 0,
    TBUS_FULL = 1,
    TBUS_DROPPED = 2,
    /* This participant was declared dead. Nothing was published, and this handle will publish
     * nothing else; p->error says so. */
    TBUS_STALE = 3,
};

#define TBUS_BATCH_MAX  64u /* messages claimed at once */
#define TBUS_AREA_PARTS 64u

/* One publisher: what it knows of the ring's area (bus/ring/area.h). */
typedef struct tbus_area {
    uint64_t head;  /* offset of the next message */
    uint64_t clear; /* offsets below this need no look for room */
    /* each part may be written again when every subscriber has passed this position */
    uint64_t passed[TBUS_AREA_PARTS];
} tbus_area_t;

/* Where a claim lies. */
enum tbus_hand {
    TBUS_HAND_WORD = 0, /* in the slot, its length in the word */
    TBUS_HAND_SLOT = 1, /* in the slot, behind its length */
    TBUS_HAND_AREA = 2, /* in the area */
};

typedef struct tbus_publisher {
    tbus_ring_t ring;
    /* Fields without a remark are for rings with one publisher; "several": for the other rings;
     * "any": for both. A message changes `seq` only. Its neighbours change when the known room is
     * used up, and with a long message. */
    uint64_t seq;      /* sequence of the next message */
    uint64_t room_seq; /* any: sequences below this may be written without looking for room */
    /* messages shorter than this have their length in the slot word; several: 0 */
    uint64_t plain_bytes_end;
    /* messages shorter than this fit in one slot together with their length; several: 0 */
    uint64_t one_slot_bytes_end;
    /* every subscriber had passed the slots of positions below this at the last look */
    uint64_t gate;
    uint64_t claimed_at;   /* several: position of the last claim */
    uint64_t claimed_word; /* several: the word that its slot held */
    uint64_t settled[2];   /* several: positions that need no settling (bus/ring/ticket.h) */
    uint64_t lost_at;      /* several: tbus_clock_ticks() of the last claim that another won */
    uint32_t owner;        /* any: participant number, 1..255 */
    bool blocked;          /* any: the last try returned FULL, and the waiter may sleep for room */
    bool dropped; /* any: a message was dropped since the waiter last looked for the dead */
    bool fence;   /* any: the host has no membarrier(2), each publish executes a fence */
    /* the CPU stores 16 aligned bytes at once (tbus_store_release_pair_u64) */
    bool whole_pairs;
    bool in_hand;            /* any: a claim waits for tbus_commit or tbus_abort */
    uint64_t passed_wanted;  /* blocked: how far every subscriber must have got */
    enum tbus_hand hand;     /* any: where the claim lies */
    uint32_t hand_bytes_max; /* any: what it has room for */
    uint64_t hand_offset;    /* in the area */
    tbus_area_t area;
    /* several: 0, or -TBUS_ESTALE once a claim of this handle was found to be a tomb: join again,
     * under another number */
    int error;
    uint32_t batch_count;              /* any: messages claimed by tbus_claim_batch */
    uint64_t batch_at[TBUS_BATCH_MAX]; /* any: their positions */
} tbus_publisher_t;

/* `owner`: participant number, 1..255. A second publisher on a ring for one publisher is not
 * detected here: the bus, which knows who is alive, gives the right to one participant
 * (tbus_participant_take_topic in bus.h). Registers the process with membarrier(2), once.
 * -TBUS_EKIND on a read-only ring. */
int tbus_publisher_join(const tbus_ring_t *ring, uint32_t owner, tbus_publisher_t *out_publisher,
                        tbus_error_t *err);

/* Give up the handle: flush, abort a claim or a batch that was not committed, and set the handle to
 * zeros. Without it such a claim blocks the ring for as long as the process lives. Accepts a handle
 * that is all zeros. */
void tbus_publisher_leave(tbus_publisher_t *p);

/* Publish a copy of `bytes` bytes (0..msg_bytes_max, else asserted): TBUS_PUBLISHED, TBUS_FULL or
 * TBUS_STALE. Lock-free. */
TBUS_HOT enum tbus_publish tbus_publish_try(tbus_publisher_t *p, const void *message, size_t bytes);

/* Publish as the topic's policy says. TBUS_BLOCK: returns TBUS_FULL when there is no room.
 * TBUS_DROP_NEWEST: counts the message and returns TBUS_DROPPED. TBUS_EVICT_SLOWEST: the subscriber
 * furthest behind loses its place, until there is room; TBUS_FULL only when consumers hold the
 * messages that are in the way. */
enum tbus_publish tbus_publish(tbus_publisher_t *p, const void *message, size_t bytes);

/* Publish `count` messages of `bytes` bytes each, which stand one behind the other at `messages`.
 * Each is there for subscribers as soon as it is written. There is one look for sleepers, at the
 * end; with several publishers, and for long messages (slot.h), one after each message. Returns
 * how many were published: fewer than `count` when the ring is full (TBUS_FULL) or p->error says
 * why. */
TBUS_HOT uint32_t tbus_publish_batch(tbus_publisher_t *p, const void *messages, size_t bytes,
                                     uint32_t count);

/* Claim up to `want` messages of slot_msg_bytes_max or less (at most TBUS_BATCH_MAX, and with one
 * publisher half a ring). Returns how many, and where to write each of them. Two batches at a time:
 * asserted. They are committed together: those of a ring with one publisher become visible from
 * first to last, with one look for sleepers. */
uint32_t tbus_claim_batch(tbus_publisher_t *p, uint32_t want, void **out_places);
void tbus_commit_batch(tbus_publisher_t *p, const uint32_t *bytes);

/* Where to write the payload of a message of up to slot_msg_bytes_max of the ring; NULL: no room,
 * or p->error. The handle may make no other claim before commit or abort. commit takes the true
 * length, at most what was claimed. Commit or abort without a claim, and a longer message:
 * asserted. If this participant was declared dead meanwhile, the claim is a tomb, and commit
 * publishes nothing and sets p->error. */
void *tbus_claim_try(tbus_publisher_t *p);
/* The same for a message of up to `bytes`, at most msg_bytes_max of the ring (asserted): in the
 * slot where it fits, else in the area, at a 64-byte boundary. So a long message is written where
 * its readers find it. */
void *tbus_claim_bytes_try(tbus_publisher_t *p, size_t bytes);
void tbus_commit(tbus_publisher_t *p, size_t bytes);
/* One publisher: as if it had never claimed. Several: the sequence becomes a tomb. */
void tbus_abort(tbus_publisher_t *p);

/* Store exactly how much was published, for others to read. Call it when idle; a few stores. */
void tbus_publisher_flush(tbus_publisher_t *p);

/* --- inline hot path; the rest is in bus/ring/publisher.c --- */

bool tbus_publisher_refresh(tbus_publisher_t *p, uint64_t slots);
/* One publisher, blocked: is there room now for what it wanted? */
bool tbus_publisher_room_again(tbus_publisher_t *p);
enum tbus_publish tbus_publish_other(tbus_publisher_t *p, const void *message, size_t bytes);

TBUS_HOT void tbus_publisher_wake(tbus_publisher_t *p)
{
    /* W1 pairs W2 (tbus_waiter_park): our store of the slot comes before our look at the two words.
     * The sleeper's membarrier(2) takes the place of a fence here, until we see that it wants one
     * of us. Without it the sleeper misses the message, we miss its bits, and it sleeps on although
     * a message is there. */
    if (TBUS_UNLIKELY(p->fence))
        tbus_fence_full();   /* W1, on a host without membarrier(2) */
    tbus_compiler_barrier(); /* W1 */
    tbus_ring_shared_t *shared = p->ring.shared;
    uint32_t asleep = tbus_load_relaxed_u32(&shared->sleepers);
    uint32_t often = tbus_load_relaxed_u32(&shared->fences_wanted);
    if (TBUS_UNLIKELY(asleep | often))
        tbus_ring_look_again(shared);
}

/* The compiler knows that the length does not fit in the slot word. */
#define TBUS_LENGTHY(bytes) (__builtin_constant_p(bytes) && (bytes) > TBUS_SLOT_LENGTH_MAX)

/* True: not a message of one slot on a ring with one publisher; tbus_publish_other is for those. */
TBUS_HOT bool tbus_publish_is_other(const tbus_publisher_t *p, size_t bytes)
{
    return bytes >= (TBUS_LENGTHY(bytes) ? p->one_slot_bytes_end : p->plain_bytes_end);
}

/* The slot of the next message changes from old to READY in one store, which comes last and has the
 * first word of the payload as well. `close`: other messages follow at once, or came just before.
 * How a payload is stored then, and why: tbus_words_store in slot.h. No line is fetched ahead for
 * writing: a subscriber at our heels takes it away again (64 bytes one to one, 22 M messages/s with
 * fetching and 40 without; 56 bytes, 27 and 51). */
TBUS_HOT enum tbus_publish tbus_publish_plain(tbus_publisher_t *p, const void *message,
                                              size_t bytes, bool close)
{
    uint64_t seq = p->seq;
    if (TBUS_UNLIKELY(seq == p->room_seq) && !tbus_publisher_refresh(p, 1))
        return TBUS_FULL;
    tbus_atomic_u64_t *slot = tbus_ring_slot(&p->ring, seq);
    uint64_t word, first = 0;
    if (TBUS_LENGTHY(bytes)) {
        tbus_words_store(slot + 2, message, bytes);
        word = tbus_slot_word(seq, 0, TBUS_LENGTH_LONG, TBUS_SLOT_READY);
        first = bytes;
    } else {
        if (TBUS_LIKELY(bytes >= 8)) {
            const unsigned char *rest = (const unsigned char *)message + 8;
            memcpy(&first, message, 8);
            if (close)
                tbus_words_store_close(slot + 2, rest, bytes - 8);
            else
                tbus_words_store(slot + 2, rest, bytes - 8);
        } else if (bytes != 0) { /* an empty message may be NULL */
            memcpy(&first, message, bytes);
        }
        if (!close && bytes <= 48)
            tbus_words_fill_line(slot, bytes);
        word = tbus_slot_word(seq, 0, (uint32_t)bytes, TBUS_SLOT_READY);
    }
    /* R1 pairs R2 (tbus_peek): else a subscriber sees the word before the payload. */
    tbus_store_release_pair_u64(slot, word, first, p->whole_pairs);
    p->seq = seq + 1;
    return TBUS_PUBLISHED;
}

TBUS_HOT enum tbus_publish tbus_publish_try(tbus_publisher_t *p, const void *message, size_t bytes)
{
    if (TBUS_UNLIKELY(tbus_publish_is_other(p, bytes)))
        return tbus_publish_other(p, message, bytes);
    enum tbus_publish told = tbus_publish_plain(p, message, bytes, false);
    if (TBUS_LIKELY(told == TBUS_PUBLISHED))
        tbus_publisher_wake(p);
    return told;
}

TBUS_HOT uint32_t tbus_publish_batch(tbus_publisher_t *p, const void *messages, size_t bytes,
                                     uint32_t count)
{
    const unsigned char *from = (const unsigned char *)messages;
    bool other = tbus_publish_is_other(p, bytes);
    uint32_t done = 0;
    for (; done < count; done++, from += bytes)
        if ((other ? tbus_publish_other(p, from, bytes)
                   : tbus_publish_plain(p, from, bytes, true)) != TBUS_PUBLISHED)
            break;
    /* Also when there was no room: who would make some may sleep. */
    if (done && !other)
        tbus_publisher_wake(p);
    return done;
}

#ifdef __cplusplus
}
#endif
#endif
