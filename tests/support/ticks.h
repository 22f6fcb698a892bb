/* SPDX-License-Identifier: Apache-2.0 */
/* ticks.h - market data by hand, for tests: one tick a call, of the stock ACME at locate 7, of S1
 * at locate 1, S2 at 2, and so on. */
#ifndef TICKBUS_TESTS_SUPPORT_TICKS_H
#define TICKBUS_TESTS_SUPPORT_TICKS_H

#include <stdio.h>
#include <string.h>

#include <tickbus/msg/tick.h>

#define TICKS_ACME 7u /* its locate */

static inline tick_t tick_of(uint8_t type, uint16_t locate)
{
    return (tick_t){.type = type, .intended = tick_pack(0, locate)};
}
static inline void tick_name(uint16_t locate, void *out_name)
{
    char name[9];
    int length = snprintf(name, sizeof name, locate == TICKS_ACME ? "ACME" : "S%u", locate);
    memset(out_name, ' ', 8);
    memcpy(out_name, name, (size_t)length);
}
static inline tick_t tick_with_match(tick_t t, uint64_t match)
{
    t.match = match;
    return t;
}
static inline tick_t tick_add(uint16_t locate, uint64_t ref, uint8_t side, uint32_t qty,
                              uint32_t px_e4)
{
    tick_t t = tick_of('A', locate);
    t.order_ref = ref;
    t.side = side;
    t.qty = qty;
    t.px_e4 = px_e4;
    tick_name(locate, t.symbol);
    return t;
}
static inline tick_t tick_execute(uint16_t locate, uint64_t ref, uint32_t qty)
{
    tick_t t = tick_of('E', locate);
    t.order_ref = ref;
    t.qty = qty;
    return t;
}
/* C: an execution at a price of its own; `printable` 'N': in a cross. */
static inline tick_t tick_execute_at(uint16_t locate, uint64_t ref, uint32_t qty, uint32_t px_e4,
                                     uint8_t printable)
{
    tick_t t = tick_execute(locate, ref, qty);
    t.type = 'C';
    t.px_e4 = px_e4;
    t.printable = printable;
    return t;
}
/* P: an execution of an order that is not displayed. */
static inline tick_t tick_trade(uint16_t locate, uint32_t qty, uint32_t px_e4)
{
    tick_t t = tick_of('P', locate);
    tick_name(locate, t.symbol);
    t.side = 'B';
    t.qty = qty;
    t.px_e4 = px_e4;
    return t;
}
/* Q; `cross_type` 'O': of the opening, 'H': after a halt, ... */
static inline tick_t tick_cross(uint16_t locate, uint64_t qty, uint32_t px_e4, uint8_t cross_type)
{
    tick_t t = tick_of('Q', locate);
    tick_name(locate, t.symbol);
    t.qty64 = qty;
    t.px_e4 = px_e4;
    t.aux = cross_type;
    return t;
}
/* B: the trade `match` is broken. */
static inline tick_t tick_break(uint16_t locate, uint64_t match)
{
    return tick_with_match(tick_of('B', locate), match);
}
/* A partial cancel. */
static inline tick_t tick_reduce(uint16_t locate, uint64_t ref, uint32_t qty)
{
    tick_t t = tick_of('X', locate);
    t.order_ref = ref;
    t.qty = qty;
    return t;
}
static inline tick_t tick_delete(uint16_t locate, uint64_t ref)
{
    tick_t t = tick_of('D', locate);
    t.order_ref = ref;
    return t;
}
static inline tick_t tick_replace(uint16_t locate, uint64_t ref, uint64_t new_ref, uint32_t qty,
                                  uint32_t px_e4)
{
    tick_t t = tick_of('U', locate);
    t.order_ref = ref;
    t.new_ref = new_ref;
    t.qty = qty;
    t.px_e4 = px_e4;
    return t;
}
/* Trading action: 'H' halted, 'T' trading, ... */
static inline tick_t tick_trading(uint16_t locate, uint8_t trading_state)
{
    tick_t t = tick_of('H', locate);
    tick_name(locate, t.body);
    t.body[8] = trading_state;
    return t;
}
/* The stock's directory entry: a live issue. */
static inline tick_t tick_directory(uint16_t locate)
{
    tick_t t = tick_of('R', locate);
    tick_name(locate, t.body);
    t.body[18] = 'P';
    return t;
}
/* System event: 'O' a day begins, 'S' the system opens, .. */
static inline tick_t tick_system(uint8_t code)
{
    tick_t t = tick_of('S', 0);
    t.body[0] = code;
    return t;
}

#endif
