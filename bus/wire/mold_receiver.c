/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/wire/mold_receiver_parts.h"

#include <assert.h>
#include <string.h>

#define WINDOW_MAX (1u << 26)
#define STORE_MAX  ((size_t)1 << 31)
#define LINE_BYTES 64u

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
        (c->tries && (c->ask_window < 1 || c->ask_window > MOLD_ASK_WINDOW_MAX)) ||
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
    r->ask_now = (config->ask_window + 3) / 4;
    r->ask_messages = MOLD_ASK_MESSAGES;
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

/* ---- sessions ---- */

void mold_receiver_open_session(mold_receiver_t *r, const mold_packet_t *packet, uint64_t first)
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
    return over || r->now_ns >= mold_later(r->heard_ns, r->config.silent_ns);
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
    mold_holes_add(&r->holes, r->top, sequence, r->now_ns, mold_receiver_ask_ns(r));
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
        mold_holes_fill(&r->holes, sequence, end, r->now_ns, mold_receiver_ask_on_ns(r, line));
}

bool mold_receiver_fits_window(const mold_receiver_t *r, uint64_t sequence, uint64_t end)
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

size_t mold_blocks_bytes(const uint8_t *at, uint64_t count)
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
    return mold_receiver_fits_window(r, packet->sequence, packet->sequence + packet->count) &&
           mold_store_reserve(&r->store, mold_blocks_bytes(packet->blocks, packet->count),
                              r->now_ns, 0);
}

/* It finds no room behind what is missing, and what is missing is being asked for: so it is left
 * out, and asked for when there is room. It shows what was sent. */
static void leave_out(mold_receiver_t *r, const mold_packet_t *packet)
{
    uint64_t end = packet->sequence + packet->count;
    r->counts.left_out++;
    learn(r, packet->sequence);
    mold_holes_renew(&r->holes, packet->sequence, end, r->now_ns, mold_receiver_ask_ns(r));
    if (end > r->top) {
        mold_holes_extend(&r->holes, r->top, end, r->now_ns, mold_receiver_ask_ns(r));
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

enum mold_fault mold_receiver_take_packet(mold_receiver_t *r, uint32_t line,
                                          const mold_packet_t *packet)
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
    if (line == MOLD_REPLIES && packet->kind == MOLD_DATA)
        mold_receiver_answered(r, packet);
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
    mold_receiver_set_now(r, now_ns);
    enum mold_fault fault = mold_parse(datagram, bytes, &packet);
    if (fault == MOLD_GOOD && packet.sequence == 0)
        fault = MOLD_SEQUENCE_ZERO;
    if (fault != MOLD_GOOD)
        return refuse(r, line, fault);
    bool same = memcmp(packet.session, r->session, sizeof packet.session) == 0;
    if (r->expected == 0 && (same || !r->config.session_given) && line != MOLD_REPLIES) {
        mold_receiver_open_session(r, &packet, r->config.first);
    } else if (r->expected == 0 || !same) {
        if (r->expected == 0 || !may_begin(r, &packet, line)) {
            r->counts.foreign++;
            return MOLD_GOOD;
        }
        r->hand = (hand_t){.full = true, .begins = true, .line = line, .packet = packet};
        r->give_up_to = r->top; /* what the old one still misses is told first */
        return MOLD_GOOD;
    }
    return mold_receiver_take_packet(r, line, &packet);
}

void mold_receiver_tick(mold_receiver_t *r, uint64_t now_ns)
{
    mold_receiver_set_now(r, now_ns);
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

const uint8_t *mold_receiver_session(const mold_receiver_t *r)
{
    return r->expected || r->config.session_given ? r->session : NULL;
}

bool mold_receiver_behind(const mold_receiver_t *r)
{
    return r->expected < r->top;
}

const mold_counts_t *mold_receiver_counts(const mold_receiver_t *r)
{
    return &r->counts;
}
