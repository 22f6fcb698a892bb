/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - what became of an order, on the topic `reports`.
 *
 * The executor alone publishes here; what risk rejects it answers as well, at the time at which the
 * venue would have. Every order gets exactly one of ACCEPTED or REJECTED first; an accepted one
 * ends with exactly one of FILLED or CANCELLED. A cancel that finds no live order is answered
 * CANCEL_REJECTED and changes nothing. BROKEN takes an execution back, at any time after it:
 * exec_id is that of the execution, and order, side, price, quantity and liquidity are as they
 * were; what the order has left does not change. Strategy and risk both follow the topic.
 */
#ifndef TICKBUS_MSG_REPORT_H
#define TICKBUS_MSG_REPORT_H

#include <tickbus/msg/tick.h>

/* Version of the layout below, which a journal names beside the type "report". Raised when a field
 * changes. */
#define REPORT_VERSION 2u

#define REPORT_KINDS(X)                                                                            \
    X(ACCEPTED, 1, "accepted")                                                                     \
    X(REJECTED, 2, "rejected")                                                                     \
    X(PARTIAL, 3, "partially_filled")                                                              \
    X(FILLED, 4, "filled")                                                                         \
    X(CANCELLED, 5, "cancelled")                                                                   \
    X(CANCEL_REJECTED, 6, "cancel_rejected")                                                       \
    X(BROKEN, 7, "broken")

/* Why. NONE with ACCEPTED, PARTIAL, FILLED, BROKEN; the rest with REJECTED, CANCELLED,
 * CANCEL_REJECTED. The names are those of the summary's `risk.rejects`. */
#define REPORT_REASONS(X)                                                                          \
    X(NONE, 0, "none")                                                                             \
    X(MALFORMED, 1, "malformed") /* side, kind, tif or quantity 0: not an order at all */          \
    X(UNKNOWN_SYMBOL, 2,                                                                           \
      "unknown_symbol")    /* no stock directory entry and no order seen for the locate */         \
    X(HALTED, 3, "halted") /* the symbol is halted, paused or quotation-only */                    \
    X(MAX_QTY, 4, "max_order_qty")                                                                 \
    X(MAX_NOTIONAL, 5, "max_order_notional")                                                       \
    X(NO_REFERENCE, 6, "no_reference_price") /* no usable touch: empty side or crossed book */     \
    X(PRICE_COLLAR, 7, "price_collar")                                                             \
    X(POSITION_LIMIT, 8, "position_limit")                                                         \
    X(GROSS_NOTIONAL, 9, "gross_notional_limit")                                                   \
    X(RATE, 10, "order_rate")                                                                      \
    X(DUPLICATE_ID, 11, "duplicate_order_id")                                                      \
    X(KILL_SWITCH, 12, "kill_switch")                                                              \
    X(UNKNOWN_ORDER, 13, "unknown_order") /* a cancel for an order that is not live */             \
    X(USER_CANCEL, 14, "user_cancel")                                                              \
    X(IOC_UNFILLED, 15, "ioc_unfilled")                                                            \
    X(VENUE_FULL, 16, "venue_full") /* the venue model's table of resting orders is full */        \
    X(OVERFLOW, 17, "arithmetic_overflow")                                                         \
    X(OPEN_ORDERS, 18, "open_orders_limit") /* risk's table of open orders is full */              \
    X(REPLACED, 19, "replaced")             /* another order has taken its place */                \
    X(CLOSED, 20, "closed")                 /* the market is not open for orders */                \
    X(TICK_SIZE, 21, "tick_size")           /* a price between ticks, or above the highest */      \
    X(SELF_MATCH, 22, "self_match")         /* an order of our own stands on the other side */     \
    X(SHORT_SALE, 23, "short_sale")         /* a short sale at the bid under Reg SHO 201 */        \
    X(TEST_SYMBOL, 24, "test_symbol")       /* a test issue, which is not traded */                \
    X(STALE_BOOK, 25, "stale_book")         /* nobody knows what the book lacks */                 \
    X(MESSAGE_RATE, 26, "message_rate")     /* orders and cancels in a second */                   \
    X(LOSS_LIMIT, 27, "loss_limit")                                                                \
    X(REDUCING, 28, "reducing")         /* positions may only be closed */                         \
    X(POST_ONLY, 29, "post_only")       /* it would have taken */                                  \
    X(NOTHING_LEFT, 30, "nothing_left") /* all of a replace's total was executed before it came */

enum {
#define X(name, value, text) REPORT_##name = value,
    REPORT_KINDS(X)
#undef X
};
enum {
#define X(name, value, text) REASON_##name = value,
    REPORT_REASONS(X)
#undef X
        REASON_COUNT
};

enum {
    /* flags: more reports of the same answer follow: an order is accepted, then fills against what
     * is displayed, then the rest of it is cancelled, all at one time */
    REPORT_MORE = 1,
    /* The order, cancel or replace that caused this event is answered with this report, its last.
     * Answers come in the order in which a strategy's messages were sent. Executions by the market
     * and cancels by a halt answer nothing. */
    REPORT_ANSWER = 2
};

/* Bit fields as in order.h. */
typedef struct report {
    uint64_t order_id;
    uint64_t md_seq : 48;  /* the last tick that the venue had taken when this happened */
    uint64_t locate : 16;  /* as in the order */
    uint64_t exec_id : 48; /* PARTIAL, FILLED, BROKEN: number of the execution, from 1; else 0 */
    uint64_t kind : 8;     /* REPORT_... */
    uint64_t reason : 8;   /* REASON_... */
    uint64_t sent : 48;    /* when it was published, ns since bus epoch: host time */
    uint64_t side : 8;     /* of the order */
    /* PARTIAL, FILLED, BROKEN: 'A' added (rested), 'R' removed (took), 'C' in a cross; else 0 */
    uint64_t liquidity : 8;
    /* market time at which its strategy sees it: never before that of an earlier report */
    uint64_t seen : 56;
    uint64_t flags : 8; /* REPORT_MORE, REPORT_ANSWER */
    /* PARTIAL, FILLED, BROKEN: execution price; else the order's limit, as the venue has it */
    uint32_t px_e4;
    /* PARTIAL, FILLED, BROKEN: shares of the execution; CANCELLED: shares taken off;
     * ACCEPTED: shares that it has, of a replace what is left of its total; else the order's */
    uint32_t qty;
    uint32_t leaves; /* shares still open after this */
    /* PARTIAL, FILLED: what the venue takes for it; negative: what it pays. BROKEN: what it pays
     * back, so with the other sign */
    int32_t fee_e4;
} report_t;

TICK_ASSERT_(sizeof(report_t) == 56, "one line with its slot word");
TICK_ASSERT_(offsetof(report_t, px_e4) == 40, "layout");

TBUS_INLINE uint16_t report_locate(const report_t *r)
{
    return (uint16_t)r->locate;
}
TBUS_INLINE uint16_t report_strategy(const report_t *r)
{
    return (uint16_t)(r->order_id >> 48);
}

/* The name of a kind or reason as above; "?" for a number that is none. */
TBUS_INLINE const char *report_kind_name(unsigned kind)
{
    switch (kind) {
#define X(name, value, text)                                                                       \
    case value:                                                                                    \
        return text;
        REPORT_KINDS(X)
#undef X
    default:
        return "?";
    }
}
TBUS_INLINE const char *report_reason_name(unsigned reason)
{
    switch (reason) {
#define X(name, value, text)                                                                       \
    case value:                                                                                    \
        return text;
        REPORT_REASONS(X)
#undef X
    default:
        return "?";
    }
}

#endif
