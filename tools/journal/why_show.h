/* SPDX-License-Identifier: Apache-2.0 */
/* why_show.h - the life of one order for people and programs. */
#ifndef TICKBUS_TOOLS_JOURNAL_WHY_SHOW_H
#define TICKBUS_TOOLS_JOURNAL_WHY_SHOW_H

#include <stdio.h>

#include <jansson.h>

#include "tools/journal/why_answer.h"

/* In words, on one screen. Of an order that is there. */
void why_print(const why_answer_t *answer, FILE *out);

/* order, tick, touch, judged, checks[].{name,value,limit,passed,reached}, cancel, cancel_judged,
 * reports[], hops_ns, market_ns, recomputed.{orders,differ}. Messages are as `busctl tap --json`
 * has them, with recorded_ns; what there is not is null. hops_ns: host clock, ns since the start of
 * the bus: intended, tick_recorded, sent, order_recorded, judged_recorded, and of the first report
 * reported and report_recorded, and of the last last_reported. A new reference. */
json_t *why_json(const why_answer_t *answer);

#endif
