/* SPDX-License-Identifier: Apache-2.0 */
/* glance.h - looking at an input without taking from it: what a stage does a thousand times between
 * two messages, and what lets it fetch ahead.
 *
 * Nothing here changes the handle or enters the kernel. On the data path: beside subscriber.h.
 */
#ifndef TICKBUS_GLANCE_H
#define TICKBUS_GLANCE_H

#include <tickbus/subscriber.h>

#ifdef __cplusplus
extern "C" {
#endif

/* False: a peek would tell NULL now. True: it is worth a peek, which may still find a tomb or an
 * error, or nothing where messages may be delivered again. A look at the next slot's word, and of a
 * competing place at where it is; no call: for inputs that are nearly always empty. */
TBUS_INLINE bool tbus_glance(const tbus_subscriber_t *s)
{
    if (TBUS_UNLIKELY(s->evictable || s->taken_word != 0))
        return true;
    uint64_t at = tbus_subscriber_position(s);
    uint64_t seq = s->seq;
    if (s->competing) {
        if (s->ring.redelivers && tbus_load_relaxed_u64(&s->ring.shared->again) != s->again_seen)
            return true;
        at = seq = tbus_ring_taken(&s->ring);
    }
    /* Relaxed: nothing is read on the strength of it, peek looks again (A1, A3). */
    uint64_t word = tbus_load_relaxed_u64(tbus_ring_slot(&s->ring, at));
    int64_t ahead = tbus_slot_ahead(word, seq);
    return ahead > 0 || (ahead == 0 && tbus_slot_state(word) > TBUS_SLOT_CLAIMED);
}

/* The message `distance` messages behind the next one, if it is there already, is of one slot each,
 * and so are those before it; else NULL. Valid until the handle has advanced over it. Not for
 * competing and evictable places: NULL. */
TBUS_INLINE const void *tbus_peek_ahead(const tbus_subscriber_t *s, uint32_t distance,
                                        size_t *out_bytes)
{
    if (TBUS_UNLIKELY(!s->plain))
        return NULL;
    tbus_atomic_u64_t *slot = tbus_ring_slot(&s->ring, tbus_subscriber_position(s) + distance);
    uint64_t word = tbus_load_acquire_u64(slot); /* A1 pairs R1, as in tbus_peek */
    uint32_t bytes = tbus_slot_length(word);
    if (tbus_slot_ahead(word, s->seq + distance) != 0 || tbus_slot_state(word) != TBUS_SLOT_READY ||
        bytes > s->ring.slot_msg_bytes_max)
        return NULL;
    *out_bytes = bytes;
    return slot + 1;
}

/* Have the line of the slot that lies `distance` slots behind the next one fetched. Its publisher
 * wrote it on another CPU. */
TBUS_INLINE void tbus_fetch_ahead(const tbus_subscriber_t *s, uint32_t distance)
{
    __builtin_prefetch(tbus_ring_slot(&s->ring, tbus_subscriber_position(s) + distance), 0, 3);
}

#ifdef __cplusplus
}
#endif
#endif
