/* SPDX-License-Identifier: Apache-2.0 */
/* outbox.h - orders that wait for room on the ring `orders`, first in first out. Private to
 * strategy/.
 *
 * How many there can be: no tick is taken while one waits, but reports are, and each may give a
 * credit back and cause another order. An order in the outbox cannot end before it is published. So
 * what waits is, at most, for each credit: a cancel of an order published earlier, a new order, and
 * the cancel of that: three times the credit.
 */
#ifndef TICKBUS_STRATEGY_OUTBOX_H
#define TICKBUS_STRATEGY_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/msg/order.h>

#define OUTBOX_PER_CREDIT 3u

typedef struct outbox {
    order_t *orders;
    uint64_t mask;
    uint64_t head; /* next to go out */
    uint64_t tail; /* next free place */
} outbox_t;

/* Allocates and touches. -ENOMEM. Cold. */
int outbox_create(outbox_t *out_outbox, uint32_t credit);
void outbox_destroy(outbox_t *outbox);

static inline bool outbox_empty(const outbox_t *outbox)
{
    return outbox->head == outbox->tail;
}
/* The next to go out; the outbox is not empty. */
static inline order_t *outbox_front(outbox_t *outbox)
{
    return &outbox->orders[outbox->head & outbox->mask];
}
static inline void outbox_pop(outbox_t *outbox)
{
    outbox->head++;
}
/* Asserts that there is room, which the arithmetic above promises. */
void outbox_push(outbox_t *outbox, const order_t *order);

#endif
