/* SPDX-License-Identifier: Apache-2.0 */
/* place.h - the places of subscribers on a ring: how one is opened, taken, and given up. Internal
 * to bus/ring.
 *
 * A place is an entry of ring.h's `subs`. The *gate* is the position up to which all places leave
 * room; publishers do not write beyond it. State and owner of a place change together, in one
 * 64-bit word. The word also has the number of the *tenure*, which grows whenever somebody takes a
 * vacant place. So the next holder is never mistaken for the last one, even if it is the same
 * participant:
 *
 *    VACANT, 0       anybody may take it
 *    VACANT, X       X is setting it up; publishers do not wait for it yet
 *    VACANT, X, displaced
 *                    the same, but another subscriber needs the one place, and X may be dead: X
 *                    cannot go on, and frees the place when it finds out
 *    RESERVED, 256   it is being reserved
 *    RESERVED, 0     it is kept for `name`; publishers wait for it
 *    ACTIVE, X       X holds it; publishers wait for it
 *    EVICTED, X      publishers no longer wait for it; X finds that out when it looks
 */
#ifndef TICKBUS_BUS_RING_PLACE_H
#define TICKBUS_BUS_RING_PLACE_H

#include <tickbus/ring.h>

#define TBUS_PLACE_OWNER_MASK   UINT32_C(0x1ff) /* 256: being reserved (ring.h: `owner`) */
#define TBUS_PLACE_DISPLACED    UINT32_C(0x200)
#define TBUS_PLACE_TENURE_SHIFT 10

/* The word of the first tenure. */
static inline uint64_t tbus_place_word(uint32_t state, uint32_t owner)
{
    return (uint64_t)owner << 32 | state;
}
static inline uint32_t tbus_place_state(uint64_t word)
{
    return (uint32_t)word;
}
static inline uint32_t tbus_place_owner(uint64_t word)
{
    return (uint32_t)(word >> 32) & TBUS_PLACE_OWNER_MASK;
}
/* Owner and tenure: what the holder knows its place by. */
static inline uint32_t tbus_place_holder(uint64_t word)
{
    return (uint32_t)(word >> 32) & ~TBUS_PLACE_DISPLACED;
}
/* The word of the same tenure with another state and owner. */
static inline uint64_t tbus_place_become(uint64_t word, uint32_t state, uint32_t owner)
{
    uint32_t tenure = (uint32_t)(word >> 32) >> TBUS_PLACE_TENURE_SHIFT;
    return tbus_place_word(state, tenure << TBUS_PLACE_TENURE_SHIFT | owner);
}
static inline uint64_t tbus_place_load(const tbus_ring_sub_t *place)
{
    /* G2 pairs G1 (tbus_place_cas): the name, role and progress that we read next were written by
     * the holder that the word names, or by a later one. */
    return tbus_load_acquire_u64((const tbus_atomic_u64_t *)(const void *)&place->state);
}
static inline bool tbus_place_cas(tbus_ring_sub_t *place, uint64_t word, uint64_t desired)
{
    /* G1 pairs G2 (tbus_place_load, gate_end): else a reader of the new word may see the name, role
     * or progress of the last holder. */
    return tbus_cas_u64((tbus_atomic_u64_t *)(void *)&place->state, &word, desired);
}

/* Set up a place in `state`: RESERVED, for nobody yet, or ACTIVE, for `owner`. From now on
 * publishers wait for it. Its progress is the end of the ring, so that no message from there on is
 * lost. Returns the index, and *out_holder (may be NULL); -TBUS_EKIND, -TBUS_EGEOMETRY, -EINVAL,
 * -TBUS_EEXISTS, -TBUS_EFULL; -EAGAIN: the one publisher died or was stopped while it stored its
 * tail, somebody else has just taken the one place, or publishers evicted the place before it was
 * RESERVED. One that was killed in here keeps nobody out. */
int tbus_place_open(const tbus_ring_t *ring, const char *name, enum tbus_sub_role role,
                    enum tbus_sub_state state, uint32_t owner, uint32_t *out_holder,
                    tbus_error_t *err);

/* True if the place has this name. (It may get another at the next moment.) */
bool tbus_place_is(const tbus_ring_sub_t *place, const char *name);

/* Take a RESERVED place. -TBUS_EEXISTS: it is taken; -TBUS_EEVICTED: publishers no longer waited
 * for it (then the place is freed). */
int tbus_place_take(tbus_ring_sub_t *place, uint32_t owner, uint32_t *out_holder);

/* Make publishers no longer wait for it. False: publishers did not wait for it, or its word has
 * changed since it was `word`. */
bool tbus_place_evict(tbus_ring_sub_t *place, uint64_t word);

/* Free the place if `holder` holds it: that owner, in that tenure. */
void tbus_place_leave(tbus_ring_sub_t *place, uint32_t holder);

/* Free the place if `dead_owner` holds it. True: it did, and this call freed it. */
bool tbus_place_repair(tbus_ring_sub_t *place, uint32_t dead_owner);

#endif
