/* SPDX-License-Identifier: Apache-2.0 */
/* ticks.h - market data by hand, for tests: one tick a call, of the stock ACME. */
#ifndef TICKBUS_TESTS_SUPPORT_TICKS_H
#define TICKBUS_TESTS_SUPPORT_TICKS_H

#include <string.h>

#include <tickbus/msg/tick.h>

static inline tick_t tick_of(uint8_t type, uint16_t locate)
{
    return (tick_t){.type = type, .intended = tick_pack(0, locate)};
}
static inline tick_t tick_add(uint16_t locate, uint64_t ref, uint8_t side, uint32_t qty,
                              uint32_t px_e4)
{
    tick_t t = tick_of('A', locate);
    t.order_ref = ref;
    t.side = side;
    t.qty = qty;
    t.px_e4 = px_e4;
    memcpy(t.symbol, "ACME    ", 8);
    return t;
}
static inline tick_t tick_execute(uint16_t locate, uint64_t ref, uint32_t qty)
{
    tick_t t = tick_of('E', locate);
    t.order_ref = ref;
    t.qty = qty;
    return t;
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
    memcpy(t.body, "ACME    ", 8);
    t.body[8] = trading_state;
    return t;
}

#endif
