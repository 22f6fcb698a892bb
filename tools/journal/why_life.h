/* SPDX-License-Identifier: Apache-2.0 */
/* why_life.h - what a journal says of one order: the order and its cancel as they were sent and as
 * they were judged, every report, and the tick that it answers; and all that risk had judged and
 * may have been told, from which why_gate.h makes out what it found.
 */
#ifndef TICKBUS_TOOLS_JOURNAL_WHY_LIFE_H
#define TICKBUS_TOOLS_JOURNAL_WHY_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>
#include <tickbus/journal.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>

#include "tools/show/symbols.h"

#define WHY_STRATEGIES_MAX 16u

typedef struct why_order {
    bool there;
    uint64_t seq;
    uint64_t recorded_ns; /* ns since the bus epoch */
    order_t order;
} why_order_t;

typedef struct why_report {
    uint64_t seq;
    uint64_t recorded_ns;
    report_t report;
} why_report_t;

typedef struct why_tick {
    bool there;
    uint64_t seq;
    uint64_t recorded_ns;
    void *message; /* owned */
    size_t bytes;
} why_tick_t;

/* The ids of one strategy that there are. */
typedef struct why_ids {
    uint32_t strategy;
    uint64_t first; /* counts, without the number of the strategy */
    uint64_t last;
} why_ids_t;

typedef struct why_life {
    uint64_t order_id;
    why_order_t sent;   /* on `orders` */
    why_order_t judged; /* on `judged`; the first of that id that is no cancel */
    why_order_t cancel; /* on `orders`, the first */
    why_order_t cancel_judged;
    why_tick_t tick;
    symbols_t *symbols; /* owned */

    order_t *orders; /* owned; all that risk judged up to it, it being the last */
    uint64_t orders_count;
    why_report_t *reports; /* owned; all, of any order, in their order */
    uint64_t reports_count;

    uint32_t ids_count; /* more strategies than there is room for are left out */
    why_ids_t ids[WHY_STRATEGIES_MAX];
    bool begins; /* the journal has its beginning */
} why_life_t;

/* Decimal, 0x and hexadecimal digits, or strategy and count: "3/17", "3:17", "3-17". */
bool why_parse_id(const char *text, uint64_t *out_id);

/* Read it. -TBUS_ENOTFOUND: no order has that id (life->ids tell which there are); -TBUS_EABI:
 * orders or reports of another version; the errors of reading; what lies before a damage is read.
 * Cold: reads the whole journal. On an error too, what `life` owns is to be freed. */
int why_life_read(const char *directory, uint64_t order_id, why_life_t *life, tbus_error_t *err);
void why_life_clear(why_life_t *life);

#endif
