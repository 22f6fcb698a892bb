/* SPDX-License-Identifier: Apache-2.0 */
/* The order table's sizes: how they lie in memory, and how the table moves from one to the next;
 * and what happens to orders whose bucket is full. */
#include "bus/market/orders.h"

#include <assert.h>
#include <string.h>

#define PASSED_ONE (UINT64_C(1) << BUCKET_PASSED)
#define PASSED_MAX UINT64_C(0xffff)

static uint32_t orders_bits_for(uint32_t orders_max)
{
    uint32_t bits = ORDERS_BITS_MIN;
    while ((UINT64_C(1) << bits) * BUCKET_HALF < orders_max)
        bits++;
    return bits;
}

/* The sizes 2^10, 2^11, .. stand one after the other. */
static size_t orders_offset(uint32_t bits)
{
    return ((size_t)1 << bits) - ((size_t)1 << ORDERS_BITS_MIN);
}

static void orders_use(order_table_t *t, uint32_t bits)
{
    t->bits = bits;
    t->now.buckets = t->memory + orders_offset(bits);
    t->now.mask = (uint32_t)((UINT64_C(1) << bits) - 1);
    t->now.shift = 64 - bits;
    t->grow_at = bits < t->bits_max ? BUCKET_HALF << bits : UINT32_MAX;
}

size_t orders_footprint(uint32_t orders_max)
{
    return orders_offset(orders_bits_for(orders_max) + 1) * sizeof(order_bucket_t);
}

void orders_init(order_table_t *t, void *memory, const queue_order_t *orders, uint32_t orders_max,
                 hash_seed_t seed)
{
    memset(t, 0, sizeof *t);
    t->memory = memory;
    t->orders = orders;
    t->orders_max = orders_max;
    t->seed = seed;
    t->bits_max = orders_bits_for(orders_max);
    orders_use(t, ORDERS_BITS_MIN);
}

static void clear(const order_buckets_t *s)
{
    if (s->buckets)
        memset(s->buckets, 0, ((size_t)s->mask + 1) * sizeof *s->buckets);
}

void orders_clear(order_table_t *t)
{
    clear(&t->now);
    clear(&t->before);
    orders_init(t, t->memory, t->orders, t->orders_max, t->seed);
}

static void each_of(const order_buckets_t *s, void (*see)(void *context, uint32_t place),
                    void *context)
{
    for (uint64_t at = 0; s->buckets && at <= s->mask; at++)
        for (unsigned slot = 0; slot < BUCKET_PLACES; slot++)
            if ((s->buckets[at].tags >> 8 * slot & 0xff) != 0)
                see(context, s->buckets[at].places[slot]);
}

void orders_each(const order_table_t *t, void (*see)(void *context, uint32_t place), void *context)
{
    each_of(&t->now, see, context);
    each_of(&t->before, see, context);
}

/* Ends: at least half of all places are free. */
void orders_pass(order_buckets_t *s, uint32_t home, uint64_t tag, uint32_t place)
{
    uint32_t at = home;
    uint64_t free;
    while ((free = orders_match(s->buckets[at].tags, 0)) == 0) {
        if (s->buckets[at].tags >> BUCKET_PASSED != PASSED_MAX)
            s->buckets[at].tags += PASSED_ONE;
        at = (at + 1) & s->mask;
    }
    uint32_t slot = (uint32_t)__builtin_ctzll(free) >> 3;
    s->buckets[at].tags |= tag << 8 * slot;
    s->buckets[at].places[slot] = place;
}

void orders_unpass(order_buckets_t *s, uint32_t home, const order_bucket_t *until)
{
    for (uint32_t at = home; &s->buckets[at] != until; at = (at + 1) & s->mask)
        if (s->buckets[at].tags >> BUCKET_PASSED != PASSED_MAX)
            s->buckets[at].tags -= PASSED_ONE;
}

/* A table of S buckets grows at 3 S live orders, the next one at 6 S: at least 3 S adds lie
 * between, each of which empties a bucket. So `before` is empty long before the next growth, and
 * two tables are all there ever are. */
void orders_grow(order_table_t *t)
{
    assert(!t->before.buckets && t->bits < t->bits_max);
    t->before = t->now;
    t->before_live = t->live;
    t->before_at = 0;
    orders_use(t, t->bits + 1);
}

void orders_move_some(order_table_t *t)
{
    order_bucket_t *from = &t->before.buckets[t->before_at++];
    for (uint16_t slot = 0; slot < BUCKET_PLACES; slot++) {
        if ((from->tags >> 8 * slot & 0xff) == 0)
            continue;
        uint32_t place = from->places[slot];
        uint64_t hash = orders_hash(t, t->orders[place].ref);
        bool away = from != &t->before.buckets[orders_home(&t->before, hash)];
        orders_vacate(t, &t->before, (order_spot_t){place, slot, away, from});
        orders_put(&t->now, hash, place);
        t->before_live--;
    }
    if (t->before_live == 0)
        t->before.buckets = NULL;
}
