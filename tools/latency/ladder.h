/* SPDX-License-Identifier: Apache-2.0 */
/* ladder.h - `busctl latency --ladder`: doubles the rate until the pipeline cannot keep up, then
 * goes half of the way between the last rate that it kept and the first that it did not, until they
 * are a tenth apart: there is the knee. A rate that is not kept is tried three times, since one
 * stall of the host at the end of a run looks the same. Last a run at half of the knee, which is
 * reported as any other, with
 *
 *    ladder.knee     the highest rate that was kept, messages a second; null: none was
 *    ladder.hop      whose percentiles the rungs have: tick_to_seen, which every message has
 *    ladder.rungs[]  from slow to fast: target achieved kept_up, the percentiles of hops.h, and
 *                    floor, of the rung's own schedule right after it (floor_slices.h), with
 *                    ratios
 */
#ifndef TICKBUS_TOOLS_LATENCY_LADDER_H
#define TICKBUS_TOOLS_LATENCY_LADDER_H

#include <stdbool.h>

#include "tools/latency/options.h"

/* argv: as of a run; its --rate is the first rung (default 25k), and a rung takes two seconds where
 * --for says nothing else. OUTCOME_FAILED: also when no rate is kept, down to a 64th of the first:
 * the rungs are printed, and stderr says that it cannot be measured here. */
int ladder_climb(int argc, char **argv, const latency_options_t *o);

/* The search alone; all zeros but `first` at the beginning. Declared for tests. */
typedef struct ladder_search {
    double first;
    double kept;     /* the highest rate that was kept; 0: none yet */
    double not_kept; /* the lowest that was not; 0: none yet */
    unsigned rungs;
} ladder_search_t;

/* The next rate to be tried; 0: it is over. For tests. */
double ladder_next(const ladder_search_t *search);
/* What came of it. For tests. */
void ladder_found(ladder_search_t *search, double rate, bool kept);

#endif
