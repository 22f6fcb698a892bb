/* SPDX-License-Identifier: Apache-2.0 */
/* observer.h - reading a ring without holding anybody back; a read-only mapping is enough.
 *
 * An observer copies a message and then checks that it was not overwritten meanwhile. When
 * publishers have lapped it, it goes on at the oldest message that is still safe and tells exactly
 * how many it lost. Of a ring with an area (ring.h) the bytes of a long message may be gone while
 * its slot still stands: that message is lost, and the observer goes on behind it. Sequences
 * without a message (tombs) are counted apart. It writes nothing to shared memory, owns nothing and
 * needs no leave.
 */
#ifndef TICKBUS_OBSERVER_H
#define TICKBUS_OBSERVER_H

#include <tickbus/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

enum tbus_observe_from { TBUS_FROM_NOW = 0, TBUS_FROM_OLDEST = 1 };

typedef struct tbus_observer {
    tbus_ring_t ring;
    uint64_t position;
    uint64_t seq; /* sequence of the next message */
    /* lost so far: sequences that were overwritten. Nobody can tell any more which were messages */
    uint64_t lost;
    uint64_t tombs; /* passed over so far: sequences whose publisher died or aborted */
} tbus_observer_t;

/* FROM_OLDEST: the oldest message that is surely still there (at most 15/16 of the ring back).
 * Where the one publisher was stopped or killed while it stored its end, and no slot tells where
 * the next message is either, -EAGAIN: try again when it goes on or has a successor. */
int tbus_observer_join(const tbus_ring_t *ring, enum tbus_observe_from from,
                       tbus_observer_t *out_observer, tbus_error_t *err);

/* Copy the next message into `into` (at least msg_bytes_max of the ring, 8-byte aligned). 1: there
 * was one; 0: none yet; -TBUS_ECORRUPT. *out_lost: messages lost just before this one. It is set
 * and counted also when the call returns 0 after a lap. */
int tbus_observe(tbus_observer_t *o, void *into, size_t *out_bytes, uint64_t *out_seq,
                 uint64_t *out_lost);

/* Copy the next messages, up to `count` of them, of which none is longer than 56 bytes: message i
 * to `into` + i * TBUS_OBSERVE_STRIDE (8-byte aligned), with out_bytes[i] bytes. *out_seq: of the
 * first; the others follow one another. Returns how many. 0: none, and nothing has changed: there
 * is none yet, or the next one is longer, a tomb or lost, which tbus_observe tells. Whether any was
 * overwritten meanwhile is asked once for all of them, so each costs a fraction of a
 * tbus_observe. Behind the last message everything up to its stride is undefined. */
#define TBUS_OBSERVE_STRIDE 56u
uint32_t tbus_observe_some(tbus_observer_t *o, void *into, uint32_t count, uint32_t *out_bytes,
                           uint64_t *out_seq);

#ifdef __cplusplus
}
#endif
#endif
