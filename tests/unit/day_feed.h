/* SPDX-License-Identifier: Apache-2.0 */
/* day_feed.h - market data of some short days drawn from a seed, in which much happens that is no
 * plain trading: phases, opening crosses, halts that end in a cross, prints, broken trades, orders
 * displayed through the best of the other side while nothing trades, stocks that have another
 * locate on each day or are missing in the spin. For tests. Times are not set. */
#ifndef TICKBUS_TESTS_UNIT_DAY_FEED_H
#define TICKBUS_TESTS_UNIT_DAY_FEED_H

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "tests/support/ticks.h"

enum { DAY_STOCKS = 3, DAY_LIVE = 48 };

typedef struct day_order {
    uint64_t ref;
    uint32_t qty;
    uint16_t stock;
} day_order_t;

typedef struct day_feed {
    tick_t *ticks; /* not owned */
    uint32_t count, max;
    uint64_t random; /* not 0 */
    uint64_t ref, match;
    uint32_t day;
    uint32_t halted[DAY_STOCKS + 1]; /* so many turns more; 0: it trades */
    day_order_t live[DAY_LIVE];
    uint32_t live_count;
} day_feed_t;

/* xorshift64*: the same numbers on every host. */
static inline uint32_t day_below(day_feed_t *f, uint32_t limit)
{
    f->random ^= f->random >> 12;
    f->random ^= f->random << 25;
    f->random ^= f->random >> 27;
    return (uint32_t)((f->random * UINT64_C(2685821657736338717)) >> 33) % limit;
}

/* Of a stock, 0: of none. What does not fit any more is left out. */
static inline void day_put(day_feed_t *f, uint16_t stock, tick_t t)
{
    uint16_t locate = stock ? (uint16_t)(1 + (stock + f->day) % DAY_STOCKS) : 0;
    t.intended = tick_pack(0, locate);
    if (f->count < f->max)
        f->ticks[f->count++] = t;
}

static inline void day_state(day_feed_t *f, uint16_t stock, uint8_t state)
{
    day_put(f, stock, tick_trading(stock, state));
}

static inline uint32_t day_px(day_feed_t *f)
{
    return 999600 + day_below(f, 10) * 100;
}

/* A trade, with a number of its own. */
static inline void day_put_trade(day_feed_t *f, uint16_t stock, tick_t t)
{
    day_put(f, stock, tick_with_match(t, ++f->match));
}

/* Shares go off order `which`. */
static inline void day_take_off(day_feed_t *f, uint32_t which, uint32_t qty)
{
    day_order_t *o = &f->live[which];
    o->qty -= qty;
    if (o->qty == 0)
        *o = f->live[--f->live_count];
}

/* Some of what a stock displays takes part, and then the cross is told. */
static inline void day_cross(day_feed_t *f, uint16_t stock)
{
    uint32_t px_e4 = day_px(f), left = 2;
    for (uint32_t i = f->live_count; i-- > 0 && left > 0;) {
        const day_order_t *o = &f->live[i];
        if (o->stock != stock || day_below(f, 2))
            continue;
        day_put_trade(f, stock, tick_execute_at(0, o->ref, o->qty, px_e4, 'N'));
        day_take_off(f, i, o->qty);
        left--;
    }
    uint32_t qty = day_below(f, 4) == 0 ? 0 : 50 + day_below(f, 600);
    day_put_trade(f, stock, tick_cross(stock, qty, px_e4, 0));
}

static inline void day_begin(day_feed_t *f)
{
    uint32_t missing = day_below(f, 4); /* 0: none */
    f->live_count = 0;
    f->day++;
    memset(f->halted, 0, sizeof f->halted);
    day_put(f, 0, tick_system('O'));
    for (uint16_t stock = 1; stock <= DAY_STOCKS; stock++) {
        day_put(f, stock, tick_directory(stock));
        if (stock != missing)
            day_state(f, stock, 'T');
    }
    day_put(f, 0, tick_system('S'));
}

static inline void day_add(day_feed_t *f, uint16_t stock)
{
    bool buys = day_below(f, 2), through = f->halted[stock] && day_below(f, 3) == 0;
    uint32_t away = day_below(f, 6) * 100;
    uint32_t px_e4 = buys != through ? 1000000 - away : 1000100 + away;
    day_order_t o = {++f->ref, 1 + day_below(f, 300), stock};
    f->live[f->live_count++] = o;
    day_put(f, stock, tick_add(stock, o.ref, buys ? 'B' : 'S', o.qty, px_e4));
}

/* An order that is displayed is executed, cut or deleted. */
static inline void day_touch(day_feed_t *f)
{
    uint32_t which = day_below(f, f->live_count), kind = day_below(f, 8);
    day_order_t o = f->live[which];
    uint32_t qty = 1 + day_below(f, o.qty);
    tick_t t = kind < 4   ? tick_execute(0, o.ref, qty)
               : kind < 5 ? tick_reduce(0, o.ref, qty)
                          : tick_delete(0, o.ref);
    if (t.type == 'D' || f->halted[o.stock])
        t = tick_delete(0, o.ref);
    t.match = t.type == 'E' ? ++f->match : 0;
    if (t.type == 'E' && day_below(f, 4) == 0) {
        t.type = 'C';
        t.printable = 'Y';
        t.px_e4 = day_px(f);
    }
    day_put(f, o.stock, t);
    day_take_off(f, which, t.type == 'D' ? o.qty : qty);
}

static inline void day_break(day_feed_t *f, uint16_t stock)
{
    day_put(f, stock, tick_break(0, f->match - day_below(f, 12)));
}

static inline void day_turn(day_feed_t *f)
{
    uint16_t stock = (uint16_t)(1 + day_below(f, DAY_STOCKS));
    for (uint16_t s = 1; s <= DAY_STOCKS; s++)
        if (f->halted[s] != 0 && --f->halted[s] == 0) {
            day_state(f, s, 'Q');
            day_cross(f, s);
            day_state(f, s, 'T');
        }
    if (day_below(f, 60) == 0 && f->halted[stock] == 0) {
        f->halted[stock] = 3 + day_below(f, 20);
        day_state(f, stock, day_below(f, 2) ? 'H' : 'P');
    } else if (day_below(f, 10) == 0) {
        day_break(f, stock);
    } else if (day_below(f, 12) == 0) {
        uint32_t px_e4 = day_px(f), qty = 1 + day_below(f, 250);
        day_put_trade(f, stock, tick_trade(stock, qty, px_e4));
    } else if (f->live_count < 10 || (f->live_count < DAY_LIVE && day_below(f, 2))) {
        day_add(f, stock);
    } else {
        day_touch(f);
    }
}

/* `count` messages, in so many days. */
static inline void day_feed_make(uint64_t seed, uint32_t days, tick_t *out_ticks, uint32_t count)
{
    day_feed_t f = {.ticks = out_ticks, .max = count, .random = seed};
    for (uint32_t day = 1; day <= days; day++) {
        uint32_t begin = f.count, end = (uint32_t)((uint64_t)count * day / days);
        uint32_t open = begin + (end - begin) / 5, late = end - (end - begin) / 6;
        day_begin(&f);
        while (f.count < open)
            day_turn(&f);
        day_put(&f, 0, tick_system('Q'));
        for (uint16_t stock = 1; stock <= DAY_STOCKS; stock++)
            if (f.halted[stock] == 0)
                day_cross(&f, stock);
        while (f.count < late)
            day_turn(&f);
        day_put(&f, 0, tick_system('M'));
        while (f.count + 2 < end)
            day_turn(&f);
        if (day % 2) /* else the next day ends it */
            day_put(&f, 0, tick_system('E'));
        while (f.count < end)
            day_put(&f, 0, tick_of('I', 0));
    }
    assert(f.count == count);
}

#endif
