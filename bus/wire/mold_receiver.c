/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/wire/mold_receiver.h"

#include <assert.h>
#include <string.h>

#include "bus/wire/mold_holes.h"
#include "bus/wire/mold_line.h"
#include "bus/wire/mold_store.h"

#define WINDOW_MAX (1u << 26)
#define STORE_MAX  ((size_t)1 << 31)
#define LINE_BYTES 64u

/* The packet that was taken and is not told, kept or dropped in full yet. */
typedef struct hand {
    bool full;
    bool begins; /* another session */
    uint32_t line;
    mold_packet_t packet;
    const uint8_t *at; /* of the message `sequence` */
    uint64_t sequence; /* of its messages, the next one to be looked at */
    uint64_t end;      /* one more than its last */
    uint64_t top;      /* what was known to have been sent before it came */
    bool any_new, any_known;
} hand_t;

struct mold_receiver {
    mold_receiver_config_t config;
    uint64_t now_ns;
    uint64_t expected;   /* told next; 0: no session yet */
    uint64_t top;        /* everything before it was sent */
    uint64_t give_up_to; /* what is missing before it is a gap */
    uint64_t release;    /* was handed out from the store; 0: nothing was */
    hand_t hand;
    mold_store_t store;
    mold_holes_t holes;
    bool waiting; /* for mold_receiver_begin */
    bool session_untold;
    bool ended; /* an end of session has come */
    bool end_told;
    bool has_previous;
    uint8_t session[MOLD_SESSION_BYTES];
    uint8_t previous[MOLD_SESSION_BYTES];
    uint64_t begin;    /* of this session, the first that is wanted */
    uint64_t final;    /* ended: one more than its last */
    uint64_t heard_ns; /* of this session */
    bool fresh;        /* no packet of it was looked at */
    uint64_t far;      /* the sequence of the last packet that was far ahead; 0: none was */
    mold_line_t lines[MOLD_LINES_MAX];
    mold_counts_t counts;
};

/* ---- memory ---- */

static size_t round_up(size_t bytes)
{
    return (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
}

static size_t power_below(size_t bytes)
{
    size_t power = 1;
    while (power <= bytes / 2)
        power *= 2;
    return power;
}

static size_t window_bytes(const mold_receiver_config_t *c)
{
    return round_up((size_t)c->window_messages * sizeof(mold_kept_t));
}

static size_t bits_bytes(const mold_receiver_config_t *c)
{
    return round_up(mold_line_words(c->window_messages) * sizeof(uint64_t));
}

size_t mold_receiver_footprint(const mold_receiver_config_t *c)
{
    bool window = c->window_messages >= 2 && c->window_messages <= WINDOW_MAX &&
                  (c->window_messages & (c->window_messages - 1)) == 0;
    if (!window || c->lines < 1 || c->lines > MOLD_LINES_MAX || c->store_bytes > STORE_MAX ||
        c->store_bytes < MOLD_STORE_BYTES_MIN || c->reorder_packets < 1 ||
        c->reorder_packets > UINT16_MAX)
        return 0;
    return round_up(sizeof(mold_receiver_t)) + window_bytes(c) + c->lines * bits_bytes(c) +
           power_below(c->store_bytes);
}

mold_receiver_t *mold_receiver_format(void *memory, const mold_receiver_config_t *config)
{
    size_t bytes = mold_receiver_footprint(config);
    if (!memory || !bytes || (uintptr_t)memory % LINE_BYTES)
        return NULL;
    memset(memory, 0, bytes);
    mold_receiver_t *r = memory;
    uint8_t *at = (uint8_t *)memory + round_up(sizeof *r);
    r->config = *config;
    r->waiting = config->wait;
    r->store.window = (mold_kept_t *)(void *)at;
    r->store.window_mask = config->window_messages - 1;
    at += window_bytes(config);
    for (uint32_t i = 0; i < config->lines; i++, at += bits_bytes(config)) {
        r->lines[i].bits = (uint64_t *)(void *)at;
        r->lines[i].mask = mold_line_words(config->window_messages) * 64 - 1;
    }
    r->store.arena = at;
    r->store.arena_mask = power_below(config->store_bytes) - 1;
    if (config->session_given)
        memcpy(r->session, config->session, sizeof r->session);
    return r;
}

/* ---- times ---- */

static uint64_t later(uint64_t since_ns, uint64_t after_ns)
{
    return after_ns < MOLD_NEVER - since_ns ? since_ns + after_ns : MOLD_NEVER;
}

static uint64_t ask_ns(const mold_receiver_t *r)
{
    return later(r->now_ns, r->config.ask_ns);
}

/* When to ask for what is left of a hole into which `line` has brought something. */
static uint64_t ask_on_ns(const mold_receiver_t *r, uint32_t line)
{
    return line == MOLD_REPLIES ? later(r->now_ns, r->config.ask_on_ns) : ask_ns(r);
}

static void set_now(mold_receiver_t *r, uint64_t now_ns)
{
    r->now_ns = now_ns > r->now_ns ? now_ns : r->now_ns;
}

/* Has every line shown so many packets from beyond the hole that none will bring it? */
static bool is_passed(const mold_receiver_t *r, const mold_hole_t *hole)
{
    for (uint32_t i = 0; i < r->config.lines; i++)
        if (hole->passes[i] < r->config.reorder_packets)
            return false;
    return true;
}

static uint64_t expires_ns(const mold_receiver_t *r, const mold_hole_t *hole)
{
    if (r->config.tries == 0)
        return later(hole->since_ns, r->config.hold_ns);
    return hole->tries < r->config.tries ? MOLD_NEVER : hole->due_ns;
}

static bool is_lost(const mold_receiver_t *r, const mold_hole_t *hole)
{
    uint64_t at_ns = expires_ns(r, hole);
    return (at_ns != MOLD_NEVER && r->now_ns >= at_ns) ||
           (r->config.tries == 0 && is_passed(r, hole));
}

/* ---- sessions ---- */

static void begin_session(mold_receiver_t *r, const mold_packet_t *packet, uint64_t first)
{
    if (r->expected) {
        memcpy(r->previous, r->session, sizeof r->previous);
        r->has_previous = true;
    }
    memcpy(r->session, packet->session, sizeof r->session);
    r->expected = r->top = r->begin = first ? first : packet->sequence;
    r->give_up_to = 0;
    r->holes.count = 0;
    r->ended = r->end_told = false;
    r->session_untold = true;
    r->heard_ns = r->now_ns;
    r->fresh = true;
    r->far = 0;
    for (uint32_t i = 0; i < r->config.lines; i++)
        mold_line_begin(&r->lines[i], r->begin);
}

/* May that session take the place of the one at hand? */
static bool may_begin(const mold_receiver_t *r, const mold_packet_t *packet, uint32_t line)
{
    if (r->config.session_given || line == MOLD_REPLIES)
        return false;
    if (r->has_previous && memcmp(packet->session, r->previous, sizeof r->previous) == 0)
        return false;
    bool over = r->ended && (r->config.tries == 0 || r->expected >= r->final);
    return over || r->now_ns >= later(r->heard_ns, r->config.silent_ns);
}

/* ---- what comes in ---- */

static enum mold_fault refuse(mold_receiver_t *r, uint32_t line, enum mold_fault fault)
{
    r->counts.faults[fault]++;
    r->counts.lines[line].refused++;
    return fault;
}

/* Everything before `sequence` was sent. */
static void learn(mold_receiver_t *r, uint64_t sequence)
{
    if (sequence <= r->top)
        return;
    mold_holes_add(&r->holes, r->top, sequence, r->now_ns, ask_ns(r));
    r->top = sequence;
}

static void count_line(mold_receiver_t *r, uint32_t line, const mold_packet_t *packet)
{
    mold_line_counts_t *counts = &r->counts.lines[line];
    counts->packets += packet->kind == MOLD_DATA;
    counts->heartbeats += packet->kind == MOLD_HEARTBEAT;
    counts->messages += packet->count;
    if (line == MOLD_REPLIES)
        return;
    if (packet->kind == MOLD_DATA)
        mold_line_brought(&r->lines[line], packet->sequence, packet->sequence + packet->count,
                          counts);
    else
        mold_line_shown(&r->lines[line], packet->sequence, counts);
}

static void take_in_hand(mold_receiver_t *r, uint32_t line, const mold_packet_t *packet)
{
    uint64_t sequence = packet->sequence, end = sequence + packet->count;
    r->hand = (hand_t){.full = true,
                       .line = line,
                       .packet = *packet,
                       .at = packet->blocks,
                       .sequence = sequence,
                       .end = end,
                       .top = r->top};
    learn(r, sequence);
    r->top = end > r->top ? end : r->top;
    if (r->holes.count)
        mold_holes_fill(&r->holes, sequence, end, r->now_ns, ask_on_ns(r, line));
}

/* Is there room in the window for sequence..end-1? */
static bool fits_window(const mold_receiver_t *r, uint64_t sequence, uint64_t end)
{
    if (end - r->expected > r->store.window_mask + 1)
        return false;
    for (uint64_t s = sequence; s < end; s++) {
        uint64_t there = mold_store_slot(&r->store, s)->sequence;
        if (there && there != s)
            return false;
    }
    return true;
}

/* Bytes of `count` messages with their lengths, from `at` on. */
static size_t blocks_bytes(const uint8_t *at, uint64_t count)
{
    const uint8_t *end = at, *message;
    size_t bytes;
    while (count--)
        end = mold_next(end, &message, &bytes);
    return (size_t)(end - at);
}

/* Can it be told at once, or kept? */
static bool has_room(mold_receiver_t *r, const mold_packet_t *packet)
{
    if (packet->sequence <= r->expected)
        return true;
    return fits_window(r, packet->sequence, packet->sequence + packet->count) &&
           mold_store_reserve(&r->store, blocks_bytes(packet->blocks, packet->count), r->now_ns, 0);
}

/* It finds no room behind what is missing, and what is missing is being asked for: so it is left
 * out, and asked for when there is room. It shows what was sent. */
static void leave_out(mold_receiver_t *r, const mold_packet_t *packet)
{
    uint64_t end = packet->sequence + packet->count;
    r->counts.left_out++;
    learn(r, packet->sequence);
    mold_holes_renew(&r->holes, packet->sequence, end, r->now_ns, ask_ns(r));
    if (end > r->top) {
        mold_holes_extend(&r->holes, r->top, end, r->now_ns, ask_ns(r));
        r->top = end;
    }
}

/* Is it ahead of all others by more than a line can be, and alone in saying so? */
static bool is_far(mold_receiver_t *r, uint64_t sequence)
{
    bool fresh = r->fresh;
    r->fresh = false;
    if (fresh || sequence <= r->top || sequence - r->top <= MOLD_FAR_MESSAGES)
        return false;
    uint64_t before = r->far;
    r->far = sequence;
    return before == 0 || sequence < before || sequence - before > MOLD_FAR_MESSAGES;
}

/* Of the session at hand. */
static enum mold_fault take_packet(mold_receiver_t *r, uint32_t line, const mold_packet_t *packet)
{
    uint64_t end = packet->sequence + packet->count;
    bool is_end = packet->kind == MOLD_END;
    r->counts.ends += is_end;
    if (__builtin_expect(is_far(r, packet->sequence), 0))
        return refuse(r, line, MOLD_FAR);
    if (r->ended ? end > r->final || (is_end && end < r->final) : is_end && end < r->top)
        return refuse(r, line, MOLD_AFTER_END);
    r->heard_ns = r->now_ns;
    count_line(r, line, packet);
    if (is_end) {
        r->ended = true;
        r->final = end;
    }
    if (packet->kind != MOLD_DATA)
        learn(r, packet->sequence);
    else if (r->config.tries == 0 || r->waiting || has_room(r, packet))
        take_in_hand(r, line, packet);
    else
        leave_out(r, packet);
    if (r->holes.count && line != MOLD_REPLIES)
        mold_holes_pass(&r->holes, line, packet->sequence);
    return MOLD_GOOD;
}

enum mold_fault mold_receiver_take(mold_receiver_t *r, uint32_t line, const uint8_t *datagram,
                                   size_t bytes, uint64_t now_ns)
{
    mold_packet_t packet;
    assert(!r->hand.full && (line < r->config.lines || line == MOLD_REPLIES));
    set_now(r, now_ns);
    enum mold_fault fault = mold_parse(datagram, bytes, &packet);
    if (fault == MOLD_GOOD && packet.sequence == 0)
        fault = MOLD_SEQUENCE_ZERO;
    if (fault != MOLD_GOOD)
        return refuse(r, line, fault);
    bool same = memcmp(packet.session, r->session, sizeof packet.session) == 0;
    if (r->expected == 0 && (same || !r->config.session_given) && line != MOLD_REPLIES) {
        begin_session(r, &packet, r->config.first);
    } else if (r->expected == 0 || !same) {
        if (r->expected == 0 || !may_begin(r, &packet, line)) {
            r->counts.foreign++;
            return MOLD_GOOD;
        }
        r->hand = (hand_t){.full = true, .begins = true, .line = line, .packet = packet};
        r->give_up_to = r->top; /* what the old one still misses is told first */
        return MOLD_GOOD;
    }
    return take_packet(r, line, &packet);
}

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
    if (!fits_window(r, hand->sequence, hand->end))
        return false;
    size_t left = blocks_bytes(hand->at, hand->end - hand->sequence);
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
    begin_session(r, &packet, 1);
    take_packet(r, r->hand.line, &packet);
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
        if (r->holes.count && is_lost(r, &r->holes.at[0])) {
            r->give_up_to = r->holes.at[0].to;
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

void mold_receiver_wait(mold_receiver_t *r)
{
    r->waiting = true;
}

void mold_receiver_begin(mold_receiver_t *r, uint64_t sequence, uint64_t now_ns)
{
    assert(r->waiting && !r->hand.full && sequence);
    set_now(r, now_ns);
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
        mold_holes_add_front(&r->holes, sequence, r->expected, r->now_ns, ask_ns(r));
    r->expected = r->begin = sequence;
}

void mold_receiver_tick(mold_receiver_t *r, uint64_t now_ns)
{
    set_now(r, now_ns);
}

/* ---- requests ---- */

/* May it be asked for? What there could be no room for need not come yet. */
static bool is_askable(const mold_receiver_t *r, const mold_hole_t *hole)
{
    return hole->tries < r->config.tries && hole->from - r->expected <= r->store.window_mask;
}

static bool is_due(const mold_receiver_t *r, const mold_hole_t *hole)
{
    return is_askable(r, hole) &&
           (r->now_ns >= hole->due_ns || (hole->tries == 0 && is_passed(r, hole)));
}

static uint64_t wait_ns(const mold_receiver_t *r, uint32_t tries)
{
    uint64_t wait = r->config.retry_ns;
    for (uint32_t i = 1; i < tries && wait < r->config.retry_ns_max; i++)
        wait = later(wait, wait);
    return wait < r->config.retry_ns_max ? wait : r->config.retry_ns_max;
}

bool mold_receiver_request(mold_receiver_t *r, uint64_t now_ns,
                           uint8_t out_request[MOLD_HEADER_BYTES])
{
    set_now(r, now_ns);
    if (r->config.tries == 0 || r->waiting)
        return false;
    for (uint32_t i = 0; i < r->holes.count; i++) {
        mold_hole_t *hole = &r->holes.at[i];
        if (!is_due(r, hole))
            continue;
        uint64_t count = hole->to - hole->from;
        mold_put_header(out_request, r->session, hole->from,
                        (uint16_t)(count < MOLD_COUNT_MAX ? count : MOLD_COUNT_MAX));
        hole->tries++;
        hole->due_ns = later(r->now_ns, wait_ns(r, hole->tries));
        r->counts.requests++;
        return true;
    }
    return false;
}

uint64_t mold_receiver_deadline(const mold_receiver_t *r)
{
    uint64_t deadline_ns = MOLD_NEVER;
    if (r->waiting || r->holes.count == 0)
        return MOLD_NEVER;
    for (uint32_t i = 0; r->config.tries && i < r->holes.count; i++) {
        const mold_hole_t *hole = &r->holes.at[i];
        if (is_askable(r, hole) && hole->due_ns < deadline_ns)
            deadline_ns = hole->due_ns;
    }
    uint64_t expires = expires_ns(r, &r->holes.at[0]);
    return expires < deadline_ns ? expires : deadline_ns;
}

void mold_receiver_flush(mold_receiver_t *r)
{
    assert(!r->hand.full);
    r->give_up_to = r->top;
}

uint64_t mold_receiver_expected(const mold_receiver_t *r)
{
    return r->expected;
}

bool mold_receiver_behind(const mold_receiver_t *r)
{
    return r->expected < r->top;
}

const mold_counts_t *mold_receiver_counts(const mold_receiver_t *r)
{
    return &r->counts;
}
