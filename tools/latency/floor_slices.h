/* SPDX-License-Identifier: Apache-2.0 */
/* floor_slices.h - the floor of a run (floor.h), gathered in slices around it, since a host is
 * faster and slower by the minute: what is measured only afterwards may be of another mood.
 *
 *    floor_slices_before   half of it, before the run: its schedule is known (schedule.h)
 *        the run
 *    floor_slices_after    the rest, after it, on the schedule as it was
 *    floor_slices_again    of several runs: a slice after each, which is before the next
 *
 * Within a slice paced line and hiccup take turns, half a second each. As JSON:
 *
 *    processes      of the paced line: 2, or 1 where the run has one CPU
 *    seconds        of a run's schedule that each of the two was measured on, all slices together
 *    cpus[]         -1: not pinned, as the run
 *    paced_line     count p50 p90 p99 p99_9 p99_99 max, in ns; null: fewer than FLOOR_BEYOND_MIN
 *                   messages lie beyond
 *    hiccup         the same
 *    ping_pong      the same: half of a round trip; null with one process
 *    slices[]       when ("before", "after", "between") paced_line {p50 p99} hiccup {p99 p99_9}:
 *                   whether the host stayed the same; the first FLOOR_SLICES_MAX
 */
#ifndef TICKBUS_TOOLS_LATENCY_FLOOR_SLICES_H
#define TICKBUS_TOOLS_LATENCY_FLOOR_SLICES_H

#include <jansson.h>

#include "tools/latency/hops.h"
#include "tools/latency/run.h"

#define FLOOR_SLICES_MAX  64u
#define FLOOR_BEYOND_MIN  10u
#define FLOOR_PERCENTILES 5u /* the first of hop_percentiles: to p99.99 */

typedef struct floor_slices floor_slices_t;

/* NULL: no memory. */
floor_slices_t *floor_slices_create(void);
/* Accepts NULL. */
void floor_slices_destroy(floor_slices_t *f);

/* Measure one, on the CPUs of the run and `for_ns` of its schedule at most; takes twice as long.
 * The errors of floor_measure, and those of reading the times of a file. Where the schedule cannot
 * be told before, or there is none, nothing is measured. Nor is anything after an error: *err,
 * which is no error at first, is returned again. */
int floor_slices_before(floor_slices_t *f, const run_spec_t *spec, uint64_t for_ns,
                        tbus_error_t *err);
int floor_slices_again(floor_slices_t *f, const run_spec_t *spec, const samples_t *samples,
                       uint64_t for_ns, const char *when, tbus_error_t *err);

/* After the only run: as much as is missing to `floor_ns`, of which half was measured before it, or
 * nothing. An error, also of the slice before, becomes a note of the result. */
void floor_slices_after(floor_slices_t *f, const run_spec_t *spec, run_result_t *result,
                        uint64_t floor_ns, tbus_error_t *err);

/* Was nothing measured so far? (Outside its file, for tests.) */
bool floor_slices_empty(const floor_slices_t *f);

/* A new reference: the object above; null: nothing was measured. */
json_t *floor_slices_json(const floor_slices_t *f);

/* How many times that floor the percentiles of `hop` are (an object with p50, p99 ...): p50, p99
 * and p99_9 over the paced line's, p99_99 over the hiccup's; null: one of the two is not known. A
 * new reference. */
json_t *floor_ratios(const json_t *hop, const json_t *floor);

#endif
