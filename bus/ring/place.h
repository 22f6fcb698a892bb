/* SPDX-License-Identifier: Apache-2.0 */
/* place.h - places of subscribers on a ring: how one is taken, on which side of the publishers'
 * gate, and how it is given up. Internal to bus/ring.
 *
 * State and owner change together, in one 64-bit word, so that nobody can mistake the next holder
 * for the last one:
 *
 *    VACANT, 0       anybody may take it                  RESERVED, 0    kept for `name`
 *    VACANT, X       X is setting it up                   ACTIVE, X      publishers wait for X
 *    RESERVED, 256   is being reserved                    EVICTED, X     X has lost it and does not know yet
 */
#ifndef TICKBUS_BUS_RING_PLACE_H
#define TICKBUS_BUS_RING_PLACE_H

#include <tickbus/ring.h>

static inline uint64_t tbus_place_word(uint32_t state, uint32_t owner)
{
    return (uint64_t)owner << 32 | state;
}
static inline uint64_t tbus_place_load(const tbus_ring_sub_t *place)
{
    return tbus_load_acquire_u64((const tbus_atomic_u64_t *)(const void *)&place->state);
}
static inline bool tbus_place_cas(tbus_ring_sub_t *place, uint64_t word, uint64_t desired)
{
    return tbus_cas_u64((tbus_atomic_u64_t *)(void *)&place->state, &word, desired);
}

/* Set up a place in `state` (RESERVED, for nobody yet, or ACTIVE, for `owner`): from now on
 * publishers wait for it. Its progress is where the ring ended last, and cannot have been
 * overwritten. The index; -TBUS_EKIND, -TBUS_EGEOMETRY, -TBUS_EEXISTS, -TBUS_EFULL; -EAGAIN when a
 * single publisher died, or was stopped, while it stored its tail, and when publishers evicted the
 * place before it was RESERVED for anybody. */
int tbus_place_open(const tbus_ring_t *ring, const char *name, enum tbus_sub_role role,
                    enum tbus_sub_state state, uint32_t owner, tbus_error_t *err);

/* Does it bear this name? (It may be somebody else's at the next moment.) */
bool tbus_place_is(const tbus_ring_sub_t *place, const char *name);

/* Take the place that is kept for whoever has this name. -TBUS_EEXISTS: somebody did already;
 * -TBUS_EEVICTED: publishers stopped waiting (the place is given up). */
int tbus_place_take(tbus_ring_sub_t *place, uint32_t owner);

/* Publishers no longer wait for it. False: it is not active, or changed hands since it was looked
 * at as `word`. */
bool tbus_place_evict(tbus_ring_sub_t *place, uint64_t word);

/* Its holder gives it up. */
void tbus_place_leave(tbus_ring_sub_t *place, uint32_t owner);

/* Its holder is dead. True: there was something to repair, and this call did it. */
bool tbus_place_repair(tbus_ring_sub_t *place, uint32_t dead_owner);

#endif
