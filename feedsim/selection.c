/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/selection.h"

#include <string.h>

#include <tickbus/msg/itch_types.h>

void feed_selection_init(feed_selection_t *s, const char (*symbols)[FEED_SYMBOL_BYTES],
                         uint32_t count)
{
    *s = (feed_selection_t){.count = count < FEED_SYMBOLS_MAX ? count : FEED_SYMBOLS_MAX};
    for (uint32_t i = 0; i < s->count; i++) {
        memset(s->symbols[i], ' ', sizeof s->symbols[i]);
        memcpy(s->symbols[i], symbols[i], strnlen(symbols[i], sizeof s->symbols[i]));
    }
}

const char *feed_symbol_of(const tick_t *tick, size_t bytes)
{
    if (bytes < sizeof *tick)
        return NULL;
    switch (tick->type) {
    case ITCH_STOCK_DIRECTORY:
        return (const char *)&tick->body[ITCH_BODY_AT(STOCK_DIRECTORY, symbol)];
    case ITCH_STOCK_TRADING_ACTION:
        return (const char *)&tick->body[ITCH_BODY_AT(STOCK_TRADING_ACTION, symbol)];
    case ITCH_ADD_ORDER:
    case ITCH_ADD_ORDER_MPID:
    case ITCH_TRADE:
        return tick->symbol;
    default:
        return NULL;
    }
}

bool feed_selection_takes(feed_selection_t *s, const tick_t *tick, size_t bytes)
{
    if (s->count == 0 || bytes < TICK_BODY_OFFSET || tick_locate(tick) == 0)
        return true;
    uint16_t locate = tick_locate(tick);
    uint64_t bit = UINT64_C(1) << (locate % 64);
    const char *symbol = feed_symbol_of(tick, bytes);
    if (symbol) {
        s->chosen[locate / 64] &= ~bit;
        for (uint32_t i = 0; i < s->count; i++)
            if (memcmp(s->symbols[i], symbol, sizeof s->symbols[i]) == 0)
                s->chosen[locate / 64] |= bit;
    }
    return s->chosen[locate / 64] & bit;
}
