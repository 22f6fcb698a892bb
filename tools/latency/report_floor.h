/* SPDX-License-Identifier: Apache-2.0 */
/* report_floor.h - what a report says of the machine's floor (floor.h), measured on the schedule
 * and the CPUs of the run, right after it:
 *
 *    floor
 *       processes      of the paced line: 2, or 1 where the run had one CPU
 *       seconds        of the run's schedule that were measured again, from its beginning
 *       cpus[]
 *       paced_line     count p50 p90 p99 p99_9 p99_99 max, in ns; null: fewer than FLOOR_BEYOND_MIN
 *                      messages lie beyond
 *       hiccup         the same
 *       ping_pong      the same: half of a round trip; null with one process
 *       ratios
 *          tick_to_seen    {p50 p99 p99_9} over the paced line's, p99_99 over the hiccup's; null:
 *          tick_to_report  one of the two is not known
 */
#ifndef TICKBUS_TOOLS_LATENCY_REPORT_FLOOR_H
#define TICKBUS_TOOLS_LATENCY_REPORT_FLOOR_H

#include <stdio.h>

#include <jansson.h>

#include "tools/latency/evidence.h"
#include "tools/latency/samples.h"

#define FLOOR_BEYOND_MIN 10u

/* Measure and add the above; the run has ended. `for_ns`: of the schedule, at most. Takes twice
 * that long. The errors of floor_measure. */
int report_add_floor(json_t *report, const evidence_t *evidence, const samples_t *samples,
                     uint64_t for_ns, tbus_error_t *err);

void report_print_floor(const json_t *report, FILE *out);

#endif
