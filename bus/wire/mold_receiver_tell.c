/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/wire/mold_receiver_parts.h"

#include <assert.h>
#include <string.h>

/* ---- the packet in hand ---- */

static void put_down(mold_receiver_t *r)
{
    r->counts.cut += r->hand.any_new && r->hand.any_known;
    r->hand.full = false;
}

static inline const uint8_t *hand_step(hand_t *hand, size_t *out_bytes)
{
    const uint8_t *message;
    hand->at = mold_next(hand->at, &message, out_bytes);
    hand->sequence++;
    return message;
}

static void count_known(mold_receiver_t *r, uint64_t sequence)
{
    if (sequence < r->begin)
        r->counts.before++;
    else
        r->counts.duplicates++;
    r->hand.any_known = true;
}

static inline void count_new(mold_receiver_t *r, uint64_t sequence)
{
    r->counts.lines[r->hand.line].first++;
    r->counts.reordered += sequence < r->hand.top;
    r->hand.any_new = true;
}

/* Leave out what is told, or kept. */
static void hand_skip(mold_receiver_t *r)
{
    hand_t *hand = &r->hand;
    size_t bytes;
    while (hand->sequence < hand->end && hand->sequence < r->expected) {
        count_known(r, hand->sequence);
        hand_step(hand, &bytes);
    }
}

/* Keep what is left of it. False: there is no room, and nothing has changed. */
static bool hand_keep(mold_receiver_t *r)
{
    hand_t *hand = &r->hand;
    const uint8_t *message;
    size_t bytes;
    if (!mold_receiver_fits_window(r, hand->sequence, hand->end))
        return false;
    size_t left = mold_blocks_bytes(hand->at, hand->end - hand->sequence);
    mold_record_t *record = mold_store_reserve(&r->store, left, r->now_ns, hand->line);
    if (!record)
        return false;
    uint8_t *copy = (uint8_t *)(record + 1);
    ptrdiff_t moved = copy - hand->at;
    memcpy(copy, hand->at, left);
    while (hand->sequence < hand->end) {
        uint64_t s = hand->sequence;
        message = hand_step(hand, &bytes);
        if (mold_store_has(&r->store, s)) {
            count_known(r, s);
        } else {
            mold_store_keep(&r->store, record, s, message + moved, (uint16_t)bytes);
            count_new(r, s);
        }
    }
    if (r->store.kept > r->counts.kept_max)
        r->counts.kept_max = r->store.kept;
    put_down(r);
    return true;
}

/* ---- what comes out ---- */

/* Everything before it was told, or is not wanted. */
static inline void advance(mold_receiver_t *r, uint64_t expected)
{
    r->expected = expected;
    if (r->holes.count && r->holes.at[0].from < expected)
        mold_holes_told(&r->holes, expected);
}

static bool tell_kept(mold_receiver_t *r, mold_event_t *out_event)
{
    const mold_kept_t *kept = mold_store_slot(&r->store, r->expected);
    const mold_record_t *record = mold_store_record(&r->store, kept);
    *out_event = (mold_event_t){.kind = MOLD_EVENT_MESSAGE,
                                .line = record->line,
                                .time_ns = record->time_ns,
                                .sequence = r->expected,
                                .data = r->store.arena + kept->data_at,
                                .bytes = kept->bytes,
                                .session = r->session};
    r->release = r->expected; /* when it has been looked at */
    r->counts.messages++;
    advance(r, r->expected + 1);
    return true;
}

static bool tell_hand(mold_receiver_t *r, mold_event_t *out_event)
{
    hand_t *hand = &r->hand;
    *out_event = (mold_event_t){.kind = MOLD_EVENT_MESSAGE,
                                .line = hand->line,
                                .time_ns = r->now_ns,
                                .sequence = r->expected,
                                .session = r->session};
    out_event->data = hand_step(hand, &out_event->bytes);
    count_new(r, r->expected);
    r->counts.messages++;
    advance(r, r->expected + 1);
    if (hand->sequence == hand->end)
        put_down(r);
    return true;
}

/* The first sequence from `expected` on that is there, or `limit`. */
static uint64_t first_there(const mold_receiver_t *r, uint64_t limit)
{
    if (r->hand.full && !r->hand.begins && r->hand.sequence < limit)
        limit = r->hand.sequence;
    uint64_t reach = r->store.window_mask + 1;
    uint64_t end = limit - r->expected > reach ? r->expected + reach : limit;
    for (uint64_t s = r->expected; r->store.kept && s < end; s++)
        if (mold_store_has(&r->store, s))
            return s;
    return limit;
}

static bool tell_gap(mold_receiver_t *r, mold_event_t *out_event)
{
    uint64_t to = first_there(r, r->give_up_to);
    *out_event = (mold_event_t){.kind = MOLD_EVENT_GAP,
                                .time_ns = r->now_ns,
                                .sequence = r->expected,
                                .last = to - 1,
                                .session = r->session};
    r->counts.gaps++;
    r->counts.lost += to - r->expected;
    advance(r, to);
    return true;
}

static bool tell(const mold_receiver_t *r, enum mold_event_kind kind, uint64_t sequence,
                 mold_event_t *out_event)
{
    *out_event = (mold_event_t){
        .kind = kind, .time_ns = r->now_ns, .sequence = sequence, .session = r->session};
    return true;
}

/* Drop what is kept or missing before `expected`. */
static void drop_until(mold_receiver_t *r, uint64_t expected)
{
    for (uint64_t s = r->expected; r->store.kept && s < expected; s++)
        if (mold_store_has(&r->store, s)) {
            mold_store_release(&r->store, s);
            r->counts.before++;
        }
    r->top = r->top > expected ? r->top : expected;
    advance(r, expected);
}

/* Keep the packet in hand while nothing may be told; the oldest goes when there is no room. */
static void wait_with_hand(mold_receiver_t *r)
{
    hand_t *hand = &r->hand;
    while (hand->full) {
        hand_skip(r);
        if (hand->sequence == hand->end)
            put_down(r);
        else if (!hand_keep(r))
            drop_until(r, r->store.kept ? r->expected + 1 : hand->end);
    }
}

/* The packet in hand comes too early: it is kept, or the oldest hole is given up to make room. */
static void settle_hand(mold_receiver_t *r)
{
    if (hand_keep(r))
        return;
    assert(r->holes.count);
    if (r->give_up_to <= r->expected)
        r->give_up_to = r->holes.at[0].to;
}

/* The packet in hand is the first of another session; of the old one all was told, or dropped. */
static void begin_with_hand(mold_receiver_t *r)
{
    mold_packet_t packet = r->hand.packet;
    r->hand.full = false;
    mold_receiver_open_session(r, &packet, 1);
    mold_receiver_take_packet(r, r->hand.line, &packet);
}

/* Nothing is told before the snapshot has come, but that a session has begun. */
static bool next_of_waiting(mold_receiver_t *r, mold_event_t *out_event)
{
    if (r->hand.full && r->hand.begins) {
        drop_until(r, r->top);
        begin_with_hand(r);
    }
    if (r->hand.full)
        wait_with_hand(r);
    if (!r->session_untold)
        return false;
    r->session_untold = false;
    return tell(r, MOLD_EVENT_SESSION, r->begin, out_event);
}

bool mold_receiver_next(mold_receiver_t *r, mold_event_t *out_event)
{
    hand_t *hand = &r->hand;
    if (r->release) {
        mold_store_release(&r->store, r->release);
        r->release = 0;
    }
    if (__builtin_expect(r->waiting, 0))
        return next_of_waiting(r, out_event);
    for (;;) {
        if (__builtin_expect(r->session_untold, 0)) {
            r->session_untold = false;
            return tell(r, MOLD_EVENT_SESSION, r->begin, out_event);
        }
        if (mold_store_has(&r->store, r->expected))
            return tell_kept(r, out_event);
        if (hand->full && !hand->begins) {
            if (hand->sequence < r->expected)
                hand_skip(r);
            if (hand->sequence == hand->end)
                put_down(r);
            else if (hand->sequence == r->expected)
                return tell_hand(r, out_event);
            else
                settle_hand(r);
        }
        if (__builtin_expect(r->give_up_to > r->expected, 0))
            return tell_gap(r, out_event);
        uint64_t lost_to = r->holes.count ? mold_receiver_lost_to(r) : 0;
        if (lost_to) {
            r->give_up_to = lost_to;
            continue;
        }
        if (r->ended && !r->end_told && r->expected >= r->final) {
            r->end_told = true;
            return tell(r, MOLD_EVENT_END, r->expected, out_event);
        }
        if (!hand->full)
            return false;
        begin_with_hand(r);
    }
}

bool mold_receiver_peek(const mold_receiver_t *r, mold_run_t *out_run)
{
    const hand_t *hand = &r->hand;
    if (!hand->full || hand->begins || hand->sequence != r->expected || r->store.kept ||
        r->waiting || r->session_untold || r->release || r->give_up_to > r->expected)
        return false;
    *out_run = (mold_run_t){hand->at, hand->sequence, hand->end - hand->sequence};
    return true;
}

void mold_receiver_took(mold_receiver_t *r, uint64_t count, const uint8_t *at)
{
    hand_t *hand = &r->hand;
    uint64_t known = hand->top > hand->sequence ? hand->top - hand->sequence : 0;
    assert(count && count <= hand->end - hand->sequence);
    r->counts.lines[hand->line].first += count;
    r->counts.reordered += known < count ? known : count;
    r->counts.messages += count;
    hand->any_new = true;
    hand->sequence += count;
    hand->at = at;
    advance(r, hand->sequence);
    if (hand->sequence == hand->end)
        put_down(r);
}

/* ---- snapshots ---- */

void mold_receiver_wait(mold_receiver_t *r)
{
    r->waiting = true;
}

void mold_receiver_begin(mold_receiver_t *r, uint64_t sequence, uint64_t now_ns)
{
    assert(r->waiting && !r->hand.full && sequence);
    mold_receiver_set_now(r, now_ns);
    r->waiting = false;
    for (uint32_t i = 0; i < r->config.lines && r->counts.messages == 0; i++)
        mold_line_skip(&r->lines[i], sequence, &r->counts.lines[i]);
    if (r->expected == 0) { /* nothing has come yet */
        r->config.first = sequence;
        return;
    }
    if (sequence > r->expected)
        drop_until(r, sequence);
    else if (sequence < r->expected)
        mold_holes_add_front(&r->holes, sequence, r->expected, r->now_ns, mold_receiver_ask_ns(r));
    r->expected = r->begin = sequence;
}
