/* SPDX-License-Identifier: Apache-2.0 */
/* same_books.h - two market views have the same books: every level of every symbol, names, trading
 * states and touches. For tests, whose asserts it uses. */
#ifndef TICKBUS_TESTS_SAME_BOOKS_H
#define TICKBUS_TESTS_SAME_BOOKS_H

#include "bus/market/snapshot.h"
#include <tickbus/market/market.h>

/* Tick by tick; the order of all queues is in the order of the ticks. */
static inline void same_snapshot(const snapshot_t *a, const snapshot_t *b)
{
    assert_int_equal(snapshot_count(a), snapshot_count(b));
    for (uint32_t i = 0; i < snapshot_count(a); i++) {
        tick_t one, other;
        snapshot_tick(a, i, &one);
        snapshot_tick(b, i, &other);
        assert_memory_equal(&one, &other, sizeof one);
    }
}

static inline void same_side(const market_t *a, const market_t *b, uint16_t wire_locate,
                             uint8_t side)
{
    uint16_t in_a = market_number(a, wire_locate), in_b = market_number(b, wire_locate);
    for (uint32_t depth = 0;; depth++) {
        uint32_t px_a = 0, px_b = 0, orders_a = 0, orders_b = 0;
        uint64_t qty_a = 0, qty_b = 0;
        bool there = market_level(a, in_a, side, depth, &px_a, &qty_a, &orders_a);
        assert_int_equal(market_level(b, in_b, side, depth, &px_b, &qty_b, &orders_b), there);
        if (!there)
            return;
        assert_int_equal(px_a, px_b);
        assert_int_equal(qty_a, qty_b);
        assert_int_equal(orders_a, orders_b);
    }
}

/* Order by order. */
static inline void same_queue(const market_t *a, const market_t *b, uint16_t locate, uint8_t side,
                              uint32_t px_e4)
{
    uint32_t in_a = market_first_order(a, locate, side, px_e4);
    uint32_t in_b = market_first_order(b, locate, side, px_e4);
    while (in_a != 0 && in_b != 0) {
        market_order_t one, other;
        in_a = market_order_behind(a, in_a, &one);
        in_b = market_order_behind(b, in_b, &other);
        assert_int_equal(one.added_seq, other.added_seq);
        assert_int_equal(one.qty, other.qty);
    }
    assert_int_equal(in_a, 0);
    assert_int_equal(in_b, 0);
}

/* Both books of a symbol that has the same number in both views, down to each order. */
static inline void same_orders(const market_t *a, const market_t *b, uint16_t wire_locate)
{
    uint16_t locate = market_number(a, wire_locate);
    for (unsigned i = 0; i < 2; i++) {
        uint8_t side = (uint8_t) "BS"[i];
        uint32_t px_e4;
        uint64_t qty;
        same_side(a, b, wire_locate, side);
        for (uint32_t at = 0; market_level(a, locate, side, at, &px_e4, &qty, NULL); at++) {
            assert_int_equal(market_qty_at(b, locate, side, px_e4), qty);
            same_queue(a, b, locate, side, px_e4);
        }
    }
}

static inline void same_symbol(const market_symbol_t *a, const market_symbol_t *b)
{
    assert_int_equal(a->known, b->known);
    if (!a->known)
        return;
    assert_memory_equal(a->name, b->name, 8);
    assert_int_equal(a->trading, b->trading);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->halted_here, b->halted_here);
    assert_int_equal(a->reg_sho, b->reg_sho);
    assert_int_equal(a->stale, b->stale);
    assert_int_equal(a->test, b->test);
    assert_int_equal(a->wire_locate, b->wire_locate);
}

static inline void same_books(const market_t *a, const market_t *b)
{
    assert_int_equal(market_day(a)->phase, market_day(b)->phase);
    assert_int_equal(market_day(a)->full, market_day(b)->full);
    assert_int_equal(market_day(a)->gap, market_day(b)->gap);
    for (uint32_t i = 0; i < MARKET_LOCATES; i++) {
        uint16_t wire_locate = (uint16_t)i;
        uint16_t in_a = market_number(a, wire_locate), in_b = market_number(b, wire_locate);
        same_symbol(market_symbol(a, in_a), market_symbol(b, in_b));
        market_touch_t touch_a = market_touch(a, in_a);
        market_touch_t touch_b = market_touch(b, in_b);
        assert_memory_equal(&touch_a, &touch_b, sizeof touch_a);
        same_side(a, b, wire_locate, 'B');
        same_side(a, b, wire_locate, 'S');
    }
}

#endif
