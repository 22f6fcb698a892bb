/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/observer.h>

#include <errno.h>
#include <string.h>

#include "bus/ring/area.h"
#include "bus/ring/end.h"

#define LAPS_MAX 4u /* in one call; each costs a look at every slot */

/* Positions below this may be overwritten at any moment. */
static uint64_t safe_from(const tbus_ring_t *ring)
{
    const tbus_ring_shared_t *s = ring->shared;
    /* hint: where it matters, the caller's fence (N2, C2) stands before this load. */
    uint64_t end =
        ring->several_publishers ? tbus_ring_claimed(ring) : tbus_load_relaxed_u64(&s->announce);
    return end - ring->slot_count;
}

/* The state of a slot for an observer. On a competing ring a message that its consumer has taken,
 * or that waits to be taken again, is as good as any other. One that was released is still whole
 * until the slot is claimed again; its word has the sequence of the next lap. */
static enum tbus_slot_state seen_state(const tbus_ring_t *ring, uint64_t word, uint64_t reference,
                                       int64_t *out_ahead)
{
    enum tbus_slot_state state = tbus_slot_state(word);
    *out_ahead = tbus_slot_ahead(word, reference);
    if (!ring->competing)
        return state;
    if (state == TBUS_SLOT_TAKEN || state == TBUS_SLOT_AGAIN)
        return TBUS_SLOT_READY;
    if (state != TBUS_SLOT_FREE)
        return state;
    *out_ahead -= (int64_t)ring->slot_count;
    return tbus_slot_length(word) == TBUS_LENGTH_TOMB ? TBUS_SLOT_TOMB : TBUS_SLOT_READY;
}

/* Move to the oldest message, or tomb, that is safe. The word of a slot has its sequence, so an
 * observer can go on at any slot where a message starts. Never before `from_seq`: older messages
 * were seen, or counted as lost. Looks at each slot once at most, whatever the header says. */
static void resynchronise(tbus_observer_t *o, uint64_t from_seq)
{
    uint64_t slots = o->ring.slot_count;
    uint64_t position = safe_from(&o->ring) + slots / 16;
    uint64_t tail, tail_seq;
    bool paired = tbus_ring_end(&o->ring, &tail, &tail_seq);
    if (tail - position > slots)
        position = tail - slots; /* publishers went on while we looked */
    for (; position != tail; position++) {
        int64_t ahead;
        /* hint: only the word is used; tbus_observe loads it again before it copies. */
        uint64_t word = tbus_load_relaxed_u64(tbus_ring_slot(&o->ring, position));
        enum tbus_slot_state state = seen_state(&o->ring, word, tail_seq, &ahead);
        uint64_t seq = tail_seq + (uint64_t)ahead;
        if ((state == TBUS_SLOT_READY || state == TBUS_SLOT_TOMB) && ahead < 0 &&
            ahead >= -(int64_t)slots && (int64_t)(seq - from_seq) >= 0) {
            o->position = position;
            o->seq = seq;
            return;
        }
    }
    if (paired && (int64_t)(tail_seq - from_seq) >= 0) {
        o->position = tail;
        o->seq = tail_seq;
    }
}

/* Position and sequence of the next message. Where the publisher was stopped or killed while it
 * stored them, the two in the header may not belong together, and the slots decide. */
static bool find_end(const tbus_ring_t *ring, uint64_t *out_position, uint64_t *out_seq)
{
    if (tbus_ring_end(ring, out_position, out_seq))
        return true;
    bool found = tbus_ring_find_end(ring, out_position, out_seq);
    /* N2 pairs N1 (tbus_publisher_refresh): had the newest message been overwritten while we
     * looked, the announcement would be seen here. */
    tbus_fence_acquire();
    return found && *out_position - safe_from(ring) >= ring->slot_count / 2;
}

int tbus_observer_join(const tbus_ring_t *ring, enum tbus_observe_from from,
                       tbus_observer_t *out_observer, tbus_error_t *err)
{
    if (!ring || !ring->shared || !out_observer ||
        (from != TBUS_FROM_NOW && from != TBUS_FROM_OLDEST))
        return tbus_fail(err, -EINVAL,
                         "observer: there is no ring, nowhere to put it, or no such place as %d",
                         (int)from);
    tbus_observer_t o = {.ring = *ring};
    if (!find_end(ring, &o.position, &o.seq))
        return tbus_fail(
            err, -EAGAIN,
            "topic '" TBUS_NAME_TEXT
            "': its publisher died or was stopped in the middle of saying how far it is; "
            "try again when it goes on or has a successor",
            ring->shared->name);
    if (from == TBUS_FROM_OLDEST) {
        uint64_t tail = o.position;
        if (tail - ring->first_seq <= ring->slot_count - ring->slot_count / 8) {
            /* Nothing has been overwritten yet, nor will be in the publisher's next step. */
            o.position = o.seq = ring->first_seq;
        } else {
            /* Not before the first message: the slots of a competing ring start out as if they had
             * held messages of an earlier lap. */
            uint64_t from_seq = o.seq - ring->slot_count;
            resynchronise(&o,
                          (int64_t)(from_seq - ring->first_seq) < 0 ? ring->first_seq : from_seq);
        }
    }
    *out_observer = o;
    return 0;
}

static void lapped(tbus_observer_t *o, uint64_t *out_lost)
{
    uint64_t expected = o->seq;
    resynchronise(o, expected);
    *out_lost += o->seq - expected;
    o->lost += o->seq - expected;
}

/* One publisher: the bytes at `offset` may have been overwritten. The slot of the message may stand
 * for longer than they do. */
static bool area_lapped(const tbus_ring_t *ring, uint64_t offset)
{
    /* hint: the caller's fence (N2) stands before this load. */
    uint64_t announced = tbus_load_relaxed_u64(&ring->shared->area_announce);
    return (int64_t)(offset - (announced - ring->area_bytes)) < 0;
}

int tbus_observe(tbus_observer_t *o, void *into, size_t *out_bytes, uint64_t *out_seq,
                 uint64_t *out_lost)
{
    const tbus_ring_t *ring = &o->ring;
    *out_lost = 0;
    /* Tombs are skipped and laps are made up for, but only so many in one call. */
    unsigned laps = 0;
    for (uint32_t turns = 0; turns <= ring->slot_count && laps < LAPS_MAX; turns++) {
        tbus_atomic_u64_t *slot = tbus_ring_slot(ring, o->position);
        /* R2 pairs R1 (tbus_publish_plain): else we copy what was there before this message. */
        uint64_t word = tbus_load_acquire_u64(slot);
        int64_t ahead;
        enum tbus_slot_state state = seen_state(ring, word, o->seq, &ahead);
        if (ahead > 0) {
            lapped(o, out_lost);
            laps++;
            continue;
        }
        if (ahead < 0 || state == TBUS_SLOT_FREE || state == TBUS_SLOT_CLAIMED)
            return 0;
        if (state == TBUS_SLOT_TOMB) {
            o->position++;
            o->seq++;
            o->tombs++;
            continue;
        }
        uint64_t offset;
        size_t bytes = 0;
        const void *message = tbus_message(ring, o->position, word, &bytes, &offset);
        if (message)
            tbus_message_load(ring, into, message, bytes);
        /* N2 pairs N1 (tbus_publisher_refresh), C2 pairs C1 (claim): if any word of the copy was
         * written for a newer message, we see here that it was announced, or claimed. Else a torn
         * copy passes for a message. */
        tbus_fence_acquire();
        bool untouched = (int64_t)(o->position - safe_from(ring)) >= 0;
        if (!untouched) {
            lapped(o, out_lost);
            laps++;
            continue;
        }
        if (!message)
            return -TBUS_ECORRUPT;
        o->position++;
        o->seq++;
        if (offset != TBUS_NO_OFFSET && area_lapped(ring, offset)) {
            o->lost++;
            (*out_lost)++;
            continue;
        }
        *out_bytes = bytes;
        *out_seq = o->seq - 1;
        return 1;
    }
    return 0;
}

/* Is this the message `seq`, whole? As seen_state, in fewer steps. */
static inline bool is_message(const tbus_ring_t *ring, uint64_t word, uint64_t seq)
{
    const uint64_t owner_and_length = tbus_slot_word(0, 0xff, 0xff, 0);
    int64_t ahead;
    if (TBUS_LIKELY(!ring->competing))
        return (word & ~owner_and_length) == tbus_slot_word(seq, 0, 0, TBUS_SLOT_READY);
    return seen_state(ring, word, seq, &ahead) == TBUS_SLOT_READY && ahead == 0;
}

/* As tbus_words_load. By its constant alone gcc does not unroll it. */
static inline void load_stride(unsigned char *to, const tbus_atomic_u64_t *from)
{
#pragma GCC unroll 8
    for (uint32_t i = 0; i < TBUS_OBSERVE_STRIDE / 8; i++) {
        uint64_t word = tbus_load_relaxed_u64(&from[i]);
        memcpy(to + 8 * (size_t)i, &word, 8);
    }
}

uint32_t tbus_observe_some(tbus_observer_t *o, void *into, uint32_t count, uint32_t *out_bytes,
                           uint64_t *out_seq)
{
    const tbus_ring_t *ring = &o->ring;
    const uint64_t seq = o->seq, position = o->position;
    unsigned char *to = into;
    uint32_t most = count < ring->slot_count ? count : (uint32_t)ring->slot_count;
    uint32_t bytes_max = ring->slot_msg_bytes_max < TBUS_OBSERVE_STRIDE ? ring->slot_msg_bytes_max
                                                                        : TBUS_OBSERVE_STRIDE;
    uint32_t n = 0;
    for (; n < most; n++, to += TBUS_OBSERVE_STRIDE) {
        tbus_atomic_u64_t *slot = tbus_ring_slot(ring, position + n);
        /* R2 pairs R1 (tbus_publish_plain): else we copy what was there before this message. */
        uint64_t word = tbus_load_acquire_u64(slot);
        uint32_t bytes = tbus_slot_length(word);
        if (!is_message(ring, word, seq + n) || bytes > bytes_max)
            break;
        if (TBUS_LIKELY(bytes == TBUS_OBSERVE_STRIDE))
            load_stride(to, slot + 1);
        else
            tbus_words_load(to, slot + 1, bytes);
        out_bytes[n] = bytes;
    }
    if (n == 0)
        return 0;
    /* N2 pairs N1 (tbus_publisher_refresh), C2 pairs C1 (claim), as in tbus_observe. Publishers
     * write over the first of these slots before the others: while that one stands, all do. */
    tbus_fence_acquire();
    if ((int64_t)(position - safe_from(ring)) < 0)
        return 0;
    *out_seq = seq;
    o->position = position + n;
    o->seq = seq + n;
    return n;
}
