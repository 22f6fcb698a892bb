/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/profit.h"

static bool book(position_t *p, const report_t *r)
{
    return r->kind == REPORT_BROKEN ? position_break(p, r->side, r->qty, r->px_e4)
                                    : position_apply(p, r->side, r->qty, r->px_e4);
}

bool profit_execute(profit_t *total, holding_t *h, const report_t *r)
{
    int64_t realised_before = h->position.realised_e4, fees;
    if (__builtin_add_overflow(h->fees_e4, r->fee_e4, &fees) || !book(&h->position, r))
        return false;
    h->fees_e4 = fees;
    h->carried = false;
    total->fees += r->fee_e4;
    total->realised += (profit_money_t)h->position.realised_e4 - realised_before;
    return true;
}

static void look_at_drawdown(profit_t *total)
{
    profit_money_t net = profit_net(total);
    if (net > total->peak)
        total->peak = net;
    if (total->peak - net > total->drawdown)
        total->drawdown = total->peak - net;
}

mark_t profit_mark_now(const marks_t *marks, holding_t *h, const market_t *market, uint16_t locate)
{
    const market_symbol_t *symbol = market_symbol(market, locate);
    market_touch_t touch = market_touch(market, locate);
    if (h->carried && touch.bid_qty == 0 && touch.ask_qty == 0 && !symbol->traded)
        return h->mark;
    h->carried = false;
    return mark_of(marks, &h->position, &touch, symbol->last_px_e4);
}

void profit_mark(profit_t *total, holding_t *h, mark_t mark)
{
    int64_t unrealised = position_unrealised_e4(&h->position, mark.px_e4);
    total->unrealised += (profit_money_t)unrealised - h->unrealised_e4;
    h->unrealised_e4 = unrealised;
    h->mark = mark;
    look_at_drawdown(total);
}

int64_t profit_e4(profit_money_t money)
{
    if (money > INT64_MAX)
        return INT64_MAX;
    return money < INT64_MIN ? INT64_MIN : (int64_t)money;
}
