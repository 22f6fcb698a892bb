/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/synth/ladder.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define WORDS (LADDER_LEVELS / 64)

void ladder_init(ladder_t *l)
{
    /* What is not in use is not touched: thousands of ladders would take memory for nothing. */
    memset(l, 0, offsetof(ladder_t, queues));
    l->best[LADDER_BID] = LADDER_NO_BID;
    l->best[LADDER_ASK] = LADDER_NO_ASK;
    for (int level = 0; level < LADDER_LEVELS; level++)
        l->queues[level] = (ladder_queue_t){LADDER_NONE, LADDER_NONE};
    for (uint16_t i = 0; i < LADDER_ORDERS_MAX; i++)
        l->places[i] = i;
}

/* The next level of a side behind this one that has orders. */
static int next_bid(const uint64_t *bits, int level)
{
    uint64_t masked = bits[level / 64] & ((UINT64_C(1) << (level % 64)) - 1);
    for (int word = level / 64; word >= 0; word--) {
        if (masked != 0)
            return word * 64 + 63 - __builtin_clzll(masked);
        masked = word > 0 ? bits[word - 1] : 0;
    }
    return LADDER_NO_BID;
}

static int next_ask(const uint64_t *bits, int level)
{
    uint64_t masked = bits[level / 64] & ~(UINT64_MAX >> (63 - level % 64));
    for (int word = level / 64; word < WORDS; word++) {
        if (masked != 0)
            return word * 64 + __builtin_ctzll(masked);
        masked = word + 1 < WORDS ? bits[word + 1] : 0;
    }
    return LADDER_NO_ASK;
}

static int next_level(const ladder_t *l, enum ladder_side side, int level)
{
    return side == LADDER_BID ? next_bid(l->bits[side], level) : next_ask(l->bits[side], level);
}

uint16_t ladder_add(ladder_t *l, enum ladder_side side, int level, uint64_t ref, uint32_t qty)
{
    assert(l->live < LADDER_ORDERS_MAX && level >= 0 && level < LADDER_LEVELS && qty > 0);
    assert(side == LADDER_BID ? level < l->best[LADDER_ASK] : level > l->best[LADDER_BID]);
    uint16_t place = (uint16_t)l->live;
    uint16_t index = l->places[place];
    ladder_queue_t *queue = &l->queues[level];
    l->orders[index] = (ladder_order_t){.ref = ref,
                                        .qty = qty,
                                        .level = (int16_t)level,
                                        .place = place,
                                        .next = LADDER_NONE,
                                        .prev = queue->tail,
                                        .side = (uint8_t)side};
    if (queue->tail == LADDER_NONE)
        queue->head = index;
    else
        l->orders[queue->tail].next = index;
    queue->tail = index;
    l->bits[side][level / 64] |= UINT64_C(1) << (level % 64);
    if (side == LADDER_BID ? level > l->best[side] : level < l->best[side])
        l->best[side] = level;
    l->count[side]++;
    l->live++;
    return index;
}

static void empty_level(ladder_t *l, enum ladder_side side, int level)
{
    l->bits[side][level / 64] &= ~(UINT64_C(1) << (level % 64));
    if (level == l->best[side])
        l->best[side] = next_level(l, side, level);
}

void ladder_remove(ladder_t *l, uint16_t index)
{
    const ladder_order_t *o = &l->orders[index];
    ladder_queue_t *queue = &l->queues[o->level];
    if (o->prev == LADDER_NONE)
        queue->head = o->next;
    else
        l->orders[o->prev].next = o->next;
    if (o->next == LADDER_NONE)
        queue->tail = o->prev;
    else
        l->orders[o->next].prev = o->prev;
    if (queue->head == LADDER_NONE)
        empty_level(l, (enum ladder_side)o->side, o->level);
    /* The last live order takes the place that becomes free. */
    uint16_t last = l->places[l->live - 1];
    l->places[o->place] = last;
    l->orders[last].place = o->place;
    l->places[l->live - 1] = index;
    l->count[o->side]--;
    l->live--;
}

void ladder_reduce(ladder_t *l, uint16_t index, uint32_t qty)
{
    ladder_order_t *o = &l->orders[index];
    assert(qty <= o->qty);
    o->qty -= qty;
    if (o->qty == 0)
        ladder_remove(l, index);
}

uint16_t ladder_first(const ladder_t *l, enum ladder_side side)
{
    int level = l->best[side];
    return level == LADDER_NO_BID || level == LADDER_NO_ASK ? LADDER_NONE : l->queues[level].head;
}

int ladder_level_of(const ladder_t *l, enum ladder_side side, uint32_t n)
{
    assert(n < l->count[side]);
    int level = l->best[side];
    uint16_t index = l->queues[level].head;
    for (; n > 0; n--) {
        index = l->orders[index].next;
        if (index == LADDER_NONE) {
            level = next_level(l, side, level);
            index = l->queues[level].head;
        }
    }
    return level;
}
