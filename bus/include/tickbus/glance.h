/* SPDX-License-Identifier: Apache-2.0 */
/* glance.h - looking at an input without taking from it: a cheap test that a stage repeats a
 * thousand times between two messages, and ways to look at messages further on.
 *
 * Nothing here changes the handle or enters the kernel. On the data path: beside subscriber.h.
 */
#ifndef TICKBUS_GLANCE_H
#define TICKBUS_GLANCE_H

#include <tickbus/subscriber.h>

#ifdef __cplusplus
extern "C" {
#endif

/* False: tbus_peek would return NULL now. True: call it; it may still find a tomb or an error, or
 * nothing on a ring that delivers messages again. Reads the next slot's word, for a consumer also
 * the ticket; for inputs that are nearly always empty. */
TBUS_INLINE bool tbus_glance(const tbus_subscriber_t *s)
{
    if (TBUS_UNLIKELY(s->evictable || s->taken_word != 0))
        return true;
    uint64_t seq = s->seq;
    if (s->competing) {
        if (s->ring.redelivers && tbus_load_relaxed_u64(&s->ring.shared->again) != s->again_seen)
            return true;
        seq = tbus_ring_taken(&s->ring);
    }
    /* hint: no payload is read because of this word; tbus_peek loads it again, with acquire. */
    uint64_t word = tbus_load_relaxed_u64(tbus_ring_slot(&s->ring, seq));
    int64_t ahead = tbus_slot_ahead(word, seq);
    return ahead > 0 || (ahead == 0 && tbus_slot_state(word) > TBUS_SLOT_CLAIMED);
}

/* The message `distance` messages after the next one, if it is there already and not a long one;
 * else NULL. Valid until the handle has advanced over it. Always NULL for consumers and for
 * subscribers that can be evicted. */
TBUS_INLINE const void *tbus_peek_ahead(const tbus_subscriber_t *s, uint32_t distance,
                                        size_t *out_bytes)
{
    if (TBUS_UNLIKELY(!s->plain))
        return NULL;
    tbus_atomic_u64_t *slot = tbus_ring_slot(&s->ring, s->seq + distance);
    uint64_t word = tbus_load_acquire_u64(slot); /* R2 pairs R1, as in tbus_peek */
    uint32_t bytes = tbus_slot_length(word);
    if (tbus_slot_ahead(word, s->seq + distance) != 0 || tbus_slot_state(word) != TBUS_SLOT_READY ||
        bytes > s->ring.slot_msg_bytes_max)
        return NULL;
    *out_bytes = bytes;
    return slot + 1;
}

/* Prefetch the line of the slot `distance` slots after the next one, which its publisher wrote on
 * another CPU. */
TBUS_INLINE void tbus_fetch_ahead(const tbus_subscriber_t *s, uint32_t distance)
{
    __builtin_prefetch(tbus_ring_slot(&s->ring, s->seq + distance), 0, 3);
}

#ifdef __cplusplus
}
#endif
#endif
