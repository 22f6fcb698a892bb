/* SPDX-License-Identifier: Apache-2.0 */
#include "strategy/own_orders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/msg/order.h>

static uint64_t places_for(uint32_t open_max)
{
    uint64_t count = 64;
    while (count < UINT64_C(2) * open_max)
        count *= 2;
    return count;
}

size_t own_orders_footprint(uint32_t open_max)
{
    return places_for(open_max) * sizeof(own_order_t);
}

int own_orders_create(own_orders_t *out_orders, uint16_t strategy, uint32_t open_max)
{
    uint64_t count = places_for(open_max);
    own_order_t *places = aligned_alloc(64, count * sizeof *places);
    if (!places)
        return -ENOMEM;
    memset(places, 0, count * sizeof *places);
    *out_orders = (own_orders_t){
        .places = places, .mask = count - 1, .strategy = strategy, .open_max = open_max};
    return 0;
}

void own_orders_destroy(own_orders_t *orders)
{
    free(orders->places);
    orders->places = NULL;
}

own_order_t *own_orders_open(own_orders_t *orders)
{
    if (orders->open == orders->open_max)
        return NULL;
    /* This loop ends, because at most half of the places are taken. */
    uint64_t number = orders->last_count + 1;
    while (orders->places[number & orders->mask].id != 0)
        number++;
    own_order_t *order = &orders->places[number & orders->mask];
    *order = (own_order_t){.id = ORDER_ID(orders->strategy, number)};
    orders->last_count = number;
    orders->open++;
    return order;
}

own_order_t *own_orders_find(const own_orders_t *orders, uint64_t id)
{
    own_order_t *order = &orders->places[id & orders->mask];
    return id != 0 && order->id == id ? order : NULL;
}

void own_orders_end(own_orders_t *orders, own_order_t *order)
{
    order->id = 0;
    orders->open--;
}
