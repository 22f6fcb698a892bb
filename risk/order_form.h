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

/* An id that counts from 1, and for a new order a side, a time in force and a quantity that exist;
 * a replace names another order of its strategy. px, qty, side and tif of a cancel are not looked
 * at: taking an order off must not fail for want of form. */
static inline bool order_well_formed(const order_t *o)
{
    if (order_count(o) == 0)
        return false;
    if (o->kind == ORDER_CANCEL)
        return true;
    bool replaces = o->kind == ORDER_REPLACE && o->replaces != 0 && o->replaces < order_count(o);
    return (o->kind == ORDER_NEW || replaces) && (o->side == 'B' || o->side == 'S') &&
           (o->tif == ORDER_TIF_IOC ||
            (o->tif == ORDER_TIF_DAY && (o->flags & ORDER_MARKET) == 0)) &&
           o->qty != 0;
}

/* Copy a message of `bytes` bytes; false when it has not the length of an order (what is missing is
 * zero). */
static inline bool order_copy(order_t *out_order, const void *message, size_t bytes)
{
    memset(out_order, 0, sizeof *out_order);
    memcpy(out_order, message, bytes < sizeof *out_order ? bytes : sizeof *out_order);
    return bytes == sizeof *out_order;
}

/* A report about the whole order, without executions; times and flags are not set. */
static inline report_t order_answer(const order_t *o, uint8_t kind, uint8_t reason, uint64_t md_seq)
{
    return (report_t){
        .order_id = o->order_id,
        .md_seq = md_seq,
        .locate = o->locate,
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
