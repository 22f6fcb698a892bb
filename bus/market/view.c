/* SPDX-License-Identifier: Apache-2.0 */
/* All live orders of a view, whichever way it finds them. */
#include "bus/market/view.h"

void view_forget_places(market_t *m)
{
    uint32_t end = m->places_used > 0 ? m->places_used : 1;
    m->finds = VIEW_BY_TABLE;
    m->places_told = false;
    m->queues.free = end; /* behind those that were used all are as at first */
    m->orders.live = 0;
    for (uint32_t place = end; --place != 0;) {
        const queue_order_t *order = &m->queues.orders[place];
        if (order->qty != 0)
            orders_add(&m->orders, orders_hash(&m->orders, order->ref), place);
        else
            queue_free(&m->queues, place);
    }
}

void view_each_order(const market_t *m, void (*see)(void *context, uint32_t place), void *context)
{
    if (m->finds != VIEW_BY_PLACE) {
        orders_each(&m->orders, see, context);
        return;
    }
    for (uint32_t place = 1; place < m->places_used; place++)
        if (m->queues.orders[place].qty != 0)
            see(context, place);
}
