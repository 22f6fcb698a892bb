/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/venue/taken.h"

#include <stdlib.h>

#include <tickbus/market/market.h>
#include "risk/table.h"

size_t taken_footprint(uint32_t levels_max)
{
    return ((size_t)levels_max + 1) * sizeof(*((taken_t *)0)->levels) +
           MARKET_LOCATES * sizeof(*((taken_t *)0)->first);
}

bool taken_create(taken_t *t, uint32_t levels_max)
{
    t->levels = table_create((size_t)levels_max + 1, sizeof *t->levels);
    t->first = table_create(MARKET_LOCATES, sizeof *t->first);
    if (!t->levels || !t->first)
        return false;
    for (uint32_t i = 1; i < levels_max; i++)
        t->levels[i].next = i + 1;
    t->free_first = 1;
    t->free_count = levels_max;
    return true;
}

void taken_destroy(taken_t *t)
{
    free(t->levels);
    free(t->first);
}

/* The link that holds the level's place: `first`, or the `next` of the level before it. It holds 0
 * when the level is not in the table. */
static uint32_t *link_to(const taken_t *t, uint16_t locate, uint8_t side, uint32_t px_e4)
{
    uint32_t *link = &t->first[locate];
    while (*link != 0 && (t->levels[*link].px_e4 != px_e4 || t->levels[*link].side != side))
        link = &t->levels[*link].next;
    return link;
}

uint64_t taken_qty(const taken_t *t, uint16_t locate, uint8_t side, uint32_t px_e4)
{
    return t->levels[*link_to(t, locate, side, px_e4)].qty; /* levels[0] holds none */
}

void taken_add(taken_t *t, uint16_t locate, uint8_t side, uint32_t px_e4, uint64_t qty)
{
    uint32_t *link = link_to(t, locate, side, px_e4);
    if (*link == 0) {
        uint32_t fresh = t->free_first;
        t->free_first = t->levels[fresh].next;
        t->free_count--;
        t->levels[fresh] = (taken_level_t){.px_e4 = px_e4, .side = side};
        *link = fresh;
    }
    t->levels[*link].qty += qty;
}

void taken_reduce(taken_t *t, uint16_t locate, uint8_t side, uint32_t px_e4, uint64_t qty)
{
    uint32_t *link = link_to(t, locate, side, px_e4);
    uint32_t at = *link;
    if (at == 0)
        return;
    if (t->levels[at].qty > qty) {
        t->levels[at].qty -= qty;
        return;
    }
    *link = t->levels[at].next;
    t->levels[at] = (taken_level_t){.next = t->free_first};
    t->free_first = at;
    t->free_count++;
}
