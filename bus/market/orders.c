/* SPDX-License-Identifier: Apache-2.0 */
/* The order table's sizes: how they lie in memory, and how the table moves from one to the next. */
#include "bus/market/orders.h"

#include <assert.h>
#include <string.h>

static uint32_t orders_bits_for(uint32_t orders_max)
{
    uint32_t bits = ORDERS_BITS_MIN;
    while ((UINT64_C(1) << bits) < UINT64_C(2) * orders_max)
        bits++;
    return bits;
}

/* The sizes 2^12, 2^13, .. stand one after the other. */
static size_t orders_offset(uint32_t bits)
{
    return ((size_t)1 << bits) - ((size_t)1 << ORDERS_BITS_MIN);
}

static void orders_use(order_table_t *t, uint32_t bits)
{
    t->bits = bits;
    t->now.entries = t->memory + orders_offset(bits);
    t->now.mask = (uint32_t)((UINT64_C(1) << bits) - 1);
    t->now.shift = 64 - bits;
    t->now.seed = t->seed;
    t->grow_at = bits < t->bits_max ? 1u << (bits - 2) : UINT32_MAX;
}

size_t orders_footprint(uint32_t orders_max)
{
    return orders_offset(orders_bits_for(orders_max) + 1) * sizeof(order_entry_t);
}

void orders_init(order_table_t *t, void *memory, uint32_t orders_max, hash_seed_t seed)
{
    memset(t, 0, sizeof *t);
    t->memory = memory;
    t->orders_max = orders_max;
    t->seed = seed;
    t->bits_max = orders_bits_for(orders_max);
    orders_use(t, ORDERS_BITS_MIN);
}

void orders_clear(order_table_t *t)
{
    memset(t->now.entries, 0, ((size_t)t->now.mask + 1) * sizeof *t->now.entries);
    if (t->before.entries)
        memset(t->before.entries, 0, ((size_t)t->before.mask + 1) * sizeof *t->before.entries);
    orders_init(t, t->memory, t->orders_max, t->seed);
}

/* A table of S slots grows at S/4 live orders, the next one at S/2: at least S/4 adds lie between,
 * each of which empties 8 slots. So `before` is empty long before the next growth, and two tables
 * are all there ever are. */
void orders_grow(order_table_t *t)
{
    assert(!t->before.entries && t->bits < t->bits_max);
    t->before = t->now;
    t->before_live = t->live;
    t->before_at = 0;
    orders_use(t, t->bits + 1);
}

void orders_move_some(order_table_t *t)
{
    for (uint32_t i = 0; i < ORDERS_MOVED_PER_ADD && t->before_live > 0; i++) {
        order_entry_t *from = &t->before.entries[t->before_at];
        /* Vacating shifts a follower into this very slot: the slot is done when none comes. */
        while (from->place != 0) {
            *orders_probe(&t->now, from->ref) = *from;
            orders_vacate(&t->before, from);
            t->before_live--;
        }
        t->before_at++;
    }
    if (t->before_live == 0)
        t->before.entries = NULL;
}
