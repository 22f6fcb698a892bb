/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/venue/resting.h"

#include <stdlib.h>

#include <tickbus/market/market.h>
#include "risk/table.h"

size_t resting_footprint(uint32_t orders_max)
{
    return ((size_t)orders_max + 1) * sizeof(*((resting_t *)0)->orders) +
           MARKET_LOCATES * sizeof(*((resting_t *)0)->best) + id_map_footprint(orders_max);
}

bool resting_create(resting_t *r, uint32_t orders_max)
{
    r->orders = table_create((size_t)orders_max + 1, sizeof *r->orders);
    r->best = table_create(MARKET_LOCATES, sizeof *r->best);
    if (!id_map_create(&r->by_id, orders_max) || !r->orders || !r->best)
        return false;
    for (uint32_t i = 1; i < orders_max; i++)
        r->orders[i].worse = i + 1;
    r->free_first = 1;
    r->orders_max = orders_max;
    return true;
}

void resting_destroy(resting_t *r)
{
    id_map_destroy(&r->by_id);
    free(r->orders);
    free(r->best);
}

uint32_t resting_find(const resting_t *r, uint64_t order_id)
{
    return id_map_find(&r->by_id, order_id);
}

void resting_add(resting_t *r, const resting_order_t *order)
{
    uint32_t place = r->free_first;
    resting_order_t *o = &r->orders[place];
    r->free_first = o->worse;
    *o = *order;
    uint32_t *best = &r->best[o->locate][resting_side(o->side)];
    uint32_t before = 0, after = *best;
    while (after != 0 && !resting_better(o->side, o->px_e4, r->orders[after].px_e4)) {
        before = after;
        after = r->orders[after].worse;
    }
    o->better = before;
    o->worse = after;
    *(before != 0 ? &r->orders[before].worse : best) = place;
    if (after != 0)
        r->orders[after].better = place;
    id_map_put(&r->by_id, o->order_id, place);
    r->count++;
}

void resting_rename(resting_t *r, uint32_t place, uint64_t order_id)
{
    id_map_remove(&r->by_id, r->orders[place].order_id);
    r->orders[place].order_id = order_id;
    id_map_put(&r->by_id, order_id, place);
}

void resting_remove(resting_t *r, uint32_t place)
{
    resting_order_t *o = &r->orders[place];
    *(o->better != 0 ? &r->orders[o->better].worse : &r->best[o->locate][resting_side(o->side)]) =
        o->worse;
    if (o->worse != 0)
        r->orders[o->worse].better = o->better;
    id_map_remove(&r->by_id, o->order_id);
    *o = (resting_order_t){.worse = r->free_first};
    r->free_first = place;
    r->count--;
}
