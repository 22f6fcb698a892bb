/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/in_hand.h"

#include <stdlib.h>

#include "risk/table.h"

bool in_hand_create(in_hand_t *h, uint32_t orders_max)
{
    h->orders = table_create((size_t)orders_max + 1, sizeof *h->orders);
    if (!h->orders)
        return false;
    for (uint32_t i = 1; i < orders_max; i++)
        h->orders[i].next = i + 1;
    h->free = orders_max ? 1 : 0;
    return true;
}

void in_hand_destroy(in_hand_t *h)
{
    free(h->orders);
    h->orders = NULL;
}

in_hand_order_t *in_hand_add(in_hand_t *h, in_hand_stream_t *s)
{
    uint32_t place = h->free;
    h->free = h->orders[place].next;
    h->orders[place].next = 0;
    if (s->first)
        h->orders[s->last].next = place;
    else
        s->first = place;
    s->last = place;
    return &h->orders[place];
}

void in_hand_drop(in_hand_t *h, in_hand_stream_t *s)
{
    uint32_t place = s->first;
    s->first = h->orders[place].next;
    h->orders[place].next = h->free;
    h->free = place;
}

uint32_t in_hand_of(const in_hand_t *h, const in_hand_stream_t *s, uint32_t strategy)
{
    uint32_t place = s->first;
    while (place != 0 && order_strategy(&h->orders[place].order) != strategy)
        place = h->orders[place].next;
    return place;
}

void in_hand_remove(in_hand_t *h, in_hand_stream_t *s, uint32_t place)
{
    if (place == s->first) {
        in_hand_drop(h, s);
        return;
    }
    uint32_t before = s->first;
    while (h->orders[before].next != place)
        before = h->orders[before].next;
    h->orders[before].next = h->orders[place].next;
    if (s->last == place)
        s->last = before;
    h->orders[place].next = h->free;
    h->free = place;
}
