/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/wire/mold_receiver_parts.h"

/* ---- times ---- */

uint64_t mold_receiver_ask_ns(const mold_receiver_t *r)
{
    return mold_later(r->now_ns, r->config.ask_ns);
}

uint64_t mold_receiver_ask_on_ns(const mold_receiver_t *r, uint32_t line)
{
    return line == MOLD_REPLIES ? mold_later(r->now_ns, r->config.ask_on_ns)
                                : mold_receiver_ask_ns(r);
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
        return mold_later(hole->since_ns, r->config.hold_ns);
    return hole->tries < r->config.tries ? MOLD_NEVER : hole->due_ns;
}

static bool is_lost(const mold_receiver_t *r, const mold_hole_t *hole)
{
    uint64_t at_ns = expires_ns(r, hole);
    return (at_ns != MOLD_NEVER && r->now_ns >= at_ns) ||
           (r->config.tries == 0 && is_passed(r, hole));
}

uint64_t mold_receiver_lost_to(const mold_receiver_t *r)
{
    const mold_hole_t *first = &r->holes.at[0];
    if (!is_lost(r, first))
        return 0;
    bool nobody_answers = r->config.tries && r->answered_ns < first->asked_ns;
    uint64_t to = first->to;
    for (uint32_t i = 1; i < r->holes.count && r->holes.at[i].from == to &&
                         (nobody_answers || is_lost(r, &r->holes.at[i]));
         i++)
        to = r->holes.at[i].to;
    return to;
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
        wait = mold_later(wait, wait);
    return wait < r->config.retry_ns_max ? wait : r->config.retry_ns_max;
}

/* ---- the window: several at a time, each for a packet's worth ---- */

static bool waits_for_answer(const mold_receiver_t *r, const mold_hole_t *hole)
{
    return hole->tries && hole->due_ns > r->now_ns;
}

/* Must what was not asked for yet wait until others are answered? */
static bool is_full(const mold_receiver_t *r)
{
    uint32_t waiting = 0;
    if (r->config.ask_window == 1)
        return false;
    for (uint32_t i = 0; i < r->holes.count; i++)
        waiting += waits_for_answer(r, &r->holes.at[i]);
    return waiting >= r->ask_now;
}

/* A request is made again: too many at once may be why. Those that went out together count once. */
static void halve(mold_receiver_t *r)
{
    if (r->halved_ns && r->now_ns - r->halved_ns < r->config.retry_ns)
        return;
    r->halved_ns = r->now_ns;
    r->ask_now = r->ask_now > 1 ? r->ask_now / 2 : 1;
}

void mold_receiver_answered(mold_receiver_t *r, const mold_packet_t *packet)
{
    uint64_t sequence = packet->sequence;
    uint32_t i = 0;
    while (i < r->holes.count && r->holes.at[i].to <= sequence)
        i++;
    if (i == r->holes.count || r->holes.at[i].from > sequence || r->holes.at[i].tries == 0)
        return; /* a copy, or nobody has asked for it */
    uint64_t asked = r->holes.at[i].to - sequence;
    r->answered_ns = r->now_ns;
    r->ask_now += r->ask_now < r->config.ask_window;
    if (packet->count < asked)
        r->ask_messages =
            packet->count > MOLD_ASK_MESSAGES_MIN ? packet->count : MOLD_ASK_MESSAGES_MIN;
    else if (asked >= r->ask_messages && r->ask_messages < MOLD_ASK_MESSAGES_MAX)
        r->ask_messages *= 2;
    if (r->ask_messages > MOLD_ASK_MESSAGES_MAX)
        r->ask_messages = MOLD_ASK_MESSAGES_MAX;
}

bool mold_receiver_request(mold_receiver_t *r, uint64_t now_ns,
                           uint8_t out_request[MOLD_HEADER_BYTES])
{
    mold_receiver_set_now(r, now_ns);
    if (r->config.tries == 0 || r->waiting)
        return false;
    bool full = is_full(r);
    for (uint32_t i = 0; i < r->holes.count; i++) {
        mold_hole_t *hole = &r->holes.at[i];
        if (!is_due(r, hole) || (full && hole->tries == 0))
            continue;
        if (hole->tries)
            halve(r);
        else
            hole->asked_ns = r->now_ns;
        if (r->config.ask_window > 1 && hole->to - hole->from > r->ask_messages)
            (void)mold_holes_split(&r->holes, i, hole->from + r->ask_messages);
        uint64_t count = hole->to - hole->from;
        mold_put_header(out_request, r->session, hole->from,
                        (uint16_t)(count < MOLD_COUNT_MAX ? count : MOLD_COUNT_MAX));
        hole->tries++;
        hole->due_ns = mold_later(r->now_ns, wait_ns(r, hole->tries));
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
    bool full = r->config.tries && is_full(r);
    for (uint32_t i = 0; r->config.tries && i < r->holes.count; i++) {
        const mold_hole_t *hole = &r->holes.at[i];
        if (is_askable(r, hole) && !(full && hole->tries == 0) && hole->due_ns < deadline_ns)
            deadline_ns = hole->due_ns;
    }
    uint64_t expires = expires_ns(r, &r->holes.at[0]);
    return expires < deadline_ns ? expires : deadline_ns;
}
