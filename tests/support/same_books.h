/* SPDX-License-Identifier: Apache-2.0 */
/* same_books.h - two market views have the same books: every level of every symbol, names, trading
 * states and touches. For tests, whose asserts it uses. */
#ifndef TICKBUS_TESTS_SAME_BOOKS_H
#define TICKBUS_TESTS_SAME_BOOKS_H

#include <tickbus/market/market.h>

static inline void same_side(const market_t *a, const market_t *b, uint16_t locate, uint8_t side)
{
    for (uint32_t depth = 0;; depth++) {
        uint32_t px_a = 0, px_b = 0, orders_a = 0, orders_b = 0;
        uint64_t qty_a = 0, qty_b = 0;
        bool there = market_level(a, locate, side, depth, &px_a, &qty_a, &orders_a);
        assert_int_equal(market_level(b, locate, side, depth, &px_b, &qty_b, &orders_b), there);
        if (!there)
            return;
        assert_int_equal(px_a, px_b);
        assert_int_equal(qty_a, qty_b);
        assert_int_equal(orders_a, orders_b);
    }
}

static inline void same_books(const market_t *a, const market_t *b)
{
    for (uint32_t locate = 0; locate < MARKET_LOCATES; locate++) {
        const market_symbol_t *symbol_a = market_symbol(a, (uint16_t)locate);
        const market_symbol_t *symbol_b = market_symbol(b, (uint16_t)locate);
        assert_int_equal(symbol_a->known, symbol_b->known);
        assert_memory_equal(symbol_a->name, symbol_b->name, 8);
        assert_int_equal(symbol_a->trading, symbol_b->trading);
        market_touch_t touch_a = market_touch(a, (uint16_t)locate);
        market_touch_t touch_b = market_touch(b, (uint16_t)locate);
        assert_memory_equal(&touch_a, &touch_b, sizeof touch_a);
        same_side(a, b, (uint16_t)locate, 'B');
        same_side(a, b, (uint16_t)locate, 'S');
    }
}

#endif
