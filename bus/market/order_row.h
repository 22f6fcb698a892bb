/* SPDX-License-Identifier: Apache-2.0 */
/* order_row.h - which row of the stamps (bus/run/stamps.h) an order or cancel has, and which one a
 * report answers. Each new order has a number of its own; its cancel bears the same one.
 */
#ifndef TICKBUS_BUS_MARKET_ORDER_ROW_H
#define TICKBUS_BUS_MARKET_ORDER_ROW_H

#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>

#include "bus/run/stamps.h"

#define ORDER_ROW_NONE UINT64_MAX

/* ORDER_ROW_NONE: the id is of no strategy that is measured. */
static inline uint64_t order_row_of(const tbus_stamps_t *stamps, uint64_t order_id, bool cancel)
{
    uint32_t strategy = (uint32_t)(order_id >> 48);
    uint64_t number = order_id & TICK_NS_MASK;
    if (strategy == 0 || strategy > stamps->streams || number == 0)
        return ORDER_ROW_NONE;
    return tbus_stamps_answer(stamps, strategy, number, cancel);
}

static inline uint64_t order_row(const tbus_stamps_t *stamps, const order_t *order)
{
    return order_row_of(stamps, order->order_id, order->kind == ORDER_CANCEL);
}

/* ORDER_ROW_NONE: the report is the first answer to nothing: an execution, what follows a first
 * answer, a cancel that nobody asked for. */
static inline uint64_t report_row(const tbus_stamps_t *stamps, const report_t *report)
{
    bool cancel = report->kind == REPORT_CANCEL_REJECTED ||
                  (report->kind == REPORT_CANCELLED && report->reason == REASON_USER_CANCEL);
    if (!cancel && report->kind != REPORT_ACCEPTED && report->kind != REPORT_REJECTED)
        return ORDER_ROW_NONE;
    return order_row_of(stamps, report->order_id, cancel);
}

#endif
