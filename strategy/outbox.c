/* SPDX-License-Identifier: Apache-2.0 */
#include "strategy/outbox.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int outbox_create(outbox_t *out_outbox, uint32_t credit)
{
    uint64_t count = 64;
    while (count < (uint64_t)OUTBOX_PER_CREDIT * credit)
        count *= 2;
    order_t *orders = aligned_alloc(64, count * sizeof *orders);
    if (orders == NULL)
        return -ENOMEM;
    memset(orders, 0, count * sizeof *orders);
    *out_outbox = (outbox_t){.orders = orders, .mask = count - 1};
    return 0;
}

void outbox_destroy(outbox_t *outbox)
{
    free(outbox->orders);
    outbox->orders = NULL;
}

void outbox_push(outbox_t *outbox, const order_t *order)
{
    assert(outbox->tail - outbox->head <= outbox->mask);
    outbox->orders[outbox->tail & outbox->mask] = *order;
    outbox->tail++;
}
