/* SPDX-License-Identifier: Apache-2.0 */
/* Products of shares and prices are taken in 128 bits and then must fit 64; nothing is stored
 * before all of it does. */
#include <tickbus/market/position.h>

static bool fits_int64(__int128 value)
{
    return value >= INT64_MIN && value <= INT64_MAX;
}

bool position_apply(position_t *p, uint8_t side, uint32_t qty, uint32_t px_e4)
{
    if (side != 'B' && side != 'S')
        return false;
    position_t next = *p;
    if (__builtin_add_overflow(side == 'B' ? p->bought : p->sold, qty,
                               side == 'B' ? &next.bought : &next.sold))
        return false;

    int64_t change = side == 'B' ? (int64_t)qty : -(int64_t)qty;
    bool reduces = p->qty != 0 && (p->qty > 0) != (side == 'B');
    int64_t closed = 0; /* shares of `change` that close what was open, with its sign */
    if (reduces) {
        bool closes_all = p->qty > 0 ? p->qty <= (int64_t)qty : p->qty >= -(int64_t)qty;
        closed = closes_all ? -p->qty : change;
    }

    /* The cost that the closed shares take with them: their part of the sum, rounded towards zero;
     * the remainder of the division stays with the shares that stay. What one close rounds away, a
     * later one pays: the sum is kept. */
    __int128 released = closed == 0 ? 0 : (__int128)p->cost_e4 * -closed / p->qty;
    __int128 realised = (__int128)p->realised_e4 + (__int128)-closed * px_e4 - released;
    __int128 cost = (__int128)p->cost_e4 - released + (__int128)(change - closed) * px_e4;
    __int128 total = (__int128)p->qty + change;
    if (!fits_int64(realised) || !fits_int64(cost) || !fits_int64(total))
        return false;

    next.qty = (int64_t)total;
    next.cost_e4 = (int64_t)cost;
    next.realised_e4 = (int64_t)realised;
    *p = next;
    return true;
}

bool position_break(position_t *p, uint8_t side, uint32_t qty, uint32_t px_e4)
{
    position_t next = *p;
    if ((side != 'B' && side != 'S') || qty > (side == 'B' ? p->bought : p->sold) ||
        !position_apply(&next, side == 'B' ? 'S' : 'B', qty, px_e4))
        return false;
    next.bought = p->bought - (side == 'B' ? qty : 0);
    next.sold = p->sold - (side == 'B' ? 0 : qty);
    *p = next;
    return true;
}

int64_t position_unrealised_e4(const position_t *p, uint32_t mark_px_e4)
{
    __int128 profit = (__int128)p->qty * mark_px_e4 - p->cost_e4;
    if (profit > INT64_MAX)
        return INT64_MAX;
    return profit < INT64_MIN ? INT64_MIN : (int64_t)profit;
}
