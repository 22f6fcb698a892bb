/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/subscriber.h>

#include "bus/ring/again.h"
#include "bus/ring/area.h"
#include "bus/ring/place.h"
#include "bus/ring/ticket.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int find_place(const tbus_ring_t *ring, const char *name)
{
    for (int i = 0; i < (int)TBUS_RING_SUBS_MAX; i++)
        if (tbus_place_state(tbus_place_load(&ring->shared->subs[i])) != TBUS_SUB_VACANT &&
            tbus_place_is(&ring->shared->subs[i], name))
            return i;
    return -1;
}

/* The buffer of a handle that cannot read messages in place; NULL for one that can. */
static int make_scratch(const tbus_ring_t *ring, enum tbus_sub_role role,
                        unsigned char **out_scratch, tbus_error_t *err)
{
    bool evictable = ring->policy == TBUS_EVICT_SLOWEST && role != TBUS_CONSUMER;
    *out_scratch = NULL;
    if (!evictable)
        return 0;
    *out_scratch =
        (unsigned char *)aligned_alloc(64, ((size_t)ring->msg_bytes_max + 63) & ~(size_t)63);
    return *out_scratch
               ? 0
               : tbus_fail(err, -ENOMEM,
                           "topic '" TBUS_NAME_TEXT "': no memory for messages of %u bytes",
                           ring->shared->name, ring->msg_bytes_max);
}

/* Clear our place's bit in `fences_wanted`, which we or a dead holder of the place have set. */
static void clear_fence_bit(const tbus_ring_t *ring, uint32_t index)
{
    tbus_atomic_u32_t *wanted = &ring->shared->fences_wanted;
    uint32_t mine = UINT32_C(1) << index;
    /* hint: a publisher that sees it too long executes some fences more. We do not sleep before we
     * have set it again, and called membarrier(2). */
    if (tbus_load_relaxed_u32(wanted) & mine)
        tbus_fetch_and_u32(wanted, ~mine);
}

/* `role`: the one that the buffer was made for. A peer that writes garbage may have changed the
 * role in the place since. */
static void make_handle(const tbus_ring_t *ring, int place, enum tbus_sub_role role, uint32_t owner,
                        uint32_t holder, unsigned char *scratch, tbus_subscriber_t *out_subscriber)
{
    const tbus_ring_sub_t *sub = &ring->shared->subs[place];
    uint64_t position = tbus_load_relaxed_u64(&sub->progress);
    uint64_t seq = tbus_load_relaxed_u64(&sub->first_seq);
    uint64_t interval = ring->slot_count / 16;
    bool competing = role == TBUS_CONSUMER;
    bool evictable = ring->policy == TBUS_EVICT_SLOWEST && !competing;
    uint64_t long_settled = competing ? tbus_ring_taken(ring) - 3 : 0;
    clear_fence_bit(ring, (uint32_t)place);
    *out_subscriber = (tbus_subscriber_t){
        .ring = *ring,
        .seq = seq,
        .flush_at = seq + interval,
        .weight = competing ? 0 : 1,
        .plain = !competing && !evictable,
        .competing = competing,
        .evictable = evictable,
        .fence = !tbus_membarrier_register(),
        .published = position,
        .interval = interval,
        .settled = {long_settled, long_settled},
        /* messages may be waiting to be taken again: look at the first peek */
        .again_seen = tbus_load_relaxed_u64(&ring->shared->again) - 1,
        .returned = long_settled - ring->slot_count,
        .uncounted = seq - tbus_load_relaxed_u64(&sub->consumed),
        .index = (uint32_t)place,
        .owner = owner,
        .holder = holder,
        .scratch = scratch,
    };
}

/* What every join looks at first. */
static int check_joiner(const tbus_ring_t *ring, const char *name, uint32_t owner, const void *out,
                        tbus_error_t *err)
{
    if (!ring || !ring->shared || !name || !out)
        return tbus_fail(err, -EINVAL,
                         "subscriber '%.40s': there is no ring, no name, or nowhere to put it",
                         name ? name : "");
    if (!ring->writable)
        return tbus_fail(err, -TBUS_EKIND,
                         "topic '" TBUS_NAME_TEXT
                         "' is mapped read-only: only observing is possible",
                         ring->shared->name);
    if (owner == 0 || owner > TBUS_OWNERS_MAX)
        return tbus_fail(err, -EINVAL,
                         "topic '" TBUS_NAME_TEXT "': participant number %u is not in 1..%u",
                         ring->shared->name, owner, TBUS_OWNERS_MAX);
    return 0;
}

int tbus_subscriber_join(const tbus_ring_t *ring, const char *name, uint32_t owner,
                         tbus_subscriber_t *out_subscriber, tbus_error_t *err)
{
    int code = check_joiner(ring, name, owner, out_subscriber, err);
    if (code < 0)
        return code;
    const char *topic = ring->shared->name;
    int place = find_place(ring, name);
    if (place < 0)
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "topic '" TBUS_NAME_TEXT "' has no place reserved for subscriber '%s'",
                         topic, name);
    tbus_ring_sub_t *sub = &ring->shared->subs[place];
    unsigned char *scratch;
    enum tbus_sub_role role = tbus_load_relaxed_u32(&sub->role) == TBUS_CONSUMER
                                  ? TBUS_CONSUMER
                                  : TBUS_SUBSCRIBER; /* or a follower: no difference here */
    code = make_scratch(ring, role, &scratch, err);
    if (code < 0)
        return code;
    uint32_t holder = 0;
    code = tbus_place_take(sub, owner, &holder);
    if (code < 0) {
        free(scratch);
        return tbus_fail(err, code,
                         code == -TBUS_EEVICTED
                             ? "topic '" TBUS_NAME_TEXT
                               "': subscriber '%s' was too slow to come and lost its place"
                             : "topic '" TBUS_NAME_TEXT "': the place of subscriber '%s' is taken",
                         topic, name);
    }
    make_handle(ring, place, role, owner, holder, scratch, out_subscriber);
    return 0;
}

int tbus_subscriber_join_late(const tbus_ring_t *ring, const char *name, enum tbus_sub_role role,
                              uint32_t owner, tbus_subscriber_t *out_subscriber, tbus_error_t *err)
{
    int code = check_joiner(ring, name, owner, out_subscriber, err);
    if (code < 0)
        return code;
    unsigned char *scratch;
    code = make_scratch(ring, role, &scratch, err);
    if (code < 0)
        return code;
    uint32_t holder = 0;
    int place = tbus_place_open(ring, name, role, TBUS_SUB_ACTIVE, owner, &holder, err);
    if (place < 0) {
        free(scratch);
        return place;
    }
    make_handle(ring, place, role, owner, holder, scratch, out_subscriber);
    return 0;
}

static void wake_publishers(tbus_subscriber_t *s)
{
    /* W3 pairs W4 (tbus_waiter_park): our store of the progress, or of the free slot, comes before
     * our look at `pubs_waiting`. Without it a publisher sleeps on although there is room. As W1,
     * with the roles exchanged. */
    if (TBUS_UNLIKELY(s->fence))
        tbus_fence_full();   /* W3, on a host without membarrier(2) */
    tbus_compiler_barrier(); /* W3 */
    if (TBUS_UNLIKELY(tbus_load_relaxed_u32(&s->ring.shared->pubs_waiting)))
        tbus_ring_wake_publishers(s->ring.shared);
}

/* If we were declared dead, our place was freed and may belong to another subscriber. */
static bool is_ours(tbus_subscriber_t *s)
{
    if (TBUS_LIKELY(tbus_load_relaxed_u32(&s->ring.shared->subs[s->index].owner) == s->holder))
        return true;
    if (!s->error)
        s->error = -TBUS_ESTALE;
    s->plain = false; /* from now on tbus_peek calls tbus_peek_other, which sees the error */
    return false;
}

/* tbus_advance without a message from tbus_peek: the slot before our position does not hold the
 * message that we say we are done with, nor a newer one that was written because we were
 * evicted. */
static bool went_too_far(tbus_subscriber_t *s)
{
    uint64_t word = tbus_load_relaxed_u64(tbus_ring_slot(&s->ring, s->seq - 1));
    int64_t ahead = tbus_slot_ahead(word, s->seq - 1);
    enum tbus_slot_state state = tbus_slot_state(word);
    if (ahead > 0 || (ahead == 0 && state != TBUS_SLOT_FREE && state != TBUS_SLOT_CLAIMED))
        return false;
    if (!s->error)
        s->error = -EINVAL;
    s->plain = false; /* from now on tbus_peek calls tbus_peek_other, which sees the error */
    return true;
}

void tbus_subscriber_flush(tbus_subscriber_t *s)
{
    tbus_ring_sub_t *sub = &s->ring.shared->subs[s->index];
    if (TBUS_UNLIKELY(!is_ours(s)))
        return;
    if (TBUS_UNLIKELY(!s->competing && s->published != s->seq && went_too_far(s)))
        return;
    uint64_t consumed = tbus_subscriber_consumed(s);
    if (tbus_load_relaxed_u64(&sub->consumed) != consumed)
        tbus_store_relaxed_u64(&sub->consumed, consumed);
    s->flush_at = s->seq + s->interval;
    if (s->published == s->seq || s->competing)
        return;
    s->published = s->seq;
    /* G3 pairs G4 (gate_end): our reads of the payload end before the publisher sees the progress.
     * Else it overwrites what we still read. */
    tbus_store_release_u64(&sub->progress, s->seq);
    wake_publishers(s);
}

void tbus_subscriber_catch_up(tbus_subscriber_t *s, const tbus_subscriber_t *other)
{
    assert(s->ring.shared == other->ring.shared && !s->ring.several_publishers);
    if (s->seq == other->seq || !s->plain || !other->plain)
        return;
    s->seq = other->seq;
    if (s->heavy != other->heavy) { /* among them was one in the area */
        s->heavy = other->heavy;
        s->flush_at = s->seq;
    }
    s->weight = 1;
    if ((int64_t)(s->seq - s->flush_at) >= 0)
        tbus_subscriber_flush(s);
}

static const void *corrupt(tbus_subscriber_t *s)
{
    if (is_ours(s)) /* else publishers did not wait for us, and the ring may be right */
        s->error = -TBUS_ECORRUPT;
    s->plain = false;
    return NULL;
}

static void skip_tomb(tbus_subscriber_t *s)
{
    tbus_add_own_u64(&s->ring.shared->subs[s->index].tombs, 1);
    s->seq++;
    s->uncounted++;
}

/* The caller has loaded the word with acquire (R2), and publishers wait for us. */
static const void *peek_message(tbus_subscriber_t *s, uint64_t word, size_t *out_bytes)
{
    const tbus_ring_t *ring = &s->ring;
    uint64_t offset;
    const void *message = tbus_message(ring, s->seq, word, out_bytes, &offset);
    if (!message)
        return corrupt(s);
    s->weight = 1;
    /* Progress is due when a sixteenth of the slots is behind us, or of the area. */
    if (offset != TBUS_NO_OFFSET)
        s->weight += tbus_area_span(*out_bytes) * ring->slot_count / ring->area_bytes;
    return message;
}

const void *tbus_peek_slow(tbus_subscriber_t *s, uint64_t word, size_t *out_bytes)
{
    /* At most one turn per slot of the ring: tombs are skipped, anything else returns. */
    for (uint32_t turns = 0; turns <= s->ring.slot_count; turns++) {
        int64_t ahead = tbus_slot_ahead(word, s->seq);
        enum tbus_slot_state state = tbus_slot_state(word);
        if (s->error)
            return NULL;
        if (s->ring.competing && ahead == (int64_t)s->ring.slot_count && state == TBUS_SLOT_FREE) {
            /* A follower may be behind the consumers: the slot is free again, but nobody claims it
             * before our progress has passed it. */
            if (tbus_slot_length(word) != TBUS_LENGTH_TOMB)
                return peek_message(s, word, out_bytes);
            skip_tomb(s);
        } else if (ahead > 0) {
            return corrupt(s); /* publishers wait for us: no newer message can be here */
        } else if (ahead < 0 || state == TBUS_SLOT_FREE || state == TBUS_SLOT_CLAIMED) {
            return NULL;
        } else if (state == TBUS_SLOT_READY ||
                   (s->ring.competing && (state == TBUS_SLOT_TAKEN || state == TBUS_SLOT_AGAIN))) {
            return peek_message(s, word, out_bytes);
        } else if (state == TBUS_SLOT_TOMB) {
            skip_tomb(s);
        } else {
            return corrupt(s);
        }
        /* R2 pairs R1 (tbus_publish_plain), as in tbus_peek. */
        word = tbus_load_acquire_u64(tbus_ring_slot(&s->ring, s->seq));
    }
    return corrupt(s);
}

static bool evicted(const tbus_subscriber_t *s)
{
    /* hint: where it matters, the caller's fence (E2) stands before this load. */
    return tbus_load_relaxed_u32(&s->ring.shared->subs[s->index].state) != TBUS_SUB_ACTIVE;
}

/* Publishers may stop waiting for us at any moment. A copy is whole if we still hold our place
 * after it. */
static const void *peek_copy(tbus_subscriber_t *s, size_t *out_bytes)
{
    const void *message = NULL;
    if (!s->error && !evicted(s)) {
        /* R2 pairs R1 (tbus_publish_plain), as in tbus_peek. */
        uint64_t word = tbus_load_acquire_u64(tbus_ring_slot(&s->ring, s->seq));
        message = tbus_peek_slow(s, word, out_bytes);
        if (message)
            tbus_message_load(&s->ring, s->scratch, message, *out_bytes);
    }
    /* E2 pairs E1 (evict_slowest): if any word of the copy is newer, we see here that we are
     * evicted.
     */
    tbus_fence_acquire();
    if (evicted(s)) {
        s->error = -TBUS_EEVICTED;
        return NULL;
    }
    return message ? s->scratch : NULL;
}

/* Move the ticket of takes on by one. `owner`: us, or nobody (0) when a tomb is skipped. */
static bool move_takes(tbus_subscriber_t *s, uint64_t ticket, uint64_t position, uint32_t owner)
{
    tbus_ring_shared_t *shared = s->ring.shared;
    if (!tbus_is_settled(s->settled, position - 2))
        tbus_settle_take(&s->ring, position - 2, tbus_ticket_before(ticket));
    /* K3 pairs K4 (take, tbus_settle_all, tbus_ring_heal): the settled slot comes before the ticket
     * that no longer names its owner. Else nobody finds the message that a dead consumer had taken.
     */
    if (!tbus_cas_u64(&shared->takes, &ticket,
                      tbus_ticket(position + 1, owner, tbus_ticket_last(ticket)))) {
        tbus_ticket_lost(&s->lost_at);
        return false;
    }
    tbus_store_relaxed_u64(&shared->head, position + 1);
    return true;
}

/* The message that is ours until we release it. Only now may what the slot says of it be read:
 * before, another consumer may have taken and released it. */
TBUS_HOT const void *held_message(tbus_subscriber_t *s, size_t *out_bytes)
{
    uint64_t offset;
    const void *message = tbus_message(&s->ring, s->seq, s->taken_word, out_bytes, &offset);
    return TBUS_LIKELY(message != NULL) ? message : corrupt(s);
}

/* The same of one that was just taken. */
TBUS_HOT const void *hold(tbus_subscriber_t *s, uint64_t position, uint64_t word, size_t *out_bytes)
{
    s->taken_word = word;
    s->uncounted += position - s->seq;
    s->seq = position;
    return held_message(s, out_bytes);
}

/* Messages wait to be taken again: take the oldest that no other consumer is faster to take; NULL:
 * there is none. Their positions are before `takes`, so each is taken by a CAS in its slot, which
 * names us at once. The caller comes back here until a look finds none. */
static __attribute__((noinline)) const void *take_again(tbus_subscriber_t *s, size_t *out_bytes)
{
    tbus_ring_t *ring = &s->ring;
    /* L2 pairs L1 (tbus_call_again): if we see that it has grown, we see the message's slot. */
    uint64_t again = tbus_load_acquire_u64(&ring->shared->again);
    /* Publishers cannot pass such a slot, so it is at most one lap back. */
    uint64_t end = tbus_ring_taken(ring);
    for (uint64_t position = end - ring->slot_count; position != end; position++) {
        tbus_atomic_u64_t *slot = tbus_ring_slot(ring, position);
        /* R2 pairs R1 (commit_claim): every change of the word since then was a CAS, which passes
         * the release on. */
        uint64_t word = tbus_load_acquire_u64(slot);
        if (tbus_slot_state(word) != TBUS_SLOT_AGAIN || tbus_slot_ahead(word, position) != 0)
            continue;
        uint64_t mine = tbus_slot_word(position, s->owner, tbus_slot_length(word), TBUS_SLOT_TAKEN);
        /* hint: it only decides who takes the message. */
        if (tbus_cas_u64(slot, &word, mine))
            return hold(s, position, mine, out_bytes);
    }
    s->again_seen = again;
    return NULL;
}

/* Take the next message that is there. It is ours until we release it. */
static const void *take(tbus_subscriber_t *s, size_t *out_bytes)
{
    tbus_ring_t *ring = &s->ring;
    if (s->taken_word) /* not advanced over yet */
        return held_message(s, out_bytes);
    if (ring->redelivers &&
        TBUS_UNLIKELY(tbus_load_relaxed_u64(&ring->shared->again) != s->again_seen)) {
        const void *message = take_again(s, out_bytes);
        if (message)
            return message;
    }
    /* Within one lap there is a slot that is ready or one that is not ready yet; if not, somebody
     * writes garbage. */
    for (uint32_t turns = 0; turns <= 2 * ring->slot_count && !s->error; turns++) {
        /* K4 pairs K3 (move_takes): what the ticket has forgotten is settled, and we see it. */
        uint64_t ticket = tbus_load_acquire_u64(&ring->shared->takes);
        uint64_t position =
            tbus_ticket_position(ticket, tbus_load_relaxed_u64(&ring->shared->head));
        tbus_atomic_u64_t *slot = tbus_ring_slot(ring, position);
        /* R2 pairs R1 (commit_claim): else we read what the payload held before this message. */
        uint64_t word = tbus_load_acquire_u64(slot);
        int64_t ahead = tbus_slot_ahead(word, position);
        enum tbus_slot_state state = tbus_slot_state(word);
        if (ahead < 0 || (ahead == 0 && (state == TBUS_SLOT_FREE || state == TBUS_SLOT_CLAIMED)))
            return NULL;
        if (ahead == 0 && state == TBUS_SLOT_READY) {
            if (!move_takes(s, ticket, position, s->owner))
                continue;
            return hold(s, position, word, out_bytes);
        }
        if (ahead == 0 && state == TBUS_SLOT_TOMB) {
            uint64_t free_word =
                tbus_slot_word(position + ring->slot_count, 0, TBUS_LENGTH_TOMB, TBUS_SLOT_FREE);
            /* hint: a tomb has no payload that anybody reads. */
            if (tbus_cas_u64(slot, &word, free_word))
                tbus_add_own_u64(&ring->shared->subs[s->index].tombs, 1);
        }
        /* Step past the tomb just freed. If the ticket is old by now, the CAS inside fails and we
         * look again. */
        move_takes(s, ticket, position, 0);
    }
    return NULL;
}

/* The slot of the message that we took becomes `word`. */
TBUS_HOT void give_back(tbus_subscriber_t *s, uint64_t word)
{
    uint64_t found = s->taken_word;
    uint64_t named = tbus_slot_word(s->seq, s->owner, tbus_slot_length(found), TBUS_SLOT_TAKEN);
    s->taken_word = 0;
    tbus_note_settled(s->settled, s->seq);
    /* A CAS: if we were declared dead, a repairer has freed the slot, or another consumer has the
     * message. R3 pairs R4 (claim): our reads of the payload end before its slot is free. Else a
     * publisher overwrites what we still read. */
    if (TBUS_UNLIKELY(!tbus_slot_finish(tbus_ring_slot(&s->ring, s->seq), found, named, word)))
        s->error = -TBUS_ESTALE;
}

static void release(tbus_subscriber_t *s)
{
    assert(s->taken_word);
    give_back(s, tbus_slot_word(s->seq + s->ring.slot_count, 0, tbus_slot_length(s->taken_word),
                                TBUS_SLOT_FREE));
    s->seq++;
    wake_publishers(s);
}

/* Give back the message that a consumer holds when it leaves. Nobody else would do it while this
 * process lives. */
static void leave_behind(tbus_subscriber_t *s)
{
    give_back(s, tbus_slot_left(&s->ring, s->seq, tbus_slot_length(s->taken_word)));
    if (s->error)
        return;
    tbus_fetch_add_relaxed_u64(tbus_count_left(&s->ring), 1);
    tbus_call_again(&s->ring);
}

void tbus_subscriber_need_no_fences(tbus_subscriber_t *s)
{
    if (!s->fence_wanted)
        return;
    s->fence_wanted = false;
    if (is_ours(s))
        clear_fence_bit(&s->ring, s->index);
}

void tbus_subscriber_leave(tbus_subscriber_t *s)
{
    if (!s || !s->ring.shared)
        return;
    if (s->taken_word)
        leave_behind(s);
    tbus_subscriber_flush(s);
    tbus_subscriber_need_no_fences(s);
    tbus_place_leave(&s->ring.shared->subs[s->index], s->holder);
    tbus_ring_wake_publishers(s->ring.shared);
    free(s->scratch);
    *s = (tbus_subscriber_t){0};
}

const void *tbus_peek_other(tbus_subscriber_t *s, size_t *out_bytes)
{
    if (s->error)
        return NULL;
    return s->competing ? take(s, out_bytes) : peek_copy(s, out_bytes);
}

void tbus_advance_other(tbus_subscriber_t *s)
{
    if (s->competing) {
        release(s);
        return;
    }
    s->seq++;
    s->heavy += s->weight - 1;
    s->flush_at -= s->weight - 1;
    s->weight = 1;
    if ((int64_t)(s->seq - s->flush_at) >= 0)
        tbus_subscriber_flush(s);
}
