/* SPDX-License-Identifier: Apache-2.0 */
/* The gate needs a multi-copy-atomic machine, as x86-64 and Armv8 are: a store that one other CPU
 * has seen is visible to all. A publisher stores its tail and looks at the places; we store a place
 * and look at the tail (G5, G6). At least one of the two must see the other's store. With several
 * publishers there is a third process: A moves the ticket, B loads it and looks at the places, and
 * we look at the ticket. If B has seen A's store, so must we, and B executes no fence in between.
 * membarrier(2) orders what B does; that it also carries A's store on to us, Linux does not
 * promise. On POWER, where a store may reach one CPU before another, we would start at an old
 * ticket while B writes over what we are to read. tests/model/litmus has these programs (gate-*).
 */
#include "bus/ring/place.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY    0u
#define RESERVING 256u /* owner of a place that is being reserved; no participant has it */

TBUS_STATIC_ASSERT(offsetof(tbus_ring_sub_t, state) % 8 == 0);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_sub_t, owner) == offsetof(tbus_ring_sub_t, state) + 4);
TBUS_STATIC_ASSERT(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

/* A vacant place, which belongs to `owner` from now on, in a tenure of its own; NULL: there is
 * none. *out_word: its word. */
static tbus_ring_sub_t *take_vacant(const tbus_ring_t *ring, uint32_t owner, uint64_t *out_word)
{
    for (unsigned i = 0; i < TBUS_RING_SUBS_MAX; i++) {
        tbus_ring_sub_t *place = &ring->shared->subs[i];
        uint64_t word = tbus_place_load(place);
        if (tbus_place_state(word) != TBUS_SUB_VACANT || tbus_place_owner(word) != NOBODY)
            continue;
        uint64_t next_tenure = word + (UINT64_C(1) << (32 + TBUS_PLACE_TENURE_SHIFT));
        *out_word = tbus_place_become(next_tenure, TBUS_SUB_VACANT, owner);
        if (tbus_place_cas(place, word, *out_word))
            return place;
    }
    return NULL;
}

bool tbus_place_is(const tbus_ring_sub_t *place, const char *name)
{
    char held[TBUS_NAME_MAX];
    tbus_words_load(held, place->name, sizeof held);
    return !strncmp(held, name, sizeof held);
}

static bool is_taken(const tbus_ring_t *ring, const char *name)
{
    for (unsigned i = 0; i < TBUS_RING_SUBS_MAX; i++)
        if (tbus_place_state(tbus_place_load(&ring->shared->subs[i])) != TBUS_SUB_VACANT &&
            tbus_place_is(&ring->shared->subs[i], name))
            return true;
    return false;
}

/* Another subscriber, on a ring that may have only one; NULL: there is none. Of two that join at
 * the same time both may find the other. */
static tbus_ring_sub_t *find_other_subscriber(const tbus_ring_t *ring, const tbus_ring_sub_t *mine,
                                              uint64_t *out_word)
{
    for (unsigned i = 0; i < TBUS_RING_SUBS_MAX; i++) {
        tbus_ring_sub_t *place = &ring->shared->subs[i];
        uint64_t word = tbus_place_load(place);
        uint32_t state = tbus_place_state(word);
        bool gone = state == TBUS_SUB_EVICTED ||
                    (state == TBUS_SUB_VACANT &&
                     (tbus_place_owner(word) == NOBODY || (word >> 32 & TBUS_PLACE_DISPLACED)));
        if (place != mine && !gone && tbus_load_relaxed_u32(&place->role) == TBUS_SUBSCRIBER) {
            *out_word = word;
            return place;
        }
    }
    return NULL;
}

/* On a ring that may have only one subscriber: whoever has not got so far that publishers wait for
 * it can no longer become it. It may have been killed there, and nobody here knows who lives. Its
 * place stays its own, since it may still write to it if it lives. Of two that do this to each
 * other both have to try again. Returns the one that publishers wait for, or that does not stop
 * changing; NULL: there is none. */
static tbus_ring_sub_t *displace_others(const tbus_ring_t *ring, const tbus_ring_sub_t *mine,
                                        uint64_t *out_word)
{
    tbus_ring_sub_t *other = NULL;
    for (unsigned turns = 0; turns < TBUS_CAS_TURNS; turns++) {
        other = find_other_subscriber(ring, mine, out_word);
        if (!other || tbus_place_state(*out_word) != TBUS_SUB_VACANT)
            return other;
        tbus_place_cas(other, *out_word, *out_word | (uint64_t)TBUS_PLACE_DISPLACED << 32);
    }
    return other;
}

/* The end of the ring. False: its publisher does not get on with storing it. */
static bool find_end(const tbus_ring_t *ring, uint64_t *out_position, uint64_t *out_seq)
{
    for (unsigned turns = 0; turns < 100; turns++) {
        if (tbus_ring_end(ring, out_position, out_seq))
            return true;
        sched_yield();
    }
    return false;
}

static void set_start(const tbus_ring_t *ring, tbus_ring_sub_t *place, uint64_t position,
                      uint64_t seq)
{
    tbus_store_relaxed_u64(&place->progress, position);
    tbus_store_relaxed_u64(&place->first_seq, seq);
    /* A consumer counts what it took itself. For others everything before them counts as taken. */
    tbus_store_relaxed_u64(&place->consumed, tbus_load_relaxed_u32(&place->role) == TBUS_CONSUMER
                                                 ? 0
                                                 : seq - ring->first_seq);
    tbus_store_relaxed_u64(&place->tombs, 0);
}

/* Make publishers wait for the place, and set where it starts. A publisher takes room in steps and
 * does not look at the gate in between, and it may be about to store a new tail. So the end is read
 * again once every publisher is sure to see us at its next look. Without having seen us a publisher
 * writes at most one ring's length beyond the tail that it stored before its last look, and we
 * start at that tail or further on. `word` of the place becomes `opened`; *out_displaced: it was
 * changed by another subscriber that needs the one place. */
static bool open_gate(const tbus_ring_t *ring, tbus_ring_sub_t *place, uint64_t word,
                      uint64_t opened, bool *out_displaced)
{
    uint64_t position, seq;
    *out_displaced = false;
    if (!find_end(ring, &position, &seq))
        return false;
    set_start(ring, place, position, seq);
    /* G1 pairs G2 (gate_end): else a publisher takes the progress of the last holder for ours. */
    if (!tbus_place_cas(place, word, opened)) {
        *out_displaced = true;
        return false;
    }
    /* G6 pairs G5 (look_at_gate): our store of the place comes before our look at the tail. Either
     * the publisher sees our place at its look, or we see the tail that it stored before. Else it
     * overwrites messages that we have not read. */
    tbus_fence_full();
    syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0); /* G6 */
    if (!find_end(ring, &position, &seq))
        return false;
    set_start(ring, place, position, seq);
    return true;
}

int tbus_place_open(const tbus_ring_t *ring, const char *name, enum tbus_sub_role role,
                    enum tbus_sub_state state, uint32_t owner, uint32_t *out_holder,
                    tbus_error_t *err)
{
    const char *topic = ring->shared->name;
    if (role < TBUS_SUBSCRIBER || role > TBUS_FOLLOWER)
        return tbus_fail(err, -EINVAL, "topic '" TBUS_NAME_TEXT "': no subscriber has the role %d",
                         topic, (int)role);
    if (role == TBUS_CONSUMER && !ring->competing)
        return tbus_fail(err, -TBUS_EKIND,
                         "topic '" TBUS_NAME_TEXT "' is %s: nobody competes for its messages",
                         topic, tbus_ring_kind_name(ring->kind));
    if (!tbus_name_fits(name))
        return tbus_fail(err, -TBUS_EGEOMETRY,
                         "topic '" TBUS_NAME_TEXT
                         "': subscriber name '%.40s' is empty or longer than %u",
                         topic, name ? name : "", TBUS_NAME_MAX - 1);
    if (is_taken(ring, name))
        return tbus_fail(err, -TBUS_EEXISTS,
                         "topic '" TBUS_NAME_TEXT "' has a subscriber '%s' already", topic, name);
    uint64_t word;
    tbus_ring_sub_t *place = take_vacant(ring, owner ? owner : RESERVING, &word);
    if (!place)
        return tbus_fail(err, -TBUS_EFULL, "topic '" TBUS_NAME_TEXT "' has %u subscribers already",
                         topic, TBUS_RING_SUBS_MAX);
    char padded[TBUS_NAME_MAX] = {0};
    memcpy(padded, name, strlen(name));
    tbus_words_store(place->name, padded, sizeof padded);
    tbus_store_relaxed_u32(&place->role, role);
    /* G7 pairs itself, in the other process: of two that join at the same time at least one sees
     * the other. Else both become the one subscriber. */
    tbus_fence_full();
    uint32_t holder = tbus_place_holder(word);
    const tbus_ring_sub_t *other = NULL;
    uint64_t other_word = 0;
    bool displaced = false;
    if (role == TBUS_SUBSCRIBER && (ring->kind == TBUS_SPSC || ring->kind == TBUS_MPSC))
        other = displace_others(ring, place, &other_word);
    if (other && tbus_place_state(other_word) != TBUS_SUB_VACANT) {
        tbus_place_leave(place, holder);
        return tbus_fail(err, -TBUS_EKIND,
                         "topic '" TBUS_NAME_TEXT
                         "' is %s and has its one subscriber, '" TBUS_NAME_TEXT
                         "': '%s' can follow it only",
                         topic, tbus_ring_kind_name(ring->kind), other->name, name);
    }
    uint64_t opened = tbus_place_become(word, state, tbus_place_owner(word));
    bool open = !other && open_gate(ring, place, word, opened, &displaced);
    if (other || displaced) {
        tbus_place_leave(place, holder);
        return tbus_fail(
            err, -EAGAIN,
            "topic '" TBUS_NAME_TEXT "': somebody else is just taking a place; try again", topic);
    }
    if (!open) {
        tbus_place_leave(place, holder);
        return tbus_fail(
            err, -EAGAIN,
            "topic '" TBUS_NAME_TEXT
            "': its publisher died or was stopped in the middle of saying how far it is; "
            "try again when it goes on or has a successor",
            topic);
    }
    /* From now on a subscriber of that name may take it. Publishers have seen the place since the
     * gate was opened, and may have evicted it. */
    if (!owner && !tbus_place_cas(place, opened, tbus_place_become(opened, state, NOBODY))) {
        tbus_place_leave(place, holder);
        return tbus_fail(err, -EAGAIN,
                         "topic '" TBUS_NAME_TEXT
                         "': publishers evicted '%s' while its place was being reserved; try again",
                         topic, name);
    }
    if (out_holder)
        *out_holder = holder;
    return (int)(place - ring->shared->subs);
}

int tbus_ring_reserve(tbus_ring_t *ring, const char *name, enum tbus_sub_role role,
                      tbus_error_t *err)
{
    if (!ring || !ring->shared || !ring->writable || !name)
        return tbus_fail(err, -EINVAL,
                         "place of '%.40s': no name, or no ring that could be written",
                         name ? name : "");
    return tbus_place_open(ring, name, role, TBUS_SUB_RESERVED, NOBODY, NULL, err);
}

uint32_t tbus_ring_sub_owner(const tbus_ring_t *ring, uint32_t index)
{
    if (!ring || !ring->shared || index >= TBUS_RING_SUBS_MAX)
        return 0;
    uint64_t word = tbus_place_load(&ring->shared->subs[index]);
    return tbus_place_state(word) == TBUS_SUB_ACTIVE ? tbus_place_owner(word) : 0;
}

int tbus_place_take(tbus_ring_sub_t *place, uint32_t owner, uint32_t *out_holder)
{
    uint64_t word = tbus_place_load(place);
    uint64_t taken = tbus_place_become(word, TBUS_SUB_ACTIVE, owner);
    if (tbus_place_owner(word) == NOBODY && tbus_place_state(word) == TBUS_SUB_RESERVED &&
        tbus_place_cas(place, word, taken)) {
        *out_holder = tbus_place_holder(taken);
        return 0;
    }
    word = tbus_place_load(place);
    bool evicted = tbus_place_owner(word) == NOBODY && tbus_place_state(word) == TBUS_SUB_EVICTED &&
                   tbus_place_cas(place, word, tbus_place_become(word, TBUS_SUB_VACANT, NOBODY));
    return evicted ? -TBUS_EEVICTED : -TBUS_EEXISTS;
}

bool tbus_place_evict(tbus_ring_sub_t *place, uint64_t word)
{
    uint32_t state = tbus_place_state(word);
    uint64_t evicted = tbus_place_become(word, TBUS_SUB_EVICTED, tbus_place_owner(word));
    return (state == TBUS_SUB_ACTIVE || state == TBUS_SUB_RESERVED) &&
           tbus_place_cas(place, word, evicted);
}

void tbus_place_leave(tbus_ring_sub_t *place, uint32_t holder)
{
    uint64_t word = tbus_place_load(place);
    /* Others change the word of our place to evict or to displace us, which one may do at this
     * moment. */
    for (unsigned turns = 0; turns < TBUS_CAS_TURNS && tbus_place_holder(word) == holder; turns++) {
        if (tbus_place_cas(place, word, tbus_place_become(word, TBUS_SUB_VACANT, NOBODY)))
            return;
        word = tbus_place_load(place);
    }
}

bool tbus_place_repair(tbus_ring_sub_t *place, uint32_t dead_owner)
{
    uint64_t word = tbus_place_load(place);
    for (unsigned turns = 0; turns < TBUS_CAS_TURNS && tbus_place_owner(word) == dead_owner;
         turns++) {
        uint32_t state =
            tbus_place_state(word) == TBUS_SUB_RESERVED ? TBUS_SUB_RESERVED : TBUS_SUB_VACANT;
        if (tbus_place_cas(place, word, tbus_place_become(word, state, NOBODY)))
            return true;
        word = tbus_place_load(place);
    }
    return false;
}
