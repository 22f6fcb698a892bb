/* SPDX-License-Identifier: Apache-2.0 */
/* report_floor.h - what a report says of the machine's floor: the object of floor_slices.h as
 * `floor`, and in it
 *
 *    ratios     of each hop that was taken {p50 p99 p99_9} over the paced line's, p99_99 over the
 *               hiccup's; null: one of the two is not known
 */
#ifndef TICKBUS_TOOLS_LATENCY_REPORT_FLOOR_H
#define TICKBUS_TOOLS_LATENCY_REPORT_FLOOR_H

#include <stdio.h>

#include "tools/latency/floor_slices.h"

/* Add the above; `f` NULL: it was not asked for, and there is none. */
void report_add_floor(json_t *report, const floor_slices_t *f);

void report_print_floor(const json_t *report, FILE *out);

/* One line: p50 and p99 of the paced line, p99.99 of the hiccup. */
void report_print_floor_line(const json_t *floor, FILE *out);

#endif
