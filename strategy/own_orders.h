/* SPDX-License-Identifier: Apache-2.0 */
/* own_orders.h - which orders of one strategy are open: sent, and not yet rejected, filled or
 * cancelled. Private to strategy/.
 *
 * There are at most `open_max` of them: the strategy's credit. Ids count upwards, and an order's
 * place in the table is the low bits of its id; a number whose place is still taken is skipped. So
 * an id is found with one look, and ids strictly increase, as tickbus/msg/order.h requires.
 */
#ifndef TICKBUS_STRATEGY_OWN_ORDERS_H
#define TICKBUS_STRATEGY_OWN_ORDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OWN_ORDERS_LIMIT (1u << 20)

typedef struct own_order {
    uint64_t id; /* 0: the place is free */
    uint16_t locate;
    uint8_t side;
    bool cancel_asked;
    /* what the last message about it answers (tickbus/msg/order.h) */
    uint64_t answers_md_seq;
    uint64_t answers_intended_ns;
    uint64_t replaced_by; /* id of the last replace that was sent for it; 0: none */
    uint64_t executed; /* as reported: of it and of the orders before it in its chain of replaces */
} own_order_t;

typedef struct own_orders {
    own_order_t *places;
    uint64_t mask;
    uint64_t last_count; /* of the newest id */
    uint16_t strategy;
    uint32_t open;
    uint32_t open_max;
} own_orders_t;

/* Bytes that a table of so many orders takes. */
size_t own_orders_footprint(uint32_t open_max);
/* Allocates, and takes the page faults. `strategy`: its number, for ids. -ENOMEM. Cold. */
int own_orders_create(own_orders_t *out_orders, uint16_t strategy, uint32_t open_max);
void own_orders_destroy(own_orders_t *orders);

/* A new order with an id of its own, everything else zero; NULL: the credit is used up. */
own_order_t *own_orders_open(own_orders_t *orders);

/* The open order of that id, or NULL. */
own_order_t *own_orders_find(const own_orders_t *orders, uint64_t id);

/* It has ended: its credit comes back. */
void own_orders_end(own_orders_t *orders, own_order_t *order);

#endif
