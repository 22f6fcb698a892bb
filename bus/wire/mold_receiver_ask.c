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

bool mold_receiver_is_lost(const mold_receiver_t *r, const mold_hole_t *hole)
{
    uint64_t at_ns = expires_ns(r, hole);
    return (at_ns != MOLD_NEVER && r->now_ns >= at_ns) ||
           (r->config.tries == 0 && is_passed(r, hole));
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

bool mold_receiver_request(mold_receiver_t *r, uint64_t now_ns,
                           uint8_t out_request[MOLD_HEADER_BYTES])
{
    mold_receiver_set_now(r, now_ns);
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
    for (uint32_t i = 0; r->config.tries && i < r->holes.count; i++) {
        const mold_hole_t *hole = &r->holes.at[i];
        if (is_askable(r, hole) && hole->due_ns < deadline_ns)
            deadline_ns = hole->due_ns;
    }
    uint64_t expires = expires_ns(r, &r->holes.at[0]);
    return expires < deadline_ns ? expires : deadline_ns;
}
