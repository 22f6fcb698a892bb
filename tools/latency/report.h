/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - what `busctl latency` says about a run: one JSON object, and the same as text.
 *
 *    schema version command host   tools/measure/provenance.h; host also as in surroundings.h
 *    kept_up           did the pipeline keep the schedule?
 *    rate              target achieved (messages a second)
 *    seconds           of the schedule, from its first message to its last
 *    seconds_asked     --for
 *    feed_ended        it had no more messages before that time was over
 *    arrival           constant ...
 *    hops[]            of each hop its percentiles, with intervals (hops.h); names as in samples.h.
 *                      The means of the first six add up to that of tick_to_report over the
 *                      messages that are answered: `mean_answered`
 *    steadiness        warm-up and drift (hops.h)
 *    worst[]           the messages that took longest from tick to report (where nothing is
 *                      answered: to seen): seq at_s (after the start) total and the ns of each hop
 *    clock             source (tsc, cntvct, monotonic) read_ns system_read_ns drift_ns
 *                      backward {count,max_ns}
 *    summary           of the pipeline, as `busctl start --json` prints it
 *    notes[]           one sentence each
 *
 * Whoever adds a part adds its keys to the object that report_build returns, and prints them from
 * there: what is printed as text is made of the object alone.
 */
#ifndef TICKBUS_TOOLS_LATENCY_REPORT_H
#define TICKBUS_TOOLS_LATENCY_REPORT_H

#include <stdio.h>

#include <jansson.h>

#include "tools/latency/run.h"

/* A new reference; NULL: no memory. `spec` as it was run. */
json_t *report_build(const run_spec_t *spec, const run_result_t *result);

/* The object above as text. */
void report_print(const json_t *report, FILE *out);

#endif
