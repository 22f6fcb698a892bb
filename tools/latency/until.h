/* SPDX-License-Identifier: Apache-2.0 */
/* until.h - `busctl latency --until-ci 5%`: as long a run as it takes until p99 of the whole way is
 * known that well: half of its 95 % interval is at most that share of it.
 *
 * A run says how long the next must be: an interval narrows with the square root of the time; where
 * there is none yet, twice as long. The run that suffices is the one that is reported, alone. A
 * length that is chosen by what was measured before, and not by what it measures itself, does not
 * make its interval look better than it is.
 *
 *    until_ci   of the report: hop, percentile, target (0.05), reached (null: no interval),
 *               reached_untouched (the same of messages that the host did not touch),
 *               beyond_by_host (of those beyond p99 so many it touched), known,
 *               seconds (of that run), needs_s (as far as can be told: that long a run; or null)
 */
#ifndef TICKBUS_TOOLS_LATENCY_UNTIL_H
#define TICKBUS_TOOLS_LATENCY_UNTIL_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "tools/latency/run.h"

/* argv: as of a run; the first takes its --for. No run takes longer than max_ns: then that is
 * reported, and *out_told says that it is not known. OUTCOME_OK: *out_result is filled, and
 * *out_told a new reference. */
int until_measure(int argc, char **argv, double share, uint64_t max_ns, run_spec_t *spec,
                  run_result_t *out_result, json_t **out_told);

/* Was it reached? If not, stderr is told, and OUTCOME_FAILED returned. */
int until_outcome(const char *verb, const json_t *told);

/* How long the next run is to be, after one of so many seconds whose p99 is known to `reached`, a
 * share (NaN: no interval). Declared for tests. */
double until_next_s(double seconds, double reached, double share);

#endif
