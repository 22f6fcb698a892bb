/* SPDX-License-Identifier: Apache-2.0 */
/* taken.h - what we took, by the displayed order that had it: venue.h has the rule. A table of
 * fixed size. An order is named by the md sequence of the tick that added it (market_order_t). */
#ifndef TICKBUS_RISK_VENUE_TAKEN_H
#define TICKBUS_RISK_VENUE_TAKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "risk/id_map.h"

typedef struct taken_order {
    uint64_t qty;    /* shares that we took of it, and of those that it replaced */
    uint32_t next;   /* of a free place: the next free one */
    uint16_t locate; /* of its symbol */
    uint8_t pad[2];
} taken_order_t;

typedef struct taken {
    taken_order_t *orders; /* owned; [0] is not used */
    uint32_t *held;        /* owned; by locate: how many orders of it are in the table */
    id_map_t by_seq;
    uint32_t free_first;
    uint32_t free_count;
    uint32_t orders_max;
} taken_t;

/* Bytes that its tables take. */
size_t taken_footprint(uint32_t orders_max);
/* False: no memory; what was built is freed by taken_destroy. */
bool taken_create(taken_t *t, uint32_t orders_max);
void taken_destroy(taken_t *t);

/* Of `displayed` shares that the order shows: those that are still there for us. */
uint32_t taken_rest(const taken_t *t, uint64_t added_seq, uint32_t displayed);
/* Take more of it. Requires that it is in the table already or free_count > 0. */
void taken_add(taken_t *t, uint16_t locate, uint64_t added_seq, uint32_t qty);
/* The order is gone; without a place in the table nothing happens. */
void taken_forget(taken_t *t, uint64_t added_seq);
/* All orders are gone. Cold. */
void taken_forget_all(taken_t *t);
/* Another order has taken its place, likewise. */
void taken_follow(taken_t *t, uint64_t added_seq, uint64_t new_seq);

#endif
