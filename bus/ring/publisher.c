/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/publisher.h>

#include "bus/ring/area.h"
#include "bus/ring/cpu.h"
#include "bus/ring/end.h"
#include "bus/ring/place.h"
#include "bus/ring/ticket.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* The gate: the position up to which every gating subscriber leaves room. It is the progress of the
 * slowest one plus the ring's length. Consumers do not count here: they free each slot in its word.
 */
static uint64_t gate_end(const tbus_ring_t *ring, uint64_t position)
{
    const tbus_ring_shared_t *s = ring->shared;
    uint64_t slowest = position;
    for (unsigned i = 0; i < TBUS_RING_SUBS_MAX; i++) {
        const tbus_ring_sub_t *sub = &s->subs[i];
        /* G2 pairs G1 (open_gate): else we use the progress of the last holder of this place. */
        uint32_t state = tbus_load_acquire_u32(&sub->state);
        if (state == TBUS_SUB_VACANT || state == TBUS_SUB_EVICTED ||
            tbus_load_relaxed_u32(&sub->role) == TBUS_CONSUMER)
            continue;
        /* G4 pairs G3 (tbus_subscriber_flush): else we overwrite a payload that a subscriber still
         * reads. */
        uint64_t progress = tbus_load_acquire_u64(&sub->progress);
        if ((int64_t)(progress - slowest) < 0)
            slowest = progress;
    }
    return slowest + ring->slot_count;
}

/* The gate, read after the tail was stored or the ticket was loaded. */
static uint64_t look_at_gate(const tbus_publisher_t *p, uint64_t position)
{
    /* G5 pairs G6 (open_gate): our store of the tail comes before our look at the places. A
     * subscriber that this look misses starts at that tail or further on. Else we overwrite
     * messages that it has not read. */
    if (p->fence)
        tbus_fence_full();   /* G5, on a host without membarrier(2) */
    tbus_compiler_barrier(); /* G5 */
    return gate_end(&p->ring, position);
}

/* One publisher: store the end for others to read. Position and sequence belong together; the
 * version is odd while they change. If a predecessor died in between and left it odd, it stays odd
 * until ours are stored. */
static void store_tail(tbus_publisher_t *p)
{
    tbus_ring_shared_t *s = p->ring.shared;
    uint64_t changing = tbus_load_relaxed_u64(&s->tail_version) | 1;
    tbus_store_relaxed_u64(&s->tail_version, changing);
    /* T1 pairs T2 (tbus_ring_end): the odd version comes before either of the two. Else a reader
     * pairs a new position with an old sequence. */
    tbus_fence_release();                         /* T1 */
    tbus_store_release_u64(&s->tail, p->seq);     /* T1 */
    tbus_store_release_u64(&s->tail_seq, p->seq); /* T1 */
    /* T3 pairs T4 (tbus_ring_end): both are stored before the even version. */
    tbus_store_release_u64(&s->tail_version, changing + 1);
}

static void publish_tail(tbus_publisher_t *p)
{
    if (tbus_load_relaxed_u64(&p->ring.shared->tail) != p->seq)
        store_tail(p);
}

int tbus_publisher_join(const tbus_ring_t *ring, uint32_t owner, tbus_publisher_t *out_publisher,
                        tbus_error_t *err)
{
    if (!ring || !ring->shared || !out_publisher)
        return tbus_fail(err, -EINVAL, "publisher: there is no ring, or nowhere to put it");
    if (!ring->writable)
        return tbus_fail(err, -TBUS_EKIND,
                         "topic '" TBUS_NAME_TEXT
                         "' is mapped read-only: only observing is possible",
                         ring->shared->name);
    if (owner == 0 || owner > TBUS_OWNERS_MAX)
        return tbus_fail(err, -EINVAL,
                         "topic '" TBUS_NAME_TEXT "': participant number %u is not in 1..%u",
                         ring->shared->name, owner, TBUS_OWNERS_MAX);
    tbus_publisher_t p = {.ring = *ring,
                          .owner = owner,
                          .fence = !tbus_membarrier_register(),
                          .whole_pairs = tbus_cpu_stores_pairs()};
    if (ring->several_publishers) {
        p.plain_bytes_end = p.one_slot_bytes_end = 0;
        p.room_seq = p.claimed_at = tbus_ring_claimed(ring);
        p.settled[0] = p.settled[1] = p.claimed_at - 3; /* settled long ago */
    } else {
        /* The tail in the header is only flushed now and then, and a predecessor may have been
         * killed between any two stores. So the slots decide where we go on. */
        uint64_t position;
        tbus_ring_find_end(ring, &position, &p.seq);
        p.plain_bytes_end = (uint64_t)ring->slot_msg_bytes_max + 1;
        p.one_slot_bytes_end = (uint64_t)ring->payload_bytes - 8 + 1;
        if (p.one_slot_bytes_end > ring->msg_bytes_max)
            p.one_slot_bytes_end = (uint64_t)ring->msg_bytes_max + 1;
        p.room_seq = p.seq;
        p.gate = p.seq;
        tbus_area_begin(&p);
        store_tail(&p);
    }
    *out_publisher = p;
    return 0;
}

/* Look for room for `slots` more slots. Room is taken in steps of a sixteenth of the ring, and each
 * step is announced before its first slot is written: an observer that reads a slot below `announce
 * - slot_count` knows that it may be overwritten. The places are read only when the known room is
 * used up, because their lines are cheap to write as long as nobody reads them. */
bool tbus_publisher_refresh(tbus_publisher_t *p, uint64_t slots)
{
    tbus_ring_shared_t *s = p->ring.shared;
    uint64_t step = p->ring.slot_count / 16;
    uint64_t position = p->seq;
    uint64_t want = position + (slots > step ? slots : step);
    publish_tail(p);
    if ((int64_t)(p->gate - want) < 0) {
        p->gate = look_at_gate(p, position);
    }
    uint64_t end = (int64_t)(p->gate - want) > 0 ? want : p->gate;
    if ((int64_t)(end - (position + slots)) < 0) {
        p->blocked = true;
        p->passed_wanted = position + slots - p->ring.slot_count;
        return false;
    }
    p->blocked = false;
    p->room_seq = end;
    /* `announce` never goes back: a predecessor may have died while it wrote to these slots. */
    if ((int64_t)(end - tbus_load_relaxed_u64(&s->announce)) > 0)
        tbus_store_relaxed_u64(&s->announce, end);
    /* N1 pairs N2 (tbus_observe): else an observer takes a message for whole that is being
     * overwritten. */
    tbus_fence_stores();
    return true;
}

/* One publisher: have all subscribers got that far? Those that lie before the gate that we know
 * have. */
static bool all_have_passed(tbus_publisher_t *p, uint64_t wanted)
{
    uint64_t slots = p->ring.slot_count;
    if ((int64_t)(p->gate - slots - wanted) < 0) {
        publish_tail(p);
        p->gate = look_at_gate(p, p->seq);
    }
    p->blocked = (int64_t)(p->gate - slots - wanted) < 0;
    p->passed_wanted = wanted;
    return !p->blocked;
}

bool tbus_publisher_room_again(tbus_publisher_t *p)
{
    return all_have_passed(p, p->passed_wanted);
}

/* Where a message of up to `bytes` goes whose slot is ours. */
static void *take_in_hand(tbus_publisher_t *p, tbus_atomic_u64_t *slot, uint64_t position,
                          size_t bytes)
{
    p->hand_bytes_max = (uint32_t)bytes;
    if (bytes <= p->ring.slot_msg_bytes_max) {
        p->hand = TBUS_HAND_WORD;
        return slot + 1;
    }
    if (bytes <= p->ring.payload_bytes - 8) {
        p->hand = TBUS_HAND_SLOT;
        return slot + 2;
    }
    p->hand = TBUS_HAND_AREA;
    return tbus_area_at(&p->ring, position, p->hand_offset);
}

/* The first payload word of the long message in hand. */
static uint64_t long_length(const tbus_publisher_t *p, size_t bytes)
{
    return bytes | (p->hand == TBUS_HAND_AREA ? TBUS_IN_AREA : 0);
}

/* One publisher. */
static void *claim_one(tbus_publisher_t *p, size_t bytes)
{
    if (p->seq == p->room_seq && !tbus_publisher_refresh(p, 1))
        return NULL;
    if (bytes > tbus_in_slot_bytes_max((uint32_t)p->ring.slot_bytes)) {
        uint64_t passed;
        p->hand_offset = tbus_area_next(p, bytes, &passed);
        if (!all_have_passed(p, passed))
            return NULL;
        tbus_area_announce(p, p->hand_offset, bytes);
    }
    return take_in_hand(p, tbus_ring_slot(&p->ring, p->seq), p->seq, bytes);
}

static void commit_one(tbus_publisher_t *p, size_t bytes)
{
    tbus_atomic_u64_t *slot = tbus_ring_slot(&p->ring, p->seq);
    if (p->hand == TBUS_HAND_WORD) {
        /* R1 pairs R2 (tbus_peek), as in tbus_publish_plain. */
        tbus_store_release_u64(slot, tbus_slot_word(p->seq, 0, (uint32_t)bytes, TBUS_SLOT_READY));
    } else {
        if (p->hand == TBUS_HAND_AREA) {
            tbus_store_relaxed_u64(slot + 2, p->hand_offset);
            tbus_area_use(p, p->hand_offset, bytes);
        }
        /* R1 pairs R2 (tbus_peek), as in tbus_publish_plain. */
        tbus_store_release_pair_u64(slot,
                                    tbus_slot_word(p->seq, 0, TBUS_LENGTH_LONG, TBUS_SLOT_READY),
                                    long_length(p, bytes), p->whole_pairs);
    }
    p->seq++;
}

static void store_in_hand(const tbus_publisher_t *p, void *to, const void *message, size_t bytes)
{
    if (p->hand == TBUS_HAND_WORD)
        tbus_words_store(to, message, bytes);
    else
        tbus_long_store(to, message, bytes);
}

static enum tbus_publish publish_long(tbus_publisher_t *p, const void *message, size_t bytes)
{
    assert(bytes <= p->ring.msg_bytes_max);
    void *to = claim_one(p, bytes);
    if (!to)
        return TBUS_FULL;
    store_in_hand(p, to, message, bytes);
    commit_one(p, bytes);
    tbus_publisher_wake(p);
    return TBUS_PUBLISHED;
}

/* Claim the next sequence. From the CAS on a process that dies is known by number. Lock-free: a
 * failed CAS means that another claim succeeded. */
static bool claim(tbus_publisher_t *p)
{
    tbus_ring_t *ring = &p->ring;
    tbus_ring_shared_t *shared = ring->shared;
    /* Each turn that fails is a claim of another process, or somebody writes garbage. */
    for (uint64_t turns = 0; turns < ring->slot_count + TBUS_CAS_TURNS; turns++) {
        /* K2 pairs K1 below: what the ticket has forgotten is settled, and we see it. */
        uint64_t ticket = tbus_load_acquire_u64(&shared->claims);
        uint64_t position = tbus_ticket_position(ticket, tbus_load_relaxed_u64(&shared->tail));
        if ((int64_t)(p->room_seq - position) <= 0) {
            if (p->error)
                return false;
            p->room_seq = look_at_gate(p, position);
            if ((int64_t)(p->room_seq - position) <= 0)
                break;
        }
        tbus_atomic_u64_t *slot = tbus_ring_slot(ring, position);
        /* R4 pairs R3 (give_back): else we overwrite a payload that its consumer still reads. */
        uint64_t word = tbus_load_acquire_u64(slot);
        if (!tbus_claimable(ring, word, position)) {
            if (tbus_slot_ahead(word, position) < 0)
                break; /* it still holds the message of the lap before */
            continue;  /* another process has claimed it */
        }
        if (!tbus_is_settled(p->settled, position - 2))
            tbus_settle_claim(ring, position - 2, tbus_ticket_before(ticket));
        /* K1 pairs K2 (above, tbus_settle_all, tbus_ring_heal): the settled slot comes before the
         * ticket that no longer names its owner. Else nobody finds the claim of a dead owner. */
        if (!tbus_cas_u64(&shared->claims, &ticket,
                          tbus_ticket(position + 1, p->owner, tbus_ticket_last(ticket)))) {
            tbus_ticket_lost(&p->lost_at);
            continue;
        }
        tbus_store_relaxed_u64(&shared->tail, position + 1);
        p->claimed_word = word;
        p->claimed_at = position;
        p->blocked = false;
        /* C1 pairs C2 (tbus_observe): an observer that sees any of our payload sees our claim. Else
         * it takes a message for whole that is being overwritten. */
        tbus_fence_release();
        return true;
    }
    p->blocked = true;
    return false;
}

/* A CAS, not a store: if we were declared dead meanwhile, the slot is a tomb and our message is not
 * published. Then room_seq makes every later claim look at the error first. */
static bool commit_claim(tbus_publisher_t *p, uint32_t length, enum tbus_slot_state state)
{
    uint64_t named = tbus_slot_word(p->claimed_at, p->owner, 0, TBUS_SLOT_CLAIMED);
    p->in_hand = false;
    tbus_note_settled(p->settled, p->claimed_at);
    /* R1 pairs R2 (tbus_peek, take): else a reader sees the word before the payload. */
    if (tbus_slot_finish(tbus_ring_slot(&p->ring, p->claimed_at), p->claimed_word, named,
                         tbus_slot_word(p->claimed_at, 0, length, state)))
        return true;
    p->error = -TBUS_ESTALE;
    p->room_seq = p->claimed_at;
    return false;
}

/* The message in hand, which is written, becomes READY. */
static bool commit_hand(tbus_publisher_t *p, size_t bytes)
{
    uint32_t length = (uint32_t)bytes;
    if (p->hand != TBUS_HAND_WORD) {
        tbus_store_relaxed_u64(tbus_ring_slot(&p->ring, p->claimed_at) + 1, long_length(p, bytes));
        length = TBUS_LENGTH_LONG;
    }
    return commit_claim(p, length, TBUS_SLOT_READY);
}

static enum tbus_publish publish_claimed(tbus_publisher_t *p, const void *message, size_t bytes)
{
    assert(bytes <= p->ring.msg_bytes_max);
    if (!claim(p))
        return p->error ? TBUS_STALE : TBUS_FULL;
    tbus_atomic_u64_t *slot = tbus_ring_slot(&p->ring, p->claimed_at);
    store_in_hand(p, take_in_hand(p, slot, p->claimed_at, bytes), message, bytes);
    if (!commit_hand(p, bytes))
        return TBUS_STALE;
    tbus_publisher_wake(p);
    return TBUS_PUBLISHED;
}

enum tbus_publish tbus_publish_other(tbus_publisher_t *p, const void *message, size_t bytes)
{
    return p->ring.several_publishers ? publish_claimed(p, message, bytes)
                                      : publish_long(p, message, bytes);
}

/* Evict the gating subscriber that is furthest behind, of those that leave no room for the next
 * message. A subscriber that has made room meanwhile, or is ahead of the tail that we saw, is not
 * in the way; nor is any follower when it is a consumer that has not released its slot. */
static bool evict_slowest(tbus_publisher_t *p)
{
    tbus_ring_shared_t *s = p->ring.shared;
    uint64_t slowest_word = 0;
    tbus_ring_sub_t *slowest = NULL;
    uint64_t tail = p->ring.several_publishers ? tbus_ring_claimed(&p->ring) : p->seq;
    uint64_t wanted = p->ring.several_publishers ? tail + 1 - p->ring.slot_count : p->passed_wanted;
    int64_t behind_max = (int64_t)(tail - wanted);
    for (unsigned i = 0; i < TBUS_RING_SUBS_MAX; i++) {
        tbus_ring_sub_t *sub = &s->subs[i];
        uint64_t word = tbus_place_load(sub);
        uint32_t state = (uint32_t)word;
        /* hint: it only chooses; we write no slot before look_at_gate has loaded it again. */
        int64_t behind = (int64_t)(tail - tbus_load_relaxed_u64(&sub->progress));
        if ((state != TBUS_SUB_ACTIVE && state != TBUS_SUB_RESERVED) ||
            tbus_load_relaxed_u32(&sub->role) == TBUS_CONSUMER || behind <= behind_max)
            continue;
        behind_max = behind;
        slowest_word = word;
        slowest = sub;
    }
    if (!slowest || !tbus_place_evict(slowest, slowest_word))
        return false;
    /* E1 pairs E2 (peek_copy): a subscriber that sees any newer payload sees that it is evicted.
     * Else it takes a message for whole that is being overwritten. */
    tbus_fence_release();
    tbus_fetch_add_relaxed_u64(&s->evicted, 1);
    return true;
}

enum tbus_publish tbus_publish(tbus_publisher_t *p, const void *message, size_t bytes)
{
    /* There may be room between our look at the ring and that at the places: look twice. */
    bool again = true;
    for (unsigned turns = 0; turns <= 2 * TBUS_RING_SUBS_MAX; turns++) {
        enum tbus_publish told = tbus_publish_try(p, message, bytes);
        if (told != TBUS_FULL)
            return told;
        if (p->ring.policy == TBUS_DROP_NEWEST) {
            tbus_fetch_add_relaxed_u64(&p->ring.shared->dropped, 1);
            p->blocked = false; /* the waiter need not sleep for room */
            p->dropped = true;  /* but whoever leaves none may be dead */
            return TBUS_DROPPED;
        }
        if (p->ring.policy != TBUS_EVICT_SLOWEST)
            break;
        bool evicted = evict_slowest(p);
        if (!evicted && !again)
            break;
        again = evicted;
    }
    return TBUS_FULL;
}

void *tbus_claim_bytes_try(tbus_publisher_t *p, size_t bytes)
{
    assert(!p->in_hand && !p->batch_count && bytes <= p->ring.msg_bytes_max);
    if (!p->ring.several_publishers) {
        void *to = claim_one(p, bytes);
        p->in_hand = to != NULL;
        return to;
    }
    p->in_hand = claim(p);
    return p->in_hand
               ? take_in_hand(p, tbus_ring_slot(&p->ring, p->claimed_at), p->claimed_at, bytes)
               : NULL;
}

void *tbus_claim_try(tbus_publisher_t *p)
{
    return tbus_claim_bytes_try(p, p->ring.slot_msg_bytes_max);
}

void tbus_commit(tbus_publisher_t *p, size_t bytes)
{
    assert(p->in_hand && bytes <= p->hand_bytes_max);
    p->in_hand = false;
    if (p->ring.several_publishers)
        commit_hand(p, bytes);
    else
        commit_one(p, bytes);
    tbus_publisher_wake(p);
}

static void bury_claim(tbus_publisher_t *p)
{
    if (commit_claim(p, TBUS_LENGTH_TOMB, TBUS_SLOT_TOMB))
        tbus_fetch_add_relaxed_u64(&p->ring.shared->tombs, 1);
}

void tbus_abort(tbus_publisher_t *p)
{
    assert(p->in_hand);
    p->in_hand = false;
    if (!p->ring.several_publishers)
        return;
    bury_claim(p);
    tbus_publisher_wake(p);
}

uint32_t tbus_claim_batch(tbus_publisher_t *p, uint32_t want, void **out_places)
{
    uint32_t count = 0;
    assert(!p->batch_count && !p->in_hand);
    if (want > TBUS_BATCH_MAX)
        want = TBUS_BATCH_MAX;
    /* A successor looks for the end within half a ring of the tail (tbus_ring_find_end). */
    if (!p->ring.several_publishers && want > p->ring.slot_count / 2)
        want = p->ring.slot_count / 2;
    for (; count < want; count++) {
        if (p->ring.several_publishers) {
            if (!claim(p)) {
                p->blocked = count == 0;
                break;
            }
            p->batch_at[count] = p->claimed_at;
            /* The ticket names two claims at most, so a batch settles its own. */
            tbus_settle_claim(&p->ring, p->claimed_at, p->owner);
            tbus_note_settled(p->settled, p->claimed_at);
        } else {
            if (p->seq + count == p->room_seq && !tbus_publisher_refresh(p, count + 1)) {
                p->blocked = count == 0;
                break;
            }
            p->batch_at[count] = p->seq + count;
        }
        tbus_atomic_u64_t *slot = tbus_ring_slot(&p->ring, p->batch_at[count]);
        tbus_prefetch_for_write(slot);
        out_places[count] = slot + 1;
    }
    p->batch_count = count;
    return count;
}

/* Make the i-th claim of the batch the one that commit_claim finishes. */
static void select_claim(tbus_publisher_t *p, uint32_t i)
{
    p->claimed_at = p->batch_at[i];
    p->claimed_word = tbus_slot_word(p->claimed_at, p->owner, 0, TBUS_SLOT_CLAIMED);
}

void tbus_commit_batch(tbus_publisher_t *p, const uint32_t *bytes)
{
    for (uint32_t i = 0; i < p->batch_count; i++) {
        assert(bytes[i] <= p->ring.slot_msg_bytes_max);
        if (p->ring.several_publishers) {
            select_claim(p, i);
            commit_claim(p, bytes[i], TBUS_SLOT_READY);
        } else {
            /* R1 pairs R2 (tbus_peek), as in tbus_publish_try. */
            tbus_store_release_u64(tbus_ring_slot(&p->ring, p->seq),
                                   tbus_slot_word(p->seq, 0, bytes[i], TBUS_SLOT_READY));
            p->seq++;
        }
    }
    p->batch_count = 0;
    tbus_publisher_wake(p);
}

void tbus_publisher_flush(tbus_publisher_t *p)
{
    if (!p->ring.several_publishers)
        publish_tail(p);
}

void tbus_publisher_leave(tbus_publisher_t *p)
{
    if (!p || !p->ring.shared)
        return;
    if (p->in_hand)
        tbus_abort(p);
    if (p->ring.several_publishers && p->batch_count) {
        for (uint32_t i = 0; i < p->batch_count; i++) {
            select_claim(p, i);
            bury_claim(p);
        }
        tbus_publisher_wake(p);
    }
    tbus_publisher_flush(p);
    *p = (tbus_publisher_t){0};
}
