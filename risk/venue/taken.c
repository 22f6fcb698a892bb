/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/venue/taken.h"

#include <stdlib.h>

#include <tickbus/market/market.h>
#include "risk/table.h"

size_t taken_footprint(uint32_t orders_max)
{
    return ((size_t)orders_max + 1) * sizeof(*((taken_t *)0)->orders) +
           MARKET_LOCATES * sizeof(*((taken_t *)0)->held) + id_map_footprint(orders_max);
}

bool taken_create(taken_t *t, uint32_t orders_max)
{
    t->orders = table_create((size_t)orders_max + 1, sizeof *t->orders);
    t->held = table_create(MARKET_LOCATES, sizeof *t->held);
    if (!id_map_create(&t->by_seq, orders_max) || !t->orders || !t->held)
        return false;
    for (uint32_t i = 1; i < orders_max; i++)
        t->orders[i].next = i + 1;
    t->free_first = 1;
    t->free_count = t->orders_max = orders_max;
    return true;
}

void taken_destroy(taken_t *t)
{
    id_map_destroy(&t->by_seq);
    free(t->orders);
    free(t->held);
}

uint32_t taken_rest(const taken_t *t, uint64_t added_seq, uint32_t displayed)
{
    /* orders[0] has taken nothing */
    uint64_t taken = t->orders[id_map_find(&t->by_seq, added_seq)].qty;
    return displayed > taken ? displayed - (uint32_t)taken : 0;
}

void taken_add(taken_t *t, uint16_t locate, uint64_t added_seq, uint32_t qty)
{
    uint32_t place = id_map_find(&t->by_seq, added_seq);
    if (place == 0) {
        place = t->free_first;
        t->free_first = t->orders[place].next;
        t->free_count--;
        t->orders[place] = (taken_order_t){.locate = locate};
        t->held[locate]++;
        id_map_put(&t->by_seq, added_seq, place);
    }
    t->orders[place].qty += qty;
}

void taken_forget(taken_t *t, uint64_t added_seq)
{
    uint32_t place = id_map_find(&t->by_seq, added_seq);
    if (place == 0)
        return;
    id_map_remove(&t->by_seq, added_seq);
    t->held[t->orders[place].locate]--;
    t->orders[place] = (taken_order_t){.next = t->free_first};
    t->free_first = place;
    t->free_count++;
}

void taken_forget_all(taken_t *t)
{
    for (uint32_t i = 0; i <= t->by_seq.mask && t->free_count != t->orders_max; i++)
        while (t->by_seq.entries[i].id != 0) /* a follower may move here */
            taken_forget(t, t->by_seq.entries[i].id);
}

void taken_follow(taken_t *t, uint64_t added_seq, uint64_t new_seq)
{
    uint32_t place = id_map_find(&t->by_seq, added_seq);
    if (place == 0)
        return;
    id_map_remove(&t->by_seq, added_seq);
    id_map_put(&t->by_seq, new_seq, place);
}
