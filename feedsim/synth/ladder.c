/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/synth/ladder.h"

#include <assert.h>
#include <string.h>

#define WORDS (LADDER_LEVELS / 64)

void ladder_init(ladder_t *l)
{
    memset(l, 0, sizeof *l);
    l->best[LADDER_BID] = LADDER_NO_BID;
    l->best[LADDER_ASK] = LADDER_NO_ASK;
    for (int level = 0; level < LADDER_LEVELS; level++)
        l->queues[level] = (ladder_queue_t){LADDER_NONE, LADDER_NONE};
    for (uint16_t i = 0; i < LADDER_ORDERS_MAX; i++)
        l->places[i] = i;
}

static int highest_bid(const uint64_t *bits, int below)
{
    for (int word = (below - 1) / 64; below > 0 && word >= 0; word--)
        if (bits[word] != 0)
            return word * 64 + 63 - __builtin_clzll(bits[word]);
    return LADDER_NO_BID;
}

static int lowest_ask(const uint64_t *bits, int above)
{
    for (int word = (above + 1) / 64; word < WORDS; word++)
        if (bits[word] != 0)
            return word * 64 + __builtin_ctzll(bits[word]);
    return LADDER_NO_ASK;
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

static void empty_level(ladder_t *l, int side, int level)
{
    l->bits[side][level / 64] &= ~(UINT64_C(1) << (level % 64));
    if (level == l->best[side])
        l->best[side] = side == LADDER_BID ? highest_bid(l->bits[side], level)
                                           : lowest_ask(l->bits[side], level);
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
        empty_level(l, o->side, o->level);
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
