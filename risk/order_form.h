/* SPDX-License-Identifier: Apache-2.0 */
/* order_form.h - whether what came over a ring is an order at all, and how an order is answered.
 *
 * Orders are bytes from another process: copied out of the ring once, then looked at. */
#ifndef TICKBUS_RISK_ORDER_FORM_H
#define TICKBUS_RISK_ORDER_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>

/* The count within its strategy: the id without the strategy number. */
static inline uint64_t order_count(const order_t *o)
{
    return o->order_id & TICK_NS_MASK;
}

/* An id that counts from 1, sent by the strategy that the id belongs to (so that nobody cancels
 * another's orders), and for a new order a side, a time in force and a quantity that exist. px,
 * qty, side and tif of a cancel are not looked at: taking an order off must not fail for want of
 * form. */
static inline bool order_well_formed(const order_t *o)
{
    if (order_count(o) == 0 || (uint16_t)(o->sent >> 48) != order_strategy(o))
        return false;
    if (o->kind == ORDER_CANCEL)
        return true;
    return o->kind == ORDER_NEW && (o->side == 'B' || o->side == 'S') &&
           (o->tif == ORDER_TIF_DAY || o->tif == ORDER_TIF_IOC) && o->qty != 0;
}

/* Copy a message of `bytes` bytes; false when it has not the length of an order (what is missing is
 * zero). */
static inline bool order_copy(order_t *out_order, const void *message, size_t bytes)
{
    memset(out_order, 0, sizeof *out_order);
    memcpy(out_order, message, bytes < sizeof *out_order ? bytes : sizeof *out_order);
    return bytes == sizeof *out_order;
}

/* A report about the whole order, without executions; `sent` lacks the time. */
static inline report_t order_answer(const order_t *o, uint8_t kind, uint8_t reason, uint64_t md_seq)
{
    return (report_t){
        .order_id = o->order_id,
        .md_seq = md_seq,
        .intended = o->intended,
        .sent = tick_pack(0, order_strategy(o)),
        .px_e4 = o->px_e4,
        .qty = o->qty,
        .leaves = kind == REPORT_ACCEPTED ? o->qty : 0,
        .kind = kind,
        .reason = reason,
        .side = o->side,
    };
}

/* The answer to an order that is not let through: REJECTED, or CANCEL_REJECTED for a cancel. */
static inline report_t order_refusal(const order_t *o, uint8_t reason, uint64_t md_seq)
{
    return order_answer(o, o->kind == ORDER_CANCEL ? REPORT_CANCEL_REJECTED : REPORT_REJECTED,
                        reason, md_seq);
}

#endif
