/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/venue/breaks.h"

#include <stdlib.h>

#include <tickbus/market/market.h>
#include "risk/table.h"

/* A map needs room for one. */
static uint32_t ids_for(uint32_t executions_max)
{
    return executions_max ? executions_max : 1;
}

size_t breaks_footprint(uint32_t executions_max)
{
    return ((size_t)executions_max + 1) * sizeof(*((breaks_t *)0)->executions) +
           MARKET_LOCATES * sizeof(*((breaks_t *)0)->held) +
           id_map_footprint(ids_for(executions_max));
}

bool breaks_create(breaks_t *b, uint32_t executions_max)
{
    b->executions = table_create((size_t)executions_max + 1, sizeof *b->executions);
    b->held = table_create(MARKET_LOCATES, sizeof *b->held);
    b->executions_max = executions_max;
    return id_map_create(&b->by_match, ids_for(executions_max)) && b->executions && b->held;
}

void breaks_destroy(breaks_t *b)
{
    id_map_destroy(&b->by_match);
    free(b->executions);
    free(b->held);
}

/* The place at hand is to be filled anew. It holds the oldest execution: the first of its trade. */
static void forget(breaks_t *b, uint32_t place)
{
    breakable_t gone = b->executions[place];
    if (gone.match == 0)
        return;
    b->held[gone.locate]--;
    b->executions[place] = (breakable_t){0};
    if (id_map_find(&b->by_match, gone.match) != place)
        return;
    id_map_remove(&b->by_match, gone.match);
    if (gone.next != 0)
        id_map_put(&b->by_match, gone.match, gone.next);
}

static void forget_trade(breaks_t *b, uint32_t first)
{
    for (uint32_t place = first, next; place != 0; place = next) {
        next = b->executions[place].next;
        forget(b, place);
    }
}

void breaks_remember(breaks_t *b, const breakable_t *execution)
{
    if (execution->match == 0 || b->executions_max == 0)
        return;
    uint32_t first = id_map_find(&b->by_match, execution->match);
    if (first != 0 && b->executions[first].md_seq != execution->md_seq) {
        forget_trade(b, first);
        first = 0;
    }
    uint32_t place = b->last == b->executions_max ? 1 : b->last + 1;
    bool own_first = place == first; /* a trade of more executions than there are places */
    forget(b, place);
    if (own_first)
        first = id_map_find(&b->by_match, execution->match);
    b->executions[place] = *execution;
    b->executions[place].next = 0;
    if (first == 0)
        id_map_put(&b->by_match, execution->match, place);
    else
        b->executions[b->last_of_match].next = place;
    b->last = b->last_of_match = place;
    b->held[execution->locate]++;
}

bool breaks_take(breaks_t *b, uint64_t match, breakable_t *out_execution)
{
    uint32_t first = id_map_find(&b->by_match, match);
    if (first == 0)
        return false;
    *out_execution = b->executions[first];
    forget(b, first);
    return true;
}

void breaks_forget_all(breaks_t *b)
{
    breakable_t gone;
    if (b->last == 0) /* there never was one */
        return;
    for (uint32_t i = 0; i <= b->by_match.mask; i++)
        while (b->by_match.entries[i].id != 0) /* a follower may move here */
            (void)breaks_take(b, b->by_match.entries[i].id, &gone);
    b->last_of_match = 0;
}
